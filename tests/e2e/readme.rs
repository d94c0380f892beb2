//! README and the documentation: the commands that they show exist, and the
//! output of `lp check` in README is what it prints.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Workspace;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// README and the pages of `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// The lines of the fenced blocks of a page.
fn fenced(page: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

/// The commands `lp ...` of a shell line: without their descriptions, which
/// two blanks set apart, and without pipes, redirections and other programs.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let line = line.split("  ").next().unwrap();
    line.split(['|', '>', ';'])
        .flat_map(|part| part.split("&&"))
        .filter_map(|part| part.trim().strip_prefix("lp "))
        .filter_map(|arguments| shlex::split(arguments.trim_end_matches('\\')))
        .collect()
}

#[test]
fn every_command_in_a_code_block_of_the_documentation_is_one_of_lp() {
    let ws = Workspace::empty();
    let mut n_commands = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for arguments in fenced(&text).into_iter().flat_map(commands) {
            // `--help` comes after everything else, so that the words and flags before it are read.
            let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            words.push("--help");
            let output = ws.command(&words).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: lp {}\n{stderr}", page.display(), arguments.join(" "));
            n_commands += 1;
        }
    }
    assert!(n_commands > 20, "{n_commands} commands were found");
}

#[test]
fn the_errors_in_readme_are_those_that_lp_check_prints() {
    let cameras = fs::read_to_string(root().join("configs/camera_to_workload.json")).unwrap();
    let workloads = fs::read_to_string(root().join("configs/workload_to_pipeline.json")).unwrap();
    let ws = Workspace::tasks("")
        .file(
            "configs/camera_to_workload.json",
            &cameras.replacen("fake_scan_detection", "fake_scan_detecton", 1),
        )
        .file("configs/workload_to_pipeline.json", &workloads);
    for entry in fs::read_dir(root().join("configs/scenes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        ws.write(&format!("configs/scenes/{name}"), &fs::read_to_string(&path).unwrap());
    }
    let printed = ws.lp("check").stderr;
    let readme = readme();
    let (_, shown) = readme.split_once("lp check\nerror").expect("README shows errors of `lp check`");
    let shown = shown.split_once("```").unwrap().0;
    assert_eq!(printed.trim_end(), format!("error{}", shown.trim_end()));
}
