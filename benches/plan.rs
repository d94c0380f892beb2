//! How long it takes to consolidate large lanes in memory: `scripts/bench plan`.
//!
//! A project is made, read once, and planned again and again; `scripts/bench` does
//! so on one core. `scripts/bench scale` measures reading it and writing plans.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::path::Path;
use std::time::Instant;

use lp::config::load::{LoadRequest, Scope, load};
use lp::model::Project;
use lp::os;
use lp::plan::lane::Lane;
use lp::plan::{CameraPlan, summary::summarise};

const RUNS: usize = 7;

fn main() {
    let folder = std::env::temp_dir().join(format!("lp-bench-plan-{}", std::process::id()));
    for (cameras, each, known) in [(20_000, 2, 6), (20_000, 6, 1000), (20_000, 20, 1000)] {
        let project = project(&folder, cameras, each, known);
        let what = format!("{cameras} cameras of {each} workloads out of {known}");
        let lane = timed(&format!("{what}: consolidating"), || Lane::of(&project));
        let plans: Vec<CameraPlan> = lane.cameras.into_iter().map(|planned| planned.plan).collect();
        timed(&format!("{what}: summing up"), || summarise(&plans));
    }
    os::fs::remove(&folder).expect("the folder was made here");
}

/// A lane whose cameras carry so many workloads, of which every third shares its
/// steps with another.
fn project(folder: &Path, cameras: usize, each: usize, known: usize) -> Project {
    let names = |n: usize| (0..each).map(|m| format!("\"w{}\"", (n * each + m) % known)).collect::<Vec<_>>();
    let cameras = (0..cameras).map(|n| {
        let (url, names) = ("a.mp4|http://127.0.0.1/a.mp4", names(n).join(","));
        format!("{{\"camera_id\":\"camera-{n}\",\"fileSrc\":\"{url}\",\"workloads\":[{names}]}}")
    });
    let cameras = format!("{{\"lane_config\":{{\"cameras\":[{}]}}}}", cameras.collect::<Vec<_>>().join(","));
    let workloads = (0..known).map(|n| {
        let threshold = (n - usize::from(n % 3 == 2)) as f64 / known as f64;
        format!(
            "\"w{n}\":[{{\"type\":\"gvadetect\",\"model\":\"yolo11n\",\"device\":\"CPU\",\"precision\":\"INT8\"}},\
             {{\"type\":\"gvaclassify\",\"model\":\"efficientnet-b0\",\"device\":\"CPU\",\"precision\":\"FP16-INT8\",\
             \"properties\":{{\"x\":{threshold}}}}}]"
        )
    });
    let workloads = format!("{{\"workload_pipeline_map\":{{{}}}}}", workloads.collect::<Vec<_>>().join(","));
    let files = [("Lpfile.toml", String::new()), ("cameras.json", cameras), ("workloads.json", workloads)];
    for (name, text) in files {
        let path = folder.join(name);
        os::fs::create_parent(&path).expect("there is room for temporary files");
        os::fs::write_atomic(&path, text.as_bytes()).expect("there is room for temporary files");
    }
    let loaded = load(&LoadRequest {
        dir: folder.to_path_buf(),
        cameras: Some(folder.join("cameras.json")),
        workloads: Some(folder.join("workloads.json")),
        profile: None,
        sets: Vec::new(),
        scope: Scope::Project,
        env: Vec::new(),
    });
    loaded.project.expect("the project has no errors")
}

/// Prints the median of a few runs with their range; gives back the last result.
fn timed<T>(what: &str, run: impl Fn() -> T) -> T {
    let mut seconds = Vec::new();
    let mut last = run();
    for _ in 0..RUNS {
        let begin = Instant::now();
        let result = run();
        seconds.push(begin.elapsed().as_secs_f64());
        last = result;
    }
    seconds.sort_by(f64::total_cmp);
    let (median, first, end) = (seconds[RUNS / 2], seconds[0], seconds[RUNS - 1]);
    println!("{what:<64} {median:7.3} s   {first:.3} .. {end:.3} s, {RUNS} runs");
    last
}
