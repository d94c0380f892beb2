//! The output of diagnostics: for people with a caret under the fault, for machines
//! as JSON.
//!
//! The renderer gets only the lines with places of a diagnostic, and of a long line
//! only the part around the fault, so that a fault in a large file costs a few lines.
//! A place of several lines (a whole camera) is shown as its first line.
//!
//! Not here: the line that counts errors and warnings (`cli`); SARIF (`sarif`);
//! replacing characters that a terminal would obey (`visible`).

use std::collections::HashSet;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer};
use serde_json::{Value, json};

use super::diagnostics::{Diagnostic, Diagnostics};
use super::severity::Severity;
use super::source::{Place, Sources};
use super::visible;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

/// The most diagnostics that are shown to people. Machines get all.
const SHOWN: usize = 50;

/// The most other places that are shown of a diagnostic.
const SECONDARY: usize = 8;

/// The longest message or label, and help, in characters.
const LONGEST: usize = 1000;

/// Begins the path of a snippet until its position is known. No other rendered text
/// contains it: it is a private-use character, which `visible` escapes.
const UNPLACED: char = '\u{e000}';

impl Diagnostics {
    /// For people, each followed by an empty line. Of very many, the most severe are
    /// shown, and the number of the others.
    #[must_use]
    pub fn render_human(&self, sources: &Sources, color: Color) -> String {
        self.render_within(sources, color, renderer::DEFAULT_TERM_WIDTH)
    }

    /// The same for a terminal of `columns`.
    #[must_use]
    pub fn render_within(&self, sources: &Sources, color: Color, columns: usize) -> String {
        let renderer = match color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        };
        let renderer = renderer.term_width(columns);
        let sorted = self.sorted();
        let mut shown: Vec<usize> = (0..sorted.len()).collect();
        if sorted.len() > SHOWN {
            shown.sort_by_key(|index| (sorted[*index].severity, *index));
            shown.truncate(SHOWN);
            shown.sort_unstable();
        }
        let mut text = String::new();
        for index in &shown {
            text.push_str(&render(sorted[*index], sources, &renderer));
            text.push_str("\n\n");
        }
        if sorted.len() > SHOWN {
            let more = sorted.len() - SHOWN;
            text.push_str(&format!("... and {more} more; `lp check --format json` lists all\n\n"));
        }
        text
    }

    /// All of them for machines: a list of objects. Lines and columns count
    /// from 1, columns in characters; `end` is after the last character.
    #[must_use]
    pub fn to_json(&self, sources: &Sources) -> Value {
        self.sorted().into_iter().map(|diagnostic| to_json(diagnostic, sources)).collect()
    }
}

/// A JSON document as a string without characters that a terminal would obey.
#[must_use]
pub fn document(value: &Value) -> String {
    visible::json(format!("{value:#}\n"))
}

/// A place of a diagnostic with its label.
struct Mark<'a> {
    place: Place,
    kind: AnnotationKind,
    label: &'a str,
    /// The number of its line.
    line: usize,
}

/// Lines between marks of one excerpt: the renderer leaves them out, but counts them.
const NEAR: usize = 1000;

/// Lines of one file with marks in them.
struct Excerpt {
    /// `file:line:column` of its primary mark, else of its first.
    position: String,
    /// The lines as they are shown.
    text: String,
    first_line: usize,
    /// Ranges of `text`, by their marks.
    ranges: Vec<Range<usize>>,
}

