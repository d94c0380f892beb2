//! An RTSP camera that does as a test says: its description, its times, its transports, who may
//! see it, and how long a connection lasts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::recorded::Recording;

/// A camera. Each client gets its video from the beginning.
#[derive(Clone)]
pub(crate) struct Camera {
    /// The media of its description; `video` is the one that it sends.
    pub(crate) media: String,
    /// The packets of each frame, and when it is sent, in milliseconds.
    pub(crate) frames: Vec<(u64, Vec<Vec<u8>>)>,
    pub(crate) transports: Transports,
    /// The value of `Authorization` that it asks for, after this challenge.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// What becomes of each connection; the last one is what becomes of all further ones.
    pub(crate) fates: Vec<Fate>,
    pub(crate) reports: Option<Reports>,
    /// Where DESCRIBE sends the client: below the camera's own URI.
    pub(crate) redirect: Option<&'static str>,
}

/// What its sender report before a frame says, by the frame's number: the seconds of its clock.
pub(crate) type Reports = fn(usize) -> Option<u32>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transports {
    Tcp,
    Udp,
    /// It grants UDP and sends nothing by it.
    DumbUdp,
}

/// The fate of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lasts until its video is over, and is closed then.
    Whole,
    /// It is closed after so many frames.
    ClosedAfter(usize),
    /// Nothing more comes after so many frames, and it stays open.
    SilentAfter(usize),
    /// It is refused.
    Refused,
}

/// What a camera was asked.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: Mutex<Vec<String>>,
    n_connections: AtomicUsize,
}

impl Seen {
    /// The URIs that a method was asked for.
    pub(crate) fn uris(&self, method: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let of = requests.iter().filter_map(|line| line.strip_prefix(method)?.split(' ').nth(1));
        of.map(str::to_owned).collect()
    }
}

impl Camera {
    /// Sends a recording at `fps`.
    pub(crate) fn of(recording: &Recording, fps: u32) -> Camera {
        let mut camera = Camera {
            media: format!("{}a=control:video\r\n", recording.media),
            frames: Vec::new(),
            transports: Transports::Tcp,
            login: None,
            fates: vec![Fate::Whole],
            reports: None,
            redirect: None,
        };
        let ms = |n: usize| n as u64 * 1_000 / u64::from(fps);
        camera.frames =
            recording.frames.iter().enumerate().map(|(n, frame)| (ms(n), frame.clone())).collect();
        camera.number(|_, ms| ms as i64);
        camera
    }

    /// Numbers the packets anew. `time` gives the milliseconds of the timestamp of a frame, by its
    /// number and when it is sent.
    pub(crate) fn number(&mut self, time: impl Fn(usize, u64) -> i64) {
        let mut number: u16 = 0;
        for (n, (at_ms, packets)) in self.frames.iter_mut().enumerate() {
            let ticks = (3_000_000_000_i64 + time(n, *at_ms) * 90) as u32;
            for packet in packets {
                number = number.wrapping_add(1);
                if !packet.is_empty() {
                    packet[2..4].copy_from_slice(&number.to_be_bytes());
                    packet[4..8].copy_from_slice(&ticks.to_be_bytes());
                    packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
                }
            }
        }
    }

