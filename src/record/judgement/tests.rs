//! Judgements of made-up runs.

use expect_test::{Expect, expect};

use super::*;
use crate::model::{Operator, Severity};
use crate::record::fixture::Story;
use crate::record::fixture::density::{copies_of_a_camera, three_lanes};
use crate::record::fixture::{copies, scripted, setup, six_cameras};
use crate::record::measure::measure;

/// A threshold; its limit is in the unit of the metric.
pub(crate) fn threshold(
    metric: &str,
    operator: Operator,
    limit: f64,
    severity: Severity,
    of: Of,
) -> Threshold {
    let text = format!("{metric} {} {limit}", operator.word());
    Threshold { text, metric: metric.to_owned(), operator, limit, severity, of }
}

fn at_least(metric: &str, limit: f64, severity: Severity) -> Threshold {
    threshold(metric, Operator::AtLeast, limit, severity, Of::Lane)
}

fn at_most(metric: &str, limit: f64, severity: Severity) -> Threshold {
    threshold(metric, Operator::AtMost, limit, severity, Of::Lane)
}

/// The breaches, what was not judged, and the rule.
#[track_caller]
fn check(record: &RunRecord, thresholds: Vec<Threshold>, expect: Expect) -> Judgement {
    let record = RunRecord { thresholds, ..record.clone() };
    let judgement = judge(&record, &measure(&record));
    let mut lines: Vec<String> = judgement.breaches().map(Judged::line).collect();
    let kept = judgement.thresholds.iter().filter(|judged| !judged.is_breach);
    lines.extend(kept.map(|judged| format!("kept: {}: {}", judged.place, judged.sentence())));
    let skipped = judgement.not_judged.iter();
    lines.extend(skipped.map(|skipped| format!("not judged: {}: {}", skipped.threshold.text, skipped.why)));
    lines.push(format!("{}: {}", if judgement.passes { "passes" } else { "fails" }, judgement.line));
    expect.assert_eq(&lines.join("\n"));
    judgement
}

/// 2 cameras, of which the second has every third frame only.
fn two() -> RunRecord {
    copies(1, &[&[15, 10]], 0.5)
}

#[test]
fn without_thresholds_verdicts_decide() {
    check(&two(), vec![], expect!["fails: verdicts decide: 1 of 2 cameras does not hold"]);
    check(&copies(1, &[&[15, 15]], 0.5), vec![], expect!["passes: verdicts decide: every camera holds"]);
}

