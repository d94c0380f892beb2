//! Reads `[[task]]` tables: user tasks, in `Lpfile.toml` and in the files that
//! it includes.

use std::collections::BTreeMap;
use std::time::Duration;

use rayon::prelude::*;

use super::reader::{At, KeyNames, Reader, by, map_of, table};
use super::shape::{Shape, TEXT, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{
    boolean, duration, filled_list_of, list_of, read_any_string, read_duration, read_string, spanned, string,
    whole,
};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::path::ProjectPath;

/// A `[[task]]` as written.
#[derive(Debug)]
pub(super) struct RawTask {
    pub(super) place: Place,
    pub(super) name: Option<Spanned<String>>,
    pub(super) command: Option<Vec<String>>,
    pub(super) inputs: Vec<Spanned<ProjectPath>>,
    pub(super) outputs: Vec<Spanned<ProjectPath>>,
    pub(super) after: Vec<Spanned<String>>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) pass: Vec<String>,
    pub(super) pool: Option<Spanned<String>>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) cache: Option<bool>,
}

/// Reads a file that `include` names, which has only `[[task]]` tables.
pub(super) fn read_included(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<RawTask> {
    let at = At { name: "the file".to_owned(), node: tree };
    let file = table(KeyNames::Plain, UnknownKeys::Refuse, |table, diagnostics| {
        table.optional("task", "Commands of your own", task_list(), diagnostics)
    });
    file.read(&at, diagnostics).unwrap_or_default()
}

/// The number of tasks that is worth another thread.
const MANY: usize = 500;

/// All `[[task]]` tables. They are independent, so all cores read many of them.
pub(super) fn task_list() -> impl Reader<Value = Vec<RawTask>> + Copy {
    let tasks = list_of(task());
    by(
        move || tasks.shape(),
        move |at, diagnostics| match &at.node.value {
            // One pair of brackets is the usual slip.
            Value::Table(_) => {
                let message = format!("`{}` must be a list of tables", at.name);
                let fault = at.fault(codes::WRONG_TYPE, &message);
                diagnostics.push(fault.help("write `[[task]]`, in two brackets"));
                None
            }
            Value::List(items) if items.len() > MANY => Some(read_many(&at.name, items, diagnostics)),
            _ => tasks.read(at, diagnostics),
        },
    )
}

fn read_many(called: &str, items: &[Node], diagnostics: &mut Diagnostics) -> Vec<RawTask> {
    let chunk = |(chunk, nodes): (usize, &[Node])| {
        let mut found = Diagnostics::new();
        let name = |index| format!("{called}[{}]", chunk * MANY + index);
        let read = nodes.iter().enumerate();
        let read = read.filter_map(|(index, node)| task().read(&At { name: name(index), node }, &mut found));
        (read.collect::<Vec<RawTask>>(), found)
    };
    let read: Vec<(Vec<RawTask>, Diagnostics)> = items.par_chunks(MANY).enumerate().map(chunk).collect();
    let mut tasks = Vec::with_capacity(items.len());
    for (read, found) in read {
        tasks.extend(read);
        diagnostics.append(found);
    }
    tasks
}

/// One `[[task]]`.
fn task() -> impl Reader<Value = RawTask> + Copy {
    let fields = fields();
    by(
        move || Shape::Named("task", Box::new(fields.shape())),
        move |at, diagnostics| fields.read(at, diagnostics),
    )
}

fn fields() -> impl Reader<Value = RawTask> + Copy {
    table(KeyNames::Prefixed("task."), UnknownKeys::Refuse, |table, diagnostics| {
        let name = "Unique among tasks and cameras";
        let name = table.required("name", name, spanned(string()), diagnostics);
        let paths = list_of(spanned(path()));
        let command = "Program and arguments; there is no shell";
        let command = table.required("command", command, command_line(), diagnostics);
        let inputs = "Files or directories inside the project that it reads";
        let inputs = table.optional("inputs", inputs, paths, diagnostics);
        let outputs = "Files or directories inside the project that it makes";
        let outputs = table.optional("outputs", outputs, paths, diagnostics);
        let after = "Tasks or labels that run first, for order only";
        let after = table.optional("after", after, list_of(spanned(string())), diagnostics);
        let env = table.optional("env", "Variables to set for it", environment("task.env."), diagnostics);
        let pass = "Names of variables that it gets from the environment of `lp`";
        let pass = table.optional("pass", pass, list_of(variable()), diagnostics);
        let pool = "The pool that it takes a slot of; `cpu` if not given";
        let retries = "Attempts after the first; 0 if not given";
        let cache = "`false`: run it every time";
        Some(RawTask {
            // The name is a better place to show than the header of the table.
            place: name.as_ref().map_or(table.place(), |name| name.place),
            name,
            command,
            inputs: inputs.unwrap_or_default(),
            outputs: outputs.unwrap_or_default(),
            after: after.unwrap_or_default(),
            env: env.unwrap_or_default().into_iter().collect(),
            pass: pass.unwrap_or_default(),
            pool: table.optional("pool", pool, spanned(string()), diagnostics),
            timeout: table.optional(
                "timeout",
                "More than `0s`; no limit if not given",
                timeout(),
                diagnostics,
            ),
            retries: table.optional("retries", retries, whole(0, 100), diagnostics),
            cache: table.optional("cache", cache, boolean(), diagnostics),
        })
    })
}

/// An argument list, of which the first names the program.
pub(super) fn command_line() -> impl Reader<Value = Vec<String>> + Copy {
    let arguments = filled_list_of(argument());
    by(
        move || arguments.shape(),
        move |at, diagnostics| {
            if let Some(line) = at.as_string() {
                let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
                let message = format!("`{}` must be a list of arguments; there is no shell", at.name);
                let fault = at.fault(codes::WRONG_TYPE, &message);
                diagnostics.push(fault.help(format!("write [{}]", words.join(", "))));
                return None;
            }
            let command = arguments.read(at, diagnostics)?;
            if command.first().is_some_and(|program| program.trim().is_empty())
                && let Value::List(items) = &at.node.value
            {
                let message = format!("`{}` must begin with a program", at.name);
                let program = At { name: at.name.clone(), node: items.first().unwrap_or(at.node) };
                diagnostics.push(program.fault(codes::BLANK_TEXT, &message));
                return None;
            }
            Some(command)
        },
    )
}

fn argument() -> impl Reader<Value = String> + Copy {
    by(|| Shape::String(Some(r"^[^\u0000]*$".to_owned())), read_argument)
}

fn read_argument(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = read_any_string(at, diagnostics)?;
    if text.contains('\0') {
        let message = format!("`{}` must not contain a NUL character", at.name);
        diagnostics.push(at.fault(codes::BLANK_TEXT, &message));
        return None;
    }
    Some(text)
}

/// A path inside the project.
fn path() -> impl Reader<Value = ProjectPath> + Copy {
    by(|| Shape::String(Some(r"^[^/\u0000][^\u0000]*$".to_owned())), read_path)
}

fn read_path(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<ProjectPath> {
    let text = read_any_string(at, diagnostics)?;
    match ProjectPath::new(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("`{}` is not a path inside the project", at.name);
            diagnostics
                .push(Diagnostic::error(codes::BAD_PATH, message).at(at.node.place).label(error.to_string()));
            None
        }
    }
}

/// A path without control characters: it becomes the property of an element or
/// the name of a program.
pub(super) fn plain_path() -> impl Reader<Value = ProjectPath> + Copy {
    by(
        || Shape::String(Some(TEXT.to_owned())),
        |at, diagnostics| {
            read_string(at, diagnostics)?;
            read_path(at, diagnostics)
        },
    )
}

const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// The name of an environment variable.
fn variable() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(VARIABLE.to_owned())),
        |at, diagnostics| {
            let name = read_string(at, diagnostics)?;
            if is_variable(&name) {
                return Some(name);
            }
            let message = format!("`{}` must name an environment variable", at.name);
            diagnostics.push(at.fault(codes::BAD_NAME, &message));
            None
        },
    )
}

