//! A project's lane through both containers, and what is said when it cannot.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use expect_test::expect;
use jiff::{Timestamp, ToSpan};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::support::{DRAWN, Lane, Mount, ProgramOutput, images};

/// Everything below a folder that belongs to another user.
fn foreign(folder: &Path, user: (u32, u32), found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if (metadata.uid(), metadata.gid()) != user {
            found.push(format!("{} {}:{}", entry.path().display(), metadata.uid(), metadata.gid()));
        }
        if metadata.is_dir() {
            foreign(&entry.path(), user, found);
        }
    }
}

/// What a container may do, as the engine tells it.
fn privileges(container: &Value) -> String {
    let host = &container["HostConfig"];
    let empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    let dropped = match &container["EffectiveCaps"] {
        // Docker only says what was asked for.
        Value::Null if container.get("EffectiveCaps").is_none() => {
            host["CapDrop"] == serde_json::json!(["ALL"])
        }
        effective => empty(effective) && empty(&container["BoundingCaps"]),
    };
    format!(
        "privileged {}, added {}, all dropped {dropped}, read-only {}, {}, network {}, memory {}, processes {}, devices {}",
        host["Privileged"],
        if empty(&host["CapAdd"]) { "none" } else { "some" },
        host["ReadonlyRootfs"],
        host["SecurityOpt"],
        host["NetworkMode"].as_str().unwrap(),
        host["Memory"],
        host["PidsLimit"],
        if empty(&host["Devices"]) { "none" } else { "some" },
    )
}

#[test]
fn a_lane_is_measured_by_containers_without_privileges_and_leaves_files_of_its_user() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1", "camera-2"], DRAWN);
    let ended = ProgramOutput::of(lane.command().arg("--no-verdict")).code(0);
    let report = lane.path("results/latest/report.html");
    assert!(fs::read_to_string(&report).unwrap().contains("camera-2"));
    assert!(ended.stderr.contains(&format!("==> the report: {}\n", report.display())), "{}", ended.stderr);
    let (prepared, measured) = ended.stderr.split_once("==> pipeline-exec").unwrap();
    let has = |text: &str, label: &str| text.lines().any(|line| line.starts_with(label));
    assert!(has(prepared, "transcode:") && !has(prepared, "plan"), "{prepared}");
    assert!(has(measured, "run:lane") && !has(measured, "transcode:"), "{measured}");

    let record = lane.record();
    assert!(record.is_complete());
    assert_eq!(record.members.len(), 2);
    assert_eq!(record.host.facts["container"], engine.program);
    for folder in [".lpcache", "media", "results"] {
        let mut found = Vec::new();
        foreign(&lane.path(folder), lane.user, &mut found);
        assert!(found.is_empty(), "{found:?}");
    }

    for (service, expect) in [
        (
            "asset-prep",
            expect![[
                r#"privileged false, added none, all dropped true, read-only true, ["no-new-privileges"], network bridge, memory 4294967296, processes 1024, devices none"#
            ]],
        ),
        (
            "pipeline-exec",
            expect![[
                r#"privileged false, added none, all dropped true, read-only true, ["no-new-privileges"], network none, memory 4294967296, processes 1024, devices none"#
            ]],
        ),
    ] {
        let container = lane.container(service);
        assert_eq!(container["Config"]["User"], format!("{}:{}", lane.user.0, lane.user.1));
        expect.assert_eq(&privileges(&container).replace(&lane.name, "<lane>"));
    }

    let again = ProgramOutput::of(lane.command().arg("--no-verdict")).code(0);
    let (prepared, _) = again.stderr.split_once("==> pipeline-exec").unwrap();
    assert!(!has(prepared, "transcode:"), "{prepared}");
    assert_eq!(lane.record().conditions.repeat, 2);
}

#[test]
fn pipeline_exec_is_not_started_after_asset_prep_has_failed() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1"], "till.mp4|http://127.0.0.1:9/till.mp4");
    ProgramOutput::of(&mut lane.command())
        .code(1)
        .has("error: `download:till.mp4` failed\n")
        .has("error: asset-prep failed with exit code 1; pipeline-exec is not started\n");
    assert_eq!(lane.container("asset-prep")["State"]["ExitCode"], 1);
    let state = &lane.container("pipeline-exec")["State"];
    assert!(["created", "configured"].contains(&state["Status"].as_str().unwrap()), "{state}");
    assert!(fs::read_dir(lane.path("results")).unwrap().next().is_none());
}

