//! The origins of a plan's values: its camera, workloads and steps.

use serde_json::Value;

use super::written::{holds, written};
use super::{Origin, Origins};
use crate::config::STREAM_KEYS;
use crate::config::locate::{Down, Written};
use crate::diag::Place;
use crate::model::{DialectChoice, RtspStream, Source};
use crate::plan::PlanRequest;

impl Origins<'_> {
    pub(super) fn of_plan(&self, request: &PlanRequest, keys: &[Down<'_>], new: Option<&Value>) -> Origin {
        let camera = &request.camera;
        let in_camera = |keys: &[Down<'_>]| written(self.locator.below(camera.place, keys), new);
        match keys {
            [Down::Key("camera"), Down::Key("name" | "slug")] => {
                in_camera(&[Down::Key("camera_id")]).named("camera_id")
            }
            [Down::Key("camera"), Down::Key("target_fps")] => {
                in_camera(&[Down::Key("targetFps")]).named("targetFps")
            }
            [Down::Key("camera"), Down::Key("region"), rest @ ..] => {
                let mut path = vec![Down::Key("region_of_interest")];
                path.extend(rest);
                let last = if let [Down::Key(last)] = rest { last } else { "region_of_interest" };
                in_camera(&path).named(last)
            }
            [Down::Key("camera"), Down::Key("accept"), ..] => {
                let names = [camera.name.as_str(), camera.slug.as_str()];
                let is_set = |name: &&str| self.locator.setting(&["camera", name, "accept"]).is_some();
                let name = names.into_iter().find(is_set).unwrap_or(names[0]);
                self.setting(&["camera", name, "accept"], None)
            }
            [Down::Key("camera"), Down::Key("clip"), keys @ ..] => self.of_clip(request, keys, new),
            [Down::Key("camera"), Down::Key("source"), ..] => self.of_source(request),
            [Down::Key("camera"), Down::Key("workloads")] => match new.and_then(Value::as_array) {
                Some(_) => in_camera(&[Down::Key("workloads")]),
                None => Origin::default(),
            },
            [Down::Key("camera"), Down::Key(key)] => in_camera(&[Down::Key(key)]),
            [Down::Key("dialect")] => match self.project.settings.dialect {
                DialectChoice::Auto => Origin::note("from the steps").named("dialect"),
                _ => self.setting(&["run", "dialect"], new),
            },
            [Down::Key("workloads"), Down::Item(n), rest @ ..] => {
                let Some(workload) = request.workloads.get(*n) else { return Origin::default() };
                match rest {
                    [Down::Key("name" | "slug")] => Origin::at(workload.place),
                    [Down::Key("steps")] => written(self.locator.below_key(workload.place, &[]), new),
                    [Down::Key("steps"), Down::Item(n), rest @ ..] => match workload.places.get(*n) {
                        Some(places) => self.of_step(places.step, rest, new),
                        None => Origin::default(),
                    },
                    _ => Origin::default(),
                }
            }
            [Down::Key("scene"), rest @ ..] => match &camera.source {
                Source::Synthetic { scene } => self.of_scene(Some(scene), rest, new),
                _ => Origin::default(),
            },
            _ => Origin::default(),
        }
    }

    /// An option of the camera's clip, or all: in `[camera.NAME.clip]`, else in `[clip]`.
    fn of_clip(&self, request: &PlanRequest, keys: &[Down<'_>], new: Option<&Value>) -> Origin {
        let camera = &request.camera;
        let keys: Vec<&str> = match (keys, new.and_then(Value::as_object)) {
            ([Down::Key(key), ..], _) => vec![key],
            // The only option.
            (_, Some(options)) if options.len() == 1 => options.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let mut paths: Vec<Vec<&str>> = [camera.name.as_str(), camera.slug.as_str()]
            .iter()
            .map(|name| ["camera", name, "clip"].into_iter().chain(keys.iter().copied()).collect())
            .collect();
        paths.push(["clip"].into_iter().chain(keys).collect());
        let is_set = |path: &&Vec<&str>| self.locator.setting(path).is_some();
        // Bit rates are written with units, and the first that is set counts.
        self.setting(paths.iter().find(is_set).unwrap_or(&paths[2]), None)
    }

    /// The source of a camera as a whole.
    fn of_source(&self, request: &PlanRequest) -> Origin {
        let below = |key: &str| match self.locator.below(request.camera.place, &[Down::Key(key)]) {
            Some(Written::Here(node)) => Some(node),
            _ => None,
        };
        let key = match &request.camera.source {
            Source::Synthetic { .. } => return self.setting(&["run", "source"], None),
            Source::File(_) => "fileSrc",
            Source::Rtsp(RtspStream { uri: text, .. }) | Source::Usb { device: text } => {
                // The part after the scheme has the user and password as written.
                let text = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
                let is_it = |key: &&str| below(key).is_some_and(|node| holds(&node, text));
                STREAM_KEYS.into_iter().find(is_it).unwrap_or("streamUri")
            }
        };
        below(key).map_or(Origin::default(), |node| Origin::at(node.place)).named(key)
    }

    fn of_step(&self, place: Place, keys: &[Down<'_>], new: Option<&Value>) -> Origin {
        let below = |keys: &[Down<'_>]| written(self.locator.below(place, keys), new);
        match keys {
            [Down::Key("properties"), Down::Key(name)] => {
                let found = below(keys);
                // Some properties of inference steps are keys of the step itself.
                if found.place.is_some() && found.note.is_none() { found } else { below(&[Down::Key(name)]) }
            }
            keys => below(keys),
        }
    }
}
