//! What a load did to the machine, from its record: the evidence of what limits it.
//!
//! Pure. Means are over the common window. A figure that no collector gave is not known, and
//! never zero. Not here: what it shows (`search::limiter`).

mod engines;

use super::machine::{mean_share, points};
use super::{Measurement, StreamFigures};
use crate::collect::cgroup::{MEMORY_LIMIT, THROTTLED};
use crate::collect::machine::CPU;
use crate::collect::memory::{SWAP_IN, SWAP_OUT};
use crate::collect::processes::{FOREIGN, WORKERS};
use crate::record::{Isolation, RunRecord, StreamRecord};
use crate::search::limiter::{Evidence, Mean, Queue, Thread};

/// So many samples are averaged before they are compared: neighbouring seconds are alike.
const BATCH: usize = 3;

/// What this load did; `figures` are those of the record.
#[must_use]
pub fn evidence(record: &RunRecord, figures: &Measurement) -> Evidence {
    let fact = |name: &str| record.host.facts.get(name)?.parse::<f64>().ok();
    let share = |name: &str| mean_share(record, name);
    let cores = fact("cpus");
    let own_cpu = mean(&points(record, WORKERS)).or_else(|| {
        // Where processes are hidden, workers say themselves what they use.
        let loads = super::split::loads(record);
        let window = figures.machine.window_us?;
        let inside = loads.iter().filter(|load| (window.0..=window.1).contains(&load.at_us));
        mean(&inside.filter_map(|load| load.workers).collect::<Vec<f64>>())
    });
    let swapping = share(SWAP_IN).zip(share(SWAP_OUT)).map(|(read, written)| read + written);
    Evidence {
        cores,
        bound_to: fact("cpus_allowed"),
        quota: fact("cpu_limit"),
        machine_cpu: share(CPU),
        foreign_cpu: share(FOREIGN),
        own_cpu,
        busy: busy(record),
        throttled: share(THROTTLED),
        cpu_wait: share("pressure.cpu.some"),
        memory_wait: share("pressure.memory.some"),
        disk_wait: share("pressure.io.some"),
        swapping,
        memory_hits: share(MEMORY_LIMIT),
        disk_busy: disk_busy(record),
        thread: thread(figures),
        engines: engines::engines(record),
        queues: queues(record, figures),
        delivered: delivered(record, figures),
        processed: processed(figures),
        worst: least(
            streams(figures).map(|(target, stream)| stream.goodput.or(stream.fps).unwrap_or(0.0) / target),
        ),
        streams_per_worker: streams_per_worker(record),
    }
}

/// The mean of values of about one second each, and its standard error from batches.
fn mean(values: &[f64]) -> Option<Mean> {
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let length = if values.len() < 4 * BATCH { 1 } else { BATCH };
    let batches: Vec<f64> = values.chunks_exact(length).map(average).collect();
    let n = batches.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = average(&batches);
    let variance = batches.iter().map(|batch| (batch - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(Mean { mean: average(values), error: (variance / n).sqrt() })
}

/// The mean of each core, in the order of their numbers.
fn busy(record: &RunRecord) -> Vec<f64> {
    let number = |name: &str| name.strip_prefix("cpu.")?.strip_suffix(".busy")?.parse::<u32>().ok();
    let mut cores: Vec<(u32, f64)> = record
        .series
        .iter()
        .filter_map(|series| Some((number(&series.name)?, mean_share(record, &series.name)?)))
        .collect();
    cores.sort_by_key(|(number, _)| *number);
    cores.into_iter().map(|(_, share)| share).collect()
}

/// The mean of the busiest disk.
fn disk_busy(record: &RunRecord) -> Option<f64> {
    let is_busy = |name: &str| name.starts_with("disk.") && name.ends_with(".busy");
    let disks = record.series.iter().filter(|series| is_busy(&series.name));
    disks.filter_map(|series| mean_share(record, &series.name)).reduce(f64::max)
}

/// The busiest thread: of threads of one name, their average.
fn thread(figures: &Measurement) -> Option<Thread> {
    let of_worker =
        figures.workers.iter().flat_map(|worker| worker.threads.iter().map(move |one| (worker, one)));
    let threads = of_worker.filter_map(|(worker, group)| {
        let cpu = group.cpu? / f64::from(group.n.max(1));
        Some(Thread { worker: worker.name.clone(), name: group.name.clone(), cpu })
    });
    threads.max_by(|one, other| one.cpu.total_cmp(&other.cpu))
}

/// Streams with a target, each with it.
fn streams(figures: &Measurement) -> impl Iterator<Item = (f64, &StreamFigures)> {
    let pipelines =
        figures.cameras.iter().flat_map(|camera| camera.streams.iter().map(move |one| (camera, one)));
    let pipelines = pipelines.filter(|(_, stream)| stream.script.is_none());
    pipelines.map(|(camera, stream)| (camera.target_fps, stream)).filter(|(target, _)| 0.0 < *target)
}

fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::min)
}

