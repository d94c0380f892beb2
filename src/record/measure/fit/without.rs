//! The verdict on a stream without the seconds that foreign load disturbed.
//!
//! First all seconds are judged. Foreign load only makes a stream worse, so a stream that
//! holds in spite of it holds. Otherwise all disturbed seconds are left out, the good ones
//! like the bad ones, and the rest is judged. What cannot be said of a part of the window
//! alone counts against the stream.

use super::{LeftOut, left_out, too_much};
use crate::record::measure::judge::{self, Judgement};
use crate::record::measure::kept::Kept;
use crate::record::measure::verdict::Verdict;
use crate::record::script::ScriptRecord;
use crate::record::{Member, RunRecord, StreamRecord};

/// The verdict on a stream that delays all its frames by `delay_us`, and the times that it
/// leaves out.
pub(in crate::record::measure) fn stream(
    record: &RunRecord,
    member: &Member,
    stream: &StreamRecord,
    delay_us: Option<i64>,
) -> (Judgement, Vec<LeftOut>) {
    let judge = |kept: Option<Kept>| judge::of_stream(record, member, stream, delay_us, kept.as_ref());
    let all = judge(stream.window_us.map(Kept::whole));
    match disturbance(record, stream.window_us, all.verdict) {
        None => (all, Vec::new()),
        Some((left_out, Some(why))) => {
            let reason = Some(and(all.reason, why));
            (Judgement { verdict: Verdict::Undecided, reason, ..all }, left_out)
        }
        // The rows of a window longer than an hour cannot be cut.
        Some((_, None)) if stream.long.is_some() => (all, Vec::new()),
        Some((left_out, None)) => {
            let spans: Vec<(u64, u64)> = left_out.iter().map(|span| (span.begin_us, span.end_us)).collect();
            (judge(stream.window_us.map(|window| Kept::without(window, &spans))), left_out)
        }
    }
}

/// The verdict on a script, whose lines cannot be cut: it is that on all seconds, unless too
/// many of them were disturbed.
pub(in crate::record::measure) fn script(
    record: &RunRecord,
    script: &ScriptRecord,
    (verdict, reason): (Verdict, Option<String>),
) -> (Verdict, Option<String>, Vec<LeftOut>) {
    match disturbance(record, script.window_us, verdict) {
        Some((left_out, Some(why))) => (Verdict::Undecided, Some(and(reason, why)), left_out),
        Some((_, None)) | None => (verdict, reason, Vec::new()),
    }
}

/// The times that a verdict on all seconds should have left out, and why they are too many if
/// they are. `None` if there are none, or the verdict stands in spite of them.
fn disturbance(
    record: &RunRecord,
    window: Option<(u64, u64)>,
    verdict: Verdict,
) -> Option<(Vec<LeftOut>, Option<String>)> {
    let is_open = matches!(verdict, Verdict::Undecided | Verdict::DoesNotHold);
    let window = window.filter(|_| is_open && record.unreliable().is_none())?;
    let left_out = left_out(record, window);
    let why = too_much(record, window, &left_out);
    (!left_out.is_empty()).then_some((left_out, why))
}

fn and(reason: Option<String>, why: String) -> String {
    reason.map_or_else(|| why.clone(), |reason| format!("{reason}; {why}"))
}
