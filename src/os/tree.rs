//! A folder as one sorted list of its contents, with the digest of each file.
//!
//! A [`Listing`] has exactly one text, and the digest of that text is the
//! digest of the folder. Names, kinds, execute bits, contents and targets of
//! links are part of it; times, owners and other permissions are not.
//!
//! [`digest_through_links`] is the digest of a task's input: it adds the targets of
//! links outside the folder.
//!
//! A listing that was read from bytes is checked: its names stay below the folder
//! and in folders of the same listing, so writing it out follows no link.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fs::{Context, Executable, FsError};
use super::links::FolderWalk;
use crate::digest::ContentDigest;
pub use name::{ItemName, LinkTarget};

mod name;

/// The contents of a folder, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing(Vec<Item>);

/// One file, folder or link below a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Relative to the folder: `frames/0001.png`.
    pub name: ItemName,
    #[serde(flatten)]
    pub node: Node,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Node {
    File {
        /// Of its bytes.
        content: ContentDigest,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A folder; its contents follow.
    Dir,
    Symlink {
        /// As it is written in the link.
        target: LinkTarget,
    },
}

impl Listing {
    /// The listing of `folder`; calls `digest` for every file.
    ///
    /// # Errors
    /// When something cannot be read, or is neither file, folder nor link.
    pub fn read(
        folder: &Path,
        digest: &dyn Fn(&Path) -> Result<ContentDigest, FsError>,
    ) -> Result<Listing, FsError> {
        let mut items = Vec::new();
        collect(folder, None, digest, &mut items)?;
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing(items))
    }

    /// Reads a listing's text. `None` if [`Listing::bytes`] cannot have written it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Listing> {
        let items: Vec<Item> = serde_json::from_slice(bytes).ok()?;
        let mut folders = HashSet::new();
        let mut previous: &[u8] = b"";
        for Item { name, node } in &items {
            let outside = name.parent().is_some_and(|parent| !folders.contains(parent));
            if name.as_bytes() <= previous || outside {
                return None;
            }
            if *node == Node::Dir {
                folders.insert(name.as_bytes());
            }
            previous = name.as_bytes();
        }
        let listing = Listing(items.clone());
        (listing.bytes() == bytes).then_some(listing)
    }

    /// The one text of this listing.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("texts, digests and flags become JSON")
    }

    /// The digest of the folder.
    #[must_use]
    pub fn digest(&self) -> ContentDigest {
        ContentDigest::of(&self.bytes())
    }

    /// In the order of names: a folder before its contents.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.0
    }
}

/// The digest of everything that is read in a folder: its listing's, unless links
/// in it lead out of it. Then their targets are added, by [`FolderWalk`]'s rule.
/// A link to nothing, or to something other than a file or folder, adds only its
/// text.
///
/// # Errors
/// When something cannot be read; see [`Listing::read`].
pub fn digest_through_links(
    folder: &Path,
    digest: &dyn Fn(&Path) -> Result<ContentDigest, FsError>,
) -> Result<ContentDigest, FsError> {
    through_links(folder, &mut FolderWalk::new(folder), digest)
}

/// The target, outside the folder, of a link in it.
#[derive(Serialize)]
struct LinkedContent<'a> {
    name: &'a ItemName,
    content: ContentDigest,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<bool>,
}

fn through_links(
    folder: &Path,
    walked: &mut FolderWalk<'_>,
    digest: &dyn Fn(&Path) -> Result<ContentDigest, FsError>,
) -> Result<ContentDigest, FsError> {
    let listing = Listing::read(folder, digest)?;
    let mut outside = Vec::new();
    for item in listing.items().iter().filter(|item| matches!(item.node, Node::Symlink { .. })) {
        let link = folder.join(item.name.as_path());
        let Ok(target) = std::fs::metadata(&link) else { continue };
        if target.is_dir()
            && let Some(real) = walked.enter(&link)
        {
            let content = through_links(&real, walked, digest);
            walked.leave();
            outside.push(LinkedContent { name: &item.name, content: content?, executable: None });
        } else if target.is_file() && walked.reach(&link).is_some() {
            let executable = Executable::of(&target) == Executable::Yes;
            outside.push(LinkedContent {
                name: &item.name,
                content: digest(&link)?,
                executable: Some(executable),
            });
        }
    }
    if outside.is_empty() {
        return Ok(listing.digest());
    }
    let reached = serde_json::to_vec(&outside).expect("texts, digests and flags become JSON");
    Ok(ContentDigest::of(&[listing.bytes(), reached].concat()))
}

