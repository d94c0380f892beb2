//! Did the detectors of a stream work, or was it fast because they saw nothing?
//!
//! The record has what each detector saw and, if the clip's truth or an earlier run tells, what it
//! had to see. A part of the clip with something to see is *due* once for each pass in which
//! at least [`LEAST_FRAMES`] frames of it arrived in the window, [`MARGIN_MS`] from its borders; so a
//! short window, a quiet part of the clip and dropped frames accuse nobody. It was seen if a sighting
//! overlaps it, of the same code where there are codes. A detector was blind if
//!
//! - nothing was seen in the window, though something was due (after an earlier run: twice);
//! - [`LEAST_DUE`] or more were due and less than half were seen, or less than a quarter if a user
//!   wrote the truth, who may list what is hard to see;
//! - for a whole pass, and for [`LEAST_DUE`] that were due, it saw nothing at all.
//!
//! Not here: where expectations come from (`action::run::expected`), and how well a detector sees.

use super::{SeenDue, StepFigures, accuracy};
use crate::pipeline::detect::noun;
use crate::record::seen::{Expected, ExpectedSource, ExpectedSpan, SightingSpan, StepSightings};
use crate::record::{Expect, Member, Pace, RunRecord, StreamRecord};
use crate::text::counted;

/// Frames of a part of the clip that must have arrived.
const LEAST_FRAMES: usize = 5;
/// Frames so near to the borders of a part do not count, in milliseconds.
const MARGIN_MS: i64 = 200;
/// As many must be due before some of them may be missed.
const LEAST_DUE: usize = 4;
/// A sighting may be so far from the frames that it belongs to, in microseconds: queues
/// stand between a detector and the sink, and a motion is known after some frames.
const SLACK_US: u64 = 2_000_000;
/// And so far from the part of the clip, in milliseconds.
const SLACK_MS: u64 = 300;

/// What there is to say about the detectors of a stream.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Why the run proves nothing.
    pub(super) blind: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The figures of each detector.
pub(super) fn figures(record: &RunRecord, stream: &StreamRecord) -> Vec<StepFigures> {
    let window_us = stream.window_us.map(|(begin, end)| end.saturating_sub(begin)).filter(|us| *us > 0);
    let is_known = stream.failure.is_none() && record.unreliable().is_none();
    let passed = stream.window_us.filter(|_| is_known).and_then(|window| Passage::of(record, stream, window));
    // RTSP has no place in a clip.
    let is_stream = stream.delivery.as_ref().is_some_and(|delivery| delivery.transport.is_some());
    let figures = stream.seen.iter().map(|step| StepFigures {
        element: step.element.clone(),
        kind: step.kind.clone(),
        model: step.model.clone(),
        events: step.events,
        inferred: (step.inferred > 0).then_some(step.inferred),
        labels: step.labels.clone(),
        per_frame: (step.inferred > 0)
            .then(|| super::rounded(step.labels.values().sum::<u64>() as f64 / step.inferred as f64)),
        due: passed.as_ref().and_then(|passed| seen_due(stream, step, passed)),
        accuracy: accuracy::figures(stream, &step.element),
        per_second: window_us.map(|us| super::rounded(step.events as f64 * 1e6 / us as f64)),
        last_us: step.last_us,
        last_clip_ms: step.last_clip_ms.filter(|_| !is_stream),
    });
    figures.collect()
}

/// What a detector had to see by the truth, and saw.
fn seen_due(stream: &StreamRecord, step: &StepSightings, passed: &Passage) -> Option<SeenDue> {
    let expected = stream.expected.iter().find(|expected| expected.element == step.element)?;
    let truth = match &expected.source {
        ExpectedSource::Scene(name) | ExpectedSource::Truth(name) => name.clone(),
        ExpectedSource::Run(_) => return None,
    };
    let due = passed.due(&expected.spans, step);
    let seen = due.iter().filter(|due| due.is_seen).count() as u64;
    Some(SeenDue { truth, due: due.len() as u64, seen })
}

