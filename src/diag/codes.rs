//! The catalogue: one entry for each error, warning and note about a project.
//!
//! An entry is a constant, such as [`EMPTY_REGION`], which is the code as a string,
//! and a page in `docs/codes/`, its whole documentation: a title of one line, the
//! reason why it is a fault, and for each severity the smallest project that has it,
//! with its message and its correction. The pages are part of the program: [`Rule`]
//! reads them, and `lp check --explain` prints them.
//!
//! A code never changes its meaning and is never used twice, so that people
//! can look it up and tests can name it. LP00xx: whole files; LP01xx: syntax;
//! LP02xx: keys and values; LP03xx: `Lpfile.toml`; LP04xx: cameras; LP05xx:
//! workloads; LP06xx: scenes; LP07xx: overrides and profiles;
//! LP08xx: tasks and pipelines; LP09xx: the machine.
//!
//! A new entry is a line here and a page, of which
//! `UPDATE_EXPECT=1 cargo test --test catalogue` writes the messages.
//!
//! Not here: finding a fault. An entry knows nothing of the code that reports it.

use super::severity::Severity;
use crate::name::did_you_mean;

/// Writes the constants and the list of the entries. A page is no documentation of its
/// constant: rustdoc would take its commands for Rust.
macro_rules! rules {
    ($($name:ident = $code:literal,)*) => {
        $(
            #[doc = concat!("Its page is `docs/codes/", $code, ".md`.")]
            pub const $name: &str = $code;
        )*

        const RULES: &[Rule] = &[$(Rule {
            code: $code,
            name: stringify!($name),
            page: include_str!(concat!("../../docs/codes/", $code, ".md")),
        }),*];
    };
}

rules! {
    NO_PROJECT = "LP0001",
    MISSING_FILE = "LP0002",
    UNREADABLE_FILE = "LP0003",
    TOO_LARGE = "LP0004",
    NOT_UTF8 = "LP0005",
    TOO_DEEP = "LP0006",
    NEWER_LOCK = "LP0007",

    TOML_SYNTAX = "LP0101",
    JSON_SYNTAX = "LP0102",
    DUPLICATE_KEY = "LP0103",
    NUMBER_TOO_BIG = "LP0104",
    NOT_FINITE = "LP0105",

    UNKNOWN_KEY = "LP0201",
    MISSING_KEY = "LP0202",
    WRONG_TYPE = "LP0203",
    OUT_OF_RANGE = "LP0204",
    UNKNOWN_WORD = "LP0205",
    BLANK_TEXT = "LP0206",
    EMPTY_LIST = "LP0207",
    NOT_A_DURATION = "LP0208",
    BAD_PATH = "LP0210",
    BAD_URL = "LP0211",
    BAD_NAME = "LP0212",
    BAD_DIGEST = "LP0213",
    BAD_BIT_RATE = "LP0214",
    BAD_HEADER = "LP0215",
    BAD_SOURCE = "LP0216",
    BAD_CONVERSION = "LP0217",
    BAD_THRESHOLD = "LP0218",
    ODD_THRESHOLD = "LP0219",

    DUPLICATE_NAME = "LP0301",
    RESERVED_NAME = "LP0302",
    UNKNOWN_POOL = "LP0303",
    EXCLUSIVE_POOL = "LP0304",
    SAME_FOLDER = "LP0305",
    UNKNOWN_WORKLOAD = "LP0306",
    BAD_WORKER = "LP0307",
    UNKNOWN_CAMERA = "LP0308",
    CODEC_OPTION = "LP0309",
    IMPAIRMENT = "LP0310",
    IDLE_IMPAIRMENT = "LP0311",

    DUPLICATE_CAMERA = "LP0401",
    MISSING_SOURCE = "LP0402",
    BAD_FILE_SOURCE = "LP0403",
    UNMAPPED_WORKLOAD = "LP0404",
    EMPTY_REGION = "LP0405",
    REGION_OUTSIDE = "LP0406",
    TARGET_ABOVE_FPS = "LP0407",
    TWO_ORIGINS = "LP0408",
    UNUSED_SOURCE = "LP0409",
    REPEATED_WORKLOAD = "LP0410",
    NO_SCENE = "LP0411",
    TWO_VLM_CAMERAS = "LP0412",
    OLD_CAMERA_FORM = "LP0413",
    OLD_AND_NEW_FORM = "LP0414",
    LITERAL_CREDENTIALS = "LP0415",
    OTHER_FILE = "LP0416",
    ODD_SIZE = "LP0417",
    UNUSABLE_CLIP = "LP0420",
    OTHER_THAN_PINNED = "LP0421",
    NOT_LOCKED = "LP0422",

    DUPLICATE_WORKLOAD = "LP0501",
    UNUSED_WORKLOAD = "LP0502",
    UNKNOWN_STEP = "LP0503",
    NO_SUCH_PRECISION = "LP0504",
    UNKNOWN_MODEL = "LP0505",
    NO_DETECTOR = "LP0506",
    OLD_WORKLOAD_FORM = "LP0507",
    MIXED_SCRIPT = "LP0508",
    UNKNOWN_TEE = "LP0509",
    DUPLICATE_TEE = "LP0510",
    BAD_CAPS = "LP0511",
    MISPLACED_KEY = "LP0512",
    MISPLACED_SINK = "LP0513",
    FILE_OUTSIDE = "LP0514",
    DUPLICATE_RECIPE = "LP0515",

    SCENE_FAULT = "LP0601",

    UNKNOWN_PROFILE = "LP0701",
    UNKNOWN_SETTING = "LP0702",
    BAD_OVERRIDE = "LP0703",

    GRAPH = "LP0801",
    NO_PRODUCER = "LP0802",
    MISSING_ELEMENT = "LP0803",
    SCRIPT_NOT_RUNNABLE = "LP0804",
    SCRIPT_SOURCE = "LP0805",
    MISSING_MODEL = "LP0806",
    MISSING_MODULE = "LP0807",
    BROKEN_MODEL = "LP0808",

    NO_WORKER = "LP0901",
    NO_DIALECT = "LP0902",
    UNKNOWN_PROPERTY = "LP0903",
    READ_ONLY_PROPERTY = "LP0904",
    PROPERTY_TYPE = "LP0905",
    PROPERTY_RANGE = "LP0906",
    PROPERTY_WORD = "LP0907",
    CANNOT_LINK = "LP0908",
    CANNOT_BUILD = "LP0909",
    NO_CAMERA = "LP0910",
}

