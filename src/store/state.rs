//! What is remembered to be fast: the stat memo, and a few texts by name.
//!
//! The *memo* says which digest a file had when it had a certain
//! [`StatIdentity`]. An entry whose file may have been written since, unseen, is
//! *young*: it is never believed, and [`State::young`] lists those to hash again
//! once their times have aged.
//!
//! The image is one file: magic, version, body, checksum. Nothing in it is
//! needed: it is dropped when it is missing, damaged or of another version.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::digest::ContentDigest;
use crate::os::fs::StatIdentity;

/// What every image of this version begins with.
pub(super) const MAGIC: [u8; 8] = *b"lp-memo\x01";
const CHECKSUM: usize = 32;

/// The memo and the named texts of a store.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    memo: HashMap<PathBuf, Memo>,
    texts: BTreeMap<String, String>,
    is_changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Memo {
    identity: StatIdentity,
    content: ContentDigest,
    age: Age,
}

/// Whether a file could have been written since it was hashed, unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It would show.
    Settled,
    /// Its times were as young as its hashing.
    Young,
}

impl State {
    /// What the file at `path` contains, if that is known for certain.
    #[must_use]
    pub fn recall(&self, path: &Path, identity: &StatIdentity) -> Option<ContentDigest> {
        let memo = self.memo.get(path)?;
        (memo.identity == *identity && memo.age == Age::Settled).then_some(memo.content)
    }

    /// Remembers what a file contains.
    pub fn remember(&mut self, path: &Path, identity: StatIdentity, content: ContentDigest, age: Age) {
        let memo = Memo { identity, content, age };
        let before = self.memo.insert(path.to_path_buf(), memo);
        // Young ones are not written, so they change nothing that is.
        self.is_changed |= before != Some(memo) && age == Age::Settled;
    }

    /// Forgets a file.
    pub fn forget(&mut self, path: &Path) {
        self.is_changed |= self.memo.remove(path).is_some_and(|memo| memo.age == Age::Settled);
    }

    /// The files whose digests are not believed, with the identity they had.
    #[must_use]
    pub fn young(&self) -> Vec<(PathBuf, StatIdentity)> {
        let young = self.memo.iter().filter(|(_, memo)| memo.age == Age::Young);
        young.map(|(path, memo)| (path.clone(), memo.identity)).collect()
    }

    /// A text that was remembered under `name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Remembers a text.
    pub fn set_text(&mut self, name: &str, text: &str) {
        if self.text(name) != Some(text) {
            self.texts.insert(name.to_owned(), text.to_owned());
            self.is_changed = true;
        }
    }

    /// Whether there is something to save.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Says that the image has been written.
    pub fn set_saved(&mut self) {
        self.is_changed = false;
    }

    /// Drops the files that are no longer there, and those outside `folders`: a
    /// store that came from elsewhere remembers paths of there.
    pub fn keep_present(&mut self, folders: &[&Path]) {
        let canonical: Vec<PathBuf> =
            folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let is_inside = |path: &Path| {
            folders.iter().any(|folder| path.starts_with(folder))
                // The project may be reached by several spellings: `-C ../p`, a link.
                || path.canonicalize().is_ok_and(|path| canonical.iter().any(|folder| path.starts_with(folder)))
        };
        self.memo.retain(|path, _| path.exists() && is_inside(path));
    }

    /// The image. Young entries and paths that are not UTF-8 stay out.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut body = MAGIC.to_vec();
        let settled: BTreeMap<&str, &Memo> = self
            .memo
            .iter()
            .filter(|(_, memo)| memo.age == Age::Settled)
            .filter_map(|(path, memo)| Some((path.to_str()?, memo)))
            .collect();
        put_length(&mut body, settled.len());
        for (path, Memo { identity, content, .. }) in settled {
            put_text(&mut body, path);
            for word in [identity.device, identity.inode, identity.size] {
                body.extend_from_slice(&word.to_le_bytes());
            }
            for time in [identity.mtime_ns, identity.ctime_ns] {
                body.extend_from_slice(&time.to_le_bytes());
            }
            body.extend_from_slice(content.as_bytes());
        }
        put_length(&mut body, self.texts.len());
        for (name, text) in &self.texts {
            put_text(&mut body, name);
            put_text(&mut body, text);
        }
        let checksum = blake3::hash(&body);
        body.extend_from_slice(checksum.as_bytes());
        body
    }

    /// Reads an image. `None` if it is damaged or of another version.
    #[must_use]
    pub fn parse(image: &[u8]) -> Option<State> {
        let (body, checksum) = image.split_at_checked(image.len().checked_sub(CHECKSUM)?)?;
        if blake3::hash(body).as_bytes() != checksum {
            return None;
        }
        let mut rest = Reader(body.strip_prefix(&MAGIC)?);
        let mut state = State::default();
        for _ in 0..rest.length()? {
            let path = PathBuf::from(rest.text()?);
            let identity = StatIdentity {
                device: u64::from_le_bytes(rest.array()?),
                inode: u64::from_le_bytes(rest.array()?),
                size: u64::from_le_bytes(rest.array()?),
                mtime_ns: i64::from_le_bytes(rest.array()?),
                ctime_ns: i64::from_le_bytes(rest.array()?),
            };
            let content = ContentDigest::from_bytes(rest.array()?);
            state.memo.insert(path, Memo { identity, content, age: Age::Settled });
        }
        for _ in 0..rest.length()? {
            let name = rest.text()?.to_owned();
            state.texts.insert(name, rest.text()?.to_owned());
        }
        rest.0.is_empty().then_some(state)
    }
}

