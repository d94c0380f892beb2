//! `lp list`: the names that other commands take, and the runs that were measured.

mod project;
mod runs;

use serde_json::{Map, Value, json};

use super::args::{Global, ListArgs, ListKind};
use super::columns::{fit, table};
use super::{Exit, console};
use crate::os::terminal;
use crate::workspace::error::Result;

/// One kind of things, as a table and as documents.
struct Section {
    kind: ListKind,
    header: &'static [&'static str],
    /// Columns that are aligned on the right.
    right: &'static [&'static str],
    rows: Vec<Vec<String>>,
    documents: Vec<Value>,
    /// A line for the overview.
    summary: String,
    /// A line below the table.
    note: Option<String>,
}

pub(super) fn run(global: &Global, args: &ListArgs) -> Result<Exit> {
    // Runs are read from the store alone, so a config with errors does not matter.
    let sections = match args.what {
        Some(ListKind::Runs) => vec![runs::section(global, usize::MAX)?],
        Some(kind) => vec![project::Listed::open(global)?.section(kind)],
        None => {
            let project = project::Listed::open(global)?;
            let of_project = project::KINDS.map(|kind| project.section(kind));
            let newest = if args.json { usize::MAX } else { 1 };
            of_project.into_iter().chain([runs::section(global, newest)?]).collect()
        }
    };
    if args.json {
        console::out(&document(sections));
    } else if args.what.is_none() {
        console::out(&overview(&sections));
    } else {
        for section in sections {
            if section.rows.is_empty() {
                console::note(&format!("{}: {}", section.kind.word(), section.summary));
            } else {
                console::out(&table(section.header, section.right, section.rows));
            }
            section.note.iter().for_each(|note| console::note(note));
        }
    }
    Ok(Exit::Done)
}

fn document(sections: Vec<Section>) -> String {
    let lists = sections.into_iter().map(|section| {
        let list = Value::Array(section.documents);
        (section.kind.word().to_owned(), list)
    });
    let document: Map<String, Value> = [("version".to_owned(), json!(1))].into_iter().chain(lists).collect();
    format!("{:#}\n", Value::Object(document))
}

/// A line for each kind.
fn overview(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let line = format!("{:<10} {}", section.kind.word(), section.summary);
        text.push_str(&fit(&line, terminal::columns_of_stdout()));
        text.push('\n');
    }
    let words: Vec<&str> = sections.iter().map(|section| section.kind.word()).collect();
    format!("{text}\nmore: lp list {}\n", words.join("|"))
}
