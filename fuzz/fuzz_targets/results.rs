//! Folders of results of other programs: no bytes make their reader panic, what they give has figures and pages, none
//! of it holds, and how files come in pieces changes nothing. `@@` and a letter begin the file of this letter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lp::record::measure::{Verdict, measure};
use lp::record::upstream_results::{Folder, LaneCamera, LanePipeline};
use lp::report::{self, Report, grid::Paper};
use lp::time::Utc;

const NAMES: [&str; 14] = [
    "pipeline_stream0_20260820115951123456_gst0.log",
    "pipeline_stream1_20260820115951123456_gst0.log",
    "pipeline_stream2_20260820115951123456_gst0.log",
    "pipeline_stream0_20260820125951123456_gst1.log",
    "gst-launch_20260820115951123456_gst0.log",
    "pipeline_streams.json",
    "metrics.csv",
    "windows_metrics.json",
    "cpu_usage.log",
    "memory_usage.log",
    "disk_bandwidth.log",
    "pcm.csv",
    "npu_usage.csv",
    "pipeline.sh",
];

fuzz_target!(|bytes: &[u8]| {
    let [pieces, rest @ ..] = bytes else { return };
    let read = |length: usize| {
        let pipeline = || LanePipeline { workloads: vec!["w".to_owned()], detectors: 1 };
        let camera = |name: &str, n: usize| LaneCamera {
            name: name.to_owned(),
            target_fps: 15.0,
            is_skipped: n == 0,
            pipelines: (0..n).map(|_| pipeline()).collect(),
        };
        let cameras = vec![camera("cam1", 1), camera("cam2", 0), camera("cam3", 2)];
        let mut folder = Folder::new(
            "results",
            (*pieces > 127).then_some(cameras),
            Utc::from_unix_millis(1_787_227_400_000),
        );
        for part in split(rest) {
            let [letter, text @ ..] = part else { continue };
            let name = NAMES[usize::from(letter.wrapping_sub(b'a')) % NAMES.len()];
            let Some(mut reader) = folder.open(name) else { continue };
            text.chunks(length).for_each(|piece| reader.push(piece));
            folder.add(reader);
        }
        let (runs, not_read) = folder.runs();
        (runs.into_iter().map(|run| run.record).collect::<Vec<_>>(), not_read)
    };
    let (records, not_read) = read(usize::from(*pieces) + 1);
    assert_eq!((&records, &not_read), (&read(usize::MAX).0, &not_read));
    for record in &records {
        let measurement = measure(record);
        for stream in measurement.cameras.iter().flat_map(|camera| &camera.streams) {
            assert!(stream.fps.is_none_or(|fps| fps.is_finite() && fps >= 0.0));
            assert!(!matches!(stream.verdict, Verdict::Holds | Verdict::Decodes));
        }
        let shown = Report { run: "r", record, measurement: &measurement };
        let texts = [report::table(&shown, Paper::PLAIN), report::metrics(&shown), report::csv(&shown)];
        assert!(texts.iter().all(|text| !text.contains('\u{1b}')));
        report::html(&shown, None);
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(*record, serde_json::from_str(&text).unwrap());
    }
});

/// The parts that `@@` begins.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"@@") {
        parts.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    parts.push(rest);
    parts
}
