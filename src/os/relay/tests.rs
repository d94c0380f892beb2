//! A server and a client that speak just enough RTSP, with the relay between them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::os::clock::monotonic_ns;

/// Longer than anything here takes, on the busiest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// How a server sends its packets.
#[derive(Clone, Copy)]
struct Sending {
    packets: u32,
    bytes: usize,
    every: Duration,
}

/// The head of a message, and the value of a header.
fn head(stream: &mut impl BufRead) -> Option<Vec<String>> {
    let lines: Vec<String> =
        stream.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then_some(lines)
}

fn value<'h>(head: &'h [String], name: &str) -> &'h str {
    let mut headers = head.iter().filter_map(|line| line.split_once(": "));
    headers.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

fn ports_of(transport: &str, name: &str) -> [u16; 2] {
    message::ports(transport, name).unwrap_or_else(|| panic!("no {name} in {transport}"))
}

fn pair() -> ([UdpSocket; 2], String) {
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    sockets.iter().for_each(|socket| socket.set_read_timeout(Some(LIMIT)).unwrap());
    let ports = [&sockets[0], &sockets[1]].map(|socket| socket.local_addr().unwrap().port());
    (sockets, format!("{}-{}", ports[0], ports[1]))
}

/// A packet of RTP whose payload is the time when it is sent.
fn packet(n: u32, bytes: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend((n as u16).to_be_bytes());
    packet.extend(n.to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend(monotonic_ns().to_be_bytes());
    packet.resize(bytes, 0);
    packet
}

/// A server of one client. Over UDP it sends RTCP after its packets, and receives a report; over
/// TCP it hangs up after them.
fn server(sending: Sending) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(&stream);
        let (sockets, own) = pair();
        let mut client = None;
        while let Some(request) = head(&mut requests) {
            let number = value(&request, "CSeq");
            let mut transport = value(&request, "Transport").to_owned();
            if request[0].starts_with("SETUP") && !transport.contains("TCP") {
                let [rtp, rtcp] = ports_of(&transport, "client_port");
                client = Some([rtp, rtcp].map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
                transport += &format!(";server_port={own};source=127.0.0.1");
            }
            write!(&stream, "RTSP/1.0 200 OK\r\nCSeq: {number}\r\nTransport: {transport}\r\n\r\n").unwrap();
            if !request[0].starts_with("PLAY") {
                continue;
            }
            for n in 0..sending.packets {
                let bytes = packet(n, sending.bytes);
                match client {
                    Some([rtp, _]) => drop(sockets[0].send_to(&bytes, rtp).unwrap()),
                    None => {
                        let length = (bytes.len() as u16).to_be_bytes();
                        (&stream).write_all(&[&[b'$', 0][..], &length, &bytes].concat()).unwrap();
                    }
                }
                std::thread::sleep(sending.every);
            }
            let Some([_, rtcp]) = client else { return };
            sockets[1].send_to(b"bye", rtcp).unwrap();
            let mut report = [0; 64];
            assert_eq!(sockets[1].recv(&mut report).unwrap(), 6);
        }
    });
    (at, thread)
}

/// What a client received: the numbers of packets, and how long each took in milliseconds.
struct Received {
    numbers: Vec<u32>,
    took_ms: Vec<f64>,
    passage: Passage,
}

fn note(packet: &[u8], numbers: &mut Vec<u32>, took_ms: &mut Vec<f64>) {
    let sent_ns = u64::from_be_bytes(packet[12..20].try_into().unwrap());
    numbers.push(u32::from_be_bytes(packet[4..8].try_into().unwrap()));
    took_ms.push((monotonic_ns() - sent_ns) as f64 / 1e6);
}

fn ask(stream: &mut BufReader<TcpStream>, method: &str, header: &str) -> Vec<String> {
    write!(stream.get_mut(), "{method} rtsp://h/a RTSP/1.0\r\nCSeq: 7\r\n{header}\r\n").unwrap();
    head(stream).unwrap()
}

/// Receives a stream over an impaired network.
fn receive(impairment: Impairment, transport: &str, sending: Sending) -> Received {
    let (at, server) = server(sending);
    let relay = Relay::start(impairment).unwrap();
    let uri = format!("rtsp://me:secret@{at}/a");
    let through = relay.route("till/1", &uri).unwrap();
    assert_eq!(relay.route("till/1", &uri).unwrap(), through);
    let stream = TcpStream::connect(through).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut stream = BufReader::new(stream);
    let (sockets, own) = pair();
    let (mut numbers, mut took_ms) = (Vec::new(), Vec::new());
    if transport == "udp" {
        let asked = format!("Transport: RTP/AVP;unicast;client_port={own}\r\n");
        let agreed = ask(&mut stream, "SETUP", &asked);
        let agreed = value(&agreed, "Transport");
        // It is told its own ports, and those of the relay as the server's.
        assert!(agreed.contains(&format!("client_port={own};")), "{agreed}");
        let [_, report_to] = ports_of(agreed, "server_port");
        ask(&mut stream, "PLAY", "");
        let (rtp, rtcp) = (&sockets[0], &sockets[1]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 2048];
                loop {
                    match rtp.recv(&mut buffer).unwrap() {
                        3 => return,
                        length => note(&buffer[..length], &mut numbers, &mut took_ms),
                    }
                }
            });
            // The relay sends it after the packets of RTP that came before it.
            assert_eq!(rtcp.recv(&mut [0; 64]).unwrap(), 3);
            rtcp.send_to(b"end", rtp.local_addr().unwrap()).unwrap();
        });
        rtcp.send_to(b"report", ("127.0.0.1", report_to)).unwrap();
        drop(stream);
    } else {
        ask(&mut stream, "SETUP", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
        ask(&mut stream, "PLAY", "");
        let mut head = [0; 4];
        while stream.read_exact(&mut head).is_ok() {
            let mut packet = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
            stream.read_exact(&mut packet).unwrap();
            note(&packet, &mut numbers, &mut took_ms);
        }
    }
    server.join().unwrap();
    Received { numbers, took_ms, passage: relay.passage("till/1").unwrap() }
}

