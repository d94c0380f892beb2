//! What goes through a connection of RTSP: messages, packets between them, and the header that says
//! where packets go to (RFC 2326, 10.12 and 12.39).

use std::ops::Range;

/// The longest head of a message that is looked for; the rest of what has a longer one is not
/// understood.
const LONGEST_HEAD: usize = 64 << 10;

/// The longest body: a description has some hundred bytes.
const LONGEST_BODY: usize = 1 << 20;

/// A piece of a connection, with all its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A request or an answer.
    Message(Vec<u8>),
    /// A packet, after `$`, its channel, and its length in two bytes.
    Packet(Vec<u8>),
    /// Something else: TLS, HTTP, or what follows a fault.
    Opaque(Vec<u8>),
}

/// Cuts one direction of a connection into units.
#[derive(Debug)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    is_opaque: bool,
}

impl Framer {
    pub(super) fn new(is_opaque: bool) -> Framer {
        Framer { buffer: Vec::new(), is_opaque }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next unit that is complete.
    pub(super) fn next_unit(&mut self) -> Option<Unit> {
        let first = *self.buffer.first()?;
        let is_text = first.is_ascii_alphabetic() || first == b'\r' || first == b'\n';
        if self.is_opaque || first != b'$' && !is_text {
            self.is_opaque = true;
            return Some(Unit::Opaque(std::mem::take(&mut self.buffer)));
        }
        if first == b'$' {
            let length = self.buffer.get(2..4)?;
            let length = 4 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            return (length <= self.buffer.len()).then(|| Unit::Packet(self.take(length)));
        }
        // Blank lines before a message belong to none (RFC 2326, 4.1).
        let blank = self.buffer.iter().take_while(|byte| matches!(**byte, b'\r' | b'\n')).count();
        if blank > 0 {
            return Some(Unit::Opaque(self.take(blank)));
        }
        let Some(head) = head_of(&self.buffer) else {
            self.is_opaque = self.buffer.len() > LONGEST_HEAD;
            return if self.is_opaque { self.next_unit() } else { None };
        };
        let body = header(&self.buffer[..head], "content-length");
        let body = body.and_then(|range| std::str::from_utf8(&self.buffer[range]).ok()?.parse().ok());
        let body = body.unwrap_or(0_usize);
        if LONGEST_BODY < body {
            self.is_opaque = true;
            return self.next_unit();
        }
        let length = head + body;
        (length <= self.buffer.len()).then(|| Unit::Message(self.take(length)))
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }
}

/// The length of a message's head, with the blank line after it. Some servers end lines with a line
/// feed alone.
fn head_of(bytes: &[u8]) -> Option<usize> {
    let mut begin = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        begin += line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(begin);
        }
    }
    None
}

/// Where the value of a header stands, without blanks around it.
fn header(message: &[u8], name: &str) -> Option<Range<usize>> {
    let mut begin = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':');
        if let Some(colon) = colon.filter(|colon| line[..*colon].eq_ignore_ascii_case(name.as_bytes())) {
            let value = &line[colon + 1..];
            let before = value.len() - value.trim_ascii_start().len();
            let from = begin + colon + 1 + before;
            return Some(from..from + value.trim_ascii().len());
        }
        if line == b"\r\n" || line == b"\n" {
            return None;
        }
        begin += line.len();
    }
    None
}

/// The value of a header, if it is text.
pub(super) fn value<'m>(message: &'m [u8], name: &str) -> Option<&'m str> {
    std::str::from_utf8(&message[header(message, name)?]).ok()
}

/// A message whose header of this name has another value. One without this header stays.
pub(super) fn with_value(message: &[u8], name: &str, value: &str) -> Vec<u8> {
    match header(message, name) {
        Some(range) => [&message[..range.start], value.as_bytes(), &message[range.end..]].concat(),
        None => message.to_vec(),
    }
}

/// Whether it is a request of this method.
pub(super) fn is_request(message: &[u8], method: &str) -> bool {
    message.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// The status of an answer; `None` for a request.
pub(super) fn status(message: &[u8]) -> Option<u16> {
    let rest = message.strip_prefix(b"RTSP/")?;
    let line = std::str::from_utf8(rest.split(|byte| *byte == b'\r' || *byte == b'\n').next()?).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

/// The two ports of a parameter of one transport: `client_port=5000-5001`. A single one is that of
/// RTP, and RTCP has the next.
pub(super) fn ports(transport: &str, name: &str) -> Option<[u16; 2]> {
    let value = transport.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))?;
    let (first, second) = value.split_once('-').map_or((value, None), |(a, b)| (a, Some(b)));
    let first: u16 = first.trim().parse().ok()?;
    let second = second.map_or(first.checked_add(1), |second| second.trim().parse().ok())?;
    Some([first, second])
}

