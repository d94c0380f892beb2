//! Estimates from made-up runs, and from runs on simulated machines whose truth is known.

use expect_test::{Expect, expect};

use super::*;
use crate::collect::processes::{FOREIGN, LP, OTHERS, SCRIPTS, WORKERS};
use crate::record::fixture::{S, Story, member, setup};
use crate::record::measure::measure;
use crate::record::{StepRecord, WorkerDetails};
use crate::worker::protocol::{EventBody, ThreadGroup};

/// A second of a machine, in cores.
#[derive(Clone, Copy, Default)]
struct Used {
    workers: f64,
    kernel: f64,
    foreign: f64,
}

/// A run of 30 s of so many copies of a camera on a machine of so many cores and 4 GiB, of
/// which 1 GiB is used by a worker of 256 MiB for each copy, and by others.
fn run(cores: u32, count: u32, used: impl Fn(u64) -> Used) -> RunRecord {
    let names: Vec<String> = (1..=count).map(|n| format!("c-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let members = names.iter().enumerate().map(|(n, name)| member(name, name, 15.0, &[(&["scan"], n)]));
    let mut setup = setup(Pace::Live, 30, 2, &names, members.collect());
    setup.conditions.count = count;
    setup.host.facts.insert("cpus".to_owned(), cores.to_string());
    let mut story = Story::new(setup);
    for second in 0..34 {
        for (worker, name) in names.iter().enumerate() {
            story.play(worker, &format!("{name}/1"), second, second + 1, 15);
            story.say(
                worker,
                (second + 1) * S,
                EventBody::Process { cpu_us: 1, rss: 300 << 20, files: None },
            );
        }
        let Used { workers, kernel, foreign } = used(second);
        let share = |used: f64| used / f64::from(cores);
        story.machine((second + 1) * S, [share(workers + kernel + foreign), 0.0, f64::from(1 << 30)]);
        let values =
            [(WORKERS, workers), (SCRIPTS, 0.0), (LP, 0.0), (OTHERS, kernel + foreign), (FOREIGN, foreign)];
        story.collect((second + 1) * S, &values.map(|(name, value)| (name, share(value))));
    }
    let mut record = story.builder.finish();
    for worker in &mut record.workers {
        let details = |at_us, cpu_us| WorkerDetails {
            at_us,
            pss: Some(256 << 20),
            threads: [("decoder:src".to_owned(), ThreadGroup { n: 1, cpu_us })].into(),
        };
        worker.details = vec![details(0, 0), details(30 * S, 6 * S)];
    }
    record
}

fn steady(workers: f64) -> impl Fn(u64) -> Used {
    move |_| Used { workers, ..Used::default() }
}

/// The estimate and what it rests on.
#[track_caller]
fn check(record: &RunRecord, expect: Expect) {
    let estimate = measure(record).estimate;
    let bound = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let mut text = format!("{}..{}", bound(estimate.low), bound(estimate.high));
    text.extend(estimate.first.map(|first| format!(", {} first", first.word())));
    text.extend(estimate.reason.map(|reason| format!(": {reason}")));
    for one in estimate.resources {
        let (low, high) = (bound(one.low), bound(one.high));
        let (word, per_copy, others) = (one.resource.word(), one.per_copy, one.others);
        text.push_str(&format!("\n{word}: {per_copy} and {others} of {}: {low}..{high}", one.available));
    }
    expect.assert_eq(&text);
}

#[test]
fn the_resource_that_is_used_up_first_limits() {
    check(
        &run(2, 1, steady(0.3)),
        expect![[r#"
            5..7, cpu first
            cpu: 0.3 and 0 of 2: 5..7
            memory: 268435456 and 805306368 of 4294967296: 11..13
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    // Memory for fewer.
    check(
        &run(16, 1, steady(0.3)),
        expect![[r#"
            11..13, memory first
            cpu: 0.3 and 0 of 16: 37..61
            memory: 268435456 and 805306368 of 4294967296: 11..13
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    // Two copies need as much as one twice.
    check(
        &run(2, 2, steady(0.6)),
        expect![[r#"
            5..7, cpu first
            cpu: 0.3 and 0 of 2: 5..7
            memory: 268435456 and 536870912 of 4294967296: 12..14
            thread: 0.2 and 0 of 1: -..-"#]],
    );
}

#[test]
fn what_is_not_the_runs_own_is_not_left_for_copies() {
    check(
        &run(4, 1, |_| Used { workers: 0.3, kernel: 0.2, foreign: 0.08 }),
        expect![[r#"
        6..13, cpu first
        cpu: 0.3 and 0.28 of 4: 6..13
        memory: 268435456 and 805306368 of 4294967296: 11..13
        thread: 0.2 and 0 of 1: -..-"#]],
    );
}

#[test]
fn limits_of_a_control_group_count() {
    let mut record = run(16, 1, steady(0.3));
    record.host.facts.insert("cpu_limit".to_owned(), "1.5".to_owned());
    check(
        &record,
        expect![[r#"
        3..5, cpu first
        cpu: 0.3 and 0 of 1.5: 3..5
        memory: 268435456 and 805306368 of 4294967296: 11..13
        thread: 0.2 and 0 of 1: -..-"#]],
    );
    record.host.facts.insert("cpu_limit".to_owned(), "16".to_owned());
    record.host.facts.insert("memory_limit".to_owned(), "1024 MiB".to_owned());
    check(
        &record,
        expect![[r#"
            3..4, memory first
            cpu: 0.3 and 0 of 16: 37..61
            memory: 268435456 and 0 of 1073741824: 3..4
            thread: 0.2 and 0 of 1: -..-"#]],
    );
}

#[test]
fn two_threads_a_core_are_less_than_two_cores() {
    let mut record = run(8, 1, steady(0.6));
    record.host.facts.insert("memory".to_owned(), "65536 MiB".to_owned());
    check(
        &record,
        expect![[r#"
            9..15, cpu first
            cpu: 0.6 and 0 of 8: 9..15
            memory: 268435456 and 805306368 of 68719476736: 227..253
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    record.host.facts.insert("smt".to_owned(), "on".to_owned());
    check(
        &record,
        expect![[r#"
            7..15, cpu first
            cpu: 0.6 and 0 of 8: 7..15
            memory: 268435456 and 805306368 of 68719476736: 227..253
            thread: 0.2 and 0 of 1: -..-"#]],
    );
}

#[test]
fn runs_of_other_numbers_show_what_one_more_costs() {
    let other = |count, own_cores, holds| OtherCount { run: "r".to_owned(), count, own_cores, holds };
    let mut record = run(8, 1, steady(0.5));
    record.host.facts.insert("memory".to_owned(), "65536 MiB".to_owned());
    // A part of it is there once.
    record.other_counts = vec![other(2, 0.8, None), other(4, 1.4, Some(true))];
    check(
        &record,
        expect![[r#"
            17..28, cpu first
            cpu: 0.35 and 0 of 8: 17..28
            memory: 268435456 and 805306368 of 68719476736: 227..253
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    // It gets dearer, and 5 did not hold.
    record.other_counts = vec![other(3, 2.1, Some(true)), other(5, 7.9, Some(false))];
    check(
        &record,
        expect![[r#"
            3..4: 5 did not hold, and no resource that was measured was used up
            cpu: 0.7 and 0 of 8: 8..12
            memory: 268435456 and 805306368 of 68719476736: 227..253
            thread: 0.2 and 0 of 1: -..-"#]],
    );
}

#[test]
fn what_was_measured_bounds_the_estimate() {
    // All held, though little is left.
    check(
        &run(2, 3, steady(1.9)),
        expect![[r#"
        3..3, cpu first
        cpu: 0.633333 and 0 of 2: 2..3
        memory: 268435456 and 268435456 of 4294967296: 13..15
        thread: 0.2 and 0 of 1: -..-"#]],
    );
    let lame = |count| {
        let mut record = run(2, count, steady(0.3));
        record.members[0].streams[0].arrived_us.retain(|at_us| at_us % S < S / 2);
        let left = record.members[0].streams[0].arrived_us.len();
        record.members[0].streams[0].late_us.truncate(left);
        record.members[0].streams[0].latency_us.truncate(left);
        record
    };
    check(
        &lame(1),
        expect![[r#"
            0..1: 1 did not hold, and no resource that was measured was used up
            cpu: 0.3 and 0 of 2: 5..7
            memory: 268435456 and 805306368 of 4294967296: 11..13
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    check(
        &lame(3),
        expect![[r#"
            0..2: 3 did not hold, and no resource that was measured was used up
            cpu: 0.1 and 0 of 2: 15..22
            memory: 268435456 and 268435456 of 4294967296: 13..15
            thread: 0.2 and 0 of 1: -..-"#]],
    );
    let mut record = lame(1);
    record.workers[0].details[1].threads.get_mut("decoder:src").unwrap().cpu_us = 29 * S;
    check(
        &record,
        expect![[r#"
            0..1, thread first
            cpu: 0.3 and 0 of 2: 5..7
            memory: 268435456 and 805306368 of 4294967296: 11..13
            thread: 0.966667 and 0 of 1: 0..-"#]],
    );
}

#[test]
fn where_the_use_says_nothing_the_reason_is_told() {
    let mut record = run(2, 1, steady(0.3));
    record.conditions.pace = Pace::Free;
    check(&record, expect!["-..-: files that are played freely use all that they get"]);
    check(
        &run(2, 1, |_| Used { workers: 0.3, kernel: 0.0, foreign: 1.2 }),
        expect!["-..-: 100 % of its window was disturbed: 60 % of the CPU went to other programs for 30 s"],
    );
    let mut record = run(2, 1, steady(0.3));
    record.members[0].streams[0].steps = vec![StepRecord {
        kind: "gvadetect".to_owned(),
        device: Some("GPU.1".to_owned()),
        ..StepRecord::default()
    }];
    check(&record, expect!["-..-: `gvadetect` runs on GPU.1, whose load is in no estimate"]);
    let mut record = run(2, 1, steady(0.3));
    record.members[0].streams[0].failure = Some("no memory".to_owned());
    check(&record, expect!["-..-: c-1 failed"]);
    let mut record = run(2, 1, steady(0.3));
    record.series.clear();
    check(&record, expect!["-..-: the CPU of the pipelines was not measured"]);
}

#[test]
fn seconds_of_other_programs_do_not_count() {
    // The lane seems to need twice as much while a compiler runs.
    let beside = |second| {
        if second == 20 { Used { workers: 0.6, kernel: 0.0, foreign: 1.4 } } else { steady(0.3)(second) }
    };
    let (alone, beside) = (measure(&run(2, 1, steady(0.3))), measure(&run(2, 1, beside)));
    assert_eq!(alone.estimate, beside.estimate);
}

/// A machine on which copies get dearer, as full caches make them.
struct Machine {
    cores: f64,
    per_copy: f64,
    once: f64,
    noise: f64,
    /// Per copy when the machine is full, as a share.
    dearer: f64,
    seed: u64,
}

impl Machine {
    fn mean(&self, n: u32) -> f64 {
        let n = f64::from(n);
        let idle_cost = self.once + self.per_copy * n;
        idle_cost + self.per_copy * n * self.dearer * (idle_cost / self.cores).min(1.0)
    }

    /// The most copies that leave the CPU 5 % idle.
    fn truth(&self) -> u32 {
        (1..).take_while(|n| self.mean(*n) <= 0.95 * self.cores).last().unwrap_or(0)
    }

    fn record(&self, n: u32) -> RunRecord {
        let used = |second: u64| {
            let mut random = self.seed.wrapping_add(second).wrapping_mul(6_364_136_223_846_793_005);
            random ^= random >> 29;
            random = random.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
            Used { workers: self.mean(n) * (1.0 + self.noise * (unit - 0.5)), ..Used::default() }
        };
        let mut record = run(self.cores as u32, n, used);
        record.host.facts.insert("memory".to_owned(), "999999999 MiB".to_owned());
        record
    }
}

#[test]
fn the_truth_of_a_simulated_machine_is_in_the_range() {
    let (mut n_all, mut wrong, mut ratios) = (0, Vec::new(), Vec::new());
    for (cores, lanes) in [(2.0, 2.2), (2.0, 5.5), (4.0, 3.4), (8.0, 12.8), (16.0, 40.3), (64.0, 200.0)] {
        for (dearer, once) in [(0.0, 0.0), (0.1, 0.02), (0.2, 0.0), (0.0, 0.05)] {
            for (noise, seed) in [(0.0, 1), (0.2, 2), (0.6, 3)] {
                let machine = Machine { cores, per_copy: cores / lanes, once, noise, dearer, seed };
                let truth = machine.truth();
                let mut record = machine.record(1);
                for step in 0..2 {
                    if step == 1 {
                        let other = machine.record(2);
                        if machine.truth() < 2 {
                            continue;
                        }
                        record.other_counts = other_count("r", &other).into_iter().collect();
                    }
                    let estimate = measure(&record).estimate;
                    let (low, high) = (estimate.low.unwrap(), estimate.high.unwrap());
                    n_all += 1;
                    if !(low..=high).contains(&truth) {
                        wrong.push(format!(
                            "{cores} cores, {dearer}, {once}: {truth} is not in {low}..{high}"
                        ));
                    }
                    ratios.push(f64::from(high) / f64::from(low.max(1)));
                }
            }
        }
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    assert!(wrong.len() * 20 <= n_all, "{} of {n_all}: {}", wrong.len(), wrong.join("\n"));
    assert!(median < 1.7, "{median}");
}
