//! A folder as one list: what is below it, sorted, with the digest of each file.
//!
//! A [`Listing`] has exactly one text, and the digest of that text is the
//! digest of the folder. Names, kinds, execute bits, contents and targets of
//! links count; times, owners and other permissions do not.
//!
//! A listing that was read from bytes is checked: its names stay below the
//! folder and stand in folders of the same listing, so it can be written out
//! without following anybody's link.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fs::{Context, Executable, FsError};
use crate::digest::ContentDigest;
use crate::path::ProjectPath;

/// What is below a folder, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing(Vec<Item>);

/// One file, folder or link below a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Relative to the folder: `frames/0001.png`.
    pub name: ProjectPath,
    /// What it is.
    #[serde(flatten)]
    pub node: Node,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Node {
    /// A regular file.
    File {
        /// Of its bytes.
        content: ContentDigest,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A folder; what is in it follows.
    Dir,
    /// A symbolic link.
    Symlink {
        /// As it is written in the link.
        target: String,
    },
}

impl Listing {
    /// What is below `folder`; `digest` is asked for every file.
    ///
    /// # Errors
    /// When something cannot be read, is neither file, folder nor link, or has
    /// a name that is not UTF-8 or contains a control character.
    pub fn read(
        folder: &Path,
        digest: &dyn Fn(&Path) -> Result<ContentDigest, FsError>,
    ) -> Result<Listing, FsError> {
        let mut items = Vec::new();
        collect(folder, "", digest, &mut items)?;
        items.sort_by(|a, b| a.name.as_str().as_bytes().cmp(b.name.as_str().as_bytes()));
        Ok(Listing(items))
    }

    /// Reads a listing's text. `None` if it is none that [`Listing::bytes`]
    /// could have written.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Listing> {
        let items: Vec<Item> = serde_json::from_slice(bytes).ok()?;
        let mut folders = HashSet::new();
        let mut previous = "";
        for Item { name, node } in &items {
            let name = name.as_str();
            let parent = name.rsplit_once('/').map(|(parent, _)| parent);
            if name.as_bytes() <= previous.as_bytes()
                || parent.is_some_and(|parent| !folders.contains(parent))
            {
                return None;
            }
            if *node == Node::Dir {
                folders.insert(name);
            }
            previous = name;
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

    /// In the order of names: a folder before what is in it.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.0
    }
}

fn collect(
    folder: &Path,
    prefix: &str,
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
        let name = std::str::from_utf8(entry.file_name().as_bytes())
            .ok()
            .and_then(|name| ProjectPath::new(&format!("{prefix}{name}")).ok())
            .ok_or_else(|| refused(&path, "the name is not UTF-8 or contains a control character"))?;
        let metadata = std::fs::symlink_metadata(&path).context("look at", &path)?;
        let node = if metadata.is_file() {
            let executable = Executable::of(&metadata) == Executable::Yes;
            Node::File { content: digest(&path)?, executable }
        } else if metadata.is_dir() {
            collect(&path, &format!("{name}/"), digest, items)?;
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

/// What is written in a symbolic link.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_link(path: &Path) -> Result<String, FsError> {
    let target = std::fs::read_link(path).context("read the link", path)?;
    target.into_os_string().into_string().map_err(|_| FsError {
        action: "read the link",
        path: path.to_path_buf(),
        source: io::Error::new(io::ErrorKind::InvalidData, "its target is not UTF-8"),
    })
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
        let names: Vec<_> = listing.items().iter().map(|item| item.name.as_str()).collect();
        expect![[r#"["a", "b", "b-x", "b/empty", "b/x", "link"]"#]].assert_eq(&format!("{names:?}"));
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
