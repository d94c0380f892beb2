//! The head of every measured pipeline: from the source to decoded frames.

use super::{Dialect, element_name};
use crate::model::{Accept, Certificate, Codec, Credential, Pace, RtspStream, Source};
use crate::pipeline::reconnect::Reconnection;
use crate::pipeline::{Element, Playback, SCENE_SOURCE, Value};
use crate::plan::{CameraPlan, ClipFile, PlannedPipeline};
use crate::scene::{MAX_FPS, Scene};
use crate::stats;

/// Any silence of a camera shorter than this is a pause.
const SILENCE_MS: u64 = 7_000;

/// Elements up to the queue after the decoder, and where to measure.
pub(super) struct Head {
    pub(super) elements: Vec<Element>,
    pub(super) playback: Playback,
    pub(super) delivery: usize,
    pub(super) ingress: Option<usize>,
    pub(super) decoder: usize,
}

/// Builds the head for a camera's source.
///
/// A paced file is delivered as by a camera: `clocksync` holds each encoded
/// frame back until its time, and the queue after the decoder drops frames
/// when the steps cannot keep up. No leaky queue is before the decoder,
/// where a lost buffer would damage the frames after it.
pub(super) fn head(plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace, dialect: &dyn Dialect) -> Head {
    let name = |what| element_name(plan, pipeline, what);
    let queue = |is_leaky| dialect.queue(&name("queue"), is_leaky);
    match &plan.source {
        Source::File(clip) => file(clip, &name, pace, dialect.decoder(pipeline, clip.codec), queue),
        Source::Rtsp(RtspStream { uri, login, codec, latency_ms, transport, reconnect: _, certificate }) => {
            let is_rtp = !matches!(codec, Codec::Vp9 | Codec::Av1);
            let takes_any = plan.accept.contains(&Accept::Codec) || !is_rtp;
            let encoded = match codec {
                // `decodebin` finds out the encoding; there is no place between parser and
                // decoder where latency could begin.
                _ if takes_any => vec![Element::caps("application/x-rtp,media=video")],
                Codec::H264 => {
                    vec![Element::new("rtph264depay"), Element::new("h264parse").int("config-interval", -1)]
                }
                Codec::H265 => {
                    vec![Element::new("rtph265depay"), Element::new("h265parse").int("config-interval", -1)]
                }
                // The others were met above.
                Codec::Mjpeg | Codec::Vp9 | Codec::Av1 => {
                    vec![Element::new("rtpjpegdepay"), Element::new("jpegparse")]
                }
            };
            let mut source = Element::new("rtspsrc").named(&name("source")).text("location", uri);
            if let Some(login) = login {
                source = source.set("user-id", credential(&login.user));
                if let Some(password) = &login.password {
                    source = source.set("user-pw", credential(password));
                }
            }
            if *certificate != Certificate::Trusted {
                source = source.text("tls-validation-flags", certificate.validation_flags());
            }
            let mut elements = vec![
                source
                    .text("protocols", transport.protocols())
                    .int("latency", i64::from(*latency_ms))
                    .int("timeout", 5_000_000)
                    .int("retry", 3)
                    .bool("drop-on-latency", true),
            ];
            elements.extend(encoded);
            let decoder = elements.len();
            if takes_any {
                elements.push(Element::new("decodebin"));
            } else {
                elements.extend(dialect.decoder(pipeline, Some(*codec)));
            }
            elements.push(queue(true));
            let ingress = (!takes_any).then(|| decoder - 1);
            Head { elements, playback: Playback::Once, delivery: 0, ingress, decoder }
        }
        Source::Usb { device } => {
            let source = Element::new("v4l2src").named(&name("source")).text("device", device);
            let mut elements = vec![source];
            if let Some(pictures) = &plan.pictures {
                elements.push(Element::caps(&pictures.caps()));
                if let Some(codec) = pictures.codec() {
                    elements.push(Element::new(codec.parser()));
                    elements.extend(dialect.decoder(pipeline, Some(codec)));
                }
            }
            raw(plan, elements, true, true, queue)
        }
        Source::Synthetic { scene } => {
            let is_live = pace == Pace::Live;
            let scene = drawn(scene, plan.fps);
            let source = Element::new(SCENE_SOURCE)
                .named(&name("source"))
                .text("scene", &serde_json::to_string(&scene).expect("a scene has text keys"))
                .bool("is-live", is_live);
            raw(plan, vec![source], plan.fps < f64::from(scene.fps), is_live, queue)
        }
    }
}

/// When the source of a camera is connected again. It counts as lost before a run would declare
/// it dead: after 7 s, or 2 of its periods.
pub(super) fn reconnection(plan: &CameraPlan) -> Option<Reconnection> {
    let Source::Rtsp(RtspStream { reconnect: Some(policy), .. }) = &plan.source else { return None };
    let silence_ms = SILENCE_MS.max(stats::periods_us(2.0, plan.fps) / 1_000);
    Some(Reconnection { policy: *policy, silence_ms })
}

