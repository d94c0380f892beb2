//! Whether anything grows from hour to hour: memory, open files, and frame rates that fall.
//!
//! Each quantity has a slope with an interval ([`stats::trend`]) and a verdict. The intervals hold
//! together: with n slopes, each has the confidence 1 - 0.001 / n, so a run without a leak has one
//! in a thousand times, however many streams it has. A *leak* is a steady rise that is surely above
//! zero and, as measured, at least as large as [`Quantity::matters`]. *None* is one that surely
//! grows less than that. A leak in steps has to show at least some: so *none* needs a window of
//! [`Quantity::least_for_none_us`], in which a leak that matters makes three on average (with
//! none seen, it is excluded at 95 %, the rule of three). And the last twelfth must not lie above all
//! that was before by half of what a leak that matters adds in that time: what begins shortly before
//! the end moves no level.
//!
//! `lp` itself keeps all samples of its first two hours, which is no leak but grows like one. So it
//! is judged from then on.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{machine, rounded};
use crate::collect::processes::{LP_FILES, LP_MEMORY, SCRIPTS_FILES, SCRIPTS_MEMORY};
use crate::record::build::MAX_POINTS;
use crate::record::long::Row;
use crate::record::{Pace, RunRecord, StreamRecord, WorkerRecord};
use crate::stats::{self, BATCHES, Trend};

/// How often a run without a leak may be said to have one.
const WRONG: f64 = 0.001;

/// A shorter window has no verdict.
pub const LEAST_US: u64 = 60_000_000;

/// From this length on, a report has the slopes also if nothing grows.
pub const SOAK_US: u64 = 600_000_000;

const MINUTE_US: u64 = 60_000_000;

/// By how much the common window of all streams may be shorter, as they do not begin at once.
const SLACK_US: u64 = 10_000_000;
const MIB: f64 = 1_048_576.0;

/// What may change from hour to hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Resident memory in bytes.
    Memory,
    /// Memory of a GPU in bytes.
    GpuMemory,
    /// Open files.
    Files,
    /// Frames per second.
    Fps,
}

impl Quantity {
    /// The least change of an hour that matters, in its unit: 10 MiB, 6 files, 1 % of a rate.
    fn matters(self) -> f64 {
        match self {
            Quantity::Memory | Quantity::GpuMemory => 10.0 * MIB,
            Quantity::Files => 6.0,
            Quantity::Fps => 0.01,
        }
    }

    /// The shortest window that can show that there is no leak, in microseconds. A file is a step of
    /// one; memory comes in steps of up to half a MiB (arenas of allocators).
    fn least_for_none_us(self) -> u64 {
        match self {
            Quantity::Files => 30 * MINUTE_US,
            Quantity::Memory | Quantity::GpuMemory | Quantity::Fps => 10 * MINUTE_US,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quantity::Memory => "memory",
            Quantity::GpuMemory => "GPU memory",
            Quantity::Files => "open files",
            Quantity::Fps => "fps",
        })
    }
}

/// What a slope means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoakVerdict {
    /// It grows steadily; of a frame rate, it falls.
    Leak,
    CannotTell,
    /// It changes less than what matters.
    None,
}

/// How a quantity changes over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoakFigures {
    /// `worker camera-3`, `scripts`, `lp`, `camera-3/1`, `gpu.card0.vram0.own`
    pub about: String,
    pub quantity: Quantity,
    /// The change in an hour: bytes, files, or frames per second; `None` if it cannot be computed.
    pub per_hour: Option<f64>,
    /// The range in which it lies.
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub verdict: SoakVerdict,
    /// Why it cannot be told.
    pub reason: Option<String>,
}

/// A quantity over time.
struct Course {
    about: String,
    quantity: Quantity,
    /// Those of its window.
    points: Vec<(u64, f64)>,
    /// The length of the window.
    window_us: u64,
    /// The least change of an hour that matters.
    matters: f64,
}

impl Course {
    fn new(
        about: String,
        quantity: Quantity,
        points: impl Iterator<Item = (u64, f64)>,
        (begin, end): (u64, u64),
    ) -> Course {
        let points = points.filter(|(at_us, _)| (begin..=end).contains(at_us)).collect();
        Course { about, quantity, points, window_us: end.saturating_sub(begin), matters: quantity.matters() }
    }
}

