//! The scalars of JSON: texts, words and numbers, and what people write in
//! their place.

use super::{Parser, QUOTES, Repeated, Stop};
use crate::config::tree::Value;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};

impl Parser<'_> {
    /// A text in double quotes, and whether it is all right.
    pub(super) fn quoted(&mut self) -> Result<(String, bool), Stop> {
        let open = self.at;
        self.at += 1;
        let (mut text, mut is_right, mut has_control) = (String::new(), true, false);
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain =
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            text.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((text, is_right));
                }
                Some(b'\\') if !matches!(rest.get(plain + 1), None | Some(b'\n' | b'\r')) => {
                    match self.escape() {
                        Some(c) => text.push(c),
                        None => is_right = false,
                    }
                }
                None | Some(b'\\' | b'\n' | b'\r') => {
                    self.at += usize::from(rest.get(plain) == Some(&b'\\'));
                    let fault = self.fault(open..self.at, "a text is not closed on its line");
                    let fault = fault.label("opened here");
                    return self
                        .stop(fault.help("close it with `\"`; a line break in a text is written `\\n`"));
                }
                Some(byte) => {
                    if !has_control {
                        let written = match byte {
                            b'\t' => "\\t".to_owned(),
                            0x08 => "\\b".to_owned(),
                            0x0c => "\\f".to_owned(),
                            byte => format!("\\u{byte:04x}"),
                        };
                        let fault = self.fault(self.at..self.at + 1, "a control character stands in a text");
                        self.report(fault.help(format!("write it as `{written}`")));
                    }
                    has_control = true;
                    text.push(char::from(*byte));
                    self.at += 1;
                }
            }
        }
    }

    /// A backslash and what it stands for.
    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        let c = self.text[start + 1..].chars().next()?;
        self.at += 1 + c.len_utf8();
        let help = match c {
            '"' | '\\' | '/' => return Some(c),
            'b' => return Some('\u{8}'),
            'f' => return Some('\u{c}'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'u' => return self.unicode(start),
            '\'' => "write `'` without a backslash".to_owned(),
            'x' => "write `\\u00` and two hex digits".to_owned(),
            '0' => "write `\\u0000`".to_owned(),
            _ => "a backslash itself is written `\\\\`".to_owned(),
        };
        let range = start..self.at;
        let message = format!("`{}` is no escape of JSON", &self.text[range.clone()]);
        self.report(self.fault(range, message).help(help));
        None
    }

    /// What `\u` at `start` stands for, with the second half of a pair.
    fn unicode(&mut self, start: usize) -> Option<char> {
        let Some(first) = self.four_digits() else {
            let message = format!("`{}` is no escape of JSON", &self.text[start..self.at]);
            self.report(self.fault(start..self.at, message).label("`\\u` takes four hex digits"));
            return None;
        };
        let end = self.at;
        if (0xd800..0xdc00).contains(&first) && self.text[end..].starts_with("\\u") {
            self.at += 2;
            if let Some(second @ 0xdc00..0xe000) = self.four_digits() {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            // What follows is an escape of its own.
            self.at = end;
        }
        let c = char::from_u32(first);
        if c.is_none() {
            let message = format!("`{}` is half of a character", &self.text[start..end]);
            let fault = self.fault(start..end, message);
            self.report(fault.help("write the character itself, or both halves"));
        }
        c
    }

    /// Takes up to four hex digits, and their value if there are four.
    fn four_digits(&mut self) -> Option<u32> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let digits = &self.text[self.at..self.at + count];
        self.at += count;
        if count == 4 { u32::from_str_radix(digits, 16).ok() } else { None }
    }

    /// A text between characters that are no quotes of JSON.
    pub(super) fn misquoted(&mut self, open: char) -> Result<String, Stop> {
        let (_, closes) = QUOTES.iter().find(|(quote, _)| *quote == open).expect("the caller found it");
        let start = self.at;
        let inner = start + open.len_utf8();
        let line = &self.text[inner..];
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        let mut is_escaped = false;
        let close = line.char_indices().find(|(_, c)| {
            let is_close = closes.contains(*c) && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_close
        });
        let Some((len, close)) = close else {
            let fault = self.fault(start..inner, format!("found `{open}`, expected `\"`"));
            return self.stop(fault.label("texts stand in double quotes"));
        };
        let text = &line[..len];
        self.at = inner + len + close.len_utf8();
        match &mut self.quotes {
            Some(repeated) => repeated.count += 1,
            None => {
                let first = self.fault(start..self.at, "texts stand in double quotes");
                let first = first.label(format!("found `{open}`")).help(write_quoted(text));
                self.quotes = Some(Repeated { first, count: 1 });
            }
        }
        Ok(text.to_owned())
    }

    /// A key without quotes, or with the closing one alone.
    pub(super) fn bare_key(&mut self) -> String {
        let start = self.at;
        self.run(|c| is_word(c) || c.is_ascii_digit() || matches!(c, '-' | '.'));
        let text = self.text[start..self.at].to_owned();
        let label = if self.peek() == Some('"') {
            self.at += 1;
            "the opening quote is missing"
        } else {
            ""
        };
        let fault = self.fault(start..self.at, "keys stand in double quotes");
        self.report(fault.label(label).help(write_quoted(&text)));
        text
    }

    /// A word without quotes as a value.
    pub(super) fn word(&mut self) -> Value {
        let start = self.at;
        self.run(|c| is_word(c) || c.is_ascii_digit());
        let meant = match &self.text[start..self.at] {
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "null" => return Value::Null,
            word if is_not_finite(word) => {
                self.not_finite(start);
                return Value::Broken;
            }
            "True" | "TRUE" => Some("write `true`"),
            "False" | "FALSE" => Some("write `false`"),
            "None" | "undefined" | "nil" | "Null" | "NULL" => Some("leave the key out, or write `null`"),
            _ => None,
        };
        match meant {
            Some(meant) => {
                let message = format!("`{}` is no value of JSON", &self.text[start..self.at]);
                self.report(self.fault(start..self.at, message).help(meant));
            }
            None => self.bare_text(start),
        }
        Value::Broken
    }

    /// Reports everything from `start` to the next comma, bracket or line as a
    /// text without quotes.
    fn bare_text(&mut self, start: usize) {
        self.run(|c| !matches!(c, ',' | ']' | '}' | '"' | ':' | '\n'));
        let text = self.text[start..self.at].trim_end();
        self.at = start + text.len();
        self.report(self.fault(start..self.at, "a text stands without quotes").help(write_quoted(text)));
    }

    fn not_finite(&mut self, start: usize) {
        let fault = Diagnostic::error(codes::NOT_FINITE, "NaN and infinity are no values here");
        let fault = fault.at(self.place(start..self.at));
        self.report(fault.help("write a number, or leave the key out"));
    }

    pub(super) fn number(&mut self) -> Value {
        let start = self.at;
        self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        let text = &self.text[start..self.at];
        let place = self.place(start..self.at);
        if is_number(text) {
            return number(text, place, &mut self.found);
        }
        if is_not_finite(text) {
            self.not_finite(start);
            return Value::Broken;
        }
        match meant_number(text) {
            Some((why, meant)) => {
                let fault = self.fault(start..self.at, format!("`{text}` is no number of JSON"));
                self.report(fault.label(why).help(format!("write `{meant}`")));
            }
            None if text.contains(|c: char| c.is_ascii_digit()) => self.bare_text(start),
            None => self.report(
                self.fault(start..self.at, format!("`{text}` is no number")).label("no digit follows"),
            ),
        }
        Value::Broken
    }
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

