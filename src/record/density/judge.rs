//! From the record of a setting to what the search looks at: a [`Look`], the worst stream
//! with its reason, the CPU of the lanes, and the [`Setting`] in the end.
//!
//! Streams are judged as those of any run (`record::measure`). The record of a setting that is
//! still measured has windows that end now and a [duration](crate::record::Conditions::duration_ms)
//! of 0, or every stream would be undecided as interrupted.
//!
//! A look costs one [`measure`] of all that was recorded of the setting so far. The 15 looks at
//! a confirmation of 264 s take 0.2 % of one core at 60 streams and 1.1 % at 300, at 15 fps and in a
//! release build (`LP_CAMPAIGN_PART=density` prints it).

use std::cmp::Reverse;

use super::SettingRecord;
use crate::collect::{cpu, temperature};
use crate::record::measure::fit::{self, MOST_LEFT_OUT};
use crate::record::measure::{CameraFigures, Measurement, PERIODS, StreamFigures, Verdict, measure, split};
use crate::record::{RunRecord, SeriesRecord};
use crate::search::{Look, Setting, State, StreamLook};
use crate::stats::periods_us;

/// The time in which frequency and temperature must be at rest, in microseconds.
const REST_US: u64 = 60_000_000;
/// From the first half of that time to the second, temperatures change no more than this, in
/// degrees.
const RESTING_DEGREES: f64 = 0.5;
/// And frequencies no more than by this share.
const RESTING_SHARE: f64 = 0.01;
/// Lanes that are near their limit may need so long until they have caught up with what foreign
/// load before their windows held up, in microseconds.
const CATCHING_UP_US: u64 = 30_000_000;
/// A stream with a lower share of its rate lacks more than a moment.
const STALLED_RATE: f64 = 0.9;
/// Beyond this share of a window that foreign load disturbed, a detector that saw nothing says
/// nothing about itself: it may have had no time to see.
const MOSTLY: f64 = 0.5;
/// A half with fewer samples says nothing.
const LEAST_SAMPLES: usize = 5;

/// The stream that came closest to failing, or failed the worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worst {
    /// `camera-4-l24/1`
    pub stream: String,
    pub state: State,
    /// `camera-4-l24/1: 97.1 % on time is less than 99 %`; `None` if it holds.
    pub reason: Option<String>,
}

/// What the search looks at, of a record and its figures.
///
/// A verdict leaves out the seconds of foreign load and one second after them, but lanes near
/// their limit may take minutes to catch up. So a stream that fails in a window with foreign load,
/// or soon after some, counts as disturbed: it shows nothing about the number of lanes.
#[must_use]
pub fn look_of(record: &RunRecord, measurement: &Measurement) -> Look {
    let is_touched = is_touched(record);
    let look_of_stream = |(camera, stream): (&CameraFigures, &StreamFigures)| {
        let look = look_of_stream(camera, stream);
        let is_disturbed = is_touched && look.state == State::Fails;
        StreamLook { state: if is_disturbed { State::Disturbed } else { look.state }, ..look }
    };
    let streams = || streams(measurement).map(|(_, stream)| stream);
    let judged = streams().map(judged_us).min().unwrap_or(0);
    let window = streams().filter_map(|stream| stream.window_us).max().unwrap_or(0);
    Look {
        judged_s: judged as f64 / 1e6,
        window_s: window as f64 / 1e6,
        is_steady: is_steady(record),
        streams: self::streams(measurement).map(look_of_stream).collect(),
    }
}

/// The worst stream by its verdict alone: by what its state says against the lanes, then by its
/// share of frames on time, its rate, its latest frame. `None` if nothing was played.
#[must_use]
pub fn worst(measurement: &Measurement) -> Option<Worst> {
    let of = |(camera, stream): (&CameraFigures, &StreamFigures)| {
        let on_time = stream.on_time.map_or(1.0, |on_time| on_time.share);
        let latest = stream.on_time.map_or(0, |on_time| on_time.worst_us);
        let millionths = |share: f64| (share * 1e6) as i64;
        let figures = (millionths(on_time), millionths(rate(camera, stream)), Reverse(latest));
        (Reverse(gravity(state_of(stream))), figures)
    };
    let (_, stream) = streams(measurement).min_by_key(|one| of(*one))?;
    let state = state_of(stream);
    let reason = stream.reason.as_deref().unwrap_or("nothing was judged");
    let reason = (state != State::Holds).then(|| format!("{}: {reason}", stream.stream));
    Some(Worst { stream: stream.stream.clone(), state, reason })
}

