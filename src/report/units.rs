//! Values of series in words: the unit is UCUM's, the text is for people.

use crate::record::measure::number;

/// A value with its unit: `25.0 %`, `1381 MiB`, `2400 MHz`, `51.0 °C`, `7.0 W`.
#[must_use]
pub fn shown(value: f64, unit: &str) -> String {
    let mebi = f64::from(1 << 20);
    match unit {
        "1" => format!("{:.1} %", value * 100.0),
        "By" => format!("{:.0} MiB", value / mebi),
        "By/s" => format!("{:.2} MiB/s", value / mebi),
        "Hz" => format!("{:.0} MHz", value / 1e6),
        "Cel" => format!("{value:.1} °C"),
        "/s" => format!("{value:.1}/s"),
        "W" => format!("{value:.1} W"),
        // A count, whose series has the name of what is counted: `files.lp`.
        unit if unit.starts_with('{') => number(value),
        _ => format!("{value} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_usual_units() {
        let values = [
            (0.25, "1"),
            (3e9, "By"),
            (1.5e6, "By/s"),
            (2.4e9, "Hz"),
            (51.0, "Cel"),
            (2.0, "/s"),
            (7.0, "W"),
            (214.001768, "{file}"),
        ];
        assert_eq!(
            values.map(|(value, unit)| shown(value, unit)).join(", "),
            "25.0 %, 2861 MiB, 1.43 MiB/s, 2400 MHz, 51.0 °C, 2.0/s, 7.0 W, 214"
        );
    }
}
