//! Which processes hold a lock, from `/proc`.
//!
//! `/proc/locks` names the process that *took* a lock; children that inherited
//! it are only found by their descriptors: `fdinfo` has a `lock:` line where the
//! open file holds one, and none for a waiter.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::Holder;
use crate::text::harmless;

/// The processes that hold a lock, as far as this user may see them.
#[derive(Debug)]
pub(super) struct Holders(Vec<u32>);

impl Holders {
    /// Of the lock on `file`.
    pub(super) fn of(file: &File) -> Holders {
        let Ok(wanted) = file.metadata() else { return Holders(Vec::new()) };
        let is_wanted = |fd: &std::fs::DirEntry| {
            std::fs::metadata(fd.path())
                .is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
        };
        let mut holders = Vec::new();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let descriptors = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
            let holds = descriptors.filter(is_wanted).any(|fd| {
                std::fs::read_to_string(process.path().join("fdinfo").join(fd.file_name())).is_ok_and(
                    |info| info.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK")),
                )
            });
            if holds {
                holders.push(pid);
            }
        }
        Holders(holders)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        self.0.contains(&pid)
    }

    /// One of them, by its command line.
    pub(super) fn first(&self) -> Holder {
        let unseen = || Holder { pid: None, what: "a process that is not visible from here".to_owned() };
        self.0.first().map_or_else(unseen, |pid| Holders::name(*pid))
    }

    /// A process by its command line.
    pub(super) fn name(pid: u32) -> Holder {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        let what = match text.trim_end() {
            "" => "a process".to_owned(),
            command => format!("`{}`", harmless(command)),
        };
        Holder { pid: Some(pid), what }
    }
}
