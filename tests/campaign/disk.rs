//! A disk that is really full: a file system of 16 MiB that is filled to random
//! sizes, with project and store on it.
//!
//! This part runs in a mount namespace of its own, so that what it mounts goes
//! away with it: the campaign starts itself anew through `unshare`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::case::{Case, check_hit};
use crate::random::Random;

const ROUNDS: usize = 4;

/// `unshare` with what this user needs for a mount namespace; `None` if the
/// machine refuses one.
pub(crate) fn unshare() -> Option<Vec<&'static str>> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-rm"]];
    let works = |way: &&[&str]| {
        let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/tmp"];
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(mount).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ways.into_iter().find(works).map(<[&str]>::to_vec)
}

/// A project on a disk of its own, which is mounted here.
pub(crate) fn mounted(random: Random, folder: &Path, n_tasks: usize) -> Case {
    let disk = folder.join("disk");
    fs::create_dir_all(&disk).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&disk).status().unwrap();
    assert!(mounted.success(), "mount says {mounted}");
    // What the campaign itself writes beside the project must find room.
    File::create(folder.join("ran")).unwrap();
    fs::create_dir(folder.join("lock")).unwrap();
    let case = Case::new(random, folder, "disk/p", n_tasks);
    std::os::unix::fs::symlink(folder.join("ran"), disk.join("ran")).unwrap();
    std::os::unix::fs::symlink(folder.join("lock"), disk.join("lock")).unwrap();
    case
}

pub(crate) fn unmount(folder: &Path) {
    let _ = Command::new("umount").arg("-l").arg(folder.join("disk")).status();
}

pub(crate) fn run(case: &mut Case) -> Result<(), String> {
    let ballast = case.root.with_file_name("ballast");
    for round in 0..ROUNDS {
        if round > 0 {
            case.change();
        }
        let clean = case.clean()?;
        // Small remainders are the interesting ones.
        let left = (2_500_000.0 * case.random.fraction().powi(3)) as u64;
        fill(&ballast, left);
        let ended = case.start(&[]).wait()?;
        let failing = case.project.expected().failed.first().map(|_| "exit status 3");
        // The second is what dash says when its own `echo` finds no room.
        let full = ["No space left on device", "echo: I/O error"];
        let reasons: Vec<&str> = full.into_iter().chain(failing).collect();
        case.tell(format!(
            "{left} bytes were free; it ended with {:?} and said:\n{}",
            ended.code, ended.stderr
        ));
        check_hit(&ended, &reasons)?;
        case.count(if full.iter().any(|reason| ended.stderr.contains(reason)) { "full" } else { "not full" });
        fs::remove_file(&ballast).unwrap();
        case.check(&clean)?;
    }
    Ok(())
}

/// Leaves so many bytes free.
fn fill(ballast: &Path, left: u64) {
    let mut file = File::create(ballast).unwrap();
    let stat = rustix::fs::statvfs(ballast.parent().unwrap()).unwrap();
    let mut to_write = (stat.f_bavail * stat.f_bsize).saturating_sub(left);
    let zeros = vec![0; 1 << 16];
    while to_write > 0 {
        let n = to_write.min(zeros.len() as u64);
        if file.write_all(&zeros[..n as usize]).is_err() {
            break;
        }
        to_write -= n;
    }
}
