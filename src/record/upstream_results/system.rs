//! The files of upstream's collectors, as series whose times are those of a run.
//!
//! The readers are those of programs beside a run (`parsers`). Here each line gets the time that it has itself: a
//! time of day (`sar`), a time in full (`pcm`, the NPU's), or none, then one second after the line before, counted
//! from the time when `sar` began, as one container starts all collectors at once. The warm-up before a
//! stream's window thus stays out of every mean, in which upstream has it.
//!
//! The machine's CPU and memory get the names and the meaning that they have in runs of `lp`: time that waits for a
//! disk is idle time.

use std::collections::BTreeMap;

use super::clock::{iso_millis, row_millis, time_of_day};
use crate::collect::machine::{CPU, MEMORY, STEAL};
use crate::model::Format;
use crate::record::SeriesRecord;
use crate::record::collector::{CollectorRecord, Fit, PREFIX};
use crate::record::parsers::{MAX_LINE, Moment, Output, Reading, start};
use crate::text::redacted;

/// The most values that are kept of a file.
const MOST_VALUES: usize = 1_000_000;

const DAY_MS: i64 = 86_400_000;

/// What the times of a file are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// 1970.
    Utc,
    /// Midnight of some day.
    Day,
    /// Its first line.
    Count,
}

/// The unit of a series, and its values with their times.
type Points = (&'static str, Vec<(i64, f64)>);

/// A file of a collector.
pub struct SystemFile {
    name: &'static str,
    format: Format,
    path: String,
    output: Option<Output>,
    line: Vec<u8>,
    bytes: u64,
    clock: Clock,
    /// Of the newest line.
    now_ms: i64,
    before_day_ms: i64,
    days: i64,
    /// Tables or lines without a time so far.
    n_counted: i64,
    /// By the name in the record.
    series: BTreeMap<String, Points>,
    n_values: usize,
    left_out: u64,
    has_halves: bool,
    has_large_units: bool,
    facts: BTreeMap<String, String>,
    fit: Fit,
    doubts: Vec<String>,
}

impl SystemFile {
    #[must_use]
    pub fn new(name: &'static str, format: Format, path: &str) -> SystemFile {
        let command: &[String] = match format {
            // Upstream starts it without options, so its unit is KiB.
            Format::Free => &["free".to_owned(), "-s".to_owned(), "1".to_owned()],
            Format::Iotop => &["iotop".to_owned(), "-o".to_owned(), "-P".to_owned(), "-b".to_owned()],
            _ => &[],
        };
        let clock = match format {
            Format::Sar => Clock::Day,
            Format::Pcm | Format::NpuUsage => Clock::Utc,
            _ => Clock::Count,
        };
        SystemFile {
            name,
            format,
            path: path.to_owned(),
            output: Some(Output::new(start(format, command), Box::new(redacted))),
            line: Vec::new(),
            bytes: 0,
            clock,
            now_ms: 0,
            before_day_ms: 0,
            days: 0,
            n_counted: 0,
            series: BTreeMap::new(),
            n_values: 0,
            left_out: 0,
            has_halves: false,
            has_large_units: false,
            facts: BTreeMap::new(),
            fit: Fit::default(),
            doubts: Vec::new(),
        }
    }

    pub fn push(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            // What is longer than a line may be goes to the parser, which counts it as too long.
            if part.ends_with(b"\n") || MAX_LINE < self.line.len() {
                self.flush();
            }
        }
    }

    pub fn finish(&mut self) {
        self.flush();
        let mut last = Vec::new();
        let Some(output) = self.output.take() else { return };
        let (fit, doubts) = output.finish(&mut |_, reading| last.push(reading));
        self.keep(last);
        // A clock that was set back, or lines in disorder.
        self.series.values_mut().for_each(|(_, points)| points.sort_by_key(|(ms, _)| *ms));
        self.fit = Fit { bytes: self.bytes, ..fit };
        self.doubts = doubts.into_iter().map(|doubt| format!("{}: {}", doubt.name, doubt.reason)).collect();
        if self.left_out > 0 {
            self.doubts.push(format!("{} more values than are kept", self.left_out));
        }
    }

    /// How many values it has.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.n_values
    }

    /// Whether any value was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn flush(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        if line.starts_with("\u{feff}".as_bytes()) {
            line.drain(..3);
        }
        if line.is_empty() {
            return;
        }
        if self.format == Format::Pcm && line.starts_with(b"System") {
            line = filled(&line);
        }
        let text = String::from_utf8_lossy(&line[..line.len().min(512)]);
        self.look(&text);
        let mut found = Vec::new();
        if let Some(output) = &mut self.output {
            output.push(0, &line, &mut |_, reading| found.push(reading));
        }
        self.keep(found);
    }

    /// Takes in the time of a line, and what it says beside values.
    fn look(&mut self, line: &str) {
        match self.format {
            Format::Sar => {
                if let Some((ms, has_halves)) = time_of_day(line) {
                    self.has_halves |= has_halves;
                    // After midnight.
                    if ms + DAY_MS / 2 < self.before_day_ms {
                        self.days += 1;
                    }
                    self.before_day_ms = ms;
                    self.now_ms = self.days * DAY_MS + ms;
                }
                self.title(line);
            }
            Format::Pcm => self.now_ms = row_millis(line).unwrap_or(self.now_ms),
            Format::NpuUsage => self.now_ms = iso_millis(line).unwrap_or(self.now_ms),
            Format::Iotop => {
                let is_total = line.trim_start().starts_with("Total DISK");
                self.has_large_units |= is_total && [" M/s", " G/s"].iter().any(|unit| line.contains(unit));
                self.n_counted += i64::from(is_total);
            }
            Format::Free => self.n_counted += i64::from(line.starts_with("Mem:")),
            Format::Qmassa => self.n_counted += i64::from(line.contains("\"devs_state\"")),
            _ => {}
        }
        if self.clock == Clock::Count {
            self.now_ms = (self.n_counted - 1).max(0) * 1000;
        }
    }

    /// `Linux 6.1.0-28-amd64 (lane-box)  08/20/26  _x86_64_  (2 CPU)`
    fn title(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("Linux ") else { return };
        let plain = |text: &str| text.len() <= 80 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(kernel) = rest.split_ascii_whitespace().next().filter(|kernel| plain(kernel)) {
            self.facts.insert("kernel".to_owned(), kernel.to_owned());
        }
        let cpus = line.trim_end().strip_suffix(" CPU)").and_then(|rest| rest.rsplit_once('('));
        if let Some(cpus) = cpus.and_then(|(_, cpus)| cpus.parse::<u32>().ok()) {
            self.facts.insert("cpus".to_owned(), cpus.to_string());
        }
    }

    fn keep(&mut self, found: Vec<Reading>) {
        let of = |name: &str| found.iter().find(|one| one.name == name).map(|one| one.value);
        let now_ms = match found.first().map(|one| one.at) {
            Some(Moment::Utc(ms)) => ms,
            _ => self.now_ms,
        };
        let mut own: Vec<(String, &'static str, f64)> = Vec::new();
        match self.format {
            Format::Sar => {
                if let Some(idle) = of("cpu.all.idle") {
                    let busy = 1.0 - idle - of("cpu.all.iowait").unwrap_or(0.0);
                    own.push((CPU.to_owned(), "1", busy.clamp(0.0, 1.0)));
                    own.extend(of("cpu.all.steal").map(|steal| (STEAL.to_owned(), "1", steal)));
                }
            }
            Format::Free => own.extend(of("memory.used").map(|used| (MEMORY.to_owned(), "By", used))),
            Format::Pcm => own.extend(found.iter().filter_map(|one| {
                let socket = one.name.strip_prefix("socket")?.strip_suffix(".power.package")?;
                Some((format!("power.package_{socket}"), "W", one.value))
            })),
            _ => {}
        }
        let name = self.name;
        let all = found.iter().map(|one| (format!("{PREFIX}{name}.{}", one.name), one.unit, one.value));
        for (name, unit, value) in own.into_iter().chain(all) {
            if self.n_values == MOST_VALUES {
                self.left_out += 1;
                continue;
            }
            self.n_values += 1;
            self.series.entry(name).or_insert_with(|| (unit, Vec::new())).1.push((now_ms, value));
        }
    }
}

