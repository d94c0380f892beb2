//! Which elements are steps, and what they do to frames.

use crate::pipeline::files::is_sink;

/// What an element does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Passes frames on as they are, or makes no work of its own.
    Plumbing,
    /// Changes size, rate or format, as caps after it ask.
    Converter,
    /// Makes coded video of raw video.
    Encoder,
    /// Works on coded video: a parser, a muxer, a decoder.
    Coded,
    /// Runs a model.
    Model,
    /// Follows what models found.
    Tracker,
    /// Publishes, writes or shows what was found.
    Output,
    /// Any other work on frames.
    Work,
}

/// `lp` puts a `videoconvert` before steps; it goes with its step.
const PLUMBING: [&str; 10] = [
    "queue",
    "queue2",
    "multiqueue",
    "tee",
    "capsfilter",
    "valve",
    "clocksync",
    "funnel",
    "gvafpscounter",
    "videoconvert",
];

const CONVERTERS: [&str; 9] = [
    "videoscale",
    "videoconvertscale",
    "videorate",
    "videocrop",
    "videobox",
    "aspectratiocrop",
    "vapostproc",
    "autovideoconvert",
    "deinterlace",
];

/// Elements that run models, by the beginning of their factory's name.
const MODELS: [&str; 10] = [
    "gvadetect",
    "gvaclassify",
    "gvainference",
    "gvapython",
    "gvagenai",
    "gvaaudiodetect",
    "onnxinference",
    "tfliteinference",
    "tensor_filter",
    "ssdobjectdetector",
];

pub(super) fn kind(factory: &str) -> Kind {
    let ends = |endings: &[&str]| endings.iter().any(|ending| factory.ends_with(ending));
    match factory {
        _ if PLUMBING.contains(&factory) => Kind::Plumbing,
        _ if CONVERTERS.contains(&factory) || factory.starts_with("varender") => Kind::Converter,
        _ if MODELS.iter().any(|begin| factory.starts_with(begin)) => Kind::Model,
        "gvatrack" => Kind::Tracker,
        _ if ["gvameta", "gvawatermark"].iter().any(|begin| factory.starts_with(begin)) => Kind::Output,
        // Sinks are dealt with by name, as each stream has one.
        _ if is_sink(factory) => Kind::Plumbing,
        _ if ends(&["enc"]) || factory.starts_with("avenc_") => Kind::Encoder,
        _ if ends(&["dec", "parse", "mux", "demux", "pay", "depay", "timestamper"])
            || factory.starts_with("avdec_")
            || factory.starts_with("decodebin") =>
        {
            Kind::Coded
        }
        _ => Kind::Work,
    }
}
