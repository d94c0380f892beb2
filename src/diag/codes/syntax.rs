//! LP01xx: what makes a file no TOML or no JSON, and what neither can say here.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Cameras, Lpfile};
use super::{Rule, wrong};

rules! {
    TOML_SYNTAX = "LP0101", [Error], "a file is not valid TOML" {
        why: indoc! {"
            All faults of syntax are reported at once. Of a broken file nothing else is: keys that the
            fault swallowed would be called missing.
        "},
        examples: &[wrong(&[Lpfile("[run\nduration = \"30s\"\n")]).right(&[Lpfile("[run]\nduration = \"30s\"\n")])],
    }

    JSON_SYNTAX = "LP0102", [Error], "a file is not valid JSON" {
        why: indoc! {"
            JSON as the standard has it: no comments, no comma behind the last item, no `NaN`, texts in
            double quotes. For a comment, write a key that begins with `_`. Only the first fault of
            syntax can be reported.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 15,"#))]).right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    DUPLICATE_KEY = "LP0103", [Error], "a key stands twice in one table" {
        why: indoc! {"
            Only one of the two can count, and which one depends on who reads the file. Remove one.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 15, "fps": 30"#))]).right(&[Cameras(camera!(r#""fps": 30"#))])],
    }

    NUMBER_TOO_BIG = "LP0104", [Error], "a number is too big to be represented" {
        why: indoc! {"
            Whole numbers end at 9223372036854775807, fractions at about 1.8e308. A number beyond them
            would be read as another one.
        "},
        examples: &[wrong(&[Cameras(camera!(r#""fps": 1e999"#))]).right(&[Cameras(camera!(r#""fps": 15"#))])],
    }

    NOT_FINITE = "LP0105", [Error], "NaN and infinity are no values here" {
        why: indoc! {"
            TOML can write them, but there is no key for which they mean something. For \"without
            limit\" leave the key out, or look up the value that its key has for it.
        "},
        examples: &[wrong(&[Lpfile("[run]\ncount = inf\n")]).right(&[Lpfile("[run]\ncount = 8\n")])],
    }
}
