//! Changes of a JSON file that keep everything else as its author wrote it.

use super::source::Place;

/// One change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replaces the text at this place; at an empty place, inserts it.
    Replace(Place, String),
    /// Removes an entry of an object, from its key to its value, with its comma.
    Remove(Place),
    /// Adds an entry at the end of the object at this place.
    Add(Place, String),
}

impl Edit {
    /// The place that it changes.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Edit::Replace(place, _) | Edit::Remove(place) | Edit::Add(place, _) => *place,
        }
    }

    /// The position at which it changes the text; an object grows at its end.
    fn at(&self) -> (u32, u32) {
        let Place { start, end, .. } = self.place();
        if let Edit::Add(..) = self { (end, end) } else { (start, end) }
    }
}

/// `text` with all changes, which do not overlap.
#[must_use]
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    // From the end to the front, so that the text before keeps its place, and each
    // change sees the commas that the later ones have left.
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at()));
    let mut text = text.to_owned();
    for edit in edits {
        let (start, end) = (edit.place().start as usize, edit.place().end as usize);
        match edit {
            Edit::Replace(_, new) => text.replace_range(start..end, new),
            Edit::Remove(_) => {
                let range = with_comma(&text, start, end);
                text.replace_range(range, "");
            }
            Edit::Add(_, entry) => add(&mut text, start, end, entry),
        }
    }
    text
}

/// The entry at `start..end`, with the comma after it and the blanks before the next
/// one; or, for the last one, with the comma in front.
fn with_comma(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let behind = text[end..].trim_start();
    if let Some(rest) = behind.strip_prefix(',') {
        return start..text.len() - rest.trim_start().len();
    }
    let before = text[..start].trim_end();
    match before.strip_suffix(',') {
        Some(before) => before.len()..end,
        None => before.len()..text.len() - behind.len(),
    }
}

/// Adds an entry to the object at `start..end`, indented like the one before it.
fn add(text: &mut String, start: usize, end: usize, entry: &str) {
    let inside_end = end - 1;
    let last = start + text[start..inside_end].trim_end().len();
    let is_empty = text[start..last].ends_with('{');
    let line_start = text[..last].rfind('\n').map_or(0, |at| at + 1);
    let line = &text[line_start..last];
    let indent = &line[..line.len() - line.trim_start().len()];
    // The line that the last entry ends in begins with that entry, or with the
    // bracket that ends it, which has the same indent.
    let is_one_line = !text[start..last].contains('\n');
    let new = match (is_empty, is_one_line) {
        (true, _) => format!(" {entry} "),
        (false, true) => format!(", {entry}"),
        (false, false) => format!(",\n{indent}{entry}"),
    };
    let until = if is_empty { inside_end } else { last };
    text.replace_range(last..until, &new);
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diag::Sources;

    /// Removes every entry whose key begins with `old`, and adds one to the
    /// innermost object that ends the text.
    #[track_caller]
    fn check(text: &str, added: Option<&str>, expect: Expect) {
        let file = Sources::new().add("x", text);
        let mut edits = Vec::new();
        for (start, _) in text.match_indices("\"old") {
            let value = start + text[start..].find(':').unwrap() + 1;
            let end = value + text[value..].find([',', '\n', '}', ' ']).unwrap_or(text.len() - value);
            edits.push(Edit::Remove(Place::new(file, start..end)));
        }
        if let Some(added) = added {
            edits.push(Edit::Add(Place::new(file, text.find('{').unwrap()..text.len()), added.to_owned()));
        }
        expect.assert_eq(&apply(text, &edits));
    }

    #[test]
    fn removed_entries_take_their_comma() {
        check(r#"{ "old":1, "a":2 }"#, None, expect![[r#"{ "a":2 }"#]]);
        check(r#"{ "a":2, "old":1 }"#, None, expect![[r#"{ "a":2 }"#]]);
        check(r#"{ "a":2, "old1":1, "old2":2 }"#, None, expect![[r#"{ "a":2 }"#]]);
        check(r#"{ "old1":1, "a":2, "old2":2 }"#, None, expect![[r#"{ "a":2 }"#]]);
        check(r#"{ "old":1 }"#, None, expect!["{}"]);
        check("{\n  \"a\":2,\n  \"old\":1\n}", None, expect!["{\n  \"a\":2\n}"]);
        check("{\n  \"old\":1,\n  \"a\":2\n}", None, expect!["{\n  \"a\":2\n}"]);
    }

    #[test]
    fn a_new_entry_follows_the_last_one() {
        check(r#"{ "a":2 }"#, Some("\"b\": 1"), expect![[r#"{ "a":2, "b": 1 }"#]]);
        check("{\n  \"a\":2\n}", Some("\"b\": 1"), expect!["{\n  \"a\":2,\n  \"b\": 1\n}"]);
        check(
            "{\n  \"a\": [\n    1\n  ]\n}",
            Some("\"b\": 1"),
            expect!["{\n  \"a\": [\n    1\n  ],\n  \"b\": 1\n}"],
        );
        check("{}", Some("\"b\": 1"), expect![[r#"{ "b": 1 }"#]]);
        check("{ \"old\":1 }", Some("\"b\": 1"), expect![[r#"{ "b": 1 }"#]]);
    }
}
