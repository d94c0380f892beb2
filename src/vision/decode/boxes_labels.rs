//! Detectors of mmdetection: `boxes` `[N,5]` and `labels` `[N]`, perhaps as a batch of one.
//!
//! Rows of x_min, y_min, x_max, y_max in pixels of the input, and the score; the other output has
//! the class of each row. Overlaps are removed already.
//!
//! Source: <https://docs.openvino.ai/2023.3/omz_models_model_face_detection_0205.html>

use super::{Decoder, Kind, Model};
use crate::vision::{Corners, Detection, Size};

pub(super) const KIND: Kind =
    Kind { name: "boxes_labels", converters: &["boxes_labels"], shapes: "[N,5] with [N]", fits };

/// Values of a row.
const ROW: usize = 5;

struct Rows {
    input: Size,
    boxes: usize,
    labels: usize,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let boxes = model.one(|output| matches!(output.shape[..], [_, ROW] | [1, _, ROW]))?;
    let (_, batch) = model.outputs[boxes].shape.split_last()?;
    let labels = model.of_shape(batch)?;
    Some(Box::new(Rows { input: model.input, boxes, labels }))
}

impl Decoder for Rows {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        let rows = tensors[self.boxes].as_chunks::<ROW>().0;
        for (&[x_min, y_min, x_max, y_max, score], class) in rows.iter().zip(tensors[self.labels]) {
            if score >= threshold && score > 0.0 && *class >= 0.0 {
                let bounds = Corners {
                    x_min: f64::from(x_min) / width,
                    y_min: f64::from(y_min) / height,
                    x_max: f64::from(x_max) / width,
                    y_max: f64::from(y_max) / height,
                };
                found.push(Detection { bounds, class: *class as u32, score, points: Vec::new() });
            }
        }
    }
}
