//! A search in upstream's words, and its answer by upstream's rule.
//!
//! The words are those of its report: *use-case density (lanes)*, *stream density (streams)*,
//! average, p10 and p90 of the frames per second, seconds below the threshold, the weakest
//! camera.

use super::table::{Column, fitting, text};
use super::{DensityShown, at_what, unit};
use crate::record::measure::number;
use crate::record::upstream::{LEAST_ROWS, TOLERANCE, UpstreamStream, UpstreamVerdict, streams, weakest};
use crate::report::NONE;
use crate::report::grid::{Cell, Paper};

type Stream = Column<UpstreamStream>;

const fn figure(name: &'static str, title: &'static str, value: fn(&UpstreamStream) -> Cell) -> Stream {
    Column { name, title, is_figure: true, value }
}

const CAMERA: Stream =
    Column { name: "camera", title: "camera", is_figure: false, value: |row| row.camera.clone().into() };
const WORKLOADS: Stream = Column {
    name: "workloads",
    title: "workloads",
    is_figure: false,
    value: |row| row.workloads.join("\n").into(),
};
const TARGET: Stream = figure("target", "target", |row| number(row.target_fps).into());
const THRESHOLD: Stream = figure("threshold", "threshold", |row| number(row.threshold_fps).into());
const AVERAGE: Stream =
    figure("average", "average", |row| row.average.map_or(NONE.to_owned(), |fps| format!("{fps:.2}")).into());
const P10: Stream = figure("p10", "p10", |row| row.p10.map_or(NONE.to_owned(), number).into());
const P90: Stream = figure("p90", "p90", |row| row.p90.map_or(NONE.to_owned(), number).into());
const BELOW: Stream =
    figure("seconds below", "s below", |row| format!("{} of {}", row.seconds_below, row.seconds).into());

const LAYOUTS: [&[Stream]; 3] = [
    &[CAMERA, WORKLOADS, TARGET, THRESHOLD, AVERAGE, P10, P90, BELOW],
    &[CAMERA, TARGET, THRESHOLD, AVERAGE, P10, P90, BELOW],
    &[CAMERA, THRESHOLD, AVERAGE, P10, BELOW],
];

/// The answer in upstream's words: `lp`'s numbers, and the rates at the answer by whole
/// seconds, of each camera those of its weakest copy.
#[must_use]
pub fn in_upstreams_words(shown: &DensityShown<'_>, paper: Paper) -> String {
    let mut lines: Vec<String> =
        densities(shown).iter().map(|(name, value)| format!("{name}  {value}")).collect();
    let Some((report, at)) = shown.at_answer() else { return lines.join("\n") + "\n" };
    let all = streams(report.measurement, &shown.upstream.rule);
    lines.push(String::new());
    lines.extend(paper.wrap(&format!("{}; of each camera its weakest copy:", at_what(shown, at))));
    lines.extend(fitting(&LAYOUTS, &by_camera(&all), paper));
    lines.push(String::new());
    lines.extend(weakest(&all).map(|one| format!("weakest camera  {}", lowest(one))));
    lines.join("\n") + "\n"
}

/// The answer as numbers of lanes and of streams, by upstream's names. Upstream has no ranges;
/// the lower end of one alone would read as an answer.
pub(super) fn densities(shown: &DensityShown<'_>) -> [(&'static str, String); 2] {
    let answer = &shown.record.answer;
    let of = |streams: usize| {
        let count = |lanes: u32| lanes as usize * streams;
        let least = count(answer.at_least);
        match answer.at_most.filter(|_| answer.exact().is_none()) {
            Some(most) => format!("at least {least}, at most {}", count(most)),
            None if answer.exact().is_some() => least.to_string(),
            None => format!("at least {least}"),
        }
    };
    [("use-case density (lanes)", of(1)), ("stream density (streams)", of(shown.figures.streams))]
}

/// The weakest copy of each stream of a camera.
pub(super) fn by_camera(all: &[UpstreamStream]) -> Vec<UpstreamStream> {
    let mut kept: Vec<UpstreamStream> = Vec::new();
    for stream in all {
        let is_same = |known: &&mut UpstreamStream| {
            (&known.camera, &known.workloads) == (&stream.camera, &stream.workloads)
        };
        match kept.iter_mut().find(is_same) {
            Some(known) if stream.share() < known.share() => *known = stream.clone(),
            Some(_) => {}
            None => kept.push(stream.clone()),
        }
    }
    kept
}

/// `camera-4-l23/1: 14.98 of 15 fps, 5.1 % above its threshold`
fn lowest(one: &UpstreamStream) -> String {
    let Some(average) = one.average else { return format!("{}: no rate", one.stream) };
    let above = (average / one.threshold_fps - 1.0) * 100.0;
    let side = if above < 0.0 { "below" } else { "above" };
    format!(
        "{}: {average:.2} of {} fps, {:.1} % {side} its threshold",
        one.stream,
        number(one.target_fps),
        above.abs()
    )
}

/// The answer by upstream's rule from the settings that were measured, and where `lp`
/// says something else.
#[must_use]
pub fn by_upstream(shown: &DensityShown<'_>, paper: Paper) -> String {
    let upstream = shown.upstream;
    let mut lines = vec![format!("by upstream's rule: {}", answer(shown))];
    let target = match upstream.rule.target_fps {
        Some(fps) => format!("{} fps for every stream", number(fps)),
        None => "that of each camera".to_owned(),
    };
    lines.push(format!(
        "rule: the mean rate of each stream is at least {} % of its target ({target}); late and dropped frames and foreign load do not count",
        number(TOLERANCE * 100.0)
    ));
    if upstream.settings.iter().any(|one| one.is_short) {
        lines.push(format!("note: upstream would have measured {LEAST_ROWS} s of each number"));
    }
    match upstream.differs.as_slice() {
        [] => lines.push("both rules say the same of every number that was measured".to_owned()),
        differs => lines.extend(differs.iter().map(|one| format!("differs: {one}"))),
    }
    text(&lines, paper).join("\n") + "\n"
}

/// `at least 24 lanes; none that was measured fails`
pub(super) fn answer(shown: &DensityShown<'_>) -> String {
    let upstream = shown.upstream;
    let lanes = |n: u32| format!("{n} {}", unit(shown.record, n));
    let is_missing = upstream.settings.iter().any(|one| one.verdict == UpstreamVerdict::Missing);
    match (upstream.exact(), upstream.fails) {
        _ if upstream.settings.is_empty() => "nothing was measured".to_owned(),
        (Some(0), _) if is_missing => "0 lanes, printed as `1, False`: a stream has no rate".to_owned(),
        (Some(0), _) => "0 lanes, printed as `1, False`".to_owned(),
        (Some(n), _) => lanes(n),
        (None, Some(fails)) => {
            format!("at least {}, fewer than {fails}; those between were not measured", lanes(upstream.lanes))
        }
        (None, None) => format!("at least {}; no number that was measured fails", lanes(upstream.lanes)),
    }
}
