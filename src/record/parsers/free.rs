//! `free -s 1` of procps: memory and swap, a table each time.
//!
//! A line of names, then `Mem:` and `Swap:`, which has the first three of them. Without an option, values are
//! KiB; nothing in the output says so, so the options of the command count. Names in another language
//! than English are refused.
//!
//! Source: free(1) and `src/free.c` of procps-ng 4.0.

use super::{Parser, Reading, now, number};

/// The names of columns, and of the quantities.
const COLUMNS: [(&str, &str); 8] = [
    ("total", "total"),
    ("used", "used"),
    ("free", "free"),
    ("shared", "shared"),
    ("buff/cache", "buff_cache"),
    ("buffers", "buffers"),
    ("cache", "cache"),
    ("available", "available"),
];

/// The labels of rows, and of the quantities.
const ROWS: [(&str, &str); 6] = [
    ("Mem:", "memory"),
    ("Swap:", "swap"),
    ("Total:", "total"),
    ("Low:", "low"),
    ("High:", "high"),
    ("Comm:", "committed"),
];

/// Options with the bytes of their unit; `None`: each value has a unit of its own, to three digits.
const UNITS: [(&[&str], Option<f64>); 11] = [
    (&["-b", "--bytes"], Some(1.0)),
    (&["-k", "--kibi"], Some(1024.0)),
    (&["-m", "--mebi"], Some(1048576.0)),
    (&["-g", "--gibi"], Some(1073741824.0)),
    (&["--tebi"], Some(1099511627776.0)),
    (&["--kilo"], Some(1e3)),
    (&["--mega"], Some(1e6)),
    (&["--giga"], Some(1e9)),
    (&["--tera"], Some(1e12)),
    (&["-h", "--human"], None),
    (&["--si"], None),
];

#[derive(Debug)]
pub(super) struct Free {
    /// Bytes of one; `None` if it is not known.
    unit: Option<f64>,
    columns: Vec<&'static str>,
}

impl Free {
    pub(super) fn new(arguments: &[String]) -> Free {
        let of = |word: &String| UNITS.iter().find(|(names, _)| names.contains(&word.as_str()));
        let given = arguments.iter().filter_map(of).next_back();
        Free { unit: given.map_or(Some(1024.0), |(_, unit)| *unit), columns: Vec::new() }
    }
}

impl Parser for Free {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((label, values)) = words.split_first() else { return Ok(()) };
        if !label.ends_with(':') {
            let column = |word: &&str| COLUMNS.iter().find(|(name, _)| name == word).map(|(_, name)| *name);
            let columns: Option<Vec<&str>> = words.iter().map(column).collect();
            self.columns = Vec::new();
            let wrong = "its columns are not those of `free` in English (`LC_ALL=C`)";
            self.columns = columns.ok_or(wrong)?;
            return Ok(());
        }
        let unit =
            self.unit.ok_or("`-h` and `--si` round values and give each its own unit; leave them out")?;
        let row = ROWS.iter().find(|(name, _)| name == label).map(|(_, name)| *name);
        let row = row.ok_or("its label is none of `free` in English (`LC_ALL=C`)")?;
        // Swap, and the parts of memory, have no other columns.
        let needed = if row == "memory" { self.columns.len() } else { self.columns.len().min(3) };
        if needed == 0 {
            return Err("no line of names came before it".to_owned());
        }
        if values.len() != needed {
            return Err(format!("it has {} values, its columns are {needed}", values.len()));
        }
        for (column, value) in self.columns.iter().zip(values) {
            let value = number(value).ok_or_else(|| format!("`{value}` is no number"))?;
            found.push(now(format!("{row}.{column}"), "By", value * unit));
        }
        Ok(())
    }
}
