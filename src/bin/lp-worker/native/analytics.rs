//! Detections as metadata of GStreamer's analytics library (`GstAnalyticsRelationMeta`), which other
//! elements read and write: those of GStreamer, and DL Streamer's beside regions of interest.
//!
//! A detection is an object detection mtd; the number of a tracked object is a tracking mtd that it
//! relates to. Where a region of interest stands for the same detection, as DL Streamer's and those of the
//! elements here do, both have the same number. Classifications are regions' attributes only: they are
//! neither read nor written here.

use gst::glib;
use gst_analytics::prelude::*;
use gst_analytics::{
    AnalyticsMetaRefExt, AnalyticsMtdRef, AnalyticsODMtd, AnalyticsRelationMeta, AnalyticsTrackingMtd,
    RelTypes,
};
use gstreamer as gst;
use gstreamer_analytics as gst_analytics;

use lp::vision::prepare::Pixels;

/// A detection of a frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detection {
    /// Of all mtds of the frame.
    pub(super) id: i32,
    /// Empty if it has none.
    pub(super) label: String,
    pub(super) pixels: Pixels,
    pub(super) score: f32,
    /// The number that a tracker gave.
    pub(super) object: Option<i32>,
}

/// The detections of a frame that have a pixel in it, in the order in which they were added.
pub(super) fn all(buffer: &gst::BufferRef) -> Vec<Detection> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    let detection = |found: AnalyticsMtdRef<'_, AnalyticsODMtd>| {
        let place = found.location().ok()?;
        // What lies left of the frame or above it is cut off.
        let span = |at: i32, size: i32| {
            let end = at.saturating_add(size).max(0);
            Some((u32::try_from(at.max(0)).ok()?, u32::try_from(end - at.max(0)).ok()?))
        };
        let ((x, width), (y, height)) = (span(place.x, place.w)?, span(place.y, place.h)?);
        let mut tracks = meta.iter_direct_related::<AnalyticsTrackingMtd>(found.id(), RelTypes::ANY);
        Some(Detection {
            id: i32::try_from(found.id()).ok()?,
            label: found.obj_type().map_or_else(String::new, |label| label.as_str().to_string()),
            pixels: Pixels { x, y, width, height },
            score: place.loc_conf_lvl,
            object: tracks.next().and_then(|track| i32::try_from(track.info().0).ok()),
        })
        .filter(|found| found.pixels.width > 0 && found.pixels.height > 0)
    };
    meta.iter::<AnalyticsODMtd>().filter_map(detection).collect()
}

/// Adds a detection; returns its number. One without a score gets 0, as with DL Streamer.
pub(super) fn add(
    buffer: &mut gst::BufferRef,
    label: &str,
    pixels: Pixels,
    score: Option<f32>,
) -> Option<i32> {
    let [x, y, width, height] =
        [pixels.x, pixels.y, pixels.width, pixels.height].map(|side| i32::try_from(side).unwrap_or(i32::MAX));
    let mut meta = relations(buffer);
    let label = glib::Quark::from_str(label);
    let added = meta.add_od_mtd(label, x, y, width, height, score.unwrap_or(0.0)).ok()?;
    i32::try_from(added.id()).ok()
}

/// Gives a detection the number of its object, if it has none.
pub(super) fn set_object(buffer: &mut gst::BufferRef, id: i32, object: i32) {
    let Some(found) = all(buffer).into_iter().find(|found| found.id == id && found.object.is_none()) else {
        return;
    };
    let (Ok(id), Ok(object)) = (u32::try_from(found.id), u64::try_from(object)) else { return };
    let mut meta = relations(buffer);
    // Since when it is tracked is not known here.
    if let Ok(track) = meta.add_tracking_mtd(object, gst::ClockTime::ZERO).map(|track| track.id()) {
        // Both are there, so it cannot fail.
        let _ = meta.set_relation(RelTypes::RELATE_TO, id, track);
    }
}

/// The metadata of a frame, which has it from now on.
fn relations(
    buffer: &mut gst::BufferRef,
) -> gst::MetaRefMut<'_, AnalyticsRelationMeta, gst::meta::Standalone> {
    if buffer.meta::<AnalyticsRelationMeta>().is_none() {
        AnalyticsRelationMeta::add(buffer);
    }
    buffer.meta_mut().expect("it was there, or has been added")
}

#[cfg(test)]
mod tests;
