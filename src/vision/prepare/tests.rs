//! Tensors against NumPy, and coordinates there and back.
//!
//! The figures of `check` are those of a program of its own with NumPy, in double precision,
//! rounded to whole levels.

use super::*;
use crate::vision::picture::{Matrix, Picture, PixelFormat, Plane};
use crate::vision::random::Random;
use crate::vision::{Corners, Detection, Size};

/// The value of a channel of a pixel, of red, green and blue.
fn level(x: usize, y: usize, channel: usize) -> u8 {
    ((x * 37 + y * 91 + channel * 53 + x * y * 7) % 256) as u8
}

/// The memory of a packed picture of these levels, with `more` bytes after each row but the last.
fn packed(size: Size, format: PixelFormat, more: usize) -> (Vec<u8>, usize) {
    let order: &[usize] = match format {
        PixelFormat::Rgb => &[0, 1, 2],
        PixelFormat::Bgr => &[2, 1, 0],
        PixelFormat::Rgbx => &[0, 1, 2, 9],
        _ => &[2, 1, 0, 9],
    };
    let mut bytes = Vec::new();
    for y in 0..size.height {
        for x in 0..size.width {
            bytes.extend(order.iter().map(|channel| level(x, y, *channel)));
        }
        if y + 1 < size.height {
            bytes.extend(vec![200; more]);
        }
    }
    (bytes, size.width * order.len() + more)
}

fn filled(
    size: Size,
    format: PixelFormat,
    region: Option<Region>,
    tensor: Size,
    preparation: &Preparation,
    layout: Layout,
) -> Vec<f32> {
    let (data, stride) = packed(size, format, 5);
    let picture = Picture::new(size, format, Matrix::Bt601, &[Plane { data: &data, stride }]).unwrap();
    let mut values = vec![0.0; tensor.width * tensor.height * 3];
    let mut plan = Plan::new(size, region, tensor, preparation).unwrap();
    // Twice: the second begins with the memory of the first.
    for _ in 0..2 {
        plan.fill(&picture, layout, &mut values).unwrap();
    }
    values
}

/// How many levels a linear value may be off.
const EXACT: f32 = 0.02;

const NINE: Size = Size { width: 9, height: 6 };
const PLAIN: Preparation =
    Preparation { resize: Resize::Stretch, colour: Colour::Rgb, padding: 0, scale: None };

#[track_caller]
fn check(size: Size, region: Option<Region>, tensor: (usize, usize), resize: Resize, expected: &[u8]) {
    let tensor = Size { width: tensor.0, height: tensor.1 };
    let preparation = Preparation { resize, padding: 114, ..PLAIN };
    for format in [PixelFormat::Rgb, PixelFormat::Bgr, PixelFormat::Rgbx, PixelFormat::Bgrx] {
        let found = filled(size, format, region, tensor, &preparation, Layout::Nhwc);
        let is_near = |(found, expected): (&f32, &u8)| (found - f32::from(*expected)).abs() < 0.5 + EXACT;
        let are_near = found.iter().zip(expected).all(is_near);
        assert!(found.len() == expected.len() && are_near, "{format:?}\n{found:?}\n{expected:?}");
    }
}

#[test]
fn linear_pictures_are_those_of_numpy() {
    check(
        NINE,
        None,
        (4, 3),
        Resize::Stretch,
        &[
            71, 124, 177, 162, 103, 140, 125, 162, 103, 88, 141, 146, 134, 107, 112, 128, 181, 122, 123, 160,
            101, 117, 122, 95, 116, 169, 94, 110, 147, 88, 121, 158, 99, 99, 152, 125,
        ],
    );
    check(
        NINE,
        Some(Region { x: 2, y: 1, width: 3, height: 2 }),
        (5, 3),
        Resize::Stretch,
        &[
            179, 232, 29, 197, 147, 47, 223, 20, 73, 96, 46, 99, 11, 64, 117, 104, 156, 82, 122, 124, 100,
            151, 76, 129, 103, 104, 158, 70, 124, 176, 28, 81, 134, 48, 101, 154, 79, 132, 185, 110, 163,
            216, 130, 183, 236,
        ],
    );
    // 1.125 times what fits: 1.6 columns and 4.5 rows, cut to whole pixels.
    let tall = [
        [114, 114, 114, 127, 116, 105, 114, 114, 114, 114, 114, 114],
        [114, 114, 114, 113, 166, 91, 114, 114, 114, 114, 114, 114],
        [114, 114, 114, 163, 88, 141, 114, 114, 114, 114, 114, 114],
        [114, 114, 114, 85, 138, 127, 114, 114, 114, 114, 114, 114],
    ];
    check(Size { width: 6, height: 16 }, None, (4, 4), Resize::Crop(Part::Central), tall.as_flattened());
}

