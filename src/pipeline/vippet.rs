//! A pipeline as Intel's ViPPET reads it: the `pipeline_description` of a variant in a file of its `pipelines/`.
//!
//! It looks like a launch line, but ViPPET has a parser of its own (`vippet/graph.py`), which cuts at every `!`,
//! then at blanks, takes any part with a comma for caps, and knows no quotes. What it would read wrongly is
//! refused. It finds videos by their file in `/videos/input`, and models by the names in their path.
//!
//! Not here: which pipelines, and the file around them (`cli::show::vippet`).

use super::{Element, PipelineSpec, Value};
use crate::path::{Layout, ProjectPath};

/// Its folders of videos and models.
const VIDEOS: &str = "/videos/input";
const MODELS: &str = "/models/output";

/// Upstream's sink, which counts frames on its own; ViPPET counts those of `gvafpscounter`.
const SHOWN: &str = "fpsdisplaysink";

/// The sink that ViPPET replaces by its own output.
const OUTPUT: &str = "default_output_sink";

/// The description; or why ViPPET cannot read it.
///
/// # Errors
/// Names the property, and what ViPPET would take it for.
pub fn description(spec: &PipelineSpec, layout: &Layout) -> Result<String, String> {
    let mut parts: Vec<String> = Vec::new();
    let sinks = spec.elements.iter().filter(|element| is_output(element)).count();
    if sinks == 0 {
        return Err("it has no `fakesink`, in whose place ViPPET puts its output".to_owned());
    }
    let mut has_output = false;
    for (index, element) in spec.elements.iter().enumerate() {
        if let Some(from) = element.from {
            parts.push(format!("{}.", spec.elements[from].reference(from)));
        }
        if index > 0 {
            parts.push("!".to_owned());
        }
        let is_branched = spec.elements.iter().any(|other| other.from == Some(index));
        let mut name = is_branched.then(|| element.reference(index)).or_else(|| element.name.clone());
        if is_output(element) && sinks > 1 && !std::mem::replace(&mut has_output, true) {
            name = Some(OUTPUT.to_owned());
        }
        if element.factory == SHOWN && is_output(element) {
            parts.push("fakesink".to_owned());
            parts.extend(name.map(|name| format!("name={name}")));
            parts.extend(["sync=false", "async=false"].map(str::to_owned));
            continue;
        }
        if let ("capsfilter", [only], false) =
            (element.factory.as_str(), element.properties.as_slice(), is_branched)
            && let ("caps", Value::Text(caps)) = (only.name.as_str(), &only.value)
        {
            parts.push(caps_of(caps)?);
            continue;
        }
        parts.push(element.factory.clone());
        parts.extend(name.map(|name| format!("name={name}")));
        for property in &element.properties {
            let value = value(element, &property.name, &property.value, layout)?;
            parts.push(format!("{}={value}", property.name));
        }
    }
    Ok(parts.join(" "))
}

/// Whether it takes frames and shows none, also as upstream writes it, with a counter around.
fn is_output(element: &Element) -> bool {
    let is_fake = |value: &Value| matches!(value, Value::Text(text) if text == "fakesink");
    let mut properties = element.properties.iter();
    element.factory == "fakesink"
        || (element.factory == SHOWN
            && properties.any(|property| property.name == "video-sink" && is_fake(&property.value)))
}

/// Caps as one part: `video/x-raw,format=RGB`, `video/x-h264;video/x-h265`.
fn caps_of(caps: &str) -> Result<String, String> {
    let caps: String = caps.chars().filter(|c| *c != ' ').collect();
    let mut fields = caps.split(',');
    let is_plain = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| "!;{}[]\"'".contains(c) || c.is_whitespace())
    };
    let base = fields.next().unwrap_or_default();
    if !caps.contains(',') && caps.split(';').all(is_plain) {
        return Ok(caps);
    }
    let is_field =
        |field: &str| field.split_once('=').is_some_and(|(key, value)| is_plain(key) && is_plain(value));
    if is_plain(base) && !base.contains('=') && fields.all(is_field) {
        return Ok(caps);
    }
    Err(format!("ViPPET reads no lists and ranges in caps (`{caps}`)"))
}

