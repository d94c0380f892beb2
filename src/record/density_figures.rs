//! The figures that people read of a search for the density, computed from its
//! [`DensityRecord`].
//!
//! Pure and repeatable, like those of a run (`measure`), which are computed for each setting:
//! a better formula needs no new search. Definitions for people: `docs/density.md`.
//!
//! Not here: how figures are shown (`report::density`), and upstream's rule (`upstream`).

mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::words::{ordinal, percent};
use super::density::{DensityRecord, SettingRecord, Unit, judged_us, left_out_us, own_cpu};
use super::headroom::{Headroom, headroom};
use super::measure::fit::Degradation;
use super::measure::split::mean_owned;
use super::measure::{
    CameraFigures, FAILS_DROPPED_PER_MILLE, FAILS_FPS, Measurement, Percentiles, Verdict, measure, rounded,
};
use super::{Member, RunRecord};
use crate::search::{Goal, State};

/// The figures of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityFigures {
    /// One line: `23 lanes of 6 cameras, 95 % sure; the 24th fails at camera-4: deadline 97.1 %`.
    pub verdict: String,
    pub outcome: Outcome,
    /// Why the answer is in doubt: what the run at it showed.
    pub doubt: Option<String>,
    /// Cameras of one lane, or 1 where copies of one camera are counted.
    pub cameras: usize,
    /// Streams of them.
    pub streams: usize,
    /// In the order of the record.
    pub settings: Vec<SettingFigures>,
    /// All figures of each setting, in the same order.
    pub measured: Vec<Measurement>,
    /// From the begin to the end of the last setting, in microseconds.
    pub took_us: u64,
    /// Why settings that the answer rests on are degraded, each with its lanes.
    pub degraded: Vec<(u32, Degradation)>,
    /// The load at the answer; `None` if no number holds.
    pub at: Option<AtAnswer>,
}

/// What kind of an answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// So many, and one more fails.
    Exact,
    /// Not even one.
    Zero,
    /// At least so many.
    Range,
    /// No number is known.
    Unknown,
}

/// The figures of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingFigures {
    pub lanes: u32,
    pub goal: Goal,
    pub state: State,
    /// Why, unless it holds.
    pub reason: Option<String>,
    pub worst: Option<WorstStream>,
    /// From the request to its end, in microseconds since the search began.
    pub span_us: (u64, u64),
    /// The shortest judged part of a stream's window, in microseconds; `None` without a window.
    pub judged_us: Option<u64>,
    /// The most of a stream's window that was left out for foreign load.
    pub left_out_us: u64,
    pub load: Load,
    /// Why it is degraded.
    pub degraded: Vec<String>,
}

/// The stream of a setting that came closest to failing, or failed the worst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstStream {
    /// `camera-4-l24/1`
    pub stream: String,
    /// The camera's name as written, without the copy's number.
    pub camera: String,
    pub verdict: Verdict,
    pub target_fps: f64,
    pub fps: Option<f64>,
    /// The share of its frames that were on time, and the share that must be.
    pub on_time: Option<f64>,
    pub on_time_limit: f64,
    pub dropped_share: Option<f64>,
}

/// The use of the machine while all streams were measured, as shares of all cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// All of it.
    pub cpu: Option<f64>,
    /// The workers, scripts and servers of the lanes.
    pub own: Option<f64>,
    /// Other programs, and what a hypervisor took.
    pub foreign: Option<f64>,
    /// Most memory in use on the machine, in bytes.
    pub memory_max: Option<u64>,
}

/// The load at the answer, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct AtAnswer {
    pub lanes: u32,
    /// The setting that confirmed it, by its place; `None` = a run after the search.
    pub setting: Option<usize>,
    /// The figures of all its streams.
    pub measurement: Measurement,
    /// The shortest window, in microseconds.
    pub window_us: Option<u64>,
    pub load: Load,
    /// The CPU that a lane used on average, as a share of all cores; `None` if it is not
    /// known, or other cameras played beside the copies.
    pub cpu_per_lane: Option<f64>,
    /// By camera, in the order of the project.
    pub cameras: Vec<CameraAtAnswer>,
}

/// A camera with all its copies, by its weakest stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraAtAnswer {
    /// Its name as written.
    pub camera: String,
    /// Copies that were played.
    pub copies: usize,
    /// The stream with the least headroom, to which the figures belong.
    pub stream: String,
    pub verdict: Verdict,
    pub target_fps: f64,
    pub fps: Option<f64>,
    pub on_time: Option<f64>,
    pub dropped_share: Option<f64>,
    pub latency_us: Option<Percentiles>,
    /// `None` if it was not judged.
    pub headroom: Option<Headroom>,
}

