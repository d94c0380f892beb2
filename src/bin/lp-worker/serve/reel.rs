//! A clip in memory, as it is stored: its frames without their container, ready to be sent again
//! and again.
//!
//! A stream of a camera has no passes. So each frame has the time at which it is sent and shown
//! within a pass, and a pass is exactly as long as its frames are shown: the next one begins where
//! the last frame ends, whatever the container says.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::codec::Codec;

use crate::frames::lock;
use crate::messages;

/// The most bytes of one clip: it is held in memory.
const MOST_BYTES: u64 = 1 << 30;

/// How long nothing may be read from a clip.
const PATIENCE: Duration = Duration::from_secs(20);

/// The frames of a clip.
pub(super) struct Reel {
    pub(super) codec: Codec,
    /// Of its frames, with parameter sets where the codec has any.
    pub(super) caps: gst::Caps,
    /// In the order in which they are sent. The first one is a key frame.
    frames: Vec<Frame>,
    /// How long a pass is, in nanoseconds.
    pass: u64,
}

/// An encoded frame. Times are nanoseconds from the begin of a pass.
#[derive(Clone)]
struct Frame {
    data: gst::Buffer,
    /// When it is sent.
    sent: u64,
    /// When it is shown: not before it is sent.
    shown: u64,
    is_key: bool,
}

/// Where a stream is in its reel.
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// The number of the frame that comes next.
    pub(super) next: usize,
    /// The running time at which its pass begins or, of a stream that begins within a pass, would
    /// have begun, in nanoseconds; that may be before 0.
    pub(super) pass_began: i64,
}

impl Reel {
    /// Reads a clip.
    ///
    /// # Errors
    /// Why it cannot be sent, for people.
    pub(super) fn read(clip: &Path) -> Result<Reel, String> {
        let shown = clip.display();
        let (codec, caps, packets) = read(clip).map_err(|reason| format!("`{shown}`: {reason}"))?;
        Reel::of(codec, caps, packets).map_err(|reason| format!("`{shown}`: {reason}"))
    }

    fn of(codec: Codec, caps: gst::Caps, packets: Vec<Packet>) -> Result<Reel, String> {
        let first_key = packets.iter().position(|packet| packet.is_key).ok_or("it has no key frame")?;
        let packets = &packets[first_key..];
        let shown = |packet: &Packet| packet.shown.or(packet.sent).ok_or("it has frames without a time");
        let times = packets.iter().map(shown).collect::<Result<Vec<i64>, _>>()?;
        let (first, last) = times
            .iter()
            .fold((i64::MAX, i64::MIN), |(first, last), time| (first.min(*time), last.max(*time)));
        // Frames of an even rate have one distance, and the last one is shown as long.
        let pass = match packets.len() {
            1 => packets[0]
                .duration
                .filter(|duration| 0 < *duration)
                .ok_or("its only frame has no duration")?,
            n => {
                let between = i64::try_from(n - 1).map_err(|_| "it has too many frames")?;
                (last - first) + (last - first + between / 2) / between
            }
        };
        let sent = |packet: &Packet, shown: i64| packet.sent.unwrap_or(shown).min(shown);
        let earliest = packets.iter().zip(&times).map(|(packet, shown)| sent(packet, *shown)).min();
        let from = earliest.unwrap_or(0);
        let place = |time: i64| u64::try_from(time - from).map_err(|_| "its times are wrong");
        let mut frames = Vec::new();
        for (packet, time) in packets.iter().zip(times) {
            frames.push(Frame {
                data: packet.data.clone(),
                sent: place(sent(packet, time))?,
                shown: place(time)?,
                is_key: packet.is_key,
            });
        }
        let pass = u64::try_from(pass).ok().filter(|pass| 0 < *pass).ok_or("all its frames have one time")?;
        Ok(Reel { codec, caps, frames, pass })
    }

    pub(super) fn n_frames(&self) -> usize {
        self.frames.len()
    }

