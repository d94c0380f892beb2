//! Models by their recipes: fetched from a local server, left to the user, checked for sense.

use expect_test::expect;

use crate::download::{Answer, Server, sha256};
use crate::models::with;
use crate::support::Workspace;

/// A network with a constant of 8 bytes.
pub(crate) const XML: &str = r#"<net name="m" version="11"><layers><layer id="0" name="in" type="Parameter"/><layer id="1" name="c" type="Const"><data offset="0" size="8"/></layer><layer id="2" name="out" type="Result"/></layers></net>"#;
/// A network that takes a vector.
const MISFIT: &str = r#"<net name="m" version="11"><layers><layer id="0" name="in" type="Parameter"><data shape="1,8"/></layer><layer id="2" name="out" type="Result"/></layers></net>"#;
pub(crate) const BIN: &str = "weights!";
const PROC: &str = r#"{"json_schema_version": "2.2.0"}"#;

pub(crate) const FP16: &str = "models/object_detection/tills/FP16";
pub(crate) const RECIPES: &str = "configs/models/own.toml";

pub(crate) const DETECT: &str =
    r#"{"type": "gvadetect", "model": "tills", "precision": "FP16", "device": "CPU"}"#;
const WITH_PROC: &str = r#"{"type": "gvadetect", "model": "tills", "precision": "FP16", "device": "CPU", "properties": {"model-proc": "models/object_detection/tills/tills.json"}}"#;

/// The files of the model below any folder.
pub(crate) fn model(url: &str, _: usize) -> Answer {
    let file = url.rsplit('/').next().unwrap_or_default();
    let body = match file {
        "tills.xml" => XML,
        "tills.bin" => BIN,
        "tills.json" => PROC,
        _ => return (404, vec![], "no"),
    };
    (200, vec![], body)
}

/// A recipe of these files in two precisions, and of one that both share.
pub(crate) fn recipe(port: u16) -> String {
    let mut text = String::from("licence = \"Apache-2.0\"\n\n");
    let mut file = |path: &str, precision: &str, body: &str| {
        let precision =
            if precision.is_empty() { String::new() } else { format!("precision = \"{precision}\"\n") };
        let (digest, size) = (sha256(body), body.len());
        text.push_str(&format!(
            "[[model.tills.files]]\npath = \"object_detection/tills/{path}\"\n{precision}sha256 = \"{digest}\"\nsize = {size}\nurls = [\"http://127.0.0.1:{port}/origin/{path}\"]\n\n"
        ));
    };
    for precision in ["FP16", "INT8"] {
        file(&format!("{precision}/tills.xml"), precision, XML);
        file(&format!("{precision}/tills.bin"), precision, BIN);
    }
    file("tills.json", "", PROC);
    text
}

pub(crate) fn project(server: &Server, steps: &str) -> Workspace {
    with(steps).file(RECIPES, &recipe(server.port))
}

pub(crate) fn lpfile(ws: &Workspace, more: &str) {
    ws.write("Lpfile.toml", &format!("{}{more}", ws.read("Lpfile.toml")));
}

