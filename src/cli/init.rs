//! `lp init`

use super::args::{Global, InitArgs};
use super::open::directory;
use super::{Exit, console};
use crate::os;

/// The files of a new project: one camera over a drawn checkout.
const FILES: [(&str, &str); 4] = [
    ("Lpfile.toml", include_str!("init/Lpfile.toml")),
    ("configs/camera_to_workload.json", include_str!("init/camera_to_workload.json")),
    ("configs/workload_to_pipeline.json", include_str!("init/workload_to_pipeline.json")),
    ("configs/scenes/fake-scan.toml", include_str!("../../configs/scenes/fake-scan.toml")),
];

/// What git should not see.
const IGNORED: &str = "/.lpcache/\n/media/\n/models/\n/results/\n";

pub(super) fn run(global: &Global, args: &InitArgs) -> anyhow::Result<Exit> {
    let current = directory(global)?;
    let root = args.root.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let there: Vec<&str> =
        FILES.iter().map(|(path, _)| *path).filter(|path| root.join(path).exists()).collect();
    if !there.is_empty() {
        for path in there {
            console::note(&format!("error: `{}` exists", root.join(path).display()));
        }
        console::note("  hint: `lp init` writes nothing if one of its files exists");
        return Ok(Exit::Refused);
    }
    let mut made = Vec::new();
    if let Err(error) = write_all(&root, &mut made) {
        // All or nothing: a half-written project would be in the way of the next try.
        for path in made {
            let _ = os::fs::remove(&path);
        }
        return Err(error.into());
    }
    let at = args.root.as_ref().map_or(String::new(), |at| format!("cd {} && ", at.display()));
    console::note(&format!("made a project of one camera; try:\n  {at}lp check\n  {at}lp run"));
    Ok(Exit::Done)
}

fn write_all(root: &std::path::Path, made: &mut Vec<std::path::PathBuf>) -> Result<(), os::fs::FsError> {
    let ignore = (!root.join(".gitignore").exists()).then_some((".gitignore", IGNORED));
    for (path, text) in FILES.into_iter().chain(ignore) {
        let path = root.join(path);
        os::fs::create_parent(&path)?;
        made.push(path.clone());
        os::fs::write_atomic(&path, text.as_bytes())?;
    }
    Ok(())
}
