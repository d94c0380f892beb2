//! The path of the search: a picture of lanes over time, and the same as a table.
//!
//! Each setting is a bar as high as its number of lanes and as wide as it took. Colours repeat
//! what marks and words say.

use maud::{Markup, html as markup};

use super::nobreak;
use crate::record::density_figures::SettingFigures;
use crate::report::density::{DensityShown, figure, state, unit, word};
use crate::report::html::chart::{time_step, time_text};
use crate::report::{NONE, mebibytes, percent};
use crate::search::{Goal, State};
use crate::text::harmless_lines;

/// The picture on a screen and on paper, and on a phone: which is shown, width, height. A
/// scaled one would have letters that nobody can read.
const CANVASES: [(&str, f64, f64); 2] = [("wide", 1_000.0, 300.0), ("narrow", 360.0, 260.0)];
const LEFT: f64 = 40.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 26.0;
/// The width of a character of a label and the height of a line, about.
const CHARACTER: f64 = 7.0;
const LINE: f64 = 14.0;
/// The most parts of the time axis for each 100 units of width.
const PARTS: f64 = 0.9;

/// The mark and the class of a state.
fn mark(state: State) -> (&'static str, &'static str) {
    match state {
        State::Holds => ("\u{2713}", "holds"),
        State::Fails => ("\u{2715}", "does_not_hold"),
        State::Undecided => ("?", "undecided"),
        State::Disturbed => ("~", "disturbed"),
        State::Broken => ("!", "broken"),
    }
}

struct Scale {
    width: f64,
    height: f64,
    seconds: f64,
    lanes: f64,
}

impl Scale {
    fn x(&self, us: u64) -> f64 {
        LEFT + (us as f64 / 1e6 / self.seconds).clamp(0.0, 1.0) * (self.width - LEFT - RIGHT)
    }

    fn y(&self, lanes: f64) -> f64 {
        self.height - BOTTOM - lanes / self.lanes * (self.height - TOP - BOTTOM)
    }
}

/// The path as a picture.
pub(super) fn picture(shown: &DensityShown<'_>) -> Markup {
    let settings = &shown.figures.settings;
    let is_there = |wanted: &State| settings.iter().any(|setting| setting.state == *wanted);
    let states = [State::Holds, State::Fails, State::Undecided, State::Disturbed, State::Broken];
    markup! {
        figure class="card path" {
            figcaption {
                b { (capital(&unit(shown.record, 2))) " over time" }
                @for state in states.into_iter().filter(is_there) {
                    @let (sign, class) = mark(state);
                    span class={ "key area " (class) } { (word(state)) " " (sign) }
                }
                @if settings.iter().any(|one| one.goal == Goal::Confirm) { span { "thick edge: to confirm" } }
                @if let Some(name) = answer_name(shown) { span class="key target" { (name) } }
            }
            @for (class, width, height) in CANVASES { (canvas(shown, class, width, height)) }
        }
    }
}

