//! Every write fails once: `LP_FAILPOINT=fs:N`, for all N that a build comes to.

use std::fs;
use std::path::PathBuf;

use crate::case::{Case, check_hit};
use crate::tree;

const REASONS: [&str; 2] = ["No space left on device", "Input/output error"];

/// One case fails every `stride`th write of a first build, and of later builds.
pub(crate) fn run(case: &mut Case, is_full: bool) -> Result<(), String> {
    let stride = if is_full { 1 } else { 12 };
    let first = 1 + case.random.below(stride);
    let clean = case.clean()?;
    let n_writes = count(case)?;
    for n in (first..=n_writes).step_by(stride) {
        tree::remove(&case.root);
        fs::create_dir(&case.root).unwrap();
        case.project.write(&case.root);
        case.story.clear();
        fail(case, n)?;
        case.check(&clean)?;
    }
    // A later build has less to do, and each another thing: go on as long as
    // its writes are hit.
    let (mut n, mut n_missed) = (case.random.between(1, stride), 0);
    while n_missed < 3 {
        case.story.clear();
        case.change();
        let clean = case.clean()?;
        n_missed = if fail(case, n)? { 0 } else { n_missed + 1 };
        case.check(&clean)?;
        n += stride;
    }
    Ok(())
}

fn trace(case: &Case) -> PathBuf {
    case.root.with_file_name("trace")
}

/// How many writes a first build does. Leaves it done.
fn count(case: &mut Case) -> Result<usize, String> {
    let trace = trace(case);
    let _ = fs::remove_file(&trace);
    let environment = [("LP_FAILPOINT_TRACE", trace.to_str().unwrap().to_owned())];
    case.start_with(&["build", "--keep-going", "-j1"], &environment).wait()?;
    let n = fs::read_to_string(&trace).unwrap_or_default().lines().count();
    if n < 10 { Err(format!("a build that writes only {n} times")) } else { Ok(n) }
}

/// Builds with the `n`th write failing. Whether it came to that.
fn fail(case: &mut Case, n: usize) -> Result<bool, String> {
    let from_then_on = if case.random.percent(30) { "+" } else { "" };
    let errno = if case.random.percent(50) { ":EIO" } else { "" };
    let point = format!("fs:{n}{from_then_on}{errno}");
    let trace = trace(case);
    let _ = fs::remove_file(&trace);
    let environment =
        [("LP_FAILPOINT", point.clone()), ("LP_FAILPOINT_TRACE", trace.to_str().unwrap().to_owned())];
    let ended = case.start_with(&["build", "--keep-going", "-j1"], &environment).wait()?;
    let lines = fs::read_to_string(&trace).unwrap_or_default();
    let Some(hit) = lines.lines().nth(n - 1) else {
        case.tell(format!("{point} was not reached"));
        return Ok(false);
    };
    case.tell(format!("{point} was `{hit}`; it ended with {:?} and said:\n{}", ended.code, ended.stderr));
    case.count("writes");
    // A task that is to fail gives a reason of its own.
    let failing = case.project.expected().failed.first().map(|_| "exit status 3");
    let reasons: Vec<&str> = REASONS.into_iter().chain(failing).collect();
    check_hit(&ended, &reasons)?;
    if ended.code == Some(0) {
        case.count("harmless");
    }
    Ok(true)
}
