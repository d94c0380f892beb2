//! `[verdict]`: the limits by which streams are judged, besides those of their rate.
//!
//! They change no measurement, only its verdict. So a record holds those under which it
//! was made, and reports of the project are computed again when they change.

use serde::{Deserialize, Serialize};

/// `[verdict]`. The names of its keys in documents are those of `Lpfile.toml`, with units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The most that a stream may delay all of its frames, in milliseconds; `None` = any
    /// time.
    pub delay_ms: Option<u64>,
    /// How much later than that a frame is still on time.
    #[serde(flatten)]
    pub deadline: Deadline,
    /// The share of frames that must be on time, above 0 and below 1.
    pub on_time: f64,
    /// No frame may be later than this beyond the delay, in milliseconds.
    pub max_late_ms: u64,
    /// The share of the objects that an accepted run found which a run must find, too, or it is
    /// *faster but wrong*; 0 = any share, and the run is the next one's reference.
    #[serde(default = "recall", skip_serializing_if = "is_usual")]
    pub recall: f64,
}

fn recall() -> f64 {
    0.95
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual(share: &f64) -> bool {
    *share == recall()
}

/// A time, or a number of periods of the frame rate that a stream should hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Deadline {
    #[serde(rename = "deadline_periods")]
    Periods(f64),
    #[serde(rename = "deadline_ms")]
    Millis(u64),
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            delay_ms: None,
            deadline: Deadline::Periods(1.0),
            on_time: 0.99,
            max_late_ms: 500,
            recall: recall(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_back_as_they_were_written() {
        let other = Limits { delay_ms: Some(400), deadline: Deadline::Millis(100), ..Limits::default() };
        let lax = Limits { recall: 0.0, ..Limits::default() };
        for (limits, text) in [
            (
                Limits::default(),
                r#"{"delay_ms":null,"deadline_periods":1.0,"on_time":0.99,"max_late_ms":500}"#,
            ),
            (
                lax,
                r#"{"delay_ms":null,"deadline_periods":1.0,"on_time":0.99,"max_late_ms":500,"recall":0.0}"#,
            ),
            (other, r#"{"delay_ms":400,"deadline_ms":100,"on_time":0.99,"max_late_ms":500}"#),
        ] {
            assert_eq!(serde_json::to_string(&limits).unwrap(), text);
            assert_eq!(serde_json::from_str::<Limits>(text).unwrap(), limits);
        }
    }
}
