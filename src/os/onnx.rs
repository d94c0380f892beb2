//! The files in which an ONNX model keeps its larger tensors.
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
            let until = until.ok_or(io::ErrorKind::InvalidData)?;
            match (message, tag >> 3) {
                (Message::Entry, 1) => key = self.text(length)?,
                (Message::Entry, 2) => value = self.text(length)?,
                (message, number) => match message.field(number).filter(|_| 0 < depth) {
                    Some(inner) => self.message(inner, until, depth - 1)?,
                    None => {
                        self.reader.seek_relative(length.cast_signed())?;
                        self.at = until;
                    }
                },
            }
        }
        if key == "location" && !value.is_empty() {
            self.found.insert(value);
        }
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
    fn other_files_are_refused_and_never_read_beyond_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.onnx");
        for bytes in [&b"not a model"[..], &[0x3a, 0xff, 0xff, 0xff, 0x0f], &[0xff; 20]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(external_files(&path).is_err(), "{bytes:?}");
        }
    }
}
