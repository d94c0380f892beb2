//! Readers of plain values: strings, numbers, durations, words and lists.
//!
//! Each takes the value of an override ([`Value::Word`]) as well as one from a
//! file, so `--set run.count=2` and `count = 2` are read by the same function.

use std::time::Duration;

use super::reader::{At, Reader, by};
use super::shape::{Shape, TEXT};
use super::tree::Value;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::text::is_unseen;
use crate::time::{ParseDurationError, parse_duration};

/// The value of another reader, with its place.
pub fn spanned<R: Reader + Copy>(reader: R) -> impl Reader<Value = Spanned<R::Value>> + Copy {
    by(
        move || reader.shape(),
        move |at, diagnostics| {
            let value = reader.read(at, diagnostics)?;
            Some(Spanned { value, place: at.node.place })
        },
    )
}

/// Any string, also the empty one.
pub fn any_string() -> impl Reader<Value = String> + Copy {
    by(|| Shape::String(None), read_any_string)
}

/// A string that is not blank and has no control characters.
pub fn string() -> impl Reader<Value = String> + Copy {
    by(|| Shape::String(Some(TEXT.to_owned())), read_string)
}

/// Any string, also the empty one.
pub(super) fn read_any_string(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = at.as_string().map(str::to_owned);
    if text.is_none() {
        at.wrong("a string", diagnostics);
    }
    text
}

/// A string that is not blank and has no control characters.
pub(super) fn read_string(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let text = read_any_string(at, diagnostics)?;
    if text.trim().is_empty() {
        diagnostics.push(at.fault(codes::BLANK_TEXT, &format!("`{}` must not be blank", at.name)));
        None
    } else if text.contains(is_unseen) {
        diagnostics.push(unseen(at, &text));
        None
    } else {
        Some(text)
    }
}

/// The fault of a string with invisible characters.
pub(super) fn unseen(at: &At<'_>, text: &str) -> Diagnostic {
    let what = if text.contains(char::is_control) { "control characters" } else { "invisible characters" };
    at.fault(codes::BLANK_TEXT, &format!("`{}` must not contain {what}", at.name))
}

/// `true` or `false`.
pub fn boolean() -> impl Reader<Value = bool> + Copy {
    by(
        || Shape::Bool,
        |at, diagnostics| {
            let value = match &at.node.value {
                Value::Bool(value) => Some(*value),
                Value::Word(word) => word.parse().ok(),
                _ => None,
            };
            if value.is_none() {
                at.wrong("true or false", diagnostics);
            }
            value
        },
    )
}

/// `30s`, `1m30s`, `500ms`.
pub fn duration() -> impl Reader<Value = Duration> + Copy {
    // Looser than the reader, which takes several ways of writing a duration.
    by(|| Shape::String(Some(r"^\s*[0-9Pp].*[A-Za-z]\s*$".to_owned())), read_duration)
}

