//! The verdict of a search in one line.

use std::time::Duration;

use super::{AtAnswer, CameraAtAnswer, Cause, Outcome, SettingFigures, WorstStream};
use crate::record::density::{DensityRecord, Unit};
use crate::record::measure::{Verdict, number};
use crate::search::{Answer, EXPLORE_S, State, Why};
use crate::text::{counted, plural};
use crate::time::duration_text;

/// The verdict, without the fitness of the machine.
pub(super) fn verdict(
    record: &DensityRecord,
    cameras: usize,
    settings: &[SettingFigures],
) -> (Outcome, String) {
    let Answer { at_least, at_most, .. } = record.answer;
    let told = Told { record, cameras, settings };
    let sure = || format!(", {} sure", percent(record.rules.confidence));
    let (outcome, mut text) = match (record.answer.exact(), at_least, at_most) {
        // Streams that do not play tell nothing about the machine.
        (Some(0), ..) if told.is_broken() => (Outcome::Unknown, told.nothing()),
        (Some(0), ..) => (Outcome::Zero, told.zero()),
        (Some(n), ..) => (Outcome::Exact, format!("{}{}{}", told.number(n), sure(), told.next_fails(n))),
        (None, 0, None) => (Outcome::Unknown, told.nothing()),
        (None, 0, Some(most)) => (Outcome::Range, format!("at most {}: {}", told.number(most), told.why())),
        (None, n, None) => (Outcome::Range, format!("at least {}{}: {}", told.number(n), sure(), told.why())),
        (None, n, Some(most)) => {
            (Outcome::Range, format!("at least {n}, at most {}: {}", told.number(most), told.why()))
        }
    };
    if !record.answer.not_monotone.is_empty() {
        let failed: Vec<String> = record.answer.not_monotone.iter().map(u32::to_string).collect();
        text.push_str(&format!("; not monotone: {} failed, though more held", failed.join(", ")));
    }
    if !record.inputs_changed.is_empty() {
        let names: Vec<String> = record.inputs_changed.iter().map(|path| format!("`{path}`")).collect();
        let inputs = plural(names.len(), "input");
        text.push_str(&format!("; its {inputs} {} changed meanwhile", names.join(", ")));
    }
    (outcome, text)
}

/// What the run at the answer showed, if a stream of it does not hold:
/// `the run at 3 lanes after it does not hold at camera-2: deadline 97.1 %`.
pub(super) fn doubt(record: &DensityRecord, at: &AtAnswer) -> Option<String> {
    let is_bad = |camera: &&CameraAtAnswer| camera.verdict > Verdict::Undecided;
    let camera = at.cameras.iter().filter(is_bad).max_by_key(|camera| camera.verdict)?;
    let told = Told { record, cameras: 0, settings: &[] };
    let cause = match camera.as_worst(record.rules.on_time) {
        worst if worst.verdict == Verdict::DoesNotHold => short(&worst, None),
        worst => worst.verdict.to_string(),
    };
    let (lanes, unit) = (at.lanes, told.unit(at.lanes));
    let is_own = at.setting.is_none();
    is_own.then(|| format!("the run at {lanes} {unit} after it does not hold at {}: {cause}", camera.camera))
}

struct Told<'a> {
    record: &'a DensityRecord,
    cameras: usize,
    settings: &'a [SettingFigures],
}

