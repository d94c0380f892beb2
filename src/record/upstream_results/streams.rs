//! From the lines of a log to the rates of a stream in its window.
//!
//! - Rates of the start are left out: queues that fill give 38 fps in the first second, and a model that loads gives
//!   few. The window begins with the first two lines within 10 % of what the stream has later, after at least two
//!   lines and at most 30.
//! - A line without a number is no zero. It is left out with its time; ten at the end are the end of the stream.
//! - A rate that stands to the last digit for ten lines and more at the end, while others change, is the last value of
//!   a stream that has ended.

/// A line of a log, in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// `None` for a line without a number.
    pub(super) fps: Option<f64>,
    /// How long its time was.
    pub(super) over_us: u64,
}

/// A rate in the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RateAt {
    pub(super) end_us: u64,
    pub(super) over_us: u64,
    pub(super) fps: f64,
}

/// How a stream's log ends before that of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Death {
    /// So many lines without a number.
    NoNumbers(usize),
    /// The same value so often.
    Repeats(usize, f64),
    /// So many lines less than others.
    Shorter(usize),
    /// No line at all.
    Silent,
}

/// A stream without what its log says wrongly.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cleaned {
    /// Those in the window.
    pub(super) rates: Vec<RateAt>,
    pub(super) window_us: Option<(u64, u64)>,
    /// The begin of its first line.
    pub(super) first_us: u64,
    /// Lines before the window.
    pub(super) start_lines: usize,
    /// Lines without a number in the window.
    pub(super) without: usize,
    pub(super) death: Option<Death>,
    /// Whether no steady begin was found.
    pub(super) is_unsteady: bool,
}

/// Lines at the end that are a stream's end, or more.
const MOST_SILENT: usize = 10;
/// Lines at the begin that are left out, at least and at most.
const LEAST_START: usize = 2;
const MOST_START: usize = 30;
/// How far a steady line may be from the later ones, as a share.
const STEADY: f64 = 0.1;

/// Cleans the lines of the streams of a run. Their first lines begin at `first_us`.
pub(super) fn clean(streams: &[Vec<Line>], first_us: u64) -> Vec<Cleaned> {
    let longest = streams.iter().map(Vec::len).max().unwrap_or(0);
    let changes: Vec<Vec<usize>> = streams.iter().map(|lines| changes(lines)).collect();
    streams
        .iter()
        .enumerate()
        .map(|(at, lines)| {
            let (end, death) = end_of(lines, longest, |begin| others_change(&changes, at, begin));
            one(&lines[..end], first_us, death)
        })
        .collect()
}

/// How many of the first lines differ from the one before them, for each number of lines.
fn changes(lines: &[Line]) -> Vec<usize> {
    let mut n = 0;
    let counted = (0..lines.len()).map(|at| {
        n += usize::from(at > 0 && lines[at].fps != lines[at - 1].fps);
        n
    });
    counted.collect()
}

/// How many of the lines are of a living stream, and how it ended if that is before the others did.
fn end_of(lines: &[Line], longest: usize, others_change: impl Fn(usize) -> bool) -> (usize, Option<Death>) {
    let n = lines.len();
    if lines.iter().all(|line| line.fps.is_none()) {
        return (0, Some(if n == 0 { Death::Silent } else { Death::NoNumbers(n) }));
    }
    let silent = lines.iter().rev().take_while(|line| line.fps.is_none()).count();
    if silent >= MOST_SILENT {
        return (n - silent, Some(Death::NoNumbers(silent)));
    }
    let last = lines[n - 1].fps;
    let repeats = lines.iter().rev().take_while(|line| line.fps == last).count();
    if let Some(fps) = last.filter(|fps| *fps > 0.0)
        && repeats >= MOST_SILENT
        && repeats > 3 * longest_repeat(&lines[..n - repeats])
        && others_change(n - repeats)
    {
        // The first of them is its last true value.
        return (n - repeats + 1, Some(Death::Repeats(repeats - 1, fps)));
    }
    if n + MOST_SILENT <= longest {
        return (n, Some(Death::Shorter(longest - n)));
    }
    (n - silent, None)
}

/// The longest row of equal values. Without any line there is nothing to compare with.
fn longest_repeat(lines: &[Line]) -> usize {
    if lines.len() < 5 {
        return usize::MAX / 4;
    }
    lines.chunk_by(|a, b| a.fps == b.fps).map(<[Line]>::len).max().unwrap_or(0)
}

/// Whether another stream than `at` changes from line `begin` on, where that one stands.
fn others_change(changes: &[Vec<usize>], at: usize, begin: usize) -> bool {
    changes.iter().enumerate().filter(|(other, _)| *other != at).any(|(_, other)| {
        let (Some(before), Some(all)) = (other.get(begin), other.last()) else { return false };
        (all - before) * 4 >= other.len() - begin
    })
}

fn one(lines: &[Line], first_us: u64, death: Option<Death>) -> Cleaned {
    let (start, is_unsteady) = start(lines);
    let mut now_us = first_us;
    let (mut rates, mut without) = (Vec::new(), 0);
    let mut begin_us = None;
    for (n, line) in lines.iter().enumerate() {
        let Some(fps) = line.fps else {
            without += usize::from(n >= start);
            continue;
        };
        let from_us = now_us;
        now_us = now_us.saturating_add(line.over_us);
        if n >= start {
            begin_us.get_or_insert(from_us);
            rates.push(RateAt { end_us: now_us, over_us: line.over_us, fps });
        }
    }
    Cleaned {
        window_us: begin_us.map(|begin| (begin, now_us)),
        rates,
        first_us,
        start_lines: start.min(lines.len()),
        without,
        death,
        is_unsteady,
    }
}

