//! Detectors that remove overlaps themselves: `[1,N,6]`.
//!
//! Rows of x_min, y_min, x_max, y_max in pixels of the input, score, class; rows of zeros are
//! empty. YOLOv10, YOLO26 exported end to end, and every YOLO that Ultralytics exports with
//! `nms=True`.
//!
//! Source: <https://docs.ultralytics.com/modes/export/> (`nms`, `end2end`), and exports with
//! ultralytics 8.4.

use super::{Decoder, FEWEST_ROWS, Kind, Model};
use crate::vision::{Corners, Detection, Size};

pub(super) const KIND: Kind = Kind {
    name: "yolo_v10",
    converters: &["yolo_v10", "yolo_v26", "YOLO", "YOLOv10"],
    shapes: "[1,N,6]",
    fits,
};

/// Values of a row.
const ROW: usize = 6;

struct Rows {
    input: Size,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let &[n, ROW] = model.only()? else { return None };
    // Rows of raw YOLOv5 with one class have 6 values too, but thousands of rows.
    let is_raw = model.hints.converter.is_none() && n >= FEWEST_ROWS;
    (!is_raw).then(|| Box::new(Rows { input: model.input }) as Box<dyn Decoder>)
}

impl Decoder for Rows {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        for &[x_min, y_min, x_max, y_max, score, class] in tensors[0].as_chunks::<ROW>().0 {
            if score > threshold && score > 0.0 && class >= 0.0 {
                let bounds = Corners {
                    x_min: f64::from(x_min) / width,
                    y_min: f64::from(y_min) / height,
                    x_max: f64::from(x_max) / width,
                    y_max: f64::from(y_max) / height,
                };
                found.push(Detection { bounds, class: class as u32, score, points: Vec::new() });
            }
        }
    }
}
