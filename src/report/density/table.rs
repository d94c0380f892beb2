//! The report for a terminal: the verdict in its first and in its last line, between them
//! the path of the search and the load at the answer.
//!
//! Where not all columns fit, the least needed are left out, and named.

use unicode_width::UnicodeWidthStr;

use super::{
    DensityShown, at_what, cpu_left, head, machine, reasons, repeat, short, state, weakest, whole_percent,
    word, worst,
};
use crate::diag::Tone;
use crate::record::density_figures::{AtAnswer, CameraAtAnswer, Outcome, SettingFigures};
use crate::record::judgement::judge_search;
use crate::record::measure::{Verdict, number};
use crate::report::grid::{Cell, Paper, grid};
use crate::report::{NONE, energy, millis, percent, thresholds, unmeasured_briefly};
use crate::search::State;
use crate::text::harmless_lines;

/// The width of the labels in the head.
const LABEL: usize = 9;

/// A column of a table of `R`.
pub(super) struct Column<R> {
    /// Names what has no room; empty for what another column says.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Figures are aligned to the right.
    pub(super) is_figure: bool,
    pub(super) value: fn(&R) -> Cell,
}

type Setting = Column<SettingFigures>;
type Camera = Column<CameraAtAnswer>;

const AT: Setting =
    Column { name: "time", title: "time s", is_figure: true, value: |row| seconds_of(row.span_us).into() };
const LANES: Setting =
    Column { name: "lanes", title: "lanes", is_figure: true, value: |row| row.lanes.to_string().into() };
const STATE: Setting = Column {
    name: "verdict",
    title: "verdict",
    is_figure: false,
    value: |row| Cell { text: state(row).to_owned(), tone: tone_of(row.state) },
};
const JUDGED: Setting = Column {
    name: "judged time",
    title: "judged\ns",
    is_figure: true,
    value: |row| row.judged_us.map_or(NONE.to_owned(), |us| format!("{:.0}", us as f64 / 1e6)).into(),
};
const CPU: Setting = Column {
    name: "CPU",
    title: "CPU %\nown+foreign",
    is_figure: true,
    value: |row| {
        match (row.load.own, row.load.foreign) {
            (Some(_), Some(_)) => format!("{}+{}", percent(row.load.own, 1), percent(row.load.foreign, 1)),
            (Some(_), None) => percent(row.load.own, 1),
            _ => percent(row.load.cpu, 1),
        }
        .into()
    },
};
const MEMORY: Setting = Column {
    name: "memory",
    title: "memory\nMiB",
    is_figure: true,
    value: |row| crate::report::mebibytes(row.load.memory_max).into(),
};
const WORST: Setting =
    Column { name: "worst stream", title: "worst stream", is_figure: false, value: |row| worst(row).into() };

/// The columns of the path, from the most to the fewest.
const PATH: [&[Setting]; 4] = [
    &[AT, LANES, STATE, JUDGED, CPU, MEMORY, WORST],
    &[AT, LANES, STATE, JUDGED, CPU, WORST],
    &[LANES, STATE, JUDGED, CPU, WORST],
    &[LANES, STATE, WORST],
];

