//! Models that are made out of weights: by the real `pip` and the real program, in an environment of
//! one tiny package that stands in for the gigabytes of the real one (`make campaign` takes those).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::models::with;
use crate::packages::{at_registry, has, wheel_of};
use crate::support::{IR, Workspace};

const DETECT: &str = r#"{"type": "gvadetect", "model": "tills", "precision": "FP32", "device": "CPU"}"#;
const XML: &str = "models/object_detection/tills/FP32/tills.xml";
const WEIGHTS: &str = "models/object_detection/tills/tills.pt";
const LABEL: &str = "convert:models/tills/FP32";
const PYTHON: [&str; 4] = ["python3", "-m", "pip", "--version"];

/// What the program needs of the real package. It also tries what the program forbids.
const PACKAGE: &str = r#"
import os, signal, socket, subprocess, sys

WEIGHTS = sys.argv[2]

def refused(act):
    try:
        act()
    except PermissionError:
        return
    raise SystemExit("it was not refused")

class Head:
    end2end = False

class YOLO:
    task = "detect"

    def __init__(self, path):
        self.weights = open(path).read()
        if not self.weights.startswith("weights"):
            raise ValueError("no pickle\nand advice")
        if "wait" in self.weights:
            pipe = open(os.path.join(os.path.dirname(WEIGHTS), "pipe"), "w")
            signal.pause()
        refused(lambda: socket.create_connection(("127.0.0.1", 9)))
        refused(lambda: subprocess.run(["true"]))
        if "SECRET" in os.environ or "PYTHONPATH" in os.environ:
            raise SystemExit("it has the caller's variables")
        self.model = type("Model", (), {"model": [Head()]})

    def export(self, format, imgsz, batch, device, half):
        os.mkdir("out")
        with open("out/model.xml", "w") as file:
            info = '<model_type value="YOLO" />'
            net = IR.replace("</net>", f"<rt_info>{info}</rt_info></net>")
            file.write(f"<html>{info}</html>" if "page" in self.weights else net)
        with open("out/model.bin", "w") as file:
            file.write(self.weights)
        return "out"

IR = """@IR@"""
"#;

/// A project that converts weights, with an index of one wheel.
fn project(weights: &str) -> Workspace {
    let package = PACKAGE.replace("@IR@", IR);
    let wheel = wheel_of("ultralytics", &[("ultralytics/__init__.py", &package)]);
    let recipe = "[model.tills]\nlicence = \"AGPL-3.0\"\n[model.tills.convert]\ntool = \"ultralytics\"\n\
                  requirements = \"packages.txt\"\nprecisions = [\"FP32\"]\n";
    let digest = crate::download::digest_of(&wheel);
    let ws = with(DETECT)
        .file("configs/models/own.toml", recipe)
        .file("packages.txt", &format!("ultralytics==1.0.0 --hash=sha256:{digest}\n"))
        .file(WEIGHTS, weights);
    fs::create_dir(ws.path("wheels")).unwrap();
    fs::write(ws.path("wheels/ultralytics-1.0.0-py3-none-any.whl"), wheel).unwrap();
    let wheels = ws.path("wheels").to_str().unwrap().to_owned();
    at_registry(ws, "", "").env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", &wheels)
}

fn environments(ws: &Workspace) -> usize {
    fs::read_dir(ws.path(".lpcache/environments")).map_or(0, Iterator::count)
}

