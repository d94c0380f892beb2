//! How much this process's control groups leave: memory, and processes with their threads.
//!
//! File caches that the kernel would give up first (`inactive_file`) are left.

use std::path::Path;

use super::{below, folders, text};

/// An amount and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub total: u64,
    pub left: u64,
}

impl Left {
    /// The one of which less is left.
    #[must_use]
    pub fn least(one: Option<Left>, other: Option<Left>) -> Option<Left> {
        one.into_iter().chain(other).min_by_key(|left| left.left)
    }
}

/// Bytes; `None` without a limit.
#[must_use]
pub fn memory(root: &Path) -> Option<Left> {
    least(root, "memory", |folder| {
        let (total, used) =
            number(folder, "memory.max").zip(number(folder, "memory.current")).or_else(|| {
                number(folder, "memory.limit_in_bytes").zip(number(folder, "memory.usage_in_bytes"))
            })?;
        let stat = text(&folder.join("memory.stat")).ok().flatten().unwrap_or_default();
        let cached = ["total_inactive_file ", "inactive_file "].iter().find_map(|name| {
            stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        });
        let used = used.saturating_sub(cached.unwrap_or(0));
        Some(Left { total, left: total.saturating_sub(used) })
    })
}

/// Threads, which count like processes; `None` without a limit.
#[must_use]
pub fn threads(root: &Path) -> Option<Left> {
    least(root, "pids", |folder| {
        let (total, used) = number(folder, "pids.max").zip(number(folder, "pids.current"))?;
        Some(Left { total, left: total.saturating_sub(used) })
    })
}

/// The group on the way up that leaves least.
fn least(root: &Path, controller: &str, left: impl Fn(&Path) -> Option<Left>) -> Option<Left> {
    let read = |path: &str| text(&root.join(path)).ok().flatten();
    let (mounts, groups) = (read("proc/self/mountinfo")?, read("proc/self/cgroup")?);
    let groups = folders(&mounts, &groups, controller);
    groups.iter().filter_map(|folder| left(&below(root, folder))).min_by_key(|left| left.left)
}

/// A limit that is set, or a usage.
fn number(folder: &Path, name: &str) -> Option<u64> {
    text(&folder.join(name)).ok().flatten()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Tree;
    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    #[test]
    fn the_group_that_leaves_least_counts_and_caches_are_left() {
        let tree = Tree::of(&[
            ("proc/self/mountinfo", UNIFIED),
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ("sys/fs/cgroup/a/memory.current", "900\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 300\ninactive_file 500\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "800\n"),
            ("sys/fs/cgroup/a/b/pids.max", "100\n"),
            ("sys/fs/cgroup/a/b/pids.current", "30\n"),
        ]);
        assert_eq!(memory(tree.root()), Some(Left { total: 1000, left: 600 }));
        assert_eq!(threads(tree.root()), Some(Left { total: 100, left: 70 }));
        assert_eq!((memory(Path::new("/nonexistent")), threads(Path::new("/nonexistent"))), (None, None));
    }

    #[test]
    fn version_1_names_them_otherwise() {
        let tree = Tree::of(&[
            (
                "proc/self/mountinfo",
                "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
            ),
            ("proc/self/cgroup", "4:memory:/x\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1000\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "700\n"),
            ("sys/fs/cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
        ]);
        assert_eq!(memory(tree.root()), Some(Left { total: 1000, left: 400 }));
    }
}
