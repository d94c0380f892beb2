//! `lp init`, and the writing of new projects.

use std::path::{Path, PathBuf};

use super::args::{Global, InitArgs};
use super::project::directory;
use super::{Exit, console};
use crate::os;
use crate::path::for_shell;
use crate::workspace::error::{CommandError, Result};

/// The files of a new project: one camera over a synthetic checkout, and schemas for
/// editors.
const FILES: [(&str, &str); 7] = [
    ("Lpfile.toml", include_str!("init/Lpfile.toml")),
    ("configs/camera_to_workload.json", include_str!("init/camera_to_workload.json")),
    ("configs/workload_to_pipeline.json", include_str!("init/workload_to_pipeline.json")),
    ("configs/scenes/fake-scan.toml", include_str!("../../configs/scenes/fake-scan.toml")),
    ("configs/schema/camera.schema.json", include_str!("../../docs/schema/camera.schema.json")),
    ("configs/schema/lpfile.schema.json", include_str!("../../docs/schema/lpfile.schema.json")),
    ("configs/schema/workload.schema.json", include_str!("../../docs/schema/workload.schema.json")),
];

/// The patterns of `.gitignore`.
const IGNORED: &str = "/.lpcache/\n/media/\n/models/\n/results/\n";

pub(super) fn run(global: &Global, args: &InitArgs) -> Result<Exit> {
    let current = directory(global)?;
    let root = args.root.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let files = FILES.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    make(&root, &files, "lp init")?;
    console::note(&format!(
        "made a project of one camera; {}",
        try_in(global, args.root.as_deref(), "lp run")
    ));
    Ok(Exit::Done)
}

/// "try: ...", two commands to paste: they begin with `cd` into the new project at
/// `root`, unless it is the current directory.
pub(super) fn try_in(global: &Global, root: Option<&Path>, then: &str) -> String {
    let way: PathBuf = global.directory.as_deref().into_iter().chain(root).collect();
    let cd = match way.to_string_lossy().as_ref() {
        "" | "." => String::new(),
        // Otherwise `cd` takes it for a flag.
        way if way.starts_with('-') => format!("cd {} && ", for_shell(&format!("./{way}"))),
        way => format!("cd {} && ", for_shell(way)),
    };
    format!("try:\n  {cd}lp check\n  {cd}{then}")
}

/// Writes the files of a new project below `root`, all or none; with a
/// `.gitignore` if there is none. Refuses if one of them exists.
pub(super) fn make(root: &Path, files: &[(String, Vec<u8>)], command: &str) -> Result<()> {
    let there = files.iter().map(|(path, _)| root.join(path)).filter(|path| path.exists());
    let there = there.map(|path| format!("`{}` exists", path.display()));
    if let Some(error) = CommandError::all(there.map(CommandError::refused)) {
        return Err(error.hint(format!("`{command}` writes nothing if one of its files exists")));
    }
    let mut made = Vec::new();
    if let Err(error) = write_all(root, files, &mut made) {
        // All or nothing: a half-written project would be in the way of the next try.
        for path in made {
            let _ = os::fs::remove(&path);
        }
        return Err(error.into());
    }
    Ok(())
}

fn write_all(
    root: &Path,
    files: &[(String, Vec<u8>)],
    made: &mut Vec<PathBuf>,
) -> std::result::Result<(), os::fs::FsError> {
    let ignore = (".gitignore".to_owned(), IGNORED.as_bytes().to_vec());
    let ignore = (!root.join(&ignore.0).exists()).then_some(&ignore);
    for (path, text) in files.iter().chain(ignore) {
        let path = root.join(path);
        os::fs::create_parent(&path)?;
        made.push(path.clone());
        os::fs::write_atomic(&path, text)?;
    }
    Ok(())
}
