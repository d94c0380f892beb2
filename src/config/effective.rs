//! What counts for each key of `Lpfile.toml`, after profile and overrides.
//!
//! The keys are those of the readers' [`Shape`], so that none can be missing here. A value
//! that is written comes from the tree that was read; the others have the default, which
//! `resolve` gives a project with an empty file.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::reader::Reader;
use super::shape::Shape;
use super::tree::{Node, Value};
use super::{inference, load, lpfile, resolve, thresholds, verdict};
use crate::model::{Codec, Encoder};
use crate::time::duration_text;

/// A key of `Lpfile.toml`.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `["run", "duration"]`
    pub path: Vec<String>,
    /// Its meaning, one sentence.
    pub about: &'static str,
    /// The value that is written, of the right type.
    pub written: Option<Node>,
    /// What counts if nothing is written. `None` if that depends on other things, or is
    /// nothing at all.
    pub default: Option<Json>,
}

/// All keys with their values in `tree`: `Lpfile.toml` with profile and overrides laid over
/// it. Of tables with names as keys (`[pools]`, `[asset.NAME]`), those that are written
/// or have a default.
#[must_use]
pub fn settings(tree: &Node) -> Vec<Setting> {
    let mut defaults = defaults();
    let mut settings = Vec::new();
    for outer in keys(&lpfile::file().shape()) {
        // Tasks and collectors are no settings, and the profile is laid over.
        if matches!(outer.key, "task" | "collector" | "profile") {
            continue;
        }
        let table = entry(Some(tree), outer.key);
        add(vec![outer.key.to_owned()], outer.about, &outer.shape, table, &mut defaults, &mut settings);
    }
    settings
}

fn add(
    path: Vec<String>,
    about: &'static str,
    shape: &Shape,
    node: Option<&Node>,
    defaults: &mut BTreeMap<String, Json>,
    settings: &mut Vec<Setting>,
) {
    let below = |key: &str| [path.as_slice(), &[key.to_owned()]].concat();
    match shape {
        Shape::Table(fields) => {
            for field in fields.fields.iter().filter(|field| !field.is_old) {
                let inner = entry(node, field.key);
                add(below(field.key), field.about, &field.shape, inner, defaults, settings);
            }
        }
        Shape::Map(map) => {
            let prefix = format!("{}.", path.join("."));
            let mut names: Vec<String> =
                defaults.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect();
            if let Some(Node { value: Value::Table(entries), .. }) = node {
                names.extend(entries.iter().map(|(key, _)| key.text.clone()));
            }
            names.sort();
            names.dedup();
            let mut named = Vec::new();
            for name in names {
                add(below(&name), about, &map.value, entry(node, &name), defaults, &mut named);
            }
            // An entry of a table of names has only the keys that were written.
            settings.extend(
                named.into_iter().filter(|setting| setting.path.len() <= 2 || setting.written.is_some()),
            );
        }
        _ => {
            let default = defaults.remove(&path.join(".")).filter(|value| !value.is_null());
            let written = node.map(|node| typed(node, shape));
            settings.push(Setting { path, about, written, default });
        }
    }
}

fn keys(shape: &Shape) -> &[super::shape::Field] {
    if let Shape::Table(fields) = shape { &fields.fields } else { &[] }
}

fn entry<'n>(node: Option<&'n Node>, key: &str) -> Option<&'n Node> {
    let Value::Table(entries) = &node?.value else { return None };
    entries.iter().find(|(entry, _)| entry.text == key).map(|(_, node)| node)
}

/// The value of an override, which is a string without quotes, as its key means it.
fn typed(node: &Node, shape: &Shape) -> Node {
    let Value::Word(word) = &node.value else { return node.clone() };
    let value = match shape {
        Shape::Bool => word.parse().ok().map(Value::Bool),
        Shape::Whole { .. } => word.parse().ok().map(Value::Int),
        Shape::Number { .. } | Shape::Share | Shape::Finite => {
            word.parse().ok().map(|value| Value::Float { value, text: word.clone() })
        }
        Shape::List { .. } => thresholds::words(word, node.place).map(Value::List),
        _ => None,
    };
    Node { value: value.unwrap_or_else(|| node.value.clone()), place: node.place }
}

