//! The metrics that thresholds limit, comparisons compare and every form of a report names alike.
//!
//! A [`Metric`] is a figure of a run with one name (`lateness.p95`), one unit, a direction (is more
//! of it better?), a scope (is it of a stream, a camera or the lane?), and the smallest change that
//! matters to a user. [`Metric::value`] reads it from a [`Measurement`]; where it is absent, the error
//! says why, so nobody takes an absent figure for a good one.
//!
//! A metric of streams has a value for a camera and for the lane as well: that of the worst stream,
//! and none if one of the streams has none. A metric of cameras (`cpu_per_frame`, `rss`) is that of the
//! camera's own worker; its value for the lane is of all workers together.
//!
//! Not here: how a figure is computed (`record::measure`).

use std::fmt;

use super::Pace;
use super::measure::{Measurement, StreamFigures, Verdict, WorkerFigures, number};
use crate::name::Slug;

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    Fps,
    FpsP5,
    FpsMin,
    FpsTotal,
    OnTime,
    Goodput,
    Dropped,
    LatencyP50,
    LatencyP95,
    LatencyP99,
    LatencyMax,
    LatenessP50,
    LatenessP95,
    LatenessP99,
    LatenessMax,
    Delay,
    Jitter,
    LongestGap,
    StartUp,
    Recall,
    Precision,
    Seen,
    CpuPerFrame,
    Rss,
    Cpu,
    Memory,
    PowerMean,
    EnergyPerFrame,
    Density,
}

/// What a value is counted in. Values of a metric are always in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Frames per second.
    Fps,
    /// From 0 to 1.
    Share,
    Microseconds,
    Bytes,
    Watts,
    Joules,
    Lanes,
}

impl Unit {
    /// In UCUM, as documents have it.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        match self {
            Unit::Fps => "{frame}/s",
            Unit::Share => "1",
            Unit::Microseconds => "us",
            Unit::Bytes => "By",
            Unit::Watts => "W",
            Unit::Joules => "J",
            Unit::Lanes => "{lane}",
        }
    }

    /// A value for people: `14.98 fps`, `99.2 %`, `12.4 ms`, `812 MiB`.
    #[must_use]
    pub fn shown(self, value: f64) -> String {
        match self {
            Unit::Fps => format!("{} fps", number(value)),
            // Cut, not rounded: 100 % is all of it.
            Unit::Share => format!("{} %", number((value * 1e4).floor() / 1e2)),
            Unit::Microseconds if value.abs() >= 9_999_500.0 => format!("{} s", number(value / 1e6)),
            Unit::Microseconds if value.abs() >= 9_995.0 => format!("{:.1} ms", value / 1e3),
            Unit::Microseconds => format!("{} ms", number(value / 1e3)),
            Unit::Bytes => format!("{:.0} MiB", value / f64::from(1 << 20)),
            Unit::Watts => format!("{value:.1} W"),
            Unit::Joules => format!("{value:.2} J"),
            Unit::Lanes if (value - 1.0).abs() < 1e-9 => "1 lane".to_owned(),
            Unit::Lanes => format!("{} lanes", number(value)),
        }
    }
}

/// Which change of a metric is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What a metric describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Stream,
    Camera,
    Lane,
}

/// The smallest change of a metric that matters to a user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Matters {
    /// As a share of the value: 0.02.
    Relative(f64),
    /// In the metric's unit.
    Absolute(f64),
}

