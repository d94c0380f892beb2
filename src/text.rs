//! Text on its way to people: foreign text made harmless, secrets of URLs hidden,
//! nouns counted.
//!
//! Names, paths, logs and plans may be written by somebody else, so nothing of them
//! reaches a terminal as it is. There is one set of characters that nothing prints
//! ([`is_treacherous`]); the smaller one of [`is_unseen`] says which characters no
//! name in a config may have.
//!
//! Not here: layout, colours and escape sequences of other programs (`diag`, `cli`).

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The inside of a class of regular expressions (ECMA-262) for [`is_unseen`].
macro_rules! unseen {
    () => {
        r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    };
}
pub(crate) use unseen;

/// The most names that a sentence has.
const NAMED: usize = 8;

/// Names in a sentence: "`a`, `b`, `c` and 4 more".
#[must_use]
pub fn some_names(names: &[impl Display]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

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

/// Whether a terminal may do anything but show this character in its place:
/// [`is_unseen`], joiners, fillers, and what no two terminals agree on.
#[must_use]
pub fn is_treacherous(c: char) -> bool {
    is_unseen(c)
        || is_joiner(c)
        || matches!(c,
            '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Private use and tags.
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Foreign text in a line: treacherous characters are escaped (`\n`, `\u{202e}`).
///
/// A joiner stays after a character of the scripts and emoji that need it.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for c in text.chars() {
        let joins = is_joiner(c) && !before.is_ascii() && !is_treacherous(before);
        if is_treacherous(c) && !joins {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        before = c;
    }
    Cow::Owned(shown)
}

/// Foreign text of several lines: as [`harmless`], but line breaks stay, and tabs
/// become blanks.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    let text = text.replace('\t', " ");
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// Where the user name and password are in the rest of a URL, given where its
/// authority ends at the latest.
fn login(rest: &str, ends: impl Fn(char) -> bool) -> Option<&str> {
    let authority = rest.split(ends).next()?;
    authority.rsplit_once('@').map(|(login, _)| login)
}

/// Words in the names of what is secret.
const SECRET: [&str; 7] = ["AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "SIG", "TOKEN"];

/// A text without the user names and passwords of its URLs, and without the values of their
/// parameters that seem to be secret by their names, for messages.
#[must_use]
pub fn redacted(text: &str) -> String {
    if text.contains("://") { without_parameters(&without_logins(text)) } else { text.to_owned() }
}

fn without_parameters(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['?', '&']) {
        shown.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| c.is_whitespace() || "&#;\"'`".contains(c)).unwrap_or(rest.len());
        if let Some((name, _)) = rest[..end].split_once('=')
            && is_secret(name)
        {
            shown.push_str(&format!("{name}=***"));
            rest = &rest[end..];
        }
    }
    shown + rest
}

/// The name of the first parameter of a URL that seems to be secret by it, and has a value.
#[must_use]
pub fn secret_parameter(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    let parameters = query.split('#').next()?.split('&').filter_map(|one| one.split_once('='));
    parameters.filter(|(name, value)| is_secret(name) && !value.is_empty()).map(|(name, _)| name).next()
}

/// Whether a variable, a parameter or an option seems to be secret by its name.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET.iter().any(|word| name.contains(word))
}

fn without_logins(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        rest = after;
        // A password with a blank in it is no reason to print it.
        if let Some(login) = login(rest, |c| "/?#".contains(c)) {
            shown.push_str("***");
            rest = &rest[login.len()..];
        }
    }
    shown + rest
}

/// The characters of a file name that a URL cannot have.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path as the end of a URL: `a b/ü` as `a%20b/%C3%BC`.
#[must_use]
pub fn url_path(path: &str) -> String {
    let parts = path.split('/').map(|part| utf8_percent_encode(part, IN_URL).to_string());
    parts.collect::<Vec<_>>().join("/")
}

