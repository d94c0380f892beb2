//! Tests of collection, verification and repair.

use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::store::gc::{Act, Collected, Limits};
use crate::store::stats::LabelSize;
use crate::store::verify::{Done, StateFound, Verified};

const DAY: u64 = 86_400;

/// A number of days after the start of these tests' attempts.
fn days_later(days: u64) -> Utc {
    Utc::from_unix_millis(1_795_502_520_000 + i64::try_from(days * DAY * 1000).unwrap())
}

fn limits(max_size: Option<u64>, max_days: Option<u64>, now: u64) -> Limits {
    Limits { max_size, max_age: max_days.map(|days| Duration::from_secs(days * DAY)), now: days_later(now) }
}

impl Project {
    /// Performs a task with its own label that makes `name` with `bytes`, `days`
    /// after the first.
    fn make(&self, name: &str, bytes: impl AsRef<[u8]>, days: u64) -> Attempt {
        self.write(name, bytes);
        let key = KeyDocument::new(json!({ "name": name, "days": days }), BTreeMap::new());
        let output = self.store.capture(&path(name), &self.at(name), Put::Share).unwrap();
        let mut made = attempt(&key, vec![output]);
        made.label = format!("task:{name}");
        made.started = days_later(days);
        self.store.record_attempt(&made).unwrap();
        made
    }

    /// A measurement that failed, with a record, a folder and a log.
    fn measure(&self) -> Attempt {
        self.write("record.json", "record");
        self.write("folder/part", "part");
        let capture = |name| self.store.capture(&path(name), &self.at(name), Put::Share).unwrap();
        let mut run = attempt(&key(99), ["record.json", "folder"].map(capture).to_vec());
        run.label = "run:lane".to_owned();
        (run.measurement, run.complete, run.outcome) = (true, false, AttemptOutcome::Failed);
        run.logs = Some(self.store.put_bytes(b"log").unwrap());
        self.store.record_attempt(&run).unwrap();
        run
    }

    fn collect(&self, limits: &Limits) -> Collected {
        let would = self.store.collect(limits, Act::DryRun).unwrap();
        let did = self.store.collect(limits, Act::Remove).unwrap();
        assert_eq!(Collected { dry_run: false, ..would }, did, "a dry run says what a real one does");
        did
    }

    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<_> = self.store.attempts().iter().map(|attempt| attempt.label.clone()).collect();
        labels.sort();
        labels
    }

    /// Damages the blob of the first output but keeps its mode and
    /// modification time.
    fn rot(&self, attempt: &Attempt) {
        let blob = self.store.blob_path(&attempt.outputs[0].content);
        let before = std::fs::metadata(&blob).unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[0] ^= 1;
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(&blob, bytes).unwrap();
        std::fs::set_permissions(&blob, before.permissions()).unwrap();
        std::fs::File::open(&blob).unwrap().set_modified(before.modified().unwrap()).unwrap();
    }

    fn verify(&self) -> Verified {
        let mut verified = self.store.verify().unwrap();
        if !verified.is_right() {
            self.store.heal(&mut verified).unwrap();
        }
        verified
    }

    fn done(&self) -> Vec<Done> {
        self.verify().faults.iter().map(|fault| fault.done).collect()
    }
}

#[test]
fn only_unreferenced_data_is_deleted() {
    let project = Project::new();
    project.write("x", "15");
    for _ in 0..3 {
        project.perform(&key(15), &["x"]);
    }
    let mut failed = attempt(&key(16), Vec::new());
    (failed.outcome, failed.logs) = (AttemptOutcome::Failed, Some(project.store.put_bytes(b"oh").unwrap()));
    project.store.record_attempt(&failed).unwrap();
    project.perform(&key(15), &["x"]);
    project.store.put_bytes(b"nobody's").unwrap();
    project.write(".lpcache/tmp/thread-0/half", "half");
    project.write(".lpcache/.lp-4194304000-1-1", "state of a dead process");
    project.write(&format!(".lpcache/.lp-{}-1-1", std::process::id()), "of a living one");

    let collected = project.collect(&limits(None, None, 1000));
    assert_eq!(collected.removed.dead, 4, "older ones of the same action, and the failure before the newest");
    assert_eq!((collected.removed.blobs.count, collected.removed.blobs.bytes), (2, 10));
    assert_eq!((collected.removed.leftovers.count, collected.removed.leftovers.bytes), (2, 27));
    assert_eq!((collected.kept.attempts, collected.kept.blobs.count), (1, 1));
    assert!(!project.at(".lpcache/.lp-4194304000-1-1").exists());
    assert!(project.at(&format!(".lpcache/.lp-{}-1-1", std::process::id())).exists());
    let project = project.reopened();
    project.check(&key(15), &["x"], expect!["fresh"]);
    let again = project.collect(&limits(None, None, 1000));
    assert_eq!((again.removed.dead, again.removed.blobs.count), (0, 0));
}

