//! The worker's output: events on the real stdout, free text on stderr.
//!
//! Plugins print to stdout, so it is moved away before GStreamer starts: events
//! go to a private descriptor, and descriptor 1 becomes stderr.
//!
//! One thread writes; all others only put events into its channel, so a
//! slow reader never blocks a streaming thread and lines never interleave.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use lp::os::clock::monotonic_ns;
use lp::worker::protocol::{Event, EventBody};

/// Where events are sent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events(Arc<Mutex<Sender<Item>>>);

enum Item {
    /// Written at once, so that the reader wakes up once.
    Events(Vec<Event>),
    /// Answered when everything before it is written.
    Flush(Sender<()>),
}

impl Events {
    /// Takes stdout for events alone.
    pub(crate) fn take_stdout() -> io::Result<Events> {
        let real = lp::os::process::take_stdout()?;
        let (sender, receiver) = crossbeam_channel::unbounded();
        std::thread::spawn(move || write_all(&receiver, real));
        Ok(Events(Arc::new(Mutex::new(sender))))
    }

    /// Sends an event now. Never waits for a reader.
    pub(crate) fn send(&self, body: EventBody) {
        self.send_all(vec![body]);
    }

    /// Sends events now, which have one time. Never waits for a reader.
    pub(crate) fn send_all(&self, bodies: Vec<EventBody>) {
        // Time is taken under the lock, so that it never runs backwards from one
        // line to the next.
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = monotonic_ns();
        let _ = sender.send(Item::Events(bodies.into_iter().map(|body| Event { at, body }).collect()));
    }

    /// Waits until all is written, but no longer than `limit`: the reader may
    /// have gone.
    pub(crate) fn flush(&self, limit: Duration) {
        let (done, written) = crossbeam_channel::bounded(1);
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(Item::Flush(done));
        let _ = written.recv_timeout(limit);
    }
}

fn write_all(items: &Receiver<Item>, mut out: impl Write) {
    let mut reader_has_gone = false;
    for item in items {
        match item {
            Item::Events(events) if !reader_has_gone => {
                let mut lines = Vec::new();
                for event in events {
                    match serde_json::to_vec(&event) {
                        Ok(line) => lines.extend_from_slice(&line),
                        Err(error) => {
                            log(&format!("failed to write an event: {error}"));
                            continue;
                        }
                    }
                    lines.push(b'\n');
                }
                // The end of stdin will end us; until then there is no reader.
                reader_has_gone = out.write_all(&lines).is_err();
            }
            Item::Events(_) => {}
            Item::Flush(done) => drop(done.send(())),
        }
    }
}

/// Writes a line for people to stderr.
pub(crate) fn log(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
