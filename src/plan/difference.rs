//! The differences of two lists of steps, as data and as a sentence.
//!
//! Workloads whose steps are equal share a pipeline; [`differences`] gives the reason why
//! others do not.

use serde::{Deserialize, Serialize};

use crate::model::{
    Bin, Classify, Detect, Infer, Model, Python, Scalar, Script, Step, StockElement, Tee, Track, Values,
};

/// A sentence names so many differences; the data has all.
const MOST: usize = 4;

/// One field in which two lists of steps differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which step, from 1.
    pub step: u32,
    /// `device`, `properties.gridx`, `parameters.size`; `type` also where one of
    /// the lists has no such step.
    pub field: String,
    /// Its value in the one and in the other; `None` where it is not set.
    pub values: [Option<Scalar>; 2],
}

/// A value of a step, by reference.
#[derive(Clone, Copy, PartialEq)]
enum ValueRef<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Scalar(&'a Scalar),
}

impl ValueRef<'_> {
    fn to_scalar(self) -> Scalar {
        match self {
            ValueRef::Text(text) => Scalar::Text(text.to_owned()),
            ValueRef::Int(number) => Scalar::Int(number),
            ValueRef::Float(number) => Scalar::Float(number),
            ValueRef::Scalar(scalar) => scalar.clone(),
        }
    }
}

/// A step, or an element of a bin, taken apart.
struct Fields<'a> {
    /// Those that are no maps, in the order in which people read them.
    /// Equal kinds have the same names here.
    plain: Vec<(&'static str, Option<ValueRef<'a>>)>,
    /// The word before the keys of `values`.
    group: &'static str,
    /// Properties, or the parameters of a script. A bin has none.
    values: &'a Values,
    elements: &'a [StockElement],
}

impl<'a> Fields<'a> {
    fn of(step: &'a Step) -> Fields<'a> {
        // Every field is named here, so that a new one cannot be forgotten.
        fn model<'a>(
            Model { name, precision, device }: &'a Model,
        ) -> [(&'static str, Option<ValueRef<'a>>); 3] {
            [("model", found(name)), ("precision", found(precision)), ("device", found(device))]
        }
        let int = |n: &u32| Some(ValueRef::Int((*n).into()));
        let kind = step.kind();
        match step {
            Step::Detect(Detect { model: of, batch_size, inference_interval, threshold, properties }) => {
                let [name, precision, device] = model(of);
                let own = [
                    name,
                    precision,
                    device,
                    ("batch_size", int(batch_size)),
                    ("inference_interval", int(inference_interval)),
                    ("threshold", Some(ValueRef::Float(*threshold))),
                ];
                Fields::new(kind, &own, properties)
            }
            Step::Classify(Classify { model: of, batch_size, properties }) => {
                let [name, precision, device] = model(of);
                Fields::new(kind, &[name, precision, device, ("batch_size", int(batch_size))], properties)
            }
            Step::Infer(Infer { model: of, properties }) | Step::Vlm(Infer { model: of, properties }) => {
                Fields::new(kind, &model(of), properties)
            }
            Step::Track(Track { device, properties }) => {
                Fields::new(kind, &[("device", optional(device))], properties)
            }
            Step::Python(Python { module, function, properties }) => {
                let module = Some(ValueRef::Text(module.as_str()));
                Fields::new(kind, &[("module", module), ("function", optional(function))], properties)
            }
            Step::Tee(Tee { properties, name, from }) => {
                Fields::new(kind, &[("name", optional(name)), ("from", optional(from))], properties)
            }
            Step::Script(Script { path, parameters }) => Fields {
                group: "parameters",
                ..Fields::new(kind, &[("script", found(path.as_str()))], parameters)
            },
            Step::Bin(Bin { caps, from, elements }) => {
                let own = [("caps", optional(caps)), ("from", optional(from))];
                Fields { elements, ..Fields::new(kind, &own, step.properties()) }
            }
            Step::Element(element) => Fields::of_element(element),
        }
    }

    fn of_element(StockElement { factory, properties, caps, from }: &'a StockElement) -> Fields<'a> {
        Fields::new(factory, &[("caps", optional(caps)), ("from", optional(from))], properties)
    }

    fn new(
        kind: &'a str,
        own: &[(&'static str, Option<ValueRef<'a>>)],
        properties: &'a Values,
    ) -> Fields<'a> {
        let mut plain = vec![("type", found(kind))];
        plain.extend_from_slice(own);
        Fields { plain, group: "properties", values: properties, elements: &[] }
    }

    /// All that is set, but in the elements of a bin.
    fn set(self) -> Vec<(String, Scalar)> {
        let plain = self.plain.into_iter();
        let plain = plain.filter_map(|(name, value)| Some((name.to_owned(), value?.to_scalar())));
        let entries = self.values.iter();
        let entries = entries.map(|(name, value)| (format!("{}.{name}", self.group), value.clone()));
        plain.chain(entries).collect()
    }

    /// The fields in which it and another differ, but in the elements of bins.
    fn unequal(self, other: Fields<'a>) -> Vec<FieldPair<'a>> {
        let plain = self.plain.into_iter().zip(other.plain);
        let plain = plain.map(|((name, one), (_, other))| FieldPair {
            inner: None,
            group: None,
            name,
            values: [one, other],
        });
        let mut unequal: Vec<FieldPair<'a>> = plain.filter(FieldPair::differs).collect();
        // The other fields of steps of two types differ as a matter of course.
        if unequal.first().is_some_and(|first| first.name == "type") {
            unequal.truncate(1);
            return unequal;
        }
        let get = |map: &'a Values, name: &str| map.get(name).map(ValueRef::Scalar);
        let new = other.values.keys().filter(|name| !self.values.contains_key(*name));
        let entries = self.values.keys().chain(new).map(|name| FieldPair {
            inner: None,
            group: Some(self.group),
            name,
            values: [get(self.values, name), get(other.values, name)],
        });
        unequal.extend(entries.filter(FieldPair::differs));
        unequal
    }
}

fn found(text: &str) -> Option<ValueRef<'_>> {
    Some(ValueRef::Text(text))
}

