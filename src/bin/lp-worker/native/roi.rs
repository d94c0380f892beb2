//! Regions of interest on frames, as DL Streamer attaches them.
//!
//! A region is a `GstVideoRegionOfInterestMeta`: its type is the label, its rectangle is in
//! pixels, and each of its parameters is a structure. `detection` has the same rectangle in parts
//! of the frame and the confidence, `object_id` the number that a tracker gave; each other one is
//! what a classifier says. DL Streamer attaches metadata of GStreamer's analytics library too,
//! which GStreamer has since 1.24; so do these elements with the feature `analytics` (`analytics`), and
//! what has only that is a region too.
//!
//! The number of a region counts from 0 on each frame, so two runs give equal results. With the feature,
//! it is that of the analytics library, which also numbers what a tracker adds.

use gst_video::VideoRegionOfInterestMeta as Meta;
use gstreamer as gst;
use gstreamer_video as gst_video;

use lp::vision::Corners;
#[cfg(feature = "analytics")]
use lp::vision::Size;
use lp::vision::labels::unnamed;
use lp::vision::prepare::Pixels;

#[cfg(feature = "analytics")]
use super::analytics;

/// The parameter with the confidence and the exact rectangle.
pub(crate) const DETECTION: &str = "detection";

/// The parameter with the number of a tracked object.
const OBJECT_ID: &str = "object_id";

/// A region of a frame.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// Of all regions of the frame.
    pub(crate) id: i32,
    /// That of the region in which it was found.
    pub(crate) parent: Option<i32>,
    pub(crate) label: String,
    pub(crate) pixels: Pixels,
    pub(crate) parameters: Vec<gst::Structure>,
}

impl Region {
    pub(crate) fn parameter(&self, name: &str) -> Option<&gst::StructureRef> {
        self.parameters.iter().find(|one| one.name() == name).map(AsRef::as_ref)
    }

    /// Its score, if it has one.
    pub(crate) fn score(&self) -> Option<f64> {
        self.parameter(DETECTION)?.get("confidence").ok()
    }

    /// What classifiers say of it: the name of each attribute, and what it is.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        self.parameters.iter().filter_map(|one| attribute(one))
    }

    /// Its label; of a class without one, its number. Empty for a region that shows nothing.
    fn name(&self) -> String {
        let class = || self.parameter(DETECTION)?.get::<i32>("label_id").ok();
        match u32::try_from(class().unwrap_or(-1)) {
            Ok(class) if self.label.is_empty() => unnamed(class),
            _ => self.label.clone(),
        }
    }

    /// What is drawn at it: `face 0.94 female age 31`. A number alone would say nothing.
    pub(crate) fn text(&self) -> String {
        let score = self.score().map(|score| format!("{score:.2}"));
        let said = self.attributes().map(|(name, said)| match said.parse::<f64>() {
            Ok(_) => format!("{name} {said}"),
            Err(_) => said,
        });
        let words = [Some(self.name()), score].into_iter().flatten().chain(said);
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The same in words: `face 94 %, gender female, age 31`.
    pub(crate) fn words(&self) -> String {
        let score = self.score().map_or_else(String::new, |score| format!(" {:.0} %", score * 100.0));
        let label = Some(self.name()).filter(|name| !name.is_empty()).unwrap_or_else(|| "region".to_owned());
        let said = self.attributes().map(|(name, said)| format!("{name} {said}"));
        std::iter::once(format!("{label}{score}")).chain(said).collect::<Vec<_>>().join(", ")
    }

    /// The number that a tracker gave its object.
    pub(crate) fn object(&self) -> Option<i32> {
        self.parameter(OBJECT_ID)?.get("id").ok()
    }
}

/// The name and the value of an attribute; `None` for a parameter that is none, or says nothing.
pub(crate) fn attribute(parameter: &gst::StructureRef) -> Option<(String, String)> {
    if [DETECTION, OBJECT_ID].contains(&parameter.name().as_str()) {
        return None;
    }
    let said = parameter.get::<String>("label").ok().filter(|said| !said.is_empty())?;
    let name = parameter.get::<String>("attribute_name").ok().filter(|name| !name.is_empty());
    Some((name.unwrap_or_else(|| parameter.name().to_string()), said))
}

/// How many regions a frame has, also such as cannot be read here: at least that a frame has metadata of
/// detectors is seen.
#[cfg(not(feature = "analytics"))]
pub(crate) fn count(buffer: &gst::BufferRef) -> usize {
    const APIS: [&str; 2] = ["GstVideoRegionOfInterestMetaAPI", "GstAnalyticsRelationMetaAPI"];
    buffer.iter_meta::<gst::Meta>().filter(|meta| APIS.contains(&meta.api().name())).count()
}

/// How many regions a frame has.
#[cfg(feature = "analytics")]
pub(crate) fn count(buffer: &gst::BufferRef) -> usize {
    all(buffer).len()
}

/// All regions of a frame, in the order in which they were attached; then those that are no regions of
/// interest.
pub(crate) fn all(buffer: &gst::BufferRef) -> Vec<Region> {
    #[cfg_attr(not(feature = "analytics"), expect(unused_mut, reason = "nothing is added"))]
    let mut regions = attached(buffer);
    #[cfg(feature = "analytics")]
    regions.extend(others(buffer, &regions));
    regions
}

/// The detections of a frame for which no region stands: DL Streamer's have the number of theirs. Their
/// structure `detection` has the score only.
#[cfg(feature = "analytics")]
fn others(buffer: &gst::BufferRef, regions: &[Region]) -> Vec<Region> {
    let mut found = analytics::all(buffer);
    found.retain(|one| !regions.iter().any(|region| region.id == one.id && region.label == one.label));
    let region = |one: analytics::Detection| {
        let score = f64::from(one.score);
        let detection = gst::Structure::builder(DETECTION).field("confidence", score).build();
        let object = one.object.map(|object| gst::Structure::builder(OBJECT_ID).field("id", object).build());
        let parameters = std::iter::once(detection).chain(object).collect();
        Region { id: one.id, parent: None, label: one.label, pixels: one.pixels, parameters }
    };
    found.into_iter().map(region).collect()
}

