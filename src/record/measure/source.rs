//! Compares the delivery of a source with its config, and finds the rate that the
//! machine has to keep.
//!
//! Only a camera (RTSP, USB) can give something else than configured, and a clip that
//! was left with too few frames (`clip.drop_only`): other files and scenes are made to
//! measure. Where it does, the stream never holds unless
//! `[camera.NAME] accept` takes the difference, and the machine is judged by what
//! came, so that it is never called slow for frames that it did not get.

use super::connection;
use super::verdict::{HOLDS_DROPPED_PER_MILLE, HOLDS_FPS, Verdict, number};
use crate::record::{
    Accept, Codec, Delivery, Member, Outage, SourceConfig, SourceKind, StreamRecord, VideoFormat,
};

/// A rate above this share of the configured one is another rate.
pub const MORE_FPS: f64 = 1.02;

/// A clock that drifts by so many millionths is worth a remark: it loses 9 s a day.
const MUCH_DRIFT_PPM: f64 = 100.0;

/// The rate that the machine has to keep.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Demand {
    /// Frames per second that must arrive.
    pub(super) fps: f64,
    /// Those of the source, of which `fps` may be a part.
    pub(super) of: f64,
    /// Whether `fps` is the delivered rate, and not that of the config.
    pub(super) is_of_source: bool,
}

impl Demand {
    /// The demand where nothing is known of the source: of scripts, and of older
    /// records.
    pub(super) fn by_config(member: &Member) -> Demand {
        let fps = member.target_fps;
        let of = member.configured.as_ref().map_or(fps, |configured| configured.fps.max(fps));
        Demand { fps, of, is_of_source: false }
    }

    /// The share of frames that the target may lose.
    pub(super) fn may_lose(&self) -> f64 {
        if self.of > 0.0 { (1.0 - self.fps / self.of).max(0.0) } else { 0.0 }
    }
}

/// A stream's source as it was configured and as it was.
pub(super) struct Source<'a> {
    member: &'a Member,
    /// The config and what was delivered, of a camera where both are known.
    camera: Option<(&'a SourceConfig, &'a Delivery)>,
    /// The same of a clip that has too few frames.
    sparse_clip: Option<(&'a SourceConfig, &'a Delivery)>,
    /// Frames that it delivered, if they were counted.
    delivered: Option<u64>,
    damaged: u64,
    /// Frames that arrived, were dropped or taken out, or were damaged.
    offered: u64,
    decoded: u64,
    window_us: u64,
    /// Times without a connection that are in the window, at least in part.
    n_outages: usize,
}

