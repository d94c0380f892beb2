//! Camera files.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, check, check_camera, check_lpfile, shown};

#[test]
fn cameras_have_unique_ids_and_slugs() {
    let camera = |id: &str| {
        format!("{{ \"camera_id\": \"{id}\", \"streamUri\": \"rtsp://h/a\", \"workloads\": [\"barcodes\"] }}")
    };
    let cameras = |ids: &[&str]| {
        let cameras: Vec<String> = ids.iter().map(|id| camera(id)).collect();
        format!("{{ \"lane_config\": {{ \"cameras\": [\n{}\n] }} }}", cameras.join(",\n"))
    };
    check(
        Files::new().with(CAMERA_FILE, cameras(&["a 1", "a_1", "b", "b"])),
        expect![[r#"
        error[LP0401]: `a 1` and `a_1` are both `a_1` in labels and files
         --> configs/camera_to_workload.json:3:16
          |
        2 | { "camera_id": "a 1", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
          |                ----- first here
        3 | { "camera_id": "a_1", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
          |                ^^^^^ again here

        error[LP0401]: two cameras are called `b`
         --> configs/camera_to_workload.json:5:16
          |
        4 | { "camera_id": "b", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
          |                --- first here
        5 | { "camera_id": "b", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] }
          |                ^^^ again here

    "#]],
    );
    check(
        Files::new().with(CAMERA_FILE, cameras(&["lane", "set-9f2c41"])),
        expect![[r#"
        error[LP0302]: `lane` cannot be the name of a camera
         --> configs/camera_to_workload.json:2:16
          |
        2 | { "camera_id": "lane", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
          |                ^^^^^^ labels use `lane` themselves

        error[LP0302]: `set-9f2c41` cannot be the name of a camera
         --> configs/camera_to_workload.json:3:16
          |
        3 | { "camera_id": "set-9f2c41", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] }
          |                ^^^^^^^^^^^^ labels use `set-9f2c41` themselves

    "#]],
    );
    check(
        Files::new()
            .with(CAMERA_FILE, cameras(&["a", "a-l2"]))
            .with("Lpfile.toml", "[run]\ncount = 2\n[[task]]\nname = \"a\"\ncommand = [\"x\"]\n"),
        expect![[r#"
            error[LP0301]: a camera and a task are both called `a`
             --> Lpfile.toml:4:8
              |
            4 | name = "a"
              |        ^^^ again here
              |
             ::: configs/camera_to_workload.json:2:16
              |
            2 | { "camera_id": "a", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
              |                --- first here

            error[LP0401]: the camera `a-l2` is called like copy 2 of the camera `a`
             --> configs/camera_to_workload.json:3:16
              |
            2 | { "camera_id": "a", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
              |                --- its copies are `a-l2` and so on, since `run.count` is 2
            3 | { "camera_id": "a-l2", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] }
              |                ^^^^^^

        "#]],
    );
}

#[test]
fn a_camera_needs_a_source() {
    check_camera(
        "\"fileSrc\": \"scan.mp4|https://media.example/scan.mp4\",",
        "",
        expect![[r#"
        error[LP0402]: the camera has no source
         --> configs/camera_to_workload.json:5:7
          |
        5 |       {
          |       ^ in this camera
          |
          = help: give it a `fileSrc` (`name|url`) or a `streamUri` (`rtsp://host:8554/path`)

    "#]],
    );
    check_camera(
        "scan.mp4|https://media.example/scan.mp4",
        "media/scan.mp4",
        expect![[r#"
            error[LP0403]: `fileSrc` must be a file name and its origin, parted by `|`
              --> configs/camera_to_workload.json:10:20
               |
            10 |         "fileSrc": "media/scan.mp4",
               |                    ^^^^^^^^^^^^^^^^ there is no `|`
               |
               = help: write `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`

        "#]],
    );
    check_camera(
        "scan.mp4|https://media.example",
        "../scan.mp4|https://media.example",
        expect![[r#"
            error[LP0403]: `fileSrc` must be a file name and its origin, parted by `|`
              --> configs/camera_to_workload.json:10:20
               |
            10 |         "fileSrc": "../scan.mp4|https://media.example/scan.mp4",
               |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `../scan.mp4` is no plain file name
               |
               = help: write `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`

        "#]],
    );
    check_camera(
        "https://media.example/scan.mp4",
        "ftp://media.example/scan.mp4",
        expect![[r#"
            error[LP0403]: `fileSrc` must be a file name and its origin, parted by `|`
              --> configs/camera_to_workload.json:10:20
               |
            10 |         "fileSrc": "scan.mp4|ftp://media.example/scan.mp4",
               |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ only `http` and `https` can be fetched, not `ftp`
               |
               = help: write `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`

        "#]],
    );
    check_camera(
        "\"fileSrc\"",
        "\"rtsp_url\": \"cam:1\", \"fileSrc\"",
        expect![[r#"
            error[LP0211]: `rtsp_url` must be the URI of a stream or of a USB camera
              --> configs/camera_to_workload.json:10:21
               |
            10 |         "rtsp_url": "cam:1", "fileSrc": "scan.mp4|https://media.example/scan.mp4",
               |                     ^^^^^^^ found the text `cam:1`
               |
               = help: write `rtsp://host:8554/path` or `v4l2:///dev/video0`

        "#]],
    );
    check_camera(
        "\"fileSrc\"",
        "\"rtsp_url\": \"rtsp://h/1\", \"stream_uri\": \"rtsp://h/2\", \"streamUri\": \" \", \"fileSrc\"",
        expect![[r#"
            warning[LP0409]: `rtsp_url` is not used, because `stream_uri` comes before it
              --> configs/camera_to_workload.json:10:9
               |
            10 |         "rtsp_url": "rtsp://h/1", "stream_uri": "rtsp://h/2", "streamUri": " ", "fileSrc": "scan.mp4|https://media.example/scan.mp4",
               |         ^^^^^^^^^^ ignored

        "#]],
    );
}

#[test]
fn streams_win_over_files_and_devices_are_sources() {
    for (uri, expected) in [
        (
            "rtsp://host:8554/a",
            expect![[r#"Rtsp { uri: "rtsp://host:8554/a", login: None, codec: H264, latency_ms: 300 }"#]],
        ),
        ("v4l2:///dev/video0", expect![[r#"Usb { device: "/dev/video0" }"#]]),
        (
            "'rtsps://host/a'",
            expect![[r#"Rtsp { uri: "rtsps://host/a", login: None, codec: H264, latency_ms: 300 }"#]],
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
        r#"Rtsp { uri: "rtsp://rtsp-streamer:8554/cam/1", login: None, codec: H264, latency_ms: 300 }"#
    ]]
    .assert_eq(&source(&files));
    let files = files.with("Lpfile.toml", "[rtsp]\nhost = \"nvr\"\nport = 554\n");
    expect![[r#"Rtsp { uri: "rtsp://nvr:554/cam/1", login: None, codec: H264, latency_ms: 300 }"#]]
        .assert_eq(&source(&files));
    check_lpfile(
        "[rtsp]\nhost = \"nvr/x\"\nport = 0\n",
        expect![[r#"
        error[LP0211]: `rtsp.host` must be the name of a host
         --> Lpfile.toml:2:8
          |
        2 | host = "nvr/x"
          |        ^^^^^^^ found the text `nvr/x`

        error[LP0204]: `rtsp.port` must be a whole number from 1 to 65535
         --> Lpfile.toml:3:8
          |
        3 | port = 0
          |        ^ found 0

    "#]],
    );
}

#[test]
fn stream_uris_are_ones_that_can_be_played() {
    for uri in ["rtsp://", "rtsp://h:99999/x", "http://h/x", "host:8554/x", "/dev/video0", "rtsp://h/a b"] {
        let cameras = CAMERAS.replace("\"fileSrc\"", &format!("\"streamUri\": \"{uri}\", \"fileSrc\""));
        let loaded = Files::new().with(CAMERA_FILE, cameras).load(|_| {});
        assert!(shown(&loaded).contains("error[LP0211]"), "{uri}: {}", shown(&loaded));
    }
    check_camera(
        "\"fileSrc\"",
        "\"streamUri\": \"/dev/video0\", \"fileSrc\"",
        expect![[r#"
        error[LP0211]: `streamUri` must be the URI of a stream or of a USB camera
          --> configs/camera_to_workload.json:10:22
           |
        10 |         "streamUri": "/dev/video0", "fileSrc": "scan.mp4|https://media.example/scan.mp4",
           |                      ^^^^^^^^^^^^^ found the text `/dev/video0`
           |
           = help: write `v4l2:///dev/video0`

    "#]],
    );
    check_camera(
        "\"fileSrc\"",
        "\"streamUri\": \"rtsp://me:secret@h/1\", \"fileSrc\"",
        expect![[r#"
            warning[LP0415]: `streamUri` holds credentials in clear text
              --> configs/camera_to_workload.json:10:22
               |
            10 |         "streamUri": "rtsp://me:******@h/1", "fileSrc": "scan.mp4|https://media.example/scan.mp4",
               |                      ^^^^^^^^^^^^^^^^^^^^^^ the part before `@`
               |
               = help: write `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`, and set these variables of your own for `lp run`

        "#]],
    );
}

#[test]
fn older_forms_of_cameras_are_noted() {
    check_camera(
        "[\"Barcodes\"]",
        "\"Barcodes\"",
        expect![[r#"
        note[LP0413]: `workloads` is a single text, which is an older form
          --> configs/camera_to_workload.json:11:22
           |
        11 |         "workloads": "Barcodes",
           |                      ^^^^^^^^^^
           |
           = help: write ["Barcodes"]

    "#]],
    );
    check_camera(
        "\"x2\": 640, \"y2\": 720",
        "\"width\": 640, \"height\": 720",
        expect![[r#"
        note[LP0413]: `region_of_interest` gives a size, which is an older form
          --> configs/camera_to_workload.json:12:31
           |
        12 |         "region_of_interest": { "x": 0, "y": 0, "width": 640, "height": 720 }
           |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: write { "x": 0, "y": 0, "x2": 640, "y2": 720 }

    "#]],
    );
    check_camera(
        "\"x2\": 640, \"y2\": 720",
        "\"width\": 640, \"height\": 720, \"x2\": 640",
        expect![[r#"
        error[LP0414]: `region_of_interest` has both a second corner and a size
          --> configs/camera_to_workload.json:12:31
           |
        12 |         "region_of_interest": { "x": 0, "y": 0, "width": 640, "height": 720, "x2": 640 }
           |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: keep `x2` and `y2`, and leave out `width` and `height`

    "#]],
    );
}

#[test]
fn numbers_of_a_camera_are_sane() {
    check_camera(
        "\"fps\": 15",
        "\"fps\": 1001",
        expect![[r#"
            error[LP0204]: `fps` must be a number above 0.01 and up to 1000
             --> configs/camera_to_workload.json:7:16
              |
            7 |         "fps": 1001,
              |                ^^^^ found 1001

        "#]],
    );
    check_camera(
        "\"fps\": 15",
        "\"fps\": \"15\"",
        expect![[r#"
            error[LP0203]: `fps` must be a number above 0.01 and up to 1000
             --> configs/camera_to_workload.json:7:16
              |
            7 |         "fps": "15",
              |                ^^^^ found the text `15`

        "#]],
    );
    check_camera(
        "\"fps\": 15",
        "\"fps\": 15, \"targetFps\": 15.5",
        expect![[r#"
        error[LP0407]: `targetFps` is 15.5, but the camera has 15 frames per second
         --> configs/camera_to_workload.json:7:33
          |
        7 |         "fps": 15, "targetFps": 15.5,
          |                --               ^^^^
          |                |
          |                the camera's rate

    "#]],
    );
    check_camera(
        "\"width\": 1280",
        "\"width\": 8",
        expect![[r#"
        error[LP0204]: `width` must be a whole number from 16 to 16384
         --> configs/camera_to_workload.json:8:18
          |
        8 |         "width": 8,
          |                  ^ found 8

    "#]],
    );
    check_camera(
        "\"height\": 720",
        "\"height\": 720.5",
        expect![[r#"
        error[LP0203]: `height` must be a whole number from 16 to 16384
         --> configs/camera_to_workload.json:9:19
          |
        9 |         "height": 720.5,
          |                   ^^^^^ found 720.5

    "#]],
    );
}

#[test]
fn a_region_lies_inside_its_frame() {
    check_camera(
        "\"x2\": 640",
        "\"x2\": 0",
        expect![[r#"
            error[LP0405]: the region is empty: `x` must be less than `x2`
              --> configs/camera_to_workload.json:12:55
               |
            12 |         "region_of_interest": { "x": 0, "y": 0, "x2": 0, "y2": 720 }
               |                                      - begins at 0    ^ ends at 0

        "#]],
    );
    check_camera(
        "\"y2\": 720",
        "\"y2\": 725",
        expect![[r#"
            warning[LP0406]: the region reaches out of the frame
              --> configs/camera_to_workload.json:12:66
               |
            12 |         "region_of_interest": { "x": 0, "y": 0, "x2": 640, "y2": 725 }
               |                                                                  ^^^ the frame's height is 720; nothing is seen outside

        "#]],
    );
    check_camera(
        "\"x\": 0, \"y\": 0, \"x2\": 640",
        "\"x\": 1280, \"y\": 0, \"x2\": 1290",
        expect![[r#"
            error[LP0406]: the region is outside the frame
              --> configs/camera_to_workload.json:12:38
               |
            12 |         "region_of_interest": { "x": 1280, "y": 0, "x2": 1290, "y2": 720 }
               |                                      ^^^^ begins at 1280, but the frame's width is 1280

        "#]],
    );
    check_camera(
        "\"x2\": 640",
        "\"width\": 640",
        expect![[r#"
            error[LP0414]: `region_of_interest` has both a second corner and a size
              --> configs/camera_to_workload.json:12:31
               |
            12 |         "region_of_interest": { "x": 0, "y": 0, "width": 640, "y2": 720 }
               |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = help: keep `x2` and `y2`, and leave out `width` and `height`

        "#]],
    );
    check_camera(
        "\"x\": 0",
        "\"x\": -1",
        expect![[r#"
        error[LP0204]: `region_of_interest.x` must be a whole number from 0 to 1000000
          --> configs/camera_to_workload.json:12:38
           |
        12 |         "region_of_interest": { "x": -1, "y": 0, "x2": 640, "y2": 720 }
           |                                      ^^ found -1

    "#]],
    );
    check_camera(
        "\"x\": 0",
        "\"x\": 0.1",
        expect![[r#"
        error[LP0203]: `region_of_interest.x` must be a whole number from 0 to 1000000
          --> configs/camera_to_workload.json:12:38
           |
        12 |         "region_of_interest": { "x": 0.1, "y": 0, "x2": 640, "y2": 720 }
           |                                      ^^^ found 0.1

    "#]],
    );
}

#[test]
fn one_file_has_one_origin() {
    let second = r#"{ "camera_id": "cam2", "fileSrc": "scan.mp4|https://other.example/scan.mp4",
        "workloads": ["barcodes"] },
      {
        "camera_id": "cam1","#;
    check_camera(
        "{\n        \"camera_id\": \"cam1\",",
        second,
        expect![[r#"
        error[LP0408]: `scan.mp4` has two different origins
          --> configs/camera_to_workload.json:12:20
           |
         5 |       { "camera_id": "cam2", "fileSrc": "scan.mp4|https://other.example/scan.mp4",
           |                                         ----------------------------------------- one here
        ...
        12 |         "fileSrc": "scan.mp4|https://media.example/scan.mp4",
           |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ another one here
           |
           = help: give one of the files another name

    "#]],
    );
}

#[test]
fn a_synthetic_source_needs_a_scene() {
    check_lpfile(
        "[run]\nsource = \"synthetic\"\n",
        expect![[r#"
        error[LP0411]: `run.source` is `synthetic`, but this clip is drawn from no scene
          --> configs/camera_to_workload.json:10:20
           |
        10 |         "fileSrc": "scan.mp4|https://media.example/scan.mp4",
           |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: write `scan.mp4|scene:NAME`, or leave `run.source` at `file`

    "#]],
    );
}