const SENDING: Sending = Sending { packets: 200, bytes: 200, every: Duration::from_millis(1) };

/// The numbers are those that Python's `hashlib` gives for `7/till/1/loss/N` and 5 %.
#[test]
fn exactly_the_predicted_packets_are_lost_in_udp() {
    let predicted = [7, 15, 29, 41, 43, 60, 64, 70, 77, 132, 137, 145, 154, 173, 179, 196];
    let impairment = Impairment { loss_ppm: 50_000, seed: 7, ..Impairment::default() };
    let received = receive(impairment, "udp", SENDING);
    let expected: Vec<u32> = (0..200).filter(|n| !predicted.contains(n)).collect();
    assert_eq!(received.numbers, expected);
    let Passage { packets, forwarded, dropped, overflowed, reordered, .. } = received.passage;
    assert_eq!((packets, forwarded, dropped, overflowed, reordered), (200, 184, 16, 0, 0));
}

#[test]
fn reordered_packets_come_after_the_next_in_udp() {
    let impairment = Impairment { reorder_ppm: 100_000, delay_ms: 5, ..Impairment::default() };
    let received = receive(impairment, "udp", SENDING);
    let late = received.numbers.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
    let mut sorted = received.numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..200).collect::<Vec<u32>>());
    assert!(0 < late && late == received.passage.reordered, "{:?}", received.passage);
}

#[test]
fn packets_in_tcp_take_their_delay_in_order() {
    let impairment = Impairment { delay_ms: 40, jitter_ms: 20, ..Impairment::default() };
    let received = receive(impairment, "tcp", SENDING);
    assert_eq!(received.numbers, (0..200).collect::<Vec<u32>>());
    assert!(received.took_ms.iter().all(|ms| 20.0 <= *ms), "{:?}", received.took_ms);
    // Half of them have waited for nothing but the network, on the busiest machine.
    let mut sorted = received.took_ms;
    sorted.sort_by(f64::total_cmp);
    assert!((30.0..90.0).contains(&sorted[100]), "{}", sorted[100]);
    let mean_ms = received.passage.delay_mean_us().unwrap() as f64 / 1e3;
    assert!((30.0..90.0).contains(&mean_ms), "{mean_ms}");
}

#[test]
fn a_link_of_limited_rate_takes_its_time() {
    // 100 packets of 1,004 bytes, with the 4 of their frame, at 1 Mbit/s: 8 ms each.
    let impairment = Impairment { rate_bps: Some(1_004_000), ..Impairment::default() };
    let sending = Sending { packets: 100, bytes: 1000, every: Duration::ZERO };
    let begin_ns = monotonic_ns();
    let received = receive(impairment, "tcp", sending);
    let took_ms = (monotonic_ns() - begin_ns) as f64 / 1e6;
    assert_eq!(received.numbers.len(), 100);
    assert!((790.0..2_000.0).contains(&took_ms), "{took_ms}");
}

/// Of a stream in TLS: here bytes that nobody can read.
#[test]
fn what_it_cannot_read_takes_its_time_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("rtsps://{}/a", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 5];
        stream.read_exact(&mut asked).unwrap();
        for n in 0..100_u32 {
            // Like the begin of a message, and of a packet.
            stream.write_all(&[b"RTSP$".as_slice(), &n.to_be_bytes(), &[7; 991]].concat()).unwrap();
        }
        asked
    });
    // 100 pieces of 1,000 bytes at 1 Mbit/s: 8 ms each.
    let impairment = Impairment { delay_ms: 100, rate_bps: Some(1_000_000), ..Impairment::default() };
    let relay = Relay::start(impairment).unwrap();
    let mut stream = TcpStream::connect(relay.route("till/1", &uri).unwrap()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let begin_ns = monotonic_ns();
    stream.write_all(b"hello").unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let took_ms = (monotonic_ns() - begin_ns) as f64 / 1e6;
    assert_eq!(&server.join().unwrap(), b"hello");
    let numbers = received.chunks(1_000).map(|piece| u32::from_be_bytes(piece[5..9].try_into().unwrap()));
    assert!(numbers.eq(0..100), "{} bytes", received.len());
    assert!((890.0..3_000.0).contains(&took_ms), "{took_ms}");
    assert_eq!(relay.passage("till/1"), None);
}

#[test]
fn a_server_that_is_not_there_closes_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = Relay::start(Impairment { delay_ms: 1, ..Impairment::default() }).unwrap();
    let through = relay.route("till/1", &format!("rtsp://{free}/a")).unwrap();
    let mut stream = TcpStream::connect(through).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(relay.route("door/1", "http://h/a").is_err());
    assert_eq!(relay.passage("door/1"), None);
}

#[test]
fn its_end_ends_connections() {
    let (at, server) = server(Sending { packets: 0, ..SENDING });
    let relay = Relay::start(Impairment { delay_ms: 1, ..Impairment::default() }).unwrap();
    let through = relay.route("till/1", &format!("rtsp://{at}/a")).unwrap();
    let stream = TcpStream::connect(through).unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(ask(&mut stream, "OPTIONS", "")[0], "RTSP/1.0 200 OK");
    drop(relay);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    server.join().unwrap();
}