#[test]
fn a_dry_run_writes_nothing() {
    let project = Project::new();
    project.make("x", "1", 0);
    project.make("x", "22", 1);
    let limits = limits(Some(0), Some(0), 9);
    let log = std::fs::read(project.at(".lpcache/log")).unwrap();
    let would = project.store.collect(&limits, Act::DryRun).unwrap();
    assert_eq!((would.removed.too_old, would.removed.too_large, would.removed.blobs.count), (1, 1, 2));
    assert_eq!(std::fs::read(project.at(".lpcache/log")).unwrap(), log);
    assert_eq!(project.store.cas.all().unwrap().len(), 2);
}

#[test]
fn measurements_and_their_blobs_survive_every_limit() {
    let project = Project::new();
    let run = project.measure();
    project.make("x", "1", 0);
    let collected = project.collect(&limits(Some(0), Some(0), 1000));
    assert_eq!((collected.removed.too_large, collected.kept.measurements), (1, 1));
    assert!(!collected.fits);
    assert_eq!(collected.kept.blobs.count, 4, "record, listing, part, log");
    for name in ["record.json", "folder"] {
        fs::remove(&project.at(name)).unwrap();
    }
    assert_eq!(project.restore(&run), ["record.json", "folder"]);
    assert_eq!(project.store.read_blob(&run.logs.unwrap(), 9).unwrap(), b"log");
}

#[test]
fn old_outputs_in_the_project_are_in_use() {
    let project = Project::new();
    project.make("old", "1", 0);
    project.make("gone", "2", 0);
    project.make("young", "3", 35);
    fs::remove(&project.at("gone")).unwrap();
    fs::remove(&project.at("young")).unwrap();
    // A task without outputs is fresh by its entry.
    let mut check = attempt(&key(1), Vec::new());
    check.label = "task:check".to_owned();
    project.store.record_attempt(&check).unwrap();
    let collected = project.collect(&limits(None, Some(30), 40));
    assert_eq!(collected.removed.too_old, 1);
    assert_eq!(project.labels(), ["task:check", "task:old", "task:young"]);
}

#[test]
fn the_least_recently_used_results_are_deleted_first() {
    let project = Project::new();
    for (name, days) in [("in-place", 0), ("b", 1), ("c", 2), ("d", 3)] {
        project.make(name, vec![name.as_bytes()[0]; 100], days);
    }
    // The oldest, but it shares its only blob with `d`: deleting it frees nothing.
    project.write("d", vec![b'd'; 100]);
    project.perform(&key(7), &["d"]);
    for name in ["b", "c", "d"] {
        fs::remove(&project.at(name)).unwrap();
    }
    let collected = project.collect(&limits(Some(400), None, 9));
    assert_eq!((collected.removed.too_large, collected.kept.blobs.bytes), (0, 400));
    let collected = project.collect(&limits(Some(250), None, 9));
    assert_eq!((collected.removed.too_large, collected.kept.blobs.bytes, collected.fits), (2, 200, true));
    assert_eq!(project.labels(), ["task:d", "task:in-place", "transcode:scan.mp4"]);
    project.collect(&limits(Some(0), None, 9));
    assert_eq!(project.labels(), [""; 0]);
}

#[test]
fn a_shared_blob_frees_nothing_and_is_counted_so() {
    let project = Project::new();
    project.make("x", vec![7; 2 << 20], 0);
    let is_shared = project.store.stats().unwrap().shared.count == 1;
    let collected = project.collect(&limits(Some(0), None, 1));
    assert_eq!(collected.removed.blobs.bytes, 2 << 20);
    assert_eq!(collected.removed.shared.count, usize::from(is_shared));
    assert_eq!(std::fs::read(project.at("x")).unwrap(), vec![7; 2 << 20], "the output stays");
}

#[test]
fn a_lost_result_is_forgotten() {
    let project = Project::new();
    let made = project.make("x", "1", 0);
    fs::remove(&project.store.blob_path(&made.outputs[0].content)).unwrap();
    assert_eq!(project.collect(&limits(None, None, 0)).removed.dead, 0, "its output is there");
    fs::remove(&project.at("x")).unwrap();
    assert_eq!(project.collect(&limits(None, None, 0)).removed.dead, 1);
}

