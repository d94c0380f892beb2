//! Reads a `fileSrc`.
//!
//! A clip is fetched from a URL, drawn from a scene, or is a video of the user's:
//! a path in the project, or with `file:` (or a `path` of `[asset.NAME]`) one that may
//! lie anywhere.
//!
//! Not here: the file that is meant (`origins`).

use super::login::{IN_CLEAR, warn_of_credentials};
use super::reader::{Reader, by};
use super::shape::{Shape, unseen};
use super::values::{read_any_string, unseen};
use crate::diag::Diagnostic;
use crate::diag::codes;
use crate::path::{PathError, ProjectPath, is_file_name};
use crate::text::{is_unseen, redacted};

/// A regular expression for a URL that can be fetched, without anchors.
pub(super) const URL: &str =
    concat!(r"[hH][tT][tT][pP][sS]?://[^\s/?#", unseen!(), r"][^\s", unseen!(), r"]*");

/// A clip as written.
#[derive(Clone, Debug)]
pub(super) struct RawClip {
    /// `scan.mp4`
    pub(super) file: String,
    pub(super) origin: RawOrigin,
}

/// Where a clip comes from, as written.
#[derive(Clone, Debug)]
pub(super) enum RawOrigin {
    Url(String),
    Scene(String),
    /// A path in the project; without a folder, a `path` of `[asset.NAME]` takes
    /// precedence.
    Inside(ProjectPath),
    /// After `file:`: absolute or relative to the project.
    File(String),
}

/// The forms of a `fileSrc`.
pub(super) const FORMS: &str = "write a path in the project, such as `clips/scan.mp4`, or a name and an origin: \
     `scan.mp4|file:/path/scan.mp4`, `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`";

/// A `fileSrc`.
pub(super) fn clip() -> impl Reader<Value = RawClip> + Copy {
    by(shape, |at, diagnostics| {
        let written = read_any_string(at, diagnostics)?;
        if written.contains(is_unseen) {
            diagnostics.push(unseen(at, &written));
            return None;
        }
        let (label, help) = match read(&written) {
            Ok(clip) => {
                if let RawOrigin::Url(url) = &clip.origin {
                    warn_of_credentials(url, IN_CLEAR, at, diagnostics);
                }
                return Some(clip);
            }
            Err(refused) => refused,
        };
        let message = format!("`{}` names no video", at.name);
        let refused = Diagnostic::error(codes::BAD_FILE_SOURCE, message).at(at.node.place).label(label);
        diagnostics.push(refused.help(help.unwrap_or_else(|| FORMS.to_owned())));
        None
    })
}

fn shape() -> Shape {
    let name = concat!(r"\s*[^\s/|.\-", unseen!(), r"][^/|", unseen!(), r"]{0,199}");
    let path = concat!(r"(?!~|//)[^", unseen!(), r"]+");
    let uri = concat!(r"//(localhost)?/([^%", unseen!(), r"]|%[0-9A-Fa-f]{2})+");
    let last = concat!(r"[^\s/|.\-", unseen!(), r"][^/|", unseen!(), r"]*");
    let inside =
        concat!(r"(?!scene:|file:|[^|]*://|~|\s*\.\.(/|$))([^/|", unseen!(), r"][^|", unseen!(), r"]*/)?");
    Shape::String(Some(format!(
        r"^({name}\|\s*({URL}|scene:[A-Za-z0-9_][A-Za-z0-9_.\-]*|file:({path}|{uri}))\s*|\s*file:(?!.*\|)({path}|{uri})|{inside}{last})$"
    )))
}

/// The fault of a `fileSrc`: a label, and a help if it is not the usual one.
type Refused = (String, Option<String>);

/// The clip, or the fault of the string.
fn read(written: &str) -> Result<RawClip, Refused> {
    let Some((file, origin)) = written.split_once('|') else { return unnamed(written.trim()) };
    let (file, origin) = (file.trim(), origin.trim());
    if !is_file_name(file) {
        return Err(no_name(file, origin));
    }
    let origin = match origin.split_once(':') {
        Some(("scene", scene)) => RawOrigin::Scene(scene_of(scene)?),
        Some(("file", path)) => RawOrigin::File(path_of(path)?),
        _ if is_fetch_url(&with_small_scheme(origin)) => RawOrigin::Url(with_small_scheme(origin)),
        _ => return Err(no_origin(file, origin)),
    };
    Ok(RawClip { file: file.to_owned(), origin })
}

