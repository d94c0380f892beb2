//! One stream of a run while it is played.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::frames::FrameLog;
use super::packets::PacketLog;
use super::seen::Detectors;
use super::steady::{WarmUp, delay_of_begin_us};
use super::{START_US, StreamSetup};
use crate::record::compact::SightingLog;
use crate::record::long::Frame;
use crate::record::stages::{self, Stages};
use crate::record::{Delivery, Life, MAX_SIGHTINGS, Pace, Sighting, StreamRecord};
use crate::worker::protocol::{
    ElementMessage, End, EventBody, Fates, MAX_FORMATS, MAX_SNAPSHOT, Sights, Snapshot, SourceFrames,
    TimesByPlace,
};

/// The settings that decide about windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) pace: Pace,
    /// The warm-up, or the shortest one of `auto`.
    pub(super) warmup_us: u64,
    /// 0 = until stopped.
    pub(super) duration_us: u64,
}

/// The begin of a JPEG.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// Fields of sightings that only repeat their time.
const REPEATED: [&str; 3] = ["running-time", "stream-time", "timestamp"];

/// A stream. All times are absolute microseconds of its worker.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) setup: StreamSetup,
    /// How long it may be without a frame.
    hang_us: u64,
    /// Whether it was asked to start.
    pub(super) is_asked: bool,
    /// The worker's time when it was asked to start, or soon after.
    pub(super) asked_us: Option<u64>,
    /// The time of `lp` when it asked the worker, which decides nothing.
    pub(super) sent_us: Option<u64>,
    /// When the worker reported that it plays.
    pub(super) playing_us: Option<u64>,
    /// Frames that arrived before count nowhere: it was measured for another run then.
    since_us: u64,
    pub(super) first_frame_us: Option<u64>,
    last_frame_us: Option<u64>,
    last_damaged_us: Option<u64>,
    warmup: WarmUp,
    /// Events that came before the begin of the window was decided, each with its time.
    waiting: Vec<(u64, EventBody)>,
    /// Frames from the window's begin on; cut to its end when all is known.
    pub(super) log: FrameLog,
    has_latency: bool,
    /// The first frame after the window, and its lateness.
    after_us: Option<(u64, Option<i64>)>,
    is_due: bool,
    /// In the window, as far as it is known.
    decoded: u64,
    pub(super) dropped: u64,
    taken_out: u64,
    dropped_at: BTreeMap<String, u64>,
    taken_out_at: BTreeMap<String, u64>,
    copied_at: BTreeMap<String, u64>,
    /// Seconds of the window by the fill of each queue.
    queues: BTreeMap<String, BTreeMap<u32, u64>>,
    /// Of frames that arrived in the begin of the window.
    stages: Stages,
    /// Frames that left the decoder before the window, less those that arrived before it,
    /// or of which it became known that they do not arrive.
    before: i64,
    pub(super) delivery: Delivery,
    last_delivered_us: Option<u64>,
    packets: PacketLog,
    life: Life,
    /// What its worker had counted before the run: decoded, played, dropped, taken out.
    counted: [u64; 4],
    sightings: SightingLog,
    sightings_left_out: u64,
    detectors: Detectors,
    /// When its counters came last.
    pub(super) ticked_us: u64,
    /// The window ends here at the latest.
    cut_us: Option<u64>,
    /// Its window is complete.
    pub(super) done: bool,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) end: Option<End>,
    pub(super) failure: Option<String>,
}

impl Stream {
    pub(super) fn new(setup: StreamSetup, warmup: WarmUp, log: FrameLog, hang_us: u64) -> Stream {
        Stream {
            detectors: Detectors::new(&setup.detectors),
            setup,
            hang_us,
            is_asked: false,
            asked_us: None,
            sent_us: None,
            playing_us: None,
            since_us: 0,
            first_frame_us: None,
            last_frame_us: None,
            last_damaged_us: None,
            warmup,
            waiting: Vec::new(),
            log,
            has_latency: false,
            after_us: None,
            is_due: false,
            decoded: 0,
            dropped: 0,
            taken_out: 0,
            dropped_at: BTreeMap::new(),
            taken_out_at: BTreeMap::new(),
            copied_at: BTreeMap::new(),
            queues: BTreeMap::new(),
            stages: Stages::default(),
            before: 0,
            delivery: Delivery::default(),
            last_delivered_us: None,
            packets: PacketLog::default(),
            life: Life::default(),
            counted: [0; 4],
            sightings: SightingLog::default(),
            sightings_left_out: 0,
            ticked_us: 0,
            cut_us: None,
            done: false,
            snapshot: None,
            end: None,
            failure: None,
        }
    }

