//! The lane while it is measured: a headline and a row per camera, for a terminal.
//!
//! [`Lane`] is pure: it gets the run's moments and the time, and returns lines. Where
//! the terminal has too few rows for all cameras, those in trouble come first. The
//! verdicts are the report's; here it is only "so far".
//!
//! Not here: drawing in place (`region`), and a line per camera and second (`seconds`).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr;

use super::region::{Size, cut};
use crate::collect::{machine, processes};
use crate::diag::{Color, Tone};
use crate::model::Limits;
use crate::pipeline::removal::Removal;
use crate::record::Pace;
use crate::record::build::{Phase, RecordBuilder, StreamMoment};
use crate::record::measure::{SoFar, number, so_far};
use crate::search::limiter::experiment;
use crate::search::{Ask, Goal};
use crate::text::{counted, harmless, plural};

/// The state of all cameras.
#[derive(Debug)]
pub(super) struct Lane {
    pace: Pace,
    limits: Limits,
    /// Zero: until stopped.
    duration: Duration,
    /// What a search measures: `7 lanes, to be sure`.
    searched: Option<String>,
    rows: Vec<Row>,
    machine: Machine,
    measured: Duration,
    /// When the newest moment came.
    seen: Instant,
    /// When the last window is complete, as far as that is known.
    ends: Option<Instant>,
}

/// The use of the machine: shares of all cores, and bytes. `None` is not known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    cpu: Option<f64>,
    /// Of workers, scripts and `lp`.
    own: Option<f64>,
    /// Of other programs, as far as they are seen.
    others: Option<f64>,
    memory: Option<f64>,
}

/// A camera, or a copy of one.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    target: f64,
    phase: Phase,
    fps: Option<f64>,
    on_time: Option<f64>,
    latency_us: Option<u32>,
    worker_cpu: Option<f64>,
    /// Frames of the newest seconds.
    seconds: Vec<u32>,
    dropped: Option<u64>,
    so_far: Option<SoFar>,
}

/// The width of a name that no other column takes.
const LEAST_NAME: usize = 8;

/// A later end than expected is believed from here on; less comes from the age of
/// reports.
const LATER: Duration = Duration::from_secs(2);

impl Lane {
    pub(super) fn new(pace: Pace, limits: Limits, duration: Duration, now: Instant) -> Lane {
        let measured = Duration::ZERO;
        Lane {
            pace,
            limits,
            duration,
            searched: None,
            rows: Vec::new(),
            machine: Machine::default(),
            measured,
            seen: now,
            ends: None,
        }
    }

    /// Takes in what a search measures from now on.
    pub(super) fn search(&mut self, ask: &Ask) {
        let goal = if ask.goal == Goal::Confirm { ", to be sure" } else { "" };
        self.searched = Some(format!("{}{goal}", counted(ask.lanes, "lane")));
        // Free pace has no target.
        self.pace = Pace::Live;
        (self.duration, self.ends, self.rows) = (Duration::ZERO, None, Vec::new());
    }

    /// A load that fails is played without this.
    pub(super) fn experiment(&mut self, removal: &Removal) {
        self.searched = Some(format!("what limits it: {}", experiment(removal)));
        (self.ends, self.rows) = (None, Vec::new());
    }

