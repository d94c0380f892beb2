//! The state of a folder in git, asked of the user's own `git`.
//!
//! Nothing is written, not even the index, and no hook and no monitor of the repository
//! is started. Variables that name a repository, which a hook of git sets, are not passed on: the
//! folder alone decides which one it is in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::process::{Cancel, Command, CommandEnd, CommandEvent, Exit, listen_to_command};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of a command's output is read, from its begin.
const MOST: usize = 1 << 20;

/// The variables that `git rev-parse --local-env-vars` prints.
const OF_A_REPOSITORY: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

/// The commit of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// All its hex digits.
    pub id: String,
    /// Whether a file below the folder differs from it, or one of the named files is
    /// not in git.
    pub changed: bool,
}

/// The commit that is checked out at `folder`. `files` are its most important files,
/// relative to it: if git tracks none of them, the repository around is not theirs.
///
/// # Errors
/// The reason why there is none, without paths.
pub fn commit(folder: &Path, files: &[&str], cancel: &Cancel) -> Result<Commit, String> {
    let status = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"];
    let more = ["--ignore-submodules=dirty", "--", "."];
    let status = git(folder, status.iter().chain(&more).copied(), cancel)?;
    let id = status.lines().find_map(|line| line.strip_prefix("# branch.oid "));
    let id = id.ok_or("git has no commit here")?.to_owned();
    if id == "(initial)" {
        return Err("the git repository has no commit yet".to_owned());
    }
    // Changed, renamed and unmerged files.
    let differs = |line: &str| ["1 ", "2 ", "u "].iter().any(|kind| line.starts_with(kind));
    let changed = status.lines().any(differs);
    if files.is_empty() {
        return Ok(Commit { id, changed });
    }
    let listed = git(folder, ["ls-files", "-z", "--"].into_iter().chain(files.iter().copied()), cancel)?;
    let tracked = listed.split('\0').filter(|path| files.contains(path)).count();
    if tracked == 0 {
        return Err("the git repository around it does not have its config files".to_owned());
    }
    Ok(Commit { id, changed: changed || tracked < files.len() })
}

/// The commit that a revision names: a branch, a tag, the begin of an id.
///
/// # Errors
/// Why there is none, without paths.
pub fn revision(folder: &Path, word: &str, cancel: &Cancel) -> Result<String, String> {
    let of_commit = format!("{word}^{{commit}}");
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &of_commit];
    let id = git(folder, words.into_iter(), cancel)?;
    let id = id.trim();
    let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit());
    if is_id { Ok(id.to_owned()) } else { Err("git has no such commit".to_owned()) }
}

/// The commit that a revision names, and those before it on its own branch, the newest first: at least one, at most
/// `most`.
///
/// # Errors
/// Why there is none, without paths.
pub fn ancestors(folder: &Path, word: &str, most: usize, cancel: &Cancel) -> Result<Vec<String>, String> {
    let id = revision(folder, word, cancel)?;
    let count = format!("--max-count={most}");
    let words = ["rev-list", "--first-parent", &count, &id, "--"];
    let listed = git(folder, words.into_iter(), cancel)?;
    let ids: Vec<String> = listed.lines().map(|line| line.trim().to_owned()).collect();
    if ids.is_empty() { Ok(vec![id]) } else { Ok(ids) }
}

/// The output of a command of git in `folder`.
fn git<'a>(
    folder: &Path,
    arguments: impl Iterator<Item = &'a str>,
    cancel: &Cancel,
) -> Result<String, String> {
    let quiet = ["--no-optional-locks", "--literal-pathspecs"];
    let settings = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
    let words = std::iter::once("git").chain(quiet).chain(settings).chain(arguments);
    let argv: Vec<OsString> = words.map(OsString::from).collect();
    let mut output = Vec::new();
    let mut read = |event: CommandEvent<'_>| {
        if let CommandEvent::Piece(piece) = event {
            output.extend_from_slice(&piece[..piece.len().min(MOST.saturating_sub(output.len()))]);
        }
    };
    let command = Command {
        argv: &argv,
        dir: folder,
        env: &environment(),
        log_limit: 0,
        timeout: Some(LIMIT),
        grace: Duration::from_secs(1),
    };
    let (end, _) = listen_to_command(&command, cancel, &mut read).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "git is not installed".to_owned(),
        _ => format!("git cannot be started: {error}"),
    })?;
    let output = String::from_utf8_lossy(&output).into_owned();
    match end {
        CommandEnd::Exited(Exit::Code(0)) => Ok(output),
        CommandEnd::Exited(exit) => Err(refusal(&output, &exit)),
        CommandEnd::TimedOut => Err(format!("git took longer than {} s", LIMIT.as_secs())),
        CommandEnd::Cancelled => Err("interrupted".to_owned()),
    }
}

/// The reason in the output of a command that failed. Its own texts have absolute paths.
fn refusal(output: &str, exit: &Exit) -> String {
    if output.contains("fatal: not a git repository (") {
        "not in a git repository".to_owned()
    } else if output.contains("fatal: not a git repository: ") {
        "the git repository that its `.git` names is not there".to_owned()
    } else if output.contains("dubious ownership") {
        "the git repository belongs to another user; `git config --global --add safe.directory` allows it"
            .to_owned()
    } else if output.contains("must be run in a work tree") {
        "in a git repository without a work tree".to_owned()
    } else {
        format!("git {exit}")
    }
}

/// The caller's variables, for messages in English.
fn environment() -> BTreeMap<OsString, OsString> {
    let is_of_a_repository = |name: &OsString| OF_A_REPOSITORY.iter().any(|one| OsStr::new(one) == name);
    let mut variables = super::env::all_raw();
    variables.retain(|name, _| !is_of_a_repository(name));
    variables.extend([("LC_ALL".into(), "C".into())]);
    variables
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(output: &str, expect: Expect) {
        expect.assert_eq(&refusal(output, &Exit::Code(128)));
    }

    #[test]
    fn the_reason_of_a_refusal_has_no_paths() {
        check(
            "fatal: not a git repository (or any of the parent directories): .git\n",
            expect!["not in a git repository"],
        );
        check(
            "fatal: detected dubious ownership in repository at '/srv/shop'\nTo add an exception ...\n",
            expect![
                "the git repository belongs to another user; `git config --global --add safe.directory` allows it"
            ],
        );
        check(
            "fatal: this operation must be run in a work tree\n",
            expect!["in a git repository without a work tree"],
        );
        check(
            "fatal: not a git repository: /srv/shop/.git/worktrees/x\n",
            expect!["the git repository that its `.git` names is not there"],
        );
        check(
            "fatal: bad config line 1 in file /srv/shop/.git/config\n",
            expect!["git exited with status 128"],
        );
    }
}
