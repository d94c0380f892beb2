//! The threads of this process: their names and CPU times.

use std::collections::BTreeMap;
use std::path::Path;

use super::proc;

/// Nanoseconds of a tick of `/proc/PID/stat`, in microseconds: `USER_HZ` is 100.
const TICK_US: u64 = 10_000;

/// The threads of this process that live, by their names [without numbers](plain): how many
/// there are, and the CPU time that they have used in microseconds. Empty where `/proc` is
/// absent. Threads that have ended are in no group.
#[must_use]
pub fn own_threads() -> BTreeMap<String, (u32, u64)> {
    threads_of(Path::new("/proc/self/task"))
}

/// Lets this thread run only where others leave time, as far as the system allows it.
pub fn lower_priority() {
    // Of a thread, and not of all: on Linux each has a priority of its own.
    let _ = rustix::process::setpriority_process(None, 10);
}

fn threads_of(tasks: &Path) -> BTreeMap<String, (u32, u64)> {
    let mut groups = BTreeMap::new();
    for thread in proc::numbered(tasks, "") {
        // One that has ended meanwhile has no file any more.
        let stat = proc::read(&tasks.join(thread).join("stat")).ok();
        if let Some((name, cpu_us)) = stat.as_deref().and_then(name_and_cpu) {
            let (n, sum_us) = groups.entry(plain(name)).or_insert((0, 0));
            *n += 1;
            *sum_us += cpu_us;
        }
    }
    groups
}

/// From `12 (name) S ...`: fields 14 and 15 of proc_pid_stat(5) are the ticks in user and
/// system mode. Their sum is right, the split is not.
fn name_and_cpu(stat: &str) -> Option<(&str, u64)> {
    let (begin, end) = (stat.find('(')? + 1, stat.rfind(')')?);
    let mut times = stat.get(end + 1..)?.split_ascii_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    Some((stat.get(begin..end)?, (ticks()? + ticks()?) * TICK_US))
}

/// A thread's name without the numbers of its element and of the thread: `queue:src` for
/// `queue12:src`, `av:h264:df` for `av:h264:df3`. Numbers in between belong to the name.
fn plain(name: &str) -> String {
    let parts: Vec<&str> = name.split(':').collect();
    let last = parts.len() - 1;
    let part = |(at, part): (usize, &&str)| {
        let whole =
            part.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '/', '#', ' ']);
        let is_number = (at == 0 || at == last) && !whole.is_empty();
        (if is_number { whole } else { *part }).to_owned()
    };
    parts.iter().enumerate().map(part).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_grouped_by_names_without_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let write = |thread: u32, name: &str, user: u64, system: u64| {
            let path = folder.path().join(thread.to_string());
            std::fs::create_dir(&path).unwrap();
            let text = format!("{thread} ({name}) S 1 1 1 0 -1 4 1 2 3 4 {user} {system} 0 0 20 0 9 0 5 6\n");
            std::fs::write(path.join("stat"), text).unwrap();
        };
        write(7, "queue0:src", 10, 1);
        write(8, "queue12:src", 20, 2);
        write(9, "av:h264:df0", 3, 0);
        write(10, "odd) S 9 9", 4, 0);
        std::fs::create_dir(folder.path().join("11")).unwrap();
        let expected = [("av:h264:df", (1, 30_000)), ("odd) S 9", (1, 40_000)), ("queue:src", (2, 330_000))];
        let groups = threads_of(folder.path());
        assert_eq!(groups.iter().map(|(name, group)| (name.as_str(), *group)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_numbers_at_the_ends_are_left_out() {
        let names = ["pool-1", "python3", "h264parse0:sink", "123", "lp-worker", "", "task:7"];
        assert_eq!(
            names.map(plain),
            ["pool", "python", "h264parse:sink", "123", "lp-worker", "", "task:7"].map(str::to_owned)
        );
    }

    #[test]
    fn this_process_has_threads() {
        assert!(own_threads().values().map(|(n, _)| n).sum::<u32>() >= 2);
    }
}
