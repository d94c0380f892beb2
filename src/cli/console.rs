//! The output of `lp`: data on stdout, everything else on stderr.
//!
//! Everything on stdout goes through [`out`]. An error stops no caller: a
//! measurement is worth more than its printed report. The first error is kept, and
//! `cli::main` reports it at the end ([`lost_output`]). Everything on stderr goes
//! through [`result`] or [`note`], above the lines that are redrawn ([`redraw`]).
//!
//! The flags `--color`, `-q` and `-v` are known here alone ([`begin`]), so that every
//! command follows them. Not here: which lines to print while a build runs
//! (`progress`, `json_lines`) and a measurement (`lane`, `seconds`).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::args::{ColorWhen, Global};
use super::region::{Region, Size};
use crate::diag::{Color, Diagnostics, Sources, Tone};
use crate::graph::{TaskGraph, TaskId};
use crate::os::{self, terminal};
use crate::report::grid::Paper;
use crate::store::Store;
use crate::workspace::error::{CommandError, Kind};
use crate::workspace::journal::Journal;
use crate::workspace::open::Workspace;
use crate::workspace::{last, upstream_names};

/// The first error of stdout. Nothing is written after it, so that the output has
/// no gap.
static STDOUT_FAILED: OnceLock<io::Error> = OnceLock::new();

/// The lines that are redrawn. Who holds it writes to stderr.
static REGION: Mutex<Region> = Mutex::new(Region::new());

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Volume {
    /// Errors and results.
    Quiet,
    Normal,
    /// Each step of a build, and each second of a camera.
    Verbose,
}

/// How this process prints.
#[derive(Clone, Copy, Debug)]
struct Manner {
    volume: Volume,
    stderr: Color,
    stdout: Color,
}

static MANNER: OnceLock<Manner> = OnceLock::new();

fn manner() -> Manner {
    let plain = Manner { volume: Volume::Normal, stderr: Color::Never, stdout: Color::Never };
    MANNER.get().copied().unwrap_or(plain)
}

/// Takes in the flags of all commands, once. A panic from now on clears the lines that
/// are redrawn before it prints its message.
pub(super) fn begin(global: &Global) {
    let volume = match (global.quiet, global.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let color = |is_terminal: bool| match global.color {
        ColorWhen::Always => Color::Always,
        ColorWhen::Never => Color::Never,
        ColorWhen::Auto => by_environment(os::env::raw, is_terminal),
    };
    let (stderr, stdout) = (color(io::stderr().is_terminal()), color(io::stdout().is_terminal()));
    // It is called once.
    let _ = MANNER.set(Manner { volume, stderr, stdout });
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut region) = REGION.try_lock() {
            write(&region.clear(size()));
        }
        usual(panic);
    }));
}

/// `--color auto`: `NO_COLOR` forbids colours, `CLICOLOR_FORCE` asks for them, and
/// otherwise a terminal has them.
fn by_environment(variable: impl Fn(&str) -> Option<std::ffi::OsString>, is_terminal: bool) -> Color {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_forced = variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let can = is_terminal && variable("TERM").is_none_or(|kind| kind != "dumb");
    if !is_set("NO_COLOR") && (is_forced || can) { Color::Always } else { Color::Never }
}

pub(super) fn volume() -> Volume {
    manner().volume
}

/// The colours of stderr.
pub(super) fn color() -> Color {
    manner().stderr
}

/// The width and the colours of stdout.
pub(super) fn paper() -> Paper {
    Paper { width: terminal::columns_of_stdout(), color: manner().stdout }
}

/// The width and the colours of stderr.
pub(super) fn paper_of_stderr() -> Paper {
    Paper { width: terminal::columns(), color: manner().stderr }
}

/// Writes a label to stderr and a text beside it, as [`note`].
pub(super) fn note_beside(label: &str, width: usize, text: &str) {
    note(&paper_of_stderr().beside(label, width, text).join("\n"));
}

/// The size of the terminal that is stderr.
pub(super) fn size() -> Size {
    let (columns, rows) = terminal::size();
    Size { columns: columns.unwrap_or(80), rows: rows.unwrap_or(24) }
}

fn region() -> MutexGuard<'static, Region> {
    REGION.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(text: &str) {
    if !text.is_empty() {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Shows these lines at the bottom of the terminal, instead of those before.
pub(super) fn redraw(lines: Vec<String>) {
    let mut region = region();
    write(&region.draw(lines, size()));
}

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
        result(&error_text("failed to write to stdout", &[error.to_string()]));
    }
    lost.is_some()
}

/// Writes a line to stderr that `--quiet` leaves out.
pub(super) fn note(line: &str) {
    if volume() > Volume::Quiet {
        result(line);
    }
}

/// Writes a line to stderr that is an error or the result of a command.
pub(super) fn result(line: &str) {
    // Written while the lines are held, so that two texts never mix.
    let mut region = region();
    write(&region.above(line, size()));
}

/// Writes to stderr what a lock is waited for, also with `--quiet`: it is why nothing happens.
pub(super) fn waiting(line: &str) {
    result(line);
}

/// Writes one line to stderr if it is a terminal and stdout is not: advice for whoever
/// redirects data into a file.
pub(super) fn note_to_people(line: &str) {
    if io::stderr().is_terminal() && !io::stdout().is_terminal() {
        note(line);
    }
}

/// Prints the error that ended a command.
pub(super) fn error(error: &CommandError) {
    for report in &error.reports {
        if let Some((faults, sources)) = &report.faults {
            diagnostics(faults, sources);
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
        result(&text);
    }
}

/// "error: ..., caused by: ..."
pub(super) fn error_text(message: &str, causes: &[String]) -> String {
    let mut text = format!("{} {message}", color().paint(Tone::Bad, "error:"));
    for cause in causes {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    text
}

/// Prints the faults of config files.
pub(super) fn diagnostics(found: &Diagnostics, sources: &Sources) {
    if found.is_empty() {
        return;
    }
    let text = match terminal::columns() {
        // In less, a caret and its text have no room.
        Some(columns) => found.render_within(sources, color(), columns.max(40)),
        None => found.render_human(sources, color()),
    };
    result(text.trim_end());
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

/// Makes links with upstream's names to clips that a build has made.
pub(super) fn link_clips(opened: &Workspace, journal: &Journal<'_>) {
    for text in upstream_names::link(opened, journal) {
        if volume() == Volume::Verbose {
            note(&format!("note: {text}"));
        }
    }
}

/// The length of the longest label.
pub(super) fn widest(graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> usize {
    needed.iter().map(|id| graph.task(*id).label.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_by_environment() {
        #[track_caller]
        fn check(variables: &[(&str, &str)], is_terminal: bool, expected: Color) {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| std::ffi::OsString::from(value))
            };
            assert_eq!(by_environment(variable, is_terminal), expected, "{variables:?}");
        }
        check(&[], true, Color::Always);
        check(&[], false, Color::Never);
        check(&[("TERM", "dumb")], true, Color::Never);
        check(&[("NO_COLOR", "1")], true, Color::Never);
        check(&[("NO_COLOR", "")], true, Color::Always);
        check(&[("CLICOLOR_FORCE", "1")], false, Color::Always);
        check(&[("CLICOLOR_FORCE", "0")], false, Color::Never);
        check(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, Color::Never);
    }
}
