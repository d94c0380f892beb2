//! How diagnostics look: for people with a caret under the fault, for machines
//! as JSON.
//!
//! Only the lines that a diagnostic is about go to the renderer, so a thousand
//! faults in a large file cost a thousand lines and not a thousand files. A
//! place of several lines (a whole camera) is shown as its first line.
//!
//! Not here: the line that counts errors and warnings, which is the `cli`'s.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::diagnostics::{Diagnostic, Diagnostics, Place, Severity, Sources};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

impl Diagnostics {
    /// All of them for people, each followed by an empty line.
    #[must_use]
    pub fn render_human(&self, sources: &Sources, color: Color) -> String {
        let renderer = match color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        };
        let mut text = String::new();
        for diagnostic in self.sorted() {
            text.push_str(&renderer.render(&[group(diagnostic, sources)]));
            text.push_str("\n\n");
        }
        text
    }

    /// All of them for machines: a list of objects. Lines and columns count
    /// from 1, columns in characters; `end` is behind the last character.
    #[must_use]
    pub fn to_json(&self, sources: &Sources) -> Value {
        self.sorted().into_iter().map(|diagnostic| to_json(diagnostic, sources)).collect()
    }
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(&*diagnostic.message).id(diagnostic.code));

    let primary = diagnostic.place.map(|place| (place, AnnotationKind::Primary, &*diagnostic.label));
    let secondary =
        diagnostic.secondary.iter().map(|(place, text)| (*place, AnnotationKind::Context, text.as_str()));
    let mut rest: Vec<_> = primary.into_iter().chain(secondary).collect();
    while let Some((first, ..)) = rest.first() {
        let file = first.file;
        let here: Vec<_> = rest.extract_if(.., |(place, ..)| place.file == file).collect();
        group = group.element(snippet(&here, sources));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
    }
    group
}

/// The lines of one file from the first to the last that is pointed at.
fn snippet<'a>(
    marks: &[(Place, AnnotationKind, &'a str)],
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let file = marks[0].0.file;
    let lines = || marks.iter().map(|(place, ..)| sources.line(file, place.start));
    let (first_line, first) = lines().min_by_key(|(line, _)| *line).expect("there is a mark");
    let (_, last) = lines().max_by_key(|(line, _)| *line).expect("there is a mark");
    let mut snippet = Snippet::source(&sources.text(file)[first.start..last.end])
        .line_start(first_line)
        .path(sources.name(file));
    for (place, kind, label) in marks {
        let range = within_first_line(*place, sources);
        let range = range.start - first.start..range.end - first.start;
        let label = if label.is_empty() { None } else { Some(*label) };
        snippet = snippet.annotation(kind.span(range).label(label));
    }
    snippet
}

/// The part of a place that is in its first line, at least one character where
/// there is one.
fn within_first_line(place: Place, sources: &Sources) -> Range<usize> {
    let (_, line) = sources.line(place.file, place.start);
    let text = sources.text(place.file);
    let mut start = (place.start as usize).clamp(line.start, line.end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let one = text[start..line.end].chars().next().map_or(0, char::len_utf8);
    let mut end = (place.end as usize).clamp(start + one, line.end);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let at = |place: Place| {
        let start = sources.position(place.file, place.start);
        let end = sources.position(place.file, place.end);
        json!({
            "file": sources.name(place.file),
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
        })
    };
    let related: Vec<Value> = diagnostic
        .secondary
        .iter()
        .map(|(place, text)| json!({ "place": at(*place), "message": text }))
        .collect();
    json!({
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "place": diagnostic.place.map(at),
        "label": diagnostic.label,
        "help": diagnostic.help,
        "related": related,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Marks the first `needle` of `text`.
    #[track_caller]
    fn check(text: &str, needle: &str, expect: Expect) {
        let mut sources = Sources::new();
        let file = sources.add("x.json", text);
        let start = text.find(needle).expect("the needle is in the text");
        let place = Place::new(file, start..start + needle.len());
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(Diagnostic::error("LP0000", "it is wrong").at(place).label("here"));
        let json = diagnostics.to_json(&sources);
        let shown = format!(
            "{}{} {}",
            diagnostics.render_human(&sources, Color::Never),
            json[0]["place"]["line"],
            json[0]["place"]["column"]
        );
        expect.assert_eq(&shown);
    }

    #[test]
    fn a_caret_stands_under_the_fault() {
        check(
            "{\n  \"a\": 1\n}\n",
            "1",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:8
              |
            2 |   "a": 1
              |        ^ here

            2 8"#]],
        );
    }

    #[test]
    fn windows_line_endings_do_not_move_it() {
        check(
            "{\r\n  \"a\": 1\r\n}\r\n",
            "1",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:8
              |
            2 |   "a": 1
              |        ^ here

            2 8"#]],
        );
    }

    #[test]
    fn tabs_and_wide_characters_count_as_one_column_each() {
        check(
            "{\n\t\"ä\": \"漢字\", \"b\": 1 }",
            "1",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:18
              |
            2 |     "ä": "漢字", "b": 1 }
              |                       ^ here

            2 18"#]],
        );
    }

    #[test]
    fn of_several_lines_the_first_is_shown() {
        check(
            "[\n  {\n    \"a\": 1\n  }\n]",
            "{\n    \"a\": 1\n  }",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:3
              |
            2 |   {
              |   ^ here

            2 3"#]],
        );
    }

    #[test]
    fn places_in_several_files_are_all_shown() {
        let mut sources = Sources::new();
        let one = sources.add("one.json", "{ \"a\": 1 }");
        let two = sources.add("two.json", "{ \"b\": 2 }");
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(
            Diagnostic::warning("LP0000", "they differ")
                .at(Place::new(two, 7..8))
                .also(Place::new(one, 7..8), "but 1 here")
                .help("make them equal"),
        );
        diagnostics.push(Diagnostic::note("LP0000", "of no place"));
        expect![[r#"
            note[LP0000]: of no place

            warning[LP0000]: they differ
             --> two.json:1:8
              |
            1 | { "b": 2 }
              |        ^
              |
             ::: one.json:1:8
              |
            1 | { "a": 1 }
              |        - but 1 here
              |
              = help: make them equal

        "#]]
        .assert_eq(&diagnostics.render_human(&sources, Color::Never));
    }
}
