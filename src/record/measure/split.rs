//! How the machine's CPU time divides between the workers of the run and everything
//! else: scripts, other programs, the kernel, `lp` itself and what a hypervisor took.
//!
//! A collector of processes divides the busy time among all of them ([`owned`]). Where it
//! could not run, and in records before version 6, there is what workers say: the CPU time
//! of their process once a second. The rest of the machine's busy share is then everything
//! else ([`loads`]).

use super::WorkerFigures;
use super::machine::mean_share;
use crate::collect::machine::CPU;
use crate::collect::processes::{COLLECTORS, FOREIGN, LP, OTHERS, SCRIPTS, WORKERS};
use crate::record::{Host, RunRecord, SeriesRecord, WorkerRecord, WorkerSample};

/// Who used the CPU, each as a share of all cores: the run's workers, its scripts and servers, programs of
/// the user's that measure beside it, `lp`, then what nobody was seen to use (the kernel's threads,
/// interrupts), then other programs.
pub type Owned = [f64; 6];

/// The series behind [`Owned`]; the last is a part of the one before. A run without programs that measure
/// beside it has no series of them.
const SERIES: [&str; 6] = [WORKERS, SCRIPTS, COLLECTORS, LP, OTHERS, FOREIGN];

fn owned_of([workers, scripts, collectors, lp, others, foreign]: [f64; 6]) -> Owned {
    [workers, scripts, collectors, lp, (others - foreign).max(0.0), foreign]
}

/// A share of a series, or 0 if nobody could have used it.
fn share_of(record: &RunRecord, name: &str, share: Option<f64>) -> Option<f64> {
    let is_nobodys = name == COLLECTORS && record.series_of(name).is_none();
    share.or(is_nobodys.then_some(0.0))
}

/// Who used the CPU at each time at which all is known; none where nothing tells it.
#[must_use]
pub fn owned(record: &RunRecord) -> Vec<(u64, Owned)> {
    let Some(first) = record.series_of(WORKERS) else { return Vec::new() };
    let all = SERIES.map(|name| (name, record.series_of(name)));
    let value = |series: Option<&SeriesRecord>, at_us: u64| {
        let series = series?;
        series.at_us.binary_search(&at_us).ok().and_then(|at| series.values.get(at).copied())
    };
    let at = |at_us: &u64| {
        let share =
            |(name, series): &(&str, Option<&SeriesRecord>)| share_of(record, name, value(*series, *at_us));
        let shares: Option<Vec<f64>> = all.iter().map(share).collect();
        Some((*at_us, owned_of(shares?.try_into().ok()?)))
    };
    first.at_us.iter().filter_map(at).collect()
}

/// Who used the CPU while all streams were measured, on average.
#[must_use]
pub fn mean_owned(record: &RunRecord) -> Option<Owned> {
    let shares = SERIES.iter().map(|name| share_of(record, name, mean_share(record, name)));
    let shares: Option<Vec<f64>> = shares.collect();
    Some(owned_of(shares?.try_into().ok()?))
}

/// The use of the machine between two samples of its CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The end of that time since the record's origin.
    pub at_us: u64,
    /// Share of all cores that was busy, 0 to 1.
    pub cpu: f64,
    /// Share of all cores that the workers used; `None` if one of them did not say.
    pub workers: Option<f64>,
}

/// The use of the machine over the run, in the order of time.
#[must_use]
pub fn loads(record: &RunRecord) -> Vec<Load> {
    let points: Vec<(u64, f64)> =
        record.series_of(CPU).into_iter().flat_map(|series| series.points()).collect();
    let cores = cores(record).filter(|_| !record.workers.is_empty());
    let mut from = None;
    let load = |(at_us, cpu): (u64, f64)| {
        let span = from.replace(at_us).filter(|from| *from < at_us).map(|from| (from, at_us));
        let workers = span.zip(cores).and_then(|(span, cores)| {
            let used: Option<f64> = record.workers.iter().map(|worker| used_us(worker, span)).sum();
            // Two clocks, read one after the other.
            used.map(|used| (used / (span.1 - span.0) as f64 / cores).min(cpu))
        });
        Load { at_us, cpu, workers }
    };
    points.into_iter().map(load).collect()
}

/// The mean share of all cores that the workers used in the common window; `None` if it
/// is not known of one of them.
#[must_use]
pub fn workers_cpu(record: &RunRecord, workers: &[WorkerFigures]) -> Option<f64> {
    // The figure of a worker that died is about its life only.
    let is_whole = !workers.is_empty() && workers.iter().all(|worker| worker.death.is_none());
    let known: Option<f64> = workers.iter().map(|worker| worker.cpu).sum();
    known.zip(cores(record)).filter(|_| is_whole).map(|(used, cores)| used / cores)
}

