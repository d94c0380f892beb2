//! A pipeline whose source is connected again after its connection was lost.
//!
//! The source is taken out and a new one put in its place; everything after it plays on, so that
//! running time and counts go on. The end of the stream that a source sends does not pass it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender};
use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::pipeline::PipelineSpec;
use lp::worker::protocol::End;

use super::end::discard;
use super::{Input, Stage};
use crate::build::{Chain, OnUnlinked};
use crate::connection::{Connection, Loss, Step};
use crate::messages;
use crate::output::log;

/// How often a connection is looked after.
const EVERY: Duration = Duration::from_millis(250);

/// What it takes to connect the source of a pipeline again.
pub(super) struct Again {
    connection: Connection,
    /// With its source.
    spec: PipelineSpec,
    unlinked: OnUnlinked,
    /// Whether the end of the stream may pass.
    may_end: Arc<AtomicBool>,
    next_look: Instant,
}

impl Again {
    /// For a pipeline whose spec asks for it.
    pub(super) fn of(
        spec: &PipelineSpec,
        chain: &Chain,
        unlinked: &OnUnlinked,
        inputs: &Sender<Input>,
    ) -> Option<Again> {
        let connection = Connection::new(spec.reconnect?);
        let pad = chain.elements.get(1)?.static_pad("sink")?;
        // A depayloader takes the first packets of a new connection for old ones if their numbers are
        // a bit lower; the jitterbuffer has sorted them before.
        if chain.elements[1].find_property("max-reorder").is_some() {
            chain.elements[1].set_property("max-reorder", 0_i32);
        }
        let may_end = Arc::new(AtomicBool::new(false));
        let (passes, inputs) = (Arc::clone(&may_end), inputs.clone());
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| match &info.data {
            Some(gst::PadProbeData::Event(event))
                if event.type_() == gst::EventType::Eos && !passes.load(Ordering::Relaxed) =>
            {
                let _ = inputs.send(Input::SourceEnded);
                discard(info)
            }
            _ => gst::PadProbeReturn::Ok,
        });
        let (spec, unlinked) = (spec.clone(), Arc::clone(unlinked));
        Some(Again { connection, spec, unlinked, may_end, next_look: Instant::now() + EVERY })
    }

    /// The pipeline is to end.
    pub(super) fn let_end(&self) {
        self.may_end.store(true, Ordering::Relaxed);
    }
}

impl Stage {
    /// The next input; `None` if there will be none.
    ///
    /// # Errors
    /// The end of the pipeline, whose source could not be connected again.
    pub(super) fn next_input(&mut self) -> Result<Option<Input>, End> {
        loop {
            let Some(again) = self.again.as_mut().filter(|_| !self.stopping) else {
                return Ok(self.inputs.recv().ok());
            };
            match self.inputs.recv_deadline(again.next_look) {
                Ok(input) => return Ok(Some(input)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => again.next_look = Instant::now() + EVERY,
            }
            self.look_after_connection()?;
        }
    }

    /// An element has posted an error: the end of the pipeline, unless it is a loss of the connection.
    ///
    /// # Errors
    /// That end.
    pub(super) fn failed_by(&mut self, error: &gst::message::Error) -> Result<(), End> {
        if let Some(reason) = self.chain.unfit() {
            return Err(self.failed(reason));
        }
        let has_packets = self.packets_ms().is_some();
        let again = self.again.as_mut().filter(|_| !self.stopping);
        let (Some(again), Some(posted)) = (again, error.src()) else { return Err(messages::end(error)) };
        let source = &self.chain.elements[0];
        let is_source = posted == source || posted.has_as_ancestor(source);
        let is_refused = error.error().matches(gst::ResourceError::NotAuthorized);
        if is_source && again.connection.is_waiting() {
            return Ok(());
        }
        if is_source && !is_refused && again.connection.may_be_lost(has_packets) {
            let End::Error { reason, .. } = messages::end(error) else { return Ok(()) };
            return self.lose(reason);
        }
        // Of an earlier source.
        let is_gone = !is_source && !posted.has_as_ancestor(&self.chain.pipeline);
        if is_gone { Ok(()) } else { Err(messages::end(error)) }
    }

    /// The source has sent the end of the stream.
    ///
    /// # Errors
    /// The end of the pipeline, whose source may not be connected again.
    pub(super) fn source_ended(&mut self) -> Result<(), End> {
        let has_packets = self.packets_ms().is_some();
        match &mut self.again {
            Some(again) if again.connection.is_waiting() => Ok(()),
            Some(again) if !self.stopping && again.connection.may_be_lost(has_packets) => {
                self.lose("the server ended the stream".to_owned())
            }
            _ => Err(End::Eos),
        }
    }

    fn look_after_connection(&mut self) -> Result<(), End> {
        let packets_ms = self.packets_ms();
        let Some(again) = &mut self.again else { return Ok(()) };
        match again.connection.look(now_ms(), packets_ms) {
            Step::Nothing => Ok(()),
            Step::Lose(reason) => self.lose(reason),
            Step::Back(outage) => {
                self.tracks.iter().for_each(|track| track.meter.note_outage(&outage));
                Ok(())
            }
            Step::Connect => match self.connect() {
                Ok(()) => Ok(()),
                Err(reason) => self.lose(reason),
            },
        }
    }

    /// When the first and the last packet of the connection came.
    fn packets_ms(&self) -> Option<(u64, u64)> {
        self.tracks.first()?.meter.packets_ns().map(|(first, last)| (first / 1_000_000, last / 1_000_000))
    }

    fn lose(&mut self, reason: String) -> Result<(), End> {
        let now_ms = now_ms();
        let packets_ms = self.packets_ms();
        let last_ms = packets_ms.map_or(now_ms, |(_, last_ms)| last_ms);
        let Some(again) = &mut self.again else { return Ok(()) };
        if let Some(outage) = again.connection.came_back(packets_ms) {
            self.tracks.iter().for_each(|track| track.meter.note_outage(&outage));
        }
        let loss = again.connection.lost(now_ms, last_ms, reason);
        let source = self.chain.take_source();
        // It may hang in that, as after UDP with loss.
        std::thread::spawn(move || source.set_state(gst::State::Null).is_ok());
        match loss {
            Loss::Begins(outage) => {
                log(&format!("`{}` lost its connection: {}", self.chain.pipeline.name(), outage.reason));
                self.tracks.iter().for_each(|track| track.meter.lost(&outage));
                Ok(())
            }
            Loss::GoesOn(outage) => {
                self.tracks.iter().for_each(|track| track.meter.note_outage(&outage));
                Ok(())
            }
            Loss::IsFinal(outage, reason) => {
                self.tracks.iter().for_each(|track| track.meter.note_outage(&outage));
                let element = self.chain.elements[0].name().to_string();
                Err(End::Error { element, reason, debug: String::new() })
            }
        }
    }

    /// Puts a new source in the place of the one that was taken out.
    fn connect(&mut self) -> Result<(), String> {
        let Some(again) = &self.again else { return Ok(()) };
        let source = self.chain.put_source(&again.spec, &again.unlinked)?;
        for track in &self.tracks {
            track.meter.watch_connection(&source);
        }
        source.sync_state_with_parent().map_err(|_| "the new source does not start".to_owned())
    }
}

fn now_ms() -> u64 {
    monotonic_ns() / 1_000_000
}