/// A scene at the rate at which it is drawn for a camera of `fps`: at least that, as
/// items that move in it have a place at any time. Its length stays, to within half a frame.
fn drawn(scene: &Scene, fps: f64) -> Scene {
    let least = (fps.ceil() as u32).min(MAX_FPS);
    Scene { fps: scene.fps.max(least), ..scene.clone() }
}

/// From raw frames of any size and format to those of the camera. A source that
/// may be faster than the camera is thinned to its rate; none is filled up, or
/// the steps would work on copies that no camera has sent.
fn raw(
    plan: &CameraPlan,
    mut elements: Vec<Element>,
    is_thinned: bool,
    is_live: bool,
    queue: impl Fn(bool) -> Element,
) -> Head {
    elements.extend(["videoconvert", "videoscale"].map(Element::new));
    let mut caps = format!("video/x-raw,width={},height={}", plan.width, plan.height);
    if is_thinned {
        elements.push(Element::new("videorate").bool("drop-only", true));
        // Not from 0: `videorate` aborts the process over frames of no known rate.
        caps += &format!(",framerate=[1/1000,{}]", fraction(plan.fps));
    }
    elements.push(Element::caps(&caps));
    let decoder = elements.len() - 1;
    elements.push(queue(is_live));
    let ingress = is_live.then_some(decoder);
    Head { elements, playback: Playback::Once, delivery: 0, ingress, decoder }
}

/// A clip of unknown codec has no parser of its own: its decoder is found while it plays.
fn file(
    clip: &ClipFile,
    name: &dyn Fn(&'static str) -> String,
    pace: Pace,
    decoder: Vec<Element>,
    queue: impl Fn(bool) -> Element,
) -> Head {
    let mut elements = vec![
        Element::new("filesrc").named(&name("source")).set("location", Value::Input(clip.path.clone())),
        Element::new("qtdemux"),
        match clip.codec {
            Some(codec) => Element::new(codec.parser()),
            // No sound.
            None => Element::caps(&Codec::ALL.map(Codec::caps).join(";")),
        },
    ];
    let ingress = match pace {
        Pace::Live => {
            elements.push(Element::new("clocksync").named(&name("clocksync")));
            Some(elements.len() - 1)
        }
        Pace::Free => None,
    };
    let decoder_index = elements.len();
    elements.extend(decoder);
    elements.push(queue(pace == Pace::Live));
    let playback = match pace {
        Pace::Live => Playback::Loop,
        Pace::Free => Playback::Once,
    };
    Head { elements, playback, delivery: decoder_index - 1, ingress, decoder: decoder_index }
}

fn credential(credential: &Credential) -> Value {
    match credential {
        Credential::Text(text) => Value::Text(text.clone()),
        Credential::Variable(name) | Credential::Written { variable: name, .. } => {
            Value::Secret(name.clone())
        }
    }
}

/// A rate as GStreamer writes it: `15/1`, `30000/1001` for 29.97, else in
/// thousandths, or in millionths where a slow rate would be another one.
#[must_use]
pub fn fraction(fps: f64) -> String {
    if fps.fract() == 0.0 {
        return format!("{fps}/1");
    }
    let ntsc = fps.ceil() * 1000.0 / 1001.0;
    if (ntsc - fps).abs() < 0.005 {
        return format!("{}/1001", fps.ceil() * 1000.0);
    }
    let thousandths = (fps * 1000.0).round();
    if (thousandths / 1000.0 - fps).abs() <= fps * 1e-4 {
        format!("{thousandths}/1000")
    } else {
        format!("{}/1000000", (fps * 1_000_000.0).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_drawn_at_the_rate_of_its_camera_or_its_own_if_that_is_higher() {
        let text = r#"{"width": 64, "height": 64, "fps": 10, "duration_s": 3.0, "seed": 1, "zones": {}, "items": []}"#;
        let scene: Scene = serde_json::from_str(text).unwrap();
        for (fps, rate) in [(5.0, 10), (10.0, 10), (14.95, 15), (30.0, 30), (300.0, 240)] {
            let drawn = drawn(&scene, fps);
            assert_eq!((drawn.fps, drawn.length_ns()), (rate, 3_000_000_000));
        }
    }

    #[test]
    fn rates_are_fractions() {
        for (fps, text) in
            [(15.0, "15/1"), (29.97, "30000/1001"), (14.95, "14950/1000"), (23.976, "24000/1001")]
                .into_iter()
                .chain([(0.08, "80/1000"), (0.0125, "12500/1000000"), (12.3456, "12346/1000")])
        {
            assert_eq!(fraction(fps), text);
        }
    }
}
