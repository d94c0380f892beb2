//! Names of classes, and where they come from.
//!
//! A model's classes may be named in several places ([`Source`], the first wins). Names that are
//! too many or too few would give every class a wrong name, so they are refused, with the reason,
//! and the next place is asked. Without names, a class is its number: `class 7`.
//!
//! Pure: gets texts. Not here: reading files, and rt_info, metadata.yaml and ONNX (`model_info`).

use std::fmt;

/// Where names come from; the first of those that name all classes counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The property `labels` or `labels-file`.
    Property,
    ModelProc,
    /// `names:` of the `metadata.yaml` beside the model, by Ultralytics.
    Metadata,
    /// `names` among the properties of an ONNX model, which OpenVINO keeps as `framework/names`.
    Onnx,
    /// `model_info/labels` of an IR.
    ModelInfo,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Property => "the property `labels`",
            Source::ModelProc => "the model-proc file",
            Source::Metadata => "metadata.yaml",
            Source::Onnx => "`names` of the ONNX model",
            Source::ModelInfo => "`labels` of the model's rt_info",
        })
    }
}

/// Names of the classes of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    source: Source,
}

/// Names that do not fit a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from} has {found} names, but the model has {expected} classes{}", hint(*.from, *.found, *.expected))]
pub struct Refusal {
    pub from: Source,
    pub found: usize,
    pub expected: usize,
}

fn hint(source: Source, found: usize, expected: usize) -> &'static str {
    if found + 1 == expected {
        "; perhaps that of the background is missing"
    } else if source == Source::ModelInfo && found > expected {
        "; they are separated by blanks, so a name with a blank is two"
    } else {
        ""
    }
}

/// The names to use, and those that do not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub labels: Option<Labels>,
    pub refused: Vec<Refusal>,
}

impl Labels {
    /// Names without an owner to compare with: of a layer, say.
    #[must_use]
    pub fn new(names: Vec<String>, source: Source) -> Labels {
        Labels { names, source }
    }

