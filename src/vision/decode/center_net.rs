//! CenterNet: `[1,C,h,w]`, `[1,2,h,w]` and `[1,2,h,w]`, told apart by their names.
//!
//! For each of h x w cells, the logit of each class that an object has its centre there, the object's width
//! and height in cells, and how far its centre is from the upper left corner of the cell: x, y. Only
//! a cell that no neighbour of its class exceeds is a centre, and only the best 100 count. The
//! outputs are named as in Open Model Zoo (`center_heatmap`, `width_height`, `regression`), or by their heads
//! in CenterNet's own programs (`hm`, `wh`, `reg`).
//!
//! Source: <https://docs.openvino.ai/2024/omz_models_model_ctdet_coco_dlav0_512.html>, and "Objects as
//! Points" (<https://arxiv.org/abs/1904.07850>), sections 3 and 4. DL Streamer has no such converter.

use super::{Decoder, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, logit, sigmoid};

pub(super) const KIND: Kind = Kind {
    name: "centernet",
    converters: &["centernet", "CenterNet", "ctdet"],
    shapes: "[1,C,h,w] with [1,2,h,w] and [1,2,h,w] named `center_heatmap`, `width_height` and `regression`",
    fits,
};

const HEATMAP: [&str; 3] = ["center_heatmap", "heatmap", "hm"];
const SIZES: [&str; 2] = ["width_height", "wh"];
const OFFSETS: [&str; 3] = ["regression", "reg", "offset"];

/// The most objects of a picture.
const MOST: usize = 100;

struct Heads {
    heatmap: usize,
    sizes: usize,
    offsets: usize,
    columns: usize,
    rows: usize,
    classes: usize,
    /// Centres are apart from each other already, so without it nothing is suppressed.
    iou_threshold: Option<f32>,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let [_, _, _] = model.outputs else { return None };
    let named =
        |known: &[&str]| model.one(|output| output.names.iter().any(|name| known.contains(&name.as_str())));
    let (heatmap, sizes, offsets) = (named(&HEATMAP)?, named(&SIZES)?, named(&OFFSETS)?);
    let &[1, classes, rows, columns] = model.outputs[heatmap].shape.as_slice() else { return None };
    let is_pair = |output: usize| model.outputs[output].shape == [1, 2, rows, columns];
    let is_known =
        classes > 0 && rows > 0 && columns > 0 && sizes != offsets && is_pair(sizes) && is_pair(offsets);
    let iou_threshold = model.hints.iou_threshold;
    is_known.then(|| {
        Box::new(Heads { heatmap, sizes, offsets, columns, rows, classes, iou_threshold }) as Box<dyn Decoder>
    })
}

impl Heads {
    /// Whether no neighbour exceeds this cell of a class; what is no number exceeds nothing.
    fn is_peak(&self, heat: &[f32], row: usize, column: usize) -> bool {
        let around = |at: usize, n: usize| at.saturating_sub(1)..n.min(at + 2);
        let here = heat[row * self.columns + column];
        !around(row, self.rows)
            .any(|row| around(column, self.columns).any(|column| heat[row * self.columns + column] > here))
    }
}

impl Decoder for Heads {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let threshold = logit(threshold);
        let cells = self.rows * self.columns;
        let pair = |output: usize, cell: usize| {
            [tensors[output][cell], tensors[output][cells + cell]].map(f64::from)
        };
        for (class, heat) in (0..).zip(tensors[self.heatmap].chunks_exact(cells)) {
            for (cell, logit) in heat.iter().enumerate() {
                let (row, column) = (cell / self.columns, cell % self.columns);
                if *logit >= threshold && self.is_peak(heat, row, column) {
                    let ([width, height], [x, y]) = (pair(self.sizes, cell), pair(self.offsets, cell));
                    let (columns, rows) = (self.columns as f64, self.rows as f64);
                    let (x, y) = ((column as f64 + x) / columns, (row as f64 + y) / rows);
                    found.push(Detection {
                        bounds: Corners::around(x, y, width / columns, height / rows),
                        class,
                        score: sigmoid(*logit),
                        points: Vec::new(),
                    });
                }
            }
        }
        // Stable: of equal scores, the first class and cell.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MOST);
        if let Some(threshold) = self.iou_threshold {
            suppress(found, threshold, Among::Class);
        }
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}
