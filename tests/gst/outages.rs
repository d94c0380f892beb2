//! A lane of which the server of one camera is killed again and again, while the others play on.
//!
//! The long form, of `make campaign`, has ten cameras and kills every 20 s for ten minutes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use lp::record::StreamRecord;
use lp::record::measure::{Verdict, measure};
use lp::worker::protocol::{Mount, ServeRequest};
use rustix::process::{Pid, Signal};

use crate::project::{LpProcess, is_gone, latest, short, signal};
use crate::support::Bench;
use crate::workspace::Workspace;

const VICTIM: &str = "c0";

/// How much of it is done.
struct Form {
    cameras: usize,
    kills: usize,
    /// From one kill to the next, at least.
    every: Duration,
}

fn form() -> Form {
    if std::env::var_os("LP_CAMPAIGN_FULL").is_some() {
        Form { cameras: 10, kills: 30, every: Duration::from_secs(20) }
    } else {
        Form { cameras: 3, kills: 3, every: Duration::ZERO }
    }
}

/// A server of a clip, at a port of its own from its first start on.
struct Server {
    bench: Bench,
    port: u16,
}

impl Server {
    fn start(clip: &Path, port: u16) -> Server {
        let mut bench = Bench::new();
        let mount = Mount { name: "till".into(), clip: clip.to_str().unwrap().to_owned(), seed: 0 };
        let request = ServeRequest { address: "127.0.0.1".into(), port, login: None, mounts: vec![mount] };
        let (port, _) = bench.worker().serve(request).unwrap();
        Server { bench, port }
    }

    /// Kills it, and waits until it has gone.
    fn kill(mut self) {
        signal(Pid::from_raw(self.bench.worker().pid().try_into().unwrap()).unwrap(), Signal::KILL);
        let (_, exit) = self.bench.rest();
        assert_eq!(exit.exit.to_string(), "killed by SIGKILL");
    }
}

/// What a process has: open files, threads, and resident memory in KiB.
#[derive(Clone, Copy, Debug)]
struct Holding {
    files: usize,
    threads: u64,
    memory_kib: u64,
}

fn holding(process: Pid) -> Holding {
    let place = format!("/proc/{}", process.as_raw_nonzero());
    let status = fs::read_to_string(format!("{place}/status")).unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    Holding {
        files: fs::read_dir(format!("{place}/fd")).unwrap().count(),
        threads: value("Threads:"),
        memory_kib: value("VmRSS:"),
    }
}

fn lane(form: &Form, transport: &str, victim: &Server, others: &Server) -> Workspace {
    let names: Vec<String> = (0..form.cameras).map(|n| format!("c{n}")).collect();
    let cameras: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), r#"{"type": "identity"}"#)).collect();
    // The source of a new connection has new threads, and glibc gives them other arenas than the earlier
    // ones had, each of which keeps what it was at most: with one arena, what is left is what is in use.
    let ws = short(&cameras).env("MALLOC_ARENA_MAX", "1");
    let file = ws.read("configs/camera_to_workload.json");
    let file = file
        .replace(r#""width": 320, "height": 180, "fps": 15"#, r#""width": 160, "height": 120, "fps": 10"#);
    let mut parts = file.split("\"fileSrc\": \"short.mp4|scene:short\"");
    let mut lane = parts.next().unwrap().to_owned();
    for (n, part) in parts.enumerate() {
        let port = if n == 0 { victim.port } else { others.port };
        lane += &format!("\"streamUri\": \"rtsp://127.0.0.1:{port}/till\"{part}");
    }
    ws.write("configs/camera_to_workload.json", &lane);
    // One worker: what a lost connection leaves behind would add up in it.
    ws.write(
        "Lpfile.toml",
        &format!(
            "[run]\nduration = \"0s\"\nwarmup = \"1s\"\nisolation = \"lane\"\n\
             [rtsp]\ntransport = \"{transport}\"\nlatency = 350\nreconnect = \"20 in 1m\"\n"
        ),
    );
    ws
}

fn delivered_all(name: &str, stream: &StreamRecord) {
    assert_eq!(stream.failure, None, "{name}");
    let delivery = stream.delivery.as_ref().unwrap();
    assert_eq!(delivery.reconnects, [], "{name}");
    assert_eq!((delivery.incomplete, delivery.damaged), (0, 0), "{name}: {delivery:?}");
    assert_eq!(delivery.packets.as_ref().unwrap().lost, 0, "{name}");
    let (from, to) = stream.window_us.unwrap();
    let due = (to - from) as f64 / 1e6 * 10.0;
    let frames = delivery.frames.unwrap() as f64;
    assert!((frames - due).abs() <= 2.0 + due * 0.001, "{name}: {frames} frames of {due}");
}