impl<'a> Source<'a> {
    pub(super) fn of(member: &'a Member, stream: &'a StreamRecord) -> Source<'a> {
        let delivery = stream.delivery.as_ref();
        let is_camera =
            |configured: &&SourceConfig| matches!(configured.source, SourceKind::Rtsp | SourceKind::Usb);
        let damaged = delivery.map_or(0, |delivery| delivery.damaged);
        let known = member.configured.as_ref().zip(delivery);
        Source {
            member,
            camera: known.filter(|(configured, _)| is_camera(configured)),
            sparse_clip: known.filter(|(configured, delivery)| is_sparse_clip(configured, delivery, stream)),
            delivered: delivery.and_then(|delivery| delivery.frames),
            damaged,
            offered: [stream.dropped, stream.taken_out, damaged]
                .into_iter()
                .fold(stream.n_frames(), u64::saturating_add),
            decoded: stream.decoded,
            window_us: stream.window_us.map_or(0, |(begin, end)| end.saturating_sub(begin)),
            n_outages: stream.window_us.map_or(0, |window| {
                let all = delivery.map_or(&[][..], |delivery| &delivery.reconnects);
                all.iter().filter(|outage| is_within(outage, window)).count()
            }),
        }
    }

    fn rate(&self, frames: u64) -> f64 {
        frames as f64 * 1e6 / self.window_us.max(1) as f64
    }

    /// The config and what was delivered, where the rate may be another one.
    fn rated(&self) -> Option<(&'a SourceConfig, &'a Delivery)> {
        self.camera.or(self.sparse_clip)
    }

    /// Frames of a camera or a sparse clip, if they were counted.
    fn frames(&self) -> Option<u64> {
        self.rated()?.1.frames
    }

    /// Frames that the `videorate` after it let through, which thins them out.
    fn let_by(&self) -> Option<u64> {
        let (_, delivery) = self.rated()?;
        Some(delivery.frames?.saturating_sub(delivery.thinned))
    }

    /// Whether it may deliver other frames than those of the configured rate.
    pub(super) fn is_rated(&self) -> bool {
        self.rated().is_some()
    }

    /// Frames that it delivered in the window, if they were counted.
    pub(super) fn n_delivered(&self) -> Option<u64> {
        self.delivered
    }

    /// Frames that it delivered and that had not arrived when the window ended, beyond
    /// those that were on their way when it began.
    pub(super) fn n_underway(&self) -> usize {
        let underway = self.let_by().unwrap_or(0).saturating_sub(self.offered);
        usize::try_from(underway).unwrap_or(usize::MAX)
    }

    fn accepts(&self, what: Accept) -> bool {
        self.rated().is_some_and(|(configured, _)| configured.accept.contains(&what))
    }

    /// Its rate where that is not the configured one. A frame more or less is what
    /// the borders of the window make.
    fn other_rate(&self) -> Option<f64> {
        let ((configured, _), frames) = (self.rated()?, self.frames()?);
        let is_less = self.rate(frames.saturating_add(1)) < HOLDS_FPS * configured.fps;
        let is_more = self.rate(frames.saturating_sub(1)) > MORE_FPS * configured.fps;
        (is_less || is_more).then(|| self.rate(frames))
    }

    fn has_much_damage(&self) -> bool {
        self.damaged as f64 * 1000.0 > HOLDS_DROPPED_PER_MILLE as f64 * self.offered as f64
    }

    /// The share of incomplete frames of a camera, and whether it is large.
    fn lack(&self) -> Option<(bool, String)> {
        let (_, delivery) = self.camera?;
        let (lacking, frames) = (delivery.incomplete, delivery.frames.unwrap_or(0));
        let is_much = lacking as f64 * 1000.0 > HOLDS_DROPPED_PER_MILLE as f64 * frames as f64;
        let lack = if lacking == 1 { "lacks" } else { "lack" };
        let text =
            format!("{lacking} of {frames} frames {lack} packets that had not come when later ones did");
        (lacking > 0).then_some((is_much, text))
    }

    /// The rate that the machine has to keep: the target, or the delivered rate if that
    /// is less; where any rate is accepted and the target is all of it, the delivered rate.
    pub(super) fn asked(&self) -> Demand {
        let by_config = Demand::by_config(self.member);
        let damaged = if self.has_much_damage() { self.damaged } else { 0 };
        let rate = self.other_rate();
        let whole = match (rate, self.let_by()) {
            (Some(_), Some(frames)) => self.rate(frames.saturating_sub(damaged)),
            _ if damaged > 0 => (by_config.of - self.rate(damaged)).max(0.0),
            _ => return by_config,
        };
        let takes_all = self.accepts(Accept::Rate) && by_config.fps >= by_config.of;
        let fps = if takes_all && rate.is_some() { whole } else { by_config.fps.min(whole) };
        Demand { fps, of: whole.max(fps), is_of_source: whole < by_config.fps || takes_all }
    }

    /// The rate that the camera has to hold instead of its target: the delivered rate, if
    /// it may deliver at any rate and does.
    pub(super) fn accepted_fps(&self) -> Option<f64> {
        let is_accepted = self.accepts(Accept::Rate) && self.other_rate().is_some();
        is_accepted.then(|| self.asked().fps)
    }

    /// The longest time without a frame from a camera.
    pub(super) fn longest_gap_us(&self) -> Option<u64> {
        self.camera?.1.longest_gap_us
    }

    /// Where a camera differs from its config.
    fn differences(&self) -> Vec<(Accept, String)> {
        let Some((configured, delivery)) = self.rated() else { return Vec::new() };
        let what = if self.camera.is_some() { "the camera delivers" } else { "the clip has" };
        let rate = self.other_rate();
        let rate = rate.map(|rate| format!("{what} {} of {} fps", number(rate), number(configured.fps)));
        if self.camera.is_none() {
            return rate.map(|text| (Accept::Rate, text)).into_iter().collect();
        }
        let all = [
            (Accept::Rate, rate),
            (Accept::Size, size(configured, &delivery.video)),
            (Accept::Codec, codec(configured, &delivery.video)),
        ];
        all.into_iter().filter_map(|(what, text)| Some((what, text?))).collect()
    }

    /// Where it differs from the config and that is not accepted, and what of it was
    /// damaged. `gap_limit_us`: so long may a camera pause.
    pub(super) fn findings(&self, gap_limit_us: u64) -> Vec<(Verdict, String)> {
        let mut all = self.differences();
        let pause = self.longest_gap_us().filter(|gap| *gap > gap_limit_us);
        let pause = pause.map(|gap| format!("no frame came from the camera for {}", seconds(gap)));
        all.retain(|(what, _)| !self.accepts(*what));
        let mut texts: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
        // No rate has a pause of more than its limit.
        texts.extend(pause);
        if self.n_outages > 0 {
            texts.push(format!("its connection was lost {}", connection::times(self.n_outages)));
        }
        if self.has_much_damage() {
            let share = self.damaged as f64 * 100.0 / self.offered as f64;
            texts.push(format!("{} damaged frames are {share:.2} % of all", self.damaged));
        }
        texts.extend(self.lack().filter(|(is_much, _)| *is_much).map(|(_, text)| text));
        texts.into_iter().map(|text| (Verdict::Undecided, text)).collect()
    }

    /// Remarks about a stream, also if it holds.
    pub(super) fn notes(&self) -> Vec<String> {
        let accepted = self.differences().into_iter().filter(|(what, _)| self.accepts(*what));
        let mut notes: Vec<String> =
            accepted.map(|(_, text)| format!("{text}, which `accept` allows")).collect();
        notes.extend(self.lack().filter(|(is_much, _)| !is_much).map(|(_, text)| text));
        if let Some((_, delivery)) = self.camera {
            notes.extend(connection::words(delivery));
        }
        let drift_ppm = self.camera.and_then(|(_, delivery)| delivery.drift_ppm);
        let drift = drift_ppm.filter(|ppm| ppm.abs() >= MUCH_DRIFT_PPM).map(drift);
        notes.extend(drift.map(|text| format!("{text}, which lateness leaves out")));
        let frames = self.camera.and_then(|_| self.let_by()).unwrap_or(0);
        let lost = frames.saturating_sub(self.damaged).saturating_sub(self.decoded);
        // The borders of the window account for some that are on their way.
        if lost > 2 && lost as f64 * 1000.0 > (HOLDS_DROPPED_PER_MILLE * 2) as f64 * frames as f64 {
            notes.push(format!("frames that came and did not leave the decoder: {lost}"));
        }
        notes
    }
}

