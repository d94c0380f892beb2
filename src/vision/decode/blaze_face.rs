//! Faces of MediaPipe: `[1,896,16]` and `[1,896,1]`, or `[1,2304,16]` and `[1,2304,1]`.
//!
//! Rows of centre x, centre y, width, height in pixels of the input from the centre of a cell, then
//! six points alike: eyes, nose, mouth and ears. 896 cells: a grid of 16x16 with two rows for each
//! cell, then one of 8x8 with six (within two metres); 2304: one of 48x48 (full range). The other
//! output has logits.
//!
//! Source:
//! <https://github.com/google-ai-edge/mediapipe/tree/master/mediapipe/modules/face_detection>
//! (`face_detection_short_range.pbtxt`, `face_detection_full_range.pbtxt`). MediaPipe averages
//! faces that overlap; here the best is kept.

use super::{Decoder, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size, logit, sigmoid};

pub(super) const KIND: Kind = Kind {
    name: "mediapipe_face",
    converters: &["mediapipe_face"],
    shapes: "[1,896,16] with [1,896,1], [1,2304,16] with [1,2304,1]",
    fits,
};

/// Cells of a side of each grid, and rows for each cell.
const GRIDS: [&[(usize, usize)]; 2] = [&[(16, 2), (8, 6)], &[(48, 1)]];
/// Values of a row: a box and six points.
const ROW: usize = 16;
const IOU_THRESHOLD: f32 = 0.3;

struct Cells {
    input: Size,
    boxes: usize,
    scores: usize,
    grids: &'static [(usize, usize)],
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let [_, _] = model.outputs else { return None };
    for grids in GRIDS {
        let n: usize = grids.iter().map(|(side, rows)| side * side * rows).sum();
        if let (Some(boxes), Some(scores)) = (model.of_shape(&[1, n, ROW]), model.of_shape(&[1, n, 1])) {
            let iou_threshold = model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD);
            return Some(Box::new(Cells { input: model.input, boxes, scores, grids, iou_threshold }));
        }
    }
    None
}

impl Decoder for Cells {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let threshold = logit(threshold);
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        let mut rows = tensors[self.boxes].as_chunks::<ROW>().0.iter().zip(tensors[self.scores]);
        for (side, of_cell) in self.grids {
            for (n, (row, score)) in (0..side * side * of_cell).zip(&mut rows) {
                if *score >= threshold {
                    let cell = n / of_cell;
                    let centre = |cell: usize| (cell as f64 + 0.5) / *side as f64;
                    let (centre_x, centre_y) = (centre(cell % side), centre(cell / side));
                    let at =
                        |x: f32, y: f32| (f64::from(x) / width + centre_x, f64::from(y) / height + centre_y);
                    let (x, y) = at(row[0], row[1]);
                    let points = row[4..].as_chunks::<2>().0.iter().map(|&[x, y]| at(x, y));
                    found.push(Detection {
                        bounds: Corners::around(x, y, f64::from(row[2]) / width, f64::from(row[3]) / height),
                        class: 0,
                        score: sigmoid(*score),
                        points: points.map(|(x, y)| [x as f32, y as f32]).collect(),
                    });
                }
            }
        }
        suppress(found, self.iou_threshold, Among::All);
    }

    fn classes(&self) -> Option<usize> {
        Some(1)
    }
}
