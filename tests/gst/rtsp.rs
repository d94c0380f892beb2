//! RTSP cameras that refuse, or send something else than the config says: a responder
//! that speaks just enough RTSP, and the messages and files of `lp run`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};

use crate::project::short;
use crate::workspace::Workspace;

/// A camera on a port of its own.
struct Camera {
    port: u16,
    log: Arc<CameraLog>,
}

/// The requests that a camera received.
#[derive(Default)]
struct CameraLog {
    /// The logins that were sent.
    logins: Mutex<Vec<String>>,
    /// The streams that were asked for.
    setups: Mutex<Vec<String>>,
}

/// How a camera answers.
#[derive(Clone, Copy)]
enum Answers {
    /// It refuses every login; the challenges.
    Refuses(&'static [&'static str]),
    /// Every client gets a stream of this kind: as the media line of an SDP has it, and
    /// its encoding.
    Sends(&'static str, &'static str),
    /// No path is known.
    NotFound,
    /// Streams are sent in UDP alone.
    NotInTcp,
}

impl Camera {
    fn start(answers: Answers) -> Camera {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::default();
        let camera = Camera { port, log: Arc::clone(&log) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = Arc::clone(&log);
                // Ends with its connection, which the client closes at the latest by ending.
                std::thread::spawn(move || answer(&stream, answers, &log));
            }
        });
        camera
    }

    fn uri(&self, userinfo: &str) -> String {
        format!("rtsp://{userinfo}127.0.0.1:{}/door/1", self.port)
    }

    /// What was sent to log in since this was asked last.
    fn logins(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.logins.lock().unwrap())
    }
}

fn answer(stream: &TcpStream, answers: Answers, log: &CameraLog) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            let mut found = headers.iter().filter_map(|line| line.split_once(": "));
            found.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        log.logins.lock().unwrap().extend(header("Authorization"));
        if request.starts_with("SETUP") {
            log.setups.lock().unwrap().extend(request.split(' ').nth(1).map(str::to_owned));
        }
        let number = header("CSeq").unwrap_or_default();
        let method = request.split(' ').next().unwrap_or_default();
        let (status, more) = match (answers, method) {
            (Answers::Refuses(challenges), _) => {
                let challenges = challenges.iter().map(|one| format!("WWW-Authenticate: {one}\r\n"));
                ("401 Unauthorized", challenges.collect())
            }
            (_, "OPTIONS") => ("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".to_owned()),
            (Answers::NotFound, "DESCRIBE") => ("404 Not Found", String::new()),
            (_, "DESCRIBE") => {
                let (media, encoding) = answers.stream();
                let sdp = format!(
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\nm={media}\r\n\
                     a=rtpmap:96 {encoding}\r\na=control:stream=0\r\n"
                );
                let length = sdp.len();
                ("200 OK", format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"))
            }
            (Answers::NotInTcp, "SETUP") => ("461 Unsupported Transport", String::new()),
            (_, "SETUP") => {
                let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
                ("200 OK", format!("{transport}\r\nSession: 1\r\n"))
            }
            _ => ("200 OK", "Session: 1\r\n".to_owned()),
        };
        let end = if more.contains("\r\n\r\n") { "" } else { "\r\n" };
        let mut answer = format!("RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}{end}").into_bytes();
        if method == "PLAY" {
            // Packets of RTP, each after `$`, its channel and its length.
            for number in 0..20 {
                answer.extend([
                    b'$', 0, 0, 16, 0x80, 96, 0, number, 0, 0, 0, number, 0, 0, 0, 7, 0x26, 1, 0, 0,
                ]);
            }
        }
        if (&mut &*stream).write_all(&answer).is_err() {
            return;
        }
    }
}

impl Answers {
    fn stream(self) -> (&'static str, &'static str) {
        match self {
            Answers::Sends(media, encoding) => (media, encoding),
            _ => ("video 0 RTP/AVP 96", "H264/90000"),
        }
    }
}

/// A camera of this URI.
pub(crate) fn project(uri: &str) -> Workspace {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let file = "\"fileSrc\": \"short.mp4|scene:short\"";
    ws.write("configs/camera_to_workload.json", &cameras.replace(file, &format!("\"streamUri\": \"{uri}\"")));
    ws
}

