//! Files that are read as a whole: the manifest of the streams, `metrics.csv`, Windows' figures, and the script with
//! the command.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::MOST_STREAMS;
use crate::record::imported::Mean;

/// The largest such file, in bytes.
pub const LARGEST: usize = 16 << 20;

/// The longest name, in characters.
const MOST_NAME: usize = 200;

/// The most means of a file.
const MOST_MEANS: usize = 2_000;

/// A stream of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name of its counter; empty if the manifest has none.
    pub counter: String,
    pub log_index: usize,
    pub lane: u32,
    /// Among all cameras of the config.
    pub camera_index: Option<usize>,
    /// Empty if the manifest has none.
    pub camera_id: String,
    pub branch: u32,
    pub workloads: Vec<String>,
}

/// Reads a manifest; `Ok(None)` for another document.
///
/// # Errors
/// All that is wrong with it.
pub fn manifest(bytes: &[u8]) -> Result<Option<Vec<Entry>>, Vec<String>> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| vec![format!("it is no JSON: {error}")])?;
    let Some(streams) = value.get("streams") else { return Ok(None) };
    let Some(streams) = streams.as_array() else { return Err(vec!["`streams` is no list".to_owned()]) };
    let mut faults = Vec::new();
    if streams.is_empty() || MOST_STREAMS < streams.len() {
        return Err(vec![format!("`streams` has {} entries, not 1 to {MOST_STREAMS}", streams.len())]);
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (n, stream) in streams.iter().enumerate() {
        match entry(stream) {
            Ok(entry) if streams.len() <= entry.log_index => faults.push(format!(
                "`streams[{n}].log_index` is {}, but there are {} streams",
                entry.log_index,
                streams.len()
            )),
            Ok(entry) if entries.iter().any(|other| other.log_index == entry.log_index) => {
                faults.push(format!("`streams[{n}].log_index` is {} once more", entry.log_index));
            }
            Ok(entry) => entries.push(entry),
            Err(reason) => faults.push(format!("`streams[{n}]`: {reason}")),
        }
        if faults.len() == 10 {
            faults.push("and perhaps more".to_owned());
            break;
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    entries.sort_by_key(|entry| entry.log_index);
    Ok(Some(entries))
}

fn entry(stream: &Value) -> Result<Entry, String> {
    let number = |key: &str| match stream.get(key) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| (*number as usize) < MOST_STREAMS);
            number.map(Some).ok_or_else(|| format!("`{key}` is no number from 0 to {}", MOST_STREAMS - 1))
        }
    };
    let name = |key: &str| match stream.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(value) => {
            text(value).ok_or_else(|| format!("`{key}` is no text of at most {MOST_NAME} characters"))
        }
    };
    let workloads = match stream.get("workloads") {
        None => Vec::new(),
        Some(value) => {
            let list = value.as_array().filter(|list| list.len() <= 1_000);
            let list = list.and_then(|list| list.iter().map(text).collect::<Option<Vec<String>>>());
            list.ok_or("`workloads` is no list of texts")?
        }
    };
    Ok(Entry {
        counter: name("fpscounter")?,
        log_index: number("log_index")?.ok_or("`log_index` is missing")? as usize,
        lane: number("lane")?.ok_or("`lane` is missing")?,
        camera_index: number("camera_index")?.map(|index| index as usize),
        camera_id: name("camera_id")?,
        branch: number("branch")?.unwrap_or(0),
        workloads,
    })
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| text.chars().count() <= MOST_NAME)?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// The means of `metrics.csv` whose values are numbers: name, comma, value.
///
/// # Errors
/// The reason why there are none.
pub fn metrics(bytes: &[u8], file: &str) -> Result<Vec<Mean>, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut means: BTreeMap<String, f64> = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(',') else { continue };
        let name = name.trim().trim_matches('"');
        let is_name = !name.is_empty() && name.len() <= MOST_NAME && !name.chars().any(char::is_control);
        let Some(value) = value.trim().parse().ok().filter(|value: &f64| value.is_finite()) else { continue };
        if is_name && means.len() < MOST_MEANS {
            means.insert(name.to_owned(), value);
        }
    }
    if means.is_empty() {
        return Err("it has no line of a name and a number".to_owned());
    }
    Ok(means.into_iter().map(|(name, value)| Mean { name, value, file: file.to_owned() }).collect())
}

/// The means of Windows' figures, and the names of those that are `NA`.
///
/// # Errors
/// The reason why there are none.
pub fn windows(bytes: &[u8], file: &str) -> Result<(Vec<Mean>, Vec<String>), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    let metrics = value.get("metrics").and_then(Value::as_object).ok_or("it has no object `metrics`")?;
    let (mut means, mut absent) = (Vec::new(), Vec::new());
    for (name, value) in metrics.iter().take(MOST_MEANS) {
        if name.len() > MOST_NAME || name.chars().any(char::is_control) {
            return Err("a name in `metrics` is no line of at most 200 characters".to_owned());
        }
        match value.as_f64().filter(|value| value.is_finite()) {
            Some(value) => means.push(Mean { name: name.clone(), value, file: file.to_owned() }),
            None => absent.push(name.clone()),
        }
    }
    Ok((means, absent))
}

