//! The reason why a file did not arrive, in words without credentials.

use std::io;
use std::time::Duration;

use super::redirect::RedirectFault;
use super::{Address, RESERVE, SLOWEST};
use crate::os::fs::FsError;
use crate::time::duration_text;

/// The reason why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("the server answered {status} for {address}")]
    Status { address: Address, status: u16, retry_after: Option<Duration> },

    #[error("{address} did not bring the file: {found}")]
    Unfit { address: Address, found: String },

    #[error("{address} is not a URL that can be fetched")]
    Url { address: Address },

    #[error("{address} redirects {fault}")]
    Redirect { address: Address, fault: RedirectFault },

    #[error("failed to fetch {address}")]
    Request {
        address: Address,
        #[source]
        source: io::Error,
    },

    #[error("failed to read the body of {address}")]
    Body {
        address: Address,
        #[source]
        source: io::Error,
    },

    #[error("the body of {address} ended after {actual} bytes, but the server announced {expected}")]
    Truncated { address: Address, expected: u64, actual: u64 },

    #[error("{address} has {actual} bytes, but {by} pins {expected}")]
    Size { address: Address, expected: u64, actual: u64, by: &'static str },

    #[error("{address} goes on after the {limit} bytes that {by} pins")]
    TooLarge { address: Address, limit: u64, by: &'static str },

    #[error("{address} has digest {actual}, but {by} pins {expected}{}", found.as_ref().map_or(String::new(), |found| format!(": {found}")))]
    Digest {
        address: Address,
        expected: String,
        actual: String,
        /// Who pins it, in words.
        by: &'static str,
        /// The unexpected contents, if they can be told.
        found: Option<String>,
        /// Whether a part of it came earlier.
        is_resumed: bool,
    },

    #[error("{address} needs {needed} bytes and {RESERVE} to spare, but only {free} are free on the disk")]
    NoRoom { address: Address, needed: u64, free: u64 },

    #[error("{address} announces no end, and after {bytes} bytes only {free} are free on the disk")]
    Endless { address: Address, bytes: u64, free: u64 },

    #[error("{address} sent nothing for {}", duration_text(*idle))]
    Idle { address: Address, idle: Duration },

    #[error("{address} is too slow: {rate} bytes a second during {}, less than {SLOWEST}", duration_text(*during))]
    TooSlow { address: Address, rate: u64, during: Duration },

    #[error("the download of {address} was interrupted")]
    Cancelled { address: Address },

    #[error(transparent)]
    Write(#[from] FsError),
}

impl DownloadError {
    /// Whether the same request may succeed soon. Not after a silence, which has
    /// taken long enough, nor after a fault of TLS.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            DownloadError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            DownloadError::Request { source, .. } | DownloadError::Body { source, .. } => {
                !matches!(source.kind(), io::ErrorKind::TimedOut | io::ErrorKind::InvalidData)
            }
            DownloadError::Truncated { .. } => true,
            // What came earlier may be damaged, and is gone now.
            DownloadError::Digest { is_resumed, .. } => *is_resumed,
            _ => false,
        }
    }

    /// How long the server asks to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let DownloadError::Status { retry_after, .. } = self { *retry_after } else { None }
    }

    /// Whether what has arrived is the begin of the file for all that is known.
    pub(super) fn leaves_a_part(&self) -> bool {
        use DownloadError as Error;
        !matches!(
            self,
            Error::Size { .. } | Error::TooLarge { .. } | Error::Digest { .. } | Error::Endless { .. }
        )
    }
}
