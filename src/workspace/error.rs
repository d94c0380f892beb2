//! The error that ends a command: [`CommandError`].
//!
//! Its kind decides the exit code of `lp`. `cli` prints its reports, in one place.

use std::error::Error;

use crate::diag::{Diagnostics, Severity, Sources};
use crate::engine::EngineError;
use crate::os::fs::FsError;
use crate::os::lock::LockError;
use crate::store::StoreError;
use crate::text::counted;
use crate::worker::error::WorkerError;

pub(crate) type Result<T> = std::result::Result<T, CommandError>;

/// The kind of an error, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request or a config is wrong, or something required is missing.
    Refused,
    /// `lp` cannot go on.
    Failed,
    /// The same under a gate, which then says nothing of what it judges.
    CannotTell,
    /// The user stopped it.
    Interrupted,
}

/// The error that ends a command.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) kind: Kind,
    /// At least one.
    pub(crate) reports: Vec<Report>,
}

/// One message with its details, in the order of printing.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Faults of config files; the message is their number.
    pub(crate) faults: Option<(Diagnostics, Sources)>,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
    pub(crate) details: Vec<String>,
}

impl CommandError {
    /// The request is wrong.
    pub(crate) fn refused(message: impl Into<String>) -> CommandError {
        let report = Report { message: message.into(), ..Report::default() };
        CommandError { kind: Kind::Refused, reports: vec![report] }
    }

    /// The request is wrong; the message and causes are those of `error`.
    pub(crate) fn refused_by(error: &dyn Error) -> CommandError {
        let mut refused = CommandError::refused(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            refused.last().causes.push(cause.to_string());
            source = cause.source();
        }
        refused
    }

    /// There is no worker, or it does not answer.
    pub(crate) fn no_worker(error: &WorkerError) -> CommandError {
        let refused = CommandError::refused_by(error);
        match error.hint() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    }

    /// Config files have errors: "3 errors; 1 warning, see `lp check`". Only `lp check`
    /// shows warnings, which would bury the errors of any other command.
    pub(crate) fn faults(mut diagnostics: Diagnostics, sources: Sources) -> CommandError {
        let mut message = counted(diagnostics.count(Severity::Error), "error");
        if let Some(warnings) = warnings(&diagnostics, "lp check") {
            message.push_str(&format!("; {warnings}"));
        }
        diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
        let mut refused = CommandError::refused(message);
        refused.last().faults = Some((diagnostics, sources));
        refused
    }

    /// One error with all these reports; `None` if there are none.
    pub(crate) fn all(errors: impl IntoIterator<Item = CommandError>) -> Option<CommandError> {
        errors.into_iter().reduce(CommandError::and)
    }

    /// The same with the reports of another.
    pub(crate) fn and(mut self, other: CommandError) -> CommandError {
        self.reports.extend(other.reports);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> CommandError {
        self.last().hints.push(hint.into());
        self
    }

    /// More lines below the message.
    pub(crate) fn details(mut self, lines: impl IntoIterator<Item = String>) -> CommandError {
        self.last().details.extend(lines);
        self
    }

    fn last(&mut self) -> &mut Report {
        self.reports.last_mut().expect("an error has a report")
    }
}

/// "3 errors, 1 warning"
pub(crate) fn count(diagnostics: &Diagnostics) -> String {
    let mut text = counted(diagnostics.count(Severity::Error), "error");
    match diagnostics.count(Severity::Warning) {
        0 => {}
        n => text.push_str(&format!(", {}", counted(n, "warning"))),
    }
    text
}

/// "2 warnings, see `lp check`": what every command but `check` says about them.
pub(crate) fn warnings(diagnostics: &Diagnostics, check: &str) -> Option<String> {
    let n = diagnostics.count(Severity::Warning);
    (n > 0).then(|| format!("{}, see `{check}`", counted(n, "warning")))
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> CommandError {
        // The user may stop the wait for a lock.
        let lock = error.downcast_ref::<LockError>().or(match error.downcast_ref::<EngineError>() {
            Some(EngineError::Lock(lock)) => Some(lock),
            _ => None,
        });
        let is_interruption = matches!(lock, Some(LockError::Cancelled { .. }));
        let kind = if is_interruption { Kind::Interrupted } else { Kind::Failed };
        CommandError { kind, ..CommandError::refused_by(error.as_ref()) }
    }
}

/// `?` on the errors of other rooms, which mean that `lp` cannot go on.
macro_rules! failures {
    ($($error:ty),*) => {$(
        impl From<$error> for CommandError {
            fn from(error: $error) -> CommandError {
                anyhow::Error::from(error).into()
            }
        }
    )*};
}

failures!(EngineError, FsError, LockError, StoreError, std::io::Error, serde_json::Error);
