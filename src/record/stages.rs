//! Where the time of each frame went: the stages of the first minute of a stream's window.

use serde::{Deserialize, Serialize};

use super::compact;
pub use crate::worker::protocol::StageElement;

/// So much of a window has stages, in microseconds: later frames say the same again.
pub const MOST_US: u64 = 60_000_000;

/// The most frames of a stream that have stages, whatever its rate.
pub const MOST_FRAMES: usize = 20_000;

/// The stages of the frames of a stream, in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// The elements between ingress and sink, in their order.
    pub elements: Vec<StageElement>,
    /// When each frame left the ingress.
    #[serde(with = "compact::times")]
    pub left_us: Vec<u64>,
    /// Of each element: how long each of these frames was in it, the wait for the next element
    /// included, in microseconds.
    pub in_us: Vec<Vec<u32>>,
}

impl Stages {
    /// Takes in a frame: when it left the ingress, and its time in each element. One of other
    /// elements, or beyond [`MOST_FRAMES`], is left out.
    pub(super) fn add(&mut self, elements: &[StageElement], frame: &[u64]) {
        let Some((left_us, stages)) = frame.split_first() else { return };
        if self.elements.is_empty() {
            (self.elements, self.in_us) = (elements.to_vec(), vec![Vec::new(); elements.len()]);
        }
        if self.elements != elements || stages.len() != elements.len() || MOST_FRAMES <= self.left_us.len() {
            return;
        }
        self.left_us.push(*left_us);
        for (of_element, us) in self.in_us.iter_mut().zip(stages) {
            of_element.push(u32::try_from(*us).unwrap_or(u32::MAX));
        }
    }

    /// Each frame: when it left the ingress, and its time in each element.
    pub fn frames(&self) -> impl Iterator<Item = (u64, Vec<u32>)> {
        let stages = |index: usize| self.in_us.iter().filter_map(|of| of.get(index).copied()).collect();
        self.left_us.iter().enumerate().map(move |(index, left_us)| (*left_us, stages(index)))
    }

    /// The same with times since an origin.
    pub(super) fn since(mut self, origin_us: u64) -> Stages {
        self.left_us.iter_mut().for_each(|at_us| *at_us = at_us.saturating_sub(origin_us));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_other_elements_are_left_out() {
        let element = |name: &str| StageElement { name: name.to_owned(), factory: "queue".to_owned() };
        let (mut stages, elements) = (Stages::default(), [element("a"), element("b")]);
        stages.add(&elements, &[9_000, 1, u64::MAX]);
        stages.add(&elements, &[9_001, 1]);
        stages.add(&elements, &[]);
        stages.add(&[element("a")], &[9_002, 1]);
        stages.add(&elements, &[9_500, 3, 4]);
        let stages = stages.since(9_000);
        let frames: Vec<_> = stages.frames().collect();
        assert_eq!(frames, [(0, vec![1, u32::MAX]), (500, vec![3, 4])]);
        let text = serde_json::to_string(&stages).unwrap();
        assert_eq!(serde_json::from_str::<Stages>(&text).unwrap(), stages);
    }
}
