//! `[[collector]]`: programs of the user's that run beside a run, and what their output is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A program that runs beside a run. All of it but `required` is in the key of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    /// Of `A` to `Z`, `a` to `z`, `0` to `9`, `_` and `-`; unique in its project.
    pub name: String,
    /// Program and arguments, with [`PID`] and [`FILE`] as written; not empty.
    pub command: Vec<String>,
    /// The format of its output; `None`: it is kept, and nothing is read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<Format>,
    #[serde(default, skip_serializing_if = "Scope::is_run")]
    pub scope: Scope,
    /// Variables set for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether there is no run without it. It changes no figure, so it is not hashed.
    #[serde(skip)]
    pub required: bool,
}

/// In a command and in variables, the process ids of the workers that it is about, with commas between them.
pub const PID: &str = "{pid}";

/// In a command and in variables, the file that the program writes its figures to.
pub const FILE: &str = "{file}";

/// How often a collector runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Once.
    #[default]
    Run,
    /// Once for each camera, and each copy of one.
    Member,
}

impl Scope {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_run(&self) -> bool {
        *self == Scope::Run
    }
}

/// A known format of output, named by the program that prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Sar,
    SadfJson,
    Free,
    Iotop,
    IotopC,
    Pcm,
    Qmassa,
    NpuUsage,
    IntelGpuTop,
    PerfStat,
    NvidiaSmiDmon,
}

impl Format {
    /// Each with its word in a config.
    pub const ALL: &[(&'static str, Format)] = &[
        ("sar", Format::Sar),
        ("sadf-json", Format::SadfJson),
        ("free", Format::Free),
        ("iotop", Format::Iotop),
        ("iotop-c", Format::IotopC),
        ("pcm", Format::Pcm),
        ("qmassa", Format::Qmassa),
        ("npu-usage", Format::NpuUsage),
        ("intel-gpu-top", Format::IntelGpuTop),
        ("perf-stat", Format::PerfStat),
        ("nvidia-smi-dmon", Format::NvidiaSmiDmon),
    ];

    /// `sadf-json`
    #[must_use]
    pub fn word(self) -> &'static str {
        Format::ALL.iter().find(|(_, format)| *format == self).map_or("", |(word, _)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_written_in_documents_as_in_configs() {
        for (word, format) in Format::ALL {
            assert_eq!(serde_json::to_string(format).unwrap(), format!("\"{word}\""));
            assert_eq!(format.word(), *word);
        }
    }
}
