//! The catalogue: one entry for everything that can be wrong with a project.
//!
//! Each [`Rule`] has a code, what it says in one line, why it is a fault, and
//! the smallest example that breaks it, with its correction.
//! `lp check --explain` prints an entry; `docs/diagnostics.md` lists all of
//! them. The messages of the examples are kept in that file, which
//! `tests/catalogue.rs` writes: it loads every example.
//!
//! A code never changes its meaning and is never used twice, so that people
//! can look it up and tests can name it. LP00xx: files as such; LP01xx: syntax;
//! LP02xx: keys and values; LP03xx: `Lpfile.toml`; LP04xx: cameras; LP05xx:
//! workloads; LP06xx: scenes; LP07xx: overrides and profiles;
//! LP08xx: tasks and pipelines; LP09xx: the machine. There is a file for each hundred.
//!
//! Whoever reports a fault names the constant, `codes::EMPTY_REGION`, which is
//! the code as text.
//!
//! A new rule is an entry in the file of its hundred; then
//! `UPDATE_EXPECT=1 cargo test --test catalogue` writes the document.
//!
//! Not here: finding a fault. An entry knows nothing of the code that reports it.

use super::severity::Severity;
use crate::name::did_you_mean;

/// Writes a file of the catalogue: the constants, and the list of their entries.
macro_rules! rules {
    ($($name:ident = $code:literal, $severities:expr, $text:literal {
        why: $why:expr,
        examples: $examples:expr,
        $(reported: $reported:expr,)?
    })*) => {
        $(#[doc = $text] pub const $name: &str = $code;)*

        pub(super) const RULES: &[Rule] = &[$(Rule {
            code: $code,
            name: stringify!($name),
            severities: &$severities,
            text: $text,
            why: $why,
            examples: $examples,
            reported: super::by(&[$($reported)?]),
        }),*];
    };
}

/// A camera file with one sound camera, to which these keys are added.
macro_rules! camera {
    ($keys:expr) => {
        concat!(
            "{\"lane_config\": {\"cameras\": [\n",
            "  {\"camera_id\": \"entrance\", \"workloads\": [\"barcodes\"], \"streamUri\": \"rtsp://host:8554/1\",\n",
            "   ", $keys, "}\n",
            "]}}\n"
        )
    };
}

/// A camera file with these cameras.
macro_rules! lane {
    ($first:expr $(, $camera:expr)*) => {
        concat!("{\"lane_config\": {\"cameras\": [\n  ", $first, $(",\n  ", $camera,)* "\n]}}\n")
    };
}

/// A workload file with one workload of these steps.
macro_rules! steps {
    ($first:expr $(, $step:expr)*) => {
        concat!("{\"workload_pipeline_map\": {\"barcodes\": [\n  ", $first, $(",\n  ", $step,)* "\n]}}\n")
    };
}

mod cameras;
mod files;
mod lpfile;
mod machine;
mod overrides;
mod scenes;
mod syntax;
mod tasks;
mod values;
mod workloads;

pub use cameras::*;
pub use files::*;
pub use lpfile::*;
pub use machine::*;
pub use overrides::*;
pub use scenes::*;
pub use syntax::*;
pub use tasks::*;
pub use values::*;
pub use workloads::*;

/// The hundreds, each with what it is about.
pub const CHAPTERS: [(&str, &[Rule]); 10] = [
    ("Files", files::RULES),
    ("Syntax", syntax::RULES),
    ("Keys and values", values::RULES),
    ("`Lpfile.toml`", lpfile::RULES),
    ("Cameras", cameras::RULES),
    ("Workloads", workloads::RULES),
    ("Scenes", scenes::RULES),
    ("Overrides and profiles", overrides::RULES),
    ("Tasks and pipelines", tasks::RULES),
    ("The machine", machine::RULES),
];

/// Its text, from which the messages are taken.
const DOCUMENT: &str = include_str!("../../docs/diagnostics.md");

/// The file that describes every entry, for those who want to read on.
pub const DOCUMENT_PATH: &str = "docs/diagnostics.md";

/// An entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// `LP0405`
    pub code: &'static str,
    /// The name of its constant.
    pub name: &'static str,
    /// How bad it is; a rule may have a grave and a harmless form.
    pub severities: &'static [Severity],
    /// What it says in one line.
    pub text: &'static str,
    /// Why it is a fault and what to do, in lines of at most 100 characters.
    pub why: &'static str,
    /// How it comes about; one example for each severity.
    pub examples: &'static [Example],
    /// Who reports it.
    pub reported: Reported,
}

