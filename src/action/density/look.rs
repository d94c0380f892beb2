//! What a search has to know of the record of a setting so far.

use crate::record::RunRecord;
use crate::record::measure::{Measurement, StreamFigures, Verdict, measure};
use crate::search::{Look, State, StreamLook};

/// A look at a setting.
pub(super) fn look(record: &RunRecord) -> Look {
    let measurement = measure(record);
    let windows = || streams(&measurement).map(|stream| seconds(stream.window_us.unwrap_or(0)));
    Look {
        judged_s: streams(&measurement).map(judged_s).reduce(f64::min).unwrap_or(0.0),
        window_s: windows().reduce(f64::max).unwrap_or(0.0),
        is_steady: true,
        streams: streams(&measurement)
            .map(|stream| StreamLook {
                state: state(stream.verdict),
                judged: stream.on_time.map_or(0, |on_time| on_time.judged),
                on_time: stream.on_time.map_or(0, |on_time| on_time.on_time),
                design_effect: stream.on_time.map_or(1.0, |on_time| on_time.design_effect),
                rate: rate(record, stream),
            })
            .collect(),
    }
}

/// The worst stream, and why it does not hold.
pub(super) fn worst(record: &RunRecord) -> Option<(String, Option<String>)> {
    let measurement = measure(record);
    let key = |stream: &&StreamFigures| {
        let on_time = stream.on_time.map_or(1.0, |on_time| on_time.share);
        // What is not decided is no worse than what has failed.
        let rank = match state(stream.verdict) {
            State::Holds => 0,
            State::Undecided | State::Disturbed => 1,
            State::Fails => 2,
            State::Broken => 3,
        };
        (rank, 1.0 - on_time, -rate(record, stream))
    };
    let worst = streams(&measurement).max_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    })?;
    Some((worst.stream.clone(), worst.reason.clone()))
}

fn streams(measurement: &Measurement) -> impl Iterator<Item = &StreamFigures> {
    measurement.cameras.iter().flat_map(|camera| &camera.streams)
}

fn state(verdict: Verdict) -> State {
    match verdict {
        Verdict::Holds | Verdict::Decodes => State::Holds,
        Verdict::NotJudged | Verdict::Undecided => State::Undecided,
        Verdict::DoesNotHold => State::Fails,
        Verdict::Invalid | Verdict::Failed => State::Broken,
    }
}

fn rate(record: &RunRecord, stream: &StreamFigures) -> f64 {
    let of_stream = |one: &&crate::record::Member| {
        stream.stream.strip_prefix(one.slug.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    let target = record.members.iter().find(of_stream).map_or(0.0, |member| member.target_fps);
    if target > 0.0 { stream.fps.unwrap_or(0.0) / target } else { 1.0 }
}

fn judged_s(stream: &StreamFigures) -> f64 {
    let left_out: u64 = stream.left_out.iter().map(|span| span.end_us - span.begin_us).sum();
    seconds(stream.window_us.unwrap_or(0).saturating_sub(left_out))
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
