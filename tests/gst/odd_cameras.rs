//! RTSP cameras with odd descriptions and odd streams: each plays, or fails with its fault.

use std::sync::Arc;

use lp::pipeline::PipelineSpec;
use lp::worker::protocol::{End, Packets};

use crate::camera::{Camera, Fate, Reports, Seen, Transports};
use crate::project::{latest, short};
use crate::recorded::{Recording, record};
use crate::rtsp::project;
use crate::source::{raw, rtsp, rtsp_of};
use crate::support::{Bench, Frames};
use crate::workspace::Workspace;

pub(crate) const FPS: u32 = 20;

const HOUR_MS: i64 = 3_600_000;

/// What became of a camera.
pub(crate) struct Outcome {
    pub(crate) frames: Frames,
    pub(crate) end: Option<End>,
    pub(crate) seen: Arc<Seen>,
}

/// Plays a camera until its end, or so many frames have arrived.
pub(crate) fn play(camera: Camera, change: impl Fn(&mut PipelineSpec, &str), n_frames: u64) -> Outcome {
    play_of("h264", camera, change, n_frames)
}

/// The same of a camera of this codec.
pub(crate) fn play_of(
    codec: &str,
    camera: Camera,
    change: impl Fn(&mut PipelineSpec, &str),
    n_frames: u64,
) -> Outcome {
    let (uri, seen) = camera.serve();
    let mut spec = rtsp_of(&uri, codec, "");
    change(&mut spec, &uri);
    let mut bench = Bench::new();
    bench.start("till/1", spec, 0).unwrap();
    let (frames, end) = bench.frames(|frames| n_frames <= frames.played);
    Outcome { frames, end, seen }
}

pub(crate) fn over(protocols: &'static str) -> impl Fn(&mut PipelineSpec, &str) {
    move |spec, _| spec.elements[0] = spec.elements[0].clone().with("protocols", text(protocols))
}

fn text(text: &str) -> lp::pipeline::Value {
    lp::pipeline::Value::Text(text.to_owned())
}

fn as_it_is(_: &mut PipelineSpec, _: &str) {}

/// A recording of 40 frames with a key frame every 20.
pub(crate) fn recording() -> Recording {
    record(&raw(&Bench::new(), "160x120", 40))
}

/// A camera that sends all 40 frames, of which so many arrive.
#[track_caller]
fn plays(what: &str, outcome: &Outcome, n_frames: u64) {
    let Outcome { frames, end, .. } = outcome;
    assert!(matches!(end, None | Some(End::Eos)), "{what}: {end:?}");
    assert_eq!(frames.played + frames.dropped, n_frames, "{what}: {frames:?}");
    let latest = frames.late_us.iter().flatten().max().copied().unwrap_or(0);
    assert!(latest < 2_000_000, "{what}: a frame is late by {latest} us");
}

#[track_caller]
pub(crate) fn fails(what: &str, outcome: &Outcome, why: &str) {
    let Some(End::Error { element, reason, .. }) = &outcome.end else { panic!("{what}: {:?}", outcome.end) };
    let told = format!("`{element}`: {reason}");
    assert!(told.contains(why), "{what}: {told}");
}

#[test]
fn odd_descriptions_play_or_are_named() {
    let whole = Camera::of(&recording(), FPS);
    let with = |media: String| Camera { media, ..whole.clone() };
    let (fmtp, _) = whole.media.split_once(";sprop").unwrap();
    let bare = format!("{fmtp}\r\na=control:video\r\n");
    let sound = "m=audio 0 RTP/AVP 0\r\na=control:sound\r\n";
    let onvif = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:meta\r\n";
    let second = whole.media.replace("control:video", "control:second");
    std::thread::scope(|scope| {
        scope.spawn(|| plays("no parameter sets", &play(with(bare.clone()), as_it_is, 40), 40));
        scope.spawn(|| {
            let media = format!("{sound}{onvif}{}{second}", whole.media);
            let outcome = play(with(media), as_it_is, 40);
            plays("sound, metadata and a second video", &outcome, 40);
            let asked = outcome.seen.uris("SETUP");
            let names: Vec<&str> = asked.iter().filter_map(|uri| uri.rsplit('/').next()).collect();
            assert_eq!(names, ["video"]);
        });
        scope.spawn(|| {
            let outcome = play(with(bare.replace("/90000", "/8000")), as_it_is, 40);
            let why = "offers H264 video with a clock rate of 8000 Hz instead of 90000";
            fails("a wrong clock rate", &outcome, why);
        });
        scope.spawn(|| {
            let media = "m=audio 0 RTP/AVP 0\r\na=control:sound\r\n".to_owned();
            fails("no video", &play(with(media), as_it_is, 40), "has no video, only sound (PCMU)");
        });
        scope.spawn(|| {
            fails("no media", &play(with("a=x:y\r\n".to_owned()), as_it_is, 40), "SDP contains no streams")
        });
    });
}

