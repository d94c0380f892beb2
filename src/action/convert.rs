//! `convert:models/NAME/PRECISION`: the files of a model, made out of weights, all or none.
//!
//! The tool's program, which is part of `lp`, runs in a folder of its own with Python and an
//! [`environment`] of pinned packages: without Python's own site packages, without the user's
//! settings, and without the network, which the program itself refuses. What it leaves is checked
//! as a download is, before it appears.
//!
//! A file in the folder of `--vendor` is taken instead, as of a download: the machine there may
//! have no network for the packages.
//!
//! Not here: which models are converted (`graph::lower`), and the tools (`model::Tool`).

mod environment;

pub(crate) use environment::{is_made, is_of, python};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LocalHost, download, model};
use crate::engine::host::{Attempt, HINT, Performed};
use crate::graph::task::{Convert, Task};
use crate::os;
use crate::os::fs::{FsError, Linking};
use crate::os::process::{self, Command, CommandEnd, Exit};
use crate::path::ProjectPath;
use crate::text::harmless_lines;
use crate::time::duration_text;

/// A large model in INT8 takes minutes.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// The most bytes of a program's output that are kept, and lines that are shown.
const LOG_LIMIT: usize = 1 << 20;
const SHOWN_LINES: usize = 6;

/// Begins the line in which a program says why it failed.
const FAULT: &str = "fault: ";

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
enum ConvertError {
    #[error("interrupted")]
    Cancelled,
    #[error(transparent)]
    Environment(#[from] environment::EnvironmentError),
    #[error("failed to start `{program}`")]
    Start { program: String, source: std::io::Error },
    #[error("`{tool}` made no model out of `{weights}`: {reason}")]
    Failed { tool: &'static str, weights: ProjectPath, reason: String },
    #[error("`{path}` is not in the folder of `--vendor`, which has other files of the model")]
    Half { path: ProjectPath },
    #[error(transparent)]
    Fs(#[from] FsError),
}

pub(super) fn perform(
    host: &LocalHost<'_>,
    convert: &Convert,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Performed {
    let vendored: Vec<Option<PathBuf>> =
        task.outputs.iter().map(|output| host.fetching.vendored(output)).collect();
    let (made, hint) = if vendored.iter().any(Option::is_some) {
        let hint = "the folder of `--vendor` has a file that is no model";
        (take(&vendored, task, attempt).map(|()| Vec::new()), hint)
    } else {
        (make(host, convert, task, attempt), "the weights are not those of a model that `lp` can play")
    };
    let mut ended = match made {
        Err(_) if attempt.cancel.is_cancelled() => return Performed::cancelled(),
        Err(error) => Performed::failed(&error),
        Ok(log) => {
            let faults = model::faults(task, attempt);
            if faults.is_empty() {
                return Performed { log, ..Performed::succeeded() };
            }
            let detail = format!("{}\n{HINT}{hint}", faults.join("\n"));
            Performed { log, ..Performed::failed_with(detail) }
        }
    };
    download::tell_cameras(&mut ended, &convert.cameras);
    ended
}

/// Copies the files of the model from the folder of `--vendor`.
fn take(vendored: &[Option<PathBuf>], task: &Task, attempt: &Attempt<'_>) -> Result<(), ConvertError> {
    for (output, from) in task.outputs.iter().zip(vendored) {
        let Some(from) = from else { return Err(ConvertError::Half { path: output.clone() }) };
        // A link counts as the file that it leads to.
        let from = os::fs::canonicalize(from)?;
        os::fs::place(&from, &output_place(attempt, output)?, 0o666, Linking::Never)?;
    }
    Ok(())
}

fn output_place(attempt: &Attempt<'_>, output: &ProjectPath) -> Result<PathBuf, FsError> {
    let place = attempt.dir.join(output.as_str());
    os::fs::create_parent(&place)?;
    Ok(place)
}

/// Makes the files, and returns what the program said.
fn make(
    host: &LocalHost<'_>,
    convert: &Convert,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<Vec<u8>, ConvertError> {
    let environment = environment::ensure(host, convert, &task.label, attempt)?;
    let work = attempt.dir.join("work");
    os::fs::create_dir_all(&work)?;
    let program = attempt.dir.join("convert.py");
    os::fs::write_unsynced(&program, convert.tool.program().as_bytes())?;
    let read = |path: &ProjectPath| attempt.layout.resolve(path).into_os_string();
    let mut argv: Vec<OsString> = vec![environment.python.clone().into()];
    // No variables and modules of the user's, no site packages, and nothing written into the environment.
    argv.extend(["-I", "-S", "-B"].map(OsString::from));
    argv.extend([program.into_os_string(), environment.packages.into_os_string(), read(&convert.weights)]);
    argv.push(OsString::from(&convert.precision));
    argv.push(convert.calibration.as_ref().map(read).unwrap_or_default());
    (attempt.note)(&format!("{}: `{}` converts `{}`", task.label, convert.tool.word(), convert.weights));
    let log = run(convert, &argv, &work, attempt)?;
    for (result, output) in convert.tool.results().iter().zip(&task.outputs) {
        let made = work.join(result);
        if !os::fs::is_file(&made) {
            return Err(failed(convert, format!("the program left no `{result}`")));
        }
        os::fs::rename(&made, &output_place(attempt, output)?)?;
    }
    Ok(log)
}

fn failed(convert: &Convert, reason: String) -> ConvertError {
    ConvertError::Failed { tool: convert.tool.word(), weights: convert.weights.clone(), reason }
}

/// Runs the program to its end.
fn run(
    convert: &Convert,
    argv: &[OsString],
    work: &Path,
    attempt: &Attempt<'_>,
) -> Result<Vec<u8>, ConvertError> {
    let own = work.as_os_str();
    let environment: BTreeMap<OsString, OsString> = BTreeMap::from([
        ("PATH".into(), super::PATH.into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("HOME".into(), own.to_owned()),
        ("TMPDIR".into(), own.to_owned()),
    ]);
    let command = Command {
        argv,
        dir: work,
        env: &environment,
        log_limit: LOG_LIMIT,
        timeout: Some(LIMIT),
        grace: GRACE,
    };
    let (end, output) = process::run_command(&command, attempt.cancel)
        .map_err(|source| ConvertError::Start { program: argv[0].to_string_lossy().into_owned(), source })?;
    let end = match end {
        CommandEnd::Exited(Exit::Code(0)) => return Ok(output),
        CommandEnd::Cancelled => return Err(ConvertError::Cancelled),
        CommandEnd::Exited(exit) => exit.to_string(),
        CommandEnd::TimedOut => format!("it took longer than {}", duration_text(LIMIT)),
    };
    Err(failed(convert, reason(&end, &String::from_utf8_lossy(&output))))
}

/// The program's own reason; if it has given none, how it ended and what it said last.
fn reason(end: &str, output: &str) -> String {
    let output = harmless_lines(output);
    if let Some(said) = output.lines().rev().find_map(|line| line.strip_prefix(FAULT)) {
        return said.to_owned();
    }
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].iter();
    last.fold(end.to_owned(), |text, line| format!("{text}\n{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_gives_no_reason_is_quoted() {
        let end = "killed by SIGSEGV";
        assert_eq!(reason(end, "a\nfault: no weights\nb\n"), "no weights");
        assert_eq!(reason(end, ""), end);
        assert_eq!(
            reason(end, "1\n2\n\n3\n4\n5\n6\n7\u{1b}[0m\n"),
            format!("{end}\n2\n3\n4\n5\n6\n7\\u{{1b}}[0m")
        );
    }
}
