//! From the counters of clients at two moments to the share of the time in which the engines of
//! each class were busy. Pure.
//!
//! A client counts from its second reading on: how much of its first counters is new is not
//! known. So a share is never too high, and a client that lives for less than a second is not
//! seen.

use std::collections::{BTreeMap, HashMap};

use super::fdinfo::Busy;

/// Which client of a card it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Client(u64),
    /// The driver tells its clients not apart: all of a process are one.
    Process(u32),
}

/// The counters of all clients of a card, by class.
pub(super) type Counters = HashMap<Key, BTreeMap<String, Busy>>;

/// The counters at the moment before.
#[derive(Debug)]
pub(super) struct History {
    at_ns: u64,
    before: Counters,
    /// What counters had reached that are lower now.
    peaks: HashMap<(Key, String), u64>,
}

impl History {
    pub(super) fn new(at_ns: u64, counters: Counters) -> History {
        History { at_ns, before: counters, peaks: HashMap::new() }
    }

    /// The share of each class of engines since the moment before, 0 to 1. `None` if that of one of its
    /// clients is not known.
    pub(super) fn advance(&mut self, at_ns: u64, now: Counters) -> BTreeMap<String, Option<f64>> {
        let elapsed_ns = at_ns.saturating_sub(self.at_ns);
        let mut shares: BTreeMap<String, Option<f64>> = BTreeMap::new();
        self.peaks.retain(|(key, _), _| now.contains_key(key));
        for (key, engines) in &now {
            let Some(before) = self.before.get(key) else { continue };
            for (class, busy) in engines {
                // amdgpu leaves out what is 0.
                let nothing = Busy { used: Some(0), ..*busy };
                let before = before.get(class).unwrap_or(&nothing);
                let is_whole = tell_fall(&mut self.peaks, (*key, class), before.used, busy.used);
                let part = if is_whole { part(before, busy, elapsed_ns) } else { None };
                let sum = shares.entry(class.clone()).or_insert(Some(0.0));
                *sum = sum.zip(part).map(|(sum, part)| sum + part);
            }
        }
        (self.at_ns, self.before) = (at_ns, now);
        let share = |share: f64| super::super::share(share);
        shares.into_iter().map(|(class, sum)| (class, sum.map(share))).collect()
    }
}

/// Whether the difference of two readings is the use between them. It is not when a counter falls: it
/// began anew, or its driver gives a lower value for a while, as it may. Nor is it when the counter
/// passes its peak again, as that may catch up on use from before.
fn tell_fall(
    peaks: &mut HashMap<(Key, String), u64>,
    (key, class): (Key, &str),
    before: Option<u64>,
    now: Option<u64>,
) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return false };
    let name = || (key, class.to_owned());
    if now < before {
        let peak = peaks.entry(name()).or_insert(before);
        *peak = before.max(*peak);
        return false;
    }
    match peaks.get(&name()) {
        Some(peak) if *peak <= now => {
            peaks.remove(&name());
            false
        }
        _ => true,
    }
}

