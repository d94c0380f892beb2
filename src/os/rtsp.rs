//! Asks an RTSP server why a source of its stream has failed: once, and without a
//! user, so that the server counts no attempt to log in.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server may take to accept, and to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub enum Answer {
    /// The name of its host has no address.
    NoHost,
    /// The port refuses connections.
    NoConnection(io::Error),
    /// Each `WWW-Authenticate`; none if the server asks for no login, speaks another
    /// protocol, or speaks it in TLS.
    Challenges(Vec<String>),
}

/// A URI of RTSP with its port, and without user and password.
#[must_use]
pub fn public(uri: &str) -> String {
    match parts(uri) {
        Some(Parts { scheme, host, port, rest, .. }) => format!("{scheme}://{host}:{port}{rest}"),
        None => uri.to_owned(),
    }
}

/// Whether a URI of RTSP has a user.
#[must_use]
pub fn has_user(uri: &str) -> bool {
    parts(uri).is_some_and(|parts| parts.has_user)
}

/// Whether a URI is one of RTSP in TLS.
#[must_use]
pub fn is_encrypted(uri: &str) -> bool {
    parts(uri).is_some_and(|parts| parts.is_encrypted())
}

/// Asks the server of a stream. `None` if that is no URI of one.
#[must_use]
pub fn ask(uri: &str) -> Option<Answer> {
    let parts = parts(uri)?;
    let Ok(addresses) = (parts.host.trim_matches(['[', ']']), parts.port).to_socket_addrs() else {
        return Some(Answer::NoHost);
    };
    let mut refusal = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) if parts.is_encrypted() => return Some(Answer::Challenges(Vec::new())),
            Ok(stream) => {
                return Some(Answer::Challenges(challenges(&stream, &public(uri)).unwrap_or_default()));
            }
            Err(error) => refusal = Some(error),
        }
    }
    Some(refusal.map_or(Answer::NoHost, Answer::NoConnection))
}

fn challenges(mut stream: &TcpStream, uri: &str) -> io::Result<Vec<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "DESCRIBE {uri} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n")?;
    let mut found = Vec::new();
    // As many bytes as any head of an answer has.
    for line in BufReader::new(io::Read::take(stream, 64 << 10)).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("www-authenticate")
        {
            found.push(value.trim().to_owned());
        }
    }
    Ok(found)
}

struct Parts<'a> {
    /// In any case: `RTSP` too.
    scheme: &'a str,
    has_user: bool,
    host: &'a str,
    port: u16,
    /// The path and what follows it.
    rest: &'a str,
}

impl Parts<'_> {
    fn is_encrypted(&self) -> bool {
        self.scheme.to_ascii_lowercase().starts_with("rtsps")
    }
}

fn parts(uri: &str) -> Option<Parts<'_>> {
    let is_rtsp = |scheme: &str| scheme.to_ascii_lowercase().starts_with("rtsp");
    let (scheme, rest) = uri.split_once("://").filter(|(scheme, _)| is_rtsp(scheme))?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    // An address of IPv6 has colons in its brackets.
    let (host, port) = match host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (host, None),
    };
    let mut parts = Parts { scheme, has_user: user.is_some(), host, port: 554, rest };
    parts.port = port.unwrap_or(if parts.is_encrypted() { 322 } else { 554 });
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_shown_with_its_port_and_without_its_login() {
        for (uri, shown) in [
            ("rtsp://h/a@b", "rtsp://h:554/a@b"),
            ("rtsps://u:p@h:8554/a?b", "rtsps://h:8554/a?b"),
            ("rtsp://u@[::1]/a", "rtsp://[::1]:554/a"),
            ("rtsp://[::1]:1", "rtsp://[::1]:1"),
            ("RTSPS://u:p@h/a", "RTSPS://h:322/a"),
        ] {
            assert_eq!(public(uri), shown);
            assert_eq!(has_user(uri), uri.contains("u:p@") || uri.contains("u@"), "{uri}");
        }
    }

    #[test]
    fn a_missing_server_differs_from_an_unknown_host() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let answer = ask(&format!("rtsp://127.0.0.1:{free}/a"));
        assert!(matches!(answer, Some(Answer::NoConnection(_))), "{answer:?}");
        assert!(matches!(ask("rtsp://no host/a"), Some(Answer::NoHost)));
    }
}
