//! Tears, flips and races of the log.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::store::attempt::AttemptOutcome;
use crate::store::key::KeyDocument;
use crate::time::Utc;

fn attempt(label: &str) -> Attempt {
    let document = KeyDocument::new(json!({ "label": label }), BTreeMap::new());
    Attempt {
        label: label.to_owned(),
        action: document.digest(),
        document,
        outputs: Vec::new(),
        logs: None,
        started: Utc::from_unix_millis(0),
        duration_ms: 1,
        outcome: AttemptOutcome::Succeeded,
        detail: None,
        measurement: false,
        complete: true,
        repeat: None,
    }
}

fn labels(path: &Path) -> Vec<String> {
    Log::open(path).unwrap().attempts().map(|attempt| attempt.label.clone()).collect()
}

/// A log with the attempts `a`, `b`, `c`, and the end of each entry.
fn three(path: &Path) -> (Vec<u8>, Vec<usize>) {
    let mut log = Log::open(path).unwrap();
    let ends = ["a", "b", "c"].map(|label| {
        log.append(&attempt(label)).unwrap();
        log.file.as_ref().unwrap().end as usize
    });
    (std::fs::read(path).unwrap(), ends.to_vec())
}

#[test]
fn a_log_cut_at_any_byte_keeps_its_whole_entries_and_accepts_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (bytes, ends) = three(&path);
    for n in 0..bytes.len() {
        std::fs::write(&path, &bytes[..n]).unwrap();
        let whole: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .zip(&ends)
            .filter(|(_, end)| **end <= n)
            .map(|(label, _)| label)
            .collect();
        assert_eq!(labels(&path), whole, "{n} bytes");
        if n % 16 == 0 || ends.contains(&n) {
            Log::open(&path).unwrap().append(&attempt("d")).unwrap();
            assert_eq!(labels(&path), [whole, vec!["d"]].concat(), "{n} bytes and an append");
        }
    }
}

#[test]
fn a_flipped_bit_costs_one_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (bytes, ends) = three(&path);
    for at in HEADER.len()..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let left: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .enumerate()
            .filter(|(i, _)| at >= ends[*i] || (*i > 0 && at < ends[i - 1]))
            .map(|(_, label)| label)
            .collect();
        assert_eq!(labels(&path), left, "byte {at}");
    }
}

#[test]
fn an_append_after_damage_keeps_the_following_entries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (mut bytes, _) = three(&path);
    bytes[HEADER.len() + 4] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    Log::open(&path).unwrap().append(&attempt("d")).unwrap();
    assert_eq!(labels(&path), ["b", "c", "d"]);
}

#[test]
fn entries_of_other_versions_are_skipped_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (mut bytes, _) = three(&path);
    let foreign = frame(9, b"whatever");
    bytes.extend_from_slice(&foreign);
    std::fs::write(&path, &bytes).unwrap();
    let mut log = Log::open(&path).unwrap();
    log.append(&attempt("d")).unwrap();
    assert_eq!(log.rewrite(&|attempt| attempt.label == "d").unwrap(), 3);
    assert_eq!(labels(&path), ["d"]);
    let left = std::fs::read(&path).unwrap();
    assert!(left.windows(foreign.len()).any(|window| window == foreign));
}

#[test]
fn a_log_with_another_header_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, "something else").unwrap();
    assert!(labels(&path).is_empty());
    Log::open(&path).unwrap().append(&attempt("a")).unwrap();
    assert_eq!(labels(&path), ["a"]);
    assert_eq!(std::fs::read(folder.path().join("log.unreadable")).unwrap(), b"something else");
}

#[test]
fn writers_do_not_lose_each_others_entries_even_while_it_is_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let path = &path;
            scope.spawn(move || {
                let mut log = Log::open(path).unwrap();
                for n in 0..20 {
                    log.append(&attempt(&format!("{writer}-{n}"))).unwrap();
                    if n % 7 == 0 {
                        log.rewrite(&|_| true).unwrap();
                    }
                }
            });
        }
    });
    let mut found = labels(&path);
    found.sort();
    let mut expected: Vec<_> = (0..2).flat_map(|w| (0..20).map(move |n| format!("{w}-{n}"))).collect();
    expected.sort();
    assert_eq!(found, expected);
}
