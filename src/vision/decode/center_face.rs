//! CenterFace: `heatmap` `[1,1,h,w]`, `scale` `[1,2,h,w]`, `offset` `[1,2,h,w]` and `landmarks`
//! `[1,10,h,w]`, for cells of 4x4 pixels.
//!
//! The probability of a face with its centre in the cell; the logarithms of its height and width in
//! cells; how far its centre is from that of the cell: y, x; and five points: y, x in parts of the
//! face from its upper left corner.
//!
//! Source: DL Streamer's `centerface.cpp`, and "CenterFace: Joint Face Detection and Alignment Using Face
//! as Point" (<https://arxiv.org/abs/1911.03599>).

use super::{Decoder, IOU_THRESHOLD, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection};

pub(super) const KIND: Kind = Kind {
    name: "centerface",
    converters: &["centerface"],
    shapes: "[1,1,h,w] with `scale` and `offset` [1,2,h,w] and [1,10,h,w]",
    fits,
};

const POINTS: usize = 5;

struct Cells {
    heatmap: usize,
    scale: usize,
    offset: usize,
    points: usize,
    columns: usize,
    rows: usize,
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let [_, _, _, _] = model.outputs else { return None };
    let heatmap = model.one(|output| matches!(output.shape[..], [1, 1, _, _]))?;
    let &[_, _, rows, columns] = model.outputs[heatmap].shape.as_slice() else { return None };
    let named = |known: &str| {
        let is_pair = |output: &crate::vision::Output| output.shape == [1, 2, rows, columns];
        model.one(|output| is_pair(output) && output.names.iter().any(|name| name == known))
    };
    let points = model.of_shape(&[1, POINTS * 2, rows, columns])?;
    Some(Box::new(Cells {
        heatmap,
        scale: named("scale")?,
        offset: named("offset")?,
        points,
        columns,
        rows,
        iou_threshold: model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD),
    }))
}

impl Decoder for Cells {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let cells = self.rows * self.columns;
        for (cell, score) in tensors[self.heatmap].iter().enumerate() {
            if *score > threshold && *score > 0.0 {
                let value = |output: usize, n: usize| f64::from(tensors[output][n * cells + cell]);
                let (columns, rows) = (self.columns as f64, self.rows as f64);
                let (height, width) =
                    (value(self.scale, 0).exp() / rows, value(self.scale, 1).exp() / columns);
                let x = ((cell % self.columns) as f64 + value(self.offset, 1) + 0.5) / columns;
                let y = ((cell / self.columns) as f64 + value(self.offset, 0) + 0.5) / rows;
                let bounds = Corners::around(x, y, width, height);
                let point = |n: usize| {
                    let (x, y) = (value(self.points, 2 * n + 1), value(self.points, 2 * n));
                    [(bounds.x_min + x * width) as f32, (bounds.y_min + y * height) as f32]
                };
                found.push(Detection {
                    bounds,
                    class: 0,
                    score: *score,
                    points: (0..POINTS).map(point).collect(),
                });
            }
        }
        suppress(found, self.iou_threshold, Among::All);
    }

    fn classes(&self) -> Option<usize> {
        Some(1)
    }
}
