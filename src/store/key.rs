//! The key document: all values that decide whether an attempt may be reused.
//!
//! The same document is hashed, stored, and compared by `lp explain`. So it has one
//! form, its *canonical bytes*: JSON without spaces, keys sorted. Its digest is the
//! [`ActionDigest`].
//!
//! It contains no absolute path, no modification time, no label and no secret; the
//! code that fills it in makes sure of that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::InputDigest;
use crate::digest::ActionDigest;
use crate::path::ProjectPath;

/// The version of the layout of [`KeyDocument`].
pub const VERSION: u32 = 1;

/// The name in [`KeyDocument::extra`] of a run's repeat number.
pub const REPEAT: &str = "repeat";

/// The action, its inputs and its tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyDocument {
    /// The [`VERSION`] of its layout.
    pub version: u32,
    pub action: Value,
    /// The type and contents of each input.
    pub inputs: BTreeMap<ProjectPath, InputDigest>,
    /// The tools used, with their versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, String>,
    /// For runs: the host's fingerprint and [`REPEAT`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

impl KeyDocument {
    /// A document of the current version without tools and extras.
    #[must_use]
    pub fn new(action: Value, inputs: BTreeMap<ProjectPath, InputDigest>) -> KeyDocument {
        KeyDocument { version: VERSION, action, inputs, tools: BTreeMap::new(), extra: BTreeMap::new() }
    }

    /// The canonical bytes of this document.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        // `serde_json` keeps the keys of objects sorted unless its feature
        // `preserve_order` is on; a test below checks that.
        serde_json::to_vec(self).expect("texts and JSON values become JSON")
    }

    /// The identity of the action with its inputs.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        ActionDigest::of(&self.canonical_bytes())
    }

    /// This document without its repeat number: the part that all repeats of a run
    /// share.
    #[must_use]
    pub fn without_repeat(&self) -> KeyDocument {
        let mut document = self.clone();
        document.extra.remove(REPEAT);
        document
    }

    /// This document after a round trip through JSON, to compare with a stored one.
    pub(super) fn reread(&self) -> KeyDocument {
        serde_json::from_slice(&self.canonical_bytes()).unwrap_or_else(|_| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::digest::ContentDigest;

    fn document(action: Value) -> KeyDocument {
        let content = ContentDigest::from_bytes([7; 32]);
        let input = (ProjectPath::new("media/scan.mp4").unwrap(), content.into());
        KeyDocument::new(action, BTreeMap::from([input]))
    }

    #[test]
    fn the_bytes_are_canonical_and_readable() {
        let document = document(json!({"fps": 15, "caps": {"width": 640, "height": 360}}));
        expect![[
            r#"{"version":1,"action":{"caps":{"height":360,"width":640},"fps":15},"inputs":{"media/scan.mp4":"0707070707070707070707070707070707070707070707070707070707070707"}}"#
        ]]
        .assert_eq(&String::from_utf8(document.canonical_bytes()).unwrap());
        assert_eq!(document.reread(), document);
        assert_eq!(document.reread().digest(), document.digest());
    }

    #[test]
    fn repeats_of_a_run_differ_in_nothing_else() {
        let (mut one, mut two) = (document(json!({})), document(json!({})));
        one.extra.insert(REPEAT.to_owned(), json!(1));
        two.extra.insert(REPEAT.to_owned(), json!(2));
        assert_ne!(one.digest(), two.digest());
        assert_eq!(one.without_repeat(), two.without_repeat());
    }
}
