//! `lp import --results`: folders of upstream's results with a known truth, in both forms, with what goes wrong in them.

mod folder;

use std::os::unix::fs::symlink;
use std::process::Command;

use expect_test::expect;
use serde_json::Value;

use self::folder::{Camera, Files, Form, Lane, TIME, cameras};
use crate::support::Workspace;

/// A project with a folder of results.
fn project(lane: &Lane, files: &Files) -> Workspace {
    let (cameras, workloads) = lane.configs();
    let mut ws =
        Workspace::empty().file("Lpfile.toml", "").file("c.json", &cameras).file("w.json", &workloads);
    for (name, text) in files {
        ws = ws.file(&format!("results-of-upstream/{name}"), text);
    }
    ws
}

const WITH_CONFIG: &str = "import --results results-of-upstream --cameras c.json --workloads w.json --json";
const ALONE: &str = "import --results results-of-upstream --json";

/// A run as it was imported.
struct Run {
    document: Value,
    report: Value,
}

impl Run {
    fn texts(&self, key: &str) -> String {
        let texts = self.document["imported"][key].as_array();
        texts.map_or_else(String::new, |all| {
            all.iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
        })
    }

    #[track_caller]
    fn corrected(&self, text: &str) -> &Run {
        assert!(self.texts("corrected").contains(text), "`{text}` is not in:\n{}", self.texts("corrected"));
        self
    }

    #[track_caller]
    fn unknown(&self, text: &str) -> &Run {
        assert!(self.texts("unknown").contains(text), "`{text}` is not in:\n{}", self.texts("unknown"));
        self
    }

    /// Camera with copy and pipeline, and its figures.
    fn streams(&self) -> Vec<(String, Value)> {
        let cameras = self.report["measurement"]["cameras"].as_array().unwrap();
        let of = |camera: &Value| -> Vec<(String, Value)> {
            let streams = camera["streams"].as_array().unwrap().clone();
            streams
                .into_iter()
                .map(|stream| (stream["stream"].as_str().unwrap().to_owned(), stream))
                .collect()
        };
        cameras.iter().flat_map(of).collect()
    }

    fn stream(&self, name: &str) -> Value {
        let found = self.streams().into_iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("there is no `{name}`")).1
    }

    /// Whether each stream of the truth has its rate.
    #[track_caller]
    fn true_to(&self, lane: &Lane) -> &Run {
        let streams = lane.streams();
        assert_eq!(self.streams().len(), streams.len());
        for stream in streams {
            let copy = if stream.lane > 0 { format!("-l{}", stream.lane + 1) } else { String::new() };
            let name = format!("{}{copy}/{}", lane.cameras[stream.camera].id, stream.branch + 1);
            let fps = self.stream(&name)["fps"].as_f64().unwrap();
            assert!((fps - stream.fps).abs() < 0.005, "{name}: {fps}, not {}", stream.fps);
        }
        self
    }

    fn verdicts(&self) -> Vec<String> {
        self.streams().iter().map(|(_, stream)| stream["verdict"].as_str().unwrap().to_owned()).collect()
    }
}

#[track_caller]
fn imported(ws: &Workspace, command: &str) -> Vec<Run> {
    let document: Value = serde_json::from_str(&ws.lp(command).success().stdout).unwrap();
    let runs = document["runs"].as_array().unwrap().iter().map(|document| {
        let id = document["run"].as_str().unwrap();
        let report = serde_json::from_str(&ws.read(&format!("results/runs/{id}/report.json"))).unwrap();
        Run { document: document.clone(), report }
    });
    let runs: Vec<Run> = runs.collect();
    // Whatever is in the folder, nothing that was imported holds.
    assert!(runs.iter().flat_map(Run::verdicts).all(|verdict| verdict != "holds"));
    runs
}

