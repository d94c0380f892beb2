//! What is in a folder, to be compared byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everything below a folder by path: names, kinds, execute bits, contents.
pub(crate) type Tree = BTreeMap<String, Node>;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File { bytes: Vec<u8>, executable: bool },
    Folder,
    Link(String),
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Node::File { bytes, executable } => {
                let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
                let mode = if *executable { "an executable file" } else { "a file" };
                write!(f, "{mode} of {} bytes, {begin:?}", bytes.len())
            }
            Node::Folder => f.write_str("a folder"),
            Node::Link(target) => write!(f, "a link to {target}"),
        }
    }
}

/// What is below `root`, but not in `.lpcache`.
pub(crate) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(root, "", &mut tree);
    tree
}

fn collect(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name == ".lpcache" {
            continue;
        }
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let node = if metadata.is_symlink() {
            Node::Link(fs::read_link(&path).unwrap().to_string_lossy().into_owned())
        } else if metadata.is_dir() {
            collect(&path, &format!("{name}/"), tree);
            Node::Folder
        } else {
            let executable = metadata.permissions().mode() & 0o100 != 0;
            Node::File { bytes: fs::read(&path).unwrap(), executable }
        };
        tree.insert(name, node);
    }
}

/// The differences of `found` from `wanted`, at most ten of them.
pub(crate) fn differences(wanted: &Tree, found: &Tree, is_left_alone: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut paths: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    paths.sort();
    paths.dedup();
    let differing = paths
        .into_iter()
        .filter(|path| wanted.get(*path) != found.get(*path) && !is_left_alone(path))
        .map(|path| {
            let shown = |node: Option<&Node>| node.map_or("nothing".to_owned(), |node| format!("{node:?}"));
            format!("{path}: {} instead of {}", shown(found.get(path)), shown(wanted.get(path)))
        });
    differing.take(10).collect()
}

/// Removes whatever is there.
pub(crate) fn remove(place: &Path) {
    let Ok(metadata) = fs::symlink_metadata(place) else { return };
    if metadata.is_dir() { fs::remove_dir_all(place) } else { fs::remove_file(place) }.unwrap();
}

/// The regular files below a folder, as paths relative to it, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if folder.is_dir() {
        let mut tree = Tree::new();
        collect(folder, "", &mut tree);
        found.extend(
            tree.into_iter().filter(|(_, node)| matches!(node, Node::File { .. })).map(|(path, _)| path),
        );
    }
    found
}
