//! The events of a build for programs: one JSON object per line, on stdout.

use std::time::{Duration, Instant};

use super::console::out;
use crate::engine::events::{BuildEvent, Progress};

/// Events as JSON lines on stdout; `docs/cli.md` describes them.
pub(super) struct JsonLines {
    begin: Instant,
    start: StartEvent,
}

/// Whether the event `started` has been printed already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StartEvent {
    Printed,
    Pending,
}

impl JsonLines {
    pub(super) fn new(start: StartEvent) -> JsonLines {
        JsonLines { begin: Instant::now(), start }
    }
}

impl Progress for JsonLines {
    fn event(&self, event: &BuildEvent<'_>) {
        if self.start == StartEvent::Printed && matches!(event, BuildEvent::Started { .. }) {
            return;
        }
        out(&json_line(event, self.begin.elapsed()));
    }
}

fn json_line(event: &BuildEvent<'_>, at: Duration) -> String {
    let object = serde_json::to_string(event).expect("events have text keys");
    let rest = object.strip_prefix('{').expect("an event is an object");
    format!("{{\"at_ms\":{},{rest}\n", at.as_millis())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::engine::events::{Outcome, Summary};

    /// Kind to keys, also those of a summary.
    fn keys(lines: &str) -> BTreeMap<String, Vec<String>> {
        let mut kinds = BTreeMap::new();
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let mut keys: Vec<String> = event.as_object().unwrap().keys().cloned().collect();
            let summary = event.get("summary").and_then(Value::as_object);
            keys.extend(summary.into_iter().flat_map(|summary| summary.keys().cloned()));
            kinds.insert(event["event"].as_str().unwrap().to_owned(), keys);
        }
        kinds
    }

    #[test]
    fn the_page_documents_every_event() {
        let (label, summary) = ("a", Summary::default());
        let outcome = Outcome::Fresh;
        let events = [
            BuildEvent::Started { version: crate::engine::events::VERSION, tasks: 1 },
            BuildEvent::Looked { tasks: 1 },
            BuildEvent::Waiting { reason: "" },
            BuildEvent::Warning { reason: "" },
            BuildEvent::TaskStarted { label, reason: "" },
            BuildEvent::TaskNote { label, note: "" },
            BuildEvent::TaskProgress { label, bytes: 1, total: None, rate: 1 },
            BuildEvent::TaskEncoded { label, done_ms: 1, total_ms: 2, speed: 1.5 },
            BuildEvent::TaskFinished { label, outcome, duration_ms: 0, detail: "", log: "" },
            BuildEvent::Finished { summary: &summary },
        ];
        // A new kind does not compile here: add it to the list and to the page.
        let known = |event: &BuildEvent<'_>| match event {
            BuildEvent::Started { .. } => 1,
            BuildEvent::Looked { .. } => 2,
            BuildEvent::Waiting { .. } => 3,
            BuildEvent::Warning { .. } => 4,
            BuildEvent::TaskStarted { .. } => 5,
            BuildEvent::TaskNote { .. } => 6,
            BuildEvent::TaskProgress { .. } => 7,
            BuildEvent::TaskEncoded { .. } => 8,
            BuildEvent::TaskFinished { .. } => 9,
            BuildEvent::Finished { .. } => 10,
        };
        assert!(events.iter().map(known).eq(1..=10));
        let written: String =
            events.iter().map(|event| json_line(event, Duration::from_millis(12))).collect();

        let page = include_str!("../../docs/cli.md");
        let examples = page.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
        assert_eq!(keys(examples), keys(&written));
        for (kind, keys) in keys(&written) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
            let row = row.unwrap_or_else(|| panic!("`{kind}` is in no table"));
            let column = row.split('|').nth(2).unwrap();
            let mut documented: Vec<&str> = column.split('`').skip(1).step_by(2).collect();
            documented.sort_unstable();
            // Those of a summary are in the example.
            let own = keys.iter().map(String::as_str);
            let own: Vec<&str> = own
                .filter(|key| !["at_ms", "event"].contains(key) && (kind != "finished" || *key == "summary"))
                .collect();
            assert_eq!(documented, own, "{kind}");
        }
        let version = format!("the version of the stream, now {}", crate::engine::events::VERSION);
        assert!(page.contains(&version));
        for outcome in
            ["fresh", "restored", "succeeded", "failed", "timed_out", "panicked", "cancelled", "skipped"]
        {
            assert!(page.contains(&format!("`{outcome}`")), "{outcome}");
        }
    }
}
