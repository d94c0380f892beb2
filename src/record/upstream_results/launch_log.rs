//! What `gst-launch-1.0` printed: the lines that upstream's script takes rates from, the names of the counters, and
//! latencies.
//!
//! Upstream's script writes value `j` of a line into log `j`, but only of lines with as many values as the
//! lane has streams. So these lines say more than the logs: how long each value's time was, and what was counted
//! when not all streams played. A verbose launch also names the counters, which the lines do not.

use std::collections::BTreeSet;

use crate::record::foreign::{Channel, Figure, Lines, figure};
use crate::record::script::{MAX_ELEMENTS, MAX_LATENCIES};

use super::clock::debug_micros;
use super::names::MOST_STREAMS;

/// The most values of rates that are kept of all lines.
const MOST_VALUES: usize = 2_000_000;

/// A line with the rates of all counters that played.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// When it came since the launch began, by the debug line before it; `None` without one.
    pub at_us: Option<u64>,
    /// The time that it is about.
    pub over_us: u64,
    /// In byte order of the counters' names; `None` for `nan`.
    pub fps: Vec<Option<f64>>,
}

/// Latencies of frames between two elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    pub channel: Channel,
    /// When each came since the launch began, and the latency, both in microseconds.
    pub frames: Vec<(u64, u32)>,
}

/// What a launch printed.
#[derive(Debug, Default)]
pub struct LaunchLog {
    lines: Lines,
    /// The names of counters.
    pub counters: BTreeSet<String>,
    /// Lines that are all of the line.
    blocks: Vec<Block>,
    /// Those that follow the head of a debug line: the same figures once more, where both are printed.
    debug_blocks: Vec<Block>,
    n_values: usize,
    pub latencies: Vec<Latencies>,
    n_latencies: usize,
    /// Values and latencies that were not kept.
    pub left_out: u64,
    now_us: Option<u64>,
}

impl LaunchLog {
    pub fn push(&mut self, piece: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(piece, |line| self.line(line));
        self.lines = lines;
    }

    pub fn finish(&mut self) {
        // A line that is cut is left out.
        self.lines = Lines::default();
    }

    /// How many figures it has.
    #[must_use]
    pub fn n_figures(&self) -> usize {
        self.n_values + self.n_latencies
    }

    /// The lines with rates.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        if self.blocks.is_empty() { &self.debug_blocks } else { &self.blocks }
    }

    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        self.now_us = debug_micros(&text).or(self.now_us);
        if let Some(at) = text.find("FpsCounter(last ") {
            let Some(block) = block(&text[at..], self.now_us) else { return };
            if MOST_VALUES < self.n_values + block.fps.len() {
                self.left_out += 1;
                return;
            }
            self.n_values += block.fps.len();
            if at == 0 {
                self.blocks.push(block);
            } else {
                self.debug_blocks.push(block);
            }
            return;
        }
        match figure(line) {
            Some(Figure::Counter { element }) if self.counters.len() < MOST_STREAMS => {
                self.counters.insert(element);
            }
            Some(Figure::Latency { channel, us }) => self.latency(channel, us),
            _ => {}
        }
    }

    fn latency(&mut self, channel: Channel, us: u32) {
        // Without a time, nothing says whether it belongs to the window.
        let Some(at_us) = self.now_us else { return self.left_out += 1 };
        let known = self.latencies.iter().position(|one| one.channel == channel);
        // As many as a script has for each of 16 streams.
        if self.n_latencies == MAX_LATENCIES || (known.is_none() && self.latencies.len() == 16 * MAX_ELEMENTS)
        {
            self.left_out += 1;
            return;
        }
        self.n_latencies += 1;
        match known {
            Some(index) => self.latencies[index].frames.push((at_us, us)),
            None => self.latencies.push(Latencies { channel, frames: vec![(at_us, us)] }),
        }
    }
}

/// `FpsCounter(last 1.02sec): total=30.00 fps, number-streams=2, per-stream=15.00 fps (15.01, nan)`
fn block(text: &str, at_us: Option<u64>) -> Option<Block> {
    let rest = text.strip_prefix("FpsCounter(last ")?;
    let (seconds, rest) = rest.split_once("sec): total=")?;
    let (_, rest) = rest.split_once(", number-streams=")?;
    let (n, rest) = rest.split_once(", per-stream=")?;
    let n: usize = n.parse().ok().filter(|n| (1..=MOST_STREAMS).contains(n))?;
    let (each, rest) = rest.split_once(" fps")?;
    let seconds = seconds.parse().ok().filter(|seconds: &f64| 0.0 < *seconds && *seconds <= 3_600.0)?;
    let list = rest.split_once('(').and_then(|(_, list)| list.split_once(')')).map(|(list, _)| list);
    let fps: Vec<Option<f64>> = match (n, list) {
        (1, None) => vec![rate(each)?],
        (_, None) => return None,
        (_, Some(list)) => list.split(',').map(rate).collect::<Option<_>>()?,
    };
    (fps.len() == n).then_some(Block { at_us, over_us: (seconds * 1e6).round() as u64, fps })
}

/// A rate; `Some(None)` for `nan`.
fn rate(text: &str) -> Option<Option<f64>> {
    let text = text.trim();
    if text.trim_start_matches('-') == "nan" {
        return Some(None);
    }
    text.parse().ok().filter(|fps| (0.0..=10_000.0).contains(fps)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LaunchLog {
        let mut log = LaunchLog::default();
        for piece in text.as_bytes().chunks(7) {
            log.push(piece);
        }
        log.finish();
        log
    }

    #[test]
    fn lines_have_their_time_and_the_length_of_theirs() {
        let log = read(
            "/GstPipeline:pipeline0/GstGvaFpscounter:stream2_1_6.GstPad:sink: caps = video/x-raw\n\
             /GstPipeline:pipeline0/GstGvaFpscounter:stream1_1_3.GstPad:sink: caps = video/x-raw\n\
             0:00:05.000000000 9 0x55 TRACE GST_TRACER :0:: latency_tracer_pipeline, source_name=(string)cam1_1, sink_name=(string)s0, frame_latency=(double)12.5, avg=(double)1, min=(double)1, max=(double)2, latency=(double)3, fps=(double)4, frame_num=(uint)5;\n\
             FpsCounter(last 1.02sec): total=30.00 fps, number-streams=2, per-stream=15.00 fps (15.01, nan)\n\
             FpsCounter(average 9.00sec): total=30.00 fps, number-streams=2, per-stream=15.00 fps (15.01, 15.01)\n\
             FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps, detections=7\n\
             FpsCounter(last 1.00sec): total=15.00 fps, number-stre",
        );
        assert_eq!(log.counters.into_iter().collect::<Vec<_>>(), ["stream1_1_3", "stream2_1_6"]);
        let block =
            |over_us: u64, fps: &[Option<f64>]| Block { at_us: Some(5_000_000), over_us, fps: fps.to_vec() };
        assert_eq!(log.blocks, [block(1_020_000, &[Some(15.01), None]), block(1_000_000, &[Some(15.0)])]);
        assert_eq!(log.latencies.len(), 1);
        assert_eq!(log.latencies[0].frames, [(5_000_000, 12_500)]);
    }

    #[test]
    fn figures_that_are_printed_twice_count_once() {
        let line = "FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps\n";
        let log = read(&format!("0:00:01.000000000 1 INFO gvafpscounter {line}{line}"));
        assert_eq!(log.blocks().len(), 1);
        let log = read(&format!("0:00:01.000000000 1 INFO gvafpscounter {line}"));
        assert_eq!(log.blocks().len(), 1);
    }
}
