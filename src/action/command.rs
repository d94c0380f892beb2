//! A user's command: an argument list, never a shell, in the project root, with an
//! environment of declared variables only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::engine::events::Outcome;
use crate::engine::host::{Attempt, Outputs, Performed};
use crate::graph::task::Command;
use crate::os;
use crate::os::process::{CommandEnd, Exit};

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// The most bytes of a log that are kept.
const LOG_LIMIT: usize = 4 << 20;

pub(super) fn perform(command: &Command, attempt: &Attempt<'_>) -> Performed {
    let finished = os::process::run_command(
        &os::process::Command {
            argv: &command.command.iter().map(OsString::from).collect::<Vec<_>>(),
            dir: &attempt.layout.root,
            env: &environment(command, attempt),
            log_limit: LOG_LIMIT,
            timeout: command.timeout,
            grace: GRACE,
        },
        attempt.cancel,
    );
    let (finished, log) = match finished {
        Ok(finished) => finished,
        Err(error) => {
            return Performed::failed_with(format!("failed to start `{}`\n{error}", command.command[0]));
        }
    };
    let (outcome, detail) = match finished {
        CommandEnd::Exited(Exit::Code(0)) => (Outcome::Succeeded, String::new()),
        CommandEnd::Exited(Exit::Code(code)) => (Outcome::Failed, format!("exit status {code}")),
        CommandEnd::Exited(exit) => (Outcome::Failed, exit.to_string()),
        CommandEnd::TimedOut => {
            let limit = crate::time::duration_text(command.timeout.unwrap_or_default());
            (Outcome::TimedOut, format!("it took longer than {limit}"))
        }
        CommandEnd::Cancelled => (Outcome::Cancelled, "interrupted".to_owned()),
    };
    Performed { outcome, detail, log, outputs: Outputs::InPlace }
}

fn environment(command: &Command, attempt: &Attempt<'_>) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = BTreeMap::from([
        ("PATH".into(), super::PATH.into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("HOME".into(), os::env::home().unwrap_or_else(|| "/".into())),
        ("TMPDIR".into(), attempt.dir.as_os_str().to_owned()),
    ]);
    let passed = command.pass.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    environment.extend(command.env.iter().map(|(name, value)| (name.into(), value.into())));
    environment.extend(passed.map(|(name, value)| (name.into(), value.0.clone())));
    environment
}
