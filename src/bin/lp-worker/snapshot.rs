//! A picture of a stream: a frame with what its models found, drawn.
//!
//! Of the first five seconds of a stream, the frame with the most regions is taken, of equal ones
//! that with the highest scores, then the first; so the same frame whenever the same frames come.
//! If none of them has a region, it is the first later one that has. Positions, not clocks,
//! decide. With the usual warm-up these seconds are before the measured window.
//!
//! A frame that is better than all before is copied in the thread that brings it (3 MB
//! for 1920x1080); scaling, drawing and encoding wait until the stream is over. So they are outside
//! of the window, except that a file that is played freely may end before others do.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use jpeg_encoder::{ColorType, Encoder};

use lp::worker::protocol::{MAX_SNAPSHOT, Snapshot};

use crate::draw;
use crate::frames::lock;
use crate::looping::PassLength;
use crate::native::roi::{self, Region};
use crate::regions::position;

/// The best frame of this time is taken.
const CHOOSING: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// The longest side of a picture, in pixels.
const LONGEST: u32 = 640;

/// Qualities that are tried, until the picture is small enough.
const QUALITIES: [u8; 5] = [85, 70, 55, 40, 25];

/// Pixels of a line, and of a dot of a letter.
const LINE: usize = 2;

/// The most objects whose labels are told in words.
const MOST_TOLD: usize = 12;

/// Chooses a frame of a stream.
pub(crate) struct Chooser {
    pass: PassLength,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The time of the first frame.
    since: Option<gst::ClockTime>,
    video: Option<Video>,
    chosen: Option<Chosen>,
    is_over: bool,
}

/// The frames of a stream; `Err` is the reason why none can be drawn.
type Video = Result<gst_video::VideoInfo, String>;

struct Chosen {
    /// A copy.
    buffer: gst::Buffer,
    video: gst_video::VideoInfo,
    clip_ns: Option<u64>,
    /// The number of its regions, and the sum of their scores in thousandths.
    worth: (usize, u64),
}

impl Chooser {
    /// Installs the probe on the pad at which the frames of a stream have arrived.
    pub(crate) fn watch(pad: &gst::Pad, pass: &PassLength) -> Arc<Chooser> {
        let chooser = Arc::new(Chooser { pass: Arc::clone(pass), state: Mutex::default() });
        let watching = Arc::clone(&chooser);
        let types = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM
            | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(types, move |pad, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => watching.frame(pad, buffer),
                Some(gst::PadProbeData::BufferList(list)) => {
                    list.iter().for_each(|buffer| watching.frame(pad, buffer));
                }
                Some(gst::PadProbeData::Event(event)) => match event.view() {
                    gst::EventView::Caps(caps) => lock(&watching.state).video = Some(video(caps.caps())),
                    // What was seen while it prerolled is not of the stream.
                    gst::EventView::FlushStop(_) => {
                        let mut state = lock(&watching.state);
                        *state = State { video: state.video.take(), ..State::default() };
                    }
                    _ => {}
                },
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        chooser
    }

    fn frame(&self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let mut state = lock(&self.state);
        let (false, Some(Ok(video)), Some(time)) = (state.is_over, &state.video, buffer.pts()) else {
            return;
        };
        let video = video.clone();
        let is_choosing = time < *state.since.get_or_insert(time) + CHOOSING;
        let best = state.chosen.as_ref().map(|chosen| chosen.worth);
        if !is_choosing && best.is_some_and(|(n, _)| n > 0) {
            state.is_over = true;
            return;
        }
        let worth = worth(buffer);
        if best >= Some(worth) {
            return;
        }
        let Ok(copy) = buffer.copy_deep() else {
            state.video = Some(Err("a frame could not be copied".to_owned()));
            return;
        };
        let pass = self.pass.load(std::sync::atomic::Ordering::Relaxed);
        let clip_ns = position(pad, Some(time)).map(|ns| if pass == 0 { ns } else { ns % pass });
        state.chosen = Some(Chosen { buffer: copy, video, clip_ns, worth });
        state.is_over = !is_choosing;
    }

    /// The picture.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, String> {
        let State { video, chosen, .. } = std::mem::take(&mut *lock(&self.state));
        match (chosen, video) {
            (Some(chosen), _) => chosen.drawn(),
            (None, Some(Err(reason))) => Err(reason),
            (None, _) => Err("no frame came".to_owned()),
        }
    }
}

