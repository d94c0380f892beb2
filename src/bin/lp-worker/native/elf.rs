//! Whether the file of a shared library is whole, by its own headers.
//!
//! The system's loader maps what the headers of a library announce, and a page beyond the end of its
//! file ends the process with SIGBUS, without a word of which file it was.
//!
//! Source: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html> and `ch5.pheader.html`.

/// So much of a file has all headers that the loader reads.
pub(super) const HEAD: u64 = 4096;

/// The bytes that a 64-bit library must have; `None` of what is none.
pub(super) fn least_size(head: &[u8]) -> Option<u64> {
    // Two bytes after the name: 64 bits, and the least byte first.
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = |at: usize, size: usize| {
        let size = u64::from(u16_at(head, size)?);
        Some((u64_at(head, at)?, size))
    };
    let (segments, segment) = table(32, 54)?;
    let (sections, section) = table(40, 58)?;
    let (n_segments, n_sections) = (u16_at(head, 56)?, u16_at(head, 60)?);
    let end = |begin: u64, size: u64, n: u16| begin.saturating_add(size * u64::from(n));
    let mut least = end(segments, segment, n_segments).max(end(sections, section, n_sections));
    for n in 0..n_segments {
        let Ok(at) = usize::try_from(end(segments, segment, n)) else { break };
        let (Some(begin), Some(size)) = (u64_at(head, at + 8), u64_at(head, at + 32)) else { break };
        least = least.max(begin.saturating_add(size));
    }
    Some(least)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_has_all_of_its_segments_and_sections() {
        let mut head = vec![0; 64 + 2 * 56];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let mut put = |at: usize, value: u64, n: usize| {
            head[at..at + n].copy_from_slice(&value.to_le_bytes()[..n]);
        };
        // Two segments behind the header; 30 sections at 9000.
        [(32, 64, 8), (40, 9000, 8), (54, 56, 2), (56, 2, 2), (58, 64, 2), (60, 30, 2)]
            .into_iter()
            .for_each(|(at, value, n)| put(at, value, n));
        // The second has 3000 bytes at 4096.
        [(64 + 56 + 8, 4096, 8), (64 + 56 + 32, 3000, 8)]
            .into_iter()
            .for_each(|(at, value, n)| put(at, value, n));
        assert_eq!(least_size(&head), Some(9000 + 30 * 64));
        // Stripped of its sections.
        head[40..48].fill(0);
        head[60..62].fill(0);
        assert_eq!(least_size(&head), Some(7096));
        // Numbers that no file has.
        head[64 + 56 + 32..64 + 56 + 40].fill(255);
        assert_eq!(least_size(&head), Some(u64::MAX));
        for n in 0..64 {
            assert!(least_size(&head[..n]).is_none_or(|least| least <= 176));
        }
        assert_eq!(least_size(b"INPUT(libtbb.so.12)"), None);
    }

    #[test]
    fn this_program_is_whole() {
        let file = std::env::current_exe().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let least = least_size(&bytes[..4096]).unwrap();
        assert!(bytes.len() as u64 / 2 < least && least <= bytes.len() as u64, "{least} of {}", bytes.len());
    }
}
