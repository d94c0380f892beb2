//! What a run measured, in words: the head of every form of a report.
//!
//! [`head`] is short: equal cameras are one, and steps are named once. [`all`] has every
//! fact about the run, and [`cameras`] those of each camera. What a record does not have,
//! since an earlier `lp` wrote it, is "not recorded", which is not the same as none.
//!
//! Not here: how the facts are laid out (`table`, `html`).

use std::collections::BTreeSet;

use super::{Report, host, imported, inference, lanes};
use crate::record::measure::number;
use crate::record::{
    Git, Member, PreparedClip, Provenance, RunRecord, SourceConfig, SourceKind, StepRecord, StreamRecord,
};
use crate::text::counted;

/// The mark of a fact that an earlier version of `lp` did not record.
const NOT_RECORDED: &str = "not recorded";

/// The most kinds of cameras in the head.
const GROUPS: usize = 4;
/// The most steps in the head.
const STEPS: usize = 8;

/// A fact about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) label: &'static str,
    /// For people; may hold anything that a config may.
    pub(super) value: String,
}

pub(super) fn fact(label: &'static str, value: impl Into<String>) -> Fact {
    Fact { label, value: value.into() }
}

/// The facts that somebody needs who compares two reports, in the order of their worth.
pub(super) fn head(report: &Report<'_>) -> Vec<Fact> {
    let record = report.record;
    let mut facts = vec![fact("run", format!("{} of {}", report.run, record.subject))];
    facts.extend(record.tag.as_ref().map(|tag| fact("tag", tag)));
    facts.extend(lanes::degraded(report).map(|reasons| fact("degraded", reasons)));
    facts.extend(record.imported.iter().map(|imported| fact("imported", imported::origin(imported))));
    facts.extend([fact("started", started(record)), fact("conditions", imported::conditions(record))]);
    if record.imported.is_none() {
        facts.extend(what(record));
        facts.extend(whose(record.provenance.as_ref(), record.conditions.impair.is_some()));
    }
    facts.push(fact("host", host(&record.host)));
    facts
}

/// What was played.
pub(super) fn what(record: &RunRecord) -> Vec<Fact> {
    let mut facts = vec![fact("cameras", cameras_in_short(record))];
    facts.extend(clips(record));
    facts.push(fact("steps", steps_in_short(record)));
    facts.extend(inference::used(record).map(|used| fact("inference", used)));
    facts
}

/// The project with its config. `is_impaired`: whether overrides of the network had an effect.
pub(super) fn whose(provenance: Option<&Provenance>, is_impaired: bool) -> Vec<Fact> {
    match provenance {
        Some(known) => vec![fact("project", project(known)), fact("config", config(known, is_impaired))],
        None => vec![fact("project", NOT_RECORDED)],
    }
}

/// When it started, in the local time of its machine and in UTC.
pub(super) fn started(record: &RunRecord) -> String {
    record.started.with_local(record.utc_offset_s)
}

/// Every fact about the run but those of its host.
pub(super) fn all(report: &Report<'_>) -> Vec<Fact> {
    let record = report.record;
    let mut facts = vec![fact("subject", &record.subject), fact("run", report.run)];
    facts.extend(record.tag.as_ref().map(|tag| fact("tag", tag)));
    facts.extend([
        fact("started", started(record)),
        fact("conditions", imported::conditions(record)),
        fact("complete", if record.is_complete() { "yes" } else { "no" }),
    ]);
    if let Some(imported) = &record.imported {
        facts.push(fact("imported", imported::origin(imported)));
        return facts;
    }
    let Some(known) = &record.provenance else {
        facts.push(fact("project", NOT_RECORDED));
        return facts;
    };
    facts.push(fact("project", &known.project));
    facts.push(match &known.git {
        Git::Commit { commit, changed: false } => fact("git commit", commit),
        Git::Commit { commit, changed: true } => fact("git commit", format!("{commit}, with changes")),
        Git::Unknown { reason } => fact("git commit", format!("none: {reason}")),
    });
    facts.extend(known.profile.as_ref().map(|profile| fact("profile", profile)));
    if !known.overrides.is_empty() {
        facts.push(fact("overrides", overrides(known)));
    }
    facts.push(fact("lp", &known.lp));
    facts.push(fact("worker", known.worker.as_deref().unwrap_or("the program beside lp")));
    facts
}

