//! The key document: everything that decides whether an attempt may be reused.
//!
//! The document that is hashed is the document that is stored is the document
//! that `lp explain` compares. So it has one text, its *canonical bytes*: JSON
//! without spaces, keys sorted. Its digest is the [`ActionDigest`].
//!
//! It holds no absolute path, no modification time, no label and no secret;
//! who fills it in sees to that.

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

/// What was done to what, with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyDocument {
    /// [`VERSION`] at the time.
    pub version: u32,
    pub action: Value,
    /// What each input is, and its contents.
    pub inputs: BTreeMap<ProjectPath, InputDigest>,
    /// The tools used, with their versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, String>,
    /// For runs: the host's fingerprint and [`REPEAT`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

impl KeyDocument {
    /// A document of the present version without tools and extras.
    #[must_use]
    pub fn new(action: Value, inputs: BTreeMap<ProjectPath, InputDigest>) -> KeyDocument {
        KeyDocument { version: VERSION, action, inputs, tools: BTreeMap::new(), extra: BTreeMap::new() }
    }

    /// The one text of this document.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        // `serde_json` keeps the keys of objects sorted unless its feature
        // `preserve_order` is on; a test below holds that.
        serde_json::to_vec(self).expect("texts and JSON values become JSON")
    }

    /// The identity of the action with its inputs.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        ActionDigest::of(&self.canonical_bytes())
    }

    /// This document without its repeat number: what all repeats of a run share.
    #[must_use]
    pub fn without_repeat(&self) -> KeyDocument {
        let mut document = self.clone();
        document.extra.remove(REPEAT);
        document
    }

    /// This document as it comes back from its text, to compare with one that did.
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
    fn the_text_is_canonical_and_readable() {
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
