//! Texts as DL Streamer writes them.

use expect_test::expect;

use super::*;

fn frame() -> Frame {
    let detected = Detected {
        bounds: Corners { x_min: 0.25, y_min: 0.1, x_max: 0.5, y_max: 1.0 },
        confidence: Some(f64::from(0.9_f32)),
        label_id: Some(1),
    };
    let gender = Attribute {
        confidence: Some(0.75),
        label: "Male".to_owned(),
        label_id: Some(1),
        model: Model { name: "torch-jit".to_owned() },
    };
    let age = Attribute { confidence: None, label: "42".to_owned(), label_id: None, ..gender.clone() };
    Frame {
        objects: vec![Object {
            pixels: Pixels { x: 160, y: 36, width: 160, height: 324 },
            region_id: 3,
            id: Some(7),
            parent_id: None,
            roi_type: "face \"1\"".to_owned(),
            detection: Some(detected),
            attributes: vec![("gender".to_owned(), gender), ("age".to_owned(), age)],
        }],
        resolution: Resolution { height: 360, width: 640 },
        source: Some("camera-3".to_owned()),
        tags: Some(serde_json::json!({ "lane": 1 })),
        timestamp: Some(66_666_666),
    }
}

#[test]
fn a_frame_is_one_line_with_sorted_keys() {
    expect![[r#"{"objects":[{"age":{"label":"42","model":{"name":"torch-jit"}},"detection":{"bounding_box":{"x_max":0.5,"x_min":0.25,"y_max":1.0,"y_min":0.1},"confidence":0.8999999761581421,"label":"face \"1\"","label_id":1},"gender":{"confidence":0.75,"label":"Male","label_id":1,"model":{"name":"torch-jit"}},"h":324,"id":7,"region_id":3,"roi_type":"face \"1\"","w":160,"x":160,"y":36}],"resolution":{"height":360,"width":640},"source":"camera-3","tags":{"lane":1},"timestamp":66666666}"#]]
    .assert_eq(&text(&frame(), false, None).unwrap());
}

#[test]
fn a_frame_without_objects_is_written_only_if_asked_for() {
    let mut frame = Frame { objects: Vec::new(), source: None, tags: None, ..frame() };
    assert_eq!(text(&frame, false, None), None);
    let line = r#"{"resolution":{"height":360,"width":640},"timestamp":66666666}"#;
    assert_eq!(text(&frame, true, None).as_deref(), Some(line));
    frame.timestamp = None;
    expect![[r#"
        {
          "resolution": {
            "height": 360,
            "width": 640
          }
        }"#]]
    .assert_eq(&text(&frame, true, Some(2)).unwrap());
}

#[test]
fn attached_regions_have_no_detection_and_attributes_hide_nothing() {
    let mut frame = Frame { source: None, tags: None, ..frame() };
    let object = &mut frame.objects[0];
    (object.detection, object.id, object.parent_id) = (None, None, Some(1));
    object.roi_type.clear();
    object.attributes.truncate(1);
    object.attributes[0].0 = "w".to_owned();
    let line = r#"{"objects":[{"h":324,"parent_id":1,"region_id":3,"w":160,"x":160,"y":36}],"resolution":{"height":360,"width":640},"timestamp":66666666}"#;
    assert_eq!(text(&frame, false, None).as_deref(), Some(line));
}

#[test]
fn numbers_are_written_as_by_nlohmann_json() {
    let numbers = [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (0.00012345, "0.00012345"),
        (0.00001, "1e-05"),
        (0.000012345, "1.2345e-05"),
        (1e-10, "1e-10"),
        (123456789012345.0, "123456789012345.0"),
        (1e14, "100000000000000.0"),
        (1e15, "1e+15"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
    ];
    for (value, text) in numbers {
        assert_eq!(number(value), text);
        assert_eq!(text.parse::<f64>(), Ok(value));
    }
}