    /// Whether the measurement has begun.
    pub(super) fn is_measured(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Takes in the run at a moment.
    pub(super) fn see(&mut self, moment: &[StreamMoment<'_>], machine: Machine, now: Instant) {
        let mut copies: HashMap<&str, HashSet<&str>> = HashMap::new();
        for stream in moment {
            copies.entry(&stream.member.camera).or_default().insert(stream.member.slug.as_str());
        }
        let (mut rows, mut places): (Vec<Row>, HashMap<&str, usize>) = Default::default();
        for stream in moment {
            let state = so_far(stream, self.pace, &self.limits);
            let slug = stream.member.slug.as_str();
            let dropped = stream.frames.map(|(_, dropped)| dropped);
            let Some(place) = places.get(slug) else {
                let camera = &stream.member.camera;
                let name = if copies[&**camera].len() > 1 { slug.into() } else { harmless(camera) };
                places.insert(slug, rows.len());
                rows.push(Row {
                    name: name.into_owned(),
                    target: stream.member.target_fps,
                    phase: stream.phase,
                    fps: stream.fps,
                    on_time: stream.on_time,
                    latency_us: stream.latency_us,
                    worker_cpu: stream.worker_cpu,
                    seconds: stream.seconds.clone(),
                    dropped,
                    so_far: state,
                });
                continue;
            };
            let row = &mut rows[*place];
            // A camera is where its slowest pipeline is.
            row.phase = match (row.phase, stream.phase) {
                (Phase::Failed, _) | (_, Phase::Failed) => Phase::Failed,
                (one, other) => one.min(other),
            };
            row.fps = row.fps.into_iter().chain(stream.fps).reduce(f64::min);
            row.on_time = row.on_time.into_iter().chain(stream.on_time).reduce(f64::min);
            row.latency_us = row.latency_us.max(stream.latency_us);
            let sum = |seconds: &[u32]| seconds.iter().copied().map(u64::from).sum::<u64>();
            if !stream.seconds.is_empty() && sum(&stream.seconds) < sum(&row.seconds) {
                row.seconds.clone_from(&stream.seconds);
            }
            row.dropped = row.dropped.into_iter().chain(dropped).reduce(|one, other| one + other);
            row.so_far = row.so_far.max(state);
        }
        self.rows = rows;
        self.machine = machine;
        self.seen = now;
        self.measured = Duration::from_micros(moment.iter().map(|one| one.measured_us).max().unwrap_or(0));
        let left = moment.iter().map(|one| one.left_us).max().flatten();
        let ends = left.map(|left| now + Duration::from_micros(left));
        self.ends = match (self.ends, ends) {
            (Some(known), Some(ends)) if ends < known + LATER => Some(known.min(ends)),
            (_, ends) => ends,
        };
    }

    fn count(&self, is_counted: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| is_counted(row)).count()
    }

    /// "12 s of 30 s", "7 lanes: 12 s"
    fn progress(&self, now: Instant) -> String {
        let searched = self.searched.as_ref().map_or_else(String::new, |searched| format!("{searched}: "));
        format!("{searched}{}", self.passed(now))
    }

    fn passed(&self, now: Instant) -> String {
        let is_measuring = self.rows.iter().any(|row| row.phase >= Phase::Measuring);
        if !is_measuring {
            let is_warm = self.rows.iter().any(|row| row.phase == Phase::WarmingUp);
            return if is_warm { "warming up" } else { "starting" }.to_owned();
        }
        let is_over = self.rows.iter().all(|row| row.phase >= Phase::Ended);
        let since = if is_over { Duration::ZERO } else { now.saturating_duration_since(self.seen) };
        let measured = self.measured + since;
        if self.pace == Pace::Free || self.duration.is_zero() {
            return format!("{} s", measured.as_secs());
        }
        format!("{} s of {} s", measured.min(self.duration).as_secs(), number(self.duration.as_secs_f64()))
    }

    /// "30 of 36 cameras on target, 2 failed"
    fn standing(&self) -> Vec<(Option<Tone>, String)> {
        let n = self.rows.len();
        let failed = self.count(|row| row.phase == Phase::Failed);
        let good = self.count(Row::is_on_target);
        let known = self.count(|row| row.so_far.is_some());
        let mut parts = Vec::new();
        if self.pace == Pace::Live && (known > 0 || failed > 0) {
            let tone = match good {
                good if good == n => Some(Tone::Good),
                _ if self.rows.iter().any(|row| row.tone() == Some(Tone::Bad)) => Some(Tone::Bad),
                _ => Some(Tone::Unsure),
            };
            parts.push((tone, format!("{good} of {n} {} on target", plural(n, "camera"))));
        } else {
            parts.push((None, format!("{n} {}", plural(n, "camera"))));
        }
        if failed > 0 {
            parts.push((Some(Tone::Bad), format!("{failed} failed")));
        }
        parts
    }

    /// "12 s of 30 s: 6 of 6 cameras on target", where nothing can be redrawn.
    pub(super) fn summary(&self, now: Instant, color: Color) -> String {
        let parts = self.standing().into_iter();
        let parts = parts.map(|(tone, text)| tone.map_or(text.clone(), |tone| color.paint(tone, &text)));
        format!("{}: {}", self.progress(now), parts.collect::<Vec<_>>().join(", "))
    }

    /// The headline, the table and a line of the machine, in at most so many lines.
    pub(super) fn lines(&self, now: Instant, size: Size, color: Color) -> Vec<String> {
        let mut lines = vec![self.headline(now, size.line(), color)];
        // The line above stays in sight.
        let room = size.rows.saturating_sub(1);
        let machine = self.machine.line().filter(|_| room >= 5);
        // The headline, the head of the table and the line of the machine.
        let room = room.saturating_sub(2 + usize::from(machine.is_some()));
        if room == 0 || self.rows.is_empty() {
            return lines;
        }
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        let mut hidden = Vec::new();
        if rows.len() > room {
            rows.sort_by_key(|row| row.trouble());
            hidden = rows.split_off(room - 1);
        }
        lines.extend(table(&rows, size.line(), color));
        if !hidden.is_empty() {
            lines.push(cut(&more(&hidden), size.line()));
        }
        lines.extend(machine.map(|line| cut(&line, size.line())));
        lines
    }

    fn headline(&self, now: Instant, columns: usize, color: Color) -> String {
        let mut parts = vec![(None, self.progress(now))];
        let left = self.ends.map(|ends| ends.saturating_duration_since(now));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            parts.push((None, format!("{} s left", left.as_secs_f64().ceil())));
        } else if self.pace == Pace::Live && self.duration.is_zero() && self.searched.is_none() {
            parts.push((None, "until Ctrl-C".to_owned()));
        }
        parts.extend(self.standing());
        let (mut line, mut used) = (String::new(), 0);
        for (tone, text) in parts {
            let comma = if used == 0 { "" } else { ", " };
            if used > 0 && used + comma.len() + text.width() > columns {
                break;
            }
            used += comma.len() + text.width();
            let text = cut(&text, columns);
            line.push_str(comma);
            line.push_str(&tone.map_or(text.clone(), |tone| color.paint(tone, &text)));
        }
        line
    }
}

