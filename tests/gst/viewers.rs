//! Clients of RTSP: `ffmpeg`, and one that speaks just as much of it as it has to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longer than anything here takes, on the busiest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A decoded frame: its time in seconds, and a digest of its picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) time_s: f64,
    pub(crate) digest: String,
}

/// The first `n` frames of a video, as `ffmpeg` decodes them.
pub(crate) fn pictures(options: &[&str], video: &str, n: usize) -> Vec<Picture> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(options)
        .args(["-i", video, "-an", "-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-frames:v", &n.to_string(), "-f", "framemd5", "-"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).expect("a time base");
    let (numer, denom) = base.split_once('/').unwrap();
    let unit: f64 = numer.parse::<f64>().unwrap() / denom.parse::<f64>().unwrap();
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let time_s = fields[2].parse::<f64>().unwrap() * unit;
            Picture { time_s, digest: fields[5].to_owned() }
        })
        .collect()
}

/// All frames of a clip.
pub(crate) fn clip(path: &Path) -> Vec<Picture> {
    pictures(&[], path.to_str().unwrap(), 1_000_000)
}

/// A client over one connection, which receives its packets there, too.
pub(crate) struct Viewer {
    stream: BufReader<TcpStream>,
    uri: String,
    number: u32,
    session: String,
}

impl Viewer {
    pub(crate) fn connect(port: u16, mount: &str) -> Viewer {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let uri = format!("rtsp://127.0.0.1:{port}/{mount}");
        Viewer { stream: BufReader::new(stream), uri, number: 0, session: String::new() }
    }

    /// The status of an answer, and its head and body.
    pub(crate) fn ask(&mut self, method: &str, below: &str, headers: &str) -> (u16, String) {
        self.number += 1;
        let session =
            if self.session.is_empty() { String::new() } else { format!("Session: {}\r\n", self.session) };
        let request = format!(
            "{method} {}{below} RTSP/1.0\r\nCSeq: {}\r\n{session}{headers}\r\n",
            self.uri, self.number
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        loop {
            let mut first = [0];
            self.stream.read_exact(&mut first).unwrap();
            if first == *b"$" {
                self.skip_packet();
                continue;
            }
            let mut head = String::from_utf8(first.to_vec()).unwrap();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "it hung up after {head}");
            }
            let value = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            if let Some(session) = value("Session") {
                session.split(';').next().unwrap().clone_into(&mut self.session);
            }
            let length = value("Content-Length").map_or(0, |length| length.parse().unwrap());
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).unwrap();
            return (status, head + &String::from_utf8(body).unwrap());
        }
    }

    fn skip_packet(&mut self) {
        let mut head = [0; 3];
        self.stream.read_exact(&mut head).unwrap();
        let mut packet = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        self.stream.read_exact(&mut packet).unwrap();
    }

    /// Plays the stream.
    pub(crate) fn play(&mut self) {
        let (status, sdp) = self.ask("DESCRIBE", "", "Accept: application/sdp\r\n");
        assert_eq!(status, 200, "{sdp}");
        let control = sdp.lines().filter_map(|line| line.strip_prefix("a=control:")).next_back().unwrap();
        let below = format!("/{}", control.rsplit('/').next().unwrap());
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        assert_eq!(self.ask("SETUP", &below, transport).0, 200);
        assert_eq!(self.ask("PLAY", "", "Range: npt=0-\r\n").0, 200);
    }

    /// Reads a packet.
    pub(crate) fn receive(&mut self) {
        let mut first = [0];
        self.stream.read_exact(&mut first).unwrap();
        assert_eq!(first, *b"$");
        self.skip_packet();
    }

    /// Reads until the server has gone.
    pub(crate) fn wait_for_the_end(mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.stream.read_to_end(&mut rest);
    }

    pub(crate) fn tear_down(mut self) {
        assert_eq!(self.ask("TEARDOWN", "", "").0, 200);
    }
}
