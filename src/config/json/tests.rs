//! Files in, faults and trees out.

use expect_test::{Expect, expect};

use super::*;
use crate::diag::Sources;

/// The faults of each file.
#[track_caller]
fn check(texts: &[&str], expect: Expect) {
    let faults = |text: &&str| {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("x.json", *text);
        parse(file, text, &mut diagnostics);
        diagnostics.lines(&sources)
    };
    expect.assert_eq(&texts.iter().map(faults).collect::<Vec<_>>().join("\n"));
}

#[test]
fn slips_are_reported_and_reading_goes_on() {
    check(
        &[
            "// one\n{ \"a\": 1 /* two */, # three\n \"b\": [2,],\n}",
            "{ \"a\": 1\n  \"b\": [1 2, {} {}] }",
            "{ 'a': 'b',\n  “c”: \"d\", fps: 15, id: 2 }",
            "[live, cam 1, True, None, NaN, -Infinity, say \\ x]",
            "[+1, .5, -01, 0x1F, 10s, -]",
            "{,\"a\" 1, \"b\" [1,,2], , \"c\": x}",
            "{\"a\": 1, \"a\": 2, \"b\"; 3}",
        ],
        expect![[r#"
            LP0102 1:1 JSON has no comments; remove it, or write it as the value of a key that begins with `_`
            LP0102 3:9 unexpected comma before `]`; remove the comma
            LP0102 3:11 unexpected comma before `}`; remove the comma

            LP0102 1:9 a comma is missing
            LP0102 2:10 a comma is missing
            LP0102 2:16 a comma is missing

            LP0102 1:3 strings are written in double quotes; write `"a"`
            LP0102 2:13 keys are written in double quotes; write `"fps"`

            LP0102 1:2 `live` is not a JSON value; write `"live"`
            LP0102 1:8 `cam 1` is not a JSON value; write `"cam 1"`
            LP0102 1:15 `True` is not a JSON value; write `true`
            LP0102 1:21 `None` is not a JSON value; leave the key out, or write `null`
            LP0105 1:27 NaN and infinity are not allowed; write a number, or leave the key out
            LP0105 1:32 NaN and infinity are not allowed; write a number, or leave the key out
            LP0102 1:43 `say \ x` is not a JSON value; write it in double quotes

            LP0102 1:2 `+1` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes
            LP0102 1:6 `.5` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes
            LP0102 1:10 `-01` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes
            LP0102 1:15 `0x1F` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes
            LP0102 1:21 `10s` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes
            LP0102 1:26 `-` is not a JSON value; a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes

            LP0102 1:2 unexpected comma; remove the comma
            LP0102 1:6 a colon is missing
            LP0102 1:13 a colon is missing
            LP0102 1:17 unexpected comma; remove the comma
            LP0102 1:22 unexpected comma; remove the comma
            LP0102 1:29 `x` is not a JSON value; write `"x"`

            LP0103 1:10 the key `a` appears twice in one object also 1:2
            LP0102 1:21 found `;`, expected `:`
        "#]],
    );
}

#[test]
fn reading_ends_after_a_hundred_faults() {
    let mut diagnostics = Diagnostics::new();
    let tree = parse(FileId::default(), &format!("[{}]", "01,".repeat(1000)), &mut diagnostics);
    assert_eq!((tree, diagnostics.len()), (None, MAX_FAULTS));
}

#[test]
fn a_fault_that_ends_reading_is_reported() {
    check(
        &[
            "{ 'a: 1 }",
            r#"{ "a" = 2 }"#,
            r#"{ "a": }"#,
            r#"{ "a" }"#,
            "[1,, 2]",
            r#"{ "a": "say "hi" to" }"#,
            "{ \"a\": \u{0} }",
            "{\u{a0}\"a\": 1 }",
            "{\n<<<<<<< ours\n  \"a\": 1\n",
            &"[".repeat(200),
        ],
        expect![[r#"
            LP0102 1:3 found `'`, expected `"`

            LP0102 1:7 found `=`, expected `:`

            LP0102 1:8 found `}`, expected a value also 1:1

            LP0102 1:7 found `}`, expected `:` also 1:1

            LP0102 1:4 unexpected comma; remove the comma

            LP0102 1:14 found `hi`, expected `,` or `}`

            LP0102 1:8 found the character U+0000, expected a value

            LP0102 1:2 found the character U+00A0, expected a key in double quotes

            LP0102 2:1 a merge conflict is left in the file

            LP0006 1:129 values are nested more than 128 levels deep
        "#]],
    );
}

#[test]
fn unclosed_brackets_and_strings_are_reported_at_their_beginning() {
    check(
        &[
            "{ \"a\": 1\n",
            r#"{ "a": [1,"#,
            "{ /* }",
            "{\n  \"a\": [1, 2\n}",
            "{ \"a\": 1 }\n}\n",
            "{ \"a\": \"x\ny\" }",
            r#"{ "a": "x"#,
            "{ \"a\": \"x\\",
        ],
        expect![[r#"
            LP0102 1:1 `{` is never closed also 1:9

            LP0102 1:8 `[` is never closed also 1:11

            LP0102 1:1 `{` is never closed also 1:7
            LP0102 1:3 JSON has no comments; remove it, or write it as the value of a key that begins with `_`

            LP0102 3:1 found `}`, expected `,` or `]` also 2:8

            LP0102 2:1 found `}`, expected the end of the file

            LP0102 1:8 the string is not closed on its line; close it with `"`; a line break in it is written `\n`

            LP0102 1:8 the string is not closed on its line; close it with `"`; a line break in it is written `\n`

            LP0102 1:8 the string is not closed on its line; close it with `"`; a line break in it is written `\n`
        "#]],
    );
}

#[test]
fn strings_have_only_the_escapes_of_json() {
    check(
        &[
            "[\"a\tb\u{1}\", \"\\q \\' \\ä\", \"C:\\Users\"]",
            "[\"\\u12\", \"\\u+123\", \"\\ud800\", \"\\ud800\\ud800\", \"\\udc00x\"]",
        ],
        expect![[r#"
            LP0102 1:4 a string contains a control character; write it as `\u0009`
            LP0102 1:6 a string contains a control character; write it as `\u0001`
            LP0102 1:11 `\q` is not a JSON escape; write a backslash as `\\`
            LP0102 1:14 `\'` is not a JSON escape; write a backslash as `\\`
            LP0102 1:17 `\ä` is not a JSON escape; write a backslash as `\\`
            LP0102 1:25 `\U` is not a JSON escape; write a backslash as `\\`

            LP0102 1:3 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
            LP0102 1:11 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
            LP0102 1:21 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
            LP0102 1:31 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
            LP0102 1:37 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
            LP0102 1:47 `\u` is not a JSON escape; `\u` takes four hex digits, and a surrogate pair takes two of them
        "#]],
    );
}

#[test]
fn a_file_holds_one_value_of_json() {
    check(
        &[
            "",
            " \n\n",
            "{} {}",
            "# cameras\n[lane_config]\ncameras = []\n",
            "cameras = []\n",
            "lane_config:\n  cameras: []\n",
        ],
        expect![[r#"
            LP0102 1:1 the file is empty

            LP0102 1:1 the file is empty

            LP0102 1:4 found `{`, expected the end of the file

            LP0102 2:1 the file is not JSON; cameras and workloads are written in JSON: `{ ... }`

            LP0102 1:1 the file is not JSON; cameras and workloads are written in JSON: `{ ... }`

            LP0102 1:1 `lane_config` is not a JSON value; write `"lane_config"`
            LP0102 1:12 found `:`, expected the end of the file
        "#]],
    );
}

#[test]
fn a_key_that_appears_twice_is_reported_with_its_first_place() {
    check(
        &["{\n  \"a\": 1,\n  \"b\": 2,\n  \"\\u0061\": 3,\n \"a\": 4, \"_\": 1, \"_\": 2\n}\n"],
        expect![[r#"
            LP0103 4:3 the key `a` appears twice in one object also 2:3
            LP0103 5:2 the key `a` appears twice in one object also 2:3
        "#]],
    );
}

#[test]
fn a_number_that_cannot_be_represented_is_an_error() {
    check(
        &[&format!("[{}, 1e999, 1.5]", "9".repeat(40))],
        expect![[r#"
        LP0104 1:2 the number is too big to be represented
        LP0104 1:44 the number is too big to be represented
    "#]],
    );
}

#[test]
fn valid_json_is_read_with_its_places() {
    let text = r#" { "a\u00e9\ud83d\ude00\/\n" : [ -0, 1.5e+3, "", {}, [], true, false, null ] } "#;
    let mut diagnostics = Diagnostics::new();
    let mut sources = Sources::new();
    let tree = parse(sources.add("x.json", text), text, &mut diagnostics).unwrap();
    assert!(diagnostics.is_empty());
    let Value::Table(entries) = tree.value else { panic!("it is a table") };
    assert_eq!(entries[0].0.text, "aé😀/\n");
    let Value::List(items) = &entries[0].1.value else { panic!("it is a list") };
    let shown = |node: &Node| {
        format!("{} {}", node.kind(), &text[node.place.start as usize..node.place.end as usize])
    };
    let shown: Vec<String> = items.iter().map(shown).collect();
    expect![[r#"a number -0, a number 1.5e+3, a string "", a table {}, a list [], a boolean true, a boolean false, null null"#]].assert_eq(&shown.join(", "));
}
