//! Reports of a search for the density: a table for the terminal, JSON, CSV and one HTML
//! file.
//!
//! All pure, and the same record makes the same bytes. Every form begins with the verdict and
//! has the path of the search, the load at the answer with the headroom of each camera, the
//! conditions and the command that repeats it. Definitions for people: `docs/density.md`.
//!
//! Not here: computing figures (`record::density_figures`, `record::upstream`).

mod csv;
mod html;
mod json;
mod png;
pub(super) mod repeat;
#[cfg(test)]
mod schema;
mod table;
#[cfg(test)]
pub(super) mod tests;
mod upstream;

use std::time::Duration;

pub use self::csv::csv;
pub use self::html::html;
pub use self::json::json;
pub use self::png::png;
pub use self::table::table;
pub use self::upstream::{by_upstream, in_upstreams_words};

use super::subject::{self, Fact, fact};
use super::{Failure, Report, failures, host};
use crate::model::Price;
use crate::record::density::{DensityRecord, Unit};
use crate::record::density_figures::{AtAnswer, Cause, DensityFigures, SettingFigures, WorstStream, percent};
use crate::record::headroom::Allowance;
use crate::record::measure::{Verdict, number};
use crate::record::upstream::Upstream;
use crate::record::{Isolation, RunRecord};
use crate::search::{Goal, State};
use crate::text::{counted, plural};
use crate::time::duration_text;

/// The version of the JSON and CSV documents.
pub const VERSION: u32 = 1;

/// From this share on, nothing worth telling was used of an allowance.
const ALL_LEFT: f64 = 0.995;

/// The data of a report.
#[derive(Clone, Copy, Debug)]
pub struct DensityShown<'a> {
    /// The id of the search: `20261124T064200Z-9f2c41`.
    pub id: &'a str,
    pub record: &'a DensityRecord,
    /// The figures of `record`.
    pub figures: &'a DensityFigures,
    /// What upstream's rule says about `record`.
    pub upstream: &'a Upstream,
    /// What the machine costs, if its project says so.
    pub price: Option<&'a Price>,
}

impl<'a> DensityShown<'a> {
    /// A run of the search, whose cameras and conditions are those of all.
    fn sample(&self) -> Option<&'a RunRecord> {
        let first = self.record.settings.first().map(|setting| &setting.record);
        self.record.at_answer.as_deref().or(first)
    }

    /// The part of the price for each lane that was confirmed.
    fn price_of_each(&self) -> Option<Price> {
        self.price?.of_each(self.record.answer.at_least)
    }

    /// The same in words: `about 52 EUR a lane`; of a range `at most about 60 EUR a lane`, as more
    /// lanes would cost less each.
    fn cost(&self) -> Option<String> {
        let each = self.price_of_each()?;
        let at_most = if self.record.answer.exact().is_some() { "" } else { "at most " };
        let (price, unit) = (self.price?, unit(self.record, 1));
        Some(format!("{at_most}about {each} a {unit} ({price} for the machine)"))
    }

    /// The run at the answer as a report of its own.
    fn at_answer(&self) -> Option<(Report<'a>, &'a AtAnswer)> {
        let at = self.figures.at.as_ref()?;
        let setting = at.setting.and_then(|place| self.record.settings.get(place));
        let record = self.record.at_answer.as_deref().or(setting.map(|setting| &setting.record))?;
        Some((Report { run: self.id, record, measurement: &at.measurement }, at))
    }

    /// Streams that failed and workers that died in the last setting that broke, with what
    /// they printed.
    fn failures(&self) -> Vec<Failure<'a>> {
        let mut settings = self.record.settings.iter().zip(&self.figures.measured);
        let broken = settings.rfind(|(setting, _)| setting.state == State::Broken);
        let report = broken.map(|(setting, measurement)| Report {
            run: self.id,
            record: &setting.record,
            measurement,
        });
        report.map_or_else(Vec::new, |report| failures(&report))
    }
}

/// `lane`, or `copy` where one camera is counted.
fn unit(record: &DensityRecord, n: u32) -> std::borrow::Cow<'static, str> {
    plural(
        n,
        match record.unit {
            Unit::Lane => "lane",
            Unit::Camera => "copy",
        },
    )
}