#[track_caller]
fn one(lane: &Lane, files: &Files, command: &str) -> Run {
    let mut runs = imported(&project(lane, files), command);
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

#[test]
fn six_cameras_of_the_old_form_keep_their_order() {
    let lane = Lane::of(6, Form::Old);
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("the start, the first 2 lines");
}

#[test]
fn twelve_cameras_of_the_old_form_get_their_own_rates() {
    let lane = Lane::of(12, Form::Old);
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("log 0 is of cam10/1, not of cam1/1");
}

#[test]
fn two_lanes_of_the_old_form_get_their_own_rates() {
    let lane = Lane { lanes: 2, ..Lane::of(6, Form::Old) };
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("not of cam2/1");
}

#[test]
fn four_copies_of_one_camera_get_their_own_rates() {
    let lane = Lane { lanes: 4, ..Lane::of(1, Form::Old) };
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("log 0 is of cam1/1 of lane 4");
}

#[test]
fn eleven_lanes_of_twelve_cameras_get_their_own_rates() {
    let lane = Lane { lanes: 11, seconds: 20, ..Lane::of(12, Form::Old) };
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane);
}

#[test]
fn several_pipelines_of_a_camera_get_their_own_rates() {
    let mut lane = Lane { lanes: 2, ..Lane::of(3, Form::Old) };
    lane.cameras[1].pipelines = 4;
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane);
}

#[test]
fn a_camera_with_a_vlm_takes_no_log() {
    let mut lane = Lane::of(4, Form::Old);
    lane.cameras[1] = Camera { is_vlm: true, ..lane.cameras[1].clone() };
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("log 1 is of cam3/1");
}

#[test]
fn a_launch_that_names_its_counters_needs_no_config() {
    let lane = Lane { has_launch: true, ..Lane::of(12, Form::Old) };
    let run = one(&lane, &lane.files(), ALONE);
    run.corrected("log 0 is of camera 10/1").unknown("the names of the cameras");
    for stream in lane.streams() {
        let name = format!("camera_{}/1", stream.camera + 1);
        assert!((run.stream(&name)["fps"].as_f64().unwrap() - stream.fps).abs() < 0.005, "{name}");
    }
}

#[test]
fn a_script_with_the_command_names_the_counters_too() {
    let lane = Lane::of(11, Form::Old);
    let mut files = lane.files();
    let mut numbers = (1..=11).map(|k| {
        format!("  rtspsrc name=cam{k}_{} ! gvafpscounter name=stream{k}_1_{} ! q \\", 3 * k - 2, 3 * k)
    });
    files.insert(
        "pipeline.sh".to_owned(),
        format!("gst-launch-1.0 \\\n{}\n", numbers.by_ref().collect::<Vec<_>>().join("\n")),
    );
    let run = one(&lane, &files, ALONE);
    assert_eq!(run.stream("camera_11/1")["fps"], 12.5);
}

#[test]
fn without_a_clue_no_camera_is_named() {
    let lane = Lane::of(12, Form::Old);
    let run = one(&lane, &lane.files(), ALONE);
    run.unknown("which camera a log is of");
    assert_eq!(run.stream("stream_0/1")["fps"], 12.25);
    assert!(run.verdicts().iter().all(|verdict| verdict == "not_judged"));
}

#[test]
fn a_config_of_another_lane_names_no_camera() {
    let lane = Lane::of(6, Form::Old);
    let mut files = lane.files();
    files.remove(&lane.log(5));
    one(&lane, &files, WITH_CONFIG).unknown("5 logs are no whole number of lanes");
}

#[test]
fn the_new_form_has_a_manifest() {
    let lane = Lane { lanes: 3, ..Lane::of(12, Form::New) };
    let run = one(&lane, &lane.files(), ALONE);
    run.true_to(&lane).unknown("the rates that streams should have");
    assert!(!run.texts("corrected").contains("not of"), "{}", run.texts("corrected"));
    assert_eq!(run.document["imported"]["form"], "new");
}

