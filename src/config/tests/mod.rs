//! Whole projects in, their diagnostics out, one a line.
//!
//! Not here: one fault in one file, which is a case of `tests/corpus`, and the output
//! of diagnostics, which `diag::render` tests.

mod cameras;
mod files;
mod lpfile;
mod overrides;
mod scenes;
mod workloads;

use expect_test::Expect;

use super::load::{LoadRequest, Loaded, load};

/// One camera that plays a URL, and its workload.
const CAMERAS: &str = r#"{
  "_notes": { "fps": "a comment" },
  "lane_config": {
    "cameras": [
      {
        "camera_id": "cam1",
        "fps": 15,
        "width": 1280,
        "height": 720,
        "fileSrc": "scan.mp4|https://media.example/scan.mp4",
        "workloads": ["Barcodes"],
        "region_of_interest": { "x": 0, "y": 0, "x2": 640, "y2": 720 }
      }
    ]
  }
}
"#;

const WORKLOADS: &str = r#"{
  "workload_pipeline_map": {
    "barcodes": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
  }
}
"#;

const SCENE: &str = r##"duration_s = 8.0
width = 480
height = 240

[zones.scan]
x = 200
y = 80
width = 80
height = 80

[[items]]
name = "Tea"
code = "TEA-1"
width = 110
height = 150
colour = "#c8502e"
path = [{ at_s = 1, x = -80, y = 120 }, { at_s = 3.5, x = 240, y = 120 }]
code_visible = [{ from_s = 0, to_s = 4 }]
"##;

const CAMERA_FILE: &str = "configs/camera_to_workload.json";
const WORKLOAD_FILE: &str = "configs/workload_to_pipeline.json";

/// A project in a throw-away folder. Without other content its files are the
/// constants above and an empty `Lpfile.toml`.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.with("Lpfile.toml", "").with(CAMERA_FILE, CAMERAS).with(WORKLOAD_FILE, WORKLOADS)
    }

    fn with(self, path: &str, text: impl AsRef<[u8]>) -> Files {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn without(self, path: &str) -> Files {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
        self
    }

    fn load(&self, change: impl FnOnce(&mut LoadRequest)) -> Loaded {
        let mut request = LoadRequest { dir: self.0.path().to_path_buf(), ..LoadRequest::default() };
        change(&mut request);
        load(&request)
    }
}

/// The diagnostics of a load.
fn shown(loaded: &Loaded) -> String {
    loaded.diagnostics.lines(&loaded.sources)
}

#[track_caller]
fn check(files: Files, expect: Expect) {
    let loaded = files.load(|_| {});
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    expect.assert_eq(&shown(&loaded));
}

/// With labels, where a test is about them, and with flags and variables.
#[track_caller]
fn check_labels(files: Files, change: impl FnOnce(&mut LoadRequest), expect: Expect) {
    let loaded = files.load(change);
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    expect.assert_eq(&loaded.diagnostics.labelled_lines(&loaded.sources));
}

/// One line of the camera file replaced.
#[track_caller]
fn check_camera(old: &str, new: &str, expect: Expect) {
    assert!(CAMERAS.contains(old));
    check(Files::new().with(CAMERA_FILE, CAMERAS.replacen(old, new, 1)), expect);
}

/// The only step of the workload file replaced.
#[track_caller]
fn check_step(step: &str, expect: Expect) {
    let workloads = format!("{{ \"workload_pipeline_map\": {{\n\"barcodes\": [\n{step}\n] }} }}\n");
    check(Files::new().with(WORKLOAD_FILE, workloads), expect);
}

fn lpfile(text: &str) -> Files {
    Files::new().with("Lpfile.toml", text)
}
