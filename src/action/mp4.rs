//! Makes an MP4 file deterministic: `mp4mux` writes the clock into it.
//!
//! The creation and modification times of `mvhd`, `tkhd` and `mdhd` (seconds
//! since 1904, 32 bits in version 0 of a box and 64 in version 1) become zero.
//! Format: ISO/IEC 14496-12, sections 8.2.2, 8.3.2 and 8.4.2.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Boxes that contain the boxes with times.
const CONTAINERS: [&[u8; 4]; 3] = [b"moov", b"trak", b"mdia"];
const TIMED: [&[u8; 4]; 3] = [b"mvhd", b"tkhd", b"mdhd"];

/// Zeroes all creation and modification times of `file`, in place.
///
/// # Errors
/// When the file cannot be read or written, or is no MP4 file.
pub(super) fn zero_times<F: Read + Write + Seek>(file: &mut F) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let changed = walk(file, 0, end)?;
    if changed == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has no `moov` box with times"));
    }
    Ok(())
}

fn walk<F: Read + Write + Seek>(file: &mut F, begin: u64, end: u64) -> io::Result<u32> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a box is larger than what contains it");
    let mut at = begin;
    let mut changed = 0;
    while at + 8 <= end {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let short = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let kind = [header[4], header[5], header[6], header[7]];
        let (size, header_size) = match short {
            0 => (end - at, 8),
            1 => {
                let mut long = [0; 8];
                file.read_exact(&mut long)?;
                (u64::from_be_bytes(long), 16)
            }
            size => (u64::from(size), 8),
        };
        if size < header_size || at.checked_add(size).is_none_or(|next| next > end) {
            return Err(malformed());
        }
        if CONTAINERS.contains(&&kind) {
            changed += walk(file, at + header_size, at + size)?;
        } else if TIMED.contains(&&kind) {
            let mut version = [0; 4];
            file.read_exact(&mut version)?;
            let zeros: &[u8] = if version[0] == 1 { &[0; 16] } else { &[0; 8] };
            if header_size + 4 + zeros.len() as u64 > size {
                return Err(malformed());
            }
            file.write_all(zeros)?;
            changed += 1;
        }
        at += size;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn only_times_become_zero() {
        let version_0 = [0, 0, 0, 7, 1, 1, 1, 1, 2, 2, 2, 2, 9, 9];
        let mut version_1 = vec![1, 0, 0, 7];
        version_1.extend([3; 16]);
        version_1.push(9);
        let mdia = boxed(b"mdia", &boxed(b"mdhd", &version_1));
        let trak = boxed(b"trak", &[boxed(b"tkhd", &version_0), mdia].concat());
        let moov = boxed(b"moov", &[boxed(b"mvhd", &version_0), trak].concat());
        let mut file = Cursor::new([boxed(b"ftyp", b"isom"), moov, boxed(b"mdat", &[1; 20])].concat());
        let before = file.get_ref().clone();
        zero_times(&mut file).unwrap();
        let after = file.into_inner();
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!((before.len(), changed), (after.len(), 8 + 8 + 16));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(zero_times(&mut Cursor::new(boxed(b"ftyp", b"isom"))).is_err());
        assert!(zero_times(&mut Cursor::new(vec![0, 0, 0, 99, b'm', b'o', b'o', b'v', 0])).is_err());
    }
}
