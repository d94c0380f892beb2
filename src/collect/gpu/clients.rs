//! Which processes have clients of GPUs: those with an open file of `/dev/dri`.
//!
//! Every second the processes of the run are looked at, and every ten seconds all: a process is the
//! run's if a worker or `lp` is among its ancestors, or if it has inherited the mark of one
//! (`processes::MARK`), as in a container. A process that the run starts later is found within ten
//! seconds.
//!
//! Not here: what a client says (`fdinfo`), and what that means (`usage`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::fdinfo::{self, Client};
use crate::collect::Place;
use crate::collect::processes::{MARK, parent, script_mark, worker_mark};
use crate::os::proc::{self, Processes};

/// The name of the namespace of processes that is the whole machine: `PROC_PID_INIT_INO` of Linux.
const WHOLE: &str = "pid:[4026531836]";

/// The error of a process that has ended.
const ESRCH: i32 = 3;

/// The processes of a machine.
#[derive(Debug)]
pub(super) struct Scanner {
    proc: PathBuf,
    /// `lp` and its workers.
    roots: Vec<u32>,
    marks: [String; 2],
    environments: Processes,
    /// The processes of the run, when all were looked at last.
    own: BTreeSet<u32>,
    /// Open files that are none of a GPU, likewise. Most of those of a process are.
    others: HashMap<u32, HashSet<String>>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) clients: Vec<Found>,
    /// Open files of a GPU whose driver counts nothing.
    pub(super) bare: Vec<Bare>,
    /// The number of processes of the run whose open files may not be read.
    pub(super) hidden_own: usize,
    /// Likewise, of others; `None` if only the run's were looked at.
    pub(super) hidden_others: Option<usize>,
    /// Why not all processes can even be seen.
    pub(super) unseen: Option<&'static str>,
}

impl Scan {
    /// Counts a process whose open files cannot be read.
    fn hide(&mut self, is_own: bool) {
        if is_own {
            self.hidden_own += 1;
        } else {
            self.hidden_others = self.hidden_others.map(|n| n + 1);
        }
    }
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) pid: u32,
    pub(super) is_own: bool,
    pub(super) client: Client,
}

#[derive(Debug)]
pub(super) struct Bare {
    pub(super) is_own: bool,
    /// `renderD128`
    pub(super) node: String,
}

impl Scanner {
    pub(super) fn new(place: &Place<'_>) -> io::Result<Scanner> {
        let proc = place.root.join("proc");
        Ok(Scanner {
            environments: Processes::open(&proc)?,
            proc,
            roots: place.workers.iter().copied().chain([place.lp]).collect(),
            marks: [worker_mark(place.lp), script_mark(place.lp)],
            own: BTreeSet::new(),
            others: HashMap::new(),
        })
    }

    /// Looks at all processes.
    pub(super) fn all(&mut self) -> io::Result<Scan> {
        let pids = proc::names(&self.proc)?;
        let pids: Vec<u32> = pids.iter().filter_map(|pid| pid.parse().ok()).collect();
        let parents: HashMap<u32, u32> = pids
            .iter()
            .filter_map(|pid| {
                match proc::bytes(&self.proc.join(pid.to_string()).join("stat")) {
                    Ok(stat) => Some((*pid, parent(&stat)?)),
                    // It has ended, or it is a recorded one without the file: somebody's.
                    Err(_) => Some((*pid, 0)),
                }
            })
            .collect();
        (self.own, self.others) = (BTreeSet::new(), HashMap::new());
        let unseen = self.unseen(&pids);
        let mut scan = Scan { hidden_others: Some(0), unseen, ..Scan::default() };
        // Threads of the kernel have no parent here, and no client.
        for pid in pids.into_iter().filter(|pid| parents.contains_key(pid)) {
            let is_own = self.is_descendant(pid, &parents);
            if is_own {
                self.own.insert(pid);
            }
            self.look_at(pid, is_own, &mut scan);
        }
        Ok(scan)
    }

    /// Looks at the processes of the run.
    pub(super) fn own(&mut self) -> Scan {
        let mut scan = Scan::default();
        for pid in self.own.clone() {
            self.look_at(pid, true, &mut scan);
        }
        scan
    }

    /// Why this is not every process of the machine; `None` if it is.
    fn unseen(&self, pids: &[u32]) -> Option<&'static str> {
        if proc::link(&self.proc.join("self/ns/pid")).is_ok_and(|name| name.as_os_str() != WHOLE) {
            return Some("`/proc` shows only processes of this container");
        }
        (!pids.contains(&1)).then_some("`/proc` shows only processes of this user (`hidepid`)")
    }

    fn is_descendant(&self, pid: u32, parents: &HashMap<u32, u32>) -> bool {
        // Parents are read one after another, so they might make a circle.
        let mut ancestors = std::iter::successors(Some(pid), |pid| parents.get(pid).copied()).take(64);
        ancestors.any(|pid| self.roots.contains(&pid))
    }

    /// Whether a process has inherited the mark of this run.
    fn is_marked(&mut self, pid: u32) -> bool {
        self.marks.iter().any(|mark| self.environments.has_variable(pid, MARK, mark))
    }

    fn look_at(&mut self, pid: u32, is_own: bool, scan: &mut Scan) {
        let folder = self.proc.join(pid.to_string());
        let (names, has_links) = match proc::names(&folder.join("fd")) {
            Ok(names) => (names, true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                scan.hide(is_own);
                return;
            }
            // It has ended, or it is a recorded one, whose links were not kept.
            Err(_) => (proc::names(&folder.join("fdinfo")).unwrap_or_default(), false),
        };
        let mut nodes = Vec::new();
        let others = self.others.entry(pid).or_default();
        for name in names {
            if others.contains(&name) {
                continue;
            }
            let node = proc::link(&folder.join("fd").join(&name)).ok().and_then(|path| node(&path));
            if node.is_some() || !has_links {
                nodes.push((name, node));
            } else {
                others.insert(name);
            }
        }
        if nodes.is_empty() {
            return;
        }
        let is_own = is_own || self.is_marked(pid);
        if is_own {
            self.own.insert(pid);
        }
        let mut is_hidden = false;
        for (name, node) in nodes {
            let text = match proc::read(&folder.join("fdinfo").join(&name)) {
                Ok(text) => text,
                // It was closed meanwhile, or its process has ended.
                Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => {
                    continue;
                }
                Err(_) => {
                    is_hidden = true;
                    continue;
                }
            };
            match fdinfo::read(&text) {
                Some(client) if client.has_counters() => scan.clients.push(Found { pid, is_own, client }),
                _ => scan.bare.extend(node.map(|node| Bare { is_own, node })),
            }
        }
        if is_hidden {
            scan.hide(is_own);
        }
    }
}

/// The node of a GPU that a path names: `renderD128` of `/dev/dri/renderD128`.
fn node(path: &Path) -> Option<String> {
    let is_dri = path.parent()?.ends_with("dev/dri");
    let name = path.file_name()?.to_str()?.split(' ').next()?;
    (is_dri && (name.starts_with("card") || name.starts_with("renderD"))).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_gpus_are_told_from_other_files() {
        for (path, expected) in [
            ("/dev/dri/renderD128", Some("renderD128")),
            ("/dev/dri/card0 (deleted)", Some("card0")),
            ("/run/host/dev/dri/card1", Some("card1")),
            ("/home/card0", None),
            ("/dev/dri/by-path", None),
            ("socket:[123]", None),
        ] {
            assert_eq!(node(Path::new(path)).as_deref(), expected, "{path}");
        }
    }
}
