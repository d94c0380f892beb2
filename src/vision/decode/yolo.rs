//! YOLO without anchors and without objectness, raw: `[1,4+C,N]`.
//!
//! Columns of centre x, centre y, width, height in pixels of the input, and C scores from 0 to 1,
//! of which the best counts. YOLOv8, YOLO11, YOLO12, and YOLO26 exported without `end2end`. A
//! second output `[1,M,h,w]` has masks: then the last M rows are theirs and are not read. The last
//! rows of a model for poses are points: x, y, visibility.
//!
//! Source: <https://docs.ultralytics.com/modes/export/>, exports with ultralytics 8.4, and DL
//! Streamer's `yolo_v8.cpp`.

use super::{Decoder, IOU_THRESHOLD, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size};

pub(super) const KIND: Kind = Kind {
    name: "yolo_v8",
    converters: &["yolo_v8", "yolo_v11", "yolo_v8_seg", "yolo_v26", "YOLO", "YOLOv8", "YOLOv8-SEG"],
    shapes: "[1,4+C,N]",
    fits,
};

/// Rows of a point.
const POINT: usize = 3;

/// Columns that are compared at once, so that their best scores stay in the nearest cache.
const BLOCK: usize = 512;

struct Columns {
    input: Size,
    output: usize,
    n: usize,
    classes: usize,
    points: usize,
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let output = model.one(|output| matches!(output.shape[..], [1, rows, n] if 4 < rows && rows < n))?;
    let masks = match (model.outputs, output) {
        ([_], _) => 0,
        ([_, masks], 0) | ([masks, _], 1) => match masks.shape[..] {
            [1, masks, _, _] => masks,
            _ => return None,
        },
        _ => return None,
    };
    let &[_, rows, n] = model.outputs[output].shape.as_slice() else { return None };
    let classes = rows.checked_sub(4 + masks).filter(|classes| *classes > 0)?;
    let (classes, points) = match model.hints.pose_classes {
        Some(n) if 0 < n && n < classes && (classes - n).is_multiple_of(POINT) => (n, (classes - n) / POINT),
        Some(_) => return None,
        None => (classes, 0),
    };
    let iou_threshold = model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD);
    Some(Box::new(Columns { input: model.input, output, n, classes, points, iou_threshold }))
}

impl Decoder for Columns {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let tensor = tensors[self.output];
        let row = |n: usize| &tensor[n * self.n..][..self.n];
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        let mut best = [0.0; BLOCK];
        for begin in (0..self.n).step_by(BLOCK) {
            let end = self.n.min(begin + BLOCK);
            let best = &mut best[..end - begin];
            best.fill(f32::NEG_INFINITY);
            for class in 0..self.classes {
                for (best, score) in best.iter_mut().zip(&row(4 + class)[begin..end]) {
                    // What is no number is not greater.
                    *best = if *score > *best { *score } else { *best };
                }
            }
            for (column, score) in (begin..).zip(best.iter().copied()) {
                if score > threshold && score > 0.0 {
                    let class = (0..self.classes).position(|class| row(4 + class)[column] == score);
                    let [x, y, w, h] = [0, 1, 2, 3].map(|n| f64::from(row(n)[column]));
                    let point = |n: usize| {
                        let at = |n: usize| f64::from(row(4 + self.classes + n)[column]);
                        [(at(n * POINT) / width) as f32, (at(n * POINT + 1) / height) as f32]
                    };
                    found.push(Detection {
                        bounds: Corners::around(x / width, y / height, w / width, h / height),
                        class: class.map_or(0, |class| class as u32),
                        score,
                        points: (0..self.points).map(point).collect(),
                    });
                }
            }
        }
        suppress(found, self.iou_threshold, Among::All);
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}
