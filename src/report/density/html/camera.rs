//! The cameras at the answer: headroom as a bar, and all allowances.

use maud::{Markup, html as markup};

use super::nobreak;
use crate::record::density_figures::CameraAtAnswer;
use crate::record::headroom::{Allowance, Headroom};
use crate::record::measure::{Percentiles, number};
use crate::report::density::{short, whole_percent};
use crate::report::{NONE, millis, percent};
use crate::text::harmless_lines;

/// The allowances, in the order of their columns.
const ALLOWANCES: [(Allowance, &str); 6] = [
    (Allowance::Deadline, "Deadline"),
    (Allowance::LateFrames, "Late frames"),
    (Allowance::LatestFrame, "Latest frame"),
    (Allowance::Delay, "Delay"),
    (Allowance::Rate, "Rate"),
    (Allowance::Drops, "Drops"),
];

/// A row for each camera, by its weakest stream.
pub(super) fn headroom(cameras: &[CameraAtAnswer]) -> Markup {
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Headroom of each camera" {
            table class="cards headroom sorts" {
                thead { tr {
                    th scope="col" { "Camera, its weakest stream" }
                    th scope="col" { "Headroom" }
                    th scope="col" class="num" { "fps " br; "of target" }
                    th scope="col" class="num" { "On time " br; "%" }
                    th scope="col" class="num" { "Latency ms " br; "p50 / p95 / p99" }
                    th scope="col" class="num" { "Dropped " br; "%" }
                } }
                tbody { @for camera in cameras { (row(camera)) } }
            }
        }
    }
}

fn row(camera: &CameraAtAnswer) -> Markup {
    let rate = camera.fps.map(|fps| format!("{fps:.2} of {}", number(camera.target_fps)));
    let on_time = camera.on_time.map(|share| format!("{:.2}", (share * 1e4).floor() / 1e2));
    let latency =
        camera.latency_us.map(|Percentiles { p50, p95, p99, .. }| [p50, p95, p99].map(millis).join(" / "));
    let cell = |name: &str, value: Option<String>| {
        markup! { td class="num" data-name=(name) { (value.unwrap_or_else(|| NONE.to_owned())) } }
    };
    markup! {
        tr {
            th scope="row" {
                (harmless_lines(&camera.camera)) " "
                span class="soft small whole" { (harmless_lines(&camera.stream)) @if camera.copies > 1 { ", of " (camera.copies) " copies" } }
            }
            td class="room" data-name="Headroom" {
                @match &camera.headroom { Some(headroom) => (meter(headroom)), None => (NONE) }
            }
            (cell("fps of target", rate))
            (cell("On time %", on_time))
            (cell("Latency ms", latency))
            (cell("Dropped %", camera.dropped_share.map(|share| percent(Some(share), 2))))
        }
    }
}

/// What is left as a bar with its figure.
fn meter(headroom: &Headroom) -> Markup {
    let width = format!("width:{:.1}%", headroom.left.clamp(0.0, 1.0) * 100.0);
    let class = if headroom.left < 0.0 { "does_not_hold" } else { "left" };
    markup! {
        span class={ "meter " (class) } aria-hidden="true" { span style=(width) {} }
        " " b class="whole" { (nobreak(&whole_percent(headroom.left))) } " "
        span class="soft small" { "of " (short(headroom.of)) }
    }
}

/// What each camera used of each allowance; closed, since the least is in the table above.
pub(super) fn allowances(cameras: &[CameraAtAnswer]) -> Markup {
    let used = |camera: &CameraAtAnswer, of: Allowance| {
        let headroom = camera.headroom.as_ref()?;
        headroom.allowances.iter().find(|used| used.of == of).map(|used| nobreak(&used.words()))
    };
    let is_known = |of: Allowance| cameras.iter().any(|camera| used(camera, of).is_some());
    let columns: Vec<(Allowance, &str)> = ALLOWANCES.into_iter().filter(|(of, _)| is_known(*of)).collect();
    markup! {
        @if !columns.is_empty() {
            details class="card scroll" {
                summary { b { "What was used of each allowance" } }
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Stream" }
                        @for (_, name) in &columns { th scope="col" class="num" { (name) } }
                    } }
                    tbody {
                        @for camera in cameras {
                            tr {
                                th scope="row" { (harmless_lines(&camera.stream)) }
                                @for (of, name) in &columns {
                                    td class="num" data-name=(name) { (used(camera, *of).unwrap_or_else(|| NONE.to_owned())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
