//! From the files of a folder to the records of its runs.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::{Clues, Placed, order};
use super::launch_log::{Block, Latencies, LaunchLog};
use super::names::RunKey;
use super::stream_log::StreamLog;
use super::streams::{Cleaned, Death, Line, clean};
use super::system::{Aligned, SystemFile, align};
use super::{Folder, ImportedRun};
use crate::collect::machine::{CPU, NAME};
use crate::name::Slug;
use crate::record::foreign::Channel;
use crate::record::imported::{Form, Imported, ImportedStream, Mean, NotRead};
use crate::record::script::{ChannelLatencies, ElementRates, MAX_LATENCIES, Meter, Rate, ScriptRecord};
use crate::record::{Conditions, Host, Isolation, Limits, Member, Pace, RunRecord, VERSION};
use crate::text::counted;

/// What no file of upstream's says of a stream.
const NOT_COUNTED: &str =
    "dropped frames, late frames and what the cameras delivered: upstream counts none of them";

/// What a script of an imported record is called.
const SCRIPT: &str = "gst-launch-1.0";

/// The runs of a folder, and the files that were not read.
pub(super) fn runs(folder: Folder) -> (Vec<ImportedRun>, Vec<NotRead>) {
    let mut keys: BTreeSet<&RunKey> = folder.logs.iter().map(|(key, ..)| key).collect();
    keys.extend(folder.launches.iter().filter(|(.., log)| !log.blocks().is_empty()).map(|(key, ..)| key));
    let newest = keys.iter().max().copied();
    let mut runs: Vec<ImportedRun> =
        keys.iter().map(|key| run(&folder, key, Some(*key) == newest, keys.len() == 1)).collect();
    if runs.is_empty() {
        runs.extend(means_only(&folder));
    }
    for run in &mut runs {
        if let Some(imported) = &mut run.record.imported {
            imported.not_read.clone_from(&folder.not_read);
        }
    }
    (runs, folder.not_read)
}

/// What is put together of a run.
struct Parts<'f> {
    key: &'f RunKey,
    form: Form,
    streams: Vec<Placed>,
    logs: Vec<Option<(&'f str, &'f StreamLog)>>,
    cleaned: Vec<Cleaned>,
    corrected: Vec<String>,
    unknown: Vec<String>,
    files: Vec<String>,
    /// Why nothing can be decided about any stream.
    doubts: Vec<String>,
}

