//! Reads `source` of an asset or of a model's file: a file of a package, or of Hugging Face.
//!
//! Names and versions become arguments of a registry's client, so they have no character
//! that could make them an option, a URL, a path or a range of versions.
//!
//! Not here: fetching the package (`action::package`).

use super::reader::{At, KeyNames, Reader, Table, by, table};
use super::shape::{Shape, UnknownKeys, unseen};
use super::values::{list_of, read_string, spanned, whole};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::model::{AssetSource, PackageSource, Registry};
use crate::text::url_path;

/// The kinds of sources, of which one is given.
const KINDS: [&str; 3] = ["pypi", "npm", "huggingface"];

/// The greatest number of a byte: 1 PiB.
const LARGEST: i64 = 1 << 50;

/// A string of a certain form.
#[derive(Clone, Copy)]
struct Form {
    /// A regular expression (ECMA-262) for it.
    pattern: &'static str,
    fits: fn(&str) -> bool,
    /// To follow "must be".
    expected: &'static str,
}

const PYPI: Form = Form {
    pattern: r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?==[0-9]([0-9A-Za-z.!+-]*[0-9A-Za-z])?$",
    fits: |text| pypi_parts(text).is_some(),
    expected: "a package with its exact version, such as `mediapipe==0.10.21`",
};

const NPM: Form = Form {
    pattern: r"^(@[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?@[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$",
    fits: |text| npm_parts(text).is_some(),
    expected: "a package with its exact version, such as `@mediapipe/objectron@0.4.1675468480`",
};

const HUGGING_FACE: Form = Form {
    pattern: r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
    fits: |text| text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name)),
    expected: "a repository, such as `OpenVINO/Qwen2.5-VL-7B-Instruct-int8-ov`",
};

const REVISION: Form = Form {
    pattern: "^[0-9a-f]{40}$",
    fits: |text| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == 40 && text.bytes().all(is_digit)
    },
    expected: "a commit of 40 hex digits in lower case, since a branch or tag can change",
};

const PYTHON: Form = Form {
    pattern: r"^[0-9]{1,2}\.[0-9]{1,3}$",
    fits: |text| {
        let is_number = |part: &str, most| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        text.split_once('.').is_some_and(|(major, minor)| is_number(major, 2) && is_number(minor, 3))
    },
    expected: "a version of Python, such as `3.11`",
};

const PLATFORM: Form = Form {
    pattern: r"^[a-z0-9][a-z0-9_]*$",
    fits: |text| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !text.is_empty() && !text.starts_with('_') && text.bytes().all(is_part)
    },
    expected: "a platform as wheels name it, such as `manylinux_2_28_x86_64`",
};

const MEMBER: Form = Form {
    pattern: concat!(r"^[^/\\", unseen!(), r"][^\\", unseen!(), r"]*$"),
    fits: |text| !text.contains('\\') && text.split('/').all(|part| !matches!(part, "" | "." | "..")),
    expected: "the path of a file as the package names it, such as `package/model.tflite`",
};

impl Form {
    fn reader(self) -> impl Reader<Value = String> + Copy {
        by(
            move || Shape::String(Some(self.pattern.to_owned())),
            move |at: &At<'_>, diagnostics: &mut Diagnostics| {
                let text = read_string(at, diagnostics)?;
                if (self.fits)(&text) {
                    return Some(text);
                }
                let message = format!("`{}` must be {}", at.name, self.expected);
                diagnostics.push(at.fault(codes::BAD_SOURCE, &message));
                None
            },
        )
    }
}

/// Letters, digits, `.`, `_` and `-`; the first and the last one is a letter or digit.
fn is_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_part)
}

/// Name and version.
fn pypi_parts(text: &str) -> Option<(&str, &str)> {
    let (name, version) = text.split_once("==")?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".!+-".contains(&byte);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.ends_with(|c: char| c.is_ascii_alphanumeric())
        && version.bytes().all(is_part);
    (is_name(name) && is_version).then_some((name, version))
}

/// Name and version.
fn npm_parts(text: &str) -> Option<(&str, &str)> {
    let (name, version) = text.rsplit_once('@')?;
    let is_package = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_name(scope) && is_name(name)),
        None => is_name(name),
    };
    // What follows the three numbers begins with one of these.
    let end = version.find(['-', '+']).unwrap_or(version.len());
    let (numbers, more) = version.split_at(end);
    let are_numbers = numbers.split('.').count() == 3
        && numbers
            .split('.')
            .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let is_more = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    let is_version = are_numbers && more.len() != 1 && more.bytes().all(is_more);
    (is_package && is_version).then_some((name, version))
}

/// `{ pypi = "mediapipe==0.10.21", path = "..." }` and the like.
pub(super) fn source() -> impl Reader<Value = Spanned<AssetSource>> + Copy {
    spanned(table(KeyNames::Path, UnknownKeys::Refuse, read))
}

