//! A relay between servers of RTSP and their clients, which impairs the network between them: no
//! privileges, no interface of the kernel.
//!
//! Each stream has a port of its own at the loopback address, which its client connects to; the relay
//! connects to the server. Where they agree on UDP, the ports that they tell each other (the header
//! `Transport` of SETUP) become those of the relay, so that all packets go through it. What the server
//! sends passes a [`Link`](crate::impair::link::Link), which decides about each packet. Of a stream in
//! TLS it relays bytes that it cannot read: all that has come at once takes its delay together.
//!
//! A thread for each stream waits for connections, and one for each connection relays it. All end
//! with the [`Relay`], and with this process however it ends.

mod connection;
mod message;
#[cfg(test)]
mod tests;
mod track;

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::impair::{Impairment, Passage};

/// How long a server may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// A relay that runs, until this is dropped.
#[derive(Debug)]
pub struct Relay {
    impairment: Impairment,
    routes: Mutex<BTreeMap<String, Arc<Route>>>,
    stop: Arc<PipeReader>,
    /// Closed at the end, which every thread sees.
    _running: PipeWriter,
}

/// A stream on its way from the server to the client.
#[derive(Debug)]
struct Route {
    /// The name that chance depends on.
    stream: String,
    host: String,
    port: u16,
    is_encrypted: bool,
    impairment: Impairment,
    at: SocketAddr,
    /// Of its packets in TCP, and then of each track in UDP.
    passages: Mutex<Vec<Passage>>,
}

impl Relay {
    /// A relay without routes.
    ///
    /// # Errors
    /// When the process may have no more files.
    pub fn start(impairment: Impairment) -> io::Result<Relay> {
        let (stop, running) = io::pipe()?;
        Ok(Relay { impairment, routes: Mutex::default(), stop: Arc::new(stop), _running: running })
    }

    /// The address at which the server of this URI is reached over the impaired network, for the
    /// stream of this name. The same one if it is asked for again.
    ///
    /// # Errors
    /// When that is no URI of RTSP, or no port or thread can be had.
    pub fn route(&self, stream: &str, uri: &str) -> io::Result<SocketAddr> {
        let mut routes = lock(&self.routes);
        if let Some(route) = routes.get(stream) {
            return Ok(route.at);
        }
        let (host, port) =
            super::rtsp::server(uri).ok_or_else(|| io::Error::other("its URI is none of RTSP"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // `poll` may be wrong about a client that has gone in between.
        listener.set_nonblocking(true)?;
        let route = Arc::new(Route {
            stream: stream.to_owned(),
            host,
            port,
            is_encrypted: super::rtsp::is_encrypted(uri),
            impairment: self.impairment,
            at: listener.local_addr()?,
            passages: Mutex::default(),
        });
        let (at, of_thread, stop) = (route.at, Arc::clone(&route), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name("relay".to_owned());
        thread.spawn(move || listen(&listener, &of_thread, &stop))?;
        routes.insert(stream.to_owned(), route);
        Ok(at)
    }

    /// What became of the packets of a stream so far; `None` if it has no route, and of a stream in
    /// TLS, in which nobody can tell packets.
    #[must_use]
    pub fn passage(&self, stream: &str) -> Option<Passage> {
        let route = Arc::clone(lock(&self.routes).get(stream)?);
        if route.is_encrypted {
            return None;
        }
        let passages = lock(&route.passages);
        Some(passages.iter().fold(Passage::default(), |sum, one| sum.and(*one)))
    }
}

/// Waits for connections until `stop` is closed.
fn listen(listener: &TcpListener, route: &Arc<Route>, stop: &Arc<PipeReader>) {
    loop {
        let mut polled = [PollFd::new(&**stop, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
        match poll(&mut polled, None) {
            Ok(_) if !polled[0].revents().is_empty() => return,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        if let Ok((client, _)) = listener.accept() {
            let (route, stop) = (Arc::clone(route), Arc::clone(stop));
            let thread = std::thread::Builder::new().name("relay".to_owned());
            // Without a thread, the client finds its connection closed.
            let _ = thread.spawn(move || connection::relay(&route, client, &stop));
        }
    }
}

impl Route {
    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The name of a track for chance.
    fn track_name(&self, place: usize) -> String {
        if place == 0 { self.stream.clone() } else { format!("{}+{place}", self.stream) }
    }

    /// What became of packets in the connections before.
    fn passage(&self, place: usize) -> Passage {
        lock(&self.passages).get(place).copied().unwrap_or_default()
    }

    fn note(&self, passages: impl Iterator<Item = Passage>) {
        let mut noted = lock(&self.passages);
        for (place, passage) in passages.enumerate() {
            match noted.get_mut(place) {
                Some(before) => *before = passage,
                None => noted.push(passage),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
