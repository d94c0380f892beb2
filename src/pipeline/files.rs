//! Files that elements read and write, by the names of properties.
//!
//! GStreamer does not tell which property names a file, but names follow a convention:
//! a sink writes to its `location`, any other element reads from it. Tables here list
//! the rest (DL Streamer 2026.2, GStreamer 1.22, NNStreamer 2.4). Written files lie
//! below the folder of their stream, so that streams do not overwrite each other's
//! files. Files that are read are inputs of the run, and so are all files of a model.
//!
//! Pure. Not here: files that a model names in its own bytes, such as the external
//! data of an ONNX model (`os::onnx`), and where the folders are (`dialect`,
//! `action::run`).

use super::{Property, Value};
use crate::path::{PathError, ProjectPath};

/// The use that an element makes of the files that a property names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Reads,
    /// Writes one, or several whose names begin with it or are made from it.
    Writes,
}

/// Properties that name written files, besides the `location` of sinks, after the
/// beginning of the factory's name.
const WRITES: &[(&str, &[&str])] = &[
    ("motioncells", &["datafile"]),
    ("dashsink", &["mpd-root-path"]),
    ("gvametapublish", &["file-path"]),
    ("", &["multipass-cache-file", "moov-recovery-file", "faststart-file", "temp-template"]),
];

/// Properties that name read files, besides the `location` of elements that are not
/// sinks, after the beginning of the factory's name.
const READS: &[(&str, &[&str])] = &[
    (
        "gva",
        &[
            "model",
            "model-path",
            "labels",
            "labels-file",
            "custom-preproc-lib",
            "custom-postproc-lib",
            "ov-extension-lib",
            "module",
            "prompt-path",
            "mqtt-config",
            "openvino",
        ],
    ),
    ("gvaattachroi", &["file-path"]),
    ("facedetect", &["profile", "nose-profile", "mouth-profile", "eyes-profile"]),
    ("faceblur", &["profile"]),
    ("handdetect", &["profile-fist", "profile-palm"]),
    ("lcms", &["input-profile", "dest-profile"]),
    ("templatematch", &["template"]),
    ("onnxinference", &["model-file"]),
    ("tfliteinference", &["model-file"]),
    ("ssdobjectdetector", &["label-file", "labels-file"]),
    ("tensor_filter", &["model"]),
    ("", &["model-proc"]),
];

/// Files that elements write by default: factory, property, and GStreamer's default
/// path.
const UNASKED: [(&str, &str, &str); 7] = [
    ("multifilesink", "location", "%05d"),
    ("hlssink", "location", "segment%05d.ts"),
    ("hlssink", "playlist-location", "playlist.m3u8"),
    ("hlssink2", "location", "segment%05d.ts"),
    ("hlssink2", "playlist-location", "playlist.m3u8"),
    ("hlssink3", "location", "segment%05d.ts"),
    ("hlssink3", "playlist-location", "playlist.m3u8"),
];

/// Properties whose file is a model.
const MODELS: &[&str] = &["model", "model-path", "model-file"];

/// Formats of models in two files, of which no property names the second: OpenVINO's
/// and PaddlePaddle's.
const WEIGHTS: &[(&str, &str)] = &[(".xml", ".bin"), (".pdmodel", ".pdiparams")];

/// Whether an element ends a chain, by the convention that its factory's name tells:
/// `filesink`, `hlssink2`.
#[must_use]
pub fn is_sink(factory: &str) -> bool {
    factory.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("sink")
}

/// The use that an element makes of the files that a property names; `None` if it
/// names none.
#[must_use]
pub fn role(factory: &str, property: &str) -> Option<Role> {
    let property = with_hyphens(property);
    let is_listed = |list: &[(&str, &[&str])]| {
        list.iter().any(|(begin, names)| factory.starts_with(begin) && names.contains(&property.as_str()))
    };
    let is_location = is_location(&property);
    match () {
        () if is_listed(WRITES) => Some(Role::Writes),
        () if is_listed(READS) => Some(Role::Reads),
        // The elements of libcurl also accept a host without a scheme.
        () if is_location && factory.starts_with("curl") => None,
        () if is_location && is_sink(factory) => Some(Role::Writes),
        () if is_location => Some(Role::Reads),
        () => None,
    }
}

/// Whether an element numbers its files by a pattern of C, `frame-%05d.jpg`.
#[must_use]
pub fn is_pattern(factory: &str, property: &str) -> bool {
    property == "location"
        && (["multifilesink", "splitmuxsink"].contains(&factory) || factory.starts_with("hlssink"))
}

