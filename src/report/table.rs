//! The report for a terminal: readable without colour, as wide as the terminal, the
//! verdict in its last line.
//!
//! The table has a word for each verdict; the reasons follow it, those of one kind once.
//! Where not all columns fit, the least needed are left out, and named.

use unicode_width::UnicodeWidthStr;

use super::grid::{Cell, Paper, grid};
use super::lanes::{groups, name, why};
use super::{
    NONE, Report, absent, cpu_range, dropped, failures, fps, gaps, imported, mebibytes, millis, network,
    on_time, percent, sightings, soak, some, stolen, subject, target, thresholds, unmeasured_briefly,
    verdict,
};
use super::{energy, estimate};
use crate::diag::Tone;
use crate::record::Pace;
use crate::record::collector::CollectorRecord;
use crate::record::measure::{CameraFigures, StreamFigures, Verdict};
use crate::text::harmless_lines;

/// A column, and those that can be shown instead where there is less room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Camera,
    Workloads,
    Target,
    /// With the range of seconds.
    Fps,
    /// `14.98`
    Rate,
    /// `14.98 of 15`
    RateOfTarget,
    Latency,
    /// Only the 95th percentile.
    Latency95,
    OnTime,
    Dropped,
    Cpu,
    Memory,
    Verdict,
}

use Column::{
    Camera, Cpu, Dropped, Fps, Latency, Latency95, Memory, OnTime, Rate, RateOfTarget, Target, Workloads,
};

/// The columns, from the most to the fewest.
const LAYOUTS: [&[Column]; 7] = [
    &[Camera, Workloads, Target, Fps, OnTime, Latency, Dropped, Cpu, Memory, Column::Verdict],
    &[Camera, Workloads, Target, Rate, OnTime, Latency, Dropped, Cpu, Memory, Column::Verdict],
    &[Camera, Workloads, RateOfTarget, OnTime, Latency, Dropped, Cpu, Column::Verdict],
    &[Camera, Workloads, RateOfTarget, OnTime, Latency95, Dropped, Cpu, Column::Verdict],
    &[Camera, RateOfTarget, OnTime, Latency95, Dropped, Cpu, Column::Verdict],
    &[Camera, RateOfTarget, OnTime, Dropped, Column::Verdict],
    &[Camera, RateOfTarget, Column::Verdict],
];

/// The width of the labels in the head.
const LABEL: usize = 10;

