//! `lp run --serve`: the run as it is, for Prometheus and for a browser.
//!
//! The measurement pays only for what is asked for: a request leaves a wish, the next moment of the run
//! (there are two a second) gives the data for it, and the client's own thread makes the text. Data for a
//! page are a copy of all frames so far, so pages are made less often the longer a copy takes.
//!
//! Not here: the server (`os::web`), the texts (`report`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::console;
use crate::os::SocketAddr;
use crate::os::web::{Answer, WebServer};
use crate::record::build::RecordBuilder;
use crate::record::measure::measure;
use crate::report::openmetrics::{CONTENT_TYPE, Sample};
use crate::report::{self, Report};
use crate::session::Observation;
use crate::workspace::error::{CommandError, Result};

/// How long a client waits for the next moment of the run; then it gets the last one.
const WAIT: Duration = Duration::from_millis(1_500);
/// Copies for pages take at most one part in so many of the time.
const RARELY: u32 = 200;
const HTML: &str = "text/html; charset=utf-8";

/// A run that is served. The server ends with this value.
pub(super) struct Live {
    state: Arc<State>,
    _server: WebServer,
}

#[derive(Default)]
struct State {
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    wants_sample: bool,
    wants_page: bool,
    sample: Option<Arc<Sample>>,
    copy: Option<Box<RecordBuilder>>,
    page: Option<Arc<String>>,
    /// No copy is made before.
    next_copy: Option<Instant>,
    /// Whether the run is over.
    is_over: bool,
}

impl Live {
    /// Listens, and tells where.
    pub(super) fn start(address: SocketAddr) -> Result<Live> {
        let state = Arc::new(State::default());
        let of_server = Arc::clone(&state);
        let server = WebServer::start(address, move |path| of_server.answer(path)).map_err(|error| {
            CommandError::refused(format!("`--serve {address}`: cannot listen there: {error}"))
                .hint("name another port; port 0 is any that is free")
        })?;
        let address = server.address();
        console::note(&format!("live: http://{address}/ and http://{address}/metrics"));
        if !address.ip().is_loopback() {
            console::note(&format!("warning: everybody who can reach {address} can see this run"));
        }
        Ok(Live { state, _server: server })
    }

    /// Takes in what there is to see of the run.
    pub(super) fn watch(&self, seen: Observation<'_>) {
        if let Observation::Moment(run) = seen {
            self.state.see(run);
        }
    }

    /// Takes in that the measurement is over: what is known now is the last.
    pub(super) fn end(&self) {
        self.state.lock().is_over = true;
        self.state.changed.notify_all();
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives what is wished for. It is called where the run is measured.
    fn see(&self, run: &RecordBuilder) {
        let (wants_sample, wants_page) = {
            let known = self.lock();
            let may_copy = known.next_copy.is_none_or(|next| next <= Instant::now());
            // The last moment of a run is kept for whoever asks after it.
            (known.wants_sample || run.is_over(), known.wants_page && may_copy)
        };
        if !wants_sample && !wants_page {
            return;
        }
        let sample = wants_sample.then(|| Arc::new(Sample::of(run)));
        let begin = Instant::now();
        let copy = wants_page.then(|| Box::new(run.clone()));
        let took = begin.elapsed();
        let mut known = self.lock();
        if let Some(sample) = sample {
            known.sample = Some(sample);
            known.wants_sample = false;
        }
        if let Some(copy) = copy {
            known.copy = Some(copy);
            known.wants_page = false;
            known.next_copy = Some(Instant::now() + took * RARELY);
        }
        drop(known);
        self.changed.notify_all();
    }

    fn answer(&self, path: &str) -> Option<Answer> {
        match path {
            "/" => Some(Answer { content_type: HTML, body: self.page() }),
            "/metrics" => Some(Answer { content_type: CONTENT_TYPE, body: self.metrics() }),
            _ => None,
        }
    }

    /// Waits until something is there, for a while.
    fn wait(&self, wish: impl Fn(&mut Known), is_there: impl Fn(&Known) -> bool) -> MutexGuard<'_, Known> {
        let mut known = self.lock();
        wish(&mut known);
        let waits = |known: &mut Known| !known.is_over && !is_there(known);
        let (known, _) =
            self.changed.wait_timeout_while(known, WAIT, waits).unwrap_or_else(PoisonError::into_inner);
        known
    }

    fn metrics(&self) -> String {
        let known = self.wait(|known| known.wants_sample = true, |known| !known.wants_sample);
        let sample = known.sample.clone();
        drop(known);
        sample.map_or_else(|| "# EOF\n".to_owned(), |sample| sample.text())
    }

    fn page(&self) -> String {
        let mut known = self.wait(
            |known| known.wants_page = true,
            // An older page is there at once, while a new one may not be made yet.
            |known| {
                let is_soon = known.next_copy.is_none_or(|next| next <= Instant::now() + WAIT);
                known.copy.is_some() || (known.page.is_some() && !is_soon)
            },
        );
        let (copy, page) = (known.copy.take(), known.page.clone());
        drop(known);
        let Some(copy) = copy else {
            return page.map_or_else(report::not_begun, |page| page.to_string());
        };
        let mut record = copy.so_far();
        // Nobody stopped it, and it is judged by what there is: a window that goes on lacks nothing.
        record.interrupted = false;
        let duration_ms = std::mem::take(&mut record.conditions.duration_ms);
        let measurement = measure(&record);
        record.conditions.duration_ms = duration_ms;
        let page = report::live(&Report { run: "so far", record: &record, measurement: &measurement });
        self.lock().page = Some(Arc::new(page.clone()));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_run_there_is_a_page_and_no_metric_and_nothing_else() {
        let state = State::default();
        state.lock().is_over = true;
        assert_eq!(state.answer("/metrics").unwrap().body, "# EOF\n");
        assert!(state.answer("/").unwrap().body.contains("has not begun"));
        assert_eq!(state.answer("/favicon.ico"), None);
    }
}