#[test]
fn letterboxes_lie_in_the_middle_and_fits_in_the_corner() {
    let inner = [
        32, 85, 138, 91, 144, 149, 133, 138, 191, 143, 196, 105, 153, 62, 115, 67, 120, 125, 172, 177, 86,
        101, 106, 111, 111, 116, 169, 137, 190, 99, 163, 72, 125, 93, 146, 151, 55, 108, 145, 144, 149, 186,
        170, 175, 84, 116, 121, 126, 141, 146, 151, 183, 92, 97, 146, 199, 92, 107, 112, 149, 149, 154, 63,
        110, 115, 120, 151, 156, 161, 65, 118, 123,
    ];
    let padding = [114; 18];
    check(NINE, None, (6, 6), Resize::Letterbox, &[&padding[..], &inner, &padding].concat());
    check(NINE, None, (6, 6), Resize::FitTopLeft, &[&inner[..], &padding, &padding].concat());
}

/// The bilinear picture in double precision.
fn bilinear(size: Size, region: Region, tensor: Size, to: (usize, usize), channel: usize) -> f64 {
    let axis = |to: usize, at: usize, length: usize, n: usize| {
        let position = (to as f64 + 0.5) * length as f64 / n as f64 - 0.5;
        let position = position.clamp(0.0, length as f64 - 1.0);
        let first = position.floor();
        (at + first as usize, at + (first as usize + 1).min(length - 1), position - first)
    };
    let (x0, x1, fx) = axis(to.0, region.x, region.width, tensor.width);
    let (y0, y1, fy) = axis(to.1, region.y, region.height, tensor.height);
    let at = |x: usize, y: usize| f64::from(level(x, y, channel));
    assert!(x1 < size.width && y1 < size.height);
    (at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx) * (1.0 - fy)
        + (at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx) * fy
}

#[test]
fn pictures_of_any_size_are_right_within_a_fiftieth_of_a_level() {
    let mut random = Random::new(3);
    for _ in 0..60 {
        let size = Size { width: 1 + random.below(40), height: 1 + random.below(40) };
        let tensor = Size { width: 1 + random.below(40), height: 1 + random.below(40) };
        let (x, y) = (random.below(size.width), random.below(size.height));
        let (width, height) = (1 + random.below(size.width - x), 1 + random.below(size.height - y));
        let region = Region { x, y, width, height };
        let format = [PixelFormat::Rgb, PixelFormat::Bgrx][random.below(2)];
        let found = filled(size, format, Some(region), tensor, &PLAIN, Layout::Nchw);
        for (n, value) in found.iter().enumerate() {
            let (channel, at) = (n / (tensor.width * tensor.height), n % (tensor.width * tensor.height));
            let exact = bilinear(size, region, tensor, (at % tensor.width, at / tensor.width), channel);
            let off = (f64::from(*value) - exact).abs();
            assert!(off < f64::from(EXACT), "{size} {region:?} {tensor}: {value} instead of {exact}");
        }
    }
}

