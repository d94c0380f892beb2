//! Runs on a disturbed machine, recorded disturbances, and starts on a quiet machine.

use expect_test::{Expect, expect};

use super::*;
use crate::record::Pace;
use crate::record::fixture::{S, Story, member, setup};
use crate::record::measure::measure;

/// A camera of 15 fps for `seconds` after 2 s of warm-up, which has `fps` of second n of
/// its window; `others` is the share of two cores that other programs used in it.
fn run(seconds: u64, fps: impl Fn(u64) -> u64, others: impl Fn(u64) -> f64) -> RunRecord {
    let members = vec![member("c", "c", 15.0, &[(&["scan"], 0)])];
    let mut story = Story::new(setup(Pace::Live, seconds, 2, &["c"], members));
    for second in 0..seconds + 3 {
        let has = second.checked_sub(2).map_or(15, &fps);
        let frames: Vec<_> = (0..has).map(|n| (second * S + n * S / has, Some(5_000))).collect();
        story.tick(0, "c/1", (second + 1) * S, &frames, 0);
        let share = second.checked_sub(2).map_or(0.0, &others);
        story.collect((second + 1) * S, &[(FOREIGN, share)]);
    }
    story.builder.finish()
}

/// Verdict, reason, what was left out and why the run is degraded.
fn told(record: &RunRecord) -> String {
    let measurement = measure(record);
    let stream = &measurement.cameras[0].streams[0];
    let mut text = format!("{}: {}\n", stream.verdict, stream.reason.as_deref().unwrap_or("-"));
    for LeftOut { begin_us, end_us, cause } in &stream.left_out {
        text.push_str(&format!(
            "left out {:.1}..{:.1} s: {cause:?}\n",
            *begin_us as f64 / 1e6,
            *end_us as f64 / 1e6
        ));
    }
    for reason in &measurement.degraded {
        text.push_str(&format!("degraded: {}\n", reason.text));
    }
    text
}

#[track_caller]
fn check(record: &RunRecord, expect: Expect) {
    expect.assert_eq(&told(record));
}

/// What is in a range of seconds, and otherwise something else.
fn within<T: Copy>(range: std::ops::Range<u64>, inside: T, outside: T) -> impl Fn(u64) -> T {
    move |second| if range.contains(&second) { inside } else { outside }
}