#[test]
fn a_manifest_knows_vlm_cameras_and_branches() {
    let mut lane = Lane { lanes: 2, ..Lane::of(3, Form::New) };
    lane.cameras[1].is_vlm = true;
    lane.cameras[2].pipelines = 2;
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("the number of a log");
}

#[test]
fn the_new_form_without_its_manifest_keeps_the_order_of_the_lane() {
    let lane = Lane { lanes: 2, ..Lane::of(12, Form::New) };
    let mut files = lane.files();
    files.remove("pipeline_streams.json");
    one(&lane, &files, WITH_CONFIG).true_to(&lane).unknown("there is no manifest");
}

#[test]
fn a_manifest_of_one_column_logs_is_believed() {
    let lane = Lane::of(12, Form::New);
    let mut files = lane.files();
    for text in files.values_mut().filter(|text| text.starts_with("fps,")) {
        *text = text.replace("fps,duration_seconds\n", "").replace(",1.00\n", "\n");
    }
    one(&lane, &files, ALONE).true_to(&lane);
}

#[test]
fn a_manifest_of_another_run_is_told() {
    let lane = Lane::of(6, Form::Old);
    let mut files = lane.files();
    let other = Lane::of(2, Form::New).files();
    files.insert("pipeline_streams.json".to_owned(), other["pipeline_streams.json"].clone());
    one(&lane, &files, WITH_CONFIG).true_to(&lane).unknown("it has 2 streams, and the run 6 logs");
}

#[test]
fn a_damaged_manifest_is_named_with_all_its_faults() {
    let lane = Lane::of(2, Form::New);
    let mut files = lane.files();
    files.insert(
        "pipeline_streams.json".to_owned(),
        r#"{"streams": [{"lane": 0}, {"log_index": 7, "lane": 0}]}"#.to_owned(),
    );
    let run = one(&lane, &files, WITH_CONFIG);
    run.true_to(&lane);
    let not_read = run.document["imported"]["not_read"][0]["reason"].as_str().unwrap();
    assert_eq!(
        not_read,
        "`streams[0]`: `log_index` is missing; `streams[1].log_index` is 7, but there are 2 streams"
    );
}

#[test]
fn a_log_that_a_manifest_has_and_the_folder_not_is_missing() {
    let lane = Lane::of(3, Form::New);
    let mut files = lane.files();
    files.remove(&lane.log(1));
    let run = one(&lane, &files, ALONE);
    assert_eq!(run.stream("cam2/1")["reason"], "its log is missing");
    assert_eq!(run.stream("cam3/1")["fps"], 10.5);
}

#[test]
fn times_of_lines_weigh_their_rates() {
    let lane = Lane::of(1, Form::New);
    let rows =
        "fps,duration_seconds\n30.00,1.00\n20.00,1.00\n".to_owned() + &"15.00,1.00\n14.50,1.50\n".repeat(40);
    let mut files = lane.files();
    files.insert(lane.log(0), rows);
    let run = one(&lane, &files, ALONE);
    // (15 x 1 + 14.5 x 1.5) / 2.5
    assert_eq!(run.stream("cam1/1")["fps"], 14.7);
    assert_eq!(run.stream("cam1/1")["window_us"], 100_000_000);
}

#[test]
fn a_launch_gives_the_old_form_its_times() {
    let lane = Lane { has_launch: true, ..Lane::of(1, Form::Old) };
    let mut files = lane.files();
    let launch = files[&lane.launch()].replace("last 1.00sec", "last 2.00sec");
    files.insert(lane.launch(), launch);
    let run = one(&lane, &files, ALONE);
    assert_eq!(run.stream("camera_1/1")["window_us"], 120_000_000);
    assert!(!run.texts("unknown").contains("one second is assumed"));
}

