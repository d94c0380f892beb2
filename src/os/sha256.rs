//! The SHA-256 digest of a file, which config files pin.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::Digest;

use super::fs::{Context, FsError};

/// 64 lowercase hex digits.
///
/// # Errors
/// When the file cannot be read.
pub fn of_file(path: &Path) -> Result<String, FsError> {
    let mut file = File::open(path).context("open", path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).context("read", path)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hasher.update(&buffer[..n]),
        }
    }
}
