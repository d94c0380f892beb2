//! Programs of the user's beside a run: their values become series, and what is wrong with them
//! is remarked. Nothing of them decides about a run.

use std::collections::{BTreeMap, HashMap};

use super::RecordBuilder;
use crate::collect::Series;
use crate::record::SeriesRecord;
use crate::record::collector::{CollectorExit, CollectorRecord, Fit};
use crate::record::parsers::{Doubt, Moment, Reading};
use crate::text::counted;

/// The time of a value whose own time has not come yet.
pub const FUTURE_NS: u64 = u64::MAX;

/// A program beside the run.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    /// Times are of CLOCK_MONOTONIC until the end.
    record: CollectorRecord,
    /// When each series has its newest value.
    newest_us: HashMap<String, u64>,
    /// Values that came together with earlier ones, or before them.
    n_at_once: u64,
    /// Values whose own times are not after those of earlier ones.
    n_not_later: u64,
    /// Values from before the run.
    n_before: u64,
    /// Values of a time that has not come.
    n_future: u64,
    /// Why it has no series; without this it may have none as well.
    failure: Option<String>,
    doubts: Vec<Doubt>,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct CollectorEnd {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// `exited with status 1`; why that is not known instead.
    pub how: Result<String, String>,
    /// What it took to end it, if it was asked to: `SIGKILL`.
    pub asked: Option<&'static str>,
    pub fit: Fit,
    pub doubts: Vec<Doubt>,
    /// The last line of its stderr.
    pub complaint: Option<String>,
    /// Why its outputs could not be kept.
    pub not_kept: Option<String>,
    /// Whether it has put another file in the place of the one that is read.
    pub has_replaced_file: bool,
}

impl RecordBuilder {
    /// Takes in that a program was started, at `at_ns` of CLOCK_MONOTONIC, or why it could not be. Its
    /// number in the calls that follow.
    pub fn collector_started(&mut self, record: CollectorRecord, started: Result<u64, String>) -> usize {
        let mut beside = Beside {
            record,
            newest_us: HashMap::new(),
            n_at_once: 0,
            n_not_later: 0,
            n_before: 0,
            n_future: 0,
            failure: None,
            doubts: Vec::new(),
        };
        match started {
            Ok(at_ns) => beside.record.started_us = Some(at_ns / 1000),
            Err(reason) => beside.failure = Some(format!("it could not be started: {reason}")),
        }
        self.beside.push(beside);
        self.beside.len() - 1
    }

    /// Takes in a value of this time. Values of one series ascend in time, and none is from before the
    /// run.
    ///
    /// # Panics
    /// If no program has this number.
    pub fn collector_read(&mut self, collector: usize, at_ns: u64, reading: &Reading) {
        let at_us = at_ns / 1000;
        let beside = &mut self.beside[collector];
        if at_ns == FUTURE_NS {
            beside.n_future += 1;
            return;
        }
        if at_us < self.setup.origin_ns / 1000 {
            beside.n_before += 1;
            return;
        }
        let newest_us = beside.newest_us.entry(reading.name.clone()).or_insert(0);
        if at_us <= *newest_us {
            match reading.at {
                Moment::Arrival => beside.n_at_once += 1,
                Moment::Utc(_) => beside.n_not_later += 1,
            }
            return;
        }
        *newest_us = at_us;
        let name = format!("{}{}", beside.record.prefix(), reading.name);
        self.collected(at_ns, &[Series { name, unit: reading.unit }], &[Some(reading.value)]);
    }