fn run(folder: &Folder, key: &RunKey, is_newest: bool, is_only: bool) -> ImportedRun {
    let launch = folder.launches.iter().find(|(other, ..)| other == key);
    let launch_log = launch.map(|(.., log)| log);
    let own = || folder.logs.iter().filter(|(other, ..)| other == key);
    let mut files: Vec<String> = own().map(|(.., path, _)| path.clone()).collect();
    files.extend(launch.map(|(_, path, _)| path.clone()));
    let n_logs = own().map(|(_, number, ..)| number + 1).max().unwrap_or(0);
    let (mut corrected, mut unknown, mut doubts) = (Vec::new(), Vec::new(), Vec::new());

    // A manifest and a script with the command have no time in their names: a run overwrites those of the one before.
    let manifest = folder.manifest.as_ref().filter(|_| is_newest);
    if let Some((path, entries)) = manifest.filter(|(_, entries)| entries.len() < n_logs) {
        unknown.push(format!(
            "whose manifest `{path}` is: it has {}, and the run {}",
            counted(entries.len(), "stream"),
            counted(n_logs, "log")
        ));
    }
    let manifest = manifest.filter(|(_, entries)| n_logs <= entries.len());
    let has_header = own().any(|(.., log)| log.has_header);
    let form = if has_header || manifest.is_some() { Form::New } else { Form::Old };
    let command = folder.command.as_ref().filter(|(_, counters)| is_newest && counters.len() == n_logs);
    files.extend(manifest.map(|(path, _)| path.clone()));
    files.extend(command.map(|(path, _)| path.clone()));

    let mut n = manifest.map_or(n_logs, |(_, entries)| entries.len());
    let mut logs: Vec<Option<(&str, &StreamLog)>> = vec![None; n];
    for (_, number, path, log) in own() {
        logs[*number] = Some((path, log));
    }
    let of_command: Option<BTreeSet<String>> =
        command.map(|(_, counters)| counters.iter().cloned().collect());
    let of_launch = launch_log.map(|log| &log.counters).filter(|counters| !counters.is_empty());

    // The launch's own lines have the lengths of their times, and figures where the logs have none.
    let blocks = launch_log.map_or(&[][..], LaunchLog::blocks);
    let has_samples = logs.iter().flatten().any(|(_, log)| !log.samples.is_empty());
    let mut counters = of_launch.filter(|counters| counters.len() == n).or(of_command.as_ref());
    let mut timed = None;
    let streams: Vec<Vec<Line>> = if has_samples {
        let whole: Vec<&Block> = blocks.iter().filter(|block| block.fps.len() == n).collect();
        let fits = !whole.is_empty() && fit(&logs, &whole);
        if !whole.is_empty() && !fits {
            unknown.push(
                "whether the log of the launch is of this run: its rates are not those of the streams' logs"
                    .to_owned(),
            );
        }
        let whole = if fits { whole } else { Vec::new() };
        timed = whole.first().and_then(|block| Some((block.at_us?, block.over_us)));
        if fits {
            ended_meanwhile(blocks, n, &mut unknown, &mut doubts);
        }
        logs.iter().map(|log| log.map_or_else(Vec::new, |(_, log)| lines(log, &whole))).collect()
    } else {
        // The most streams that its lines ever had.
        let most = blocks.iter().map(|block| block.fps.len()).max().unwrap_or(0);
        if most > 0 {
            corrected.push(format!(
                "the rates are from the log of the launch: the logs of the streams are empty, since upstream's script waits for lines of {}, and they have {most}",
                counted(n, "stream")
            ));
            if most != n {
                n = most;
                logs = vec![None; n];
                counters = of_launch.filter(|counters| counters.len() == n);
            }
        }
        let whole: Vec<&Block> = blocks.iter().filter(|block| block.fps.len() == n).collect();
        timed = whole.first().and_then(|block| Some((block.at_us?, block.over_us))).or(timed);
        (0..n)
            .map(|at| whole.iter().map(|block| Line { fps: block.fps[at], over_us: block.over_us }).collect())
            .collect()
    };
    if form == Form::Old && has_samples && blocks.is_empty() {
        unknown.push("how long the time of each line was: one second is assumed, which is what the counters are set to".to_owned());
    }

    let clues = Clues {
        manifest: manifest.map(|(_, entries)| &entries[..]),
        counters,
        cameras: folder.cameras.as_deref(),
        is_new: has_header,
    };
    let placed = order(n, &clues);
    corrected.splice(0..0, placed.corrected);
    unknown.extend(placed.unknown);
    if placed.streams.iter().any(|stream| stream.camera.is_some() && stream.target_fps.is_none()) {
        unknown.push("the rates that streams should have: upstream's results have none. `--cameras` and `--workloads` name the files that do".to_owned());
    }
    let first_us = timed.map_or(0, |(at, over)| at.saturating_sub(over));
    let cleaned = clean(&streams, first_us);
    let mut parts =
        Parts { key, form, streams: placed.streams, logs, cleaned, corrected, unknown, files, doubts };
    told_logs(&mut parts);
    finish(folder, parts, launch_log, timed.is_some(), is_newest, is_only)
}

/// Whether the lines of a launch are those that the logs were made of.
fn fit(logs: &[Option<(&str, &StreamLog)>], whole: &[&Block]) -> bool {
    let (mut equal, mut other) = (0_u64, 0_u64);
    for (at, (_, log)) in logs.iter().enumerate().filter_map(|(at, log)| Some((at, (*log)?))) {
        for (sample, block) in log.samples.iter().zip(whole) {
            let is_equal = match (sample.fps, block.fps[at]) {
                (Some(a), Some(b)) => (a - b).abs() < 0.006,
                (a, b) => a.is_none() == b.is_none(),
            };
            if is_equal { equal += 1 } else { other += 1 }
        }
    }
    equal > 0 && other * 20 <= equal
}

