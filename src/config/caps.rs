//! Caps as a string.
//!
//! Only their syntax is checked: a media type, and fields with values. GStreamer
//! checks the values.

use super::reader::{At, Reader, by};
use super::shape::Shape;
use super::values::read_string;
use crate::diag::codes;

/// Caps: `video/x-raw,format=RGB,width=[1,640]`.
pub(super) fn caps() -> impl Reader<Value = String> + Copy {
    let shape =
        || Shape::String(Some(r"^\s*(ANY\s*$|[A-Za-z][A-Za-z0-9_.:+\-]*/[A-Za-z0-9_.:+\-]+)".to_owned()));
    by(shape, |at: &At<'_>, diagnostics| {
        let text = read_string(at, diagnostics)?.trim().to_owned();
        if let Err(why) = read_caps(&text) {
            let fault = at.fault(codes::BAD_CAPS, &format!("`{}` must be caps: {why}", at.name));
            diagnostics.push(fault.help("write caps such as `video/x-raw,format=RGB,width=640`"));
            return None;
        }
        Some(text)
    })
}

/// The reason why a string is not caps, if there is one.
fn read_caps(text: &str) -> Result<(), String> {
    if text == "ANY" {
        return Ok(());
    }
    for structure in split(text, ';')? {
        let mut parts = split(structure, ',')?.into_iter();
        let head = parts.next().unwrap_or_default().trim();
        let (media, features) = match head.split_once('(') {
            Some((media, features)) => (media, Some(features)),
            None => (head, None),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
        let is_media = media.split_once('/').is_some_and(|(kind, format)| {
            kind.starts_with(|c: char| c.is_ascii_alphabetic())
                && kind.chars().all(plain)
                && !format.is_empty()
                && format.chars().all(plain)
        });
        if !is_media {
            return Err(format!("`{}` is not a media type", media.escape_debug()));
        }
        let is_features = features.is_none_or(|features| {
            features.strip_suffix(')').is_some_and(|inner| {
                !inner.is_empty() && inner.chars().all(|c| plain(c) || c == ',' || c == ' ')
            })
        });
        if !is_features {
            return Err(format!("`{}` is not followed by features such as `(memory:VAMemory)`", media));
        }
        for field in parts {
            let shown = field.trim().escape_debug().to_string();
            let Some((name, value)) = field.split_once('=') else {
                return Err(format!("`{shown}` is not a field with a value"));
            };
            let name = name.trim();
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain);
            let value = value.trim();
            if !is_name || value.is_empty() || value.contains('!') && !value.contains('"') {
                return Err(format!("`{shown}` is not a field with a value"));
            }
        }
    }
    Ok(())
}

/// Parts of a string between separators outside of quotes and brackets.
fn split(text: &str, separator: char) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut open, mut quoted, mut escaped) = (Vec::new(), 0, Vec::new(), false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => open.push(']'),
            '{' => open.push('}'),
            '(' => open.push(')'),
            '<' => open.push('>'),
            ']' | '}' | ')' | '>' if open.pop() != Some(c) => {
                return Err(format!("`{c}` has no opening bracket"));
            }
            _ if c == separator && open.is_empty() => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted {
        return Err("a quote is never closed".to_owned());
    }
    if let Some(missing) = open.pop() {
        return Err(format!("`{missing}` is missing"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        expect.assert_eq(&read_caps(text).err().unwrap_or_else(|| "caps".to_owned()));
    }

    #[test]
    fn caps_are_a_media_type_and_fields() {
        for text in [
            "ANY",
            "video/x-raw",
            "video/x-raw,format=RGB",
            "video/x-raw, format=(string){ RGB, BGR }, width=[1,640], framerate=15/1",
            "video/x-raw(memory:VAMemory, meta:Overlay),width=3; image/jpeg",
            r#"text/x-raw,format="a;b,(""#,
            "application/x-rtp,matrix=<1,2>",
        ] {
            check(text, expect!["caps"]);
        }
    }

    #[test]
    fn invalid_caps_name_the_faulty_part() {
        check("RGB", expect!["`RGB` is not a media type"]);
        check("video/x raw", expect!["`video/x raw` is not a media type"]);
        check("video/x-raw;", expect!["`` is not a media type"]);
        check("video/x-raw,format", expect!["`format` is not a field with a value"]);
        check("video/x-raw,=3", expect!["`=3` is not a field with a value"]);
        check("video/x-raw,width=", expect!["`width=` is not a field with a value"]);
        check("video/x-raw,width=[1,2", expect!["`]` is missing"]);
        check("video/x-raw,width=1)", expect!["`)` has no opening bracket"]);
        check("video/x-raw,format=\"RGB", expect!["a quote is never closed"]);
        check(
            "video/x-raw() ! filesink",
            expect!["`video/x-raw` is not followed by features such as `(memory:VAMemory)`"],
        );
        check(
            "video/x-raw,a=b ! filesink location=/x",
            expect!["`a=b ! filesink location=/x` is not a field with a value"],
        );
    }
}
