//! `lp cache verify`

use super::{is_empty, lock};
use crate::cli::size::size_text;
use crate::cli::{Exit, console};
use crate::store::Store;
use crate::store::verify::{Bytes, Done, Fault, NeededBy, StateFound, Verified, Wrong};
use crate::text::counted;
use crate::workspace::error::Result;

pub(super) fn run(store: &Store, json: bool) -> Result<Exit> {
    if !json && is_empty(store) {
        return Ok(Exit::Done);
    }
    let mut verified = store.verify()?;
    let healed = if verified.is_right() { Ok(()) } else { heal(store, &mut verified) };
    // Printed even if the repair failed: the store may be on a read-only disk.
    if json {
        console::out(&format!("{}\n", serde_json::to_string_pretty(&verified)?));
    } else {
        console::result(&text(&verified, healed.is_ok()));
    }
    healed?;
    // The repair checks again: another process may have repaired a fault meanwhile.
    Ok(if verified.is_right() { Exit::Done } else { Exit::Failed })
}

fn heal(store: &Store, verified: &mut Verified) -> Result<()> {
    let _lock = lock(store)?;
    Ok(store.heal(verified)?)
}

fn text(verified: &Verified, is_healed: bool) -> String {
    let mut text = String::new();
    for fault in &verified.faults {
        text.push_str(&fault_text(fault));
    }
    let range = |bytes: &Bytes| format!("{}..{}", bytes.from, bytes.to);
    let log = &verified.log;
    if log.is_foreign {
        text.push_str("log: written by another version of `lp`, or damaged in its first bytes\n");
    }
    if !log.damaged.is_empty() {
        let ranges: Vec<String> = log.damaged.iter().map(range).collect();
        text.push_str(&format!(
            "log: damaged at bytes {}{}\n",
            ranges.join(", "),
            if is_healed { "; moved to `.lpcache/log.damaged`" } else { "" }
        ));
    }
    if let Some(torn) = &log.torn {
        text.push_str(&format!(
            "note: the log ends in half an entry, as a crash leaves it: bytes {}\n",
            range(torn)
        ));
    }
    if log.foreign > 0 {
        let n = counted(log.foreign, "entry");
        text.push_str(&format!("note: the log has {n} from another version of `lp`\n"));
    }
    match verified.state {
        StateFound::Damaged if is_healed => {
            text.push_str("state: damaged; deleted, the next build makes it again\n");
        }
        StateFound::Damaged => text.push_str("state: damaged\n"),
        StateFound::Foreign => text.push_str("note: `state` was written by another version of `lp`\n"),
        StateFound::Missing | StateFound::Whole => {}
    }
    let n_faults = verified.faults.len()
        + log.damaged.len()
        + usize::from(log.is_foreign)
        + usize::from(verified.state == StateFound::Damaged);
    text.push_str(&format!(
        "read {} ({}) and {} of the log: {}",
        counted(verified.blobs.count, "blob"),
        size_text(verified.blobs.bytes),
        counted(log.attempts, "attempt"),
        if n_faults == 0 { "no faults".to_owned() } else { counted(n_faults, "fault") }
    ));
    text
}

fn fault_text(fault: &Fault) -> String {
    let wrong = match fault.wrong {
        Wrong::Damaged => "damaged",
        Wrong::Unreadable => "unreadable",
        Wrong::Missing => "missing",
    };
    let measures = fault.needed_by.iter().any(|by| by.measurement);
    let done = match (fault.done, measures) {
        (Done::StoredAgain, _) => "stored again from the project",
        (Done::Removed, _) if fault.needed_by.iter().any(|by| by.output.is_some()) => {
            "deleted; the next build that needs it makes it again"
        }
        (Done::Removed, _) => "deleted",
        (Done::Nothing, _) if fault.wrong != Wrong::Missing => "not repaired",
        (Done::Nothing, false) => "the next build that needs it makes it again",
        (Done::Nothing, true) => "A MEASUREMENT IS LOST: it cannot be made again",
        (Done::Kept, _) => "A MEASUREMENT IS DAMAGED: it cannot be made again; its file is kept",
    };
    let mut text = format!("{wrong} {}: {done}\n", fault.blob);
    for by in &fault.needed_by {
        text.push_str(&format!("  needed by {}\n", needed_by_text(by)));
    }
    text
}

fn needed_by_text(by: &NeededBy) -> String {
    let what = match &by.output {
        Some(output) => format!("output `{output}` of `{}`", by.label),
        None => format!("the log of `{}`", by.label),
    };
    match &by.run {
        Some(run) => format!("{what}, run {run}"),
        None => what,
    }
}
