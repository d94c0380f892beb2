//! Finds the place of a value: from a place that a project keeps to the keys below
//! it.
//!
//! A project keeps one place per camera, workload, step, asset and task. A command
//! that points at one of their keys (`lp explain`) asks a [`Locator`], which parses
//! the file once more. Settings need no file: the tree with profile and overrides
//! laid over it is kept.
//!
//! Not here: the key that a value of an action comes from.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::tree::{Node, Value};
use super::{json, toml};
use crate::diag::{Diagnostics, FileId, Place, Sources};

/// One step down in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an item of a list.
    Item(usize),
}

/// The result of following a path of keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    Here(Node),
    /// Nothing; this is the innermost table or list around it that is.
    Not {
        /// The place of that table or list.
        around: Place,
    },
}

/// Finds values by their keys.
#[derive(Debug)]
pub struct Locator<'a> {
    sources: &'a Sources,
    settings: &'a Node,
    trees: RefCell<HashMap<FileId, Option<Rc<Node>>>>,
}

impl<'a> Locator<'a> {
    /// A locator for a project that was loaded with these.
    #[must_use]
    pub fn new(sources: &'a Sources, settings: &'a Node) -> Locator<'a> {
        Locator { sources, settings, trees: RefCell::default() }
    }

    /// A key of `Lpfile.toml`, after profile and overrides.
    #[must_use]
    pub fn setting(&self, path: &[&str]) -> Option<Node> {
        let keys: Vec<Down<'_>> = path.iter().map(|key| Down::Key(key)).collect();
        match walk(self.settings, self.settings.place, &keys) {
            Written::Here(node) => Some(node),
            Written::Not { .. } => None,
        }
    }

    /// Whether the value at `place` is the one that `[profile.NAME]` gives to a key.
    #[must_use]
    pub fn is_of_profile(&self, place: Place, profile: &str, path: &[&str]) -> bool {
        let Some(tree) = self.tree(place.file) else { return false };
        let keys: Vec<Down<'_>> = ["profile", profile].iter().chain(path).map(|key| Down::Key(key)).collect();
        matches!(walk(&tree, tree.place, &keys), Written::Here(node) if node.place == place)
    }

    /// The value below the one at `place`.
    #[must_use]
    pub fn below(&self, place: Place, keys: &[Down<'_>]) -> Option<Written> {
        let tree = self.tree(place.file)?;
        Some(walk(find(&tree, &|node| node.place == place)?, place, keys))
    }

    /// The value below the one whose key is at `place`.
    #[must_use]
    pub fn below_key(&self, place: Place, keys: &[Down<'_>]) -> Option<Written> {
        let tree = self.tree(place.file)?;
        let has_key = |node: &Node| entries(node).iter().any(|(key, _)| key.place == place);
        let table = find(&tree, &has_key)?;
        let (_, node) = entries(table).iter().find(|(key, _)| key.place == place)?;
        Some(walk(node, place, keys))
    }

    /// The value in the table that has a value at `place`.
    #[must_use]
    pub fn beside(&self, place: Place, keys: &[Down<'_>]) -> Option<Written> {
        let tree = self.tree(place.file)?;
        let has_value = |node: &Node| entries(node).iter().any(|(_, value)| value.place == place);
        // The header of a table of TOML is a poor place to point at.
        Some(walk(find(&tree, &has_value)?, place, keys))
    }

    fn tree(&self, file: FileId) -> Option<Rc<Node>> {
        let parse = || {
            let text = self.sources.text(file);
            // Faults were reported when the project was loaded.
            let mut ignored = Diagnostics::new();
            // TOML never begins with `{`, and a config in JSON is an object.
            if text.trim_start().starts_with('{') {
                json::parse(file, text, &mut ignored).map(Rc::new)
            } else {
                Some(Rc::new(toml::parse(file, text, &mut ignored).tree))
            }
        };
        if file == FileId::default() {
            return None;
        }
        self.trees.borrow_mut().entry(file).or_insert_with(parse).clone()
    }
}

fn entries(node: &Node) -> &[(super::tree::Key, Node)] {
    if let Value::Table(entries) = &node.value { entries } else { &[] }
}

/// The first matching node, in the order of the file.
fn find<'t>(node: &'t Node, is_wanted: &dyn Fn(&Node) -> bool) -> Option<&'t Node> {
    if is_wanted(node) {
        return Some(node);
    }
    match &node.value {
        Value::Table(entries) => entries.iter().find_map(|(_, inner)| find(inner, is_wanted)),
        Value::List(items) => items.iter().find_map(|inner| find(inner, is_wanted)),
        _ => None,
    }
}

