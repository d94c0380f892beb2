//! Files in `media/` that `lp` did not make: played, named, never replaced or deleted.

use std::fs;
use std::sync::{Mutex, mpsc};

use expect_test::expect;

use crate::download::{BODY, Server, sha256, workspace};
use crate::own::{VIDEO, cameras};
use crate::support::Workspace;

/// A task that reads the clip, since no worker transcodes it here.
const COPY: &str = "[[task]]\nname = \"copy\"\ncommand = [\"cp\", \"media/a.mp4\", \"b.mp4\"]\n\
    inputs = [\"media/a.mp4\"]\noutputs = [\"b.mp4\"]\n";

const NOTE: &str = "note: `media/a.mp4` is a file of your own, since `lp` did not put it there: \
    it is played instead of the download\n";

fn by_hand(server: &Server) -> Workspace {
    workspace(server, COPY).file("media/a.mp4", VIDEO)
}

#[test]
fn a_file_in_the_place_of_a_download_is_used_and_nothing_fetches_it() {
    let server = Server::start();
    let ws = by_hand(&server);
    let ended = ws.lp("build copy").success();
    assert!(ended.stderr.starts_with(NOTE), "{}", ended.stderr);
    assert_eq!(ws.read("b.mp4"), VIDEO);
    for command in ["show", "list", "graph", "check", "doctor", "clean -n", "explain copy", "build plan"] {
        let stderr = ws.lp(command).stderr;
        assert!(stderr.contains(NOTE), "{command}:\n{stderr}");
    }
    ws.lp("doctor").stdout_has("`media/a.mp4`, a file of your own");
    ws.lp("graph assets").success().stdout(expect![[r#"
        transcode:a.mp4@640x360@15  new
        transcode:a.mp4@320x180@15  new
    "#]]);
    assert_eq!(server.n_requests(), 0);
}

#[test]
fn an_edit_of_such_a_file_is_seen_and_without_it_the_download_is_back() {
    let server = Server::start();
    let ws = by_hand(&server);
    ws.lp("build copy").success();
    ws.lp("build copy").success().stderr_has("nothing to do");
    ws.write("media/a.mp4", "YUV4MPEG2 W32 H24 F15:1\n");
    ws.lp("build copy").success().stderr_has("task:copy  stale: `media/a.mp4` changed");
    fs::remove_file(ws.path("media/a.mp4")).unwrap();
    let ended = ws.lp("build copy").success();
    assert!(!ended.stderr.contains("a file of your own"), "{}", ended.stderr);
    assert_eq!((ws.read("b.mp4").as_str(), server.n_requests()), (BODY, 1));
    ws.lp("build copy").success().stderr_has("nothing to do");
    // It comes back, in the place of what was downloaded.
    ws.write("media/a.mp4", VIDEO);
    ws.lp("build copy").success().stderr_has(
        "note: `media/a.mp4` is not the file that `lp` put there (24 bytes now, 32 bytes then): \
         it is played as a file of your own; delete it to have the download again\n",
    );
    assert_eq!((ws.read("media/a.mp4").as_str(), ws.read("b.mp4").as_str()), (VIDEO, VIDEO));
    fs::remove_file(ws.path("media/a.mp4")).unwrap();
    ws.lp("build copy").success().stderr_has("restored: output `media/a.mp4` was deleted");
    assert_eq!((ws.read("b.mp4").as_str(), server.n_requests()), (BODY, 1));
}

#[test]
fn no_command_deletes_or_replaces_such_a_file() {
    let server = Server::start();
    let ws = workspace(&server, COPY);
    ws.lp("build copy").success();
    ws.write("media/a.mp4", VIDEO);
    ws.lp("build copy").success();
    for command in ["clean", "cache gc --max-size 0", "cache verify", "cache clean", "build copy"] {
        ws.lp(command).success();
        assert_eq!(ws.read("media/a.mp4"), VIDEO, "{command}");
    }
    ws.lp("build --again download:a.mp4").code(2).stderr_has(
        "hint: `media/a.mp4` is a file of your own, which is played instead: delete it to download it\n",
    );
    assert_eq!(server.n_requests(), 1);
}

#[test]
fn what_lp_downloaded_stays_so_without_the_log_and_becomes_the_users_without_the_store() {
    let server = Server::start();
    let ws = workspace(&server, COPY);
    ws.lp("build copy").success();
    ws.lp("cache clean").success();
    let ended = ws.lp("build copy").success();
    assert!(!ended.stderr.contains("note:"), "{}", ended.stderr);
    assert_eq!(server.n_requests(), 2);
    fs::remove_dir_all(ws.path(".lpcache")).unwrap();
    ws.lp("build copy").success().stderr_has(NOTE);
    assert_eq!((ws.read("media/a.mp4").as_str(), server.n_requests()), (BODY, 2));
}

#[test]
fn the_key_of_a_saved_store_does_not_depend_on_such_a_file() {
    let server = Server::start();
    let ws = workspace(&server, "");
    let key = ws.lp("cache key").success().stdout;
    ws.write("media/a.mp4", VIDEO);
    ws.lp("cache key").success().stdout_has(&key);
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_an_error_wherever_it_lies() {
    let server = Server::start();
    let pin = |digest: &str| format!("{COPY}[asset.\"a.mp4\"]\nsha256 = \"{digest}\"\n");
    let ws = workspace(&server, &pin(&sha256(BODY))).file("media/a.mp4", VIDEO);
    let (found, pinned) = (sha256(VIDEO), sha256(BODY));
    for command in ["check", "build transcode:a.mp4@640x360@15", "run"] {
        ws.lp(command)
            .code(2)
            .stderr_has("error[LP0421]: `media/a.mp4` is not the file that is pinned")
            .stderr_has(&format!("its SHA-256 digest is {found}\n --> Lpfile.toml:7:10\n"))
            .stderr_has(&pinned)
            .stderr_has("help: delete the file to have the pinned one, or pin this one: `sha256 = ");
    }
    assert_eq!((ws.read("media/a.mp4").as_str(), server.n_requests()), (VIDEO, 0));
    ws.write("Lpfile.toml", &pin(&found));
    ws.lp("check").success();
    ws.lp("build copy").success();
    assert_eq!(server.n_requests(), 0);
    // One that a camera names by its path.
    let ws = cameras(&["a.mp4|file:../far/x.y4m"]).file("../far/x.y4m", VIDEO);
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{pinned}\"\n"));
    ws.lp("check").code(2).stderr_has("help: put the pinned file there, or pin this one");
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{found}\"\n"));
    ws.lp("check").success();
    // Every pin counts.
    for (key, wrong) in [
        ("size", "1".to_owned()),
        ("sha384", format!("\"{}\"", "0".repeat(96))),
        ("blake3", format!("\"{}\"", "0".repeat(64))),
        ("git_blob_sha1", format!("\"{}\"", "0".repeat(40))),
    ] {
        ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{found}\"\n{key} = {wrong}\n"));
        let ended = ws.lp("check").code(2).stderr_has("--> Lpfile.toml:3:");
        let (_, right) = ended.stderr.split_once("or pin this one: `").unwrap();
        let (right, _) = right.split_once('`').unwrap();
        ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\n{right}\n"));
        ws.lp("check").success();
    }
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{found}\"\n"));
    // The digest is remembered by contents, so an edit of the same size is seen.
    ws.lp("build plan").success();
    ws.lp("check").success();
    ws.write("../far/x.y4m", &VIDEO.replace("W64", "W96"));
    ws.lp("check").code(2).stderr_has("error[LP0421]");
}