fn render(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mark = |place: Place, kind, label| {
        let line = sources.line_number(place.file, place.start);
        Mark { place, kind, label, line }
    };
    let primary = diagnostic.place.map(|place| mark(place, AnnotationKind::Primary, &*diagnostic.label));
    let secondary = diagnostic.secondary.iter().take(SECONDARY);
    let secondary = secondary.map(|(place, label)| mark(*place, AnnotationKind::Context, label.as_str()));
    let excerpts: Vec<(Vec<Mark<'_>>, Excerpt)> = by_file(primary.into_iter().chain(secondary))
        .into_iter()
        .map(|marks| {
            let excerpt = excerpt(&marks, sources);
            (marks, excerpt)
        })
        .collect();

    let title = visible::sentence(&diagnostic.message, LONGEST);
    let mut group = Group::with_title(level.primary_title(title).id(diagnostic.code));
    for (marks, excerpt) in &excerpts {
        let mut snippet =
            Snippet::source(&*excerpt.text).line_start(excerpt.first_line).path(UNPLACED.to_string());
        for (mark, range) in marks.iter().zip(&excerpt.ranges) {
            let label = Some(visible::sentence(mark.label, LONGEST)).filter(|label| !label.is_empty());
            let annotation: Annotation<'_> = mark.kind.span(range.clone());
            snippet = snippet.annotation(annotation.label(label));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        let lines = help.lines().map(|line| visible::sentence(line, LONGEST));
        group = group.element(Level::HELP.message(lines.collect::<Vec<_>>().join("\n")));
    }
    placed(&renderer.render(&[group]), excerpts.iter().map(|(_, excerpt)| &*excerpt.position))
}

/// The rendered text, with the position of each snippet in its path. The renderer
/// itself would count columns from the cut of a long line.
fn placed<'a>(rendered: &str, positions: impl Iterator<Item = &'a str>) -> String {
    let mut parts = rendered.split(UNPLACED);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, position) in parts.zip(positions) {
        text.push_str(position);
        text.push_str(part.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()));
    }
    text
}

/// The marks of each file, by place; those with the first mark come first. Marks far
/// from each other are apart.
fn by_file<'a>(marks: impl Iterator<Item = Mark<'a>>) -> Vec<Vec<Mark<'a>>> {
    let mut marks: Vec<Mark<'_>> = marks.collect();
    let first = marks.first().map(|mark| mark.place);
    marks.sort_by_key(|mark| mark.place);
    let mut groups: Vec<Vec<Mark<'_>>> = Vec::new();
    for mark in marks {
        let is_near = |last: &Mark<'_>| last.place.file == mark.place.file && mark.line - last.line <= NEAR;
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(is_near) => group.push(mark),
            _ => groups.push(vec![mark]),
        }
    }
    groups.sort_by_key(|group| !group.iter().any(|mark| Some(mark.place) == first));
    groups
}

