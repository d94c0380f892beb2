//! The names of a project that was read without errors.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Section;
use crate::cli::args::{Global, ListKind};
use crate::cli::project;
use crate::graph::TaskGraph;
use crate::graph::task::Task;
use crate::model::{Camera, Source, UserTask, Workload};
use crate::path::for_shell;
use crate::record::measure::number;
use crate::text::redacted;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;

/// The kinds that a project has, in the order of the overview.
pub(super) const KINDS: [ListKind; 5] =
    [ListKind::Cameras, ListKind::Workloads, ListKind::Profiles, ListKind::Tasks, ListKind::Targets];

/// The most names in a line of the overview.
const NAMED: usize = 6;

pub(super) struct Listed {
    opened: Workspace,
    graph: TaskGraph,
}

impl Listed {
    pub(super) fn open(global: &Global) -> Result<Listed> {
        let opened = project::open(global, &[])?;
        let graph = project::graph(&opened, &opened.subjects(&[]))?;
        Ok(Listed { opened, graph })
    }

    pub(super) fn section(&self, kind: ListKind) -> Section {
        let project = &self.opened.project;
        match kind {
            ListKind::Cameras => {
                let header = &["camera", "source", "frames", "fps", "workloads"];
                let cameras = project.cameras.iter().map(|one| (camera(one), camera_document(one)));
                section(kind, header, cameras.collect())
            }
            ListKind::Workloads => {
                let header = &["workload", "steps", "cameras"];
                let all = project.workloads.iter().map(|one| {
                    let is_its = |camera: &&Camera| {
                        camera.workloads.iter().any(|name| name.to_lowercase() == one.name.to_lowercase())
                    };
                    let cameras: Vec<&str> =
                        project.cameras.iter().filter(is_its).map(|camera| camera.name.as_str()).collect();
                    workload(one, &cameras)
                });
                section(kind, header, all.collect())
            }
            ListKind::Profiles => {
                let profiles = self.opened.profiles.iter().map(|(key, tree)| {
                    let settings = tree.leaves();
                    let text: Vec<String> =
                        settings.iter().map(|(path, value)| format!("{path} = {}", value.toml())).collect();
                    let settings: serde_json::Map<String, Value> =
                        settings.into_iter().map(|(path, value)| (path, value.json())).collect();
                    let document = json!({ "profile": key.text, "settings": settings });
                    (vec![key.text.clone(), redacted(&text.join("\n"))], document)
                });
                section(kind, &["profile", "settings"], profiles.collect())
            }
            ListKind::Tasks => {
                let tasks = project.tasks.iter().map(user_task);
                section(kind, &["task", "makes", "command"], tasks.collect())
            }
            ListKind::Targets => {
                let tasks = self.graph.order().iter().map(|id| target(self.graph.task(*id)));
                let mut targets = section(kind, &["target", "makes"], tasks.collect());
                let also = "also: `assets` (all clips), a camera (what it plays), a file that a task makes, a pattern";
                targets.note = Some(also.to_owned());
                targets
            }
            ListKind::Runs => unreachable!("a store has them"),
        }
    }
}

/// Of rows whose first cells are the names.
fn section(kind: ListKind, header: &'static [&'static str], all: Vec<(Vec<String>, Value)>) -> Section {
    let (rows, documents): (Vec<Vec<String>>, Vec<Value>) = all.into_iter().unzip();
    let names: Vec<&str> = rows.iter().take(NAMED).map(|row| row[0].as_str()).collect();
    let more = if rows.len() > NAMED { ", ..." } else { "" };
    let summary = match rows.len() {
        0 => "none".to_owned(),
        n => format!("{n}: {}{more}", names.join(", ")),
    };
    Section { kind, header, right: &["fps"], rows, documents, summary, note: None }
}

fn camera(camera: &Camera) -> Vec<String> {
    let name = match camera.slug.as_str() == camera.name {
        true => camera.name.clone(),
        false => format!("{} ({})", camera.name, camera.slug),
    };
    vec![
        name,
        format!("{} {}", camera.source.kind().word(), source(camera)),
        format!("{}x{}", camera.width, camera.height),
        number(camera.fps),
        camera.workloads.join(", "),
    ]
}

/// The name of what a camera plays, without passwords.
fn source(camera: &Camera) -> String {
    match &camera.source {
        Source::File(clip) => clip.file.clone(),
        Source::Rtsp(stream) => redacted(&stream.uri),
        Source::Usb { device } => device.clone(),
        Source::Synthetic { scene } => scene.clone(),
    }
}

fn camera_document(camera: &Camera) -> Value {
    json!({
        "camera": camera.name,
        "slug": camera.slug,
        "source": { "kind": camera.source.kind().word(), "name": source(camera) },
        "width": camera.width,
        "height": camera.height,
        "fps": camera.fps,
        "target_fps": camera.target(),
        "workloads": camera.workloads,
    })
}

fn workload(workload: &Workload, cameras: &[&str]) -> (Vec<String>, Value) {
    let steps: Vec<&str> = workload.steps.iter().map(|step| step.kind()).collect();
    let row = vec![workload.name.clone(), steps.join(" ! "), cameras.join(", ")];
    (row, json!({ "workload": workload.name, "steps": steps, "cameras": cameras }))
}

fn user_task(task: &UserTask) -> (Vec<String>, Value) {
    let outputs: Vec<&str> = task.outputs.iter().map(|(path, _)| path.as_str()).collect();
    let command: Vec<String> = task.command.iter().map(|word| redacted(word)).collect();
    let line: Vec<Cow<'_, str>> = command.iter().map(|word| for_shell(word)).collect();
    let row = vec![task.name.clone(), outputs.join("\n"), line.join(" ")];
    (row, json!({ "task": task.name, "outputs": outputs, "command": command }))
}

fn target(task: &Task) -> (Vec<String>, Value) {
    let outputs: Vec<&str> = task.outputs.iter().map(|path| path.as_str()).collect();
    let is_measurement = task.measures();
    let row = vec![task.label.clone(), outputs.join("\n")];
    (row, json!({ "target": task.label, "outputs": outputs, "measures": is_measurement }))
}