/// The report as text.
#[must_use]
pub fn table(report: &Report<'_>, paper: Paper) -> String {
    let measurement = report.measurement;
    let groups = groups(report);
    let mut head = vec![String::new()];
    let lanes: Vec<&String> = groups.iter().filter_map(|group| group.line.as_ref()).collect();
    if !lanes.is_empty() {
        head.extend(lanes.into_iter().cloned());
        head.push(String::new());
    }

    let cameras: Vec<&CameraFigures> = groups.iter().flat_map(|group| group.cameras.clone()).collect();
    let (grid, missing) = fitting(report, &cameras, paper);

    let mut rest = vec![String::new()];
    if !missing.is_empty() {
        rest.push(format!("without room: {} (see report.csv, or a wider terminal)", missing.join(", ")));
    }
    let why = why(report);
    let is_told = |reason: &str| why.as_ref().is_some_and(|why| why.contains(reason));
    rest.extend(reasons(&cameras, is_told));
    for worker in measurement.workers.iter().filter(|worker| shared(report, &worker.name)) {
        let (cpu, memory) = (percent(worker.cpu, 0), mebibytes(worker.rss_max));
        rest.push(format!("worker {}: CPU {cpu} % of a core, memory {memory} MiB", worker.name));
    }
    rest.extend(server(report));
    rest.extend(network::of_all(report.record));
    rest.extend(sightings::lines(measurement).into_iter().map(|line| format!("seen by {line}")));
    rest.extend(sightings::accuracies(measurement).into_iter().map(|line| format!("accuracy: {line}")));
    let published = sightings::published(report.record);
    if !published.is_empty() {
        rest.push(format!("found on each frame: {}, beside report.html", some(&published)));
    }
    let machine = &measurement.machine;
    rest.push(format!(
        "machine: CPU {}{} % of all cores{}, memory {} MiB in use at most",
        percent(machine.cpu, 1),
        cpu_range(machine),
        stolen(machine),
        mebibytes(machine.memory_max)
    ));
    rest.extend(energy::sentence(report).map(|power| format!("power: {power}")));
    rest.extend(beside(report));
    rest.extend(soak::lines(report));
    rest.extend(imported::lines(report));
    let notes = gaps(report).into_iter().chain(unmeasured_briefly(report.record));
    rest.extend(notes.map(|note| format!("note: {note}")));
    for failure in failures(report) {
        rest.push(format!("failed: {}: {}", failure.title, failure.reason));
        rest.extend(failure.tail.lines().map(|line| format!("  | {line}")));
    }
    rest.extend(thresholds::lines(report));
    rest.extend(why);
    let how = if measurement.estimate.low.is_some() { " (`lp density` measures it)" } else { "" };
    rest.push(format!("estimate: {}{how}", estimate::sentence(report)));

    let facts = subject::head(report);
    let facts = facts.iter().flat_map(|fact| paper.beside(fact.label, LABEL, &harmless_lines(&fact.value)));
    let mut lines: Vec<String> = facts.collect();
    lines.extend(text(&head, paper));
    lines.extend(grid);
    lines.extend(text(&rest, paper));
    let verdict = text(std::slice::from_ref(&measurement.verdict), paper);
    let tone = tone(overall(&cameras));
    lines.extend(
        verdict.into_iter().map(|line| tone.map_or(line.clone(), |tone| paper.color.paint(tone, &line))),
    );
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// What programs of the user's beside the run gave; their remarks are among the notes.
fn beside(report: &Report<'_>) -> Option<String> {
    let collectors = &report.record.collectors;
    let series = &report.measurement.machine.series;
    let one = |one: &CollectorRecord| {
        let n = series.iter().filter(|series| series.name.starts_with(&one.prefix())).count();
        let what = match one.parser {
            None => "output kept".to_owned(),
            Some(_) => format!("{n} series"),
        };
        format!("{} ({what})", one.id())
    };
    let all: Vec<String> = collectors.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("collectors: {} (report.html has all)", some(&all)))
}

/// What serving the streams took of the machine, if `lp` served them.
fn server(report: &Report<'_>) -> Option<String> {
    let server = report.measurement.server.as_ref()?;
    let (cpu, memory) = (percent(server.cpu, 0), mebibytes(server.rss_max));
    let of = "which cameras of a network would not take from this machine";
    Some(format!("{}: CPU {cpu} % of a core, memory {memory} MiB, {of}", server.name))
}

/// Lines that fit the paper. The output of programs stays as it is.
fn text(lines: &[String], paper: Paper) -> Vec<String> {
    let lines = lines.iter().map(|line| harmless_lines(line));
    let lines = lines.flat_map(|line| if line.starts_with("  | ") { vec![line] } else { paper.wrap(&line) });
    lines.map(|line| label(&line, paper)).collect()
}

/// A line whose first word says how grave it is, in its colour.
fn label(line: &str, paper: Paper) -> String {
    let words = [
        ("does not hold:", Tone::Bad),
        ("invalid:", Tone::Bad),
        ("faster but wrong:", Tone::Bad),
        ("failed:", Tone::Bad),
        ("leak:", Tone::Bad),
        ("breach:", Tone::Bad),
        ("not judged:", Tone::Unsure),
        ("undecided:", Tone::Unsure),
        ("left out:", Tone::Unsure),
    ];
    let found = words.iter().find_map(|(word, tone)| Some((word, tone, line.strip_prefix(word)?)));
    found.map_or(line.to_owned(), |(word, tone, rest)| paper.color.paint(*tone, word) + rest)
}

