//! Figures of a user's script, from its output in its window.
//!
//! A script *has* the frame rate of its slowest counter: the frames of its lines in
//! the window, over the time from the first of them to the last. Time in
//! between without frames counts, and so does what is missing at either end of
//! the window beyond the distance of two lines. Of frames,
//!
//! - counts (`fpsdisplaysink`) give those since the line before, and all that they
//!   show if they restarted in between;
//! - rates since the line before (`gvafpscounter`) give `rate * length`, if all of
//!   that time lies in the window;
//! - lines for `lp` give `rate * length`, where the length is the time since the line
//!   before was read, and their drops;
//! - rates since the begin (`gvafpscounter` with `interval` as average) give
//!   `rate * length` less that of the line before.
//!
//! A script that prints nothing is *not measured*, which is never zero. No rate is
//! derived from lines of an unknown counter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judge::{self, Counts, conclude};
use super::source::Demand;
use super::verdict::number;
use super::{Percentiles, Range, StreamFigures, Verdict, delay, fit, mixed, percentiles, rounded, share};
use crate::model::Scalar;
use crate::record::script::{ChannelLatencies, ElementRates, Meter, Rate, ScriptRecord, Unread};
use crate::record::{Member, Pace, RunRecord};
use crate::stats;
use crate::text::counted;

/// A hole between two lines of a counter that is more than rounding and reading.
const SLACK_US: u64 = 50_000;

/// Figures that only scripts have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptFigures {
    pub script: String,
    /// Its parameters, by name.
    pub parameters: BTreeMap<String, Scalar>,
    /// How it ended; `None` if it could not be started.
    pub exit: Option<String>,
    /// Whether it ended because it was asked to.
    pub asked_to_end: bool,
    /// The figures of each counter, by name.
    pub elements: Vec<ElementFigures>,
    /// Latencies of tracers, by source and sink.
    pub channels: Vec<ChannelFigures>,
}

/// A counter of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementFigures {
    /// Its name; `2 of 3` where it is not known.
    pub element: String,
    pub meter: Meter,
    /// Frames per second over `covered_us`; `None` where that is 0, or for `no_fps`.
    pub fps: Option<f64>,
    /// Why its lines give no rate, though a counter was there; the script is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_fps: Option<String>,
    /// The least and the greatest rate between two lines.
    pub fps_range: Option<Range>,
    /// The part of the window that `fps` is about: less one line at each end.
    pub covered_us: u64,
    /// The longest time without a line in the window.
    pub longest_gap_us: u64,
    /// Where that begins, since the begin of the window.
    pub gap_from_us: u64,
    /// How far its lines are apart, by their median.
    pub line_every_us: u64,
    /// Frames in that time; `None` for a meter that only gives rates.
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
    pub intervals: u64,
    /// The mean of their means; `None` without any.
    pub interval_mean_us: Option<u64>,
    /// Their largest; `None` without any.
    pub interval_max_us: Option<u32>,
}

