//! An asset over HTTP from a local server, pinned, into the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{CAMERAS, Workspace};

/// SHA-256 of `not really a video`.
const DIGEST: &str = "a42a4ba0b5b3c0d0a22ad0ad43ad5bbd3a2a30f0e33d37a2cf6ba5e18ecf8b6e";
const BODY: &str = "not really a video";

/// Serves [`BODY`] under `/a.mp4` and counts requests.
struct Server {
    port: u16,
    n_requests: Arc<AtomicUsize>,
    server: Arc<tiny_http::Server>,
}

impl Server {
    fn start() -> Server {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let port = server.server_addr().to_ip().unwrap().port();
        let n_requests = Arc::new(AtomicUsize::new(0));
        let (serving, counted) = (Arc::clone(&server), Arc::clone(&n_requests));
        std::thread::spawn(move || {
            for request in serving.incoming_requests() {
                counted.fetch_add(1, Ordering::SeqCst);
                let found = request.url() == "/a.mp4";
                let (body, status) = if found { (BODY, 200) } else { ("no", 404) };
                let _ = request.respond(tiny_http::Response::from_string(body).with_status_code(status));
            }
        });
        Server { port, n_requests, server }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

fn workspace(server: &Server, lpfile: &str) -> Workspace {
    let cameras = CAMERAS.replace("127.0.0.1:9", &format!("127.0.0.1:{}", server.port));
    Workspace::cameras().file("configs/camera_to_workload.json", &cameras).file("Lpfile.toml", lpfile)
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
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
    assert_eq!(server.n_requests.load(Ordering::SeqCst), 1);
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
    assert_eq!(server.n_requests.load(Ordering::SeqCst), 2);
}

#[test]
fn a_server_that_is_gone_is_a_failed_task() {
    let ws = Workspace::cameras();
    let ended = ws.lp("build download:a.mp4").code(1);
    assert!(ended.stderr.contains("error: `download:a.mp4` failed"), "{}", ended.stderr);
    assert!(!ws.exists("media/a.mp4"));
}
