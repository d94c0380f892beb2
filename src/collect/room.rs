//! Room for more on the machine: memory, threads and open files. Not sampled, but asked for.

use std::path::Path;

use super::cgroup::left::{self, Left};
use super::machine::kibibytes;
use crate::os::{env, proc, process};

/// Memory in bytes that the kernel can give without swapping (`MemAvailable`), as far as the
/// control groups let this process have it. `None` if nothing is known.
#[must_use]
pub fn memory(root: &Path) -> Option<Left> {
    let meminfo = proc::read(&root.join("proc/meminfo")).unwrap_or_default();
    let bytes = |name: &str| kibibytes(&meminfo, name).map(|kib| kib.saturating_mul(1024));
    let machine = bytes("MemTotal").zip(bytes("MemAvailable")).map(|(total, left)| Left { total, left });
    Left::least(machine, left::memory(root))
}

/// Threads that the control groups and the limit of this user let this process and its children
/// start; `None` without a limit.
#[must_use]
pub fn threads(root: &Path) -> Option<Left> {
    let of_user = process::most_threads().map(|total| {
        let used = threads_of_user(root, env::user_and_group().0);
        Left { total, left: total.saturating_sub(used) }
    });
    Left::least(left::threads(root), of_user)
}

/// The threads of all processes of a user.
fn threads_of_user(root: &Path, user: u32) -> u64 {
    let threads = |pid: String| {
        let status = proc::read(&root.join("proc").join(pid).join("status")).ok()?;
        let first = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        first("Threads:").filter(|_| first("Uid:") == Some(u64::from(user)))
    };
    proc::numbered(&root.join("proc"), "").into_iter().filter_map(threads).sum()
}

/// How many threads a process has.
#[must_use]
pub fn threads_of(root: &Path, pid: u32) -> Option<u64> {
    proc::names(&root.join(format!("proc/{pid}/task"))).ok().map(|names| names.len() as u64)
}

/// The files that a process has open, and may still open if it has the limit of this one;
/// `None` if it cannot be seen.
#[must_use]
pub fn files_of(root: &Path, pid: u32) -> Option<Left> {
    let total = process::most_open_files()?;
    let open = proc::names(&root.join(format!("proc/{pid}/fd"))).ok()?.len() as u64;
    Some(Left { total, left: total.saturating_sub(open) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Tree;
    use super::*;

    #[test]
    fn the_machine_has_as_much_memory_as_is_available() {
        let tree = Tree::of(&[("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")]);
        assert_eq!(memory(tree.root()), Some(Left { total: 1_024_000, left: 409_600 }));
        assert_eq!(memory(Path::new("/nonexistent")), None);
    }

    #[test]
    fn threads_are_those_of_all_processes_of_a_user() {
        let tree = Tree::of(&[
            ("proc/7/status", "Name: a\nUid:\t1000\t1000\t1000\t1000\nThreads:\t3\n"),
            ("proc/8/status", "Name: b\nUid:\t1001\t1000\t1000\t1000\nThreads:\t5\n"),
            ("proc/19/status", "Name: c\nUid:\t1000\t0\t0\t0\nThreads:\t11\n"),
            ("proc/self/status", "Name: a\nUid:\t1000\t1000\t1000\t1000\nThreads:\t3\n"),
            ("proc/20/comm", "gone\n"),
        ]);
        assert_eq!(threads_of_user(tree.root(), 1000), 14);
    }

    #[test]
    fn a_process_has_files_and_threads() {
        let (root, pid) = (Path::new("/"), std::process::id());
        assert!(threads_of(root, pid).unwrap() >= 1);
        let files = files_of(root, pid).unwrap();
        assert!(files.left < files.total);
    }
}
