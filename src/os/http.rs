//! Fetches a file over HTTP or HTTPS, digesting it on the way.
//!
//! The request runs on a thread of its own, which hands over the body in
//! pieces: so a silent server can neither outlast the idle limit nor delay Ctrl-C.
//! A body that is shorter than the server announced is an error, never a short
//! file. Any 2xx status brings a body; the caller gets the [`Answer`] before
//! anything is kept and decides whether it is the file.
//!
//! A user name and password in a URL are sent as Basic authentication and never
//! appear in a message. Not here: retries, mirrors and pins (`action::download`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use sha2::Digest;

use super::fs::{Context, FsError};
use crate::digest::ContentDigest;
use crate::text::redacted;

/// The `User-Agent` of `lp`. Some clip sites refuse clients other than browsers.
pub const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; lp/", env!("CARGO_PKG_VERSION"), ")");

/// The interval between checks for cancellation.
const POLL: Duration = Duration::from_millis(100);

/// Limits of time and size.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection is established.
    pub connect: Duration,
    /// Without a single byte.
    pub idle: Duration,
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connect: Duration::from_secs(20), idle: Duration::from_secs(60), max_bytes: u64::MAX }
    }
}

/// The number of body bytes that [`Answer`] shows; a body may be shorter.
const BEGIN: usize = 16 << 10;

/// A server's answer, up to the beginning of the body.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// 200 to 299.
    pub status: u16,
    /// The value of `Content-Encoding`, if there is one.
    pub encoding: Option<&'a str>,
    /// The value of `Content-Range`, if there is one.
    pub range: Option<&'a str>,
    /// The first bytes of the body: all of it if it is short.
    pub begin: &'a [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    pub bytes: u64,
    /// 64 lowercase hex digits, for pins.
    pub sha256: String,
    /// Its identity in the store.
    pub content: ContentDigest,
}

/// The reason why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("the server answered {status} for `{url}`")]
    Status { url: String, status: u16, retry_after: Option<Duration> },

    #[error("`{url}` did not bring the file: {found}")]
    Unfit { url: String, found: String },

    #[error("`{url}` is not a URL that can be fetched")]
    Url { url: String },

    #[error("failed to fetch `{url}`")]
    Request {
        url: String,
        #[source]
        source: io::Error,
    },

    #[error("failed to read the body of `{url}`")]
    Body {
        url: String,
        #[source]
        source: io::Error,
    },

    #[error("the body of `{url}` ended after {actual} bytes, but the server announced {expected}")]
    Truncated { url: String, expected: u64, actual: u64 },

    #[error("`{url}` is larger than the limit of {limit} bytes")]
    TooLarge { url: String, limit: u64 },

    #[error("`{url}` sent nothing for {}", crate::time::duration_text(*idle))]
    Idle { url: String, idle: Duration },

    #[error("the download of `{url}` was interrupted")]
    Cancelled { url: String },

    #[error(transparent)]
    Write(#[from] FsError),
}

impl DownloadError {
    /// Whether the same request may succeed soon. Not after a silence, which has
    /// taken long enough.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            DownloadError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            DownloadError::Request { source, .. } | DownloadError::Body { source, .. } => {
                source.kind() != io::ErrorKind::TimedOut
            }
            DownloadError::Truncated { .. } => true,
            _ => false,
        }
    }

    /// How long the server asks to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let DownloadError::Status { retry_after, .. } = self { *retry_after } else { None }
    }
}

