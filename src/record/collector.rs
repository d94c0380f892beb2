//! The record of a program that ran beside a run: how it was started, how its output fitted its
//! parser, and how it ended. Its values are among the series of the record, as
//! `collector.NAME.QUANTITY`, and `collector.NAME.MEMBER.QUANTITY` of one beside a member.

use serde::{Deserialize, Serialize};

use crate::model::Format;
use crate::name::Slug;

/// The begin of the names of all series of such programs.
pub const PREFIX: &str = "collector.";

/// The most lines that do not fit of which the record has the text.
pub const MOST_UNREAD: usize = 5;

/// A program beside a run, or beside one of its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectorRecord {
    /// Its name in the config.
    pub name: String,
    /// The member that it was about; `None` if it was about the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Slug>,
    /// Program and arguments as configured.
    pub command: Vec<String>,
    /// The format of its output; `None`: its output is only kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<Format>,
    /// When it was started; `None` if it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_us: Option<u64>,
    /// How it ended; `None` if it was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<CollectorExit>,
    /// How its output fitted.
    pub output: Fit,
    /// What makes its series doubtful or incomplete: sentences; empty if nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl CollectorRecord {
    /// The name of it and its member in names of series and files: `sar`, `top.camera-3`.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.name, self.member.as_ref())
    }

    /// The begin of the names of its series: `collector.sar.`
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{PREFIX}{}.", self.id())
    }
}

/// As [`CollectorRecord::id`].
#[must_use]
pub fn id(name: &str, member: Option<&Slug>) -> String {
    member.map_or_else(|| name.to_owned(), |member| format!("{name}.{member}"))
}

/// How such a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorExit {
    pub at_us: u64,
    /// `exited with status 1`, `killed by SIGTERM`
    pub how: String,
    /// Whether it had been asked to end.
    pub asked: bool,
}

/// How well an output fitted its parser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// Bytes of all its output, stderr included.
    pub bytes: u64,
    /// Lines that the parser has seen.
    pub lines: u64,
    /// Values that it has read.
    pub values: u64,
    /// Lines that did not fit; nothing was read from them.
    pub unread: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_unread: Vec<UnreadLine>,
}

/// A line that did not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadLine {
    /// Its number, from 1.
    pub line: u64,
    /// Its begin.
    pub text: String,
    /// Why it does not fit.
    pub reason: String,
}
