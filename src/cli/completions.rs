//! `lp completions`: a script that lets a shell complete commands and flags.

use clap_complete::Shell;

use super::args::CompletionsArgs;
use super::{Exit, console, flags};
use crate::os;
use crate::workspace::error::Result;

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    // `lane` is a second name of `lp`, and each completes itself.
    let name = os::env::program().filter(|name| name == "lane").unwrap_or_else(|| "lp".to_owned());
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut flags::command(), &name, &mut script);
    console::out(&String::from_utf8_lossy(&script));
    console::note_to_people(&advice(args.shell, &name));
    Ok(Exit::Done)
}

/// Where the script belongs.
fn advice(shell: Shell, name: &str) -> String {
    let redirect = |path: &str| format!("to install it: {name} completions {shell} > {path}");
    match shell {
        Shell::Bash => redirect(&format!("~/.local/share/bash-completion/completions/{name}")),
        Shell::Zsh => redirect(&format!("~/.zfunc/_{name}, with `fpath+=~/.zfunc` before `compinit`")),
        Shell::Fish => redirect(&format!("~/.config/fish/completions/{name}.fish")),
        Shell::PowerShell => format!("to install it: {name} completions powershell >> $PROFILE"),
        _ => format!("to install it: {name} completions {shell} >> ~/.config/elvish/rc.elv"),
    }
}
