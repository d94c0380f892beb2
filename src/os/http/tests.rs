//! Fetching from small servers on this machine. Those that misbehave are in `tests/e2e/hostile.rs`.

use std::io::{Read, Write};
use std::net::TcpListener;

use expect_test::{Expect, expect};

use super::*;

/// A server that answers each request by `answer`, and its base URL.
fn serve(answer: impl Fn(tiny_http::Request) + Send + 'static) -> String {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    std::thread::spawn(move || server.incoming_requests().for_each(answer));
    url
}

fn lane() -> String {
    serve(|request| request.respond(tiny_http::Response::from_string("lane")).unwrap())
}

fn by_config(pins: &Pins) -> Pinned<'_> {
    Pinned { pins, by: "the config" }
}

/// Fetches a file into a folder, for a caller who accepts anything.
fn fetch_with(
    url: &str,
    folder: &Path,
    pins: &Pins,
    on_progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Fetched, DownloadError> {
    let request =
        Request { url, headers: &[], login: None, limits: Limits::default(), pins: by_config(pins) };
    let mut caller = Caller { is_fit: &mut |_| Ok(()), on_progress, is_cancelled: &|| false };
    fetch(&request, &folder.join("parts"), &folder.join("x"), &mut caller)
}

fn error(url: &str) -> DownloadError {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_with(url, folder.path(), &Pins::default(), &mut |_, _| {}).unwrap_err();
    assert!(!folder.path().join("x").exists());
    error
}

#[track_caller]
fn check(base: &str, url: &str, pins: &Pins, expect: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let text = match fetch_with(url, folder.path(), pins, &mut |_, _| {}) {
        Ok(file) => {
            let bytes = std::fs::read(folder.path().join("x")).unwrap();
            format!("{} bytes: {}", file.bytes, String::from_utf8_lossy(&bytes))
        }
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&text.replace(base.trim_start_matches("http://"), "HOST"));
    assert!(crate::os::fs::list_names(&folder.path().join("parts")).unwrap().is_empty());
}

#[test]
fn a_file_arrives_with_its_digest() {
    let base = lane();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let file =
        fetch_with(&base, folder.path(), &Pins::default(), &mut |bytes, of| seen.push((bytes, of))).unwrap();
    assert_eq!(file, Fetched { bytes: 4, content: ContentDigest::of(b"lane") });
    assert_eq!(seen, [(4, Some(4))]);
}

#[test]
fn every_pin_is_checked() {
    let base = lane();
    let pin = |digest: &str| Some(digest.to_owned());
    let right = Pins {
        sha256: pin("d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54"),
        sha384: pin(
            "ac07a1f0184883f2859b6795a1666e23d01aa797f1362692e2a9c33cc2d9797f6bcd8aeeffaf34c7b49beeda800f5491",
        ),
        blake3: Some(ContentDigest::of(b"lane").to_hex()),
        git_blob_sha1: pin("23d39aa8c791e72a8a71e9b1af204346b25be660"),
        size: Some(4),
    };
    check(&base, &base, &right, expect!["4 bytes: lane"]);
    let wrong = |pins: Pins, expect| check(&base, &base, &pins, expect);
    let other = || pin("00");
    wrong(
        Pins { sha256: other(), ..right.clone() },
        expect![
            "`http://HOST` has digest d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54, but the config pins 00"
        ],
    );
    wrong(
        Pins { sha384: other(), ..right.clone() },
        expect![
            "`http://HOST` has digest ac07a1f0184883f2859b6795a1666e23d01aa797f1362692e2a9c33cc2d9797f6bcd8aeeffaf34c7b49beeda800f5491, but the config pins 00"
        ],
    );
    wrong(
        Pins { blake3: other(), ..right.clone() },
        expect![
            "`http://HOST` has digest 28f1bc240daead3a8d4e2b6ca504b9e14ea73eac3adb4c91982a51f46570ff28, but the config pins 00"
        ],
    );
    wrong(
        Pins { git_blob_sha1: other(), ..right.clone() },
        expect!["`http://HOST` has digest 23d39aa8c791e72a8a71e9b1af204346b25be660, but the config pins 00"],
    );
    wrong(Pins { size: Some(5), ..right }, expect!["`http://HOST` has 4 bytes, but the config pins 5"]);
}

#[test]
fn a_refusal_shows_its_status_and_not_the_password() {
    let base = serve(|request| {
        let authorised = request.headers().iter().any(|header| header.field.equiv("Authorization"));
        let status = if authorised { 404 } else { 401 };
        request.respond(tiny_http::Response::from_string("no").with_status_code(status)).unwrap();
    });
    let secret = base.replacen("http://", "http://user:secret@", 1);
    let none = Pins::default();
    let url = format!("{secret}/x.mp4");
    check(&base, &url, &none, expect!["the server answered 404 for `http://***@HOST/x.mp4`"]);
    check(&base, "http:// :secret@/", &none, expect!["`http://***@/` is not a URL that can be fetched"]);
}

#[test]
fn a_redirect_is_followed() {
    let base = serve(|request| {
        if request.url() == "/new" {
            return request.respond(tiny_http::Response::from_string("moved")).unwrap();
        }
        let header = tiny_http::Header::from_bytes("Location", "/new").unwrap();
        request.respond(tiny_http::Response::empty(302).with_header(header)).unwrap();
    });
    check(&base, &format!("{base}/old"), &Pins::default(), expect!["5 bytes: moved"]);
}

#[test]
fn a_body_that_ends_early_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour").unwrap();
    });
    check(&base, &base, &Pins::default(), expect!["failed to read the body of `http://HOST`"]);
}

