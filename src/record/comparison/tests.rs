//! Verdicts of small comparisons, one case at a time.

use expect_test::{Expect, expect};

use super::*;
use crate::record::fixture::copies;
use crate::record::measure::{SeenDue, StepFigures, measure};
use crate::record::{Isolation, Pace};
use crate::time::Utc;

/// A run of two cameras at this minute, with CPU times per frame in microseconds.
pub(crate) fn run(minute: i64, costs: [f64; 2]) -> RunOf {
    let record = copies(1, &[&[15, 15]], 0.5);
    let mut run = RunOf::of(&format!("r{minute:02}"), &record, measure(&record));
    run.started = Utc::from_unix_millis(1_795_502_520_000 + minute * 60_000);
    run.measurement.degraded.clear();
    run.excluded = None;
    for (worker, cost) in run.measurement.workers.iter_mut().zip(costs) {
        worker.cpu_us_per_frame = Some(cost);
        worker.cpu = Some(cost * 15.0 / 1e6);
    }
    run
}

/// Runs in turn: a baseline, and a candidate that costs so many times as much on camera-2.
pub(crate) fn sides(n: i64, factor: f64) -> (Vec<RunOf>, Vec<RunOf>) {
    let cost = |minute: i64, factor: f64| {
        let noise = 1.0 + 0.002 * ((minute * 7) % 5 - 2) as f64;
        [4_000.0 * noise, 9_000.0 * noise * factor]
    };
    let baseline = (0..n).map(|k| run(2 * k, cost(2 * k, 1.0)));
    let candidate = (0..n).map(|k| run(2 * k + 1, cost(2 * k + 1, factor)));
    (baseline.collect(), candidate.collect())
}

fn told(comparison: &Comparison) -> String {
    let row = |row: &Row| {
        let change = words::change(row).unwrap_or_default();
        let reason = row.reason.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        format!("{} {} {} {change}{reason}\n", row.verdict, row.place.at, row.metric)
    };
    let rows: String = comparison.rows.iter().filter(|row| row.decides).map(row).collect();
    format!("{}\n{rows}", comparison.headline)
}

#[track_caller]
fn check(baseline: &[RunOf], candidate: &[RunOf], expect: Expect) {
    expect.assert_eq(&told(&compare(baseline, candidate, &Options::default())));
}

