//! JSON to a spanned tree, strictly: no comments, no trailing commas.
//!
//! The parser stops at the first syntax error, so only that one is reported;
//! keys that stand twice and numbers that cannot be represented are all found.

use std::collections::HashMap;

use jsonc_parser::ast;
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, FileId, Place};
use super::tree::{Key, Node, Value};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses the text of `file`. `None` when its syntax is wrong.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    match parse_to_ast(text, &collect, &STRICT) {
        Ok(result) => match result.value {
            Some(value) => Some(Reader { file, text, diagnostics }.node(value)),
            None => {
                diagnostics.push(
                    Diagnostic::error(codes::JSON_SYNTAX, "the file has no JSON value")
                        .at(Place::new(file, 0..0))
                        .label("expected `{`"),
                );
                None
            }
        },
        Err(error) => {
            let Range { start, end } = error.range();
            let error = error.kind().to_string();
            let place = Place::new(file, start..end);
            diagnostics.push(
                Diagnostic::error(codes::JSON_SYNTAX, "the file is not valid JSON")
                    .at(place)
                    .label(lower_first(&error)),
            );
            None
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

struct Reader<'d> {
    file: FileId,
    text: &'d str,
    diagnostics: &'d mut Diagnostics,
}

impl Reader<'_> {
    fn place(&self, range: Range) -> Place {
        Place::new(self.file, range.start..range.end)
    }

    fn node(&mut self, value: ast::Value<'_>) -> Node {
        let place = self.place(value.range());
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::StringLit(literal) => {
                self.check_characters(literal.range);
                Value::Text(literal.value.into_owned())
            }
            ast::Value::NumberLit(literal) => number(literal.value, place, self.diagnostics),
            ast::Value::Array(array) => {
                Value::List(array.elements.into_iter().map(|element| self.node(element)).collect())
            }
            ast::Value::Object(object) => self.table(object),
        };
        Node { value, place }
    }

    /// JSON wants control characters escaped, which the parser does not insist on.
    fn check_characters(&mut self, Range { start, end }: Range) {
        if let Some(offset) = self.text[start..end].find(|c| c < ' ') {
            let place = Place::new(self.file, start + offset..start + offset + 1);
            self.diagnostics.push(
                Diagnostic::error(codes::JSON_SYNTAX, "the file is not valid JSON")
                    .at(place)
                    .label("a control character in a text must be escaped"),
            );
        }
    }

    fn table(&mut self, object: ast::Object<'_>) -> Value {
        let mut entries = Vec::with_capacity(object.properties.len());
        let mut seen: HashMap<String, Place> = HashMap::new();
        for property in object.properties {
            let place = self.place(property.name.range());
            self.check_characters(property.name.range());
            let text = property.name.into_string();
            let node = self.node(property.value);
            match seen.get(&text) {
                Some(first) => self.diagnostics.push(
                    Diagnostic::error(
                        codes::DUPLICATE_KEY,
                        format!("the key `{text}` stands twice in one table"),
                    )
                    .at(place)
                    .label("again here")
                    .also(*first, "first here"),
                ),
                None => {
                    seen.insert(text.clone(), place);
                    entries.push((Key { text, place }, node));
                }
            }
        }
        Value::Table(entries)
    }
}

/// A number of either language as `text` writes it in decimal digits.
pub(super) fn number(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Value {
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::Color;
    use crate::config::diagnostics::Sources;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("x.json", text);
        parse(file, text, &mut diagnostics);
        expect.assert_eq(&diagnostics.render_human(&sources, Color::Never));
    }

    #[test]
    fn extensions_of_json_are_refused() {
        check(
            "{ \"a\": 1, }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:9
              |
            1 | { "a": 1, }
              |         ^ trailing commas are not allowed

        "#]],
        );
        check(
            "{ \"a\": 1 // one\n }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:10
              |
            1 | { "a": 1 // one
              |          ^^^^^^ comments are not allowed

        "#]],
        );
        check(
            "{ \"a\": NaN }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:8
              |
            1 | { "a": NaN }
              |        ^^^ unexpected word

        "#]],
        );
        check(
            "{ \"a\": 0x1 }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:8
              |
            1 | { "a": 0x1 }
              |        ^ hexadecimal numbers are not allowed

        "#]],
        );
        check(
            "{ \"a\": 01 }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:9
              |
            1 | { "a": 01 }
              |         ^ expected comma

        "#]],
        );
        check(
            "",
            expect![[r#"
            error[LP0102]: the file has no JSON value
             --> x.json:1:1
              |
            1 |
              | ^ expected `{`

        "#]],
        );
        check(
            "{ \"a\": 1\n",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:1
              |
            1 | { "a": 1
              | ^^^^^^^^ unterminated object

        "#]],
        );
        check(
            "{} {}",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:4
              |
            1 | {} {}
              |    ^ text cannot contain more than one JSON value

        "#]],
        );
        check(
            "{ \"a\": \"\\ud800\" }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:9
              |
            1 | { "a": "\ud800" }
              |         ^^^^^^^ invalid unicode escape sequence. 'd800 (unpaired high surrogate)' is not a valid UTF8 character

        "#]],
        );
        check(
            "{ \"a\": \"x\ny\" }",
            expect![[r#"
            error[LP0102]: the file is not valid JSON
             --> x.json:1:10
              |
            1 | { "a": "x
              |          ^ a control character in a text must be escaped

        "#]],
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_shown_twice() {
        check(
            "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}\n",
            expect![[r#"
            error[LP0103]: the key `a` stands twice in one table
             --> x.json:4:3
              |
            2 |   "a": 1,
              |   --- first here
            3 |   "b": 2,
            4 |   "a": 3
              |   ^^^ again here

        "#]],
        );
    }

    #[test]
    fn a_number_that_cannot_be_represented_is_an_error() {
        check(
            &format!("[{}, 1e999, 1.5]", "9".repeat(40)),
            expect![[r#"
                error[LP0104]: the number is too big to be represented
                 --> x.json:1:2
                  |
                1 | [9999999999999999999999999999999999999999, 1e999, 1.5]
                  |  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ whole numbers end at 9223372036854775807

                error[LP0104]: the number is too big to be represented
                 --> x.json:1:44
                  |
                1 | [9999999999999999999999999999999999999999, 1e999, 1.5]
                  |                                            ^^^^^ fractions end at 1.8e308

            "#]],
        );
    }
}