fn optional(text: &Option<String>) -> Option<ValueRef<'_>> {
    text.as_deref().map(ValueRef::Text)
}

/// Everything that is set in a step: its name and value. Those of the elements of
/// a bin are called `steps[0].caps`.
pub fn fields(step: &Step) -> Vec<(String, Scalar)> {
    let fields = Fields::of(step);
    let elements = fields.elements;
    let mut found = fields.set();
    for (n, element) in elements.iter().enumerate() {
        let inner = Fields::of_element(element).set().into_iter();
        found.extend(inner.map(|(name, value)| (format!("steps[{n}].{name}"), value)));
    }
    found
}

/// A field in which two steps differ.
struct FieldPair<'a> {
    /// Which element of a bin it is of.
    inner: Option<usize>,
    /// The map that it is in.
    group: Option<&'static str>,
    name: &'a str,
    values: [Option<ValueRef<'a>>; 2],
}

impl FieldPair<'_> {
    fn differs(&self) -> bool {
        self.values[0] != self.values[1]
    }

    fn field(&self) -> String {
        let inner = self.inner.map_or_else(String::new, |n| format!("steps[{n}]."));
        let group = self.group.map_or_else(String::new, |group| format!("{group}."));
        format!("{inner}{group}{}", self.name)
    }
}

/// The fields in which two steps differ, those of the elements of bins among them.
fn unequal<'a>(one: &'a Step, other: &'a Step) -> Vec<FieldPair<'a>> {
    let (one, other) = (Fields::of(one), Fields::of(other));
    let (one_elements, other_elements) = (one.elements, other.elements);
    let mut unequal = one.unequal(other);
    if unequal.first().is_some_and(|first| first.name == "type") {
        return unequal;
    }
    for n in 0..one_elements.len().max(other_elements.len()) {
        let inner = match (one_elements.get(n), other_elements.get(n)) {
            (Some(one), Some(other)) => Fields::of_element(one).unequal(Fields::of_element(other)),
            (one, other) => {
                let values = [one, other].map(|element| element.and_then(|element| found(&element.factory)));
                vec![FieldPair { inner: None, group: None, name: "type", values }]
            }
        };
        unequal.extend(inner.into_iter().map(|found| FieldPair { inner: Some(n), ..found }));
    }
    unequal
}

/// How many [`differences`] there are.
pub(super) fn distance(one: &[Step], other: &[Step]) -> usize {
    let common: usize = one.iter().zip(other).map(|(one, other)| unequal(one, other).len()).sum();
    common + one.len().abs_diff(other.len())
}

/// All differences, step by step.
///
/// # Panics
/// Never for steps that were read: a file has fewer than 2^32.
#[must_use]
pub fn differences(one: &[Step], other: &[Step]) -> Vec<Difference> {
    let mut found = Vec::new();
    for n in 0..one.len().max(other.len()) {
        let step = u32::try_from(n + 1).expect("a workload has few steps");
        match (one.get(n), other.get(n)) {
            (Some(one), Some(other)) => {
                found.extend(unequal(one, other).into_iter().map(|unequal| Difference {
                    step,
                    field: unequal.field(),
                    values: unequal.values.map(|value| value.map(ValueRef::to_scalar)),
                }))
            }
            (one, other) => found.push(Difference {
                step,
                field: "type".to_owned(),
                values: [one, other].map(|step| step.map(|step| Scalar::Text(step.kind().to_owned()))),
            }),
        }
    }
    found
}

/// "step 2: `device` CPU / NPU; step 3: `zbar` / no step"
#[must_use]
pub fn sentence(differences: &[Difference]) -> String {
    let mut text = String::new();
    let mut step = 0;
    for difference in differences.iter().take(MOST) {
        let Difference { field, values: [one, other], .. } = difference;
        // A script is a whole workload, so there is no step to name.
        let is_of_script = field == "script" || field.starts_with("parameters.");
        if step != difference.step {
            text.push_str(if step == 0 { "" } else { "; " });
            if !is_of_script {
                text.push_str(&format!("step {}: ", difference.step));
            }
        } else {
            text.push_str(", ");
        }
        step = difference.step;
        match (one, other) {
            (Some(one), None) if field == "type" => text.push_str(&format!("`{one}` / no step")),
            (None, Some(other)) if field == "type" => text.push_str(&format!("no step / `{other}`")),
            _ => text.push_str(&format!("`{field}` {}", shown(one.as_ref(), other.as_ref()))),
        }
    }
    match differences.len().saturating_sub(MOST) {
        0 => {}
        n => text.push_str(&format!(", and {n} more")),
    }
    text
}

/// "CPU / NPU", "unset / 16"; texts in quotes where they would look alike, as `16`
/// and `"16"` do.
#[must_use]
pub fn shown(one: Option<&Scalar>, other: Option<&Scalar>) -> String {
    let plain = |value: Option<&Scalar>| value.map_or_else(|| "unset".to_owned(), Scalar::to_string);
    let (first, second) = (plain(one), plain(other));
    if first != second {
        return format!("{first} / {second}");
    }
    let exact = |value: Option<&Scalar>| {
        let text = value.map(|value| serde_json::to_string(value).expect("a scalar serialises"));
        text.unwrap_or_else(|| "unset".to_owned())
    };
    format!("{} / {}", exact(one), exact(other))
}
