//! Which number of lanes is measured next, or what the answer is.
//!
//! 1. One lane is explored. If it fails twice, the answer is 0.
//! 2. The CPU time of the lanes predicts how many there is time for: after one lane roughly,
//!    after two numbers by the slope between them. The number after the predicted one is
//!    explored, to see that it fails. Without figures of the CPU the numbers double.
//! 3. Between a number that holds and one that fails the prediction decides, then steps down
//!    from the failing one that double (where the CPU was busy, the truth is near), else bisection.
//! 4. Once a number holds and the next one fails, the former is confirmed. If that fails, it is
//!    a failing number like others. Where one failed late, or after it held, and with CPU time to
//!    spare, short settings do not show the reason, so from then on every number is confirmed;
//!    likewise where one stalled, however busy the CPU was.
//! 5. A number that fails with CPU time to spare may be an accident, so the first of them is
//!    measured again; or an exception, so the one after it is explored too. If that holds, and holds
//!    its confirmation, the failing one is measured again.
//!
//! The budget leaves room for one confirmation as long as there is something to confirm.
//!
//! Not here: how long a setting is measured (`look`).

use super::facts::{Facts, Is};
use super::{Answer, Ask, EXPLORE_S, Goal, Next, Rules, Setting, State, Why};

/// So much of the CPU lanes can use before they fail: queues grow without bound at 1.
const USABLE: f64 = 0.985;
/// At this share of the CPU, failing needs no other reason.
const BUSY: f64 = 0.9;
/// At this share, failing late needs no other reason.
const FULL: f64 = 0.95;
/// The first number after 1 is at most this, whatever one lane predicts.
const MOST_AFTER_ONE: u32 = 16;
/// No number is more than so many times the largest one that holds.
const MOST_TIMES: u32 = 4;
/// What a setting takes besides its judged time, before that is known, in seconds.
const START_S: f64 = 15.0;
/// More settings are never measured.
const MOST_SETTINGS: usize = 100;
/// After so many broken settings in a row nothing plays any more.
const MOST_BROKEN: usize = 4;

/// The next setting, or the answer. `fits`: the most lanes for which there is memory, as far
/// as that is known by now; likewise descriptors and processes.
#[must_use]
pub fn next(rules: &Rules, settings: &[Setting], fits: Option<u32>) -> Next {
    let most = fits.map_or(rules.max, |fits| fits.min(rules.max));
    let all = Facts::of(settings);
    // What fitted before may not be asked for again.
    let fitting: Vec<Setting> = settings.iter().filter(|setting| setting.lanes <= most).copied().collect();
    let search = Search { rules, settings, most, facts: Facts::of(&fitting) };
    let ask = if most == 0 || most < all.best_confirmed() { Err(search.why_most()) } else { search.ask() };
    match ask {
        Ok(ask) => Next::Measure(ask),
        Err(why) => Next::Answer(Search { facts: all, ..search }.answer(why)),
    }
}

struct Search<'a> {
    rules: &'a Rules,
    settings: &'a [Setting],
    /// The most lanes that may be asked for.
    most: u32,
    /// Of the settings with no more lanes than that.
    facts: Facts,
}

fn explore(lanes: u32) -> Ask {
    Ask { lanes, goal: Goal::Explore }
}

fn confirm(lanes: u32) -> Ask {
    Ask { lanes, goal: Goal::Confirm }
}

