//! The report of a search as a versioned JSON document.
//!
//! `docs/schema/density-report.schema.json` describes it; the record has its own.

use serde::Serialize;

use super::{DensityShown, VERSION, repeat};
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::record::density::{LimiterRecord, Unit};
use crate::record::density_figures::{CameraAtAnswer, Load, Outcome, SettingFigures};
use crate::record::judgement::{Judgement, judge_search};
use crate::record::measure::EnergyFigures;
use crate::record::measure::fit::Degradation;
use crate::record::upstream::{Upstream, UpstreamStream, streams};
use crate::record::{Host, Isolation, Limits, Pace, Provenance};
use crate::report::json::pretty;
use crate::search::{Answer, Rules, Why};
use crate::time::Utc;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    search: &'a str,
    subject: &'a str,
    /// The answer in one line.
    verdict: &'a str,
    outcome: Outcome,
    doubt: Option<&'a str>,
    answer: AnswerDocument<'a>,
    started: Utc,
    utc_offset_s: Option<i32>,
    tag: Option<&'a str>,
    provenance: Option<&'a Provenance>,
    unit: Unit,
    background: &'a [Slug],
    /// Of one lane, or one copy.
    cameras: usize,
    streams: usize,
    rules: Rules,
    conditions: Option<ConditionsDocument>,
    host: &'a std::collections::BTreeMap<String, String>,
    interrupted: bool,
    inputs_changed: &'a [ProjectPath],
    degraded: Vec<DegradedDocument<'a>>,
    took_us: u64,
    settings: &'a [SettingFigures],
    at_answer: Option<AtAnswerDocument<'a>>,
    /// What a lane costs, if the project has the price of the machine.
    cost: Option<CostDocument<'a>>,
    /// What limits one lane more.
    limiter: Option<&'a LimiterRecord>,
    upstream: &'a Upstream,
    /// The command that repeats it.
    command: String,
    /// Whether the answer is good enough, and by which rule.
    judgement: Judgement,
}

#[derive(Serialize)]
struct AnswerDocument<'a> {
    exact: Option<u32>,
    at_least: u32,
    at_most: Option<u32>,
    why: Option<Why>,
    not_monotone: &'a [u32],
}

#[derive(Serialize)]
struct CostDocument<'a> {
    currency: &'a str,
    /// Of the machine.
    price: f64,
    /// Of each lane that was confirmed.
    each: f64,
}

/// Those that all settings have.
#[derive(Serialize)]
struct ConditionsDocument {
    pace: Pace,
    isolation: Isolation,
    limits: Limits,
}

#[derive(Serialize)]
struct DegradedDocument<'a> {
    lanes: u32,
    #[serde(flatten)]
    reason: &'a Degradation,
}

#[derive(Serialize)]
struct AtAnswerDocument<'a> {
    lanes: u32,
    /// The place of the setting that it is; `null` for a run after the search.
    setting: Option<usize>,
    window_us: Option<u64>,
    load: Load,
    cpu_per_lane: Option<f64>,
    energy: Option<&'a EnergyFigures>,
    cameras: &'a [CameraAtAnswer],
    /// The rates of each stream by whole seconds, as upstream sees them.
    rates: Vec<UpstreamStream>,
}

/// The report as JSON. Shares are 0 to 1, times microseconds, memory bytes; `null` is not
/// known.
#[must_use]
pub fn json(shown: &DensityShown<'_>) -> String {
    let DensityShown { id, record, figures, upstream, price } = shown;
    let Answer { at_least, at_most, why, not_monotone } = &record.answer;
    let Host { facts } = &record.host;
    let conditions = shown.sample().map(|run| ConditionsDocument {
        pace: run.conditions.pace,
        isolation: run.conditions.isolation,
        limits: run.conditions.limits,
    });
    let at_answer = figures.at.as_ref().map(|at| AtAnswerDocument {
        lanes: at.lanes,
        setting: at.setting,
        window_us: at.window_us,
        load: at.load,
        cpu_per_lane: at.cpu_per_lane,
        energy: at.measurement.energy.as_ref(),
        cameras: &at.cameras,
        rates: streams(&at.measurement, &upstream.rule),
    });
    pretty(&Document {
        version: VERSION,
        search: id,
        subject: &record.subject,
        verdict: &figures.verdict,
        outcome: figures.outcome,
        doubt: figures.doubt.as_deref(),
        answer: AnswerDocument {
            exact: record.answer.exact(),
            at_least: *at_least,
            at_most: *at_most,
            why: *why,
            not_monotone,
        },
        started: record.started,
        utc_offset_s: record.utc_offset_s,
        tag: record.tag.as_deref(),
        provenance: record.provenance.as_ref(),
        unit: record.unit,
        background: &record.background,
        cameras: figures.cameras,
        streams: figures.streams,
        rules: record.rules,
        conditions,
        host: facts,
        interrupted: record.interrupted,
        inputs_changed: &record.inputs_changed,
        degraded: figures
            .degraded
            .iter()
            .map(|(lanes, reason)| DegradedDocument { lanes: *lanes, reason })
            .collect(),
        took_us: figures.took_us,
        settings: &figures.settings,
        at_answer,
        cost: price.zip(shown.price_of_each()).map(|(price, each)| CostDocument {
            currency: price.currency(),
            price: price.amount(),
            each: (each.amount() * 1e4).round() / 1e4,
        }),
        limiter: record.limiter.as_ref(),
        upstream,
        command: repeat::command(shown).join(" "),
        judgement: judge_search(record, id, &record.thresholds),
    })
}
