//! Names and paths of every kind, as inputs and outputs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::expect;

use crate::support::{CAMERAS, Workspace};

#[test]
fn declared_paths_hold_blanks_quotes_and_line_breaks() {
    // In TOML, JSON escapes mean the same.
    for name in
        ["a b", "it's \"q\" `b` $(x) \\", "new\nline", "tab\tand \u{1b}[1m", "-rf", "*", "ünï \u{1f3a5}"]
    {
        let quoted = serde_json::to_string(&format!("{name}/in")).unwrap();
        let output = serde_json::to_string(&format!("{name}/out")).unwrap();
        let ws = Workspace::tasks(&format!(
            "[[task]]\nname = \"t\"\ncommand = [\"cp\", \"--\", {quoted}, {output}]\ninputs = [{quoted}]\noutputs = [{output}]\n"
        ));
        let ws = ws.file(&format!("{name}/in"), "1");
        ws.lp("build").success();
        ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
        ws.write(&format!("{name}/in"), "2");
        let ended = ws.lp("build").success();
        let shown: String = name
            .chars()
            .map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() })
            .collect();
        assert_eq!(ended.stderr, format!("task:t  stale: `{shown}/in` changed\n1 task ran\n"));
        fs::remove_file(ws.path(&format!("{name}/out"))).unwrap();
        let ended = ws.lp("build").success();
        let line = format!("task:t  restored: output `{shown}/out` was deleted\n0 tasks ran, 1 restored\n");
        assert_eq!(ended.stderr, line);
        assert_eq!(ws.read(&format!("{name}/out")), "2");
        let graph: serde_json::Value = serde_json::from_str(&ws.lp("graph --json").success().stdout).unwrap();
        assert_eq!(graph["tasks"][0]["inputs"][0], format!("{name}/in"), "the path itself for machines");
    }
}

#[test]
fn a_camera_with_a_blank_in_its_name_is_one_argument() {
    let ws = Workspace::cameras()
        .file("configs/camera_to_workload.json", &CAMERAS.replacen("camera-1", "Till 1", 1));
    ws.lp(["show", "Till 1"]).success().stdout_has("Till 1");
    ws.lp("show Till 1").code(2).stderr_has("`Till`");
    ws.lp(["show", "Till 2"]).code(2).stderr_has("did you mean `Till 1`?");
}

const COPY_TREE: &str = r#"
[[task]]
name = "t"
command = ["cp", "-a", "--no-preserve=timestamps", "in", "out"]
inputs = ["in"]
outputs = ["out"]
"#;

/// Names of every kind, in and below the folder `in`.
fn odd_tree(ws: &Workspace) -> Vec<std::path::PathBuf> {
    let names: [&[u8]; 10] = [
        b"a b",
        b"it's \"q\" `b` $(x) \\",
        b"new\nline",
        b"\xff\xfe.png",
        b"caf\xe9",
        "caf\u{e9}".as_bytes(),
        b"\x1b[1m\x7f",
        b"-rf",
        b" ",
        &[b'n'; 255],
    ];
    let paths: Vec<_> = names.iter().map(|name| ws.path("in").join(OsStr::from_bytes(name))).collect();
    for path in &paths {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(path.file_name().unwrap()), path.as_os_str().as_bytes()).unwrap();
        symlink(path.file_name().unwrap(), path.join("link")).unwrap();
    }
    paths
}

