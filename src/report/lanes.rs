//! What people want to know first: which cameras are bad, in which copy of the lane they
//! are, and why they do not hold.
//!
//! Table and page share it. Every word follows from the figures; where they prove nothing,
//! nothing is said.

use super::{Report, number, on_time};
use crate::record::measure::split::{mean_owned, workers_cpu};
use crate::record::measure::{
    CameraFigures, FAILS_FPS, HOLDS_DROPPED_PER_MILLE, HOLDS_FPS, StreamFigures, Verdict,
};
use crate::text::{counted, plural};

/// From this share on, the machine's CPU is called full.
const FULL: f64 = 0.95;
/// From this share on, what others used of the machine is worth a word.
const WORTH_TELLING: f64 = 0.01;

/// A copy of the lane, or all cameras of a run that has only one.
#[derive(Debug)]
pub struct Group<'a> {
    /// `lane 2: 1 of 6 cameras holds; the lowest, camera-1-l2, has 5.47 of 15 fps (36 %)`;
    /// `None` in a run of one lane.
    pub line: Option<String>,
    /// The bad ones first, otherwise in the order of the project.
    pub cameras: Vec<&'a CameraFigures>,
}

/// The cameras of a run as people should see them: by copy of the lane, the worst copy
/// first, and in each copy the bad cameras first.
#[must_use]
pub fn groups<'a>(report: &Report<'a>) -> Vec<Group<'a>> {
    let copies = copies(report);
    let several = copies.len() > 1;
    let mut groups: Vec<(usize, Group<'a>)> = Vec::new();
    for (index, cameras) in copies.into_iter().enumerate() {
        let holding = cameras.iter().filter(|camera| camera.verdict.is_good()).count();
        let line = several.then(|| line(index + 1, cameras));
        let mut cameras: Vec<&CameraFigures> = cameras.iter().collect();
        cameras.sort_by_key(|camera| rank(camera.verdict));
        groups.push((holding, Group { line, cameras }));
    }
    // Stable, so that equal copies keep their numbers' order.
    groups.sort_by_key(|(holding, _)| *holding);
    groups.into_iter().map(|(_, group)| group).collect()
}

/// All cameras, the bad ones first, and of these those that lack most of their target.
#[must_use]
pub fn worst_first<'a>(report: &Report<'a>) -> Vec<&'a CameraFigures> {
    let mut cameras: Vec<&CameraFigures> = report.measurement.cameras.iter().collect();
    let lack = |camera: &CameraFigures| match camera.verdict {
        Verdict::Holds
        | Verdict::Decodes
        | Verdict::NotJudged
        | Verdict::FasterButWrong
        | Verdict::Invalid => 1.0,
        _ => share(camera).map_or(0.0, |(share, _)| share),
    };
    cameras.sort_by(|a, b| rank(a.verdict).cmp(&rank(b.verdict)).then(lack(a).total_cmp(&lack(b))));
    cameras
}

/// The name of a camera, and its slug if that says more: `Entrance (camera-1)`.
#[must_use]
pub fn name(camera: &CameraFigures) -> String {
    let (name, slug) = (&camera.camera, camera.slug.as_str());
    match (slug == name, is_copy(name, slug)) {
        (true, _) | (_, true) => slug.to_owned(),
        _ => format!("{name} ({slug})"),
    }
}

/// Whether a slug is the name with the number of a copy: `camera-1-l3`.
fn is_copy(name: &str, slug: &str) -> bool {
    let copy = slug.strip_prefix(name).and_then(|rest| rest.strip_prefix("-l"));
    copy.is_some_and(|copy| copy.parse::<u32>().is_ok())
}

