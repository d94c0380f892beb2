//! Paths inside a project, which mean the same on every machine.
//!
//! A [`ProjectPath`] is relative to the project root, has no `.` and no `..`, and
//! so cannot leave the project. Its first part may be one of the roots of
//! `[paths]`: `media/`, `models/` and `results/` name those folders wherever they
//! are, in every hashed document too. [`Layout`] turns it into a path of this
//! machine.
//!
//! One kind of path names a file that may lie anywhere: `file:/NAME`, a video of the
//! user's that a camera names ([`ProjectPath::own`]). It is read, never written.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::text::{harmless, is_unseen};

/// Why a string is no path inside the project.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// The string is empty.
    #[error("the path is empty")]
    Empty,
    /// `/x`.
    #[error("`{}` is absolute, but must be relative to the project", harmless(.0))]
    Absolute(String),
    /// `../x`, or `a/../../x`.
    #[error("`{}` leaves the project", harmless(.0))]
    Leaves(String),
    /// A NUL: no file name contains one.
    #[error("`{}` contains a NUL character", harmless(.0))]
    Nul(String),
}

/// The first part of [`ProjectPath::own`].
const OWN: &str = "file:";

/// A path relative to the project root: `media/clips/scan-640x360-15.mp4`.
///
/// Normal components only, joined by `/`; never empty. It may contain any character
/// but NUL, so [`Display`](fmt::Display) escapes control characters, while
/// [`ProjectPath::as_str`] returns the path itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

impl ProjectPath {
    /// Parses a path. `./a//b/` becomes `a/b`.
    ///
    /// # Errors
    /// When the string is empty, is absolute, leaves the project, or contains a
    /// NUL.
    pub fn new(text: &str) -> Result<ProjectPath, PathError> {
        if text.contains('\0') {
            return Err(PathError::Nul(text.to_owned()));
        }
        let mut parts: Vec<&str> = Vec::new();
        for component in Path::new(text).components() {
            match component {
                Component::Prefix(_) | Component::RootDir => {
                    return Err(PathError::Absolute(text.to_owned()));
                }
                Component::CurDir => {}
                Component::ParentDir => {
                    if parts.pop().is_none() {
                        return Err(PathError::Leaves(text.to_owned()));
                    }
                }
                Component::Normal(part) => parts.push(part.to_str().expect("a part of a str is a str")),
            }
        }
        if parts.is_empty() {
            return Err(PathError::Empty);
        }
        Ok(ProjectPath(parts.join("/")))
    }

    /// This path with one more component.
    ///
    /// # Panics
    /// If `name` is not a single normal component: names come from slugs and
    /// checked file names.
    #[must_use]
    pub fn join(&self, name: &str) -> ProjectPath {
        assert!(
            !name.is_empty() && name != "." && name != ".." && !name.contains('/'),
            "`{name}` is one component"
        );
        ProjectPath(format!("{}/{name}", self.0))
    }

    /// The video outside the project that a camera calls `name`: `file:/scan.mp4`.
    /// [`Layout::files`] has its place.
    ///
    /// # Panics
    /// If `name` is not a single normal component: it is a checked file name.
    #[must_use]
    pub fn own(name: &str) -> ProjectPath {
        ProjectPath(OWN.to_owned()).join(name)
    }

    /// The name of a video outside the project.
    #[must_use]
    pub fn own_name(&self) -> Option<&str> {
        self.0.strip_prefix(OWN)?.strip_prefix('/')
    }

    /// The string, parts joined by `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders around it, the innermost first: `a/b` and `a` of `a/b/c`.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').map(|(end, _)| &self.0[..end])
    }

    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().expect("rsplit yields at least one part")
    }

    /// Whether this path is `other` or lies inside it.
    #[must_use]
    pub fn is_within(&self, other: &ProjectPath) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&harmless(&self.0))
    }
}

/// A word of a command to paste into a POSIX shell: in single quotes where the
/// shell would split or expand it.
#[must_use]
pub fn for_shell(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,=%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Allows look-ups by string in a map with paths as keys.
impl Borrow<str> for ProjectPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<ProjectPath, PathError> {
        ProjectPath::new(&text)
    }
}

impl From<ProjectPath> for String {
    fn from(path: ProjectPath) -> String {
        path.0
    }
}

/// Where a project's folders are on this machine. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The project root: the folder of `Lpfile.toml`.
    pub root: PathBuf,
    /// `[paths] media`
    pub media: PathBuf,
    /// `[paths] models`
    pub models: PathBuf,
    /// `[paths] results`
    pub results: PathBuf,
    /// Videos outside the project that cameras name, by their names: the places of
    /// [`ProjectPath::own`].
    pub files: BTreeMap<String, PathBuf>,
}

impl Layout {
    /// The layout with the folders of `[paths]` at their defaults.
    #[must_use]
    pub fn new(root: PathBuf) -> Layout {
        let (media, models, results) = (root.join("media"), root.join("models"), root.join("results"));
        Layout { root, media, models, results, files: BTreeMap::new() }
    }

