//! LP06xx: scene files.

use indoc::indoc;

use super::super::severity::Severity::Error;
use super::Part::{Cameras, File};
use super::{Rule, wrong};

rules! {
    SCENE_FAULT = "LP0601", [Error], "a scene cannot be drawn as it is written" {
        why: indoc! {"
            Types and keys are right, but the values do not fit together: a zone reaches out of the
            picture, an item goes back in time, a clip has no length. `docs/scenes.md` describes what
            a scene is.
        "},
        examples: &[wrong(&[
            Cameras(lane!(r#"{"camera_id": "entrance", "workloads": ["barcodes"], "fileSrc": "scan.mp4|scene:scan"}"#)),
            File("configs/scenes/scan.toml", "duration_s = 0\nwidth = 480\nheight = 240\n"),
        ])
        .right(&[File("configs/scenes/scan.toml", "duration_s = 8\nwidth = 480\nheight = 240\n")])],
    }
}
