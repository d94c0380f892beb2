//! `gvawatermark`: draws the regions of interest into the frame.
//!
//! A region is a frame of lines inside its rectangle, in a colour that depends on the object's
//! number, else on the label, so an object keeps its colour. There is no text. Of `displ-cfg`,
//! `thickness` counts (in pixels, default 2).

use gst::glib;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::element::{About, Settings, Work};
use super::frame;
use super::roi::{self, Region};
use crate::output::log;

/// Red, green and blue.
type Colour = [u8; 3];

/// Well told apart, on dark and on bright pictures.
const COLOURS: [Colour; 6] =
    [[255, 64, 64], [64, 255, 64], [96, 128, 255], [255, 255, 64], [255, 96, 255], [64, 255, 255]];

pub(super) struct Watermark {
    thickness: usize,
    video: Option<gst_video::VideoInfo>,
}

impl Work for Watermark {
    const ABOUT: About =
        About { name: "Regions of interest", class: "Video", description: "Draws regions of interest" };

    fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("displ-cfg")
                .blurb("thickness=PIXELS; other keys have no effect")
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
        let mut thickness = 2;
        for part in config.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some(("thickness", value)) => {
                    let pixels = value.parse().ok().filter(|pixels| (1..=64).contains(pixels));
                    thickness = pixels
                        .ok_or_else(|| format!("`displ-cfg` has `{part}`, but a thickness is 1 to 64"))?;
                }
                Some(_) => log(&format!("`{}`: accepted without effect: {part}", element.name())),
                None => {
                    return Err(format!(
                        "`displ-cfg` has `{part}`, but its parts are KEY=VALUE, joined by commas"
                    ));
                }
            }
        }
        Ok(Watermark { thickness, video: None })
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
            draw(&mut frame, video, &region, self.thickness)?;
        }
        Ok(())
    }
}

fn colour(region: &Region) -> Colour {
    let number = match region.object() {
        Some(object) => object.unsigned_abs() as usize,
        None => region.label.bytes().map(usize::from).sum(),
    };
    COLOURS[number % COLOURS.len()]
}

/// Draws the four sides of a region as filled rectangles.
fn draw(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    video: &gst_video::VideoInfo,
    region: &Region,
    thickness: usize,
) -> Result<(), String> {
    let colour = colour(region);
    let (width, height) = (video.width() as usize, video.height() as usize);
    let (x, y) = (region.pixels.x as usize, region.pixels.y as usize);
    let (x2, y2) =
        (width.min(x + region.pixels.width as usize), height.min(y + region.pixels.height as usize));
    let (left, right) = ((x + thickness).min(x2), x2.saturating_sub(thickness).max(x));
    let (top, bottom) = ((y + thickness).min(y2), y2.saturating_sub(thickness).max(y));
    for [from_x, from_y, to_x, to_y] in
        [[x, y, x2, top], [x, bottom, x2, y2], [x, y, left, y2], [right, y, x2, y2]]
    {
        for n in 0..frame.n_planes() {
            let Some((values, step, halved)) = ink(video, n, colour) else { continue };
            let stride = usize::try_from(frame.plane_stride()[n as usize]).unwrap_or_default();
            let data = frame.plane_data_mut(n).map_err(|error| error.to_string())?;
            for row in from_y / halved..to_y.div_ceil(halved) {
                for column in from_x / halved..to_x.div_ceil(halved) {
                    let at = row * stride + column * step;
                    if let Some(pixel) = data.get_mut(at..at + values.len()) {
                        pixel.copy_from_slice(&values);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The bytes of a colour in a plane, the bytes from a pixel to the next, and how many times
/// smaller than the picture the plane is.
fn ink(
    video: &gst_video::VideoInfo,
    plane: u32,
    [red, green, blue]: Colour,
) -> Option<(Vec<u8>, usize, usize)> {
    use gst_video::VideoFormat as Format;
    let [r, g, b] = [red, green, blue].map(f32::from);
    // BT.601, limited range: the colour of a line need not be exact.
    let luma = 16.0 + 0.257 * r + 0.504 * g + 0.098 * b;
    let (u, v) = (128.0 - 0.148 * r - 0.291 * g + 0.439 * b, 128.0 + 0.439 * r - 0.368 * g - 0.071 * b);
    let [luma, u, v] = [luma, u, v].map(|value| value as u8);
    Some(match (video.format(), plane) {
        (Format::I420 | Format::Nv12, 0) => (vec![luma], 1, 1),
        (Format::I420, 1) => (vec![u], 1, 2),
        (Format::I420, 2) => (vec![v], 1, 2),
        (Format::Nv12, 1) => (vec![u, v], 2, 2),
        (Format::Rgb, 0) => (vec![red, green, blue], 3, 1),
        (Format::Bgr, 0) => (vec![blue, green, red], 3, 1),
        (Format::Rgbx | Format::Rgba, 0) => (vec![red, green, blue], 4, 1),
        (Format::Bgrx | Format::Bgra, 0) => (vec![blue, green, red], 4, 1),
        _ => return None,
    })
}
