//! The output of `lp`: data on stdout, everything else on stderr.
//!
//! Everything on stdout goes through [`out`]. An error stops no caller: a
//! measurement is worth more than its printed report. The first error is kept, and
//! `cli::main` reports it at the end ([`lost_output`]).
//!
//! Not here: the lines of a build while it runs (`progress`, `json_lines`) and of a
//! measurement (`seconds`).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use crate::diag::{Color, Diagnostics, Sources};
use crate::graph::{TaskGraph, TaskId};
use crate::os::terminal;
use crate::store::Store;
use crate::workspace::error::{CommandError, Kind};
use crate::workspace::journal::Journal;
use crate::workspace::last;

/// The first error of stdout. Nothing is written after it, so that the output has
/// no gap.
static STDOUT_FAILED: OnceLock<io::Error> = OnceLock::new();

/// Writes to stdout; an error is kept for [`lost_output`].
pub(super) fn out(text: &str) {
    out_by(|| io::stdout().lock().write_all(text.as_bytes()));
}

/// As [`out`], for text that another library writes to stdout.
pub(super) fn out_by(print: impl FnOnce() -> io::Result<()>) {
    if STDOUT_FAILED.get().is_some() {
        return;
    }
    if let Err(error) = print().and_then(|()| io::stdout().lock().flush()) {
        // Only another thread could have set it, with an error as good as this.
        let _ = STDOUT_FAILED.set(error);
    }
}

/// Reports lost output, and returns whether there was any. A reader that closes the
/// pipe, as `head` does, loses nothing.
pub(super) fn lost_output() -> bool {
    let lost = STDOUT_FAILED.get().filter(|error| error.kind() != ErrorKind::BrokenPipe);
    if let Some(error) = lost {
        note(&error_text("failed to write to stdout", &[error.to_string()]));
    }
    lost.is_some()
}

/// Writes one line to stderr.
pub(super) fn note(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{line}");
}

/// Prints the error that ended a command.
pub(super) fn error(error: &CommandError, color: Color) {
    for report in &error.reports {
        if let Some((faults, sources)) = &report.faults {
            diagnostics(faults, sources, color);
        }
        if error.kind == Kind::Interrupted {
            note(&report.message);
            continue;
        }
        let mut text = error_text(&report.message, &report.causes);
        for hint in &report.hints {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        for line in &report.details {
            text.push_str(&format!("\n  {line}"));
        }
        note(&text);
    }
}

/// "error: ..., caused by: ..."
pub(super) fn error_text(message: &str, causes: &[String]) -> String {
    let mut text = format!("error: {message}");
    for cause in causes {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    text
}

/// Prints the faults of config files.
pub(super) fn diagnostics(found: &Diagnostics, sources: &Sources, color: Color) {
    if found.is_empty() {
        return;
    }
    let text = match terminal::columns() {
        // In less, a caret and its text have no room.
        Some(columns) => found.render_within(sources, color, columns.max(40)),
        None => found.render_human(sources, color),
    };
    note(text.trim_end());
}

/// Prints notes about a project's tasks.
pub(super) fn notes(notes: &[String]) {
    for text in notes {
        note(&format!("note: {text}"));
    }
}

/// Records a build for `lp explain --last`. No task depends on the record, so a
/// failure is only a warning.
pub(super) fn keep(store: &Store, journal: &Journal<'_>) {
    if let Err(error) = last::keep(store, journal) {
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        note(&format!("warning: `lp explain --last` will not show this build: {error}{cause}"));
    }
}

/// The length of the longest label.
pub(super) fn widest(graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> usize {
    needed.iter().map(|id| graph.task(*id).label.chars().count()).max().unwrap_or(0)
}
