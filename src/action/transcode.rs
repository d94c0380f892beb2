//! `transcode:`: the clip that is played for a camera, from a video file.
//!
//! The file is read once without decoding. The result ([`Contents`]) decides whether it
//! is whole, and which of its tracks is the film. A film that fits the camera is played
//! as it is, if a try shows that it plays again and again; else its frames go into a
//! container of their own, which is tried the same way; else they are encoded. What was
//! done, and why, is written beside the clip ([`PreparedClip`]).
//!
//! All of it gives the same bytes for the same input and tools.

use super::encode::{self, Encoding, RateControl};
use super::media::{self, heard};
use super::{ActionError, LocalHost, cut, document, place, write};
use crate::dialect;
use crate::engine::host::{Attempt, Encoded};
use crate::graph::factories::{CROP, H264_ENCODERS};
use crate::graph::task::{Task, Transcode};
use crate::model::{Encoder, Shape};
use crate::os;
use crate::path::ProjectPath;
use crate::pipeline::clip::{Contents, Cut, Decoded, Loss, Resampled, Track};
use crate::pipeline::codec::Codec;
use crate::pipeline::encoded::{Expected, Reshaping, reshaped};
use crate::pipeline::fit::{self, CheckedLoop, Wanted};
use crate::pipeline::prepared::{self, Preparation, PreparedClip, Video};
use crate::pipeline::{CLIP_CHECK, CLIP_SOURCE, Element, FRAME_RATE, Playback, Value};
use crate::session::{ElementReports, OnFrames, SessionError};
use crate::worker::launch::Reach;

/// A clip in the making.
struct Job<'a> {
    host: &'a LocalHost<'a>,
    transcode: &'a Transcode,
    task: &'a Task,
    attempt: &'a Attempt<'a>,
    wanted: Wanted,
}

pub(super) fn perform(
    host: &LocalHost<'_>,
    transcode: &Transcode,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let Transcode { width, height, framerate, .. } = transcode;
    let (numer, denom) = framerate.split_once('/').unwrap_or((framerate, "1"));
    let fps = numer.parse::<f64>().unwrap_or(0.0) / denom.parse::<f64>().unwrap_or(1.0);
    let wanted = Wanted { width: *width, height: *height, fps };
    Job { host, transcode, task, attempt, wanted }.perform()
}