#[test]
fn a_launch_of_another_run_is_not_believed() {
    let lane = Lane { has_launch: true, ..Lane::of(2, Form::Old) };
    let other = Lane { base: 5.0, ..lane.clone() };
    let mut files = lane.files();
    files.insert(lane.launch(), other.files()[&lane.launch()].clone());
    one(&lane, &files, WITH_CONFIG).true_to(&lane).unknown("whether the log of the launch is of this run");
}

#[test]
fn latencies_go_to_their_streams() {
    let lane = Lane { has_launch: true, ..Lane::of(12, Form::Old) };
    let run = one(&lane, &lane.files(), WITH_CONFIG);
    for stream in lane.streams() {
        let name = format!("cam{}/1", stream.camera + 1);
        let p50 = run.stream(&name)["latency_us"]["p50"].as_u64().unwrap();
        assert_eq!(p50, (20 + stream.camera as u64) * 1000, "{name}");
    }
}

#[test]
fn a_slow_start_and_a_long_burst_are_left_out() {
    let lane = Lane { start: vec![0.50, 2.00, 5.00, 38.00, 22.00], ..Lane::of(3, Form::Old) };
    one(&lane, &lane.files(), WITH_CONFIG).true_to(&lane).corrected("the first 5 lines");
}

#[test]
fn a_line_without_a_number_is_no_zero() {
    let lane = Lane::of(3, Form::Old);
    let mut files = lane.files();
    let log = files.get_mut(&lane.log(1)).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    // Four lines, so that those that are left have the same mean.
    *log = [&lines[..22], &["nan", "-nan", "na", ""], &lines[26..]].concat().join("\n") + "\n";
    let run = one(&lane, &files, WITH_CONFIG);
    run.true_to(&lane).corrected("log 1: 4 lines without a number (`nan`)");
    assert_eq!(run.stream("cam2/1")["window_us"], 56_000_000);
}

#[test]
fn a_dead_stream_has_no_rate_of_its_last_value() {
    let lane = Lane::of(3, Form::Old);
    let mut files = lane.files();
    let log = files.get_mut(&lane.log(2)).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    *log = lines[..22].join("\n") + "\n" + &"10.47\n".repeat(40);
    let run = one(&lane, &files, WITH_CONFIG);
    run.corrected("log 2: its last 39 lines repeat 10.47");
    let dead = run.stream("cam3/1");
    assert_eq!(dead["verdict"], "failed");
    assert_eq!(dead["reason"], "ended after 23 s: the last 39 lines of its log repeat 10.47");
    assert_eq!(run.stream("cam1/1")["fps"], 10.0);
}

#[test]
fn a_stream_of_zeros_is_one_that_does_not_hold() {
    let lane = Lane::of(2, Form::Old);
    let mut files = lane.files();
    files.insert(lane.log(1), "38.00\n15.00\n".to_owned() + &"0.00\n".repeat(60));
    let run = one(&lane, &files, WITH_CONFIG);
    assert_eq!(run.stream("cam2/1")["fps"], 0.0);
    assert_eq!(run.stream("cam2/1")["verdict"], "does_not_hold");
}

#[test]
fn a_stream_that_never_played_is_told() {
    let lane = Lane::of(3, Form::Old);
    let mut files = lane.files();
    files.insert(lane.log(1), String::new());
    let run = one(&lane, &files, WITH_CONFIG);
    assert_eq!(run.stream("cam2/1")["verdict"], "failed");
    assert!(run.stream("cam2/1")["fps"].is_null());
    assert_eq!(run.stream("cam3/1")["fps"], 10.5);
}

#[test]
fn empty_logs_are_filled_from_the_launch() {
    let lane = Lane { has_launch: true, ..Lane::of(11, Form::Old) };
    let mut files = lane.files();
    (0..11).for_each(|j| drop(files.insert(lane.log(j), String::new())));
    // Upstream's script waits for a twelfth stream.
    files.insert(lane.log(11), String::new());
    let run = one(&lane, &files, ALONE);
    run.corrected("waits for lines of 12 streams, and they have 11");
    for stream in lane.streams() {
        let name = format!("camera_{}/1", stream.camera + 1);
        assert!((run.stream(&name)["fps"].as_f64().unwrap() - stream.fps).abs() < 0.005, "{name}");
    }
}

