//! Holds the house to its plan: the order of rooms, the bans, a doc per file.
//!
//! A room uses rooms of lower levels, and what stands left of it in its own
//! level. `docs/architecture.md` explains why.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by level, each level from left to right.
const LEVELS: [&[&str]; 8] = [
    &["digest", "name", "path", "time"],
    &["os"],
    &["scene", "pipeline", "config", "collect", "stats"],
    &["assets", "plan", "dialect", "worker", "record"],
    &["session", "report", "graph"],
    &["store"],
    &["engine", "action"],
    &["cli"],
];

/// What a room must not use although the order would allow it.
const BANS: [(&str, &[&str]); 3] = [
    (
        "engine",
        &["session", "report", "record", "worker", "dialect", "plan", "collect", "stats", "scene", "config"],
    ),
    ("graph", &["session"]),
    ("action", &["store"]),
];

/// What the worker's crate may use of the library.
const WORKER: [&str; 8] = ["digest", "name", "path", "time", "os", "scene", "pipeline", "worker::protocol"];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether a file holds unit tests only.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "fixture.rs")
}

/// The code of a file: without comments and without its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let text = text.split("#[cfg(test)]\npub(super) mod tests").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn place(room: &str) -> Option<(usize, usize)> {
    LEVELS.iter().enumerate().find_map(|(level, rooms)| {
        rooms.iter().position(|name| *name == room).map(|position| (level, position))
    })
}

/// Every `prefix::a` and the first names in `prefix::{a, b}`.
fn uses(code: &str, prefix: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (start, _) in code.match_indices(prefix) {
        let rest = &code[start + prefix.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut word)),
                    c if depth == 0 && !c.is_whitespace() => word.push(c),
                    _ => {}
                }
            }
            rooms.push(word);
        } else {
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            rooms.push(rest[..end].to_owned());
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}

fn room_of(path: &Path) -> String {
    let relative = path.strip_prefix("src").unwrap();
    relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_use_only_what_is_below_or_left_of_them() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        let room = room_of(&file);
        if room == "lib" || room == "bin" || is_test(&file) {
            continue;
        }
        let Some(own) = place(&room) else {
            faults.push(format!("{}: the room `{room}` is not in the table", file.display()));
            continue;
        };
        for used in uses(&code(&file), "crate::") {
            let used = used.split("::").next().unwrap().to_owned();
            let Some(other) = place(&used) else { continue };
            let allowed = other.0 < own.0 || (other.0 == own.0 && other.1 <= own.1);
            let banned = BANS.iter().any(|(from, to)| *from == room && to.contains(&used.as_str()));
            if !allowed || banned {
                faults.push(format!("{}: `{room}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_worker_sees_only_its_rooms_and_alone_names_gstreamer() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        let text = code(&file);
        let of_worker = file.starts_with("src/bin/lp-worker");
        if of_worker {
            for used in uses(&text, "lp::") {
                if !WORKER.iter().any(|room| used == *room || used.starts_with(&format!("{room}::"))) {
                    faults.push(format!("{}: uses `lp::{used}`", file.display()));
                }
            }
        } else if text.contains("gstreamer::") || text.contains("use gst") {
            faults.push(format!("{}: names gstreamer", file.display()));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn only_os_touches_files_processes_and_the_environment() {
    const NAMES: [&str; 7] =
        ["std::fs", "std::process::Command", "std::env::var", "std::net", "duct::", "ureq::", "signal_hook"];
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        if room_of(&file) == "os" || is_test(&file) {
            continue;
        }
        let text = code(&file);
        faults.extend(
            NAMES
                .iter()
                .filter(|name| text.contains(**name))
                .map(|name| format!("{}: {name}", file.display())),
        );
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut files = sources(Path::new("src"));
    files.extend(sources(Path::new("tests")));
    let silent: Vec<String> = files
        .iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a module doc: {silent:?}");
}

#[test]
fn a_room_in_the_table_exists_or_is_still_to_come() {
    // `assets` comes with the lock file of assets; every other room is lived in.
    let missing: Vec<&&str> = LEVELS
        .iter()
        .flat_map(|rooms| rooms.iter())
        .filter(|room| **room != "assets")
        .filter(|room| {
            !Path::new("src").join(room).is_dir() && !Path::new("src").join(format!("{room}.rs")).is_file()
        })
        .collect();
    assert!(missing.is_empty(), "in the table but not in `src`: {missing:?}");
}
