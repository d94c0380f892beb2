//! The programs of the user's beside a run: what is run, for which member, and where its output goes.

use std::ffi::OsStr;
use std::path::Path;

use super::{ActionError, LocalHost, files};
use crate::engine::host::Attempt;
use crate::graph::task::Run;
use crate::model::{Collector, Scope};
use crate::name::Slug;
use crate::os;
use crate::record::build::{MemberSetup, Setup};
use crate::record::collector::id;
use crate::session::{COLLECTOR_PATH, CollectorLoad, Redaction};

/// Those of a run, one for each member where they are about members.
///
/// # Errors
/// When one that is required is not there, or a folder cannot be made.
pub(super) fn loads(
    (run, host): (&Run, &LocalHost<'_>),
    setup: &Setup,
    redaction: &Redaction,
    attempt: &Attempt<'_>,
) -> Result<Vec<CollectorLoad>, ActionError> {
    let required = run.collectors.iter().filter(|one| host.required.contains(&one.name));
    let missing = required.filter(|one| !is_there(one, &attempt.layout.root));
    let missing: Vec<String> = missing
        .map(|one| format!("`{}`, the program of the collector `{}`", one.command[0], one.name))
        .collect();
    if !missing.is_empty() {
        return Err(ActionError::Worker(format!(
            "there is no {} (in {COLLECTOR_PATH}), and the collector is `required`",
            missing.join(", and no ")
        )));
    }
    if run.collectors.is_empty() {
        return Ok(Vec::new());
    }
    let (outputs, pipes) =
        (files::folder(attempt, files::COLLECTORS), attempt.dir.join("tmp").join(files::COLLECTORS));
    os::fs::create_dir_all(&outputs)?;
    os::fs::create_dir_all(&pipes)?;
    let load = |collector: &Collector, member: Option<Slug>, worker: Option<usize>| CollectorLoad {
        pipe: pipes.join(id(&collector.name, member.as_ref())),
        name: collector.name.clone(),
        member,
        command: collector.command.clone(),
        env: collector.env.clone(),
        worker,
        parser: collector.parser,
        dir: attempt.layout.root.clone(),
        files: outputs.clone(),
        redaction: redaction.clone(),
    };
    let mut loads = Vec::new();
    for collector in &run.collectors {
        match collector.scope {
            Scope::Run => loads.push(load(collector, None, None)),
            Scope::Member => loads.extend(
                setup
                    .members
                    .iter()
                    .map(|member| load(collector, Some(member.slug.clone()), Some(worker_of(member, setup)))),
            ),
        }
    }
    Ok(loads)
}

/// The worker of a member; a number that there is not for one of scripts alone.
fn worker_of(member: &MemberSetup, setup: &Setup) -> usize {
    member.streams.first().map_or(setup.workers.len(), |stream| stream.worker)
}

fn is_there(collector: &Collector, root: &Path) -> bool {
    let found = os::process::program_in(OsStr::new(&collector.command[0]), OsStr::new(COLLECTOR_PATH), root);
    found.is_some_and(|program| os::fs::look(&root.join(program)).is_ok_and(|found| found.is_some()))
}
