//! Encoders and containers of clips, as elements.
//!
//! All give the same bytes for the same frames: they work with one thread, and none
//! looks at the clock. Streams are like those of cameras: no frame waits for later ones
//! unless B-frames are asked for, and the bit rate is held.

use crate::pipeline::Element;
use crate::pipeline::codec::Codec;

/// How frames are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Encoding {
    pub(super) codec: Codec,
    /// The encoder, by its factory.
    pub(super) factory: &'static str,
    pub(super) rate: RateControl,
    /// Frames from one key frame to the next, at most.
    pub(super) gop: u32,
    /// B-frames in a row.
    pub(super) b_frames: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RateControl {
    /// Bits per second.
    Bits(u64),
    /// The encoder's usual quality, whatever it takes. `true`: a bit better.
    Quality(bool),
}

/// The software encoder of a codec: the first of them. Of H.264 there is another one.
pub(super) fn factory(codec: Codec, rate: RateControl) -> &'static str {
    match (codec, rate) {
        (Codec::H264, _) => "x264enc",
        (Codec::H265, _) => "x265enc",
        // `jpegenc` holds no bit rate.
        (Codec::Mjpeg, RateControl::Bits(_)) => "avenc_mjpeg",
        (Codec::Mjpeg, RateControl::Quality(_)) => "jpegenc",
        (Codec::Vp9, _) => "vp9enc",
        (Codec::Av1, _) => "av1enc",
    }
}

/// From raw frames to the bytes of a file.
pub(super) fn elements(encoding: &Encoding) -> Vec<Element> {
    let Encoding { codec, factory, rate, gop, b_frames } = *encoding;
    let gop = i64::from(gop);
    let encoder = Element::new(factory);
    let kilobits = |bits: u64| i64::try_from((bits / 1_000).max(1)).unwrap_or(i64::MAX);
    let mut elements = Vec::new();
    let encoder = match codec {
        _ if factory.starts_with("va") || factory.starts_with("nv") => {
            // They take other formats than the rest of the pipeline gives.
            elements.push(Element::new("videoconvert"));
            hardware(encoder, factory, rate, gop, b_frames)
        }
        Codec::H264 if factory == "openh264enc" => {
            // With more threads the bytes depend on their number.
            let encoder = encoder.int("multi-thread", 1).int("gop-size", gop);
            match rate {
                RateControl::Bits(bits) => encoder
                    .text("rate-control", "bitrate")
                    .int("bitrate", kilobits(bits).saturating_mul(1_000).min(i32::MAX.into())),
                RateControl::Quality(_) => encoder.text("rate-control", "off"),
            }
        }
        Codec::H264 => {
            let encoder = encoder.text("speed-preset", "veryfast");
            // It would set the number of B-frames to 0.
            let encoder = if b_frames == 0 { encoder.text("tune", "zerolatency") } else { encoder };
            let encoder = match rate {
                RateControl::Bits(bits) => encoder.int("bitrate", kilobits(bits)),
                RateControl::Quality(is_better) => {
                    encoder.text("pass", "quant").int("quantizer", if is_better { 21 } else { 23 })
                }
            };
            let encoder = encoder.int("key-int-max", gop);
            let encoder = if b_frames == 0 {
                encoder
            } else {
                encoder.int("bframes", b_frames.into()).bool("b-adapt", false)
            };
            // With more threads the bytes depend on their number.
            encoder.int("threads", 1)
        }
        Codec::H265 => {
            let encoder = encoder.text("speed-preset", "veryfast");
            let encoder = if b_frames == 0 { encoder.text("tune", "zerolatency") } else { encoder };
            let encoder = match rate {
                RateControl::Bits(bits) => encoder.int("bitrate", kilobits(bits)),
                RateControl::Quality(is_better) => encoder.int("qp", if is_better { 24 } else { 26 }),
            };
            // One thread, no note of the options in the stream, closed GOPs.
            let options =
                format!("pools=none:frame-threads=1:wpp=0:info=0:open-gop=0:b-adapt=0:bframes={b_frames}");
            encoder.int("key-int-max", gop).text("option-string", &options)
        }
        Codec::Vp9 => {
            let encoder =
                encoder.int("deadline", 1).int("cpu-used", 6).int("threads", 1).int("lag-in-frames", 0);
            let encoder = match rate {
                RateControl::Bits(bits) => encoder
                    .text("end-usage", "cbr")
                    .int("target-bitrate", kilobits(bits).saturating_mul(1_000).min(i32::MAX.into())),
                RateControl::Quality(_) => encoder.int("min-quantizer", 30).int("max-quantizer", 30),
            };
            encoder.int("keyframe-max-dist", gop)
        }
        Codec::Av1 => {
            let encoder = encoder
                .text("usage-profile", "realtime")
                .int("cpu-used", 8)
                .int("threads", 1)
                .int("lag-in-frames", 0);
            let encoder = match rate {
                // `cbr` of libaom 3.6 aborts the process over some streams.
                RateControl::Bits(bits) => {
                    encoder.text("end-usage", "vbr").int("target-bitrate", kilobits(bits))
                }
                RateControl::Quality(_) => encoder.int("min-quantizer", 30).int("max-quantizer", 30),
            };
            encoder.int("keyframe-max-dist", gop)
        }
        Codec::Mjpeg => match rate {
            RateControl::Bits(bits) => {
                encoder.int("bitrate", kilobits(bits).saturating_mul(1_000).min(i32::MAX.into()))
            }
            RateControl::Quality(is_better) => encoder.int("quality", if is_better { 90 } else { 85 }),
        },
    };
    elements.push(encoder);
    elements.extend(container(codec, false));
    elements
}

/// An encoder of a graphics processor. `lp` was tried with none.
fn hardware(encoder: Element, factory: &str, rate: RateControl, gop: i64, b_frames: u32) -> Element {
    let (gop_key, b_frames_key) =
        if factory.starts_with("va") { ("key-int-max", "b-frames") } else { ("gop-size", "bframes") };
    let encoder = encoder.int(gop_key, gop);
    let encoder = if b_frames == 0 { encoder } else { encoder.int(b_frames_key, b_frames.into()) };
    match rate {
        RateControl::Bits(bits) => encoder
            .text("rate-control", "cbr")
            .int("bitrate", i64::try_from(bits / 1_000).unwrap_or(i64::MAX)),
        RateControl::Quality(_) => encoder,
    }
}

/// From a codec's frames to the bytes of a file that `qtdemux` reads. `reorders`: the
/// times of decoding are to be computed, as some containers do not have them.
pub(super) fn container(codec: Codec, reorders: bool) -> Vec<Element> {
    let element = Element::new;
    match codec {
        Codec::H264 | Codec::H265 => {
            let timestamper = if codec == Codec::H264 { "h264timestamper" } else { "h265timestamper" };
            let timestamper = reorders.then(|| element(timestamper));
            let parser = Some(element(codec.parser()));
            parser.into_iter().chain(timestamper).chain([element("mp4mux")]).collect()
        }
        // `mp4mux` ends the process if the place of the colours is not named.
        Codec::Vp9 => {
            let named = element("capssetter").text("caps", "video/x-vp9,chroma-site=mpeg2");
            vec![element("vp9parse"), named, element("mp4mux")]
        }
        Codec::Av1 => vec![element("av1parse"), element("mp4mux")],
        // `qtmux` loses the last frame after `jpegparse`, and MP4 has no JPEG.
        Codec::Mjpeg => vec![Element::caps("image/jpeg"), element("qtmux")],
    }
}
