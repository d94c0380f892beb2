//! Names of Linux files as text: any bytes but NUL.
//!
//! A listing's text has a UTF-8 name as it is; each other byte becomes U+0000 and
//! two hex digits. No name contains a NUL, so two names never share a text.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The path of something below a folder, relative to it: `frames/0001.png`.
///
/// Normal components only, joined by `/`; never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemName(Vec<u8>);

/// Where a symbolic link points to, as it is written in the link; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkTarget(Vec<u8>);

/// The text is not a name; only a damaged listing has one.
#[derive(Debug, thiserror::Error)]
#[error("this is not the name of a file below a folder")]
pub struct InvalidName;

impl ItemName {
    /// The name of `entry`, which is directly below the folder `within`
    /// (`None` = the listed folder itself).
    #[must_use]
    pub(super) fn below(within: Option<&ItemName>, entry: &OsStr) -> ItemName {
        let mut bytes = within.map_or_else(Vec::new, |folder| [&folder.0[..], b"/"].concat());
        bytes.extend_from_slice(entry.as_bytes());
        ItemName(bytes)
    }

    /// As a path, to be joined to the folder's.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The folder that contains it, if that is below the listed one.
    pub(super) fn parent(&self) -> Option<&[u8]> {
        self.0.iter().rposition(|byte| *byte == b'/').map(|end| &self.0[..end])
    }

    /// The bytes: they give the order of a listing.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl LinkTarget {
    /// As it was read from a link.
    pub(super) fn new(target: &Path) -> LinkTarget {
        LinkTarget(target.as_os_str().as_bytes().to_vec())
    }

    /// From the bytes of a blob; `None` if no link can hold them.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<LinkTarget> {
        (!bytes.is_empty() && !bytes.contains(&0)).then_some(LinkTarget(bytes))
    }

    /// As a path, to make a link of.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The bytes that the link holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for ItemName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<ItemName, InvalidName> {
        let bytes = decoded(&text).ok_or(InvalidName)?;
        let normal = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
        if bytes.split(|byte| *byte == b'/').all(normal) { Ok(ItemName(bytes)) } else { Err(InvalidName) }
    }
}

impl From<ItemName> for String {
    fn from(name: ItemName) -> String {
        encoded(&name.0)
    }
}

impl TryFrom<String> for LinkTarget {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<LinkTarget, InvalidName> {
        decoded(&text).and_then(LinkTarget::from_bytes).ok_or(InvalidName)
    }
}

impl From<LinkTarget> for String {
    fn from(target: LinkTarget) -> String {
        encoded(&target.0)
    }
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\0{byte:02x}");
        }
    }
    text
}

/// The bytes of which [`encoded`] makes this text or a similar one; encode them
/// again to compare.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('\0');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let hex = part.get(..2)?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: Expect) {
        let name = ItemName::below(None, OsStr::from_bytes(bytes));
        let text = serde_json::to_string(&name).unwrap();
        assert_eq!(serde_json::from_str::<ItemName>(&text).unwrap(), name);
        expect.assert_eq(&text);
    }

    #[test]
    fn every_name_has_a_text_of_its_own() {
        check(b"frames", expect![[r#""frames""#]]);
        check(br#"a b"c'\x"#, expect![[r#""a b\"c'\\x""#]]);
        check(b"a\nb\t\x1b", expect![[r#""a\nb\t\u001b""#]]);
        check(b"\xff\xfe.png", expect![[r#""\u0000ff\u0000fe.png""#]]);
        check("\u{e9}\u{fffd}".as_bytes(), expect![[r#""é�""#]]);
        check(b"\xe9", expect![[r#""\u0000e9""#]]);
    }

    #[test]
    fn a_path_outside_the_folder_is_not_a_name() {
        for text in [
            "",
            ".",
            "..",
            "/x",
            "a//b",
            "a/../b",
            "a/",
            "\0",
            "\0f",
            "\0zz",
            "\0\u{e9}",
            "\x0000",
            "a\x002fb/",
        ] {
            assert!(ItemName::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        assert!(LinkTarget::try_from(String::new()).is_err());
        assert!(LinkTarget::try_from("\x0000".to_owned()).is_err());
        assert_eq!(LinkTarget::try_from("../x".to_owned()).unwrap().as_path(), Path::new("../x"));
    }
}