/// The lines of a log, each with the time that it is about.
fn lines(log: &StreamLog, whole: &[&Block]) -> Vec<Line> {
    let over_us = |at: usize, seconds: Option<f64>| {
        let of_line = seconds.map(|seconds| (seconds * 1e6).round() as u64);
        of_line.or_else(|| whole.get(at).map(|block| block.over_us)).unwrap_or(1_000_000).max(1)
    };
    let samples = log.samples.iter().enumerate();
    samples.map(|(at, sample)| Line { fps: sample.fps, over_us: over_us(at, sample.seconds) }).collect()
}

/// Says that fewer streams played at the end of the launch than the logs are of.
fn ended_meanwhile(blocks: &[Block], n: usize, unknown: &mut Vec<String>, doubts: &mut Vec<String>) {
    let fewer = blocks.iter().rev().take_while(|block| block.fps.len() < n).count();
    if fewer == 0 || fewer == blocks.len() {
        return;
    }
    let seconds: u64 =
        blocks[blocks.len() - fewer..].iter().map(|block| block.over_us).sum::<u64>() / 1_000_000;
    let left = blocks.last().map_or(0, |block| block.fps.len());
    unknown.push(format!(
        "which of the {n} streams ended before the run: {left} played for the last {seconds} s, of which upstream's script wrote nothing"
    ));
    doubts.push(format!(
        "{} of the {n} streams ended {seconds} s before the run, and it may be one of them",
        n - left
    ));
}

/// Says what was corrected in the logs.
fn told_logs(parts: &mut Parts<'_>) {
    let name = |at: usize| format!("log {at}");
    let mut starts: Vec<usize> = Vec::new();
    let mut largest: Option<(f64, f64)> = None;
    for (at, cleaned) in parts.cleaned.iter().enumerate() {
        if cleaned.death != Some(Death::Silent) {
            starts.push(cleaned.start_lines);
        }
        let mean = parts.logs[at].and_then(|(_, log)| log.upstream_mean());
        let time: u64 = cleaned.rates.iter().map(|rate| rate.over_us).sum();
        let frames: f64 = cleaned.rates.iter().map(|rate| rate.fps * rate.over_us as f64).sum();
        if let Some(mean) = mean.filter(|_| time > 0) {
            let rate = frames / time as f64;
            let is_larger = largest.is_none_or(|(m, r)| (m - r).abs() < (mean - rate).abs());
            largest = if is_larger { Some((mean, rate)) } else { largest };
        }
    }
    if let (Some(least), Some(most)) = (starts.iter().min(), starts.iter().max()) {
        let lines = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let words = if *most == 1 { "line" } else { "lines" };
        let effect = largest.filter(|(mean, rate)| (mean - rate).abs() >= 0.005);
        let effect = effect.map_or_else(String::new, |(mean, rate)| {
            format!(": the mean of all lines of a log was {mean:.2} fps, without its start and by time it is {rate:.2}")
        });
        parts
            .corrected
            .push(format!("the start, the first {lines} {words} of each log, is left out{effect}"));
    }
    for (at, log) in parts.logs.iter().enumerate().filter_map(|(at, log)| Some((at, log.as_ref()?.1))) {
        if log.is_cut {
            parts.corrected.push(format!("{}: its last line has no end and is left out", name(at)));
        }
        if log.without > 0 {
            let lines = counted(log.without, "line");
            parts
                .corrected
                .push(format!("{}: {lines} without a number (`nan`), which is not 0, left out", name(at)));
        }
        if let Some((line, reason)) = log.first_unread {
            let lines = counted(log.unread, "line");
            parts
                .corrected
                .push(format!("{}: {lines} left out, the first is line {line}: {reason}", name(at)));
        }
        if log.left_out > 0 {
            parts.unknown.push(format!("what {} says after its first 100,000 lines", name(at)));
        }
        if let Some(Death::Repeats(n, fps)) = parts.cleaned[at].death {
            parts.corrected.push(format!(
                "{}: its last {n} lines repeat {fps}, the last value of a stream that had ended",
                name(at)
            ));
        }
    }
}

