//! Times as upstream's files write them.

use crate::record::parsers::utc_millis;

/// A time of day in milliseconds at the begin of a line, `11:59:51`, `01:59:51 PM`, and whether the day has two
/// halves.
pub(super) fn time_of_day(line: &str) -> Option<(i64, bool)> {
    let mut words = line.split_whitespace();
    let time = words.next()?;
    let parts: Vec<i64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = parts[..] else { return None };
    let half = words.next().filter(|word| matches!(*word, "AM" | "PM" | "am" | "pm"));
    let is_time = (0..60).contains(&minute) && (0..=60).contains(&second);
    let hour = match half {
        _ if !is_time => return None,
        None => Some(hour).filter(|hour| (0..24).contains(hour))?,
        Some(half) => {
            let hour = Some(hour).filter(|hour| (1..=12).contains(hour))?;
            hour % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 }
        }
    };
    Some((((hour * 60 + minute) * 60 + second) * 1000, half.is_some()))
}

/// `2026-08-20T11:59:51.1` before a comma, in milliseconds since 1970; a zone after it is left out.
pub(super) fn iso_millis(line: &str) -> Option<i64> {
    let (date, time) = line.split(',').next()?.trim().split_once(['T', ' '])?;
    let end = time.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(time.len());
    utc_millis(date, &time[..end])
}

/// `2026-08-20,11:59:51.250,...` or with semicolons, in milliseconds since 1970.
pub(super) fn row_millis(line: &str) -> Option<i64> {
    let mut fields = line.split([',', ';']);
    utc_millis(fields.next()?.trim(), fields.next()?.trim())
}

/// `0:00:53.524169258` at the begin of a line of GStreamer's debug log, in microseconds.
pub(super) fn debug_micros(line: &str) -> Option<u64> {
    let time = line.split_ascii_whitespace().next()?;
    let (hours, rest) = time.split_once(':')?;
    let (minutes, rest) = rest.split_once(':')?;
    let (seconds, nanos) = rest.split_once('.')?;
    let number = |text: &str, most: usize| {
        let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok())?
    };
    let nanos = number(nanos, 9).filter(|_| nanos.len() == 9)?;
    let seconds = (number(hours, 6)? * 60 + number(minutes, 2)?) * 60 + number(seconds, 2)?;
    Some(seconds * 1_000_000 + nanos / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(time_of_day("11:59:51        all     22.10"), Some((43_191_000, false)));
        assert_eq!(time_of_day("12:00:01 AM  all"), Some((1_000, true)));
        assert_eq!(time_of_day("01:59:51 PM  all"), Some((50_391_000, true)));
        assert_eq!(time_of_day("Average: all"), None);
        assert_eq!(iso_millis("2026-08-20T11:59:51.1,41.20"), Some(1_787_227_191_100));
        assert_eq!(iso_millis("2026-08-20 11:59:51"), Some(1_787_227_191_000));
        assert_eq!(iso_millis("timestamp"), None);
        assert_eq!(row_millis("2026-08-20;11:59:51.250;1;2"), Some(1_787_227_191_250));
        assert_eq!(row_millis("Date,Time,READ"), None);
        assert_eq!(debug_micros("0:00:53.524169258     9 0x55 TRACE"), Some(53_524_169));
        assert_eq!(debug_micros("FpsCounter(last 1.00sec)"), None);
    }
}