/// The slopes of a run, in the order of workers, scripts, `lp`, GPUs and streams.
pub(super) fn soak(record: &RunRecord) -> Vec<SoakFigures> {
    let courses = courses(record);
    let confidence = 1.0 - WRONG / courses.len().max(1) as f64;
    courses.into_iter().map(|course| judge(course, confidence)).collect()
}

fn judge(course: Course, confidence: f64) -> SoakFigures {
    let Course { about, quantity, points, window_us, matters } = course;
    // A rate that falls is the same as something that grows.
    let is_rate = quantity == Quantity::Fps;
    let sign = if is_rate { -1.0 } else { 1.0 };
    let growing: Vec<(u64, f64)> = points.iter().map(|(at_us, value)| (*at_us, sign * value)).collect();
    let trend = stats::trend(&growing, confidence);
    let cannot = |why: String| (SoakVerdict::CannotTell, Some(why));
    let (verdict, reason) = match &trend {
        _ if about == LP && window_us == 0 => {
            cannot("`lp` keeps all samples of its first two hours".to_owned())
        }
        _ if window_us + SLACK_US < LEAST_US => cannot("its window is shorter than a minute".to_owned()),
        None => cannot(format!("a {BATCHES}th of its window has no sample")),
        Some(trend) => verdict(trend, quantity, matters, window_us),
    };
    let ends = |trend: Trend| if is_rate { (-trend.high, -trend.low) } else { (trend.low, trend.high) };
    SoakFigures {
        about,
        quantity,
        per_hour: trend.map(|trend| figure(sign * trend.per_hour)),
        low: trend.map(|trend| figure(ends(trend).0)),
        high: trend.map(|trend| figure(ends(trend).1)),
        verdict,
        reason,
    }
}

/// Never -0, which looks like a fall.
fn figure(value: f64) -> f64 {
    rounded(value) + 0.0
}

fn verdict(trend: &Trend, quantity: Quantity, matters: f64, window_us: u64) -> (SoakVerdict, Option<String>) {
    let cannot = |why: String| (SoakVerdict::CannotTell, Some(why));
    if trend.low > 0.0 && trend.is_steady && trend.per_hour >= matters {
        return (SoakVerdict::Leak, None);
    }
    if trend.high >= matters {
        return cannot(match () {
            () if trend.low > 0.0 && !trend.is_steady => "it grows, and ever more slowly".to_owned(),
            () if trend.low > 0.0 => "it grows, but hardly as much as matters".to_owned(),
            () => "it changes too much from minute to minute".to_owned(),
        });
    }
    let of_a_span = matters * window_us as f64 / 3.6e9 / BATCHES as f64;
    if trend.new_heights > of_a_span / 2.0 {
        return cannot(format!("its last {BATCHES}th reaches what was not there before"));
    }
    let least_us = quantity.least_for_none_us();
    if window_us + SLACK_US < least_us {
        return cannot(format!("only a window of {} minutes shows that it does not", least_us / MINUTE_US));
    }
    (SoakVerdict::None, None)
}

const LP: &str = "lp";

fn courses(record: &RunRecord) -> Vec<Course> {
    let Some(window) = machine::common_window(record, |_| true) else { return Vec::new() };
    let mut courses = Vec::new();
    for worker in record.workers.iter().chain(&record.server).filter(|worker| worker.death.is_none()) {
        courses.extend(of_worker(worker, window));
    }
    let series = |about: &str, quantity: Quantity, name: &str, from_us: u64| {
        let series = record.series_of(name)?;
        Some(Course::new(about.to_owned(), quantity, series.points(), (window.0.max(from_us), window.1)))
    };
    courses.extend(series("scripts", Quantity::Memory, SCRIPTS_MEMORY, 0));
    courses.extend(series("scripts", Quantity::Files, SCRIPTS_FILES, 0));
    let streams =
        || record.members.iter().flat_map(|member| member.streams.iter().map(move |one| (member, one)));
    // So many seconds have all their samples. A row of a long window has 48 bytes.
    let of_lp = series(LP, Quantity::Memory, LP_MEMORY, MAX_POINTS as u64 * 1_000_000);
    courses.extend(
        of_lp.map(|of_lp| Course { matters: of_lp.matters + streams().count() as f64 * 0.25 * MIB, ..of_lp }),
    );
    courses.extend(series(LP, Quantity::Files, LP_FILES, 0));
    for one in record.series.iter().filter(|one| one.unit == "By" && one.name.starts_with("gpu.")) {
        // `gpu.nvidia0.memory.vram`
        let about = one.name.replacen(".memory", "", 1);
        courses.extend(series(&about, Quantity::GpuMemory, &one.name, 0));
    }
    if record.conditions.pace == Pace::Live {
        courses.extend(streams().filter_map(|(member, stream)| of_stream(stream, member.target_fps)));
    }
    courses
}

