//! The user's `.netrc`: user and password by host, as `curl --netrc` reads them.
//!
//! The file is the one of `NETRC`, else `~/.netrc`. Entries are `machine HOST login USER
//! password PASSWORD`, on one line or several; a value may be in double quotes. An entry
//! `default` counts for no host: it would give a password to any server.

use std::io;
use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Chars;

use super::env;
use super::fs::{Context, FsError, read_bounded};

/// The largest file.
const MAX: u64 = 1 << 20;

/// The entries of a `.netrc`.
#[derive(Clone, Default)]
pub struct Netrc(Vec<Entry>);

#[derive(Clone, Default)]
struct Entry {
    host: String,
    user: String,
    password: String,
}

impl Netrc {
    /// The user's; empty if there is none.
    ///
    /// # Errors
    /// When it cannot be read; also when `NETRC` names a file that is not there.
    pub fn read() -> Result<Netrc, FsError> {
        let named = env::raw("NETRC").filter(|name| !name.is_empty()).map(PathBuf::from);
        let is_named = named.is_some();
        let usual = || Some(PathBuf::from(env::home()?).join(".netrc"));
        let Some(path) = named.or_else(usual) else { return Ok(Netrc::default()) };
        match read_bounded(&path, MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => Ok(Netrc::default()),
            bytes => Ok(Netrc::parse(&String::from_utf8_lossy(&bytes.context("read", &path)?))),
        }
    }

    fn parse(text: &str) -> Netrc {
        let mut entries = Vec::new();
        let mut chars = text.chars().peekable();
        let mut entry: Option<Entry> = None;
        while let Some(word) = word(&mut chars) {
            let mut value = || self::word(&mut chars).unwrap_or_default();
            match word.as_str() {
                "machine" => entries.extend(entry.replace(Entry { host: value(), ..Entry::default() })),
                "default" => entries.extend(entry.take()),
                "login" => {
                    let user = value();
                    entry.iter_mut().for_each(|entry| entry.user.clone_from(&user));
                }
                "password" => {
                    let password = value();
                    entry.iter_mut().for_each(|entry| entry.password.clone_from(&password));
                }
                "account" => drop(value()),
                // A macro reaches to the next empty line.
                "macdef" => {
                    let mut before = ' ';
                    while let Some(c) = chars.next_if(|c| !(before == '\n' && *c == '\n')) {
                        before = c;
                    }
                }
                _ => {}
            }
        }
        entries.extend(entry);
        Netrc(entries)
    }

    /// User and password for a host, compared without regard to case.
    #[must_use]
    pub fn login(&self, host: &str) -> Option<(&str, &str)> {
        let entry = self.0.iter().find(|entry| entry.host.eq_ignore_ascii_case(host))?;
        Some((&entry.user, &entry.password))
    }
}

/// The next word; a `#` before one begins a comment.
fn word(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek()? != &'#' {
            break;
        }
        while chars.next_if(|c| *c != '\n').is_some() {}
    }
    let mut word = String::new();
    if chars.next_if_eq(&'"').is_some() {
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => word.extend(chars.next()),
                c => word.push(c),
            }
        }
    } else {
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            word.push(c);
        }
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, login: Option<(&str, &str)>) {
        assert_eq!(Netrc::parse(text).login(host), login);
    }

    #[test]
    fn a_host_has_user_and_password() {
        let text = "# mine\nmachine a.example login ann password s3#cret\n\
                    machine b.example\n\tlogin \"b ob\"\n\tpassword \"p\\\"w\"\n";
        check(text, "A.example", Some(("ann", "s3#cret")));
        check(text, "b.example", Some(("b ob", "p\"w")));
        check(text, "example", None);
        check("machine c password p", "c", Some(("", "p")));
    }

    #[test]
    fn macros_accounts_and_the_default_are_skipped() {
        let text = "machine a account x login u password p macdef init\nmachine b login no\n\n\
                    machine c login u3\ndefault login anonymous password me\n";
        check(text, "a", Some(("u", "p")));
        check(text, "b", None);
        check(text, "c", Some(("u3", "")));
        check(text, "d", None);
    }
}
