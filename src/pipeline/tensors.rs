//! The inputs and outputs of a model, and whether they fit the step that uses it.
//!
//! Only what cannot be is refused: a shape that is not known, and a dimension that is not,
//! may be any. Outputs of detectors have many layouts, so one is no detector only if all its
//! outputs are single vectors, as a classifier's are.
//!
//! Pure: gets bytes. Reads descriptions of ONNX (`ValueInfoProto` of onnx.proto) and the tables
//! of TFLite (<https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs>).
//! Not here: OpenVINO's IR (`model_file`).

use crate::text::{counted, harmless};

/// What a step does with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelUse {
    /// `gvadetect`
    Detect,
    /// `gvaclassify`, `gvainference`
    Infer,
}

impl ModelUse {
    /// The use of a model at this path, by upstream's folders: `models/object_detection/...`.
    #[must_use]
    pub fn of_path(path: &str) -> Option<ModelUse> {
        match path.strip_prefix("models/")?.split_once('/')?.0 {
            "object_detection" => Some(ModelUse::Detect),
            "object_classification" => Some(ModelUse::Infer),
            _ => None,
        }
    }
}

/// Dimensions; `None` for one that is not known. `None` for a shape that is not known at all.
pub type Shape = Option<Vec<Option<u64>>>;

/// An input or an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub shape: Shape,
}

/// All inputs and outputs; without any, nothing is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tensors {
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
}

/// The most tensors that an error names.
const NAMED: usize = 3;

impl Tensors {
    /// Why a step cannot use the model, to follow its name.
    #[must_use]
    pub fn misfit(&self, used: ModelUse) -> Option<String> {
        let is_known = !self.inputs.is_empty();
        if is_known && !self.inputs.iter().any(|input| may_be_picture(&input.shape)) {
            let inputs = shown(&self.inputs, "input");
            return Some(format!("takes no pictures, which have 4 dimensions and 1 or 3 channels: {inputs}"));
        }
        let is_known = !self.outputs.is_empty();
        if used == ModelUse::Detect
            && is_known
            && !self.outputs.iter().any(|output| may_be_detections(&output.shape))
        {
            return Some(format!("is no detector: {}", shown(&self.outputs, "output")));
        }
        None
    }
}

/// Frames come as batches of pictures, with the channels first or last.
fn may_be_picture(shape: &Shape) -> bool {
    let Some(shape) = shape else { return true };
    let are_channels = |dimension: Option<u64>| dimension.is_none_or(|n| matches!(n, 1 | 3));
    matches!(shape.as_slice(), [_, first, _, last] if are_channels(*first) || are_channels(*last))
}

/// Boxes, alone or with a score and a class, in rows; or a row per cell of a grid.
fn may_be_detections(shape: &Shape) -> bool {
    let Some(shape) = shape else { return true };
    // Rows of boxes, also for a single one.
    if shape.last().is_some_and(|last| last.is_none_or(|n| (4..=7).contains(&n))) {
        return true;
    }
    let is_long = |dimension: &&Option<u64>| **dimension != Some(1);
    shape.len() > 2 && shape[1..].iter().filter(is_long).count() > 1
}

/// "its output `prob` is [1,1000]"
fn shown(tensors: &[Tensor], noun: &str) -> String {
    let one = |tensor: &Tensor| {
        let sizes: Vec<String> = tensor
            .shape
            .iter()
            .flatten()
            .map(|dimension| dimension.map_or_else(|| "?".to_owned(), |n| n.to_string()))
            .collect();
        format!("`{}` [{}]", harmless(&tensor.name), sizes.join(","))
    };
    let named: Vec<String> = tensors.iter().take(NAMED).map(one).collect();
    let more = tensors.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it has {} {}{more}", counted(tensors.len(), noun).replacen("1 ", "the ", 1), named.join(", "))
}

/// The inputs and outputs of an ONNX model, of which each has its `ValueInfoProto` here.
#[must_use]
pub fn of_onnx(inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Tensors {
    let tensors = |all: &[Vec<u8>]| all.iter().map(|info| value_info(info)).collect();
    Tensors { inputs: tensors(inputs), outputs: tensors(outputs) }
}

/// A field of a message of protobuf.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message up to the first damaged one.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (field, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(field)
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    })
}

