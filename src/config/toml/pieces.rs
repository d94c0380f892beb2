//! A long file in pieces, on all cores: most input of a large project is ten
//! thousands of `[[task]]` tables, and the parser's data about a file take many
//! times its size.
//!
//! A piece begins at a line that begins with `[[task]]`. If every piece is valid
//! by itself, each cut is at a place where the language expects a new line: a
//! string or list across a cut would not be closed in the piece before it. So all
//! pieces together mean the same as the whole, as long as only the list of tasks is
//! in more than one of them. Otherwise the pieces are dropped, and the caller parses
//! the whole, which also gives the right messages for faults.

use std::collections::HashSet;

use ::toml::de::DeTable;
use rayon::prelude::*;

use super::{Reader, entries};
use crate::config::tree::{Key, Node, Value};
use crate::diag::{Diagnostics, FileId};

const HEADER: &str = "[[task]]";
const BREAK_AND_HEADER: &str = "\n[[task]]";
const LIST: &str = "task";

/// Bytes of a piece: enough for a few hundred tables to share the cost of a parser.
pub(super) const LENGTH: usize = 128 << 10;

/// The entries of the root table, in no order; `None` if the whole must be parsed.
pub(super) fn parse(
    file: FileId,
    text: &str,
    length: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<(Key, Node)>> {
    let cuts = cuts(text, length);
    if cuts.is_empty() {
        return None;
    }
    let begins = || std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([text.len()]);
    let pieces: Vec<(usize, &str)> =
        begins().zip(ends).map(|(begin, end)| (begin, &text[begin..end])).collect();
    let parsed: Vec<(Vec<(Key, Node)>, Diagnostics)> = pieces
        .into_par_iter()
        .map(|(offset, text)| {
            let (table, errors) = DeTable::parse_recoverable(text);
            let mut found = Diagnostics::new();
            let whole = errors.is_empty();
            whole.then(|| {
                let mut reader = Reader { file, offset, text, diagnostics: &mut found };
                (entries(&mut reader, table.into_inner()), found)
            })
        })
        .collect::<Option<_>>()?;

    // Before the first header at the beginning of a line, the key may have any value.
    if parsed[0].0.iter().any(|(key, _)| key.text == LIST) {
        return None;
    }
    let mut names: HashSet<String> = HashSet::new();
    let (mut root, mut all_found) = (Vec::new(), Diagnostics::new());
    let mut tasks: Option<(Key, Node)> = None;
    for (entries, found) in parsed {
        all_found.append(found);
        for (key, node) in entries {
            if key.text != LIST {
                if !names.insert(key.text.clone()) {
                    return None;
                }
                root.push((key, node));
            } else if let Some((_, all)) = &mut tasks {
                let (Value::List(all), Value::List(more)) = (&mut all.value, node.value) else { return None };
                all.extend(more);
            } else {
                tasks = Some((key, node));
            }
        }
    }
    root.extend(tasks);
    diagnostics.append(all_found);
    Some(root)
}

/// The beginnings of all pieces but the first: at the first header, so that the
/// piece before it has no list of tasks in another form, and then at least `length`
/// bytes apart.
fn cuts(text: &str, length: usize) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut from = 0;
    if text.starts_with(HEADER) {
        cuts.push(0);
        from = length;
    }
    loop {
        while from < text.len() && !text.is_char_boundary(from) {
            from += 1;
        }
        let Some(rest) = text.get(from..) else { break };
        let Some(found) = rest.find(BREAK_AND_HEADER) else { break };
        let cut = text.len() - rest.len() + found + 1;
        cuts.push(cut);
        from = cut + length;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::toml;
    use crate::diag::Sources;

    /// Whether pieces of this length give a tree; if so, it is the tree of the whole.
    #[track_caller]
    fn are_enough(text: &str, length: usize) -> bool {
        let (mut sources, mut found, mut of_whole) = (Sources::new(), Diagnostics::new(), Diagnostics::new());
        let file = sources.add("x.toml", text);
        let Some(tree) = toml::in_pieces(file, text, length, &mut found) else { return false };
        let whole = toml::parse_whole(file, text, &mut of_whole);
        assert!(whole.is_whole, "{text}");
        assert_eq!(tree, whole.tree, "{text}");
        assert_eq!(found.sorted(), of_whole.sorted(), "{text}");
        true
    }

    #[test]
    fn pieces_of_a_valid_file_make_the_tree_of_the_whole() {
        let one = "[[task]]\nname = \"ä\"\ninputs = [\n  \"x\", # [[task]]\n]\n\n";
        for text in [
            one.to_owned(),
            one.repeat(5),
            one.replace('\n', "\r\n").repeat(3),
            format!("a = 1\n[run]\ncount = 2\n{}", one.repeat(3)),
            format!("{one}[task.env]\nA = nan\n{one}[task.env]\nA = 1\n[run]\nb = 1e999\n{one}"),
            format!("{one} [[ task ]]\nname = 'x'\n[[\"task\"]]\n{one}[b]\n{one}[[c.d]]\n[[c.d]]\n"),
            format!("{one}[profile.a]\nrun.count = 1\n[profile.b]\n"),
        ] {
            for length in [1, 40, 100] {
                assert!(are_enough(&text, length), "{text}");
            }
        }
    }

    #[test]
    fn files_that_cannot_be_cut_are_parsed_whole() {
        let one = "[[task]]\nname = 'x'\n";
        for text in [
            // Not valid, wherever it is cut.
            format!("{one}{one}name = 'y'\n{one}"),
            format!("{one}a = \n{one}"),
            format!("task = []\n{one}"),
            format!("{one}[[task.name]]\n{one}"),
            format!("[run]\n{one}[run]\n"),
            format!("{one}[run]\n{one}[run]\n"),
            // Valid, but cut at the wrong place, or with one table in several pieces.
            format!("{one}b = \"\"\"\n{one}\"\"\"\n"),
            format!("{one}b = '''\n{one}'''\n{one}"),
            format!("[[ task ]]\n{one}"),
            format!("{one}[profile.a]\n{one}[profile.b]\n"),
            // No tasks at all.
            "a = 1\n[b]\nc = 2\n".to_owned(),
            String::new(),
        ] {
            assert!(!are_enough(&text, 1), "{text}");
        }
    }
}
