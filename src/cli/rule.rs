//! `lp check --explain CODE`: an entry of the catalogue.

use serde_json::{Value, json};

use super::{Exit, console};
use crate::diag::codes::{self, Part, Reported, Rule};
use crate::text::harmless;
use crate::workspace::error::{CommandError, Result};

/// Prints the entry of a code. No project is read.
pub(super) fn explain(written: &str, is_json: bool) -> Result<Exit> {
    let rule = match codes::find(written) {
        Ok(rule) => rule,
        Err(meant) => {
            let fault = format!("there is no code `{}`", harmless(written));
            return Err(CommandError::refused(fault).hint(match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("codes are LP and four digits; {} lists them", codes::DOCUMENT_PATH),
            }));
        }
    };
    if is_json {
        console::out(&format!("{:#}\n", document(rule)));
    } else {
        console::out(&text(rule));
    }
    Ok(Exit::Done)
}

/// For people. What belongs to files is indented.
fn text(rule: &Rule) -> String {
    let mut text = format!("{} ({}): {}\n\n{}", rule.code, rule.severity_words(), rule.text, rule.why);
    let mut messages = rule.messages();
    for example in rule.examples {
        for part in example.wrong {
            text.push_str(&format!("\n{}:\n{}", heading(part), indented(&content(part))));
        }
        let by = match rule.reported {
            Reported::OnReading => "lp check",
            Reported::OnMachine => "lp check --machine",
            Reported::By(command) => command,
            Reported::Elsewhere { by, because } => {
                text.push_str(&format!("\n`{by}` reports it; no message is shown, because {because}.\n"));
                by
            }
        };
        if let Some(message) = messages.next() {
            text.push_str(&format!("\n`{by}` says:\n{}", indented(message)));
        }
        for part in example.right {
            text.push_str(&format!("\ninstead, {}:\n{}", heading(part), indented(&content(part))));
        }
    }
    text
}

fn heading(part: &Part) -> String {
    part.path().map_or_else(|| "on the command line".to_owned(), |path| format!("in `{path}`"))
}

/// What a part consists of, as text.
fn content(part: &Part) -> String {
    match *part {
        Part::Lpfile("") => "(empty)".to_owned(),
        Part::Cameras(text) | Part::Workloads(text) | Part::Lpfile(text) | Part::File(_, text) => {
            text.to_owned()
        }
        Part::Bytes(_, bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Part::Zeros(_, size) => format!("({} MiB of zeros and one more)", size >> 20),
        Part::Without(_) => "(there is no such file)".to_owned(),
        Part::Flags(flags) => format!("lp check {}", flags.join(" ")),
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.lines().map(line).collect()
}

/// For machines.
fn document(rule: &Rule) -> Value {
    let part = |part: &Part| json!({ "path": part.path(), "text": content(part) });
    let mut messages = rule.messages();
    let examples: Vec<Value> = rule
        .examples
        .iter()
        .map(|example| {
            json!({
                "wrong": example.wrong.iter().map(part).collect::<Vec<_>>(),
                "message": messages.next(),
                "right": example.right.iter().map(part).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "version": 1,
        "code": rule.code,
        "severities": rule.severities,
        "text": rule.text,
        "explanation": rule.why,
        "examples": examples,
    })
}
