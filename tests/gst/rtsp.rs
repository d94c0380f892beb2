//! RTSP cameras that refuse, or send something else than the config says: a responder
//! that speaks just enough RTSP, and what `lp run` says of it and leaves behind.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::project::short;
use crate::workspace::Workspace;

/// A camera on a port of its own.
struct Camera {
    port: u16,
    /// What was sent to log in.
    logins: Arc<Mutex<Vec<String>>>,
}

/// How a camera answers.
#[derive(Clone, Copy)]
enum Answers {
    /// Nobody is let in; the challenges.
    Refuses(&'static [&'static str]),
}

impl Camera {
    fn start(answers: Answers) -> Camera {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let logins = Arc::default();
        let camera = Camera { port, logins: Arc::clone(&logins) };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let logins = Arc::clone(&logins);
                // Ends with its connection, which the client closes at the latest by ending.
                std::thread::spawn(move || answer(&stream, answers, &logins));
            }
        });
        camera
    }

    fn uri(&self, userinfo: &str) -> String {
        format!("rtsp://{userinfo}127.0.0.1:{}/door/1", self.port)
    }

    /// What was sent to log in since this was asked last.
    fn logins(&self) -> Vec<String> {
        std::mem::take(&mut *self.logins.lock().unwrap())
    }
}

fn answer(stream: &TcpStream, answers: Answers, logins: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while lines.next().is_some() {
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            let mut found = headers.iter().filter_map(|line| line.split_once(": "));
            found.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        logins.lock().unwrap().extend(header("Authorization"));
        let number = header("CSeq").unwrap_or_default();
        let Answers::Refuses(challenges) = answers;
        let challenges: String =
            challenges.iter().map(|one| format!("WWW-Authenticate: {one}\r\n")).collect();
        let answer = format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\n{challenges}\r\n");
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// A camera of this URI.
fn project(uri: &str) -> Workspace {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let file = "\"fileSrc\": \"short.mp4|scene:short\"";
    ws.write("configs/camera_to_workload.json", &cameras.replace(file, &format!("\"streamUri\": \"{uri}\"")));
    ws
}

/// All files of a project but its camera file, with what is in them.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
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
fn a_password_that_is_written_out_is_sent_once_and_stands_nowhere() {
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
