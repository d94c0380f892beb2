//! How bad a diagnostic is.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `lp` cannot go on.
    Error,
    /// Probably a mistake; an error under `--strict`.
    Warning,
    /// Worth knowing.
    Note,
}
