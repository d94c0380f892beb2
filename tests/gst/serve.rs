//! The RTSP server of the worker, watched by `ffmpeg`, `ffprobe`, GStreamer and a
//! client that misbehaves.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use expect_test::expect;
use lp::pipeline::{Element, Playback};
use lp::worker::protocol::{EventBody, Mount, ServeRequest, ServedMount, ServerLogin};
use rustix::process::{Pid, Signal, kill_process};

use crate::source::rtsp;
use crate::support::{Bench, decoder, sink, spec};
use crate::viewers::{self, Viewer, clip, pictures};

/// A worker that serves clips, and its port.
fn serve(clips: &[(&str, &Path)]) -> (Bench, u16) {
    let mut bench = Bench::new();
    let (port, _) = ask_to_serve(&mut bench, clips, None).unwrap();
    (bench, port)
}

fn ask_to_serve(
    bench: &mut Bench,
    clips: &[(&str, &Path)],
    login: Option<ServerLogin>,
) -> Result<(u16, Vec<ServedMount>), String> {
    let mount = |(name, clip): &(&str, &Path)| Mount {
        name: (*name).to_owned(),
        clip: clip.to_str().unwrap().to_owned(),
        seed: 0,
    };
    let mounts = clips.iter().map(mount).collect();
    let request = ServeRequest { address: "127.0.0.1".to_owned(), port: 0, login, mounts };
    bench.worker().serve(request).map_err(|error| error.to_string())
}

/// Whether frames are those of a clip, one after another and pass after pass, at its rate.
#[track_caller]
fn assert_loop(received: &[viewers::Picture], clip: &[viewers::Picture], fps: f64, what: &str) {
    let digests: Vec<&String> = clip.iter().map(|picture| &picture.digest).collect();
    // Of the frames before the first key frame, `ffmpeg` shows what it can guess.
    let is_whole = |picture: &viewers::Picture| digests.contains(&&picture.digest);
    let begin =
        received.iter().position(is_whole).unwrap_or_else(|| panic!("{what}: no frame is one of the clip"));
    assert!(begin <= clip.len(), "{what}: the first {begin} frames are none of the clip");
    let received = &received[begin..];
    let first = digests.iter().position(|digest| **digest == received[0].digest).unwrap();
    for (n, picture) in received.iter().enumerate() {
        let place = (first + n) % clip.len();
        assert_eq!(picture.digest, *digests[place], "{what}: frame {n} is not frame {place} of the clip");
    }
    for (n, pair) in received.windows(2).enumerate() {
        let distance = pair[1].time_s - pair[0].time_s;
        // The first frame has waited for the client, and until it knows how frames are reordered,
        // `ffmpeg` guesses their times.
        let is_even = (distance - 1.0 / fps).abs() < 0.002 || n < 4 && 0.0 <= distance;
        assert!(is_even, "{what}: {distance} s from frame {n} to the next, not 1/{fps} s");
    }
}

#[test]
fn a_stream_is_its_clip_again_and_again_without_a_jump() {
    let encoders = [
        ("h264", "libx264 -bf 0 -g 6 -threads 1"),
        ("reordered", "libx264 -bf 2 -g 12 -x264-params b-adapt=0 -threads 1"),
        ("h265", "libx265 -x265-params log-level=none:bframes=2:keyint=12"),
        ("mjpeg", "mjpeg -q:v 4 -huffman default -pix_fmt yuvj420p"),
    ];
    let makers: Vec<Bench> = encoders.iter().map(|_| Bench::new()).collect();
    let made: Vec<PathBuf> =
        makers.iter().zip(encoders).map(|(maker, (_, encoder))| maker.encoded(12, 12, encoder)).collect();
    let clips: Vec<(&str, &Path)> =
        encoders.iter().zip(&made).map(|((name, _), path)| (*name, path.as_path())).collect();
    let (_bench, port) = serve(&clips);
    std::thread::scope(|scope| {
        for (name, path) in clips {
            for transport in ["tcp", "udp"] {
                scope.spawn(move || {
                    let uri = format!("rtsp://127.0.0.1:{port}/{name}");
                    let options = ["-rtsp_transport", transport, "-reorder_queue_size", "0"];
                    let received = pictures(&options, &uri, 40);
                    assert_eq!(received.len(), 40);
                    assert_loop(&received, &clip(path), 12.0, &format!("{name} over {transport}"));
                });
            }
        }
    });
}

