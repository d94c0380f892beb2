//! Names as people write them, and the slugs made of them.
//!
//! A *name* (of a camera, a workload) is any text without control characters
//! and is kept as written. Its [`Slug`] stands in labels, file names and
//! element names.
//!
//! Not here: uniqueness, which only whoever knows all names can check
//! (`config::project`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Words that labels use themselves, so that no camera or user task may be called so.
const RESERVED: [&str; 4] = ["lane", "plan", "assets", "report"];

/// A camera's, workload's or user task's name in file names, labels and
/// element names: `camera-3`.
///
/// Only `[A-Za-z0-9_-]`, never empty. Made from the name that the user wrote,
/// which is kept beside it for everything people see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The longest name of a camera or task: three of them make the name of a file
    /// (`results/run/a+b+c.json`), which ends at 255 bytes.
    pub const MAX: usize = 80;

    /// The slug of a name: every character outside `[A-Za-z0-9_-]` becomes `_`.
    /// `None` for a name that has no character at all.
    #[must_use]
    pub fn of(name: &str) -> Option<Slug> {
        let text: String = name
            .trim()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
            .collect();
        if text.is_empty() { None } else { Some(Slug(text)) }
    }

    /// The slug of copy `n` of a camera (the first is the camera itself):
    /// `camera-3-l2`.
    #[must_use]
    pub fn copy(&self, n: u32) -> Slug {
        if n <= 1 { self.clone() } else { Slug(format!("{}-l{n}", self.0)) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether labels use this word themselves: `lane`, `plan`, `assets`,
    /// `report`, `set-<6 hex>`.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let hex6 = |rest: &str| {
            rest.len() == 6 && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        RESERVED.contains(&self.as_str()) || self.0.strip_prefix("set-").is_some_and(hex6)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Slug {
    type Error = String;

    fn try_from(text: String) -> Result<Slug, String> {
        match Slug::of(&text) {
            Some(slug) if slug.0 == text => Ok(slug),
            _ => Err(format!("`{text}` is not a slug")),
        }
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> String {
        slug.0
    }
}

/// Longer words are not compared with others.
const LONGEST_WORD: usize = 200;

/// Whether a character cannot be seen, or moves those around it: control
/// characters, and what hides, breaks or reorders text (of Unicode's format
/// characters all but the two joiners, which scripts and emoji need).
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The candidate that was most likely meant by `word`, for "did you mean".
///
/// Compares without regard to case; `None` when nothing is close.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a word by a text; to compare two texts takes the square of
    // their length in memory.
    let length = word.chars().count();
    if length > LONGEST_WORD {
        return None;
    }
    let folded = word.to_lowercase();
    // A third of the word may differ, so that short words do not match everything.
    let limit = (length.max(3) / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(Slug::of(name).as_ref().map(Slug::as_str), expected);
    }

    #[test]
    fn a_slug_keeps_letters_digits_and_dashes_and_replaces_the_rest() {
        check("camera-3", Some("camera-3"));
        check("cam 1/ä", Some("cam_1__"));
        check("../x", Some("___x"));
        check("  ", None);
    }

    #[test]
    fn words_of_labels_are_reserved() {
        for (name, reserved) in
            [("lane", true), ("set-9f2c41", true), ("set-9f2c4", false), ("lane-1", false)]
        {
            assert_eq!(Slug::of(name).unwrap().is_reserved(), reserved, "{name}");
        }
    }

    #[test]
    fn a_near_miss_finds_what_was_meant() {
        assert_eq!(did_you_mean("widht", ["height", "width", "fps"]), Some("width"));
        assert_eq!(did_you_mean("CPUU", ["CPU", "GPU"]), Some("CPU"));
        assert_eq!(did_you_mean("zbar", ["gvadetect"]), None);
        let text = "x".repeat(1_000_000);
        assert_eq!(did_you_mean(&text, [&text[1..]]), None);
    }
}