impl AtAnswer {
    /// The camera with the least headroom.
    #[must_use]
    pub fn weakest(&self) -> Option<&CameraAtAnswer> {
        let known = self.cameras.iter().filter_map(|camera| Some((camera, camera.headroom.as_ref()?.left)));
        known.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(camera, _)| camera)
    }

    /// The highest 95th percentile of a stream's latency, in microseconds, and the stream.
    #[must_use]
    pub fn slowest(&self) -> Option<(u32, &str)> {
        let streams = self.measurement.cameras.iter().flat_map(|camera| &camera.streams);
        let known = streams.filter_map(|one| Some((one.latency_us?.p95, one.stream.as_str())));
        known.max_by_key(|(p95, _)| *p95)
    }
}

/// Why a stream fails, as far as single figures tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// Its rate, and its target.
    Rate(f64, f64),
    /// The share that was dropped.
    Drops(f64),
    /// The share on time, and the share that must be.
    Deadline(f64, f64),
}

impl CameraAtAnswer {
    /// Its weakest stream, which must have this share of its frames on time.
    fn as_worst(&self, on_time_limit: f64) -> WorstStream {
        WorstStream {
            stream: self.stream.clone(),
            camera: self.camera.clone(),
            verdict: self.verdict,
            target_fps: self.target_fps,
            fps: self.fps,
            on_time: self.on_time,
            on_time_limit,
            dropped_share: self.dropped_share,
        }
    }
}

impl WorstStream {
    /// The figure that makes it fail; `None` if none does alone.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let rate = self.fps.filter(|fps| *fps < FAILS_FPS * self.target_fps);
        let drops = self.dropped_share.filter(|share| share * 1e3 > FAILS_DROPPED_PER_MILLE as f64);
        let deadline = self.on_time.filter(|share| *share < self.on_time_limit);
        rate.map(|fps| Cause::Rate(fps, self.target_fps))
            .or(drops.map(Cause::Drops))
            .or(deadline.map(|share| Cause::Deadline(share, self.on_time_limit)))
    }
}

/// Computes the figures of a record.
#[must_use]
pub fn figures(record: &DensityRecord) -> DensityFigures {
    let measured: Vec<Measurement> = record.settings.iter().map(|one| measure(&one.record)).collect();
    let settings: Vec<SettingFigures> =
        record.settings.iter().zip(&measured).map(|(one, measurement)| setting(one, measurement)).collect();
    let rests_on = |one: &&SettingFigures| match one.state {
        State::Holds => one.lanes == record.answer.at_least,
        State::Fails => record.answer.at_most.is_some_and(|most| one.lanes == most.saturating_add(1)),
        _ => false,
    };
    let (cameras, streams) = size(record);
    let at = at_answer(record, &measured);
    let of_settings = record.settings.iter().zip(&measured).zip(&settings);
    let degraded =
        of_settings.filter(|(_, figures)| rests_on(figures)).flat_map(|((setting, measurement), _)| {
            measurement.degraded.iter().map(move |reason| (setting.lanes, reason.clone()))
        });
    let own_run = at.iter().filter(|at| at.setting.is_none());
    let of_own_run =
        own_run.flat_map(|at| at.measurement.degraded.iter().map(move |reason| (at.lanes, reason.clone())));
    let degraded: Vec<(u32, Degradation)> = degraded.chain(of_own_run).collect();
    let (outcome, mut verdict) = words::verdict(record, cameras, &settings);
    let doubt = at.as_ref().and_then(|at| words::doubt(record, at));
    if let Some(doubt) = &doubt {
        verdict.push_str(&format!("; {doubt}"));
    }
    if !degraded.is_empty() {
        verdict.push_str("; degraded");
    }
    DensityFigures {
        verdict,
        outcome,
        doubt,
        cameras,
        streams,
        took_us: settings.iter().map(|one| one.span_us.1).max().unwrap_or(0),
        settings,
        measured,
        degraded,
        at,
    }
}

/// The members that are counted, without their copies.
fn counted<'a>(record: &'a DensityRecord, run: &'a RunRecord) -> Vec<&'a Member> {
    let mut seen = BTreeSet::new();
    let members = run.members.iter().filter(|member| !record.background.contains(&member.slug));
    members.filter(|member| seen.insert(&member.camera)).collect()
}

/// How many cameras and streams one more of what is counted has.
fn size(record: &DensityRecord) -> (usize, usize) {
    let run = record.settings.first().map(|setting| &setting.record).or(record.at_answer.as_deref());
    let members = run.map_or_else(Vec::new, |run| counted(record, run));
    (members.len(), members.iter().map(|member| member.streams.len() + member.scripts.len()).sum())
}