/// Why cameras do not hold, in words; `None` if all do, and for files that were played
/// freely:
/// `30 cameras do not hold: 24 for their rate (the lowest, camera-1-l3, has 5.47 of 15 fps),
/// 6 for drops; the machine's CPU was full (100 %), 34 % of it by the pipelines`.
#[must_use]
pub fn why(report: &Report<'_>) -> Option<String> {
    let cameras = &report.measurement.cameras;
    let with = |verdict: Verdict| -> Vec<(&CameraFigures, &StreamFigures)> {
        let worst = |camera| Some((camera, worst(camera).filter(|worst| worst.verdict == verdict)?));
        cameras.iter().filter_map(worst).collect()
    };
    let failed = with(Verdict::Failed);
    let invalid = with(Verdict::Invalid);
    let wrong = with(Verdict::FasterButWrong);
    let below = with(Verdict::DoesNotHold);
    // The reason of a whole run is in its verdict.
    let is_reliable = report.record.unreliable().is_none();
    let undecided = if is_reliable { with(Verdict::Undecided) } else { Vec::new() };
    let sentences = [
        told(&failed, "failed", "failed"),
        told(&invalid, "is invalid", "are invalid"),
        told(&wrong, "is faster but wrong", "are faster but wrong"),
        (!below.is_empty()).then(|| does_not_hold(&below)),
        told(&undecided, "is undecided", "are undecided"),
    ];
    let mut sentences: Vec<String> = sentences.into_iter().flatten().collect();
    if sentences.is_empty() {
        return None;
    }
    // The load is no cause of a failure or of a short window.
    if below.iter().chain(&undecided).any(|(camera, stream)| lacks_frames(camera, stream)) {
        sentences.extend(cpu(report));
    }
    Some(sentences.join("; "))
}

/// Why the run is degraded, in words; `None` if nothing is known against the machine:
/// `65 % of the CPU went to other programs for 12 s, most of it to `rustc``.
#[must_use]
pub fn degraded(report: &Report<'_>) -> Option<String> {
    let reasons: Vec<&str> = report.measurement.degraded.iter().map(|reason| reason.text.as_str()).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The copies of the lane, each in the order of the project: a run plays the whole lane
/// once, then once more.
fn copies<'a>(report: &Report<'a>) -> Vec<&'a [CameraFigures]> {
    let cameras = report.measurement.cameras.as_slice();
    let count = usize::try_from(report.record.conditions.count).unwrap_or(1).max(1);
    let size = cameras.len() / count;
    if count == 1 || size == 0 || !cameras.len().is_multiple_of(count) {
        return vec![cameras];
    }
    cameras.chunks(size).collect()
}

/// Bad ones first.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Failed => 0,
        Verdict::Invalid => 1,
        Verdict::FasterButWrong => 2,
        Verdict::DoesNotHold => 3,
        Verdict::Undecided => 4,
        Verdict::NotJudged => 5,
        Verdict::Holds | Verdict::Decodes => 6,
    }
}

fn worst(camera: &CameraFigures) -> Option<&StreamFigures> {
    camera.streams.iter().find(|stream| Some(&stream.stream) == camera.worst.as_ref())
}

/// The share of its target that the worst stream of a camera had.
fn share(camera: &CameraFigures) -> Option<(f64, f64)> {
    let fps = worst(camera)?.fps?;
    (camera.target_fps > 0.0).then(|| (fps / camera.target_fps, fps))
}

/// Whether a stream does not hold for its deadlines alone.
fn is_only_late(stream: &StreamFigures) -> bool {
    stream.verdict == Verdict::DoesNotHold && stream.decisive() == ["deadline"]
}

/// Whether too few frames came, too many were dropped, or too many were late, to hold.
fn lacks_frames(camera: &CameraFigures, stream: &StreamFigures) -> bool {
    let dropped = stream.dropped_share.is_some_and(|share| share * 1e3 > HOLDS_DROPPED_PER_MILLE as f64);
    dropped || is_only_late(stream) || share(camera).is_some_and(|(share, _)| share < HOLDS_FPS)
}

