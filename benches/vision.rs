//! What `lp`'s own part of an inference costs: `scripts/bench vision`.
//!
//! Frames into tensors as detectors take them, and the outputs of a detector of 80 classes with 20
//! objects in 8400 places, and of one that sees something everywhere. Decoding by OpenVINO is not in it.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::Instant;

use lp::vision::decode::{Detector, Hints};
use lp::vision::nms::{Among, suppress};
use lp::vision::picture::{Matrix, Picture, PixelFormat, Plane};
use lp::vision::prepare::{Colour, Layout, Plan, Preparation, Scale};
use lp::vision::{Corners, Detection, Output, Size};

const RUNS: usize = 7;
/// How often a thing is done for one time.
const TIMES: u32 = 200;

fn main() {
    let (small, hd) = (Size { width: 640, height: 360 }, Size { width: 1920, height: 1080 });
    let square = |side| Size { width: side, height: side };
    for size in [small, hd] {
        for tensor in [square(192), square(300), square(640)] {
            fill(size, PixelFormat::I420, tensor, Layout::Nhwc);
            fill(size, PixelFormat::I420, tensor, Layout::Nchw);
        }
        fill(size, PixelFormat::Nv12, square(300), Layout::Nhwc);
        fill(size, PixelFormat::Bgr, square(300), Layout::Nhwc);
    }
    decode();
    nms();
}

/// From 0 to 255 to from -1 to 1, as the models of MediaPipe take it.
fn fill(size: Size, format: PixelFormat, tensor: Size, layout: Layout) {
    let bytes: Vec<u8> = (0..size.width * size.height * 3).map(|n| (n * 7 % 251) as u8).collect();
    let planes = match format {
        PixelFormat::I420 => {
            [size.width, size.width / 2, size.width / 2].map(|stride| Plane { data: &bytes, stride }).to_vec()
        }
        PixelFormat::Nv12 => vec![Plane { data: &bytes, stride: size.width }; 2],
        _ => vec![Plane { data: &bytes, stride: size.width * 3 }],
    };
    let picture = Picture::new(size, format, Matrix::Bt601, &planes).expect("it has all its rows");
    let scale = Some(Scale { mean: [127.5; 3], divisor: [127.5; 3] });
    let preparation = Preparation { scale, colour: Colour::Rgb, ..Preparation::default() };
    let mut plan = Plan::new(size, None, tensor, &preparation).expect("it has pixels");
    let mut values = vec![0.0; tensor.width * tensor.height * 3];
    measure(&format!("{size} {format:?} -> {tensor} {layout:?}"), TIMES, || {
        plan.fill(black_box(&picture), layout, &mut values).expect("the sizes are right");
        black_box(&values);
    });
}

fn decode() {
    const N: usize = 8400;
    let outputs = [Output { names: Vec::new(), shape: vec![1, 84, N] }];
    let input = Size { width: 640, height: 640 };
    let detector = Detector::choose(&outputs, input, &Hints::default()).expect("there is a decoder");
    let mut tensor: Vec<f32> = (0..84 * N).map(|n| (n * 31 % 997) as f32 / 3000.0).collect();
    for row in tensor[..4 * N].chunks_mut(N) {
        row.iter_mut().enumerate().for_each(|(n, value)| *value = (n * 13 % 640) as f32);
    }
    for object in 0..20 {
        tensor[(4 + object * 3) * N + object * 400] = 0.9;
        for (row, value) in
            [(0, (object % 5) as f32 * 120.0), (1, (object / 5) as f32 * 120.0), (2, 100.0), (3, 100.0)]
        {
            tensor[row * N + object * 400] = value;
        }
    }
    assert_eq!(detector.decode(&[&tensor], 0.5).expect("the size is right").len(), 20);
    measure("8400x84 of YOLO, 20 objects", TIMES, || {
        black_box(detector.decode(&[black_box(&tensor)], 0.5).expect("the size is right"));
    });
}

fn nms() {
    let all: Vec<Detection> = (0..300)
        .map(|n: u32| Detection {
            bounds: Corners::around(f64::from(n % 20) / 20.0, f64::from(n / 20) / 15.0, 0.1, 0.1),
            class: n % 3,
            score: (n * 7 % 300) as f32 / 300.0,
            points: Vec::new(),
        })
        .collect();
    measure("NMS of 300 boxes, and a copy of them", TIMES, || {
        let mut found = all.clone();
        suppress(&mut found, 0.4, Among::All);
        black_box(found);
    });
}

/// Prints what one time costs: the median with its range.
fn measure(what: &str, times: u32, mut work: impl FnMut()) {
    let mut costs = Vec::new();
    // The first is a warm-up.
    for run in 0..=RUNS {
        let begin = Instant::now();
        for _ in 0..times {
            work();
        }
        costs.extend((run > 0).then(|| begin.elapsed().as_secs_f64() / f64::from(times)));
    }
    costs.sort_by(f64::total_cmp);
    let [first, median, last] = [0, costs.len() / 2, costs.len() - 1].map(|at| costs[at] * 1e3);
    println!("{what:<54} {median:8.3} ms   {first:.3} .. {last:.3}, {} runs", costs.len());
}
