//! One attempt at a task, from an empty directory to a log entry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Engine;
use super::events::{BuildEvent, Outcome};
use super::host::{Arrived, Attempt, Encoded, HINT, Outputs, Performed};
use super::stillness::{Stillness, Turns, Watched};
use crate::digest::ContentDigest;
use crate::graph::lower::cautious_labels;
use crate::graph::task::{Action, Task};
use crate::os;
use crate::path::ProjectPath;
use crate::store::StoreError;
use crate::store::attempt::{self, AttemptOutcome, OutputEntry};
use crate::store::cas::Put;
use crate::store::key::{KeyDocument, REPEAT};
use crate::time::Utc;

/// The result of a task's turn.
pub(super) struct Turn {
    pub(super) outcome: Outcome,
    /// Whether tasks that depend on it may run: it succeeded, or it failed and its
    /// outputs show why.
    pub(super) has_outputs: bool,
    pub(super) duration: Duration,
    pub(super) detail: String,
    pub(super) log: String,
}

impl Turn {
    pub(super) fn without_work(outcome: Outcome, detail: String) -> Turn {
        let has_outputs = outcome.is_well();
        Turn { outcome, has_outputs, duration: Duration::ZERO, detail, log: String::new() }
    }

    /// A bug in `lp` that occurred outside the attempt itself.
    pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Turn {
        Turn::without_work(Outcome::Panicked, panicked(panic).detail)
    }
}