/// Compares what the detectors of a stream saw with what they had to see.
pub(super) fn liveness(record: &RunRecord, member: &Member, stream: &StreamRecord) -> Liveness {
    let mut liveness = Liveness::default();
    // Nothing is known about a run whose clip changed, or that did not play.
    let is_known = stream.failure.is_none() && record.unreliable().is_none();
    let Some(window) = stream.window_us.filter(|_| is_known) else { return liveness };
    let is_empty = member.configured.as_ref().is_some_and(|it| it.expect == Some(Expect::Nothing));
    let passed = Passage::of(record, stream, window);
    for step in &stream.seen {
        let (name, noun) = (name(stream, step), noun(&step.kind));
        if is_empty {
            if step.events > 0 {
                let saw = counted(step.events, noun);
                liveness
                    .notes
                    .push(format!("`{name}` saw {saw}, though the camera has `expect = \"nothing\"`"));
            }
            continue;
        }
        let saw_nothing = step.events == 0 && !step.spans.iter().any(|span| overlaps(span, window));
        let expected = stream.expected.iter().find(|expected| expected.element == step.element);
        let due = match (expected, &passed) {
            (Some(expected), Some(passed)) => passed.due(&expected.spans, step),
            _ => Vec::new(),
        };
        if let Some(reason) = expected.and_then(|expected| blind(expected, &due, saw_nothing, noun)) {
            liveness.blind.push(format!("`{name}` {reason}"));
        } else if saw_nothing && expected.is_none() {
            liveness.notes.push(format!("cannot tell whether `{name}` works: it saw nothing"));
        } else if saw_nothing && expected.is_some_and(|expected| !expected.spans.is_empty()) {
            liveness.notes.push(format!(
                "cannot tell whether `{name}` works: it saw nothing, and too little was to be seen in this window"
            ));
        }
    }
    liveness
}

/// Why a detector was blind; `None` if nothing shows that.
fn blind(expected: &Expected, due: &[Due], saw_nothing: bool, noun: &str) -> Option<String> {
    let whence = match &expected.source {
        ExpectedSource::Scene(_) => "the scene of its clip has",
        ExpectedSource::Truth(_) => "its clip's truth file has",
        ExpectedSource::Run(_) => "an earlier run saw",
    };
    let of = match &expected.source {
        ExpectedSource::Scene(name) | ExpectedSource::Truth(name) => format!("`{name}`"),
        ExpectedSource::Run(id) => id.clone(),
    };
    let (n_due, n_seen) = (due.len(), due.iter().filter(|due| due.is_seen).count());
    let least = if matches!(expected.source, ExpectedSource::Run(_)) { 2 } else { 1 };
    if saw_nothing && n_seen == 0 && least <= n_due {
        let n = counted(n_due as u64, noun);
        return Some(format!("saw nothing, though {whence} {n} in the part that was played ({of})"));
    }
    let parts = if matches!(expected.source, ExpectedSource::Truth(_)) { 4 } else { 2 };
    if LEAST_DUE <= n_due && n_seen * parts < n_due {
        return Some(format!(
            "saw {n_seen} of {} in the part that was played ({of})",
            counted(n_due as u64, noun)
        ));
    }
    // The longest stretch in which it saw nothing.
    let stretch = due.chunk_by(|a, b| a.is_seen == b.is_seen).filter(|part| !part[0].is_seen);
    let stretch = stretch.max_by_key(|part| part.len())?;
    let (first, last) = (stretch.first()?, stretch.last()?);
    let is_silent = !stretch.iter().any(|due| due.is_any);
    let a_pass = expected.spans.len().max(LEAST_DUE);
    (is_silent && a_pass <= stretch.len()).then(|| {
        let seconds = last.to_us.saturating_sub(first.from_us) / 1_000_000;
        format!(
            "saw nothing for {seconds} s, in which {whence} {} ({of})",
            counted(stretch.len() as u64, noun)
        )
    })
}

/// A part of the clip with something to see, in one pass.
#[derive(Debug)]
struct Due {
    from_us: u64,
    to_us: u64,
    is_seen: bool,
    /// Whether anything was seen then, be it something else.
    is_any: bool,
}

/// The frames of a window with their positions.
struct Passage {
    /// Time and position, in microseconds since the begin of the pass in which the window
    /// begins, or of an earlier one.
    frames: Vec<(u64, i64)>,
    /// The length of a pass in microseconds, if another one began.
    pass_us: Option<i64>,
    /// Whether the window is a single pass of the whole clip.
    is_whole: bool,
    window: (u64, u64),
}

