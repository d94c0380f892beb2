//! DL Streamer's model-proc files: how a picture is prepared, and what outputs mean.
//!
//! JSON with `input_preproc` and `output_postproc`, versions 2.0 to 2.2. Every fault is reported,
//! each with its key; keys that are unknown are no fault, since files have notes of their own. What
//! `lp` cannot do is a fault: a pre-processing that is left out silently gives other figures.
//!
//! Source:
//! <https://docs.openedgeplatform.intel.com/dev/edge-ai-libraries/dlstreamer/dev_guide/model_proc_file.html>
//!
//! Pure: gets text. Not here: reading label files that it names (`labels::lines`), and what wins
//! over it (`settings`).

use serde_json::{Map, Value};

use super::prepare::{Colour, Part, Resize, Scale};
use crate::text::harmless;

/// A model-proc file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelProc {
    /// `None`: pictures are stretched, in BGR.
    pub input: Option<Input>,
    pub outputs: Vec<Postprocess>,
}

/// How pictures become tensors. `None`: not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    pub layer: Option<String>,
    pub resize: Option<Resize>,
    pub colour: Option<Colour>,
    /// Of values from 0 to 255.
    pub scale: Option<Scale>,
    /// The value of padding, from 0 to 255.
    pub padding: Option<u8>,
}

/// What an output means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Postprocess {
    /// The names of its layers or tensors; none if the model has one output.
    pub layers: Vec<String>,
    pub attribute: Option<String>,
    /// `detection_output`, `label`, ...
    pub converter: Option<String>,
    pub method: Option<String>,
    pub labels: Option<LabelList>,
    pub threshold: Option<f32>,
    pub iou_threshold: Option<f32>,
    pub text_scale: Option<f64>,
    pub text_precision: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelList {
    Names(Vec<String>),
    /// A file with a name a line.
    File(String),
}

/// All faults of a file, one a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ModelProcError(pub Vec<String>);

/// Keys that are read, or known to DL Streamer.
const TOP_KEYS: [&str; 4] = ["$schema", "json_schema_version", "input_preproc", "output_postproc"];
const INPUT_KEYS: [&str; 4] = ["layer_name", "format", "precision", "params"];
const PARAMS_KEYS: [&str; 8] = ["resize", "crop", "color_space", "range", "mean", "std", "padding", "layout"];
const OUTPUT_KEYS: [&str; 13] = [
    "layer_name",
    "layer_names",
    "attribute_name",
    "converter",
    "method",
    "labels",
    "confidence_threshold",
    "threshold",
    "iou_threshold",
    "text_scale",
    "text_precision",
    "format",
    "precision",
];

/// Of a shorter key, one letter may be wrong, missing or swapped, of others two.
const SHORT: usize = 6;

/// The most decimals of a text.
const MOST_DECIMALS: u64 = 17;

impl ModelProc {
    /// # Errors
    ///
    /// If the text is no JSON, or a value cannot be understood: all of them.
    pub fn read(text: &str) -> Result<ModelProc, ModelProcError> {
        let value: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(value) => value,
            Err(error) => return Err(ModelProcError(vec![format!("is no JSON: {error}")])),
        };
        let mut faults = Faults(Vec::new());
        let Value::Object(top) = value else {
            return Err(ModelProcError(vec!["must be an object with `output_postproc`".to_owned()]));
        };
        let version = top.get("json_schema_version").and_then(Value::as_str).unwrap_or("2.2.0");
        if !version.starts_with("2.") {
            faults.say("json_schema_version", &format!("`{}` is not 2.0 to 2.2", harmless(version)));
        }
        faults.near_misses("", &top, &TOP_KEYS);
        let mut read = ModelProc::default();
        for (at, object) in faults.objects(&top, "input_preproc") {
            // Others are for inputs that are no pictures.
            if object.get("format").and_then(Value::as_str).is_none_or(|format| format == "image") {
                read.input = Some(read_input(&at, &object, &mut faults));
            } else {
                faults.say(&format!("{at}.format"), "only `image` can be filled");
            }
        }
        for (at, object) in faults.objects(&top, "output_postproc") {
            read.outputs.push(read_output(&at, &object, &mut faults));
        }
        if faults.0.is_empty() { Ok(read) } else { Err(ModelProcError(faults.0)) }
    }
}

