//! Keeps a search from numbers for which there is no room: memory, open files, threads.
//!
//! After each setting it is known how much the workers use and how much is left. The next
//! number may need so much more for each lane as the lanes so far needed: from the slope
//! between two settings, and from the first alone. Memory is also watched while lanes are started
//! and measured: if most of the reserve is gone, the setting is given up before the kernel
//! kills anything.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::collect::cgroup::left::Left;
use crate::collect::room;
use crate::os;
use crate::record::RunRecord;

/// The part of all memory that is never planned with, and its bounds.
const RESERVE: f64 = 0.05;
const LEAST_RESERVE: u64 = 64 << 20;
const MOST_RESERVE: u64 = 1 << 30;

/// Descriptors and threads that are never planned with.
const SPARE: u64 = 32;

/// How often memory is looked at.
const OFTEN: Duration = Duration::from_millis(100);

/// What may run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Memory,
    Files,
    Threads,
}

/// The use of a resource by so many lanes.
#[derive(Clone, Copy, Debug)]
struct Use {
    lanes: u32,
    used: u64,
    /// What may still be used.
    left: u64,
}

/// What is known about the room for more lanes.
#[derive(Debug, Default)]
pub(super) struct Guard {
    uses: Vec<(Resource, Use)>,
    /// More than this was given up.
    at_most: Option<u32>,
}

impl Guard {
    /// Takes in a setting of an earlier attempt, while nothing plays.
    pub(super) fn recall(&mut self, lanes: u32, record: &RunRecord) {
        if let Some(memory) = room::memory(&os::env::system_root()) {
            let used = memory_of(record);
            let left = memory.left.saturating_sub(reserve(memory)).saturating_sub(used);
            self.uses.push((Resource::Memory, Use { lanes, used, left }));
        }
    }

    /// Takes in the end of a setting, while its lanes still play in workers of these process ids.
    pub(super) fn learn(&mut self, lanes: u32, record: &RunRecord, workers: &[u32]) {
        let root = os::env::system_root();
        let used = memory_of(record);
        if let Some(memory) = room::memory(&root) {
            let left = memory.left.saturating_sub(reserve(memory));
            self.uses.push((Resource::Memory, Use { lanes, used, left }));
        }
        // The fullest of these processes; each has the same limit.
        let processes = workers.iter().copied().chain([std::process::id()]);
        let files = processes.filter_map(|pid| room::files_of(&root, pid)).min_by_key(|files| files.left);
        if let Some(Left { total, left }) = files {
            let (used, left) = (total - left, left.saturating_sub(SPARE));
            self.uses.push((Resource::Files, Use { lanes, used, left }));
        }
        if let Some(threads) = room::threads(&root) {
            let used = workers.iter().filter_map(|pid| room::threads_of(&root, *pid)).sum();
            let left = threads.left.saturating_sub(SPARE);
            self.uses.push((Resource::Threads, Use { lanes, used, left }));
        }
    }

    /// Takes in that so many lanes were given up for lack of memory.
    pub(super) fn gave_up(&mut self, lanes: u32) {
        let at_most = lanes.saturating_sub(1);
        self.at_most = Some(self.at_most.map_or(at_most, |known| known.min(at_most)));
    }

    /// The most lanes for which there is room, as far as that is known.
    pub(super) fn fits(&self) -> Option<u32> {
        let all = [Resource::Memory, Resource::Files, Resource::Threads];
        let predicted = all.into_iter().filter_map(|resource| self.most(resource));
        predicted.chain(self.at_most).min()
    }

    /// `a lane more needs 620 MiB of memory, and 480 MiB are left`
    pub(super) fn lack(&self) -> Option<String> {
        let all = [Resource::Memory, Resource::Files, Resource::Threads];
        let tightest = all.into_iter().min_by_key(|resource| self.most(*resource).unwrap_or(u32::MAX))?;
        let (per_lane, last) = self.slope(tightest)?;
        if self.at_most.is_some_and(|at_most| Some(at_most) <= self.most(tightest)) {
            return Some("the memory was used up while lanes were started".to_owned());
        }
        let amount = |n: u64| match tightest {
            Resource::Memory => format!("{} MiB of memory", n >> 20),
            Resource::Files => format!("{n} open files"),
            Resource::Threads => format!("{n} threads"),
        };
        Some(format!("one more needs {}, and {} are left", amount(per_lane), amount(last.left)))
    }