/// Whether this is NaN or infinity, in the spelling of any language.
pub(in crate::config) fn is_not_finite(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-']);
    ["nan", "inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn write_quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        "write it in double quotes".to_owned()
    } else {
        format!("write `\"{text}\"`")
    }
}

/// Whether this is a number as JSON writes them.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = &fraction[digits(fraction)..];
        if rest.len() == fraction.len() {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        rest = &exponent[digits(exponent)..];
        if rest.len() == exponent.len() {
            return false;
        }
    }
    rest.is_empty()
}

/// What is wrong with a number of another language, and how JSON writes it.
pub(in crate::config) fn meant_number(text: &str) -> Option<(&'static str, String)> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = match number.get(..2) {
        Some("0x" | "0X") => Some((16, "no hexadecimal numbers")),
        Some("0o" | "0O") => Some((8, "no octal numbers")),
        Some("0b" | "0B") => Some((2, "no binary numbers")),
        _ => None,
    };
    let bare = number.replace('_', "");
    if let Some((radix, why)) = radix {
        let value = u64::from_str_radix(&bare[2..], radix).ok()?;
        return Some((why, format!("{sign}{value}")));
    }
    let zeros = bare.len() - bare.trim_start_matches('0').len();
    let has_digit_behind = bare.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
    let trimmed = if has_digit_behind { &bare[zeros..] } else { &bare[zeros.saturating_sub(1)..] };
    let before = if trimmed.starts_with('.') { format!("0{trimmed}") } else { trimmed.to_owned() };
    let end = before.find(['e', 'E']).unwrap_or(before.len());
    let (mantissa, exponent) = before.split_at(end);
    let behind = if mantissa.ends_with('.') { format!("{mantissa}0{exponent}") } else { before.clone() };
    let why = if text.starts_with('+') {
        "no `+` in front"
    } else if number.contains('_') {
        "no `_` between digits"
    } else if trimmed != bare {
        "no zeros in front"
    } else if before != trimmed {
        "a digit must stand before the `.`"
    } else {
        "a digit must stand behind the `.`"
    };
    let meant = format!("{sign}{behind}");
    if is_number(&meant) { Some((why, meant)) } else { None }
}

/// A number of either language as `text` writes it in decimal digits.
pub(in crate::config) fn number(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Value {
    let is_whole = !text.contains(['.', 'e', 'E']);
    if is_whole && let Ok(value) = text.parse::<i64>() {
        return Value::Int(value);
    }
    if !is_whole
        && let Ok(value) = text.parse::<f64>()
        && value.is_finite()
    {
        return Value::Float { value, text: text.to_owned() };
    }
    let diagnostic = Diagnostic::error(codes::NUMBER_TOO_BIG, "the number is too big to be represented");
    let limit =
        if is_whole { "whole numbers end at 9223372036854775807" } else { "fractions end at 1.8e308" };
    diagnostics.push(diagnostic.at(place).label(limit));
    Value::Broken
}
