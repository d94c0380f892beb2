//! The length that an MP4 or MOV file announces, kept from its demuxer.
//!
//! `qtdemux` takes a video track that is shorter than a fifth of the whole for a
//! picture that announces the film, and leaves it out: with 20 s of sound, 3 s of
//! video are none. Of a file that announces no length it reads all tracks, and
//! which of them is the film is decided elsewhere.
//!
//! Format: ISO/IEC 14496-12, sections 8.2.1 and 8.2.2.

use lp::pipeline::mp4::{BoxHead, big_endian};

/// Makes the length in the `mvhd` of a `moov` 0, which is *not known*, and returns it in
/// nanoseconds. `bytes` begin with the `moov`; of others nothing is changed.
pub(crate) fn take_length(bytes: &mut [u8]) -> Option<u64> {
    let movie = BoxHead::read(bytes).filter(|head| head.kind == *b"moov" && head.size.is_some())?;
    let mut at = usize::try_from(movie.length).ok()?;
    let body = loop {
        let BoxHead { kind, size: Some(size), length } = BoxHead::read(bytes.get(at..)?)? else {
            return None;
        };
        if kind == *b"mvhd" {
            break at + usize::try_from(length).ok()?;
        }
        at = at.checked_add(usize::try_from(size).ok()?)?;
    };
    // Version and flags, two times, the ticks of a second, the length.
    let (scale_at, length_at, end) = match bytes.get(body)? {
        1 => (body + 20, body + 24, body + 32),
        _ => (body + 12, body + 16, body + 20),
    };
    let ticks = big_endian(bytes.get(scale_at..length_at)?);
    let length_bytes = bytes.get_mut(length_at..end)?;
    // All ones: not known.
    let length = Some(big_endian(length_bytes)).filter(|_| length_bytes.iter().any(|byte| *byte != 0xff));
    length_bytes.fill(0);
    let ns = u128::from(length?) * 1_000_000_000 / u128::from(ticks.max(1));
    u64::try_from(ns).ok().filter(|ns| 0 < *ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    #[track_caller]
    fn check(mvhd: &[u8], expect: Option<u64>, n_changed: usize) {
        let others = [boxed(b"udta", &[7; 9]), boxed(b"mvhd", mvhd), boxed(b"trak", &[7; 40])].concat();
        let before = boxed(b"moov", &others);
        let mut after = before.clone();
        assert_eq!(take_length(&mut after), expect);
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!((after.len(), changed), (before.len(), n_changed));
        assert_eq!(take_length(&mut after), None);
    }

    #[test]
    fn only_the_length_is_removed() {
        let version_0 = |length: u32| {
            [&[0, 0, 0, 7][..], &[9; 8], &1_000_u32.to_be_bytes(), &length.to_be_bytes(), &[9; 80]].concat()
        };
        check(&version_0(0x0101_0101), Some(16_843_009_000_000), 4);
        check(&version_0(0), None, 0);
        check(&version_0(u32::MAX), None, 4);
        let length = 450_000_u64.to_be_bytes();
        let version_1 = [&[1, 0, 0, 7][..], &[9; 16], &90_000_u32.to_be_bytes(), &length, &[9; 80]].concat();
        check(&version_1, Some(5_000_000_000), 3);
    }

    #[test]
    fn other_bytes_stay_as_they_are() {
        let mvhd = boxed(b"mvhd", &[1; 100]);
        let part = &boxed(b"moov", &mvhd)[..40];
        for bytes in [&b""[..], b"moov", &mvhd, &boxed(b"free", &mvhd), part, &boxed(b"moov", &[0; 40])] {
            let mut after = bytes.to_vec();
            assert_eq!(take_length(&mut after), None);
            assert_eq!(after, bytes);
        }
    }
}
