//! A pipeline as a `gst-launch-1.0` command line.
//!
//! [`argv`] gives the arguments; [`line()`] quotes them for a POSIX shell, so
//! that the printed line, split by a shell, gives exactly these arguments.
//! `gst-launch-1.0` joins its arguments with blanks after escaping blanks and
//! backslashes itself, and then parses quotes: so a value with any special
//! character is put into double quotes *inside* its argument.
//!
//! A branch begins after the name of its tee and a full stop, as in
//! `tee name=t ! queue ! fakesink t. ! queue ! fakesink`.
//!
//! Files that a user's steps write go to `results/files/<camera>/<n>/`, as in a run
//! into a folder of their stream; the line makes these folders.
//!
//! A launch line does not express looping, which needs seeks.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Element, PipelineSpec, Value};
use crate::path::{Layout, ProjectPath, for_shell};

const PROGRAM: &str = "gst-launch-1.0";

/// The arguments of `gst-launch-1.0`, program name first. Paths are relative to
/// the project root where they lie inside; a secret is `$NAME`.
#[must_use]
pub fn argv(spec: &PipelineSpec, layout: &Layout) -> Vec<String> {
    std::iter::once(PROGRAM.to_owned()).chain(chain(spec, layout)).collect()
}

/// The command that plays several pipelines in one process, and reports the
/// events in them: program, `--verbose`, and the chains one after another.
#[must_use]
pub fn command<'a>(chains: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let program = [PROGRAM, "--verbose"].map(str::to_owned);
    program.into_iter().chain(chains.into_iter().flatten().cloned()).collect()
}

/// The elements of a pipeline as arguments.
#[must_use]
pub fn chain(spec: &PipelineSpec, layout: &Layout) -> Vec<String> {
    let mut arguments = Vec::new();
    for (index, element) in spec.elements.iter().enumerate() {
        if let Some(from) = element.from {
            arguments.push(format!("{}.", spec.elements[from].reference(from)));
        }
        if index > 0 {
            arguments.push("!".to_owned());
        }
        let is_branched = spec.elements.iter().any(|other| other.from == Some(index));
        let reference = is_branched.then(|| element.reference(index));
        push_element(element, reference.or_else(|| element.name.clone()), layout, &mut arguments);
    }
    arguments
}

/// The folders that it writes in, relative to the project root: none for files in
/// `results/` itself.
#[must_use]
pub fn folders(spec: &PipelineSpec, layout: &Layout) -> BTreeSet<String> {
    let folders = spec.stream_files().filter_map(|file| file.in_launch_line.rsplit_once('/'));
    folders.map(|(folder, _)| layout.shown_output(folder).to_string_lossy().into_owned()).collect()
}

/// The command as one line for a POSIX shell, which makes the folders first.
#[must_use]
pub fn line(spec: &PipelineSpec, layout: &Layout) -> String {
    in_folders(&folders(spec, layout), &argv(spec, layout))
}

/// Arguments as one line for a POSIX shell, after a command that makes the folders.
#[must_use]
pub fn in_folders(folders: &BTreeSet<String>, argv: &[String]) -> String {
    if folders.is_empty() {
        return quoted(argv);
    }
    let mkdir: Vec<String> =
        ["mkdir", "-p", "--"].map(str::to_owned).into_iter().chain(folders.iter().cloned()).collect();
    format!("{} && {}", quoted(&mkdir), quoted(argv))
}

/// Arguments as one line for a POSIX shell.
#[must_use]
pub fn quoted(argv: &[String]) -> String {
    let words: Vec<Cow<'_, str>> = argv.iter().cloned().map(shell_word).collect();
    words.join(" ")
}