/// Properties, each with its path, that an element needs in addition to `given`, so
/// that it writes nowhere else.
pub fn unasked<'a>(factory: &str, given: impl Iterator<Item = &'a str>) -> Vec<(&'static str, &'static str)> {
    let given: Vec<String> = given.map(with_hyphens).collect();
    let needed = UNASKED
        .iter()
        .filter(|(of, property, _)| *of == factory && !given.iter().any(|given| given == property));
    needed.map(|(_, property, path)| (*property, *path)).collect()
}

/// The files that the value of a property with a role names, each after its prefix
/// (`layer=`, for labels in the form `layer=path,layer=path`); `None` for a value
/// that names none: an empty one, one with a scheme such as `rtmp://host/x`, or a
/// device that is written to, such as `/dev/null`.
///
/// # Errors
/// When a written file would lie outside the stream's folder, or a read file outside
/// the project.
pub fn named(
    role: Role,
    property: &str,
    text: &str,
) -> Option<Result<Vec<(String, ProjectPath)>, PathError>> {
    match text.split_once("://").map(|(scheme, _)| scheme) {
        Some("file") => return Some(Err(PathError::Absolute(text.to_owned()))),
        Some(scheme) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            return None;
        }
        _ if text.is_empty() || role == Role::Writes && is_device(text) => return None,
        _ => {}
    }
    if role == Role::Writes || is_location(&with_hyphens(property)) {
        return Some(ProjectPath::new(text).map(|path| vec![(String::new(), path)]));
    }
    let parts = text.split(',').map(|part| match part.split_once('=') {
        Some((layer, path)) => Ok((format!("{layer}="), ProjectPath::new(path)?)),
        None => Ok((String::new(), ProjectPath::new(part)?)),
    });
    Some(parts.collect())
}

/// The value of a property that reads these files.
#[must_use]
pub fn read(mut files: Vec<(String, ProjectPath)>) -> Value {
    match files.pop() {
        Some((before, path)) if files.is_empty() && before.is_empty() => Value::Input(path),
        last => {
            files.extend(last);
            Value::Inputs(files)
        }
    }
}

/// The files that a property's value needs: those that it names, and the weights
/// beside a model of OpenVINO's own format, which no property names.
#[must_use]
pub fn of(property: &Property) -> Vec<ProjectPath> {
    let mut files = match &property.value {
        Value::Input(path) => vec![path.clone()],
        Value::Inputs(parts) => parts.iter().map(|(_, path)| path.clone()).collect(),
        _ => return Vec::new(),
    };
    if MODELS.contains(&with_hyphens(&property.name).as_str()) {
        let beside = |path: &ProjectPath| {
            let stem = |(model, weights): &(&str, &str)| {
                Some(format!("{}{weights}", path.as_str().strip_suffix(model)?))
            };
            ProjectPath::new(&WEIGHTS.iter().find_map(stem)?).ok()
        };
        let weights: Vec<ProjectPath> = files.iter().filter_map(beside).collect();
        files.extend(weights);
    }
    files
}

/// Whether a path leads to a device: below `/dev`, but not where the kernel keeps
/// files in memory.
fn is_device(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    path.starts_with('/')
        && parts.next() == Some("dev")
        && parts.next().is_some_and(|part| !["shm", "mqueue", "hugepages", ".", ".."].contains(&part))
        && parts.all(|part| part != "..")
}

/// GObject treats `_` and `-` as equal.
fn with_hyphens(property: &str) -> String {
    property.replace('_', "-")
}