/// What was asked, in one line.
fn asked(shown: &DensityShown<'_>) -> String {
    let rules = &shown.record.rules;
    let budget = Duration::try_from_secs_f64(rules.budget_s).unwrap_or(Duration::MAX);
    format!(
        "{} sure, at most {} {}, within {}; {} of the frames on time",
        percent(rules.confidence),
        rules.max,
        unit(shown.record, rules.max),
        duration_text(budget),
        percent(rules.on_time),
    )
}

/// What was measured at the answer: `at 23 lanes, measured for 4m20s in the search`.
fn at_what(shown: &DensityShown<'_>, at: &AtAnswer) -> String {
    let window = at.window_us.map_or_else(String::new, |us| format!(" of {}", seconds_text(us)));
    let which = match at.setting {
        None => format!("in a run{window} after the search"),
        Some(_) => format!("measured{} in the search", window.replacen(" of ", " for ", 1)),
    };
    format!("at {} {}, {which}", at.lanes, unit(shown.record, at.lanes))
}

/// What is counted, in one line.
fn counts(shown: &DensityShown<'_>) -> String {
    let record = shown.record;
    let streams = counted(shown.figures.streams, "stream");
    let counts = match record.unit {
        Unit::Lane => format!("lanes of {} with {streams}", counted(shown.figures.cameras, "camera")),
        Unit::Camera => format!("copies of {} with {streams}", record.subject),
    };
    let isolation = shown.sample().map(|run| match run.conditions.isolation {
        Isolation::Camera => ", a worker per camera",
        Isolation::Lane => ", one worker for all",
    });
    let names: Vec<String> = record.background.iter().map(ToString::to_string).collect();
    let background = match names.as_slice() {
        [] => String::new(),
        names => format!("; {} once beside them", super::some(names)),
    };
    format!("{counts}{}{background}", isolation.unwrap_or_default())
}

/// From the begin to the end of the search, without the time between sittings.
fn took(shown: &DensityShown<'_>) -> String {
    let settings = counted(shown.figures.settings.len(), "setting");
    format!("{} for {settings}", seconds_text(shown.figures.took_us))
}

/// `7m12s`
fn seconds_text(us: u64) -> String {
    duration_text(Duration::from_secs((us as f64 / 1e6).round() as u64))
}

/// The facts that somebody needs who compares two searches.
pub(super) fn head(shown: &DensityShown<'_>) -> Vec<Fact> {
    let record = shown.record;
    let mut facts = vec![fact("search", format!("{} of {}", shown.id, record.subject))];
    facts.extend(record.tag.as_ref().map(|tag| fact("tag", tag)));
    facts.extend(degraded(shown).map(|reasons| fact("degraded", reasons)));
    facts.extend([
        fact("started", record.started.with_local(record.utc_offset_s)),
        fact("counted", counts(shown)),
        fact("asked", asked(shown)),
        fact("took", took(shown)),
    ]);
    facts.extend(shown.cost().map(|cost| fact("cost", cost)));
    facts.extend(record.limiter.as_ref().map(|limiter| fact("limit", limiter.finding.to_string())));
    facts.extend(shown.sample().into_iter().flat_map(subject::what));
    let is_impaired = shown.sample().is_some_and(|run| run.conditions.impair.is_some());
    facts.extend(subject::whose(record.provenance.as_ref(), is_impaired));
    facts.push(fact("host", host(&record.host)));
    facts
}

