//! YOLOX, raw: `[1,N,5+C]`, with a row for each cell of grids of 8, 16 and 32 pixels.
//!
//! Rows of centre x and y in cells from the cell's corner, logarithms of width and height in cells,
//! objectness, and C scores; a row's score is objectness times the best of them. Only the number of
//! rows tells it from YOLOv5, which has three for each cell.
//!
//! Source: <https://github.com/Megvii-BaseDetection/YOLOX/blob/main/yolox/utils/demo_utils.py>
//! (`demo_postprocess`)

use super::{Decoder, IOU_THRESHOLD, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size, best};

pub(super) const KIND: Kind =
    Kind { name: "yolo_x", converters: &["yolo_x"], shapes: "[1,N,5+C] with a row for each cell", fits };

/// Pixels of a cell.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Values of a row before the scores of classes.
const BOX: usize = 5;

struct Cells {
    input: Size,
    classes: usize,
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let &[n, row] = model.only()? else { return None };
    let classes = row.checked_sub(BOX).filter(|classes| *classes > 0)?;
    let Size { width, height } = model.input;
    let cells = STRIDES.iter().map(|stride| (width / stride).saturating_mul(height / stride));
    let cells = cells.fold(0, usize::saturating_add);
    let iou_threshold = model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD);
    (cells == n && n > 0)
        .then(|| Box::new(Cells { input: model.input, classes, iou_threshold }) as Box<dyn Decoder>)
}

impl Decoder for Cells {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        let mut rows = tensors[0].chunks_exact(BOX + self.classes);
        for stride in STRIDES {
            let columns = self.input.width / stride;
            for (cell, row) in (0..columns * (self.input.height / stride)).zip(&mut rows) {
                let objectness = row[4];
                if objectness > threshold && objectness > 0.0 {
                    let Some((class, score)) = best(&row[BOX..]) else { continue };
                    let score = objectness * score;
                    if score > threshold {
                        let [x, y, w, h] = [row[0], row[1], row[2], row[3]].map(f64::from);
                        let stride = stride as f64;
                        let bounds = Corners::around(
                            (x + (cell % columns) as f64) * stride / width,
                            (y + (cell / columns) as f64) * stride / height,
                            w.exp() * stride / width,
                            h.exp() * stride / height,
                        );
                        found.push(Detection { bounds, class, score, points: Vec::new() });
                    }
                }
            }
        }
        suppress(found, self.iou_threshold, Among::All);
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}
