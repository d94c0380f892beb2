//! Persons by embeddings, in the place of upstream's `person_reid.py`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::native::{constant, model, published, with_models};

/// A model that gives the mean colour of a picture above a middle grey: an embedding of three numbers.
const COLOUR: &str = r#"<?xml version="1.0"?><net name="colour" version="11"><layers>
<layer id="0" name="data" type="Parameter" version="opset1"><data shape="1,3,32,32" element_type="f32"/>
  <output><port id="0" precision="FP32" names="data"><dim>1</dim><dim>3</dim><dim>32</dim><dim>32</dim></port></output></layer>
<layer id="1" name="axes" type="Const" version="opset1"><data element_type="i64" shape="2" offset="0" size="16"/>
  <output><port id="0" precision="I64"><dim>2</dim></port></output></layer>
<layer id="2" name="mean" type="ReduceMean" version="opset1"><data keep_dims="true"/>
  <input><port id="0" precision="FP32"><dim>1</dim><dim>3</dim><dim>32</dim><dim>32</dim></port><port id="1" precision="I64"><dim>2</dim></port></input>
  <output><port id="2" precision="FP32"><dim>1</dim><dim>3</dim><dim>1</dim><dim>1</dim></port></output></layer>
<layer id="3" name="grey" type="Const" version="opset1"><data element_type="f32" shape="1,1,1,1" offset="16" size="4"/>
  <output><port id="0" precision="FP32"><dim>1</dim><dim>1</dim><dim>1</dim><dim>1</dim></port></output></layer>
<layer id="4" name="above" type="Add" version="opset1"><data auto_broadcast="numpy"/>
  <input><port id="0" precision="FP32"><dim>1</dim><dim>3</dim><dim>1</dim><dim>1</dim></port><port id="1" precision="FP32"><dim>1</dim><dim>1</dim><dim>1</dim><dim>1</dim></port></input>
  <output><port id="2" precision="FP32" names="above"><dim>1</dim><dim>3</dim><dim>1</dim><dim>1</dim></port></output></layer>
<layer id="5" name="result" type="Result" version="opset1">
  <input><port id="0" precision="FP32"><dim>1</dim><dim>3</dim><dim>1</dim><dim>1</dim></port></input></layer>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/><edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
<edge from-layer="2" from-port="2" to-layer="4" to-port="0"/><edge from-layer="3" from-port="0" to-layer="4" to-port="1"/>
<edge from-layer="4" from-port="2" to-layer="5" to-port="0"/></edges></net>"#;

#[test]
fn two_persons_keep_their_numbers_without_the_python_module() {
    let mut see = model("gvadetect", "two", "tiny/two.xml", &[]);
    see["inference_interval"] = json!(1);
    let embed = model("gvainference", "colour", "tiny/colour.xml", &[]);
    let module = json!({ "type": "gvapython", "module": "person_reid.py", "function": "process_frame" });
    let Some(ws) = with_models(&[see, embed, module]) else { return };
    // The upper part of that video is another colour than the lower one.
    let rows = [[0.0, 1.0, 0.75, 0.0, 0.0, 1.0, 0.3], [0.0, 1.0, 0.75, 0.0, 0.7, 1.0, 1.0]];
    constant(&ws, "tiny/two", &[("detection_out", "detection_out", &[1, 1, 2, 7], rows.as_flattened())]);
    ws.write("tiny/colour.xml", COLOUR);
    let mut weights: Vec<u8> = [2_i64, 3].iter().flat_map(|axis| axis.to_le_bytes()).collect();
    weights.extend((-128.0_f32).to_le_bytes());
    std::fs::write(ws.path("tiny/colour.bin"), weights).unwrap();

    let ended = ws.lp("run").success();
    for text in ["dialect native", "`person_reid.py` was not run", "person 60 in 1 stream"] {
        assert!(ended.stdout.contains(text), "no {text:?} in {}", ended.stdout);
    }
    let mut persons = BTreeMap::<(i64, String), u32>::new();
    for line in published(&ws).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for object in line["objects"].as_array().unwrap() {
            assert!(object["person"]["confidence"].as_f64().unwrap() >= 0.7, "{object}");
            let label = object["person"]["label"].as_str().unwrap().to_owned();
            *persons.entry((object["y"].as_i64().unwrap(), label)).or_default() += 1;
        }
    }
    let expected = [((0, "1".to_owned()), 30), ((224, "2".to_owned()), 30)];
    assert_eq!(persons.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_workload_with_another_module_is_left_out_and_the_rest_plays() {
    let mut see = model("gvadetect", "two", "tiny/two.xml", &[]);
    see["inference_interval"] = json!(1);
    let module = json!({ "type": "gvapython", "module": "own.py" });
    let Some(ws) = with_models(&[see, module]) else { return };
    ws.write("own.py", "");
    let rows = [0.0, 1.0, 0.75, 0.0, 0.0, 1.0, 0.3];
    constant(&ws, "tiny/two", &[("detection_out", "detection_out", &[1, 1, 1, 7], &rows)]);
    let ended = ws.lp("run");
    assert!(
        ended.stderr.contains("`gvapython` runs `own.py` with DL Streamer, which this machine does not have"),
        "{}",
        ended.stderr
    );
}
