//! Profiles, `LP_SET_` variables and `--set`, which are laid over `Lpfile.toml`.
//!
//! Each becomes a spanned tree of its own, so a fault in it is shown in it:
//! an override counts as a file of one line, `run.duration=10s`. Its value is a
//! [`Value::Word`], which the reader of its key interprets.

use super::lpfile::{lists, scalars};
use super::tree::{Key, Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Origin, Place, Sources};
use crate::name::did_you_mean;

/// The prefix of variables that are overrides.
const PREFIX: &str = "LP_SET_";

/// The tree of `--set KEY=VALUE`.
pub(super) fn from_set(set: &str, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Option<Node> {
    let shown = set.split('=').next().unwrap_or_default();
    let file = sources.add_from(Origin::Flag, format!("--set {shown}"), set);
    let Some((key, value)) = set.split_once('=') else {
        diagnostics.push(
            Diagnostic::error(codes::BAD_OVERRIDE, "`--set` takes KEY=VALUE")
                .at(Place::new(file, 0..set.len()))
                .label("`=` is missing"),
        );
        return None;
    };
    let key_place = Place::new(file, 0..key.len());
    let path = split(key);
    let value_place = Place::new(file, set.len() - value.len()..set.len());
    let leaf = if is_known(&path) {
        Value::Word(value.trim().to_owned())
    } else if lists().contains(&path.join(".")) {
        list(key, value, value_place, diagnostics)?
    } else {
        diagnostics.push(unknown(&format!("unknown key `{key}`"), key_place, &path, |name| name.to_owned()));
        return None;
    };
    Some(tree(&path, Node { value: leaf, place: value_place }, key_place))
}

/// The tree of a variable such as `LP_SET_RUN_DURATION=10s`; `None` for a
/// variable that is not an override.
pub(super) fn from_variable(
    name: &str,
    value: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let key = name.strip_prefix(PREFIX)?.to_lowercase();
    // The first `_` separates the table from its key; names of tables have none. A table in a table is
    // found by its whole path.
    let whole = scalars().into_iter().find(|scalar| scalar.replace('.', "_") == key);
    let path: Vec<String> = match &whole {
        Some(scalar) => scalar.split('.').map(str::to_owned).collect(),
        None => key.splitn(2, '_').map(str::to_owned).collect(),
    };
    let file = sources.add_from(Origin::Variable, name, format!("{name}={value}"));
    let key_place = Place::new(file, 0..name.len());
    if !is_known(&path) {
        let variable = |name: &str| format!("{PREFIX}{}", name.replace('.', "_").to_uppercase());
        diagnostics.push(unknown(&format!("`{name}` names an unknown key"), key_place, &path, variable));
        return None;
    }
    let value_place = Place::new(file, name.len() + 1..name.len() + 1 + value.len());
    Some(tree(&path, Node { value: Value::Word(value.trim().to_owned()), place: value_place }, key_place))
}

/// The key and the value of an override: `asset."scan.mp4".sha256`.
pub(super) fn key_and_value(over: &Node) -> Option<(String, String)> {
    let (mut node, mut parts) = (over, Vec::new());
    loop {
        match &node.value {
            Value::Table(entries) => {
                let (key, value) = entries.first()?;
                let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                let is_plain = key.text.chars().all(plain);
                parts.push(if is_plain { key.text.clone() } else { format!("\"{}\"", key.text) });
                node = value;
            }
            Value::Word(word) => return Some((parts.join("."), word.clone())),
            Value::List(_) => return Some((parts.join("."), node.toml())),
            _ => return None,
        }
    }
}

/// Takes the profiles out of `tree`, in the order of the file.
pub(super) fn profiles(tree: &mut Node, diagnostics: &mut Diagnostics) -> Vec<(Key, Node)> {
    match tree.remove("profile") {
        Some(Node { value: Value::Table(profiles), .. }) => profiles,
        Some(Node { value: Value::Broken, .. }) | None => Vec::new(),
        Some(other) => {
            let message = "`profile` must be a table of profiles";
            let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message).at(other.place);
            diagnostics.push(diagnostic.help("write `[profile.NAME]`"));
            Vec::new()
        }
    }
}