    /// The place of `path` on this machine.
    #[must_use]
    pub fn resolve(&self, path: &ProjectPath) -> PathBuf {
        let (first, rest) = path.0.split_once('/').unwrap_or((&path.0, ""));
        let base = match first {
            "media" => &self.media,
            "models" => &self.models,
            "results" => &self.results,
            _ => {
                let own = path.own_name().and_then(|name| self.files.get(name));
                return own.cloned().unwrap_or_else(|| self.root.join(&path.0));
            }
        };
        if rest.is_empty() { base.clone() } else { base.join(rest) }
    }

    /// The same place relative to its folder of `[paths]`, if it is in one that is
    /// inside the project: with `media = "videos"`, `videos/x.mp4` is
    /// `media/x.mp4`.
    #[must_use]
    pub fn named(&self, path: ProjectPath) -> ProjectPath {
        let roots = [("media", &self.media), ("models", &self.models), ("results", &self.results)];
        // By bytes and without an allocation, since nearly all projects stop here.
        let root = self.root.as_os_str().as_encoded_bytes();
        let is_default = |name: &str, folder: &Path| {
            let below = folder.as_os_str().as_encoded_bytes().strip_prefix(root);
            below.and_then(|below| below.strip_prefix(b"/")) == Some(name.as_bytes())
        };
        if roots.iter().all(|(name, folder)| is_default(name, folder)) {
            return path;
        }
        let place = self.resolve(&path);
        let within = roots.iter().filter(|(_, folder)| **folder != self.root && place.starts_with(folder));
        // The innermost, if one is inside another.
        let Some((name, folder)) = within.max_by_key(|(_, folder)| folder.as_os_str().len()) else {
            return path;
        };
        let rest = place.strip_prefix(folder).ok().and_then(Path::to_str).unwrap_or_default();
        ProjectPath(if rest.is_empty() { (*name).to_owned() } else { format!("{name}/{rest}") })
    }

    /// The path of an absolute place inside the project or one of its folders, by names
    /// alone: links are not followed.
    #[must_use]
    pub fn path_of(&self, place: &Path) -> Option<ProjectPath> {
        let mut clean = PathBuf::new();
        for component in place.components() {
            match component {
                Component::ParentDir => drop(clean.pop()),
                Component::CurDir => {}
                other => clean.push(other),
            }
        }
        if let Ok(path) = clean.strip_prefix(&self.root) {
            return Some(self.named(ProjectPath::new(path.to_str()?).ok()?));
        }
        let roots = [("media", &self.media), ("models", &self.models), ("results", &self.results)];
        roots.iter().find_map(|(name, folder)| {
            let rest = clean.strip_prefix(folder).ok()?.to_str()?;
            ProjectPath::new(&format!("{name}/{rest}")).ok()
        })
    }

    /// `path` for messages and commands in the project root: relative if it is
    /// inside.
    #[must_use]
    pub fn shown(&self, path: &ProjectPath) -> PathBuf {
        let absolute = self.resolve(path);
        absolute.strip_prefix(&self.root).map_or_else(|_| absolute.clone(), Path::to_path_buf)
    }

    /// A text of `lp`'s own with the places of videos outside the project instead of
    /// their paths in documents.
    #[must_use]
    pub fn in_words(&self, text: String) -> String {
        self.files.iter().fold(text, |text, (name, place)| {
            let path = format!("`{}`", ProjectPath::own(name));
            if text.contains(&path) { text.replace(&path, &format!("`{}`", shown(place))) } else { text }
        })
    }

    /// The file that a pipeline writes when the user plays it in the project root:
    /// `results/NAME`, where `NAME` may have several parts.
    #[must_use]
    pub fn shown_output(&self, name: &str) -> PathBuf {
        let absolute = self.results.join(name);
        absolute.strip_prefix(&self.root).map_or_else(|_| absolute.clone(), Path::to_path_buf)
    }

    /// The folders that contain outputs.
    #[must_use]
    pub fn folders(&self) -> [&Path; 4] {
        [&self.root, &self.media, &self.models, &self.results]
    }

    /// The folder of the store.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join(".lpcache")
    }

    /// The folder with the settings of searches for the density that have no answer yet.
    #[must_use]
    pub fn searches(&self) -> PathBuf {
        self.cache().join("density")
    }

    /// The folder with the environments in which models are converted.
    #[must_use]
    pub fn environments(&self) -> PathBuf {
        self.cache().join("environments")
    }

    /// The folder with the parts of files whose download was interrupted.
    #[must_use]
    pub fn parts(&self) -> PathBuf {
        self.cache().join("partial")
    }
}

/// A place on this machine, for people.
#[must_use]
pub fn shown(place: &Path) -> String {
    harmless(&place.to_string_lossy()).into_owned()
}

