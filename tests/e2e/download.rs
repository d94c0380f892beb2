//! An asset over HTTP from a local server, pinned, into the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;

use crate::support::{CAMERAS, Workspace};

/// The digest of something else.
const DIGEST: &str = "a42a4ba0b5b3c0d0a22ad0ad43ad5bbd3a2a30f0e33d37a2cf6ba5e18ecf8b6e";
/// Begins as a video does.
pub(crate) const BODY: &str = "\0\0\0\u{18}ftypisom: not really a video";
const PAGE: &str = "<!DOCTYPE html><title>Guest network</title><body>Sign in</body>";

/// Serves on a port of its own and counts requests.
pub(crate) struct Server {
    pub(crate) port: u16,
    n_requests: Arc<AtomicUsize>,
    server: Arc<tiny_http::Server>,
}

/// A status, headers and a body.
pub(crate) type Answer = (u16, Vec<(&'static str, &'static str)>, &'static str);

impl Server {
    /// [`BODY`] under `/a.mp4`.
    pub(crate) fn start() -> Server {
        Server::answering(|url, _| if url == "/a.mp4" { (200, vec![], BODY) } else { (404, vec![], "no") })
    }

    /// Answers by `answer`, which gets the path and how many requests came before.
    pub(crate) fn answering(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> Server {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let port = server.server_addr().to_ip().unwrap().port();
        let n_requests = Arc::new(AtomicUsize::new(0));
        let (serving, counted) = (Arc::clone(&server), Arc::clone(&n_requests));
        std::thread::spawn(move || {
            for request in serving.incoming_requests() {
                let before = counted.fetch_add(1, Ordering::SeqCst);
                let (status, headers, body) = answer(request.url(), before);
                let mut response = tiny_http::Response::from_string(body).with_status_code(status);
                for (name, value) in headers {
                    response.add_header(tiny_http::Header::from_bytes(name, value).unwrap());
                }
                let _ = request.respond(response);
            }
        });
        Server { port, n_requests, server }
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

pub(crate) fn workspace(server: &Server, lpfile: &str) -> Workspace {
    let cameras = CAMERAS.replace("127.0.0.1:9", &format!("127.0.0.1:{}", server.port));
    Workspace::cameras().file("configs/camera_to_workload.json", &cameras).file("Lpfile.toml", lpfile)
}

pub(crate) fn sha256(text: &str) -> String {
    digest_of(text.as_bytes())
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_pinned_asset_is_fetched_once() {
    let server = Server::start();
    let pin = format!("[asset.\"a.mp4\"]\nsha256 = \"{}\"\n", sha256(BODY));
    let ws = workspace(&server, &pin);
    ws.lp("build download:a.mp4").success().stderr_has("download:a.mp4  new");
    assert_eq!(ws.read("media/a.mp4"), BODY);
    ws.lp("build download:a.mp4").success().stderr_has("nothing to do");
    std::fs::remove_file(ws.path("media/a.mp4")).unwrap();
    ws.lp("build download:a.mp4").success().stderr_has("`media/a.mp4` was deleted");
    assert_eq!(ws.read("media/a.mp4"), BODY);
    assert_eq!(server.n_requests(), 1);
}

#[test]
fn another_digest_than_the_pinned_is_refused_with_both() {
    let server = Server::start();
    let ws = workspace(&server, &format!("[asset.\"a.mp4\"]\nsha256 = \"{DIGEST}\"\n"));
    let ended = ws.lp("build download:a.mp4").code(1);
    let expected = format!("has digest {}, but the config pins {DIGEST}", sha256(BODY));
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(!ws.exists("media/a.mp4"), "nothing unverified is left behind");
}

#[test]
fn a_mirror_is_tried_before_the_url_of_the_camera() {
    let server = Server::start();
    let mirror = format!(
        "[asset.\"a.mp4\"]\nurls = [\"http://127.0.0.1:{0}/gone.mp4\", \"http://127.0.0.1:{0}/a.mp4\"]\n",
        server.port
    );
    workspace(&server, &mirror).lp("build download:a.mp4").success();
    assert_eq!(server.n_requests(), 2);
}

#[test]
fn a_server_that_is_gone_is_a_failed_task() {
    let ws = Workspace::cameras();
    let ended = ws.lp("build download:a.mp4").code(1);
    assert!(ended.stderr.contains("error: `download:a.mp4` failed"), "{}", ended.stderr);
    assert!(!ws.exists("media/a.mp4"));
    ended.stderr_has(
        "\n  hint: behind a proxy, set `HTTPS_PROXY`; name a mirror with `urls` in `[asset.\"a.mp4\"]`; \
         or play a file of your own: put it at `media/a.mp4`, or name it with `path` there\n",
    );
}

#[test]
fn a_download_goes_through_the_proxy_of_the_environment() {
    use std::io::{BufRead, BufReader, Read, Write};
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (stream, _) = proxy.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = || {
            let mut lines = reader.by_ref().lines().map(Result::unwrap);
            lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<String>>()
        };
        let asked = head().swap_remove(0);
        if asked.starts_with("CONNECT ") {
            (&stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            head();
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len());
        (&stream).write_all(answer.as_bytes()).unwrap();
        asked
    });
    let cameras = CAMERAS.replace("127.0.0.1:9", "clips.invalid");
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    let ws = ws.env("HTTPS_PROXY", &address).env("HTTP_PROXY", &address).env("NO_PROXY", "");
    ws.lp("build download:a.mp4").success();
    assert_eq!(ws.read("media/a.mp4"), BODY);
    let asked = serving.join().unwrap();
    assert!(asked.contains("clips.invalid"), "{asked}");
}

#[test]
fn files_that_are_not_videos_are_refused() {
    let answers: [(&str, Answer, &str); 7] = [
        (
            "page",
            (200, vec![("Content-Type", "video/mp4")], PAGE),
            "sent an HTML page titled `Guest network`",
        ),
        ("empty", (200, vec![], ""), "sent an empty body"),
        ("queued", (202, vec![], BODY), "answered 202 Accepted: it is not ready"),
        ("nothing", (204, vec![], ""), "answered 204 No Content"),
        (
            "part",
            (206, vec![("Content-Range", "bytes 0-29/900")], BODY),
            "answered 206 Partial Content, bytes 0-29/900, though all of it was asked for",
        ),
        (
            "packed",
            (200, vec![("Content-Encoding", "br")], "\u{1}\u{2}"),
            "sent it br-encoded, though nobody asked for that",
        ),
        (
            "error",
            (200, vec![], "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>"),
            "sent an XML error document with the code `NoSuchKey`",
        ),
    ];
    let told = answers.clone();
    let server = Server::answering(move |url, _| {
        let found = answers.iter().find(|(name, ..)| url == format!("/{name}"));
        found.map_or((200, vec![], BODY), |(_, answer, _)| answer.clone())
    });
    for (name, _, found) in told {
        let url = format!("http://127.0.0.1:{}/{name}", server.port);
        let cameras = CAMERAS.replace("http://127.0.0.1:9/a.mp4", &url.replace("//", "//user:secret@"));
        let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
        let ended = ws.lp("build download:a.mp4").code(1);
        let expected =
            format!("`{}` did not bring the file: the server {found}\n", url.replace("//", "//***@"));
        assert!(ended.stderr.contains(&expected), "{expected}\n{}", ended.stderr);
        assert!(!ws.exists("media/a.mp4"));
        // The next mirror is asked.
        let mirror = format!("[asset.\"a.mp4\"]\nurls = [\"{url}\", \"{url}/well\"]\n");
        ws.write("Lpfile.toml", &mirror);
        ws.lp("build download:a.mp4").success();
        assert_eq!(ws.read("media/a.mp4"), BODY);
    }
}

#[test]
fn a_pinned_file_may_look_like_anything_but_only_with_its_pin() {
    let server = Server::answering(|_, _| (206, vec![("Content-Encoding", "gzip")], PAGE));
    let ws = workspace(&server, &format!("[asset.\"a.mp4\"]\nsha256 = \"{}\"\n", sha256(PAGE)));
    ws.lp("build download:a.mp4").success();
    assert_eq!(ws.read("media/a.mp4"), PAGE);
    ws.write("Lpfile.toml", &format!("[asset.\"a.mp4\"]\nsha256 = \"{DIGEST}\"\n"));
    let told = format!("pins {DIGEST}: the server answered 206");
    ws.lp("build download:a.mp4").code(1).stderr_has(&told);
    // What is in place and in the store is not content enough without it.
    ws.write("Lpfile.toml", "");
    ws.lp("build download:a.mp4").code(1).stderr_has("did not bring the file");
}

#[test]
fn a_server_that_is_busy_is_asked_again_after_the_mirrors() {
    let server = Server::answering(|url, before| match (url, before) {
        ("/busy.mp4", 0..4) => (503, vec![("Retry-After", "0")], "busy"),
        ("/busy.mp4", _) => (200, vec![], BODY),
        _ => (404, vec![], "no"),
    });
    let urls = format!(
        "[asset.\"a.mp4\"]\nurls = [\"http://127.0.0.1:{0}/busy.mp4\", \"http://127.0.0.1:{0}/gone.mp4\"]\n",
        server.port
    );
    let ws = workspace(&server, &urls);
    let again = format!(
        "download:a.mp4: the server answered 503 for `http://127.0.0.1:{}/busy.mp4`; asking again in",
        server.port
    );
    let ended = ws.lp("build download:a.mp4").success().stderr_has(&format!("{again} 500ms"));
    assert!(ended.stderr.contains(&format!("{again} 1s")), "{}", ended.stderr);
    // Busy, gone, the camera's own; then the busy one alone, twice.
    assert_eq!(server.n_requests(), 5);
    assert_eq!(ws.read("media/a.mp4"), BODY);
}

#[test]
fn a_download_is_performed_again_when_it_is_asked_for() {
    let server = Server::answering(|_, before| {
        (200, vec![], if before < 2 { BODY } else { "\0\0\0\u{18}ftypisom: another" })
    });
    let task = "[[task]]\nname = \"copy\"\ncommand = [\"cp\", \"media/a.mp4\", \"b.mp4\"]\n\
                inputs = [\"media/a.mp4\"]\noutputs = [\"b.mp4\"]\n";
    let ws = workspace(&server, task);
    ws.lp("build copy").success();
    ws.lp("build copy").success().stderr_has("nothing to do");
    ws.lp("build --again --dry-run download:a.mp4").success().stderr(expect![[r#"
        download:a.mp4  stale: asked for with `--again`
        1 task would run
    "#]]);
    assert_eq!(server.n_requests(), 1);
    // The same came: nothing else runs.
    ws.lp("build --again download:a.mp4")
        .success()
        .stderr_has("download:a.mp4  stale: asked for with `--again`");
    ws.lp("explain --last").success().stdout_has("asked for with `--again`");
    ws.lp("build copy").success().stderr_has("nothing to do");
    // Something else came, which only another command takes.
    ws.lp("build --again download:a.mp4").code(1).stderr_has("`lp assets update a.mp4` takes the new one");
    ws.lp("build copy").success().stderr_has("nothing to do");
    ws.lp("assets update a.mp4").success();
    assert_eq!(server.n_requests(), 4);
    ws.lp("build copy").success().stderr_has("task:copy       stale: `media/a.mp4` changed");
    // Each target, and not what it needs.
    ws.lp("build --again copy").success().stderr_has("task:copy       stale: asked for with `--again`");
    assert_eq!(server.n_requests(), 4);
    ws.lp("build --again download:a.mp4 copy").success().stderr_has("task:copy       stale: asked for");
    assert_eq!(server.n_requests(), 5);
    // All is a wish that must be spelt out.
    ws.lp("build --again").code(2).stderr_has("<TARGET>");
}