/// Sender reports whose clock is another one. It counts for nothing: frames are due by their own times.
const REPORTS: [(&str, Reports); 4] = [
    ("reports of a clock of 1900", |n| (n % 10 == 0).then_some(n as u32 / 20)),
    ("reports of a clock that jumps", |n| {
        (n % 10 == 0).then_some(3_900_000_000 + if n < 20 { 0 } else { 3_600 })
    }),
    ("reports of a clock that runs backwards", |n| (n % 10 == 0).then_some(3_900_000_000 - n as u32)),
    ("reports of a clock at a tenth of the rate", |n| {
        (n % 10 == 0).then_some(3_900_000_000 + n as u32 / 200)
    }),
];

#[test]
fn odd_streams_play_on() {
    let recording = recording();
    let whole = Camera::of(&recording, FPS);
    let timed = |time: fn(usize, u64) -> i64| {
        let mut camera = whole.clone();
        camera.number(time);
        camera
    };
    std::thread::scope(|scope| {
        for (what, camera) in [
            ("times jump ahead by an hour", timed(|n, ms| ms as i64 + if n < 20 { 0 } else { HOUR_MS })),
            ("times jump back by an hour", timed(|n, ms| ms as i64 - if n < 20 { 0 } else { HOUR_MS })),
            ("times jump back by 10 s", timed(|n, ms| ms as i64 - if n < 20 { 0 } else { 10_000 })),
            ("times run at half the rate", timed(|_, ms| ms as i64 / 2)),
        ] {
            scope.spawn(move || plays(what, &play(camera, as_it_is, 40), 40));
        }
        for (what, reports) in REPORTS {
            let camera = Camera { reports: Some(reports), ..whole.clone() };
            scope.spawn(move || {
                let outcome = play(camera, as_it_is, 40);
                plays(what, &outcome, 40);
                assert_eq!(outcome.frames.fates.damaged_us.len(), 0, "{what}");
            });
        }
        scope.spawn(|| {
            // Joined in mid-GOP, by a client that does not know the parameters yet.
            let mut camera = whole.clone();
            camera.media =
                camera.media.split_once(";sprop").unwrap().0.to_owned() + "\r\na=control:video\r\n";
            camera.frames.drain(..5);
            let outcome = play(camera, as_it_is, 40);
            plays("no parameters until the next key frame", &outcome, 20);
            assert_eq!(outcome.frames.fates.damaged_us.len(), 15);
        });
        scope.spawn(|| {
            let mut camera = whole.clone();
            for (at_ms, _) in &mut camera.frames[20..] {
                *at_ms += 5_000;
            }
            camera.number(|_, ms| ms as i64);
            let outcome = play(camera, as_it_is, 40);
            plays("silence of 5 s", &outcome, 40);
        });
        scope.spawn(|| {
            let mut camera = whole.clone();
            camera.media += "a=framerate:25\r\n";
            (0..).zip(&mut camera.frames).for_each(|(n, (at_ms, _))| *at_ms = n * 1_000 / 12);
            camera.number(|_, ms| ms as i64);
            let outcome = play(camera, as_it_is, 40);
            plays("12 of 25 fps", &outcome, 40);
            let came = outcome.frames.delivered.frames_us.unwrap();
            let fps = (came.len() - 1) as f64 * 1e6 / (came[came.len() - 1] - came[0]) as f64;
            assert!((11.0..13.0).contains(&fps), "{fps}");
        });
    });
}

