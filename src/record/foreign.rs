//! Figures in the output of other programs: one line in, one [`Figure`] or none out.
//!
//! | line of | printed | gives |
//! |---|---|---|
//! | any program | `lp: fps=15.0 dropped=0 latency_ms=8` | its rate, drops and mean latency since the line before |
//! | `gvafpscounter` (DL Streamer) | always | a rate per counter, in byte order of their names, which it does not print |
//! | `fpsdisplaysink` (GStreamer) | with `gst-launch-1.0 -v` | frames shown and dropped since it began |
//! | `latency_tracer` (DL Streamer) | `GST_DEBUG=GST_TRACER:7` | latency of a frame, or of an interval |
//! | `latency` (GStreamer) | `GST_DEBUG=GST_TRACER:7` | latency of a frame |
//!
//! Strict: a line that is not exactly one of these, whose numbers are not
//! finite, or which is no UTF-8 gives nothing. Colours are taken out first.
//! [`Lines`] cuts a program's output into lines within bounds.
//!
//! Pure. Not here: what figures mean together (`record::build`, `record::measure`).

use std::borrow::Cow;

/// The figure of one line.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A line for `lp`: figures since the line before of the same name.
    Own {
        /// `name=till`
        name: Option<String>,
        /// Frames per second.
        fps: f64,
        /// Frames dropped.
        dropped: Option<u64>,
        /// The mean latency in microseconds.
        latency_us: Option<u32>,
    },
    /// A line for `lp` that it cannot read, and why. It counts as nothing.
    Fault(String),
    /// `gvafpscounter`: frames per second of each counter of the process.
    Rates {
        /// The time that the rates are about.
        span: Span,
        /// The length of that time in microseconds; above 0.
        over_us: u64,
        /// In byte order of the elements' names; not empty.
        fps: Vec<f64>,
    },
    /// A verbose `gst-launch-1.0` names a `gvafpscounter`.
    Counter { element: String },
    /// `fpsdisplaysink`: frames since the element began.
    Count {
        /// The pipeline that it is in.
        pipeline: Option<String>,
        element: String,
        rendered: u64,
        dropped: u64,
    },
    /// The latency of one frame.
    Latency {
        /// From where to where.
        channel: Channel,
        /// In microseconds.
        us: u32,
    },
    /// The latency of the frames of an interval.
    LatencyInterval {
        /// From where to where.
        channel: Channel,
        /// The mean in microseconds.
        mean_us: u32,
        /// The largest in microseconds.
        max_us: u32,
    },
}

/// The time that a rate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Since the line before: `last`.
    Last,
    /// Since the counters began: `average`, `overall`.
    Begin,
}

/// Where a latency begins and ends; `None` where the tracer does not name it.
///
/// Two pipelines of one process may have elements of the same names. DL Streamer's
/// tracer then names the pipeline, GStreamer's the elements' addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Channel {
    /// The pipeline that both are in.
    pub pipeline: Option<String>,
    /// The addresses of both.
    pub addresses: Option<(String, String)>,
    /// The element that frames leave.
    pub source: Option<String>,
    /// The element that they arrive at.
    pub sink: Option<String>,
}

/// The longest line that is looked at, in bytes. GStreamer's have some hundred.
pub const MAX_LINE: usize = 8 << 10;

/// The most counters that a line may have.
const MAX_COUNTERS: usize = 1_000;

/// Beyond this no rate, count of seconds or latency is believed.
const MAX_VALUE: f64 = 1e9;

