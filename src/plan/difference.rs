//! In what two lists of steps differ, as data and as a sentence.
//!
//! [`equal`] decides which workloads share a pipeline, [`differences`] says why
//! others do not, and both look at the same [`fields`]: everything that a step is
//! made of but its places in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Scalar, Step};

/// A sentence names so many differences; the data has all.
const TOLD: usize = 4;

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

/// A value of a step, where it lies.
#[derive(Clone, Copy, PartialEq)]
enum Found<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Scalar(&'a Scalar),
}

impl Found<'_> {
    fn to_scalar(self) -> Scalar {
        match self {
            Found::Text(text) => Scalar::Text(text.to_owned()),
            Found::Int(number) => Scalar::Int(number),
            Found::Float(number) => Scalar::Float(number),
            Found::Scalar(scalar) => scalar.clone(),
        }
    }
}

/// The fields that are no maps, in the order in which people are told of them.
fn plain_fields(step: &Step) -> [(&'static str, Option<Found<'_>>); 13] {
    // Every field is named here, so that a new one cannot be forgotten.
    let Step {
        kind,
        model,
        precision,
        device,
        module,
        function,
        batch_size,
        inference_interval,
        threshold,
        properties: _,
        caps,
        name,
        from,
        steps: _,
        script,
        parameters: _,
        place: _,
        kind_place: _,
        places: _,
    } = step;
    fn text(text: &Option<String>) -> Option<Found<'_>> {
        text.as_deref().map(Found::Text)
    }
    [
        ("type", Some(Found::Text(kind))),
        ("model", text(model)),
        ("precision", text(precision)),
        ("device", text(device)),
        ("module", text(module)),
        ("function", text(function)),
        ("batch_size", batch_size.map(|n| Found::Int(n.into()))),
        ("inference_interval", inference_interval.map(|n| Found::Int(n.into()))),
        ("threshold", threshold.map(Found::Float)),
        ("caps", text(caps)),
        ("name", text(name)),
        ("from", text(from)),
        ("script", text(script)),
    ]
}

/// The maps of a step, with the word before their keys.
fn maps(step: &Step) -> [(&'static str, &BTreeMap<String, Scalar>); 2] {
    [("properties", &step.properties), ("parameters", &step.parameters)]
}

/// Everything that is set in a step: its name and value. Those of the elements of
/// a bin are called `steps[0].caps`.
pub fn fields(step: &Step) -> Vec<(String, Scalar)> {
    let plain = plain_fields(step).into_iter();
    let plain = plain.filter_map(|(name, value)| Some((name.to_owned(), value?.to_scalar())));
    let entries = maps(step).into_iter().flat_map(|(group, map)| {
        map.iter().map(move |(name, value)| (format!("{group}.{name}"), value.clone()))
    });
    let mut found: Vec<(String, Scalar)> = plain.chain(entries).collect();
    for (n, inner) in step.steps.iter().enumerate() {
        found.extend(fields(inner).into_iter().map(|(name, value)| (format!("steps[{n}].{name}"), value)));
    }
    found
}

/// A field in which two steps differ.
struct Unequal<'a> {
    /// Which element of a bin it is of.
    inner: Option<usize>,
    /// The map that it is in.
    group: Option<&'static str>,
    name: &'a str,
    values: [Option<Found<'a>>; 2],
}

impl Unequal<'_> {
    fn field(&self) -> String {
        let inner = self.inner.map_or_else(String::new, |n| format!("steps[{n}]."));
        let group = self.group.map_or_else(String::new, |group| format!("{group}."));
        format!("{inner}{group}{}", self.name)
    }
}

/// Without allocating, since every camera's workloads are compared.
fn unequal<'a>(one: &'a Step, other: &'a Step) -> impl Iterator<Item = Unequal<'a>> {
    let inner = (0..one.steps.len().max(other.steps.len())).flat_map(|n| {
        let pair = [one.steps.get(n), other.steps.get(n)];
        let kinds = pair.map(|step| step.map(|step| Found::Text(&step.kind)));
        let missing = Unequal { inner: Some(n), group: None, name: "type", values: kinds };
        let both = if let [Some(one), Some(other)] = pair { Some(of_own(one, other)) } else { None };
        let missing = both.is_none().then_some(missing);
        let both = both.into_iter().flatten().map(move |found| Unequal { inner: Some(n), ..found });
        missing.into_iter().chain(both)
    });
    // Of steps that do something else, the rest differs as a matter of course.
    let limit = if one.kind == other.kind { usize::MAX } else { 1 };
    of_own(one, other).chain(inner).take(limit)
}

/// The fields that are a step's own, and not of the elements of a bin.
fn of_own<'a>(one: &'a Step, other: &'a Step) -> impl Iterator<Item = Unequal<'a>> {
    let plain = plain_fields(one).into_iter().zip(plain_fields(other));
    let plain = plain.map(|((name, one), (_, other))| Unequal {
        inner: None,
        group: None,
        name,
        values: [one, other],
    });
    let entries = maps(one).into_iter().zip(maps(other)).flat_map(|((group, one), (_, other))| {
        let get = |map: &'a BTreeMap<String, Scalar>, name| map.get(name).map(Found::Scalar);
        let new = other.keys().filter(|name| !one.contains_key(*name));
        one.keys().chain(new).map(move |name| Unequal {
            inner: None,
            group: Some(group),
            name,
            values: [get(one, name), get(other, name)],
        })
    });
    let limit = if one.kind == other.kind { usize::MAX } else { 1 };
    plain.chain(entries).filter(|Unequal { values: [one, other], .. }| one != other).take(limit)
}

/// Whether two steps are equal in everything that a pipeline is made of.
#[must_use]
pub fn same(one: &Step, other: &Step) -> bool {
    unequal(one, other).next().is_none()
}

/// Whether they are equal in everything that a pipeline is made of.
#[must_use]
pub fn equal(one: &[Step], other: &[Step]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

/// How many [`differences`] there are.
pub(super) fn distance(one: &[Step], other: &[Step]) -> usize {
    let common: usize = one.iter().zip(other).map(|(one, other)| unequal(one, other).count()).sum();
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
            (Some(one), Some(other)) => found.extend(unequal(one, other).map(|unequal| Difference {
                step,
                field: unequal.field(),
                values: unequal.values.map(|value| value.map(Found::to_scalar)),
            })),
            (one, other) => found.push(Difference {
                step,
                field: "type".to_owned(),
                values: [one, other].map(|step| step.map(|step| Scalar::Text(step.kind.clone()))),
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
    for difference in differences.iter().take(TOLD) {
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
    match differences.len().saturating_sub(TOLD) {
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
