//! How the boxes of a detector compare with those that it should have found: the truth of its
//! clip, or what an earlier run found on the same frames.
//!
//! A detection *matches* an expected box of its label on the same frame if their intersection is
//! half of their union or more. Detections are taken from the highest score to the lowest, and each
//! takes the box that it overlaps most of those that are left. *Recall* is the share of expected
//! boxes with a match, *precision* the share of detections with one. *AP50* of a label is the area
//! under its curve of precision over recall, each precision being the greatest at this recall or
//! a higher one (all points, as PASCAL VOC has it since 2010); *mAP50* is the mean over labels.
//! Scores below the detector's own threshold are not known, so its curve ends there.
//!
//! The record has counts, from which figures follow. Not here: which run a run is compared with
//! (`action::run::compared`), and when one is wrong (`measure::accuracy`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::boxes::{Boxes, Frame, LabelledBox};

/// The least overlap of a match.
const OVERLAP: f64 = 0.5;

/// Positions of one frame differ by at most this, in milliseconds.
const SAME_MS: u64 = 4;

/// What a detector found, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The name of its element.
    pub element: String,
    pub with: Reference,
    /// Frames that both have.
    pub frames: u64,
    pub labels: BTreeMap<String, Counts>,
    /// With the truth: the recall of the earlier run that this one is compared with; `None`
    /// without one, or if it was not compared with this truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<EarlierRecall>,
}

/// What it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// What an earlier run found, by its id.
    Run(String),
    /// The truth of a clip: the name of a scene, or of a file.
    Truth(String),
}

/// The recall of an earlier run, by the same truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlierRecall {
    /// The id of the run.
    pub run: String,
    pub recall: f64,
}

/// The boxes of one label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub expected: u64,
    /// Expected ones with a match.
    pub found: u64,
    pub detections: u64,
    /// Only with a truth, and if anything was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ap50: Option<f64>,
}

impl Counts {
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.expected)
    }

    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.found, self.detections)
    }
}

impl Compared {
    /// All labels together.
    #[must_use]
    pub fn all(&self) -> Counts {
        let sum = |of: fn(&Counts) -> u64| self.labels.values().map(of).sum();
        Counts {
            expected: sum(|one| one.expected),
            found: sum(|one| one.found),
            detections: sum(|one| one.detections),
            ap50: None,
        }
    }

