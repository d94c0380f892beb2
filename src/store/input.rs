//! The digest of an input: its type, its contents, and for a user's command whether
//! it is executable.
//!
//! As a string it is the digest, followed by `+x` for an executable file and by `/`
//! for a folder: a document of plain files has plain digests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::digest::{ContentDigest, ParseDigestError};
use crate::os::fs::{self, Executable, FsError};
use crate::path::ProjectPath;

/// A task's input at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InputDigest {
    /// The digest of the file's bytes or of the files read in the folder; links are
    /// followed.
    pub content: ContentDigest,
    pub kind: InputKind,
}

/// The type of an input, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A file; its execute bit is clear or is ignored.
    File,
    /// A file that its owner may execute.
    Executable,
    Dir,
}

impl InputKind {
    const ALL: [InputKind; 3] = [InputKind::Executable, InputKind::Dir, InputKind::File];

    fn mark(self) -> &'static str {
        match self {
            InputKind::File => "",
            InputKind::Executable => "+x",
            InputKind::Dir => "/",
        }
    }
}

impl InputDigest {
    /// The same for an action that executes no inputs.
    #[must_use]
    pub fn without_bit(self) -> InputDigest {
        let kind = if self.kind == InputKind::Executable { InputKind::File } else { self.kind };
        InputDigest { kind, ..self }
    }
}

impl Store {
    /// The current state of the input `path` of a task.
    ///
    /// # Errors
    /// When it does not exist ([`FsError::is_not_found`]) or cannot be read.
    pub fn input(&self, path: &ProjectPath) -> Result<InputDigest, FsError> {
        let place = self.layout.resolve(path);
        let metadata = fs::metadata(&place)?;
        let kind = if metadata.is_dir() {
            InputKind::Dir
        } else if Executable::of(&metadata) == Executable::Yes {
            InputKind::Executable
        } else {
            InputKind::File
        };
        Ok(InputDigest { content: self.digest_at(&place, &metadata)?, kind })
    }
}

impl From<ContentDigest> for InputDigest {
    fn from(content: ContentDigest) -> InputDigest {
        InputDigest { content, kind: InputKind::File }
    }
}

impl fmt::Display for InputDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.content, self.kind.mark())
    }
}

impl FromStr for InputDigest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<InputDigest, ParseDigestError> {
        let marked = InputKind::ALL.iter().find_map(|kind| Some((text.strip_suffix(kind.mark())?, *kind)));
        let (hex, kind) = marked.expect("every text ends with the mark of a file, which is empty");
        Ok(InputDigest { content: hex.parse()?, kind })
    }
}

impl TryFrom<String> for InputDigest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<InputDigest, ParseDigestError> {
        text.parse()
    }
}

impl From<InputDigest> for String {
    fn from(input: InputDigest) -> String {
        input.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_input_is_its_digest_and_others_are_marked() {
        let content = ContentDigest::from_bytes([7; 32]);
        let plain = InputDigest::from(content);
        let tool = InputDigest { content, kind: InputKind::Executable };
        let folder = InputDigest { content, kind: InputKind::Dir };
        let hex = "07".repeat(32);
        for (input, text) in [(plain, hex.clone()), (tool, format!("{hex}+x")), (folder, format!("{hex}/"))] {
            assert_eq!(input.to_string(), text);
            assert_eq!(text.parse(), Ok(input));
        }
        assert_eq!((tool.without_bit(), folder.without_bit()), (plain, folder));
        for text in ["", "+x", "07+x", &format!("{}+x+x", "07".repeat(32)), &format!("{}+y", "07".repeat(32))]
        {
            assert!(text.parse::<InputDigest>().is_err(), "{text}");
        }
    }
}