impl Job<'_> {
    fn perform(&self) -> Result<(), ActionError> {
        let clip = self.clip();
        let cut = os::fs::inspect(&self.attempt.layout.resolve(clip), &mut |file| cut::cut_off(file))?;
        if let Some(fault) = cut.as_ref().and_then(Cut::unreadable) {
            return Err(self.fault(fault));
        }
        let and_cut = |reason: &str| {
            let cut = cut.as_ref().map_or(String::new(), |cut| format!("is cut off ({}) and ", cut.part));
            self.fault(format!("{cut}{reason}"))
        };
        let contents = match self.contents(Value::Input(clip.clone())) {
            Err(ActionError::Session(SessionError::Failed(reason))) => {
                return Err(and_cut(&format!("cannot be read: {reason}")));
            }
            contents => contents?,
        };
        let film = contents.film().ok_or_else(|| and_cut(&contents.without_film()))?;
        if let Some(reason) = contents.fault(film, cut.as_ref()) {
            return Err(self.fault(reason));
        }
        if let Some(reason) = fit::refusal(film) {
            return Err(self.fault(reason));
        }
        if let Some(cut) = &cut {
            (self.attempt.note)(&format!("note: `{clip}` lacks the last moment of its end: {}", cut.part));
        }

        let source = Video::of(&contents, film);
        let mut because = self.reasons_to_encode(film);
        if cut.is_some() {
            because.push("it lacks the last moment of its end".to_owned());
        }
        let mut made_up = Vec::new();
        let done = match film.codec().filter(|_| because.is_empty()) {
            Some(codec) => self.as_it_is(&contents, film, codec, &mut because)?,
            None => None,
        };
        let done = match done {
            Some(done) => done,
            None => {
                made_up = self.encoded(film, &source)?;
                Preparation::Encoded
            }
        };
        let video = if done == Preparation::AsItIs { source.clone() } else { self.result()? };
        let prepared = PreparedClip { version: prepared::VERSION, done, because, made_up, video, source };
        write(self.attempt, &self.task.outputs[1], &document(&prepared))
    }

    fn clip(&self) -> &ProjectPath {
        &self.task.inputs[0]
    }

    fn fault(&self, reason: String) -> ActionError {
        ActionError::Clip { clip: self.clip().clone(), reason }
    }

    /// What keeps the film from being played as it is, before that is tried.
    fn reasons_to_encode(&self, film: &Track) -> Vec<String> {
        let options = &self.transcode.clip;
        let mut because = fit::misfits(film, &self.wanted);
        if let Some(codec) = options.codec.filter(|codec| Some(*codec) != film.codec()) {
            because.push(format!("`[clip] codec` is `{}`", codec.word()));
        }
        let given = [
            ("bitrate", options.bitrate.is_some()),
            ("gop", options.gop.is_some()),
            ("b_frames", options.b_frames.is_some()),
        ];
        because.extend(
            given.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| format!("`[clip] {key}` is set")),
        );
        because
    }

    /// Plays the film without encoding, if that can be done; otherwise the reasons are added.
    fn as_it_is(
        &self,
        contents: &Contents,
        film: &Track,
        codec: Codec,
        because: &mut Vec<String>,
    ) -> Result<Option<Preparation>, ActionError> {
        let output = place(self.attempt, &self.task.outputs[0])?;
        let misfit = match fit::container_misfit(contents) {
            None => self.fault_of_loop(Value::Input(self.clip().clone()), film, codec)?,
            misfit => misfit,
        };
        let Some(misfit) = misfit else {
            let clip = self.attempt.layout.resolve(self.clip());
            // No link: the file may be the user's own, and is theirs to change.
            os::fs::place(&clip, &output, 0o644, os::fs::Linking::Never)?;
            return Ok(Some(Preparation::AsItIs));
        };
        because.push(misfit);
        if !fit::can_be_remuxed(film) {
            return Ok(None);
        }
        let remuxed = match self.remuxed(film, codec) {
            Err(ActionError::Session(SessionError::Failed(reason))) => Some(reason),
            Err(error) => return Err(error),
            Ok(()) => self.fault_of_loop(self.output(), film, codec)?,
        };
        let Some(fault) = remuxed else { return Ok(Some(Preparation::Remuxed)) };
        because.push(format!("in MP4: {fault}"));
        os::fs::remove(&output)?;
        Ok(None)
    }

    /// The first output as the value of a property.
    fn output(&self) -> Value {
        Value::Output(self.task.outputs[0].as_str().to_owned())
    }

    /// Reads a clip without decoding it.
    fn contents(&self, location: Value) -> Result<Contents, ActionError> {
        let source = Element::new(CLIP_SOURCE).set("location", location);
        let elements = vec![source, Element::new("fakesink").bool("sync", false)];
        heard(&self.play("clip/1", elements, Playback::Once)?, "clip-contents")
    }

    /// The video that was made.
    fn result(&self) -> Result<Video, ActionError> {
        let contents = self.contents(self.output())?;
        let film = contents.film().ok_or_else(|| self.fault("has no video any more".to_owned()))?;
        Ok(Video::of(&contents, film))
    }

    /// Why a file cannot be played again and again, as a run plays it.
    fn fault_of_loop(
        &self,
        location: Value,
        film: &Track,
        codec: Codec,
    ) -> Result<Option<String>, ActionError> {
        Ok(self.looped(location, film, codec)?.map_or_else(Some, |checked| checked.fault(film)))
    }

    /// Plays a file again, as a run does; `Err` within is the reason why it does not play.
    fn looped(
        &self,
        location: Value,
        film: &Track,
        codec: Codec,
    ) -> Result<std::result::Result<CheckedLoop, String>, ActionError> {
        let n_frames = i64::try_from(fit::check_frames(&film.times)).unwrap_or(i64::MAX);
        let mut elements = vec![Element::new("filesrc").set("location", location), Element::new("qtdemux")];
        elements.extend(dialect::clip_decoder(codec));
        elements.push(Element::new(CLIP_CHECK).int("frames", n_frames));
        elements.push(Element::new("fakesink").bool("sync", false));
        let said = match self.play("loop/1", elements, Playback::Loop) {
            Err(ActionError::Session(SessionError::Failed(reason))) => return Ok(Err(reason)),
            said => said?,
        };
        heard(&said, "clip-checked").map(Ok)
    }

    /// Refuses a result that is not what was encoded, or cannot be decoded to its end.
    fn verify(&self, expected: &Expected) -> Result<(), ActionError> {
        let refused = |reason: &str| self.fault(format!("cannot be transcoded: of the result, {reason}"));
        let contents = self.contents(self.output())?;
        let film = contents.film().ok_or_else(|| refused(&contents.without_film()))?;
        let fault = match expected.fault(film) {
            None => match self.looped(self.output(), film, expected.codec)? {
                Err(reason) => Some(reason),
                Ok(checked) if expected.is_even => checked.fault(film),
                Ok(checked) => checked.fault_of_frames(film),
            },
            fault => fault,
        };
        fault.map_or(Ok(()), |fault| Err(refused(&fault)))
    }

    /// Puts the film's frames into a container of their own.
    fn remuxed(&self, film: &Track, codec: Codec) -> Result<(), ActionError> {
        let source = Element::new(CLIP_SOURCE)
            .set("location", Value::Input(self.clip().clone()))
            .text("track", &film.id)
            .bool("packets", true);
        let mut elements = vec![source];
        elements.extend(encode::container(codec, 0 < film.coding.b_frames));
        self.write(elements, &mut |_, _| ()).map(drop)
    }

    /// Encodes the film. Returns what the camera has and the film has not.
    fn encoded(&self, film: &Track, source: &Video) -> Result<Vec<String>, ActionError> {
        let (clip, note) = (self.clip(), self.attempt.note);
        let mut elements = self.film_at_rate(film);
        let encoding = self.encoding(film, source);
        elements.extend(encode::elements(&encoding));
        if self.transcode.clip.encoder.is_some_and(Encoder::is_hardware) {
            note(&format!("note: `{}` encodes `{clip}`; `lp` was never tried with it", encoding.factory));
        }
        let mut pace = Pace::new(film.times.duration_ns(), self.frames_to_come(film));
        let mut on_frames = |at_ns, n_frames| (self.attempt.encoded)(pace.at(at_ns, n_frames));
        let said = match self.write(elements, &mut on_frames) {
            Err(ActionError::Session(SessionError::Failed(reason))) => {
                return Err(self.fault(format!("cannot be transcoded: {reason}")));
            }
            said => said?,
        };
        let decoded: Decoded = heard(&said, "clip-decoded")?;
        let Resampled { n_out, n_copies, .. } = heard(&said, "clip-resampled")?;
        match decoded.loss(&film.times) {
            Some(Loss::End(reason)) => return Err(self.fault(reason)),
            Some(Loss::Frames(reason)) => note(&format!("note: `{clip}` is damaged: {reason}")),
            None if 0 < n_copies => note(&format!(
                "note: {n_copies} of {n_out} frames of `{}` are copies: `{clip}` has {:.2} frames per second on average{}; \
                 with `drop_only = true` in `[clip]` none are made",
                self.task.outputs[0],
                decoded.times.rate(),
                decoded.times.pause().map_or(String::new(), |pause| format!(", and {pause}"))
            )),
            None => {}
        }
        let is_even = !self.transcode.drop_only;
        self.verify(&Expected { wanted: self.wanted, codec: encoding.codec, n_frames: n_out, is_even })?;
        let done = match self.transcode.clip.shape {
            Shape::Letterbox => Reshaping::Bars,
            Shape::Stretch => Reshaping::Stretch,
            Shape::Crop => Reshaping::Crop,
        };
        let mut made_up = fit::made_up(source, &self.wanted, n_copies, n_out);
        made_up.extend(reshaped(film, &self.wanted, done));
        Ok(made_up)
    }

    /// The codec and the bit rate of the film, unless others are asked for. Another codec
    /// needs other bits for the same picture, so its usual quality decides.
    fn encoding(&self, film: &Track, source: &Video) -> Encoding {
        let options = &self.transcode.clip;
        let near = RateControl::Bits(fit::bit_rate(source, &self.wanted));
        let own =
            film.codec().filter(|codec| *codec == Codec::H264 || self.has(encode::factory(*codec, near)));
        let named = options.encoder.map(Encoder::codec);
        let codec = options.codec.or(named).or(own).unwrap_or(Codec::H264);
        let rate = match options.bitrate {
            Some(bits) => RateControl::Bits(bits),
            None if Some(codec) == film.codec() => near,
            None => RateControl::Quality(false),
        };
        let first = encode::factory(codec, rate);
        let factory = match options.encoder {
            Some(encoder) => encoder.factory(),
            None if codec != Codec::H264 || self.has(first) => first,
            None => H264_ENCODERS.into_iter().find(|name| self.has(name)).unwrap_or(first),
        };
        Encoding {
            codec,
            factory,
            rate,
            gop: options.gop.unwrap_or(media::two_seconds(self.wanted.fps)),
            b_frames: options.b_frames.filter(|_| codec.has_b_frames()).unwrap_or(0),
        }
    }

    /// Whether the machine has an element.
    fn has(&self, factory: &str) -> bool {
        let machine = self.host.machine;
        machine.is_none_or(|machine| machine.factories.get(factory).is_none_or(Option::is_some))
    }

    /// A clip's video with the camera's size and rate.
    fn film_at_rate(&self, film: &Track) -> Vec<Element> {
        let Transcode { width, height, framerate, drop_only, .. } = self.transcode;
        let caps = format!("video/x-raw,format=I420,width={width},height={height},pixel-aspect-ratio=1/1");
        // Each field of an interlaced clip becomes a frame, if so many are needed.
        let fields = if film.times.rate() * 1.05 < self.wanted.fps { "all" } else { "top" };
        let location = Value::Input(self.clip().clone());
        let mut elements = vec![
            Element::new(CLIP_SOURCE).set("location", location).text("track", &film.id),
            // Does not change progressive frames. `linear` alone gives every field its
            // own frame and time; `yadif` and others lose some at both ends of a clip.
            Element::new("deinterlace").text("method", "linear").text("fields", fields),
            Element::new(FRAME_RATE).text("framerate", framerate).bool("drop-only", *drop_only),
            // Applies the clip's display matrix, if it has one.
            Element::new("videoflip").text("video-direction", "auto"),
            Element::new("videoconvert"),
        ];
        let shape = self.transcode.clip.shape;
        if shape == Shape::Crop {
            elements.push(Element::new(CROP).text("aspect-ratio", &format!("{width}/{height}")));
        }
        // Bars keep the shape of objects where the frames have other proportions.
        elements.push(Element::new("videoscale").bool("add-borders", shape == Shape::Letterbox));
        elements.push(Element::caps(&caps));
        elements
    }

    fn play(
        &self,
        stream: &str,
        elements: Vec<Element>,
        playback: Playback,
    ) -> Result<ElementReports, ActionError> {
        let output = place(self.attempt, &self.task.outputs[0])?;
        let reads = [self.attempt.layout.resolve(self.clip()), output];
        let reads = reads.into_iter().filter(|file| os::fs::is_file(file)).collect();
        let reach = Reach { reads, ..Reach::default() };
        media::play(self.host, stream, (elements, playback), &reach, self.attempt, &mut |_, _| ())
    }

    fn write(
        &self,
        elements: Vec<Element>,
        on_frames: &mut OnFrames<'_>,
    ) -> Result<ElementReports, ActionError> {
        media::write_clip(self.host, elements, self.task, self.attempt, on_frames)
    }

    /// About how many frames the clip will have.
    fn frames_to_come(&self, film: &Track) -> f64 {
        let at_rate = film.times.duration_ns() as f64 / 1e9 * self.wanted.fps;
        if self.transcode.drop_only { at_rate.min(film.times.n_frames as f64) } else { at_rate }
    }
}

