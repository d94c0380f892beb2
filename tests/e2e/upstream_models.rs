//! All pairs of upstream's config files with all models that they name, on one mirror: complete, with
//! one file missing, and with one file damaged.
//!
//! The files are of our own, at the places of the real ones, since the real ones are not here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use expect_test::expect;
use serde_json::Value;

use crate::assets::{BIN, RECIPES, ir};
use crate::download::sha256;
use crate::hostile::{Hostile, respond};
use crate::support::Workspace;

/// A pair of upstream's files, as arguments, and the models that it needs.
struct Pair {
    flags: String,
    /// By name: `efficientnet-b0/FP16-INT8`.
    models: BTreeMap<String, Model>,
}

struct Model {
    files: Vec<String>,
    /// Those that need it.
    cameras: Vec<String>,
}

impl Pair {
    fn files(&self) -> impl Iterator<Item = &String> {
        self.models.values().flat_map(|model| &model.files)
    }
}

/// The pairs that need different models, and the names of all assets; `None` where upstream's files are not.
fn pairs() -> Option<(Vec<Pair>, BTreeSet<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream-configs");
    if !folder.is_dir() {
        // Visible with `--nocapture`; the folder is not part of the package.
        let mut stdout = std::io::stdout();
        std::io::Write::write_all(&mut stdout, b"skipped: upstream's configs are not here\n").unwrap();
        return None;
    }
    let files = |prefix: &'static str| -> Vec<PathBuf> {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.filter(|name| name.to_str().unwrap().starts_with(prefix)).collect();
        names.sort();
        names.iter().map(|name| folder.join(name)).collect()
    };
    // A worker that infers by itself would also need OpenVINO.
    let ws = Workspace::tasks("").without_worker();
    let (mut pairs, mut names, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for cameras in files("camera_to_workload") {
        for workloads in files("workload_to_pipeline") {
            let flags = format!("--cameras {} --workloads {}", cameras.display(), workloads.display());
            // Some files do not fit each other: a workload that the other one does not have.
            let ended = ws.lp(&format!("assets --models --json {flags}"));
            if ended.status != Some(0) {
                continue;
            }
            let document: Value = serde_json::from_str(&ended.stdout).unwrap();
            let assets = document["assets"].as_array().unwrap();
            names.extend(assets.iter().map(|asset| asset["name"].as_str().unwrap().to_owned()));
            let pair = Pair { flags, models: assets.iter().filter_map(model).collect() };
            if !pair.models.is_empty() && seen.insert(pair.files().cloned().collect::<Vec<_>>()) {
                pairs.push(pair);
            }
        }
    }
    Some((pairs, names))
}

/// The files of a model that pipelines read; `None` of weights that it is made of.
fn model(asset: &Value) -> Option<(String, Model)> {
    let (_, name) = asset["name"].as_str().unwrap().split_once("models/").unwrap();
    let texts = |list: &Value, of: fn(&Value) -> &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| of(one).as_str().unwrap().to_owned()).collect()
    };
    let mut files = texts(&asset["files"], |file| &file["path"]);
    files.retain(|file| ["xml", "bin", "json", "txt"].iter().any(|ending| file.ends_with(ending)));
    let cameras = texts(&asset["cameras"], |camera| camera);
    (!files.is_empty()).then(|| (name.to_owned(), Model { files, cameras }))
}

/// What we put at the place of a model's file.
fn contents(path: &str) -> String {
    static DETECTOR: LazyLock<String> = LazyLock::new(|| ir(&[1, 3, 300, 300], &[1, 1, 200, 7]));
    static OTHER: LazyLock<String> = LazyLock::new(|| ir(&[1, 3, 64, 64], &[1, 256]));
    match path.rsplit_once('.').unwrap().1 {
        "xml" if path.contains("object_detection") => DETECTOR.clone(),
        "xml" => OTHER.clone(),
        "bin" => BIN.to_owned(),
        _ => format!("{{\"of\": \"{path}\"}}"),
    }
}