#[test]
fn a_served_clip_is_named_with_its_codec_and_frames() {
    let mut bench = Bench::new();
    let path = bench.clip(10, 10);
    let (_, served) = ask_to_serve(&mut bench, &[("a", &path), ("b c", &path)], None).unwrap();
    expect![[r#"[{"name":"a","codec":"h264","frames":10},{"name":"b c","codec":"h264","frames":10}]"#]]
        .assert_eq(&serde_json::to_string(&served).unwrap());
    let again = ask_to_serve(&mut bench, &[("a", &path)], None).unwrap_err();
    assert_eq!(again, "the worker refused: this worker serves already");
}

/// The numbers of clients and pipelines from now on, until `enough`.
fn counts(bench: &mut Bench, enough: impl Fn((u32, u32)) -> bool) -> Vec<(u32, u32)> {
    let mut counts = Vec::new();
    loop {
        if let EventBody::Clients { clients, pipelines } = bench.event().body {
            counts.push((clients, pipelines));
            if enough((clients, pipelines)) {
                return counts;
            }
        }
    }
}

#[test]
fn ten_clients_share_a_pipeline_that_ends_with_the_last() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let (mut bench, port) = serve(&[("till", &path)]);
    let mut viewers: Vec<Viewer> = (0..10).map(|_| Viewer::connect(port, "till")).collect();
    for viewer in &mut viewers {
        viewer.play();
        viewer.receive();
    }
    let seen = counts(&mut bench, |counts| counts == (10, 1));
    assert!(seen.iter().all(|(_, pipelines)| *pipelines <= 1), "{seen:?}");
    // Others go on when some leave, in both ways.
    for (n, viewer) in viewers.drain(..9).enumerate() {
        if n % 2 == 0 { viewer.tear_down() } else { drop(viewer) }
    }
    let seen = counts(&mut bench, |(clients, _)| clients == 1);
    assert!(seen.iter().all(|(_, pipelines)| *pipelines == 1), "{seen:?}");
    (0..20).for_each(|_| viewers[0].receive());
    drop(viewers);
    counts(&mut bench, |counts| counts == (0, 0));
    // And begins again with the next one.
    let mut viewer = Viewer::connect(port, "till");
    viewer.play();
    viewer.receive();
    counts(&mut bench, |counts| counts == (1, 1));
}

#[test]
fn the_name_of_a_stream_is_escaped_in_its_url() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let (_bench, port) = serve(&[("a b \u{fc}%", &path)]);
    let mut viewer = Viewer::connect(port, "a%20b%20%C3%BC%25");
    viewer.play();
    viewer.receive();
}