/// The rates of all streams over their targets.
fn processed(figures: &Measurement) -> Option<f64> {
    let (asked, had) = streams(figures)
        .filter_map(|(target, stream)| Some((target, stream.fps?)))
        .fold((0.0, 0.0), |(asked, had), (target, fps)| (asked + target, had + fps.min(target)));
    (0.0 < asked).then(|| had / asked)
}

/// The queues of streams that do not hold: those that dropped most, then the fullest.
fn queues(record: &RunRecord, figures: &Measurement) -> Vec<Queue> {
    let fails = |stream: &&StreamRecord| {
        figures.stream(&stream.stream).is_some_and(|figures| !figures.verdict.is_good())
    };
    let failing = record.members.iter().flat_map(|member| &member.streams).filter(fails);
    let mut queues: Vec<Queue> = failing
        .flat_map(|stream| {
            let queue = move |(name, levels): (&String, &std::collections::BTreeMap<u32, u64>)| {
                let seconds: u64 = levels.values().sum();
                let (most, at_most) = levels.last_key_value().map_or((0, 0), |(most, n)| (*most, *n));
                let full = if most == 0 { 0.0 } else { at_most as f64 / seconds.max(1) as f64 };
                let dropped = stream.dropped_at.get(name).copied().unwrap_or(0);
                Queue { name: name.clone(), full, most, dropped }
            };
            stream.queues.iter().map(queue)
        })
        .collect();
    queues.sort_by(|one, other| other.dropped.cmp(&one.dropped).then(other.full.total_cmp(&one.full)));
    queues.truncate(Evidence::QUEUES);
    queues
}

/// The least rate of a source as a share of that of its camera.
fn delivered(record: &RunRecord, figures: &Measurement) -> Option<f64> {
    let of_member = record.members.iter().flat_map(|member| {
        let fps = member.configured.as_ref().map(|source| source.fps);
        member
            .streams
            .iter()
            .filter_map(move |stream| Some((fps?, figures.stream(&stream.stream)?.delivered_fps?)))
    });
    least(of_member.filter(|(fps, _)| 0.0 < *fps).map(|(fps, delivered)| delivered / fps))
}