/// The lines from the first to the last with a mark. The lines between, which the
/// renderer leaves out, are empty.
fn excerpt(marks: &[Mark<'_>], sources: &Sources) -> Excerpt {
    let file = marks[0].place.file;
    let (first_line, last_line) = (marks[0].line, marks[marks.len() - 1].line);
    let mut text = String::new();
    let mut ranges = Vec::new();
    let pointed_at: HashSet<usize> = marks.iter().map(|mark| mark.line).collect();
    for number in first_line..=last_line {
        if number > first_line {
            text.push('\n');
        }
        let is_near = [number - 1, number, number + 1].iter().any(|line| pointed_at.contains(line));
        if !is_near {
            continue;
        }
        let line = sources.line(file, number);
        let here = marks.iter().filter(|mark| mark.line == number);
        let here: Vec<Range<usize>> =
            here.map(|mark| within_line(mark.place, line.clone(), sources.text(file))).collect();
        let (shown, moved) = visible::line(&sources.text(file)[line], &here);
        ranges.extend(moved.into_iter().map(|range| range.start + text.len()..range.end + text.len()));
        text.push_str(&shown);
    }
    let about = marks.iter().find(|mark| mark.kind == AnnotationKind::Primary).unwrap_or(&marks[0]);
    let position = position(about.place, sources);
    Excerpt { position, text, first_line, ranges }
}

/// `file:line:column`
fn position(place: Place, sources: &Sources) -> String {
    let at = sources.position(place.file, place.start);
    format!("{}:{}:{}", visible::sentence(sources.name(place.file), LONGEST), at.line, at.column)
}

/// The part of a place that is in its first line, counted from the beginning of the
/// line; at least one character where there is one.
fn within_line(place: Place, line: Range<usize>, text: &str) -> Range<usize> {
    let mut start = (place.start as usize).clamp(line.start, line.end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let one = text[start..line.end].chars().next().map_or(0, char::len_utf8);
    let mut end = (place.end as usize).clamp(start + one, line.end);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start - line.start..end - line.start
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
    fn the_caret_is_under_the_fault() {
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
    fn places_far_apart_have_excerpts_of_their_own() {
        let text = format!("a{}b", "\n".repeat(2 * NEAR));
        let mut sources = Sources::new();
        let file = sources.add("x.json", text.as_str());
        let mut found = Diagnostics::new();
        let far = Place::new(file, text.len() - 1..text.len());
        let fault = Diagnostic::error("LP0000", "it is wrong").at(far).label("here");
        found.push(fault.also(Place::new(file, 0..1), "there"));
        expect![[r#"
            error[LP0000]: it is wrong
                --> x.json:2001:1
                 |
            2001 | b
                 | ^ here
                 |
                ::: x.json:1:1
                 |
               1 | a
                 | - there

        "#]]
        .assert_eq(&found.render_human(&sources, Color::Never));
    }

    #[test]
    fn windows_line_endings_do_not_move_the_caret() {
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
    fn the_caret_is_as_wide_as_the_fault() {
        check(
            "[\"e\u{301}👩\u{200d}👧\u{202e}\", 7]",
            "7",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:12
              |
            1 | ["é👩👧�", 7]
              |            ^ here

            1 12"#]],
        );
        check(
            "[\"a\u{200b}b\"]",
            "\u{200b}",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:4
              |
            1 | ["a�b"]
              |    ^ here

            1 4"#]],
        );
        check(
            "[\"\u{1b}[31m\"]",
            "[31m",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:4
              |
            1 | ["�[31m"]
              |    ^^^^ here

            1 4"#]],
        );
        check(
            "[\"漢字\"]",
            "漢字",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:3
              |
            1 | ["漢字"]
              |   ^^^^ here

            1 3"#]],
        );
    }

    #[test]
    fn the_end_and_an_empty_line_get_a_caret() {
        check(
            "{\n\n}",
            "\n}",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:1
              |
            2 |
              | ^ here

            2 1"#]],
        );
        check(
            "{\r\n\r\n}",
            "\r\n}",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:2:1
              |
            2 |
              | ^ here

            2 1"#]],
        );
        check(
            "{}\n",
            "\n",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:3
              |
            1 | {}
              |   ^ here

            1 3"#]],
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("[{}9, {}]", "123, ".repeat(100_000), "123, ".repeat(100_000));
        check(
            &text,
            "9",
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:500002
              |
            1 | ...123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 123, 9, 123, 123, 123, 123, 123, 123, 123, 123, 123, 12...
              |                                                                                    ^ here

            1 500002"#]],
        );
        let text = format!("[\"{}\"]", "x".repeat(1_000_000));
        check(
            &text,
            &text[1..text.len() - 1],
            expect![[r#"
            error[LP0000]: it is wrong
             --> x.json:1:2
              |
            1 | ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxx"]
              |  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here

            1 2"#]],
        );
    }

    #[test]
    fn a_place_of_several_lines_shows_the_first() {
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
    fn a_long_message_is_cut() {
        let mut diagnostics = Diagnostics::new();
        let long = "x".repeat(1_000_000);
        diagnostics.push(Diagnostic::error("LP0000", &*long).help(&*long));
        assert!(diagnostics.render_human(&Sources::new(), Color::Always).len() < 3 * LONGEST);
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
        diagnostics.push(Diagnostic::note("LP0000", "without a place"));
        expect![[r#"
            note[LP0000]: without a place

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
