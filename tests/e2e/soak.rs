//! Workers and scripts that leak while they are measured.

use serde_json::Value;

use crate::scripts::till;
use crate::support::{Workspace, frames};
use crate::verdict::playing;

/// A camera that plays for so many minutes, with the memory and the files of its worker by the second.
fn minutes(minutes: u64, worker: impl Fn(u64) -> (u64, u64)) -> Workspace {
    let ws = playing(&[("a", 1)]);
    let seconds = minutes * 60 + 5;
    let mut replay = String::new();
    for (second, line) in (0..).zip(frames("a/1", seconds, seconds).lines()) {
        let at: u64 = line[r#"{"at":"#.len()..].split(',').next().unwrap().parse().unwrap();
        let (rss, files) = worker(second);
        replay.push_str(line);
        let (at, cpu_us) = (at + 1, second * 1_000);
        replay.push_str(&format!(
            "\n{{\"at\":{at},\"event\":\"process\",\"cpu_us\":{cpu_us},\"rss\":{rss},\"files\":{files}}}\n"
        ));
    }
    ws.write("replay/a-1.jsonl", &replay);
    ws
}

/// The lines about change from hour to hour that are about this worker or stream.
fn lines(stdout: &str) -> Vec<&str> {
    let is_it = |line: &&str| line.starts_with("leak: ") || line.starts_with("soak: ");
    stdout.lines().filter(is_it).filter(|line| !line.contains("lp")).collect()
}

#[test]
fn ten_megabytes_and_a_file_a_minute_are_found_in_ten_minutes() {
    let ws = minutes(10, |second| (60_000_000 + second * 10_000_000 / 60, 20 + second / 60));
    let ended = ws.lp("run --duration 10m").success();
    let [memory, files, fps] = lines(&ended.stdout)[..] else { panic!("{}", ended.stdout) };
    assert!(memory.starts_with("leak: memory of worker a grows by 573."), "{memory}");
    assert!(files.starts_with("leak: open files of worker a grow by "), "{files}");
    assert_eq!(fps, "soak: no leak in fps of a/1");
    // Columns of their own.
    let csv = ws.lp("report --format csv").success().stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| row.get(header.iter().position(|one| one == name).unwrap()).unwrap().to_owned();
    assert_eq!(cell("leaks"), "memory=leak; open files=leak; fps=none");
    assert_eq!(cell("fps_per_hour"), "0");
}

#[test]
fn a_worker_that_does_not_grow_is_none_after_half_an_hour() {
    let ws = minutes(30, |second| (60_000_000 + (second % 5) * 4_096, 20));
    let ended = ws.lp("run --duration 30m").success();
    assert_eq!(
        lines(&ended.stdout),
        [
            "soak: no leak in memory of worker a",
            "soak: no leak in open files of worker a",
            "soak: no leak in fps of a/1",
        ]
    );
}

/// Keeps a megabyte and a file more each second.
const LEAKY: &str = r#"exec python3 -u -c '
import time
kept = []
while True:
    kept.append((b"x" * 1000000 + str(len(kept)).encode(), open("/dev/null")))
    print("lp: fps=15.0")
    time.sleep(1)
'"#;

#[test]
fn a_script_that_keeps_memory_and_files_is_found() {
    let ws = till(&[("leaky", LEAKY, "")]);
    let ended = ws.lp("run --duration 70s --no-verdict").success();
    let leaks: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("leak: ")).collect();
    assert_eq!(leaks.len(), 2, "{}", ended.stdout);
    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let soak = report["measurement"]["soak"].as_array().unwrap();
    let of = |about: &str, quantity: &str| {
        soak.iter().find(|one| one["about"] == about && one["quantity"] == quantity).unwrap()
    };
    for (quantity, an_hour) in [("memory", 3.6e9), ("files", 3_600.0)] {
        let one = of("scripts", quantity);
        assert_eq!(one["verdict"], "leak", "{one}");
        let ratio = one["per_hour"].as_f64().unwrap() / an_hour;
        assert!((0.9..1.1).contains(&ratio), "{one}");
    }
    assert_eq!(of("lp", "files")["verdict"], "cannot_tell");
    assert!(ws.read("results/latest/report.html").contains("Change from hour to hour"));
}
