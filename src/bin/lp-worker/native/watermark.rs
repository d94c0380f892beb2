//! `gvawatermark`: draws the regions of interest into the frame, with their labels ([`draw`]).
//!
//! Of `displ-cfg`, `thickness` (in pixels, default 2) and `show-labels` (default true) count.

use gst::glib;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::element::{About, Settings, Work, without_effect};
use super::frame;
use super::roi;
use crate::draw;

/// Pixels for a dot of a letter.
const LETTERS: usize = 2;

pub(super) struct Watermark {
    thickness: usize,
    shows_labels: bool,
    video: Option<gst_video::VideoInfo>,
}

impl Work for Watermark {
    const ABOUT: About =
        About { name: "Regions of interest", class: "Video", description: "Draws regions of interest" };

    fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("displ-cfg")
                .blurb("thickness=PIXELS, show-labels=true or false; other keys have no effect")
                .build(),
            glib::ParamSpecBoolean::builder("displ-avgfps").blurb("No effect").build(),
            glib::ParamSpecString::builder("device").blurb("No effect").build(),
        ]
    }

    fn caps() -> gst::Caps {
        frame::caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Watermark, String> {
        let config = settings.text("displ-cfg").unwrap_or_default();
        let (mut thickness, mut shows_labels) = (2, true);
        for part in config.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("thickness", value)) => {
                    let pixels = value.parse().ok().filter(|pixels| (1..=64).contains(pixels));
                    thickness = pixels
                        .ok_or_else(|| format!("`displ-cfg` has `{part}`, but a thickness is 1 to 64"))?;
                }
                Some(("show-labels", value)) => {
                    shows_labels = value
                        .parse()
                        .map_err(|_| format!("`displ-cfg` has `{part}`, but it is true or false"))?;
                }
                Some((key, _)) => {
                    without_effect(element, [format!("`displ-cfg` {key}")]);
                }
                None => {
                    return Err(format!(
                        "`displ-cfg` has `{part}`, but its parts are KEY=VALUE, joined by commas"
                    ));
                }
            }
        }
        Ok(Watermark { thickness, shows_labels, video: None })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.video = Some(frame::info(caps)?);
        Ok(())
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let regions = roi::all(buffer);
        let Some(video) = self.video.as_ref().filter(|_| !regions.is_empty()) else { return Ok(()) };
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, video)
            .map_err(|_| "a frame cannot be drawn into".to_owned())?;
        for region in regions {
            let text = region.text();
            let label = (self.shows_labels && !text.is_empty()).then_some((text.as_str(), LETTERS));
            draw::region(&mut frame, &region, 1.0, self.thickness, label)?;
        }
        Ok(())
    }
}
