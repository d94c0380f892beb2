//! Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a value that can be waited
//! for, as the moment before the end, or as nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::process::{Cancel, cancel_pair};

/// Set when the process waits for signals and ends in order.
static AWAITED: AtomicBool = AtomicBool::new(false);

/// A [`Cancel`] that comes with the first SIGINT, SIGTERM or SIGHUP from now on.
/// Later signals change nothing: an orderly end is under way. A SIGHUP that the
/// caller ignores (`nohup lp run`) stays ignored.
///
/// # Errors
/// When the handler cannot be installed.
pub fn cancel_on_signals() -> io::Result<Cancel> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    AWAITED.store(true, Ordering::SeqCst);
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

/// Does something before one of these signals ends this process, as it does by
/// default. Where signals are waited for ([`cancel_on_signals`]) it does nothing.
///
/// # Errors
/// When the handler cannot be installed.
pub fn before_the_end(act: fn()) -> io::Result<()> {
    let signals = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(signals)?;
    std::thread::Builder::new().name("before the end".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if !AWAITED.load(Ordering::SeqCst) {
                act();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    })?;
    Ok(())
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
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