/// Of a client that reads nothing, the server keeps what its buffers hold.
#[test]
fn a_client_that_reads_nothing_holds_up_no_other() {
    let maker = Bench::new();
    // Some 3 MB a second.
    let source = "testsrc2=size=1280x720:rate=20,noise=alls=40:allf=t";
    let path = maker.path("large.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "20"])
        .args(["-c:v", "mjpeg", "-q:v", "4", "-huffman", "default", "-pix_fmt", "yuvj420p"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success());
    let (_bench, port) = serve(&[("large", &path)]);
    let mut stalled = Viewer::connect(port, "large");
    stalled.play();
    let uri = format!("rtsp://127.0.0.1:{port}/large");
    let received = pictures(&["-rtsp_transport", "tcp"], &uri, 100);
    assert_loop(&received, &clip(&path), 20.0, "beside a client that reads nothing");
}

#[test]
fn gstreamer_receives_every_frame_over_both_transports() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let (_server, port) = serve(&[("till", &path)]);
    for transport in ["tcp", "udp"] {
        let mut bench = Bench::new();
        let elements = vec![
            Element::new("rtspsrc")
                .text("location", &format!("rtsp://127.0.0.1:{port}/till"))
                .text("protocols", transport)
                .int("latency", 300)
                .named("source"),
            Element::new("rtph264depay"),
            Element::new("h264parse"),
            decoder(),
            sink(),
        ];
        bench.start("till/1", spec(elements, Playback::Once), 0).unwrap();
        let (frames, end) = bench.frames(|frames| 40 <= frames.played);
        assert_eq!((end, frames.dropped, frames.fates.damaged_us.len()), (None, 0, 0), "{transport}");
        let arrived = &frames.delivered.frames_us.as_ref().unwrap()[1..];
        let mean = (arrived[arrived.len() - 1] - arrived[0]) as f64 / (arrived.len() - 1) as f64;
        assert!((98_000.0..102_000.0).contains(&mean), "{transport}: {mean} us between frames");
    }
}

#[test]
fn frames_with_b_frames_are_as_late_as_others() {
    let maker = Bench::new();
    let path = maker.encoded(60, 15, "libx264 -bf 3 -x264-params b-adapt=0:b-pyramid=normal:keyint=60");
    let (_server, port) = serve(&[("till", &path)]);
    let mut bench = Bench::new();
    bench.start("till/1", rtsp(&format!("rtsp://127.0.0.1:{port}/till"), ""), 0).unwrap();
    let (frames, end) = bench.frames(|frames| 75 <= frames.played);
    assert_eq!((end, frames.dropped), (None, 0));
    // From the first B-frame on, the decoder holds each for the same time.
    let late: Vec<i64> = frames.late_us[15..].iter().map(|late| late.unwrap()).collect();
    let mut sorted = late.clone();
    sorted.sort_unstable();
    let usual = sorted[sorted.len() / 2];
    // A busy machine holds up some; of a fault, half of them and more would be others.
    let n_others = sorted.iter().filter(|us| 30_000 < (**us - usual).abs()).count();
    assert!(n_others <= sorted.len() / 3, "{n_others} are no {usual} us late: {late:?}");
    // The latency of a frame has the time for which it is sent before it is shown: none, or four periods.
    let latency: Vec<u32> = frames.latency_us[15..].iter().flatten().copied().collect();
    let n_at_once = latency.iter().filter(|us| **us < 30_000).count();
    let n_held = latency.iter().filter(|us| 300_000 < **us).count();
    assert!(latency.len() / 6 < n_at_once && latency.len() / 6 < n_held, "{latency:?}");
}

/// The open files and the resident memory in KiB of a process.
fn use_of(process: u32) -> (usize, u64) {
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (files, resident.trim().trim_end_matches(" kB").parse().unwrap())
}

/// Whether the long forms are wanted, of `make campaign`.
fn is_campaign() -> bool {
    std::env::var_os("LP_CAMPAIGN_FULL").is_some()
}

/// A hundred visits; in a campaign a thousand, and ten minutes.
#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let (mut bench, port) = serve(&[("till", &path)]);
    let process = bench.worker().pid();
    let mut visit = |n: usize| {
        let mut viewer = Viewer::connect(port, "till");
        viewer.play();
        viewer.receive();
        match n % 3 {
            0 => viewer.tear_down(),
            1 => drop(viewer),
            _ => {
                // Asks for the stream and is gone.
                let mut other = Viewer::connect(port, "till");
                other.ask("DESCRIBE", "", "Accept: application/sdp\r\n");
                drop((viewer, other));
            }
        }
        counts(&mut bench, |counts| counts == (0, 0));
    };
    (0..20).for_each(&mut visit);
    let before = use_of(process);
    let (least, time) = if is_campaign() { (1_000, 600) } else { (100, 0) };
    let begin = Instant::now();
    let more = (20..).take_while(|n| *n < 20 + least || begin.elapsed() < Duration::from_secs(time));
    more.for_each(&mut visit);
    let after = use_of(process);
    // The last visit's connections and threads may still be closing; each visit has more of them.
    assert!(after.0 <= before.0 + 12, "open files: {} then {}", before.0, after.0);
    assert!(after.1 < before.1 + (4 << 10), "memory: {} KiB then {} KiB", before.1, after.1);
}

