//! The global flags, and the commands on which they have an effect.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::args::{AddArgs, AddCommand, Cli, Command};
use super::help;

/// The flags of [`Global`](super::args::Global) that name the files of a project.
const FILES: [&str; 2] = ["camera_file", "workload_file"];

/// The flags of [`Global`](super::args::Global) that change values of `Lpfile.toml`.
const SETTINGS: [&str; 2] = ["profile", "sets"];

/// `--set` after the name of a command.
const SETS_AFTER: &str = "sets_after";

/// The flags of [`Global`](super::args::Global) without effect on a command, and the reason. Such a flag is
/// refused, because its user expects an effect.
fn without_effect(command: &[&str]) -> (Vec<&'static str>, &'static str) {
    let both = || [FILES, SETTINGS].concat();
    match command {
        ["init"] => (both(), "it always makes the same project"),
        ["import"] => (SETTINGS.to_vec(), "it reads two files and no `Lpfile.toml`"),
        ["completions" | "man"] => (both(), "it reads no project"),
        ["report"] => (both(), "it shows a record and reads no config"),
        ["cache", "show" | "clean"] => (both(), "it reads only the store"),
        ["assets", "gc"] => (both(), "it keeps what any profile of the project needs"),
        ["cache", "key"] => (Vec::new(), ""),
        ["cache", ..] => (FILES.to_vec(), "it works on the store of the whole project"),
        _ => (Vec::new(), ""),
    }
}

/// The command line; the help of a command lists only flags with an effect on it.
pub(super) fn command() -> clap::Command {
    let root = Cli::command();
    let globals: Vec<clap::Arg> = root
        .get_arguments()
        .filter(|flag| [FILES, SETTINGS].concat().contains(&flag.get_id().as_str()))
        .cloned()
        .collect();
    help::grouped(with_hidden(root, &mut Vec::new(), &globals))
}

/// A command with subcommands that hide the flags without effect on them. A flag
/// that a subcommand declares itself is not inherited.
fn with_hidden(mut command: clap::Command, path: &mut Vec<String>, globals: &[clap::Arg]) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        path.push(name.clone());
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let (hidden, _) = without_effect(&words);
        let own = globals.iter().map(|flag| {
            let id = flag.get_id().as_str();
            let own = flag.clone().hide(hidden.contains(&id));
            match (id, words.as_slice()) {
                ("sets", _) => own.id(SETS_AFTER),
                ("workload_file", ["import"]) => own
                    .action(clap::ArgAction::Append)
                    .help("Read workloads from this file; each further one becomes a profile"),
                // It is about a camera, whose workloads have this name in its file.
                ("workload_file", ["add", "camera"]) => own
                    .action(clap::ArgAction::Append)
                    .value_name("NAMES")
                    .help("Its workloads: `scan` or `scan,motion` [default: the only one of the project]"),
                _ => own,
            }
        });
        let own: Vec<clap::Arg> = own.collect();
        command = command.mut_subcommand(name, |sub| with_hidden(sub.args(own), path, globals));
        path.pop();
    }
    command
}

/// The parsed command line.
pub(super) fn parsed(matches: &ArgMatches) -> Result<Cli, clap::Error> {
    let mut cli = Cli::from_arg_matches(matches)?;
    for level in levels(matches) {
        let after = level.try_get_many::<String>(SETS_AFTER).ok().flatten();
        cli.global.sets.extend(after.into_iter().flatten().cloned());
        let files = level.try_get_many::<PathBuf>("workload_file").ok().flatten();
        match (&mut cli.command, files) {
            (Command::Import(import), Some(files)) => import.workloads = files.cloned().collect(),
            (Command::Add(AddArgs { command: AddCommand::Camera(camera) }), Some(files)) => {
                let names: Vec<String> = files.map(|names| names.to_string_lossy().into_owned()).collect();
                let names = names.iter().flat_map(|names| names.split(',')).map(str::trim);
                camera.workloads = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
                cli.global.workloads = None;
            }
            _ => {}
        }
    }
    Ok(cli)
}

/// The matches of `lp`, of its command, and of its subcommands.
fn levels(matches: &ArgMatches) -> impl Iterator<Item = &ArgMatches> {
    std::iter::successors(Some(matches), |level| level.subcommand().map(|(_, below)| below))
}

/// A flag without effect on its command, which clap accepts: the command, the flag
/// and the reason. A variable (`LP_PROFILE`) is set for all commands and is not such a
/// flag.
pub(super) fn refusal(matches: &ArgMatches) -> Option<(String, String, &'static str)> {
    let command: Vec<&str> = levels(matches).filter_map(ArgMatches::subcommand_name).collect();
    let given = |id: &str| {
        levels(matches).any(|level| {
            let is_there = level.ids().any(|known| known == id);
            is_there && level.value_source(id) == Some(ValueSource::CommandLine)
        })
    };
    let (mut flags, mut why) = without_effect(&command);
    let mut words = command.join(" ");
    if command == ["check"] && given("explain") {
        (flags, why) = ([FILES, SETTINGS].concat(), "it explains a code and reads no config");
        words.push_str(" --explain");
    }
    let flag = flags.iter().find(|id| given(id) || (**id == "sets" && given(SETS_AFTER)))?;
    let root = Cli::command();
    let long = root.get_arguments().find(|known| known.get_id() == *flag).and_then(|known| known.get_long());
    Some((format!("lp {words}"), format!("--{}", long.unwrap_or(flag)), why))
}

#[cfg(test)]
mod tests {
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
    fn workloads_of_a_new_camera_are_names() {
        let workloads = |line: &[&str]| {
            let cli = parsed(&command().get_matches_from(line)).unwrap();
            assert_eq!(cli.global.workloads, None);
            let Command::Add(AddArgs { command: AddCommand::Camera(camera) }) = cli.command else { panic!() };
            camera.workloads
        };
        let line = ["lp", "add", "camera", "--workloads", "a, b", "x.mp4", "--workloads", "c,"];
        assert_eq!(workloads(&line), ["a", "b", "c"]);
        assert_eq!(workloads(&["lp", "--workloads", "a,b", "add", "camera", "x.mp4"]), ["a", "b"]);
        assert!(workloads(&["lp", "add", "camera", "x.mp4"]).is_empty());
    }

    #[test]
    fn sets_before_and_after_a_command_apply_in_that_order() {
        let line = ["lp", "--set", "a=1", "cache", "--set", "a=2", "gc", "--set", "a=3", "--set", "b=4"];
        let cli = parsed(&command().get_matches_from(line)).unwrap();
        assert_eq!(cli.global.sets, ["a=1", "a=2", "a=3", "b=4"]);
    }
}