impl Machine {
    /// The newest values of the collectors.
    pub(super) fn of(run: &RecordBuilder) -> Machine {
        let own = [processes::WORKERS, processes::SCRIPTS, processes::LP];
        Machine {
            cpu: run.latest(machine::CPU),
            own: own.iter().map(|series| run.latest(series)).sum(),
            others: run.latest(processes::FOREIGN),
            memory: run.latest(machine::MEMORY),
        }
    }

    /// `machine: CPU 84 %, 60 % by this run, 20 % by other programs; memory 1.4 GiB`
    fn line(&self) -> Option<String> {
        let mut line = format!("machine: CPU {:.0} %", self.cpu? * 100.0);
        if let Some((own, others)) = self.own.zip(self.others) {
            let (own, others) = (own * 100.0, others * 100.0);
            line.push_str(&format!(", {own:.0} % by this run, {others:.0} % by other programs"));
        }
        if let Some(bytes) = self.memory {
            line.push_str(&format!("; memory {:.1} GiB", bytes / f64::from(1 << 30)));
        }
        Some(line)
    }
}

impl Row {
    fn is_on_target(&self) -> bool {
        self.phase != Phase::Failed && self.so_far == Some(SoFar::OnTarget)
    }

    /// Those in trouble first.
    fn trouble(&self) -> (u8, std::cmp::Reverse<Option<SoFar>>) {
        let phase = match self.phase {
            Phase::Failed => 0,
            _ if self.so_far.is_some_and(|so_far| so_far > SoFar::OnTarget) => 1,
            _ if self.so_far.is_none() => 2,
            _ => 3,
        };
        (phase, std::cmp::Reverse(self.so_far))
    }