/// The words of a command without the user names and passwords of URLs, and without the
/// values of variables and options that seem to be secret by their names: `TOKEN=***`, `--env=KEY=***`,
/// `--token=***`, `--token ***`.
#[must_use]
pub fn redacted_words<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut is_value = false;
    let word = |word: &str| {
        let secret = secret_of_word(word, is_value);
        is_value = announces_secret(word);
        match secret {
            Some(secret) => format!("{}***", &word[..word.len() - secret.len()]),
            None => redacted(word),
        }
    };
    words.map(word).collect()
}

/// The values in the words of a command that seem to be secret by the names before them.
#[must_use]
pub fn secrets_of_words(words: &[String]) -> Vec<&str> {
    let before = std::iter::once(None).chain(words.iter().map(Some));
    let with = words.iter().zip(before);
    with.filter_map(|(word, before)| secret_of_word(word, before.is_some_and(|one| announces_secret(one))))
        .collect()
}

/// Whether a word is an option whose value, the next word, seems to be secret: `--token`.
fn announces_secret(word: &str) -> bool {
    word.strip_prefix("--").is_some_and(is_secret_name)
}

/// The secret at the end of a word. `is_value`: it follows an option that [`announces_secret`].
fn secret_of_word(word: &str, is_value: bool) -> Option<&str> {
    let variable = word.strip_prefix("--env=").or_else(|| word.strip_prefix("-e")).unwrap_or(word);
    let variable = variable.strip_prefix("--").unwrap_or(variable);
    match variable.split_once('=') {
        Some((name, value)) if is_secret_name(name) => Some(value),
        _ => (is_value && !word.starts_with('-')).then_some(word),
    }
}

fn is_secret_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        && is_secret(name)
        // `timeout --signal=INT` is no secret.
        && !name.eq_ignore_ascii_case("signal")
}

/// Where the passwords of URLs are in a line of a file: `b` of `rtsp://a:b@host`,
/// a user without a password, which may be a token, and the values of parameters that seem to be
/// secret by their names. A `${NAME}` is none.
#[must_use]
pub fn passwords(line: &str) -> Vec<Range<usize>> {
    let begins = line.match_indices("://").map(|(at, scheme)| at + scheme.len());
    let password = |begin: usize| {
        let login = login(&line[begin..], |c| c.is_whitespace() || "/?#\"".contains(c))?;
        let password = login.split_once(':').map_or(login, |(_, password)| password);
        let is_name = password.starts_with("${") && password.ends_with('}');
        let end = begin + login.len();
        (!is_name).then_some(end - password.len()..end)
    };
    let mut found: Vec<Range<usize>> = begins.clone().filter_map(password).collect();
    for begin in begins {
        let url = &line[begin..];
        let url = &url[..url.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(url.len())];
        for (at, _) in url.match_indices(['?', '&']) {
            let rest = &url[at + 1..];
            let parameter = rest.split(['&', '#']).next().unwrap_or_default();
            if let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| is_secret(name)) {
                let from = begin + at + 1 + name.len() + 1;
                found.push(from..from + value.len());
            }
        }
    }
    found.retain(|range| !range.is_empty());
    found.sort_unstable_by_key(|range| range.start);
    found
}

/// `1 task`, `3 tasks`, `2 entries`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    format!("{n} {}", plural(n, noun))
}