/// Whether any of it is in the window.
fn is_within(outage: &Outage, (begin_us, end_us): (u64, u64)) -> bool {
    outage.lost_us < end_us && outage.back_us.is_none_or(|back_us| begin_us < back_us)
}

/// `the camera's clock is 48 ppm slower than the machine's`
#[must_use]
pub fn drift(ppm: f64) -> String {
    let than = if ppm < 0.0 { "slower" } else { "faster" };
    format!("the camera's clock is {:.0} ppm {than} than the machine's", ppm.abs())
}

/// Whether a clip lacks frames: more than late ones, and the time after the last
/// one, account for. A machine that is too slow holds up the file, too, but that
/// makes frames late.
fn is_sparse_clip(configured: &SourceConfig, delivery: &Delivery, stream: &StreamRecord) -> bool {
    let latest = match &stream.long {
        None => stream.late_us.iter().flatten().max().copied(),
        Some(long) => long.late_us.percentile(100),
    };
    let known = (delivery.frames, stream.window_us, stream.ends_us(), latest);
    let (Some(frames), Some((begin, end)), Some((_, last)), Some(latest)) = known else { return false };
    let late_us = u64::try_from(latest).unwrap_or(0).saturating_add(end.saturating_sub(last));
    let due = |us: u64| configured.fps * us as f64 / 1e6;
    let missing = due(end.saturating_sub(begin)) - frames as f64;
    configured.source == SourceKind::File && missing > due(late_us) + 2.0
}

/// `9.1 s`
pub(super) fn seconds(us: u64) -> String {
    format!("{:.1} s", us as f64 / 1e6)
}

/// The fault in the size of its frames, if there is one.
fn size(configured: &SourceConfig, video: &[VideoFormat]) -> Option<String> {
    let text = |(width, height): (u32, u32)| format!("{width}x{height}");
    let asked = (configured.width, configured.height);
    let mut sizes: Vec<(u32, u32)> = video.iter().map(|format| (format.width, format.height)).collect();
    // Caps may have no size.
    sizes.retain(|size| *size != (0, 0));
    sizes.dedup();
    match sizes.as_slice() {
        [] => None,
        [one] if *one == asked => None,
        [one] => Some(format!("the camera delivers {}, not {}", text(*one), text(asked))),
        all => {
            let all: Vec<String> = all.iter().copied().map(text).collect();
            let (all, asked) = (all.join(", then "), text(asked));
            Some(format!("the camera changed its size in mid-run: {all} ({asked} configured)"))
        }
    }
}

/// The fault in its encoding, if there is one.
fn codec(configured: &SourceConfig, video: &[VideoFormat]) -> Option<String> {
    let asked = match configured.codec? {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
        Codec::Mjpeg => "JPEG",
        Codec::Vp9 => "VP9",
        Codec::Av1 => "AV1",
    };
    let other = video.iter().filter_map(|format| format.codec.as_deref()).find(|codec| *codec != asked)?;
    Some(format!("the camera delivers {other}, not {asked}"))
}
