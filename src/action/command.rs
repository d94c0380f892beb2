//! A user's command: an argument list, never a shell, in the project root, with
//! an environment that holds only what is declared.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::engine::events::Outcome;
use crate::engine::perform::{Attempt, Outputs, Performed};
use crate::graph::task::Command;
use crate::os;
use crate::os::process::{Exit, Finished};

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// The most of a log that is kept.
const LOG_LIMIT: u64 = 4 << 20;

pub(super) fn perform(command: &Command, attempt: &Attempt<'_>) -> Performed {
    let log = attempt.dir.join("log");
    let finished = os::process::run_command(
        &os::process::Command {
            argv: &arguments(command, attempt),
            dir: &attempt.layout.root,
            env: &environment(command, attempt),
            stdout: &log,
            stderr: &log,
            timeout: command.timeout,
            grace: GRACE,
            inherit: attempt.lock,
        },
        attempt.cancel,
    );
    let (outcome, detail) = match finished {
        Ok(Finished::Exited(Exit::Code(0))) => (Outcome::Succeeded, String::new()),
        Ok(Finished::Exited(Exit::Code(code))) => (Outcome::Failed, format!("exit status {code}")),
        Ok(Finished::Exited(exit)) => (Outcome::Failed, exit.to_string()),
        Ok(Finished::TimedOut) => {
            let limit = crate::time::duration_text(command.timeout.unwrap_or_default());
            (Outcome::TimedOut, format!("it took longer than {limit}"))
        }
        Ok(Finished::Cancelled) => (Outcome::Cancelled, "interrupted".to_owned()),
        Err(error) => (Outcome::Failed, format!("failed to start `{}`\n{error}", command.command[0])),
    };
    let log = os::process::tail(&log, LOG_LIMIT).unwrap_or_default().into_bytes();
    Performed { outcome, detail, log, outputs: Outputs::InPlace }
}

/// A program of the project is found there from wherever `lp` was started.
fn arguments(command: &Command, attempt: &Attempt<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = command.command.iter().map(OsString::from).collect();
    if let Some(program) = arguments.first_mut()
        && command.command[0].contains('/')
    {
        *program = attempt.layout.root.join(&*program).into_os_string();
    }
    arguments
}

fn environment(command: &Command, attempt: &Attempt<'_>) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = BTreeMap::from([
        ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("HOME".into(), os::env::home().unwrap_or_else(|| "/".into())),
        ("TMPDIR".into(), attempt.dir.as_os_str().to_owned()),
    ]);
    let passed = command.pass.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    environment.extend(command.env.iter().chain(passed).map(|(name, value)| (name.into(), value.into())));
    environment
}
