//! CLOCK_MONOTONIC, the time of workers' messages, and the time of day.
//!
//! A raw number rather than `std::time::Instant`, because it crosses process
//! borders: `lp`, its workers and its collectors on one machine share it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::time::Utc;

/// The moment in UTC.
#[must_use]
pub fn utc_now() -> Utc {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Utc::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Local time less UTC at that moment, in seconds, by `TZ` or `/etc/localtime`; `None` if
/// the machine has no time zone that can be read.
#[must_use]
pub fn utc_offset_s(at: Utc) -> Option<i32> {
    let zone = jiff::tz::TimeZone::try_system().ok()?;
    let at = jiff::Timestamp::from_millisecond(at.unix_millis()).ok()?;
    Some(zone.to_offset(at).seconds())
}

/// CLOCK_MONOTONIC in nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// User and system CPU time that this process has used, in microseconds.
#[must_use]
pub fn own_cpu_us() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime) / 1_000
}

/// Lets some time pass, as rates of counters need it.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither clock is ever negative; both fit for 584 years.
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards() {
        let (wall, cpu) = (monotonic_ns(), own_cpu_us());
        assert!(monotonic_ns() >= wall);
        assert!(own_cpu_us() >= cpu);
    }
}