#[test]
fn colours_layouts_and_scales_are_those_of_the_tensor() {
    let [nhwc, nchw] = [Layout::Nhwc, Layout::Nchw].map(|layout| {
        filled(NINE, PixelFormat::Bgr, None, NINE, &Preparation { colour: Colour::Bgr, ..PLAIN }, layout)
    });
    let are = |found: &[f32], of: &[(usize, usize)]| {
        let is = |(found, (x, channel)): (&f32, &(usize, usize))| {
            (found - f32::from(level(*x, 0, *channel))).abs() < EXACT
        };
        assert!(found.iter().zip(of).all(is), "{found:?}");
    };
    are(&nhwc[..6], &[(0, 2), (0, 1), (0, 0), (1, 2), (1, 1), (1, 0)]);
    are(&nchw[54..57], &[(0, 1), (1, 1), (2, 1)]);
    let scale = Scale { mean: [127.5, 0.0, 10.0], divisor: [127.5, 1.0, 0.5] };
    let preparation = Preparation { scale: Some(scale), padding: 255, resize: Resize::FitTopLeft, ..PLAIN };
    let tensor = Size { width: 10, height: 6 };
    let found = filled(NINE, PixelFormat::Rgb, None, tensor, &preparation, Layout::Nhwc);
    let value = |x, channel| f32::from(level(x, 0, channel));
    let expected = [(value(1, 0) - 127.5) / 127.5, value(1, 1), (value(1, 2) - 10.0) / 0.5];
    assert!(found[3..6].iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.03), "{:?}", &found[3..6]);
    // Padding is scaled too.
    assert_eq!(found[27..30], [1.0, 255.0, 490.0]);
}

#[test]
fn yuv_becomes_the_colours_of_its_matrix() {
    // From the matrices of BT.601 and BT.709 in floating point.
    let colours = [
        ([16, 128, 128], [0, 0, 0], [0, 0, 0]),
        ([235, 128, 128], [255, 255, 255], [255, 255, 255]),
        ([81, 90, 240], [254, 0, 0], [255, 24, 0]),
        ([145, 54, 34], [0, 255, 1], [0, 216, 0]),
        ([41, 240, 110], [0, 0, 255], [0, 15, 255]),
        ([120, 100, 150], [156, 114, 65], [161, 115, 62]),
    ];
    let size = Size { width: 5, height: 3 };
    for ([y, u, v], bt601, bt709) in colours {
        for (matrix, expected) in [(Matrix::Bt601, bt601), (Matrix::Bt709, bt709)] {
            let (luma, us, vs) = ([y; 15], [u; 6], [v; 6]);
            let both: Vec<u8> = [u, v].into_iter().cycle().take(12).collect();
            let i420 = [(&luma[..], 5), (&us[..], 3), (&vs[..], 3)];
            let nv12 = [(&luma[..], 5), (&both[..], 6)];
            for (format, planes) in [(PixelFormat::I420, &i420[..]), (PixelFormat::Nv12, &nv12[..])] {
                let planes: Vec<Plane<'_>> =
                    planes.iter().map(|(data, stride)| Plane { data, stride: *stride }).collect();
                let picture = Picture::new(size, format, matrix, &planes).unwrap();
                let mut plan = Plan::new(size, None, Size { width: 4, height: 4 }, &PLAIN).unwrap();
                let mut tensor = [0.0; 48];
                plan.fill(&picture, Layout::Nhwc, &mut tensor).unwrap();
                let is_close = |(found, expected): (&f32, &u8)| (found - f32::from(*expected)).abs() < 0.51;
                assert!(
                    tensor.as_chunks::<3>().0.iter().all(|rgb| rgb.iter().zip(&expected).all(is_close)),
                    "{format:?} {matrix:?} {:?} instead of {expected:?}",
                    &tensor[..3]
                );
            }
        }
    }
}