/// The figure of a line; `None` if it is none of those above.
#[must_use]
pub fn figure(line: &[u8]) -> Option<Figure> {
    let text = plain(std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']));
    let others =
        || rates(&text).or_else(|| count(&text)).or_else(|| counter(&text)).or_else(|| latency(&text));
    match text.strip_prefix(OWN) {
        // Other programs are called `lp` as well.
        Some(rest) if rest.contains('=') => Some(own(rest).unwrap_or_else(Figure::Fault)),
        _ => others(),
    }
}

/// The begin of a line for `lp`.
pub const OWN: &str = "lp: ";

/// `fps=15.0 dropped=0 latency_ms=8`, in any order; only `fps` is needed.
fn own(text: &str) -> Result<Figure, String> {
    let (mut label, mut fps, mut dropped, mut latency_us) = (None, None, None, None);
    for field in text.split_ascii_whitespace() {
        let (key, value) = field.split_once('=').ok_or_else(|| format!("`{field}` is no `key=value`"))?;
        let is_new = match key {
            "name" => {
                let known = name(value).ok_or("`name` has 1 to 200 bytes")?;
                label.replace(known).is_none()
            }
            "fps" => {
                let known = number(value).ok_or_else(|| format!("`fps` is a number, not `{value}`"))?;
                fps.replace(known).is_none()
            }
            "dropped" => {
                let is_whole = !value.is_empty() && value.len() <= 9;
                let known = digits(value).filter(|_| is_whole);
                dropped
                    .replace(known.ok_or_else(|| format!("`dropped` is a whole number, not `{value}`"))?)
                    .is_none()
            }
            "latency_ms" => {
                let us = number(value).and_then(|ms| u32::try_from(micros(ms * 1e3)?).ok());
                latency_us
                    .replace(us.ok_or_else(|| format!("`latency_ms` is a number, not `{value}`"))?)
                    .is_none()
            }
            _ => return Err(format!("`{key}` is none of `fps`, `dropped`, `latency_ms` and `name`")),
        };
        if !is_new {
            return Err(format!("`{key}` appears twice"));
        }
    }
    let fps = fps.ok_or("`fps` is missing")?;
    Ok(Figure::Own { name: label, fps, dropped, latency_us })
}

/// `FpsCounter(last 1.00sec): total=30.00 fps, number-streams=2, per-stream=15.00 fps (15.01, 14.99)`
///
/// Since 2026 `, detections=7` follows `fps`: before the list in the first versions,
/// later after it. Both are read, and so is any other
/// `, key=value`.
fn rates(text: &str) -> Option<Figure> {
    let rest = text.strip_prefix("FpsCounter(")?;
    let (span, rest) = rest.split_once(' ')?;
    let span = match span {
        "last" => Span::Last,
        "average" | "overall" => Span::Begin,
        _ => return None,
    };
    let (seconds, rest) = rest.split_once("sec): total=")?;
    let (_total, rest) = rest.split_once(" fps, number-streams=")?;
    let (n, rest) = rest.split_once(", per-stream=")?;
    let (each, rest) = rest.split_once(" fps")?;
    let n: usize = n.parse().ok().filter(|n| (1..=MAX_COUNTERS).contains(n))?;
    let each = number(each)?;
    let fps = match (n, list_of_rates(rest)?) {
        (1, None) => vec![each],
        (_, list) => list?.split(", ").map(number).collect::<Option<Vec<f64>>>()?,
    };
    let over_us = micros(number(seconds)? * 1e6)?;
    (fps.len() == n && over_us > 0).then_some(Figure::Rates { span, over_us, fps })
}

/// The list after `fps`, `Some(None)` if there is none; `None` if anything there
/// is neither a list nor a `, key=value`. Where there are two lists, that of the
/// rates is the one directly after `fps`.
fn list_of_rates(mut rest: &str) -> Option<Option<&str>> {
    let (mut list, mut is_direct) = (None, true);
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix(" (") {
            let (inner, after) = inner.split_once(')')?;
            match list {
                None => list = Some((inner, is_direct)),
                Some((_, true)) => {}
                Some((_, false)) => return None,
            }
            rest = after;
        } else {
            rest = after_pair(rest)?;
        }
        is_direct = false;
    }
    Some(list.map(|(list, _)| list))
}

/// The rest after a `, key=value`, whose value may have a unit: `, latency=3.1 ms`.
fn after_pair(text: &str) -> Option<&str> {
    let (key, rest) = text.strip_prefix(", ")?.split_once('=')?;
    let is_key = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let end = rest.find([' ', ',', '(', ')', '=']).unwrap_or(rest.len());
    if !is_key || end == 0 {
        return None;
    }
    let rest = &rest[end..];
    let Some(unit) = rest.strip_prefix(' ') else { return Some(rest) };
    let end = unit.find(|c: char| !c.is_ascii_alphabetic() && c != '%').unwrap_or(unit.len());
    Some(if end == 0 { rest } else { &unit[end..] })
}

