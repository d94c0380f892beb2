//! `lp show --launch` beside samples of what upstream's generator prints, where
//! they are: they are no part of the package.
//!
//! Compared are all elements, their order, and all properties in theirs. Left
//! out are the values that may differ (`docs/from-upstream.md`): of `name` and
//! `model-instance-id`, the stream in `arg`, the file name in `file-path`, and
//! the root of `module`.

use std::path::{Path, PathBuf};

use crate::support::Workspace;

const MODELS: &str = "paths.models=/home/pipeline-server/models";
const RESULTS: &str = "paths.results=/home/pipeline-server/results";

fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    // Visible with `--nocapture`.
    let mut stdout = std::io::stdout();
    std::io::Write::write_all(&mut stdout, b"skipped: samples of upstream's output are not here\n").unwrap();
    None
}

/// One element a line, pipelines parted by an empty line.
fn normalised(words: &[String]) -> String {
    let mut text = String::new();
    let mut begins = true;
    for word in words.iter().skip_while(|word| *word != "--verbose").skip(1) {
        if word == "!" {
            text.push('\n');
            begins = true;
            continue;
        }
        match word.split_once('=') {
            // Behind a property and without `!` another pipeline begins.
            None if !begins => text.push_str(&format!("\n\n{word}")),
            None => text.push_str(word),
            Some((key, value)) => {
                let value = value.trim_matches('"').replace("\\\"", "\"");
                let shown = match key {
                    "name" | "model-instance-id" => "*".to_owned(),
                    "arg" => {
                        let is_one = value.starts_with("[\"") && value.ends_with("\"]");
                        assert!(is_one, "{value}");
                        "*".to_owned()
                    }
                    "file-path" => {
                        let (folder, name) = value.rsplit_once('/').unwrap();
                        assert!(name.starts_with("rs-") && name.ends_with(".jsonl"), "{value}");
                        format!("{folder}/*")
                    }
                    "module" => value.trim_start_matches("/home/pipeline-server/src/").to_owned(),
                    _ => value,
                };
                text.push_str(&format!(" {key}={shown}"));
            }
        }
        begins = false;
    }
    text
}

/// Judges one pair of files with one sample.
#[track_caller]
fn check(cameras: &Path, workloads: &Path, sample: &Path, sets: &[&str]) {
    let ours = launched(cameras, workloads, sets);
    let theirs = std::fs::read_to_string(sample).unwrap();
    let theirs = shlex::split(&theirs.replace("\\\n", " ")).unwrap();
    let (ours, theirs) = (normalised(&ours), normalised(&theirs));
    assert!(theirs.lines().count() > 9, "a pipeline has more elements than this: {theirs}");
    if ours != theirs {
        let differing =
            ours.lines().zip(theirs.lines()).find(|(one, other)| one != other).unwrap_or_default();
        panic!("{}:\nours   {}\ntheirs {}\n\n{ours}", sample.display(), differing.0, differing.1);
    }
}

/// The arguments that `lp` prints for a pair of files.
fn launched(cameras: &Path, workloads: &Path, sets: &[&str]) -> Vec<String> {
    let ws = Workspace::empty();
    let [cameras, workloads] = [cameras, workloads].map(|path| path.to_str().unwrap());
    let mut arguments =
        vec!["show", "--launch", "--format", "argv", "--cameras", cameras, "--workloads", workloads];
    for set in ["run.dialect=dlstreamer", "run.source=rtsp", MODELS, RESULTS].iter().chain(sets) {
        arguments.extend(["--set", set]);
    }
    let output = ws.command(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn shipped_pairs_become_what_upstream_prints() {
    let (Some(golden), Some(configs)) = (shared("upstream-golden/pairs"), shared("upstream-configs")) else {
        return;
    };
    let mut n_pairs = 0;
    for entry in std::fs::read_dir(golden).unwrap() {
        let sample = entry.unwrap().path();
        let stem = sample.file_stem().unwrap().to_str().unwrap();
        let (cameras, workloads) = stem.split_once("__").unwrap();
        let file = |name: &str| configs.join(format!("{name}.json"));
        check(&file(cameras), &file(workloads), &sample, &[]);
        n_pairs += 1;
    }
    assert_eq!(n_pairs, 4);
}

#[test]
fn every_option_has_upstreams_effect() {
    let (Some(golden), Some(configs)) = (shared("upstream-golden/variants"), shared("upstream-configs"))
    else {
        return;
    };
    let classification = [
        "camera_to_workload_asc_object_detection_classification",
        "workload_to_pipeline_asc_object_detection_classification_gpu",
    ];
    let hetero = ["camera_to_workload_asc_hetero", "workload_to_pipeline_asc_hetero"];
    let detection =
        ["camera_to_workload_asc_object_detection", "workload_to_pipeline_asc_object_detection_cpu"];
    let variants: [(&str, [&str; 2], &[&str]); 6] = [
        ("render1_default", ["camera_to_workload", "workload_to_pipeline"], &["run.render=true"]),
        ("render1_gpu", ["camera_to_workload", "workload_to_pipeline_gpu"], &["run.render=true"]),
        ("count2_asc_hetero", hetero, &["run.count=2"]),
        ("batch8_4", classification, &["dlstreamer.batch_size_detect=8", "dlstreamer.batch_size_classify=4"]),
        ("interval1", classification, &["dlstreamer.inference_interval=1"]),
        ("rtsp_host_port", detection, &["rtsp.host=10.1.2.3", "rtsp.port=9554"]),
    ];
    for (name, [cameras, workloads], sets) in variants {
        let file = |name: &str| configs.join(format!("{name}.json"));
        check(&file(cameras), &file(workloads), &golden.join(format!("{name}.txt")), sets);
    }
}

#[test]
fn small_configs_become_what_upstream_prints() {
    let Some(golden) = shared("upstream-golden/extra") else { return };
    let mut n_cases = 0;
    for entry in std::fs::read_dir(golden).unwrap() {
        let case = entry.unwrap().path();
        // Upstream knows nothing about a second GPU: what it has in mind is tested in `launch`.
        if case.file_name().is_some_and(|name| name == "gpu1") {
            continue;
        }
        check(&case.join("camera.json"), &case.join("workload.json"), &case.join("command.txt"), &[]);
        n_cases += 1;
    }
    assert_eq!(n_cases, 10);
}
