//! Whole projects: a load says what is wrong or gives a project, never both,
//! and says the same again.
//!
//! An input is the files of a project, with a line `%%%%` between them:
//! `Lpfile.toml`, the camera file, the workload file, the scene that every
//! `scene:NAME` means, the file that every `project.include` means, and one
//! `--set` per line. Those that are missing do not exist.
#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use lp::config::load::{Files, LoadRequest, load_from};
use lp::diag::Severity;
use lp_fuzz::check_diagnostics;

const ROOT: &str = "/p";

struct Memory<'a>(Vec<&'a [u8]>);

impl Memory<'_> {
    fn find(&self, path: &Path) -> Option<&[u8]> {
        let inside = path.strip_prefix(ROOT).ok()?;
        let n = match inside.to_str()? {
            "Lpfile.toml" => 0,
            "configs/camera_to_workload.json" => 1,
            "configs/workload_to_pipeline.json" => 2,
            path if path.starts_with("configs/scenes/") => 3,
            path if path.ends_with(".toml") => 4,
            _ => return None,
        };
        self.0.get(n).copied()
    }
}

impl Files for Memory<'_> {
    fn is_file(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.to_vec()) }
    }

    fn names(&self, _: &Path) -> Vec<String> {
        ["a.toml", "b.toml"].map(str::to_owned).to_vec()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(5).position(|window| window == b"%%%%\n") {
        parts.push(&rest[..at]);
        rest = &rest[at + 5..];
    }
    parts.push(rest);
    let sets = parts.get(5).map(|sets| String::from_utf8_lossy(sets).lines().map(str::to_owned).collect());
    let request =
        LoadRequest { dir: PathBuf::from(ROOT), sets: sets.unwrap_or_default(), ..Default::default() };
    let memory = Memory(parts);

    let mut loaded = load_from(&request, &memory);
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    check_diagnostics(&loaded.diagnostics, &loaded.sources);

    let again = load_from(&request, &memory);
    assert_eq!(loaded.diagnostics.sorted(), again.diagnostics.sorted());
    assert_eq!(format!("{:?}", loaded.project), format!("{:?}", again.project));

    loaded.diagnostics.deny_warnings();
    assert_eq!(loaded.diagnostics.count(Severity::Warning), 0);
});
