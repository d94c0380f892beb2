//! The part of a file that has arrived: `<parts>/<digest of the URL>`, and a note beside it.
//!
//! The note (`.json`) has the validator by which the server recognises its file (a strong
//! `ETag`, or a `Last-Modified` that is old enough), and the announced size. Without one a
//! part cannot be continued, and begins anew. The order of writing is: no note, no bytes, the
//! note, the bytes; so a crash anywhere leaves a part that is what its note says, or no part.
//!
//! Bytes that were not synced may be lost in a power cut, though the size stays. So after a
//! restart of the machine (another boot id) only the synced ones count.
//!
//! The lock on the file keeps a part to one download; a second one of the same URL makes its
//! own, beside its destination. A file that is moved away takes its lock along.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Head;
use crate::digest::ContentDigest;
use crate::os::failpoint::{fs_call, fs_write};
use crate::os::fs::{self, Context, FsError, Linking};
use crate::os::lock::{Mode, try_flock};
use crate::os::proc;
use crate::time::parse_http_date;

/// The version of [`Note`].
const VERSION: u32 = 1;

/// The largest note.
const NOTE: u64 = 64 << 10;

/// What is known of the file of which there is a part. No part of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    version: u32,
    /// The value for `If-Range`.
    validator: String,
    /// The announced size of the whole file, in bytes.
    total: Option<u64>,
    /// The boot of the machine in which it was written.
    boot: String,
    /// How many bytes survive a power cut.
    synced: u64,
}

/// Where a download goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resumption {
    /// The first byte that is asked for. Not 0.
    pub(super) from: u64,
    /// The value for `If-Range`.
    pub(super) validator: String,
    /// The announced size of the whole file.
    pub(super) total: Option<u64>,
}

/// The part of a file that has arrived.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    /// `None` if it is not kept.
    note_path: Option<PathBuf>,
    note: Option<Note>,
    /// In bytes.
    length: u64,
}

/// The name of the part of the file at `url`, in the folder of parts. Its note has the ending
/// `.json`.
#[must_use]
pub fn part_name(url: &str) -> String {
    ContentDigest::of(url.as_bytes()).to_hex()
}

impl Part {
    /// The part of the file at `url`, from an earlier download or empty. `dest` is where a
    /// second one of the same URL goes.
    pub(super) fn take(parts: &Path, url: &str, dest: &Path) -> Result<Part, FsError> {
        fs::create_dir_all(parts)?;
        let path = parts.join(part_name(url));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = fs_call("open", &path, || options.open(&path)).context("open", &path)?;
        // A file system without locks has none that somebody could hold.
        let is_locked = try_flock(&file, Mode::Exclusive).unwrap_or(true);
        if !is_locked || !is_at(&file, &path)? {
            let file = fs_call("create", dest, || File::create_new(dest)).context("create", dest)?;
            return Ok(Part { file, path: dest.to_owned(), note_path: None, note: None, length: 0 });
        }
        let length = file.metadata().context("look at", &path)?.len();
        let note_path = path.with_extension("json");
        let mut part = Part { file, path, note_path: Some(note_path), note: None, length };
        part.recall()?;
        Ok(part)
    }

