//! What wins over what.

use std::convert::Infallible;

use super::*;
use crate::vision::prepare::Part;

fn info(text: &str) -> ModelInfo {
    let entries = text.split_whitespace().map(|entry| entry.split_once('=').unwrap());
    let xml: String = entries.map(|(key, value)| format!("<{key} value=\"{value}\"/>")).collect();
    ModelInfo::of_ir(format!("<net><rt_info><model_info>{xml}</model_info></rt_info></net>").as_bytes())
        .unwrap()
}

const YOLO: &str = "model_type=YOLO resize_type=fit_to_window_letterbox pad_value=114 scale_values=255 \
                    reverse_input_channels=YES iou_threshold=0.7 confidence_threshold=0.25 labels=a,b";

#[test]
fn a_model_says_how_it_wants_its_pictures() {
    let info = [info(YOLO)];
    let known = Known { info: &info, ..Known::default() };
    let expected = Preparation {
        resize: Resize::Letterbox,
        colour: Colour::Rgb,
        padding: 114,
        scale: Some(Scale { mean: [0.0; 3], divisor: [255.0; 3] }),
    };
    assert_eq!(known.preparation(), Ok(expected));
    // What upstream sets for every detector.
    let standard = Known { pre_process_config: "resize_type=standard", ..known.clone() };
    assert_eq!(standard.preparation(), Ok(Preparation { resize: Resize::Stretch, ..expected }));
    // OpenVINO only stretches.
    let ie = Known { backend: Backend::Ie, ..known.clone() };
    assert_eq!(ie.preparation(), Ok(Preparation { resize: Resize::Stretch, ..expected }));
    assert_eq!(Known::default().preparation(), Ok(Preparation::default()));
    assert_eq!(known.threshold(), Some(0.25));
    let hints = Hints { converter: Some("YOLO".to_owned()), iou_threshold: Some(0.7), pose_classes: None };
    assert_eq!(known.hints(None), Ok(hints));
}

#[test]
fn a_model_proc_file_replaces_what_the_model_says() {
    let info = [info(YOLO)];
    let file = ModelProc::read(
        r#"{ "input_preproc": [{ "params": { "resize": "aspect-ratio", "crop": "top_left" } }],
            "output_postproc": [{ "converter": "yolo_v8", "confidence_threshold": 0.75, "labels": "file" }] }"#,
    )
    .unwrap();
    let known = Known { model_proc: Some(&file), info: &info, ..Known::default() };
    let expected = Preparation { resize: Resize::Crop(Part::TopLeft), ..Preparation::default() };
    assert_eq!(known.preparation(), Ok(expected));
    assert_eq!(known.threshold(), Some(0.75));
    assert_eq!(known.hints(None).unwrap().converter.as_deref(), Some("yolo_v8"));
    let read = |path: &str| Ok::<_, Infallible>(vec![path.to_owned(), "c".to_owned()]);
    let source = |property: Option<Vec<String>>, classes| {
        known.labels(property, read, classes).unwrap().labels.map(|labels| labels.source())
    };
    assert_eq!(source(Some(vec!["x".to_owned(), "y".to_owned()]), Some(2)), Some(Source::Property));
    assert_eq!(source(Some(vec!["x".to_owned()]), Some(2)), Some(Source::ModelProc));
    assert_eq!(source(None, Some(3)), None);
    let empty = ModelProc::default();
    let known = Known { model_proc: Some(&empty), info: &info, ..Known::default() };
    assert_eq!(known.preparation(), Ok(Preparation::default()));
}

#[track_caller]
fn check_refused(config: &str, expected: &str) {
    let known = Known { pre_process_config: config, ..Known::default() };
    assert_eq!(known.preparation().unwrap_err().to_string(), expected);
}

#[test]
fn what_is_not_known_is_refused() {
    check_refused("standard", "`pre-process-config`: `standard` is not `key=value`");
    check_refused(
        "resize_type=big",
        "`pre-process-config`: `big` is no value of `resize_type`: standard, fit_to_window, fit_to_window_letterbox or crop",
    );
    check_refused(
        "pad_value=256",
        "`pre-process-config`: `256` is no value of `pad_value`: a number from 0 to 255",
    );
    check_refused(
        "size=3",
        "`pre-process-config`: `size` is not one of resize_type, pad_value, reverse_input_channels, color_space",
    );
    let tilted = ModelInfo { task: Some("obb".to_owned()), ..ModelInfo::default() };
    let known = Known { info: &[tilted], ..Known::default() };
    let error = known.hints(None).unwrap_err().to_string();
    assert_eq!(error, "the model is for the task `obb`, of which boxes alone cannot be read");
}

#[test]
fn a_model_type_of_others_leaves_the_choice_to_the_shapes() {
    let info = [info("model_type=ssd"), ModelInfo::of_metadata("task: pose\nnames:\n  0: person\n")];
    let hints = Known { info: &info, ..Known::default() }.hints(None).unwrap();
    assert_eq!(hints, Hints { pose_classes: Some(1), ..Hints::default() });
}
