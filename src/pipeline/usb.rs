//! The formats of a USB camera, and the one that a lane's camera needs.
//!
//! A camera of USB sends the same picture in several ways: raw, which costs nothing to read but
//! fills the bus, so that large pictures come at a few frames a second; as JPEG; or as H.264. Which
//! of them come at which size and rate, its driver tells (`VIDIOC_ENUM_FMT`, `VIDIOC_ENUM_FRAMESIZES`
//! and `VIDIOC_ENUM_FRAMEINTERVALS` of videodev2.h); the worker asks it through GStreamer.
//!
//! Pure. Not here: asking (`lp-worker`), and the elements of a format (`dialect`).

use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::codec::Codec;

/// How much slower than asked for is the same rate: drivers have 30 for 29.97.
const NEAR: f64 = 0.999;

/// How a camera sends pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Uncompressed, with GStreamer's name for its pixels: `YUY2`.
    Raw(String),
    Mjpeg,
    H264,
}

/// A rate in frames per second, as a fraction.
pub type Fraction = (u32, u32);

/// Rates at which pictures come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rates {
    /// `V4L2_FRMIVAL_TYPE_DISCRETE`
    Each(Vec<Fraction>),
    /// Any between these: `V4L2_FRMIVAL_TYPE_CONTINUOUS` and `V4L2_FRMIVAL_TYPE_STEPWISE`.
    Between(Fraction, Fraction),
}

/// Pictures that a camera can send. Widths and heights are the least and the greatest, equal for
/// `V4L2_FRMSIZE_TYPE_DISCRETE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub encoding: Encoding,
    pub width: (u32, u32),
    pub height: (u32, u32),
    pub rates: Rates,
}

/// The pictures that a camera is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub encoding: Encoding,
    pub width: u32,
    pub height: u32,
    pub rate: Fraction,
}

/// What a lane's camera needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needed {
    pub width: u32,
    pub height: u32,
    pub fps: f64,
}

impl Rates {
    /// The slowest rate that is fast enough, else the fastest; `None` if there is none.
    fn nearest(&self, fps: f64) -> Option<Fraction> {
        let is_enough = |rate: &Fraction| fps * NEAR <= per_second(*rate);
        match self {
            Rates::Each(rates) => {
                let by_speed = |a: &&Fraction, b: &&Fraction| per_second(**a).total_cmp(&per_second(**b));
                let enough = rates.iter().filter(|rate| is_enough(rate)).min_by(by_speed);
                enough.or_else(|| rates.iter().max_by(by_speed)).copied()
            }
            Rates::Between(least, most) if !is_enough(most) || is_enough(least) => {
                Some(if is_enough(least) { *least } else { *most })
            }
            // Thousandths are enough for any rate that people write.
            Rates::Between(..) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a rate")]
                let thousandths = (fps * 1000.0).round() as u32;
                Some(if thousandths.is_multiple_of(1000) {
                    (thousandths / 1000, 1)
                } else {
                    (thousandths, 1000)
                })
            }
        }
    }
}

/// A rate as a number.
#[must_use]
pub fn per_second((frames, seconds): Fraction) -> f64 {
    f64::from(frames) / f64::from(seconds.max(1))
}

/// Chooses the pictures for a camera: at its rate if there are any, of its size, else of the next
/// larger, else of the largest one; and of these raw ones before JPEG before H.264, since the first cost
/// least and the last have lost most. A faster rate is thinned later, a larger picture scaled. `None`
/// without formats.
#[must_use]
pub fn choose(formats: &[Format], needed: &Needed) -> Option<Choice> {
    let choices = formats.iter().filter_map(|format| {
        let side = |(least, most): (u32, u32), wanted: u32| wanted.clamp(least, most.max(least));
        let (width, height) = (side(format.width, needed.width), side(format.height, needed.height));
        let rate = format.rates.nearest(needed.fps)?;
        Some(Choice { encoding: format.encoding.clone(), width, height, rate })
    });
    choices.min_by_key(|choice| {
        let fps = per_second(choice.rate);
        let lacks_rate = fps < needed.fps * NEAR;
        let is_small = choice.width < needed.width || choice.height < needed.height;
        let pixels = u64::from(choice.width) * u64::from(choice.height);
        let wanted = u64::from(needed.width) * u64::from(needed.height);
        let kind = match choice.encoding {
            Encoding::Raw(_) => 0,
            Encoding::Mjpeg => 1,
            Encoding::H264 => 2,
        };
        // In thousandths: the fastest of those that are too slow, the slowest of the others.
        #[expect(clippy::cast_possible_truncation, reason = "a rate is small")]
        let millis = (fps * 1000.0) as i64;
        let speed = if lacks_rate { -millis } else { millis };
        let slowest_first = if lacks_rate { speed } else { 0 };
        (lacks_rate, slowest_first, is_small, pixels.abs_diff(wanted), kind, speed, Reverse(pixels))
    })
}

