//! When a quantity that is sampled once a second counts as a disturbance.
//!
//! The rule is a CUSUM (Page, "Continuous inspection schemes", Biometrika 41, 1954): a
//! sum grows by what a sample exceeds an allowance, falls by what it lacks, and is never
//! negative. At a limit it is a disturbance. So a weak load is found after some seconds
//! and a strong one at once, while a spike of a daemon that runs for a moment is not.
//!
//! Each quantity has a *level*: the least steady disturbance that must be found. Half of it
//! is the allowance; the limit is what a load at that level adds in [`PATIENCE_S`] seconds.
//! A quantity that shows foreign load at once begins with a sum that is half full (Lucas and
//! Crosier, "Fast initial response for CUSUM", Technometrics 24, 1982), so that a load that
//! was there before the run is found in half the time. One that a run raises itself for a
//! moment, as when it reads its clips, counts at most one and a half times its level
//! in a second, so that it is found after three seconds at the earliest.
//!
//! Not here: which quantities there are, and what they say (`fit`).

/// How long a steady load at the level takes to be found, in seconds; half of it at the
/// begin of a run.
pub(super) const PATIENCE_S: f64 = 5.0;

/// The part of the level that is no disturbance.
const ALLOWANCE: f64 = 0.5;

/// How a disturbance begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onset {
    /// One strong second is enough.
    AtOnce,
    /// It must last.
    Lasting,
}

/// The most that a second of a lasting quantity counts, in levels.
const MOST_LEVELS: f64 = 1.5;

/// A time in which a quantity was disturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) begin_us: u64,
    pub(super) end_us: u64,
    /// The mean of the quantity in that time.
    pub(super) mean: f64,
}

/// The disturbances in a series: each of its values is about the time since the value
/// before, the first about a second.
pub(super) fn spans(points: impl Iterator<Item = (u64, f64)>, level: f64, onset: Onset) -> Vec<Span> {
    let allowance = level * ALLOWANCE;
    let limit = (level - allowance) * PATIENCE_S;
    let (head_start, most) = match onset {
        Onset::AtOnce => (limit / 2.0, f64::INFINITY),
        Onset::Lasting => (0.0, MOST_LEVELS * level),
    };
    let (mut sum, mut found, mut before_us) = (head_start, Vec::new(), None);
    let mut excursion: Option<Excursion> = None;
    for (at_us, value) in points {
        let from_us = before_us.replace(at_us).unwrap_or(at_us.saturating_sub(1_000_000));
        if at_us <= from_us {
            continue;
        }
        let seconds = (at_us - from_us) as f64 / 1e6;
        // Above the limit nothing more is known; the end of a disturbance shall be seen
        // soon.
        sum = (sum + (value.min(most) - allowance) * seconds).min(limit);
        if value > allowance {
            excursion.get_or_insert_with(|| Excursion::at(from_us)).rise(at_us);
        }
        if let Some(excursion) = &mut excursion {
            excursion.add(at_us, value * seconds);
            excursion.is_found |= sum >= limit * (1.0 - 1e-9);
        }
        if sum <= 0.0 {
            sum = 0.0;
            found.extend(excursion.take().and_then(Excursion::span));
        }
    }
    found.extend(excursion.and_then(Excursion::span));
    found
}

/// The time since the sum was zero.
struct Excursion {
    begin_us: u64,
    /// The end of the last sample above the allowance.
    end_us: u64,
    /// The quantity times seconds, up to that end and up to now.
    area: [f64; 2],
    is_found: bool,
}

impl Excursion {
    fn at(begin_us: u64) -> Excursion {
        Excursion { begin_us, end_us: begin_us, area: [0.0; 2], is_found: false }
    }

    fn rise(&mut self, at_us: u64) {
        self.end_us = at_us;
    }

    fn add(&mut self, at_us: u64, area: f64) {
        self.area[1] += area;
        if self.end_us == at_us {
            self.area[0] = self.area[1];
        }
    }