/// The figures of a script.
pub(super) fn figures(record: &RunRecord, member: &Member, script: &ScriptRecord) -> StreamFigures {
    let (window, pace) = (script.window_us, record.conditions.pace);
    let elements: Vec<ElementFigures> =
        script.rates.iter().filter_map(|rates| Some(element(rates, window?, pace))).collect();
    let channels: Vec<ChannelFigures> = script.latencies.iter().map(channel).collect();
    let measured = || elements.iter().filter(|element| element.fps.is_some());
    let slowest = measured().min_by(|a, b| {
        let fps = |element: &ElementFigures| element.fps.unwrap_or(f64::INFINITY);
        fps(a).total_cmp(&fps(b))
    });
    let counted = measured().filter_map(|element| element.frames.zip(element.dropped));
    let counted =
        counted.reduce(|(frames, dropped), (f, d)| (frames.saturating_add(f), dropped.saturating_add(d)));
    let latency_us = channels.iter().filter_map(|channel| channel.latency_us).max_by_key(|l| l.p95);

    let no_fps = slowest.is_none().then(|| match (&script.failure, window) {
        (_, None) => "not measured: it had no window".to_owned(),
        (_, Some(_)) if elements.is_empty() => {
            "not measured: it printed no line `lp: fps=...` and none of `gvafpscounter` or `fpsdisplaysink` in its window"
                .to_owned()
        }
        (_, Some(_)) => without_rates(&elements)
            .unwrap_or_else(|| "not measured: none of its lines is about time within the window".to_owned()),
    });
    let all = judge(record, member, script, &elements, slowest, counted, no_fps.as_ref());
    let (verdict, reason, left_out) = fit::script(record, script, all);
    StreamFigures {
        stream: script.stream.clone(),
        workloads: script.workloads.clone(),
        verdict,
        reason,
        left_out,
        window_us: window.map(|(begin, end)| end.saturating_sub(begin)),
        fps: slowest.and_then(|element| element.fps),
        fps_range: slowest.and_then(|element| element.fps_range),
        fps_interval: None,
        frames: counted.map(|(frames, _)| frames),
        dropped: counted.map(|(_, dropped)| dropped),
        dropped_share: counted.and_then(|(frames, dropped)| share(dropped, frames.saturating_add(dropped))),
        notes: script.unread.iter().map(unread).collect(),
        latency_us,
        no_latency: latency_us.is_none().then(|| no_latency(&channels)),
        script: Some(ScriptFigures {
            script: script.script.clone(),
            parameters: script.parameters.clone(),
            exit: script.exit.as_ref().map(|exit| exit.how.clone()),
            asked_to_end: script.exit.as_ref().is_some_and(|exit| exit.asked),
            elements,
            channels,
        }),
        ..StreamFigures::default()
    }
}

fn judge(
    record: &RunRecord,
    member: &Member,
    script: &ScriptRecord,
    elements: &[ElementFigures],
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
    let without_rates = without_rates(elements);
    if record.conditions.pace == Pace::Free {
        let reason = record.interrupted.then(|| "interrupted before its end".to_owned());
        return (Verdict::NotJudged, reason.or(no_fps.cloned()).or(without_rates));
    }
    let slowest = slowest.and_then(|slowest| Some((slowest, slowest.fps?)));
    if slowest.is_none() && without_rates.is_none() {
        return (Verdict::NotJudged, no_fps.cloned());
    }
    let seconds = |us: u64| number(us as f64 / 1e6);
    let (measured, asked) = (end.saturating_sub(begin), record.conditions.duration_ms.saturating_mul(1000));
    let undecided = |reason: String| (Verdict::Undecided, Some(reason));
    if measured < asked {
        return undecided(format!("interrupted after {} s of {} s", seconds(measured), seconds(asked)));
    }
    if script.figures_left_out > 0 {
        return undecided(format!("it printed {} more figures than a record keeps", script.figures_left_out));
    }
    let Some((slowest, fps)) = slowest else { return (Verdict::Undecided, without_rates) };
    let asked = Demand::by_config(member);
    let (frames, dropped) = counted.unwrap_or((0, 0));
    let counts = Counts {
        fps,
        frames: fps * measured as f64 / 1e6,
        dropped,
        offered: frames.saturating_add(dropped),
        taken_out: 0,
        window_us: measured,
        asked: &asked,
    };
    let mut findings: Vec<(Verdict, String)> =
        without_rates.into_iter().map(|text| (Verdict::Undecided, text)).collect();
    findings.extend(judge::judge(&counts));
    let limit =
        |line_every_us: u64| delay::limit_us(delay::GAP_US, asked.fps).max(line_every_us.saturating_mul(2));
    let holes = elements.iter().filter(|element| element.no_fps.is_none());
    let holes = holes.filter(|element| element.longest_gap_us > limit(element.line_every_us));
    if let Some(worst) = holes.max_by_key(|element| element.longest_gap_us) {
        let hole = delay::no_frame("figure", worst.longest_gap_us, worst.gap_from_us);
        findings.push((Verdict::Undecided, hole));
    }
    if counted.is_none() && findings.is_empty() {
        if slowest.meter == Meter::Lp {
            return undecided("the rate holds, but its lines have no `dropped=`".to_owned());
        }
        let meter = slowest.meter.factory();
        return undecided(format!("the rate holds, but `{meter}` counts no dropped frames"));
    }
    conclude(findings, &counts)
}

