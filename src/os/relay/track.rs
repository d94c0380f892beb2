//! The packets of one track in UDP: two sockets towards the server and two towards the client, for RTP
//! and RTCP each.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::message::rtp_time;
use crate::impair::link::Link;

/// The largest packet of UDP.
pub(super) const LARGEST: usize = 65_536;

/// As many packets are read from a socket before others are looked at.
const AT_ONCE: usize = 64;

/// What a socket may hold until it is read: a key frame. The kernel may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How often a free pair of ports is looked for.
const TRIES: usize = 100;

/// Sockets for RTP and RTCP with ports one after the other, the first one even (RFC 3550, 11).
fn pair(address: IpAddr) -> io::Result<[UdpSocket; 2]> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let first = UdpSocket::bind((address, 0))?;
        let port = first.local_addr()?.port();
        if port % 2 == 1 {
            continue;
        }
        match UdpSocket::bind((address, port + 1)) {
            Ok(second) => {
                for socket in [&first, &second] {
                    socket.set_nonblocking(true)?;
                    set_socket_recv_buffer_size(socket, RECEIVE_BUFFER)?;
                }
                return Ok([first, second]);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The sockets of a track, and who is at their other ends.
#[derive(Debug)]
pub(super) struct Track {
    /// Towards the server.
    up: [UdpSocket; 2],
    /// Towards the client.
    down: [UdpSocket; 2],
    client: [SocketAddr; 2],
    /// The server's host, and its ports as far as they are known.
    server: (IpAddr, [Option<u16>; 2]),
    /// Once the server has agreed to send packets.
    link: Option<PacketLink>,
}

/// Packets, each with the place of its socket.
pub(super) type PacketLink = Link<(usize, Vec<u8>)>;

impl Track {
    /// Sockets of these addresses of this machine, for a client at these ports.
    pub(super) fn new(
        towards_server: IpAddr,
        towards_client: IpAddr,
        (server, client): (IpAddr, IpAddr),
        client_ports: [u16; 2],
    ) -> io::Result<Track> {
        Ok(Track {
            up: pair(towards_server)?,
            down: pair(towards_client)?,
            client: client_ports.map(|port| (client, port).into()),
            server: (server, [None; 2]),
            link: None,
        })
    }

    /// The ports that the server sends to: `5000-5001`.
    pub(super) fn ports_of_client(&self) -> io::Result<String> {
        ports(&self.up)
    }

    /// The ports that the client sends to.
    pub(super) fn ports_of_server(&self) -> io::Result<String> {
        ports(&self.down)
    }

    /// The ports that the client has said.
    pub(super) fn ports_it_said(&self) -> String {
        format!("{}-{}", self.client[0].port(), self.client[1].port())
    }

    /// The server has agreed, and sends from these ports, if it has said them.
    pub(super) fn begin(&mut self, server_ports: Option<[u16; 2]>, link: PacketLink) {
        self.server.1 = server_ports.map_or([None; 2], |ports| ports.map(Some));
        self.link = Some(link);
    }

    /// Its sockets, for waiting.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        self.up.iter().chain(&self.down)
    }

    pub(super) fn link(&self) -> Option<&PacketLink> {
        self.link.as_ref()
    }

    /// Takes what has come: from the server onto the link, from the client straight on.
    pub(super) fn receive(&mut self, now_ns: u64, buffer: &mut [u8; LARGEST]) {
        for place in 0..2 {
            for _ in 0..AT_ONCE {
                let Ok((length, from)) = self.up[place].recv_from(buffer) else { break };
                if from.ip() != self.server.0 {
                    continue;
                }
                self.server.1[place].get_or_insert(from.port());
                let Some(link) = &mut self.link else { continue };
                let packet = buffer[..length].to_vec();
                let frame = (place == 0).then(|| rtp_time(&packet)).flatten();
                link.arrives(now_ns, length, frame, (place, packet));
            }
            for _ in 0..AT_ONCE {
                let Ok((length, from)) = self.down[place].recv_from(buffer) else { break };
                if let Some(port) = self.server.1[place].filter(|_| from.ip() == self.client[place].ip()) {
                    // As in any network, a packet that cannot be sent is lost.
                    let _ = self.up[place].send_to(&buffer[..length], (self.server.0, port));
                }
            }
        }
    }

    /// Sends to the client what is due.
    pub(super) fn send(&mut self, now_ns: u64) {
        let Some(link) = &mut self.link else { return };
        while let Some((place, packet)) = link.leaves(now_ns) {
            let _ = self.down[place].send_to(&packet, self.client[place]);
        }
    }
}

fn ports([first, second]: &[UdpSocket; 2]) -> io::Result<String> {
    Ok(format!("{}-{}", first.local_addr()?.port(), second.local_addr()?.port()))
}