/// Why a stream counts as failed.
fn failure(cleaned: &Cleaned, has_log: bool) -> Option<String> {
    let end = cleaned.window_us.map_or(cleaned.first_us, |window| window.1);
    let seconds = end.saturating_sub(cleaned.first_us) / 1_000_000;
    Some(match cleaned.death? {
        Death::Silent if has_log => {
            "its log has no line: it never played, or upstream's script waited for other streams".to_owned()
        }
        Death::Silent => "its log is missing".to_owned(),
        Death::NoNumbers(n) if cleaned.rates.is_empty() => {
            format!("none of the {n} lines of its log has a number")
        }
        Death::NoNumbers(n) => {
            format!("ended after {seconds} s: the last {n} lines of its log have no number")
        }
        Death::Repeats(n, fps) => {
            format!("ended after {seconds} s: the last {n} lines of its log repeat {fps}")
        }
        Death::Shorter(n) => format!("ended after {seconds} s: its log has {n} lines less than others"),
    })
}

fn finish(
    folder: &Folder,
    mut parts: Parts<'_>,
    launch: Option<&LaunchLog>,
    is_timed: bool,
    is_newest: bool,
    is_only: bool,
) -> ImportedRun {
    let started = parts.key.started();
    if started.is_none() {
        parts.unknown.push(
            "when the run began: the names of its logs have no time, so that of the newest file is taken"
                .to_owned(),
        );
    }
    let length_us = parts.cleaned.iter().filter_map(|one| Some(one.window_us?.1)).max().unwrap_or(0);
    let system: Vec<&SystemFile> = folder.system.iter().collect();
    let began_ms = started.map(|started| started.unix_millis());
    let aligned = align(&system, began_ms, i64::try_from(length_us / 1000).unwrap_or(i64::MAX), is_only);
    let Aligned { series, collectors, facts, corrected, unknown } = aligned;
    parts.corrected.extend(corrected);
    parts.unknown.extend(unknown);
    parts.unknown.push(NOT_COUNTED.to_owned());
    parts.files.extend(collectors.iter().flat_map(|one| one.command.iter().cloned()));

    let mut means: Vec<Mean> = Vec::new();
    if is_newest {
        means.clone_from(&folder.means);
        parts.files.extend(folder.mean_files.iter().cloned());
        compare_means(&folder.means, &mut parts);
        if !folder.absent.is_empty() {
            parts.unknown.push(format!("not available on Windows: {}", some(&folder.absent)));
        }
    }
    let (mut members, streams) = members(&parts);
    latencies(launch, &parts, &mut members, &streams, is_timed);
    let lanes = parts.streams.iter().map(|stream| stream.lane + 1).max().unwrap_or(1);
    let mut missing = BTreeMap::new();
    if series.iter().all(|one| one.name != CPU) {
        missing.insert(
            NAME.to_owned(),
            "no `cpu_usage.log` with values of this run is among the files".to_owned(),
        );
    }
    let imported = Imported {
        folder: folder.name.clone(),
        form: parts.form,
        timestamp: (!parts.key.time.is_empty()).then(|| parts.key.time.clone()),
        container: (!parts.key.container.is_empty()).then(|| parts.key.container.clone()),
        files: parts.files.clone(),
        not_read: Vec::new(),
        corrected: parts.corrected,
        unknown: parts.unknown,
        streams,
        means,
    };
    let record = RunRecord {
        started: started.unwrap_or(folder.newest),
        tag: Some(tag(folder)),
        host: Host { facts },
        members,
        series,
        missing,
        collectors,
        ..empty(imported, lanes)
    };
    ImportedRun { record, files: parts.files }
}

