//! Reads `[asset.NAME]`: pins, mirrors, what a request carries, a file in its place, or a package
//! that has it.
//!
//! No secret is a value here: a token, and a header that is one, name a variable of the
//! environment, which is read when the download begins.

use std::collections::BTreeMap;

use super::clips::{URL, asset_path, is_fetch_url};
use super::login::is_by_variable;
use super::package::source;
use super::reader::{At, KeyNames, Reader, by, map_of, table};
use super::shape::{Shape, UnknownKeys, unseen};
use super::tree::Key;
use super::values::{list_of, read_string, spanned, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{AssetPin, AssetSource};
use crate::os::http::{PinKey, Pins};
use crate::path::is_file_name;

/// The largest file that can be pinned, in bytes: 1 PiB.
pub(super) const LARGEST: i64 = 1 << 50;

/// A name of a header (RFC 9110, 5.6.2).
const HEADER: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

/// Headers that a config cannot set, and what to do instead.
const OWN_HEADERS: [(&str, &str); 12] = [
    ("authorization", "write `token = \"VARIABLE\"` for a token; user and password belong in `~/.netrc`"),
    ("proxy-authorization", "user and password of a proxy belong in `HTTPS_PROXY`"),
    ("accept-encoding", OWN),
    ("connection", OWN),
    ("content-length", OWN),
    ("expect", OWN),
    ("host", OWN),
    ("if-range", OWN),
    ("range", OWN),
    ("te", OWN),
    ("transfer-encoding", OWN),
    ("upgrade", OWN),
];
const OWN: &str = "`lp` sends it itself where it is needed";

/// `[asset.NAME]`, by name.
pub(super) fn assets_map() -> impl Reader<Value = Vec<(String, AssetPin)>> + Copy {
    // A plain file name without a dot or dash at its beginning.
    let names = concat!(r"^[^/.\-", unseen!(), r"][^/", unseen!(), r"]*$");
    map_of(KeyNames::Path, UnknownKeys::Refuse, names, || asset().shape(), named_asset)
}

fn named_asset(key: &Key, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<(String, AssetPin)> {
    let pin = asset().read(at, diagnostics)?;
    if !is_file_name(&key.text) {
        let message = format!("`{}` cannot be the name of an asset", key.text);
        let diagnostic = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
        diagnostics.push(diagnostic.label("expected a plain file name such as `scan.mp4`"));
        return None;
    }
    Some((key.text.clone(), AssetPin { place: key.place, ..pin }))
}

fn asset() -> impl Reader<Value = AssetPin> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let given: Vec<&str> =
            ["path", "urls", "headers", "token"].into_iter().filter(|key| table.has(key)).collect();
        let urls = "URLs to try, in order, before the URL of the camera";
        let urls = table.optional("urls", urls, list_of(fetch_url()), diagnostics).unwrap_or_default();
        let pin = "The file's SHA-256 digest, 64 hex digits";
        let sha256 = table.optional("sha256", pin, spanned(hex(64)), diagnostics);
        let pin = "The file's SHA-384 digest, 96 hex digits";
        let sha384 = table.optional("sha384", pin, spanned(hex(96)), diagnostics);
        let pin = "The file's BLAKE3 digest, 64 hex digits";
        let blake3 = table.optional("blake3", pin, spanned(hex(64)), diagnostics);
        let pin = "The file's SHA-1 as a blob of Git, 40 hex digits, as `git hash-object` prints it";
        let git_blob_sha1 = table.optional("git_blob_sha1", pin, spanned(hex(40)), diagnostics);
        let size = "The file's size in bytes";
        let size = table.optional("size", size, spanned(whole(1, LARGEST)), diagnostics);
        let headers = "Headers of its requests; a value `${NAME}` is that of the variable NAME";
        let headers = table.optional("headers", headers, headers_map(), diagnostics).unwrap_or_default();
        let token = "The environment variable with the token that its requests carry";
        let token = table.optional("token", token, token_variable(), diagnostics);
        let path = "A video of your own in its place, relative to the project or absolute";
        let path = table.optional("path", path, spanned(asset_file()), diagnostics);
        let path = path.map(|path| (path.value, path.place));
        let about = "A file of a package of PyPI or npm, or of Hugging Face, instead of the camera's URL";
        let source = table.optional("source", about, source(), diagnostics);
        let source = source.and_then(|source| alone(source, &given, diagnostics));
        let mut pin_places = BTreeMap::new();
        let pins = Pins {
            sha256: placed(PinKey::Sha256, sha256, &mut pin_places),
            sha384: placed(PinKey::Sha384, sha384, &mut pin_places),
            blake3: placed(PinKey::Blake3, blake3, &mut pin_places),
            git_blob_sha1: placed(PinKey::GitBlobSha1, git_blob_sha1, &mut pin_places),
            size: placed(PinKey::Size, size, &mut pin_places),
        };
        Some(AssetPin {
            urls,
            pins,
            pin_places,
            headers: headers.into_iter().collect(),
            token,
            path,
            source,
            place: Place::default(),
        })
    })
}

/// The value of a pin, whose place is remembered.
fn placed<T>(key: PinKey, pin: Option<Spanned<T>>, places: &mut BTreeMap<PinKey, Place>) -> Option<T> {
    let Spanned { value, place } = pin?;
    places.insert(key, place);
    Some(value)
}

