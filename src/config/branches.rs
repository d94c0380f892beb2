//! Steps that branch, and caps as text.
//!
//! The steps before the first one with a `from` are the main chain, which is
//! measured and ends in a sink of `lp`'s own. A step with a `from` begins a side
//! branch at the tee of that name, and the branch goes on until the next `from`.
//!
//! Caps are checked here as far as their syntax goes: a media type, and fields
//! with values. What their values mean is GStreamer's business.

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place};
use super::reader::{At, Reader, by};
use super::shape::Shape;
use super::values::read_text;
use super::workloads::RawStep;
use crate::pipeline::files::is_sink;

/// What the branches of a workload need of the steps before them.
pub(super) fn check_branches(steps: &[Option<RawStep>], diagnostics: &mut Diagnostics) {
    let mut tees: Vec<(&str, Place)> = Vec::new();
    let mut is_sure = true;
    let mut is_side = false;
    for (index, raw) in steps.iter().enumerate() {
        let Some(RawStep { step, .. }) = raw else {
            // A step that could not be read may have been the tee.
            is_sure = false;
            continue;
        };
        if let Some(from) = &step.from {
            is_side = true;
            let place = step.value_place("from");
            let is_known = tees.iter().any(|(name, _)| name == from);
            if !is_known && is_sure {
                diagnostics.push(unknown_tee(steps, index, from, &tees, place, diagnostics));
            }
            if let Some(raw) = steps.iter().flatten().find(|raw| raw.step.kind.starts_with("gva")) {
                let message = "a workload with inference steps cannot branch";
                let fault = Diagnostic::error(codes::MISPLACED_KEY, message).at(step.key_place("from"));
                diagnostics.push(fault.also(raw.step.kind_place, "an inference step"));
            }
        }
        if let Some(name) = &step.name {
            match tees.iter().find(|(known, _)| known == name) {
                Some((_, first)) => diagnostics.push(
                    Diagnostic::error(codes::DUPLICATE_TEE, format!("two tees are called `{name}`"))
                        .at(step.value_place("name"))
                        .also(*first, "the first is here"),
                ),
                None => tees.push((name, step.value_place("name"))),
            }
        }
        let ends_here = steps
            .get(index + 1)
            .is_none_or(|next| next.as_ref().is_some_and(|next| next.step.from.is_some()));
        let last = step.steps.last().unwrap_or(step);
        if is_sink(&last.kind) && !(is_side && ends_here) {
            let message = format!("`{}` ends the pipeline too early", last.kind);
            let fault = Diagnostic::error(codes::MISPLACED_SINK, message).at(last.kind_place);
            diagnostics.push(fault.label("takes all frames").help(
                "put it at the end of a side branch: a `tee` with a `name`, and a step with that name as its `from`",
            ));
        }
    }
}

fn unknown_tee(
    steps: &[Option<RawStep>],
    index: usize,
    from: &str,
    tees: &[(&str, Place)],
    place: Place,
    found: &Diagnostics,
) -> Diagnostic {
    let fault = Diagnostic::error(codes::UNKNOWN_TEE, format!("no tee before this step is called `{from}`"));
    let fault = fault.at(place);
    let later = steps[index..].iter().flatten().find(|raw| raw.step.name.as_deref() == Some(from));
    if let Some(later) = later {
        return fault
            .also(later.step.value_place("name"), "comes later")
            .help("begin the branch behind its tee");
    }
    let fault = fault.suggest(from, tees.iter().map(|(name, _)| *name), found);
    match (fault.help.is_some(), tees) {
        (true, _) => fault,
        (false, []) => fault.help("give a tee a name: `{\"type\": \"tee\", \"name\": \"t\"}`"),
        (false, tees) => {
            let names: Vec<&str> = tees.iter().map(|(name, _)| *name).collect();
            fault.help(format!("tees are called {}", names.join(", ")))
        }
    }
}

/// Caps: `video/x-raw,format=RGB,width=[1,640]`.
pub(super) fn caps() -> impl Reader<Value = String> + Copy {
    let shape =
        || Shape::Text(Some(r"^\s*(ANY\s*$|[A-Za-z][A-Za-z0-9_.:+\-]*/[A-Za-z0-9_.:+\-]+)".to_owned()));
    by(shape, |at: &At<'_>, diagnostics| {
        let text = read_text(at, diagnostics)?.trim().to_owned();
        if let Err(why) = read_caps(&text) {
            let fault = at.fault(codes::BAD_CAPS, &format!("`{}` must be caps: {why}", at.name));
            diagnostics.push(fault.help("such as `video/x-raw,format=RGB,width=640`"));
            return None;
        }
        Some(text)
    })
}

/// What keeps a text from being caps, if something does.
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
            return Err(format!("`{}` is no media type", media.escape_debug()));
        }
        let is_features = features.is_none_or(|features| {
            features.strip_suffix(')').is_some_and(|inner| {
                !inner.is_empty() && inner.chars().all(|c| plain(c) || c == ',' || c == ' ')
            })
        });
        if !is_features {
            return Err(format!("`{}` is followed by no features such as `(memory:VAMemory)`", media));
        }
        for field in parts {
            let shown = field.trim().escape_debug().to_string();
            let Some((name, value)) = field.split_once('=') else {
                return Err(format!("`{shown}` is no field with a value"));
            };
            let name = name.trim();
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain);
            let value = value.trim();
            if !is_name || value.is_empty() || value.contains('!') && !value.contains('"') {
                return Err(format!("`{shown}` is no field with a value"));
            }
        }
    }
    Ok(())
}

/// Parts of a text between separators outside of quotes and brackets.
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
                return Err(format!("`{c}` closes nothing"));
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
    fn what_is_no_caps_is_told_by_part() {
        check("RGB", expect!["`RGB` is no media type"]);
        check("video/x raw", expect!["`video/x raw` is no media type"]);
        check("video/x-raw;", expect!["`` is no media type"]);
        check("video/x-raw,format", expect!["`format` is no field with a value"]);
        check("video/x-raw,=3", expect!["`=3` is no field with a value"]);
        check("video/x-raw,width=", expect!["`width=` is no field with a value"]);
        check("video/x-raw,width=[1,2", expect!["`]` is missing"]);
        check("video/x-raw,width=1)", expect!["`)` closes nothing"]);
        check("video/x-raw,format=\"RGB", expect!["a quote is never closed"]);
        check(
            "video/x-raw() ! filesink",
            expect!["`video/x-raw` is followed by no features such as `(memory:VAMemory)`"],
        );
        check(
            "video/x-raw,a=b ! filesink location=/x",
            expect!["`a=b ! filesink location=/x` is no field with a value"],
        );
    }
}