/// The index of the pages, for further reading.
pub const DOCUMENT_PATH: &str = "docs/diagnostics.md";

/// An entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// `LP0405`
    pub code: &'static str,
    /// The name of its constant.
    pub name: &'static str,
    /// Its page, in Markdown.
    pub page: &'static str,
}

/// A project with the fault, and its correction.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// The files and flags that show the fault. The other files are valid: an empty
    /// `Lpfile.toml`, no cameras, and the workload `barcodes`.
    pub wrong: Vec<Part>,
    /// The message, unless it differs from machine to machine.
    pub message: Option<Message>,
    /// Replaces the parts with the same paths; may be empty.
    pub right: Vec<Part>,
}

/// A file of a project, or a command line.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The file, relative to the project; `None` for the command line.
    pub path: Option<&'static str>,
    /// Its contents; a description in parentheses if they cannot be shown.
    pub text: &'static str,
}

/// The report of a command.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// `lp check`
    pub command: &'static str,
    /// As it is printed.
    pub text: &'static str,
}

impl Rule {
    /// Its severities, in words: `error or warning`.
    #[must_use]
    pub fn severity_words(&self) -> &'static str {
        let title = self.title().split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        title.expect("every title has severities").0
    }

    /// Its severities; a rule may have a serious and a harmless form.
    #[must_use]
    pub fn severities(&self) -> Vec<Severity> {
        let severity = |word| match word {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "note" => Severity::Note,
            _ => panic!("`{word}` on the page of {} is not a severity", self.code),
        };
        self.severity_words().split(" or ").map(severity).collect()
    }

    /// Its title, one line.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.title().split_once("): ").expect("every title has a text").1
    }

    /// The reason why it is a fault, and the way out, in lines of at most 100 characters.
    #[must_use]
    pub fn why(&self) -> &'static str {
        let from = self.page.find("\n\n").map_or(0, |at| at + 2);
        let (why, _) = self.page[from..].split_once("```").expect("every page has an example");
        // The last paragraph is the heading of the first block.
        let end = why.trim_end().rfind("\n\n").map_or(0, |at| at + 1);
        &why[..end]
    }

    fn title(&self) -> &'static str {
        self.page.lines().next().unwrap_or_default()
    }

    /// The examples, at least one for each severity. The line before a block introduces it:
    /// ``In `PATH`:``, `On the command line:`, ``Instead, in `PATH`:`` or `` `COMMAND` reports:``.
    #[must_use]
    pub fn examples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        let mut example = Example::default();
        let mut pieces = self.page.split("```");
        while let (Some(prose), Some(block)) = (pieces.next(), pieces.next()) {
            let heading = prose.trim_end().lines().last().unwrap_or_default();
            let text = block.split_once('\n').map_or("", |(_language, text)| text);
            let name = heading.split('`').nth(1);
            let part = Part { path: name, text };
            if heading.ends_with(" reports:") {
                let command = name.expect("a message has a command");
                example.message = Some(Message { command, text: text.trim_end() });
            } else if heading.starts_with("Instead") {
                example.right.push(part);
            } else {
                if example.message.is_some() {
                    examples.push(std::mem::take(&mut example));
                }
                example.wrong.push(part);
            }
        }
        examples.push(example);
        examples
    }
}

impl Example {
    /// All parts of the corrected project.
    #[must_use]
    pub fn corrected(&self) -> Vec<Part> {
        let is_kept = |part: &&Part| !self.right.iter().any(|right| right.path == part.path);
        self.wrong.iter().filter(is_kept).chain(&self.right).copied().collect()
    }
}

/// All entries, in the order of their codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter()
}

/// The entry of a code, however it is written: `LP0405`, `lp0405`, `405`.
///
/// # Errors
/// When there is no such entry: with the code that was probably meant, if there is
/// one.
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
    fn codes_are_unique_and_in_order() {
        let codes: Vec<&str> = rules().map(|rule| rule.code).collect();
        assert!(codes.is_sorted_by(|before, after| before < after), "{codes:?}");
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
