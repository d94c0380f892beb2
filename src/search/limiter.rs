//! What limits a load that does not hold, by experiments. Pure.
//!
//! One thing at a time is taken away from the failing load ([`Removal`]) and the rest is played
//! again. [`next_experiment`] says from all experiments so far what is taken away next, or what
//! limits the load: the [`Finding`]. [`Evidence`] is what a load did to the machine.
//!
//! The order is that of what an experiment tells: without any step, the limit is before the
//! steps or in them. Then follow, where the CPU is full, the single steps, to see which of them
//! takes most of it; and where the CPU is not full, the things that make streams wait: sinks,
//! queues, single steps, a shared worker. Smaller pictures and other devices for models come last:
//! they name nothing, but tell what would help. There is one more experiment of those, in which
//! nothing is taken away: where the failing load holds when it is played again, chance
//! decides, and nothing is named.
//!
//! Not here: what is measured (`record::measure::evidence`), and playing.

mod conclude;
mod levels;
#[cfg(test)]
mod simulated;
mod words;

use serde::{Deserialize, Serialize};

use self::conclude::conclude;
pub use self::words::experiment;
use super::State;
use crate::pipeline::removal::Removal;

/// The most experiments of one search for the limit.
pub const MOST_EXPERIMENTS: usize = 10;

/// The most single steps that are taken away.
const MOST_STEPS: usize = 5;

/// What a load did to the machine while it was judged. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The machine's cores.
    pub cores: Option<f64>,
    /// The number of cores to which workers are bound, if these are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_to: Option<f64>,
    /// The CPU time that a control group allows, in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<f64>,
    /// The mean share of all cores that was busy.
    pub machine_cpu: Option<f64>,
    /// The mean share of all cores that other programs used.
    pub foreign_cpu: Option<f64>,
    /// The share of all cores that workers used.
    pub own_cpu: Option<Mean>,
    /// The mean busy share of each core.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busy: Vec<f64>,
    /// The share of the enforcement periods in which a quota was used up.
    pub throttled: Option<f64>,
    /// The share of the time in which some task waited for a core, for memory, for the disk.
    pub cpu_wait: Option<f64>,
    pub memory_wait: Option<f64>,
    pub disk_wait: Option<f64>,
    /// Bytes a second that were swapped in or out.
    pub swapping: Option<f64>,
    /// Times a second that a limit of memory was met.
    pub memory_hits: Option<f64>,
    /// The mean busy share of the busiest disk.
    pub disk_busy: Option<f64>,
    /// The busiest thread of a worker.
    pub thread: Option<Thread>,
    /// The busiest engines of GPUs and NPUs, at most [`Evidence::ENGINES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// The queues of failing streams that were fullest, at most [`Evidence::QUEUES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<Queue>,
    /// The least share of the frames that a source should have delivered.
    pub delivered: Option<f64>,
    /// The share of all frames that arrived, late ones too, of those that streams should have.
    pub processed: Option<f64>,
    /// The least share of frames that came on time of those that a stream should have.
    pub worst: Option<f64>,
    /// The most streams that one worker played.
    pub streams_per_worker: u32,
}

impl Evidence {
    /// The most queues that are kept.
    pub const QUEUES: usize = 4;
    /// The most engines that are kept.
    pub const ENGINES: usize = 4;
}

/// A mean and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    pub mean: f64,
    pub error: f64,
}

/// Threads of one name of one worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// `camera-1-l2`
    pub worker: String,
    /// Without numbers: `camera-1_1_queu`.
    pub name: String,
    /// CPU time of one of them over time, as a share of one core.
    pub cpu: f64,
}

/// A part of a GPU, or an NPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// In words: `GPU video engine`.
    pub name: String,
    /// The share of the time in which it was busy.
    pub busy: f64,
}

/// A queue of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// `camera-1_1_queue`
    pub name: String,
    /// The share of seconds at whose end it was as full as it ever was, if that was not empty.
    pub full: f64,
    /// The most buffers in it.
    pub most: u32,
    /// Frames that it dropped.
    pub dropped: u64,
}

/// The failing load.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// So many lanes hold.
    pub holds: u32,
    /// What can be taken away from it. Single steps are in the order of the pipelines.
    pub applies: Vec<Removal>,
}

/// The load without something, played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    pub removal: Removal,
    pub state: State,
    pub evidence: Evidence,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Play the load without this.
    Try(Removal),
    Found(Finding),
}

/// What limits a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub resource: Resource,
    /// The part of the work that needs it most; `None` if no single part does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The share of the load's CPU time that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frees: Option<f64>,
    pub certainty: Certainty,
    /// What shows it, in words.
    pub evidence: Vec<String>,
}

