//! The flags of every command: which of them mean something to which command.

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::args::Cli;

/// The flags of [`Global`](super::args::Global) that tell which files a project is read from.
const FILES: [&str; 2] = ["camera_file", "workload_file"];

/// The flags of [`Global`](super::args::Global) that change what `Lpfile.toml` says.
const SETTINGS: [&str; 2] = ["profile", "sets"];

/// `--set` behind the name of a command.
const SETS_BEHIND: &str = "sets_behind";

/// The flags of [`Global`](super::args::Global) that mean nothing to a command, and why. Such a flag is
/// refused, since whoever gives it expects something of it.
fn meaningless(command: &[&str]) -> (Vec<&'static str>, &'static str) {
    let both = || [FILES, SETTINGS].concat();
    match command {
        ["init"] => (both(), "it always makes the same project"),
        ["import"] => (SETTINGS.to_vec(), "it reads two files and no `Lpfile.toml`"),
        ["report"] => (both(), "it shows a record and reads no config"),
        ["cache", "show" | "clean"] => (both(), "it reads only the store"),
        ["cache", "key"] => (Vec::new(), ""),
        ["cache", ..] => (FILES.to_vec(), "it works on the store of the whole project"),
        _ => (Vec::new(), ""),
    }
}

/// The command line, whose commands list in their help only flags that mean
/// something to them.
pub(super) fn command() -> clap::Command {
    let root = Cli::command();
    let globals: Vec<clap::Arg> = root
        .get_arguments()
        .filter(|flag| [FILES, SETTINGS].concat().contains(&flag.get_id().as_str()))
        .cloned()
        .collect();
    with_hidden(root, &mut Vec::new(), &globals)
}

/// A command below which every command hides the flags that mean nothing to it: a
/// flag that is there already is not inherited.
fn with_hidden(mut command: clap::Command, path: &mut Vec<String>, globals: &[clap::Arg]) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        path.push(name.clone());
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let (hidden, _) = meaningless(&words);
        let own = globals.iter().map(|flag| {
            let id = flag.get_id().as_str();
            let own = flag.clone().hide(hidden.contains(&id));
            if id == "sets" { own.id(SETS_BEHIND) } else { own }
        });
        let own: Vec<clap::Arg> = own.collect();
        command = command.mut_subcommand(name, |sub| with_hidden(sub.args(own), path, globals));
        path.pop();
    }
    command
}

/// The command line that was read.
pub(super) fn parsed(matches: &ArgMatches) -> Result<Cli, clap::Error> {
    let mut cli = Cli::from_arg_matches(matches)?;
    for level in levels(matches) {
        let behind = level.try_get_many::<String>(SETS_BEHIND).ok().flatten();
        cli.global.sets.extend(behind.into_iter().flatten().cloned());
    }
    Ok(cli)
}

/// What was read of `lp`, of its command, and of what is below that.
fn levels(matches: &ArgMatches) -> impl Iterator<Item = &ArgMatches> {
    std::iter::successors(Some(matches), |level| level.subcommand().map(|(_, below)| below))
}

/// Why a line is refused that clap takes: a flag that means nothing to its command,
/// told as the command, the flag and the reason. A variable (`LP_PROFILE`) is set
/// for all commands and is no such flag.
pub(super) fn refusal(matches: &ArgMatches) -> Option<(String, String, &'static str)> {
    let command: Vec<&str> = levels(matches).filter_map(ArgMatches::subcommand_name).collect();
    let given = |id: &str| {
        levels(matches).any(|level| {
            let is_there = level.ids().any(|known| known == id);
            is_there && level.value_source(id) == Some(ValueSource::CommandLine)
        })
    };
    let (mut flags, mut why) = meaningless(&command);
    let mut words = command.join(" ");
    if command == ["check"] && given("explain") {
        (flags, why) = ([FILES, SETTINGS].concat(), "it explains a code and reads no config");
        words.push_str(" --explain");
    }
    let flag = flags.iter().find(|id| given(id) || (**id == "sets" && given(SETS_BEHIND)))?;
    let root = Cli::command();
    let long = root.get_arguments().find(|known| known.get_id() == *flag).and_then(|known| known.get_long());
    Some((format!("lp {words}"), format!("--{}", long.unwrap_or(flag)), why))
}

#[cfg(test)]
mod tests {
    use super::super::args::Command;
    use super::*;

    #[test]
    fn commands_and_flags_fit_together() {
        command().debug_assert();
    }

    #[test]
    fn flags_of_a_command_do_not_hide_those_of_all() {
        let line = ["lp", "--cameras", "c.json", "run", "camera-3", "-C", "x"];
        let cli = parsed(&command().get_matches_from(line)).unwrap();
        let Command::Run(run) = cli.command else { panic!("it is `run`") };
        assert_eq!(run.cameras, ["camera-3"]);
        assert_eq!(cli.global.cameras, Some("c.json".into()));
        assert_eq!(cli.global.directory, Some("x".into()));
    }

    #[test]
    fn what_is_set_before_and_behind_a_command_counts_in_that_order() {
        let line = ["lp", "--set", "a=1", "cache", "--set", "a=2", "gc", "--set", "a=3", "--set", "b=4"];
        let cli = parsed(&command().get_matches_from(line)).unwrap();
        assert_eq!(cli.global.sets, ["a=1", "a=2", "a=3", "b=4"]);
    }
}
