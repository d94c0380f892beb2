//! Readers of what other programs print about the machine: pieces of text in, values out.
//!
//! One file for each format, and one line in [`start`]. A [`Parser`] sees whole lines; [`Output`] cuts a
//! program's output into them, so the pieces in which it comes change nothing, and counts those that do not
//! fit. A line that does not fit gives no value: nothing is guessed. Units are UCUM's, as of all series: a
//! percentage becomes a share, kilobytes become bytes.
//!
//! Pure: the caller knows when a piece came. Not here: running the programs (`session`), their series in the record
//! (`record::build`).

mod dmon;
mod free;
mod gpu_top;
mod iotop;
mod json;
mod npu;
mod pcm;
mod perf;
mod qmassa;
mod sadf;
mod sar;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::collector::{Fit, MOST_UNREAD, UnreadLine};
use crate::model::Format;
use crate::text::redacted;

/// The longest line that is read, in bytes. Those of `qmassa` have the values of 40 updates.
pub const MAX_LINE: usize = 1 << 20;

/// The most series of one program.
pub const MOST_SERIES: usize = 500;

/// The greatest value that is believed.
const MAX_VALUE: f64 = 1e18;

/// The greatest share that is believed. Counters of a period and its length are read at two moments, so a busy
/// part may have a little more than 1.
const MAX_SHARE: f64 = 1.1;

/// How much of a line that does not fit is kept, in bytes.
const KEPT: usize = 200;

/// A value of a series at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The quantity: `cpu.all.user`.
    pub name: String,
    /// In UCUM.
    pub unit: &'static str,
    pub value: f64,
    pub at: Moment,
}

/// When a value was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When the begin of its line came: some programs write the end of a line before the next one.
    Arrival,
    /// At this time of day, in milliseconds since 1970-01-01T00:00:00Z.
    Utc(i64),
}

/// Series that are no measurement although values were printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The name of their quantity, or the begin of several, with a dot at its end.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The reader of one format.
pub trait Parser: Send {
    /// Takes in the next line, without its end, and adds what it says to `found`.
    ///
    /// # Errors
    /// Why the line does not fit. What it has added to `found` is then left out.
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String>;

    /// As [`Parser::line`], of a last line whose end never came. Its last number may be cut.
    ///
    /// # Errors
    /// As there.
    fn cut(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let _ = (line, found);
        Err("the output ends within this line".to_owned())
    }

    /// Takes in that a line came which could not even be given to it.
    fn lost(&mut self) {}

    /// Takes in the end of the output.
    ///
    /// # Errors
    /// Why what has come last is not whole.
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Takes in a line of the other of stdout and stderr.
    fn aside(&mut self, line: &str) {
        let _ = line;
    }

    /// What is known of values that are no measurement.
    fn doubts(&self) -> Vec<Doubt> {
        Vec::new()
    }
}

/// A new reader of a format. `command` is the program with its arguments, some of which change units.
#[must_use]
pub fn start(format: Format, command: &[String]) -> Box<dyn Parser> {
    match format {
        Format::Sar => Box::new(sar::Sar::default()),
        Format::SadfJson => Box::new(sadf::Sadf::new()),
        Format::Free => Box::new(free::Free::new(command)),
        Format::Iotop => Box::new(iotop::Iotop::new("iotop", command)),
        Format::IotopC => Box::new(iotop::Iotop::new("iotop-c", command)),
        Format::Pcm => Box::new(pcm::Pcm::default()),
        Format::Qmassa => Box::new(qmassa::Qmassa::default()),
        Format::NpuUsage => Box::new(npu::NpuUsage::default()),
        Format::IntelGpuTop => Box::new(gpu_top::GpuTop::new()),
        Format::PerfStat => Box::new(perf::Perf::default()),
        Format::NvidiaSmiDmon => Box::new(dmon::Dmon::default()),
    }
}

/// Whether a program prints its figures to stderr.
#[must_use]
pub fn is_on_stderr(format: Format) -> bool {
    format == Format::PerfStat
}

/// Removes secrets from a line.
pub type Clean = Box<dyn Fn(&str) -> String + Send>;

/// The output of a program, as far as it has come.
pub struct Output {
    parser: Box<dyn Parser>,
    clean: Clean,
    figures: Lines,
    asides: Lines,
    fit: Fit,
    names: HashSet<String>,
    /// Series beyond [`MOST_SERIES`].
    n_left_out: usize,
}

