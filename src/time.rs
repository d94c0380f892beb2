//! Durations and moments as people read and write them.
//!
//! Durations in configs and flags are `30s`, `1m30s`, `500ms`; moments in
//! records are UTC. Not here: reading a clock, which is `os`'s.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A text that should be a duration is not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a duration such as `30s`, `1m30s` or `500ms`, found `{0}`")]
pub struct ParseDurationError(String);

/// Reads `30s`, `1m30s`, `500ms`, `2h`, `0s`. A number needs its unit.
///
/// # Errors
/// When the text is no duration, is negative, or is longer than 1,000 days.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let refused = || ParseDurationError(text.to_owned());
    let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| refused())?;
    let duration = Duration::try_from(signed).map_err(|_| refused())?;
    if duration > Duration::from_secs(1_000 * 86_400) { Err(refused()) } else { Ok(duration) }
}

/// Writes a duration so that [`parse_duration`] reads it back: `1m30s`.
/// Fractions of a millisecond are cut off.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    let mut rest = millis;
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

/// A moment in UTC, to the millisecond: `2026-11-24T06:33:12.041Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Utc(jiff::Timestamp);

impl Utc {
    /// From milliseconds since 1970-01-01T00:00:00Z; out of range becomes the epoch.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Utc {
        Utc(jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// The moment as it stands at the front of a run-id: `20261124T063312Z`.
    #[must_use]
    pub fn compact(&self) -> String {
        self.0.strftime("%Y%m%dT%H%M%SZ").to_string()
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_survive_their_text() {
        for text in ["0s", "30s", "1m30s", "500ms", "2h", "1h1s"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "30", "abc", "-3s", "99999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_id_begins_with_a_compact_moment() {
        assert_eq!(Utc::from_unix_millis(1_795_502_520_000).compact(), "20261124T064200Z");
    }
}
