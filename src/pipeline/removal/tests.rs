//! Launch lines of pipelines with and without a part of their work.

use expect_test::{Expect, expect};

use super::*;
use crate::dialect::share::pipelines;
use crate::model::Pace;
use crate::path::Layout;
use crate::pipeline::launch;
use crate::plan::CameraPlan;
use crate::plan::share::shared;

const FRAMES: Frames = Frames { width: 640, height: 360, fps: 15.0 };

/// The specs of a camera with a clip, with steps of each pipeline as JSON.
fn specs(dialect: &str, rest: &str, steps: &[&str]) -> Vec<(PipelineSpec, Vec<usize>)> {
    let pipelines_json: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(n, steps)| format!(r#"{{"index": {}, "workloads": ["w{n}"], "steps": [{steps}]}}"#, n + 1))
        .collect();
    let text = format!(
        r#"{{"version": 1, "camera": "c", "slug": "c",
            "source": {{"kind": "file", "clip": "media/a.mp4", "codec": "h264"}},
            "width": 640, "height": 360, "fps": 15.0, "target_fps": 15.0, "dialect": "{dialect}",
            "workloads": [], "apart": [], "assets": [], {rest} "pipelines": [{}]}}"#,
        pipelines_json.join(",")
    );
    let mut plan: CameraPlan = serde_json::from_str(&text).unwrap();
    plan.shared = shared(&plan.pipelines);
    let split = |played: crate::dialect::share::PlayedPipeline| {
        (played.spec, played.streams.into_iter().map(|(_, sink)| sink).collect())
    };
    pipelines(&plan, Pace::Live).into_iter().map(split).collect()
}

/// The launch line from the decoder on, a branch in each line.
fn line(spec: &PipelineSpec) -> String {
    let line = launch::line(spec, &Layout::new("/p".into()));
    let (_, after) = line.split_once("c_1_clocksync ! ").unwrap();
    let tees = spec.elements.iter().filter(|element| element.factory == "tee");
    let mut text = after.to_owned();
    for name in tees.filter_map(|tee| tee.name.as_ref()) {
        text = text.replace(&format!(" {name}. "), &format!("\n    {name}. "));
    }
    text
}

/// The only pipeline of these steps without each of these.
#[track_caller]
fn check(steps: &[&str], removals: &[Removal], expect: Expect) {
    check_of(&specs("stock", "", steps)[0], removals, expect);
}

#[track_caller]
fn check_of((spec, sinks): &(PipelineSpec, Vec<usize>), removals: &[Removal], expect: Expect) {
    let mut text = format!("{}\n", line(spec));
    for removal in removals {
        text += &format!("- {removal:?}\n");
        match without(spec, sinks, removal, FRAMES) {
            None => text += "does not apply\n",
            Some((changed, places)) => {
                assert_eq!(changed.fault(), None, "{removal:?}");
                for (before, after) in sinks.iter().zip(&places) {
                    assert_eq!(spec.elements[*before].name, changed.elements[*after].name, "{removal:?}");
                    assert!(is_sink(&changed.elements[*after].factory), "{removal:?}");
                }
                assert_eq!(changed.sink, places[0], "{removal:?}");
                let of =
                    |spec: &PipelineSpec, at: Option<usize>| at.map(|at| spec.elements[at].factory.clone());
                assert_eq!(of(spec, spec.decoder), of(&changed, changed.decoder), "{removal:?}");
                assert_eq!(of(spec, spec.ingress), of(&changed, changed.ingress), "{removal:?}");
                assert_eq!(of(spec, spec.delivery), of(&changed, changed.delivery), "{removal:?}");
                text += &format!("{}\n", line(&changed));
            }
        }
    }
    expect.assert_eq(&text);
}

fn step(factory: &str) -> Removal {
    Removal::Step(factory.to_owned())
}

const MOTION: &str = r#"{"type": "motioncells"}"#;
const CODES: &str = r#"{"type": "zbar"}"#;

#[test]
fn a_step_goes_with_its_converter() {
    check(
        &[&format!("{MOTION}, {CODES}")],
        &[
            step("motioncells"),
            step("zbar"),
            step("videoanalyse"),
            step("queue"),
            step("fakesink"),
            step("videoconvert"),
        ],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            - Step("motioncells")
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            - Step("zbar")
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! fakesink name=c_1_sink sync=false async=true
            - Step("videoanalyse")
            does not apply
            - Step("queue")
            does not apply
            - Step("fakesink")
            does not apply
            - Step("videoconvert")
            does not apply
        "#]],
    );
}

