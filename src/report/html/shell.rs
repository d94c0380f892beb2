//! What all pages share: their head, style and script, and a policy by which a browser loads nothing.
//!
//! The policy (CSP) allows pictures inside the page and the page's own scripts, by their digests. A name
//! that came through escaping could therefore still neither run nor load anything. Styles are allowed
//! without a digest, as bars have their width in an attribute; they could load nothing either.
//!
//! The script is an addition: it sorts tables and reads values under a cursor. Every figure is in the
//! page without it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use sha2::{Digest, Sha256};

use crate::text::harmless_lines;

const STYLE: &str = include_str!("style.css");
/// Sorting and the cursor.
const SCRIPT: &str = include_str!("page.js");
/// Asks for the page again while a run lasts.
const LIVE_SCRIPT: &str = include_str!("live.js");

/// So many seconds lie between two versions of a page that is live, in a browser without scripts.
const REFRESH_S: u32 = 5;

/// Whether a page is a file, or what a server shows of a run that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Kind {
    File,
    Live,
}

/// A whole page. `style` is added to that of all pages, and `main` is what it shows.
pub(in crate::report) fn page(kind: Kind, title: &str, style: &str, main: &Markup) -> String {
    let scripts: &[&str] = match kind {
        Kind::File => &[SCRIPT],
        Kind::Live => &[SCRIPT, LIVE_SCRIPT],
    };
    let document = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(kind, scripts));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (harmless_lines(title)) }
                // Otherwise a browser asks for a picture that nobody has.
                @if kind == Kind::Live { link rel="icon" href="data:,"; }
                @if kind == Kind::Live { noscript { meta http-equiv="refresh" content=(REFRESH_S); } }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                main { (main) }
                @for script in scripts { script { (PreEscaped(script)) } }
            }
        }
    };
    let mut text = document.into_string();
    text.push('\n');
    text
}

fn policy(kind: Kind, scripts: &[&str]) -> String {
    let digests = scripts.iter().map(|text| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))));
    let digests = digests.collect::<Vec<_>>().join(" ");
    let connect = match kind {
        Kind::File => "",
        Kind::Live => "; connect-src 'self'",
    };
    format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {digests}{connect}; \
         base-uri 'none'; form-action 'none'"
    )
}