#[test]
fn planes_of_colour_are_read_at_half_the_place() {
    // Luma is even, and colour differs from left to right and from above to below.
    let size = Size { width: 8, height: 6 };
    let luma = [128; 48];
    let u: Vec<u8> = (0..12).map(|n| (64 + n % 4 * 32) as u8).collect();
    let v: Vec<u8> = (0..12).map(|n| (64 + n / 4 * 40) as u8).collect();
    let planes = [(&luma[..], 8), (&u[..], 4), (&v[..], 4)].map(|(data, stride)| Plane { data, stride });
    let picture = Picture::new(size, PixelFormat::I420, Matrix::Bt601, &planes).unwrap();
    let tensor = Size { width: 8, height: 6 };
    let mut plan = Plan::new(size, None, tensor, &PLAIN).unwrap();
    let mut found = vec![0.0; 8 * 6 * 3];
    plan.fill(&picture, Layout::Nhwc, &mut found).unwrap();
    let blue = |x: usize, y: usize| f64::from(found[(y * 8 + x) * 3 + 2]);
    let red = |x: usize, y: usize| f64::from(found[(y * 8 + x) * 3]);
    // At column x the plane of U is at (x + 0.5) / 2 - 0.5, and U moves blue by 2.017 levels a
    // level.
    let of_u = |x: f64| {
        (128.0 - 16.0) * 255.0 / 219.0
            + 1.772 * 255.0 / 224.0 * (64.0 + ((x + 0.5) / 2.0 - 0.5).clamp(0.0, 3.0) * 32.0 - 128.0)
    };
    let of_v = |y: f64| {
        (128.0 - 16.0) * 255.0 / 219.0
            + 1.402 * 255.0 / 224.0 * (64.0 + ((y + 0.5) / 2.0 - 0.5).clamp(0.0, 2.0) * 40.0 - 128.0)
    };
    for x in 0..8 {
        for y in 0..6 {
            assert!((blue(x, y) - of_u(x as f64).clamp(0.0, 255.0)).abs() < 0.2, "{x} {y}: {}", blue(x, y));
            assert!((red(x, y) - of_v(y as f64).clamp(0.0, 255.0)).abs() < 0.2, "{x} {y}: {}", red(x, y));
        }
    }
}

/// The box of the white pixels of a tensor, in parts of it.
fn white(tensor: &[f32], size: Size) -> Corners {
    let mut corners = Corners { x_min: 1.0, y_min: 1.0, x_max: 0.0, y_max: 0.0 };
    for (n, _) in tensor.as_chunks::<3>().0.iter().enumerate().filter(|(_, rgb)| rgb[0] > 127.0) {
        let (x, y) = ((n % size.width) as f64, (n / size.width) as f64);
        corners.x_min = corners.x_min.min(x / size.width as f64);
        corners.y_min = corners.y_min.min(y / size.height as f64);
        corners.x_max = corners.x_max.max((x + 1.0) / size.width as f64);
        corners.y_max = corners.y_max.max((y + 1.0) / size.height as f64);
    }
    corners
}

#[test]
fn what_is_seen_in_the_tensor_is_found_where_it_is_in_the_frame() {
    let frame = Size { width: 160, height: 90 };
    let object = Pixels { x: 70, y: 35, width: 20, height: 20 };
    let mut data = vec![0_u8; frame.width * frame.height * 3];
    for y in 35..55 {
        data[(y * frame.width + 70) * 3..][..60].fill(255);
    }
    let picture = Picture::new(
        frame,
        PixelFormat::Rgb,
        Matrix::Bt601,
        &[Plane { data: &data, stride: frame.width * 3 }],
    )
    .unwrap();
    let shapes = [
        Resize::Stretch,
        Resize::Letterbox,
        Resize::FitTopLeft,
        Resize::CentralSquare,
        Resize::Crop(Part::Central),
        Resize::Crop(Part::TopLeft),
        Resize::Crop(Part::BottomRight),
    ];
    for resize in shapes {
        for region in [None, Some(Region { x: 50, y: 21, width: 61, height: 47 })] {
            for tensor in [Size { width: 320, height: 320 }, Size { width: 400, height: 208 }] {
                let mut plan = Plan::new(frame, region, tensor, &Preparation { resize, ..PLAIN }).unwrap();
                let mut values = vec![0.0; tensor.width * tensor.height * 3];
                plan.fill(&picture, Layout::Nhwc, &mut values).unwrap();
                let detection = Detection {
                    bounds: white(&values, tensor),
                    class: 3,
                    score: 0.5,
                    points: vec![[0.5, 0.5]],
                };
                let found = plan.placement().find(&detection).unwrap();
                let off = |a: u32, b: u32| a.abs_diff(b) <= 1;
                let Pixels { x, y, width, height } = found.pixels;
                assert!(
                    off(x, object.x)
                        && off(y, object.y)
                        && off(width, object.width)
                        && off(height, object.height),
                    "{resize:?} {region:?} {tensor}: {:?}",
                    found.pixels
                );
                assert_eq!((found.class, found.points.len()), (3, 1));
            }
        }
    }
}

