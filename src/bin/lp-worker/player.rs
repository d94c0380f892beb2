//! Playing streams: one thread each, from `start` to its end.
//!
//! Messages of a pipeline's bus come through a handler into the stream's
//! channel, beside what `lp` asks, and its thread alone acts on both. So a
//! pipeline that hangs in a state change holds up no other.
//!
//! *Sharing.* A pipeline may serve several streams, each with a sink of its own.
//! When one of them is asked to stop, its branch is cut off after the tee and
//! gets EOS, and the others go on; the last one stops the pipeline. The end of the
//! pipeline ends all of them.
//!
//! *Looping.* The source is prerolled, then sought to the seeded offset (with
//! flush, so running time starts at 0) for the length of one *segment*. At its
//! end the demuxer does not send EOS but a message, and is sought to the beginning
//! without flush ([`looping`](crate::looping) makes one stream of the passes). A source
//! that cannot be sought plays as it is.

mod end;
mod reconnect;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::{PipelineSpec, Playback};
use lp::worker::protocol::{End, EventBody, Keep, StreamName, Tap};

use self::end::{discard, nothing_but_eos};
use self::reconnect::Again;
use crate::build::{Chain, OnUnlinked};
use crate::looping::{Gate, Loop, PassLength};
use crate::messages;
use crate::output::{Events, log};
use crate::probe::Meter;
use crate::watch::{self, Input, Sightings, watch_bus, watch_ends, watch_size};

/// The streams that play, for the report of each second.
#[derive(Default)]
pub(crate) struct PlayingStreams(Mutex<BTreeMap<StreamName, Arc<Meter>>>);

impl PlayingStreams {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamName, Arc<Meter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a stream plays.
    pub(crate) fn is_any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Reports every stream, and `more`.
    pub(crate) fn report(&self, events: &Events, more: impl Iterator<Item = EventBody>) {
        // Under the lock, so that no report of a stream follows its end.
        let playing = self.lock();
        let streams = playing.values().flat_map(|meter| meter.report(false));
        events.send_all(streams.chain(more).collect());
    }

    /// The last report of a stream, and its end: once.
    fn end(&self, stream: &str, end: End, events: &Events) {
        // Made without the lock: other streams go on, and their reports.
        let meter = self.lock().get(stream).cloned();
        let snapshot = meter
            .and_then(|meter| meter.snapshot())
            .map(|snapshot| EventBody::Snapshot { stream: stream.to_owned(), snapshot: Box::new(snapshot) });
        let mut playing = self.lock();
        if let Some(meter) = playing.remove(stream) {
            let report = meter.report(end == End::Eos);
            let ended = EventBody::Ended { stream: stream.to_owned(), end };
            events.send_all(report.chain(snapshot).chain([ended]).collect());
        }
    }
}

/// All streams of this worker.
pub(crate) struct Player {
    events: Events,
    playing: Arc<PlayingStreams>,
    /// Names that are taken, until their streams are over.
    taken: Arc<Mutex<BTreeSet<StreamName>>>,
    /// Where a stream's pipeline listens, and which of its streams it is.
    inputs: BTreeMap<StreamName, (Sender<Input>, usize)>,
    /// Held by each stream's thread, so that its disconnection says that all
    /// are over.
    alive: Sender<Infallible>,
    over: Receiver<Infallible>,
}

impl Player {
    pub(crate) fn new(events: Events, playing: Arc<PlayingStreams>) -> Player {
        let (alive, over) = crossbeam_channel::bounded(0);
        Player { events, playing, taken: Arc::default(), inputs: BTreeMap::new(), alive, over }
    }

