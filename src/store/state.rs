//! A cache for speed: the stat memo, and a few strings by name.
//!
//! The *memo* maps a file with a certain [`StatIdentity`] to its digest. An entry
//! whose file may have been written since, undetected, is *young*: it is never
//! trusted, and [`State::young`] lists such files to hash again once their times
//! have aged.
//!
//! ```text
//! image  = "lp-memo" 2, length at the last pruning (u64), n (u64), offset (u32) * n, entry * n,
//!          n (u64), (name, text) * n, checksum (32)
//! entry  = path, device (u64), inode (u64), size (u64), mtime (i64), ctime (i64), digest (32)
//! path, name, text = length (u32), bytes
//! ```
//! A path inside the project is relative to its root, so that a store that moved
//! does not remember two places. Entries are sorted by path, so the image is
//! searched in its stored form and only changes are kept in memory. All of it can
//! be recomputed: it is dropped when it is missing, damaged or of another version.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::digest::ContentDigest;
use crate::os::fs::StatIdentity;
use crate::packed::{Reader, put_bytes, put_long, sealed, unsealed};

/// The first bytes of every image of this version.
pub(super) const MAGIC: [u8; 8] = *b"lp-memo\x02";
/// Bytes of an entry after its path.
const IDENTITY: usize = 40;

/// The memo and the named strings of a store.
#[derive(Debug, Default)]
pub struct State {
    root: PathBuf,
    image: Image,
    /// Changes since the image was read; `None` = forgotten.
    changes: HashMap<PathBuf, Option<Memo>>,
    texts: BTreeMap<String, String>,
    is_changed: bool,
    /// The number of entries after the last pruning.
    n_pruned: usize,
}

/// Sorted entries in their stored form.
#[derive(Debug, Default)]
struct Image {
    bytes: Vec<u8>,
    /// The start of the offsets and of the entries.
    offsets: usize,
    entries: usize,
    n: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Memo {
    identity: StatIdentity,
    content: ContentDigest,
    age: Age,
}

/// Whether a file may have been written since it was hashed, undetected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Settled,
    /// Its times were as recent as its hashing.
    Young,
}

impl State {
    /// An empty state of the project at `root`.
    #[must_use]
    pub fn new(root: &Path) -> State {
        State { root: root.to_path_buf(), ..State::default() }
    }

    fn key<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// The digest of the file at `path`, if it is known for certain.
    #[must_use]
    pub fn recall(&self, path: &Path, identity: &StatIdentity) -> Option<ContentDigest> {
        let memo = self.get(path)?;
        (memo.identity == *identity && memo.age == Age::Settled).then_some(memo.content)
    }

    fn get(&self, path: &Path) -> Option<Memo> {
        let key = self.key(path);
        self.changes.get(key).copied().unwrap_or_else(|| self.image.find(key))
    }

    /// Remembers the digest of a file.
    pub fn remember(&mut self, path: &Path, identity: StatIdentity, content: ContentDigest, age: Age) {
        let memo = Memo { identity, content, age };
        if self.get(path) != Some(memo) {
            self.changes.insert(self.key(path).to_path_buf(), Some(memo));
            // Young entries are not written, so they do not change the image.
            self.is_changed |= age == Age::Settled;
        }
    }

    pub fn forget(&mut self, path: &Path) {
        if let Some(memo) = self.get(path) {
            self.changes.insert(self.key(path).to_path_buf(), None);
            self.is_changed |= memo.age == Age::Settled;
        }
    }

    /// The files whose digests are not trusted, with their identities.
    #[must_use]
    pub fn young(&self) -> Vec<(PathBuf, StatIdentity)> {
        let memos = self.changes.iter().filter_map(|(path, memo)| Some((path, memo.as_ref()?)));
        let young = memos.filter(|(_, memo)| memo.age == Age::Young);
        young.map(|(path, memo)| (self.root.join(path), memo.identity)).collect()
    }