/// Which counters have no rate, and why.
fn without_rates(elements: &[ElementFigures]) -> Option<String> {
    let reasons: Vec<&str> = elements.iter().filter_map(|element| element.no_fps.as_deref()).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Why the lines of a counter give no rate, if they do not.
fn no_rate(element: &ElementRates) -> Option<String> {
    if element.rates.is_empty() {
        return Some(format!("`{}` printed nothing in the window, though it did before", element.element));
    }
    let advice = match element.meter {
        Meter::FpsDisplaySink => "give their elements different names",
        Meter::Lp => "give each a `name=`",
        // No name in its lines is that of one program only.
        Meter::GvaFpsCounter => "start one program, or count with `fpsdisplaysink` in each",
    };
    mixed::are_mixed(&element.rates)
        .then(|| format!("the lines of two counters named `{}` are mixed: {advice}", element.element))
}

/// Frames between two lines, or in the time of one.
#[derive(Clone, Copy)]
struct Part {
    from_us: u64,
    to_us: u64,
    frames: f64,
    counted: Option<(f64, u64)>,
}

fn element(element: &ElementRates, (begin, end): (u64, u64), pace: Pace) -> ElementFigures {
    let mut parts: Vec<Part> = Vec::new();
    let mut before: Option<Rate> = None;
    let no_fps = no_rate(element);
    for rate in element.rates.iter().filter(|_| no_fps.is_none()) {
        parts.extend(part(before, *rate, begin));
        before = Some(*rate);
    }
    let at_us: Vec<u64> = element.rates.iter().map(Rate::at_us).collect();
    let mut apart: Vec<u64> = at_us.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    if element.meter == Meter::Lp {
        // Lines that were read at once share their time.
        apart.retain(|apart| *apart > 0);
    }
    apart.sort_unstable();
    let line_every_us = stats::percentile(&apart, 50).unwrap_or(0);
    // Borders of the window fall between lines. What is missing beyond that is time
    // without frames; a script that is played freely has its start and its end in there.
    let span = parts.first().zip(parts.last()).map(|(first, last)| match pace {
        Pace::Live => (
            first.from_us.min(begin.saturating_add(line_every_us)),
            last.to_us.max(end.saturating_sub(line_every_us)),
        ),
        Pace::Free => (first.from_us, last.to_us),
    });
    let covered_us = span.map_or(0, |(from, to)| to.saturating_sub(from).saturating_sub(slack_us(&parts)));
    let frames: f64 = parts.iter().map(|part| part.frames).sum();
    let fps = (covered_us > 0).then(|| frames * 1e6 / covered_us as f64);
    let rate = |part: &Part| part.frames * 1e6 / part.to_us.saturating_sub(part.from_us).max(1) as f64;
    // Two lines that were read at once have no time between them.
    let rates: Vec<f64> = parts.iter().filter(|part| part.from_us < part.to_us).map(rate).collect();
    let counted = parts.iter().filter_map(|part| part.counted);
    let counted = counted.reduce(|(frames, dropped), (f, d)| (frames + f, dropped.saturating_add(d)));
    let seconds = |at_us: u64| rounded(at_us.saturating_sub(begin) as f64 / 1e6);
    let (gap_from_us, longest_gap_us) = delay::longest_gap_us(&at_us, (begin, end));
    ElementFigures {
        element: element.element.clone(),
        meter: element.meter,
        fps: fps.map(rounded),
        no_fps,
        fps_range: Range::of(&rates),
        covered_us,
        longest_gap_us,
        gap_from_us,
        line_every_us,
        frames: counted.map(|(frames, _)| count(frames)),
        dropped: counted.map(|(_, dropped)| dropped),
        points: parts
            .iter()
            .filter(|part| part.from_us < part.to_us)
            .map(|part| (seconds(part.to_us), rounded(rate(part))))
            .collect(),
    }
}

/// A number of frames; a line of `lp: fps=` may tell of a fraction of one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of frames")]
fn count(frames: f64) -> u64 {
    frames.round() as u64
}

/// Time between the lines of a counter that no line covers, though nothing was
/// missed: seconds are printed with two decimals, and a line is read a little after
/// it is printed. Time that is missed shows as a hole of more than [`SLACK_US`] for
/// which no later line makes up by being about time before.
fn slack_us(parts: &[Part]) -> u64 {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return 0 };
    let told = parts.iter().map(|part| part.to_us.saturating_sub(part.from_us)).fold(0, u64::saturating_add);
    let untold = last.to_us.saturating_sub(first.from_us).saturating_sub(told);
    let missed = parts.windows(2).fold(0_u64, |missed, pair| {
        let (to, from) = (pair[0].to_us, pair[1].from_us);
        let hole = from.saturating_sub(to);
        let missed = if SLACK_US < hole { missed.saturating_add(hole) } else { missed };
        // A line that was read late is followed by one that covers time before it.
        match missed.saturating_sub(to.saturating_sub(from)) {
            rest if from < to && rest < SLACK_US => 0,
            rest => rest,
        }
    });
    untold.saturating_sub(missed)
}

