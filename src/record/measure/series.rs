//! The series of collectors over the common window: mean, least and greatest value.
//!
//! Each value is about the time since the sample before, so the mean weighs it with that
//! time. A series that began in the window counts from its first value on.

use serde::{Deserialize, Serialize};

use super::rounded;
use crate::record::RunRecord;

/// A series of a collector over the common window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesFigures {
    /// `pressure.cpu.some`
    pub name: String,
    /// In UCUM: `1` for a share, `By`, `By/s`, `/s`, `Hz`, `Cel`.
    pub unit: String,
    pub mean: f64,
    pub min: f64,
    pub max: f64,
}

/// The figures of all series with two samples in the window, in the order of the record.
pub(super) fn series(record: &RunRecord, window: (u64, u64)) -> Vec<SeriesFigures> {
    let figures = record.series.iter().filter_map(|series| {
        let points: Vec<(u64, f64)> = series.points().collect();
        let spans = spans(&points, window, |(at_us, _)| *at_us);
        let values = || spans.iter().map(|(_, (_, value))| *value);
        Some(SeriesFigures {
            name: series.name.clone(),
            unit: series.unit.clone(),
            mean: mean(&spans)?,
            min: values().reduce(f64::min)?,
            max: values().reduce(f64::max)?,
        })
    });
    figures.collect()
}

/// A time in microseconds and a value.
pub(super) type Point = (u64, f64);

/// The mean of values, each weighed with the time that it is about; `None` if that
/// is no time at all.
pub(super) fn mean(spans: &[(Point, Point)]) -> Option<f64> {
    let total: u64 = spans.iter().map(|((from, _), (to, _))| to - from).sum();
    let weighed: f64 = spans.iter().map(|((from, _), (to, value))| value * (to - from) as f64).sum();
    (total > 0).then(|| rounded(weighed / total as f64))
}

/// Neighbouring samples that both lie in the window: the later one is about the time
/// between them.
pub(super) fn spans<T: Copy>(
    samples: &[T],
    (begin, end): (u64, u64),
    at_us: impl Fn(&T) -> u64,
) -> Vec<(T, T)> {
    let inside = |sample: &T| (begin..=end).contains(&at_us(sample));
    let ascending = |pair: &&[T]| at_us(&pair[0]) <= at_us(&pair[1]);
    let pairs = samples.windows(2).filter(|pair| pair.iter().all(inside)).filter(ascending);
    pairs.map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::record::SeriesRecord;
    use crate::record::fixture::{S, six_cameras};

    #[test]
    fn a_series_has_figures_over_the_window_alone() {
        let mut record = six_cameras();
        let of = |name: &str, at_us: &[u64], values: &[f64]| SeriesRecord {
            name: name.to_owned(),
            unit: "Cel".to_owned(),
            at_us: at_us.to_vec(),
            values: values.to_vec(),
        };
        record.series = vec![
            of("temperature.a", &[S, 2 * S, 3 * S, 5 * S, 9 * S], &[90.0, 10.0, 40.0, 70.0, 0.0]),
            of("temperature.b", &[3 * S], &[1.0]),
        ];
        let figures = series(&record, (2 * S, 5 * S));
        expect!["temperature.a 60 40 70 Cel"].assert_eq(
            &figures
                .iter()
                .map(|one| format!("{} {} {} {} {}", one.name, one.mean, one.min, one.max, one.unit))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
}
