//! The help of `lp` itself: commands in groups, by when people need them; and the words
//! that people try for commands with other names.

use std::fmt::Write;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// All commands, in groups. A test holds them to the commands that there are.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Make a project", &["init", "import", "add", "check", "config"]),
    ("Measure", &["run", "bench", "density", "serve", "report", "list"]),
    ("Build", &["build", "watch", "assets", "clean", "cache"]),
    ("Understand", &["show", "graph", "explain", "doctor"]),
    ("Install", &["completions", "man"]),
];

/// What people type who do not know a command's name, and the command line.
const MEANT: [(&str, &str); 17] = [
    ("runs", "lp list runs"),
    ("history", "lp list runs"),
    ("log", "lp list runs"),
    ("cameras", "lp list cameras"),
    ("targets", "lp list targets"),
    ("profiles", "lp list profiles"),
    ("status", "lp graph"),
    ("why", "lp explain"),
    ("plan", "lp show"),
    ("new", "lp init"),
    ("test", "lp check"),
    ("measure", "lp run"),
    ("compare", "lp bench"),
    ("benchmark", "lp bench"),
    ("open", "lp report --open"),
    ("fetch", "lp assets fetch"),
    ("download", "lp assets fetch"),
];

/// `lp` with its commands in groups.
pub(super) fn grouped(command: clap::Command) -> clap::Command {
    let groups = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n{{options}}",
        header = Styles::styled().get_header()
    ))
}

fn groups(command: &clap::Command) -> String {
    let styles = Styles::styled();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for sub in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = sub.get_about().map(StyledStr::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{:<11}{literal:#}  {about}", sub.get_name());
        }
        text.push('\n');
    }
    text
}

/// With the command that was meant, for an unknown one.
pub(super) fn with_meant(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let Some((_, meant)) = MEANT.iter().find(|(known, _)| known == word) else { return error };
    let tip = StyledStr::from(format!("did you mean `{meant}`?"));
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = super::super::flags::command();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut known: Vec<&str> =
            command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn the_list_of_commands_fits_80_columns() {
        for line in groups(&super::super::flags::command()).lines() {
            let line = anstream_free(line);
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    /// A line without escape sequences.
    fn anstream_free(line: &str) -> String {
        let mut parts = line.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn no_word_that_people_try_is_a_command() {
        let command = super::super::flags::command();
        for (word, meant) in MEANT {
            assert!(command.find_subcommand(word).is_none(), "{word}");
            let name = meant.split(' ').nth(1).unwrap();
            assert!(command.find_subcommand(name).is_some(), "{meant}");
        }
    }
}
