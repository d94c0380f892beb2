//! `lp` as a process among others: started, killed, looked for.
//!
//! Each `lp` leads a session of its own, and all that it starts stays in it; so
//! a case can kill it alone or with everything below it, and see what is left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// No build of a campaign takes that long.
const LIMIT: Duration = Duration::from_secs(120);

/// An `lp` that runs.
pub(crate) struct Running {
    child: Child,
    began: Instant,
    /// Where its texts go: stdout and stderr.
    texts: [PathBuf; 2],
}

/// What is left of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) pid: u32,
    /// `None` if it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Running {
    /// Starts `lp` with these arguments in the project `root`; its texts go to
    /// files beside the project.
    pub(crate) fn start(
        root: &Path,
        passed: usize,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Running {
        static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let n = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let beside = root.parent().unwrap();
        let lock = beside.join("lock");
        fs::create_dir_all(&lock).unwrap();
        let texts = ["stdout", "stderr"]
            .map(|name| std::env::temp_dir().join(format!("lp-campaign-{}-{n}.{name}", std::process::id())));
        let lp = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
        let mut command = Command::new("setsid");
        command
            .arg(lp)
            .args(arguments)
            .current_dir(root)
            .env("LP_LOCK_DIR", lock)
            .env("NO_COLOR", "1")
            .env("P", passed.to_string())
            .env_remove("LP_PROFILE")
            .stdin(Stdio::null())
            .stdout(File::create(&texts[0]).unwrap())
            .stderr(File::create(&texts[1]).unwrap());
        for (name, value) in environment {
            command.env(name, value);
        }
        let began = Instant::now();
        Running { child: command.spawn().unwrap(), began, texts }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Result<Ended, String> {
        self.wait_within(LIMIT)
    }

    /// Waits for its end, at most for so long.
    pub(crate) fn wait_within(mut self, limit: Duration) -> Result<Ended, String> {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let [stdout, stderr] = self.texts.map(|place| {
                    let bytes = fs::read(&place).unwrap_or_default();
                    let _ = fs::remove_file(&place);
                    String::from_utf8_lossy(&bytes).into_owned()
                });
                return Ok(Ended {
                    pid: self.child.id(),
                    code: status.code(),
                    stdout,
                    stderr,
                    took: self.began.elapsed(),
                });
            }
            if self.began.elapsed() > limit {
                self.kill_all();
                let _ = self.child.wait();
                let text = fs::read_to_string(&self.texts[1]).unwrap_or_default();
                return Err(format!("it did not end within {} s:\n{text}", limit.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it run for so long, but not beyond its end.
    pub(crate) fn run_for(&mut self, time: Duration) {
        while self.began.elapsed() < time && self.child.try_wait().unwrap().is_none() {
            let left = time.saturating_sub(self.began.elapsed());
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
    }

    /// Sends it a signal, and nobody else.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process(self.pid(), signal);
    }

    /// Kills it with all that it has started.
    pub(crate) fn kill_all(&self) {
        self.signal(Signal::KILL);
        // What is being started while this looks is found the next time.
        while !kill_session(self.child.id()) {}
    }
}

/// Kills what is left of a session. Whether nothing was.
fn kill_session(session: u32) -> bool {
    let members: Vec<i32> = processes()
        .filter(|(pid, stat)| stat.session == session && stat.state != 'Z' && *pid as u32 != session)
        .map(|(pid, _)| pid)
        .collect();
    for pid in &members {
        let pid = Pid::from_raw(*pid).filter(|pid| pid.as_raw_nonzero().get() > 1);
        let _ = rustix::process::kill_process(pid.unwrap(), Signal::KILL);
    }
    members.is_empty()
}

struct Stat {
    state: char,
    session: u32,
}

fn processes() -> impl Iterator<Item = (i32, Stat)> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The command's name may hold anything, but it ends with the last parenthesis.
        let mut words = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = words.next()?.chars().next()?;
        Some((pid, Stat { state, session: words.nth(2)?.parse().ok()? }))
    })
}

/// The processes that work somewhere below `folder`, by their command lines.
pub(crate) fn alive_below(folder: &Path) -> Vec<String> {
    let here = fs::canonicalize(folder).unwrap();
    let is_here =
        |pid: i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&here));
    processes()
        .filter(|(pid, stat)| stat.state != 'Z' && is_here(*pid))
        .map(|(pid, _)| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid} {}", String::from_utf8_lossy(&command).replace('\0', " "))
        })
        .collect()
}
