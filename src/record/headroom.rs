//! How far a stream was from failing: what is left of the allowances of its verdicts.
//!
//! An *allowance* is what a verdict lets a stream use up: the time until the deadline, frames
//! that are late, frames that are missing. What is *left* of it is 1 where nothing was used, 0
//! at the limit, and negative beyond it. The *headroom* of a stream is the least that is left
//! of any.
//!
//! It is measured at one load and says nothing about another: streams that share a machine
//! keep all of their headroom until its CPU is full, and then lose it together.
//!
//! Not here: how sure the figures are, which is in the verdicts themselves (`measure`).

use serde::{Deserialize, Serialize};

use super::measure::{HOLDS_DROPPED_PER_MILLE, HOLDS_FPS, OnTime, PERIODS, StreamFigures, number, rounded};
use super::{Member, RunRecord, StreamRecord};
use crate::stats;

/// What a verdict lets a stream use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// The time until the deadline, of which the frames that must be on time use the lateness
    /// of the last of them.
    Deadline,
    /// The frames that may be late or lost: all but `[verdict] on_time`.
    LateFrames,
    /// The lateness of a single frame: `[verdict] max_late`.
    LatestFrame,
    /// The delay of all frames: `[verdict] delay`.
    Delay,
    /// The frames per second that the target may lack.
    Rate,
    /// The frames that may be dropped.
    Drops,
}

/// How much of an allowance a stream used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    pub of: Allowance,
    /// Microseconds, or a share of the frames or of the target.
    pub used: f64,
    /// The limit, in the same unit.
    pub allowed: f64,
    /// `1 - used / allowed`
    pub left: f64,
}

/// The headroom of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headroom {
    /// The least that is left of any allowance.
    pub left: f64,
    /// The allowance of which so little is left.
    pub of: Allowance,
    /// All that are known, in the order of [`Allowance`].
    pub allowances: Vec<Used>,
}

impl Allowance {
    /// What is left of it, in words: `46 % of its time until the deadline`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Allowance::Deadline => "time until the deadline",
            Allowance::LateFrames => "allowance for late or lost frames",
            Allowance::LatestFrame => "allowance for a single late frame",
            Allowance::Delay => "allowance for delay",
            Allowance::Rate => "allowance for a rate below the target",
            Allowance::Drops => "allowance for dropped frames",
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Allowance::Deadline | Allowance::LatestFrame | Allowance::Delay)
    }
}

impl Used {
    fn of(of: Allowance, used: f64, allowed: f64) -> Option<Used> {
        let left = 1.0 - used.max(0.0) / allowed;
        (allowed > 0.0).then(|| Used {
            of,
            used: rounded(used.max(0.0)),
            allowed: rounded(allowed),
            left: rounded(left),
        })
    }

    /// `36 of 66.7 ms`, `0.2 of 1 %`
    #[must_use]
    pub fn words(&self) -> String {
        let (scale, unit) = if self.of.is_time() { (1e-3, "ms") } else { (100.0, "%") };
        let short = |value: f64| {
            number(match self.of.is_time() {
                true => (value * scale * 10.0).round() / 10.0,
                false => value * scale,
            })
        };
        format!("{} of {} {unit}", short(self.used), short(self.allowed))
    }
}

impl Headroom {
    /// The allowance of which the least is left.
    #[must_use]
    pub fn least(&self) -> Option<&Used> {
        self.allowances.iter().find(|used| used.of == self.of)
    }
}

/// The headroom of a stream of `member` that should have `target_fps`. `None` if it has no
/// window, or nothing was asked of it.
#[must_use]
pub fn headroom(
    record: &RunRecord,
    member: &Member,
    target_fps: f64,
    figures: &StreamFigures,
) -> Option<Headroom> {
    let stream = member.streams.iter().find(|stream| stream.stream == figures.stream)?;
    let limits = &record.conditions.limits;
    let fps = figures.fps.filter(|_| target_fps > 0.0 && figures.seconds_below.is_some())?;
    let late_share = 1.0 - limits.on_time;
    let by_deadline = figures.on_time.map(|on_time| {
        let max_late_us =
            limits.max_late_ms.saturating_mul(1_000).max(stats::periods_us(PERIODS, target_fps));
        let not_on_time = (on_time.judged - on_time.on_time) as f64 / on_time.judged.max(1) as f64;
        let lateness = lateness_us(stream, figures, &on_time, limits.on_time);
        [
            lateness.and_then(|us| Used::of(Allowance::Deadline, us as f64, on_time.deadline_us as f64)),
            Used::of(Allowance::LateFrames, not_on_time, late_share),
            Used::of(Allowance::LatestFrame, on_time.worst_us as f64, max_late_us as f64),
        ]
    });
    let delay = figures.delay_us.zip(limits.delay_ms);
    let delay = delay.and_then(|(us, most)| Used::of(Allowance::Delay, us as f64, most as f64 * 1e3));
    // A target below the camera's rate may lose the rest.
    let offered_fps = member.configured.as_ref().map_or(target_fps, |source| source.fps.max(target_fps));
    let may_drop = HOLDS_DROPPED_PER_MILLE as f64 / 1e3 + 1.0 - target_fps / offered_fps;
    let allowances: Vec<Used> = by_deadline
        .into_iter()
        .flatten()
        .chain([
            delay,
            Used::of(Allowance::Rate, 1.0 - fps / target_fps, 1.0 - HOLDS_FPS),
            figures.dropped_share.and_then(|share| Used::of(Allowance::Drops, share, may_drop)),
        ])
        .flatten()
        .collect();
    let least = allowances.iter().min_by(|a, b| a.left.total_cmp(&b.left))?;
    Some(Headroom { left: least.left, of: least.of, allowances })
}

