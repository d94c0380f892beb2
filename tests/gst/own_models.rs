//! Models and OpenVINO's library of a user's own: damaged, written over while they are used, and on
//! machines with few cores.

use std::path::Path;
use std::process::Command;

use lp::pipeline::detect::OPENVINO;
use serde_json::{Value, json};

use crate::native::{constant, model, models, published, skipped, with_models};
use crate::project::{LpProcess, latest};
use crate::workspace::Workspace;

/// A camera with a detector that sees one face in each frame, whatever the picture is.
fn one_face(more: &[(&str, Value)]) -> Option<Workspace> {
    let mut step = model("gvadetect", "face", "tiny/face.xml", more);
    step["inference_interval"] = json!(1);
    let ws = with_models(&[step])?;
    let row = [0.0, 1.0, 0.75, 0.25, 0.125, 0.75, 0.5];
    constant(&ws, "tiny/face", &[("detection_out", "detection_out", &[1, 1, 1, 7], &row)]);
    Some(ws)
}

#[test]
fn a_model_that_is_written_over_while_it_is_used_gives_the_same_answers() {
    let Some(ws) = one_face(&[]) else { return };
    let mut lp = LpProcess::start(
        &ws,
        &["run", "--set", "run.pace=live", "--warmup", "0s", "--duration", "0s", "--no-verdict"],
    );
    lp.wait_for_frames_of("door");
    // In place, and for a moment there is nothing in the file at all.
    let other: Vec<u8> =
        [0.0_f32, 1.0, 0.9, 0.0, 0.0, 1.0, 1.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(ws.path("tiny/face.bin"), &other).unwrap();
    lp.wait_for_frames_of("door");
    std::fs::write(ws.path("tiny/face.bin"), &other[..4]).unwrap();
    lp.wait_for_frames_of("door");
    lp.wait_for_frames_of("door");
    lp.interrupt();
    let ended = lp.finish();
    let lines = published(&ws);
    let boxes = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["objects"][0]["detection"]["bounding_box"].to_string()
    });
    let boxes: std::collections::BTreeSet<String> = boxes.collect();
    let expected = r#"{"x_max":0.75,"x_min":0.25,"y_max":0.5,"y_min":0.125}"#;
    assert_eq!(boxes.into_iter().collect::<Vec<_>>(), [expected], "{}", ended.stderr);
    assert!(lines.lines().count() > 30, "{}", lines.lines().count());
}

#[test]
fn what_a_model_says_of_itself_is_understood_or_refused() {
    let Some(ws) = one_face(&[]) else { return };
    let xml = ws.read("tiny/face.xml");
    let said = r#"<rt_info><model_info><mean_values value="1 2"/><pad_value value="-1"/><x value="-1"/></model_info></rt_info></net>"#;
    ws.write("tiny/face.xml", &xml.replace("</net>", said));
    let ended = ws.lp("run").code(1);
    for fault in [
        "`mean_values` must be one number, or one for each of 3 channels, not `1 2`",
        "`pad_value` must be a whole number from 0 to 255, not `-1`",
    ] {
        assert!(ended.stderr.contains(fault), "{}", ended.stderr);
    }
}

#[test]
fn a_library_that_is_cut_off_is_named_and_not_loaded() {
    let Some(folder) = models() else { return };
    let own = tempfile::tempdir().unwrap();
    let plugin = "libopenvino_intel_cpu_plugin.so";
    for entry in std::fs::read_dir(folder.join("openvino/2026.4.1")).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), own.path().join(entry.unwrap().file_name()));
        if to.ends_with(plugin) || std::fs::hard_link(&from, &to).is_err() {
            std::fs::copy(&from, &to).unwrap();
        }
    }
    let file = std::fs::File::options().write(true).open(own.path().join(plugin)).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(size / 2).unwrap();
    let Some(ws) = one_face(&[("openvino", json!(own.path()))]) else { return };
    let ended = ws.lp("run").code(2);
    let fault = format!("{plugin}` is cut off: it has {} bytes, and its header announces ", size / 2);
    assert!(ended.stderr.contains(&fault), "{}", ended.stderr);
}

/// Binds itself to a core, or puts itself into a control group with a quota of half a core, and becomes a
/// worker then.
const BOUND: &str = r#"#!/bin/sh
set -e
case $LIMIT in
core) exec taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')" "$WORKER" "$@" ;;
esac
for at in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
    group=$at/$LIMIT
    mkdir -p "$group" 2>/dev/null || continue
    # In a container it may be a folder like any other, and files in it too.
    [ -e "$group/cgroup.procs" ] || { rmdir "$group"; continue; }
    if { echo 50000 >"$group/cpu.cfs_quota_us"; } 2>/dev/null || { echo "50000 100000" >"$group/cpu.max"; } 2>/dev/null; then
        echo $$ >"$group/cgroup.procs" && exec "$WORKER" "$@"
    fi
    rmdir "$group"
done
echo "there is no control group with a quota" >&2
exit 9
"#;

#[test]
fn a_model_gets_no_more_threads_than_cores_or_a_quota_of_them() {
    let group = format!("lp-test-{}", std::process::id());
    for limit in ["core", &group] {
        let Some(ws) = one_face(&[("ie-config", json!("INFERENCE_NUM_THREADS=64"))]) else { return };
        let ws = ws.file("bound", BOUND);
        Command::new("chmod").arg("+x").arg(ws.path("bound")).status().unwrap();
        let bound = ws.path("bound");
        let ws = ws
            .env("LP_WORKER", bound.to_str().unwrap())
            .env("WORKER", env!("CARGO_BIN_EXE_lp-worker"))
            .env("LIMIT", limit);
        let ended = ws.lp("run");
        for at in ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"] {
            let _ = std::fs::remove_dir(Path::new(at).join(&group));
        }
        if limit != "core" && ended.status != Some(0) {
            return skipped("no control group with a quota can be made here");
        }
        let ended = ended.success();
        let stream = &latest(&ws).members[0].streams[0];
        let threads = stream.sightings.iter().find(|sighting| sighting.message == OPENVINO).unwrap();
        assert_eq!(threads.fields["threads"].as_str(), "1", "{}", ended.stderr);
        let log = ws.read("results/latest/workers.log");
        assert!(log.contains("1 of 64 threads: so many cores this worker may use"), "{log}");
    }
}
