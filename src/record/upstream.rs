//! The verdict of upstream's density search on the same frames, and in which words it
//! reports them.
//!
//! Upstream is the search of Intel's performance-tools (`9d6925e`, read from its source, not
//! run): a number of lanes passes if the mean rate of each stream is at least 95 % of its
//! target, over 100 rows of about a second; numbers are tried from 1 upwards, and the first
//! that fails twice ends it. A row is a whole second of the window here, so a second without
//! frames counts as 0.
//!
//! It looks at no single frame: neither at late nor at dropped ones, and not at what disturbed
//! the machine. Not here: what `lp` says (`measure`, `density_figures`).

use serde::{Deserialize, Serialize};

use super::density::{DensityRecord, Unit};
use super::density_figures::{DensityFigures, percent};
use super::measure::{Measurement, StreamFigures, rounded};
use crate::search::State;
use crate::stats;

/// A stream passes with this share of its target: `PASS_TOLERANCE_RATIO`.
pub const TOLERANCE: f64 = 0.95;
/// With fewer rows of a stream, upstream goes on measuring.
pub const LEAST_ROWS: usize = 100;

/// What upstream's variables set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpstreamRule {
    /// `TARGET_FPS`, the target of every stream; `None` = that of its camera.
    pub target_fps: Option<f64>,
}

/// Upstream's verdict on a number of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamVerdict {
    Passes,
    Fails,
    /// A stream has no rate, which upstream takes for a failure.
    Missing,
}

/// The rates of a stream by whole seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStream {
    pub stream: String,
    pub camera: String,
    pub workloads: Vec<String>,
    pub target_fps: f64,
    /// [`TOLERANCE`] of it.
    pub threshold_fps: f64,
    /// `None` without a whole second.
    pub average: Option<f64>,
    /// Nearest rank.
    pub p10: Option<f64>,
    pub p90: Option<f64>,
    pub seconds: usize,
    /// Those of them with fewer frames than the threshold.
    pub seconds_below: usize,
}

/// A number of lanes by upstream's rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamSetting {
    pub lanes: u32,
    pub verdict: UpstreamVerdict,
    /// Whether a stream has fewer than [`LEAST_ROWS`] seconds.
    pub is_short: bool,
    /// The stream with the least share of its target.
    pub weakest: Option<UpstreamStream>,
}

/// What upstream's rule says about a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    pub rule: UpstreamRule,
    /// The most lanes that pass, below the fewest that fail.
    pub lanes: u32,
    /// The fewest lanes that fail; `None` if none did. Upstream would have tried every number
    /// between both.
    pub fails: Option<u32>,
    /// In the order of the record.
    pub settings: Vec<UpstreamSetting>,
    /// The settings on which `lp` says something else, in words.
    pub differs: Vec<String>,
}

impl UpstreamStream {
    /// The mean rate as a share of the target.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        self.average.filter(|_| self.target_fps > 0.0).map(|average| average / self.target_fps)
    }

    fn passes(&self) -> Option<bool> {
        self.average.map(|average| average >= self.threshold_fps)
    }

    fn of(camera: &str, target_fps: f64, stream: &StreamFigures) -> UpstreamStream {
        let threshold_fps = TOLERANCE * target_fps;
        let mut rates: Vec<f64> = stream.seconds.iter().map(|second| f64::from(second.frames)).collect();
        rates.sort_by(f64::total_cmp);
        let average = (!rates.is_empty()).then(|| rounded(rates.iter().sum::<f64>() / rates.len() as f64));
        UpstreamStream {
            stream: stream.stream.clone(),
            camera: camera.to_owned(),
            workloads: stream.workloads.clone(),
            target_fps,
            threshold_fps: rounded(threshold_fps),
            average,
            p10: stats::percentile(&rates, 10),
            p90: stats::percentile(&rates, 90),
            seconds: rates.len(),
            seconds_below: rates.iter().filter(|rate| **rate < threshold_fps).count(),
        }
    }
}

impl Upstream {
    /// The number of lanes, if every number up to the first that fails was measured.
    #[must_use]
    pub fn exact(&self) -> Option<u32> {
        self.fails.filter(|fails| *fails == self.lanes + 1).map(|_| self.lanes)
    }
}

