//! Every decoder against rows computed by hand, and against NumPy on noise.
//!
//! The figures of `check_noise` are those of a program of its own in Python, on the same noise:
//! boxes by its own loops in double precision, the first three and their number.

use super::*;
use crate::vision::Corners;
use crate::vision::random::Random;

fn output(name: &str, shape: &[usize]) -> Output {
    Output { names: vec![name.to_owned()], shape: shape.to_vec() }
}

fn outputs(shapes: &[&[usize]]) -> Vec<Output> {
    shapes.iter().enumerate().map(|(n, shape)| output(&format!("out{n}"), shape)).collect()
}

fn choose(shapes: &[&[usize]], input: (usize, usize)) -> Detector {
    let input = Size { width: input.0, height: input.1 };
    Detector::choose(&outputs(shapes), input, &Hints::default()).unwrap()
}

/// "class score [x_min y_min x_max y_max]", with points if there are some.
fn shown(found: &[Detection]) -> Vec<String> {
    let one = |found: &Detection| {
        let Corners { x_min, y_min, x_max, y_max } = found.bounds;
        let points: Vec<String> = found.points.iter().map(|[x, y]| format!(" ({x:.4} {y:.4})")).collect();
        let (class, score) = (found.class, found.score);
        format!("{class} {score:.4} [{x_min:.4} {y_min:.4} {x_max:.4} {y_max:.4}]{}", points.join(""))
    };
    found.iter().map(one).collect()
}

#[track_caller]
fn check(shapes: &[&[usize]], input: (usize, usize), tensors: &[&[f32]], threshold: f32, expected: &[&str]) {
    let found = choose(shapes, input).decode(tensors, threshold).unwrap();
    assert_eq!(shown(&found), expected);
}

#[test]
fn rows_of_detection_output_end_at_the_first_image_below_0() {
    let rows = [
        [0.0, 1.0, 0.5, 0.1, 0.2, 0.3, 0.4],
        [0.0, 2.0, 0.4999, 0.1, 0.2, 0.3, 0.4],
        [0.0, 2.0, f32::NAN, 0.1, 0.2, 0.3, 0.4],
        [0.0, 2.0, 0.9, f32::NAN, 0.2, 0.3, 0.4],
        [0.0, 2.0, 0.9, 0.3, 0.2, 0.1, 0.4],
        [0.0, 5.0, 0.75, -0.5, 0.0, 1.5, 1.0],
        [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 3.0, 0.9, 0.1, 0.2, 0.3, 0.4],
    ];
    let expected = ["1 0.5000 [0.1000 0.2000 0.3000 0.4000]", "5 0.7500 [-0.5000 0.0000 1.5000 1.0000]"];
    check(&[&[1, 1, 8, 7]], (300, 300), &[rows.as_flattened()], 0.5, &expected);
}

#[test]
fn end_to_end_rows_are_pixels_of_the_input() {
    let rows = [[64.0, 32.0, 320.0, 160.0, 0.8, 7.0], [1.0, 1.0, 2.0, 2.0, 0.5, 7.0], [0.0; 6]];
    let expected = ["7 0.8000 [0.1000 0.1000 0.5000 0.5000]"];
    check(&[&[1, 3, 6]], (640, 320), &[rows.as_flattened()], 0.5, &expected);
    // Rows of zeros are none, whatever the threshold.
    check(&[&[1, 1, 6]], (640, 320), &[&[0.0; 6]], 0.0, &[]);
}

#[test]
fn boxes_have_their_classes_in_another_output() {
    let boxes = [[41.6, 20.8, 83.2, 41.6, 0.9], [0.0, 0.0, 1.0, 1.0, 0.2]];
    let expected = ["3 0.9000 [0.1000 0.1000 0.2000 0.2000]"];
    check(&[&[2, 5], &[2]], (416, 208), &[boxes.as_flattened(), &[3.0, 1.0]], 0.5, &expected);
    // The outputs may come in any order.
    check(&[&[1, 2], &[1, 2, 5]], (416, 208), &[&[3.0, 1.0], boxes.as_flattened()], 0.5, &expected);
}