#[test]
fn packets_come_over_the_transport_that_the_camera_has() {
    let whole = Camera::of(&recording(), FPS);
    let over_udp = |transports| Camera { transports, ..whole.clone() };
    std::thread::scope(|scope| {
        for (what, transports, protocols, used) in [
            ("UDP", Transports::Udp, "udp", "udp"),
            ("UDP first", Transports::Udp, "udp+tcp", "udp"),
            ("TCP where UDP is refused", Transports::Tcp, "udp+tcp", "tcp"),
            ("TCP where UDP brings nothing", Transports::DumbUdp, "udp+tcp", "tcp"),
        ] {
            let camera = over_udp(transports);
            scope.spawn(move || {
                let outcome = play(camera, over(protocols), 35);
                assert!(35 <= outcome.frames.played, "{what}: {:?} {:?}", outcome.end, outcome.frames);
                assert_eq!(outcome.frames.delivered.transport.as_deref(), Some(used), "{what}");
            });
        }
        for (what, transports, protocols, why) in [
            ("UDP that brings nothing", Transports::DumbUdp, "udp", "Could not receive any UDP packets"),
            (
                "UDP that is refused",
                Transports::Tcp,
                "udp",
                "the server sends no stream over UDP; `rtsp.transport` may be",
            ),
            (
                "TCP that is refused",
                Transports::Udp,
                "tcp",
                "the server sends no stream over TCP; `rtsp.transport` may be",
            ),
        ] {
            let camera = over_udp(transports);
            scope.spawn(move || fails(what, &play(camera, over(protocols), 35), why));
        }
    });
}

#[test]
fn a_login_and_a_query_are_sent_as_they_are_meant() {
    // bob, p@s:s/%
    let basic = ("Basic realm=\"door\"", "Basic Ym9iOnBAczpzLyU=");
    let camera = Camera { login: Some(basic), ..Camera::of(&recording(), FPS) };
    let change = |spec: &mut PipelineSpec, uri: &str| {
        let uri = uri.replace("rtsp://", "rtsp://bob:p%40s%3As%2F%25@") + "?channel=1&subtype=0";
        spec.elements[0] = spec.elements[0].clone().with("location", text(&uri));
    };
    let outcome = play(camera, change, 40);
    plays("Basic", &outcome, 40);
    let asked = outcome.seen.uris("DESCRIBE");
    assert!(asked.iter().all(|uri| uri.ends_with("/camera?channel=1&subtype=0")), "{asked:?}");
}

/// Key frames of some cameras are 20 s apart, which is longer than a stream may be without a frame.
#[test]
fn a_camera_whose_next_key_frame_is_far_off_is_waited_for() {
    let mut recording = recording();
    let within: Vec<_> = recording.frames[1..20].to_vec();
    let rest = recording.frames.clone();
    recording.frames = within.iter().cycle().take(240).cloned().collect();
    (0..8).for_each(|_| recording.frames.extend(rest.clone()));
    let ws = camera_project(&Camera::of(&recording, FPS).serve().0, "");
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let stream = &record.members[0].streams[0];
    assert_eq!(stream.failure, None);
    // Of some that lack the frames they refer to, the decoder makes none.
    assert!((200..=240).contains(&stream.life.damaged), "{:?}", stream.life);
    let first_s = (stream.first_frame_us.unwrap() - stream.asked_us.unwrap()) as f64 / 1e6;
    assert!(11.5 < first_s, "{first_s}");
    assert_eq!(stream.delivery.as_ref().unwrap().damaged, 0);
}

#[test]
fn a_redirect_is_followed_and_one_in_a_circle_is_named() {
    let camera = Camera { redirect: Some(""), ..endless() };
    let (uri, _) = camera.serve();
    let port = uri.strip_prefix("rtsp://127.0.0.1:").unwrap().split('/').next().unwrap();
    let why = format!("the server redirects again and again, first to `rtsp://127.0.0.1:{port}/camera`");
    let told = camera_project(&uri, "").lp("run --no-verdict").code(1).stderr;
    assert!(told.contains(&format!("till/1: `till_1_source`: `{uri}`: {why}")), "{told}");
    let followed = play(Camera { redirect: Some("/2"), ..Camera::of(&recording(), FPS) }, as_it_is, 40);
    plays("a redirect", &followed, 40);
    let told = camera_project(&uri, "").lp(["show", uri.as_str()]).code(1).stderr;
    assert!(told.contains(&why) && told.matches(&format!("{uri} ")).count() <= 1, "{told}");
}

#[test]
fn packets_that_are_lost_or_come_out_of_order_are_counted() {
    let mut camera = Camera { transports: Transports::Udp, ..Camera::of(&recording(), FPS) };
    // Frames of one packet each; of the last ones, nothing shows that they are missing.
    let n_packets: usize = camera.frames.iter().map(|(_, packets)| packets.len()).sum();
    camera.frames[5].1[0].clear();
    camera.frames[12].1[0].clear();
    let once_more = camera.frames[16].1[0].clone();
    camera.frames[16].1.push(once_more);
    let (first, second) = (camera.frames[25].1[0].clone(), camera.frames[26].1[0].clone());
    camera.frames[25].1[0] = second;
    camera.frames[26].1[0] = first;
    let (uri, _) = camera.serve();
    let mut spec = rtsp(&uri, "");
    over("udp")(&mut spec, &uri);
    let mut bench = Bench::new();
    bench.start("till/1", spec, 0).unwrap();
    let has_all = |packets: &Packets| packets.received as usize == n_packets - 2;
    let (frames, _) = bench.frames(|frames| frames.delivered.packets.as_ref().is_some_and(has_all));
    let packets = frames.delivered.packets.unwrap();
    assert_eq!(packets.received as usize, n_packets - 2);
    assert_eq!((packets.lost, packets.duplicates, packets.reordered), (2, 1, 1), "{packets:?}");
}