/// The counters of a script with the command, in the order of the command.
#[must_use]
pub fn command(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut counters = Vec::new();
    let mut seen = BTreeSet::new();
    let mut words = text.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let name =
            words.peek().and_then(|next| next.strip_prefix("name=")).map(|name| name.trim_matches('"'));
        let is_name = |name: &&str| !name.is_empty() && name.len() <= MOST_NAME;
        if let ("gvafpscounter", Some(name)) = (word, name.filter(is_name))
            && counters.len() < MOST_STREAMS
            && seen.insert(name.to_owned())
        {
            counters.push(name.to_owned());
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let shown = match manifest(text.as_bytes()) {
            Ok(None) => "no manifest".to_owned(),
            Ok(Some(entries)) => {
                let entry = |entry: &Entry| {
                    let Entry { counter, log_index, lane, camera_index, camera_id, branch, workloads } =
                        entry;
                    format!(
                        "{log_index}: {counter} lane {lane} {camera_index:?} {camera_id}/{branch} {workloads:?}"
                    )
                };
                entries.iter().map(entry).collect::<Vec<_>>().join("\n")
            }
            Err(faults) => faults.join("\n"),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn a_manifest_is_read_in_the_order_of_its_logs() {
        check(
            r#"{"streams": [
                {"fpscounter": "b", "log_index": 1, "lane": 0, "camera_index": 2, "camera_id": "cam3", "branch": 1, "workloads": ["x", "y"]},
                {"fpscounter": "a", "log_index": 0, "lane": 0, "camera_index": 0, "camera_id": "cam1", "branch": 0, "workloads": []}]}"#,
            expect![[r#"
                0: a lane 0 Some(0) cam1/0 []
                1: b lane 0 Some(2) cam3/1 ["x", "y"]"#]],
        );
        check(r#"{"a": 1}"#, expect!["no manifest"]);
    }

    #[test]
    fn all_faults_of_a_manifest_are_told_at_once() {
        check(
            r#"{"streams": [{"log_index": 0, "lane": 0}, {"log_index": 0, "lane": 0}, {"lane": 0}, {"log_index": 9, "lane": 0},
                {"log_index": 1, "lane": -1}, {"log_index": 2, "lane": 0, "camera_id": 7}, 3]}"#,
            expect![[r#"
                `streams[1].log_index` is 0 once more
                `streams[2]`: `log_index` is missing
                `streams[3].log_index` is 9, but there are 7 streams
                `streams[4]`: `lane` is no number from 0 to 1999
                `streams[5]`: `camera_id` is no text of at most 200 characters
                `streams[6]`: `log_index` is missing"#]],
        );
        check("{", expect!["it is no JSON: EOF while parsing an object at line 1 column 1"]);
        check(r#"{"streams": []}"#, expect!["`streams` has 0 entries, not 1 to 2000"]);
    }

    #[test]
    fn means_are_numbers_with_names() {
        let text = "Camera_0 FPS,16.91\r\nNPU Utilization %,NA\r\n\"For Pipeline_1 run\",\"a_b: 1.5, c_d: 2\"\r\nCPU Utilization %,22.1\r\n";
        let means = metrics(text.as_bytes(), "metrics.csv").unwrap();
        let names: Vec<(&str, f64)> = means.iter().map(|mean| (mean.name.as_str(), mean.value)).collect();
        assert_eq!(names, [("CPU Utilization %", 22.1), ("Camera_0 FPS", 16.91)]);
        assert!(metrics(b"\x00\x01", "m").is_err());
    }

    #[test]
    fn windows_figures_that_are_not_available_are_named() {
        let text = r#"{"metrics": {"GPU_1 GPU Power (W)": "NA", "S0 Power Draw W": 12.5}, "adapters": {}}"#;
        let (means, absent) = windows(text.as_bytes(), "w").unwrap();
        assert_eq!((means[0].name.as_str(), means[0].value), ("S0 Power Draw W", 12.5));
        assert_eq!(absent, ["GPU_1 GPU Power (W)"]);
        assert!(windows(b"[]", "w").is_err());
    }

    #[test]
    fn a_command_names_its_counters() {
        let text = "#!/bin/bash\nGST_DEBUG=x gst-launch-1.0 --verbose \\\n  rtspsrc name=cam1_1 location=\"r\" ! gvafpscounter name=stream1_1_3 ! q \\\n  rtspsrc name=cam2_4 ! gvafpscounter name=stream2_1_6\n";
        assert_eq!(command(text.as_bytes()), ["stream1_1_3", "stream2_1_6"]);
    }
}
