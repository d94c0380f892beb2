//! SSD of MediaPipe with anchors outside the model: `[1,N,4]` and `[1,N,C]`.
//!
//! Rows of centre y, centre x, height, width relative to an anchor (a tenth of it, and the
//! logarithm times 5), and C logits of which the first is the background's; the best other counts.
//! N is the number of anchors of six grids of 16 to 512 pixels: 1917 for an input of 300x300.
//!
//! Source:
//! <https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/calculators/tflite/ssd_anchors_calculator.cc>,
//! `tensors_to_detections_calculator.cc` beside it, and
//! `object_detection_ssd_mobilenetv2_oidv4_fp16`'s options.

use super::{Decoder, Kind, Model};
use crate::vision::nms::{Among, suppress};
use crate::vision::{Corners, Detection, Size, best, logit, sigmoid};

pub(super) const KIND: Kind = Kind {
    name: "mediapipe_ssd",
    converters: &["mediapipe_ssd"],
    shapes: "[1,N,4] with [1,N,C] of MediaPipe's anchors",
    fits,
};

/// Pixels of a cell of each grid.
const STRIDES: [usize; 6] = [16, 32, 64, 128, 256, 512];
/// Sizes of anchors of the first and the last grid, in parts of the picture.
const SCALES: (f64, f64) = (0.2, 0.95);
const ASPECTS: [f64; 5] = [1.0, 2.0, 0.5, 3.0, 0.3333];
/// Sizes and proportions of the anchors of the first grid.
const OF_FIRST: [(f64, f64); 3] = [(0.1, 1.0), (0.2, 2.0), (0.2, 0.5)];
/// What the model's numbers are divided by: centres, and logarithms of sizes.
const DIVISORS: (f64, f64) = (10.0, 5.0);
const IOU_THRESHOLD: f32 = 0.5;

/// A box in parts of the picture.
struct Anchor {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

struct Anchored {
    anchors: Vec<Anchor>,
    boxes: usize,
    scores: usize,
    classes: usize,
    iou_threshold: f32,
}

fn fits(model: &Model<'_>) -> Option<Box<dyn Decoder>> {
    let [_, _] = model.outputs else { return None };
    let boxes = model.one(|output| matches!(output.shape[..], [1, _, 4]))?;
    let scores = 1 - boxes;
    let (&[1, n, _], &[1, also_n, classes]) =
        (&model.outputs[boxes].shape[..], &model.outputs[scores].shape[..])
    else {
        return None;
    };
    if n != also_n || classes < 2 || n != n_anchors(model.input) {
        return None;
    }
    let iou_threshold = model.hints.iou_threshold.unwrap_or(IOU_THRESHOLD);
    Some(Box::new(Anchored { anchors: anchors(model.input), boxes, scores, classes, iou_threshold }))
}

fn n_anchors(input: Size) -> usize {
    let cells = |stride: &usize| input.width.div_ceil(*stride).saturating_mul(input.height.div_ceil(*stride));
    let of_first = OF_FIRST.len().saturating_mul(cells(&STRIDES[0]));
    STRIDES[1..]
        .iter()
        .map(cells)
        .fold(of_first, |n, cells| n.saturating_add(cells.saturating_mul(ASPECTS.len() + 1)))
}

/// By grid, row, column, and within a cell in the order of `ASPECTS`, then the square between two
/// scales.
fn anchors(input: Size) -> Vec<Anchor> {
    let last = STRIDES.len() - 1;
    let scale = |grid: usize| {
        if grid > last { 1.0 } else { SCALES.0 + (SCALES.1 - SCALES.0) * grid as f64 / last as f64 }
    };
    let mut anchors = Vec::with_capacity(n_anchors(input));
    for (grid, stride) in STRIDES.into_iter().enumerate() {
        let shapes: Vec<(f64, f64)> = if grid == 0 {
            OF_FIRST.to_vec()
        } else {
            let between = (scale(grid) * scale(grid + 1)).sqrt();
            ASPECTS.into_iter().map(|aspect| (scale(grid), aspect)).chain([(between, 1.0)]).collect()
        };
        let (columns, rows) = (input.width.div_ceil(stride), input.height.div_ceil(stride));
        for cell in 0..columns * rows {
            for (scale, aspect) in &shapes {
                anchors.push(Anchor {
                    x: ((cell % columns) as f64 + 0.5) / columns as f64,
                    y: ((cell / columns) as f64 + 0.5) / rows as f64,
                    width: scale * aspect.sqrt(),
                    height: scale / aspect.sqrt(),
                });
            }
        }
    }
    anchors
}

impl Decoder for Anchored {
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>) {
        let threshold = logit(threshold);
        let boxes = tensors[self.boxes].as_chunks::<4>().0;
        let scores = tensors[self.scores].chunks_exact(self.classes);
        for ((anchor, numbers), scores) in self.anchors.iter().zip(boxes).zip(scores) {
            let scores = &scores[1..];
            // Most reach nothing. All are compared, so that compilers use vectors.
            if !scores.iter().fold(false, |reached, score| reached | (*score >= threshold)) {
                continue;
            }
            let Some((class, score)) = best(scores).filter(|(_, score)| *score >= threshold) else {
                continue;
            };
            let [y, x, height, width] = numbers.map(f64::from);
            let bounds = Corners::around(
                x / DIVISORS.0 * anchor.width + anchor.x,
                y / DIVISORS.0 * anchor.height + anchor.y,
                (width / DIVISORS.1).exp() * anchor.width,
                (height / DIVISORS.1).exp() * anchor.height,
            );
            found.push(Detection { bounds, class: class + 1, score: sigmoid(score), points: Vec::new() });
        }
        suppress(found, self.iou_threshold, Among::Class);
    }

    fn classes(&self) -> Option<usize> {
        Some(self.classes)
    }
}