#[test]
fn columns_of_raw_yolo_are_boxes_with_a_score_for_each_class() {
    // Two classes and eight columns: two of one object, one of another class, one no number, others
    // low.
    let tensor = [
        [100.0, 104.0, 300.0, 50.0, 0.0, 0.0, 0.0, 0.0],
        [100.0, 100.0, 100.0, 50.0, 0.0, 0.0, 0.0, 0.0],
        [40.0, 40.0, 20.0, 10.0, 0.0, 0.0, 0.0, 0.0],
        [80.0, 80.0, 20.0, 10.0, 0.0, 0.0, 0.0, 0.0],
        [0.6, 0.7, 0.1, f32::NAN, 0.5, 0.0, f32::NAN, 0.0],
        [0.2, 0.1, 0.9, f32::NAN, 0.5, 0.0, 0.9, f32::INFINITY],
    ];
    let expected = [
        "1 0.9000 [0.7250 0.2250 0.7750 0.2750]",
        "1 0.9000 [0.0000 0.0000 0.0000 0.0000]",
        "0 0.7000 [0.2100 0.1500 0.3100 0.3500]",
    ];
    check(&[&[1, 6, 8]], (400, 400), &[tensor.as_flattened()], 0.5, &expected);
    // The rows of masks are not scores.
    let tensor = [tensor.as_flattened(), &[9.0; 16]].concat();
    let detector = choose(&[&[1, 2, 2, 2], &[1, 8, 8 + 1]], (400, 400));
    assert_eq!((detector.name(), detector.classes()), ("yolo_v8", Some(2)));
    let wider: Vec<f32> = tensor.chunks(8).flat_map(|row| row.iter().copied().chain([0.0])).collect();
    assert_eq!(shown(&detector.decode(&[&[0.0; 8], &wider], 0.5).unwrap()), expected);
}

#[test]
fn the_last_rows_of_poses_are_points() {
    let mut tensor = vec![0.0; 11 * 12];
    for (row, value) in
        [100.0, 50.0, 20.0, 10.0, 0.8, 90.0, 45.0, 1.0, 110.0, 55.0, 0.0].into_iter().enumerate()
    {
        tensor[row * 12 + 5] = value;
    }
    let hints = Hints { pose_classes: Some(1), ..Hints::default() };
    let pose =
        |hints: &Hints| Detector::choose(&outputs(&[&[1, 11, 12]]), Size { width: 200, height: 100 }, hints);
    let detector = pose(&hints).unwrap();
    let found = detector.decode(&[&tensor], 0.5).unwrap();
    assert_eq!(shown(&found), ["0 0.8000 [0.4500 0.4500 0.5500 0.5500] (0.4500 0.4500) (0.5500 0.5500)"]);
    assert_eq!(detector.classes(), Some(1));
    // Five rows are no points of three.
    assert!(pose(&Hints { pose_classes: Some(2), ..hints }).is_err());
}

/// `n` numbers from `shift` to `shift + scale`.
fn noise(seed: u64, n: usize, scale: f32, shift: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..n).map(|_| random.fraction() as f32 * scale + shift).collect()
}

#[track_caller]
fn check_noise(
    name: &str,
    shapes: &[&[usize]],
    input: (usize, usize),
    tensors: &[Vec<f32>],
    threshold: f32,
    n: usize,
    expected: [&str; 3],
) {
    let detector = choose(shapes, input);
    assert_eq!(detector.name(), name);
    let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
    let mut found = detector.decode(&tensors, threshold).unwrap();
    assert_eq!(found.len(), n);
    for one in &mut found {
        let ends = [one.points.first().copied(), one.points.last().copied()];
        one.points = ends.into_iter().flatten().collect();
    }
    assert_eq!(shown(&found[..3]), expected);
}

#[test]
fn ssd_of_mediapipe_gives_what_numpy_gives() {
    check_noise(
        "mediapipe_ssd",
        &[&[1, 1917, 4], &[1, 1917, 24]],
        (300, 300),
        &[noise(1, 1917 * 4, 4.0, -2.0), noise(2, 1917 * 24, 8.0, -7.5)],
        0.6,
        460,
        [
            "7 0.6225 [-0.0364 0.6094 0.1013 0.7266]",
            "10 0.6224 [0.0633 0.6406 0.1715 0.8722]",
            "13 0.6223 [0.9009 0.4294 1.1013 0.6757]",
        ],
    );
}

