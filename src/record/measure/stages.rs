//! Where the time of frames goes: the stages of a traced stream, element by element.

use serde::{Deserialize, Serialize};

use super::rounded;
use crate::record::StreamRecord;
use crate::stats;

/// The time of frames in one element, the wait for the next element included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageFigures {
    /// The name of the element.
    pub element: String,
    /// Its factory.
    #[serde(rename = "type")]
    pub kind: String,
    /// Mean in microseconds: those of all elements add up to the mean latency of these frames.
    pub mean_us: f64,
    /// The 95th percentile in microseconds, which do not add up.
    pub p95_us: u32,
}

/// The stages of a stream in the order of its elements; none unless it was traced.
pub(super) fn stages(stream: &StreamRecord) -> Vec<StageFigures> {
    let Some(stages) = &stream.stages else { return Vec::new() };
    let figures = stages.elements.iter().zip(&stages.in_us).filter_map(|(element, in_us)| {
        let mut sorted = in_us.clone();
        sorted.sort_unstable();
        let sum: u64 = sorted.iter().copied().map(u64::from).sum();
        Some(StageFigures {
            element: element.name.clone(),
            kind: element.factory.clone(),
            p95_us: stats::percentile(&sorted, 95)?,
            mean_us: rounded(sum as f64 / sorted.len() as f64),
        })
    });
    figures.collect()
}
