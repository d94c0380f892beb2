//! `[clip]` and `[camera.NAME.clip]`: how clips are encoded.

use super::reader::{At, KeyNames, Reader, Table, by, table};
use super::shape::{Shape as ValueShape, UnknownKeys};
use super::values::{boolean, one_of, spanned, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::model::{ClipOptions, Codec, Encoder, Shape};

/// The least and the greatest bit rate.
const BIT_RATES: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;

/// The options as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawClip {
    /// `Some(None)` is `source`.
    pub(super) codec: Option<Option<Codec>>,
    pub(super) bitrate: Option<u64>,
    pub(super) gop: Option<u32>,
    pub(super) b_frames: Option<u32>,
    pub(super) shape: Option<Shape>,
    pub(super) encoder: Option<Encoder>,
}

impl RawClip {
    /// These options, and where one is not given, that of `wider`. An option that the
    /// codec does not have is left out.
    pub(super) fn resolve(self, wider: RawClip) -> ClipOptions {
        let codec = self.codec.or(wider.codec).flatten();
        let gop = self.gop.or(wider.gop);
        let b_frames = self.b_frames.or(wider.b_frames);
        let encoder = self.encoder.or(wider.encoder);
        ClipOptions {
            codec,
            bitrate: self.bitrate.or(wider.bitrate),
            gop: gop.filter(|_| codec.is_none_or(Codec::has_gop)),
            b_frames: b_frames.filter(|_| codec.is_none_or(Codec::has_b_frames)),
            shape: self.shape.or(wider.shape).unwrap_or_default(),
            // That of a camera's own codec has precedence over a wider encoder.
            encoder: encoder.filter(|encoder| codec.is_none_or(|codec| codec == encoder.codec())),
        }
    }
}

/// `[clip]`, with `drop_only`.
pub(super) fn clip() -> impl Reader<Value = (Option<bool>, RawClip)> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let drop_only = "`true`: a clip with too few frames gets no copies; `false` if not given";
        let drop_only = table.optional("drop_only", drop_only, boolean(), diagnostics);
        Some((drop_only, options(table, diagnostics)))
    })
}

/// `[camera.NAME.clip]`
pub(super) fn camera_clip() -> impl Reader<Value = RawClip> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| Some(options(table, diagnostics)))
}

