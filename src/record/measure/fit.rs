//! Whether the machine was fit to measure: what disturbed a run, when and how much, and
//! which seconds a verdict may leave out.
//!
//! A run with any *disturbance* in the time that was measured is *degraded*: people see it
//! wherever they see the run. That changes no verdict by itself. Only a disturbance that is
//! shown to be *foreign* may leave seconds out of a verdict: CPU time of other programs, time
//! that a hypervisor took, another measurement. A lane itself can make the machine wait for
//! memory or the disk, swap, or get hot, so these count against the lane. Where foreign load
//! is the reason for them, its seconds are left out anyway.
//!
//! Pure: it reads the series of collectors and the facts of the host. `rule` decides when a
//! series is disturbed, `words` says it. Not here: the verdict without these seconds (`judge`).

mod rule;
#[cfg(test)]
mod tests;
mod without;
mod words;

use serde::{Deserialize, Serialize};

use self::rule::Onset;
pub(super) use self::without::{script, stream};
use super::split::{cores, cores_of};
use super::{number, rounded};
use crate::collect::machine::STEAL;
use crate::collect::processes::{FOREIGN, MEASURING};
use crate::record::build::RecordBuilder;
use crate::record::{Host, ProgramRecord, RunRecord, SeriesRecord};

/// More than this share of a window left out, and it decides nothing.
pub const MOST_LEFT_OUT: f64 = 0.10;

/// What leaves seconds out is also at least this share of all cores: the daemons of a large
/// machine are no reason for a slow lane.
const SHARE_LEVEL: f64 = 0.05;
/// A disturbance may have begun so long before the first sample that shows it, which is about
/// a second of which it may have only the end, in microseconds.
const LEAD_US: u64 = 1_000_000;
/// A stream may need so long after a disturbance until it has caught up, in microseconds.
const RECOVERY_US: u64 = 1_000_000;

/// What makes a machine unfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// CPU time of other programs; a share of all cores.
    OtherPrograms,
    /// CPU time that a hypervisor took; a share of all cores.
    Steal,
    /// Another measurement; the number of its workers.
    OtherMeasurement,
    /// Cores were slowed down for their temperature; events a second.
    Throttling,
    /// Memory was swapped in or out; bytes a second.
    Swapping,
    /// Programs waited for memory; a share of the time.
    MemoryPressure,
    /// Programs waited for the disk; a share of the time.
    DiskPressure,
    /// The kernel prefers low frequencies.
    Governor,
    /// The firmware prefers low power.
    PowerProfile,
    /// Parts of the machine cannot be seen.
    Wsl2,
}

impl Cause {
    /// Whether it proves that something else than the run loaded the machine.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        matches!(self, Cause::OtherPrograms | Cause::Steal | Cause::OtherMeasurement)
    }
}

/// A time in which something disturbed the machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    pub cause: Cause,
    /// Microseconds since the record's origin.
    pub begin_us: u64,
    pub end_us: u64,
    /// The mean in that time, in the unit of its cause.
    pub mean: f64,
}

/// A reason why a run is degraded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Degradation {
    pub cause: Cause,
    /// `65 % of the CPU went to other programs for 12 s`
    pub text: String,
    /// How long it lasted in the time that was measured, in microseconds; `None` for what
    /// the machine is.
    pub lasted_us: Option<u64>,
    /// The mean in that time, in the unit of the cause.
    pub mean: Option<f64>,
}

/// A time that a verdict leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Microseconds since the record's origin.
    pub begin_us: u64,
    pub end_us: u64,
    pub cause: Cause,
}

/// A series that may show a disturbance.
struct Quantity {
    cause: Cause,
    /// Series whose sum it is.
    series: &'static [&'static str],
    unit: Unit,
    /// See [`rule`]; in cores or in the unit of the cause.
    level: f64,
    onset: Onset,
}

enum Unit {
    /// A share of all cores, with a level in cores.
    Cores,
    /// As it is.
    Own,
}

/// What is looked at. A count is found with its first event.
const QUANTITIES: [Quantity; 7] = [
    Quantity::at_once(Cause::OtherPrograms, &[FOREIGN], Unit::Cores, 0.2),
    Quantity::at_once(Cause::Steal, &[STEAL], Unit::Cores, 0.2),
    Quantity::at_once(Cause::OtherMeasurement, &[MEASURING], Unit::Own, 0.2),
    Quantity::at_once(Cause::Throttling, &["throttle.count"], Unit::Own, 0.2),
    Quantity::lasting(Cause::Swapping, &["memory.swap_in", "memory.swap_out"], 4e6),
    Quantity::lasting(Cause::MemoryPressure, &["pressure.memory.some"], 0.05),
    Quantity::lasting(Cause::DiskPressure, &["pressure.io.some"], 0.2),
];

