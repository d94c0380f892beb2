//! The deadline verdict: the share of frames that came on time.
//!
//! After the scenario *ConstantStream* of MLPerf Automotive: frames are due one period
//! after another, and a frame that comes after its deadline is lost for the user, whether
//! it comes later or not at all. A frame is *on time* if it comes at most `[verdict]
//! deadline` after the moment when it was due and the stream's constant delay.
//!
//! Judged are the frames whose fate is known:
//!
//! - those that arrived in the window, on time or late;
//! - those that queues or QoS dropped, and those of a file or a scene that never came,
//!   which show as holes between the times at which frames were due;
//! - those that had not come when the window ended, though their deadline was before: a
//!   stall that lasts to the end, or beyond it, counts.
//!
//! Not judged: frames that a camera did not send, and frames that steps take out.
//!
//! The share of all frames that the stream would have on time lies above a bound with
//! 95 % confidence (Clopper-Pearson, one-sided). Late frames come in bursts, so there are
//! fewer independent ones than frames; see [`stats::design_effect`].

use serde::{Deserialize, Serialize};

use super::delay::limit_us;
use super::kept::Kept;
use super::source::{Demand, Source, seconds};
use super::verdict::{TOO_SHORT, Verdict, number};
use crate::record::long::{self, LongWindow};
use crate::record::{Deadline, Limits, StreamRecord};
use crate::stats;
use crate::text::counted;

/// The confidence of verdicts.
pub const CONFIDENCE: f64 = 0.95;

/// No more time than this is asked for.
const LONGEST_S: f64 = 7_200.0;

/// A share is far below its limit if it is lower by so many times what the limit lets be
/// late: below 90 % for 99 %.
const FAR_BELOW: f64 = 9.0;

/// A share on time below this is far below its limit.
pub(super) fn far_below(limit: f64) -> f64 {
    limit - (FAR_BELOW * (1.0 - limit)).min(limit / 2.0)
}

/// Frames on time, in the part of a window that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnTime {
    /// Frames whose fate is known.
    pub judged: u64,
    /// Those of them that came on time.
    pub on_time: u64,
    /// Those that came too late, or had not come when the window ended.
    pub late: u64,
    /// Those that were dropped, or never came.
    pub lost: u64,
    /// `on_time / judged`.
    pub share: f64,
    /// The share is at least this, with a confidence of 95 %.
    pub at_least: f64,
    /// The share is at most this, with a confidence of 95 %.
    pub at_most: f64,
    /// So many frames count as one independent one.
    pub design_effect: f64,
    /// How much later than its delay a frame is on time, in microseconds.
    pub deadline_us: u64,
    /// The lateness of the worst frame beyond the delay, in microseconds.
    pub worst_us: i64,
    /// Frames that were later than `[verdict] max_late`.
    pub too_late: u64,
}

/// A stream by its deadlines.
pub(super) struct Frames<'a> {
    pub(super) stream: &'a StreamRecord,
    pub(super) source: &'a Source<'a>,
    pub(super) asked: &'a Demand,
    pub(super) limits: &'a Limits,
    pub(super) delay_us: i64,
}

/// The fates of frames in the order in which they were due.
#[derive(Default)]
struct Fates {
    is_late: Vec<bool>,
    /// Lost frames that are not among them, since no hole shows their place.
    n_unplaced: u64,
    n_late: u64,
    n_lost: u64,
    n_too_late: u64,
    worst_us: Option<i64>,
}

/// Frames that are missing between two others: the place in the order of those, the
/// number, and when the first of them should have come.
struct Hole {
    before: usize,
    n: u64,
    at_us: i64,
}

