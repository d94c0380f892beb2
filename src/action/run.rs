//! `run:lane`: plays cameras in a session, and keeps the record.

pub(super) mod cast;
mod collectors;
mod compared;
mod counts;
mod expected;
mod files;
pub(super) mod network;
mod script;
mod searches;
mod secrets;
pub(super) mod serving;
pub(super) mod subject;

use self::cast::{Cast, Role};
use self::network::Network;
use super::{ActionError, LocalHost, document, write};
use crate::digest::ContentDigest;
use crate::engine::events::Outcome;
use crate::engine::host::{Attempt, Outputs, Performed};
use crate::graph::task::{Run, Task};
use crate::model::Settings;
use crate::os;
use crate::record::build::Setup;
use crate::record::{Conditions, RunRecord};
use crate::session::{Load, SessionError, idle_power, measure};
use crate::worker::protocol::Keep;

pub(super) fn perform(host: &LocalHost<'_>, run: &Run, task: &Task, attempt: &Attempt<'_>) -> Performed {
    let (mut record, log) = match record(host, run, task, attempt) {
        Ok(measured) => measured,
        Err(error) => return Performed::failed(&error),
    };
    record.inputs_changed = (attempt.inputs_changed)();
    let bytes = document(&record);
    if let Err(error) = write(attempt, &task.outputs[0], &bytes) {
        return Performed::failed(&error);
    }
    files::keep(&record, &record.run_id(&ContentDigest::of(&bytes)), attempt);
    let death = record.server.as_ref().and_then(|server| Some((&server.name, server.death.as_ref()?)));
    let death = death.map(|(name, death)| format!("{name}: {death}"));
    let streams = record.failures().map(|(_, stream, reason)| format!("{stream}: {reason}"));
    let failures: Vec<String> = death.into_iter().chain(streams).collect();
    let (outcome, detail) = if record.interrupted {
        (Outcome::Cancelled, "interrupted".to_owned())
    } else if failures.is_empty() {
        (Outcome::Succeeded, String::new())
    } else {
        (Outcome::Failed, failures.join("\n"))
    };
    Performed { outcome, detail, log, outputs: Outputs::KeptInAttempt }
}

/// The record, and the workers' output for people.
fn record(
    host: &LocalHost<'_>,
    run: &Run,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(RunRecord, Vec<u8>), ActionError> {
    let roles = Role::all(&run.members, host, task, attempt)?;
    let network = Network::new(run.impair)?;
    let cast = Cast::new(&roles, run.pace, &network, host, task, attempt)?;
    let setup = Setup {
        subject: run.subject.clone(),
        started: attempt.started,
        origin_ns: os::clock::monotonic_ns(),
        conditions: Conditions {
            duration_ms: run.duration_ms,
            warmup_ms: run.warmup_ms.unwrap_or(Settings::AUTO_WARMUP_MS),
            warmup_is_auto: run.warmup_ms.is_none(),
            pace: run.pace,
            isolation: run.isolation,
            count: run.count,
            repeat: attempt.repeat,
            decode_only: run.decode_only,
            traced: host.traced,
            impair: run.impair,
            limits: host.limits,
        },
        host: host.fingerprint.clone(),
        // Before a server, a worker or a script is started.
        idle: idle_power(attempt.cancel),
        members: Vec::new(),
        workers: Vec::new(),
    };
    let cameras = 0..cast.n_cameras();
    let keep = Keep { boxes: true, snapshot: run.snapshots, stages: host.traced };
    let copies = (1..=run.count).flat_map(|copy| cameras.clone().map(move |one| (one, copy)));
    let load = cast.load(setup, keep, copies)?;
    let collectors = collectors::loads((run, host), &load.setup, &load.secrets, attempt)?;
    let server = serving::start(host, run.server.as_ref(), attempt)?;
    let load = Load { server: server.as_ref(), collectors, ..load };
    let provenance = subject::provenance(host, task, attempt);
    let mut record = measure(&load, attempt.cancel, host.watch).map_err(|error| match error {
        SessionError::Cancelled => ActionError::Cancelled,
        other => other.into(),
    })?;
    network.tell(&mut record);
    subject::describe(&mut record, host, attempt, provenance);
    compared::compare(&mut record, &cast, host, task, attempt);
    record.other_counts = counts::others(&record, host, task, attempt);
    record.thresholds.clone_from(&host.thresholds);
    record.searches = searches::known(&record, host, task, attempt);
    Ok((record, load.logs()))
}