impl Told<'_> {
    /// `lane`, `lanes`, `copies of camera-3`
    fn unit(&self, n: u32) -> String {
        match (self.record.unit, n) {
            (Unit::Lane, _) => plural(n, "lane").into_owned(),
            (Unit::Camera, 1) => format!("copy of {}", self.record.subject),
            (Unit::Camera, _) => format!("copies of {}", self.record.subject),
        }
    }

    /// `23 lanes of 6 cameras`, `5 copies of camera-3 beside 5 others`
    fn number(&self, n: u32) -> String {
        let unit = self.unit(n);
        match self.record.unit {
            Unit::Lane if self.record.background.is_empty() => {
                format!("{n} {unit} of {}", counted(self.cameras, "camera"))
            }
            _ => match self.record.background.len() {
                0 => format!("{n} {unit}"),
                others => format!("{n} {unit} beside {}", counted(others, "other camera")),
            },
        }
    }

    /// The last setting of so many lanes in this state.
    fn last(&self, lanes: Option<u32>, state: State) -> Option<&SettingFigures> {
        let is_it =
            |one: &&SettingFigures| one.state == state && lanes.is_none_or(|lanes| one.lanes == lanes);
        self.settings.iter().rev().find(is_it)
    }

    /// Whether not even one was judged, since streams did not play.
    fn is_broken(&self) -> bool {
        self.last(Some(1), State::Fails).is_none() && self.last(Some(1), State::Broken).is_some()
    }

    /// The largest setting that held for a short time only, above all that is confirmed.
    fn unconfirmed(&self) -> Option<&SettingFigures> {
        let answer = &self.record.answer;
        let is_it = |one: &&SettingFigures| {
            let is_between =
                answer.at_least < one.lanes && answer.at_most.is_none_or(|most| one.lanes <= most);
            one.state == State::Holds && is_between
        };
        self.settings.iter().filter(is_it).max_by_key(|one| one.lanes)
    }

    /// `no number of lanes: camera-3/1: its worker ended, with 1 lane`;
    /// `no number of lanes is confirmed, but 1 held for 20 s: ...`
    fn nothing(&self) -> String {
        let unit = self.unit(2);
        let why = if self.is_broken() { self.broken() } else { self.why() };
        match self.unconfirmed().and_then(|held| Some((held.lanes, held.judged_us?))) {
            Some((lanes, judged_us)) => {
                let seconds = judged_us / 1_000_000;
                format!("no number of {unit} is confirmed, but {lanes} held for {seconds} s: {why}")
            }
            None => format!("no number of {unit}: {why}"),
        }
    }

    /// What is left of the budget, in seconds.
    fn left_s(&self) -> f64 {
        let took_us = |one: &SettingFigures| one.span_us.1.saturating_sub(one.span_us.0);
        self.record.rules.budget_s - self.settings.iter().map(took_us).sum::<u64>() as f64 / 1e6
    }

    /// `camera-3-l6/1: its worker ended, with 6 lanes`
    fn broken(&self) -> String {
        let Some(setting) = self.last(None, State::Broken) else { return "streams did not play".to_owned() };
        let reason = setting.reason.as_deref().unwrap_or("a stream did not play");
        format!("{reason}, with {} {}", setting.lanes, self.unit(setting.lanes))
    }

    /// `0 lanes of 6 cameras: camera-3 reached 13.1 of 15 fps`
    fn zero(&self) -> String {
        let missed = self.last(Some(1), State::Fails).map(|setting| match &setting.worst {
            Some(worst) => format!("{} {}", worst.camera, missed(worst, setting.reason.as_deref())),
            None => setting.reason.clone().unwrap_or_default(),
        });
        match missed {
            Some(missed) => format!("{}: {missed}", self.number(0)),
            None => self.number(0),
        }
    }

    /// `; the 24th fails at camera-4: deadline 97.1 %`
    fn next_fails(&self, n: u32) -> String {
        let Some(setting) = self.last(Some(n + 1), State::Fails) else { return String::new() };
        let next = ordinal(n + 1);
        match &setting.worst {
            Some(worst) => {
                format!("; the {next} fails at {}: {}", worst.camera, short(worst, setting.reason.as_deref()))
            }
            None => format!("; the {next} fails: {}", setting.reason.as_deref().unwrap_or("not known why")),
        }
    }

    /// Why the answer is no single number.
    fn why(&self) -> String {
        let rules = &self.record.rules;
        match self.record.answer.why {
            Some(Why::Max) => format!("more than {} were not tried", rules.max),
            Some(Why::Budget) => {
                let budget = Duration::try_from_secs_f64(rules.budget_s).unwrap_or(Duration::MAX);
                let budget = duration_text(budget);
                // Where a shorter setting would fit, or nothing but a confirmation is missing.
                let is_for_confirmation = EXPLORE_S <= self.left_s() || self.unconfirmed().is_some();
                let what = match is_for_confirmation {
                    true => format!(
                        "too little of the {budget} is left for a confirmation of {:.0} s",
                        rules.confirm_s()
                    ),
                    false => format!("the {budget} for the search were over"),
                };
                format!("{what}; a larger `--budget` goes on")
            }
            Some(Why::Disturbed) => "foreign load left too little time that counts".to_owned(),
            Some(Why::Undecided) => match self.last(None, State::Undecided) {
                Some(setting) => format!("{} neither held nor failed for sure", self.number(setting.lanes)),
                None => "a larger number neither held nor failed for sure".to_owned(),
            },
            Some(Why::Guard) if self.record.lack.is_some() => self.record.lack.clone().unwrap_or_default(),
            Some(Why::Guard) => {
                "one more would need more memory, file descriptors or processes than there are".to_owned()
            }
            Some(Why::Broken) => self.broken(),
            Some(Why::Interrupted) => "interrupted; the same command goes on where it was".to_owned(),
            None => "not known why".to_owned(),
        }
    }
}