fn collect(
    folder: &Path,
    within: Option<&ItemName>,
    digest: &dyn Fn(&Path) -> Result<ContentDigest, FsError>,
    items: &mut Vec<Item>,
) -> Result<(), FsError> {
    let refused = |path: &Path, why: &str| FsError {
        action: "list",
        path: path.to_path_buf(),
        source: io::Error::new(io::ErrorKind::InvalidData, why.to_owned()),
    };
    for entry in std::fs::read_dir(folder).context("read the folder", folder)? {
        let entry = entry.context("read the folder", folder)?;
        let path = entry.path();
        let name = ItemName::below(within, &entry.file_name());
        let metadata = std::fs::symlink_metadata(&path).context("look at", &path)?;
        let node = if metadata.is_file() {
            let executable = Executable::of(&metadata) == Executable::Yes;
            Node::File { content: digest(&path)?, executable }
        } else if metadata.is_dir() {
            collect(&path, Some(&name), digest, items)?;
            Node::Dir
        } else if metadata.is_symlink() {
            Node::Symlink { target: read_link(&path)? }
        } else {
            return Err(refused(&path, "it is neither a file, a folder nor a link"));
        };
        items.push(Item { name, node });
    }
    Ok(())
}

/// The text of a symbolic link.
///
/// # Errors
/// When it cannot be read.
pub fn read_link(path: &Path) -> Result<LinkTarget, FsError> {
    Ok(LinkTarget::new(&std::fs::read_link(path).context("read the link", path)?))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn plain(path: &Path) -> Result<ContentDigest, FsError> {
        super::super::fs::hash_file(path).map(|(digest, _)| digest)
    }

    #[test]
    fn a_listing_survives_its_text_and_order_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("b/empty")).unwrap();
        for name in ["b/x", "b-x", "a"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("b/x", folder.path().join("link")).unwrap();
        let listing = Listing::read(folder.path(), &plain).unwrap();
        let names: Vec<_> = listing.items().iter().map(|item| item.name.as_path()).collect();
        expect![[r#"["a", "b", "b-x", "b/empty", "b/x", "link"]"#]].assert_eq(&format!("{names:?}"));
        assert_eq!(Listing::parse(&listing.bytes()), Some(listing));
    }

    #[test]
    fn any_name_of_a_linux_file_survives_too() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"a b"[..], b"\"'`$\\", b"new\nline", b"\xff\xfe", b"\x1b[1m", b"-x", b".hidden"] {
            std::fs::create_dir(folder.path().join(OsStr::from_bytes(name))).unwrap();
            std::fs::write(folder.path().join(OsStr::from_bytes(&[name, b"/", name].concat())), name)
                .unwrap();
        }
        std::os::unix::fs::symlink(OsStr::from_bytes(b"\xff"), folder.path().join("link")).unwrap();
        let listing = Listing::read(folder.path(), &plain).unwrap();
        assert_eq!(listing.items().len(), 15);
        assert_eq!(Listing::parse(&listing.bytes()), Some(listing));
    }

    #[test]
    fn contents_and_execute_bits_change_the_digest_and_times_do_not() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        let digest = || Listing::read(folder.path(), &plain).unwrap().digest();
        std::fs::write(&file, "1").unwrap();
        let first = digest();
        std::fs::write(&file, "1").unwrap();
        assert_eq!(digest(), first);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(digest(), first);
    }

    #[test]
    fn link_targets_outside_a_folder_are_in_its_digest() {
        use std::fs;
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["hub/snapshots/1", "hub/blobs", "far/deep"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("hub/blobs/b"), "1").unwrap();
        fs::write(at("far/deep/file"), "1").unwrap();
        let digest = |path: &str| digest_through_links(&at(path), &plain).unwrap();
        // A folder whose links stay inside is its listing.
        symlink("../../blobs/b", at("hub/snapshots/1/model")).unwrap();
        assert_eq!(digest("hub"), Listing::read(&at("hub"), &plain).unwrap().digest());
        let alone = digest("hub/snapshots/1");
        fs::write(at("hub/blobs/b"), "2").unwrap();
        assert_ne!(digest("hub/snapshots/1"), alone);
        // Through two links, with ways back, and with a link to nothing.
        for (target, link) in [
            ("../far", "hub/far"),
            ("../hub", "far/back"),
            ("..", "far/deep/up"),
            ("../..", "hub/blobs/root"),
            ("self", "hub/self"),
            ("nowhere", "hub/gone"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        let before = digest("hub");
        assert_eq!(digest("hub"), before);
        fs::write(at("far/deep/file"), "2").unwrap();
        assert_ne!(digest("hub"), before);
    }

    #[test]
    fn a_listing_that_leaves_its_folder_is_refused() {
        for text in [
            r#"[{"name":"../x","kind":"dir"}]"#,
            r#"[{"name":"/x","kind":"dir"}]"#,
            r#"[{"name":"a","kind":"symlink","target":"/etc"},{"name":"a/x","kind":"dir"}]"#,
            r#"[{"name":"b","kind":"dir"},{"name":"a","kind":"dir"}]"#,
            r#"[ ]"#,
            "",
        ] {
            assert_eq!(Listing::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Listing::parse(br#"[{"name":"a","kind":"dir"},{"name":"a/x","kind":"dir"}]"#).is_some());
    }
}
