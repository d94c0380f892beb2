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
}

impl History {
    pub(super) fn new(at_ns: u64, counters: Counters) -> History {
        History { at_ns, before: counters }
    }

    /// The share of each class of engines since the moment before, 0 to 1.
    pub(super) fn advance(&mut self, at_ns: u64, mut now: Counters) -> BTreeMap<String, f64> {
        let elapsed_ns = at_ns.saturating_sub(self.at_ns);
        let mut shares = BTreeMap::new();
        for (key, engines) in &mut now {
            let Some(before) = self.before.get(key) else { continue };
            for (class, busy) in engines {
                // amdgpu leaves out what is 0.
                let nothing = Busy { used: 0, ..*busy };
                let before = before.get(class).unwrap_or(&nothing);
                // A driver may give a lower value for a while; then the higher one holds.
                busy.used = busy.used.max(before.used);
                let whole = match (before.total, busy.total) {
                    (Some(before), Some(now)) => now.saturating_sub(before),
                    _ => elapsed_ns,
                };
                let used = (busy.used - before.used) as f64;
                if 0.0 < used && 0 < whole {
                    *shares.entry(class.clone()).or_insert(0.0) +=
                        used / whole as f64 / f64::from(busy.engines);
                }
            }
        }
        (self.at_ns, self.before) = (at_ns, now);
        shares.into_iter().map(|(class, share)| (class, super::super::share(share))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn client(id: u64, class: &str, used: u64, total: Option<u64>, engines: u32) -> Counters {
        [(Key::Client(id), [(class.to_owned(), Busy { used, total, engines })].into())].into()
    }

    /// The shares after a second.
    #[track_caller]
    fn check(before: Counters, now: Counters, expected: &[(&str, f64)]) {
        let mut history = History::new(5 * S, before);
        let shares = history.advance(6 * S, now);
        let shares: Vec<(&str, f64)> = shares.iter().map(|(class, share)| (class.as_str(), *share)).collect();
        assert_eq!(shares, expected);
    }

    #[test]
    fn nanoseconds_are_divided_by_time_and_engines() {
        check(client(1, "video", S, None, 1), client(1, "video", S + S / 4, None, 1), &[("video", 0.25)]);
        check(client(1, "video", S, None, 2), client(1, "video", S + S / 4, None, 2), &[("video", 0.125)]);
    }

    #[test]
    fn cycles_are_divided_by_those_that_passed_and_engines() {
        let before = client(1, "compute", 100, Some(10_000), 4);
        check(before, client(1, "compute", 500, Some(10_200), 4), &[("compute", 0.5)]);
    }

    #[test]
    fn clients_add_up_and_new_ones_count_from_their_second_reading() {
        let two = |one, other| -> Counters {
            client(1, "video", one, None, 1).into_iter().chain(client(2, "video", other, None, 1)).collect()
        };
        check(two(0, 0), two(S / 4, S / 2), &[("video", 0.75)]);
        check(client(1, "video", 0, None, 1), two(S / 4, 99 * S), &[("video", 0.25)]);
        // More than all of the time is an error of the clock.
        check(two(0, 0), two(S, S), &[("video", 1.0)]);
    }

    #[test]
    fn a_counter_that_falls_is_waited_for() {
        let of = |used| client(1, "render", used, None, 1);
        let mut history = History::new(0, of(S));
        assert_eq!(history.advance(S, of(S / 2)), BTreeMap::new());
        assert_eq!(history.advance(2 * S, of(S + S / 10)), [("render".to_owned(), 0.1)].into());
    }

    #[test]
    fn a_class_that_appears_had_no_work_before() {
        let now = client(1, "decode", S / 5, None, 1);
        check(client(1, "render", 0, None, 1), now, &[("decode", 0.2)]);
    }
}
