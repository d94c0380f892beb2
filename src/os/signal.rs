//! Ctrl-C and SIGTERM as a value that can be waited for, or as nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::process::{Cancel, cancel_pair};

/// A wish to be stopped that comes with the first SIGINT or SIGTERM from now
/// on. Later signals change nothing: an orderly end is under way.
///
/// # Errors
/// When the handler cannot be installed.
pub fn cancel_on_signals() -> io::Result<Cancel> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (canceller, cancel) = cancel_pair()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut canceller = Some(canceller);
        for _ in signals.forever() {
            canceller = None;
        }
        drop(canceller);
    })?;
    Ok(cancel)
}

/// Lets SIGINT do nothing to this process from now on.
///
/// By a handler rather than by ignoring it, which children would inherit.
///
/// # Errors
/// When the handler cannot be installed.
pub fn outlive_interrupts() -> io::Result<()> {
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}
