//! SSD with OpenVINO's layer `DetectionOutput`: `[1,1,N,7]`.
//!
//! Rows of image, class, score, x_min, y_min, x_max, y_max, in parts of the picture. The first row
//! with an image below 0 ends the list: what follows it is zero, so it would be of image 0. Classes
//! count the background, mostly as 0. Overlaps are removed by the layer itself.
//!
//! Source:
//! <https://docs.openvino.ai/2024/documentation/openvino-ir-format/operation-sets/operation-specs/detection/detectionoutput-1.html>

use super::{Decoder, Kind, Model};
use crate::vision::{Corners, Detection};

pub(super) const KIND: Kind =
    Kind { name: "detection_output", converters: &["detection_output"], shapes: "[1,1,N,7]", fits };

/// Values of a row.
const ROW: usize = 7;

struct Rows;

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    matches!(model.only()?, [1, _, ROW]).then(|| Box::new(Rows) as Box<dyn Decoder>)
}

impl Decoder for Rows {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        for &[image, class, score, x_min, y_min, x_max, y_max] in tensors[0].as_chunks::<ROW>().0 {
            if image < 0.0 {
                break;
            }
            if score >= threshold && class >= 0.0 {
                let [x_min, y_min, x_max, y_max] = [x_min, y_min, x_max, y_max].map(f64::from);
                let bounds = Corners { x_min, y_min, x_max, y_max };
                found.push(Detection { bounds, class: class as u32, score, points: Vec::new() });
            }
        }
    }
}
