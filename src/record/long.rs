//! The frames of a window that is longer than an hour, in bounded space.
//!
//! Up to an hour a record has every frame. Beyond it, it has a row for each second and
//! histograms of latency and lateness. The histograms keep two significant digits: a value
//! below 256 exactly, a greater one as the upper end of one of 128 classes for each power of
//! two, so at most 0.8 % too high (the classes of HdrHistogram). Written here, as lateness
//! may be negative, which that crate does not take.
//!
//! Rows are merged in pairs when there are more than a day has seconds, so that a window of
//! any length stays bounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest window whose frames are all kept, in microseconds.
pub const HOUR_US: u64 = 3_600_000_000;

/// The most rows of a window.
pub const MAX_ROWS: usize = 86_400;

/// The limits of lateness by which rows count, in periods of the frame rate.
pub const PERIODS: [u64; 3] = [1, 2, 5];

/// A frame that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub arrived_us: u64,
    pub latency_us: Option<u32>,
    /// Negative if it came early; see [`StreamRecord::late_us`](super::StreamRecord::late_us).
    pub late_us: Option<i64>,
}

/// The frames of a second, or of [`LongWindow::row_us`]: written as a list in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RowValues", into = "RowValues")]
pub struct Row {
    /// Frames that arrived.
    pub frames: u32,
    /// Those that were later than the stream's delay and 1, 2 and 5 periods.
    pub late: [u32; 3],
    /// The greatest lateness, without taking off the delay; `None` if none is known.
    pub worst_us: Option<i64>,
    /// The longest time from one frame to a frame of this row.
    pub gap_us: u64,
    /// Frames that left the decoder and were dropped.
    pub dropped: u32,
}

type RowValues = (u32, u32, u32, u32, Option<i64>, u64, u32);

impl From<RowValues> for Row {
    fn from((frames, one, two, five, worst_us, gap_us, dropped): RowValues) -> Row {
        Row { frames, late: [one, two, five], worst_us, gap_us, dropped }
    }
}

impl From<Row> for RowValues {
    fn from(row: Row) -> RowValues {
        let [one, two, five] = row.late;
        (row.frames, one, two, five, row.worst_us, row.gap_us, row.dropped)
    }
}

impl Row {
    fn with(self, other: Row) -> Row {
        let sum = |index: usize| self.late[index].saturating_add(other.late[index]);
        Row {
            frames: self.frames.saturating_add(other.frames),
            late: [sum(0), sum(1), sum(2)],
            worst_us: self.worst_us.max(other.worst_us),
            gap_us: self.gap_us.max(other.gap_us),
            dropped: self.dropped.saturating_add(other.dropped),
        }
    }
}

/// How often values occurred, to two significant digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Classes", into = "Classes")]
pub struct Histogram(BTreeMap<i64, u64>);

/// The upper ends of classes, ascending, and the number of values in each.
#[derive(Serialize, Deserialize)]
struct Classes {
    values: Vec<i64>,
    counts: Vec<u64>,
}

impl From<Classes> for Histogram {
    fn from(classes: Classes) -> Histogram {
        Histogram(classes.values.into_iter().zip(classes.counts).collect())
    }
}

impl From<Histogram> for Classes {
    fn from(Histogram(counts): Histogram) -> Classes {
        let (values, counts) = counts.into_iter().unzip();
        Classes { values, counts }
    }
}

impl Histogram {
    pub fn add(&mut self, value: i64) {
        *self.0.entry(upper_end(value)).or_default() += 1;
    }

    /// The number of values.
    #[must_use]
    pub fn n_values(&self) -> u64 {
        self.0.values().sum()
    }

    /// The nearest-rank percentile; `None` without values.
    ///
    /// # Panics
    /// If `percent` is above 100.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<i64> {
        assert!(percent <= 100, "{percent} is a percentage");
        let rank = (self.n_values() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.0.iter().find_map(|(value, count)| {
            seen += count;
            (rank <= seen).then_some(*value)
        })
    }

