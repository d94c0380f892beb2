//! What was seen in a frame, as the JSON that DL Streamer's `gvametaconvert` writes.
//!
//! Keys are sorted, since its library keeps objects so; numbers are the shortest that read back the
//! same, with an exponent below 0.0001 and from 1e15 on (nlohmann::json). A frame without objects
//! gives no text, unless asked for.
//!
//! Source: DL Streamer's `gvametaconvert/jsonconverter.cpp`. Not here: writing files
//! (`gvametapublish` in `lp-worker`), and `add-tensor-data`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::Corners;
use super::prepare::Pixels;

/// All that is said of a frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Frame {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    pub resolution: Resolution,
    /// The property `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The property `tags`, which is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    /// Stream time in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resolution {
    pub height: usize,
    pub width: usize,
}

/// A region of interest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub pixels: Pixels,
    /// The number of the region in its frame.
    pub region_id: i32,
    /// The number of the object over frames, if it is tracked.
    pub id: Option<u32>,
    pub parent_id: Option<i32>,
    /// Its label; empty for a class without a name.
    pub roi_type: String,
    /// None for a region that was attached.
    pub detection: Option<Detected>,
    /// What classifiers say, by attribute.
    pub attributes: Vec<(String, Attribute)>,
}

/// What a detector says of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    /// In parts of the frame.
    pub bounds: Corners,
    pub confidence: Option<f64>,
    pub label_id: Option<u32>,
}

/// What a classifier says of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribute {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    pub label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_id: Option<u32>,
    pub model: Model,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    pub name: String,
}

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // An attribute may have any name, so only a map can sort them all; of two with one name,
        // the first counts, as there.
        let mut fields: BTreeMap<&str, Value> = BTreeMap::new();
        let mut add = |name, value| {
            fields.entry(name).or_insert(value);
        };
        let Pixels { x, y, width, height } = self.pixels;
        for (name, pixels) in [("x", x), ("y", y), ("w", width), ("h", height)] {
            add(name, pixels.into());
        }
        add("region_id", self.region_id.into());
        for (name, id) in [("id", self.id.map(i64::from)), ("parent_id", self.parent_id.map(i64::from))] {
            if let Some(id) = id {
                add(name, id.into());
            }
        }
        if !self.roi_type.is_empty() {
            add("roi_type", self.roi_type.as_str().into());
        }
        if let Some(Detected { bounds, confidence, label_id }) = self.detection {
            let Corners { x_min, y_min, x_max, y_max } = bounds;
            let bounds =
                serde_json::json!({ "x_max": x_max, "x_min": x_min, "y_max": y_max, "y_min": y_min });
            let mut detection = serde_json::Map::from_iter([("bounding_box".to_owned(), bounds)]);
            detection.extend(confidence.map(|confidence| ("confidence".to_owned(), confidence.into())));
            if !self.roi_type.is_empty() {
                detection.insert("label".to_owned(), self.roi_type.as_str().into());
            }
            detection.extend(label_id.map(|id| ("label_id".to_owned(), id.into())));
            add("detection", detection.into());
        }
        for (name, attribute) in &self.attributes {
            add(name, serde_json::to_value(attribute).map_err(serde::ser::Error::custom)?);
        }
        fields.serialize(serializer)
    }
}

/// The text of a frame; `None` if there is nothing in it and such frames are not asked for
/// (`add-empty-results`). `indent` is the property `json-indent`: `None` for one line.
#[must_use]
pub fn text(frame: &Frame, add_empty: bool, indent: Option<usize>) -> Option<String> {
    if frame.objects.is_empty() && !add_empty {
        return None;
    }
    let blanks = vec![b' '; indent.unwrap_or(0)];
    let mut bytes = Vec::new();
    let written = match indent {
        None => write(frame, &mut bytes, CompactFormatter),
        Some(_) => write(frame, &mut bytes, PrettyFormatter::with_indent(&blanks)),
    };
    written.expect("a frame has only names for keys, and memory takes all bytes");
    Some(String::from_utf8(bytes).expect("JSON is UTF-8"))
}

fn write(frame: &Frame, bytes: &mut Vec<u8>, formatter: impl Formatter) -> serde_json::Result<()> {
    frame.serialize(&mut serde_json::Serializer::with_formatter(bytes, Numbers(formatter)))
}

/// Writes numbers as nlohmann::json does, and all else as another formatter.
struct Numbers<F>(F);

macro_rules! delegated {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.0.$name(writer $(, $argument)*)
        })*
    };
}

impl<F: Formatter> Formatter for Numbers<F> {
    delegated! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }
}

/// A number with the fewest digits that read back the same.
fn number(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("it is a number");
    // Digits before the point.
    if (-3..=15).contains(&(exponent + 1)) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests;