impl Choice {
    /// The caps of the camera.
    #[must_use]
    pub fn caps(&self) -> String {
        let Choice { encoding, width, height, rate: (frames, seconds) } = self;
        let kind = match encoding {
            Encoding::Raw(pixels) => format!("video/x-raw,format={pixels}"),
            Encoding::Mjpeg => Codec::Mjpeg.caps().to_owned(),
            Encoding::H264 => Codec::H264.caps().to_owned(),
        };
        format!("{kind},width={width},height={height},framerate={frames}/{seconds}")
    }

    /// The codec of its pictures; `None` if they are raw.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        match self.encoding {
            Encoding::Raw(_) => None,
            Encoding::Mjpeg => Some(Codec::Mjpeg),
            Encoding::H264 => Some(Codec::H264),
        }
    }

    /// What the camera cannot give of what is needed, in words; `None` if it gives all.
    #[must_use]
    pub fn lack(&self, needed: &Needed) -> Option<String> {
        let fps = per_second(self.rate);
        if fps < needed.fps * NEAR {
            let (have, want) = (rounded(fps), rounded(needed.fps));
            return Some(format!("it gives at most {have} of {want} fps at {}x{}", self.width, self.height));
        }
        let is_small = self.width < needed.width || self.height < needed.height;
        is_small.then(|| {
            format!(
                "its largest picture at {} fps is {}x{}, which is scaled up to {}x{}",
                rounded(needed.fps),
                self.width,
                self.height,
                needed.width,
                needed.height
            )
        })
    }
}

fn rounded(fps: f64) -> f64 {
    (fps * 100.0).round() / 100.0
}

/// `JPEG 1280x720 at 30 fps`
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fps = rounded(per_second(self.rate));
        write!(f, "{} {}x{} at {fps} fps", self.encoding, self.width, self.height)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoding::Raw(pixels) => write!(f, "raw {pixels}"),
            Encoding::Mjpeg => f.write_str("JPEG"),
            Encoding::H264 => f.write_str("H.264"),
        }
    }
}

