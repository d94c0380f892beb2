//! `lp check --explain CODE`: an entry of the catalogue.

use serde_json::{Value, json};

use super::{Exit, console};
use crate::diag::codes::{self, Example, Part, Rule};
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

/// The page as plain text: without the marks of Markdown, and with indented blocks.
fn text(rule: &Rule) -> String {
    let mut text = String::new();
    for (index, piece) in rule.page.trim_start_matches("# ").split("```").enumerate() {
        if index % 2 == 0 {
            text.push_str(piece.trim_start_matches('\n').trim_end());
            text.push('\n');
            continue;
        }
        for line in piece.lines().skip(1) {
            text.push_str(if line.is_empty() { "" } else { "    " });
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

/// The page as JSON.
fn document(rule: &Rule) -> Value {
    let part = |part: &Part| json!({ "path": part.path, "text": part.text });
    let example = |example: &Example| {
        json!({
            "wrong": example.wrong.iter().map(part).collect::<Vec<_>>(),
            "message": example.message.map(|message| message.text),
            "right": example.right.iter().map(part).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": 1,
        "code": rule.code,
        "severities": rule.severities(),
        "text": rule.text(),
        "explanation": rule.why(),
        "examples": rule.examples().iter().map(example).collect::<Vec<_>>(),
    })
}
