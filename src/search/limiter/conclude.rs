//! From experiments to what limits a load.

use super::{Certainty, Evidence, Finding, Known, Mean, Resource, Stage, State};
use crate::pipeline::removal::Removal;

/// A step that frees less than this takes no part worth naming.
const LEAST_PART: f64 = 0.05;

pub(super) fn conclude(known: &Known<'_>) -> Finding {
    let base = known.base;
    if base.is_disturbed() || known.holds_without(&Removal::Nothing) {
        return known.unknown();
    }
    if base.waits_for_memory() {
        let is_gone =
            known.seen.iter().any(|one| one.state == State::Holds && !one.evidence.waits_for_memory());
        return known.finding(Resource::Memory, None, is_gone);
    }
    if known.holds_without(&Removal::Sinks) {
        let resource = if base.waits_for_disk() { Resource::Disk } else { Resource::Sink };
        // A sink that computes too much looks the same if nothing is known of the CPU.
        return known.finding(resource, Some(Stage::Sinks), base.machine_cpu.is_some());
    }
    if base.is_over_quota() {
        return known.by_cpu(Resource::CpuQuota);
    }
    if base.is_bound() && known.state(&Removal::Binding) != Some(State::Fails) {
        let is_proved = known.holds_without(&Removal::Binding);
        let finding = known.by_cpu(Resource::BoundCores);
        return if is_proved { Finding { certainty: Certainty::Proved, ..finding } } else { finding };
    }
    if base.is_full() {
        return known.by_cpu(Resource::Cpu);
    }
    known.by_waiting()
}

