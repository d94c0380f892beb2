//! An RTSP server: clips as streams that never end.
//!
//! Each clip is read into memory once ([`reel`]). A mount has one pipeline for all its clients,
//! which lives from the first to the last of them: a live source gives the clip's frames again and
//! again ([`source`]) to a payloader. No seek, no segment and no EOS is ever in it: a shared
//! pipeline that came to its end would end for everybody.
//!
//! One thread of its own runs the server; a pipeline has its own threads.

mod mount;
mod reel;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gst::glib;
use gstreamer as gst;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPAuth, RTSPFilterResult, RTSPServer, RTSPToken, gst_rtsp};

use lp::pipeline::login::escaped;
use lp::worker::protocol::{EventBody, ServeRequest, ServedMount};

use self::mount::{Mount, ROLE};
use self::reel::Reel;
use crate::frames::lock;
use crate::output::Events;

/// How often sessions are looked for whose clients are silent.
const CLEANUP_S: u32 = 2;

/// How many clients may wait until the server accepts them.
const BACKLOG: i32 = 512;

/// How many clients and pipelines there are; each change is an event.
pub(super) struct Census {
    events: Events,
    /// Clients, pipelines.
    counts: Mutex<(i64, i64)>,
}

impl Census {
    pub(super) fn change(&self, clients: i64, pipelines: i64) {
        // Under the lock, so that the events come in the order of the changes.
        let mut counts = lock(&self.counts);
        *counts = (counts.0 + clients, counts.1 + pipelines);
        let count = |n: i64| u32::try_from(n).unwrap_or(0);
        self.events.send(EventBody::Clients { clients: count(counts.0), pipelines: count(counts.1) });
    }
}

/// A server that runs.
pub(crate) struct Server {
    server: RTSPServer,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    thread: JoinHandle<()>,
}

impl Server {
    /// Whether the server is part of this worker.
    pub(crate) const IS_PART: bool = true;

    /// Reads the clips, and serves them from now on. The event that says so.
    ///
    /// # Errors
    /// When a clip cannot be served, or the port not be had: the reason, for people.
    pub(crate) fn start(request: &ServeRequest, events: &Events) -> Result<(Server, EventBody), String> {
        let server = RTSPServer::new();
        server.set_address(&request.address);
        server.set_service(&request.port.to_string());
        // All cameras of a lane connect at once; of the usual 5, the sixth tries again after a second.
        server.set_backlog(BACKLOG);
        if let Some(threads) = server.thread_pool() {
            // All clients in the server's own thread. With one for as long as there are any, a client
            // that comes while the last one goes finds the pipeline that ends, and is refused.
            threads.set_max_threads(0);
        }
        let census = Arc::new(Census { events: events.clone(), counts: Mutex::new((0, 0)) });
        let mounts = add_mounts(&server, request, &census)?;
        if let Some(login) = &request.login {
            let auth = RTSPAuth::new();
            auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
            let role = gstreamer_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE.as_str();
            auth.add_digest(&login.user, &login.password, &RTSPToken::builder().field(role, ROLE).build());
            server.set_auth(Some(&auth));
        }
        server.connect_client_connected(move |_, client| {
            census.change(1, 0);
            let census = Arc::clone(&census);
            client.connect_closed(move |_| census.change(-1, 0));
        });

        let context = glib::MainContext::new();
        // It does not say why it fails.
        server.attach(Some(&context)).map_err(|_| unbound(request))?;
        let sessions = server.session_pool();
        let cleanup = glib::timeout_source_new_seconds(CLEANUP_S, None, glib::Priority::DEFAULT, move || {
            if let Some(sessions) = &sessions {
                sessions.cleanup();
            }
            glib::ControlFlow::Continue
        });
        cleanup.attach(Some(&context));
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let (running, own) = (main_loop.clone(), context.clone());
        let thread = std::thread::Builder::new().name("rtsp-server".to_owned());
        let thread = thread.spawn(move || drop(own.with_thread_default(|| running.run())));
        let thread = thread.map_err(|error| format!("no thread could be started: {error}"))?;
        let port = u16::try_from(server.bound_port()).unwrap_or(request.port);
        Ok((Server { server, context, main_loop, thread }, EventBody::Serving { port, mounts }))
    }

    /// Closes every connection; with its last client, a pipeline ends.
    pub(crate) fn finish(self) {
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        // From within: a loop that is told to end before it runs would not.
        let main_loop = self.main_loop;
        let end = glib::idle_source_new(None, glib::Priority::DEFAULT, move || {
            main_loop.quit();
            glib::ControlFlow::Break
        });
        end.attach(Some(&self.context));
        let _ = self.thread.join();
    }
}

fn add_mounts(
    server: &RTSPServer,
    request: &ServeRequest,
    census: &Arc<Census>,
) -> Result<Vec<ServedMount>, String> {
    let points = server.mount_points().ok_or("the server has no mounts")?;
    let mut reels: BTreeMap<&str, Arc<Reel>> = BTreeMap::new();
    let mut served = Vec::new();
    for mount in &request.mounts {
        let reel = match reels.get(&*mount.clip) {
            Some(reel) => Arc::clone(reel),
            None => {
                let reel = Arc::new(Reel::read(Path::new(&mount.clip))?);
                reels.insert(&mount.clip, Arc::clone(&reel));
                reel
            }
        };
        served.push(ServedMount {
            name: mount.name.clone(),
            codec: reel.codec,
            frames: u64::try_from(reel.n_frames()).unwrap_or(u64::MAX),
        });
        let factory = Mount::new(reel, mount.seed, request.login.is_none(), census);
        // As clients write it in a URL, and as the server compares it.
        points.add_factory(&format!("/{}", escaped(&mount.name)), factory);
    }
    Ok(served)
}

/// Why a server could not be bound to its port.
fn unbound(request: &ServeRequest) -> String {
    let place = format!("port {} of {}", request.port, request.address);
    match lp::os::rtsp::try_to_listen(&request.address, request.port) {
        Err(error) => format!("{place} cannot be had: {error}"),
        Ok(()) => format!("{place} cannot be had"),
    }
}
