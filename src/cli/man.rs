//! `lp man`: the manual pages of all commands, made from their help.

use std::path::Path;

use anyhow::Context;
use clap_mangen::Man;

use super::args::{Global, ManArgs};
use super::{Exit, console, flags};
use crate::name::did_you_mean;
use crate::os;
use crate::path::for_shell;
use crate::text::counted;
use crate::workspace::error::{CommandError, Result};

pub(super) fn run(global: &Global, args: &ManArgs) -> Result<Exit> {
    // `lane` is a second name of `lp`, with pages of its own.
    let name = if os::env::program().is_some_and(|name| name == "lane") { "lane" } else { "lp" };
    let mut command = flags::command().name(name).disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.folder else {
        console::out(&page(find(&command, &args.path)?)?);
        return Ok(Exit::Done);
    };
    let folder = super::project::directory(global)?.join(folder);
    let n_pages = write(&command, &folder)?;
    console::note(&format!("wrote {} to {}", counted(n_pages, "page"), folder.display()));
    Ok(Exit::Done)
}

/// The command of a path such as `cache gc`.
fn find<'a>(command: &'a clap::Command, path: &[String]) -> Result<&'a clap::Command> {
    let Some((name, rest)) = path.split_first() else { return Ok(command) };
    let known = command.get_subcommands().filter(|below| !below.is_hide_set());
    let Some(below) = command.find_subcommand(name).filter(|below| !below.is_hide_set()) else {
        let refused = CommandError::refused(format!(
            "`{}` has no command `{}`",
            command.get_bin_name().unwrap_or("lp"),
            name.escape_debug()
        ));
        return Err(match did_you_mean(name, known.map(clap::Command::get_name)) {
            Some(meant) => refused.hint(format!("did you mean `{meant}`?")),
            None => refused.hint(format!("`lp man -o {}` writes the pages of all", for_shell(name))),
        });
    };
    find(below, rest)
}

/// Writes the pages of a command and of all its subcommands.
fn write(command: &clap::Command, folder: &Path) -> Result<usize> {
    let path = folder.join(Man::new(command.clone()).get_filename());
    os::fs::create_parent(&path).context("failed to write the manual pages")?;
    os::fs::write_atomic(&path, page(command)?.as_bytes()).context("failed to write the manual pages")?;
    let mut n_pages = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        n_pages += write(below, folder)?;
    }
    Ok(n_pages)
}

fn page(command: &clap::Command) -> Result<String> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("lp Manual").source(concat!("lp ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).context("failed to make a manual page")?;
    Ok(String::from_utf8(page).context("a manual page is text")?)
}
