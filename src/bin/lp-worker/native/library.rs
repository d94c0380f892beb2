//! OpenVINO's library: where it is, loaded once, and one lock for its calls.
//!
//! `lp-worker` links no OpenVINO. It opens `libopenvino_c.so` by its absolute path when the first
//! element that infers starts, so a worker that infers nothing needs none. A process can have
//! one OpenVINO only; a second path is an error, even to the same version.
//!
//! A version before 2025.4 is refused: the numbers of element types were others there, and
//! the bindings would read floats as something else.
//!
//! A file that is cut off is refused by its name, also one of those that the library opens later.
//!
//! The text of an error lies in one global of the library, so [`calls`] is held over each call
//! that may fail, except inferences, which would then wait for each other.
//!
//! Not here: models and devices (`engine`), and how the library comes to the machine (recipe
//! `openvino` of `configs/models/`).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::elf;

/// The first part of the names of OpenVINO's C library; a version follows: `.2641`.
const NAME: &str = "libopenvino_c.so";

/// The largest C library that is looked into, in bytes. That of 2026.4 has 0.4 MB.
const MOST_LIBRARY: u64 = 64 << 20;

/// The oldest version that is used: year and release.
const OLDEST: (u32, u32) = (2025, 4);

/// The library that this process has loaded, and its version.
static LOADED: Mutex<Option<(PathBuf, String)>> = Mutex::new(None);

/// How the names of files begin that OpenVINO consists of.
const PARTS: [&str; 3] = ["libopenvino", "libtbb", "libhwloc"];

static CALLS: Mutex<()> = Mutex::new(());

/// Held over a call whose error is read.
pub(super) fn calls() -> MutexGuard<'static, ()> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads the library at `path`, a file or the folder that has it; returns its version, such as
/// `2026.4.1-22982-e213a147257-releases/2026/4`.
///
/// # Errors
/// A sentence without its full stop: there is none, it cannot be loaded, it is too old, or
/// another one is loaded.
pub(super) fn load(path: &Path) -> Result<String, String> {
    let file = find(path)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((first, version)) = &*loaded {
        return match *first == file {
            true => Ok(version.clone()),
            false => Err(format!(
                "this worker has loaded OpenVINO from `{}`, and a process can have only one, so `{}` is refused",
                first.display(),
                file.display()
            )),
        };
    }
    if !is_openvino(&file) {
        return Err(format!("`{}` is no OpenVINO library", file.display()));
    }
    if let Some(folder) = file.parent() {
        are_whole(folder)?;
    }
    openvino_sys::library::load_from(file.clone())
        .map_err(|reason| format!("OpenVINO cannot be loaded: {reason}"))?;
    let version = openvino::version().build_number;
    if number(&version).is_none_or(|number| number < OLDEST) {
        let (year, release) = OLDEST;
        return Err(format!(
            "`{}` is OpenVINO {version}, but {year}.{release} or newer is needed",
            file.display()
        ));
    }
    *loaded = Some((file, version.clone()));
    Ok(version)
}

/// The library's file, by an absolute path: plugins are found beside it.
fn find(path: &Path) -> Result<PathBuf, String> {
    let absent = || format!("there is no OpenVINO at `{}`", path.display());
    let path = lp::os::fs::canonicalize(path).map_err(|_| absent())?;
    if lp::os::fs::is_file(&path) {
        return Ok(path);
    }
    let mut names = lp::os::fs::list_names(&path).map_err(|_| absent())?;
    names.retain(|name| is_library(name));
    // The newest, should there be several; one without a version is a link to it.
    names.sort();
    names.last().map(|name| path.join(name)).ok_or_else(|| format!("{}: no `{NAME}` in it", absent()))
}

/// Whether a file names the first function that is called: the bindings end the worker if there is none.
fn is_openvino(file: &Path) -> bool {
    let symbol = b"ov_get_openvino_version";
    lp::os::fs::read_bounded(file, MOST_LIBRARY)
        .is_ok_and(|bytes| bytes.windows(symbol.len()).any(|window| window == symbol))
}

/// Whether the libraries of OpenVINO in this folder have all that their headers announce.
fn are_whole(folder: &Path) -> Result<(), String> {
    let names = lp::os::fs::list_names(folder).unwrap_or_default();
    for name in names.iter().filter(|name| PARTS.iter().any(|part| name.starts_with(part))) {
        let file = folder.join(name);
        let (Ok(head), Ok(metadata)) = (lp::os::fs::read_head(&file, elf::HEAD), lp::os::fs::metadata(&file))
        else {
            continue;
        };
        if let Some(least) = elf::least_size(&head).filter(|least| metadata.len() < *least) {
            return Err(format!(
                "`{}` is cut off: it has {} bytes, and its header announces {least}",
                file.display(),
                metadata.len()
            ));
        }
    }
    Ok(())
}

fn is_library(name: &str) -> bool {
    let Some(version) = name.strip_prefix(NAME) else { return false };
    version.is_empty()
        || version.starts_with('.') && version[1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Year and release of a version.
fn number(version: &str) -> Option<(u32, u32)> {
    let (year, rest) = version.split_once('.')?;
    let release = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((year.parse().ok()?, release.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_2025_4_are_too_old() {
        for (version, is_new) in [
            ("2026.4.1-22982-e213a147257-releases/2026/4", true),
            ("2025.4.0-20398-8fdad55727d", true),
            ("2025.3.0-19807-44526285f24", false),
            ("2024.6.0-17404-4c0f47d2335", false),
            ("custom", false),
        ] {
            assert_eq!(number(version).is_some_and(|number| number >= OLDEST), is_new, "{version}");
        }
    }

    #[test]
    fn another_library_is_refused_before_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libopenvino_c.so");
        lp::os::fs::write_unsynced(&path, b"\x7fELF of something else").unwrap();
        let reason = load(&path).unwrap_err();
        assert!(reason.ends_with("is no OpenVINO library"), "{reason}");
    }

    #[test]
    fn the_library_is_known_by_its_name() {
        let is = |name| is_library(name);
        assert!(is("libopenvino_c.so") && is("libopenvino_c.so.2641") && is("libopenvino_c.so.2026.4.1"));
        assert!(
            !is("libopenvino.so.2641")
                && !is("libopenvino_c.so.old")
                && !is("libopenvino_ir_frontend.so.2641")
        );
    }
}