/// A project that breaks a rule, and what to change.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What is wrong. Files that are not named are sound: an empty
    /// `Lpfile.toml`, no cameras, and the workload `barcodes`.
    pub wrong: &'static [Part],
    /// What stands in place of the parts with the same names; may be empty.
    pub right: &'static [Part],
}

/// A piece of a project or of a command line.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The camera file.
    Cameras(&'static str),
    /// The workload file.
    Workloads(&'static str),
    /// `Lpfile.toml`.
    Lpfile(&'static str),
    /// Another file, and its text.
    File(&'static str, &'static str),
    /// A file that is no text.
    Bytes(&'static str, &'static [u8]),
    /// A file of so many zeros.
    Zeros(&'static str, u64),
    /// A file that is not there.
    Without(&'static str),
    /// What stands behind `lp check`.
    Flags(&'static [&'static str]),
}

/// Who reports a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Whoever reads the project: every command.
    OnReading,
    /// This command, when the project was read without errors.
    By(&'static str),
    /// `lp check --machine`, and every command before it runs cameras. Examples
    /// are shown with a small machine that the catalogue's test makes up.
    OnMachine,
    /// This command, but no example can show it everywhere.
    Elsewhere {
        /// The command.
        by: &'static str,
        /// Why there is no message to show.
        because: &'static str,
    },
}

/// What an entry says about it, if it does.
const fn by(written: &[Reported]) -> Reported {
    match written {
        [reported, ..] => *reported,
        [] => Reported::OnReading,
    }
}

/// An example that nothing short corrects.
const fn wrong(wrong: &'static [Part]) -> Example {
    Example { wrong, right: &[] }
}

impl Example {
    /// The same with its correction.
    const fn right(self, right: &'static [Part]) -> Example {
        Example { right, ..self }
    }

    /// All parts of the corrected project.
    #[must_use]
    pub fn corrected(&self) -> Vec<Part> {
        let is_kept = |part: &&Part| !self.right.iter().any(|right| right.path() == part.path());
        self.wrong.iter().filter(is_kept).chain(self.right).copied().collect()
    }
}

impl Part {
    /// The file, seen from the project; `None` for flags.
    #[must_use]
    pub fn path(&self) -> Option<&'static str> {
        match self {
            Part::Cameras(_) => Some("configs/camera_to_workload.json"),
            Part::Workloads(_) => Some("configs/workload_to_pipeline.json"),
            Part::Lpfile(_) => Some("Lpfile.toml"),
            Part::File(path, _) | Part::Bytes(path, _) | Part::Zeros(path, _) | Part::Without(path) => {
                Some(path)
            }
            Part::Flags(_) => None,
        }
    }
}

impl Rule {
    /// How bad it is, in words: `error or warning`.
    #[must_use]
    pub fn severity_words(&self) -> String {
        let word = |severity: &Severity| match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        self.severities.iter().map(word).collect::<Vec<_>>().join(" or ")
    }

    /// The messages of its examples, in their order.
    pub fn messages(&self) -> impl Iterator<Item = &'static str> + use<> {
        let section = DOCUMENT.split("\n### ").find(|section| section.starts_with(self.code));
        let parts = section.unwrap_or_default().split("```text\n").skip(1);
        parts.filter_map(|rest| Some(rest.split_once("\n```")?.0))
    }
}

/// All entries, in the order of their codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    CHAPTERS.iter().flat_map(|(_, rules)| rules.iter())
}

/// The entry of a code, however it is written: `LP0405`, `lp0405`, `405`.
///
/// # Errors
/// With the code that was probably meant, if there is one, when there is no
/// such entry.
pub fn find(written: &str) -> Result<&'static Rule, Option<&'static str>> {
    let code = match written.trim().to_uppercase() {
        digits if digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("LP{digits:0>4}")
        }
        code => code,
    };
    let found = rules().find(|rule| rule.code == code);
    found.ok_or_else(|| did_you_mean(&code, rules().map(|rule| rule.code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order_and_in_their_hundred() {
        let codes: Vec<&str> = rules().map(|rule| rule.code).collect();
        for pair in codes.windows(2) {
            assert!(pair[0] < pair[1], "{} comes before {}", pair[0], pair[1]);
        }
        for (hundred, (chapter, rules)) in CHAPTERS.iter().enumerate() {
            let prefix = format!("LP{hundred:02}");
            assert!(rules.iter().all(|rule| rule.code.starts_with(&prefix)), "{chapter} are not {prefix}xx");
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for written in ["LP0405", "lp0405", " 0405 ", "405"] {
            assert_eq!(find(written).map(|rule| rule.name), Ok("EMPTY_REGION"), "{written}");
        }
        assert_eq!(find("LPO405").map(|rule| rule.code), Err(Some("LP0405")));
        assert_eq!(find("what").map(|rule| rule.code), Err(None));
    }
}
