//! Camera files.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, check, check_camera, lpfile};

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
                r#"Rtsp(RtspStream { uri: "rtsp://host:8554/a", login: None, codec: H264, latency_ms: 300 })"#
            ]],
        ),
        ("v4l2:///dev/video0", expect![[r#"Usb { device: "/dev/video0" }"#]]),
        (
            "'rtsps://host/a'",
            expect![[
                r#"Rtsp(RtspStream { uri: "rtsps://host/a", login: None, codec: H264, latency_ms: 300 })"#
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
    expect![[
        r#"Rtsp(RtspStream { uri: "rtsp://rtsp-streamer:8554/cam/1", login: None, codec: H264, latency_ms: 300 })"#
    ]]
    .assert_eq(&source(&files));
    let files = files.with("Lpfile.toml", "[rtsp]\nhost = \"nvr\"\nport = 554\n");
    expect![[
        r#"Rtsp(RtspStream { uri: "rtsp://nvr:554/cam/1", login: None, codec: H264, latency_ms: 300 })"#
    ]]
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
