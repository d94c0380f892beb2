//! RTSP cameras whose connection is lost, with a policy of reconnecting.

use std::fs;
use std::process::Command;

use gstreamer as gst;
use lp::pipeline::PipelineSpec;
use rustix::process::{Pid, Signal};

use crate::camera::{Camera, Fate, Transports};
use crate::native::skipped;
use crate::odd_cameras::{FPS, camera_project, endless, fails, over, play, play_of, recording};
use crate::project::{latest, signal};
use crate::recorded::record_as;
use crate::source::rtsp;
use crate::support::Bench;

/// A policy of reconnecting in a spec.
fn again(policy: &'static str, silence_ms: u64) -> impl Fn(&mut PipelineSpec, &str) {
    let policy = lp::pipeline::reconnect::Reconnect::parse(policy).unwrap();
    move |spec, _| spec.reconnect = Some(lp::pipeline::reconnect::Reconnection { policy, silence_ms })
}

#[test]
fn a_lost_connection_is_made_again() {
    let whole = Camera::of(&recording(), FPS);
    let with = |fates: &[Fate], transports| Camera { fates: fates.to_vec(), transports, ..whole.clone() };
    std::thread::scope(|scope| {
        let closed = with(&[Fate::ClosedAfter(30), Fate::Refused, Fate::Whole], Transports::Tcp);
        scope.spawn(|| {
            let outcome = play(closed, again("3 in 1m", 5_000), 70);
            assert_eq!(outcome.end, None, "{:?}", outcome.frames);
            assert_eq!(outcome.frames.fates.damaged_us.len(), 0, "{:?}", outcome.frames);
            let [lost, tried, back, ..] = &outcome.frames.delivered.outages[..] else {
                panic!("{:?}", outcome.frames.delivered.outages)
            };
            assert_eq!((lost.lost_us, lost.attempts, lost.back_us), (back.lost_us, 0, None));
            assert_eq!((tried.lost_us, tried.attempts, tried.back_us), (back.lost_us, 1, None));
            assert_eq!(back.attempts, 2);
            let away_ms = (back.back_us.unwrap() - back.lost_us) / 1_000;
            assert!((1_500..4_000).contains(&away_ms), "{away_ms} ms");
        });
        let silent = with(&[Fate::SilentAfter(30), Fate::Whole], Transports::Tcp);
        scope.spawn(|| {
            let outcome = play(silent, again("3 in 1m", 1_000), 60);
            assert_eq!(outcome.end, None, "{:?}", outcome.frames);
            assert_eq!(outcome.frames.delivered.outages[0].reason, "it sent nothing for 1 s");
        });
        let udp = with(&[Fate::ClosedAfter(30), Fate::Whole], Transports::Udp);
        scope.spawn(|| {
            let change = |spec: &mut PipelineSpec, uri: &str| {
                over("udp")(spec, uri);
                again("3 in 1m", 2_000)(spec, uri);
            };
            let outcome = play(udp, change, 60);
            assert_eq!(outcome.end, None, "{:?}", outcome.frames);
            assert_eq!(outcome.frames.delivered.outages.len(), 2);
        });
        let away = with(&[Fate::ClosedAfter(30), Fate::Refused], Transports::Tcp);
        scope.spawn(|| {
            let outcome = play(away, again("2 in 1m", 5_000), 70);
            fails("away for good", &outcome, "`rtsp.reconnect` allows no more attempts than 2 in 1m");
            assert_eq!(outcome.frames.played + outcome.frames.dropped, 30);
        });
        let never = with(&[Fate::Refused], Transports::Tcp);
        scope.spawn(|| {
            let outcome = play(never, again("2 in 1m", 5_000), 70);
            fails("never there", &outcome, "503");
            // GStreamer 1.26 reads the description's relative URI in the old way too, below the camera's own.
            let asked = outcome.seen.uris("SETUP");
            let places: Vec<&str> = asked.iter().filter_map(|uri| uri.splitn(4, '/').nth(3)).collect();
            assert!(["video", "camera/video"].starts_with(&places) && !places.is_empty(), "{asked:?}");
        });
    });
}

