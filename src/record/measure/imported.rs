//! Figures and verdicts of a run that was imported.
//!
//! Its streams are kept as scripts, and their figures are computed like those of scripts. Verdicts differ:
//!
//! - *holds* is never one. Upstream counts neither dropped nor late frames, and a mean of rates hides both: a
//!   camera that delivers nothing for 5 of every 100 s has 95 % of its rate.
//! - *does not hold* may be one: a rate below the limit shows by itself that frames are missing.
//! - *not judged* is a stream whose camera, and so its target, nobody knows.
//!
//! Everything else that is not failed is *undecided*, with the reason.

use super::verdict::number;
use super::{CameraFigures, StreamFigures, Totals, Verdict, rounded, script};
use crate::record::imported::{Form, Imported};
use crate::record::script::ScriptRecord;
use crate::record::{Member, RunRecord};
use crate::stats;
use crate::text::{counted, plural};

/// Why the best stream does not hold.
const NOT_SHOWN: &str =
    "the rate is kept, but upstream counts neither dropped nor late frames, so nothing shows that it holds";

/// The figures of a stream.
pub(super) fn figures(
    record: &RunRecord,
    imported: &Imported,
    member: &Member,
    stream: &ScriptRecord,
) -> StreamFigures {
    let figures = script::figures(record, member, stream);
    let known = imported.streams.iter().find(|one| one.stream == stream.stream);
    let doubts = known.map_or(&[][..], |known| &known.doubts);
    let (verdict, reason) = match figures.verdict {
        Verdict::Failed => (Verdict::Failed, figures.reason.clone()),
        _ if figures.fps.is_none() => (Verdict::NotJudged, Some(no_rate(imported).to_owned())),
        _ if member.target_fps <= 0.0 => (Verdict::NotJudged, Some("its target is not known".to_owned())),
        Verdict::DoesNotHold => (Verdict::DoesNotHold, figures.reason.clone()),
        _ => (Verdict::Undecided, undecided(&figures, doubts)),
    };
    let mut rates: Vec<f64> = figures
        .script
        .iter()
        .flat_map(|script| &script.elements)
        .flat_map(|element| element.points.iter().map(|(_, fps)| *fps))
        .collect();
    rates.sort_by(f64::total_cmp);
    let no_latency = figures.latency_us.is_none().then(|| "no latencies of it were traced".to_owned());
    StreamFigures {
        verdict,
        reason,
        fps_p5: stats::percentile(&rates, 5).map(rounded),
        no_latency,
        ..figures
    }
}

fn no_rate(imported: &Imported) -> &'static str {
    match imported.form {
        Form::Means => "not available: only the mean of all lines is known, with the start in it",
        Form::Old | Form::New => "not available: its log has no line after its start",
    }
}

/// Why a stream whose rate does not show that it fails is undecided.
fn undecided(figures: &StreamFigures, doubts: &[String]) -> Option<String> {
    let reason = figures.reason.as_deref().filter(|reason| !reason.starts_with("the rate holds, but"));
    let reasons: Vec<&str> = doubts.iter().map(String::as_str).chain(reason).collect();
    Some(if reasons.is_empty() { NOT_SHOWN.to_owned() } else { reasons.join("; ") })
}

/// The run in one line: `imported: 1 of 6 cameras does not hold 15 fps, 5 undecided; machine CPU 34 %`.
pub(super) fn line(
    imported: &Imported,
    cameras: &[CameraFigures],
    totals: &Totals,
    cpu: Option<f64>,
) -> String {
    let count = |verdict: Verdict| cameras.iter().filter(|camera| camera.verdict == verdict).count();
    let targets: Vec<f64> = cameras.iter().map(|camera| camera.target_fps).collect();
    let target = match targets.first() {
        Some(first) if *first > 0.0 && targets.iter().all(|target| target == first) => {
            format!("{} fps", number(*first))
        }
        _ if targets.len() == 1 => "its target".to_owned(),
        _ => "their target".to_owned(),
    };
    let failing = count(Verdict::DoesNotHold);
    let verb = if failing == 1 || cameras.len() == 1 { "does" } else { "do" };
    let all = counted(cameras.len(), "camera");
    let mut parts = Vec::new();
    if failing > 0 {
        parts.push(format!("{failing} of {all} {verb} not hold {target}"));
    }
    for (verdict, words) in
        [(Verdict::Failed, "failed"), (Verdict::Undecided, "undecided"), (Verdict::NotJudged, "not judged")]
    {
        match count(verdict) {
            0 => {}
            n if parts.is_empty() => parts.push(format!("{n} of {all} {words}")),
            n => parts.push(format!("{n} {words}")),
        }
    }
    let what =
        if parts.is_empty() { format!("no {}", plural(cameras.len(), "camera")) } else { parts.join(", ") };
    let cpu = match cpu {
        Some(cpu) => format!("machine CPU {:.0} %", cpu * 100.0),
        None => "machine CPU not measured".to_owned(),
    };
    let scripts = totals.scripts;
    let form = imported.form.words();
    format!("imported ({form}, {}): {what}; {cpu}", counted(scripts, "stream"))
}