/// `task` for 1 and `tasks` for every other number.
pub fn plural<N: PartialEq + From<u8>>(n: N, noun: &str) -> Cow<'_, str> {
    if n == N::from(1) {
        return Cow::Borrowed(noun);
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => Cow::Owned(format!("{stem}ies")),
        _ => Cow::Owned(format!("{noun}s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_characters_that_act_on_a_terminal() {
        for (text, shown) in [
            ("fps", "fps"),
            ("a\nb\tc\u{202e}d\u{9b}", "a\\nb\\tc\\u{202e}d\\u{9b}"),
            ("\u{1b}[31m\u{e000}", "\\u{1b}[31m\\u{e000}"),
            ("it's \"q\" \\", "it's \"q\" \\"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn a_joiner_stays_only_where_a_script_needs_it() {
        for (text, shown) in [
            ("👩\u{200d}👧", "👩\u{200d}👧"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("fp\u{200c}s", "fp\\u{200c}s"),
            ("é\u{200d}\u{200d}", "é\u{200d}\\u{200d}"),
            ("\u{200d}x", "\\u{200d}x"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(harmless_lines("a\u{1b}[31mb\tc\nd\r"), "a\\u{1b}[31mb c\nd\\r");
    }

    #[test]
    fn the_class_of_regular_expressions_is_the_set_of_unseen_characters() {
        let point = |text: &str| u32::from_str_radix(text.trim_start_matches(r"\u"), 16).unwrap();
        let class = unseen!().replace(r"-\u", "-");
        let ranges: Vec<(u32, u32)> = class
            .split(r"\u")
            .skip(1)
            .map(|range| range.split_once('-').unwrap_or((range, range)))
            .map(|(first, last)| (point(first), point(last)))
            .collect();
        for c in '\0'..=char::MAX {
            let is_in_class = ranges.iter().any(|(first, last)| (*first..=*last).contains(&(c as u32)));
            assert_eq!(is_in_class, is_unseen(c), "{c:?}");
        }
    }

    #[test]
    fn users_passwords_and_secret_parameters_are_redacted() {
        for (text, shown) in [
            ("https://u:p@h:1/a@b?c", "https://***@h:1/a@b?c"),
            ("https://h/a@b", "https://h/a@b"),
            ("rtsp://u:a b@h", "rtsp://***@h"),
            ("curl http://h http://u:p@h; x", "curl http://h http://***@h; x"),
            (
                "`https://h/a?X-Amz-Signature=ab%2F&v=1&sig=` x",
                "`https://h/a?X-Amz-Signature=***&v=1&sig=***` x",
            ),
            ("http://h?token=a#b http://h?page=2", "http://h?token=***#b http://h?page=2"),
            ("a && KEY=b", "a && KEY=b"),
        ] {
            assert_eq!(redacted(text), shown);
        }
    }

    #[test]
    fn a_path_becomes_the_end_of_a_url() {
        assert_eq!(url_path("a b/ü%?#.bin"), "a%20b/%C3%BC%25%3F%23.bin");
    }

    #[test]
    fn values_of_secret_variables_are_redacted_in_a_command() {
        let words =
            ["podman", "run", "-e", "API_TOKEN=a=b", "--env=DB_PASS=c", "-eKEY=d", "-e", "GST_DEBUG=3"];
        let more = ["--env", "PLAIN", "--security-opt=label=disable", "-v", "/keys=/k", "http://u:p@h"];
        expect_test::expect![[
            "podman run -e API_TOKEN=*** --env=DB_PASS=*** -eKEY=*** -e GST_DEBUG=3 --env PLAIN --security-opt=label=disable -v /keys=/k http://***@h"
        ]]
        .assert_eq(&redacted_words(words.into_iter().chain(more)).join(" "));
    }

    #[test]
    fn passwords_are_found_but_not_names_of_variables() {
        for (line, found) in [
            ("\"rtsp://bob:p%40s@s@host/1\"", vec!["p%40s@s"]),
            ("http://token@h rtsp://h/a@b", vec!["token"]),
            ("rtsp://${U}:${P}@h, rtsp://a:é@h", vec!["é"]),
            ("\"rtsp://a:b@h/1?user=me&password=a%20b#x\", http://h?token=", vec!["b", "a%20b"]),
        ] {
            assert_eq!(passwords(line).into_iter().map(|range| &line[range]).collect::<Vec<_>>(), found);
        }
    }

    #[test]
    fn nouns_are_counted() {
        let texts = [counted(1_usize, "task"), counted(0_u32, "delay"), counted(2_u64, "entry")];
        assert_eq!(texts, ["1 task", "0 delays", "2 entries"]);
    }
}
