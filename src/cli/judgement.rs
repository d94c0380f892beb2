//! How `lp run`, `lp report --verdict` and `lp density` say whether the result is good enough: every breach,
//! then the rule that decided as the last line.

use super::args::{Global, ReportFormat};
use super::{Exit, console, project};
use crate::config::load::Loaded;
use crate::diag::{Place, Sources, Spanned, document};
use crate::model::{Project, Threshold};
use crate::record::judgement::Judgement;
use crate::report::{self, Places, Report};
use crate::text::harmless_lines;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;

/// Where the config has thresholds and cameras; nowhere if it cannot be read.
pub(super) struct Config {
    sources: Sources,
    thresholds: Vec<Spanned<Threshold>>,
    cameras: Vec<(String, Place)>,
}

impl Config {
    /// No place is known, and none is needed.
    pub(super) fn none() -> Config {
        Config { sources: Sources::new(), thresholds: Vec::new(), cameras: Vec::new() }
    }

    pub(super) fn of(opened: &Workspace) -> Config {
        Config::new(&opened.project, opened.sources.clone())
    }

    /// As the config is now.
    pub(super) fn read(global: &Global) -> Result<Config> {
        let Loaded { project, sources, .. } = project::read(global, &[])?;
        Ok(project.map_or_else(Config::none, |project| Config::new(&project, sources)))
    }

    fn new(project: &Project, sources: Sources) -> Config {
        let cameras = project.cameras.iter().map(|camera| (camera.name.clone(), camera.place)).collect();
        Config { sources, thresholds: project.settings.thresholds.clone(), cameras }
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places { sources: &self.sources, thresholds: &self.thresholds, cameras: &self.cameras }
    }
}

/// The report of a run in a format.
pub(super) fn text(shown: &Report<'_>, format: ReportFormat, config: &Config) -> String {
    match format {
        ReportFormat::Human => format!("{}\n", report::table(shown, console::paper()).trim_end()),
        ReportFormat::Json => report::json(shown),
        ReportFormat::Csv => report::csv(shown),
        ReportFormat::Html => report::html(shown, None),
        ReportFormat::Junit => report::junit(shown),
        ReportFormat::Sarif => document(&report::sarif(shown, config.places())),
        ReportFormat::Md => report::markdown(shown),
        ReportFormat::Upstream => report::metrics(shown),
        ReportFormat::Png => unreachable!("a picture is no text, and its callers print it"),
    }
}

/// Every breach, the worst first, and thresholds that were not judged.
pub(super) fn breaches(judgement: &Judgement) {
    for breach in judgement.breaches() {
        console::result(&harmless_lines(&breach.line()));
    }
    for skipped in &judgement.not_judged {
        console::result(&harmless_lines(&format!("not judged: {}: {}", skipped.threshold.text, skipped.why)));
    }
}

/// Says what decided about `what`, and ends accordingly.
pub(super) fn end(judgement: &Judgement, what: &str) -> Exit {
    breaches(judgement);
    let line = harmless_lines(&format!("{what}: {}", judgement.line));
    if judgement.passes {
        console::note(&line);
        return Exit::Done;
    }
    console::result(&console::error_text(&line, &[]));
    Exit::Failed
}

/// Says that the project has other thresholds now than those that judge a stored run.
pub(super) fn note_changed(global: &Global, of_record: &[Threshold]) -> Result<()> {
    let Some(project) = project::read(global, &[])?.project else { return Ok(()) };
    if project.settings.threshold_values() != of_record {
        console::note(
            "note: the thresholds of this run differ from those of the project now, by which `lp run` judges",
        );
    }
    Ok(())
}
