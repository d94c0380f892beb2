//! The report as a versioned JSON document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Report, VERSION};
use crate::name::Slug;
use crate::plan::DialectName;
use crate::record::collector::CollectorRecord;
use crate::record::imported::Imported;
use crate::record::judgement::{Judgement, judge};
use crate::record::measure::Measurement;
use crate::record::{
    Conditions, Host, Member, PreparedClip, Provenance, RunRecord, SourceConfig, StepRecord,
};
use crate::time::Utc;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    run: &'a str,
    subject: &'a str,
    started: Utc,
    #[serde(flatten)]
    about: About<'a>,
    complete: bool,
    interrupted: bool,
    /// Whether the machine was unfit; `measurement.degraded` has the reasons.
    degraded: bool,
    conditions: &'a Conditions,
    /// Of a run that another program measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<&'a Imported>,
    host: &'a BTreeMap<String, String>,
    missing: &'a BTreeMap<String, String>,
    /// Programs of the user's beside the run; their series are among those of the machine.
    #[serde(skip_serializing_if = "<[CollectorRecord]>::is_empty")]
    collectors: &'a [CollectorRecord],
    /// Whether the run is good enough, and by which rule.
    judgement: Judgement,
    measurement: &'a Measurement,
}

/// What was measured, as the record has it; `null` where it has nothing.
#[derive(Serialize)]
pub(super) struct About<'a> {
    utc_offset_s: Option<i32>,
    tag: Option<&'a str>,
    provenance: Option<&'a Provenance>,
    members: Vec<MemberSubject<'a>>,
}

#[derive(Serialize)]
struct MemberSubject<'a> {
    camera: &'a str,
    slug: &'a Slug,
    source: Option<&'a SourceConfig>,
    clip: Option<&'a PreparedClip>,
    dialect: Option<DialectName>,
    streams: Vec<StreamSubject<'a>>,
}

#[derive(Serialize)]
struct StreamSubject<'a> {
    stream: &'a str,
    workloads: &'a [String],
    /// `null` for a script, and in records before version 5.
    steps: Option<&'a [StepRecord]>,
    script: Option<&'a str>,
}

impl<'a> About<'a> {
    /// Of the members that `is_ours` admits.
    pub(super) fn of(record: &'a RunRecord, is_ours: impl Fn(&Slug) -> bool) -> About<'a> {
        let has_steps = record.version >= 5;
        let member = |member: &'a Member| {
            let streams = member.streams.iter().map(|stream| StreamSubject {
                stream: &stream.stream,
                workloads: &stream.workloads,
                steps: has_steps.then_some(&stream.steps[..]),
                script: None,
            });
            let scripts = member.scripts.iter().map(|script| StreamSubject {
                stream: &script.stream,
                workloads: &script.workloads,
                steps: None,
                script: Some(&script.script),
            });
            MemberSubject {
                camera: &member.camera,
                slug: &member.slug,
                source: member.configured.as_ref(),
                clip: member.clip.as_ref(),
                dialect: member.dialect,
                streams: streams.chain(scripts).collect(),
            }
        };
        About {
            utc_offset_s: record.utc_offset_s,
            tag: record.tag.as_deref(),
            provenance: record.provenance.as_ref(),
            members: record.members.iter().filter(|one| is_ours(&one.slug)).map(member).collect(),
        }
    }
}

/// The report as JSON. Shares are 0 to 1, times microseconds, memory bytes; the
/// names say so. `null` is not defined, with its reason beside it.
#[must_use]
pub fn json(report: &Report<'_>) -> String {
    let Report { run, record, measurement } = report;
    let Host { facts } = &record.host;
    pretty(&Document {
        version: VERSION,
        run,
        subject: &record.subject,
        started: record.started,
        about: About::of(record, |_| true),
        complete: record.is_complete(),
        interrupted: record.interrupted,
        degraded: !measurement.degraded.is_empty(),
        conditions: &record.conditions,
        imported: record.imported.as_ref(),
        host: facts,
        missing: &record.missing,
        collectors: &record.collectors,
        judgement: judge(record, measurement),
        measurement,
    })
}

/// JSON for files: indented, with a line break at its end.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("its maps have string keys");
    text.push('\n');
    text
}
