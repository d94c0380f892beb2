//! `Lpfile.lock`: what downloads without a digest were when they first came.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use crate::download::{Answer, BODY, Server, sha256};
use crate::hostile::names;
use crate::own::{VIDEO, cameras};
use crate::support::{Workspace, frames};

/// Another video of the same size.
pub(crate) const OTHER: &str = "\0\0\0\u{18}ftypisom: not really a movie";

const LOCK: &str = "Lpfile.lock";
const WRITTEN: &str = "note: `Lpfile.lock` has an entry for `a.mp4` now: commit it\n";

static DIGEST: LazyLock<String> = LazyLock::new(|| blake3(BODY));

pub(crate) fn blake3(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A server whose files can be replaced.
pub(crate) struct Changing {
    pub(crate) server: Server,
    is_changed: Arc<AtomicBool>,
}

impl Changing {
    /// [`BODY`] under every path, and [`OTHER`] later; nothing below `/gone`.
    pub(crate) fn start() -> Changing {
        let is_changed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_changed);
        let answer = move |url: &str, _| -> Answer {
            match (url.starts_with("/gone"), seen.load(Ordering::SeqCst)) {
                (true, _) => (404, vec![], "no"),
                (_, true) => (200, vec![], OTHER),
                (_, false) => (200, vec![], BODY),
            }
        };
        Changing { server: Server::answering(answer), is_changed }
    }

    pub(crate) fn change(&self) {
        self.is_changed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.server.port)
    }

    /// A project with a camera for each of these names, whose videos it serves.
    pub(crate) fn project(&self, names: &[&str]) -> Workspace {
        let sources: Vec<String> =
            names.iter().map(|name| format!("{name}|{}", self.url(&format!("/{name}")))).collect();
        cameras(&sources.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The file with these entries: name, URL, digest and size.
pub(crate) fn lock(entries: &[(&str, &str, &str, usize)]) -> String {
    let mut text = "\
# What downloads without a digest of their own were when they were first fetched. Commit this file.
# `lp assets update` renews it. `lp` writes all of it, so comments do not stay.
version = 1
"
    .to_owned();
    for (name, url, digest, size) in entries {
        text.push_str(&format!(
            "\n[asset.\"{name}\"]\nurl = \"{url}\"\nblake3 = \"{digest}\"\nsize = {size}\n"
        ));
    }
    text
}

/// Without what `lp` has stored and downloaded.
pub(crate) fn forget(ws: &Workspace) {
    for folder in [".lpcache", "media"] {
        fs::remove_dir_all(ws.path(folder)).unwrap();
    }
}

#[test]
fn the_first_build_writes_the_lock_and_the_second_does_nothing() {
    let origin = Changing::start();
    let url = origin.url("/a.mp4");
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success().stderr_has(WRITTEN);
    let written = lock(&[("a.mp4", &url, &DIGEST, BODY.len())]);
    assert_eq!(ws.read(LOCK), written);
    for _ in 0..2 {
        let ended = ws.lp("build download:a.mp4").success().stderr_has("nothing to do: 1 task fresh");
        assert!(!ended.stderr.contains("note:"), "{}", ended.stderr);
    }
    ws.lp("explain download:a.mp4").success().stdout_has("`download:a.mp4` is fresh");
    ws.lp("check --strict").success();
    // Nothing is written where nothing is to be recorded.
    ws.write(LOCK, &format!("# Ours.\n{written}"));
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    assert!(ws.read(LOCK).starts_with("# Ours.\n"));
    fs::remove_dir_all(ws.path("media")).unwrap();
    ws.lp("build download:a.mp4").success().stderr_has("restored: output `media/a.mp4` was deleted");
    assert_eq!(origin.server.n_requests(), 1);
    // Without a store, the file must be the same.
    forget(&ws);
    ws.lp("build download:a.mp4").success();
    assert_eq!((ws.read("media/a.mp4").as_str(), origin.server.n_requests()), (BODY, 2));
}

#[test]
fn the_lock_has_no_credentials() {
    let origin = Changing::start();
    let url = origin.url("/a.mp4?sig=4711");
    let ws = cameras(&[&format!("a.mp4|{}", url.replace("//", "//bob:secret@"))]);
    ws.lp("build download:a.mp4").success().stderr_has(WRITTEN);
    let shown = url.replace("4711", "***");
    assert_eq!(ws.read(LOCK), lock(&[("a.mp4", &shown, &DIGEST, BODY.len())]));
    ws.lp("build --locked download:a.mp4").success().stderr_has("nothing to do");
}

#[test]
fn a_store_without_a_lock_gets_one_without_a_download_also_after_a_kill() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    let killed =
        ws.command(&["build", "download:a.mp4"]).env("LP_FAILPOINT", "lock.before-write").output().unwrap();
    assert_eq!(killed.status.code(), None, "{}", String::from_utf8_lossy(&killed.stderr));
    assert!(ws.exists("media/a.mp4") && !ws.exists(LOCK));
    for _ in 0..2 {
        let ended = ws.lp("build download:a.mp4").success().stderr_has(WRITTEN);
        assert!(ended.stderr.contains("nothing to do"), "{}", ended.stderr);
        ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
        ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
        fs::remove_file(ws.path(LOCK)).unwrap();
    }
    assert_eq!(origin.server.n_requests(), 1);
}

#[test]
fn a_write_that_fails_is_a_note_and_the_next_build_makes_up_for_it() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success();
    fs::remove_file(ws.path(LOCK)).unwrap();
    let trace = ws.path("../trace");
    let build = |name: &str, value: &str| {
        let output = ws.command(&["build", "download:a.mp4"]).env(name, value).output().unwrap();
        crate::support::Ended::new(output, &ws.root()).success()
    };
    build("LP_FAILPOINT_TRACE", trace.to_str().unwrap()).stderr_has(WRITTEN);
    let writes = fs::read_to_string(trace).unwrap();
    let is_last = |line: &str| line.starts_with("rename") && line.ends_with(LOCK);
    let n = writes.lines().position(is_last).unwrap() + 1;
    fs::remove_file(ws.path(LOCK)).unwrap();
    let before = names(&ws, ".");
    build("LP_FAILPOINT", &format!("fs:{n}"))
        .stderr_has("nothing to do: 1 task fresh")
        .stderr_has("note: `Lpfile.lock` gets no entries for new downloads: failed to replace")
        .stderr_has("No space left on device");
    assert_eq!(names(&ws, "."), before);
    ws.lp("build download:a.mp4").success().stderr_has(WRITTEN);
    // A place where no file can be.
    fs::remove_file(ws.path(LOCK)).unwrap();
    fs::create_dir(ws.path(LOCK)).unwrap();
    for _ in 0..2 {
        ws.lp("build download:a.mp4").success().stderr_has("Lpfile.lock`: it is a folder");
    }
    assert_eq!(origin.server.n_requests(), 1);
}