const STREAM: Camera = Column {
    name: "stream",
    title: "weakest stream\nof each camera",
    is_figure: false,
    value: |row| stream(row).into(),
};
const RATE: Camera = Column {
    name: "rate",
    title: "fps of\ntarget",
    is_figure: true,
    value: |row| {
        row.fps.map_or(NONE.to_owned(), |fps| format!("{fps:.2} of {}", number(row.target_fps))).into()
    },
};
const ON_TIME: Camera = Column {
    name: "on time",
    title: "on time\n%",
    is_figure: true,
    value: |row| {
        row.on_time.map_or(NONE.to_owned(), |share| format!("{:.2}", (share * 1e4).floor() / 1e2)).into()
    },
};
const LATENCY: Camera = Column {
    name: "latency",
    title: "latency ms\np50/p95/p99",
    is_figure: true,
    value: |row| {
        let three = row.latency_us.map(|of| [of.p50, of.p95, of.p99].map(millis).join("/"));
        three.unwrap_or_else(|| NONE.to_owned()).into()
    },
};
const LATENCY_95: Camera = Column {
    name: "latency",
    title: "latency\np95 ms",
    is_figure: true,
    value: |row| row.latency_us.map_or(NONE.to_owned(), |of| millis(of.p95)).into(),
};
const DROPPED: Camera = Column {
    name: "dropped",
    title: "dropped\n%",
    is_figure: true,
    value: |row| percent(row.dropped_share, 2).into(),
};
const HEADROOM: Camera = Column {
    name: "headroom",
    title: "headroom",
    is_figure: true,
    value: |row| match &row.headroom {
        Some(headroom) => {
            let tone = (headroom.left < 0.0).then_some(Tone::Bad);
            Cell { text: whole_percent(headroom.left), tone }
        }
        None => NONE.to_owned().into(),
    },
};
const OF: Camera = Column {
    name: "",
    title: "of",
    is_figure: false,
    value: |row| row.headroom.as_ref().map_or(String::new(), |headroom| short(headroom.of).to_owned()).into(),
};

const CAMERAS: [&[Camera]; 4] = [
    &[STREAM, RATE, ON_TIME, LATENCY, DROPPED, HEADROOM, OF],
    &[STREAM, RATE, ON_TIME, LATENCY_95, DROPPED, HEADROOM, OF],
    &[STREAM, RATE, ON_TIME, HEADROOM, OF],
    &[STREAM, RATE, HEADROOM],
];

/// The report as text.
#[must_use]
pub fn table(shown: &DensityShown<'_>, paper: Paper) -> String {
    let verdict = verdict(shown, paper);
    let mut lines = verdict.clone();
    lines.push(String::new());
    let facts = head(shown);
    lines.extend(facts.iter().flat_map(|fact| paper.beside(fact.label, LABEL, &harmless_lines(&fact.value))));
    if !shown.figures.settings.is_empty() {
        lines.push(String::new());
        lines.extend(fitting(&PATH, &shown.figures.settings, paper));
    }
    lines.push(String::new());
    let mut rest = Vec::new();
    if let Some((report, at)) = shown.at_answer() {
        lines.extend(paper.wrap(&harmless_lines(&format!("{}:", at_what(shown, at)))));
        lines.extend(fitting(&CAMERAS, &at.cameras, paper));
        lines.push(String::new());
        rest.push(format!("machine: {}", machine(&report, at)));
        rest.extend(energy::sentence(&report).map(|power| format!("power: {power}")));
        rest.extend(left(at));
        rest.extend(unmeasured_briefly(report.record).map(|note| format!("note: {note}")));
    }
    let limiter = shown.record.limiter.iter();
    rest.extend(limiter.flat_map(|one| &one.finding.evidence).map(|line| format!("limit: {line}")));
    rest.extend(reasons(shown).into_iter().map(|(state, text)| format!("{}: {text}", word(state))));
    for failure in shown.failures() {
        rest.push(format!("failed: {}: {}", failure.title, failure.reason));
        rest.extend(failure.tail.lines().map(|line| format!("  | {line}")));
    }
    let judgement = judge_search(shown.record, shown.id, &shown.record.thresholds);
    rest.extend(thresholds::of_judgement(&judgement));
    rest.push(format!("repeat: {}", repeat::command(shown).join(" ")));
    lines.extend(text(&rest, paper));
    lines.extend(verdict);
    lines.join("\n") + "\n"
}

/// The verdict in the colour of its meaning.
fn verdict(shown: &DensityShown<'_>, paper: Paper) -> Vec<String> {
    let tone = match shown.figures.outcome {
        Outcome::Exact if shown.figures.doubt.is_none() => Tone::Good,
        Outcome::Exact | Outcome::Range => Tone::Unsure,
        Outcome::Zero | Outcome::Unknown => Tone::Bad,
    };
    let lines = paper.wrap(&harmless_lines(&shown.figures.verdict));
    lines.into_iter().map(|line| paper.color.paint(tone, &line)).collect()
}

