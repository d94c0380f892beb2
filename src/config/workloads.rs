//! Reads a workload file: upstream's `workload_pipeline_map`, from the name of
//! a workload to its steps.
//!
//! A step names one of upstream's elements, or any GStreamer element by its
//! factory. A word that looks like a slip of one of upstream's is refused here;
//! any other is checked against the machine, by `dialect`.

use std::collections::BTreeMap;

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place};
use super::project::{Scalar, Step};
use super::reader::{At, Table, UnknownKeys};
use super::tasks::plain_path;
use super::tree::{Node, Value};
use super::values::text;
use crate::name::did_you_mean;

/// Steps that run a model; all of `model`, `device` and `precision` are needed.
const INFERENCE: [&str; 3] = ["gvadetect", "gvaclassify", "gvainference"];

/// All of upstream's words for a step's type.
const UPSTREAM: [&str; 7] =
    ["gvadetect", "gvaclassify", "gvainference", "gvatrack", "gvapython", "vlm", "script"];

const PRECISIONS: [&str; 5] = ["INT8", "FP16", "FP32", "FP16-INT8", "FP32-INT8"];

/// A workload as written.
#[derive(Debug)]
pub(super) struct RawWorkload {
    pub(super) name: String,
    /// Its key.
    pub(super) place: Place,
    pub(super) steps: Vec<Step>,
}

/// Reads a whole workload file. `None` when it does not even have a map.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Option<Vec<RawWorkload>> {
    let at = At { name: "the workload file".to_owned(), node: tree };
    let mut root = Table::open(&at, "", diagnostics)?;
    let map = root.required("workload_pipeline_map", workloads, diagnostics);
    root.finish(UnknownKeys::Warn, diagnostics);
    map
}

fn workloads(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<RawWorkload>> {
    let mut map = Table::open(at, "", diagnostics)?;
    let mut workloads = Vec::new();
    for (key, at) in map.rest(UnknownKeys::Warn) {
        if key.text.trim().is_empty() || key.text.chars().any(char::is_control) {
            let message = "the name of a workload must be neither blank nor have control characters";
            diagnostics.push(Diagnostic::error(codes::BLANK_TEXT, message).at(key.place));
            continue;
        }
        // Kept without steps if they have faults, so that its cameras are not
        // told that it is not mapped.
        let steps = steps(&at, diagnostics);
        workloads.push(RawWorkload { name: key.text.clone(), place: key.place, steps });
    }
    Some(workloads)
}

/// A list of steps, or a single one.
fn steps(at: &At<'_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    match &at.node.value {
        Value::Table(_) => step(at, diagnostics).into_iter().collect(),
        Value::List(items) if items.is_empty() => {
            let message = format!("the workload `{}` has no steps", at.name);
            diagnostics.push(Diagnostic::error(codes::EMPTY_LIST, message).at(at.node.place));
            Vec::new()
        }
        Value::List(items) => {
            let read = |(index, node)| step(&At { name: format!("{}[{index}]", at.name), node }, diagnostics);
            items.iter().enumerate().filter_map(read).collect()
        }
        _ => {
            at.wrong("a list of steps", diagnostics);
            Vec::new()
        }
    }
}

