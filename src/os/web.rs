//! A small HTTP server: it answers GET and HEAD with texts that its owner makes.
//!
//! It serves beside a measurement, so no client can cost much: so many connections at once and no more,
//! so many bytes of a request, so much time for all of it. Its threads run at a low priority. Nothing waits
//! for a client when the server ends.
//!
//! A server of this machine alone answers only to addresses and to `localhost`: a page of the web
//! whose name was made to point here (DNS rebinding) is refused.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::threads;

/// The most connections at once; further ones are closed.
const MOST_CONNECTIONS: usize = 16;
/// The most bytes of a request's line and headers.
const MOST_BYTES: usize = 8 << 10;
/// The most that is read after the answer.
const MOST_DRAINED: usize = 64 << 10;
/// So long a client may take to send its request, and as long again to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a connection that could not be accepted, since the machine lacks something.
const PAUSE: Duration = Duration::from_millis(200);

/// A text for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `text/html; charset=utf-8`
    pub content_type: &'static str,
    pub body: String,
}

/// A server that listens. It ends with this value.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    n_connections: AtomicUsize,
}

type Answers = dyn Fn(&str) -> Option<Answer> + Send + Sync;

impl WebServer {
    /// Listens at an address, whose port may be 0 for any free one. `answers` has a text for a path
    /// (`/metrics`), or `None`; it is called from several threads.
    ///
    /// # Errors
    /// When the address is taken, or is none of this machine.
    pub fn start(
        address: SocketAddr,
        answers: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static,
    ) -> io::Result<WebServer> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let answers: Arc<Answers> = Arc::new(answers);
        let is_local = address.ip().is_loopback();
        let thread = Builder::new()
            .name("web".to_owned())
            .spawn(move || listen(&listener, &of_thread, &answers, is_local))?;
        Ok(WebServer { address, shared, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // The thread waits for a connection.
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let woken = TcpStream::connect_timeout(&SocketAddr::new(ip, self.address.port()), PAUSE);
        if let Some(thread) = self.thread.take().filter(|_| woken.is_ok()) {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>, answers: &Arc<Answers>, is_local: bool) {
    threads::lower_priority();
    loop {
        let accepted = listener.accept();
        if shared.is_over.load(Ordering::Acquire) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            std::thread::sleep(PAUSE);
            continue;
        };
        if shared.n_connections.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            shared.n_connections.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (of_thread, answers) = (Arc::clone(shared), Arc::clone(answers));
        let spawned = Builder::new().name("web client".to_owned()).spawn(move || {
            let _guard = Guard(of_thread);
            threads::lower_priority();
            // A client that goes away is no fault of ours.
            let _ = serve(&stream, &*answers, is_local);
        });
        if spawned.is_err() {
            shared.n_connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Counts a connection down, even if its thread panics.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.n_connections.fetch_sub(1, Ordering::AcqRel);
    }
}

fn serve(stream: &TcpStream, answers: &Answers, is_local: bool) -> io::Result<()> {
    let response = match read(stream)? {
        None => response("400 Bad Request", None, "", true),
        Some(head) => respond(&head, answers, is_local),
    };
    let until = Instant::now() + PATIENCE;
    let mut rest = response.as_bytes();
    let mut stream_to = stream;
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream_to.write(rest) {
            Ok(0) => break,
            Ok(n) => rest = &rest[n..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.shutdown(Shutdown::Write)?;
    // What a client still sends: where it was not read, the answer would be lost with the connection.
    let mut chunk = [0; 1024];
    let mut stream_from = stream;
    for _ in 0..MOST_DRAINED / chunk.len() {
        stream.set_read_timeout(Some(left(until)?))?;
        if stream_from.read(&mut chunk)? == 0 {
            break;
        }
    }
    Ok(())
}

/// The time until then; an error if it has come.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The line and the headers of a request; `None` if they are no text or too long.
fn read(mut stream: &TcpStream) -> io::Result<Option<String>> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        let n = match stream.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&chunk[..n]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            bytes.truncate(end);
            return Ok(String::from_utf8(bytes).ok());
        }
        if bytes.len() > MOST_BYTES {
            return Ok(None);
        }
    }
}

/// The response to a request.
fn respond(head: &str, answers: &Answers, is_local: bool) -> String {
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else {
        return response("400 Bad Request", None, "", true);
    };
    if !version.starts_with("HTTP/1.") {
        return response("505 HTTP Version Not Supported", None, "", true);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let hosts: Vec<&str> = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim())
        .collect();
    if hosts.len() > 1 || (hosts.is_empty() && version != "HTTP/1.0") {
        return response("400 Bad Request", None, "", true);
    }
    if is_local && !hosts.iter().all(|host| is_own(host)) {
        let text = "This server answers to an address, or to localhost.\n";
        return response("403 Forbidden", Some("text/plain; charset=utf-8"), text, method != "HEAD");
    }
    if !matches!(method, "GET" | "HEAD") {
        return response("405 Method Not Allowed\r\nAllow: GET, HEAD", None, "", true);
    }
    let path = target.split('?').next().unwrap_or_default();
    match answers(path) {
        Some(Answer { content_type, body }) => response("200 OK", Some(content_type), &body, method == "GET"),
        None => {
            let text = "There is `/`, the page, and `/metrics`.\n";
            response("404 Not Found", Some("text/plain; charset=utf-8"), text, method == "GET")
        }
    }
}

/// Whether a host is an address or `localhost`, with or without a port.
fn is_own(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.contains(':') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn response(status: &str, content_type: Option<&str>, body: &str, has_body: bool) -> String {
    let kind = content_type.map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
    let length = body.len();
    let body = if has_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\n{kind}Content-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> WebServer {
        let answers = |path: &str| {
            (path == "/metrics").then(|| Answer { content_type: "text/plain", body: "lp 1\n".to_owned() })
        };
        WebServer::start("127.0.0.1:0".parse().unwrap(), answers).unwrap()
    }

    /// What a client gets for what it sends.
    fn ask(server: &WebServer, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request).unwrap();
        let mut text = Vec::new();
        // Of a request that is not read to its end, the connection may be reset after the answer.
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn get_and_head_are_answered_and_nothing_else() {
        let server = server();
        let status = |request: &str| {
            let text = ask(&server, format!("{request}\r\n\r\n").as_bytes());
            let line = text.split("\r\n").next().unwrap_or_default();
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            format!("{line} {body:?}")
        };
        let host = "Host: localhost:9464";
        let all = [
            format!("GET /metrics HTTP/1.1\r\n{host}"),
            "GET /metrics?x=1 HTTP/1.1\r\nhost: 127.0.0.1".to_owned(),
            "GET /metrics HTTP/1.1\r\nHost: [::1]:9464".to_owned(),
            format!("HEAD /metrics HTTP/1.1\r\n{host}"),
            "GET /metrics HTTP/1.0".to_owned(),
            format!("GET /../etc/passwd HTTP/1.1\r\n{host}"),
            format!("POST /metrics HTTP/1.1\r\n{host}"),
            "GET /metrics HTTP/1.1\r\nHost: attacker.example".to_owned(),
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.attacker.example:80".to_owned(),
            format!("GET /metrics HTTP/1.1\r\n{host}\r\nHost: attacker.example"),
            "GET /metrics HTTP/1.1".to_owned(),
            "GET /metrics HTTP/2".to_owned(),
            "hello".to_owned(),
        ];
        let answers: Vec<String> = all.iter().map(|request| status(request)).collect();
        expect_test::expect![[r#"
            HTTP/1.1 200 OK "lp 1\n"
            HTTP/1.1 200 OK "lp 1\n"
            HTTP/1.1 200 OK "lp 1\n"
            HTTP/1.1 200 OK ""
            HTTP/1.1 200 OK "lp 1\n"
            HTTP/1.1 404 Not Found "There is `/`, the page, and `/metrics`.\n"
            HTTP/1.1 405 Method Not Allowed ""
            HTTP/1.1 403 Forbidden "This server answers to an address, or to localhost.\n"
            HTTP/1.1 403 Forbidden "This server answers to an address, or to localhost.\n"
            HTTP/1.1 400 Bad Request ""
            HTTP/1.1 400 Bad Request ""
            HTTP/1.1 505 HTTP Version Not Supported ""
            HTTP/1.1 400 Bad Request """#]]
        .assert_eq(&answers.join("\n"));
    }

    #[test]
    fn hostile_clients_neither_stop_others_nor_the_end() {
        let server = server();
        // Silent, half a request, too much, no text, and gone at once.
        let silent: Vec<TcpStream> =
            (0..MOST_CONNECTIONS - 4).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
        let mut half = TcpStream::connect(server.address()).unwrap();
        half.write_all(b"GET /metr").unwrap();
        let good = ask(&server, b"GET /metrics HTTP/1.0\r\n\r\n");
        assert!(good.ends_with("lp 1\n"), "{good}");
        drop(silent);
        assert!(ask(&server, &[b'a'; 3 * MOST_BYTES]).starts_with("HTTP/1.1 400 "));
        assert!(ask(&server, b"\xff\xfe\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let begin = Instant::now();
        drop(server);
        assert!(begin.elapsed() < PATIENCE / 2, "nobody waits for half a request");
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let server = server();
        let error = WebServer::start(server.address(), |_| None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