/// The table with as many columns as fit, and the names of the others.
fn fitting(
    report: &Report<'_>,
    cameras: &[&CameraFigures],
    paper: Paper,
) -> (Vec<String>, Vec<&'static str>) {
    let plain = Paper { width: None, ..Paper::PLAIN };
    let width = |layout: &&&[Column]| {
        let lines = layout_of(report, cameras, layout, plain);
        lines.iter().map(|line| line.width()).max().unwrap_or(0)
    };
    let columns = paper.width.unwrap_or(usize::MAX);
    let layout = LAYOUTS.iter().find(|layout| width(layout) <= columns);
    let layout = layout.unwrap_or(&LAYOUTS[LAYOUTS.len() - 1]);
    let all = [
        (&[Workloads][..], "workloads"),
        (&[OnTime], "on time"),
        (&[Latency, Latency95], "latency"),
        (&[Dropped], "dropped"),
        (&[Cpu], "CPU"),
        (&[Memory], "memory"),
    ];
    let is_missing = |(columns, _): &(&[Column], &str)| columns.iter().all(|one| !layout.contains(one));
    let missing = all.into_iter().filter(is_missing).map(|(_, name)| name).collect();
    (layout_of(report, cameras, layout, paper), missing)
}

fn layout_of(
    report: &Report<'_>,
    cameras: &[&CameraFigures],
    layout: &[Column],
    paper: Paper,
) -> Vec<String> {
    let mut rows = Vec::new();
    for camera in cameras {
        for (index, stream) in camera.streams.iter().enumerate() {
            let cells = layout.iter().map(|column| cell(report, camera, stream, index == 0, *column));
            rows.push(cells.collect::<Vec<Cell>>());
        }
        for (index, left) in camera.left_out.iter().enumerate() {
            let first = camera.streams.is_empty() && index == 0;
            let cells = layout.iter().map(|column| match column {
                Camera if first => name(camera).into(),
                Workloads => left.workloads.join("\n").into(),
                Column::Verdict => Cell { text: "left out".to_owned(), tone: Some(Tone::Unsure) },
                _ => String::new().into(),
            });
            rows.push(cells.collect());
        }
    }
    let header: Vec<&str> = layout.iter().map(|column| title(*column)).collect();
    let is_left = |column: &Column| matches!(column, Camera | Workloads | Column::Verdict);
    let right: Vec<usize> =
        layout.iter().enumerate().filter(|(_, column)| !is_left(column)).map(|(n, _)| n).collect();
    grid(&header, &right, rows, paper)
}

fn title(column: Column) -> &'static str {
    match column {
        Camera => "camera",
        Workloads => "workloads",
        Target => "target",
        Fps | Rate => "fps",
        RateOfTarget => "fps of\ntarget",
        Latency => "latency ms\np50/p95/p99",
        Latency95 => "latency\np95 ms",
        OnTime => "on time\n%",
        Dropped => "dropped\n%",
        Cpu => "CPU %\nof a core",
        Memory => "memory\nMiB",
        Column::Verdict => "verdict",
    }
}

fn cell(
    report: &Report<'_>,
    camera: &CameraFigures,
    stream: &StreamFigures,
    first: bool,
    column: Column,
) -> Cell {
    let latency = |of: &[u32]| of.iter().map(|us| millis(*us)).collect::<Vec<_>>().join("/");
    let rate = || stream.fps.map_or(absent(stream).to_owned(), |fps| format!("{fps:.2}"));
    let of_worker = |figure: fn(&crate::record::measure::WorkerFigures) -> String| match first {
        true => report.measurement.own_worker(&camera.slug).map_or_else(|| NONE.to_owned(), figure),
        false => String::new(),
    };
    let text = match column {
        Camera if first => name(camera),
        Camera => String::new(),
        Workloads => stream.workloads.join("\n"),
        Target => target(report.record, camera.target_fps),
        Fps => fps(stream),
        Rate => rate(),
        RateOfTarget => match (report.record.conditions.pace, stream.fps) {
            (Pace::Live, Some(_)) => format!("{} of {}", rate(), target(report.record, camera.target_fps)),
            _ => rate(),
        },
        Latency => stream.latency_us.map_or_else(
            || absent(stream).to_owned(),
            |figures| latency(&[figures.p50, figures.p95, figures.p99]),
        ),
        Latency95 => {
            stream.latency_us.map_or_else(|| absent(stream).to_owned(), |figures| latency(&[figures.p95]))
        }
        OnTime => on_time(stream),
        Dropped => dropped(stream),
        Cpu => of_worker(|worker| percent(worker.cpu, 0)),
        Memory => of_worker(|worker| mebibytes(worker.rss_max)),
        Column::Verdict => {
            let words = [verdict(stream.verdict), stream.decisive().join(", ")];
            let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
            return Cell { text: words.join("\n"), tone: tone(stream.verdict) };
        }
    };
    text.into()
}