/// All disturbances that series show, by cause and then by time. `cores` of the machine, if
/// they are known.
#[must_use]
pub fn disturbances(series: &[SeriesRecord], cores: Option<f64>) -> Vec<Disturbance> {
    QUANTITIES.iter().flat_map(|quantity| quantity.disturbances(series, cores, 0.0)).collect()
}

impl Quantity {
    const fn at_once(cause: Cause, series: &'static [&'static str], unit: Unit, level: f64) -> Quantity {
        Quantity { cause, series, unit, level, onset: Onset::AtOnce }
    }

    const fn lasting(cause: Cause, series: &'static [&'static str], level: f64) -> Quantity {
        Quantity { cause, series, unit: Unit::Own, level, onset: Onset::Lasting }
    }

    /// Its level in the unit of its series; `None` if that is not known.
    fn level(&self, cores: Option<f64>, least_share: f64) -> Option<f64> {
        match self.unit {
            Unit::Cores => cores.map(|cores| (self.level / cores).max(least_share)),
            Unit::Own => Some(self.level),
        }
    }

    /// The disturbances at its level, or at a higher one.
    fn disturbances(
        &self,
        series: &[SeriesRecord],
        cores: Option<f64>,
        least_share: f64,
    ) -> impl Iterator<Item = Disturbance> {
        let level = self.level(cores, least_share);
        let spans = level.map_or_else(Vec::new, |level| rule::spans(self.points(series), level, self.onset));
        spans.into_iter().map(|span| Disturbance {
            cause: self.cause,
            begin_us: span.begin_us,
            end_us: span.end_us,
            mean: rounded(span.mean),
        })
    }

    /// The sum of its series at the times of the first; none if one of them is missing.
    fn points<'a>(&self, series: &'a [SeriesRecord]) -> impl Iterator<Item = (u64, f64)> + use<'a> {
        let found: Option<Vec<&SeriesRecord>> =
            self.series.iter().map(|name| series.iter().find(|one| one.name == *name)).collect();
        let found = found.unwrap_or_default();
        let times = found.first().map_or(&[][..], |first| &first.at_us[..]);
        times.iter().filter_map(move |at_us| {
            let value =
                |series: &&SeriesRecord| series.values.get(series.at_us.binary_search(at_us).ok()?).copied();
            Some((*at_us, found.iter().map(value).sum::<Option<f64>>()?))
        })
    }
}

/// The disturbances of a run in the time from the begin of its first window to the end of its
/// last, cut to it.
#[must_use]
pub fn measured_disturbances(record: &RunRecord) -> Vec<Disturbance> {
    let streams = record.members.iter().flat_map(|member| &member.streams);
    let scripts = record.members.iter().flat_map(|member| &member.scripts);
    let windows = || {
        let of_streams = streams.clone().filter_map(|stream| stream.window_us);
        of_streams.chain(scripts.clone().filter_map(|script| script.window_us))
    };
    let whole = windows().map(|(begin, _)| begin).min().zip(windows().map(|(_, end)| end).max());
    let Some(whole) = whole else { return Vec::new() };
    let cut = |one: Disturbance| {
        let (begin_us, end_us) = cut((one.begin_us, one.end_us), whole)?;
        Some(Disturbance { begin_us, end_us, ..one })
    };
    disturbances(&record.series, cores(record)).into_iter().filter_map(cut).collect()
}

/// Why a run is degraded; empty if nothing is known against the machine. One reason for each
/// cause.
#[must_use]
pub fn degraded(record: &RunRecord) -> Vec<Degradation> {
    let mut reasons = reasons(&measured_disturbances(record), &record.programs);
    reasons.extend(of_host(&record.host.facts));
    reasons
}

/// What disturbs a run that is not over, from its start.
#[must_use]
pub fn so_far(run: &RecordBuilder) -> Vec<Degradation> {
    let (series, programs) = (run.series(), run.other_programs());
    reasons(&disturbances(series, cores_of(run.host())), programs)
}

/// What single readings of the collectors' series show, each by its name: a value at its
/// level is enough.
#[must_use]
pub fn at_once(
    reading: impl Fn(&str) -> Option<f64>,
    host: &Host,
    programs: &[ProgramRecord],
) -> Vec<Degradation> {
    let shows = |quantity: &Quantity| {
        let value: f64 = quantity.series.iter().map(|name| reading(name)).sum::<Option<f64>>()?;
        let text = words::disturbance(quantity.cause, value, None, programs);
        let (cause, mean) = (quantity.cause, Some(rounded(value)));
        (value >= quantity.level(cores_of(host), 0.0)?).then_some(Degradation {
            cause,
            text,
            lasted_us: None,
            mean,
        })
    };
    QUANTITIES.iter().filter_map(shows).collect()
}