/// `run.count=2, run.pace=free`
pub(super) fn overrides(known: &Provenance) -> String {
    let set: Vec<String> = known.overrides.iter().map(|(key, value)| format!("{key}={value}")).collect();
    set.join(", ")
}

fn project(known: &Provenance) -> String {
    let git = match &known.git {
        Git::Commit { commit, changed } => {
            let short = commit.get(..12).unwrap_or(commit);
            format!("commit {short}{}", if *changed { " with changes" } else { "" })
        }
        Git::Unknown { reason } => reason.clone(),
    };
    let worker = known.worker.as_ref().map_or_else(String::new, |worker| format!(", worker {worker}"));
    format!("{}, {git}, lp {}{worker}", known.project, known.lp)
}

fn config(known: &Provenance, is_impaired: bool) -> String {
    let digest = known.config_digest().short();
    let mut parts = vec![format!("{} {digest}", counted(known.files.len(), "file"))];
    parts.extend(known.profile.as_ref().map(|profile| format!("profile {profile}")));
    parts.extend(known.overrides.iter().map(|(key, value)| {
        let is_idle = !is_impaired && key.starts_with("rtsp.impair.");
        format!("{key}={value}{}", if is_idle { " (without effect)" } else { "" })
    }));
    parts.join(", ")
}

/// The members that are no copies of an earlier one.
pub(super) fn originals(record: &RunRecord) -> Vec<&Member> {
    let mut seen = BTreeSet::new();
    record.members.iter().filter(|member| seen.insert(&member.camera)).collect()
}

/// `4 cameras 640x360 at 15 fps from clips (H.264); 2 cameras 1280x720 at 30 fps over RTSP`
fn cameras_in_short(record: &RunRecord) -> String {
    let mut groups: Vec<(String, SourceKind, Option<String>, usize)> = Vec::new();
    let mut unknown = 0;
    for member in originals(record) {
        let Some(configured) = &member.configured else {
            unknown += 1;
            continue;
        };
        let (picture, codec) = (member_picture(member, configured), codec(member));
        let is_same = |group: &&mut (String, SourceKind, Option<String>, usize)| {
            (&group.0, group.1, &group.2) == (&picture, configured.source, &codec)
        };
        match groups.iter_mut().find(is_same) {
            Some((.., n)) => *n += 1,
            None => groups.push((picture, configured.source, codec, 1)),
        }
    }
    let group = |(picture, source, codec, n): &(String, SourceKind, Option<String>, usize)| {
        let source = match (source, n) {
            (SourceKind::File, 1) => "from a clip",
            (SourceKind::File, _) => "from clips",
            (SourceKind::Rtsp, _) => "over RTSP",
            (SourceKind::Usb, _) => "over USB",
            (SourceKind::Synthetic, _) => "drawn live",
        };
        let codec = codec.as_ref().map_or_else(String::new, |codec| format!(" ({codec})"));
        format!("{} {picture} {source}{codec}", counted(*n, "camera"))
    };
    let mut parts: Vec<String> = groups.iter().take(GROUPS).map(group).collect();
    let rest: usize = groups.iter().skip(GROUPS).map(|(.., n)| n).sum();
    if rest > 0 {
        parts.push(format!("{} of other kinds", counted(rest, "camera")));
    }
    if unknown > 0 {
        parts.push(format!("{}, sources {NOT_RECORDED}", counted(unknown, "camera")));
    }
    parts.join("; ")
}

/// `640x360 at 15 fps`
pub(super) fn picture(configured: &SourceConfig) -> String {
    format!("{}x{} at {} fps", configured.width, configured.height, number(configured.fps))
}

