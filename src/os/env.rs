//! The caller's environment.

use std::env::VarError;
use std::ffi::OsString;
use std::path::PathBuf;

/// A variable's value; `None` if it is not set or not UTF-8; [`fault`] distinguishes the two.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable's value in any encoding.
#[must_use]
pub fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The reason why a variable has no UTF-8 value; `None` if it has one.
#[must_use]
pub fn fault(name: &str) -> Option<&'static str> {
    match std::env::var(name) {
        Ok(_) => None,
        Err(VarError::NotPresent) => Some("which is not set"),
        Err(VarError::NotUnicode(_)) => Some("whose value is not UTF-8"),
    }
}

/// The variables with this prefix that are not UTF-8.
#[must_use]
pub fn not_utf8(begin: &str) -> Vec<String> {
    let begins = |name: &OsString| name.as_encoded_bytes().starts_with(begin.as_bytes());
    let is_text = |text: &OsString| text.to_str().is_some();
    std::env::vars_os()
        .filter(|(name, value)| begins(name) && !(is_text(name) && is_text(value)))
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect()
}

/// All variables that are UTF-8.
#[must_use]
pub fn all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// All variables in any encoding.
#[must_use]
pub fn all_raw() -> std::collections::BTreeMap<OsString, OsString> {
    std::env::vars_os().collect()
}

/// The effective user and group of this process.
#[must_use]
pub fn user_and_group() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The name that this program was started by, without its folder.
#[must_use]
pub fn program() -> Option<String> {
    let program = PathBuf::from(std::env::args_os().next()?);
    Some(program.file_name()?.to_str()?.to_owned())
}

/// The variable of [`system_root`].
pub const SYSTEM_ROOT: &str = "LP_SYSROOT";

/// The folder whose `proc` and `sys` tell about the machine: `/`, unless [`SYSTEM_ROOT`]
/// names another.
#[must_use]
pub fn system_root() -> PathBuf {
    raw(SYSTEM_ROOT).filter(|root| !root.is_empty()).map_or_else(|| PathBuf::from("/"), PathBuf::from)
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
