//! A run as comparisons see it: its figures, what was measured, and why it may not count.
//!
//! It is made from a record, or from the JSON of a saved report, which has all but the boxes of detectors.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Field;
use crate::name::Slug;
use crate::plan::DialectName;
use crate::record::boxes::Boxes;
use crate::record::measure::{Measurement, Verdict};
use crate::record::{Conditions, Deadline, PreparedClip, Provenance, RunRecord, SourceConfig, StepRecord};
use crate::time::{Utc, duration_text};

/// A run with what comparing it needs.
#[derive(Clone, Debug)]
pub struct RunOf {
    /// Its id.
    pub run: String,
    pub started: Utc,
    pub subject: String,
    pub conditions: Conditions,
    pub host: BTreeMap<String, String>,
    pub provenance: Option<Provenance>,
    pub members: Vec<MemberOf>,
    /// Why it does not count; `None` if it does.
    pub excluded: Option<String>,
    pub measurement: Measurement,
    /// What its detectors found, by stream and element.
    pub boxes: BTreeMap<(String, String), Boxes>,
}

/// A camera of a run, or a copy of it.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberOf {
    pub camera: String,
    pub slug: Slug,
    pub source: Option<SourceConfig>,
    pub clip: Option<PreparedClip>,
    pub dialect: Option<DialectName>,
    pub streams: Vec<StreamOf>,
}

/// A stream of it.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamOf {
    pub stream: String,
    pub workloads: Vec<String>,
    pub steps: Option<Vec<StepRecord>>,
    pub script: Option<String>,
}

impl RunOf {
    /// Of a record and the figures that were computed from it.
    #[must_use]
    pub fn of(run: &str, record: &RunRecord, measurement: Measurement) -> RunOf {
        let members = record.members.iter().map(|member| {
            let streams = member.streams.iter().map(|stream| StreamOf {
                stream: stream.stream.clone(),
                workloads: stream.workloads.clone(),
                steps: Some(stream.steps.clone()),
                script: None,
            });
            let scripts = member.scripts.iter().map(|script| StreamOf {
                stream: script.stream.clone(),
                workloads: script.workloads.clone(),
                steps: None,
                script: Some(script.script.clone()),
            });
            MemberOf {
                camera: member.camera.clone(),
                slug: member.slug.clone(),
                source: member.configured.clone(),
                clip: member.clip.clone(),
                dialect: member.dialect,
                streams: streams.chain(scripts).collect(),
            }
        });
        let streams = record.members.iter().flat_map(|member| &member.streams);
        let boxes = streams.flat_map(|stream| {
            let steps = stream.seen.iter().filter(|step| !step.boxes.is_empty());
            steps.map(|step| ((stream.stream.clone(), step.element.clone()), step.boxes.clone()))
        });
        RunOf {
            run: run.to_owned(),
            started: record.started,
            subject: record.subject.clone(),
            conditions: record.conditions.clone(),
            host: record.host.facts.clone(),
            provenance: record.provenance.clone(),
            members: members.collect(),
            excluded: why_excluded(record, &measurement),
            boxes: boxes.collect(),
            measurement,
        }
    }

    /// What must be equal for two runs to be comparable: each fact with its place (`camera-3/1 step 2`) and value.
    pub(super) fn facts(&self) -> BTreeMap<(Field, String), String> {
        let mut facts = BTreeMap::new();
        let mut add = |field: Field, at: String, value: String| drop(facts.insert((field, at), value));
        let millis = |ms| duration_text(std::time::Duration::from_millis(ms));
        let conditions = &self.conditions;
        let pace = match conditions.pace {
            crate::record::Pace::Live => "live",
            crate::record::Pace::Free => "free",
        };
        add(Field::Pace, String::new(), pace.to_owned());
        add(Field::Duration, String::new(), millis(conditions.duration_ms));
        let auto = if conditions.warmup_is_auto { "auto, from " } else { "" };
        add(Field::Warmup, String::new(), format!("{auto}{}", millis(conditions.warmup_ms)));
        let isolation = match conditions.isolation {
            crate::record::Isolation::Camera => "camera",
            crate::record::Isolation::Lane => "lane",
        };
        add(Field::Isolation, String::new(), isolation.to_owned());
        add(Field::Count, String::new(), conditions.count.max(1).to_string());
        add(Field::DecodeOnly, String::new(), conditions.decode_only.to_string());
        add(Field::Traced, String::new(), conditions.traced.to_string());
        let impair = conditions.impair.map_or_else(|| "no".to_owned(), |impair| impair.to_string());
        add(Field::Impair, String::new(), impair);
        let deadline = match conditions.limits.deadline {
            Deadline::Periods(periods) => format!("{periods} frame periods"),
            Deadline::Millis(ms) => format!("{ms} ms"),
        };
        add(Field::Deadline, String::new(), deadline);
        for member in &self.members {
            add(Field::Cameras, member.slug.to_string(), "played".to_owned());
            self.facts_of(member, &mut add);
        }
        let of_steps = |member: &MemberOf| {
            let steps = member.streams.iter().flat_map(|stream| stream.steps.iter().flatten());
            steps.flat_map(|step| step.files.clone()).collect::<Vec<_>>()
        };
        let of_models: Vec<_> = self.members.iter().flat_map(of_steps).collect();
        for (path, digest) in self.provenance.iter().flat_map(|provenance| &provenance.inputs) {
            let field = if of_models.contains(path) { Field::Model } else { Field::Input };
            add(field, format!("contents of {path}"), digest.short());
        }
        facts
    }