/// What is left at the answer.
fn left(at: &AtAnswer) -> Vec<String> {
    let latency =
        at.slowest().map(|(p95, stream)| format!("latency: p95 at most {} ms, of {stream}", millis(p95)));
    let left = cpu_left(at).map(|left| format!("left: {left}"));
    let headroom = weakest(at).map(|weakest| format!("headroom: {weakest}"));
    [latency, left, headroom].into_iter().flatten().collect()
}

/// Lines that fit the paper. The output of programs stays as it is.
pub(super) fn text(lines: &[String], paper: Paper) -> Vec<String> {
    let lines = lines.iter().map(|line| harmless_lines(line));
    let lines = lines.flat_map(|line| if line.starts_with("  | ") { vec![line] } else { paper.wrap(&line) });
    lines.map(|line| label(&line, paper)).collect()
}

/// A line whose first word says how grave it is, in its colour.
fn label(line: &str, paper: Paper) -> String {
    let words = [
        ("fails:", Tone::Bad),
        ("broken:", Tone::Bad),
        ("failed:", Tone::Bad),
        ("undecided:", Tone::Unsure),
        ("disturbed:", Tone::Unsure),
    ];
    let found = words.iter().find_map(|(word, tone)| Some((word, tone, line.strip_prefix(word)?)));
    found.map_or(line.to_owned(), |(word, tone, rest)| paper.color.paint(*tone, word) + rest)
}

fn tone_of(state: State) -> Option<Tone> {
    Some(match state {
        State::Holds => Tone::Good,
        State::Fails | State::Broken => Tone::Bad,
        State::Undecided | State::Disturbed => Tone::Unsure,
    })
}

/// `412..592`
fn seconds_of((begin, end): (u64, u64)) -> String {
    let seconds = |us: u64| (us as f64 / 1e6).round();
    format!("{}..{}", seconds(begin), seconds(end))
}

/// The stream, and the camera's name where the stream does not say it; its verdict unless it
/// holds.
fn stream(row: &CameraAtAnswer) -> String {
    let mut text = row.stream.clone();
    if !text.starts_with(&row.camera) {
        text.push_str(&format!("\n{}", row.camera));
    }
    if !row.verdict.is_good() && row.verdict != Verdict::NotJudged {
        text.push_str(&format!("\n{}", row.verdict));
    }
    text
}

/// A table with as many columns as fit, and a line that names the others.
pub(super) fn fitting<R>(layouts: &[&[Column<R>]], rows: &[R], paper: Paper) -> Vec<String> {
    let made = |layout: &[Column<R>], paper: Paper| {
        let header: Vec<&str> = layout.iter().map(|column| column.title).collect();
        let right: Vec<usize> = (0..layout.len()).filter(|n| layout[*n].is_figure).collect();
        let cells = |row: &R| layout.iter().map(|column| (column.value)(row)).collect::<Vec<Cell>>();
        grid(&header, &right, rows.iter().map(cells).collect(), paper)
    };
    let width = |layout: &&&[Column<R>]| {
        let lines = made(layout, Paper { width: None, ..Paper::PLAIN });
        lines.iter().map(|line| line.width()).max().unwrap_or(0)
    };
    let columns = paper.width.unwrap_or(usize::MAX);
    let layout = layouts.iter().find(|layout| width(layout) <= columns).or(layouts.last());
    let Some(layout) = layout else { return Vec::new() };
    let mut lines = made(layout, paper);
    let names = |layout: &[Column<R>]| layout.iter().map(|column| column.name).collect::<Vec<_>>();
    let all = layouts.first().map_or_else(Vec::new, |layout| names(layout));
    let is_missing = |name: &&str| !name.is_empty() && !names(layout).contains(name);
    let missing: Vec<&str> = all.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        lines.extend(
            paper.wrap(&format!("without room: {} (see the page, or a wider terminal)", missing.join(", "))),
        );
    }
    lines
}
