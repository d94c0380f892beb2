//! Playing a file again and again as one stream.
//!
//! The first pass begins with a flushing seek to a seeded part of the clip, each later
//! one with a seek to 0 that does not flush. A camera's stream has no passes, so none
//! are seen after the demuxer: the first segment goes on, later ones and their ends are
//! taken out, and the times of frames go on where the pass before ended, with the last
//! frame's own length.
//!
//! With segments as the demuxer gives them, a decoder would be drained at each seam: a
//! clip with B-frames would give its last frames early and its first ones late. And
//! `qtdemux` lets a segment begin at the running time of the *last frame that it
//! pushed*, so each pass would be a frame short or more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use crate::build::Chain;
use crate::frames::lock;

type Segment = gst::FormattedSegment<gst::ClockTime>;

/// How long a source plays until it begins again without beginning anew in time, in
/// nanoseconds; 0 if that is not known yet.
pub(crate) type PassLength = Arc<AtomicU64>;

/// Where the first data of a pipeline wait for the first seek: an element that is just setting its
/// caps when the seek flushes may fail with them, as `jpegparse` does, and post that as an error.
#[derive(Default)]
pub(crate) struct Gate {
    /// Whether it is open, and the probes that hold data until then.
    state: Mutex<(bool, Vec<(gst::Pad, gst::PadProbeId)>)>,
}

impl Gate {
    /// Holds what comes to a pad, and says when there is something.
    pub(crate) fn hold(&self, pad: &gst::Pad, has_come: impl Fn() + Send + Sync + 'static) {
        let mut state = lock(&self.state);
        if state.0 {
            return;
        }
        let types = gst::PadProbeType::BLOCK | gst::PadProbeType::BUFFER | gst::PadProbeType::PUSH;
        let probe = pad.add_probe(types, move |_, _| {
            has_come();
            gst::PadProbeReturn::Ok
        });
        state.1.extend(probe.map(|probe| (pad.clone(), probe)));
    }

    /// Lets everything pass from now on.
    pub(crate) fn open(&self) {
        let mut state = lock(&self.state);
        state.0 = true;
        let probes = std::mem::take(&mut state.1);
        drop(state);
        probes.into_iter().for_each(|(pad, probe)| pad.remove_probe(probe));
    }
}

/// A source that is played again and again.
pub(crate) struct Loop {
    /// The first pad that pushes data: what is sought. Through the sinks it would
    /// not always be reached, since some are linked only after data has come.
    entry: gst::Pad,
    /// As the container gives it.
    duration: u64,
    splice: Arc<Mutex<Splice>>,
    pass: PassLength,
}

/// Makes one stream of passes.
#[derive(Default)]
struct Splice {
    /// The segment that went out, which never ends.
    out: Option<Segment>,
    /// The demuxer's segment.
    current: Option<Segment>,
    /// The length of all passes before this one.
    shift: u64,
    /// Where the clip's last frame ends.
    end: u64,
}

impl Splice {
    /// The next pass begins. The first one counts in full, though it begins within the clip.
    fn next_pass(&mut self, duration: u64) {
        if self.end == 0 {
            self.end = duration;
        }
        self.shift += self.end;
    }

    /// The segment that goes out for one that comes; `None` if the stream goes on.
    fn segment(&mut self, segment: &Segment) -> Option<Segment> {
        self.current = Some(segment.clone());
        if self.out.is_some() {
            return None;
        }
        let mut endless = segment.clone();
        endless.set_stop(gst::ClockTime::NONE);
        endless.set_duration(gst::ClockTime::NONE);
        self.out = Some(endless.clone());
        Some(endless)
    }

    /// Moves a frame to its place in the stream.
    fn place(&mut self, frame: &mut gst::BufferRef) {
        let (Some(out), Some(current)) = (&self.out, &self.current) else { return };
        let ns = |time: Option<gst::ClockTime>| i128::from(time.map_or(0, gst::ClockTime::nseconds));
        // From the demuxer's time to the position in the clip, and on to the stream's time.
        let to_position = ns(current.time()) - ns(current.start());
        let to_stream = ns(out.start()) - ns(out.time()) + i128::from(self.shift);
        let moved = |time: Option<gst::ClockTime>| {
            let time = ns(Some(time?)) + to_position + to_stream;
            u64::try_from(time).ok().map(gst::ClockTime::from_nseconds)
        };
        if let Some(shown) = frame.pts().or(frame.dts()) {
            let end = ns(Some(shown)) + to_position + ns(frame.duration());
            self.end = self.end.max(u64::try_from(end).unwrap_or(0));
        }
        let (shown, decoded) = (moved(frame.pts()), moved(frame.dts()));
        frame.set_pts(shown);
        frame.set_dts(decoded);
        if 0 < self.shift {
            frame.unset_flags(gst::BufferFlags::DISCONT);
        }
    }
}

