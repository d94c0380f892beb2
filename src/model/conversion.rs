//! Conversions: how `lp` makes a model's files out of weights, in an environment of pinned packages.
//!
//! A *tool* is a program of `lp` with the packages that it needs (`configs/models/convert/`), both
//! compiled in. The set is closed: no recipe can name a program. A project may give other packages
//! for a tool, in a file of its own.
//!
//! Not here: installing packages and running the program (`action::convert`).

use serde::{Deserialize, Serialize};

use crate::digest::ContentDigest;
use crate::path::ProjectPath;

/// A program that converts models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Weights of Ultralytics' YOLO.
    Ultralytics,
}

/// Packages that are installed together, in the format of `pip`, with their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements {
    pub text: &'static str,
    /// They are needed only if the packages before them have this file.
    pub only_with: Option<&'static str>,
}

impl Tool {
    pub const ALL: [Tool; 1] = [Tool::Ultralytics];

    /// Its name in recipes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Tool::Ultralytics => "ultralytics",
        }
    }

    /// The precisions that it makes.
    #[must_use]
    pub fn precisions(self) -> &'static [&'static str] {
        match self {
            Tool::Ultralytics => &["FP32", "FP16", "INT8"],
        }
    }

    /// Whether it measures the model on pictures for this precision.
    #[must_use]
    pub fn calibrates(self, precision: &str) -> bool {
        match self {
            Tool::Ultralytics => precision == "INT8",
        }
    }

    /// The weights of a model whose recipe does not name them.
    #[must_use]
    pub fn usual_weights(self, model: &str) -> Option<ProjectPath> {
        match self {
            Tool::Ultralytics => {
                ProjectPath::new(&format!("models/object_detection/{model}/{model}.pt")).ok()
            }
        }
    }

    /// The files of a model that it makes, in the order of its results.
    #[must_use]
    pub fn outputs(self, model: &str, precision: &str) -> [ProjectPath; 2] {
        self.results().map(|result| {
            let ending = result.rsplit_once('.').map_or("", |(_, ending)| ending);
            let path = format!("models/object_detection/{model}/{precision}/{model}.{ending}");
            ProjectPath::new(&path).expect("names of models and precisions are plain")
        })
    }

    /// The files that its program leaves.
    #[must_use]
    pub fn results(self) -> [&'static str; 2] {
        match self {
            Tool::Ultralytics => ["model.xml", "model.bin"],
        }
    }

    /// Its program, in Python.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Tool::Ultralytics => include_str!("../../configs/models/convert/ultralytics.py"),
        }
    }

    /// Its packages.
    #[must_use]
    pub fn requirements(self) -> &'static [Requirements] {
        match self {
            Tool::Ultralytics => &[
                Requirements {
                    text: include_str!("../../configs/models/convert/ultralytics.txt"),
                    only_with: None,
                },
                Requirements {
                    text: include_str!("../../configs/models/convert/ultralytics-cuda.txt"),
                    only_with: Some("torch/lib/libtorch_cuda.so"),
                },
            ],
        }
    }

    /// The digest of all its packages.
    #[must_use]
    pub fn requirements_digest(self) -> ContentDigest {
        let texts: Vec<&str> = self.requirements().iter().map(|one| one.text).collect();
        ContentDigest::of(texts.join("\n").as_bytes())
    }
}

/// How the files of a model are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    pub tool: Tool,
    pub weights: ProjectPath,
    /// A video, or a folder of pictures.
    pub calibration: Option<ProjectPath>,
    /// A project's own packages instead of those of the tool.
    pub requirements: Option<ProjectPath>,
    /// The precisions that are made.
    pub precisions: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_of_a_tool_is_pinned_with_a_digest() {
        for requirements in Tool::ALL.iter().flat_map(|tool| tool.requirements()) {
            let lines = requirements.text.lines().filter(|line| !line.starts_with('#'));
            let text = lines.collect::<Vec<_>>().join("\n").replace(" \\\n", " ");
            assert!(text.lines().count() > 5);
            for line in text.lines() {
                let mut words = line.split_whitespace();
                let (name, version) = words.next().unwrap().split_once("==").unwrap();
                assert!(!name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
                let digests: Vec<&str> =
                    words.map(|word| word.strip_prefix("--hash=sha256:").unwrap()).collect();
                assert!(!digests.is_empty() && digests.iter().all(|digest| digest.len() == 64), "{line}");
            }
        }
    }
}
