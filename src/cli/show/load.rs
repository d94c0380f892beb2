//! The load of pipelines, as rows of a table.

use crate::plan::load::{Elements, Frames, Inferences, Load, Rate, Scripts};

/// What, with which model, on which device, how many steps, how much a second.
pub(super) struct Row {
    pub(super) what: [String; 4],
    pub(super) count: usize,
    pub(super) each_second: String,
}

/// One row per decoder, model and device, element, and script.
pub(super) fn rows(load: &Load) -> Vec<Row> {
    let plain = |what: &str| [what.to_owned(), String::new(), String::new(), String::new()];
    let mut rows = Vec::new();
    for (what, frames) in [("decoding", &load.decoded), ("raw frames", &load.raw)] {
        let Frames { pipelines, frames_per_second, bytes_per_second } = frames;
        if *pipelines > 0 {
            let each_second = format!("{} frames, {}", number(*frames_per_second), bytes(*bytes_per_second));
            rows.push(Row { what: plain(what), count: *pipelines, each_second });
        }
    }
    for Inferences { element, model, precision, device, steps, rate } in &load.inferences {
        rows.push(Row {
            what: [element, model, precision, device].map(String::clone),
            count: *steps,
            each_second: match rate {
                Rate::PerSecond(rate) => format!("{} inferences", number(*rate)),
                Rate::PerSecondPerObject(rate) => {
                    format!("{} inferences for each object in view", number(*rate))
                }
            },
        });
    }
    for Elements { element, steps, frames_per_second } in &load.elements {
        let each_second = format!("{} frames", number(*frames_per_second));
        rows.push(Row { what: plain(element), count: *steps, each_second });
    }
    for Scripts { script, runs } in &load.scripts {
        let each_second = "not known before it runs".to_owned();
        rows.push(Row { what: plain(script), count: *runs, each_second });
    }
    rows
}

/// At most two decimals, without trailing zeros.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `15.6 MB`, in powers of 1000.
pub(super) fn bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_must_be() {
        let shown = [15.0, 29.97, 4.5, 0.0, 1e6, 9.9999].map(number);
        assert_eq!(shown, ["15", "29.97", "4.5", "0", "1000000", "10"]);
        let shown = [0, 999, 1000, 999_949, 999_950, 36_288_000, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "36.3 MB", "18446.7 PB"]);
    }
}
