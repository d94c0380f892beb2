//! The terminal that stderr or stdout may be.

use std::io::IsTerminal;

/// Whether stderr is a terminal that can redraw a line.
#[must_use]
pub fn can_redraw() -> bool {
    let kind = super::env::raw("TERM");
    std::io::stderr().is_terminal() && kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// The columns of stderr; `None` if it is not a terminal or does not report them.
#[must_use]
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The columns of stdout; `None` if it is not a terminal or does not report them.
#[must_use]
pub fn columns_of_stdout() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
