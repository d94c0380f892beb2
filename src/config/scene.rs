//! Reads a scene file: TOML whose keys are the fields of [`Scene`], with their
//! defaults. `docs/scenes.md` describes it.
//!
//! Types are checked here, values by [`Scene::faults`], whose paths
//! (`items[2].path[0].at_s`) are followed back to places in the file.

use super::reader::{At, KeyNames, Reader, by, map_of, table};
use super::shape::{Shape, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{any_string, boolean, finite, list_of, read_string, string, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::scene::{Colour, Interval, Item, Keyframe, Scene, Zone};

const SIZE: (u32, u32) = (1280, 720);
const FPS: u32 = 30;
const SEED: u32 = 1;
const ITEM_SIZE: (u32, u32) = (210, 250);
const COLOUR: Colour = Colour([0xc8, 0x50, 0x2e]);

/// Reads a whole scene file. `None` if it has faults.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Option<Scene> {
    let mut found = Diagnostics::new();
    let at = At { name: "the scene".to_owned(), node: tree };
    let scene = file().read(&at, &mut found);
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

/// The whole file, types only.
pub(super) fn file() -> impl Reader<Value = Scene> + Copy {
    table(KeyNames::Plain, UnknownKeys::Refuse, |table, diagnostics| {
        let width = table.optional("width", "Pixels; 1280 if not given", u32_number(), diagnostics);
        let height = table.optional("height", "Pixels; 720 if not given", u32_number(), diagnostics);
        let fps = table.optional("fps", "Frames per second; 30 if not given", u32_number(), diagnostics);
        let duration_s = table.required("duration_s", "Seconds", finite(), diagnostics);
        let seed = table.optional("seed", "The seed of the noise; 1 if not given", u32_number(), diagnostics);
        let light =
            table.optional("light", "The light on everything; `#ffffff` if not given", colour(), diagnostics);
        let zones = table.optional("zones", "Rectangles of the counter, by name", zones(), diagnostics);
        let items =
            table.optional("items", "The items that move through the picture", list_of(item()), diagnostics);
        let duration_s = duration_s?;
        let always = vec![Interval { from_s: 0.0, to_s: duration_s }];
        let items = items.unwrap_or_default().into_iter().map(|(mut item, code_visible)| {
            item.code_visible = code_visible.unwrap_or_else(|| always.clone());
            item
        });
        Some(Scene {
            width: width.unwrap_or(SIZE.0),
            height: height.unwrap_or(SIZE.1),
            fps: fps.unwrap_or(FPS),
            duration_s,
            seed: seed.unwrap_or(SEED),
            light: light.unwrap_or(Colour::white()),
            zones: zones.unwrap_or_default().into_iter().collect(),
            items: items.collect(),
        })
    })
}

fn u32_number() -> impl Reader<Value = u32> + Copy {
    whole(0, u32::MAX.into())
}

fn zones() -> impl Reader<Value = Vec<(String, Zone)>> + Copy {
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        "",
        || zone().shape(),
        |key, at, diagnostics| Some((key.text.clone(), zone().read(at, diagnostics)?)),
    )
}

fn zone() -> impl Reader<Value = Zone> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let x = table.required("x", "Left edge in pixels", u32_number(), diagnostics);
        let y = table.required("y", "Upper edge in pixels", u32_number(), diagnostics);
        let width = table.required("width", "Pixels", u32_number(), diagnostics);
        let height = table.required("height", "Pixels", u32_number(), diagnostics);
        Some(Zone { x: x?, y: y?, width: width?, height: height? })
    })
}

/// An item, and the times when its code is visible, if given.
fn item() -> impl Reader<Value = (Item, Option<Vec<Interval>>)> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let name = table.required("name", "Its name, printed on it", string(), diagnostics);
        let code = table.required("code", "The content of its QR code", any_string(), diagnostics);
        let width = table.optional("width", "Pixels; 210 if not given", u32_number(), diagnostics);
        let height = table.optional("height", "Pixels; 250 if not given", u32_number(), diagnostics);
        let colour = table.optional("colour", "Its colour, such as `#c8502e`", colour(), diagnostics);
        let path = table.required("path", "Its positions over time", list_of(keyframe()), diagnostics);
        let code_visible = table.optional(
            "code_visible",
            "When its code is visible; always if not given",
            list_of(interval()),
            diagnostics,
        );
        let hand =
            table.optional("hand", "Whether a hand moves it; true if not given", boolean(), diagnostics);
        let item = Item {
            name: name?,
            code: code?,
            width: width.unwrap_or(ITEM_SIZE.0),
            height: height.unwrap_or(ITEM_SIZE.1),
            colour: colour.unwrap_or(COLOUR),
            path: path?,
            code_visible: Vec::new(),
            hand: hand.unwrap_or(true),
        };
        Some((item, code_visible))
    })
}

fn colour() -> impl Reader<Value = Colour> + Copy {
    by(
        || Shape::String(Some("^#[0-9A-Fa-f]{6}$".to_owned())),
        |at, diagnostics| {
            let written = read_string(at, diagnostics)?;
            let colour = Colour::parse(&written);
            if colour.is_none() {
                let message = format!("`{}` must be a colour such as `#c8502e`", at.name);
                diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message));
            }
            colour
        },
    )
}

fn keyframe() -> impl Reader<Value = Keyframe> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let at_s = table.required("at_s", "Seconds from the start", finite(), diagnostics);
        let x = table.required("x", "Its middle in pixels from the left", finite(), diagnostics);
        let y = table.required("y", "Its middle in pixels from above", finite(), diagnostics);
        Some(Keyframe { at_s: at_s?, x: x?, y: y? })
    })
}

fn interval() -> impl Reader<Value = Interval> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let from_s = table.required("from_s", "Seconds from the start", finite(), diagnostics);
        let to_s = table.required("to_s", "Seconds from the start", finite(), diagnostics);
        Some(Interval { from_s: from_s?, to_s: to_s? })
    })
}

/// The place of `items[2].path[0].at_s`, or of the innermost table or list around it
/// that exists.
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
