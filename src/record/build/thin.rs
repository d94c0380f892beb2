//! Keeps series and samples of workers bounded: beyond two hours of one a second, pairs of
//! neighbours are merged, and from then on two that come; and so on, so that a run of any
//! length has at most [`MAX_POINTS`] of each.

use crate::record::{SeriesRecord, WorkerSample};

/// The most points of a series, and the most samples of a worker.
pub const MAX_POINTS: usize = 7_200;

/// Units whose greatest value counts; of others, the mean over the time.
const PEAKS: [&str; 2] = ["By", "Cel"];

/// A time in microseconds and a value.
type Point = (u64, f64);

/// How many points that come make one of a series, and those that make the next.
#[derive(Clone, Debug)]
pub(super) struct Pending<T> {
    points: Vec<T>,
    every: usize,
}

impl<T> Default for Pending<T> {
    fn default() -> Pending<T> {
        Pending { points: Vec::new(), every: 1 }
    }
}

impl<T: Copy> Pending<T> {
    /// Takes in a point. What to do, once there are as many as make one.
    fn add(&mut self, point: T, n_points: usize) -> Option<Due<T>> {
        self.points.push(point);
        if self.points.len() < self.every {
            return None;
        }
        if n_points == MAX_POINTS {
            self.every *= 2;
            return Some(Due::Halve);
        }
        Some(Due::Push(std::mem::take(&mut self.points)))
    }
}

enum Due<T> {
    /// Merge these and add them.
    Push(Vec<T>),
    /// Merge all points in pairs.
    Halve,
}

/// Adds a value to a series.
pub(super) fn add_point(series: &mut SeriesRecord, pending: &mut Pending<Point>, at_us: u64, value: f64) {
    match pending.add((at_us, value), series.at_us.len()) {
        None => {}
        Some(Due::Push(points)) => push_point(series, &points),
        Some(Due::Halve) => {
            let points: Vec<Point> = series.points().collect();
            (series.at_us, series.values) = (Vec::new(), Vec::new());
            points.chunks(2).for_each(|pair| push_point(series, pair));
        }
    }
}

/// Adds what has come since the last point.
pub(super) fn finish_series(series: &mut SeriesRecord, pending: Pending<Point>) {
    if !pending.points.is_empty() {
        push_point(series, &pending.points);
    }
}

/// Adds one point made of these.
fn push_point(series: &mut SeriesRecord, points: &[Point]) {
    let (last_us, newest) = points[points.len() - 1];
    let value = if points.len() == 1 {
        newest
    } else if PEAKS.contains(&series.unit.as_str()) {
        points.iter().fold(f64::MIN, |most, (_, value)| most.max(*value))
    } else {
        // Each value is about the time since the one before it. That of the very first is
        // unknown: as long as the next.
        let first_us = points[0].0;
        let since_us = series.at_us.last().copied();
        let since_us = since_us.unwrap_or(first_us.saturating_sub(points[1].0 - first_us));
        let mut from_us = since_us;
        let weighed = points.iter().map(|(at_us, value)| {
            let us = at_us.saturating_sub(std::mem::replace(&mut from_us, *at_us));
            value * us as f64
        });
        weighed.sum::<f64>() / last_us.saturating_sub(since_us).max(1) as f64
    };
    series.at_us.push(last_us);
    series.values.push(rounded(value));
}

/// The samples of one worker.
#[derive(Clone, Debug, Default)]
pub struct SampleLog {
    samples: Vec<WorkerSample>,
    pending: Pending<WorkerSample>,
}

impl SampleLog {
    pub fn add(&mut self, sample: WorkerSample) {
        match self.pending.add(sample, self.samples.len()) {
            None => {}
            Some(Due::Push(samples)) => self.samples.push(merged(&samples)),
            Some(Due::Halve) => self.samples = self.samples.chunks(2).map(merged).collect(),
        }
    }

    /// All that is kept of them, ascending.
    #[must_use]
    pub fn into_samples(mut self) -> Vec<WorkerSample> {
        if !self.pending.points.is_empty() {
            self.samples.push(merged(&self.pending.points));
        }
        self.samples
    }
}

/// CPU time adds up, so that leaving samples out loses nothing; of memory and files the greatest
/// counts.
fn merged(samples: &[WorkerSample]) -> WorkerSample {
    let newest = samples[samples.len() - 1];
    WorkerSample {
        rss: samples.iter().map(|one| one.rss).max().unwrap_or(newest.rss),
        files: samples.iter().filter_map(|one| one.files).max(),
        ..newest
    }
}

/// Six significant digits; whole numbers are kept. More digits say nothing, and a record
/// has many values.
fn rounded(value: f64) -> f64 {
    if value.fract() == 0.0 || !value.is_finite() {
        return value;
    }
    // Of the least numbers, the millionth of a millionth.
    let digits = (5 - value.abs().log10().floor() as i32).clamp(0, 12);
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(unit: &str, values: impl Iterator<Item = f64>) -> SeriesRecord {
        let (at_us, all, mut pending) = (Vec::new(), Vec::new(), Pending::default());
        let mut series = SeriesRecord { name: "x".to_owned(), unit: unit.to_owned(), at_us, values: all };
        for (second, value) in (1..).zip(values) {
            add_point(&mut series, &mut pending, second * 1_000_000, value);
        }
        finish_series(&mut series, pending);
        series
    }

    #[test]
    fn a_series_of_a_day_keeps_its_mean_and_its_peaks() {
        let values = || (0..86_400).map(|n| f64::from(n % 97) / 97.0);
        let mean = values().sum::<f64>() / 86_400.0;
        let shares = series("1", values());
        let mut spans = shares.points().scan(0, |since, (at, value)| {
            let span = at - std::mem::replace(since, at);
            Some(span as f64 * value)
        });
        let of_series = spans.by_ref().sum::<f64>() / 86_400e6;
        assert!((mean - of_series).abs() < 1e-6, "{mean} {of_series}");
        assert_eq!((shares.values.len(), shares.at_us[0], shares.at_us[1]), (5_400, 16_000_000, 32_000_000));
        assert_eq!(shares.at_us.last(), Some(&86_400_000_000));
        let bytes = series("By", (0..86_400).map(f64::from).rev());
        assert_eq!(bytes.values.first(), Some(&86_399.0));
    }

    #[test]
    fn a_worker_of_a_day_keeps_its_cpu_time_and_its_peak() {
        let mut samples = SampleLog::default();
        for second in 1..=86_400 {
            let rss = if second == 5_000 { 99 } else { 7 };
            let (at_us, cpu_us, files) = (second * 1_000_000, second * 10, u32::try_from(rss).ok());
            samples.add(WorkerSample { at_us, cpu_us, rss, files });
        }
        let samples = samples.into_samples();
        assert_eq!(samples.len(), 5_400);
        assert_eq!(samples.last().map(|sample| sample.cpu_us), Some(864_000));
        assert_eq!(samples.iter().map(|sample| sample.rss).max(), Some(99));
        assert_eq!(samples.iter().filter_map(|sample| sample.files).max(), Some(99));
    }

    #[test]
    fn values_have_six_digits() {
        let values = [0.123_456_789, 1_467_994_112.0, 98.765_432_1, -0.000_012_345_678, 0.0, 1e300];
        assert_eq!(values.map(rounded), [0.123_457, 1_467_994_112.0, 98.7654, -0.000_012_345_7, 0.0, 1e300]);
    }
}
