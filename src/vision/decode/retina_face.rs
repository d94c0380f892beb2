//! RetinaFace: `[1,N,4]`, `[1,N,2]` and `[1,N,10]`.
//!
//! Rows of centre x, centre y, width, height relative to a prior box (a tenth of it, and the
//! logarithm times 5), probabilities of background and face, and five points alike. N is the number
//! of priors: two squares for each cell of grids of 8, 16 and 32 pixels, so 16800 for an input of
//! 640x640.
//!
//! Source:
//! <https://github.com/biubug6/Pytorch_Retinaface/blob/master/layers/functions/prior_box.py> and
//! `utils/box_utils.py` beside it.

use super::{Decoder, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size};

pub(super) const KIND: Kind = Kind {
    name: "retina_face",
    converters: &["retina_face", "retinaface"],
    shapes: "[1,N,4] with [1,N,2] and [1,N,10]",
    fits,
};

/// Pixels of a cell, and the sides of its priors.
const GRIDS: [(usize, [f64; 2]); 3] = [(8, [16.0, 32.0]), (16, [64.0, 128.0]), (32, [256.0, 512.0])];
const VARIANCES: (f64, f64) = (0.1, 0.2);
const IOU_THRESHOLD: f32 = 0.4;

struct Priors {
    input: Size,
    boxes: usize,
    scores: usize,
    points: usize,
    iou_threshold: f32,
}

fn cells(input: Size, stride: usize) -> (usize, usize) {
    (input.width.div_ceil(stride), input.height.div_ceil(stride))
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let [_, _, _] = model.outputs else { return None };
    let n = GRIDS.iter().map(|(stride, _)| {
        let (columns, rows) = cells(model.input, *stride);
        columns.saturating_mul(rows).saturating_mul(2)
    });
    let n = n.fold(0, usize::saturating_add);
    Some(Box::new(Priors {
        input: model.input,
        boxes: model.of_shape(&[1, n, 4])?,
        scores: model.of_shape(&[1, n, 2])?,
        points: model.of_shape(&[1, n, 10])?,
        iou_threshold: model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD),
    }))
}

impl Decoder for Priors {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let (width, height) = (self.input.width as f64, self.input.height as f64);
        let boxes = tensors[self.boxes].as_chunks::<4>().0;
        let scores = tensors[self.scores].as_chunks::<2>().0;
        let mut rows = boxes.iter().zip(scores).zip(tensors[self.points].as_chunks::<10>().0);
        for (stride, sides) in GRIDS {
            let (columns, lines) = cells(self.input, stride);
            for (n, ((numbers, [_, score]), points)) in (0..columns * lines * 2).zip(&mut rows) {
                if *score >= threshold && *score > 0.0 {
                    let cell = n / 2;
                    let prior_x = ((cell % columns) as f64 + 0.5) * stride as f64 / width;
                    let prior_y = ((cell / columns) as f64 + 0.5) * stride as f64 / height;
                    let (prior_width, prior_height) = (sides[n % 2] / width, sides[n % 2] / height);
                    let at = |x: f64, y: f64| {
                        (prior_x + x * VARIANCES.0 * prior_width, prior_y + y * VARIANCES.0 * prior_height)
                    };
                    let [x, y, w, h] = numbers.map(f64::from);
                    let (x, y) = at(x, y);
                    let points = points.as_chunks::<2>().0.iter().map(|&[x, y]| at(x.into(), y.into()));
                    found.push(Detection {
                        bounds: Corners::around(
                            x,
                            y,
                            prior_width * (w * VARIANCES.1).exp(),
                            prior_height * (h * VARIANCES.1).exp(),
                        ),
                        class: 0,
                        score: *score,
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
