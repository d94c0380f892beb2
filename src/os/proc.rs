//! Reading `/proc` and `/sys`.
//!
//! Their files are small, have no useful size and change with every read, so
//! they are read whole. A file that is sampled again and again stays open
//! ([`Pseudofile`]): that halves the cost of a sample. So do the folder of all processes and
//! their files ([`Processes`]).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags};
use rustix::process::{Resource, getrlimit};

/// The whole text of a file, without white space at its end.
///
/// # Errors
/// When the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The names in a folder, sorted. Names that are not UTF-8 are left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether this path exists.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// The last component of what a symbolic link points to: the driver's name for
/// `/sys/class/drm/card0/device/driver`.
///
/// # Errors
/// When there is no such link.
pub fn link_name(path: &Path) -> io::Result<String> {
    let target = std::fs::read_link(path)?;
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
    name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the link has no last component"))
}

/// Where a symbolic link points to, as it is written: `/dev/dri/renderD128` for a file of
/// `/proc/PID/fd`.
///
/// # Errors
/// When there is no such link, or it may not be read.
pub fn link(path: &Path) -> io::Result<PathBuf> {
    std::fs::read_link(path)
}

/// The bytes of a file whose text may be anything: `/proc/PID/stat` has the name of a program.
///
/// # Errors
/// When the file cannot be read.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// The names in `folder` that are `prefix` and a number, by number: `cpu0`, `cpu1`. A
/// folder that is not there has none.
#[must_use]
pub fn numbered(folder: &Path, prefix: &str) -> Vec<String> {
    let number = |name: &String| {
        let digits = name.strip_prefix(prefix)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        digits.parse::<u64>().ok()
    };
    let names = names(folder).unwrap_or_default().into_iter();
    let mut numbered: Vec<(u64, String)> = names.filter_map(|name| Some((number(&name)?, name))).collect();
    numbered.sort();
    numbered.into_iter().map(|(_, name)| name).collect()
}

/// The size of a page of memory in bytes.
#[must_use]
pub fn page_size() -> usize {
    rustix::param::page_size()
}

/// A file that is read again and again from its start. It stays open on a file system that
/// the kernel makes up; elsewhere (in a recorded machine) another file may come in its
/// place, so it is opened each time.
#[derive(Debug)]
pub struct Pseudofile {
    path: PathBuf,
    file: Option<File>,
    text: String,
}

/// `/proc`, `/sys`, and control groups of both versions.
/// <https://man7.org/linux/man-pages/man2/statfs.2.html>
const MADE_UP: [i64; 4] = [0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270];

fn is_made_up(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| MADE_UP.contains(&system.f_type))
}

impl Pseudofile {
    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Pseudofile> {
        let file = File::open(path)?;
        let is_made_up = is_made_up(&file);
        Ok(Pseudofile { path: path.to_owned(), file: is_made_up.then_some(file), text: String::new() })
    }

    /// Its text as it is now.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn read(&mut self) -> io::Result<&str> {
        self.text.clear();
        match &mut self.file {
            Some(file) => {
                file.seek(SeekFrom::Start(0))?;
                file.read_to_string(&mut self.text)?;
            }
            None => {
                File::open(&self.path)?.read_to_string(&mut self.text)?;
            }
        }
        Ok(&self.text)
    }
}

/// Reads small files without keeping them open, or memory for each.
#[derive(Debug, Default)]
pub struct Reader(String);

impl Reader {
    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn read(&mut self, path: &Path) -> io::Result<&str> {
        self.0.clear();
        File::open(path)?.read_to_string(&mut self.0)?;
        Ok(&self.0)
    }
}

/// The most files of processes that stay open, and their part of the files that `lp` may have
/// open: one in eight, so that the most of them are left for workers.
const MOST_OPEN: u64 = 4096;
const PART_OPEN: u64 = 8;

/// A process that nobody wants to know of is read once in so many scans: its number may be
/// another's by then.
const SELDOM: u64 = 10;

/// The processes of a folder `/proc`.
///
/// On a file system that the kernel makes up, `stat` of a process stays open from one scan to
/// the next. It never tells of another process that got the same number later: reading
/// fails once its own has ended.
#[derive(Debug)]
pub struct Processes {
    folder: File,
    entries: Dir,
    path: String,
    text: Vec<u8>,
    open: HashMap<u32, Open>,
    most_open: usize,
    scans: u64,
}