fn setting(setting: &SettingRecord, measurement: &Measurement) -> SettingFigures {
    let streams = || measurement.cameras.iter().flat_map(|camera| &camera.streams);
    let judged = streams().filter(|one| one.window_us.is_some()).map(judged_us);
    let worst = setting.worst.as_ref().and_then(|name| worst(&setting.record, measurement, name));
    SettingFigures {
        lanes: setting.lanes,
        goal: setting.goal,
        state: setting.state,
        reason: setting.reason.clone(),
        worst,
        span_us: setting.span_us,
        judged_us: judged.min(),
        left_out_us: streams().map(left_out_us).max().unwrap_or(0),
        load: load(&setting.record, measurement),
        degraded: measurement.degraded.iter().map(|reason| reason.text.clone()).collect(),
    }
}

fn worst(record: &RunRecord, measurement: &Measurement, name: &str) -> Option<WorstStream> {
    let of = |camera: &&CameraFigures| camera.streams.iter().any(|stream| stream.stream == name);
    let camera = measurement.cameras.iter().find(of)?;
    let stream = measurement.stream(name)?;
    Some(WorstStream {
        stream: stream.stream.clone(),
        camera: camera.camera.clone(),
        verdict: stream.verdict,
        target_fps: camera.target_fps,
        fps: stream.fps,
        on_time: stream.on_time.map(|on_time| on_time.share),
        on_time_limit: record.conditions.limits.on_time,
        dropped_share: stream.dropped_share,
    })
}

fn load(record: &RunRecord, measurement: &Measurement) -> Load {
    let machine = &measurement.machine;
    let owned = mean_owned(record);
    let foreign = owned.map(|[.., foreign]| foreign + machine.steal.unwrap_or(0.0));
    Load {
        cpu: machine.cpu,
        own: own_cpu(record, measurement).map(rounded),
        foreign: foreign.map(rounded),
        memory_max: machine.memory_max,
    }
}

/// The load of the run after the search, else of the setting that confirmed the answer.
fn at_answer(record: &DensityRecord, measured: &[Measurement]) -> Option<AtAnswer> {
    let lanes = record.answer.at_least;
    // The driver keeps the setting that confirmed it as a run; another `lp` may make one.
    let confirms = |one: &SettingRecord| one.goal == Goal::Confirm && one.state == State::Holds;
    let place = |run: &RunRecord| {
        record.settings.iter().rposition(|one| confirms(one) && one.record.members == run.members)
    };
    let own = record.at_answer.as_deref().map(|run| (run, measure(run), place(run)));
    let (run, measurement, setting) = own.or_else(|| {
        let settings = record.settings.iter().enumerate();
        let holding = settings.filter(|(_, one)| one.lanes == lanes && one.state == State::Holds);
        let (place, setting) = holding.max_by_key(|(_, one)| one.goal == Goal::Confirm)?;
        Some((&setting.record, measured[place].clone(), Some(place)))
    })?;
    let load = load(run, &measurement);
    let counts_all = record.unit == Unit::Lane && record.background.is_empty() && lanes > 0;
    let streams = measurement.cameras.iter().flat_map(|camera| &camera.streams);
    Some(AtAnswer {
        lanes,
        setting,
        window_us: streams.filter_map(|stream| stream.window_us).min(),
        load,
        cpu_per_lane: load.own.filter(|_| counts_all).map(|own| rounded(own / f64::from(lanes))),
        cameras: cameras(run, &measurement),
        measurement,
    })
}

/// Each camera by its weakest stream.
fn cameras(run: &RunRecord, measurement: &Measurement) -> Vec<CameraAtAnswer> {
    let mut cameras: Vec<CameraAtAnswer> = Vec::new();
    for (member, figures) in run.members.iter().zip(&measurement.cameras) {
        let rows = figures.streams.iter().map(|stream| CameraAtAnswer {
            camera: figures.camera.clone(),
            copies: 1,
            stream: stream.stream.clone(),
            verdict: stream.verdict,
            target_fps: figures.target_fps,
            fps: stream.fps,
            on_time: stream.on_time.map(|on_time| on_time.share),
            dropped_share: stream.dropped_share,
            latency_us: stream.latency_us,
            headroom: headroom(run, member, figures.target_fps, stream),
        });
        let Some(row) = rows.reduce(weaker) else { continue };
        match cameras.iter_mut().find(|known| known.camera == row.camera) {
            Some(known) => *known = CameraAtAnswer { copies: known.copies + 1, ..weaker(known.clone(), row) },
            None => cameras.push(row),
        }
    }
    cameras
}

/// The one with the graver verdict, then with the lesser headroom.
fn weaker(one: CameraAtAnswer, other: CameraAtAnswer) -> CameraAtAnswer {
    // A script without figures is no bad one.
    let grave = |row: &CameraAtAnswer| Some(row.verdict).filter(|verdict| *verdict > Verdict::NotJudged);
    let left = |row: &CameraAtAnswer| row.headroom.as_ref().map_or(f64::INFINITY, |headroom| headroom.left);
    let order = grave(&one).cmp(&grave(&other)).then(left(&other).total_cmp(&left(&one)));
    if order.is_lt() { other } else { one }
}