    /// The string stored under `name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    pub fn set_text(&mut self, name: &str, text: &str) {
        if self.text(name) != Some(text) {
            self.texts.insert(name.to_owned(), text.to_owned());
            self.is_changed = true;
        }
    }

    /// Whether there are changes to save.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Marks the image as written.
    pub fn set_saved(&mut self) {
        self.is_changed = false;
    }

    /// Forgets files that no longer exist, if there are so many more entries than
    /// after the last pruning that checking each of them pays off.
    pub fn prune(&mut self) {
        let n = self.image.n + self.changes.len();
        if n <= 2 * self.n_pruned + 1000 {
            return;
        }
        let mut left = 0;
        for (path, memo) in self.image.iter() {
            if !self.changes.contains_key(path) && StatIdentity::read(&self.root.join(path)).is_err() {
                self.changes.insert(path.to_path_buf(), None);
            } else {
                left += usize::from(memo.age == Age::Settled);
            }
        }
        for (path, memo) in &mut self.changes {
            if memo.is_some() && StatIdentity::read(&self.root.join(path)).is_err() {
                *memo = None;
            }
        }
        self.n_pruned = left;
    }

    /// The image, without young entries.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let mut changes: Vec<(&Path, Option<Memo>)> =
            self.changes.iter().map(|(path, memo)| (path.as_path(), *memo)).collect();
        changes.sort_unstable_by_key(|(path, _)| path.as_os_str().as_bytes());
        let mut changes = changes.into_iter().peekable();
        let (mut offsets, mut entries) = (Vec::new(), Vec::with_capacity(self.image.bytes.len()));
        let mut put = |path: &Path, memo: Option<Memo>| {
            let Some(memo) = memo.filter(|memo| memo.age == Age::Settled) else { return };
            // Names beyond 4 GiB are not remembered.
            let Ok(offset) = u32::try_from(entries.len()) else { return };
            offsets.extend_from_slice(&offset.to_le_bytes());
            put_entry(&mut entries, path, &memo);
        };
        for (path, memo) in self.image.iter() {
            let order = |other: &Path| other.as_os_str().as_bytes().cmp(path.as_os_str().as_bytes());
            while let Some((other, change)) = changes.next_if(|(other, _)| order(other).is_lt()) {
                put(other, change);
            }
            match changes.next_if(|(other, _)| order(other).is_eq()) {
                Some((_, change)) => put(path, change),
                None => put(path, Some(memo)),
            }
        }
        for (path, change) in changes {
            put(path, change);
        }
        let mut body = MAGIC.to_vec();
        put_long(&mut body, self.n_pruned as u64);
        put_long(&mut body, (offsets.len() / 4) as u64);
        body.append(&mut offsets);
        body.append(&mut entries);
        put_long(&mut body, self.texts.len() as u64);
        for (name, text) in &self.texts {
            put_bytes(&mut body, name.as_bytes());
            put_bytes(&mut body, text.as_bytes());
        }
        sealed(body)
    }

    /// Reads an image of the project at `root`. `None` if it is damaged or of
    /// another version.
    #[must_use]
    pub fn parse(bytes: Vec<u8>, root: &Path) -> Option<State> {
        let body = unsealed(&bytes)?;
        let mut rest = Reader(body.strip_prefix(&MAGIC)?);
        let n_pruned = usize::try_from(rest.long()?).ok()?;
        let n = usize::try_from(rest.long()?).ok()?;
        let offsets = body.len() - rest.0.len();
        rest.take(n.checked_mul(4)?)?;
        let entries = body.len() - rest.0.len();
        if n > 0 {
            // The strings follow the last entry.
            let last = Reader(body.get(offsets + (n - 1) * 4..)?).short()?;
            rest.take(last)?;
            rest.bytes()?;
            rest.take(IDENTITY + 32)?;
        }
        let mut texts = BTreeMap::new();
        for _ in 0..usize::try_from(rest.long()?).ok()? {
            let name = String::from_utf8(rest.bytes()?.to_vec()).ok()?;
            texts.insert(name, String::from_utf8(rest.bytes()?.to_vec()).ok()?);
        }
        if !rest.0.is_empty() {
            return None;
        }
        let image = Image { bytes, offsets, entries, n };
        Some(State { image, texts, n_pruned, ..State::new(root) })
    }
}

impl Image {
    fn entry(&self, at: usize) -> Option<(&Path, Memo)> {
        let offset = Reader(self.bytes.get(self.offsets + at * 4..)?).short()?;
        let mut rest = Reader(self.bytes.get(self.entries + offset..)?);
        let path = Path::new(OsStr::from_bytes(rest.bytes()?));
        let identity = StatIdentity {
            device: u64::from_le_bytes(rest.array()?),
            inode: u64::from_le_bytes(rest.array()?),
            size: u64::from_le_bytes(rest.array()?),
            mtime_ns: i64::from_le_bytes(rest.array()?),
            ctime_ns: i64::from_le_bytes(rest.array()?),
        };
        let content = ContentDigest::from_bytes(rest.array()?);
        Some((path, Memo { identity, content, age: Age::Settled }))
    }

    fn find(&self, path: &Path) -> Option<Memo> {
        let (mut low, mut high) = (0, self.n);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, memo) = self.entry(middle)?;
            match found.as_os_str().as_bytes().cmp(path.as_os_str().as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(memo),
            }
        }
        None
    }

    fn iter(&self) -> impl Iterator<Item = (&Path, Memo)> {
        (0..self.n).filter_map(|at| self.entry(at))
    }
}

