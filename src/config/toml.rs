//! TOML to a spanned tree. All syntax errors are reported in one pass, and what
//! could be read in spite of them is returned.
//!
//! Not here: how an error is put into words (`toml_faults`).

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::json::{is_not_finite, number};
use super::text::within;
use super::toml_faults::{self, Complaint};
use super::tree::{Key, Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};

mod pieces;

/// What came of a text.
#[derive(Debug)]
pub struct Parsed {
    /// What could be read.
    pub tree: Node,
    /// Whether the syntax was right. Otherwise keys may be missing from the
    /// tree, or stand in the wrong table.
    pub is_whole: bool,
}

/// Parses the text of `file`.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Parsed {
    if text.len() > 2 * pieces::LENGTH
        && let Some(tree) = in_pieces(file, text, pieces::LENGTH, diagnostics)
    {
        return Parsed { tree, is_whole: true };
    }
    parse_whole(file, text, diagnostics)
}

fn parse_whole(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Parsed {
    let (table, errors) = DeTable::parse_recoverable(text);
    let is_whole = errors.is_empty();
    let place = Place::new(file, within(text, table.span()));
    let mut reader = Reader { file, offset: 0, text, diagnostics };
    let tree = Node { value: in_order(entries(&mut reader, table.into_inner())), place };
    let complaint = |error: ::toml::de::Error| Complaint {
        message: error.message().to_owned(),
        span: error.span().unwrap_or(0..0),
    };
    toml_faults::report(file, text, &tree, errors.into_iter().map(complaint).collect(), diagnostics);
    Parsed { tree, is_whole }
}

/// The tree of a text that is valid in pieces; `None` for any other.
fn in_pieces(file: FileId, text: &str, length: usize, diagnostics: &mut Diagnostics) -> Option<Node> {
    let entries = pieces::parse(file, text, length, diagnostics)?;
    // The parser gives the root of a text no place either.
    Some(Node { value: in_order(entries), place: Place::new(file, 0..0) })
}

/// A text, or a piece of one, on its way to a tree.
struct Reader<'d> {
    file: FileId,
    /// Where the piece begins, which places count from.
    offset: usize,
    text: &'d str,
    diagnostics: &'d mut Diagnostics,
}

impl Reader<'_> {
    fn place(&self, range: std::ops::Range<usize>) -> Place {
        let range = within(self.text, range);
        Place::new(self.file, self.offset + range.start..self.offset + range.end)
    }
}

fn entries(reader: &mut Reader<'_>, table: DeTable<'_>) -> Vec<(Key, Node)> {
    let entries = table.into_iter().map(|(key, value)| {
        let place = reader.place(key.span());
        (Key { text: key.into_inner().into_owned(), place }, node(reader, value))
    });
    entries.collect()
}

/// The parser sorts by key; readers and messages follow the file.
fn in_order(mut entries: Vec<(Key, Node)>) -> Value {
    entries.sort_by_key(|(key, _)| key.place);
    Value::Table(entries)
}

