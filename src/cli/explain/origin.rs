//! Where a value of a task's action comes from: a place in a file, an override,
//! the environment, this machine, or a default.
//!
//! A place is named only if it contains the effective value, so that a value which
//! follows from another one is never blamed on its own key.

mod plan;
mod written;

use std::path::PathBuf;

use serde_json::Value;

use crate::config::locate::{Down, Locator, Written};
use crate::config::tree::{self, Node};
use crate::diag::{Place, Sources};
use crate::digest::ContentDigest;
use crate::graph::TaskGraph;
use crate::graph::task::{Action, Task};
use crate::model::{Camera, Clip, Origin as ClipOrigin, Project, UserTask};
use crate::path::ProjectPath;
use crate::store::stale::{KeyPath, Section, Segment};
use crate::workspace::lockfile;
use written::{agrees, holds, whole, written};

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The name of the key in the user's file, if it is another.
    pub(super) name: Option<String>,
    /// A note: `from the environment`.
    pub(super) note: Option<String>,
    /// The place in a file.
    pub(super) place: Option<Place>,
}

impl Origin {
    fn note(note: &str) -> Origin {
        Origin { note: Some(note.to_owned()), ..Origin::default() }
    }

    pub(super) fn at(place: Place) -> Origin {
        Origin { place: Some(place).filter(|place| !place.is_nowhere()), ..Origin::default() }
    }

    fn named(self, name: &str) -> Origin {
        Origin { name: Some(name.to_owned()), ..self }
    }
}

/// A place as people write it: `configs/x.json:27:15`, or the override itself.
pub(super) fn place_text(sources: &Sources, place: Place) -> String {
    let (name, text) = (sources.name(place.file), sources.text(place.file));
    if let Some(key) = name.strip_prefix("--set ")
        && text.starts_with(key)
    {
        return format!("--set {text}");
    }
    if text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
        return text.to_owned();
    }
    let position = sources.position(place.file, place.start);
    format!("{name}:{}:{}", position.line, position.column)
}

pub(super) struct Origins<'a> {
    pub(super) project: &'a Project,
    pub(super) graph: &'a TaskGraph,
    pub(super) locator: Locator<'a>,
    pub(super) profile: Option<&'a str>,
    /// The config files, absolute.
    pub(super) files: &'a [(PathBuf, Option<ContentDigest>)],
}