impl Frames<'_> {
    /// How much later than its delay a frame is on time, in microseconds.
    fn deadline_us(&self) -> u64 {
        match self.limits.deadline {
            Deadline::Periods(periods) => stats::periods_us(periods, self.asked.fps),
            Deadline::Millis(ms) => ms.saturating_mul(1_000),
        }
    }

    /// The lateness beyond the delay with which a frame alone fails, in microseconds.
    fn max_late_us(&self) -> u64 {
        limit_us(self.limits.max_late_ms.saturating_mul(1_000), self.asked.fps)
    }

    /// `None` if no frame was due at a time.
    pub(super) fn on_time(&self, kept: &Kept) -> Option<OnTime> {
        let Fates { mut is_late, n_unplaced, n_late, n_lost, n_too_late, worst_us } = self.fates(kept);
        // Where lost frames have no place, each bound takes the worse one: one burst, or none.
        let spread = stats::design_effect(&is_late);
        is_late.extend((0..n_unplaced).map(|_| true));
        let judged = is_late.len() as u64;
        let bad = n_late + n_lost;
        let share = super::share(judged - bad, judged)?;
        let effect = stats::design_effect(&is_late);
        let at_least = stats::at_least_share_of(&is_late, CONFIDENCE);
        let at_most = at_most_share(judged, bad, spread);
        Some(OnTime {
            judged,
            on_time: judged - bad,
            late: n_late,
            lost: n_lost,
            share,
            at_least: super::rounded(at_least),
            at_most: super::rounded(at_most),
            design_effect: super::rounded(effect),
            deadline_us: self.deadline_us(),
            worst_us: worst_us?,
            too_late: n_too_late,
        })
    }

    fn fates(&self, kept: &Kept) -> Fates {
        if let Some(rows) = &self.stream.long {
            return self.fates_in(rows, kept);
        }
        let arrived = self.stream.arrived_us.iter().zip(&self.stream.late_us);
        // When each frame should have come, and by how much it came later.
        let frames: Vec<(i64, Option<i64>)> = arrived
            .map(|(at, late)| {
                let beyond = late.map(|late| late.saturating_sub(self.delay_us));
                (at.cast_signed().saturating_sub(beyond.unwrap_or(0)), beyond)
            })
            .collect();
        let holes = self.holes(&frames);
        let last_us = frames.iter().rev().find_map(|(at_us, beyond)| beyond.and(Some(*at_us)));
        let overdue = self.overdue(kept, last_us);
        let lost = self.lost(Some(&holes), frames.len() as u64, &overdue);
        let (deadline_us, max_late_us) = (self.deadline_us(), self.max_late_us());
        let mut fates = Fates::default();
        let mut lost_left = lost;
        let mut holes = holes.into_iter().peekable();
        for (index, (at_us, beyond)) in frames.iter().enumerate() {
            while let Some(hole) = holes.next_if(|hole| hole.before <= index) {
                let n = hole.n.min(lost_left);
                lost_left -= n;
                if kept.has(hole.at_us) {
                    fates.lost(n);
                }
            }
            if let Some(beyond) = beyond.filter(|_| kept.has(*at_us)) {
                fates.came(beyond, deadline_us, max_late_us);
            }
        }
        (fates.n_unplaced, fates.n_lost) = (lost_left, fates.n_lost + lost_left);
        for late_us in overdue {
            fates.came(late_us, deadline_us, max_late_us);
        }
        fates
    }

    /// The fates of the frames of a window that is longer than an hour. Within a row, frames
    /// that were late or dropped are taken to follow each other, the worst order for a bound;
    /// the number of late ones is that of the rows where these count by the deadline, else
    /// that of the histogram, which has no place for them.
    fn fates_in(&self, rows: &LongWindow, kept: &Kept) -> Fates {
        let beyond = |us: u64| i64::try_from(us).unwrap_or(i64::MAX).saturating_add(self.delay_us);
        let (deadline_us, max_late_us) = (self.deadline_us(), self.max_late_us());
        let counted = long::PERIODS.iter().position(|n| n * rows.period_us == deadline_us);
        let counted = counted.filter(|_| rows.delay_us.max(0) == self.delay_us);
        let overdue = self.overdue(kept, rows.last_us.map(u64::cast_signed));
        let n_lost = self.lost(None, rows.frames, &overdue);
        let (mut lost_left, mut n_late) = (n_lost, 0);
        let mut is_late = Vec::new();
        for row in &rows.rows {
            let late = counted.map_or(0, |index| row.late[index].min(row.frames));
            let dropped = lost_left.min(row.dropped.into());
            lost_left -= dropped;
            n_late += u64::from(late);
            is_late.extend((0..dropped + u64::from(late)).map(|_| true));
            is_late.extend((late..row.frames).map(|_| false));
        }
        let unplaced = if counted.is_some() { 0 } else { rows.late_us.n_above(beyond(deadline_us)) };
        // They are among the frames already.
        is_late.truncate(is_late.len().saturating_sub(usize::try_from(unplaced).unwrap_or(usize::MAX)));
        let mut fates = Fates {
            is_late,
            n_unplaced: unplaced + lost_left,
            n_late: n_late + unplaced,
            n_lost,
            n_too_late: rows.late_us.n_above(beyond(max_late_us)),
            worst_us: rows.late_us.percentile(100).map(|us| us.saturating_sub(self.delay_us)),
        };
        overdue.into_iter().for_each(|late_us| fates.came(late_us, deadline_us, max_late_us));
        fates
    }

    /// Holes between the times at which the frames should have come.
    fn holes(&self, frames: &[(i64, Option<i64>)]) -> Vec<Hole> {
        let period_us = 1e6 / self.asked.of;
        let mut holes = Vec::new();
        let mut last: Option<(usize, i64)> = None;
        for (index, (at_us, _)) in frames.iter().enumerate().filter(|(_, (_, beyond))| beyond.is_some()) {
            if let Some((before, last_us)) = last {
                let periods = (at_us.saturating_sub(last_us) as f64 / period_us).round();
                // Frames of unknown lateness came in between.
                let missing = periods - (index - before) as f64;
                if missing >= 1.0 && missing.is_finite() {
                    let at_us = last_us.saturating_add(period_us as i64);
                    holes.push(Hole { before: index, n: missing as u64, at_us });
                }
            }
            last = Some((index, *at_us));
        }
        holes
    }

    /// Frames that should have come and did not come at all, beyond those that the target
    /// may lose. Without `holes`, all that the source delivered and that did not arrive.
    fn lost(&self, holes: Option<&[Hole]>, n_arrived: u64, overdue: &[i64]) -> u64 {
        let in_holes: u64 = holes.map_or(u64::MAX, |holes| holes.iter().map(|hole| hole.n).sum());
        let damaged = self.stream.delivery.as_ref().map_or(0, |delivery| delivery.damaged);
        let is_whole = !self.source.is_rated() && self.stream.taken_out == 0 && damaged == 0;
        let dropped = match self.stream.after_us {
            // Those that a queue drops at the end are taken for overdue ones.
            None if !self.source.is_rated() => self.stream.dropped.saturating_sub(overdue.len() as u64),
            _ => self.stream.dropped,
        };
        // Where nothing else explains holes, they are lost frames, but for those that the
        // source did not deliver: of a file, frames that the decoder swallowed.
        let vanished = self.source.n_delivered().map(|n| n.saturating_sub(n_arrived));
        let swallowed = match (holes, vanished) {
            (None, None) => 0,
            (_, vanished) => in_holes.min(vanished.unwrap_or(u64::MAX)),
        };
        let lost = if is_whole { dropped.max(swallowed) } else { dropped };
        let may_lose = self.asked.may_lose() * (n_arrived.saturating_add(lost)) as f64;
        lost.saturating_sub(may_lose.ceil() as u64)
    }

    /// How late those frames are at least whose deadline has passed when the window ends;
    /// the last frame that came was due at `last_us`.
    fn overdue(&self, kept: &Kept, last_us: Option<i64>) -> Vec<i64> {
        let (begin, end) = kept.window();
        let (begin, end) = (begin.cast_signed(), end.cast_signed());
        let period_us = (1e6 / self.asked.fps).min(i64::MAX as f64 / 4.0) as i64;
        let Some(last_us) = last_us else { return Vec::new() };
        let after = self.stream.after_us.and_then(|(at, late)| {
            let beyond = late?.saturating_sub(self.delay_us);
            Some((at.cast_signed().saturating_sub(beyond), beyond))
        });
        let mut next = after.map_or(last_us.saturating_add(period_us), |(at_us, _)| at_us).max(begin);
        let deadline_us = i64::try_from(self.deadline_us()).unwrap_or(i64::MAX);
        let mut overdue = Vec::new();
        while next.saturating_add(deadline_us) < end {
            if kept.has(next) {
                overdue.push(end - next);
            }
            next = next.saturating_add(period_us.max(1));
        }
        // It was late by more than what the end of the window shows.
        if let Some(((_, beyond), first)) = after.zip(overdue.first_mut()) {
            *first = beyond.max(*first);
        }
        // A camera may not have sent more than those that are on their way.
        if self.source.is_rated() {
            overdue.truncate(self.source.n_underway().max(usize::from(after.is_some())));
        }
        overdue
    }

    /// The findings against holding; `n_due` frames a second should come.
    pub(super) fn findings(&self, on_time: &OnTime) -> Vec<(Verdict, String)> {
        let mut findings = Vec::new();
        let limit = self.limits.on_time;
        // Cut: a share below the limit never looks like the limit. To the millionth, it is no fraction less.
        let percent = |share: f64| format!("{} %", number(((share * 1e6).round() / 1e2).floor() / 1e2));
        if self.is_refuted(on_time) {
            let text = format!("{} on time is less than {}", percent(on_time.share), percent(limit));
            findings.push((Verdict::DoesNotHold, text));
        } else if on_time.at_least < limit {
            let needs = self.needs(on_time);
            let text = match on_time.judged - on_time.on_time {
                0 => format!("{TOO_SHORT}, {needs}"),
                _ => {
                    format!("{} on time may be less than {}, {needs}", percent(on_time.share), percent(limit))
                }
            };
            findings.push((Verdict::Undecided, text));
        }
        if on_time.too_late > 0 {
            let came = counted(usize::try_from(on_time.too_late).unwrap_or(usize::MAX), "frame");
            let (limit, worst) = (seconds(self.max_late_us()), seconds(on_time.worst_us.unsigned_abs()));
            let text = format!("{came} came more than {limit} late, the worst {worst}");
            findings.push((Verdict::DoesNotHold, text));
        }
        let delay_us = self.delay_us.unsigned_abs();
        if let Some(limit_ms) = self.limits.delay_ms.filter(|ms| ms.saturating_mul(1_000) < delay_us) {
            let (delay, limit) = (number(delay_us as f64 / 1e3), limit_ms);
            findings.push((Verdict::DoesNotHold, format!("its delay of {delay} ms is more than {limit} ms")));
        }
        findings
    }

    /// Whether too few frames were on time: so few that their bound is below the limit, or
    /// far fewer. One long burst says little about the time after it, so it has no useful
    /// bound, but a window of which a tenth is late is no good one.
    fn is_refuted(&self, on_time: &OnTime) -> bool {
        let (limit, bad) = (self.limits.on_time, on_time.judged - on_time.on_time);
        let is_far_below = on_time.share < far_below(limit);
        on_time.at_most < limit || (is_far_below && at_most_share(on_time.judged, bad, 1.0) < limit)
    }

    /// `needs 20 s at 15 fps`: the window that would decide, were its frames like these.
    fn needs(&self, on_time: &OnTime) -> String {
        let OnTime { judged, design_effect: effect, .. } = *on_time;
        let (limit, bad) = (self.limits.on_time, judged - on_time.on_time);
        let most = (LONGEST_S * self.asked.fps) as u64;
        let frames = stats::frames_to_show(limit, bad, judged, effect, CONFIDENCE).or_else(|| {
            let times = (0..).map(|power| 1_u64 << power).take_while(|times| judged * times <= most);
            let refutes = |times: &u64| at_most_share(judged * times, bad * times, effect) < limit;
            times.filter(|_| on_time.share < limit).find(refutes).map(|times| judged * times)
        });
        match frames.filter(|frames| *frames <= most) {
            None => format!("needs more than {} h", LONGEST_S / 3_600.0),
            Some(frames) => {
                let seconds = (frames as f64 / self.asked.fps).ceil();
                let needed = match seconds {
                    ..180.0 => format!("{seconds} s"),
                    _ => format!("{} min", (seconds / 60.0).ceil()),
                };
                format!("needs {needed} at {} fps", number(self.asked.fps))
            }
        }
    }
}

impl Fates {
    fn lost(&mut self, n: u64) {
        self.n_lost += n;
        self.is_late.extend((0..n).map(|_| true));
    }

    fn came(&mut self, beyond_us: i64, deadline_us: u64, max_late_us: u64) {
        let is_beyond = |limit: u64| i64::try_from(limit).is_ok_and(|limit| beyond_us > limit);
        self.is_late.push(is_beyond(deadline_us));
        self.n_late += u64::from(is_beyond(deadline_us));
        self.n_too_late += u64::from(is_beyond(max_late_us));
        self.worst_us = self.worst_us.max(Some(beyond_us));
    }
}

/// The upper bound of the share of good frames with a confidence of 95 %, where `bad` of
/// `n` frames are not good and `effect` frames count as one.
fn at_most_share(n: u64, bad: u64, effect: f64) -> f64 {
    let independent = |frames: u64| (frames as f64 / effect).floor() as u64;
    1.0 - stats::at_least_share(independent(bad), independent(n).max(1), CONFIDENCE)
}