/// The camera with the lowest share of its target, and in words what it has.
fn lowest<'a>(cameras: impl Iterator<Item = &'a CameraFigures>) -> Option<(f64, String)> {
    let shares = cameras.filter_map(|camera| Some((camera, share(camera)?)));
    let (camera, (share, fps)) = shares.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0))?;
    Some((share, format!("{}, has {fps:.2} of {} fps", name(camera), number(camera.target_fps))))
}

/// A copy of the lane in one line.
fn line(copy: usize, cameras: &[CameraFigures]) -> String {
    let played: Vec<&CameraFigures> = cameras.iter().filter(|camera| !camera.streams.is_empty()).collect();
    let count = |verdict: Verdict| played.iter().filter(|camera| camera.verdict == verdict).count();
    let holding = played.iter().filter(|camera| camera.verdict.is_good()).count();
    if played.iter().all(|camera| camera.verdict == Verdict::NotJudged) {
        return format!("lane {copy}: {}", counted(played.len(), "camera"));
    }
    let one = holding == 1 || played.len() == 1;
    let verb = match (count(Verdict::Decodes) > 0, one) {
        (true, true) => "decodes",
        (true, false) => "decode",
        (false, true) => "holds",
        (false, false) => "hold",
    };
    let cameras = plural(played.len(), "camera");
    let mut line = format!("lane {copy}: {holding} of {} {cameras} {verb}", played.len());
    let failed = count(Verdict::Failed);
    if failed > 0 {
        line.push_str(&format!(", {failed} failed"));
    }
    let invalid = count(Verdict::Invalid);
    if invalid > 0 {
        line.push_str(&format!(", {invalid} {}", if invalid == 1 { "is invalid" } else { "are invalid" }));
    }
    let wrong = count(Verdict::FasterButWrong);
    if wrong > 0 {
        line.push_str(&format!(", {wrong} {} faster but wrong", if wrong == 1 { "is" } else { "are" }));
    }
    let bad =
        played.iter().filter(|camera| matches!(camera.verdict, Verdict::DoesNotHold | Verdict::Undecided));
    if let Some((share, lowest)) = lowest(bad.copied()) {
        line.push_str(&format!("; the lowest, {lowest} ({:.0} %)", share * 100.0));
    }
    line
}

/// `30 cameras do not hold: 20 for their rate (...), 6 for drops (...), 4 for late frames (...)`
fn does_not_hold(bad: &[(&CameraFigures, &StreamFigures)]) -> String {
    let is_slow = |camera: &CameraFigures| share(camera).is_some_and(|(share, _)| share < FAILS_FPS);
    let (late, others): (Vec<_>, Vec<_>) = bad.iter().partition(|(_, stream)| is_only_late(stream));
    let (slow, dropping): (Vec<_>, Vec<_>) = others.into_iter().partition(|(camera, _)| is_slow(camera));
    let percent = |stream: &StreamFigures| stream.dropped_share.unwrap_or(0.0) * 100.0;
    if let [(camera, stream)] = bad {
        let has = match stream.fps {
            _ if is_only_late(stream) => {
                stream.deadline.as_ref().and_then(|part| part.reason.clone()).unwrap_or_default()
            }
            Some(fps) if is_slow(camera) => format!("{fps:.2} of {} fps", number(camera.target_fps)),
            _ => format!("{:.2} % of its frames dropped", percent(stream)),
        };
        return format!("{} does not hold: {has}", name(camera));
    }
    let counted = |n: usize| if n == bad.len() { String::new() } else { format!("{n} ") };
    let mut causes = Vec::new();
    if let Some((_, lowest)) = lowest(slow.iter().map(|(camera, _)| *camera)) {
        let (its, which) = if slow.len() == 1 { ("its", "") } else { ("their", "the lowest, ") };
        causes.push(format!("{}for {its} rate ({which}{lowest})", counted(slow.len())));
    }
    if let Some((camera, stream)) = dropping.iter().max_by(|(_, a), (_, b)| percent(a).total_cmp(&percent(b)))
    {
        let which = if dropping.len() == 1 { "" } else { "the most, " };
        let dropped = format!("{which}{}, dropped {:.2} %", name(camera), percent(stream));
        causes.push(format!("{}for drops ({dropped})", counted(dropping.len())));
    }
    let share = |stream: &StreamFigures| stream.on_time.map_or(1.0, |on_time| on_time.share);
    if let Some((camera, stream)) = late.iter().min_by(|(_, a), (_, b)| share(a).total_cmp(&share(b))) {
        let which = if late.len() == 1 { "" } else { "the most, " };
        let on_time = format!("{which}{}, had {} % on time", name(camera), on_time(stream));
        causes.push(format!("{}for late frames ({on_time})", counted(late.len())));
    }
    format!("{} cameras do not hold: {}", bad.len(), causes.join(", "))
}

