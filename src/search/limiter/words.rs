//! Findings in words.

use std::fmt;

use super::conclude::Part;
use super::{Certainty, Evidence, Experiment, Finding, Known, Resource, Stage, State};
use crate::pipeline::removal::Removal;

impl fmt::Display for Finding {
    /// `limited by CPU: detection (removing it frees 41 %)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage.as_ref().map(Stage::to_string);
        let what = match self.resource {
            Resource::Unknown => return f.write_str("limit unknown"),
            Resource::Cpu => "CPU",
            Resource::CpuQuota => "the CPU quota of its control group",
            Resource::BoundCores => "the cores to which its workers are bound",
            Resource::OneThread => "one thread",
            Resource::Memory => "memory",
            Resource::Disk => "the disk",
            Resource::Sink => "its sinks",
            Resource::ShortQueue => "a short queue",
            Resource::BlockedQueue => "a step that waits",
            Resource::Lock => "a lock between streams of a worker",
            Resource::Source => "its sources",
        };
        write!(f, "limited by {what}")?;
        match (&stage, self.frees.map(percent), self.resource) {
            (_, _, Resource::Sink) => Ok(()),
            // Decoding cannot be removed.
            (Some(stage), Some(share), _) if self.stage == Some(Stage::Decoding) => {
                write!(f, ": {stage} (it takes {share} of the CPU time)")
            }
            (Some(stage), Some(share), _) => write!(f, ": {stage} (removing it frees {share})"),
            (Some(stage), None, _) => write!(f, ": {stage}"),
            (None, _, Resource::Cpu | Resource::CpuQuota | Resource::BoundCores) => {
                f.write_str(": no single step takes most of it")
            }
            (None, ..) => Ok(()),
        }?;
        if self.certainty == Certainty::Likely { f.write_str(", probably") } else { Ok(()) }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Decoding => f.write_str("decoding"),
            Stage::Inference => f.write_str("inference"),
            Stage::Sinks => f.write_str("sinks"),
            Stage::Step(factory) => match factory.as_str() {
                "gvadetect" => f.write_str("detection"),
                "gvaclassify" => f.write_str("classification"),
                "gvatrack" => f.write_str("tracking"),
                other => write!(f, "`{other}`"),
            },
            Stage::Queue(name) => write!(f, "`{name}`"),
        }
    }
}

/// The load without something: `without zbar`, `with other threads of the decoder`.
#[must_use]
pub fn experiment(removal: &Removal) -> String {
    match removal {
        Removal::Nothing => "played again".to_owned(),
        Removal::Steps => "only decoding".to_owned(),
        Removal::Inference => "without inference".to_owned(),
        Removal::Step(factory) => format!("without {}", Stage::Step(factory.clone())),
        Removal::HalfRate => "at half the rate".to_owned(),
        Removal::SmallerFrames => "with a quarter of the pixels".to_owned(),
        Removal::Sinks => "without its sinks".to_owned(),
        Removal::DecoderThreads => "with another number of decoder threads".to_owned(),
        Removal::QueueLimits => "with queues that hold eight times as much".to_owned(),
        Removal::Device(device) => format!("on {device}"),
        Removal::SharedWorker => "with a worker for each camera".to_owned(),
        Removal::Binding => "with workers on all cores".to_owned(),
    }
}

impl Known<'_> {
    /// What shows a finding: of the failing load what its resource says, and every experiment.
    pub(super) fn words(&self, finding: &Finding) -> Vec<String> {
        let base = self.base;
        let mut lines = base.words(finding.resource);
        lines.extend(self.seen.iter().map(|one| self.line(one)));
        lines
    }

    /// `without `zbar`: holds, 41 % less CPU time`
    fn line(&self, one: &Experiment) -> String {
        let state = match one.state {
            State::Holds => "holds",
            State::Fails => "does not hold",
            State::Undecided => "undecided",
            State::Disturbed => "disturbed by other programs",
            State::Broken => "cannot be played",
        };
        let cpu =
            self.part(&one.evidence).filter(|_| one.state != State::Broken).map(|Part { share, noise }| {
                if share <= noise {
                    ", no less CPU time".to_owned()
                } else {
                    format!(", {} less CPU time", percent(share))
                }
            });
        format!("{}: {state}{}", experiment(&one.removal), cpu.unwrap_or_default())
    }
}

impl Evidence {
    /// What this load says about a resource.
    fn words(&self, resource: Resource) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |line: Option<String>| lines.extend(line);
        let machine = self.machine_cpu.map(|cpu| format!("{} of the CPU was busy", percent(cpu)));
        let queues = || {
            let queue = self.queues.iter().max_by_key(|queue| queue.dropped)?;
            Some(format!(
                "the queue `{}` was at its highest level, {}, in {} of the seconds, and dropped {} frames",
                queue.name,
                queue.most,
                percent(queue.full),
                queue.dropped
            ))
        };
        match resource {
            Resource::Cpu => say(machine),
            Resource::CpuQuota => {
                say(self.quota.map(|quota| format!("its control group may use {quota:.2} cores")));
                say(self
                    .throttled
                    .map(|share| format!("the quota was used up in {} of its periods", percent(share))));
            }
            Resource::BoundCores => {
                say(self
                    .bound_to
                    .zip(self.cores)
                    .map(|(bound, cores)| format!("workers may use {bound} of {cores} cores")));
                let busy: Vec<String> = self.busy.iter().map(|share| percent(*share)).collect();
                say((!busy.is_empty() && busy.len() <= 16)
                    .then(|| format!("the cores were busy {}", busy.join(", "))));
            }
            Resource::OneThread => {
                say(self.thread.as_ref().map(|thread| {
                    format!(
                        "a thread `{}` of `{}` used {} of a core",
                        thread.name,
                        thread.worker,
                        percent(thread.cpu)
                    )
                }));
                say(machine);
            }
            Resource::Memory => {
                say(self
                    .memory_wait
                    .map(|share| format!("it waited for memory {} of the time", percent(share))));
                say(self
                    .swapping
                    .filter(|bytes| 0.0 < *bytes)
                    .map(|bytes| format!("{:.1} MB/s were swapped", bytes / 1e6)));
                say(self
                    .memory_hits
                    .filter(|hits| 0.0 < *hits)
                    .map(|hits| format!("its limit of memory was met {hits:.0} times a second")));
            }
            Resource::Disk => {
                say(self
                    .disk_wait
                    .map(|share| format!("it waited for the disk {} of the time", percent(share))));
                say(self.disk_busy.map(|share| format!("the disk was busy {}", percent(share))));
            }
            Resource::Source => say(self
                .delivered
                .map(|share| format!("a source delivered {} of its frames", percent(share)))),
            Resource::Sink | Resource::ShortQueue | Resource::BlockedQueue | Resource::Lock => {
                say(queues());
                say(machine);
            }
            Resource::Unknown => {
                say(self
                    .foreign_cpu
                    .filter(|_| self.is_disturbed())
                    .map(|share| format!("other programs used {} of the CPU", percent(share))));
                say(machine);
                say(queues());
            }
        }
        // Whatever is found: no experiment takes work from an engine alone.
        let engines = self.full_engines();
        lines.extend(engines.map(|engine| format!("{} {} busy", engine.name, percent(engine.busy))));
        lines
    }
}

/// `41 %`
fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
