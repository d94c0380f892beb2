//! `gvafpscounter`: prints frame rates of all streams of this process, in DL Streamer's words.
//!
//! Every `interval` seconds one line with the rates since the last, at the end one with those of
//! all time: `FpsCounter(last 1.00sec): total=30.00 fps, number-streams=2, per-stream=15.00 fps
//! (15.00, 15.00)`. Streams are in the order of the names of their elements, so line and camera
//! do not show which rate is whose; `lp` itself counts by name and reads none of these lines.
//! They go to the worker's log.
//!
//! `interval` may be a list; the first counts. `print-std-dev` and `print-latency` have no effect.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::glib::prelude::*;
use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;

use super::element::{About, Settings, Work};
use crate::output::log;

/// The streams of this process, by the names of their elements.
static STREAMS: Mutex<Streams> = Mutex::new(Streams { by_name: BTreeMap::new(), since: None });

struct Streams {
    by_name: BTreeMap<String, Count>,
    /// When the last line was printed, or the first frame came.
    since: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// Since the last line.
    recent: u64,
    all: u64,
    /// Of its first frame that counts.
    since: Option<u64>,
}

pub(super) struct Counter {
    name: String,
    interval_ns: u64,
    /// Frames that are left out at the beginning.
    skip: u32,
    has_ended: bool,
}

impl Work for Counter {
    const ABOUT: About =
        About { name: "Frame rates", class: "Generic", description: "Prints the frame rates of all streams" };

    fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("interval")
                .blurb("Seconds between two lines")
                .default_value("1")
                .build(),
            glib::ParamSpecUInt::builder("starting-frame").blurb("Frames that are left out first").build(),
            glib::ParamSpecBoolean::builder("print-std-dev").blurb("No effect").build(),
            glib::ParamSpecBoolean::builder("print-latency").blurb("No effect").build(),
        ]
    }

    fn caps() -> gst::Caps {
        gst::Caps::new_any()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Counter, String> {
        let text = settings.text("interval").unwrap_or_else(|| "1".to_owned());
        let first = text.split(',').next().unwrap_or_default().trim();
        let seconds = first.parse::<f64>().ok().filter(|seconds| (0.001..1e6).contains(seconds));
        let seconds = seconds.ok_or_else(|| format!("`interval={text}` must be a number of seconds"))?;
        let name = element.name().to_string();
        streams().by_name.insert(name.clone(), Count::default());
        Ok(Counter {
            name,
            interval_ns: (seconds * 1e9) as u64,
            skip: settings.number("starting-frame"),
            has_ended: false,
        })
    }

    fn frame(&mut self, _: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        let now = monotonic_ns();
        let mut streams = streams();
        let since = *streams.since.get_or_insert(now);
        // The frame that begins a period is the end of the one before it.
        if since + self.interval_ns <= now {
            log(&streams.recent(now - since));
            streams.since = Some(now);
            streams.by_name.values_mut().for_each(|count| count.recent = 0);
        }
        let count = streams.by_name.entry(self.name.clone()).or_default();
        count.since.get_or_insert(now);
        count.recent += 1;
        count.all += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        if !std::mem::replace(&mut self.has_ended, true) {
            let mut streams = streams();
            log(&streams.overall(monotonic_ns()));
            streams.by_name.remove(&self.name);
        }
        Ok(())
    }
}

fn streams() -> MutexGuard<'static, Streams> {
    STREAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Streams {
    fn recent(&self, ns: u64) -> String {
        let rates: Vec<f64> = self.by_name.values().map(|count| rate(count.recent, ns)).collect();
        line("last", ns, &rates)
    }

    fn overall(&self, now: u64) -> String {
        let begin = self.by_name.values().filter_map(|count| count.since).min().unwrap_or(now);
        let of = |count: &Count| rate(count.all, now.saturating_sub(count.since.unwrap_or(now)));
        line("overall", now - begin, &self.by_name.values().map(of).collect::<Vec<_>>())
    }
}

fn rate(n: u64, ns: u64) -> f64 {
    if ns == 0 { 0.0 } else { n as f64 * 1e9 / ns as f64 }
}

fn line(what: &str, ns: u64, rates: &[f64]) -> String {
    let (seconds, total) = (ns as f64 / 1e9, rates.iter().sum::<f64>());
    let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.2}")).collect();
    let mean = total / rates.len().max(1) as f64;
    let mut text =
        format!("FpsCounter({what} {seconds:.2}sec): total={total:.2} fps, number-streams={}", rates.len());
    text += &format!(", per-stream={mean:.2} fps");
    match each.len() {
        0 | 1 => text,
        _ => text + &format!(" ({})", each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_dl_streamer() {
        assert_eq!(
            line("last", 1_000_000_000, &[15.0, 14.5]),
            "FpsCounter(last 1.00sec): total=29.50 fps, number-streams=2, per-stream=14.75 fps (15.00, 14.50)"
        );
        assert_eq!(
            line("overall", 2_500_000_000, &[30.0]),
            "FpsCounter(overall 2.50sec): total=30.00 fps, number-streams=1, per-stream=30.00 fps"
        );
    }
}