    /// The same stream in a run that begins at `now_us`, while it plays: it warms up again, and
    /// the frames that are between decoder and sink are known. `None` if it does not play.
    pub(super) fn go_on(mut self, timing: Timing, fresh: Stream, now_us: u64) -> Option<Stream> {
        let plays = self.playing_us.or(self.first_frame_us).is_some();
        if !plays || self.end.is_some() || self.failure.is_some() {
            return None;
        }
        self.take_in_waiting(timing);
        let gone = self.log.n_frames() + self.dropped + self.taken_out;
        let Life { decoded, played, dropped, taken_out, .. } = self.life;
        let [b_decoded, b_played, b_dropped, b_taken_out] = self.counted;
        let Delivery { video, key_frame_every, transport, reconnects, .. } = self.delivery;
        // One that lasts belongs to both runs.
        let reconnects = reconnects.into_iter().filter(|outage| outage.back_us.is_none()).collect();
        Some(Stream {
            is_asked: true,
            playing_us: Some(now_us),
            since_us: now_us,
            before: self.before + self.decoded.cast_signed() - gone.cast_signed(),
            counted: [b_decoded + decoded, b_played + played, b_dropped + dropped, b_taken_out + taken_out],
            // Caps are reported when they change.
            delivery: Delivery { video, key_frame_every, transport, reconnects, ..Delivery::default() },
            packets: self.packets.go_on(),
            detectors: self.detectors.go_on(),
            ..fresh
        })
    }

    /// Takes in an event about it. Until the begin of its window is decided, events wait, so
    /// that all that is counted in the window is right whatever begin is chosen.
    pub(super) fn observe(&mut self, timing: Timing, at_us: u64, body: &EventBody) {
        self.notice(timing, at_us, body);
        if timing.pace == Pace::Live && self.warmup.begin_us().is_none() {
            self.waiting.push((at_us, body.clone()));
            self.warmup.decide(at_us);
            if self.warmup.begin_us().is_some() {
                self.take_in_waiting(timing);
            }
        } else {
            self.take_in(timing, at_us, body);
        }
    }

    /// Takes in the stages of frames, likewise.
    pub(super) fn stages(&mut self, timing: Timing, at_us: u64, body: &EventBody) {
        if self.limits(timing).is_some() {
            self.take_in(timing, at_us, body);
        } else {
            self.waiting.push((at_us, body.clone()));
        }
    }

    /// Remembers of an event what does not depend on the window.
    fn notice(&mut self, timing: Timing, at_us: u64, body: &EventBody) {
        let EventBody::Frames { arrived_us, late_us, fates, delivered, .. } = body else { return };
        self.ticked_us = at_us;
        for outage in &delivered.outages {
            self.delivery.reconnects.retain(|known| known.lost_us != outage.lost_us);
            self.delivery.reconnects.push(outage.clone());
        }
        for (index, at_us) in arrived_us.iter().enumerate().filter(|(_, at_us)| self.since_us <= **at_us) {
            self.first_frame_us.get_or_insert(*at_us);
            self.last_frame_us = Some(*at_us);
            if timing.pace == Pace::Live {
                self.warmup.frame(*at_us, late_us.get(index).copied().flatten());
            }
        }
        self.life.damaged += fates.damaged_us.len() as u64;
        self.last_damaged_us = fates.damaged_us.last().copied().or(self.last_damaged_us);
    }