/// A transport with this parameter in the place of the one it has. `None` if it has none.
pub(super) fn with_parameter(transport: &str, name: &str, value: &str) -> Option<String> {
    let mut is_there = false;
    let parts = transport.split(';').map(|part| {
        let is_it = part.trim().strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        is_there |= is_it;
        if is_it { format!("{name}={value}") } else { part.to_owned() }
    });
    let parts: Vec<String> = parts.collect();
    is_there.then(|| parts.join(";"))
}

/// The time in the header of a packet of RTP (RFC 3550, 5.1), which all packets of a frame share;
/// `None` if it is none.
pub(super) fn rtp_time(packet: &[u8]) -> Option<u32> {
    let is_rtp = packet.len() >= 12 && packet[0] >> 6 == 2;
    is_rtp.then(|| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(framer: &mut Framer) -> Vec<Unit> {
        std::iter::from_fn(|| framer.next_unit()).collect()
    }

    #[test]
    fn a_connection_is_cut_into_messages_and_packets_wherever_it_is_read() {
        let answer = b"RTSP/1.0 200 OK\r\ncontent-length: 3\r\nCSeq: 2\r\n\r\nabc".to_vec();
        let packet = b"$\0\0\x02\r\n".to_vec();
        let request = b"PLAY * RTSP/1.0\r\nCSeq: 3\r\n\r\n".to_vec();
        let all = [answer.as_slice(), &packet, &request].concat();
        let expected = [Unit::Message(answer), Unit::Packet(packet), Unit::Message(request)];
        for size in [1, 7, all.len()] {
            let mut framer = Framer::new(false);
            let mut found = Vec::new();
            for part in all.chunks(size) {
                framer.push(part);
                found.extend(units(&mut framer));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn servers_may_be_careless_about_lines() {
        let answer = b"RTSP/1.0 200 OK\nCSeq: 2\nContent-Length: 1\n\na".to_vec();
        let mut framer = Framer::new(false);
        framer.push(&[b"\r\n", answer.as_slice()].concat());
        assert_eq!(units(&mut framer), [Unit::Opaque(b"\r\n".to_vec()), Unit::Message(answer.clone())]);
        assert_eq!((status(&answer), value(&answer, "cseq")), (Some(200), Some("2")));
    }

    #[test]
    fn a_body_without_end_is_not_kept() {
        for length in [2_000_000_000, usize::MAX] {
            let mut framer = Framer::new(false);
            framer.push(format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\na").as_bytes());
            assert!(matches!(units(&mut framer)[..], [Unit::Opaque(_)]));
            framer.push(b"b");
            assert_eq!(units(&mut framer), [Unit::Opaque(b"b".to_vec())]);
        }
    }

    #[test]
    fn what_is_not_understood_passes_as_it_is() {
        for (is_opaque, bytes) in [(true, b"OPTIONS".as_slice()), (false, b"\x16\x03\x01")] {
            let mut framer = Framer::new(is_opaque);
            framer.push(bytes);
            assert_eq!(units(&mut framer), [Unit::Opaque(bytes.to_vec())]);
        }
        let mut framer = Framer::new(false);
        framer.push(&vec![b'a'; LONGEST_HEAD + 1]);
        assert_eq!(units(&mut framer).len(), 1);
        framer.push(b"$");
        assert_eq!(units(&mut framer), [Unit::Opaque(b"$".to_vec())]);
    }

    #[test]
    fn the_ports_of_a_transport_are_replaced() {
        let setup = b"SETUP rtsp://h/a RTSP/1.0\r\nTRANSPORT:  RTP/AVP;unicast;client_port=5000-5001 \r\nX: y\r\n\r\n";
        let transport = value(setup, "transport").unwrap();
        assert_eq!(ports(transport, "client_port"), Some([5000, 5001]));
        assert_eq!(ports(transport, "server_port"), None);
        assert_eq!(ports("RTP/AVP;client_port=7", "client_port"), Some([7, 8]));
        let other = with_parameter(transport, "client_port", "6-7").unwrap();
        assert_eq!(other, "RTP/AVP;unicast;client_port=6-7");
        assert_eq!(with_parameter(transport, "source", "h"), None);
        let changed = String::from_utf8(with_value(setup, "Transport", &other)).unwrap();
        assert_eq!(
            changed,
            "SETUP rtsp://h/a RTSP/1.0\r\nTRANSPORT:  RTP/AVP;unicast;client_port=6-7 \r\nX: y\r\n\r\n"
        );
    }

    #[test]
    fn requests_and_answers_are_told_apart() {
        assert!(is_request(b"SETUP a RTSP/1.0\r\n\r\n", "SETUP"));
        assert!(!is_request(b"SETUPS a RTSP/1.0\r\n\r\n", "SETUP"));
        assert_eq!(status(b"RTSP/1.0 461 Unsupported transport\r\n\r\n"), Some(461));
        assert_eq!(status(b"SETUP a RTSP/1.0\r\n\r\n"), None);
    }
}