/// Why settings that the answer rests on are degraded; `None` if none is:
/// `23 lanes: 65 % of the CPU went to other programs for 12 s, most of it to `rustc``.
fn degraded(shown: &DensityShown<'_>) -> Option<String> {
    let mut reasons: Vec<String> = Vec::new();
    for (lanes, reason) in &shown.figures.degraded {
        // What the machine is disturbs all of them.
        let text = match reason.lasted_us {
            Some(_) => format!("{lanes} {}: {}", unit(shown.record, *lanes), reason.text),
            None => reason.text.clone(),
        };
        if !reasons.contains(&text) {
            reasons.push(text);
        }
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The state of a setting in a word, which also tells a number that was confirmed.
pub(super) fn state(setting: &SettingFigures) -> &'static str {
    match (setting.state, setting.goal) {
        (State::Holds, Goal::Confirm) => "confirmed",
        (state, _) => word(state),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Holds => "holds",
        State::Fails => "fails",
        State::Undecided => "undecided",
        State::Disturbed => "disturbed",
        State::Broken => "broken",
    }
}

/// The worst stream and the figure that matters most: `camera-4-l24/1: 97.1 % on time`.
pub(super) fn worst(setting: &SettingFigures) -> String {
    match &setting.worst {
        Some(worst) => format!("{}: {}", worst.stream, figure(worst)),
        None => setting.reason.clone().unwrap_or_else(|| super::NONE.to_owned()),
    }
}

/// `97.1 % on time`
fn figure(worst: &WorstStream) -> String {
    let rate = |fps: f64| format!("{:.1} of {} fps", (fps * 10.0).floor() / 10.0, number(worst.target_fps));
    match (worst.cause(), worst.on_time, worst.fps) {
        _ if matches!(worst.verdict, Verdict::Failed | Verdict::Invalid | Verdict::FasterButWrong) => {
            worst.verdict.to_string()
        }
        (Some(Cause::Rate(fps, _)), ..) => rate(fps),
        (Some(Cause::Drops(share)), ..) => format!("{} dropped", percent(share)),
        (Some(Cause::Deadline(share, _)), ..) | (None, Some(share), _) => {
            format!("{} on time", percent(share))
        }
        (None, None, Some(fps)) => rate(fps),
        (None, None, None) => worst.verdict.to_string(),
    }
}

/// The reasons of the settings that do not hold: the state, and what it is about. Of those with
/// equal numbers and states, the last.
fn reasons(shown: &DensityShown<'_>) -> Vec<(State, String)> {
    let settings = &shown.figures.settings;
    let is_last = |(n, one): &(usize, &SettingFigures)| {
        !settings[n + 1..].iter().any(|later| (later.lanes, later.state) == (one.lanes, one.state))
    };
    let told = settings.iter().enumerate().filter(|(_, one)| one.state != State::Holds).filter(is_last);
    let text = |(_, one): (usize, &SettingFigures)| {
        let lanes = format!("{} {}", one.lanes, unit(shown.record, one.lanes));
        Some((one.state, format!("{lanes}: {}", one.reason.as_ref()?)))
    };
    told.filter_map(text).collect()
}

/// What is left of an allowance, in one word for a narrow column.
fn short(of: Allowance) -> &'static str {
    match of {
        Allowance::Deadline => "deadline",
        Allowance::LateFrames => "late frames",
        Allowance::LatestFrame => "latest frame",
        Allowance::Delay => "delay",
        Allowance::Rate => "rate",
        Allowance::Drops => "drops",
    }
}

/// A share in whole percent, cut so that 0 is nothing left: `46 %`.
fn whole_percent(share: f64) -> String {
    format!("{:.0} %", (share * 100.0).floor())
}

/// A sentence about the camera with the least headroom; `None` if none was judged.
fn weakest(at: &AtAnswer) -> Option<String> {
    let camera = at.weakest()?;
    let headroom = camera.headroom.as_ref()?;
    if headroom.left >= ALL_LEFT {
        return Some("all of it is left to every stream".to_owned());
    }
    let used = headroom.least().map(|used| format!(" ({} used)", used.words())).unwrap_or_default();
    let (stream, of) = (&camera.stream, headroom.of.words());
    Some(match headroom.left {
        left if left < 0.0 => format!("none: {stream} is beyond its {of}{used}"),
        left => format!("{stream} has the least: {} of its {of}{used}", whole_percent(left)),
    })
}

/// The machine at the answer, in one line.
fn machine(report: &Report<'_>, at: &AtAnswer) -> String {
    let figures = &report.measurement.machine;
    let percent = |share| super::percent(share, 1);
    let mut text = format!("CPU {}{} % of all cores", percent(at.load.cpu), super::cpu_range(figures));
    let parts = [(at.load.own, "by the lanes"), (at.load.foreign, "foreign")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(share, _)| share.is_some())
        .map(|(share, whose)| format!("{} {whose}", percent(share)))
        .collect();
    if !parts.is_empty() {
        text.push_str(&format!(" ({})", parts.join(", ")));
    }
    text.push_str(&format!(", memory {} MiB in use at most", super::mebibytes(at.load.memory_max)));
    text
}

/// The CPU that is left, beside what a lane uses; `None` if it was not measured.
fn cpu_left(at: &AtAnswer) -> Option<String> {
    let left = super::percent(Some((1.0 - at.load.cpu?).max(0.0)), 1);
    let per_lane = at.cpu_per_lane.map(|share| format!("; a lane uses {} %", super::percent(Some(share), 1)));
    Some(format!("CPU {left} % of all cores{}", per_lane.unwrap_or_default()))
}
