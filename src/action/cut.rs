//! Detects a video file that ends before the end given in its container.
//!
//! The cause is an interrupted download, or a recorder that lost power: the rest
//! may play, and end in a frozen picture. Containers of nested parts give the size
//! of each, so a part that extends beyond the end of the file is proof, exact and
//! without decoding: MP4 and MOV, fragmented or not (ISO/IEC 14496-12, section
//! 4.2), Matroska and WebM (RFC 8794, sections 4 to 6) and AVI. Only parts with
//! video count, as some programs append bytes of their own.
//!
//! An MPEG transport stream has no end: a recording may stop within a packet as
//! well as between two, and all of it is the clip.

use std::io::{self, Read, Seek, SeekFrom};

use super::content::begins_with_box;
use crate::pipeline::clip::Cut;
use crate::pipeline::mp4::{BoxHead, big_endian};

/// The place where the file is cut off; `None` if it is whole, or of a type without
/// sizes.
///
/// # Errors
/// When it cannot be read.
pub(super) fn cut_off<F: Read + Seek>(file: &mut F) -> io::Result<Option<Cut>> {
    let end = file.seek(SeekFrom::End(0))?;
    let head = bytes_at(file, 0)?;
    match &head[..4] {
        _ if begins_with_box(&head) => walk(file, end, mp4_box),
        [0x1a, 0x45, 0xdf, 0xa3] => walk(file, end, matroska_element),
        b"RIFF" => walk(file, end, riff_chunk),
        _ => Ok(None),
    }
}

/// A part of a file.
struct Part {
    name: String,
    /// With its header; `None` if it is not given.
    size: Option<u64>,
    /// The size of its header in bytes.
    header: u64,
    /// Whether it contains video, or parts that do.
    counts: bool,
}

/// Walks over the parts, and into those that do not give their size.
fn walk<F: Read + Seek>(
    file: &mut F,
    end: u64,
    part: fn([u8; 16]) -> Option<Part>,
) -> io::Result<Option<Cut>> {
    let (mut at, mut in_fragments, mut has_index) = (0, false, false);
    while at < end {
        let Some(Part { name, size, header, counts }) = part(bytes_at(file, at)?) else { return Ok(None) };
        in_fragments |= name == "moof";
        let is_index = name == "moov" || in_fragments;
        let next = match size {
            Some(size) if at.saturating_add(size) > end => {
                let there = end - at;
                // After a fragment others may be missing, and a `moov` has the
                // positions of the frames.
                let n_lost = (!in_fragments && name != "moov").then_some(size - there);
                let part = format!("`{name}` at byte {at} has {there} of {size} bytes");
                let lacks_index = name == "moov" || (name == "mdat" && !has_index);
                return Ok(counts.then_some(Cut { part, n_there: end, n_lost, lacks_index }));
            }
            Some(size) => at + size.max(header),
            None => at + header,
        };
        has_index |= is_index;
        at = next;
    }
    Ok(None)
}

/// Bytes beyond the end of the file are zero.
fn bytes_at<F: Read + Seek>(file: &mut F, at: u64) -> io::Result<[u8; 16]> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(16).read_to_end(&mut bytes)?;
    bytes.resize(16, 0);
    Ok(bytes.try_into().unwrap_or_default())
}

fn mp4_box(bytes: [u8; 16]) -> Option<Part> {
    // A box up to the end of the file cannot be cut off.
    let BoxHead { kind, size: Some(size), length } = BoxHead::read(&bytes)? else { return None };
    let name = String::from_utf8_lossy(&kind).into_owned();
    let counts = [b"moov", b"moof", b"mdat"].contains(&&kind);
    Some(Part { name, size: Some(size), header: length, counts })
}

fn matroska_element(bytes: [u8; 16]) -> Option<Part> {
    // The number of leading zeros of the first byte is the number of bytes that
    // follow.
    let id_size = bytes[0].leading_zeros() as usize + 1;
    let data = bytes.get(id_size..).filter(|_| id_size <= 4)?;
    let size_size = data[0].leading_zeros() as usize + 1;
    if 8 < size_size {
        return None;
    }
    let mask = (1_u64 << (7 * size_size)) - 1;
    let data_size = big_endian(&data[..size_size]) & mask;
    let header = (id_size + size_size) as u64;
    let name = match big_endian(&bytes[..id_size]) {
        0x1853_8067 => "Segment",
        0x1f43_b675 => "Cluster",
        0xa0 => "BlockGroup",
        0xa3 => "SimpleBlock",
        _ => "",
    };
    // All ones: the size is unknown.
    let size = (data_size != mask).then(|| header.saturating_add(data_size));
    Some(Part { name: name.to_owned(), size, header, counts: !name.is_empty() })
}

