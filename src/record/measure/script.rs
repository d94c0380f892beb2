//! Figures of a user's script, from what it printed in its window.
//!
//! A script *has* the frame rate of its slowest counter. A counter's rate is
//! frames over time between its first and last line in the window, as far as
//! they tell it:
//!
//! - counts (`fpsdisplaysink`): frames between two lines over the time between
//!   their being read;
//! - rates since the line before (`gvafpscounter`): their mean weighted by their
//!   lengths, over lines whose time lies in the window wholly;
//! - rates since the begin (`gvafpscounter` with `interval` as average): frames
//!   `rate * length` of a line less those of the line before it.
//!
//! Nothing printed is *not measured*, which is never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::{self, number};
use super::{Interval, Percentiles, StreamFigures, Verdict, percentiles, rounded, share};
use crate::config::project::Scalar;
use crate::record::script::{ChannelLatencies, ElementRates, Meter, Rate, ScriptRecord};
use crate::record::{Member, Pace, RunRecord};
use crate::stats::{self, NoInterval};

/// Of a window, so much may be outside of what a counter's lines tell: borders
/// of the window fall between lines, which come every second or so.
const MAY_BE_UNCOVERED_US: u64 = 2_500_000;

/// What only a script's figures have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptFigures {
    /// Its file.
    pub script: String,
    /// What it was given.
    pub parameters: BTreeMap<String, Scalar>,
    /// How it ended; `None` if it could not be started.
    pub exit: Option<String>,
    /// Whether it ended because it was asked to.
    pub asked_to_end: bool,
    /// What each counter said, by name.
    pub elements: Vec<ElementFigures>,
    /// What tracers said, by source and sink.
    pub channels: Vec<ChannelFigures>,
}

/// A counter of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementFigures {
    /// Its name; `2 of 3` where it is not known.
    pub element: String,
    /// What it is.
    pub meter: Meter,
    /// Frames per second over `covered_us`; `None` where that is 0.
    pub fps: Option<f64>,
    /// The 95 % interval of `fps`.
    pub fps_interval: Option<Interval>,
    /// Why there is no interval.
    pub no_interval: Option<String>,
    /// The part of the window that its lines tell of.
    pub covered_us: u64,
    /// Frames in that time; `None` for a meter that only tells rates.
    pub frames: Option<u64>,
    /// Frames dropped in that time; `None` for a meter that counts none.
    pub dropped: Option<u64>,
    /// Seconds since the begin of the window, and frames per second.
    pub points: Vec<(f64, f64)>,
}

/// Latencies between two elements of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelFigures {
    /// The element that frames leave.
    pub source: Option<String>,
    /// The element that they arrive at.
    pub sink: Option<String>,
    /// Lines about single frames.
    pub frames: u64,
    /// Over those frames; `None` without any.
    pub latency_us: Option<Percentiles>,
    /// Lines about intervals.
    pub intervals: u64,
    /// The mean of their means; `None` without any.
    pub interval_mean_us: Option<u64>,
    /// Their largest; `None` without any.
    pub interval_max_us: Option<u32>,
}