#[test]
fn faces_of_mediapipe_give_what_numpy_gives() {
    check_noise(
        "mediapipe_face",
        &[&[1, 896, 16], &[1, 896, 1]],
        (128, 128),
        &[noise(3, 896 * 16, 40.0, -10.0), noise(4, 896, 9.0, -7.0)],
        0.5,
        92,
        [
            "0 0.8788 [0.7887 0.8992 0.8586 0.9191] (0.8229 0.7359) (0.8262 0.7478)",
            "0 0.8769 [0.9983 0.0548 1.1166 0.2359] (0.9653 0.1671) (0.9508 0.2061)",
            "0 0.8757 [0.4701 0.7988 0.5224 1.0328] (0.5575 1.0084) (0.7441 1.1888)",
        ],
    );
    let far = choose(&[&[1, 2304, 1], &[1, 2304, 16]], (192, 192));
    let mut scores = vec![-9.0; 2304];
    // Row 2, column 4, so around (4.5/48, 2.5/48).
    scores[2 * 48 + 4] = 2.0;
    let mut boxes = vec![0.0; 2304 * 16];
    boxes[(2 * 48 + 4) * 16 + 2..][..2].copy_from_slice(&[19.2, 9.6]);
    let found = far.decode(&[&scores, &boxes], 0.5).unwrap();
    assert_eq!(found.len(), 1);
    assert!(shown(&found)[0].starts_with("0 0.8808 [0.0437 0.0271 0.1438 0.0771]"), "{:?}", shown(&found));
}

#[test]
fn retina_face_gives_what_numpy_gives() {
    check_noise(
        "retina_face",
        &[&[1, 168, 4], &[1, 168, 2], &[1, 168, 10]],
        (64, 64),
        &[noise(5, 168 * 4, 4.0, -2.0), noise(6, 168 * 2, 1.0, 0.0), noise(7, 168 * 10, 4.0, -2.0)],
        0.7,
        33,
        [
            "0 0.9983 [-0.0652 0.4711 0.1196 0.6474] (0.0645 0.5311) (0.0963 0.5529)",
            "0 0.9727 [0.4880 0.1542 1.2087 0.6919] (0.8629 0.3510) (0.7677 0.4666)",
            "0 0.9673 [-0.0081 0.0871 0.1932 0.2946] (0.0200 0.1678) (0.0502 0.1627)",
        ],
    );
}

fn named(outputs: &[(&str, &[usize])]) -> Result<Detector, UnknownLayout> {
    let outputs: Vec<Output> = outputs.iter().map(|(name, shape)| output(name, shape)).collect();
    Detector::choose(&outputs, Size { width: 16, height: 8 }, &Hints::default())
}

#[test]
fn a_cell_that_no_neighbour_exceeds_is_a_centre() {
    // Grids of 2 rows and 4 columns, for two classes.
    let heat = [
        [2.0, 1.0, -9.0, f32::NAN, -9.0, -9.0, -9.0, 0.0],
        [-9.0, 3.0, -9.0, -9.0, f32::NAN, -9.0, -9.0, -0.01],
    ];
    let sizes = [[2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0], [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]];
    let offsets = [[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5], [0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]];
    let expected = [
        "1 0.9526 [0.1250 -0.1250 0.3750 0.1250]",
        "0 0.8808 [-0.1250 -0.1250 0.3750 0.3750]",
        "0 0.5000 [0.6250 0.2500 1.1250 1.2500]",
    ];
    let tensors = [sizes.as_flattened(), heat.as_flattened(), offsets.as_flattened()];
    let shape: &[usize] = &[1, 2, 2, 4];
    for names in [["width_height", "center_heatmap", "regression"], ["wh", "hm", "reg"]] {
        let detector = named(&names.map(|name| (name, shape))).unwrap();
        assert_eq!((detector.name(), detector.classes()), ("centernet", Some(2)));
        assert_eq!(shown(&detector.decode(&tensors, 0.5).unwrap()), expected);
    }
    // Without names, nothing tells sizes from offsets.
    let error = named(&["a", "b", "c"].map(|name| (name, shape))).unwrap_err().to_string();
    assert!(error.contains("[1,2,h,w] named `center_heatmap`, `width_height` and `regression`"), "{error}");
    // One more than counts, each in the middle of its 3x3 cells.
    let side = 3 * 11;
    let mut heat = vec![-9.0; side * side];
    (0..121).for_each(|n| heat[(n / 11 * 3 + 1) * side + n % 11 * 3 + 1] = n as f32 / 100.0);
    let pair = vec![1.0; 2 * side * side];
    let [one, two]: [&[usize]; 2] = [&[1, 1, side, side], &[1, 2, side, side]];
    let detector = named(&[("hm", one), ("wh", two), ("reg", two)]).unwrap();
    let found = detector.decode(&[&heat, &pair, &pair], 0.5).unwrap();
    assert_eq!(found.len(), 100);
    assert!(found.last().unwrap().score > 0.55, "{:?}", found.last());
}