/// What the line of the answer is; `None` without one.
fn answer_name(shown: &DensityShown<'_>) -> Option<&'static str> {
    let answer = &shown.record.answer;
    let name = if answer.exact().is_some() { "answer" } else { "at least" };
    (answer.at_least > 0).then_some(name)
}

fn canvas(shown: &DensityShown<'_>, class: &str, width: f64, height: f64) -> Markup {
    let settings = &shown.figures.settings;
    let least = shown.record.answer.at_least;
    let most = f64::from(settings.iter().map(|one| one.lanes).max().unwrap_or(1).max(least).max(1));
    let seconds = (shown.figures.took_us as f64 / 1e6).max(1.0);
    let (step, step_of_time) = (whole_step(most), time_step(seconds, width / 100.0 * PARTS));
    let scale = Scale { width, height, seconds, lanes: (most / step).ceil() * step };
    let levels = (0..).map(|n| f64::from(n) * step).take_while(|level| *level <= scale.lanes + 1e-9);
    let times = (0..).map(|n| f64::from(n) * step_of_time).take_while(|at| *at <= seconds);
    let right = short(width - RIGHT);
    let time = |at: f64| time_text(at, step_of_time);
    markup! {
        svg class=(class) viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(summary(shown)) aria-describedby="settings" {
            @for level in levels {
                @let y = short(scale.y(level));
                line class=(if level == 0.0 { "axis" } else { "grid" }) x1=(short(LEFT)) x2=(right) y1=(y) y2=(y) {}
                text x=(short(LEFT - 8.0)) y=(short(scale.y(level) + 4.0)) text-anchor="end" { (short(level)) }
            }
            @for at in times {
                text x=(short(scale.x((at * 1e6) as u64))) y=(short(height - 7.0)) text-anchor="middle" { (time(at)) }
            }
            @for setting in settings { (bar(setting, &scale)) }
            @if answer_name(shown).is_some() {
                @let y = short(scale.y(f64::from(least)));
                line class="target" x1=(short(LEFT)) x2=(right) y1=(y) y2=(y) {}
            }
            @for (x, y, text) in labels(settings, &scale) {
                text class="label" x=(short(x)) y=(short(y)) text-anchor="middle" { (text) }
            }
        }
    }
}

fn bar(setting: &SettingFigures, scale: &Scale) -> Markup {
    let (begin, end) = (scale.x(setting.span_us.0), scale.x(setting.span_us.1));
    let (top, base) = (scale.y(f64::from(setting.lanes)), scale.y(0.0));
    let (_, class) = mark(setting.state);
    let confirm = if setting.goal == Goal::Confirm { " confirm" } else { "" };
    markup! {
        rect class={ "bar " (class) (confirm) } x=(short(begin)) y=(short(top)) width=(short((end - begin).max(1.5))) height=(short((base - top).max(0.5))) {
            title { (setting.lanes) " " (state(setting)) ", " (words(setting)) }
        }
    }
}

/// A text and where its middle is.
type Label = (f64, f64, String);

/// The number and mark above each bar, and above those the camera that decided it, as far as
/// they do not cover each other: those that fail first, then those that were confirmed.
fn labels(settings: &[SettingFigures], scale: &Scale) -> Vec<Label> {
    let mut order: Vec<&SettingFigures> = settings.iter().collect();
    order.sort_by_key(|one| match (one.state, one.goal) {
        (State::Fails | State::Broken, _) => 0,
        (_, Goal::Confirm) => 1,
        _ => 2,
    });
    let mut placed: Vec<Label> = Vec::new();
    let place = |setting: &SettingFigures, text: String, line: f64, placed: &mut Vec<Label>| {
        let half = text.chars().count() as f64 * CHARACTER / 2.0;
        let middle = f64::midpoint(scale.x(setting.span_us.0), scale.x(setting.span_us.1));
        let x = middle.clamp(LEFT + half, (scale.width - RIGHT - half).max(LEFT + half));
        let y = scale.y(f64::from(setting.lanes)) - 5.0 - line * LINE;
        let is_free = |(other, height, text): &Label| {
            let halves = half + text.chars().count() as f64 * CHARACTER / 2.0;
            (other - x).abs() >= halves + 3.0 || (height - y).abs() >= LINE - 1.0
        };
        let is_placed = placed.iter().all(is_free);
        if is_placed {
            placed.push((x, y, text));
        }
        is_placed
    };
    let mut has_number = Vec::new();
    for setting in &order {
        let (sign, _) = mark(setting.state);
        if place(setting, format!("{} {sign}", setting.lanes), 0.0, &mut placed) {
            has_number.push(*setting);
        }
    }
    for setting in has_number.into_iter().filter(|one| matches!(one.state, State::Fails | State::Broken)) {
        if let Some(worst) = &setting.worst {
            place(setting, harmless_lines(&worst.camera), 1.0, &mut placed);
        }
    }
    placed
}

/// `camera-4-l24/1: 97.1 % on time`
fn words(setting: &SettingFigures) -> String {
    let worst = setting.worst.as_ref().map(|worst| format!("{}: {}", worst.stream, figure(worst)));
    let text = worst.or_else(|| setting.reason.clone()).unwrap_or_else(|| NONE.to_owned());
    nobreak(&text)
}

/// The picture in a sentence.
fn summary(shown: &DensityShown<'_>) -> String {
    let settings = shown.figures.settings.iter();
    let steps: Vec<String> = settings.map(|one| format!("{} {}", one.lanes, state(one))).collect();
    format!("The number of {} over time: {}.", unit(shown.record, 2), steps.join(", "))
}

/// The path as a table.
pub(super) fn settings(shown: &DensityShown<'_>) -> Markup {
    let seconds = |us: u64| format!("{:.0}", us as f64 / 1e6);
    let load = |share: Option<f64>| percent(share, 1);
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Settings of the search" {
            table class="cards settings sorts" id="settings" {
                thead { tr {
                    th scope="col" class="num" { (capital(&unit(shown.record, 2))) }
                    th scope="col" { "Verdict" }
                    th scope="col" { "Worst stream" }
                    th scope="col" class="num" { "Time " br; "s" }
                    th scope="col" class="num" { "Judged " br; "s" }
                    th scope="col" class="num" { "CPU % " br; "own" }
                    th scope="col" class="num" { "CPU % " br; "foreign" }
                    th scope="col" class="num" { "Memory " br; "MiB" }
                } }
                tbody {
                    @for setting in &shown.figures.settings {
                        @let (sign, class) = mark(setting.state);
                        tr class=[has_reason(setting).then_some("with_reason")] {
                            th scope="row" class="num lanes" { (setting.lanes) }
                            td { span class={ "badge " (class) } { span aria-hidden="true" { (sign) " " } (state(setting)) } }
                            td data-name="Worst" { (words(setting)) }
                            td class="num" data-name="Time s" { (seconds(setting.span_us.0)) ".." (seconds(setting.span_us.1)) }
                            td class="num" data-name="Judged s" { (setting.judged_us.map_or(NONE.to_owned(), seconds)) }
                            td class="num" data-name="CPU % own" { (load(setting.load.own)) }
                            td class="num" data-name="CPU % foreign" { (load(setting.load.foreign)) }
                            td class="num" data-name="Memory MiB" { (mebibytes(setting.load.memory_max)) }
                        }
                        @if has_reason(setting) {
                            tr class="reason" { td colspan="8" {
                                @if let Some(reason) = &setting.reason { (nobreak(reason)) }
                                @if setting.left_out_us > 0 { " " (seconds(setting.left_out_us)) "\u{a0}s were left out for foreign load." }
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn has_reason(setting: &SettingFigures) -> bool {
    setting.reason.is_some() || setting.left_out_us > 0
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A whole step of 1, 2 or 5 times a power of ten that divides `most` in at most five.
fn whole_step(most: f64) -> f64 {
    let powers = (0..).map(|power| 10_f64.powi(power));
    let steps = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * power));
    steps.into_iter().find(|step| most / step <= 5.0).unwrap_or(most)
}

/// At most two decimals, no needless zeros.
fn short(value: f64) -> String {
    crate::record::measure::number(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_and_round() {
        let lanes = [1.0, 3.0, 5.0, 6.0, 24.0, 64.0, 300.0].map(whole_step);
        assert_eq!(lanes, [1.0, 1.0, 1.0, 2.0, 5.0, 20.0, 100.0]);
        assert_eq!(
            [7.0, 90.0, 432.0, 900.0].map(|seconds| time_step(seconds, 8.0)),
            [1.0, 20.0, 60.0, 120.0]
        );
    }
}
