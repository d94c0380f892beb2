//! What holds for every text that `lp` reads, whatever is in it.
//!
//! The targets call these; a panic is a finding.

use lp::config::tree::{Node, Value};
use lp::diag::{Color, document};
use lp::diag::{Diagnostics, FileId, Place, Sources};

/// Faults point into their texts, and can be shown in every way: to people
/// without a character that a terminal obeys, to machines as valid JSON.
pub fn check_diagnostics(diagnostics: &Diagnostics, sources: &Sources) {
    for diagnostic in diagnostics.sorted() {
        let secondary = diagnostic.secondary.iter().map(|(place, _)| *place);
        for place in diagnostic.place.into_iter().chain(secondary) {
            assert!(!place.is_nowhere());
            check_place(place, sources.text(place.file));
        }
        assert!(!diagnostic.message.is_empty());
    }
    // To lay out many faults takes most of the time, so few inputs with many are.
    let count = diagnostics.sorted().len();
    if count > 8 && count % 16 != 0 {
        return;
    }
    let columns = [40, 80, 1000][count % 3];
    if count % 4 == 3 {
        let _ = diagnostics.render_within(sources, Color::Always, columns);
    } else {
        check_text(&diagnostics.render_within(sources, Color::Never, columns));
    }
    let mut documents = vec![diagnostics.to_json(sources)];
    if count % 4 == 1 {
        // The catalogue in it makes it long.
        documents.push(diagnostics.to_sarif(sources));
    }
    for value in documents {
        let text = document(&value);
        check_text(&text);
        let again: serde_json::Value = serde_json::from_str(&text).expect("a document is JSON");
        assert_eq!(again, value);
    }
}

fn check_text(text: &str) {
    let raw = text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(raw, None, "in {text:?}");
}

fn check_place(place: Place, text: &str) {
    let range = place.start as usize..place.end as usize;
    assert!(text.get(range.clone()).is_some(), "{range:?} is no part of a text of {} bytes", text.len());
}

/// Every key and value is a part of the text.
pub fn check_tree(node: &Node, file: FileId, text: &str) {
    assert!(node.place.file == file);
    check_place(node.place, text);
    match &node.value {
        Value::Table(entries) => {
            for (key, inner) in entries {
                check_place(key.place, text);
                check_tree(inner, file, text);
            }
        }
        Value::List(items) => items.iter().for_each(|inner| check_tree(inner, file, text)),
        _ => {}
    }
}
