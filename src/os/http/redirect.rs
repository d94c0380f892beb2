//! Follows redirects: where a `Location` leads, and whether `lp` goes there.
//!
//! `lp` goes to `http://` and `https://` only, never from `https` to `http`, at most
//! [`MOST`] times, and never twice to one URL. The *origin* of a URL (scheme, host and
//! port) decides what a request carries: everything secret is for the origin that was
//! asked first.
//!
//! Not here: sending requests (`transfer`).

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Address;
use crate::text::redacted;

/// The most redirects.
const MOST: usize = 10;

/// Characters of a `Location` that no request line may have. Some servers send them.
const NOT_IN_A_URL: AsciiSet = CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\');

/// The reason why a redirect is not followed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RedirectFault {
    #[error("more than {MOST} times, last to `{to}`")]
    TooMany { to: String },
    #[error("in a loop: {}", places.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(" -> "))]
    Loop { places: Vec<String> },
    #[error("to `{to}`, but only `http://` and `https://` are followed")]
    Scheme { to: String },
    #[error("from `https://` to `{to}`, which is not encrypted")]
    Downgrade { to: String },
}

/// The URLs of a request, in the order in which redirects led to them.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    /// Without user and password. Not empty.
    urls: Vec<String>,
}

impl Trail {
    /// Begins at a URL without user and password.
    pub(super) fn new(url: String) -> Trail {
        Trail { urls: vec![url] }
    }

    pub(super) fn current(&self) -> &str {
        self.urls.last().expect("a trail has a begin")
    }

    /// Whether the current URL has the origin of the first, which may see secrets.
    pub(super) fn is_at_home(&self) -> bool {
        origin(self.current()) == origin(&self.urls[0])
    }

    /// Goes on to a `Location`.
    pub(super) fn follow(&mut self, location: &str) -> Result<(), RedirectFault> {
        let next = resolve(self.current(), location);
        let to = shown(&next);
        if origin(&next).is_none() {
            return Err(RedirectFault::Scheme { to });
        }
        if next.starts_with("http:") && self.current().starts_with("https:") {
            return Err(RedirectFault::Downgrade { to });
        }
        if let Some(begin) = self.urls.iter().position(|url| *url == next) {
            let places = self.urls[begin..].iter().chain([&next]).map(|url| shown(url)).collect();
            return Err(RedirectFault::Loop { places });
        }
        if self.urls.len() > MOST {
            return Err(RedirectFault::TooMany { to });
        }
        self.urls.push(next);
        Ok(())
    }

    /// The last place, for messages.
    pub(super) fn address(&self, asked: &str) -> Address {
        let led_to = (self.urls.len() > 1).then(|| shown(self.current()).into());
        Address { asked: redacted(asked).into(), led_to }
    }
}

/// A URL that a server gave, for messages: a query may be a signature.
fn shown(url: &str) -> String {
    match url.split_once('?') {
        Some((place, _)) => format!("{}?***", redacted(place)),
        None => redacted(url),
    }
}

/// The host of a URL, in lower case; `None` if it is no URL to fetch from.
pub(super) fn host(url: &str) -> Option<String> {
    origin(url).map(|(_, host, _)| host)
}

/// Scheme, host and port; `None` if it is no URL to fetch from.
fn origin(url: &str) -> Option<(&str, String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let usual_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    // The host may be an IPv6 address in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, usual_port),
    };
    (!host.is_empty()).then(|| (scheme, host.to_ascii_lowercase(), port))
}

/// The URL that a `Location` in the response of `base` means (RFC 3986, 5.2), without
/// fragment, user and password.
fn resolve(base: &str, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    let location = utf8_percent_encode(location, &NOT_IN_A_URL).to_string();
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let end_of_scheme = location.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    let url = if end_of_scheme.is_some_and(|end| end > 0 && location[end..].starts_with(':')) {
        location
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.is_empty() || location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let folder = path.rfind('/').map_or("", |end| &path[..end]);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{host}{}", scheme.to_ascii_lowercase(), without_dots(path))
}

/// A path without `.` and `..`; a query stays as it is.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    parts.pop();
                }
                if is_last {
                    parts.push("");
                }
            }
            _ => parts.push(segment),
        }
    }
    format!("/{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn a_location_may_be_absolute_or_relative() {
        for (location, url) in [
            ("https://cdn.example/b?x=1#part", "https://cdn.example/b?x=1"),
            ("HTTPS://u:p@CDN.example:8443/b", "https://CDN.example:8443/b"),
            ("//cdn.example/b", "https://cdn.example/b"),
            ("//cdn.example", "https://cdn.example/"),
            ("/b/./c/../d", "https://host:1/b/d"),
            ("b", "https://host:1/a/b"),
            ("../../b", "https://host:1/b"),
            ("..", "https://host:1/"),
            ("?page=2", "https://host:1/a/scan.mp4?page=2"),
            ("/my scan é", "https://host:1/my%20scan%20%C3%A9"),
            ("a:b", "a:b"),
            ("file:///etc/passwd", "file:///etc/passwd"),
        ] {
            assert_eq!(resolve("https://host:1/a/scan.mp4?q", location), url, "{location}");
        }
        assert_eq!(resolve("http://host", "b"), "http://host/b");
    }

    #[test]
    fn scheme_host_and_port_make_an_origin() {
        let same = |a, b| origin(a) == origin(b);
        assert!(same("http://Host/a", "http://host:80/b?c"));
        assert!(same("https://[::1]/a", "https://[::1]:443"));
        assert!(!same("http://host/", "https://host/"));
        assert!(!same("http://host/", "http://host:8080/"));
        assert!(!same("http://host/", "http://host.example/"));
        assert_eq!(origin("file:///etc/passwd"), None);
        assert_eq!(origin("http://:80/"), None);
    }

    #[track_caller]
    fn check(locations: &[&str], expect: Expect) {
        let mut trail = Trail::new("https://host/a".to_owned());
        let end = locations.iter().try_for_each(|location| trail.follow(location));
        expect.assert_eq(&match end {
            Ok(()) => format!("{}, at home: {}", trail.address("https://u:p@host/a"), trail.is_at_home()),
            Err(fault) => fault.to_string(),
        });
    }

    #[test]
    fn a_redirect_that_is_not_followed_is_named_without_its_query() {
        check(
            &["/b", "https://cdn.example/c?Signature=abc"],
            expect!["`https://***@host/a` (redirected to `https://cdn.example/c?***`), at home: false"],
        );
        check(
            &["https://cdn.example/c", "https://host/d"],
            expect!["`https://***@host/a` (redirected to `https://host/d`), at home: true"],
        );
        check(
            &["/b?sig=1", "/c", "/b?sig=1"],
            expect!["in a loop: `https://host/b?***` -> `https://host/c` -> `https://host/b?***`"],
        );
        check(&["https://host/a"], expect!["in a loop: `https://host/a` -> `https://host/a`"]);
        check(
            &["file:///etc/passwd"],
            expect!["to `file:///etc/passwd`, but only `http://` and `https://` are followed"],
        );
        check(
            &["ftp://u:p@host/a"],
            expect!["to `ftp://host/a`, but only `http://` and `https://` are followed"],
        );
        check(
            &["javascript:alert(1)"],
            expect!["to `javascript:alert(1)`, but only `http://` and `https://` are followed"],
        );
        check(
            &["http://host/a?token=1"],
            expect!["from `https://` to `http://host/a?***`, which is not encrypted"],
        );
        let many: Vec<String> = (0..11).map(|n| format!("/{n}")).collect();
        check(
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
            expect!["more than 10 times, last to `https://host/10`"],
        );
    }
}