/// What there is not enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// All cores are busy.
    Cpu,
    /// A control group allows no more CPU time.
    CpuQuota,
    /// The cores to which the workers are bound are busy, others are not.
    BoundCores,
    /// One thread fills a core, while others are idle.
    OneThread,
    Memory,
    Disk,
    /// Frames wait for a sink.
    Sink,
    /// A queue is too short for the work behind it.
    ShortQueue,
    /// Frames wait in a queue for a step that computes nothing meanwhile.
    BlockedQueue,
    /// Streams of one worker wait for each other.
    Lock,
    /// A source delivers too few frames.
    Source,
    Unknown,
}

/// A part of the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Decoding,
    /// All models.
    Inference,
    /// A factory.
    Step(String),
    Sinks,
    /// The name of a queue.
    Queue(String),
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Nothing is known.
    Unknown,
    /// What was measured points to it.
    Likely,
    /// The load holds without it.
    Proved,
}

/// What to take away next, or what limits the load. `base` is what the failing load itself did.
#[must_use]
pub fn next_experiment(load: &Load, base: &Evidence, seen: &[Experiment]) -> Next {
    let known = Known { load, base, seen };
    let is_new = |removal: &Removal| {
        load.applies.contains(removal) && seen.iter().all(|experiment| experiment.removal != *removal)
    };
    let next = known.wanted().into_iter().find(is_new).filter(|_| seen.len() < MOST_EXPERIMENTS);
    next.map_or_else(|| Next::Found(conclude(&known)), Next::Try)
}

/// All that is known about a load.
struct Known<'a> {
    load: &'a Load,
    base: &'a Evidence,
    seen: &'a [Experiment],
}

impl Known<'_> {
    fn experiment(&self, removal: &Removal) -> Option<&Experiment> {
        self.seen.iter().find(|experiment| experiment.removal == *removal)
    }

    fn state(&self, removal: &Removal) -> Option<State> {
        self.experiment(removal).map(|experiment| experiment.state)
    }

    fn holds_without(&self, removal: &Removal) -> bool {
        self.state(removal) == Some(State::Holds)
    }

    /// The experiments with single steps that were made, in the order of the pipelines.
    fn steps(&self) -> impl Iterator<Item = (&Removal, &Experiment)> {
        let is_step = |removal: &&Removal| matches!(removal, Removal::Step(_));
        let made = |removal| Some((removal, self.experiment(removal)?));
        self.load.applies.iter().filter(is_step).filter_map(made)
    }

    /// What is worth an experiment by now, the most telling first.
    fn wanted(&self) -> Vec<Removal> {
        let base = self.base;
        let mut wanted = Vec::new();
        // Chance decides, or other programs.
        if base.is_disturbed() || self.holds_without(&Removal::Nothing) {
            return wanted;
        }
        if base.is_bound() {
            wanted.push(Removal::Binding);
        }
        wanted.push(Removal::Steps);
        let is_exhausted = base.is_exhausted();
        if !is_exhausted {
            wanted.push(Removal::Nothing);
        }
        if self.state(&Removal::Steps) == Some(State::Fails) {
            if !is_exhausted {
                wanted.push(Removal::DecoderThreads);
            }
            return wanted;
        }
        if !is_exhausted || base.waits_for_disk() {
            wanted.push(Removal::Sinks);
            if self.holds_without(&Removal::Sinks) {
                return wanted;
            }
        }
        let has_dropped = base.queues.iter().any(|queue| 0 < queue.dropped);
        if !is_exhausted && !base.has_hot_thread() && !base.waits_for_memory() && has_dropped {
            wanted.push(Removal::QueueLimits);
            if self.holds_without(&Removal::QueueLimits) {
                return wanted;
            }
        }
        let singles = self.load.applies.iter().filter(|removal| matches!(removal, Removal::Step(_)));
        let singles: Vec<Removal> = singles.take(MOST_STEPS).cloned().collect();
        let devices =
            self.load.applies.iter().filter(|removal| matches!(removal, Removal::Device(_))).cloned();
        // Where the CPU is full, the largest of all is looked for; else the one that makes
        // others wait.
        for single in singles {
            wanted.push(single.clone());
            if !is_exhausted && self.holds_without(&single) {
                wanted.push(Removal::SharedWorker);
                wanted.extend(devices);
                return wanted;
            }
        }
        wanted.push(if is_exhausted { Removal::Inference } else { Removal::HalfRate });
        // Whether the work grows with the picture, and whether another device has room for it.
        wanted.push(Removal::SmallerFrames);
        wanted.extend(devices);
        wanted
    }
}