fn riff_chunk(bytes: [u8; 16]) -> Option<Part> {
    let size = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    // A recorder that was interrupted leaves 0.
    let is_video = &bytes[..4] == b"RIFF" && 0 < size;
    let size = Some(8 + u64::from(size) + u64::from(size % 2));
    is_video.then_some(Part { name: "RIFF".to_owned(), size, header: 12, counts: true })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes()[..], kind, body].concat()
    }

    /// Every cut of a file within its last part is reported; the whole file is not.
    #[track_caller]
    fn check(file: &[u8], last: &str, last_at: usize) {
        let in_fragments = file.windows(4).any(|bytes| bytes == b"moof");
        let has_index = file[..last_at].windows(4).any(|bytes| bytes == b"moof" || bytes == b"moov");
        assert_eq!(cut_off(&mut Cursor::new(file)).unwrap(), None);
        // The header itself must be present.
        for n_bytes in last_at + 16..file.len() {
            let (there, all) = (n_bytes - last_at, file.len() - last_at);
            let part = format!("`{last}` at byte {last_at} has {there} of {all} bytes");
            let n_lost = (!in_fragments).then_some((all - there) as u64);
            let lacks_index = last == "moov" || (last == "mdat" && !has_index);
            let expected = Cut { part, n_there: n_bytes as u64, n_lost, lacks_index };
            assert_eq!(cut_off(&mut Cursor::new(&file[..n_bytes])).unwrap(), Some(expected));
        }
    }

    #[test]
    fn an_mp4_is_cut_off_within_its_data() {
        let head = [boxed(b"ftyp", b"isom"), boxed(b"moov", &[0; 40])].concat();
        check(&[head.clone(), boxed(b"mdat", &[7; 50])].concat(), "mdat", 60);
        // The index comes last, and is missing.
        check(&[boxed(b"ftyp", b"isom"), boxed(b"mdat", &[7; 50])].concat(), "mdat", 12);
        // Fragmented, and with 64 bits.
        let large = [&1_u32.to_be_bytes()[..], b"mdat", &46_u64.to_be_bytes(), &[7; 30]].concat();
        let fragments = [boxed(b"moof", &[0; 20]), boxed(b"mdat", &[7; 20]), boxed(b"moof", &[0; 20]), large];
        check(&[head.clone(), fragments.concat()].concat(), "mdat", 60 + 28 + 28 + 28);
        check(&[head.clone(), boxed(b"moof", &[0; 20])].concat(), "moof", 60);
        // A phone's own trailer, and data up to the end of the file.
        let trailer = [head.clone(), boxed(b"mdat", &[7; 50]), vec![0xff; 40]].concat();
        assert_eq!(cut_off(&mut Cursor::new(trailer)).unwrap(), None);
        let open = [head, 0_u32.to_be_bytes().to_vec(), b"mdat".to_vec(), vec![7; 9]].concat();
        assert_eq!(cut_off(&mut Cursor::new(open)).unwrap(), None);
    }

    #[test]
    fn a_matroska_is_cut_off_within_its_data() {
        let header = [&[0x1a, 0x45, 0xdf, 0xa3, 0x84][..], &[0; 4]].concat();
        let cluster = |size: u8| vec![0x1f, 0x43, 0xb6, 0x75, 0x80 | size];
        let block = [&[0xa3, 0x94][..], &[5; 20]].concat();
        let whole = [cluster(22), block.clone()].concat();
        let segment = [&[0x18, 0x53, 0x80, 0x67, 0x80 | 54][..], &whole, &whole].concat();
        check(&[header.clone(), segment].concat(), "Segment", 9);
        // Recorded live: only the parts have a size.
        let unknown = vec![0x18, 0x53, 0x80, 0x67, 0xff];
        check(&[header.clone(), unknown.clone(), whole.clone(), whole].concat(), "Cluster", 14 + 27);
        check(&[header, unknown, cluster(0x7f), block.clone(), block].concat(), "SimpleBlock", 14 + 5 + 22);
    }

    #[test]
    fn an_avi_is_cut_off_within_its_data() {
        let file = [&b"RIFF"[..], &40_u32.to_le_bytes(), b"AVI ", &[7; 36]].concat();
        check(&file, "RIFF", 0);
        let unfinished = [&b"RIFF"[..], &0_u32.to_le_bytes(), b"AVI ", &[7; 36]].concat();
        assert_eq!(cut_off(&mut Cursor::new(unfinished)).unwrap(), None);
    }

    #[test]
    fn files_without_sizes_are_never_cut_off() {
        assert_eq!(cut_off(&mut Cursor::new([0; 400])).unwrap(), None);
        let stream = [&[0x47][..], &[0; 187]].concat().repeat(3);
        assert_eq!(cut_off(&mut Cursor::new(&stream[..400])).unwrap(), None);
        assert_eq!(cut_off(&mut Cursor::new(b"abc")).unwrap(), None);
    }
}