    fn span(self) -> Option<Span> {
        let Excursion { begin_us, end_us, area, is_found } = self;
        let seconds = (end_us - begin_us) as f64 / 1e6;
        is_found.then(|| Span { begin_us, end_us, mean: area[0] / seconds })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// One value a second; the level is 0.2.
    #[track_caller]
    fn check(values: &[f64], expect: Expect) {
        check_with(Onset::AtOnce, values, expect);
    }

    #[track_caller]
    fn check_with(onset: Onset, values: &[f64], expect: Expect) {
        let points = values.iter().enumerate().map(|(n, value)| ((n as u64 + 1) * 1_000_000, *value));
        let line = |span: &Span| {
            format!("{}..{} s: {:.2}\n", span.begin_us / 1_000_000, span.end_us / 1_000_000, span.mean)
        };
        expect.assert_eq(&spans(points, 0.2, onset).iter().map(line).collect::<String>());
    }

    #[test]
    fn a_steady_load_at_the_level_is_found() {
        check(&[0.2; 20], expect!["0..20 s: 0.20\n"]);
        // In the middle it takes the whole patience, but the begin is known.
        check(&[&[0.02; 10][..], &[0.2; 5], &[0.02; 9]].concat(), expect!["10..15 s: 0.20\n"]);
        check(&[&[0.02; 10][..], &[0.2; 4], &[0.02; 9]].concat(), expect![""]);
        // At the begin it takes half of it.
        check(&[&[0.2; 3][..], &[0.02; 9]].concat(), expect!["0..3 s: 0.20\n"]);
        check(&[&[0.2; 2][..], &[0.02; 9]].concat(), expect![""]);
    }

    #[test]
    fn a_strong_load_is_found_at_once_and_a_spike_is_not() {
        check(&[&[0.0; 9][..], &[0.7], &[0.0; 9]].concat(), expect!["9..10 s: 0.70\n"]);
        check(&[&[0.0; 9][..], &[0.5], &[0.0; 9], &[0.5], &[0.0; 9]].concat(), expect![""]);
        check(&[0.0, 0.0, 0.3, 0.0, 0.3, 0.0, 0.0, 0.0], expect![""]);
        check(&[0.1; 100], expect![""]);
        check(&[], expect![""]);
    }

    #[test]
    fn loads_that_come_and_go_are_one_disturbance_until_it_is_quiet_for_a_while() {
        check(
            &[&[0.0; 5][..], &[1.0, 0.0, 0.0], &[1.0, 0.0, 0.0], &[0.0; 5], &[1.0], &[0.0; 9]].concat(),
            expect![[r#"
                5..9 s: 0.50
                16..17 s: 1.00
            "#]],
        );
    }

    #[test]
    fn what_a_run_does_itself_for_a_moment_must_last() {
        check_with(Onset::Lasting, &[&[9.0; 2][..], &[0.0; 9], &[9.0; 2], &[0.0; 9]].concat(), expect![""]);
        check_with(
            Onset::Lasting,
            &[&[0.0; 9][..], &[9.0; 3], &[0.0; 9]].concat(),
            expect!["9..12 s: 9.00\n"],
        );
        check_with(Onset::Lasting, &[0.2; 5], expect!["0..5 s: 0.20\n"]);
        check_with(Onset::Lasting, &[0.2; 4], expect![""]);
    }

    #[test]
    fn a_value_counts_for_the_time_that_it_is_about() {
        // The collector was late: the time between two samples is 4 s.
        let points = [(1_000_000, 0.0), (5_000_000, 0.3), (6_000_000, 0.0), (6_000_000, 9.0)];
        let found = spans(points.into_iter(), 0.2, Onset::AtOnce);
        assert_eq!(found, [Span { begin_us: 1_000_000, end_us: 5_000_000, mean: 0.3 }]);
    }
}