    /// Serves it at a port of its own. Its URI, and what it will have seen.
    pub(crate) fn serve(self) -> (String, Arc<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("rtsp://{}/camera", listener.local_addr().unwrap());
        let (camera, seen) = (Arc::new(self), Arc::new(Seen::default()));
        let shown = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (camera, seen) = (Arc::clone(&camera), Arc::clone(&seen));
                // A client that goes away ends its thread with an error of its socket.
                std::thread::spawn(move || drop(camera.answer(client, &seen)));
            }
        });
        (uri, shown)
    }

    fn answer(&self, mut client: TcpStream, seen: &Seen) -> std::io::Result<()> {
        let mut requests = BufReader::new(client.try_clone()?);
        let mut to = None;
        let mut fate = None;
        loop {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if requests.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                match line.trim_end() {
                    "" => break,
                    line => lines.push(line.to_owned()),
                }
            }
            let value = |name: &str| {
                let mut pairs = lines.iter().filter_map(|line| line.split_once(':'));
                pairs
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim().to_owned())
            };
            let request = lines[0].clone();
            seen.requests.lock().unwrap().push(request.clone());
            let method = request.split(' ').next().unwrap_or_default();
            let number = value("CSeq").unwrap_or_default();
            let login = self.login.filter(|(_, login)| value("Authorization").as_deref() != Some(login));
            let refused = method == "SETUP" && *fate.get_or_insert_with(|| self.fate(seen)) == Fate::Refused;
            let is_udp = value("Transport").is_some_and(|text| !text.contains("TCP"));
            let (status, headers, body) = match method {
                _ if refused => ("503 Service Unavailable", String::new(), ""),
                "OPTIONS" => {
                    ("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".to_owned(), "")
                }
                _ if login.is_some() => {
                    let (challenge, _) = login.unwrap_or_default();
                    ("401 Unauthorized", format!("WWW-Authenticate: {challenge}\r\n"), "")
                }
                "DESCRIBE" if self.redirect.is_some_and(|to| to.is_empty() || !is_for(&request, to)) => {
                    let host = client.local_addr()?;
                    let place = format!("rtsp://{host}/camera{}", self.redirect.unwrap_or_default());
                    ("302 Moved Temporarily", format!("Location: {place}\r\n"), "")
                }
                "DESCRIBE" => ("200 OK", "Content-Type: application/sdp\r\n".to_owned(), self.media.as_str()),
                "SETUP" if self.transports == if is_udp { Transports::Tcp } else { Transports::Udp } => {
                    ("461 Unsupported Transport", String::new(), "")
                }
                "SETUP" if is_udp => {
                    let transport = value("Transport").unwrap_or_default();
                    let (_, ports) = transport.split_once("client_port=").unwrap_or_default();
                    let port = ports.split('-').next().and_then(|port| port.parse::<u16>().ok());
                    let socket = UdpSocket::bind("127.0.0.1:0")?;
                    socket.connect(("127.0.0.1", port.unwrap_or_default()))?;
                    let own = socket.local_addr()?.port();
                    to = Some(socket);
                    let answer = format!("{transport};server_port={own}-{};ssrc=00000007", own + 1);
                    ("200 OK", format!("Session: 1\r\nTransport: {answer}\r\n"), "")
                }
                "SETUP" => {
                    let transport = "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000007";
                    ("200 OK", format!("Session: 1\r\nTransport: {transport}\r\n"), "")
                }
                _ => ("200 OK", "Session: 1\r\nRange: npt=now-\r\n".to_owned(), ""),
            };
            let body = match body {
                "" => String::new(),
                media => format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nc=IN IP4 0.0.0.0\r\n{media}"
                ),
            };
            let length = body.len();
            write!(
                client,
                "RTSP/1.0 {status}\r\nCSeq: {number}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            )?;
            if method == "PLAY" {
                break;
            }
        }
        // What the client reports is read, lest it waits for that.
        std::thread::spawn(move || drop(requests.read_to_end(&mut Vec::new())));
        let is_dumb = self.transports == Transports::DumbUdp && to.is_some();
        let sent = match fate {
            Some(Fate::ClosedAfter(n) | Fate::SilentAfter(n)) => &self.frames[..n],
            _ => &self.frames[..],
        };
        let begin = Instant::now();
        for (n, (at_ms, packets)) in sent.iter().enumerate() {
            // The rate of the camera; no test waits for this.
            let due = begin + Duration::from_millis(*at_ms);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let seconds = self.reports.and_then(|reports| reports(n));
            if let (Some(seconds), Some(packet), None) = (seconds, packets.first(), &to) {
                client.write_all(&report(seconds, &packet[4..8]))?;
            }
            for packet in packets.iter().filter(|packet| !packet.is_empty() && !is_dumb) {
                match &to {
                    Some(socket) => drop(socket.send(packet)),
                    None => {
                        let length = u16::try_from(packet.len()).unwrap_or(u16::MAX).to_be_bytes();
                        client.write_all(&[&[b'$', 0], &length[..], packet].concat())?;
                    }
                }
            }
        }
        if matches!(fate, Some(Fate::SilentAfter(_))) {
            std::thread::sleep(Duration::from_secs(120));
        }
        client.shutdown(std::net::Shutdown::Both)
    }

    fn fate(&self, seen: &Seen) -> Fate {
        let n = seen.n_connections.fetch_add(1, Ordering::SeqCst);
        self.fates[n.min(self.fates.len() - 1)]
    }
}

/// Whether a request is for a URI with this end.
fn is_for(request: &str, end: &str) -> bool {
    request.split(' ').nth(1).is_some_and(|uri| uri.ends_with(end))
}

/// A sender report and a name, as a camera sends them in TCP beside its packets (RFC 3550, 6.4.1): at this
/// second of its clock, its times were those of a packet.
fn report(seconds: u32, ticks: &[u8]) -> Vec<u8> {
    let sender = 7_u32.to_be_bytes();
    let mut rtcp = vec![0x80, 200, 0, 6];
    rtcp.extend(sender);
    rtcp.extend(seconds.to_be_bytes());
    rtcp.extend([0; 4]);
    rtcp.extend(ticks);
    // Packets and bytes so far.
    rtcp.extend([0, 0, 0, 1, 0, 0, 0, 100]);
    rtcp.extend([0x81, 202, 0, 3]);
    rtcp.extend(sender);
    rtcp.extend([1, 3, b'c', b'a', b'm', 0, 0, 0]);
    let length = u16::try_from(rtcp.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[b'$', 1], &length[..], &rtcp].concat()
}
