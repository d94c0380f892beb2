//! What a person types and sees: one file per command.
//!
//! Data goes to stdout, all else to stderr. Exit codes: 0 done; 1 a task or a
//! camera failed, something is missing, or output could not be written; 2 the request or a config is wrong,
//! or something needed is not there before anything starts; 101 a bug; 130
//! interrupted.

mod args;
mod build;
mod cache;
mod check;
mod console;
mod doctor;
mod engine;
mod explain;
mod flags;
mod graph;
mod import;
mod init;
mod journal;
mod last;
mod machine;
mod open;
mod phases;
mod quick;
mod report;
mod rule;
mod run;
mod scripts;
mod show;
mod size;
mod status;
mod tools;
mod trace;
mod view;

use std::process::ExitCode;

use args::{Cli, Command};

use crate::engine::EngineError;
use crate::os::{self, lock::LockError};
use crate::worker::client;

/// How `lp` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Done.
    Done,
    /// A task or a camera failed, or something is missing.
    Failed,
    /// The request or a config is wrong.
    Refused,
    /// A bug.
    Bug,
    /// The user stopped it.
    Interrupted,
}

/// The request or a config is wrong, and the user has been told why.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Refused => 2,
            Exit::Bug => 101,
            Exit::Interrupted => 130,
        })
    }
}

/// Whatever becomes of a command, also a panic: no worker outlives `lp`.
struct WorkersEnd;

impl Drop for WorkersEnd {
    fn drop(&mut self) {
        client::wait_for_ends();
    }
}

/// Runs `lp` with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let _at_the_end = WorkersEnd;
    let exit = run();
    if console::lost_output() && exit == Exit::Done { Exit::Failed } else { exit }.into()
}

fn run() -> Exit {
    // Settings that cannot be read must not be taken for none.
    let unread = ["LP_SET_", "LP_PROFILE"].map(os::env::not_utf8).concat();
    if !unread.is_empty() {
        for name in &unread {
            console::note(&format!("error: the variable `{}` is not UTF-8", name.escape_debug()));
        }
        return Exit::Refused;
    }
    let line = flags::command().try_get_matches();
    let cli = match line.and_then(|line| Ok((flags::parsed(&line)?, flags::refusal(&line)))) {
        Ok((cli, None)) => cli,
        Ok((_, Some((command, flag, why)))) => {
            console::note(&format!("error: `{flag}` means nothing to `{command}`: {why}"));
            return Exit::Refused;
        }
        Err(error) => {
            // Help goes to stdout and ends well, faults go to stderr.
            console::out_by(|| error.print());
            let exit = if error.use_stderr() { Exit::Refused } else { Exit::Done };
            // Bare `lp` prints the short help: nothing was asked, nothing failed.
            let bare = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            return if bare { Exit::Done } else { exit };
        }
    };
    log_for_maintainers();
    match dispatch(&cli) {
        Ok(exit) => exit,
        Err(error) if error.is::<Refused>() => Exit::Refused,
        Err(error) if is_interruption(&error) => {
            console::note(&error.to_string());
            Exit::Interrupted
        }
        Err(error) => {
            console::error(error.as_ref(), None);
            Exit::Failed
        }
    }
}

/// Whether the user stopped the wait for a lock.
fn is_interruption(error: &anyhow::Error) -> bool {
    let lock = error.downcast_ref::<LockError>().or(match error.downcast_ref::<EngineError>() {
        Some(EngineError::Lock(lock)) => Some(lock),
        _ => None,
    });
    matches!(lock, Some(LockError::Cancelled { .. }))
}

fn dispatch(cli: &Cli) -> anyhow::Result<Exit> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args),
        Command::Import(args) => import::run(global, args),
        Command::Check(args) => check::run(global, args),
        Command::Build(args) => build::run(global, args),
        Command::Run(args) => run::run(global, args),
        Command::Report(args) => report::run(global, args),
        Command::Graph(args) => graph::run(global, args),
        Command::Show(args) => show::run(global, args),
        Command::Explain(args) => explain::run(global, args),
        Command::Cache(args) => cache::run(global, args),
        Command::Doctor(args) => doctor::run(global, args),
    }
}

/// `LP_LOG=lp=debug` for those who look for a fault in `lp`.
fn log_for_maintainers() {
    let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("LP_LOG") else { return };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a second subscriber could be refused, and there is none.
    let _ = subscriber.try_init();
}