impl Engine<'_> {
    /// Performs a task, captures its outputs and writes the log entry.
    pub(super) fn attempt(&self, task: &Task, mut key: KeyDocument) -> Turn {
        let begin = Instant::now();
        let started = os::clock::utc_now();
        let repeat = task.measures().then(|| self.store.next_repeat(&task.label, &key));
        if let Some(repeat) = repeat {
            key.extra.insert(REPEAT.to_owned(), repeat.into());
        }
        let dir = self.directory();
        let (mut performed, reuse) = match self.prepare(task, &dir) {
            Ok(()) => self.perform_with_retries(task, &key, &dir, (repeat.unwrap_or(0), started)),
            Err(error) => (Performed::failed(&error), Reuse::Allowed),
        };
        performed.detail = self.layout.in_words(performed.detail);
        let outputs = match self.capture(task, &performed, &dir) {
            Ok(outputs) => outputs,
            Err(error) => {
                performed = Performed { log: performed.log, ..Performed::failed(&error) };
                self.remove_outputs(task, &performed);
                Vec::new()
            }
        };
        let kept = performed.outputs == Outputs::KeptInAttempt && outputs.len() == task.outputs.len();
        let duration = begin.elapsed();
        let logs = if performed.log.is_empty() { None } else { self.store.put_bytes(&performed.log).ok() };
        let entry = attempt::Attempt {
            label: task.label.clone(),
            action: key.digest(),
            document: key,
            complete: reuse == Reuse::Allowed
                && (!task.measures() || performed.outcome == Outcome::Succeeded),
            outputs,
            logs,
            started,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            outcome: stored(performed.outcome),
            detail: (!performed.detail.is_empty()).then(|| performed.detail.clone()),
            measurement: task.measures(),
            repeat,
        };
        if let Err(error) = self.store.record_attempt(&entry) {
            performed = Performed { log: performed.log, ..Performed::failed(&error) };
        }
        // The end of this build, or the next build, sweeps up any leftovers of an
        // attempt.
        let _ = if is_command(task) {
            os::fs::remove_dir_contents(&dir)
        } else {
            os::fs::remove_files_below(&dir)
        };
        Turn {
            outcome: performed.outcome,
            has_outputs: performed.outcome.is_well() || kept,
            duration,
            detail: performed.detail,
            log: String::from_utf8_lossy(&performed.log).into_owned(),
        }
    }

    /// One scratch folder per thread, emptied after each task: ext4 searches long
    /// for each new inode where many are created and deleted.
    fn directory(&self) -> PathBuf {
        let name = rayon::current_thread_index()
            .map_or_else(os::fs::temporary_name, |thread| format!("thread-{thread}"));
        self.store.root().join("tmp").join(name)
    }

    fn prepare(&self, task: &Task, dir: &Path) -> Result<(), os::fs::FsError> {
        os::fs::create_dir_all(dir)?;
        self.check_places(task)?;
        if is_command(task) {
            for output in &task.outputs {
                let place = self.layout.resolve(output);
                // Nothing may write through a link into the store.
                os::fs::remove(&place)?;
                os::fs::create_parent(&place)?;
            }
        }
        Ok(())
    }

    /// Prevents a command's output from leaving the project through a link. Folders
    /// of `lp`'s own actions may be links to any place with room.
    pub(super) fn check_places(&self, task: &Task) -> Result<(), os::fs::FsError> {
        let outputs = if is_command(task) { &task.outputs[..] } else { &[] };
        let mut places = outputs.iter().map(|output| self.layout.resolve(output));
        places.try_for_each(|place| os::within::check(&place, &self.layout.folders()))
    }

    /// Performs a task until it succeeds or has used all its attempts, and checks
    /// whether its inputs changed meanwhile.
    fn perform_with_retries(
        &self,
        task: &Task,
        key: &KeyDocument,
        dir: &Path,
        (repeat, started): (u32, Utc),
    ) -> (Performed, Reuse) {
        let retries = if let Action::Command(command) = &task.action { command.retries } else { 0 };
        let note = |text: &str| {
            let text = self.layout.in_words(text.to_owned());
            self.progress.event(&BuildEvent::TaskNote { label: &task.label, note: &text });
        };
        let progress = |Arrived { bytes, total, rate }: Arrived| {
            self.progress.event(&BuildEvent::TaskProgress { label: &task.label, bytes, total, rate });
        };
        let encoded = |Encoded { done_ms, total_ms, speed }: Encoded| {
            let label = &task.label;
            self.progress.event(&BuildEvent::TaskEncoded { label, done_ms, total_ms, speed });
        };
        // Without it, the file is read.
        let digested = |path: &Path, content| drop(self.store.remember_digest(path, content));
        let (mut tried, mut turn) = (0, Turns::First);
        loop {
            let watched = Watched::new(self, task, key);
            let inputs_changed = || watched.changed().map(|(path, _)| path.clone()).collect();
            let input = |path: &ProjectPath| key.inputs.get(path).map(|input| input.content);
            let attempt = Attempt {
                dir,
                layout: self.layout,
                cancel: &self.cancel,
                started,
                repeat,
                key: key.without_repeat().digest(),
                input: &input,
                note: &note,
                progress: &progress,
                encoded: &encoded,
                digested: &digested,
                inputs_changed: &inputs_changed,
            };
            let performed = catch_unwind(AssertUnwindSafe(|| self.host.perform(task, &attempt)))
                .unwrap_or_else(|panic| panicked(panic.as_ref()));
            let again = if matches!(performed.outcome, Outcome::Failed | Outcome::TimedOut) && tried < retries
            {
                if self.cancel.wait(back_off(&task.label, tried)) {
                    return (performed, Reuse::Allowed);
                }
                tried += 1;
                format!("{}; retry {tried} of {retries}", performed.detail)
            } else {
                match watched.verdict(&performed, turn) {
                    Stillness::Still => return (performed, Reuse::Allowed),
                    Stillness::Broken(why) => {
                        let Performed { log, outputs, .. } = performed;
                        return (Performed { log, outputs, ..Performed::failed(&why) }, Reuse::Allowed);
                    }
                    Stillness::Unsettled(path) => {
                        note(&format!(
                            "{}: input `{path}` was written again, perhaps by the task itself: its result is not kept \
                             for later builds; a task that writes a copy of `{path}` instead has one that is",
                            task.label
                        ));
                        return (performed, Reuse::Never);
                    }
                    Stillness::Doubtful(path) => {
                        turn = Turns::Second;
                        format!(
                            "input `{path}` was written while the task ran, but reads as before; once more"
                        )
                    }
                }
            };
            note(&format!("{}: {again}", task.label));
            // The next attempt must not take leftovers of this one for results.
            let cleared = os::fs::remove_dir_contents(dir).and_then(|()| self.prepare(task, dir));
            if let Err(error) = cleared {
                return (Performed { log: performed.log, ..Performed::failed(&error) }, Reuse::Allowed);
            }
        }
    }

    /// Captures the outputs in the store and restores them to their places.
    /// Captures nothing of a failed attempt unless it declares that its outputs
    /// show why.
    fn capture(
        &self,
        task: &Task,
        performed: &Performed,
        dir: &Path,
    ) -> Result<Vec<OutputEntry>, CaptureError> {
        let kept = performed.outputs == Outputs::KeptInAttempt;
        if performed.outcome != Outcome::Succeeded && !kept {
            self.remove_outputs(task, performed);
            return Ok(Vec::new());
        }
        if performed.outputs == Outputs::InPlace {
            self.check_places(task)?;
        }
        let mut entries = Vec::new();
        for output in &task.outputs {
            let (from, put) = match performed.outputs {
                Outputs::InPlace => (self.layout.resolve(output), Put::Share),
                Outputs::InAttempt | Outputs::KeptInAttempt => (dir.join(output.as_str()), Put::Move),
            };
            entries.push(self.store.capture(output, &from, put)?);
        }
        if performed.outputs != Outputs::InPlace {
            self.place(task, &entries)?;
        }
        Ok(entries)
    }

    /// Puts outputs into their places. A clip or a model does not replace a file that `lp`
    /// did not make.
    pub(super) fn place(&self, task: &Task, outputs: &[OutputEntry]) -> Result<(), PlaceError> {
        if let Some(labels) = cautious_labels(task) {
            let made = self.store.made_clips(&labels);
            if let Some(path) = self.store.in_the_way(outputs, &made)? {
                if task.brings_model() {
                    return Err(PlaceError::ModelInTheWay { path });
                }
                let file = task.outputs[0].file_name().to_owned();
                return Err(PlaceError::InTheWay { path, file });
            }
            self.store.list_made(outputs)?;
        }
        self.store.restore(outputs)?;
        Ok(())
    }

    fn remove_outputs(&self, task: &Task, performed: &Performed) {
        if performed.outputs == Outputs::InPlace || is_command(task) {
            for output in &task.outputs {
                let place = self.layout.resolve(output);
                if os::within::check(&place, &self.layout.folders()).is_ok() {
                    let _ = os::fs::remove(&place);
                }
            }
        }
    }
}

