//! Diagnostics as SARIF 2.1.0, for code hosts and editors that show analysis
//! results beside the lines.
//!
//! A place in a file is a physical location. An override is not in a file, so its
//! location is a logical one: the flag or variable, named as it was given. A
//! diagnostic without a place has no location.
//!
//! Not here: whether a warning counts as an error (`Diagnostics`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::severity::Severity;
use super::source::{Origin, Place, Sources};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The characters that a URI escapes in a path: all but RFC 3986's unreserved ones.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl Diagnostics {
    /// All of them as a SARIF log of one run.
    #[must_use]
    pub fn to_sarif(&self, sources: &Sources) -> Value {
        let rules = codes::rules().map(|rule| described(rule.code, rule.text(), rule.why())).collect();
        run(rules, self.sorted().into_iter().map(|diagnostic| result(diagnostic, sources)).collect())
    }
}

/// A rule of another analysis than that of the config, such as the judgement of a run.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    /// One sentence.
    pub text: String,
    pub why: String,
}

/// What such a rule found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The id of its rule.
    pub rule: String,
    pub level: Severity,
    pub message: String,
    /// `None`: no file has it.
    pub place: Option<Place>,
    /// Equal for the same finding of two runs, so that a code host shows it once.
    pub fingerprint: String,
}

/// Findings as a SARIF log of one run.
#[must_use]
pub fn log(rules: &[Rule], findings: &[Finding], sources: &Sources) -> Value {
    let results = findings.iter().map(|finding| {
        let mut result = Map::new();
        result.insert("ruleId".to_owned(), finding.rule.as_str().into());
        if let Some(index) = rules.iter().position(|rule| rule.id == finding.rule) {
            result.insert("ruleIndex".to_owned(), index.into());
        }
        result.insert("level".to_owned(), level(finding.level).into());
        result.insert("message".to_owned(), json!({ "text": finding.message }));
        if let Some(place) = finding.place {
            result.insert("locations".to_owned(), json!([location(place, sources)]));
        }
        result.insert("partialFingerprints".to_owned(), json!({ "lp/v1": finding.fingerprint }));
        result.into()
    });
    run(rules.iter().map(|rule| described(&rule.id, &rule.text, &rule.why)).collect(), results.collect())
}

fn described(id: &str, text: &str, why: &str) -> Value {
    json!({ "id": id, "shortDescription": { "text": text }, "fullDescription": { "text": why } })
}

fn run(rules: Vec<Value>, results: Vec<Value>) -> Value {
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lp",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), diagnostic.code.into());
    if let Some(index) = codes::rules().position(|rule| rule.code == diagnostic.code) {
        result.insert("ruleIndex".to_owned(), index.into());
    }
    result.insert("level".to_owned(), level(diagnostic.severity).into());
    result.insert("message".to_owned(), json!({ "text": message(diagnostic) }));
    if let Some(place) = diagnostic.place {
        result.insert("locations".to_owned(), json!([location(place, sources)]));
    }
    if !diagnostic.secondary.is_empty() {
        let related = diagnostic.secondary.iter().enumerate().map(|(index, (place, text))| {
            let mut location = location(*place, sources);
            location["id"] = (index + 1).into();
            location["message"] = json!({ "text": text });
            location
        });
        result.insert("relatedLocations".to_owned(), related.collect());
    }
    result.into()
}

/// The message with its label and help, in one string.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if !diagnostic.label.is_empty() {
        text.push_str(": ");
        text.push_str(&diagnostic.label);
    }
    if let Some(help) = &diagnostic.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    text
}

fn location(place: Place, sources: &Sources) -> Value {
    let logical = |kind| {
        json!({ "logicalLocations": [{
            "name": sources.name(place.file),
            "fullyQualifiedName": sources.text(place.file),
            "kind": kind,
        }] })
    };
    match sources.origin(place.file) {
        Origin::Flag => return logical("parameter"),
        Origin::Variable => return logical("variable"),
        Origin::File => {}
    }
    let start = sources.position(place.file, place.start);
    let end = sources.position(place.file, place.end);
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(sources.name(place.file)) },
        "region": {
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        },
    } })
}

/// The reference to a file by its path from the current folder.
fn uri(path: &str) -> String {
    let escaped = utf8_percent_encode(path, PATH).to_string();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        for (path, expected) in [
            ("configs/a.json", "configs/a.json"),
            ("../my files/ä%:.json", "../my%20files/%C3%A4%25%3A.json"),
            ("/etc/a#b?c.json", "file:///etc/a%23b%3Fc.json"),
            ("a\\b\n.json", "a%5Cb%0A.json"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
