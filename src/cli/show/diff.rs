//! `lp show --diff A B`: two plans side by side.
//!
//! A word with a `/`, a word that ends with `.json`, and `.`, `..` and `-` name files
//! or folders; any other word names a profile of this project. So the meaning of a
//! word does not depend on the files that exist.

mod side;
mod text;

use super::print;
use crate::cli::args::Global;
use crate::cli::{Exit, console};
use crate::plan::diff::diff;
use crate::workspace::error::{CommandError, Result};

/// The version of the document of `--format json`.
const DOCUMENT: u32 = 1;

pub(super) fn run(global: &Global, is_json: bool, before: &str, after: &str) -> Result<Exit> {
    if before == "-" && after == "-" {
        return Err(CommandError::refused("only one of the two plans can come from stdin"));
    }
    if side::is_file(before) && side::is_file(after) {
        let Global { sets, cameras, workloads, .. } = global;
        let given = [
            ("--set", !sets.is_empty()),
            ("--cameras", cameras.is_some()),
            ("--workloads", workloads.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
            let fault = format!("`{flag}` has no effect on `lp show --diff` of two plan files");
            return Err(CommandError::refused(fault));
        }
    }
    // Both, so that both are reported if both are faulty.
    let found = match (side::read(global, before), side::read(global, after)) {
        (Ok(one), Ok(other)) => diff(&one, &other),
        (Err(one), Err(other)) => return Err(one.and(other)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
    };
    if is_json {
        let mut document = serde_json::to_value(&found)?;
        document["version"] = DOCUMENT.into();
        print(&document);
    } else {
        console::out(&text::text(&found, &[before, after]));
    }
    Ok(Exit::Done)
}
