//! From which level on a figure is evidence.

use super::{Engine, Evidence};

/// Above this share of busy cores, the CPU is full: paced streams come in bursts, so threads wait
/// for a core long before the mean is 1. On two cores lanes fail at 0.97 and more.
const FULL: f64 = 0.92;
/// The same, if threads wait most of the time.
const NEARLY_FULL: f64 = 0.85;
const WAITS_MOSTLY: f64 = 0.5;
/// A thread that uses so much of a core can hardly do more.
const HOT: f64 = 0.9;
/// Cores are idle below this.
const IDLE: f64 = 0.75;
/// A quota that was used up in so many of its periods.
const THROTTLED: f64 = 0.1;
/// The levels at which waiting for memory and disk is a disturbance; see `docs/measuring.md`.
const MEMORY_WAIT: f64 = 0.05;
const SWAPPING: f64 = 4e6;
const DISK_WAIT: f64 = 0.2;
const DISK_BUSY: f64 = 0.9;
/// From this share on, an engine of a GPU or an NPU may be what streams wait for.
const ENGINE_BUSY: f64 = 0.9;
/// Other programs that use more than this hide everything else.
const FOREIGN: f64 = 0.1;
/// A source that delivers less than this share is the reason itself.
const DELIVERED: f64 = 0.98;
/// Streams that wait for one lock use one core together, as only one of them works at a time.
const ONE_AT_A_TIME: std::ops::RangeInclusive<f64> = 0.6..=1.15;

fn reaches(figure: Option<f64>, level: f64) -> bool {
    figure.is_some_and(|figure| level <= figure)
}

impl Evidence {
    /// Other programs used so much that nothing can be said about the load.
    pub(super) fn is_disturbed(&self) -> bool {
        reaches(self.foreign_cpu, FOREIGN)
    }

    /// The CPU of the whole machine is used up.
    pub(super) fn is_full(&self) -> bool {
        reaches(self.machine_cpu, FULL)
            || (reaches(self.machine_cpu, NEARLY_FULL) && reaches(self.cpu_wait, WAITS_MOSTLY))
    }

    /// The cores that workers used.
    pub(super) fn own_cores(&self) -> Option<f64> {
        Some(self.own_cpu?.mean * self.cores?)
    }

    pub(super) fn is_over_quota(&self) -> bool {
        reaches(self.throttled, THROTTLED)
            || self.quota.zip(self.own_cores()).is_some_and(|(quota, own)| FULL * quota <= own)
    }

    /// The workers cannot use cores that are idle: they are bound to others, or one core is
    /// full of threads that wait for it.
    pub(super) fn is_bound(&self) -> bool {
        if let (Some(bound), Some(own)) = (self.bound_to, self.own_cores()) {
            return NEARLY_FULL * bound <= own;
        }
        let hottest = self.busy.iter().copied().fold(0.0, f64::max);
        let others = (self.busy.iter().sum::<f64>() - hottest) / (self.busy.len() as f64 - 1.0).max(1.0);
        1 < self.busy.len()
            && FULL <= hottest
            && others < IDLE
            && reaches(self.cpu_wait, WAITS_MOSTLY)
            && !self.has_hot_thread()
    }

    /// There is no CPU time left that the load could use.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_full() || self.is_over_quota() || self.is_bound()
    }

    pub(super) fn has_hot_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| HOT <= thread.cpu)
    }

    pub(super) fn waits_for_memory(&self) -> bool {
        reaches(self.memory_wait, MEMORY_WAIT)
            || reaches(self.swapping, SWAPPING)
            || (self.memory_wait.is_none() && reaches(self.memory_hits, 1.0))
    }

    pub(super) fn waits_for_disk(&self) -> bool {
        reaches(self.disk_wait, DISK_WAIT) || reaches(self.disk_busy, DISK_BUSY)
    }

    /// The engines that have hardly any time left.
    pub(super) fn full_engines(&self) -> impl Iterator<Item = &Engine> {
        self.engines.iter().filter(|engine| ENGINE_BUSY <= engine.busy)
    }

    pub(super) fn lacks_frames(&self) -> bool {
        self.delivered.is_some_and(|delivered| delivered < DELIVERED)
    }

    /// Whether so many cores are those of streams of which one works at a time.
    pub(super) fn is_one_at_a_time(&self, cores: f64) -> bool {
        1 < self.streams_per_worker && ONE_AT_A_TIME.contains(&cores)
    }
}