/// The rates of all streams of a run, copies too; scripts have none by seconds.
#[must_use]
pub fn streams(measurement: &Measurement, rule: &UpstreamRule) -> Vec<UpstreamStream> {
    let of_cameras = measurement.cameras.iter().flat_map(|camera| {
        let target_fps = rule.target_fps.unwrap_or(camera.target_fps);
        let streams = camera.streams.iter().filter(|stream| stream.script.is_none());
        streams.map(move |stream| UpstreamStream::of(&camera.camera, target_fps, stream))
    });
    of_cameras.collect()
}

/// The stream with the least share of its target; one without a rate has none.
#[must_use]
pub fn weakest(streams: &[UpstreamStream]) -> Option<&UpstreamStream> {
    let share = |stream: &UpstreamStream| stream.share().unwrap_or(0.0);
    streams.iter().min_by(|a, b| share(a).total_cmp(&share(b)))
}

/// Judges so many lanes by upstream's rule.
#[must_use]
pub fn judge(lanes: u32, measurement: &Measurement, rule: &UpstreamRule) -> UpstreamSetting {
    let streams = streams(measurement, rule);
    let passes: Option<Vec<bool>> = streams.iter().map(UpstreamStream::passes).collect();
    let verdict = match passes {
        None => UpstreamVerdict::Missing,
        Some(all) if all.iter().all(|passes| *passes) => UpstreamVerdict::Passes,
        Some(_) => UpstreamVerdict::Fails,
    };
    UpstreamSetting {
        lanes,
        verdict,
        is_short: streams.iter().any(|stream| stream.seconds < LEAST_ROWS),
        weakest: weakest(&streams).cloned(),
    }
}

/// What upstream's rule says about the settings of a search.
#[must_use]
pub fn upstream(record: &DensityRecord, figures: &DensityFigures, rule: &UpstreamRule) -> Upstream {
    let measured = record.settings.iter().zip(&figures.measured);
    let settings: Vec<UpstreamSetting> =
        measured.map(|(one, measurement)| judge(one.lanes, measurement, rule)).collect();
    // A number fails only if it fails again.
    let passes =
        |lanes: u32| settings.iter().any(|one| one.lanes == lanes && one.verdict == UpstreamVerdict::Passes);
    let fails = settings.iter().map(|one| one.lanes).filter(|lanes| !passes(*lanes)).min();
    let below = |lanes: &u32| fails.is_none_or(|fails| *lanes < fails);
    let lanes = settings.iter().map(|one| one.lanes).filter(|lanes| passes(*lanes)).filter(below).max();
    let differs = record.settings.iter().zip(&settings).enumerate();
    let differs = differs.filter_map(|(n, (ours, theirs))| {
        // Of equal numbers, the last.
        if record.settings[n + 1..].iter().any(|later| later.lanes == ours.lanes) {
            return None;
        }
        let reason = ours.reason.as_deref().unwrap_or("not known why");
        difference(record.unit, ours.state, reason, theirs)
    });
    Upstream { rule: *rule, lanes: lanes.unwrap_or(0), fails, differs: differs.collect(), settings }
}

