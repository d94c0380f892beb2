//! `[[collector]]`: programs of the user's that run beside a run.

use std::collections::BTreeMap;

use super::reader::{At, KeyNames, Reader, by, table};
use super::shape::{Shape, UnknownKeys};
use super::tasks::{command_line, environment};
use super::tree::Value;
use super::values::{boolean, list_of, one_of, read_string, spanned};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::model::{Collector, Format, Scope};

/// Names are parts of names of series and files, where a dot parts them.
const NAME: &str = "^[A-Za-z0-9_-]{1,40}$";

/// A `[[collector]]` as written.
#[derive(Clone, Debug, Default)]
pub(super) struct RawCollector {
    name: Option<Spanned<String>>,
    command: Option<Vec<String>>,
    parser: Option<Format>,
    scope: Option<Scope>,
    env: BTreeMap<String, String>,
    required: Option<bool>,
}

/// All `[[collector]]` tables.
pub(super) fn collector_list() -> impl Reader<Value = Vec<RawCollector>> + Copy {
    let collectors = list_of(collector());
    by(
        move || collectors.shape(),
        move |at, diagnostics| match &at.node.value {
            // One pair of brackets is the usual slip.
            Value::Table(_) => {
                let message = format!("`{}` must be a list of tables", at.name);
                let fault = at.fault(codes::WRONG_TYPE, &message);
                diagnostics.push(fault.help("write `[[collector]]`, in two brackets"));
                None
            }
            _ => collectors.read(at, diagnostics),
        },
    )
}

fn collector() -> impl Reader<Value = RawCollector> + Copy {
    const SCOPES: &[(&str, Scope)] = &[("run", Scope::Run), ("member", Scope::Member)];
    let fields = table(KeyNames::Prefixed("collector."), UnknownKeys::Refuse, |table, diagnostics| {
        let command =
            "Program and arguments; `{pid}` becomes the workers' processes, `{file}` a file for its figures";
        let parser =
            "The format of its output, from which its series are read; without it, output is only kept";
        let scope = "`run`: once; `member`: once for each camera and each copy of one";
        let required = "`true`: without its program there is no run; `false`, if not given: reports say so";
        let env = "Variables to set for it, with the same placeholders; `LC_ALL` is `C` if not given";
        Some(RawCollector {
            name: table.required("name", "Unique among collectors", spanned(name()), diagnostics),
            command: table.required("command", command, command_line(), diagnostics),
            parser: table.optional("parser", parser, one_of(Format::ALL), diagnostics),
            scope: table.optional("scope", scope, one_of(SCOPES), diagnostics),
            env: table
                .optional("env", env, environment("collector.env."), diagnostics)
                .unwrap_or_default()
                .into_iter()
                .collect(),
            required: table.optional("required", required, boolean(), diagnostics),
        })
    });
    by(
        move || Shape::Named("collector", Box::new(fields.shape())),
        move |at, diagnostics| fields.read(at, diagnostics),
    )
}

fn name() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(NAME.to_owned())),
        |at: &At<'_>, diagnostics: &mut Diagnostics| {
            let name = read_string(at, diagnostics)?;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if (1..=40).contains(&name.len()) && name.chars().all(is_plain) {
                return Some(name);
            }
            let right = "1 to 40 letters, digits, `_` and `-`, as series have its name";
            diagnostics.push(at.fault(codes::BAD_NAME, &format!("`{}` must be {right}", at.name)));
            None
        },
    )
}

/// What counts. Those without a name or a command were reported.
pub(super) fn collectors(raw: &[RawCollector]) -> Vec<Collector> {
    let collector = |raw: &RawCollector| {
        Some(Collector {
            name: raw.name.clone()?.value,
            command: raw.command.clone()?,
            parser: raw.parser,
            scope: raw.scope.unwrap_or_default(),
            env: raw.env.clone(),
            required: raw.required.unwrap_or(false),
        })
    };
    raw.iter().filter_map(collector).collect()
}

/// Refuses two of one name.
pub(super) fn check(raw: &[RawCollector], diagnostics: &mut Diagnostics) {
    let mut known: BTreeMap<&str, &Spanned<String>> = BTreeMap::new();
    for name in raw.iter().filter_map(|one| one.name.as_ref()) {
        let Some(first) = known.get(name.value.as_str()) else {
            known.insert(&name.value, name);
            continue;
        };
        let message = format!("two collectors have the name `{}`", name.value);
        let fault = Diagnostic::error(codes::DUPLICATE_NAME, message).at(name.place).label("again here");
        diagnostics.push(fault.also(first.place, "first here"));
    }
}