/// The lateness that so great a share of the judged frames keeps, in microseconds beyond the
/// delay; nearest rank, and what is lost came last. `None` if that many did not come, and
/// for windows of which single frames are not known.
fn lateness_us(stream: &StreamRecord, figures: &StreamFigures, on_time: &OnTime, share: f64) -> Option<i64> {
    let delay_us = figures.delay_us?;
    let is_left_out =
        |at: u64| figures.left_out.iter().any(|span| (span.begin_us..span.end_us).contains(&at));
    let arrived = stream.arrived_us.iter().zip(&stream.late_us).filter(|(at, _)| !is_left_out(**at));
    let mut beyond: Vec<i64> = arrived.filter_map(|(_, late)| Some(late.as_ref()? - delay_us)).collect();
    beyond.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of frames")]
    let rank = (share * on_time.judged as f64).ceil() as usize;
    beyond.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::fixture::copies;
    use crate::record::measure::measure;

    /// A camera at 15 fps for 20 s after `change`.
    #[track_caller]
    fn check(fps: u64, change: impl FnOnce(&mut RunRecord), expect: Expect) {
        let mut record = copies(1, &[&[fps]], 0.3);
        change(&mut record);
        let figures = &measure(&record).cameras[0];
        let text = match headroom(&record, &record.members[0], figures.target_fps, &figures.streams[0]) {
            None => "none".to_owned(),
            Some(headroom) => {
                let used =
                    |one: &Used| format!("{:?} {}: {:.0} % left\n", one.of, one.words(), one.left * 100.0);
                let all: String = headroom.allowances.iter().map(used).collect();
                format!("{all}{:?}", headroom.of)
            }
        };
        expect.assert_eq(&text);
    }

    fn stream(record: &mut RunRecord) -> &mut StreamRecord {
        &mut record.members[0].streams[0]
    }

    #[test]
    fn nothing_is_used_by_a_stream_without_late_frames() {
        check(
            15,
            |_| {},
            expect![[r#"
            Deadline 0 of 66.7 ms: 100 % left
            LateFrames 0 of 1 %: 100 % left
            LatestFrame 0 of 500 ms: 100 % left
            Rate 0 of 0.5 %: 100 % left
            Drops 0 of 0.5 %: 100 % left
            Deadline"#]],
        );
    }

    #[test]
    fn the_time_until_the_deadline_is_that_of_the_frames_that_must_be_on_time() {
        // Of 300 frames 20 are 20 ms late, two 40 ms, and one 90 ms, after which one is 24 ms late.
        let late = |record: &mut RunRecord| {
            let stream = stream(record);
            let mut late = |n: usize, us: u64| {
                stream.arrived_us[n] += us;
                stream.late_us[n] = Some(us.cast_signed());
            };
            (0..20).for_each(|n| late(n * 14, 20_000));
            for (n, us) in [(1, 40_000), (100, 40_000), (200, 90_000), (201, 24_000)] {
                late(n, us);
            }
        };
        check(
            15,
            late,
            expect![[r#"
                Deadline 24 of 66.7 ms: 64 % left
                LateFrames 0.33 of 1 %: 67 % left
                LatestFrame 90 of 500 ms: 82 % left
                Rate 0 of 0.5 %: 100 % left
                Drops 0 of 0.5 %: 100 % left
                Deadline"#]],
        );
    }

    #[test]
    fn a_stream_beyond_its_limits_has_less_than_nothing_left() {
        check(
            13,
            |_| {},
            expect![[r#"
            LateFrames 13.33 of 1 %: -1233 % left
            LatestFrame 0 of 500 ms: 100 % left
            Rate 13.33 of 0.5 %: -2567 % left
            Drops 13.33 of 0.5 %: -2567 % left
            Rate"#]],
        );
    }

    #[test]
    fn a_delay_counts_if_it_has_a_limit() {
        let delay = |record: &mut RunRecord| {
            record.conditions.limits.delay_ms = Some(400);
            let stream = stream(record);
            stream.delay_us = Some(300_000);
            stream.late_us.fill(Some(300_000));
        };
        check(
            15,
            delay,
            expect![[r#"
            Deadline 0 of 66.7 ms: 100 % left
            LateFrames 0 of 1 %: 100 % left
            LatestFrame 0 of 500 ms: 100 % left
            Delay 300 of 400 ms: 25 % left
            Rate 0 of 0.5 %: 100 % left
            Drops 0 of 0.5 %: 100 % left
            Delay"#]],
        );
    }

    #[test]
    fn what_was_not_judged_has_no_headroom() {
        check(15, |record| stream(record).window_us = None, expect!["none"]);
        check(15, |record| record.conditions.pace = crate::record::Pace::Free, expect!["none"]);
    }
}
