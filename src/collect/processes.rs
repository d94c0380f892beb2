//! The processes of the machine: how the busy time divides between the run and others.
//!
//! One scan of `/proc` a second. A process belongs to the run if `lp` is among its
//! ancestors, or if it was when it was seen first, or if it is in the process group or the
//! session of one that does. A daemon that has left all three, and a worker in a container,
//! which is no descendant of `lp`, have inherited the variable [`MARK`]. A daemon that also
//! clears its environment, and a container that a script starts, belong to others.
//!
//! CPU times are `utime + stime` of all threads, also of those that have ended, in ticks of
//! 10 ms: the sum is right, the split is not. A process that lived between two scans is in
//! the time of its parent ([`tree`]). `cpu.others` is the rest of the machine's busy time,
//! without what a hypervisor stole: so nothing is lost in it, also where other users'
//! processes are hidden; work of the kernel for nobody in particular is part of it, and time of
//! ours that was lost. `cpu.foreign` is the part of it that is shown to be another's.
//!
//! Of scripts and of `lp` itself there is also memory (`rss`, with pages that processes share in
//! each of them) and the number of open files, which costs a look at a folder for each process and
//! so is counted every 5 s. Workers report their own.

mod tree;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use self::tree::{Owner, Process, Tree};
use super::cores::{Snapshot, Stat, TICK_NS, busy_and_steal};
use super::{CollectError, Collector, Place, Program, Series, share};
use crate::os::clock::monotonic_ns;
use crate::os::proc::{Processes, page_size};

/// Its name in records.
pub const NAME: &str = "processes";

/// Share of all cores that the run's workers used since the sample before, 0 to 1.
pub const WORKERS: &str = "cpu.workers";
/// Likewise, scripts and servers that `lp` has started, with all descendants.
pub const SCRIPTS: &str = "cpu.scripts";
/// Likewise, programs of the user's that `lp` has started to measure the machine (`[[collector]]`), with all
/// descendants. There is no such series without such programs.
pub const COLLECTORS: &str = "cpu.collectors";
/// Likewise, `lp` itself.
pub const LP: &str = "cpu.lp";
/// Likewise, everything else.
pub const OTHERS: &str = "cpu.others";

/// The part of [`OTHERS`] that other programs were seen to use; without the kernel's threads.
/// Where other users' processes are hidden, it is unknown.
pub const FOREIGN: &str = "cpu.foreign";
/// The number of workers of another `lp`; where processes are hidden, it is unknown.
pub const MEASURING: &str = "cpu.measuring";

/// Resident memory of scripts and servers that `lp` has started, with all descendants, in bytes.
pub const SCRIPTS_MEMORY: &str = "memory.scripts";
/// Likewise, `lp` itself.
pub const LP_MEMORY: &str = "memory.lp";
/// Files that scripts and servers have open, with all descendants. Unknown if one of them does
/// not show it to this user.
pub const SCRIPTS_FILES: &str = "files.scripts";
/// Likewise, `lp` itself.
pub const LP_FILES: &str = "files.lp";

/// Open files are counted with one in so many samples.
const FILES_EVERY: u64 = 5;

/// The name of the processes of workers.
const WORKER: &str = "lp-worker";

/// The variable by which descendants of `lp` are known.
pub const MARK: &str = "LP_PROCESS";

/// The most programs that [`Collector::programs`] returns.
const MOST_PROGRAMS: usize = 5;

struct ProcessSampler {
    series: Vec<Series>,
    path: PathBuf,
    lp: u32,
    stat: Stat,
    before: Snapshot,
    processes: Processes,
    tree: Tree,
    /// Whether `init` is hidden, and with it all processes of other users.
    is_hidden: bool,
    samples: u64,
    /// Whether there was a script.
    has_scripts: bool,
    /// Whether programs of the user's measure beside the run.
    has_collectors: bool,
}

/// The value of [`MARK`] for a worker that is started by this `lp`.
#[must_use]
pub fn worker_mark(lp: u32) -> String {
    mark(Owner::Workers, lp)
}

