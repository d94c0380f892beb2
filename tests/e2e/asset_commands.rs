//! `lp assets`: what is listed, fetched, compared, copied and deleted.

use std::process::Command;

use expect_test::expect;
use serde_json::Value;

use crate::assets::{BIN, FP16, RECIPES, XML, lpfile, model, project as with_model, recipe};
use crate::download::{BODY, Server, sha256, workspace};
use crate::hostile::names;
use crate::models::with;
use crate::support::{Ended, IR, Workspace};

const DETECT: &str = r#"{"type": "gvadetect", "model": "tills", "precision": "FP16", "device": "CPU"}"#;
const OTHER: &str = "\0\0\0\u{18}ftypisom: another";

/// With a worker that has all elements and plays nothing.
fn clips(server: &Server, text: &str) -> Workspace {
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");
    workspace(server, text).env("LP_WORKER", worker)
}

fn json(ws: &Workspace, line: &str) -> Value {
    serde_json::from_str(&ws.lp(line).stdout).unwrap()
}

/// The states of assets, by name.
fn states(ws: &Workspace) -> Vec<(String, String)> {
    let document = json(ws, "assets --json");
    let word = |asset: &Value, key: &str| asset[key].as_str().unwrap().to_owned();
    let assets = document["assets"].as_array().unwrap().iter();
    assets.map(|asset| (word(asset, "name"), word(asset, "state"))).collect()
}

