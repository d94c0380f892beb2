//! Packets of a stream in its window, from the totals that its worker reports.

use crate::worker::protocol::Packets;

/// Totals at the ends of a window, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PacketLog {
    /// Those of the last report before the window.
    before: Packets,
    /// Those of the last report that belongs to it: the first one after its end.
    newest: Option<Packets>,
    is_over: bool,
}

impl PacketLog {
    /// Takes in the totals at a moment.
    pub(super) fn take_in(&mut self, limits: Option<(u64, u64)>, at_us: u64, packets: Packets) {
        match limits {
            Some((begin, end)) if begin < at_us => {
                if !self.is_over {
                    self.newest = Some(packets);
                }
                self.is_over |= end <= at_us;
            }
            _ => self.before = packets,
        }
    }

    /// The log of a run that begins now.
    pub(super) fn go_on(self) -> PacketLog {
        PacketLog { before: self.newest.unwrap_or(self.before), ..PacketLog::default() }
    }

    /// `None` if the source has no packets.
    pub(super) fn in_window(&self) -> Option<Packets> {
        Some(self.newest?.with(&self.before, u64::saturating_sub))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_a_window_are_those_between_reports_at_its_ends() {
        let mut log = PacketLog::default();
        let packets = |n| Packets { received: n, lost: n / 10, ..Packets::default() };
        assert_eq!(log.in_window(), None);
        log.take_in(None, 1, packets(10));
        for (at, n) in [(9, 100), (10, 110), (11, 120), (20, 210), (31, 320), (32, 330)] {
            log.take_in(Some((10, 30)), at, packets(n));
        }
        assert_eq!(log.in_window(), Some(packets(210)));
        assert_eq!(log.go_on().in_window(), None);
    }
}
