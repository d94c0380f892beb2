//! Missing and changed outputs, in one line.

use std::fmt;

use super::Store;
use super::attempt::OutputEntry;
use super::stale::StaleReason;
use crate::path::ProjectPath;

/// The number of outputs that a line names.
const NAMED: usize = 3;

/// Missing and changed outputs. There is at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amiss {
    /// The missing outputs.
    pub deleted: Vec<ProjectPath>,
    /// The outputs with other contents.
    pub changed: Vec<ProjectPath>,
}

impl Amiss {
    /// The reason to report if the store has lost the first of them.
    pub(super) fn first_lost(&self) -> Option<StaleReason> {
        self.deleted.first().or(self.changed.first()).map(|path| self.lost(path))
    }

    /// The reason to report if the store has lost one of them.
    #[must_use]
    pub fn lost(&self, path: &ProjectPath) -> StaleReason {
        if self.deleted.contains(path) {
            StaleReason::OutputDeleted(path.clone())
        } else {
            StaleReason::OutputChanged(path.clone())
        }
    }

    fn is_empty(&self) -> bool {
        self.deleted.is_empty() && self.changed.is_empty()
    }
}

/// "output `x` was changed"; "outputs `x`, `y` were deleted, output `z` was changed"
impl fmt::Display for Amiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (paths, what) in [(&self.deleted, "deleted"), (&self.changed, "changed")] {
            let (word, verb) = match paths.len() {
                0 => continue,
                1 => ("output", "was"),
                _ => ("outputs", "were"),
            };
            let names: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
            write!(f, "{comma}{word} {}", names.join(", "))?;
            if let more @ 1.. = paths.len().saturating_sub(NAMED) {
                write!(f, " and {more} more")?;
            }
            write!(f, " {verb} {what}")?;
            comma = ", ";
        }
        Ok(())
    }
}

impl Store {
    /// The missing and changed outputs of an attempt; `None` if all are as they
    /// were made. An output that cannot be read, such as a pipe in its place,
    /// counts as changed.
    pub(super) fn amiss(&self, outputs: &[OutputEntry]) -> Option<Amiss> {
        let mut amiss = Amiss::default();
        for output in outputs {
            match self.observe(&output.path) {
                Ok(None) => amiss.deleted.push(output.path.clone()),
                Ok(Some(found)) if found.is_like(output) => {}
                Ok(Some(_)) | Err(_) => amiss.changed.push(output.path.clone()),
            }
        }
        (!amiss.is_empty()).then_some(amiss)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(deleted: &[&str], changed: &[&str], expect: Expect) {
        let paths = |names: &[&str]| names.iter().map(|name| ProjectPath::new(name).unwrap()).collect();
        expect.assert_eq(&Amiss { deleted: paths(deleted), changed: paths(changed) }.to_string());
    }

    #[test]
    fn every_output_is_named_until_the_line_is_long() {
        check(&["x"], &[], expect!["output `x` was deleted"]);
        check(&[], &["x", "y\n"], expect![[r"outputs `x`, `y\n` were changed"]]);
        check(
            &["a"],
            &["b", "c", "d"],
            expect!["output `a` was deleted, outputs `b`, `c`, `d` were changed"],
        );
        check(&["a", "b", "c", "d", "e"], &[], expect!["outputs `a`, `b`, `c` and 2 more were deleted"]);
    }
}
