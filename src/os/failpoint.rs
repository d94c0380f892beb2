//! Places where a test makes `lp` die. For tests only.
//!
//! `LP_FAILPOINT=store.between` aborts the process the first time it comes to
//! that place, `LP_FAILPOINT=store.between:3` the third time. Without the
//! variable a fail-point costs one load. They are compiled in always, so that
//! what is tested is what is shipped.
//!
//! Names: `store.before-blob` (nothing of a result is stored yet),
//! `store.between` (its blobs are, its log entry is not),
//! `store.inside-log-line` (half of the entry is on the disk), `gc.before-log`,
//! `gc.between` (the log is rewritten, no blob is removed yet) and
//! `gc.between-blobs` (one more is).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What `LP_FAILPOINT` asks for.
struct Armed {
    name: String,
    hits_left: AtomicU64,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| std::env::var("LP_FAILPOINT").ok().map(|text| parse(&text))).as_ref()
}

fn parse(text: &str) -> Armed {
    let (name, nth) = match text.rsplit_once(':') {
        Some((name, nth)) => (name, nth.parse().unwrap_or(1)),
        None => (text, 1),
    };
    Armed { name: name.to_owned(), hits_left: AtomicU64::new(nth) }
}

/// Whether the process should die at this visit of the place called `name`.
/// For places that do something first; the others call [`hit`].
#[must_use]
pub fn is_due(name: &str) -> bool {
    armed().is_some_and(|armed| armed.name == name && armed.hits_left.fetch_sub(1, Ordering::SeqCst) == 1)
}

/// Dies here if `LP_FAILPOINT` says so.
pub fn hit(name: &str) {
    if is_due(name) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_point_may_wait_for_the_nth_visit() {
        let third = parse("store.between:3");
        assert_eq!((third.name.as_str(), third.hits_left.load(Ordering::SeqCst)), ("store.between", 3));
        assert_eq!(parse("store.between").hits_left.load(Ordering::SeqCst), 1);
    }
}
