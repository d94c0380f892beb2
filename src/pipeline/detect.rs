//! Detectors: the elements that should see something, and how they report it.
//!
//! A detector that works and one that is blind cost about the same, so a run tells
//! them apart by what they report. Elements of GStreamer post messages; elements of
//! DL Streamer post none, but attach metadata to frames.
//!
//! Not here: counting (`lp-worker`, `record::build`), and what a clip shows
//! (`scene::truth`).

use std::collections::BTreeMap;

use super::{Element, Value};

/// The message of the worker's own elements that says what OpenVINO uses; no sighting.
pub const OPENVINO: &str = "openvino";

/// The message of the worker's own elements with a remark for people, its field `text`; no sighting.
pub const REMARK: &str = "remark";

/// How a detector reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// By messages on the bus; [`sight`] reads them.
    Messages,
    /// By regions of interest that it adds to frames.
    AddedRegions,
    /// By the attributes that it adds to the regions of interest on frames, which an earlier
    /// element found.
    Attributes,
}

/// A message of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It sees something in this frame: a code's text, if it has one.
    Once(Option<String>),
    /// It sees something from now on.
    Begin,
    /// It no longer does.
    End,
}

/// How this element reports; `None` if it is no detector, or is set to report nothing.
#[must_use]
pub fn report(element: &Element) -> Option<Report> {
    let is_set_to = |name: &str, silent: &str| {
        let property = element.properties.iter().find(|property| property.name.replace('_', "-") == name);
        property.is_some_and(|property| match &property.value {
            Value::Bool(value) => value.to_string() == silent,
            Value::Text(value) => value == silent,
            _ => false,
        })
    };
    match element.factory.as_str() {
        "zbar" | "zxing" => (!is_set_to("message", "false")).then_some(Report::Messages),
        "facedetect" => (!is_set_to("updates", "none")).then_some(Report::Messages),
        "motioncells" | "handdetect" => Some(Report::Messages),
        "gvadetect" => Some(Report::AddedRegions),
        "gvaclassify" | "lpreid" => Some(Report::Attributes),
        _ => None,
    }
}

/// The meaning of a message of a detector of this factory; `None` if it sees nothing.
#[must_use]
pub fn sight(factory: &str, message: &str, fields: &BTreeMap<String, String>) -> Option<Sight> {
    let has = |field: &str| fields.contains_key(field);
    match (factory, message) {
        ("zbar" | "zxing", "barcode") => Some(Sight::Once(fields.get("symbol").cloned())),
        // A message may also say that there was no motion for some time.
        ("motioncells", "motion") if has("motion_begin") => Some(Sight::Begin),
        ("motioncells", "motion") if has("motion_finished") => Some(Sight::End),
        ("motioncells", "motion") if has("motion") => Some(Sight::Once(None)),
        ("facedetect", "facedetect") => {
            let faces = fields.get("faces").map_or("", String::as_str);
            faces.contains(|c: char| c.is_alphanumeric()).then_some(Sight::Once(None))
        }
        ("handdetect", _) => Some(Sight::Once(None)),
        _ => None,
    }
}

/// The noun for what a detector sees: `code`.
#[must_use]
pub fn noun(factory: &str) -> &'static str {
    match factory {
        "zbar" | "zxing" => "code",
        "motioncells" => "motion",
        "facedetect" => "face",
        "handdetect" => "hand",
        "gvaclassify" | "lpreid" => "attribute",
        _ => "object",
    }
}

/// The name of the model of an element: that of its file.
#[must_use]
pub fn model(element: &Element) -> Option<String> {
    let property = element.properties.iter().find(|property| property.name == "model")?;
    let path = match &property.value {
        Value::Text(path) => path.as_str(),
        Value::Input(path) => path.as_str(),
        _ => return None,
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// An element that infers looks at each so many-th frame.
#[must_use]
pub fn interval(element: &Element) -> u64 {
    let property =
        element.properties.iter().find(|property| property.name.replace('_', "-") == "inference-interval");
    match property.map(|property| &property.value) {
        Some(Value::Int(n)) => u64::try_from(*n).unwrap_or(1).max(1),
        _ => 1,
    }
}

/// Whether an element infers, so that frames get regions or attributes.
#[must_use]
pub fn infers(element: &Element) -> bool {
    ["gvadetect", "gvaclassify"].contains(&element.factory.as_str())
}

/// Whether an element cuts frames, so that a part of the scene may be missing after it.
#[must_use]
pub fn cuts(element: &Element) -> bool {
    ["videocrop", "aspectratiocrop", "videobox", "dewarp", "cameraundistort"]
        .contains(&element.factory.as_str())
}

/// Whether an element may move a part of the scene to another place in the frame.
#[must_use]
pub fn moves(element: &Element) -> bool {
    ["videoflip", "rotate", "perspective", "mirror"].contains(&element.factory.as_str()) || cuts(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_that_reports_nothing_is_none() {
        let zbar = Element::new("zbar");
        assert_eq!(report(&zbar), Some(Report::Messages));
        assert_eq!(report(&zbar.clone().bool("message", false)), None);
        assert_eq!(report(&zbar.bool("cache", false)), Some(Report::Messages));
        assert_eq!(report(&Element::new("facedetect").text("updates", "none")), None);
        assert_eq!(report(&Element::new("gvadetect")), Some(Report::AddedRegions));
        assert_eq!(report(&Element::new("videoanalyse")), None);
    }

    #[test]
    fn a_detector_has_a_model_and_an_interval() {
        let detector = Element::new("gvadetect").text("model", "models/a/yolo11n.v2.xml");
        assert_eq!((model(&detector).as_deref(), interval(&detector)), (Some("yolo11n.v2"), 1));
        assert_eq!(interval(&detector.int("inference-interval", 3)), 3);
        assert_eq!(model(&Element::new("gvadetect")), None);
    }

    #[test]
    fn messages_say_what_was_seen() {
        let of = |factory, message, fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            sight(factory, message, &fields.collect())
        };
        assert_eq!(
            of("zbar", "barcode", &[("symbol", "TEA-1")]),
            Some(Sight::Once(Some("TEA-1".to_owned())))
        );
        assert_eq!(of("motioncells", "motion", &[("motion_begin", "0")]), Some(Sight::Begin));
        assert_eq!(of("motioncells", "motion", &[("motion_finished", "0")]), Some(Sight::End));
        assert_eq!(of("motioncells", "motion", &[("no_motion", "0")]), None);
        assert_eq!(of("facedetect", "facedetect", &[("faces", "{  }")]), None);
        let face = "{ (structure)\"face\\,\\ x\\=\\(uint\\)4\\;\" }";
        assert_eq!(of("facedetect", "facedetect", &[("faces", face)]), Some(Sight::Once(None)));
        assert_eq!(of("videoanalyse", "GstVideoAnalyse", &[]), None);
    }
}
