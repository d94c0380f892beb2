//! The command line: one file per command.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done; 1 a task or a
//! camera failed, a camera of a run does not hold its target, something is missing, or
//! output could not be written; 2 the request or a config is wrong, or a requirement is
//! missing before anything starts; 3 a gate cannot tell; 101 a bug; 130 interrupted.

mod add;
mod args;
mod assets;
mod bench;
mod build;
mod cache;
mod check;
mod checks;
mod clean;
mod columns;
mod completions;
mod config;
mod console;
mod density;
mod doctor;
mod explain;
mod flags;
mod graph;
mod help;
mod import;
mod init;
mod json_lines;
mod judgement;
mod lane;
mod list;
mod live;
mod man;
mod plain;
mod progress;
mod project;
mod region;
mod report;
mod rule;
mod run;
mod seconds;
mod serve;
mod show;
mod size;
mod status;
mod stream;
mod trace;
mod video;
mod watch;

use std::process::ExitCode;

use args::{Cli, Command};

use crate::os;
use crate::worker::client;
use crate::workspace::error::{CommandError, Kind, Result};

/// The exit code of `lp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    /// A task or a camera failed, a camera does not hold, or something is missing.
    Failed,
    /// The request or a config is wrong.
    Refused,
    /// A gate cannot tell whether something is worse.
    CannotTell,
    Bug,
    /// The user stopped it.
    Interrupted,
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Exit {
        match kind {
            Kind::Refused => Exit::Refused,
            Kind::Failed => Exit::Failed,
            Kind::CannotTell => Exit::CannotTell,
            Kind::Interrupted => Exit::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Refused => 2,
            Exit::CannotTell => 3,
            Exit::Bug => 101,
            Exit::Interrupted => 130,
        })
    }
}

/// Waits for the end of all workers when dropped, also after a panic.
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

/// Runs a command. Only here, errors become text and exit codes.
fn run() -> Exit {
    let ended = match command_line() {
        Ok(Line::Command(cli)) => {
            log_for_maintainers();
            console::begin(&cli.global);
            dispatch(&cli)
        }
        Ok(Line::Answered(exit)) => return exit,
        Err(error) => Err(error),
    };
    ended.unwrap_or_else(|error| {
        console::error(&error);
        error.kind.into()
    })
}

/// The parsed command line.
enum Line {
    Command(Box<Cli>),
    /// A question about `lp` itself, or an invalid command line: clap has printed the
    /// answer.
    Answered(Exit),
}

/// Reads the arguments of this process.
fn command_line() -> Result<Line> {
    // An unreadable setting must not count as a missing one.
    let unread = ["LP_SET_", "LP_PROFILE"].map(os::env::not_utf8).concat();
    let faults =
        unread.iter().map(|name| format!("the variable `{}` is not UTF-8", crate::text::harmless(name)));
    if let Some(error) = CommandError::all(faults.map(CommandError::refused)) {
        return Err(error);
    }
    let line = flags::command().try_get_matches();
    match line.and_then(|line| Ok((flags::parsed(&line)?, flags::refusal(&line)))) {
        Ok((cli, None)) => Ok(Line::Command(Box::new(cli))),
        Ok((_, Some((command, flag, why)))) => {
            Err(CommandError::refused(format!("`{flag}` has no effect on `{command}`: {why}")))
        }
        Err(error) => {
            // `lp` and `lp cache` alone are answered with their help, as if it was asked for.
            if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                console::out(&error.render().to_string());
                return Ok(Line::Answered(Exit::Done));
            }
            let error = help::with_meant(error);
            // Help goes to stdout and ends well, faults go to stderr.
            console::out_by(|| error.print());
            Ok(Line::Answered(if error.use_stderr() { Exit::Refused } else { Exit::Done }))
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args),
        Command::Import(args) => import::run(global, args),
        Command::Add(args) => add::run(global, args),
        Command::Check(args) => check::run(global, args),
        Command::Build(args) => build::run(global, args),
        Command::Run(args) => run::run(global, args),
        Command::Bench(args) => bench::run(global, args),
        Command::Density(args) => density::run(global, args),
        Command::Serve(args) => serve::run(global, args),
        Command::Report(args) => report::run(global, args),
        Command::Graph(args) => graph::run(global, args),
        Command::Show(args) => show::run(global, args),
        Command::List(args) => list::run(global, args),
        Command::Config(args) => config::run(global, args),
        Command::Explain(args) => explain::run(global, args),
        Command::Assets(args) => assets::run(global, args),
        Command::Cache(args) => cache::run(global, args),
        Command::Watch(args) => watch::run(global, args),
        Command::Clean(args) => clean::run(global, args),
        Command::Doctor(args) => doctor::run(global, args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(global, args),
    }
}

/// Logs for maintainers: `LP_LOG=lp=debug`.
fn log_for_maintainers() {
    let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("LP_LOG") else { return };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only a second subscriber is refused, and there is none.
    let _ = subscriber.try_init();
}