#[test]
fn a_stream_that_ends_first_makes_all_undecided() {
    let lane = Lane { has_launch: true, base: 15.0, ..Lane::of(2, Form::Old) };
    let mut files = lane.files();
    let rest =
        "FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps\n".repeat(30);
    files.get_mut(&lane.launch()).unwrap().push_str(&rest);
    let run = one(&lane, &files, WITH_CONFIG);
    run.unknown("which of the 2 streams ended before the run: 1 played for the last 30 s");
    assert_eq!(run.verdicts(), ["undecided", "undecided"]);
    assert!(
        run.stream("cam1/1")["reason"].as_str().unwrap().starts_with("1 of the 2 streams ended 30 s before")
    );
}

#[test]
fn a_last_line_that_is_cut_is_left_out() {
    let lane = Lane::of(2, Form::Old);
    let mut files = lane.files();
    files.get_mut(&lane.log(0)).unwrap().push('1');
    one(&lane, &files, WITH_CONFIG).true_to(&lane).corrected("log 0: its last line has no end");
}

#[test]
fn carriage_returns_change_nothing() {
    for form in [Form::Old, Form::New] {
        let lane = Lane::of(3, form);
        let mut files = lane.files();
        files.values_mut().for_each(|text| *text = text.replace('\n', "\r\n"));
        one(&lane, &files, WITH_CONFIG).true_to(&lane);
    }
}

#[test]
fn runs_and_containers_of_one_folder_are_told_apart() {
    let first = Lane { base: 9.0, ..Lane::of(3, Form::Old) };
    let second = Lane { time: "20260820125951000001", ..Lane::of(3, Form::Old) };
    let other = Lane { container: "gst1", base: 11.0, ..first.clone() };
    let mut files = first.files();
    files.extend(second.files());
    files.extend(other.files());
    let runs = imported(&project(&first, &files), WITH_CONFIG);
    assert_eq!(runs.len(), 3);
    for (run, lane) in runs.iter().zip([&first, &other, &second]) {
        run.true_to(lane);
        assert_eq!(run.document["imported"]["container"], lane.container);
    }
}

#[test]
fn a_target_is_missed_by_a_rate_and_never_held_by_one() {
    let mut lane = Lane { base: 15.0, ..Lane::of(2, Form::New) };
    lane.cameras[1].fps = 20.0;
    let run = one(&lane, &lane.files(), WITH_CONFIG);
    assert_eq!(run.verdicts(), ["undecided", "does_not_hold"]);
    assert_eq!(
        run.stream("cam1/1")["reason"],
        "the rate is kept, but upstream counts neither dropped nor late frames, so nothing shows that it holds"
    );
    assert_eq!(run.stream("cam2/1")["reason"], "15.25 fps is less than 98 % of 20");
}

#[test]
fn the_machine_is_measured_in_the_window_and_waits_idly() {
    let lane = Lane { base: 15.0, ..Lane::of(2, Form::New) };
    let mut files = lane.files();
    // Loading models before the run, then 40 %; 10 % wait for a disk.
    files.insert("cpu_usage.log".to_owned(), lane.sar(30, |second| if second < 2 { 80.0 } else { 40.0 }));
    let run = one(&lane, &files, WITH_CONFIG);
    assert_eq!(run.report["measurement"]["machine"]["cpu"], 0.5 - 0.1);
    run.corrected("waits for a disk is idle time");
    assert_eq!(run.report["host"]["cpus"], "8");
    assert!(
        run.document["verdict"].as_str().unwrap().ends_with("machine CPU 40 %"),
        "{}",
        run.document["verdict"]
    );
}

