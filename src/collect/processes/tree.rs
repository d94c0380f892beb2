//! To whom processes belong, and the CPU time that they used between two scans.
//!
//! Pure: the scans come from outside. A process has four times: its own, and those of the
//! children that it has waited for (`utime stime cutime cstime` of `/proc/PID/stat`). A
//! child that began and ended between two scans is in the latter of its parent. So
//! a process that has gone takes the time that was already counted with it, and the rest of
//! its parent's growth is the time since it was seen last. If its parent ignores SIGCHLD,
//! the kernel drops that rest.
//!
//! Source: proc_pid_stat(5).

use std::collections::{BTreeMap, HashMap};

/// The owner of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A worker, or a descendant of one.
    Workers,
    /// A script or a server that `lp` has started, or a descendant of one.
    Scripts,
    /// A program that `lp` has started to measure the machine, or a descendant of one.
    Collectors,
    /// `lp` itself.
    Lp,
    /// Somebody else.
    Others,
}

/// A program's name as the kernel has it: up to 15 bytes, then zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name([u8; 16]);

/// A process in one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: Name,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// CPU time of itself, in ticks.
    pub(super) own: u64,
    /// CPU time of the children that it has waited for.
    pub(super) reaped: u64,
    /// When it began, in ticks since boot. With its number, this identifies it.
    pub(super) began: u64,
    /// Resident memory in pages.
    pub(super) rss: u64,
    /// Whether it is a thread of the kernel.
    pub(super) is_kernel: bool,
}

/// The processes of a machine, from one scan to the next.
#[derive(Debug)]
pub(super) struct Tree {
    lp: u32,
    /// Workers and programs that measure the machine: when each began, and which of both it is.
    known: HashMap<u32, (u64, Owner)>,
    before: HashMap<u32, (Process, Owner)>,
    /// Ticks of other programs since the first scan.
    others: HashMap<Name, u64>,
}

/// The ticks that each owner's processes used between two scans.
pub(super) type Used = BTreeMap<Owner, u64>;

/// The most names of other programs that are counted.
const MOST_NAMES: usize = 4_096;

/// `PF_KTHREAD` of a process's flags.
const IS_KERNEL: u64 = 0x0020_0000;

impl Name {
    fn of(bytes: &[u8]) -> Name {
        let mut name = [0; 16];
        let n = bytes.len().min(15);
        name[..n].copy_from_slice(&bytes[..n]);
        Name(name)
    }