/// `2 cameras failed: exited with status 3`: the reason that most of them have, and which
/// ones these are unless all have it.
fn told(bad: &[(&CameraFigures, &StreamFigures)], one: &str, many: &str) -> Option<String> {
    let reason = |stream: &StreamFigures| stream.reason.clone().unwrap_or_default();
    let count = |text: &str| bad.iter().filter(|(_, stream)| reason(stream) == text).count();
    // The first of the most frequent ones.
    let (camera, stream) = bad.iter().rev().max_by_key(|(_, stream)| count(&reason(stream)))?;
    let reason = reason(stream);
    if bad.len() == 1 {
        return Some(format!("{} {one}: {reason}", name(camera)));
    }
    let of = match count(&reason) {
        n if n == bad.len() => String::new(),
        1 => format!(", such as {}", name(camera)),
        n => format!(", {n} of them"),
    };
    Some(format!("{} cameras {many}{of}: {reason}", bad.len()))
}

/// `the machine's CPU was full (100 %): 34 % by the pipelines, 65 % by other programs`
fn cpu(report: &Report<'_>) -> Option<String> {
    let machine = &report.measurement.machine;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let cpu = machine.cpu?;
    let text = if cpu >= FULL {
        format!("the machine's CPU was full ({})", percent(cpu))
    } else {
        format!("the machine's CPU was {} busy", percent(cpu))
    };
    let Some((pipelines, others)) = owned(report).or_else(|| by_workers(report, cpu)) else {
        return Some(text);
    };
    let stolen = ("taken by the hypervisor".to_owned(), machine.steal.unwrap_or(0.0));
    let rest = std::iter::once(stolen).chain(others).filter(|(_, share)| *share >= WORTH_TELLING);
    let parts = std::iter::once(("by the pipelines".to_owned(), pipelines)).chain(rest);
    let parts: Vec<String> = parts.map(|(who, share)| format!("{} {who}", percent(share))).collect();
    Some(format!("{text}: {}", parts.join(", ")))
}

/// Those who used the CPU beside the pipelines, each with its share of all cores.
type Others = Vec<(String, f64)>;

/// The shares of pipelines and others by the processes of the machine.
fn owned(report: &Report<'_>) -> Option<(f64, Others)> {
    let shares = mean_owned(report.record)?;
    let who = [
        "by scripts",
        "by collectors beside it",
        "by `lp`",
        "by the kernel and unknown programs",
        "by other programs",
    ]
    .map(str::to_owned);
    Some((shares[0], who.into_iter().zip(shares[1..].iter().copied()).collect()))
}

