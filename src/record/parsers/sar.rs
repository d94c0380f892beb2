//! `sar`: tables of text, which differ by what is asked for.
//!
//! A table has a line of names and rows, each after a time, which is one word, or two where the locale counts
//! 12 hours. The averages at the end have another begin, and no value of a moment: they are left out. So a run that
//! is interrupted, whose averages come after an empty line, or never, loses nothing. Decimal commas are read.
//!
//! Units follow from the names of columns: `%...` is a share, `kb...` are KiB, `MB...` MiB, `.../s` is a rate, in which kB
//! is KiB as well. A column whose unit is not known is not read, nor are texts.
//!
//! Source: sar(1) and `pr_stats.c` of sysstat 12.6.

use super::{Parser, Reading, now, number, part};

/// A column: how its quantity is called, its unit, and what that is of its values.
type Column = Option<(String, &'static str, f64)>;

/// Names of first columns that tell what a row is about.
const ITEMS: [&str; 10] = ["CPU", "IFACE", "DEV", "INTR", "TTY", "FCHOST", "FAN", "TEMP", "IN", "USB"];

/// Names of last columns that do. They may have blanks in them.
const LAST_ITEMS: [&str; 4] = ["IFACE", "DEV", "FILESYSTEM", "MOUNTPOINT"];

/// Columns whose names do not tell their unit.
const COLUMNS: [(&str, &str, &str, f64); 34] = [
    ("rkB/s", "read", "By/s", 1024.0),
    ("wkB/s", "written", "By/s", 1024.0),
    ("dkB/s", "discarded", "By/s", 1024.0),
    ("rxkB/s", "received", "By/s", 1024.0),
    ("txkB/s", "sent", "By/s", 1024.0),
    ("pgpgin/s", "pgpgin", "By/s", 1024.0),
    ("pgpgout/s", "pgpgout", "By/s", 1024.0),
    ("tps", "tps", "/s", 1.0),
    ("rtps", "rtps", "/s", 1.0),
    ("wtps", "wtps", "/s", 1.0),
    ("dtps", "dtps", "/s", 1.0),
    ("areq-sz", "request", "By", 1024.0),
    ("aqu-sz", "queue", "{request}", 1.0),
    ("avgqu-sz", "queue", "{request}", 1.0),
    ("await", "await", "s", 1e-3),
    ("runq-sz", "run_queue", "{task}", 1.0),
    ("plist-sz", "tasks", "{task}", 1.0),
    ("blocked", "blocked", "{task}", 1.0),
    ("ldavg-1", "load_1", "{task}", 1.0),
    ("ldavg-5", "load_5", "{task}", 1.0),
    ("ldavg-15", "load_15", "{task}", 1.0),
    ("dentunusd", "unused_dentries", "{entry}", 1.0),
    ("file-nr", "files", "{file}", 1.0),
    ("inode-nr", "inodes", "{inode}", 1.0),
    ("pty-nr", "terminals", "{terminal}", 1.0),
    ("totsck", "sockets", "{socket}", 1.0),
    ("tcpsck", "sockets.tcp", "{socket}", 1.0),
    ("udpsck", "sockets.udp", "{socket}", 1.0),
    ("tcp-tw", "sockets.tcp.waiting", "{socket}", 1.0),
    ("MHz", "frequency", "Hz", 1e6),
    ("degC", "temperature", "Cel", 1.0),
    ("rpm", "speed", "{revolution}/min", 1.0),
    ("drpm", "above_minimum", "{revolution}/min", 1.0),
    ("inV", "voltage", "V", 1.0),
];

/// What a row of a table has.
#[derive(Debug)]
struct Table {
    /// What its rows are about (`cpu`), and where a row says it; `None`: the machine.
    item: Option<(String, Side)>,
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    First,
    Last,
}

#[derive(Debug, Default)]
pub(super) struct Sar {
    /// The table whose rows follow.
    table: Option<Table>,
}

impl Parser for Sar {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { return Ok(()) };
        if !is_time(first) {
            let is_title = *first == "Linux" && line.trim_end().ends_with("CPU)");
            // In any language.
            let is_average = first.ends_with(':') || words.get(1) == Some(&":");
            return if is_title || is_average {
                Ok(())
            } else {
                Err("it does not begin with a time, and is no average".to_owned())
            };
        }
        let is_half_day = words.get(1).is_some_and(|word| is_half_of_day(word));
        let words = &words[1 + usize::from(is_half_day)..];
        if words.is_empty() {
            return Err("nothing follows the time".to_owned());
        }
        if words.starts_with(&["LINUX", "RESTART"]) {
            self.table = None;
            return Ok(());
        }
        if words.iter().all(|word| number(word).is_none()) {
            self.table = None;
            self.table = Some(Table::of(words).ok_or("these are not the columns of a table that is read")?);
            return Ok(());
        }
        let table = self.table.as_ref().ok_or("no line of names came before it")?;
        table.row(words, found)
    }
}