    pub(super) fn text(self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

impl Process {
    /// Reads `stat`: `12 (name) S parent group session ... utime stime cutime cstime ...`. A
    /// name may contain anything, also `)`.
    pub(super) fn read(stat: &[u8]) -> Option<Process> {
        let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let name = stat.get(begin..end)?;
        let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        // Field 3 of the manual, the state, is number 0 here.
        let fields: Vec<&str> = rest.split_ascii_whitespace().take(22).collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let id = |field: usize| {
            fields.get(field - 3)?.parse::<i64>().ok().map(|id| u32::try_from(id).unwrap_or(0))
        };
        // Times of children and memory are written with a sign.
        let signed = |field: usize| fields.get(field - 3)?.parse::<i64>().ok()?.try_into().ok();
        Some(Process {
            name: Name::of(name),
            parent: id(4)?,
            group: id(5)?,
            session: id(6)?,
            own: number(14)?.saturating_add(number(15)?),
            reaped: u64::saturating_add(signed(16)?, signed(17)?),
            began: number(22)?,
            rss: signed(24)?,
            is_kernel: number(9)? & IS_KERNEL != 0,
        })
    }

    fn total(&self) -> u64 {
        self.own.saturating_add(self.reaped)
    }
}

impl Tree {
    /// The processes of a first scan. `is_marked` says whether a process has inherited the
    /// mark of one of these owners.
    pub(super) fn new(
        lp: u32,
        (workers, collectors): (&[u32], &[u32]),
        first: HashMap<u32, Process>,
        is_marked: &mut dyn FnMut(u32, Owner) -> bool,
    ) -> Tree {
        let workers = workers.iter().map(|pid| (*pid, Owner::Workers));
        let all = workers.chain(collectors.iter().map(|pid| (*pid, Owner::Collectors)));
        let known = all.filter_map(|(pid, owner)| Some((pid, (first.get(&pid)?.began, owner)))).collect();
        let mut tree = Tree { lp, known, before: HashMap::new(), others: HashMap::new() };
        tree.before = tree.owned(first, is_marked);
        tree
    }

    /// Takes in the next scan: the ticks that were used since the one before.
    pub(super) fn advance(
        &mut self,
        now: HashMap<u32, Process>,
        is_marked: &mut dyn FnMut(u32, Owner) -> bool,
    ) -> Used {
        let now = self.owned(now, is_marked);
        let before = std::mem::replace(&mut self.before, now);
        let lives =
            |pid: u32, process: &Process| self.before.get(&pid).filter(|(now, _)| now.began == process.began);

        // Of each process that lives: the time of its descendants that have gone, which was
        // counted already, and the one of them with the most.
        let mut gone: HashMap<u32, (u64, (Process, Owner))> = HashMap::new();
        for (pid, known) in &before {
            if lives(*pid, &known.0).is_some() {
                continue;
            }
            let ancestors = std::iter::successors(Some(known.0.parent), |pid| {
                before.get(pid).map(|(process, _)| process.parent)
            });
            // A damaged tree may have circles.
            let heir = ancestors
                .take(before.len())
                .find(|pid| before.get(pid).is_some_and(|(process, _)| lives(*pid, process).is_some()));
            if let Some(heir) = heir {
                let (counted, largest) = gone.entry(heir).or_insert((0, *known));
                *counted += known.0.total();
                if largest.0.total() < known.0.total() {
                    *largest = *known;
                }
            }
        }

        let mut used = Used::new();
        let mut others: Vec<(Name, u64)> = Vec::new();
        let mut add = |owner: Owner, name: Name, ticks: u64| {
            if ticks > 0 {
                *used.entry(owner).or_insert(0) += ticks;
                if owner == Owner::Others {
                    others.push((name, ticks));
                }
            }
        };
        for (pid, (process, owner)) in &self.before {
            let known = before.get(pid).filter(|(known, _)| known.began == process.began);
            let (own, reaped) = known.map_or((0, 0), |(known, _)| (known.own, known.reaped));
            add(*owner, process.name, process.own.saturating_sub(own));
            let (counted, largest) = gone.get(pid).copied().unwrap_or((0, (*process, *owner)));
            let rest = process.reaped.saturating_sub(reaped).saturating_sub(counted);
            add(largest.1, largest.0.name, rest);
        }
        for (name, ticks) in others {
            if self.others.len() < MOST_NAMES || self.others.contains_key(&name) {
                *self.others.entry(name).or_insert(0) += ticks;
            }
        }
        used
    }

    /// The other programs since the first scan with their ticks, the most first.
    pub(super) fn others(&self) -> Vec<(Name, u64)> {
        let mut others: Vec<(Name, u64)> = self.others.iter().map(|(name, ticks)| (*name, *ticks)).collect();
        others.sort_by_key(|(name, ticks)| (std::cmp::Reverse(*ticks), *name));
        others
    }

    /// The processes of an owner in the last scan, each with its number.
    pub(super) fn of(&self, owner: Owner) -> impl Iterator<Item = (u32, &Process)> {
        let all = self.before.iter();
        all.filter(move |(_, (_, its))| *its == owner).map(|(pid, (process, _))| (*pid, process))
    }

    /// How many processes of this name belong to an owner.
    pub(super) fn count(&self, name: &str, owner: Owner) -> usize {
        let name = Name::of(name.as_bytes());
        self.before.values().filter(|(process, its)| process.name == name && *its == owner).count()
    }

    /// Finds the owner of each process.
    fn owned(
        &self,
        now: HashMap<u32, Process>,
        is_marked: &mut dyn FnMut(u32, Owner) -> bool,
    ) -> HashMap<u32, (Process, Owner)> {
        // Groups and sessions of processes that were ours at the scan before: a process whose
        // parent has ended is still in them. That of `lp` may have others in it.
        let shared = now.get(&self.lp).map_or([0; 2], |lp| [lp.group, lp.session]);
        let mut groups: HashMap<u32, Owner> = HashMap::new();
        for (process, owner) in self.before.values() {
            if matches!(owner, Owner::Workers | Owner::Scripts | Owner::Collectors) {
                let theirs = [process.group, process.session].into_iter();
                groups.extend(theirs.filter(|id| !shared.contains(id)).map(|id| (id, *owner)));
            }
        }
        // What guards a program that measures is a child of `lp` in the program's group.
        for (pid, (began, owner)) in &self.known {
            let alive = now.get(pid).filter(|process| process.began == *began && *owner == Owner::Collectors);
            groups.extend(
                alive
                    .filter(|process| !shared.contains(&process.group))
                    .map(|process| (process.group, *owner)),
            );
        }
        let lp_began = now.get(&self.lp).map_or(u64::MAX, |lp| lp.began);
        let known = |pid: u32, process: &Process| {
            self.before.get(&pid).filter(|(known, _)| known.began == process.began)
        };
        let mut owners: HashMap<u32, Owner> = HashMap::with_capacity(now.len());
        for pid in now.keys() {
            let mut path = Vec::new();
            let mut at = *pid;
            let found = loop {
                if let Some(owner) = owners.get(&at) {
                    break *owner;
                }
                let Some(process) = now.get(&at).filter(|_| path.len() <= now.len()) else {
                    break Owner::Others;
                };
                if at == self.lp {
                    break if path.is_empty() { Owner::Lp } else { Owner::Scripts };
                }
                let of_group = [process.group, process.session].iter().find_map(|id| groups.get(id));
                let was = known(at, process).map(|(_, owner)| *owner).filter(|owner| *owner != Owner::Others);
                path.push(at);
                let direct = self.known.get(&at).filter(|(began, _)| *began == process.began);
                let direct = direct.map(|(_, owner)| *owner);
                if let Some(owner) = direct.or(of_group.copied()).or(was) {
                    break owner;
                }
                at = process.parent;
            };
            // All on the way have the same; `lp` is never among them.
            let found = if path.is_empty() { found } else { descendant(found) };
            owners.extend(path.into_iter().map(|pid| (pid, found)));
            owners.entry(*pid).or_insert(found);
        }
        let owner = |(pid, process): (u32, Process)| {
            let mut owner = owners.get(&pid).copied().unwrap_or(Owner::Others);
            // A daemon has left parent, group and session. Its environment is looked at once,
            // and again under another name, as it may have begun another program.
            let is_new = known(pid, &process).is_none_or(|(known, _)| known.name != process.name);
            if owner == Owner::Others && is_new && lp_began <= process.began {
                let owners = [Owner::Workers, Owner::Scripts, Owner::Collectors];
                let marked = owners.into_iter().find(|owner| is_marked(pid, *owner));
                owner = marked.unwrap_or(owner);
            }
            (pid, (process, owner))
        };
        now.into_iter().map(owner).collect()
    }
}

/// The owner of the children of such a process.
fn descendant(owner: Owner) -> Owner {
    if owner == Owner::Lp { Owner::Scripts } else { owner }
}
