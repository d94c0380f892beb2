//! LP07xx: profiles, `LP_SET_` variables and `--set`.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Flags, Lpfile};
use super::{Rule, wrong};

rules! {
    UNKNOWN_PROFILE = "LP0701", [Error], "the profile does not exist" {
        why: indoc! {"
            `--profile NAME` and `LP_PROFILE=NAME` ask for the table `[profile.NAME]` of `Lpfile.toml`.
        "},
        examples: &[wrong(&[Lpfile("[profile.intel]\nrun.dialect = \"dlstreamer\"\n"), Flags(&["--profile", "itnel"])])
            .right(&[Flags(&["--profile", "intel"])])],
    }

    UNKNOWN_SETTING = "LP0702", [Error], "an override names a key that does not exist" {
        why: indoc! {"
            `--set KEY=VALUE` and `LP_SET_KEY=VALUE` reach every key of `[project]`, `[paths]`, `[run]`
            and `[pools]` that takes a single value, by its table and name: `run.duration`,
            `LP_SET_RUN_DURATION`.
        "},
        examples: &[wrong(&[Flags(&["--set", "duration=10s"])]).right(&[Flags(&["--set", "run.duration=10s"])])],
    }

    BAD_OVERRIDE = "LP0703", [Error], "an override is not KEY=VALUE" {
        why: indoc! {"
            Key and value are one argument with `=` between them, and no blanks around it.
        "},
        examples: &[wrong(&[Flags(&["--set", "run.duration"])]).right(&[Flags(&["--set", "run.duration=10s"])])],
    }
}