    /// How many values are above a limit, as far as classes tell: a value of the limit's own
    /// class is not.
    #[must_use]
    pub fn n_above(&self, limit: i64) -> u64 {
        self.0.range(upper_end(limit).saturating_add(1)..).map(|(_, count)| count).sum()
    }
}

/// The greatest value of the class that a value is in.
fn upper_end(value: i64) -> i64 {
    let size = value.unsigned_abs();
    let shift = (u64::BITS - size.leading_zeros()).saturating_sub(8);
    let lower = size >> shift << shift;
    let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    if value < 0 { -signed(lower) } else { signed(lower.saturating_add((1 << shift) - 1)) }
}

/// The frames of a window in bounded space. Times are microseconds of one clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongWindow {
    /// Where the first row begins.
    pub begin_us: u64,
    /// The length of a row.
    pub row_us: u64,
    /// The period of the frame rate by which rows count late frames.
    pub period_us: u64,
    /// The delay that was taken off.
    pub delay_us: i64,
    pub rows: Vec<Row>,
    pub frames: u64,
    /// The first and the last frame; `None` if there was none.
    pub first_us: Option<u64>,
    pub last_us: Option<u64>,
    /// The longest time from the begin, or a frame, to a frame: where it begins, and its length.
    pub longest_gap_us: (u64, u64),
    pub latency_us: Histogram,
    /// Frames whose latency is unknown.
    pub without_latency: u64,
    pub late_us: Histogram,
}

impl LongWindow {
    /// A window without frames.
    #[must_use]
    pub fn new(begin_us: u64, period_us: u64, delay_us: i64) -> LongWindow {
        LongWindow {
            begin_us,
            row_us: 1_000_000,
            period_us,
            delay_us,
            rows: Vec::new(),
            frames: 0,
            first_us: None,
            last_us: None,
            longest_gap_us: (0, 0),
            latency_us: Histogram::default(),
            without_latency: 0,
            late_us: Histogram::default(),
        }
    }

    /// Takes in a frame. Frames come in the order of their arrival.
    pub fn add(&mut self, frame: Frame) {
        let Frame { arrived_us, latency_us, late_us } = frame;
        let before = self.last_us.unwrap_or(self.begin_us);
        let gap_us = arrived_us.saturating_sub(before);
        if self.longest_gap_us.1 < gap_us {
            self.longest_gap_us = (before - self.begin_us, gap_us);
        }
        self.first_us.get_or_insert(arrived_us);
        self.last_us = Some(arrived_us);
        self.frames += 1;
        match latency_us {
            Some(us) => self.latency_us.add(us.into()),
            None => self.without_latency += 1,
        }
        late_us.into_iter().for_each(|us| self.late_us.add(us));
        let beyond = late_us.map(|us| us.saturating_sub(self.delay_us));
        let late = PERIODS.map(|n| {
            let limit = i64::try_from(n.saturating_mul(self.period_us)).unwrap_or(i64::MAX);
            u32::from(beyond.is_some_and(|us| limit < us))
        });
        self.merge(arrived_us, Row { frames: 1, late, worst_us: late_us, gap_us, dropped: 0 });
    }

    /// Takes in that a frame was dropped that left the decoder then.
    pub fn add_dropped(&mut self, at_us: u64) {
        self.merge(at_us, Row { dropped: 1, ..Row::default() });
    }

    fn merge(&mut self, at_us: u64, row: Row) {
        let index = loop {
            let index = at_us.saturating_sub(self.begin_us) / self.row_us;
            match usize::try_from(index) {
                Ok(index) if index < MAX_ROWS => break index,
                _ => self.halve(),
            }
        };
        if self.rows.len() <= index {
            self.rows.resize(index + 1, Row::default());
        }
        self.rows[index] = self.rows[index].with(row);
    }