fn step(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Step> {
    let mut table = Table::open(at, "", diagnostics)?;
    let place = table.place();
    let Some((_, kind_at)) = table.take("type") else {
        let script = table.take("script");
        let diagnostic = match script {
            Some((key, _)) => no_scripts(key.place),
            None => {
                Diagnostic::error(codes::MISSING_KEY, "`type` is missing").at(place).label("in this step")
            }
        };
        diagnostics.push(diagnostic);
        return None;
    };
    let kind = kind(&kind_at, diagnostics)?;
    let mut step = Step {
        kind,
        model: None,
        precision: None,
        device: None,
        module: None,
        function: None,
        properties: BTreeMap::new(),
        place,
        kind_place: kind_at.node.place,
    };
    let is_vlm = step.kind == "vlm";
    if is_vlm || INFERENCE.contains(&&*step.kind) {
        step.model = table.required("model", model, diagnostics);
        step.device = table.required("device", device, diagnostics);
        step.precision = table.required("precision", precision, diagnostics);
    }
    if step.kind == "gvatrack" {
        step.device = table.optional("device", device, diagnostics);
    }
    if step.kind == "gvapython" {
        step.module = table.required("module", plain_path, diagnostics).map(String::from);
        step.function = table.optional("function", text, diagnostics);
    }
    step.properties = table.optional("properties", properties, diagnostics).unwrap_or_default();
    if is_vlm {
        for (key, required) in [("vlm_model", true), ("vlm_device", false), ("vlm_precision", false)] {
            let value = if required {
                table.required(key, text, diagnostics)
            } else {
                table.optional(key, text, diagnostics)
            };
            step.properties.extend(value.map(|value| (key.to_owned(), Scalar::Text(value))));
        }
    }
    table.finish(UnknownKeys::Warn, diagnostics);
    Some(step)
}

fn no_scripts(place: Place) -> Diagnostic {
    Diagnostic::error(codes::NOT_SUPPORTED, "steps that run a script are not supported yet")
        .at(place)
        .help("a step can be one of GStreamer's elements, or run before the cameras as a `[[task]]`")
}

/// The type of a step: upstream's words lower-cased, others as written.
fn kind(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let written = text(at, diagnostics)?;
    let written = written.trim();
    let folded = written.to_lowercase();
    if folded == "script" {
        diagnostics.push(no_scripts(at.node.place));
        return None;
    }
    if UPSTREAM.contains(&&*folded) {
        return Some(folded);
    }
    let is_factory = written.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let is_slip = folded.starts_with("gva") || did_you_mean(written, UPSTREAM).is_some();
    if is_factory && !is_slip {
        return Some(written.to_owned());
    }
    let message = format!("`{}` is no known type of step", written.escape_debug());
    let mut diagnostic = Diagnostic::error(codes::UNKNOWN_STEP, message).at(at.node.place).suggest(
        written,
        UPSTREAM,
        diagnostics,
    );
    if diagnostic.help.is_none() {
        let known = UPSTREAM[..UPSTREAM.len() - 1].join(", ");
        diagnostic =
            diagnostic.help(format!("known are {known}, and every GStreamer element by its factory"));
    }
    diagnostics.push(diagnostic);
    None
}

/// The name of a model: one plain component, since it names folders and files.
fn model(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let name = text(at, diagnostics)?.trim().to_owned();
    if crate::path::is_file_name(&name) {
        return Some(name);
    }
    diagnostics.push(at.fault(codes::BAD_NAME, &format!("`{}` must be the plain name of a model", at.name)));
    None
}

fn device(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let device = text(at, diagnostics)?.trim().to_uppercase();
    let numbered = device
        .strip_prefix("GPU.")
        .is_some_and(|n| !n.is_empty() && n.len() < 3 && n.bytes().all(|byte| byte.is_ascii_digit()));
    if numbered || ["CPU", "GPU", "NPU"].contains(&&*device) {
        return Some(device);
    }
    let message = format!("`{}` must be one of `CPU`, `GPU`, `NPU`, `GPU.1`", at.name);
    let fault = at.fault(codes::UNKNOWN_WORD, &message);
    diagnostics.push(fault.suggest(&device, ["CPU", "GPU", "NPU", "GPU.1"], diagnostics));
    None
}

fn precision(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let precision = text(at, diagnostics)?.trim().to_uppercase();
    if PRECISIONS.contains(&&*precision) {
        return Some(precision);
    }
    let quoted: Vec<String> = PRECISIONS.iter().map(|word| format!("`{word}`")).collect();
    let message = format!("`{}` must be one of {}", at.name, quoted.join(", "));
    diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message).suggest(&precision, PRECISIONS, diagnostics));
    None
}

/// Properties of an element: plain values.
fn properties(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<BTreeMap<String, Scalar>> {
    let mut table = Table::open(at, "properties.", diagnostics)?;
    let mut properties = BTreeMap::new();
    for (key, at) in table.rest(UnknownKeys::Warn) {
        let starts_well = key.text.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts_well || !key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            let message = format!("`{}` cannot be the name of a property", key.text.escape_debug());
            diagnostics.push(Diagnostic::error(codes::BAD_NAME, message).at(key.place));
            continue;
        }
        let value = match &at.node.value {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Int(value) => Scalar::Int(*value),
            Value::Float { value, .. } => Scalar::Float(*value),
            Value::Text(value) if !value.chars().any(char::is_control) => Scalar::Text(value.clone()),
            _ => {
                at.wrong("a boolean, a number or a text without control characters", diagnostics);
                continue;
            }
        };
        properties.insert(key.text.clone(), value);
    }
    Some(properties)
}
