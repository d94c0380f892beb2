//! Decides from its first bytes whether a server's response is a video.
//!
//! Servers answer 200 to requests for missing files: a guest network's sign-in
//! page, an error document, an empty body. A container is recognised by its first
//! bytes, so a body that begins like none is no clip, and the error describes it.
//! Headers do not decide: many servers send clips as `text/plain`, or name an
//! encoding that is not used.
//!
//! Not here: files whose digest is pinned, which may have any contents.

use crate::os::http::Answer;
use crate::text::harmless;

/// The magic bytes of a file type, after their offset.
struct Magic(usize, &'static [u8]);

/// Containers and streams of video. `decodebin` determines the rest.
const VIDEOS: [Magic; 8] = [
    // Matroska and WebM, Ogg, FLV, ASF, MXF, IVF, YUV4MPEG2.
    Magic(0, &[0x1a, 0x45, 0xdf, 0xa3]),
    Magic(0, b"OggS"),
    Magic(0, b"FLV\x01"),
    Magic(0, &[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11]),
    Magic(0, &[0x06, 0x0e, 0x2b, 0x34]),
    Magic(0, b"DKIF"),
    Magic(0, b"YUV4MPEG2 "),
    // JPEG: the first of the pictures of a Motion JPEG file.
    Magic(0, &[0xff, 0xd8, 0xff]),
];

/// Boxes with which files of ISO/IEC 14496-12 and QuickTime begin.
const BOXES: [&[u8; 4]; 10] =
    [b"ftyp", b"styp", b"sidx", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot"];

/// Pictures, with the file extensions that ask for one. A server that refuses a
/// clip may send a picture with a message.
const PICTURES: [(&str, Magic, &[&str]); 3] = [
    ("a PNG picture", Magic(0, b"\x89PNG\r\n\x1a\n"), &["png", "apng"]),
    ("a GIF picture", Magic(0, b"GIF8"), &["gif"]),
    ("a WebP picture", Magic(8, b"WEBP"), &["webp"]),
];

/// Other common responses with recognisable first bytes.
const OTHERS: [(&str, Magic); 6] = [
    ("gzip-compressed data", Magic(0, &[0x1f, 0x8b])),
    ("zstd-compressed data", Magic(0, &[0x28, 0xb5, 0x2f, 0xfd])),
    ("a ZIP archive", Magic(0, b"PK\x03\x04")),
    ("a PDF document", Magic(0, b"%PDF-")),
    ("a sound file", Magic(0, b"ID3")),
    ("a sound file", Magic(8, b"WAVE")),
];

impl Magic {
    fn is_in(&self, begin: &[u8]) -> bool {
        begin.get(self.0..).is_some_and(|rest| rest.starts_with(self.1))
    }
}

/// Whether a response is the whole of a video that is to be called `file`.
///
/// # Errors
/// A description of the response, to follow a colon.
pub(super) fn is_video(file: &str, answer: Answer<'_>) -> Result<(), String> {
    let Answer { status, begin, .. } = answer;
    let ending = file.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
    let is_wanted_picture = || {
        PICTURES.iter().any(|(_, magic, endings)| magic.is_in(begin) && endings.contains(&ending.as_str()))
    };
    if is_whole(status) && (begins_as_video(begin) || is_wanted_picture()) {
        return Ok(());
    }
    Err(described(answer))
}

/// Whether a file that begins so, and is to be called `file`, is a video.
///
/// # Errors
/// A description of it, to follow a colon.
pub(super) fn is_video_file(file: &str, begin: &[u8]) -> Result<(), String> {
    let answer = Answer { status: 200, encoding: None, range: None, begin };
    is_video(file, answer).map_err(|_| match begin {
        [] => "it is empty".to_owned(),
        begin => format!("it is {}", contents(begin)),
    })
}

/// What a file that is called `file` holds, if its first bytes show that it is no
/// video: "an HTML page". Unknown bytes may be one.
pub(crate) fn foreign(file: &str, begin: &[u8]) -> Option<String> {
    let answer = Answer { status: 200, encoding: None, range: None, begin };
    is_video(file, answer).err().and_then(|_| known(begin))
}

/// A server's response, as a clause: "the server sent an empty body".
pub(super) fn described(answer: Answer<'_>) -> String {
    let Answer { status, encoding, range, begin } = answer;
    match status {
        _ if is_whole(status) => {}
        202 => return "the server answered 202 Accepted: it is not ready".to_owned(),
        204 => return "the server answered 204 No Content".to_owned(),
        205 => return "the server answered 205 Reset Content".to_owned(),
        206 => {
            let part = range.map_or(String::new(), |range| format!(", {}", printable(range)));
            return format!("the server answered 206 Partial Content{part}, though all of it was asked for");
        }
        status => return format!("the server answered {status}, which is no file"),
    }
    let encoded =
        encoding.filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"));
    match encoded {
        Some(encoding) if !begins_as_video(begin) => {
            format!("the server sent it {}-encoded, though nobody asked for that", printable(encoding))
        }
        _ => format!("the server sent {}", contents(begin)),
    }
}

/// 203: a proxy has changed the response.
fn is_whole(status: u16) -> bool {
    matches!(status, 200 | 203)
}

fn begins_as_video(begin: &[u8]) -> bool {
    VIDEOS.iter().any(|magic| magic.is_in(begin))
        || (Magic(0, b"RIFF").is_in(begin) && Magic(8, b"AVI").is_in(begin))
        || begins_with_box(begin)
        || begins_with_start_code(begin)
        || is_transport_stream(begin)
}

/// An MP4 box: its size in four bytes, and its type. Only very large files have a
/// size that looks like letters.
pub(super) fn begins_with_box(begin: &[u8]) -> bool {
    let kind = BOXES.iter().find(|kind| Magic(4, &kind[..]).is_in(begin));
    kind.is_some_and(|kind| begin[0] < b' ' || *kind == b"mdat")
}

/// A start code of MPEG-1, MPEG-2 (program streams too), MPEG-4, H.264 or H.265:
/// zeros, a one, and the code. Code 0 is left out: icons begin with it.
fn begins_with_start_code(begin: &[u8]) -> bool {
    let zeros = begin.iter().take_while(|byte| **byte == 0).count();
    zeros >= 2 && begin.get(zeros) == Some(&1) && begin.get(zeros + 1).is_some_and(|code| *code != 0)
}

/// MPEG-TS: a sync byte at the start of every packet of 188 bytes (204 with parity;
/// 192 with a time stamp of 4 in front). A recording may begin in the middle of a
/// packet; then more packets are needed to be sure.
fn is_transport_stream(begin: &[u8]) -> bool {
    const SYNC: u8 = 0x47;
    [188, 192, 204].into_iter().any(|size| {
        (0..size.min(begin.len())).any(|first| {
            let n_packets = if matches!(first, 0 | 4) { 2 } else { 10 };
            let mut syncs = begin[first..].iter().step_by(size);
            n_packets <= syncs.len() && syncs.all(|byte| *byte == SYNC)
        })
    })
}

/// A description of bytes that are no video.
fn contents(begin: &[u8]) -> String {
    if begin.is_empty() {
        return "an empty body".to_owned();
    }
    if let Some(known) = known(begin) {
        return known;
    }
    let bytes: Vec<String> = begin.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("a file that begins like no known video ({}); if it is right, pin its `sha256`", bytes.join(" "))
}

/// The same for bytes that can be recognised.
pub(super) fn known(begin: &[u8]) -> Option<String> {
    let pictures = PICTURES.iter().map(|(name, magic, _)| (name, magic));
    let mut known = OTHERS.iter().map(|(name, magic)| (name, magic)).chain(pictures);
    if let Some((name, _)) = known.find(|(_, magic)| magic.is_in(begin)) {
        return Some((*name).to_owned());
    }
    let text = String::from_utf8_lossy(begin);
    let text = text.trim_start_matches('\u{feff}').trim();
    let lower = text.to_ascii_lowercase();
    if ["<!doctype html", "<html", "<body"].iter().any(|tag| lower.contains(tag)) {
        let title =
            between(text, &lower, "<title", "</title").and_then(|title| Some(title.split_once('>')?.1));
        return Some(match title.map(printable).filter(|title| !title.is_empty()) {
            Some(title) => format!("an HTML page titled `{title}`"),
            None => "an HTML page".to_owned(),
        });
    }
    if lower.starts_with("<?xml") || text.starts_with('<') {
        let code = between(text, &lower, "<code>", "</code").map(printable);
        let code = code.map_or(String::new(), |code| format!(" with the code `{code}`"));
        return Some(if lower.contains("<error") {
            format!("an XML error document{code}")
        } else {
            format!("an XML document{code}")
        });
    }
    if text.starts_with("version https://git-lfs") {
        return Some("a Git LFS pointer, which stands for the file".to_owned());
    }
    // Its last character may be cut.
    let is_text =
        !text.chars().rev().skip(1).any(|c| c == '\u{fffd}' || (c.is_control() && !c.is_whitespace()));
    is_text.then(|| {
        let kind = if text.starts_with(['{', '[']) { "JSON" } else { "text" };
        format!("{kind}: `{}`", printable(text))
    })
}

/// The string between two tags; `lower` is the text in lower case.
fn between<'a>(text: &'a str, lower: &str, from: &str, to: &str) -> Option<&'a str> {
    let begin = lower.find(from)? + from.len();
    let end = begin + lower[begin..].find(to)?;
    text.get(begin..end)
}

