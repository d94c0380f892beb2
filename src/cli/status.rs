//! The one line that shows a build on a terminal, redrawn in place:
//! `[12/340] task:copy  stale: ...`.
//!
//! [`Status`] is pure: it gets events and the time and returns the text to write. It
//! redraws at most [`PER_SECOND`] times a second, also for many short tasks; its
//! owner calls [`Status::tick`] at intervals, so that the last task of a burst is
//! shown too.

use super::plain::plain;
use crate::engine::events::{BuildEvent, Outcome};

/// How often the line may be drawn.
pub(super) const PER_SECOND: u64 = 20;

/// Moves to the first column and clears the line.
const CLEAR: &str = "\r\x1b[K";

/// The state of the line.
#[derive(Debug, Default)]
pub(super) struct Status {
    total: usize,
    finished: usize,
    failed: usize,
    /// The running tasks, the newest last.
    running: Vec<(String, String)>,
    /// When it was drawn last, in microseconds.
    drawn_us: Option<u64>,
    is_visible: bool,
    is_outdated: bool,
}

impl Status {
    /// The text to write after an event.
    pub(super) fn event(&mut self, event: &BuildEvent<'_>, now_us: u64, columns: usize) -> String {
        match event {
            BuildEvent::Started { .. } => return String::new(),
            BuildEvent::Looked { tasks } => {
                self.total = *tasks;
                return String::new();
            }
            BuildEvent::Finished { .. } => return self.clear(),
            BuildEvent::Waiting { reason } => return self.above(reason, columns),
            BuildEvent::TaskNote { note, .. } => return self.above(note, columns),
            BuildEvent::TaskStarted { label, reason } => {
                self.running.push(((*label).to_owned(), (*reason).to_owned()));
            }
            BuildEvent::TaskFinished { label, outcome, .. } => {
                self.finished += 1;
                // The newest are at the end, and short tasks are among them.
                if let Some(at) = self.running.iter().rposition(|(running, _)| running == label) {
                    self.running.remove(at);
                }
                if matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Panicked) {
                    self.failed += 1;
                    // Its output comes at the end, but the failure shows at once.
                    return self.above(&format!("`{label}` failed"), columns);
                }
            }
        }
        self.is_outdated = true;
        self.tick(now_us, columns)
    }

    /// Draws the line if it is outdated and its time has come.
    pub(super) fn tick(&mut self, now_us: u64, columns: usize) -> String {
        let is_due = self.drawn_us.is_none_or(|drawn| now_us >= drawn + 1_000_000 / PER_SECOND);
        if !self.is_outdated || !is_due || self.running.is_empty() {
            return String::new();
        }
        self.drawn_us = Some(now_us);
        self.draw(columns)
    }

    pub(super) fn clear(&mut self) -> String {
        self.is_outdated = false;
        if std::mem::take(&mut self.is_visible) { CLEAR.to_owned() } else { String::new() }
    }

    /// A line that stays, above the one that is redrawn.
    fn above(&mut self, line: &str, columns: usize) -> String {
        let was_visible = self.is_visible;
        let mut text = self.clear();
        text.push_str(&plain(line));
        text.push('\n');
        if was_visible && !self.running.is_empty() {
            text.push_str(&self.draw(columns));
        }
        text
    }

    fn draw(&mut self, columns: usize) -> String {
        self.is_outdated = false;
        self.is_visible = true;
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        let mut line = format!("[{}/{}{failed}]", self.finished, self.total);
        if let Some((label, reason)) = self.running.last() {
            line.push_str(&format!(" {label}  {reason}"));
        }
        format!("{CLEAR}{}", cut(&plain(&line), columns))
    }
}

/// The part of a line that fits before the last column, where terminals wrap.
fn cut(line: &str, columns: usize) -> String {
    // Some characters are two columns wide. Counting every character beyond ASCII as
    // two never wraps.
    let width = |c: char| if c.is_ascii() { 1 } else { 2 };
    let room = columns.saturating_sub(1);
    if line.chars().map(width).sum::<usize>() <= room {
        return line.to_owned();
    }
    let mut used = 0;
    let mut cut: String = line
        .chars()
        .take_while(|c| {
            used += width(*c);
            used + 3 <= room
        })
        .collect();
    cut.push_str(&"..."[..room.min(3)]);
    cut
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
        let mut at = |event: &BuildEvent<'_>, now_ms: u64| status.event(event, now_ms * 1000, 80);
        assert_eq!(at(&BuildEvent::Looked { tasks: 3 }, 0), "");
        assert_eq!(at(&started("a"), 0), "\r\x1b[K[0/3] a  new");
        assert_eq!(at(&started("b"), 60), "\r\x1b[K[0/3] b  new");
        assert_eq!(at(&finished("b", Outcome::Succeeded), 120), "\r\x1b[K[1/3] a  new");
        assert_eq!(
            at(&BuildEvent::TaskNote { label: "a", note: "retry 1" }, 121),
            "\r\x1b[Kretry 1\n\r\x1b[K[1/3] a  new"
        );
        assert_eq!(at(&finished("a", Outcome::Failed), 122), "\r\x1b[K`a` failed\n");
        assert_eq!(at(&started("c"), 200), "\r\x1b[K[2/3, 1 failed] c  new");
        assert_eq!(at(&BuildEvent::Finished { summary: &Default::default() }, 201), "\r\x1b[K");
    }

    #[test]
    fn thousands_of_short_tasks_draw_twenty_times_a_second() {
        let mut status = Status::default();
        let mut drawn = 0;
        for n in 0..10_000_u64 {
            let label = format!("task:{n}");
            drawn += usize::from(!status.event(&started(&label), n * 100, 80).is_empty());
            drawn +=
                usize::from(!status.event(&finished(&label, Outcome::Succeeded), n * 100, 80).is_empty());
        }
        assert_eq!(drawn, 20, "in one second");
        // The last one of a burst is shown when its time has come.
        assert_eq!(status.event(&started("last"), 1_000_000, 80), "\r\x1b[K[10000/0] last  new");
        assert_eq!(status.event(&started("more"), 1_000_001, 80), "");
        assert_eq!(status.tick(1_020_000, 80), "");
        assert_eq!(status.tick(1_060_000, 80), "\r\x1b[K[10000/0] more  new");
        assert_eq!(status.tick(1_200_000, 80), "", "nothing is new");
    }

    #[test]
    fn a_line_never_wraps() {
        assert_eq!(cut("0123456789", 11), "0123456789");
        assert_eq!(cut("0123456789", 10), "012345...");
        assert_eq!(cut("日本語日本語", 10), "日本語...");
        assert_eq!(cut("0123456789", 3), "..");
        assert_eq!(cut("0123456789", 0), "");
    }
}
