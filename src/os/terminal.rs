//! The terminal that stderr or stdout may be.

use std::io::IsTerminal;

/// Whether stderr is a terminal that can redraw lines. Those that services of continuous
/// integration offer, and say so by `CI`, keep every line instead.
#[must_use]
pub fn can_redraw() -> bool {
    let kind = super::env::raw("TERM");
    let is_ci = super::env::raw("CI").is_some_and(|value| !value.is_empty() && value != "false");
    std::io::stderr().is_terminal() && kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb") && !is_ci
}

/// Whether stdout is a terminal.
#[must_use]
pub fn is_stdout() -> bool {
    std::io::stdout().is_terminal()
}

/// The columns and rows of stderr; `None` for those that it does not report, or if it is
/// not a terminal.
#[must_use]
pub fn size() -> (Option<usize>, Option<usize>) {
    let Ok(size) = rustix::termios::tcgetwinsize(rustix::stdio::stderr()) else { return (None, None) };
    let known = |n: u16| Some(usize::from(n)).filter(|n| *n > 0);
    (known(size.ws_col), known(size.ws_row))
}

/// The columns of stderr; `None` if it is not a terminal or does not report them.
#[must_use]
pub fn columns() -> Option<usize> {
    size().0
}

/// The columns of stdout; `None` if it is not a terminal or does not report them.
#[must_use]
pub fn columns_of_stdout() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