fn tone(verdict: Verdict) -> Option<Tone> {
    match verdict {
        Verdict::Holds => Some(Tone::Good),
        Verdict::DoesNotHold | Verdict::FasterButWrong | Verdict::Invalid | Verdict::Failed => {
            Some(Tone::Bad)
        }
        Verdict::Undecided => Some(Tone::Unsure),
        Verdict::Decodes | Verdict::NotJudged => None,
    }
}

/// The gravest verdict.
fn overall(cameras: &[&CameraFigures]) -> Verdict {
    let is_left_out = cameras.iter().any(|camera| !camera.left_out.is_empty());
    let gravest = cameras.iter().map(|camera| camera.verdict).max().unwrap_or(Verdict::NotJudged);
    if is_left_out { gravest.max(Verdict::Undecided) } else { gravest }
}

/// The reasons of all verdicts but failures, which follow with their causes, and those that
/// are told elsewhere. Those that differ only in figures are one, with the first camera's
/// figures.
fn reasons(cameras: &[&CameraFigures], is_told: impl Fn(&str) -> bool) -> Vec<String> {
    let streams = cameras.iter().flat_map(|camera| camera.streams.iter().map(move |stream| (camera, stream)));
    let judged =
        streams.filter(|(_, stream)| stream.verdict != Verdict::Failed).filter_map(|(camera, stream)| {
            let reason = stream.reason.clone()?;
            let about = match camera.streams.len() {
                1 => name(camera),
                _ => format!("{} of {}", stream.stream, name(camera)),
            };
            Some((stream.verdict.to_string(), about, reason))
        });
    let left_out = cameras.iter().flat_map(|camera| {
        camera.left_out.iter().map(|left| {
            let about = format!("{} of {}", left.workloads.join(", "), name(camera));
            ("left out".to_owned(), about, left.reason.clone())
        })
    });
    let mut kinds: Vec<ReasonKind> = Vec::new();
    for (word, about, reason) in judged.chain(left_out) {
        let kind = without_figures(&reason);
        match kinds.iter_mut().find(|known| known.word == word && known.kind == kind) {
            Some(known) => known.all.push((about, reason)),
            None => kinds.push(ReasonKind { word, kind, all: vec![(about, reason)] }),
        }
    }
    let line = |ReasonKind { word, all, .. }: ReasonKind| {
        let names: Vec<String> = all.iter().map(|(about, _)| about.clone()).collect();
        let (first, reason) = &all[0];
        let is_one = all.iter().all(|(_, other)| other == reason);
        let example = if is_one { String::new() } else { format!(", for example {first}") };
        format!("{word}: {}{example}: {reason}", some(&names))
    };
    kinds.retain(|kind| !kind.all.iter().all(|(_, reason)| is_told(reason)));
    kinds.into_iter().map(line).collect()
}

/// Reasons that differ only in their figures.
struct ReasonKind {
    /// The verdict.
    word: String,
    /// The reason without figures.
    kind: String,
    /// What each is about, and the reason.
    all: Vec<(String, String)>,
}

/// A text without its numbers.
fn without_figures(text: &str) -> String {
    text.split(' ')
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a worker plays more than one member, so that no row shows it.
fn shared(report: &Report<'_>, worker: &str) -> bool {
    report.record.members.iter().all(|member| member.slug.as_str() != worker)
}
