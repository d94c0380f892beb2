//! `density:lane`: searches for the number of lanes that this machine can play.
//!
//! `search` decides what is measured next and when enough was seen of it; here it is done: the
//! cameras are put on a stage, whose lanes come and go while the others play, and each setting is
//! kept as soon as it ends.

mod guard;
mod kept;
mod limiter;

use self::guard::{Alarm, Guard};
use self::kept::Kept;
use super::run::cast::{Cast, Role};
use super::run::network::Network;
use super::run::{serving, subject};
use super::{ActionError, LocalHost, document, write};
use crate::engine::events::Outcome;
use crate::engine::host::{Attempt, Outputs, Performed};
use crate::graph::task::{Density, Task};
use crate::model::Settings;
use crate::name::Slug;
use crate::os;
use crate::record::build::Setup;
use crate::record::density::{
    DensityRecord, LimiterRecord, SettingRecord, VERSION, look_of, setting_of, worst,
};
use crate::record::measure::measure;
use crate::record::{Conditions, Pace, RunRecord};
use crate::search::{Answer, Ask, Goal, Next, Rules, Seen, Setting, State, Why, look, next};
use crate::session::{Load, Observation, SessionError, Stage, Watched, idle_power};
use crate::worker::protocol::Keep;

pub(super) fn perform(
    host: &LocalHost<'_>,
    density: &Density,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Performed {
    let (mut record, log) = match search(host, density, task, attempt) {
        Ok(found) => found,
        Err(ActionError::Cancelled) => return Performed::cancelled(),
        Err(error) => return Performed::failed(&error),
    };
    record.inputs_changed = (attempt.inputs_changed)();
    if let Err(error) = write(attempt, &task.outputs[0], &document(&record)) {
        return Performed::failed(&error);
    }
    let (outcome, detail) = if record.interrupted {
        (Outcome::Cancelled, "interrupted".to_owned())
    } else if record.answer.why == Some(Why::Broken) {
        (Outcome::Failed, broken(&record).join("\n"))
    } else {
        (Outcome::Succeeded, String::new())
    };
    Performed { outcome, detail, log, outputs: Outputs::KeptInAttempt }
}

/// What did not play in the setting that says nothing about the machine.
fn broken(record: &DensityRecord) -> Vec<String> {
    let Some(setting) = record.settings.iter().rev().find(|one| one.state == State::Broken) else {
        return Vec::new();
    };
    let failures = setting.record.failures().map(|(_, stream, reason)| format!("{stream}: {reason}"));
    let failures: Vec<String> = failures.collect();
    if !failures.is_empty() {
        return failures;
    }
    vec![setting.reason.clone().unwrap_or_else(|| "nothing was seen".to_owned())]
}

fn search(
    host: &LocalHost<'_>,
    density: &Density,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(DensityRecord, Vec<u8>), ActionError> {
    let rules = Rules {
        confidence: density.confidence,
        max: density.max,
        budget_s: host.density.budget.as_secs_f64(),
        on_time: density.verdict.on_time,
    };
    let kept = Kept::open(attempt, rules.budget_s)?;
    let roles = Role::all(&density.members, host, task, attempt)?;
    let network = Network::new(density.impair)?;
    let cast = Cast::new(&roles, Pace::Live, &network, host, task, attempt)?;
    // Before a server or a worker is started.
    let setup = setup(host, density, attempt);
    // Of all settings; it ends after the last one.
    let _server = serving::start(host, density.server.as_ref(), attempt)?;
    let secrets = cast.redaction();
    let stage = Stage::new(setup.clone(), &secrets, host.watch, attempt.cancel);
    let mut driver = Driver { host, density, cast: &cast, setup, rules, kept, guard: Guard::default() };
    let provenance = subject::provenance(host, task, attempt);
    let (answer, limiter, log) = driver.run(stage)?;
    let Driver { kept, guard, .. } = driver;
    let interrupted = answer.why == Some(Why::Interrupted);
    if !interrupted && answer.why != Some(Why::Broken) {
        kept.answer(&answer, rules.budget_s)?;
    }
    let settings = kept.settings;
    let confirmed = settings
        .iter()
        .rev()
        .find(|one| one.lanes == answer.at_least && one.goal == Goal::Confirm && one.state == State::Holds);
    let mut at_answer = confirmed.map(|setting| Box::new(setting.record.clone()));
    if let Some(record) = &mut at_answer {
        subject::describe(record, host, attempt, provenance.clone());
    }
    let record = DensityRecord {
        version: VERSION,
        subject: density.subject.clone(),
        started: kept.started,
        utc_offset_s: os::clock::utc_offset_s(kept.started),
        tag: host.tag.clone(),
        provenance,
        unit: density.unit,
        background: background(density).cloned().collect(),
        rules,
        host: host.fingerprint.clone(),
        settings,
        lack: (answer.why == Some(Why::Guard)).then(|| guard.lack()).flatten(),
        answer,
        limiter,
        at_answer,
        interrupted,
        inputs_changed: Vec::new(),
        thresholds: host.thresholds.clone(),
    };
    Ok((record, log))
}

/// Cameras that play once beside the copies.
fn background(density: &Density) -> impl Iterator<Item = &Slug> {
    density.members.iter().filter(|slug| density.counted.as_ref().is_some_and(|counted| counted != *slug))
}

/// A setting without members.
fn setup(host: &LocalHost<'_>, density: &Density, attempt: &Attempt<'_>) -> Setup {
    Setup {
        subject: density.subject.clone(),
        started: attempt.started,
        origin_ns: os::clock::monotonic_ns(),
        conditions: Conditions {
            // Until enough was seen.
            duration_ms: 0,
            warmup_ms: density.warmup_ms.unwrap_or(Settings::AUTO_WARMUP_MS),
            warmup_is_auto: density.warmup_ms.is_none(),
            pace: Pace::Live,
            isolation: density.isolation,
            count: 1,
            repeat: attempt.repeat,
            decode_only: density.decode_only,
            traced: false,
            impair: density.impair,
            limits: density.verdict,
        },
        host: host.fingerprint.clone(),
        idle: idle_power(attempt.cancel),
        members: Vec::new(),
        workers: Vec::new(),
    }
}

/// A search while it goes on.
struct Driver<'a> {
    host: &'a LocalHost<'a>,
    density: &'a Density,
    cast: &'a Cast<'a>,
    setup: Setup,
    rules: Rules,
    kept: Kept,
    guard: Guard,
}

/// The answer, what limits the lanes, and the workers' output for people.
type Outcomes = (Answer, Option<LimiterRecord>, Vec<u8>);

/// How a setting ended.
enum Measured {
    Setting(Box<SettingRecord>),
    /// There was not enough memory for it.
    GaveUp,
    Interrupted,
}

impl Driver<'_> {
    fn run(&mut self, mut stage: Stage<'_>) -> Result<Outcomes, ActionError> {
        let mut log = Vec::new();
        // The time between two sittings does not count.
        let spent_us = self.kept.settings.last().map_or(0, |last| last.span_us.1);
        let begin_us = stage.now_us().saturating_sub(spent_us);
        for setting in &self.kept.settings {
            self.guard.recall(setting.lanes, &setting.record);
            (self.host.watch)(Observation::Setting(setting));
        }
        let mut settings: Vec<Setting> = self.kept.settings.iter().map(setting_of).collect();
        let answer = loop {
            let fits = self.guard.fits().filter(|_| !self.host.density.allow_oom);
            let ask = match next(&self.rules, &settings, fits) {
                Next::Answer(answer) => break proved(answer, &settings),
                Next::Measure(ask) => ask,
            };
            (self.host.watch)(Observation::Asked(&ask));
            let load = self.load(ask.lanes)?;
            let measured = self.measure(&mut stage, &load, &ask, begin_us, 0.0);
            log = load.logs();
            match measured? {
                Measured::Setting(setting) => {
                    if setting.state != State::Broken {
                        self.guard.learn(ask.lanes, &setting.record, &stage.pids());
                    }
                    settings.push(setting_of(&setting));
                    // What people see is kept.
                    (self.host.watch)(Observation::Setting(self.kept.add(*setting)?));
                }
                Measured::GaveUp => {
                    self.guard.gave_up(ask.lanes);
                    stage.clear();
                }
                Measured::Interrupted => break so_far(&settings),
            }
        };
        let limiter = match answer.why {
            Some(Why::Interrupted | Why::Broken) => None,
            _ if !self.host.density.limiter => None,
            _ => self.limiter(&mut stage, &answer)?,
        };
        stage.clear();
        Ok((answer, limiter, log))
    }

    fn load(&self, lanes: u32) -> Result<Load<'_>, ActionError> {
        let mut setup = self.setup.clone();
        let cameras = self.density.members.iter().enumerate();
        let copies: Vec<(usize, u32)> = match &self.density.counted {
            None => {
                setup.conditions.count = lanes;
                let copy = |copy: u32| (0..self.cast.n_cameras()).map(move |camera| (camera, copy));
                (1..=lanes).flat_map(copy).collect()
            }
            // The others once, and then copies, so that a copy more changes nothing before it.
            Some(counted) => {
                let place = cameras.clone().find(|(_, slug)| *slug == counted).map_or(0, |(place, _)| place);
                let once = cameras.map(|(camera, _)| (camera, 1));
                once.chain((2..=lanes).map(|copy| (place, copy))).collect()
            }
        };
        self.cast.load(setup, Keep::default(), copies)
    }

    /// Plays a load until enough was seen of it, and so many seconds of its windows at least.
    fn measure(
        &self,
        stage: &mut Stage<'_>,
        load: &Load<'_>,
        ask: &Ask,
        begin_us: u64,
        least_s: f64,
    ) -> Result<Measured, ActionError> {
        let asked_us = stage.now_us();
        // What a load that does not hold has held up would be in the windows of the next.
        if self.kept.settings.last().is_some_and(|last| last.state != State::Holds) {
            stage.clear();
        }
        let mut alarm = Alarm::new();
        let is_watched = !self.host.density.allow_oom;
        let mut rings = || is_watched && alarm.rings();
        match stage.play(load, &mut rings) {
            Ok(true) => {}
            Ok(false) => return Ok(Measured::GaveUp),
            Err(SessionError::Cancelled) => return Ok(Measured::Interrupted),
            Err(error) => return Err(error.into()),
        }
        let (mut state, mut worst_so_far) = (State::Undecided, None);
        let left_s = self.rules.budget_s - self.kept.spent_s() - seconds(stage.now_us(), asked_us);
        let mut judge = |record: &RunRecord| {
            let measurement = measure(record);
            worst_so_far = worst(&measurement);
            let seen = look_of(record, &measurement);
            match look(&self.rules, ask, &seen, left_s - seen.window_s) {
                Seen::Until(seconds) => Some(seconds),
                Seen::Enough(_) if seen.window_s < least_s => Some(least_s),
                Seen::Enough(seen) => {
                    state = seen;
                    None
                }
            }
        };
        let record = match stage.watch(&mut judge, &mut rings) {
            Watched::Enough(record) => *record,
            Watched::Alarm => return Ok(Measured::GaveUp),
            Watched::Interrupted => return Ok(Measured::Interrupted),
        };
        // A stream that fails ends a setting whatever was seen of the others.
        if record.failures().next().is_some() {
            state = State::Broken;
        }
        let worst = worst_so_far;
        Ok(Measured::Setting(Box::new(SettingRecord {
            lanes: ask.lanes,
            goal: ask.goal,
            state,
            reason: worst.as_ref().and_then(|worst| worst.reason.clone()).filter(|_| state != State::Holds),
            worst: worst.map(|worst| worst.stream),
            span_us: (asked_us.saturating_sub(begin_us), stage.now_us().saturating_sub(begin_us)),
            record,
        })))
    }
}

