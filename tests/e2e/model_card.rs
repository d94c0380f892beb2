//! The model card of the detector for scenes tells the truth about its files, and damage to it is found.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::Workspace;

#[test]
fn the_model_card_has_the_size_and_the_digest_of_each_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models/own");
    let card = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let rows = card.lines().filter_map(|line| {
        let cells: Vec<&str> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [file, size, digest] = cells[..] else { return None };
        let size = size.replace(',', "").parse::<usize>().ok()?;
        (digest.len() == 64).then(|| (file.to_owned(), size, digest.to_owned()))
    });
    let mut stated: Vec<_> = rows.collect();
    stated.sort();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("checkout") {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            found.push((name, bytes.len(), digest));
        }
    }
    found.sort();
    assert_eq!(stated, found);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(_, size, _)| *size <= 1_500_000), "{found:?}");
}

#[test]
fn a_damaged_detector_of_a_project_is_found() {
    let ws = Workspace::empty();
    ws.lp("init --lane .").success();
    let verify = "assets verify --models --set run.dialect=native --profile inference";
    ws.lp(verify).success().stderr_has("1 file ok, ");
    let file = ws.path("configs/models/own/checkout.onnx");
    let mut bytes = std::fs::read(&file).unwrap();
    // A weight: the file is still a sound ONNX model.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, &bytes).unwrap();
    ws.lp(verify)
        .code(1)
        .stdout_has("`configs/models/own/checkout.onnx` has ")
        .stdout_has("copy it from a new project (`lp init --lane DIR`)")
        .stderr_has("0 files ok, ")
        .stderr_has(" 1 wrong");
}
