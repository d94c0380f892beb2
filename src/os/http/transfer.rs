//! The request and its body, on a thread of their own.
//!
//! The thread hands over the head of the last response and then the body in pieces. So a
//! silent server can neither outlast the limits nor delay Ctrl-C: whoever waits for the
//! next piece gives up first, and the thread ends when it finds nobody to give it to.
//!
//! Not here: what becomes of the body (`http`), and which redirects are followed
//! (`redirect`).

use std::io;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ureq::tls::TlsConfig;

use super::digests::{PIECE, Piece};
use super::part::Resumption;
use super::redirect::{RedirectFault, Trail};
use super::roots;
use super::{Address, DownloadError, Head, Limits, Login, Request, SLOWEST, USER_AGENT};
use crate::os::clock::utc_now;
use crate::text::redacted;
use crate::time::parse_http_date;

/// The interval between checks for cancellation.
const POLL: Duration = Duration::from_millis(100);

/// Headers that go on to another host: they say what is wanted, not who asks.
const TRAVELLING: [&str; 4] = ["accept", "accept-language", "referer", "user-agent"];

enum Message {
    Head(Head, Address),
    Bytes(Piece),
    End,
    Failed(Fault, Address),
}

enum Fault {
    Url,
    Redirect(RedirectFault),
    Idle,
    Request(io::Error),
    Body(io::Error),
}

/// What the thread asks for.
struct Question {
    /// As in the config.
    url: String,
    headers: Vec<(String, String)>,
    login: Option<Login>,
    resumption: Option<Resumption>,
    limits: Limits,
}

/// A response whose body arrives.
pub(super) struct Response {
    messages: Receiver<Message>,
    /// Where the thread gets the buffers from, once.
    buffers: Sender<Receiver<Piece>>,
    pub(super) address: Address,
    limits: Limits,
    /// Time spent waiting for the server, and what it sent in that time.
    waited: Duration,
    sent: u64,
    has_begun: bool,
}

impl Response {
    /// Sends a request.
    pub(super) fn ask(
        request: &Request<'_>,
        resumption: Option<Resumption>,
    ) -> Result<Response, DownloadError> {
        let (sender, messages) = bounded(64);
        let (buffers, given) = bounded(1);
        let question = Question {
            url: request.url.to_owned(),
            headers: request.headers.to_vec(),
            login: request.login.cloned(),
            resumption,
            limits: request.limits,
        };
        let address = Address { asked: redacted(request.url).into(), led_to: None };
        let limits = request.limits;
        std::thread::Builder::new()
            .name("download".to_owned())
            // When the caller is gone, sending fails and the thread ends.
            .spawn(move || exchange(&question, &given, &sender))
            .map_err(|source| DownloadError::Request { address: address.clone(), source })?;
        Ok(Response { messages, buffers, address, limits, waited: Duration::ZERO, sent: 0, has_begun: false })
    }

    /// The head of the response; called once, first.
    pub(super) fn head(&mut self, is_cancelled: &dyn Fn() -> bool) -> Result<Head, DownloadError> {
        match self.next(is_cancelled)? {
            Some(Message::Head(head, address)) => {
                self.address = address;
                (self.has_begun, self.waited) = (true, Duration::ZERO);
                Ok(head)
            }
            _ => unreachable!("the head comes first"),
        }
    }

    /// Lets the body arrive in these buffers.
    pub(super) fn fill(&self, free: &Receiver<Piece>) {
        // A thread that is gone has left a message.
        let _ = self.buffers.send(free.clone());
    }

    /// The next piece of the body; `None` at its end.
    pub(super) fn piece(&mut self, is_cancelled: &dyn Fn() -> bool) -> Result<Option<Piece>, DownloadError> {
        match self.next(is_cancelled)? {
            Some(Message::Bytes(piece)) => {
                self.sent += piece.bytes().len() as u64;
                Ok(Some(piece))
            }
            _ => Ok(None),
        }
    }

