//! The limits of this process's control groups: CPU time and memory. How often they were
//! reached is in [`hits`].
//!
//! Version 1, version 2 and both side by side. A group is bounded by all groups
//! around it, so the smallest limit on the way up counts. Inside a container the
//! way ends at the container's own root: limits further out stay unknown.

mod hits;
pub mod left;

use std::io;
use std::path::{Path, PathBuf};

pub use self::hits::{MEMORY_LIMIT, NAME, THROTTLED, start};
use super::CollectError;
use crate::os::proc;

/// The limits. A limit that is not set is `None`, but for memory in version 1,
/// which then allows more than any machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Cores' worth of CPU time.
    pub cores: Option<f64>,
    /// Bytes.
    pub memory: Option<u64>,
}

/// The limits of this process, with the files of a machine below `root`.
///
/// # Errors
/// When a limit is there and cannot be read.
pub fn limits(root: &Path) -> Result<Limits, CollectError> {
    let (Some(mounts), Some(groups)) =
        (text(&root.join("proc/self/mountinfo"))?, text(&root.join("proc/self/cgroup"))?)
    else {
        return Ok(Limits::default());
    };
    let mut limits = Limits::default();
    for folder in folders(&mounts, &groups, "cpu") {
        let folder = below(root, &folder);
        let max = folder.join("cpu.max");
        limits.cores = least(limits.cores, read(&max, "a quota and a period", cpu_max)?);
        let quota = read(&folder.join("cpu.cfs_quota_us"), "a quota", whole)?;
        let period = read(&folder.join("cpu.cfs_period_us"), "a period", whole)?;
        if let (Some(quota), Some(period)) = (quota, period) {
            limits.cores = least(limits.cores, cores(quota, period));
        }
    }
    for folder in folders(&mounts, &groups, "memory") {
        let folder = below(root, &folder);
        for name in ["memory.max", "memory.limit_in_bytes"] {
            limits.memory = least(limits.memory, read(&folder.join(name), "a number of bytes", whole)?);
        }
    }
    Ok(limits)
}

fn below(root: &Path, absolute: &Path) -> PathBuf {
    root.join(absolute.strip_prefix("/").unwrap_or(absolute))
}

fn least<T: PartialOrd>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other < one { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The text of a file; `None` if there is none.
fn text(path: &Path) -> Result<Option<String>, CollectError> {
    match proc::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CollectError::read(path, error)),
    }
}

/// The limit in a file; `None` if there is no such file or no limit.
fn read<T>(
    path: &Path,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<Option<T>>,
) -> Result<Option<T>, CollectError> {
    let Some(text) = text(path)? else { return Ok(None) };
    parse(&text).ok_or_else(|| CollectError::Format { path: path.to_owned(), expected })
}

/// `150000 100000` or `max 100000`.
fn cpu_max(text: &str) -> Option<Option<f64>> {
    let (quota, period) = text.split_once(' ')?;
    let period: u64 = period.parse().ok()?;
    Some(whole(quota)?.and_then(|quota| cores(quota, period)))
}

fn cores(quota: u64, period: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "microseconds are far below 2^52")]
    (period > 0).then(|| quota as f64 / period as f64)
}

/// A number; `max` and `-1` are none.
fn whole(text: &str) -> Option<Option<u64>> {
    match text {
        "max" | "-1" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

/// The folders of the groups around this process, for a controller: from
/// `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn folders(mounts: &str, groups: &str, controller: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for mount in mounts.lines().filter_map(Mount::read) {
        let is_meant = |controllers: &str| match mount.controllers {
            // Version 2 has one tree, whose line names no controllers.
            None => controllers.is_empty(),
            Some(mounted) => {
                [mounted, controllers].iter().all(|list| list.split(',').any(|c| c == controller))
            }
        };
        let own = groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            fields.next().filter(|controllers| is_meant(controllers))?;
            fields.next()
        });
        if let Some(own) = own {
            folders.extend(mount.way_up(own));
        }
    }
    folders
}

/// A mounted tree of groups.
struct Mount<'a> {
    /// The group that is its root, from outside.
    root: String,
    at: PathBuf,
    /// Its options, controllers among them; `None` for version 2.
    controllers: Option<&'a str>,
}

