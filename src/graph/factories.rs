//! The GStreamer factories of tasks, and which of them only some clips need.
//!
//! A task's key has the versions of all factories that it may use. A machine needs
//! fewer: nothing is missing if it cannot encode AV1 and no clip is in AV1.

use std::collections::{BTreeMap, BTreeSet};

use super::task::{Action, Task};
use crate::dialect::share;
use crate::model::{ClipOptions, Codec, Encoder, Pace, Shape};
use crate::plan::CameraPlan;
use crate::plan::lane::Lane;

/// The factories that drawing a scene needs.
pub const GENERATE_FACTORIES: [&str; 6] =
    ["videoconvert", "capsfilter", "x264enc", "h264parse", "mp4mux", "filesink"];

/// The encoders of H.264, of which the first that is installed is used.
pub const H264_ENCODERS: [&str; 2] = ["x264enc", "openh264enc"];

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

/// The factory that cuts off what does not fit into a camera's proportions.
pub const CROP: &str = "aspectratiocrop";

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
        Codec::H264 => &H264_ENCODERS,
        Codec::H265 => &["x265enc"],
        Codec::Mjpeg => &["jpegenc", "avenc_mjpeg"],
        Codec::Vp9 => &["vp9enc"],
        Codec::Av1 => &["av1enc"],
    }
}

/// The factories that making a clip may need: of encoders, only those of the codec, or the
/// one, that is asked for.
#[must_use]
pub fn transcode_factories(clip: &ClipOptions) -> Vec<&'static str> {
    let encoded = clip.codec.map_or(Codec::ALL.to_vec(), |codec| vec![codec]);
    let mut encoders: Vec<&str> = encoded.into_iter().flat_map(encoders).copied().collect();
    if let Some(encoder) = clip.encoder {
        encoders = vec![encoder.factory()];
    }
    let readers = Codec::ALL.into_iter().flat_map(readers);
    let crop = (clip.shape == Shape::Crop).then_some(CROP);
    CLIP_FACTORIES.iter().chain(readers).copied().chain(encoders).chain(crop).collect()
}

/// The factories without which a task cannot be done. Making a clip does without those
/// of codecs that nobody asks for: it fails or goes on by what the clip turns out to be.
/// Of the encoders of H.264 one is enough: see [`missing_h264_encoder`].
#[must_use]
pub fn must_have(task: &Task) -> Vec<&str> {
    let asked = match &task.action {
        Action::Transcode(transcode) => &transcode.clip,
        _ => return task.factories.iter().map(String::as_str).collect(),
    };
    let others: Vec<Codec> =
        Codec::ALL.into_iter().filter(|codec| *codec != Codec::H264 && Some(*codec) != asked.codec).collect();
    let named = asked.encoder.map(Encoder::factory);
    let is_optional = |name: &str| {
        if Some(name) == named {
            return false;
        }
        H264_ENCODERS.contains(&name)
            || others.iter().any(|codec| readers(*codec).contains(&name) || encoders(*codec).contains(&name))
    };
    task.factories.iter().map(String::as_str).filter(|name| !is_optional(name)).collect()
}

/// An encoder of H.264, if a task needs any and this machine, `has`, has none.
#[must_use]
pub fn missing_h264_encoder(task: &Task, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let needed = H264_ENCODERS.iter().all(|name| task.factories.iter().any(|other| other == name));
    (needed && !H264_ENCODERS.iter().any(|name| has(name))).then_some(H264_ENCODERS[0])
}

/// The factories of a task that this machine, `has`, uses: for a clip, of the encoders of H.264 the
/// first that it has. Another one that is installed makes no difference.
pub fn used(task: &Task, has: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let all = || task.factories.iter().map(String::as_str);
    let is_clip = matches!(task.action, Action::Transcode(_));
    let is_found = |name: &&str| is_clip && all().any(|other| other == *name) && has(name);
    let encoder = H264_ENCODERS.into_iter().find(is_found);
    all().filter(move |name| encoder.is_none_or(|encoder| *name == encoder || !H264_ENCODERS.contains(name)))
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
                let clip = &transcode.clip;
                needed.extend(clip.codec.into_iter().flat_map(of_clips));
                needed.extend(clip.encoder.map(|encoder| encoder.factory().to_owned()));
                needed.extend((clip.shape == Shape::Crop).then(|| CROP.to_owned()));
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
    // Scenes are drawn with the first encoder of H.264.
    let encoders = encoders(codec).iter().filter(|name| **name != H264_ENCODERS[1]);
    readers(codec).iter().chain(encoders).map(|name| (*name).to_owned())
}

fn played(plan: &CameraPlan, pace: Pace) -> Vec<String> {
    let pipelines = share::pipelines(plan, pace);
    pipelines.iter().flat_map(|played| played.spec.factories()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::task::Transcode;

    fn task(clip: ClipOptions) -> Task {
        let transcode = Transcode {
            width: 640,
            height: 360,
            framerate: "15/1".to_owned(),
            drop_only: false,
            clip,
            version: Transcode::VERSION,
        };
        let task = Task::new("transcode:a.mp4".to_owned(), Action::Transcode(transcode));
        task.uses(transcode_factories(&clip))
    }

    #[test]
    fn of_the_encoders_of_h264_only_the_first_is_used() {
        let encoders = |task: &Task, installed: &[&str]| {
            let used =
                used(task, |name| installed.contains(&name)).filter(|name| H264_ENCODERS.contains(name));
            used.map(str::to_owned).collect::<Vec<_>>()
        };
        let any = task(ClipOptions::default());
        assert_eq!(encoders(&any, &["x264enc", "openh264enc"]), ["x264enc"]);
        assert_eq!(encoders(&any, &["x264enc"]), ["x264enc"]);
        assert_eq!(encoders(&any, &["openh264enc"]), ["openh264enc"]);
        let named = task(ClipOptions { encoder: Some(Encoder::OpenH264), ..ClipOptions::default() });
        assert_eq!(encoders(&named, &["x264enc", "openh264enc"]), ["openh264enc"]);
    }

    #[test]
    fn a_clip_is_made_without_elements_of_codecs_that_nobody_asks_for() {
        let must_have = |codec| {
            let task = task(ClipOptions { codec, ..ClipOptions::default() });
            must_have(&task).into_iter().map(str::to_owned).collect::<BTreeSet<String>>()
        };
        let usual = must_have(None);
        assert!(!usual.contains("x264enc") && !usual.contains("openh264enc"));
        assert!(["avdec_h264", "qtdemux"].iter().all(|name| usual.contains(*name)), "{usual:?}");
        let added: Vec<String> = must_have(Some(Codec::Av1)).difference(&usual).cloned().collect();
        assert_eq!(added, ["av1dec", "av1enc", "av1parse"]);
    }
}