#[test]
fn a_camera_that_became_slower_is_named() {
    let (baseline, candidate) = sides(8, 1.06);
    check(
        &baseline,
        &candidate,
        expect![[r#"
            candidate is worse: camera-2: CPU time per frame +5.9 % (+5.1..+6.6); lane: CPU time per frame +4.0 % (+3.3..+4.8)
            worse lane cpu_per_frame +4.0 % (+3.3..+4.8)
            same camera-1 cpu_per_frame -0.1 % (-0.6..+0.4)
            worse camera-2 cpu_per_frame +5.9 % (+5.1..+6.6)
            same camera-1/1 lateness.p95 0 ms (-0.26..+0.26)
            same camera-2/1 lateness.p95 0 ms (-0.26..+0.26)
            same camera-1/1 delay 0 ms (-0.26..+0.26)
            same camera-2/1 delay 0 ms (-0.26..+0.26)
            same camera-1/1 goodput 0.0 % (-0.1..+0.1)
            same camera-2/1 goodput 0.0 % (-0.1..+0.1)
        "#]],
    );
}

#[test]
fn a_camera_that_became_faster_is_named() {
    let (baseline, candidate) = sides(8, 0.9);
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert_eq!((comparison.verdict, comparison.paired), (Verdict::Better, true));
}

#[test]
fn sides_that_differ_by_nothing_are_the_same() {
    let (baseline, candidate) = sides(8, 1.0);
    check(
        &baseline,
        &candidate,
        expect![[r#"
            candidate is the same: none of 9 figures changes by what matters (CPU time per frame within 3 %)
            same lane cpu_per_frame -0.1 % (-0.6..+0.4)
            same camera-1 cpu_per_frame -0.1 % (-0.6..+0.4)
            same camera-2 cpu_per_frame -0.1 % (-0.6..+0.4)
            same camera-1/1 lateness.p95 0 ms (-0.26..+0.26)
            same camera-2/1 lateness.p95 0 ms (-0.26..+0.26)
            same camera-1/1 delay 0 ms (-0.26..+0.26)
            same camera-2/1 delay 0 ms (-0.26..+0.26)
            same camera-1/1 goodput 0.0 % (-0.1..+0.1)
            same camera-2/1 goodput 0.0 % (-0.1..+0.1)
        "#]],
    );
}

#[test]
fn two_single_numbers_tell_nothing() {
    let (baseline, candidate) = sides(1, 3.0);
    check(
        &baseline,
        &candidate,
        expect![[r#"
            one run each: cannot tell; `lp bench --runs 5`
            cannot tell lane cpu_per_frame : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-1 cpu_per_frame : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-2 cpu_per_frame : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-1/1 lateness.p95 : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-2/1 lateness.p95 : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-1/1 delay : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-2/1 delay : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-1/1 goodput : one run each: cannot tell; `lp bench --runs 5`
            cannot tell camera-2/1 goodput : one run each: cannot tell; `lp bench --runs 5`
        "#]],
    );
    let (baseline, candidate) = sides(2, 3.0);
    assert_eq!(compare(&baseline, &candidate, &Options::default()).verdict, Verdict::CannotTell);
    let empty = compare(&[], &candidate, &Options::default());
    assert_eq!((empty.verdict, empty.rows.len()), (Verdict::CannotTell, 0));
}

#[test]
fn a_run_is_not_compared_with_itself() {
    let (baseline, _) = sides(5, 1.0);
    let comparison = compare(&baseline, &baseline, &Options::default());
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    assert_eq!(comparison.candidate.excluded[0].reason, "it is on both sides");
    // The same run twice on a side counts once.
    let (baseline, candidate) = sides(2, 1.0);
    let doubled = [baseline.clone(), baseline].concat();
    assert_eq!(compare(&doubled, &candidate, &Options::default()).baseline.runs.len(), 2);
}

#[test]
fn a_figure_that_is_absent_in_one_run_lets_nothing_pass() {
    let (baseline, mut candidate) = sides(8, 1.0);
    candidate[3].measurement.workers[1].cpu_us_per_frame = None;
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    let row = comparison.rows.iter().find(|row| row.place.at == "camera-2" && row.decides).unwrap();
    assert_eq!(row.reason.as_deref(), Some("r07: not available: no frame arrived"));
    candidate[3].measurement.workers[1].cpu_us_per_frame = Some(f64::NAN);
    assert_eq!(compare(&baseline, &candidate, &Options::default()).verdict, Verdict::CannotTell);
}

#[test]
fn runs_that_are_not_whole_do_not_count() {
    let (baseline, mut candidate) = sides(8, 1.0);
    candidate[0].excluded = Some("interrupted".to_owned());
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert_eq!((comparison.candidate.runs.len(), comparison.paired), (7, false));
    let mut record = copies(1, &[&[15]], 0.5);
    record.interrupted = true;
    assert_eq!(RunOf::of("r", &record, measure(&record)).excluded.as_deref(), Some("it was interrupted"));
    record.interrupted = false;
    record.members[0].streams[0].failure = Some("it broke".to_owned());
    let excluded = RunOf::of("r", &record, measure(&record)).excluded.unwrap();
    assert!(excluded.contains("it broke"), "{excluded}");
}

#[test]
fn what_was_measured_differently_is_refused_with_the_field() {
    let refused = |change: fn(&mut RunOf), across: &[Field]| {
        let (baseline, mut candidate) = sides(5, 1.0);
        candidate.iter_mut().for_each(change);
        let options = Options { across: across.iter().copied().collect(), ..Options::default() };
        let comparison = compare(&baseline, &candidate, &options);
        assert_eq!(comparison.rows.is_empty(), !comparison.refused.is_empty());
        comparison.refused.iter().map(words::difference).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(refused(|run| run.conditions.duration_ms = 5_000, &[]), "duration: 20s / 5s");
    assert_eq!(refused(|run| run.conditions.duration_ms = 5_000, &[Field::Duration]), "");
    assert_eq!(refused(|run| run.conditions.pace = Pace::Free, &[Field::Pace]), "pace: live / free");
    assert_eq!(refused(|run| run.conditions.isolation = Isolation::Lane, &[]), "isolation: camera / lane");
    assert_eq!(refused(|run| run.conditions.traced = true, &[]), "trace: false / true");
    let device = |run: &mut RunOf| {
        let step = crate::record::StepRecord {
            kind: "gvadetect".to_owned(),
            device: Some(if run.run == "r01" { "GPU" } else { "CPU" }.to_owned()),
            ..Default::default()
        };
        run.members[0].streams[0].steps = Some(vec![step]);
    };
    assert!(refused(device, &[]).starts_with("steps of camera-1/1 step 1: none / gvadetect"));
    // A side that is mixed is no side.
    assert_eq!(
        refused(device, &[Field::Steps, Field::Device]),
        "device of camera-1/1 step 1: none / CPU and GPU"
    );
    let camera = |run: &mut RunOf| drop(run.members.pop());
    assert!(refused(camera, &[]).contains("cameras of camera-2: played / none"));
}

#[test]
fn another_host_is_a_warning_unless_it_is_what_is_compared() {
    let (baseline, mut candidate) = sides(5, 1.0);
    candidate.iter_mut().for_each(|run| drop(run.host.insert("kernel".to_owned(), "6.12".to_owned())));
    let warnings = |across: &[Field]| {
        let options = Options { across: across.iter().copied().collect(), ..Options::default() };
        let comparison = compare(&baseline, &candidate, &options);
        assert!(comparison.refused.is_empty() && comparison.differences[0].at == "kernel");
        comparison.warnings.iter().filter(|warning| warning.contains("host")).count()
    };
    assert_eq!((warnings(&[]), warnings(&[Field::Host])), (1, 0));
}

#[test]
fn a_frame_rate_that_the_camera_caps_is_not_compared() {
    let (baseline, candidate) = sides(5, 1.0);
    let metrics = |comparison: &Comparison| {
        comparison.rows.iter().filter(|row| row.metric.unit() == crate::record::metric::Unit::Fps).count()
    };
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert!(comparison.rows.iter().all(|row| row.metric.compares_at(Pace::Live)));
    assert_eq!(metrics(&comparison), 2);
}

#[test]
fn a_stream_that_is_dead_in_the_candidate_is_worse_and_no_error() {
    let (baseline, mut candidate) = sides(8, 1.0);
    candidate.iter_mut().for_each(|run| run.measurement.cameras[0].streams[0].goodput = Some(0.0));
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert_eq!(comparison.verdict, Verdict::Worse);
    assert!(comparison.headline.contains("camera-1/1: goodput -100.0 %"), "{}", comparison.headline);
}

#[test]
fn a_faster_candidate_that_finds_less_is_wrong() {
    use crate::record::boxes::tests::boxes;
    let (mut baseline, mut candidate) = sides(5, 0.8);
    let step: StepFigures = serde_json::from_str(
        r#"{"element": "d", "type": "gvadetect", "events": 9, "inferred": 30, "per_second": 1.0, "last_us": null, "last_clip_ms": null}"#,
    )
    .unwrap();
    const HERE: [u16; 4] = [1_000, 1_000, 1_000, 1_000];
    const THERE: [u16; 4] = [6_000, 6_000, 1_000, 1_000];
    let found = |n: u64, at: [u16; 4]| {
        let one = [("face", at, 900)];
        let frames: Vec<(u64, &[_])> = (0..n).map(|frame| (frame * 67, &one[..])).collect();
        boxes(&frames)
    };
    let put = |runs: &mut [RunOf], at: [u16; 4]| {
        for run in runs {
            run.measurement.cameras[1].streams[0].seen = vec![step.clone()];
            run.boxes.insert(("camera-2/1".to_owned(), "d".to_owned()), found(30, at));
        }
    };
    put(&mut baseline, HERE);
    put(&mut candidate, HERE);
    assert_eq!(compare(&baseline, &candidate, &Options::default()).verdict, Verdict::Better);
    put(&mut candidate, THERE);
    let comparison = compare(&baseline, &candidate, &Options::default());
    expect!["candidate is faster but wrong: camera-2/1: `gvadetect` finds 0 of 30 face that r00 found on the same frames, less than 95 %"]
        .assert_eq(&comparison.headline);
    assert!(comparison.rows.iter().all(|row| row.verdict != Verdict::Better || row.place.at == "camera-1"));
}

#[test]
fn a_capped_frame_rate_that_is_asked_for_tells_nothing() {
    let (baseline, candidate) = sides(8, 1.0);
    let options = Options { metrics: vec![Metric::Fps], ..Options::default() };
    let comparison = compare(&baseline, &candidate, &options);
    assert_eq!(comparison.verdict, Verdict::CannotTell);
    assert!(comparison.headline.contains("the camera caps it"), "{}", comparison.headline);
}

#[test]
fn a_metric_that_is_asked_for_decides() {
    let (baseline, candidate) = sides(8, 1.06);
    let options = Options {
        metrics: vec![Metric::CpuPerFrame],
        matters: [(Metric::CpuPerFrame, Matters::Relative(0.2))].into(),
        ..Options::default()
    };
    let comparison = compare(&baseline, &candidate, &options);
    assert_eq!((comparison.verdict, comparison.rows.len()), (Verdict::Same, 3));
}

#[test]
fn a_history_names_what_changed_where_a_metric_did() {
    let runs: Vec<RunOf> = (0..20)
        .map(|minute| {
            let factor = if minute < 11 { 1.0 } else { 1.2 };
            let noise = 1.0 + 0.004 * ((minute * 7) % 5 - 2) as f64;
            let mut run = run(minute, [4_000.0 * noise * factor, 9_000.0 * noise * factor]);
            let kernel = if minute < 11 { "6.1" } else { "6.12" };
            run.host.insert("kernel".to_owned(), kernel.to_owned());
            run
        })
        .collect();
    let history = history::history(&runs, Metric::CpuPerFrame);
    expect!["1 change of CPU time per frame in 20 runs; the last at r11: 6.5 ms to 7.81 ms (+20.2 %)"]
        .assert_eq(&history::headline(&history));
    assert_eq!(history::facts(&history.changes[0]), ["host of kernel: 6.1 / 6.12"]);
    assert_eq!(history::history(&runs[..11], Metric::CpuPerFrame).changes, []);
    assert_eq!(history::history(&[], Metric::CpuPerFrame).points, []);
}

/// The same sightings in each run.
fn with_sightings(runs: &mut [RunOf], events: u64, due: Option<(u64, u64)>) {
    let mut step: StepFigures = serde_json::from_str(
        r#"{"element": "z", "type": "zbar", "events": 0, "per_second": 1.0, "last_us": null, "last_clip_ms": null}"#,
    )
    .unwrap();
    step.events = events;
    step.due = due.map(|(due, seen)| SeenDue { truth: "scan".to_owned(), due, seen });
    runs.iter_mut().for_each(|run| run.measurement.cameras[1].streams[0].seen = vec![step.clone()]);
}

#[test]
fn detectors_that_find_far_less_over_all_runs_are_wrong_with_or_without_a_truth() {
    let (mut baseline, mut candidate) = sides(6, 0.8);
    let verdict = |baseline: &[RunOf], candidate: &[RunOf]| {
        let comparison = compare(baseline, candidate, &Options::default());
        (comparison.verdict, comparison.wrong.first().map(|wrong| wrong.reason.clone()))
    };
    let wrong = |reason: &str| (Verdict::FasterButWrong, Some(reason.to_owned()));
    with_sightings(&mut baseline, 9, Some((9, 9)));
    with_sightings(&mut candidate, 9, Some((9, 9)));
    assert_eq!(verdict(&baseline, &candidate), (Verdict::Better, None));
    // Too few in each run, and enough in all.
    with_sightings(&mut candidate, 9, Some((9, 8)));
    assert_eq!(
        verdict(&baseline, &candidate),
        wrong("`zbar` sees 48 of 54 in the clip, 54 of 54 in the baseline")
    );
    // Half of the runs are blind, and one of the baseline saw nothing.
    with_sightings(&mut candidate[..3], 0, Some((9, 0)));
    with_sightings(&mut baseline[..1], 0, None);
    assert_eq!(verdict(&baseline, &candidate).0, Verdict::FasterButWrong);
    // The truth is absent, or the whole detector.
    with_sightings(&mut baseline, 9, None);
    with_sightings(&mut candidate, 4, None);
    assert_eq!(verdict(&baseline, &candidate), wrong("`zbar` finds 4 in a run, 9 in the baseline"));
    with_sightings(&mut candidate, 7, None);
    assert_eq!(verdict(&baseline, &candidate), (Verdict::Better, None));
    candidate.iter_mut().for_each(|run| run.measurement.cameras[1].streams[0].seen.clear());
    assert_eq!(verdict(&baseline, &candidate), wrong("`zbar` finds 0 in a run, 9 in the baseline"));
}

#[test]
fn what_is_surely_worse_makes_a_candidate_worse_whatever_decides() {
    let (baseline, mut candidate) = sides(8, 1.0);
    candidate.iter_mut().flat_map(|run| &mut run.measurement.workers).for_each(|worker| {
        worker.rss_max = worker.rss_max.map(|bytes| 10 * bytes);
    });
    let comparison = compare(&baseline, &candidate, &Options::default());
    assert_eq!(comparison.verdict, Verdict::Worse, "{}", comparison.headline);
}

#[test]
fn a_run_that_was_written_again_is_no_second_run() {
    let (baseline, candidate) = sides(1, 1.0);
    let copies = |run: &RunOf| -> Vec<RunOf> {
        (0..6).map(|n| RunOf { run: format!("{}-{n}", run.run), ..run.clone() }).collect()
    };
    let comparison = compare(&copies(&baseline[0]), &copies(&candidate[0]), &Options::default());
    assert_eq!((comparison.verdict, comparison.baseline.runs.len()), (Verdict::CannotTell, 1));
    assert_eq!(comparison.baseline.excluded[0].reason, "it is a copy of r00-0");
}