/// How much there is to see on a frame.
fn worth(buffer: &gst::BufferRef) -> (usize, u64) {
    let regions = roi::all(buffer);
    let score = |region: &Region| (region.score().unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0).round() as u64;
    (regions.len(), regions.iter().map(score).sum())
}

/// Frames of these caps.
fn video(caps: &gst::CapsRef) -> Video {
    let is_plain = caps.features(0).is_none_or(|features| {
        features.size() == 0 || features.contains(gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
    });
    if !is_plain {
        return Err(format!("its frames are not in the memory of the system: {caps}"));
    }
    gst_video::VideoInfo::from_caps(caps).map_err(|_| format!("these are no frames of known size: {caps}"))
}

impl Chosen {
    fn drawn(&self) -> Result<Snapshot, String> {
        let (width, height) = (self.video.width(), self.video.height());
        let scale = (f64::from(LONGEST) / f64::from(width.max(height))).min(1.0);
        let regions = roi::all(&self.buffer);
        let mut part = 1.0;
        loop {
            let scale = scale * part;
            let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
            let (pixels, size) = self.scaled(side(width), side(height), &regions, scale)?;
            for quality in QUALITIES {
                let jpeg = encoded(&pixels, size, quality)?;
                if jpeg.len() <= MAX_SNAPSHOT {
                    let told = regions.iter().take(MOST_TOLD).map(Region::words);
                    let more = regions.len().saturating_sub(MOST_TOLD);
                    let more = (more > 0).then(|| format!("{more} more"));
                    return Ok(Snapshot {
                        jpeg: STANDARD.encode(jpeg),
                        width: size.0,
                        height: size.1,
                        clip_ns: self.clip_ns,
                        objects: told.chain(more).collect(),
                    });
                }
            }
            part /= 2.0;
        }
    }

    /// The frame in this size with its regions, as rows of red, green and blue.
    fn scaled(
        &self,
        width: u32,
        height: u32,
        regions: &[Region],
        scale: f64,
    ) -> Result<(Vec<u8>, (u32, u32)), String> {
        let failed = |error: gst::glib::BoolError| error.to_string();
        let source = gst_video::VideoFrameRef::from_buffer_ref_readable(&self.buffer, &self.video)
            .map_err(|_| "the frame is smaller than its caps say".to_owned())?;
        let rgb = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
            .fps(self.video.fps())
            .interlace_mode(self.video.interlace_mode())
            .build()
            .map_err(failed)?;
        let converter = gst_video::VideoConverter::new(&self.video, &rgb, None).map_err(failed)?;
        let mut picture = gst::Buffer::with_size(rgb.size()).map_err(failed)?;
        let picture = picture.get_mut().expect("nobody else has a new buffer");
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(picture, &rgb)
            .map_err(|_| "the picture cannot be written".to_owned())?;
        converter.frame_ref(&source, &mut frame);
        for region in regions {
            let text = region.text();
            draw::region(&mut frame, region, scale, LINE, Some((&text, LINE)))?;
        }
        let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or_default();
        let data = frame.plane_data(0).map_err(|error| error.to_string())?;
        let rows = data.chunks(stride.max(1)).take(height as usize);
        let pixels = rows.flat_map(|row| row.iter().take(width as usize * 3)).copied().collect();
        Ok((pixels, (width, height)))
    }
}

/// A JPEG.
fn encoded(pixels: &[u8], (width, height): (u32, u32), quality: u8) -> Result<Vec<u8>, String> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| format!("{pixels} pixels are too many"));
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, quality);
    encoder.encode(pixels, side(width)?, side(height)?, ColorType::Rgb).map_err(|error| error.to_string())?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// Plays 80 frames of 100 ms of noise, which compresses badly, in which so many boxes are on
    /// the frames of these numbers, and takes the snapshot.
    fn snapshot(size: (u32, u32), boxes: &'static [(u64, usize)]) -> Result<Snapshot, String> {
        gst::init().unwrap();
        let (width, height) = size;
        let line = format!(
            "videotestsrc pattern=snow num-buffers=80 ! video/x-raw,format=I420,width={width},height={height},\
             framerate=10/1 ! fakesink name=s sync=false"
        );
        let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let pad = pipeline.by_name("s").unwrap().static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                let n = buffer.pts().unwrap().nseconds() / 100_000_000;
                let n_boxes = boxes.iter().find(|(at, _)| *at == n).map_or(0, |(_, n)| *n);
                for index in 0..n_boxes {
                    let buffer = buffer.make_mut();
                    let place = (4 * index as u32, 0, 20, 12);
                    let mut meta = gst_video::VideoRegionOfInterestMeta::add(buffer, "cup", place);
                    meta.add_param(gst::Structure::builder(roi::DETECTION).field("confidence", 0.5).build());
                }
            }
            gst::PadProbeReturn::Ok
        });
        let pass: PassLength = Arc::new(AtomicU64::new(0));
        let chooser = Chooser::watch(&pad, &pass);
        pipeline.set_state(gst::State::Playing).unwrap();
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &wanted);
        assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
        pipeline.set_state(gst::State::Null).unwrap();
        chooser.snapshot()
    }

    #[track_caller]
    fn check(boxes: &'static [(u64, usize)], at_ms: u64, n: usize) {
        let snapshot = snapshot((64, 48), boxes).unwrap();
        assert_eq!((snapshot.clip_ns, snapshot.objects.len()), (Some(at_ms * 1_000_000), n));
        assert_eq!((snapshot.width, snapshot.height), (64, 48));
    }

    #[test]
    fn the_frame_with_the_most_regions_of_the_first_seconds_is_taken() {
        check(&[(3, 1), (7, 2), (9, 2), (60, 5)], 700, 2);
        // If there is none, the first one later.
        check(&[(70, 1), (75, 3)], 7_000, 1);
        check(&[], 0, 0);
    }

    #[test]
    fn a_picture_is_never_larger_than_it_may_be() {
        let snapshot = snapshot((1920, 1080), &[(0, 14)]).unwrap();
        let jpeg = STANDARD.decode(&snapshot.jpeg).unwrap();
        assert!(jpeg.len() <= MAX_SNAPSHOT, "{}", jpeg.len());
        assert_eq!(jpeg[..3], [0xff, 0xd8, 0xff]);
        assert!(snapshot.width <= LONGEST && snapshot.width * 9 == snapshot.height * 16);
        assert_eq!(snapshot.objects[0], "cup 50 %");
        assert_eq!((snapshot.objects.len(), snapshot.objects[12].as_str()), (13, "2 more"));
    }

    #[test]
    fn a_label_is_written_in_its_box() {
        gst::init().unwrap();
        let video = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, 64, 48).build().unwrap();
        let mut buffer = gst::Buffer::with_size(video.size()).unwrap();
        let place = (8, 20, 40, 20);
        gst_video::VideoRegionOfInterestMeta::add(buffer.get_mut().unwrap(), "l", place);
        let chosen = Chosen { buffer, video, clip_ns: None, worth: (1, 0) };
        let regions = roi::all(&chosen.buffer);
        let (pixels, _) = chosen.scaled(64, 48, &regions, 1.0).unwrap();
        let at = |x: usize, y: usize| &pixels[(y * 64 + x) * 3..][..3];
        // The first line of the box, the foot of the letter, and the ground beside its upper end.
        let red = [255, 64, 64];
        assert_eq!((at(8, 20), at(10, 8), at(14, 8)), (&red[..], &[0, 0, 0][..], &red[..]));
    }
}
