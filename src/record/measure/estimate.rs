//! How many copies of what ran would fit on the machine: an estimate from what a run used, not a
//! measurement.
//!
//! Each resource gives a range: what a copy needs, what others need, and what there is. The
//! estimate is the least of these ranges, between what is known: a number of copies that held
//! fits, and one that did not hold does not. It is refused where the use that was seen says
//! nothing about more copies: played freely, disturbed, with work on devices that no collector
//! sees.
//!
//! Not here: a search that measures the answer (`search`), and words (`report`).

mod cpu;
mod others;

use serde::{Deserialize, Serialize};

use super::fit::{self, Cause, Degradation};
use super::{CameraFigures, MachineFigures, Totals, Verdict, WorkerFigures};
use crate::record::{OtherCount, Pace, RunRecord};

/// No estimate is greater.
pub const MOST_COPIES: u32 = 1_000;

/// Fewer seconds show no spread.
const LEAST_SECONDS: usize = 10;

/// How many copies would fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The fewest copies that would fit; `None` if it cannot be told.
    pub low: Option<u32>,
    /// The most, likewise.
    pub high: Option<u32>,
    /// The resource that would be used up first; `None` if none of them explains the range.
    pub first: Option<Resource>,
    /// Why it cannot be told, or what the range lacks.
    pub reason: Option<String>,
    /// The numbers of copies that were measured, in ascending order.
    pub from: Vec<u32>,
    /// What each resource allows.
    pub resources: Vec<ResourceFigures>,
}

/// What copies share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// In cores.
    Cpu,
    /// In bytes.
    Memory,
    /// The busiest disk, as a share of the time.
    Disk,
    /// The busiest thread, as a share of a core.
    Thread,
}

impl Resource {
    /// `cpu`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Disk => "disk",
            Resource::Thread => "thread",
        }
    }
}

/// A resource, and how many copies it allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceFigures {
    pub resource: Resource,
    /// What a copy uses.
    pub per_copy: f64,
    /// What everything else uses.
    pub others: f64,
    /// What there is.
    pub available: f64,
    /// The fewest copies that use it up; `None` if no number does, as far as is known.
    pub low: Option<u32>,
    /// The most, likewise.
    pub high: Option<u32>,
}

/// The estimate from a run with these figures.
pub(super) fn estimate(
    record: &RunRecord,
    cameras: &[CameraFigures],
    totals: &Totals,
    machine: &MachineFigures,
    workers: &[WorkerFigures],
) -> Estimate {
    told(record, cameras, totals, machine, workers)
        .unwrap_or_else(|reason| Estimate { reason: Some(reason), ..Estimate::default() })
}

/// What a later run with another number of copies can learn from a run; `None` if that is
/// nothing.
#[must_use]
pub fn other_count(run: &str, record: &RunRecord) -> Option<OtherCount> {
    let measurement = super::measure(record);
    refusal(record, &measurement.cameras, &measurement.machine).is_none().then_some(())?;
    let window = measurement.machine.window_us?;
    let seconds = cpu::seconds(record, window, &fit::left_out(record, window));
    let own_cores = cpu::mean_own(&seconds).filter(|_| LEAST_SECONDS <= seconds.len())?;
    let holds = holds(&measurement.cameras);
    Some(OtherCount { run: run.to_owned(), count: record.conditions.count, own_cores, holds })
}

fn told(
    record: &RunRecord,
    cameras: &[CameraFigures],
    totals: &Totals,
    machine: &MachineFigures,
    workers: &[WorkerFigures],
) -> Result<Estimate, String> {
    if let Some(reason) = refusal(record, cameras, machine) {
        return Err(reason);
    }
    let window = machine.window_us.ok_or("nothing was measured")?;
    let seconds = cpu::seconds(record, window, &fit::left_out(record, window));
    if seconds.is_empty() {
        return Err("the CPU of the pipelines was not measured".to_owned());
    }
    if seconds.len() < LEAST_SECONDS {
        return Err(format!("fewer than {LEAST_SECONDS} seconds were measured"));
    }
    let cpu = cpu::figures(record, &seconds, totals).ok_or("it is not known how many cores there are")?;
    let holds = holds(cameras);
    let mut resources = vec![cpu.figures];
    resources.extend(others::memory(record, totals, machine, workers));
    resources.extend(others::disk(record, machine));
    resources.extend(others::thread(record, workers, cpu.dearer, holds));
    let mut from: Vec<u32> = record.other_counts.iter().map(|other| other.count).collect();
    from.push(record.conditions.count);
    from.sort_unstable();
    from.dedup();
    Ok(Estimate { from, ..combined(record, holds, resources) })
}