impl<'a> Mount<'a> {
    /// <https://www.kernel.org/doc/html/latest/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts>
    fn read(line: &'a str) -> Option<Mount<'a>> {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let controllers = match system.next()? {
            "cgroup2" => None,
            "cgroup" => Some(system.nth(1)?),
            _ => return None,
        };
        let mut mount = mount.split(' ').skip(3);
        Some(Mount { root: unescaped(mount.next()?), at: unescaped(mount.next()?).into(), controllers })
    }

    /// The folder of the group `own` and those around it. A group outside of
    /// what is mounted is bounded by all that can be seen: the mount's root.
    fn way_up(&self, own: &str) -> Vec<PathBuf> {
        let inside = Path::new(own).strip_prefix(&self.root).unwrap_or(Path::new(""));
        let is_plain = inside.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let inside = if is_plain { inside } else { Path::new("") };
        inside.ancestors().map(|part| self.at.join(part)).collect()
    }
}

/// A path of `mountinfo`, where `\040` is a blank.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    /// Version 1 as Docker without a namespace of groups shows it.
    const DOCKER_V1: &str = "\
700 699 0:29 /docker/4711 /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct
701 699 0:30 /docker/4711 /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory
702 699 0:31 /docker/4711 /sys/fs/cgroup/cpuset ro,nosuid master:13 - cgroup cgroup rw,cpuset";

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    #[track_caller]
    fn check(mounts: &str, groups: &str, files: &[(&str, &str)], expect: Expect) {
        let root = tempfile::tempdir().unwrap();
        let whole = [("proc/self/mountinfo", mounts), ("proc/self/cgroup", groups)];
        for (path, text) in whole.iter().chain(files) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        let text = match limits(root.path()) {
            Ok(Limits { cores, memory }) => format!("cores {cores:?}, memory {memory:?}"),
            Err(error) => error.reason().replace(&root.path().display().to_string(), ""),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn a_group_without_limits_has_none() {
        let files = [
            ("sys/fs/cgroup/user.slice/cpu.max", "max 100000"),
            ("sys/fs/cgroup/user.slice/memory.max", "max"),
        ];
        check(UNIFIED, "0::/user.slice", &files, expect!["cores None, memory None"]);
        let files = [
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
        ];
        check(DOCKER_V1, "4:cpu,cpuacct:/docker/4711", &files, expect!["cores None, memory None"]);
        check("", "", &[], expect!["cores None, memory None"]);
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let files = [
            ("sys/fs/cgroup/a.slice/cpu.max", "50000 100000"),
            ("sys/fs/cgroup/a.slice/b.scope/cpu.max", "150000 100000"),
            ("sys/fs/cgroup/a.slice/memory.max", "2147483648"),
            ("sys/fs/cgroup/a.slice/b.scope/memory.max", "536870912"),
        ];
        check(UNIFIED, "0::/a.slice/b.scope", &files, expect!["cores Some(0.5), memory Some(536870912)"]);
    }

    #[test]
    fn a_container_that_sees_only_its_own_group_finds_the_limits_at_its_root() {
        let files = [("sys/fs/cgroup/cpu.max", "100000 100000"), ("sys/fs/cgroup/memory.max", "1024")];
        check(UNIFIED, "0::/", &files, expect!["cores Some(1.0), memory Some(1024)"]);
        // A process that was moved in from outside.
        check(UNIFIED, "0::/../other", &files, expect!["cores Some(1.0), memory Some(1024)"]);
        let files = [
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "25000"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2048"),
        ];
        let groups = "5:memory:/docker/4711\n4:cpu,cpuacct:/docker/4711\n3:cpuset:/docker/4711";
        check(DOCKER_V1, groups, &files, expect!["cores Some(0.25), memory Some(2048)"]);
    }

    #[test]
    fn both_versions_may_be_mounted() {
        let files = [
            ("sys/fs/cgroup/cpu/libpod_parent/x/cpu.cfs_quota_us", "100000"),
            ("sys/fs/cgroup/cpu/libpod_parent/x/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/memory/libpod_parent/memory.limit_in_bytes", "4096"),
            ("sys/fs/cgroup/unified/cgroup.procs", "1"),
            ("sys/fs/cgroup/cpuacct/libpod_parent/x/cpu.cfs_quota_us", "1"),
        ];
        let groups = "4:memory:/libpod_parent/x\n2:cpuacct:/\n1:cpu:/libpod_parent/x\n0::/";
        check(HYBRID, groups, &files, expect!["cores Some(1.0), memory Some(4096)"]);
    }

    #[test]
    fn an_unreadable_limit_is_an_error() {
        let files = [("sys/fs/cgroup/cpu.max", "much")];
        check(
            UNIFIED,
            "0::/",
            &files,
            expect!["expected a quota and a period in `/sys/fs/cgroup/cpu.max`, found none"],
        );
        let files = [("sys/fs/cgroup/memory.max", "-2")];
        check(
            UNIFIED,
            "0::/",
            &files,
            expect!["expected a number of bytes in `/sys/fs/cgroup/memory.max`, found none"],
        );
    }

    #[test]
    fn names_of_mounts_are_escaped() {
        assert_eq!(unescaped(r"/a\040b/serial\134x2dgetty"), r"/a b/serial\x2dgetty");
        assert_eq!(unescaped(r"/a\b"), r"/a\b");
        assert_eq!(unescaped(r"\é"), r"\é");
    }
}