    fn facts_of(&self, member: &MemberOf, add: &mut impl FnMut(Field, String, String)) {
        let at = member.slug.as_str();
        if let Some(source) = &member.source {
            let name = source.name.as_deref().unwrap_or("not recorded");
            add(Field::Source, format!("{at} source"), format!("{} {name}", source.source.word()));
            let size = format!("{}x{} at {} fps", source.width, source.height, source.fps);
            add(Field::Source, format!("{at} video"), size);
        }
        if let Some(clip) = &member.clip {
            add(Field::Source, format!("{at} clip"), clip.done.word().to_owned());
        }
        if let Some(dialect) = member.dialect {
            add(Field::Dialect, at.to_owned(), dialect.word().to_owned());
        }
        for stream in &member.streams {
            let at = &stream.stream;
            add(Field::Cameras, format!("{at} workloads"), stream.workloads.join(", "));
            if let Some(script) = &stream.script {
                add(Field::Steps, format!("{at} script"), script.clone());
            }
            for (index, step) in stream.steps.iter().flatten().enumerate() {
                let at = format!("{at} step {}", index + 1);
                let mut text = step.kind.clone();
                for (name, value) in &step.properties {
                    // The device is a field of its own, whichever way the config sets it.
                    if name != "device" {
                        text.push_str(&format!(" {name}={}", value));
                    }
                }
                if let Some(caps) = &step.caps {
                    text.push_str(&format!(" ! {caps}"));
                }
                add(Field::Steps, at.clone(), text);
                let parts = [
                    (Field::Model, &step.model),
                    (Field::Precision, &step.precision),
                    (Field::Device, &step.device),
                ];
                for (field, value) in parts {
                    if let Some(value) = value {
                        add(field, at.clone(), value.clone());
                    }
                }
            }
        }
    }
}

/// Why a run does not count.
fn why_excluded(record: &RunRecord, measurement: &Measurement) -> Option<String> {
    if record.interrupted {
        return Some("it was interrupted".to_owned());
    }
    if let Some(why) = record.unreliable() {
        return Some(why);
    }
    if let Some((camera, stream, reason)) = record.failures().next() {
        return Some(format!("{stream} of {camera} failed: {reason}"));
    }
    if !record.is_complete() {
        return Some("the server of its streams died".to_owned());
    }
    excluded_by(measurement)
}

/// Why a run does not count, by its figures.
#[must_use]
pub fn excluded_by(measurement: &Measurement) -> Option<String> {
    let streams = || measurement.cameras.iter().flat_map(|camera| &camera.streams);
    let bad = streams().find(|stream| matches!(stream.verdict, Verdict::Failed | Verdict::Invalid));
    if let Some(stream) = bad {
        let reason = stream.reason.as_deref().unwrap_or("no reason is known");
        return Some(format!("{} is {}: {reason}", stream.stream, stream.verdict));
    }
    if streams().next().is_none() {
        return Some("nothing was played".to_owned());
    }
    // What the machine always is, such as a governor, it is for every run: only what happened disturbs a comparison.
    let happened = measurement.degraded.iter().filter(|reason| reason.lasted_us.is_some());
    let texts: Vec<&str> = happened.map(|reason| reason.text.as_str()).collect();
    (!texts.is_empty()).then(|| format!("degraded: {}", texts.join("; ")))
}
