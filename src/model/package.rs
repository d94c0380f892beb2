//! A file of a package: where an asset may come from, besides a URL.
//!
//! Not here: the `source` of a config (`config::package`), and fetching (`action::package`).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// The characters of a part of a package URL that are escaped.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// `source` of an asset, or of a file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetSource {
    /// A file on Hugging Face is one at a URL.
    Url(String),
    Package(PackageSource),
}

/// A file of a package, or a part of it. A version of a registry never changes, so these
/// fields identify the contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSource {
    pub registry: Registry,
    /// Only characters that no program takes for an option, a URL or a path: `@mediapipe/objectron`.
    pub name: String,
    /// One version exactly.
    pub version: String,
    /// As the package names it: `package/model.tflite`.
    pub path: String,
    /// The part of the file: the first byte, and the one after the last. `None` = all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
    /// The Python that a wheel is for, if it is not that of this machine: `3.11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The platform that a wheel is for, if it is not this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// A registry of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// Python's. Only wheels: a source package is built by running it.
    Pypi,
    Npm,
}

impl PackageSource {
    /// The package as its client calls it: `mediapipe==0.10.21`, `@mediapipe/objectron@0.4.1`.
    #[must_use]
    pub fn package(&self) -> String {
        match self.registry {
            Registry::Pypi => format!("{}=={}", self.name, self.version),
            Registry::Npm => format!("{}@{}", self.name, self.version),
        }
    }

    /// The file as a package URL: `pkg:npm/%40mediapipe/objectron@0.4.1?bytes=184-200#package/x`.
    ///
    /// Source: <https://github.com/package-url/purl-spec>; `bytes`, `python` and `platform` are ours.
    #[must_use]
    pub fn url(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, IN_URL).to_string();
        let registry = match self.registry {
            Registry::Pypi => "pypi",
            Registry::Npm => "npm",
        };
        let qualifiers = [
            ("bytes", self.bytes.map(|(from, to)| format!("{from}-{to}"))),
            ("platform", self.platform.as_deref().map(encoded)),
            ("python", self.python.as_deref().map(encoded)),
        ];
        let given: Vec<String> =
            qualifiers.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?))).collect();
        let mark = if given.is_empty() { "" } else { "?" };
        let (name, version, path) = (encoded(&self.name), encoded(&self.version), encoded(&self.path));
        format!("pkg:{registry}/{name}@{version}{mark}{}#{path}", given.join("&"))
    }
}

impl fmt::Display for PackageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = match self.registry {
            Registry::Pypi => "PyPI",
            Registry::Npm => "npm",
        };
        if let Some((from, to)) = self.bytes {
            write!(f, "bytes {from} to {to} of ")?;
        }
        write!(f, "{} in {} of {registry}", self.path, self.package())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_source_is_named_and_hashed_in_full() {
        let mut source = PackageSource {
            registry: Registry::Npm,
            name: "@a/b".to_owned(),
            version: "1.0.0".to_owned(),
            path: "package/x".to_owned(),
            bytes: Some((184, 200)),
            python: None,
            platform: None,
        };
        expect!["bytes 184 to 200 of package/x in @a/b@1.0.0 of npm"].assert_eq(&source.to_string());
        expect![[
            r#"{"registry":"npm","name":"@a/b","version":"1.0.0","path":"package/x","bytes":[184,200]}"#
        ]]
        .assert_eq(&serde_json::to_string(&source).unwrap());
        assert_eq!(source.url(), "pkg:npm/%40a/b@1.0.0?bytes=184-200#package/x");
        source = PackageSource { registry: Registry::Pypi, bytes: None, ..source };
        assert_eq!(source.url(), "pkg:pypi/%40a/b@1.0.0#package/x");
        expect!["package/x in @a/b==1.0.0 of PyPI"].assert_eq(&source.to_string());
    }
}