    fn take_in_waiting(&mut self, timing: Timing) {
        for (at_us, body) in std::mem::take(&mut self.waiting) {
            self.take_in(timing, at_us, &body);
        }
    }

    /// Takes in an event whose place before, in or after the window is known.
    fn take_in(&mut self, timing: Timing, at_us: u64, body: &EventBody) {
        if let EventBody::Frames {
            arrived_us,
            latency_us,
            late_us,
            decoded,
            played,
            dropped,
            taken_out,
            fates,
            delivered,
            queues,
            sights,
            ..
        } = body
        {
            self.frames(timing, arrived_us, latency_us, late_us);
            self.sights(timing, sights);
            self.fates(timing, fates);
            self.delivered(timing, at_us, delivered);
            self.filled(timing, at_us, queues);
            self.tick(timing, at_us, [*decoded, *played, *dropped, *taken_out]);
        }
        if let EventBody::Stages { elements, frames, .. } = body {
            let begin = self.begin(timing);
            for frame in frames {
                let arrived_us = frame.iter().fold(0, |sum: u64, us| sum.saturating_add(*us));
                let is_early = arrived_us < begin.saturating_add(stages::MOST_US);
                if is_early && self.counts(timing, arrived_us) {
                    self.stages.add(elements, frame);
                }
            }
        }
    }

    /// Takes in frames in the order of their arrival.
    fn frames(
        &mut self,
        timing: Timing,
        arrived_us: &[u64],
        latency_us: &[Option<u32>],
        late_us: &[Option<i64>],
    ) {
        self.has_latency |= !latency_us.is_empty();
        self.is_due |= !late_us.is_empty();
        let (begin, end) = self.limits(timing).unwrap_or((u64::MAX, u64::MAX));
        self.log.delay_us = self.warmup.delay_us();
        for (index, at_us) in arrived_us.iter().enumerate() {
            let late = late_us.get(index).copied().flatten();
            if (begin..end).contains(at_us) {
                let latency_us = latency_us.get(index).copied().flatten();
                self.log.add(begin, Frame { arrived_us: *at_us, latency_us, late_us: late });
            } else if *at_us >= end {
                self.after_us.get_or_insert((*at_us, late));
            }
            self.before -= i64::from(*at_us < begin);
        }
    }

    /// Takes in when frames left the decoder, by their fate.
    fn fates(&mut self, timing: Timing, fates: &Fates) {
        let Fates { decoded_us, dropped_us, taken_out_us, damaged_us, copied_us } = fates;
        let begin = self.begin(timing);
        let inside = |times: &[u64]| times.iter().filter(|at_us| self.counts(timing, **at_us)).count() as u64;
        let before = |times: &[u64]| times.iter().filter(|at_us| **at_us < begin).count() as i64;
        let by_place = |times: &TimesByPlace| {
            let counts = times.iter().map(|(place, times)| (place.clone(), inside(times)));
            counts.filter(|(_, n)| *n > 0).collect::<Vec<_>>()
        };
        let lost_before = dropped_us.values().chain(taken_out_us.values()).map(|times| before(times));
        let change = before(decoded_us) - lost_before.sum::<i64>();
        let (decoded, damaged) = (inside(decoded_us), inside(damaged_us));
        let [dropped, taken_out, copied] = [dropped_us, taken_out_us, copied_us].map(by_place);
        for at_us in dropped_us.values().flatten() {
            if self.counts(timing, *at_us) {
                self.log.add_dropped(*at_us);
            }
        }
        self.before += change;
        self.decoded += decoded;
        self.dropped += add(&mut self.dropped_at, dropped);
        self.taken_out += add(&mut self.taken_out_at, taken_out);
        self.delivery.damaged += damaged;
        self.delivery.copied += add(&mut self.copied_at, copied);
    }