impl Output {
    /// `clean` sees each line before the parser, so that no part of a secret is in a name or a reason.
    #[must_use]
    pub fn new(parser: Box<dyn Parser>, clean: Clean) -> Output {
        Output {
            parser,
            clean,
            figures: Lines::default(),
            asides: Lines::default(),
            fit: Fit::default(),
            names: HashSet::new(),
            n_left_out: 0,
        }
    }

    /// Takes in the next piece of the output with the figures, which came at `at_ns`. `found` gets each
    /// value, and when the begin of its line came.
    pub fn push(&mut self, at_ns: u64, piece: &[u8], found: &mut dyn FnMut(u64, Reading)) {
        let Output { parser, clean, figures, fit, names, n_left_out, .. } = self;
        figures.push(at_ns, piece, |line| {
            if line.text.is_none_or(|text| std::str::from_utf8(text).is_err()) {
                parser.lost();
            }
            let mut take = |line: &str, read: &mut Vec<Reading>| parser.line(line, read);
            add(fit, (names, n_left_out), &line, clean, &mut take, found);
        });
    }

    /// Takes in a piece of the other output, which has no figures.
    pub fn aside(&mut self, piece: &[u8]) {
        let Output { parser, asides, .. } = self;
        asides.push(0, piece, |line| {
            if let Some(text) = line.text {
                parser.aside(&String::from_utf8_lossy(text));
            }
        });
    }

    /// Takes in the end of both. How all of it fitted, and what is known of values that are no measurement.
    pub fn finish(self, found: &mut dyn FnMut(u64, Reading)) -> (Fit, Vec<Doubt>) {
        let Output { mut parser, clean, figures, asides, mut fit, mut names, mut n_left_out } = self;
        if let Some(Line { text: Some(text), .. }) = asides.last() {
            parser.aside(&String::from_utf8_lossy(text));
        }
        if let Some(line) = figures.last() {
            let mut take = |line: &str, read: &mut Vec<Reading>| parser.cut(line, read);
            add(&mut fit, (&mut names, &mut n_left_out), &line, &clean, &mut take, found);
        }
        if let Err(reason) = parser.end() {
            misfit(&mut fit, figures.number, "", reason);
        }
        let mut doubts = parser.doubts();
        if n_left_out > 0 {
            let reason = format!("values of more than {MOST_SERIES} series were left out");
            doubts.push(Doubt { name: "(others)".to_owned(), reason });
        }
        (fit, doubts)
    }
}

/// Reads a line, as [`Parser::line`] does.
type Take<'t> = dyn FnMut(&str, &mut Vec<Reading>) -> Result<(), String> + 't;

/// Takes the values out of a line, or counts it as one that does not fit.
fn add(
    fit: &mut Fit,
    (names, n_left_out): (&mut HashSet<String>, &mut usize),
    &Line { number, began_ns, text }: &Line<'_>,
    clean: &Clean,
    take: &mut Take<'_>,
    found: &mut dyn FnMut(u64, Reading),
) {
    fit.lines += 1;
    let Some(line) = text else {
        return misfit(fit, number, "", format!("it is longer than {} KiB", MAX_LINE >> 10));
    };
    let line = match std::str::from_utf8(line) {
        Ok(line) => line,
        Err(_) => {
            let text = clean(&String::from_utf8_lossy(line));
            return misfit(fit, number, &text, "it is no UTF-8".to_owned());
        }
    };
    let line = &*clean(line);
    let mut read = Vec::new();
    if let Err(reason) = take(line, &mut read) {
        return misfit(fit, number, line, reason);
    }
    if let Some(wrong) = read.iter().find(|one| !is_possible(one)) {
        return misfit(
            fit,
            number,
            line,
            format!("no machine has a `{}` of {:e} (unit `{}`)", wrong.name, wrong.value, wrong.unit),
        );
    }
    for one in read {
        if !names.contains(&one.name) {
            if names.len() == MOST_SERIES {
                *n_left_out += 1;
                continue;
            }
            names.insert(one.name.clone());
        }
        fit.values += 1;
        found(began_ns, one);
    }
}

