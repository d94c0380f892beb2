//! `perf stat -x, -I 1000`: on stderr, a line for each event and interval.
//!
//! `time,value,unit,event,run time,percent of it[,metric,its unit]`, with `-A` and `--per-socket` a CPU or a socket and
//! its count of CPUs after the time. The unit of the metric changes from line to line, and the metric is not read.
//! The separator is a comma, or a semicolon, which a locale with decimal commas needs. Values are counts of an
//! interval, whose length follows from the times; they become rates. `<not counted>` gives no value, and an event
//! that is `<not supported>` has no series, with this as its reason.
//!
//! Source: perf-stat(1) and `stat-display.c` of Linux 6.1.

use std::collections::BTreeSet;

use super::{Doubt, Parser, Reading, now, number, part};

#[derive(Debug, Default)]
pub(super) struct Perf {
    /// The end of this interval and of the one before, in seconds since the begin.
    until_s: f64,
    from_s: f64,
    /// Whether a line of an unknown time came since, so that the next interval may be longer than its values are
    /// about.
    has_lost: bool,
    /// Whether the interval has an unknown begin.
    is_unsure: bool,
    /// Events that the machine does not have.
    unsupported: BTreeSet<String>,
}

impl Parser for Perf {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let separator = if line.contains(';') { ';' } else { ',' };
        let fields: Vec<&str> = line.split(separator).map(str::trim).collect();
        let time = fields[0].replace(',', ".").parse::<f64>().ok().filter(|time| time.is_finite());
        let Some(time) = time.filter(|_| fields.len() >= 6) else {
            self.has_lost = true;
            return Err("it is no line of `perf stat -x, -I 1000`".to_owned());
        };
        let known = (|| {
            let (about, fields) = of_part(&fields[1..])?;
            let [value, unit, event, ..] = fields else { return Err("it has too few fields".to_owned()) };
            Ok((about, *value, *unit, *event))
        })();
        // Its fields may have shifted, the time with them.
        self.has_lost |= known.is_err();
        let (about, value, unit, event) = known?;
        if event.is_empty() || event.parse::<f64>().is_ok() {
            self.has_lost = true;
            let hint = "with decimal commas fields shift: set `LC_ALL=C`, or use `-x ;`";
            return Err(format!("its field of the event is `{event}`; {hint}"));
        }
        if time > self.until_s {
            (self.from_s, self.until_s) = (self.until_s, time);
            self.is_unsure = std::mem::take(&mut self.has_lost);
        }
        let seconds = self.until_s - self.from_s;
        if time < self.until_s || seconds <= 0.0 {
            return Err("its time is before that of the line before".to_owned());
        }
        let name = format!("{}{about}", part(event));
        match value {
            "<not counted>" => return Ok(()),
            "<not supported>" => {
                self.unsupported.insert(name);
                return Ok(());
            }
            _ => {}
        }
        let value = number(value).ok_or_else(|| format!("`{value}` is no number"))?;
        let (unit, factor) = match unit {
            "" => ("/s", 1.0),
            // Time in time: shares of a core.
            "msec" => ("1", 1e-3),
            "ns" => ("1", 1e-9),
            "Joules" => ("W", 1.0),
            "MiB" => ("By/s", 1048576.0),
            other => return Err(format!("its unit `{other}` is not known")),
        };
        if self.is_unsure {
            return Err(
                "how long its interval is, is not known, since a line before it could not be read".to_owned()
            );
        }
        found.push(now(name, unit, value * factor / seconds));
        Ok(())
    }

    fn lost(&mut self) {
        self.has_lost = true;
    }

    fn doubts(&self) -> Vec<Doubt> {
        let reason = "`perf` says `<not supported>`: this machine, or a guest on it, does not count it";
        let doubt = |name: &String| Doubt { name: name.clone(), reason: reason.to_owned() };
        self.unsupported.iter().map(doubt).collect()
    }
}

/// The part of the machine that a line is about (`.cpu0`), and the fields after it.
fn of_part<'f, 't>(fields: &'f [&'t str]) -> Result<(String, &'f [&'t str]), String> {
    let first = fields[0];
    let is_value = number(first).is_some() || first.starts_with('<');
    if is_value {
        return Ok((String::new(), fields));
    }
    let digits_after = |begin: &str| {
        first.strip_prefix(begin).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    // A socket, die, core or node has the number of its CPUs after it.
    let n = if digits_after("CPU") {
        1
    } else if ["S", "N"].into_iter().any(digits_after) {
        2
    } else {
        return Err(format!("`{first}` is neither a value nor a part of the machine"));
    };
    Ok((format!(".{}", part(first)), fields.get(n..).unwrap_or_default()))
}
