//! Options of inference: in `[dlstreamer]` for all steps, in `[workload.NAME]` for
//! those of a workload, and in a step for that one. The most specific one wins.
//!
//! Keys and defaults are upstream's variables in lower case. Ranges are those
//! of DL Streamer's elements:
//! <https://dlstreamer.github.io/elements/gvadetect.html>.

use super::reader::Table;
use super::values::{share, whole};
use crate::diag::{Diagnostics, Place};
use crate::model::Step;

/// The step types that take an option.
pub(super) const DETECT: &str = "gvadetect";
pub(super) const CLASSIFY: &str = "gvaclassify";

/// Options as written; those of other step types are not read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RawOptions {
    pub(super) batch_size_detect: Option<u32>,
    pub(super) batch_size_classify: Option<u32>,
    pub(super) inference_interval: Option<u32>,
    pub(super) threshold: Option<f64>,
}

/// `[workload.NAME]` as written.
#[derive(Clone, Debug)]
pub(super) struct WorkloadOptions {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) options: RawOptions,
}

/// Reads the options of a table: those of one step type, or all.
pub(super) fn options(
    table: &mut Table<'_>,
    kind: Option<&str>,
    diagnostics: &mut Diagnostics,
) -> RawOptions {
    let is_for = |wanted: &str| kind.is_none_or(|kind| kind == wanted);
    let mut options = RawOptions::default();
    if is_for(DETECT) {
        let batch = "Frames in a batch of `gvadetect`; 0 lets the element choose";
        options.batch_size_detect = table.optional("batch_size_detect", batch, whole(0, 1024), diagnostics);
        let interval = "`gvadetect` examines every n-th frame";
        options.inference_interval =
            table.optional("inference_interval", interval, whole(1, 10_000), diagnostics);
        let threshold = "The least confidence of a detection, 0 to 1";
        options.threshold = table.optional("threshold", threshold, share(), diagnostics);
    }
    if is_for(CLASSIFY) {
        let batch = "Objects in a batch of `gvaclassify`; 0 lets the element choose";
        options.batch_size_classify =
            table.optional("batch_size_classify", batch, whole(0, 1024), diagnostics);
    }
    options
}

/// The options of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) batch_size_detect: u32,
    pub(super) batch_size_classify: u32,
    pub(super) inference_interval: u32,
    pub(super) threshold: f64,
}

impl Options {
    pub(super) const DEFAULT: Options =
        Options { batch_size_detect: 1, batch_size_classify: 1, inference_interval: 3, threshold: 0.5 };
}

impl RawOptions {
    /// These options where they are written, else those of `wider`.
    pub(super) fn or(self, wider: RawOptions) -> RawOptions {
        RawOptions {
            batch_size_detect: self.batch_size_detect.or(wider.batch_size_detect),
            batch_size_classify: self.batch_size_classify.or(wider.batch_size_classify),
            inference_interval: self.inference_interval.or(wider.inference_interval),
            threshold: self.threshold.or(wider.threshold),
        }
    }

    /// What counts for a step, with the defaults where nothing is written.
    pub(super) fn apply_to(self, step: &mut Step) {
        let default = Options::DEFAULT;
        match step {
            Step::Detect(step) => {
                step.batch_size = self.batch_size_detect.unwrap_or(default.batch_size_detect);
                step.inference_interval = self.inference_interval.unwrap_or(default.inference_interval);
                step.threshold = self.threshold.unwrap_or(default.threshold);
            }
            Step::Classify(step) => {
                step.batch_size = self.batch_size_classify.unwrap_or(default.batch_size_classify);
            }
            _ => {}
        }
    }
}
