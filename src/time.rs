//! Durations and points in time as text.
//!
//! Durations in configs and flags are `30s`, `1m30s`, `500ms`, `30d`; points in
//! time in records are UTC. Not here: reading a clock (`os`).

use std::fmt;
use std::time::Duration;

use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

/// A string is not a valid duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseDurationError {
    /// It is no duration, or out of range.
    #[error("expected a duration such as `30s`, `1m30s` or `500ms`, found `{0}`")]
    NotADuration(String),
    /// It would be rounded to 0, which has another meaning.
    #[error("expected `0s` or at least `1ms`, found `{0}`")]
    BelowMillisecond(String),
}

/// Parses `30s`, `1m30s`, `500ms`, `2h`, `0s`, and whole weeks and days before
/// these: `2w`, `30d`, `1d12h`. A day has 24 hours. A number needs its unit.
///
/// # Errors
/// When the string is no duration, is negative, is longer than 1,000 days, or is
/// above 0 and below a millisecond.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let refused = || ParseDurationError::NotADuration(text.to_owned());
    let text = text.trim();
    let (days, rest) = leading_days(text).ok_or_else(refused)?;
    let mut duration = Duration::from_secs(days.checked_mul(86_400).ok_or_else(refused)?);
    if !rest.is_empty() || rest == text {
        let signed: jiff::SignedDuration = rest.parse().map_err(|_| refused())?;
        let more = Duration::try_from(signed).map_err(|_| refused())?;
        duration = duration.checked_add(more).ok_or_else(refused)?;
    }
    if duration > Duration::from_secs(1_000 * 86_400) {
        return Err(refused());
    }
    if !duration.is_zero() && duration < Duration::from_millis(1) {
        return Err(ParseDurationError::BelowMillisecond(text.to_owned()));
    }
    Ok(duration)
}

/// The leading weeks and days of a string, in days, and the rest. `None` on
/// overflow.
fn leading_days(text: &str) -> Option<(u64, &str)> {
    let (mut days, mut rest) = (0_u64, text);
    for (unit, length) in [('w', 7), ('d', 1)] {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if end > 0
            && let Some(after) = rest[end..].strip_prefix(unit)
        {
            days = rest[..end].parse::<u64>().ok()?.checked_mul(length)?.checked_add(days)?;
            rest = after.trim_start();
        }
    }
    Some((days, rest))
}

/// Formats a duration so that [`parse_duration`] reads it back: `1m30s`. Fractions
/// of a millisecond are cut off.
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

/// Parses a date of HTTP in its usual form (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<Utc> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|date| Utc(date.timestamp()))
}

/// A point in time in UTC, to the millisecond: `2026-11-24T06:33:12.041Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Utc(jiff::Timestamp);

impl Utc {
    /// From milliseconds since 1970-01-01T00:00:00Z; out of range becomes the epoch.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Utc {
        Utc(jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        self.0.as_millisecond()
    }

    /// The format at the beginning of a run-id: `20261124T063312Z`.
    #[must_use]
    pub fn compact(&self) -> String {
        self.0.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// For people, where local time is so many seconds ahead of UTC: `2026-11-29 08:12:00
    /// +01:00 (07:12:00 UTC)`. UTC alone where they are the same, or the offset is not
    /// known.
    #[must_use]
    pub fn with_local(&self, offset_s: Option<i32>) -> String {
        let utc = self.0.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let offset = offset_s.filter(|seconds| *seconds != 0).and_then(|s| Offset::from_seconds(s).ok());
        let Some(offset) = offset else { return utc };
        let local =
            self.0.to_zoned_datetime(offset.to_time_zone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
        let same_day = utc[..10] == local[..10];
        format!("{local} ({})", if same_day { &utc[11..] } else { &utc })
    }

    /// In RFC 3339 with this offset: `2026-11-29T08:12:00+01:00`.
    #[must_use]
    pub fn local(&self, offset_s: i32) -> String {
        let offset = Offset::from_seconds(offset_s).unwrap_or(Offset::UTC);
        self.0.to_zoned_datetime(offset.to_time_zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
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
    fn durations_are_parsed_back() {
        for text in ["0s", "30s", "1m30s", "500ms", "2h", "1h1s"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn dates_of_http_are_parsed() {
        let parsed = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(|date| date.to_string());
        assert_eq!(parsed.as_deref(), Some("1994-11-06T08:49:37Z"));
        assert_eq!(parse_http_date("1994-11-06"), None);
    }

    #[test]
    fn days_and_weeks_are_counted_in_hours() {
        for (text, hours) in
            [("30d", 720), ("2w", 336), ("1w1d", 192), ("1d12h", 36), ("0d", 0), ("1000d", 24_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(hours * 3_600)), "{text}");
        }
    }

    #[test]
    fn invalid_durations_are_refused() {
        for text in [
            "",
            "30",
            "abc",
            "-3s",
            "99999999999h",
            "-1d",
            "1d-1h",
            "1d2w",
            "d",
            "1001d",
            "99999999999999999999w",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_that_round_to_0_are_refused() {
        for text in ["500us", "1ns", "0.0005s", " 999us "] {
            let refused = Err(ParseDurationError::BelowMillisecond(text.trim().to_owned()));
            assert_eq!(parse_duration(text), refused, "{text}");
        }
        for (text, micros) in [("0us", 0), ("1000us", 1000), ("1500us", 1500)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn a_run_id_begins_with_a_compact_moment() {
        assert_eq!(Utc::from_unix_millis(1_795_502_520_000).compact(), "20261124T064200Z");
    }

    #[test]
    fn local_time_is_shown_beside_utc() {
        let at = Utc::from_unix_millis(1_795_502_520_041);
        for (offset_s, shown) in [
            (None, "2026-11-24 06:42:00 UTC"),
            (Some(0), "2026-11-24 06:42:00 UTC"),
            (Some(3_600), "2026-11-24 07:42:00 +01:00 (06:42:00 UTC)"),
            (Some(-12_600), "2026-11-24 03:12:00 -03:30 (06:42:00 UTC)"),
            (Some(-28_800), "2026-11-23 22:42:00 -08:00 (2026-11-24 06:42:00 UTC)"),
            (Some(i32::MAX), "2026-11-24 06:42:00 UTC"),
        ] {
            assert_eq!(at.with_local(offset_s), shown);
        }
        assert_eq!(at.local(20_700), "2026-11-24T12:27:00+05:45");
    }
}
