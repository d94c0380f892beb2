//! `lp doctor`
//!
//! Each file of this folder checks one part of the machine and returns [`Finding`]s,
//! which are collected and printed here. A missing requirement makes the exit code 1;
//! a note does not, nor does a collector that cannot run ([`readings`]).

mod assets;
mod camera;
mod devices;
mod finding;
mod fit;
mod limits;
mod node;
mod power;
mod programs;
mod readings;
mod software;

use std::collections::BTreeSet;

use super::args::{DoctorArgs, Global};
use super::project::read;
use super::{Exit, console};
use crate::collect;
use crate::dialect::devices::needed;
use crate::graph::factories::{Need, needs};
use crate::graph::lower::{Lowering, Subject, lower};
use crate::model::Pace;
use crate::os;
use crate::plan::lane::Lane;
use crate::store::Store;
use crate::workspace::error::Result;
use crate::workspace::{adopted, inference, tools};

pub(super) fn run(global: &Global, args: &DoctorArgs) -> Result<Exit> {
    if !args.camera.is_empty() {
        return camera::run(global, args.json, &args.camera);
    }
    // Without a project, or with a faulty one, the default lane is checked.
    let mut project = read(global, &[])?.project;
    let mut adopted = Vec::new();
    if let Some(project) = &mut project {
        adopted = adopted::adopt(project)?;
        adopted.extend(adopted::adopt_models(project)?);
        inference::choose(project);
    }
    console::notes(&adopted.into_iter().filter_map(|adopted| adopted.note).collect::<Vec<_>>());
    let lane = project.as_ref().map(Lane::of);
    let mut tasks = Vec::new();
    let layout = match project.as_ref().zip(lane.as_ref()) {
        Some((project, lane)) => {
            let subjects = [Subject::lane(project)];
            let variable = |name: &str| os::env::raw(name);
            tasks = lower(&Lowering {
                project,
                lane,
                subjects: &subjects,
                variable: &variable,
                parts: &|_| Vec::new(),
            })
            .tasks;
            project.layout.clone()
        }
        None => crate::path::Layout::new(os::env::current_dir()?),
    };
    let pace = project.as_ref().map_or(Pace::Live, |project| project.settings.pace);
    let mut needs = needs(lane.as_ref().unwrap_or(&Lane { cameras: Vec::new() }), pace, &tasks);
    if project.is_none() {
        let usual = ["clocksync", "motioncells", "zbar"];
        needs.extend(usual.map(|name| (name.to_owned(), Need::Always)));
    }
    let factories: BTreeSet<String> = needs.keys().cloned().collect();

    let command = project.as_ref().and_then(|project| project.settings.worker.as_ref());
    let worker = tools::find(command, &layout.root);
    let launch = tools::find(command, &layout.root).ok();
    let store = Store::open(layout)?;
    let tools = tools::look_for(&store, worker, &factories, &factories);
    let mut findings = software::findings(&tools, &needs);
    if let Some((project, lane)) = project.as_ref().zip(lane.as_ref()) {
        findings.extend(assets::findings(project, lane, &tasks));
        findings.extend(programs::findings(&project.layout, &tasks));
        findings.extend(devices::findings(&needed(lane, project.settings.pace), lane, launch.as_ref()));
    }
    findings.extend(limits::findings(&tools.host.facts));
    findings.extend(fit::findings(&tools.host));
    findings.extend(power::finding(collect::power::refused_zone(&os::env::system_root()).as_deref()));

    let missing = findings.iter().filter(|finding| finding.is_missing()).count();
    let readings = readings::readings();
    if args.json {
        let document = serde_json::json!({
            "version": 1, "missing": missing, "findings": findings, "readings": readings
        });
        console::out(&format!("{document:#}\n"));
    } else {
        console::out(&finding::table(&findings, console::paper()));
        let packages = software::packages(&findings);
        if !packages.is_empty() {
            console::out(&format!(
                "\ninstall what is missing:\n  sudo apt-get install {}\n",
                packages.join(" ")
            ));
        }
        console::out(&readings::section(&readings, console::paper()));
        if project.is_none() {
            console::note(
                "note: these are the needs of the default lane; there is no project without errors here",
            );
        }
    }
    Ok(if missing == 0 { Exit::Done } else { Exit::Failed })
}
