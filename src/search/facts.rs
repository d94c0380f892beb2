//! What the settings of a search have shown about each number of lanes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Goal, Setting, State};

/// What is known of a number of lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) is: Is,
    /// What the setting was measured for that showed it.
    pub(super) by: Goal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Holding,
    Failing,
    /// Neither was shown.
    Open,
}

/// A setting that fails after more judged seconds fails late: a short one would not have
/// shown it.
const LATE_S: f64 = 45.0;

/// Facts by number of lanes.
pub(super) struct Facts {
    facts: BTreeMap<u32, Fact>,
    /// Numbers that failed late.
    late: BTreeSet<u32>,
}

impl Facts {
    /// Of settings in the order of time. A number that was broken twice in a row counts as
    /// failing.
    pub(super) fn of(settings: &[Setting]) -> Facts {
        let mut facts = BTreeMap::new();
        for setting in settings {
            let old = facts.get(&setting.lanes).copied();
            if let Some(fact) = after(old, setting) {
                facts.insert(setting.lanes, fact);
            }
        }
        for pair in settings.windows(2) {
            let [one, other] = pair else { continue };
            let are_broken = one.state == State::Broken && other.state == State::Broken;
            if are_broken && one.lanes == other.lanes {
                facts.insert(one.lanes, Fact { is: Is::Failing, by: one.goal });
            }
        }
        let is_late = |one: &&Setting| one.state == State::Fails && one.judged_s > LATE_S;
        let late = settings.iter().filter(is_late).map(|setting| setting.lanes).collect();
        Facts { facts, late }
    }

    pub(super) fn get(&self, lanes: u32) -> Option<Fact> {
        self.facts.get(&lanes).copied()
    }

    pub(super) fn is(&self, lanes: u32, is: Is) -> bool {
        self.get(lanes).is_some_and(|fact| fact.is == is)
    }

    /// Whether a confirmation has shown that it holds.
    pub(super) fn is_confirmed(&self, lanes: u32) -> bool {
        self.get(lanes) == Some(Fact { is: Is::Holding, by: Goal::Confirm })
    }

    /// Whether it failed after more time than a short setting takes.
    pub(super) fn is_late(&self, lanes: u32) -> bool {
        self.late.contains(&lanes) && self.is(lanes, Is::Failing)
    }

    /// The largest number that holds as far as it was seen; 0 if none does. Where fewer lanes
    /// failed late, a short setting has not seen enough.
    pub(super) fn best(&self) -> u32 {
        let first_late = self.late.iter().copied().find(|lanes| self.is_late(*lanes));
        let is_seen = |n: &u32| self.is_confirmed(*n) || first_late.is_none_or(|late| *n < late);
        self.all(Is::Holding).filter(is_seen).max().unwrap_or(0)
    }

    /// The largest number that was confirmed; 0 if none was.
    pub(super) fn best_confirmed(&self) -> u32 {
        self.all(Is::Holding).filter(|lanes| self.is_confirmed(*lanes)).max().unwrap_or(0)
    }

    /// The smallest number above `lanes` that fails.
    pub(super) fn failing_above(&self, lanes: u32) -> Option<u32> {
        self.all(Is::Failing).find(|failing| *failing > lanes)
    }

    /// The smallest number above `lanes` that fails or is open.
    pub(super) fn limit_above(&self, lanes: u32) -> Option<u32> {
        self.facts.range(lanes.saturating_add(1)..).find(|(_, fact)| fact.is != Is::Holding).map(|(n, _)| *n)
    }

    /// All numbers of a kind, ascending.
    pub(super) fn all(&self, is: Is) -> impl Iterator<Item = u32> {
        self.facts.iter().filter(move |(_, fact)| fact.is == is).map(|(lanes, _)| *lanes)
    }
}

/// What is known of a number after one more setting. A short setting does not change what a
/// long one has shown, except that it fails.
fn after(old: Option<Fact>, setting: &Setting) -> Option<Fact> {
    let by = setting.goal;
    let was_longer = old.is_some_and(|old| old.by == Goal::Confirm && by == Goal::Explore);
    let failed = old.is_some_and(|old| old.is == Is::Failing);
    match setting.state {
        State::Fails if was_longer && failed => old,
        State::Fails => Some(Fact { is: Is::Failing, by }),
        State::Holds if !was_longer => Some(Fact { is: Is::Holding, by }),
        State::Undecided if old.is_none() || (by == Goal::Confirm && !failed) => {
            Some(Fact { is: Is::Open, by })
        }
        State::Holds | State::Undecided | State::Disturbed | State::Broken => old,
    }
}
