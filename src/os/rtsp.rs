//! Asks an RTSP server why a source of its stream has failed, whether it has a stream, or whether
//! there is one at all: once, and without a user, so that the server counts no attempt to log in.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
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

/// The host of a URI of RTSP, without brackets, and the port of its server.
#[must_use]
pub fn server(uri: &str) -> Option<(String, u16)> {
    let parts = parts(uri)?;
    Some((parts.host.trim_matches(['[', ']']).to_owned(), parts.port))
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

/// Where a server sends those who ask for a stream, without user and password; `None` if it does not
/// send them elsewhere, or speaks TLS.
#[must_use]
pub fn redirect(uri: &str) -> Option<String> {
    let parts = parts(uri).filter(|parts| !parts.is_encrypted())?;
    let addresses = (parts.host.trim_matches(['[', ']']), parts.port).to_socket_addrs().ok()?;
    let connect = |address| TcpStream::connect_timeout(&address, PATIENCE).ok();
    let head = request(&addresses.into_iter().find_map(connect)?, "DESCRIBE", &public(uri), PATIENCE).ok()?;
    status(&head).filter(|status| (300..400).contains(status))?;
    let headers = head.iter().filter_map(|line| line.split_once(':'));
    let place =
        headers.filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, value)| value.trim());
    place.map(public).next()
}

/// Whether a name of a host has an address, as this machine sees it.
#[must_use]
pub fn has_address(host: &str) -> bool {
    (host.trim_matches(['[', ']']), 554)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.next().is_some())
}

fn challenges(stream: &TcpStream, uri: &str) -> io::Result<Vec<String>> {
    let head = request(stream, "DESCRIBE", uri, PATIENCE)?;
    let headers = head.iter().filter_map(|line| line.split_once(':'));
    let challenges = headers.filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    Ok(challenges.map(|(_, value)| value.trim().to_owned()).collect())
}

/// Sends a request; the lines of the answer's head.
fn request(mut stream: &TcpStream, method: &str, uri: &str, patience: Duration) -> io::Result<Vec<String>> {
    stream.set_read_timeout(Some(patience))?;
    // In one piece: who answers to the first piece and hangs up resets the connection at the next.
    let request = format!("{method} {uri} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    // As many bytes as any head of an answer has.
    for line in BufReader::new(io::Read::take(stream, 64 << 10)).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    Ok(head)
}

/// The status of an answer, by its first line.
fn status(head: &[String]) -> Option<u16> {
    head.first()?.strip_prefix("RTSP/1.0 ")?.split(' ').next()?.parse().ok()
}

/// The status of a server's answer to DESCRIBE for a stream, which it may take `patience` to give.
///
/// # Errors
/// When it does not answer.
pub fn describe(address: IpAddr, port: u16, path: &str, patience: Duration) -> io::Result<u16> {
    let stream = TcpStream::connect_timeout(&(address, port).into(), PATIENCE)?;
    let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    let head = request(&stream, "DESCRIBE", &format!("rtsp://{host}:{port}/{path}"), patience)?;
    status(&head).ok_or_else(|| io::Error::other("its answer is none of RTSP"))
}

/// What is at a port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Nothing listens.
    Free,
    /// A server of RTSP answers.
    Serves,
    /// Something else listens, or a server that does not answer.
    Taken,
}

/// Looks who listens at a port of this machine.
#[must_use]
pub fn look(address: IpAddr, port: u16) -> Port {
    match TcpStream::connect_timeout(&(address, port).into(), PATIENCE) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Port::Free,
        Err(_) => Port::Taken,
        Ok(stream) => match request(&stream, "OPTIONS", "*", PATIENCE) {
            Ok(head) if status(&head).is_some() => Port::Serves,
            _ => Port::Taken,
        },
    }
}

/// Listens at an address of this machine, for a moment.
///
/// # Errors
/// Why that cannot be done.
pub fn try_to_listen(address: &str, port: u16) -> io::Result<()> {
    TcpListener::bind((address, port)).map(|_| ())
}

