//! Reads the results that Intel's loss-prevention and its performance-tools leave in a folder, old form and new, as
//! records of runs.
//!
//! A [`Folder`] takes files by their names, each in pieces of any length, and gives a record for each run in it:
//! logs with the same time and container in their names are one. A stream of such a record is kept as a script is
//! that prints a line each second ([`crate::record::script`]), since that is all that upstream's files have. What the
//! files say wrongly is corrected and told; what they do not say is told and never guessed ([`Imported`]).
//!
//! Pure: no I/O. Files are untrusted: every list has a bound, and no byte makes a reader panic. Not here:
//! finding files (`cli`), figures and verdicts (`measure::imported`).
//!
//! [`Imported`]: crate::record::imported::Imported

mod build;
mod clock;
mod documents;
mod lane;
mod launch_log;
mod names;
mod stream_log;
mod streams;
mod system;
#[cfg(test)]
mod tests;

pub use self::lane::{LaneCamera, LanePipeline};
pub use self::names::{Kind, RunKey, kind};

use self::documents::{Entry, LARGEST};
use self::launch_log::LaunchLog;
use self::stream_log::StreamLog;
use self::system::SystemFile;
use super::RunRecord;
use super::imported::{Mean, NotRead};
use crate::time::Utc;

/// The version of this reader: a record that a later one makes of the same files may differ.
pub const VERSION: u32 = 1;

/// The most files of a folder.
pub const MOST_FILES: usize = 10_000;

/// The most figures of all files of a folder together: a day of a lane of 20 streams, twice.
const MOST_FIGURES: usize = 4_000_000;

/// A folder of results.
pub struct Folder {
    name: String,
    cameras: Option<Vec<LaneCamera>>,
    /// The time of its newest file.
    newest: Utc,
    logs: Vec<(RunKey, usize, String, StreamLog)>,
    launches: Vec<(RunKey, String, LaunchLog)>,
    system: Vec<SystemFile>,
    /// The counters of the script with the command.
    command: Option<(String, Vec<String>)>,
    manifest: Option<(String, Vec<Entry>)>,
    means: Vec<Mean>,
    /// Files of means.
    mean_files: Vec<String>,
    absent: Vec<String>,
    not_read: Vec<NotRead>,
    n_figures: usize,
}

/// A file while it is read.
pub struct Reader {
    path: String,
    kind: Kind,
    state: State,
}

enum State {
    Stream(StreamLog),
    Launch(Box<LaunchLog>),
    System(Box<SystemFile>),
    /// The bytes so far, and whether there are too many.
    Whole(Vec<u8>, bool),
}

/// A run of a folder.
#[derive(Debug)]
pub struct ImportedRun {
    pub record: RunRecord,
    /// The files that it was made of, by their paths.
    pub files: Vec<String>,
}

impl Folder {
    /// `cameras` are those of the config, if it is known; `newest` is the time of the newest file.
    #[must_use]
    pub fn new(name: &str, cameras: Option<Vec<LaneCamera>>, newest: Utc) -> Folder {
        Folder {
            name: name.to_owned(),
            cameras,
            newest,
            logs: Vec::new(),
            launches: Vec::new(),
            system: Vec::new(),
            command: None,
            manifest: None,
            means: Vec::new(),
            mean_files: Vec::new(),
            absent: Vec::new(),
            not_read: Vec::new(),
            n_figures: 0,
        }
    }