fn read(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Option<AssetSource> {
    let place = table.place();
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
    let has = |key: &str| table.has(key);
    let (has_revision, of_wheels, has_bytes) =
        (has("revision"), ["python", "platform"].into_iter().find(|key| has(key)), has("bytes"));
    table.needs_one_of(&KINDS);
    let pypi = "A package of PyPI with its version; only a wheel is taken";
    let pypi = table.optional("pypi", pypi, PYPI.reader(), diagnostics);
    let npm = "A package of npm with its version";
    let npm = table.optional("npm", npm, NPM.reader(), diagnostics);
    let hub = "A repository of Hugging Face";
    let hub = table.optional("huggingface", hub, HUGGING_FACE.reader(), diagnostics);
    let revision = "The commit of the repository of Hugging Face, 40 hex digits";
    let revision = table.optional("revision", revision, REVISION.reader(), diagnostics);
    let path = "The file in the package, as the package names it";
    let path = table.required("path", path, MEMBER.reader(), diagnostics);
    let bytes = "The part of the file: the number of its first byte from 0, and of the one after its last";
    let bytes = table.optional("bytes", bytes, spanned(list_of(whole(0, LARGEST))), diagnostics);
    let python = "The Python that a wheel is for [default: that of this machine]";
    let python = table.optional("python", python, PYTHON.reader(), diagnostics);
    let platform = "The platform that a wheel is for [default: this machine]";
    let platform = table.optional("platform", platform, PLATFORM.reader(), diagnostics);
    let mut refuse = |message: String| {
        diagnostics.push(Diagnostic::error(codes::BAD_SOURCE, message).at(place));
    };
    let [kind] = given.as_slice() else {
        refuse(match given.as_slice() {
            [] => "the source has no `pypi`, `npm` or `huggingface`".to_owned(),
            many => format!("the source has both `{}`", many.join("` and `")),
        });
        return None;
    };
    if *kind != "huggingface" && has_revision {
        refuse(format!("`revision` belongs to `huggingface`; the version of `{kind}` follows its name"));
    }
    if let Some(key) = of_wheels.filter(|_| *kind != "pypi") {
        refuse(format!("`{key}` is of wheels, so of `pypi`, not of `{kind}`"));
    }
    if *kind == "huggingface" {
        if has_bytes {
            refuse("a file of Hugging Face is fetched as a whole: it has no `bytes`".to_owned());
        }
        if !has_revision {
            refuse("`huggingface` needs the `revision`, a commit of 40 hex digits".to_owned());
        }
        let (repository, revision, path) = (hub?, revision?, url_path(&path?));
        return Some(AssetSource::Url(format!(
            "https://huggingface.co/{repository}/resolve/{revision}/{path}"
        )));
    }
    let bytes = match bytes {
        None => None,
        Some(Spanned { value, place }) => match *value.as_slice() {
            [from, to] if from < to => Some((from, to)),
            _ => {
                let message = "`bytes` must be two numbers, the first of which is less than the second";
                diagnostics.push(Diagnostic::error(codes::BAD_SOURCE, message).at(place));
                return None;
            }
        },
    };
    let (registry, package) = match (pypi, npm) {
        (Some(pypi), _) => (Registry::Pypi, pypi),
        (None, npm) => (Registry::Npm, npm?),
    };
    let parts = match registry {
        Registry::Pypi => pypi_parts(&package),
        Registry::Npm => npm_parts(&package),
    };
    let (name, version) = parts.expect("its form was checked");
    let (name, version) = (name.to_owned(), version.to_owned());
    Some(AssetSource::Package(PackageSource {
        registry,
        name,
        version,
        path: path?,
        bytes,
        python,
        platform,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: Form, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!((form.fits)(text), "{text}");
        }
        for text in wrong {
            assert!(!(form.fits)(text), "{text}");
        }
        let schema = serde_json::json!({ "type": "string", "pattern": form.pattern });
        let schema = jsonschema::validator_for(&schema).unwrap();
        for text in right {
            assert!(schema.is_valid(&(*text).into()), "{text}");
        }
        // A pattern for the parts of a path would be unreadable.
        for text in wrong.iter().filter(|_| form.expected != MEMBER.expected) {
            assert!(!schema.is_valid(&(*text).into()), "{text}");
        }
    }

    #[test]
    fn a_package_is_a_name_with_an_exact_version() {
        check(
            PYPI,
            &["a==1", "mediapipe==0.10.21", "x.y_z-1==1!2.0rc1+cpu.1"],
            &[
                "a",
                "a==",
                "a==1.*",
                "a>=1",
                "a===1",
                "a==1,<2",
                "a==1;x",
                "-r==1",
                "a @ http://h/x",
                "file:x==1",
                "a==1 ",
                " a==1",
                "a[x]==1",
                "a== 1",
                "a==v1",
                "a==-1",
                "ü==1",
                "a==1.",
            ],
        );
        check(
            NPM,
            &["a@1.2.3", "@a/b@0.4.1675468480", "a@1.0.0-rc.1+x", "JSON.x@1.0.0"],
            &[
                "a",
                "a@",
                "a@1",
                "a@1.2",
                "a@^1.2.3",
                "a@latest",
                "a@1.2.x",
                "@a@1.2.3",
                "@a/b/c@1.2.3",
                "../a@1.2.3",
                "--x@1.2.3",
                "a@npm:b@1.2.3",
                "git+ssh://a@1.2.3",
                "a@1.2.3-",
                "a@1.2.3 ",
                "/a@1.2.3",
                "a/b@1.2.3",
                "a@1..3",
            ],
        );
        check(HUGGING_FACE, &["OpenVINO/Qwen2.5-VL"], &["a", "a/b/c", "../a", "a/-b", "a /b", "a/b?x"]);
        check(REVISION, &[&"0a".repeat(20)], &["main", &"0A".repeat(20), &"0a".repeat(21)]);
        check(PYTHON, &["3.11"], &["3", "311", "3.11.2", "three.1", "-3.1", "3."]);
        check(PLATFORM, &["manylinux_2_28_x86_64", "any"], &["", "-x", "A", "a b", "_a"]);
        check(MEMBER, &["a", "package/a b.tflite"], &["/a", "a/../b", "..", "a//b", "./a", "a\\b", "a/"]);
    }
}
