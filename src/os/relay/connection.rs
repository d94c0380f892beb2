//! One connection of a client to its server, through the relay: a thread that waits for its sockets
//! and for the times of packets.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Route;
use super::message::{self, Framer, Unit, rtp_time};
use super::track::{LARGEST, Track};
use crate::impair::link::{Carrier, Link};
use crate::os::clock::monotonic_ns;

/// As many bytes wait for the client before the server has to wait.
const MOST_WAITING: usize = 4 << 20;

/// A TCP connection that does not wait for its peer.
struct Peer {
    stream: TcpStream,
    /// What it has not taken yet.
    out: Vec<u8>,
    framer: Framer,
    has_ended: bool,
}

impl Peer {
    fn new(stream: TcpStream, is_opaque: bool) -> io::Result<Peer> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Peer { stream, out: Vec::new(), framer: Framer::new(is_opaque), has_ended: false })
    }

    fn read(&mut self, buffer: &mut [u8]) {
        match (&self.stream).read(buffer) {
            Ok(0) => self.has_ended = true,
            Ok(length) => self.framer.push(&buffer[..length]),
            Err(error) if is_passing(&error) => {}
            Err(_) => self.has_ended = true,
        }
    }

    fn write(&mut self) {
        while !self.out.is_empty() {
            match (&self.stream).write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_passing(&error) => return,
                Err(_) => {
                    self.has_ended = true;
                    return self.out.clear();
                }
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// A connection as long as it lives.
struct Connection<'r> {
    route: &'r Route,
    client: Peer,
    server: Peer,
    /// What the server sends in TCP.
    link: Link<Vec<u8>>,
    /// Tracks in UDP that the server has agreed to, in this order.
    tracks: Vec<Track>,
    /// Tracks that were asked for, by the number of the request.
    asked: BTreeMap<String, Track>,
}

/// What has something to be read.
struct Ready {
    stop: bool,
    client: bool,
    server: bool,
    tracks: Vec<bool>,
}

/// Relays a connection until one of its ends closes it, or `stop` is closed.
pub(super) fn relay(route: &Arc<Route>, client: TcpStream, stop: &PipeReader) {
    // A client whose server cannot be reached finds its connection closed.
    let Ok(server) = route.connect() else { return };
    let peers = Peer::new(client, route.is_encrypted)
        .and_then(|client| Ok((client, Peer::new(server, route.is_encrypted)?)));
    let Ok((client, server)) = peers else { return };
    let link = Link::new(route.impairment, &route.stream, Carrier::Bytes, route.passage(0));
    let connection = Connection { route, client, server, link, tracks: Vec::new(), asked: BTreeMap::new() };
    connection.run(stop);
}

impl Connection<'_> {
    fn run(mut self, stop: &PipeReader) {
        let mut buffer = Box::new([0; LARGEST]);
        loop {
            let now_ns = monotonic_ns();
            while let Some(bytes) = self.link.leaves(now_ns) {
                self.client.out.extend(bytes);
            }
            self.client.write();
            self.server.write();
            self.tracks.iter_mut().for_each(|track| track.send(now_ns));
            let tracks = self.tracks.iter().filter_map(|track| Some(track.link()?.passage()));
            self.route.note([self.link.passage()].into_iter().chain(tracks));
            let is_drained = self.link.n_waiting() == 0 && self.client.out.is_empty();
            if self.client.has_ended || self.server.has_ended && is_drained {
                return;
            }
            let ready = match self.wait(stop) {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if ready.stop {
                return;
            }
            let now_ns = monotonic_ns();
            if ready.client {
                self.client.read(&mut *buffer);
            }
            while let Some(unit) = self.client.framer.next_unit() {
                let bytes = self.request(unit);
                self.server.out.extend(bytes);
            }
            if ready.server && !self.is_full() {
                self.server.read(&mut *buffer);
            }
            while let Some(unit) = self.server.framer.next_unit() {
                let frame = match &unit {
                    // The even channel of a pair is that of RTP (RFC 2326, 10.12).
                    Unit::Packet(bytes) if bytes[1] % 2 == 0 => rtp_time(&bytes[4..]),
                    _ => None,
                };
                let bytes = self.answer(unit);
                self.link.arrives(now_ns, bytes.len(), frame, bytes);
            }
            let with_packets = self.tracks.iter_mut().zip(ready.tracks).filter(|(_, is_ready)| *is_ready);
            with_packets.for_each(|(track, _)| track.receive(now_ns, &mut buffer));
        }
    }

    /// The server has to wait, as it would for a network of this rate.
    fn is_full(&self) -> bool {
        MOST_WAITING < self.client.out.len() || self.link.is_full(monotonic_ns())
    }

    /// Waits until a socket has something, or a packet is due.
    fn wait(&self, stop: &PipeReader) -> io::Result<Ready> {
        let of = |peer: &Peer, is_read: bool| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, is_read);
            flags.set(PollFlags::OUT, !peer.out.is_empty());
            flags
        };
        let reads_server = !self.is_full() && !self.server.has_ended;
        // One that has hung up would be ready for ever.
        let polls_server = reads_server || !self.server.out.is_empty();
        let mut polled =
            vec![PollFd::new(stop, PollFlags::IN), PollFd::new(&self.client.stream, of(&self.client, true))];
        polled.extend(polls_server.then(|| PollFd::new(&self.server.stream, of(&self.server, reads_server))));
        let sockets = self.tracks.iter().flat_map(Track::sockets);
        polled.extend(sockets.map(|socket| PollFd::new(socket, PollFlags::IN)));
        let links = self.tracks.iter().filter_map(|track| track.link()?.next_ns());
        let next_ns = links.chain(self.link.next_ns()).min();
        let left = next_ns.map(|next_ns| {
            let left_ns = next_ns.saturating_sub(monotonic_ns());
            let (seconds, nanos) = (left_ns / 1_000_000_000, left_ns % 1_000_000_000);
            Timespec { tv_sec: seconds.cast_signed(), tv_nsec: nanos.cast_signed() }
        });
        poll(&mut polled, left.as_ref())?;
        let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        let own = if polls_server { 3 } else { 2 };
        Ok(Ready {
            stop: ready[0],
            client: ready[1],
            server: polls_server && ready[2],
            tracks: ready[own..].chunks(4).map(|sockets| sockets.contains(&true)).collect(),
        })
    }

    /// The bytes of a request for the server: a SETUP in UDP asks for packets to the relay.
    fn request(&mut self, unit: Unit) -> Vec<u8> {
        let Unit::Message(message) = unit else { return bytes(unit) };
        let setup = message::is_request(&message, "SETUP").then(|| self.setup(&message)).flatten();
        setup.unwrap_or(message)
    }

    fn setup(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let number = message::value(message, "CSeq")?.to_owned();
        let transports = message::value(message, "Transport")?;
        let ports = transports.split(',').find_map(|one| message::ports(one, "client_port"))?;
        let (client, server) = (&self.client.stream, &self.server.stream);
        let (own, towards) = (server.local_addr().ok()?.ip(), client.local_addr().ok()?.ip());
        let peers = (server.peer_addr().ok()?.ip(), client.peer_addr().ok()?.ip());
        let track = Track::new(own, towards, peers, ports).ok()?;
        let own_ports = track.ports_of_client().ok()?;
        let changed = transports.split(',').map(|one| {
            message::with_parameter(one, "client_port", &own_ports).unwrap_or_else(|| one.to_owned())
        });
        let changed: Vec<String> = changed.collect();
        self.asked.insert(number, track);
        Some(message::with_value(message, "Transport", &changed.join(",")))
    }

    /// The bytes of what the server says for the client: its answer to a SETUP names the relay.
    fn answer(&mut self, unit: Unit) -> Vec<u8> {
        let Unit::Message(message) = unit else { return bytes(unit) };
        self.agreed(&message).unwrap_or(message)
    }

    fn agreed(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let status = message::status(message)?;
        let mut track = self.asked.remove(message::value(message, "CSeq")?)?;
        let transport = message::value(message, "Transport").filter(|_| status == 200)?;
        if transport.contains("interleaved=") || transport.contains("/TCP") {
            return None;
        }
        // Some servers leave out the ports that they were asked for.
        let own_ports = track.ports_it_said();
        let mut changed = message::with_parameter(transport, "client_port", &own_ports)
            .unwrap_or_else(|| format!("{transport};client_port={own_ports}"));
        let server_ports = message::ports(transport, "server_port");
        let own = [
            ("server_port", track.ports_of_server().ok()?),
            ("source", self.client.stream.local_addr().ok()?.ip().to_string()),
            ("destination", self.client.stream.peer_addr().ok()?.ip().to_string()),
        ];
        for (name, value) in own {
            changed = message::with_parameter(&changed, name, &value).unwrap_or(changed);
        }
        let place = self.tracks.len();
        let (name, passage) = (self.route.track_name(place), self.route.passage(1 + place));
        track.begin(server_ports, Link::new(self.route.impairment, &name, Carrier::Packets, passage));
        self.tracks.push(track);
        Some(message::with_value(message, "Transport", &changed))
    }
}

fn bytes(unit: Unit) -> Vec<u8> {
    let (Unit::Message(bytes) | Unit::Packet(bytes) | Unit::Opaque(bytes)) = unit;
    bytes
}