#[test]
fn means_alone_are_no_rates() {
    let lane = Lane::of(2, Form::Old);
    let metrics = "Camera_0 FPS,15.79\r\nCamera_1 FPS,14.2\r\nCPU Utilization %,40.0\r\n";
    let files: Files = [("metrics.csv".to_owned(), metrics.to_owned())].into();
    let run = one(&lane, &files, ALONE);
    assert_eq!(run.document["imported"]["form"], "means");
    assert_eq!(run.verdicts(), ["not_judged", "not_judged"]);
    assert!(run.stream("stream_0/1")["fps"].is_null());
    assert_eq!(run.document["imported"]["streams"][0]["upstream_fps"], 15.79);
}

#[test]
fn upstreams_means_are_compared_with_the_logs() {
    let lane = Lane::of(2, Form::Old);
    let mut files = lane.files();
    let mean = |text: &str| {
        let rates: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
        rates.iter().sum::<f64>() / rates.len() as f64
    };
    let right = mean(&files[&lane.log(0)]);
    files.insert("metrics.csv".to_owned(), format!("Camera_0 FPS,{right}\r\nCamera_1 FPS,99.5\r\n"));
    let run = one(&lane, &files, WITH_CONFIG);
    run.unknown("no mean of a log of this run: `Camera_1 FPS` 99.5");
    let stream = &run.document["imported"]["streams"][0];
    assert!((stream["upstream_fps"].as_f64().unwrap() - right).abs() < 1e-9);
    assert_eq!(stream["log"], lane.log(0));
}

#[test]
fn windows_figures_are_kept_as_means() {
    let lane = Lane::of(2, Form::New);
    let mut files = lane.files();
    let windows = r#"{"metrics": {"GPU_1 GPU Power (W)": "NA", "S0 Power Draw W": 12.5}, "adapters": {}}"#;
    files.insert("windows_metrics.json".to_owned(), windows.to_owned());
    let ws = project(&lane, &files);
    let run = imported(&ws, ALONE).remove(0);
    run.unknown("not available on Windows: GPU_1 GPU Power (W)");
    let id = run.document["run"].as_str().unwrap();
    let text = ws.lp(&format!("report {id} --format upstream")).success().stdout;
    assert_eq!(text, "Camera_0 FPS,10.0\r\nCamera_1 FPS,10.25\r\nS0 Power Draw W,12.5\r\n");
}

