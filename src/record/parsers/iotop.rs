//! `iotop -b` (Python) and `iotop-c -b`: bytes a second of the whole machine, two lines each time.
//!
//! *Total* is what processes read and write, *current* what the disks do. Both programs count K, M and G by
//! 1024, with `--si` by 1000. The first table is about no time and is left out. The rows of processes are
//! not read: their names hold anything, line breaks too, and the columns beside them shift.
//!
//! Without NET_ADMIN, iotop-c prints zeros as totals and complains on stderr alone; these totals are no
//! measurement.
//!
//! Source: `src/view_batch.c` and `src/utils.c` of iotop-c 1.23, `iotop/ui.py` of iotop 0.6.

use super::{Doubt, Parser, Reading, now, number};

#[derive(Debug)]
pub(super) struct Iotop {
    program: &'static str,
    /// What K counts by.
    kilo: f64,
    /// Tables that have begun.
    n_tables: u64,
    /// Whether rows of processes follow.
    is_in_rows: bool,
    /// Whether the kernel does not tell it of processes.
    is_blind: bool,
}

impl Iotop {
    pub(super) fn new(program: &'static str, arguments: &[String]) -> Iotop {
        let kilo = if arguments.iter().any(|word| word == "--si") { 1000.0 } else { 1024.0 };
        Iotop { program, kilo, n_tables: 0, is_in_rows: false, is_blind: false }
    }

    /// `Total DISK READ: 0.00 B/s`: its first word, the other part of the name, and bytes a second.
    fn rate<'l>(&self, text: &'l str) -> Option<(&'l str, &'static str, f64)> {
        let (name, value) = text.trim().split_once(':')?;
        let mut words = name.split_whitespace();
        let (which, disk, way) = (words.next()?, words.next()?, words.next()?);
        if disk != "DISK" || words.next().is_some() {
            return None;
        }
        let way = match way {
            "READ" => "read",
            "WRITE" => "written",
            _ => return None,
        };
        let mut words = value.split_whitespace();
        let (value, unit) = (number(words.next()?)?, words.next()?);
        let power = ["B/s", "K/s", "M/s", "G/s", "T/s"].iter().position(|known| *known == unit)?;
        let bytes = value * self.kilo.powi(i32::try_from(power).ok()?);
        words.next().is_none().then_some((which, way, bytes))
    }
}

impl Parser for Iotop {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let begin = line.trim_start();
        let which = match begin.split_whitespace().next() {
            Some("Total") => "total",
            // Older versions say `Actual`.
            Some("Current" | "Actual") => "current",
            _ if self.is_in_rows || begin.is_empty() => return Ok(()),
            Some("PID" | "TID") if self.n_tables > 0 => {
                self.is_in_rows = true;
                return Ok(());
            }
            // That delays are not accounted changes only columns of processes.
            Some("Warning:") => return Ok(()),
            _ => return Err("it is no line of totals, and no table of processes has begun".to_owned()),
        };
        let rates: Option<Vec<_>> = begin.split('|').map(|half| self.rate(half)).collect();
        let Some(rates) = rates.filter(|rates| rates.len() == 2) else {
            // The name of a process may begin like this after a line break.
            return if self.is_in_rows { Ok(()) } else { Err("it is no line of totals".to_owned()) };
        };
        self.is_in_rows = false;
        self.n_tables += u64::from(which == "total");
        if self.n_tables < 2 {
            return Ok(());
        }
        found.extend(rates.into_iter().map(|(_, way, bytes)| now(format!("{which}.{way}"), "By/s", bytes)));
        Ok(())
    }

    fn aside(&mut self, line: &str) {
        let line = line.to_ascii_lowercase();
        let signs = ["fatal reply error", "permission denied", "not permitted", "net_admin"];
        self.is_blind |= signs.iter().any(|sign| line.contains(sign));
    }

    fn doubts(&self) -> Vec<Doubt> {
        let reason = format!(
            "`{}` may not ask the kernel for the I/O of processes (it lacks NET_ADMIN), so the totals that it prints are no measurement",
            self.program
        );
        self.is_blind.then(|| Doubt { name: "total.".to_owned(), reason }).into_iter().collect()
    }
}
