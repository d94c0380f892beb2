//! Compares a file that is there with what it must be.

use std::fs::File;
use std::path::Path;

use super::digests::{Digester, Digests};
use super::{Difference, PinKey, Pins};
use crate::digest::ContentDigest;
use crate::os::fs::{Context, FsError};

/// A file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its size.
    pub bytes: u64,
    /// Its identity in the store.
    pub content: ContentDigest,
    /// Its SHA-256 digest.
    pub sha256: String,
    /// The first pinned size or digest that is not its own.
    pub difference: Option<Difference>,
}

/// Reads a file, and compares it with `pins`.
///
/// # Errors
/// When it cannot be read.
pub fn compare(path: &Path, pins: &Pins) -> Result<Compared, FsError> {
    let mut file = File::open(path).context("open", path)?;
    // Its SHA-256 digest is wanted in any case.
    let wanted = Pins { sha256: Some(String::new()), sha384: pins.sha384.clone(), ..Pins::default() };
    let digester = Digester::start(&wanted).context("read", path)?;
    let mut bytes = 0;
    loop {
        let mut piece = digester.free().recv().expect("the digester returns its buffers");
        match piece.fill(&mut file).context("read", path)? {
            0 => break,
            n => bytes += n as u64,
        }
        digester.add(piece);
    }
    let digests: Digests = digester.finish();
    let size = pins.size.filter(|size| *size != bytes);
    let difference = match size.map(|size| size.to_string()) {
        Some(expected) => Some(Difference { pin: PinKey::Size, expected, actual: bytes.to_string() }),
        None => pins.difference(&digests, path, bytes)?,
    };
    Ok(Compared { bytes, content: digests.content, sha256: digests.sha256.unwrap_or_default(), difference })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_compared_with_every_pin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "lane").unwrap();
        let none = Pins::default();
        let found = compare(&path, &none).unwrap();
        assert_eq!((found.bytes, found.content, &found.difference), (4, ContentDigest::of(b"lane"), &None));
        let blob = "23d39aa8c791e72a8a71e9b1af204346b25be660".to_owned();
        let right = Pins {
            sha256: Some(found.sha256.clone()),
            blake3: Some(found.content.to_hex()),
            git_blob_sha1: Some(blob.clone()),
            size: Some(4),
            ..none.clone()
        };
        assert_eq!(compare(&path, &right).unwrap(), found);
        let difference = |pins: &Pins| {
            let Difference { pin, expected, actual } = compare(&path, pins).unwrap().difference.unwrap();
            (pin, expected, actual)
        };
        let wrong = Pins { git_blob_sha1: Some("00".to_owned()), ..right.clone() };
        assert_eq!(difference(&wrong), (PinKey::GitBlobSha1, "00".to_owned(), blob));
        let wrong = Pins { sha384: Some("00".to_owned()), ..none.clone() };
        assert_eq!(difference(&wrong).0, PinKey::Sha384);
        let wrong = Pins { size: Some(5), ..none };
        assert_eq!(difference(&wrong), (PinKey::Size, "5".to_owned(), "4".to_owned()));
    }
}
