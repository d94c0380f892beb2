//! Properties of steps, compared with those of their element.
//!
//! A value is taken as the worker takes it: by its text, as that property reads
//! it. Values that only GStreamer can read (caps, fractions) are left to a trial.

use std::collections::BTreeMap;

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::{ElementView, Scalar, StepPlaces};
use crate::pipeline::machine::{Machine, PropertyInfo, PropertyKind};

/// The faults of an element's properties.
pub(super) fn faults(element: ElementView<'_>, places: &StepPlaces, machine: &Machine) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    // Nothing is known of an element that is missing.
    let Some(known) = machine.properties.get(element.factory) else { return diagnostics };
    for (name, value) in element.properties {
        if let Some(fault) = fault(element.factory, places, known, name, value) {
            diagnostics.push(fault);
        }
    }
    diagnostics
}

fn fault(
    kind: &str,
    places: &StepPlaces,
    known: &BTreeMap<String, PropertyInfo>,
    name: &str,
    value: &Scalar,
) -> Option<Diagnostic> {
    let entry = places.property(name);
    // The upstream name for it: GObject takes `_` for `-`.
    let Some(info) = known.get(&name.replace('_', "-")).or_else(|| known.get(name)) else {
        let settable = || known.iter().filter(|(_, info)| info.writable).map(|(name, _)| name.as_str());
        let fault = Diagnostic::error(codes::UNKNOWN_PROPERTY, format!("`{kind}` has no property `{name}`"))
            .at(places.key(entry))
            .suggest(name, settable(), &Diagnostics::new());
        return Some(if fault.help.is_some() {
            fault
        } else {
            fault.help(format!(
                "it has {}",
                listed(settable().filter(|name| !["name", "parent"].contains(name)))
            ))
        });
    };
    if !info.writable {
        let message = format!("the property `{name}` of `{kind}` cannot be set");
        return Some(
            Diagnostic::error(codes::READ_ONLY_PROPERTY, message).at(places.key(entry)).label("only read"),
        );
    }
    let text = value.to_string();
    let must = |code, what: String| {
        let message = format!("`{name}` of `{kind}` must be {what}");
        Diagnostic::error(code, message).at(places.value(entry)).label(format!("found `{text}`"))
    };
    match &info.kind {
        PropertyKind::Bool => {
            let words = ["true", "false", "yes", "no", "t", "f", "1", "0"];
            let is_one = words.iter().any(|word| text.eq_ignore_ascii_case(word));
            (!is_one).then(|| must(codes::PROPERTY_TYPE, "true or false".to_owned()))
        }
        PropertyKind::Int { min, max } => {
            let what = format!("a whole number from {min} to {max}");
            match whole(&text) {
                None => Some(must(codes::PROPERTY_TYPE, what)),
                Some(number) if number < i128::from(*min) || i128::from(*max) < number => {
                    Some(must(codes::PROPERTY_RANGE, what))
                }
                Some(_) => None,
            }
        }
        PropertyKind::Number { min, max } => {
            let what = format!("a number from {} to {}", short(*min), short(*max));
            match text.parse::<f64>() {
                Err(_) => Some(must(codes::PROPERTY_TYPE, what)),
                Ok(number) if !(*min..=*max).contains(&number) => Some(must(codes::PROPERTY_RANGE, what)),
                Ok(_) => None,
            }
        }
        PropertyKind::Word { nicks } => {
            let known = is_nick(&text, nicks) || matches!(value, Scalar::Int(_));
            (!known).then(|| {
                let nicks = || nicks.iter().map(String::as_str);
                let fault = must(codes::PROPERTY_WORD, format!("one of {}", listed(nicks())));
                fault.suggest(&text, nicks(), &Diagnostics::new())
            })
        }
        PropertyKind::Words { nicks } => {
            let unknown = text.split('+').map(str::trim).find(|word| !is_nick(word, nicks));
            let is_number = matches!(value, Scalar::Int(_)) || whole(&text).is_some();
            unknown.filter(|_| !is_number).map(|word| {
                let nicks = || nicks.iter().map(String::as_str);
                let fault = must(codes::PROPERTY_WORD, format!("some of {}, joined by `+`", listed(nicks())));
                fault.suggest(word, nicks(), &Diagnostics::new())
            })
        }
        PropertyKind::Text | PropertyKind::Other { .. } => None,
    }
}

