//! Whole comparisons of simulated runs: how often they are wrong, and what they find.
//!
//! Each run has six cameras of different cost. Between runs, the CPU time per frame of a camera varies by a
//! common and by an own part, and so do the other figures. `LP_CAMPAIGN_FULL=1` simulates 25 times as many.

#![expect(clippy::print_stdout, reason = "a campaign's figures")]

use std::collections::BTreeMap;

use super::{Comparison, Options, RunOf, Verdict, compare};
use crate::record::fixture::copies;
use crate::record::measure::{Lateness, measure};
use crate::record::metric::Metric;
use crate::stats::simulated::Random;
use crate::time::Utc;

const CAMERAS: usize = 6;

/// How much runs differ, and how a candidate differs from a baseline.
#[derive(Clone, Copy)]
struct Truth {
    /// The deviation of CPU time per frame between runs.
    deviation: f64,
    /// Of which so much is common to all cameras of a run.
    common: f64,
    /// The change of the candidate's CPU time per frame, of the cameras of which this is the number.
    change: f64,
    cameras: usize,
    /// By how much the machine drifts from run to run.
    drift: f64,
    in_turn: bool,
}

const NOTHING: Truth =
    Truth { deviation: 0.01, common: 0.5, change: 0.0, cameras: CAMERAS, drift: 0.0, in_turn: true };

fn template() -> RunOf {
    let record = copies(1, &[&[15; CAMERAS]], 0.5);
    let mut run = RunOf::of("r", &record, measure(&record));
    run.measurement.cameras.iter_mut().flat_map(|camera| &mut camera.streams).for_each(|stream| {
        stream.seconds.clear();
    });
    run.measurement.degraded.clear();
    run.excluded = None;
    run
}

/// A run at this place in time.
fn run(template: &RunOf, random: &mut Random, truth: &Truth, place: usize, is_candidate: bool) -> RunOf {
    let mut run = template.clone();
    run.run = format!("run-{place:03}-{}", if is_candidate { "b" } else { "a" });
    run.started = Utc::from_unix_millis(1_795_502_520_000 + place as i64 * 60_000);
    let share = truth.common.sqrt();
    let common = share * random.normal();
    let own = (1.0 - truth.common).sqrt();
    let mut cores = 0.0;
    for (index, worker) in run.measurement.workers.iter_mut().enumerate() {
        let noise = truth.deviation * (common + own * random.normal()) + truth.drift * place as f64;
        let is_changed = is_candidate && index < truth.cameras;
        let change = if is_changed { (1.0 + truth.change).ln() } else { 0.0 };
        let cost = 4_000.0 * (1.0 + index as f64) * (noise + change).exp();
        worker.cpu_us_per_frame = Some(cost);
        worker.cpu = Some(cost * 15.0 / 1e6);
        worker.rss_max = Some((200e6 * (truth.deviation * random.normal()).exp()) as u64);
        cores += cost * 15.0 / 1e6;
    }
    run.measurement.machine.cpu = Some(cores / 8.0);
    run.measurement.totals.fps = Some(15.0 * CAMERAS as f64 * (0.001 * random.normal()).exp());
    for stream in run.measurement.cameras.iter_mut().flat_map(|camera| &mut camera.streams) {
        let p95 = (2_000.0 * (0.3 * random.normal()).exp()) as i64;
        stream.lateness_us = Some(Lateness { p50: p95 / 4, p95, p99: 2 * p95, max: 4 * p95 });
        // One frame more or less at the borders of the window.
        stream.goodput = Some(15.0 + if random.chance(0.3) { -0.05 } else { 0.0 });
        stream.start_up_us = Some((4e5 * (0.1 * random.normal()).exp()) as u64);
    }
    run
}

