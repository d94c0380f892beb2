//! Compact forms of lists: of times in the JSON of a record, and of sightings while a run
//! is measured.
//!
//! Times ascend in steps that are alike, so they are written as `{"first": 2000123, "steps":
//! [66667, 66702]}`: the first one, and how much later each other is than the one before. The
//! plain list of records before version 6 is read as well. Sightings are kept by element,
//! message and names of fields: a list for each quantity, and each field as runs of equal
//! values. A record has the plain list, which people read and which compresses as well.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Sighting;

/// Times, or other values that hardly ever fall.
#[derive(Serialize, Deserialize)]
struct Steps {
    first: u64,
    steps: Vec<i64>,
}

impl Steps {
    fn of(values: &[u64]) -> Option<Steps> {
        let steps = values.windows(2).map(|pair| pair[1].cast_signed().wrapping_sub(pair[0].cast_signed()));
        Some(Steps { first: *values.first()?, steps: steps.collect() })
    }

    fn values(&self) -> Vec<u64> {
        let later = self.steps.iter().scan(self.first, |last, step| {
            *last = last.wrapping_add_signed(*step);
            Some(*last)
        });
        std::iter::once(self.first).chain(later).collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum List {
    Steps(Steps),
    Plain(Vec<u64>),
}

impl List {
    fn of(values: &[u64]) -> List {
        Steps::of(values).map_or(List::Plain(Vec::new()), List::Steps)
    }

    fn values(self) -> Vec<u64> {
        match self {
            List::Steps(steps) => steps.values(),
            List::Plain(values) => values,
        }
    }
}

/// For `#[serde(with = "compact::times")]`.
pub(super) mod times {
    use super::{Deserialize, Deserializer, List, Serialize, Serializer};

    pub(in crate::record) fn serialize<S: Serializer>(
        times: &[u64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        List::of(times).serialize(serializer)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u64>, D::Error> {
        List::deserialize(deserializer).map(List::values)
    }
}

/// Sightings of one element with the same message and the same fields.
#[derive(Clone, Debug)]
struct SightingGroup {
    element: String,
    factory: String,
    message: String,
    at_us: Vec<u64>,
    /// One for each time; empty if the element gives none.
    clip_ms: Vec<Option<u64>>,
    /// The values of each field, in the order of the times: value, and how often in a row.
    fields: BTreeMap<String, Vec<(String, u64)>>,
}

/// Sightings as they come, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct SightingLog {
    groups: Vec<SightingGroup>,
}

impl SightingLog {
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.at_us.len()).sum()
    }

    pub(super) fn add(&mut self, sighting: &Sighting) {
        let is_same = |group: &SightingGroup| {
            group.element == sighting.element
                && group.message == sighting.message
                && group.factory == sighting.factory
                && group.clip_ms.is_empty() == sighting.clip_ms.is_none()
                && group.fields.keys().eq(sighting.fields.keys())
        };
        let index = self.groups.iter().position(is_same).unwrap_or_else(|| {
            self.groups.push(SightingGroup {
                element: sighting.element.clone(),
                factory: sighting.factory.clone(),
                message: sighting.message.clone(),
                at_us: Vec::new(),
                clip_ms: Vec::new(),
                fields: sighting.fields.keys().map(|name| (name.clone(), Vec::new())).collect(),
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.at_us.push(sighting.at_us);
        group.clip_ms.extend(sighting.clip_ms.map(Some));
        for (runs, value) in group.fields.values_mut().zip(sighting.fields.values()) {
            match runs.last_mut() {
                Some((last, count)) if last == value => *count += 1,
                _ => runs.push((value.clone(), 1)),
            }
        }
    }

    /// All sightings, oldest first.
    pub(super) fn sightings(self) -> Vec<Sighting> {
        let mut all: Vec<Sighting> = self.groups.into_iter().flat_map(SightingGroup::sightings).collect();
        all.sort_by_key(|sighting| sighting.at_us);
        all
    }
}

impl SightingGroup {
    fn sightings(self) -> impl Iterator<Item = Sighting> {
        let SightingGroup { element, factory, message, at_us, clip_ms, fields } = self;
        let each = |(value, n): (String, u64)| std::iter::repeat_n(value, usize::try_from(n).unwrap_or(0));
        let mut columns: Vec<_> =
            fields.into_iter().map(|(name, runs)| (name, runs.into_iter().flat_map(each))).collect();
        at_us.into_iter().enumerate().map(move |(index, at_us)| {
            let fields = columns.iter_mut().filter_map(|(name, values)| Some((name.clone(), values.next()?)));
            Sighting {
                at_us,
                clip_ms: clip_ms.get(index).copied().flatten(),
                element: element.clone(),
                factory: factory.clone(),
                message: message.clone(),
                fields: fields.collect(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Times(#[serde(with = "times")] Vec<u64>);

    fn sighting(at_us: u64, clip_ms: Option<u64>, element: &str, symbol: &str) -> Sighting {
        let fields = [("quality", "1"), ("symbol", symbol)];
        Sighting {
            at_us,
            clip_ms,
            element: element.to_owned(),
            factory: "zbar".to_owned(),
            message: "barcode".to_owned(),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    #[test]
    fn times_are_written_as_steps_and_read_back() {
        let times = Times(vec![2_000_123, 2_066_790, 2_066_790, 2_133_492]);
        let text = serde_json::to_string(&times).unwrap();
        expect![[r#"{"first":2000123,"steps":[66667,0,66702]}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        assert_eq!(serde_json::to_string(&Times(Vec::new())).unwrap(), "[]");
        for (text, times) in [("[]", vec![]), ("[3, 4, 9]", vec![3, 4, 9])] {
            assert_eq!(serde_json::from_str::<Times>(text).unwrap(), Times(times), "older records");
        }
    }

    #[test]
    fn sightings_come_out_as_they_came_in() {
        let all = vec![
            sighting(5, Some(100), "a", "4006"),
            sighting(6, None, "b", "4007"),
            sighting(8, Some(160), "a", "4006"),
            sighting(9, Some(20), "a", "4007"),
        ];
        let mut log = SightingLog::default();
        all.iter().for_each(|sighting| log.add(sighting));
        assert_eq!((log.len(), log.groups.len()), (4, 2));
        assert_eq!(log.sightings(), all);
    }
}
