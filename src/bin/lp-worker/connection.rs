//! The connection of a pipeline's `rtspsrc`, where it may be made again after it was lost: pure.
//!
//! It is lost by an error of the source, by its end, and by silence. Until the first packet of
//! all has come, an error is one of the pipeline, as without a policy.
//!
//! Not here: replacing the source (`player`), and counting (`probe`).

use lp::pipeline::reconnect::{Attempts, Reconnection};
use lp::worker::protocol::Outage;

/// How long a new connection may take to bring a packet, in milliseconds. Longer than `rtspsrc`
/// takes to try UDP, and then TCP.
const CONNECT_MS: u64 = 20_000;

/// The connection of a source.
pub(crate) struct Connection {
    reconnection: Reconnection,
    attempts: Attempts,
    state: State,
    /// The last one.
    outage: Outage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No packet has come yet.
    First,
    Up,
    /// The next attempt begins at this time.
    Waiting(u64),
    /// An attempt began at this time.
    Connecting(u64),
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// Make a new source.
    Connect,
    /// Packets come again.
    Back(Outage),
    /// It has to count as lost, for this reason.
    Lose(String),
}

/// A loss of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// An outage begins.
    Begins(Outage),
    /// It goes on, after one more attempt.
    GoesOn(Outage),
    /// The policy allows no more attempts: the outage that stays, and the reason.
    IsFinal(Outage, String),
}

impl Connection {
    pub(crate) fn new(reconnection: Reconnection) -> Connection {
        let attempts = Attempts::new(reconnection.policy);
        Connection { reconnection, attempts, state: State::First, outage: Outage::default() }
    }

    /// Looks after it at `now_ms`. `packets_ms`: when the first and the last packet of this source came.
    pub(crate) fn look(&mut self, now_ms: u64, packets_ms: Option<(u64, u64)>) -> Step {
        if let Some(outage) = self.came_back(packets_ms) {
            return Step::Back(outage);
        }
        match (self.state, packets_ms) {
            (State::First, Some(_)) => self.state = State::Up,
            (State::Connecting(since_ms), None) if since_ms + CONNECT_MS <= now_ms => {
                return Step::Lose(format!("it sent no packet within {} s", CONNECT_MS / 1_000));
            }
            (State::Up, Some((_, last_ms))) if last_ms + self.reconnection.silence_ms <= now_ms => {
                return Step::Lose(format!("it sent nothing for {} s", self.reconnection.silence_ms / 1_000));
            }
            (State::Waiting(at_ms), _) if at_ms <= now_ms => {
                self.state = State::Connecting(now_ms);
                self.outage.attempts += 1;
                return Step::Connect;
            }
            _ => {}
        }
        Step::Nothing
    }

    /// The outage that is over, if a new connection has brought packets since it was looked after last.
    pub(crate) fn came_back(&mut self, packets_ms: Option<(u64, u64)>) -> Option<Outage> {
        let (State::Connecting(_), Some((first_ms, _))) = (self.state, packets_ms) else { return None };
        self.state = State::Up;
        self.attempts.succeeded();
        self.outage.back_us = Some(first_ms * 1_000);
        Some(self.outage.clone())
    }

    /// Whether an error of the source is a loss of its connection.
    pub(crate) fn may_be_lost(&self, has_packets: bool) -> bool {
        has_packets || self.state != State::First
    }

    /// Whether there is no source now.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// At `now_ms` the connection is known to be lost, since `last_ms`, when its last packet came; or
    /// it could not be made.
    pub(crate) fn lost(&mut self, now_ms: u64, last_ms: u64, reason: String) -> Loss {
        let begins = matches!(self.state, State::First | State::Up);
        if begins {
            let lost_us = last_ms * 1_000;
            self.outage = Outage { lost_us, back_us: None, attempts: 0, reason: reason.clone() };
        }
        let outage = self.outage.clone();
        let Some(at_ms) = self.attempts.next_ms(now_ms) else {
            let policy = self.reconnection.policy;
            let reason = format!("{reason}; `rtsp.reconnect` allows no more attempts than {policy}");
            return Loss::IsFinal(outage, reason);
        };
        self.state = State::Waiting(at_ms);
        if begins { Loss::Begins(outage) } else { Loss::GoesOn(outage) }
    }
}

#[cfg(test)]
mod tests {
    use lp::pipeline::reconnect::Reconnect;

    use super::*;

    fn connection(policy: &str) -> Connection {
        let policy = Reconnect::parse(policy).unwrap();
        Connection::new(Reconnection { policy, silence_ms: 7_000 })
    }

    #[test]
    fn an_outage_lasts_until_packets_come_again() {
        let mut it = connection("3 in 1m");
        assert!(!it.may_be_lost(false));
        assert_eq!(it.look(100, Some((50, 90))), Step::Nothing);
        assert!(it.may_be_lost(true));
        let begin = Outage { lost_us: 90_000, back_us: None, attempts: 0, reason: "gone".to_owned() };
        assert_eq!(it.lost(1_000, 90, "gone".to_owned()), Loss::Begins(begin.clone()));
        assert_eq!(it.look(1_400, None), Step::Nothing);
        assert_eq!(it.look(1_500, None), Step::Connect);
        let still = Outage { attempts: 1, ..begin.clone() };
        assert_eq!(it.lost(1_510, 1_510, "refused".to_owned()), Loss::GoesOn(still));
        assert_eq!(it.look(2_510, None), Step::Connect);
        assert_eq!(it.look(3_000, None), Step::Nothing);
        let end = Outage { back_us: Some(3_100_000), attempts: 2, ..begin };
        assert_eq!(it.look(3_200, Some((3_100, 3_150))), Step::Back(end));
        assert_eq!(it.look(3_300, Some((3_100, 3_290))), Step::Nothing);
    }

    #[test]
    fn a_connection_that_is_lost_at_once_is_another_outage() {
        let mut it = connection("3 in 1m");
        it.look(0, Some((0, 0)));
        it.lost(1_000, 90, "gone".to_owned());
        assert_eq!(it.look(1_500, None), Step::Connect);
        // Its packets came and it went before it was looked after.
        let back = it.came_back(Some((1_600, 1_650))).unwrap();
        assert_eq!((back.attempts, back.back_us), (1, Some(1_600_000)));
        let again = Outage { lost_us: 1_650_000, back_us: None, attempts: 0, reason: "again".to_owned() };
        assert_eq!(it.lost(1_660, 1_650, "again".to_owned()), Loss::Begins(again));
        assert_eq!(it.came_back(None), None);
    }

    #[test]
    fn silence_is_a_loss_before_and_after_the_first_packet() {
        let mut it = connection("1 in 1m");
        it.look(0, Some((0, 0)));
        assert_eq!(it.look(6_999, Some((0, 0))), Step::Nothing);
        assert_eq!(it.look(7_000, Some((0, 0))), Step::Lose("it sent nothing for 7 s".to_owned()));
        it.lost(7_000, 0, "silent".to_owned());
        assert_eq!(it.look(7_500, None), Step::Connect);
        assert_eq!(it.look(27_499, None), Step::Nothing);
        assert_eq!(it.look(27_500, None), Step::Lose("it sent no packet within 20 s".to_owned()));
        let told = "dumb; `rtsp.reconnect` allows no more attempts than 1 in 1m";
        let outage = Outage { lost_us: 0, back_us: None, attempts: 1, reason: "silent".to_owned() };
        assert_eq!(it.lost(27_500, 27_500, "dumb".to_owned()), Loss::IsFinal(outage, told.to_owned()));
    }
}
