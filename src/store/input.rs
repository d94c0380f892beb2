//! What of an input counts: its contents, and for a user's command whether it
//! may be executed.
//!
//! Its text is the digest, followed by `+x` for an executable file: a document
//! without executable inputs reads as it did before execute bits counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::digest::{ContentDigest, ParseDigestError};
use crate::os::fs::{self, Executable, FsError};
use crate::path::ProjectPath;

const MARK: &str = "+x";

/// What a task reads at one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InputDigest {
    /// Of the file's bytes or the folder's listing; links are followed.
    pub content: ContentDigest,
    /// Whether it is a file that its owner may execute, where that counts.
    pub executable: bool,
}

impl InputDigest {
    /// The same for an action that executes no inputs: only contents count.
    #[must_use]
    pub fn without_bit(self) -> InputDigest {
        InputDigest { executable: false, ..self }
    }
}

impl Store {
    /// What is at the input `path` of a task now.
    ///
    /// # Errors
    /// When there is nothing ([`FsError::is_not_found`]) or it cannot be read.
    pub fn input(&self, path: &ProjectPath) -> Result<InputDigest, FsError> {
        let place = self.layout.resolve(path);
        let metadata = fs::metadata(&place)?;
        let executable = metadata.is_file() && Executable::of(&metadata) == Executable::Yes;
        Ok(InputDigest { content: self.digest_at(&place, &metadata)?, executable })
    }
}

impl From<ContentDigest> for InputDigest {
    fn from(content: ContentDigest) -> InputDigest {
        InputDigest { content, executable: false }
    }
}

impl fmt::Display for InputDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.content, if self.executable { MARK } else { "" })
    }
}

impl FromStr for InputDigest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<InputDigest, ParseDigestError> {
        let hex = text.strip_suffix(MARK);
        Ok(InputDigest { content: hex.unwrap_or(text).parse()?, executable: hex.is_some() })
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
    fn a_plain_input_is_its_digest_and_an_executable_one_is_marked() {
        let content = ContentDigest::from_bytes([7; 32]);
        let plain = InputDigest::from(content);
        let tool = InputDigest { content, executable: true };
        for (input, text) in [(plain, "07".repeat(32)), (tool, format!("{}+x", "07".repeat(32)))] {
            assert_eq!(input.to_string(), text);
            assert_eq!(text.parse(), Ok(input));
        }
        assert_eq!(tool.without_bit(), plain);
        for text in ["", "+x", "07+x", &format!("{}+x+x", "07".repeat(32)), &format!("{}+y", "07".repeat(32))]
        {
            assert!(text.parse::<InputDigest>().is_err(), "{text}");
        }
    }
}