    fn state(&self) -> &'static str {
        match self.phase {
            Phase::Starting => "starting",
            Phase::WarmingUp => "warming up",
            Phase::Measuring => "measuring",
            Phase::Ended => "ended",
            Phase::Failed => "failed",
        }
    }

    fn word(&self) -> &'static str {
        match self.so_far {
            _ if self.phase == Phase::Failed => "failed",
            None => "-",
            Some(SoFar::OnTarget) => "on target",
            Some(SoFar::Close) => "close",
            Some(SoFar::SlowSource) => "slow source",
            Some(SoFar::BelowTarget) => "below target",
        }
    }

    fn tone(&self) -> Option<Tone> {
        match self.so_far {
            _ if self.phase == Phase::Failed => Some(Tone::Bad),
            None => None,
            Some(SoFar::OnTarget) => Some(Tone::Good),
            Some(SoFar::Close | SoFar::SlowSource) => Some(Tone::Unsure),
            Some(SoFar::BelowTarget) => Some(Tone::Bad),
        }
    }

    /// A bar for each of the newest seconds, full where it has the target's frames.
    fn bars(&self) -> String {
        const BARS: [char; 8] =
            ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
        let bar = |frames: &u32| {
            // A second may have one frame less, by where its borders fall.
            let share = (f64::from(*frames) + 1.0) / self.target;
            let level = if *frames == 0 { 0.0 } else { (share * 7.0).clamp(1.0, 7.0) };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
            BARS[level as usize]
        };
        self.seconds.iter().map(bar).collect()
    }

    fn cells(&self) -> [String; N_COLUMNS] {
        let fps = self.fps.map_or("-".to_owned(), |fps| format!("{fps:.2}"));
        // Cut, as 99.96 % is not all.
        let on_time = self.on_time.filter(|_| self.phase >= Phase::Measuring);
        let word = if self.word() == "-" { self.state() } else { self.word() };
        [
            self.name.clone(),
            format!("{fps} of {}", number(self.target)),
            on_time.map_or("-".to_owned(), |share| format!("{} %", (share * 1000.0).floor() / 10.0)),
            self.dropped.map_or("-".to_owned(), |dropped| dropped.to_string()),
            self.latency_us.map_or("-".to_owned(), |us| format!("{:.1} ms", f64::from(us) / 1000.0)),
            self.worker_cpu.map_or("-".to_owned(), |cpu| format!("{:.0} %", cpu * 100.0)),
            self.bars(),
            word.to_owned(),
        ]
    }
}

const N_COLUMNS: usize = 8;

const HEAD: [&str; N_COLUMNS] = ["camera", "fps", "on time", "dropped", "p95", "CPU", "last 8 s", "so far"];

/// The column of the word.
const WORD: usize = 7;

/// The columns that are left out one after the other where there is no room.
const OPTIONAL: [usize; 6] = [6, 5, 4, 3, 2, 1];

/// Whether a column is aligned at its right.
fn is_right(column: usize) -> bool {
    (1..=5).contains(&column)
}

/// The head and a line per camera.
fn table(rows: &[&Row], columns: usize, color: Color) -> Vec<String> {
    let cells: Vec<[String; N_COLUMNS]> = rows.iter().map(|row| row.cells()).collect();
    let head = HEAD.map(str::to_owned);
    let mut widths: [usize; N_COLUMNS] = std::array::from_fn(|column| {
        let all = cells.iter().chain([&head]).map(|row| row[column].width());
        all.max().unwrap_or(0)
    });
    // A word that changes moves no other column.
    widths[WORD] = widths[WORD].max("below target".len());
    let mut shown: Vec<usize> = (0..HEAD.len()).collect();
    let others = |shown: &[usize]| shown.iter().skip(1).map(|column| widths[*column] + 2).sum::<usize>();
    for column in OPTIONAL {
        if others(&shown) + widths[0].min(LEAST_NAME) > columns {
            shown.retain(|one| *one != column);
        }
    }
    let name = widths[0].min(columns.saturating_sub(others(&shown)));
    let line = |row: &[String; N_COLUMNS], tone: Option<Tone>, head: bool| {
        let mut line = String::new();
        for column in &shown {
            let width = if *column == 0 { name } else { widths[*column] };
            let text = cut(&row[*column], width);
            let pad = " ".repeat(width - text.width());
            let tone = if head { Some(Tone::Head) } else { tone.filter(|_| *column == WORD) };
            let painted = tone.map_or(text.clone(), |tone| color.paint(tone, &text));
            let gap = if *column == 0 { "" } else { "  " };
            line.push_str(&match is_right(*column) {
                true => format!("{gap}{pad}{painted}"),
                false => format!("{gap}{painted}{pad}"),
            });
        }
        line.trim_end().to_owned()
    };
    let lines = rows.iter().zip(&cells).map(|(row, cells)| line(cells, row.tone(), false));
    std::iter::once(line(&head, None, true)).chain(lines).map(|line| fitting(line, columns)).collect()
}

/// A line that is too wide because not even the words fit: without colours, and cut.
fn fitting(line: String, columns: usize) -> String {
    if super::region::width(&line) <= columns { line } else { cut(&super::plain::plain(&line), columns) }
}

