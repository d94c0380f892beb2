//! Numbers of objects whose truth is known.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::vision::Size;
use crate::vision::random::Random;

const SIZE: Size = Size { width: 640, height: 360 };

fn seen(x: u32, y: u32, class: u32) -> Seen {
    Seen { bounds: Pixels { x, y, width: 40, height: 100 }, class }
}

fn tracker(tracking: Tracking) -> Tracker {
    Tracker::new(tracking, Config::default(), SIZE)
}

/// The numbers of one object, frame by frame: `x` for one that is seen, `-` for one that is not.
#[track_caller]
fn check(tracking: Tracking, frames: &str, expected: &str) {
    let mut tracker = tracker(tracking);
    let mut ids = String::new();
    for (n, frame) in frames.chars().enumerate() {
        let x = 100 + 2 * n as u32;
        let all: &[Seen] = if frame == 'x' { &[seen(x, 100, 1)] } else { &[] };
        let tracked = tracker.track(all);
        let id = tracked.ids.first().copied().flatten().or(tracked.predicted.first().map(|one| one.id));
        ids += &id.map_or("-".to_owned(), |id| id.to_string());
    }
    assert_eq!(ids, expected);
}

#[test]
fn zero_term_forgets_what_is_seen_less_than_three_times_in_a_row() {
    check(Tracking::ZeroTerm, "xxxxxx", "111111");
    // A number at once, and a new one for each inferred frame: `inference-interval=3`.
    check(Tracking::ZeroTerm, "x--x--x", "1--2--3");
    check(Tracking::ZeroTerm, "xx-xx", "11-22");
    // Firm after three, it is remembered.
    check(Tracking::ZeroTerm, "xxx-x---x", "111-1---1");
}

#[test]
fn short_term_predicts_between_inferred_frames() {
    check(Tracking::ShortTerm, "x--x--x--x", "1111111111");
    let mut tracker = tracker(Tracking::ShortTerm);
    for n in 0..10 {
        assert_eq!(tracker.track(&[seen(100 + 6 * n, 100, 4)]).ids, [Some(1)]);
    }
    // It goes on moving by almost 6 pixels a frame.
    let predicted = tracker.track(&[]).predicted;
    let [Predicted { id: 1, class: 4, bounds }] = predicted[..] else { panic!("{predicted:?}") };
    assert!(bounds.x.abs_diff(160) <= 4 && bounds.y == 100, "{bounds:?}");
    // For 30 frames, and not longer.
    let n_predicted = (0..60).filter(|_| !tracker.track(&[]).predicted.is_empty()).count();
    assert_eq!(n_predicted, 29);
    assert_eq!(tracker.track(&[seen(100, 100, 4)]).ids, [Some(2)]);
}

#[test]
fn zero_term_finds_a_lost_number_again_within_87_frames() {
    for (gap, id) in [(87, 1), (88, 2)] {
        let mut tracker = tracker(Tracking::ZeroTerm);
        for _ in 0..5 {
            tracker.track(&[seen(300, 100, 1)]);
        }
        for _ in 0..gap {
            assert_eq!(tracker.track(&[]), Tracked::default());
        }
        assert_eq!(tracker.track(&[seen(300, 100, 1)]).ids, [Some(id)], "after {gap} frames");
    }
}

#[test]
fn classes_are_told_apart_unless_configured() {
    for (per_class, second) in [(true, 2), (false, 1)] {
        let config = Config { per_class, ..Config::default() };
        let mut tracker = Tracker::new(Tracking::ZeroTerm, config, SIZE);
        assert_eq!(tracker.track(&[seen(100, 100, 1)]).ids, [Some(1)]);
        assert_eq!(tracker.track(&[seen(100, 100, 2)]).ids, [Some(second)]);
    }
    let config = Config { max_objects: Some(1), ..Config::default() };
    let mut tracker = Tracker::new(Tracking::ZeroTerm, config, SIZE);
    assert_eq!(tracker.track(&[seen(100, 100, 1), seen(400, 100, 1)]).ids, [Some(1), None]);
}

#[test]
fn two_people_who_cross_keep_their_numbers_over_300_frames() {
    for tracking in [Tracking::ZeroTerm, Tracking::ShortTerm] {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let mut tracker = tracker(tracking);
            let mut ids: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
            for n in 0..300 {
                // One goes to the right, one to the left, 30 pixels nearer, and they pass each
                // other in the middle.
                let x = [20.0 + 1.9 * f64::from(n), 580.0 - 1.9 * f64::from(n)];
                let mut all = Vec::new();
                let mut people = Vec::new();
                for (person, x) in x.into_iter().enumerate() {
                    // A detector's boxes tremble by a pixel or two, and one in twenty is missing,
                    // but not the first.
                    let mut about =
                        |value: f64| (value + random.fraction() * 3.0 - 1.5).round().max(0.0) as u32;
                    let bounds = Pixels {
                        x: about(x),
                        y: about(100.0 + 30.0 * person as f64),
                        width: about(40.0),
                        height: about(110.0 + 10.0 * person as f64),
                    };
                    if n < 5 || random.fraction() > 0.05 {
                        all.push(Seen { bounds, class: 1 });
                        people.push(person);
                    }
                }
                // A detector's order is no order.
                if random.fraction() < 0.5 {
                    all.reverse();
                    people.reverse();
                }
                for (person, id) in people.into_iter().zip(tracker.track(&all).ids) {
                    ids.entry(person).or_default().extend(id);
                }
            }
            let ids: Vec<Vec<u32>> = ids.into_values().map(|ids| ids.into_iter().collect()).collect();
            assert!(
                ids.len() == 2 && ids[0].len() == 1 && ids[1].len() == 1 && ids[0] != ids[1],
                "{tracking:?} {seed}: {ids:?}"
            );
        }
    }
}

#[test]
fn detections_of_any_size_are_numbered_without_a_panic() {
    let mut random = Random::new(9);
    for tracking in [Tracking::ZeroTerm, Tracking::ShortTerm] {
        let mut tracker = tracker(tracking);
        for _ in 0..400 {
            let mut number = || [0, 1, 40, 639, 640, u32::MAX][random.below(6)];
            let all: Vec<Seen> = (0..number().min(4))
                .map(|_| Seen {
                    bounds: Pixels { x: number(), y: number(), width: number(), height: number() },
                    class: number() % 2,
                })
                .collect();
            let ids = tracker.track(&all).ids;
            let known: Vec<u32> = ids.iter().flatten().copied().collect();
            assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len(), "{ids:?}");
        }
    }
}