fn value(element: &Element, name: &str, value: &Value, layout: &Layout) -> Result<String, String> {
    let of = || format!("`{name}` of `{}`", element.factory);
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Input(path) => input(path, name, layout),
        Value::Inputs(_) => {
            return Err(format!("{} is a list of files, which ViPPET would cut at its commas", of()));
        }
        // Nobody reads there what a step writes.
        Value::Output(_) | Value::StreamFile(_) => "/dev/null".to_owned(),
        Value::Secret(_) => return Err(format!("{} is a password, which no file may have", of())),
    };
    let wrong = match text.chars().find(|c| c.is_whitespace() || ",!\"'".contains(*c)) {
        None if text.is_empty() => "is empty, which ViPPET cannot read",
        None => return Ok(text),
        Some(',') => "has a comma, at which ViPPET would cut it as caps",
        Some('!') => "has a `!`, at which ViPPET would cut it",
        Some(_) => "has a blank or a quote, and ViPPET knows no quotes",
    };
    Err(format!("{} {wrong}", of()))
}

/// Where ViPPET has a file of the project.
fn input(path: &ProjectPath, name: &str, layout: &Layout) -> String {
    let file = layout.resolve(path);
    match file.strip_prefix(&layout.models) {
        Ok(below) => format!("{MODELS}/{}", below.display()),
        Err(_) if name == "location" => format!("{VIDEOS}/{}", path.file_name()),
        Err(_) => layout.shown(path).display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::pipeline::Playback;

    #[track_caller]
    fn check(elements: Vec<Element>, expect: Expect) {
        let sink = elements.len() - 1;
        let spec = PipelineSpec {
            elements,
            playback: Playback::Once,
            delivery: None,
            ingress: None,
            decoder: None,
            sink,
            size: None,
            reconnect: None,
        };
        expect.assert_eq(
            &description(&spec, &Layout::new("/p".into())).unwrap_or_else(|why| format!("refused: {why}")),
        );
    }

    fn file(path: &str) -> Value {
        Value::Input(ProjectPath::new(path).unwrap())
    }

    #[test]
    fn files_are_those_of_vippet_and_caps_are_parts() {
        check(
            vec![
                Element::new("filesrc").set("location", file("media/clips/scan-640x360-15.mp4")),
                Element::caps("video/x-raw(memory:VAMemory), format=NV12"),
                Element::new("gvadetect")
                    .set("model", file("models/object/yolo11n/INT8/yolo11n.xml"))
                    .text("device", "GPU"),
                Element::new("tee").named("t"),
                Element::new("fakesink").bool("sync", false).named("a"),
                Element { from: Some(3), ..Element::new("fakesink") },
            ],
            expect![
                "filesrc location=/videos/input/scan-640x360-15.mp4 ! video/x-raw(memory:VAMemory),format=NV12 ! gvadetect model=/models/output/object/yolo11n/INT8/yolo11n.xml device=GPU ! tee name=t ! fakesink name=default_output_sink sync=false t. ! fakesink"
            ],
        );
    }

    #[test]
    fn values_that_vippet_would_read_wrongly_are_refused() {
        let with =
            |name: &str, value: Value| vec![Element::new("x").set(name, value), Element::new("fakesink")];
        let text = |text: &str| with("p", Value::Text(text.to_owned()));
        check(
            text("2:11,2:12"),
            expect!["refused: `p` of `x` has a comma, at which ViPPET would cut it as caps"],
        );
        check(
            text("a ! b"),
            expect!["refused: `p` of `x` has a blank or a quote, and ViPPET knows no quotes"],
        );
        check(text("a!b"), expect!["refused: `p` of `x` has a `!`, at which ViPPET would cut it"]);
        check(text(""), expect!["refused: `p` of `x` is empty, which ViPPET cannot read"]);
        check(
            with("user-pw", Value::Secret("LP_PASSWORD".to_owned())),
            expect!["refused: `user-pw` of `x` is a password, which no file may have"],
        );
        check(
            vec![Element::caps("video/x-raw,framerate=[1/1,30/1]"), Element::new("fakesink")],
            expect!["refused: ViPPET reads no lists and ranges in caps (`video/x-raw,framerate=[1/1,30/1]`)"],
        );
        check(
            vec![Element::new("filesrc")],
            expect!["refused: it has no `fakesink`, in whose place ViPPET puts its output"],
        );
    }
}
