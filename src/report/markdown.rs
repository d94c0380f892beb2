//! The report as Markdown: for the summary of a CI job, a pull request, a chat or a ticket.
//!
//! The verdict comes first, then breaches, cameras, conditions, host and the command that repeats the run.
//! Names and reasons are untrusted: [`cell`] leaves nothing of them that Markdown or HTML could take for its own,
//! nor a mention of a person or an issue. It is never longer than [`MOST`], as a comment on GitHub takes 65,536
//! characters; rows that do not fit are counted instead, the worst come first.
//!
//! Not here: what is judged (`cases`).

use super::cases::{Case, Outcome, cases, of_search};
use super::density::{self, DensityShown};
use super::html::repeat;
use super::{Report, dropped, fps, lanes, millis, on_time, subject, target, verdict};
use crate::record::judgement::Judgement;
use crate::record::measure::{CameraFigures, StreamFigures};
use crate::text::{counted, harmless};

/// The most bytes of a document.
pub const MOST: usize = 60_000;

/// The most bytes of one cell.
const CELL: usize = 400;

/// Bytes kept free beside each table: for lines about what has no room.
const SPARE: usize = 1_000;

/// The report of a run.
#[must_use]
pub fn markdown(report: &Report<'_>) -> String {
    let Report { run, record, measurement } = report;
    let (judgement, cases) = cases(report);
    let mut page = Page::new(&judgement);
    page.line(&format!("{}.", cell(&measurement.verdict)));
    if let Some(degraded) = lanes::degraded(report) {
        page.line(&format!("**Degraded**: {}.", cell(&degraded)));
    }
    page.facts = facts(run, subject::head(report), &repeat::command(record).join(" "));
    page.failures(&cases);
    let head = ["camera", "stream", "verdict", "fps", "target", "on time %", "latency p95 ms", "dropped %"];
    let worst = lanes::worst_first(report);
    let rows = worst.into_iter().flat_map(|camera| camera.streams.iter().map(move |stream| (camera, stream)));
    let rows = rows.map(|(camera, stream)| stream_row(report, camera, stream)).collect();
    page.table("Cameras", &head, 3, rows);
    page.thresholds(&cases);
    page.end()
}

/// The report of a search for the density.
#[must_use]
pub fn density_markdown(shown: &DensityShown<'_>) -> String {
    let (judgement, cases) = of_search(shown);
    let mut page = Page::new(&judgement);
    page.line(&format!("{}.", cell(&shown.figures.verdict)));
    page.facts = facts(shown.id, density::head(shown), &density::repeat::command(shown).join(" "));
    page.failures(&cases);
    let head = ["lanes", "verdict", "judged s", "worst stream"];
    let row = |setting: &crate::record::density_figures::SettingFigures| {
        let judged = setting.judged_us.map_or("-".to_owned(), |us| format!("{:.0}", us as f64 / 1e6));
        vec![setting.lanes.to_string(), cell(density::state(setting)), judged, cell(&density::worst(setting))]
    };
    page.table("Path of the search", &head, 1, shown.figures.settings.iter().map(row).collect());
    page.thresholds(&cases);
    page.end()
}

fn stream_row(report: &Report<'_>, camera: &CameraFigures, stream: &StreamFigures) -> Vec<String> {
    let decisive = stream.decisive().join(", ");
    let verdict = match decisive.as_str() {
        "" => verdict(stream.verdict),
        parts => format!("{} ({parts})", stream.verdict),
    };
    vec![
        cell(&lanes::name(camera)),
        cell(&stream.stream),
        cell(&verdict),
        cell(&fps(stream)),
        cell(&target(report.record, camera.target_fps)),
        cell(&on_time(stream)),
        stream.latency_us.map_or("-".to_owned(), |latency| millis(latency.p95)),
        cell(&dropped(stream)),
    ]
}

/// What was measured and where, with the command that repeats it; always the whole of it.
fn facts(id: &str, facts: Vec<subject::Fact>, repeat: &str) -> String {
    let mut text = String::from("\n<details><summary>Conditions and host</summary>\n\n");
    for subject::Fact { label, value } in facts {
        text.push_str(&format!("- {label}: {}\n", cell(&value)));
    }
    text.push_str(&format!("\n</details>\n\nRun {}. Repeat with\n\n{}\n", cell(id), block(repeat)));
    text
}