    /// Takes in the delivery of the source.
    fn delivered(&mut self, timing: Timing, at_us: u64, delivered: &SourceFrames) {
        let SourceFrames {
            frames_us,
            thinned_us,
            incomplete_us,
            key_frame_every,
            drift_ppm,
            transport,
            packets,
            video,
            ..
        } = delivered;
        if let Some(packets) = packets {
            self.packets.take_in(self.limits(timing), at_us, *packets);
        }
        if transport.is_some() {
            self.delivery.transport.clone_from(transport);
        }
        for at_us in frames_us.iter().flatten() {
            if self.counts(timing, *at_us) {
                *self.delivery.frames.get_or_insert(0) += 1;
                self.gap_until(timing, *at_us);
                self.last_delivered_us = Some(*at_us);
            }
        }
        if frames_us.is_some() {
            self.delivery.frames.get_or_insert(0);
        }
        let inside = |times: &[u64]| times.iter().filter(|at_us| self.counts(timing, **at_us)).count() as u64;
        let (thinned, incomplete) = (inside(thinned_us), inside(incomplete_us));
        self.delivery.thinned += thinned;
        self.delivery.incomplete += incomplete;
        self.delivery.key_frame_every = key_frame_every.or(self.delivery.key_frame_every);
        self.delivery.drift_ppm = drift_ppm.or(self.delivery.drift_ppm);
        let free = MAX_FORMATS.saturating_sub(self.delivery.video.len());
        self.delivery.video.extend(video.iter().take(free).cloned());
    }

    /// Takes in the fill of its queues at a moment.
    fn filled(&mut self, timing: Timing, at_us: u64, levels: &BTreeMap<String, u32>) {
        if !self.counts(timing, at_us) {
            return;
        }
        for (queue, level) in levels {
            let seconds = match self.queues.get_mut(queue) {
                Some(seconds) => seconds,
                None => self.queues.entry(queue.clone()).or_default(),
            };
            *seconds.entry(*level).or_default() += 1;
        }
    }

    /// Whether what happened then counts. Played freely, all does: the window is the
    /// stream's life.
    fn counts(&self, timing: Timing, at_us: u64) -> bool {
        let Some((begin, end)) = self.limits(timing) else { return timing.pace == Pace::Free };
        timing.pace == Pace::Free || (begin..end.min(self.cut_us.unwrap_or(u64::MAX))).contains(&at_us)
    }

    /// The begin of the window; the end of time while it is unknown. Played freely, nothing
    /// comes before it.
    fn begin(&self, timing: Timing) -> u64 {
        match timing.pace {
            Pace::Free => 0,
            Pace::Live => self.warmup.begin_us().unwrap_or(u64::MAX),
        }
    }

    /// Takes in that nothing was delivered up to now since the last frame, or since
    /// the window began. Free pace has no gaps, as nothing is due.
    fn gap_until(&mut self, timing: Timing, at_us: u64) {
        let begin = self.limits(timing).map(|(begin, _)| begin);
        if let Some(since) = self.last_delivered_us.or(begin).filter(|_| timing.pace == Pace::Live) {
            let gap = at_us.saturating_sub(since);
            self.delivery.longest_gap_us = self.delivery.longest_gap_us.max(Some(gap));
        }
    }

    /// Takes in the counters of a tick: decoded, played, dropped, taken out.
    fn tick(&mut self, timing: Timing, at_us: u64, counters: [u64; 4]) {
        let mut counters = counters.into_iter().zip(self.counted);
        let [decoded, played, dropped, taken_out] =
            std::array::from_fn(|_| counters.next().map_or(0, |(now, before)| now.saturating_sub(before)));
        self.life = Life { decoded, played, dropped, taken_out, ..self.life };
        // Every frame up to a tick has been reported with it or before it.
        let complete = self.limits(timing).is_some_and(|(_, end)| end <= at_us);
        self.done |= complete && self.failure.is_none();
    }