#[test]
fn a_lost_connection_of_any_codec_is_made_again() {
    let bench = Bench::new();
    let made = |name: &str, options: &[&str], elements: &str| {
        let path = bench.path(name);
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=20", "-frames:v", "40"])
            .args(options)
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        record_as(&path, elements)
    };
    let x265 =
        ["-c:v", "libx265", "-x265-params", "log-level=none:bframes=0:keyint=20:min-keyint=20:scenecut=0"];
    let h265 = made("a.h265", &x265, "h265parse ! rtph265pay name=pay pt=96 config-interval=-1");
    let jpeg = ["-c:v", "mjpeg", "-huffman", "default", "-pix_fmt", "yuvj420p", "-f", "mjpeg"];
    let mjpeg = made("a.mjpeg", &jpeg, "image/jpeg,framerate=20/1 ! jpegparse ! rtpjpegpay name=pay");
    std::thread::scope(|scope| {
        for (codec, recording) in [("h265", &h265), ("mjpeg", &mjpeg)] {
            assert_eq!(recording.frames.len(), 40, "{codec}");
            for transports in [Transports::Tcp, Transports::Udp] {
                let fates = vec![Fate::ClosedAfter(30), Fate::Whole];
                let camera = Camera { fates, transports, ..Camera::of(recording, FPS) };
                scope.spawn(move || {
                    let change = |spec: &mut PipelineSpec, uri: &str| {
                        over(if transports == Transports::Udp { "udp" } else { "tcp" })(spec, uri);
                        again("3 in 1m", 2_000)(spec, uri);
                    };
                    let outcome = play_of(codec, camera, change, 60);
                    let what = format!("{codec} over {transports:?}");
                    assert_eq!(outcome.end, None, "{what}: {:?}", outcome.frames);
                    assert_eq!(outcome.frames.fates.damaged_us.len(), 0, "{what}");
                    let outages = &outcome.frames.delivered.outages;
                    assert!(outages.iter().any(|outage| outage.back_us.is_some()), "{what}: {outages:?}");
                });
            }
        }
    });
}

#[test]
fn a_run_goes_on_after_a_lost_connection_and_says_so() {
    let camera = Camera { fates: vec![Fate::ClosedAfter(25), Fate::Whole], ..endless() };
    let ws = camera_project(&camera.serve().0, "reconnect = \"3 in 1m\"\n");
    let ended = ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let stream = &record.members[0].streams[0];
    assert_eq!(stream.failure, None);
    let delivery = stream.delivery.as_ref().unwrap();
    let [outage] = &delivery.reconnects[..] else { panic!("{:?}", delivery.reconnects) };
    assert_eq!((outage.attempts, outage.reason.as_str()), (1, "the server ended the stream"));
    let (lost_us, back_us) = (outage.lost_us, outage.back_us.unwrap());
    assert!(500_000 <= back_us - lost_us, "{outage:?}");
    assert!(500_000 <= delivery.longest_gap_us.unwrap(), "{delivery:?}");
    assert!(
        ended.stdout.contains(
            "the connection was lost once (the server ended the stream): made again once in 1 attempt, after "
        ),
        "{}",
        ended.stdout
    );
    // Without a policy, it fails.
    let camera = Camera { fates: vec![Fate::ClosedAfter(25), Fate::Whole], ..endless() };
    let ended = camera_project(&camera.serve().0, "").lp("run --no-verdict").code(1);
    assert!(ended.stderr.contains("till/1: the server ended the stream "), "{}", ended.stderr);
}

/// Types of which each source that plays has one object.
const OF_A_SOURCE: [&str; 5] =
    ["GstRTSPSrc", "GstRtpBin", "GstRtpSession", "GstRtpJitterBuffer", "GstRtpSsrcDemux"];

/// How many objects of each of these types live in a worker with the tracer `leaks`, which lists them in
/// its log at SIGUSR1.
fn n_live(bench: &mut Bench, n_lists: usize) -> [usize; OF_A_SOURCE.len()] {
    signal(Pid::from_raw(bench.worker().pid().try_into().unwrap()).unwrap(), Signal::USR1);
    for _ in 0..60 {
        let log = fs::read_to_string(bench.path("stderr")).unwrap();
        let list = log.split("start listing ").nth(n_lists + 1);
        if let Some(list) = list.filter(|list| list.contains("> listed ")) {
            return OF_A_SOURCE.map(|name| list.matches(&format!("type-name=(string){name},")).count());
        }
        // It reports each second.
        bench.event();
    }
    panic!("no list {n_lists}: {}", fs::read_to_string(bench.path("stderr")).unwrap());
}

#[test]
fn nothing_of_a_lost_connection_stays_in_the_worker() {
    gst::init().unwrap();
    if gst::Registry::get().find_plugin("coretracers").is_none() {
        return skipped("GStreamer's tracer `leaks`");
    }
    let n_lost = 6;
    let fates = [vec![Fate::ClosedAfter(5); n_lost], vec![Fate::Whole]].concat();
    let (uri, _) = Camera { fates, ..endless() }.serve();
    let mut spec = rtsp(&uri, "");
    again("1000 in 1s", 5_000)(&mut spec, &uri);
    let mut bench = Bench::with(&[
        "GST_TRACERS=leaks",
        "GST_LEAKS_TRACER_SIG=1",
        "GST_DEBUG=GST_TRACER:7,leaks:7",
        "GST_DEBUG_NO_COLOR=1",
    ]);
    bench.start("till/1", spec, 0).unwrap();
    let n_back = |outages: &[lp::worker::protocol::Outage]| {
        outages.iter().filter(|outage| outage.back_us.is_some()).count()
    };
    let (frames, end) = bench.frames(|frames| n_lost <= n_back(&frames.delivered.outages));
    assert_eq!(end, None, "{frames:?}");
    // The last source that was taken out may still be on its way down.
    let seen: Vec<_> = (0..5).map(|n_lists| n_live(&mut bench, n_lists)).collect();
    assert_eq!(seen.last(), Some(&[1; OF_A_SOURCE.len()]), "{seen:?}");
}