/// A document that grows up to its limit.
struct Page {
    text: String,
    /// What follows at its end, whatever else has room.
    facts: String,
}

impl Page {
    fn new(judgement: &Judgement) -> Page {
        let word = if judgement.passes { "Passes" } else { "Fails" };
        Page { text: format!("## {word}: {}\n", cell(&judgement.line)), facts: String::new() }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&format!("\n{line}\n"));
    }

    /// What keeps the run from passing, the worst first.
    fn failures(&mut self, cases: &[Case]) {
        let failed = cases.iter().filter(|case| case.failure().is_some());
        let row = |case: &Case| {
            let why = case.failure().unwrap_or_default();
            vec![case.severity.to_string(), cell(&case.name), cell(why)]
        };
        let mut rows: Vec<(crate::model::Severity, Vec<String>)> =
            failed.map(|case| (case.severity, row(case))).collect();
        rows.sort_by_key(|(severity, _)| *severity);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        self.table("Breaches", &["severity", "rule", "why"], 3, rows);
    }

    /// Thresholds that are kept, and those that are not judged, in a line each.
    fn thresholds(&mut self, cases: &[Case]) {
        let of_thresholds = || cases.iter().filter(|case| case.threshold.is_some());
        let skipped = of_thresholds().filter_map(|case| match &case.outcome {
            Outcome::Skipped(why) => Some(vec![cell(&case.name), cell(why)]),
            _ => None,
        });
        let kept = of_thresholds().filter(|case| case.outcome == Outcome::Passed).count();
        if kept > 0 {
            let keep = if kept == 1 { "keeps its threshold" } else { "keep their thresholds" };
            self.line(&format!("{} {keep}.", counted(kept, "figure")));
        }
        self.table("Not judged", &["threshold", "why"], 2, skipped.collect());
    }

    /// A table, of which only whole rows are shown: as many as there is room for. The first `texts` columns
    /// are texts, the others figures.
    fn table(&mut self, title: &str, head: &[&str], texts: usize, rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let rule = |column: usize| if column < texts { "---" } else { "---:" };
        let rules: Vec<&str> = (0..head.len()).map(rule).collect();
        let mut table = format!("\n### {title}\n\n| {} |\n| {} |\n", head.join(" | "), rules.join(" | "));
        let taken = self.text.len() + self.facts.len() + table.len() + SPARE;
        let mut room = MOST.saturating_sub(taken);
        let all = rows.len();
        let mut shown = 0;
        for row in rows {
            let line = format!("| {} |\n", row.join(" | "));
            if room < line.len() {
                break;
            }
            room -= line.len();
            table.push_str(&line);
            shown += 1;
        }
        if shown < all {
            table.push_str(&format!(
                "\n... and {} more; `lp report` shows all.\n",
                counted(all - shown, "row")
            ));
        }
        match shown {
            // Not even the first row has room.
            0 => self.line(&format!("{title}: {} without room; `lp report` shows all.", counted(all, "row"))),
            _ => self.text.push_str(&table),
        }
    }

    fn end(mut self) -> String {
        let facts = std::mem::take(&mut self.facts);
        self.text.push_str(&facts);
        self.text
    }
}

/// A text as one line in which nothing is Markdown, HTML, a mention or a reference.
fn cell(text: &str) -> String {
    let line = text.replace(['\n', '\r', '\t'], " ");
    let mut safe = String::new();
    for c in harmless(&line).chars() {
        if safe.len() > CELL {
            safe.push('…');
            break;
        }
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            // A blank without width breaks the name that services would look up.
            '@' | '#' => safe.push_str(&format!("{c}&#8203;")),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    // A link of its own begins with a scheme.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// A command in a block of code, whatever backticks it has.
fn block(command: &str) -> String {
    let line = command.replace(['\n', '\r'], " ");
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let shown: String = harmless(&line).chars().take(4_000).collect();
    format!("{fence}sh\n{shown}\n{fence}")
}
