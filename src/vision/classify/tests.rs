//! Every method, on values computed by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::vision::labels::Source;
use crate::vision::random::Random;

fn outputs(all: &[(&[&str], &[usize])]) -> Vec<Output> {
    let one = |(names, shape): &(&[&str], &[usize])| Output {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        shape: shape.to_vec(),
    };
    all.iter().map(one).collect()
}

fn labels(text: &str) -> Option<Labels> {
    (!text.is_empty()).then(|| Labels::new(text.split(' ').map(str::to_owned).collect(), Source::Property))
}

fn entry(json: &str) -> Postprocess {
    let text = format!("{{ \"output_postproc\": [{json}] }}");
    super::super::model_proc::ModelProc::read(&text).unwrap().outputs.remove(0)
}

/// Reads one output by an entry of a model-proc file; "" for none.
fn read(json: &str, names: &str, values: &[f32]) -> String {
    let outputs = outputs(&[(&["prob"], &[1, values.len(), 1, 1])]);
    let entries: Vec<Postprocess> = if json.is_empty() { Vec::new() } else { vec![entry(json)] };
    let classifier = match Classifier::choose(&outputs, &entries, |_, _| labels(names)) {
        Ok(classifier) => classifier,
        Err(error) => return error.to_string(),
    };
    let lines: Vec<String> = classifier
        .classify(&[values])
        .unwrap()
        .iter()
        .map(|one| {
            let id = one.label_id.map(|id| format!(" {id}")).unwrap_or_default();
            let confidence = one.confidence.map(|confidence| format!(" {confidence:.4}")).unwrap_or_default();
            format!("{}: {}{id}{confidence}", one.attribute, one.label)
        })
        .collect();
    lines.join("\n")
}

#[track_caller]
fn check(json: &str, names: &str, values: &[f32], expect: Expect) {
    expect.assert_eq(&read(json, names, values));
}

#[test]
fn probabilities_and_logits_give_a_probability() {
    check("", "a b c", &[0.2, 0.7, 0.1], expect!["prob: b 1 0.7000"]);
    // e^2 / (e^1 + e^2 + e^0)
    check("", "a b c", &[1.0, 2.0, 0.0], expect!["prob: b 1 0.6652"]);
    check("", "a b c", &[1000.0, -1000.0, 999.0], expect!["prob: a 0 0.7311"]);
    check("", "a b c", &[f32::NAN; 3], expect![""]);
    check(
        "",
        "a b",
        &[0.2, 0.7, 0.1],
        expect!["the output `prob` needs 3 labels, but has 2, of the property `labels`"],
    );
    // Without labels, a tensor is left as it is.
    check("", "", &[0.2, 0.7, 0.1], expect![""]);
}