fn comparison(template: &RunOf, seed: u64, truth: &Truth, pairs: usize) -> Comparison {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9));
    let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
    for place in 0..2 * pairs {
        // In each pair, chance says which is first.
        let is_candidate = match (truth.in_turn, place % 2) {
            (false, _) => place >= pairs,
            (true, 0) => random.chance(0.5),
            (true, _) => baseline.len() > candidate.len(),
        };
        let run = run(template, &mut random, truth, place, is_candidate);
        if is_candidate { candidate.push(run) } else { baseline.push(run) }
    }
    compare(&baseline, &candidate, &Options::default())
}

/// How often so many comparisons end with each verdict; `false alarm` counts those in which any row, deciding
/// or not, is *better* or *worse*.
fn verdicts(n: u64, truth: &Truth, pairs: usize) -> BTreeMap<String, u64> {
    let template = template();
    let mut counts = BTreeMap::new();
    for seed in 0..n {
        let comparison = comparison(&template, seed, truth, pairs);
        *counts.entry(comparison.verdict.to_string()).or_default() += 1;
        let is_changed = |verdict: Verdict| matches!(verdict, Verdict::Better | Verdict::Worse);
        if comparison.rows.iter().any(|row| is_changed(row.verdict)) {
            *counts.entry("any row".to_owned()).or_default() += 1;
        }
        let of_cpu = |row: &&super::Row| row.metric == Metric::CpuPerFrame && row.verdict == Verdict::Same;
        let n_same = comparison.rows.iter().filter(of_cpu).count() as u64;
        *counts.entry("rows of CPU the same".to_owned()).or_default() += n_same;
    }
    counts
}

/// How many to simulate: so many, or 25 times as many in a campaign.
fn n(few: u64) -> u64 {
    if crate::os::env::variable("LP_CAMPAIGN_FULL").is_some() { few * 25 } else { few }
}

fn count(counts: &BTreeMap<String, u64>, name: &str) -> f64 {
    counts.get(name).copied().unwrap_or(0) as f64
}

#[test]
fn two_sides_that_are_the_same_are_not_found_to_differ() {
    for (deviation, common) in [(0.01, 0.5), (0.05, 0.5), (0.02, 0.0)] {
        let n = n(40);
        let counts = verdicts(n, &Truth { deviation, common, ..NOTHING }, 8);
        println!("A/A {deviation} {common}: {counts:?} of {n}");
        assert!(count(&counts, "any row") <= 0.01 * n as f64, "{counts:?}");
    }
}

#[test]
fn a_slow_down_of_5_percent_is_found_within_8_pairs() {
    for (change, cameras, common) in [(0.05, CAMERAS, 0.5), (0.05, 1, 0.0)] {
        let n = n(40);
        let counts = verdicts(n, &Truth { change, cameras, common, ..NOTHING }, 8);
        println!("{change} of {cameras}: {counts:?} of {n}");
        assert!(count(&counts, "worse") >= 0.95 * n as f64, "{counts:?}");
    }
}

#[test]
fn noise_of_5_percent_is_said_to_tell_nothing() {
    let n = n(40);
    let truth = Truth { deviation: 0.05, change: 0.05, ..NOTHING };
    let counts = verdicts(n, &truth, 8);
    println!("5 % at 5 %: {counts:?} of {n}");
    assert!(count(&counts, "cannot tell") >= 0.9 * n as f64, "{counts:?}");
    assert!(
        count(&counts, "rows of CPU the same") + count(&counts, "same") <= 0.001 * n as f64,
        "{counts:?}"
    );
}

#[test]
fn a_drift_is_not_taken_for_a_change() {
    // 2 % from run to run, a third in all.
    for in_turn in [true, false] {
        let n = n(40);
        let truth = Truth { drift: 0.02, in_turn, deviation: 0.005, ..NOTHING };
        let counts = verdicts(n, &truth, 8);
        println!("drift, in turn {in_turn}: {counts:?} of {n}");
        let most = if in_turn { 0.01 } else { 0.05 };
        assert!(count(&counts, "worse") + count(&counts, "better") <= most * n as f64, "{counts:?}");
    }
}