    /// Takes in that a program has ended.
    ///
    /// # Panics
    /// If no program has this number.
    pub fn collector_ended(&mut self, collector: usize, end: CollectorEnd) {
        let stopping = self.stopping;
        let Beside { record, failure, doubts, .. } = &mut self.beside[collector];
        let CollectorEnd { at_ns, how, asked, fit, doubts: found, complaint, not_kept, has_replaced_file } =
            end;
        let at_us = at_ns / 1000;
        let said = complaint.map(|line| format!(" (stderr: `{line}`)")).unwrap_or_default();
        match &how {
            Err(reason) => record.remarks.push(format!("its end could not be waited for: {reason}")),
            Ok(how) if asked.is_none() && !stopping => {
                let after_s = at_us.saturating_sub(record.started_us.unwrap_or(at_us)) as f64 / 1e6;
                record.remarks.push(format!("it ended by itself after {after_s:.1} s: {how}{said}"));
            }
            Ok(_) => {}
        }
        if asked == Some("SIGKILL") {
            record.remarks.push("it did not end on SIGINT and SIGTERM, and was killed".to_owned());
        }
        if has_replaced_file {
            let remark = "it removed or replaced `{file}`, which is a pipe that is read as it writes: what it wrote into the new one is lost";
            record.remarks.push(remark.to_owned());
        }
        record.remarks.extend(not_kept.map(|reason| format!("its output could not be kept: {reason}")));
        if record.parser.is_some() && fit.values == 0 {
            *failure = Some(match (fit.lines, fit.first_unread.first()) {
                (0, _) => format!("it printed nothing to read{said}"),
                (_, None) => format!("it printed no figure{said}"),
                (n, Some(first)) => {
                    let lines = counted(n, "line");
                    format!(
                        "its parser could read none of {lines}; line {}: {}{said}",
                        first.line, first.reason
                    )
                }
            });
        } else if let Some(first) = fit.first_unread.first() {
            let n = counted(fit.unread, "line");
            let verb = if fit.unread == 1 { "does" } else { "do" };
            record
                .remarks
                .push(format!("{n} of {} {verb} not fit; line {}: {}", fit.lines, first.line, first.reason));
        }
        record.exit = Some(CollectorExit {
            at_us,
            how: how.unwrap_or_else(|reason| reason),
            asked: asked.is_some() || stopping,
        });
        record.output = fit;
        *doubts = found;
    }
}

/// The records of all programs. Series that are no measurement are taken out, and get their
/// reason among what is missing. Times are since the origin.
pub(super) fn finish(
    beside: Vec<Beside>,
    series: &mut Vec<SeriesRecord>,
    missing: &mut BTreeMap<String, String>,
    since: impl Fn(&mut u64),
) -> Vec<CollectorRecord> {
    let record = |one: Beside| {
        let Beside { mut record, n_at_once, n_not_later, n_before, n_future, failure, doubts, .. } = one;
        let prefix = record.prefix();
        for Doubt { name, reason } in doubts {
            let name = format!("{prefix}{name}");
            let is_it = |series: &str| series == name || name.ends_with('.') && series.starts_with(&name);
            series.retain(|series| !is_it(&series.name));
            record.remarks.push(format!("{}: {reason}", name[prefix.len()..].trim_end_matches('.')));
            missing.insert(name.trim_end_matches('.').to_owned(), reason);
        }
        if n_before > 0 {
            let values = counted(n_before, "value");
            record
                .remarks
                .push(format!("{values} of its own times are from before the run, and are left out"));
        }
        if n_future > 0 {
            let values = counted(n_future, "value");
            record.remarks.push(format!(
                "{values} of its own times came before these times, by this machine's clock, and are left out"
            ));
        }
        if n_not_later > 0 {
            let values = counted(n_not_later, "value");
            record
                .remarks
                .push(format!("{values} of its own times are not later than earlier ones, and are left out"));
        }
        if n_at_once > 0 {
            record.remarks.push(format!(
                "{} came at once with earlier ones and are left out: the program holds its output back; put `stdbuf -oL` before it",
                counted(n_at_once, "value")
            ));
        }
        if let Some(reason) = failure {
            missing.insert(prefix.trim_end_matches('.').to_owned(), reason.clone());
            record.remarks.push(reason);
        }
        record.started_us.iter_mut().for_each(&since);
        record.exit.iter_mut().for_each(|exit| since(&mut exit.at_us));
        record
    };
    beside.into_iter().map(record).collect()
}