#[test]
fn methods_are_those_of_dl_streamer() {
    let method =
        |name: &str| format!(r#"{{ "converter": "label", "attribute_name": "x", "method": "{name}" }}"#);
    // A logit stays one: so says the file.
    check(&method("max"), "a b c", &[1.0, 2.5, 0.0], expect!["x: b 1 2.5000"]);
    check(&method("softmax"), "a b c", &[1.0, 2.0, 0.0], expect!["x: b 1 0.6652"]);
    check(&method("compound"), "man woman bag no-bag", &[0.7, 0.2], expect!["x: man no-bag 0.7000"]);
    check(&method("compound"), "man woman bag no-bag", &[-0.1, 0.5], expect!["x: bag 0.5000"]);
    check(&method("multi"), "a b c", &[0.7, 0.2, 0.5], expect!["x: a c 0.7000"]);
    check(&method("index"), "A B C", &[1.0, 2.0, 0.0, -1.0, 1.0], expect!["x: BCA"]);
    check(&method("index"), "A B C", &[f32::NAN, 1.0], expect![""]);
    check(
        &method("mean"),
        "a",
        &[1.0],
        expect!["the method `mean` is not one of max, softmax, compound, multi, softmax_multi, index"],
    );
    check(&method("max"), "", &[1.0], expect!["the output `prob` needs labels"]);
    check(
        &method("compound"),
        "a b c",
        &[1.0, 2.0],
        expect!["the output `prob` needs 4 labels, but has 3, of the property `labels`"],
    );
    check(
        r#"{ "converter": "text", "text_scale": 100, "text_precision": 0 }"#,
        "",
        &[0.3149],
        expect!["prob: 31"],
    );
    check(r#"{ "converter": "text" }"#, "", &[0.125, -1.0], expect!["prob: 0.12, -1.00"]);
    check(
        r#"{ "converter": "tensor_to_label" }"#,
        "a",
        &[1.0],
        expect!["the converter `tensor_to_label` is not one of label, text, raw_data_copy, expected_value"],
    );
    // 0.5 * 1 + 0.25 * 2 + 0.25 * 3
    let json = r#"{ "converter": "expected_value", "attribute_name": "age", "text_precision": 1 }"#;
    check(json, "", &[0.0, 0.5, 0.25, 0.25], expect!["age: 1.8 0.5000"]);
}

#[test]
fn entries_name_tensors_or_layers() {
    let outputs =
        outputs(&[(&["prob", "prob/layer"], &[1, 2, 1, 1]), (&["fc3_a", "age_conv3"], &[1, 1, 1, 1])]);
    let entries = [
        entry(
            r#"{ "layer_name": "age_conv3", "attribute_name": "age", "converter": "text", "text_scale": 100, "text_precision": 0 }"#,
        ),
        entry(
            r#"{ "layer_name": "prob", "attribute_name": "gender", "converter": "label", "method": "max" }"#,
        ),
    ];
    let classifier = Classifier::choose(&outputs, &entries, |_, entry| {
        labels(if entry.is_some_and(|entry| entry.method.is_some()) { "Female Male" } else { "" })
    });
    let found = classifier.unwrap().classify(&[&[0.25, 0.75], &[0.42]]).unwrap();
    let texts: Vec<String> =
        found.iter().map(|one| format!("{} {} {}", one.layer, one.attribute, one.label)).collect();
    assert_eq!(texts, ["age_conv3 age 42", "prob gender Male"]);

    let error =
        |entry: Postprocess| Classifier::choose(&outputs, &[entry], |_, _| None).unwrap_err().to_string();
    assert_eq!(
        error(entry(r#"{ "layer_name": "age" }"#)),
        "the layer `age` is none of the model's outputs: `prob` [1,2,1,1] and `fc3_a` [1,1,1,1]"
    );
    assert_eq!(
        error(entry(r#"{ "converter": "text" }"#)),
        "an entry of `output_postproc` names no layer, but the model has several outputs: `prob` [1,2,1,1] and `fc3_a` [1,1,1,1]"
    );
    let raw = Classifier::choose(&outputs, &[], |_, _| None).unwrap();
    assert_eq!(raw.raw().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(
        raw.classify(&[&[0.0; 2], &[0.0; 2]]),
        Err(WrongTensors::Length { n: 1, expected: 1, found: 2 })
    );
}

#[test]
fn tensors_of_any_bits_give_labels_or_none() {
    let mut random = Random::new(5);
    let converters = [
        "",
        r#"{ "method": "max" }"#,
        r#"{ "method": "softmax" }"#,
        r#"{ "method": "compound" }"#,
        r#"{ "method": "multi" }"#,
        r#"{ "method": "index" }"#,
        r#"{ "converter": "text" }"#,
        r#"{ "converter": "expected_value" }"#,
    ];
    for _ in 0..300 {
        let values: Vec<f32> = (0..random.below(5)).map(|_| random.value()).collect();
        for json in converters {
            let n = if json.contains("compound") { 2 * values.len() } else { values.len() };
            read(json, vec!["a"; n].join(" ").as_str(), &values);
        }
    }
}
