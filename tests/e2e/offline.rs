//! `--offline` and `--vendor`: builds without a network, from what somebody brought.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;

use crate::assets;
use crate::download::{BODY, Server, sha256};
use crate::lockfile::{Changing, OTHER, blake3, forget, lock};
use crate::support::Workspace;

#[test]
fn offline_lists_everything_that_would_be_fetched_and_asks_nobody() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4", "b.mp4"]);
    ws.write("Lpfile.toml", "[asset.\"b.mp4\"]\nsize = 32\n");
    let targets = "download:a.mp4 download:b.mp4";
    for flags in ["", "--dry-run "] {
        ws.lp(&format!("build --offline {flags}{targets}")).code(1).stderr(expect![[r#"
            error: 2 downloads are not in the store, and `--offline` asks no server
              hint: on a machine with a network, `lp assets vendor DIR` fills a folder; take it here, and add `--vendor DIR`
              `download:a.mp4`, for `till-1`
              `download:b.mp4` (32 bytes), for `till-2`
        "#]]);
    }
    assert_eq!(origin.server.n_requests(), 0);
    ws.lp(&format!("build {targets}")).success();
    // What the store has comes back.
    fs::remove_dir_all(ws.path("media")).unwrap();
    ws.lp(&format!("build --offline {targets}")).success().stderr_has("restored: output `media/a.mp4`");
    // What it has lost does not.
    fs::remove_file(ws.path("media/a.mp4")).unwrap();
    fs::remove_dir_all(ws.path(".lpcache/cas")).unwrap();
    ws.lp(&format!("build --offline {targets}"))
        .code(1)
        .stderr_has("error: 1 download is not in the store, and `--offline` asks no server\n")
        .stderr_has("\n  `download:a.mp4` (32 bytes), for `till-1`\n");
    ws.lp("build --offline --again download:b.mp4").code(1).stderr_has("`download:b.mp4` (32 bytes)");
    assert_eq!(origin.server.n_requests(), 2);
}

#[test]
fn models_are_listed_with_the_size_of_what_is_missing() {
    let server = Server::answering(assets::model);
    let ws = assets::project(&server, assets::DETECT);
    let size = assets::XML.len() + assets::BIN.len();
    let listed = format!("\n  `download:models/tills/FP16` ({size} bytes), for `till`\n");
    ws.lp("build --offline run:lane").code(1).stderr_has(&listed);
    ws.lp("run --offline").code(1).stderr_has(&listed);
    ws.lp("density --offline").code(1).stderr_has(&listed);
    // One of its files is there.
    ws.write(&format!("../usb/{}/tills.xml", assets::FP16), assets::XML);
    ws.lp("build --offline --vendor ../usb run:lane")
        .code(1)
        .stderr_has("error: 1 download is not in the store, and not in the folder of `--vendor` either\n")
        .stderr_has("\n  `download:models/tills/FP16` (8 bytes), for `till`\n");
    ws.write(&format!("../usb/{}/tills.bin", assets::FP16), "another!");
    ws.lp("build --offline --vendor ../usb run:lane").code(1).stderr_has(&format!(
        "usb/{}/tills.bin` has digest {}, but the config pins {}",
        assets::FP16,
        sha256("another!"),
        sha256(assets::BIN)
    ));
    assert!(!ws.exists(assets::FP16), "all of its files, or none");
    ws.write(&format!("../usb/{}/tills.bin", assets::FP16), assets::BIN);
    ws.lp("build --offline --vendor ../usb run:lane").success();
    assert_eq!(ws.read(&format!("{}/tills.bin", assets::FP16)), assets::BIN);
    ws.lp("build run:lane").success().stderr_has("nothing to do");
    assert_eq!(server.n_requests(), 0);
}

/// A second project of the same cameras, without a network: its server is gone.
fn elsewhere(like: &Workspace) -> Workspace {
    let cameras = like.read("configs/camera_to_workload.json");
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    ws.write("Lpfile.toml", "[paths]\nmedia = \"videos\"\n");
    ws
}

#[test]
fn a_vendored_folder_builds_a_project_elsewhere() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    ws.lp("build download:a.mp4").success();
    let second = elsewhere(&ws);
    second.write("Lpfile.lock", &ws.read("Lpfile.lock"));
    fs::create_dir(second.path("../usb")).unwrap();
    // A link to a file is as good as the file.
    symlink(ws.path("media"), second.path("../usb/media")).unwrap();
    let n = origin.server.n_requests();
    drop(origin);
    second.lp("build --locked --offline --vendor ../usb download:a.mp4").success();
    assert_eq!((second.read("videos/a.mp4").as_str(), n), (BODY, 1));
    // The folder is part of no key.
    second.lp("build download:a.mp4").success().stderr_has("nothing to do");
    // A file that came this way gets an entry too.
    let third = elsewhere(&ws);
    third.lp(["build", "--vendor", ws.root().to_str().unwrap(), "download:a.mp4"]).success();
    assert_eq!(third.read("Lpfile.lock"), ws.read("Lpfile.lock"));
}

#[test]
fn a_wrong_vendored_file_is_an_error_and_no_server_is_asked() {
    let origin = Changing::start();
    let ws = origin.project(&["a.mp4"]);
    let url = origin.url("/a.mp4");
    let vendored = |text: &str| ws.write("../usb/media/a.mp4", text);
    let build = || ws.lp("build --vendor ../usb download:a.mp4");
    vendored("<html><title>Sign in</title></html>");
    build()
        .code(1)
        .stderr_has("usb/media/a.mp4` did not bring the file: it is an HTML page titled `Sign in`\n");
    vendored("");
    build().code(1).stderr_has("usb/media/a.mp4` did not bring the file: it is empty\n");
    ws.write("Lpfile.lock", &lock(&[("a.mp4", &url, &blake3(BODY), BODY.len())]));
    vendored(OTHER);
    build()
        .code(1)
        .stderr_has(&format!(
            "usb/media/a.mp4` has digest {}, but `Lpfile.lock` pins {}",
            blake3(OTHER),
            blake3(BODY)
        ))
        .stderr_has("hint: the folder of `--vendor` was filled with another `Lpfile.lock`: fill it again\n")
        .stderr_has("hint: `till-1` cannot be played without it\n");
    vendored("short");
    build().code(1).stderr_has("usb/media/a.mp4` has 5 bytes, but `Lpfile.lock` pins 32");
    let place = ws.path("../usb/media/a.mp4");
    fs::remove_file(&place).unwrap();
    symlink("nowhere", &place).unwrap();
    build().code(1).stderr_has("failed to read `").stderr_has("No such file or directory");
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    build().code(1).stderr_has("caused by: it is a folder\n");
    fs::remove_dir(&place).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    build().code(1).stderr_has("caused by: it is a pipe\n");
    assert!(!ws.exists("media/a.mp4"));
    assert_eq!(origin.server.n_requests(), 0);
    // A file that is not there is fetched.
    fs::remove_file(&place).unwrap();
    build().success();
    assert_eq!((ws.read("media/a.mp4").as_str(), origin.server.n_requests()), (BODY, 1));
    forget(&ws);
    ws.lp("build --offline --vendor ../usb download:a.mp4")
        .code(1)
        .stderr_has("not in the store, and not in the folder of `--vendor` either\n");
    ws.lp("build --vendor nowhere download:a.mp4")
        .code(2)
        .stderr_has("error: `--vendor`: there is no folder `<project>/nowhere`\n");
}
