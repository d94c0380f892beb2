//! What a model says of itself: rt_info of an IR, properties of an ONNX model, `metadata.yaml`.
//!
//! A value of a key that is read but cannot be understood is a fault ([`ModelInfo::faults`]), since
//! what it says would be left out silently, and other boxes come out; an empty one says nothing.
//! Other keys, and an ONNX model or `metadata.yaml` of another form, say nothing either: these texts
//! are written by exporters and not by users. An IR that is no XML is an error.
//!
//! Source:
//! <https://docs.openedgeplatform.intel.com/dev/edge-ai-libraries/dlstreamer/dev_guide/model_info_xml.html>,
//! and exports with ultralytics 8.4.
//!
//! Pure: gets texts and bytes. Not here: whether the file is whole (`pipeline::model_file`), what
//! wins over it (`settings`).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::labels::{self, Labels, Source};
use super::prepare::{Colour, Resize};
use crate::text::harmless;

/// What is said; `None` for what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The converter: `yolo_v8`. `YOLO` by Ultralytics.
    pub model_type: Option<String>,
    pub confidence_threshold: Option<f32>,
    pub iou_threshold: Option<f32>,
    /// True: the model wants RGB.
    pub reverse_input_channels: Option<bool>,
    /// `color_space`: `RGB` or `BGR`.
    pub colour: Option<Colour>,
    /// For values from 0 to 255.
    pub mean_values: Option<[f32; 3]>,
    pub scale_values: Option<[f32; 3]>,
    /// `resize_type`: `standard`, `fit_to_window`, `fit_to_window_letterbox`, `crop`.
    pub resize: Option<Resize>,
    pub pad_value: Option<u8>,
    /// `detect`, `segment`, `pose`, `obb`, `classify`: only in metadata.yaml and ONNX.
    pub task: Option<String>,
    /// Names of classes, each with its source.
    pub labels: Vec<Labels>,
    /// What cannot be understood, each a sentence without its full stop.
    pub faults: Vec<String>,
}

/// An IR is no XML.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is damaged at byte {at}: {reason}")]
pub struct ModelInfoError {
    at: u64,
    reason: String,
}

impl ModelInfo {
    /// The rt_info of a whole model in an IR.
    ///
    /// # Errors
    ///
    /// If the text is no XML.
    pub fn of_ir(xml: &[u8]) -> Result<ModelInfo, ModelInfoError> {
        let mut reader = Reader::from_reader(xml);
        let mut around: Vec<String> = Vec::new();
        let mut info = ModelInfo::default();
        loop {
            let event = reader.read_event();
            let at = reader.buffer_position();
            match event {
                Ok(Event::Start(element)) => {
                    let name = element.name().as_ref().to_owned();
                    info.see(&around, &element);
                    around.push(name);
                }
                Ok(Event::Empty(element)) => info.see(&around, &element),
                Ok(Event::End(_)) => drop(around.pop()),
                Ok(Event::Eof) => return Ok(info),
                Ok(_) => {}
                Err(error) => {
                    return Err(ModelInfoError { at, reason: harmless(&error.to_string()).into_owned() });
                }
            }
        }
    }

    /// Takes note of `<net><rt_info><model_info><iou_threshold value="0.7"/>`, and of
    /// `framework/names`.
    fn see(&mut self, around: &[String], element: &BytesStart<'_>) {
        let [net, rt_info, group] = around else { return };
        if net != "net" || rt_info != "rt_info" {
            return;
        }
        let Some(value) = element.try_get_attribute("value").ok().flatten() else { return };
        let name = element.name();
        match (group.as_str(), name.as_ref()) {
            ("model_info", "labels") => {
                self.labels.push(Labels::new(labels::separated(&value.value), Source::ModelInfo));
            }
            ("model_info", key) => self.set(key, &value.value),
            ("framework", "names") => {
                self.labels
                    .extend(labels::python(&value.value).map(|names| Labels::new(names, Source::Onnx)));
            }
            _ => {}
        }
    }

    /// The `metadata_props` of an ONNX model (fields 14 of `ModelProto`, key 1 and value 2 each).
    #[must_use]
    pub fn of_onnx(model: &[u8]) -> ModelInfo {
        let mut info = ModelInfo::default();
        for property in fields(model).filter_map(|(number, bytes)| (number == 14).then_some(bytes)) {
            let text = |wanted| {
                let bytes = fields(property).find_map(|(number, bytes)| (number == wanted).then_some(bytes));
                String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
            };
            match text(1).as_str() {
                "names" => {
                    info.labels
                        .extend(labels::python(&text(2)).map(|names| Labels::new(names, Source::Onnx)));
                }
                key => info.set(key, &text(2)),
            }
        }
        info
    }

