//! Reads one file of a package: of a wheel (a ZIP) or of a package of npm (a tar in gzip).
//!
//! A package is written by somebody else. Nothing of it is executed, and only the file that
//! was asked for is written, to a place that the caller names, so no name in a package leads
//! anywhere. It must be a regular file, not a link or a folder. The caller limits the bytes
//! that are written, [`MOST_UNPACKED`] those that are unpacked on the way.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::fs::{Context, FsError};
use crate::text::counted;

/// The most bytes of a tar that are unpacked to find a file, as they cannot be skipped.
const MOST_UNPACKED: u64 = 16 << 30;

/// The longest name in a tar, and the largest header with one, in bytes.
const LONGEST_NAME: u64 = 64 << 10;

/// The most names that are compared with a missing one.
const MOST_NAMES: usize = 100_000;

/// The format of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.whl`
    Wheel,
    /// `.tgz`
    Tarball,
}

/// The file that is wanted of a package.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Exactly as the package names it.
    pub path: &'a str,
    /// The part of it: the first byte, and the one after the last. `None` = all of it.
    pub bytes: Option<(u64, u64)>,
    /// The most bytes that are written.
    pub limit: u64,
    /// Whether to give up.
    pub is_cancelled: &'a dyn Fn() -> bool,
}

/// Why a file was not read, to follow the name of its package.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("has no file `{path}`{}", did_you_mean(nearest))]
    Missing {
        path: String,
        /// Names of files like it, at most three.
        nearest: Vec<String>,
    },
    #[error("has {kind} at `{path}`, not a file")]
    NotAFile { path: String, kind: &'static str },
    #[error("has more than {} at `{path}`", counted(*limit, "byte"))]
    TooLarge { path: String, limit: u64 },
    #[error("has {} at `{path}`, too few for bytes {from} to {to}", counted(*length, "byte"))]
    TooShort { path: String, length: u64, from: u64, to: u64 },
    #[error("is damaged")]
    Damaged(#[source] io::Error),
    #[error("cannot be unpacked")]
    Fs(#[from] FsError),
}

fn did_you_mean(nearest: &[String]) -> String {
    let names: Vec<String> =
        nearest.iter().map(|name| format!("`{}`", crate::text::harmless(name))).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("; it has {}", names.join(", ")),
    }
}

fn damaged(error: impl Into<io::Error>) -> ArchiveError {
    ArchiveError::Damaged(error.into())
}

/// Writes the wanted file of a package to `dest`, which must not exist yet.
///
/// # Errors
/// When the package has no such file, or it is no regular one, too large or damaged; or when
/// it cannot be written. A part of it may be at `dest` then.
pub fn unpack(package: &Path, format: Format, wanted: &Wanted<'_>, dest: &Path) -> Result<(), ArchiveError> {
    let file = File::open(package).context("open", package)?;
    let file = BufReader::new(Cancellable { file, is_cancelled: wanted.is_cancelled });
    match format {
        Format::Wheel => from_wheel(file, wanted, dest),
        Format::Tarball => from_tarball(file, wanted, dest),
    }
}

/// A file that ends with an error when its reader gives up.
struct Cancellable<'a> {
    file: File,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl Read for Cancellable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.is_cancelled)() {
            return Err(io::Error::other("it was interrupted"));
        }
        self.file.read(buffer)
    }
}

impl Seek for Cancellable<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn from_wheel(
    file: BufReader<Cancellable<'_>>,
    wanted: &Wanted<'_>,
    dest: &Path,
) -> Result<(), ArchiveError> {
    let mut wheel = zip::ZipArchive::new(file).map_err(damaged)?;
    let Some(index) = wheel.index_for_name(wanted.path) else {
        let names = wheel.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
        return Err(missing(wanted.path, names.take(MOST_NAMES).collect()));
    };
    let member = wheel.by_index(index).map_err(damaged)?;
    // The type is in the upper bits; programs of other systems leave it out.
    let kind = member.unix_mode().map_or(0, |mode| mode & 0o170_000);
    match kind {
        0 | 0o100_000 => copy(member, wanted, dest),
        0o120_000 => Err(not_a_file(wanted.path, "a link")),
        _ => Err(not_a_file(wanted.path, "something else")),
    }
}

/// What the headers before an entry of a tar say of it.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

fn from_tarball(
    file: BufReader<Cancellable<'_>>,
    wanted: &Wanted<'_>,
    dest: &Path,
) -> Result<(), ArchiveError> {
    let unpacked = flate2::bufread::GzDecoder::new(file).take(MOST_UNPACKED);
    let mut tar = tar::Archive::new(unpacked);
    let mut names = Vec::new();
    let mut ahead = Ahead::default();
    // Headers of long names are read here, since the crate reads those of any length into memory.
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let text = read_name(&mut entry)?;
            if kind.is_gnu_longname() {
                ahead.name = Some(text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
            } else {
                read_extensions(&text, &mut ahead)?;
            }
            continue;
        }
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            continue;
        }
        let Ahead { name, size } = std::mem::take(&mut ahead);
        if size.is_some_and(|size| size != entry.size()) {
            return Err(damaged(io::Error::other("a file in it has two sizes")));
        }
        let name = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        if name == wanted.path.as_bytes() {
            return match kind {
                kind if kind.is_file() => copy(entry, wanted, dest),
                kind if kind.is_symlink() || kind.is_hard_link() => Err(not_a_file(wanted.path, "a link")),
                kind if kind.is_dir() => Err(not_a_file(wanted.path, "a folder")),
                _ => Err(not_a_file(wanted.path, "something else")),
            };
        }
        if names.len() < MOST_NAMES {
            names.push(String::from_utf8_lossy(&name).into_owned());
        }
    }
    Err(missing(wanted.path, names))
}