/// `raw YUY2 640x480 at 30, 15 fps`, `JPEG 160x120 to 1920x1080 at 1 to 30 fps`
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = ((self.width.0, self.height.0), (self.width.1, self.height.1));
        write!(f, "{} {}x{}", self.encoding, least.0, least.1)?;
        if most != least {
            write!(f, " to {}x{}", most.0, most.1)?;
        }
        let text = |rate: &Fraction| rounded(per_second(*rate)).to_string();
        match &self.rates {
            Rates::Each(rates) => {
                let rates: Vec<String> = rates.iter().map(text).collect();
                write!(f, " at {} fps", rates.join(", "))
            }
            Rates::Between(least, most) => write!(f, " at {} to {} fps", text(least), text(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(encoding: Encoding, width: u32, height: u32, rates: &[u32]) -> Format {
        let rates = Rates::Each(rates.iter().map(|rate| (*rate, 1)).collect());
        Format { encoding, width: (width, width), height: (height, height), rates }
    }

    fn yuy2() -> Encoding {
        Encoding::Raw("YUY2".to_owned())
    }

    /// What the usual camera of USB 2 has: raw pictures fill the bus.
    fn webcam() -> Vec<Format> {
        vec![
            each(yuy2(), 640, 480, &[30, 24, 20, 15, 10]),
            each(yuy2(), 320, 240, &[30, 15]),
            each(yuy2(), 1280, 720, &[10, 5]),
            each(yuy2(), 1920, 1080, &[5]),
            each(Encoding::Mjpeg, 640, 480, &[30, 15]),
            each(Encoding::Mjpeg, 1280, 720, &[30, 15]),
            each(Encoding::Mjpeg, 1920, 1080, &[30, 15]),
            each(Encoding::H264, 1920, 1080, &[60, 30]),
        ]
    }

    #[track_caller]
    fn check(formats: &[Format], width: u32, height: u32, fps: f64, chosen: &str, lack: Option<&str>) {
        let needed = Needed { width, height, fps };
        let choice = choose(formats, &needed).unwrap();
        assert_eq!((choice.to_string().as_str(), choice.lack(&needed).as_deref()), (chosen, lack));
    }

    #[test]
    fn raw_pictures_are_chosen_where_the_bus_carries_them() {
        check(&webcam(), 640, 480, 15.0, "raw YUY2 640x480 at 15 fps", None);
        check(&webcam(), 1280, 720, 10.0, "raw YUY2 1280x720 at 10 fps", None);
        check(&webcam(), 1920, 1080, 5.0, "raw YUY2 1920x1080 at 5 fps", None);
    }

    #[test]
    fn jpeg_is_chosen_for_rates_that_raw_pictures_do_not_have_and_h264_for_higher_ones() {
        check(&webcam(), 1280, 720, 15.0, "JPEG 1280x720 at 15 fps", None);
        check(&webcam(), 1920, 1080, 30.0, "JPEG 1920x1080 at 30 fps", None);
        check(&webcam(), 1920, 1080, 60.0, "H.264 1920x1080 at 60 fps", None);
    }

    #[test]
    fn a_rate_that_is_not_there_is_the_next_faster_one() {
        check(&webcam(), 640, 480, 12.0, "raw YUY2 640x480 at 15 fps", None);
        check(&webcam(), 640, 480, 29.97, "raw YUY2 640x480 at 30 fps", None);
        let ntsc =
            [Format { rates: Rates::Each(vec![(30_000, 1001), (15, 1)]), ..each(yuy2(), 640, 480, &[]) }];
        check(&ntsc, 640, 480, 30.0, "raw YUY2 640x480 at 29.97 fps", None);
    }

    #[test]
    fn a_size_that_is_not_there_is_scaled_from_the_next_larger_one() {
        check(&webcam(), 800, 600, 15.0, "JPEG 1280x720 at 15 fps", None);
        check(&webcam(), 640, 360, 15.0, "raw YUY2 640x480 at 15 fps", None);
        let lack = "its largest picture at 15 fps is 1920x1080, which is scaled up to 3840x2160";
        check(&webcam(), 3840, 2160, 15.0, "JPEG 1920x1080 at 15 fps", Some(lack));
    }

    #[test]
    fn a_rate_that_no_format_has_is_told() {
        let slow = [each(yuy2(), 640, 480, &[10, 5]), each(yuy2(), 320, 240, &[12])];
        check(
            &slow,
            640,
            480,
            15.0,
            "raw YUY2 320x240 at 12 fps",
            Some("it gives at most 12 of 15 fps at 320x240"),
        );
    }

    #[test]
    fn ranges_have_any_size_and_rate_within() {
        let stepwise = [Format {
            encoding: yuy2(),
            width: (32, 1920),
            height: (32, 1080),
            rates: Rates::Between((1, 1), (30, 1)),
        }];
        check(&stepwise, 640, 360, 14.985, "raw YUY2 640x360 at 14.99 fps", None);
        let choice = choose(&stepwise, &Needed { width: 640, height: 360, fps: 15.0 }).unwrap();
        assert_eq!(choice.caps(), "video/x-raw,format=YUY2,width=640,height=360,framerate=15/1");
        assert_eq!(stepwise[0].to_string(), "raw YUY2 32x32 to 1920x1080 at 1 to 30 fps");
        check(
            &stepwise,
            640,
            360,
            60.0,
            "raw YUY2 640x360 at 30 fps",
            Some("it gives at most 30 of 60 fps at 640x360"),
        );
    }

    #[test]
    fn a_camera_without_formats_has_no_choice() {
        assert_eq!(choose(&[], &Needed { width: 640, height: 480, fps: 15.0 }), None);
    }
}