/// How many lines the start takes, and whether none was found to be its end.
fn start(lines: &[Line]) -> (usize, bool) {
    let later: Vec<f64> = lines[lines.len() / 2..].iter().filter_map(|line| line.fps).collect();
    let Some(usual) = median(later) else { return (LEAST_START.min(lines.len()), false) };
    if lines.len() < 2 * LEAST_START {
        return (LEAST_START.min(lines.len()), false);
    }
    let is_usual = |line: &Line| line.fps.is_some_and(|fps| (fps - usual).abs() <= STEADY * usual);
    let most = MOST_START.min(lines.len() / 4).max(LEAST_START);
    let found = (LEAST_START..=most).find(|at| lines[*at..].iter().take(2).all(is_usual));
    (found.unwrap_or(LEAST_START), found.is_none())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let (low, high) = (values.get(n.checked_sub(1)? / 2)?, values.get(n / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rates: &[f64]) -> Vec<Line> {
        let fps = |fps: &f64| Some(*fps).filter(|fps| !fps.is_nan());
        rates.iter().map(|rate| Line { fps: fps(rate), over_us: 1_000_000 }).collect()
    }

    /// Rates around 15, never twice the same.
    fn steady(n: usize) -> Vec<f64> {
        (0..n).map(|n| 15.0 + [0.01, -0.02, 0.04, -0.05, 0.03][n % 5]).collect()
    }

    #[test]
    fn the_burst_of_the_start_is_left_out() {
        let rates = [vec![38.5, 41.2, 22.0], steady(60)].concat();
        let [cleaned] = &clean(&[lines(&rates)], 5_000_000)[..] else { panic!() };
        assert_eq!((cleaned.start_lines, cleaned.is_unsteady), (3, false));
        assert_eq!(cleaned.window_us, Some((8_000_000, 68_000_000)));
        assert_eq!(cleaned.rates.len(), 60);
    }

    #[test]
    fn a_slow_start_is_left_out_too_but_not_forever() {
        let rates = [vec![0.5, 1.0, 2.0, 9.0], steady(60)].concat();
        assert_eq!(clean(&[lines(&rates)], 0)[0].start_lines, 4);
        let never: Vec<f64> = (0..80).map(|n| if n % 2 == 0 { 5.0 } else { 25.0 }).collect();
        let [cleaned] = &clean(&[lines(&never)], 0)[..] else { panic!() };
        assert_eq!((cleaned.start_lines, cleaned.is_unsteady), (2, true));
    }

    #[test]
    fn the_last_value_of_a_dead_stream_is_no_rate() {
        let dead = [steady(40), vec![14.37; 60]].concat();
        let cleaned = clean(&[lines(&dead), lines(&steady(100))], 0);
        assert_eq!(cleaned[0].death, Some(Death::Repeats(59, 14.37)));
        assert_eq!(cleaned[0].rates.last().map(|rate| rate.end_us), Some(41_000_000));
        assert_eq!(cleaned[1].death, None);
    }

    #[test]
    fn a_stream_that_is_steady_to_the_last_digit_is_alive() {
        let even = vec![15.0; 100];
        let cleaned = clean(&[lines(&even), lines(&steady(100))], 0);
        assert_eq!(cleaned[0].death, None);
        // Alone, nothing shows that time went on.
        let alone = [steady(40), vec![14.37; 60]].concat();
        assert_eq!(clean(&[lines(&alone)], 0)[0].death, None);
        // All stand still: the log of the whole run does.
        let cleaned = clean(&[lines(&alone), lines(&alone)], 0);
        assert_eq!(cleaned[0].death, None);
    }

    #[test]
    fn lines_without_numbers_are_no_zeros() {
        let mut rates = steady(50);
        rates[20] = f64::NAN;
        rates[21] = f64::NAN;
        let [cleaned] = &clean(&[lines(&rates)], 0)[..] else { panic!() };
        assert_eq!((cleaned.without, cleaned.rates.len(), cleaned.death), (2, 46, None));
        let ended = [steady(50), vec![f64::NAN; 12]].concat();
        let [cleaned] = &clean(&[lines(&ended)], 0)[..] else { panic!() };
        assert_eq!(cleaned.death, Some(Death::NoNumbers(12)));
        assert_eq!(cleaned.window_us.map(|window| window.1), Some(50_000_000));
    }

    #[test]
    fn a_log_may_be_empty_short_or_shorter_than_others() {
        let of = |n: usize| lines(&steady(n));
        let cleaned = clean(&[of(0), of(1), of(3), of(60)], 0);
        assert_eq!(cleaned[0].death, Some(Death::Silent));
        assert_eq!((cleaned[1].window_us, cleaned[1].death), (None, Some(Death::Shorter(59))));
        assert_eq!(cleaned[2].rates.len(), 1);
        assert_eq!(cleaned[3].death, None);
    }
}
