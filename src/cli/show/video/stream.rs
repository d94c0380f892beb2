//! A look at a stream: a few seconds of what it sends.

use std::time::Duration;

use super::unplayable;
use crate::action::look_at;
use crate::config::{RawCredential, RawLogin, login};
use crate::os;
use crate::os::process::Cancel;
use crate::pipeline::facts::VideoFacts;
use crate::pipeline::login::escaped;
use crate::session::Redaction;
use crate::text::redacted;
use crate::worker::launch::Launch;
use crate::workspace::error::{CommandError, Result};

/// How long a stream is looked at, from its first packet on.
const LOOK: Duration = Duration::from_secs(3);

/// The schemes that cameras and servers of videos have.
const SCHEMES: [&str; 5] = ["rtsp", "rtsps", "http", "https", "v4l2"];

/// A stream that was asked for.
pub(super) struct Stream {
    /// Without user and password.
    shown: String,
    /// With both.
    uri: String,
    secrets: Redaction,
}

impl Stream {
    /// The stream of a URI, or of a device.
    ///
    /// # Errors
    /// When `lp` cannot receive it, or a variable of its login is not set.
    pub(super) fn of(word: &str) -> Result<Stream> {
        let written = if word.starts_with("/dev/") { format!("v4l2://{word}") } else { word.to_owned() };
        let shown = redacted(&written);
        let (scheme, _) = written.split_once("://").unwrap_or_default();
        if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
            let fault = format!("`{shown}` is no stream that `lp` can receive");
            let hint = format!("schemes are {}", SCHEMES.join(", "));
            return Err(CommandError::refused(fault).hint(hint));
        }
        let Some((bare, RawLogin { user, password })) = login(&written) else {
            return Ok(Stream { shown, uri: written, secrets: Redaction::default() });
        };
        let mut parts = Vec::new();
        for (name, credential) in [("user", Some(user)), ("password", password)] {
            match credential {
                Some(RawCredential::Text(text)) => parts.push((name.to_owned(), text)),
                Some(RawCredential::Variable(name)) => match os::env::variable(&name) {
                    Some(value) => parts.push((name, value)),
                    None => {
                        let fault = format!("the variable `{name}` of `{shown}` is not set, or not UTF-8");
                        return Err(CommandError::refused(fault));
                    }
                },
                None => {}
            }
        }
        let login: Vec<String> = parts.iter().map(|(_, value)| escaped(value)).collect();
        let (scheme, rest) = bare.split_once("://").unwrap_or_default();
        let uri = format!("{scheme}://{}@{rest}", login.join(":"));
        Ok(Stream { shown, uri, secrets: Redaction::new(parts.iter().map(|(name, value)| (name, value))) })
    }

    /// Looks at it for a few seconds.
    pub(super) fn facts(&self, launch: &Launch, cancel: &Cancel) -> Result<VideoFacts> {
        let broken = |fault: String| {
            let faults = vec![self.secrets.without(fault)];
            VideoFacts { video: self.shown.clone(), faults, ..VideoFacts::default() }
        };
        let contents = match look_at(launch, &self.uri, LOOK, cancel) {
            Ok(contents) => contents,
            Err(error) => return unplayable(error).map(broken),
        };
        if contents.tracks.is_empty() {
            return Ok(broken("sent nothing for 10 s".to_owned()));
        }
        let mut found = VideoFacts::of(self.shown.clone(), &contents);
        match &found.film {
            Some(film) => found.seen_ms = Some(film.video.duration_ms),
            None => found.faults.push(contents.without_film()),
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_in_the_uri_and_not_in_what_is_shown() {
        let stream = Stream::of("rtsp://bob:p@ss@door/1").unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(
            (stream.shown.as_str(), stream.uri.as_str()),
            ("rtsp://***@door/1", "rtsp://bob:p%40ss@door/1")
        );
        assert_eq!(stream.secrets.without("no p%40ss".to_owned()), "no $password");
        let device = Stream::of("/dev/video0").unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(device.uri, "v4l2:///dev/video0");
        assert!(Stream::of("ftp://door/1").is_err());
    }
}
