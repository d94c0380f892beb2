//! Words that several parts of a page write in one way.

use maud::{Markup, html as markup};

use crate::record::measure::Verdict;
use crate::text::harmless_lines;

/// Names that may be broken after `_`, where a reader would.
pub(super) fn breakable(names: &str) -> Markup {
    let names = harmless_lines(names);
    markup! { @for (index, part) in names.split('_').enumerate() { @if index > 0 { "_" wbr; } (part) } }
}

/// A verdict as a coloured word.
pub(super) fn badge(verdict: Verdict) -> Markup {
    let (class, mark) = match verdict {
        Verdict::NotJudged => ("not_judged", "\u{2013}"),
        Verdict::Holds => ("holds", "\u{2713}"),
        Verdict::Decodes => ("decodes", "\u{2713}"),
        Verdict::Undecided => ("undecided", "?"),
        Verdict::DoesNotHold => ("does_not_hold", "\u{2715}"),
        Verdict::FasterButWrong => ("does_not_hold", "\u{2260}"),
        Verdict::Invalid => ("invalid", "\u{2298}"),
        Verdict::Failed => ("failed", "!"),
    };
    markup! { span class={ "badge " (class) } { span aria-hidden="true" { (mark) " " } (verdict) } }
}
