//! Whether a file of a model makes sense, before anything uses it.
//!
//! OpenVINO's IR (<https://docs.openvino.ai/2025/documentation/openvino-ir-format.html>) is
//! XML that names layers, beside a file of weights: every constant must lie inside that
//! file, and inputs and outputs must exist. ONNX is a protobuf message (`onnx.proto`), whose
//! version and graph are looked for. TFLite is a flatbuffer with the identifier `TFL3`.
//! Inputs and outputs must fit the step ([`tensors`](super::tensors)); those of ONNX are behind
//! its weights, so its caller looks at them.
//!
//! Pure: gets the bytes. Not here: whether the contents are those of a recipe, which its
//! digests tell.

mod ir;

use super::tensors::{ModelUse, Tensors, of_tflite, varint};
use crate::text::counted;

/// The ending of the file with the weights of an IR.
pub const WEIGHTS_ENDING: &str = "bin";

/// The bytes of a file that [`fault`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    Whole,
    /// All of it if the file is small, else the begin.
    WholeIfSmall,
    Begin,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// To follow the file's name.
    pub text: String,
    /// Whether the file seems to be something else.
    pub is_foreign: bool,
}

impl Fault {
    fn damaged(text: String) -> Fault {
        Fault { text, is_foreign: false }
    }

    fn foreign(what: &str) -> Fault {
        Fault { text: format!("is no {what}"), is_foreign: true }
    }
}

/// The bytes that are needed of a file of this name.
#[must_use]
pub fn needed(name: &str) -> Needed {
    match ending(name) {
        Some("xml" | "json") => Needed::Whole,
        Some("tflite") => Needed::WholeIfSmall,
        _ => Needed::Begin,
    }
}

/// What is wrong with a file of `length` bytes that begins with `bytes`; `weights` is the
/// length of the file with its weights, if that exists; `used` says what a step does with it.
/// `None` for a format that is not known.
#[must_use]
pub fn fault(
    name: &str,
    bytes: &[u8],
    length: u64,
    weights: Option<u64>,
    used: Option<ModelUse>,
) -> Option<Fault> {
    let fits = |tensors: Tensors| match used.and_then(|used| tensors.misfit(used)) {
        Some(misfit) => Err(Fault::damaged(misfit)),
        None => Ok(()),
    };
    let checked = match ending(name)? {
        "xml" => ir::openvino(bytes, weights).and_then(fits),
        "onnx" => onnx(bytes, length),
        "tflite" => tflite(bytes).and_then(|()| fits(of_tflite(bytes))),
        "json" => match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::foreign("JSON")),
        },
        // Weights are any bytes; whether there are enough, their XML tells.
        WEIGHTS_ENDING if stands_for_another(bytes) => Err(Fault::foreign("file of weights")),
        "txt" if length == 0 => Err(Fault::damaged("is empty".to_owned())),
        "txt" if stands_for_another(bytes) => Err(Fault::foreign("list of labels")),
        _ => Ok(()),
    };
    checked.err()
}

fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, ending)| ending)
}

/// Whether bytes begin as a page of a server or as a pointer of Git LFS does.
fn stands_for_another(bytes: &[u8]) -> bool {
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).trim_start().to_ascii_lowercase();
    ["<!doctype html", "<html", "version https://git-lfs"].iter().any(|one| begin.starts_with(one))
}

fn counted_bytes(n: u64) -> String {
    counted(n, "byte")
}

/// The fields of `ModelProto` of onnx.proto that are looked for.
const IR_VERSION: u64 = 1;
const GRAPH: u64 = 7;

fn onnx(begin: &[u8], length: u64) -> Result<(), Fault> {
    let foreign = || Fault::foreign("ONNX model");
    let (mut at, mut has_version, mut has_graph) = (0_u64, false, false);
    // A field may end after the bytes that are here.
    while let Some(mut rest) = usize::try_from(at).ok().and_then(|at| begin.get(at..)) {
        if rest.is_empty() {
            break;
        }
        let before = rest.len();
        // The tag or length may be cut off only where the bytes end.
        let Some(tag) = varint(&mut rest) else { break };
        let (field, kind) = (tag >> 3, tag & 7);
        let size = match kind {
            0 => varint(&mut rest).map(|value| {
                has_version |= field == IR_VERSION && value > 0;
                0
            }),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => return Err(foreign()),
        };
        let Some(size) = size else { break };
        let end = (at + (before - rest.len()) as u64).checked_add(size).ok_or_else(foreign)?;
        if field == 0 || length < end {
            return Err(match field == GRAPH && has_version {
                true => Fault::damaged(format!(
                    "is cut off: its graph ends at byte {end}, but the file has {}",
                    counted_bytes(length)
                )),
                false => foreign(),
            });
        }
        has_graph |= field == GRAPH && kind == 2;
        at = end;
    }
    // All of a long text may come before the graph.
    let is_seen = has_graph || (begin.len() as u64) < at;
    if has_version && is_seen { Ok(()) } else { Err(foreign()) }
}