/// A whole number, in hexadecimal too.
fn whole(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Whether GStreamer takes a word: a nick in any case, or the constant's name in C.
fn is_nick(word: &str, nicks: &[String]) -> bool {
    let is_constant = word.contains('_') && !word.contains(|c: char| c.is_ascii_lowercase());
    is_constant || nicks.iter().any(|nick| nick.eq_ignore_ascii_case(word))
}

/// A limit: that of the type where the element sets none.
fn short(limit: f64) -> String {
    if limit.abs() < 1e9 { limit.to_string() } else { format!("{limit:e}") }
}

/// Names for a message, not all of too many.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 16;
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(kind: PropertyKind, value: Scalar, expect: Expect) {
        let properties = [("x".to_owned(), value)].into();
        let element = ElementView { factory: "it", properties: &properties, caps: None };
        let info = PropertyInfo { kind, writable: true, default: None };
        let known = [("it".to_owned(), [("x".to_owned(), info)].into())].into();
        let machine = Machine { properties: known, ..Machine::default() };
        let found = faults(element, &StepPlaces::default(), &machine);
        let text = found.sorted().first().map_or("fits".to_owned(), |one| {
            let help = one.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{} {}, {}{help}", one.code, one.message, one.label)
        });
        expect.assert_eq(&text);
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }

    #[test]
    fn numbers_have_a_type_and_limits() {
        let int = || PropertyKind::Int { min: -1, max: 16 };
        check(int(), Scalar::Int(16), expect!["fits"]);
        check(int(), text("0x10"), expect!["fits"]);
        check(
            int(),
            Scalar::Int(17),
            expect!["LP0906 `x` of `it` must be a whole number from -1 to 16, found `17`"],
        );
        check(
            int(),
            Scalar::Float(1.5),
            expect!["LP0905 `x` of `it` must be a whole number from -1 to 16, found `1.5`"],
        );
        check(
            int(),
            Scalar::Bool(true),
            expect!["LP0905 `x` of `it` must be a whole number from -1 to 16, found `true`"],
        );
        let number = || PropertyKind::Number { min: 0.0, max: f64::MAX };
        check(number(), Scalar::Int(3), expect!["fits"]);
        check(
            number(),
            Scalar::Float(-0.5),
            expect!["LP0906 `x` of `it` must be a number from 0 to 1.7976931348623157e308, found `-0.5`"],
        );
        check(
            number(),
            text("much"),
            expect!["LP0905 `x` of `it` must be a number from 0 to 1.7976931348623157e308, found `much`"],
        );
    }

    #[test]
    fn words_are_nicks() {
        let nicks = || vec!["no".to_owned(), "upstream".to_owned(), "downstream".to_owned()];
        check(PropertyKind::Word { nicks: nicks() }, text("Downstream"), expect!["fits"]);
        check(PropertyKind::Word { nicks: nicks() }, Scalar::Int(2), expect!["fits"]);
        check(PropertyKind::Word { nicks: nicks() }, text("GST_QUEUE_LEAK_DOWNSTREAM"), expect!["fits"]);
        check(
            PropertyKind::Word { nicks: nicks() },
            text("downsteam"),
            expect![
                "LP0907 `x` of `it` must be one of `no`, `upstream`, `downstream`, found `downsteam` (did you mean `downstream`?)"
            ],
        );
        check(PropertyKind::Words { nicks: nicks() }, text("no+upstream"), expect!["fits"]);
        check(
            PropertyKind::Words { nicks: nicks() },
            text("no+uptream"),
            expect![
                "LP0907 `x` of `it` must be some of `no`, `upstream`, `downstream`, joined by `+`, found `no+uptream` (did you mean `upstream`?)"
            ],
        );
    }

    #[test]
    fn a_bool_has_the_words_that_gstreamer_takes() {
        check(PropertyKind::Bool, Scalar::Bool(true), expect!["fits"]);
        check(PropertyKind::Bool, text("yes"), expect!["fits"]);
        check(PropertyKind::Bool, Scalar::Int(1), expect!["fits"]);
        check(
            PropertyKind::Bool,
            text("perhaps"),
            expect!["LP0905 `x` of `it` must be true or false, found `perhaps`"],
        );
        check(PropertyKind::Text, Scalar::Bool(true), expect!["fits"]);
    }
}
