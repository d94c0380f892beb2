//! `lp assets update`: the servers are asked again, and `Lpfile.lock` is renewed.

use std::fs;

use expect_test::expect;

use crate::download::{BODY, sha256};
use crate::lockfile::{Changing, OTHER, blake3, lock};
use crate::own::VIDEO;
use crate::support::WORKLOADS;

#[test]
fn an_update_takes_new_files_and_prints_what_changed() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4", "b.mp4"]);
    ws.lp("build download:a.mp4").success();
    ws.lp("assets update a.mp4").success().stdout(expect![[r#"
        a.mp4  unchanged: 32 B 2856efb3e21a
    "#]]);
    origin.change();
    let ended = ws.lp("assets update").success().stdout(expect![[r#"
        a.mp4  32 B 2856efb3e21a -> 32 B 8600507d7666
        b.mp4  new: 32 B 8600507d7666
    "#]]);
    assert!(ended.stderr.contains("stale: its server is asked again"), "{}", ended.stderr);
    let other = blake3(OTHER);
    let entries = [
        ("a.mp4", origin.url("/a.mp4"), other.as_str(), 32),
        ("b.mp4", origin.url("/b.mp4"), other.as_str(), 32),
    ];
    let entries: Vec<_> =
        entries.iter().map(|(name, url, digest, n)| (*name, url.as_str(), *digest, *n)).collect();
    assert_eq!((ws.read("Lpfile.lock"), ws.read("media/a.mp4").as_str()), (lock(&entries), OTHER));
    assert_eq!(origin.server.n_requests(), 4);
    ws.lp("build --locked download:a.mp4 download:b.mp4")
        .success()
        .stderr_has("nothing to do: 2 tasks fresh");
    let document: serde_json::Value =
        serde_json::from_str(&ws.lp("assets update b.mp4 --json").success().stdout).unwrap();
    let entry = serde_json::json!({ "url": origin.url("/b.mp4"), "blake3": other, "size": 32 });
    let difference =
        serde_json::json!({ "name": "b.mp4", "outcome": "unchanged", "before": entry, "after": entry });
    assert_eq!(document, serde_json::json!({ "version": 1, "assets": [difference] }));
}

#[test]
fn a_download_that_fails_keeps_its_entry_and_the_others_go_on() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4", "b.mp4"]);
    ws.lp("build download:a.mp4 download:b.mp4").success();
    let gone = |text: &str| text.replace("/a.mp4", "/gone/a.mp4");
    let cameras = "configs/camera_to_workload.json";
    ws.write(cameras, &gone(&ws.read(cameras)));
    ws.write("Lpfile.lock", &gone(&ws.read("Lpfile.lock")));
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    origin.change();
    ws.lp("assets update")
        .code(1)
        .stdout(expect![[r#"
            a.mp4  failed; its entry stays: 32 B 2856efb3e21a
            b.mp4  32 B 2856efb3e21a -> 32 B 8600507d7666
        "#]])
        .stderr_has("error: `download:a.mp4` failed\n");
    let (before, after) = (blake3(BODY), blake3(OTHER));
    let entries = [
        ("a.mp4", origin.url("/gone/a.mp4"), before.as_str(), 32),
        ("b.mp4", origin.url("/b.mp4"), after.as_str(), 32),
    ];
    let entries: Vec<_> =
        entries.iter().map(|(name, url, digest, n)| (*name, url.as_str(), *digest, *n)).collect();
    assert_eq!(ws.read("Lpfile.lock"), lock(&entries));
    // The file of the entry is still in place and in the store.
    ws.lp("build --locked download:a.mp4").success().stderr_has("nothing to do");
    assert_eq!(ws.read("media/a.mp4"), BODY);
}

#[test]
fn entries_that_no_profile_needs_are_dropped() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    let other = ws.read("configs/camera_to_workload.json").replace("a.mp4", "b.mp4");
    ws.write("configs/other.json", &other);
    ws.write("configs/more.json", WORKLOADS);
    let profile = "[profile.other.project]\ncameras = \"configs/other.json\"\n";
    ws.write("Lpfile.toml", profile);
    ws.lp("build download:a.mp4").success();
    ws.lp("build --profile other download:b.mp4").success();
    let old = ("z.mp4", "https://h/z.mp4", "00".repeat(32));
    let kept = ws.read("Lpfile.lock");
    ws.write(
        "Lpfile.lock",
        &format!("{kept}\n[asset.\"{}\"]\nurl = \"{}\"\nblake3 = \"{}\"\nsize = 7\n", old.0, old.1, old.2),
    );
    // Only what is named is touched.
    ws.lp("assets update a.mp4").success();
    assert!(ws.read("Lpfile.lock").contains("z.mp4"));
    // A profile with faults may need anything.
    ws.write("Lpfile.toml", &format!("{profile}[profile.broken.project]\ncameras = \"nowhere.json\"\n"));
    ws.lp("assets update").success();
    assert!(ws.read("Lpfile.lock").contains("z.mp4"));
    ws.write("Lpfile.toml", profile);
    ws.lp("assets update").success().stdout_has("z.mp4  dropped: no camera needs it\n");
    assert_eq!(ws.read("Lpfile.lock"), kept);
    // Nothing is left to do for a project whose downloads have digests.
    let pins = ["a.mp4", "b.mp4"].map(|name| format!("[asset.\"{name}\"]\nsha256 = \"{}\"\n", sha256(BODY)));
    ws.write("Lpfile.toml", &format!("{profile}{}", pins.concat()));
    let ended = ws.lp("assets update").success();
    ended.stdout_has("a.mp4  dropped: no camera needs it\n").stdout_has("b.mp4  dropped");
    ws.lp("assets update").success().stderr_has("nothing to update: no download is without a digest");
}

#[test]
fn names_without_a_server_to_ask_are_refused_with_the_reason() {
    let origin = Changing::start();
    let ws = origin.project(&["scan.mp4", "own.mp4", "free.mp4"]).file("media/own.mp4", VIDEO);
    ws.write("Lpfile.toml", &format!("\n[asset.\"scan.mp4\"]\nsha256 = \"{}\"\n", sha256(BODY)));
    ws.lp("assets update fre.mp4 scan.mp4 own.mp4 nothing-like-it.mp4").code(2).stderr(expect![[r#"
        note: `media/own.mp4` is a file of your own, since `lp` did not put it there: it is played instead of the download
        error: there is no download `fre.mp4`
          hint: did you mean `free.mp4`?
        error: `scan.mp4` has its digest in the config (Lpfile.toml:2:8)
          hint: change it there: `Lpfile.lock` has no entry for it
        error: `media/own.mp4` is a file of your own, which is played instead
          hint: delete it to have the download
        error: there is no download `nothing-like-it.mp4`
          hint: downloads are `scan.mp4`, `free.mp4`
    "#]]);
    ws.lp("assets update --offline")
        .code(2)
        .stderr_has("error: `lp assets update` asks servers, which `--offline` forbids\n");
    assert!(!ws.exists("Lpfile.lock"));
    assert_eq!(origin.server.n_requests(), 0);
    fs::remove_file(ws.path("media/own.mp4")).unwrap();
    ws.lp("assets update own.mp4").success().stdout_has("own.mp4  new: 32 B");
}