/// The value of [`MARK`] for a script that is started by this `lp`.
#[must_use]
pub fn script_mark(lp: u32) -> String {
    mark(Owner::Scripts, lp)
}

/// The value of [`MARK`] for a program that is started by this `lp` to measure the machine.
#[must_use]
pub fn collector_mark(lp: u32) -> String {
    mark(Owner::Collectors, lp)
}

fn mark(owner: Owner, lp: u32) -> String {
    let owner = match owner {
        Owner::Workers => "worker",
        Owner::Collectors => "collector",
        _ => "script",
    };
    format!("{owner} of {lp}")
}

/// The parent of a process, from its `stat`; `None` if it is a thread of the kernel.
pub(super) fn parent(stat: &[u8]) -> Option<u32> {
    Process::read(stat).filter(|process| !process.is_kernel).map(|process| process.parent)
}

/// Begins to scan `/proc`.
///
/// # Errors
/// When it cannot be read, or does not have the process that measures.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(ProcessSampler::below(place)?))
}

impl ProcessSampler {
    fn below(place: &Place<'_>) -> Result<ProcessSampler, CollectError> {
        let Place { root, lp, workers, collectors } = *place;
        let path = root.join("proc");
        let mut stat = Stat::below(root)?;
        let before = stat.snapshot(monotonic_ns())?;
        let mut processes = Processes::open(&path).map_err(|error| CollectError::read(&path, error))?;
        let first = scan(&mut processes).map_err(|error| CollectError::read(&path, error))?;
        if !first.contains_key(&lp) {
            return Err(CollectError::Format {
                path,
                expected: "the process of `lp` (of another machine, or of another namespace)",
            });
        }
        let is_hidden = !first.contains_key(&1);
        let tree = Tree::new(lp, (workers, collectors), first, &mut is_marked(&mut processes, lp));
        let shares = [WORKERS, SCRIPTS, LP, OTHERS, FOREIGN].map(|name| (name, "1"));
        let series = shares.into_iter().chain([(MEASURING, "{process}")]);
        let series = series.chain((!collectors.is_empty()).then_some((COLLECTORS, "1")));
        let series = series.chain([(LP_MEMORY, "By"), (LP_FILES, "{file}")]);
        let series = series.map(|(name, unit)| Series::new(name, unit)).collect();
        Ok(ProcessSampler {
            series,
            path,
            lp,
            stat,
            before,
            processes,
            tree,
            is_hidden,
            has_collectors: !collectors.is_empty(),
            samples: 0,
            has_scripts: false,
        })
    }

    /// Memory in bytes and open files of an owner's processes; `None` without any. Files are counted
    /// if `is_due`.
    fn held(&mut self, owner: Owner, is_due: bool) -> [Option<f64>; 2] {
        let pages = self.tree.of(owner).map(|(_, process)| process.rss).reduce(u64::saturating_add);
        let pids: Vec<u32> = self.tree.of(owner).map(|(pid, _)| pid).filter(|_| is_due).collect();
        let files = pids.iter().map(|pid| self.processes.open_files(*pid)).sum::<Option<u64>>();
        let files = files.filter(|_| !pids.is_empty()).map(|files| files as f64);
        [pages.map(|pages| pages as f64 * page_size() as f64), files]
    }

    /// Those of `lp`, and of scripts once there was one.
    fn memory_and_files(&mut self) -> Vec<Option<f64>> {
        let is_due = self.samples.is_multiple_of(FILES_EVERY);
        self.samples += 1;
        let (lp, scripts) = (self.held(Owner::Lp, is_due), self.held(Owner::Scripts, is_due));
        if !self.has_scripts && scripts[0].is_some() {
            self.has_scripts = true;
            self.series.push(Series::new(SCRIPTS_MEMORY, "By"));
            self.series.push(Series::new(SCRIPTS_FILES, "{file}"));
        }
        lp.into_iter().chain(scripts.into_iter().filter(|_| self.has_scripts)).collect()
    }
}

