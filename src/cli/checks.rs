//! Checks of a run, or of a search for the density, before anything starts.

use std::collections::BTreeSet;

use super::console;
use crate::graph::lower::Subject;
use crate::graph::{TaskGraph, TaskId};
use crate::os;
use crate::text::counted;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::open::Workspace;
use crate::workspace::serving::Streams;
use crate::workspace::{faults, machine, serving};

/// Pipelines that cannot be played: an error if there are no others, otherwise left out by name.
pub(super) fn left_out(opened: &Workspace, subject: &Subject) -> Result<Vec<String>> {
    let mut left_out = Vec::new();
    let mut playable = 0;
    for planned in opened.lane().members(&subject.members) {
        for pipeline in &planned.plan.pipelines {
            match &pipeline.unsupported {
                None => playable += 1,
                Some(reason) => {
                    left_out.push(format!(
                        "`{}` of `{}`: {reason}",
                        pipeline.workloads.join("`, `"),
                        planned.camera().name
                    ));
                }
            }
        }
    }
    if playable == 0 {
        let way = "`lp run --decode-only` measures sources and decoding";
        let faults = left_out.iter().map(|camera| format!("no pipeline can be played: {camera}"));
        let faults = faults.map(|fault| CommandError::refused(fault).hint(way));
        let none = || CommandError::refused("no pipeline can be played");
        return Err(CommandError::all(faults).unwrap_or_else(none));
    }
    Ok(left_out)
}

/// Refuses missing inputs together with the faults of the machine: a user who has to
/// get models should know at once whether this machine can use them.
pub(super) fn check_sources(
    opened: &Workspace,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    subject: &Subject,
) -> Result<()> {
    let mut faults = faults::of_sources(&opened.project, opened.lane(), graph, needed);
    if faults.is_empty() {
        return Ok(());
    }
    match machine::ask(&opened.project, &opened.lane().members(&subject.members)) {
        Ok((lacking, _)) => {
            faults.append(lacking);
            Err(opened.refuse(faults))
        }
        Err(error) => Err(CommandError::no_worker(&error).and(opened.refuse(faults))),
    }
}

/// Refuses to show frames where there is no display.
pub(super) fn check_display(opened: &Workspace) -> Result<()> {
    if !opened.project.settings.render {
        return Ok(());
    }
    os::display::check().map(|_| ()).map_err(|missing| {
        CommandError::refused(format!("`run.render` shows frames on a display, but {missing}"))
    })
}

/// Says where the streams of clips come from, and refuses two clips of one name.
pub(super) fn check_streams(opened: &Workspace, subject: &Subject) -> Result<()> {
    let members = opened.lane().members(&subject.members);
    let mounts = serving::mounts(members.iter().map(|planned| planned.camera()))?;
    match &opened.streams {
        Streams::Own(address) if !mounts.is_empty() => console::note(&format!(
            "note: `lp` itself serves {} at {address}:{}, which takes CPU of this machine",
            counted(mounts.len(), "stream"),
            opened.project.settings.rtsp.port
        )),
        Streams::Others(_) if !is_reachable(opened) => {
            let host = &opened.project.settings.rtsp.host;
            let fault =
                format!("the streams of clips come from `{host}` of `rtsp.host`, a name without an address");
            let hint = "set `rtsp.host` to the host of their server, or to `localhost`: then `lp` serves them itself";
            return Err(CommandError::refused(fault).hint(hint));
        }
        Streams::Others(reason) => {
            console::note(&format!("note: the server of the streams is not one that `lp` starts: {reason}"));
        }
        _ => {}
    }
    check_network(opened, subject)
}

/// Whether the host of the streams of clips has an address. A worker in a container may know more names.
fn is_reachable(opened: &Workspace) -> bool {
    let is_here = opened.worker().is_ok_and(|launch| launch.image().is_none());
    !is_here || os::rtsp::has_address(&opened.project.settings.rtsp.host)
}

/// Says that the network is impaired, and refuses workers that cannot reach the relay.
fn check_network(opened: &Workspace, subject: &Subject) -> Result<()> {
    let Some(impair) = opened.project.settings.rtsp.impair else { return Ok(()) };
    let members = opened.lane().members(&subject.members);
    let n_streams = members.iter().filter(|planned| planned.plan.source.stream().is_some()).count();
    if n_streams == 0 {
        console::note("note: `rtsp.impair` changes nothing: no camera of this run receives RTSP");
        return Ok(());
    }
    if opened.worker().is_ok_and(|launch| launch.image().is_some()) {
        let fault = "`worker.command` runs a container, which cannot reach the relay of `rtsp.impair`";
        let hint = "name a worker of this machine in `LP_WORKER`, or leave `rtsp.impair` out";
        return Err(CommandError::refused(fault).hint(hint));
    }
    console::note(&format!("note: the network of {} is impaired: {impair}", counted(n_streams, "stream")));
    Ok(())
}

/// Refuses variables with the user or password of a stream that are not set or not
/// UTF-8.
pub(super) fn check_variables(opened: &Workspace, subject: &Subject) -> Result<()> {
    let mut unset = Vec::new();
    for planned in opened.lane().members(&subject.members) {
        let camera = planned.camera();
        let Some(login) = camera.source.stream().and_then(|stream| stream.login.as_ref()) else { continue };
        let faults = login.variables().filter_map(|name| Some((name, os::env::fault(name)?)));
        for (name, fault) in faults {
            unset.push(CommandError::refused(format!(
                "the stream of `{}` needs the environment variable `{name}`, {fault}",
                camera.name
            )));
        }
    }
    CommandError::all(unset).map_or(Ok(()), Err)
}