fn is_variable(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Variables to set. `prefix` precedes their names in messages.
pub(super) fn environment(prefix: &'static str) -> impl Reader<Value = Vec<(String, String)>> + Copy {
    let shape = || Shape::Either(vec![argument().shape(), Shape::Whole { min: i64::MIN, max: i64::MAX }]);
    map_of(KeyNames::Prefixed(prefix), UnknownKeys::Refuse, VARIABLE, shape, |key, at, diagnostics| {
        if !is_variable(&key.text) {
            let message = format!("`{}` is not the name of an environment variable", key.text);
            diagnostics.push(Diagnostic::error(codes::BAD_NAME, message).at(key.place));
            return None;
        }
        let value = match at.node.value {
            Value::Int(value) => value.to_string(),
            _ => read_argument(at, diagnostics)?,
        };
        Some((key.text.clone(), value))
    })
}

/// A duration that is not zero.
fn timeout() -> impl Reader<Value = Duration> + Copy {
    by(
        || duration().shape(),
        |at, diagnostics| {
            let timeout = read_duration(at, diagnostics)?;
            if timeout.is_zero() {
                let message = format!("`{}` must be longer than zero", at.name);
                let fault = at.fault(codes::OUT_OF_RANGE, &message);
                diagnostics.push(fault.help("without this key there is no limit"));
                return None;
            }
            Some(timeout)
        },
    )
}
