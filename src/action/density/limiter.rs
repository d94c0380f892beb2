//! What limits the lanes: the load that fails, played again without one thing at a time.
//!
//! `search::limiter` decides what is taken away. An experiment is a setting that explores; the
//! lanes of one share nothing with those of the one before, so the stage is cleared in between.
//! An experiment that cannot be played says nothing about the machine.

use super::{ActionError, Driver, Measured};
use crate::os;
use crate::pipeline::removal::Removal;
use crate::record::RunRecord;
use crate::record::density::{LimiterRecord, SettingRecord};
use crate::record::measure::{evidence, measure};
use crate::search::limiter::{
    Certainty, Evidence, Experiment, Finding, Load, Next, Resource, next_experiment,
};
use crate::search::{Answer, Ask, Goal, State, Why};
use crate::session::{self, Observation, Stage, removals, variant};

/// So many seconds of the failing load are needed to see what it does: workers report their
/// threads every 10 s.
const LOAD_S: f64 = 22.0;
/// The same of an experiment.
const EXPERIMENT_S: f64 = 10.0;

impl Driver<'_> {
    /// What limits one lane more than the answer; `None` if none was shown to fail, or the user
    /// stops it.
    pub(super) fn limiter(
        &self,
        stage: &mut Stage<'_>,
        answer: &Answer,
    ) -> Result<Option<LimiterRecord>, ActionError> {
        if answer.why == Some(Why::Guard) {
            let lack = self.guard.lack().filter(|lack| lack.contains("memory"));
            return Ok(lack.map(|lack| out_of_memory(answer.at_least + 1, lack)));
        }
        let Some(failed) = failed(&self.kept.settings, answer) else { return Ok(None) };
        let mut experiments: Vec<Experiment> = Vec::new();
        let mut base = evidence(&failed.record, &measure(&failed.record));
        // A hopeless load ended early, so little was seen of it.
        if window_s(&failed.record) < LOAD_S {
            let Some(again) = self.experiment(stage, failed.lanes, Removal::Nothing)? else {
                return Ok(None);
            };
            // A stream may hang if it is played for longer.
            if again.state != State::Broken {
                base.clone_from(&again.evidence);
            }
            experiments.push(again);
        }
        let mut applies = {
            let load = self.load(failed.lanes)?;
            removals(&load.setup, &load.pipelines, &devices(&failed.record))
        };
        if base.bound_to.is_some() {
            applies.push(Removal::Binding);
        }
        let load = Load { holds: answer.at_least, applies };
        let finding = loop {
            match next_experiment(&load, &base, &experiments) {
                Next::Found(finding) => break finding,
                Next::Try(removal) => {
                    let Some(experiment) = self.experiment(stage, failed.lanes, removal)? else {
                        return Ok(None);
                    };
                    experiments.push(experiment);
                }
            }
        };
        Ok(Some(LimiterRecord { lanes: failed.lanes, finding, load: base, experiments }))
    }

    /// Plays so many lanes without something; `None` if the user stops it.
    fn experiment(
        &self,
        stage: &mut Stage<'_>,
        lanes: u32,
        removal: Removal,
    ) -> Result<Option<Experiment>, ActionError> {
        (self.host.watch)(Observation::Trying(&removal));
        stage.clear();
        let load = self.load(lanes)?;
        let Some((setup, pipelines)) = (match &removal {
            Removal::Binding => Some((load.setup.clone(), load.pipelines.clone())),
            other => variant(&load.setup, &load.pipelines, other),
        }) else {
            return Ok(Some(Experiment { removal, state: State::Broken, evidence: Evidence::default() }));
        };
        let load = session::Load { setup, pipelines, ..load };
        let ask = Ask { lanes, goal: Goal::Explore };
        let least_s = if removal == Removal::Nothing { LOAD_S } else { EXPERIMENT_S };
        let mut play = || self.measure(stage, &load, &ask, 0, least_s);
        let measured = match removal {
            // Workers are started by this thread.
            Removal::Binding => match os::affinity::on_all_cores(&mut play) {
                Ok(measured) => measured?,
                Err(_) => Measured::GaveUp,
            },
            _ => play()?,
        };
        let experiment = match measured {
            Measured::Interrupted => return Ok(None),
            Measured::GaveUp => Experiment { removal, state: State::Broken, evidence: Evidence::default() },
            Measured::Setting(setting) => {
                let SettingRecord { state, record, .. } = *setting;
                let mut evidence = evidence(&record, &measure(&record));
                if removal == Removal::Binding {
                    evidence.bound_to = None;
                }
                Experiment { removal, state, evidence }
            }
        };
        (self.host.watch)(Observation::Tried(&experiment));
        Ok(Some(experiment))
    }
}

/// The devices of the machine on which models may run.
fn devices(record: &RunRecord) -> Vec<String> {
    let has = |fact: &str| record.host.facts.get(fact).is_some_and(|found| found != "none");
    let others = [("gpu", "GPU"), ("npu", "NPU")].into_iter().filter(|(fact, _)| has(fact));
    ["CPU"].into_iter().chain(others.map(|(_, device)| device)).map(str::to_owned).collect()
}

/// The longest window of a stream.
fn window_s(record: &RunRecord) -> f64 {
    let windows =
        record.members.iter().flat_map(|member| &member.streams).filter_map(|stream| stream.window_us);
    windows.map(|(begin, end)| end.saturating_sub(begin)).max().unwrap_or(0) as f64 / 1e6
}

/// The last setting that showed that one lane more than the answer fails.
fn failed<'a>(settings: &'a [SettingRecord], answer: &Answer) -> Option<&'a SettingRecord> {
    let lanes = answer.at_most?.checked_add(1)?;
    settings.iter().rev().find(|setting| setting.lanes == lanes && setting.state == State::Fails)
}

/// There is no memory for one lane more, so it was not tried.
fn out_of_memory(lanes: u32, lack: String) -> LimiterRecord {
    let (resource, certainty) = (Resource::Memory, Certainty::Likely);
    let finding = Finding { resource, stage: None, frees: None, certainty, evidence: vec![lack] };
    LimiterRecord { lanes, finding, load: Evidence::default(), experiments: Vec::new() }
}
