//! Finds out where each clip comes from, since one name has one origin in a project.
//!
//! A video of the user's is only read. Documents have its path in the project, or its
//! name alone: [`Layout::files`] has the places of videos outside
//! ([`ProjectPath::own`]).
//!
//! Not here: whether such a file exists (`workspace::clips`), since config files are
//! also read without their project.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use super::cameras::RawCamera;
use super::clips::{RawClip, RawOrigin};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{AssetPin, AssetSource, Clip, Origin};
use crate::path::{Layout, ProjectPath};

/// The origins of all clips: one file name has one in the whole project.
#[derive(Default)]
pub(super) struct Origins {
    assets: BTreeMap<String, (AssetFile, Place)>,
}

/// The file of `[asset.NAME]` that is played instead of what cameras name.
enum AssetFile {
    Path(String),
    Source(AssetSource),
}

impl AssetFile {
    /// `path` or `source`, with its place.
    fn of(pin: &AssetPin) -> Option<(AssetFile, Place)> {
        let path = pin.path.clone().map(|(path, place)| (AssetFile::Path(path), place));
        path.or_else(|| pin.source.clone().map(|(source, place)| (AssetFile::Source(source), place)))
    }

    fn key(&self) -> &'static str {
        match self {
            AssetFile::Path(_) => "path",
            AssetFile::Source(_) => "source",
        }
    }

    /// The origin, and the place of a file outside the project.
    fn origin(&self, name: &str, layout: &Layout) -> (Origin, Option<PathBuf>) {
        match self {
            AssetFile::Path(path) => origin_at(path, name, layout),
            AssetFile::Source(AssetSource::Url(url)) => (Origin::Url(url.clone()), None),
            AssetFile::Source(AssetSource::Package(source)) => (Origin::Package(source.clone()), None),
        }
    }
}

/// Where one clip comes from, and the place that says so.
struct Found {
    origin: Origin,
    /// The place of the file of [`ProjectPath::own`].
    file: Option<PathBuf>,
    place: Place,
}

impl Origins {
    /// Finds the origins of the clips of `cameras`, adds the places of videos outside
    /// the project to `layout`, and refuses two origins of one name.
    pub(super) fn find(
        cameras: &[RawCamera],
        assets: &BTreeMap<String, AssetPin>,
        layout: &mut Layout,
        diagnostics: &mut Diagnostics,
    ) -> Origins {
        let files = assets.iter().filter_map(|(name, pin)| Some((name.clone(), AssetFile::of(pin)?)));
        let origins = Origins { assets: files.collect() };
        let mut first: HashMap<&str, Found> = HashMap::new();
        for clip in cameras.iter().filter_map(|camera| camera.file.as_ref()) {
            let found = origins.of(clip, layout);
            if let Some((asset, place)) = origins.assets.get(&clip.value.file)
                && found.place == clip.place
                && asset.origin(&clip.value.file, layout) != (found.origin.clone(), found.file.clone())
            {
                let label = format!("this `{}` is another one", asset.key());
                diagnostics.push(two(clip).also(*place, label));
                continue;
            }
            match first.get(clip.value.file.as_str()) {
                Some(known) if (&known.origin, &known.file) != (&found.origin, &found.file) => {
                    diagnostics.push(two(clip).also(known.place, "one here"));
                }
                Some(_) => {}
                None => {
                    if let Some(file) = &found.file {
                        layout.files.insert(clip.value.file.clone(), file.clone());
                    }
                    first.insert(&clip.value.file, found);
                }
            }
        }
        origins
    }

    /// The clip of a camera.
    pub(super) fn clip(&self, raw: Spanned<RawClip>, layout: &Layout) -> Clip {
        let Found { origin, place, .. } = self.of(&raw, layout);
        Clip { file: raw.value.file, origin, place }
    }

    fn of(&self, clip: &Spanned<RawClip>, layout: &Layout) -> Found {
        let RawClip { file, origin } = &clip.value;
        let here = |(origin, file)| Found { origin, file, place: clip.place };
        let asset = self.assets.get(file).map(|(asset, place)| {
            let (origin, file) = asset.origin(file, layout);
            Found { origin, file, place: *place }
        });
        match (origin, asset) {
            (RawOrigin::File(path), _) => here(origin_at(path, file, layout)),
            (RawOrigin::Inside(path), None) => here((Origin::File(layout.named(path.clone())), None)),
            (RawOrigin::Inside(path), Some(_)) if path.as_str() != file => {
                here((Origin::File(layout.named(path.clone())), None))
            }
            (_, Some(asset)) => asset,
            (RawOrigin::Url(url), None) => here((Origin::Url(url.clone()), None)),
            (RawOrigin::Scene(scene), None) => here((Origin::Scene(scene.clone()), None)),
        }
    }

    /// Whether `[asset.NAME]` has the file of the clip of this name.
    pub(super) fn is_given(assets: &BTreeMap<String, AssetPin>, file: &str) -> bool {
        assets.get(file).is_some_and(|pin| AssetFile::of(pin).is_some())
    }
}

/// The file at `path`, absolute or relative to the project: by its path in the project,
/// or by its name alone with its place.
fn origin_at(path: &str, name: &str, layout: &Layout) -> (Origin, Option<PathBuf>) {
    // `media/` is that folder wherever it is.
    if let Ok(inside) = ProjectPath::new(path)
        && !Path::new(path).components().any(|part| part == Component::ParentDir)
    {
        return (Origin::File(layout.named(inside)), None);
    }
    let place: PathBuf = layout.root.join(path).components().collect();
    // A folder before `..` may be a link.
    let is_plain = !place.components().any(|part| part == Component::ParentDir);
    match layout.path_of(&place).filter(|_| is_plain) {
        Some(inside) => (Origin::File(inside), None),
        None => (Origin::File(ProjectPath::own(name)), Some(place)),
    }
}

fn two(clip: &Spanned<RawClip>) -> Diagnostic {
    let message = format!("`{}` has two different origins", clip.value.file);
    let help = match &clip.value.origin {
        RawOrigin::Inside(path) => format!("give one of the files another name: `NAME|file:{path}`"),
        RawOrigin::File(path) => format!("give one of the files another name: `NAME|file:{path}`"),
        RawOrigin::Url(_) | RawOrigin::Scene(_) => "give one of the files another name".to_owned(),
    };
    Diagnostic::error(codes::TWO_ORIGINS, message).at(clip.place).label("another one here").help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_project_has_its_path_and_another_its_name() {
        let layout = Layout { media: "/videos".into(), ..Layout::new("/p".into()) };
        for (path, expected) in [
            ("./clips/x.mp4", "clips/x.mp4"),
            ("/p/clips/x.mp4", "clips/x.mp4"),
            ("/videos/x.mp4", "media/x.mp4"),
            ("media/x.mp4", "media/x.mp4"),
            ("/far/x.mp4", "file:/x.mp4"),
            ("../x.mp4", "file:/x.mp4"),
            // `a` may be a link.
            ("a/../x.mp4", "file:/x.mp4"),
        ] {
            let (origin, _) = origin_at(path, "x.mp4", &layout);
            assert_eq!(origin, Origin::File(ProjectPath::try_from(expected.to_owned()).unwrap()), "{path}");
        }
    }
}