fn put_length(body: &mut Vec<u8>, length: usize) {
    body.extend_from_slice(&(length as u64).to_le_bytes());
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    put_length(body, text.len());
    body.extend_from_slice(text.as_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn length(&mut self) -> Option<usize> {
        u64::from_le_bytes(self.array()?).try_into().ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}

/// A digest of which files these are, and of values beside them: changes when
/// one of the files was replaced, made or removed, without reading any.
#[must_use]
pub fn stamp(paths: &[PathBuf], values: &[(String, String)]) -> ContentDigest {
    let mut text = String::new();
    for path in paths {
        text.push_str(&format!("{path:?} {:?}\n", StatIdentity::read(path).ok()));
    }
    for (name, value) in values {
        text.push_str(&format!("{name:?} {value:?}\n"));
    }
    ContentDigest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(size: u64) -> StatIdentity {
        StatIdentity { device: 1, inode: 2, size, mtime_ns: -5, ctime_ns: 6 }
    }

    fn sample() -> State {
        let mut state = State::default();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.remember(Path::new("/b"), identity(2), ContentDigest::of(b"b"), Age::Settled);
        state.set_text("machine", "{}");
        state
    }

    #[test]
    fn an_image_is_read_back_and_nothing_else_is() {
        let image = sample().image();
        let state = State::parse(&image).unwrap();
        assert_eq!(state.recall(Path::new("/a"), &identity(1)), Some(ContentDigest::of(b"a")));
        assert_eq!(state.recall(Path::new("/a"), &identity(2)), None);
        assert_eq!(state.text("machine"), Some("{}"));
        assert!(!state.is_changed());
        for at in 0..image.len() {
            let mut damaged = image.clone();
            damaged[at] ^= 1;
            assert_eq!(State::parse(&damaged), None, "byte {at}");
            assert_eq!(State::parse(&image[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn files_of_another_place_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let mut state = State::default();
        for place in [&here, &there] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("x"), "").unwrap();
            for name in ["x", "missing"] {
                state.remember(&place.join(name), identity(1), ContentDigest::of(b"a"), Age::Settled);
            }
        }
        let spelled = there.join("../here/x");
        state.remember(&spelled, identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.keep_present(&[&here]);
        let mut left: Vec<_> = state.memo.keys().collect();
        left.sort();
        assert_eq!(left, [&here.join("x"), &spelled]);
    }

    #[test]
    fn the_young_are_not_believed_and_not_written() {
        let mut state = State::default();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Young);
        assert!(!state.is_changed());
        assert_eq!(state.recall(Path::new("/a"), &identity(1)), None);
        assert_eq!(state.young(), [(PathBuf::from("/a"), identity(1))]);
        assert_eq!(State::parse(&state.image()), Some(State::default()));
    }

    #[test]
    fn what_is_known_already_changes_nothing() {
        let mut state = State::parse(&sample().image()).unwrap();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.set_text("machine", "{}");
        assert!(!state.is_changed());
        state.forget(Path::new("/a"));
        assert!(state.is_changed());
    }

    #[test]
    fn a_stamp_sees_files_come_and_change_and_values_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let of =
            |value: &str| stamp(std::slice::from_ref(&path), &[("GST_DEBUG".to_owned(), value.to_owned())]);
        let missing = of("");
        std::fs::write(&path, "1").unwrap();
        let there = of("");
        std::fs::write(&path, "22").unwrap();
        assert!(missing != there && there != of("") && of("1") != of("2"));
        assert_eq!(of("1"), of("1"));
    }
}
