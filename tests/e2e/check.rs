//! `lp check`: every fault of every file at once, at its place.

use expect_test::expect;

use crate::support::{CAMERAS, Ended, WORKLOADS, Workspace};

#[test]
fn a_sound_project_is_one_line() {
    Workspace::cameras().lp("check").success().stderr(expect![[r#"
        no errors: 2 cameras, 2 workloads, 0 tasks
    "#]]);
}

#[test]
fn all_faults_of_all_files_come_at_once_with_place_and_caret() {
    let ws = Workspace::cameras()
        .file("Lpfile.toml", "[run]\nduration = \"fast\"\nwramup = \"2s\"\n")
        .file("configs/camera_to_workload.json", &CAMERAS.replacen("\"scan\"", "\"scam\"", 1))
        .file("configs/workload_to_pipeline.json", &WORKLOADS.replace("zbar", "gvadetekt"));
    let ended = ws.lp("check").code(2);
    for text in [
        "Lpfile.toml:2:12",
        "Lpfile.toml:3:1",
        "did you mean `warmup`?",
        "configs/camera_to_workload.json:4:",
        "did you mean `scan`?",
        "configs/workload_to_pipeline.json:3:",
        "did you mean `gvadetect`?",
        "^^^^^^",
        "error: 4 errors",
    ] {
        assert!(ended.stderr.contains(text), "`{text}` is not in:\n{}", ended.stderr);
    }
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_misspelt_key_of_a_camera_is_a_warning_and_an_error_under_strict() {
    let cameras = CAMERAS.replacen("\"width\": 640", "\"widht\": 640", 1);
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    ws.lp("check").success().stderr_has("did you mean `width`?");
    ws.lp("check --strict").code(2);
}

#[test]
fn faults_for_machines_are_a_document() {
    let ws = Workspace::cameras().file("Lpfile.toml", "[run]\nduration = 3\n");
    let ended = ws.lp("check --json").code(2);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["diagnostics"][0]["severity"], "error");
}

#[test]
fn without_a_project_it_says_how_to_make_one() {
    let ended = Workspace::empty().lp("check").code(2);
    assert!(ended.stderr.contains("there is no `Lpfile.toml`"), "{}", ended.stderr);
}

#[test]
fn a_set_on_the_command_line_is_checked_like_the_file() {
    let ws = Workspace::cameras();
    ws.lp("check --set run.duration=10s").success();
    let ended = ws.lp("check --set run.duratoin=10s").code(2);
    assert!(ended.stderr.contains("did you mean"), "{}", ended.stderr);
}

#[test]
fn a_directory_is_chosen_as_in_make() {
    let ws = Workspace::cameras();
    let mut command = ws.command(&["-C", ws.root().to_str().unwrap(), "check"]);
    let output = command.current_dir("/").output().unwrap();
    assert!(output.status.success());
}

#[test]
fn a_directory_beside_this_one_hides_no_fault() {
    let ws = Workspace::tasks("[[task]]\nname = \"a\"\ncommand = [\"true\"]\noutputs = [\"Lpfile.toml\"]\n")
        .file("sub/empty", "");
    for directory in [".", "sub/..", "./sub/../sub/.."] {
        ws.lp(&format!("-C {directory} check")).code(2).stderr_has("no task may write `Lpfile.toml`");
    }
}

#[test]
fn one_file_alone_is_checked_by_itself() {
    // Neither the project around it nor the other file has a say.
    let ws = Workspace::cameras()
        .file("Lpfile.toml", "nonsense")
        .file("c.json", &CAMERAS.replace("\"scan\"", "\"of-no-file\""))
        .file("w.json", WORKLOADS);
    ws.lp("check --cameras c.json").success().stderr(expect![[r#"
        no errors: 2 cameras
    "#]]);
    ws.lp("check --strict --workloads w.json").success().stderr(expect![[r#"
        no errors: 2 workloads
    "#]]);
    let ws = ws.file("w.json", &WORKLOADS.replace("zbar", "gvadetekt"));
    ws.lp("check --workloads w.json").code(2).stderr_has("w.json:3:");
    ws.lp("check --cameras w.json").code(2).stderr_has("this is a workload file");
}

#[test]
fn the_files_of_flags_need_no_project() {
    let ws = Workspace::empty().file("c.json", CAMERAS).file("w.json", WORKLOADS);
    let flags = "--cameras c.json --workloads w.json --set run.count=2";
    ws.lp(&format!("check {flags}")).success();
    ws.lp(&format!("show {flags}")).success();
    ws.lp(&format!("graph {flags}")).success();
    ws.lp(&format!("explain plan {flags}")).success();
    ws.lp(&format!("build plan {flags}")).success();
    ws.lp(&format!("build plan {flags} --profile fast")).code(2).stderr_has("there is no profile `fast`");
    assert!(ws.exists("results/plan.json"));
}

#[test]
fn a_code_is_explained_with_its_example_and_without_a_project() {
    let ws = Workspace::empty();
    ws.lp("check --explain lp0405").success().stdout(expect![[r#"
        LP0405 (error): a region is empty or inverted

        `x` and `y` are the left and the top edge, `x2` and `y2` the right and the bottom one, in
        pixels. If `x2` is not greater than `x`, or `y2` not greater than `y`, the region has no
        pixels. An edge of 0 is valid.

        In `configs/camera_to_workload.json`:
            {"lane_config": {"cameras": [
              {"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1",
               "region_of_interest": {"x": 640, "y": 0, "x2": 320, "y2": 480}}
            ]}}

        `lp check` reports:
            error[LP0405]: the region is empty: `x` must be less than `x2`
             --> configs/camera_to_workload.json:3:51
              |
            3 |    "region_of_interest": {"x": 640, "y": 0, "x2": 320, "y2": 480}}
              |                                --- begins at 640  ^^^ ends at 320

        Instead, in `configs/camera_to_workload.json`:
            {"lane_config": {"cameras": [
              {"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1",
               "region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480}}
            ]}}
    "#]]);
    let ended = ws.lp("check --explain 405 --json").success();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["code"], "LP0405");
    let message = document["examples"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("error[LP0405]: "), "{message}");
    // Of a broken project, too, only the code is spoken of.
    Workspace::tasks("[run").lp("check --explain LP0405").success().stderr(expect![[""]]);
}

#[test]
fn an_unknown_code_is_refused_with_what_was_meant() {
    let ws = Workspace::empty();
    ws.lp("check --explain LPO405").code(2).stderr(expect![[r#"
        error: there is no code `LPO405`
          hint: did you mean `LP0405`?
    "#]]);
    ws.lp("check --explain what").code(2).stderr(expect![[r#"
        error: there is no code `what`
          hint: codes are LP and four digits; docs/diagnostics.md lists them
    "#]]);
}

/// Runs `lp check` with these arguments and more, which may contain blanks.
fn check(ws: &Workspace, arguments: &[&str]) -> Ended {
    let mut all = vec!["check"];
    all.extend(arguments);
    Ended::new(ws.command(&all).output().unwrap(), &ws.root())
}

fn sarif_schema() -> jsonschema::Validator {
    let mut schema: serde_json::Value =
        serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).unwrap();
    // `...]?$` is a pattern to lenient engines alone; `lp` writes no language.
    let patterns = ["/definitions/run", "/definitions/toolComponent"];
    for definition in patterns {
        let language = schema.pointer_mut(&format!("{definition}/properties/language")).unwrap();
        language.as_object_mut().unwrap().remove("pattern").unwrap();
    }
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The part of `text` that a region of SARIF covers.
fn covered(text: &str, region: &serde_json::Value) -> String {
    let number = |key: &str| usize::try_from(region[key].as_u64().unwrap()).unwrap();
    assert_eq!(number("startLine"), number("endLine"));
    let line = text.lines().nth(number("startLine") - 1).unwrap();
    line.chars().skip(number("startColumn") - 1).take(number("endColumn") - number("startColumn")).collect()
}

#[test]
fn sarif_is_as_its_schema_wants_and_points_at_the_fault() {
    let cameras = CAMERAS
        .replace("\"camera-1\"", "\"漢字 😀 é\"")
        .replace("\"camera-2\"", "\"漢字 😀 é\"")
        .replace("\"motion\"", "\"montion\"");
    let cameras = format!("\u{feff}{}", cameras.replace('\n', "\r\n"));
    let ws = Workspace::cameras()
        .file("my files/ä:1%.json", &cameras)
        .file("Lpfile.toml", "[project]\nworkloads = \"none.json\"\n")
        .env("LP_SET_RUN_PACE", "fast");
    let set = ["--set", "run.duration=soon", "--profile", "intel"];
    let ended =
        check(&ws, &[&["--format", "sarif", "--cameras", "my files/ä:1%.json"], &set[..]].concat()).code(2);
    let log: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();

    let schema = sarif_schema();
    let errors: Vec<String> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{log:#}");

    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let of = |code: &str| {
        let result = results.iter().find(|result| result["ruleId"] == code);
        result.unwrap_or_else(|| panic!("no {code} in {results:#?}"))
    };
    let uri = "my%20files/%C3%A4%3A1%25.json";

    let duplicate = of("LP0401");
    let place = &duplicate["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], uri);
    assert_eq!(covered(&cameras, &place["region"]), "\"漢字 😀 é\"");
    assert_eq!(place["region"]["startLine"], 5);
    let first = &duplicate["relatedLocations"][0];
    assert_eq!(covered(&cameras, &first["physicalLocation"]["region"]), "\"漢字 😀 é\"");
    assert_eq!(first["physicalLocation"]["region"]["startLine"], 4);

    // An override is no file, and what is nowhere has no location.
    let results_of = |text: &str| -> Vec<&serde_json::Value> {
        results.iter().filter(|result| result["message"]["text"].as_str().unwrap().contains(text)).collect()
    };
    let set = &results_of("`run.duration`")[0]["locations"][0];
    assert_eq!(set["logicalLocations"][0]["name"], "--set run.duration");
    assert_eq!(set["logicalLocations"][0]["fullyQualifiedName"], "run.duration=soon");
    assert!(set.get("physicalLocation").is_none());
    let variable = &results_of("`run.pace`")[0]["locations"][0];
    assert_eq!(variable["logicalLocations"][0]["fullyQualifiedName"], "LP_SET_RUN_PACE=fast");
    assert!(of("LP0701").get("locations").is_none());

    for result in results {
        let rule =
            &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
    }

    // That the schema is asked at all.
    let mut broken = log.clone();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&broken));
    let at = results.iter().position(|result| result["ruleId"] == "LP0401").unwrap();
    let mut broken = log.clone();
    broken["runs"][0]["results"][at]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] =
        "my files/ä.json".into();
    assert!(!schema.is_valid(&broken));
}

#[test]
fn sarif_of_a_sound_project_is_valid_too() {
    let ended = Workspace::cameras().lp("check --format sarif").success();
    let log = serde_json::from_str(&ended.stdout).unwrap();
    assert!(sarif_schema().is_valid(&log));
}

#[test]
fn one_format_is_asked_for() {
    Workspace::cameras().lp("check --json --format sarif").code(2).stderr_has("cannot be used with");
}

#[test]
fn control_characters_of_files_do_not_reach_a_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{e0041}";
    let escaped: String = evil.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    // As keys and values, escaped by JSON and as they are, and in names of files.
    let cameras = CAMERAS
        .replacen(
            "\"fps\": 15",
            &format!("\"fps{escaped}\": \"{escaped}\", \"{evil}\": 1, \"fps\": \"{evil}\""),
            1,
        )
        .replacen("\"scan\"]", &format!("\"{escaped}\"]"), 1);
    let path = format!("c{evil}.json");
    let ws = Workspace::cameras()
        .file("Lpfile.toml", &format!("[run]\nduration = \"{}\"\n\"{escaped}\" = 1\n", &evil[10..]))
        .file(&path, &cameras);
    for format in ["human", "json", "sarif"] {
        let missing = format!("{path}x");
        for file in [&path, &missing] {
            let set = format!("run.{evil}=1");
            let ended = check(&ws, &["--format", format, "--cameras", file, "--set", &set]).code(2);
            for text in [&ended.stdout, &ended.stderr] {
                let raw = text
                    .chars()
                    .find(|c| *c != '\n' && (c.is_control() || evil.contains(*c) && !c.is_ascii()));
                assert_eq!(raw, None, "{format}: {}", text.escape_debug());
            }
            assert!(ended.stdout.len() + ended.stderr.len() > 500);
        }
    }
}

#[test]
fn files_that_are_not_utf_8_text_are_refused_at_once() {
    let ws = Workspace::cameras();
    let write = |name: &str, bytes: &[u8]| std::fs::write(ws.path(name), bytes).unwrap();
    write("deep.json", "[".repeat(10_000).as_bytes());
    write("open.json", format!("{{\"a\": {}", "[".repeat(10_000)).as_bytes());
    write("digits.json", format!("{{\"lane_config\": {{\"cameras\": [{}]}}}}", "9".repeat(400)).as_bytes());
    write("utf16.json", &"\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    write("bytes.json", b"{ \"a\": \"\xff\xfe\" }");
    std::fs::File::create(ws.path("sparse.json")).unwrap().set_len((64 << 20) + 1).unwrap();
    let status = std::process::Command::new("mkfifo").arg(ws.path("pipe.json")).status().unwrap();
    assert!(status.success());
    for (file, code, text) in [
        ("deep.json", "LP0006", "more than 128 levels"),
        ("open.json", "LP0006", "more than 128 levels"),
        ("digits.json", "LP0104", "too big"),
        ("utf16.json", "LP0005", "save it as UTF-8"),
        ("bytes.json", "LP0005", "offset 8 is not valid UTF-8"),
        ("sparse.json", "LP0004", "larger than 64 MiB"),
        ("pipe.json", "LP0003", "it is a pipe"),
        ("/dev/zero", "LP0003", "it is not a regular file"),
        ("configs", "LP0003", "it is a folder"),
    ] {
        let ended = check(&ws, &["--cameras", file]).code(2);
        assert!(ended.stderr.contains(&format!("error[{code}]")), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{file}: {}", ended.stderr);
        assert!(ended.stderr.len() < 4000, "{file}: {} bytes", ended.stderr.len());
    }
}

#[test]
fn people_see_the_most_severe_of_many_faults_and_machines_see_all() {
    let camera = |n: usize| {
        let widht = if n < 1500 { "widht" } else { "width" };
        let fps = if n == 1999 { 0 } else { 15 };
        format!(
            "{{\"camera_id\": \"c{n}\", \"fileSrc\": \"a.mp4|http://127.0.0.1:9/a.mp4\", \"fps\": {fps}, \"{widht}\": 640, \"height\": 360, \"workloads\": [\"scan\"]}}"
        )
    };
    let cameras: Vec<String> = (0..2000).map(camera).collect();
    // All on one line, which is not shown whole for each.
    let text = format!("{{\"lane_config\": {{\"cameras\": [{}]}}}}", cameras.join(","));
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &text);
    let ended = ws.lp("check").code(2);
    assert_eq!(ended.stderr.matches("warning[LP0201]").count(), 49);
    assert_eq!(ended.stderr.matches("error[LP0204]").count(), 1, "the last is the most severe");
    assert!(ended.stderr.contains("... and 1451 more; `lp check --format json` lists all"));
    assert!(ended.stderr.len() < 50_000, "{} bytes", ended.stderr.len());

    let json: serde_json::Value = serde_json::from_str(&ws.lp("check --json").code(2).stdout).unwrap();
    let places = json["diagnostics"].as_array().unwrap();
    assert_eq!(places.len(), 1501);
    let last = &places[1500]["place"];
    let column = text.find("\"fps\": 0").unwrap() + "\"fps\": ".len() + 1;
    assert_eq!(last["column"].as_u64().unwrap(), column as u64);
}

#[test]
fn a_label_has_stars_in_place_of_a_password() {
    let cameras = r#"{"lane_config": {"cameras": [{"camera_id": "till", "workloads": ["barcodes"],
        "streamUri": "rtsp://admin:secret77@h:99999/x"}]}}"#;
    let ws = Workspace::empty().file("cameras.json", cameras);
    for format in ["human", "json", "sarif"] {
        let ended = ws.lp(["check", "--cameras", "cameras.json", "--format", format]).code(2);
        let text = ended.stdout + &ended.stderr;
        assert!(text.contains("99999") && !text.contains("secret77"), "{format}: {text}");
    }
}
