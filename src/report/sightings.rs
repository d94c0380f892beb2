//! The sightings of a camera's elements, counted by message and code.

use std::collections::BTreeMap;

use crate::record::Member;

/// Kinds of sightings that a report lists; the rest is counted.
const MOST: usize = 12;

/// Sightings of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) factory: String,
    pub(super) message: String,
    /// The field `symbol` of what `zbar` read; empty for other messages.
    pub(super) code: String,
    pub(super) count: usize,
    pub(super) first_us: u64,
    pub(super) last_us: u64,
}

/// The kinds that were seen most, and how many sightings are not among them.
pub(super) fn summary(member: &Member) -> (Vec<Kind>, u64) {
    let mut kinds: BTreeMap<(&str, &str, &str), Kind> = BTreeMap::new();
    for sighting in member.streams.iter().flat_map(|stream| &stream.sightings) {
        let code = sighting.fields.get("symbol").map_or("", String::as_str);
        let kind = kinds.entry((&sighting.factory, &sighting.message, code)).or_insert_with(|| Kind {
            factory: sighting.factory.clone(),
            message: sighting.message.clone(),
            code: code.to_owned(),
            count: 0,
            first_us: sighting.at_us,
            last_us: sighting.at_us,
        });
        kind.count += 1;
        kind.first_us = kind.first_us.min(sighting.at_us);
        kind.last_us = kind.last_us.max(sighting.at_us);
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    // Stable, so that equal counts stay in the order of their names.
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    let beyond: usize = kinds.iter().skip(MOST).map(|kind| kind.count).sum();
    kinds.truncate(MOST);
    let left_out: u64 = member.streams.iter().map(|stream| stream.sightings_left_out).sum();
    (kinds, beyond as u64 + left_out)
}