/// All files of a project but its camera file, with what is in them.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else if path.is_file() && !path.ends_with("camera_to_workload.json") {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn a_password_is_sent_once_and_is_written_nowhere() {
    let camera = Camera::start(Answers::Refuses(&["Digest realm=\"door\", nonce=\"1\""]));
    let password = "Geh@im:7";
    for written in ["Geh%40im%3a7", "Geh@im:7"] {
        camera.logins();
        let ws = project(&camera.uri(&format!("bob:{written}@"))).env("GST_DEBUG", "rtspsrc:4");
        let mut said = Vec::new();
        for command in [
            "run",
            "build report",
            "show --launch",
            "show till",
            "explain run:till",
            "graph --dot",
            "report",
            "build plan --json",
        ] {
            let ended = ws.lp(command);
            said.push((format!("what `{command}` printed"), ended.stdout.into_bytes()));
            said.push((format!("what `{command}` said"), ended.stderr.into_bytes()));
            if command == "run" {
                let logins = camera.logins();
                assert_eq!(logins.len(), 1, "{logins:?}");
                assert!(logins[0].starts_with("Digest username=\"bob\""), "{logins:?}");
            }
        }
        said.extend(files(&ws.root()));
        for form in [password, "Geh%40im%3a7", "Geh%40im%3A7"] {
            for (place, bytes) in &said {
                let text = String::from_utf8_lossy(bytes);
                let line = text.lines().find(|line| line.contains(form) && !line.contains("streamUri"));
                assert_eq!(line, None, "`{form}` in {place}");
            }
        }
        // Another password is another plan.
        let cameras = ws.read("configs/camera_to_workload.json");
        ws.write("configs/camera_to_workload.json", &cameras.replace(written, "geheim8"));
        let dry = ws.lp("build plan --dry-run").success();
        if Path::new("/etc/machine-id").is_file() {
            assert!(dry.stderr.contains("plan:till  stale: `password_digest` changed"), "{}", dry.stderr);
        }
    }
}

/// Why the camera `till` of this URI failed.
fn failure(uri: &str) -> String {
    let ended = project(uri).lp("run").code(1);
    let told =
        ended.stderr.lines().find_map(|line| line.strip_prefix("  caused by: till/1: ")).unwrap_or_default();
    told.to_owned()
}

#[test]
fn a_refusal_is_reported_with_its_uri_and_reason() {
    let check = |answers: Answers, userinfo: &str, expect: Expect| {
        let camera = Camera::start(answers);
        let told = failure(&camera.uri(userinfo));
        let (major, minor, ..) = gstreamer::version();
        let told = told.replace(&format!("GStreamer {major}.{minor}"), "GStreamer VERSION");
        expect.assert_eq(&told.replace(&camera.port.to_string(), "PORT"));
    };
    const MD5: &str = "Digest realm=\"d\", nonce=\"1\"";
    const SHA: &str = "Digest realm=\"d\", nonce=\"1\", algorithm=SHA-256";
    check(
        Answers::Refuses(&[MD5]),
        "me:secret@",
        expect![
            "`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server refuses this user and password (401)"
        ],
    );
    check(
        Answers::Refuses(&["Basic realm=\"d\""]),
        "",
        expect![
            "`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server asks for a user and password (401)"
        ],
    );
    check(
        Answers::Refuses(&[SHA]),
        "me:secret@",
        expect![
            "`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server asks for a SHA-256 digest, but GStreamer VERSION answers with MD5 or Basic alone"
        ],
    );
    check(
        Answers::Refuses(&[SHA, MD5]),
        "me:secret@",
        expect![
            "`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server refuses this user and password (401)"
        ],
    );
    check(
        Answers::NotFound,
        "me:secret@",
        expect!["`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server has no such path (404)"],
    );
    check(
        Answers::NotInTcp,
        "",
        expect![
            "`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: the server sends no stream over TCP; `rtsp.transport` may be `udp` or `auto`"
        ],
    );
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = failure(&format!("rtsp://me:secret@127.0.0.1:{free}/door/1"));
    expect!["`till_1_source`: `rtsp://127.0.0.1:PORT/door/1`: no connection to the server: Connection refused (os error 111)"].assert_eq(&told.replace(&free.to_string(), "PORT"));
}

#[test]
fn the_codec_of_a_camera_is_named_with_the_key_to_set() {
    let check = |media: &'static str, encoding: &'static str, expect: Expect| {
        expect.assert_eq(&failure(&Camera::start(Answers::Sends(media, encoding)).uri("")));
    };
    check(
        "video 0 RTP/AVP 96",
        "H265/90000",
        expect![
            "`till/1`: `rtspsrc` (`till_1_source`) sends H265 video, which `rtph264depay` (`rtph264depay-1`) does not accept: set `codec` of the camera to `h265`"
        ],
    );
    check(
        "video 0 RTP/AVP 96",
        "VP8/90000",
        expect![
            "`till/1`: `rtspsrc` (`till_1_source`) offers VP8 video, which `rtph264depay` (`rtph264depay-1`) does not accept"
        ],
    );
    check(
        "audio 0 RTP/AVP 96",
        "OPUS/48000/2",
        expect!["`till/1`: `rtspsrc` (`till_1_source`) has no video, only sound (OPUS)"],
    );
    check(
        "application 0 RTP/AVP 96",
        "vnd.onvif.metadata/90000",
        expect![
            "`till/1`: `rtspsrc` (`till_1_source`) offers VND.ONVIF.METADATA, which `rtph264depay` (`rtph264depay-1`) does not accept"
        ],
    );
}

#[test]
fn the_first_video_that_fits_is_asked_for_and_nothing_else() {
    let first = "audio 0 RTP/AVP 0\r\na=control:sound\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:large\r\n\
                 m=video 0 RTP/AVP 96";
    let camera = Camera::start(Answers::Sends(first, "H264/90000"));
    project(&camera.uri("")).lp("run").code(1);
    let setups = camera.log.setups.lock().unwrap();
    let asked: Vec<&str> = setups.iter().filter_map(|uri| uri.rsplit('/').next()).collect();
    assert_eq!(asked, ["large"]);
}
