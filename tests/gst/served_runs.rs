//! Runs whose cameras are streams of their clips: of a server that `lp` starts, or of somebody
//! else's.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use lp::record::measure::measure;
use lp::worker::protocol::{Mount, ServeRequest};
use rustix::process::Signal;

use crate::project::{LpProcess, is_gone, latest, short, signal};
use crate::support::Bench;
use crate::workspace::Workspace;

/// A port at which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A project of one camera whose clip is streamed from this port.
fn streamed(port: u16, more: &str) -> Workspace {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let lpfile = ws.read("Lpfile.toml").replace("[run]\n", "[run]\nsource = \"rtsp\"\n");
    ws.write("Lpfile.toml", &format!("{lpfile}[rtsp]\nhost = \"localhost\"\nport = {port}\n{more}"));
    ws
}

#[test]
fn a_run_serves_its_clips_itself_where_nobody_does() {
    let port = free_port();
    let ws = streamed(port, "");
    let ended = ws.lp("run --no-verdict").success();
    let note =
        format!("note: `lp` itself serves 1 stream at 127.0.0.1:{port}, which takes CPU of this machine");
    assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    assert!(ended.stdout.contains("RTSP server: CPU "), "{}", ended.stdout);
    let record = latest(&ws);
    let server = record.server.as_ref().unwrap();
    assert_eq!((server.name.as_str(), &server.death), ("RTSP server", &None));
    assert!(2 <= server.samples.len() && server.samples.is_sorted_by_key(|sample| sample.cpu_us));
    let stream = &record.members[0].streams[0];
    assert_eq!(stream.failure, None);
    let (from, to) = stream.window_us.unwrap();
    let n_frames = stream.n_frames() as f64;
    let due = (to - from) as f64 / 1e6 * 15.0;
    assert!((due - 2.0..due + 2.0).contains(&n_frames), "{n_frames} frames of {due}");
    // It has ended with the run.
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    // The clip is an input, and the server part of what is measured.
    let again = ws.lp("build report").success();
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
}

#[test]
fn a_server_of_somebody_else_is_used_where_there_is_one() {
    let mut bench = Bench::new();
    let clip = bench.path("clip.mp4");
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15", "-frames:v", "30"])
        .args(["-c:v", "libx264", "-bf", "0", "-g", "15", "-pix_fmt", "yuv420p"])
        .arg(&clip)
        .status();
    assert!(status.unwrap().success());
    let mount =
        Mount { name: "short-320-15-bench".to_owned(), clip: clip.to_str().unwrap().to_owned(), seed: 0 };
    let request = ServeRequest { address: "127.0.0.1".into(), port: 0, login: None, mounts: vec![mount] };
    let (port, _) = bench.worker().serve(request).unwrap();
    let ws = streamed(port, "");
    let ended = ws.lp("run --no-verdict").success();
    let note = format!("is not one that `lp` starts: one answers at localhost:{port}");
    assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    let record = latest(&ws);
    assert_eq!((record.server.is_none(), &record.members[0].streams[0].failure), (true, &None));
    // Nothing was made for it.
    assert!(!ws.exists("media/clips"));
}

#[test]
fn a_clip_shows_the_same_as_a_file_and_as_a_stream() {
    fn run(source: &str) -> (u64, u64, u64) {
        let ws = short(&[("till", r#"{"type": "zbar"}"#)]);
        let port = free_port();
        // Two passes of the clip, wherever they begin.
        let lpfile = format!(
            "[run]\nsource = \"{source}\"\nduration = \"6s\"\nwarmup = \"1s\"\n\
             [rtsp]\nhost = \"localhost\"\nport = {port}\n"
        );
        ws.write("Lpfile.toml", &lpfile);
        ws.lp("run --no-verdict").success();
        let record = latest(&ws);
        let stream = &record.members[0].streams[0];
        assert_eq!(stream.failure, None);
        let figures = &measure(&record).cameras[0].streams[0];
        (stream.n_frames(), stream.dropped, figures.seen[0].events)
    }
    let (file, stream) = std::thread::scope(|scope| {
        let threads = ["file", "rtsp"].map(|source| scope.spawn(move || run(source)));
        let [file, stream] = threads.map(|thread| thread.join().unwrap());
        (file, stream)
    });
    // 90 frames of 15 fps; one more or less at the ends of the window, and those that a busy machine
    // dropped.
    let dropped = file.1 + stream.1;
    for (n_frames, ..) in [file, stream] {
        assert!((89 - dropped..=91).contains(&n_frames), "{file:?} {stream:?}");
    }
    assert!(20 < file.2 && file.2.abs_diff(stream.2) <= 2 + dropped, "{file:?} {stream:?}");
}

#[test]
fn a_host_without_an_address_is_refused_before_anything_is_made() {
    let ws = streamed(free_port(), "").env("LP_SET_RTSP_HOST", "store.invalid");
    let ended = ws.lp("run --no-verdict").code(2);
    let told = "the streams of clips come from `store.invalid` of `rtsp.host`, a name without an address";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(!ws.exists("media") && !ws.exists("results"));
}

#[test]
fn a_port_of_another_program_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let ended = streamed(port, "").lp("run --no-verdict").code(1);
    let note = format!("a program listens at localhost:{port}, but it does not speak RTSP");
    assert!(ended.stderr.contains(&note), "{}", ended.stderr);
}

#[test]
fn the_death_of_the_server_fails_its_run_with_that_reason() {
    let ws = streamed(free_port(), "cpus = [0]\n");
    let mut lp = LpProcess::start(&ws, &["run", "--no-verdict", "--duration", "60s"]);
    lp.wait_for_frames_of("till");
    let server = lp.workers()["RTSP server"];
    let status = fs::read_to_string(format!("/proc/{}/status", server.as_raw_nonzero())).unwrap();
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    assert_eq!(cores.trim(), "0");
    signal(server, Signal::KILL);
    let ended = lp.finish().code(1);
    assert!(is_gone(server));
    assert!(ended.stderr.contains("RTSP server: killed by SIGKILL"), "{}", ended.stderr);
    assert!(ended.stderr.contains("till/1: "), "{}", ended.stderr);
    let record = latest(&ws);
    assert_eq!(record.server.unwrap().death.as_deref(), Some("killed by SIGKILL"));
}

#[test]
fn an_interrupted_run_leaves_no_server() {
    let port = free_port();
    let ws = streamed(port, "");
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "60s"]);
    lp.wait_for_frames_of("till");
    let workers = lp.workers();
    assert!(workers.contains_key("RTSP server") && workers.contains_key("till"), "{workers:?}");
    lp.interrupt();
    lp.finish().code(130);
    assert!(workers.values().all(|worker| is_gone(*worker)));
    assert!(!Path::new(&format!("/proc/{}", workers["RTSP server"].as_raw_nonzero())).exists());
}

#[test]
fn cores_that_there_are_not_are_refused() {
    let ended = streamed(free_port(), "cpus = [1023]\n").lp("run --no-verdict").code(1);
    let told = "the RTSP server cannot be bound to the cores [1023] of `rtsp.cpus`";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}