/// The frames of a line in the time before it; `None` if that began before the
/// window.
fn part(before: Option<Rate>, rate: Rate, begin: u64) -> Option<Part> {
    let frames = |fps: f64, over_us: u64| fps * over_us as f64 / 1e6;
    let to_us = rate.at_us();
    let since = |from: u64, frames: f64| Part { from_us: from, to_us, frames, counted: None };
    // The whole time that the line is about, which is that of its counter's life for
    // one that counts from the begin.
    let whole = |fps: f64, over_us: u64| {
        let from = to_us.checked_sub(over_us).filter(|from| begin <= *from)?;
        Some(since(from, frames(fps, over_us)))
    };
    match (before, rate) {
        (_, Rate::Last { over_us, fps, .. }) => whole(fps, over_us),
        (_, Rate::Own { over_us, fps, dropped, .. }) => {
            let part = whole(fps, over_us)?;
            Some(Part { counted: dropped.map(|dropped| (part.frames, dropped)), ..part })
        }
        (
            Some(Rate::Begin { at_us: from, over_us: over_before, fps: fps_before }),
            Rate::Begin { over_us, fps, .. },
        ) if over_before < over_us => {
            let frames = frames(fps, over_us) - frames(fps_before, over_before);
            Some(since(from, frames.max(0.0)))
        }
        (_, Rate::Begin { over_us, fps, .. }) => whole(fps, over_us),
        (
            Some(Rate::Count { at_us: from, rendered: rendered_before, dropped: dropped_before }),
            Rate::Count { rendered, dropped, .. },
        ) if from < to_us => {
            // Fewer than before: it restarted, so all that it shows is new.
            let is_new = rendered < rendered_before || dropped < dropped_before;
            let (rendered_before, dropped_before) =
                if is_new { (0, 0) } else { (rendered_before, dropped_before) };
            let (rendered, dropped) = (rendered - rendered_before, dropped - dropped_before);
            Some(Part { counted: Some((rendered as f64, dropped)), ..since(from, rendered as f64) })
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
        interval_max_us: intervals.iter().filter_map(|interval| interval.max_us).max(),
    }
}

fn no_latency(channels: &[ChannelFigures]) -> String {
    let worst =
        channels.iter().filter_map(|channel| Some((channel.interval_mean_us?, channel.interval_max_us)));
    match worst.max() {
        Some((mean, Some(max))) => format!(
            "only intervals were traced, which have no percentiles: mean {:.1} ms, at most {:.1} ms",
            mean as f64 / 1e3,
            f64::from(max) / 1e3
        ),
        Some((mean, None)) => {
            format!("its lines have only means, and so no percentiles: mean {:.1} ms", mean as f64 / 1e3)
        }
        None => "not measured: it printed no line of a latency tracer in its window".to_owned(),
    }
}

/// The remark about lines for `lp` that could not be read.
fn unread(unread: &Unread) -> String {
    let lines = counted(unread.lines, "line");
    format!("{lines} for `lp` could not be read, the first because {}", unread.first)
}