#[test]
fn a_run_gets_the_model_that_it_needs_and_nothing_else() {
    let server = Server::answering(model);
    let ws = project(&server, DETECT);
    ws.lp("check --strict").success();
    ws.lp("graph assets").success().stdout(expect![[r#"
        download:models/tills/FP16  new
    "#]]);
    ws.lp("build run:lane").success().stderr_has("download:models/tills/FP16  new");
    assert_eq!((ws.read(&format!("{FP16}/tills.xml")).as_str(), server.n_requests()), (XML, 2));
    assert_eq!(ws.read(&format!("{FP16}/tills.bin")), BIN);
    assert!(
        !ws.exists("models/object_detection/tills/INT8")
            && !ws.exists("models/object_detection/tills/tills.json")
    );
    ws.lp("build run:lane").success().stderr_has("nothing to do");
    // It is in the store.
    std::fs::remove_dir_all(ws.path("models")).unwrap();
    ws.lp("build run:lane")
        .success()
        .stderr_has("restored: outputs `models/object_detection/tills/FP16/tills.xml`, `models/object_detection/tills/FP16/tills.bin` were deleted");
    assert_eq!(server.n_requests(), 2);
    ws.lp("doctor").stdout_has("ok       model tills FP16");
    ws.lp("clean").success();
    assert!(!ws.exists(&format!("{FP16}/tills.bin")));
}

#[test]
fn precisions_are_fetched_apart_and_shared_files_once() {
    let server = Server::answering(model);
    let int8 = WITH_PROC.replace("FP16", "INT8");
    let ws = project(&server, &format!("{WITH_PROC},\n{int8}"));
    ws.lp("graph assets").success().stdout(expect![[r#"
        download:models/tills/FP16  new
        download:models/tills       new
        download:models/tills/INT8  new
    "#]]);
    ws.lp("build assets").success();
    assert_eq!(
        (ws.read("models/object_detection/tills/tills.json").as_str(), server.n_requests()),
        (PROC, 5)
    );
    ws.lp("build run:lane").success();
    assert_eq!(server.n_requests(), 5);
    // Without inference, none is needed.
    let graph = ws.lp("graph --set run.decode_only=true").success().stdout;
    assert!(!graph.contains("download:"), "{graph}");
}

#[test]
fn a_mirror_is_asked_first_and_is_no_reason_to_fetch_again() {
    let server = Server::answering(|url, n| {
        if url.starts_with("/copy/object_detection/tills/FP16/") {
            model(url, n)
        } else {
            (404, vec![], "no")
        }
    });
    let ws = project(&server, DETECT);
    ws.lp("build assets").code(1).stderr_has(&format!(
        "the server answered 404 for `http://127.0.0.1:{}/origin/FP16/tills.xml`",
        server.port
    ));
    lpfile(&ws, &format!("[models]\nmirrors = [\"http://127.0.0.1:{}/copy/\"]\n", server.port));
    let before = server.n_requests();
    ws.lp("build assets").success();
    assert_eq!((ws.read(&format!("{FP16}/tills.bin")).as_str(), server.n_requests() - before), (BIN, 2));
    ws.write("Lpfile.toml", &ws.read("Lpfile.toml").replace("/copy/", "/gone"));
    ws.lp("build assets").success().stderr_has("nothing to do");
    assert_eq!(server.n_requests() - before, 2);
}

#[test]
fn a_model_appears_whole_or_not_at_all_and_other_downloads_go_on() {
    let server =
        Server::answering(
            |url, n| {
                if url == "/origin/FP16/tills.bin" { (404, vec![], "no") } else { model(url, n) }
            },
        );
    let ws = project(&server, &format!("{DETECT},\n{}", DETECT.replace("FP16", "INT8")));
    ws.lp("build -k assets")
        .code(1)
        .stderr_has("error: `download:models/tills/FP16` failed")
        .stderr_has("hint: `till` cannot be played without it")
        .stderr_has("name a server with a copy of the folder of models in `[models] mirrors`");
    assert!(!ws.exists(FP16));
    assert!(ws.exists("models/object_detection/tills/INT8/tills.bin"));
    // A file that is not the pinned one.
    ws.write(RECIPES, &ws.read(RECIPES).replacen(&sha256(XML), &sha256("another"), 1));
    ws.lp("build assets").code(1).stderr_has(&format!("has digest {}, but the config pins", sha256(XML)));
    assert!(!ws.exists(FP16));
}

#[test]
fn a_model_of_the_users_own_is_used_and_never_replaced() {
    let server = Server::answering(model);
    let ws = project(&server, DETECT);
    let own = XML.replace("name=\"m\"", "name=\"mine\"");
    ws.write(&format!("{FP16}/tills.xml"), &own);
    // Half of it is not filled up with files of another origin.
    ws.lp("run").code(2).stderr(expect![[r#"
        error[LP0806]: 1 file of the model `tills` is missing
         --> configs/workload_to_pipeline.json:2:32
          |
        2 | {"type": "gvadetect", "model": "tills", "precision": "FP16", "device": "CPU"}
          |                                ^^^^^^^ FP16 for `till`: tills.bin in `models/object_detection/tills/FP16`
          |
          = help: 1. `lp` brings all of it if none is there: delete tills.xml in `models/object_detection/tills/FP16`
                  2. your own: copy the files to these paths, or name yours in `properties` of the step
                  3. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
        error: 1 error
    "#]]);
    ws.write(&format!("{FP16}/tills.bin"), "my own weights");
    ws.lp("build run:lane").success();
    ws.lp("build --again download:models/tills/FP16").code(2).stderr_has(
        "`models/object_detection/tills/FP16/tills.xml` is a file of your own, which is used instead: delete it to download it",
    );
    for command in ["clean", "cache gc --max-size 0", "build", "build run:lane"] {
        ws.lp(command).success();
        assert_eq!(ws.read(&format!("{FP16}/tills.xml")), own, "{command}");
    }
    ws.lp("doctor").stdout_has("ok       model tills FP16");
    assert_eq!(server.n_requests(), 0);
    // Without it, the download is back.
    std::fs::remove_dir_all(ws.path("models")).unwrap();
    ws.lp("build").success();
    assert_eq!((ws.read(&format!("{FP16}/tills.bin")).as_str(), server.n_requests()), (BIN, 2));
}

#[test]
fn a_downloaded_model_that_was_edited_is_the_users() {
    let server = Server::answering(model);
    let ws = project(&server, DETECT);
    ws.lp("build assets").success();
    ws.write(&format!("{FP16}/tills.bin"), "edited weights");
    ws.lp("build run:lane").success().stderr_has(
        "note: `models/object_detection/tills/FP16/tills.bin` is not the file that `lp` put there \
         (14 bytes now, 8 bytes then): it is used as a file of your own; delete it to have the download again\n",
    );
    assert_eq!(ws.read(&format!("{FP16}/tills.bin")), "edited weights");
    std::fs::remove_file(ws.path(&format!("{FP16}/tills.bin"))).unwrap();
    ws.lp("build run:lane").success();
    assert_eq!((ws.read(&format!("{FP16}/tills.bin")).as_str(), server.n_requests()), (BIN, 2));
}

#[test]
fn a_task_that_makes_a_model_wins() {
    let server = Server::answering(model);
    let ws = project(&server, DETECT).file("in", XML);
    lpfile(
        &ws,
        &format!(
            "[[task]]\nname = \"export\"\ncommand = [\"sh\", \"-c\", \"mkdir -p {FP16}; cp in {FP16}/tills.xml; cp in {FP16}/tills.bin\"]\ninputs = [\"in\"]\noutputs = [\"models/object_detection/tills\"]\n"
        ),
    );
    ws.lp("build run:lane").success().stderr_has(
        "note: `download:models/tills/FP16` is left out: a task makes `models/object_detection/tills/FP16/tills.xml`",
    );
    assert_eq!((ws.read(&format!("{FP16}/tills.bin")).as_str(), server.n_requests()), (XML, 0));
}

#[test]
fn a_model_that_makes_no_sense_does_not_appear() {
    let server =
        Server::answering(
            |url, n| {
                if url.ends_with(".bin") { (200, vec![], "short") } else { model(url, n) }
            },
        );
    let ws = project(&server, DETECT);
    ws.write(
        RECIPES,
        &ws.read(RECIPES).replace(&sha256(BIN), &sha256("short")).replace("size = 8", "size = 5"),
    );
    ws.lp("build assets").code(1).stderr_has(
        "caused by: `models/object_detection/tills/FP16/tills.xml` needs 8 bytes of weights, but the `.bin` beside it has 5 bytes\n  \
         hint: these are the pinned files, so the recipe of the model is wrong\n",
    );
    assert!(!ws.exists(FP16));
}

#[test]
fn a_broken_model_of_the_users_is_named_before_the_run() {
    let ws = with(&DETECT.replace("tills", "mine"));
    let folder = "models/object_detection/mine/FP16";
    ws.write(&format!("{folder}/mine.xml"), "<!DOCTYPE html><title>Sign in</title>");
    ws.write(&format!("{folder}/mine.bin"), "version https://git-lfs.github.com/spec/v1\n");
    // Only commands that use it read it.
    ws.lp("check --strict").success();
    ws.lp("run")
        .code(2)
        .stderr_has(&format!("error[LP0808]: `{folder}/mine.bin` is no file of weights: it is a Git LFS pointer"))
        .stderr_has(&format!(
            "error[LP0808]: `{folder}/mine.xml` is no OpenVINO model: it is an HTML page titled `Sign in`\n --> configs/workload_to_pipeline.json:2:32\n"
        ))
        .stderr_has("`till` needs it");
    ws.lp("doctor").code(1).stdout_has("mine.xml` is no OpenVINO model: it is an HTML page titled `Sign in`");
    ws.write(&format!("{folder}/mine.xml"), XML);
    ws.write(&format!("{folder}/mine.bin"), "");
    ws.lp("run").code(2).stderr_has("needs 8 bytes of weights, but the `.bin` beside it has 0 bytes");
    ws.write(&format!("{folder}/mine.bin"), BIN);
    ws.lp("build run:lane").success();
}

/// An IR whose input and output have these dimensions.
pub(crate) fn ir(input: &[u32], output: &[u32]) -> String {
    let dimensions = |all: &[u32]| all.iter().map(|n| format!("<dim>{n}</dim>")).collect::<String>();
    format!(
        r#"<net name="m" version="11"><layers><layer id="0" name="in" type="Parameter"><output><port id="0">{}</port></output></layer><layer id="1" name="out" type="Result"><input><port id="0">{}</port></input></layer></layers></net>"#,
        dimensions(input),
        dimensions(output)
    )
}

#[test]
fn a_model_must_fit_its_step() {
    let folder = "models/object_detection/mine/FP16";
    let classifier = ir(&[1, 3, 224, 224], &[1, 1000]);
    let ws = with(&DETECT.replace("tills", "mine"))
        .file(&format!("{folder}/mine.xml"), &classifier)
        .file(&format!("{folder}/mine.bin"), BIN);
    ws.lp("run").code(2).stderr_has(&format!(
        "error[LP0808]: `{folder}/mine.xml` is no detector: it has the output `out` [1,1000]\n --> configs/workload_to_pipeline.json:2:32\n"
    ));
    ws.lp("doctor").code(1).stdout_has("mine.xml` is no detector");
    ws.write(&format!("{folder}/mine.xml"), &ir(&[1, 3, 224, 224], &[1, 84, 8400]));
    ws.lp("build run:lane").success();
    // The same classifier in a step for one, and a network that takes no pictures.
    let folder = "models/object_classification/mine/FP16";
    let step = DETECT.replace("tills", "mine").replace("gvadetect", "gvainference");
    let ws =
        with(&step).file(&format!("{folder}/mine.xml"), &classifier).file(&format!("{folder}/mine.bin"), BIN);
    ws.lp("build run:lane").success();
    ws.write(&format!("{folder}/mine.xml"), &ir(&[1, 512], &[1, 2]));
    ws.lp("run").code(2).stderr_has("takes no pictures, which have 4 dimensions and 1 or 3 channels");
    // ONNX has its inputs behind its weights. `data`, float, [N,4], of a graph that ends with it.
    let onnx = "\u{8}\u{8}:\u{19}Z\u{17}\n\u{4}data\u{12}\u{f}\n\u{d}\u{8}\u{1}\u{12}\u{9}\n\u{3}\u{12}\u{1}N\n\u{2}\u{8}\u{4}";
    let named = step.replace('}', r#", "properties": {"model": "own/mine.onnx"}}"#);
    let ws = with(&named).file("own/mine.onnx", onnx);
    ws.lp("run").code(2).stderr_has("`own/mine.onnx` takes no pictures");
    // A download that does not fit appears nowhere.
    let server = Server::answering(|url, _| match url.ends_with(".xml") {
        true => (200, vec![], MISFIT),
        false => (200, vec![], BIN),
    });
    let ws = project(&server, DETECT);
    let recipe = ws.read(RECIPES).replace(&sha256(XML), &sha256(MISFIT));
    ws.write(RECIPES, &recipe.replace(&format!("size = {}", XML.len()), &format!("size = {}", MISFIT.len())));
    ws.lp("build assets")
        .code(1)
        .stderr_has("tills.xml` takes no pictures")
        .stderr_has("so the recipe of the model is wrong");
    assert!(!ws.exists(FP16));
}

#[test]
fn a_model_in_the_folder_is_known_whatever_its_name_and_precision() {
    let step = |model: &str, precision: &str| {
        format!(
            r#"{{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}}, {{"type": "gvaclassify", "model": "{model}", "precision": "{precision}", "device": "CPU"}}"#
        )
    };
    let file = |model: &str, precision: &str| {
        format!("models/object_classification/{model}/{precision}/{model}.xml")
    };
    let ws = with(&step("mine", "FP32"));
    ws.lp("check --strict").code(2).stderr_has("[LP0505]: the model `mine` is unknown");
    ws.write(&file("mine", "FP32"), XML);
    ws.lp("check --strict").success();
    // The name of another one that is there.
    let ws = with(&step("mime", "FP32")).file(&file("mine", "FP32"), XML);
    ws.lp("check").success().stderr_has("help: did you mean `mine`?");
    for precision in ["INT8", "FP32"] {
        let ws = with(&step("efficientnet-b0", precision));
        ws.lp("check")
            .code(2)
            .stderr_has(&format!("error[LP0504]: `efficientnet-b0` does not exist in {precision}"));
        ws.write(&file("efficientnet-b0", precision), XML);
        ws.lp("check").success().stderr_has(&format!(
            "warning[LP0504]: `efficientnet-b0` in {precision} is a model of your own, as it exists in FP16-INT8, FP32-INT8"
        ));
    }
    // The folder may be elsewhere.
    let ws = with(&step("mine", "FP32")).file("weights/object_classification/mine/FP32/mine.xml", XML);
    lpfile(&ws, "[paths]\nmodels = \"weights\"\n");
    ws.lp("check --strict").success();
}

#[test]
fn faults_of_recipes_are_shown_at_their_places() {
    let ws = with(DETECT).file(
        RECIPES,
        r#"[model.tills]
licenced = "MIT"
[[model.tills.files]]
path = "../tills.xml"
urls = ["ftp://h/x"]
sha256 = "abc"
[[model.tills.files]]
path = "object_detection/tills/FP16/tills.xml"
urls = []
"#,
    );
    ws.lp("check").code(2).stderr(expect![[r#"
        error[LP0201]: unknown key `model.tills.licenced`
         --> configs/models/own.toml:2:1
          |
        2 | licenced = "MIT"
          | ^^^^^^^^
          |
          = help: did you mean `licence`?

        error[LP0210]: `model.tills.files[0].path` must be a path inside the folder of models
         --> configs/models/own.toml:4:8
          |
        4 | path = "../tills.xml"
          |        ^^^^^^^^^^^^^^ `../tills.xml` leaves the project

        error[LP0211]: `model.tills.files[0].urls[0]` must be a URL that begins with `http://` or `https://`
         --> configs/models/own.toml:5:9
          |
        5 | urls = ["ftp://h/x"]
          |         ^^^^^^^^^^^ found the string `ftp://h/x`

        error[LP0213]: `model.tills.files[0].sha256` must be 64 hex digits
         --> configs/models/own.toml:6:10
          |
        6 | sha256 = "abc"
          |          ^^^^^ found the string `abc`

        error[LP0202]: the file has no digest
         --> configs/models/own.toml:8:8
          |
        8 | path = "object_detection/tills/FP16/tills.xml"
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: give its `sha256`: `sha256sum FILE` prints it

        error[LP0207]: `model.tills.files[1].urls` must not be empty
         --> configs/models/own.toml:9:8
          |
        9 | urls = []
          |        ^^
        error: 6 errors
    "#]]);
}
