//! Reads OpenVINO's IR: layers, constants, inputs and outputs.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Fault, counted_bytes};
use crate::pipeline::tensors::{Shape, Tensor, Tensors};
use crate::text::harmless;

/// The first version of IR that has layers `Parameter` and `Result`.
const FIRST_WITH_RESULTS: u32 = 10;

/// A layer that is an input or output of the network.
struct Port {
    tensor: Tensor,
    is_input: bool,
    /// Those of its port, which count unless the layer itself has a shape.
    dimensions: Vec<Option<u64>>,
}

/// The parts of an IR that are seen so far.
#[derive(Default)]
struct Network {
    /// The names of the elements around.
    around: Vec<String>,
    /// The types of the layers around: a layer may have a network inside.
    layers: Vec<String>,
    version: u32,
    has_input: bool,
    has_output: bool,
    tensors: Tensors,
    /// The input or output whose layer is read.
    current: Option<Port>,
    /// The byte after the last constant.
    end_of_weights: u64,
}

/// The inputs and outputs of an IR, if it is sound. `weights` is the length of the file with its
/// weights.
pub(super) fn openvino(bytes: &[u8], weights: Option<u64>) -> Result<Tensors, Fault> {
    let mut reader = Reader::from_reader(bytes);
    let mut network = Network::default();
    loop {
        let damaged = |reason: String, at: u64| {
            Fault::damaged(format!("is damaged at byte {at}: {}", harmless(&reason)))
        };
        let event = reader.read_event().map_err(|error| match network.around.is_empty() {
            true => Fault::foreign("OpenVINO model"),
            false => damaged(error.to_string(), reader.error_position()),
        })?;
        match event {
            Event::Start(element) => {
                network.see(&element).map_err(|reason| damaged(reason, reader.buffer_position()))?;
                if element.name().as_ref() == "layer" {
                    network.layers.push(attribute(&element, "type").unwrap_or_default());
                }
                network.around.push(element.name().as_ref().to_owned());
            }
            Event::Empty(element) => {
                network.see(&element).map_err(|reason| damaged(reason, reader.buffer_position()))?;
                if element.name().as_ref() == "layer" {
                    network.end_layer();
                }
            }
            Event::Text(text) => network.read_dimension(&text),
            Event::End(element) => {
                if element.name().as_ref() == "layer" {
                    network.layers.pop();
                    network.end_layer();
                }
                network.around.pop();
                if network.around.is_empty() {
                    break;
                }
            }
            Event::Eof if network.around.is_empty() => return Err(Fault::foreign("OpenVINO model")),
            Event::Eof => {
                let inside = network.around.last().map_or("", String::as_str);
                let text = format!("ends inside the element `{}`: a part is missing", harmless(inside));
                return Err(Fault::damaged(text));
            }
            _ => {}
        }
        if network.around.first().is_some_and(|root| root != "net") {
            return Err(Fault::foreign("OpenVINO model"));
        }
    }
    network.judge(weights)?;
    Ok(network.tensors)
}

impl Network {
    /// Takes note of an element that begins.
    fn see(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        match element.name().as_ref() {
            "net" => {
                self.version = attribute(element, "version").and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            "layer" if self.layers.is_empty() => {
                let kind = attribute(element, "type");
                let is_input = matches!(kind.as_deref(), Some("Parameter" | "Input"));
                let is_output = kind.as_deref() == Some("Result");
                self.has_input |= is_input;
                self.has_output |= is_output;
                let name = attribute(element, "name").unwrap_or_default();
                let tensor = Tensor { name, shape: None };
                let port = Port { tensor, is_input, dimensions: Vec::new() };
                self.current = (is_input || is_output).then_some(port);
            }
            "data" if self.layers.len() == 1 && self.current.is_some() => {
                if let Some(port) = self.current.as_mut().filter(|port| port.is_input) {
                    port.tensor.shape = attribute(element, "shape").and_then(|text| shape(&text));
                }
            }
            // Before version 10, weights stand in `blobs`.
            "data" if self.layers.last().is_some_and(|kind| kind == "Const") => self.weights(element)?,
            _ if self.around.last().is_some_and(|around| around == "blobs") => self.weights(element)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes note of the text of an element `dim`.
    fn read_dimension(&mut self, text: &str) {
        let is_dimension = self.layers.len() == 1 && self.around.last().is_some_and(|around| around == "dim");
        if let Some(port) = self.current.as_mut().filter(|_| is_dimension) {
            port.dimensions.push(text.trim().parse().ok());
        }
    }

    /// Takes note of the input or output whose layer ends.
    fn end_layer(&mut self) {
        if !self.layers.is_empty() {
            return;
        }
        let Some(Port { mut tensor, is_input, dimensions }) = self.current.take() else { return };
        // A port without dimensions is a number, or one of any shape.
        tensor.shape = tensor.shape.or(Some(dimensions).filter(|dimensions| !dimensions.is_empty()));
        let side = if is_input { &mut self.tensors.inputs } else { &mut self.tensors.outputs };
        side.push(tensor);
    }

    fn weights(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let (Some(offset), Some(size)) = (attribute(element, "offset"), attribute(element, "size")) else {
            return Ok(());
        };
        let end = || offset.parse::<u64>().ok()?.checked_add(size.parse::<u64>().ok()?);
        let end = end().ok_or_else(|| format!("no weights can have {size} bytes at {offset}"))?;
        self.end_of_weights = self.end_of_weights.max(end);
        Ok(())
    }

    fn judge(&self, weights: Option<u64>) -> Result<(), Fault> {
        let is_old = self.version < FIRST_WITH_RESULTS;
        if !self.has_input {
            return Err(Fault::damaged("describes a network without inputs".to_owned()));
        }
        if !self.has_output && !is_old {
            return Err(Fault::damaged("describes a network without outputs".to_owned()));
        }
        match weights {
            Some(length) if length < self.end_of_weights => Err(Fault::damaged(format!(
                "needs {} of weights, but the `.bin` beside it has {}",
                counted_bytes(self.end_of_weights),
                counted_bytes(length)
            ))),
            _ => Ok(()),
        }
    }
}

/// `1,3,?,1..640` as written in an IR; `None` if the number of dimensions is not known.
fn shape(text: &str) -> Shape {
    match text.trim() {
        "" => Some(Vec::new()),
        "..." => None,
        text => Some(text.split(',').map(|dimension| dimension.trim().parse().ok()).collect()),
    }
}

/// The value of an attribute of an element.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    Some(element.try_get_attribute(name).ok()??.value.into_owned())
}