#[test]
fn a_project_or_an_image_that_is_missing_is_named_before_anything_starts() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1"], DRAWN);
    let ended = ProgramOutput::of(lane.command().env("LP_TAG", "none")).code(2);
    expect![[r#"
        error: there is no image `localhost/lp/asset-prep:none`
          hint: scripts/images
    "#]]
    .assert_eq(&ended.stderr);
    if engine.program == "podman" {
        let colon = lane.path("a:b");
        std::os::unix::fs::symlink(lane.path(""), &colon).unwrap();
        ProgramOutput::of(lane.command().env("LP_PROJECT", &colon)).code(2).has(&format!(
            "error: podman-compose cannot mount `{}`, whose path has a colon\n",
            colon.display()
        ));
        assert!(!lane.path(".lpcache").exists(), "nothing was made, and no owner changed");
    }
    fs::remove_file(lane.path("Lpfile.toml")).unwrap();
    ProgramOutput::of(&mut lane.command()).code(2).has("error: there is no `Lpfile.toml` in `");
    assert!(!lane.path(".lpcache").exists());
}

#[test]
fn a_full_volume_fails_the_task_that_fills_it() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1"], DRAWN);
    let mounts = |store, results| [(".lpcache", store), ("media", Mount::Writable), ("results", results)];
    lane.lp(lane.user, &mounts(Mount::Full { bytes: 4096 }, Mount::Writable), &["run"])
        .code(1)
        .has("error: failed to write `/project/.lpcache/")
        .has("caused by: No space left on device (os error 28)\n");
    lane.lp(lane.user, &mounts(Mount::Full { bytes: 65536 }, Mount::Writable), &["run"])
        .code(1)
        .has("failed to write `/project/.lpcache/tmp/")
        .has("caused by: No space left on device (os error 28)\n");
    assert!(!lane.path("results/latest").exists());

    lane.lp(lane.user, &mounts(Mount::Writable, Mount::Full { bytes: 4096 }), &["run"])
        .code(1)
        .has("error: `run:lane` failed\n  caused by: failed to write `/project/results/run/")
        .has("No space left on device");
    // With space again, nothing of it is left but what was really made.
    lane.lp(lane.user, &mounts(Mount::Writable, Mount::Writable), &["run", "--no-verdict"]).code(0);
    assert!(lane.record().is_complete());
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_its_owner() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1"], DRAWN);
    let mounts = |results| [(".lpcache", Mount::Writable), ("media", Mount::Writable), ("results", results)];
    let (uid, gid) = lane.user;
    lane.lp((4242, 4343), &mounts(Mount::Writable), &["run"]).code(1).has(&format!(
        "caused by: permission denied: `/project/results` belongs to {uid}:{gid}, but `lp` is 4242:4343\n"
    ));

    let read_only = lane.lp(lane.user, &mounts(Mount::ReadOnly), &["run"]).code(1);
    assert!(!read_only.stderr.contains("run:lane"), "{}", read_only.stderr);
    read_only.has(
        "error: results cannot be kept\n  caused by: failed to make a file in `/project/results`\n  \
         caused by: Read-only file system (os error 30)\n",
    );
    assert!(!lane.path("results/plan").exists());
}

#[test]
fn ctrl_c_ends_the_lane_and_keeps_what_it_measured() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1"], DRAWN);
    let mut command = lane.command();
    // A terminal sends it to the whole group; this one is to be left alone.
    let mut running = command.env("LP_SET_RUN_DURATION", "10min").process_group(0).spawn().unwrap();
    let mut stderr = String::new();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    for line in lines.by_ref() {
        stderr.push_str(&line.unwrap());
        stderr.push('\n');
        if stderr.contains(" s of 600 s: ") {
            break;
        }
    }
    let group = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process_group(group, Signal::INT).unwrap();
    for line in lines {
        stderr.push_str(&line.unwrap());
        stderr.push('\n');
    }
    assert_eq!(running.wait().unwrap().code(), Some(130), "{stderr}");
    assert!(lane.record().interrupted);
    assert_eq!(lane.container("pipeline-exec")["State"]["Running"], false);
}

#[test]
fn two_lanes_at_once_measure_one_after_the_other() {
    let Some(engine) = images() else { return };
    let lanes = [(); 2].map(|()| Lane::new(engine, &["camera-1"], DRAWN));
    let lock = lanes[0].lock();
    let running = lanes
        .each_ref()
        .map(|lane| lane.command().arg("--no-verdict").env("LP_LOCK_DIR", &lock).spawn().unwrap());
    for one in running {
        let ended = one.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let windows = lanes.each_ref().map(|lane| {
        let record = lane.record();
        assert!(record.is_complete());
        let record = serde_json::to_value(&record).unwrap();
        let started: Timestamp = record["started"].as_str().unwrap().parse().unwrap();
        let window = &record["members"][0]["streams"][0]["window_us"];
        [0, 1].map(|end| started + window[end].as_i64().unwrap().microseconds())
    });
    let [one, two] = windows;
    assert!(one[1] <= two[0] || two[1] <= one[0], "{windows:?}");
}

#[test]
fn a_third_container_serves_the_cameras_their_streams() {
    let Some(engine) = images() else { return };
    let lane = Lane::new(engine, &["camera-1", "camera-2"], DRAWN);
    // A port that nobody else has at this time.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = lane.command();
    command.env("LP_RTSP", "1").env("LP_RTSP_PORT", format!("127.0.0.1:{port}")).arg("--no-verdict");
    let ended = ProgramOutput::of(&mut command).code(0);
    let told = "is not one that `lp` starts: one answers at 127.0.0.1:8554";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let record = lane.record();
    assert!(record.is_complete());
    for member in &record.members {
        assert_eq!(member.configured.as_ref().unwrap().source, lp::model::SourceKind::Rtsp);
        assert!(0 < member.streams[0].n_frames(), "{}", member.camera);
    }
    assert_eq!(lane.container("rtsp-streamer")["State"]["Running"], false);
    assert_eq!(lane.container("rtsp-streamer")["State"]["ExitCode"], 0);
}
