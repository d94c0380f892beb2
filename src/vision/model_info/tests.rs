//! Texts as exporters write them.

use super::*;

fn names(info: &ModelInfo) -> Vec<(Source, Vec<&str>)> {
    info.labels
        .iter()
        .map(|labels| (labels.source(), labels.names().iter().map(String::as_str).collect()))
        .collect()
}

const IR: &str = r#"<?xml version="1.0"?>
<net name="Model0" version="11">
    <layers><layer id="0" name="x" type="Parameter"><rt_info><model_info><model_type value="of a layer"/></model_info></rt_info></layer></layers>
    <rt_info>
        <Runtime_version value="2026.4.1"/>
        <framework><names value="{0: 'person', 1: 'traffic light'}"/><task value="detect"/></framework>
        <model_info>
            <iou_threshold value="0.7"/>
            <labels value="person traffic_light"/>
            <model_type value="YOLO"/>
            <pad_value value="114"/>
            <resize_type value="fit_to_window_letterbox"/>
            <reverse_input_channels value="YES"/>
            <scale_values value="255"/>
            <mean_values value="[1, 2.5, 3]"/>
            <confidence_threshold value="1.5"/>
            <color_space value=""/>
        </model_info>
    </rt_info>
</net>"#;

#[test]
fn rt_info_of_a_whole_model_is_read() {
    let info = ModelInfo::of_ir(IR.as_bytes()).unwrap();
    assert_eq!(
        names(&info),
        [
            (Source::Onnx, vec!["person", "traffic light"]),
            (Source::ModelInfo, vec!["person", "traffic_light"])
        ]
    );
    let expected = ModelInfo {
        model_type: Some("YOLO".to_owned()),
        confidence_threshold: None,
        faults: vec!["`confidence_threshold` must be a number from 0 to 1, not `1.5`".to_owned()],
        iou_threshold: Some(0.7),
        reverse_input_channels: Some(true),
        mean_values: Some([1.0, 2.5, 3.0]),
        scale_values: Some([255.0; 3]),
        resize: Some(Resize::Letterbox),
        pad_value: Some(114),
        labels: info.labels.clone(),
        ..ModelInfo::default()
    };
    assert_eq!(info, expected);
}

#[test]
fn values_that_cannot_be_understood_are_faults_all_at_once() {
    let yaml = "confidence_threshold: half\niou_threshold: -0.1\nreverse_input_channels: maybe\n\
                color_space: GRAY\nmean_values: 1 2\nscale_values: 1 x\nresize_type: big\npad_value: 256\n\
                pad: 7\ntask: ''\n";
    let info = ModelInfo::of_metadata(yaml);
    expect_test::expect![[r#"
        `confidence_threshold` must be a number from 0 to 1, not `half`
        `iou_threshold` must be a number from 0 to 1, not `-0.1`
        `reverse_input_channels` must be true or false, not `maybe`
        `color_space` must be RGB or BGR, not `GRAY`
        `mean_values` must be one number, or one for each of 3 channels, not `1 2`
        `scale_values` must be one number, or one for each of 3 channels, none 0, not `1 x`
        `resize_type` must be standard, fit_to_window, fit_to_window_letterbox or crop, not `big`
        `pad_value` must be a whole number from 0 to 255, not `256`"#]]
    .assert_eq(&info.faults.join("\n"));
    assert_eq!(ModelInfo { faults: Vec::new(), ..info }, ModelInfo::default());
    assert_eq!(ModelInfo::of_metadata("pad_value: 114.0\n").pad_value, Some(114));
}

#[test]
fn damaged_xml_is_an_error_and_never_more() {
    for n in 0..IR.len() {
        let _ = ModelInfo::of_ir(&IR.as_bytes()[..n]);
        let mut damaged = IR.as_bytes().to_vec();
        damaged[n] = b'<';
        let _ = ModelInfo::of_ir(&damaged);
    }
    let error = ModelInfo::of_ir(b"<net><a></b>").unwrap_err().to_string();
    assert!(error.starts_with("is damaged at byte "), "{error}");
}

#[test]
fn properties_of_onnx_are_read_up_to_the_first_damage() {
    let field =
        |number: u8, bytes: &[u8]| [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let property =
        |key: &str, value: &str| field(14, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
    let model = [
        // ir_version, a graph, then properties.
        vec![1 << 3, 9],
        field(7, b"graph"),
        property("task", "detect"),
        property("names", "{0: 'cup', 1: 'bottle'}"),
        property("scale_values", "0"),
    ]
    .concat();
    let info = ModelInfo::of_onnx(&model);
    assert_eq!((info.task.as_deref(), info.scale_values), (Some("detect"), None));
    let fault = "`scale_values` must be one number, or one for each of 3 channels, none 0, not `0`";
    assert_eq!(info.faults, [fault]);
    assert_eq!(names(&info), [(Source::Onnx, vec!["cup", "bottle"])]);
    for n in 0..model.len() {
        let _ = ModelInfo::of_onnx(&model[..n]);
        for byte in [0, 0x7f, 0xff] {
            let mut damaged = model.clone();
            damaged[n] = byte;
            let _ = ModelInfo::of_onnx(&damaged);
        }
    }
}

#[test]
fn metadata_of_ultralytics_is_read() {
    let yaml = "description: Ultralytics YOLO11n model\ntask: detect\nbatch: 1\nimgsz:\n- 640\n- 640\nnames:\n  0: person\n  1: \
                'traffic light'\n  2: \"yes\"\nargs:\n  nms: false\nchannels: 3\n";
    let info = ModelInfo::of_metadata(yaml);
    assert_eq!(info.task.as_deref(), Some("detect"));
    assert_eq!(names(&info), [(Source::Metadata, vec!["person", "traffic light", "yes"])]);
    assert_eq!(
        names(&ModelInfo::of_metadata("names:\n- a\n- b b\n")),
        [(Source::Metadata, vec!["a", "b b"])]
    );
    assert_eq!(names(&ModelInfo::of_metadata("names: {0: 'a'}\n")), [(Source::Metadata, vec!["a"])]);
    // A number is missing, so the rest may be shifted: no names.
    assert_eq!(names(&ModelInfo::of_metadata("names:\n  0: a\n  2: c\n")), [(Source::Metadata, vec![])]);
    assert_eq!(ModelInfo::of_metadata("- x\n\0: \n:"), ModelInfo::default());
}
