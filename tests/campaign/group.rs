//! A control group of version 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Gone when it is dropped.
pub(crate) struct Group(PathBuf);

impl Group {
    /// A group with these files. Why it cannot be made here, if it cannot.
    pub(crate) fn make(controller: &str, files: &[(&str, String)]) -> Result<Group, String> {
        let folder = Path::new("/sys/fs/cgroup").join(controller);
        let folder = folder.join(format!("lp-campaign-{}", std::process::id()));
        let refused =
            |error: std::io::Error| format!("no control group of `{controller}` can be made here: {error}");
        fs::create_dir(&folder).map_err(refused)?;
        let group = Group(folder);
        for (file, value) in files {
            let is_there = group.0.join(file).exists();
            if !is_there {
                return Err(format!("the control group has no `{file}`"));
            }
            fs::write(group.0.join(file), value).map_err(refused)?;
        }
        Ok(group)
    }

    /// Arguments of `sh`, after which come a program and its arguments: the group has it before it
    /// is started.
    pub(crate) fn enter<'a>(&self, sh: &'a mut Command) -> &'a mut Command {
        sh.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.0)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }
}

impl Drop for Group {
    /// Ends what is still in it: the kernel may have killed only a part.
    fn drop(&mut self) {
        let gone = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < gone {
            let pids = self.read("cgroup.procs");
            for pid in pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::yield_now();
        }
    }
}