impl Search<'_> {
    /// What to measure; if nothing, why the answer may be a range.
    fn ask(&self) -> Result<Ask, Why> {
        if self.settings.len() >= MOST_SETTINGS {
            return Err(Why::Budget);
        }
        match self.settings.last() {
            None => return Ok(explore(1)),
            Some(last) if last.state == State::Disturbed && last.lanes <= self.most => {
                return self.after_disturbed(last);
            }
            Some(last) if last.state == State::Broken => {
                if let Some(decision) = self.after_broken(last) {
                    return decision;
                }
            }
            Some(_) => {}
        }
        let holds = self.facts.best();
        if holds == 0 {
            return self.at_one();
        }
        let above_failure = self.facts.all(Is::Failing).any(|n| self.facts.best_confirmed() < n && n < holds);
        if above_failure && !self.facts.is_confirmed(holds) {
            // Only a confirmation overrules a failure below.
            return self.afford(confirm(holds));
        }
        match self.facts.limit_above(holds).filter(|limit| *limit <= self.most) {
            None if holds >= self.most => self.conclude(holds, self.why_most()),
            None => self.afford(explore(self.upwards(holds).min(self.most))),
            Some(limit) if self.facts.is(limit, Is::Open) => self.at_open(holds, limit),
            Some(limit) if self.is_doubtful(holds, limit) && self.has_room(self.again(limit)) => {
                Ok(self.again(limit))
            }
            Some(limit) if self.is_erratic() && limit - self.facts.best_confirmed() > 1 => {
                self.afford(confirm(self.below_erratic(limit)))
            }
            Some(limit) if limit - holds > 1 => self.afford(self.between(holds, limit)),
            Some(limit) => self.at_border(holds, limit),
        }
    }

    /// A disturbed setting is measured again. The last one that there is time for has half the
    /// lanes, which may hold in spite of a load that goes on.
    fn after_disturbed(&self, last: &Setting) -> Result<Ask, Why> {
        let again = Ask { lanes: last.lanes, goal: last.goal };
        let is_last = again.goal == Goal::Confirm && self.left_s() < 2.0 * self.cost_s(again);
        let lanes =
            if is_last && self.facts.best_confirmed() == 0 { again.lanes.div_ceil(2) } else { again.lanes };
        self.afford(Ask { lanes, ..again }).map_err(|_| Why::Disturbed)
    }

    /// A broken setting is measured again, once. What is broken twice says nothing if nothing
    /// else plays either.
    fn after_broken(&self, last: &Setting) -> Option<Result<Ask, Why>> {
        let broken = || self.settings.iter().rev().take_while(|setting| setting.state == State::Broken);
        let holds = self.facts.best();
        let n_same = broken().take_while(|setting| setting.lanes == last.lanes).count();
        match n_same {
            1 if last.lanes <= self.most => {
                let again = Ask { lanes: last.lanes, goal: last.goal };
                Some(self.afford(again).map_err(|_| Why::Broken))
            }
            _ if last.lanes == 1 || broken().count() >= MOST_BROKEN => Some(Err(Why::Broken)),
            // If the next setting is no confirmation of fewer lanes, a short one tells.
            _ if holds > 0 && holds + 1 < last.lanes => {
                Some(self.afford(explore(holds)).map_err(|_| Why::Broken))
            }
            _ => None,
        }
    }

    /// Nothing holds yet.
    fn at_one(&self) -> Result<Ask, Why> {
        let tests = || self.settings.iter().filter(|setting| setting.lanes == 1);
        match self.facts.get(1) {
            Some(fact) if fact.is == Is::Failing => {
                // A single bad start must not make it 0.
                let n_failed = tests().filter(|setting| setting.state == State::Fails).count();
                let is_new = n_failed == 1 && tests().all(|setting| setting.goal == Goal::Explore);
                // A short setting would rarely see a stall again.
                let again = if self.is_stalled(1) { confirm(1) } else { explore(1) };
                if is_new { self.afford(again) } else { Err(Why::Budget) }
            }
            Some(fact) if fact.by == Goal::Explore => self.afford(confirm(1)),
            // At most how many?
            Some(_) if self.most >= 2 && self.facts.get(2).is_none() && self.has_room(explore(2)) => {
                Ok(explore(2))
            }
            Some(_) => Err(Why::Undecided),
            None => self.afford(explore(1)),
        }
    }

    /// A number above all that hold was neither shown to hold nor to fail. It is near the
    /// border, so the one after it most likely tells more.
    fn at_open(&self, holds: u32, open: u32) -> Result<Ask, Why> {
        let after = open + 1;
        if after <= self.most && self.facts.get(after).is_none() {
            return self.afford(explore(after));
        }
        if self.facts.get(open).is_some_and(|fact| fact.by == Goal::Explore) {
            return self.afford(confirm(open));
        }
        if open - holds > 1 {
            return self.afford(confirm(open - 1));
        }
        self.conclude(holds, Why::Undecided)
    }

    /// One number holds and the next one fails.
    fn at_border(&self, holds: u32, fails: u32) -> Result<Ask, Why> {
        let after = fails.saturating_add(1);
        let is_new = after <= self.most && self.facts.get(after).is_none();
        if self.is_odd(fails) && is_new && self.has_room(explore(after)) {
            return Ok(explore(after));
        }
        self.conclude(holds, Why::Budget)
    }

    /// Whatever the answer still lacks.
    fn conclude(&self, holds: u32, why: Why) -> Result<Ask, Why> {
        if !self.facts.is_confirmed(holds) {
            return self.afford(confirm(holds));
        }
        let exception = self.facts.all(Is::Failing).find(|n| *n < holds && self.n_since_failure(*n) == 0);
        if let Some(again) = exception.map(explore).filter(|ask| self.has_room(*ask)) {
            return Ok(again);
        }
        match self.facts.failing_above(holds) {
            // Was it the number of lanes, or would none play now?
            Some(fails) if !self.is_proved(fails) => self.afford(explore(holds)).map_err(|_| Why::Broken),
            _ => Err(why),
        }
    }

    /// The next number while none above `holds` is known.
    fn upwards(&self, holds: u32) -> u32 {
        let most = if holds == 1 { MOST_AFTER_ONE } else { holds.saturating_mul(MOST_TIMES) };
        let Some(predicted) = self.predicted() else { return holds.saturating_mul(2) };
        let is_rough = holds == 1 && predicted > MOST_AFTER_ONE / 2;
        let lanes = if is_rough { predicted / 4 * 3 } else { predicted.saturating_add(1) };
        if lanes > holds {
            return lanes.min(most);
        }
        // More than predicted: in steps that double.
        let before = self.facts.all(Is::Holding).filter(|n| *n < holds && holds - n <= holds / 8 + 1).last();
        holds.saturating_add(before.map_or(1, |before| 2 * (holds - before))).min(most)
    }

    /// The next setting between a number that holds and one that fails, which are not
    /// neighbours.
    fn between(&self, holds: u32, fails: u32) -> Ask {
        let gap = fails - holds;
        let middle = holds + gap / 2;
        let lanes = match self.predicted().filter(|predicted| *predicted >= holds) {
            Some(predicted) if predicted + 1 < fails => predicted + 1,
            Some(predicted) if predicted + 1 == fails && predicted > holds => predicted,
            Some(_) if self.is_busy(fails, BUSY) => {
                let near = self.facts.all(Is::Failing).filter(|n| *n >= fails && n - fails <= fails / 4 + 2);
                let step = 1_u32 << near.count().saturating_sub(2).min(16);
                fails.saturating_sub(step).max(middle)
            }
            _ => middle,
        };
        // It cannot be decided by a shorter one.
        if lanes + 1 == fails { confirm(lanes) } else { explore(lanes) }
    }

    /// Whether short settings do not show why numbers fail: one failed late, or one failed
    /// though as many lanes or more held, and not because the CPU was full.
    fn is_erratic(&self) -> bool {
        let held = |n: u32| self.settings.iter().any(|one| one.lanes >= n && one.state == State::Holds);
        let mut failing = self.facts.all(Is::Failing).filter(|n| self.facts.best_confirmed() < *n);
        failing.any(|n| {
            let is_strange = !self.is_busy(n, FULL) && (self.facts.is_late(n) || held(n));
            !self.is_broken(n) && (is_strange || self.is_stalled(n))
        })
    }

    /// Whether a failing number stalled.
    fn is_stalled(&self, fails: u32) -> bool {
        let mut of = self.settings.iter().filter(|one| one.lanes == fails && one.state == State::Fails);
        of.any(|setting| setting.stalled)
    }

    /// The number to confirm below one that fails if short settings tell nothing. One that fails
    /// takes a minute, one that holds five, so until one holds it is rather one that fails: an
    /// eighth less, since most machines stall when they are busy, then in steps that double.
    fn below_erratic(&self, fails: u32) -> u32 {
        let least = self.facts.best_confirmed();
        if least > 0 {
            return least + (fails - least) / 2;
        }
        let is_strange = |n: &u32| !self.is_busy(*n, FULL) || self.is_stalled(*n);
        let first = self.facts.all(Is::Failing).filter(is_strange).last().unwrap_or(fails);
        let step = (first / 8).max(first.saturating_sub(fails)).max(1);
        fails.saturating_sub(step).max(1)
    }

    /// The most lanes for which there is CPU time, by the lanes that hold; `None` if that is
    /// not known.
    fn predicted(&self) -> Option<u32> {
        let known = |lanes: u32| {
            let of = self.settings.iter().filter(|one| one.lanes == lanes && one.state == State::Holds);
            let last = of.max_by(|a, b| a.judged_s.total_cmp(&b.judged_s))?;
            Some((lanes, last.cpu.filter(|cpu| cpu.is_finite() && *cpu > 0.0)?))
        };
        let points: Vec<(u32, f64)> = self.facts.all(Is::Holding).filter_map(known).collect();
        let (most, used) = *points.last()?;
        // Neighbours differ by little more than noise.
        let other = points.iter().rev().find(|(lanes, _)| lanes.saturating_mul(4) <= most.saturating_mul(3));
        let slope = match other {
            Some((lanes, less)) => (used - less) / f64::from(most - lanes),
            None => used / f64::from(most),
        };
        let more = (USABLE - used) / slope;
        let lanes = f64::from(most) + more.floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its range")]
        (slope > 0.0 && lanes.is_finite()).then(|| lanes.clamp(0.0, 1e9) as u32)
    }

    /// Whether a number failed once and soon, and all that is known of the CPU says that it
    /// should hold: what its start held up may not have been caught up with.
    fn is_doubtful(&self, holds: u32, fails: u32) -> bool {
        let is_known = self.facts.is_late(fails) || self.is_broken(fails) || self.is_stalled(fails);
        let is_explained = is_known || self.is_busy(fails, USABLE);
        let is_refuted = |n: u32| n > holds && self.n_since_failure(n) > 0 && !self.is_busy(n, USABLE);
        let was_refuted = self.facts.all(Is::Failing).any(is_refuted);
        let should_hold = self.predicted().is_some_and(|predicted| predicted >= fails);
        !is_explained && !was_refuted && should_hold && self.n_since_failure(fails) == 0
    }

    /// The same as when it failed.
    fn again(&self, fails: u32) -> Ask {
        let goal = self.facts.get(fails).map_or(Goal::Explore, |fact| fact.by);
        Ask { lanes: fails, goal }
    }

    /// Whether a number failed with CPU time to spare.
    fn is_odd(&self, fails: u32) -> bool {
        let is_known = self.is_late(fails) || self.is_broken(fails) || self.is_stalled(fails);
        !is_known && !self.is_busy(fails, BUSY)
    }

    /// Whether a failing number used this share of the CPU.
    fn is_busy(&self, fails: u32, share: f64) -> bool {
        let mut of = self.settings.iter().filter(|one| one.lanes == fails && one.state == State::Fails);
        of.any(|setting| setting.cpu.is_some_and(|cpu| cpu >= share))
    }

    /// Whether a number failed so late that an exploring setting would not have shown it, and
    /// not because the CPU was busy.
    fn is_late(&self, fails: u32) -> bool {
        self.facts.is_late(fails) && !self.is_busy(fails, FULL)
    }

    fn is_broken(&self, fails: u32) -> bool {
        !self.settings.iter().any(|one| one.lanes == fails && one.state == State::Fails)
    }

    /// How often a number was measured after it failed first.
    fn n_since_failure(&self, lanes: u32) -> usize {
        let of = self.settings.iter().filter(|one| one.lanes == lanes && one.state != State::Disturbed);
        of.skip_while(|one| !matches!(one.state, State::Fails | State::Broken)).count().saturating_sub(1)
    }

    /// Whether a failing number failed for itself: if it was only broken, fewer lanes played
    /// after it.
    fn is_proved(&self, fails: u32) -> bool {
        let after = self.settings.iter().rev();
        let mut after = after.take_while(|one| !(one.lanes == fails && one.state == State::Broken));
        let plays = |one: &Setting| matches!(one.state, State::Holds | State::Fails | State::Undecided);
        !self.is_broken(fails) || after.any(|one| one.lanes < fails && plays(one))
    }

    fn why_most(&self) -> Why {
        if self.most < self.rules.max { Why::Guard } else { Why::Max }
    }

    /// What is left of the budget, in seconds.
    fn left_s(&self) -> f64 {
        self.rules.budget_s - self.settings.iter().map(|setting| setting.took_s).sum::<f64>()
    }

    /// What a setting takes, in seconds.
    fn cost_s(&self, ask: Ask) -> f64 {
        let ended = |one: &&Setting| matches!(one.state, State::Holds | State::Fails);
        let starts = self.settings.iter().filter(ended).map(|one| one.took_s - one.judged_s);
        let start_s = starts.fold(None, |most: Option<f64>, s| Some(most.map_or(s, |most| most.max(s))));
        let judged_s = if ask.goal == Goal::Confirm { self.rules.confirm_s() } else { EXPLORE_S };
        judged_s + start_s.unwrap_or(START_S).max(0.0)
    }

    /// The setting, if the budget has room for it and for the confirmation after it; else
    /// that confirmation; else the end.
    fn afford(&self, ask: Ask) -> Result<Ask, Why> {
        match self.last() {
            _ if self.has_room(ask) => Ok(ask),
            Some(last) if ask != last && self.has_room(last) => Ok(last),
            _ => Err(Why::Budget),
        }
    }

    /// Whether the budget has room for a setting, and for the confirmation after it.
    fn has_room(&self, ask: Ask) -> bool {
        let last = self.last().filter(|_| ask.goal == Goal::Explore);
        self.left_s() >= self.cost_s(ask) + last.map_or(0.0, |last| self.cost_s(last))
    }

    /// The confirmation that the best number still needs.
    fn last(&self) -> Option<Ask> {
        let holds = self.facts.best();
        (holds > 0 && !self.facts.is_confirmed(holds)).then_some(confirm(holds))
    }

    fn answer(&self, why: Why) -> Answer {
        let at_least = self.facts.best_confirmed();
        let holds = self.facts.best();
        let fails = self.facts.failing_above(holds).filter(|fails| self.is_proved(*fails));
        let at_most = fails.map(|fails| fails - 1);
        let not_monotone = self.facts.all(Is::Failing).filter(|n| *n < at_least).collect();
        let why = (at_most != Some(at_least)).then_some(why);
        Answer { at_least, at_most, why, not_monotone }
    }
}
