//! Room for more on the machine: memory, threads and open files. Not sampled, but asked for.

use std::path::Path;

use super::cgroup::left::{self, Left};
use super::machine::kibibytes;
use crate::os::{proc, process};

/// Memory in bytes that the kernel can give without swapping (`MemAvailable`), as far as the
/// control groups let this process have it. `None` if nothing is known.
#[must_use]
pub fn memory(root: &Path) -> Option<Left> {
    let meminfo = proc::read(&root.join("proc/meminfo")).unwrap_or_default();
    let bytes = |name: &str| kibibytes(&meminfo, name).map(|kib| kib.saturating_mul(1024));
    let machine = bytes("MemTotal").zip(bytes("MemAvailable")).map(|(total, left)| Left { total, left });
    Left::least(machine, left::memory(root))
}

/// Threads that the control groups let this process and its children start; `None` without a
/// limit.
#[must_use]
pub fn threads(root: &Path) -> Option<Left> {
    left::threads(root)
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
    fn a_process_has_files_and_threads() {
        let (root, pid) = (Path::new("/"), std::process::id());
        assert!(threads_of(root, pid).unwrap() >= 1);
        let files = files_of(root, pid).unwrap();
        assert!(files.left < files.total);
    }
}
