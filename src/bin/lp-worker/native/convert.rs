//! `gvametaconvert`: writes the regions of interest of a frame as JSON, and attaches it to the frame.
//!
//! The text is DL Streamer's (`vision::publish`). A frame without regions gets none, unless
//! `add-empty-results` is set.

use std::sync::LazyLock;

use gst::glib;
use gst::meta::CustomMeta;
use gst::prelude::*;
use gstreamer as gst;

use lp::vision::publish::{self, Attribute, Detected, Frame, Model, Object, Resolution};
use lp::vision::{Corners, Size};

use super::classify::ATTRIBUTE;
use super::element::{About, Settings, Work, without_effect};
use super::frame;
use super::roi::{self, DETECTION, Region};

/// The name of the metadata with the text.
const NAME: &str = "LpJsonMeta";

static REGISTERED: LazyLock<()> = LazyLock::new(|| CustomMeta::register_simple(NAME));

/// The text that is attached to a frame.
pub(super) fn text(buffer: &gst::BufferRef) -> Option<String> {
    LazyLock::force(&REGISTERED);
    CustomMeta::from_buffer(buffer, NAME).ok()?.structure().get("message").ok()
}

pub(super) struct Convert {
    add_empty: bool,
    indent: Option<usize>,
    source: Option<String>,
    tags: Option<serde_json::Value>,
    size: Size,
}

impl Work for Convert {
    const ABOUT: About = About {
        name: "Metadata to JSON",
        class: "Metadata",
        description: "Writes regions of interest as JSON",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        let text = |name: &'static str, blurb: &'static str| {
            glib::ParamSpecString::builder(name).blurb(blurb).build()
        };
        let flag = |name: &'static str, blurb: &'static str| {
            glib::ParamSpecBoolean::builder(name).blurb(blurb).build()
        };
        vec![
            text("format", "json"),
            text("source", "A word that each text has"),
            text("tags", "JSON that each text has"),
            flag("add-empty-results", "Also for frames without regions"),
            flag("add-tensor-data", "No effect"),
            flag("timestamp-utc", "Not supported: times are those of the stream"),
            flag("timestamp-microseconds", "Not supported: times are in nanoseconds"),
            glib::ParamSpecInt::builder("json-indent")
                .blurb("Blanks for each level; -1: all on one line")
                .minimum(-1)
                .maximum(10)
                .default_value(-1)
                .build(),
        ]
    }

    fn caps() -> gst::Caps {
        frame::any_caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Convert, String> {
        LazyLock::force(&REGISTERED);
        if let Some(format) = settings.text("format").filter(|format| format != "json") {
            return Err(format!("`format={format}` is not supported; supported: `json`"));
        }
        if let Some(flag) =
            ["timestamp-utc", "timestamp-microseconds"].into_iter().find(|flag| settings.flag(flag))
        {
            return Err(format!("`{flag}` is not supported: times are those of the stream, in nanoseconds"));
        }
        if settings.flag("add-tensor-data") {
            without_effect(element, ["add-tensor-data".to_owned()]);
        }
        let tags = settings.text("tags").map(|tags| {
            serde_json::from_str(&tags).map_err(|error| format!("the property `tags` is no JSON: {error}"))
        });
        Ok(Convert {
            add_empty: settings.flag("add-empty-results"),
            indent: usize::try_from(settings.signed("json-indent")).ok(),
            source: settings.text("source"),
            tags: tags.transpose()?,
            size: Size { width: 0, height: 0 },
        })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.size = frame::size(&frame::info(caps)?);
        Ok(())
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, time: Option<u64>) -> Result<(), String> {
        let Size { width, height } = self.size;
        let frame = Frame {
            objects: roi::all(buffer).iter().map(object).collect(),
            resolution: Resolution { height, width },
            source: self.source.clone(),
            tags: self.tags.clone(),
            timestamp: time,
        };
        if let Some(text) = publish::text(&frame, self.add_empty, self.indent) {
            let mut meta = CustomMeta::add(buffer, NAME).map_err(|error| error.to_string())?;
            meta.mut_structure().set("message", text);
        }
        Ok(())
    }
}

fn object(region: &Region) -> Object {
    let detection = region.parameter(DETECTION).and_then(|one| {
        let side = |name: &str| one.get::<f64>(name).ok();
        Some(Detected {
            bounds: Corners {
                x_min: side("x_min")?,
                y_min: side("y_min")?,
                x_max: side("x_max")?,
                y_max: side("y_max")?,
            },
            confidence: one.get("confidence").ok(),
            label_id: one.get::<i32>("label_id").ok().and_then(|id| u32::try_from(id).ok()),
        })
    });
    let attributes = region.parameters.iter().filter(|one| one.name() == ATTRIBUTE);
    Object {
        pixels: region.pixels,
        region_id: region.id,
        id: region.object().and_then(|id| u32::try_from(id).ok()),
        parent_id: region.parent,
        roi_type: region.label.clone(),
        detection,
        attributes: attributes.map(|one| attribute(one)).collect(),
    }
}

fn attribute(structure: &gst::StructureRef) -> (String, Attribute) {
    let text = |name: &str| structure.get::<String>(name).unwrap_or_default();
    let attribute = Attribute {
        confidence: structure.get("confidence").ok(),
        label: text("label"),
        label_id: structure.get::<i32>("label_id").ok().and_then(|id| u32::try_from(id).ok()),
        model: Model { name: text("model_name") },
    };
    (text("attribute_name"), attribute)
}