    /// Starts a pipeline with its streams; it answers the request itself.
    pub(crate) fn start(&mut self, id: u64, taps: Vec<Tap>, spec: PipelineSpec, seed: u64, keep: Keep) {
        let mut names = Vec::new();
        for Tap { stream, .. } in &taps {
            let is_free = self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.clone());
            if !is_free {
                let reason = format!("`{stream}` is already playing");
                return self.events.send(EventBody::Refused { id, reason });
            }
            names.push(Name { stream: stream.clone(), taken: Arc::clone(&self.taken) });
        }
        let (sender, receiver) = crossbeam_channel::unbounded();
        for (index, Tap { stream, .. }) in taps.iter().enumerate() {
            self.inputs.insert(stream.clone(), (sender.clone(), index));
        }
        let sinks = taps.iter().map(|tap| tap.sink).collect();
        let (events, playing, alive) = (self.events.clone(), Arc::clone(&self.playing), self.alive.clone());
        std::thread::spawn(move || {
            let _guard = AbortOnPanic;
            play(id, (names, sinks), &spec, (seed, keep), (sender, receiver), &events, &playing);
            drop(alive);
        });
    }

    /// Asks a stream to end.
    pub(crate) fn stop(&self, id: u64, stream: &str) {
        self.events.send(match self.inputs.get(stream) {
            Some((input, index)) => {
                // It may have ended meanwhile, which is what was asked for.
                let _ = input.send(Input::Stop(*index));
                EventBody::Done { id }
            }
            None => EventBody::Refused { id, reason: format!("no stream `{stream}` was started") },
        });
    }

    /// Ends all streams and waits for them, but no longer than `limit`.
    pub(crate) fn finish(self, limit: Duration) {
        let Player { events, playing, inputs, alive, over, .. } = self;
        for (input, _) in inputs.values() {
            let _ = input.send(Input::StopAll);
        }
        drop(alive);
        let _ = over.recv_timeout(limit);
        let late: Vec<StreamName> = playing.lock().keys().cloned().collect();
        for stream in late {
            let reason = format!("did not end within {} s of EOS", limit.as_secs());
            let end = End::Error { element: stream.clone(), reason, debug: String::new() };
            playing.end(&stream, end, &events);
        }
    }
}

/// Ends the worker when a stream's thread panics, so that `lp` reports it.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// A stream's name, free again when this is dropped.
struct Name {
    stream: StreamName,
    taken: Arc<Mutex<BTreeSet<StreamName>>>,
}

impl Drop for Name {
    fn drop(&mut self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.stream);
    }
}

/// The whole life of a pipeline and its streams, in its own thread.
fn play(
    id: u64,
    (names, sinks): (Vec<Name>, Vec<usize>),
    spec: &PipelineSpec,
    (seed, keep): (u64, Keep),
    (sender, receiver): (Sender<Input>, Receiver<Input>),
    events: &Events,
    playing: &PlayingStreams,
) {
    let refuse = |reason| events.send(EventBody::Refused { id, reason });
    let stream = names[0].stream.clone();
    let unlinked = {
        let sender = sender.clone();
        Arc::new(move |reason| drop(sender.send(Input::LinkFailure(reason)))) as OnUnlinked
    };
    let chain = match Chain::build(spec, &stream, &unlinked) {
        Ok(chain) => chain,
        Err(fault) => {
            drop(names);
            return refuse(fault.reason);
        }
    };
    if let Some(sink) = sinks.iter().find(|sink| spec.elements.len() <= **sink) {
        drop(names);
        return refuse(format!("the spec has no element {sink}, which is to be a sink"));
    }
    let pass = watch::pass_length(spec);
    let track = |(name, sink): (Name, &usize)| {
        let meter = Meter::attach(spec, &name.stream, *sink, &sinks, (&chain, &pass), keep);
        Track {
            stream: name.stream.clone(),
            name: Some(name),
            meter,
            branch: spec.branch_to(*sink, &sinks),
            stopped: false,
        }
    };
    let tracks: Vec<Track> = names.into_iter().zip(&sinks).map(track).collect();
    watch_size(&chain, spec, &sender);
    let sightings = Sightings::of(tracks.iter().map(|track| Arc::clone(&track.meter)).collect());
    watch_bus(&chain, spec, &sinks, &sightings, (sender.clone(), Arc::clone(&pass)));
    if tracks.len() > 1 {
        watch_ends(&chain, &sinks, &sender);
    }
    let again = Again::of(spec, &chain, &unlinked, &sender);
    let inputs = receiver;
    let mut stage = Stage { chain, sender, inputs, tracks, pass, looping: None, again, stopping: false };

    match stage.start(spec, seed, &sightings) {
        Ok(()) => {
            events.send(EventBody::Done { id });
            for track in &stage.tracks {
                playing.lock().insert(track.stream.clone(), Arc::clone(&track.meter));
            }
            let end = stage.run(&mut |track| {
                track.name = None;
                playing.end(&track.stream, End::Eos, events);
            });
            sightings.silence();
            for track in &mut stage.tracks {
                track.name = None;
                // Before the pipeline is taken down: a plugin may hang in that.
                playing.end(&track.stream, end.clone(), events);
            }
        }
        Err(reason) => {
            stage.tracks.iter_mut().for_each(|track| track.name = None);
            refuse(reason);
        }
    }
    if stage.chain.pipeline.set_state(gst::State::Null).is_err() {
        log(&format!("`{stream}` did not go to NULL"));
    }
}