/// The share of the time in which the engines of a class worked for a client; `None` if it is not known.
fn part(before: &Busy, now: &Busy, elapsed_ns: u64) -> Option<f64> {
    let used = now.used?.checked_sub(before.used?)?;
    let whole = match (before.total, now.total) {
        (Some(before), Some(now)) => now.checked_sub(before)?,
        (None, None) => elapsed_ns,
        _ => return None,
    };
    match (used, whole) {
        // The clock of a GPU that sleeps may stand.
        (0, _) => Some(0.0),
        (_, 0) => None,
        _ => Some(used as f64 / whole as f64 / f64::from(now.engines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn client(id: u64, class: &str, used: u64, total: Option<u64>, engines: u32) -> Counters {
        [(Key::Client(id), [(class.to_owned(), Busy { used: Some(used), total, engines })].into())].into()
    }

    /// The shares after a second.
    #[track_caller]
    fn check(before: Counters, now: Counters, expected: &[(&str, Option<f64>)]) {
        let mut history = History::new(5 * S, before);
        let shares = history.advance(6 * S, now);
        let shares: Vec<_> = shares.iter().map(|(class, share)| (class.as_str(), *share)).collect();
        assert_eq!(shares, expected);
    }

    #[test]
    fn nanoseconds_are_divided_by_time_and_engines() {
        check(
            client(1, "video", S, None, 1),
            client(1, "video", S + S / 4, None, 1),
            &[("video", Some(0.25))],
        );
        check(
            client(1, "video", S, None, 2),
            client(1, "video", S + S / 4, None, 2),
            &[("video", Some(0.125))],
        );
    }

    #[test]
    fn cycles_are_divided_by_those_that_passed_and_engines() {
        let before = client(1, "compute", 100, Some(10_000), 4);
        check(before, client(1, "compute", 500, Some(10_200), 4), &[("compute", Some(0.5))]);
    }

    #[test]
    fn clients_add_up_and_new_ones_count_from_their_second_reading() {
        let two = |one, other| -> Counters {
            client(1, "video", one, None, 1).into_iter().chain(client(2, "video", other, None, 1)).collect()
        };
        check(two(0, 0), two(S / 4, S / 2), &[("video", Some(0.75))]);
        check(client(1, "video", 0, None, 1), two(S / 4, 99 * S), &[("video", Some(0.25))]);
        // More than all of the time is an error of the clock.
        check(two(0, 0), two(S, S), &[("video", Some(1.0))]);
    }

    #[track_caller]
    fn course(used: &[u64], expected: &[Option<f64>]) {
        let of = |used| client(1, "render", used, None, 1);
        let mut history = History::new(0, of(used[0]));
        let shares = (1..).zip(&used[1..]).map(|(n, used)| history.advance(n * S, of(*used))["render"]);
        assert_eq!(shares.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_counter_that_falls_is_unknown_and_not_zero() {
        // It begins anew, counts on, and passes what it had before.
        let used = [S, S + S / 2, S / 10, S / 10 * 6, S / 10 * 6, S / 10 * 14, S / 10 * 16, S / 10 * 18];
        course(&used, &[Some(0.5), None, Some(0.5), Some(0.0), Some(0.8), None, Some(0.2)]);
        // A lower value for a while, after which the counter catches up.
        course(&[S, S - 5, S - 5, S + S / 2, 2 * S], &[None, Some(0.0), None, Some(0.5)]);
        course(&[S, S / 2, S / 4, S / 4 * 3, S, S], &[None, None, Some(0.5), None, Some(0.0)]);
    }

    #[test]
    fn what_is_no_number_is_unknown() {
        let of = |used| -> Counters {
            [(Key::Client(1), [("video".to_owned(), Busy { used, total: None, engines: 1 })].into())].into()
        };
        check(of(Some(5)), of(None), &[("video", None)]);
        check(of(None), of(Some(5)), &[("video", None)]);
        // One client of two makes the sum unknown.
        let other = client(2, "video", 9, None, 1);
        check(
            of(Some(5)).into_iter().chain(other.clone()).collect(),
            of(None).into_iter().chain(other).collect(),
            &[("video", None)],
        );
    }

    #[test]
    fn cycles_of_a_clock_that_stands_or_falls_are_unknown() {
        let of = |used, total| client(1, "compute", used, total, 1);
        check(of(5, Some(9)), of(6, Some(9)), &[("compute", None)]);
        check(of(5, Some(9)), of(6, Some(8)), &[("compute", None)]);
        check(of(5, Some(9)), of(5, Some(9)), &[("compute", Some(0.0))]);
        check(of(5, None), of(6, Some(9)), &[("compute", None)]);
    }

    #[test]
    fn a_class_that_appears_had_no_work_before() {
        let now = client(1, "decode", S / 5, None, 1);
        check(client(1, "render", 0, None, 1), now, &[("decode", Some(0.2))]);
    }
}