impl Matters {
    /// A change as a user writes it: `2%`, `10ms`, `50MiB`, `0.5`. A percentage of a share is of all frames, not of the
    /// share.
    ///
    /// # Errors
    /// What would be right.
    pub fn read(metric: Metric, text: &str) -> Result<Matters, String> {
        let units: &[(&str, f64)] = match metric.unit() {
            Unit::Fps => &[("fps", 1.0), ("", 1.0)],
            Unit::Share => &[("%", 0.01), ("", 1.0)],
            Unit::Microseconds => &[("ms", 1e3), ("us", 1.0), ("s", 1e6)],
            Unit::Bytes => &[("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0)],
            Unit::Watts => &[("W", 1.0), ("", 1.0)],
            Unit::Joules => &[("J", 1.0), ("", 1.0)],
            Unit::Lanes => &[("", 1.0)],
        };
        let positive =
            |number: &str| number.trim().parse::<f64>().ok().filter(|it| *it > 0.0 && it.is_finite());
        if metric.unit() != Unit::Share
            && let Some(share) = text.strip_suffix('%').and_then(positive)
        {
            return Ok(Matters::Relative(share / 100.0));
        }
        let of = |(unit, factor): &(&str, f64)| Some(positive(text.strip_suffix(unit)?)? * factor);
        units.iter().find_map(of).map(Matters::Absolute).ok_or_else(|| {
            let example = units.first().map_or("", |(unit, _)| unit);
            format!(
                "`{text}` is no change of {}: a positive number such as `2%` or `5{example}`",
                metric.name()
            )
        })
    }
}

/// Whose value is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At<'a> {
    /// A stream by its name: `camera-3/1`.
    Stream(&'a str),
    /// A camera, or a copy of it.
    Camera(&'a Slug),
    /// All that ran.
    Lane,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Stream(stream) => f.write_str(stream),
            At::Camera(slug) => f.write_str(slug.as_str()),
            At::Lane => f.write_str("lane"),
        }
    }
}

/// What is known about a metric.
struct About {
    name: &'static str,
    /// For people, as the subject of a sentence: `CPU time per frame`.
    words: &'static str,
    unit: Unit,
    direction: Direction,
    scope: Scope,
    matters: Matters,
    paces: Paces,
}

/// The paces at which it says something about the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paces {
    Both,
    /// Frames are due at a time.
    Live,
    /// At live pace it has a value, but one that the camera's rate caps.
    FreeCapped,
}

impl Metric {
    /// All metrics, in the order in which they are shown.
    pub const ALL: [Metric; 29] = [
        Metric::Fps,
        Metric::FpsP5,
        Metric::FpsMin,
        Metric::FpsTotal,
        Metric::CpuPerFrame,
        Metric::LatenessP50,
        Metric::LatenessP95,
        Metric::LatenessP99,
        Metric::LatenessMax,
        Metric::Goodput,
        Metric::OnTime,
        Metric::Dropped,
        Metric::LatencyP50,
        Metric::LatencyP95,
        Metric::LatencyP99,
        Metric::LatencyMax,
        Metric::Delay,
        Metric::Jitter,
        Metric::LongestGap,
        Metric::StartUp,
        Metric::Recall,
        Metric::Precision,
        Metric::Seen,
        Metric::Rss,
        Metric::Cpu,
        Metric::Memory,
        Metric::PowerMean,
        Metric::EnergyPerFrame,
        Metric::Density,
    ];