struct Faults(Vec<String>);

impl Faults {
    fn say(&mut self, at: &str, what: &str) {
        self.0.push(format!("`{at}`: {what}"));
    }

    /// Keys that are almost one that is read: what they say would be left out silently.
    fn near_misses(&mut self, at: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let is_near = |known: &&&str| {
                let slips = if known.len() < SHORT { 1 } else { 2 };
                strsim::damerau_levenshtein(key, known) <= slips
            };
            let meant = known.iter().find(is_near);
            if let Some(meant) = meant {
                let at = if at.is_empty() {
                    harmless(key).into_owned()
                } else {
                    format!("{at}.{}", harmless(key))
                };
                self.say(&at, &format!("is no key; did you mean `{meant}`?"));
            }
        }
    }

    /// The objects of a list, each with its place.
    fn objects(&mut self, top: &Map<String, Value>, key: &str) -> Vec<(String, Map<String, Value>)> {
        match top.get(key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(all)) => {
                let mut objects = Vec::new();
                for (n, value) in all.iter().enumerate() {
                    let at = format!("{key}[{n}]");
                    match value {
                        Value::Object(object) => objects.push((at, object.clone())),
                        _ => self.say(&at, "must be an object"),
                    }
                }
                objects
            }
            Some(_) => {
                self.say(key, "must be a list");
                Vec::new()
            }
        }
    }

    /// The value of a key that `read` understands.
    fn value<'v, T>(
        &mut self,
        at: &str,
        object: &'v Map<String, Value>,
        key: &str,
        expected: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = object.get(key).filter(|value| !value.is_null())?;
        let found = read(value);
        if found.is_none() {
            let text: String = value.to_string().chars().take(60).collect();
            self.say(&format!("{at}.{key}"), &format!("must be {expected}, not `{}`", harmless(&text)));
        }
        found
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(string).collect()
}

fn part(value: &Value) -> Option<f32> {
    value.as_f64().filter(|number| (0.0..=1.0).contains(number)).map(|number| number as f32)
}

/// A number for each channel; one is for all.
fn channels(value: &Value) -> Option<[f64; 3]> {
    if let Some(number) = value.as_f64() {
        return Some([number; 3]);
    }
    let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
    match numbers?.as_slice() {
        [number] => Some([*number; 3]),
        [a, b, c] => Some([*a, *b, *c]),
        _ => None,
    }
}