/// What the stream that failed missed, after its name.
fn missed(worst: &WorstStream, reason: Option<&str>) -> String {
    match worst.cause() {
        Some(Cause::Rate(fps, target)) => format!("reached {} of {} fps", tenths(fps), number(target)),
        Some(Cause::Drops(share)) => format!("dropped {} of its frames", percent(share)),
        Some(Cause::Deadline(share, limit)) => {
            format!("had {} of its frames on time, not {}", percent(share), percent(limit))
        }
        None => format!("fails: {}", reason.unwrap_or("not known why")),
    }
}

/// `deadline 97.1 %`
fn short(worst: &WorstStream, reason: Option<&str>) -> String {
    match worst.cause() {
        Some(Cause::Rate(fps, target)) => format!("rate {} of {} fps", tenths(fps), number(target)),
        Some(Cause::Drops(share)) => format!("drops {}", percent(share)),
        Some(Cause::Deadline(share, _)) => format!("deadline {}", percent(share)),
        None => reason.unwrap_or("not known why").to_owned(),
    }
}

/// A rate with one decimal, cut so that it never looks like more.
fn tenths(fps: f64) -> String {
    format!("{:.1}", (fps * 10.0).floor() / 10.0)
}

/// A share in percent with at most one decimal, cut so that 100 % is all of it: `97.1 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    // What is kept to the millionth is not a little less.
    format!("{} %", number(((share * 1e6).round() / 1e3).floor() / 10.0))
}