#[track_caller]
fn check_box(corners: [f64; 4], expected: Option<[u32; 4]>) {
    let frame = Size { width: 640, height: 360 };
    let plan = Plan::new(frame, None, Size { width: 300, height: 300 }, &PLAIN).unwrap();
    let [x_min, y_min, x_max, y_max] = corners;
    let bounds = Corners { x_min, y_min, x_max, y_max };
    let found = plan.placement().find(&Detection { bounds, class: 0, score: 1.0, points: Vec::new() });
    assert_eq!(
        found.map(|found| [found.pixels.x, found.pixels.y, found.pixels.width, found.pixels.height]),
        expected
    );
}

#[test]
fn boxes_are_cut_off_at_the_frame_and_rounded() {
    check_box([0.25, 0.25, 0.75, 0.75], Some([160, 90, 320, 180]));
    // 64.48 and 64.5 pixels.
    check_box([0.10075, 0.0, 0.20153125, 1.0], Some([64, 0, 65, 360]));
    check_box([-0.5, -0.1, 0.5, 1.7], Some([0, 0, 320, 360]));
    check_box([0.5, 0.5, 0.5 + 0.4 / 640.0, 0.6], None);
    check_box([1.1, 0.0, 1.2, 1.0], None);
    check_box([f64::NAN, 0.0, 1.0, 1.0], None);
    check_box([0.7, 0.0, 0.3, 1.0], None);
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let tensor = Size { width: 4, height: 4 };
    let region = |x, width| Region { x, y: 0, width, height: 6 };
    let error = |region, tensor| Plan::new(NINE, region, tensor, &PLAIN).unwrap_err().to_string();
    assert_eq!(error(None, Size { width: 0, height: 4 }), "a tensor for pictures of 0x4 has no pixels");
    for region in [region(9, 1), region(2, 0), region(usize::MAX, usize::MAX)] {
        assert!(error(Some(region), tensor).ends_with("has no pixel of a frame of 9x6"));
    }
    let cut = Plan::new(NINE, Some(region(7, usize::MAX)), tensor, &PLAIN).unwrap();
    assert_eq!(cut.placement().to_frame([0.0, 0.0]), [7.0 / 9.0, 0.0]);
    assert_eq!(cut.placement().to_frame([1.0, 1.0]), [1.0, 1.0]);

    let (data, stride) = packed(NINE, PixelFormat::Rgb, 0);
    let picture =
        Picture::new(NINE, PixelFormat::Rgb, Matrix::Bt601, &[Plane { data: &data, stride }]).unwrap();
    let mut plan = Plan::new(NINE, None, tensor, &PLAIN).unwrap();
    let error = plan.fill(&picture, Layout::Nchw, &mut [0.0; 47]).unwrap_err();
    assert_eq!(error.to_string(), "a tensor has 47 values, but a picture of 4x4 has 48");
    let mut plan = Plan::new(Size { width: 9, height: 5 }, None, tensor, &PLAIN).unwrap();
    let error = plan.fill(&picture, Layout::Nchw, &mut [0.0; 48]).unwrap_err();
    assert_eq!(error.to_string(), "a picture of 9x6 came where pictures are 9x5");
}
