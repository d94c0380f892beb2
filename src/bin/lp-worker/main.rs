//! `lp-worker`: plays pipelines for `lp` and reports their frames and sightings.
//!
//! It reads requests from stdin and writes events to stdout, a JSON object a
//! line (`lp::worker::protocol`). Plugins are foreign code, so they run in this
//! process and not in `lp`: one that crashes or hangs costs a worker. Closing
//! stdin asks it to finish, so when `lp` dies, its workers end too.
//!
//! A worker may also serve clips over RTSP ([`serve`]), which `lp` asks of one that plays nothing.
//!
//! Threads: this one routes requests, one per stream plays it ([`player`]), one
//! reports once a second, one writes ([`output`]), one reads. A stream that
//! hangs holds up none of the others.
//!
//! A panic in a callback of GStreamer or in a stream's thread aborts the process:
//! `lp` reports its death, but would not notice a stream that stopped silently.

mod account;
mod build;
mod camera;
mod camera_clock;
mod clip_check;
mod clip_look;
mod clip_reader;
mod clip_source;
mod colours;
mod connection;
mod delivery;
mod describe;
mod details;
mod draw;
mod frame_rate;
mod frames;
mod lateness;
mod looping;
mod mark;
mod messages;
mod movie_header;
mod native;
mod output;
mod player;
mod probe;
mod property;
mod regions;
mod requests;
mod rtp;
mod scene_source;
#[cfg(feature = "rtsp")]
mod serve;
#[cfg(not(feature = "rtsp"))]
#[path = "serve/absent.rs"]
mod serve;
mod snapshot;
mod stages;
mod steps;
mod tally;
mod tls;
mod traffic;
mod watch;
mod words;

use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use gstreamer as gst;

use lp::os::{clock, process};
use lp::worker::protocol::{EventBody, Request, RequestBody, Tap, VERSION};

use crate::build::Chain;
use crate::output::{Events, log};
use crate::player::{Player, PlayingStreams};
use crate::serve::Server;

/// How long streams may take to end after EOS. Below the 5 s after which `lp`
/// kills a worker, so that this process can still say which stream hangs.
const DRAIN: Duration = Duration::from_secs(4);

/// The longest line of a request: a spec is a few kilobytes.
const MAX_LINE: u64 = 16 << 20;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => {}
        [only] if only == "--version" => {
            start_gstreamer()?;
            let version = env!("CARGO_PKG_VERSION");
            writeln!(
                std::io::stdout(),
                "lp-worker {version} (protocol {VERSION}, GStreamer {})",
                gstreamer()
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {
            log("error: expected no argument, or `--version`");
            return Ok(ExitCode::from(2));
        }
    }
    if std::io::stdin().is_terminal() {
        log("`lp-worker` is started by `lp` and reads requests, one JSON object a line, from stdin.");
        log(r#"Try `{"id":1,"request":"hello"}`; end with Ctrl-D."#);
    }

    process::let_crashes_kill();
    // Ctrl-C reaches the whole foreground group; `lp` decides what to do.
    lp::os::signal::outlive_interrupts().context("failed to handle SIGINT")?;
    // First of all, before anything foreign can print.
    let events = Events::take_stdout().context("failed to take over stdout")?;
    gst::init().context("failed to initialise GStreamer")?;
    scene_source::register().context("failed to register `lpscenesrc`")?;
    clip_source::register().context("failed to register `lpclipsrc`")?;
    clip_check::register().context("failed to register `lpclipcheck`")?;
    frame_rate::register().context("failed to register `lpframerate`")?;
    camera::listen();
    native::register().context("failed to register the elements that infer")?;

    let playing = Arc::new(PlayingStreams::default());
    let _ticker = start_ticker(events.clone(), Arc::clone(&playing));
    let mut player = Player::new(events.clone(), Arc::clone(&playing));
    let mut server = None;
    for line in read_lines() {
        match parse(&line) {
            Ok(request) => answer(request, &mut player, &mut server, &events),
            Err((id, reason)) => events.send(EventBody::Refused { id, reason }),
        }
    }
    if playing.is_any() {
        events.send(details::details(true));
    }
    if let Some(server) = server {
        server.finish();
    }
    player.finish(DRAIN);
    events.flush(Duration::from_secs(1));
    Ok(ExitCode::SUCCESS)
}

/// Lines of stdin until its end. The thread ends with them, however it ends.
fn read_lines() -> Receiver<Vec<u8>> {
    let (sender, receiver) = crossbeam_channel::bounded(64);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match stdin.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
                Err(error) => return log(&format!("failed to read stdin: {error}")),
            }
        }
    });
    receiver
}

