//! JSON: what it takes is what `serde_json` takes, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lp::config::json::parse;
use lp::config::tree::{Node, Value};
use lp::diag::codes;
use lp::diag::{Diagnostics, Sources};
use lp_fuzz::{check_diagnostics, check_tree};

fuzz_target!(|text: &str| {
    let mut sources = Sources::new();
    let file = sources.add("x.json", text);
    let mut diagnostics = Diagnostics::new();
    let tree = parse(file, text, &mut diagnostics);
    check_diagnostics(&diagnostics, &sources);
    if let Some(tree) = &tree {
        check_tree(tree, file, text);
    } else {
        assert!(diagnostics.has_errors());
    }

    let mut again = Diagnostics::new();
    assert_eq!(tree, parse(file, text, &mut again));
    assert_eq!(diagnostics.sorted(), again.sorted());

    let has = |wanted: &[&str]| diagnostics.sorted().iter().any(|one| wanted.contains(&one.code));
    let is_right = !has(&[codes::JSON_SYNTAX, codes::NOT_FINITE, codes::TOO_DEEP]);
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => {
            assert!(is_right, "this is JSON, but {:?}", diagnostics.sorted());
            // Of a key that stands twice, one takes the first and one the last.
            if !has(&[codes::DUPLICATE_KEY]) {
                assert_same(&tree.expect("what is right has a tree"), &value);
            }
        }
        Err(error) => {
            let error = error.to_string();
            let is_limit = error.contains("recursion limit") || error.contains("number out of range");
            assert!(!is_right || is_limit, "{error}");
        }
    }
});

fn assert_same(node: &Node, value: &serde_json::Value) {
    match (&node.value, value) {
        (Value::Null, serde_json::Value::Null) => {}
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => assert_eq!(ours, theirs),
        (Value::Text(ours), serde_json::Value::String(theirs)) => assert_eq!(ours, theirs),
        (Value::Int(0), serde_json::Value::Number(theirs)) => assert_eq!(theirs.as_f64(), Some(0.0)),
        (Value::Int(ours), serde_json::Value::Number(theirs)) => assert_eq!(Some(*ours), theirs.as_i64()),
        (Value::Float { value, .. }, serde_json::Value::Number(theirs)) => {
            assert_eq!(Some(*value), theirs.as_f64());
        }
        // Whole numbers beyond an `i64` were reported.
        (Value::Broken, serde_json::Value::Number(_)) => {}
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_same(ours, theirs));
        }
        (Value::Table(ours), serde_json::Value::Object(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            // Comments may stand twice.
            let keys = ours.iter().filter(|(key, _)| !key.text.starts_with('_'));
            keys.for_each(|(key, ours)| assert_same(ours, &theirs[&key.text]));
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}
