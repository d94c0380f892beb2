//! Where detectors and the truth of a scene disagree.

use std::collections::{BTreeMap, BTreeSet};

use lp::scene::truth::{CodeSpan, Truth};

/// One frame of the played clip: cameras play 15 a second.
pub(crate) const FRAME_S: f64 = 1.0 / 15.0;

/// The detections in one pass of a clip, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Detections {
    /// Per code: every sighting. `None` if nothing in the pipeline reads codes.
    pub(crate) codes: Option<BTreeMap<String, Vec<f64>>>,
    /// Per zone with a detector.
    pub(crate) motion: BTreeMap<String, Motion>,
}

/// The motion that a detector saw in a zone.
#[derive(Debug)]
pub(crate) struct Motion {
    /// It ends a motion after this long without one.
    pub(crate) gap_s: f64,
    /// Begin and end; the end is `None` if the clip ended first.
    pub(crate) spans: Vec<(f64, Option<f64>)>,
}

impl Detections {
    /// Motions during which no code was read.
    pub(crate) fn motion_without_code(&self, zone: &str) -> Vec<(f64, f64)> {
        let codes = self.codes.as_ref().expect("something reads codes");
        let spans = self.motion[zone].spans.iter().map(|(begin, end)| (*begin, end.unwrap_or(f64::MAX)));
        spans.filter(|(begin, end)| !codes.values().flatten().any(|at| (begin..=end).contains(&at))).collect()
    }
}

/// Every difference beyond what is allowed: codes are exact and within 3 frames,
/// motions within 5. `motioncells` says when the last frame with motion was, so
/// its gap does not enter.
pub(crate) fn disagreements(truth: &Truth, seen: &Detections) -> Vec<String> {
    let mut faults = Vec::new();
    let mut near = |what: String, expected: f64, found: f64, n_frames: f64| {
        if (expected - found).abs() > n_frames * FRAME_S + 1e-6 {
            faults.push(format!("{what}: expected {expected:.3} s, found {found:.3} s"));
        }
    };
    if let Some(codes) = &seen.codes {
        // The last frame of an interval covers the time before its end.
        for span in &truth.codes {
            let of_span = |at_s: &&f64| span.from_s - 1.0 < **at_s && **at_s < span.to_s + 1.0;
            let times: Vec<f64> =
                codes.get(&span.code).into_iter().flatten().filter(of_span).copied().collect();
            let (first, last) =
                (times.first().copied().unwrap_or(-1.0), times.last().copied().unwrap_or(-1.0));
            near(format!("first sight of {}", span.code), span.from_s, first, 3.0);
            near(format!("last sight of {}", span.code), span.to_s - FRAME_S, last, 3.0);
        }
    }
    for (zone, motion) in &seen.motion {
        let expected = truth.motion_in(zone, motion.gap_s);
        for (n, (expected, found)) in expected.iter().zip(&motion.spans).enumerate() {
            near(format!("begin of motion {n} in {zone}"), expected.0, found.0, 5.0);
            near(format!("end of motion {n} in {zone}"), expected.1, found.1.unwrap_or(-1.0), 5.0);
        }
        near(format!("number of motions in {zone}"), expected.len() as f64, motion.spans.len() as f64, 0.0);
    }
    if let Some(codes) = &seen.codes {
        let expected: BTreeSet<&String> = truth.codes.iter().map(|span| &span.code).collect();
        let found: BTreeSet<&String> = codes.keys().collect();
        if expected != found {
            faults.push(format!("codes: expected {expected:?}, found {found:?}"));
        }
        for (code, at_s) in codes.iter().flat_map(|(code, times)| times.iter().map(move |at_s| (code, *at_s)))
        {
            let allowed = 3.0 * FRAME_S + 1e-6;
            let of_span = |span: &&CodeSpan| {
                span.code == *code && span.from_s - allowed <= at_s && at_s <= span.to_s + allowed
            };
            if !truth.codes.iter().any(|span| of_span(&span)) {
                faults.push(format!("{code} is seen at {at_s:.3} s, when it is not readable"));
            }
        }
    }
    faults
}