/// The message in a field.
fn inner(bytes: &[u8], number: u64) -> Option<&[u8]> {
    fields(bytes).find_map(|(found, field)| match field {
        Field::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    })
}

/// A number of protobuf; `None` if it is cut off or too long.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (n, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n).min(63);
        if byte & 0x80 == 0 {
            *bytes = &bytes[n + 1..];
            return Some(value);
        }
    }
    None
}

/// `ValueInfoProto`: name 1, type 2; its tensor 1, of which the shape 2, whose dimensions 1
/// have a value 1 or a name.
fn value_info(info: &[u8]) -> Tensor {
    let name = String::from_utf8_lossy(inner(info, 1).unwrap_or_default()).into_owned();
    let shape = || inner(inner(inner(info, 2)?, 1)?, 2);
    let dimension = |(number, field): (u64, Field<'_>)| match field {
        Field::Bytes(bytes) if number == 1 => Some(fields(bytes).find_map(|(number, field)| match field {
            Field::Number(n) if number == 1 && n > 0 => Some(n),
            _ => None,
        })),
        _ => None,
    };
    Tensor { name, shape: shape().map(|shape| fields(shape).filter_map(dimension).collect()) }
}

/// The inputs and outputs of a TFLite model; none if its tables are elsewhere than in `bytes`.
#[must_use]
pub fn of_tflite(bytes: &[u8]) -> Tensors {
    tflite(&Tables(bytes)).unwrap_or_default()
}

/// The tables of a flatbuffer (<https://flatbuffers.dev/internals/>). Places are offsets in bytes.
struct Tables<'b>(&'b [u8]);

