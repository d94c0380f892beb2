//! `nvidia-smi dmon`: a row for each graphics processor and second.
//!
//! Two lines begin with `#`: the names of the columns, and their units. They are repeated, and with `-o DT` begin with
//! date and time. `-` is a value that the processor does not have. Which columns there are depends on `-s` and on the version. With
//! `--format csv` there are commas between, and with `nounit` units are missing, without which nothing is read.
//!
//! Source: nvidia-smi(1); outputs of versions 418 to 550 in public reports. MB is 2^20 bytes, as NVML counts
//! memory; MB/s is 10^6 bytes a second.

use super::{Parser, Reading, now, number, part};

#[derive(Debug, Default)]
pub(super) struct Dmon {
    names: Vec<String>,
    /// As many, or none.
    units: Vec<String>,
}

impl Parser for Dmon {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| c == ',' || c.is_whitespace())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        if let Some(head) = line.strip_prefix('#') {
            let head = words(head);
            if head.iter().any(|word| word == "gpu") {
                (self.names, self.units) = (head, Vec::new());
                return Ok(());
            }
            if head.iter().any(|word| word == "Idx") && head.len() == self.names.len() {
                self.units = head;
                return Ok(());
            }
            self.names = Vec::new();
            return Err("it is neither the names of columns nor as many units".to_owned());
        }
        let values = words(line);
        if self.names.is_empty() || self.units.is_empty() {
            return Err("no names of columns with their units came before it".to_owned());
        }
        if values.len() != self.names.len() {
            return Err(format!("it has {} values, its columns are {}", values.len(), self.names.len()));
        }
        let index = self.names.iter().position(|name| name == "gpu").map(|at| values[at].as_str());
        let index = index.filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()));
        let index = index.ok_or("its `gpu` is no number")?;
        for ((name, unit), value) in self.names.iter().zip(&self.units).zip(&values) {
            let (unit, factor) = match unit.as_str() {
                "W" => ("W", 1.0),
                "C" => ("Cel", 1.0),
                "%" | "GPM:%" => ("1", 0.01),
                "MHz" => ("Hz", 1e6),
                "MB" => ("By", 1048576.0),
                "MB/s" => ("By/s", 1e6),
                "GPM:MiB/s" => ("By/s", 1048576.0),
                "errs" => ("{error}", 1.0),
                _ => continue,
            };
            if value == "-" {
                continue;
            }
            let value = number(value).ok_or_else(|| format!("`{value}` is no number"))?;
            found.push(now(format!("{index}.{}", part(name)), unit, value * factor));
        }
        Ok(())
    }
}
