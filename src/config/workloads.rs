//! Reads a workload file: upstream's `workload_pipeline_map`, from the name of
//! a workload to its steps, and the `workload_definitions` of its design, from the
//! name of a workload to a script.
//!
//! A step names one of upstream's elements, or any GStreamer element by its
//! factory, or a script. Steps that are elements may branch at a `tee` (`branches`).
//! A word that looks like a slip of one of upstream's is refused here; `dialect`
//! checks any other against the machine. Upstream's older forms are accepted with a
//! note that names the current one.

use super::branches::{PICTURES, check_branches};
use super::cameras::{RawRegion, read_region, region_of_interest};
use super::caps::caps;
use super::device::{device, precision};
use super::files::{check_paths, check_twice};
use super::inference::{CLASSIFY, DETECT, RawOptions, options};
use super::reader::{At, KeyNames, Reader, Table, by, described, map_of, table};
use super::shape::{Map, Shape, TEXT, UNBROKEN, UnknownKeys, When, folded, unseen};
use super::tasks::plain_path;
use super::tree::{Key, Node, Value};
use super::values::{read_string, spanned, string};
use crate::diag::Edit;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{
    Bin, Classify, Detect, Entry, Infer, Model, Python, Scalar, Script, Step, StepPlaces, StockElement, Tee,
    Track, Values,
};
use crate::name::did_you_mean;
use crate::path::ProjectPath;
use crate::text::is_unseen;

/// All of upstream's words for a step's type.
const UPSTREAM: [&str; 7] = Step::UPSTREAM;

/// The description of a device.
const DEVICE: &str = "The device that runs it, as OpenVINO names it";

/// Precisions of a vision language model.
const VLM_PRECISIONS: [&str; 3] = ["INT8", "FP16", "INT4"];

/// A workload as written.
#[derive(Debug)]
pub(super) struct RawWorkload {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) steps: Vec<Step>,
    /// The place of each step.
    pub(super) places: Vec<StepPlaces>,
    /// The options of inference of each step.
    pub(super) options: Vec<RawOptions>,
    /// The region that an older form gives to its steps; of its cameras now.
    pub(super) region: Option<Spanned<RawRegion>>,
}

/// A step as written. A faulty value is blank: the other steps are still checked
/// against the step, and no project is made of it.
pub(super) struct RawStep {
    step: Step,
    places: StepPlaces,
    options: RawOptions,
    region: Option<Spanned<RawRegion>>,
}

/// Reads a whole workload file. `None` if it has no map.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Option<Vec<RawWorkload>> {
    let at = At { name: "the workload file".to_owned(), node: tree };
    let is_ours = at.has("workload_pipeline_map") || at.has("workload_definitions");
    if at.has("lane_config") && !is_ours {
        diagnostics.push(
            Diagnostic::error(codes::OTHER_FILE, "this is a camera file, where a workload file is expected")
                .at(at.node.place)
                .label("has a `lane_config`, but no `workload_pipeline_map`")
                .help("name it with `--cameras` or `project.cameras`"),
        );
        return None;
    }
    if matches!(tree.value, Value::Table(_)) && !is_ours {
        diagnostics.push(
            Diagnostic::error(codes::MISSING_KEY, "`workload_pipeline_map` is missing")
                .at(at.node.place)
                .label("in this object"),
        );
    }
    let workloads = file().read(&at, diagnostics);
    workloads.filter(|_| is_ours)
}

pub(super) fn file() -> impl Reader<Value = Vec<RawWorkload>> + Copy {
    table(KeyNames::Plain, UnknownKeys::Warn, |table, diagnostics| {
        table.optional("$schema", "The schema of this file, for editors", string(), diagnostics);
        let map = "The steps for the name of each workload";
        let map = table.optional("workload_pipeline_map", map, pipeline_map(), diagnostics);
        let definitions = "A script for the name of each workload";
        let definitions = table.optional("workload_definitions", definitions, definitions_map(), diagnostics);
        table.needs_one_of(&["workload_pipeline_map", "workload_definitions"]);
        Some(map.into_iter().chain(definitions).flatten().collect())
    })
}