/// The address of a host, if that is this machine: `localhost`, its own name, or one of its
/// addresses. No name server is asked.
#[must_use]
pub fn own_address(host: &str) -> Option<IpAddr> {
    let own_name = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    if host.eq_ignore_ascii_case("localhost") || own_name().is_some_and(|name| name.trim() == host) {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let address: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    // Only a machine's own addresses can be bound to; and nobody can connect to all of them.
    (!address.is_unspecified() && UdpSocket::bind((address, 0)).is_ok()).then_some(address)
}

/// The address of this machine from which it reaches others, and at which they reach it, of the kind of
/// `unspecified`; `None` if it is on no network. Nothing is sent.
#[must_use]
pub fn outward_address(unspecified: IpAddr) -> Option<IpAddr> {
    // For documentation alone (RFC 5737, RFC 3849): a route to it is the usual one.
    let elsewhere = if unspecified.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let socket = UdpSocket::bind((unspecified, 0)).ok()?;
    socket.connect(elsewhere).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
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
    fn this_machine_is_known_by_its_addresses() {
        let own = ["localhost", "127.0.0.1", "127.0.0.2", "[127.0.0.1]"].map(own_address);
        assert!(own.iter().all(Option::is_some), "{own:?}");
        // The second is for documentation alone.
        let others = ["rtsp-streamer", "192.0.2.1", "0.0.0.0", ""].map(own_address);
        assert!(others.iter().all(Option::is_none), "{others:?}");
    }

    /// A port at which nothing listens, and which no test beside this one gets by chance.
    const NOBODY: u16 = 1;

    /// A program that answers each connection so.
    fn listener(answer: &'static str) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // All of the request: closing a connection with unread bytes resets it.
                let request = BufReader::new(&stream).lines().map_while(Result::ok);
                request.take_while(|line| !line.is_empty()).for_each(drop);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        port
    }

    #[test]
    fn a_port_is_free_or_serves_or_is_taken() {
        let local = Ipv4Addr::LOCALHOST.into();
        assert_eq!(look(local, NOBODY), Port::Free);
        assert_eq!(look(local, listener("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")), Port::Serves);
        assert_eq!(look(local, listener("HTTP/1.1 400 Bad Request\r\n\r\n")), Port::Taken);
        assert_eq!(look(local, listener("")), Port::Taken);
    }

    #[test]
    fn the_answer_for_a_stream_has_a_status() {
        let local = Ipv4Addr::LOCALHOST.into();
        let status = |answer| describe(local, listener(answer), "a", PATIENCE);
        assert_eq!(status("RTSP/1.0 404 Not Found\r\n\r\n").unwrap(), 404);
        assert_eq!(status("HTTP/1.1 200 OK\r\n\r\n").unwrap_err().to_string(), "its answer is none of RTSP");
    }

    #[test]
    fn a_redirect_has_its_place_without_a_login() {
        let redirect = |answer| redirect(&format!("rtsp://127.0.0.1:{}/a", listener(answer)));
        let moved = "RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://a:b@h/c\r\n\r\n";
        assert_eq!(redirect(moved).as_deref(), Some("rtsp://h:554/c"));
        assert_eq!(redirect("RTSP/1.0 200 OK\r\nLocation: rtsp://h/c\r\n\r\n"), None);
        assert!(has_address("localhost") && has_address("[::1]") && !has_address("no host"));
    }

    #[test]
    fn the_outward_address_is_one_of_this_machine() {
        let outward = outward_address(Ipv4Addr::UNSPECIFIED.into());
        assert!(outward.is_none_or(|address| own_address(&address.to_string()) == Some(address)));
    }

    #[test]
    fn a_missing_server_differs_from_an_unknown_host() {
        let answer = ask(&format!("rtsp://127.0.0.1:{NOBODY}/a"));
        assert!(matches!(answer, Some(Answer::NoConnection(_))), "{answer:?}");
        assert!(matches!(ask("rtsp://no host/a"), Some(Answer::NoHost)));
    }
}
