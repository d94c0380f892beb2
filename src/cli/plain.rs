//! Makes lines of other programs harmless for a terminal.

use crate::text::harmless;

/// A line of another program for a terminal: harmless, and without escape sequences.
/// Tabs stay. Only the text after the last carriage return is kept.
pub(super) fn plain(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\x1b' { skip_sequence(&mut rest) } else { text.push(c) }
    }
    text.split('\t').map(harmless).collect::<Vec<_>>().join("\t")
}

/// Skips the rest of an escape sequence (ECMA-48).
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        // Parameters, then one final character.
        Some('[') => while rest.next().is_some_and(|c| !('\x40'..='\x7e').contains(&c)) {},
        // A title or a link: up to BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                if c == '\x07' || (c == '\x1b' && rest.next() == Some('\\')) {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_removed() {
        for (line, text) in [
            ("plain\ttext", "plain\ttext"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07shown", "shown"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("10%\r50%\r100%", "100%"),
            ("windows\r", "windows"),
            ("bell\x07 null\0 delete\x7f", "bell\\u{7} null\\u{0} delete\\u{7f}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("cut\x1b[3", "cut"),
            ("cut\x1b", "cut"),
        ] {
            assert_eq!(plain(line), text, "{line:?}");
        }
    }
}
