//! Names written by people, and the slugs made from them.
//!
//! A *name* (of a camera, a workload) is any string without control characters and
//! is kept as written. Its [`Slug`] is used in labels, file names and element
//! names.
//!
//! Not here: uniqueness, which `model` checks because it knows all names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::ContentDigest;

/// Words that labels use themselves, so no camera or user task may have them as its
/// name.
const RESERVED: [&str; 4] = ["lane", "plan", "assets", "report"];

/// A camera's, workload's or user task's name in file names, labels and
/// element names: `camera-3`.
///
/// Contains only `[A-Za-z0-9_-]` and is never empty; a new one does not begin with
/// `-`, which would look like a flag. The name that the user wrote is kept next to
/// it for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The longest name of a camera or task: three of them form a file name
    /// (`results/run/a+b+c.json`), which is limited to 255 bytes.
    pub const MAX: usize = 80;

    /// The slug of a name: every character outside `[A-Za-z0-9_-]`, and a leading
    /// `-`, becomes `_`. `None` for an empty name.
    ///
    /// A name in another script would keep hardly any character to distinguish it.
    /// So if one is outside `[A-Za-z0-9 _.-]`, six hex digits of the name's digest
    /// follow: `T_r-5c1a80`. The part before them is cut, so that such a slug is no
    /// longer than a name may be either.
    #[must_use]
    pub fn of(name: &str) -> Option<Slug> {
        let name = name.trim();
        let kept = |c: char| if is_of_slugs(c) { c } else { '_' };
        let mut text: String = name.chars().map(kept).collect();
        if text.starts_with('-') {
            text.replace_range(..1, "_");
        }
        if !name.chars().all(|c| is_of_slugs(c) || c == ' ' || c == '.') {
            let digest = &ContentDigest::of(name.as_bytes()).to_hex()[..6];
            text.truncate(Slug::MAX - 1 - digest.len());
            text = format!("{text}-{digest}");
        }
        if text.is_empty() { None } else { Some(Slug(text)) }
    }

    /// The slug of copy `n` of a camera (the first is the camera itself):
    /// `camera-3-l2`.
    #[must_use]
    pub fn copy(&self, n: u32) -> Slug {
        if n <= 1 { self.clone() } else { Slug(format!("{}-l{n}", self.0)) }
    }

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
        // Slugs in older records may begin with `-`.
        let is_slug = !text.is_empty() && text.chars().all(is_of_slugs);
        if is_slug { Ok(Slug(text)) } else { Err(format!("`{text}` is not a slug")) }
    }
}

fn is_of_slugs(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

impl From<Slug> for String {
    fn from(slug: Slug) -> String {
        slug.0
    }
}

/// Whether a text may be a pattern of [`matches_glob`].
#[must_use]
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a whole text matches a pattern: `*` is any text, `?` any one character.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // After the last `*`: the rest of the pattern, and the text that the `*` has not taken yet.
    let mut retry: Option<(&str, &str)> = None;
    while let Some(c) = text.chars().next() {
        match pattern.chars().next() {
            Some('*') => {
                pattern = &pattern[1..];
                retry = Some((pattern, text));
            }
            Some(wanted) if wanted == '?' || wanted == c => {
                (pattern, text) = (&pattern[wanted.len_utf8()..], &text[c.len_utf8()..]);
            }
            _ => {
                let Some((rest, from)) = retry else { return false };
                let mut from = from.chars();
                from.next();
                (pattern, text) = (rest, from.as_str());
                retry = Some((rest, text));
            }
        }
    }
    pattern.chars().all(|c| c == '*')
}

/// Longer words are not compared with others.
const LONGEST_WORD: usize = 200;

/// The candidate that is nearest to `word`, for "did you mean".
///
/// Ignores case; `None` when nothing is close.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long string is no mistyped word, and a comparison takes the square of its
    // length in memory.
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
    use expect_test::expect;

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(Slug::of(name).as_ref().map(Slug::as_str), expected);
    }

    #[test]
    fn a_slug_keeps_letters_digits_and_dashes_and_replaces_the_rest() {
        check("camera-3", Some("camera-3"));
        check("Lane 1", Some("Lane_1"));
        check("a.b", Some("a_b"));
        check("-x", Some("_x"));
        check("--", Some("_-"));
        check("  ", None);
    }

    #[test]
    fn a_slug_has_a_digest_if_more_than_blanks_and_dots_were_replaced() {
        let names = ["Tür", "TÜR", " Tür ", "入口", "出口", "till 1/2", "=a", "-\u{2013}"];
        let slugs: Vec<String> = names.iter().map(|name| Slug::of(name).unwrap().to_string()).collect();
        expect![[r#"
            T_r-d24bbb
            T_R-54f55b
            T_r-d24bbb
            __-9fbf9f
            __-5366e8
            till_1_2-21258b
            _a-4ae7cc
            __-55d59d"#]]
        .assert_eq(&slugs.join("\n"));
    }

    #[test]
    fn a_slug_with_a_digest_is_no_longer_than_a_name_may_be() {
        let slug = Slug::of(&format!("{}{}", "a".repeat(79), 'ä')).unwrap();
        assert_eq!(slug.as_str().len(), Slug::MAX);
        assert!(slug.as_str().starts_with(&format!("{}-", "a".repeat(73))));
        assert_ne!(Slug::of(&format!("{}{}", "a".repeat(79), 'ü')).unwrap(), slug);
    }

    #[test]
    fn slugs_are_read_back() {
        for text in ["camera-3", "T_r-5c1a80", "-x"] {
            assert_eq!(Slug::try_from(text.to_owned()).unwrap().as_str(), text);
        }
        for text in ["", "a b", "Tür", "../x"] {
            assert!(Slug::try_from(text.to_owned()).is_err(), "{text}");
        }
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
    fn globs_match_whole_texts() {
        for (glob, text, expected) in [
            ("plan:*", "plan:camera-1", true),
            ("plan:*", "plan", false),
            ("*@640x360@*", "transcode:a.mp4@640x360@15", true),
            ("plan:camera-?", "plan:camera-12", false),
            ("*.toml", "a.toml.bak", false),
            ("a?*", "a", false),
            ("a?*", "ab", true),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxxax", false),
            ("*a*b", "xaybzb", true),
            ("K?sse *", "Kässe Süd", true),
            ("*ü", "Kässe Süü", true),
            ("", "", true),
        ] {
            assert_eq!(matches_glob(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_mistyped_word_finds_the_nearest_candidate() {
        assert_eq!(did_you_mean("widht", ["height", "width", "fps"]), Some("width"));
        assert_eq!(did_you_mean("CPUU", ["CPU", "GPU"]), Some("CPU"));
        assert_eq!(did_you_mean("zbar", ["gvadetect"]), None);
        let text = "x".repeat(1_000_000);
        assert_eq!(did_you_mean(&text, [&text[1..]]), None);
    }
}