/// Where only the workers are known.
fn by_workers(report: &Report<'_>, cpu: f64) -> Option<(f64, Others)> {
    let own = workers_cpu(report.record, &report.measurement.workers).filter(|own| *own <= cpu + 0.02)?;
    let others = (cpu - own - report.measurement.machine.steal.unwrap_or(0.0)).max(0.0);
    let scripts = if report.measurement.totals.scripts > 0 { "scripts and " } else { "" };
    Some((own.min(cpu), vec![(format!("by {scripts}everything else"), others)]))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::fixture::{copies, six_cameras};
    use crate::record::measure::measure;
    use crate::record::{ProgramRecord, RunRecord, SeriesRecord};

    #[track_caller]
    fn check(record: &RunRecord, expect: Expect) {
        let report = Report { run: "r", record, measurement: &measure(record) };
        let mut text = String::new();
        for Group { line, cameras } in groups(&report) {
            text.push_str(&format!("{}\n", line.as_deref().unwrap_or("all")));
            for camera in cameras {
                text.push_str(&format!("  {} {}\n", name(camera), camera.verdict));
            }
        }
        text.push_str(why(&report).as_deref().unwrap_or("nothing to explain"));
        expect.assert_eq(&text);
    }

    #[test]
    fn bad_cameras_come_first_and_a_failure_has_its_reason() {
        check(
            &six_cameras(),
            expect![[r#"
                all
                  Back <b>door</b> & "yard" (camera-4) failed
                  Aisle 5 (camera-5) does not hold
                  Entrance (camera-1) holds
                  Aisle 2 (camera-2) holds
                  Self-checkout (camera-3) holds
                  Till (camera-6) holds
                Back <b>door</b> & "yard" (camera-4) failed: its worker ended: killed by SIGSEGV; Aisle 5 (camera-5) does not hold: 13.94 of 15 fps; the machine's CPU was 35 % busy"#]],
        );
    }

    #[test]
    fn copies_of_a_lane_have_a_line_each_and_the_worst_comes_first() {
        check(
            &copies(3, &[&[15, 15, 15], &[15, 5, 15], &[9, 15, 14]], 1.0),
            expect![[r#"
                lane 3: 1 of 3 cameras holds; the lowest, camera-1-l3, has 9.00 of 15 fps (60 %)
                  camera-1-l3 does not hold
                  camera-3-l3 does not hold
                  camera-2-l3 holds
                lane 2: 2 of 3 cameras hold; the lowest, camera-2-l2, has 5.00 of 15 fps (33 %)
                  camera-2-l2 does not hold
                  camera-1-l2 holds
                  camera-3-l2 holds
                lane 1: 3 of 3 cameras hold
                  camera-1 holds
                  camera-2 holds
                  camera-3 holds
                3 cameras do not hold: for their rate (the lowest, camera-2-l2, has 5.00 of 15 fps); the machine's CPU was full (99 %): 34 % by the pipelines, 65 % by everything else"#]],
        );
    }

    #[test]
    fn a_lane_that_holds_needs_no_reason() {
        check(
            &copies(1, &[&[15, 15]], 0.3),
            expect![[r#"
            all
              camera-1 holds
              camera-2 holds
            nothing to explain"#]],
        );
    }

    #[test]
    fn cameras_that_drop_frames_are_told_from_slow_ones() {
        let mut record = copies(1, &[&[15, 15, 15]], 0.6);
        record.members[1].streams[0].dropped = 40;
        check(
            &record,
            expect![[r#"
                all
                  camera-2 does not hold
                  camera-1 holds
                  camera-3 holds
                camera-2 does not hold: 11.76 % of its frames dropped; the machine's CPU was 60 % busy: 34 % by the pipelines, 26 % by everything else"#]],
        );
        record.members[2].streams[0].dropped = 2;
        record.members[1].streams[0].dropped = 0;
        check(
            &record,
            expect![[r#"
                all
                  camera-3 undecided
                  camera-1 holds
                  camera-2 holds
                camera-3 is undecided: 0.66 % dropped is more than 0.5 %; 99.33 % on time may be less than 99 %, needs 25 min at 15 fps; the machine's CPU was 60 % busy: 34 % by the pipelines, 26 % by everything else"#]],
        );
    }

    #[test]
    fn the_load_of_the_machine_is_divided_only_where_it_is_known() {
        let mut record = copies(1, &[&[5, 15]], 0.97);
        record.workers[0].samples.clear();
        check(
            &record,
            expect![[r#"
                all
                  camera-1 does not hold
                  camera-2 holds
                camera-1 does not hold: 5.00 of 15 fps; the machine's CPU was full (97 %)"#]],
        );
        record.series.clear();
        check(
            &record,
            expect![[r#"
                all
                  camera-1 does not hold
                  camera-2 holds
                camera-1 does not hold: 5.00 of 15 fps"#]],
        );
    }

    #[test]
    fn other_programs_are_told_from_the_pipelines_and_the_kernel() {
        let mut record = copies(1, &[&[5, 15]], 0.97);
        let at_us = record.series[0].at_us.clone();
        let owners =
            [("workers", 0.34), ("scripts", 0.0), ("lp", 0.001), ("others", 0.63), ("foreign", 0.61)];
        for (name, share) in owners {
            let values = vec![share; at_us.len()];
            let (name, unit, at_us) = (format!("cpu.{name}"), "1".to_owned(), at_us.clone());
            record.series.push(SeriesRecord { name, unit, at_us, values });
        }
        record.programs = vec![ProgramRecord { name: "rustc".to_owned(), cpu_us: 24_000_000 }];
        check(
            &record,
            expect![[r#"
                all
                  camera-1 undecided
                  camera-2 holds
                camera-1 is undecided: 5.00 fps is less than 98 % of 15; 66.67 % dropped is more than 2 %; 33.33 % on time is less than 99 %; 100 % of its window was disturbed: 61 % of the CPU went to other programs for 20 s, most of it to `rustc`; the machine's CPU was full (97 %): 34 % by the pipelines, 2 % by the kernel and unknown programs, 61 % by other programs"#]],
        );
        let report = Report { run: "r", record: &record, measurement: &measure(&record) };
        expect!["61 % of the CPU went to other programs for 20 s, most of it to `rustc`"]
            .assert_eq(&degraded(&report).unwrap());
    }

    #[test]
    fn a_run_whose_inputs_changed_has_its_reason_in_the_verdict() {
        let mut record = copies(1, &[&[5, 15]], 0.97);
        record.inputs_changed = vec![crate::path::ProjectPath::new("a.mp4").unwrap()];
        check(
            &record,
            expect![[r#"
            all
              camera-1 undecided
              camera-2 undecided
            nothing to explain"#]],
        );
    }

    #[test]
    fn undecided_cameras_give_the_reason_that_most_of_them_have() {
        let mut record = copies(1, &[&[15, 15, 15]], 0.3);
        for (n, member) in record.members.iter_mut().enumerate() {
            let (begin, end) = member.streams[0].window_us.unwrap();
            member.streams[0].window_us = Some((begin, end - if n == 0 { 3 } else { 2 } * 1_000_000));
        }
        check(
            &record,
            expect![[r#"
                all
                  camera-1 undecided
                  camera-2 undecided
                  camera-3 undecided
                3 cameras are undecided, 2 of them: interrupted after 18 s of 20 s"#]],
        );
    }

    #[test]
    fn a_slug_that_says_the_name_is_said_alone() {
        let shown = |camera: &str, slug: &str| {
            let mut camera_figures = measure(&copies(1, &[&[15]], 0.3)).cameras.remove(0);
            camera_figures.camera = camera.to_owned();
            camera_figures.slug = crate::name::Slug::of(slug).unwrap();
            name(&camera_figures)
        };
        assert_eq!(shown("camera-1", "camera-1"), "camera-1");
        assert_eq!(shown("camera-1", "camera-1-l12"), "camera-1-l12");
        assert_eq!(shown("camera-1", "camera-1-left"), "camera-1 (camera-1-left)");
        assert_eq!(shown("Till 1", "Till_1"), "Till 1 (Till_1)");
    }
}
