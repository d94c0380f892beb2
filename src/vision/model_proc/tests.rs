//! Files as DL Streamer ships them, and every fault of a bad one.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check_faults(text: &str, expect: Expect) {
    let error = ModelProc::read(text).unwrap_err().to_string();
    expect.assert_eq(&error);
}

#[test]
fn a_key_that_is_almost_right_is_a_fault_and_a_note_of_ones_own_is_none() {
    let text = r#"{"json_schema_version": "2.2.0", "note": 1, "input_prepoc": [],
        "input_preproc": [{"format": "image", "param": {}, "params": {"rnage": [-1, 1], "id": 3}}],
        "output_postproc": [{"convertor": "label", "about": "x"}]}"#;
    let faults = ModelProc::read(text).unwrap_err().0;
    assert_eq!(
        faults,
        [
            "`input_prepoc`: is no key; did you mean `input_preproc`?",
            "`input_preproc[0].param`: is no key; did you mean `params`?",
            "`input_preproc[0].params.rnage`: is no key; did you mean `range`?",
            "`output_postproc[0].convertor`: is no key; did you mean `converter`?",
        ]
    );
}

#[test]
fn files_of_attributes_are_read() {
    let text = r#"{
        "json_schema_version": "2.2.0", "input_preproc": [],
        "output_postproc": [
            { "layer_name": "age_conv3", "attribute_name": "age", "converter": "text", "text_precision": 0, "text_scale": 100.0 },
            { "layer_name": "prob", "attribute_name": "gender", "converter": "label", "method": "max", "labels": ["Female", "Male"] }
        ]
    }"#;
    let file = ModelProc::read(text).unwrap();
    let name = |text: &str| Some(text.to_owned());
    let age = Postprocess {
        layers: vec!["age_conv3".to_owned()],
        attribute: name("age"),
        converter: name("text"),
        text_scale: Some(100.0),
        text_precision: Some(0),
        ..Postprocess::default()
    };
    let gender = Postprocess {
        layers: vec!["prob".to_owned()],
        attribute: name("gender"),
        converter: name("label"),
        method: name("max"),
        labels: Some(LabelList::Names(vec!["Female".to_owned(), "Male".to_owned()])),
        ..Postprocess::default()
    };
    assert_eq!(file, ModelProc { input: None, outputs: vec![age, gender] });
}

#[test]
fn pre_processing_is_read() {
    let text = r#"{ "input_preproc": [{ "format": "image", "layer_name": "data", "precision": "FP32", "params": {
        "resize": "aspect-ratio", "crop": "central", "color_space": "RGB", "range": [0.0, 1.0],
        "mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 2.0], "padding": { "stride_x": 0, "fill_value": [114, 114, 114] }
    } }], "output_postproc": [{ "labels": "a.txt", "iou_threshold": 0.25 }] }"#;
    let file = ModelProc::read(text).unwrap();
    let input = file.input.unwrap();
    assert_eq!(input.layer.as_deref(), Some("data"));
    assert_eq!((input.resize, input.colour), (Some(Resize::Crop(Part::Central)), Some(Colour::Rgb)));
    assert_eq!(input.padding, Some(114));
    // (255 / 255 - 0.5) / 0.5 = 1, and so on.
    let Scale { mean, divisor } = input.scale.unwrap();
    let of = |channel: usize, value: f32| (value - mean[channel]) / divisor[channel];
    assert_eq!([of(0, 255.0), of(0, 0.0), of(1, 127.5), of(2, 255.0)], [1.0, -1.0, 1.0, 0.5]);
    assert_eq!(file.outputs[0].labels, Some(LabelList::File("a.txt".to_owned())));
    assert_eq!(file.outputs[0].iou_threshold, Some(0.25));
}

#[test]
fn a_range_moves_the_least_value() {
    let text = r#"{ "input_preproc": [{ "params": { "range": [-1.0, 1.0] } }] }"#;
    let Scale { mean, divisor } = ModelProc::read(text).unwrap().input.unwrap().scale.unwrap();
    assert_eq!([(0.0 - mean[0]) / divisor[0], (255.0 - mean[0]) / divisor[0]], [-1.0, 1.0]);
    assert_eq!(ModelProc::read("{}"), Ok(ModelProc::default()));
}

#[test]
fn all_faults_are_reported_each_with_its_key() {
    check_faults("{", expect!["is no JSON: EOF while parsing an object at line 1 column 1"]);
    check_faults("[]", expect!["must be an object with `output_postproc`"]);
    check_faults(
        r#"{ "json_schema_version": "1.0.0",
            "input_preproc": [{ "format": "image_info" }, { "params": {
                "resize": "yes", "crop": "middle", "color_space": "GRAYSCALE", "range": [1, 0], "mean": [1, 2], "std": [1, 0, 1],
                "padding": { "stride_x": 8, "fill_value": [0, 1, 2] } } }, { "params": { "crop": "central" } }, 7],
            "output_postproc": [{ "layer_name": 1, "layer_names": ["a"], "labels": [1], "confidence_threshold": 2,
                "text_precision": -1, "text_scale": "x" }] }"#,
        expect![[r#"
            `json_schema_version`: `1.0.0` is not 2.0 to 2.2
            `input_preproc[3]`: must be an object
            `input_preproc[0].format`: only `image` can be filled
            `input_preproc[1].params.resize`: must be `no`, `no-aspect-ratio`, `aspect-ratio` or `aspect-ratio-pad`, not `"yes"`
            `input_preproc[1].params.crop`: must be `central`, `central-resize`, `top_left`, `top_right`, `bottom_left` or `bottom_right`, not `"middle"`
            `input_preproc[1].params.color_space`: must be `RGB` or `BGR`, not `"GRAYSCALE"`
            `input_preproc[1].params.range`: must be two numbers, the smaller first, not `[1,0]`
            `input_preproc[1].params.mean`: must be a number for each of 3 channels, not `[1,2]`
            `input_preproc[1].params.std`: must be a number for each of 3 channels, none 0, not `[1,0,1]`
            `input_preproc[1].params.padding`: margins of a fixed width are not supported, only `fill_value`
            `input_preproc[1].params.padding.fill_value`: must be one value from 0 to 255 for all channels, not `[0,1,2]`
            `input_preproc[2].params.crop`: needs `resize` to be `aspect-ratio`
            `output_postproc[0].layer_name`: must be a name, not `1`
            `output_postproc[0].labels`: must be a list of names or the path of a file, not `[1]`
            `output_postproc[0].confidence_threshold`: must be a number from 0 to 1, not `2`
            `output_postproc[0].text_scale`: must be a number, not `"x"`
            `output_postproc[0].text_precision`: must be a number from 0 to 17, not `-1`"#]],
    );
    check_faults(r#"{ "output_postproc": { "labels": [] } }"#, expect!["`output_postproc`: must be a list"]);
}