/// The fault of what stands before `|`.
fn no_name(file: &str, origin: &str) -> Refused {
    let label = match file {
        "" => "the name before `|` is missing".to_owned(),
        _ => format!("`{}` is not a plain file name", file.escape_debug()),
    };
    // A path is meant as the name, or, without a name, as the origin.
    let (path, origin) = match (file, origin.contains(':')) {
        ("", false) => (origin, format!("file:{origin}")),
        ("", true) => (origin, origin.to_owned()),
        _ => (file, origin.to_owned()),
    };
    let name = last(path);
    let is_meant = is_file_name(name) && !name.contains(':') && !origin.is_empty();
    (label, is_meant.then(|| format!("write `{name}|{origin}`")))
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The fault of a stream or a device, which is no file.
fn stream(origin: &str) -> Option<Refused> {
    let uri = match origin.split_once("://") {
        Some((scheme, _)) if matches!(&*scheme.to_ascii_lowercase(), "rtsp" | "rtsps" | "v4l2") => {
            origin.to_owned()
        }
        None if origin.starts_with("/dev/") => format!("v4l2://{origin}"),
        _ => return None,
    };
    let label = "this is a stream, not a file".to_owned();
    Some((label, Some(format!("write `\"streamUri\": \"{}\"` instead of `fileSrc`", redacted(&uri)))))
}

fn no_origin(file: &str, origin: &str) -> Refused {
    let help = |text: String| Some(format!("write {text}"));
    if let Some(stream) = stream(origin) {
        return stream;
    }
    match origin.split_once("://") {
        Some((scheme, _)) if !matches!(&*scheme.to_ascii_lowercase(), "http" | "https") => {
            (format!("only `http` and `https` can be fetched, not `{}`", scheme.escape_debug()), None)
        }
        Some(_) if origin.contains(char::is_whitespace) => {
            let text = format!("`%20` for a blank: `{file}|{}`", without_blanks(origin));
            ("a URL has no blanks".to_owned(), help(text))
        }
        None if origin.contains(['/', '.']) && !origin.contains(':') => {
            let label =
                "the part after `|` is neither a URL, nor a scene, nor `file:` with a path".to_owned();
            (label, help(format!("`{file}|file:{origin}`")))
        }
        _ => ("the part after `|` is neither a URL, nor a scene, nor `file:` with a path".to_owned(), None),
    }
}

fn without_blanks(url: &str) -> String {
    url.split_whitespace().collect::<Vec<_>>().join("%20")
}

/// A clip whose name is that of its file.
fn unnamed(written: &str) -> Result<RawClip, Refused> {
    let name = |path: &str| last(path).to_owned();
    let with_name = |origin: &str| {
        let file = Some(name(origin)).filter(|name| is_file_name(name));
        Some(format!("write `{}|{origin}`", file.as_deref().unwrap_or("scan.mp4")))
    };
    if written.is_empty() {
        return Err(("the string is empty".to_owned(), None));
    }
    if let Some(stream) = stream(written) {
        return Err(stream);
    }
    let (file, origin) = if let Some(path) = written.strip_prefix("file:") {
        let path = path_of(path)?;
        (name(&path), RawOrigin::File(path))
    } else if let Some(scene) = written.strip_prefix("scene:") {
        let file = format!("{}.mp4", scene_of(scene)?);
        return Err((
            "the name of the clip is missing".to_owned(),
            Some(format!("write `{file}|{written}`")),
        ));
    } else if written.contains("://") {
        return Err(("the name of the clip is missing".to_owned(), with_name(&without_blanks(written))));
    } else {
        let outside = |label: &str| Err((label.to_owned(), with_name(&format!("file:{written}"))));
        match ProjectPath::new(written) {
            Err(PathError::Absolute(_)) => return outside("an absolute path needs a name and `file:`"),
            Err(PathError::Leaves(_)) => {
                return outside("a path that leaves the project needs a name and `file:`");
            }
            Err(other) => return Err((other.to_string(), None)),
            Ok(_) if written.starts_with('~') => return Err(home(written)),
            Ok(path) => (path.file_name().to_owned(), RawOrigin::Inside(path)),
        }
    };
    if !is_file_name(&file) {
        let label = format!("`{}` cannot be the name of a clip", file.escape_debug());
        let path = written.strip_prefix("file:").unwrap_or(written);
        return Err((label, Some(format!("give it another name: `scan.mp4|file:{path}`"))));
    }
    Ok(RawClip { file, origin })
}

/// The path after `file:`. With two slashes, it is a URI.
fn path_of(written: &str) -> Result<String, Refused> {
    let path = match written.strip_prefix("//") {
        None => written.to_owned(),
        Some(rest) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            if !matches!(host, "" | "localhost") {
                let label =
                    format!("`file://` names a file of this machine, not of `{}`", host.escape_debug());
                return Err((label, Some("write `file:` and the path, or `file:///` for a URI".to_owned())));
            }
            let path = format!("/{path}");
            unescaped(&path).ok_or_else(|| {
                let label = "the URI has `%` without two hex digits, or no text behind them".to_owned();
                (label, Some(format!("write the path as it is: `file:{path}`")))
            })?
        }
    };
    if path.trim_matches('/').is_empty() {
        return Err(("the path of the file is missing".to_owned(), None));
    }
    if path.starts_with('~') {
        return Err(home(&path));
    }
    Ok(path)
}

