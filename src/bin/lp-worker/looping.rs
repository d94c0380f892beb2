//! Playing a file again and again, at exactly its rate.
//!
//! The first pass begins with a flushing seek to a seeded part of the clip, each later
//! one with a seek to 0 that does not flush, so nothing in flight is lost and
//! running time goes on.
//!
//! It does not go on rightly by itself: `qtdemux` lets a new segment begin at
//! the running time of the *last frame it pushed*, not at that frame's end. Every
//! pass would be a frame short (measured: 30 frames of a 30 fps clip in 0.967 s,
//! 31.0 fps), and with B-frames more, as that frame is the last in decoding order.
//! So the running time at which a pass begins is counted here, from the clip's
//! duration, and put into the segment as it enters the first element after the
//! demuxer.
//!
//! One error remains: at a boundary a decoder is drained, so a clip *with B-frames*
//! gives the last frames early by its reordering, and the first ones late. The
//! rate over a pass is exact; our transcoded clips have none.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use crate::build::Chain;

/// A source that is played again and again.
pub(crate) struct Loop {
    /// The first pad that pushes data: what is sought. Through the sinks it would
    /// not always be reached, since some are linked only after data has come.
    entry: gst::Pad,
    duration: u64,
    base: Arc<Mutex<Base>>,
}

/// Where the current pass lies in running time, in nanoseconds.
struct Base {
    /// Where it ends: the base of the next one.
    end: u64,
    /// Where it should begin, until its first segment has come by.
    wanted: Option<u64>,
    /// What is added to the bases of its segments.
    shift: i64,
}

impl Base {
    fn next_pass(&mut self, duration: u64) {
        self.wanted = Some(self.end);
        self.end += duration;
    }

    /// An edit list makes several segments of a pass; all move by as much as the
    /// first.
    fn correct(&mut self, base: u64) -> u64 {
        if let Some(wanted) = self.wanted.take() {
            self.shift = wanted.cast_signed().wrapping_sub(base.cast_signed());
        }
        base.saturating_add_signed(self.shift)
    }
}

impl Loop {
    /// Seeks to the seeded offset. The pipeline is in PAUSED and data has come
    /// by its entry pad.
    pub(crate) fn begin(chain: &Chain, seed: u64) -> Result<Loop, String> {
        let name = chain.pipeline.name();
        let once = |why: &str| format!("`{name}` {why}: it plays once");
        let entry = chain.entry_pad().ok_or_else(|| once("has no entry"))?;
        let first = entry.peer().ok_or_else(|| once("has no entry"))?;
        let duration = first.peer_query_duration::<gst::ClockTime>().map_or(0, gst::ClockTime::nseconds);
        if duration == 0 {
            return Err(once("has no duration"));
        }
        let offset = part(duration, seed);
        // Accurate: to a keyframe only, all streams of a clip with few of them
        // would begin together.
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT | gst::SeekFlags::ACCURATE;
        if !seek(&entry, flags, offset) {
            return Err(once("cannot be sought"));
        }

        let base = Arc::new(Mutex::new(Base { end: duration - offset, wanted: None, shift: 0 }));
        let shared = Arc::clone(&base);
        first.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &mut info.data
                && let Some(corrected) = corrected(event, &shared)
            {
                *event = corrected;
            }
            gst::PadProbeReturn::Ok
        });
        Ok(Loop { entry, duration, base })
    }

    /// Plays from the beginning, now that the segment is done. Whether it can.
    pub(crate) fn again(&self) -> bool {
        // Before the seek: data flows before it returns.
        lock(&self.base).next_pass(self.duration);
        seek(&self.entry, gst::SeekFlags::SEGMENT, 0)
    }
}

/// So many 2^-64 of a duration: less than all of it.
fn part(duration: u64, seed: u64) -> u64 {
    let part = (u128::from(duration) * u128::from(seed)) >> 64;
    u64::try_from(part).expect("a part is not more than the whole")
}

fn seek(entry: &gst::Pad, flags: gst::SeekFlags, start: u64) -> bool {
    let start = gst::ClockTime::from_nseconds(start);
    let none = gst::ClockTime::NONE;
    entry.send_event(gst::event::Seek::new(1.0, flags, gst::SeekType::Set, start, gst::SeekType::None, none))
}

/// A segment event with the base that it should have; `None` for other events.
fn corrected(event: &gst::Event, base: &Mutex<Base>) -> Option<gst::Event> {
    let gst::EventView::Segment(view) = event.view() else { return None };
    let mut segment = view.segment().downcast_ref::<gst::ClockTime>()?.clone();
    let wanted = lock(base).correct(segment.base().map_or(0, gst::ClockTime::nseconds));
    segment.set_base(gst::ClockTime::from_nseconds(wanted));
    Some(
        gst::event::Segment::builder(&segment)
            .seqnum(event.seqnum())
            .running_time_offset(event.running_time_offset())
            .build(),
    )
}

fn lock(base: &Mutex<Base>) -> std::sync::MutexGuard<'_, Base> {
    base.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_part_of_the_clip() {
        let clip = 20_000_000_000;
        let parts = [0, 1 << 62, 1 << 63, u64::MAX].map(|seed| part(clip, seed));
        assert_eq!(parts, [0, clip / 4, clip / 2, clip - 1]);
        assert_eq!(part(1, u64::MAX), 0);
    }

    #[test]
    fn each_pass_begins_where_the_one_before_should_have_ended() {
        let mut base = Base { end: 600, wanted: None, shift: 0 };
        assert_eq!(base.correct(0), 0);
        base.next_pass(1_000);
        // The demuxer is a frame of 40 short, and has two edits.
        assert_eq!((base.correct(560), base.correct(1_060)), (600, 1_100));
        base.next_pass(1_000);
        assert_eq!((base.correct(1_520), base.end), (1_600, 2_600));
    }
}
