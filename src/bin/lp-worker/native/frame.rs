//! Frames in GStreamer's buffers as pictures, in the formats that decoders and cameras give.

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use lp::vision::Size;
use lp::vision::picture::{Matrix, Picture, PixelFormat, Plane};

/// The formats that are read.
const FORMATS: [(gst_video::VideoFormat, PixelFormat); 8] = [
    (gst_video::VideoFormat::I420, PixelFormat::I420),
    (gst_video::VideoFormat::Nv12, PixelFormat::Nv12),
    (gst_video::VideoFormat::Bgr, PixelFormat::Bgr),
    (gst_video::VideoFormat::Rgb, PixelFormat::Rgb),
    (gst_video::VideoFormat::Bgrx, PixelFormat::Bgrx),
    (gst_video::VideoFormat::Bgra, PixelFormat::Bgrx),
    (gst_video::VideoFormat::Rgbx, PixelFormat::Rgbx),
    (gst_video::VideoFormat::Rgba, PixelFormat::Rgbx),
];

/// Caps of these formats, in memory of the system.
pub(super) fn caps() -> gst::Caps {
    gst_video::VideoCapsBuilder::new().format_list(FORMATS.map(|(format, _)| format)).build()
}

/// Caps of all frames in memory of the system: for elements that do not look at pixels.
pub(super) fn any_caps() -> gst::Caps {
    gst_video::VideoCapsBuilder::new().build()
}

/// The description of the frames of caps.
///
/// # Errors
/// A sentence without its full stop.
pub(super) fn info(caps: &gst::CapsRef) -> Result<gst_video::VideoInfo, String> {
    gst_video::VideoInfo::from_caps(caps).map_err(|_| format!("these are no frames of known size: {caps}"))
}

/// Width and height in pixels.
pub(super) fn size(info: &gst_video::VideoInfo) -> Size {
    Size { width: info.width() as usize, height: info.height() as usize }
}

/// Maps a frame for reading, and gives its picture to `look`.
///
/// # Errors
/// Those of `look`, and frames that are not as their caps say.
pub(super) fn with_picture<T>(
    buffer: &gst::BufferRef,
    info: &gst_video::VideoInfo,
    look: impl FnOnce(&Picture<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let format = FORMATS.iter().find(|(format, _)| *format == info.format());
    let (_, format) =
        format.ok_or_else(|| format!("frames of the format {:?} are not read", info.format()))?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info)
        .map_err(|_| "a frame is smaller than its caps say".to_owned())?;
    let plane = |n: u32| {
        let stride = frame.plane_stride().get(n as usize).copied().unwrap_or_default();
        let data = frame.plane_data(n).map_err(|error| error.to_string())?;
        Ok(Plane {
            data,
            stride: usize::try_from(stride).map_err(|_| "a frame lies upside down".to_owned())?,
        })
    };
    let planes = (0..frame.n_planes()).map(plane).collect::<Result<Vec<_>, String>>()?;
    let matrix = match info.colorimetry().matrix() {
        gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    look(&Picture::new(size(info), *format, matrix, &planes).map_err(|error| error.to_string())?)
}
