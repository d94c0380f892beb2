//! The head of an MP4 box: its kind and its sizes (ISO/IEC 14496-12, section 4.2).
//!
//! Not here: reading files, and the contents of boxes.

/// The head of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxHead {
    /// `moov`, `mdat`.
    pub kind: [u8; 4],
    /// Bytes of the box with its head; `None` if it reaches to the end of the file.
    pub size: Option<u64>,
    /// Bytes of the head: 8, or 16 if the size has 64 bits.
    pub length: u64,
}

impl BoxHead {
    /// Reads the head at the begin of `bytes`; `None` if it is longer than they are, or
    /// longer than its box.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<BoxHead> {
        let kind = bytes.get(4..8)?.try_into().ok()?;
        let (size, length) = match big_endian(bytes.get(..4)?) {
            0 => (None, 8),
            1 => (Some(big_endian(bytes.get(8..16)?)), 16),
            size => (Some(size), 8),
        };
        size.is_none_or(|size| length <= size).then_some(BoxHead { kind, size, length })
    }
}

/// An unsigned number of at most 8 bytes.
#[must_use]
pub fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<(Option<u64>, u64)>) {
        let head = BoxHead::read(bytes);
        assert_eq!(head.map(|head| (head.size, head.length)), expected);
        assert!(head.is_none_or(|head| head.kind == *b"mdat"));
    }

    #[test]
    fn a_head_has_a_size_of_32_or_64_bits_or_none() {
        check(b"\0\0\x01\x02mdat", Some((Some(258), 8)));
        check(b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0", Some((Some(1 << 32), 16)));
        check(b"\0\0\0\0mdat", Some((None, 8)));
    }

    #[test]
    fn a_short_head_is_refused() {
        for bytes in [&b""[..], b"\0\0\0\x09mda", b"\0\0\0\x07mdat", b"\0\0\0\x01mdat\0\0\0\0\0\0\0"] {
            check(bytes, None);
        }
        check(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f", None);
    }
}
