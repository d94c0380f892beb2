//! Downloads that go on where they broke off: after an error, and after `kill -9` of `lp`.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::hostile::{Head, Hostile, begin, hang, names, respond, video};
use crate::support::Workspace;

/// The size of the video, in bytes.
const SIZE: usize = 3_000_000;
/// How much of it arrives at first.
const HALF: usize = 1_500_000;

const ETAG: &str = "ETag: \"v1\"";

/// Where a request for the rest begins.
fn from(head: &Head) -> Option<usize> {
    head.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// The rest of the video, for a client that has its begin.
fn rest(head: &Head, stream: &mut TcpStream, lines: &[&str]) -> io::Result<()> {
    let from = from(head).expect("it asks for the rest");
    let range = format!("Content-Range: bytes {from}-{}/{SIZE}", SIZE - 1);
    respond(stream, "206 Partial Content", &[lines, &[range.as_str()]].concat(), &video(SIZE)[from..])
}

/// The first half of the video, and then no more.
fn half(stream: &mut TcpStream, lines: &[&str]) -> io::Result<()> {
    begin(stream, "200 OK", &[lines, &[&format!("Content-Length: {SIZE}")]].concat())?;
    stream.write_all(&video(SIZE)[..HALF])
}

fn has_the_video(ws: &Workspace) {
    assert!(std::fs::read(ws.path("media/a.mp4")).unwrap() == video(SIZE));
    assert!(names(ws, ".lpcache/partial").is_empty());
}

#[test]
fn a_retry_goes_on_where_the_body_broke_off() {
    let server = Hostile::start(|head, stream| match head.before {
        0 => half(stream, &[ETAG]),
        _ => rest(head, stream, &[ETAG]),
    });
    let ws = server.workspace("");
    ws.lp("build download:a.mp4").success().stderr_has("asking again in");
    has_the_video(&ws);
    let heads = server.heads();
    assert_eq!((heads.len(), from(&heads[1])), (2, Some(HALF)));
    assert_eq!(heads[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn a_download_that_gets_further_each_time_is_not_given_up() {
    const LONG: usize = 5_000_000;
    // Three rounds would bring 3.3 MB.
    let server = Hostile::start(|head, stream| {
        let from = from(head).unwrap_or(0);
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        let range = format!("Content-Range: bytes {from}-{}/{LONG}", LONG - 1);
        let length = format!("Content-Length: {}", LONG - from);
        begin(stream, status, &[ETAG, &length, &range])?;
        stream.write_all(&video(LONG)[from..(from + 1_100_000).min(LONG)])
    });
    let ws = server.workspace("");
    ws.lp("build download:a.mp4").success();
    assert!(std::fs::read(ws.path("media/a.mp4")).unwrap() == video(LONG));
    assert_eq!(server.heads().len(), 5);
}

/// A server that sends half of the video, tells so, and waits until the client has gone; later
/// requests get `then`.
fn interrupted(
    lines: &'static [&'static str],
    then: impl Fn(&Head, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
) -> (Hostile, Receiver<()>) {
    let (sender, sent): (Sender<()>, _) = channel();
    let sender = Mutex::new(sender);
    let server = Hostile::start(move |head, stream| {
        if head.before > 0 {
            return then(head, stream);
        }
        half(stream, lines)?;
        sender.lock().unwrap().send(()).unwrap();
        hang(stream)
    });
    (server, sent)
}

/// Kills `lp` when it has half of the video.
fn kill_halfway(ws: &Workspace, sent: &Receiver<()>) {
    let mut lp = ws.command(&["build", "download:a.mp4"]).env("LP_IDLE_MS", "60000").spawn().unwrap();
    sent.recv_timeout(Duration::from_secs(60)).unwrap();
    let arrived = || {
        let parts = names(ws, ".lpcache/partial").into_iter().filter(|name| !name.contains('.'));
        parts.map(|name| ws.path(".lpcache/partial").join(name).metadata().unwrap().len()).sum::<u64>()
    };
    while arrived() < HALF as u64 {
        assert!(lp.try_wait().unwrap().is_none(), "it waits for the rest");
        std::thread::yield_now();
    }
    lp.kill().unwrap();
    lp.wait().unwrap();
    assert!(!ws.exists("media/a.mp4"));
    let parts = names(ws, ".lpcache/partial");
    assert_eq!(parts.len(), if parts.iter().any(|name| name.ends_with(".json")) { 2 } else { 1 });
}

#[test]
fn a_download_goes_on_after_a_kill() {
    let (server, sent) = interrupted(&[ETAG], |head, stream| rest(head, stream, &[ETAG]));
    let digest = crate::download::digest_of(&video(SIZE));
    let ws = server.workspace(&format!("[asset.\"a.mp4\"]\nsha256 = \"{digest}\"\n"));
    kill_halfway(&ws, &sent);
    ws.lp("build download:a.mp4").success();
    has_the_video(&ws);
    assert_eq!(server.heads().iter().map(from).collect::<Vec<_>>(), [None, Some(HALF)]);
}

#[test]
fn a_download_goes_on_by_the_date_of_the_file() {
    const DATES: &[&str] =
        &["Last-Modified: Sat, 28 Nov 2026 08:12:00 GMT", "Date: Sun, 29 Nov 2026 08:12:00 GMT"];
    let (server, sent) = interrupted(DATES, |head, stream| rest(head, stream, DATES));
    let ws = server.workspace("");
    kill_halfway(&ws, &sent);
    ws.lp("build download:a.mp4").success();
    has_the_video(&ws);
    assert_eq!(server.heads()[1].header("if-range"), Some("Sat, 28 Nov 2026 08:12:00 GMT"));
}

/// After a kill, the second build asks these ranges.
#[track_caller]
fn begins_anew(
    lines: &'static [&'static str],
    then: impl Fn(&Head, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    asked: &[Option<usize>],
) {
    let (server, sent) = interrupted(lines, then);
    let ws = server.workspace("");
    kill_halfway(&ws, &sent);
    ws.lp("build download:a.mp4").success();
    has_the_video(&ws);
    assert_eq!(server.heads()[1..].iter().map(from).collect::<Vec<_>>(), asked);
}

#[test]
fn a_download_begins_anew_when_the_server_has_another_file() {
    // As a server should: the whole file.
    begins_anew(
        &[ETAG],
        |_, stream| respond(stream, "200 OK", &["ETag: \"v2\""], &video(SIZE)),
        &[Some(HALF)],
    );
    // As some do: the rest of the other file.
    begins_anew(
        &[ETAG],
        |head, stream| match from(head) {
            Some(_) => rest(head, stream, &["ETag: \"v2\""]),
            None => respond(stream, "200 OK", &["ETag: \"v2\""], &video(SIZE)),
        },
        &[Some(HALF), None],
    );
}

#[test]
fn a_download_begins_anew_when_the_server_has_no_ranges() {
    begins_anew(&[ETAG], |_, stream| respond(stream, "200 OK", &[ETAG], &video(SIZE)), &[Some(HALF)]);
    begins_anew(
        &[ETAG],
        |head, stream| match from(head) {
            Some(_) => respond(stream, "416 Range Not Satisfiable", &[], b""),
            None => respond(stream, "200 OK", &[ETAG], &video(SIZE)),
        },
        &[Some(HALF), None],
    );
}

#[test]
fn a_download_begins_anew_without_a_strong_validator() {
    let whole = |_: &Head, stream: &mut TcpStream| respond(stream, "200 OK", &[], &video(SIZE));
    begins_anew(&["ETag: W/\"v1\""], whole, &[None]);
    begins_anew(&[], whole, &[None]);
}

#[test]
fn a_damaged_part_is_noticed_by_the_pin_and_fetched_again() {
    let (server, sent) = interrupted(&[ETAG], |head, stream| match from(head) {
        Some(_) => rest(head, stream, &[ETAG]),
        None => respond(stream, "200 OK", &[ETAG], &video(SIZE)),
    });
    let digest = crate::download::digest_of(&video(SIZE));
    let ws = server.workspace(&format!("[asset.\"a.mp4\"]\nsha256 = \"{digest}\"\n"));
    kill_halfway(&ws, &sent);
    let name = names(&ws, ".lpcache/partial").into_iter().find(|name| !name.contains('.')).unwrap();
    let part = ws.path(".lpcache/partial").join(name);
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[HALF / 2] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    ws.lp("build download:a.mp4").success().stderr_has("has digest").stderr_has("asking again in");
    has_the_video(&ws);
    assert_eq!(server.heads().iter().map(from).collect::<Vec<_>>(), [None, Some(HALF), None]);
}

#[test]
fn the_cache_shows_and_collects_parts() {
    let (server, sent) = interrupted(&[ETAG], |head, stream| rest(head, stream, &[ETAG]));
    let ws = server.workspace("");
    kill_halfway(&ws, &sent);
    assert!(
        ws.lp("cache stats").success().stdout.contains("leftovers            2"),
        "the part and its note"
    );
    ws.lp("cache gc").success();
    assert_eq!(names(&ws, ".lpcache/partial").len(), 2, "it may go on");
    for name in names(&ws, ".lpcache/partial") {
        let file = std::fs::File::options().write(true).open(ws.path(".lpcache/partial").join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(4 * 86_400)).unwrap();
    }
    ws.lp("cache gc").success();
    assert!(names(&ws, ".lpcache/partial").is_empty());
}
