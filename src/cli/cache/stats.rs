//! `lp cache stats`

use super::is_empty;
use crate::cli::size::size_text;
use crate::cli::{Exit, console};
use crate::os::usage::Usage;
use crate::store::Store;
use crate::store::stats::Stats;
use crate::text::counted;
use crate::workspace::error::Result;

pub(super) fn run(store: &Store, json: bool) -> Result<Exit> {
    if !json && is_empty(store) {
        return Ok(Exit::Done);
    }
    let stats = store.stats()?;
    if json {
        console::out(&format!("{}\n", serde_json::to_string_pretty(&stats)?));
    } else {
        console::out(&console::paper().wrap_lines(&text(&stats)));
    }
    Ok(Exit::Done)
}

fn text(stats: &Stats) -> String {
    let mut text = String::new();
    let mut line = |name: &str, count: Option<usize>, rest: &str| {
        let count = count.map_or_else(String::new, |count| count.to_string());
        text.push_str(format!("{name:<14}{count:>8}  {rest}").trim_end());
        text.push('\n');
    };
    let usage = |usage: Usage| (Some(usage.count), format!("{:>10}", size_text(usage.bytes)));
    let (count, size) = usage(stats.blobs);
    line("blobs", count, &size);
    let (count, size) = usage(stats.shared);
    line("  shared", count, &format!("{size}  outputs in the project too: deleting them frees nothing"));
    let (count, size) = usage(stats.unneeded);
    line("  unneeded", count, &format!("{size}  no live attempt names them: `lp cache gc` deletes them"));
    line("attempts", Some(stats.attempts), &format!("{} live, {} dead", stats.live, stats.dead));
    for (outcome, n) in &stats.outcomes {
        line(&format!("  {}", outcome.replace('_', " ")), Some(*n), "");
    }
    line("measurements", Some(stats.measurements), &format!("{} complete", stats.complete));
    line("log", None, &format!("{:>10}", size_text(stats.log)));
    line("state", None, &format!("{:>10}", size_text(stats.state)));
    let (count, size) = usage(stats.graphs);
    line("graphs", count, &size);
    let (count, size) = usage(stats.leftovers);
    line("leftovers", count, &size);
    if !stats.largest.is_empty() {
        text.push_str("largest labels\n");
    }
    let width = stats.largest.iter().map(|largest| largest.label.chars().count()).max().unwrap_or(0);
    for largest in &stats.largest {
        text.push_str(&format!(
            "  {:>10}  {:width$}  {}\n",
            size_text(largest.bytes),
            largest.label,
            counted(largest.attempts, "attempt")
        ));
    }
    text
}
