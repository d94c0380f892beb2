//! Reads `[[task]]` tables: user tasks, in `Lpfile.toml` and in the files that
//! it includes.

use std::collections::BTreeMap;
use std::time::Duration;

use rayon::prelude::*;

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place, Spanned};
use super::reader::{At, Table, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{any_text, boolean, duration, filled_list_of, list_of, spanned, text, whole};
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

/// Reads a file that `include` names: nothing but `[[task]]` tables.
pub(super) fn read_included(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<RawTask> {
    let at = At { name: "the file".to_owned(), node: tree };
    let Some(mut table) = Table::open(&at, "", diagnostics) else { return Vec::new() };
    let tasks = table.optional("task", tasks, diagnostics).unwrap_or_default();
    table.finish(UnknownKeys::Refuse, diagnostics);
    tasks
}

/// Fewer tasks than this are not worth another thread.
const MANY: usize = 500;

/// Reads all `[[task]]` tables. Each stands for itself, so many are read by all
/// cores.
pub(super) fn tasks(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<RawTask>> {
    let some = match &at.node.value {
        Value::List(items) if items.len() > MANY => items,
        _ => return list_of(task)(at, diagnostics),
    };
    let read: Vec<(Vec<RawTask>, Diagnostics)> = some
        .par_chunks(MANY)
        .enumerate()
        .map(|(chunk, nodes)| {
            let mut found = Diagnostics::new();
            let name = |index| format!("{}[{}]", at.name, chunk * MANY + index);
            let read = nodes.iter().enumerate();
            let read = read.filter_map(|(index, node)| task(&At { name: name(index), node }, &mut found));
            (read.collect(), found)
        })
        .collect();
    let mut tasks = Vec::with_capacity(some.len());
    for (read, found) in read {
        tasks.extend(read);
        diagnostics.append(found);
    }
    Some(tasks)
}

/// Reads one `[[task]]`.
fn task(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<RawTask> {
    let mut table = Table::open(at, "task.", diagnostics)?;
    let name = table.required("name", spanned(text), diagnostics);
    let raw = RawTask {
        // The header of the table is a poor place to point at; its name is better.
        place: name.as_ref().map_or(table.place(), |name| name.place),
        name,
        command: table.required("command", command, diagnostics),
        inputs: table.optional("inputs", list_of(spanned(path)), diagnostics).unwrap_or_default(),
        outputs: table.optional("outputs", list_of(spanned(path)), diagnostics).unwrap_or_default(),
        after: table.optional("after", list_of(spanned(text)), diagnostics).unwrap_or_default(),
        env: table.optional("env", environment, diagnostics).unwrap_or_default(),
        pass: table.optional("pass", list_of(variable), diagnostics).unwrap_or_default(),
        pool: table.optional("pool", spanned(text), diagnostics),
        timeout: table.optional("timeout", timeout, diagnostics),
        retries: table.optional("retries", whole(0, 100), diagnostics),
        cache: table.optional("cache", boolean, diagnostics),
    };
    table.finish(UnknownKeys::Refuse, diagnostics);
    Some(raw)
}

/// An argument list, of which the first names the program.
fn command(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<String>> {
    if let Some(line) = at.as_text() {
        let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
        let message = format!("`{}` must be a list of arguments; there is no shell", at.name);
        let fault = at.fault(codes::WRONG_TYPE, &message);
        diagnostics.push(fault.help(format!("write [{}]", words.join(", "))));
        return None;
    }
    let command = filled_list_of(argument)(at, diagnostics)?;
    if command.first().is_some_and(|program| program.trim().is_empty()) {
        diagnostics.push(at.fault(codes::BLANK_TEXT, &format!("`{}` must begin with a program", at.name)));
        return None;
    }
    Some(command)
}

fn argument(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = any_text(at, diagnostics)?;
    if text.contains('\0') {
        let message = format!("`{}` must not contain a NUL character", at.name);
        diagnostics.push(at.fault(codes::BLANK_TEXT, &message));
        return None;
    }
    Some(text)
}

/// A path inside the project.
fn path(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<ProjectPath> {
    let text = any_text(at, diagnostics)?;
    match ProjectPath::new(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("`{}` is no path inside the project", at.name);
            diagnostics
                .push(Diagnostic::error(codes::BAD_PATH, message).at(at.node.place).label(error.to_string()));
            None
        }
    }
}

/// A path without control characters: it becomes the property of an element.
pub(super) fn plain_path(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<ProjectPath> {
    let path = path(at, diagnostics)?;
    if !path.as_str().contains(char::is_control) {
        return Some(path);
    }
    let message = format!("`{}` must not contain control characters", at.name);
    diagnostics.push(at.fault(codes::BLANK_TEXT, &message));
    None
}

/// The name of an environment variable.
fn variable(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let name = text(at, diagnostics)?;
    if is_variable(&name) {
        return Some(name);
    }
    diagnostics.push(at.fault(codes::BAD_NAME, &format!("`{}` must name an environment variable", at.name)));
    None
}

fn is_variable(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn environment(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<BTreeMap<String, String>> {
    let mut table = Table::open(at, "task.env.", diagnostics)?;
    let mut variables = BTreeMap::new();
    for (key, at) in table.rest(UnknownKeys::Refuse) {
        if !is_variable(&key.text) {
            let message = format!("`{}` is no name of an environment variable", key.text);
            diagnostics.push(Diagnostic::error(codes::BAD_NAME, message).at(key.place));
        } else if let Value::Int(value) = at.node.value {
            variables.insert(key.text.clone(), value.to_string());
        } else if let Some(value) = argument(&at, diagnostics) {
            variables.insert(key.text.clone(), value);
        }
    }
    Some(variables)
}

/// A duration that is not zero.
fn timeout(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let timeout = duration(at, diagnostics)?;
    if timeout.is_zero() {
        let message = format!("`{}` must be longer than zero", at.name);
        let fault = at.fault(codes::OUT_OF_RANGE, &message);
        diagnostics.push(fault.help("without this key there is no limit"));
        return None;
    }
    Some(timeout)
}
