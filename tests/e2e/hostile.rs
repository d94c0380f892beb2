//! An HTTP server that misbehaves, and what `lp` says of it.
//!
//! Each connection is answered by a function of the test, which gets the head of the request
//! and the open socket. So a body may end early, never or slowly.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use crate::download::{BODY, sha256};
use crate::support::{CAMERAS, Ended, Workspace};

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// `/a.mp4`
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// How many requests came before.
    pub(crate) before: usize,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A server on a port of its own, until the test ends.
pub(crate) struct Hostile {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<Head>>>,
}

impl Hostile {
    /// Answers every connection by `answer`, each on a thread of its own, and closes it then.
    pub(crate) fn start(
        answer: impl Fn(&Head, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Hostile {
        // Making it takes longer than some tests wait for a server.
        LazyLock::force(&VIDEO);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&heads), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let head = read(&stream, &seen);
                    // A client that has gone is no fault of the server's.
                    let _ = answer(&head, &mut stream);
                });
            }
        });
        Hostile { port, heads }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub(crate) fn heads(&self) -> Vec<Head> {
        self.heads.lock().unwrap().clone()
    }

    /// A project whose cameras play `/a.mp4` of it.
    pub(crate) fn workspace(&self, lpfile: &str) -> Workspace {
        let cameras = CAMERAS.replace("http://127.0.0.1:9", &self.url(""));
        let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
        ws.file("Lpfile.toml", lpfile).env("NO_PROXY", "127.0.0.1").env("HOME", "/nonexistent")
    }
}

fn read(stream: &TcpStream, seen: &Mutex<Vec<Head>>) -> Head {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().and_then(|line| Some(line.split(' ').nth(1)?.to_owned())).unwrap_or_default();
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect();
    let mut seen = seen.lock().unwrap();
    let head = Head { path, headers, before: seen.len() };
    seen.push(head.clone());
    head
}

/// Sends a head with these lines, and nothing else.
pub(crate) fn begin(stream: &mut TcpStream, status: &str, lines: &[&str]) -> io::Result<()> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n{lines}\r\n").as_bytes())
}

/// Sends a whole response.
pub(crate) fn respond(stream: &mut TcpStream, status: &str, lines: &[&str], body: &[u8]) -> io::Result<()> {
    let length = format!("Content-Length: {}", body.len());
    begin(stream, status, &[lines, &[length.as_str()]].concat())?;
    stream.write_all(body)
}

/// Waits until the client has gone.
pub(crate) fn hang(stream: &mut TcpStream) -> io::Result<()> {
    while io::Read::read(stream, &mut [0; 64])? > 0 {}
    Ok(())
}

/// The largest video.
static VIDEO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let noise = (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
    BODY.bytes().chain(noise).take(5_000_000).collect()
});

/// A video of so many bytes, at most 5 MB, none of which repeat soon.
pub(crate) fn video(n: usize) -> Vec<u8> {
    VIDEO[..n].to_vec()
}