#[test]
fn another_file_on_the_server_is_an_error_that_names_the_lock() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success();
    origin.change();
    let (found, way_out) = (
        format!("has digest {}, but `Lpfile.lock` pins {}", blake3(OTHER), *DIGEST),
        "hint: if the file was meant to change, `lp assets update a.mp4` takes the new one\n",
    );
    ws.lp("build --again download:a.mp4").code(1).stderr_has(&found).stderr_has(way_out);
    assert_eq!(ws.read("media/a.mp4"), BODY);
    forget(&ws);
    ws.lp("build download:a.mp4").code(1).stderr_has(&found).stderr_has(way_out);
    assert!(!ws.exists("media/a.mp4"));
    // The way out is said once, whatever the number of mirrors.
    let urls = [origin.url("/a.mp4"), origin.url("/mirror.mp4")];
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nurls = {urls:?}\n"));
    let ended = ws.lp("build download:a.mp4").code(1);
    assert_eq!((ended.stderr.matches(&found).count(), ended.stderr.matches(way_out).count()), (2, 1));
    // One of another size is not even fetched whole.
    let entry = lock(&[("a.mp4", &origin.url("/a.mp4"), &DIGEST, 31)]);
    ws.write(LOCK, &entry);
    ws.lp("build download:a.mp4")
        .code(1)
        .stderr_has("has 32 bytes, but `Lpfile.lock` pins 31")
        .stderr_has(way_out);
    assert_eq!(ws.read(LOCK), entry);
}