    /// The mean of AP50 over labels; `None` if none has it.
    #[must_use]
    pub fn map50(&self) -> Option<f64> {
        let all: Vec<f64> = self.labels.values().filter_map(|one| one.ap50).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Compares the boxes of a detector with those of an earlier run: all labels of that. `None`
/// without a frame that both have.
#[must_use]
pub fn with_run(element: &str, run: &str, expected: &Boxes, found: &Boxes) -> Option<Compared> {
    let labels = expected.labels().iter().map(String::as_str).collect::<Vec<_>>();
    let (frames, labels) = compare(expected, found, &labels)?;
    let labels = labels.into_iter().map(|(label, curve)| (label, curve.counts)).collect();
    Some(Compared {
        element: element.to_owned(),
        with: Reference::Run(run.to_owned()),
        frames,
        labels,
        earlier: None,
    })
}

/// Compares the boxes of a detector with the truth: those labels of it that are also in `known`,
/// as a detector of faces need not find cups. `None` without such a label, or without a frame
/// that both have.
#[must_use]
pub fn with_truth(
    element: &str,
    name: &str,
    truth: &Boxes,
    found: &Boxes,
    known: &[&str],
) -> Option<Compared> {
    let labels = truth.labels().iter().map(String::as_str).filter(|label| known.contains(label));
    let (frames, labels) = compare(truth, found, &labels.collect::<Vec<_>>())?;
    let labels =
        labels.into_iter().map(|(label, curve)| (label, Counts { ap50: curve.ap50(), ..curve.counts }));
    Some(Compared {
        element: element.to_owned(),
        with: Reference::Truth(name.to_owned()),
        frames,
        labels: labels.collect(),
        earlier: None,
    })
}

/// Counts of a label, and its detections.
#[derive(Default)]
struct Curve {
    counts: Counts,
    /// Score, and whether it matches.
    detections: Vec<(u16, bool)>,
}

impl Curve {
    fn ap50(&self) -> Option<f64> {
        let expected = self.counts.expected;
        if expected == 0 {
            return None;
        }
        let mut detections = self.detections.clone();
        detections.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let mut n_matches = 0_u64;
        // Of each match: the precision with all detections up to it.
        let mut precisions: Vec<f64> = Vec::new();
        for (n, (_, is_match)) in detections.iter().enumerate() {
            n_matches += u64::from(*is_match);
            if *is_match {
                precisions.push(n_matches as f64 / (n + 1) as f64);
            }
        }
        let mut best = 0.0_f64;
        let area = precisions.iter().rev().map(|precision| {
            best = best.max(*precision);
            best
        });
        // A sum of nothing is -0.0.
        Some(area.fold(0.0, |sum, precision| sum + precision) / expected as f64)
    }
}

fn compare(expected: &Boxes, found: &Boxes, labels: &[&str]) -> Option<(u64, BTreeMap<String, Curve>)> {
    if labels.is_empty() {
        return None;
    }
    let mut curves: BTreeMap<&str, Curve> = labels.iter().map(|label| (*label, Curve::default())).collect();
    let mut n_frames = 0;
    let mut rest = found.frames();
    for frame in expected.frames() {
        let is_before = |one: &Frame| one.clip_ms + SAME_MS < frame.clip_ms;
        rest = &rest[rest.iter().take_while(|one| is_before(one)).count()..];
        let near = rest.iter().take_while(|one| one.clip_ms <= frame.clip_ms + SAME_MS);
        let Some(same) = near.min_by_key(|one| one.clip_ms.abs_diff(frame.clip_ms)) else { continue };
        n_frames += 1;
        for (label, curve) in &mut curves {
            let of = |boxes: &Boxes, frame: &Frame| -> Vec<LabelledBox> {
                let index = boxes.labels().iter().position(|name| name == label);
                frame.boxes.iter().filter(|one| Some(one.label) == index).copied().collect()
            };
            curve.add(of(expected, frame), of(found, same));
        }
    }
    let owned = curves.into_iter().map(|(label, curve)| (label.to_owned(), curve)).collect();
    (n_frames > 0).then_some((n_frames, owned))
}

impl Curve {
    /// Takes in the boxes of a frame.
    fn add(&mut self, mut expected: Vec<LabelledBox>, mut detections: Vec<LabelledBox>) {
        self.counts.expected += expected.len() as u64;
        self.counts.detections += detections.len() as u64;
        detections.sort_by_key(|one| std::cmp::Reverse(one.score));
        for detection in detections {
            let overlaps = expected.iter().map(|one| one.bounds.overlap(detection.bounds)).enumerate();
            let best =
                overlaps.max_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|(_, overlap)| *overlap >= OVERLAP);
            if let Some((index, _)) = best {
                expected.swap_remove(index);
                self.counts.found += 1;
            }
            self.detections.push((detection.score, best.is_some()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::boxes::tests::{BoxOf, boxes};

    const HERE: [u16; 4] = [1_000, 1_000, 1_000, 1_000];
    /// Overlaps `HERE` by 0.6, then by 0.43.
    const NEAR: [u16; 4] = [1_250, 1_000, 1_000, 1_000];
    const FAR: [u16; 4] = [1_400, 1_000, 1_000, 1_000];
    const THERE: [u16; 4] = [6_000, 1_000, 1_000, 1_000];

    fn counts(compared: &Compared, label: &str) -> (u64, u64, u64) {
        let one = compared.labels[label];
        (one.expected, one.found, one.detections)
    }

    #[test]
    fn a_box_is_found_by_one_of_its_label_that_overlaps_it_by_half() {
        let earlier = boxes(&[(0, &[("cup", HERE, 900), ("cup", THERE, 800), ("face", HERE, 700)])]);
        let compare = |found: &[(&str, [u16; 4], u16)]| {
            counts(&with_run("d", "r", &earlier, &boxes(&[(0, found)])).unwrap(), "cup")
        };
        assert_eq!(compare(&[("cup", NEAR, 500), ("cup", THERE, 500)]), (2, 2, 2));
        assert_eq!(compare(&[("cup", FAR, 500)]), (2, 0, 1));
        assert_eq!(compare(&[("face", HERE, 500)]), (2, 0, 0));
        // Two detections of one box: the second matches nothing.
        assert_eq!(compare(&[("cup", HERE, 500), ("cup", NEAR, 900)]), (2, 1, 2));
        assert_eq!(compare(&[]), (2, 0, 0));
    }

    #[test]
    fn only_frames_that_both_have_are_compared() {
        let at = |positions: &[u64]| {
            let frames: Vec<(u64, &[BoxOf<'_>])> =
                positions.iter().map(|ms| (*ms, &[("cup", HERE, 900)][..])).collect();
            boxes(&frames)
        };
        let compared = with_run("d", "r", &at(&[0, 67, 133, 200]), &at(&[66, 135, 333])).unwrap();
        assert_eq!((compared.frames, counts(&compared, "cup")), (2, (2, 2, 2)));
        assert_eq!(with_run("d", "r", &at(&[0, 67]), &at(&[33, 100])), None);
        assert_eq!(with_run("d", "r", &at(&[0]), &boxes(&[])), None);
    }

    #[test]
    fn of_a_truth_only_the_labels_of_the_detector_count() {
        let truth = boxes(&[(0, &[("face", HERE, 1_000), ("cup", THERE, 1_000)])]);
        let found = boxes(&[(0, &[("face", NEAR, 900), ("hat", THERE, 900)])]);
        let compared = with_truth("d", "till", &truth, &found, &["face", "hat"]).unwrap();
        assert_eq!(compared.labels.keys().collect::<Vec<_>>(), ["face"]);
        assert_eq!((compared.map50(), compared.all().precision()), (Some(1.0), Some(1.0)));
        assert_eq!(with_truth("d", "till", &truth, &found, &["hat"]), None);
    }

    /// The example of Padilla, Netto and da Silva (2020), "A Survey on Performance Metrics for
    /// Object-Detection Algorithms": 24 detections of 15 boxes, AP 24.57 % with all points.
    #[test]
    fn average_precision_is_that_of_a_published_example() {
        let scores =
            [95, 95, 91, 88, 84, 80, 78, 74, 71, 70, 67, 62, 54, 48, 45, 45, 44, 44, 43, 38, 35, 23, 18, 14];
        let matches = [0, 2, 9, 11, 12, 13, 22];
        let detections = scores.into_iter().enumerate().map(|(n, score)| (score, matches.contains(&n)));
        let counts = Counts { expected: 15, ..Counts::default() };
        let curve = Curve { counts, detections: detections.collect() };
        let ap50 = curve.ap50().unwrap();
        assert!((ap50 - 0.2457).abs() < 1e-3, "{ap50}");
        assert_eq!(Curve::default().ap50(), None);
        let blind = Curve { counts, detections: Vec::new() };
        assert!(blind.ap50().unwrap().is_sign_positive(), "-0 is no figure");
    }
}
