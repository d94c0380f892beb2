//! `lp doctor`

use std::collections::BTreeSet;

use super::args::{DoctorArgs, Global};
use super::open::read;
use super::{Exit, console, tools};
use crate::dialect::check::way_out;
use crate::graph::lower::{GENERATE_FACTORIES, Lowering, Subject, TRANSCODE_FACTORIES, lower};
use crate::os;
use crate::pipeline::machine::debian_package;
use crate::store::Store;

/// One thing that was looked at.
#[derive(serde::Serialize)]
struct Finding {
    what: String,
    found: Option<String>,
    way_out: Option<String>,
}

pub(super) fn run(global: &Global, args: &DoctorArgs) -> anyhow::Result<Exit> {
    // Without a project, or with a broken one, the default lane is looked at.
    let project = read(global, &[])?.project;
    let mut factories: BTreeSet<String> =
        GENERATE_FACTORIES.iter().chain(&TRANSCODE_FACTORIES).map(|name| (*name).to_owned()).collect();
    let layout = match &project {
        Some(project) => {
            let subjects = [Subject::lane(project)];
            let variable = |name: &str| os::env::variable(name);
            let tasks = lower(&Lowering { project, subjects: &subjects, variable: &variable }).tasks;
            factories.extend(tasks.into_iter().flat_map(|task| task.factories));
            project.layout.clone()
        }
        None => {
            let usual =
                ["clocksync", "qtdemux", "h264parse", "avdec_h264", "motioncells", "zbar", "fakesink"];
            factories.extend(usual.map(str::to_owned));
            crate::path::Layout::new(os::env::current_dir()?)
        }
    };

    let mut findings = Vec::new();
    let command = project.as_ref().and_then(|project| project.settings.worker.as_ref());
    let worker = tools::find(command, &layout.root);
    let store = Store::open(layout)?;
    let tools = tools::look_for(&store, worker, &factories, &factories);
    findings.push(match &tools.worker {
        Ok(launch) => {
            let program = launch.program().display().to_string();
            Finding { what: "worker".to_owned(), found: Some(program), way_out: None }
        }
        Err(error) => Finding {
            what: "worker".to_owned(),
            found: None,
            way_out: Some(match error.hint() {
                Some(hint) => format!("{error}: {hint}"),
                None => error.to_string(),
            }),
        },
    });
    if let Some(machine) = &tools.machine {
        findings.push(Finding {
            what: "GStreamer".to_owned(),
            found: Some(machine.gstreamer.clone()),
            way_out: None,
        });
        for factory in &factories {
            let found = machine.factories.get(factory).cloned().flatten();
            findings.push(Finding {
                what: format!("element {factory}"),
                way_out: found.is_none().then(|| way_out(factory)),
                found: found.map(|factory| format!("plugin {} {}", factory.plugin, factory.version)),
            });
        }
    }
    let missing = findings.iter().filter(|finding| finding.found.is_none()).count();
    if args.json {
        let document = serde_json::json!({ "version": 1, "missing": missing, "findings": findings });
        console::out(&format!("{document:#}\n"));
    } else {
        print(&findings, project.is_some());
    }
    Ok(if missing == 0 { Exit::Done } else { Exit::Failed })
}

fn print(findings: &[Finding], has_project: bool) {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    for finding in findings {
        let (mark, text) = match (&finding.found, &finding.way_out) {
            (Some(found), _) => ("ok     ", found.clone()),
            (None, way_out) => ("missing", way_out.clone().unwrap_or_default()),
        };
        console::out(&format!("{mark}  {:width$}  {text}\n", finding.what));
    }
    let packages: BTreeSet<&str> = findings
        .iter()
        .filter(|finding| finding.found.is_none())
        .filter_map(|finding| debian_package(finding.what.strip_prefix("element ")?))
        .collect();
    if !packages.is_empty() {
        let packages = packages.into_iter().collect::<Vec<_>>().join(" ");
        console::out(&format!("\ninstall what is missing:\n  sudo apt-get install {packages}\n"));
    }
    if !has_project {
        console::note("note: looked at what the default lane needs; there is no project here without errors");
    }
}