impl Tables<'_> {
    fn short(&self, at: usize) -> Option<usize> {
        let bytes = self.0.get(at..at.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?).into())
    }

    fn number(&self, at: usize) -> Option<i32> {
        let bytes = self.0.get(at..at.checked_add(4)?)?;
        Some(i32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Where the offset at `at` leads.
    fn follow(&self, at: usize) -> Option<usize> {
        at.checked_add(usize::try_from(self.number(at)?.cast_unsigned()).ok()?)
    }

    /// Where the value of a field is; `None` if the table has none.
    fn field(&self, table: usize, number: usize) -> Option<usize> {
        let list = i64::try_from(table).ok()? - i64::from(self.number(table)?);
        let list = usize::try_from(list).ok()?;
        let entry = 4 + 2 * number;
        if entry + 2 > self.short(list)? {
            return None;
        }
        let offset = self.short(list.checked_add(entry)?)?;
        if offset == 0 { None } else { table.checked_add(offset) }
    }

    /// The places of the items of four bytes in the list of a field.
    fn items(&self, table: usize, number: usize) -> Option<impl Iterator<Item = usize>> {
        let list = self.follow(self.field(table, number)?)?;
        let n = usize::try_from(self.number(list)?).ok()?.min(self.0.len() / 4);
        Some((0..n).map(move |n| list + 4 + 4 * n))
    }
}

/// Fields of tables of TFLite's schema.
const SUBGRAPHS: usize = 2;
const TENSORS: usize = 0;
const INPUTS: usize = 1;
const OUTPUTS: usize = 2;
const SHAPE: usize = 0;
const NAME: usize = 3;
/// The shape with -1 for dimensions that may be any.
const SIGNATURE: usize = 7;

fn tflite(tables: &Tables<'_>) -> Option<Tensors> {
    let model = tables.follow(0)?;
    let graph = tables.follow(tables.items(model, SUBGRAPHS)?.next()?)?;
    let all: Vec<usize> = tables.items(graph, TENSORS)?.collect();
    let tensor = |number: usize| {
        let table = tables.follow(*all.get(usize::try_from(tables.number(number)?).ok()?)?)?;
        let numbers = |field: usize| {
            let items = tables.items(table, field)?;
            let numbers: Vec<i32> = items.map_while(|at| tables.number(at)).collect();
            Some(numbers).filter(|numbers| !numbers.is_empty())
        };
        let shape = numbers(SIGNATURE).or_else(|| numbers(SHAPE));
        let shape = shape.map(|shape| shape.into_iter().map(|n| u64::try_from(n).ok()).collect());
        let name = || {
            let text = tables.follow(tables.field(table, NAME)?)?;
            let length = usize::try_from(tables.number(text)?).ok()?;
            let begin = text.checked_add(4)?;
            Some(String::from_utf8_lossy(tables.0.get(begin..begin.checked_add(length)?)?).into_owned())
        };
        Some(Tensor { name: name().unwrap_or_default(), shape })
    };
    let side = |field: usize| Some(tables.items(graph, field)?.filter_map(tensor).collect());
    Some(Tensors { inputs: side(INPUTS)?, outputs: side(OUTPUTS)? })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn tensor(name: &str, shape: &[i64]) -> Tensor {
        let shape = Some(shape.iter().map(|n| u64::try_from(*n).ok()).collect());
        Tensor { name: name.to_owned(), shape }
    }

    #[track_caller]
    fn check(used: ModelUse, inputs: &[&[i64]], outputs: &[&[i64]], expect: Expect) {
        let tensors = |name: &str, shapes: &[&[i64]]| {
            shapes.iter().enumerate().map(|(n, shape)| tensor(&format!("{name}{n}"), shape)).collect()
        };
        let tensors = Tensors { inputs: tensors("in", inputs), outputs: tensors("out", outputs) };
        expect.assert_eq(&tensors.misfit(used).unwrap_or_else(|| "fits".to_owned()));
    }

    const PICTURE: &[i64] = &[1, 3, 300, 300];

    #[test]
    fn every_layout_of_detections_fits_a_detector() {
        let layouts: [&[&[i64]]; 12] = [
            &[&[1, 1, 200, 7]],
            &[&[1, 84, 8400]],
            &[&[1, 300, 6]],
            &[&[1, 1917, 4], &[1, 1917, 24]],
            &[&[1, 896, 16], &[1, 896, 1]],
            &[&[1, 255, 13, 13], &[1, 255, 26, 26]],
            &[&[100, 5], &[100]],
            &[&[-1, 5]],
            &[&[-1, -1]],
            &[&[1, 1, 1, 7]],
            &[&[1, 4], &[1, 80]],
            &[],
        ];
        for outputs in layouts {
            check(ModelUse::Detect, &[PICTURE], outputs, expect!["fits"]);
        }
    }

    #[test]
    fn single_vectors_are_no_detections() {
        check(
            ModelUse::Detect,
            &[PICTURE],
            &[&[1, 1000]],
            expect!["is no detector: it has the output `out0` [1,1000]"],
        );
        check(
            ModelUse::Detect,
            &[PICTURE],
            &[&[-1, 81], &[1, 2, 1, 1], &[1, 1, 1, 1], &[]],
            expect![
                "is no detector: it has 4 outputs `out0` [?,81], `out1` [1,2,1,1], `out2` [1,1,1,1] and 1 more"
            ],
        );
        check(ModelUse::Infer, &[PICTURE], &[&[1, 1000]], expect!["fits"]);
    }

    #[test]
    fn one_input_takes_pictures() {
        for picture in [&[1, 128, 128, 3][..], &[-1, -1, -1, -1], &[1, 1, 28, 28], &[8, -1, 64, 64]] {
            check(ModelUse::Infer, &[picture], &[], expect!["fits"]);
            check(ModelUse::Infer, &[&[1, 6], picture], &[], expect!["fits"]);
        }
        for other in [&[1, 3, 224][..], &[1, 512], &[1, 64, 14, 14], &[]] {
            let tensors = Tensors { inputs: vec![tensor("x", other)], outputs: Vec::new() };
            assert!(tensors.misfit(ModelUse::Infer).is_some(), "{other:?}");
        }
        check(
            ModelUse::Infer,
            &[&[1, 512]],
            &[&[1, 2]],
            expect![
                "takes no pictures, which have 4 dimensions and 1 or 3 channels: it has the input `in0` [1,512]"
            ],
        );
        let unknown = Tensors { inputs: vec![Tensor::default()], outputs: vec![Tensor::default()] };
        assert_eq!(unknown.misfit(ModelUse::Detect), None);
    }

    #[test]
    fn a_use_follows_from_the_folder() {
        assert_eq!(ModelUse::of_path("models/object_detection/m/FP16/m.xml"), Some(ModelUse::Detect));
        assert_eq!(ModelUse::of_path("models/object_classification/m/m.json"), Some(ModelUse::Infer));
        assert_eq!(ModelUse::of_path("own/object_detection/m.xml"), None);
    }

    #[test]
    fn inputs_of_onnx_are_read() {
        // `images`, float, [N,3,64,64], as the exporter of age-v1 wrote it.
        let info =
            b"\n\x06images\x12\x17\n\x15\x08\x01\x12\x11\n\x03\x12\x01N\n\x02\x08\x03\n\x02\x08@\n\x02\x08@";
        assert_eq!(value_info(info), tensor("images", &[-1, 3, 64, 64]));
        for n in 0..info.len() {
            value_info(&info[..n]);
        }
        assert_eq!(value_info(b"\n\x01x"), Tensor { name: "x".to_owned(), shape: None });
    }

    /// Writes a flatbuffer from its begin to its end.
    struct Writer(Vec<u8>);

    impl Writer {
        fn put(&mut self, number: i32) -> usize {
            self.0.extend(number.to_le_bytes());
            self.0.len() - 4
        }

        fn set(&mut self, at: usize, number: usize) {
            self.0[at..at + 4].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
        }

        /// Lets the offset at `at` lead to what follows.
        fn here(&mut self, at: usize) {
            self.set(at, self.0.len() - at);
        }

        /// A table with these fields, of four bytes each, to which `at` leads: their places.
        fn table(&mut self, at: usize, fields: &[usize]) -> Vec<usize> {
            let list = self.0.len();
            let n = fields.iter().max().unwrap() + 1;
            let offset = |number| fields.iter().position(|field| *field == number).map_or(0, |n| 4 + 4 * n);
            let entries = (0..n).map(offset);
            for entry in [4 + 2 * n, 4 + 4 * fields.len()].into_iter().chain(entries) {
                self.0.extend(u16::try_from(entry).unwrap().to_le_bytes());
            }
            self.here(at);
            let table = self.put(0);
            self.set(table, table - list);
            fields.iter().map(|_| self.put(0)).collect()
        }

        /// A list to which `at` leads: the places of its items.
        fn list(&mut self, at: usize, numbers: &[i32]) -> Vec<usize> {
            self.here(at);
            self.put(numbers.len().try_into().unwrap());
            numbers.iter().map(|number| self.put(*number)).collect()
        }
    }

    #[test]
    fn tables_of_tflite_are_read_within_their_bytes() {
        let mut writer = Writer(Vec::new());
        let begin = writer.put(0);
        writer.0.extend(b"TFL3");
        let model = writer.table(begin, &[SUBGRAPHS]);
        let graphs = writer.list(model[0], &[0]);
        let graph = writer.table(graphs[0], &[TENSORS, INPUTS, OUTPUTS]);
        let tensors = writer.list(graph[0], &[0, 0, 0]);
        writer.list(graph[1], &[2]);
        writer.list(graph[2], &[0, 1]);
        let named = [("a", &[1, 896, 16][..]), ("b", &[1, 896, 1]), ("image", &[1, 128, 128, 3])];
        for (at, (name, shape)) in tensors.into_iter().zip(named) {
            let fields = writer.table(at, &[SHAPE, NAME, SIGNATURE]);
            writer.list(fields[0], shape);
            writer.here(fields[1]);
            writer.put(name.len().try_into().unwrap());
            writer.0.extend(name.bytes());
            let any = if name == "b" { &[-1, 896, 1][..] } else { &[] };
            writer.list(fields[2], any);
        }
        let bytes = writer.0;
        let outputs = vec![tensor("a", &[1, 896, 16]), tensor("b", &[-1, 896, 1])];
        let inputs = vec![tensor("image", &[1, 128, 128, 3])];
        assert_eq!(of_tflite(&bytes), Tensors { inputs, outputs });
        for n in 0..bytes.len() {
            let _ = of_tflite(&bytes[..n]);
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[n] = byte;
                let _ = of_tflite(&damaged);
            }
        }
    }
}