/// The fault of an unknown profile.
pub(super) fn unknown_profile(name: &str, profiles: &[(Key, Node)]) -> Diagnostic {
    let names = || profiles.iter().map(|(key, _)| key.text.as_str());
    let diagnostic = Diagnostic::error(codes::UNKNOWN_PROFILE, format!("there is no profile `{name}`"));
    if profiles.is_empty() {
        return diagnostic.help("`Lpfile.toml` has no `[profile.NAME]` table");
    }
    if did_you_mean(name, names()).is_some() {
        return diagnostic.suggest(name, names(), &Diagnostics::new());
    }
    diagnostic.help(format!("possible: {}", names().collect::<Vec<_>>().join(", ")))
}

/// The parts of `asset."scan.mp4".sha256`.
fn split(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for c in key.trim().chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            _ => parts.last_mut().expect("there is a part").push(c),
        }
    }
    parts
}

fn is_known(path: &[String]) -> bool {
    match path {
        [table, key] => {
            (table == "pools" && !key.is_empty()) || scalars().contains(&format!("{table}.{key}"))
        }
        [table, name, key] if table == "workload" => {
            !name.is_empty() && scalars().contains(&format!("dlstreamer.{key}"))
        }
        [table, of, name, key] if table == "thresholds" && (of == "camera" || of == "workload") => {
            !name.is_empty() && scalars().contains(&format!("{table}.{key}"))
        }
        [table, name, key] if table == "asset" => !name.is_empty() && key == "sha256",
        [_, _, _] => scalars().contains(&path.join(".")),
        _ => false,
    }
}

fn unknown(message: &str, place: Place, path: &[String], shown: impl Fn(&str) -> String) -> Diagnostic {
    let diagnostic = Diagnostic::error(codes::UNKNOWN_SETTING, message).at(place);
    let scalars = scalars();
    let names = || scalars.iter().map(String::as_str);
    let key_of = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let keys: Vec<String> = names().map(key_of).collect();
    let with_key = |key: &str| names().find(|name| key_of(name) == key);
    let last = path.last().map_or("", String::as_str);
    let table = format!("{}.", path.join("."));
    let below: Vec<String> = names().filter(|name| name.starts_with(&table)).map(&shown).collect();
    if !below.is_empty() {
        return diagnostic.help(format!("it is a table; set a key of it: {}", below.join(", ")));
    }
    // A key without its table means that key, and a slip in the key alone is closer
    // to it than to any other.
    let close = || with_key(did_you_mean(last, keys.iter().map(String::as_str))?);
    match did_you_mean(&path.join("."), names()).or_else(|| with_key(last)).or_else(close) {
        Some(meant) => diagnostic.help(format!("did you mean `{}`?", shown(meant))),
        None => {
            let possible: Vec<String> = names().map(shown).collect();
            diagnostic.help(format!("possible: {}", possible.join(", ")))
        }
    }
}

/// A list of texts as TOML writes it: `["env", "A=1", "lp-worker"]`.
fn list(key: &str, value: &str, place: Place, diagnostics: &mut Diagnostics) -> Option<Value> {
    let texts = format!("list = {value}").parse::<::toml::Table>().ok().and_then(|table| {
        // A line break would let a value be more than a list.
        let only = table.get("list").filter(|_| table.len() == 1)?.as_array()?;
        only.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    let Some(texts) = texts else {
        let message = format!("`{key}` takes a list of strings");
        let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message).at(place);
        diagnostics.push(diagnostic.help("write it as in Lpfile.toml: `[\"env\", \"lp-worker\"]`"));
        return None;
    };
    Some(Value::List(texts.into_iter().map(|text| Node { value: Value::Text(text), place }).collect()))
}

/// `path` with the value at its end.
fn tree(path: &[String], leaf: Node, key_place: Place) -> Node {
    path.iter().rev().fold(leaf, |node, part| {
        let key = Key { text: part.clone(), place: key_place };
        Node { value: Value::Table(vec![(key, node)]), place: key_place }
    })
}