/// Whether a machine can have this value.
fn is_possible(one: &Reading) -> bool {
    // Temperatures, voltages and distances may be below 0.
    let is_amount = matches!(one.unit, "1" | "/s" | "By" | "By/s" | "W" | "Hz" | "s");
    let most = if one.unit == "1" && !adds_up(&one.name) { MAX_SHARE } else { MAX_VALUE };
    one.value.is_finite() && one.value <= most && -MAX_VALUE <= one.value && !(is_amount && one.value < 0.0)
}

/// Whether a share is the sum of several, or may exceed what it is a share of: cores in use, memory that is promised.
fn adds_up(name: &str) -> bool {
    let quantity = name.rsplit('.').find(|part| !part.is_empty() && *part != "share").unwrap_or(name);
    let begin = name.split('.').next().unwrap_or(name);
    ["task-clock", "cpu-clock", "user_time", "system_time"].iter().any(|event| begin.starts_with(event))
        || quantity == "commit"
}

/// Counts a line that does not fit. URLs in it lose their logins before it is cut.
fn misfit(fit: &mut Fit, line: u64, text: &str, reason: String) {
    fit.unread += 1;
    if fit.first_unread.len() < MOST_UNREAD {
        let mut text = redacted(text);
        let end = (0..=KEPT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        fit.first_unread.push(UnreadLine { line, text, reason: redacted(&reason) });
    }
}

/// A line of an output.
struct Line<'l> {
    /// From 1.
    number: u64,
    /// When its begin came.
    began_ns: u64,
    /// Without its end; `None` if it is too long.
    text: Option<&'l [u8]>,
}

/// Cuts pieces into lines, which it counts.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    began_ns: u64,
    is_too_long: bool,
    number: u64,
}

impl Lines {
    /// Gives each line that becomes whole.
    fn push(&mut self, at_ns: u64, piece: &[u8], mut line: impl FnMut(Line<'_>)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if !self.has_begun() {
                self.began_ns = at_ns;
            }
            let whole = part.strip_suffix(b"\n");
            let part = whole.unwrap_or(part);
            if MAX_LINE < self.line.len() + part.len() {
                self.is_too_long = true;
                self.line.clear();
            }
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            if whole.is_some() {
                self.number += 1;
                let text = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                let text = (!self.is_too_long).then_some(text);
                line(Line { number: self.number, began_ns: self.began_ns, text });
                self.line.clear();
                self.is_too_long = false;
            }
        }
    }

    fn has_begun(&self) -> bool {
        self.is_too_long || !self.line.is_empty()
    }

    /// The last line, if its end never came.
    fn last(&self) -> Option<Line<'_>> {
        let text = (!self.is_too_long).then_some(&*self.line);
        self.has_begun().then(|| Line { number: self.number + 1, began_ns: self.began_ns, text })
    }
}

/// A reading of the moment when its line came.
fn now(name: impl Into<String>, unit: &'static str, value: f64) -> Reading {
    Reading { name: name.into(), unit, value, at: Moment::Arrival }
}

/// A number as C prints it, with a point or, as some locales have it, a comma; nothing groups its
/// digits. `None` for `nan`, `inf` and everything else.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (digits, exponent) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (digits, None),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match digits.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    if !is_number(whole) || !fraction.is_none_or(is_number) || !exponent.is_none_or(is_number) {
        return None;
    }
    text.replacen(',', ".", 1).parse().ok().filter(|value: &f64| value.is_finite())
}

/// A text of the program as a part of a name: without blanks and control characters, at most 80
/// characters.
fn part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    redacted(text.trim()).chars().take(80).map(plain).collect()
}

/// `2026-11-28` and `19:27:13`, or `19:27:13.250`, in milliseconds since 1970 of the same zone.
pub(super) fn utc_millis(date: &str, time: &str) -> Option<i64> {
    let three = |text: &str, separator: char| -> Option<[i64; 3]> {
        let parts: Option<Vec<i64>> = text.split(separator).map(digits).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = three(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = three(time, ':')?;
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 || fraction.len() > 9 {
        return None;
    }
    let millis = digits(fraction)? * 1000 / 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    // Days since 1970-01-01, by years that begin in March (Howard Hinnant, "chrono-Compatible Low-Level
    // Date Algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// A number of at most 9 digits.
fn digits(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}