/// Whether a result may be reused by later builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    Allowed,
    /// Its inputs are not known.
    Never,
}

/// Why outputs cannot be put into their places.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "`{path}` is in the way: `lp` did not make it, so it does not replace it\n\
         {HINT}delete it or move it away; to play it, write `{file}|file:media/{file}` as the `fileSrc`"
    )]
    InTheWay { path: ProjectPath, file: String },
    #[error(
        "`{path}` is in the way: `lp` did not make it, so it does not replace it\n\
         {HINT}the next run uses it as a model of your own; to have the download, delete it or move it away"
    )]
    ModelInTheWay { path: ProjectPath },
}

/// Why a result cannot be kept.
#[derive(Debug, thiserror::Error)]
enum CaptureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Fs(#[from] os::fs::FsError),
}

fn is_command(task: &Task) -> bool {
    matches!(task.action, Action::Command(_))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Performed {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Performed { outcome: Outcome::Panicked, ..Performed::failed_with(text) }
}

fn stored(outcome: Outcome) -> AttemptOutcome {
    match outcome {
        Outcome::Succeeded | Outcome::Fresh | Outcome::Restored => AttemptOutcome::Succeeded,
        Outcome::Failed => AttemptOutcome::Failed,
        Outcome::TimedOut => AttemptOutcome::TimedOut,
        Outcome::Cancelled | Outcome::Skipped => AttemptOutcome::Cancelled,
        Outcome::Panicked => AttemptOutcome::Panicked,
    }
}

/// 0.2 s, 0.4 s, 0.8 s, ... up to 30 s, plus up to a quarter that depends on the
/// label, so that tasks that failed together are not retried together.
fn back_off(label: &str, tried: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(1 << tried.min(8)).min(Duration::from_secs(30));
    let spread = ContentDigest::of(label.as_bytes()).as_bytes()[0];
    base + base * u32::from(spread) / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_is_bounded_and_depends_only_on_the_label() {
        assert_eq!(back_off("a", 0), back_off("a", 0));
        assert_ne!(back_off("a", 0), back_off("b", 0));
        assert!(back_off("a", 0) * 3 / 2 < back_off("a", 1));
        assert!(back_off("a", 1000) <= Duration::from_millis(37_500));
    }
}