    /// Merges rows in pairs.
    fn halve(&mut self) {
        let pairs = self.rows.chunks(2);
        self.rows = pairs.map(|pair| pair.iter().fold(Row::default(), |sum, row| sum.with(*row))).collect();
        self.row_us *= 2;
    }

    /// The same with times since an origin.
    #[must_use]
    pub fn since(mut self, origin_us: u64) -> LongWindow {
        self.begin_us = self.begin_us.saturating_sub(origin_us);
        let times = [&mut self.first_us, &mut self.last_us];
        times.into_iter().flatten().for_each(|at_us| *at_us = at_us.saturating_sub(origin_us));
        self
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_histogram_is_at_most_a_hundredth_too_high() {
        for value in (0..2_000).chain((0..40).map(|n| 3_i64.pow(n))) {
            for value in [value, -value] {
                let end = upper_end(value);
                assert!(value <= end, "{value} {end}");
                assert!((end - value) as f64 <= 0.008 * value.unsigned_abs() as f64, "{value} {end}");
                assert_eq!(upper_end(end), end);
            }
        }
        assert_eq!([i64::MAX, i64::MIN].map(upper_end), [i64::MAX, i64::MIN + 1]);
    }

    #[test]
    fn percentiles_of_a_histogram_are_those_of_its_values() {
        let mut histogram = Histogram::default();
        let mut values: Vec<i64> = (0..5_000).map(|n: i64| (n * 7_919) % 90_001 - 20_000).collect();
        values.iter().for_each(|value| histogram.add(*value));
        values.sort_unstable();
        for percent in [0, 1, 50, 95, 99, 100] {
            let exact = crate::stats::percentile(&values, percent as usize).unwrap();
            assert_eq!(histogram.percentile(percent), Some(upper_end(exact)), "p{percent}");
        }
        let above = values.iter().filter(|value| **value > upper_end(50_000)).count() as u64;
        assert_eq!((histogram.n_values(), histogram.n_above(50_000)), (5_000, above));
        assert_eq!(Histogram::default().percentile(50), None);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
    }

    #[test]
    fn a_row_has_the_frames_of_its_second() {
        let mut window = LongWindow::new(10_000_000, 100_000, 40_000);
        let frame = |arrived_us, late_us| Frame { arrived_us, latency_us: Some(3), late_us: Some(late_us) };
        for (at, late) in [(10_100_000, 40_000), (10_300_000, 140_001), (12_000_000, 540_001)] {
            window.add(frame(at, late));
        }
        window.add_dropped(10_999_999);
        window.add(Frame { arrived_us: 12_500_000, latency_us: None, late_us: None });
        expect!["[[2,1,0,0,140001,200000,1],[0,0,0,0,null,0,0],[2,1,1,1,540001,1700000,0]]"]
            .assert_eq(&serde_json::to_string(&window.rows).unwrap());
        assert_eq!(window.longest_gap_us, (300_000, 1_700_000));
        assert_eq!((window.frames, window.without_latency), (4, 1));
        window.halve();
        expect!["[[2,1,0,0,140001,200000,1],[2,1,1,1,540001,1700000,0]]"]
            .assert_eq(&serde_json::to_string(&window.rows).unwrap());
        let text = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<LongWindow>(&text).unwrap(), window);
    }

    #[test]
    fn a_window_of_a_week_has_the_rows_of_a_day_at_most() {
        let mut window = LongWindow::new(0, 66_666, 0);
        for minute in 0..7 * 24 * 60 {
            window.add(Frame { arrived_us: minute * 60_000_000, latency_us: None, late_us: Some(0) });
        }
        assert_eq!((window.row_us, window.frames), (8_000_000, 7 * 24 * 60));
        assert!(window.rows.len() <= MAX_ROWS, "{}", window.rows.len());
        assert_eq!(window.rows.iter().map(|row| u64::from(row.frames)).sum::<u64>(), window.frames);
    }
}
