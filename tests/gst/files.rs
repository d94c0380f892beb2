//! Files that pipelines write lie in the folder of their stream.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::project::short;
use crate::workspace::Workspace;

/// The files below a folder, by their paths in it.
fn below(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(
                below(&entry.path()).into_iter().map(|(path, size)| (format!("{name}/{path}"), size)),
            );
        } else {
            found.insert(name, entry.metadata().unwrap().len());
        }
    }
    found
}

/// Two cameras of one workload, the first with a second workload that writes the same name.
fn lane() -> Workspace {
    let ws = short(&[("left", r#"{"type": "identity"}"#), ("right", r#"{"type": "identity"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let cameras = cameras.replace("[\"of-left\"]", "[\"shots\", \"dark\"]").replace("of-right", "shots");
    ws.write("configs/camera_to_workload.json", &cameras);
    let branch = r#"{"from": "t", "type": "jpegenc"},
        {"type": "multifilesink", "properties": {"location": "shots/frame-%05d.jpg"}}"#;
    let unnamed = r#"{"from": "t", "type": "jpegenc"}, {"type": "multifilesink"}"#;
    ws.write(
        "configs/workload_to_pipeline.json",
        &format!(
            r#"{{"workload_pipeline_map": {{
                "shots": [{{"type": "tee", "name": "t"}}, {{"type": "identity"}}, {branch}],
                "dark": [{{"type": "tee", "name": "t"}}, {{"type": "videobalance"}}, {branch}, {unnamed}]
            }}}}"#
        ),
    );
    ws
}

/// Frames of the clip, of which each is a file.
const N_FRAMES: usize = 45;

#[test]
fn every_stream_of_every_camera_and_copy_writes_into_its_own_folder() {
    let ws = lane();
    fs::create_dir(ws.path("elsewhere")).unwrap();
    let before = below(&ws.root());
    for share in ["none", "prefix"] {
        let share = format!("run.share={share}");
        let arguments = ["run", "--set", "run.pace=free", "--set", "run.count=2", "--set", &share];
        let output = ws.command(&arguments).current_dir(ws.path("elsewhere")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for stream in ["left/1", "left/2", "right/1", "left-l2/1", "left-l2/2", "right-l2/1"] {
            let written = below(&ws.path(&format!("results/latest/{stream}")));
            let n_named = written.keys().filter(|name| name.starts_with("shots/frame-")).count();
            let n_unnamed = if stream.ends_with("/2") { N_FRAMES } else { 0 };
            assert_eq!((n_named, written.len()), (N_FRAMES, N_FRAMES + n_unnamed), "{share} {stream}");
        }
    }
    let mut after = below(&ws.root());
    let ours = ["results/", "media/", ".lpcache/"];
    after.retain(|path, _| !before.contains_key(path) && !ours.iter().any(|folder| path.starts_with(folder)));
    assert!(after.is_empty(), "{after:?}");
}
