//! One diagnostic, and the list of all that were found.
//!
//! Reading never stops at the first fault; a reader that finds one pushes it here
//! and goes on.
//!
//! Not here: their output (`render`, `sarif`).

use std::collections::HashSet;

use super::edit::Edit;
use super::severity::Severity;
use super::source::Place;

/// One error, warning or note.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One of [`codes`](super::codes).
    pub code: &'static str,
    /// The message, one sentence without a full stop.
    pub message: String,
    /// Where; `None` if it is in no file.
    pub place: Option<Place>,
    /// The label under the caret; may be empty.
    pub label: String,
    /// The help: a way out, or several of them, one a line.
    pub help: Option<String>,
    /// Other places that belong to it, each with its label.
    pub secondary: Vec<(Place, String)>,
    /// Changes of the file that bring it into the current form.
    pub edits: Vec<Edit>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    #[must_use]
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            code,
            message: message.into(),
            place: None,
            label: String::new(),
            help: None,
            secondary: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// An error without a place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A note without a place.
    #[must_use]
    pub fn note(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Note, code, message)
    }

    /// The same at `place`; a place in no file is left out.
    #[must_use]
    pub fn at(mut self, place: Place) -> Diagnostic {
        self.place = if place.is_nowhere() { None } else { Some(place) };
        self
    }

    /// The same with a label under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// The same with a help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same with "did you mean" as the help, if a word is close and `found` does
    /// not hold too many faults already.
    #[must_use]
    pub fn suggest<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
        found: &Diagnostics,
    ) -> Diagnostic {
        match found.did_you_mean(word, candidates) {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self,
        }
    }

    /// The same with a change of the file that removes the cause.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Diagnostic {
        self.edits.push(edit);
        self
    }

    /// The same with another place that belongs to it.
    #[must_use]
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Diagnostic {
        if !place.is_nowhere() {
            self.secondary.push((place, text.into()));
        }
        self
    }
}

/// The most faults that get a "did you mean". To compare every misspelt word of a
/// large file with every possible word would take minutes.
const SUGGESTED: usize = 100;

/// All diagnostics so far.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    #[must_use]
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// All changes that would bring the files into the current form.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.list.iter().flat_map(|diagnostic| &diagnostic.edits)
    }

    /// Adds all of `other`.
    pub fn append(&mut self, mut other: Diagnostics) {
        self.list.append(&mut other.list);
    }

    /// Keeps those for which `keep` is true.
    pub fn retain(&mut self, keep: impl Fn(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// The word that `word` was probably meant to be; `None` after too many faults.
    #[must_use]
    pub fn did_you_mean<'a>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if self.list.len() < SUGGESTED { crate::name::did_you_mean(word, candidates) } else { None }
    }

    /// Whether `lp` cannot go on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is one of this code.
    #[must_use]
    pub fn has(&self, code: &str) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.code == code)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Turns warnings into errors: `--strict`.
    pub fn deny_warnings(&mut self) {
        for diagnostic in &mut self.list {
            if diagnostic.severity == Severity::Warning {
                diagnostic.severity = Severity::Error;
            }
        }
    }

    /// By file, then position, in a file; those without a place come first.
    /// Equal ones at one place appear once.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut seen = HashSet::new();
        let mut sorted: Vec<&Diagnostic> = self
            .list
            .iter()
            .filter(|one| seen.insert((one.code, one.place, one.message.as_str(), one.label.as_str())))
            .collect();
        sorted.sort_by_key(|diagnostic| diagnostic.place.unwrap_or_default());
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_and_first_fault_gets_no_suggestion() {
        let mut found = Diagnostics::new();
        for n in 0..=SUGGESTED {
            let fault = Diagnostic::error("LP0000", "x").suggest("widht", ["width"], &found);
            assert_eq!(fault.help.is_some(), n < SUGGESTED, "{n}");
            found.push(fault);
        }
    }
}
