//! `lp report density`: a search for the density again.

use anyhow::Context;

use super::{open_page, picture};
use crate::cli::args::{Global, ReportArgs, ReportFormat};
use crate::cli::judgement::{self, Config};
use crate::cli::project::{self, store_layout};
use crate::cli::{Exit, console};
use crate::diag::document;
use crate::model::Settings;
use crate::os;
use crate::record::density::DensityRecord;
use crate::record::density_figures::figures;
use crate::record::judgement::judge_search;
use crate::record::upstream::{UpstreamRule, upstream};
use crate::report;
use crate::report::density::{self, DensityShown};
use crate::store::Store;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::view;

/// The newest search of the subject that `args` names: `density`, `density:camera-3`.
pub(super) fn run(global: &Global, store: &Store, args: &ReportArgs) -> Result<Exit> {
    let label = if args.run == "density" { "density:lane" } else { &args.run };
    let attempts = store.attempts_of(label);
    let Some(attempt) = attempts.iter().find(|attempt| !attempt.outputs.is_empty()) else {
        let fault = format!("there is no search `{label}` yet");
        return Err(CommandError::refused(fault).hint("search with `lp density`"));
    };
    let (mut record, id) = view::read_density(store, attempt)?;
    // Where the config has errors, the report is as good without it.
    let settings = project::read(global, &[])?.project.map(|project| project.settings);
    // `lp density` judges an old answer by new thresholds, and a profile may have had others.
    let now = settings.as_ref().map(Settings::threshold_values).unwrap_or_default();
    let differ = settings.is_some() && now != record.thresholds;
    record.thresholds.retain(|threshold| !now.contains(threshold));
    record.thresholds.extend(now);
    if differ && args.verdict {
        console::note("note: the thresholds of this search differ from those of the project now; both count");
    }
    let figures = figures(&record);
    let upstream = upstream(&record, &figures, &UpstreamRule::default());
    let price = settings.as_ref().and_then(|settings| settings.price.as_ref());
    let shown = DensityShown { id: &id, record: &record, figures: &figures, upstream: &upstream, price };
    let folder = match &args.output {
        Some(folder) => Some(os::env::current_dir()?.join(folder)),
        None if args.open => Some(store_layout(global)?.results.join("density").join(&record.subject)),
        None => None,
    };
    if let Some(folder) = folder {
        view::write_density(&folder, &shown).context("failed to write the report")?;
        let page = folder.join("report.html");
        match args.open {
            true => open_page(&page)?,
            false => console::note(&page.display().to_string()),
        }
        return Ok(exit(&id, &record, args));
    }
    let format = if args.json { ReportFormat::Json } else { args.format };
    console::out(&match format {
        ReportFormat::Human => density::table(&shown, console::paper()),
        ReportFormat::Json => density::json(&shown),
        ReportFormat::Csv => density::csv(&shown),
        ReportFormat::Html => density::html(&shown, None),
        ReportFormat::Png => return picture(&density::png(&shown)).map(|()| exit(&id, &record, args)),
        ReportFormat::Upstream => {
            let hint = "`lp report density --format csv` has its figures; `lp density --rule upstream` has upstream's words";
            return Err(CommandError::refused("a search for the density has no `metrics.csv`").hint(hint));
        }
        ReportFormat::Junit => report::density_junit(&shown),
        ReportFormat::Sarif => {
            let config = Config::read(global)?;
            document(&report::density_sarif(&shown, config.places()))
        }
        ReportFormat::Md => report::density_markdown(&shown),
    });
    Ok(exit(&id, &record, args))
}

/// With `--verdict`, as the search itself ended.
fn exit(id: &str, record: &DensityRecord, args: &ReportArgs) -> Exit {
    if !args.verdict {
        return Exit::Done;
    }
    let judgement = judge_search(record, id, &record.thresholds);
    judgement::end(&judgement, &format!("search {id}"))
}
