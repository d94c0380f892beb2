//! What keeps an element that infers from starting, as far as that shows without its model:
//! `lp check --machine` asks for it before anything plays.
//!
//! A library or a file that is not there yet is no fault here: a build fetches it.

use std::path::Path;

use gst::prelude::*;
use gstreamer as gst;

use lp::vision::decode::is_converter;
use lp::vision::model_proc::ModelProc;

use super::config::Config;
use super::engine;
use super::inference::read_text;

/// The converters of `gvaclassify`.
const OF_CLASSIFIERS: [&str; 4] = ["label", "text", "raw_data_copy", "expected_value"];

/// The property that is at fault, and why: a sentence without its full stop. `None` for an element
/// that does not infer here.
pub(crate) fn fault(element: &gst::Element) -> Option<(&'static str, String)> {
    let is_own = element.type_().name().starts_with("LpGva") && element.find_property("openvino").is_some();
    if !is_own {
        return None;
    }
    let text = |name: &str| {
        element.property::<Option<String>>(name).filter(|text| !text.trim().is_empty()).unwrap_or_default()
    };
    let device = Some(text("device")).filter(|device| !device.is_empty()).unwrap_or_else(|| "CPU".to_owned());
    let of_config = |reason: String| {
        let is_of_properties = reason.starts_with("`ie-config`");
        (if is_of_properties { "ie-config" } else { "device" }, reason)
    };
    let config = match Config::new(&device, &text("ie-config")) {
        Ok(config) => config,
        Err(reason) => return Some(of_config(reason)),
    };
    let model_proc = text("model-proc");
    if lp::os::fs::is_file(Path::new(&model_proc))
        && let Err(reason) = read(&model_proc, element)
    {
        return Some(("model-proc", reason));
    }
    let library = text("openvino");
    let is_there = lp::os::fs::metadata(Path::new(&library)).is_ok();
    is_there.then(|| engine::usable(Path::new(&library), &config).err()).flatten().map(of_config)
}

/// Reads a model-proc file.
fn read(path: &str, element: &gst::Element) -> Result<(), String> {
    let file = ModelProc::read(&read_text(Path::new(path))?);
    let file = file.map_err(|error| format!("the model-proc file `{path}` has faults: {error}"))?;
    let kind = element.factory().map_or_else(String::new, |factory| factory.name().to_string());
    let is_known = |name: &str| match kind.as_str() {
        "gvadetect" => is_converter(name),
        "gvaclassify" => OF_CLASSIFIERS.contains(&name),
        _ => true,
    };
    let mut converters = file.outputs.iter().filter_map(|output| output.converter.as_deref());
    match converters.find(|name| !is_known(name)) {
        Some(name) => {
            let name = name.escape_debug();
            Err(format!(
                "the model-proc file `{path}` names the converter `{name}`, which `{kind}` does not have here"
            ))
        }
        None => Ok(()),
    }
}
