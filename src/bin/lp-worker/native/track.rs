//! `gvatrack`: numbers the objects of a stream.
//!
//! `zero-term` and `zero-term-imageless` count as DL Streamer's do, so they need detections on
//! each frame: with `inference-interval=3`, each frame with detections begins new numbers.
//! `short-term-imageless` predicts objects on the frames between, and attaches a region without a
//! confidence for each (`vision::track`). Trackers that look at pixels are refused. A region that
//! was attached (`gvaattachroi`) is no object and gets no number.

use std::collections::BTreeMap;

use gst::glib;
use gst::glib::prelude::*;
use gstreamer as gst;

use lp::vision::track::{Config, Seen, Tracker, Tracking};
use lp::vision::{Corners, Size};

use super::element::{About, Settings, Work};
use super::frame;
use super::roi::{self, DETECTION};

pub(super) struct Track {
    tracking: Tracking,
    config: Config,
    tracker: Option<(Tracker, Size)>,
    /// The names of classes, for objects that are predicted.
    labels: BTreeMap<u32, String>,
}

impl Work for Track {
    const ABOUT: About =
        About { name: "Object tracking", class: "Video", description: "Numbers the objects of a stream" };

    fn properties() -> Vec<glib::ParamSpec> {
        let text = |name: &'static str, blurb: &'static str| {
            glib::ParamSpecString::builder(name).blurb(blurb).build()
        };
        vec![
            text("tracking-type", "zero-term, zero-term-imageless or short-term-imageless"),
            text("config", "max_num_objects=NUMBER,tracking_per_class=true or false"),
            text("device", "No effect: trackers compute on the CPU"),
            text("feature-model", "Not supported: a model of the tracker deep-sort"),
        ]
    }

    fn caps() -> gst::Caps {
        frame::any_caps()
    }

    fn start(settings: &Settings, _: &gst::Element) -> Result<Track, String> {
        let name = settings.text("tracking-type").unwrap_or_else(|| "zero-term".to_owned());
        let tracking = Tracking::named(&name).ok_or_else(|| {
            format!(
                "`tracking-type={name}` is not supported; supported: `zero-term`, `zero-term-imageless`, \
                 `short-term-imageless`"
            )
        })?;
        let config = config(&settings.text("config").unwrap_or_default())?;
        Ok(Track { tracking, config, tracker: None, labels: BTreeMap::new() })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        let size = frame::size(&frame::info(caps)?);
        // Numbers go on where caps come again.
        if self.tracker.as_ref().is_none_or(|(_, known)| *known != size) {
            self.tracker = Some((Tracker::new(self.tracking, self.config, size), size));
        }
        Ok(())
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let Some((tracker, size)) = &mut self.tracker else { return Ok(()) };
        let mut ids = Vec::new();
        let mut seen = Vec::new();
        for region in roi::all(buffer) {
            let Some(detection) = region.parameter(DETECTION).filter(|one| one.has_field("confidence"))
            else {
                continue;
            };
            let class = detection.get::<i32>("label_id").unwrap_or_default();
            let class = u32::try_from(class).unwrap_or_default();
            ids.push(region.id);
            seen.push(Seen { bounds: region.pixels, class });
            self.labels.entry(class).or_insert(region.label);
        }
        let tracked = tracker.track(&seen);
        let number = |id: u32| i32::try_from(id).unwrap_or(i32::MAX);
        for (region, id) in ids.into_iter().zip(tracked.ids) {
            if let Some(id) = id {
                roi::set_object(buffer, region, number(id));
            }
        }
        for predicted in tracked.predicted {
            let part = |at: u32, of: usize| f64::from(at) / of as f64;
            let pixels = predicted.bounds;
            let bounds = Corners {
                x_min: part(pixels.x, size.width),
                y_min: part(pixels.y, size.height),
                x_max: part(pixels.x + pixels.width, size.width),
                y_max: part(pixels.y + pixels.height, size.height),
            };
            let label = self.labels.get(&predicted.class).map_or("", String::as_str);
            let region = roi::attach(buffer, label, pixels, bounds, None, None);
            roi::set_object(buffer, region, number(predicted.id));
        }
        Ok(())
    }
}

fn config(text: &str) -> Result<Config, String> {
    let mut config = Config::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let fault = || {
            format!(
                "`config` has `{part}`, but its parts are max_num_objects=NUMBER and tracking_per_class=true or false"
            )
        };
        match part.split_once('=').ok_or_else(fault)? {
            ("max_num_objects", most) => {
                let most: i64 = most.parse().map_err(|_| fault())?;
                // As of DL Streamer's, -1 is no limit.
                config.max_objects = usize::try_from(most).ok();
            }
            ("tracking_per_class", flag) => config.per_class = flag.parse().map_err(|_| fault())?,
            _ => return Err(fault()),
        }
    }
    Ok(config)
}
