//! A detector whose input is made smaller: faster, and its boxes are others.

use serde_json::json;

use crate::found::{change, faces, stream};
use crate::native::{model, model_proc};
use crate::workspace::Workspace;

/// A model of convolutions only, so that it takes pictures of any size: bright cells of 16 pixels have
/// their centres in boxes of four cells.
fn bright(ws: &Workspace) {
    let (width, height) = (320, 320);
    let (columns, rows) = (width / 16, height / 16);
    let dims = |sizes: &[usize]| sizes.iter().map(|size| format!("<dim>{size}</dim>")).collect::<String>();
    let port =
        |id: usize, sizes: &[usize]| format!(r#"<port id="{id}" precision="FP32">{}</port>"#, dims(sizes));
    let pixels = [1, 3, height, width];
    let cells = [1, 3, rows, columns];
    let mut layers = format!(
        r#"<layer id="0" name="data" type="Parameter" version="opset1"><data shape="1,3,{height},{width}" element_type="f32"/>
  <output>{}</output></layer>
<layer id="1" name="cells" type="AvgPool" version="opset1">
  <data kernel="16,16" strides="16,16" pads_begin="0,0" pads_end="0,0" exclude-pad="true" rounding_type="floor" auto_pad="valid"/>
  <input>{}</input><output>{}</output></layer>"#,
        port(0, &pixels),
        port(0, &pixels),
        port(1, &cells)
    );
    let mut edges = r#"<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>"#.to_owned();
    let mut weights: Vec<f32> = Vec::new();
    // The name of an output, and what is added to the mean of a cell times a weight.
    let heads: [(&str, f32, &[f32]); 3] = [
        ("center_heatmap", 0.04 / 3.0, &[-0.04 * 110.0]),
        ("width_height", 0.0, &[4.0, 4.0]),
        ("regression", 0.0, &[0.5, 0.5]),
    ];
    for (n, (name, weight, added)) in heads.into_iter().enumerate() {
        let channels = added.len();
        let id = 2 + 5 * n;
        let out = [1, channels, rows, columns];
        let mut constant = |id: usize, shape: &[usize], values: Vec<f32>| {
            let text = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let (offset, size) = (weights.len() * 4, values.len() * 4);
            weights.extend(values);
            format!(
                r#"<layer id="{id}" name="{name}{id}" type="Const" version="opset1">
  <data element_type="f32" shape="{text}" offset="{offset}" size="{size}"/><output>{}</output></layer>"#,
                port(0, shape)
            )
        };
        let kernel = [channels, 3, 1, 1];
        let bias = [1, channels, 1, 1];
        layers += &constant(id, &kernel, vec![weight; channels * 3]);
        layers += &constant(id + 1, &bias, added.to_vec());
        layers += &format!(
            r#"<layer id="{}" name="{name}.conv" type="Convolution" version="opset1">
  <data strides="1,1" dilations="1,1" pads_begin="0,0" pads_end="0,0" auto_pad="explicit"/>
  <input>{}{}</input><output>{}</output></layer>
<layer id="{}" name="{name}.add" type="Add" version="opset1"><data auto_broadcast="numpy"/>
  <input>{}{}</input><output><port id="2" precision="FP32" names="{name}">{}</port></output></layer>
<layer id="{}" name="{name}.result" type="Result" version="opset1"><input>{}</input></layer>"#,
            id + 2,
            port(0, &cells),
            port(1, &kernel),
            port(2, &out),
            id + 3,
            port(0, &out),
            port(1, &bias),
            dims(&out),
            id + 4,
            port(0, &out)
        );
        for (from, from_port, to, to_port) in [
            (1, 1, id + 2, 0),
            (id, 0, id + 2, 1),
            (id + 2, 2, id + 3, 0),
            (id + 1, 0, id + 3, 1),
            (id + 3, 2, id + 4, 0),
        ] {
            edges += &format!(
                r#"<edge from-layer="{from}" from-port="{from_port}" to-layer="{to}" to-port="{to_port}"/>"#
            );
        }
    }
    let xml = format!(
        r#"<?xml version="1.0"?><net name="bright" version="11"><layers>{layers}</layers><edges>{edges}</edges></net>"#
    );
    ws.write("tiny/bright.xml", &xml);
    let bytes: Vec<u8> = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(ws.path("tiny/bright.bin"), bytes).unwrap();
}

#[test]
fn a_smaller_input_that_finds_other_boxes_is_faster_but_wrong() {
    let step = |side: usize| {
        let mut step = model(
            "gvadetect",
            "bright",
            "tiny/bright.xml",
            &[
                ("model-proc", json!("tiny/bright.json")),
                ("reshape-width", json!(side)),
                ("reshape-height", json!(side)),
            ],
        );
        step["inference_interval"] = json!(1);
        step
    };
    let Some(ws) = faces(&[step(320)]) else { return };
    bright(&ws);
    let labels = json!([{ "converter": "centernet", "labels": ["bright"] }]);
    ws.write("tiny/bright.json", &model_proc(json!({}), labels));
    ws.lp("run").success();
    assert!(stream(&ws)["seen"][0]["labels"]["bright"].as_u64().unwrap() >= 30, "{}", stream(&ws));
    // The same size again is accepted; half of it sees cells and boxes that are twice as large.
    ws.lp("run").success();
    assert_eq!(stream(&ws)["seen"][0]["accuracy"][0]["recall"], 1.0);
    change(&ws, &[step(160)]);
    let ended = ws.lp("run").code(1);
    assert!(ended.stdout.contains("1 is faster but wrong"), "{}", ended.stdout);
    assert_eq!(stream(&ws)["verdict"], "faster_but_wrong");
}
