//! Searches on machines that are a function from a number of lanes to what is seen of it.
//! Machines that play frames are in `tests/campaign/density`.

use expect_test::{Expect, expect};

use super::*;

const RULES: Rules = Rules { confidence: 0.95, max: 128, budget_s: 900.0, on_time: 0.99 };

/// What a machine shows: state, judged seconds, share of the CPU.
type Shown = (State, f64, Option<f64>);

/// The settings and the answer as text: `explore 1 holds`.
fn search(rules: &Rules, fits: Option<u32>, shows: impl Fn(Ask, &[Setting]) -> Shown) -> (String, Answer) {
    let mut settings: Vec<Setting> = Vec::new();
    let mut text = String::new();
    loop {
        match next(rules, &settings, fits) {
            Next::Answer(answer) => return (text, answer),
            Next::Measure(ask) => {
                assert!((1..=fits.unwrap_or(u32::MAX).min(rules.max)).contains(&ask.lanes), "{ask:?}");
                let (state, judged_s, cpu) = shows(ask, &settings);
                let setting = Setting {
                    lanes: ask.lanes,
                    goal: ask.goal,
                    state,
                    took_s: judged_s + 9.0,
                    judged_s,
                    cpu,
                    stalled: false,
                };
                settings.push(setting);
                text.push_str(&format!("{:?} {} {state:?}\n", ask.goal, ask.lanes).to_lowercase());
                assert!(settings.len() <= 100, "{text}");
            }
        }
    }
}

/// A search on a machine with cores for `capacity` lanes.
fn of_capacity(capacity: f64) -> impl Fn(Ask, &[Setting]) -> Shown {
    move |ask, _| {
        let cpu = (f64::from(ask.lanes) / capacity).min(1.0);
        if cpu < 1.0 { (State::Holds, held_s(ask), Some(cpu)) } else { (State::Fails, 15.0, Some(cpu)) }
    }
}

/// How long it takes until it holds.
fn held_s(ask: Ask) -> f64 {
    if ask.goal == Goal::Confirm { RULES.confirm_s() } else { EXPLORE_S }
}

/// The same without figures of the CPU, and failing at these numbers.
fn failing(fails: impl Fn(u32) -> bool) -> impl Fn(Ask, &[Setting]) -> Shown {
    move |ask, _| {
        if fails(ask.lanes) { (State::Fails, 15.0, None) } else { (State::Holds, held_s(ask), None) }
    }
}

#[track_caller]
fn check(shows: impl Fn(Ask, &[Setting]) -> Shown, expect: Expect) {
    check_with(&RULES, None, shows, expect);
}

#[track_caller]
fn check_with(rules: &Rules, fits: Option<u32>, shows: impl Fn(Ask, &[Setting]) -> Shown, expect: Expect) {
    let (mut text, answer) = search(rules, fits, shows);
    match answer.exact() {
        Some(lanes) => text.push_str(&format!("= {lanes}")),
        None => {
            let most = answer.at_most.map_or_else(|| "..".to_owned(), |most| format!("..{most}"));
            text.push_str(&format!("= {}{most}", answer.at_least));
        }
    }
    assert_eq!(answer.why.is_some(), answer.exact().is_none());
    if let Some(why) = answer.why {
        text.push_str(&format!(", {why:?}").to_lowercase());
    }
    if !answer.not_monotone.is_empty() {
        text.push_str(&format!(", not monotone {:?}", answer.not_monotone));
    }
    expect.assert_eq(&(text + "\n"));
}

