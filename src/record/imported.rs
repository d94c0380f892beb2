//! What a record that was imported says of itself: where it comes from, what was corrected on the way, and
//! what nobody can know.
//!
//! An imported run is one that another program measured. It is never a repeat of a run of `lp`, answers for
//! no build, and none of its streams *holds*: its files have rates alone, while a verdict needs drops and
//! late frames too (`measure::imported`).
//!
//! Not here: reading the files (`upstream_results`).

use serde::{Deserialize, Serialize};

/// The origin of an imported record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The name of the folder.
    pub folder: String,
    /// The form of its files.
    pub form: Form,
    /// The time of the run as the names of its files have it; `None` if they have none, so that
    /// `started` is the time of the newest file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The container that played it, as the names of its files have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The files that were read.
    pub files: Vec<String>,
    /// Those that were not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<NotRead>,
    /// What the files say wrongly and the record does not: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<String>,
    /// What the files do not tell: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// In the order of the logs.
    pub streams: Vec<ImportedStream>,
    /// Means that the files have without the values behind them: `S0 Power Draw W`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<Mean>,
}

/// The form of upstream's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Logs of one column, in byte order of the counters' names.
    #[default]
    Old,
    /// A manifest of the streams, or logs of `fps,duration_seconds`.
    New,
    /// No logs, only `metrics.csv`.
    Means,
}

impl Form {
    /// `old form`
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Form::Old => "old form",
            Form::New => "new form",
            Form::Means => "means only",
        }
    }
}

/// A file that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRead {
    /// Its path in the folder.
    pub file: String,
    pub reason: String,
}

/// What is known of a stream beside its rates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportedStream {
    /// `cam1/1`: the name of the script of the record that has its rates.
    pub stream: String,
    /// Its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The mean of all lines of this log, which upstream gives for its number; `None` if upstream has no such
    /// mean, or it is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_fps: Option<f64>,
    /// Lines at the begin that its window leaves out.
    pub start_lines: u64,
    /// Why nothing can be decided about it: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// A mean without the values behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The name that upstream gives it, unit included.
    pub name: String,
    pub value: f64,
    /// The file that has it.
    pub file: String,
}
