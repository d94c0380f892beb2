//! `npu_usage.csv`, which upstream's `collect_npu.py` writes: a line of names, then a time and a percentage
//! each second.
//!
//! Source: `docker/npu/collect_npu.py` of intel-retail/performance-tools. The times are local without an
//! offset, so a value counts when its line comes.

use super::{Parser, Reading, now, number};

#[derive(Debug, Default)]
pub(super) struct NpuUsage {
    has_names: bool,
}

impl Parser for NpuUsage {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        if line == "timestamp,percent_usage" {
            self.has_names = true;
            return Ok(());
        }
        if !self.has_names {
            return Err("the first line must be `timestamp,percent_usage`".to_owned());
        }
        let (time, value) = line.split_once(',').ok_or("it has no comma")?;
        if !time.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("`{time}` is no time"));
        }
        let value = number(value.trim()).filter(|value| *value >= 0.0);
        let value = value.ok_or("its second field is no percentage")?;
        found.push(now("usage", "1", value / 100.0));
        Ok(())
    }
}
