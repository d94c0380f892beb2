//! Lines of a script that seem to be one counter's and are those of two.
//!
//! Two programs of a script may give their counters one name, as `gst-launch-1.0`
//! does by default. Their output then looks like one counter that restarts again and
//! again, and each restart would add frames that do not exist.

use crate::record::script::{MAX_ELEMENTS, Rate};

/// Whether the lines of a counter, in their order, are those of several.
pub(super) fn are_mixed(rates: &[Rate]) -> bool {
    let counts = rates.iter().filter_map(|rate| match rate {
        Rate::Count { rendered, dropped, .. } => Some([*rendered, *dropped]),
        _ => None,
    });
    // A counter may repeat its value, but time never stops.
    let lives = rates.iter().filter_map(|rate| match rate {
        Rate::Begin { over_us, .. } => Some([*over_us, 0]),
        _ => None,
    });
    go_on_after_falls(counts, true) || go_on_after_falls(lives, false) || tell_too_much_time(rates)
}

/// Whether values fall again and again to where they were before they rose, and
/// rise again beyond that from which they fell. A counter that begins anew falls as
/// well, but it goes on from its new value. Two falls are needed, and more than half
/// of all: lives of a line or two may look like that by chance.
fn go_on_after_falls(values: impl Iterator<Item = [u64; 2]>, may_stand: bool) -> bool {
    let follows =
        |last: [u64; 2], now: [u64; 2]| last[0] <= now[0] && last[1] <= now[1] && (may_stand || last != now);
    // The last value of each counter that there may be; the one of the line before
    // comes last.
    let mut counters: Vec<[u64; 2]> = Vec::new();
    let (mut falls, mut goes_on) = (0_u64, 0_u64);
    let mut fell_from = [0, 0];
    for now in values {
        let before = counters.last().copied();
        let known = (0..counters.len()).filter(|at| follows(counters[*at], now));
        let known = known.max_by_key(|at| counters[*at]).map(|at| counters.remove(at));
        if let Some(before) = before.filter(|before| !follows(*before, now)) {
            falls += 1;
            if known.is_some_and(|last| fell_from < before || last != now) {
                goes_on += 1;
            }
            fell_from = fell_from.max(before);
        }
        counters.push(now);
        if counters.len() > MAX_ELEMENTS {
            counters.remove(0);
        }
    }
    goes_on > 1 && 2 * goes_on > falls
}

/// Whether rates since the line before are about half as much time again as has
/// passed, or more.
fn tell_too_much_time(rates: &[Rate]) -> bool {
    let last = rates.iter().filter_map(|rate| match rate {
        Rate::Last { at_us, over_us, .. } => Some((*at_us, *over_us)),
        _ => None,
    });
    let told = last.clone().map(|(_, over)| over).fold(0, u64::saturating_add);
    let from = last.clone().map(|(at, over)| at.saturating_sub(over)).min().unwrap_or(0);
    let to = last.map(|(at, _)| at).max().unwrap_or(0);
    told.saturating_mul(2) > to.saturating_sub(from).saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rendered: &[u64]) -> Vec<Rate> {
        let count = |(n, rendered): (usize, &u64)| Rate::Count {
            at_us: n as u64 * 500_000,
            rendered: *rendered,
            dropped: 0,
        };
        rendered.iter().enumerate().map(count).collect()
    }

    #[test]
    fn values_that_continue_after_falls_are_two_counters() {
        for rendered in [
            // Line by line; two for one of the other; one that stops; nearly alike.
            &[100, 20, 107, 25, 114, 30, 121][..],
            &[100, 20, 27, 110, 34, 41, 120, 48, 55],
            &[100, 20, 100, 27, 100, 34, 100, 41],
            &[100, 20, 107, 20, 114, 20, 121],
            &[100, 99, 107, 106, 114, 113],
            // Of three, one of which begins anew.
            &[300, 200, 100, 307, 207, 107, 3, 214, 114, 10, 221, 121, 17],
        ] {
            assert!(are_mixed(&counts(rendered)), "{rendered:?}");
        }
    }

    #[test]
    fn a_counter_that_restarts_is_one_counter() {
        for rendered in [
            &[7, 15, 22, 7, 15, 22, 7, 15, 22, 7, 15, 22][..],
            // Each life longer than the one before.
            &[8, 16, 7, 15, 22, 8, 15, 23, 30, 7, 15, 22, 30, 37],
            &[5, 12, 5, 12, 5, 12, 5, 12],
            &[5, 5, 5, 5, 12],
            &[100, 20, 107, 114, 121],
            &[],
        ] {
            assert!(!are_mixed(&counts(rendered)), "{rendered:?}");
        }
    }

    #[test]
    fn times_that_repeat_or_exceed_the_elapsed_time_are_two_counters() {
        let begin = |(n, over_s): (usize, &f64)| Rate::Begin {
            at_us: n as u64 * 500_000,
            over_us: (over_s * 1e6) as u64,
            fps: 15.0,
        };
        let mixed = |over_s: &[f64]| are_mixed(&over_s.iter().enumerate().map(begin).collect::<Vec<_>>());
        assert!(mixed(&[10.0, 9.7, 11.0, 10.7, 12.0, 11.7]));
        assert!(mixed(&[10.0, 10.0, 11.0, 11.0, 12.0, 12.0]));
        assert!(!mixed(&[10.0, 11.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]));

        let last = |at_ms: u64| Rate::Last { at_us: at_ms * 1000, over_us: 1_000_000, fps: 15.0 };
        let mixed = |at_ms: &[u64]| are_mixed(&at_ms.iter().copied().map(last).collect::<Vec<_>>());
        assert!(mixed(&[1000, 1300, 2000, 2300, 3000, 3300]));
        // One of them is read late.
        assert!(!mixed(&[1000, 2500, 3000, 4000]));
        assert!(!mixed(&[1500, 2000]));
    }
}
