//! The GStreamer factories of tasks, and which of them only some clips need.
//!
//! A task's key has the versions of all factories that it may use. A machine needs
//! fewer: nothing is missing if it cannot encode AV1 and no clip is in AV1.

use std::collections::{BTreeMap, BTreeSet};

use super::task::{Action, Task};
use crate::dialect::share;
use crate::model::{Codec, Pace};
use crate::plan::CameraPlan;
use crate::plan::lane::Lane;

/// The factories that drawing a scene needs.
pub const GENERATE_FACTORIES: [&str; 6] =
    ["videoconvert", "capsfilter", "x264enc", "h264parse", "mp4mux", "filesink"];

/// The factories that making any clip needs.
const CLIP_FACTORIES: [&str; 13] = [
    "filesrc",
    "parsebin",
    "funnel",
    "fakesink",
    "qtdemux",
    "decodebin",
    "deinterlace",
    "videoflip",
    "videoconvert",
    "videoscale",
    "capsfilter",
    "filesink",
    "mp4mux",
];

/// The factories that read clips in a codec, and put them into a container.
fn readers(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::H264 => &["h264parse", "avdec_h264", "h264timestamper"],
        Codec::H265 => &["h265parse", "avdec_h265", "h265timestamper"],
        Codec::Mjpeg => &["jpegparse", "avdec_mjpeg", "qtmux"],
        Codec::Vp9 => &["vp9parse", "vp9dec", "capssetter"],
        Codec::Av1 => &["av1parse", "av1dec"],
    }
}

fn encoders(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::H264 => &["x264enc"],
        Codec::H265 => &["x265enc"],
        Codec::Mjpeg => &["jpegenc", "avenc_mjpeg"],
        Codec::Vp9 => &["vp9enc"],
        Codec::Av1 => &["av1enc"],
    }
}

/// The factories that making a clip may need: of encoders, only those of the codec if
/// one is asked for.
#[must_use]
pub fn transcode_factories(codec: Option<Codec>) -> Vec<&'static str> {
    let encoded = codec.map_or(Codec::ALL.to_vec(), |codec| vec![codec]);
    let encoders = encoded.into_iter().flat_map(encoders);
    let readers = Codec::ALL.into_iter().flat_map(readers);
    CLIP_FACTORIES.iter().chain(readers).chain(encoders).copied().collect()
}

/// The factories without which a task cannot be done. Making a clip does without those
/// of codecs that nobody asks for: it fails or goes on by what the clip turns out to be.
#[must_use]
pub fn must_have(task: &Task) -> Vec<&str> {
    let asked = match &task.action {
        Action::Transcode(transcode) => transcode.clip.codec,
        _ => return task.factories.iter().map(String::as_str).collect(),
    };
    let others: Vec<Codec> =
        Codec::ALL.into_iter().filter(|codec| *codec != Codec::H264 && Some(*codec) != asked).collect();
    let is_optional = |name: &str| {
        others.iter().any(|codec| readers(*codec).contains(&name) || encoders(*codec).contains(&name))
    };
    task.factories.iter().map(String::as_str).filter(|name| !is_optional(name)).collect()
}

/// Who needs a factory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The lane, whatever its clips are.
    Always,
    /// Only clips in one of these codecs.
    ClipsIn(Vec<Codec>),
}

/// What a machine needs to build and play a lane with these tasks. `H.264` is always
/// needed: scenes are drawn in it, and clips in a codec that `lp` does not know become it.
#[must_use]
pub fn needs(lane: &Lane, pace: Pace, tasks: &[Task]) -> BTreeMap<String, Need> {
    let mut needed: BTreeSet<String> =
        GENERATE_FACTORIES.iter().chain(&CLIP_FACTORIES).map(|name| (*name).to_owned()).collect();
    needed.extend(of_clips(Codec::H264));
    for task in tasks {
        match &task.action {
            Action::Transcode(transcode) => {
                needed.extend(transcode.clip.codec.into_iter().flat_map(of_clips))
            }
            // Theirs are those of the plans below.
            Action::Run(_) | Action::Density(_) => {}
            _ => needed.extend(task.factories.iter().cloned()),
        }
    }
    let mut only: BTreeMap<String, Vec<Codec>> = BTreeMap::new();
    for codec in Codec::ALL {
        let playing = lane.cameras.iter().filter(|planned| planned.plan.plays_unknown_codec());
        let playing = playing.flat_map(|planned| played(&planned.plan.with_codec(codec), pace));
        for name in of_clips(codec).chain(playing) {
            let codecs = only.entry(name).or_default();
            if codecs.last() != Some(&codec) {
                codecs.push(codec);
            }
        }
    }
    for planned in &lane.cameras {
        let plan = &planned.plan;
        let codec = planned.camera().clip.codec.unwrap_or(Codec::H264);
        needed.extend(played(
            &if plan.plays_unknown_codec() { plan.with_codec(codec) } else { plan.clone() },
            pace,
        ));
    }
    let mut needs: BTreeMap<String, Need> =
        only.into_iter().map(|(name, codecs)| (name, Need::ClipsIn(codecs))).collect();
    needs.extend(needed.into_iter().map(|name| (name, Need::Always)));
    needs
}

/// The factories for clips in a codec.
fn of_clips(codec: Codec) -> impl Iterator<Item = String> {
    readers(codec).iter().chain(encoders(codec)).map(|name| (*name).to_owned())
}

fn played(plan: &CameraPlan, pace: Pace) -> Vec<String> {
    let pipelines = share::pipelines(plan, pace);
    pipelines.iter().flat_map(|played| played.spec.factories()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::task::Transcode;
    use crate::model::ClipOptions;

    #[test]
    fn a_clip_is_made_without_elements_of_codecs_that_nobody_asks_for() {
        let must_have = |codec| {
            let clip = ClipOptions { codec, ..ClipOptions::default() };
            let transcode = Transcode {
                width: 640,
                height: 360,
                framerate: "15/1".to_owned(),
                drop_only: false,
                clip,
                version: Transcode::VERSION,
            };
            let task = Task::new("transcode:a.mp4".to_owned(), Action::Transcode(transcode));
            let task = task.uses(transcode_factories(codec));
            must_have(&task).into_iter().map(str::to_owned).collect::<BTreeSet<String>>()
        };
        let usual = must_have(None);
        assert!(["x264enc", "avdec_h264", "qtdemux"].iter().all(|name| usual.contains(*name)), "{usual:?}");
        let added: Vec<String> = must_have(Some(Codec::Av1)).difference(&usual).cloned().collect();
        assert_eq!(added, ["av1dec", "av1enc", "av1parse"]);
    }
}
