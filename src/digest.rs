//! Identities: of bytes ([`ContentDigest`]) and of an action with its inputs
//! ([`ActionDigest`]).
//!
//! Both are BLAKE3 hashes of 32 bytes and print as 64 lowercase hex digits. They
//! are two types because a blob is never looked up by the identity of an action,
//! nor an attempt by the identity of bytes.
//!
//! Not here: reading files (`os::fs`) and choosing the hashed data (`store::key`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string is not a valid digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected 64 hex digits, found `{0}`")]
pub struct ParseDigestError(String);

/// The 64 hex digits of a digest of `text` that cannot be computed without `key`.
#[must_use]
pub fn keyed(key: &[u8], text: &str) -> String {
    let key = blake3::derive_key("lp 2026-11 credentials that are written out", key);
    blake3::keyed_hash(&key, text.as_bytes()).to_hex().to_string()
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest of `bytes`.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(*blake3::hash(bytes).as_bytes())
            }

            /// A digest that was computed or stored elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// All 64 hex digits.
            #[must_use]
            pub fn to_hex(self) -> String {
                blake3::Hash::from_bytes(self.0).to_hex().to_string()
            }

            /// The first 12 hex digits: for people, never for look-ups.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_hex()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let lowercase = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let hash = if lowercase { blake3::Hash::from_hex(text).ok() } else { None };
                hash.map(|hash| Self(*hash.as_bytes())).ok_or_else(|| ParseDigestError(text.to_owned()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_hex())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest_type! {
    /// The identity of bytes: of a blob, a file, a directory listing.
    ContentDigest
}

digest_type! {
    /// The identity of an action with its inputs: the digest of its key document.
    ActionDigest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_parsed_back() {
        let digest = ContentDigest::of(b"lane");
        assert_eq!(digest.to_hex().parse(), Ok(digest));
        assert_eq!(digest.short().len(), 12);
    }

    #[test]
    fn other_strings_are_refused() {
        for text in ["", "12", &"g".repeat(64), &"A".repeat(64)] {
            assert!(text.parse::<ActionDigest>().is_err(), "{text}");
        }
    }
}