#[test]
fn the_lock_of_somebody_else_counts_and_is_named_as_the_cause() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success();
    // What the store has is not fetched again, whoever wrote the entry.
    let theirs = |digest: &str| lock(&[("a.mp4", &origin.url("/a.mp4"), digest, BODY.len())]);
    ws.write(LOCK, &theirs(&blake3(OTHER)));
    ws.lp("explain download:a.mp4").success().stdout_has("`download:a.mp4` is stale: `blake3` was added");
    ws.lp("explain download:a.mp4").success().stdout_has("(Lpfile.lock:5:8)");
    ws.lp("build download:a.mp4").code(1).stderr_has("but `Lpfile.lock` pins");
    ws.write(LOCK, &theirs(&DIGEST));
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    assert_eq!(origin.server.n_requests(), 2);
    // The key of a saved store follows the lock.
    let key = ws.lp("cache key").success().stdout;
    ws.write(LOCK, &theirs(&blake3(OTHER)));
    assert_ne!(ws.lp("cache key").success().stdout, key);
}

#[test]
fn only_downloads_without_a_digest_get_entries_and_a_new_url_replaces_one() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4", "b.mp4"]);
    let lpfile = |more: &str| {
        let pin = format!("[asset.\"b.mp4\"]\nsha256 = \"{}\"\n", sha256(BODY));
        ws.write("Lpfile.toml", &format!("{pin}{more}"));
    };
    lpfile("");
    ws.lp("build download:b.mp4").success();
    assert!(!ws.exists(LOCK));
    // Entries of other downloads stay.
    let other = ("z.mp4", "https://h/z.mp4", DIGEST.as_str(), 7);
    ws.write(LOCK, &lock(&[other]));
    ws.lp("build download:a.mp4 download:b.mp4").success().stderr_has(WRITTEN);
    let first = origin.url("/a.mp4");
    assert_eq!(ws.read(LOCK), lock(&[("a.mp4", &first, &DIGEST, 32), other]));
    origin.change();
    let second = origin.url("/new/a.mp4");
    lpfile(&format!("[asset.\"a.mp4\"]\nurls = [\"{second}\"]\n"));
    ws.lp("build download:a.mp4").success().stderr_has("of `urls` was added\n").stderr_has(WRITTEN);
    assert_eq!(ws.read(LOCK), lock(&[("a.mp4", &second, &blake3(OTHER), 32), other]));
    // A file of the user's is not recorded.
    let ws = origin.project(&["a.mp4"]).file("media/a.mp4", VIDEO);
    let copy = "[[task]]\nname = \"copy\"\ncommand = [\"cp\", \"media/a.mp4\", \"b.mp4\"]\n\
        inputs = [\"media/a.mp4\"]\noutputs = [\"b.mp4\"]\n";
    ws.write("Lpfile.toml", copy);
    ws.lp("build copy").success();
    assert!(ws.exists("b.mp4") && !ws.exists(LOCK));
}

#[test]
fn what_came_is_recorded_although_other_tasks_failed() {
    let origin = Changing::start();
    let ws = cameras(&[
        &format!("a.mp4|{}", origin.url("/a.mp4")),
        &format!("b.mp4|{}", origin.url("/gone/b.mp4")),
    ]);
    ws.lp("build -k download:a.mp4 download:b.mp4").code(1).stderr_has(WRITTEN);
    assert_eq!(ws.read(LOCK), lock(&[("a.mp4", &origin.url("/a.mp4"), &DIGEST, 32)]));
}

#[test]
fn a_project_without_a_project_file_has_its_lock_in_its_folder() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    fs::remove_file(ws.path("Lpfile.toml")).unwrap();
    let files = "--cameras configs/camera_to_workload.json --workloads configs/workload_to_pipeline.json";
    ws.lp(&format!("build {files} download:a.mp4")).success().stderr_has(WRITTEN);
    ws.lp(&format!("build {files} --locked download:a.mp4")).success().stderr_has("nothing to do");
    assert!(ws.exists(LOCK));
}

