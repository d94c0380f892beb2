//! The record of a user's script: how it was started, its figures of frames and
//! latencies inside its window, and how it ended.
//!
//! All times are of `lp`'s own CLOCK_MONOTONIC when a line was read, since a
//! script gives no times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Scalar;

/// The most rates that a record keeps of a script.
pub const MAX_RATES: usize = 100_000;
/// The most latencies that a record keeps of a script: four hours of 30 a second.
pub const MAX_LATENCIES: usize = 432_000;
/// The most elements and channels that are distinguished in a script's output.
pub const MAX_ELEMENTS: usize = 64;

/// A script of a camera, as it was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptRecord {
    /// `camera-3/2`
    pub stream: String,
    /// The number that the plan gave it; `None` in records before version 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// Its file, relative to the project.
    pub script: String,
    /// Its parameters, by name.
    pub parameters: BTreeMap<String, Scalar>,
    /// When it was started.
    pub started_us: u64,
    /// When its first figure was read; `None` if none came.
    pub first_figure_us: Option<u64>,
    /// The measured window, `[begin, end)`; `None` if warm-up never ended.
    pub window_us: Option<(u64, u64)>,
    /// Rates that were read in the window, by element; none for a counter with a
    /// name that printed before the window and not in it.
    pub rates: Vec<ElementRates>,
    /// Latencies that were read in the window, by channel.
    pub latencies: Vec<ChannelLatencies>,
    /// Lines for `lp` that could not be read, over its whole life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
    /// Figures of the window that are beyond what a record keeps.
    pub figures_left_out: u64,
    /// How it ended; `None` if it could not be started.
    pub exit: Option<ScriptExit>,
    /// Why it counts as failed; `None` if it does not.
    pub failure: Option<String>,
    /// The begin and the end of its output.
    pub output: String,
    /// Omitted bytes in between.
    pub output_left_out: u64,
}

/// Lines that begin with `lp: ` and could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub lines: u64,
    /// What is wrong with the first of them.
    pub first: String,
}

/// The rates of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementRates {
    /// Its name; `2 of 3` for a counter whose name is not known, by its place
    /// among all. `lane2/till` where elements of two pipelines are called alike.
    pub element: String,
    pub meter: Meter,
    /// In the order of their lines.
    pub rates: Vec<Rate>,
}

/// An element that counts frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meter {
    FpsDisplaySink,
    GvaFpsCounter,
    /// The script itself, with lines for `lp`.
    Lp,
}

impl Meter {
    /// What its lines are called.
    #[must_use]
    pub fn factory(self) -> &'static str {
        match self {
            Meter::FpsDisplaySink => "fpsdisplaysink",
            Meter::GvaFpsCounter => "gvafpscounter",
            Meter::Lp => "lp: fps=...",
        }
    }
}

/// The figures of one line about frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Rate {
    /// Frames per second since the line before.
    Last {
        /// When it was read.
        at_us: u64,
        /// The length of that time.
        over_us: u64,
        /// Frames per second.
        fps: f64,
    },
    /// Frames per second since the counters began.
    Begin {
        /// When it was read.
        at_us: u64,
        /// The length of that time.
        over_us: u64,
        /// Frames per second.
        fps: f64,
    },
    /// Frames per second and drops since the line before, which was read `over_us` ago.
    Own {
        /// When it was read.
        at_us: u64,
        /// The length of that time.
        over_us: u64,
        /// Frames per second.
        fps: f64,
        /// Frames dropped in that time; `None` if the line does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped: Option<u64>,
    },
    /// Frames since the element began.
    Count {
        /// When it was read.
        at_us: u64,
        rendered: u64,
        dropped: u64,
    },
}

impl Rate {
    /// When its line was read.
    #[must_use]
    pub fn at_us(&self) -> u64 {
        match self {
            Rate::Last { at_us, .. }
            | Rate::Begin { at_us, .. }
            | Rate::Own { at_us, .. }
            | Rate::Count { at_us, .. } => *at_us,
        }
    }
}

/// Latencies between two elements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelLatencies {
    /// The element that frames leave; `None` where the tracer does not name it.
    /// `lane2/src` where those of two pipelines are called alike; `src (2 of 3)`
    /// if the tracer does not name the pipelines.
    pub source: Option<String>,
    /// The element that they arrive at; `None` where the tracer does not name it.
    pub sink: Option<String>,
    /// When each line about a frame was read.
    pub at_us: Vec<u64>,
    /// The latency of each of those frames in microseconds.
    pub latency_us: Vec<u32>,
    pub intervals: Vec<LatencyInterval>,
}

/// Latencies of the frames of an interval, where a tracer gives no others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyInterval {
    /// When the line was read.
    pub at_us: u64,
    /// Their mean in microseconds.
    pub mean_us: u32,
    /// The largest in microseconds; `None` if the line does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_us: Option<u32>,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptExit {
    pub at_us: u64,
    /// `exited with status 3`, `killed by SIGSEGV`
    pub how: String,
    /// Whether it had been asked to.
    pub asked: bool,
}