/// A request, or why a line is not one, with its id if it has one.
fn parse(line: &[u8]) -> Result<Request, (u64, String)> {
    serde_json::from_slice(line).map_err(|error| {
        let value = serde_json::from_slice::<serde_json::Value>(line).ok();
        let id = value.and_then(|value| value.get("id")?.as_u64()).unwrap_or(0);
        (id, format!("expected a request as JSON on one line: {error}"))
    })
}

fn answer(request: Request, player: &mut Player, server: &mut Option<Server>, events: &Events) {
    let id = request.id;
    match request.body {
        RequestBody::Hello => {
            events.send(EventBody::Hello {
                protocol: VERSION,
                gstreamer: gstreamer(),
                pid: std::process::id(),
                serves: Server::IS_PART,
                stages: true,
            });
            events.send(EventBody::Done { id });
        }
        RequestBody::Inspect { factories } => {
            events.send(EventBody::Factories { factories: describe::factories(factories) });
            events.send(EventBody::Done { id });
        }
        RequestBody::Describe { factories } => {
            events.send(describe::describe(factories));
            events.send(EventBody::Done { id });
        }
        RequestBody::Try { spec } => {
            events.send(EventBody::Tried { fault: Chain::try_build(&spec).err() });
            events.send(EventBody::Done { id });
        }
        RequestBody::Formats { device } => match camera::formats(&device) {
            Ok(formats) => {
                events.send(EventBody::CameraFormats { formats });
                events.send(EventBody::Done { id });
            }
            Err(reason) => events.send(EventBody::Refused { id, reason }),
        },
        RequestBody::Start { stream, spec, seed, also, keep } => {
            let first = Tap { stream, sink: spec.sink };
            player.start(id, std::iter::once(first).chain(also).collect(), spec, seed, keep);
        }
        RequestBody::Stop { stream } => player.stop(id, &stream),
        RequestBody::Serve(request) => {
            let started = match server {
                Some(_) => Err("this worker serves already".to_owned()),
                None => Server::start(&request, events),
            };
            match started {
                Ok((started, serving)) => {
                    *server = Some(started);
                    events.send(serving);
                    events.send(EventBody::Done { id });
                }
                Err(reason) => events.send(EventBody::Refused { id, reason }),
            }
        }
    }
}

fn start_gstreamer() -> anyhow::Result<()> {
    gst::init().context("failed to initialise GStreamer")
}

/// GStreamer's version: `1.22.0`.
fn gstreamer() -> String {
    let (major, minor, micro, _) = gst::version();
    format!("{major}.{minor}.{micro}")
}

/// Reports every stream and this process once a second, as long as the
/// returned sender lives.
fn start_ticker(events: Events, playing: Arc<PlayingStreams>) -> crossbeam_channel::Sender<()> {
    let (alive, stopped) = crossbeam_channel::bounded(0);
    std::thread::spawn(move || {
        let mut next = Instant::now() + Duration::from_secs(1);
        let mut seconds = details::Seconds::default();
        while stopped.recv_deadline(next) == Err(RecvTimeoutError::Timeout) {
            let (cpu_us, rss) = (clock::own_cpu_us(), process::own_rss().unwrap_or(0));
            let files = process::own_open_files();
            let details = seconds.report(playing.is_any());
            playing.report(&events, [EventBody::Process { cpu_us, rss, files }].into_iter().chain(details));
            next += Duration::from_secs(1);
        }
    });
    alive
}