    fn most(&self, resource: Resource) -> Option<u32> {
        let (per_lane, last) = self.slope(resource)?;
        let more = last.left.checked_div(per_lane)?;
        // Many lanes may need more each than one: a third is left until two numbers are known.
        let is_first = self.uses.iter().all(|(of, one)| *of != resource || one.lanes == last.lanes);
        let more = if is_first && more > 1 { (more * 2 / 3).max(1) } else { more };
        Some(last.lanes.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)))
    }

    /// What a lane needs, and the use by the number of lanes that was measured last.
    fn slope(&self, resource: Resource) -> Option<(u64, Use)> {
        let uses: Vec<Use> =
            self.uses.iter().filter(|(of, _)| *of == resource).map(|(_, one)| *one).collect();
        let last = *uses.last()?;
        let mean = last.used / u64::from(last.lanes.max(1));
        let between = |other: &Use| {
            let (few, many) = if other.lanes < last.lanes { (*other, last) } else { (last, *other) };
            let lanes = u64::from(many.lanes - few.lanes);
            many.used.saturating_sub(few.used).checked_div(lanes)
        };
        let slope = uses.iter().filter_map(between).max();
        Some((slope.filter(|slope| *slope > 0).unwrap_or(mean), last))
    }
}

/// The resident memory of the workers at the end of a setting, in bytes.
fn memory_of(record: &RunRecord) -> u64 {
    record.workers.iter().filter_map(|worker| Some(worker.samples.last()?.rss)).sum()
}

fn reserve(memory: Left) -> u64 {
    ((memory.total as f64 * RESERVE) as u64).clamp(LEAST_RESERVE, MOST_RESERVE)
}

/// Watches the memory.
pub(super) struct Alarm {
    root: PathBuf,
    looked: Option<Instant>,
}

impl Alarm {
    pub(super) fn new() -> Alarm {
        Alarm { root: os::env::system_root(), looked: None }
    }

    /// Whether most of the reserve is gone.
    pub(super) fn rings(&mut self) -> bool {
        if self.looked.is_some_and(|looked| looked.elapsed() < OFTEN) {
            return false;
        }
        self.looked = Some(Instant::now());
        room::memory(&self.root).is_some_and(|memory| memory.left < reserve(memory) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(uses: &[(u32, u64, u64)]) -> Guard {
        let uses = uses.iter().map(|(lanes, used, left)| {
            (Resource::Memory, Use { lanes: *lanes, used: used << 20, left: left << 20 })
        });
        Guard { uses: uses.collect(), at_most: None }
    }

    #[test]
    fn the_first_setting_tells_what_a_lane_needs_at_most() {
        assert_eq!(guard(&[]).fits(), None);
        assert_eq!(guard(&[(1, 100, 350)]).fits(), Some(3));
        assert_eq!(guard(&[(2, 100, 350)]).fits(), Some(6));
        assert_eq!(guard(&[(1, 100, 110)]).fits(), Some(2));
    }

    #[test]
    fn two_settings_tell_the_slope() {
        // 60 MiB for the first lane and 20 for each further one.
        let guard = guard(&[(1, 80, 400), (4, 140, 340)]);
        assert_eq!(guard.fits(), Some(4 + 17));
        assert_eq!(
            guard.lack().as_deref(),
            Some("one more needs 20 MiB of memory, and 340 MiB of memory are left")
        );
    }

    #[test]
    fn a_number_that_was_given_up_is_not_tried_again() {
        let mut guard = guard(&[(1, 10, 400)]);
        guard.gave_up(8);
        guard.gave_up(9);
        assert_eq!(guard.fits(), Some(7));
        assert_eq!(guard.lack().as_deref(), Some("the memory was used up while lanes were started"));
    }

    #[test]
    fn the_tightest_resource_counts() {
        let mut guard = guard(&[(2, 100, 1000)]);
        guard.uses.push((Resource::Files, Use { lanes: 2, used: 40, left: 30 }));
        assert_eq!(guard.fits(), Some(3));
        assert_eq!(guard.lack().as_deref(), Some("one more needs 20 open files, and 30 open files are left"));
    }
}
