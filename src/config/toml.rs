//! TOML to a spanned tree. All syntax errors are reported in one pass, and the part
//! that could be read is returned.
//!
//! Not here: the messages of syntax errors (`toml_faults`).

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::json::{is_not_finite, not_finite, number};
use super::text::within;
use super::toml_faults;
use super::tree::{Key, Node, Value};
use crate::diag::{Diagnostics, FileId, Place};

mod pieces;

/// The result of parsing a file.
#[derive(Debug)]
pub struct ParseResult {
    /// The part that could be read.
    pub tree: Node,
    /// Whether the syntax is valid. Otherwise keys may be missing from the tree, or be
    /// in the wrong table.
    pub is_whole: bool,
}

/// Parses the text of `file`.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> ParseResult {
    if text.len() > 2 * pieces::LENGTH
        && let Some(tree) = in_pieces(file, text, pieces::LENGTH, diagnostics)
    {
        return ParseResult { tree, is_whole: true };
    }
    parse_whole(file, text, diagnostics)
}

fn parse_whole(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> ParseResult {
    let (table, errors) = DeTable::parse_recoverable(text);
    let is_whole = errors.is_empty();
    let place = Place::new(file, within(text, table.span()));
    let mut reader = Reader { file, offset: 0, text, diagnostics };
    let tree = Node { value: in_order(entries(&mut reader, table.into_inner())), place };
    toml_faults::report(file, text, &tree, errors, diagnostics);
    ParseResult { tree, is_whole }
}

/// The tree of a file that is valid in pieces; `None` for any other.
fn in_pieces(file: FileId, text: &str, length: usize, diagnostics: &mut Diagnostics) -> Option<Node> {
    let entries = pieces::parse(file, text, length, diagnostics)?;
    // The parser gives the root of a file no place either.
    Some(Node { value: in_order(entries), place: Place::new(file, 0..0) })
}

/// Makes the tree of a file, or of a piece of one.
struct Reader<'d> {
    file: FileId,
    /// The offset of the piece in the file.
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

/// The parser sorts by key; readers and messages keep the order of the file.
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
        // An invalid number has no digits, and has been reported.
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
                // The parser takes every word with these letters for one of them.
                if is_not_finite(written) {
                    diagnostics.push(not_finite(place));
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

    use super::super::text::MAX_FAULTS;
    use super::*;
    use crate::diag::Sources;

    /// The faults of each file.
    #[track_caller]
    fn check(texts: &[&str], expect: Expect) {
        let faults = |text: &&str| {
            let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
            let file = sources.add("x.toml", *text);
            parse(file, text, &mut diagnostics);
            for place in diagnostics.sorted().iter().filter_map(|one| one.place) {
                assert!(place.end as usize <= text.len(), "{place:?}");
            }
            diagnostics.lines(&sources)
        };
        expect.assert_eq(&texts.iter().map(faults).collect::<Vec<_>>().join("\n"));
    }

    /// Fails when a new version of the parser has another message for a slip.
    #[test]
    fn common_slips_are_recognised_by_the_messages_of_the_parser() {
        check(
            &[
                "name = cam\nb = True\nc = None\nd = 10s\ne = “x y”\n",
                "a = \nb = NaN\nc = Inf\nd = 1 e = 2\nf = [1, 2\n",
                "a = \"x\nb = ['y', 'z\n",
                "a = 1\nb = \"\"\"z\n\nc = 1 1",
                "b = '''z\n",
                "a = [1, [2, 3], 4\nb = 3\n",
                "a = { b = 1\nc = 2\n",
                "[run\nx = 1\n[[task\ny = 1\n",
                "[project]\n<<<<<<< ours\nb = 1\n=======\nb = 2\n>>>>>>> theirs\n",
                &format!("x = {}", "[".repeat(200)),
                &format!("x.{} = 1", "a.".repeat(200)),
                "{ \"project\": {} }\n",
            ],
            expect![[r#"
                LP0101 1:8 the string is not quoted; write `"cam"`
                LP0101 2:5 the string is not quoted; write `true`
                LP0101 3:5 the string is not quoted; write `"None"`
                LP0101 4:5 the string is not quoted; write `"10s"`
                LP0101 5:5 the string is not quoted; write `"x y"`

                LP0101 1:5 a value is missing
                LP0105 2:5 NaN and infinity are not allowed
                LP0105 3:5 NaN and infinity are not allowed
                LP0101 4:7 a line break or a comma is missing before `e`
                LP0101 5:5 `[` is never closed

                LP0101 1:5 the string is never closed; close it with `"`
                LP0101 2:5 `[` is never closed

                LP0101 2:5 the string is never closed; close it with `"""`

                LP0101 1:5 the string is never closed; close it with `'''`

                LP0101 1:5 `[` is never closed

                LP0101 1:5 `{` is never closed

                LP0101 1:1 `[` is never closed
                LP0101 3:1 `[` is never closed

                LP0101 2:1 a merge conflict is left in the file

                LP0006 1:85 values are nested more than 80 levels deep

                LP0006 1:1 values are nested more than 80 levels deep

                LP0101 1:1 the file is not TOML; project and scene files are written in TOML
            "#]],
        );
    }

    #[test]
    fn other_faults_keep_the_message_of_the_parser_and_a_line_has_one() {
        check(
            &[
                "a = \"C:\\Users\"\nb = \"a\u{1}b\"\nc = 01\nd 1\n// e\nf = [1,,2]\n",
                "a = 1,\nb = \"x\" y z\n[i]]\nj: 2\n",
                include_str!("../../fuzz/corpus/toml/unclosed-at-the-end"),
            ],
            expect![[r#"
                LP0101 1:10 the file is not valid TOML: too few unicode value digits, expected unicode hexadecimal value
                LP0101 2:7 the file is not valid TOML: invalid basic string, expected non-double-quote visible characters, `\`
                LP0101 3:5 the file is not valid TOML: unexpected leading zero, expected nothing
                LP0101 4:3 the file is not valid TOML: key with no value, expected `=`
                LP0101 5:4 the file is not valid TOML: key with no value, expected `=`
                LP0101 6:8 the file is not valid TOML: extra comma in array, expected value

                LP0101 1:6 the file is not valid TOML: unexpected key or value, expected newline, `#`
                LP0101 2:9 the file is not valid TOML: unexpected key or value, expected newline, `#`
                LP0101 3:4 the file is not valid TOML: unexpected key or value, expected newline, `#`
                LP0101 4:2 the file is not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_`

                LP0101 4:2 the file is not valid TOML: invalid date, expected `-` (MM-DD)
                LP0101 6:7 the string is not quoted; write `"\u{0}\u{0}\u{0}~a"`
                LP0101 7:2 the file is not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
                LP0101 10:1 the file is not valid TOML: missing key for inline table element, expected `,`
                LP0101 11:4 the file is not valid TOML: unclosed inline table, expected `}`
            "#]],
        );
    }

    #[test]
    fn at_most_a_hundred_syntax_errors_are_reported() {
        let text: String = (0..1000).map(|n| format!("key{n} = x\n")).collect();
        let mut diagnostics = Diagnostics::new();
        let mut sources = Sources::new();
        let file = sources.add("x", text.as_str());
        assert!(!parse(file, &text, &mut diagnostics).is_whole);
        assert_eq!(diagnostics.len(), MAX_FAULTS);
        // A line counts once, whatever the number of its errors, and a fault that ends
        // reading is no limit.
        let text = format!("x = [1\n{}", "k = x y z\n".repeat(300));
        let mut diagnostics = Diagnostics::new();
        let file = sources.add("y", text.as_str());
        parse(file, &text, &mut diagnostics);
        let lines = diagnostics.lines(&sources);
        assert_eq!((diagnostics.len(), lines.contains("only the first 100")), (MAX_FAULTS, true), "{lines}");
    }

    #[test]
    fn a_key_that_appears_twice_is_reported_with_its_first_place() {
        check(
            &[
                "[a]\nb = 1\n[c]\nb = 2\n[a]\nd = 1\n",
                "[[t]]\nn = 1\n[[t]]\nn = 2\nn=3\n[t.u]\nn = 2\n\"n\" = 3\n",
                "a.b = 1\na.b = 2\nc = [{ d = 2, d = 3 }]\na = 4\n[[c]]\n",
                "a = 1\na = 2\na = 3\n[r]\nx = \"\"\"\n[r]\n\"\"\"\n[r]\n",
            ],
            expect![[r#"
                LP0103 5:2 the key `a` appears twice in one table also 1:2

                LP0103 5:1 the key `n` appears twice in one table also 4:1
                LP0103 8:1 the key `n` appears twice in one table

                LP0103 2:3 the key `b` appears twice in one table also 1:3
                LP0103 3:15 the key `d` appears twice in one table
                LP0103 4:1 the key `a` appears twice in one table
                LP0103 5:3 the key `c` appears twice in one table

                LP0103 2:1 the key `a` appears twice in one table also 1:1
                LP0103 3:1 the key `a` appears twice in one table also 1:1
                LP0103 8:2 the key `r` appears twice in one table also 4:2
            "#]],
        );
    }

    #[test]
    fn numbers_that_cannot_be_represented_are_errors() {
        let digits = "9".repeat(400);
        check(
            &[&format!("a = nan\nb = -inf\nc = {digits}\nd = 1e999\ne = 0xffffffffffffffffff\n")],
            expect![[r#"
                LP0105 1:5 NaN and infinity are not allowed
                LP0105 2:5 NaN and infinity are not allowed
                LP0104 3:5 the number is too big to be represented
                LP0104 4:5 the number is too big to be represented
                LP0104 5:5 the number is too big to be represented
            "#]],
        );
    }
}