/// The line of the parts of the machine, in which some versions of `pcm` name a part once for all of its columns.
fn filled(line: &[u8]) -> Vec<u8> {
    let separator = if line.contains(&b';') { b';' } else { b',' };
    let mut last: &[u8] = b"";
    let fields = line.split(|byte| *byte == separator).map(|field| {
        if !field.trim_ascii().is_empty() {
            last = field;
        }
        // The end of the line is no field.
        if field.trim_ascii().is_empty() && !field.ends_with(b"\n") { last } else { field }
    });
    fields.collect::<Vec<&[u8]>>().join(&separator)
}

/// The series of all files in the time of a run, and what is to be said of them.
#[derive(Debug, Default)]
pub struct Aligned {
    pub series: Vec<SeriesRecord>,
    pub collectors: Vec<CollectorRecord>,
    pub facts: BTreeMap<String, String>,
    pub corrected: Vec<String>,
    pub unknown: Vec<String>,
}

/// Moves the files' times to those of a run that began at `began_ms` after 1970 and is `length_ms` long; `None`: the
/// begin is not known. Unless it `is_only` run of the folder, a file without a time of its own is left out.
#[must_use]
pub fn align(files: &[&SystemFile], began_ms: Option<i64>, length_ms: i64, is_only: bool) -> Aligned {
    let mut aligned = Aligned::default();
    // When the collectors began, since the begin of the run.
    let sar = files.iter().find(|file| file.clock == Clock::Day);
    let began = sar.and_then(|sar| Some((shift(sar, began_ms?, length_ms)?, first(sar)?)));
    let collectors_began = began.map(|(shift, first)| first + shift);
    let (mut guessed, mut others) = (Vec::new(), Vec::new());
    for file in files {
        let shift = match file.clock {
            Clock::Count => collectors_began,
            _ => began_ms.and_then(|began| shift(file, began, length_ms)),
        };
        if shift.is_none() && !is_only {
            others.push(format!("`{}`", file.path));
            continue;
        }
        let offset = shift.unwrap_or_else(|| {
            guessed.push(format!("`{}`", file.path));
            -first(file).unwrap_or(0)
        });
        for (name, (unit, points)) in &file.series {
            let at = |(ms, value): &(i64, f64)| {
                let ms = ms.checked_add(offset)?;
                let us = u64::try_from(ms).ok()?.checked_mul(1000)?;
                Some((us, *value))
            };
            let (at_us, values): (Vec<u64>, Vec<f64>) = points.iter().filter_map(at).unzip();
            let is_new = aligned.series.iter().all(|one| one.name != *name);
            if is_new && !values.is_empty() {
                aligned.series.push(SeriesRecord {
                    name: name.clone(),
                    unit: (*unit).to_owned(),
                    at_us,
                    values,
                });
            }
        }
        aligned.facts.extend(file.facts.clone());
        aligned.collectors.push(CollectorRecord {
            name: file.name.to_owned(),
            member: None,
            command: vec![file.path.clone()],
            parser: Some(file.format),
            started_us: None,
            exit: None,
            output: file.fit.clone(),
            remarks: file.doubts.clone(),
        });
        aligned.corrected.extend(corrections(file));
    }
    if !guessed.is_empty() {
        aligned.unknown.push(format!(
            "when the values of {} were measured: their times do not fit those of the run, or they have none, so they are taken to begin with it",
            guessed.join(", ")
        ));
    }
    if !others.is_empty() {
        aligned.unknown.push(format!(
            "which values of {} are of this run: the folder has several, and their times do not fit this one",
            others.join(", ")
        ));
    }
    aligned
}