/// Follows `keys` from `node`, which is shown at `place`.
fn walk(node: &Node, place: Place, keys: &[Down<'_>]) -> Written {
    let (mut node, mut around) = (node, place);
    for key in keys {
        let inner = match (key, &node.value) {
            (Down::Key(name), Value::Table(entries)) => {
                // A table's own span is its header at best; its key is the better place to show.
                entries.iter().find(|(key, _)| key.text == *name).map(|(key, inner)| match inner.value {
                    Value::Table(_) => (inner, key.place),
                    _ => (inner, inner.place),
                })
            }
            (Down::Item(index), Value::List(items)) => items.get(*index).map(|inner| (inner, inner.place)),
            _ => None,
        };
        let Some(inner) = inner else { return Written::Not { around } };
        (node, around) = inner;
    }
    Written::Here(Node { value: node.value.clone(), place: around })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Shows the text at the place that `found` names, as `result line:column text`.
    #[track_caller]
    fn check(sources: &Sources, found: Option<Written>, expect: Expect) {
        let shown = |place: Place| {
            let at = sources.position(place.file, place.start);
            let text = &sources.text(place.file)[place.start as usize..place.end as usize];
            format!("{}:{} {text}", at.line, at.column)
        };
        expect.assert_eq(&match found {
            Some(Written::Here(node)) => format!("here {}", shown(node.place)),
            Some(Written::Not { around }) => format!("not in {}", shown(around)),
            None => "nowhere".to_owned(),
        });
    }

    #[test]
    fn keys_are_found_below_a_place_and_a_missing_key_gives_its_table() {
        let mut sources = Sources::new();
        let text = "{\n  \"a\": [{\"id\": 1, \"fps\": 15}, {\"id\": 2, \"fps\": 15}]\n}";
        let file = sources.add("x.json", text);
        let second = text.rfind("{\"id\"").unwrap();
        let place = Place::new(file, second..second + "{\"id\": 2, \"fps\": 15}".len());
        let settings = Node::empty_table();
        let locator = Locator::new(&sources, &settings);
        check(&sources, locator.below(place, &[Down::Key("fps")]), expect!["here 2:48 15"]);
        check(
            &sources,
            locator.below(place, &[Down::Key("width")]),
            expect![[r#"not in 2:31 {"id": 2, "fps": 15}"#]],
        );
        check(&sources, locator.below(Place::new(file, 0..1), &[]), expect!["nowhere"]);
        check(&sources, locator.below(Place::default(), &[]), expect!["nowhere"]);
    }

    #[test]
    fn a_task_is_found_by_the_place_of_its_name() {
        let mut sources = Sources::new();
        let text = "[[task]]\nname = \"a\"\n[[task]]\nname = \"b\"\ninputs = [\"x\", \"y\"]\nenv.A = \"1\"\n";
        let file = sources.add("x.toml", text);
        let name = text.find("\"b\"").unwrap();
        let place = Place::new(file, name..name + 3);
        let settings = Node::empty_table();
        let locator = Locator::new(&sources, &settings);
        let inputs = Down::Key("inputs");
        check(&sources, locator.beside(place, &[inputs, Down::Item(1)]), expect![[r#"here 5:16 "y""#]]);
        check(&sources, locator.beside(place, &[Down::Key("cache")]), expect![[r#"not in 4:8 "b""#]]);
        let env = [Down::Key("env"), Down::Key("A")];
        check(&sources, locator.beside(place, &env), expect![[r#"here 6:9 "1""#]]);
        check(
            &sources,
            locator.beside(place, &[Down::Key("env"), Down::Key("B")]),
            expect!["not in 6:1 env"],
        );
    }
}