#[test]
fn a_folder_holds_names_of_every_kind_as_input_and_as_output() {
    let ws = Workspace::tasks(COPY_TREE);
    let paths = odd_tree(&ws);
    ws.lp("build").success();
    ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    let compare = || {
        let difference = std::process::Command::new("diff")
            .args(["-r", "--no-dereference", "in", "out"])
            .current_dir(ws.root())
            .status();
        assert!(difference.unwrap().success());
    };
    fs::remove_dir_all(ws.path("out")).unwrap();
    ws.lp("build").success().stderr(expect![[r#"
        task:t  restored: output `out` was deleted
        0 tasks ran, 1 restored
    "#]]);
    compare();
    ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    for path in &paths {
        fs::write(path.join(path.file_name().unwrap()), "changed").unwrap();
        ws.lp("build").success().stderr(expect![[r#"
            task:t  stale: `in` changed
            1 task ran
        "#]]);
        compare();
    }
}

#[test]
fn a_renamed_file_changes_a_folder_even_if_only_one_odd_byte_differs() {
    let ws = Workspace::tasks(COPY_TREE);
    fs::create_dir(ws.path("in")).unwrap();
    let at = |name: &[u8]| ws.path("in").join(OsStr::from_bytes(name));
    let names: [&[u8]; 5] = [b"x\xff", b"x\xfe", "x\u{fffd}".as_bytes(), b"x\\xff", b"xff"];
    fs::write(at(names[0]), "1").unwrap();
    ws.lp("build").success();
    for pair in names.windows(2) {
        fs::rename(at(pair[0]), at(pair[1])).unwrap();
        ws.lp("build").success().stderr_has("stale: `in` changed");
    }
}

#[test]
fn a_link_to_a_name_that_is_no_utf_8_is_an_output_like_any_other() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"cp\", \"-a\", \"in/link\", \"out\"]\ninputs = [\"in\"]\noutputs = [\"out\"]\n",
    );
    fs::create_dir(ws.path("in")).unwrap();
    let target = OsStr::from_bytes(b"\xff\n");
    symlink(target, ws.path("in/link")).unwrap();
    ws.lp("build").success();
    fs::remove_file(ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `out` was deleted");
    assert_eq!(fs::read_link(ws.path("out")).unwrap().as_os_str(), target);
}

/// A path that makes the absolute path of a file `length` bytes long.
fn long(ws: &Workspace, first: &str, length: usize) -> String {
    // With a short name at the end, beside which no temporary one fits.
    let mut rest = length - ws.root().as_os_str().len() - 1 - first.len() - "/x".len();
    let mut path = first.to_owned();
    while rest > 0 {
        // A last component of 1 to 240 bytes, none of them empty.
        let n = if rest > 242 { 200 } else { rest - 1 };
        path.push('/');
        path.push_str(&"d".repeat(n));
        rest -= n + 1;
    }
    path + "/x"
}

#[test]
fn a_path_as_long_as_the_system_takes_is_input_and_output() {
    for length in [4_000, 4_095] {
        let ws = Workspace::empty();
        let (input, output) = (long(&ws, "in", length), long(&ws, "out", length));
        assert_eq!(ws.path(&output).as_os_str().len(), length);
        let ws = ws.file(&input, "1").file(
            "Lpfile.toml",
            &format!(
                "[[task]]\nname = \"t\"\ncommand = [\"cp\", \"{input}\", \"{output}\"]\ninputs = [\"{input}\"]\noutputs = [\"{output}\"]\n"
            ),
        );
        ws.lp("build").success();
        ws.write(&input, "2");
        ws.lp("build").success();
        fs::remove_file(ws.path(&output)).unwrap();
        ws.lp("build").success().stderr_has("0 tasks ran, 1 restored");
        assert_eq!(ws.read(&output), "2");
        ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    }
}

#[test]
fn a_path_that_is_too_long_is_named_with_the_reason() {
    let ws = Workspace::empty();
    let long = "d/".repeat(2_100);
    ws.write(
        "Lpfile.toml",
        &format!("[[task]]\nname = \"t\"\ncommand = [\"true\"]\ninputs = [\"{long}x\"]\n"),
    );
    ws.lp("build").code(2).stderr_has("` cannot be read: File name too long");
    ws.write(
        "Lpfile.toml",
        &format!("[[task]]\nname = \"t\"\ncommand = [\"true\"]\noutputs = [\"{long}x\"]\n"),
    );
    ws.lp("build").code(1).stderr_has("File name too long");
    let name = "n".repeat(256);
    ws.write(
        "Lpfile.toml",
        &format!("[[task]]\nname = \"t\"\ncommand = [\"true\"]\noutputs = [\"{name}\"]\n"),
    );
    ws.lp("build").code(1).stderr_has("File name too long");
}

#[test]
fn one_task_has_ten_thousand_inputs() {
    let ws = Workspace::empty();
    let names: Vec<String> = (0..10_000).map(|n| format!("\"in/{}/{n}\"", n % 100)).collect();
    for n in 0..100 {
        fs::create_dir_all(ws.path(&format!("in/{n}"))).unwrap();
    }
    for n in 0..10_000 {
        fs::write(ws.path(&format!("in/{}/{n}", n % 100)), n.to_string()).unwrap();
    }
    let command = r#"["sh", "-c", "find in -type f | wc -l > out"]"#;
    ws.write(
        "Lpfile.toml",
        &format!(
            "[[task]]\nname = \"t\"\ncommand = {command}\ninputs = [{}]\noutputs = [\"out\"]\n",
            names.join(", ")
        ),
    );
    ws.lp("build").success();
    assert_eq!(ws.read("out"), "10000\n");
    ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    ws.write("in/77/9977", "changed");
    ws.lp("build").success().stderr(expect![[r#"
        task:t  stale: `in/77/9977` changed
        1 task ran
    "#]]);
    fs::remove_file(ws.path("in/3/3")).unwrap();
    ws.lp("build").code(2).stderr_has("`in/3/3` does not exist, and `task:t` reads it");
}

#[test]
fn execute_bits_of_inputs_count_and_those_of_outputs_are_restored() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "if [ -x tool.sh ]; then ./tool.sh > made.sh; else echo no > made.sh; fi; chmod +x made.sh"]
inputs = ["tool.sh"]
outputs = ["made.sh"]
"#,
    )
    .file("tool.sh", "#!/bin/sh\necho '#!/bin/sh'\n");
    let chmod =
        |path: &str, mode| fs::set_permissions(ws.path(path), fs::Permissions::from_mode(mode)).unwrap();
    let is_executable = || fs::metadata(ws.path("made.sh")).unwrap().permissions().mode() & 0o100 != 0;
    chmod("tool.sh", 0o755);
    ws.lp("build").success();
    assert_eq!(ws.read("made.sh"), "#!/bin/sh\n");
    chmod("tool.sh", 0o644);
    ws.lp("build").success().stderr(expect![[r#"
        task:t  stale: `tool.sh` is no longer executable
        1 task ran
    "#]]);
    assert_eq!(ws.read("made.sh"), "no\n");
    // Other bits do not count, and setting it back finds the first result.
    chmod("tool.sh", 0o600);
    ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    chmod("tool.sh", 0o700);
    ws.lp("build").success().stderr(expect![[r#"
        task:t  restored: output `made.sh` was changed
        0 tasks ran, 1 restored
    "#]]);
    assert_eq!(ws.read("made.sh"), "#!/bin/sh\n");
    assert!(is_executable());
    chmod("made.sh", 0o644);
    ws.lp("build").success().stderr_has("restored: output `made.sh` was changed");
    assert!(is_executable());
}

#[test]
fn cameras_in_other_scripts_and_like_flags_have_files_of_their_own() {
    let ws = Workspace::cameras();
    let cameras = ws.read("configs/camera_to_workload.json");
    for names in [["入口", "出口"], ["Tür", "Tor ä"], ["-x", "--help"]] {
        let named = cameras.replace("camera-1", names[0]).replace("camera-2", names[1]);
        ws.write("configs/camera_to_workload.json", &named);
        ws.lp("check --strict").success();
        fs::remove_dir_all(ws.path("results")).ok();
        ws.lp("build plan").success();
        let files = fs::read_dir(ws.path("results/plan")).unwrap();
        let files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(files.iter().all(|file| file.is_ascii() && !file.starts_with('-')), "{files:?}");
        for name in names {
            let slug = lp::name::Slug::of(name).unwrap();
            let shown = ws.lp(&format!("show {slug}")).success().stdout;
            assert!(shown.contains(name), "{shown}");
        }
    }
}
