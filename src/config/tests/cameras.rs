//! Camera files.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, LoadRequest, check, check_camera, lpfile};

#[test]
fn a_stream_may_have_an_older_key() {
    check_camera(
        "\"fileSrc\"",
        "\"rtsp_url\": \"cam:1\", \"fileSrc\"",
        expect![[r#"
            LP0211 configs/camera_to_workload.json:10:21 `rtsp_url` must be the URI of a stream or of a USB camera; write `rtsp://host:8554/path` or `v4l2:///dev/video0`
        "#]],
    );
    check_camera(
        "\"fileSrc\"",
        "\"rtsp_url\": \"rtsp://h/1\", \"stream_uri\": \"rtsp://h/2\", \"streamUri\": \" \", \"fileSrc\"",
        expect![[r#"
            warning LP0409 configs/camera_to_workload.json:10:9 `rtsp_url` is not used, because `stream_uri` takes precedence
        "#]],
    );
}

#[test]
fn streams_win_over_files_and_devices_are_sources() {
    for (uri, expected) in [
        (
            "rtsp://host:8554/a",
            expect![[
                r#"Rtsp(RtspStream { uri: "rtsp://host:8554/a", login: None, codec: H264, latency_ms: 300, transport: Tcp, reconnect: None, certificate: Trusted })"#
            ]],
        ),
        ("v4l2:///dev/video0", expect![[r#"Usb { device: "/dev/video0" }"#]]),
        (
            "'rtsps://host/a'",
            expect![[
                r#"Rtsp(RtspStream { uri: "rtsps://host/a", login: None, codec: H264, latency_ms: 300, transport: Tcp, reconnect: None, certificate: Trusted })"#
            ]],
        ),
    ] {
        let cameras = CAMERAS.replace("\"fileSrc\"", &format!("\"rtspUri\": \"{uri}\", \"fileSrc\""));
        let loaded = Files::new().with(CAMERA_FILE, cameras).load(|_| {});
        expected.assert_eq(&format!("{:?}", loaded.project.unwrap().cameras[0].source));
    }
}

#[test]
fn a_stream_path_is_on_the_server_of_the_project() {
    let cameras = CAMERAS.replace("\"fileSrc\"", "\"rtspUri\": \"/cam/1\", \"fileSrc\"");
    let files = Files::new().with(CAMERA_FILE, cameras);
    let source = |files: &Files| format!("{:?}", files.load(|_| {}).project.unwrap().cameras[0].source);
    expect![[r#"Rtsp(RtspStream { uri: "rtsp://rtsp-streamer:8554/cam/1", login: None, codec: H264, latency_ms: 300, transport: Tcp, reconnect: None, certificate: Trusted })"#]]
    .assert_eq(&source(&files));
    let files = files.with("Lpfile.toml", "[rtsp]\nhost = \"nvr\"\nport = 554\n");
    expect![[r#"Rtsp(RtspStream { uri: "rtsp://nvr:554/cam/1", login: None, codec: H264, latency_ms: 300, transport: Tcp, reconnect: None, certificate: Trusted })"#]]
    .assert_eq(&source(&files));
    check(
        lpfile("[rtsp]\nhost = \"nvr/x\"\nport = 0\n"),
        expect![[r#"
            LP0211 Lpfile.toml:2:8 `rtsp.host` must be the name of a host
            LP0204 Lpfile.toml:3:8 `rtsp.port` must be a whole number from 1 to 65535
        "#]],
    );
}

#[test]
fn an_impaired_network_is_read_with_its_units() {
    let impair = "impair = { loss = \"2.5%\", delay = \"40ms\", jitter = \"20ms\", rate = \"1.5mbit\", reorder = 0.01, seed = 7 }";
    let files = Files::new().with("Lpfile.toml", format!("[rtsp]\ntransport = \"udp\"\n{impair}\n"));
    let rtsp = files.load(|_| {}).project.unwrap().settings.rtsp;
    expect!["Udp Some(Impairment { loss_ppm: 25000, delay_ms: 40, jitter_ms: 20, rate_bps: Some(1500000), reorder_ppm: 10000, seed: 7 })"].assert_eq(&format!("{:?} {:?}", rtsp.transport, rtsp.impair));
    // Nothing is nothing.
    let files = Files::new().with("Lpfile.toml", "[rtsp]\nimpair = { loss = \"0%\", seed = 7 }\n");
    assert_eq!(files.load(|_| {}).project.unwrap().settings.rtsp.impair, None);
    let set = |request: &mut LoadRequest| {
        let overrides = ["rtsp.impair.loss=1%", "rtsp.transport=udp"];
        request.sets = overrides.map(str::to_owned).to_vec();
    };
    let impair = Files::new().load(set).project.unwrap().settings.rtsp.impair.unwrap();
    assert_eq!(impair.to_string(), "loss 1 %, seed 0");
}

#[test]
fn an_impairment_that_the_streams_do_not_allow_is_refused_at_its_place() {
    let of = |impair: &str| Files::new().with("Lpfile.toml", format!("[rtsp]\nimpair = {{ {impair} }}\n"));
    check(
        of("loss = \"2%\", reorder = \"101%\", rate = \"4 Mbit/s\", jitter = \"20ms\", delay = \"11s\""),
        expect![[r#"
            LP0310 Lpfile.toml:2:19 `rtsp.impair.loss` is for single packets, but streams come in TCP, which loses none; set `rtsp.transport` to `udp`, or take `loss` out
            LP0204 Lpfile.toml:2:35 `rtsp.impair.reorder` must be from `0%` to `100%`
            LP0214 Lpfile.toml:2:50 `rtsp.impair.rate` must be bits per second from `1kbit` to `10gbit`, such as `4mbit` or `500kbit`
            LP0204 Lpfile.toml:2:87 `rtsp.impair.delay` must be at most `2s`
        "#]],
    );
    check(
        of("loss = \"2%\", reorder = \"1%\", jitter = \"20ms\""),
        expect![[r#"
            LP0310 Lpfile.toml:2:19 `rtsp.impair.loss` is for single packets, but streams come in TCP, which loses none; set `rtsp.transport` to `udp`, or take `loss` out
            LP0310 Lpfile.toml:2:35 `rtsp.impair.reorder` is for single packets, but streams come in TCP, which loses none; set `rtsp.transport` to `udp`, or take `reorder` out
            LP0310 Lpfile.toml:2:50 `rtsp.impair.jitter` must not be above `rtsp.impair.delay`; no packet leaves before it has come; give a `delay` of at least the jitter
        "#]],
    );
    let auto = "[rtsp]\ntransport = \"auto\"\nimpair = { reorder = 0.5 }\n";
    check(
        Files::new().with("Lpfile.toml", auto),
        expect![[r#"
            LP0310 Lpfile.toml:3:22 `rtsp.impair.reorder` is for single packets, but streams may come in TCP, which loses none; set `rtsp.transport` to `udp`, or take `reorder` out
        "#]],
    );
    let cameras = CAMERAS.replace("\"fileSrc\"", "\"streamUri\": \"rtsps://h/1\", \"fileSrc\"");
    let encrypted = |keys: &str| lpfile(&format!("[rtsp]\n{keys}\n")).with(CAMERA_FILE, cameras.clone());
    check(encrypted("impair = { delay = \"5ms\", rate = \"4mbit\" }"), expect![[r#""#]]);
    check(
        encrypted("transport = \"udp\"\nimpair = { loss = \"1%\" }"),
        expect![[r#"
        LP0310 Lpfile.toml:3:19 `rtsp.impair.loss` is for single packets, but the stream of `cam1` comes in TLS, and so in TCP also configs/camera_to_workload.json:10:22; take `loss` out, or this camera; `delay`, `jitter` and `rate` are possible
    "#]],
    );
}

#[test]
fn an_impairment_is_not_rounded() {
    let of = |impair: &str| lpfile(&format!("[rtsp]\ntransport = \"udp\"\nimpair = {{ {impair} }}\n"));
    check(
        of("loss = \"0.00005%\", reorder = 0.0000015, delay = \"1500us\", jitter = \"0.5ms\""),
        expect![[r#"
            LP0204 Lpfile.toml:3:19 `rtsp.impair.loss` must be a whole number of millionths: `0.0001%` is one
            LP0204 Lpfile.toml:3:41 `rtsp.impair.reorder` must be a whole number of millionths: `0.0001%` is one
            LP0204 Lpfile.toml:3:60 `rtsp.impair.delay` must be a whole number of milliseconds
            LP0208 Lpfile.toml:3:79 `rtsp.impair.jitter` must be `0s` or at least `1ms`
        "#]],
    );
    let least = of("loss = \"0.0001%\", reorder = 0.000003, delay = \"1ms\"").load(|_| {});
    let impair = least.project.unwrap().settings.rtsp.impair.unwrap();
    assert_eq!((impair.loss_ppm, impair.reorder_ppm, impair.delay_ms), (1, 3, 1));
}

#[test]
fn a_stream_in_tls_has_the_certificates_of_its_config() {
    let cameras = CAMERAS.replace("\"fileSrc\"", "\"streamUri\": \"RTSPS://h/1\", \"fileSrc\"");
    let files = lpfile("[rtsp]\ntransport = \"udp\"\ncertificate = \"any\"\n");
    let source = |files: Files| format!("{:?}", files.load(|_| {}).project.unwrap().cameras[0].source);
    expect![[r#"Rtsp(RtspStream { uri: "RTSPS://h/1", login: None, codec: H264, latency_ms: 300, transport: Tcp, reconnect: None, certificate: Any })"#]].assert_eq(&source(files.with(CAMERA_FILE, cameras)));
    check(
        lpfile("[rtsp]\ncertificate = \"some\"\n"),
        expect![[r#"
        LP0205 Lpfile.toml:2:15 `rtsp.certificate` must be one of `trusted`, `any`
    "#]],
    );
}

#[test]
fn a_secret_parameter_of_a_stream_is_a_warning() {
    check_camera(
        "\"fileSrc\"",
        "\"streamUri\": \"rtsp://me:secret@h/1?user=me&password=secret\", \"fileSrc\"",
        expect![[r#"
            warning LP0415 configs/camera_to_workload.json:10:22 `streamUri` holds credentials in clear text; plans and launch lines contain it; if the camera takes a login, write `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`
            warning LP0415 configs/camera_to_workload.json:10:22 `streamUri` holds credentials in clear text; write `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`, and set these variables of your own for `lp run`
        "#]],
    );
    // None of these is one.
    check_camera(
        "\"fileSrc\"",
        "\"streamUri\": \"rtsp://h/1?channel=1&subtype=0&password=\", \"fileSrc\"",
        expect![[r#""#]],
    );
}

#[test]
fn a_stream_uri_has_a_scheme_that_can_be_played() {
    check_camera(
        "\"fileSrc\"",
        "\"streamUri\": \"host:8554/x\", \"fileSrc\"",
        expect![[r#"
            LP0211 configs/camera_to_workload.json:10:22 `streamUri` must be the URI of a stream or of a USB camera; write `rtsp://host:8554/path` or `v4l2:///dev/video0`
        "#]],
    );
}

#[test]
fn a_region_has_two_corners_or_a_size() {
    check_camera(
        "\"x2\": 640",
        "\"width\": 640",
        expect![[r#"
            LP0414 configs/camera_to_workload.json:12:31 `region_of_interest` has both a second corner and a size; keep `x2` and `y2`, and leave out `width` and `height`
        "#]],
    );
}