#[test]
fn the_caller_sees_the_answer_before_it_is_kept() {
    let base = serve(|request| {
        let header = |name: &str, value: &str| tiny_http::Header::from_bytes(name, value).unwrap();
        let body = "x".repeat(BEGIN + 7);
        let response = tiny_http::Response::from_string(body).with_status_code(206);
        let response = response
            .with_header(header("Content-Range", "bytes 0-16390/99999"))
            .with_header(header("Content-Encoding", "gzip"));
        request.respond(response).unwrap();
    });
    let mut is_fit = |answer: Answer<'_>| {
        let Answer { status, encoding, range, begin } = answer;
        assert!((BEGIN..=BEGIN + 7).contains(&begin.len()));
        Err(format!("{status} {encoding:?} {range:?}"))
    };
    let folder = tempfile::tempdir().unwrap();
    let (dest, pins) = (folder.path().join("x"), Pins::default());
    let request =
        Request { url: &base, headers: &[], login: None, limits: Limits::default(), pins: by_config(&pins) };
    let mut caller = Caller { is_fit: &mut is_fit, on_progress: &mut |_, _| {}, is_cancelled: &|| false };
    let error = fetch(&request, folder.path(), &dest, &mut caller).unwrap_err();
    let DownloadError::Unfit { found, .. } = error else { panic!("it fits") };
    expect![[r#"206 Some("gzip") Some("bytes 0-16390/99999")"#]].assert_eq(&found);
    assert!(!dest.exists());
}

#[test]
fn a_server_says_how_long_to_wait() {
    let base = serve(|request| {
        let header = tiny_http::Header::from_bytes("Retry-After", "7").unwrap();
        request.respond(tiny_http::Response::empty(503).with_header(header)).unwrap();
    });
    assert!(error(&base).is_temporary());
    assert_eq!(error(&base).retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn a_silent_server_does_not_delay_an_interrupt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let pins = Pins::default();
    let request =
        Request { url: &url, headers: &[], login: None, limits: Limits::default(), pins: by_config(&pins) };
    let mut caller = Caller { is_fit: &mut |_| Ok(()), on_progress: &mut |_, _| {}, is_cancelled: &|| true };
    let error = fetch(&request, folder.path(), &folder.path().join("x"), &mut caller).unwrap_err();
    assert!(matches!(error, DownloadError::Cancelled { .. }));
}

#[test]
fn a_server_without_tls_is_a_fault_that_does_not_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let error = error(&url);
    assert!(!error.is_temporary());
    let DownloadError::Request { source, .. } = error else { panic!("{error}") };
    expect!["fault of TLS: received corrupt message of type InvalidContentType"]
        .assert_eq(&source.to_string());
}

#[test]
fn a_range_is_that_of_the_rest() {
    let continues = |range: &str, etag: Option<&str>| {
        let resumption = Resumption { from: 4, validator: "\"v1\"".to_owned(), total: Some(10) };
        let etag = etag.map(str::to_owned);
        let head =
            Head { status: 206, range: Some(range.to_owned()), etag, length: Some(6), ..Head::default() };
        continues(&head, &resumption).then(|| whole(&head, &resumption))
    };
    assert_eq!(continues("bytes 4-9/10", None), Some(Some(10)));
    assert_eq!(continues("bytes 4-9/*", Some("\"v1\"")), Some(Some(10)));
    // Less than the rest is not all of it.
    assert_eq!(continues("bytes 4-7/10", None), Some(Some(10)));
    for range in ["bytes 3-9/10", "bytes 4-9/11", "bytes */10", "4-9/10", "bytes 4-9/x"] {
        assert_eq!(continues(range, None), None, "{range}");
    }
    assert_eq!(continues("bytes 4-9/10", Some("\"v2\"")), None);
}
