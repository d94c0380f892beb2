//! `[verdict]`: the limits of the delay, of late frames, and of what is found.

use std::time::Duration;

use super::reader::{KeyNames, Reader, by, table};
use super::shape::{Shape, UnknownKeys};
use super::tree::Value;
use super::values::{duration, number, read_duration, share};
use crate::model::{Deadline, Limits};
use crate::time::duration_text;

/// Any share below 1 can be shown by enough frames; 99.99 % needs 30,000 frames.
const MOST_ON_TIME: f64 = 0.9999;

const MOST_PERIODS: f64 = 1000.0;

/// `[verdict]` as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawVerdict {
    delay: Option<Duration>,
    deadline: Option<Deadline>,
    on_time: Option<f64>,
    max_late: Option<Duration>,
    recall: Option<f64>,
}

impl RawVerdict {
    /// What counts: these limits, and the defaults of those that are not given.
    pub(super) fn limits(self) -> Limits {
        let default = Limits::default();
        Limits {
            delay_ms: self.delay.map(millis),
            deadline: self.deadline.unwrap_or(default.deadline),
            on_time: self.on_time.unwrap_or(default.on_time),
            max_late_ms: self.max_late.map_or(default.max_late_ms, millis),
            recall: self.recall.unwrap_or(default.recall),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn verdict() -> impl Reader<Value = RawVerdict> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let delay = "The most that a stream may delay all its frames; any time if not given";
        let due = "How late a frame beyond that delay is on time: `1.5 periods` or a duration; 1 period if not given";
        let on_time = "The share of frames that must be on time; 0.99 if not given";
        let max_late = "The most that a single frame may be late; `500ms` if not given";
        let recall = "The share of the objects of an accepted run that must be found, too; 0.95 if not given";
        Some(RawVerdict {
            delay: table.optional("delay", delay, duration(), diagnostics),
            deadline: table.optional("deadline", due, deadline(), diagnostics),
            on_time: table.optional("on_time", on_time, number(0.0, MOST_ON_TIME), diagnostics),
            max_late: table.optional("max_late", max_late, duration(), diagnostics),
            recall: table.optional("recall", recall, share(), diagnostics),
        })
    })
}

/// `1 period`, `1.5 periods`, a number of periods, or a duration.
fn deadline() -> impl Reader<Value = Deadline> + Copy {
    let periods = number(0.0, MOST_PERIODS);
    by(
        move || {
            let text = r"^\s*[0-9Pp].*[A-Za-z]\s*$".to_owned();
            Shape::Either(vec![periods.shape(), Shape::String(Some(text))])
        },
        move |at, diagnostics| match &at.node.value {
            Value::Int(_) | Value::Float { .. } => periods.read(at, diagnostics).map(Deadline::Periods),
            Value::Word(text) if text.parse::<f64>().is_ok() => {
                periods.read(at, diagnostics).map(Deadline::Periods)
            }
            _ => match at.as_string().and_then(periods_of) {
                Some(periods) => Some(Deadline::Periods(periods)),
                None => Some(Deadline::Millis(millis(read_duration(at, diagnostics)?))),
            },
        },
    )
}

/// The number of `1.5 periods`.
fn periods_of(text: &str) -> Option<f64> {
    let number = text.trim().strip_suffix("periods").or_else(|| text.trim().strip_suffix("period"))?;
    number.trim().parse().ok().filter(|periods| 0.0 < *periods && *periods <= MOST_PERIODS)
}

/// A deadline as it is written in `Lpfile.toml`.
pub(super) fn deadline_text(deadline: Deadline) -> String {
    match deadline {
        Deadline::Periods(1.0) => "1 period".to_owned(),
        Deadline::Periods(periods) => format!("{periods} periods"),
        Deadline::Millis(ms) => millis_text(ms),
    }
}

pub(super) fn millis_text(ms: u64) -> String {
    duration_text(Duration::from_millis(ms))
}