impl Collector for ProcessSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        let reason = "`/proc` shows only processes of this user (`hidepid`)";
        self.is_hidden.then(|| ("processes.names".to_owned(), reason.to_owned())).into_iter().collect()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        if at_ns < self.before.at_ns.saturating_add(TICK_NS) {
            return Err(CollectError::TooSoon);
        }
        let now = self.stat.snapshot(at_ns)?;
        let scanned = scan(&mut self.processes).map_err(|error| CollectError::read(&self.path, error))?;
        let used = self.tree.advance(scanned, &mut is_marked(&mut self.processes, self.lp));
        let before = std::mem::replace(&mut self.before, now);
        let elapsed_ns = (at_ns - before.at_ns) as f64 * self.before.cores.len() as f64;
        let part = |owner| used.get(&owner).map_or(0.0, |ticks| *ticks as f64 * TICK_NS as f64 / elapsed_ns);
        let own = [Owner::Workers, Owner::Scripts, Owner::Lp].map(part);
        // With other cores online than before, it is unknown how much was busy.
        let beside = part(Owner::Collectors);
        let others = busy_and_steal(&before, &self.before)
            .map(|(busy, steal)| share(busy - steal - own.iter().sum::<f64>() - beside));
        let seen = (!self.is_hidden).then_some(());
        // Two clocks, read one after the other.
        let foreign = seen.zip(others).map(|((), others)| share(part(Owner::Others).min(others)));
        let measuring = seen.map(|()| self.tree.count(WORKER, Owner::Others) as f64);
        let values = own.into_iter().map(|own| Some(share(own))).chain([others, foreign, measuring]);
        let values = values.chain(self.has_collectors.then(|| Some(share(beside))));
        Ok(values.chain(self.memory_and_files()).collect())
    }

    fn programs(&self) -> Vec<Program> {
        let others = self.tree.others().into_iter().take(MOST_PROGRAMS);
        others
            .map(|(name, ticks)| Program { name: name.text(), cpu_us: ticks.saturating_mul(TICK_NS / 1000) })
            .collect()
    }
}

/// The processes of programs: threads of the kernel work for everybody.
fn scan(processes: &mut Processes) -> io::Result<HashMap<u32, Process>> {
    let mut found = HashMap::new();
    processes.scan(|pid, stat| {
        let process = Process::read(stat);
        let is_kernel = process.is_some_and(|process| process.is_kernel);
        found.extend(process.filter(|_| !is_kernel).map(|process| (pid, process)));
        !is_kernel
    })?;
    Ok(found)
}