fn push_element(element: &Element, name: Option<String>, layout: &Layout, arguments: &mut Vec<String>) {
    // gst-launch reads bare caps between two `!` as a filter.
    if let ("capsfilter", None, [only]) = (element.factory.as_str(), &name, element.properties.as_slice())
        && only.name == "caps"
        && let Value::Text(caps) = &only.value
        && caps.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:,;=()[]{} ".contains(c))
    {
        arguments.push(caps.clone());
        return;
    }
    arguments.push(element.factory.clone());
    let name = name.as_ref().map(|name| format!("name={}", gst_value(name)));
    if element.name_at == 0 {
        arguments.extend(name.clone());
    }
    for (index, property) in element.properties.iter().enumerate() {
        let value = match &property.value {
            Value::Text(text) => gst_value(text).into_owned(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Input(path) => gst_value(&layout.shown(path).to_string_lossy()).into_owned(),
            Value::Inputs(parts) => {
                let part = |(before, path): &(String, ProjectPath)| {
                    format!("{before}{}", layout.shown(path).to_string_lossy())
                };
                gst_value(&parts.iter().map(part).collect::<Vec<_>>().join(",")).into_owned()
            }
            Value::Output(name) => gst_value(&layout.shown_output(name).to_string_lossy()).into_owned(),
            Value::StreamFile(file) => {
                gst_value(&layout.shown_output(&file.in_launch_line).to_string_lossy()).into_owned()
            }
            Value::Secret(name) => format!("${name}"),
        };
        arguments.push(format!("{}={value}", property.name));
        if index + 1 == element.name_at {
            arguments.extend(name.clone());
        }
    }
}

/// A value as GStreamer's own parser reads it: plain, or in double quotes.
fn gst_value(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,=%@~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn shell_word(word: String) -> Cow<'static, str> {
    // A secret is expanded by the shell and must not be split by it.
    if let Some((name, variable)) = word.split_once("=$")
        && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        return Cow::Owned(format!("{name}=\"${variable}\""));
    }
    if word == "!" { Cow::Owned(word) } else { Cow::Owned(for_shell(&word).into_owned()) }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::path::ProjectPath;
    use crate::pipeline::{Playback, StreamFile};

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
        let line = line(&spec, &Layout::new("/p".into()));
        let command = line.rsplit(" && ").next().unwrap();
        assert_eq!(shlex::split(command).unwrap().len(), argv(&spec, &Layout::new("/p".into())).len());
        expect.assert_eq(&line);
    }

    #[test]
    fn plain_values_stay_plain() {
        let clip = ProjectPath::new("media/clips/scan-640x360-15.mp4").unwrap();
        check(
            vec![
                Element::new("filesrc").set("location", Value::Input(clip)),
                Element::caps("video/x-raw,format=RGB"),
                Element::new("fakesink").bool("sync", false).named("camera-3_1_sink"),
            ],
            expect![
                "gst-launch-1.0 filesrc location=media/clips/scan-640x360-15.mp4 ! video/x-raw,format=RGB ! fakesink sync=false name=camera-3_1_sink"
            ],
        );
    }

    #[test]
    fn hostile_values_stay_inside_their_argument() {
        check(
            vec![
                Element::new("filesrc").text("location", "a b\"; $(rm x) ! fakesink"),
                Element::new("fakesink"),
            ],
            expect![[r#"gst-launch-1.0 filesrc 'location="a b\"; $(rm x) ! fakesink"' ! fakesink"#]],
        );
    }

    #[test]
    fn a_branch_begins_after_its_tee() {
        check(
            vec![
                Element::new("videotestsrc"),
                Element::new("tee").named("camera-3_1_tee"),
                Element::new("queue"),
                Element::new("fakesink"),
                Element::new("queue").branching_from(1),
                Element::new("tee"),
                Element::new("fakesink"),
                Element::caps("video/x-raw,width=3").branching_from(5),
                Element::new("fakesink"),
            ],
            expect![
                "gst-launch-1.0 videotestsrc ! tee name=camera-3_1_tee ! queue ! fakesink camera-3_1_tee. ! queue ! tee name=tee-5 ! fakesink tee-5. ! video/x-raw,width=3 ! fakesink"
            ],
        );
    }

    #[test]
    fn a_written_file_lies_in_the_folder_of_its_stream() {
        let spec =
            |path| Element::new("filesink").set("location", Value::StreamFile(StreamFile::new("c/1", path)));
        check(
            vec![Element::new("x264enc"), spec("a b/c.h264"), spec("frame-%05d.jpg").branching_from(0)],
            expect![[
                r#"mkdir -p -- results/files/c/1 'results/files/c/1/a b' && gst-launch-1.0 x264enc name=x264enc-0 ! filesink 'location="results/files/c/1/a b/c.h264"' x264enc-0. ! filesink location=results/files/c/1/frame-%05d.jpg"#
            ]],
        );
    }

    #[test]
    fn a_secret_is_a_variable() {
        check(
            vec![
                Element::new("rtspsrc").set("user-pw", Value::Secret("CAM_PW".into())),
                Element::new("fakesink"),
            ],
            expect![[r#"gst-launch-1.0 rtspsrc user-pw="$CAM_PW" ! fakesink"#]],
        );
    }
}