    /// Takes in that the stream is over. Why it has failed, if it has by that.
    pub(super) fn ended(&mut self, timing: Timing, at_us: u64, end: &End, stopping: bool) -> Option<String> {
        self.cut(at_us);
        self.end = Some(end.clone());
        match end {
            End::Error { element, reason, .. } if !(stopping && self.done) => {
                self.fail(at_us, format!("`{element}`: {reason}"))
            }
            // Interrupted windows are cut, not failed.
            _ if stopping || self.done => None,
            _ => match (timing.pace, self.first_frame_us) {
                (_, None) => self.fail(at_us, "ended without a frame".to_owned()),
                (Pace::Free, Some(_)) => {
                    self.done = self.failure.is_none();
                    None
                }
                (Pace::Live, Some(_)) => {
                    let when = timing.early_end(self.warmup.begin_us(), at_us);
                    self.fail(
                        at_us,
                        match self.delivery.transport {
                            Some(_) => {
                                format!("the server ended the stream {when}; `rtsp.reconnect` connects again")
                            }
                            None => format!("ended by itself {when}"),
                        },
                    )
                }
            },
        }
    }

    /// Declares the stream failed; the first reason stays. The reason, unless it
    /// had failed before.
    pub(super) fn fail(&mut self, at_us: u64, reason: String) -> Option<String> {
        if self.failure.is_some() {
            return None;
        }
        self.failure = Some(reason.clone());
        self.cut(at_us);
        Some(reason)
    }