/// Whether a process has inherited the mark of an owner.
fn is_marked(processes: &mut Processes, lp: u32) -> impl FnMut(u32, Owner) -> bool {
    move |pid, owner| processes.has_variable(pid, MARK, &mark(owner, lp))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree as Files, sampled};
    use super::*;

    /// `stat` of a process: name, parent, group, session, times of its own and of its
    /// children, begin.
    fn stat(
        pid: u32,
        name: &str,
        (parent, group, session): (u32, u32, u32),
        (own, reaped): (u64, u64),
        began: u64,
    ) -> String {
        format!(
            "{pid} ({name}) S {parent} {group} {session} 0 -1 4194560 1 2 3 4 {own} 0 {reaped} 0 20 0 1 0 {began} 1 2\n"
        )
    }

    const LP: (u32, u32, u32) = (1, 100, 50);

    /// Two cores; `lp` is 100, its worker 200, its script 300, a stranger 400.
    fn machine() -> Files {
        let files = Files::of(&[("proc/stat", "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n")]);
        put(&files, 1, "init", (0, 1, 1), (5, 1000), 1);
        put(&files, 100, "lp", LP, (10, 7), 500);
        put(&files, 200, "lp-worker", (100, 200, 50), (20, 0), 600);
        put(&files, 300, "sh", (100, 300, 50), (1, 0), 700);
        put(&files, 400, "a) b (c", (1, 400, 400), (99, 0), 20);
        files
    }

    fn put(files: &Files, pid: u32, name: &str, place: (u32, u32, u32), times: (u64, u64), began: u64) {
        files.write(&format!("proc/{pid}/stat"), &stat(pid, name, place, times, began));
    }

    fn end(files: &Files, pid: u32) {
        std::fs::remove_dir_all(files.root().join(format!("proc/{pid}"))).unwrap();
    }

    /// A second later, in which the cores were idle for so many ticks.
    #[track_caller]
    fn check(files: &Files, change: &dyn Fn(), idle: u64, expect: Expect) {
        let place = Place { root: files.root(), lp: 100, workers: &[200], collectors: &[] };
        let mut sampler = ProcessSampler::below(&place).unwrap();
        change();
        files.write("proc/stat", &format!("cpu0 0 0 0 {idle} 0 0 0 0\ncpu1 0 0 0 {idle} 0 0 0 0\n"));
        let began_ns = sampler.before.at_ns;
        let mut text = sampled(&mut sampler, began_ns, files);
        for Program { name, cpu_us } in sampler.programs() {
            text.push_str(&format!("{name}: {cpu_us} us\n"));
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn each_tree_has_its_share_of_all_cores_and_the_rest_is_others() {
        let files = machine();
        check(
            &files,
            &|| {
                put(&files, 100, "lp", LP, (12, 7), 500);
                put(&files, 200, "lp-worker", (100, 200, 50), (70, 0), 600);
                // A child of the script, and what that has already waited for.
                put(&files, 301, "ffmpeg", (300, 300, 50), (20, 10), 800);
                put(&files, 400, "a) b (c", (1, 400, 400), (119, 0), 20);
                put(&files, 401, "a) b (c", (400, 400, 400), (11, 0), 810);
            },
            40,
            // Busy 60 %: 25 + 15 + 1 of it are ours.
            expect![[r#"
                cpu.workers 0.25 1
                cpu.scripts 0.15 1
                cpu.lp 0.01 1
                cpu.others 0.19 1
                cpu.foreign 0.155 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 16384 By
                files.scripts unknown {file}
                a) b (c: 310000 us
            "#]],
        );
    }

    #[test]
    fn a_process_between_two_scans_is_in_the_time_of_its_parent() {
        let files = machine();
        check(
            &files,
            &|| {
                put(&files, 300, "sh", (100, 300, 50), (1, 30), 700);
                put(&files, 400, "a) b (c", (1, 400, 400), (99, 16), 20);
            },
            50,
            expect![[r#"
                cpu.workers 0 1
                cpu.scripts 0.15 1
                cpu.lp 0 1
                cpu.others 0.35 1
                cpu.foreign 0.08 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
                a) b (c: 160000 us
            "#]],
        );
    }

    #[test]
    fn a_process_that_has_ended_is_not_counted_twice() {
        let files = machine();
        put(&files, 301, "ffmpeg", (300, 300, 50), (500, 100), 800);
        put(&files, 401, "rustc", (400, 400, 400), (300, 0), 800);
        // Its worker has had a helper; both end now.
        put(&files, 201, "gst-scanner", (200, 200, 50), (40, 0), 800);
        check(
            &files,
            &|| {
                [301, 401, 201, 200].iter().for_each(|pid| end(&files, *pid));
                put(&files, 300, "sh", (100, 300, 50), (1, 620), 700);
                put(&files, 400, "a) b (c", (1, 400, 400), (99, 308), 20);
                // The helper: 40 before, 4 since; the worker: 20 before, 10 since.
                put(&files, 100, "lp", LP, (10, 7 + 44 + 30), 500);
            },
            50,
            expect![[r#"
                cpu.workers 0.07 1
                cpu.scripts 0.1 1
                cpu.lp 0 1
                cpu.others 0.33 1
                cpu.foreign 0.04 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
                rustc: 80000 us
            "#]],
        );
    }

    #[test]
    fn a_parent_that_ignores_its_children_loses_only_their_last_second() {
        let files = machine();
        put(&files, 301, "ffmpeg", (300, 300, 50), (500, 100), 800);
        check(
            &files,
            &|| {
                end(&files, 301);
                put(&files, 300, "sh", (100, 300, 50), (6, 0), 700);
            },
            50,
            expect![[r#"
                cpu.workers 0 1
                cpu.scripts 0.025 1
                cpu.lp 0 1
                cpu.others 0.475 1
                cpu.foreign 0 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
            "#]],
        );
    }

    #[test]
    fn daemons_are_found_by_what_they_were_their_group_session_or_mark() {
        let files = machine();
        // Was a child of the script, then is one of init, in a session of its own.
        put(&files, 301, "known", (300, 300, 50), (0, 0), 800);
        check(
            &files,
            &|| {
                put(&files, 301, "known", (1, 301, 301), (2, 0), 800);
                // A child of that one, a double fork within its session.
                put(&files, 302, "in-group", (1, 300, 50), (4, 0), 810);
                put(&files, 303, "of-known", (301, 303, 303), (8, 0), 810);
                put(&files, 304, "marked", (1, 304, 304), (16, 0), 810);
                files.write("proc/304/environ", "A=b\0LP_PROCESS=script of 100\0");
                put(&files, 305, "container", (1, 305, 305), (32, 0), 810);
                files.write("proc/305/environ", "LP_PROCESS=worker of 100\0A=b\0");
                put(&files, 306, "another", (1, 306, 306), (64, 0), 810);
                files.write("proc/306/environ", "LP_PROCESS=script of 99\0");
                // The group of `lp` is also that of programs beside it.
                put(&files, 307, "tee", (1, 100, 50), (1, 0), 810);
            },
            0,
            expect![[r#"
                cpu.workers 0.16 1
                cpu.scripts 0.15 1
                cpu.lp 0 1
                cpu.others 0.69 1
                cpu.foreign 0.325 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 40960 By
                files.scripts unknown {file}
                another: 640000 us
                tee: 10000 us
            "#]],
        );
    }

    #[test]
    fn programs_that_measure_beside_a_run_belong_neither_to_it_nor_to_others() {
        let files = machine();
        put(&files, 500, "sadc", (100, 500, 50), (1, 0), 700);
        let place = Place { root: files.root(), lp: 100, workers: &[200], collectors: &[500] };
        let mut sampler = ProcessSampler::below(&place).unwrap();
        put(&files, 500, "sadc", (100, 500, 50), (11, 0), 700);
        // A child, what guards the group, and a daemon of it; and a script.
        put(&files, 501, "sar", (500, 500, 50), (20, 0), 800);
        put(&files, 502, "sh", (100, 500, 50), (1, 0), 800);
        put(&files, 503, "daemon", (1, 503, 503), (4, 0), 810);
        files.write("proc/503/environ", "LP_PROCESS=collector of 100\0");
        put(&files, 300, "sh", (100, 300, 50), (3, 0), 700);
        files.write("proc/stat", "cpu0 0 0 0 50 0 0 0 0\ncpu1 0 0 0 50 0 0 0 0\n");
        let began_ns = sampler.before.at_ns;
        expect![[r#"
            cpu.workers 0 1
            cpu.scripts 0.01 1
            cpu.lp 0 1
            cpu.others 0.315 1
            cpu.foreign 0 1
            cpu.measuring 0 {process}
            cpu.collectors 0.175 1
            memory.lp 8192 By
            files.lp unknown {file}
            memory.scripts 8192 By
            files.scripts unknown {file}
        "#]]
        .assert_eq(&sampled(&mut sampler, began_ns, &files));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let files = machine();
        check(
            &files,
            &|| {
                put(&files, 200, "stranger", (1, 1, 1), (5, 0), 900);
                put(&files, 400, "a) b (c", (1, 400, 400), (6, 0), 900);
            },
            100,
            expect![[r#"
                cpu.workers 0 1
                cpu.scripts 0 1
                cpu.lp 0 1
                cpu.others 0 1
                cpu.foreign 0 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
                a) b (c: 60000 us
                stranger: 50000 us
            "#]],
        );
    }

    #[test]
    fn times_that_go_back_and_circles_do_no_harm() {
        let files = machine();
        put(&files, 500, "x", (501, 1, 1), (5, 5), 10);
        put(&files, 501, "y", (500, 1, 1), (5, 5), 10);
        check(
            &files,
            &|| {
                put(&files, 200, "lp-worker", (100, 200, 50), (3, 0), 600);
                put(&files, 501, "y", (501, 1, 1), (5, 5), 10);
                end(&files, 500);
                files.write("proc/502/stat", "502 (odd");
                files.write("proc/503/stat", "");
                files.write("proc/504/stat", "504 (n\u{fffd}) S -1 -1 -1 x");
                put(&files, 506, "lost", (999, 9, 9), (0, 0), 10);
            },
            100,
            expect![[r#"
                cpu.workers 0 1
                cpu.scripts 0 1
                cpu.lp 0 1
                cpu.others 0 1
                cpu.foreign 0 1
                cpu.measuring 0 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
            "#]],
        );
    }

    #[test]
    fn other_users_processes_may_be_hidden() {
        let files = machine();
        end(&files, 1);
        end(&files, 400);
        check(
            &files,
            &|| put(&files, 200, "lp-worker", (100, 200, 50), (40, 0), 600),
            50,
            expect![[r#"
                cpu.workers 0.1 1
                cpu.scripts 0 1
                cpu.lp 0 1
                cpu.others 0.4 1
                cpu.foreign unknown 1
                cpu.measuring unknown {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
                processes.names: `/proc` shows only processes of this user (`hidepid`)
            "#]],
        );
    }

    #[test]
    fn threads_of_the_kernel_are_no_programs_and_workers_of_another_lp_are_counted() {
        let files = machine();
        check(
            &files,
            &|| {
                // The flag of such threads is 0x200000.
                let thread = stat(30, "kworker/0:1", (2, 0, 0), (40, 0), 2).replace("4194560", "2097216");
                files.write("proc/30/stat", &thread);
                put(&files, 402, "lp-worker", (400, 402, 400), (20, 0), 800);
                put(&files, 403, "lp-worker-2", (400, 403, 400), (10, 0), 800);
            },
            60,
            expect![[r#"
                cpu.workers 0 1
                cpu.scripts 0 1
                cpu.lp 0 1
                cpu.others 0.4 1
                cpu.foreign 0.15 1
                cpu.measuring 1 {process}
                memory.lp 8192 By
                files.lp unknown {file}
                memory.scripts 8192 By
                files.scripts unknown {file}
                lp-worker: 200000 us
                lp-worker-2: 100000 us
            "#]],
        );
    }

    #[test]
    fn another_machine_has_no_figures_and_says_why() {
        let files = machine();
        end(&files, 100);
        let place = Place { root: files.root(), lp: 100, workers: &[200], collectors: &[] };
        let error = ProcessSampler::below(&place).err().unwrap();
        expect!["expected the process of `lp` (of another machine, or of another namespace) in `/proc`, found none"]
            .assert_eq(&files.without_root(&error.reason()));
    }

    #[test]
    fn the_work_of_this_process_is_counted() {
        let mut sampler = ProcessSampler::below(&Place::here(std::path::Path::new("/"))).unwrap();
        let begin = std::time::Instant::now();
        while begin.elapsed() < std::time::Duration::from_millis(100) {
            std::hint::black_box(monotonic_ns());
        }
        let values = sampler.sample(monotonic_ns()).unwrap();
        assert!(values[2] > Some(0.0), "{values:?}");
        // The first five are shares.
        assert!(values[..5].iter().flatten().all(|share| (0.0..=1.0).contains(share)), "{values:?}");
    }
}
