//! Different paths of a project that name one file, because a folder is a link.
//!
//! A task that writes `a/x` and one that writes `b/x` write one file if `b` is a
//! link to `a`, and a task that reads the one waits for the task that writes the
//! other. So tasks are linked by one name of each place. Links inside folders that
//! tasks read are not included: their targets are in the keys.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::task::Task;
use crate::os;
use crate::path::{Layout, ProjectPath};

/// For each path that leads through a link at its end: the name by which its place
/// is known; empty for the project's own folder. Mostly there are none.
#[derive(Debug, Default)]
pub struct Aliases(BTreeMap<ProjectPath, String>);

impl Aliases {
    /// Looks for links on the way to these tasks' inputs and outputs, and at their
    /// inputs. A missing path may be an output.
    #[must_use]
    pub fn find(layout: &Layout, tasks: &[Task]) -> Aliases {
        let mut ways: HashSet<&str> = HashSet::new();
        for task in tasks {
            for path in task.paths() {
                // A known folder implies the folders around it.
                path.folders().take_while(|folder| ways.insert(folder)).for_each(drop);
            }
        }
        ways.extend(tasks.iter().flat_map(|task| &task.inputs).map(ProjectPath::as_str));
        let ways: Vec<&str> = ways.into_iter().collect();
        let links = ways.into_par_iter().filter_map(|way| {
            let path = ProjectPath::new(way).ok()?;
            let place = layout.resolve(&path);
            let is_link = os::fs::look(&place).ok()??.is_symlink();
            is_link.then(|| Some((os::links::destination(&place)?, path))).flatten()
        });
        let mut links: Vec<(PathBuf, ProjectPath)> = links.collect();
        if links.is_empty() {
            return Aliases::default();
        }
        // A folder before its contents.
        links.sort();
        let mut known = FolderNames::new(layout);
        let alias = |(real, path): (PathBuf, ProjectPath)| match known.name_of(&real) {
            Some(name) => (name != path.as_str()).then_some((path, name)),
            None => {
                known.0.push((real, path.as_str().to_owned()));
                None
            }
        };
        let all = Aliases(links.into_iter().filter_map(alias).collect());
        // A link that a task makes is its own output, not its target.
        let outputs = tasks.iter().flat_map(|task| &task.outputs);
        let made: HashSet<Cow<'_, ProjectPath>> = outputs.map(|output| all.by_folders(output)).collect();
        let is_found = |path: &&ProjectPath| !made.contains(all.by_folders(path).as_ref());
        let kept: Vec<ProjectPath> = all.0.keys().filter(is_found).cloned().collect();
        let mut aliases = all.0;
        aliases.retain(|path, _| kept.binary_search(path).is_ok());
        Aliases(aliases)
    }

    /// The one name of the place that `path` leads to.
    #[must_use]
    pub fn name_of<'p>(&self, path: &'p ProjectPath) -> Cow<'p, ProjectPath> {
        self.by(path, std::iter::once(path.as_str()).chain(path.folders()))
    }

    /// The name of `path` itself, even if that is a link.
    fn by_folders<'p>(&self, path: &'p ProjectPath) -> Cow<'p, ProjectPath> {
        self.by(path, path.folders())
    }

    fn by<'p>(&self, path: &'p ProjectPath, ways: impl Iterator<Item = &'p str>) -> Cow<'p, ProjectPath> {
        if self.0.is_empty() {
            return Cow::Borrowed(path);
        }
        let mut found = ways.filter_map(|way| Some((self.0.get(way)?, &path.as_str()[way.len()..])));
        let named = found.next().and_then(|(name, rest)| {
            // The project's own folder has no path.
            ProjectPath::new(format!("{name}{rest}").trim_start_matches('/')).ok()
        });
        named.map_or(Cow::Borrowed(path), Cow::Owned)
    }
}

/// Folders without links, and their names.
struct FolderNames(Vec<(PathBuf, String)>);

impl FolderNames {
    fn new(layout: &Layout) -> FolderNames {
        let mut known = FolderNames(Vec::new());
        let folders = [
            ("", &layout.root),
            ("media", &layout.media),
            ("models", &layout.models),
            ("results", &layout.results),
        ];
        for (name, folder) in folders {
            // A link, or a path through one, has the name of its target.
            if let Ok(real) = os::fs::canonicalize(folder)
                && (name.is_empty() || known.plain(folder, layout).as_ref() == Some(&real))
            {
                known.0.push((real, name.to_owned()));
            }
        }
        known
    }

    /// The path of a folder if only the project's own path has links.
    fn plain(&self, folder: &Path, layout: &Layout) -> Option<PathBuf> {
        match folder.strip_prefix(&layout.root) {
            Ok(below) => Some(self.0.first()?.0.join(below)),
            Err(_) => Some(folder.to_path_buf()),
        }
    }

    /// The name of a place, by the nearest folder around it.
    fn name_of(&self, real: &Path) -> Option<String> {
        let around = self.0.iter().filter(|(folder, _)| real.starts_with(folder));
        let (folder, name) = around.max_by_key(|(folder, _)| folder.as_os_str().len())?;
        let rest = real.strip_prefix(folder).ok()?.to_str()?;
        Some(format!("{name}/{rest}").trim_matches('/').to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::graph::link::tests::task;

    #[test]
    fn every_place_has_one_name() {
        let temporary = tempfile::tempdir().unwrap();
        let (root, far) = (temporary.path().join("p"), temporary.path().join("far"));
        for folder in [root.join("a/sub"), far.join("deep"), root.join("weights")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for (target, link) in [
            ("a", "b"),
            ("b", "c"),
            ("../far/deep", "in"),
            ("../far", "out"),
            ("../far", "media"),
            ("weights", "w"),
            ("nowhere", "gone"),
            (".", "self"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        std::fs::write(root.join("a/x"), "").unwrap();
        symlink("b/x", root.join("x")).unwrap();
        let layout = Layout { models: root.join("weights"), ..Layout::new(root) };
        symlink("x", layout.root.join("a/made")).unwrap();
        let made = task("m: > a/made");
        let tasks = [
            made,
            task(
                "t: a/made b/made b/x c/sub/x x in/1 w/m > out/deep/1 media/2 models/m gone/y self/a/x plain/z",
            ),
        ];
        let aliases = Aliases::find(&layout, &tasks);
        let name_of = |text: &str| aliases.name_of(&ProjectPath::new(text).unwrap()).to_string();
        for (path, name) in [
            ("b/x", "a/x"),
            ("c/sub/x", "a/sub/x"),
            ("x", "a/x"),
            ("self/a/x", "a/x"),
            ("a/x", "a/x"),
            ("a/made", "a/made"),
            ("b/made", "a/made"),
            ("plain/z", "plain/z"),
            ("gone/y", "nowhere/y"),
            ("w/m", "models/m"),
            ("models/m", "models/m"),
        ] {
            assert_eq!(name_of(path), name, "{path}");
        }
        // A path outside has the name of one link to it.
        assert_eq!(name_of("in/1"), name_of("out/deep/1"));
        assert_eq!(name_of("media/2"), name_of("out/2"));
    }
}
