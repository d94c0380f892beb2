//! LP04xx: the camera file, and what it names in other files.

use indoc::indoc;

use super::super::severity::Severity::{Error, Note, Warning};
use super::Part::{Cameras, Lpfile, Workloads};
use super::{Rule, wrong};

rules! {
    DUPLICATE_CAMERA = "LP0401", [Error], "two cameras have the same id, or ids with the same slug" {
        why: indoc! {"
            Labels, files and element names are made of a camera's slug: its id, in which every
            character but A to Z, a to z, 0 to 9, `_` and `-` has become `_`, and a digest follows if
            more than blanks and dots did. Two cameras with one slug would overwrite each other's
            results. With `run.count` the copies `-l2`, `-l3` and so on are taken as well.
        "},
        examples: &[wrong(&[Cameras(lane!(
            r#"{"camera_id": "till 1", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#,
            r#"{"camera_id": "till_1", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/2"}"#
        ))])
        .right(&[Cameras(lane!(
            r#"{"camera_id": "till 1", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#,
            r#"{"camera_id": "till 2", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/2"}"#
        ))])],
    }

    MISSING_SOURCE = "LP0402", [Error], "a camera has neither `fileSrc` nor a stream URI" {
        why: indoc! {"
            Frames come from a stream (`streamUri`) or from a clip (`fileSrc`). If both are there, the
            stream is played.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"]}"#))])
            .right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    BAD_FILE_SOURCE = "LP0403", [Error], "a `fileSrc` is not `name|url` or `name|scene:NAME`" {
        why: indoc! {"
            In front of the `|` stands the name that the clip gets in the folder of clips, without any
            path; behind it, where the clip comes from: an `http://` or `https://` URL, or a scene of
            `configs/scenes` that it is drawn from.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "media/scan.mp4"}"#))])
            .right(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/scan.mp4"}"#))])],
    }

    UNMAPPED_WORKLOAD = "LP0404", [Error], "a camera names a workload that no workload file maps" {
        why: indoc! {"
            Nobody says what would be done with the camera's frames. Names are compared without regard
            to case.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcode"], "streamUri": "rtsp://host:8554/1"}"#))])
            .right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    EMPTY_REGION = "LP0405", [Error], "a region is empty or inverted" {
        why: indoc! {"
            `x` and `y` are the left and the top edge, `x2` and `y2` the right and the bottom one, in
            pixels. Where `x2` is not greater than `x`, or `y2` not greater than `y`, there is nothing
            to look at. An edge of 0 is fine.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""region_of_interest": {"x": 640, "y": 0, "x2": 320, "y2": 480}"#))])
            .right(&[Cameras(camera!(r#""region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480}"#))])],
    }

    REGION_OUTSIDE = "LP0406", [Error, Warning], "a region reaches out of the frame" {
        why: indoc! {"
            The frame is `width` by `height`, 1920 by 1080 if they are not given. A region that lies
            wholly outside of it sees nothing, which is an error. Of one that reaches out a little, the
            part inside is used, with a warning. Width and height may also have been exchanged.
        "},
        examples: &[
            wrong(&[Cameras(camera!(r#""width": 640, "height": 360, "region_of_interest": {"x": 700, "y": 0, "x2": 800, "y2": 360}"#))])
                .right(&[Cameras(camera!(r#""width": 640, "height": 360, "region_of_interest": {"x": 540, "y": 0, "x2": 640, "y2": 360}"#))]),
            wrong(&[Cameras(camera!(r#""width": 640, "height": 360, "region_of_interest": {"x": 540, "y": 0, "x2": 640, "y2": 365}"#))])
                .right(&[Cameras(camera!(r#""width": 640, "height": 360, "region_of_interest": {"x": 540, "y": 0, "x2": 640, "y2": 360}"#))]),
        ],
    }

    TARGET_ABOVE_FPS = "LP0407", [Error], "`targetFps` is higher than `fps`" {
        why: indoc! {"
            A pipeline cannot hold a rate that its camera does not deliver. Without `fps` a camera has
            15 frames per second.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 15, "targetFps": 30"#))])
            .right(&[Cameras(camera!(r#""fps": 30, "targetFps": 30"#))])],
    }

    TWO_ORIGINS = "LP0408", [Error], "one file name has two different origins" {
        why: indoc! {"
            Clips lie side by side in one folder, so two cameras that name one file must mean the same.
            Give one of them another name, or both the same URL.
        "},
        examples: &[wrong(&[Cameras(lane!(
            r#"{"camera_id": "a", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/1.mp4"}"#,
            r#"{"camera_id": "b", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/2.mp4"}"#
        ))])
        .right(&[Cameras(lane!(
            r#"{"camera_id": "a", "workloads": ["barcodes"], "fileSrc": "scan-1.mp4|https://host/1.mp4"}"#,
            r#"{"camera_id": "b", "workloads": ["barcodes"], "fileSrc": "scan-2.mp4|https://host/2.mp4"}"#
        ))])],
    }

    UNUSED_SOURCE = "LP0409", [Warning], "a camera has several stream URIs, and one is not used" {
        why: indoc! {"
            `streamUri`, `stream_uri`, `rtspUri` and `rtsp_url` mean the same; the first in this order
            that is not blank is played. Keep one.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""rtsp_url": "rtsp://host:8554/2""#))])
            .right(&[Cameras(camera!(r#""_rtsp_url": "rtsp://host:8554/2""#))])],
    }

    REPEATED_WORKLOAD = "LP0410", [Warning], "a camera names a workload twice" {
        why: indoc! {"
            A workload is done once per camera, however often it is named. Names are compared without
            regard to case.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes", "Barcodes"], "streamUri": "rtsp://host:8554/1"}"#))])
            .right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    NO_SCENE = "LP0411", [Error], "a synthetic source needs a scene" {
        why: indoc! {"
            With `run.source = \"synthetic\"` clips are not played but drawn, so every camera that has
            no stream needs a scene to draw.
        "},
        examples: &[wrong(&[
            Lpfile("[run]\nsource = \"synthetic\"\n"),
            Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/scan.mp4"}"#)),
        ])
        .right(&[Lpfile("[run]\nsource = \"file\"\n")])],
    }

    TWO_VLM_CAMERAS = "LP0412", [Error], "two cameras have a `vlm` workload" {
        why: indoc! {"
            There is one service for vision language models, and it looks at one camera. Leave the
            workload with one of them.
        "},
        examples: &[wrong(&[
            Workloads(steps!(r#"{"type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "FP16", "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct"}"#)),
            Cameras(lane!(
                r#"{"camera_id": "a", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#,
                r#"{"camera_id": "b", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/2"}"#
            )),
        ])
        .right(&[Cameras(lane!(r#"{"camera_id": "a", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1"}"#))])],
    }

    OLD_CAMERA_FORM = "LP0413", [Note], "a camera is written in an older form" {
        why: indoc! {"
            Earlier versions of the format gave a region by its size and a camera a single workload.
            Both are read. `lp import --rewrite FILE` prints the file in its current form.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""region_of_interest": {"x": 320, "y": 0, "width": 320, "height": 480}"#))])
            .right(&[Cameras(camera!(r#""region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480}"#))])],
    }

    OLD_AND_NEW_FORM = "LP0414", [Error], "an older and the current form stand side by side" {
        why: indoc! {"
            They say the same in two ways, and could contradict each other. Keep the current form.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480, "width": 300}"#))])
            .right(&[Cameras(camera!(r#""region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480}"#))])],
    }

    LITERAL_CREDENTIALS = "LP0415", [Warning], "a URI has its user or password written out" {
        why: indoc! {"
            Config files are copied, checked in and shown around. For a stream, name environment
            variables of your own instead. Either way no plan, launch line or record holds the password
            of a stream, and only the program that plays it gets it; the URL of a download stands in
            records as it was written.
        "},
        examples: &[wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://admin:secret@host:8554/1"}"#))])
            .right(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://${CAM_USER}:${CAM_PASSWORD}@host:8554/1"}"#))])],
    }

    OTHER_FILE = "LP0416", [Error], "a camera file stands in the place of a workload file, or the other way round" {
        why: indoc! {"
            A camera file has a `lane_config`, a workload file a `workload_pipeline_map` or
            `workload_definitions`. Most likely the two were exchanged.
        "},
        examples: &[wrong(&[Cameras(steps!(r#"{"type": "zbar"}"#))]).right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    ODD_SIZE = "LP0417", [Error], "a clip cannot have an odd width or height" {
        why: indoc! {"
            Clips are encoded as H.264 with the colours of four pixels in one, so a frame has an even
            number of columns and of rows. Streams and USB cameras are played as they come and may
            have any size.
        "},
        examples: &[
            wrong(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/scan.mp4", "width": 853, "height": 480}"#))])
                .right(&[Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "scan.mp4|https://host/scan.mp4", "width": 854, "height": 480}"#))]),
        ],
    }
}