/// The mark of the run wherever runs are listed.
fn tag(folder: &Folder) -> String {
    format!("imported: {}", folder.name)
}

/// A record of nothing.
fn empty(imported: Imported, lanes: u32) -> RunRecord {
    RunRecord {
        version: VERSION,
        subject: "lane".to_owned(),
        started: crate::time::Utc::from_unix_millis(0),
        utc_offset_s: None,
        tag: None,
        provenance: None,
        conditions: Conditions {
            duration_ms: 0,
            warmup_ms: 0,
            warmup_is_auto: true,
            pace: Pace::Live,
            isolation: Isolation::Lane,
            count: lanes,
            repeat: 1,
            decode_only: false,
            traced: false,
            impair: None,
            limits: Limits::default(),
        },
        host: Host { facts: BTreeMap::new() },
        members: Vec::new(),
        series: Vec::new(),
        workers: Vec::new(),
        server: None,
        programs: Vec::new(),
        missing: BTreeMap::new(),
        idle: None,
        collectors: Vec::new(),
        interrupted: false,
        inputs_changed: Vec::new(),
        other_counts: Vec::new(),
        thresholds: Vec::new(),
        searches: Vec::new(),
        imported: Some(imported),
    }
}

/// Compares `metrics.csv` with the means of the logs.
fn compare_means(means: &[Mean], parts: &mut Parts<'_>) {
    let mut others = Vec::new();
    for mean in means {
        let Some(number) = mean.name.strip_prefix("Camera_").and_then(|rest| rest.strip_suffix(" FPS"))
        else {
            continue;
        };
        let Some(number) = number.parse::<usize>().ok() else { continue };
        let of_log = parts.logs.get(number).copied().flatten().and_then(|(_, log)| log.upstream_mean());
        if of_log.is_none_or(|of_log| (of_log - mean.value).abs() > 0.006) {
            others.push(format!("`{}` {}", mean.name, mean.value));
        }
    }
    if !others.is_empty() {
        parts.unknown.push(format!(
            "where values of `metrics.csv` come from that are no mean of a log of this run: {}",
            some(&others)
        ));
    }
}

/// The cameras, each with its streams, and what is known of these besides, in the order of the logs.
fn members(parts: &Parts<'_>) -> (Vec<Member>, Vec<ImportedStream>) {
    let mut members: Vec<Member> = Vec::new();
    // Of each member its camera, if that is known, and its copy of the lane.
    let mut keys: Vec<Option<(&str, u32)>> = Vec::new();
    let mut streams: Vec<(usize, ImportedStream)> = Vec::new();
    // In the order of the lane.
    let mut order: Vec<usize> = (0..parts.streams.len()).collect();
    order.sort_by_key(|at| (parts.streams[*at].lane, parts.streams[*at].number, *at));
    for at in order {
        let placed = &parts.streams[at];
        let key = placed.camera.as_deref().map(|camera| (camera, placed.lane));
        let known = key.and_then(|_| keys.iter().position(|known| *known == key));
        let index = known.unwrap_or_else(|| {
            let name = placed.camera.clone().unwrap_or_else(|| format!("stream {at}"));
            let slug = slug(&name, placed.lane, |slug| members.iter().any(|member| member.slug == *slug));
            members.push(member(name, slug, placed.target_fps.unwrap_or(0.0)));
            keys.push(key);
            members.len() - 1
        });
        let member = &mut members[index];
        let number = u32::try_from(member.scripts.len() + 1).unwrap_or(u32::MAX);
        let script = script(parts, at, format!("{}/{number}", member.slug), number);
        streams.push((at, stream(parts, at, &script)));
        member.scripts.push(script);
    }
    streams.sort_by_key(|(at, _)| *at);
    (members, streams.into_iter().map(|(_, stream)| stream).collect())
}

fn member(camera: String, slug: Slug, target_fps: f64) -> Member {
    Member {
        camera,
        slug,
        target_fps,
        configured: None,
        dialect: None,
        clip: None,
        streams: Vec::new(),
        scripts: Vec::new(),
        left_out: Vec::new(),
    }
}

