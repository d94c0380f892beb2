//! The one line that shows a build on a terminal: `[12/340] task:copy  stale: ...`.
//!
//! Not here: drawing it in place (`region`) and when to do so (`progress`).

use super::plain::plain;
use super::region::cut;
use crate::diag::{Color, Tone};
use crate::engine::events::{BuildEvent, Outcome};

/// The state of a build.
#[derive(Debug, Default)]
pub(super) struct Status {
    total: usize,
    finished: usize,
    failed: usize,
    /// The running tasks, the newest last.
    running: Vec<(String, String)>,
}

impl Status {
    pub(super) fn event(&mut self, event: &BuildEvent<'_>) {
        match event {
            BuildEvent::Looked { tasks } => self.total = *tasks,
            BuildEvent::TaskStarted { label, reason } => {
                self.running.push(((*label).to_owned(), (*reason).to_owned()));
            }
            BuildEvent::TaskFinished { label, outcome, .. } => {
                self.finished += 1;
                // The newest are at the end, and short tasks are among them.
                if let Some(at) = self.running.iter().rposition(|(running, _)| running == label) {
                    self.running.remove(at);
                }
                let has_failed = matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Panicked);
                self.failed += usize::from(has_failed);
            }
            BuildEvent::Started { .. }
            | BuildEvent::Waiting { .. }
            | BuildEvent::TaskNote { .. }
            | BuildEvent::Finished { .. } => {}
        }
    }

    /// The line in at most so many columns; `None` while nothing runs.
    pub(super) fn line(&self, columns: usize, color: Color) -> Option<String> {
        let (label, reason) = self.running.last()?;
        let count = format!("[{}/{}", self.finished, self.total);
        let failed = if self.failed > 0 { format!("{} failed", self.failed) } else { String::new() };
        let comma = if self.failed > 0 { ", " } else { "" };
        let rest = plain(&format!("] {label}  {reason}"));
        let whole = format!("{count}{comma}{failed}{rest}");
        let shown = cut(&whole, columns);
        // Colours have no place in a line that is cut before them.
        let red = color.paint(Tone::Bad, &failed);
        Some(match shown.strip_prefix(&format!("{count}{comma}{failed}")) {
            Some(rest) => format!("{count}{comma}{red}{rest}"),
            None => shown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started<'a>(label: &'a str) -> BuildEvent<'a> {
        BuildEvent::TaskStarted { label, reason: "new" }
    }

    fn finished<'a>(label: &'a str, outcome: Outcome) -> BuildEvent<'a> {
        BuildEvent::TaskFinished { label, outcome, duration_ms: 0, detail: "", log: "" }
    }

    #[test]
    fn the_line_shows_the_newest_task_that_runs() {
        let mut status = Status::default();
        let mut at = |event: &BuildEvent<'_>| {
            status.event(event);
            status.line(79, Color::Never).unwrap_or_default()
        };
        assert_eq!(at(&BuildEvent::Looked { tasks: 3 }), "");
        assert_eq!(at(&started("a")), "[0/3] a  new");
        assert_eq!(at(&started("b")), "[0/3] b  new");
        assert_eq!(at(&finished("b", Outcome::Succeeded)), "[1/3] a  new");
        assert_eq!(at(&finished("a", Outcome::Failed)), "");
        assert_eq!(at(&started("c\x1b[2J")), "[2/3, 1 failed] c  new");
        assert_eq!(status.line(14, Color::Never).unwrap(), "[2/3, 1 fai...");
        assert_eq!(status.line(79, Color::Always).unwrap(), "[2/3, \x1b[1m\x1b[31m1 failed\x1b[0m] c  new");
    }
}
