//! A look at a stream: a few seconds of what it sends, for `lp show URI` and `lp doctor --camera`.

use std::time::Duration;

use crate::action::{ExamineError, Receiving, look_at};
use crate::config::{RawCredential, RawLogin, login};
use crate::model::{Camera, Credential, Login, Project, Rtsp, RtspStream, Source};
use crate::os;
use crate::os::process::Cancel;
use crate::pipeline::facts::VideoFacts;
use crate::pipeline::login::escaped;
use crate::session::Redaction;
use crate::text::redacted;
use crate::worker::launch::Launch;
use crate::workspace::error::{CommandError, Kind, Result};

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
    receiving: Receiving,
}

impl Stream {
    /// The stream of a URI, or of a device; one of RTSP is received as `[rtsp]` says.
    ///
    /// # Errors
    /// When `lp` cannot receive it, or a variable of its login is not set.
    pub(super) fn of(word: &str, rtsp: Option<&Rtsp>) -> Result<Stream> {
        let receiving = rtsp.map_or_else(Receiving::default, |rtsp| Receiving {
            transport: rtsp.transport,
            latency_ms: rtsp.latency_ms,
            certificate: rtsp.certificate,
        });
        let written = if word.starts_with("/dev/") { format!("v4l2://{word}") } else { word.to_owned() };
        let shown = redacted(&written);
        let (scheme, _) = written.split_once("://").unwrap_or_default();
        if !SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
            let fault = format!("`{shown}` is no stream that `lp` can receive");
            let hint = format!("schemes are {}", SCHEMES.join(", "));
            return Err(CommandError::refused(fault).hint(hint));
        }
        let Some((bare, RawLogin { user, password })) = login(&written) else {
            let secrets = Redaction::default();
            return Ok(Stream { shown, uri: written, secrets, receiving });
        };
        let mut parts = Vec::new();
        for (name, credential) in [("user", Some(user)), ("password", password)] {
            match credential {
                Some(RawCredential::Text(text)) => parts.push((name.to_owned(), text)),
                Some(RawCredential::Variable(name)) => parts.push((name.clone(), variable(&name, &shown)?)),
                None => {}
            }
        }
        let (uri, secrets) = logged_in(&bare, &parts);
        Ok(Stream { shown, uri, secrets, receiving })
    }

    /// The stream of a camera, as a run receives it.
    ///
    /// # Errors
    /// When it has none, or a variable of its login is not set.
    pub(super) fn of_camera(project: &Project, camera: &Camera) -> Result<Stream> {
        let RtspStream { uri, login, transport, latency_ms, certificate, .. } = match &camera.source {
            Source::Rtsp(stream) => stream.clone(),
            Source::Usb { device } => {
                let (shown, uri) = (device.clone(), format!("v4l2://{device}"));
                return Ok(Stream {
                    shown,
                    uri,
                    secrets: Redaction::default(),
                    receiving: Receiving::default(),
                });
            }
            Source::File(_) | Source::Synthetic { .. } => {
                let fault = format!("`{}` plays a file or a scene, not a camera", camera.name);
                return Err(CommandError::refused(fault).hint("`lp show VIDEO` looks into a file"));
            }
        };
        let shown = redacted(&uri);
        let mut parts = Vec::new();
        for (what, credential) in ["user", "password"].into_iter().zip(login.iter().flat_map(Login::parts)) {
            parts.push(match credential {
                Credential::Text(text) => (what.to_owned(), text.clone()),
                Credential::Variable(name) => (name.clone(), variable(name, &shown)?),
                Credential::Written { variable, .. } => {
                    let password = project.passwords.get(&camera.slug);
                    (variable.clone(), password.map(|password| password.0.clone()).unwrap_or_default())
                }
            });
        }
        let (uri, secrets) = logged_in(&uri, &parts);
        let receiving = Receiving { transport, latency_ms, certificate };
        Ok(Stream { shown, uri, secrets, receiving })
    }

    /// Looks at it for a few seconds.
    pub(super) fn facts(&self, launch: &Launch, cancel: &Cancel) -> Result<VideoFacts> {
        let broken = |fault: String| {
            // The worker names the URI, and so does who shows the fault.
            let fault = fault.replace(&format!("`{}`: ", os::rtsp::public(&self.uri)), "");
            let faults = vec![self.secrets.without(fault)];
            VideoFacts { video: self.shown.clone(), faults, ..VideoFacts::default() }
        };
        let contents = match look_at(launch, &self.uri, self.receiving, LOOK, cancel) {
            Ok(contents) => contents,
            Err(error) => return unplayable(error).map(broken),
        };
        if contents.tracks.is_empty() {
            return Ok(broken("sent nothing for 10 s".to_owned()));
        }
        let mut found = VideoFacts::of(self.shown.clone(), &contents);
        found.reception.clone_from(&contents.reception);
        match &found.film {
            Some(film) => found.seen_ms = Some(film.video.duration_ms),
            None => found.faults.push(contents.without_film()),
        }
        Ok(found)
    }
}

/// The fault of a video that is the cause of an error.
pub(super) fn unplayable(error: ExamineError) -> Result<String> {
    match error {
        ExamineError::Unplayable(fault) => Ok(fault),
        ExamineError::Cancelled => {
            Err(CommandError { kind: Kind::Interrupted, ..CommandError::refused("interrupted") })
        }
        ExamineError::Worker(error) => Err(anyhow::Error::new(error).into()),
    }
}

fn variable(name: &str, shown: &str) -> Result<String> {
    os::env::variable(name).ok_or_else(|| {
        CommandError::refused(format!("the variable `{name}` of `{shown}` is not set, or not UTF-8"))
    })
}

/// A URI with the parts of a login, which have names, and what hides them.
fn logged_in(bare: &str, parts: &[(String, String)]) -> (String, Redaction) {
    let login: Vec<String> = parts.iter().map(|(_, value)| escaped(value)).collect();
    let uri = match bare.split_once("://").filter(|_| !login.is_empty()) {
        Some((scheme, rest)) => format!("{scheme}://{}@{rest}", login.join(":")),
        None => bare.to_owned(),
    };
    (uri, Redaction::new(parts.iter().map(|(name, value)| (name, value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_in_the_uri_and_not_in_what_is_shown() {
        let stream = Stream::of("rtsp://bob:p@ss@door/1", None).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(
            (stream.shown.as_str(), stream.uri.as_str()),
            ("rtsp://***@door/1", "rtsp://bob:p%40ss@door/1")
        );
        assert_eq!(stream.secrets.without("no p%40ss".to_owned()), "no $password");
        let device = Stream::of("/dev/video0", None).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(device.uri, "v4l2:///dev/video0");
        assert!(Stream::of("ftp://door/1", None).is_err());
    }
}