/// One stream of a pipeline.
struct Track {
    stream: StreamName,
    /// Until it is over.
    name: Option<Name>,
    meter: Arc<Meter>,
    /// The first element that is its own.
    branch: usize,
    stopped: bool,
}

/// A pipeline on its way.
struct Stage {
    chain: Chain,
    sender: Sender<Input>,
    inputs: Receiver<Input>,
    tracks: Vec<Track>,
    pass: PassLength,
    /// Of a source that is played again and again.
    looping: Option<Loop>,
    /// Of a source that is connected again.
    again: Option<Again>,
    stopping: bool,
}

impl Stage {
    /// Brings the pipeline to PLAYING, looping if it is meant to and can.
    fn start(&mut self, spec: &PipelineSpec, seed: u64, sightings: &Sightings) -> Result<(), String> {
        sightings.begin();
        if spec.playback == Playback::Loop {
            let gate = self.hold_data();
            self.set_state(gst::State::Paused)?;
            if self.source_can_seek() {
                self.wait(|input| matches!(input, Input::Data))?;
                sightings.silence();
                self.looping =
                    Loop::begin(&self.chain, seed, Arc::clone(&self.pass)).inspect_err(|why| log(why)).ok();
                sightings.begin();
            }
            gate.open();
        }
        match self.set_state(gst::State::Playing)? {
            gst::StateChangeSuccess::Async => self.wait_until_playing(),
            gst::StateChangeSuccess::Success | gst::StateChangeSuccess::NoPreroll => Ok(()),
        }
    }

    fn set_state(&self, state: gst::State) -> Result<gst::StateChangeSuccess, String> {
        self.chain.pipeline.set_state(state).map_err(|_| {
            // `set_state` only reports *that* it failed. The element that refused
            // has already posted the reason, so look there before giving up.
            let messages = std::iter::from_fn(|| self.inputs.try_recv().ok());
            let reason = messages.filter_map(|input| failure(&input)).next();
            reason.unwrap_or_else(|| format!("the pipeline did not go to {state:?}, and no element says why"))
        })
    }

    /// Whether the source is a file: not a camera, a stream, or a live scene.
    fn source_can_seek(&self) -> bool {
        let Some(source) = self.chain.elements.first() else { return false };
        // A live source gives nothing in PAUSED, and some (`videotestsrc`) say
        // that they can be sought all the same.
        if source.state(gst::ClockTime::ZERO).0 == Ok(gst::StateChangeSuccess::NoPreroll) {
            return false;
        }
        [gst::Format::Time, gst::Format::Bytes].into_iter().any(|format| {
            let mut query = gst::query::Seeking::new(format);
            source.query(query.query_mut()) && query.result().0
        })
    }

