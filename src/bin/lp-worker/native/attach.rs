//! `gvaattachroi`: attaches a fixed region of interest to each frame, in which detectors after it
//! look (`inference-region=roi-list`).
//!
//! `roi` is `x,y,x2,y2` in pixels: the upper left and the lower right corner. Without it, the
//! region is the whole frame. Its label is empty and it has no confidence, as with DL Streamer.
//! Regions of a file (`file-path`, `mode`) are not supported: the element refuses to start.

use gst::glib;
use gst::glib::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use lp::vision::Corners;
use lp::vision::prepare::Pixels;

use super::element::{About, Settings, Work};
use super::{frame, roi};

pub(super) struct Attach {
    /// `None`: the whole frame.
    corners: Option<[u32; 4]>,
    /// Of the frames that come.
    region: Option<(Pixels, Corners)>,
}

impl Work for Attach {
    const ABOUT: About = About {
        name: "Region of interest",
        class: "Metadata",
        description: "Attaches a fixed region of interest to each frame",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("roi")
                .blurb("The region in pixels: x_top_left,y_top_left,x_bottom_right,y_bottom_right")
                .build(),
            glib::ParamSpecString::builder("file-path").blurb("Not supported: a file with regions").build(),
            glib::ParamSpecString::builder("mode").blurb("Not supported: how the file is read").build(),
        ]
    }

    fn caps() -> gst::Caps {
        frame::any_caps()
    }

    fn start(settings: &Settings, _: &gst::Element) -> Result<Attach, String> {
        if let Some(path) = settings.text("file-path") {
            return Err(format!("regions of a file are not supported: `file-path={path}`; set `roi`"));
        }
        let corners = settings.text("roi").map(|text| corners(&text)).transpose()?;
        Ok(Attach { corners, region: None })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.region = Some(region(&frame::info(caps)?, self.corners)?);
        Ok(())
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        if let Some((pixels, bounds)) = self.region {
            roi::attach(buffer, "", pixels, bounds, None, None);
        }
        Ok(())
    }
}

fn corners(text: &str) -> Result<[u32; 4], String> {
    let numbers: Vec<u32> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    match <[u32; 4]>::try_from(numbers) {
        Ok(corners @ [x, y, x2, y2]) if text.split(',').count() == 4 && x < x2 && y < y2 => Ok(corners),
        _ => Err(format!("`roi={text}` must be x,y,x2,y2 in pixels, the upper left corner first")),
    }
}

/// The region that is attached: what of these corners lies in the frame.
fn region(info: &gst_video::VideoInfo, corners: Option<[u32; 4]>) -> Result<(Pixels, Corners), String> {
    let (width, height) = (info.width(), info.height());
    let [x, y, x2, y2] = corners.unwrap_or([0, 0, width, height]);
    if width <= x || height <= y {
        return Err(format!("the region {x},{y},{x2},{y2} is outside frames of {width}x{height}"));
    }
    let (x2, y2) = (x2.min(width), y2.min(height));
    let part = |at: u32, of: u32| f64::from(at) / f64::from(of);
    let bounds = Corners {
        x_min: part(x, width),
        y_min: part(y, height),
        x_max: part(x2, width),
        y_max: part(y2, height),
    };
    Ok((Pixels { x, y, width: x2 - x, height: y2 - y }, bounds))
}
