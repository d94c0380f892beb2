//! The log of a stream: a rate on each line, or since 2026 `fps,duration_seconds` with a header.
//!
//! A line without a number (`nan`, `na`, a blank) is a second of which nothing is known, which is not 0. A last line
//! without an end is cut: `15.0` may have been `15.04`, so it is left out.

use crate::record::foreign::Lines;

/// The most lines of a log that are kept: as many rates as a record keeps of a script.
pub const MOST_SAMPLES: usize = 100_000;

/// Beyond this no rate is believed.
const MOST_FPS: f64 = 10_000.0;
/// The longest time that a line may be about, in seconds.
const MOST_SECONDS: f64 = 3_600.0;

/// A line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// `None` for `nan` and the like.
    pub fps: Option<f64>,
    /// The time that it is about; `None` if the line does not say.
    pub seconds: Option<f64>,
}

/// What a log has.
#[derive(Debug, Default)]
pub struct StreamLog {
    lines: Lines,
    pub samples: Vec<Sample>,
    /// Whether it has the header of two columns.
    pub has_header: bool,
    /// Lines, headers included.
    n_lines: u64,
    /// Lines that are none of a log, and the number and reason of the first.
    pub unread: u64,
    pub first_unread: Option<(u64, &'static str)>,
    /// Lines beyond [`MOST_SAMPLES`].
    pub left_out: u64,
    /// Whether the last line had no end.
    pub is_cut: bool,
    /// Over all lines that have a number; what upstream's mean is made of.
    sum: f64,
    n_numbers: u64,
    /// Lines whose rate is no number.
    pub without: u64,
}

impl StreamLog {
    pub fn push(&mut self, piece: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(piece, |line| self.line(line));
        self.lines = lines;
    }

    pub fn finish(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        lines.finish(|_| self.is_cut = true);
    }

    /// The mean of all lines, as upstream computes it; `None` if one of them is no number.
    #[must_use]
    pub fn upstream_mean(&self) -> Option<f64> {
        let is_known = self.n_numbers > 0 && self.without == 0 && self.unread == 0;
        is_known.then(|| self.sum / self.n_numbers as f64)
    }

    fn line(&mut self, line: &[u8]) {
        self.n_lines += 1;
        let text = std::str::from_utf8(line).unwrap_or("\u{fffd}").trim();
        if text == "fps,duration_seconds" {
            self.has_header = true;
            return;
        }
        match sample(text) {
            Ok(sample) => {
                match sample.fps {
                    None => self.without += 1,
                    Some(fps) => {
                        self.sum += fps;
                        self.n_numbers += 1;
                    }
                }
                if self.samples.len() == MOST_SAMPLES {
                    self.left_out += 1;
                } else {
                    self.samples.push(sample);
                }
            }
            Err(reason) => {
                self.unread += 1;
                self.first_unread.get_or_insert((self.n_lines, reason));
            }
        }
    }
}

fn sample(text: &str) -> Result<Sample, &'static str> {
    let (fps, seconds) = match text.split_once(',') {
        None => (text, None),
        Some((fps, seconds)) => (fps, Some(seconds)),
    };
    let seconds = match seconds {
        None => None,
        Some(text) => {
            let seconds = number(text).ok_or("its second field is no number of seconds")?;
            if !(0.0 < seconds && seconds <= MOST_SECONDS) {
                return Err("its second field is no number of seconds above 0 and up to 3600");
            }
            Some(seconds)
        }
    };
    let word = fps.trim().trim_start_matches(['-', '+']).to_ascii_lowercase();
    if ["", "nan", "na", "n/a", "inf", "infinity"].contains(&word.as_str()) {
        return Ok(Sample { fps: None, seconds });
    }
    match number(fps) {
        Some(fps) if (0.0..=MOST_FPS).contains(&fps) => Ok(Sample { fps: Some(fps), seconds }),
        Some(_) => Err("no stream has such a rate"),
        None => Err("it is no rate"),
    }
}

/// A number as `printf` prints it.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if text.is_empty() || text.len() > 40 || !text.chars().all(is_plain) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> StreamLog {
        let mut log = StreamLog::default();
        for piece in text.chunks(3) {
            log.push(piece);
        }
        log.finish();
        log
    }

    fn rates(log: &StreamLog) -> Vec<(Option<f64>, Option<f64>)> {
        log.samples.iter().map(|sample| (sample.fps, sample.seconds)).collect()
    }

    #[test]
    fn both_forms_are_read_also_mixed_and_with_carriage_returns() {
        let log = read(b"fps,duration_seconds\r\n15.01,1.02\r\n14.50\r\n15,2.00\r\n");
        assert!(log.has_header && !log.is_cut);
        assert_eq!(rates(&log), [(Some(15.01), Some(1.02)), (Some(14.5), None), (Some(15.0), Some(2.0))]);
        assert_eq!(log.upstream_mean(), Some((15.01 + 14.5 + 15.0) / 3.0));
    }

    #[test]
    fn a_line_without_a_number_is_no_zero_and_takes_upstreams_mean_away() {
        let log = read(b"15.00\nnan\n-nan\n\nna\n0.00\n");
        let [none, some] = [(None, None), (Some(15.0), None)];
        assert_eq!(rates(&log), [some, none, none, none, none, (Some(0.0), None)]);
        assert_eq!((log.upstream_mean(), log.without), (None, 4));
    }

    #[test]
    fn a_last_line_without_an_end_is_left_out() {
        let log = read(b"15.00\n15.0");
        assert_eq!((rates(&log).len(), log.is_cut), (1, true));
        let whole = read(b"15.00\n");
        assert!(!whole.is_cut);
    }

    #[test]
    fn other_lines_are_counted_with_the_first_reason() {
        let log = read(b"15.00\nhello\n15.00,0\n-3\n1e9\n15.00,1.0,1.0\n\xff\xff\n0x10\n");
        assert_eq!((log.samples.len(), log.unread), (1, 7));
        assert_eq!(log.first_unread, Some((2, "it is no rate")));
        assert_eq!(log.upstream_mean(), None);
    }

    #[test]
    fn a_log_of_any_length_stays_bounded() {
        let mut log = StreamLog::default();
        for _ in 0..MOST_SAMPLES + 7 {
            log.push(b"15.00\n");
        }
        log.push(&[b'9'; 1 << 20]);
        log.finish();
        assert_eq!((log.samples.len(), log.left_out), (MOST_SAMPLES, 7));
        assert_eq!(log.upstream_mean(), Some(15.0));
    }
}