    /// The `metadata.yaml` that Ultralytics writes beside an IR: only its form of YAML, with a key
    /// a line.
    #[must_use]
    pub fn of_metadata(yaml: &str) -> ModelInfo {
        let mut info = ModelInfo::default();
        let mut lines = yaml.trim_start_matches('\u{feff}').lines().peekable();
        while let Some(line) = lines.next() {
            let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '#', '-']))
            else {
                continue;
            };
            let value = value.trim();
            if key != "names" {
                info.set(key, scalar(value));
                continue;
            }
            let mut names = labels::python(value).unwrap_or_default();
            while let Some(line) = lines.next_if(|line| line.starts_with([' ', '-'])) {
                let line = line.trim();
                // `0: person`, or `- person`.
                let name = line.strip_prefix('-').map(|name| (names.len().to_string(), name));
                let entry = name.or_else(|| line.split_once(':').map(|(key, name)| (key.to_owned(), name)));
                let Some((key, name)) = entry.filter(|(key, _)| key.trim().parse() == Ok(names.len())) else {
                    names.clear();
                    break;
                };
                let _ = key;
                names.push(scalar(name.trim()).to_owned());
            }
            info.labels.push(Labels::new(names, Source::Metadata));
        }
        info
    }

    fn set(&mut self, key: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let text = || Some(value.to_owned());
        let part = || value.parse().ok().filter(|number| (0.0..=1.0).contains(number));
        let (is_understood, expected) = match key {
            "model_type" => (keep(&mut self.model_type, text()), "a name"),
            "task" => (keep(&mut self.task, text()), "a name"),
            "confidence_threshold" => (keep(&mut self.confidence_threshold, part()), "a number from 0 to 1"),
            "iou_threshold" => (keep(&mut self.iou_threshold, part()), "a number from 0 to 1"),
            "reverse_input_channels" => {
                (keep(&mut self.reverse_input_channels, boolean(value)), "true or false")
            }
            "color_space" => (keep(&mut self.colour, colour(value)), COLOURS),
            "mean_values" => {
                (keep(&mut self.mean_values, channels(value)), "one number, or one for each of 3 channels")
            }
            "scale_values" => {
                let divisors = channels(value).filter(|all| all.iter().all(|number| *number != 0.0));
                (keep(&mut self.scale_values, divisors), "one number, or one for each of 3 channels, none 0")
            }
            "resize_type" => (keep(&mut self.resize, resize(value)), RESIZE_TYPES),
            "pad_value" => (keep(&mut self.pad_value, level(value)), "a whole number from 0 to 255"),
            _ => return,
        };
        if !is_understood {
            let short: String = value.chars().take(60).collect();
            self.faults.push(format!("`{key}` must be {expected}, not `{}`", harmless(&short)));
        }
    }
}

/// Sets what is understood; whether it is.
fn keep<T>(to: &mut Option<T>, value: Option<T>) -> bool {
    let is_understood = value.is_some();
    *to = value;
    is_understood
}

/// `114`, and `114.0` of exporters that write all numbers alike.
fn level(value: &str) -> Option<u8> {
    let number: f32 = value.parse().ok()?;
    (number.fract() == 0.0 && (0.0..=255.0).contains(&number)).then_some(number as u8)
}

/// The values of `resize_type`, for people.
pub(super) const RESIZE_TYPES: &str = "standard, fit_to_window, fit_to_window_letterbox or crop";

/// A value of `resize_type`.
pub(super) fn resize(name: &str) -> Option<Resize> {
    match name {
        "standard" => Some(Resize::Stretch),
        "fit_to_window" => Some(Resize::FitTopLeft),
        "fit_to_window_letterbox" => Some(Resize::Letterbox),
        "crop" => Some(Resize::CentralSquare),
        _ => None,
    }
}

/// The values of `color_space`, for people.
pub(super) const COLOURS: &str = "RGB or BGR";

/// A value of `color_space`.
pub(super) fn colour(name: &str) -> Option<Colour> {
    match name.to_ascii_uppercase().as_str() {
        "RGB" => Some(Colour::Rgb),
        "BGR" => Some(Colour::Bgr),
        _ => None,
    }
}

/// `true`, `YES`, `1`.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Three numbers, or one for all: `255`, `[123.675, 116.28, 103.53]`, `123.675 116.28 103.53`.
fn channels(value: &str) -> Option<[f32; 3]> {
    let parts = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[' | ']' | '(' | ')'));
    let numbers: Option<Vec<f32>> =
        parts.filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()))?;
    match numbers.as_slice() {
        [number] => Some([*number; 3]),
        [a, b, c] => Some([*a, *b, *c]),
        _ => None,
    }
}

/// A scalar of YAML without its quotes. Escapes do not occur in names that Ultralytics writes.
fn scalar(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}

/// The fields with bytes of a protobuf message, up to the first damaged one.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let tag = varint(&mut bytes)?;
            let length = match tag & 7 {
                0 => {
                    varint(&mut bytes)?;
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut bytes)?).ok()?,
                5 => 4,
                _ => return None,
            };
            let (field, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            if tag & 7 == 2 {
                return Some((tag >> 3, field));
            }
        }
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for n in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * n).min(63);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