/// A flatbuffer begins with the offset of its table; its identifier follows.
fn tflite(begin: &[u8]) -> Result<(), Fault> {
    match begin.get(4..8) {
        Some(b"TFL3") => Ok(()),
        _ => Err(Fault::foreign("TFLite model")),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(name: &str, bytes: impl AsRef<[u8]>, weights: Option<u64>, expect: Expect) {
        let bytes = bytes.as_ref();
        let fault = fault(name, bytes, bytes.len() as u64, weights, None);
        expect.assert_eq(&fault.map_or("sound".to_owned(), |fault| fault.text));
    }

    /// An IR with a constant of 8 bytes, and more layers.
    fn ir(more: &str) -> String {
        format!(
            r#"<?xml version="1.0"?>
<net name="m" version="11"><layers>
  <layer id="0" name="in" type="Parameter"><data shape="1,2" element_type="f32"/></layer>
  <layer id="1" name="c" type="Const"><data element_type="f32" shape="2" offset="0" size="8"/></layer>{more}
  <layer id="3" name="out" type="Result"/>
</layers><edges/></net>
"#
        )
    }

    #[test]
    fn every_constant_of_an_ir_lies_in_its_weights() {
        check("m.xml", ir(""), Some(8), expect!["sound"]);
        // The weights are missing, which is another fault.
        check("m.xml", ir(""), None, expect!["sound"]);
        check(
            "m.xml",
            ir(""),
            Some(0),
            expect!["needs 8 bytes of weights, but the `.bin` beside it has 0 bytes"],
        );
        let inside = r#"<layer id="2" type="If"><body><layers><layer type="Const"><data offset="8" size="4"/></layer><layer type="Result"/></layers></body></layer>"#;
        check(
            "m.xml",
            ir(inside),
            Some(11),
            expect!["needs 12 bytes of weights, but the `.bin` beside it has 11 bytes"],
        );
        // Numbers of other layers are no places.
        check(
            "m.xml",
            ir(r#"<layer type="X"><data offset="99" size="9"/></layer>"#),
            Some(8),
            expect!["sound"],
        );
        check(
            "m.xml",
            ir(r#"<layer type="Const"><data offset="18446744073709551615" size="1"/></layer>"#),
            Some(8),
            expect!["is damaged at byte 316: no weights can have 1 bytes at 18446744073709551615"],
        );
        let old = r#"<net version="7"><layers><layer type="Input"/><layer type="Convolution"><blobs><weights offset="4" size="4"/></blobs></layer></layers></net>"#;
        check("m.xml", old, Some(8), expect!["sound"]);
        check(
            "m.xml",
            old,
            Some(7),
            expect!["needs 8 bytes of weights, but the `.bin` beside it has 7 bytes"],
        );
    }

    #[test]
    fn an_ir_has_inputs_and_outputs() {
        let without = |kind: &str| ir("").replace(&format!("\"{kind}\""), "\"Abs\"");
        check("m.xml", without("Parameter"), Some(8), expect!["describes a network without inputs"]);
        check("m.xml", without("Result"), Some(8), expect!["describes a network without outputs"]);
        // Those of a network inside a layer are not its own.
        let inside = r#"<layer type="If"><body><layers><layer type="Parameter"/><layer type="Result"/></layers></body></layer>"#;
        let text = format!(r#"<net version="11"><layers>{inside}</layers></net>"#);
        check("m.xml", text, None, expect!["describes a network without inputs"]);
    }

    #[test]
    fn what_is_no_ir_is_told_from_a_damaged_one() {
        check("m.xml", "", None, expect!["is no OpenVINO model"]);
        check("m.xml", "<!DOCTYPE html><html><p>not found</html>", None, expect!["is no OpenVINO model"]);
        check("m.xml", "version https://git-lfs.github.com/spec/v1\n", None, expect!["is no OpenVINO model"]);
        check("m.xml", "{}", None, expect!["is no OpenVINO model"]);
        check("m.xml", "<model/>", None, expect!["is no OpenVINO model"]);
        let whole = ir("");
        check("m.xml", &whole[..150], None, expect!["ends inside the element `layers`: a part is missing"]);
        check(
            "m.xml",
            whole.replace("</layers>", "</layerz>"),
            None,
            expect![
                "is damaged at byte 294: ill-formed document: expected `</layers>`, but `</layerz>` was found"
            ],
        );
        check(
            "m.bin",
            "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
            None,
            expect!["is no file of weights"],
        );
        check("m.bin", [0, 1, 2], None, expect!["sound"]);
    }

    #[test]
    fn inputs_and_outputs_of_an_ir_fit_its_step() {
        #[track_caller]
        fn check(input: &str, output: &str, used: ModelUse, expect: Expect) {
            let text = format!(
                r#"<net version="11"><layers><layer name="x" type="Parameter">{input}</layer><layer name="y" type="Result"><input><port id="0">{output}</port></input></layer></layers></net>"#
            );
            let fault = fault("m.xml", text.as_bytes(), 0, None, Some(used));
            expect.assert_eq(&fault.map_or("fits".to_owned(), |fault| fault.text));
        }
        let picture = r#"<data shape="?,3,1..640,640" element_type="f32"/><output><port id="0"><dim>-1</dim></port></output>"#;
        let boxes = "<dim>1</dim><dim>1</dim><dim>200</dim><dim>7</dim>";
        let classes = "<dim>-1</dim><dim>1000</dim>";
        check(picture, boxes, ModelUse::Detect, expect!["fits"]);
        check(picture, "", ModelUse::Detect, expect!["fits"]);
        check(picture, classes, ModelUse::Infer, expect!["fits"]);
        check(picture, classes, ModelUse::Detect, expect!["is no detector: it has the output `y` [?,1000]"]);
        let vector = "<output><port id=\"0\"><dim>1</dim><dim>512</dim></port></output>";
        check(
            vector,
            boxes,
            ModelUse::Infer,
            expect![
                "takes no pictures, which have 4 dimensions and 1 or 3 channels: it has the input `x` [1,512]"
            ],
        );
        check("<data shape=\"...\"/>", boxes, ModelUse::Infer, expect!["fits"]);
        check("", boxes, ModelUse::Infer, expect!["fits"]);
        // A network inside a layer has inputs and outputs of its own.
        let inside = format!(
            r#"{picture}<body><layers><layer name="z" type="Result"><input><port><dim>1</dim></port></input></layer></layers></body>"#
        );
        check(&inside, boxes, ModelUse::Detect, expect!["fits"]);
    }

    #[test]
    fn onnx_and_tflite_are_told_by_their_headers() {
        let model: &[u8] = &[0x08, 8, 0x12, 1, b'x', 0x3a, 2, 0x12, 0];
        check("m.onnx", model, None, expect!["sound"]);
        check(
            "m.onnx",
            &model[..7],
            None,
            expect!["is cut off: its graph ends at byte 9, but the file has 7 bytes"],
        );
        check("m.onnx", &model[..5], None, expect!["is no ONNX model"]);
        check("m.onnx", "", None, expect!["is no ONNX model"]);
        check("m.onnx", "<html>", None, expect!["is no ONNX model"]);
        check("m.onnx", "version https://git-lfs.github.com/spec/v1\n", None, expect!["is no ONNX model"]);
        check("m.tflite", b"\x1c\0\0\0TFL3\0\0", None, expect!["sound"]);
        check("m.tflite", "<html>", None, expect!["is no TFLite model"]);
    }

    #[test]
    fn a_model_larger_than_what_is_read_of_it_is_sound() {
        // The graph has 1 MiB, of which the begin is here.
        let mut begin = vec![0x08, 8, 0x3a, 0x80, 0x80, 0x40];
        let length = begin.len() as u64 + (1 << 20);
        begin.resize(4096, 0);
        assert_eq!(fault("m.onnx", &begin, length, None, None), None);
        assert!(fault("m.onnx", &begin, length - 1, None, None).is_some());
    }

    #[test]
    fn files_beside_a_model_are_what_their_names_say() {
        check("m.json", r#"{"json_schema_version": "2.2.0"}"#, None, expect!["sound"]);
        check("m.json", "<!doctype html>", None, expect!["is no JSON"]);
        check("m.txt", "face\n", None, expect!["sound"]);
        check("m.txt", "", None, expect!["is empty"]);
        check("m.txt", "\n<HTML>", None, expect!["is no list of labels"]);
        check("m.pdmodel", "", None, expect!["sound"]);
    }
}
