//! The time that a command spends outside its tasks: reading the config files,
//! linking tasks, looking at files.
//!
//! `lp build --trace` shows the phases in a row of their own, and `LP_LOG=lp=debug`
//! logs each. The phases of the engine between its events are entered by `journal`, which also measures by this clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::os::clock;
use crate::time::Utc;

/// A clock that began with the command, and the phases since then.
pub(crate) struct Phases {
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    started: Utc,
    list: Mutex<Vec<Phase>>,
}

/// One phase. Of one name there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    /// Microseconds since the command began.
    pub(crate) begin_us: u64,
    pub(crate) end_us: u64,
}

impl Phases {
    /// The command begins now.
    pub(crate) fn new() -> Phases {
        let begin = Instant::now();
        Phases::with_clock(Box::new(move || u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn with_clock(clock: Box<dyn Fn() -> u64 + Send + Sync>) -> Phases {
        Phases { clock, started: clock::utc_now(), list: Mutex::default() }
    }

    /// When the command began.
    pub(crate) fn started(&self) -> Utc {
        self.started
    }

    /// Microseconds since then.
    pub(crate) fn now_us(&self) -> u64 {
        (self.clock)()
    }

    pub(crate) fn timed<T>(&self, name: &'static str, act: impl FnOnce() -> T) -> T {
        let begin_us = self.now_us();
        let done = act();
        self.add(name, begin_us);
        done
    }

    /// A phase that began then ends now.
    pub(crate) fn add(&self, name: &'static str, begin_us: u64) {
        let end_us = self.now_us();
        tracing::debug!("{name} took {} ms", end_us.saturating_sub(begin_us) / 1000);
        self.list().push(Phase { name, begin_us, end_us });
    }

    /// All phases that are over, in the order in which they ended.
    pub(crate) fn list(&self) -> MutexGuard<'_, Vec<Phase>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
