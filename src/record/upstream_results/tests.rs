//! Folders as a whole: from files to records and their figures.

use expect_test::expect;

use super::*;
use crate::record::measure::{Verdict, measure};

fn newest() -> Utc {
    Utc::from_unix_millis(1_787_227_400_000)
}

fn read(files: &[(&str, String)], pieces: usize) -> (Vec<ImportedRun>, Vec<NotRead>) {
    let mut folder = Folder::new("benchmark", None, newest());
    for (path, text) in files {
        let Some(mut reader) = folder.open(path) else { continue };
        text.as_bytes().chunks(pieces).for_each(|piece| reader.push(piece));
        folder.add(reader);
    }
    folder.runs()
}

/// Seconds of about 15 fps after a start.
fn log(n: usize) -> String {
    let mut text = "38.51\n41.02\n".to_owned();
    for n in 0..n {
        text += ["15.01\n", "14.98\n", "15.03\n", "14.96\n"][n % 4];
    }
    text
}

fn name(number: usize) -> String {
    format!("pipeline_stream{number}_20260820115951123456_gst0.log")
}

#[test]
fn a_folder_of_two_streams_is_a_record_like_ours() {
    let files = [(name(0), log(60)), (name(1), log(60))];
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let (runs, not_read) = read(&files, 7);
    assert!(not_read.is_empty());
    let [run] = &runs[..] else { panic!("{}", runs.len()) };
    assert_eq!(run.record.started.to_string(), "2026-08-20T11:59:51.123Z");
    let imported = run.record.imported.as_ref().unwrap();
    expect![[r#"
        the start, the first 2 lines of each log, is left out: the mean of all lines of a log was 15.79 fps, without its start and by time it is 14.99
        -
        how long the time of each line was: one second is assumed, which is what the counters are set to
        which camera a log is of: name the file of the cameras with `--cameras` and that of the workloads with `--workloads`
        dropped frames, late frames and what the cameras delivered: upstream counts none of them"#]]
    .assert_eq(&[imported.corrected.join("\n"), "-".to_owned(), imported.unknown.join("\n")].join("\n"));
    let measurement = measure(&run.record);
    expect!["imported (old form, 2 streams): 2 of 2 cameras not judged; machine CPU not measured"]
        .assert_eq(&measurement.verdict);
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!(stream.fps, Some(14.995));
    assert_eq!(stream.fps_p5, Some(14.96));
    assert_eq!(stream.window_us, Some(60_000_000));
}

#[test]
fn the_pieces_in_which_files_come_change_nothing() {
    let launch =
        "FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps\n".repeat(30);
    let sar =
        "Linux 6.1.0 (h) 08/20/26 _x86_64_ (2 CPU)\n\n11:59:51 CPU %user %idle\n11:59:52 all 10.00 90.00\n";
    let files = [
        (name(0), "15.00\n".repeat(30)),
        ("gst-launch_20260820115951123456_gst0.log".to_owned(), launch),
        ("cpu_usage.log".to_owned(), sar.to_owned()),
        ("other.txt".to_owned(), "x".to_owned()),
    ];
    let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let of = |pieces: usize| {
        let (runs, not_read) = read(&files, pieces);
        (runs.into_iter().map(|run| run.record).collect::<Vec<_>>(), not_read)
    };
    assert_eq!(of(1), of(4096));
    assert_eq!(of(5), of(4096));
}

#[test]
fn a_stream_below_its_target_fails_and_no_stream_holds() {
    let camera = |name: &str| LaneCamera {
        name: name.to_owned(),
        target_fps: 15.0,
        is_skipped: false,
        pipelines: vec![LanePipeline { workloads: vec!["scan".to_owned()], detectors: 1 }],
    };
    let mut folder = Folder::new("b", Some(vec![camera("cam1"), camera("cam2")]), newest());
    for (number, text) in [(0, "15.01\n14.99\n".repeat(40)), (1, "12.01\n11.99\n".repeat(40))] {
        let mut reader = folder.open(&name(number)).unwrap();
        reader.push(text.as_bytes());
        folder.add(reader);
    }
    let (runs, _) = folder.runs();
    let measurement = measure(&runs[0].record);
    let verdicts: Vec<String> = measurement
        .cameras
        .iter()
        .map(|camera| {
            format!(
                "{} {}: {}",
                camera.camera,
                camera.verdict,
                camera.streams[0].reason.clone().unwrap_or_default()
            )
        })
        .collect();
    expect![[r#"
        cam1 undecided: the rate is kept, but upstream counts neither dropped nor late frames, so nothing shows that it holds
        cam2 does not hold: 12.00 fps is less than 98 % of 15"#]]
    .assert_eq(&verdicts.join("\n"));
    assert!(measurement.cameras.iter().all(|camera| camera.verdict != Verdict::Holds));
}

#[test]
fn nothing_is_made_of_nothing() {
    let (runs, not_read) = read(&[("cpu_usage.log", "junk".to_owned()), ("x", "y".to_owned())], 10);
    assert!(runs.is_empty());
    let told: Vec<String> = not_read.iter().map(|one| format!("{}: {}", one.file, one.reason)).collect();
    expect![[r#"
        cpu_usage.log: it has no value that could be read
        x: it is none of upstream's files of results"#]]
    .assert_eq(&told.join("\n"));
}