/// The beginning of an untrusted string, on one line.
fn printable(text: &str) -> String {
    const LONGEST: usize = 60;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", harmless(&text[..end])),
        None => harmless(&text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const OK: Answer<'_> = Answer { status: 200, encoding: None, range: None, begin: &[] };

    #[track_caller]
    fn check(answer: Answer<'_>, expect: Expect) {
        expect.assert_eq(&is_video("a.mp4", answer).err().unwrap_or_else(|| "a video".to_owned()));
    }

    fn packets(size: usize, from: usize) -> Vec<u8> {
        let mut bytes = vec![7; from];
        for _ in 0..12 {
            bytes.push(0x47);
            bytes.resize(bytes.len() + size - 1, 0xff);
        }
        bytes
    }

    #[test]
    fn videos_begin_like_videos() {
        let streams = [packets(188, 0), packets(188, 100), packets(192, 4), packets(204, 0)];
        let begins: [&[u8]; 15] = [
            b"\x00\x00\x00\x20ftypisom",
            b"\x00\x00\x00\x08wide",
            b"\x00\x00\x10\x00moov\x00",
            b"\x1a\x45\xdf\xa3\x01",
            b"RIFF\x00\x01\x00\x00AVI LIST",
            b"FLV\x01\x05",
            b"OggS\x00",
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6",
            b"\x00\x00\x01\xba\x44",
            b"\x00\x00\x01\xb3\x14",
            b"\x00\x00\x00\x01\x67\x42",
            b"\x00\x00\x01\x09\xf0",
            b"\x00\x00\x00\x01\x40\x01",
            b"\xff\xd8\xff\xe0",
            b"YUV4MPEG2 W320",
        ];
        for begin in begins.into_iter().chain(streams.iter().map(Vec::as_slice)) {
            // Headers with another type do not count.
            let answer = Answer { begin, encoding: Some("gzip"), ..OK };
            assert_eq!(is_video("a.mp4", answer), Ok(()), "{:02x?}", &begin[..4]);
        }
    }

    #[test]
    fn a_page_is_described_by_its_title() {
        let page =
            b"\xef\xbb\xbf \n<!DOCTYPE html><html><head><TITLE lang=en>Sign\n in \x1b[1mhere</TITLE></head>";
        check(
            Answer { begin: page, ..OK },
            expect![r"the server sent an HTML page titled `Sign in \u{1b}[1mhere`"],
        );
        let page = b"<!-- cached --><html><body>Sign in to the guest network</body></html>";
        check(Answer { begin: page, ..OK }, expect!["the server sent an HTML page"]);
        let page = format!("<?xml version='1.0'?><!doctype HTML><html><title>{}</title>", "x".repeat(99));
        check(
            Answer { begin: page.as_bytes(), ..OK },
            expect![
                "the server sent an HTML page titled `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...`"
            ],
        );
    }

    #[test]
    fn other_responses_are_described() {
        let sent = |begin| Answer { begin, ..OK };
        check(sent(b""), expect!["the server sent an empty body"]);
        check(
            sent(b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>"),
            expect!["the server sent an XML error document with the code `AccessDenied`"],
        );
        check(sent(b"{\"error\": \"gone\"}"), expect![[r#"the server sent JSON: `{"error": "gone"}`"#]]);
        check(sent(b"for free"), expect!["the server sent text: `for free`"]);
        check(sent(b"404: Not Found"), expect!["the server sent text: `404: Not Found`"]);
        check(
            sent(b"version https://git-lfs.github.com/spec/v1\noid sha256:00"),
            expect!["the server sent a Git LFS pointer, which stands for the file"],
        );
        check(sent(b"\x1f\x8b\x08\x00"), expect!["the server sent gzip-compressed data"]);
        check(sent(b"PK\x03\x04"), expect!["the server sent a ZIP archive"]);
        check(
            sent(b"\x00\x00\x01\x00\x01\x00\x10\x10"),
            expect![
                "the server sent a file that begins like no known video (00 00 01 00 01 00 10 10); if it is right, pin its `sha256`"
            ],
        );
    }

    #[test]
    fn a_partial_response_is_no_video() {
        let begin = b"\x00\x00\x00\x20ftypisom";
        let status = |status| Answer { status, begin, ..OK };
        check(status(202), expect!["the server answered 202 Accepted: it is not ready"]);
        check(status(204), expect!["the server answered 204 No Content"]);
        check(
            Answer { range: Some("bytes 0-9/99"), ..status(206) },
            expect!["the server answered 206 Partial Content, bytes 0-9/99, though all of it was asked for"],
        );
        let answer = Answer { encoding: Some("br"), begin: b"\x0b\x02\x80", ..OK };
        check(answer, expect!["the server sent it br-encoded, though nobody asked for that"]);
        check(
            Answer { encoding: Some("identity"), begin: b"no", ..OK },
            expect!["the server sent text: `no`"],
        );
    }

    #[test]
    fn a_picture_is_accepted_only_if_the_file_name_is_a_pictures() {
        let answer = Answer { begin: b"\x89PNG\r\n\x1a\n", ..OK };
        check(answer, expect!["the server sent a PNG picture"]);
        assert_eq!(is_video("shelf.PNG", answer), Ok(()));
    }
}
