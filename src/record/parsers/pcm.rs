//! `pcm 1 -csv`: Intel's performance counters, a row for each interval.
//!
//! The first line has the part of the machine of each column, the second its quantity; energy has its quantity in the first
//! line and the socket in the second. Only the whole machine and its sockets are read, and only quantities
//! whose unit is known from the source. Bytes and energy are those of an interval, whose length follows from the
//! times of the rows; so the first row has none of them. Newer versions have commas between, older semicolons. A row
//! ends only when the next one begins, so the last has no end, but a separator after its last value.
//!
//! Source: `src/pcm.cpp` of intel/pcm (`print_csv_header`, `print_csv`).

use super::{Parser, Reading, now, number, utc_millis};

/// What a column says.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    /// Nothing that is read.
    Skipped,
    /// A value of the moment.
    Value { name: String, unit: &'static str, factor: f64 },
    /// What there was in the interval.
    Amount { name: String, unit: &'static str, factor: f64 },
}

#[derive(Debug, Default)]
pub(super) struct Pcm {
    /// Of each column its part of the machine.
    parts: Vec<String>,
    /// Without date and time.
    columns: Vec<Column>,
    /// The time of the row before.
    before_ms: Option<i64>,
    /// The interval before, in milliseconds.
    interval_ms: Option<i64>,
}

impl Parser for Pcm {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        let separator = if line.contains(';') { ';' } else { ',' };
        let mut fields: Vec<&str> = line.split(separator).map(str::trim).collect();
        // Each field is followed by a separator, also the last.
        fields.pop_if(|last| last.is_empty());
        if line.starts_with("System") {
            self.parts = fields.into_iter().map(str::to_owned).collect();
            self.columns = Vec::new();
            return Ok(());
        }
        if fields.starts_with(&["Date", "Time"]) {
            if fields.len() != self.parts.len() {
                self.parts = Vec::new();
                return Err("it has not as many columns as the line before".to_owned());
            }
            let columns = self.parts.iter().zip(&fields).skip(2);
            self.columns = columns.map(|(part, name)| column(part, name)).collect();
            self.lost();
            return Ok(());
        }
        if self.columns.is_empty() {
            return Err("the two lines of names have not come before it".to_owned());
        }
        if fields.len() != self.columns.len() + 2 {
            self.lost();
            return Err(format!(
                "it has {} fields, its columns are {}",
                fields.len(),
                self.columns.len() + 2
            ));
        }
        let Some(at_ms) = utc_millis(fields[0], fields[1]) else {
            self.lost();
            return Err(format!("`{} {}` is no time", fields[0], fields[1]));
        };
        let interval_ms = self.before_ms.map(|before| at_ms - before);
        self.before_ms = Some(at_ms);
        if interval_ms.is_some_and(|interval| interval <= 0) {
            self.interval_ms = None;
            return Err("its time is not after that of the row before".to_owned());
        }
        let usual_ms = std::mem::replace(&mut self.interval_ms, interval_ms);
        if let (Some(interval), Some(usual)) = (interval_ms, usual_ms)
            && (interval > 2 * usual || usual > 2 * interval)
        {
            self.interval_ms = None;
            return Err(format!(
                "it comes {interval} ms after the row before, and that came after {usual} ms: a clock was set, or a row is missing"
            ));
        }
        for (column, value) in self.columns.iter().zip(&fields[2..]) {
            let value = || match *value {
                "N/A" | "" => Ok(None),
                text => number(text).map(Some).ok_or_else(|| format!("`{text}` is no number")),
            };
            match column {
                Column::Skipped => {}
                Column::Value { name, unit, factor } => {
                    found.extend(value()?.map(|value| now(name, unit, value * factor)));
                }
                Column::Amount { name, unit, factor } => {
                    let (Some(value), Some(interval)) = (value()?, interval_ms) else { continue };
                    found.push(now(name, unit, value * factor * 1000.0 / interval as f64));
                }
            }
        }
        Ok(())
    }

    /// The row before is not known, so the next one has no interval.
    fn lost(&mut self) {
        (self.before_ms, self.interval_ms) = (None, None);
    }

    fn cut(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        if line.trim_end().ends_with([',', ';']) {
            return self.line(line, found);
        }
        Err("the output ends within this line".to_owned())
    }
}

