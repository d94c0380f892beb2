//! `[host] price`: what the machine costs, and so a lane on it.

use std::fmt;

/// An amount of money.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// More than 0.
    amount: f64,
    /// As written: `EUR`, `$`.
    currency: String,
}

impl Price {
    /// What [`Price::parse`] reads, as a regular expression.
    pub const PATTERN: &str = r"^\s*[0-9]{1,12}(\.[0-9]{1,4})?\s+[A-Za-z$€£¥]{1,8}\s*$";

    /// Reads `1200 EUR`, `999.50 $`; `None` for anything else, and for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Price> {
        let mut words = text.split_ascii_whitespace();
        let (number, currency) = (words.next()?, words.next()?);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
        };
        let is_currency = |c: char| c.is_ascii_alphabetic() || "$€£¥".contains(c);
        let is_right = is_number(whole, 12)
            && is_number(part, 4)
            && currency.chars().all(is_currency)
            && currency.chars().count() <= 8
            && words.next().is_none();
        let amount = number.parse().ok().filter(|amount| is_right && 0.0 < *amount)?;
        Some(Price { amount, currency: currency.to_owned() })
    }

    /// More than 0.
    #[must_use]
    pub fn amount(&self) -> f64 {
        self.amount
    }

    /// `EUR`
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// The part of it for one of `n`; `None` for none.
    #[must_use]
    pub fn of_each(&self, n: u32) -> Option<Price> {
        let amount = self.amount / f64::from(n);
        (0 < n).then(|| Price { amount, currency: self.currency.clone() })
    }
}

impl fmt::Display for Price {
    /// `52 EUR`; with two decimals below 10.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = if self.amount < 10.0 { 2 } else { 0 };
        write!(f, "{:.decimals$} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_an_amount_and_a_currency() {
        let shown = |text: &str| Price::parse(text).map(|price| price.to_string());
        assert_eq!(shown(" 1200 EUR ").as_deref(), Some("1200 EUR"));
        assert_eq!(shown("9.5 $").as_deref(), Some("9.50 $"));
        for wrong in [
            "1200",
            "EUR 1200",
            "1200EUR",
            "0 EUR",
            "-5 EUR",
            "1e3 EUR",
            "1. EUR",
            "1,200 EUR",
            "5 EUR x",
            "5 e\u{301}",
        ] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_lane_costs_its_part() {
        let price = Price::parse("1200 EUR").unwrap();
        assert_eq!(price.of_each(23).unwrap().to_string(), "52 EUR");
        assert_eq!(price.of_each(400).unwrap().to_string(), "3.00 EUR");
        assert_eq!(price.of_each(0), None);
    }
}
