//! The time that cores were idle, from the lines `cpu0`, `cpu1` ... of `/proc/stat`.
//!
//! Busy is all time but `idle` and `iowait`, over the cores that are online. The
//! kernel counts those two as they pass, but all other columns of `/proc/stat` by
//! looking at what runs at each tick: work that always falls between two ticks
//! is not seen, and work that falls on them counts for the whole time between. So
//! busy is the elapsed time less the idle time, and never the sum of the columns.
//! `iowait` may shrink, and `idle` of a core that comes or goes may jump, so each core is
//! held to the time that has passed.

use std::collections::BTreeMap;
use std::path::Path;

use super::CollectError;
use super::source::Source;

/// What `/proc/stat` should hold.
const EXPECTED: &str = "a line `cpu0`";

/// The cores that are online, at a moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) at_ns: u64,
    pub(super) cores: BTreeMap<u32, Core>,
}

/// Clock ticks of a core since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Core {
    /// `idle` and `iowait`.
    idle: u64,
    steal: u64,
}

/// Nanoseconds of a tick of `/proc/stat`: `USER_HZ` is 100.
pub(super) const TICK_NS: u64 = 10_000_000;

/// The file `/proc/stat` below a folder.
#[derive(Debug)]
pub(super) struct Stat(Source);

impl Stat {
    pub(super) fn below(root: &Path) -> Result<Stat, CollectError> {
        Ok(Stat(Source::open(root.join("proc/stat"))?))
    }

    /// The cores now, at a time of CLOCK_MONOTONIC.
    pub(super) fn snapshot(&mut self, at_ns: u64) -> Result<Snapshot, CollectError> {
        Ok(Snapshot { at_ns, cores: self.0.parse(cores, EXPECTED)? })
    }
}

/// The lines `cpu0 user nice system idle iowait irq softirq steal guest guest_nice`, of
/// which there is one for each core that is online.
pub(super) fn cores(stat: &str) -> Option<BTreeMap<u32, Core>> {
    let mut cores = BTreeMap::new();
    for line in stat.lines() {
        let Some((number, ticks)) = line.strip_prefix("cpu").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        // The first line is the sum of all, those that have gone included.
        let Ok(number) = number.parse() else { continue };
        let ticks: Vec<u64> =
            ticks.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, _, _, idle, rest @ ..] = ticks.as_slice() else { return None };
        let iowait = rest.first().copied().unwrap_or(0);
        let steal = rest.get(3).copied().unwrap_or(0);
        cores.insert(number, Core { idle: idle.saturating_add(iowait), steal });
    }
    Some(cores).filter(|cores| !cores.is_empty())
}

/// The shares of the cores that were online all the time; `None` if there are none, or
/// if no time has passed.
pub(super) fn busy_and_steal(before: &Snapshot, now: &Snapshot) -> Option<(f64, f64)> {
    let elapsed_ns = now.at_ns.checked_sub(before.at_ns).filter(|elapsed| *elapsed >= TICK_NS)?;
    let both = now.cores.iter().filter_map(|(number, core)| Some((before.cores.get(number)?, core)));
    // A tick more than has passed is how whole ticks come out.
    let most = elapsed_ns + TICK_NS;
    let passed = |from: u64, to: u64| to.saturating_sub(from).saturating_mul(TICK_NS).min(most) as f64;
    let (n, idle, steal) = both.fold((0, 0.0, 0.0), |(n, idle, steal), (from, to)| {
        (n + 1, idle + passed(from.idle, to.idle), steal + passed(from.steal, to.steal))
    });
    let whole = elapsed_ns as f64 * f64::from(n);
    (n > 0).then(|| ((1.0 - idle / whole).clamp(0.0, 1.0), (steal / whole).clamp(0.0, 1.0)))
}

/// The share of the elapsed time in which a core was busy.
pub(super) fn busy_of_core(before: &Core, now: &Core, elapsed_ns: u64) -> f64 {
    let idle_ns = now.idle.saturating_sub(before.idle).saturating_mul(TICK_NS);
    1.0 - idle_ns as f64 / elapsed_ns as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Busy and stolen percent of a second between two texts.
    #[track_caller]
    fn check(before: &str, now: &str, expected: Option<(f64, f64)>) {
        let snapshot = |at_ns, text| Snapshot { at_ns, cores: cores(text).unwrap() };
        let shares = busy_and_steal(&snapshot(0, before), &snapshot(1_000_000_000, now));
        let percent = |share: f64| (share * 1e4).round() / 100.0;
        assert_eq!(shares.map(|(busy, steal)| (percent(busy), percent(steal))), expected);
    }

    #[test]
    fn busy_is_elapsed_time_minus_idle_and_iowait() {
        // The other columns do not matter: they sample.
        check("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 99 0 5 70 20 2 0 3 10 0", Some((10.0, 3.0)));
        check("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 0 0 0 70 20 0 0 0 0 0", Some((10.0, 0.0)));
        check("cpu0 10 0 0 90", "cpu0 10 0 0 90", Some((100.0, 0.0)));
        let two = "cpu  0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n";
        check(two, "cpu  0 0 0 900\ncpu0 0 0 0 50\ncpu1 0 0 0 100\n", Some((25.0, 0.0)));
    }

    #[test]
    fn counters_that_jump_are_held_to_the_time_that_passed() {
        let two = "cpu0 0 0 0 500 100 0 0 0\ncpu1 0 0 0 500 100 0 0 0\n";
        // `iowait` of the one shrinks, `idle` of the other makes up for hours.
        check(two, "cpu0 0 0 0 550 90 0 0 0\ncpu1 0 0 0 999999 100 0 0 0\n", Some((29.5, 0.0)));
        check(two, "cpu0 0 0 0 400 90 0 0 0\ncpu1 0 0 0 400 90 0 0 0\n", Some((100.0, 0.0)));
    }

    #[test]
    fn cores_that_come_and_go_do_not_count() {
        let before = "cpu0 0 0 0 500\ncpu1 0 0 0 500\n";
        check(before, "cpu0 0 0 0 550\n", Some((50.0, 0.0)));
        check("cpu0 0 0 0 500\n", "cpu0 0 0 0 550\ncpu1 0 0 0 900\n", Some((50.0, 0.0)));
        check(before, "cpu7 0 0 0 550\n", None);
    }

    #[test]
    fn other_strings_have_no_cores() {
        for text in ["", "cpu  1 2 3 4", "cpu0 1 2 x 4", "cpu0 1 2"] {
            assert_eq!(cores(text), None, "{text}");
        }
    }
}
