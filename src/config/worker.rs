//! `[worker]`: how workers are started.

use super::reader::{At, KeyNames, Reader, by, table};
use super::shape::UnknownKeys;
use super::tasks::command_line;
use super::tree::{Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{ContainerCommand, WorkerCommand};

const ENGINES: [&str; 2] = ["podman", "docker"];

/// Options of `run` without a value, in podman 4 and 5 and Docker: those without a
/// type in `podman run --help` and `docker run --help`.
const WITHOUT_VALUE: [&str; 27] = [
    "--detach",
    "--disable-content-trust",
    "--env-host",
    "--help",
    "--http-proxy",
    "--init",
    "--interactive",
    "--no-healthcheck",
    "--no-hostname",
    "--no-hosts",
    "--oom-kill-disable",
    "--passwd",
    "--privileged",
    "--publish-all",
    "--quiet",
    "--read-only",
    "--read-only-tmpfs",
    "--replace",
    "--rm",
    "--rmi",
    "--rootfs",
    "--sig-proxy",
    "--tls-verify",
    "--tty",
    "--unsetenv-all",
    "--use-api-socket",
    "--version",
];

/// The same, of one letter.
const LETTERS_WITHOUT_VALUE: [char; 5] = ['P', 'd', 'i', 'q', 't'];

/// The options that `lp` itself sets, and the reason.
const REFUSED: [(&[&str], &str); 4] = [
    (&["--detach", "-d"], "`lp` talks to the container, so it cannot be detached"),
    (&["--name", "--replace"], "several workers run at once, so `lp` names them"),
    (&["--restart"], "a worker that died must not come back by itself"),
    (&["--tty", "-t"], "a terminal would change the messages between `lp` and the worker"),
];

/// The table `[worker]`.
pub(super) fn worker() -> impl Reader<Value = Option<WorkerCommand>> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let command = "The command that starts a worker: program and arguments, or `podman run -i ... IMAGE`";
        Some(table.optional("command", command, command_of_worker(), diagnostics))
    })
}

fn command_of_worker() -> impl Reader<Value = WorkerCommand> + Copy {
    by(
        || command_line().shape(),
        |at, diagnostics| {
            let words = command_line().read(at, diagnostics)?;
            let Some(run) = position_of_run(&words) else {
                return Some(WorkerCommand { words, container: None });
            };
            let n_faults = diagnostics.len();
            let container = container(&words, run, at, diagnostics);
            (diagnostics.len() == n_faults).then_some(WorkerCommand { words, container })
        },
    )
}

/// The position of an engine's `run`. `sudo` and the engine's own options may precede
/// it.
fn position_of_run(words: &[String]) -> Option<usize> {
    let engine = words.iter().position(|word| ENGINES.contains(&file_name(word)))?;
    let run = engine + words[engine..].iter().position(|word| word == "run")?;
    Some(run)
}

fn file_name(word: &str) -> &str {
    word.rsplit_once('/').map_or(word, |(_, name)| name)
}

/// Reads the words after `run`, and refuses options that cannot work.
fn container(
    words: &[String],
    run: usize,
    at: &At<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ContainerCommand> {
    let engine = words[..run].iter().rev().map(|word| file_name(word)).find(|word| ENGINES.contains(word));
    let mut options: Vec<(String, usize)> = Vec::new();
    let mut index = run + 1;
    while let Some(word) = words.get(index).filter(|word| word.len() > 1 && word.starts_with('-')) {
        let found_at = index;
        index += 1;
        if word == "--" {
            break;
        }
        let takes_next = if word.starts_with("--") {
            let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
            options.push((name.to_owned(), found_at));
            name == word && !WITHOUT_VALUE.contains(&name)
        } else {
            letters(word, &mut |letter| options.push((format!("-{letter}"), found_at)))
        };
        index += usize::from(takes_next);
    }
    let place_of = |index: usize| match &at.node.value {
        Value::List(items) => items.get(index).map_or(at.node.place, |item: &Node| item.place),
        _ => at.node.place,
    };
    let fault = |message: String, place: Place| Diagnostic::error(codes::BAD_WORKER, message).at(place);
    for (name, index) in &options {
        if let Some((_, why)) = REFUSED.iter().find(|(names, _)| names.contains(&name.as_str())) {
            let message = format!("`{name}` cannot be an option in `{}`", at.name);
            diagnostics.push(fault(message, place_of(*index)).label(*why));
        }
    }
    if words.get(index).is_none_or(|image| image.trim().is_empty()) {
        let message = format!("`{}` does not name an image", at.name);
        let help = "expected `podman run -i OPTION... IMAGE`; an option whose value is missing takes the image for it";
        diagnostics.push(fault(message, place_of(run)).help(help));
        return None;
    }
    let container = ContainerCommand {
        engine: engine.unwrap_or_default().to_owned(),
        run,
        image: index,
        options: options.into_iter().map(|(name, _)| name).collect(),
        mentions_new_privileges: words[run..index].iter().any(|word| word.contains("no-new-privileges")),
    };
    if !container.has(&["-i", "--interactive"]) {
        let message = format!("`{}` does not connect the worker's stdin", at.name);
        diagnostics.push(fault(message, place_of(run)).help("write \"-i\" after \"run\""));
    }
    Some(container)
}

/// The options of a word such as `-it` or `-eA=b`; whether the last takes the
/// next word as its value.
fn letters(word: &str, found: &mut dyn FnMut(char)) -> bool {
    let mut letters = word[1..].chars();
    while let Some(letter) = letters.next() {
        found(letter);
        if letters.as_str().starts_with('=') {
            return false;
        }
        if !LETTERS_WITHOUT_VALUE.contains(&letter) {
            return letters.as_str().is_empty();
        }
    }
    false
}