/// `stat` of a process.
#[derive(Debug)]
struct Open {
    file: OwnedFd,
    /// The last scan that found it.
    scan: u64,
    is_wanted: bool,
}

impl Processes {
    /// Opens the folder.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(proc: &Path) -> io::Result<Processes> {
        let folder = File::open(proc)?;
        let entries = Dir::read_from(&folder)?;
        let allowed = getrlimit(Resource::Nofile)
            .current
            .map_or(MOST_OPEN, |allowed| MOST_OPEN.min(allowed / PART_OPEN));
        let most_open = if is_made_up(&folder) { allowed as usize } else { 0 };
        Ok(Processes {
            folder,
            entries,
            path: String::new(),
            text: Vec::new(),
            open: HashMap::new(),
            most_open,
            scans: 0,
        })
    }

    /// Passes the number and the text of `stat` of each process. Those that end
    /// meanwhile, or may not be read, are left out. `each` returns whether it wants to
    /// know of this process: one of which it does not is mostly left out of later scans.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn scan(&mut self, mut each: impl FnMut(u32, &[u8]) -> bool) -> io::Result<()> {
        self.scans += 1;
        self.entries.rewind();
        while let Some(entry) = self.entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !name.first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            let Some(pid) = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let scan = self.scans;
            if let Some(open) = self.open.get_mut(&pid)
                && !open.is_wanted
                && !(scan + u64::from(pid)).is_multiple_of(SELDOM)
            {
                open.scan = scan;
            } else if self.read_stat(pid).is_ok() {
                let is_wanted = each(pid, &self.text);
                self.open.entry(pid).and_modify(|open| open.is_wanted = is_wanted);
            }
        }
        self.open.retain(|_, open| open.scan == self.scans);
        Ok(())
    }

    /// Reads `stat` of a process into `text`.
    fn read_stat(&mut self, pid: u32) -> io::Result<()> {
        if let Some(open) = self.open.get_mut(&pid)
            && read_from(&open.file, &mut self.text).is_ok()
        {
            open.scan = self.scans;
            return Ok(());
        }
        // It has ended, and another process may have its number.
        self.open.remove(&pid);
        let file = open_at(&self.folder, &mut self.path, pid, "stat")?;
        read_from(&file, &mut self.text)?;
        if self.open.len() < self.most_open {
            self.open.insert(pid, Open { file, scan: self.scans, is_wanted: true });
        }
        Ok(())
    }

    /// How many files a process has open; `None` if it has ended, or that may not be seen.
    pub fn open_files(&mut self, pid: u32) -> Option<u64> {
        let folder = open_at(&self.folder, &mut self.path, pid, "fd").ok()?;
        let entries = Dir::new(folder).ok()?.filter_map(Result::ok);
        Some(entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b".")).count() as u64)
    }

    /// Whether the environment of a process has this variable with this value. It does not
    /// if the environment may not be read.
    pub fn has_variable(&mut self, pid: u32, name: &str, value: &str) -> bool {
        let is_meant = |variable: &[u8]| {
            variable.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                == Some(value.as_bytes())
        };
        let file = open_at(&self.folder, &mut self.path, pid, "environ");
        file.is_ok_and(|file| read_from(&file, &mut self.text).is_ok())
            && self.text.split(|byte| *byte == 0).any(is_meant)
    }
}