/// The cores of the machine.
pub(super) fn cores(record: &RunRecord) -> Option<f64> {
    cores_of(&record.host)
}

/// The cores of a host.
pub(super) fn cores_of(host: &Host) -> Option<f64> {
    host.facts.get("cpus")?.parse().ok().filter(|cores| *cores >= 1.0)
}

/// The CPU time that a worker used in a span; `None` if it did not say.
fn used_us(worker: &WorkerRecord, (from, to): (u64, u64)) -> Option<f64> {
    let last = worker.samples.last()?;
    // A worker that died used nothing after that.
    if worker.death.is_none() && last.at_us < to - (to - from) / 2 {
        return None;
    }
    let lives = worker.death.is_none();
    Some((cpu_at(&worker.samples, lives, to) - cpu_at(&worker.samples, lives, from)).max(0.0))
}

/// The CPU time of a worker at a moment, in microseconds: between two samples a straight
/// line, which goes on after the last one if it lives.
fn cpu_at(samples: &[WorkerSample], lives: bool, moment: u64) -> f64 {
    let after = samples.partition_point(|sample| sample.at_us < moment);
    let after = if lives { after.min(samples.len() - 1) } else { after };
    let point = |sample: &WorkerSample| (sample.at_us, sample.cpu_us);
    let Some((to, most)) = samples.get(after).map(point) else {
        return samples.last().map_or(0.0, |sample| sample.cpu_us as f64);
    };
    // The first sample comes a second after the worker began.
    let begin = (to.saturating_sub(1_000_000), 0);
    let (from, least) = after.checked_sub(1).map_or(begin, |before| point(&samples[before]));
    let part = moment.saturating_sub(from) as f64 / (to - from).max(1) as f64;
    least as f64 + part * most.saturating_sub(least) as f64
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::Pace;
    use crate::record::fixture::{S, Story, member, setup};
    use crate::worker::protocol::EventBody;

    /// Two cores; a worker says its CPU time at these moments.
    #[track_caller]
    fn check(machine: &[(u64, f64)], worker: &[(u64, u64)], expect: Expect) {
        let mut story =
            Story::new(setup(Pace::Live, 30, 2, &["c"], vec![member("c", "c", 10.0, &[(&["scan"], 0)])]));
        for (at_us, cpu) in machine {
            story.machine(*at_us, [*cpu, 0.0, 1e9]);
        }
        for (at_us, cpu_us) in worker {
            story.say(0, *at_us, EventBody::Process { cpu_us: *cpu_us, rss: 1, files: None });
        }
        let share = |share: f64| format!("{:.1} %", share * 100.0);
        let text: String = loads(&story.builder.finish())
            .iter()
            .map(|load| {
                let workers = load.workers.map_or_else(|| "unknown".to_owned(), share);
                format!("{} s: {}, workers {workers}\n", load.at_us as f64 / 1e6, share(load.cpu))
            })
            .collect();
        expect.assert_eq(&text);
    }

    #[test]
    fn the_time_of_workers_is_spread_over_the_samples_of_the_machine() {
        let machine: Vec<(u64, f64)> = (1..6).map(|second| (second * S, 0.5)).collect();
        // 0.4 s of CPU a second on two cores, from 1.5 s on.
        let worker: Vec<(u64, u64)> = (0..4).map(|n| (2 * S + S / 2 + n * S, (n + 1) * 400_000)).collect();
        check(
            &machine,
            &worker,
            expect![[r#"
                1 s: 50.0 %, workers unknown
                2 s: 50.0 %, workers 10.0 %
                3 s: 50.0 %, workers 20.0 %
                4 s: 50.0 %, workers 20.0 %
                5 s: 50.0 %, workers 20.0 %
            "#]],
        );
    }

    #[test]
    fn workers_never_use_more_than_the_machine_and_silence_is_not_zero() {
        check(
            &[(S, 0.5), (2 * S, 0.1), (3 * S, 0.5), (4 * S, 0.5)],
            &[(S, 100_000), (2 * S, 900_000)],
            expect![[r#"
                1 s: 50.0 %, workers unknown
                2 s: 10.0 %, workers 10.0 %
                3 s: 50.0 %, workers unknown
                4 s: 50.0 %, workers unknown
            "#]],
        );
        check(
            &[(S, 0.5), (2 * S, 0.5)],
            &[],
            expect![[r#"
            1 s: 50.0 %, workers unknown
            2 s: 50.0 %, workers unknown
        "#]],
        );
    }
}