#[test]
fn only_source_and_decoder_stay() {
    check(
        &[&format!(
            r#"{MOTION}, {{"type": "tee", "name": "t"}}, {CODES}, {{"from": "t", "type": "x264enc"}}"#
        )],
        &[Removal::Steps],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! zbar name=c_1_3_zbar ! fakesink name=c_1_sink sync=false async=true
                c_1_2_tee. ! queue name=c_1_4_branch max-size-buffers=3 ! videoconvert ! x264enc name=c_1_4_x264enc ! fakesink name=c_1_4_end sync=false async=false
            - Steps
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! fakesink name=c_1_sink sync=false async=true
        "#]],
    );
}

#[test]
fn every_stream_of_a_shared_pipeline_keeps_its_sink() {
    let shared = [&*format!("{MOTION}, {CODES}"), &*format!(r#"{MOTION}, {{"type": "videoanalyse"}}"#)];
    check(
        &shared,
        &[Removal::Steps, step("motioncells"), step("zbar"), Removal::HalfRate],
        expect![[r#"
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            c_1_1_shared. ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=true
        - Steps
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! fakesink name=c_1_sink sync=false async=true
            c_1_1_shared. ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! fakesink name=c_2_sink sync=false async=true
        - Step("motioncells")
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            c_1_1_shared. ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=true
        - Step("zbar")
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! fakesink name=c_1_sink sync=false async=true
            c_1_1_shared. ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=true
        - HalfRate
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videorate name=half-rate drop-only=true ! 'video/x-raw(ANY),framerate=[1/1000,7500/1000]' ! videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            c_1_1_shared. ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=true
    "#]],
    );
}

#[test]
fn frames_are_thinned_and_scaled_after_the_decoder() {
    check(
        &[MOTION],
        &[Removal::HalfRate, Removal::SmallerFrames],
        expect![[r#"
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells ! fakesink name=c_1_sink sync=false async=true
        - HalfRate
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videorate name=half-rate drop-only=true ! 'video/x-raw(ANY),framerate=[1/1000,7500/1000]' ! videoconvert ! motioncells name=c_1_1_motioncells ! fakesink name=c_1_sink sync=false async=true
        - SmallerFrames
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoscale name=smaller-frames ! video/x-raw,width=320,height=180 ! videoconvert ! motioncells name=c_1_1_motioncells ! fakesink name=c_1_sink sync=false async=true
    "#]],
    );
    check(
        &[r#"{"type": "motioncells", "properties": {"motionmaskcoords": "0:0:9:9"}}"#],
        &[Removal::SmallerFrames],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=c_1_1_motioncells motionmaskcoords=0:0:9:9 ! fakesink name=c_1_sink sync=false async=true
            - SmallerFrames
            does not apply
        "#]],
    );
    check(
        &[r#"{"type": "videoscale", "caps": "video/x-raw,width=320"}"#],
        &[Removal::SmallerFrames],
        expect![[r#"
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! videoscale name=c_1_1_videoscale ! video/x-raw,width=320 ! fakesink name=c_1_sink sync=false async=true
        - SmallerFrames
        does not apply
    "#]],
    );
}

#[test]
fn an_encoder_goes_with_all_that_it_feeds() {
    check(
        &[r#"{"type": "zbar"}, {"type": "tee", "name": "t"}, {"type": "motioncells"},
            {"from": "t", "type": "queue"}, {"type": "x264enc", "caps": "video/x-h264,profile=main"},
            {"type": "tee", "name": "u"}, {"type": "mp4mux"},
            {"type": "filesink", "properties": {"location": "a.mp4"}}, {"from": "u", "type": "h264parse"}"#],
        &[step("x264enc"), step("mp4mux"), step("h264parse"), Removal::Sinks],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_1_zbar ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! motioncells name=c_1_3_motioncells ! fakesink name=c_1_sink sync=false async=true
                c_1_2_tee. ! queue name=c_1_4_queue ! videoconvert ! x264enc name=c_1_5_x264enc ! video/x-h264,profile=main ! tee name=c_1_6_tee ! queue name=c_1_6_queue max-size-buffers=3 ! mp4mux name=c_1_7_mp4mux ! filesink name=c_1_8_filesink location=results/files/c/1/a.mp4
                c_1_6_tee. ! queue name=c_1_9_branch max-size-buffers=3 ! h264parse name=c_1_9_h264parse ! fakesink name=c_1_9_end sync=false async=false
            - Step("x264enc")
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_1_zbar ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! motioncells name=c_1_3_motioncells ! fakesink name=c_1_sink sync=false async=true
                c_1_2_tee. ! queue name=c_1_4_queue ! tee name=c_1_6_tee ! queue name=c_1_6_queue max-size-buffers=3 ! fakesink name=c_1_8_filesink sync=false async=false
                c_1_6_tee. ! queue name=c_1_9_branch max-size-buffers=3 ! fakesink name=c_1_9_end sync=false async=false
            - Step("mp4mux")
            does not apply
            - Step("h264parse")
            does not apply
            - Sinks
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_1_zbar ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! motioncells name=c_1_3_motioncells ! fakesink name=c_1_sink sync=false async=true
                c_1_2_tee. ! queue name=c_1_4_queue ! videoconvert ! x264enc name=c_1_5_x264enc ! video/x-h264,profile=main ! tee name=c_1_6_tee ! queue name=c_1_6_queue max-size-buffers=3 ! mp4mux name=c_1_7_mp4mux ! fakesink name=c_1_8_filesink sync=false async=false
                c_1_6_tee. ! queue name=c_1_9_branch max-size-buffers=3 ! h264parse name=c_1_9_h264parse ! fakesink name=c_1_9_end sync=false async=false
        "#]],
    );
    check(
        &[r#"{"type": "x264enc"}, {"type": "h264parse"}, {"type": "avdec_h264"}, {"type": "zbar"}"#],
        &[step("x264enc"), step("avdec_h264"), Removal::Sinks],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! x264enc name=c_1_1_x264enc ! h264parse name=c_1_2_h264parse ! avdec_h264 name=c_1_3_avdec_h264 ! videoconvert ! zbar name=c_1_4_zbar ! fakesink name=c_1_sink sync=false async=true
            - Step("x264enc")
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_4_zbar ! fakesink name=c_1_sink sync=false async=true
            - Step("avdec_h264")
            does not apply
            - Sinks
            does not apply
        "#]],
    );
}

#[test]
fn a_converter_goes_with_its_caps_unless_others_rely_on_it() {
    check(
        &[r#"{"type": "videoscale", "caps": "video/x-raw,width=320"}, {"type": "zbar"}"#],
        &[step("videoscale")],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! videoscale name=c_1_1_videoscale ! video/x-raw,width=320 ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            - Step("videoscale")
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
        "#]],
    );
    check(
        &[
            r#"{"type": "videoscale"}, {"type": "zbar"}, {"type": "capsfilter", "caps": "video/x-raw,width=320"}"#,
        ],
        &[step("videoscale")],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! videoscale name=c_1_1_videoscale ! videoconvert ! zbar name=c_1_2_zbar ! capsfilter name=c_1_3_capsfilter caps=video/x-raw,width=320 ! fakesink name=c_1_sink sync=false async=true
            - Step("videoscale")
            does not apply
        "#]],
    );
}

#[test]
fn decoders_and_queues_get_other_limits() {
    check(
        &[
            r#"{"type": "queue", "properties": {"max-size-buffers": 1, "leaky": "downstream"}}, {"type": "zbar"}"#,
        ],
        &[Removal::DecoderThreads, Removal::QueueLimits],
        expect![[r#"
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! queue name=c_1_1_queue leaky=downstream max-size-buffers=1 ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            - DecoderThreads
            avdec_h264 max-threads=0 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! queue name=c_1_1_queue leaky=downstream max-size-buffers=1 ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
            - QueueLimits
            avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=32 leaky=downstream max-size-bytes=0 max-size-time=0 ! queue name=c_1_1_queue leaky=downstream max-size-buffers=32 max-size-bytes=0 max-size-time=0 ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=true
        "#]],
    );
}

const DETECTION: &str = r#"
    {"type": "gvadetect", "model": "yolo11n", "precision": "FP16", "device": "CPU", "batch_size": 1,
     "inference_interval": 3, "threshold": 0.5},
    {"type": "gvaclassify", "model": "efficientnet-b0", "precision": "INT8", "device": "CPU", "batch_size": 1}"#;

#[test]
fn models_go_with_what_tracks_their_objects() {
    let specs = specs("dlstreamer", "", &[DETECTION]);
    check_of(
        &specs[0],
        &[
            Removal::Steps,
            Removal::Inference,
            step("gvadetect"),
            step("gvaclassify"),
            step("gvatrack"),
            Removal::Sinks,
            Removal::Device("GPU".to_owned()),
            Removal::Device("CPU".to_owned()),
        ],
        expect![[r#"
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvadetect model-instance-id=yolo11n-332361ce threshold=0.5 name=c_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/FP16/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvaclassify model-instance-id=efficientnet-b0-64c6e7db batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/INT8/efficientnet-b0.xml device=CPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json pre-process-backend=opencv ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Steps
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fakesink sync=false async=true
            - Inference
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Step("gvadetect")
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvaclassify model-instance-id=efficientnet-b0-64c6e7db batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/INT8/efficientnet-b0.xml device=CPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json pre-process-backend=opencv ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Step("gvaclassify")
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvadetect model-instance-id=yolo11n-332361ce threshold=0.5 name=c_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/FP16/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Step("gvatrack")
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvadetect model-instance-id=yolo11n-332361ce threshold=0.5 name=c_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/FP16/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvaclassify model-instance-id=efficientnet-b0-64c6e7db batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/INT8/efficientnet-b0.xml device=CPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json pre-process-backend=opencv ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Sinks
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvadetect model-instance-id=yolo11n-332361ce threshold=0.5 name=c_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/FP16/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvaclassify model-instance-id=efficientnet-b0-64c6e7db batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/INT8/efficientnet-b0.xml device=CPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json pre-process-backend=opencv ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fakesink sync=false async=true
            - Device("GPU")
            decodebin3 ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvadetect model-instance-id=yolo11n-332361ce-GPU threshold=0.5 name=c_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/FP16/yolo11n.xml device=GPU pre-process-config=resize_type=standard ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! gvaclassify model-instance-id=efficientnet-b0-64c6e7db-GPU batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/INT8/efficientnet-b0.xml device=GPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-c_1.jsonl ! gvafpscounter name=c_1_fps ! queue max-size-buffers=3 max-size-time=100000000 leaky=downstream ! fpsdisplaysink video-sink=fakesink signal-fps-measurements=true
            - Device("CPU")
            does not apply
        "#]],
    );
}

#[test]
fn a_region_is_not_scaled() {
    let region = r#""region_of_interest": {"x": 10, "y": 20, "x2": 300, "y2": 200},"#;
    check_of(
        &specs("stock", region, &[CODES])[0],
        &[Removal::SmallerFrames, Removal::Steps, step("videocrop")],
        expect![[r#"
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videocrop left=10 top=20 right=340 bottom=160 ! videoconvert ! zbar name=c_1_1_zbar ! fakesink name=c_1_sink sync=false async=true
        - SmallerFrames
        does not apply
        - Steps
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! fakesink name=c_1_sink sync=false async=true
        - Step("videocrop")
        avdec_h264 max-threads=1 ! queue name=c_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_1_zbar ! fakesink name=c_1_sink sync=false async=true
    "#]],
    );
}

#[test]
fn how_a_load_is_played_changes_no_spec() {
    for removal in [Removal::Nothing, Removal::SharedWorker, Removal::Binding] {
        let (spec, sinks) = &specs("stock", "", &[CODES])[0];
        assert_eq!(without(spec, sinks, &removal, FRAMES), Some((spec.clone(), sinks.clone())));
    }
}

#[test]
fn steps_are_listed_in_their_order() {
    let of = |dialect, steps: &str| {
        let (spec, sinks) = specs(dialect, "", &[steps]).remove(0);
        step_factories(&spec, &sinks)
    };
    let steps =
        format!(r#"{{"type": "queue"}}, {CODES}, {MOTION}, {{"type": "x264enc"}}, {{"type": "h264parse"}}"#);
    assert_eq!(of("stock", &steps), ["zbar", "motioncells", "x264enc"]);
    assert_eq!(of("dlstreamer", DETECTION), ["gvadetect", "gvatrack", "gvaclassify"]);
    assert_eq!(of("stock", ""), Vec::<String>::new());
}