fn options(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> RawClip {
    const WORDS: &[(&str, Option<Codec>)] = &[
        ("source", None),
        ("h264", Some(Codec::H264)),
        ("h265", Some(Codec::H265)),
        ("vp9", Some(Codec::Vp9)),
        ("av1", Some(Codec::Av1)),
        ("mjpeg", Some(Codec::Mjpeg)),
    ];
    const SHAPES: &[(&str, Shape)] =
        &[("letterbox", Shape::Letterbox), ("stretch", Shape::Stretch), ("crop", Shape::Crop)];
    const ENCODERS: &[(&str, Encoder)] = &[
        ("x264enc", Encoder::X264),
        ("openh264enc", Encoder::OpenH264),
        ("x265enc", Encoder::X265),
        ("vah264enc", Encoder::VaH264),
        ("vah265enc", Encoder::VaH265),
        ("nvh264enc", Encoder::NvH264),
        ("nvh265enc", Encoder::NvH265),
    ];
    let codec =
        "The codec of clips; `source` if not given: that of the file, which is played as it is if it fits";
    let bit_rate = "Bits per second, with `k` or `M`: `8M`; if not given, as many per pixel as in the file";
    let gop = "The most frames from one key frame to the next; those of two seconds if not given";
    let b_frames = "B-frames in a row; 0 if not given";
    let shape = "What becomes of a picture of other proportions: bars fill the rest, it is stretched, or cut off; `letterbox` if not given";
    let encoder = "The element that encodes clips; a software encoder of their codec if not given";
    let codec = table.optional("codec", codec, one_of(WORDS), diagnostics);
    let raw = RawClip {
        codec,
        bitrate: table.optional("bitrate", bit_rate, bitrate(), diagnostics),
        ..RawClip::default()
    };
    let gop = table.optional("gop", gop, spanned(whole(1, 10_000)), diagnostics);
    let b_frames = table.optional("b_frames", b_frames, spanned(whole(0, 16)), diagnostics);
    let shape = table.optional("shape", shape, one_of(SHAPES), diagnostics);
    let encoder = table.optional("encoder", encoder, spanned(one_of(ENCODERS)), diagnostics);
    let codec = codec.flatten();
    RawClip {
        shape,
        encoder: encoder.and_then(|encoder| fitting(encoder, codec, diagnostics)),
        gop: supported("gop", "key frames apart from others", gop, codec, Codec::has_gop, diagnostics),
        b_frames: supported("b_frames", "B-frames", b_frames, codec, Codec::has_b_frames, diagnostics),
        ..raw
    }
}

/// An encoder of the codec beside it.
fn fitting(given: Spanned<Encoder>, codec: Option<Codec>, diagnostics: &mut Diagnostics) -> Option<Encoder> {
    let encoder = given.value;
    if let Some(codec) = codec.filter(|codec| *codec != encoder.codec()) {
        let message = format!("`encoder` does not go with `codec = \"{}\"`", codec.word());
        diagnostics.push(
            Diagnostic::error(codes::CODEC_OPTION, message)
                .at(given.place)
                .label(format!("it makes {}", encoder.codec().name()))
                .help(format!("leave `encoder` out, or choose `codec = \"{}\"`", encoder.codec().word())),
        );
        return None;
    }
    Some(encoder)
}

/// The value of an option that the codec beside it must have.
fn supported(
    key: &str,
    what: &str,
    given: Option<Spanned<u32>>,
    codec: Option<Codec>,
    has: fn(Codec) -> bool,
    diagnostics: &mut Diagnostics,
) -> Option<u32> {
    let given = given?;
    if let Some(codec) = codec.filter(|codec| !has(*codec)) {
        let message = format!("`{key}` does not go with `codec = \"{}\"`", codec.word());
        diagnostics.push(
            Diagnostic::error(codes::CODEC_OPTION, message)
                .at(given.place)
                .label(format!("clips in {} have no {what}", codec.name()))
                .help(format!("leave `{key}` out, or choose `h264` or `h265`")),
        );
    }
    Some(given.value)
}

/// `8M`, `500k` or a whole number.
fn bitrate() -> impl Reader<Value = u64> + Copy {
    let number = || ValueShape::Whole { min: 1_000, max: 1_000_000_000 };
    by(
        move || {
            ValueShape::Either(vec![
                ValueShape::String(Some(r"^[0-9]+(\.[0-9]+)?[kM]?$".to_owned())),
                number(),
            ])
        },
        |at, diagnostics| {
            let Some(text) = at.as_string() else { return whole(1_000, 1_000_000_000).read(at, diagnostics) };
            match parse(text) {
                Some(bits) if BIT_RATES.contains(&bits) => Some(bits),
                Some(_) => refuse(at, "from `1k` to `1000M`", diagnostics),
                None => refuse(at, "bits per second, such as `8M` or `500k`", diagnostics),
            }
        },
    )
}

fn refuse(at: &At<'_>, expected: &str, diagnostics: &mut Diagnostics) -> Option<u64> {
    diagnostics.push(at.fault(codes::BAD_BIT_RATE, &format!("`{}` must be {expected}", at.name)));
    None
}

fn parse(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['k', 'M']) {
        Some(number) if text.ends_with('M') => (number, 1e6),
        Some(number) => (number, 1e3),
        None => (text, 1.0),
    };
    bits_per_second(number, unit)
}

/// So many units of bits per second; `None` if the number is not written as one: `4`, `1.5`.
pub(super) fn bits_per_second(number: &str, unit: f64) -> Option<u64> {
    if !number.starts_with(|c: char| c.is_ascii_digit()) || !number.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let bits = number.parse::<f64>().ok().filter(|_| is_plain)? * unit;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..1e18).contains(&bits).then_some(bits.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_have_units() {
        let read =
            ["8M", "2.5M", "500k", "64000", "8m", "M", "8 M", "-8M", "1e9", ".5M", "5.M", ""].map(parse);
        let bits = [8_000_000, 2_500_000, 500_000, 64_000].map(Some);
        assert_eq!((&read[..4], &read[4..]), (&bits[..], &[None; 8][..]));
    }

    #[test]
    fn a_camera_takes_the_options_that_it_does_not_give() {
        let wider = RawClip {
            codec: Some(Some(Codec::H265)),
            gop: Some(30),
            b_frames: Some(2),
            ..RawClip::default()
        };
        let camera =
            RawClip { codec: Some(Some(Codec::Vp9)), bitrate: Some(8_000_000), ..RawClip::default() };
        let options = camera.resolve(wider);
        assert_eq!(options.suffix(), "-vp9-8M-g30");
        assert_eq!(RawClip { codec: Some(None), ..RawClip::default() }.resolve(wider).codec, None);
    }
}
