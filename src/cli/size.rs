//! Sizes with units: `20GiB`, `3.4 MiB`.

/// Letters of units; an `i` after one means powers of 1024.
const LETTERS: &str = "KMGT";

/// Reads `20GiB`, `1.5 GB`, `4096`: `KiB`, `MiB`, `GiB` and `TiB` are powers of
/// 1024, `KB`, `MB`, `GB` and `TB` of 1000; a number alone is in bytes.
///
/// # Errors
/// Names the expected form.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let refused = || format!("expected a size such as `20GiB`, `500MB` or `4096`, found `{text}`");
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim_start().to_ascii_uppercase();
    let factor = match unit.as_str() {
        "" | "B" => 1,
        _ => {
            let power = LETTERS.find(unit.chars().next().unwrap_or(' ')).ok_or_else(refused)?;
            let base: u64 = match &unit[1..] {
                "IB" => 1024,
                "B" => 1000,
                _ => return Err(refused()),
            };
            base.pow(u32::try_from(power).unwrap_or(0) + 1)
        }
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(refused);
    }
    let fraction: f64 = number.parse().map_err(|_| refused())?;
    let bytes = fraction * factor as f64;
    if factor == 1 || !bytes.is_finite() || bytes >= u64::MAX as f64 {
        Err(refused())
    } else {
        Ok(bytes as u64)
    }
}

/// "12 B", "3.4 MiB"
#[must_use]
pub(super) fn size_text(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut letters = LETTERS.chars();
    let mut letter = letters.next().unwrap_or('K');
    // 1024.0 becomes 1.0 of the next unit.
    while size >= 1023.95 {
        let Some(next) = letters.next() else { break };
        (size, letter) = (size / 1024.0, next);
    }
    format!("{size:.1} {letter}iB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024_and_of_1000() {
        for (text, bytes) in [
            ("4096", 4096),
            ("0", 0),
            ("12 B", 12),
            ("1KiB", 1024),
            ("1KB", 1000),
            ("20GiB", 20 << 30),
            ("20 gib", 20 << 30),
            ("1.5MB", 1_500_000),
            ("0.5TiB", 1 << 39),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_strings_are_refused() {
        for text in
            ["", "GiB", "1.5", "-1", "1XB", "1K", "1.2.3MB", "99999999TiB", "1 MiB x", "1\u{e4}B", "1K\u{e4}"]
        {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_size("5 apples").unwrap_err(),
            "expected a size such as `20GiB`, `500MB` or `4096`, found `5 apples`"
        );
    }

    #[test]
    fn a_size_is_written_with_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (20 << 30, "20.0 GiB"),
            (5000 << 40, "5000.0 TiB"),
        ] {
            assert_eq!(size_text(bytes), text);
        }
    }
}
