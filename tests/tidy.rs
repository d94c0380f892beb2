//! Holds the house to its plan: the order of rooms, the bans, a doc per file.
//!
//! A room uses rooms of lower levels, and what stands left of it in its own
//! level. `docs/architecture.md` explains why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by level, each level from left to right.
const LEVELS: [&[&str]; 9] = [
    &["digest", "packed", "text", "name", "path", "time", "impair"],
    &["diag", "os"],
    &["scene", "vision", "pipeline", "model", "collect", "stats", "search", "bench"],
    &["plan", "dialect", "worker", "record"],
    &["session", "report", "graph"],
    &["store"],
    &["config", "engine", "action"],
    &["workspace"],
    &["cli"],
];

/// What a room must not use although the order would allow it.
const BANS: [(&str, &[&str]); 3] = [
    (
        "engine",
        &["session", "report", "record", "worker", "dialect", "plan", "collect", "stats", "scene", "config"],
    ),
    ("graph", &["session"]),
    ("action", &["store", "config"]),
];

/// What the worker's crate may use of the library.
const WORKER: [&str; 10] =
    ["digest", "text", "name", "path", "time", "os", "scene", "vision", "pipeline", "worker::protocol"];

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

/// Every path that begins with one of `roots` (`crate`, `super`, ...), as its
/// segments; a list in braces gives a path for each of its entries.
fn paths(code: &str, roots: &[&str]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in roots {
        for (start, _) in code.match_indices(&format!("{root}::")) {
            let before = code[..start].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                expand(&code[start..], &[], &mut found);
            }
        }
    }
    found
}

/// Reads one path and adds it to `found`, after `before`. Gives what follows it.
fn expand<'a>(text: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) => rest = next,
            None => break,
        }
    }
    let Some(mut list) = rest.strip_prefix('{') else {
        found.push(path);
        return rest;
    };
    while !list.trim_start().starts_with('}') && !list.trim_start().is_empty() {
        let after = expand(list, &path, found);
        let end = after.find([',', '}']).unwrap_or(after.len());
        list = after[end..].strip_prefix(',').unwrap_or(&after[end..]);
    }
    list.trim_start().strip_prefix('}').unwrap_or("")
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
        for path in paths(&code(&file), &["crate"]) {
            let Some(used) = path.get(1) else { continue };
            let Some(other) = place(used) else { continue };
            let allowed = other.0 < own.0 || (other.0 == own.0 && other.1 <= own.1);
            let banned = BANS.iter().any(|(from, to)| *from == room && to.contains(&used.as_str()));
            if !allowed || banned {
                faults.push(format!("{}: `{room}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The module that a file is: `src/config/mod.rs` is `config`, `src/config/toml.rs`
/// is `config::toml`.
fn module_of(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix("src").unwrap().with_extension("");
    let mut path: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// What a path in `module` leads to, as far as it leads through modules and what
/// they export again.
fn resolve(
    path: &[String],
    module: &[String],
    modules: &BTreeMap<Vec<String>, String>,
    exports: &BTreeMap<Vec<String>, Vec<String>>,
) -> Vec<String> {
    let mut at = if path[0] == "crate" { Vec::new() } else { module.to_vec() };
    for segment in path {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            _ => {
                at.push(segment.clone());
                if let Some(exported) = exports.get(&at) {
                    at.clone_from(exported);
                }
                if !modules.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
        }
    }
    at
}

/// Siblings in a room that use each other, directly or through others. What a
/// room's `mod.rs` (or a module's own file) has is for all of its children.
#[test]
fn no_circle_inside_a_room() {
    let mut modules = BTreeMap::new();
    for file in sources(Path::new("src")) {
        let room = room_of(&file);
        if room != "lib" && room != "bin" && !is_test(&file) {
            modules.insert(module_of(&file), code(&file));
        }
    }
    // `pub use edit::Edit` in `diag/mod.rs`: `diag::Edit` is in `diag::edit`.
    let mut exports = BTreeMap::new();
    for (module, text) in &modules {
        for line in text.split("use ").skip(1) {
            let mut found = Vec::new();
            expand(line.split(';').next().unwrap(), &[], &mut found);
            for path in found {
                let child: Vec<String> = module.iter().cloned().chain(path.first().cloned()).collect();
                if let (true, Some(name)) = (modules.contains_key(&child), path.last()) {
                    exports.insert(module.iter().chain([name]).cloned().collect::<Vec<_>>(), child);
                }
            }
        }
    }
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, text) in &modules {
        for path in paths(text, &["crate", "super", "self"]) {
            let used = resolve(&path, module, &modules, &exports);
            let shared = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if 0 < shared && shared < module.len() && shared < used.len() {
                edges.entry(module[..=shared].to_vec()).or_default().insert(used[..=shared].to_vec());
            }
        }
    }
    let mut circles = BTreeSet::new();
    for start in edges.keys() {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for next in edges.get(at).into_iter().flatten() {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        if reached.contains(start) {
            circles.insert(start.join("::"));
        }
    }
    assert!(circles.is_empty(), "in circles: {circles:?}");
}

#[test]
fn the_worker_sees_only_its_rooms_and_alone_names_gstreamer() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        let text = code(&file);
        let of_worker = file.starts_with("src/bin/lp-worker");
        if of_worker {
            for path in paths(&text, &["lp"]) {
                let used = path[1..].join("::");
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

/// Texts of `lp` that only one file has.
#[test]
fn errors_are_printed_and_the_store_is_named_in_one_place() {
    for (text, home) in [("\"error:", "src/cli/console.rs"), ("(\".lpcache", "src/path.rs")] {
        let has = |file: &PathBuf| room_of(file) != "bin" && !is_test(file) && code(file).contains(text);
        let found: Vec<PathBuf> = sources(Path::new("src")).into_iter().filter(has).collect();
        assert_eq!(found, [Path::new(home)], "{text}");
    }
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
fn every_room_in_the_table_exists() {
    let missing: Vec<&&str> = LEVELS
        .iter()
        .flat_map(|rooms| rooms.iter())
        .filter(|room| {
            !Path::new("src").join(room).is_dir() && !Path::new("src").join(format!("{room}.rs")).is_file()
        })
        .collect();
    assert!(missing.is_empty(), "in the table but not in `src`: {missing:?}");
}