#[test]
fn a_run_records_what_it_downloads() {
    let origin = Changing::start();
    let camera = format!(
        r#"{{"lane_config": {{"cameras": [{{"camera_id": "till", "fileSrc": "a.mp4|{}", "width": 640, "height": 360, "fps": 15, "workloads": ["scan"]}}]}}}}"#,
        origin.url("/a.mp4")
    );
    let clip = "media/clips/a-640x360-15.mp4";
    let lpfile = format!(
        "[run]\nduration = \"5s\"\nwarmup = \"0s\"\n[[task]]\nname = \"clip\"\n\
         command = [\"cp\", \"media/a.mp4\", \"{clip}\"]\ninputs = [\"media/a.mp4\"]\noutputs = [\"{clip}\"]\n"
    );
    let ws = Workspace::cameras()
        .file("configs/camera_to_workload.json", &camera)
        .file("Lpfile.toml", &lpfile)
        .file("replay/till-1.jsonl", &frames("till/1", 6, 6));
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    let ws = ws
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &replay);
    for command in ["run --locked", "density --locked"] {
        ws.lp(command).code(2).stderr_has("error[LP0422]: `a.mp4` has no digest");
    }
    ws.lp("run --no-verdict").stderr_has(WRITTEN);
    assert_eq!(ws.read(LOCK), lock(&[("a.mp4", &origin.url("/a.mp4"), &DIGEST, 32)]));
}

#[test]
fn locked_refuses_all_unknown_downloads_at_once_before_anything_starts() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4", "b.mp4"]);
    let targets = "download:a.mp4 download:b.mp4";
    for flags in ["--locked", "--locked --dry-run"] {
        ws.lp(&format!("build {flags} {targets}"))
            .code(2)
            .stderr_has("error[LP0422]: `a.mp4` has no digest in the config and none in `Lpfile.lock`\n")
            .stderr_has(" --> configs/camera_to_workload.json:2:")
            .stderr_has("error[LP0422]: `b.mp4` has no digest in the config and none in `Lpfile.lock`\n")
            .stderr_has("without `--locked`, `lp build` writes its entry: commit it; or give its `sha256`")
            .stderr_has("error: 2 errors\n");
    }
    assert_eq!(origin.server.n_requests(), 0);
    ws.lp("build download:a.mp4").success();
    let before = ws.read(LOCK);
    ws.lp(&format!("build --locked {targets}")).code(2).stderr_has("error: 1 error\n");
    ws.lp("build --locked download:a.mp4").success().stderr_has("nothing to do");
    // An entry for another URL does not count.
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nurls = [\"{}\"]\n", origin.url("/mirror/a.mp4")));
    ws.lp("build --locked download:a.mp4")
        .code(2)
        .stderr_has("error[LP0422]: `Lpfile.lock` has `a.mp4` from another URL or of another size")
        .stderr_has(&format!("from `{}`, 32 bytes", origin.url("/a.mp4")));
    assert_eq!((ws.read(LOCK), origin.server.n_requests()), (before, 1));
}

#[test]
fn a_lock_with_faults_stops_every_command() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success();
    let text = ws.read(LOCK);
    ws.write(LOCK, &text.replace("\n[asset", "\n<<<<<<< HEAD\n[asset"));
    for command in ["check", "build download:a.mp4", "assets update", "list"] {
        ws.lp(command)
            .code(2)
            .stderr_has("error[LP0101]: a merge conflict is left in the file\n --> Lpfile.lock:5:1\n");
    }
    ws.write(LOCK, &text.replace("version = 1", "version = 2\nother = true"));
    ws.lp("build download:a.mp4")
        .code(2)
        .stderr_has("error[LP0007]: `Lpfile.lock` was written by a newer `lp`\n --> Lpfile.lock:3:11\n")
        .stderr_has("error: 1 error\n");
    assert_eq!(origin.server.n_requests(), 1);
}