/// A map that has a workload.
fn filled(map: impl Reader<Value = Vec<RawWorkload>> + Copy) -> impl Reader<Value = Vec<RawWorkload>> + Copy {
    let shape = move || match map.shape() {
        Shape::Map(map) => Shape::Map(Map { is_filled: true, ..map }),
        other => other,
    };
    by(shape, move |at, diagnostics| {
        let is_comment = |(key, _): &(Key, Node)| key.text.starts_with('_');
        if matches!(&at.node.value, Value::Table(entries) if entries.iter().all(is_comment)) {
            let message = format!("`{}` has no workload", at.name);
            diagnostics.push(Diagnostic::error(codes::EMPTY_LIST, message).at(at.node.place));
        }
        map.read(at, diagnostics)
    })
}

fn pipeline_map() -> impl Reader<Value = Vec<RawWorkload>> + Copy {
    filled(map_of(KeyNames::Plain, UnknownKeys::Warn, TEXT, steps_shape, |key, at, diagnostics| {
        workload(&key.text, key.place, diagnostics, |diagnostics| read_steps(at, diagnostics))
    }))
}

fn definitions_map() -> impl Reader<Value = Vec<RawWorkload>> + Copy {
    let shape = || Shape::Table(described(UnknownKeys::Warn, script));
    filled(map_of(KeyNames::Plain, UnknownKeys::Warn, TEXT, shape, |key, at, diagnostics| {
        workload(&key.text, key.place, diagnostics, |diagnostics| {
            vec![table(KeyNames::Plain, UnknownKeys::Warn, script).read(at, diagnostics)]
        })
    }))
}

/// A workload, kept without steps if they have faults, so that its cameras do not
/// get the fault that it is not mapped.
fn workload(
    name: &str,
    place: Place,
    diagnostics: &mut Diagnostics,
    steps: impl FnOnce(&mut Diagnostics) -> Vec<Option<RawStep>>,
) -> Option<RawWorkload> {
    if name.trim().is_empty() || name.chars().any(is_unseen) {
        let message = "the name of a workload must not be blank or contain invisible characters";
        diagnostics.push(Diagnostic::error(codes::BLANK_TEXT, message).at(place));
        return None;
    }
    let steps = steps(diagnostics);
    check_order(&steps, diagnostics);
    let read: Vec<_> = steps.iter().map(|raw| raw.as_ref().map(|raw| (&raw.step, &raw.places))).collect();
    check_branches(&read, diagnostics);
    check_twice(read.into_iter().flatten(), diagnostics);
    let region = common_region(&steps, diagnostics);
    let mut workload = RawWorkload {
        name: name.to_owned(),
        place,
        steps: Vec::new(),
        places: Vec::new(),
        options: Vec::new(),
        region,
    };
    for RawStep { step, places, options, .. } in steps.into_iter().flatten() {
        workload.steps.push(step);
        workload.places.push(places);
        workload.options.push(options);
    }
    Some(workload)
}

fn steps_shape() -> Shape {
    let item = step().shape();
    Shape::Either(vec![
        Shape::List { item: Box::new(item.clone()), is_filled: true },
        Shape::Old(Box::new(item)),
    ])
}

/// A list of steps, or in an older form a single one; `None` for one with faults.
fn read_steps(at: &At<'_>, diagnostics: &mut Diagnostics) -> Vec<Option<RawStep>> {
    match &at.node.value {
        Value::Table(_) => {
            let message = format!("the workload `{}` is a single step, which is an older form", at.name);
            let note = Diagnostic::note(codes::OLD_WORKLOAD_FORM, message).at(at.node.place);
            let Place { file, start, end } = at.node.place;
            let bracket =
                |at: u32, text: &str| Edit::Replace(Place { file, start: at, end: at }, text.to_owned());
            diagnostics.push(
                note.help("write a list of steps: `[{ ... }]`")
                    .edit(bracket(start, "["))
                    .edit(bracket(end, "]")),
            );
            vec![step().read(at, diagnostics)]
        }
        Value::List(items) if items.is_empty() => {
            let message = format!("the workload `{}` has no steps", at.name);
            diagnostics.push(Diagnostic::error(codes::EMPTY_LIST, message).at(at.node.place));
            Vec::new()
        }
        Value::List(items) => {
            let read =
                |(index, node)| step().read(&At { name: format!("{}[{index}]", at.name), node }, diagnostics);
            items.iter().enumerate().map(read).collect()
        }
        _ => {
            at.wrong("a list of steps", diagnostics);
            Vec::new()
        }
    }
}

