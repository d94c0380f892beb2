//! YOLO with objectness, raw: `[1,N,5+C]`.
//!
//! Rows of centre x, centre y, width, height in pixels of the input, objectness, and C scores; a
//! row's score is objectness times the best of them, all from 0 to 1. YOLOv5 and YOLOv7, with the
//! anchors inside the model.
//!
//! Source: <https://github.com/ultralytics/yolov5/blob/v7.0/models/yolo.py> (`Detect.forward`) and
//! DL Streamer's `yolo_v7.cpp`.

use super::{Decoder, FEWEST_ROWS, IOU_THRESHOLD, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size, best};

pub(super) const KIND: Kind = Kind {
    name: "yolo_v7",
    converters: &["yolo_v7", "yolo_v5", "YOLO", "YOLOv5"],
    shapes: "[1,N,5+C]",
    fits,
};

/// Values of a row before the scores of classes.
const BOX: usize = 5;

struct Rows {
    input: Size,
    classes: usize,
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let &[n, row] = model.only()? else { return None };
    let classes = row.checked_sub(BOX).filter(|classes| *classes > 0 && row < n && n >= FEWEST_ROWS)?;
    let iou_threshold = model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD);
    Some(Box::new(Rows { input: model.input, classes, iou_threshold }))
}

impl Decoder for Rows {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        for row in tensors[0].chunks_exact(BOX + self.classes) {
            // Scores of classes are at most 1, so most rows end here.
            let objectness = row[4];
            if objectness > threshold && objectness > 0.0 {
                let Some((class, score)) = best(&row[BOX..]) else { continue };
                let score = objectness * score;
                if score > threshold {
                    let [x, y, w, h] = [row[0], row[1], row[2], row[3]].map(f64::from);
                    let bounds = Corners::around(x / width, y / height, w / width, h / height);
                    found.push(Detection { bounds, class, score, points: Vec::new() });
                }
            }
        }
        suppress(found, self.iou_threshold, Among::All);
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}
