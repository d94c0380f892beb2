//! Reads fields that earlier versions of the record wrote in another form.
//!
//! Up to version 3 there was one collector, whose samples had fields: `machine`.
//! They become today's series. Streams had no number. Not here: fields
//! that were added, which are optional in their structs.

use serde::{Deserialize, Deserializer};

use super::SeriesRecord;
use crate::collect::machine::{CPU, MEMORY, SERIES, STEAL};

/// A sample of the whole machine.
#[derive(Deserialize)]
struct MachineSample {
    at_us: u64,
    /// Share of all cores.
    cpu: f64,
    /// Likewise; `None` before version 3.
    steal: Option<f64>,
    /// Bytes.
    memory: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SeriesForm {
    Series(Vec<SeriesRecord>),
    Machine(Vec<MachineSample>),
}

/// The number that the plan gave a stream or script; before version 4 it was only part
/// of the name: `camera-3/2`.
pub(super) fn index(name: &str) -> Option<u32> {
    name.rsplit_once('/')?.1.parse().ok()
}

/// Reads the field `series`, or `machine` of an earlier version.
pub(super) fn series<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SeriesRecord>, D::Error> {
    Ok(match SeriesForm::deserialize(deserializer)? {
        SeriesForm::Series(series) => series,
        SeriesForm::Machine(samples) => SERIES
            .iter()
            .map(|(name, unit)| of_samples(name, unit, &samples))
            .filter(|series| !series.values.is_empty())
            .collect(),
    })
}

fn of_samples(name: &str, unit: &str, samples: &[MachineSample]) -> SeriesRecord {
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
    let value = |sample: &MachineSample| match name {
        CPU => Some(sample.cpu),
        STEAL => sample.steal,
        MEMORY => Some(sample.memory as f64),
        _ => None,
    };
    let points = samples.iter().filter_map(|sample| Some((sample.at_us, value(sample)?)));
    let (at_us, values) = points.unzip();
    SeriesRecord { name: name.to_owned(), unit: unit.to_owned(), at_us, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_with_the_number_of_its_stream() {
        assert_eq!(["c/2", "camera-3-l2/12", "c", "c/x"].map(index), [Some(2), Some(12), None, None]);
    }
}