impl Loop {
    /// Seeks to the seeded offset. The pipeline is in PAUSED and data has come
    /// to its entry pad, where it waits in a [`Gate`]. `pass` gets the length of a pass when it is known.
    pub(crate) fn begin(chain: &Chain, seed: u64, pass: PassLength) -> Result<Loop, String> {
        let name = chain.pipeline.name();
        let once = |why: &str| format!("`{name}` {why}: it plays once");
        let entry = chain.entry_pad().ok_or_else(|| once("has no entry"))?;
        let first = entry.peer().ok_or_else(|| once("has no entry"))?;
        let duration = first.peer_query_duration::<gst::ClockTime>().map_or(0, gst::ClockTime::nseconds);
        if duration == 0 {
            return Err(once("has no duration"));
        }
        let splice = Arc::new(Mutex::new(Splice::default()));
        let probe = watch(&first, Arc::clone(&splice));
        // Accurate: to a keyframe only, all streams of a clip with few of them
        // would begin together.
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::SEGMENT | gst::SeekFlags::ACCURATE;
        if !seek(&entry, flags, part(duration, seed)) {
            if let Some(probe) = probe {
                first.remove_probe(probe);
            }
            return Err(once("cannot be sought"));
        }
        Ok(Loop { entry, duration, splice, pass })
    }

    /// Plays from the beginning, now that the segment is done. Whether it can.
    pub(crate) fn again(&self) -> bool {
        {
            // Before the seek: data flows before it returns.
            let mut splice = lock(&self.splice);
            splice.next_pass(self.duration);
            self.pass.store(splice.end, Ordering::Relaxed);
        }
        seek(&self.entry, gst::SeekFlags::SEGMENT, 0)
    }
}

/// Splices everything that comes to a pad.
fn watch(pad: &gst::Pad, splice: Arc<Mutex<Splice>>) -> Option<gst::PadProbeId> {
    let types = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(types, move |_, info| match &mut info.data {
        Some(gst::PadProbeData::Buffer(frame)) => {
            lock(&splice).place(frame.make_mut());
            gst::PadProbeReturn::Ok
        }
        Some(gst::PadProbeData::BufferList(frames)) => {
            let mut splice = lock(&splice);
            frames.make_mut().foreach_mut(|mut frame, _| {
                splice.place(frame.make_mut());
                std::ops::ControlFlow::Continue(Some(frame))
            });
            gst::PadProbeReturn::Ok
        }
        Some(gst::PadProbeData::Event(event)) => {
            let replaced = match event.view() {
                gst::EventView::FlushStop(_) => {
                    *lock(&splice) = Splice::default();
                    return gst::PadProbeReturn::Ok;
                }
                gst::EventView::Segment(view) => {
                    let Some(segment) = view.segment().downcast_ref::<gst::ClockTime>() else {
                        return gst::PadProbeReturn::Ok;
                    };
                    lock(&splice)
                        .segment(segment)
                        .map(|segment| gst::event::Segment::builder(&segment).seqnum(event.seqnum()).build())
                }
                gst::EventView::SegmentDone(_) => None,
                _ => return gst::PadProbeReturn::Ok,
            };
            match replaced {
                Some(segment) => {
                    *event = segment;
                    gst::PadProbeReturn::Ok
                }
                // Not dropped: GStreamer 1.22 unrefs a dropped event that the bindings
                // have freed already.
                None => gst::PadProbeReturn::Handled,
            }
        }
        _ => gst::PadProbeReturn::Ok,
    })
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

    fn segment(start: u64, time: u64, base: u64) -> Segment {
        let mut segment = Segment::new();
        segment.set_start(gst::ClockTime::from_nseconds(start));
        segment.set_stop(gst::ClockTime::from_nseconds(1_200));
        segment.set_time(gst::ClockTime::from_nseconds(time));
        segment.set_base(gst::ClockTime::from_nseconds(base));
        segment
    }

    /// The times of a frame of 100 ns after it went through.
    fn placed(splice: &mut Splice, shown: u64, decoded: u64) -> (u64, u64) {
        let mut frame = gst::Buffer::new();
        let header = frame.make_mut();
        header.set_pts(gst::ClockTime::from_nseconds(shown));
        header.set_dts(gst::ClockTime::from_nseconds(decoded));
        header.set_duration(gst::ClockTime::from_nseconds(100));
        splice.place(header);
        (header.pts().unwrap().nseconds(), header.dts().unwrap().nseconds())
    }

    #[test]
    fn each_pass_begins_where_the_last_frame_of_the_one_before_ended() {
        gst::init().unwrap();
        let mut splice = Splice::default();
        // Frames are shown from 200 on, and the first pass begins at 600 of the clip.
        let out = splice.segment(&segment(800, 600, 0)).unwrap();
        assert_eq!((out.start().unwrap().nseconds(), out.stop()), (800, None));
        assert_eq!(placed(&mut splice, 800, 600), (800, 600));
        assert_eq!(placed(&mut splice, 1_100, 800), (1_100, 800));
        // Decoded last, and not shown last.
        assert_eq!(placed(&mut splice, 1_000, 900), (1_000, 900));
        splice.next_pass(7);
        assert_eq!(splice.segment(&segment(200, 0, 333)), None);
        assert_eq!((placed(&mut splice, 200, 0), splice.shift), ((1_200, 1_000), 1_000));
        splice.next_pass(7);
        assert_eq!(splice.segment(&segment(200, 0, 999)), None);
        assert_eq!(placed(&mut splice, 300, 100), (2_300, 2_100));
    }
}
