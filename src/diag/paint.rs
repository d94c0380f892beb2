//! Colours of words for people, the same in every command.
//!
//! A colour repeats what a word says and never says anything alone. Not here: whether
//! an output has colours (`cli`), and those of diagnostics (`render`).

use anstyle::{AnsiColor, Style};

use super::render::Color;

/// What a word means to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be: green.
    Good,
    /// Neither good nor bad, or not known: yellow.
    Unsure,
    /// Not as it should be: red.
    Bad,
    /// The head of a table: bold.
    Head,
}

impl Tone {
    /// The escape sequences before and after a text.
    #[must_use]
    pub fn escapes(self) -> (String, String) {
        let style = match self {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Unsure => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Head => Style::new(),
        };
        let style = style.bold();
        (style.render().to_string(), style.render_reset().to_string())
    }
}

impl Color {
    /// A text of one line in the colour of its meaning.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self == Color::Never || text.is_empty() {
            return text.to_owned();
        }
        let (begin, end) = tone.escapes();
        format!("{begin}{text}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_colours_stays_as_it_is() {
        assert_eq!(Color::Never.paint(Tone::Bad, "failed"), "failed");
        assert_eq!(Color::Always.paint(Tone::Bad, ""), "");
        assert_eq!(Color::Always.paint(Tone::Bad, "failed"), "\u{1b}[1m\u{1b}[31mfailed\u{1b}[0m");
    }
}