fn state_of(ws: &Workspace, name: &str) -> String {
    let found = states(ws).into_iter().find(|(asset, _)| asset == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {:?}", states(ws))).1
}

/// Runs the line of a target of the Makefile.
fn make(ws: &Workspace, target: &str) -> Ended {
    let makefile = include_str!("../../Makefile");
    let (_, rest) = makefile.split_once(&format!("\n{target}: $(LP)\n")).expect(target);
    let line = rest.lines().next().unwrap().trim().strip_prefix("@$(LP) ").unwrap();
    ws.lp(line)
}

#[test]
fn a_lane_without_models_lists_and_fetches_none() {
    let server = Server::start();
    let ws = clips(&server, "");
    ws.lp("assets").success().stdout(expect![[r#"
        asset                       state     size  cameras
        download:a.mp4              to fetch     ?  camera-1, camera-2
        transcode:a.mp4@640x360@15  to make      ?  camera-1
        transcode:a.mp4@320x180@15  to make      ?  camera-2
        3 assets: 0 B there, 1 file of unknown size to fetch
    "#]]);
    ws.lp("assets --models").success().stdout(expect![[r#"
        no assets are needed
    "#]]);
    // Looking fetches nothing and writes nothing.
    assert!(server.n_requests() == 0 && !ws.exists(".lpcache"));
    make(&ws, "download-models").success().stderr_has("nothing to fetch: no download is needed");
    make(&ws, "check-models").success().stderr_has("0 files ok\n");
    assert_eq!(server.n_requests(), 0);
    make(&ws, "download-sample-videos").success().stderr_has(
        "download:a.mp4  new\nnote: `Lpfile.lock` has an entry for `a.mp4` now: commit it\n1 task ran\n",
    );
    assert!(ws.exists("media/a.mp4") && !ws.exists("media/clips"));
    let size = format!("{} B", BODY.len());
    ws.lp("assets download:a.mp4").success().stdout_has(&format!("1 asset: {size} there, nothing to fetch"));
    ws.lp("assets camera-2").success().stdout_has("transcode:a.mp4@320x180@15  to make");
    let verbose = ws.lp("assets -v --clips").success().stdout;
    let digest = blake3::hash(BODY.as_bytes()).to_hex();
    for part in
        [format!("  blake3 {digest}, pinned\n"), format!("  from http://127.0.0.1:{}/a.mp4\n", server.port)]
    {
        assert!(verbose.contains(&part), "{verbose}");
    }
    std::fs::remove_file(ws.path("media/a.mp4")).unwrap();
    assert_eq!(state_of(&ws, "download:a.mp4"), "stored");
    ws.lp("assets fetch").success().stderr_has("1 restored");
    ws.lp("assets fetch").success().stderr_has("nothing to do: 1 task fresh");
    assert_eq!(server.n_requests(), 1);
    // Words that mean nothing, and flags at the wrong place.
    ws.lp("assets fecth").code(2).stderr_has("there is no target `fecth`");
    ws.lp("assets --models fetch").code(2).stderr_has("write `--models` after the command");
    ws.lp("assets gc --profile p").code(2).stderr_has("`--profile` has no effect on `lp assets gc`");
}

#[test]
fn models_are_listed_and_fetched_per_precision() {
    let server = Server::answering(model);
    let ws = with_model(&server, DETECT);
    let size = XML.len() + BIN.len();
    let listed = ws.lp("assets").success().stdout;
    let row = format!("download:models/tills/FP16  to fetch  {size} B  till\n");
    assert!(listed.contains(&row) && !listed.contains("INT8"), "{listed}");
    assert!(listed.ends_with(&format!("1 asset: 0 B there, {size} B to fetch\n")), "{listed}");
    let document = json(&ws, "assets --json");
    let (asset, file) = (&document["assets"][0], &document["assets"][0]["files"][1]);
    assert_eq!((&asset["licence"], &asset["kind"]), (&"Apache-2.0".into(), &"model".into()));
    assert_eq!((&file["digest"]["hex"], &file["digest"]["pinned"]), (&sha256(BIN).into(), &true.into()));
    assert_eq!(document["totals"]["to_fetch"], size);
    // Without inference, none is needed.
    ws.lp("assets --set run.decode_only=true").success().stdout_has("no assets are needed");
    make(&ws, "check-models").code(1).stdout_has("missing  download:models/tills/FP16\n");
    ws.lp("assets verify").success().stderr_has("0 files ok, 2 missing\n");
    make(&ws, "download-models").success();
    assert_eq!((server.n_requests(), state_of(&ws, "download:models/tills/FP16").as_str()), (2, "there"));
    make(&ws, "check-models").success().stdout_has("ok       download:models/tills/FP16\n");
    // The other precision is another asset, of another camera's step.
    let int8 = DETECT.replace("FP16", "INT8");
    ws.write(
        "configs/workload_to_pipeline.json",
        &ws.read("configs/workload_to_pipeline.json").replace(DETECT, &int8),
    );
    assert_eq!(states(&ws), [("download:models/tills/INT8".to_owned(), "to_fetch".to_owned())]);
}

#[test]
fn a_download_that_fails_stops_no_other_and_a_model_without_a_recipe_is_named() {
    let server =
        Server::answering(|url, n| if url == "/a.mp4" { (404, vec![], "no") } else { model(url, n) });
    let mine = DETECT.replace("tills", "ours");
    let ws = with(&format!("{DETECT}, {mine}")).file(RECIPES, &recipe(server.port));
    let camera = r#"{"camera_id": "door", "fileSrc": "a.mp4|URL/a.mp4", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]},"#;
    let camera = camera.replace("URL", &format!("http://127.0.0.1:{}", server.port));
    let cameras = ws.read("configs/camera_to_workload.json").replacen("[\n", &format!("[\n{camera}\n"), 1);
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("assets fetch")
        .code(1)
        .stderr_has("error: `download:a.mp4` failed")
        .stderr_has("1 task ran, 1 failed");
    assert_eq!(ws.read(&format!("{FP16}/tills.bin")), BIN);
    assert_eq!(state_of(&ws, "models/ours/FP16"), "missing");
    // Nothing brings it, and nobody is told that all is well.
    ws.lp("assets fetch --models").code(1).stderr_has(
        "error: `models/ours/FP16` cannot be fetched: `models/object_detection/ours/FP16/ours.bin`, \
         `models/object_detection/ours/FP16/ours.xml` are not there\n  \
         hint: `lp check --explain LP0806`",
    );
    make(&ws, "check-models").code(1).stdout_has("missing  models/ours/FP16: `models/object_detection/");
    for file in ["xml", "bin"] {
        ws.write(&format!("models/object_detection/ours/FP16/ours.{file}"), IR);
    }
    ws.lp("assets fetch --models").success();
    assert_eq!(state_of(&ws, "models/ours/FP16"), "yours");
    make(&ws, "check-models").success().stdout_has("yours    models/ours/FP16\n");
}

#[test]
fn wrong_files_are_listed_with_digests_and_a_way_out() {
    let server = Server::answering(model);
    let ws = with_model(&server, DETECT);
    ws.lp("assets fetch").success();
    ws.write(&format!("{FP16}/tills.xml"), "<!DOCTYPE html><title>Sign in</title>");
    ws.lp("assets verify")
        .code(1)
        .stdout_has("wrong    models/tills/FP16\n")
        .stdout_has(&format!(
            "`{FP16}/tills.xml` is no OpenVINO model: it is an HTML page titled `Sign in`\n"
        ))
        .stdout_has("put a sound file there; `lp check --explain LP0808` has more\n")
        .stderr_has("0 files ok, 1 of your own, with nothing to compare, 1 wrong\n");
    let server = Server::start();
    let ws = clips(&server, &format!("[asset.\"a.mp4\"]\nsha256 = \"{}\"\n", sha256(BODY)));
    ws.lp("assets fetch").success();
    ws.lp("assets verify download:a.mp4").success().stderr_has("1 file ok\n");
    ws.write("media/a.mp4", OTHER);
    let found = json(&ws, "assets verify --json");
    let wrong = &found["wrong"][0];
    assert_eq!((&wrong["expected"], &wrong["actual"]), (&sha256(BODY).into(), &sha256(OTHER).into()));
    assert_eq!(wrong["path"], "media/a.mp4");
    assert_eq!(found["missing"].as_array().unwrap().len(), 4);
    ws.lp("assets verify").code(1).stdout_has(&format!("not the pinned {}\n", sha256(BODY)));
    // Pinned anew, but not fetched yet.
    ws.write("media/a.mp4", BODY);
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{}\"\n", sha256(OTHER)));
    ws.lp("assets verify").code(1).stdout_has("`lp assets fetch` brings the right one\n");
}

#[test]
fn a_vendored_folder_is_complete_checked_and_brought_up_to_date() {
    let server =
        Server::answering(|url, n| if url == "/a.mp4" { (200, vec![], BODY) } else { model(url, n) });
    let mine = DETECT.replace("tills", "mine");
    let ws = with(&format!("{DETECT}, {mine}")).file(RECIPES, &recipe(server.port));
    let camera = r#"{"camera_id": "door", "fileSrc": "a.mp4|URL/a.mp4", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]},"#;
    let camera = camera.replace("URL", &format!("http://user:secret@127.0.0.1:{}", server.port));
    let cameras = ws.read("configs/camera_to_workload.json").replacen("[\n", &format!("[\n{camera}\n"), 1);
    let ws = ws.file("configs/camera_to_workload.json", &cameras);
    let own = "models/object_detection/mine/FP16/mine";
    let ws = ws.file(&format!("{own}.xml"), IR).file(&format!("{own}.bin"), "").file("out/note", "not yours");
    lpfile(&ws, "[paths]\nmodels = \"weights\"\n");
    std::fs::rename(ws.path("models"), ws.path("weights")).unwrap();

    for folder in ["media/x", "weights", ".lpcache/x", "results", "."] {
        ws.lp(["assets", "vendor", folder]).code(2).stderr_has("where `lp` keeps the project's own files");
    }
    ws.lp("assets vendor Lpfile.toml").code(2).stderr_has("is no folder");
    ws.lp("assets fetch").success();
    let full = ws.command(&["assets", "vendor", "out"]).env("LP_FREE_BYTES", "70000000").output().unwrap();
    assert_eq!(full.status.code(), Some(0));
    std::fs::remove_dir_all(ws.path("out/media")).unwrap();
    let full = ws.command(&["assets", "vendor", "out"]).env("LP_FREE_BYTES", "67100000").output().unwrap();
    let told = String::from_utf8(full.stderr).unwrap();
    assert!(full.status.code() == Some(1) && told.contains("are free on the disk"), "{told}");
    assert!(!ws.exists("out/media"));

    // Killed before a file has its name: what describes the folder is gone, and nothing is half.
    let mut killed = ws.command(&["assets", "vendor", "out"]);
    let killed = killed.env("LP_FAILPOINT", "vendor.before-place").output().unwrap();
    assert_eq!(killed.status.code(), None);
    assert!(!ws.exists("out/SHA256SUMS") && !ws.exists("out/media/a.mp4"));
    assert_eq!(names(&ws, "out/media").len(), 1);
    ws.lp("assets vendor out")
        .success()
        .stderr_has(&format!("copied 1 file ({} B), 4 as before", BODY.len()));
    assert_eq!(names(&ws, "out/media"), ["a.mp4"]);
    let check = |ws: &Workspace| {
        let mut sums = Command::new("sha256sum");
        sums.args(["-c", "--strict", "SHA256SUMS"]).current_dir(ws.path("out"));
        let output = sums.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let files = [
        &format!("{own}.bin"),
        &format!("{own}.xml"),
        &format!("{FP16}/tills.bin"),
        &format!("{FP16}/tills.xml"),
    ];
    let all: String = std::iter::once("media/a.mp4: OK\n".to_owned())
        .chain(files.map(|file| format!("{file}: OK\n")))
        .collect();
    assert_eq!(check(&ws), (true, all));
    let list: Value = serde_json::from_str(&ws.read("out/assets.json")).unwrap();
    let listed: Vec<&str> =
        list["assets"].as_array().unwrap().iter().map(|asset| asset["name"].as_str().unwrap()).collect();
    assert_eq!(listed, ["download:a.mp4", "download:models/tills/FP16", "models/mine/FP16"]);
    assert!(!ws.read("out/assets.json").contains("secret"));

    // Another machine, without a network.
    let far = with(DETECT).file(RECIPES, &recipe(server.port)).file("Lpfile.lock", &ws.read("Lpfile.lock"));
    let far = far.file("configs/camera_to_workload.json", &cameras);
    let (folder, n_requests) = (ws.path("out"), server.n_requests());
    far.lp("assets fetch --locked --offline")
        .code(1)
        .stderr_has("download:a.mp4")
        .stderr_has("lp assets vendor");
    far.lp(["assets", "fetch", "--locked", "--offline", "--vendor", folder.to_str().unwrap()])
        .success()
        .stderr_has("2 tasks ran");
    assert_eq!(far.read("media/a.mp4"), BODY);
    assert!(far.exists(&format!("{FP16}/tills.bin")) && server.n_requests() == n_requests);

    // A further run copies only what differs, and leaves other files alone.
    ws.write("out/media/a.mp4", "damaged");
    assert!(!check(&ws).0);
    ws.lp("assets vendor out").success().stderr_has("copied 1 file");
    ws.lp("assets vendor out").success().stderr_has("copied 0 files (0 B), 5 as before");
    assert!(check(&ws).0 && ws.read("out/note") == "not yours");
    assert_eq!(json(&ws, "assets vendor --json out"), list);
    std::fs::remove_file(ws.path("out/media/a.mp4")).unwrap();
    std::fs::create_dir(ws.path("out/media/a.mp4")).unwrap();
    ws.lp("assets vendor out").code(1).stderr_has("out/media/a.mp4` is in the way: it is no regular file");
    // What cannot be had is an error, and the rest is there.
    std::fs::remove_file(ws.path("weights/object_detection/mine/FP16/mine.bin")).unwrap();
    std::fs::remove_dir(ws.path("out/media/a.mp4")).unwrap();
    ws.lp("assets vendor out").code(1).stderr_has("`models/mine/FP16` cannot be fetched");
    assert_eq!(ws.read("out/media/a.mp4"), BODY);
}

#[test]
fn assets_that_no_camera_of_any_profile_needs_are_deleted() {
    let body = |url: &str, _| match url {
        "/a.mp4" => (200, vec![], BODY),
        "/b.mp4" => (200, vec![], "\0\0\0\u{18}ftypisom: the second"),
        "/c.mp4" => (200, vec![], OTHER),
        _ => (404, vec![], "no"),
    };
    let server = Server::answering(body);
    let ws = clips(&server, "");
    let a = ws.read("configs/camera_to_workload.json");
    let [b, c] = ["b.mp4", "c.mp4"].map(|name| a.replace("a.mp4", name));
    ws.lp("assets gc").success().stderr(expect!["nothing to delete\n"]);
    for cameras in [&b, &c, &a] {
        ws.write("configs/camera_to_workload.json", cameras);
        ws.lp("assets fetch").success();
    }
    // One is needed by a profile, one is edited, and of one there is a part.
    ws.write("night.json", &b);
    ws.write("Lpfile.toml", "[profile.night.project]\ncameras = \"night.json\"\n");
    let parts = ws.path(".lpcache/partial");
    std::fs::create_dir_all(&parts).unwrap();
    for (url, ending) in [("c.mp4", ""), ("c.mp4", ".json"), ("b.mp4", "")] {
        let url = format!("http://127.0.0.1:{}/{url}", server.port);
        let name = blake3::hash(url.as_bytes()).to_hex();
        std::fs::write(parts.join(format!("{name}{ending}")), "part").unwrap();
    }
    // Whichever is in use.
    let night = |words: &[&str]| {
        Ended::new(ws.command(words).env("LP_PROFILE", "night").output().unwrap(), &ws.root())
    };
    let size = OTHER.len() + 8;
    let dry = night(&["assets", "gc", "-n"]).success();
    let dry = dry.stderr_has(&format!("would delete 3 files ({size} B)"));
    dry.stdout_has(&format!("      {} B  media/c.mp4\n", OTHER.len()));
    assert!(ws.exists("media/c.mp4"));
    let gone = format!("deleted 3 files ({size} B), and 1 blob of the store");
    night(&["assets", "gc"]).success().stderr_has(&gone);
    assert!(ws.exists("media/a.mp4") && ws.exists("media/b.mp4") && !ws.exists("media/c.mp4"));
    assert_eq!(names(&ws, ".lpcache/partial").len(), 1);
    ws.lp("assets gc").success().stderr(expect!["nothing to delete\n"]);
    ws.lp("assets fetch").success().stderr_has("nothing to do");

    // A profile with errors may need anything; an edited file is the user's.
    ws.write("night.json", "{");
    ws.lp("assets gc").code(2).stderr_has("this is the project with `--profile night`");
    ws.write("Lpfile.toml", "");
    ws.write("media/b.mp4", "edited");
    let kept = json(&ws, "assets gc --json");
    assert_eq!(kept["kept"][0]["path"], "media/b.mp4");
    assert_eq!((&kept["deleted"], ws.read("media/b.mp4").as_str()), (&Value::Array(Vec::new()), "edited"));
    // A task that reads the folder keeps what is in it.
    ws.write("configs/camera_to_workload.json", &c);
    ws.write("Lpfile.toml", "[[task]]\nname = \"t\"\ncommand = [\"true\"]\ninputs = [\"media\"]\n");
    assert_eq!(json(&ws, "assets gc --json")["deleted"], Value::Array(Vec::new()));
    assert!(ws.exists("media/a.mp4"));
}

#[test]
fn openvino_is_kept_whether_or_not_the_machine_has_dlstreamer() {
    let server =
        Server::answering(|url, n| if url == "/library" { (200, vec![], "library") } else { model(url, n) });
    let library = format!(
        "\n[[model.openvino.files]]\npath = \"openvino/2026.4.1/libopenvino_c.so.2641\"\nsha256 = \"{}\"\nurls = [\"http://127.0.0.1:{}/library\"]\n",
        sha256("library"),
        server.port
    );
    let ws = with(DETECT).file(RECIPES, &(recipe(server.port) + &library));
    let place = "models/openvino/2026.4.1/libopenvino_c.so.2641";
    ws.lp("assets fetch --set run.dialect=native").success();
    assert!(ws.exists(place));
    // The worker of these tests has DL Streamer.
    ws.lp("assets gc").success().stderr(expect!["nothing to delete\n"]);
    assert!(ws.exists(place));
    // A file that is not the recipe's is no library of the user's.
    ws.write(place, "damaged");
    ws.lp("assets --set run.dialect=native").success().stdout_has("models/openvino/library");
    ws.lp("assets verify --set run.dialect=native").code(1).stdout_has(place);
    // Nobody can say whether it is needed.
    let ws = ws.env("LP_WORKER", "/nowhere/lp-worker");
    ws.lp("assets")
        .success()
        .stderr_has("note: there is no worker to ask whether this machine has DL Streamer");
}

#[test]
fn a_link_with_upstreams_name_is_no_file_of_the_users() {
    let server = Server::start();
    let ws = clips(&server, "");
    let name = "a-640-15-bench.mp4";
    let cameras = ws.read("configs/camera_to_workload.json");
    std::fs::create_dir(ws.path("media")).unwrap();
    let link = ws.path(&format!("media/{name}"));
    std::os::unix::fs::symlink("clips/a-640x360-15.mp4", &link).unwrap();
    // A camera whose video has this name gets the video, not the link.
    ws.write("configs/camera_to_workload.json", &cameras.replace("a.mp4|", &format!("{name}|")));
    assert_eq!(state_of(&ws, &format!("download:{name}")), "to_fetch");
    ws.lp("assets fetch").success();
    assert!(link.symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read(&link).unwrap(), BODY.as_bytes());
    // Another link in its place would be the user's.
    std::fs::remove_file(&link).unwrap();
    std::fs::write(ws.path("own"), BODY).unwrap();
    std::os::unix::fs::symlink("../own", &link).unwrap();
    assert_eq!(state_of(&ws, &format!("media/{name}")), "yours");
}