#[test]
fn a_stream_that_holds_under_foreign_load_holds_and_the_run_is_degraded() {
    check(
        &run(60, |_| 15, |_| 0.65),
        expect![[r#"
        holds: -
        degraded: 65 % of the CPU went to other programs for 60 s
    "#]],
    );
    check(
        &run(60, |_| 15, |_| 0.01),
        expect![[r#"
        holds: -
    "#]],
    );
}

#[test]
fn seconds_of_foreign_load_are_left_out_if_they_are_few() {
    check(
        &run(60, within(20..23, 5, 15), within(20..23, 0.65, 0.01)),
        expect![[r#"
            holds: -
            left out 21.0..26.0 s: OtherPrograms
            degraded: 65 % of the CPU went to other programs for 3 s
        "#]],
    );
}

#[test]
fn too_many_seconds_of_foreign_load_decide_nothing() {
    check(
        &run(60, within(20..40, 5, 15), within(20..40, 0.65, 0.01)),
        expect![[r#"
            undecided: 11.66 fps is less than 98 % of 15; 77.77 % on time is less than 99 %; 37 % of its window was disturbed: 65 % of the CPU went to other programs for 20 s
            left out 21.0..43.0 s: OtherPrograms
            degraded: 65 % of the CPU went to other programs for 20 s
        "#]],
    );
}

#[test]
fn the_reason_for_a_disturbed_window_is_what_lasted_longest() {
    let mut record = run(60, within(20..40, 5, 15), within(20..40, 0.65, 0.01));
    // It begins before the other programs do.
    let (at_us, values) =
        ((18..=24).map(|second| second * S).collect(), vec![0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let (name, unit) = ("cpu.measuring".to_owned(), "{process}".to_owned());
    record.series.push(SeriesRecord { name, unit, at_us, values });
    let told = told(&record);
    assert!(told.contains("of its window was disturbed: 65 % of the CPU went to other programs"), "{told}");
    assert!(told.contains("another `lp` ran pipelines for 1 s"), "{told}");
}

#[test]
fn a_stream_that_is_slow_beside_the_foreign_load_does_not_hold() {
    check(
        &run(60, within(30..40, 5, 15), within(20..23, 0.65, 0.01)),
        expect![[r#"
            does not hold: 13.18 fps is less than 98 % of 15; 87.87 % on time is less than 99 %
            left out 21.0..26.0 s: OtherPrograms
            degraded: 65 % of the CPU went to other programs for 3 s
        "#]],
    );
    check(
        &run(60, within(30..40, 5, 15), |_| 0.01),
        expect![[r#"
            does not hold: 13.33 fps is less than 98 % of 15; 88.88 % on time is less than 99 %
        "#]],
    );
}

#[test]
fn foreign_load_of_a_large_machine_is_told_and_excuses_nothing() {
    let mut record = run(60, within(20..40, 5, 15), |_| 0.01);
    record.host.facts.insert("cpus".to_owned(), "64".to_owned());
    check(
        &record,
        expect![[r#"
            does not hold: 11.66 fps is less than 98 % of 15; 77.77 % on time is less than 99 %
            degraded: 1 % of the CPU went to other programs for 60 s
        "#]],
    );
}

#[test]
fn what_may_be_the_lane_itself_excuses_nothing() {
    for (name, value) in [("pressure.memory.some", 0.5), ("pressure.io.some", 0.9), ("throttle.count", 3.0)] {
        let record = with_series(run(60, within(20..40, 5, 15), |_| 0.0), &[(name, value)]);
        let measurement = measure(&record);
        assert_eq!(measurement.cameras[0].verdict, crate::record::measure::Verdict::DoesNotHold, "{name}");
        assert_eq!(measurement.degraded.len(), 1, "{name}");
    }
    let swapping = [("memory.swap_in", 3e6), ("memory.swap_out", 2e6)];
    check(
        &with_series(run(60, within(20..40, 5, 15), |_| 0.0), &swapping),
        expect![[r#"
            does not hold: 11.66 fps is less than 98 % of 15; 77.77 % on time is less than 99 %
            degraded: 5 MB a second were swapped for 60 s
        "#]],
    );
}

#[test]
fn steal_and_another_measurement_are_foreign() {
    for name in ["machine.steal", "cpu.measuring"] {
        let record = with_series(run(60, within(20..40, 5, 15), |_| 0.0), &[(name, 1.0)]);
        let measurement = measure(&record);
        assert_eq!(measurement.cameras[0].verdict, crate::record::measure::Verdict::Undecided, "{name}");
    }
}

/// The same with series that have one value all the time.
fn with_series(mut record: RunRecord, series: &[(&str, f64)]) -> RunRecord {
    for (name, value) in series {
        let at_us: Vec<u64> = (1..=62).map(|second| second * S).collect();
        let values = vec![*value; at_us.len()];
        record.series.push(SeriesRecord { name: (*name).to_owned(), unit: "1".to_owned(), at_us, values });
    }
    record
}

#[test]
fn the_host_tells_what_it_is_whatever_runs_on_it() {
    let facts = [
        ("governor", "performance, powersave"),
        ("power_profile", "balanced"),
        ("kernel", "5.15.153.1-microsoft-standard-WSL2"),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let text: Vec<String> = of_host(&facts).into_iter().map(|reason| reason.text).collect();
    expect![[r#"
        the frequency governor is `performance, powersave`
        the power profile is `balanced`
        this is WSL2, where the load of Windows, stolen time, frequencies, temperatures and throttling cannot be measured"#]].assert_eq(&text.join("\n"));
    let facts = [("governor", "schedutil"), ("power_profile", "performance"), ("kernel", "6.1.0-28-amd64")];
    assert!(of_host(&facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).is_empty());
    assert!(of_host(&std::collections::BTreeMap::new()).is_empty());
}

/// The series of a recorded file.
fn recorded(text: &str) -> Vec<SeriesRecord> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').skip(1).collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let series = |(n, name): (usize, &&str)| SeriesRecord {
        name: (*name).to_owned(),
        unit: "1".to_owned(),
        at_us: rows.iter().map(|row| (row[0] * 1e6) as u64).collect(),
        values: rows.iter().map(|row| row[n + 1]).collect(),
    };
    names.iter().enumerate().map(series).collect()
}

const BACKGROUND: &str = include_str!("../../../../tests/data/fit/background.csv");

#[track_caller]
fn check_series(series: &[SeriesRecord], expect: Expect) {
    let line = |one: &Disturbance| {
        let (begin, end) = (one.begin_us / S, one.end_us / S);
        format!("{begin}..{end} s: {}\n", words::disturbance(one.cause, one.mean, None, &[]))
    };
    expect.assert_eq(&disturbances(series, Some(2.0)).iter().map(line).collect::<String>());
}

#[test]
fn recorded_disturbances_are_found() {
    check_series(&recorded(BACKGROUND), expect![""]);
    check_series(
        &recorded(include_str!("../../../../tests/data/fit/disk.csv")),
        expect![[r#"
        14..20 s: programs waited for the disk 25 % of the time
    "#]],
    );
    check_series(
        &recorded(include_str!("../../../../tests/data/fit/memory.csv")),
        expect![[r#"
        12..24 s: programs waited for memory 13 % of the time
        18..24 s: programs waited for the disk 25 % of the time
    "#]],
    );
    // 20 % of one of the two cores, from second 101 to 160.
    let mut series = recorded(BACKGROUND);
    series[0].values[100..160].iter_mut().for_each(|share| *share += 0.1);
    check_series(
        &series,
        expect![[r#"
        100..160 s: 11 % of the CPU went to other programs
    "#]],
    );
    let mut series = recorded(BACKGROUND);
    series[1].values[100..103].iter_mut().for_each(|share| *share += 0.3);
    check_series(
        &series,
        expect![[r#"
        100..103 s: the hypervisor took 30 % of the CPU
    "#]],
    );
}

/// Numbers in [0, 1): splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed with this mean.
    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.next()).ln()
    }
}

/// A quiet machine for a minute: recorded daemons from somewhere on, more of them by a model
/// (one in twenty seconds wakes up for 50 ms on average), clocks that count ticks of 10 ms, a
/// file system that commits every 5 s, a page that is read now and then.
fn quiet(seed: u64) -> Vec<SeriesRecord> {
    let mut chance = Chance(seed);
    let mut series = recorded(BACKGROUND);
    let from = (chance.next() * 240.0) as usize;
    for one in &mut series {
        one.values = one.values[from..from + 60].to_vec();
        one.at_us.truncate(60);
    }
    for share in &mut series[0].values {
        let daemon = if chance.next() < 0.05 { chance.exponential(0.05) } else { 0.0 };
        *share += (daemon + 0.02 * (chance.next() - 0.5)) / 2.0;
        *share = share.max(0.0);
    }
    let phase = (chance.next() * 5.0) as usize;
    let mut io = series[0].clone();
    io.name = "pressure.io.some".to_owned();
    io.values = (0..60)
        .map(|second| {
            let commit = if second % 5 == phase { chance.exponential(0.04) } else { 0.0 };
            let read = if chance.next() < 0.02 { chance.exponential(0.1) } else { 0.0 };
            (commit + read).min(1.0)
        })
        .collect();
    series.push(io);
    series
}

#[test]
fn of_a_hundred_quiet_starts_none_is_disturbed_and_a_planted_load_is_found_within_10_s() {
    let mut found = [0; 3];
    for seed in 0..100 {
        assert_eq!(disturbances(&quiet(seed), Some(2.0)), [], "seed {seed}");
        // 20 % of a core, in whole ticks and with the jitter of its own; the disk and memory
        // as weak as they were recorded.
        for (n, (name, strength)) in
            [("cpu.foreign", 0.1), ("pressure.io.some", 0.25), ("pressure.memory.some", 0.07)]
                .iter()
                .enumerate()
        {
            let mut series = quiet(seed);
            let mut chance = Chance(seed + 1_000);
            let begin = 5 + (chance.next() * 30.0) as usize;
            let one = series.iter_mut().find(|one| one.name == *name).unwrap();
            for value in &mut one.values[begin..begin + 10] {
                *value += strength * (0.85 + 0.3 * chance.next());
            }
            one.values.truncate(begin + 10);
            one.at_us.truncate(begin + 10);
            found[n] += u32::from(!disturbances(&series, Some(2.0)).is_empty());
        }
    }
    assert!(found.iter().all(|found| *found >= 95), "{found:?}");
}