/// Killed while clients are at different places of a stream, and of asking for it.
#[test]
fn a_server_that_is_killed_can_be_started_again_at_once() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let mut port = 0;
    for round in 0..if is_campaign() { 100 } else { 5 } {
        let mut bench = Bench::new();
        let mount = Mount { name: "till".into(), clip: path.to_str().unwrap().to_owned(), seed: 0 };
        let request = ServeRequest { address: "127.0.0.1".into(), port, login: None, mounts: vec![mount] };
        (port, _) = bench.worker().serve(request).unwrap();
        let mut viewers: Vec<Viewer> = (0..3).map(|_| Viewer::connect(port, "till")).collect();
        viewers[0].play();
        (0..round % 7).for_each(|_| viewers[0].receive());
        if round % 2 == 0 {
            viewers[1].ask("DESCRIBE", "", "Accept: application/sdp\r\n");
        }
        let pid = Pid::from_raw(bench.worker().pid().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        for viewer in viewers {
            viewer.wait_for_the_end();
        }
        let (_, exit) = bench.rest();
        assert_eq!(exit.exit.to_string(), "killed by SIGKILL");
    }
}

#[test]
fn only_who_knows_the_password_may_watch() {
    let maker = Bench::new();
    let path = maker.clip(10, 10);
    let mut bench = Bench::new();
    let login = ServerLogin { user: "till".to_owned(), password: "geh@im".to_owned() };
    let (port, _) = ask_to_serve(&mut bench, &[("till", &path)], Some(login)).unwrap();
    let (status, head) = Viewer::connect(port, "till").ask("DESCRIBE", "", "Accept: application/sdp\r\n");
    assert_eq!(status, 401);
    assert!(head.contains("Digest") && !head.contains("Basic"), "{head}");
    let watch = |userinfo: &str| {
        let uri = format!("rtsp://{userinfo}127.0.0.1:{port}/till");
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name"])
            .args(["-of", "csv=p=0", &uri])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let seen = ["till:geh%40im@", "till:other@", "other:geh%40im@", ""].map(watch);
    assert_eq!(seen, ["h264", "", "", ""]);
}

#[test]
fn what_cannot_be_served_is_refused_with_the_reason() {
    let mut bench = Bench::new();
    let refusal = |bench: &mut Bench, path: &Path| {
        let told = ask_to_serve(bench, &[("till", path)], None).unwrap_err();
        told.replace(path.to_str().unwrap(), "CLIP")
    };
    let vp9 = bench.encoded(4, 10, "libvpx-vp9 -deadline realtime");
    expect!["the worker refused: `CLIP`: it is VP9, which is not served: set `codec` of `[clip]` to `h264`, `h265` or `mjpeg`"]
        .assert_eq(&refusal(&mut bench, &vp9));
    let optimal = bench.encoded(4, 10, "mjpeg -huffman optimal -pix_fmt yuvj420p");
    expect!["the worker refused: `CLIP`: its frames have Huffman tables of their own, which RTP cannot send: encode it with the usual ones, or set `codec` of `[clip]`"].assert_eq(&refusal(&mut bench, &optimal));
    let text = bench.path("text.mp4");
    fs::write(&text, "no clip").unwrap();
    expect!["the worker refused: `CLIP`: `qtdemux` (`qtdemux`): This file contains no playable streams: no known streams found"].assert_eq(&refusal(&mut bench, &text));
    expect![[
        r#"the worker refused: `CLIP`: `filesrc` (`filesrc`): Resource not found: No such file "CLIP""#
    ]]
    .assert_eq(&refusal(&mut bench, Path::new("/nowhere.mp4")));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listener = TcpListener::bind(("127.0.0.1", taken)).unwrap();
    let clip = bench.clip(4, 10);
    let mounts = vec![Mount { name: "a".into(), clip: clip.to_str().unwrap().to_owned(), seed: 0 }];
    let request = ServeRequest { address: "127.0.0.1".into(), port: taken, login: None, mounts };
    let told = bench.worker().serve(request).unwrap_err().to_string();
    drop(listener);
    expect![[r#"
        the worker refused: port PORT of 127.0.0.1 cannot be had: Address already in use (os error 98)"#]]
    .assert_eq(&told.replace(&taken.to_string(), "PORT"));
}
