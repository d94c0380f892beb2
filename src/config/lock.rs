//! Reads and writes `Lpfile.lock`. `lp` writes it and people commit it, so it may have any
//! fault that a merge can make.
//!
//! Not here: which downloads get an entry (`workspace::lockfile`).

use super::asset::{LARGEST, fetch_url, hex};
use super::clips::URL;
use super::reader::{At, KeyNames, Reader, by, map_of, table};
use super::shape::{Shape, UnknownKeys, unseen};
use super::text::admit;
use super::toml;
use super::tree::{Key, Node, Value};
use super::values::whole;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Sources};
use crate::digest::ContentDigest;
use crate::model::{LOCKFILE, LockEntries, LockEntry};
use crate::path::is_file_name;

/// The version of the format.
const VERSION: i64 = 1;

const HEAD: &str = "\
# What downloads without a digest of their own were when they were first fetched. Commit this file.
# `lp assets update` renews it. `lp` writes all of it, so comments do not stay.
";

/// The entries of the file. Of one that a newer `lp` wrote, nothing else is read.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> LockEntries {
    if let Some(fault) = newer(tree) {
        diagnostics.push(fault);
        return LockEntries::new();
    }
    let at = At { name: "the file".to_owned(), node: tree };
    file().read(&at, diagnostics).unwrap_or_default().into_iter().collect()
}

/// The entries of a file with these bytes; `None` if it has faults.
pub(crate) fn parse(bytes: Vec<u8>) -> Option<LockEntries> {
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let file = admit(LOCKFILE, bytes, &mut sources, &mut diagnostics)?;
    let parsed = toml::parse(file, sources.text(file), &mut diagnostics);
    let entries = read(&parsed.tree, &mut diagnostics);
    (!diagnostics.has_errors()).then_some(entries)
}

/// The file with these entries: the same text for the same entries.
pub(crate) fn text(entries: &LockEntries) -> String {
    let mut text = format!("{HEAD}version = {VERSION}\n");
    for (name, LockEntry { url, content, size, .. }) in entries {
        let (name, url) = (quoted(name), quoted(url));
        text.push_str(&format!("\n[asset.{name}]\nurl = {url}\nblake3 = \"{content}\"\nsize = {size}\n"));
    }
    text
}

/// A basic string of TOML. Neither a name nor a URL has control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn newer(tree: &Node) -> Option<Diagnostic> {
    let Value::Table(keys) = &tree.value else { return None };
    let (_, version) = keys.iter().find(|(key, _)| key.text == "version")?;
    let Value::Int(found) = version.value else { return None };
    let message = format!("`{LOCKFILE}` was written by a newer `lp`");
    let fault = Diagnostic::error(codes::NEWER_LOCK, message).at(version.place);
    let fault = fault.label(format!("this `lp` reads version {VERSION}"));
    let help = "use that `lp`; or delete the file, and `lp build` writes it anew";
    (found > VERSION).then(|| fault.help(help))
}

fn file() -> impl Reader<Value = Vec<(String, LockEntry)>> + Copy {
    table(KeyNames::Plain, UnknownKeys::Refuse, |table, diagnostics| {
        let version = "The version of the format";
        table.required("version", version, whole::<i64>(1, VERSION), diagnostics);
        let assets = "What downloads were, by name";
        Some(table.optional("asset", assets, entries_map(), diagnostics).unwrap_or_default())
    })
}

fn entries_map() -> impl Reader<Value = Vec<(String, LockEntry)>> + Copy {
    // A plain file name without a dot or dash at its beginning.
    let names = concat!(r"^[^/.\-", unseen!(), r"][^/", unseen!(), r"]*$");
    map_of(KeyNames::Path, UnknownKeys::Refuse, names, || entry().shape(), named_entry)
}

fn named_entry(key: &Key, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<(String, LockEntry)> {
    let entry = entry().read(at, diagnostics);
    if !is_file_name(&key.text) {
        let message = format!("`{}` cannot be the name of an asset", key.text.escape_debug());
        let fault = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
        diagnostics.push(fault.label("expected a plain file name such as `scan.mp4`"));
        return None;
    }
    Some((key.text.clone(), LockEntry { place: key.place, ..entry? }))
}

/// A URL that can be fetched, or that of a file in a package.
fn origin() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(format!("^(pkg:[!-~]+|{URL})$"))),
        |at, diagnostics| {
            let is_package = |text: &str| {
                text.strip_prefix("pkg:")
                    .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_graphic()))
            };
            match &at.node.value {
                Value::Text(text) if is_package(text) => Some(text.clone()),
                _ => fetch_url().read(at, diagnostics),
            }
        },
    )
}

