//! `sadf -j`: what `sadc` has written into a file, as one JSON document.
//!
//! Each entry of `.sysstat.hosts[].statistics[]` is read as soon as it is whole, so a document that breaks off
//! loses only its last one. Its values count at the entry's own time, which has whole seconds: the file may
//! be converted long after. Keys of `cpu-load` differ by options (`user`, and with `-A` `usr`) and are kept
//! as they are. Groups that are not in [`GROUPS`] are not read.
//!
//! Source: sadf(1), `json_stats.c` and `sadf_misc.c` of sysstat 12.6.

use serde_json::{Map, Value};

use super::json::Objects;
use super::{Moment, Parser, Reading, part};

/// A group of figures.
struct Group {
    /// Its keys, from outside.
    path: &'static [&'static str],
    /// The key that says what an item of a list is about.
    item: Option<&'static str>,
    /// How its figures are called.
    name: &'static str,
    /// The unit of its keys, and what that is of their values.
    unit: fn(&str) -> Option<(&'static str, f64)>,
}

const GROUPS: [Group; 12] = [
    Group { path: &["cpu-load"], item: Some("cpu"), name: "cpu", unit: |_| Some(("1", 0.01)) },
    Group { path: &["memory"], item: None, name: "memory", unit: |_| Some(("By", 1024.0)) },
    Group { path: &["swap-pages"], item: None, name: "swap", unit: |_| Some(("/s", 1.0)) },
    Group { path: &["paging"], item: None, name: "paging", unit: of_paging },
    Group { path: &["process-and-context-switch"], item: None, name: "tasks", unit: |_| Some(("/s", 1.0)) },
    Group { path: &["queue"], item: None, name: "queue", unit: |_| Some(("{task}", 1.0)) },
    Group { path: &["disk"], item: Some("disk-device"), name: "dev", unit: of_disk },
    Group { path: &["network", "net-dev"], item: Some("iface"), name: "iface", unit: of_network },
    Group { path: &["network", "net-edev"], item: Some("iface"), name: "iface", unit: |_| Some(("/s", 1.0)) },
    Group { path: &["psi", "psi-cpu"], item: None, name: "psi.cpu", unit: |_| Some(("1", 0.01)) },
    Group { path: &["psi", "psi-io"], item: None, name: "psi.io", unit: |_| Some(("1", 0.01)) },
    Group { path: &["psi", "psi-mem"], item: None, name: "psi.memory", unit: |_| Some(("1", 0.01)) },
];

fn of_disk(key: &str) -> Option<(&'static str, f64)> {
    match key {
        "rkB" | "wkB" | "dkB" => Some(("By/s", 1024.0)),
        "tps" => Some(("/s", 1.0)),
        "areq-sz" => Some(("By", 1024.0)),
        "aqu-sz" => Some(("{request}", 1.0)),
        "await" => Some(("s", 1e-3)),
        _ => None,
    }
}

fn of_paging(key: &str) -> Option<(&'static str, f64)> {
    match key {
        "pgpgin" | "pgpgout" => Some(("By/s", 1024.0)),
        _ => Some(("/s", 1.0)),
    }
}

fn of_network(key: &str) -> Option<(&'static str, f64)> {
    match key {
        "rxkB" | "txkB" => Some(("By/s", 1024.0)),
        _ => Some(("/s", 1.0)),
    }
}

#[derive(Debug)]
pub(super) struct Sadf {
    entries: Objects,
}

impl Sadf {
    pub(super) fn new() -> Sadf {
        // {sysstat {hosts [{ statistics [{
        Sadf { entries: Objects::within(3, Some(2)) }
    }
}

impl Parser for Sadf {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let text = line.trim();
        if self.entries.is_outside() && !text.is_empty() && !text.starts_with('{') {
            return Err("it is no JSON".to_owned());
        }
        let mut result = Ok(());
        self.entries.line(line, |entry| {
            let read = serde_json::from_slice(entry)
                .map_err(|error| format!("the entry that ends here is no JSON: {error}"))
                .and_then(|entry| of_entry(&entry, found));
            if result.is_ok() {
                result = read;
            }
        })?;
        result
    }

    fn cut(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        self.line(line, found)
    }

    fn end(&mut self) -> Result<(), String> {
        if self.entries.is_outside() { Ok(()) } else { Err("the document breaks off".to_owned()) }
    }
}

fn of_entry(entry: &Map<String, Value>, found: &mut Vec<Reading>) -> Result<(), String> {
    // Restarts of the machine and comments are in the same place.
    if entry.keys().any(|key| key == "restart" || key == "boot" || key == "comment" || key == "com") {
        return Ok(());
    }
    let at = Moment::Utc(time(entry.get("timestamp"))?);
    for group in &GROUPS {
        let mut keys = group.path.iter();
        let first = keys.next().and_then(|key| entry.get(*key));
        let Some(value) = keys.try_fold(first, |value, key| value.map(|value| value.get(*key))).flatten()
        else {
            continue;
        };
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        for item in items.into_iter().filter_map(Value::as_object) {
            let about = match group.item.map(|key| (key, item.get(key))) {
                None => format!("{}.", group.name),
                Some((_, Some(Value::String(name)))) => format!("{}.{}.", group.name, part(name)),
                Some((key, _)) => return Err(format!("`{key}` is no string")),
            };
            for (key, value) in item.iter().filter(|(key, _)| Some(key.as_str()) != group.item) {
                let share = key.strip_suffix("-percent");
                let unit = share.map_or_else(|| (group.unit)(key), |_| Some(("1", 0.01)));
                let (Some((unit, factor)), Some(value)) = (unit, value.as_f64()) else { continue };
                let is_twice = share.is_some_and(|share| item.contains_key(share));
                let suffix = if is_twice { ".share" } else { "" };
                let name = format!("{about}{}{suffix}", part(share.unwrap_or(key)));
                found.push(Reading { name, unit, value: value * factor, at });
            }
        }
    }
    Ok(())
}

/// The time of an entry, in milliseconds since 1970.
fn time(timestamp: Option<&Value>) -> Result<i64, String> {
    let timestamp = timestamp.ok_or("an entry without `timestamp`")?;
    let text = |key: &str| timestamp.get(key).and_then(Value::as_str);
    if timestamp.get("utc").and_then(Value::as_i64) != Some(1) {
        return Err("its times are not in UTC; leave `-T` and `-U` out".to_owned());
    }
    let (date, time) = text("date").zip(text("time")).ok_or("an entry without date and time")?;
    super::utc_millis(date, time).ok_or_else(|| format!("`{date} {time}` is no time"))
}