#[test]
fn the_worst_breach_comes_first_and_an_absent_figure_is_one() {
    let thresholds = vec![
        at_most("power.mean", 45.0, Severity::Minor),
        at_least("fps", 14.9, Severity::Major),
        at_least("fps.p5", 9.0, Severity::Critical),
        at_least("on_time", 0.99, Severity::Critical),
    ];
    check(
        &two(),
        thresholds,
        expect![[r#"
        critical: camera-2/1: on_time is 50.12 %, not >= 0.99
        major: camera-2/1: fps is 10 fps, not >= 14.9
        minor: lane: power.mean is not available: the power of this machine is not known (`lp doctor` says why); it must be <= 45
        kept: camera-1/1: fps.p5 is 15 fps, as it must be >= 9
        kept: camera-2/1: fps.p5 is 10 fps, as it must be >= 9
        kept: camera-1/1: on_time is 100 %, as it must be >= 0.99
        kept: camera-1/1: fps is 15 fps, as it must be >= 14.9
        fails: 4 thresholds decide: 3 breached"#]],
    );
}

#[test]
fn thresholds_that_are_kept_pass_whatever_the_verdicts_say() {
    check(
        &two(),
        vec![at_least("fps", 9.5, Severity::Major)],
        expect![[r#"
        kept: camera-1/1: fps is 15 fps, as it must be >= 9.5
        kept: camera-2/1: fps is 10 fps, as it must be >= 9.5
        passes: 1 threshold decides: none breached; by verdicts, which do not decide, 1 of 2 cameras does not hold"#]],
    );
}

#[test]
fn thresholds_of_a_camera_or_workload_replace_those_of_the_lane_with_the_same_metric() {
    let slow = |of: Of| threshold("fps", Operator::AtLeast, 9.5, Severity::Critical, of);
    let lane = || vec![at_least("fps", 14.9, Severity::Major), at_least("fps.min", 1.0, Severity::Minor)];
    check(
        &two(),
        [lane(), vec![slow(Of::Camera("camera-2".to_owned()))]].concat(),
        expect![[r#"
        kept: camera-2/1: fps is 10 fps, as it must be >= 9.5
        kept: camera-1/1: fps is 15 fps, as it must be >= 14.9
        kept: camera-1/1: fps.min is 15 fps, as it must be >= 1
        kept: camera-2/1: fps.min is 10 fps, as it must be >= 1
        passes: 3 thresholds decide: none breached; by verdicts, which do not decide, 1 of 2 cameras does not hold"#]],
    );
    let workload = two().members[1].streams[0].workloads[0].to_uppercase();
    check(
        &two(),
        [lane(), vec![slow(Of::Workload(workload))]].concat(),
        expect![[r#"
        kept: camera-2/1: fps is 10 fps, as it must be >= 9.5
        kept: camera-1/1: fps is 15 fps, as it must be >= 14.9
        kept: camera-1/1: fps.min is 15 fps, as it must be >= 1
        kept: camera-2/1: fps.min is 10 fps, as it must be >= 1
        passes: 3 thresholds decide: none breached; by verdicts, which do not decide, 1 of 2 cameras does not hold"#]],
    );
    check(
        &two(),
        [lane(), vec![slow(Of::Camera("camera-9".to_owned()))]].concat(),
        expect![[r#"
        major: camera-2/1: fps is 10 fps, not >= 14.9
        kept: camera-1/1: fps is 15 fps, as it must be >= 14.9
        kept: camera-1/1: fps.min is 15 fps, as it must be >= 1
        kept: camera-2/1: fps.min is 10 fps, as it must be >= 1
        not judged: fps >= 9.5: `camera-9` is not in this run
        fails: 2 thresholds decide: 1 breached; 1 threshold not judged"#]],
    );
}

#[test]
fn a_threshold_of_a_camera_that_did_not_run_decides_nothing() {
    let of = Of::Camera("camera-9".to_owned());
    let only = vec![threshold("fps", Operator::AtLeast, 9.5, Severity::Critical, of)];
    check(
        &two(),
        only,
        expect![[r#"
        not judged: fps >= 9.5: `camera-9` is not in this run
        fails: verdicts decide: 1 of 2 cameras does not hold; 1 threshold not judged"#]],
    );
    let of = Of::Workload("none".to_owned());
    check(
        &two(),
        vec![threshold("fps", Operator::AtLeast, 9.5, Severity::Critical, of)],
        expect![[r#"
        not judged: fps >= 9.5: no stream of this run serves `none`
        fails: verdicts decide: 1 of 2 cameras does not hold; 1 threshold not judged"#]],
    );
}

#[test]
fn copies_of_a_camera_are_all_judged() {
    let of = Of::Camera("camera-1".to_owned());
    let only = vec![threshold("fps", Operator::AtLeast, 14.0, Severity::Critical, of)];
    check(
        &copies(2, &[&[15, 15], &[10, 15]], 0.5),
        only,
        expect![[r#"
        critical: camera-1-l2/1: fps is 10 fps, not >= 14
        kept: camera-1/1: fps is 15 fps, as it must be >= 14
        fails: 1 threshold decides: 1 breached"#]],
    );
}

#[test]
fn a_run_that_failed_or_was_interrupted_never_passes() {
    let kept = || vec![at_least("fps", 1.0, Severity::Minor)];
    let mut record = six_cameras();
    record.interrupted = true;
    assert!(
        !check(
            &RunRecord { interrupted: true, ..two() },
            kept(),
            expect![[r#"
        kept: camera-1/1: fps is 15 fps, as it must be >= 1
        kept: camera-2/1: fps is 10 fps, as it must be >= 1
        fails: 1 threshold decides: none breached; besides, the run was interrupted"#]]
        )
        .passes
    );
    check(
        &six_cameras(),
        kept(),
        expect![[r#"
        minor: camera-4/1: fps is not available: its worker ended: killed by SIGSEGV; it must be >= 1
        kept: camera-1/1: fps is 15 fps, as it must be >= 1
        kept: camera-2/1: fps is 15 fps, as it must be >= 1
        kept: camera-3/1: fps is 15 fps, as it must be >= 1
        kept: camera-3/2: fps is 15 fps, as it must be >= 1
        kept: camera-5/1: fps is 13.94 fps, as it must be >= 1
        kept: camera-6/1: fps is 15 fps, as it must be >= 1
        fails: 1 threshold decides: 1 breached; besides, 1 of 6 cameras failed"#]],
    );
}

#[test]
fn a_script_without_figures_breaches() {
    let mut story = Story::new(setup(Pace::Live, 5, 2, &[], vec![scripted("a", 15.0, &["a"])]));
    story.exit(0, 9_000_000, "exited with status 0", "");
    check(
        &story.builder.finish(),
        vec![at_least("on_time", 0.9, Severity::Major)],
        expect![[r#"
        major: a/1: on_time is not available: exited with status 0 after 0.0 s, before it was asked to end; it must be >= 0.9
        fails: 1 threshold decides: 1 breached; besides, 1 of 1 camera failed"#]],
    );
}

#[test]
fn nothing_that_was_played_breaches() {
    let mut record = two();
    record.members.iter_mut().for_each(|member| member.streams.clear());
    let of_camera =
        threshold("fps", Operator::AtLeast, 1.0, Severity::Minor, Of::Camera("camera-1".to_owned()));
    check(
        &record,
        vec![at_least("on_time", 0.9, Severity::Major), of_camera],
        expect![[r#"
        major: lane: on_time is not available: nothing was played; it must be >= 0.9
        minor: camera-1: fps is not available: nothing was played of camera-1; it must be >= 1
        fails: 2 thresholds decide: 2 breached"#]],
    );
}

#[test]
fn a_metric_of_another_version_is_absent() {
    check(
        &two(),
        vec![at_least("coffee", 1.0, Severity::Major)],
        expect![[r#"
        major: lane: coffee is not available: this `lp` has no metric `coffee`; it must be >= 1
        fails: 1 threshold decides: 1 breached"#]],
    );
}

#[test]
fn a_density_is_that_of_the_known_search() {
    let density = |operator, limit| vec![threshold("density", operator, limit, Severity::Critical, Of::Lane)];
    check(
        &two(),
        density(Operator::AtLeast, 12.0),
        expect![[r#"
        critical: lane: density is not available: no search of this lane on this host; `lp density`; it must be >= 12
        fails: 1 threshold decides: 1 breached"#]],
    );
    let search = KnownSearch { subject: LANE.to_owned(), id: "s".to_owned(), at_least: 12, at_most: None };
    let known = RunRecord { searches: vec![search], ..two() };
    check(
        &known,
        density(Operator::AtLeast, 12.0),
        expect![[r#"
        kept: lane: density is 12 lanes, as it must be >= 12
        passes: 1 threshold decides: none breached; by verdicts, which do not decide, 1 of 2 cameras does not hold"#]],
    );
    check(
        &known,
        density(Operator::Above, 12.0),
        expect![[r#"
        critical: lane: density is 12 lanes, not > 12
        fails: 1 threshold decides: 1 breached"#]],
    );
    // Nothing shows that no more than that hold.
    check(
        &known,
        density(Operator::AtMost, 20.0),
        expect![[r#"
        critical: lane: density is not available: search s found no number that fails; it must be <= 20
        fails: 1 threshold decides: 1 breached"#]],
    );
    let part = RunRecord { subject: "camera-1".to_owned(), ..known.clone() };
    check(
        &part,
        density(Operator::AtLeast, 12.0),
        expect![[r#"
        not judged: density >= 12: it is about the lane, of which this run has only a part
        fails: verdicts decide: 1 of 2 cameras does not hold; 1 threshold not judged"#]],
    );
    let of_camera = vec![threshold(
        "density",
        Operator::AtLeast,
        3.0,
        Severity::Major,
        Of::Camera("camera-1".to_owned()),
    )];
    check(
        &known,
        of_camera.clone(),
        expect![[r#"
        major: camera-1: density is not available: no search of this camera on this host; `lp density camera-1`; it must be >= 3
        fails: 1 threshold decides: 1 breached"#]],
    );
    assert_eq!(searched(&RunRecord { thresholds: of_camera, ..known }), ["camera-1"]);
}

#[test]
fn figures_that_look_like_their_limit_have_all_their_digits() {
    let shown = |metric: &str, operator, limit, figure| {
        with_figure(
            &threshold(metric, operator, limit, Severity::Major, Of::Lane),
            None,
            LANE.to_owned(),
            Ok(figure),
        )
        .shown()
    };
    assert_eq!(shown("fps", Operator::AtLeast, 14.5, 14.4981), "14.4981 fps");
    assert_eq!(shown("fps", Operator::AtLeast, 14.5, 14.2), "14.2 fps");
    assert_eq!(shown("latency.p95", Operator::AtMost, 80_000.0, 80_007.0), "80.007 ms");
    assert_eq!(shown("on_time", Operator::Above, 0.99, 0.99), "99 %");
}

#[track_caller]
fn check_search(record: &DensityRecord, thresholds: &[Threshold], expect: Expect) {
    let judgement = judge_search(record, "s", thresholds);
    let mut lines: Vec<String> = judgement.breaches().map(Judged::line).collect();
    lines.push(format!("{}: {}", if judgement.passes { "passes" } else { "fails" }, judgement.line));
    expect.assert_eq(&lines.join("\n"));
}

#[test]
fn a_search_is_judged_by_thresholds_on_its_density() {
    let lanes =
        |limit| [at_least("density", limit, Severity::Critical), at_least("fps", 99.0, Severity::Minor)];
    check_search(&three_lanes(), &lanes(3.0), expect!["passes: 1 threshold decides: none breached"]);
    check_search(
        &three_lanes(),
        &lanes(4.0),
        expect![[r#"
        critical: lane: density is 3 lanes, not >= 4
        fails: 1 threshold decides: 1 breached"#]],
    );
    check_search(&three_lanes(), &[], expect!["passes: no threshold decides: the search came to an end"]);
    let interrupted = DensityRecord { interrupted: true, ..three_lanes() };
    check_search(
        &interrupted,
        &lanes(1.0),
        expect![[r#"
        critical: lane: density is not available: the search was interrupted; it must be >= 1
        fails: 1 threshold decides: 1 breached"#]],
    );
    check_search(&interrupted, &[], expect!["fails: no threshold decides: the search was interrupted"]);
    // Copies of one camera are no lanes.
    check_search(
        &copies_of_a_camera(),
        &lanes(9.0),
        expect!["passes: no threshold decides: the search came to an end"],
    );
    let of_camera = |name: &str| {
        let of = Of::Camera(name.to_owned());
        [threshold("density", Operator::AtLeast, 2.0, Severity::Major, of)]
    };
    check_search(
        &copies_of_a_camera(),
        &of_camera("camera-1"),
        expect![[r#"
        major: camera-1: density is 1 lane, not >= 2
        fails: 1 threshold decides: 1 breached"#]],
    );
    check_search(
        &copies_of_a_camera(),
        &of_camera("camera-2"),
        expect!["passes: no threshold decides: the search came to an end"],
    );
}