/// From one time to another, in microseconds each.
fn seconds(to_us: u64, from_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1e6
}

/// An answer whose next number did not play is none: that tells of a camera, or of a plugin, and
/// perhaps nothing of the machine.
fn proved(answer: Answer, settings: &[Setting]) -> Answer {
    let of_next = || settings.iter().filter(|one| Some(one.lanes) == answer.at_most.map(|most| most + 1));
    let is_broken = of_next().any(|one| one.state == State::Broken);
    let is_shown = of_next().any(|one| one.state == State::Fails);
    if answer.exact().is_some() && is_broken && !is_shown {
        return Answer { at_most: None, why: Some(Why::Broken), ..answer };
    }
    answer
}

/// What a search that was stopped has found.
fn so_far(settings: &[Setting]) -> Answer {
    let holds = |one: &&Setting| one.state == State::Holds;
    let confirmed = settings.iter().filter(holds).filter(|one| one.goal == Goal::Confirm);
    let at_least = confirmed.map(|one| one.lanes).max().unwrap_or(0);
    let failed = settings.iter().filter(|one| one.state == State::Fails && one.lanes > at_least);
    let at_most = failed.map(|one| one.lanes - 1).min();
    Answer { at_least, at_most, why: Some(Why::Interrupted), not_monotone: Vec::new() }
}