impl Table {
    /// The table with these columns; `None` if nothing in it can be read.
    fn of(names: &[&str]) -> Option<Table> {
        let (first, last) = (names.first()?, names.last()?);
        // What a sensor is called is a text of any words.
        let names = if *last == "DEVICE" { &names[..names.len() - 1] } else { names };
        let item = if ITEMS.contains(first) {
            Some((first.to_lowercase(), Side::First))
        } else {
            LAST_ITEMS.contains(last).then(|| (last.to_lowercase(), Side::Last))
        };
        let columns = match &item {
            Some((_, Side::First)) => &names[1..],
            Some((_, Side::Last)) => &names[..names.len() - 1],
            None => names,
        };
        let columns: Vec<Column> = columns.iter().map(|name| column(name, names)).collect();
        columns.iter().any(Option::is_some).then_some(Table { item, columns })
    }

    fn row(&self, words: &[&str], found: &mut Vec<Reading>) -> Result<(), String> {
        let n = self.columns.len();
        let (about, values) = match &self.item {
            None => (String::new(), words),
            Some((kind, Side::First)) => (format!("{kind}.{}.", part(words[0])), &words[1..]),
            Some((kind, Side::Last)) => {
                let (values, item) = words.split_at_checked(n).ok_or("it is too short")?;
                (format!("{kind}.{}.", part(&item.join(" "))), values)
            }
        };
        // The text after the values of a sensor is left out.
        let may_be_longer = matches!(&self.item, Some((kind, _)) if ["fan", "temp", "in"].contains(&&**kind));
        if values.len() < n || (values.len() > n && !may_be_longer) {
            return Err(format!("it has {} values, its table {n}", values.len()));
        }
        for (column, value) in self.columns.iter().zip(values) {
            let Some((name, unit, factor)) = column else { continue };
            let value = number(value).ok_or_else(|| format!("`{value}` is no number"))?;
            found.push(now(format!("{about}{name}"), unit, value * factor));
        }
        Ok(())
    }
}

/// What a column is; `names` are all of its table.
fn column(name: &str, names: &[&str]) -> Column {
    if let Some((_, quantity, unit, factor)) = COLUMNS.iter().find(|(known, ..)| *known == name) {
        return Some(((*quantity).to_owned(), unit, *factor));
    }
    if let Some(share) = name.strip_prefix('%') {
        // `kbmemused` and `%memused` are in one table, `MBfsused` and `%fsused` too.
        let is_size = |other: &&str| ["kb", "MB"].iter().any(|unit| other.strip_prefix(unit) == Some(share));
        let is_twice = names.iter().any(is_size);
        let quantity = if is_twice { format!("{}.share", part(share)) } else { part(share) };
        return Some((quantity, "1", 0.01));
    }
    if let Some(memory) = name.strip_prefix("kb") {
        return Some((part(memory), "By", 1024.0));
    }
    if let Some(space) = name.strip_prefix("MB") {
        return Some((part(space), "By", 1048576.0));
    }
    name.strip_suffix("/s").map(|rate| (part(rate), "/s", 1.0))
}

/// `19:26:45`, also with other characters between and after its numbers.
fn is_time(word: &str) -> bool {
    let mut numbers = word.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let lengths = [numbers.next(), numbers.next(), numbers.next()].map(|number| number.map_or(0, str::len));
    let is_parted = !word.bytes().all(|byte| byte.is_ascii_digit());
    let begins = word.starts_with(|c: char| c.is_ascii_digit());
    begins && is_parted && numbers.next().is_none() && matches!(lengths, [1 | 2, 2, 2])
}

/// `PM`, in Latin letters or others. A name of a column or of an item is never that.
fn is_half_of_day(word: &str) -> bool {
    let letters: String = word.chars().filter(|c| *c != '.').collect();
    ["AM", "PM", "am", "pm"].contains(&letters.as_str()) || !word.is_ascii()
}