    /// The place of the last key frame before `seed` / 2^64 of a pass, for a stream that begins
    /// now, at the running time `now`.
    pub(super) fn begin(&self, seed: u64, now: u64) -> Position {
        let at = u64::try_from((u128::from(self.pass) * u128::from(seed)) >> 64).unwrap_or(0);
        let mut keys = self.frames.iter().enumerate().filter(|(_, frame)| frame.is_key && frame.sent <= at);
        let (next, sent) = keys.next_back().map_or((0, 0), |(index, frame)| (index, frame.sent));
        Position { next, pass_began: signed(now) - signed(sent) }
    }

    /// The next frame with its times in the stream, and goes on to the one after it.
    pub(super) fn take(&self, position: &mut Position) -> gst::Buffer {
        let frame = &self.frames[position.next];
        let mut buffer = frame.data.copy();
        let header = buffer.make_mut();
        header.set_dts(gst::ClockTime::from_nseconds(after(position.pass_began, frame.sent)));
        header.set_pts(gst::ClockTime::from_nseconds(after(position.pass_began, frame.shown)));
        position.next += 1;
        if position.next == self.frames.len() {
            *position = Position { next: 0, pass_began: position.pass_began + signed(self.pass) };
        }
        buffer
    }
}

/// A time in nanoseconds: 2^63 of them are 292 years.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn after(begin: i64, time: u64) -> u64 {
    u64::try_from(begin.saturating_add(signed(time))).unwrap_or(0)
}

/// An encoded frame as the file has it. Times are stream times in nanoseconds.
struct Packet {
    data: gst::Buffer,
    sent: Option<i64>,
    shown: Option<i64>,
    duration: Option<i64>,
    is_key: bool,
}

/// What has been read of a clip so far.
#[derive(Default)]
struct Reading {
    codec: Option<Codec>,
    caps: Option<gst::Caps>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    packets: Vec<Packet>,
    bytes: u64,
    fault: Option<String>,
}

impl Reading {
    fn add(&mut self, buffer: &gst::Buffer) {
        self.bytes += buffer.size() as u64;
        if MOST_BYTES < self.bytes {
            let most = MOST_BYTES >> 20;
            self.fault = Some(format!("it has more than {most} MiB of video, the most that is served"));
            self.packets.clear();
        }
        if self.codec == Some(Codec::Mjpeg) && !has_standard_tables(buffer) {
            let fault = "its frames have Huffman tables of their own, which RTP cannot send: encode it with the \
                         usual ones, or set `codec` of `[clip]`";
            self.fault.get_or_insert(fault.to_owned());
        }
        if self.fault.is_some() {
            return;
        }
        let Some(segment) = &self.segment else { return };
        let time = |time: Option<gst::ClockTime>| {
            Some(match segment.to_stream_time_full(time?)? {
                gst::Signed::Positive(time) => signed(time.nseconds()),
                gst::Signed::Negative(time) => -signed(time.nseconds()),
            })
        };
        let (sent, shown) = (time(buffer.dts()), time(buffer.pts()));
        let duration = buffer.duration().map(|duration| signed(duration.nseconds()));
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let mut data = buffer.clone();
        let header = data.make_mut();
        header.set_duration(gst::ClockTime::NONE);
        header.unset_flags(gst::BufferFlags::DISCONT);
        self.packets.push(Packet { data, sent, shown, duration, is_key });
    }
}

/// How many codes of each length the Huffman tables have that every decoder of RTP takes for
/// granted (ITU-T T.81, tables K.3 to K.6), by class and number of the table.
const STANDARD: [(u8, [u8; 16]); 4] = [
    (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
    (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]),
    (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125]),
    (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119]),
];

/// Whether a JPEG has the standard Huffman tables, or none, which means the same.
fn has_standard_tables(buffer: &gst::Buffer) -> bool {
    let Ok(picture) = buffer.map_readable() else { return true };
    // Segments, each with a marker and its length, up to the begin of the scan.
    let mut rest = picture.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(segment) = rest.get(4..2 + length) else { return true };
        if *marker == 0xc4 && !are_standard(segment) {
            return false;
        }
        if *marker == 0xda {
            return true;
        }
        rest = &rest[2 + length..];
    }
    true
}

