//! Devices of which one file has a line each, with counters: disks and networks.
//!
//! A device gets its series when its counters first are above zero, so that the dozens of
//! unused ones that a kernel makes do not fill records. It has no value while it is
//! away, nor where a counter went back. Not here: the lines ([`Table`]).

use std::collections::BTreeMap;

use super::source::Source;
use super::{CollectError, Collector, Series, rate};
use crate::os::clock::monotonic_ns;

/// The most devices of a kind that are measured: containers make a network each.
const MOST: usize = 64;

/// A counter of a device: the name and the unit of its series, and the value of a step of
/// the counter.
pub(super) type Counter = (&'static str, &'static str, f64);

/// The counters of each device, by its name.
pub(super) type Devices<const N: usize> = BTreeMap<String, [u64; N]>;

/// A kind of devices.
pub(super) struct Table<const N: usize> {
    /// The first part of the names of its series: `disk`.
    pub(super) name: &'static str,
    pub(super) counters: [Counter; N],
    /// Reads all lines; `None` if the text is something else.
    pub(super) read: fn(&str) -> Option<Devices<N>>,
    /// The expected text, for errors.
    pub(super) expected: &'static str,
    /// The name of such a device, and where there is none most often.
    pub(super) absent: &'static str,
    pub(super) usual: &'static str,
}

pub(super) struct DeviceSampler<const N: usize> {
    table: &'static Table<N>,
    source: Source,
    series: Vec<Series>,
    /// The place of the first series of each device.
    places: BTreeMap<String, usize>,
    before_ns: u64,
    before: Devices<N>,
}

impl<const N: usize> DeviceSampler<N> {
    pub(super) fn new(
        table: &'static Table<N>,
        mut source: Source,
    ) -> Result<DeviceSampler<N>, CollectError> {
        let before = source.parse(table.read, table.expected)?;
        if before.is_empty() {
            let paths = vec![source.path().to_owned()];
            return Err(CollectError::Nothing { what: table.absent, paths, usual: table.usual });
        }
        let before_ns = monotonic_ns();
        let (series, places) = (Vec::new(), BTreeMap::new());
        let mut sampler = DeviceSampler { table, source, series, places, before_ns, before };
        sampler.places_of_devices();
        Ok(sampler)
    }

    #[cfg(test)]
    pub(super) fn began_ns(&self) -> u64 {
        self.before_ns
    }

    fn places_of_devices(&mut self) {
        for (device, counters) in &self.before {
            let is_new = !self.places.contains_key(device) && self.places.len() < MOST;
            if is_new && counters.iter().any(|counter| *counter > 0) {
                self.places.insert(device.clone(), self.series.len());
                let name = |quantity: &str| format!("{}.{device}.{quantity}", self.table.name);
                let series =
                    self.table.counters.iter().map(|(quantity, unit, _)| Series::new(name(quantity), unit));
                self.series.extend(series);
            }
        }
    }
}

impl<const N: usize> Collector for DeviceSampler<N> {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.before_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        // A file may be away for a while; then all is unknown.
        let now = self.source.parse(self.table.read, self.table.expected).unwrap_or_default();
        let before = std::mem::replace(&mut self.before, now);
        self.before_ns = at_ns;
        self.places_of_devices();
        let mut values = vec![None; self.series.len()];
        for (device, place) in &self.places {
            let (Some(before), Some(now)) = (before.get(device), self.before.get(device)) else { continue };
            for (which, (_, unit, step)) in self.table.counters.iter().enumerate() {
                let value = rate(before[which], now[which], elapsed_ns).map(|steps| steps * step);
                values[place + which] = if *unit == "1" { value.map(super::share) } else { value };
            }
        }
        Ok(values)
    }
}