/// The figures of a script.
pub(super) fn figures(record: &RunRecord, member: &Member, script: &ScriptRecord) -> StreamFigures {
    let window = script.window_us;
    let elements: Vec<ElementFigures> =
        script.rates.iter().filter_map(|rates| Some(element(rates, window?))).collect();
    let channels: Vec<ChannelFigures> = script.latencies.iter().map(channel).collect();
    let measured = || elements.iter().filter(|element| element.fps.is_some());
    let slowest = measured().min_by(|a, b| {
        let fps = |element: &ElementFigures| element.fps.unwrap_or(f64::INFINITY);
        fps(a).total_cmp(&fps(b))
    });
    let counted = measured().filter_map(|element| element.frames.zip(element.dropped));
    let counted = counted.reduce(|(frames, dropped), (f, d)| (frames + f, dropped + d));
    let latency_us = channels.iter().filter_map(|channel| channel.latency_us).max_by_key(|l| l.p95);

    let no_fps = slowest.is_none().then(|| match (&script.failure, window) {
        (_, None) => "not measured: it had no window".to_owned(),
        (_, Some(_)) if elements.is_empty() => {
            "not measured: it printed no line of `gvafpscounter` or `fpsdisplaysink` in its window".to_owned()
        }
        (_, Some(_)) => "not measured: its lines tell no time that lies in the window".to_owned(),
    });
    let (verdict, reason) = judge(record, member, script, slowest, counted, no_fps.as_ref());
    StreamFigures {
        stream: script.stream.clone(),
        workloads: script.workloads.clone(),
        verdict,
        reason,
        window_us: window.map(|(begin, end)| end - begin),
        fps: slowest.and_then(|element| element.fps),
        fps_interval: slowest.and_then(|element| element.fps_interval),
        no_interval: slowest.and_then(|element| element.no_interval.clone()).or_else(|| no_fps.clone()),
        frames: counted.map(|(frames, _)| frames),
        dropped: counted.map(|(_, dropped)| dropped),
        dropped_share: counted.and_then(|(frames, dropped)| share(dropped, frames + dropped)),
        latency_us,
        no_latency: latency_us.is_none().then(|| no_latency(&channels)),
        frames_without_latency: 0,
        seconds: Vec::new(),
        script: Some(ScriptFigures {
            script: script.script.clone(),
            parameters: script.parameters.clone(),
            exit: script.exit.as_ref().map(|exit| exit.how.clone()),
            asked_to_end: script.exit.as_ref().is_some_and(|exit| exit.asked),
            elements,
            channels,
        }),
    }
}

fn judge(
    record: &RunRecord,
    member: &Member,
    script: &ScriptRecord,
    slowest: Option<&ElementFigures>,
    counted: Option<(u64, u64)>,
    no_fps: Option<&String>,
) -> (Verdict, Option<String>) {
    if let Some(failure) = &script.failure {
        return (Verdict::Failed, Some(failure.clone()));
    }
    if let Some(reason) = record.unreliable() {
        return (Verdict::Undecided, Some(reason));
    }
    let Some((begin, end)) = script.window_us else {
        return (Verdict::Undecided, Some("stopped before its window began".to_owned()));
    };
    if record.conditions.pace == Pace::Free {
        let reason = record.interrupted.then(|| "interrupted before its end".to_owned());
        return (Verdict::NotJudged, reason.or(no_fps.cloned()));
    }
    let Some((slowest, fps)) = slowest.and_then(|slowest| Some((slowest, slowest.fps?))) else {
        return (Verdict::NotJudged, no_fps.cloned());
    };
    let seconds = |us: u64| number(us as f64 / 1e6);
    let (measured, asked) = (end - begin, record.conditions.duration_ms * 1000);
    let undecided = |reason: String| (Verdict::Undecided, Some(reason));
    if measured < asked {
        return undecided(format!("interrupted after {} s of {} s", seconds(measured), seconds(asked)));
    }
    if script.figures_left_out > 0 {
        return undecided(format!("it printed {} more figures than a record keeps", script.figures_left_out));
    }
    if slowest.covered_us + MAY_BE_UNCOVERED_US.max(measured / 10) < measured {
        let (covered, whole) = (seconds(slowest.covered_us), seconds(measured));
        return undecided(format!("its figures tell of {covered} s of a window of {whole} s"));
    }
    match counted {
        Some((frames, dropped)) => verdict::judge(fps, member.target_fps, dropped, frames + dropped),
        None => match verdict::judge(fps, member.target_fps, 0, 0) {
            (Verdict::Holds, _) => undecided(format!(
                "the rate holds, but `{}` counts no dropped frames",
                slowest.meter.factory()
            )),
            other => other,
        },
    }
}

/// Frames between two lines, or in the time of one.
#[derive(Clone, Copy)]
struct Part {
    at_us: u64,
    over_us: u64,
    frames: f64,
    counted: Option<(u64, u64)>,
}