/// `1st`, `2nd`, `23rd`, `111th`
#[must_use]
pub fn ordinal(n: u32) -> String {
    let suffix = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::figures;
    use super::*;
    use crate::path::ProjectPath;
    use crate::record::density::SettingRecord;
    use crate::record::fixture::density::{
        broken, copies_of_a_camera, late, search, setting, slow, three_lanes,
    };
    use crate::search::{Goal, Rules};

    const SPAN: (u64, u64) = (0, 30);

    fn answer(at_least: u32, at_most: Option<u32>, why: Option<Why>) -> Answer {
        Answer { at_least, at_most, why, not_monotone: Vec::new() }
    }

    #[track_caller]
    fn check(record: &DensityRecord, expect: Expect) {
        let figures = figures(record);
        expect.assert_eq(&format!("{:?}: {}", figures.outcome, figures.verdict));
    }

    #[test]
    fn one_more_fails_and_the_verdict_says_where_and_why() {
        check(
            &three_lanes(),
            expect!["Exact: 3 lanes of 2 cameras, 95 % sure; the 4th fails at camera-2: deadline 97 %"],
        );
        let settings = vec![setting(1, Goal::Confirm, SPAN), slow(2, Goal::Explore, SPAN, 13)];
        let record = DensityRecord { answer: answer(1, Some(1), None), ..search(settings) };
        check(
            &record,
            expect!["Exact: 1 lane of 2 cameras, 95 % sure; the 2nd fails at camera-2: rate 13.0 of 15 fps"],
        );
        check(
            &copies_of_a_camera(),
            expect![
                "Exact: 1 copy of camera-1 beside 1 other camera, 95 % sure; the 2nd fails at camera-2: rate 13.0 of 15 fps"
            ],
        );
    }

    #[test]
    fn none_has_the_closest_miss() {
        let zero = |setting| DensityRecord { answer: answer(0, Some(0), None), ..search(vec![setting]) };
        check(
            &zero(slow(1, Goal::Explore, SPAN, 13)),
            expect!["Zero: 0 lanes of 2 cameras: camera-2 reached 13.0 of 15 fps"],
        );
        check(
            &zero(late(1, Goal::Explore, SPAN, 9)),
            expect!["Zero: 0 lanes of 2 cameras: camera-2 had 91 % of its frames on time, not 99 %"],
        );
    }

    #[test]
    fn streams_that_do_not_play_are_no_answer() {
        for nothing in [answer(0, Some(0), None), answer(0, None, Some(Why::Broken))] {
            let record = DensityRecord { answer: nothing, ..search(vec![broken(1, SPAN)]) };
            let figures = figures(&record);
            let text = "no number of lanes: camera-2/1: its worker ended: killed by SIGSEGV, with 1 lane";
            assert_eq!((figures.outcome, figures.verdict.as_str()), (Outcome::Unknown, text));
        }
        let settings = vec![setting(2, Goal::Confirm, SPAN), broken(3, SPAN)];
        let record = DensityRecord { answer: answer(2, None, Some(Why::Broken)), ..search(settings) };
        check(
            &record,
            expect![
                "Range: at least 2 lanes of 2 cameras, 95 % sure: camera-2-l3/1: its worker ended: killed by SIGSEGV, with 3 lanes"
            ],
        );
    }

    #[test]
    fn a_range_says_why_it_is_one() {
        let undecided = |lanes| {
            let mut setting = setting(lanes, Goal::Explore, SPAN);
            setting.state = State::Undecided;
            setting
        };
        let record =
            search(vec![setting(2, Goal::Confirm, SPAN), undecided(3), late(4, Goal::Explore, SPAN, 9)]);
        let record = DensityRecord { rules: Rules { budget_s: 100.0, ..record.rules }, ..record };
        let ranges = [
            (2, Some(3), Why::Undecided),
            (2, Some(3), Why::Disturbed),
            (2, Some(3), Why::Budget),
            (2, None, Why::Max),
            (2, None, Why::Guard),
            (2, Some(3), Why::Interrupted),
            (0, Some(3), Why::Budget),
            (0, None, Why::Interrupted),
        ];
        let texts = ranges.map(|(least, most, why)| {
            let record = DensityRecord { answer: answer(least, most, Some(why)), ..record.clone() };
            let figures = figures(&record);
            format!("{:?}: {}", figures.outcome, figures.verdict)
        });
        expect![[r#"
            Range: at least 2, at most 3 lanes of 2 cameras: 3 lanes of 2 cameras neither held nor failed for sure
            Range: at least 2, at most 3 lanes of 2 cameras: foreign load left too little time that counts
            Range: at least 2, at most 3 lanes of 2 cameras: the 1m40s for the search were over; a larger `--budget` goes on
            Range: at least 2 lanes of 2 cameras, 95 % sure: more than 64 were not tried
            Range: at least 2 lanes of 2 cameras, 95 % sure: one more would need more memory, file descriptors or processes than there are
            Range: at least 2, at most 3 lanes of 2 cameras: interrupted; the same command goes on where it was
            Range: at most 3 lanes of 2 cameras: too little of the 1m40s is left for a confirmation of 263 s; a larger `--budget` goes on
            Unknown: no number of lanes is confirmed, but 2 held for 20 s: interrupted; the same command goes on where it was"#]]
        .assert_eq(&texts.join("\n"));
    }

    #[test]
    fn a_budget_without_time_for_a_confirmation_hides_nothing_that_held() {
        let of = |budget_s: f64, settings: Vec<SettingRecord>, answer: Answer| {
            let record = search(settings);
            DensityRecord { rules: Rules { budget_s, ..record.rules }, answer, ..record }
        };
        let explored = || setting(1, Goal::Explore, (0, 25));
        let budget = Some(Why::Budget);
        check(
            &of(60.0, vec![explored()], answer(0, None, budget)),
            expect![
                "Unknown: no number of lanes is confirmed, but 1 held for 20 s: too little of the 1m is left for a confirmation of 263 s; a larger `--budget` goes on"
            ],
        );
        check(
            &of(24.0, vec![explored()], answer(0, None, budget)),
            expect![
                "Unknown: no number of lanes is confirmed, but 1 held for 20 s: too little of the 24s is left for a confirmation of 263 s; a larger `--budget` goes on"
            ],
        );
        check(
            &of(60.0, vec![explored()], answer(0, None, Some(Why::Interrupted))),
            expect![
                "Unknown: no number of lanes is confirmed, but 1 held for 20 s: interrupted; the same command goes on where it was"
            ],
        );
        // 210 s are left, and no number is explored that is not confirmed.
        let tried = vec![setting(2, Goal::Confirm, (0, 290)), late(4, Goal::Confirm, (290, 690), 3)];
        check(
            &of(900.0, tried.clone(), answer(2, Some(3), budget)),
            expect![
                "Range: at least 2, at most 3 lanes of 2 cameras: too little of the 15m is left for a confirmation of 263 s; a larger `--budget` goes on"
            ],
        );
        check(
            &of(700.0, tried, answer(2, Some(3), budget)),
            expect![
                "Range: at least 2, at most 3 lanes of 2 cameras: the 11m40s for the search were over; a larger `--budget` goes on"
            ],
        );
    }

    #[test]
    fn what_makes_an_answer_less_sure_follows_it() {
        let mut record = three_lanes();
        record.answer.not_monotone = vec![2];
        record.inputs_changed = vec![ProjectPath::new("media/scan.mp4").unwrap()];
        record.settings[4].record.host.facts.insert("governor".to_owned(), "powersave".to_owned());
        check(
            &record,
            expect![
                "Exact: 3 lanes of 2 cameras, 95 % sure; the 4th fails at camera-2: deadline 97 %; not monotone: 2 failed, though more held; its input `media/scan.mp4` changed meanwhile; degraded"
            ],
        );
    }

    #[test]
    fn shares_are_cut_and_not_rounded() {
        let shares = [1.0, 0.999_9, 0.989_99, 0.971_43, 0.95, 0.999].map(percent);
        assert_eq!(shares, ["100 %", "99.9 %", "98.9 %", "97.1 %", "95 %", "99.9 %"]);
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 21, 112, 123].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 21st 112th 123rd"
        );
    }
}
