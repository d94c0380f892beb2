//! Scene files.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, SCENE, check, check_labels, shown};

#[test]
fn scenes_are_read_and_checked() {
    let with_scene =
        || Files::new().with(CAMERA_FILE, CAMERAS.replace("https://media.example/scan.mp4", "scene:scan"));
    let path = "configs/scenes/scan.toml";
    let loaded = with_scene().with(path, SCENE).load(|_| {});
    assert_eq!(shown(&loaded), "");
    let project = loaded.project.unwrap();
    expect![[r##"{"width":480,"height":240,"fps":30,"duration_s":8.0,"seed":1,"zones":{"scan":{"x":200,"y":80,"width":80,"height":80}},"items":[{"name":"Tea","code":"TEA-1","width":110,"height":150,"colour":"#c8502e","path":[{"at_s":1.0,"x":-80.0,"y":120.0},{"at_s":3.5,"x":240.0,"y":120.0}],"code_visible":[{"from_s":0.0,"to_s":4.0}],"hand":true}]}"##]].assert_eq(&serde_json::to_string(&project.scenes["scan"].scene).unwrap());
    assert!(loaded.files.iter().any(|file| file.0.ends_with(path)));

    let wrong = SCENE.replace("3.5", "0.5").replace("width = 80", "width = 800");
    // A scene that cannot be read is not checked.
    check(
        with_scene().with(path, wrong.replace("#c8502e", "#c8502e\"\ncolor = \"red")),
        expect![[r#"
            LP0201 configs/scenes/scan.toml:17:1 unknown key `items[0].color`; did you mean `colour`?
        "#]],
    );
    check_labels(
        with_scene().with(path, wrong),
        |_| {},
        expect![[r#"
            LP0601 configs/scenes/scan.toml:5:1 `zones.scan` cannot be drawn: expected a rectangle inside the frame of 480x240
            LP0601 configs/scenes/scan.toml:17:50 `items[0].path[1].at_s` cannot be drawn: expected a time after 1, found 0.5
        "#]],
    );
    check(
        with_scene().with(path, "fps = \"x\"\n[[items]]\n"),
        expect![[r#"
            LP0202 configs/scenes/scan.toml:1:1 `duration_s` is missing
            LP0203 configs/scenes/scan.toml:1:7 `fps` must be a whole number from 0 to 4294967295
            LP0202 configs/scenes/scan.toml:2:1 `items[0].name` is missing
            LP0202 configs/scenes/scan.toml:2:1 `items[0].code` is missing
            LP0202 configs/scenes/scan.toml:2:1 `items[0].path` is missing
        "#]],
    );
}

#[test]
fn the_shipped_scenes_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenes");
    let mut n_scenes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let cameras = CAMERAS.replace("https://media.example/scan.mp4", &format!("scene:{name}"));
        let files = Files::new()
            .with(CAMERA_FILE, cameras)
            .with(&format!("configs/scenes/{name}.toml"), std::fs::read(&path).unwrap());
        let loaded = files.load(|_| {});
        assert_eq!(shown(&loaded), "", "{name}");
        n_scenes += 1;
    }
    assert!(n_scenes > 0);
}
