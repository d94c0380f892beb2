//! What a search for the density measured: the [`DensityRecord`].
//!
//! It is the artefact of a `density:` task. Each setting holds the record of its own window,
//! as if `lp run --count N` had measured it, so that a better formula needs no new search.

mod judge;

use serde::{Deserialize, Serialize};

pub use self::judge::{Worst, look_of, own_cpu, setting_of, worst};
pub(super) use self::judge::{judged_us, left_out_us};
use super::{Host, Provenance, RunRecord};
use crate::digest::ContentDigest;
use crate::model::Threshold;
pub use crate::model::Unit;
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::search::limiter::{Evidence, Experiment, Finding};
use crate::search::{Answer, Goal, Rules, State};
use crate::time::Utc;

/// The version of the record's layout.
pub const VERSION: u32 = 1;

/// The file in the folder of a search's settings that says that its answer was found.
pub const ANSWERED: &str = "answered.json";

/// Everything that one search for the density measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DensityRecord {
    /// [`VERSION`].
    pub version: u32,
    /// `lane`, `camera-3`, `camera-1+camera-3`.
    pub subject: String,
    /// When it began; when a search that was interrupted went on does not count.
    pub started: Utc,
    /// As of [`RunRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_s: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What is counted.
    pub unit: Unit,
    /// Cameras that play once beside the copies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<Slug>,
    /// What was asked.
    pub rules: Rules,
    pub host: Host,
    /// In the order of time.
    pub settings: Vec<SettingRecord>,
    pub answer: Answer,
    /// One run at the number that was confirmed; `None` if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_answer: Option<Box<RunRecord>>,
    /// What there is too little of for more lanes, if that is why the answer is a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lack: Option<String>,
    /// What limits one lane more; `None` if no number was shown to fail, or it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limiter: Option<LimiterRecord>,
    /// Whether the user stopped it before its answer.
    pub interrupted: bool,
    /// As of [`RunRecord`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs_changed: Vec<ProjectPath>,
    /// As of [`RunRecord`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
}

impl DensityRecord {
    /// The id of the search: when it began, and 6 digits of the digest of its file.
    #[must_use]
    pub fn id(&self, file: &ContentDigest) -> String {
        format!("{}-{}", self.started.compact(), &file.to_hex()[..6])
    }
}

/// What limits a number of lanes that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimiterRecord {
    pub lanes: u32,
    pub finding: Finding,
    /// What they did to the machine.
    pub load: Evidence,
    /// In the order of time.
    pub experiments: Vec<Experiment>,
}

/// A number of lanes, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingRecord {
    pub lanes: u32,
    pub goal: Goal,
    pub state: State,
    /// Why, in words, unless it holds: `camera-4-l24/1: 97.1 % on time is less than 99 %`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The stream that came closest to failing, or failed the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// When it was asked for and when it ended, in microseconds since the search began, the
    /// time between two sittings not counted.
    pub span_us: (u64, u64),
    /// What was measured; its origin is its own.
    pub record: RunRecord,
}