fn element(element: &ElementRates, (begin, _): (u64, u64)) -> ElementFigures {
    let mut parts: Vec<Part> = Vec::new();
    let mut before: Option<Rate> = None;
    for rate in &element.rates {
        parts.extend(part(before, *rate, begin));
        before = Some(*rate);
    }
    let covered_us: u64 = parts.iter().map(|part| part.over_us).sum();
    let frames: f64 = parts.iter().map(|part| part.frames).sum();
    let fps = (covered_us > 0).then(|| frames * 1e6 / covered_us as f64);
    let rate = |part: &Part| part.frames * 1e6 / part.over_us as f64;
    let rates: Vec<f64> = parts.iter().map(rate).collect();
    let (fps_interval, no_interval) = match (fps, stats::half_width95(&rates)) {
        (None, _) => (None, None),
        (Some(fps), Ok(half)) => (Some(Interval::around(fps, half, f64::INFINITY)), None),
        (Some(_), Err(NoInterval::TooFew { found })) => {
            (None, Some(format!("too few lines ({found} of at least {})", stats::MIN_SECONDS)))
        }
        (Some(_), Err(reason)) => (None, Some(reason.to_string())),
    };
    let counted = parts.iter().filter_map(|part| part.counted);
    let counted = counted.reduce(|(frames, dropped), (f, d)| (frames + f, dropped + d));
    let seconds = |at_us: u64| rounded(at_us.saturating_sub(begin) as f64 / 1e6);
    ElementFigures {
        element: element.element.clone(),
        meter: element.meter,
        fps: fps.map(rounded),
        fps_interval,
        no_interval,
        covered_us,
        frames: counted.map(|(frames, _)| frames),
        dropped: counted.map(|(_, dropped)| dropped),
        points: parts.iter().map(|part| (seconds(part.at_us), rounded(rate(part)))).collect(),
    }
}

/// What a line tells of the time before it; `None` if that began before the
/// window, or an element began anew in between.
fn part(before: Option<Rate>, rate: Rate, begin: u64) -> Option<Part> {
    let frames = |fps: f64, over_us: u64| fps * over_us as f64 / 1e6;
    match (before, rate) {
        (_, Rate::Last { at_us, over_us, fps }) => {
            let inside = at_us.checked_sub(over_us).is_some_and(|from| begin <= from);
            inside.then(|| Part { at_us, over_us, frames: frames(fps, over_us), counted: None })
        }
        (
            Some(Rate::Begin { over_us: over_before, fps: fps_before, .. }),
            Rate::Begin { at_us, over_us, fps },
        ) if over_before < over_us => {
            let frames = frames(fps, over_us) - frames(fps_before, over_before);
            Some(Part { at_us, over_us: over_us - over_before, frames: frames.max(0.0), counted: None })
        }
        // The counter's whole life lies in the window.
        (_, Rate::Begin { at_us, over_us, fps }) => {
            let inside = at_us.checked_sub(over_us).is_some_and(|from| begin <= from);
            inside.then(|| Part { at_us, over_us, frames: frames(fps, over_us), counted: None })
        }
        (
            Some(Rate::Count { at_us: from, rendered: rendered_before, dropped: dropped_before }),
            Rate::Count { at_us, rendered, dropped },
        ) if from < at_us => {
            let rendered = rendered.checked_sub(rendered_before)?;
            let dropped = dropped.checked_sub(dropped_before)?;
            let counted = Some((rendered, dropped));
            Some(Part { at_us, over_us: at_us - from, frames: rendered as f64, counted })
        }
        (_, Rate::Count { .. }) => None,
    }
}

fn channel(channel: &ChannelLatencies) -> ChannelFigures {
    let latency_us: Vec<Option<u32>> = channel.latency_us.iter().copied().map(Some).collect();
    let intervals = &channel.intervals;
    let sum: u64 = intervals.iter().map(|interval| u64::from(interval.mean_us)).sum();
    ChannelFigures {
        source: channel.source.clone(),
        sink: channel.sink.clone(),
        frames: latency_us.len() as u64,
        latency_us: percentiles(&latency_us),
        intervals: intervals.len() as u64,
        interval_mean_us: sum.checked_div(intervals.len() as u64),
        interval_max_us: intervals.iter().map(|interval| interval.max_us).max(),
    }
}

fn no_latency(channels: &[ChannelFigures]) -> String {
    let worst = channels.iter().filter_map(|channel| channel.interval_mean_us.zip(channel.interval_max_us));
    match worst.max() {
        Some((mean, max)) => format!(
            "only intervals were traced, which have no percentiles: mean {:.1} ms, at most {:.1} ms",
            mean as f64 / 1e3,
            f64::from(max) / 1e3
        ),
        None => "not measured: it printed no line of a latency tracer in its window".to_owned(),
    }
}