/// The contents of a header with a name.
fn read_name(entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut text = Vec::new();
    entry.take(LONGEST_NAME + 1).read_to_end(&mut text).map_err(damaged)?;
    if text.len() as u64 > LONGEST_NAME {
        return Err(damaged(io::Error::other("a name in it is too long")));
    }
    Ok(text)
}

fn read_extensions(text: &[u8], ahead: &mut Ahead) -> Result<(), ArchiveError> {
    for extension in tar::PaxExtensions::new(text) {
        let extension = extension.map_err(damaged)?;
        match extension.key_bytes() {
            b"path" => ahead.name = Some(extension.value_bytes().to_vec()),
            b"size" => ahead.size = extension.value().ok().and_then(|size| size.parse().ok()),
            _ => {}
        }
    }
    Ok(())
}

fn not_a_file(path: &str, kind: &'static str) -> ArchiveError {
    ArchiveError::NotAFile { path: path.to_owned(), kind }
}

/// The error for a file that is not among these.
fn missing(path: &str, names: Vec<String>) -> ArchiveError {
    let is_inside = |name: &String| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if names.iter().any(is_inside) {
        return not_a_file(path, "a folder");
    }
    ArchiveError::Missing { path: path.to_owned(), nearest: nearest(path, names) }
}

