//! `lp cache gc`

use super::{is_empty, lock};
use crate::cli::args::GcArgs;
use crate::cli::size::size_text;
use crate::cli::{Exit, console};
use crate::os::clock::utc_now;
use crate::os::usage::Usage;
use crate::store::Store;
use crate::store::gc::{Act, Collected, Limits};
use crate::text::counted;
use crate::workspace::error::Result;

pub(super) fn run(store: &Store, args: &GcArgs) -> Result<Exit> {
    if !args.json && is_empty(store) {
        return Ok(Exit::Done);
    }
    let limits = Limits { max_size: args.max_size, max_age: args.max_age, now: utc_now() };
    let collected = if args.dry_run || !store.root().is_dir() {
        store.collect(&limits, Act::DryRun)?
    } else {
        let lock = lock(store)?;
        let collected = store.collect(&limits, Act::Remove)?;
        store.save_state()?;
        drop(lock);
        collected
    };
    if args.json {
        console::out(&format!("{}\n", serde_json::to_string_pretty(&collected)?));
    } else if args.dry_run {
        console::result(&text(&collected));
    } else {
        console::note(&text(&collected));
    }
    Ok(Exit::Done)
}

fn text(collected: &Collected) -> String {
    let Collected { removed, kept, .. } = collected;
    let sized =
        |usage: Usage, word: &str| format!("{} ({})", counted(usage.count, word), size_text(usage.bytes));
    let mut parts = Vec::new();
    if removed.blobs.count > 0 {
        parts.push(sized(removed.blobs, "blob"));
    }
    let n_attempts = removed.dead + removed.too_old + removed.too_large;
    if n_attempts > 0 {
        let why = [
            (removed.dead, "dead"),
            (removed.too_old, "too old"),
            (removed.too_large, "least recently used"),
        ];
        let why: Vec<String> =
            why.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        parts.push(format!("{} ({})", counted(n_attempts, "attempt"), why.join(", ")));
    }
    if removed.graphs.count > 0 {
        parts.push(sized(removed.graphs, "compiled graph"));
    }
    if removed.leftovers.count > 0 {
        parts.push(sized(removed.leftovers, "leftover"));
    }
    let would = if collected.dry_run { "would " } else { "" };
    let remove = if collected.dry_run { "delete" } else { "deleted" };
    let keep = if collected.dry_run { "keep" } else { "kept" };
    let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let mut text = format!("{would}{remove} {what}\n");
    if removed.shared.count > 0 {
        text.push_str(&format!(
            "  of these, {} stay in the project as outputs: this frees {}\n",
            sized(removed.shared, "blob"),
            size_text(removed.blobs.bytes - removed.shared.bytes)
        ));
    }
    text.push_str(&format!(
        "{would}{keep} {}, {}, {}",
        sized(kept.blobs, "blob"),
        counted(kept.attempts, "attempt"),
        counted(kept.measurements, "measurement")
    ));
    if kept.unread.count > 0 {
        text.push_str(&format!(
            "\n  of these, {} only because the log has parts that this `lp` cannot read, which may name them",
            sized(kept.unread, "blob")
        ));
    }
    if !collected.fits {
        text.push_str("\nwarning: this is more than `--max-size`, but none of it may be deleted");
    }
    text
}
