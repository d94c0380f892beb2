//! `lp report`

use anyhow::Context;

use super::args::{Global, ReportArgs, ReportFormat};
use super::project::store_root;
use super::{Exit, console};
use crate::name::did_you_mean;
use crate::os;
use crate::path::Layout;
use crate::record::measure::{Claim, measure, shortfall};
use crate::report::{self, Report};
use crate::store::Store;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::view;

pub(super) fn run(global: &Global, args: &ReportArgs) -> Result<Exit> {
    // Reports are read from the store alone, so a config with errors does not matter.
    let store = Store::open(Layout::new(store_root(global)?))?;
    let runs: Vec<_> = store.attempts().into_iter().filter(|attempt| attempt.run_id().is_some()).collect();
    let latest = || runs.first().cloned();
    let found = if args.run == "latest" { latest() } else { view::find(&store, &args.run)? };
    let Some(attempt) = found else {
        if runs.is_empty() {
            return Err(CommandError::refused("there is no measurement yet").hint("measure with `lp run`"));
        }
        let ids: Vec<String> = runs.iter().filter_map(|attempt| attempt.run_id()).collect();
        let meant = did_you_mean(&args.run, ids.iter().map(String::as_str));
        let hint = meant
            .map_or_else(|| format!("the newest is {}", ids[0]), |meant| format!("did you mean `{meant}`?"));
        return Err(CommandError::refused(format!("there is no run `{}`", args.run)).hint(hint));
    };
    let stored = view::read(&store, &attempt)?;
    let measurement = measure(&stored.record);
    let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
    if let Some(folder) = &args.output {
        let folder = os::env::current_dir()?.join(folder);
        let pages = [
            ("report.json", report::json(&shown)),
            ("report.csv", report::csv(&shown)),
            ("report.html", report::html(&shown)),
        ];
        for (name, text) in pages {
            let path = folder.join(name);
            os::fs::create_parent(&path)?;
            os::fs::write_atomic(&path, text.as_bytes()).context("failed to write the report")?;
            console::note(&path.display().to_string());
        }
        return Ok(exit(&shown, args));
    }
    let format = if args.json { ReportFormat::Json } else { args.format };
    console::out(&match format {
        ReportFormat::Human => format!("{}\n", report::table(&shown).trim_end()),
        ReportFormat::Json => report::json(&shown),
        ReportFormat::Csv => report::csv(&shown),
        ReportFormat::Html => report::html(&shown),
    });
    Ok(exit(&shown, args))
}

/// With `--verdict`, that of the run itself.
fn exit(shown: &Report<'_>, args: &ReportArgs) -> Exit {
    let reason = shortfall(shown.record, shown.measurement, Claim::Held).filter(|_| args.verdict);
    let Some(reason) = reason else { return Exit::Done };
    console::note(&console::error_text(&format!("run {}: {reason}", shown.run), &[]));
    Exit::Failed
}