/// Replaces `%20` and the like; `None` if the result is no visible text.
fn unescaped(uri: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = uri.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        rest = behind;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(is_unseen))
}

fn home(path: &str) -> Refused {
    let label = "`~` is not replaced by a home folder".to_owned();
    (label, Some(format!("write the whole path, such as `/home/me{}`", path.trim_start_matches('~'))))
}

fn scene_of(name: &str) -> Result<String, Refused> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() {
        Err(("the name of the scene is missing".to_owned(), None))
    } else if is_file_name(name) && name.chars().all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err((format!("`{}` is not the name of a scene", name.escape_debug()), None))
    }
}

/// Whether `url` has a scheme that can be fetched and a host.
pub(super) fn is_fetch_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    has_host && !url.chars().any(|c| c.is_whitespace() || is_unseen(c))
}

/// A URL with its scheme in lower case, since its case does not matter.
fn with_small_scheme(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => url.to_owned(),
    }
}

/// `path` of `[asset.NAME]`.
///
/// # Errors
/// The fault of the string, and a help.
pub(super) fn asset_path(written: &str) -> Result<String, (String, String)> {
    let path = written.strip_prefix("file:").unwrap_or(written);
    path_of(path).map_err(|(label, help)| (label, help.unwrap_or_else(|| "write a path".to_owned())))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(written: &str, expect: Expect) {
        let text = match read(written) {
            Ok(RawClip { file, origin }) => format!("{file}: {origin:?}"),
            Err((label, help)) => format!("error: {label}; {}", help.as_deref().unwrap_or("FORMS")),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn a_video_is_a_path_or_a_name_and_an_origin() {
        check("x.mp4", expect![[r#"x.mp4: Inside(ProjectPath("x.mp4"))"#]]);
        check(" clips//a/../x.mp4 ", expect![[r#"x.mp4: Inside(ProjectPath("clips/x.mp4"))"#]]);
        check("x.mp4|file:/abs/y.mkv", expect![[r#"x.mp4: File("/abs/y.mkv")"#]]);
        check("x.mp4|file:../y 1.mp4", expect![[r#"x.mp4: File("../y 1.mp4")"#]]);
        check("x.mp4|file:///abs/y%201%C3%BC.mp4", expect![[r#"x.mp4: File("/abs/y 1ü.mp4")"#]]);
        check("x.mp4|file://localhost/y.mp4", expect![[r#"x.mp4: File("/y.mp4")"#]]);
        check("file:/abs/y 20%.mp4", expect![[r#"y 20%.mp4: File("/abs/y 20%.mp4")"#]]);
        check("x.mp4|HTTPS://h/y.mp4", expect![[r#"x.mp4: Url("https://h/y.mp4")"#]]);
        check("x.mp4|scene:till", expect![[r#"x.mp4: Scene("till")"#]]);
    }

    #[test]
    fn each_other_string_is_refused_with_the_form_that_was_meant() {
        check("", expect!["error: the string is empty; FORMS"]);
        check(
            "/abs/x.mp4",
            expect!["error: an absolute path needs a name and `file:`; write `x.mp4|file:/abs/x.mp4`"],
        );
        check(
            "../x.mp4",
            expect![
                "error: a path that leaves the project needs a name and `file:`; write `x.mp4|file:../x.mp4`"
            ],
        );
        check(
            "file:~/x.mp4",
            expect![
                "error: `~` is not replaced by a home folder; write the whole path, such as `/home/me/x.mp4`"
            ],
        );
        check(
            "~/x.mp4",
            expect![
                "error: `~` is not replaced by a home folder; write the whole path, such as `/home/me/x.mp4`"
            ],
        );
        check(
            "https://h/x.mp4",
            expect!["error: the name of the clip is missing; write `x.mp4|https://h/x.mp4`"],
        );
        check(
            "clips/-x.mp4",
            expect![
                "error: `-x.mp4` cannot be the name of a clip; give it another name: `scan.mp4|file:clips/-x.mp4`"
            ],
        );
        check(
            "clips/x.mp4|file:/y.mp4",
            expect!["error: `clips/x.mp4` is not a plain file name; write `x.mp4|file:/y.mp4`"],
        );
        check(
            "|clips/x.mp4",
            expect!["error: the name before `|` is missing; write `x.mp4|file:clips/x.mp4`"],
        );
        check("|scene:till", expect!["error: the name before `|` is missing; FORMS"]);
        check("|", expect!["error: the name before `|` is missing; FORMS"]);
        check("scene:till", expect!["error: the name of the clip is missing; write `till.mp4|scene:till`"]);
        check(
            "https://h/my clip.mp4",
            expect!["error: the name of the clip is missing; write `my%20clip.mp4|https://h/my%20clip.mp4`"],
        );
        check(
            "rtsp://cam:8554/till",
            expect![[
                r#"error: this is a stream, not a file; write `"streamUri": "rtsp://cam:8554/till"` instead of `fileSrc`"#
            ]],
        );
        check(
            "x.mp4|rtsp://cam:8554/till",
            expect![[
                r#"error: this is a stream, not a file; write `"streamUri": "rtsp://cam:8554/till"` instead of `fileSrc`"#
            ]],
        );
        check(
            "/dev/video0",
            expect![[
                r#"error: this is a stream, not a file; write `"streamUri": "v4l2:///dev/video0"` instead of `fileSrc`"#
            ]],
        );
        check(
            "rtsp://me:secret@cam/till",
            expect![[
                r#"error: this is a stream, not a file; write `"streamUri": "rtsp://***@cam/till"` instead of `fileSrc`"#
            ]],
        );
        check(
            "x.mp4|http:/h/x.mp4",
            expect![
                "error: the part after `|` is neither a URL, nor a scene, nor `file:` with a path; FORMS"
            ],
        );
        check(
            "x.mp4|",
            expect![
                "error: the part after `|` is neither a URL, nor a scene, nor `file:` with a path; FORMS"
            ],
        );
        check(
            "x.mp4|/abs/y.mp4",
            expect![
                "error: the part after `|` is neither a URL, nor a scene, nor `file:` with a path; write `x.mp4|file:/abs/y.mp4`"
            ],
        );
        check("x.mp4|file:", expect!["error: the path of the file is missing; FORMS"]);
        check(
            "x.mp4|file://nas/y.mp4",
            expect![
                "error: `file://` names a file of this machine, not of `nas`; write `file:` and the path, or `file:///` for a URI"
            ],
        );
        check(
            "x.mp4|file:///y%zz.mp4",
            expect![
                "error: the URI has `%` without two hex digits, or no text behind them; write the path as it is: `file:/y%zz.mp4`"
            ],
        );
        check(
            "x.mp4|file:///y%00.mp4",
            expect![
                "error: the URI has `%` without two hex digits, or no text behind them; write the path as it is: `file:/y%00.mp4`"
            ],
        );
        check(
            "x.mp4|https://h/my clip.mp4",
            expect!["error: a URL has no blanks; write `%20` for a blank: `x.mp4|https://h/my%20clip.mp4`"],
        );
        check(
            "x.mp4|ftp://h/y.mp4",
            expect!["error: only `http` and `https` can be fetched, not `ftp`; FORMS"],
        );
        check("x.mp4|scene:../x", expect!["error: `../x` is not the name of a scene; FORMS"]);
    }
}
