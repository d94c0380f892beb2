//! Models, modules, videos and streams of the cameras.
//!
//! Only looks for files, but reads models of the user's. Streams are not asked.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::action::model_fault;
use crate::dialect::{StepFileKind, step_files};
use crate::graph::task::{Action, Task};
use crate::model::{Clip, Project, zoo};
use crate::os;
use crate::path::ProjectPath;
use crate::pipeline::tensors::ModelUse;
use crate::plan::lane::Lane;
use crate::text::{counted, harmless, redacted};
use crate::workspace::missing::by_folder;

/// The files of one model or module, and who needs them.
#[derive(Default)]
struct Needed {
    files: Vec<ProjectPath>,
    by: Vec<String>,
    /// What the last step does with a model.
    used: Option<ModelUse>,
}

/// The findings about a project; `tasks` are those of its graph.
pub(super) fn findings(project: &Project, lane: &Lane, tasks: &[Task]) -> Vec<Finding> {
    let mut findings = of_steps(project, lane, tasks);
    findings.extend(videos(project, tasks));
    let streams: Vec<String> = project
        .cameras
        .iter()
        .filter_map(|camera| camera.source.stream())
        .map(|stream| redacted(&stream.uri))
        .collect();
    if let Some(first) = streams.first() {
        let others = if streams.len() > 1 { ", ..." } else { "" };
        let found = format!("{}: {first}{others}", counted(streams.len(), "stream"));
        findings.push(Finding::found("streams", found).note("not probed: `lp run` connects to them"));
    }
    findings
}

/// Models and modules, in the order of their names.
fn of_steps(project: &Project, lane: &Lane, tasks: &[Task]) -> Vec<Finding> {
    let mut needs: BTreeMap<(&str, String), Needed> = BTreeMap::new();
    for planned in &lane.cameras {
        for file in step_files(planned) {
            let what = match &file.kind {
                StepFileKind::Model { name, precision, .. } => ("model", format!("{name} {precision}")),
                StepFileKind::Module => ("module", file.path.as_str().to_owned()),
                StepFileKind::Library => ("OpenVINO", file.path.as_str().to_owned()),
                StepFileKind::Other => ("file", file.path.as_str().to_owned()),
            };
            let need = needs.entry(what).or_default();
            if let StepFileKind::Model { used, .. } = file.kind {
                need.used = Some(used);
            }
            let path = project.layout.named(file.path);
            let by = format!("`{}`", planned.camera().name);
            if !need.files.contains(&path) {
                need.files.push(path);
                need.files.sort();
            }
            if !need.by.contains(&by) {
                need.by.push(by);
            }
        }
    }
    let finding = |((kind, name), need): ((&str, String), Needed)| {
        let is_there = |path: &&ProjectPath| os::fs::metadata(&project.layout.resolve(path)).is_ok();
        let (there, absent): (Vec<&ProjectPath>, Vec<&ProjectPath>) = need.files.iter().partition(is_there);
        let what = format!("{kind} {name}");
        let maker = |path: &&ProjectPath| {
            tasks.iter().find(|task| task.outputs.iter().any(|output| path.is_within(output)))
        };
        let fault = |path: &&ProjectPath| {
            // A task's own file is made anew.
            let fault =
                maker(path).is_none().then(|| model_fault(&project.layout.resolve(path), need.used))??;
            Some(format!("`{path}` {fault}"))
        };
        let faults: Vec<String> =
            if kind == "model" { there.iter().filter_map(fault).collect() } else { Vec::new() };
        if !faults.is_empty() {
            let way_out = "put a sound file there; `lp check --explain LP0808` has more";
            return Finding::missing(what).wrong(faults.join("; ")).needed_by(need.by).way_out(way_out);
        }
        if absent.is_empty() {
            return Finding::found(what, by_folder(&there));
        }
        if let Some(task) =
            absent.iter().find_map(maker).filter(|_| absent.iter().all(|p| maker(p).is_some()))
        {
            let note = match &task.action {
                Action::Model(_) => "not there yet: `lp build assets` downloads it".to_owned(),
                Action::Convert(_) => "not there yet: `lp build assets` converts it".to_owned(),
                _ => format!("`{}` makes it", task.label),
            };
            return Finding::found(what, by_folder(&need.files.iter().collect::<Vec<_>>())).note(note);
        }
        let way_out = match kind {
            "model" => "`lp check --explain LP0806` has the ways to get it".to_owned(),
            "module" => match zoo::module_url(absent[0].file_name()) {
                Some(url) => format!("curl -fL --create-dirs -o {} {url}", absent[0]),
                None => "copy it there".to_owned(),
            },
            _ => "copy it there".to_owned(),
        };
        Finding::missing(what)
            .wrong(format!("there is no {}", by_folder(&absent)))
            .needed_by(need.by)
            .way_out(way_out)
    };
    needs.into_iter().map(finding).collect()
}

/// The original of each video. What `lp` makes or downloads is never missing.
fn videos(project: &Project, tasks: &[Task]) -> Vec<Finding> {
    let mut clips: Vec<&Clip> = Vec::new();
    for camera in &project.cameras {
        if let Some(clip) = camera.video()
            && clips.iter().all(|known| known.file != clip.file)
        {
            clips.push(clip);
        }
    }
    let finding = |clip: &Clip| {
        let (what, path) = (format!("video {}", clip.file), clip.original());
        let is_there = os::fs::metadata(&project.layout.resolve(&path)).is_ok();
        let Some(task) = tasks.iter().find(|task| task.outputs.contains(&path)) else {
            let shown = project.layout.shown(&path);
            let shown = harmless(&shown.to_string_lossy()).into_owned();
            return match is_there {
                true => Finding::found(what, format!("`{shown}`, a file of your own")),
                false => {
                    Finding::missing(what).wrong(format!("there is no `{shown}`")).way_out("copy it there")
                }
            };
        };
        let (by, to_do) = match &task.action {
            Action::Download(download) => {
                let origin = match (&download.source, download.urls.first()) {
                    (Some(source), _) => source.to_string(),
                    (None, url) => redacted(url.map_or("", String::as_str)),
                };
                (format!("from {origin}"), "`lp build assets` downloads it")
            }
            Action::Generate { .. } => ("drawn from its scene".to_owned(), "`lp build assets` draws it"),
            _ => (format!("made by `{}`", task.label), "`lp build assets` makes it"),
        };
        match is_there {
            true => Finding::found(what, format!("`{path}`, {by}")),
            false => Finding::found(what, by).note(format!("not there yet: {to_do}")),
        }
    };
    clips.into_iter().map(finding).collect()
}