/// Recipes for these files, whose own URLs lead nowhere.
fn recipes(files: &BTreeSet<&String>, server: &Hostile) -> String {
    let mut text = String::new();
    for path in files {
        let parts: Vec<&str> = path.split('/').collect();
        let ["models", folder, name, rest @ ..] = parts.as_slice() else { panic!("{path}") };
        let precision = match rest {
            [precision, _] => format!("precision = \"{precision}\"\n"),
            _ => String::new(),
        };
        let (digest, place) = (sha256(&contents(path)), format!("{folder}/{name}/{}", rest.join("/")));
        text.push_str(&format!(
            "[[model.{name}.files]]\npath = \"{place}\"\n{precision}sha256 = \"{digest}\"\nurls = [\"{}\"]\n\n",
            server.url("/origin/gone")
        ));
    }
    text
}

/// What is wrong with one file of a mirror.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Missing,
    Damaged,
}

/// A mirror of these files, one of which may have a fault.
fn mirror(files: &BTreeSet<&String>, fault: Option<(&str, Fault)>) -> Hostile {
    let bodies = files.iter().map(|path| {
        let mut body = contents(path).into_bytes();
        let here = fault.filter(|(of, _)| of == path).map(|(_, fault)| fault);
        if here == Some(Fault::Damaged) {
            *body.last_mut().unwrap() ^= 1;
        }
        let is_there = here != Some(Fault::Missing);
        (path.strip_prefix("models").unwrap().to_owned(), is_there.then_some(body))
    });
    let bodies: BTreeMap<String, Option<Vec<u8>>> = bodies.collect();
    Hostile::start(move |head, stream| match bodies.get(&head.path) {
        Some(Some(body)) => respond(stream, "200 OK", &[], body),
        _ => respond(stream, "404 Not Found", &[], b"no"),
    })
}

#[test]
fn all_models_of_upstreams_files_come_from_a_mirror_and_one_bad_file_stops_no_other() {
    let Some((pairs, names)) = pairs() else { return };
    expect![[r#"
        convert:models/yolo11n/FP16
        convert:models/yolo11n/FP32
        convert:models/yolo11n/INT8
        download:models/age-gender-recognition-retail-0013
        download:models/age-gender-recognition-retail-0013/FP16
        download:models/age-gender-recognition-retail-0013/FP32
        download:models/bikes-for-calibration
        download:models/efficientnet-b0
        download:models/efficientnet-b0/FP16-INT8
        download:models/efficientnet-b0/FP32-INT8
        download:models/face-detection-retail-0004/FP16
        download:models/face-detection-retail-0004/FP32
        download:models/face-reidentification-retail-0095/FP16
        download:models/yolo11n"#]]
    .assert_eq(&names.into_iter().collect::<Vec<_>>().join("\n"));

    let all: BTreeSet<&String> = pairs.iter().flat_map(Pair::files).collect();
    let project = |server: &Hostile| {
        let lpfile = format!("[models]\nmirrors = [\"{}\"]\n", server.url(""));
        let ws = Workspace::tasks(&lpfile).without_worker().file(RECIPES, &recipes(&all, server));
        ws.env("NO_PROXY", "127.0.0.1").env("HOME", "/nonexistent")
    };
    for (number, pair) in pairs.iter().enumerate() {
        let files: BTreeSet<&String> = pair.files().collect();
        let server = mirror(&all, None);
        let ws = project(&server);
        ws.lp(&format!("assets fetch --models {}", pair.flags)).success();
        ws.lp(&format!("assets verify --models --complete {}", pair.flags)).success();
        let mut asked: Vec<String> =
            server.heads().into_iter().map(|head| format!("models{}", head.path)).collect();
        asked.sort();
        assert_eq!(
            asked.iter().collect::<Vec<_>>(),
            files.iter().copied().collect::<Vec<_>>(),
            "{}",
            pair.flags
        );

        // Another file of another model in each pair.
        for (n, fault) in [Fault::Missing, Fault::Damaged].into_iter().enumerate() {
            let (name, Model { files: of_model, cameras }) =
                pair.models.iter().nth((number + n) % pair.models.len()).unwrap();
            let bad = &of_model[(number + n) % of_model.len()];
            let ws = project(&mirror(&all, Some((bad, fault))));
            let ended = ws.lp(&format!("assets fetch --models {}", pair.flags)).code(1);
            let ended = ended.stderr_has(&format!("error: `download:models/{name}` failed"));
            let ended = ended.stderr_has(match fault {
                Fault::Missing => "404",
                Fault::Damaged => "has digest",
            });
            ended.stderr_has(&cameras[0]);
            for path in &files {
                assert_eq!(ws.exists(path), !of_model.contains(path), "{path} with a fault of {bad}");
            }
        }
    }
}