/// The most streams that one worker played.
fn streams_per_worker(record: &RunRecord) -> u32 {
    let counts = record.members.iter().map(|member| member.streams.len());
    let most = match record.conditions.isolation {
        Isolation::Camera => counts.max().unwrap_or(0),
        // Every worker plays a lane, or one plays all.
        Isolation::Lane => counts.sum::<usize>().div_ceil(record.workers.len().max(1)),
    };
    u32::try_from(most).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::{S, copies};
    use crate::record::measure::measure;

    fn of(record: &RunRecord) -> Evidence {
        evidence(record, &measure(record))
    }

    #[test]
    fn what_no_collector_gave_is_not_known() {
        let evidence = of(&copies(2, &[&[15, 15], &[15, 12]], 0.9));
        assert_eq!((evidence.cores, evidence.bound_to, evidence.quota), (Some(2.0), None, None));
        assert_eq!((evidence.throttled, evidence.cpu_wait, evidence.foreign_cpu), (None, None, None));
        assert_eq!((evidence.disk_busy, evidence.thread, evidence.busy.len()), (None, None, 0));
        assert!((evidence.machine_cpu.unwrap() - 0.9).abs() < 0.03);
        // From what the workers say.
        let Mean { mean, error } = evidence.own_cpu.unwrap();
        assert!((mean - 0.34).abs() < 0.01 && error < 0.01, "{mean} {error}");
        assert!((evidence.worst.unwrap() - 0.8).abs() < 0.02, "{:?}", evidence.worst);
        assert_eq!(evidence.streams_per_worker, 1);
    }

    #[test]
    fn series_queues_and_threads_are_taken_from_the_record() {
        let mut record = copies(1, &[&[15, 12]], 0.9);
        let window = record.members[0].streams[0].window_us.unwrap();
        let seconds = (window.0 / S)..=(window.1 / S);
        let mut add = |name: &str, value: &dyn Fn(u64) -> f64| {
            let (at_us, values) = seconds.clone().map(|second| (second * S, value(second))).unzip();
            record.series.push(crate::record::SeriesRecord {
                name: name.to_owned(),
                unit: "1".to_owned(),
                at_us,
                values,
            });
        };
        add("cpu.10.busy", &|_| 0.2);
        add("cpu.2.busy", &|_| 0.9);
        add("disk.sda.busy", &|_| 0.3);
        add("disk.sdb.busy", &|_| 0.4);
        add("cgroup.throttled", &|second| (second % 2) as f64);
        add(WORKERS, &|second| 0.4 + 0.1 * (second % 2) as f64);
        add(FOREIGN, &|_| 0.01);
        record.host.facts.insert("cpu_limit".to_owned(), "1.5".to_owned());
        record.host.facts.insert("cpus_allowed".to_owned(), "1".to_owned());
        let [good, bad] = [0, 1].map(|member| record.members[member].streams[0].stream.clone());
        for (stream, dropped) in [(0, 9), (1, 60)] {
            let stream = &mut record.members[stream].streams[0];
            stream.queues =
                [("q".to_owned(), [(0, 5), (3, 15)].into()), ("empty".to_owned(), [(0, 20)].into())].into();
            stream.dropped_at = [("q".to_owned(), dropped)].into();
        }
        let evidence = of(&record);
        assert_ne!(good, bad);
        assert_eq!(evidence.busy, [0.9, 0.2]);
        assert_eq!(
            (evidence.disk_busy, evidence.quota, evidence.bound_to),
            (Some(0.4), Some(1.5), Some(1.0))
        );
        assert!((evidence.throttled.unwrap() - 0.5).abs() < 0.05);
        let Mean { mean, error } = evidence.own_cpu.unwrap();
        assert!((mean - 0.45).abs() < 0.01 && 0.0 < error && error < 0.02, "{mean} {error}");
        // Those of the camera that does not hold.
        let queue = |name: &str, full, most, dropped| Queue { name: name.to_owned(), full, most, dropped };
        assert_eq!(evidence.queues, [queue("q", 0.75, 3, 60), queue("empty", 0.0, 0, 0)]);
    }

    #[test]
    fn the_busiest_thread_is_one_of_a_group() {
        let mut figures = measure(&copies(1, &[&[15]], 0.5));
        let group =
            |name: &str, n, cpu| super::super::machine::ThreadFigures { name: name.to_owned(), n, cpu };
        figures.workers[0].threads =
            vec![group("many", 4, Some(2.0)), group("one", 1, Some(0.97)), group("unknown", 1, None)];
        let thread = thread(&figures).unwrap();
        assert_eq!((thread.name.as_str(), thread.cpu), ("one", 0.97));
    }
}