#[test]
fn junk_beside_a_run_is_named_file_by_file() {
    let lane = Lane::of(1, Form::Old);
    let mut files = lane.files();
    files.insert("notes.txt".to_owned(), "\u{1b}[31mred".to_owned());
    files.insert("cpu_usage.log".to_owned(), "\u{0}\u{1}\u{2}".to_owned());
    files.insert("windows_metrics.json".to_owned(), "{".to_owned());
    files.insert("pipeline_streamX.log".to_owned(), "15.00\n".to_owned());
    let ws = project(&lane, &files);
    let ended = ws.lp("import --results results-of-upstream").success();
    let told: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("`lp report")).collect();
    expect![[r#"
        not read: cpu_usage.log: it has no value that could be read
        not read: notes.txt: it is none of upstream's files of results
        not read: pipeline_streamX.log: its name is not of the form `pipeline_stream<i>_<time>_<container>.log`
        not read: windows_metrics.json: it is no JSON: EOF while parsing an object at line 1 column 1"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn nothing_is_written_when_nothing_was_understood() {
    let ws =
        Workspace::empty().file("Lpfile.toml", "").file("r/notes.txt", "x").file("r/cpu_usage.log", "junk\n");
    ws.lp("import --results r").code(2).stderr(expect![[r#"
        error: `r` has no results of a run that can be read, so nothing was imported
          hint: a run leaves `pipeline_stream<i>_<time>_<container>.log` for each stream; see docs/from-upstream.md
          cpu_usage.log: it has no value that could be read
          notes.txt: it is none of upstream's files of results
    "#]]);
    assert!(!ws.exists(".lpcache") && !ws.exists("results"));
    ws.lp("import --results nowhere").code(2);
    ws.lp("import --results r/notes.txt").code(2);
    ws.lp("import --results r --cameras c.json").code(2).stderr(expect![[r#"
        error: `--results` takes one file of cameras with one of workloads
          hint: `lp import --results DIR --cameras FILE --workloads FILE`, or neither
    "#]]);
}

#[test]
fn links_do_not_lead_out_of_the_folder() {
    let lane = Lane::of(1, Form::Old);
    let mut files = lane.files();
    let log = files.remove(&lane.log(0)).unwrap();
    files.insert("real.log".to_owned(), log);
    let ws = project(&lane, &files).file("secret.log", "15.00\n");
    let folder = ws.path("results-of-upstream");
    symlink("real.log", folder.join(lane.log(0))).unwrap();
    symlink("../secret.log", folder.join(lane.log(1))).unwrap();
    symlink("..", folder.join("up")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    symlink(".", folder.join("again")).unwrap();
    let run = imported(&ws, ALONE).remove(0);
    assert_eq!(run.streams().len(), 1);
    let ended = ws.lp("import --results results-of-upstream").success();
    for text in [
        format!("{}: a link that leads out of the folder", lane.log(1)),
        "up: a link that leads out of the folder".to_owned(),
        "loop: a link that leads nowhere".to_owned(),
        "again: a link to a folder".to_owned(),
    ] {
        assert!(ended.stderr.contains(&text), "`{text}` is not in:\n{}", ended.stderr);
    }
}

#[test]
fn folders_of_several_benchmarks_are_read_each_by_itself() {
    let lane = Lane::of(2, Form::New);
    let other = Lane { base: 12.0, ..lane.clone() };
    let mut ws = Workspace::empty().file("Lpfile.toml", "");
    for (folder, lane) in [("a", &lane), ("b", &other)] {
        for (name, text) in lane.files() {
            ws = ws.file(&format!("results-of-upstream/{folder}/{name}"), &text);
        }
    }
    let runs = imported(&ws, ALONE);
    assert_eq!(runs.len(), 2);
    runs[0].true_to(&lane);
    runs[1].true_to(&other);
    assert_eq!(runs[1].document["imported"]["folder"], "results-of-upstream/b");
}

#[test]
fn a_run_is_imported_once_and_marked_everywhere() {
    let lane = Lane { base: 15.0, ..Lane::of(2, Form::New) };
    let ws = project(&lane, &lane.files());
    let first = imported(&ws, WITH_CONFIG).remove(0);
    assert_eq!(first.document["new"], true);
    let again = imported(&ws, WITH_CONFIG).remove(0);
    assert_eq!(again.document["new"], false);
    assert_eq!(again.document["run"], first.document["run"]);
    let id = first.document["run"].as_str().unwrap();
    assert!(id.starts_with(&format!("{}T{}Z-", &TIME[..8], &TIME[8..14])), "{id}");
    let shown = |command: &str| ws.lp(command).success().stdout.replace(id, "RUN");
    expect![[r#"
        run                      cameras                     tag                            verdict
        RUN  import:results-of-upstream  imported: results-of-upstream  imported (new form, 2 streams): 2 of 2 cameras undecided; machine CPU not measured
    "#]]
    .assert_eq(&shown("list runs"));
    expect![[r#"
        run         RUN of lane
        tag         imported: results-of-upstream
        imported    results-of-upstream (3 files), container gst0
        started     2026-08-20 11:59:51 UTC
        conditions  imported: measured by Intel's loss-prevention, not by lp (new form, 1 lane); all lines after the start of each stream
        host        unknown host

        camera  workloads  target                   fps       on time    latency ms       dropped      CPU %  memory  verdict
                                                                    %   p50/p95/p99             %  of a core     MiB
        cam1    w0_0           15  15.00 (14.98..15.03)  not measured  not measured  not measured          -       -  undecided
        cam2    w1_0           15  15.25 (15.23..15.28)  not measured  not measured  not measured          -       -  undecided

        machine: CPU - % of all cores, memory - MiB in use at most
        corrected: the start, the first 2 lines of each log, is left out: the mean of all lines of a log was 15.80 fps, without its start and by time it is 15.00
        unknown: dropped frames, late frames and what the cameras delivered: upstream counts none of them
        note: cam1/1, cam2/1: no latency: no latencies of it were traced
        note: machine: no CPU and memory: no `cpu_usage.log` with values of this run is among the files
        2 cameras are undecided: the rate is kept, but upstream counts neither dropped nor late frames, so nothing shows that it holds
        estimate: cannot tell how many lanes would fit: another program measured this run
        imported (new form, 2 streams): 2 of 2 cameras undecided; machine CPU not measured
    "#]]
    .assert_eq(&shown("report"));
    let html = shown("report --format html");
    assert!(html.contains("None of its streams is judged to hold"));
    assert!(html.contains("lp import --results results-of-upstream"));
    ws.lp("report --verdict").code(1).stderr_has("2 of 2 cameras are undecided");
    assert!(!ws.exists("results/latest"), "it is no run of this machine");
    let manifest: Value =
        serde_json::from_str(&ws.read(&format!("results/runs/{id}/pipeline_streams.json"))).unwrap();
    assert_eq!(manifest["streams"][1]["camera_id"], "cam2");
}

#[test]
fn the_targets_of_make_import_what_is_there_and_write_upstreams_files() {
    let lane = Lane::of(11, Form::Old);
    let ws = project(&lane, &lane.files()).file("configs/c.json", &lane.configs().0);
    let script = |what: &str| {
        let root = env!("CARGO_MANIFEST_DIR");
        let program = std::fs::read_to_string(format!("{root}/scripts/consolidate")).unwrap();
        ws.write("scripts/consolidate", &program);
        let ended = Command::new("bash")
            .args(["scripts/consolidate", what])
            .current_dir(ws.root())
            .env("LP", env!("CARGO_BIN_EXE_lp"))
            .env("RESULTS_DIR", "results-of-upstream")
            .env("CAMERA_STREAM", "c.json")
            .env("WORKLOAD_DIST", "w.json")
            .env_remove("RUN")
            .env_remove("BROWSER")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    };
    assert_eq!(script("metrics"), "results-of-upstream/metrics.csv\n");
    let text = ws.read("results-of-upstream/metrics.csv");
    assert!(text.starts_with("Camera_0 FPS,10.0\r\nCamera_1 FPS,10.25\r\n"), "{text}");
    assert_eq!(script("plot"), "results-of-upstream/plot_metrics/report.html\n");
    assert!(ws.read("results-of-upstream/plot_metrics/report.html").contains("imported"));
}

#[test]
fn metrics_of_an_imported_run_are_upstreams_rows_with_true_rates() {
    let mut lane = Lane { has_launch: true, base: 14.0, ..Lane::of(11, Form::Old) };
    lane.cameras = cameras(11);
    let mut files = lane.files();
    files.insert("cpu_usage.log".to_owned(), lane.sar(0, |_| 40.0));
    let ws = project(&lane, &files);
    let run = imported(&ws, WITH_CONFIG).remove(0);
    let id = run.document["run"].as_str().unwrap();
    let text = ws.lp(&format!("report {id} --format upstream")).success().stdout;
    assert!(text.starts_with("Camera_0 FPS,14.0\r\nCamera_1 FPS,14.25\r\n"), "{text}");
    assert!(text.contains("\r\nCamera_10 FPS,16.5\r\n"), "{text}");
    assert!(text.contains("\r\nCPU Utilization %,40.0\r\n"), "{text}");
    assert!(text.ends_with("\r\nOverall Latency (ms),30.0\r\n"), "{text}");
}