    fn next(&mut self, is_cancelled: &dyn Fn() -> bool) -> Result<Option<Message>, DownloadError> {
        let address = self.address.clone();
        loop {
            if is_cancelled() {
                return Err(DownloadError::Cancelled { address });
            }
            self.check_pace()?;
            let begin = Instant::now();
            let received = self.messages.recv_timeout(POLL);
            self.waited += begin.elapsed();
            match received {
                Ok(Message::End) => return Ok(None),
                Ok(Message::Failed(fault, address)) => return Err(self.error(fault, address)),
                Ok(message) => return Ok(Some(message)),
                // Only a panic ends the thread without a last message.
                Err(RecvTimeoutError::Disconnected) => {
                    let source = io::Error::other("the download broke off");
                    return Err(DownloadError::Body { address, source });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Judges the time spent waiting, and not the time in which nobody did: a slow disk is no
    /// slow server.
    fn check_pace(&mut self) -> Result<(), DownloadError> {
        let Limits { connect, idle } = self.limits;
        let limit = if self.has_begun { idle } else { connect + idle };
        if self.waited < limit {
            return Ok(());
        }
        let address = self.address.clone();
        if self.sent == 0 {
            return Err(DownloadError::Idle { address, idle });
        }
        let rate = self.sent as f64 / self.waited.as_secs_f64();
        if rate < SLOWEST as f64 {
            return Err(DownloadError::TooSlow { address, rate: rate as u64, during: idle });
        }
        (self.waited, self.sent) = (Duration::ZERO, 0);
        Ok(())
    }

    fn error(&self, fault: Fault, address: Address) -> DownloadError {
        match fault {
            Fault::Url => DownloadError::Url { address },
            Fault::Redirect(fault) => DownloadError::Redirect { address, fault },
            Fault::Idle => DownloadError::Idle { address, idle: self.limits.idle },
            Fault::Request(source) => DownloadError::Request { address, source },
            Fault::Body(source) => DownloadError::Body { address, source },
        }
    }
}

/// `None` when nobody listens any more.
fn exchange(
    question: &Question,
    buffers: &Receiver<Receiver<Piece>>,
    sender: &Sender<Message>,
) -> Option<()> {
    let Question { limits, .. } = question;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(USER_AGENT)
        .input_buffer_size(PIECE)
        .tls_config(TlsConfig::builder().root_certs(roots::trusted()).build())
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.idle))
        .timeout_per_read(Some(limits.idle))
        .build()
        .into();
    let (url, login) = without_login(&question.url);
    let login = login.or_else(|| question.login.clone());
    let mut trail = Trail::new(url);
    let failed =
        |fault, trail: &Trail| sender.send(Message::Failed(fault, trail.address(&question.url))).ok();
    let response = loop {
        match ask(&agent, &trail, question, login.as_ref()) {
            Ok(response) => match redirected(&response) {
                Some(location) => {
                    if let Err(fault) = trail.follow(location) {
                        return failed(Fault::Redirect(fault), &trail);
                    }
                }
                None => break response,
            },
            // These repeat the URL.
            Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => return failed(Fault::Url, &trail),
            Err(error) => return failed(fault(error, Fault::Request), &trail),
        }
    };
    let head = head(&response);
    let mut reader = response.into_body().into_with_config().limit(u64::MAX).reader();
    sender.send(Message::Head(head, trail.address(&question.url))).ok()?;
    let free = buffers.recv().ok()?;
    loop {
        let mut piece = free.recv().ok()?;
        match piece.fill(&mut reader) {
            Ok(0) => return sender.send(Message::End).ok(),
            Ok(_) => sender.send(Message::Bytes(piece)).ok()?,
            Err(error) => return failed(fault(error.into(), Fault::Body), &trail),
        }
    }
}

fn ask(
    agent: &ureq::Agent,
    trail: &Trail,
    question: &Question,
    login: Option<&Login>,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    // Decoding would invalidate the announced length and the pinned digest.
    let mut call = agent.get(trail.current()).header("Accept-Encoding", "identity");
    let goes = |name: &str| trail.is_at_home() || TRAVELLING.contains(&name.to_ascii_lowercase().as_str());
    for (name, value) in question.headers.iter().filter(|(name, _)| goes(name)) {
        call = call.header(name, value);
    }
    if let Some(login) = login.filter(|_| trail.is_at_home()) {
        call = call.header("Authorization", authorization(login));
    }
    if let Some(Resumption { from, validator, .. }) = &question.resumption {
        call = call.header("Range", format!("bytes={from}-")).header("If-Range", validator);
    }
    call.call()
}

fn authorization(login: &Login) -> String {
    match login {
        Login::Bearer(token) => format!("Bearer {token}"),
        Login::Basic { user, password } => {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
        }
    }
}

/// A URL without its user and password, and these.
fn without_login(url: &str) -> (String, Option<Login>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let Some((login, host)) = authority.rsplit_once('@') else { return (url.to_owned(), None) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let unescaped = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = Login::Basic { user: unescaped(user), password: unescaped(password) };
    (format!("{scheme}://{host}{path}"), Some(login))
}

/// Where a redirect leads.
fn redirected(response: &ureq::http::Response<ureq::Body>) -> Option<&str> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get("location").filter(|_| is_redirect)?;
    // Some servers send UTF-8, which is no text for this type.
    std::str::from_utf8(location.as_bytes()).ok()
}

fn head(response: &ureq::http::Response<ureq::Body>) -> Head {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned());
    let date = header("date");
    let retry_after = header("retry-after").and_then(|value| wait(&value, date.as_deref()));
    Head {
        status: response.status().as_u16(),
        length: response.body().content_length(),
        encoding: header("content-encoding"),
        range: header("content-range"),
        etag: header("etag"),
        modified: header("last-modified"),
        date,
        retry_after,
    }
}

/// The time of a `Retry-After`: seconds, or a date, by the server's own clock if it sends that.
fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = parse_http_date(value)?;
    let now = date.and_then(parse_http_date).unwrap_or_else(utc_now);
    let millis = until.unix_millis().saturating_sub(now.unix_millis());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// What is wrong with a request or a body; silence is so, wherever it was noticed.
fn fault(error: ureq::Error, other: fn(io::Error) -> Fault) -> Fault {
    use ureq::Timeout;
    match error {
        ureq::Error::Timeout(Timeout::PerRead | Timeout::RecvResponse | Timeout::RecvBody) => Fault::Idle,
        error @ ureq::Error::Timeout(_) => other(io::Error::new(io::ErrorKind::TimedOut, error.to_string())),
        error => {
            let error = error.into_io();
            // Only rustls gives errors of this kind.
            other(match error.kind() {
                kind @ io::ErrorKind::InvalidData => io::Error::new(kind, format!("fault of TLS: {error}")),
                _ => error,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leaves_the_url() {
        for (url, without, login) in [
            ("https://h/a@b", "https://h/a@b", None),
            ("https://u:p%40s@h:1/a", "https://h:1/a", Some("Basic dTpwQHM=")),
            ("https://token@h?x", "https://h?x", Some("Basic dG9rZW46")),
        ] {
            let (found, basic) = without_login(url);
            assert_eq!((found.as_str(), basic.as_ref().map(authorization).as_deref()), (without, login));
        }
    }

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let seconds = |value, date| wait(value, date).map(|wait| wait.as_secs());
        assert_eq!(seconds("7", None), Some(7));
        let now = Some("Sun, 29 Nov 2026 08:12:00 GMT");
        assert_eq!(seconds("Sun, 29 Nov 2026 08:12:09 GMT", now), Some(9));
        assert_eq!(seconds("Sun, 29 Nov 2026 08:11:00 GMT", now), Some(0));
        assert_eq!(seconds("Fri, 31 Dec 1999 23:59:59 GMT", None), Some(0));
        assert_eq!(seconds("soon", now), None);
    }
}
