//! Users' scripts as members of a run, those that misbehave above all. Each run
//! is of scripts alone and needs no worker, unless it says otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use expect_test::{Expect, expect};
use lp::record::RunRecord;
use lp::record::script::ScriptRecord;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Workspace, frames};

/// What a script does that does what it should: a figure, and no end.
pub(crate) const STEADY: &str = "echo 'FpsCounter(last 0.50sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps'\n\
                      exec sleep 1000";

/// A camera `till` with a workload for each of these scripts (name, text,
/// parameters), measured for a second.
pub(crate) fn till(scripts: &[(&str, &str, &str)]) -> Workspace {
    let (mut names, mut workloads) = (Vec::new(), Vec::new());
    let mut ws = Workspace::empty().file("Lpfile.toml", "[run]\nduration = \"1s\"\nwarmup = \"0s\"\n");
    for (name, text, parameters) in scripts {
        names.push(format!("\"{name}\""));
        workloads.push(format!(
            "    \"{name}\": [{{\"script\": \"pipelines/{name}.sh\", \"parameters\": {{{parameters}}}}}]"
        ));
        ws = script(ws, name, &format!("#!/bin/sh\n{text}\n"));
    }
    let camera = format!(
        "{{\"camera_id\": \"till\", \"streamUri\": \"rtsp://h/1\", \"width\": 640, \"height\": 360, \"fps\": 15, \
         \"region_of_interest\": {{\"x\": 1, \"y\": 2, \"x2\": 30, \"y2\": 40}}, \"workloads\": [{}]}}",
        names.join(", ")
    );
    let cameras = format!("{{\"lane_config\": {{\"cameras\": [\n  {camera}\n]}}}}\n");
    ws.file("configs/camera_to_workload.json", &cameras).file(
        "configs/workload_to_pipeline.json",
        &format!("{{\n  \"workload_pipeline_map\": {{\n{}\n  }}\n}}\n", workloads.join(",\n")),
    )
}