#[test]
fn the_cpu_predicts_the_answer() {
    check(
        of_capacity(25.3),
        expect![[r#"
        explore 1 holds
        explore 16 holds
        explore 25 holds
        explore 26 fails
        confirm 25 holds
        = 25
    "#]],
    );
    check(
        of_capacity(60.7),
        expect![[r#"
        explore 1 holds
        explore 16 holds
        explore 60 holds
        explore 61 fails
        confirm 60 holds
        = 60
    "#]],
    );
    check(
        of_capacity(3.5),
        expect![[r#"
        explore 1 holds
        explore 4 fails
        confirm 3 holds
        = 3
    "#]],
    );
}

#[test]
fn without_figures_of_the_cpu_numbers_double() {
    check(
        failing(|n| n > 5),
        expect![[r#"
        explore 1 holds
        explore 2 holds
        explore 4 holds
        explore 8 fails
        explore 6 fails
        confirm 5 holds
        explore 7 fails
        = 5
    "#]],
    );
}

#[test]
fn one_lane_that_fails_twice_is_zero() {
    check(
        failing(|_| true),
        expect![[r#"
        explore 1 fails
        explore 1 fails
        = 0
    "#]],
    );
    let at_first = |ask: Ask, settings: &[Setting]| match settings.len() {
        0 => (State::Fails, 15.0, None),
        _ => failing(|n| n > 1)(ask, settings),
    };
    check(
        at_first,
        expect![[r#"
        explore 1 fails
        explore 1 holds
        explore 2 fails
        explore 3 fails
        confirm 1 holds
        = 1
    "#]],
    );
}

#[test]
fn a_greater_number_that_holds_is_the_answer_and_the_failure_is_told() {
    check(
        failing(|n| n == 5 || n > 7),
        expect![[r#"
        explore 1 holds
        explore 2 holds
        explore 4 holds
        explore 8 fails
        explore 6 holds
        confirm 7 holds
        explore 9 fails
        = 7
    "#]],
    );
    // The failure was chance.
    let once = |ask: Ask, settings: &[Setting]| {
        let is_first = !settings.iter().any(|setting| setting.lanes == 5);
        failing(|n| (n == 5 && is_first) || n > 6)(ask, settings)
    };
    check(
        once,
        expect![[r#"
        explore 1 holds
        explore 2 holds
        explore 4 holds
        explore 8 fails
        explore 6 holds
        confirm 7 fails
        confirm 6 holds
        = 6
    "#]],
    );
}

#[test]
fn rare_stalls_are_searched_with_long_settings() {
    // From 14 lanes on, a stall after a minute.
    let stalls = |ask: Ask, settings: &[Setting]| {
        let (state, judged_s, cpu) = of_capacity(25.3)(ask, settings);
        let stalls = ask.lanes > 13 && judged_s > 60.0;
        if stalls { (State::Fails, 60.0, cpu) } else { (state, judged_s, cpu) }
    };
    check_with(
        &Rules { budget_s: 3600.0, ..RULES },
        None,
        stalls,
        expect![[r#"
            explore 1 holds
            explore 16 holds
            explore 25 holds
            explore 26 fails
            confirm 25 fails
            confirm 24 fails
            confirm 21 fails
            confirm 18 fails
            confirm 12 holds
            confirm 15 fails
            confirm 13 holds
            confirm 14 fails
            = 13
        "#]],
    );
    check(
        stalls,
        expect![[r#"
            explore 1 holds
            explore 16 holds
            explore 25 holds
            explore 26 fails
            confirm 25 fails
            confirm 24 fails
            confirm 21 fails
            confirm 18 fails
            confirm 12 holds
            = 12..17, budget
        "#]],
    );
}

#[test]
fn a_stall_is_no_lack_of_cpu_time() {
    let of = |lanes: u32, goal: Goal, state: State, cpu: f64, stalled: bool| {
        let judged_s = if state == State::Holds { held_s(Ask { lanes, goal }) } else { 60.0 };
        Setting { lanes, goal, state, took_s: judged_s + 9.0, judged_s, cpu: Some(cpu), stalled }
    };
    let after = |last: Setting| {
        let mut settings: Vec<Setting> =
            [1, 16, 25].map(|n| of(n, Goal::Explore, State::Holds, f64::from(n) / 25.3, false)).to_vec();
        settings.extend([of(26, Goal::Explore, State::Fails, 1.0, false), last]);
        next(&RULES, &settings, None)
    };
    let fails = |stalled: bool| after(of(25, Goal::Confirm, State::Fails, 0.99, stalled));
    // The CPU explains it, so the next number holds most likely; or nothing does.
    assert_eq!(fails(false), Next::Measure(Ask { lanes: 24, goal: Goal::Confirm }));
    assert_eq!(fails(true), Next::Measure(Ask { lanes: 22, goal: Goal::Confirm }));
    // Another one is seen only by a long setting.
    let one = |stalled: bool| next(&RULES, &[of(1, Goal::Explore, State::Fails, 0.04, stalled)], None);
    assert_eq!(one(false), Next::Measure(Ask { lanes: 1, goal: Goal::Explore }));
    assert_eq!(one(true), Next::Measure(Ask { lanes: 1, goal: Goal::Confirm }));
}

#[test]
fn disturbed_settings_are_measured_again_until_the_budget_is_over() {
    let twice = |ask: Ask, settings: &[Setting]| match settings.len() {
        1 | 2 => (State::Disturbed, 10.0, None),
        _ => of_capacity(2.5)(ask, settings),
    };
    check(
        twice,
        expect![[r#"
        explore 1 holds
        explore 3 disturbed
        explore 3 disturbed
        explore 3 fails
        confirm 2 holds
        = 2
    "#]],
    );
    let always = |ask: Ask, settings: &[Setting]| match settings.len() {
        0..2 => of_capacity(4.5)(ask, settings),
        _ => (State::Disturbed, 100.0, None),
    };
    check(
        always,
        expect![[r#"
            explore 1 holds
            explore 5 fails
            confirm 4 disturbed
            confirm 4 disturbed
            confirm 4 disturbed
            confirm 2 disturbed
            confirm 1 disturbed
            confirm 1 disturbed
            = 0..4, disturbed
        "#]],
    );
}

#[test]
fn broken_settings_are_no_answer() {
    let broken = |from: usize, ask: Ask, settings: &[Setting]| {
        if from <= settings.len() { (State::Broken, 0.0, None) } else { of_capacity(6.5)(ask, settings) }
    };
    check(
        |ask, settings| broken(0, ask, settings),
        expect![[r#"
        explore 1 broken
        explore 1 broken
        = 0.., broken
    "#]],
    );
    // A camera dies in the middle.
    check(
        |ask, settings| broken(2, ask, settings),
        expect![[r#"
            explore 1 holds
            explore 7 fails
            confirm 6 broken
            confirm 6 broken
            explore 1 broken
            explore 1 broken
            = 0.., broken
        "#]],
    );
    // Only many lanes do not start.
    let many = |ask: Ask, settings: &[Setting]| match ask.lanes {
        5.. => (State::Broken, 0.0, None),
        _ => of_capacity(6.5)(ask, settings),
    };
    check(
        many,
        expect![[r#"
            explore 1 holds
            explore 7 broken
            explore 7 broken
            explore 1 holds
            confirm 6 broken
            confirm 6 broken
            explore 1 holds
            explore 3 holds
            explore 4 holds
            confirm 5 broken
            confirm 5 broken
            confirm 4 holds
            = 4
        "#]],
    );
    // It was chance.
    let once = |ask: Ask, settings: &[Setting]| match settings.len() {
        1 => (State::Broken, 0.0, None),
        _ => of_capacity(6.5)(ask, settings),
    };
    check(
        once,
        expect![[r#"
        explore 1 holds
        explore 7 broken
        explore 7 fails
        confirm 6 holds
        = 6
    "#]],
    );
}

#[test]
fn limits_end_the_search() {
    check_with(
        &Rules { max: 4, ..RULES },
        None,
        of_capacity(25.3),
        expect![[r#"
        explore 1 holds
        explore 4 holds
        confirm 4 holds
        = 4.., max
    "#]],
    );
    check_with(
        &RULES,
        Some(7),
        of_capacity(25.3),
        expect![[r#"
        explore 1 holds
        explore 7 holds
        confirm 7 holds
        = 7.., guard
    "#]],
    );
    check_with(
        &RULES,
        Some(0),
        of_capacity(25.3),
        expect![[r#"
        = 0.., guard
    "#]],
    );
    check_with(
        &Rules { max: 0, ..RULES },
        None,
        of_capacity(25.3),
        expect![[r#"
        = 0.., max
    "#]],
    );
    check_with(
        &Rules { budget_s: 250.0, ..RULES },
        None,
        of_capacity(25.3),
        expect![[r#"
        explore 1 holds
        = 0.., budget
    "#]],
    );
    // Room for one confirmation.
    check_with(
        &Rules { budget_s: 330.0, ..RULES },
        None,
        of_capacity(25.3),
        expect![[r#"
        explore 1 holds
        explore 16 holds
        confirm 16 holds
        = 16.., budget
    "#]],
    );
}

#[test]
fn a_number_that_cannot_be_decided_makes_a_range() {
    let grey = |decides: bool| {
        move |ask: Ask, settings: &[Setting]| {
            let (state, judged_s, cpu) = of_capacity(6.5)(ask, settings);
            match (ask.lanes, ask.goal) {
                (6, Goal::Explore) => (State::Undecided, 60.0, cpu),
                (6, Goal::Confirm) if !decides => (State::Undecided, 1.5 * RULES.confirm_s(), cpu),
                _ => (state, judged_s, cpu),
            }
        }
    };
    // 6 is never explored, since the CPU predicts it.
    check(
        grey(false),
        expect![[r#"
        explore 1 holds
        explore 7 fails
        confirm 6 undecided
        confirm 5 holds
        = 5..6, undecided
    "#]],
    );
    check(
        grey(true),
        expect![[r#"
        explore 1 holds
        explore 7 fails
        confirm 6 holds
        = 6
    "#]],
    );
    let without_cpu = |decides: bool| {
        move |ask: Ask, settings: &[Setting]| {
            let (state, judged_s, _) = grey(decides)(ask, settings);
            (state, judged_s, None)
        }
    };
    check_with(
        &Rules { budget_s: 2000.0, ..RULES },
        None,
        without_cpu(false),
        expect![[r#"
        explore 1 holds
        explore 2 holds
        explore 4 holds
        explore 8 fails
        explore 6 undecided
        explore 7 fails
        confirm 6 undecided
        confirm 5 holds
        = 5..6, undecided
    "#]],
    );
    check(
        without_cpu(true),
        expect![[r#"
        explore 1 holds
        explore 2 holds
        explore 4 holds
        explore 8 fails
        explore 6 undecided
        explore 7 fails
        confirm 6 holds
        = 6
    "#]],
    );
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn state(&mut self) -> State {
        [State::Holds, State::Fails, State::Undecided, State::Disturbed, State::Broken]
            [self.below(5) as usize]
    }

    fn setting(&mut self) -> Setting {
        Setting {
            lanes: self.below(12) as u32 + 1,
            goal: if self.below(2) == 0 { Goal::Explore } else { Goal::Confirm },
            state: self.state(),
            took_s: self.below(300) as f64,
            judged_s: self.below(300) as f64,
            cpu: match self.below(4) {
                0 => None,
                1 => Some(f64::NAN),
                _ => Some(self.below(100) as f64 / 99.0),
            },
            stalled: self.below(4) == 0,
        }
    }
}

/// What must be true of any answer.
#[track_caller]
fn check_answer(answer: &Answer, settings: &[Setting]) {
    let confirmed = |n: u32| {
        let mut of = settings.iter().filter(|one| one.lanes == n && one.goal == Goal::Confirm);
        of.any(|one| one.state == State::Holds)
    };
    assert!(answer.at_least == 0 || confirmed(answer.at_least), "{answer:?} of {settings:?}");
    let failed = |n: u32| {
        let mut of = settings.iter().filter(|one| one.lanes == n);
        of.any(|one| matches!(one.state, State::Fails | State::Broken))
    };
    for n in answer.at_most.map(|n| n + 1).iter().chain(&answer.not_monotone) {
        assert!(failed(*n), "{answer:?} of {settings:?}");
    }
    assert!(answer.at_most.is_none_or(|most| answer.at_least <= most), "{answer:?} of {settings:?}");
    assert_eq!(answer.why.is_none(), answer.exact().is_some(), "{answer:?}");
    assert!(answer.not_monotone.iter().all(|n| *n < answer.at_least), "{answer:?}");
}

#[test]
fn any_settings_have_an_answer_or_a_next_one_within_limits() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let n = random.below(14);
        let settings: Vec<Setting> = (0..n).map(|_| random.setting()).collect();
        let max = random.below(14) as u32;
        let rules = Rules { max, budget_s: random.below(4000) as f64, ..RULES };
        let fits = (random.below(2) == 0).then(|| random.below(14) as u32);
        match next(&rules, &settings, fits) {
            Next::Measure(ask) => {
                assert!((1..=max.min(fits.unwrap_or(max))).contains(&ask.lanes), "{ask:?} of {settings:?}");
            }
            Next::Answer(answer) => check_answer(&answer, &settings),
        }
    }
}

#[test]
fn any_machine_has_an_answer() {
    for seed in 0..5_000 {
        let mut random = Random(seed);
        // What a number shows does not change, or it does, or nothing takes any time.
        let kind = random.below(3);
        let fits = (random.below(3) == 0).then(|| random.below(40) as u32);
        let budget_s = if kind == 2 { f64::INFINITY } else { 5000.0 };
        let rules = Rules { max: random.below(64) as u32, budget_s, ..RULES };
        let shows = |ask: Ask, settings: &[Setting]| {
            let salt = if kind == 0 { 0 } else { settings.len() as u64 + 1 };
            let mut random = Random(seed ^ (u64::from(ask.lanes) << 20) ^ (salt << 40));
            let setting = random.setting();
            (setting.state, setting.judged_s, setting.cpu)
        };
        search(&rules, fits, shows);
    }
}

#[test]
fn states_of_one_number_never_leave_it_both_ways() {
    // A number that failed its confirmation is not held by a short setting.
    let of = |goal: Goal, state: State| Setting {
        lanes: 2,
        goal,
        state,
        took_s: 30.0,
        judged_s: 20.0,
        cpu: None,
        stalled: false,
    };
    let facts = |settings: &[Setting]| facts::Facts::of(settings).get(2).map(|fact| (fact.is, fact.by));
    let (explore, confirm) = (Goal::Explore, Goal::Confirm);
    let failed = of(confirm, State::Fails);
    assert_eq!(facts(&[failed, of(explore, State::Holds)]), Some((facts::Is::Failing, confirm)));
    assert_eq!(facts(&[failed, of(confirm, State::Holds)]), Some((facts::Is::Holding, confirm)));
    assert_eq!(
        facts(&[of(confirm, State::Holds), of(explore, State::Fails)]),
        Some((facts::Is::Failing, explore))
    );
    assert_eq!(
        facts(&[of(explore, State::Holds), of(confirm, State::Undecided)]),
        Some((facts::Is::Open, confirm))
    );
    assert_eq!(facts(&[failed, of(confirm, State::Undecided)]), Some((facts::Is::Failing, confirm)));
    let broken = of(explore, State::Broken);
    assert_eq!(facts(&[broken]), None);
    assert_eq!(facts(&[broken, broken]), Some((facts::Is::Failing, explore)));
}

mod looks {
    use super::*;

    fn stream(state: State, judged: u64, on_time: u64) -> StreamLook {
        StreamLook { state, judged, on_time, design_effect: 1.0, rate: 1.0 }
    }

    /// 15 fps, all on time.
    fn well(judged_s: f64) -> StreamLook {
        let judged = (judged_s * 15.0) as u64;
        stream(if judged < 299 { State::Undecided } else { State::Holds }, judged, judged)
    }

    /// No time for another confirmation.
    const LEFT_S: f64 = 0.0;

    #[track_caller]
    fn check(goal: Goal, judged_s: f64, streams: Vec<StreamLook>, expected: Seen) {
        check_in(goal, (judged_s, judged_s), streams, expected);
    }

    #[track_caller]
    fn check_in(goal: Goal, (judged_s, window_s): (f64, f64), streams: Vec<StreamLook>, expected: Seen) {
        let ask = Ask { lanes: 2, goal };
        let seen = look(&RULES, &ask, &Look { judged_s, window_s, is_steady: true, streams }, LEFT_S);
        match (seen, expected) {
            (Seen::Until(at), Seen::Until(to)) => assert!((at - to).abs() < 0.1, "{seen:?}"),
            _ => assert_eq!(seen, expected),
        }
    }

    use Goal::{Confirm, Explore};
    use Seen::{Enough, Until};

    #[test]
    fn a_confirmation_takes_as_long_as_its_confidence_asks() {
        let with = |confidence: f64| Rules { confidence, ..RULES }.confirm_s();
        let rounded = [0.5, 0.8, 0.95, 0.99].map(|confidence| with(confidence).round());
        assert_eq!(rounded, [180.0, 180.0, 263.0, 359.0]);
        assert!(with(1.0).is_finite() && with(f64::NAN) >= 180.0);
    }

    #[test]
    fn what_is_clear_ends_early_and_what_is_not_is_looked_at_again() {
        check(Explore, 0.0, vec![well(0.0)], Until(10.0));
        check(Explore, 15.0, vec![well(15.0); 3], Until(20.0));
        check(Explore, 20.0, vec![well(20.0); 3], Enough(State::Holds));
        check(Confirm, 20.0, vec![well(20.0); 3], Until(30.0));
        // 1 of 450 late steers.
        check(Explore, 30.0, vec![stream(State::Undecided, 450, 449)], Enough(State::Holds));
        check(Explore, 30.0, vec![stream(State::Undecided, 450, 446)], Until(45.0));
        check(Explore, 60.0, vec![stream(State::Undecided, 900, 892)], Enough(State::Holds));
        check(Explore, 60.0, vec![stream(State::Undecided, 900, 890)], Enough(State::Undecided));
        check(Explore, 60.0, vec![StreamLook { rate: 0.99, ..well(60.0) }; 2], Enough(State::Holds));
        let slow = StreamLook { rate: 0.99, ..stream(State::Undecided, 900, 900) };
        check(Explore, 60.0, vec![slow], Enough(State::Undecided));
    }

    #[test]
    fn one_stream_is_enough_to_fail() {
        let all = |one: StreamLook| vec![well(20.0), one, well(20.0)];
        // A frame that came too late: no share says so.
        check(Explore, 20.0, all(stream(State::Fails, 300, 299)), Enough(State::Fails));
        check(Confirm, 20.0, all(stream(State::Fails, 300, 200)), Enough(State::Fails));
        check(
            Confirm,
            20.0,
            all(StreamLook { rate: 0.9, ..stream(State::Fails, 300, 300) }),
            Enough(State::Fails),
        );
        // Before 15 s only a hopeless one.
        check(Explore, 10.0, all(stream(State::Fails, 150, 149)), Until(15.0));
        check(Explore, 10.0, all(stream(State::Fails, 150, 15)), Enough(State::Fails));
        check(
            Explore,
            10.0,
            all(StreamLook { rate: 0.5, ..stream(State::Fails, 75, 75) }),
            Enough(State::Fails),
        );
        // By the share alone, and one of hundreds: it may be chance.
        let chance = stream(State::Fails, 900, 882);
        check(Confirm, 60.0, vec![chance.clone(); 1], Until(90.0));
        check(Confirm, 60.0, vec![stream(State::Fails, 900, 870)], Enough(State::Fails));
        check(Confirm, 60.0, [vec![chance], vec![well(60.0); 299]].concat(), Until(90.0));
        // Scripts have no share.
        check(Explore, 20.0, vec![stream(State::Fails, 0, 0)], Enough(State::Fails));
        check(Explore, 5.0, all(stream(State::Fails, 75, 5)), Until(10.0));
        check(Explore, 5.0, vec![stream(State::Broken, 0, 0), well(5.0)], Enough(State::Broken));
        check(Explore, 5.0, vec![], Enough(State::Broken));
    }

    #[test]
    fn a_confirmation_needs_all_streams_and_its_whole_length() {
        check(Confirm, 240.0, vec![well(240.0); 3], Until(262.9));
        check(Confirm, 263.0, vec![well(263.0); 3], Enough(State::Holds));
        let close = stream(State::Undecided, 3945, 3915);
        check(Confirm, 263.0, vec![well(263.0), close.clone()], Until(394.4));
        // The verdict at 95 % is not enough for the first of two looks.
        let barely = stream(State::Holds, 3945, 3916);
        check(Confirm, 263.0, vec![well(263.0), barely.clone()], Until(394.4));
        check(Confirm, 395.0, vec![close], Enough(State::Undecided));
        check(Confirm, 263.0, vec![StreamLook { design_effect: 20.0, ..barely }], Until(394.4));
        let hot = Look { judged_s: 263.0, window_s: 263.0, is_steady: false, streams: vec![well(263.0)] };
        let ask = Ask { lanes: 2, goal: Confirm };
        assert!(matches!(look(&RULES, &ask, &hot, LEFT_S), Until(_)));
        let hot = Look { judged_s: 395.0, window_s: 395.0, ..hot };
        assert_eq!(look(&RULES, &ask, &hot, LEFT_S), Enough(State::Undecided));
    }

    #[test]
    fn a_confirmation_goes_on_while_there_is_time_for_another_one() {
        let ask = Ask { lanes: 2, goal: Confirm };
        let seen = |judged_s: f64, left_s: f64| {
            let judged = (judged_s * 15.0) as u64;
            let streams = vec![well(judged_s), stream(State::Undecided, judged, judged / 100 * 99)];
            let look_ = Look { judged_s, window_s: judged_s, is_steady: true, streams };
            match look(&RULES, &ask, &look_, left_s) {
                Until(at) => Some(at.round()),
                Enough(State::Undecided) => None,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(seen(395.0, 0.0), None);
        assert_eq!(seen(395.0, 550.0), None);
        assert_eq!(seen(395.0, 560.0), Some(657.0));
        assert_eq!(seen(658.0, 680.0), None);
        assert_eq!(seen(658.0, 690.0), Some(1_052.0));
        assert_eq!(seen(1_052.0, 10_000.0), None);
    }

    #[test]
    fn disturbed_seconds_are_waited_for_but_not_for_ever() {
        let disturbed = || vec![stream(State::Disturbed, 200, 200), well(20.0)];
        check_in(Explore, (15.0, 25.0), disturbed(), Until(30.0));
        check_in(Explore, (20.0, 30.0), disturbed(), Until(40.0));
        check_in(Explore, (20.0, 60.0), disturbed(), Enough(State::Disturbed));
        check_in(Confirm, (20.0, 55.0), disturbed(), Until(65.0));
        check_in(Confirm, (20.0, 90.0), disturbed(), Enough(State::Disturbed));
        // It fails after some: the window cannot be saved.
        check_in(Explore, (15.0, 16.0), disturbed(), Enough(State::Disturbed));
        check_in(Confirm, (40.0, 42.0), disturbed(), Enough(State::Disturbed));
        // It comes again and again.
        check_in(Confirm, (263.0, 295.0), disturbed(), Enough(State::Disturbed));
        // Nothing of it is judged.
        check_in(Explore, (0.0, 59.0), disturbed(), Until(69.0));
    }

    #[test]
    fn any_look_has_an_end() {
        for seed in 0..2_000 {
            let mut random = Random(seed);
            let goal = if random.below(2) == 0 { Explore } else { Confirm };
            let mut look_ =
                Look { judged_s: 0.0, window_s: 0.0, is_steady: random.below(2) == 0, streams: vec![] };
            let state = random.state();
            for n in 0.. {
                assert!(n < 100, "{look_:?}");
                let judged = random.below(9000);
                let late = random.below(judged + 1);
                look_.streams = vec![stream(state, judged, judged - late); 2];
                match look(&RULES, &Ask { lanes: 1, goal }, &look_, random.below(4000) as f64) {
                    Enough(_) => break,
                    Until(at) => {
                        assert!(at >= look_.window_s + 1.0);
                        // Foreign load leaves out some, or all.
                        let left_out = [0.0, 0.05, 0.5, 1.0][random.below(4) as usize];
                        look_.judged_s += (at - look_.window_s) * (1.0 - left_out);
                        look_.window_s = at;
                    }
                }
            }
        }
    }
}