#[test]
fn faces_of_centerface_have_sizes_as_logarithms() {
    let outputs: [(&str, &[usize]); 4] = [
        ("heatmap", &[1, 1, 2, 2]),
        ("scale", &[1, 2, 2, 2]),
        ("offset", &[1, 2, 2, 2]),
        ("landmarks", &[1, 10, 2, 2]),
    ];
    let detector = named(&outputs).unwrap();
    let pair = |y: f32, x: f32| [y, 0.0, 0.0, 0.0, x, 0.0, 0.0, 0.0];
    let points = [pair(0.5, 0.25), [0.0; 8], [0.0; 8], [0.0; 8], pair(1.0, 1.0)];
    let found = detector
        .decode(
            &[&[0.9, 0.5, 0.0, f32::NAN], &pair(0.0, 2_f32.ln()), &pair(0.25, 0.75), points.as_flattened()],
            0.5,
        )
        .unwrap();
    let [face] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((detector.name(), face.points.len()), ("centerface", 5));
    let shown = shown(&found).remove(0);
    assert!(shown.starts_with("0 0.9000 [0.1250 0.1250 1.1250 0.6250] (0.3750 0.3750)"), "{shown}");
    assert!(shown.ends_with(" (1.1250 0.6250)"), "{shown}");
}

#[test]
fn raw_yolos_give_what_numpy_gives() {
    let sized = |mut tensor: Vec<f32>, at: fn(usize, usize) -> usize, n: usize| {
        for (row, factor) in [64.0, 48.0, 20.0, 20.0].into_iter().enumerate() {
            for column in 0..n {
                tensor[at(row, column)] *= factor;
            }
        }
        tensor
    };
    check_noise(
        "yolo_v8",
        &[&[1, 7, 700]],
        (64, 48),
        &[sized(noise(8, 7 * 700, 1.0, 0.0), |row, column| row * 700 + column, 700)],
        0.97,
        58,
        [
            "0 1.0000 [0.0288 0.4781 0.1643 0.7548]",
            "2 0.9999 [0.5360 0.4678 0.5891 0.6958]",
            "1 0.9996 [0.2186 0.3179 0.3379 0.3385]",
        ],
    );
    check_noise(
        "yolo_v7",
        &[&[1, 1200, 8]],
        (64, 48),
        &[sized(noise(9, 8 * 1200, 1.0, 0.0), |row, column| column * 8 + row, 1200)],
        0.93,
        10,
        [
            "2 0.9763 [0.0040 0.3646 0.0699 0.4845]",
            "2 0.9673 [0.3445 0.3412 0.5194 0.5327]",
            "0 0.9642 [-0.0344 0.8275 0.0453 0.9400]",
        ],
    );
    check_noise(
        "yolo_x",
        &[&[1, 42, 7]],
        (64, 32),
        &[noise(10, 7 * 42, 1.0, 0.0)],
        0.6,
        8,
        [
            "1 0.8792 [0.6256 0.6185 0.7611 0.8701]",
            "1 0.8306 [0.8548 0.5024 1.0133 0.7571]",
            "0 0.8126 [-0.0671 -0.1065 0.0754 0.4737]",
        ],
    );
}