/// The names that are most like `path`, at most three: first by the name of the file, then
/// by its folders.
fn nearest(path: &str, names: Vec<String>) -> Vec<String> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let wanted = last(path);
    let mut near: Vec<(f64, String)> = names
        .into_iter()
        .filter(|name| !name.ends_with('/') && name.len() <= 1000)
        .map(|name| {
            let of_file = strsim::normalized_levenshtein(&wanted, &last(&name));
            (of_file, name)
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .collect();
    let of_folders = |name: &str| strsim::normalized_levenshtein(path, name);
    near.sort_by(|(a, one), (b, other)| {
        b.total_cmp(a)
            .then_with(|| of_folders(other).total_cmp(&of_folders(one)))
            .then_with(|| one.cmp(other))
    });
    near.truncate(3);
    near.into_iter().map(|(_, name)| name).collect()
}

fn copy(mut member: impl Read, wanted: &Wanted<'_>, dest: &Path) -> Result<(), ArchiveError> {
    let path = wanted.path.to_owned();
    let (from, to) = wanted.bytes.unwrap_or((0, u64::MAX));
    let mut file = File::create_new(dest).context("create", dest)?;
    let mut buffer = vec![0; 64 << 10];
    let (mut at, mut written) = (0_u64, 0_u64);
    while at < to {
        let most = usize::try_from(to - at).unwrap_or(usize::MAX).min(buffer.len());
        let n = match member.read(&mut buffer[..most]) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(damaged(error)),
        };
        let before = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(n);
        at += n as u64;
        written += (n - before) as u64;
        if written > wanted.limit {
            return Err(ArchiveError::TooLarge { path, limit: wanted.limit });
        }
        file.write_all(&buffer[before..n]).context("write", dest)?;
    }
    match wanted.bytes {
        Some((from, to)) if at < to => Err(ArchiveError::TooShort { path, length: at, from, to }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A member of a package: its name, its contents, and the kind of a tar's entry.
    type Member<'a> = (&'a str, &'a [u8], tar::EntryType);
    const FILE: tar::EntryType = tar::EntryType::Regular;

    fn wheel(members: &[Member<'_>]) -> Vec<u8> {
        let mut wheel = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, bytes, kind) in members {
            let options = zip::write::SimpleFileOptions::default();
            if kind.is_symlink() {
                wheel.add_symlink(*name, "elsewhere", options).unwrap();
                continue;
            }
            wheel.start_file(*name, options).unwrap();
            wheel.write_all(bytes).unwrap();
        }
        wheel.finish().unwrap().into_inner()
    }

    fn tarball(members: &[Member<'_>]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Default::default()));
        for (name, bytes, kind) in members {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            if kind.is_symlink() || kind.is_hard_link() {
                tar.append_link(&mut header, name, "elsewhere").unwrap();
            } else {
                tar.append_data(&mut header, name, *bytes).unwrap();
            }
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn text_of(format: Format, package: &[u8], wanted: &Wanted<'_>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (package_path, dest) = (folder.path().join("package"), folder.path().join("dest"));
        std::fs::write(&package_path, package).unwrap();
        match unpack(&package_path, format, wanted, &dest) {
            Ok(()) => format!("{:?}", String::from_utf8_lossy(&std::fs::read(dest).unwrap())),
            Err(error @ ArchiveError::Damaged(_)) => error.to_string(),
            Err(error) => {
                let length = std::fs::metadata(&dest).map_or(0, |found| found.len());
                assert!(length <= wanted.limit, "{length} bytes were written");
                error.to_string()
            }
        }
    }

    /// What both formats give for a file of these members.
    #[track_caller]
    fn check(members: &[Member<'_>], path: &str, bytes: Option<(u64, u64)>, expect: Expect) {
        let wanted = Wanted { path, bytes, limit: 1000, is_cancelled: &|| false };
        let of_wheel = text_of(Format::Wheel, &wheel(members), &wanted);
        assert_eq!(of_wheel, text_of(Format::Tarball, &tarball(members), &wanted));
        expect.assert_eq(&of_wheel);
    }

    #[test]
    fn a_file_or_a_part_of_it_is_read_by_its_exact_name() {
        let long = format!("p/{}/x.bin", "folder/".repeat(40));
        let members: &[Member<'_>] = &[("p/a.txt", b"other", FILE), ("p/x.bin", b"0123456789", FILE)];
        check(members, "p/x.bin", None, expect![[r#""0123456789""#]]);
        check(members, "p/x.bin", Some((2, 5)), expect![[r#""234""#]]);
        check(members, "p/x.bin", Some((0, 10)), expect![[r#""0123456789""#]]);
        check(
            members,
            "p/x.bin",
            Some((8, 12)),
            expect!["has 10 bytes at `p/x.bin`, too few for bytes 8 to 12"],
        );
        check(&[(&long, b"deep", FILE)], &long, None, expect![[r#""deep""#]]);
        // A name that leads elsewhere is only a name.
        let wanted = Wanted { path: "x", bytes: None, limit: 1000, is_cancelled: &|| false };
        let text = text_of(Format::Wheel, &wheel(&[("../../x", b"up", FILE)]), &wanted);
        assert_eq!(text, "has no file `x`; it has `../../x`");
    }

    #[test]
    fn a_missing_file_is_told_with_its_nearest_names() {
        let members: &[Member<'_>] = &[
            ("p/models/face_short.tflite", b"1", FILE),
            ("p/face_short.tflite", b"2", FILE),
            ("p/face_long.tflite", b"3", FILE),
            ("p/LICENSE", b"4", FILE),
        ];
        check(
            members,
            "p/face_short.tflit",
            None,
            expect![
                "has no file `p/face_short.tflit`; it has `p/face_short.tflite`, `p/models/face_short.tflite`, `p/face_long.tflite`"
            ],
        );
        check(members, "q", None, expect!["has no file `q`"]);
        check(members, "p/models", None, expect!["has a folder at `p/models`, not a file"]);
    }

    #[test]
    fn a_link_is_no_file() {
        let link: &[Member<'_>] = &[("p/x", b"", tar::EntryType::Symlink)];
        check(link, "p/x", None, expect!["has a link at `p/x`, not a file"]);
        let wanted = Wanted { path: "p/x", bytes: None, limit: 1000, is_cancelled: &|| false };
        let hard = tarball(&[("p/x", b"", tar::EntryType::Link)]);
        assert_eq!(text_of(Format::Tarball, &hard, &wanted), "has a link at `p/x`, not a file");
        let device = tarball(&[("p/x", b"", tar::EntryType::Char)]);
        assert_eq!(text_of(Format::Tarball, &device, &wanted), "has something else at `p/x`, not a file");
    }

    #[test]
    fn a_file_that_unpacks_without_end_stops_at_the_limit() {
        let bomb = vec![0; 10 << 20];
        check(&[("p/x", &bomb, FILE)], "p/x", None, expect!["has more than 1000 bytes at `p/x`"]);
        // The part that is wanted is small.
        check(&[("p/x", &bomb, FILE)], "p/x", Some((9 << 20, (9 << 20) + 2)), expect![[r#""\0\0""#]]);
        let long = "x".repeat(1 << 20);
        let wanted = Wanted { path: "p/x", bytes: None, limit: 1000, is_cancelled: &|| false };
        assert_eq!(text_of(Format::Tarball, &tarball(&[(&long, b"", FILE)]), &wanted), "is damaged");
    }

    #[test]
    fn damaged_packages_are_refused() {
        let wanted = Wanted { path: "p/x", bytes: None, limit: 1000, is_cancelled: &|| false };
        let members: &[Member<'_>] = &[("p/x", b"0123456789", FILE)];
        for (format, package) in [(Format::Wheel, wheel(members)), (Format::Tarball, tarball(members))] {
            for n in 0..package.len() - 1 {
                let text = text_of(format, &package[..n], &wanted);
                // The end of a tar is only zeros.
                assert!(text == "is damaged" || (format == Format::Tarball && text.contains("0123456789")));
            }
            assert_eq!(text_of(format, b"<html>", &wanted), "is damaged");
        }
        let cancelled = Wanted { is_cancelled: &|| true, ..wanted };
        assert_eq!(text_of(Format::Wheel, &wheel(members), &cancelled), "is damaged");
    }
}