fn column(part: &str, name: &str) -> Column {
    let amount = |quantity: &str, unit, factor| Column::Amount { name: quantity.to_owned(), unit, factor };
    let value = |quantity: &str, unit, factor| Column::Value { name: quantity.to_owned(), unit, factor };
    let socket = |text: &str| {
        let number = text.strip_prefix("Socket ").or(text.strip_prefix("SKT"))?;
        number.trim().parse::<u32>().ok().map(|number| format!("socket{number}"))
    };
    // `Proc Energy (Joules)` above `SKT0`.
    for (energy, quantity) in [
        ("Proc Energy (Joules)", "power.package"),
        ("Power Plane 0 Energy (Joules)", "power.cores"),
        ("Power Plane 1 Energy (Joules)", "power.graphics"),
        ("DRAM Energy (Joules)", "power.memory"),
        ("SYSTEM Energy (Joules)", "power.system"),
    ] {
        let of = match (part == energy, socket(name)) {
            (true, Some(socket)) => Some(socket),
            _ if part == "System" && name == energy => Some("system".to_owned()),
            _ => None,
        };
        if let Some(of) = of {
            return amount(&format!("{of}.{quantity}"), "W", 1.0);
        }
    }
    if let ("UncFREQ (Ghz)", Some(socket)) = (part, socket(name)) {
        return value(&format!("{socket}.uncore.frequency"), "Hz", 1e9);
    }
    let (of, state) = match part {
        "System" => ("system".to_owned(), None),
        "System Core C-States" => ("system".to_owned(), Some("core")),
        "System Pack C-States" => ("system".to_owned(), Some("package")),
        _ => match (socket(part), part.split_once(' ')) {
            (Some(socket), _) => (socket, None),
            (None, Some((which, "Core C-State"))) => match socket(which) {
                Some(socket) => (socket, Some("core")),
                None => return Column::Skipped,
            },
            (None, Some((which, "Package C-State"))) => match socket(which) {
                Some(socket) => (socket, Some("package")),
                None => return Column::Skipped,
            },
            _ => return Column::Skipped,
        },
    };
    if let Some(state) = state {
        let Some(number) = name.strip_prefix('C').and_then(|name| name.strip_suffix("res%")) else {
            return Column::Skipped;
        };
        return value(&format!("{of}.{state}.c{number}"), "1", 0.01);
    }
    let of = |quantity: &str| format!("{of}.{quantity}");
    match name {
        "READ" => amount(&of("memory.read"), "By/s", 1e9),
        "WRITE" => amount(&of("memory.written"), "By/s", 1e9),
        "PMM_RD" => amount(&of("pmem.read"), "By/s", 1e9),
        "PMM_WR" => amount(&of("pmem.written"), "By/s", 1e9),
        "HBM_READ" => amount(&of("hbm.read"), "By/s", 1e9),
        "HBM_WRITE" => amount(&of("hbm.written"), "By/s", 1e9),
        "IO" => amount(&of("memory.io"), "By/s", 1e9),
        "IA" => amount(&of("memory.cores"), "By/s", 1e9),
        "GT" => amount(&of("memory.graphics"), "By/s", 1e9),
        "CFREQ" => value(&of("frequency"), "Hz", 1e9),
        "L3HIT" => value(&of("l3.hits"), "1", 1.0),
        "L2HIT" => value(&of("l2.hits"), "1", 1.0),
        // How far it is below the highest temperature that is allowed.
        "TEMP" => value(&of("temperature.headroom"), "Cel", 1.0),
        "UncFREQ (Ghz)" => value(&of("uncore.frequency"), "Hz", 1e9),
        _ => Column::Skipped,
    }
}