/// `/GstPipeline:pipeline0/GstFPSDisplaySink:till: last-message = rendered: 9, dropped: 0, current: 16.24, average: 16.24`
fn count(text: &str) -> Option<Figure> {
    let (path, message) = text.split_once(": last-message = ")?;
    let (parents, element) = path.strip_prefix('/')?.rsplit_once("/GstFPSDisplaySink:")?;
    let pipeline = parents.split('/').next().and_then(|pipeline| pipeline.split_once(':'));
    let pipeline = pipeline.and_then(|(_, pipeline)| name(pipeline));
    let (rendered, rest) = message.strip_prefix("rendered: ")?.split_once(", dropped: ")?;
    let (dropped, rest) = rest.split_once(", ")?;
    // With drops the same two places have other names.
    let (first, second) = match rest.strip_prefix("current: ") {
        Some(rest) => rest.split_once(", average: ")?,
        None => rest.strip_prefix("fps: ")?.split_once(", drop rate: ")?,
    };
    number(first).and_then(|_| number(second))?;
    let (rendered, dropped) = (digits(rendered)?, digits(dropped)?);
    Some(Figure::Count { pipeline, element: name(element)?, rendered, dropped })
}

/// `/GstPipeline:pipeline0/GstGvaFpscounter:till.GstPad:sink: caps = video/x-raw, ...`
fn counter(text: &str) -> Option<Figure> {
    let (path, _) = text.split_once(": caps = ")?;
    let (_, last) = path.starts_with('/').then(|| path.rsplit_once('/'))??;
    let (kind, rest) = last.split_once(':')?;
    let (element, _) = rest.rsplit_once(".GstPad:")?;
    kind.to_ascii_lowercase().ends_with("gvafpscounter").then_some(())?;
    Some(Figure::Counter { element: name(element)? })
}

/// `... latency_tracer_pipeline, pipeline_name=(string)p, source_name=(string)s, sink_name=(string)k, frame_latency=(double)1.5, ...;`
fn latency(text: &str) -> Option<Figure> {
    let at = text.find("latency_tracer_pipeline").or_else(|| text.find("latency, src-element"))?;
    // After the head of a debug line, or alone.
    if !(at == 0 || text[..at].ends_with(' ')) {
        return None;
    }
    let (record, fields) = text[at..].split_once(", ")?;
    let fields = structure(fields)?;
    let get = |name: &str| fields.iter().find(|(known, ..)| *known == name);
    let string = |key: &str| {
        let (_, kind, value) = get(key)?;
        if *kind == "string" { name(value) } else { None }
    };
    let millis = |key: &str| {
        let (_, kind, value) = get(key)?;
        if *kind == "double" { u32::try_from(micros(number(value)? * 1e3)?).ok() } else { None }
    };
    let channel = Channel {
        pipeline: string("pipeline_name"),
        addresses: string("src-element-id").zip(string("sink-element-id")),
        source: string("source_name").or_else(|| string("src-element")),
        sink: string("sink_name").or_else(|| string("sink-element")),
    };
    match record {
        "latency_tracer_pipeline" => Some(Figure::Latency { channel, us: millis("frame_latency")? }),
        "latency_tracer_pipeline_interval" => {
            Some(Figure::LatencyInterval { channel, mean_us: millis("avg")?, max_us: millis("max")? })
        }
        "latency" => {
            let (_, _, time) = get("time").filter(|(_, kind, _)| *kind == "guint64")?;
            Some(Figure::Latency { channel, us: u32::try_from(digits(time)? / 1_000).ok()? })
        }
        _ => None,
    }
}

/// The fields of a structure as GStreamer writes it, `a=(string)b, c=(double)1;`:
/// name, type, value. `None` unless it is whole.
fn structure(text: &str) -> Option<Vec<(&str, &str, Cow<'_, str>)>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=(")?;
        let (kind, after) = after.split_once(')')?;
        let (value, after) = value(after)?;
        fields.push((name, kind, value));
        rest = match after.strip_prefix(", ") {
            Some(rest) => rest,
            None if after == ";" => return Some(fields),
            None => return None,
        };
    }
}

