//! Tests that capture, find, restore and lose whole results.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use expect_test::{Expect, expect};
use serde_json::json;

use super::attempt::{AttemptOutcome, OutputEntry};
use super::cas::Put;
use super::freshness::Freshness;
use super::key::{KeyDocument, REPEAT};
use super::*;
use crate::time::Utc;

mod housekeeping;

struct Project {
    folder: tempfile::TempDir,
    store: Store,
}

fn path(text: &str) -> ProjectPath {
    ProjectPath::new(text).unwrap()
}

fn key(fps: u32) -> KeyDocument {
    KeyDocument::new(json!({ "fps": fps }), BTreeMap::new())
}

fn attempt(key: &KeyDocument, outputs: Vec<OutputEntry>) -> Attempt {
    Attempt {
        label: "transcode:scan.mp4".to_owned(),
        action: key.digest(),
        document: key.clone(),
        outputs,
        logs: None,
        started: Utc::from_unix_millis(1_795_502_520_000),
        duration_ms: 12,
        outcome: AttemptOutcome::Succeeded,
        detail: None,
        measurement: false,
        complete: true,
        repeat: None,
    }
}

impl Project {
    fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Layout::new(folder.path().to_path_buf())).unwrap();
        Project { folder, store }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_parent(&self.at(name)).unwrap();
        std::fs::write(self.at(name), bytes).unwrap();
    }

    /// Performs `key`: the files at `names` are its outputs.
    fn perform(&self, key: &KeyDocument, names: &[&str]) -> Attempt {
        let capture = |name: &&str| self.store.capture(&path(name), &self.at(name), Put::Share).unwrap();
        let attempt = attempt(key, names.iter().map(capture).collect());
        self.store.record_attempt(&attempt).unwrap();
        attempt
    }

    fn reopened(self) -> Project {
        self.store.save_state().unwrap();
        let store = Store::open(self.store.layout.clone()).unwrap();
        Project { folder: self.folder, store }
    }

    #[track_caller]
    fn check(&self, key: &KeyDocument, outputs: &[&str], expect: Expect) {
        let outputs: Vec<_> = outputs.iter().map(|name| path(name)).collect();
        let text = match self.store.freshness("transcode:scan.mp4", key, &outputs, None) {
            Freshness::Fresh(_) => "fresh".to_owned(),
            Freshness::Restorable { why, .. } => format!("restorable: {why}"),
            Freshness::New => "new".to_owned(),
            Freshness::Stale(why) => format!("stale: {}", why[0]),
        };
        expect.assert_eq(&text);
    }

    fn restore(&self, attempt: &Attempt) -> Vec<String> {
        let restored = self.store.restore(&attempt.outputs).unwrap();
        restored.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn reading_makes_no_folder() {
    let project = Project::new();
    project.check(&key(15), &["x"], expect!["new"]);
    project.store.save_state().unwrap();
    assert_eq!(project.store.clean().unwrap(), 0);
    assert!(!project.store.root().exists());
}

#[test]
fn the_first_write_makes_a_folder_that_git_and_backups_leave_out() {
    let project = Project::new();
    project.store.put_bytes(b"x").unwrap();
    assert_eq!(std::fs::read(project.at(".lpcache/.gitignore")).unwrap(), b"*\n");
    let tag = std::fs::read_to_string(project.at(".lpcache/CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
}

#[test]
fn a_result_is_fresh_until_something_differs() {
    let project = Project::new();
    project.write("x", "15");
    project.check(&key(15), &["x"], expect!["new"]);
    project.perform(&key(15), &["x"]);
    let project = project.reopened();
    project.check(&key(15), &["x"], expect!["fresh"]);
    project.check(&key(30), &["x"], expect!["stale: `fps` changed from 15 to 30"]);
    project.check(&key(15), &["x", "y"], expect!["stale: its list of outputs changed: `y` was added"]);
    project.write("x", "16");
    project.check(&key(15), &["x"], expect!["restorable: output `x` was changed"]);
}

#[test]
fn setting_a_value_back_finds_the_earlier_result() {
    let project = Project::new();
    project.write("x", "15");
    let first = project.perform(&key(15), &["x"]);
    project.write("x", "30");
    project.perform(&key(30), &["x"]);
    project.check(&key(15), &["x"], expect!["restorable: output `x` was changed"]);
    assert_eq!(project.restore(&first), ["x"]);
    project.check(&key(15), &["x"], expect!["fresh"]);
    assert_eq!(project.restore(&first), [""; 0]);
}

#[test]
fn an_attempt_that_failed_is_never_reused() {
    let project = Project::new();
    let mut failed = attempt(&key(15), Vec::new());
    for (outcome, expect) in [
        (AttemptOutcome::Failed, expect!["stale: the last attempt failed"]),
        (AttemptOutcome::Panicked, expect!["stale: the last attempt panicked"]),
    ] {
        failed.outcome = outcome;
        project.store.record_attempt(&failed).unwrap();
        project.check(&key(15), &[], expect);
    }
    project.check(&key(30), &[], expect!["stale: `fps` changed from 15 to 30"]);
    project.perform(&key(15), &[]);
    project.check(&key(15), &[], expect!["fresh"]);
}

#[test]
fn files_folders_and_links_are_restored_unchanged() {
    let project = Project::new();
    project.write("media/large.mp4", vec![7; 2 << 20]);
    project.write("out/small", "small");
    project.write("out/sub/tool", "tool");
    std::fs::create_dir(project.at("out/empty")).unwrap();
    symlink("sub/tool", project.at("out/link")).unwrap();
    symlink("out/small", project.at("latest")).unwrap();
    let executable = || std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(project.at("out/sub/tool"), executable()).unwrap();
    project.write("tool", vec![8; 2 << 20]);
    std::fs::set_permissions(project.at("tool"), executable()).unwrap();

    let names = ["media/large.mp4", "out", "latest", "tool"];
    let attempt = project.perform(&key(15), &names);
    for name in ["media", "out", "latest", "tool"] {
        fs::remove(&project.at(name)).unwrap();
    }
    project.check(
        &key(15),
        &names,
        expect!["restorable: outputs `media/large.mp4`, `out`, `latest` and 1 more were deleted"],
    );
    assert_eq!(project.restore(&attempt), names);
    project.check(&key(15), &names, expect!["fresh"]);
    let mode = |name| std::fs::metadata(project.at(name)).unwrap().permissions().mode() & 0o100;
    assert_eq!([mode("tool"), mode("out/sub/tool"), mode("out/small")], [0o100, 0o100, 0]);
    assert!(project.at("out/empty").is_dir());
    let left: Vec<_> = fs::list_names(project.folder.path()).unwrap();
    assert_eq!(left, [".lpcache", "latest", "media", "out", "tool"]);
}

#[test]
fn an_output_moved_into_the_store_is_restored_to_its_place() {
    let project = Project::new();
    project.write("attempt/x", vec![1; 2 << 20]);
    let entry = project.store.capture(&path("media/x"), &project.at("attempt/x"), Put::Move).unwrap();
    assert!(!project.at("attempt/x").exists());
    assert_eq!(project.restore(&attempt(&key(1), vec![entry])), ["media/x"]);
    assert_eq!(std::fs::read(project.at("media/x")).unwrap(), vec![1; 2 << 20]);
    let error = project.store.capture(&path("y"), &project.at("y"), Put::Move).unwrap_err();
    expect!["output `y` was not made"].assert_eq(&error.to_string());
}

#[test]
fn restoring_never_writes_through_a_link() {
    let project = Project::new();
    project.write("x", "made");
    let attempt = project.perform(&key(15), &["x"]);
    project.write("mine", "precious");
    fs::remove(&project.at("x")).unwrap();
    std::fs::hard_link(project.at("mine"), project.at("x")).unwrap();
    project.restore(&attempt);
    fs::remove(&project.at("x")).unwrap();
    symlink("mine", project.at("x")).unwrap();
    project.restore(&attempt);
    assert_eq!(std::fs::read(project.at("mine")).unwrap(), b"precious");
    assert_eq!(std::fs::read(project.at("x")).unwrap(), b"made");
}

#[test]
fn an_output_made_executable_through_its_link_is_restored_unchanged() {
    let project = Project::new();
    project.write("x", vec![1; 2 << 20]);
    let attempt = project.perform(&key(15), &["x"]);
    std::fs::set_permissions(project.at("x"), std::fs::Permissions::from_mode(0o755)).unwrap();
    project.check(&key(15), &["x"], expect!["restorable: output `x` was changed"]);
    project.restore(&attempt);
    assert_eq!(std::fs::metadata(project.at("x")).unwrap().permissions().mode() & 0o111, 0);
    project.check(&key(15), &["x"], expect!["fresh"]);
}

#[test]
fn a_blob_that_was_written_through_its_link_counts_as_lost() {
    let project = Project::new();
    project.write("x", vec![1; 2 << 20]);
    let attempt = project.perform(&key(15), &["x"]);
    let blob = project.store.blob_path(&attempt.outputs[0].content);
    if std::fs::metadata(&blob).unwrap().ino() != std::fs::metadata(project.at("x")).unwrap().ino() {
        return; // this file system reflinks: nothing is shared
    }
    std::fs::set_permissions(&blob, std::fs::Permissions::from_mode(0o644)).unwrap();
    project.write("x", vec![2; 2 << 20]);
    project.check(&key(15), &["x"], expect!["restorable: output `x` was changed"]);
    let error = project.store.restore(&attempt.outputs).unwrap_err();
    assert!(matches!(error, StoreError::BlobLost { .. }), "{error}");
    assert_eq!(std::fs::read(project.at("x")).unwrap(), vec![2; 2 << 20], "nothing was touched");
    project.check(&key(15), &["x"], expect!["stale: output `x` was changed, and the store has lost it"]);
    project.write("y", vec![1; 2 << 20]);
    project.perform(&key(16), &["y"]);
    project.restore(&attempt);
    project.check(&key(15), &["x"], expect!["fresh"]);
}

#[test]
fn a_lost_blob_makes_a_deleted_output_stale() {
    let project = Project::new();
    project.write("x", "1");
    let attempt = project.perform(&key(15), &["x"]);
    fs::remove(&project.at("x")).unwrap();
    fs::remove(&project.store.blob_path(&attempt.outputs[0].content)).unwrap();
    project.check(&key(15), &["x"], expect!["stale: output `x` was deleted, and the store has lost it"]);
    let error = project.store.restore(&attempt.outputs).unwrap_err();
    assert!(error.to_string().starts_with("the store has lost the contents of `x` ("), "{error}");
}

#[test]
fn a_touched_file_is_read_once_and_a_no_op_writes_nothing() {
    let project = Project::new();
    project.write("x", "1");
    project.perform(&key(15), &["x"]);
    let project = project.reopened();
    project.check(&key(15), &["x"], expect!["fresh"]);
    assert_eq!(project.store.n_hashed(), 0);

    let touched = std::fs::File::open(project.at("x")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH).unwrap();
    let project = project.reopened();
    project.check(&key(15), &["x"], expect!["fresh"]);
    assert!(project.store.n_hashed() > 0);
    let project = project.reopened();
    let before = fs::StatIdentity::read(&project.at(".lpcache/state")).unwrap();
    project.check(&key(15), &["x"], expect!["fresh"]);
    assert_eq!(project.store.n_hashed(), 0);
    let project = project.reopened();
    assert_eq!(fs::StatIdentity::read(&project.at(".lpcache/state")).unwrap(), before);
}

#[test]
fn an_edit_that_keeps_size_and_time_is_detected() {
    let project = Project::new();
    project.write("x", "aaaa");
    let modified = std::fs::metadata(project.at("x")).unwrap().modified().unwrap();
    project.perform(&key(15), &["x"]);
    let project = project.reopened();
    project.write("x", "bbbb");
    std::fs::File::open(project.at("x")).unwrap().set_modified(modified).unwrap();
    project.check(&key(15), &["x"], expect!["restorable: output `x` was changed"]);
}

#[test]
fn an_edit_right_after_the_hashing_is_detected() {
    let project = Project::new();
    for byte in 0..100_u8 {
        project.write("x", [byte]);
        assert_eq!(project.store.digest_of(&project.at("x")).unwrap(), ContentDigest::of(&[byte]));
    }
}

#[test]
fn cleaning_keeps_measurements() {
    let project = Project::new();
    project.write("x", "result");
    project.perform(&key(15), &["x"]);
    project.write("record.json", "record");
    project.write("folder/part", "part");
    let names = ["record.json", "folder"];
    let outputs =
        names.map(|name| project.store.capture(&path(name), &project.at(name), Put::Share).unwrap());
    let mut run = attempt(&key(30), outputs.to_vec());
    run.label = "run:lane".to_owned();
    run.measurement = true;
    run.logs = Some(project.store.put_bytes(b"log").unwrap());
    project.store.record_attempt(&run).unwrap();

    assert_eq!(project.store.clean().unwrap(), 1);
    let project = project.reopened();
    project.check(&key(15), &["x"], expect!["new"]);
    assert_eq!(project.store.cas.all().unwrap().len(), 4, "record, listing, part, log");
    for name in names {
        fs::remove(&project.at(name)).unwrap();
    }
    let id = run.run_id().unwrap();
    assert_eq!(&id[..17], "20261124T064200Z-");
    let found = project.store.find_by_run_id(&id[..12]);
    assert_eq!(found.len(), 1);
    assert_eq!(project.restore(&found[0]), names);
    assert!(project.store.find_by_run_id("").is_empty());
}

#[test]
fn repeats_are_counted_and_the_newest_complete_one_is_reused() {
    let project = Project::new();
    let repeat = |n: u32| {
        let mut key = key(15);
        key.extra.insert(REPEAT.to_owned(), json!(n));
        key
    };
    for (n, complete) in [(1, true), (2, true), (3, false)] {
        let mut run = attempt(&repeat(n), Vec::new());
        (run.measurement, run.complete, run.repeat) = (true, complete, Some(n));
        project.store.record_attempt(&run).unwrap();
    }
    let label = "transcode:scan.mp4";
    assert_eq!(project.store.next_repeat(label, &key(15)), 4);
    assert_eq!(project.store.next_repeat(label, &key(16)), 1);
    assert_eq!(project.store.fitting_measurement(label, &repeat(9)).unwrap().repeat, Some(2));
    project.check(&repeat(3), &[], expect!["stale: the last measurement is incomplete"]);
    project.check(&repeat(1), &[], expect!["fresh"]);
}

#[test]
fn two_stores_of_one_project_add_to_one_log() {
    let project = Project::new();
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let layout = project.store.layout.clone();
            scope.spawn(move || {
                let store = Store::open(layout).unwrap();
                for n in 0..10 {
                    let mut attempt = attempt(&key(n), Vec::new());
                    attempt.label = format!("{writer}-{n}");
                    store.record_attempt(&attempt).unwrap();
                    store.set_machine(&attempt.label);
                    store.save_state().unwrap();
                }
            });
        }
    });
    assert_eq!(project.reopened().store.attempts().len(), 20);
}

#[test]
fn dead_attempts_are_recognised() {
    let project = Project::new();
    for fps in [15, 30, 15, 15] {
        project.store.record_attempt(&attempt(&key(fps), Vec::new())).unwrap();
    }
    assert_eq!(live(&project.store.log()).len(), 2);
}