/// How much a state says against the lanes: what was not shown is less than what was.
fn gravity(state: State) -> u8 {
    match state {
        State::Holds => 0,
        State::Undecided => 1,
        State::Disturbed => 2,
        State::Fails => 3,
        State::Broken => 4,
    }
}

/// The CPU time of workers and scripts while all streams were measured, as a share of all
/// cores; `None` if it is not known.
#[must_use]
pub fn own_cpu(record: &RunRecord, measurement: &Measurement) -> Option<f64> {
    match split::mean_owned(record) {
        Some([workers, scripts, ..]) => Some(workers + scripts),
        None => split::workers_cpu(record, &measurement.workers),
    }
}

/// What the search needs of a setting that is over.
#[must_use]
pub fn setting_of(setting: &SettingRecord) -> Setting {
    let measurement = measure(&setting.record);
    let (from, to) = setting.span_us;
    Setting {
        lanes: setting.lanes,
        goal: setting.goal,
        state: setting.state,
        took_s: to.saturating_sub(from) as f64 / 1e6,
        judged_s: look_of(&setting.record, &measurement).judged_s,
        cpu: own_cpu(&setting.record, &measurement),
        stalled: setting.state == State::Fails && has_stall(&setting.record, &measurement),
    }
}

/// Whether a failing stream stood still for longer than a frame may be late, and had nearly all of its
/// frames nevertheless.
fn has_stall(record: &RunRecord, measurement: &Measurement) -> bool {
    let max_late_us = record.conditions.limits.max_late_ms.saturating_mul(1_000);
    streams(measurement).any(|(camera, stream)| {
        let limit_us = max_late_us.max(periods_us(PERIODS, camera.target_fps));
        let is_long = stream.longest_gap_us.is_some_and(|gap| gap > limit_us);
        is_long && state_of(stream) == State::Fails && rate(camera, stream) >= STALLED_RATE
    })
}

fn streams(measurement: &Measurement) -> impl Iterator<Item = (&CameraFigures, &StreamFigures)> {
    measurement.cameras.iter().flat_map(|camera| camera.streams.iter().map(move |stream| (camera, stream)))
}

fn look_of_stream(camera: &CameraFigures, stream: &StreamFigures) -> StreamLook {
    let on_time = stream.on_time;
    StreamLook {
        state: state_of(stream),
        judged: on_time.map_or(0, |on_time| on_time.judged),
        on_time: on_time.map_or(0, |on_time| on_time.on_time),
        design_effect: on_time.map_or(1.0, |on_time| on_time.design_effect),
        rate: rate(camera, stream),
    }
}

fn state_of(stream: &StreamFigures) -> State {
    let left_out = |most: f64| left_out_us(stream) as f64 > most * window_us(stream) as f64;
    match stream.verdict {
        Verdict::Holds | Verdict::Decodes => State::Holds,
        Verdict::DoesNotHold | Verdict::FasterButWrong => State::Fails,
        Verdict::Invalid if left_out(MOSTLY) => State::Disturbed,
        Verdict::Invalid | Verdict::Failed => State::Broken,
        Verdict::Undecided if left_out(MOST_LEFT_OUT) => State::Disturbed,
        Verdict::Undecided | Verdict::NotJudged => State::Undecided,
    }
}

/// The rate of a stream as a share of its target; 0 without a window.
fn rate(camera: &CameraFigures, stream: &StreamFigures) -> f64 {
    stream.fps.unwrap_or(0.0) / camera.target_fps.max(f64::MIN_POSITIVE)
}

fn window_us(stream: &StreamFigures) -> u64 {
    stream.window_us.unwrap_or(0)
}

/// What a verdict leaves out of a window, in microseconds.
pub(in crate::record) fn left_out_us(stream: &StreamFigures) -> u64 {
    stream.left_out.iter().map(|span| span.end_us.saturating_sub(span.begin_us)).sum()
}

/// The part of a window that is judged, in microseconds; 0 without a window.
pub(in crate::record) fn judged_us(stream: &StreamFigures) -> u64 {
    window_us(stream).saturating_sub(left_out_us(stream))
}

