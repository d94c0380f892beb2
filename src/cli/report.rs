//! `lp report`

mod compare;
mod density;

use std::path::Path;

use anyhow::Context;

use super::args::{Global, ReportArgs, ReportFormat};
use super::judgement::{self, Config};
use super::project::{store_layout, store_root};
use super::{Exit, console};
use crate::name::did_you_mean;
use crate::os;
use crate::path::{Layout, for_shell};
use crate::record::judgement::judge;
use crate::record::measure::measure;
use crate::report::{self, Report};
use crate::store::Store;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::{searches, view};

pub(super) fn run(global: &Global, args: &ReportArgs) -> Result<Exit> {
    // Reports are read from the store alone, so a config with errors does not matter.
    let store = Store::open(Layout::new(store_root(global)?))?;
    if let Some(sides) = &args.compare {
        return compare::compared(global, &store, args, sides);
    }
    if let Some(metric) = args.history {
        return compare::over_time(&store, args, metric);
    }
    if args.run == "density" || args.run.starts_with("density:") {
        return density::run(global, &store, args);
    }
    let runs: Vec<_> = store.attempts().into_iter().filter(|attempt| attempt.run_id().is_some()).collect();
    let found = if args.run == "latest" { view::latest(&runs) } else { view::find(&store, &args.run)? };
    let Some(attempt) = found else {
        if runs.is_empty() {
            return Err(CommandError::refused("there is no measurement yet").hint("measure with `lp run`"));
        }
        let ids: Vec<String> = runs.iter().filter_map(|attempt| attempt.run_id()).collect();
        let meant = did_you_mean(&args.run, ids.iter().map(String::as_str));
        let hint = meant.map_or_else(
            || format!("the newest is {}; `lp list runs` lists all", ids[0]),
            |meant| format!("did you mean `{meant}`?"),
        );
        return Err(CommandError::refused(format!("there is no run `{}`", args.run)).hint(hint));
    };
    let mut stored = view::read(&store, &attempt)?;
    searches::refresh(&store, &attempt, &mut stored.record);
    let measurement = measure(&stored.record);
    let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
    if let Some(folder) = &args.output {
        let folder = os::env::current_dir()?.join(folder);
        let pages = [
            ("report.json", report::json(&shown)),
            ("report.csv", report::csv(&shown)),
            ("report.html", report::html(&shown, Some("report"))),
        ];
        for (name, text) in pages {
            let path = folder.join(name);
            os::fs::create_parent(&path)?;
            os::fs::write_atomic(&path, text.as_bytes()).context("failed to write the report")?;
            console::note(&path.display().to_string());
        }
        if args.open {
            open_page(&folder.join("report.html"))?;
        }
        return exit(global, &shown, args);
    }
    if args.open {
        open(global, &shown)?;
        return exit(global, &shown, args);
    }
    let format = if args.json { ReportFormat::Json } else { args.format };
    console::out(&match format {
        ReportFormat::Png => {
            picture(&report::png(&shown))?;
            return exit(global, &shown, args);
        }
        ReportFormat::Sarif => judgement::text(&shown, format, &Config::read(global)?),
        format => judgement::text(&shown, format, &Config::none()),
    });
    exit(global, &shown, args)
}

/// Prints a picture, but not to a terminal.
pub(super) fn picture(bytes: &[u8]) -> Result<()> {
    if os::terminal::is_stdout() {
        let fault = "a picture is not printed to a terminal";
        return Err(
            CommandError::refused(fault).hint("write it to a file: `lp report --format png > run.png`")
        );
    }
    console::out_by(|| std::io::Write::write_all(&mut std::io::stdout().lock(), bytes));
    Ok(())
}

/// Opens the page of a run in its folder, which may have been deleted.
fn open(global: &Global, shown: &Report<'_>) -> Result<()> {
    let layout = store_layout(global)?;
    let page = layout.results.join("runs").join(shown.run).join("report.html");
    if !os::fs::is_file(&page) {
        os::fs::create_parent(&page)?;
        os::fs::write_atomic(&page, report::html(shown, None).as_bytes())
            .context("failed to write the report")?;
    }
    open_page(&page)
}

fn open_page(page: &Path) -> Result<()> {
    console::note(&page.display().to_string());
    os::browser::open(page).map_err(|error| {
        let host =
            os::proc::read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_else(|_| "HOST".to_owned());
        let from = for_shell(&format!("{host}:{}", page.display())).into_owned();
        let hint =
            format!("copy the page to where a browser is: `scp {from} .`; or name a browser in `BROWSER`");
        CommandError::refused_by(&error).hint(hint)
    })
}

/// With `--verdict`, that of the run itself.
fn exit(global: &Global, shown: &Report<'_>, args: &ReportArgs) -> Result<Exit> {
    if !args.verdict {
        return Ok(Exit::Done);
    }
    let judgement = judge(shown.record, shown.measurement);
    judgement::note_changed(global, &shown.record.thresholds)?;
    Ok(judgement::end(&judgement, &format!("run {}", shown.run)))
}
