//! The one line that shows a build on a terminal: `[12/340] task:copy  stale: ...`.
//!
//! Not here: drawing it in place (`region`) and when to do so (`progress`).

use std::time::Duration;

use super::plain::plain;
use super::region::cut;
use super::size::size_text;
use crate::diag::{Color, Tone};
use crate::engine::events::{BuildEvent, Outcome};
use crate::time::duration_text;

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
            BuildEvent::TaskProgress { label, bytes, total, rate } => {
                self.show(label, || progress_text(*bytes, *total, *rate));
            }
            BuildEvent::TaskEncoded { label, done_ms, total_ms, speed } => {
                self.show(label, || encoded_text(*done_ms, *total_ms, *speed));
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
            | BuildEvent::Warning { .. }
            | BuildEvent::TaskNote { .. }
            | BuildEvent::Finished { .. } => {}
        }
    }

    /// Shows how far a task is, if it runs.
    fn show(&mut self, label: &str, text: impl FnOnce() -> String) {
        let running = self.running.iter_mut().rev().find(|(running, _)| running == label);
        if let Some((_, shown)) = running {
            *shown = text();
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

/// How far a download is: `12.0 MiB of 1.0 GiB, 45.0 MiB/s, 23s left`. A rate of 0 is not
/// known yet.
pub(super) fn progress_text(bytes: u64, total: Option<u64>, rate: u64) -> String {
    let mut text = size_text(bytes);
    if let Some(total) = total {
        text.push_str(&format!(" of {}", size_text(total)));
    }
    if rate > 0 {
        text.push_str(&format!(", {}/s", size_text(rate)));
        if let Some(seconds) = total.map(|total| total.saturating_sub(bytes).div_ceil(rate)) {
            text.push_str(&format!(", {} left", duration_text(Duration::from_secs(seconds))));
        }
    }
    text
}

/// How far an encoder is: `12s of 1m of video, 3.2 times its speed, 15s left`. A speed of 0 is
/// not known yet.
pub(super) fn encoded_text(done_ms: u64, total_ms: u64, speed: f64) -> String {
    let seconds = |ms: u64| duration_text(Duration::from_secs(ms.div_ceil(1_000)));
    let mut text = format!("{} of {} of video", seconds(done_ms), seconds(total_ms));
    if speed > 0.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive")]
        let left_ms = (total_ms.saturating_sub(done_ms) as f64 / speed) as u64;
        text.push_str(&format!(", {speed:.1} times its speed, {} left", seconds(left_ms)));
    }
    text
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

    #[test]
    fn a_clip_shows_how_far_it_is() {
        let mut status = Status::default();
        status.event(&started("transcode:a"));
        let mut at = |done_ms, speed| {
            status.event(&BuildEvent::TaskEncoded { label: "transcode:a", done_ms, total_ms: 60_000, speed });
            status.line(79, Color::Never).unwrap()
        };
        assert_eq!(at(900, 0.0), "[0/0] transcode:a  1s of 1m of video");
        assert_eq!(at(12_000, 3.2), "[0/0] transcode:a  12s of 1m of video, 3.2 times its speed, 15s left");
    }

    #[test]
    fn a_download_shows_how_far_it_is() {
        let mut status = Status::default();
        status.event(&started("download:a.mp4"));
        let progress =
            |total, rate| BuildEvent::TaskProgress { label: "download:a.mp4", bytes: 3 << 20, total, rate };
        let mut at = |event| {
            status.event(&event);
            status.line(79, Color::Never).unwrap()
        };
        assert_eq!(at(progress(None, 0)), "[0/0] download:a.mp4  3.0 MiB");
        assert_eq!(at(progress(Some(1 << 30), 0)), "[0/0] download:a.mp4  3.0 MiB of 1.0 GiB");
        assert_eq!(
            at(progress(Some(100 << 20), 1 << 20)),
            "[0/0] download:a.mp4  3.0 MiB of 100.0 MiB, 1.0 MiB/s, 1m37s left"
        );
        // Of a task that has ended, nothing is shown.
        status.event(&finished("download:a.mp4", Outcome::Succeeded));
        status.event(&progress(None, 1));
        assert_eq!(status.line(79, Color::Never), None);
    }
}