fn corrections(file: &SystemFile) -> Vec<String> {
    let mut texts = Vec::new();
    if file.has_halves {
        texts.push(format!("`{}` has times of 12 hours, of which upstream reads nothing", file.path));
    }
    if file.has_large_units {
        texts.push(format!("`{}` has lines in M/s or G/s, which upstream leaves out of its mean", file.path));
    }
    if file.format == Format::Sar && file.series.contains_key(CPU) {
        texts.push(
            "time in which the CPU waits for a disk is idle time, which upstream counts as busy".to_owned(),
        );
    }
    if file.format == Format::Pcm && file.series.keys().any(|name| name.starts_with("power.package")) {
        texts.push(
            "energy of `pcm` is divided by the time of its row, which upstream takes for a second".to_owned(),
        );
    }
    texts
}

fn first(file: &SystemFile) -> Option<i64> {
    file.series.values().filter_map(|(_, points)| points.first()).map(|(ms, _)| *ms).min()
}

fn last(file: &SystemFile) -> Option<i64> {
    file.series.values().filter_map(|(_, points)| points.last()).map(|(ms, _)| *ms).max()
}

/// What is added to the file's times so that 0 is the begin of the run; `None` if its time does not overlap with
/// that of the run.
fn shift(file: &SystemFile, began_ms: i64, length_ms: i64) -> Option<i64> {
    let shift = match file.clock {
        Clock::Utc => -began_ms,
        Clock::Day => {
            let of_day = began_ms.rem_euclid(DAY_MS);
            let distance = first(file)? - of_day;
            // The collectors began within half a day of the run.
            let days = (distance as f64 / DAY_MS as f64).round() as i64;
            -of_day - days * DAY_MS
        }
        Clock::Count => return None,
    };
    let (first, last) = (first(file)?.checked_add(shift)?, last(file)?.checked_add(shift)?);
    (first <= length_ms && 0 <= last).then_some(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, format: Format, text: &str) -> SystemFile {
        let mut file = SystemFile::new(name, format, "f");
        for piece in text.as_bytes().chunks(11) {
            file.push(piece);
        }
        file.finish();
        file
    }

    const SAR: &str = "Linux 6.1.0 (lane-box) \t08/20/26 \t_x86_64_\t(4 CPU)\n\n\
        23:59:58        CPU     %user     %nice   %system   %iowait    %steal     %idle\n\
        23:59:59        all     22.10      0.00      4.42      5.00      0.10     68.38\n\
        00:00:00        all     20.00      0.00      0.00      0.00      0.00     80.00\n\
        00:00:01        all     30.00      0.00      0.00      0.00      0.00     70.00\n\
        Average:        all     24.03      0.00      1.47      1.67      0.03     72.79\n";

    fn series<'a>(aligned: &'a Aligned, name: &str) -> Option<&'a SeriesRecord> {
        aligned.series.iter().find(|one| one.name == name)
    }

    #[test]
    fn times_of_day_are_moved_to_the_run_also_over_midnight() {
        let file = read("sar", Format::Sar, SAR);
        // 2026-08-20T23:59:59Z
        let aligned = align(&[&file], Some(1_787_270_399_000), 60_000, true);
        let cpu = series(&aligned, CPU).unwrap();
        assert_eq!(cpu.at_us, [0, 1_000_000, 2_000_000]);
        let shown: Vec<String> = cpu.values.iter().map(|value| format!("{value:.4}")).collect();
        assert_eq!(shown, ["0.2662", "0.2000", "0.3000"]);
        assert_eq!(aligned.facts["cpus"], "4");
        assert!(aligned.unknown.is_empty(), "{:?}", aligned.unknown);
        // The values before the run are not in it.
        let aligned = align(&[&file], Some(1_787_270_400_000), 60_000, true);
        assert_eq!(series(&aligned, CPU).unwrap().at_us, [0, 1_000_000]);
    }

    #[test]
    fn a_file_without_times_begins_with_the_first_that_has_some() {
        let free = "               total        used        free      shared  buff/cache   available\n\
            Mem:           1000         400         100          10         500         600\n\
            Swap:             0           0           0\n\n";
        let free = read("free", Format::Free, &free.repeat(3));
        let sar = read("sar", Format::Sar, SAR);
        // `sar` has its first row 2 s after the begin of the run.
        let aligned = align(&[&sar, &free], Some(1_787_270_397_000), 60_000, true);
        let memory = series(&aligned, MEMORY).unwrap();
        assert_eq!((memory.at_us[0], memory.values[0]), (2_000_000, 409_600.0));
        assert_eq!(memory.at_us.len(), 3);
        let alone = align(&[&free], Some(1_787_270_397_000), 60_000, true);
        assert_eq!(series(&alone, MEMORY).unwrap().at_us, [0, 1_000_000, 2_000_000]);
        assert_eq!(alone.unknown.len(), 1);
    }

    #[test]
    fn clocks_that_do_not_fit_are_told() {
        let npu = "timestamp,percent_usage\n2026-08-20T11:59:51.1,41.20\n2026-08-20T11:59:52.1,50.00\n";
        let file = read("npu", Format::NpuUsage, npu);
        let aligned = align(&[&file], Some(1_787_227_191_000), 60_000, true);
        assert_eq!(series(&aligned, "collector.npu.usage").unwrap().at_us, [100_000, 1_100_000]);
        let aligned = align(&[&file], Some(1_787_220_000_000), 60_000, true);
        assert_eq!(series(&aligned, "collector.npu.usage").unwrap().at_us, [0, 1_000_000]);
        assert_eq!(aligned.unknown.len(), 1);
    }

    #[test]
    fn a_part_of_the_machine_may_be_named_once() {
        let pcm = "\u{feff}System,,System,,Socket 0,,Proc Energy (Joules),,\n\
            Date,Time,EXEC,IPC,READ,WRITE,SKT0,SKT1,\n\
            2026-08-20,11:59:51.000,0,0,1.0,2.0,40.0,30.0,\n\
            2026-08-20,11:59:53.000,0,0,1.0,2.0,40.0,30.0,\n\
            2026-08-20,11:59:55.000,0,0,1.0,2.0,80.0,30.0,\n";
        let aligned = align(&[&read("pcm", Format::Pcm, pcm)], Some(1_787_227_191_000), 60_000, true);
        assert_eq!(series(&aligned, "power.package_0").unwrap().values, [20.0, 40.0]);
        assert_eq!(series(&aligned, "power.package_1").unwrap().values, [15.0, 15.0]);
        assert_eq!(
            series(&aligned, "collector.pcm.socket0.memory.written").unwrap().at_us,
            [2_000_000, 4_000_000]
        );
    }

    #[test]
    fn twelve_hours_and_large_units_are_read_and_told() {
        let sar = SAR.replace("23:59:58  ", "11:59:58 PM").replace("23:59:59  ", "11:59:59 PM");
        let sar = sar.replace("00:00:00  ", "12:00:00 AM").replace("00:00:01  ", "12:00:01 AM");
        let file = read("sar", Format::Sar, &sar);
        let aligned = align(&[&file], Some(1_787_270_399_000), 60_000, true);
        assert_eq!(series(&aligned, CPU).unwrap().at_us, [0, 1_000_000, 2_000_000]);
        assert!(aligned.corrected[0].contains("12 hours"), "{:?}", aligned.corrected);
        let iotop = "Total DISK READ:         0.00 B/s | Total DISK WRITE:        12.34 M/s\n\
            Current DISK READ:       0.00 B/s | Current DISK WRITE:      12.34 M/s\n    PID  PRIO\n";
        let aligned = align(&[&read("iotop", Format::Iotop, &iotop.repeat(3))], None, 60_000, true);
        let written = series(&aligned, "collector.iotop.total.written").unwrap();
        assert_eq!(written.values[0], 12.34 * 1024.0 * 1024.0);
        assert!(aligned.corrected[0].contains("M/s"));
    }
}
