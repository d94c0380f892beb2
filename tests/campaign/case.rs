//! One project that suffers, the clean builds that it is compared with, and what
//! must hold after every fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::project::{Expected, Project};
use crate::random::Random;
use crate::running::{Ended, Running, alive_below};
use crate::tree::{self, Tree};

/// What was done so often in a case.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

pub(crate) const BUILD: [&str; 2] = ["build", "--keep-going"];

/// A project in `p` of a folder, and a clean one in `clean/p`.
pub(crate) struct Case {
    folder: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) project: Project,
    pub(crate) random: Random,
    pub(crate) tally: Tally,
    /// What was done, for whoever looks for the fault.
    pub(crate) story: Vec<String>,
}

/// A build of the same sources by an `lp` that knows nothing.
pub(crate) struct Clean {
    pub(crate) took: Duration,
    tree: Tree,
}

/// What a build said that it did.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) started: BTreeSet<String>,
    pub(crate) restored: BTreeSet<String>,
    n_ran: usize,
    n_restored: usize,
    n_failed: usize,
    n_skipped: usize,
    n_fresh: usize,
    interrupted: bool,
}

impl Case {
    /// A project of `n_tasks` tasks in the folder `root` of `folder`.
    pub(crate) fn new(mut random: Random, folder: &Path, root: &str, n_tasks: usize) -> Case {
        let project = Project::generate(&mut random, n_tasks);
        let root = folder.join(root);
        fs::create_dir_all(&root).unwrap();
        let _ = fs::remove_file(root.with_file_name("ran"));
        project.write(&root);
        let folder = folder.to_path_buf();
        Case { folder, root, project, random, tally: Tally::new(), story: Vec::new() }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn tell(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    /// Changes the project at random.
    pub(crate) fn change(&mut self) {
        let did = self.project.change(&mut self.random, &self.root);
        self.tell(did);
    }

    pub(crate) fn start(&self, environment: &[(&str, String)]) -> Running {
        self.start_with(&BUILD, environment)
    }

    pub(crate) fn start_with(&self, arguments: &[&str], environment: &[(&str, String)]) -> Running {
        Running::start(&self.root, self.project.passed, arguments, environment)
    }

    /// Empties the file in which tasks tell that they run.
    pub(crate) fn forget_ran(&self) {
        fs::write(ran_file(&self.root), "").unwrap();
    }

    /// The tasks that have run since [`Case::forget_ran`], whoever ran them.
    pub(crate) fn ran(&self) -> Vec<String> {
        ran(&self.root, None)
    }

    /// Builds the same sources where nothing was built before.
    pub(crate) fn clean(&self) -> Result<Clean, String> {
        let folder = self.folder.join("clean");
        tree::remove(&folder);
        let root = folder.join("p");
        fs::create_dir_all(&root).unwrap();
        self.project.write(&root);
        let ended = Running::start(&root, self.project.passed, &BUILD, &[]).wait()?;
        let expected = self.project.expected();
        let account =
            account_of(&ended, &root, &expected).map_err(|why| format!("the clean build: {why}"))?;
        let n_wanted = expected.n_tasks - expected.skipped.len();
        if account.started.len() != n_wanted {
            return Err(format!("the clean build did not run {n_wanted} tasks:\n{}", ended.stderr));
        }
        Ok(Clean { took: ended.took, tree: tree::read(&root) })
    }

    /// What must hold after a fault: one build makes everything right and says
    /// what it does, the next has nothing to do, and nothing is left behind.
    pub(crate) fn check(&mut self, clean: &Clean) -> Result<(), String> {
        self.forget_ran();
        let ended = self.start(&[]).wait()?;
        self.check_build(&ended, clean)?;
        self.check_steady(clean)
    }

    /// As [`Case::check`], of a build that has just ended and was not disturbed.
    pub(crate) fn check_build(&mut self, ended: &Ended, clean: &Clean) -> Result<(), String> {
        let expected = self.project.expected();
        let said = format!("the build after it said:\n{}", ended.stderr);
        self.story.push(said);
        let account = account_of(ended, &self.root, &expected)?;
        self.compare(clean)?;
        let alive = alive_below(&self.folder);
        if !alive.is_empty() {
            return Err(format!("processes are left: {}", alive.join(", ")));
        }
        self.check_leftovers(&account)
    }

    fn compare(&self, clean: &Clean) -> Result<(), String> {
        let expected = self.project.expected();
        let is_left_alone = |path: &str| self.project.is_left_alone(path, &expected);
        let differences = tree::differences(&clean.tree, &tree::read(&self.root), &is_left_alone);
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("it differs from a clean build:\n  {}", differences.join("\n  ")))
    }

    fn check_leftovers(&self, account: &Account) -> Result<(), String> {
        let is_temporary = |path: &str| path.split('/').any(|name| name.starts_with(".lp-"));
        let mut left: Vec<String> =
            tree::read(&self.root).into_keys().filter(|path| is_temporary(path)).collect();
        // A build with nothing to do takes no lock, and leaves the store alone.
        if !account.started.is_empty() || !account.restored.is_empty() {
            left.extend(self.leftovers_of_store(&is_temporary));
        }
        if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
    }

    fn leftovers_of_store(&self, is_temporary: &dyn Fn(&str) -> bool) -> Vec<String> {
        let cache = self.root.join(".lpcache");
        let mut left: Vec<String> = match fs::read_dir(cache.join("tmp")) {
            Ok(entries) => entries
                .flatten()
                .map(|entry| format!("tmp/{}", entry.file_name().to_string_lossy()))
                .collect(),
            Err(_) => Vec::new(),
        };
        left.extend(tree::files(&cache).into_iter().filter(|path| is_temporary(path)));
        left
    }

    /// That one more build has nothing to do but what is never fresh.
    pub(crate) fn check_steady(&mut self, clean: &Clean) -> Result<(), String> {
        let expected = self.project.expected();
        self.forget_ran();
        let ended = self.start(&[]).wait()?;
        let account = account_of(&ended, &self.root, &expected)?;
        let wanted: BTreeSet<String> = expected.always.union(&expected.failed).cloned().collect();
        if account.started != wanted || !account.restored.is_empty() {
            return Err(format!("a further build was to run {wanted:?} only:\n{}", ended.stderr));
        }
        if wanted.is_empty() && expected.skipped.is_empty() && !ended.stderr.starts_with("nothing to do: ") {
            return Err(format!("a further build did not say `nothing to do`:\n{}", ended.stderr));
        }
        self.compare(clean)
    }
}

fn ran_file(root: &Path) -> PathBuf {
    root.with_file_name("ran")
}

/// The tasks that told that they run, those of one `lp` or of all.
fn ran(root: &Path, pid: Option<u32>) -> Vec<String> {
    let text = fs::read_to_string(ran_file(root)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let of_pid = |parent: &str| pid.is_none_or(|pid| parent == pid.to_string());
    lines.filter(|(_, parent)| of_pid(parent)).map(|(name, _)| name.to_owned()).collect()
}

/// What an undisturbed build said, checked against what it did.
pub(crate) fn account_of(ended: &Ended, root: &Path, expected: &Expected) -> Result<Account, String> {
    let account = explained(ended, root)?;
    let wrong = |what: &str| Err(format!("{what}:\n{}", ended.stderr));
    let code = if expected.failed.is_empty() { 0 } else { 1 };
    if ended.code != Some(code) {
        return Err(format!("exit code {:?} instead of {code}:\n{}", ended.code, ended.stderr));
    }
    if account.n_failed != expected.failed.len() || account.n_skipped != expected.skipped.len() {
        return wrong("other tasks failed than were to fail");
    }
    let Account { n_ran, n_restored, n_failed, n_skipped, n_fresh, .. } = account;
    if n_ran + n_restored + n_failed + n_skipped + n_fresh != expected.n_tasks || account.interrupted {
        return wrong("the summary does not add up");
    }
    Ok(account)
}

/// What a build said, whether or not it went well: everything that ran has a
/// line with a reason, and the last line counts them.
fn explained(ended: &Ended, root: &Path) -> Result<Account, String> {
    let wrong = |what: String| Err(format!("{what}:\n{}", ended.stderr));
    let mut account = Account::default();
    for line in ended.stderr.lines() {
        if let Some((name, reason)) = line.strip_prefix("task:").and_then(|line| line.split_once(' ')) {
            let reason = reason.trim();
            let is_new = if reason.starts_with("restored: ") {
                account.restored.insert(name.to_owned())
            } else {
                account.started.insert(name.to_owned())
            };
            if reason.is_empty() || !is_new {
                return wrong(format!("`{name}` has no reason, or two"));
            }
        }
    }
    let ran = ran(root, Some(ended.pid));
    let ran_once: BTreeSet<String> = ran.iter().cloned().collect();
    if ran_once != account.started || ran.len() != ran_once.len() {
        return wrong(format!("these tasks ran: {ran:?}, but it said {:?}", account.started));
    }
    let summary = ended.stderr.lines().last().unwrap_or_default();
    for part in summary.strip_prefix("nothing to do: ").unwrap_or(summary).split(", ") {
        if part == "interrupted" {
            account.interrupted = true;
            continue;
        }
        let Some(Ok(n)) = part.split(' ').next().map(str::parse::<usize>) else {
            return wrong("the last line is no summary".to_owned());
        };
        match part.rsplit(' ').next() {
            Some("ran") => account.n_ran = n,
            Some("restored") => account.n_restored = n,
            Some("failed") => account.n_failed = n,
            Some("started") => account.n_skipped = n,
            Some("fresh") => account.n_fresh = n,
            _ => return wrong("the last line is no summary".to_owned()),
        }
    }
    let fits = account.interrupted || account.started.len() == account.n_ran + account.n_failed;
    if !fits || account.restored.len() != account.n_restored {
        return wrong("the summary counts other tasks than were told".to_owned());
    }
    Ok(account)
}

/// That a build that a fault has hit ended as it should: done, or with a clear
/// error, never as a bug.
pub(crate) fn check_hit(ended: &Ended, reasons: &[&str]) -> Result<(), String> {
    if ended.stderr.contains("panicked") || ended.stderr.contains("this is a bug") {
        return Err(format!("it panicked:\n{}", ended.stderr));
    }
    match ended.code {
        Some(0) => Ok(()),
        Some(1) if reasons.iter().any(|reason| ended.stderr.contains(reason)) => Ok(()),
        Some(1) => Err(format!("it failed without any of {reasons:?}:\n{}", ended.stderr)),
        code => Err(format!("exit code {code:?}:\n{}", ended.stderr)),
    }
}
