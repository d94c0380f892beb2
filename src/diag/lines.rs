//! Diagnostics as unit tests compare them: one line each, without the excerpt.
//!
//! Not here: the output for people. `render` writes it, and tests it.

use super::diagnostics::{Diagnostic, Diagnostics};
use super::severity::Severity;
use super::source::{Place, Sources};
use crate::text::harmless;

impl Diagnostics {
    /// A line for each, as `code line:column message; help`, after `warning` or
    /// `note` if it is one. With several sources the place begins with a name.
    pub(crate) fn lines(&self, sources: &Sources) -> String {
        self.sorted().into_iter().map(|one| line(one, "", sources)).collect()
    }

    /// The same with the labels: `code line:column message: label; help`.
    pub(crate) fn labelled_lines(&self, sources: &Sources) -> String {
        self.sorted().into_iter().map(|one| line(one, &one.label, sources)).collect()
    }
}

fn line(one: &Diagnostic, label: &str, sources: &Sources) -> String {
    let at = |place: Place| {
        let position = sources.position(place.file, place.start);
        let name = if sources.is_single() { String::new() } else { format!("{}:", sources.name(place.file)) };
        format!("{name}{}:{}", position.line, position.column)
    };
    let severity = match one.severity {
        Severity::Error => "",
        Severity::Warning => "warning ",
        Severity::Note => "note ",
    };
    let place = one.place.map_or("-".to_owned(), at);
    let label = if label.is_empty() { String::new() } else { format!(": {label}") };
    let also: String = one.secondary.iter().map(|(place, _)| format!(" also {}", at(*place))).collect();
    let help = one.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    let text = format!("{severity}{} {place} {}{label}{also}{help}", one.code, one.message);
    format!("{}\n", harmless(&text))
}