/// The picture of a camera as it came. Where it is another one than configured: `1280x720 at 15 fps
/// (configured 640x360)`. The configured one where none came, or its streams got different ones.
pub(super) fn member_picture(member: &Member, configured: &SourceConfig) -> String {
    let came = |stream: &StreamRecord| {
        let format = stream.delivery.as_ref()?.video.last()?;
        Some((format.width, format.height))
    };
    let mut all = member.streams.iter().filter_map(came);
    let first = all.next().filter(|first| all.all(|other| other == *first));
    let (width, height) = (configured.width, configured.height);
    match first.filter(|came| *came != (width, height)) {
        None => picture(configured),
        Some((width, height)) => {
            let came = picture(&SourceConfig { width, height, ..configured.clone() });
            format!("{came} (configured {}x{})", configured.width, configured.height)
        }
    }
}

/// The codec that the streams of a camera got, else the configured one.
pub(super) fn codec(member: &Member) -> Option<String> {
    let formats = member.streams.iter().filter_map(|stream| stream.delivery.as_ref()?.video.last());
    let arrived = formats.filter_map(|format| format.codec.as_deref()).next().map(codec_name);
    let of_clip = || member.clip.as_ref().and_then(|clip| clip.video.codec());
    let planned = || of_clip().or(member.configured.as_ref()?.codec);
    arrived.or_else(|| planned().map(|codec| codec.name().to_owned()))
}

/// What is decoded of each clip, and what was made up for it; clips of which the same is
/// to be said are one.
fn clips(record: &RunRecord) -> Vec<Fact> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for member in originals(record) {
        let Some(clip) = &member.clip else { continue };
        let name = member.configured.as_ref().and_then(|configured| configured.name.as_deref());
        let (words, name) = (clip_words(clip), name.unwrap_or(&member.camera));
        match said.iter_mut().find(|(other, _)| *other == words) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => said.push((words, vec![name])),
        }
    }
    let rest = said.len().saturating_sub(GROUPS);
    let clip = |(words, names): &(String, Vec<&str>)| {
        let more = names.len().saturating_sub(2);
        let mut names = names.iter().take(2).copied().collect::<Vec<_>>().join(", ");
        if more > 0 {
            names.push_str(&format!(" and {}", counted(more, "other")));
        }
        fact("clip", format!("{names}: {words}"))
    };
    let mut facts: Vec<Fact> = said.iter().take(GROUPS).map(clip).collect();
    if rest > 0 {
        facts.push(fact("clip", format!("and {rest} more")));
    }
    facts
}

/// `H.264 High 4, 2.00 Mbit/s, GOP 30, played as it is`
fn clip_words(clip: &PreparedClip) -> String {
    let made_up = clip.made_up_words().map_or_else(String::new, |made_up| format!("; made up: {made_up}"));
    clip.words() + &made_up
}

/// The usual spelling of a codec's name in caps or SDP.
fn codec_name(name: &str) -> String {
    match name {
        "H264" => "H.264",
        "H265" => "H.265",
        "JPEG" => "MJPEG",
        other => other,
    }
    .to_owned()
}