    /// The metric of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Its name in configs, flags and documents: `latency.p95`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// Its name in sentences: `latency p95`.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.about().words
    }

    #[must_use]
    pub fn unit(self) -> Unit {
        self.about().unit
    }

    #[must_use]
    pub fn direction(self) -> Direction {
        self.about().direction
    }

    /// The smallest thing that has a value of it.
    #[must_use]
    pub fn scope(self) -> Scope {
        self.about().scope
    }

    /// The smallest change that matters, unless the user names another.
    #[must_use]
    pub fn matters(self) -> Matters {
        self.about().matters
    }

    /// Whether runs of this pace have a value of it.
    #[must_use]
    pub fn exists_at(self, pace: Pace) -> bool {
        pace == Pace::Live || self.about().paces != Paces::Live
    }

    /// Whether a change of it says that the machine became faster or slower at this pace: a frame rate
    /// does not at live pace, since the camera caps it.
    #[must_use]
    pub fn compares_at(self, pace: Pace) -> bool {
        match self.about().paces {
            Paces::Both => true,
            Paces::Live => pace == Pace::Live,
            Paces::FreeCapped => pace == Pace::Free,
        }
    }

    fn about(self) -> About {
        use Direction::{Higher, Lower};
        use Matters::{Absolute, Relative};
        use Paces::{Both, FreeCapped, Live};
        use Scope::{Camera, Lane, Stream};
        use Unit::{Bytes, Fps, Joules, Lanes, Microseconds, Share, Watts};
        let (name, words, unit, direction, scope, matters, paces) = match self {
            Metric::Fps => ("fps", "frame rate", Fps, Higher, Stream, Relative(0.03), FreeCapped),
            Metric::FpsP5 => {
                ("fps.p5", "frame rate of slow seconds (p5)", Fps, Higher, Stream, Relative(0.05), FreeCapped)
            }
            Metric::FpsMin => (
                "fps.min",
                "frame rate of the slowest second",
                Fps,
                Higher,
                Stream,
                Relative(0.1),
                FreeCapped,
            ),
            Metric::FpsTotal => {
                ("fps.total", "frame rate of all pipelines", Fps, Higher, Lane, Relative(0.03), FreeCapped)
            }
            Metric::OnTime => ("on_time", "frames on time", Share, Higher, Stream, Absolute(0.005), Live),
            Metric::Goodput => ("goodput", "goodput", Fps, Higher, Stream, Relative(0.01), Live),
            Metric::Dropped => ("dropped", "frames dropped", Share, Lower, Stream, Absolute(0.005), Both),
            Metric::LatencyP50 => {
                ("latency.p50", "latency p50", Microseconds, Lower, Stream, Relative(0.1), Live)
            }
            Metric::LatencyP95 => {
                ("latency.p95", "latency p95", Microseconds, Lower, Stream, Relative(0.1), Live)
            }
            Metric::LatencyP99 => {
                ("latency.p99", "latency p99", Microseconds, Lower, Stream, Relative(0.1), Live)
            }
            Metric::LatencyMax => {
                ("latency.max", "longest latency", Microseconds, Lower, Stream, Relative(0.2), Live)
            }
            Metric::LatenessP50 => {
                ("lateness.p50", "lateness p50", Microseconds, Lower, Stream, Absolute(5e3), Live)
            }
            Metric::LatenessP95 => {
                ("lateness.p95", "lateness p95", Microseconds, Lower, Stream, Absolute(5e3), Live)
            }
            Metric::LatenessP99 => {
                ("lateness.p99", "lateness p99", Microseconds, Lower, Stream, Absolute(1e4), Live)
            }
            Metric::LatenessMax => {
                ("lateness.max", "largest lateness", Microseconds, Lower, Stream, Absolute(2e4), Live)
            }
            Metric::Delay => ("delay", "delay", Microseconds, Lower, Stream, Absolute(5e3), Live),
            Metric::Jitter => ("jitter", "jitter", Microseconds, Lower, Stream, Absolute(2e3), Live),
            Metric::LongestGap => {
                ("longest_gap", "longest gap", Microseconds, Lower, Stream, Absolute(5e4), Both)
            }
            Metric::StartUp => ("start_up", "start-up", Microseconds, Lower, Stream, Relative(0.1), Both),
            Metric::Recall => ("recall", "recall", Share, Higher, Stream, Absolute(0.01), Both),
            Metric::Precision => ("precision", "precision", Share, Higher, Stream, Absolute(0.01), Both),
            Metric::Seen => ("seen", "things seen of those due", Share, Higher, Stream, Absolute(0.01), Both),
            Metric::CpuPerFrame => {
                ("cpu_per_frame", "CPU time per frame", Microseconds, Lower, Camera, Relative(0.03), Both)
            }
            Metric::Rss => ("rss", "memory of workers", Bytes, Lower, Camera, Relative(0.05), Both),
            Metric::Cpu => ("cpu", "machine CPU", Share, Lower, Lane, Absolute(0.01), Both),
            Metric::Memory => ("memory", "machine memory", Bytes, Lower, Lane, Relative(0.05), Both),
            Metric::PowerMean => ("power.mean", "power", Watts, Lower, Lane, Relative(0.03), Both),
            Metric::EnergyPerFrame => {
                ("energy_per_frame", "energy per frame", Joules, Lower, Lane, Relative(0.03), Both)
            }
            Metric::Density => ("density", "density", Lanes, Higher, Lane, Relative(0.05), Both),
        };
        About { name, words, unit, direction, scope, matters, paces }
    }

    /// All that has a value of its own, at the metric's scope: each stream, each camera, or the lane.
    #[must_use]
    pub fn places(self, measurement: &Measurement) -> Vec<At<'_>> {
        let cameras = measurement.cameras.iter();
        match self.scope() {
            Scope::Stream => streams(measurement).map(|stream| At::Stream(&stream.stream)).collect(),
            Scope::Camera => cameras.map(|camera| At::Camera(&camera.slug)).collect(),
            Scope::Lane => vec![At::Lane],
        }
    }

    /// Its value of a run, in its unit: always a finite number.
    ///
    /// # Errors
    /// Why there is none: `not available: nothing was measured`.
    pub fn value(self, measurement: &Measurement, at: At<'_>) -> Result<f64, String> {
        let value = match self.scope() {
            Scope::Stream => self.of_streams(measurement, at),
            Scope::Camera => self.of_workers(measurement, at),
            Scope::Lane => self.of_lane(measurement, at),
        };
        let finite =
            |value: f64| if value.is_finite() { Ok(value) } else { Err("it is no number".to_owned()) };
        value.and_then(finite).map_err(|why| format!("not available: {why}"))
    }

    fn of_streams(self, measurement: &Measurement, at: At<'_>) -> Result<f64, String> {
        let is_asked = |stream: &&StreamFigures| match at {
            At::Stream(name) => stream.stream == name,
            At::Camera(slug) => {
                let mut cameras = measurement.cameras.iter().filter(|camera| camera.slug == *slug);
                cameras.any(|camera| camera.streams.iter().any(|one| one.stream == stream.stream))
            }
            At::Lane => true,
        };
        let worse = |a: f64, b: f64| match self.direction() {
            Direction::Higher => a.min(b),
            Direction::Lower => a.max(b),
        };
        let mut worst = None;
        for stream in streams(measurement).filter(is_asked) {
            let value = self.of_stream(stream).map_err(|why| match at {
                At::Stream(_) => why,
                _ => format!("{}: {why}", stream.stream),
            })?;
            worst = Some(worst.map_or(value, |worst| worse(worst, value)));
        }
        worst.ok_or_else(|| match at {
            At::Lane => "nothing was played".to_owned(),
            at => format!("nothing was played of {at}"),
        })
    }

    fn of_stream(self, stream: &StreamFigures) -> Result<f64, String> {
        // Its figures are about the time until then, if there are any.
        if stream.verdict == Verdict::Failed {
            return Err(stream.reason.clone().unwrap_or_else(|| "it failed".to_owned()));
        }
        let latency = |of: fn(&super::measure::Percentiles) -> u32| {
            stream.latency_us.as_ref().map(|latency| f64::from(of(latency)))
        };
        let lateness = |of: fn(&super::measure::Lateness) -> i64| {
            stream.lateness_us.as_ref().map(|lateness| of(lateness) as f64)
        };
        let us = |us: Option<u64>| us.map(|us| us as f64);
        let value = match self {
            Metric::Fps => stream.fps,
            Metric::FpsP5 => stream.fps_p5,
            Metric::FpsMin => stream.fps_range.map(|range| range.min),
            Metric::OnTime => stream.on_time.map(|on_time| on_time.share),
            Metric::Goodput => stream.goodput,
            Metric::Dropped => stream.dropped_share,
            Metric::LatencyP50 => latency(|latency| latency.p50),
            Metric::LatencyP95 => latency(|latency| latency.p95),
            Metric::LatencyP99 => latency(|latency| latency.p99),
            Metric::LatencyMax => latency(|latency| latency.max),
            Metric::LatenessP50 => lateness(|lateness| lateness.p50),
            Metric::LatenessP95 => lateness(|lateness| lateness.p95),
            Metric::LatenessP99 => lateness(|lateness| lateness.p99),
            Metric::LatenessMax => lateness(|lateness| lateness.max),
            Metric::Delay => stream.delay_us.map(|us| us as f64),
            Metric::Jitter => us(stream.jitter_us),
            Metric::LongestGap => us(stream.longest_gap_us),
            Metric::StartUp => us(stream.start_up_us),
            Metric::Recall => accuracy(stream, |all| all.recall),
            Metric::Precision => accuracy(stream, |all| all.precision),
            Metric::Seen => {
                let due = stream.seen.iter().filter_map(|step| step.due.as_ref()).filter(|due| due.due > 0);
                due.map(|due| due.seen as f64 / due.due as f64).reduce(f64::min)
            }
            Metric::FpsTotal
            | Metric::CpuPerFrame
            | Metric::Rss
            | Metric::Cpu
            | Metric::Memory
            | Metric::PowerMean
            | Metric::EnergyPerFrame
            | Metric::Density => None,
        };
        value.ok_or_else(|| self.why_absent(stream))
    }

    /// Why a stream has no value.
    fn why_absent(self, stream: &StreamFigures) -> String {
        let is_of_latency =
            matches!(self, Metric::LatencyP50 | Metric::LatencyP95 | Metric::LatencyP99 | Metric::LatencyMax);
        let is_of_detectors = matches!(self, Metric::Recall | Metric::Precision | Metric::Seen);
        match (&stream.reason, &stream.no_latency) {
            (Some(reason), _) if stream.window_us.is_none() => reason.clone(),
            _ if stream.window_us.is_none() => "it had no window".to_owned(),
            (_, Some(reason)) if is_of_latency => reason.clone(),
            _ if is_of_detectors && self == Metric::Seen => {
                "none of its detectors has a clip with known things to see".to_owned()
            }
            _ if is_of_detectors => "nothing tells what its detectors should find".to_owned(),
            (Some(reason), _) if stream.frames.is_none() => reason.clone(),
            _ if stream.script.is_some() => "a script does not tell it".to_owned(),
            _ if !self.exists_at(Pace::Free) => {
                "its frames are due at no time (free pace), or none came".to_owned()
            }
            _ => "no frame was measured, or the record is too old".to_owned(),
        }
    }

    fn of_workers(self, measurement: &Measurement, at: At<'_>) -> Result<f64, String> {
        let slug = match at {
            At::Stream(name) => {
                return Err(format!("{} is no figure of the stream {name} but of its camera", self.name()));
            }
            At::Camera(slug) => slug,
            At::Lane if self == Metric::Rss => {
                let of_worker = |worker: &WorkerFigures| lived(worker, worker.rss_max.map(|rss| rss as f64));
                let all: Result<Vec<f64>, String> = measurement.workers.iter().map(of_worker).collect();
                return all.and_then(|all| match all[..] {
                    [] => Err("no worker ran".to_owned()),
                    _ => Ok(all.iter().sum()),
                });
            }
            At::Lane => return cpu_per_frame_of_lane(measurement),
        };
        let worker = measurement.own_worker(slug).ok_or_else(|| match &measurement.workers[..] {
            [] => "no worker ran".to_owned(),
            _ => format!("{slug} has no worker of its own"),
        })?;
        let value = match self {
            Metric::Rss => worker.rss_max.map(|rss| rss as f64),
            _ => worker.cpu_us_per_frame,
        };
        let reason = || worker.reason.clone().unwrap_or_else(|| "no frame arrived".to_owned());
        match &worker.death {
            Some(death) => Err(format!("its worker died: {death}")),
            None => value.ok_or_else(reason),
        }
    }

    fn of_lane(self, measurement: &Measurement, at: At<'_>) -> Result<f64, String> {
        if at != At::Lane {
            return Err(format!("{} is a figure of the lane, not of {at}", self.name()));
        }
        let machine = &measurement.machine;
        let of_machine = |value: Option<f64>| {
            value.ok_or_else(|| machine.reason.clone().unwrap_or_else(|| "it was not collected".to_owned()))
        };
        let energy = measurement.energy.as_ref();
        let no_power = "the power of this machine is not known (`lp doctor` says why)";
        match self {
            Metric::FpsTotal => measurement.totals.fps.ok_or_else(|| "no frame was measured".to_owned()),
            Metric::Cpu => of_machine(machine.cpu),
            Metric::Memory => of_machine(machine.memory_max.map(|bytes| bytes as f64)),
            Metric::PowerMean => {
                let energy = energy.ok_or(no_power)?;
                match &energy.without[..] {
                    [] => Ok(energy.watts),
                    parts => Err(format!("the power of {} is not known", parts.join(", "))),
                }
            }
            Metric::EnergyPerFrame => {
                let energy = energy.ok_or(no_power)?;
                let reason = || energy.reason.clone().unwrap_or_else(|| "it is not known".to_owned());
                energy.joules_per_frame.ok_or_else(reason)
            }
            _ => Err("a density comes from `lp density`, not from a run".to_owned()),
        }
    }
}