#[test]
fn a_model_is_made_out_of_weights_in_an_environment_of_pinned_packages() {
    if !has(&PYTHON) {
        return;
    }
    let ws =
        project("weights 1").env("SECRET", "geheim").env("PYTHONPATH", "/elsewhere").env("PIP_USER", "1");
    ws.lp("check --strict").success();
    ws.lp("assets")
        .success()
        .stdout_has(&format!("{LABEL}  to make"))
        .stdout_has("models/tills/weights       yours");
    ws.lp("assets fetch --offline").code(1).stderr_has(&format!("\n  `{LABEL}`, for `till`\n"));
    ws.lp("doctor").stdout_has("with pip, for models that are converted");
    let fetched = ws.lp("assets fetch").success();
    fetched.stderr_has("`pip` installs the packages of `packages.txt`").stderr_has("1 task ran");
    assert!(ws.read(XML).contains("<model_type value=\"yolo_v11\" />"));
    assert_eq!(ws.read(&XML.replace(".xml", ".bin")), "weights 1");
    ws.lp("assets fetch").success().stderr_has("nothing to do");
    ws.lp("assets -v").success().stdout_has(&format!("{LABEL}  there")).stdout_has("licence AGPL-3.0");
    ws.lp("assets verify").success();

    // Other weights need no other environment, and so no network.
    fs::remove_dir_all(ws.path("wheels")).unwrap();
    ws.write(WEIGHTS, "weights 2");
    ws.lp("build assets --offline").success().stderr_has(&format!("{LABEL}  stale: `{WEIGHTS}` changed"));
    assert_eq!(ws.read(&XML.replace(".xml", ".bin")), "weights 2");

    // Another machine takes the model from a folder.
    ws.lp("assets vendor vendor").success();
    let vendor = ws.path("vendor").to_str().unwrap().to_owned();
    let other = project("weights 2");
    other.lp(&format!("assets fetch --offline --vendor {vendor}")).success();
    assert_eq!((other.read(XML), environments(&other)), (ws.read(XML), 0));

    // What no camera needs any more goes, with its environment.
    let workloads = ws.read("configs/workload_to_pipeline.json");
    ws.write("configs/workload_to_pipeline.json", &workloads.replace(DETECT, r#"{"type": "zbar"}"#));
    assert_eq!(environments(&ws), 1);
    ws.lp("assets gc").success();
    assert!(environments(&ws) == 0 && !ws.exists(XML) && ws.exists(WEIGHTS));
}

#[test]
fn a_conversion_that_fails_says_why_and_leaves_no_file() {
    if !has(&PYTHON) {
        return;
    }
    let refused = |ws: Workspace, reasons: &[&str], n_environments: usize| {
        let mut ended = ws.lp("assets fetch").code(1);
        for reason in reasons {
            ended = ended.stderr_has(reason);
        }
        ended.stderr_has("hint: `till` cannot be played without it");
        assert!(!ws.exists("models/object_detection/tills/FP32") && environments(&ws) == n_environments);
    };
    let failed = format!("`ultralytics` made no model out of `{WEIGHTS}`: the weights cannot be loaded, ");
    refused(
        project("a web page"),
        &[&failed, "they are none of Ultralytics' YOLO: ValueError: no pickle\n"],
        1,
    );
    // What is no model does not appear, whoever made it.
    refused(project("weights of a page"), &["tills.xml` ", "hint: the weights are not those of a model"], 1);
    let other = project("weights");
    let packages = other.read("packages.txt").replacen("sha256:", "sha256:00", 1);
    other.write("packages.txt", &packages[..packages.len() - 3]);
    refused(
        other,
        &["-m pip` did not install the packages of `packages.txt`", "hint: a package has another digest"],
        0,
    );
    let unpinned = project("weights");
    unpinned.write("packages.txt", "ultralytics==1.0.0\n");
    refused(unpinned, &["Hashes are required in --require-hashes mode"], 0);
    // An interpreter without `pip`, and none at all.
    let bare = project("weights");
    bare.write("bin/python3", "#!/bin/sh\nprintf '3.11\\n/opt/python3\\nFalse\\n'\n");
    fs::set_permissions(bare.path("bin/python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let bin = bare.path("bin").to_str().unwrap().to_owned();
    let install = "hint: install it: `apt-get install python3";
    let bare = bare.env("PATH", &bin);
    bare.lp("doctor").stdout_has("`/opt/python3` has no pip");
    refused(bare, &["the packages are installed by pip, which `/opt/python3` does not have\n", install], 0);
    let none = project("weights").env("PATH", "/nonexistent");
    refused(none, &["there is no `python3` in `PATH`\n", install], 0);
}

#[test]
fn an_environment_appears_whole_or_not_at_all() {
    if !has(&PYTHON) {
        return;
    }
    let ws = project("weights");
    let mut killed = ws.command(&["assets", "fetch"]);
    let killed = killed.env("LP_FAILPOINT", "convert.before-environment").output().unwrap();
    assert_eq!((killed.status.code(), environments(&ws), ws.exists(XML)), (None, 0, false));
    ws.lp("assets fetch").success();
    assert_eq!((environments(&ws), ws.exists(XML)), (1, true));
    assert_eq!(fs::read_dir(ws.path(".lpcache/tmp")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_conversion_ends_with_its_lp() {
    if !has(&PYTHON) {
        return;
    }
    let ws = project("weights that wait");
    let pipe = ws.path("models/object_detection/tills/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut lp = ws.command(&["assets", "fetch"]).spawn().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // The package opens the other end when it is loaded, and then waits.
        let mut opened = fs::File::open(&pipe).unwrap();
        sender.send(String::new()).unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut opened, &mut rest).unwrap();
        sender.send(rest).unwrap();
    });
    let minute = Duration::from_secs(60);
    receiver.recv_timeout(minute).expect("the conversion begins");
    lp.kill().unwrap();
    lp.wait().unwrap();
    assert_eq!(receiver.recv_timeout(minute), Ok(String::new()), "it has ended, and so has the pipe");
    ws.write(WEIGHTS, "weights");
    ws.lp("assets fetch").success();
}
