//! `lp report --compare` and `lp report --history`: runs beside each other.

use anyhow::Context;

use super::open_page;
use crate::cli::args::{Global, ReportArgs, ReportFormat};
use crate::cli::project::{store_layout, store_root};
use crate::cli::{Exit, console};
use crate::os;
use crate::record::comparison::history::history;
use crate::record::comparison::words::difference;
use crate::record::comparison::{Comparison, Field, Options, compare};
use crate::record::metric::Metric;
use crate::report::comparison as shown;
use crate::store::Store;
use crate::workspace::compared::{Search, of_subject};
use crate::workspace::error::{CommandError, Result};

/// The most differences that an error lists.
const LISTED: usize = 12;

/// Compares two sides.
pub(super) fn compared(global: &Global, store: &Store, args: &ReportArgs, sides: &[String]) -> Result<Exit> {
    let [baseline_name, candidate_name] = sides else {
        return Err(CommandError::refused("a comparison has two sides"));
    };
    let (root, here) = (store_root(global)?, os::env::current_dir()?);
    let search = Search { store, project: &root, here: &here, only: args.only };
    let (baseline, candidate) = search.both(baseline_name, candidate_name)?;
    let options = Options {
        across: args.across.iter().copied().collect(),
        metrics: args.metric.clone(),
        matters: args.matters.iter().copied().collect(),
        pairs: None,
        names: Some((baseline_name.clone(), candidate_name.clone())),
    };
    let comparison = compare(&baseline, &candidate, &options);
    if !comparison.refused.is_empty() {
        return Err(refused(&comparison));
    }
    let folder = match &args.output {
        Some(folder) => Some(here.join(folder)),
        None if args.open => Some(store_layout(global)?.results.join("comparison")),
        None => None,
    };
    if let Some(folder) = folder {
        let pages = [
            ("comparison.json", shown::json(&comparison)),
            ("comparison.csv", shown::csv(&comparison)),
            ("comparison.md", shown::markdown(&comparison)),
            ("comparison.html", shown::html(&comparison)),
        ];
        for (name, text) in pages {
            let path = folder.join(name);
            os::fs::create_parent(&path)?;
            os::fs::write_atomic(&path, text.as_bytes()).context("failed to write the comparison")?;
            if !args.open {
                console::note(&path.display().to_string());
            }
        }
        if args.open {
            open_page(&folder.join("comparison.html"))?;
        }
        return Ok(Exit::Done);
    }
    let format = if args.json { ReportFormat::Json } else { args.format };
    console::out(&match format {
        ReportFormat::Human => shown::table(&comparison, console::paper()),
        ReportFormat::Json => shown::json(&comparison),
        ReportFormat::Csv => shown::csv(&comparison),
        ReportFormat::Html => shown::html(&comparison),
        ReportFormat::Md => shown::markdown(&comparison),
        _ => {
            let fault = "a comparison has no such form";
            return Err(CommandError::refused(fault).hint("it has human, json, csv, html and md"));
        }
    });
    Ok(Exit::Done)
}

/// Why two sides cannot be compared, with every field.
fn refused(comparison: &Comparison) -> CommandError {
    let all = &comparison.refused;
    let mut lines: Vec<String> = all.iter().take(LISTED).map(difference).collect();
    if LISTED < all.len() {
        lines.push(format!("... and {} more", all.len() - LISTED));
    }
    let mut fields: Vec<&str> = all.iter().map(|one| one.field.as_str()).collect();
    fields.dedup();
    let fault = format!(
        "`{}` and `{}` measured different things",
        comparison.baseline.name, comparison.candidate.name
    );
    let error = CommandError::refused(fault).details(lines);
    let never = |field: &&&str| Field::of(field).is_some_and(|field| !field.may_differ());
    match fields.iter().find(never) {
        Some(field) => error.hint(format!("runs of another {field} are never comparable")),
        None => error.hint(format!("if that is what you compare: `--across {}`", fields.join(","))),
    }
}

/// A metric over all runs of the subject of the run that `args` names.
pub(super) fn over_time(store: &Store, args: &ReportArgs, metric: Metric) -> Result<Exit> {
    if args.open || args.output.is_some() {
        return Err(CommandError::refused("a history is printed: as a table, `--json` or `--format csv`"));
    }
    let history = history(&of_subject(store, &args.run)?, metric);
    let format = if args.json { ReportFormat::Json } else { args.format };
    console::out(&match format {
        ReportFormat::Human => shown::history_table(&history, console::paper()),
        ReportFormat::Json => shown::history_json(&history),
        ReportFormat::Csv => shown::history_csv(&history),
        _ => {
            return Err(CommandError::refused("a history is printed as a table, as JSON or as CSV"));
        }
    });
    Ok(Exit::Done)
}
