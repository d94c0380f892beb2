//! The name that Intel's loss-prevention gives a camera's clip: `NAME-WIDTH-FPS-bench.mp4`,
//! for people who look for it. It is a link to the clip in `clips/`; `lp` never reads it.
//!
//! Not here: making and deleting links (`workspace::upstream_names`).

use crate::model::{Camera, Clip};
use crate::path::ProjectPath;

/// The end of a clip's name.
const END: &str = "-bench.mp4";

/// The link to the clip of a camera: `media/scan-1080-15-bench.mp4`. As upstream's script does,
/// the first `.mp4` of the name is replaced. `None` where upstream has no such name: its rates
/// are whole numbers, and a name without `.mp4` stays as it is.
#[must_use]
pub fn link_path(camera: &Camera, clip: &Clip) -> Option<ProjectPath> {
    let Camera { width, fps, .. } = camera;
    if fps.fract() != 0.0 || !clip.file.contains(".mp4") {
        return None;
    }
    let name = clip.file.replacen(".mp4", &format!("-{width}-{fps}{END}"), 1);
    ProjectPath::new(&format!("media/{name}")).ok()
}

/// Whether a link of this name in `media/`, to this target, is one that `lp` made.
#[must_use]
pub fn is_own(name: &str, target: &str) -> bool {
    let of_name = || {
        let before = &name[..name.find(END)?];
        let (before, fps) = before.rsplit_once('-')?;
        let (stem, width) = before.rsplit_once('-')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (is_number(width) && is_number(fps)).then_some((stem, width, fps))
    };
    let Some((stem, width, fps)) = of_name() else { return false };
    let Some(clip) = target.strip_prefix("clips/").and_then(|clip| clip.strip_prefix(stem)) else {
        return false;
    };
    let has_size = clip.contains(&format!("-{width}x"));
    has_size && clip.contains(&format!("-{fps}")) && clip.ends_with(".mp4") && !clip.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;
    use crate::plan::clip_path;

    #[test]
    fn links_have_upstreams_names() {
        let link = |file: &str, fps: f64| {
            let camera = r#"{"name": "a", "slug": "a", "source": {"usb": {"device": "/dev/video0"}},
                "width": 1080, "height": 1920, "fps": 15.0, "target_fps": null, "workloads": [], "region": null}"#;
            let camera = Camera { fps, ..serde_json::from_str(camera).unwrap() };
            let origin = Origin::Url(String::new());
            let clip = Clip { file: file.to_owned(), origin, place: Default::default() };
            let link = link_path(&camera, &clip)?;
            let target = clip_path(&camera, &clip);
            let target = target.as_str().strip_prefix("media/").unwrap();
            let name = link.as_str().strip_prefix("media/").unwrap();
            assert!(is_own(name, target), "{name} -> {target}");
            Some(link.to_string())
        };
        assert_eq!(link("scan.mp4", 15.0).unwrap(), "media/scan-1080-15-bench.mp4");
        // As upstream's files are called, and a name that it treats in two ways.
        let shipped = "media/age_prediction-1920-15-bench-1080-15-bench.mp4";
        assert_eq!(link("age_prediction-1920-15-bench.mp4", 15.0).unwrap(), shipped);
        assert_eq!(link("a.mp4.mp4", 15.0).unwrap(), "media/a-1080-15-bench.mp4.mp4");
        assert_eq!((link("scan.mp4", 29.97), link("scan.mkv", 15.0)), (None, None));
    }

    #[test]
    fn other_links_are_not_touched() {
        let clip = "clips/scan-1080x1920-15.mp4";
        assert!(is_own("scan-1080-15-bench.mp4", clip));
        for (name, target) in [
            ("scan-1080-15-bench.mp4", "scan.mp4"),
            ("scan-1080-15-bench.mp4", "/far/clips/scan-1080x1920-15.mp4"),
            ("scan-1080-15-bench.mp4", "clips/door-1080x1920-15.mp4"),
            ("scan-720-15-bench.mp4", clip),
            ("scan-1080-30-bench.mp4", clip),
            ("scan.mp4", clip),
            ("scan-x-15-bench.mp4", clip),
            ("-bench.mp4", clip),
        ] {
            assert!(!is_own(name, target), "{name} -> {target}");
        }
    }
}
