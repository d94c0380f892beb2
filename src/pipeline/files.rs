//! The files that elements read: which properties name them, and which more
//! belong to a model.
//!
//! Pure. What a model names in its own bytes (the external data of an ONNX
//! model) is for whoever may read it: `os::onnx`.

use super::{Property, Value};
use crate::path::ProjectPath;

/// Properties that name files which are read, by the beginning of the factory.
/// DL Streamer 2026.2, GStreamer 1.22, NNStreamer 2.4.
const READ: &[(&str, &[&str])] = &[
    (
        "gva",
        &[
            "model",
            "model-path",
            "model-proc",
            "labels",
            "labels-file",
            "custom-preproc-lib",
            "custom-postproc-lib",
            "ov-extension-lib",
            "module",
            "prompt-path",
            "mqtt-config",
        ],
    ),
    ("gvaattachroi", &["file-path"]),
    ("facedetect", &["profile", "nose-profile", "mouth-profile", "eyes-profile"]),
    ("faceblur", &["profile"]),
    ("handdetect", &["profile-fist", "profile-palm"]),
    ("templatematch", &["template"]),
    ("onnxinference", &["model-file"]),
    ("tfliteinference", &["model-file"]),
    ("ssdobjectdetector", &["label-file", "labels-file"]),
    ("tensor_filter", &["model"]),
    ("gdkpixbufoverlay", &["location"]),
    ("rsvgoverlay", &["location"]),
];

/// Properties whose file is a model.
const MODELS: &[&str] = &["model", "model-path", "model-file"];

/// Whether a property names files that the element reads.
#[must_use]
pub fn are_named_by(factory: &str, property: &str) -> bool {
    // GObject takes `_` for `-`.
    let property = property.replace('_', "-");
    READ.iter().any(|(begin, names)| factory.starts_with(begin) && names.contains(&property.as_str()))
}

/// The files that such a property's text names: one, or several in the form
/// `layer=path,layer=path`. `None` if one of them lies outside the project.
#[must_use]
pub fn named(text: &str) -> Option<Value> {
    let parts = text.split(',').map(|part| match part.split_once('=') {
        Some((layer, path)) => Some((format!("{layer}="), ProjectPath::new(path).ok()?)),
        None => Some((String::new(), ProjectPath::new(part).ok()?)),
    });
    let mut parts: Vec<(String, ProjectPath)> = parts.collect::<Option<_>>()?;
    match parts.as_slice() {
        [(layer, _)] if layer.is_empty() => parts.pop().map(|(_, path)| Value::Input(path)),
        _ => Some(Value::Inputs(parts)),
    }
}

/// The files that a property's value needs: those that it names, and the
/// weights beside a model of OpenVINO's own format, which nothing names.
#[must_use]
pub fn of(property: &Property) -> Vec<ProjectPath> {
    let mut files = match &property.value {
        Value::Input(path) => vec![path.clone()],
        Value::Inputs(parts) => parts.iter().map(|(_, path)| path.clone()).collect(),
        _ => return Vec::new(),
    };
    if MODELS.contains(&property.name.replace('_', "-").as_str()) {
        let weights = files.iter().filter_map(|path| path.as_str().strip_suffix(".xml"));
        let weights: Vec<ProjectPath> =
            weights.filter_map(|stem| ProjectPath::new(&format!("{stem}.bin")).ok()).collect();
        files.extend(weights);
    }
    files
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(factory: &str, name: &str, text: &str, expect: Expect) {
        let value = if are_named_by(factory, name) { named(text) } else { None };
        let property = Property { name: name.to_owned(), value: value.unwrap_or(Value::Int(0)) };
        let files: Vec<String> = of(&property).iter().map(ToString::to_string).collect();
        expect.assert_eq(&files.join(" "));
    }

    #[test]
    fn every_file_of_a_model_is_found() {
        check("gvadetect", "model", "models/x.xml", expect!["models/x.xml models/x.bin"]);
        check("gvadetect", "model", "models/x.onnx", expect!["models/x.onnx"]);
        check("gvaclassify", "model_proc", "./models/x.json", expect!["models/x.json"]);
        check("gvaclassify", "labels", "a=m/a.txt,b=m/b.txt", expect!["m/a.txt m/b.txt"]);
        check("gvaclassify", "labels", "m/a.txt", expect!["m/a.txt"]);
        check("tensor_filter", "model", "m/init.pb,m/predict.pb", expect!["m/init.pb m/predict.pb"]);
        check("facedetect", "profile", "m/haar.xml", expect!["m/haar.xml"]);
        // Written, not read.
        check("gvametapublish", "file-path", "out.jsonl", expect![""]);
        check("gvadetect", "model", "/opt/x.xml", expect![""]);
    }
}
