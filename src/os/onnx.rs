//! The files in which an ONNX model keeps its larger tensors, and its inputs and outputs.
//!
//! A model beyond 2 GiB, and any that its author saved so, names them in its
//! tensors: `external_data` of `TensorProto` (onnx.proto, IR version 3 and
//! later). Only the frame of each message is read and payloads are skipped, so
//! a large model costs some seeks.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Deeper than any graph inside a node inside a graph.
const MAX_DEPTH: u32 = 64;
/// Longer than any path.
const MAX_TEXT: u64 = 4096;

/// The files that a model names, as it writes them: relative to its own folder.
///
/// # Errors
/// When it cannot be read or is not an ONNX model.
pub fn external_files(path: &Path) -> io::Result<BTreeSet<String>> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut reader = Protobuf { reader: BufReader::new(file), at: 0, found: BTreeSet::new() };
    reader.message(Message::Model, end, MAX_DEPTH)?;
    Ok(reader.found)
}

/// The longest description of an input or output, in bytes, and the most of them.
const MAX_INFO: u64 = 64 << 10;
const MAX_INFOS: usize = 256;

/// The descriptions of a model's inputs and outputs: each is a `ValueInfoProto`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infos {
    pub inputs: Vec<Vec<u8>>,
    pub outputs: Vec<Vec<u8>>,
}

/// The inputs and outputs of a model's graph.
///
/// # Errors
/// When it cannot be read or is not an ONNX model.
pub fn infos(path: &Path) -> io::Result<Infos> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut reader = Protobuf { reader: BufReader::new(file), at: 0, found: BTreeSet::new() };
    let mut infos = Infos::default();
    let mut end_of_graph = 0;
    while let Some((number, until)) = reader.field(end)? {
        let is_in_graph = until <= end_of_graph;
        match number {
            7 if !is_in_graph => {
                // Its fields come next.
                end_of_graph = until;
                continue;
            }
            11 | 12 if is_in_graph => {
                let side = if number == 11 { &mut infos.inputs } else { &mut infos.outputs };
                if until - reader.at > MAX_INFO || side.len() == MAX_INFOS {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let mut info = vec![0; usize::try_from(until - reader.at).expect("it is small")];
                reader.reader.read_exact(&mut info)?;
                reader.at = until;
                side.push(info);
            }
            _ => reader.skip(until)?,
        }
    }
    Ok(infos)
}

/// The messages on the way from a model to its tensors.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
    Entry,
}

impl Message {
    /// The message in a field, if tensors may be below it.
    fn field(self, number: u64) -> Option<Message> {
        Some(match (self, number) {
            (Message::Model, 7) | (Message::Attribute, 6 | 11) => Message::Graph,
            (Message::Model, 25) => Message::Function,
            (Message::Graph, 1) | (Message::Function, 7) => Message::Node,
            (Message::Node, 5) => Message::Attribute,
            (Message::Graph, 15) | (Message::Attribute, 22 | 23) => Message::SparseTensor,
            (Message::Graph, 5) | (Message::Attribute, 5 | 10) | (Message::SparseTensor, 1 | 2) => {
                Message::Tensor
            }
            (Message::Tensor, 13) => Message::Entry,
            _ => return None,
        })
    }
}

struct Protobuf {
    reader: BufReader<File>,
    at: u64,
    found: BTreeSet<String>,
}

impl Protobuf {
    fn message(&mut self, message: Message, end: u64, depth: u32) -> io::Result<()> {
        let (mut key, mut value) = (String::new(), String::new());
        while let Some((number, until)) = self.field(end)? {
            match (message, number) {
                (Message::Entry, 1) => key = self.text(until - self.at)?,
                (Message::Entry, 2) => value = self.text(until - self.at)?,
                (message, number) => match message.field(number).filter(|_| 0 < depth) {
                    Some(inner) => self.message(inner, until, depth - 1)?,
                    None => self.skip(until)?,
                },
            }
        }
        if key == "location" && !value.is_empty() {
            self.found.insert(value);
        }
        Ok(())
    }

    /// The number of the next field that is no number itself, and where it ends; `None` at `end`.
    fn field(&mut self, end: u64) -> io::Result<Option<(u64, u64)>> {
        while self.at < end {
            let tag = self.varint()?;
            let length = match tag & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                2 => self.varint()?,
                5 => 4,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            let until = self.at.checked_add(length).filter(|until| *until <= end);
            return Ok(Some((tag >> 3, until.ok_or(io::ErrorKind::InvalidData)?)));
        }
        Ok(None)
    }

    /// Goes on at `until`.
    fn skip(&mut self, until: u64) -> io::Result<()> {
        self.reader.seek_relative((until - self.at).cast_signed())?;
        self.at = until;
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn text(&mut self, length: u64) -> io::Result<String> {
        let mut bytes = vec![0; usize::try_from(length.min(MAX_TEXT)).expect("it is small")];
        self.reader.read_exact(&mut bytes)?;
        self.at += bytes.len() as u64;
        if MAX_TEXT < length {
            return Err(io::ErrorKind::InvalidData.into());
        }
        String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds bytes, as protobuf writes it.
    fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for mut value in [number << 3 | 2, bytes.len() as u64] {
            while 0x80 <= value {
                out.push((value & 0x7f) as u8 | 0x80);
                value >>= 7;
            }
            out.push(value as u8);
        }
        out.extend(bytes);
        out
    }

    fn tensor(location: &str) -> Vec<u8> {
        let entry = |key: &str, value: &str| {
            field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
        };
        let raw = field(9, &[7; 300]);
        [field(8, b"w"), raw, entry("location", location), entry("offset", "4096"), vec![0x70, 1]].concat()
    }

    #[track_caller]
    fn check(model: &[u8], expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        std::fs::write(&path, model).unwrap();
        assert_eq!(external_files(&path).unwrap().into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn locations_are_found_in_every_place_that_has_tensors() {
        let of_node = field(1, &field(5, &field(5, &tensor("node.bin"))));
        let of_branch = field(1, &field(5, &field(6, &field(5, &tensor("branch.bin")))));
        let graph = [field(5, &tensor("x.data")), field(5, &tensor("x.data")), of_node, of_branch].concat();
        let model = [vec![0x08, 8], field(2, b"pytorch"), field(7, &graph)].concat();
        check(&model, &["branch.bin", "node.bin", "x.data"]);
        check(&[vec![0x08, 8], field(7, &field(5, &field(9, &[0; 70_000])))].concat(), &[]);
    }

    #[test]
    fn inputs_and_outputs_are_those_of_the_graph() {
        let inside = field(1, &field(5, &field(6, &field(11, b"of a branch"))));
        let graph = [field(5, &[7; 70_000]), inside, field(11, b"in"), field(12, b"out"), field(12, b"more")];
        let model =
            [vec![0x08, 8], field(11, b"other"), field(7, &graph.concat()), field(12, b"other")].concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        std::fs::write(&path, &model).unwrap();
        let found = infos(&path).unwrap();
        assert_eq!(
            (found.inputs, found.outputs),
            (vec![b"in".to_vec()], vec![b"out".to_vec(), b"more".to_vec()])
        );
        std::fs::write(&path, &model[..model.len() - 20]).unwrap();
        assert!(infos(&path).is_err());
    }

    #[test]
    fn other_files_are_refused_and_never_read_beyond_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        for bytes in [&b"not a model"[..], &[0x3a, 0xff, 0xff, 0xff, 0x0f], &[0xff; 20]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(external_files(&path).is_err(), "{bytes:?}");
        }
    }
}
