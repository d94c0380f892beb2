//! The earlier attempt to compare a task with in messages.
//!
//! After a value was set back, the outputs in place are not those of the last
//! attempt: a sentence about it would name a change that nobody has made since. So
//! the comparison is with an attempt whose outputs are in place, and if several
//! made the same bytes, with the one that differs least.

use std::sync::Arc;

use serde_json::Value;

use super::Store;
use super::attempt::Attempt;
use super::key::KeyDocument;

/// The number of attempts of a label to compare.
const LOOKED_AT: usize = 8;

impl Store {
    /// The attempt of `attempts`, newest first, whose outputs are in place and that
    /// is nearest to `key`. `None` if the last one is to be compared: its key is
    /// the same, or it measured, or nothing is in place.
    pub(super) fn nearest_in_place<'a>(
        &self,
        attempts: &'a [Arc<Attempt>],
        key: &KeyDocument,
    ) -> Option<&'a Arc<Attempt>> {
        if attempts.first().is_none_or(|last| last.measurement || last.action == key.digest()) {
            return None;
        }
        let in_place = |attempt: &&Arc<Attempt>| {
            !attempt.outputs.is_empty() && attempt.is_reusable() && self.amiss(&attempt.outputs).is_none()
        };
        let mut candidates = attempts.iter().take(LOOKED_AT).filter(in_place).peekable();
        let first = candidates.next()?;
        if candidates.peek().is_none() {
            return Some(first);
        }
        let wanted = value(key);
        // Of equally near ones the first, which is the newest.
        std::iter::once(first)
            .chain(candidates)
            .min_by_key(|attempt| distance(&value(&attempt.document), &wanted))
    }
}

fn value(document: &KeyDocument) -> Value {
    serde_json::to_value(document).expect("texts and JSON values become JSON")
}

/// The number of values in which two documents differ.
fn distance(one: &Value, other: &Value) -> usize {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let missing = other.keys().filter(|name| !one.contains_key(*name)).count();
            let differ =
                |(name, value): (&String, &Value)| other.get(name).map_or(1, |other| distance(value, other));
            missing + one.iter().map(differ).sum::<usize>()
        }
        _ => usize::from(one != other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_that_differs_counts_once() {
        let one = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": {}});
        assert_eq!(distance(&one, &one), 0);
        assert_eq!(distance(&one, &json!({"a": 2, "b": {"c": [1, 2]}, "f": 0})), 5);
    }
}
