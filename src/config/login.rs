//! User and password of a stream: read from its URI, and kept out of plans.
//!
//! A plan holds the user, and the name of a variable or a digest for a password
//! ([`Credential`]). Only [`Logins::passwords`] has a password that is written out.
//!
//! Not here: handing it to the player (`action::run`).

use std::collections::BTreeMap;

use super::reader::At;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::digest::keyed;
use crate::model::{Credential, Login, Password};
use crate::name::Slug;
use crate::pipeline::login::unescaped;
use crate::text::secret_parameter;

/// The help for a stream.
pub(super) const BY_REFERENCE: &str =
    "write `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`, and set these variables of your own for `lp run`";
/// The help for a download.
pub(super) const IN_CLEAR: &str = "records of the download contain them: restrict who can read the records";

/// User and password of a stream as written.
#[derive(Debug)]
pub(crate) struct RawLogin {
    pub(crate) user: RawCredential,
    pub(crate) password: Option<RawCredential>,
}

/// A user or a password as written.
#[derive(Debug)]
pub(crate) enum RawCredential {
    /// The value, without the escapes of a URI.
    Text(String),
    /// The name of a variable.
    Variable(String),
}

/// The URI without user and password, and these: written out or as the name of a
/// variable, `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`. `None` if it has none.
pub(crate) fn login(uri: &str) -> Option<(String, RawLogin)> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // The last one: a password may hold an `@`.
    let (userinfo, host) = rest[..end].rsplit_once('@')?;
    let credential = |text: &str| match variable(text) {
        Some(name) => RawCredential::Variable(name.to_owned()),
        None => RawCredential::Text(unescaped(text)),
    };
    let login = match userinfo.split_once(':') {
        Some((user, password)) => RawLogin { user: credential(user), password: Some(credential(password)) },
        None => RawLogin { user: credential(userinfo), password: None },
    };
    Some((format!("{scheme}://{host}{}", &rest[end..]), login))
}

/// Whether a text is the name of a variable: `${NAME}`.
pub(super) fn is_by_variable(text: &str) -> bool {
    variable(text).is_some()
}

/// The name in `${NAME}`.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

/// Warns if a URI has a user or password before its host.
pub(super) fn warn_of_credentials(uri: &str, help: &str, at: &At<'_>, diagnostics: &mut Diagnostics) {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        let message = format!("`{}` holds credentials in clear text", at.name);
        diagnostics.push(
            Diagnostic::warning(codes::LITERAL_CREDENTIALS, message)
                .at(at.node.place)
                .label("the part before `@`")
                .help(help),
        );
    }
}

/// Warns if a parameter of a stream's URI seems to be a password or a token. It cannot be taken out of
/// the URI, since only the camera knows what it means.
pub(super) fn warn_of_secret_parameter(uri: &str, at: &At<'_>, diagnostics: &mut Diagnostics) {
    let Some(name) = secret_parameter(uri) else { return };
    let message = format!("`{}` holds credentials in clear text", at.name);
    diagnostics.push(
        Diagnostic::warning(codes::LITERAL_CREDENTIALS, message)
            .at(at.node.place)
            .label(format!("the parameter `{name}`"))
            .help("plans and launch lines contain it; if the camera takes a login, write `rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path`"),
    );
}

/// Collects the passwords that are written out, and plans digests in their place.
pub(super) struct Logins<'a> {
    key: Option<&'a [u8]>,
    /// The passwords that are written out, by the camera's slug.
    pub(super) passwords: BTreeMap<Slug, Password>,
}

impl<'a> Logins<'a> {
    /// `key` makes the digests of passwords: see [`Credential::Written`].
    pub(super) fn new(key: Option<&'a [u8]>) -> Logins<'a> {
        Logins { key, passwords: BTreeMap::new() }
    }

    /// The login of the camera with this slug.
    pub(super) fn login(&mut self, raw: RawLogin, slug: &Slug) -> Login {
        match raw.password {
            Some(password) => {
                let user = match raw.user {
                    RawCredential::Text(user) => Credential::Text(user),
                    RawCredential::Variable(name) => Credential::Variable(name),
                };
                Login { user, password: Some(self.secret(password, slug)) }
            }
            None => Login { user: self.secret(raw.user, slug), password: None },
        }
    }

    fn secret(&mut self, raw: RawCredential, slug: &Slug) -> Credential {
        match raw {
            RawCredential::Variable(name) => Credential::Variable(name),
            RawCredential::Text(text) => {
                let digest = self.key.map(|key| keyed(key, &format!("{slug}\0{text}")));
                let password_digest = digest.unwrap_or_else(|| "unknown".to_owned());
                self.passwords.insert(slug.clone(), Password(text));
                let variable = format!("PASSWORD_{slug}").replace('-', "_");
                Credential::Written { variable, password_digest }
            }
        }
    }
}