/// A reason for each cause.
fn reasons(disturbances: &[Disturbance], programs: &[ProgramRecord]) -> Vec<Degradation> {
    let reason = |quantity: &Quantity| {
        let of_cause = || disturbances.iter().filter(|one| one.cause == quantity.cause);
        let lasted_us: u64 = of_cause().map(|one| one.end_us - one.begin_us).sum();
        let area: f64 = of_cause().map(|one| one.mean * (one.end_us - one.begin_us) as f64).sum();
        let mean = rounded(area / lasted_us as f64);
        (lasted_us > 0).then(|| Degradation {
            cause: quantity.cause,
            text: words::disturbance(quantity.cause, mean, Some(lasted_us), programs),
            lasted_us: Some(lasted_us),
            mean: Some(mean),
        })
    };
    QUANTITIES.iter().filter_map(reason).collect()
}

/// What is against a machine by the facts of its host, whatever runs on it.
#[must_use]
pub fn of_host(facts: &std::collections::BTreeMap<String, String>) -> Vec<Degradation> {
    let fact = |name: &str| facts.get(name).map(String::as_str);
    let slow = |name: &str, words: &[&str]| {
        let value = fact(name)?;
        value.split(", ").any(|word| words.contains(&word)).then_some(value)
    };
    let governor = slow("governor", &["powersave", "conservative", "userspace"])
        .map(|governor| (Cause::Governor, words::governor(governor)));
    let profile = slow("power_profile", &["low-power", "cool", "quiet", "balanced"])
        .map(|profile| (Cause::PowerProfile, words::power_profile(profile)));
    let wsl2 = fact("kernel")
        .filter(|kernel| kernel.to_ascii_lowercase().contains("microsoft"))
        .map(|_| (Cause::Wsl2, words::WSL2.to_owned()));
    let found = [governor, profile, wsl2].into_iter().flatten();
    found.map(|(cause, text)| Degradation { cause, text, lasted_us: None, mean: None }).collect()
}

/// The times of a window that foreign load disturbed, in the order of time; they do
/// not overlap. Good and bad seconds alike, so what is left is no choice of the good ones.
#[must_use]
pub fn left_out(record: &RunRecord, window: (u64, u64)) -> Vec<LeftOut> {
    let foreign = QUANTITIES.iter().filter(|quantity| quantity.cause.is_foreign());
    let all = foreign.flat_map(|one| one.disturbances(&record.series, cores(record), SHARE_LEVEL));
    let mut spans: Vec<LeftOut> = all
        .filter_map(|one| {
            let span = (one.begin_us.saturating_sub(LEAD_US), one.end_us.saturating_add(RECOVERY_US));
            let (begin_us, end_us) = cut(span, window)?;
            Some(LeftOut { begin_us, end_us, cause: one.cause })
        })
        .collect();
    spans.sort_unstable_by_key(|span| (span.begin_us, span.end_us));
    let mut merged: Vec<LeftOut> = Vec::new();
    for span in spans {
        match merged.last_mut().filter(|last| span.begin_us <= last.end_us) {
            Some(last) => last.end_us = last.end_us.max(span.end_us),
            None => merged.push(span),
        }
    }
    merged
}

/// Why a window decides nothing, if too much of it was left out.
#[must_use]
pub fn too_much(record: &RunRecord, (begin, end): (u64, u64), left_out: &[LeftOut]) -> Option<String> {
    let share = length(left_out) as f64 / end.saturating_sub(begin).max(1) as f64;
    if share <= MOST_LEFT_OUT {
        return None;
    }
    // Spans that touch are one, whatever their causes were.
    let disturbances = measured_disturbances(record);
    let lasted = |cause: Cause| -> u64 {
        let of_cause = disturbances.iter().filter(|one| one.cause == cause);
        of_cause
            .filter_map(|one| cut((one.begin_us, one.end_us), (begin, end)))
            .map(|(from, to)| to - from)
            .sum()
    };
    let degraded = degraded(record);
    let reason = degraded.iter().filter(|one| one.cause.is_foreign()).max_by_key(|one| lasted(one.cause))?;
    Some(format!("{:.0} % of its window was disturbed: {}", share * 100.0, reason.text))
}

/// The remark about a verdict that leaves times out.
pub(super) fn note(left_out: &[LeftOut]) -> Option<String> {
    let seconds = number(length(left_out) as f64 / 1e6);
    (!left_out.is_empty())
        .then(|| format!("disturbed by foreign load, and left out of the verdict: {seconds} s"))
}

/// The time that is left out, in microseconds.
fn length(left_out: &[LeftOut]) -> u64 {
    left_out.iter().map(|span| span.end_us - span.begin_us).sum()
}

/// The common part of two spans, if it is longer than nothing.
fn cut(span: (u64, u64), (begin, end): (u64, u64)) -> Option<(u64, u64)> {
    let (from, to) = (span.0.max(begin), span.1.min(end));
    (from < to).then_some((from, to))
}