fn streams(measurement: &Measurement) -> impl Iterator<Item = &StreamFigures> {
    measurement.cameras.iter().flat_map(|camera| &camera.streams)
}

/// The least accuracy of the detectors of a stream: by the truth where there is one, else by an
/// earlier run.
fn accuracy(stream: &StreamFigures, of: impl Fn(&super::measure::AccuracyOf) -> Option<f64>) -> Option<f64> {
    let by_truth =
        |accuracy: &&super::measure::Accuracy| matches!(accuracy.with, super::compared::Reference::Truth(_));
    let of_step = |step: &super::measure::StepFigures| {
        let truth = step.accuracy.iter().find(by_truth).or(step.accuracy.first())?;
        of(&truth.all)
    };
    stream.seen.iter().filter_map(of_step).reduce(f64::min)
}

/// A figure of a worker that did not die.
fn lived(worker: &WorkerFigures, figure: Option<f64>) -> Result<f64, String> {
    let why = match &worker.death {
        Some(death) => format!("it died: {death}"),
        None => worker.reason.clone().unwrap_or_else(|| "it is not known".to_owned()),
    };
    figure.filter(|_| worker.death.is_none()).ok_or_else(|| format!("worker {}: {why}", worker.name))
}

/// CPU time of all workers over the frames of all pipelines, in microseconds.
fn cpu_per_frame_of_lane(measurement: &Measurement) -> Result<f64, String> {
    if measurement.workers.is_empty() {
        return Err("no worker ran".to_owned());
    }
    if 0 < measurement.totals.scripts {
        return Err("scripts ran as well, whose CPU time and frames are not counted".to_owned());
    }
    let cores: Result<Vec<f64>, String> =
        measurement.workers.iter().map(|worker| lived(worker, worker.cpu)).collect();
    let cores: f64 = cores?.iter().sum();
    let fps = measurement.totals.fps.filter(|fps| *fps > 0.0);
    fps.map(|fps| cores * 1e6 / fps).ok_or_else(|| "no frame arrived".to_owned())
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::fixture::{copies, six_cameras};
    use crate::record::measure::measure;

    #[test]
    fn each_name_is_of_one_metric() {
        let names: BTreeSet<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
        let metrics: BTreeSet<Metric> = Metric::ALL.into_iter().collect();
        assert_eq!((names.len(), metrics.len()), (Metric::ALL.len(), Metric::ALL.len()));
        for metric in Metric::ALL {
            assert_eq!(Metric::of(metric.name()), Some(metric));
        }
        assert_eq!(Metric::of("fps.p6"), None);
    }

    #[test]
    fn a_frame_rate_compares_machines_only_at_free_pace() {
        let named = |pace| {
            let all = Metric::ALL.into_iter().filter(move |metric| !metric.compares_at(pace));
            all.map(Metric::name).collect::<Vec<_>>().join(" ")
        };
        expect!["fps fps.p5 fps.min fps.total"].assert_eq(&named(Pace::Live));
        expect!["lateness.p50 lateness.p95 lateness.p99 lateness.max goodput on_time latency.p50 latency.p95 latency.p99 latency.max delay jitter"]
            .assert_eq(&named(Pace::Free));
        assert!(Metric::Fps.exists_at(Pace::Live) && !Metric::OnTime.exists_at(Pace::Free));
    }

    #[track_caller]
    fn check(measurement: &Measurement, at: At<'_>, expect: Expect) {
        let line = |metric: Metric| match metric.value(measurement, at) {
            Ok(value) => format!("{metric} {}\n", metric.unit().shown(value)),
            Err(why) => format!("{metric} {why}\n"),
        };
        expect.assert_eq(&Metric::ALL.map(line).concat());
    }

    #[test]
    fn every_metric_of_a_run_has_a_value_or_a_reason() {
        let measurement = measure(&six_cameras());
        check(
            &measurement,
            At::Stream("camera-1/1"),
            expect![[r#"
            fps 15 fps
            fps.p5 15 fps
            fps.min 15 fps
            fps.total not available: fps.total is a figure of the lane, not of camera-1/1
            cpu_per_frame not available: cpu_per_frame is no figure of the stream camera-1/1 but of its camera
            lateness.p50 0 ms
            lateness.p95 0 ms
            lateness.p99 0 ms
            lateness.max 0 ms
            goodput 15 fps
            on_time 100 %
            dropped 0 %
            latency.p50 10.6 ms
            latency.p95 22.9 ms
            latency.p99 24.4 ms
            latency.max 24.4 ms
            delay 0 ms
            jitter 0 ms
            longest_gap 68.0 ms
            start_up not available: no frame was measured, or the record is too old
            recall not available: nothing tells what its detectors should find
            precision not available: nothing tells what its detectors should find
            seen not available: none of its detectors has a clip with known things to see
            rss not available: rss is no figure of the stream camera-1/1 but of its camera
            cpu not available: cpu is a figure of the lane, not of camera-1/1
            memory not available: memory is a figure of the lane, not of camera-1/1
            power.mean not available: power.mean is a figure of the lane, not of camera-1/1
            energy_per_frame not available: energy_per_frame is a figure of the lane, not of camera-1/1
            density not available: density is a figure of the lane, not of camera-1/1
        "#]],
        );
        check(
            &measurement,
            At::Lane,
            expect![[r#"
                fps not available: camera-4/1: its worker ended: killed by SIGSEGV
                fps.p5 not available: camera-4/1: its worker ended: killed by SIGSEGV
                fps.min not available: camera-4/1: its worker ended: killed by SIGSEGV
                fps.total 103.94 fps
                cpu_per_frame not available: worker camera-4: it died: killed by SIGSEGV
                lateness.p50 not available: camera-4/1: its worker ended: killed by SIGSEGV
                lateness.p95 not available: camera-4/1: its worker ended: killed by SIGSEGV
                lateness.p99 not available: camera-4/1: its worker ended: killed by SIGSEGV
                lateness.max not available: camera-4/1: its worker ended: killed by SIGSEGV
                goodput not available: camera-4/1: its worker ended: killed by SIGSEGV
                on_time not available: camera-4/1: its worker ended: killed by SIGSEGV
                dropped not available: camera-4/1: its worker ended: killed by SIGSEGV
                latency.p50 not available: camera-4/1: its worker ended: killed by SIGSEGV
                latency.p95 not available: camera-4/1: its worker ended: killed by SIGSEGV
                latency.p99 not available: camera-4/1: its worker ended: killed by SIGSEGV
                latency.max not available: camera-4/1: its worker ended: killed by SIGSEGV
                delay not available: camera-4/1: its worker ended: killed by SIGSEGV
                jitter not available: camera-4/1: its worker ended: killed by SIGSEGV
                longest_gap not available: camera-4/1: its worker ended: killed by SIGSEGV
                start_up not available: camera-1/1: no frame was measured, or the record is too old
                recall not available: camera-1/1: nothing tells what its detectors should find
                precision not available: camera-1/1: nothing tells what its detectors should find
                seen not available: camera-1/1: none of its detectors has a clip with known things to see
                rss not available: worker camera-4: it died: killed by SIGSEGV
                cpu 35.2 %
                memory 1400 MiB
                power.mean not available: the power of this machine is not known (`lp doctor` says why)
                energy_per_frame not available: the power of this machine is not known (`lp doctor` says why)
                density not available: a density comes from `lp density`, not from a run
            "#]],
        );
        let slug = measurement.cameras[0].slug.clone();
        check(
            &measurement,
            At::Camera(&slug),
            expect![[r#"
            fps 15 fps
            fps.p5 15 fps
            fps.min 15 fps
            fps.total not available: fps.total is a figure of the lane, not of camera-1
            cpu_per_frame 6 ms
            lateness.p50 0 ms
            lateness.p95 0 ms
            lateness.p99 0 ms
            lateness.max 0 ms
            goodput 15 fps
            on_time 100 %
            dropped 0 %
            latency.p50 10.6 ms
            latency.p95 22.9 ms
            latency.p99 24.4 ms
            latency.max 24.4 ms
            delay 0 ms
            jitter 0 ms
            longest_gap 68.0 ms
            start_up not available: camera-1/1: no frame was measured, or the record is too old
            recall not available: camera-1/1: nothing tells what its detectors should find
            precision not available: camera-1/1: nothing tells what its detectors should find
            seen not available: camera-1/1: none of its detectors has a clip with known things to see
            rss 60 MiB
            cpu not available: cpu is a figure of the lane, not of camera-1
            memory not available: memory is a figure of the lane, not of camera-1
            power.mean not available: power.mean is a figure of the lane, not of camera-1
            energy_per_frame not available: energy_per_frame is a figure of the lane, not of camera-1
            density not available: density is a figure of the lane, not of camera-1
        "#]],
        );
    }

    #[test]
    fn the_lane_has_the_worst_of_its_streams_and_nothing_if_one_has_nothing() {
        let mut measurement = measure(&copies(1, &[&[15, 14], &[10]], 0.5));
        let worst = |measurement: &Measurement, metric: Metric| metric.value(measurement, At::Lane);
        assert_eq!(worst(&measurement, Metric::FpsMin).ok(), Some(10.0));
        measurement.cameras[0].streams[0].fps_range = None;
        assert!(worst(&measurement, Metric::FpsMin).is_err());
        measurement.cameras.clear();
        assert_eq!(worst(&measurement, Metric::FpsMin), Err("not available: nothing was played".to_owned()));
    }

    #[test]
    fn what_is_no_number_is_absent() {
        let mut measurement = measure(&copies(1, &[&[15]], 0.5));
        for value in [f64::NAN, f64::INFINITY] {
            measurement.cameras[0].streams[0].fps = Some(value);
            let name = measurement.cameras[0].streams[0].stream.clone();
            assert!(Metric::Fps.value(&measurement, At::Stream(&name)).is_err(), "{value}");
        }
    }

    #[test]
    fn a_change_that_matters_is_read_in_the_units_of_its_metric() {
        let read = |metric, text| Matters::read(metric, text).ok();
        assert_eq!(read(Metric::CpuPerFrame, "2%"), Some(Matters::Relative(0.02)));
        assert_eq!(read(Metric::LatenessP95, "10ms"), Some(Matters::Absolute(1e4)));
        assert_eq!(read(Metric::OnTime, "0.5%"), Some(Matters::Absolute(0.005)));
        assert_eq!(read(Metric::Rss, "50 MiB"), Some(Matters::Absolute(52_428_800.0)));
        for (metric, text) in [
            (Metric::CpuPerFrame, "2"),
            (Metric::CpuPerFrame, "-2%"),
            (Metric::CpuPerFrame, "nan%"),
            (Metric::LatenessP95, "5W"),
            (Metric::OnTime, "0"),
            (Metric::PowerMean, "infW"),
        ] {
            assert_eq!(read(metric, text), None, "{text}");
        }
    }

    #[test]
    fn values_are_shown_with_their_units() {
        let shown = [
            (Unit::Fps, 14.984),
            (Unit::Share, 0.999_99),
            (Unit::Share, 1.0),
            (Unit::Microseconds, -412.0),
            (Unit::Microseconds, 12_440.0),
            (Unit::Microseconds, 12_440_000.0),
            (Unit::Bytes, 851_443_712.0),
            (Unit::Watts, 45.04),
            (Unit::Joules, 0.5),
            (Unit::Lanes, 1.0),
            (Unit::Lanes, 12.0),
        ];
        expect![
            "14.98 fps, 99.99 %, 100 %, -0.41 ms, 12.4 ms, 12.44 s, 812 MiB, 45.0 W, 0.50 J, 1 lane, 12 lanes"
        ]
        .assert_eq(&shown.map(|(unit, value)| unit.shown(value)).join(", "));
    }
}