/// Whether there was foreign load in the windows, or soon before.
fn is_touched(record: &RunRecord) -> bool {
    let windows = || record.members.iter().flat_map(|member| &member.streams).filter_map(|one| one.window_us);
    let begin = windows().map(|(begin, _)| begin).min().unwrap_or(0).saturating_sub(CATCHING_UP_US);
    let end = windows().map(|(_, end)| end).max().unwrap_or(0);
    !fit::left_out(record, (begin, end)).is_empty()
}

/// Whether the frequency and all temperatures were at rest in the last minute. What was not
/// measured is.
fn is_steady(record: &RunRecord) -> bool {
    let windows = record.members.iter().flat_map(|member| &member.streams).filter_map(|one| one.window_us);
    let Some(end_us) = windows.map(|(_, end)| end).max() else { return true };
    record.series.iter().all(|series| match series.name.as_str() {
        cpu::FREQUENCY => is_at_rest(series, end_us, |mean| RESTING_SHARE * mean),
        name if name.strip_prefix(temperature::NAME).is_some_and(|rest| rest.starts_with('.')) => {
            is_at_rest(series, end_us, |_| RESTING_DEGREES)
        }
        _ => true,
    })
}

/// Whether the mean changed by no more than `tolerance` of it.
fn is_at_rest(series: &SeriesRecord, end_us: u64, tolerance: impl Fn(f64) -> f64) -> bool {
    let (begin, middle) = (end_us.saturating_sub(REST_US), end_us.saturating_sub(REST_US / 2));
    let mean = |from: u64, to: u64| {
        let index = |at: u64| series.at_us.partition_point(|one| *one <= at);
        let values = series.values.get(index(from)..index(to))?;
        (values.len() >= LEAST_SAMPLES).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    match mean(begin, middle).zip(mean(middle, end_us)) {
        Some((first, second)) => (second - first).abs() <= tolerance(first.abs()),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::fixture::{S, copies, disturbed, six_cameras};
    use crate::record::seen::{ClipPlace, Expected, ExpectedSource, ExpectedSpan, StepSightings};
    use crate::search::{Ask, Goal, Rules, Seen, look};

    #[track_caller]
    fn check(record: &RunRecord, expect: Expect) {
        let measurement = measure(record);
        let seen = look_of(record, &measurement);
        let mut text = format!("{} s of {} s judged\n", seen.judged_s, seen.window_s);
        for ((_, stream), look) in streams(&measurement).zip(&seen.streams) {
            let StreamLook { state, judged, on_time, design_effect, rate } = look;
            text.push_str(&format!(
                "{}: {state:?}, {on_time} of {judged} on time, effect {design_effect:.1}, rate {rate:.3}\n",
                stream.stream
            ));
        }
        let worst = worst(&measurement).unwrap();
        text.push_str(&format!("worst {}: {}\n", worst.stream, worst.reason.unwrap_or_default()));
        let cpu = own_cpu(record, &measurement).map(|cpu| format!("{:.1} %", cpu * 100.0));
        text.push_str(&format!("CPU {cpu:?}\n"));
        expect.assert_eq(&text);
    }

    #[test]
    fn copies_of_a_lane_are_streams() {
        check(
            &copies(2, &[&[15, 15], &[15, 13]], 0.5),
            expect![[r#"
                20 s of 20 s judged
                camera-1/1: Holds, 300 of 300 on time, effect 1.0, rate 1.000
                camera-2/1: Holds, 300 of 300 on time, effect 1.0, rate 1.000
                camera-1-l2/1: Holds, 300 of 300 on time, effect 1.0, rate 1.000
                camera-2-l2/1: Fails, 260 of 300 on time, effect 387.1, rate 0.867
                worst camera-2-l2/1: camera-2-l2/1: 13.00 fps is less than 98 % of 15; 13.33 % dropped is more than 2 %; 86.66 % on time is less than 99 %
                CPU Some("34.0 %")
            "#]],
        );
    }

    #[test]
    fn foreign_load_is_not_judged_or_too_much() {
        check(
            &disturbed(),
            expect![[r#"
            55 s of 60 s judged
            camera-1/1: Holds, 900 of 900 on time, effect 1.0, rate 1.000
            camera-2/1: Holds, 825 of 825 on time, effect 1.0, rate 0.967
            worst camera-2/1: 
            CPU Some("28.0 %")
        "#]],
        );
        let mut record = disturbed();
        for stream in record.members.iter_mut().flat_map(|member| &mut member.streams) {
            let begin = stream.window_us.unwrap().0;
            stream.window_us = Some((begin, begin + 25 * S));
            let n = stream.arrived_us.partition_point(|at| *at < begin + 25 * S);
            stream.arrived_us.truncate(n);
            stream.late_us.truncate(n);
            stream.latency_us.truncate(n);
        }
        record.conditions.duration_ms = 0;
        check(
            &record,
            expect![[r#"
            20 s of 25 s judged
            camera-1/1: Holds, 375 of 375 on time, effect 1.0, rate 1.000
            camera-2/1: Disturbed, 345 of 375 on time, effect 26.9, rate 0.920
            worst camera-2/1: camera-2/1: 13.80 fps is less than 98 % of 15; 20 % of its window was disturbed: 65 % of the CPU went to other programs for 3 s, most of it to `rustc`
            CPU Some("28.0 %")
        "#]],
        );
    }

    #[test]
    fn a_stream_that_fails_after_foreign_load_shows_nothing() {
        let fails = |load: bool| {
            let mut record = copies(1, &[&[15], &[13]], 0.5);
            // Over when the windows begin.
            let at_us: Vec<u64> = (1..24).map(|second| second * S).collect();
            let values = at_us.iter().map(|at| if load && *at == S { 0.4 } else { 0.0 }).collect();
            let (name, unit) = ("cpu.foreign".to_owned(), "1".to_owned());
            record.series.push(SeriesRecord { name, unit, at_us, values });
            let measurement = measure(&record);
            assert_eq!(worst(&measurement).unwrap().state, State::Fails);
            look_of(&record, &measurement).streams[1].state
        };
        assert_eq!([fails(false), fails(true)], [State::Fails, State::Disturbed]);
    }

    #[test]
    fn a_stream_that_fails_is_worse_than_one_of_which_too_little_was_seen() {
        let mut record = copies(1, &[&[15], &[13]], 0.5);
        let short = &mut record.members[0].streams[0];
        short.window_us = short.window_us.map(|(begin, _)| (begin, begin + S));
        let measurement = measure(&record);
        assert_eq!(look_of(&record, &measurement).streams[0].state, State::Undecided);
        let worst = worst(&measurement).unwrap();
        assert_eq!((worst.stream.as_str(), worst.state), ("camera-1-l2/1", State::Fails));
    }

    #[test]
    fn streams_that_do_not_play_are_broken() {
        let record = six_cameras();
        let measurement = measure(&record);
        let worst = worst(&measurement).unwrap();
        assert_eq!(worst.state, State::Broken, "{worst:?}");
        let rules = Rules { confidence: 0.95, max: 9, budget_s: 900.0, on_time: 0.99 };
        let ask = Ask { lanes: 1, goal: Goal::Explore };
        assert_eq!(look(&rules, &ask, &look_of(&record, &measurement), 900.0), Seen::Enough(State::Broken));
    }

    #[test]
    fn a_detector_that_saw_nothing_is_broken_on_a_quiet_machine_only() {
        let state = |fps: u64, disturbed: std::ops::Range<u64>| {
            let mut record = copies(1, &[&[fps]], 0.5);
            let stream = &mut record.members[0].streams[0];
            let (begin, end) = stream.window_us.unwrap();
            let (element, kind) = ("c_1_zbar".to_owned(), "zbar".to_owned());
            stream.seen = vec![StepSightings { element: element.clone(), kind, ..StepSightings::default() }];
            let spans = vec![ExpectedSpan { from_ms: 0, to_ms: 3_000, code: None }];
            let source = ExpectedSource::Scene("till".to_owned());
            stream.expected = vec![Expected { element, source, spans }];
            let at_us = *stream.arrived_us.iter().find(|at| begin <= **at).unwrap();
            stream.place = Some(ClipPlace { at_us, clip_ms: 0, pass_ms: Some(10_000) });
            let at_us: Vec<u64> = (1..=end / S).map(|second| second * S).collect();
            let is_disturbed = |at: &u64| disturbed.contains(&(at.saturating_sub(begin) / S));
            let values = at_us.iter().map(|at| if is_disturbed(at) { 0.7 } else { 0.0 }).collect();
            let (name, unit) = ("cpu.foreign".to_owned(), "1".to_owned());
            record.series.push(SeriesRecord { name, unit, at_us, values });
            let measurement = measure(&record);
            assert_eq!(streams(&measurement).next().unwrap().1.verdict, Verdict::Invalid);
            let worst = worst(&measurement).unwrap();
            assert!(worst.reason.unwrap().contains("`zbar` saw nothing"));
            let look = look_of(&record, &measurement);
            assert_eq!(worst.state, look.streams[0].state);
            worst.state
        };
        let states = [0..0, 3..8, 3..18, 0..20].map(|disturbed| state(13, disturbed));
        assert_eq!(states, [State::Broken, State::Broken, State::Disturbed, State::Disturbed]);
        // The load did not keep it from playing, so it had its time.
        assert_eq!(state(15, 0..20), State::Broken);
    }

    /// Whether a series with one value a second, before the end of the windows, is at rest.
    #[track_caller]
    fn check_rest(name: &str, value: impl Fn(f64) -> f64, expected: bool) {
        let mut record = copies(1, &[&[15]], 0.5);
        let end_us = 200 * S;
        record.members[0].streams[0].window_us = Some((0, end_us));
        let at_us: Vec<u64> = (1..=200).map(|second| second * S).collect();
        let values = (1..=200).map(|second| value(f64::from(second))).collect();
        record.series.push(SeriesRecord { name: name.to_owned(), unit: String::new(), at_us, values });
        assert_eq!(is_steady(&record), expected, "{name}");
    }

    #[test]
    fn a_machine_that_still_gets_hot_is_not_steady() {
        let heating = |tau: f64| move |second: f64| 40.0 + 40.0 * (1.0 - (-second / tau).exp());
        check_rest("temperature.x86_pkg_temp", heating(120.0), false);
        check_rest("temperature.x86_pkg_temp", heating(30.0), true);
        // Whatever it did before.
        check_rest("temperature.x86_pkg_temp", |second| if second < 130.0 { 20.0 } else { 80.0 }, true);
        check_rest("cpu.frequency", |second| 3e9 - second * 5e5, true);
        check_rest("cpu.frequency", |second| 3e9 - second * 3e6, false);
        // Other series do not matter, and those that noise moves.
        check_rest("cpu.0.busy", |second| second, true);
        check_rest("temperatures", |second| second, true);
        check_rest("temperature.acpitz", |second| 60.0 + 5.0 * (second % 2.0), true);
    }

    #[test]
    fn a_setting_has_what_the_search_needs() {
        let record = copies(2, &[&[15, 15], &[15, 13]], 0.5);
        let setting = SettingRecord {
            lanes: 2,
            goal: Goal::Explore,
            state: State::Fails,
            reason: None,
            worst: None,
            span_us: (5 * S, 35 * S),
            record,
        };
        let setting = setting_of(&setting);
        assert_eq!((setting.lanes, setting.took_s, setting.judged_s), (2, 30.0, 20.0));
        assert!(setting.cpu.is_some_and(|cpu| (cpu - 0.34).abs() < 0.01), "{setting:?}");
        // It had too few frames all the time.
        assert!(!setting.stalled, "{setting:?}");
    }

    #[test]
    fn a_stream_that_stands_still_for_a_moment_stalls() {
        let with_gap = |gap_us: u64, state: State| {
            let mut record = copies(1, &[&[15]], 0.5);
            let stream = &mut record.members[0].streams[0];
            // All frames of that time come at its end.
            let from = stream.window_us.unwrap().0 + 5 * S;
            for (at, late) in stream.arrived_us.iter_mut().zip(&mut stream.late_us) {
                if (from..from + gap_us).contains(at) {
                    *late = late.map(|late| late + (from + gap_us - *at) as i64);
                    *at = from + gap_us;
                }
            }
            let goal = Goal::Confirm;
            setting_of(&SettingRecord {
                lanes: 1,
                goal,
                state,
                reason: None,
                worst: None,
                span_us: (0, 0),
                record,
            })
        };
        assert!(with_gap(S, State::Fails).stalled);
        assert!(!with_gap(S / 5, State::Fails).stalled);
        assert!(!with_gap(S, State::Holds).stalled);
    }
}