/// Whether `name` can be a file name in a folder of `lp`: one normal component of
/// at most 200 visible bytes that does not begin with a dot or a dash.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    let one_part = Path::new(name).file_name() == Some(OsStr::new(name));
    // The file system's limit is 255 bytes, and a clip's size and rate are added.
    one_part && name.len() <= 200 && !name.starts_with(['.', '-']) && !name.contains(is_unseen)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let shown = match ProjectPath::new(text) {
            Ok(path) => path.to_string(),
            Err(error) => format!("error: {error}"),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn a_path_is_normalised_and_stays_inside() {
        check("./a//b/", expect!["a/b"]);
        check("a/../b", expect!["b"]);
        check("", expect!["error: the path is empty"]);
        check(
            "/etc/passwd",
            expect!["error: `/etc/passwd` is absolute, but must be relative to the project"],
        );
        check("a/../../b", expect!["error: `a/../../b` leaves the project"]);
        check("a\0b", expect![[r"error: `a\u{0}b` contains a NUL character"]]);
    }

    #[test]
    fn a_control_character_is_part_of_a_path_and_escaped_where_people_see_it() {
        let path = ProjectPath::new("a\nb \"c\"\u{1b}[1m").unwrap();
        assert_eq!(path.as_str(), "a\nb \"c\"\u{1b}[1m");
        check(path.as_str(), expect![[r#"a\nb "c"\u{1b}[1m"#]]);
    }

    #[test]
    fn roots_name_the_folders_of_paths() {
        let mut layout = Layout::new("/p".into());
        layout.media = "/videos".into();
        let path = ProjectPath::new("media/clips/x.mp4").unwrap();
        assert_eq!(layout.resolve(&path), Path::new("/videos/clips/x.mp4"));
        assert_eq!(layout.shown(&path), Path::new("/videos/clips/x.mp4"));
        assert_eq!(
            layout.shown(&ProjectPath::new("results/plan.json").unwrap()),
            Path::new("results/plan.json")
        );
    }

    #[test]
    fn a_file_in_a_folder_of_paths_has_one_path() {
        let mut layout = Layout::new("/p".into());
        let check = |layout: &Layout, text: &str, expected: &str| {
            assert_eq!(layout.named(ProjectPath::new(text).unwrap()).as_str(), expected);
        };
        check(&layout, "videos/x", "videos/x");
        layout.media = "/p/videos".into();
        layout.models = "/p/videos/models".into();
        layout.results = "/elsewhere".into();
        for (text, expected) in [
            ("videos/x", "media/x"),
            ("media/x", "media/x"),
            ("videos", "media"),
            ("videos/models/x", "models/x"),
            ("media/models/x", "models/x"),
            ("videosx/x", "videosx/x"),
            ("results/x", "results/x"),
        ] {
            check(&layout, text, expected);
        }
        layout.media = "/p".into();
        check(&layout, "x", "x");
    }

    #[test]
    fn a_video_outside_has_its_name_in_documents_and_its_place_in_messages() {
        let mut layout = Layout::new("/p".into());
        layout.files.insert("x.mp4".to_owned(), "/far/a b/x.mp4".into());
        let path = ProjectPath::own("x.mp4");
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(text, r#""file:/x.mp4""#);
        assert_eq!(serde_json::from_str::<ProjectPath>(&text).unwrap(), path);
        assert_eq!((path.own_name(), path.file_name()), (Some("x.mp4"), "x.mp4"));
        assert_eq!(layout.resolve(&path), Path::new("/far/a b/x.mp4"));
        assert_eq!(layout.in_words(format!("`{path}` changed")), "`/far/a b/x.mp4` changed");
        assert_eq!(layout.resolve(&ProjectPath::own("y.mp4")), Path::new("/p/file:/y.mp4"));
        assert_eq!(ProjectPath::new("clips/x.mp4").unwrap().own_name(), None);
    }

    #[test]
    fn a_place_has_a_path_if_it_is_in_the_project_or_its_folders() {
        let mut layout = Layout::new("/p".into());
        layout.media = "/videos".into();
        layout.results = "/p/out".into();
        for (place, expected) in [
            ("/p/a/../b", Some("b")),
            ("/videos/x.mp4", Some("media/x.mp4")),
            ("/p/./out/plan.json", Some("results/plan.json")),
            ("/p", None),
            ("/p/../q/x", None),
            ("/videosx/y", None),
        ] {
            let path = layout.path_of(Path::new(place));
            assert_eq!(path.as_ref().map(ProjectPath::as_str), expected, "{place}");
        }
    }

    #[test]
    fn within_means_the_path_itself_or_below() {
        let path = |text| ProjectPath::new(text).unwrap();
        assert!(path("a/b").is_within(&path("a")));
        assert!(path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
    }

    #[test]
    fn file_names_are_single_components() {
        for (name, ok) in
            [("a.mp4", true), ("a/b", false), ("..", false), ("", false), (".x", false), ("-x", false)]
        {
            assert_eq!(is_file_name(name), ok, "{name}");
        }
    }
}