/// Checks that a step fits those before it.
fn check_order(steps: &[Option<RawStep>], diagnostics: &mut Diagnostics) {
    for (index, raw) in steps.iter().enumerate() {
        let Some(RawStep { step, places, .. }) = raw else { continue };
        // A step with faults may have been the detector.
        let may_detect =
            |raw: &Option<RawStep>| raw.as_ref().is_none_or(|raw| matches!(raw.step, Step::Detect(_)));
        if matches!(step, Step::Classify(_)) && !steps[..index].iter().any(may_detect) {
            diagnostics.push(
                Diagnostic::error(codes::NO_DETECTOR, "`gvaclassify` has nothing to classify")
                    .at(places.kind)
                    .label("no step before it detects objects")
                    .help("put a `gvadetect` step before it"),
            );
        }
        if matches!(step, Step::Script(_)) && steps.len() > 1 {
            diagnostics.push(
                Diagnostic::error(codes::MIXED_SCRIPT, "a script shares its workload with other steps")
                    .at(places.step)
                    .label("a script must be the only step")
                    .help("give it a workload of its own"),
            );
        }
    }
}

/// The region that an older form gives to the steps of a workload.
fn common_region(steps: &[Option<RawStep>], diagnostics: &mut Diagnostics) -> Option<Spanned<RawRegion>> {
    let mut regions = steps.iter().flatten().filter_map(|raw| raw.region.as_ref());
    let first = regions.next()?;
    for other in regions.filter(|other| other.value.edges() != first.value.edges()) {
        let message = "the steps of a workload have different regions, but all of them get the same frames";
        diagnostics.push(
            Diagnostic::error(codes::OLD_AND_NEW_FORM, message)
                .at(other.place)
                .also(first.place, "another region here")
                .help("a region belongs to a camera now: `region_of_interest` in the camera file"),
        );
    }
    Some(first.clone())
}

fn step() -> impl Reader<Value = RawStep> + Copy {
    by(step_shape, read_step)
}

fn step_shape() -> Shape {
    let script = described(UnknownKeys::Warn, script);
    let mut cases = vec![(When::Has("script"), script.clone())];
    for kind in UPSTREAM {
        let fields = if kind == "script" {
            script.clone()
        } else {
            described(UnknownKeys::Warn, |table, diagnostics| element(kind, table, diagnostics))
        };
        cases.push((When::Matches("type", folded([kind])), fields));
    }
    for kind in ["tee", "bin", "capsfilter"] {
        let fields = described(UnknownKeys::Warn, |table, diagnostics| element(kind, table, diagnostics));
        cases.push((When::Matches("type", format!(r"^\s*{kind}\s*$")), fields));
    }
    let other = described(UnknownKeys::Warn, |table, diagnostics| element("identity", table, diagnostics));
    cases.push((When::Always, other));
    Shape::Named("step", Box::new(Shape::Cases(cases)))
}

fn read_step(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<RawStep> {
    let type_of = |at: &At<'_>| match &at.node.value {
        Value::Table(entries) => {
            entries.iter().find(|(key, _)| key.text == "type").map(|(_, node)| node.clone())
        }
        _ => None,
    };
    let written = type_of(at);
    let word = written.as_ref().and_then(|node| match &node.value {
        Value::Text(word) => Some(word.trim().to_lowercase()),
        _ => None,
    });
    if at.has("script") || word.as_deref() == Some("script") {
        return table(KeyNames::Plain, UnknownKeys::Warn, script).read(at, diagnostics);
    }
    let mut table = Table::open(at, KeyNames::Plain, UnknownKeys::Warn, diagnostics)?;
    let Some(written) = written else {
        missing_type(at, diagnostics);
        return None;
    };
    let kind = kind().read(&At { name: "type".to_owned(), node: &written }, diagnostics)?;
    let raw = element(&kind, &mut table, diagnostics);
    table.finish(diagnostics);
    let mut raw = raw?;
    raw.places.kind = written.place;
    Some(raw)
}