fn is_location(property: &str) -> bool {
    property == "location" || property.ends_with("-location")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(factory: &str, name: &str, text: &str, expect: Expect) {
        let found = match role(factory, name).map(|role| (role, named(role, name, text))) {
            None => "no file".to_owned(),
            Some((_, None)) => "no file of the project".to_owned(),
            Some((role, Some(Err(error)))) => format!("{role:?} {error}"),
            Some((role, Some(Ok(files)))) => {
                let files = of(&Property { name: name.to_owned(), value: read(files) });
                let files: Vec<String> = files.iter().map(ToString::to_string).collect();
                format!("{role:?} {}", files.join(" "))
            }
        };
        expect.assert_eq(&found);
    }

    #[test]
    fn every_file_of_a_model_is_found() {
        check("gvadetect", "model", "models/x.xml", expect!["Reads models/x.xml models/x.bin"]);
        check("gvadetect", "model", "x/m.pdmodel", expect!["Reads x/m.pdmodel x/m.pdiparams"]);
        check("gvadetect", "model", "models/x.onnx", expect!["Reads models/x.onnx"]);
        check("gvaclassify", "model_proc", "./models/x.json", expect!["Reads models/x.json"]);
        check("gvaclassify", "labels", "a=m/a.txt,b=m/b.txt", expect!["Reads m/a.txt m/b.txt"]);
        check("gvaclassify", "labels", "m/a.txt", expect!["Reads m/a.txt"]);
        check("tensor_filter", "model", "m/init.pb,m/predict.pb", expect!["Reads m/init.pb m/predict.pb"]);
        check("facedetect", "profile", "m/haar.xml", expect!["Reads m/haar.xml"]);
        check(
            "gvadetect",
            "model",
            "/opt/x.xml",
            expect!["Reads `/opt/x.xml` is absolute, but must be relative to the project"],
        );
    }

    #[test]
    fn a_sink_writes_and_others_read() {
        check("multifilesink", "location", "./a//frame-%05d.jpg", expect!["Writes a/frame-%05d.jpg"]);
        check("splitmuxsink", "location", "clip%02d,1.mp4", expect!["Writes clip%02d,1.mp4"]);
        check("hlssink2", "playlist-location", "p.m3u8", expect!["Writes p.m3u8"]);
        check("motioncells", "datafile", "cells", expect!["Writes cells"]);
        check("x264enc", "multipass-cache-file", "x.log", expect!["Writes x.log"]);
        check("gvametapublish", "file-path", "out.jsonl", expect!["Writes out.jsonl"]);
        check("gdkpixbufoverlay", "location", "logo,2.png", expect!["Reads logo,2.png"]);
        check("x265enc", "profile", "main", expect!["no file"]);
        check("zbar", "cache", "true", expect!["no file"]);
    }

    #[test]
    fn written_files_stay_in_their_folder() {
        check(
            "filesink",
            "location",
            "/tmp/a",
            expect!["Writes `/tmp/a` is absolute, but must be relative to the project"],
        );
        check("filesink", "location", "../a", expect!["Writes `../a` leaves the project"]);
        check("filesink", "location", "/dev/null", expect!["no file of the project"]);
        check(
            "filesink",
            "location",
            "/dev/shm/a",
            expect!["Writes `/dev/shm/a` is absolute, but must be relative to the project"],
        );
        check(
            "filesink",
            "location",
            "/dev/fd/../../tmp/a",
            expect!["Writes `/dev/fd/../../tmp/a` is absolute, but must be relative to the project"],
        );
        check(
            "giosink",
            "location",
            "file:///tmp/a",
            expect!["Writes `file:///tmp/a` is absolute, but must be relative to the project"],
        );
        check("filesink", "location", "", expect!["no file of the project"]);
        check("gdkpixbufoverlay", "location", "a/../../b", expect!["Reads `a/../../b` leaves the project"]);
    }

    #[test]
    fn a_default_file_gets_a_path_unless_the_property_is_set() {
        let playlist = ("playlist-location", "playlist.m3u8");
        let segments = ("location", "segment%05d.ts");
        assert_eq!(unasked("hlssink2", ["max-files"].into_iter()), [segments, playlist]);
        assert_eq!(unasked("hlssink2", ["playlist_location"].into_iter()), [segments]);
        assert_eq!(unasked("filesink", std::iter::empty()), []);
    }

    #[test]
    fn the_documentation_has_every_property() {
        let (_, rest) =
            include_str!("../../docs/configuration.md").split_once("#### Files of steps").unwrap();
        let (table, _) = rest.split_once("\n### ").unwrap();
        for (factory, names) in WRITES.iter().chain(READS) {
            for word in names.iter().chain([factory]).filter(|word| !word.is_empty()) {
                assert!(table.contains(&format!("`{word}`")), "{word}");
            }
        }
        for (factory, ..) in UNASKED {
            assert!(table.contains(&format!("`{factory}`")), "{factory}");
        }
    }

    #[test]
    fn a_value_with_a_scheme_is_not_a_file() {
        check("rtmpsink", "location", "rtmp://host/live", expect!["no file of the project"]);
        check("curlhttpsink", "location", "host:5555", expect!["no file"]);
    }
}