/// Attaches a region for each detection of a frame of this size for which none stands, so that
/// elements can add to it.
#[cfg(feature = "analytics")]
pub(super) fn adopt(buffer: &mut gst::BufferRef, size: impl FnOnce() -> Option<Size>) {
    let new = others(buffer, &attached(buffer));
    let Some(size) = (!new.is_empty()).then(size).flatten() else { return };
    for region in new {
        let Pixels { x, y, width, height } = region.pixels;
        let part = |at: u32, of: usize| (f64::from(at) / of as f64).min(1.0);
        let mut meta = Meta::add(buffer, &region.label, (x, y, width, height));
        meta.set_id(region.id);
        meta.set_parent_id(-1);
        for mut parameter in region.parameters {
            if parameter.name() == DETECTION {
                parameter.set("x_min", part(x, size.width));
                parameter.set("x_max", part(x.saturating_add(width), size.width));
                parameter.set("y_min", part(y, size.height));
                parameter.set("y_max", part(y.saturating_add(height), size.height));
            }
            meta.add_param(parameter);
        }
    }
}

/// The regions of interest of a frame.
fn attached(buffer: &gst::BufferRef) -> Vec<Region> {
    let region = |meta: gst::MetaRef<'_, Meta>| {
        let (x, y, width, height) = meta.rect();
        Region {
            id: meta.id(),
            parent: Some(meta.parent_id()).filter(|parent| *parent >= 0),
            label: meta.roi_type().to_owned(),
            pixels: Pixels { x, y, width, height },
            parameters: meta.params().map(|one| one.to_owned()).collect(),
        }
    };
    buffer.iter_meta::<Meta>().map(region).collect()
}

/// Attaches a region; returns its number.
pub(crate) fn attach(
    buffer: &mut gst::BufferRef,
    label: &str,
    pixels: Pixels,
    bounds: Corners,
    score: Option<(f32, u32)>,
    parent: Option<i32>,
) -> i32 {
    let id = number(buffer, label, pixels, score.map(|(confidence, _)| confidence));
    let Pixels { x, y, width, height } = pixels;
    let mut detection = gst::Structure::builder(DETECTION)
        .field("x_min", bounds.x_min)
        .field("x_max", bounds.x_max)
        .field("y_min", bounds.y_min)
        .field("y_max", bounds.y_max);
    if let Some((confidence, class)) = score {
        let class = i32::try_from(class).unwrap_or(i32::MAX);
        detection = detection.field("confidence", f64::from(confidence)).field("label_id", class);
    }
    let mut meta = Meta::add(buffer, label, (x, y, width, height));
    meta.set_id(id);
    meta.set_parent_id(parent.unwrap_or(-1));
    meta.add_param(detection.build());
    id
}

/// The number of a new region.
#[cfg(not(feature = "analytics"))]
fn number(buffer: &mut gst::BufferRef, _: &str, _: Pixels, _: Option<f32>) -> i32 {
    next(buffer)
}

/// The number of a new region, which is a detection of the analytics library too.
#[cfg(feature = "analytics")]
fn number(buffer: &mut gst::BufferRef, label: &str, pixels: Pixels, score: Option<f32>) -> i32 {
    analytics::add(buffer, label, pixels, score).unwrap_or_else(|| next(buffer))
}

fn next(buffer: &gst::BufferRef) -> i32 {
    buffer.iter_meta::<Meta>().map(|meta| meta.id() + 1).max().unwrap_or(0)
}

/// Adds a parameter to the region with this number.
pub(crate) fn add_parameter(buffer: &mut gst::BufferRef, id: i32, parameter: gst::Structure) {
    if let Some(mut meta) = buffer.iter_meta_mut::<Meta>().find(|meta| meta.id() == id) {
        meta.add_param(parameter);
    }
}

/// Gives the region with this number the number of its object.
pub(crate) fn set_object(buffer: &mut gst::BufferRef, id: i32, object: i32) {
    add_parameter(buffer, id, gst::Structure::builder(OBJECT_ID).field("id", object).build());
    #[cfg(feature = "analytics")]
    analytics::set_object(buffer, id, object);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(label: &str, class: Option<i32>, said: &[(&str, &str)], text: &str, words: &str) {
        gst::init().unwrap();
        let mut detection = gst::Structure::builder(DETECTION).field("confidence", 0.94);
        detection = detection.field_if_some("label_id", class);
        let attribute = |(name, label): &(&str, &str)| {
            gst::Structure::builder("classification")
                .field("attribute_name", name)
                .field("label", label)
                .build()
        };
        let region = Region {
            id: 0,
            parent: None,
            label: label.to_owned(),
            pixels: Pixels { x: 0, y: 0, width: 8, height: 8 },
            parameters: std::iter::once(detection.build()).chain(said.iter().map(attribute)).collect(),
        };
        assert_eq!((region.text().as_str(), region.words().as_str()), (text, words));
    }

    #[test]
    fn a_number_is_never_drawn_without_a_name() {
        let said = [("gender", "female"), ("age", "31"), ("person", "1")];
        check(
            "face",
            Some(0),
            &said,
            "face 0.94 female age 31 person 1",
            "face 94 %, gender female, age 31, person 1",
        );
        // A detector without labels leaves the class to its number.
        check("", Some(0), &[], "class 0 0.94", "class 0 94 %");
        check("", None, &[], "0.94", "region 94 %");
    }
}
