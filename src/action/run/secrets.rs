//! User and password of a camera's stream, which are in no plan: from the
//! environment, or from the config if written there.

use std::collections::BTreeMap;

use super::ActionError;
use crate::model::{Credential, Login, Password};
use crate::name::Slug;
use crate::os;
use crate::pipeline::ResolveError;
use crate::plan::CameraPlan;
use crate::session::Redaction;

/// The secrets of one camera: values by variable name.
pub(super) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The secrets of a plan that is not a copy's.
    ///
    /// # Errors
    /// When a variable is not set, or not UTF-8.
    pub(super) fn of(
        plan: &CameraPlan,
        passwords: &BTreeMap<Slug, Password>,
    ) -> Result<Secrets, ActionError> {
        let mut secrets = BTreeMap::new();
        for credential in login(plan).into_iter().flat_map(Login::parts) {
            let (name, value) = match credential {
                Credential::Text(_) => continue,
                Credential::Variable(name) => (name, os::env::variable(name)),
                Credential::Written { variable, .. } => {
                    (variable, passwords.get(&plan.slug).map(|password| password.0.clone()))
                }
            };
            let missing = || ActionError::Worker(ResolveError::MissingVariable(name.clone()).to_string());
            secrets.insert(name.clone(), value.ok_or_else(missing)?);
        }
        Ok(Secrets(secrets))
    }

    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// The value of a user or password.
    pub(super) fn credential(&self, credential: &Credential) -> Option<String> {
        match credential {
            Credential::Text(text) => Some(text.clone()),
            Credential::Variable(name) | Credential::Written { variable: name, .. } => self.value(name),
        }
    }

    /// The redaction of the secrets in texts of a run.
    pub(super) fn redaction(&self) -> Redaction {
        Redaction::new(self.0.iter())
    }

    /// The redaction of the secrets in texts of a run of several cameras.
    pub(super) fn all<'a>(all: impl Iterator<Item = &'a Secrets>) -> Redaction {
        Redaction::new(all.flat_map(|secrets| &secrets.0))
    }
}

/// The login of a camera's stream.
pub(super) fn login(plan: &CameraPlan) -> Option<&Login> {
    plan.source.stream()?.login.as_ref()
}