    /// Whether nothing of it is left to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.done || self.failure.is_some()
    }

    /// Ends the window here, if it has not ended before.
    pub(super) fn cut(&mut self, at_us: u64) {
        self.cut_us.get_or_insert(at_us);
    }

    /// When it hangs unless something is seen of it before; `u64::MAX` if it cannot
    /// hang any more, and 0 if the begin of its start is unknown.
    pub(super) fn hangs_us(&self) -> u64 {
        let (since, limit) = match (self.last_frame_us, self.playing_us) {
            _ if self.end.is_some() || self.failure.is_some() => return u64::MAX,
            // Its worker ends it when it may connect no more.
            _ if self.is_away() => return u64::MAX,
            (Some(last), _) => {
                let back_us = self.delivery.reconnects.iter().filter_map(|outage| outage.back_us).max();
                (last.max(self.last_damaged_us.unwrap_or(0)).max(back_us.unwrap_or(0)), self.hang_us)
            }
            (None, Some(playing)) if self.life.damaged > 0 => (playing, START_US),
            (None, Some(playing)) => (playing, self.hang_us),
            (None, None) if !self.is_asked => return u64::MAX,
            (None, None) => match self.asked_us {
                Some(asked) => (asked, START_US),
                None => return 0,
            },
        };
        since.saturating_add(limit)
    }

    /// Whether its source has no connection and is to be connected again.
    fn is_away(&self) -> bool {
        self.delivery.reconnects.last().is_some_and(|outage| outage.back_us.is_none())
    }

    /// Declares the stream failed if it has shown nothing for too long. Why, if it has.
    pub(super) fn check_hang(&mut self, now_us: u64) -> Option<String> {
        if self.is_asked {
            self.asked_us.get_or_insert(now_us);
        }
        if now_us < self.hangs_us() {
            return None;
        }
        let (seconds, start_seconds) = (self.hang_us / 1_000_000, START_US / 1_000_000);
        let reason = match (self.last_frame_us, self.playing_us, self.life.damaged) {
            (Some(_), ..) => format!("hangs: no frame for {seconds} s"),
            (None, Some(_), 0) => format!("hangs: no frame within {seconds} s of its start"),
            (None, Some(_), n_damaged) => format!(
                "no whole frame within {start_seconds} s, only {n_damaged} damaged ones: no key frame came"
            ),
            (None, None, _) => format!("did not start within {start_seconds} s"),
        };
        self.fail(now_us, reason)
    }

    /// Takes in the place in the clip and frames with regions.
    fn sights(&mut self, timing: Timing, sights: &Sights) {
        let mut detectors = std::mem::take(&mut self.detectors);
        let counts = |at_us| self.is_counted(timing, at_us);
        if self.limits(timing).is_some() {
            detectors.settle(&counts);
        }
        if let Some(place) = sights.place {
            detectors.place(place, counts(place.at_us) == Some(true));
        }
        sights.regions.iter().for_each(|regions| detectors.regions(regions, &counts));
        self.detectors = detectors;
    }

    /// Takes in a message of an element.
    pub(super) fn message(&mut self, timing: Timing, message: &ElementMessage) {
        let ElementMessage { at_us, element, message, stream_time, fields, .. } = message;
        let at = (*at_us, stream_time.map(|time| time / 1_000_000));
        let mut detectors = std::mem::take(&mut self.detectors);
        detectors.message(element, (message.as_str(), fields), at, &|at_us| self.is_counted(timing, at_us));
        self.detectors = detectors;
    }

    /// As [`Stream::counts`]; `None` while the window is not known.
    fn is_counted(&self, timing: Timing, at_us: u64) -> Option<bool> {
        (self.limits(timing).is_some() || timing.pace == Pace::Free).then(|| self.counts(timing, at_us))
    }

    /// Keeps a picture, if it is one that pages can show.
    pub(super) fn picture(&mut self, snapshot: &Snapshot) {
        let jpeg = STANDARD.decode(&snapshot.jpeg).unwrap_or_default();
        if jpeg.starts_with(&JPEG) && jpeg.len() <= MAX_SNAPSHOT {
            self.snapshot = Some(snapshot.clone());
        }
    }

    /// Keeps a sighting, or counts it.
    pub(super) fn sighting(&mut self, message: &ElementMessage) {
        if self.sightings.len() < MAX_SIGHTINGS {
            let ElementMessage { at_us, element, factory, message, stream_time, fields } = message.clone();
            let clip_ms = stream_time.map(|time| time / 1_000_000);
            let fields = fields.into_iter().filter(|(name, _)| !REPEATED.contains(&name.as_str())).collect();
            self.sightings.add(&Sighting { at_us, clip_ms, element, factory, message, fields });
        } else {
            self.sightings_left_out += 1;
        }
    }

    /// The window as far as its begin and the time decide it; an end that only events
    /// decide is `u64::MAX`.
    pub(super) fn limits(&self, timing: Timing) -> Option<(u64, u64)> {
        match timing.pace {
            Pace::Free => Some((self.first_frame_us?, u64::MAX)),
            Pace::Live => self.warmup.begin_us().map(|begin| (begin, timing.end(begin))),
        }
    }

    /// The window `[begin, end)` as far as it is known.
    pub(super) fn window(&self, timing: Timing) -> Option<(u64, u64)> {
        let (begin, end) = self.limits(timing)?;
        let end = match timing.pace {
            // The last frame belongs to the window.
            Pace::Free => self.last_frame_us?.saturating_add(1),
            Pace::Live => end,
        };
        let end = end.min(self.cut_us.unwrap_or(u64::MAX));
        // Only a run that was never stopped has a window without an end.
        (begin < end && end < u64::MAX).then_some((begin, end))
    }

    pub(super) fn into_record(mut self, timing: Timing, origin_us: u64) -> StreamRecord {
        let since = |at_us: u64| at_us.saturating_sub(origin_us);
        // What is counted over its whole life.
        self.take_in_waiting(timing);
        let window = self.window(timing);
        let end_us = window.map_or(0, |(_, end)| end);
        // A window that was cut ends before frames that were taken into it.
        let beyond = self.log.beyond(end_us).map(|frame| (frame.arrived_us, frame.late_us));
        let after_us = beyond.or(self.after_us).filter(|_| self.is_due && window.is_some());
        let (frames, dropped_us, long) = std::mem::take(&mut self.log).finish(end_us);
        let n_frames = long.as_ref().map_or(frames.len() as u64, |long| long.frames);
        let arrived_us = frames.iter().map(|frame| since(frame.arrived_us)).collect();
        let (has_latency, is_due) = (self.has_latency, self.is_due);
        let of_latency = frames.iter().filter(|_| has_latency);
        let of_late = frames.iter().filter(|_| is_due);
        if let Some((_, end)) = window.filter(|_| self.delivery.frames.is_some()) {
            self.gap_until(timing, end);
        }
        self.delivery.packets = self.packets.in_window();
        for outage in &mut self.delivery.reconnects {
            outage.lost_us = since(outage.lost_us);
            outage.back_us = outage.back_us.map(since);
        }
        let in_flight_before = u64::try_from(self.before).unwrap_or(0);
        let gone = n_frames + self.dropped + self.taken_out;
        let in_flight = (in_flight_before + self.decoded).saturating_sub(gone);
        let of_begin = || match &long {
            Some(long) => Some(long.delay_us),
            None => {
                let (at_us, late_us): (Vec<u64>, Vec<Option<i64>>) =
                    frames.iter().map(|frame| (frame.arrived_us, frame.late_us)).unzip();
                delay_of_begin_us(&at_us, &late_us, window?.0)
            }
        };
        let delay_us = self.warmup.delay_us().or_else(of_begin).filter(|_| timing.pace == Pace::Live);
        let warmup = self.first_frame_us.and_then(|first| self.warmup.into_record(first));
        let mut sightings = self.sightings.sightings();
        sightings.iter_mut().for_each(|sighting| sighting.at_us = since(sighting.at_us));
        let (seen, place) = self.detectors.finish(&since);
        StreamRecord {
            stream: self.setup.stream,
            index: Some(self.setup.index),
            workloads: self.setup.workloads,
            steps: self.setup.steps,
            shares_decode_with: self.setup.shares_decode_with,
            asked_us: self.sent_us.map(since),
            first_frame_us: self.first_frame_us.map(since),
            warmup,
            delay_us,
            window_us: window.map(|(begin, end)| (since(begin), since(end))),
            arrived_us,
            latency_us: of_latency.map(|frame| frame.latency_us).collect(),
            late_us: of_late.map(|frame| frame.late_us).collect(),
            after_us: after_us.map(|(at, late)| (since(at), late)),
            dropped_us: dropped_us.into_iter().map(since).collect(),
            long: long.map(|long| long.since(origin_us)),
            decoded: self.decoded,
            dropped: self.dropped,
            taken_out: self.taken_out,
            dropped_at: self.dropped_at,
            taken_out_at: self.taken_out_at,
            copied_at: self.copied_at,
            queues: self.queues,
            stages: (!self.stages.left_us.is_empty()).then(|| self.stages.since(origin_us)),
            in_flight_before,
            in_flight,
            delivery: Some(self.delivery),
            life: self.life,
            sightings,
            sightings_left_out: self.sightings_left_out,
            seen,
            expected: self.setup.expected,
            compared: Vec::new(),
            snapshot: self.snapshot,
            impaired: None,
            place,
            end: self.end,
            failure: self.failure,
        }
    }
}

