//! All names of the outputs of a model in OpenVINO's IR.
//!
//! OpenVINO's C interface tells one name of an output, but model-proc files may name another: a
//! tensor has several, and the layer that makes it has one more (`age_conv3` makes `fc3_a`). They
//! are in the XML: a layer `Result` is an output, and an edge leads to it from the port that
//! makes it.
//!
//! Source: <https://docs.openvino.ai/2025/documentation/openvino-ir-format.html>. Read leniently:
//! what is not there has no name.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// A layer of the network, and the names of the tensors of its output ports.
#[derive(Default)]
struct Layer {
    name: String,
    is_result: bool,
    ports: BTreeMap<String, Vec<String>>,
}

/// The names of each output, those of its tensor first, in the order of the outputs.
pub(super) fn of_outputs(xml: &[u8]) -> Vec<Vec<String>> {
    let mut reader = Reader::from_reader(xml);
    let mut around: Vec<String> = Vec::new();
    // In the order of the file, which is that of OpenVINO's outputs.
    let mut layers: Vec<(String, Layer)> = Vec::new();
    let mut edges: BTreeMap<String, (String, String)> = BTreeMap::new();
    loop {
        let (element, is_open) = match reader.read_event() {
            Ok(Event::Start(element)) => (element.into_owned(), true),
            Ok(Event::Empty(element)) => (element.into_owned(), false),
            Ok(Event::End(_)) => {
                around.pop();
                continue;
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => continue,
        };
        let path: Vec<&str> = around.iter().map(String::as_str).collect();
        let name = element.name().as_ref().to_owned();
        match (path.as_slice(), name.as_str()) {
            (["net", "layers"], "layer") => {
                let layer = Layer {
                    name: attribute(&element, "name"),
                    is_result: attribute(&element, "type") == "Result",
                    ports: BTreeMap::new(),
                };
                layers.push((attribute(&element, "id"), layer));
            }
            (["net", "layers", "layer", "output"], "port") => {
                if let Some((_, layer)) = layers.last_mut() {
                    layer.ports.insert(attribute(&element, "id"), separated(&attribute(&element, "names")));
                }
            }
            (["net", "edges"], "edge") => {
                let from = (attribute(&element, "from-layer"), attribute(&element, "from-port"));
                edges.insert(attribute(&element, "to-layer"), from);
            }
            _ => {}
        }
        if is_open {
            around.push(name);
        }
    }
    let results = layers.iter().filter(|(_, layer)| layer.is_result);
    let names = |(id, _): &(String, Layer)| {
        let Some((from, port)) = edges.get(id) else { return Vec::new() };
        let Some((_, maker)) = layers.iter().find(|(id, _)| id == from) else { return Vec::new() };
        let mut names = maker.ports.get(port).cloned().unwrap_or_default();
        if !maker.name.is_empty() && !names.contains(&maker.name) {
            names.push(maker.name.clone());
        }
        names
    };
    results.map(names).collect()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let found = element.try_get_attribute(name).ok().flatten();
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

/// Names with commas between; a comma of a name has a backslash before it.
fn separated(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let last = names.last_mut().expect("there is one from the begin");
        match c {
            ',' => names.push(String::new()),
            '\\' => last.extend(characters.next()),
            c => last.push(c),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_the_names_of_its_tensor_and_of_its_layer() {
        let xml = r#"<net version="10"><layers>
  <layer id="0" name="data" type="Parameter"><output><port id="0" names="data"/></output></layer>
  <layer id="1" name="age_conv3" type="Convolution"><input><port id="0"/></input><output><port id="2" names="fc3_a,a\,b"/></output></layer>
  <layer id="2" name="prob" type="SoftMax"><output><port id="1" names="prob"/></output></layer>
  <layer id="3" name="if" type="If"><body><layers><layer id="0" name="x" type="Result"/></layers></body></layer>
  <layer id="4" name="age_conv3/sink_port_0" type="Result"><input><port id="0"/></input></layer>
  <layer id="5" name="prob/sink_port_0" type="Result"/>
  <layer id="6" name="lonely" type="Result"/>
</layers><edges>
  <edge from-layer="1" from-port="2" to-layer="4" to-port="0"/>
  <edge from-layer="2" from-port="1" to-layer="5" to-port="0"/>
</edges></net>"#;
        let expected: [&[&str]; 3] = [&["fc3_a", "a,b", "age_conv3"], &["prob"], &[]];
        assert_eq!(of_outputs(xml.as_bytes()), expected);
        assert!(of_outputs(b"<net><layers><lay").is_empty());
    }
}