fn script(parts: &Parts<'_>, at: usize, stream: String, index: u32) -> ScriptRecord {
    let (placed, cleaned) = (&parts.streams[at], &parts.cleaned[at]);
    let rate = |rate: &super::streams::RateAt| Rate::Last {
        at_us: rate.end_us,
        over_us: rate.over_us,
        fps: rate.fps,
    };
    let has_lines = cleaned.window_us.is_some();
    ScriptRecord {
        stream,
        index: Some(index),
        workloads: placed.workloads.clone(),
        script: SCRIPT.to_owned(),
        parameters: BTreeMap::new(),
        started_us: 0,
        first_figure_us: has_lines.then_some(cleaned.first_us),
        window_us: cleaned.window_us,
        rates: has_lines
            .then(|| ElementRates {
                element: "counter".to_owned(),
                meter: Meter::GvaFpsCounter,
                rates: cleaned.rates.iter().map(rate).collect(),
            })
            .into_iter()
            .collect(),
        latencies: Vec::new(),
        unread: None,
        figures_left_out: 0,
        exit: None,
        failure: failure(cleaned, parts.logs[at].is_some()),
        output: String::new(),
        output_left_out: 0,
    }
}

fn stream(parts: &Parts<'_>, at: usize, script: &ScriptRecord) -> ImportedStream {
    let cleaned = &parts.cleaned[at];
    let log = parts.logs[at];
    let mut doubts = parts.doubts.clone();
    if cleaned.is_unsteady {
        doubts.push("its rate had no steady begin within the first 30 lines".to_owned());
    }
    let lines = cleaned.rates.len() + cleaned.without;
    if cleaned.without * 20 > lines {
        doubts.push(format!("{} of the {lines} lines of its window have no number", cleaned.without));
    }
    if let Some((_, log)) = log.filter(|(_, log)| log.left_out > 0 || log.unread > 0) {
        doubts.push(format!("{} of its log are left out", counted(log.left_out + log.unread, "line")));
    }
    ImportedStream {
        stream: script.stream.clone(),
        log: log.map(|(path, _)| path.to_owned()),
        upstream_fps: log.and_then(|(_, log)| log.upstream_mean()),
        start_lines: cleaned.start_lines as u64,
        doubts,
    }
}

/// A slug that no other member has: `cam1`, `cam1-l2` for the second lane.
fn slug(name: &str, lane: u32, taken: impl Fn(&Slug) -> bool) -> Slug {
    let base = Slug::of(name).unwrap_or_else(|| Slug::of("stream").expect("it is a slug"));
    let copy = |base: &Slug| if lane == 0 { base.clone() } else { base.copy(lane + 1) };
    let numbered = (2..).filter_map(|n| Slug::of(&format!("{base}-{n}")));
    let mut candidates = std::iter::once(base.clone()).chain(numbered).map(|base| copy(&base));
    candidates.find(|slug| !taken(slug) && !slug.is_reserved()).expect("there are endless numbers")
}

/// Puts latencies to their streams.
fn latencies(
    launch: Option<&LaunchLog>,
    parts: &Parts<'_>,
    members: &mut [Member],
    streams: &[ImportedStream],
    is_timed: bool,
) {
    let Some(launch) = launch else { return };
    // Without a time of the rates, both begin at 0.
    let begin = launch.latencies.iter().filter_map(|one| one.frames.first()).map(|(at, _)| *at).min();
    let offset = if is_timed { 0 } else { begin.unwrap_or(0) };
    for Latencies { channel, frames } in &launch.latencies {
        let Some(at) = stream_of(channel, parts) else { continue };
        let script = members
            .iter_mut()
            .flat_map(|member| &mut member.scripts)
            .find(|script| script.stream == streams[at].stream);
        let Some(script) = script else { continue };
        let Some((begin, end)) = script.window_us else { continue };
        let inside = frames.iter().filter_map(|(at, us)| {
            let at = at.checked_sub(offset)?;
            (begin..end).contains(&at).then_some((at, *us))
        });
        let (at_us, latency_us): (Vec<u64>, Vec<u32>) = inside.take(MAX_LATENCIES).unzip();
        if !at_us.is_empty() {
            script.latencies.push(ChannelLatencies {
                source: channel.source.clone(),
                sink: channel.sink.clone(),
                at_us,
                latency_us,
                intervals: Vec::new(),
            });
        }
    }
}