/// A decoder, shapes that it takes, and the input of such a model.
type Example = (&'static str, &'static [&'static [usize]], (usize, usize));

const LAYOUTS: [Example; 13] = [
    ("detection_output", &[&[1, 1, 200, 7]], (300, 300)),
    ("detection_output", &[&[1, 1, 1, 7]], (672, 384)),
    ("boxes_labels", &[&[200, 5], &[200]], (416, 416)),
    ("yolo_v10", &[&[1, 300, 6]], (640, 640)),
    ("mediapipe_ssd", &[&[1, 1917, 24], &[1, 1917, 4]], (300, 300)),
    ("mediapipe_face", &[&[1, 896, 1], &[1, 896, 16]], (256, 256)),
    ("mediapipe_face", &[&[1, 2304, 16], &[1, 2304, 1]], (192, 192)),
    ("retina_face", &[&[1, 16800, 10], &[1, 16800, 2], &[1, 16800, 4]], (640, 640)),
    ("yolo_v8", &[&[1, 84, 8400]], (640, 640)),
    ("yolo_v8", &[&[1, 5, 2100]], (320, 320)),
    ("yolo_v8", &[&[1, 116, 8400], &[1, 32, 160, 160]], (640, 640)),
    ("yolo_v7", &[&[1, 25200, 85]], (640, 640)),
    ("yolo_x", &[&[1, 8400, 85]], (640, 640)),
];

#[test]
fn the_shapes_choose_the_decoder() {
    for (name, shapes, input) in LAYOUTS {
        assert_eq!(choose(shapes, input).name(), name, "{shapes:?}");
    }
}

#[track_caller]
fn check_refused(shapes: &[&[usize]], converter: Option<&str>, expected: &str) {
    let hints = Hints { converter: converter.map(str::to_owned), ..Hints::default() };
    let error = Detector::choose(&outputs(shapes), Size { width: 640, height: 640 }, &hints).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_no_decoder_takes_is_refused_with_what_they_take() {
    check_refused(
        &[&[1, 1000]],
        None,
        "no detections can be read from `out0` [1,1000]: there are decoders for [1,1,N,7], ",
    );
    check_refused(&[&[2, 84, 8400]], None, "from `out0` [2,84,8400]");
    check_refused(
        &[&[1, 255, 13, 13], &[1, 255, 26, 26]],
        None,
        "`out0` [1,255,13,13] and `out1` [1,255,26,26]",
    );
    check_refused(&[], None, "from none");
    check_refused(
        &[&[1, 1, 200, 7]],
        Some("yolo_v9"),
        "the converter `yolo_v9` is not one of detection_output, ",
    );
    check_refused(
        &[&[1, 1, 200, 7]],
        Some("yolo_v8"),
        "the converter `yolo_v8` is for [1,4+C,N], but the model has `out0` [1,1,200,7]",
    );
    let hints = Hints { converter: Some("YOLO".to_owned()), ..Hints::default() };
    for (shape, name) in [([1, 84, 8400], "yolo_v8"), ([1, 300, 6], "yolo_v10"), ([1, 25200, 85], "yolo_v7")]
    {
        let input = Size { width: 640, height: 640 };
        assert_eq!(Detector::choose(&outputs(&[&shape]), input, &hints).unwrap().name(), name);
    }
}

#[test]
fn tensors_of_any_bits_give_sound_boxes_or_none() {
    let mut random = Random::new(11);
    for (_, shapes, input) in LAYOUTS {
        let detector = choose(shapes, input);
        // One damaged part that is repeated: large tensors take long to invent.
        let part: Vec<f32> = (0..997).map(|_| random.value()).collect();
        let lengths: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
        let tensors: Vec<Vec<f32>> =
            lengths.iter().map(|n| part.iter().copied().cycle().take(*n).collect()).collect();
        let slices: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        // NMS of thousands of boxes is quadratic, so only the best are taken.
        for threshold in [f32::NAN, 1.0, 0.999] {
            for found in detector.decode(&slices, threshold).unwrap() {
                assert!(found.bounds.is_sound() && found.score.is_finite(), "{found:?}");
            }
        }
        let mut short = slices.clone();
        short[0] = &short[0][1..];
        let expected = WrongTensors::Length { n: 0, expected: lengths[0], found: lengths[0] - 1 };
        assert_eq!(detector.decode(&short, 0.5), Err(expected));
        let expected = WrongTensors::Number { expected: shapes.len(), found: 0 };
        assert_eq!(detector.decode(&[], 0.5), Err(expected));
    }
}

#[test]
fn shapes_of_any_size_choose_a_decoder_or_none() {
    let mut random = Random::new(12);
    let sizes = [0, 1, 2, 4, 5, 6, 7, 10, 16, 24, 84, 168, 896, 1917, 2304, 8400, usize::MAX];
    for _ in 0..3000 {
        let shapes: Vec<Vec<usize>> = (0..random.below(4))
            .map(|_| (0..random.below(5)).map(|_| sizes[random.below(sizes.len())]).collect())
            .collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let [width, height] = [(); 2].map(|()| [0, 1, 64, 300, 640, usize::MAX][random.below(6)]);
        let _ = Detector::choose(&outputs(&shapes), Size { width, height }, &Hints::default());
    }
}
