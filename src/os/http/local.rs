//! Takes a file from a folder at hand instead of asking a server, with the same checks.

use std::io::Write;
use std::path::Path;

use super::digests::Digester;
use super::{Address, Answer, BEGIN, Caller, Difference, DownloadError, Fetched, Pinned};
use crate::os::failpoint::{fs_call, fs_write};
use crate::os::fs::{self, Context, File};
use crate::path::shown;

/// Copies the file at `from` to `dest`, which must not exist yet, digesting it on the way.
/// Links are followed. The caller judges its beginning as if a server had sent it.
///
/// # Errors
/// When it is no regular file, cannot be read or written, or is not what it must be. Then
/// there may be a part of it at `dest`.
pub fn take(
    from: &Path,
    pinned: Pinned<'_>,
    dest: &Path,
    caller: &mut Caller<'_>,
) -> Result<Fetched, DownloadError> {
    let Pinned { pins, by } = pinned;
    let address = Address { asked: shown(from).into(), led_to: None };
    let (mut file, found) = fs::open_regular(from).context("read", from)?;
    let total = found.len();
    if let Some(expected) = pins.size.filter(|size| *size != total) {
        return Err(DownloadError::Size { address, expected, actual: total, by });
    }
    let digester = Digester::start(pins)
        .map_err(|source| DownloadError::Request { address: address.clone(), source })?;
    let create = || File::create_new(dest);
    let mut copy = fs_call("create", dest, create).context("create", dest)?;
    let (mut bytes, mut unfit) = (0, None);
    loop {
        if (caller.is_cancelled)() {
            return Err(DownloadError::Cancelled { address });
        }
        let mut piece = digester.free().recv().expect("the digester returns its buffers");
        let n = piece.fill(&mut file).context("read", from)?;
        if bytes == 0 {
            let begin = &piece.bytes()[..n.min(BEGIN)];
            match (caller.is_fit)(Answer { status: 200, encoding: None, range: None, begin }) {
                Ok(()) => {}
                Err(found) if pins.has_digest() => unfit = Some(found),
                Err(found) => return Err(DownloadError::Unfit { address, found }),
            }
        }
        if n == 0 {
            digester.give_back(piece);
            break;
        }
        fs_write(dest, piece.bytes(), |bytes| copy.write_all(bytes)).context("write", dest)?;
        bytes += n as u64;
        digester.add(piece);
        (caller.on_progress)(bytes, Some(total));
    }
    if bytes != total {
        return Err(DownloadError::Truncated { address, expected: total, actual: bytes });
    }
    let digests = digester.finish();
    if let Some(Difference { expected, actual, .. }) = pins.difference(&digests, dest, bytes)? {
        return Err(DownloadError::Digest { address, expected, actual, by, found: unfit, is_resumed: false });
    }
    Ok(Fetched { bytes, content: digests.content })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::Pins;
    use super::*;
    use crate::digest::ContentDigest;

    #[track_caller]
    fn check(bytes: &[u8], pins: &Pins, is_fit: bool, expect: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let (from, dest) = (folder.path().join("a.mp4"), folder.path().join("copy"));
        std::fs::write(&from, bytes).unwrap();
        let mut caller = Caller {
            is_fit: &mut |_| if is_fit { Ok(()) } else { Err("it is no video".to_owned()) },
            on_progress: &mut |_, _| {},
            is_cancelled: &|| false,
        };
        let text = match take(&from, Pinned { pins, by: "the config" }, &dest, &mut caller) {
            Ok(fetched) => {
                assert_eq!(std::fs::read(&dest).unwrap(), bytes);
                assert_eq!(fetched.content, ContentDigest::of(bytes));
                format!("{} bytes", fetched.bytes)
            }
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&text.replace(folder.path().to_str().unwrap(), "DIR"));
    }

    #[test]
    fn a_file_at_hand_is_checked_like_a_download() {
        let right =
            Pins { blake3: Some(ContentDigest::of(b"lane").to_hex()), size: Some(4), ..Pins::default() };
        check(b"lane", &right, true, expect!["4 bytes"]);
        check(b"lane", &right, false, expect!["4 bytes"]);
        check(&vec![7; 2_000_000], &Pins::default(), true, expect!["2000000 bytes"]);
        check(
            b"lame",
            &right,
            false,
            expect![
                "`DIR/a.mp4` has digest 1799f3093a7905341173867ba826703d3fa204dfd9c3f72dce7e07bf5e74f95c, but the config pins 28f1bc240daead3a8d4e2b6ca504b9e14ea73eac3adb4c91982a51f46570ff28: it is no video"
            ],
        );
        check(b"lanes", &right, true, expect!["`DIR/a.mp4` has 5 bytes, but the config pins 4"]);
        check(b"", &Pins::default(), false, expect!["`DIR/a.mp4` did not bring the file: it is no video"]);
    }
}
