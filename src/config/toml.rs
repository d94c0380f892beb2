//! TOML to a spanned tree. All syntax errors are reported in one pass, and what
//! could be read in spite of them is returned.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, FileId, Place};
use super::json::number;
use super::tree::{Key, Node, Value};

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
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let diagnostic = Diagnostic::error(codes::TOML_SYNTAX, "the file is not valid TOML");
        diagnostics.push(diagnostic.at(Place::new(file, span)).label(error.message()));
    }
    let place = Place::new(file, table.span());
    let source = Source { file, offset: 0 };
    let tree = Node { value: in_order(entries(source, table.into_inner(), diagnostics)), place };
    Parsed { tree, is_whole }
}

/// The tree of a text that is valid in pieces; `None` for any other.
fn in_pieces(file: FileId, text: &str, length: usize, diagnostics: &mut Diagnostics) -> Option<Node> {
    let entries = pieces::parse(file, text, length, diagnostics)?;
    // The parser gives the root of a text no place either.
    Some(Node { value: in_order(entries), place: Place::new(file, 0..0) })
}

/// What a parser's places count from.
#[derive(Clone, Copy)]
struct Source {
    file: FileId,
    offset: usize,
}

impl Source {
    fn place(self, range: std::ops::Range<usize>) -> Place {
        Place::new(self.file, self.offset + range.start..self.offset + range.end)
    }
}

fn entries(source: Source, table: DeTable<'_>, diagnostics: &mut Diagnostics) -> Vec<(Key, Node)> {
    let entries = table.into_iter().map(|(key, value)| {
        let place = source.place(key.span());
        (Key { text: key.into_inner().into_owned(), place }, node(source, value, diagnostics))
    });
    entries.collect()
}

/// The parser sorts by key; readers and messages follow the file.
fn in_order(mut entries: Vec<(Key, Node)>) -> Value {
    entries.sort_by_key(|(key, _)| key.place);
    Value::Table(entries)
}

fn node(source: Source, value: Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Node {
    let place = source.place(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str(), place, diagnostics),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Value::Int(value),
            // More digits than any `i64` has, so this reports it as too big.
            Err(_) => number(&"9".repeat(20), place, diagnostics),
        },
        DeValue::Float(float) => {
            let text = float.as_str();
            if text.contains("inf") || text.contains("nan") {
                let diagnostic = Diagnostic::error(codes::NOT_FINITE, "NaN and infinity are no values here");
                diagnostics.push(diagnostic.at(place));
                Value::Broken
            } else {
                number(text, place, diagnostics)
            }
        }
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(array) => {
            Value::List(array.into_iter().map(|element| node(source, element, diagnostics)).collect())
        }
        DeValue::Table(table) => in_order(entries(source, table, diagnostics)),
    };
    Node { value, place }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::Color;
    use crate::config::diagnostics::Sources;

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
            error[LP0101]: the file is not valid TOML
             --> x.toml:1:5
              |
            1 | a = 
              |     ^ string values must be quoted, expected literal string

            error[LP0101]: the file is not valid TOML
             --> x.toml:3:1
              |
            3 | b = 2
              | ^ duplicate key

            error[LP0101]: the file is not valid TOML
             --> x.toml:4:3
              |
            4 | [c
              |   ^ unclosed table, expected `]`

        "#]],
        );
        check(
            "a = \"x\n",
            expect![[r#"
            error[LP0101]: the file is not valid TOML
             --> x.toml:1:7
              |
            1 | a = "x
              |       ^ invalid basic string, expected `"`

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
                3 | c = 999999999999999999999999999999999999999999999...999999999999999999999999999999999999999999999
                  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ whole numbers end at 9223372036854775807

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