/// The cause that `lp build` gives for a server that answers so.
#[track_caller]
fn refused(
    lpfile: &str,
    answer: impl Fn(&Head, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    cause: &str,
) -> Ended {
    let server = Hostile::start(answer);
    let ws = server.workspace(lpfile).env("LP_IDLE_MS", "1000");
    let ended = ws.lp("build download:a.mp4").code(1);
    check_refusal(&ws, &server, ended, cause)
}

/// That a build failed for this cause, whose `URL` is that of the clip, and left nothing.
#[track_caller]
fn check_refusal(ws: &Workspace, server: &Hostile, ended: Ended, cause: &str) -> Ended {
    let cause = cause.replace("URL", &format!("`{}`", server.url("/a.mp4")));
    let ended = ended.stderr_has("error: `download:a.mp4` failed\n").stderr_has(&cause);
    let ended = ended.stderr_has("hint: `camera-1`, `camera-2` cannot be played without it");
    assert!(!ws.exists("media/a.mp4"));
    ended
}

#[test]
fn a_missing_file_names_the_cameras_and_stops_no_other_download() {
    let server = Hostile::start(|head, stream| match head.path.as_str() {
        "/b.mp4" => respond(stream, "200 OK", &[], &video(1000)),
        _ => respond(stream, "404 Not Found", &[], b"<html>no</html>"),
    });
    let ws = server.workspace("");
    let cameras = ws.read("configs/camera_to_workload.json");
    let other = cameras.replacen("a.mp4|", "b.mp4|", 1).replacen("/a.mp4", "/b.mp4", 1);
    ws.write("configs/camera_to_workload.json", &other);
    let ended = ws.lp("build -k download:a.mp4 download:b.mp4").code(1);
    ended
        .stderr_has(&format!("the server answered 404 for `{}`\n", server.url("/a.mp4")))
        .stderr_has("hint: `camera-2` cannot be played without it")
        .stderr_has("1 task ran, 1 failed");
    assert!(ws.exists("media/b.mp4") && !ws.exists("media/a.mp4"));
}

#[test]
fn a_body_that_is_not_what_was_announced_is_refused() {
    let size = "[asset.\"a.mp4\"]\nsize = 1000\n";
    refused(
        size,
        |_, stream| respond(stream, "200 OK", &[], &video(999)),
        "URL has 999 bytes, but the config pins 1000",
    );
    let unannounced = |n| {
        move |_: &Head, stream: &mut TcpStream| {
            begin(stream, "200 OK", &[])?;
            stream.write_all(&video(n))
        }
    };
    refused(size, unannounced(999), "URL has 999 bytes, but the config pins 1000");
    refused(size, unannounced(2_000_000), "URL goes on after the 1000 bytes that the config pins");
    let digest = format!("[asset.\"a.mp4\"]\nsha256 = \"{}\"\n", sha256("something else"));
    refused(&digest, unannounced(999), "URL has digest ");
}

#[test]
fn a_body_that_breaks_off_is_asked_for_again_and_then_refused() {
    let short = |_: &Head, stream: &mut TcpStream| {
        begin(stream, "200 OK", &["Content-Length: 5000"])?;
        stream.write_all(&video(4000))
    };
    refused("", short, "failed to read the body of URL\n").stderr_has("asking again in 500ms");
    let chunked = |_: &Head, stream: &mut TcpStream| {
        begin(stream, "200 OK", &["Transfer-Encoding: chunked"])?;
        stream.write_all(b"3e8\r\n")?;
        stream.write_all(&video(1000))?;
        stream.write_all(b"\r\n3e8\r\nhalf")
    };
    refused("", chunked, "failed to read the body of URL\n").stderr_has("asking again in 1s");
}

#[test]
fn an_endless_body_stops_before_the_disk_is_full() {
    let server = Hostile::start(|_, stream| {
        begin(stream, "200 OK", &[])?;
        let piece = video(1 << 20);
        loop {
            stream.write_all(&piece)?;
        }
    });
    // 64 MiB stay free.
    let ws = server.workspace("").env("LP_FREE_BYTES", &(100_u64 << 20).to_string());
    let ended = ws.lp("build download:a.mp4").code(1);
    let ended = check_refusal(&ws, &server, ended, "URL announces no end, and after ");
    assert!(!ended.stderr.contains("asking again"), "{}", ended.stderr);
    assert!(names(&ws, ".lpcache/partial").is_empty());
}

#[test]
fn a_file_without_room_on_the_disk_is_not_begun() {
    let server = Hostile::start(|_, stream| {
        begin(stream, "200 OK", &["Content-Length: 2000000000"])?;
        hang(stream)
    });
    let ws = server.workspace("").env("LP_FREE_BYTES", "1500000000");
    let ended = ws.lp("build download:a.mp4").code(1);
    let cause = "URL needs 2000000000 bytes and 67108864 to spare, but only 1500000000 are free on the disk";
    check_refusal(&ws, &server, ended, cause);
}

#[test]
fn a_server_that_is_silent_or_slow_is_given_up() {
    refused("", |_, stream| hang(stream), "URL sent nothing for 1s");
    let stalled = |_: &Head, stream: &mut TcpStream| {
        begin(stream, "200 OK", &["Content-Length: 500000"])?;
        stream.write_all(&video(40_000))?;
        hang(stream)
    };
    refused("", stalled, "URL sent nothing for 1s");
    let trickling = |_: &Head, stream: &mut TcpStream| {
        begin(stream, "200 OK", &["Content-Length: 500000"])?;
        for byte in video(100_000) {
            stream.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    };
    refused("", trickling, "URL is too slow: ").stderr_has(" bytes a second during 1s, less than 1024\n");
}

#[test]
fn a_fault_of_tls_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a.mp4", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // What arrives first is the begin of TLS; the answer is none.
        let _ = io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
        respond(&mut stream, "400 Bad Request", &[], b"no TLS here").unwrap();
        hang(&mut stream).unwrap();
    });
    let cameras = CAMERAS.replace("http://127.0.0.1:9/a.mp4", &url);
    let ws =
        Workspace::cameras().file("configs/camera_to_workload.json", &cameras).env("NO_PROXY", "127.0.0.1");
    let ended = ws.lp("build download:a.mp4").code(1).stderr_has(&format!("failed to fetch `{url}`\n"));
    let ended = ended.stderr_has("caused by: fault of TLS: ");
    assert!(!ended.stderr.contains("asking again"), "{}", ended.stderr);
}

/// The names in a folder of a project.
pub(crate) fn names(ws: &Workspace, folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(ws.path(folder)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
