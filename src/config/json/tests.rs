//! Texts in, faults and trees out.

use expect_test::{Expect, expect};

use super::*;
use crate::diag::Color;
use crate::diag::Sources;

#[track_caller]
fn check(text: &str, expect: Expect) {
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("x.json", text);
    parse(file, text, &mut diagnostics);
    expect.assert_eq(&diagnostics.render_human(&sources, Color::Never));
}

#[test]
fn values_of_other_languages_are_named_and_reading_goes_on() {
    check(
        "{ \"a\": NaN,\n  \"b\": True,\n  \"c\": None,\n  \"d\": -Infinity }",
        expect![[r#"
                error[LP0105]: NaN and infinity are no values here
                 --> x.json:1:8
                  |
                1 | { "a": NaN,
                  |        ^^^
                  |
                  = help: write a number, or leave the key out

                error[LP0102]: `True` is no value of JSON
                 --> x.json:2:8
                  |
                2 |   "b": True,
                  |        ^^^^
                  |
                  = help: write `true`

                error[LP0102]: `None` is no value of JSON
                 --> x.json:3:8
                  |
                3 |   "c": None,
                  |        ^^^^
                  |
                  = help: leave the key out, or write `null`

                error[LP0105]: NaN and infinity are no values here
                 --> x.json:4:8
                  |
                4 |   "d": -Infinity }
                  |        ^^^^^^^^^
                  |
                  = help: write a number, or leave the key out

            "#]],
    );
    check(
        "[live, cam 1]",
        expect![[r#"
            error[LP0102]: a text stands without quotes
             --> x.json:1:2
              |
            1 | [live, cam 1]
              |  ^^^^
              |
              = help: write `"live"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:8
              |
            1 | [live, cam 1]
              |        ^^^^^
              |
              = help: write `"cam 1"`

        "#]],
    );
    check(
        "[+1, .5, 5., -01, 0x1F, 1_000]",
        expect![[r#"
            error[LP0102]: `+1` is no number of JSON
             --> x.json:1:2
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |  ^^ no `+` in front
              |
              = help: write `1`

            error[LP0102]: `.5` is no number of JSON
             --> x.json:1:6
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |      ^^ a digit must stand before the `.`
              |
              = help: write `0.5`

            error[LP0102]: `5.` is no number of JSON
             --> x.json:1:10
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |          ^^ a digit must stand behind the `.`
              |
              = help: write `5.0`

            error[LP0102]: `-01` is no number of JSON
             --> x.json:1:14
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |              ^^^ no zeros in front
              |
              = help: write `-1`

            error[LP0102]: `0x1F` is no number of JSON
             --> x.json:1:19
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |                   ^^^^ no hexadecimal numbers
              |
              = help: write `31`

            error[LP0102]: `1_000` is no number of JSON
             --> x.json:1:25
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |                         ^^^^^ no `_` between digits
              |
              = help: write `1000`

        "#]],
    );
    check(
        "[1e, 1.2.3, 10s, -, 192.168.0.1]",
        expect![[r#"
            error[LP0102]: a text stands without quotes
             --> x.json:1:2
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |  ^^
              |
              = help: write `"1e"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:6
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |      ^^^^^
              |
              = help: write `"1.2.3"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:13
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |             ^^^
              |
              = help: write `"10s"`

            error[LP0102]: `-` is no number
             --> x.json:1:18
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |                  ^ no digit follows

            error[LP0102]: a text stands without quotes
             --> x.json:1:21
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |                     ^^^^^^^^^^^
              |
              = help: write `"192.168.0.1"`

        "#]],
    );
}

#[test]
fn quotes_are_double() {
    check(
        "{ 'a': 'b',\n  'c': \"d\" }",
        expect![[r#"
            error[LP0102]: texts stand in double quotes
             --> x.json:1:3
              |
            1 | { 'a': 'b',
              |   ^^^ found `'`
              |
              = help: write `"a"`; the file has 3 of them

        "#]],
    );
    check(
        "{ “a”: 1 }",
        expect![[r#"
            error[LP0102]: texts stand in double quotes
             --> x.json:1:3
              |
            1 | { “a”: 1 }
              |   ^^^ found `“`
              |
              = help: write `"a"`

        "#]],
    );
    check(
        "{ 'a: 1 }",
        expect![[r#"
            error[LP0102]: found `'`, expected `"`
             --> x.json:1:3
              |
            1 | { 'a: 1 }
              |   ^ texts stand in double quotes

        "#]],
    );
    check(
        "{ fps: 15, id\": 2 }",
        expect![[r#"
            error[LP0102]: keys stand in double quotes
             --> x.json:1:3
              |
            1 | { fps: 15, id": 2 }
              |   ^^^
              |
              = help: write `"fps"`

            error[LP0102]: keys stand in double quotes
             --> x.json:1:12
              |
            1 | { fps: 15, id": 2 }
              |            ^^^ the opening quote is missing
              |
              = help: write `"id"`

        "#]],
    );
}

#[test]
fn commas_and_colons_stand_where_they_belong() {
    check(
        "{ \"a\": [1, 2,],\n  \"b\": 1,\n}",
        expect![[r#"
            error[LP0102]: a comma stands before `]`
             --> x.json:1:13
              |
            1 | { "a": [1, 2,],
              |             ^ nothing follows it
              |
              = help: remove the comma

            error[LP0102]: a comma stands before `}`
             --> x.json:2:9
              |
            2 |   "b": 1,
              |         ^ nothing follows it
              |
              = help: remove the comma

        "#]],
    );
    check(
        "{ \"a\": 1\n  \"b\": [1 2] }",
        expect![[r#"
            error[LP0102]: a comma is missing
             --> x.json:1:9
              |
            1 | { "a": 1
              |         ^ expected `,` here

            error[LP0102]: a comma is missing
             --> x.json:2:10
              |
            2 |   "b": [1 2] }
              |          ^ expected `,` here

        "#]],
    );
    check(
        "[{} {}, , 1]",
        expect![[r#"
            error[LP0102]: a comma is missing
             --> x.json:1:4
              |
            1 | [{} {}, , 1]
              |    ^ expected `,` here

            error[LP0102]: a value is missing
             --> x.json:1:9
              |
            1 | [{} {}, , 1]
              |         ^ nothing stands before this comma

        "#]],
    );
    check(
        "{ \"a\" 1, \"b\" = 2; \"c\": }",
        expect![[r#"
            error[LP0102]: a colon is missing behind the key `a`
             --> x.json:1:6
              |
            1 | { "a" 1, "b" = 2; "c": }
              |      ^ expected `:` here

            error[LP0102]: found `=`, expected `:`
             --> x.json:1:14
              |
            1 | { "a" 1, "b" = 2; "c": }
              |              ^

            error[LP0102]: found `;`, expected `,`
             --> x.json:1:17
              |
            1 | { "a" 1, "b" = 2; "c": }
              |                 ^

            error[LP0102]: the key `c` has no value
             --> x.json:1:24
              |
            1 | { "a" 1, "b" = 2; "c": }
              |                        ^ expected a value before this

        "#]],
    );
    check(
        "{ \"a\" }",
        expect![[r#"
            error[LP0102]: the key `a` has no value
             --> x.json:1:6
              |
            1 | { "a" }
              |      ^ expected `:` and a value

        "#]],
    );
    check(
        "{ \"a\": \"say \"hi\" to\" }",
        expect![[r#"
            error[LP0102]: found `hi`, expected `,` or `}`
             --> x.json:1:14
              |
            1 | { "a": "say "hi" to" }
              |              ^^
              |
              = help: a `"` inside a text is written `\"`

        "#]],
    );
}

#[test]
fn comments_are_reported_once() {
    check(
        "// one\n{ \"a\": 1 /* two */, # three\n \"b\": 2 }",
        expect![[r#"
            error[LP0102]: JSON has no comments
             --> x.json:1:1
              |
            1 | // one
              | ^^^^^^
              |
              = help: remove it, or write it as the value of a key that begins with `_`; the file has 3 of them

        "#]],
    );
    check(
        "{ /* }",
        expect![[r#"
            error[LP0102]: a comment is never closed
             --> x.json:1:3
              |
            1 | { /* }
              |   ^^ opened here
              |
              = help: JSON has no comments: remove it

        "#]],
    );
}

#[test]
fn a_bracket_that_is_not_closed_is_shown_with_the_end() {
    check(
        "{ \"a\": 1\n",
        expect![[r#"
            error[LP0102]: `{` is never closed
             --> x.json:1:1
              |
            1 | { "a": 1
              | ^       - the file ends here, without a `}` for it
              | |
              | opened here

        "#]],
    );
    check(
        "{\n  \"a\": [1, 2\n}",
        expect![[r#"
            error[LP0102]: `[` is closed by `}`
             --> x.json:3:1
              |
            2 |   "a": [1, 2
              |        - opened here
            3 | }
              | ^ expected `]`

        "#]],
    );
    check(
        "{ \"a\": 1 }\n}\n",
        expect![[r#"
            error[LP0102]: `}` closes nothing
             --> x.json:2:1
              |
            2 | }
              | ^ everything before it is closed

        "#]],
    );
    check(
        "{ \"a\": [1,",
        expect![[r#"
            error[LP0102]: `[` is never closed
             --> x.json:1:8
              |
            1 | { "a": [1,
              |        ^  - the file ends here, without a `]` for it
              |        |
              |        opened here

        "#]],
    );
}

#[test]
fn a_text_ends_on_its_line_and_has_only_escapes_of_json() {
    check(
        "{ \"a\": \"x\ny\" }",
        expect![[r#"
            error[LP0102]: a text is not closed on its line
             --> x.json:1:8
              |
            1 | { "a": "x
              |        ^^ opened here
              |
              = help: close it with `"`; a line break in a text is written `\n`

        "#]],
    );
    check(
        "{ \"a\": \"x",
        expect![[r#"
            error[LP0102]: a text is not closed on its line
             --> x.json:1:8
              |
            1 | { "a": "x
              |        ^^ opened here
              |
              = help: close it with `"`; a line break in a text is written `\n`

        "#]],
    );
    check(
        "[\"a\tb\u{1}\", \"\\q \\x41 \\'\", \"C:\\Users\"]",
        expect![[r#"
            error[LP0102]: a control character stands in a text
             --> x.json:1:4
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |    ^^^^
              |
              = help: write it as `\t`

            error[LP0102]: `\q` is no escape of JSON
             --> x.json:1:11
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |              ^^
              |
              = help: a backslash itself is written `\\`

            error[LP0102]: `\x` is no escape of JSON
             --> x.json:1:14
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                 ^^
              |
              = help: write `\u00` and two hex digits

            error[LP0102]: `\'` is no escape of JSON
             --> x.json:1:19
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                      ^^
              |
              = help: write `'` without a backslash

            error[LP0102]: `\U` is no escape of JSON
             --> x.json:1:27
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                              ^^
              |
              = help: a backslash itself is written `\\`

        "#]],
    );
    check(
        "[\"\\u12\", \"\\ud800\", \"\\ud800\\ud800\", \"\\udc00x\"]",
        expect![[r#"
            error[LP0102]: `\u12` is no escape of JSON
             --> x.json:1:3
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |   ^^^^ `\u` takes four hex digits

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:11
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |           ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:21
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                     ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:27
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                           ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\udc00` is half of a character
             --> x.json:1:37
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                                     ^^^^^^
              |
              = help: write the character itself, or both halves

        "#]],
    );
}

#[test]
fn a_file_holds_one_value() {
    check(
        "",
        expect![[r#"
            error[LP0102]: the file is empty
             --> x.json:1:1
              |
            1 |
              | ^ expected `{`

        "#]],
    );
    check(
        " \n\n",
        expect![[r#"
            error[LP0102]: the file is empty
             --> x.json:1:1
              |
            1 |  
              | ^ expected `{`

        "#]],
    );
    check(
        "{} {}",
        expect![[r#"
            error[LP0102]: the file goes on behind its end
             --> x.json:1:4
              |
            1 | {} {}
              |  - ^ nothing may follow
              |  |
              |  its value ends here

        "#]],
    );
    check(
        "{\n}\n{\n}\n",
        expect![[r#"
            error[LP0102]: the file goes on behind its end
             --> x.json:3:1
              |
            2 | }
              | - its value ends here
            3 | {
              | ^ nothing may follow

        "#]],
    );
}

#[test]
fn a_file_in_another_language_is_called_so() {
    check(
        "# cameras\n[lane_config]\ncameras = []\n",
        expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:2:1
              |
            2 | [lane_config]
              | ^^^^^^^^^^^^^ this looks like TOML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
    );
    check(
        "lane_config:\n  cameras: []\n",
        expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:1:1
              |
            1 | lane_config:
              | ^^^^^^^^^^^^ this looks like YAML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
    );
    check(
        "<?xml version=\"1.0\"?>\n",
        expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:1:1
              |
            1 | <?xml version="1.0"?>
              | ^^^^^^^^^^^^^^^^^^^^^ this looks like XML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
    );
    check(
        "{\n<<<<<<< ours\n  \"a\": 1\n",
        expect![[r#"
            error[LP0102]: a merge conflict is left in the file
             --> x.json:2:1
              |
            2 | <<<<<<< ours
              | ^^^^^^^

        "#]],
    );
}

#[test]
fn what_cannot_be_seen_is_named() {
    check(
        "{\u{a0}\"a\": 1 }\u{feff}",
        expect![[r#"
            error[LP0102]: the character U+00A0 stands outside of texts
             --> x.json:1:2
              |
            1 | { "a": 1 }�
              |  ^ here only blanks, tabs and line breaks are possible
              |
              = help: remove it

            error[LP0102]: the character U+FEFF stands outside of texts
             --> x.json:1:11
              |
            1 | { "a": 1 }�
              |           ^ here only blanks, tabs and line breaks are possible
              |
              = help: remove it

        "#]],
    );
    check(
        "{ \"a\": \u{0} }",
        expect![[r#"
            error[LP0102]: found `\u{0}`, expected a value
             --> x.json:1:8
              |
            1 | { "a": � }
              |        ^

        "#]],
    );
    check(
        "{ \"a\": ， }",
        expect![[r#"
            error[LP0102]: found `，`, expected a value
             --> x.json:1:8
              |
            1 | { "a": ， }
              |        ^^

        "#]],
    );
}

#[test]
fn what_is_right_is_read() {
    let text = r#" { "a\u00e9\ud83d\ude00\/\n" : [ -0, 1.5e+3, "", {}, [], true, false, null ] } "#;
    let mut diagnostics = Diagnostics::new();
    let mut sources = Sources::new();
    let tree = parse(sources.add("x.json", text), text, &mut diagnostics).unwrap();
    assert!(diagnostics.is_empty());
    let Value::Table(entries) = tree.value else { panic!("it is a table") };
    assert_eq!(entries[0].0.text, "aé😀/\n");
    let Value::List(items) = &entries[0].1.value else { panic!("it is a list") };
    let kinds: Vec<&str> = items.iter().map(Node::kind).collect();
    assert_eq!(
        kinds,
        ["a number", "a number", "a text", "a table", "a list", "a boolean", "a boolean", "null"]
    );
}

#[test]
fn a_key_that_stands_twice_is_shown_twice() {
    check(
        "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}\n",
        expect![[r#"
                error[LP0103]: the key `a` stands twice in one object
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
fn a_key_of_a_large_table_that_stands_twice_is_found() {
    let keys: Vec<String> = (0..100).map(|n| format!("\"k{n}\": 1")).collect();
    check(
        &format!("{{ {},\n\"k3\": 2, \n\"k77\": 3 }}", keys.join(",\n")),
        expect![[r#"
                error[LP0103]: the key `k3` stands twice in one object
                   --> x.json:101:1
                    |
                101 | "k3": 2, 
                    | ^^^^ again here
                    |
                   ::: x.json:4:1
                    |
                  4 | "k3": 1,
                    | ---- first here

                error[LP0103]: the key `k77` stands twice in one object
                   --> x.json:102:1
                    |
                 78 | "k77": 1,
                    | ----- first here
                ...
                102 | "k77": 3 }
                    | ^^^^^ again here

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