/// Whether all tables of a segment are standard ones.
fn are_standard(mut tables: &[u8]) -> bool {
    while let Some((name, lengths)) =
        tables.split_first().and_then(|(name, rest)| Some((name, rest.get(..16)?)))
    {
        if !STANDARD.iter().any(|(known, of)| known == name && of == lengths) {
            return false;
        }
        let n_codes: usize = lengths.iter().map(|n| usize::from(*n)).sum();
        tables = tables.get(17 + n_codes..).unwrap_or_default();
    }
    true
}

/// Reads all frames of the clip's video.
fn read(clip: &Path) -> Result<(Codec, gst::Caps, Vec<Packet>), String> {
    let made = |factory: &str| {
        gst::ElementFactory::make(factory)
            .name(factory)
            .build()
            .map_err(|_| format!("no element `{factory}` is installed on the worker's machine"))
    };
    let pipeline = gst::Pipeline::new();
    let (source, demuxer) = (made("filesrc")?, made("qtdemux")?);
    source.set_property("location", clip);
    let built = pipeline.add_many([&source, &demuxer]).and_then(|()| source.link(&demuxer));
    built.map_err(|error| error.to_string())?;
    let reading = Arc::new(Mutex::new(Reading::default()));
    let (into, rest) = (Arc::clone(&reading), pipeline.downgrade());
    demuxer.connect_pad_added(move |_, pad| {
        let Some(pipeline) = rest.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
        let is_first = lock(&into).codec.is_none();
        let codec = Codec::of_caps(&name).filter(|_| is_first);
        if let Err(reason) = collect(&pipeline, pad, codec, &into) {
            lock(&into).fault.get_or_insert(reason);
        }
    });
    let ended = play(&pipeline);
    let _ = pipeline.set_state(gst::State::Null);
    let Reading { codec, caps, packets, fault, .. } = std::mem::take(&mut *lock(&reading));
    // It explains the error of an element that it has left without a link.
    if let Some(fault) = fault {
        return Err(fault);
    }
    ended?;
    let (codec, caps) = codec.zip(caps).ok_or("it has no video that can be served: H.264, H.265 or MJPEG")?;
    Ok((codec, caps, packets))
}