fn read_input(at: &str, object: &Map<String, Value>, faults: &mut Faults) -> Input {
    faults.near_misses(at, object, &INPUT_KEYS);
    let mut input =
        Input { layer: faults.value(at, object, "layer_name", "a name", string), ..Input::default() };
    let Some(params) = faults.value(at, object, "params", "an object", Value::as_object) else {
        return input;
    };
    let at = &format!("{at}.params");
    faults.near_misses(at, params, &PARAMS_KEYS);
    let resize = faults.value(
        at,
        params,
        "resize",
        "`no`, `no-aspect-ratio`, `aspect-ratio` or `aspect-ratio-pad`",
        |value| match value.as_str()? {
            "no" | "no-aspect-ratio" => Some(Resize::Stretch),
            "aspect-ratio" => Some(Resize::Letterbox),
            "aspect-ratio-pad" => Some(Resize::FitTopLeft),
            _ => None,
        },
    );
    let crop = faults.value(
        at,
        params,
        "crop",
        "`central`, `central-resize`, `top_left`, `top_right`, `bottom_left` or `bottom_right`",
        |value| match value.as_str()? {
            "central" => Some(Resize::Crop(Part::Central)),
            "central-resize" => Some(Resize::CentralSquare),
            "top_left" => Some(Resize::Crop(Part::TopLeft)),
            "top_right" => Some(Resize::Crop(Part::TopRight)),
            "bottom_left" => Some(Resize::Crop(Part::BottomLeft)),
            "bottom_right" => Some(Resize::Crop(Part::BottomRight)),
            _ => None,
        },
    );
    input.resize = match (resize, crop) {
        (Some(Resize::Stretch) | None, Some(Resize::Crop(_))) => {
            faults.say(&format!("{at}.crop"), "needs `resize` to be `aspect-ratio`");
            None
        }
        (_, Some(crop)) => Some(crop),
        (resize, None) => resize,
    };
    input.colour =
        faults.value(at, params, "color_space", "`RGB` or `BGR`", |value| match value.as_str()? {
            "RGB" => Some(Colour::Rgb),
            "BGR" => Some(Colour::Bgr),
            _ => None,
        });
    let range = faults.value(at, params, "range", "two numbers, the smaller first", |value| {
        let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
        match numbers?.as_slice() {
            [low, high] if low < high => Some((*low, *high)),
            _ => None,
        }
    });
    let mean = faults.value(at, params, "mean", "a number for each of 3 channels", channels);
    let divisor = faults.value(at, params, "std", "a number for each of 3 channels, none 0", |value| {
        channels(value).filter(|all| all.iter().all(|number| *number != 0.0))
    });
    input.scale = (range.is_some() || mean.is_some() || divisor.is_some())
        .then(|| scale(range, mean.unwrap_or([0.0; 3]), divisor.unwrap_or([1.0; 3])));
    if let Some(padding) = faults.value(at, params, "padding", "an object", Value::as_object) {
        let strides = ["stride", "stride_x", "stride_y"].map(|key| padding.get(key).and_then(Value::as_f64));
        if strides.iter().flatten().any(|stride| *stride != 0.0) {
            faults.say(
                &format!("{at}.padding"),
                "margins of a fixed width are not supported, only `fill_value`",
            );
        }
        input.padding = faults.value(
            &format!("{at}.padding"),
            padding,
            "fill_value",
            "one value from 0 to 255 for all channels",
            |value| {
                channels(value)
                    .filter(|[a, b, c]| a == b && b == c && (0.0..=255.0).contains(a))
                    .map(|[a, ..]| a as u8)
            },
        );
    }
    input
}

/// `(value / 255 * (high - low) + low - mean) / divisor`, as one difference and one quotient.
fn scale(range: Option<(f64, f64)>, mean: [f64; 3], divisor: [f64; 3]) -> Scale {
    let (low, factor) = range.map_or((0.0, 1.0), |(low, high)| (low, (high - low) / 255.0));
    Scale {
        mean: mean.map(|mean| ((mean - low) / factor) as f32),
        divisor: divisor.map(|divisor| (divisor / factor) as f32),
    }
}

fn read_output(at: &str, object: &Map<String, Value>, faults: &mut Faults) -> Postprocess {
    faults.near_misses(at, object, &OUTPUT_KEYS);
    let layer = faults.value(at, object, "layer_name", "a name", string);
    let layers = faults.value(at, object, "layer_names", "a list of names", strings);
    if layer.is_some() && layers.is_some() {
        faults.say(at, "has both `layer_name` and `layer_names`");
    }
    Postprocess {
        layers: layers.unwrap_or_else(|| layer.into_iter().collect()),
        attribute: faults.value(at, object, "attribute_name", "a name", string),
        converter: faults.value(at, object, "converter", "the name of a converter", string),
        method: faults.value(at, object, "method", "the name of a method", string),
        labels: faults.value(at, object, "labels", "a list of names or the path of a file", |value| {
            strings(value).map(LabelList::Names).or_else(|| string(value).map(LabelList::File))
        }),
        threshold: faults
            .value(at, object, "confidence_threshold", "a number from 0 to 1", part)
            .or_else(|| faults.value(at, object, "threshold", "a number from 0 to 1", part)),
        iou_threshold: faults.value(at, object, "iou_threshold", "a number from 0 to 1", part),
        text_scale: faults.value(at, object, "text_scale", "a number", Value::as_f64),
        text_precision: faults.value(at, object, "text_precision", "a number from 0 to 17", |value| {
            value.as_u64().filter(|n| *n <= MOST_DECIMALS).map(|n| n as usize)
        }),
    }
}

#[cfg(test)]
mod tests;
