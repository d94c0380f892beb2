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

/// Options with the bytes of their unit.
const UNITS: [(&[&str], f64); 9] = [
    (&["-b", "--bytes"], 1.0),
    (&["-k", "--kibi"], 1024.0),
    (&["-m", "--mebi"], 1048576.0),
    (&["-g", "--gibi"], 1073741824.0),
    (&["--tebi"], 1099511627776.0),
    (&["--kilo"], 1e3),
    (&["--mega"], 1e6),
    (&["--giga"], 1e9),
    (&["--tera"], 1e12),
];

/// Options that change no unit.
const OTHERS: [&str; 10] =
    ["-l", "--lohi", "-L", "--line", "-t", "--total", "-v", "--committed", "-w", "--wide"];

/// Options with a value.
const WITH_VALUE: [&str; 4] = ["-s", "--seconds", "-c", "--count"];

#[derive(Debug)]
pub(super) struct Free {
    /// Bytes of one, or why that is not known.
    unit: Result<f64, String>,
    columns: Vec<&'static str>,
}

impl Free {
    /// `command` is the program with its arguments. Another one may start `free`.
    pub(super) fn new(command: &[String]) -> Free {
        let is_free = |word: &String| word.rsplit('/').next() == Some("free");
        let unit = match command.iter().position(is_free) {
            Some(at) if !command[..at].iter().any(|word| word == "-c") => unit(&command[at + 1..]),
            _ => Err("the unit is not known, since `free` with its options is no word of the command: \
                      do not start it by `sh -c`"
                .to_owned()),
        };
        Free { unit, columns: Vec::new() }
    }
}

/// The bytes of one by the options of `free`.
fn unit(arguments: &[String]) -> Result<f64, String> {
    let mut units = Vec::new();
    let mut one = |option: &str| {
        if let Some((_, unit)) = UNITS.iter().find(|(names, _)| names.contains(&option)) {
            units.push(*unit);
        } else if ["-h", "--human", "--si"].contains(&option) {
            return Err("`-h` and `--si` round values and give each its own unit; leave them out".to_owned());
        } else if !OTHERS.contains(&option) {
            return Err(format!("the unit is not known, since `{option}` is no known option of `free`"));
        }
        Ok(())
    };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or(word);
        if WITH_VALUE.contains(&name) {
            if name == word {
                words.next();
            }
        } else if word.starts_with("--") {
            one(word)?;
        } else if let Some(letters) = word.strip_prefix('-') {
            // `-ms 1`, `-ms1`
            for (at, letter) in letters.char_indices() {
                if matches!(letter, 's' | 'c') {
                    if at + 1 == letters.len() {
                        words.next();
                    }
                    break;
                }
                one(&format!("-{letter}"))?;
            }
        } else {
            return Err(format!("the unit is not known, since `{word}` is no known option of `free`"));
        }
    }
    match units[..] {
        [] => Ok(1024.0),
        [unit] => Ok(unit),
        _ => Err("the unit is not known, since several are asked for".to_owned()),
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
        let unit = self.unit.clone()?;
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
