//! Removes secrets from records and logs: scripts may print their environment,
//! GStreamer quotes URIs in its errors, and users share records.

use std::collections::BTreeMap;

use crate::pipeline::login::escaped;
use crate::text::{is_secret, passwords, redacted, secrets_of_words};
use crate::worker::error::WorkerExit;
use crate::worker::protocol::{End, EventBody};

/// Shorter values are no secrets: any text may contain them.
const SHORTEST: usize = 4;

/// What replaces a secret without a name.
const HIDDEN: &str = "***";

/// Secret values, and the names that replace them.
#[derive(Clone, Default)]
pub struct Redaction(Vec<(String, String)>);

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, name)| name)).finish()
    }
}

impl Redaction {
    /// These variables: names and values.
    pub fn new<'a>(secrets: impl Iterator<Item = (&'a String, &'a String)>) -> Redaction {
        let mut redaction = Vec::new();
        for (name, value) in secrets.filter(|(_, value)| SHORTEST <= value.len()) {
            for form in [value.clone(), escaped(value)] {
                redaction.push((form, format!("${name}")));
            }
        }
        Redaction::sorted(redaction)
    }

    fn sorted(mut redaction: Vec<(String, String)>) -> Redaction {
        // A value that contains another goes first.
        redaction.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        redaction.dedup();
        Redaction(redaction)
    }

    /// These and what a command and its variables show to be secret: values of variables and options that
    /// seem to be by their names, and passwords in URLs.
    #[must_use]
    pub(super) fn and_of_command(&self, command: &[String], env: &BTreeMap<String, String>) -> Redaction {
        let mut found = self.0.clone();
        let mut hide = |value: &str, name: String| {
            if SHORTEST <= value.len() {
                found.extend([value.to_owned(), escaped(value)].map(|form| (form, name.clone())));
            }
        };
        for (name, value) in env.iter().filter(|(name, _)| is_secret(name)) {
            hide(value, format!("${name}"));
        }
        for secret in secrets_of_words(command) {
            hide(secret, HIDDEN.to_owned());
        }
        for text in command.iter().chain(env.values()) {
            passwords(text).into_iter().for_each(|range| hide(&text[range], HIDDEN.to_owned()));
        }
        Redaction::sorted(found)
    }

    /// A text without them, and without logins and secret parameters in the URLs of its lines.
    #[must_use]
    pub(super) fn clean(&self, text: &str) -> String {
        self.without(text.to_owned()).split_inclusive('\n').map(redacted).collect()
    }

    /// A text in which names of variables replace their values.
    #[must_use]
    pub fn without(&self, mut text: String) -> String {
        for (value, name) in &self.0 {
            if text.contains(value.as_str()) {
                text = text.replace(value, name);
            }
        }
        text
    }

    /// Removes them from the texts of an event.
    pub(super) fn clear(&self, event: &mut EventBody) {
        // GStreamer quotes URIs, which may have a password among their parameters, too.
        let clear = |text: &mut String| *text = redacted(&self.without(std::mem::take(text)));
        match event {
            EventBody::Refused { reason, .. } => clear(reason),
            EventBody::Ended { end: End::Error { reason, debug, .. }, .. } => {
                clear(reason);
                clear(debug);
            }
            EventBody::Messages { messages, .. } => {
                messages.iter_mut().flat_map(|message| message.fields.values_mut()).for_each(clear);
            }
            EventBody::Frames { delivered, .. } => {
                delivered.outages.iter_mut().map(|outage| &mut outage.reason).for_each(clear);
            }
            _ => {}
        }
    }

    /// Removes them from the end of a worker's stderr.
    pub(super) fn clear_exit(&self, exit: &mut WorkerExit) {
        exit.stderr_tail = redacted(&self.without(std::mem::take(&mut exit.stderr_tail)));
        exit.last_event = exit.last_event.take().map(|event| self.without(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_by_their_names() {
        let secrets = [("USER", "bob"), ("PW", "hunter@2"), ("PW2", "hunter@22")];
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let redaction = Redaction::new(secrets.iter().map(|(name, value)| (name, value)));
        assert_eq!(redaction.without("bob: hunter@2 hunter%402 hunter@22".to_owned()), "bob: $PW $PW $PW2");
        assert!(!format!("{redaction:?}").contains("hunter"));
    }

    #[test]
    fn a_command_and_its_variables_have_secrets_of_their_own() {
        let command =
            ["top", "--token=abcd1", "--password", "abcd2", "rtsp://bob:abcd3@h/x"].map(str::to_owned);
        let env = [("API_KEY", "abcd4"), ("PLAIN", "abcd5")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let redaction = Redaction::default().and_of_command(&command, &env);
        assert_eq!(
            redaction.clean("abcd1 abcd2 abcd3\nabcd4 abcd5\nhttp://a:b@c/d\nx@y"),
            "*** *** ***\n$API_KEY abcd5\nhttp://***@c/d\nx@y"
        );
    }
}