/// A value, and the rest after it. A quoted value may contain any character; quotes and
/// backslashes follow a backslash.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';'])?;
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((Cow::Owned(value), &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// A number as C prints it; `None` unless it is finite, not negative and sane.
fn number(text: &str) -> Option<f64> {
    // `parse` also accepts `+1`, `inf`, `nan`, `.5` and `5.`.
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-' | '+');
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(plain) || text.ends_with('.') {
        return None;
    }
    text.parse().ok().filter(|value| (0.0..=MAX_VALUE).contains(value))
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Microseconds as a whole number.
fn micros(us: f64) -> Option<u64> {
    // `number` bounds what comes here, so the cast is exact to the microsecond.
    us.is_finite().then_some(us.round() as u64)
}

/// The name of an element; `None` if it is empty or of no sane length.
fn name(text: &str) -> Option<String> {
    (1..=200).contains(&text.len()).then(|| text.to_owned())
}

/// The text without colours: `ESC [ ... letter`.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let body = part
            .strip_prefix('[')
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        match body {
            // The letter that ends it.
            Some(body) if body.starts_with(|c: char| c.is_ascii_alphabetic()) => plain.push_str(&body[1..]),
            _ => {
                plain.push('\u{1b}');
                plain.push_str(part);
            }
        }
    }
    Cow::Owned(plain)
}

/// Cuts what a program prints into lines. Holds at most [`MAX_LINE`] bytes: a
/// line that is longer is no figure and is left out.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// Takes in the next piece and gives every line that it completes, without
    /// its end.
    pub fn push(&mut self, piece: &[u8], mut line: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (part, is_whole) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            if MAX_LINE < self.line.len() + part.len() {
                self.is_too_long = true;
                self.line.clear();
            }
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            if is_whole {
                if !self.is_too_long {
                    line(&self.line);
                }
                self.line.clear();
                self.is_too_long = false;
            }
        }
    }

    /// Gives the last line, which has no end.
    pub fn finish(self, mut line: impl FnMut(&[u8])) {
        if !self.line.is_empty() && !self.is_too_long {
            line(&self.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Expect) {
        let text = figure(line.as_bytes()).map_or("nothing".to_owned(), |figure| format!("{figure:?}"));
        expect.assert_eq(&text);
    }

    #[test]
    fn a_line_for_lp_is_read_strictly() {
        check(
            "lp: fps=15.0 dropped=0 latency_ms=8",
            expect![[r#"Own { name: None, fps: 15.0, dropped: Some(0), latency_us: Some(8000) }"#]],
        );
        check(
            "\u{1b}[1mlp: latency_ms=0.5   fps=29.97 name=till\u{1b}[0m\r\n",
            expect![[r#"Own { name: Some("till"), fps: 29.97, dropped: None, latency_us: Some(500) }"#]],
        );
        check("lp: fps=fast", expect![[r#"Fault("`fps` is a number, not `fast`")"#]]);
        check("lp: fps=nan", expect![[r#"Fault("`fps` is a number, not `nan`")"#]]);
        check("lp: fps=-1", expect![[r#"Fault("`fps` is a number, not `-1`")"#]]);
        check("lp: fps=1e400", expect![[r#"Fault("`fps` is a number, not `1e400`")"#]]);
        check("lp: fps=15 fps=15", expect![[r#"Fault("`fps` appears twice")"#]]);
        check("lp: fps=15, dropped=0", expect![[r#"Fault("`fps` is a number, not `15,`")"#]]);
        check("lp: fps=15 dropped=0.5", expect![[r#"Fault("`dropped` is a whole number, not `0.5`")"#]]);
        check("lp: fps=15 dropped=", expect![[r#"Fault("`dropped` is a whole number, not ``")"#]]);
        check("lp: fps=15 latency_ms=1e9", expect![[r#"Fault("`latency_ms` is a number, not `1e9`")"#]]);
        check("lp: fps=15 name=", expect![[r#"Fault("`name` has 1 to 200 bytes")"#]]);
        check(
            "lp: fps=15 drops=0",
            expect![[r#"Fault("`drops` is none of `fps`, `dropped`, `latency_ms` and `name`")"#]],
        );
        check("lp: fps=15 ok", expect![[r#"Fault("`ok` is no `key=value`")"#]]);
        check("lp: dropped=0", expect![[r#"Fault("`fps` is missing")"#]]);
        // What the print command of CUPS says, and a line in which it is not first.
        check("lp: Error - no default destination available.", expect!["nothing"]);
        check("see lp: fps=15", expect!["nothing"]);
    }

    #[test]
    fn a_counter_of_dl_streamer_gives_a_rate_per_stream() {
        check(
            "FpsCounter(last 1.00sec): total=15.01 fps, number-streams=1, per-stream=15.01 fps",
            expect!["Rates { span: Last, over_us: 1000000, fps: [15.01] }"],
        );
        check(
            "FpsCounter(average 12.50sec): total=44.98 fps, number-streams=3, per-stream=14.99 fps (15.00, 14.98, 15.00)",
            expect!["Rates { span: Begin, over_us: 12500000, fps: [15.0, 14.98, 15.0] }"],
        );
        check(
            "FpsCounter(overall 30.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps\r\n",
            expect!["Rates { span: Begin, over_us: 30000000, fps: [15.0] }"],
        );
    }

    #[test]
    fn a_counter_may_tell_more_about_its_streams() {
        let line = |n: u32, rest: &str| {
            format!(
                "FpsCounter(last 1.00sec): total=30.00 fps, number-streams={n}, per-stream=15.00 fps{rest}"
            )
        };
        let two = "Rates { span: Last, over_us: 1000000, fps: [15.01, 14.99] }";
        for rest in [
            // As DL Streamer prints it since 2026, and as it would appear at the end.
            ", detections=7 (15.01, 14.99)",
            " (15.01, 14.99), detections=7",
            " (15.01, 14.99), detections=12 (5, 7)",
            " (15.01, 14.99), detections=-1, latency=3.1 ms, cpu-share=4 %",
            ", detections=7, latency=3.1 ms (15.01, 14.99)",
        ] {
            let read = figure(line(2, rest).as_bytes()).map(|figure| format!("{figure:?}"));
            assert_eq!(read.as_deref(), Some(two), "{rest}");
        }
        check(&line(1, ", detections=7"), expect!["Rates { span: Last, over_us: 1000000, fps: [15.0] }"]);
        for rest in [
            ", detections",
            ", detections=",
            ", detections=7,",
            ", detections=7 ",
            ", detections=7FpsCounter(last 1.00sec): total=1.00 fps",
            ", =7 (15.01, 14.99)",
            "detections=7",
            ", detections=7 (15.01, 14.99) (5, 7)",
            ", detections=7 (15.01, 14.99",
            ", detections=7 (nan, 14.99)",
        ] {
            assert_eq!(figure(line(2, rest).as_bytes()), None, "{rest}");
        }
    }

    #[test]
    fn a_verbose_launch_names_the_counters() {
        check(
            "/GstPipeline:pipeline0/GstGvaFpscounter:stream1_2_10.GstPad:sink: caps = video/x-raw, width=(int)640",
            expect![[r#"Counter { element: "stream1_2_10" }"#]],
        );
        check(
            "/GstPipeline:pipeline0/GstQueue:gvafpscounter.GstPad:sink: caps = video/x-raw",
            expect!["nothing"],
        );
    }

    #[test]
    fn a_display_sink_gives_counts() {
        check(
            "/GstPipeline:pipeline0/GstFPSDisplaySink:till: last-message = rendered: 41, dropped: 0, current: 15.01, average: 15.26",
            expect![[r#"Count { pipeline: Some("pipeline0"), element: "till", rendered: 41, dropped: 0 }"#]],
        );
        check(
            "/GstPipeline:pipeline0/GstFPSDisplaySink:till: last-message = rendered: 41, dropped: 3, fps: 15.01, drop rate: 1.50",
            expect![[r#"Count { pipeline: Some("pipeline0"), element: "till", rendered: 41, dropped: 3 }"#]],
        );
    }

    #[test]
    fn tracers_give_latencies_with_and_without_colours() {
        check(
            "0:00:05.1 9 0x55 TRACE GST_TRACER :0:: latency_tracer_pipeline, pipeline_name=(string)p, source_name=(string)src, sink_name=(string)sink0, frame_latency=(double)12.345678, avg=(double)11, min=(double)1, max=(double)20, latency=(double)66.1, fps=(double)15.1, frame_num=(uint)31;",
            expect![[
                r#"Latency { channel: Channel { pipeline: Some("p"), addresses: None, source: Some("src"), sink: Some("sink0") }, us: 12346 }"#
            ]],
        );
        check(
            "\u{1b}[36mTRACE  \u{1b}[00m \u{1b}[00;34m GST_TRACER :0::\u{1b}[00m latency_tracer_pipeline_interval, source_name=(string)\"a\\ b\", sink_name=(string)k, interval=(double)1000.2, avg=(double)1.5, min=(double)1, max=(double)2e0, latency=(double)33.3, fps=(double)30;",
            expect![[
                r#"LatencyInterval { channel: Channel { pipeline: None, addresses: None, source: Some("a b"), sink: Some("k") }, mean_us: 1500, max_us: 2000 }"#
            ]],
        );
        check(
            "GST_TRACER :0:: latency_tracer_pipeline, frame_latency=(double)2.5, avg=(double)2.5, frame_num=(uint)1;",
            expect![
                "Latency { channel: Channel { pipeline: None, addresses: None, source: None, sink: None }, us: 2500 }"
            ],
        );
        check(
            "0:00:00.090043203 24265 0x555f77670400 TRACE             GST_TRACER :0:: latency, src-element-id=(string)0x5, src-element=(string)videotestsrc0, src=(string)src, sink-element-id=(string)0x6, sink-element=(string)fakesink0, sink=(string)sink, time=(guint64)67627, ts=(guint64)89958103;",
            expect![[
                r#"Latency { channel: Channel { pipeline: None, addresses: Some(("0x5", "0x6")), source: Some("videotestsrc0"), sink: Some("fakesink0") }, us: 67 }"#
            ]],
        );
    }

    #[test]
    fn other_lines_have_no_figure() {
        for line in [
            "",
            "FpsCounter(last nansec): total=nan fps, number-streams=1, per-stream=nan fps",
            "FpsCounter(last 1.00sec): total=nan fps, number-streams=1, per-stream=nan fps",
            "FpsCounter(last 1.00sec): total=inf fps, number-streams=1, per-stream=inf fps",
            "FpsCounter(last 0.00sec): total=1 fps, number-streams=1, per-stream=1 fps",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=1, per-stream=-1 fps",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=1, per-stream=1e300 fps",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=2, per-stream=1 fps (1)",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=2, per-stream=1 fps (1, 2",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=99999999999, per-stream=1 fps",
            "FpsCounter(last 1.00sec): total=1 fps, number-streams=0, per-stream=1 fps ()",
            "FpsCounter(last 1,00sec): total=15,00 fps, number-streams=1, per-stream=15,00 fps",
            " FpsCounter(last 1.00sec): total=1.00 fps, number-streams=1, per-stream=1.00 fps",
            "FPSCounter: Not enough data for calculation. The time interval (0.1 sec) is too short.",
            "/x/GstFPSDisplaySink:till: last-message = rendered: -1, dropped: 0, current: 1, average: 1",
            "/x/GstFPSDisplaySink:till: last-message = rendered: 99999999999999999999, dropped: 0, current: 1, average: 1",
            "/x/GstFPSDisplaySink:till: last-message = rendered: 1, dropped: 0, current: nan, average: 1",
            "/x/GstFPSDisplaySink:: last-message = rendered: 1, dropped: 0, current: 1, average: 1",
            "/x/GstFakeSink:till: last-message = rendered: 1, dropped: 0, current: 1, average: 1",
            "till: last-message = rendered: 1, dropped: 0, current: 1, average: 1",
            "latency_tracer_pipeline.class, source_name=(structure)\"value\\,\\ type\\=\\(GType\\)string\";",
            "latency_tracer_pipeline, frame_latency=(double)nan;",
            "latency_tracer_pipeline, frame_latency=(double)1.5, avg=(dou",
            "latency_tracer_pipeline, frame_latency=(string)1.5;",
            "latency_tracer_pipeline, frame_latency=(double)1e12;",
            "not_latency_tracer_pipeline, frame_latency=(double)1.5;",
            "latency, src-element=(string)a, sink-element=(string)\"b, time=(guint64)1;",
        ] {
            assert_eq!(figure(line.as_bytes()), None, "{line}");
        }
        assert_eq!(
            figure(b"FpsCounter(last 1.00sec): total=1 fps, number-streams=1, per-stream=1 fps\xff"),
            None
        );
    }

    #[test]
    fn lines_are_cut_within_bounds() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        let mut push = |lines: &mut Lines, piece: &[u8]| {
            lines.push(piece, |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        };
        push(&mut lines, b"a\nb");
        push(&mut lines, b"c\n\n");
        for _ in 0..1_000 {
            push(&mut lines, &[b'x'; 4096]);
            assert!(lines.line.capacity() <= 4 * MAX_LINE);
        }
        push(&mut lines, b"x\nafter\nlast");
        lines.finish(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(seen, ["a", "bc", "", "after", "last"]);
    }
}
