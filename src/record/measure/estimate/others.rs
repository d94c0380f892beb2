//! Memory, disks and single threads: what copies need of them.

use super::{MOST_COPIES, Resource, ResourceFigures, most_copies};
use crate::record::RunRecord;
use crate::record::measure::{MachineFigures, SeriesFigures, ThreadFigures, Totals, WorkerFigures, rounded};

/// From here on the kernel takes memory from files that programs need.
const FULL_MEMORY: f64 = 0.9;

/// A disk is looked at from this share of the time on: most of less is not a copy's.
const BUSY_DISK: f64 = 0.2;
/// A disk that is busier makes programs wait. Many can do several things at once, so it
/// limits nothing for certain.
const FULL_DISK: f64 = 0.8;

/// A thread that is busier is late.
const FULL_THREAD: f64 = 0.95;

/// Memory, where that of all processes of the run is known.
pub(super) fn memory(
    record: &RunRecord,
    totals: &Totals,
    machine: &MachineFigures,
    workers: &[WorkerFigures],
) -> Option<ResourceFigures> {
    // That of scripts is not measured.
    if totals.scripts > 0 {
        return None;
    }
    let mib = |name: &str| {
        let text = record.host.facts.get(name)?.strip_suffix(" MiB")?;
        Some(text.parse::<f64>().ok()? * f64::from(1 << 20))
    };
    // Of memory that workers share, a part each.
    let own = workers.iter().map(|worker| worker.pss.or(worker.rss_max)).sum::<Option<u64>>()? as f64;
    let others = (machine.memory_max? as f64 - own).max(0.0);
    let count = f64::from(record.conditions.count);
    let per_copy = own / count;
    if per_copy <= 0.0 {
        return None;
    }
    let all = mib("memory")?;
    // A limit of a control group counts what is in it alone.
    let (available, others) = match mib("memory_limit").filter(|limit| *limit < all - others) {
        Some(limit) => (limit, 0.0),
        None => (all, others),
    };
    let fits = |full: f64| most_copies(|n| others + per_copy * n <= full * available);
    let (low, high) = (fits(FULL_MEMORY), fits(1.0));
    let below_most = |n: u32| Some(n).filter(|n| *n < MOST_COPIES);
    Some(ResourceFigures {
        resource: Resource::Memory,
        per_copy: per_copy.round(),
        others: others.round(),
        available,
        low: below_most(low),
        high: below_most(high),
    })
}

/// The busiest disk, if it is busy.
pub(super) fn disk(record: &RunRecord, machine: &MachineFigures) -> Option<ResourceFigures> {
    let is_disk =
        |series: &&SeriesFigures| series.name.starts_with("disk.") && series.name.ends_with(".busy");
    let busiest = machine.series.iter().filter(is_disk).map(|series| series.mean).reduce(f64::max)?;
    let count = f64::from(record.conditions.count);
    let per_copy = busiest / count;
    (BUSY_DISK <= busiest).then(|| ResourceFigures {
        resource: Resource::Disk,
        per_copy: rounded(per_copy),
        others: 0.0,
        available: 1.0,
        low: Some(most_copies(|n| per_copy * n <= FULL_DISK)),
        high: None,
    })
}

/// The busiest thread that has its name alone. Each copy has one of its own, but as the machine
/// gets full, `dearer` makes it slower.
pub(super) fn thread(
    record: &RunRecord,
    workers: &[WorkerFigures],
    dearer: f64,
    holds: Option<bool>,
) -> Option<ResourceFigures> {
    let of_one = |thread: &ThreadFigures| thread.cpu.filter(|_| thread.n == 1);
    let busiest = workers.iter().flat_map(|worker| &worker.threads).filter_map(of_one).reduce(f64::max)?;
    let is_full = FULL_THREAD < busiest * (1.0 + dearer);
    let known = if holds == Some(true) { record.conditions.count } else { 0 };
    Some(ResourceFigures {
        resource: Resource::Thread,
        per_copy: busiest,
        others: 0.0,
        available: 1.0,
        low: is_full.then_some(known),
        high: None,
    })
}