/// Opens a file of a process. `path` is kept from one call to the next.
fn open_at(proc: &File, path: &mut String, pid: u32, name: &str) -> io::Result<OwnedFd> {
    path.clear();
    let _ = write!(path, "{pid}/{name}");
    Ok(rustix::fs::openat(proc, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Reads a file from its start into `text`, whose memory is kept from one call to the next.
fn read_from(file: impl AsFd, text: &mut Vec<u8>) -> io::Result<()> {
    // A `stat` comes whole with one read; a second one would only find its end.
    const WHOLE: usize = 4096;
    let mut end = 0;
    loop {
        text.resize(end + WHOLE, 0);
        let n = rustix::io::pread(&file, &mut text[end..], end as u64)?;
        end += n;
        if n == 0 || end < WHOLE {
            text.truncate(end);
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_scanned_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("7/stat", "7 (a) R");
        write("7/environ", "A=1\0LP=x y\0");
        write("12x/stat", "no");
        write("self/stat", "no");
        std::fs::create_dir(folder.path().join("9")).unwrap();
        let mut processes = Processes::open(folder.path()).unwrap();
        let mut seen = Vec::new();
        let mut scan = |processes: &mut Processes| {
            processes
                .scan(|pid, text| {
                    seen.push((pid, text.to_vec()));
                    true
                })
                .unwrap();
            seen.sort();
            std::mem::take(&mut seen)
        };
        assert_eq!(scan(&mut processes), [(7, b"7 (a) R".to_vec())]);
        write("9/stat", &"9".repeat(5000));
        let found = scan(&mut processes);
        assert_eq!((found[0].0, found[1].0, found[1].1.len()), (7, 9, 5000));
        assert!(processes.has_variable(7, "LP", "x y"));
        assert!(!processes.has_variable(7, "LP", "x"));
        assert!(!processes.has_variable(8, "LP", "x y"));
        assert_eq!(processes.open_files(7), None);
        ["7/fd/0", "7/fd/12"].iter().for_each(|path| write(path, ""));
        assert_eq!(processes.open_files(7), Some(2));
    }

    #[test]
    fn a_process_that_stays_is_read_afresh_from_an_open_file() {
        let mut processes = Processes::open(Path::new("/proc")).unwrap();
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let (own, pid) = (std::process::id(), child.id());
        let scan = |processes: &mut Processes| {
            let mut seen = Vec::new();
            processes
                .scan(|pid, text| {
                    seen.push((pid, text.to_vec()));
                    true
                })
                .unwrap();
            assert!(
                seen.iter().any(|(pid, text)| *pid == own && text.starts_with(own.to_string().as_bytes()))
            );
            seen.iter().any(|(seen, _)| *seen == pid)
        };
        assert!(scan(&mut processes) && processes.open.contains_key(&pid));
        assert!(scan(&mut processes));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!scan(&mut processes) && !processes.open.contains_key(&pid));
    }

    #[test]
    fn an_open_file_is_read_afresh_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        std::fs::write(&path, "cpu 1\n").unwrap();
        let mut file = Pseudofile::open(&path).unwrap();
        assert_eq!(file.read().unwrap(), "cpu 1\n");
        std::fs::write(folder.path().join("new"), "cpu 22\n").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(file.read().unwrap(), "cpu 22\n");
        let mut uptime = Pseudofile::open(Path::new("/proc/uptime")).unwrap();
        assert!(uptime.file.is_some());
        assert!(!uptime.read().unwrap().is_empty() && !uptime.read().unwrap().is_empty());
        assert_eq!(read(&path).unwrap(), "cpu 22");
    }

    #[test]
    fn numbered_names_are_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cpu10", "cpu2", "cpu", "cpufreq", "cpu1x", "cpu+1"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(numbered(folder.path(), "cpu"), ["cpu2", "cpu10"]);
        assert!(numbered(&folder.path().join("no"), "cpu").is_empty());
    }

    #[test]
    fn a_link_is_named_by_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("driver");
        std::os::unix::fs::symlink("../../bus/pci/drivers/i915", &link).unwrap();
        assert_eq!(link_name(&link).unwrap(), "i915");
        assert_eq!(names(folder.path()).unwrap(), ["driver"]);
    }

    #[test]
    fn a_process_that_is_not_wanted_is_read_once_in_ten_scans() {
        let mut processes = Processes::open(Path::new("/proc")).unwrap();
        let own = std::process::id();
        let mut n_read = 0;
        for _ in 0..40 {
            processes
                .scan(|pid, _| {
                    n_read += u32::from(pid == own);
                    pid != own
                })
                .unwrap();
        }
        // It may have been that one's turn after the first, which does not know yet.
        assert!((4..=5).contains(&n_read), "{n_read}");
        // As soon as it is wanted again, each scan has it.
        (0..20).for_each(|_| processes.scan(|_, _| true).unwrap());
        let mut is_there = false;
        processes
            .scan(|pid, _| {
                is_there |= pid == own;
                true
            })
            .unwrap();
        assert!(is_there);
    }
}