fn put_entry(body: &mut Vec<u8>, path: &Path, Memo { identity, content, .. }: &Memo) {
    put_bytes(body, path.as_os_str().as_bytes());
    for word in [identity.device, identity.inode, identity.size] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    for time in [identity.mtime_ns, identity.ctime_ns] {
        body.extend_from_slice(&time.to_le_bytes());
    }
    body.extend_from_slice(content.as_bytes());
}

/// A digest of these files' identities and of some values: it changes when one of
/// the files is replaced, created or deleted, without reading any.
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

    fn parse(bytes: Vec<u8>) -> Option<State> {
        State::parse(bytes, Path::new("/p"))
    }

    #[test]
    fn a_store_that_moves_remembers_one_place() {
        let mut state = State::new(Path::new("/p"));
        state.remember(Path::new("/p/x"), identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.remember(Path::new("/else/x"), identity(2), ContentDigest::of(b"b"), Age::Settled);
        let mut moved = State::parse(state.image(), Path::new("/q")).unwrap();
        assert_eq!(moved.recall(Path::new("/q/x"), &identity(1)), Some(ContentDigest::of(b"a")));
        assert_eq!(moved.recall(Path::new("/p/x"), &identity(1)), None);
        assert_eq!(moved.recall(Path::new("/else/x"), &identity(2)), Some(ContentDigest::of(b"b")));
        moved.remember(Path::new("/q/x"), identity(3), ContentDigest::of(b"a"), Age::Settled);
        assert_eq!(parse(moved.image()).unwrap().image.n, 2);
    }

    fn sample() -> State {
        let mut state = State::default();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.remember(Path::new("/b"), identity(2), ContentDigest::of(b"b"), Age::Settled);
        state.set_text("machine", "{}");
        state
    }

    #[test]
    fn only_a_valid_image_is_read_back() {
        let image = sample().image();
        let state = parse(image.clone()).unwrap();
        assert_eq!(state.recall(Path::new("/a"), &identity(1)), Some(ContentDigest::of(b"a")));
        assert_eq!(state.recall(Path::new("/a"), &identity(2)), None);
        assert_eq!(state.recall(Path::new("/c"), &identity(2)), None);
        assert_eq!(state.text("machine"), Some("{}"));
        assert!(!state.is_changed());
        assert_eq!(state.image(), image);
        for at in 0..image.len() {
            let mut damaged = image.clone();
            damaged[at] ^= 1;
            assert!(parse(damaged).is_none(), "byte {at}");
            assert!(parse(image[..at].to_vec()).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn changes_are_merged_into_the_image_in_order() {
        let mut state = parse(sample().image()).unwrap();
        let odd = Path::new(OsStr::from_bytes(b"/a\xff\n"));
        for (path, size) in [(Path::new("/0"), 3), (odd, 4), (Path::new("/b"), 5), (Path::new("/z"), 6)] {
            state.remember(path, identity(size), ContentDigest::of(b"new"), Age::Settled);
        }
        state.forget(Path::new("/a"));
        let state = parse(state.image()).unwrap();
        let paths: Vec<_> =
            state.image.iter().map(|(path, memo)| (path.to_owned(), memo.identity.size)).collect();
        let expected = [("/0".into(), 3), (odd.to_owned(), 4), ("/b".into(), 5), ("/z".into(), 6)];
        assert_eq!(paths, expected);
        assert_eq!(state.recall(odd, &identity(4)), Some(ContentDigest::of(b"new")));
        assert_eq!(state.recall(Path::new("/b"), &identity(2)), None);
    }

    #[test]
    fn young_entries_are_not_trusted_and_not_written() {
        let mut state = State::default();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Young);
        assert!(!state.is_changed());
        assert_eq!(state.recall(Path::new("/a"), &identity(1)), None);
        assert_eq!(state.young(), [(PathBuf::from("/a"), identity(1))]);
        assert_eq!(parse(state.image()).unwrap().image.n, 0);
    }

    #[test]
    fn known_facts_change_nothing() {
        let mut state = parse(sample().image()).unwrap();
        state.remember(Path::new("/a"), identity(1), ContentDigest::of(b"a"), Age::Settled);
        state.set_text("machine", "{}");
        state.forget(Path::new("/c"));
        assert!(!state.is_changed());
        state.forget(Path::new("/a"));
        assert!(state.is_changed());
    }

    #[test]
    fn many_deleted_files_are_forgotten() {
        let mut state = State::default();
        for n in 0..2000 {
            state.remember(
                &PathBuf::from(format!("/nowhere/{n}")),
                identity(n),
                ContentDigest::of(b""),
                Age::Settled,
            );
        }
        state.remember(Path::new("/"), identity(1), ContentDigest::of(b""), Age::Settled);
        let mut state = parse(state.image()).unwrap();
        state.prune();
        assert_eq!(parse(state.image()).unwrap().image.n, 1);
    }

    #[test]
    fn a_stamp_depends_on_files_and_values() {
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