/// The possible keys depend on the type, so without one only a slip of `type` itself
/// is reported.
fn missing_type(at: &At<'_>, diagnostics: &mut Diagnostics) {
    diagnostics.push(
        Diagnostic::error(codes::MISSING_KEY, "`type` is missing").at(at.node.place).label("in this step"),
    );
    let Value::Table(entries) = &at.node.value else { return };
    if let Some(slip) = did_you_mean("type", entries.iter().map(|(key, _)| key.text.as_str()))
        && let Some((key, _)) = entries.iter().find(|(key, _)| key.text == slip)
    {
        let warning = Diagnostic::warning(codes::UNKNOWN_KEY, format!("unknown key `{slip}`"));
        diagnostics.push(warning.at(key.place).label("ignored").help("did you mean `type`?"));
    }
}

/// The keys of a step of this kind.
fn element(kind: &str, table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Option<RawStep> {
    let about = "The type of the step: one of upstream's words, or a GStreamer element by its factory";
    table.required("type", about, any_kind(), &mut Diagnostics::new());
    let mut places = StepPlaces::of(table.place());
    let mut given = RawOptions::default();
    let step = match kind {
        // `RawOptions::apply_to` fills in the options that are not given here.
        DETECT => {
            let model = model_keys(table, &mut places, diagnostics);
            given = options(table, Some(kind), diagnostics);
            let properties = properties(kind, table, &mut places, diagnostics);
            let (batch_size, inference_interval, threshold) = Default::default();
            Some(Step::Detect(Detect { model, batch_size, inference_interval, threshold, properties }))
        }
        CLASSIFY => {
            let model = model_keys(table, &mut places, diagnostics);
            given = options(table, Some(kind), diagnostics);
            let properties = properties(kind, table, &mut places, diagnostics);
            Some(Step::Classify(Classify { model, batch_size: 0, properties }))
        }
        "gvainference" => {
            let model = model_keys(table, &mut places, diagnostics);
            let properties = properties(kind, table, &mut places, diagnostics);
            Some(Step::Infer(Infer { model, properties }))
        }
        "vlm" => {
            let model = model_keys(table, &mut places, diagnostics);
            let mut properties = properties(kind, table, &mut places, diagnostics);
            vlm(&mut properties, table, diagnostics);
            Some(Step::Vlm(Infer { model, properties }))
        }
        "gvatrack" => {
            let device = table.optional("device", DEVICE, device(), diagnostics);
            let properties = properties(kind, table, &mut places, diagnostics);
            Some(Step::Track(Track { device, properties }))
        }
        "gvapython" => {
            let module = "A Python file inside the project";
            let module = table.required("module", module, plain_path(), diagnostics);
            let function = table.optional("function", "A function of it", string(), diagnostics);
            let properties = properties(kind, table, &mut places, diagnostics);
            // A faulty module stays a step, so that the steps after it are checked.
            let module = module.or_else(|| ProjectPath::new("module.py").ok())?;
            Some(Step::Python(Python { module, function, properties }))
        }
        _ => Some(stock(kind, table, &mut places, diagnostics)),
    };
    let mut region = None;
    if UPSTREAM.contains(&kind)
        && let Some((key, at)) =
            table.old("region_of_interest", "An older form; now a key of the camera", &region_of_interest())
    {
        region = step_region(key, &at, diagnostics);
    }
    Some(RawStep { step: step?, places, options: given, region })
}

/// The keys of a step that runs a model.
fn model_keys(table: &mut Table<'_>, places: &mut StepPlaces, diagnostics: &mut Diagnostics) -> Model {
    let name = table.required("model", "The model's name", spanned(model()), diagnostics);
    let device = table.required("device", DEVICE, device(), diagnostics);
    let precision = table.required("precision", "The model's precision", spanned(precision()), diagnostics);
    let entry_at = |place: Place| Entry { key: place, value: place };
    places.model = name.as_ref().map(|name| entry_at(name.place));
    places.precision = precision.as_ref().map(|precision| entry_at(precision.place));
    if let Some((key, at)) = table.old("model_instance_id", "An older form; not used", &string()) {
        let message = "`model_instance_id` is an older form";
        let note = Diagnostic::note(codes::OLD_WORKLOAD_FORM, message).at(key.place);
        diagnostics.push(
            note.label("not used")
                .help("remove it: `lp` shares equal models by itself")
                .edit(Edit::Remove(entry(key, &at))),
        );
    }
    Model {
        name: name.map(|name| name.value).unwrap_or_default(),
        precision: precision.map(|precision| precision.value).unwrap_or_default(),
        device: device.unwrap_or_default(),
    }
}

/// The properties of an element.
fn properties(
    kind: &str,
    table: &mut Table<'_>,
    places: &mut StepPlaces,
    diagnostics: &mut Diagnostics,
) -> Values {
    let mut properties = Values::new();
    let about = "Properties of the element";
    for (key, value, place) in table.optional("properties", about, scalars(), diagnostics).unwrap_or_default()
    {
        places.properties.insert(key.text.clone(), Entry { key: key.place, value: place });
        properties.insert(key.text, value);
    }
    check_paths(kind, &properties, places, diagnostics);
    properties
}

/// The keys of an element that is not one of upstream's words.
fn stock(kind: &str, table: &mut Table<'_>, places: &mut StepPlaces, diagnostics: &mut Diagnostics) -> Step {
    let properties = match kind {
        "bin" => Values::new(),
        _ => properties(kind, table, places, diagnostics),
    };
    let about = "The earlier tee, by name, at which a side branch begins with this step";
    let from = placed(table, "from", about, string(), &mut places.from, diagnostics);
    if kind == "tee" {
        let about = "The name that later steps use in `from`";
        let name = placed(table, "name", about, string(), &mut places.name, diagnostics);
        refuse(
            table,
            "caps",
            "put the caps after the tee: `{\"type\": \"capsfilter\", \"caps\": ...}`",
            diagnostics,
        );
        refuse(table, "steps", "only a `bin` has steps", diagnostics);
        return Step::Tee(Tee { properties, name, from });
    }
    let about = "Caps that leave the element, as GStreamer writes them";
    let caps = placed(table, "caps", about, caps(), &mut places.caps, diagnostics);
    refuse(table, "name", "only a `tee` has a name; `lp` names all other elements", diagnostics);
    if kind == "bin" {
        let about = "Its elements, linked exactly as written";
        let inner = table.required("steps", about, inner_steps(), diagnostics).unwrap_or_default();
        let (elements, inner) = inner.into_iter().unzip();
        places.elements = inner;
        refuse(table, "properties", "give them to the elements in `steps`", diagnostics);
        return Step::Bin(Bin { caps, from, elements });
    }
    refuse(table, "steps", "only a `bin` has steps", diagnostics);
    if kind == "capsfilter" {
        table.needs_one_of(&["caps", "properties"]);
        if places.caps.is_none() && !properties.contains_key("caps") {
            let fault = Diagnostic::error(codes::MISSING_KEY, "`caps` is missing").at(places.step);
            diagnostics.push(
                fault
                    .label("in this object")
                    .help("write caps such as `\"caps\": \"video/x-raw,width=640\"`"),
            );
        }
    }
    Step::Element(StockElement { factory: kind.to_owned(), properties, caps, from })
}

/// Reads a string if it is there, and keeps the places of its key and its own.
fn placed(
    table: &mut Table<'_>,
    key: &'static str,
    about: &'static str,
    reader: impl Reader<Value = String> + Copy,
    place: &mut Option<Entry>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let (written, at) = table.take(key, about, &reader)?;
    *place = Some(Entry { key: written.place, value: at.node.place });
    reader.read(&at, diagnostics)
}

/// Reports a key that only other elements have.
fn refuse(table: &mut Table<'_>, key: &'static str, why: &str, diagnostics: &mut Diagnostics) {
    if let Some((written, _)) = table.misplaced(key) {
        let fault = Diagnostic::error(codes::MISPLACED_KEY, format!("this step cannot have `{key}`"));
        diagnostics.push(fault.at(written.place).help(why));
    }
}

/// The elements of a bin: a chain.
fn inner_steps() -> impl Reader<Value = Vec<(StockElement, StepPlaces)>> + Copy {
    let inner = || table(KeyNames::Plain, UnknownKeys::Warn, inner_step);
    by(
        move || Shape::List { item: Box::new(inner().shape()), is_filled: true },
        move |at, diagnostics| {
            let Value::List(items) = &at.node.value else {
                at.wrong("a list of steps", diagnostics);
                return None;
            };
            if items.is_empty() {
                let message = format!("`{}` must not be empty", at.name);
                diagnostics.push(Diagnostic::error(codes::EMPTY_LIST, message).at(at.node.place));
            }
            let steps = items.iter().enumerate();
            let read = |(index, node)| {
                inner().read(&At { name: format!("{}[{index}]", at.name), node }, diagnostics)
            };
            Some(steps.filter_map(read).collect())
        },
    )
}

/// An element of a bin.
fn inner_step(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Option<(StockElement, StepPlaces)> {
    let about = "A GStreamer element by its factory";
    let kind = table.required("type", about, spanned(factory()), diagnostics);
    let mut places = StepPlaces::of(table.place());
    let word = kind.as_ref().map_or("", |kind| &kind.value);
    let properties = properties(word, table, &mut places, diagnostics);
    let about = "Caps that leave the element, as GStreamer writes them";
    let caps = placed(table, "caps", about, caps(), &mut places.caps, diagnostics);
    refuse(table, "from", "a branch begins at a step of the workload, not inside a bin", diagnostics);
    refuse(table, "name", "a branch begins at a tee of the workload, not inside a bin", diagnostics);
    let Spanned { value: factory, place } = kind?;
    places.kind = place;
    Some((StockElement { factory, properties, caps, from: None }, places))
}

/// The keys of a vision language model's server.
fn vlm(properties: &mut Values, table: &mut Table<'_>, diagnostics: &mut Diagnostics) {
    let model =
        table.required("vlm_model", "The language model, as Hugging Face names it", string(), diagnostics);
    let device = table.optional("vlm_device", DEVICE, device(), diagnostics);
    let precision =
        table.optional("vlm_precision", "Its precision: int8, fp16 or int4", vlm_precision(), diagnostics);
    for (key, value) in [("vlm_model", model), ("vlm_device", device), ("vlm_precision", precision)] {
        properties.extend(value.map(|value| (key.to_owned(), Scalar::Text(value))));
    }
}

/// The keys of a script.
fn script(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Option<RawStep> {
    let path = table.required("script", "A program inside the project", plain_path(), diagnostics);
    table.optional(
        "type",
        "The purpose of the script, in a word; a comment for people",
        string(),
        diagnostics,
    );
    let parameters = "Arguments of the script: `--key value`";
    let parameters = table.optional("parameters", parameters, scalars(), diagnostics);
    let parameters = parameters.unwrap_or_default().into_iter().map(|(key, value, _)| (key.text, value));
    let step = Step::Script(Script { path: path?, parameters: parameters.collect() });
    let places = StepPlaces::of(table.place());
    Some(RawStep { step, places, options: RawOptions::default(), region: None })
}

/// A region in a step, which is an older form in any case.
fn step_region(key: &Key, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Spanned<RawRegion>> {
    let mut found = Diagnostics::new();
    let Some(region) = read_region(at, codes::OLD_WORKLOAD_FORM, &mut found) else {
        diagnostics.append(found);
        return None;
    };
    let help = format!(
        "a region belongs to a camera now: give `\"region_of_interest\": {}` to each camera of this workload",
        region.value
    );
    diagnostics.push(
        Diagnostic::note(codes::OLD_WORKLOAD_FORM, "a step has a region, which is an older form")
            .at(at.node.place)
            .help(help)
            .edit(Edit::Remove(entry(key, at))),
    );
    Some(region)
}

/// From a key to the end of its value.
fn entry(key: &Key, at: &At<'_>) -> Place {
    Place { end: at.node.place.end, ..key.place }
}

/// The type of a step in any form; `kind` gives its meaning.
fn any_kind() -> impl Reader<Value = ()> + Copy {
    by(|| kind().shape(), |_, _| Some(()))
}

/// The type of a step: upstream's words lower-cased, others as written.
fn kind() -> impl Reader<Value = String> + Copy {
    let shape = || {
        let upstream = folded(UPSTREAM);
        Shape::String(Some(format!(r"{upstream}|^\s*(?![gG][vV][aA])[A-Za-z0-9_\-]+\s*$")))
    };
    by(shape, |at, diagnostics| {
        let written = read_string(at, diagnostics)?;
        let written = written.trim();
        let folded = written.to_lowercase();
        if UPSTREAM.contains(&&*folded) {
            return Some(folded);
        }
        let is_factory = written.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let is_slip = folded.starts_with("gva") || did_you_mean(written, UPSTREAM).is_some();
        if is_factory && !is_slip {
            return Some(written.to_owned());
        }
        let message = format!("the step type `{}` is unknown", written.escape_debug());
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_STEP, message).at(at.node.place).suggest(
            written,
            UPSTREAM,
            diagnostics,
        );
        if folded == "gvawatermark" {
            diagnostic = diagnostic.help(PICTURES);
        }
        if diagnostic.help.is_none() {
            let known = UPSTREAM.join(", ");
            diagnostic =
                diagnostic.help(format!("known types: {known}, and every GStreamer element by its factory"));
        }
        diagnostics.push(diagnostic);
        None
    })
}

/// The type of a step in a bin: an element without a meaning of its own.
fn factory() -> impl Reader<Value = String> + Copy {
    let pattern = || Shape::String(Some(r"^\s*(?!bin\s*$)(?![gG][vV][aA])[A-Za-z0-9_\-]+\s*$".to_owned()));
    by(pattern, |at, diagnostics| {
        let kind = kind().read(at, diagnostics)?;
        if UPSTREAM.contains(&&*kind) || kind == "bin" {
            let message = format!("a bin cannot contain `{kind}`");
            let fault = Diagnostic::error(codes::UNKNOWN_STEP, message).at(at.node.place);
            diagnostics.push(fault.help("a bin holds GStreamer elements by their factories"));
            return None;
        }
        Some(kind)
    })
}

/// The name of a model: one plain component, since it names folders and files.
fn model() -> impl Reader<Value = String> + Copy {
    let shape =
        || Shape::String(Some(concat!(r"^\s*[^\s/.\-", unseen!(), r"][^/", unseen!(), r"]*$").to_owned()));
    by(shape, |at, diagnostics| {
        let name = read_string(at, diagnostics)?.trim().to_owned();
        if !crate::path::is_file_name(&name) {
            let message = format!("`{}` must be the plain name of a model", at.name);
            diagnostics.push(at.fault(codes::BAD_NAME, &message).help("write `yolo11n`, without a folder"));
            return None;
        }
        let Some(stem) = name.strip_suffix(".xml").filter(|stem| !stem.is_empty()) else { return Some(name) };
        let message = format!("`{}` names a file, which is an older form", at.name);
        let note = Diagnostic::note(codes::OLD_WORKLOAD_FORM, message).at(at.node.place);
        let quoted = serde_json::Value::from(stem).to_string();
        diagnostics.push(note.help(format!("write `{stem}`")).edit(Edit::Replace(at.node.place, quoted)));
        Some(stem.to_owned())
    })
}

fn vlm_precision() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(folded(VLM_PRECISIONS))),
        |at, diagnostics| {
            let written = read_string(at, diagnostics)?;
            let word = written.trim().to_uppercase();
            if VLM_PRECISIONS.contains(&&*word) {
                return Some(word.to_lowercase());
            }
            let message = format!("`{}` must be one of `int8`, `fp16`, `int4`", at.name);
            diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message).suggest(
                &word,
                VLM_PRECISIONS,
                diagnostics,
            ));
            None
        },
    )
}

/// Properties of an element, or parameters of a script: plain values, with the
/// place of each.
fn scalars() -> impl Reader<Value = Vec<(Key, Scalar, Place)>> + Copy {
    const NAMES: &str = r"^[A-Za-z][A-Za-z0-9_\-]*$";
    let shape = || {
        let plain = Shape::String(Some(UNBROKEN.to_owned()));
        Shape::Either(vec![Shape::Bool, Shape::Finite, plain])
    };
    map_of(KeyNames::Path, UnknownKeys::Warn, NAMES, shape, |key, at, diagnostics| {
        let starts_well = key.text.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts_well || !key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            let message = format!("`{}` cannot be the name of a property", key.text.escape_debug());
            let fault = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
            diagnostics.push(fault.label("letters, digits, `-` and `_`, a letter first"));
            return None;
        }
        let value = match &at.node.value {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Int(value) => Scalar::Int(*value),
            Value::Float { value, .. } => Scalar::Float(*value),
            Value::Text(value) if !value.chars().any(is_unseen) => Scalar::Text(value.clone()),
            _ => {
                at.wrong("a boolean, a number or a string without control characters", diagnostics);
                return None;
            }
        };
        Some((key.clone(), value, at.node.place))
    })
}