    /// The reader of a file by its path in the folder; `None` if it is not read, which is then told.
    pub fn open(&mut self, path: &str) -> Option<Reader> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let kind = match kind(name) {
            Ok(kind) => kind,
            Err(reason) => {
                self.refuse(path, reason);
                return None;
            }
        };
        let state = match &kind {
            Kind::Stream(key, number) => {
                if let Some((.., other, _)) = self.logs.iter().find(|(k, n, ..)| (k, n) == (key, number)) {
                    let reason = format!("`{other}` is the log of the same stream of the same run");
                    self.refuse(path, reason);
                    return None;
                }
                State::Stream(StreamLog::default())
            }
            Kind::Launch(_) => State::Launch(Box::default()),
            Kind::Collector(name, format) => State::System(Box::new(SystemFile::new(name, *format, path))),
            Kind::Command | Kind::Qmassa | Kind::Metrics | Kind::Windows | Kind::Json => {
                State::Whole(Vec::new(), false)
            }
        };
        Some(Reader { path: path.to_owned(), kind, state })
    }

    /// Says that a file is not read.
    pub fn refuse(&mut self, path: &str, reason: impl Into<String>) {
        self.not_read.push(NotRead { file: path.to_owned(), reason: reason.into() });
    }

    /// Takes in a file that was read to its end.
    pub fn add(&mut self, reader: Reader) {
        let Reader { path, kind, state } = reader;
        match (kind, state) {
            (Kind::Stream(key, number), State::Stream(mut log)) => {
                log.finish();
                if self.admit(&path, log.samples.len()) {
                    self.logs.push((key, number, path, log));
                }
            }
            (Kind::Launch(key), State::Launch(mut log)) => {
                log.finish();
                if self.admit(&path, log.n_figures()) {
                    self.launches.push((key, path, *log));
                }
            }
            (_, State::System(mut file)) => {
                file.finish();
                if file.is_empty() {
                    self.refuse(&path, "it has no value that could be read");
                } else if self.admit(&path, file.n_values()) {
                    self.system.push(*file);
                }
            }
            (_, State::Whole(_, true)) => {
                self.refuse(&path, format!("it is larger than {} MiB", LARGEST >> 20));
            }
            (kind, State::Whole(bytes, false)) => self.document(&path, &kind, &bytes),
            _ => {}
        }
    }

    /// Whether the figures of a file are kept.
    fn admit(&mut self, path: &str, n_figures: usize) -> bool {
        let is_room = self.n_figures + n_figures <= MOST_FIGURES;
        if is_room {
            self.n_figures += n_figures;
        } else {
            let millions = MOST_FIGURES / 1_000_000;
            self.refuse(
                path,
                format!("the folder has more than {millions} million figures: name a smaller one"),
            );
        }
        is_room
    }

    fn document(&mut self, path: &str, kind: &Kind, bytes: &[u8]) {
        match kind {
            Kind::Command => {
                let counters = documents::command(bytes);
                if counters.is_empty() {
                    self.refuse(path, "it has no `gvafpscounter` with a name");
                } else {
                    self.command = Some((path.to_owned(), counters));
                }
            }
            Kind::Metrics => match documents::metrics(bytes, path) {
                Ok(means) => {
                    self.means.extend(means);
                    self.mean_files.push(path.to_owned());
                }
                Err(reason) => self.refuse(path, reason),
            },
            Kind::Windows => match documents::windows(bytes, path) {
                Ok((means, absent)) => {
                    self.means.extend(means);
                    self.absent.extend(absent);
                    self.mean_files.push(path.to_owned());
                }
                Err(reason) => self.refuse(path, reason),
            },
            Kind::Qmassa => {
                self.refuse(path, "upstream makes it of `qmassa...tool-generated.json`, which has more")
            }
            _ => match documents::manifest(bytes) {
                Ok(Some(_)) if self.manifest.is_some() => {
                    self.refuse(path, "it is a second manifest of streams");
                }
                Ok(Some(entries)) => self.manifest = Some((path.to_owned(), entries)),
                Ok(None) => self.refuse(path, "it is none of upstream's files of results"),
                Err(faults) => self.refuse(path, faults.join("; ")),
            },
        }
    }

    /// The runs of the folder, the oldest first; none if nothing was understood. Besides, what was not read.
    #[must_use]
    pub fn runs(self) -> (Vec<ImportedRun>, Vec<NotRead>) {
        build::runs(self)
    }
}

impl Reader {
    /// Takes in the next piece of the file.
    pub fn push(&mut self, piece: &[u8]) {
        match &mut self.state {
            State::Stream(log) => log.push(piece),
            State::Launch(log) => log.push(piece),
            State::System(file) => file.push(piece),
            State::Whole(bytes, is_too_large) => {
                if LARGEST < bytes.len() + piece.len() {
                    *is_too_large = true;
                    *bytes = Vec::new();
                } else if !*is_too_large {
                    bytes.extend_from_slice(piece);
                }
            }
        }
    }

    /// Whether more of the file would change nothing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.state, State::Whole(_, true))
    }
}