/// "and 20 more on target", or "and 20 more: 18 on target, 2 close"
fn more(hidden: &[&Row]) -> String {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for row in hidden {
        let word = if row.word() == "-" { row.state() } else { row.word() };
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, n)) => *n += 1,
            None => words.push((word, 1)),
        }
    }
    match words.as_slice() {
        [(word, n)] => format!("and {n} more {word}"),
        words => {
            let words: Vec<String> = words.iter().map(|(word, n)| format!("{n} {word}")).collect();
            format!("and {} more: {}", hidden.len(), words.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::build::MemberSetup;
    use crate::record::fixture;

    /// Of each camera its name, phase, frames and drops in 12 s at 15 fps.
    type Camera<'a> = (&'a str, Phase, u64, u64);

    fn lane(cameras: &[Camera<'_>], now: Instant) -> Lane {
        let members: Vec<MemberSetup> =
            cameras.iter().map(|(name, ..)| fixture::member(name, name, 15.0, &[])).collect();
        let moment: Vec<StreamMoment<'_>> = cameras
            .iter()
            .zip(&members)
            .map(|((_, phase, frames, dropped), member)| {
                let is_known = *phase >= Phase::Measuring;
                StreamMoment {
                    stream: "a/1",
                    member,
                    phase: *phase,
                    measured_us: if is_known { 12_000_000 } else { 0 },
                    left_us: Some(18_000_000),
                    fps: is_known.then(|| *frames as f64 / 12.0),
                    frames: Some((*frames, *dropped)),
                    delivered: None,
                    seconds: if is_known { vec![15, 14, 8, 0, 15, 15, 14, 15] } else { Vec::new() },
                    on_time: is_known.then_some(0.9996),
                    worker_cpu: is_known.then_some(0.124),
                    latency_us: is_known.then_some(5_430),
                }
            })
            .collect();
        let mut lane = Lane::new(Pace::Live, Limits::default(), Duration::from_secs(30), now);
        let machine = Machine { cpu: Some(0.843), own: Some(0.6), others: Some(0.22), memory: Some(1.5e9) };
        lane.see(&moment, machine, now);
        lane
    }

    const FOUR: [Camera<'static>; 4] = [
        ("camera-1", Phase::Measuring, 180, 0),
        ("Kasse Süd 日本 of a long name", Phase::Measuring, 66, 110),
        ("camera-3", Phase::WarmingUp, 0, 0),
        ("camera-4", Phase::Failed, 12, 0),
    ];

    #[track_caller]
    fn check(cameras: &[Camera<'_>], columns: usize, rows: usize, expect: Expect) {
        let now = Instant::now();
        let lines = lane(cameras, now).lines(now, Size { columns, rows }, Color::Never);
        assert!(lines.iter().all(|line| line.width() < columns), "{lines:#?}");
        assert!(lines.len() < rows, "{lines:#?}");
        expect.assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn a_row_per_camera_at_three_widths() {
        check(
            &FOUR,
            120,
            24,
            expect![[r#"
                12 s of 30 s, 18 s left, 1 of 4 cameras on target, 1 failed
                camera                                 fps  on time  dropped     p95   CPU  last 8 s  so far
                camera-1                       15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  on target
                Kasse Süd 日本 of a long name   5.50 of 15   99.9 %      110  5.4 ms  12 %  ██▅▁████  below target
                camera-3                           - of 15        -        0       -     -            warming up
                camera-4                        1.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  failed
                machine: CPU 84 %, 60 % by this run, 22 % by other programs; memory 1.4 GiB
            "#]],
        );
        check(
            &FOUR,
            80,
            24,
            expect![[r#"
                12 s of 30 s, 18 s left, 1 of 4 cameras on target, 1 failed
                camera              fps  on time  dropped     p95   CPU  last 8 s  so far
                camera-1    15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  on target
                Kasse S...   5.50 of 15   99.9 %      110  5.4 ms  12 %  ██▅▁████  below target
                camera-3        - of 15        -        0       -     -            warming up
                camera-4     1.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  failed
                machine: CPU 84 %, 60 % by this run, 22 % by other programs; memory 1.4 GiB
            "#]],
        );
        check(
            &FOUR,
            40,
            24,
            expect![[r#"
                12 s of 30 s, 18 s left
                camera                fps  so far
                camera-1      15.00 of 15  on target
                Kasse Süd...   5.50 of 15  below target
                camera-3          - of 15  warming up
                camera-4       1.00 of 15  failed
                machine: CPU 84 %, 60 % by this run,...
            "#]],
        );
        check(
            &FOUR,
            16,
            24,
            expect![[r#"
                12 s of 30 s
                .  so far
                .  on target
                .  below target
                .  warming up
                .  failed
                machine: CPU...
            "#]],
        );
    }

    #[test]
    fn those_in_trouble_come_first_where_not_all_fit() {
        let names: Vec<String> = (1..=36).map(|n| format!("camera-{n}")).collect();
        let mut cameras: Vec<Camera<'_>> =
            names.iter().map(|name| (name.as_str(), Phase::Measuring, 180, 0)).collect();
        cameras[19].2 = 100;
        cameras[29].1 = Phase::Failed;
        check(
            &cameras,
            80,
            10,
            expect![[r#"
                12 s of 30 s, 18 s left, 34 of 36 cameras on target, 1 failed
                camera             fps  on time  dropped     p95   CPU  last 8 s  so far
                camera-30  15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  failed
                camera-20   8.33 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  below target
                camera-1   15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  on target
                camera-2   15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  on target
                camera-3   15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  on target
                and 31 more on target
                machine: CPU 84 %, 60 % by this run, 22 % by other programs; memory 1.4 GiB
            "#]],
        );
        cameras[2].1 = Phase::Starting;
        check(
            &cameras,
            80,
            5,
            expect![[r#"
                12 s of 30 s, 18 s left, 33 of 36 cameras on target, 1 failed
                camera             fps  on time  dropped     p95   CPU  last 8 s  so far
                camera-30  15.00 of 15   99.9 %        0  5.4 ms  12 %  ██▅▁████  failed
                and 35 more: 1 below target, 1 starting, 33 on target
            "#]],
        );
        check(
            &cameras,
            80,
            3,
            expect![[r#"
                12 s of 30 s, 18 s left, 33 of 36 cameras on target, 1 failed
            "#]],
        );
    }

    #[test]
    fn the_countdown_goes_on_between_two_moments_and_never_back() {
        let now = Instant::now();
        let mut lane = lane(&FOUR, now);
        let size = Size { columns: 120, rows: 2 };
        let head =
            |lane: &Lane, s: u64| lane.lines(now + Duration::from_secs(s), size, Color::Never).remove(0);
        assert!(head(&lane, 0).starts_with("12 s of 30 s, 18 s left, 1 of 4 cameras"), "{}", head(&lane, 0));
        assert!(head(&lane, 1).starts_with("13 s of 30 s, 17 s left, "));
        // A report that is a second old.
        let member = fixture::member("a", "a", 15.0, &[]);
        let mut stream = StreamMoment {
            stream: "a/1",
            member: &member,
            phase: Phase::Measuring,
            measured_us: 12_000_000,
            left_us: Some(18_000_000),
            fps: Some(15.0),
            frames: Some((180, 0)),
            delivered: None,
            seconds: Vec::new(),
            on_time: None,
            latency_us: None,
            worker_cpu: None,
        };
        lane.see(std::slice::from_ref(&stream), Machine::default(), now + Duration::from_secs(1));
        assert!(
            head(&lane, 1).starts_with("12 s of 30 s, 17 s left, 1 of 1 camera on"),
            "{}",
            head(&lane, 1)
        );
        (stream.phase, stream.measured_us, stream.left_us) = (Phase::Ended, 30_000_000, Some(0));
        lane.see(&[stream], Machine::default(), now + Duration::from_secs(20));
        assert!(head(&lane, 21).starts_with("30 s of 30 s, 1 of 1 camera on target"), "{}", head(&lane, 21));
    }

    #[test]
    fn the_lane_is_summed_where_nothing_is_redrawn() {
        let now = Instant::now();
        let summary = lane(&FOUR, now).summary(now, Color::Never);
        assert_eq!(summary, "12 s of 30 s: 1 of 4 cameras on target, 1 failed");
        let summary = lane(&FOUR[..1], now).summary(now, Color::Always);
        assert_eq!(summary, "12 s of 30 s: \x1b[1m\x1b[32m1 of 1 camera on target\x1b[0m");
    }

    #[test]
    fn a_colour_takes_no_room() {
        let now = Instant::now();
        let lane = lane(&FOUR, now);
        for columns in [10, 16, 24, 40, 80, 120] {
            let size = Size { columns, rows: 24 };
            let plain: Vec<String> = lane.lines(now, size, Color::Never);
            let painted = lane.lines(now, size, Color::Always);
            let seen: Vec<String> = painted.iter().map(|line| super::super::plain::plain(line)).collect();
            assert_eq!(seen, plain);
        }
    }
}