    /// Puts `Data` into the inputs when a buffer has come, which waits: then a seek has something to
    /// act on, a demuxer that has read its headers. PAUSED would not do, as a pipeline with
    /// `clocksync` never completes it.
    fn hold_data(&self) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        for index in 0..self.chain.elements.len() {
            let (sender, gate) = (self.sender.clone(), Arc::clone(&gate));
            self.chain.with_src_pad(index, move |pad| gate.hold(pad, move || drop(sender.send(Input::Data))));
        }
        gate
    }

    fn wait_until_playing(&self) -> Result<(), String> {
        let done = |input: &Input| {
            let Input::Message(message) = input else { return false };
            matches!(message.view(), gst::MessageView::AsyncDone(_) | gst::MessageView::Eos(_))
        };
        self.wait(done)
    }

    /// Waits for an input. Others are kept for `run`: after a `queue`, a short
    /// clip may have come to its end before it plays. But a pass that is over is followed by the
    /// next one at once: a decoder may hold all frames of a first pass that begins near the end, and
    /// give none until more come.
    fn wait(&self, done: impl Fn(&Input) -> bool) -> Result<(), String> {
        let mut later = Vec::new();
        for input in &self.inputs {
            if self.looping.is_some() && is_end_of_pass(&input) {
                self.play_again()?;
                continue;
            }
            if let Some(reason) = failure(&input) {
                return Err(reason);
            }
            if matches!(input, Input::Stop(_) | Input::StopAll) {
                return Err("it was stopped before it played".to_owned());
            }
            let done = done(&input);
            later.push(input);
            if done {
                later.into_iter().for_each(|input| drop(self.sender.send(input)));
                return Ok(());
            }
        }
        Err("its inputs are closed".to_owned())
    }

    /// Acts on messages and requests until the pipeline is over. `over` hears of
    /// streams that are over before.
    fn run(&mut self, over: &mut dyn FnMut(&mut Track)) -> End {
        loop {
            let input = match self.next_input() {
                Ok(Some(input)) => input,
                Ok(None) => break,
                Err(end) => return end,
            };
            match input {
                Input::Stop(index) => {
                    if std::mem::replace(&mut self.tracks[index].stopped, true) {
                        continue;
                    }
                    if self.tracks.iter().any(|track| !track.stopped) {
                        self.cut(index);
                    } else if !self.stop() {
                        return End::Eos;
                    }
                }
                Input::StopAll => {
                    if !self.stop() {
                        return End::Eos;
                    }
                }
                Input::Drained(index) => {
                    let track = &mut self.tracks[index];
                    if track.stopped && !self.stopping && track.name.is_some() {
                        over(track);
                    }
                }
                Input::LinkFailure(reason) => return self.failed(reason),
                Input::SourceEnded => {
                    if let Err(end) = self.source_ended() {
                        return end;
                    }
                }
                Input::Data => {}
                Input::Message(message) => match message.view() {
                    gst::MessageView::Eos(_) => return End::Eos,
                    gst::MessageView::Error(error) => {
                        if let Err(end) = self.failed_by(error) {
                            return end;
                        }
                    }
                    gst::MessageView::SegmentDone(_) if !self.stopping => {
                        if let Err(reason) = self.play_again() {
                            return self.failed(reason);
                        }
                    }
                    gst::MessageView::Latency(_) => {
                        let _ = self.chain.pipeline.recalculate_latency();
                    }
                    _ => {}
                },
            }
        }
        self.failed("its inputs are closed".to_owned())
    }

    /// Begins the next pass.
    fn play_again(&self) -> Result<(), String> {
        match self.looping.as_ref().is_some_and(Loop::again) {
            true => Ok(()),
            false => Err("the source could not be sought to its beginning".to_owned()),
        }
    }

    fn failed(&self, reason: String) -> End {
        End::Error { element: self.chain.pipeline.name().to_string(), reason, debug: String::new() }
    }

    /// Cuts off the branch of one stream: nothing more enters it, and what is in it
    /// is played to EOS.
    fn cut(&self, index: usize) {
        let track = &self.tracks[index];
        let head = self.chain.elements[track.branch].static_pad("sink");
        let Some((head, tee)) = head.and_then(|head| head.peer().map(|tee| (head, tee))) else { return };
        track.meter.cut();
        tee.add_probe(
            gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM,
            |_, info| discard(info),
        );
        // It waits for what is just entering, which a hanging element may hold up.
        std::thread::spawn(move || head.send_event(gst::event::Eos::new()));
    }

    /// Sends EOS in where data enters; `false` if none ever came in. What is on
    /// its way is still played, and the next push returns that it is over.
    /// Not through the source: one that is pulled from ignores it, and a demuxer
    /// would answer with the end of a segment.
    fn stop(&mut self) -> bool {
        if !std::mem::replace(&mut self.stopping, true) {
            if let Some(again) = &self.again {
                again.let_end();
            }
            let Some(pad) = self.chain.entry_pad() else { return false };
            nothing_but_eos(&pad);
            pad.push_event(gst::event::Eos::new());
        }
        true
    }
}

fn is_end_of_pass(input: &Input) -> bool {
    matches!(input, Input::Message(message) if matches!(message.view(), gst::MessageView::SegmentDone(_)))
}

/// Why a stream cannot go on, if an input reports that.
fn failure(input: &Input) -> Option<String> {
    match input {
        Input::LinkFailure(reason) => Some(reason.clone()),
        Input::Message(message) => match message.view() {
            gst::MessageView::Error(error) => Some(messages::reason(error)),
            _ => None,
        },
        Input::Stop(_) | Input::StopAll | Input::Drained(_) | Input::SourceEnded | Input::Data => None,
    }
}
