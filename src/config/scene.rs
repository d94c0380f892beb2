//! Reads a scene file: TOML whose keys are the fields of [`Scene`], with their
//! defaults. `docs/scenes.md` describes it.
//!
//! Types are checked here, values by [`Scene::faults`], whose paths
//! (`items[2].path[0].at_s`) are followed back to places in the file.

use std::collections::BTreeMap;

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place};
use super::reader::{At, Table, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{any_text, boolean, finite, list_of, text, whole};
use crate::scene::{Colour, Interval, Item, Keyframe, Scene, Zone};

const SIZE: (u32, u32) = (1280, 720);
const FPS: u32 = 30;
const SEED: u32 = 1;
const ITEM_SIZE: (u32, u32) = (210, 250);
const COLOUR: Colour = Colour([0xc8, 0x50, 0x2e]);

/// Reads a whole scene file. `None` if it has faults.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Option<Scene> {
    let mut found = Diagnostics::new();
    let scene = scene(tree, &mut found);
    let has_errors = found.has_errors();
    diagnostics.append(found);
    let scene = scene.filter(|_| !has_errors)?;

    let faults = scene.faults();
    for (field, fault) in &faults {
        let message = format!("`{field}` cannot be drawn");
        let place = place_of(tree, field);
        diagnostics.push(Diagnostic::error(codes::SCENE_FAULT, message).at(place).label(fault));
    }
    faults.is_empty().then_some(scene)
}

fn scene(tree: &Node, diagnostics: &mut Diagnostics) -> Option<Scene> {
    let at = At { name: "the scene".to_owned(), node: tree };
    let mut table = Table::open(&at, "", diagnostics)?;
    let width = table.optional("width", u32_number, diagnostics).unwrap_or(SIZE.0);
    let height = table.optional("height", u32_number, diagnostics).unwrap_or(SIZE.1);
    let fps = table.optional("fps", u32_number, diagnostics).unwrap_or(FPS);
    let duration_s = table.required("duration_s", finite, diagnostics);
    let seed = table.optional("seed", u32_number, diagnostics).unwrap_or(SEED);
    let zones = table.optional("zones", zones, diagnostics).unwrap_or_default();
    let read_item = |at: &At<'_>, diagnostics: &mut Diagnostics| item(at, duration_s, diagnostics);
    let items = table.optional("items", list_of(read_item), diagnostics).unwrap_or_default();
    table.finish(UnknownKeys::Refuse, diagnostics);
    Some(Scene { width, height, fps, duration_s: duration_s?, seed, zones, items })
}

fn u32_number(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<u32> {
    whole(0, u32::MAX.into())(at, diagnostics)
}

fn zones(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<BTreeMap<String, Zone>> {
    let mut table = Table::open(at, "zones.", diagnostics)?;
    let mut zones = BTreeMap::new();
    for (key, at) in table.rest(UnknownKeys::Refuse) {
        if let Some(zone) = zone(&at, diagnostics) {
            zones.insert(key.text.clone(), zone);
        }
    }
    Some(zones)
}

fn zone(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Zone> {
    let mut table = Table::open(at, &format!("{}.", at.name), diagnostics)?;
    let x = table.required("x", u32_number, diagnostics);
    let y = table.required("y", u32_number, diagnostics);
    let width = table.required("width", u32_number, diagnostics);
    let height = table.required("height", u32_number, diagnostics);
    table.finish(UnknownKeys::Refuse, diagnostics);
    Some(Zone { x: x?, y: y?, width: width?, height: height? })
}

fn item(at: &At<'_>, duration_s: Option<f64>, diagnostics: &mut Diagnostics) -> Option<Item> {
    let mut table = Table::open(at, &format!("{}.", at.name), diagnostics)?;
    let name = table.required("name", text, diagnostics);
    let code = table.required("code", any_text, diagnostics);
    let width = table.optional("width", u32_number, diagnostics).unwrap_or(ITEM_SIZE.0);
    let height = table.optional("height", u32_number, diagnostics).unwrap_or(ITEM_SIZE.1);
    let colour = table.optional("colour", colour, diagnostics).unwrap_or(COLOUR);
    let path = table.required("path", list_of(keyframe), diagnostics);
    let code_visible = table.optional("code_visible", list_of(interval), diagnostics);
    let hand = table.optional("hand", boolean, diagnostics).unwrap_or(true);
    table.finish(UnknownKeys::Refuse, diagnostics);
    let always = || Some(vec![Interval { from_s: 0.0, to_s: duration_s? }]);
    Some(Item {
        name: name?,
        code: code?,
        width,
        height,
        colour,
        path: path?,
        code_visible: code_visible.or_else(always)?,
        hand,
    })
}

fn colour(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Colour> {
    let written = text(at, diagnostics)?;
    let colour = Colour::parse(&written);
    if colour.is_none() {
        let message = format!("`{}` must be a colour such as `#c8502e`", at.name);
        diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message));
    }
    colour
}

fn keyframe(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Keyframe> {
    let mut table = Table::open(at, &format!("{}.", at.name), diagnostics)?;
    let at_s = table.required("at_s", finite, diagnostics);
    let x = table.required("x", finite, diagnostics);
    let y = table.required("y", finite, diagnostics);
    table.finish(UnknownKeys::Refuse, diagnostics);
    Some(Keyframe { at_s: at_s?, x: x?, y: y? })
}

fn interval(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Interval> {
    let mut table = Table::open(at, &format!("{}.", at.name), diagnostics)?;
    let from_s = table.required("from_s", finite, diagnostics);
    let to_s = table.required("to_s", finite, diagnostics);
    table.finish(UnknownKeys::Refuse, diagnostics);
    Some(Interval { from_s: from_s?, to_s: to_s? })
}

/// The place of `items[2].path[0].at_s`, or of the nearest thing around it that
/// was written.
fn place_of(tree: &Node, path: &str) -> Place {
    let mut node = tree;
    let mut rest = path;
    while !rest.is_empty() {
        let step = match &node.value {
            Value::Table(entries) => entries.iter().find_map(|(key, node)| {
                // A key may have dots itself, so it is compared as a whole.
                let behind = rest.strip_prefix(&*key.text)?;
                (behind.is_empty() || behind.starts_with(['.', '['])).then_some((node, behind))
            }),
            Value::List(items) => rest
                .strip_prefix('[')
                .and_then(|inside| inside.split_once(']'))
                .and_then(|(index, behind)| Some((items.get(index.parse::<usize>().ok()?)?, behind))),
            _ => None,
        };
        let Some((next, behind)) = step else { break };
        node = next;
        rest = behind.strip_prefix('.').unwrap_or(behind);
    }
    node.place
}
