//! The settings of a search on disk, so that one that was interrupted or killed goes on.
//!
//! They are in `.lpcache/density/<key>/`, one file for each setting, written whole and synced when
//! it ends. `<key>` is that of the task, in which everything is that the measurements depend on. A
//! search that has come to its answer leaves a mark. If the same task is performed again, its
//! answer was stored in between and is to be measured anew, so the settings are deleted; unless
//! the answer was a range for lack of time, and there is more time now.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::host::Attempt;
use crate::os;
use crate::os::fs::FsError;
use crate::record::density::{ANSWERED, SettingRecord};
use crate::search::{Answer, State, Why};
use crate::time::Utc;

const BEGUN: &str = "begun.json";

/// No record is larger.
const LIMIT: u64 = 1 << 30;

/// When a search began.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    started: Utc,
}

/// The answer of a search.
#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    /// The number of the attempt that found it.
    repeat: u32,
    budget_s: f64,
    answer: Answer,
}

/// The settings of one search.
pub(super) struct Kept {
    folder: PathBuf,
    repeat: u32,
    pub(super) started: Utc,
    /// In the order of time.
    pub(super) settings: Vec<SettingRecord>,
    /// Those of them that are on disk.
    n_files: usize,
}

impl Kept {
    /// Reads what an earlier attempt left, which had `budget_s` seconds or fewer.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn open(attempt: &Attempt<'_>, budget_s: f64) -> Result<Kept, FsError> {
        let folder = attempt.layout.searches().join(attempt.key.to_hex());
        let mut kept = Kept {
            folder,
            repeat: attempt.repeat,
            started: attempt.started,
            settings: Vec::new(),
            n_files: 0,
        };
        let answered: Option<Answered> = kept.read(ANSWERED);
        let is_over = answered.is_some_and(|answered| {
            let goes_on = answered.answer.why == Some(Why::Budget) && answered.budget_s < budget_s;
            answered.repeat != kept.repeat && !goes_on
        });
        if is_over {
            os::fs::remove(&kept.folder)?;
        }
        if let Some(Begun { started }) = kept.read(BEGUN) {
            kept.started = started;
            // One that is damaged was not written by this program, so nothing after it counts.
            let settings = (0..).map_while(|n| kept.read(&file(n)));
            kept.settings = settings.collect();
            kept.n_files = kept.settings.len();
        }
        os::fs::create_dir_all(&kept.folder)?;
        kept.write(BEGUN, &Begun { started: kept.started })?;
        Ok(kept)
    }

    /// How long all settings took, in seconds.
    pub(super) fn spent_s(&self) -> f64 {
        let spans = self.settings.iter().map(|setting| setting.span_us);
        spans.map(|(from, to)| to.saturating_sub(from) as f64 / 1e6).sum()
    }

    /// Keeps a setting that has ended. One that tells nothing about the machine is not on disk: when
    /// its cause is mended, the search goes on as if it had not been.
    pub(super) fn add(&mut self, setting: SettingRecord) -> Result<&SettingRecord, FsError> {
        if setting.state != State::Broken {
            self.write(&file(self.n_files), &setting)?;
            self.n_files += 1;
        }
        self.settings.push(setting);
        Ok(&self.settings[self.settings.len() - 1])
    }

    /// Marks the search as one that has come to its answer.
    pub(super) fn answer(&self, answer: &Answer, budget_s: f64) -> Result<(), FsError> {
        self.write(ANSWERED, &Answered { repeat: self.repeat, budget_s, answer: answer.clone() })
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FsError> {
        let bytes = serde_json::to_vec(value).expect("documents have text keys");
        os::fs::write_atomic(&self.folder.join(name), &bytes)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = os::fs::read_bounded(&self.folder.join(name), LIMIT).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn file(number: usize) -> String {
    format!("{number:04}.json")
}