impl Known<'_> {
    fn finding(&self, resource: Resource, stage: Option<Stage>, is_proved: bool) -> Finding {
        let certainty = if is_proved { Certainty::Proved } else { Certainty::Likely };
        let finding = Finding { resource, stage, frees: None, certainty, evidence: Vec::new() };
        Finding { evidence: self.words(&finding), ..finding }
    }

    fn unknown(&self) -> Finding {
        let certainty = Certainty::Unknown;
        let (resource, evidence) = (Resource::Unknown, Vec::new());
        let finding = Finding { resource, stage: None, frees: None, certainty, evidence };
        Finding { evidence: self.words(&finding), ..finding }
    }

    /// Streams wait though there is CPU time left.
    fn by_waiting(&self) -> Finding {
        let base = self.base;
        if self.state(&Removal::Steps) == Some(State::Fails) {
            let threads_help = self.holds_without(&Removal::DecoderThreads);
            return match () {
                () if threads_help || base.has_hot_thread() => {
                    self.finding(Resource::OneThread, Some(Stage::Decoding), threads_help)
                }
                () if base.waits_for_disk() => self.finding(Resource::Disk, Some(Stage::Decoding), false),
                () if base.lacks_frames() => self.finding(Resource::Source, None, false),
                () => self.unknown(),
            };
        }
        let blocking = self.steps().find(|(_, experiment)| experiment.state == State::Holds);
        if self.holds_without(&Removal::QueueLimits) {
            let most = base.queues.iter().max_by_key(|queue| queue.dropped);
            let stage = most.map(|queue| Stage::Queue(queue.name.clone()));
            return self.finding(Resource::ShortQueue, stage, true);
        }
        let Some((Removal::Step(step), experiment)) = blocking else {
            // No single step makes it hold, so what was seen at them says nothing.
            return self.unknown();
        };
        let stage = Some(Stage::Step(step.clone()));
        if base.has_hot_thread() {
            return self.finding(Resource::OneThread, stage, true);
        }
        if base.waits_for_disk() {
            return self.finding(Resource::Disk, stage, false);
        }
        let freed =
            base.own_cores().zip(experiment.evidence.own_cores()).map(|(with, without)| with - without);
        let is_alone = match self.state(&Removal::SharedWorker) {
            Some(State::Holds) => true,
            Some(State::Fails) => false,
            // Not tried, or without a result.
            _ => freed.is_some_and(|cores| base.is_one_at_a_time(cores)),
        };
        if is_alone {
            return self.finding(Resource::Lock, stage, self.holds_without(&Removal::SharedWorker));
        }
        // A step that computes all the time makes frames wait as well.
        if base.machine_cpu.is_none() {
            return self.unknown();
        }
        self.finding(Resource::BlockedQueue, stage, true)
    }

    /// The part of the work that takes most of the CPU time of which there is not enough.
    fn by_cpu(&self, resource: Resource) -> Finding {
        let mut parts: Vec<(Stage, Part)> = self
            .steps()
            .filter_map(|(removal, experiment)| {
                let Removal::Step(step) = removal else { return None };
                Some((Stage::Step(step.clone()), self.part(&experiment.evidence)?))
            })
            .collect();
        if let Some(Part { share, noise }) =
            self.experiment(&Removal::Inference).and_then(|one| self.part(&one.evidence))
            && parts.iter().all(|(_, part)| part.share + noise < share)
        {
            parts.push((Stage::Inference, Part { share, noise }));
        }
        let without_steps = self.experiment(&Removal::Steps);
        if let Some(Part { share, noise }) = without_steps.and_then(|one| self.part(&one.evidence)) {
            parts.push((Stage::Decoding, Part { share: 1.0 - share, noise }));
        } else if !self.load.applies.contains(&Removal::Steps) {
            // There is nothing but sources and decoding.
            parts.push((Stage::Decoding, Part { share: 1.0, noise: 0.0 }));
        }
        parts.sort_by(|(_, one), (_, other)| other.share.total_cmp(&one.share));
        // All of the work is in decoding if that alone is too much.
        if without_steps.is_some_and(|one| one.state == State::Fails)
            && let Some(at) = parts.iter().position(|(stage, _)| *stage == Stage::Decoding)
        {
            let (stage, part) = parts.swap_remove(at);
            return Finding { frees: Some(part.share), ..self.finding(resource, Some(stage), true) };
        }
        let largest = parts.first().cloned().filter(|(_, part)| LEAST_PART.max(part.noise) < part.share);
        let second = parts.get(1).map_or(0.0, |(_, part)| part.share + part.noise.max(LEAST_PART));
        let is_proved = self.seen.iter().any(|one| one.state == State::Holds);
        match largest {
            // The largest by more than chance.
            Some((stage, part)) if second < part.share - part.noise => {
                Finding { frees: Some(part.share), ..self.finding(resource, Some(stage), is_proved) }
            }
            _ => self.finding(resource, None, is_proved),
        }
    }

    /// The share of the CPU time that the load needs which it does not need in an experiment.
    pub(super) fn part(&self, without: &Evidence) -> Option<Part> {
        let decoding = self.experiment(&Removal::Steps).and_then(|one| one.evidence.own_cpu);
        let decoding = decoding.map_or(0.0, |decoding| decoding.mean);
        let (before, after) = (self.base.needed(decoding)?, without.needed(decoding)?);
        if before.mean <= 0.0 {
            return None;
        }
        // Two standard errors of a ratio whose parts are independent.
        let ratio = after.mean / before.mean;
        let noise = 2.0 * after.error.hypot(ratio * before.error) / before.mean;
        Some(Part { share: (1.0 - ratio).clamp(0.0, 1.0), noise })
    }
}

impl Evidence {
    /// The CPU time that workers would have used if all frames had arrived, as a share of all
    /// cores. A load that is too much drops frames after decoding, so only the rest of its time
    /// is too little.
    fn needed(&self, decoding: f64) -> Option<Mean> {
        let Mean { mean, error } = self.own_cpu?;
        let arrived = self.processed.filter(|share| 0.0 < *share).unwrap_or(1.0).min(1.0);
        let decoding = decoding.min(mean);
        Some(Mean { mean: decoding + (mean - decoding) / arrived, error: error / arrived })
    }
}

/// A part of the load's CPU time, and how much of it may be chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) share: f64,
    pub(super) noise: f64,
}