#[test]
fn a_file_that_appears_while_its_download_runs_is_not_replaced() {
    let (asked, is_asked) = mpsc::channel::<()>();
    let (answer, may_answer) = mpsc::channel::<()>();
    let (asked, may_answer) = (Mutex::new(asked), Mutex::new(may_answer));
    let server = Server::answering(move |_, _| {
        asked.lock().unwrap().send(()).unwrap();
        may_answer.lock().unwrap().recv().unwrap();
        (200, vec![], BODY)
    });
    let ws = workspace(&server, COPY);
    let ended = std::thread::scope(|scope| {
        let build = scope.spawn(|| ws.lp("build copy"));
        is_asked.recv().unwrap();
        ws.write("media/a.mp4", VIDEO);
        answer.send(()).unwrap();
        build.join().unwrap()
    });
    ended
        .code(1)
        .stderr_has("`media/a.mp4` is in the way: `lp` did not make it, so it does not replace it\n")
        .stderr_has("\n  hint: delete it or move it away; to play it, write `a.mp4|file:media/a.mp4` as the `fileSrc`\n");
    assert_eq!(ws.read("media/a.mp4"), VIDEO);
    ws.lp("build copy").success().stderr_has(NOTE);
    assert_eq!(ws.read("b.mp4"), VIDEO);
}

#[test]
fn a_file_that_a_task_makes_is_no_file_of_the_users() {
    let task = "[[task]]\nname = \"record\"\ncommand = [\"cp\", \"x\", \"media/a.mp4\"]\ninputs = [\"x\"]\n\
        outputs = [\"media/a.mp4\"]\n";
    let ws = Workspace::cameras().file("Lpfile.toml", task).file("x", VIDEO).file("media/a.mp4", "old");
    let ended = ws.lp("build record").success();
    assert!(!ended.stderr.contains("file of your own"), "{}", ended.stderr);
    assert_eq!(ws.read("media/a.mp4"), VIDEO);
}