/// Fetches `url` into the file `dest`, which must not exist yet.
///
/// `is_fit` gets the server's answer once its body has begun, and refuses it by
/// naming the unexpected contents. `on_progress` gets the bytes so far and, if the
/// server reported it, the total. After an error a part of the file may be at `dest`.
///
/// # Errors
/// When the file did not arrive whole; see [`DownloadError`].
pub fn download(
    url: &str,
    dest: &Path,
    limits: Limits,
    is_fit: &mut dyn FnMut(Answer<'_>) -> Result<(), String>,
    on_progress: &mut dyn FnMut(u64, Option<u64>),
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Download, DownloadError> {
    let shown = redacted(url);
    let (sender, pieces) = crossbeam_channel::bounded(4);
    let thread_url = url.to_owned();
    std::thread::Builder::new()
        .name("download".to_owned())
        // When the caller is gone, sending fails and the thread ends.
        .spawn(move || drop(request(&thread_url, limits, &sender)))
        .map_err(|source| DownloadError::Request { url: shown.clone(), source })?;

    let mut body = Body { url: shown, pieces, limits, is_cancelled };
    let Some(Piece::Head { status, length: expected, encoding, range }) = body.next()? else {
        return Err(DownloadError::Url { url: body.url });
    };
    if expected.is_some_and(|length| length > limits.max_bytes) {
        return Err(DownloadError::TooLarge { url: body.url, limit: limits.max_bytes });
    }
    let mut begin = Vec::new();
    let mut is_over = false;
    while !is_over && begin.len() < BEGIN {
        match body.next()? {
            Some(Piece::Bytes(piece)) => begin.extend(piece),
            _ => is_over = true,
        }
    }
    let answer = Answer { status, encoding: encoding.as_deref(), range: range.as_deref(), begin: &begin };
    if let Err(found) = is_fit(answer) {
        return Err(DownloadError::Unfit { url: body.url, found });
    }
    let mut file = File::create_new(dest).context("create", dest)?;
    let (mut sha256, mut blake3) = (sha2::Sha256::new(), blake3::Hasher::new());
    let mut bytes = 0;
    let mut next = Some(Piece::Bytes(begin));
    while let Some(Piece::Bytes(piece)) = next {
        bytes += piece.len() as u64;
        if bytes > limits.max_bytes {
            return Err(DownloadError::TooLarge { url: body.url, limit: limits.max_bytes });
        }
        sha256.update(&piece);
        blake3.update(&piece);
        file.write_all(&piece).context("write", dest)?;
        on_progress(bytes, expected);
        next = if is_over { None } else { body.next()? };
    }
    if let Some(expected) = expected.filter(|expected| *expected != bytes) {
        return Err(DownloadError::Truncated { url: body.url, expected, actual: bytes });
    }
    file.sync_data().context("sync", dest)?;
    let sha256 = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Download { bytes, sha256, content: ContentDigest::from_bytes(*blake3.finalize().as_bytes()) })
}

/// Messages of the requesting thread: a head, bytes, then an end or a fault.
enum Piece {
    Head { status: u16, length: Option<u64>, encoding: Option<String>, range: Option<String> },
    Bytes(Vec<u8>),
    End,
    Failed(Fault),
}

enum Fault {
    Url,
    Status(u16, Option<Duration>),
    Request(io::Error),
    Body(io::Error),
}

struct Body<'a> {
    url: String,
    pieces: Receiver<Piece>,
    limits: Limits,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl Body<'_> {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> Result<Option<Piece>, DownloadError> {
        let begin = Instant::now();
        let url = || self.url.clone();
        loop {
            if (self.is_cancelled)() {
                return Err(DownloadError::Cancelled { url: url() });
            }
            match self.pieces.recv_timeout(POLL) {
                Ok(Piece::End) => return Ok(None),
                // Only a panic ends the thread without a last message.
                Err(RecvTimeoutError::Disconnected) => {
                    let source = io::Error::other("the download broke off");
                    return Err(DownloadError::Body { url: url(), source });
                }
                Ok(Piece::Failed(Fault::Url)) => return Err(DownloadError::Url { url: url() }),
                Ok(Piece::Failed(Fault::Status(status, retry_after))) => {
                    return Err(DownloadError::Status { url: url(), status, retry_after });
                }
                Ok(Piece::Failed(Fault::Request(source))) => {
                    return Err(DownloadError::Request { url: url(), source });
                }
                Ok(Piece::Failed(Fault::Body(source))) => {
                    return Err(DownloadError::Body { url: url(), source });
                }
                Ok(piece) => return Ok(Some(piece)),
                Err(RecvTimeoutError::Timeout)
                    if begin.elapsed() >= self.limits.connect + self.limits.idle =>
                {
                    return Err(DownloadError::Idle { url: url(), idle: self.limits.idle });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn request(
    url: &str,
    limits: Limits,
    sender: &Sender<Piece>,
) -> Result<(), crossbeam_channel::SendError<Piece>> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(USER_AGENT)
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.idle))
        .timeout_per_read(Some(limits.idle))
        .build()
        .into();
    let header = |response: &ureq::http::Response<ureq::Body>, name: &str| {
        Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned())
    };
    // Decoding would invalidate the announced length and the pinned digest.
    let response = match agent.get(url).header("Accept-Encoding", "identity").call() {
        Ok(response) if response.status().is_success() => response,
        Ok(response) => {
            // The other form, a date, is ignored.
            let seconds = header(&response, "retry-after").and_then(|value| value.parse().ok());
            let fault = Fault::Status(response.status().as_u16(), seconds.map(Duration::from_secs));
            return sender.send(Piece::Failed(fault));
        }
        // These repeat the URL, with its password.
        Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => return sender.send(Piece::Failed(Fault::Url)),
        Err(error) => return sender.send(Piece::Failed(Fault::Request(error.into_io()))),
    };
    let status = response.status().as_u16();
    let (encoding, range) = (header(&response, "content-encoding"), header(&response, "content-range"));
    let body = response.into_body();
    sender.send(Piece::Head { status, length: body.content_length(), encoding, range })?;
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    loop {
        let mut piece = vec![0; 256 * 1024];
        match reader.read(&mut piece) {
            Ok(0) => return sender.send(Piece::End),
            Ok(n) => piece.truncate(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return sender.send(Piece::Failed(Fault::Body(error))),
        }
        sender.send(Piece::Bytes(piece))?;
    }
}

#[cfg(test)]
mod tests {
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

    #[track_caller]
    fn check(base: &str, url: &str, expect: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("x");
        let text = match download(url, &dest, Limits::default(), &mut |_| Ok(()), &mut |_, _| {}, &|| false) {
            Ok(file) => {
                format!("{} bytes: {}", file.bytes, String::from_utf8_lossy(&std::fs::read(dest).unwrap()))
            }
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&text.replace(base.trim_start_matches("http://"), "HOST"));
    }

    #[test]
    fn a_file_arrives_with_both_digests() {
        let base = serve(|request| request.respond(tiny_http::Response::from_string("lane")).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("x");
        let mut seen = Vec::new();
        let mut on_progress = |bytes, of| seen.push((bytes, of));
        let file =
            download(&base, &dest, Limits::default(), &mut |_| Ok(()), &mut on_progress, &|| false).unwrap();
        assert_eq!(file.content, ContentDigest::of(b"lane"));
        assert_eq!(seen, [(4, Some(4))]);
        expect!["d93244e7b08131ef10eda16a0717627450cf0e51d1ca713c41d301a51b9a6e54"].assert_eq(&file.sha256);
    }

    #[test]
    fn a_refusal_shows_its_status_and_not_the_password() {
        let base = serve(|request| {
            let authorised = request.headers().iter().any(|header| header.field.equiv("Authorization"));
            let status = if authorised { 404 } else { 401 };
            request.respond(tiny_http::Response::from_string("no").with_status_code(status)).unwrap();
        });
        let secret = base.replacen("http://", "http://user:secret@", 1);
        check(
            &base,
            &format!("{secret}/x.mp4"),
            expect!["the server answered 404 for `http://***@HOST/x.mp4`"],
        );
        check(&base, "http:// :secret@/", expect!["`http://***@/` is not a URL that can be fetched"]);
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
        check(&base, &format!("{base}/old"), expect!["5 bytes: moved"]);
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
        check(&base, &base, expect!["failed to read the body of `http://HOST`"]);
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
        let dest = folder.path().join("x");
        let error = download(&base, &dest, Limits::default(), &mut is_fit, &mut |_, _| {}, &|| false);
        let DownloadError::Unfit { found, .. } = error.unwrap_err() else { panic!("it fits") };
        expect![[r#"206 Some("gzip") Some("bytes 0-16390/99999")"#]].assert_eq(&found);
        assert!(!dest.exists());
    }

    #[test]
    fn a_server_says_how_long_to_wait() {
        let base = serve(|request| {
            let wait = if request.url() == "/date" { "Fri, 31 Dec 1999 23:59:59 GMT" } else { "7" };
            let header = tiny_http::Header::from_bytes("Retry-After", wait).unwrap();
            request.respond(tiny_http::Response::empty(503).with_header(header)).unwrap();
        });
        let error = |path: &str| {
            let (url, dest) = (format!("{base}{path}"), Path::new("/nowhere/x"));
            download(&url, dest, Limits::default(), &mut |_| Ok(()), &mut |_, _| {}, &|| false).unwrap_err()
        };
        assert!(error("/").is_temporary());
        assert_eq!(error("/").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(error("/date").retry_after(), None);
    }

    #[test]
    fn a_silent_server_does_not_delay_an_interrupt() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let dest = Path::new("/nowhere/x");
        let error =
            download(&url, dest, Limits::default(), &mut |_| Ok(()), &mut |_, _| {}, &|| true).unwrap_err();
        assert!(matches!(error, DownloadError::Cancelled { .. }));
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let base = serve(|request| request.respond(tiny_http::Response::from_string("lane")).unwrap());
        let limits = Limits { max_bytes: 3, ..Limits::default() };
        let error =
            download(&base, Path::new("/nowhere/x"), limits, &mut |_| Ok(()), &mut |_, _| {}, &|| false)
                .unwrap_err();
        assert!(matches!(error, DownloadError::TooLarge { limit: 3, .. }));
    }
}