    /// The first of `candidates`, by source, that has a name for each class. Without a number of
    /// classes, the first that has a name.
    #[must_use]
    pub fn choose(mut candidates: Vec<Labels>, classes: Option<usize>) -> Choice {
        candidates.retain(|labels| !labels.names.is_empty());
        candidates.sort_by_key(|labels| labels.source);
        let mut choice = Choice { labels: None, refused: Vec::new() };
        for labels in candidates {
            match classes {
                Some(expected) if labels.names.len() != expected => {
                    choice.refused.push(Refusal { from: labels.source, found: labels.names.len(), expected });
                }
                _ => {
                    choice.labels = Some(labels);
                    break;
                }
            }
        }
        choice
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    #[must_use]
    pub fn name(&self, class: u32) -> Option<&str> {
        self.names.get(usize::try_from(class).ok()?).map(String::as_str)
    }
}

/// What a class is called for which there is no name.
#[must_use]
pub fn unnamed(class: u32) -> String {
    format!("class {class}")
}

/// The names of a file with one a line. A line may be empty; one after the last line end is none.
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

/// The files of a property `labels`: a path, or `layer=path` for each of several layers, with
/// commas between.
#[must_use]
pub fn files(property: &str) -> Vec<(Option<&str>, &str)> {
    if !property.contains('=') {
        return if property.is_empty() { Vec::new() } else { vec![(None, property)] };
    }
    property
        .split(',')
        .map(|part| match part.split_once('=') {
            Some((layer, path)) => (Some(layer), path),
            None => (None, part),
        })
        .collect()
}

/// The names of `rt_info`, which are separated by blanks, commas or semicolons.
#[must_use]
pub fn separated(text: &str) -> Vec<String> {
    text.split([' ', ',', ';', '\t', '\n']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The names of a Python dictionary or list: `{0: 'person', 1: "driver's seat"}`, `['a', 'b']`.
/// `None` if it is neither, or if its keys are not 0, 1, 2, ... in some order.
#[must_use]
pub fn python(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let is_dictionary = text.starts_with('{') && text.ends_with('}');
    let is_list = text.starts_with('[') && text.ends_with(']');
    if !is_dictionary && !is_list {
        return None;
    }
    let mut rest = &text[1..text.len() - 1];
    let mut names: Vec<(usize, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.is_empty() {
            break;
        }
        let mut key = names.len();
        if is_dictionary {
            let (number, value) = rest.split_once(':')?;
            key = number.trim().trim_matches(['\'', '"']).parse().ok()?;
            rest = value.trim_start();
        }
        let (name, after) = quoted(rest)?;
        names.push((key, name));
        rest = after;
    }
    names.sort();
    let are_all = names.iter().enumerate().all(|(n, (key, _))| n == *key);
    are_all.then(|| names.into_iter().map(|(_, name)| name).collect())
}

/// The string in quotes at the begin of a text, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut name = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.push(characters.next()?.1),
            c if c == quote => return Some((name, &text[at + 1..])),
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(source: Source, n: usize) -> Labels {
        Labels::new((0..n).map(|n| format!("{n}")).collect(), source)
    }

    #[track_caller]
    fn check(
        candidates: &[(Source, usize)],
        classes: Option<usize>,
        expected: Option<Source>,
        refused: &[&str],
    ) {
        let candidates = candidates.iter().map(|(source, n)| labels(*source, *n)).collect();
        let choice = Labels::choose(candidates, classes);
        assert_eq!(choice.labels.map(|labels| labels.source), expected);
        let reasons: Vec<String> = choice.refused.iter().map(ToString::to_string).collect();
        assert_eq!(reasons, refused);
    }

    #[test]
    fn the_first_source_that_names_every_class_counts() {
        let all = [(Source::ModelInfo, 80), (Source::Metadata, 80), (Source::Property, 80)];
        check(&all, Some(80), Some(Source::Property), &[]);
        check(&all, None, Some(Source::Property), &[]);
        check(&[(Source::ModelProc, 0), (Source::ModelInfo, 2)], None, Some(Source::ModelInfo), &[]);
        check(&[], Some(3), None, &[]);
    }

    #[test]
    fn names_that_are_too_many_or_too_few_are_refused_with_the_reason() {
        check(
            &[(Source::ModelInfo, 81), (Source::Property, 79), (Source::Metadata, 80)],
            Some(80),
            Some(Source::Metadata),
            &[
                "the property `labels` has 79 names, but the model has 80 classes; perhaps that of the background is missing",
            ],
        );
        check(
            &[(Source::ModelInfo, 85)],
            Some(80),
            None,
            &[
                "`labels` of the model's rt_info has 85 names, but the model has 80 classes; they are separated by blanks, so a name with a blank is two",
            ],
        );
    }

    #[test]
    fn names_are_read_from_every_form() {
        assert_eq!(lines("\u{feff}background\r\nface\n\ncar\n"), ["background", "face", "", "car"]);
        assert_eq!(separated("person traffic_light,car; bus "), ["person", "traffic_light", "car", "bus"]);
        assert_eq!(
            python(r#"{1: 'traffic light', 0: "driver's seat"}"#).unwrap(),
            ["driver's seat", "traffic light"]
        );
        assert_eq!(python(r"{'0': 'it\'s'}").unwrap(), ["it's"]);
        assert_eq!(python("['a, b', 'c']").unwrap(), ["a, b", "c"]);
        for other in [
            "",
            "{",
            "person",
            "{0: 'a', 2: 'b'}",
            "{0: 'a",
            "{0: a}",
            "{a: 'b'}",
            "{0: 'a', 0: 'b'}",
            "['a\\",
            "][",
        ] {
            assert_eq!(python(other), None, "{other}");
        }
        assert_eq!(files("a/b.txt"), [(None, "a/b.txt")]);
        assert_eq!(files("age=a.txt,prob=b.txt"), [(Some("age"), "a.txt"), (Some("prob"), "b.txt")]);
        assert!(files("").is_empty());
    }
}