fn of_worker(worker: &WorkerRecord, window: (u64, u64)) -> impl Iterator<Item = Course> {
    let about = format!("worker {}", worker.name);
    let memory = worker.samples.iter().map(|sample| (sample.at_us, sample.rss as f64));
    let memory = Course::new(about.clone(), Quantity::Memory, memory, window);
    let files = worker.samples.iter().filter_map(|sample| Some((sample.at_us, f64::from(sample.files?))));
    let files = Course::new(about, Quantity::Files, files, window);
    std::iter::once(memory).chain(Some(files).filter(|files| !files.points.is_empty()))
}

/// The frame rate of a stream that did not fail: of whole seconds, or rows of a long window.
fn of_stream(stream: &StreamRecord, target_fps: f64) -> Option<Course> {
    let window = stream.window_us.filter(|_| stream.failure.is_none())?;
    let points: Vec<(u64, f64)> = match &stream.long {
        None => {
            let seconds = stats::whole_seconds(&stream.arrived_us, window);
            (0..).zip(seconds).map(|(n, frames)| (window.0 + n * 1_000_000, frames.len() as f64)).collect()
        }
        Some(long) => {
            let n_rows = (window.1 - window.0) / long.row_us;
            // No row is kept after the last frame.
            let rows = long.rows.iter().copied().chain(std::iter::repeat(Row::default()));
            let fps = |row: Row| f64::from(row.frames) * 1e6 / long.row_us as f64;
            (0..n_rows).zip(rows).map(|(n, row)| (window.0 + n * long.row_us, fps(row))).collect()
        }
    };
    let course = Course::new(stream.stream.clone(), Quantity::Fps, points.into_iter(), window);
    Some(Course { matters: course.matters * target_fps, ..course })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::collect::Series;
    use crate::record::fixture::{S, Story, member, setup};
    use crate::worker::protocol::EventBody;

    const M: u64 = 1 << 20;

    /// A run of `length` seconds in which a worker's memory and open files are these, by the second.
    fn run(length: u64, rss: impl Fn(u64) -> u64, files: impl Fn(u64) -> u32) -> RunRecord {
        let camera = member("till", "till", 10.0, &[(&["scan"], 0)]);
        let mut story = Story::new(setup(Pace::Live, length, 2, &["till"], vec![camera]));
        for second in 0..length + 4 {
            story.play(0, "till/1", second, second + 1, 10);
            let (rss, files) = (rss(second), Some(files(second)));
            story.say(0, (second + 1) * S + 1, EventBody::Process { cpu_us: second, rss, files });
            let series = [(LP_MEMORY, "By"), ("gpu.card0.memory.vram0.own", "By"), (SCRIPTS_FILES, "{file}")];
            let series = series.map(|(name, unit)| Series { name: name.to_owned(), unit });
            let values = [9.0 * MIB, 2e9 + rss as f64, 7.0].map(Some);
            story.builder.collected((second + 1) * S * 1_000 + 2, &series, &values);
        }
        story.builder.finish()
    }

    #[track_caller]
    fn check(record: &RunRecord, expect: Expect) {
        let line = |one: SoakFigures| {
            let number =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
            let slope = [one.per_hour, one.low, one.high].map(number).join(" ");
            let reason = one.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{} {}: {slope} {:?}{reason}\n", one.about, one.quantity, one.verdict)
        };
        expect.assert_eq(&soak(record).into_iter().map(line).collect::<String>());
    }

    #[test]
    fn a_leak_of_a_worker_and_of_a_gpu_is_found_in_ten_minutes() {
        let record = run(600, |second| 60 * M + second * 10_000_000 / 60, |second| (20 + second / 60) as u32);
        check(
            &record,
            expect![[r#"
                worker till memory: 601001670 601001667 601001672 Leak
                worker till open files: 59 31 87 Leak
                scripts open files: 0 0 0 CannotTell: only a window of 30 minutes shows that it does not
                lp memory: - - - CannotTell: `lp` keeps all samples of its first two hours
                gpu.card0.vram0.own GPU memory: 600545455 596652592 604438318 Leak
                till/1 fps: 0 0 0 None
            "#]],
        );
    }

    #[test]
    fn a_minute_shows_a_fast_leak_and_no_absence() {
        check(
            &run(60, |second| 60 * M + second * 10 * M, |_| 20),
            expect![[r#"
                worker till memory: 38388545085 38388545085 38388545085 Leak
                worker till open files: 0 0 0 CannotTell: only a window of 30 minutes shows that it does not
                scripts open files: 0 0 0 CannotTell: only a window of 30 minutes shows that it does not
                lp memory: - - - CannotTell: `lp` keeps all samples of its first two hours
                gpu.card0.vram0.own GPU memory: 38091906327 35642728734 40541083921 Leak
                till/1 fps: 0 0 0 CannotTell: only a window of 10 minutes shows that it does not
            "#]],
        );
        check(
            &run(30, |second| 60 * M + second * 10 * M, |_| 20),
            expect![[r#"
                worker till memory: 38340408978 33273144991 43407672965 CannotTell: its window is shorter than a minute
                worker till open files: 0 0 0 CannotTell: its window is shorter than a minute
                scripts open files: 0 0 0 CannotTell: its window is shorter than a minute
                lp memory: - - - CannotTell: `lp` keeps all samples of its first two hours
                gpu.card0.vram0.own GPU memory: 38435076655 33536721467 43333431842 CannotTell: its window is shorter than a minute
                till/1 fps: 0 0 0 CannotTell: its window is shorter than a minute
            "#]],
        );
    }

    #[test]
    fn without_growth_there_is_none_after_half_an_hour() {
        check(
            &run(1_800, |second| 60 * M + (second % 7) * 4_096, |_| 20),
            expect![[r#"
                worker till memory: 118 -20327 20562 None
                worker till open files: 0 0 0 None
                scripts open files: 0 0 0 None
                lp memory: - - - CannotTell: `lp` keeps all samples of its first two hours
                gpu.card0.vram0.own GPU memory: 5 -20629 20638 None
                till/1 fps: 0 0 0 None
            "#]],
        );
    }

    #[test]
    fn a_leak_that_begins_at_the_end_or_in_peaks_is_not_none() {
        // Of 30 MiB an hour from 95 % on, 11 MiB an hour from 90 % on, and peaks that grow by 500.
        let late =
            |from: u64, per_hour: u64| move |second: u64| per_hour * M * second.saturating_sub(from) / 3_600;
        let peaks = |second: u64| if second.is_multiple_of(4) { 500 * M * second / 3_600 } else { 0 };
        let reason = Some("its last 12th reaches what was not there before");
        for leak in [&late(3_420, 30) as &dyn Fn(u64) -> u64, &late(3_240, 11), &peaks] {
            let noise = |second: u64| (second * 7_919 % 13) * 4_096;
            let record = run(3_600, |second| 60 * M + noise(second) + leak(second), |_| 20);
            let found = soak(&record).into_iter().next().unwrap();
            assert_eq!(
                (found.verdict, found.reason.as_deref()),
                (SoakVerdict::CannotTell, reason),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_rate_that_falls_is_found_also_in_a_long_window() {
        let camera = member("till", "till", 20.0, &[(&["scan"], 0)]);
        let mut story = Story::new(setup(Pace::Live, 4_000, 2, &["till"], vec![camera]));
        for second in 0..4_004 {
            story.play(0, "till/1", second, second + 1, 20 - second / 500);
        }
        check(
            &story.builder.finish(),
            expect![[r#"
                worker till memory: - - - CannotTell: a 12th of its window has no sample
                till/1 fps: -7 -12 -2 Leak
            "#]],
        );
    }

    #[test]
    fn nothing_measured_has_no_slopes() {
        let camera = member("till", "till", 10.0, &[(&["scan"], 0)]);
        assert!(
            soak(&Story::new(setup(Pace::Live, 60, 2, &["till"], vec![camera])).builder.finish()).is_empty()
        );
    }
}
