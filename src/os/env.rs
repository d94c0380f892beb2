//! The caller's environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// A variable's value; `None` if it is not set or not UTF-8.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable's value, whatever its encoding.
#[must_use]
pub fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// All variables that are UTF-8.
#[must_use]
pub fn all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// All variables, whatever their encoding.
#[must_use]
pub fn all_raw() -> std::collections::BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

/// The user and the group that this process acts as.
#[must_use]
pub fn user_and_group() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The user's home directory.
#[must_use]
pub fn home() -> Option<OsString> {
    raw("HOME")
}

/// The current directory.
///
/// # Errors
/// When it was removed.
pub fn current_dir() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}
