//! Content decides: whatever times, links and hands do to inputs and outputs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use expect_test::expect;

use crate::support::{Ended, Workspace};

/// Copies `in` to `out` and counts how often it ran.
const COPY: &str = r#"
[[task]]
name = "t"
command = ["sh", "-c", "cp in out; echo x >> count"]
inputs = ["in"]
outputs = ["out"]
"#;

fn copy() -> Workspace {
    let ws = Workspace::tasks(COPY).file("in", "1");
    ws.lp("build").success();
    ws
}

#[track_caller]
fn ran(ws: &Workspace, times: usize) {
    assert_eq!(ws.read("count").lines().count(), times);
}

#[track_caller]
fn nothing_to_do(ws: &Workspace) {
    ws.lp("build").success().stderr(expect![[r#"
        nothing to do: 1 task fresh
    "#]]);
}

fn set_time(ws: &Workspace, path: &str, time: SystemTime) {
    fs::File::open(ws.path(path)).unwrap().set_modified(time).unwrap();
}

fn time(ws: &Workspace, path: &str) -> SystemTime {
    fs::metadata(ws.path(path)).unwrap().modified().unwrap()
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let ws = copy();
    for (n, text) in ["2", "3", "1"].iter().enumerate() {
        let before = time(&ws, "in");
        ws.write("in", text);
        set_time(&ws, "in", before);
        ws.lp("build").success();
        assert_eq!(ws.read("out"), *text, "edit {n}");
    }
    ran(&ws, 3);
}

#[test]
fn edits_as_fast_as_builds_are_all_seen() {
    let ws = copy();
    for n in 0..30 {
        let text = (n % 7).to_string();
        ws.write("in", &text);
        ws.lp("build").success();
        assert_eq!(ws.read("out"), text);
        ws.write("out", "x");
        ws.lp("build").success();
        assert_eq!(ws.read("out"), text);
    }
    ran(&ws, 7);
}

#[test]
fn an_older_file_in_its_place_is_seen() {
    let ws = copy();
    ws.write("older", "2");
    set_time(&ws, "older", SystemTime::now() - 30 * YEAR);
    fs::rename(ws.path("older"), ws.path("in")).unwrap();
    ws.lp("build").success().stderr(expect![[r#"
        task:t  stale: `in` changed
        1 task ran
    "#]]);
    assert_eq!(ws.read("out"), "2");
}

#[test]
fn times_in_the_future_and_before_1970_decide_nothing() {
    let ws = copy();
    let epoch = SystemTime::UNIX_EPOCH;
    for time in
        [SystemTime::now() + 80 * YEAR, epoch, epoch - YEAR, SystemTime::now() + Duration::from_secs(60)]
    {
        for path in ["in", "out"] {
            set_time(&ws, path, time);
            nothing_to_do(&ws);
        }
        ws.write("in", "2");
        set_time(&ws, "in", time);
        ws.lp("build").success();
        assert_eq!(ws.read("out"), "2");
        ws.write("in", "1");
        set_time(&ws, "in", time);
        ws.lp("build").success();
        assert_eq!(ws.read("out"), "1");
        ws.write("out", "3");
        set_time(&ws, "out", time);
        ws.lp("build").success().stderr_has("restored: output `out` was changed");
        assert_eq!(ws.read("out"), "1");
    }
    ran(&ws, 2);
}

#[test]
fn a_revert_restores_and_runs_nothing() {
    let ws = copy();
    ws.write("in", "2");
    ws.lp("build").success();
    for text in ["1", "2", "1"] {
        ws.write("in", text);
        ws.lp("build").success().stderr(expect![[r#"
            task:t  restored: output `out` was changed
            0 tasks ran, 1 restored
        "#]]);
        assert_eq!(ws.read("out"), text);
    }
    ran(&ws, 2);
}

#[test]
fn a_reverted_command_and_variable_run_nothing() {
    let ws = copy();
    let edited =
        [COPY.replace("\"sh\", \"-c\"", "\"sh\", \"-ec\""), format!("{COPY}env = {{ A = \"1\" }}\n")];
    for (text, reason) in edited.iter().zip(["`command` changed", "`A` was added"]) {
        ws.write("Lpfile.toml", text);
        ws.lp("build").success().stderr_has(reason);
        ws.write("Lpfile.toml", COPY);
        nothing_to_do(&ws);
    }
    ran(&ws, 3);
}

#[test]
fn an_output_that_was_touched_by_hand_is_restored() {
    let ws = copy();
    let out = ws.path("out");
    let changed = "task:t  restored: output `out` was changed\n0 tasks ran, 1 restored\n";
    let deleted = changed.replace("changed", "deleted");
    let by_hand: [(&str, &dyn Fn()); 9] = [
        (&deleted, &|| fs::remove_file(&out).unwrap()),
        (changed, &|| fs::write(&out, "other").unwrap()),
        (changed, &|| fs::write(&out, "").unwrap()),
        (changed, &|| fs::set_permissions(&out, fs::Permissions::from_mode(0o755)).unwrap()),
        (changed, &|| {
            fs::remove_file(&out).unwrap();
            fs::create_dir_all(out.join("a/b")).unwrap();
            fs::write(out.join("a/b/c"), "1").unwrap();
        }),
        (changed, &|| {
            fs::remove_file(&out).unwrap();
            symlink("nowhere", &out).unwrap();
        }),
        (changed, &|| {
            fs::remove_file(&out).unwrap();
            symlink("in", &out).unwrap();
        }),
        (changed, &|| {
            fs::remove_file(&out).unwrap();
            // As any file that is none: nobody waits for a writer.
            assert!(Command::new("mkfifo").arg(&out).status().unwrap().success());
        }),
        (changed, &|| {
            fs::remove_file(&out).unwrap();
            fs::create_dir(&out).unwrap();
            assert!(Command::new("mkfifo").arg(out.join("pipe")).status().unwrap().success());
        }),
    ];
    for (n, (line, act)) in by_hand.iter().enumerate() {
        act();
        let ended = ws.lp("build").success();
        assert_eq!(ended.stderr, *line, "{n}");
        let metadata = fs::symlink_metadata(&out).unwrap();
        assert!(metadata.is_file() && metadata.mode() & 0o111 == 0, "{n}");
        assert_eq!(ws.read("out"), "1");
        assert_eq!(ws.read("in"), "1", "nothing is written through a link");
        nothing_to_do(&ws);
    }
    ran(&ws, 1);
}

#[test]
fn every_output_that_was_touched_by_hand_is_named() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"touch\", \"a\", \"b\", \"c\", \"d\", \"e\"]\noutputs = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n",
    );
    ws.lp("build").success();
    for path in ["a", "c"] {
        fs::remove_file(ws.path(path)).unwrap();
    }
    ws.write("e", "x");
    ws.lp("build").success().stderr(expect![[r#"
        task:t  restored: outputs `a`, `c` were deleted, output `e` was changed
        0 tasks ran, 1 restored
    "#]]);
    for path in ["a", "b", "c", "d", "e"] {
        ws.write(path, "x");
    }
    ws.lp("build").success().stderr(expect![[r#"
        task:t  restored: outputs `a`, `b`, `c` and 2 more were changed
        0 tasks ran, 1 restored
    "#]]);
    assert_eq!(ws.read("e"), "");
}

#[test]
fn empty_files_and_folders_are_inputs_and_outputs() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "mkdir -p dir/empty; touch dir/file out"]
inputs = ["in", "none"]
outputs = ["out", "dir"]
"#,
    )
    .file("in", "");
    fs::create_dir(ws.path("none")).unwrap();
    ws.lp("build").success();
    fs::remove_file(ws.path("out")).unwrap();
    fs::remove_dir(ws.path("dir/empty")).unwrap();
    ws.lp("build").success().stderr(expect![[r#"
        task:t  restored: output `out` was deleted, output `dir` was changed
        0 tasks ran, 1 restored
    "#]]);
    assert!(ws.exists("dir/empty") && ws.exists("dir/file"));
    assert_eq!(ws.read("out"), "");
    ws.write("none/x", "");
    ws.lp("build").success().stderr_has("stale: `none` changed");
    ws.write("in", "x");
    ws.lp("build").success().stderr_has("stale: `in` changed");
}

#[test]
fn an_output_folder_is_restored_whole() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "mkdir -p out/sub; echo 1 > out/sub/x; echo 2 > out/tool; chmod +x out/tool; ln -s sub/x out/link; ln -s . out/loop"]
outputs = ["out"]
"#,
    );
    ws.lp("build").success();
    let by_hand: [&dyn Fn(); 6] = [
        &|| fs::remove_dir_all(ws.path("out/sub")).unwrap(),
        &|| ws.write("out/more", "x"),
        &|| ws.write("out/sub/x", "2"),
        &|| fs::set_permissions(ws.path("out/tool"), fs::Permissions::from_mode(0o644)).unwrap(),
        &|| {
            fs::remove_file(ws.path("out/link")).unwrap();
            symlink("tool", ws.path("out/link")).unwrap();
        },
        &|| {
            fs::remove_dir_all(ws.path("out")).unwrap();
            symlink("nowhere", ws.path("out")).unwrap();
        },
    ];
    for act in by_hand {
        act();
        ws.lp("build").success().stderr(expect![[r#"
            task:t  restored: output `out` was changed
            0 tasks ran, 1 restored
        "#]]);
        assert_eq!(ws.read("out/sub/x"), "1\n");
        assert_eq!(fs::read_link(ws.path("out/link")).unwrap(), PathBuf::from("sub/x"));
        assert!(fs::metadata(ws.path("out/tool")).unwrap().mode() & 0o100 != 0);
        assert!(!ws.exists("out/more"));
        nothing_to_do(&ws);
    }
}

/// Runs `lp build` as somebody who is not root and must obey file modes.
fn build_as_nobody(ws: &Workspace) -> Ended {
    let lp = ws.command(&["build"]);
    let mut command = if rustix::process::getuid().is_root() {
        let whole = ws.root().parent().unwrap().to_owned();
        assert!(Command::new("chown").arg("-R").arg("65534:65534").arg(whole).status().unwrap().success());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(lp.get_program());
        command
    } else {
        Command::new(lp.get_program())
    };
    command.args(lp.get_args()).current_dir(ws.root());
    for (name, value) in lp.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ended::new(command.output().unwrap(), &ws.root())
}

#[test]
fn a_folder_that_forbids_writing_is_an_output_that_can_be_made_again() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "mkdir -p out/a/b; cp in out/a/b/x; chmod 555 out/a/b out/a out"]
inputs = ["in"]
outputs = ["out"]
"#,
    );
    for text in ["1", "2"] {
        ws.write("in", text);
        build_as_nobody(&ws).success().stderr_has("1 task ran");
        assert_eq!(ws.read("out/a/b/x"), text);
        build_as_nobody(&ws).success().stderr_has("nothing to do: 1 task fresh");
    }
    ws.write("in", "1");
    build_as_nobody(&ws).success().stderr_has("restored: output `out` was changed");
    assert_eq!(ws.read("out/a/b/x"), "1");
}

#[test]
fn an_output_that_its_owner_may_not_read_is_restored() {
    let ws = copy();
    fs::set_permissions(ws.path("out"), fs::Permissions::from_mode(0o000)).unwrap();
    // Its digest is remembered, but a changed mode is a changed identity.
    build_as_nobody(&ws).success().stderr_has("restored: output `out` was changed");
    assert_eq!(ws.read("out"), "1");
}

#[test]
fn an_input_that_is_a_link_counts_by_what_it_leads_to() {
    let ws = Workspace::tasks(COPY).file("one", "1").file("same", "1").file("two", "2");
    let point = |target: &str| {
        let _ = fs::remove_file(ws.path("in"));
        symlink(target, ws.path("in")).unwrap();
    };
    point("one");
    ws.lp("build").success();
    point("same");
    nothing_to_do(&ws);
    point("two");
    ws.lp("build").success().stderr_has("stale: `in` changed");
    ws.write("two", "3");
    ws.lp("build").success().stderr_has("stale: `in` changed");
    assert_eq!(ws.read("out"), "3");
}

#[test]
fn a_folder_in_the_place_of_a_file_is_another_input_even_if_the_file_reads_like_its_listing() {
    let ws = Workspace::tasks(&COPY.replace("cp in out", "stat -c %F in > out")).file("in", "[]");
    ws.lp("build").success();
    assert_eq!(ws.read("out"), "regular file\n");
    fs::remove_file(ws.path("in")).unwrap();
    fs::create_dir(ws.path("in")).unwrap();
    ws.lp("build").success().stderr_has("stale: `in` changed");
    assert_eq!(ws.read("out"), "directory\n");
}

#[test]
fn links_to_folders_and_out_of_the_project_are_read_and_their_contents_count() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "cat outside/x file > out"]
inputs = ["outside", "file"]
outputs = ["out"]
"#,
    );
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "1").unwrap();
    fs::write(outside.path().join("y"), "1").unwrap();
    symlink(".", outside.path().join("circle")).unwrap();
    symlink(outside.path(), ws.path("outside")).unwrap();
    symlink(outside.path().join("y"), ws.path("file")).unwrap();
    ws.lp("build").success();
    nothing_to_do(&ws);
    fs::write(outside.path().join("x"), "2").unwrap();
    ws.lp("build").success().stderr_has("stale: `outside` changed");
    assert_eq!(ws.read("out"), "21");
    // `y` lies in the folder too, which comes later in the order of paths.
    fs::write(outside.path().join("y"), "2").unwrap();
    ws.lp("build").success().stderr_has("stale: `file` changed");
}

#[test]
fn an_output_never_leaves_the_project_through_a_link() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"cp\", \"Lpfile.toml\", \"link/x\"]\noutputs = [\"link/x\"]\n",
    );
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "precious").unwrap();
    symlink(outside.path(), ws.path("link")).unwrap();
    let ended = ws.lp("build").code(1);
    let expected = format!(
        "task:t  new\nerror: `task:t` failed\n  caused by: failed to write `<project>/link/x`\n  \
         caused by: a link on its way leaves the project: it would be in `{}`\n0 tasks ran, 1 failed\n",
        outside.path().display()
    );
    assert_eq!(ended.stderr, expected);
    assert_eq!(fs::read_to_string(outside.path().join("x")).unwrap(), "precious");
    // The same where an earlier result would be restored.
    fs::remove_file(ws.path("link")).unwrap();
    ws.lp("build").success();
    fs::remove_dir_all(ws.path("link")).unwrap();
    symlink(outside.path(), ws.path("link")).unwrap();
    ws.lp("build").code(1).stderr_has("a link on its way leaves the project");
    assert_eq!(fs::read_to_string(outside.path().join("x")).unwrap(), "precious");
    // A folder that is linked to one inside is fine.
    fs::remove_file(ws.path("link")).unwrap();
    fs::create_dir(ws.path("real")).unwrap();
    symlink("real", ws.path("link")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `link/x` was deleted");
    assert!(ws.exists("real/x"));
}

#[test]
fn an_output_that_is_a_link_is_kept_as_one() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"ln\", \"-s\", \"/nowhere/x\", \"out\"]\noutputs = [\"out\"]\n",
    );
    ws.lp("build").success();
    fs::remove_file(ws.path("out")).unwrap();
    symlink("/nowhere/y", ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `out` was changed");
    assert_eq!(fs::read_link(ws.path("out")).unwrap(), PathBuf::from("/nowhere/x"));
}

#[test]
fn an_input_that_its_task_changes_fails_it_and_is_named() {
    let ws = Workspace::tasks(&COPY.replace("cp in out", "cp in out; echo more >> in")).file("in", "1\n");
    ws.lp("build").code(1).stderr(expect![[r#"
        task:t  new
        error: `task:t` failed
          caused by: input `in` changed while the task ran
        0 tasks ran, 1 failed
    "#]]);
    assert!(!ws.exists("out"));
    // What it left is another input, and changes again.
    ws.lp("build").code(1).stderr_has("input `in` changed while the task ran");
    ws.write("Lpfile.toml", COPY);
    ws.lp("build").success();
    assert_eq!(ws.read("out"), "1\nmore\nmore\n");
}

#[test]
fn an_input_that_its_task_deletes_fails_it_and_is_named() {
    let ws = Workspace::tasks(&COPY.replace("cp in out", "mv in out")).file("in", "1\n");
    ws.lp("build").code(1).stderr_has("input `in` changed while the task ran");
    assert!(!ws.exists("out"));
}

#[test]
fn outputs_of_a_failed_task_are_deleted() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "mkdir -p dir/sub; echo half > dir/sub/x; echo half > out; ln -s / link; exit 1"]
outputs = ["dir", "out", "link", "never"]
"#,
    );
    ws.write("dir/old", "from an earlier time");
    ws.lp("build").code(1).stderr_has("exit status 1");
    for path in ["dir", "out", "link"] {
        assert!(fs::symlink_metadata(ws.path(path)).is_err(), "{path}");
    }
    assert!(ws.exists("Lpfile.toml"));
    let mut left: Vec<_> = fs::read_dir(ws.path(".lpcache/tmp")).unwrap().collect();
    assert!(left.pop().is_none(), "{left:?}");
}

#[test]
fn outputs_of_a_first_attempt_are_deleted_before_the_second() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "ls $TMPDIR >> seen; touch $TMPDIR/left; echo x >> out; test -e again || { touch again; echo half > dir; exit 1; }; mkdir dir"]
outputs = ["out", "dir"]
retries = 1
"#,
    );
    ws.lp("build").success().stderr(expect![[r#"
        task:t  new
        task:t: exit status 1; retry 1 of 1
        1 task ran
    "#]]);
    assert_eq!((ws.read("out"), ws.read("seen")), ("x\n".to_owned(), String::new()));
    // Nor is it taken for a result if the second attempt makes nothing.
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "test -e again || { touch again; echo half > out; exit 1; }"]
outputs = ["out"]
retries = 1
"#,
    );
    ws.lp("build").code(1).stderr_has("output `out` was not made");
}

#[test]
fn an_output_of_an_earlier_time_is_not_taken_for_a_result() {
    // The command writes nothing, but something stands there already.
    let ws =
        Workspace::tasks("[[task]]\nname = \"t\"\ncommand = [\"true\"]\noutputs = [\"out\", \"dir/x\"]\n")
            .file("out", "old")
            .file("dir/x", "old");
    ws.lp("build").code(1).stderr_has("output `out` was not made");
    assert!(!ws.exists("out") && !ws.exists("dir/x"));
}

/// The blob with this content.
fn blob(ws: &Workspace, content: &[u8]) -> PathBuf {
    let folders = fs::read_dir(ws.path(".lpcache/cas")).unwrap().map(|entry| entry.unwrap().path());
    let mut blobs =
        folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    blobs.find(|path| fs::read(path).unwrap() == content).expect("the blob is stored")
}

/// Flips a bit and sets the time back.
fn rot(path: &std::path::Path) {
    let before = fs::metadata(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, before.permissions()).unwrap();
    fs::File::open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn a_rotten_blob_is_never_restored_but_made_again() {
    let ws = copy();
    for n in 1..=2 {
        rot(&blob(&ws, b"1"));
        nothing_to_do(&ws);
        fs::remove_file(ws.path("out")).unwrap();
        ws.lp("build").success().stderr(expect![[r#"
            task:t  stale: output `out` was deleted, and the store has lost it
            1 task ran
        "#]]);
        assert_eq!(ws.read("out"), "1");
        ran(&ws, n + 1);
    }
    fs::remove_file(ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `out` was deleted");
    assert_eq!(ws.read("out"), "1");
}

#[test]
fn a_rotten_blob_of_a_folder_is_never_restored_but_made_again() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", \"mkdir out; echo 1 > out/x; echo 2 > out/y\"]\noutputs = [\"out\"]\n",
    );
    ws.lp("build").success();
    rot(&blob(&ws, b"2\n"));
    fs::remove_dir_all(ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("1 task ran");
    assert_eq!(ws.read("out/y"), "2\n");
    // The listing itself.
    let listing = fs::read_dir(ws.path(".lpcache/cas"))
        .unwrap()
        .flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
    let listing =
        listing.map(|entry| entry.unwrap().path()).find(|path| fs::read(path).unwrap().starts_with(b"[{"));
    rot(&listing.unwrap());
    fs::remove_dir_all(ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("1 task ran");
    fs::remove_dir_all(ws.path("out")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `out` was deleted");
    assert_eq!(ws.read("out/x") + &ws.read("out/y"), "1\n2\n");
}

/// Writes a file that is large enough to share its blob.
const LARGE: &str = r#"
[[task]]
name = "t"
command = ["sh", "-c", "head -c 2000000 /dev/zero > out"]
outputs = ["out"]
"#;

#[test]
fn writing_through_a_linked_output_does_not_damage_the_store() {
    let ws = Workspace::tasks(LARGE);
    ws.lp("build").success();
    for _ in 0..2 {
        // As root may; as another user the output is read-only.
        rot(&ws.path("out"));
        ws.lp("build").success();
        assert!(fs::read(ws.path("out")).unwrap().iter().all(|byte| *byte == 0));
        nothing_to_do(&ws);
        fs::remove_file(ws.path("out")).unwrap();
        ws.lp("build").success().stderr_has("restored: output `out` was deleted");
        assert!(fs::read(ws.path("out")).unwrap().iter().all(|byte| *byte == 0));
    }
}

#[test]
fn the_store_may_lie_on_another_file_system() {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let ws = Workspace::tasks(&format!(
        "{LARGE}{}",
        COPY.replace("\"t\"", "\"u\"").replace("in out", "in copy").replace("[\"out\"]", "[\"copy\"]")
    ));
    let ws = ws.file("in", "1");
    let device = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(elsewhere.path()), device(&ws.root()));
    symlink(elsewhere.path(), ws.path(".lpcache")).unwrap();
    ws.lp("build").success();
    ws.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");
    fs::remove_file(ws.path("out")).unwrap();
    fs::remove_file(ws.path("copy")).unwrap();
    ws.lp("build").success().stderr_has("0 tasks ran, 2 restored");
    assert_eq!(fs::metadata(ws.path("out")).unwrap().len(), 2_000_000);
    assert_eq!(ws.read("copy"), "1");
    fs::write(ws.path("out"), "x").unwrap();
    ws.lp("build").success().stderr_has("restored: output `out` was changed");
    assert_eq!(fs::metadata(ws.path("out")).unwrap().len(), 2_000_000);
    ws.lp("cache clean").success();
    ws.lp("build").success().stderr_has("2 tasks ran");
}

#[test]
fn a_project_that_moves_stays_fresh() {
    let ws = copy();
    let elsewhere = tempfile::tempdir().unwrap();
    let there = Workspace::within(elsewhere.path().join("w"), Some(elsewhere));
    fs::remove_dir(there.root()).unwrap();
    fs::rename(ws.root(), there.root()).unwrap();
    nothing_to_do(&there);
    fs::remove_file(there.path("out")).unwrap();
    there.lp("build").success().stderr_has("restored: output `out` was deleted");
}

#[test]
fn the_callers_environment_does_not_reach_a_task_or_its_key() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "t"
command = ["sh", "-c", "env | cut -d= -f1 | grep -v '^_$' | sort > names; echo $PATH $LANG > out; hello || true"]
outputs = ["names", "out"]
"#,
    )
    .file("bin/hello", "#!/bin/sh\necho leaked > out\n");
    fs::set_permissions(ws.path("bin/hello"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", ws.path("bin").display(), std::env::var("PATH").unwrap());
    let ws = ws.env("PATH", &path).env("LC_ALL", "C").env("SECRET", "1").env("TMPDIR", "/nowhere");
    ws.lp("build").success();
    // The search path is ours, so the caller's `hello` is not found.
    assert_eq!(ws.read("out"), "/usr/local/bin:/usr/bin:/bin C.UTF-8\n");
    assert_eq!(ws.read("names"), "HOME\nLANG\nPATH\nPWD\nTMPDIR\n");
    let ws = ws.env("HOME", "/elsewhere").env("USER", "somebody").env("SECRET", "2").env("HOSTNAME", "other");
    nothing_to_do(&ws);
    let key = ws.lp("cache show task:t").success().stdout;
    for text in ["elsewhere", "SECRET", "TMPDIR", "<project>"] {
        assert!(!key.contains(text), "{text} in {key}");
    }
}

#[test]
fn a_program_of_the_project_is_found_from_any_folder() {
    let ws = Workspace::tasks("[[task]]\nname = \"t\"\ncommand = [\"tools/make.sh\"]\ninputs = [\"tools/make.sh\"]\noutputs = [\"out\"]\n")
        .file("tools/make.sh", "#!/bin/sh\npwd > out\n")
        .file("deep/down/x", "");
    fs::set_permissions(ws.path("tools/make.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = ws.command(&["build"]).current_dir(ws.path("deep/down")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(ws.read("out"), format!("{}\n", ws.root().canonicalize().unwrap().display()));
}