/// Where the two rules differ on a setting, in words.
fn difference(unit: Unit, ours: State, reason: &str, theirs: &UpstreamSetting) -> Option<String> {
    let noun = if unit == Unit::Lane { "lane" } else { "copy" };
    let lanes = crate::text::counted(theirs.lanes, noun);
    let lowest = theirs.weakest.as_ref().and_then(|one| {
        let share = percent(one.share()?);
        Some(format!("the lowest mean, of {}, is {share} of its target", one.stream))
    });
    let lowest = lowest.unwrap_or_else(|| "a stream has no rate".to_owned());
    match (ours, theirs.verdict) {
        (State::Fails, UpstreamVerdict::Passes) => {
            Some(format!("{lanes}: upstream passes, since {lowest}; `lp`: {reason}"))
        }
        (State::Holds, UpstreamVerdict::Fails | UpstreamVerdict::Missing) => {
            Some(format!("{lanes}: upstream fails, since {lowest}; `lp`: every stream holds"))
        }
        (State::Broken, UpstreamVerdict::Passes | UpstreamVerdict::Fails) => {
            Some(format!("{lanes}: upstream goes by the means alone, and {lowest}; `lp`: {reason}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::density::DensityRecord;
    use crate::record::density_figures::figures;
    use crate::record::fixture::density::{broken, late, search, setting, slow, three_lanes};
    use crate::record::fixture::{S, copies};
    use crate::record::measure::measure;
    use crate::search::Goal;

    const SPAN: (u64, u64) = (0, 30);

    #[track_caller]
    fn check(record: &DensityRecord, rule: UpstreamRule, expect: Expect) {
        let upstream = upstream(record, &figures(record), &rule);
        let verdict = |one: &UpstreamSetting| format!("{} {:?}", one.lanes, one.verdict);
        let mut text = upstream.settings.iter().map(verdict).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "\n{} lanes, fails {:?}, exact {:?}",
            upstream.lanes,
            upstream.fails,
            upstream.exact()
        ));
        upstream.differs.iter().for_each(|one| text.push_str(&format!("\n{one}")));
        expect.assert_eq(&text);
    }

    #[test]
    fn late_frames_do_not_count() {
        check(
            &three_lanes(),
            UpstreamRule::default(),
            expect![[r#"
                1 Passes, 2 Passes, 4 Passes, 3 Passes, 3 Passes, 4 Passes
                4 lanes, fails None, exact None
                4 lanes: upstream passes, since the lowest mean, of camera-1/1, is 100 % of its target; `lp`: camera-2-l4/1: 97 % on time is less than 99 %"#]],
        );
    }

    #[test]
    fn a_mean_below_95_percent_fails() {
        // 14 of 15 fps are 93.3 %.
        let settings = vec![setting(1, Goal::Confirm, SPAN), slow(2, Goal::Explore, SPAN, 14)];
        check(
            &search(settings),
            UpstreamRule::default(),
            expect![[r#"
            1 Passes, 2 Fails
            1 lanes, fails Some(2), exact Some(1)"#]],
        );
        let settings = vec![slow(1, Goal::Explore, SPAN, 14), late(2, Goal::Explore, SPAN, 50)];
        check(
            &search(settings.clone()),
            UpstreamRule { target_fps: Some(14.0) },
            expect![[r#"
                1 Passes, 2 Passes
                2 lanes, fails None, exact None
                1 lane: upstream passes, since the lowest mean, of camera-2/1, is 100 % of its target; `lp`: camera-2/1: 14.00 fps is less than 98 % of 15; 6.67 % dropped is more than 2 %; 93.33 % on time is less than 99 %
                2 lanes: upstream passes, since the lowest mean, of camera-1/1, is 107.1 % of its target; `lp`: camera-2-l2/1: 50.33 % on time is less than 99 %"#]],
        );
        check(
            &search(settings),
            UpstreamRule { target_fps: Some(20.0) },
            expect![[r#"
            1 Fails, 2 Fails
            0 lanes, fails Some(1), exact Some(0)"#]],
        );
    }

    #[test]
    fn a_camera_that_is_dead_a_second_in_20_passes() {
        let mut record = copies(1, &[&[15]], 0.3);
        let stream = &mut record.members[0].streams[0];
        let (begin, _) = stream.window_us.unwrap();
        let dead = begin + 5 * S..begin + 6 * S;
        let kept: Vec<(u64, Option<i64>)> =
            stream.arrived_us.iter().copied().zip(stream.late_us.clone()).collect();
        let kept = kept.into_iter().filter(|(at, _)| !dead.contains(at));
        (stream.arrived_us, stream.late_us) = kept.unzip();
        stream.latency_us.truncate(stream.arrived_us.len());
        let setting = judge(1, &measure(&record), &UpstreamRule::default());
        assert_eq!(setting.verdict, UpstreamVerdict::Passes);
        let weakest = setting.weakest.unwrap();
        assert_eq!((weakest.average, weakest.p10, weakest.p90), (Some(14.25), Some(15.0), Some(15.0)));
        assert_eq!((weakest.seconds, weakest.seconds_below), (20, 1));
        assert!(setting.is_short);
    }

    #[test]
    fn a_number_that_passes_once_does_not_fail() {
        let settings = vec![
            setting(1, Goal::Explore, SPAN),
            slow(2, Goal::Explore, SPAN, 10),
            setting(2, Goal::Confirm, SPAN),
            slow(8, Goal::Explore, SPAN, 10),
        ];
        check(
            &search(settings),
            UpstreamRule::default(),
            expect![[r#"
            1 Passes, 2 Fails, 2 Passes, 8 Fails
            2 lanes, fails Some(8), exact None"#]],
        );
    }

    #[test]
    fn a_stream_without_a_rate_fails() {
        let mut setting = broken(1, SPAN);
        setting.record.members[1].streams[0].window_us = None;
        check(
            &search(vec![setting]),
            UpstreamRule::default(),
            expect![[r#"
            1 Missing
            0 lanes, fails Some(1), exact Some(0)"#]],
        );
    }
}