/// A source, unless another key that is `given` contradicts it.
fn alone(
    source: Spanned<AssetSource>,
    given: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<(AssetSource, Place)> {
    let Spanned { value, place } = source;
    let refused: &[&str] = match value {
        AssetSource::Url(_) => &["path", "urls"],
        AssetSource::Package(_) => &["path", "urls", "headers", "token"],
    };
    let Some(other) = given.iter().find(|key| refused.contains(key)) else { return Some((value, place)) };
    let message = format!("`source` says where the file comes from, so `{other}` has no effect");
    let fault = Diagnostic::error(codes::BAD_SOURCE, message).at(place);
    diagnostics.push(fault.help(format!("delete `{other}`, or `source`")));
    None
}

/// The name of a variable, in capitals: a token itself, which has small letters, is no name.
fn token_variable() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some("^[A-Z_][A-Z0-9_]*$".to_owned())),
        |at, diagnostics| {
            let name = read_string(at, diagnostics)?;
            let is_letter = |c: char| c.is_ascii_uppercase() || c == '_';
            if name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit()) {
                return Some(name);
            }
            let message = format!("`{}` must name an environment variable in capitals", at.name);
            let fault = Diagnostic::error(codes::BAD_NAME, message).at(at.node.place);
            let fault = fault.help("a token itself belongs in no file: set `HF_TOKEN`, and write its name");
            diagnostics.push(fault);
            None
        },
    )
}

fn headers_map() -> impl Reader<Value = Vec<(String, String)>> + Copy {
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        HEADER,
        || header_value().shape(),
        |key, at, diagnostics| {
            let name = &key.text;
            let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+.^_`|~-".contains(c);
            if name.is_empty() || !name.chars().all(is_token) {
                let message = format!("`{name}` cannot be the name of a header");
                let fault = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
                diagnostics.push(fault.label("expected a name such as `Referer`"));
                return None;
            }
            let own = OWN_HEADERS.iter().find(|(own, _)| name.eq_ignore_ascii_case(own));
            if let Some((_, help)) = own {
                let message = format!("the header `{name}` cannot be set");
                diagnostics.push(Diagnostic::error(codes::BAD_HEADER, message).at(key.place).help(*help));
                return None;
            }
            let value = header_value().read(at, diagnostics)?;
            let lower = name.to_ascii_lowercase();
            let is_secret =
                ["auth", "cookie", "key", "secret", "token"].iter().any(|word| lower.contains(word));
            if is_secret && !is_by_variable(&value) {
                let message = format!("`{}` holds credentials in clear text", at.name);
                let fault = Diagnostic::warning(codes::LITERAL_CREDENTIALS, message).at(at.node.place);
                diagnostics.push(fault.help("write `\"${NAME}\"`, and set the variable NAME for `lp build`"));
            }
            Some((name.clone(), value))
        },
    )
}

/// Printable ASCII, or `${NAME}`.
fn header_value() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some("^[!-~]([ -~]*[!-~])?$".to_owned())),
        |at, diagnostics| {
            let value = read_string(at, diagnostics)?;
            let fault = |message: String| Diagnostic::error(codes::BAD_HEADER, message).at(at.node.place);
            if value.trim() != value || !value.chars().all(|c| matches!(c, ' '..='~')) {
                let message = format!("`{}` must be printable ASCII without blanks around it", at.name);
                diagnostics.push(fault(message));
                return None;
            }
            if value.contains("${") && !is_by_variable(&value) {
                let message = format!("`{}` must be a variable as a whole, or have none", at.name);
                diagnostics.push(fault(message).help("let the variable have the whole value: `\"${NAME}\"`"));
                return None;
            }
            Some(value)
        },
    )
}

/// The path of a user's file.
fn asset_file() -> impl Reader<Value = String> + Copy {
    let shape = || Shape::String(Some(concat!(r"^[^~", unseen!(), r"][^", unseen!(), r"]*$").to_owned()));
    by(shape, |at, diagnostics| {
        let written = read_string(at, diagnostics)?;
        match asset_path(&written) {
            Ok(path) => Some(path),
            Err((label, help)) => {
                let message = format!("`{}` must be the path of a file", at.name);
                let fault = Diagnostic::error(codes::BAD_PATH, message).at(at.node.place);
                diagnostics.push(fault.label(label).help(help));
                None
            }
        }
    })
}

/// A URL that can be fetched.
pub(super) fn fetch_url() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(format!("^{URL}$"))),
        |at, diagnostics| {
            let url = read_string(at, diagnostics)?;
            if is_fetch_url(&url) {
                return Some(url);
            }
            let message = format!("`{}` must be a URL that begins with `http://` or `https://`", at.name);
            diagnostics.push(at.fault(codes::BAD_URL, &message));
            None
        },
    )
}

/// A digest of so many hex digits, in lower case.
pub(super) fn hex(digits: usize) -> impl Reader<Value = String> + Copy {
    by(
        move || Shape::String(Some(format!("^[0-9A-Fa-f]{{{digits}}}$"))),
        move |at, diagnostics| {
            let digest = read_string(at, diagnostics)?.to_ascii_lowercase();
            if digest.len() == digits && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Some(digest);
            }
            let message = format!("`{}` must be {digits} hex digits", at.name);
            diagnostics.push(at.fault(codes::BAD_DIGEST, &message));
            None
        },
    )
}