fn entry() -> impl Reader<Value = LockEntry> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let url = table.required("url", "The first URL of the download", origin(), diagnostics);
        let blake3 = table.required("blake3", "The file's BLAKE3 digest", hex(64), diagnostics);
        let size = table.required("size", "The file's size in bytes", whole(1, LARGEST), diagnostics);
        let content: ContentDigest = blake3?.parse().ok()?;
        Some(LockEntry { url: url?, content, size: size?, place: Place::default() })
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn entries() -> LockEntries {
        let entry = |url: &str, text: &str| LockEntry {
            url: url.to_owned(),
            content: ContentDigest::of(text.as_bytes()),
            size: text.len() as u64,
            place: Place::default(),
        };
        [
            ("scan.mp4".to_owned(), entry("https://h/scan.mp4?sig=***", "lane")),
            (r#"a "b" \ c.mp4"#.to_owned(), entry("http://h/a", "till")),
        ]
        .into()
    }

    #[test]
    fn the_text_is_sorted_and_read_back() {
        let text = text(&entries());
        expect![[r##"
            # What downloads without a digest of their own were when they were first fetched. Commit this file.
            # `lp assets update` renews it. `lp` writes all of it, so comments do not stay.
            version = 1

            [asset."a \"b\" \\ c.mp4"]
            url = "http://h/a"
            blake3 = "1a719184c6e2b3c3efcbc3db927455a258835054fa08799157b5d4ba5f6385ea"
            size = 4

            [asset."scan.mp4"]
            url = "https://h/scan.mp4?sig=***"
            blake3 = "28f1bc240daead3a8d4e2b6ca504b9e14ea73eac3adb4c91982a51f46570ff28"
            size = 4
        "##]]
        .assert_eq(&text);
        let read = parse(text.into_bytes()).unwrap();
        let unplaced =
            read.into_iter().map(|(name, entry)| (name, LockEntry { place: Place::default(), ..entry }));
        assert_eq!(unplaced.collect::<LockEntries>(), entries());
        assert_eq!(parse(super::text(&LockEntries::new()).into_bytes()), Some(LockEntries::new()));
    }

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add(LOCKFILE, text);
        let parsed = toml::parse(file, text, &mut diagnostics);
        if parsed.is_whole {
            read(&parsed.tree, &mut diagnostics);
        }
        expect.assert_eq(&diagnostics.lines(&sources));
        assert_eq!(parse(text.as_bytes().to_vec()), None);
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        check(
            "version = 0\nnotes = 1\n[asset.\"a/b.mp4\"]\nurl = \"ftp://h/a\"\nblake3 = \"12\"\nsize = 0\n\
             [asset.\"c.mp4\"]\nsha256 = \"12\"\n",
            expect![[r#"
                LP0204 1:11 `version` must be a whole number from 1 to 1
                LP0201 2:1 unknown key `notes`; possible here: version, asset
                LP0212 3:8 `a/b.mp4` cannot be the name of an asset
                LP0211 4:7 `asset.a/b.mp4.url` must be a URL that begins with `http://` or `https://`
                LP0213 5:10 `asset.a/b.mp4.blake3` must be 64 hex digits
                LP0204 6:8 `asset.a/b.mp4.size` must be a whole number from 1 to 1125899906842624
                LP0202 7:1 `asset.c.mp4.url` is missing
                LP0202 7:1 `asset.c.mp4.blake3` is missing
                LP0202 7:1 `asset.c.mp4.size` is missing
                LP0201 8:1 unknown key `asset.c.mp4.sha256`; possible here: url, blake3, size
            "#]],
        );
    }

    #[test]
    fn a_file_of_a_newer_lp_is_not_read_further() {
        check(
            "version = 2\nother = true\n",
            expect![[r#"
            LP0007 1:11 `Lpfile.lock` was written by a newer `lp`; use that `lp`; or delete the file, and `lp build` writes it anew
        "#]],
        );
    }

    #[test]
    fn a_merge_that_is_not_finished_is_named() {
        check(
            "version = 1\n\n<<<<<<< HEAD\n[asset.\"a.mp4\"]\n=======\n>>>>>>> other\n",
            expect![[r#"
            LP0101 3:1 a merge conflict is left in the file
        "#]],
        );
    }
}