impl Origins<'_> {
    /// The origin of a value; `new` is `None` if the value was deleted.
    pub(super) fn of(&self, task: &Task, at: &KeyPath, new: Option<&Value>) -> Origin {
        match at.section {
            Section::Tools => return Origin::note("a tool of this machine"),
            Section::Extra => return Origin::note("this host"),
            Section::Action => {}
        }
        let keys: Vec<Down<'_>> = at.keys.iter().map(down).collect();
        match (&task.action, keys.as_slice()) {
            (_, [Down::Key("version")]) | (Action::Download(_), [Down::Key("wanted")]) => {
                Origin::note("another version of lp")
            }
            (Action::Plan(request), keys) => self.of_plan(request, keys, new),
            (Action::Generate { .. }, [Down::Key("scene"), keys @ ..]) => {
                let file = task.label.strip_prefix("generate:").unwrap_or_default();
                self.of_scene(self.scene_of_clip(file), keys, new)
            }
            (Action::Transcode(_), [Down::Key("drop_only")]) => self.setting(&["clip", "drop_only"], new),
            (Action::Download(download), [Down::Key("blake3" | "size")])
                if download.is_locked && new.is_some() =>
            {
                let entry = self.project.lock.get(lockfile::name(&task.label));
                entry.map_or(Origin::default(), |entry| Origin::at(entry.place))
            }
            (Action::Download(_), [Down::Key(key)] | [Down::Key(key @ ("headers" | "source")), ..]) => {
                self.of_download(task, key, new)
            }
            (Action::Model(_), [Down::Key("files"), Down::Item(n), ..]) => self.of_recipe(task, *n),
            (Action::Convert(_), [Down::Key("program")])
            | (Action::Convert(_), [Down::Key("requirements"), Down::Key("shipped")]) => {
                Origin::note("another version of lp")
            }
            (Action::Convert(_), _) => self.of_conversion(task),
            (
                Action::PlanLane { .. } | Action::Run(_) | Action::Density(_),
                [Down::Key("cameras" | "members"), Down::Item(_)],
            ) => {
                let slug = new.and_then(Value::as_str).unwrap_or_default();
                self.project.camera(slug).map_or(Origin::default(), |camera| Origin::at(camera.place))
            }
            (
                Action::Benchmark { .. } | Action::Report { .. } | Action::Density(_),
                [Down::Key("verdict"), Down::Key(key)],
            ) => {
                let key = key.trim_end_matches("_ms").trim_end_matches("_periods");
                self.setting(&["verdict", key], new)
            }
            (Action::Density(_), [Down::Key(key @ ("unit" | "confidence" | "max")), ..]) => {
                self.setting(&["density", key], new)
            }
            (Action::Run(_) | Action::Density(_), [Down::Key(key), ..]) => self.of_run(key, new),
            (Action::Command(_), keys) => self.of_command(task, keys, new),
            _ => Origin::default(),
        }
    }

    /// The declaration of an input, otherwise the place of its producer.
    pub(super) fn input(&self, task: &Task, path: &ProjectPath) -> Origin {
        let declared = self
            .user_task(task)
            .and_then(|user| user.inputs.iter().find(|(input, _)| input == path).map(|(_, place)| *place));
        let maker = || self.graph.producer(path).map(|id| self.graph.task(id).place);
        declared.or_else(maker).map_or(Origin::default(), Origin::at)
    }

    /// Whether an input is one of the files that the project is read from.
    pub(super) fn is_config(&self, path: &ProjectPath) -> bool {
        let place = self.project.layout.resolve(path);
        self.files.iter().any(|(file, _)| *file == place)
    }

    /// A key of a user's task, with any value.
    pub(super) fn task_key(&self, task: &Task, key: &str) -> Origin {
        let found = self.user_task(task).and_then(|user| self.locator.beside(user.place, &[Down::Key(key)]));
        match found {
            Some(Written::Here(node)) => Origin::at(node.place),
            Some(Written::Not { around }) => {
                Origin { note: Some("not set at".to_owned()), ..Origin::at(around) }
            }
            None => Origin::default(),
        }
    }

    /// A setting: from a file, a profile or an override.
    pub(super) fn setting(&self, path: &[&str], new: Option<&Value>) -> Origin {
        let name = path.join(".");
        let origin = match self.locator.setting(path) {
            Some(node) if new.is_none_or(|new| agrees(&node, new)) => {
                let of_profile =
                    self.profile.filter(|profile| self.locator.is_of_profile(node.place, profile, path));
                let note = of_profile.map(|profile| format!("profile `{profile}`,"));
                Origin { note, ..Origin::at(node.place) }
            }
            Some(_) => Origin::default(),
            None => Origin::note("the default"),
        };
        origin.named(&name)
    }

    fn of_scene(&self, name: Option<&String>, keys: &[Down<'_>], new: Option<&Value>) -> Origin {
        let scene = name.and_then(|name| self.project.scenes.get(name));
        scene.map_or(Origin::default(), |scene| written(self.locator.below(scene.place, keys), new))
    }

    fn scene_of_clip(&self, file: &str) -> Option<&String> {
        let mut clips = self.project.cameras.iter().filter_map(Camera::video);
        clips.find_map(|clip| match &clip.origin {
            ClipOrigin::Scene(scene) if clip.file == file => Some(scene),
            _ => None,
        })
    }

    /// The recipe of a model's file.
    fn of_recipe(&self, task: &Task, file: usize) -> Origin {
        let path = task.outputs.get(file);
        let group = path.and_then(|path| self.project.recipes.group_of(path));
        let file = group.and_then(|group| group.files().find(|file| Some(&file.path) == path));
        match file {
            Some(file) if !file.place.is_nowhere() => Origin::at(file.place),
            Some(_) => Origin::note("a recipe of lp"),
            None => Origin::default(),
        }
    }

    /// The recipe of a model that is converted.
    fn of_conversion(&self, task: &Task) -> Origin {
        let group = task.outputs.first().and_then(|path| self.project.recipes.group_of(path));
        match group {
            Some(group) if !group.recipe.place.is_nowhere() => Origin::at(group.recipe.place),
            Some(_) => Origin::note("a recipe of lp"),
            None => Origin::default(),
        }
    }

    fn of_download(&self, task: &Task, key: &str, new: Option<&Value>) -> Origin {
        let file = task.label.strip_prefix("download:").unwrap_or_default();
        let pinned = self.locator.setting(&["asset", file, key]);
        if matches!(key, "headers" | "source") {
            return pinned.map_or(Origin::default(), |node| Origin::at(node.place));
        }
        if key != "urls" {
            return match pinned {
                Some(node) if new.is_some_and(|new| agrees(&node, new)) => Origin::at(node.place),
                Some(_) => Origin::default(),
                None => {
                    let pin = self.project.assets.get(file).map(|pin| pin.place);
                    pin.map_or(Origin::default(), |place| Origin {
                        note: Some("not set at".to_owned()),
                        ..Origin::at(place)
                    })
                }
            };
        }
        // Of several URLs, `new` has the added one.
        let url = new.and_then(Value::as_array).and_then(|urls| urls.first()).and_then(Value::as_str);
        let Some(url) = url else {
            return pinned.map_or(Origin::default(), |node| Origin::at(node.place));
        };
        if let Some(Node { value: tree::Value::List(items), .. }) = &pinned
            && let Some(item) = items.iter().find(|item| holds(item, url))
        {
            return Origin::at(item.place);
        }
        let is_url = |clip: &Clip| clip.file == file && clip.origin == ClipOrigin::Url(url.to_owned());
        let named = self.project.cameras.iter().find(|camera| camera.video().is_some_and(is_url));
        match named.and_then(|camera| self.locator.below(camera.place, &[Down::Key("fileSrc")])) {
            Some(Written::Here(node)) => Origin::at(node.place).named("fileSrc"),
            _ => Origin::default(),
        }
    }

    fn of_run(&self, key: &str, new: Option<&Value>) -> Origin {
        match key {
            "duration_ms" => self.setting(&["run", "duration"], new),
            "warmup_ms" => self.setting(&["run", "warmup"], new),
            "pace" | "count" => self.setting(&["run", key], new),
            "isolation" => match self.project.settings.isolation {
                Some(_) => self.setting(&["run", key], new),
                None => Origin::note("from the dialects").named("run.isolation"),
            },
            _ => Origin::default(),
        }
    }

    fn of_command(&self, task: &Task, keys: &[Down<'_>], new: Option<&Value>) -> Origin {
        let Some(user) = self.user_task(task) else { return Origin::default() };
        let beside = |keys: &[Down<'_>]| self.locator.beside(user.place, keys);
        match keys {
            [Down::Key("pass"), Down::Key(name)] => {
                let note = "from the environment".to_owned();
                let index = user.pass.iter().position(|passed| passed == name);
                let place = index.and_then(|index| beside(&[Down::Key("pass"), Down::Item(index)]));
                match (place, new) {
                    (Some(Written::Here(node)), Some(_)) => {
                        Origin { note: Some(format!("{note}, passed at")), ..Origin::at(node.place) }
                    }
                    _ => written(beside(&[Down::Key("pass")]).map(whole), None),
                }
            }
            keys => written(beside(keys), new),
        }
    }

    fn user_task(&self, task: &Task) -> Option<&UserTask> {
        let slug = task.label.strip_prefix("task:")?;
        self.project.tasks.iter().find(|user| user.slug.as_str() == slug)
    }
}

fn down(segment: &Segment) -> Down<'_> {
    match segment {
        Segment::Key(key) => Down::Key(key),
        Segment::Index(index) => Down::Item(*index),
    }
}
