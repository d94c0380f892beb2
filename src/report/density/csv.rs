//! The report of a search as CSV: one row per setting.
//!
//! Columns are only ever added at the end. An empty cell is a figure that is not known.
//! `docs/density.md` describes each column and its unit. What a spreadsheet would take for a
//! formula is made harmless, as in the CSV of a run.

use super::{DensityShown, word};
use crate::model::Price;
use crate::record::density::Unit;
use crate::record::density_figures::{SettingFigures, WorstStream};
use crate::record::upstream::{UpstreamSetting, UpstreamVerdict};
use crate::record::{Git, Provenance};
use crate::report::csv::{Cell, cell, count, hundredfold, mib, text, write};
use crate::report::{host, subject};
use crate::search::{Goal, Why};

/// The subject of a row.
struct Row<'a> {
    shown: DensityShown<'a>,
    /// From 1.
    place: usize,
    setting: &'a SettingFigures,
    upstream: Option<&'a UpstreamSetting>,
}

type Column = (&'static str, fn(&Row<'_>) -> Cell);

const COLUMNS: [Column; 45] = [
    ("search", |row| text(row.shown.id)),
    ("subject", |row| text(&row.shown.record.subject)),
    ("started_utc", |row| text(row.shown.record.started)),
    ("setting", |row| count(Some(row.place as u64))),
    ("lanes", |row| count(Some(row.setting.lanes.into()))),
    ("goal", |row| {
        text(match row.setting.goal {
            Goal::Explore => "explore",
            Goal::Confirm => "confirm",
        })
    }),
    ("verdict", |row| text(word(row.setting.state))),
    ("reason", |row| text(row.setting.reason.as_deref().unwrap_or_default())),
    ("begin_s", |row| seconds(Some(row.setting.span_us.0))),
    ("end_s", |row| seconds(Some(row.setting.span_us.1))),
    ("judged_s", |row| seconds(row.setting.judged_us)),
    ("left_out_s", |row| seconds(Some(row.setting.left_out_us))),
    ("worst_stream", |row| text(row.worst().map_or("", |worst| &worst.stream))),
    ("worst_camera", |row| text(row.worst().map_or("", |worst| &worst.camera))),
    ("worst_target_fps", |row| cell(row.worst().map(|worst| worst.target_fps))),
    ("worst_fps", |row| cell(row.worst().and_then(|worst| worst.fps))),
    ("worst_on_time_percent", |row| hundredfold(row.worst().and_then(|worst| worst.on_time))),
    ("worst_dropped_percent", |row| hundredfold(row.worst().and_then(|worst| worst.dropped_share))),
    ("machine_cpu_percent", |row| hundredfold(row.setting.load.cpu)),
    ("own_cpu_percent", |row| hundredfold(row.setting.load.own)),
    ("foreign_cpu_percent", |row| hundredfold(row.setting.load.foreign)),
    ("machine_memory_max_mib", |row| mib(row.setting.load.memory_max)),
    ("degraded", |row| text(!row.setting.degraded.is_empty())),
    ("degraded_because", |row| text(row.setting.degraded.join("; "))),
    ("upstream_verdict", |row| {
        text(match row.upstream.map(|one| one.verdict) {
            Some(UpstreamVerdict::Passes) => "passes",
            Some(UpstreamVerdict::Fails) => "fails",
            Some(UpstreamVerdict::Missing) => "missing",
            None => "",
        })
    }),
    ("upstream_lowest_percent", |row| {
        hundredfold(row.upstream.and_then(|one| one.weakest.as_ref()).and_then(|weakest| weakest.share()))
    }),
    ("unit", |row| {
        text(match row.shown.record.unit {
            Unit::Lane => "lane",
            Unit::Camera => "camera",
        })
    }),
    ("confidence_percent", |row| hundredfold(Some(row.shown.record.rules.confidence))),
    ("max", |row| count(Some(row.shown.record.rules.max.into()))),
    ("budget_s", |row| cell(Some(row.shown.record.rules.budget_s))),
    ("answer_at_least", |row| count(Some(row.shown.record.answer.at_least.into()))),
    ("answer_at_most", |row| count(row.shown.record.answer.at_most.map(u64::from))),
    ("answer_why", |row| text(row.shown.record.answer.why.map_or("", why))),
    ("interrupted", |row| text(row.shown.record.interrupted)),
    ("tag", |row| text(row.shown.record.tag.as_deref().unwrap_or_default())),
    ("host", |row| text(host(&row.shown.record.host))),
    ("project", |row| text(row.provenance().map_or("", |known| &known.project))),
    ("git_commit", |row| {
        text(match row.provenance().map(|known| &known.git) {
            Some(Git::Commit { commit, .. }) => commit,
            _ => "",
        })
    }),
    ("profile", |row| text(row.provenance().and_then(|known| known.profile.as_deref()).unwrap_or_default())),
    ("overrides", |row| text(row.provenance().map(subject::overrides).unwrap_or_default())),
    ("config_digest", |row| text(row.provenance().map(|it| it.config_digest().short()).unwrap_or_default())),
    ("inputs_digest", |row| text(row.provenance().map(|it| it.inputs_digest().short()).unwrap_or_default())),
    ("lp_version", |row| text(row.provenance().map_or("", |known| &known.lp))),
    ("cost_each", |row| cell(row.shown.price_of_each().map(|each| (each.amount() * 1e4).round() / 1e4))),
    ("currency", |row| text(row.shown.price.map_or("", Price::currency))),
];

impl<'a> Row<'a> {
    fn worst(&self) -> Option<&'a WorstStream> {
        self.setting.worst.as_ref()
    }

    fn provenance(&self) -> Option<&'a Provenance> {
        self.shown.record.provenance.as_ref()
    }
}

/// The report as CSV.
#[must_use]
pub fn csv(shown: &DensityShown<'_>) -> String {
    let header = COLUMNS.iter().map(|(name, _)| text(name)).collect();
    let rows = shown.figures.settings.iter().enumerate().map(|(n, setting)| {
        let row = Row { shown: *shown, place: n + 1, setting, upstream: shown.upstream.settings.get(n) };
        COLUMNS.iter().map(|(_, value)| value(&row)).collect()
    });
    write(std::iter::once(header).chain(rows))
}

fn seconds(us: Option<u64>) -> Cell {
    cell(us.map(|us| us as f64 / 1e6))
}

fn why(why: Why) -> &'static str {
    match why {
        Why::Max => "max",
        Why::Budget => "budget",
        Why::Disturbed => "disturbed",
        Why::Undecided => "undecided",
        Why::Guard => "guard",
        Why::Broken => "broken",
        Why::Interrupted => "interrupted",
    }
}
