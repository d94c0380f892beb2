//! `lp init`: a working project, or nothing.

use crate::support::Workspace;

#[test]
fn a_new_project_has_no_faults_and_plans() {
    let ws = Workspace::empty();
    ws.lp("init").success();
    ws.lp("check --strict").success();
    ws.lp("build plan").success();
    assert!(ws.read("results/plan.json").contains("motioncells"));
    assert!(ws.read(".gitignore").contains("/.lpcache/"));
}

#[test]
fn it_is_made_in_a_directory_that_does_not_exist_yet() {
    let ws = Workspace::empty();
    ws.lp("init my/lane").success().stderr_has("cd my/lane && lp check");
    ws.lp("-C my/lane check").success();
}

#[test]
fn the_commands_to_try_can_be_pasted() {
    let ws = Workspace::empty();
    std::fs::create_dir(ws.path("it's")).unwrap();
    for (arguments, way) in [
        (&["init", "lane 1"][..], "cd 'lane 1' && "),
        (&["-C", "it's", "init", "$(x)"], "cd 'it'\\''s/$(x)' && "),
        (&["init", "--", "-x"], "cd ./-x && "),
        (&["-C", "lane 1", "import", "--cameras", "C", "--workloads", "W", "new"], "cd 'lane 1/new' && "),
        (&["init", "."], ""),
    ] {
        let arguments: Vec<String> = arguments
            .iter()
            .map(|word| match *word {
                "C" => ws.path("lane 1/configs/camera_to_workload.json").to_str().unwrap().to_owned(),
                "W" => ws.path("lane 1/configs/workload_to_pipeline.json").to_str().unwrap().to_owned(),
                word => word.to_owned(),
            })
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = ws.command(&arguments).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        let check = told.lines().find(|line| line.ends_with("lp check")).unwrap_or_else(|| panic!("{told}"));
        assert_eq!(check, format!("  {way}lp check"));
        let pasted = check.replace("lp check", "test -e Lpfile.toml");
        let shell = std::process::Command::new("sh").args(["-c", &pasted]).current_dir(ws.root()).output();
        assert!(shell.unwrap().status.success(), "{pasted}");
    }
}

#[test]
fn nothing_is_written_if_one_of_its_files_exists() {
    let ws = Workspace::empty().file("configs/scenes/fake-scan.toml", "mine");
    ws.lp("init").code(2).stderr_has("`<project>/configs/scenes/fake-scan.toml` exists");
    assert!(!ws.exists("Lpfile.toml"));
    assert_eq!(ws.read("configs/scenes/fake-scan.toml"), "mine");
}

#[test]
fn editors_find_the_schemas() {
    let ws = Workspace::empty();
    ws.lp("init").success();
    assert!(ws.read("Lpfile.toml").starts_with("#:schema configs/schema/lpfile.schema.json\n"));
    for kind in ["camera", "workload"] {
        let name = if kind == "camera" { "camera_to_workload" } else { "workload_to_pipeline" };
        let file: serde_json::Value =
            serde_json::from_str(&ws.read(&format!("configs/{name}.json"))).unwrap();
        let schema = format!("configs/{}", file["$schema"].as_str().unwrap());
        let schema: serde_json::Value = serde_json::from_str(&ws.read(&schema)).unwrap();
        assert!(schema["title"].is_string());
    }
    let lpfile = ws.read("configs/schema/lpfile.schema.json");
    assert!(serde_json::from_str::<serde_json::Value>(&lpfile).unwrap()["properties"]["run"].is_object());
}

#[test]
fn a_lane_has_six_cameras_and_profiles_without_faults() {
    let ws = Workspace::empty();
    ws.lp("init --lane .").success().stderr_has("made a project of six cameras; try:");
    ws.lp("check --strict").success().stderr_has("no errors: 6 cameras");
    for profile in ["smoke", "free", "synthetic", "scripts", "inference"] {
        ws.lp(&format!("check --strict --profile {profile}")).success();
    }
    // The schemas that its files name are there.
    for file in ["Lpfile.toml", "configs/camera_to_workload.json", "configs/scripts/camera_to_workload.json"]
    {
        assert!(!ws.read(file).contains("docs/"), "{file} names a file that only the repository of lp has");
    }
    let mode = std::fs::metadata(ws.path("configs/pipelines/codes.sh")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o111, 0o111);
}
