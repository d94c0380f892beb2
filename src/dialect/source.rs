//! The head of every measured pipeline: from the source to decoded frames.

use super::element_name;
use crate::config::project::Pace;
use crate::path::ProjectPath;
use crate::pipeline::{Element, Playback, SCENE_SOURCE, Value};
use crate::plan::{CameraPlan, PlannedPipeline, PlannedSource};

/// Elements up to the queue behind the decoder, and where to measure.
pub(super) struct Head {
    pub(super) elements: Vec<Element>,
    pub(super) playback: Playback,
    pub(super) ingress: Option<usize>,
    pub(super) decoder: usize,
}

/// Builds the head for a camera's source.
///
/// A paced file is what a camera would deliver: `clocksync` holds each encoded
/// frame back until its time, and the queue behind the decoder drops frames
/// when the steps cannot keep up. No leaky queue stands before the decoder,
/// where a lost buffer would damage the frames after it.
pub(super) fn head(plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Head {
    let name = |what| element_name(plan, pipeline, what);
    let queue = |leaky| {
        let queue = Element::new("queue").named(&name("queue")).int("max-size-buffers", 3);
        if leaky { queue.text("leaky", "downstream") } else { queue }
    };
    match &plan.source {
        PlannedSource::File { clip } => file(clip, &name, pace, &queue),
        PlannedSource::Rtsp { uri, .. } => Head {
            elements: vec![
                Element::new("rtspsrc")
                    .named(&name("source"))
                    .text("location", uri)
                    .text("protocols", "tcp")
                    .int("latency", 300),
                Element::new("rtph264depay"),
                Element::new("h264parse"),
                decoder(),
                queue(true),
            ],
            playback: Playback::Once,
            ingress: Some(2),
            decoder: 3,
        },
        PlannedSource::Usb { device } => Head {
            elements: vec![
                Element::new("v4l2src").named(&name("source")).text("device", device),
                Element::new("videoconvert"),
                Element::new("videoscale"),
                Element::new("videorate"),
                Element::caps(&raw_caps(plan)),
                queue(true),
            ],
            playback: Playback::Once,
            // Behind `videorate`, which gives frames new times.
            ingress: Some(4),
            decoder: 4,
        },
        PlannedSource::Synthetic { scene } => Head {
            elements: vec![
                Element::new(SCENE_SOURCE)
                    .named(&name("source"))
                    .text("scene", &serde_json::to_string(scene).expect("a scene has text keys"))
                    .bool("is-live", pace == Pace::Live),
                Element::new("videoconvert"),
                Element::new("videoscale"),
                Element::new("videorate"),
                Element::caps(&raw_caps(plan)),
                queue(pace == Pace::Live),
            ],
            playback: Playback::Once,
            ingress: (pace == Pace::Live).then_some(4),
            decoder: 4,
        },
    }
}

fn file(
    clip: &ProjectPath,
    name: &dyn Fn(&'static str) -> String,
    pace: Pace,
    queue: &dyn Fn(bool) -> Element,
) -> Head {
    let mut elements = vec![
        Element::new("filesrc").named(&name("source")).set("location", Value::Input(clip.clone())),
        Element::new("qtdemux"),
        Element::new("h264parse"),
    ];
    let ingress = match pace {
        Pace::Live => {
            elements.push(Element::new("clocksync").named(&name("clocksync")));
            Some(3)
        }
        Pace::Free => None,
    };
    let decoder_index = elements.len();
    elements.push(decoder());
    elements.push(queue(pace == Pace::Live));
    let playback = match pace {
        Pace::Live => Playback::Loop,
        Pace::Free => Playback::Once,
    };
    Head { elements, playback, ingress, decoder: decoder_index }
}

/// One thread per stream: many streams share the cores, and frame threads would
/// add their own delay to each.
fn decoder() -> Element {
    Element::new("avdec_h264").int("max-threads", 1)
}

fn raw_caps(plan: &CameraPlan) -> String {
    format!("video/x-raw,width={},height={},framerate={}", plan.width, plan.height, fraction(plan.fps))
}

/// A rate as GStreamer writes it: `15/1`, `30000/1001` for 29.97, else in thousandths.
#[must_use]
pub fn fraction(fps: f64) -> String {
    if fps.fract() == 0.0 {
        return format!("{fps}/1");
    }
    let ntsc = fps.ceil() * 1000.0 / 1001.0;
    if (ntsc - fps).abs() < 0.005 {
        return format!("{}/1001", fps.ceil() * 1000.0);
    }
    format!("{}/1000", (fps * 1000.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_fractions() {
        for (fps, text) in
            [(15.0, "15/1"), (29.97, "30000/1001"), (14.95, "14950/1000"), (23.976, "24000/1001")]
        {
            assert_eq!(fraction(fps), text);
        }
    }
}