/// Adds counts by place. Their sum.
fn add(to: &mut BTreeMap<String, u64>, counts: Vec<(String, u64)>) -> u64 {
    let sum = counts.iter().map(|(_, n)| n).sum();
    counts.into_iter().for_each(|(place, n)| *to.entry(place).or_default() += n);
    sum
}

impl Timing {
    /// The window of a script with this first figure.
    pub(super) fn limits(self, first_us: u64) -> (u64, u64) {
        let begin = match self.pace {
            Pace::Free => first_us,
            Pace::Live => first_us.saturating_add(self.warmup_us),
        };
        (begin, self.end(begin))
    }

    /// The end of a window with this begin; `u64::MAX` if only events decide it.
    pub(super) fn end(self, begin_us: u64) -> u64 {
        match (self.pace, self.duration_us) {
            (Pace::Free, _) | (Pace::Live, 0) => u64::MAX,
            (Pace::Live, duration) => begin_us.saturating_add(duration),
        }
    }

    /// When an EOS at `at_us` came, which is too early.
    fn early_end(self, begin_us: Option<u64>, at_us: u64) -> String {
        let seconds = |us: u64| format!("{:.1} s", us as f64 / 1e6);
        match begin_us.and_then(|begin| at_us.checked_sub(begin)) {
            None => "during warm-up".to_owned(),
            Some(measured) if self.duration_us == 0 => {
                format!("{} into its window", seconds(measured))
            }
            Some(measured) => {
                format!("{} into its window of {}", seconds(measured), seconds(self.duration_us))
            }
        }
    }
}