/// `30s`, `1m30s`, `500ms`.
pub(super) fn read_duration(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Duration> {
    match at.as_string().map(parse_duration) {
        Some(Ok(duration)) => Some(duration),
        Some(Err(error)) => {
            let right = match error {
                ParseDurationError::NotADuration(_) => "a duration such as `30s`, `1m30s` or `500ms`",
                ParseDurationError::BelowMillisecond(_) => "`0s` or at least `1ms`",
            };
            let message = format!("`{}` must be {right}", at.name);
            diagnostics.push(at.fault(codes::NOT_A_DURATION, &message));
            None
        }
        None => {
            at.wrong("a duration such as \"30s\", \"1m30s\" or \"500ms\", in quotes", diagnostics);
            None
        }
    }
}

/// A whole number from `min` to `max`. `15.0` is whole.
pub fn whole<T: TryFrom<i64>>(min: i64, max: i64) -> impl Reader<Value = T> + Copy {
    by(
        move || Shape::Whole { min, max },
        move |at, diagnostics| {
            let value = match &at.node.value {
                Value::Int(value) => Some(*value),
                // Every whole f64 below 2^53 is exact, and no range here is wider.
                #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
                Value::Float { value, .. } if value.fract() == 0.0 && value.abs() < 9e15 => {
                    Some(*value as i64)
                }
                Value::Word(word) => word.parse().ok(),
                _ => None,
            };
            let expected = format!("a whole number from {min} to {max}");
            match value {
                Some(value) if (min..=max).contains(&value) => T::try_from(value).ok(),
                Some(_) => {
                    let message = format!("`{}` must be {expected}", at.name);
                    diagnostics.push(at.fault(codes::OUT_OF_RANGE, &message));
                    None
                }
                None => {
                    at.wrong(&expected, diagnostics);
                    None
                }
            }
        },
    )
}

/// A number above `above` and up to `max`.
pub fn number(above: f64, max: f64) -> impl Reader<Value = f64> + Copy {
    by(
        move || Shape::Number { above, max },
        move |at, diagnostics| {
            let expected = format!("a number above {above} and up to {max}");
            read_number(at, &expected, |value| above < value && value <= max, diagnostics)
        },
    )
}

/// A number from 0 to 1.
pub fn share() -> impl Reader<Value = f64> + Copy {
    by(
        || Shape::Share,
        |at, diagnostics| {
            read_number(at, "a number from 0 to 1", |value| (0.0..=1.0).contains(&value), diagnostics)
        },
    )
}

fn read_number(
    at: &At<'_>,
    expected: &str,
    is_possible: impl Fn(f64) -> bool,
    diagnostics: &mut Diagnostics,
) -> Option<f64> {
    let value = match &at.node.value {
        #[expect(clippy::cast_precision_loss, reason = "ranges are far below 2^53")]
        Value::Int(value) => Some(*value as f64),
        Value::Float { value, .. } => Some(*value),
        Value::Word(word) => word.parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    };
    match value {
        Some(value) if is_possible(value) => Some(value),
        Some(_) => {
            let message = format!("`{}` must be {expected}", at.name);
            diagnostics.push(at.fault(codes::OUT_OF_RANGE, &message));
            None
        }
        None => {
            at.wrong(expected, diagnostics);
            None
        }
    }
}

/// The number of another reader, and whether it was written with a fraction or an
/// exponent: `15.0` is, `15` is not.
pub fn as_written<T>(reader: impl Reader<Value = T> + Copy) -> impl Reader<Value = (T, bool)> + Copy {
    by(
        move || reader.shape(),
        move |at, diagnostics| {
            Some((reader.read(at, diagnostics)?, matches!(at.node.value, Value::Float { .. })))
        },
    )
}

/// Any finite number.
pub fn finite() -> impl Reader<Value = f64> + Copy {
    by(
        || Shape::Finite,
        |at, diagnostics| match &at.node.value {
            #[expect(clippy::cast_precision_loss, reason = "a fraction may be rounded")]
            Value::Int(value) => Some(*value as f64),
            Value::Float { value, .. } => Some(*value),
            _ => {
                at.wrong("a number", diagnostics);
                None
            }
        },
    )
}

/// One of `words`, each with its meaning.
pub fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Reader<Value = T> + Copy {
    by(
        move || Shape::Word(words.iter().map(|(word, _)| *word).collect()),
        move |at, diagnostics| {
            let possible = || {
                let quoted: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                quoted.join(", ")
            };
            let Some(text) = at.as_string() else {
                at.wrong(&format!("one of {}", possible()), diagnostics);
                return None;
            };
            if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
                return Some(*meaning);
            }
            let message = format!("`{}` must be one of {}", at.name, possible());
            let fault = at.fault(codes::UNKNOWN_WORD, &message);
            diagnostics.push(fault.suggest(text, words.iter().map(|(word, _)| *word), diagnostics));
            None
        },
    )
}

/// A list; invalid items are reported and left out.
pub fn list_of<R: Reader + Copy>(reader: R) -> impl Reader<Value = Vec<R::Value>> + Copy {
    by(
        move || Shape::List { item: Box::new(reader.shape()), is_filled: false },
        move |at, diagnostics| read_list(&reader, at, diagnostics),
    )
}

/// A list with at least one item. The result may still be empty if all of them are
/// invalid.
pub fn filled_list_of<R: Reader + Copy>(reader: R) -> impl Reader<Value = Vec<R::Value>> + Copy {
    by(
        move || Shape::List { item: Box::new(reader.shape()), is_filled: true },
        move |at, diagnostics| {
            if matches!(&at.node.value, Value::List(items) if items.is_empty()) {
                let message = format!("`{}` must not be empty", at.name);
                diagnostics.push(Diagnostic::error(codes::EMPTY_LIST, message).at(at.node.place));
                return None;
            }
            read_list(&reader, at, diagnostics)
        },
    )
}

