//! What costs more to find out about this process than its CPU time: its share of memory
//! and its threads.

use std::collections::BTreeMap;

use lp::os::{process, threads};
use lp::worker::protocol::{EventBody, ThreadGroup};

/// Seconds between two reports.
const EVERY: u64 = 10;

/// Says when to report.
#[derive(Default)]
pub(crate) struct Seconds(u64);

impl Seconds {
    /// A second has passed: the report that is due, if streams play.
    pub(crate) fn report(&mut self, is_playing: bool) -> Option<EventBody> {
        if !is_playing {
            return None;
        }
        let second = self.0;
        self.0 += 1;
        // The first one is mostly within the warm-up.
        second.is_multiple_of(EVERY).then(|| details(second == 0))
    }
}

/// The report. `with_memory`: also the share of memory, for which the kernel keeps the
/// process from mapping memory for milliseconds, so not while streams are measured.
pub(crate) fn details(with_memory: bool) -> EventBody {
    let groups = threads::own_threads().into_iter();
    let threads: BTreeMap<String, ThreadGroup> =
        groups.map(|(name, (n, cpu_us))| (name, ThreadGroup { n, cpu_us })).collect();
    EventBody::Details { pss: if with_memory { process::own_pss() } else { None }, threads }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_due_at_first_and_then_seldom() {
        let mut seconds = Seconds::default();
        assert!(seconds.report(false).is_none());
        let due: Vec<Option<bool>> = (0..21)
            .map(|_| match seconds.report(true) {
                Some(EventBody::Details { pss, threads }) => {
                    assert!(!threads.is_empty());
                    Some(pss.is_some())
                }
                _ => None,
            })
            .collect();
        let at: Vec<usize> = (0..21).filter(|second| due[*second].is_some()).collect();
        assert_eq!(at, [0, 10, 20]);
        assert_eq!((due[0], due[10]), (Some(true), Some(false)));
    }
}