fn node(reader: &mut Reader<'_>, value: Spanned<DeValue<'_>>) -> Node {
    let written = &reader.text[within(reader.text, value.span())];
    let place = reader.place(value.span());
    let diagnostics = &mut *reader.diagnostics;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        // What was no number has no digits, and has been reported.
        DeValue::Integer(integer) if integer.as_str().is_empty() => Value::Broken,
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str(), place, diagnostics),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Value::Int(value),
            // More digits than any `i64` has, so this reports it as too big.
            Err(_) => number(&"9".repeat(20), place, diagnostics),
        },
        DeValue::Float(float) => match float.as_str() {
            "" => Value::Broken,
            text if text.contains("inf") || text.contains("nan") => {
                // Every word that begins so is one of these to the parser.
                if is_not_finite(written) {
                    let diagnostic =
                        Diagnostic::error(codes::NOT_FINITE, "NaN and infinity are no values here");
                    diagnostics.push(diagnostic.at(place));
                }
                Value::Broken
            }
            text => number(text, place, diagnostics),
        },
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(array) => {
            Value::List(array.into_iter().map(|element| node(reader, element)).collect())
        }
        DeValue::Table(table) => in_order(entries(reader, table)),
    };
    Node { value, place }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diag::Color;
    use crate::diag::Sources;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("x.toml", text);
        parse(file, text, &mut diagnostics);
        expect.assert_eq(&diagnostics.render_human(&sources, Color::Never));
    }

    #[test]
    fn all_syntax_errors_are_reported_in_one_pass() {
        check(
            "a = \nb = 1\nb = 2\n[c\nd = 1_\n",
            expect![[r#"
            error[LP0101]: a value is missing
             --> x.toml:1:5
              |
            1 | a = 
              |     ^ expected a value behind `=`

            error[LP0103]: the key `b` stands twice in one table
             --> x.toml:3:1
              |
            2 | b = 1
              | - first here
            3 | b = 2
              | ^ again here

            error[LP0101]: `[` is never closed
             --> x.toml:4:1
              |
            4 | [c
              | ^ expected `]` behind the name

        "#]],
        );
        check(
            "a = \"x\nb = 'y\nc = \"\"\"z\n",
            expect![[r#"
            error[LP0101]: a text is not closed on its line
             --> x.toml:1:5
              |
            1 | a = "x
              |     ^^ opened here
              |
              = help: close it with `"`

            error[LP0101]: a text is not closed on its line
             --> x.toml:2:5
              |
            2 | b = 'y
              |     ^^ opened here
              |
              = help: close it with `'`

            error[LP0101]: a text of several lines is never closed
             --> x.toml:3:5
              |
            3 | c = """z
              |     ^^^ opened here
              |
              = help: close it with `"""`

        "#]],
        );
    }

    #[test]
    fn values_are_written_as_toml_has_them() {
        check(
            "name = cam\nb = True\nc = None\nd = yes\ne = 10s\nf = “x”\ng = NaN\n",
            expect![[r#"
                error[LP0101]: a text stands without quotes
                 --> x.toml:1:8
                  |
                1 | name = cam
                  |        ^^^
                  |
                  = help: write `"cam"`

                error[LP0101]: `True` is no value of TOML
                 --> x.toml:2:5
                  |
                2 | b = True
                  |     ^^^^
                  |
                  = help: write `true`

                error[LP0101]: a text stands without quotes
                 --> x.toml:3:5
                  |
                3 | c = None
                  |     ^^^^
                  |
                  = help: write `"None"`; TOML has no null, so leave the key out to mean none

                error[LP0101]: a text stands without quotes
                 --> x.toml:4:5
                  |
                4 | d = yes
                  |     ^^^
                  |
                  = help: write `true`, or `"yes"`

                error[LP0101]: a text stands without quotes
                 --> x.toml:5:5
                  |
                5 | e = 10s
                  |     ^^^
                  |
                  = help: write `"10s"`

                error[LP0101]: a text stands without quotes
                 --> x.toml:6:5
                  |
                6 | f = “x”
                  |     ^^^
                  |
                  = help: write `"x"`

                error[LP0105]: NaN and infinity are no values here
                 --> x.toml:7:5
                  |
                7 | g = NaN
                  |     ^^^

            "#]],
        );
        check(
            "a = 01\nb = .5\nc = 1.\nd = +.5\n",
            expect![[r#"
                error[LP0101]: `01` is no number of TOML
                 --> x.toml:1:5
                  |
                1 | a = 01
                  |     ^^ no zeros in front
                  |
                  = help: write `1`

                error[LP0101]: `.5` is no number of TOML
                 --> x.toml:2:5
                  |
                2 | b = .5
                  |     ^^ a digit must stand before the `.`
                  |
                  = help: write `0.5`

                error[LP0101]: `1.` is no number of TOML
                 --> x.toml:3:5
                  |
                3 | c = 1.
                  |     ^^ a digit must stand behind the `.`
                  |
                  = help: write `1.0`

                error[LP0101]: `+.5` is no number of TOML
                 --> x.toml:4:5
                  |
                4 | d = +.5
                  |     ^^^ no `+` in front
                  |
                  = help: write `0.5`

            "#]],
        );
        check(
            "a = \"C:\\Users\"\nb = \"a\u{1}b\"\n",
            expect![[r#"
                error[LP0101]: `\U` is no escape here
                 --> x.toml:1:8
                  |
                1 | a = "C:\Users"
                  |        ^^ it takes the eight hex digits of a character
                  |
                  = help: a backslash itself is written `\\`; in single quotes it needs nothing

                error[LP0101]: a control character stands in a text
                 --> x.toml:2:7
                  |
                2 | b = "a�b"
                  |       ^
                  |
                  = help: write it as an escape: `\t`, `\u0000`

            "#]],
        );
    }

    #[test]
    fn a_line_holds_one_key_and_its_value() {
        check(
            "a 1\n\nb: 2\n\nc == 3\n\n= 4\n",
            expect![[r#"
                error[LP0101]: the key `a` has no value
                 --> x.toml:1:3
                  |
                1 | a 1
                  |   ^ expected `=` and a value

                error[LP0101]: found `:`, expected `=`
                 --> x.toml:3:2
                  |
                3 | b: 2
                  |  ^

                error[LP0101]: found a second `=`
                 --> x.toml:5:4
                  |
                5 | c == 3
                  |    ^
                  |
                  = help: remove it

            "#]],
        );
        check(
            "a = 1,\nb = \"x\" y\nc = 1 d = 2\n// e\n\nf = 1 // g\nhé = 1\n[i]]\n",
            expect![[r#"
                error[LP0101]: found `,`, expected a new line
                 --> x.toml:1:6
                  |
                1 | a = 1,
                  |      ^

                error[LP0101]: found `y`, expected a new line
                 --> x.toml:2:9
                  |
                2 | b = "x" y
                  |         ^

                error[LP0101]: found `d`, expected a new line
                 --> x.toml:3:7
                  |
                3 | c = 1 d = 2
                  |       ^

                error[LP0101]: `//` begins no comment
                 --> x.toml:4:1
                  |
                4 | // e
                  | ^^
                  |
                  = help: comments begin with `#`

                error[LP0101]: found `]`, expected a new line
                 --> x.toml:8:4
                  |
                8 | [i]]
                  |    ^

            "#]],
        );
    }

    #[test]
    fn what_is_never_closed_is_shown_where_it_opens() {
        check(
            "a = [1, 2\nb = 3\n",
            expect![[r#"
            error[LP0101]: `[` is never closed
             --> x.toml:1:5
              |
            1 | a = [1, 2
              |     ^ opened here
            2 | b = 3
              |      - expected `]` before this

        "#]],
        );
        check(
            "a = { b = 1\nc = 2\n",
            expect![[r#"
            error[LP0101]: `{` is never closed
             --> x.toml:1:5
              |
            1 | a = { b = 1
              |     ^ opened here
            2 | c = 2
              |      - expected `}` before this

        "#]],
        );
        check(
            "[run\nx = 1\n[[task\ny = 1\n",
            expect![[r#"
            error[LP0101]: `[` is never closed
             --> x.toml:1:1
              |
            1 | [run
              | ^ expected `]` behind the name

            error[LP0101]: `[[` is never closed
             --> x.toml:3:1
              |
            3 | [[task
              | ^^ expected `]]` behind the name

        "#]],
        );
        check(
            "a = [\"b\" \"c\"]\n",
            expect![[r#"
            error[LP0101]: a comma is missing
             --> x.toml:1:10
              |
            1 | a = ["b" "c"]
              |          ^ expected `,` here

        "#]],
        );
    }

    #[test]
    fn a_bracket_that_is_missed_at_the_end_is_a_place_in_the_text() {
        let text = include_str!("../../fuzz/corpus/toml/unclosed-at-the-end");
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        parse(sources.add("x.toml", text), text, &mut diagnostics);
        assert!(diagnostics.has_errors());
        for one in diagnostics.sorted() {
            assert!(one.place.is_some_and(|place| place.end as usize <= text.len()), "{one:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_shown_twice() {
        check(
            "[a]\nb = 1\n[c]\nb = 2\n[a]\nd = 1\n",
            expect![[r#"
            error[LP0103]: the key `a` stands twice in one table
             --> x.toml:5:2
              |
            1 | [a]
              |  - first here
            ...
            5 | [a]
              |  ^ again here

        "#]],
        );
        check(
            "[[t]]\nn = 1\n[t.u]\nn = 1\n[[t]]\nn = 2\nn = 3\n[t.u]\nn = 2\n\"n\" = 3\n",
            expect![[r#"
            error[LP0103]: the key `n` stands twice in one table
             --> x.toml:7:1
              |
            6 | n = 2
              | - first here
            7 | n = 3
              | ^ again here

            error[LP0103]: the key `n` stands twice in one table
              --> x.toml:10:1
               |
             9 | n = 2
               | - first here
            10 | "n" = 3
               | ^^^ again here

        "#]],
        );
        check(
            "a.b = 1\na.b = 2\nc = [{ d = 1 }, { d = 2, d = 3 }]\na = 4\n[[c]]\n",
            expect![[r#"
            error[LP0103]: the key `b` stands twice in one table
             --> x.toml:2:3
              |
            1 | a.b = 1
              |   - first here
            2 | a.b = 2
              |   ^ again here

            error[LP0103]: the key `d` stands twice in one table
             --> x.toml:3:26
              |
            3 | c = [{ d = 1 }, { d = 2, d = 3 }]
              |                   -      ^ again here
              |                   |
              |                   first here

            error[LP0103]: the key `a` stands twice in one table
             --> x.toml:4:1
              |
            1 | a.b = 1
              | - first here
            ...
            4 | a = 4
              | ^ again here

            error[LP0103]: the key `c` stands twice in one table
             --> x.toml:5:3
              |
            3 | c = [{ d = 1 }, { d = 2, d = 3 }]
              | - first here
            4 | a = 4
            5 | [[c]]
              |   ^ again here

        "#]],
        );
    }

    #[test]
    fn a_file_in_another_language_is_called_so() {
        check(
            "{ \"project\": {} }\n",
            expect![[r#"
            error[LP0101]: the file is not TOML
             --> x.toml:1:1
              |
            1 | { "project": {} }
              | ^^^^^^^^^^^^^^^^^ this looks like JSON
              |
              = help: project and scene files are written in TOML

        "#]],
        );
        check(
            "run:\n  duration: 3s\n",
            expect![[r#"
            error[LP0101]: the file is not TOML
             --> x.toml:1:1
              |
            1 | run:
              | ^^^^ this looks like YAML
              |
              = help: project and scene files are written in TOML

        "#]],
        );
        check(
            "[project]\n<<<<<<< ours\nb = 1\n=======\nb = 2\n>>>>>>> theirs\n",
            expect![[r#"
                error[LP0101]: a merge conflict is left in the file
                 --> x.toml:2:1
                  |
                2 | <<<<<<< ours
                  | ^^^^^^^

            "#]],
        );
    }

    #[test]
    fn numbers_that_are_no_values_are_errors() {
        let digits = "9".repeat(400);
        check(
            &format!("a = nan\nb = -inf\nc = {digits}\nd = 1e999\ne = 0xffffffffffffffffff\n"),
            expect![[r#"
                error[LP0105]: NaN and infinity are no values here
                 --> x.toml:1:5
                  |
                1 | a = nan
                  |     ^^^

                error[LP0105]: NaN and infinity are no values here
                 --> x.toml:2:5
                  |
                2 | b = -inf
                  |     ^^^^

                error[LP0104]: the number is too big to be represented
                 --> x.toml:3:5
                  |
                3 | c = 99999999999999999999999999999999999999999999999999999999999999999999999999999999...99999999999999999999
                  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ whole numbers end at 9223372036854775807

                error[LP0104]: the number is too big to be represented
                 --> x.toml:4:5
                  |
                4 | d = 1e999
                  |     ^^^^^ fractions end at 1.8e308

                error[LP0104]: the number is too big to be represented
                 --> x.toml:5:5
                  |
                5 | e = 0xffffffffffffffffff
                  |     ^^^^^^^^^^^^^^^^^^^^ whole numbers end at 9223372036854775807

            "#]],
        );
    }
}