    /// Reads the note, and cuts off the bytes that do not count.
    fn recall(&mut self) -> Result<(), FsError> {
        let Some(path) = &self.note_path else { return Ok(()) };
        let note = fs::read_bounded(path, NOTE).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let Some(note) = note.filter(|note: &Note| note.version == VERSION) else { return Ok(()) };
        // Of a part that is complete the last byte is asked for again: a server that still has
        // this file says so.
        let last = note.total.map_or(u64::MAX, |total| total.saturating_sub(1));
        let sound = if is_of_this_boot(&note) { u64::MAX } else { note.synced };
        let counts = self.length.min(last).min(sound);
        if counts < self.length {
            self.cut(counts)?;
        }
        self.note = Some(note);
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<(), FsError> {
        fs_call("cut", &self.path, || self.file.set_len(length)).context("write", &self.path)?;
        self.length = length;
        Ok(())
    }

    /// Where the download goes on; `None` if it begins anew.
    pub(super) fn resumption(&self) -> Option<Resumption> {
        let note = self.note.as_ref().filter(|_| self.length > 0)?;
        Some(Resumption { from: self.length, validator: note.validator.clone(), total: note.total })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle of the file, to sync it.
    pub(super) fn handle(&self) -> Result<File, FsError> {
        self.file.try_clone().context("open", &self.path)
    }

    /// The bytes that are there, from the first; reading moves no writer, for
    /// [`Part::go_on`] does.
    pub(super) fn reader(&mut self) -> Result<&mut File, FsError> {
        self.file.seek(SeekFrom::Start(0)).context("read", &self.path)?;
        Ok(&mut self.file)
    }

    /// Drops what is there, and notes the file that begins to arrive.
    pub(super) fn begin(&mut self, head: &Head) -> Result<(), FsError> {
        self.clear()?;
        let Some(path) = &self.note_path else { return Ok(()) };
        if let Some(validator) = validator(head) {
            let note = Note {
                version: VERSION,
                validator,
                total: head.length,
                boot: boot().unwrap_or_default(),
                synced: 0,
            };
            fs::write_atomic(path, &encoded(&note))?;
            self.note = Some(note);
        }
        self.go_on()
    }

    /// Makes ready to write after what is there.
    pub(super) fn go_on(&mut self) -> Result<(), FsError> {
        self.file.seek(SeekFrom::Start(self.length)).context("write", &self.path)?;
        Ok(())
    }

    /// Forgets what is there.
    pub(super) fn clear(&mut self) -> Result<(), FsError> {
        if let Some(path) = &self.note_path {
            fs::remove(path)?;
        }
        self.note = None;
        self.cut(0)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        fs_write(&self.path, bytes, |bytes| self.file.write_all(bytes)).context("write", &self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Syncs the whole file.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        fs_call("sync", &self.path, || self.file.sync_data()).context("sync", &self.path)
    }

    /// Moves the file to its destination.
    pub(super) fn deliver(self, dest: &Path) -> Result<(), FsError> {
        if let Some(note) = &self.note_path {
            // On another file system, it is copied.
            if fs::rename(&self.path, dest).is_err() {
                fs::place(&self.path, dest, 0o666, Linking::Never)?;
                fs::remove(&self.path)?;
            }
            fs::remove(note)?;
        }
        Ok(())
    }

    /// Keeps the part for later if it can be continued, or deletes it.
    pub(super) fn leave(mut self) -> Result<(), FsError> {
        let (Some(path), Some(mut note)) = (self.note_path.clone(), self.note.take()) else {
            return self.delete();
        };
        self.sync()?;
        (note.synced, note.boot) = (self.length, boot().unwrap_or_default());
        fs::write_atomic(&path, &encoded(&note))
    }

    /// Deletes the part.
    pub(super) fn delete(self) -> Result<(), FsError> {
        if let Some(note) = &self.note_path {
            fs::remove(note)?;
        }
        fs::remove(&self.path)
    }
}

/// Whether the open file is the one at `path`: it may have been moved before it was locked.
fn is_at(file: &File, path: &Path) -> Result<bool, FsError> {
    let open = file.metadata().context("look at", path)?;
    let found = fs::look(path)?;
    Ok(found.is_some_and(|found| (found.dev(), found.ino()) == (open.dev(), open.ino())))
}

fn encoded(note: &Note) -> Vec<u8> {
    serde_json::to_vec(note).expect("notes have text keys")
}

fn boot() -> Option<String> {
    proc::read(Path::new("/proc/sys/kernel/random/boot_id")).ok()
}

fn is_of_this_boot(note: &Note) -> bool {
    boot().is_some_and(|boot| boot == note.boot)
}

/// The value for `If-Range` by which a server recognises this file (RFC 9110, 13.1.5): a
/// strong `ETag`, else a `Last-Modified` at least a second older than the response. `None` if
/// the file may change without a change of these.
fn validator(head: &Head) -> Option<String> {
    match (&head.etag, &head.modified) {
        (Some(etag), _) => (etag.starts_with('"') && etag.len() > 2).then(|| etag.clone()),
        (None, Some(modified)) => {
            let [then, now] = [modified, head.date.as_ref()?].map(|date| parse_http_date(date));
            (then? < now?).then(|| modified.clone())
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://user:secret@host/a.mp4";

    fn head(etag: Option<&str>) -> Head {
        Head { length: Some(10), etag: etag.map(str::to_owned), ..Head::default() }
    }

    fn take(folder: &Path) -> Part {
        Part::take(folder, URL, &folder.join("own")).unwrap()
    }

    /// A part of four bytes, left as by `kill -9`.
    fn killed(folder: &Path, etag: Option<&str>) {
        let mut part = take(folder);
        part.begin(&head(etag)).unwrap();
        part.write(b"lane").unwrap();
    }

    fn note_of(folder: &Path) -> PathBuf {
        folder.join(part_name(URL)).with_extension("json")
    }

    #[test]
    fn a_part_goes_on_after_a_kill_and_holds_no_credentials() {
        let folder = tempfile::tempdir().unwrap();
        killed(folder.path(), Some("\"v1\""));
        let part = take(folder.path());
        let resumption = Resumption { from: 4, validator: "\"v1\"".to_owned(), total: Some(10) };
        assert_eq!(part.resumption(), Some(resumption));
        let note = std::fs::read_to_string(note_of(folder.path())).unwrap();
        assert!(!note.contains("secret") && !note.contains("host"), "{note}");
    }

    #[test]
    fn a_part_without_a_strong_validator_begins_anew() {
        for etag in [None, Some("W/\"v1\""), Some("\"\"")] {
            let folder = tempfile::tempdir().unwrap();
            killed(folder.path(), etag);
            assert_eq!(take(folder.path()).resumption(), None, "{etag:?}");
        }
    }

    #[test]
    fn a_date_is_a_validator_if_the_file_has_been_still_since() {
        let dated = |modified: &str, date: Option<&str>| {
            let head = Head {
                modified: Some(modified.to_owned()),
                date: date.map(str::to_owned),
                ..Head::default()
            };
            validator(&head).is_some()
        };
        let (before, now) = ("Sun, 29 Nov 2026 08:12:00 GMT", "Sun, 29 Nov 2026 08:12:01 GMT");
        assert!(dated(before, Some(now)));
        assert!(!dated(now, Some(now)));
        assert!(!dated(before, None));
        assert!(!dated("yesterday", Some(now)));
    }

    #[test]
    fn after_a_restart_of_the_machine_only_synced_bytes_count() {
        let folder = tempfile::tempdir().unwrap();
        killed(folder.path(), Some("\"v1\""));
        let path = note_of(folder.path());
        let mut note: Note = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        note.boot = "another".to_owned();
        std::fs::write(&path, encoded(&note)).unwrap();
        assert_eq!(take(folder.path()).resumption(), None);

        let mut part = take(folder.path());
        part.begin(&head(Some("\"v1\""))).unwrap();
        part.write(b"lane").unwrap();
        part.leave().unwrap();
        let mut note: Note = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        note.boot = "another".to_owned();
        std::fs::write(&path, encoded(&note)).unwrap();
        assert_eq!(take(folder.path()).resumption().map(|resumption| resumption.from), Some(4));
    }

    #[test]
    fn of_a_complete_part_the_last_byte_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = take(folder.path());
        part.begin(&head(Some("\"v1\""))).unwrap();
        part.write(b"0123456789").unwrap();
        drop(part);
        assert_eq!(take(folder.path()).resumption().map(|resumption| resumption.from), Some(9));
    }

    #[test]
    fn a_second_download_of_a_url_has_a_part_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = take(folder.path());
        first.begin(&head(Some("\"v1\""))).unwrap();
        let mut second = Part::take(folder.path(), URL, &folder.path().join("own")).unwrap();
        second.begin(&head(Some("\"v1\""))).unwrap();
        second.write(b"2").unwrap();
        first.write(b"1").unwrap();
        assert_eq!(std::fs::read(folder.path().join("own")).unwrap(), b"2");
        first.deliver(&folder.path().join("done")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("done")).unwrap(), b"1");
        second.leave().unwrap();
        assert_eq!(fs::list_names(folder.path()).unwrap(), ["done"]);
    }
}
