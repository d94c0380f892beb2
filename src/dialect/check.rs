//! What a machine lacks for a plan, said before anything runs.

use crate::pipeline::PipelineSpec;
use crate::pipeline::machine::{Machine, debian_package};

/// A factory that a pipeline needs and the machine does not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingElement {
    /// The factory.
    pub factory: String,
    /// Streams that need it.
    pub streams: Vec<String>,
    /// How to get it, as a sentence or a command.
    pub way_out: String,
}

/// Every missing factory once, sorted, with all the streams that need it.
#[must_use]
pub fn missing_elements(specs: &[(String, PipelineSpec)], machine: &Machine) -> Vec<MissingElement> {
    let mut missing: Vec<MissingElement> = Vec::new();
    for (stream, spec) in specs {
        for factory in spec.factories() {
            if machine.has(factory) {
                continue;
            }
            match missing.iter_mut().find(|known| known.factory == factory) {
                Some(known) => known.streams.push(stream.clone()),
                None => missing.push(MissingElement {
                    factory: factory.to_owned(),
                    streams: vec![stream.clone()],
                    way_out: way_out(factory),
                }),
            }
        }
    }
    missing.sort();
    missing
}

/// How to get a factory.
#[must_use]
pub fn way_out(factory: &str) -> String {
    if let Some(package) = debian_package(factory) {
        return format!("sudo apt-get install {package}");
    }
    if factory.starts_with("gva") {
        return "it is part of Intel DL Streamer: run inside its container image, or use a workload file \
                made of stock elements"
            .to_owned();
    }
    format!("no Debian package is known to have it; see `gst-inspect-1.0 {factory}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Element, Playback};

    #[test]
    fn each_missing_factory_is_named_once_with_its_streams_and_the_way_out() {
        let spec = PipelineSpec {
            elements: vec![Element::new("gvadetect"), Element::new("zbar")],
            playback: Playback::Once,
            ingress: None,
            decoder: None,
            sink: 1,
        };
        let machine = Machine { factories: [("gvadetect".into(), None)].into(), ..Machine::default() };
        let missing =
            missing_elements(&[("camera-1/1".into(), spec.clone()), ("camera-2/1".into(), spec)], &machine);
        let shown: Vec<_> = missing.iter().map(|m| (m.factory.as_str(), m.streams.len())).collect();
        assert_eq!(shown, [("gvadetect", 2), ("zbar", 2)]);
        assert_eq!(missing[1].way_out, "sudo apt-get install gstreamer1.0-plugins-bad");
    }
}