/// A project of a camera of 160x120 at 20 fps with this URI.
pub(crate) fn camera_project(uri: &str, rtsp_keys: &str) -> Workspace {
    let ws = project(uri);
    let cameras = ws.read("configs/camera_to_workload.json");
    let camera = r#""width": 160, "height": 120, "fps": 20"#;
    let cameras = cameras.replace(r#""width": 320, "height": 180, "fps": 15"#, camera);
    ws.write("configs/camera_to_workload.json", &cameras);
    let lpfile = ws.read("Lpfile.toml").replace("\"2s\"", "\"4s\"");
    ws.write("Lpfile.toml", &format!("{lpfile}[rtsp]\n{rtsp_keys}"));
    ws
}

/// A camera that sends its recording again and again.
pub(crate) fn endless() -> Camera {
    let mut recording = recording();
    let frames = recording.frames.clone();
    (0..10).for_each(|_| recording.frames.extend(frames.clone()));
    Camera::of(&recording, FPS)
}

#[test]
fn the_doctor_says_what_a_camera_sends_and_how_it_comes() {
    let camera = Camera { transports: Transports::Udp, ..endless() };
    let ws = camera_project(&camera.serve().0, "transport = \"udp\"\n");
    let told = ws.lp("doctor --camera till").success().stdout;
    let line = |name: &str| {
        let mut lines = told.lines().filter_map(|line| line.trim_start().strip_prefix(name));
        lines.next().unwrap_or_else(|| panic!("{told}")).trim().to_owned()
    };
    assert!(line("video").starts_with("160x120, H.264 High "), "{told}");
    assert!(line("video").ends_with(", GOP 20"), "{told}");
    assert!(line("frames").ends_with(": 20 fps, constant"), "{told}");
    let came = line("came by");
    assert!(
        came.starts_with("UDP, the first frame after ") && came.contains(", none lost, jitter "),
        "{told}"
    );
    assert_eq!(line("config"), "as it says");

    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replace("\"fps\": 20", "\"fps\": 25"));
    let told = ws.lp("doctor --camera till --json").code(1).stdout;
    let document: serde_json::Value = serde_json::from_str(&told).unwrap();
    let video = &document["videos"][0];
    assert_eq!(video["differs"][0], "the camera delivers 20.0 of 25 fps");
    assert_eq!((&video["reception"]["transport"], &video["reception"]["lost"]), (&"udp".into(), &0.into()));
    let refused = ws.lp("doctor --camera door").code(2);
    assert!(refused.stderr.contains("`door`"), "{}", refused.stderr);
}

#[test]
fn ten_cameras_connect_at_once_and_one_that_refuses_ends_none_of_them() {
    let names: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let identity = r#"{"type": "identity"}"#;
    let cameras: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), identity)).collect();
    let ws = short(&cameras);
    let (one, seen) = endless().serve();
    let (refused, _) = Camera { fates: vec![Fate::Refused], ..endless() }.serve();
    let file = ws.read("configs/camera_to_workload.json");
    // One server has nine of them.
    let mut parts = file.split("\"fileSrc\": \"short.mp4|scene:short\"");
    let mut lane = parts.next().unwrap().to_owned();
    for (n, part) in parts.enumerate() {
        let uri = if n == 4 { &refused } else { &one };
        lane += &format!("\"streamUri\": \"{uri}\"{part}");
    }
    ws.write("configs/camera_to_workload.json", &lane);
    let ended = ws.lp("run --no-verdict").code(1);
    let record = latest(&ws);
    for (n, member) in record.members.iter().enumerate() {
        let stream = &member.streams[0];
        if n == 4 {
            assert!(stream.failure.as_ref().unwrap().contains("503"), "{:?}", stream.failure);
        } else {
            assert_eq!(stream.failure, None, "{n}");
            assert!(0 < stream.n_frames(), "{n}");
        }
    }
    assert_eq!(seen.uris("PLAY").len(), 9);
    assert!(ended.stderr.contains("c4/1: "), "{}", ended.stderr);
}