#[test]
fn blobs_of_a_damaged_log_are_kept_after_a_rewrite() {
    let project = Project::new();
    let run = project.measure();
    project.make("x", "1", 0);
    let mut log = std::fs::read(project.at(".lpcache/log")).unwrap();
    let at = log.windows(8).position(|window| window == b"run:lane").unwrap();
    log[at] ^= 1;
    std::fs::write(project.at(".lpcache/log"), &log).unwrap();
    let project = Project { store: Store::open(project.store.layout.clone()).unwrap(), ..project };
    assert_eq!(project.labels(), ["task:x"]);
    for _ in 0..2 {
        let collected = project.collect(&limits(Some(0), None, 9));
        assert_eq!((collected.kept.unread.count, collected.removed.blobs.bytes <= 1), (4, true));
    }
    assert!(project.at(".lpcache/log.damaged").exists());
    assert!(run.outputs.iter().all(|output| project.store.has_blobs(output)));
}

#[test]
fn a_log_of_another_version_keeps_every_blob() {
    let project = Project::new();
    project.make("x", "1", 0);
    std::fs::write(project.at(".lpcache/log"), "lp-log\0\x09 of tomorrow").unwrap();
    let project = Project { store: Store::open(project.store.layout.clone()).unwrap(), ..project };
    let collected = project.collect(&limits(Some(0), Some(0), 1000));
    assert_eq!((collected.removed.blobs.count, collected.kept.unread.count), (0, 1));
    assert!(std::fs::read(project.at(".lpcache/log")).unwrap().ends_with(b"of tomorrow"));
}

#[test]
fn only_the_newest_compiled_graphs_are_kept() {
    let project = Project::new();
    project.make("x", "1", 0);
    for n in 0..18 {
        let name = format!(".lpcache/graph/{n:02}");
        project.write(&name, "graph");
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_795_502_520 + n * DAY);
        std::fs::File::open(project.at(&name)).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(project.collect(&limits(None, None, 18)).removed.graphs.count, 2);
    assert_eq!(project.collect(&limits(None, Some(3), 18)).removed.graphs.count, 13);
    assert_eq!(fs::list_names(&project.at(".lpcache/graph")).unwrap(), ["15", "16", "17"]);
}

#[test]
fn a_damaged_blob_is_stored_again_from_the_project_or_deleted() {
    let project = Project::new();
    let here = project.make("here", "1", 0);
    let gone = project.make("gone", "2", 0);
    let edited = project.make("edited", "3", 0);
    fs::remove(&project.at("gone")).unwrap();
    project.write("edited", "4");
    let project = project.reopened();
    assert!(project.verify().is_right());
    for made in [&here, &gone, &edited] {
        project.rot(made);
    }
    let mut done = project.done();
    done.sort_by_key(|done| format!("{done:?}"));
    assert_eq!(done, [Done::Removed, Done::Removed, Done::StoredAgain]);
    // Now they are missing, until they are made again or forgotten.
    assert_eq!(project.done(), [Done::Nothing, Done::Nothing]);
    project.make("gone", "2", 1);
    project.make("edited", "3", 1);
    assert!(project.verify().is_right());
    fs::remove(&project.at("here")).unwrap();
    assert_eq!(project.restore(&here), ["here"]);
}

#[test]
fn folders_and_links_are_stored_again_too() {
    let project = Project::new();
    project.write("out/sub/part", "part");
    symlink("sub/part", project.at("out/inside")).unwrap();
    symlink("out/sub", project.at("link")).unwrap();
    let attempt = project.perform(&key(1), &["out", "link"]);
    for blob in project.store.cas.all().unwrap() {
        project.store.cas.remove(&blob.content).unwrap();
    }
    assert_eq!(project.done(), [Done::StoredAgain; 2], "the listing and the link; it names no more");
    assert!(project.verify().is_right(), "what the listing names came with it");
    for name in ["out", "link"] {
        fs::remove(&project.at(name)).unwrap();
    }
    assert_eq!(project.restore(&attempt), ["out", "link"]);
}

#[test]
fn damage_under_an_unchanged_identity_is_found() {
    let project = Project::new();
    let made = project.make("x", "1", 0);
    let project = project.reopened();
    // As if both were damaged at once: the memo's digest of the output is wrong.
    project.rot(&made);
    project.write("x", "0");
    let identity = fs::StatIdentity::read(&project.at("x")).unwrap();
    project.store.state_mut().remember(
        &project.at("x"),
        identity,
        made.outputs[0].content,
        crate::store::state::Age::Settled,
    );
    assert_eq!(project.done(), [Done::Removed]);
    let output = project.store.observe(&path("x")).unwrap().unwrap();
    assert_ne!(output.content, made.outputs[0].content, "the next build sees that it changed");
}