/// Links a track of the clip: frames of a codec are kept, those of other tracks are discarded.
fn collect(
    pipeline: &gst::Pipeline,
    track: &gst::Pad,
    codec: Option<Codec>,
    reading: &Arc<Mutex<Reading>>,
) -> Result<(), String> {
    let said = |error: gst::glib::BoolError| error.to_string();
    let mut elements = Vec::new();
    if let Some(codec) = codec {
        let form = match codec {
            // Lengths rather than start codes: so payloaders need not look for these.
            Codec::H264 => "video/x-h264,stream-format=avc,alignment=au",
            Codec::H265 => "video/x-h265,stream-format=hvc1,alignment=au",
            Codec::Mjpeg => "image/jpeg,parsed=true",
            Codec::Vp9 | Codec::Av1 => {
                return Err(format!(
                    "it is {}, which is not served: set `codec` of `[clip]` to `h264`, `h265` or `mjpeg`",
                    codec.name()
                ));
            }
        };
        lock(reading).codec = Some(codec);
        elements.push(gst::ElementFactory::make(codec.parser()).build().map_err(said)?);
        let form: gst::Caps = form.parse().map_err(said)?;
        elements.push(gst::ElementFactory::make("capsfilter").property("caps", form).build().map_err(said)?);
    }
    elements.push(
        gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .property("async", false)
            .build()
            .map_err(said)?,
    );
    pipeline.add_many(&elements).map_err(said)?;
    gst::Element::link_many(&elements).map_err(said)?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent().map_err(said)?;
    }
    let pad = |element: &gst::Element| element.static_pad("sink").ok_or("an element has no input");
    if codec.is_some() {
        let reading = Arc::clone(reading);
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad(&elements[elements.len() - 1])?.add_probe(types, move |_, info| {
            let mut reading = lock(&reading);
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => reading.add(buffer),
                Some(gst::PadProbeData::Event(event)) => match event.view() {
                    gst::EventView::Caps(event) => reading.caps = Some(event.caps_owned()),
                    gst::EventView::Segment(event) => {
                        reading.segment = event.segment().downcast_ref::<gst::ClockTime>().cloned();
                    }
                    _ => {}
                },
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }
    track.link(&pad(&elements[0])?).map(|_| ()).map_err(|error| error.to_string())
}

/// Plays a pipeline to its end, as fast as it can.
fn play(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("a pipeline has no bus")?;
    let started = pipeline.set_state(gst::State::Playing);
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let patience = gst::ClockTime::from_mseconds(PATIENCE.as_millis().try_into().unwrap_or(u64::MAX));
    let position = || pipeline.query_position::<gst::ClockTime>();
    let mut before = None;
    loop {
        match bus.timed_pop_filtered(patience, &ends) {
            Some(message) => match message.view() {
                gst::MessageView::Error(error) => return Err(messages::reason(error)),
                _ => return Ok(()),
            },
            None if started.is_err() => return Err("it cannot be read, and no element says why".to_owned()),
            None if position() == before => {
                return Err(format!("nothing could be read from it for {} s", PATIENCE.as_secs()));
            }
            None => before = position(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reel of frames: when each is sent and shown, and whether it is a key frame.
    fn reel(frames: &[(i64, i64, bool)]) -> Result<Reel, String> {
        gst::init().unwrap();
        let packet = |(sent, shown, is_key): &(i64, i64, bool)| Packet {
            data: gst::Buffer::from_slice([0]),
            sent: Some(*sent),
            shown: Some(*shown),
            duration: None,
            is_key: *is_key,
        };
        Reel::of(Codec::H264, gst::Caps::new_empty(), frames.iter().map(packet).collect())
    }

    /// The times at which the next frames of a stream are sent and shown.
    fn times(reel: &Reel, position: &mut Position, n: usize) -> Vec<(u64, u64)> {
        let time = |time: Option<gst::ClockTime>| time.unwrap().nseconds();
        (0..n)
            .map(|_| {
                let frame = reel.take(position);
                (time(frame.dts()), time(frame.pts()))
            })
            .collect()
    }

    #[test]
    fn a_pass_begins_where_the_last_frame_of_the_one_before_ends() {
        // With a B-frame, and first sent before the clip begins.
        let reel = reel(&[(-100, 0, true), (0, 200, false), (100, 100, false)]).unwrap();
        let mut position = reel.begin(0, 1_000);
        let sent = times(&reel, &mut position, 7);
        assert_eq!(
            sent,
            [
                (1_000, 1_100),
                (1_100, 1_300),
                (1_200, 1_200),
                (1_300, 1_400),
                (1_400, 1_600),
                (1_500, 1_500),
                (1_600, 1_700)
            ]
        );
    }

    #[test]
    fn a_stream_begins_with_the_key_frame_before_its_place() {
        let reel = reel(&[(0, 0, true), (100, 100, false), (200, 200, true), (300, 300, false)]).unwrap();
        for (seed, next) in [(0, 0), (1 << 62, 0), (1 << 63, 2), (u64::MAX, 2)] {
            let mut position = reel.begin(seed, 50);
            assert_eq!(position.next, next);
            assert_eq!(times(&reel, &mut position, 2), [(50, 50), (150, 150)]);
        }
    }

    #[test]
    fn frames_before_the_first_key_frame_are_left_out() {
        let reel = reel(&[(0, 0, false), (100, 100, true), (200, 200, false)]).unwrap();
        let mut position = reel.begin(0, 0);
        assert_eq!(times(&reel, &mut position, 3), [(0, 0), (100, 100), (200, 200)]);
        assert_eq!(reel.n_frames(), 2);
    }

    #[test]
    fn a_clip_that_cannot_be_looped_is_refused() {
        let fault = |frames: &[(i64, i64, bool)]| reel(frames).map(|_| ()).unwrap_err();
        assert_eq!(fault(&[(0, 0, false)]), "it has no key frame");
        assert_eq!(fault(&[(0, 0, true)]), "its only frame has no duration");
        assert_eq!(fault(&[(5, 5, true), (5, 5, false)]), "all its frames have one time");
    }
}