/// The least of all resources, within what was measured.
fn combined(record: &RunRecord, holds: Option<bool>, resources: Vec<ResourceFigures>) -> Estimate {
    let least = |of: fn(&ResourceFigures) -> Option<u32>| resources.iter().filter_map(of).min();
    let by_low =
        resources.iter().min_by_key(|one| (one.low.unwrap_or(u32::MAX), one.high.unwrap_or(u32::MAX)));
    let mut first = by_low.map(|one| one.resource);
    let mut low = least(|one| one.low).unwrap_or(MOST_COPIES);
    let mut high = least(|one| one.high).unwrap_or(MOST_COPIES).max(low);
    let count = record.conditions.count;
    let measured = || {
        let others = record.other_counts.iter().filter_map(|other| Some((other.count, other.holds?)));
        others.chain(holds.map(|holds| (count, holds)))
    };
    let held = measured().filter(|(_, holds)| *holds).map(|(count, _)| count).max();
    // A greater number that held makes a smaller one that did not an exception.
    let failed = measured().filter(|(count, holds)| !holds && held.is_none_or(|held| held < *count));
    let failed = failed.map(|(count, _)| count).min();
    if let Some(held) = held {
        low = low.max(held);
        high = high.max(low);
    }
    let mut reason = None;
    if let Some(failed) = failed {
        // One run that did not hold is no proof that none does.
        high = high.min(failed.saturating_sub(1).max(1));
        if failed <= low {
            // What made it fail may do so with fewer, too.
            low = held.unwrap_or(0);
            first = None;
            reason = Some(format!("{failed} did not hold, and no resource that was measured was used up"));
        }
        low = low.min(if failed == 1 { 0 } else { high });
    }
    Estimate { low: Some(low), high: Some(high), first, reason, from: Vec::new(), resources }
}

/// Why the use of resources in a run says nothing about more copies.
fn refusal(record: &RunRecord, cameras: &[CameraFigures], machine: &MachineFigures) -> Option<String> {
    if record.conditions.pace == Pace::Free {
        return Some("files that are played freely use all that they get".to_owned());
    }
    if record.imported.is_some() {
        return Some("another program measured this run".to_owned());
    }
    if let Some(reason) = record.unreliable() {
        return Some(reason);
    }
    let bad = |verdict| cameras.iter().find(|camera| camera.verdict == verdict);
    if let Some(camera) = bad(Verdict::Failed) {
        return Some(format!("{} failed", camera.slug));
    }
    if let Some(camera) = bad(Verdict::Invalid) {
        return Some(format!("{} is invalid", camera.slug));
    }
    if let Some(camera) = bad(Verdict::FasterButWrong) {
        return Some(format!("{} is faster but wrong", camera.slug));
    }
    let streams = record.members.iter().flat_map(|member| &member.streams);
    let mut steps = streams.flat_map(|stream| &stream.steps);
    let is_seen = |device: &str| device.eq_ignore_ascii_case("cpu");
    if let Some(step) = steps.find(|step| step.device.as_deref().is_some_and(|device| !is_seen(device))) {
        let device = step.device.as_deref().unwrap_or_default();
        return Some(format!("`{}` runs on {device}, whose load is in no estimate", step.kind));
    }
    let window = machine.window_us?;
    let distorts = |one: &&Degradation| matches!(one.cause, Cause::Throttling | Cause::Swapping);
    fit::too_much(record, window, &fit::left_out(record, window))
        .or_else(|| fit::degraded(record).iter().find(distorts).map(|one| one.text.clone()))
}

/// Whether all cameras held their targets; `None` if that is undecided.
fn holds(cameras: &[CameraFigures]) -> Option<bool> {
    if cameras.iter().any(|camera| camera.verdict == Verdict::DoesNotHold) {
        return Some(false);
    }
    let is_good = |camera: &CameraFigures| camera.verdict.is_good() || camera.streams.is_empty();
    (!cameras.is_empty() && cameras.iter().all(is_good)).then_some(true)
}

/// How many copies fit by a rule that holds for fewer if it holds for more.
fn most_copies(fits: impl Fn(f64) -> bool) -> u32 {
    (1..=MOST_COPIES).take_while(|n| fits(f64::from(*n))).last().unwrap_or(0)
}

#[cfg(test)]
mod tests;
