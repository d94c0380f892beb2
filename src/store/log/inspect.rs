//! Finds the faults of a log, and the blobs that its unreadable parts name.
//!
//! Readers skip damage and entries of other versions. A check of the log counts
//! them here, and garbage collection asks for the blobs that they name: an entry
//! that is unreadable today must not cost a result.

use std::collections::HashSet;
use std::ops::Range;

use super::{FRAME, Found, HEADER, INDEXED, JSON, MARKER, entry_at, split_indexed};
use crate::digest::ContentDigest;
use crate::store::attempt::Attempt;

/// The result of inspecting every byte of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Whether it is not empty and of another version.
    pub is_foreign: bool,
    /// Attempts that can be read.
    pub n_attempts: usize,
    /// Whole entries that this version does not know.
    pub foreign: Vec<Range<usize>>,
    /// Bytes that belong to no whole entry.
    pub damaged: Vec<Range<usize>>,
    /// A partial entry at the end, as a crash leaves it.
    pub torn: Option<Range<usize>>,
}

/// Inspects the bytes of a log.
#[must_use]
pub fn inspect(bytes: &[u8]) -> Inspection {
    let mut found = Inspection::default();
    if !bytes.starts_with(&HEADER) {
        found.is_foreign = !HEADER.starts_with(bytes);
        return found;
    }
    let mut end = HEADER.len();
    for range in entries(bytes) {
        if end < range.start {
            found.damaged.push(end..range.start);
        }
        end = range.end;
        let payload = &bytes[range.start + 8..range.end - 8];
        let json = match payload[0] {
            INDEXED => split_indexed(payload).map(|found| found.json),
            JSON => Some(&payload[1..]),
            _ => None,
        };
        if json.is_some_and(|json| serde_json::from_slice::<Attempt>(json).is_ok()) {
            found.n_attempts += 1;
        } else {
            found.foreign.push(range);
        }
    }
    if end < bytes.len() {
        if is_torn(&bytes[end..]) {
            found.torn = Some(end..bytes.len());
        } else {
            found.damaged.push(end..bytes.len());
        }
    }
    found
}

fn entries(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut entries, mut at) = (Vec::new(), HEADER.len());
    while at < bytes.len() {
        if let Found::Whole(length) = entry_at(&bytes[at..]) {
            entries.push(at..at + length);
            at += length;
        } else {
            let next = bytes[at + 1..].iter().position(|byte| *byte == MARKER[0]);
            at = next.map_or(bytes.len(), |distance| at + 1 + distance);
        }
    }
    entries
}

/// Whether `rest` begins an entry that is longer than `rest`.
fn is_torn(rest: &[u8]) -> bool {
    if rest.len() < 8 {
        return MARKER.starts_with(&rest[..rest.len().min(MARKER.len())]);
    }
    let length = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
    rest.starts_with(&MARKER) && rest.len() < FRAME + length
}

/// The blobs named in bytes that cannot be read as entries. `None` if some of them
/// are no text, so that they may name any blob.
#[must_use]
pub fn named_by_the_unreadable(bytes: &[u8], found: &Inspection) -> Option<HashSet<ContentDigest>> {
    if found.is_foreign {
        return None;
    }
    let mut named = HashSet::new();
    for range in &found.foreign {
        let payload = &bytes[range.start + 9..range.end - 8];
        std::str::from_utf8(payload).ok()?;
        named.extend(digests(payload));
    }
    for range in &found.damaged {
        named.extend(digests(&bytes[range.clone()]));
    }
    Some(named)
}

/// Every run of exactly 64 hex digits.
pub fn digests(bytes: &[u8]) -> impl Iterator<Item = ContentDigest> {
    let words = bytes.split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    words.filter(|word| word.len() == 64).filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::frame;

    fn log(entries: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts) = (HEADER.to_vec(), Vec::new());
        for entry in entries {
            starts.push(bytes.len());
            bytes.extend_from_slice(entry);
        }
        starts.push(bytes.len());
        (bytes, starts)
    }

    #[test]
    fn damage_is_located_and_its_blobs_are_found() {
        let blob = ContentDigest::of(b"x");
        let text = format!("{{\"blob\":\"{blob}\"}}");
        let foreign = frame(9, text.as_bytes());
        let (mut bytes, starts) = log(&[&foreign, &foreign, &foreign]);
        bytes[starts[1] + 5] ^= 1;
        let found = inspect(&bytes);
        assert_eq!(found.damaged.as_slice(), std::slice::from_ref(&(starts[1]..starts[2])));
        assert_eq!(found.foreign, [starts[0]..starts[1], starts[2]..starts[3]]);
        assert_eq!(named_by_the_unreadable(&bytes, &found), Some(HashSet::from([blob])));

        let (bytes, _) = log(&[&frame(9, &[0xff])]);
        assert_eq!(named_by_the_unreadable(&bytes, &inspect(&bytes)), None);
    }

    #[test]
    fn a_partial_last_entry_is_torn_and_a_flipped_one_is_damaged() {
        let (bytes, starts) = log(&[&frame(9, b"{}"), &frame(9, b"{}")]);
        for end in starts[1] + 1..bytes.len() {
            assert_eq!(inspect(&bytes[..end]).torn, Some(starts[1]..end), "{end}");
        }
        let mut flipped = bytes.clone();
        flipped[starts[2] - 1] ^= 1;
        assert_eq!(inspect(&flipped).damaged.as_slice(), std::slice::from_ref(&(starts[1]..starts[2])));
        assert_eq!(inspect(&bytes).foreign.len(), 2);
    }

    #[test]
    fn a_log_with_another_header_may_name_any_blob() {
        assert!(inspect(b"something else").is_foreign);
        assert_eq!(named_by_the_unreadable(b"x", &inspect(b"something else")), None);
        for beginning in 0..=HEADER.len() {
            assert_eq!(inspect(&HEADER[..beginning]), Inspection::default());
        }
    }
}