fn read_list<R: Reader>(reader: &R, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<R::Value>> {
    let Value::List(items) = &at.node.value else {
        at.wrong("a list", diagnostics);
        return None;
    };
    let item = |(index, node)| reader.read(&At { name: format!("{}[{index}]", at.name), node }, diagnostics);
    Some(items.iter().enumerate().filter_map(item).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::json;
    use crate::config::reader::{KeyNames, Table};
    use crate::config::shape::UnknownKeys;
    use crate::diag::Sources;

    /// Reads the key `a` of a JSON object.
    #[track_caller]
    fn check<T: std::fmt::Debug>(text: &str, reader: impl Reader<Value = T>, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("x.json", text);
        let tree = json::parse(file, text, &mut diagnostics).expect("the text is JSON");
        let at = At { name: "the file".to_owned(), node: &tree };
        let mut table = Table::open(&at, KeyNames::Plain, UnknownKeys::Warn, &mut diagnostics)
            .expect("the text is a table");
        let value = table.take("a", "", &reader).map(|(_, at)| reader.read(&at, &mut diagnostics));
        table.finish(&mut diagnostics);
        let value = format!("{value:?}\n{}", diagnostics.labelled_lines(&sources));
        expect.assert_eq(&value);
    }

    #[test]
    fn numbers_have_ranges() {
        check(
            r#"{ "a": 15.0 }"#,
            whole::<u32>(1, 60),
            expect![[r#"
            Some(Some(15))
        "#]],
        );
        check(
            r#"{ "a": 61 }"#,
            whole::<u32>(1, 60),
            expect![[r#"
                Some(None)
                LP0204 1:8 `a` must be a whole number from 1 to 60: found 61
            "#]],
        );
        check(
            r#"{ "a": "15" }"#,
            whole::<u32>(1, 60),
            expect![[r#"
                Some(None)
                LP0203 1:8 `a` must be a whole number from 1 to 60: found the string `15`
            "#]],
        );
        check(
            r#"{ "a": 0 }"#,
            number(0.0, 1000.0),
            expect![[r#"
                Some(None)
                LP0204 1:8 `a` must be a number above 0 and up to 1000: found 0
            "#]],
        );
        check(
            r#"{ "a": 14.95 }"#,
            number(0.0, 1000.0),
            expect![[r#"
            Some(Some(14.95))
        "#]],
        );
    }

    #[test]
    fn strings_are_not_blank() {
        check(
            r#"{ "a": "  " }"#,
            string(),
            expect![[r#"
                Some(None)
                LP0206 1:8 `a` must not be blank: found the string `  `
            "#]],
        );
        check(
            r#"{ "a": "x\u0007" }"#,
            string(),
            expect![[r#"
                Some(None)
                LP0206 1:8 `a` must not contain control characters: found the string `x\u{7}`
            "#]],
        );
        check(
            r#"{ "a": null }"#,
            string(),
            expect![[r#"
                Some(None)
                LP0203 1:8 `a` must be a string: found null
            "#]],
        );
    }

    #[test]
    fn the_closest_word_is_suggested() {
        const WORDS: &[(&str, u8)] = &[("live", 1), ("free", 2)];
        check(
            r#"{ "a": "lve" }"#,
            one_of(WORDS),
            expect![[r#"
                Some(None)
                LP0205 1:8 `a` must be one of `live`, `free`: found the string `lve`; did you mean `live`?
            "#]],
        );
    }

    #[test]
    fn each_item_of_a_list_is_reported() {
        check(
            r#"{ "a": [1, "x", 2, null] }"#,
            list_of(string()),
            expect![[r#"
                Some(Some(["x"]))
                LP0203 1:9 `a[0]` must be a string: found 1
                LP0203 1:17 `a[2]` must be a string: found 2
                LP0203 1:20 `a[3]` must be a string: found null
            "#]],
        );
        check(
            r#"{ "a": [] }"#,
            filled_list_of(string()),
            expect![[r#"
                Some(None)
                LP0207 1:8 `a` must not be empty
            "#]],
        );
    }

    #[test]
    fn unknown_keys_are_reported_and_comments_are_not() {
        check(
            r#"{ "a": "30s", "_b": 1, "aa": 2, "xyz": 3 }"#,
            duration(),
            expect![[r#"
                Some(Some(30s))
                warning LP0201 1:24 unknown key `aa`: ignored; did you mean `a`?
                warning LP0201 1:33 unknown key `xyz`: ignored; possible here: a
            "#]],
        );
    }
}
