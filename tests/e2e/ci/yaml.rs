//! As much of YAML as `docs/ci.md` uses: maps, lists, `[a, b]`, `|` and plain texts.

use serde_json::{Map, Value};

/// Reads a document.
pub(crate) fn parse(text: &str) -> Value {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut at = 0;
    let value = block(&mut lines, &mut at, 0);
    assert_eq!(at, lines.len(), "not understood from here: {:?}", &lines[at..]);
    value
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Passes over empty lines and comments; the indent of the next other one.
fn next_indent(lines: &[String], at: &mut usize) -> Option<usize> {
    while *at < lines.len() && (lines[*at].trim().is_empty() || lines[*at].trim_start().starts_with('#')) {
        *at += 1;
    }
    lines.get(*at).map(|line| indent(line))
}

fn block(lines: &mut [String], at: &mut usize, depth: usize) -> Value {
    match next_indent(lines, at) {
        Some(found) if found >= depth && lines[*at].trim_start().starts_with("- ") => list(lines, at, found),
        Some(found) if found >= depth => map(lines, at, found),
        _ => Value::Null,
    }
}

fn list(lines: &mut [String], at: &mut usize, depth: usize) -> Value {
    let mut items = Vec::new();
    while next_indent(lines, at) == Some(depth) && lines[*at].trim_start().starts_with("- ") {
        let item = lines[*at].trim_start()[2..].to_owned();
        if key(&item).is_some() {
            lines[*at] = format!("{:depth$}  {item}", "");
            items.push(map(lines, at, depth + 2));
        } else {
            *at += 1;
            items.push(scalar(&item));
        }
    }
    Value::Array(items)
}

fn map(lines: &mut [String], at: &mut usize, depth: usize) -> Value {
    let mut map = Map::new();
    while next_indent(lines, at) == Some(depth) {
        let line = lines[*at].trim_start().to_owned();
        let (name, rest) = key(&line).unwrap_or_else(|| panic!("no key in `{line}`"));
        *at += 1;
        let value = match rest {
            "" => block(lines, at, depth + 1),
            "|" => Value::String(literal(lines, at, depth)),
            rest => scalar(rest),
        };
        assert!(map.insert(name.to_owned(), value).is_none(), "`{name}` is there twice");
    }
    Value::Object(map)
}

/// `name: rest`
fn key(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (is_name && (rest.is_empty() || rest.starts_with(' '))).then_some((name, rest.trim()))
}

fn literal(lines: &[String], at: &mut usize, depth: usize) -> String {
    let mut text = String::new();
    let inner = indent(&lines[*at]);
    while *at < lines.len() && (lines[*at].trim().is_empty() || indent(&lines[*at]) > depth) {
        text.push_str(lines[*at].get(inner..).unwrap_or(""));
        text.push('\n');
        *at += 1;
    }
    text
}

fn scalar(text: &str) -> Value {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(items) => items.split(',').map(|item| Value::from(item.trim())).collect(),
        None => Value::from(text),
    }
}