/// Writes `pipelines/<name>.sh` and lets it be executed.
fn script(ws: Workspace, name: &str, text: &str) -> Workspace {
    let path = format!("pipelines/{name}.sh");
    let ws = ws.file(&path, text);
    fs::set_permissions(ws.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    ws
}

pub(crate) fn latest(ws: &Workspace) -> RunRecord {
    serde_json::from_str(&ws.read("results/latest/record.json")).unwrap()
}

fn scripts(record: &RunRecord) -> Vec<&ScriptRecord> {
    record.members.iter().flat_map(|member| &member.scripts).collect()
}

/// The lines of the report that say what failed, times left out.
#[track_caller]
fn check_failures(ended: &Ended, expect: Expect) {
    let lines = ended.stdout.lines().filter(|line| line.starts_with("failed: ") || line.starts_with("  |"));
    let mut text = String::new();
    for line in lines {
        let (head, tail) = line.split_once(" after ").unwrap_or((line, ""));
        text.push_str(head);
        if let Some((_, tail)) = tail.split_once(" s") {
            text.push_str(&format!(" after ? s{tail}"));
        }
        text.push('\n');
    }
    expect.assert_eq(&text);
}

/// Whether the process of this number has gone, or waits only for whoever it
/// was left to.
pub(crate) fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_script_gets_its_camera_and_its_parameters() {
    let tell = "env | grep ^LP_CAMERA_ | sort\nfor one; do echo \"[$one]\"; done\necho $0 in $PWD\n";
    let parameters = r#""device": "GPU.1", "off": false, "on": true, "threshold": -0.5, "n": 3, "x": "$(touch pwned); `id` 'a' \"b\"", "y": "--z=1", "empty": """#;
    let ws = till(&[("hidden", &format!("{tell}{STEADY}"), parameters)]);
    ws.lp("run --no-verdict").success();
    let log = ws.read("results/latest/till/1.log").replace(ws.root().to_str().unwrap(), "<project>");
    let log: String = log
        .lines()
        .filter(|line| !line.starts_with("FpsCounter"))
        // The folder of the attempt is another each time.
        .map(|line| match line.split_once("tmp/") {
            Some((head, tail)) => format!("{head}tmp/<attempt>/{}\n", tail.split_once('/').unwrap().1),
            None => format!("{line}\n"),
        })
        .collect();
    expect![[r#"
        LP_CAMERA_DEVICE=GPU.1
        LP_CAMERA_FPS=15
        LP_CAMERA_HEIGHT=360
        LP_CAMERA_ID=till
        LP_CAMERA_MODELS_DIR=<project>/models
        LP_CAMERA_PACE=live
        LP_CAMERA_RESULTS_DIR=<project>/.lpcache/tmp/<attempt>/files/till/1
        LP_CAMERA_ROI=1,2,30,40
        LP_CAMERA_SLUG=till
        LP_CAMERA_SOURCE=rtsp://h/1
        LP_CAMERA_SOURCE_KIND=rtsp
        LP_CAMERA_TARGET_FPS=15
        LP_CAMERA_WIDTH=640
        [--device]
        [GPU.1]
        [--empty]
        []
        [--n]
        [3]
        [--on]
        [--threshold]
        [-0.5]
        [--x]
        [$(touch pwned); `id` 'a' "b"]
        [--y]
        [--z=1]
        pipelines/hidden.sh in <project>
    "#]]
    .assert_eq(&log);
    assert!(!ws.exists("pwned"));
}

#[test]
fn a_python_program_with_a_flag_is_measured_by_lines_for_lp() {
    let program = "import argparse, time\n\
                   options = argparse.ArgumentParser()\n\
                   options.add_argument('--fast', action='store_true')\n\
                   options.add_argument('--slow', action='store_true')\n\
                   options.add_argument('--camera')\n\
                   options = options.parse_args()\n\
                   assert options.fast and not options.slow and options.camera == 'x'\n\
                   print('lp: fps=15.0 dropped=0 latency_ms=8', flush=True)\n\
                   print('lp: fps=15.0 drops=0', flush=True)\n\
                   time.sleep(1000)\n";
    let text = format!("exec python3 - \"$@\" <<'END'\n{program}END");
    let ws = till(&[("own", &text, r#""fast": true, "slow": false, "camera": "x""#)]);
    let ended = ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let own = scripts(&record)[0];
    let read: Vec<(&str, usize)> =
        own.rates.iter().map(|rates| (rates.element.as_str(), rates.rates.len())).collect();
    assert_eq!((own.failure.as_deref(), read), (None, vec![("lp", 1)]));
    let note = "till/1: 1 line for `lp` could not be read, the first because `drops` is none of `fps`, `dropped`, \
                `latency_ms` and `name`";
    assert!(ended.stdout.contains(note), "{}", ended.stdout);
    // A measurement of a boolean has a key of its own; older `lp` wrote `--fast true`.
    let key = ws.lp("cache show run:lane").success().stdout;
    assert!(key.contains("script_flags"), "{key}");
}

#[test]
fn credentials_come_from_the_environment_and_stay_out_of_the_record() {
    let ws =
        till(&[("a", &format!("echo $LP_CAMERA_SOURCE $LP_CAMERA_USER $LP_CAMERA_PASSWORD\n{STEADY}"), "")]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let uri = "rtsp://viewer:${CAMERA_PASSWORD}@h/1";
    ws.write("configs/camera_to_workload.json", &cameras.replace("rtsp://h/1", uri));
    ws.lp("run").code(2).stderr_has("needs the environment variable `CAMERA_PASSWORD`, which is not set");

    let ws = ws.env("CAMERA_PASSWORD", "hunter2");
    ws.lp("run --no-verdict").success();
    let log = ws.read("results/latest/till/1.log");
    assert!(log.starts_with("rtsp://h/1 viewer $CAMERA_PASSWORD\n"), "{log}");
    assert!(!ws.read("results/latest/record.json").contains("hunter2"));

    let uri = "rtsp://viewer:hunt%3dr3@h/1";
    ws.write("configs/camera_to_workload.json", &cameras.replace("rtsp://h/1", uri));
    ws.lp("run --no-verdict").success();
    let log = ws.read("results/latest/till/1.log");
    assert!(log.starts_with("rtsp://h/1 viewer $PASSWORD_till\n"), "{log}");
    assert!(!ws.read("results/latest/record.json").contains("hunt=r3"));
}

#[test]
fn a_script_that_ends_early_is_named_and_the_others_are_measured() {
    let ws = till(&[
        ("zero", "echo done", ""),
        ("three", "echo 'no such model' >&2; exit 3", ""),
        ("signal", "kill -SEGV $$", ""),
        ("absent", "exec no-such-program", ""),
        ("steady", STEADY, ""),
    ]);
    // A program of no known kind: only the kernel can say so.
    let ws = script(ws, "plain", "\0no first line\n");
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let workloads = workloads.replace("pipelines/zero.sh", "pipelines/plain.sh");
    let with_zero = workloads.replacen(
        "\"three\"",
        "\"zero2\": [{\"script\": \"pipelines/zero.sh\"}],\n    \"three\"",
        1,
    );
    ws.write("configs/workload_to_pipeline.json", &with_zero);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replace("\"zero\"", "\"zero\", \"zero2\""));
    let ended = ws.lp("run").code(1);
    check_failures(
        &ended,
        expect![[r#"
        failed: till/1 of till: did not start: Exec format error (os error 8)
        failed: till/2 of till: exited with status 0 after ? s, before it was asked to end
          | done
        failed: till/3 of till: exited with status 3 after ? s, before it was asked to end
          | no such model
        failed: till/4 of till: killed by SIGSEGV after ? s, before it was asked to end
        failed: till/5 of till: exited with status 127 after ? s, before it was asked to end
          | pipelines/absent.sh: 2: exec: no-such-program: not found
    "#]],
    );
    let record = latest(&ws);
    assert!(!record.is_complete());
    let steady = scripts(&record)[5];
    assert_eq!((steady.failure.as_deref(), steady.rates.len()), (None, 1));
}

#[test]
fn a_script_that_ignores_sigterm_is_killed_with_its_children() {
    let text = "trap '' TERM\nsleep 1000 &\necho $$ $! > $LP_CAMERA_RESULTS_DIR/pids\n\
                while :; do sleep 1000; done";
    let ws = till(&[("stubborn", text, "")]);
    ws.lp("run --no-verdict").success();
    for pid in ws.read("results/latest/till/1/pids").split_whitespace() {
        assert!(is_gone(pid), "{pid}");
    }
    let record = latest(&ws);
    let exit = scripts(&record)[0].exit.as_ref().unwrap();
    assert_eq!((exit.how.as_str(), exit.asked), ("killed by SIGKILL", true));
}

#[test]
fn processes_left_by_a_script_are_ended() {
    let text = "sleep 1000 &\necho $! > $LP_CAMERA_RESULTS_DIR/pid";
    let ws = till(&[("leaver", text, "")]);
    ws.lp("run").code(1);
    assert!(is_gone(&ws.read("results/latest/till/1/pid")));
}

#[test]
fn any_output_is_kept_within_bounds_and_only_whole_figures_count() {
    let counter = |fps: &str| {
        format!("FpsCounter(last 0.10sec): total={fps} fps, number-streams=1, per-stream={fps} fps")
    };
    let text = format!(
        "echo begin\nhead -c 3000000 /dev/zero | tr '\\0' x\nprintf '{good}\\n'\n\
         head -c 1000 /dev/zero\nprintf '\\377\\376\\n{nan}\\n{huge}\\n{good}\\nlast line without end'\n\
         echo '{good}' >&2\nexec >&- 2>&-\nsleep 1000",
        good = counter("14.50"),
        nan = counter("nan"),
        huge = counter("1e400"),
    );
    let ws = till(&[("loud", &text, "")]);
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let [loud] = scripts(&record)[..] else { panic!("one script") };
    // One stands at the end of the endless line, and one behind a text without end.
    assert_eq!(loud.rates.len(), 1);
    assert_eq!(loud.rates[0].rates.len(), 1);
    assert!(loud.output.starts_with("begin\nxxx") && loud.output.len() < 300_000, "{}", loud.output.len());
    assert!(loud.output_left_out > 2_700_000, "{}", loud.output_left_out);
    assert_eq!(ws.read("results/latest/till/1.log"), loud.output);
}

#[test]
fn a_script_that_asks_for_input_gets_none() {
    let ws = till(&[("asks", &format!("cat\necho nothing to read\n{STEADY}"), "")]);
    ws.lp("run --no-verdict").success();
    assert!(ws.read("results/latest/till/1.log").starts_with("nothing to read\n"));
}

#[test]
fn a_script_without_figures_is_not_measured() {
    let ws = till(&[("silent", "exec sleep 1000", "")]);
    let ended = ws.lp("run --no-verdict").success();
    let table = ended.stdout.lines().skip_while(|line| !line.starts_with("camera "));
    let table: Vec<&str> = table.take_while(|line| !line.starts_with("machine")).collect();
    expect![[r#"
        camera  workloads  target           fps       on time    latency ms       dropped      CPU %  memory  verdict
                                                            %   p50/p95/p99             %  of a core     MiB
        till    silent         15  not measured  not measured  not measured  not measured          -       -  -

        not judged: till: not measured: it printed no line `lp: fps=...` and none of `gvafpscounter` or `fpsdisplaysink` in its window
    "#]].assert_eq(&(table.join("\n") + "\n"));
    assert!(
        ended.stdout.contains("\n0 of 1 camera holds 15 fps, 1 not judged; machine CPU "),
        "{}",
        ended.stdout
    );

    let mut table = csv::Reader::from_path(ws.path("results/latest/report.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let [row] = &table.records().collect::<Result<Vec<_>, _>>().unwrap()[..] else { panic!("{header:?}") };
    let cell = |name: &str| &row[header.iter().position(|known| known == name).unwrap()];
    for name in ["fps", "fps_low", "frames", "dropped", "dropped_percent", "latency_p50_ms"] {
        assert_eq!(cell(name), "", "{name}");
    }
    assert!(cell("reason").starts_with("not measured: "));
    let json: serde_json::Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let stream = &json["measurement"]["cameras"][0]["streams"][0];
    assert_eq!((&stream["fps"], &stream["frames"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert!(ws.read("results/latest/report.html").contains("not measured: it printed no line"));
}

#[test]
fn ctrl_c_ends_scripts_and_keeps_the_record() {
    let text = "echo $$ > $LP_CAMERA_RESULTS_DIR/pid\necho > ready\nexec sleep 1000";
    let ws = till(&[("waits", text, "")]);
    ws.write("Lpfile.toml", "[run]\nduration = \"1h\"\nwarmup = \"0s\"\n");
    let ready = ws.path("ready");
    rustix::fs::mknodat(rustix::fs::CWD, &ready, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let child = ws.command(&["run"]).spawn().unwrap();
    // Reading ends when the script has written and closed its end.
    fs::read_to_string(&ready).unwrap();
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let ended = Ended::new(child.wait_with_output().unwrap(), &ws.root());
    let ended = ended.code(130);
    assert!(ended.stdout.contains("; interrupted\n"), "{}", ended.stdout);
    assert!(is_gone(&ws.read("results/latest/till/1/pid")));
    assert!(latest(&ws).interrupted);
}

#[test]
fn equal_scripts_with_equal_parameters_run_once() {
    let ws = till(&[("a", STEADY, "\"n\": 1"), ("b", "", "\"n\": 1"), ("c", "", "\"n\": 2")]);
    let workloads = ws.read("configs/workload_to_pipeline.json");
    ws.write(
        "configs/workload_to_pipeline.json",
        &workloads.replace("pipelines/b.sh", "pipelines/a.sh").replace("pipelines/c.sh", "pipelines/a.sh"),
    );
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let shown: Vec<String> =
        scripts(&record).iter().map(|one| format!("{}: {}", one.stream, one.workloads.join(" "))).collect();
    assert_eq!(shown, ["till/1: a b", "till/2: c"]);
}

#[test]
fn every_copy_of_the_lane_runs_its_own() {
    let ws = till(&[("a", &format!("echo $LP_CAMERA_SLUG of $LP_CAMERA_ID\n{STEADY}"), "")]);
    ws.lp("run --no-verdict --set run.count=2").success();
    for slug in ["till", "till-l2"] {
        let log = ws.read(&format!("results/latest/{slug}/1.log"));
        assert!(log.starts_with(&format!("{slug} of till\n")), "{log}");
    }
}

#[test]
fn played_freely_status_0_is_the_normal_end() {
    let ws = till(&[("once", "echo $LP_CAMERA_PACE", "")]);
    let ended = ws.lp("run --set run.pace=free").success();
    assert!(ended.stdout.contains("\n1 script; machine CPU "), "{}", ended.stdout);
    assert_eq!(ws.read("results/latest/till/1.log"), "free\n");

    let ws = till(&[("once", "exit 3", "")]);
    let ended = ws.lp("run --set run.pace=free").code(1);
    check_failures(
        &ended,
        expect![[r#"
        failed: till/1 of till: exited with status 3 after ? s
    "#]],
    );
}

#[test]
fn a_script_and_its_parameters_belong_to_the_run() {
    let ws = till(&[("a", STEADY, "\"n\": 1")]);
    ws.lp("build report").success();
    ws.lp("build report").success().stderr(expect![[r#"
        nothing to do: 4 tasks fresh
    "#]]);
    let ws = script(ws, "a", &format!("#!/bin/sh\n# slower\n{STEADY}\n"));
    ws.lp("explain run:lane").success().stdout(expect![[r#"
        `run:lane` is stale: `pipelines/a.sh` changed
        `lp run` always measures; `lp build` would measure too: no record fits
    "#]]);
    ws.lp("build report").success();
    let workloads = ws.read("configs/workload_to_pipeline.json");
    ws.write("configs/workload_to_pipeline.json", &workloads.replace("\"n\": 1", "\"n\": 2"));
    ws.lp("explain run:lane").success().stdout(expect![[r#"
        `run:lane` is stale because `plan:till` is stale: `n` changed from 1 to 2 (configs/workload_to_pipeline.json:3:60)
        `lp run` always measures; `lp build` may measure too, depending on the inputs of `run:lane`
    "#]]);
}

#[test]
fn a_measurement_that_is_asked_for_again_is_a_further_repeat() {
    let ws = till(&[("a", STEADY, "")]);
    let repeat = || {
        let record: RunRecord = serde_json::from_str(&ws.read("results/run/lane.json")).unwrap();
        record.conditions.repeat
    };
    ws.lp("build run:lane").success();
    ws.lp("build run:lane").success().stderr_has("nothing to do");
    assert_eq!(repeat(), 1);
    ws.lp("build --again run:lane").success().stderr_has("run:lane   stale: asked for with `--again`");
    assert_eq!(repeat(), 2);
    ws.lp("build run:lane").success().stderr_has("nothing to do");
}

#[test]
fn a_plan_shows_a_script_and_a_launch_leaves_it_out() {
    let ws = till(&[("a", STEADY, "\"n\": 1")]);
    let ended = ws.lp("show till").success();
    assert!(ended.stdout.contains("pipelines/a.sh --n 1\n"), "{}", ended.stdout);
    ws.lp("show --launch").code(2).stderr_has("`a` of `till`: a script is a program of its own\n");
}

#[test]
fn scripts_that_cannot_be_started_are_refused_at_their_places() {
    let ws = till(&[
        ("folder", "", ""),
        ("mode", "", ""),
        ("gone", "", ""),
        ("shell", "", ""),
        ("windows", "", ""),
    ]);
    fs::remove_file(ws.path("pipelines/folder.sh")).unwrap();
    fs::create_dir(ws.path("pipelines/folder.sh")).unwrap();
    fs::set_permissions(ws.path("pipelines/mode.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(ws.path("pipelines/gone.sh")).unwrap();
    ws.write("pipelines/shell.sh", "#!/no/such/sh -e\n");
    ws.write("pipelines/windows.sh", "#!/bin/sh\r\n");
    let checked = ws.lp("check").code(2).stderr;
    assert_eq!(ws.lp("run").code(2).stderr, checked, "a check says what a run says");
    ws.lp("run").code(2).stderr(expect![[r#"
        error[LP0804]: `pipelines/folder.sh` cannot be started: it is not a file
         --> configs/workload_to_pipeline.json:3:16
          |
        3 |     "folder": [{"script": "pipelines/folder.sh", "parameters": {}}],
          |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: name the program to run

        error[LP0804]: `pipelines/mode.sh` cannot be started: it is not executable
         --> configs/workload_to_pipeline.json:4:14
          |
        4 |     "mode": [{"script": "pipelines/mode.sh", "parameters": {}}],
          |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: chmod +x pipelines/mode.sh

        error[LP0802]: `pipelines/gone.sh` does not exist, and `till` needs it
         --> configs/workload_to_pipeline.json:5:14
          |
        5 |     "gone": [{"script": "pipelines/gone.sh", "parameters": {}}],
          |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: copy it there, or correct its name

        error[LP0804]: `pipelines/shell.sh` cannot be started: its first line names `/no/such/sh`, which does not exist
         --> configs/workload_to_pipeline.json:6:15
          |
        6 |     "shell": [{"script": "pipelines/shell.sh", "parameters": {}}],
          |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: name a program of this machine, such as `#!/bin/sh`

        error[LP0804]: `pipelines/windows.sh` cannot be started: its first line ends in a carriage return, which belongs to the line
         --> configs/workload_to_pipeline.json:7:17
          |
        7 |     "windows": [{"script": "pipelines/windows.sh", "parameters": {}}]
          |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: sed -i 's/\r$//' pipelines/windows.sh
        error: 5 errors
    "#]]);
    assert!(!ws.exists("results"));
}

#[test]
fn a_script_must_begin_with_its_program() {
    let good =
        ["#!/bin/sh\n", "#! /usr/bin/env sh\n", "#!/usr/bin/env -S sh -e\n", "#!/usr/bin/env A=b sh\n"];
    let bad = [
        "",
        "echo no",
        "\u{feff}#!/bin/sh\n",
        "#!/usr/bin/env no-such\n",
        "#!/usr/bin/env sh -e\n",
        "#!/etc\n",
    ];
    let ws = till(&[("a", "", "")]);
    for text in good {
        ws.write("pipelines/a.sh", text);
        ws.lp("check").success();
    }
    let told = bad.map(|text| {
        ws.write("pipelines/a.sh", text);
        let told = ws.lp("check").code(2).stderr;
        let lines = told.lines().filter(|line| line.starts_with("error[") || line.starts_with("  = help"));
        lines.collect::<Vec<_>>().join("\n")
    });
    expect![[r#"
        error[LP0804]: `pipelines/a.sh` cannot be started: it is empty
          = help: begin it with `#!` and a program of this machine, such as `#!/bin/sh`
        error[LP0804]: `pipelines/a.sh` cannot be started: it does not begin with `#!`
          = help: begin it with `#!` and a program of this machine, such as `#!/bin/sh`
        error[LP0804]: `pipelines/a.sh` cannot be started: a byte-order mark precedes its `#!`
          = help: sed -i '1s/^\xef\xbb\xbf//' pipelines/a.sh
        error[LP0804]: `pipelines/a.sh` cannot be started: its first line names `no-such`, which does not exist
          = help: name a program of this machine, such as `#!/bin/sh`
        error[LP0804]: `pipelines/a.sh` cannot be started: its first line names `sh -e`, which does not exist
          = help: name a program of this machine, such as `#!/bin/sh`
        error[LP0804]: `pipelines/a.sh` cannot be started: its first line names `/etc`, which does not exist
          = help: name a program of this machine, such as `#!/bin/sh`"#]].assert_eq(&told.join("\n"));
    // One that a task makes need not be there yet, nor in a folder that it makes.
    fs::remove_file(ws.path("pipelines/a.sh")).unwrap();
    ws.lp("check").code(2).stderr_has("LP0802");
    for output in ["pipelines/a.sh", "pipelines"] {
        ws.write(
            "Lpfile.toml",
            &format!("[[task]]\nname = \"x\"\ncommand = [\"x\"]\noutputs = [\"{output}\"]\n"),
        );
        ws.lp("check").success();
    }
}

#[test]
fn a_script_of_a_camera_that_is_drawn_live_is_refused() {
    let ws = till(&[("a", STEADY, "")]).file("configs/scenes/s.toml", "duration_s = 2\n");
    let cameras = ws.read("configs/camera_to_workload.json");
    let cameras = cameras.replace("\"streamUri\": \"rtsp://h/1\"", "\"fileSrc\": \"s.mp4|scene:s\"");
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("run --set run.source=synthetic").code(2).stderr(expect![[r#"
        error[LP0805]: `pipelines/a.sh` cannot see the frames of `till`, which are drawn live
         --> configs/workload_to_pipeline.json:3:11
          |
        3 |     "a": [{"script": "pipelines/a.sh", "parameters": {}}]
          |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
         ::: configs/camera_to_workload.json:2:3
          |
        2 |   {"camera_id": "till", "fileSrc": "s.mp4|scene:s", "width": 640, "height": 360, "fps": 15, "region_of_interest": {"x": 1, "y": 2, "x2": 30, "y2": 40}, "workloads": ["a"]}
          |   ------------------------------------------------------------------------------------------------------------------------------------------------------------------------- this camera
          |
          = help: play its clip: `--set run.source=file`, or give the camera other workloads
        error: 1 error
    "#]]);
}

/// `till` with a script, and cameras with a `vlm` step: one has nothing else.
fn with_vlm(only: bool) -> Workspace {
    let ws = till(&[("a", STEADY, "")]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let cameras = if only {
        cameras.replace(
            "\n]}}",
            ",\n  {\"camera_id\": \"door\", \"streamUri\": \"rtsp://h/2\", \"workloads\": [\"talk\"]}\n]}}",
        )
    } else {
        cameras.replace("[\"a\"]", "[\"a\", \"talk\"]")
    };
    ws.write("configs/camera_to_workload.json", &cameras);
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let vlm = r#""talk": [{"type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "INT8", "vlm_model": "m"}]"#;
    ws.write(
        "configs/workload_to_pipeline.json",
        &workloads.replace("\n  }\n}", &format!(",\n    {vlm}\n  }}\n}}")),
    );
    ws
}

#[test]
fn unsupported_pipelines_are_left_out_by_name_and_the_rest_is_measured() {
    for only in [true, false] {
        let ws = with_vlm(only);
        let camera = if only { "door" } else { "till" };
        let left_out =
            format!("left out: `talk` of `{camera}`: `vlm` steps are planned but cannot be played yet\n");
        let ended = ws.lp("run").code(1).stderr_has(&left_out);
        assert!(ended.stdout.contains("`vlm` steps are planned"), "{}", ended.stdout);
        assert!(ended.stdout.contains(", 1 with workloads left out; "), "{}", ended.stdout);
        let record = latest(&ws);
        assert!(record.is_complete());
        assert_eq!(scripts(&record).len(), 1);
        assert_eq!(record.members.iter().flat_map(|member| &member.left_out).count(), 1);
        assert!(ws.read("results/latest/report.html").contains("left out"));
    }
}

#[test]
fn a_run_of_only_unsupported_pipelines_is_refused() {
    let ws = with_vlm(true);
    let ended = ws.lp("run door").code(2);
    expect![[r#"
        error: no pipeline can be played: `talk` of `door`: `vlm` steps are planned but cannot be played yet
          hint: `lp run --decode-only` measures sources and decoding
    "#]]
    .assert_eq(&ended.stderr);
    assert!(!ws.exists("results"));
}

#[test]
fn a_script_beside_a_pipeline_costs_only_itself() {
    let ws = till(&[("a", STEADY, ""), ("b", "exit 3", "")]);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replace("[\"a\"", "[\"scan\", \"a\""));
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let scan = "_map\": {\n    \"scan\": [{\"type\": \"zbar\"}],";
    ws.write("configs/workload_to_pipeline.json", &workloads.replace("_map\": {", scan));
    ws.write("replay/till-1.jsonl", &frames("till/1", 4, 4));
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    let ws = ws
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &replay);
    let ended = ws.lp("run").code(1);
    check_failures(
        &ended,
        expect![[r#"
        failed: till/3 of till: exited with status 3 after ? s, before it was asked to end
    "#]],
    );
    let record = latest(&ws);
    let member = &record.members[0];
    assert_eq!((member.streams[0].arrived_us.len(), &member.streams[0].failure), (15, &None));
    let streams: Vec<&str> = member.scripts.iter().map(|script| script.stream.as_str()).collect();
    assert_eq!(streams, ["till/2", "till/3"]);
    assert_eq!(member.scripts[0].failure, None);
    let json: serde_json::Value =
        serde_json::from_str(&ws.read("results/latest/benchmark/till.json")).unwrap();
    let rows: Vec<&str> =
        json["rows"].as_array().unwrap().iter().map(|row| row["workload"].as_str().unwrap()).collect();
    assert_eq!(rows, ["scan", "a", "b"]);
}