impl Passage {
    /// `None` where positions are not known: for cameras, and in older records.
    fn of(record: &RunRecord, stream: &StreamRecord, window: (u64, u64)) -> Option<Passage> {
        let place = stream.place?;
        let is_whole = record.conditions.pace == Pace::Free;
        if is_whole && record.interrupted {
            return None;
        }
        let micros = |ms: u64| i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX);
        // When each frame was due: a burst after a stall has earlier positions.
        let due = |n: usize, at_us: u64| {
            let late = stream.late_us.get(n).copied().flatten().unwrap_or(0);
            i64::try_from(at_us).unwrap_or(i64::MAX).saturating_sub(late)
        };
        let arrived = &stream.arrived_us;
        let known = arrived.iter().position(|at_us| *at_us == place.at_us)?;
        let origin = due(known, place.at_us).saturating_sub(micros(place.clip_ms));
        let frames =
            arrived.iter().enumerate().map(|(n, at_us)| (*at_us, due(n, *at_us).saturating_sub(origin)));
        let pass_us = place.pass_ms.map(micros).filter(|pass| *pass > 0);
        Some(Passage { frames: frames.collect(), pass_us, is_whole, window })
    }

    /// The parts that are due, by time.
    fn due(&self, spans: &[ExpectedSpan], step: &StepSightings) -> Vec<Due> {
        // Beyond the intervals that were kept, nothing is known.
        let known_us = match step.spans.last() {
            Some(last) if step.spans_left_out > 0 => last.from_us,
            _ => u64::MAX,
        };
        // Codes that a user writes otherwise than the detector prints are no reason to accuse it.
        let same = step.spans.iter().filter_map(|seen| seen.code.as_ref());
        let codes_agree =
            same.into_iter().any(|code| spans.iter().any(|span| span.code.as_ref() == Some(code)));
        let mut due = Vec::new();
        for span in spans {
            for (from_us, to_us) in self.passes(span) {
                if known_us < to_us {
                    continue;
                }
                let near = |seen: &&SightingSpan| {
                    let begins = seen.from_us <= to_us.saturating_add(SLACK_US);
                    let ends = seen.to_us.is_none_or(|end| from_us <= end.saturating_add(SLACK_US));
                    let place = seen.clip_ms.filter(|_| seen.to_us.is_some());
                    let is_there = place.is_none_or(|(first, last)| {
                        first <= span.to_ms + SLACK_MS && span.from_ms <= last + SLACK_MS || last < first
                    });
                    begins && ends && is_there
                };
                let is_same =
                    |seen: &SightingSpan| !codes_agree || span.code.is_none() || seen.code == span.code;
                let is_any = |seen: &&SightingSpan| overlaps(seen, (from_us, to_us + 1));
                due.push(Due {
                    from_us,
                    to_us,
                    is_seen: step.spans.iter().filter(near).any(is_same),
                    is_any: step.spans.iter().any(|seen| is_any(&seen)),
                });
            }
        }
        due.sort_by_key(|due| (due.from_us, due.to_us));
        due
    }

    /// When enough frames of a part arrived: the first and the last of each pass.
    fn passes(&self, span: &ExpectedSpan) -> Vec<(u64, u64)> {
        if self.is_whole {
            let frames = self.frames.len();
            return if frames < LEAST_FRAMES { Vec::new() } else { vec![self.window] };
        }
        let micros = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX / 1000) * 1000;
        let (from, to) = (micros(span.from_ms) + MARGIN_MS * 1000, micros(span.to_ms) - MARGIN_MS * 1000);
        let mut passes: Vec<(i64, usize, (u64, u64))> = Vec::new();
        for (at_us, position) in &self.frames {
            let (pass, position) = match self.pass_us {
                Some(pass_us) => (position.div_euclid(pass_us), position.rem_euclid(pass_us)),
                None => (0, *position),
            };
            if !(from..to).contains(&position) {
                continue;
            }
            match passes.last_mut() {
                Some((last, n, (_, end))) if *last == pass => (*n, *end) = (*n + 1, *at_us),
                _ => passes.push((pass, 1, (*at_us, *at_us))),
            }
        }
        passes.into_iter().filter(|(_, n, _)| LEAST_FRAMES <= *n).map(|(_, _, times)| times).collect()
    }
}

/// Whether a sighting overlaps `[begin, end)`.
fn overlaps(span: &SightingSpan, (begin, end): (u64, u64)) -> bool {
    span.from_us < end && span.to_us.is_none_or(|to_us| begin <= to_us)
}

/// Its factory, or its name where the stream has several of that factory.
fn name<'a>(stream: &StreamRecord, step: &'a StepSightings) -> &'a str {
    let alike = stream.seen.iter().filter(|other| other.kind == step.kind).count();
    if alike == 1 { &step.kind } else { &step.element }
}