/// `gvadetect yolo11n FP16 on GPU, zbar, script pipelines/a.sh; dialect dlstreamer`
fn steps_in_short(record: &RunRecord) -> String {
    if record.version < 5 {
        return NOT_RECORDED.to_owned();
    }
    if record.conditions.decode_only {
        return no_steps(record).to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for member in originals(record) {
        let steps = member.streams.iter().flat_map(|stream| &stream.steps).map(step);
        let scripts = member.scripts.iter().map(|script| format!("script {}", script.script));
        for word in steps.chain(scripts) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    let rest = words.len().saturating_sub(STEPS);
    words.truncate(STEPS);
    if rest > 0 {
        words.push(format!("and {rest} more"));
    }
    if words.is_empty() {
        words.push(no_steps(record).to_owned());
    }
    let of_streams = record.members.iter().filter(|member| !member.streams.is_empty());
    let dialects: BTreeSet<&str> = of_streams.filter_map(|member| Some(member.dialect?.word())).collect();
    let dialects: Vec<&str> = dialects.into_iter().collect();
    let dialects = match dialects.as_slice() {
        [] => String::new(),
        some => format!("; dialect {}", some.join(" and ")),
    };
    words.join(", ") + &dialects
}

/// The steps of a stream that has none.
fn no_steps(record: &RunRecord) -> &'static str {
    if record.conditions.decode_only { "none: all are left out" } else { "none" }
}

/// `gvadetect yolo11n FP16 on GPU`
pub(super) fn step(step: &StepRecord) -> String {
    let mut text = step.kind.clone();
    for part in [&step.model, &step.precision].into_iter().flatten() {
        text.push_str(&format!(" {part}"));
    }
    if let Some(device) = &step.device {
        text.push_str(&format!(" on {device}"));
    }
    text
}

/// The same with everything that the config sets: `motioncells gridx=16`.
pub(super) fn step_in_full(one: &StepRecord) -> String {
    let mut text = step(one);
    for (name, value) in &one.properties {
        text.push_str(&format!(" {name}={value}"));
    }
    if let Some(caps) = &one.caps {
        text.push_str(&format!(" ({caps})"));
    }
    text
}

/// The facts about a camera.
pub(super) struct CameraSubject<'a> {
    pub(super) camera: &'a str,
    /// `clip scan.mp4 from https://host/scan.mp4`
    pub(super) source: String,
    /// `640x360 at 15 fps`
    pub(super) picture: String,
    /// Of a clip, all that is decoded.
    pub(super) codec: String,
    /// Each pipeline and script: its workloads, its steps, and the files of these.
    pub(super) streams: Vec<(&'a [String], String, Vec<String>)>,
}

/// The cameras without their copies.
pub(super) fn cameras(record: &RunRecord) -> Vec<CameraSubject<'_>> {
    let unknown = || NOT_RECORDED.to_owned();
    originals(record)
        .into_iter()
        .map(|member| {
            let configured = member.configured.as_ref();
            let streams = member.streams.iter().map(|stream| {
                let steps = if record.version < 5 { unknown() } else { steps(record, &stream.steps) };
                let files = stream.steps.iter().flat_map(|step| &step.files);
                (&stream.workloads[..], steps, files.map(ToString::to_string).collect())
            });
            let scripts = member.scripts.iter().map(|script| {
                (&script.workloads[..], format!("script {}", script.script), vec![script.script.clone()])
            });
            CameraSubject {
                camera: &member.camera,
                source: configured.map_or_else(unknown, source),
                picture: configured.map_or_else(unknown, |configured| member_picture(member, configured)),
                codec: match &member.clip {
                    Some(clip) => clip_words(clip),
                    None => codec(member).unwrap_or_else(|| super::NONE.to_owned()),
                },
                streams: streams.chain(scripts).collect(),
            }
        })
        .collect()
}

/// `zbar, motioncells gridx=16`
fn steps(record: &RunRecord, steps: &[StepRecord]) -> String {
    if steps.is_empty() {
        return no_steps(record).to_owned();
    }
    steps.iter().map(step_in_full).collect::<Vec<_>>().join(", ")
}

/// `clip scan.mp4`
pub(super) fn source_in_short(configured: &SourceConfig) -> String {
    source(&SourceConfig { origin: None, ..configured.clone() })
}