fn one_server_is_killed_again_and_again(transport: &str) {
    let form = form();
    let maker = Bench::new();
    let clip = maker.clip(10, 10);
    let mut victim = Server::start(&clip, 0);
    let others = Server::start(&clip, 0);
    let ws = lane(&form, transport, &victim, &others);
    let mut lp = LpProcess::start(&ws, &["run", "--no-verdict"]);
    (0..form.cameras).for_each(|n| lp.wait_for_frames_of(&format!("c{n}")));
    let mut processes = lp.workers();
    processes.insert("lp".to_owned(), lp.pid());
    assert_eq!(processes.len(), 2, "{processes:?}");

    let mut held: BTreeMap<&str, Vec<Holding>> = BTreeMap::new();
    let begin = Instant::now();
    for n in 1..=form.kills {
        let due = begin + form.every * u32::try_from(n).unwrap();
        // The pace of a campaign; no test waits for this.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let port = victim.port;
        lp.skip_lines();
        victim.kill();
        lp.wait_for_frames(VICTIM, |frames| frames == 0);
        victim = Server::start(&clip, port);
        lp.wait_for_frames(VICTIM, |frames| 0 < frames);
        for (name, process) in &processes {
            held.entry(name).or_default().push(holding(*process));
        }
    }
    // It is known a moment after its first frame that it is back.
    lp.wait_for_frames(VICTIM, |frames| 0 < frames);
    lp.interrupt();
    let ended = lp.finish();
    assert!(processes.values().all(|process| is_gone(*process)), "{processes:?}");

    let record = latest(&ws);
    for member in &record.members {
        let stream = &member.streams[0];
        if stream.stream != format!("{VICTIM}/1") {
            delivered_all(&stream.stream, stream);
            continue;
        }
        assert_eq!(stream.failure, None, "{}", ended.stderr);
        let outages = &stream.delivery.as_ref().unwrap().reconnects;
        assert_eq!(outages.len(), form.kills, "{outages:?}");
        assert!(outages.iter().all(|outage| outage.back_us.is_some() && 0 < outage.attempts), "{outages:?}");
    }
    let is_long = !form.every.is_zero();
    let measurement = measure(&record);
    for (n, camera) in
        measurement.cameras.iter().enumerate().filter(|_| is_long && measurement.degraded.is_empty())
    {
        let expected = if n == 0 { Verdict::Undecided } else { Verdict::Holds };
        assert_eq!(camera.verdict, expected, "c{n}: {}", ended.stdout);
    }
    for (name, held) in held {
        let third = held.len().div_ceil(3);
        let (first, last) = (usual(&held[..third]), usual(&held[held.len() - third..]));
        let n_kills = (held.len() - third) as u64;
        if is_long {
            let told =
                format!("{transport}: {name}: {first:?}, and {n_kills} kills later {last:?}: {held:?}");
            let _ = writeln!(std::io::stderr(), "{told}");
        }
        // Collectors open more or fewer files as other processes come and go.
        assert!(last.files <= first.files + 16, "{name}: {held:?}");
        assert!(last.threads <= first.threads + 4, "{name}: {held:?}");
        let grown_kib = last.memory_kib.saturating_sub(first.memory_kib);
        assert!(grown_kib <= 1_024 + n_kills * MOST_KIB_A_KILL, "{name}: {held:?}");
    }
}

/// The medians.
fn usual(held: &[Holding]) -> Holding {
    fn median<T: Ord + Copy>(held: &[Holding], of: impl Fn(&Holding) -> T) -> T {
        let mut values: Vec<T> = held.iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    }
    Holding {
        files: median(held, |held| held.files),
        threads: median(held, |held| held.threads),
        memory_kib: median(held, |held| held.memory_kib),
    }
}

/// By how much a process may grow from one kill to the next, 20 s later, in KiB.
const MOST_KIB_A_KILL: u64 = 96;

#[test]
fn each_death_of_a_server_in_tcp_is_one_outage_and_touches_no_other_camera() {
    one_server_is_killed_again_and_again("tcp");
}

#[test]
fn each_death_of_a_server_in_udp_is_one_outage_and_touches_no_other_camera() {
    one_server_is_killed_again_and_again("udp");
}
