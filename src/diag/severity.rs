//! The severity of a diagnostic.

/// The severity of a diagnostic.
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