/// `clip scan.mp4 from https://host/scan.mp4`
fn source(configured: &SourceConfig) -> String {
    let name = configured.name.as_deref().unwrap_or(NOT_RECORDED);
    match (configured.source, &configured.origin) {
        (SourceKind::File, Some(origin)) => format!("clip {name} from {origin}"),
        (SourceKind::File, None) => format!("clip {name}"),
        (SourceKind::Rtsp, _) => format!("stream {name}"),
        (SourceKind::Usb, _) => format!("device {name}"),
        (SourceKind::Synthetic, _) => format!("scene {name}, drawn live"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::impair::Impairment;
    use crate::record::fixture::{described, six_cameras};
    use crate::record::measure::measure;

    fn with_report<T>(record: &RunRecord, make: impl Fn(&Report<'_>) -> T) -> T {
        make(&Report { run: "20261124T064200Z-9f2c41", record, measurement: &measure(record) })
    }

    #[track_caller]
    fn check(record: &RunRecord, make: impl Fn(&Report<'_>) -> Vec<Fact>, expect: Expect) {
        let facts = with_report(record, make);
        let lines = facts.iter().map(|fact| format!("{}: {}\n", fact.label, fact.value));
        expect.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn the_head_has_equal_cameras_once() {
        check(
            &described(six_cameras()),
            head,
            expect![[r#"
                run: 20261124T064200Z-9f2c41 of lane
                tag: bios 1.12 <b>
                started: 2026-11-24 07:42:00 +01:00 (06:42:00 UTC)
                conditions: 30s after 2s of warm-up, live pace, a worker per camera, repeat 1
                cameras: 5 cameras 640x360 at 15 fps from clips (H.264); 1 camera 640x360 at 15 fps over RTSP (H.265)
                clip: scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, played as it is
                clip: scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, encoded from H.265 640x360 at 7.5 fps, 2.00 Mbit/s; made up: 7.5 fps doubled to 15
                steps: zbar, motioncells, gvadetect yolo11n FP16 on GPU; dialect dlstreamer and stock
                project: shop, commit 1a2b3c4d5e6f with changes, lp 0.1.0
                config: 3 files 389ad43672df, profile gpu, run.duration=30s
                host: cpu Some CPU, cpus 2, gpu none, memory 4096 MiB
            "#]],
        );
    }

    #[test]
    fn all_facts_have_the_whole_commit() {
        check(
            &described(six_cameras()),
            all,
            expect![[r#"
            subject: lane
            run: 20261124T064200Z-9f2c41
            tag: bios 1.12 <b>
            started: 2026-11-24 07:42:00 +01:00 (06:42:00 UTC)
            conditions: 30s after 2s of warm-up, live pace, a worker per camera, repeat 1
            complete: no
            project: shop
            git commit: 1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b, with changes
            profile: gpu
            overrides: run.duration=30s
            lp: 0.1.0
            worker: the program beside lp
        "#]],
        );
    }

    #[test]
    fn a_project_outside_git_says_so() {
        let mut record = described(six_cameras());
        let known = record.provenance.as_mut().unwrap();
        known.git = Git::Unknown { reason: "not in a git repository".to_owned() };
        known.worker = Some("podman run lp-worker".to_owned());
        known.profile = None;
        known.overrides.clear();
        check(
            &record,
            |report| head(report).split_off(6),
            expect![[r#"
                clip: scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, encoded from H.265 640x360 at 7.5 fps, 2.00 Mbit/s; made up: 7.5 fps doubled to 15
                steps: zbar, motioncells, gvadetect yolo11n FP16 on GPU; dialect dlstreamer and stock
                project: shop, not in a git repository, lp 0.1.0, worker podman run lp-worker
                config: 3 files 389ad43672df
                host: cpu Some CPU, cpus 2, gpu none, memory 4096 MiB
            "#]],
        );
    }

    #[test]
    fn an_override_of_a_network_that_nothing_came_over_is_said_to_have_no_effect() {
        let mut record = described(six_cameras());
        let known = record.provenance.as_mut().unwrap();
        known.overrides.insert("rtsp.impair.delay".to_owned(), "40ms".to_owned());
        let config = |record: &RunRecord| {
            let facts = whose(record.provenance.as_ref(), record.conditions.impair.is_some());
            facts.into_iter().find(|fact| fact.label == "config").unwrap().value
        };
        let idle = config(&record);
        assert!(idle.contains("rtsp.impair.delay=40ms (without effect), run.duration=30s"), "{idle}");
        record.conditions.impair = Some(Impairment { delay_ms: 40, ..Impairment::default() });
        assert_eq!(config(&record), idle.replace(" (without effect)", ""));
    }

    #[test]
    fn an_earlier_record_says_what_it_does_not_have() {
        let mut record = six_cameras();
        record.version = 4;
        check(
            &record,
            head,
            expect![[r#"
            run: 20261124T064200Z-9f2c41 of lane
            started: 2026-11-24 06:42:00 UTC
            conditions: 30s after 2s of warm-up, live pace, a worker per camera, repeat 1
            cameras: 6 cameras, sources not recorded
            steps: not recorded
            project: not recorded
            host: cpu Some CPU, cpus 2, gpu none, memory 4096 MiB
        "#]],
        );
        assert!(cameras(&record).iter().all(|camera| camera.streams[0].1 == NOT_RECORDED));
    }

    #[test]
    fn a_run_that_only_decodes_has_no_steps() {
        let mut record = described(six_cameras());
        record.conditions.decode_only = true;
        record.members.iter_mut().flat_map(|member| &mut member.streams).for_each(|one| one.steps.clear());
        check(
            &record,
            |report| head(report).into_iter().filter(|fact| fact.label == "steps").collect(),
            expect![[r#"
                steps: none: all are left out
            "#]],
        );
        assert_eq!(cameras(&record)[0].streams[0].1, "none: all are left out");
    }

    #[test]
    fn a_long_head_is_cut() {
        let mut record = described(six_cameras());
        for (index, member) in record.members.iter_mut().enumerate() {
            member.configured.as_mut().unwrap().width = 100 * u32::try_from(index).unwrap();
            let step = |n: usize| StepRecord { kind: format!("step{index}{n}"), ..StepRecord::default() };
            member.streams[0].steps = (0..2).map(step).collect();
        }
        check(
            &record,
            |report| head(report).drain(4..6).collect(),
            expect![[r#"
                cameras: 1 camera 0x360 at 15 fps from a clip (H.264); 1 camera 100x360 at 15 fps from a clip (H.264); 1 camera 200x360 at 15 fps from a clip (H.264); 1 camera 300x360 at 15 fps from a clip (H.264); 2 cameras of other kinds
                clip: scan.mp4: H.264 High 3, 2.00 Mbit/s, GOP 30, played as it is
            "#]],
        );
    }

    #[test]
    fn copies_of_the_lane_are_no_other_cameras() {
        let mut record = described(six_cameras());
        let copies: Vec<Member> = record.members.clone();
        record.members.extend(copies);
        check(
            &record,
            |report| vec![head(report).remove(4)],
            expect![[r#"
                cameras: 5 cameras 640x360 at 15 fps from clips (H.264); 1 camera 640x360 at 15 fps over RTSP (H.265)
            "#]],
        );
    }

    #[test]
    fn a_picture_that_came_is_named_before_the_configured_one() {
        let mut record = described(six_cameras());
        let shown = |record: &RunRecord| {
            let member = &record.members[5];
            member_picture(member, member.configured.as_ref().unwrap())
        };
        assert_eq!(shown(&record), "640x360 at 15 fps");
        let video = serde_json::from_str(r#"{"width":1280,"height":720}"#).unwrap();
        record.members[5].streams[0].delivery =
            Some(crate::record::Delivery { video: vec![video], ..Default::default() });
        assert_eq!(shown(&record), "1280x720 at 15 fps (configured 640x360)");
        assert!(
            cameras_in_short(&record).contains("1 camera 1280x720 at 15 fps (configured 640x360) over RTSP")
        );
        assert_eq!(cameras(&record)[5].picture, "1280x720 at 15 fps (configured 640x360)");
    }

    #[test]
    fn a_codec_that_arrived_is_named_before_the_configured_one() {
        let mut record = described(six_cameras());
        assert_eq!(codec(&record.members[5]).as_deref(), Some("H.265"));
        let video = |codec: &str| crate::record::VideoFormat {
            codec: Some(codec.to_owned()),
            ..serde_json::from_str(r#"{"width":640,"height":360}"#).unwrap()
        };
        record.members[5].streams[0].delivery =
            Some(crate::record::Delivery { video: vec![video("H264")], ..Default::default() });
        assert_eq!(codec(&record.members[5]).as_deref(), Some("H.264"));
        assert_eq!(codec(&record.members[0]).as_deref(), Some("H.264"));
        record.members[0].clip = None;
        assert_eq!(codec(&record.members[0]), None);
    }
}