/// The values of an empty `Lpfile.toml`, by key; `null` for those that depend on other
/// things, and for those that are nothing at all.
fn defaults() -> BTreeMap<String, Json> {
    let empty = lpfile::RawLpfile::default();
    let settings = resolve::settings(&empty);
    let (rtsp, density) = (&settings.rtsp, &settings.density);
    let options = inference::Options::DEFAULT;
    let mut defaults: Vec<(String, Json)> = [
        ("project.cameras", json!(load::CAMERAS)),
        ("project.workloads", json!(load::WORKLOADS)),
        ("project.include", json!([])),
        ("paths.media", json!("media")),
        ("paths.models", json!("models")),
        ("paths.results", json!("results")),
        ("models.mirrors", json!([])),
        ("run.duration", json!(duration_text(settings.duration))),
        ("run.warmup", json!("auto")),
        ("run.source", json!(settings.source)),
        ("run.pace", json!(settings.pace)),
        ("run.isolation", json!(settings.isolation)),
        ("run.dialect", json!(settings.dialect)),
        ("run.count", json!(settings.count)),
        ("run.share", json!(settings.share)),
        ("run.decode_only", json!(settings.decode_only)),
        ("run.snapshots", json!(settings.snapshots)),
        ("run.render", json!(settings.render)),
        ("verdict.delay", Json::Null),
        ("verdict.deadline", json!(verdict::deadline_text(settings.limits.deadline))),
        ("verdict.on_time", json!(settings.limits.on_time)),
        ("verdict.max_late", json!(verdict::millis_text(settings.limits.max_late_ms))),
        ("verdict.recall", json!(settings.limits.recall)),
        ("thresholds.critical", json!([])),
        ("thresholds.major", json!([])),
        ("thresholds.minor", json!([])),
        ("density.unit", json!(density.unit)),
        ("density.confidence", json!(density.confidence)),
        ("density.max", json!(density.max)),
        ("density.budget", json!(duration_text(density.budget))),
        ("density.allow_oom", json!(density.allow_oom)),
        ("density.limiter", json!(density.limiter)),
        ("host.price", Json::Null),
        ("clip.drop_only", json!(settings.drop_only)),
        ("clip.codec", json!(settings.clip.codec.map_or("source", Codec::word))),
        ("clip.bitrate", json!(settings.clip.bitrate)),
        ("clip.gop", json!(settings.clip.gop)),
        ("clip.b_frames", json!(settings.clip.b_frames)),
        ("clip.shape", json!(settings.clip.shape.word())),
        ("clip.encoder", json!(settings.clip.encoder.map(Encoder::factory))),
        ("rtsp.host", json!(rtsp.host)),
        ("rtsp.port", json!(rtsp.port)),
        ("rtsp.latency", json!(rtsp.latency_ms)),
        ("rtsp.transport", json!(rtsp.transport)),
        ("rtsp.impair.loss", json!("0%")),
        ("rtsp.impair.delay", json!("0s")),
        ("rtsp.impair.jitter", json!("0s")),
        ("rtsp.impair.rate", Json::Null),
        ("rtsp.impair.reorder", json!("0%")),
        ("rtsp.impair.seed", json!(0)),
        ("rtsp.reconnect", Json::Null),
        ("rtsp.certificate", json!(rtsp.certificate)),
        ("rtsp.codec", json!(rtsp.codec)),
        ("rtsp.cpus", json!(rtsp.cpus)),
        ("worker.command", Json::Null),
        ("dlstreamer.batch_size_detect", json!(options.batch_size_detect)),
        ("dlstreamer.batch_size_classify", json!(options.batch_size_classify)),
        ("dlstreamer.inference_interval", json!(options.inference_interval)),
        ("dlstreamer.threshold", json!(options.threshold)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    defaults.extend(settings.pools.iter().map(|(name, depth)| (format!("pools.{name}"), json!(depth))));
    defaults.push(("pools.cpu".to_owned(), Json::Null));
    defaults.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_default_here() {
        let known = defaults();
        for setting in settings(&Node::empty_table()) {
            let key = setting.path.join(".");
            assert!(known.contains_key(&key), "`{key}` has no line in `defaults`");
        }
        assert_eq!(settings(&Node::empty_table()).len(), known.len());
    }
}