/// The log of the stream that a latency is of: its source `cam1_4` has the number before that of the counter.
fn stream_of(channel: &Channel, parts: &Parts<'_>) -> Option<usize> {
    if parts.streams.len() == 1 {
        return Some(0);
    }
    let (camera, number) = channel.source.as_deref()?.rsplit_once('_')?;
    let number: u64 = number.parse().ok()?;
    let mut numbered: Vec<(u64, usize)> =
        parts.streams.iter().enumerate().filter_map(|(at, one)| Some((one.number?, at))).collect();
    numbered.sort_unstable();
    if let Some((_, at)) = numbered.iter().find(|(counter, _)| number < *counter) {
        return Some(*at);
    }
    // Names of the new form: only the camera's name is in the source's, if it plays one stream.
    let mut of_camera =
        parts.streams.iter().enumerate().filter(|(_, one)| one.camera.as_deref() == Some(camera));
    match (of_camera.next(), of_camera.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

/// A record of means alone, if there are any of streams.
fn means_only(folder: &Folder) -> Option<ImportedRun> {
    let number = |mean: &Mean| -> Option<usize> {
        mean.name.strip_prefix("Camera_")?.strip_suffix(" FPS")?.parse().ok()
    };
    let mut cameras: Vec<(usize, f64)> =
        folder.means.iter().filter_map(|mean| Some((number(mean)?, mean.value))).collect();
    cameras.sort_by_key(|(number, _)| *number);
    cameras.dedup_by_key(|(number, _)| *number);
    cameras.truncate(super::names::MOST_STREAMS);
    if cameras.is_empty() {
        return None;
    }
    let mut members = Vec::new();
    let mut streams = Vec::new();
    for (number, mean) in cameras {
        let name = format!("stream {number}");
        let slug = Slug::of(&name).expect("it is a slug");
        let stream = format!("{slug}/1");
        streams.push(ImportedStream {
            stream: stream.clone(),
            log: None,
            upstream_fps: Some(mean),
            start_lines: 0,
            doubts: Vec::new(),
        });
        let scripts = vec![ScriptRecord {
            stream,
            index: Some(1),
            workloads: Vec::new(),
            script: SCRIPT.to_owned(),
            parameters: BTreeMap::new(),
            started_us: 0,
            first_figure_us: None,
            window_us: None,
            rates: Vec::new(),
            latencies: Vec::new(),
            unread: None,
            figures_left_out: 0,
            exit: None,
            failure: None,
            output: String::new(),
            output_left_out: 0,
        }];
        members.push(Member { scripts, ..member(name, slug, 0.0) });
    }
    let imported = Imported {
        folder: folder.name.clone(),
        form: Form::Means,
        files: folder.mean_files.clone(),
        unknown: vec![
            "the rates: there are only means of all lines, which have the start in them, of streams of which nobody knows the camera".to_owned(),
            "when the run began: the time of the newest file is taken".to_owned(),
            NOT_COUNTED.to_owned(),
        ],
        streams,
        means: folder.means.clone(),
        ..Imported::default()
    };
    let record = RunRecord {
        started: folder.newest,
        tag: Some(tag(folder)),
        members,
        missing: [(NAME.to_owned(), "there are only means".to_owned())].into(),
        ..empty(imported, 1)
    };
    Some(ImportedRun { record, files: folder.mean_files.clone() })
}

/// At most four of these.
fn some(texts: &[String]) -> String {
    match texts.len() {
        n if n <= 4 => texts.join(", "),
        n => format!("{} and {} more", texts[..3].join(", "), n - 3),
    }
}