/// From frames that an encoder is done with to how far it is. A container may add a few of its
/// own.
struct Pace {
    total_ms: u64,
    n_frames: f64,
    /// A time of the worker, and how much was done then.
    first: Option<(u64, u64)>,
}

impl Pace {
    fn new(total_ns: u64, n_frames: f64) -> Pace {
        Pace { total_ms: total_ns / 1_000_000, n_frames: n_frames.max(1.0), first: None }
    }

    fn at(&mut self, at_ns: u64, n_frames: u64) -> Encoded {
        let share = (n_frames as f64 / self.n_frames).min(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the total")]
        let done_ms = (self.total_ms as f64 * share) as u64;
        let (begin_ns, before_ms) = *self.first.get_or_insert((at_ns, done_ms));
        let took_ms = at_ns.saturating_sub(begin_ns) as f64 / 1e6;
        let speed = if took_ms > 0.0 { done_ms.saturating_sub(before_ms) as f64 / took_ms } else { 0.0 };
        Encoded { done_ms, total_ms: self.total_ms, speed: (speed * 10.0).round() / 10.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_worker() {
        let mut pace = Pace::new(60_000_000_000, 900.0);
        let mut at = |seconds: u64, n_frames| {
            let Encoded { done_ms, total_ms, speed } = pace.at(seconds * 1_000_000_000, n_frames);
            (done_ms, total_ms, speed)
        };
        assert_eq!(at(7, 15), (1_000, 60_000, 0.0));
        assert_eq!(at(9, 165), (11_000, 60_000, 5.0));
        // Also if the container has added something.
        assert_eq!(at(18, 903), (60_000, 60_000, 5.4));
        // A clip of one frame has a length of nothing.
        assert_eq!(Pace::new(0, 0.0).at(1, 1), Encoded { done_ms: 0, total_ms: 0, speed: 0.0 });
    }
}