#[test]
fn a_damaged_measurement_is_kept_and_named() {
    let project = Project::new();
    let run = project.measure();
    project.rot(&run);
    fs::remove(&project.at("record.json")).unwrap();
    for _ in 0..2 {
        let verified = project.verify();
        assert_eq!(verified.faults.len(), 1);
        assert_eq!(verified.faults[0].done, Done::Kept);
        assert_eq!(verified.faults[0].needed_by[0].run, run.run_id());
    }
    project.write("record.json", "record");
    assert_eq!(project.done(), [Done::StoredAgain]);
    assert!(project.verify().is_right());
}

#[test]
fn printed_output_may_be_lost_except_of_a_measurement() {
    let project = Project::new();
    let mut failed = attempt(&key(1), Vec::new());
    (failed.outcome, failed.logs) = (AttemptOutcome::Failed, Some(project.store.put_bytes(b"oh").unwrap()));
    project.store.record_attempt(&failed).unwrap();
    let run = project.measure();
    for logs in [failed.logs, run.logs] {
        project.store.cas.remove(&logs.unwrap()).unwrap();
    }
    let verified = project.verify();
    assert_eq!(verified.faults.len(), 1);
    assert_eq!(verified.faults[0].needed_by[0].label, "run:lane");
}

#[test]
fn a_damaged_log_and_state_are_found_once() {
    let project = Project::new();
    project.make("x", "1", 0);
    let begin = std::fs::read(project.at(".lpcache/log")).unwrap().len();
    project.make("y", "2", 0);
    let end = std::fs::read(project.at(".lpcache/log")).unwrap().len();
    project.make("z", "3", 0);
    let project = project.reopened();
    for (name, at) in [("log", begin + 20), ("state", 30)] {
        let path = project.at(".lpcache").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write_atomic(&path, &bytes).unwrap();
    }
    let project = Project { store: Store::open(project.store.layout.clone()).unwrap(), ..project };
    let verified = project.verify();
    assert_eq!(verified.log.damaged.iter().map(|at| (at.from, at.to)).collect::<Vec<_>>(), [(begin, end)]);
    assert_eq!(verified.state, StateFound::Damaged);
    assert_eq!(project.labels(), ["task:x", "task:z"]);
    assert!(project.verify().is_right());
    assert_eq!(
        std::fs::read(project.at(".lpcache/log.damaged")).unwrap().len(),
        end - begin,
        "the damaged entry is set aside"
    );
}

#[test]
fn a_torn_end_is_no_fault() {
    let project = Project::new();
    project.make("x", "1", 0);
    let log = std::fs::read(project.at(".lpcache/log")).unwrap();
    std::fs::write(project.at(".lpcache/log"), [&log[..], &log[8..60]].concat()).unwrap();
    let verified = project.verify();
    assert!(verified.is_right());
    assert_eq!(verified.log.torn.map(|torn| torn.from), Some(log.len()));
}

#[test]
fn any_store_is_counted() {
    let project = Project::new();
    assert_eq!(project.store.stats().unwrap().blobs.count, 0);
    project.make("x", "12345", 0);
    project.make("x", "123", 1);
    project.make("y", "123", 1);
    project.measure();
    project.store.put_bytes(b"nobody's").unwrap();
    let stats = project.store.stats().unwrap();
    assert_eq!((stats.blobs.count, stats.unneeded.count, stats.unneeded.bytes), (7, 1, 8));
    assert_eq!((stats.attempts, stats.live, stats.dead), (4, 4, 0));
    assert_eq!((stats.measurements, stats.complete), (1, 0));
    assert_eq!(stats.outcomes, BTreeMap::from([("failed", 1), ("succeeded", 3)]));
    assert_eq!(stats.largest[1], LabelSize { label: "task:x".to_owned(), attempts: 2, bytes: 8 });

    fs::remove(&project.at(".lpcache/cas")).unwrap();
    std::fs::write(project.at(".lpcache/cas"), "no folder").unwrap();
    std::fs::write(project.at(".lpcache/log"), "rubbish").unwrap();
    let project = Project { store: Store::open(project.store.layout.clone()).unwrap(), ..project };
    let stats = project.store.stats().unwrap();
    assert_eq!((stats.blobs.count, stats.attempts, stats.log), (0, 0, 7));
}
