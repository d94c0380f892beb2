//! `lp init`, and the writing of new projects.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Global, InitArgs};
use super::project::directory;
use super::{Exit, console};
use crate::os;
use crate::os::fs::Executable;
use crate::path::for_shell;
use crate::workspace::assets::shipped::DETECTOR;
use crate::workspace::error::{CommandError, Result};

/// Files of a project and their texts.
type Texts = [(&'static str, &'static str)];

/// Schemas for editors.
const SCHEMAS: &Texts = &[
    ("configs/schema/camera.schema.json", include_str!("../../docs/schema/camera.schema.json")),
    ("configs/schema/lpfile.schema.json", include_str!("../../docs/schema/lpfile.schema.json")),
    ("configs/schema/workload.schema.json", include_str!("../../docs/schema/workload.schema.json")),
];

/// One camera over a synthetic checkout.
const ONE_CAMERA: &Texts = &[
    ("Lpfile.toml", include_str!("init/Lpfile.toml")),
    ("configs/camera_to_workload.json", include_str!("init/camera_to_workload.json")),
    ("configs/workload_to_pipeline.json", include_str!("init/workload_to_pipeline.json")),
    ("configs/scenes/fake-scan.toml", include_str!("../../configs/scenes/fake-scan.toml")),
];

/// The lane of six cameras that `lp`'s own repository has, with its profiles.
const LANE: &Texts = &[
    ("Lpfile.toml", include_str!("../../Lpfile.toml")),
    ("configs/camera_to_workload.json", include_str!("../../configs/camera_to_workload.json")),
    ("configs/workload_to_pipeline.json", include_str!("../../configs/workload_to_pipeline.json")),
    ("configs/scenes/basket.toml", include_str!("../../configs/scenes/basket.toml")),
    ("configs/scenes/fake-scan.toml", include_str!("../../configs/scenes/fake-scan.toml")),
    ("configs/scenes/hidden-item.toml", include_str!("../../configs/scenes/hidden-item.toml")),
    (
        "configs/scripts/camera_to_workload.json",
        include_str!("../../configs/scripts/camera_to_workload.json"),
    ),
    (
        "configs/scripts/workload_to_pipeline.json",
        include_str!("../../configs/scripts/workload_to_pipeline.json"),
    ),
    (
        "configs/inference/camera_to_workload.json",
        include_str!("../../configs/inference/camera_to_workload.json"),
    ),
    (
        "configs/inference/workload_to_pipeline.json",
        include_str!("../../configs/inference/workload_to_pipeline.json"),
    ),
    ("configs/inference/age.json", include_str!("../../configs/inference/age.json")),
    ("configs/inference/face.json", include_str!("../../configs/inference/face.json")),
    ("configs/inference/gender.json", include_str!("../../configs/inference/gender.json")),
    ("configs/pipelines/codes.sh", include_str!("../../configs/pipelines/codes.sh")),
    ("configs/pipelines/motion.sh", include_str!("../../configs/pipelines/motion.sh")),
];

/// A file of a new project.
pub(super) struct NewFile {
    /// Relative to the project.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

impl NewFile {
    /// Scripts, which are the files with a `#!`, may be executed.
    fn executable(&self) -> Executable {
        if self.bytes.starts_with(b"#!") { Executable::Yes } else { Executable::No }
    }
}

/// The patterns of `.gitignore`.
const IGNORED: &str = "/.lpcache/\n/media/\n/models/\n/results/\n";

pub(super) fn run(global: &Global, args: &InitArgs) -> Result<Exit> {
    let current = directory(global)?;
    let root = args.root.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let (texts, cameras) = if args.lane { (LANE, "six cameras") } else { (ONE_CAMERA, "one camera") };
    let mut files: Vec<NewFile> =
        texts.iter().chain(SCHEMAS).map(|(path, text)| new_file(path, text)).collect();
    if args.lane {
        // Its profile `inference` has cameras with the detector for scenes.
        let (path, bytes) = DETECTOR;
        files.push(NewFile { path: path.to_owned(), bytes: bytes.to_vec() });
    }
    make(&root, &files, "lp init")?;
    if args.json {
        let document = json!({ "version": 1, "root": root, "files": paths(&files) });
        console::out(&format!("{document:#}\n"));
        return Ok(Exit::Done);
    }
    let next = try_in(global, args.root.as_deref(), "lp run");
    console::note(&format!("made a project of {cameras}; {next}"));
    Ok(Exit::Done)
}

/// The paths of new files, relative to the project.
pub(super) fn paths(files: &[NewFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

/// A file as a new project has it: with the schemas where it has them.
fn new_file(path: &str, text: &str) -> NewFile {
    let text = text
        .replace("#:schema docs/schema/", "#:schema configs/schema/")
        .replace("\"../docs/schema/", "\"schema/")
        .replace("\"../../docs/schema/", "\"../schema/");
    NewFile { path: path.to_owned(), bytes: text.into_bytes() }
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
pub(super) fn make(root: &Path, files: &[NewFile], command: &str) -> Result<()> {
    let there = files.iter().map(|file| root.join(&file.path)).filter(|path| path.exists());
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
    files: &[NewFile],
    made: &mut Vec<PathBuf>,
) -> std::result::Result<(), os::fs::FsError> {
    let ignore = NewFile { path: ".gitignore".to_owned(), bytes: IGNORED.as_bytes().to_vec() };
    let ignore = (!root.join(&ignore.path).exists()).then_some(&ignore);
    for file in files.iter().chain(ignore) {
        let path = root.join(&file.path);
        os::fs::create_parent(&path)?;
        made.push(path.clone());
        os::fs::write_atomic_as(&path, &file.bytes, file.executable())?;
    }
    Ok(())
}
