//! The names of upstream's files: which of them is what, and of which run.
//!
//! Logs of a run are `pipeline_stream<i>_<time>_<container>.log` and `gst-launch_<time>_<container>.log`; the
//! time is `date`'s, to the second or the microsecond. Files of collectors have no time in their names.

use crate::model::Format;
use crate::record::parsers::utc_millis;
use crate::time::Utc;

/// The greatest number of a stream's log.
pub const MOST_STREAMS: usize = 2_000;

/// The run that a log belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The digits of its time; empty if the name has none.
    pub time: String,
    pub container: String,
}

impl RunKey {
    /// The time in its name, read as UTC: containers have no other time zone unless they get one.
    #[must_use]
    pub fn started(&self) -> Option<Utc> {
        let digits = self.time.get(..14)?;
        let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
        let millis = self.time.get(14..17).unwrap_or("0");
        let date = format!("{}-{}-{}", part(0..4), part(4..6), part(6..8));
        let time = format!("{}:{}:{}.{millis}", part(8..10), part(10..12), part(12..14));
        utc_millis(&date, &time).map(Utc::from_unix_millis)
    }
}

/// What a file is by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The rates of a stream; its number.
    Stream(RunKey, usize),
    /// What `gst-launch-1.0` printed.
    Launch(RunKey),
    /// The script with the command.
    Command,
    /// The output of a collector.
    Collector(&'static str, Format),
    /// What upstream makes of the output of `qmassa`.
    Qmassa,
    /// The means of the consolidation.
    Metrics,
    /// Windows' own figures.
    Windows,
    /// A manifest of the streams by its name, or any other JSON document.
    Json,
}

/// What a file is; the reason why it is not read otherwise.
///
/// # Errors
/// The reason.
pub fn kind(name: &str) -> Result<Kind, String> {
    if let Some(rest) = name.strip_prefix("pipeline_stream").filter(|rest| rest.ends_with(".log")) {
        return stream(rest).ok_or_else(|| {
            "its name is not of the form `pipeline_stream<i>_<time>_<container>.log`".to_owned()
        });
    }
    if let Some(rest) = name.strip_prefix("gst-launch") {
        let key = rest.strip_suffix(".log").and_then(key);
        return key
            .map(Kind::Launch)
            .ok_or_else(|| "its name is not of the form `gst-launch_<time>_<container>.log`".to_owned());
    }
    let is = |begin: &str, end: &str| name.starts_with(begin) && name.ends_with(end);
    Ok(match name {
        "cpu_usage.log" => Kind::Collector("sar", Format::Sar),
        "memory_usage.log" => Kind::Collector("free", Format::Free),
        "disk_bandwidth.log" => Kind::Collector("iotop", Format::Iotop),
        "pcm.csv" => Kind::Collector("pcm", Format::Pcm),
        "windows_pcm_raw.log" => Kind::Collector("windows_pcm", Format::Pcm),
        "npu_usage.csv" => Kind::Collector("npu", Format::NpuUsage),
        "metrics.csv" => Kind::Metrics,
        "windows_metrics.json" => Kind::Windows,
        "pipeline.sh" => Kind::Command,
        _ if is("qmassa", "parsed.json") => Kind::Qmassa,
        _ if is("qmassa", ".json") => Kind::Collector("qmassa", Format::Qmassa),
        _ => return unread(name),
    })
}

/// The reason why files of other names are not read.
fn unread(name: &str) -> Result<Kind, String> {
    let is = |begin: &str, end: &str| name.starts_with(begin) && name.ends_with(end);
    let reason = match name {
        "stream_density.log" => "the text of a search: its rates are in the logs of the streams",
        "power_usage.log" | "pcm-power.log" | "memory_bandwidth.csv" | "pcm-memory.csv" => {
            "`pcm-power` and `pcm-memory` are not read; `pcm.csv` has the same quantities"
        }
        "plot_metrics.png" => "a picture of the other files",
        _ if is("rs-", ".jsonl") || is("r", ".jsonl") => "what models found, which has no rates",
        _ if is("vlm_", ".txt") => "times of a vision language model, which are no rates of frames",
        _ if is("xpum", ".json") => "`xpumcli` is not read",
        _ if is("pipeline", ".log") => {
            "a log of an older form, whose name does not say which stream it is of"
        }
        _ if is("windows_", ".log") || is("windows_", ".json") => "it has no figures",
        _ if name.ends_with(".json") => return Ok(Kind::Json),
        _ => "it is none of upstream's files of results",
    };
    Err(reason.to_owned())
}

/// `0_20260820115951123456_gst0.log`
fn stream(rest: &str) -> Option<Kind> {
    let rest = rest.strip_suffix(".log")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    let number = number.parse().ok().filter(|number| *number < MOST_STREAMS)?;
    Some(Kind::Stream(key(rest)?, number))
}

/// `_20260820115951123456_gst0`; either part may lack.
fn key(rest: &str) -> Option<RunKey> {
    let Some(rest) = rest.strip_prefix('_') else { return rest.is_empty().then(RunKey::default) };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    let is_time = (14..=26).contains(&digits.len()) && (after.is_empty() || after.starts_with('_'));
    let (time, container) =
        if is_time { (digits, after.strip_prefix('_').unwrap_or("")) } else { ("", rest) };
    Some(RunKey { time: time.to_owned(), container: container.chars().take(100).collect() })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Expect) {
        let text = match kind(name) {
            Ok(kind) => format!("{kind:?}"),
            Err(reason) => format!("not read: {reason}"),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn a_log_says_its_stream_and_its_run() {
        check(
            "pipeline_stream11_20260820115951123456_gst0.log",
            expect![[r#"Stream(RunKey { time: "20260820115951123456", container: "gst0" }, 11)"#]],
        );
        check(
            "pipeline_stream0_123_gst.log",
            expect![[r#"Stream(RunKey { time: "", container: "123_gst" }, 0)"#]],
        );
        check("pipeline_stream3.log", expect![[r#"Stream(RunKey { time: "", container: "" }, 3)"#]]);
        check(
            "gst-launch_20260820115951_lp_gst_1.log",
            expect![[r#"Launch(RunKey { time: "20260820115951", container: "lp_gst_1" })"#]],
        );
        check(
            "pipeline_streamX.log",
            expect!["not read: its name is not of the form `pipeline_stream<i>_<time>_<container>.log`"],
        );
        check(
            "pipeline_stream99999999999999999999_1_g.log",
            expect!["not read: its name is not of the form `pipeline_stream<i>_<time>_<container>.log`"],
        );
        check("pipeline_streams.json", expect!["Json"]);
        check("notes.txt", expect!["not read: it is none of upstream's files of results"]);
    }

    #[test]
    fn the_time_of_a_name_is_utc() {
        let key = |time: &str| RunKey { time: time.to_owned(), container: String::new() };
        let started = |time: &str| key(time).started().map(|utc| utc.to_string());
        assert_eq!(started("20260820115951123456").as_deref(), Some("2026-08-20T11:59:51.123Z"));
        assert_eq!(started("20260820115951").as_deref(), Some("2026-08-20T11:59:51Z"));
        assert_eq!(started("20261320115951"), None);
        assert_eq!(started(""), None);
    }
}
