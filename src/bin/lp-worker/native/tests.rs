//! Elements in pipelines, as far as they need no OpenVINO.

use std::path::Path;
use std::sync::Once;

use expect_test::{Expect, expect};
use gst::prelude::*;
use gstreamer as gst;

#[test]
fn regions_are_drawn_as_lines_in_every_format() {
    for format in ["I420", "NV12", "RGB", "BGR", "RGBx", "BGRx", "RGBA", "BGRA"] {
        // The frame's brightness at a line, inside it and beside it.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frames");
        let elements = format!(
            "videoconvert ! video/x-raw,format={format} ! gvaattachroi roi=16,12,32,36 ! gvawatermark \
             ! videoconvert ! video/x-raw,format=GRAY8 ! filesink location={} videotestsrc num-buffers=1",
            file.display()
        );
        play(&elements).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let at = |x: usize, y: usize| bytes[y * 64 + x];
        let lines = [(16, 12), (17, 20), (31, 35), (24, 13), (30, 30)];
        let rest = [(15, 12), (18, 14), (29, 33), (32, 20), (24, 36)];
        // A label without letters has the first colour, a red.
        assert!(lines.iter().all(|(x, y)| (100..150).contains(&at(*x, *y))), "{format}");
        assert!(rest.iter().all(|(x, y)| at(*x, *y) < 20), "{format}");
    }
}

/// GStreamer knows the elements.
pub(super) fn registered() {
    static REGISTERED: Once = Once::new();
    gst::init().unwrap();
    REGISTERED.call_once(|| super::register().unwrap());
}

/// Plays frames of 64x48 through these elements to the end; the error that one of them posts.
fn play(elements: &str) -> Result<(), String> {
    registered();
    let line = format!(
        "videotestsrc pattern=black num-buffers=2 ! video/x-raw,format=NV12,width=64,height=48,framerate=10/1 ! {elements} ! fakesink"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    // A failure is posted, too.
    let _ = pipeline.set_state(gst::State::Playing);
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(30), &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    match end.expect("it ends within 30 s").view() {
        gst::MessageView::Error(error) => Err(error.error().to_string()),
        _ => Ok(()),
    }
}

#[test]
fn attached_regions_are_published_as_dl_streamer_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let publish = |format: &str, elements: &str| {
        let publish = format!("gvametapublish file-format={format} file-path={}", file.display());
        play(&format!("{elements} ! gvatrack ! {publish} ! gvafpscounter")).unwrap();
        std::fs::read_to_string(&file).unwrap()
    };
    let line = expect![[r#"
        {"objects":[{"detection":{"bounding_box":{"x_max":0.5,"x_min":0.25,"y_max":0.75,"y_min":0.25}},"h":24,"region_id":0,"w":16,"x":16,"y":12}],"resolution":{"height":48,"width":64},"source":"till","timestamp":0}
        {"objects":[{"detection":{"bounding_box":{"x_max":0.5,"x_min":0.25,"y_max":0.75,"y_min":0.25}},"h":24,"region_id":0,"w":16,"x":16,"y":12}],"resolution":{"height":48,"width":64},"source":"till","timestamp":100000000}
    "#]];
    line.assert_eq(&publish("json-lines", "gvaattachroi roi=16,12,32,36 ! gvametaconvert source=till"));
    expect![[r#"
        [{"resolution":{"height":48,"width":64},"tags":{"lane":1},"timestamp":0},{"resolution":{"height":48,"width":64},"tags":{"lane":1},"timestamp":100000000}]
    "#]].assert_eq(&publish("json", "gvametaconvert add-empty-results=true tags={\\\"lane\\\":1}"));
    // Without regions, nothing is said.
    assert_eq!(publish("json-lines", "gvametaconvert"), "");
    assert_eq!(publish("json", "gvametaconvert"), "[]\n");
}

#[track_caller]
fn check(element: &str, expect: Expect) {
    let reason = play(element).expect_err("it refuses to start");
    expect.assert_eq(&reason.replace(env!("CARGO_MANIFEST_DIR"), "<here>"));
}

#[test]
fn an_element_that_is_set_wrongly_says_what_would_be_right() {
    check(
        "gvatrack tracking-type=deep-sort",
        expect![
            "`tracking-type=deep-sort` is not supported; supported: `zero-term`, `zero-term-imageless`, `short-term-imageless`"
        ],
    );
    check(
        "gvatrack config=max_num_objects=many",
        expect![
            "`config` has `max_num_objects=many`, but its parts are max_num_objects=NUMBER and tracking_per_class=true or false"
        ],
    );
    check(
        "gvaattachroi roi=32,12,16,36",
        expect!["`roi=32,12,16,36` must be x,y,x2,y2 in pixels, the upper left corner first"],
    );
    check("gvaattachroi roi=64,0,65,1", expect!["the region 64,0,65,1 is outside frames of 64x48"]);
    check(
        "gvametaconvert tags={",
        expect!["the property `tags` is no JSON: EOF while parsing an object at line 1 column 1"],
    );
    check(
        "gvametaconvert timestamp-utc=true",
        expect!["`timestamp-utc` is not supported: times are those of the stream, in nanoseconds"],
    );
    check("gvametapublish method=kafka", expect!["`method=kafka` is not supported; supported: `file`"]);
    check(
        "gvametapublish file-path=/nowhere/out",
        expect!["`/nowhere/out` cannot be written: No such file or directory (os error 2)"],
    );
    check("gvafpscounter interval=never", expect!["`interval=never` must be a number of seconds"]);
    check("gvadetect", expect!["the property `model` is not set"]);
    check(
        "gvadetect model=m.xml pre-process-backend=va",
        expect!["`pre-process-backend=va` needs DL Streamer; here are `ie` and `opencv`"],
    );
    check(
        "gvadetect model=m.xml custom-postproc-lib=x.so",
        expect!["foreign libraries are not run by `lp-worker` itself: `custom-postproc-lib`"],
    );
    check(
        "gvadetect model=m.xml openvino=/nowhere",
        expect!["the model `m.xml` cannot be read: No such file or directory (os error 2)"],
    );
    check("gvadetect model=m.tflite openvino=/nowhere", expect!["there is no OpenVINO at `/nowhere`"]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let file = file.display();
    check(
        &format!("gvaclassify model=m.tflite openvino=/nowhere model-proc={file}"),
        expect![
            "the model-proc file `<here>/Cargo.toml` has faults: is no JSON: expected value at line 1 column 2"
        ],
    );
}
