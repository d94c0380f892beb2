//! The environment of a conversion: a folder of packages that `pip` has installed, with the
//! digests of all, and the Python that runs with it.
//!
//! It is a folder for `--target`, no virtual environment: it needs no further package of the
//! system, does not know its own place, and so can be made elsewhere and moved. `lp` keeps it in
//! `.lpcache/environments` under a name with Python's version and the digest of the packages. It appears
//! whole or not at all, and conversions that run side by side wait for the one that makes it.
//!
//! `pip` installs wheels only, and of these only files with the digests that are listed. It gets its
//! settings and those of proxies from the environment, as for packages with files (`action::package`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use super::super::package::{client_environment, telling_lines, without_secrets};
use super::super::{Fetching, LocalHost};
use crate::digest::ContentDigest;
use crate::engine::host::{Attempt, HINT};
use crate::graph::task::{Convert, Packages};
use crate::model::{Registry, Requirements};
use crate::os::fs::FsError;
use crate::os::process::{self, Cancel, Command, CommandEnd, Exit};
use crate::os::{self, env};
use crate::path::{Layout, ProjectPath};
use crate::text::harmless;
use crate::time::duration_text;

/// Gigabytes come over slow lines too.
const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// The time in which Python says its version.
const PYTHON_LIMIT: Duration = Duration::from_secs(60);

const GRACE: Duration = Duration::from_secs(5);
const LOG_LIMIT: usize = 64 << 10;

/// The largest file with packages of a project.
const LARGEST: u64 = 4 << 20;

/// The characters of a line of such a file that are shown.
const SHOWN: usize = 120;

/// The settings of `pip` that would lead its packages elsewhere.
const OVERRIDDEN: [(&str, &str); 2] = [("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0")];
const DROPPED: [&str; 4] = ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"];

/// Runs `pip`, which ends with its `lp` (`PR_SET_PDEATHSIG`, see prctl(2)): installing takes minutes, and the
/// next build would have to wait for it.
const PIP: &str = "import ctypes, runpy, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); \
                   sys.argv[0] = 'pip'; runpy.run_module('pip', run_name='__main__')";

/// Prints the version of Python, its path, and whether it has `pip`.
const ASK: &str = "import sys, importlib.util as u; v = sys.version_info; \
                   print(f'{v[0]}.{v[1]}', sys.executable, bool(u.find_spec('pip')), sep='\\n')";

/// Python, as `PATH` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Python {
    pub(crate) program: PathBuf,
    /// `3.11`
    pub(crate) version: String,
    pub(crate) has_pip: bool,
}

/// Why there is no Python.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPython {
    #[error("there is no `python3` in `PATH`")]
    Absent,
    #[error("`python3` does not run: {0}")]
    Broken(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum EnvironmentError {
    #[error("interrupted")]
    Cancelled,
    #[error("{0}\n{HINT}install it: `apt-get install python3 python3-pip`")]
    NoPython(#[from] NoPython),
    #[error(
        "the packages are installed by pip, which `{0}` does not have\n{HINT}install it: `apt-get install python3-pip`"
    )]
    NoPip(String),
    #[error(
        "the packages of `{tool}` are not there, and `--offline` asks no server\n{HINT}`--vendor DIR` takes the model from a folder"
    )]
    Offline { tool: &'static str },
    #[error("failed to start `{program}`")]
    Start { program: String, source: io::Error },
    #[error("`{program} -m pip` did not install {packages}: {end}{said}\n{HINT}{hint}")]
    Pip { program: String, packages: String, end: String, said: String, hint: &'static str },
    #[error(
        "`{path}` has the line `{line}`\n{HINT}each line is `NAME==VERSION --hash=sha256:...`; options and URLs could bring source packages, which would be executed"
    )]
    Line { path: ProjectPath, line: String },
    #[error("`{path}` is no text")]
    NoText { path: ProjectPath },
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// Where a conversion finds what it runs with.
pub(super) struct Environment {
    pub(super) python: PathBuf,
    pub(super) packages: PathBuf,
}

/// Packages to install, as `pip` reads them.
struct Wanted {
    texts: Vec<(String, Option<&'static str>)>,
    /// For people.
    named: String,
    /// The end of the folder's name.
    digest: String,
}

impl Wanted {
    fn of(convert: &Convert, layout: &Layout) -> Result<Wanted, EnvironmentError> {
        let tool = convert.tool.word();
        let (texts, named) = match &convert.requirements {
            Packages::Shipped(_) => {
                let text = |one: &Requirements| (one.text.to_owned(), one.only_with);
                (convert.tool.requirements().iter().map(text).collect(), format!("the packages of `{tool}`"))
            }
            Packages::File(path) => {
                let place = layout.resolve(path);
                let bytes = os::fs::read_bounded(&place, LARGEST).map_err(|source| FsError {
                    action: "read",
                    path: place,
                    source,
                })?;
                let text =
                    String::from_utf8(bytes).map_err(|_| EnvironmentError::NoText { path: path.clone() })?;
                if let Some(line) = foreign_line(&text) {
                    return Err(EnvironmentError::Line { path: path.clone(), line });
                }
                (vec![(text, None)], format!("the packages of `{path}`"))
            }
        };
        let joined: Vec<&str> = texts.iter().map(|(text, _): &(String, _)| text.as_str()).collect();
        let digest = ContentDigest::of(joined.join("\n").as_bytes()).to_hex()[..32].to_owned();
        Ok(Wanted { texts, named, digest })
    }

    fn folder(&self, convert: &Convert, python: &Python, layout: &Layout) -> PathBuf {
        let name = format!("{}-python{}-{}", convert.tool.word(), python.version, self.digest);
        layout.environments().join(name)
    }
}

/// The first line that is no package with its version: an option of `pip`, or a URL.
fn foreign_line(text: &str) -> Option<String> {
    let joined = text.replace("\r\n", "\n").replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_package = |line: &str| {
        let mut words = line.split_whitespace();
        let package = words.next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.[],".contains(c);
        let is_pinned = package.split_once("==").is_some_and(|(name, version)| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(is_name)
                && !version.is_empty()
        });
        // A condition (`; python_version < "3.12"`) may follow, and digests.
        is_pinned && !words.any(|word| word.starts_with('-') && !word.starts_with("--hash="))
    };
    // `pip` also ends a line at these.
    let is_break = |c: char| c.is_control() && c != '\t' || matches!(c, '\u{2028}' | '\u{2029}');
    let foreign = lines.find(|line| !is_package(line) || line.contains(is_break))?;
    Some(harmless(foreign).chars().take(SHOWN).collect())
}

/// Whether a folder of environments has this name for one of these conversions, with any Python.
pub(crate) fn is_of(name: &str, conversions: &[Convert], layout: &Layout) -> bool {
    let digest = name.rsplit_once('-').map_or(name, |(_, digest)| digest);
    conversions.iter().any(|convert| Wanted::of(convert, layout).is_ok_and(|wanted| wanted.digest == digest))
}

/// Python as `PATH` has it.
///
/// # Errors
/// When there is none, or it does not run.
pub(crate) fn python(cancel: &Cancel) -> Result<Python, NoPython> {
    let environment: BTreeMap<OsString, OsString> = env::all_raw()
        .into_iter()
        // A version manager finds out by its own variables which Python it runs.
        .filter(|(name, _)| !name.to_string_lossy().starts_with("PYTHON"))
        .collect();
    let paths = environment.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    let dir = Path::new("/");
    let program = process::program_in("python3".as_ref(), paths, dir).ok_or(NoPython::Absent)?;
    let argv = [program, "-I".into(), "-c".into(), ASK.into()];
    let command = Command {
        argv: &argv,
        dir,
        env: &environment,
        log_limit: LOG_LIMIT,
        timeout: Some(PYTHON_LIMIT),
        grace: GRACE,
    };
    let (end, output) =
        process::run_command(&command, cancel).map_err(|error| NoPython::Broken(error.to_string()))?;
    let output = String::from_utf8_lossy(&output);
    let lines: Vec<&str> = output.lines().collect();
    match (end, lines.as_slice()) {
        (CommandEnd::Exited(Exit::Code(0)), [version, program, has_pip]) if !program.is_empty() => {
            Ok(Python {
                program: PathBuf::from(program),
                version: (*version).to_owned(),
                has_pip: *has_pip == "True",
            })
        }
        (CommandEnd::Exited(exit), _) => Err(NoPython::Broken(exit.to_string())),
        (CommandEnd::TimedOut, _) => {
            Err(NoPython::Broken(format!("it took longer than {}", duration_text(PYTHON_LIMIT))))
        }
        (CommandEnd::Cancelled, _) => Err(NoPython::Broken("interrupted".to_owned())),
    }
}

/// Whether the packages of a conversion are there, so that it needs no network.
pub(crate) fn is_made(convert: &Convert, python: &Python, layout: &Layout) -> bool {
    Wanted::of(convert, layout).is_ok_and(|wanted| wanted.folder(convert, python, layout).is_dir())
}

/// The environment of a conversion, which is made if it is not there. `label` begins what is noted.
pub(super) fn ensure(
    host: &LocalHost<'_>,
    convert: &Convert,
    label: &str,
    attempt: &Attempt<'_>,
) -> Result<Environment, EnvironmentError> {
    let python = python(attempt.cancel)?;
    let wanted = Wanted::of(convert, attempt.layout)?;
    let packages = wanted.folder(convert, &python, attempt.layout);
    let environment = Environment { python: python.program.clone(), packages };
    // What it guards is on the disk, whole or absent.
    let _one_at_a_time = host.environments.lock().unwrap_or_else(PoisonError::into_inner);
    if environment.packages.is_dir() {
        return Ok(environment);
    }
    let Fetching { offline, .. } = host.fetching;
    if offline {
        return Err(EnvironmentError::Offline { tool: convert.tool.word() });
    }
    if !python.has_pip {
        return Err(EnvironmentError::NoPip(python.program.to_string_lossy().into_owned()));
    }
    (attempt.note)(&format!("{label}: `pip` installs {}", wanted.named));
    let folder = attempt.dir.join("packages");
    for (n, (text, only_with)) in wanted.texts.iter().enumerate() {
        if only_with.is_some_and(|file| !folder.join(file).exists()) {
            continue;
        }
        let file = attempt.dir.join(format!("requirements-{n}.txt"));
        os::fs::write_unsynced(&file, text.as_bytes())?;
        install(&python, &file, &folder, &wanted.named, attempt)?;
    }
    // A file without packages needs none.
    os::fs::create_dir_all(&folder)?;
    os::fs::create_parent(&environment.packages)?;
    os::failpoint::hit("convert.before-environment");
    os::fs::rename(&folder, &environment.packages)?;
    Ok(environment)
}

fn install(
    python: &Python,
    file: &Path,
    folder: &Path,
    packages: &str,
    attempt: &Attempt<'_>,
) -> Result<(), EnvironmentError> {
    let mut argv: Vec<OsString> = vec![python.program.clone().into()];
    let options = [
        "-c",
        PIP,
        "install",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--quiet",
        "--target",
    ];
    argv.extend(options.map(OsString::from));
    argv.extend([folder.as_os_str().to_owned(), "--requirement".into(), file.as_os_str().to_owned()]);
    let mut environment = client_environment(attempt);
    environment.retain(|name, _| !DROPPED.iter().any(|dropped| name == dropped));
    environment.extend(OVERRIDDEN.map(|(name, value)| (name.into(), value.into())));
    let command = Command {
        argv: &argv,
        dir: attempt.dir,
        env: &environment,
        log_limit: LOG_LIMIT,
        timeout: Some(LIMIT),
        grace: GRACE,
    };
    let program = python.program.to_string_lossy().into_owned();
    let (end, output) = match process::run_command(&command, attempt.cancel) {
        Ok(ended) => ended,
        Err(source) => return Err(EnvironmentError::Start { program, source }),
    };
    let end = match end {
        CommandEnd::Exited(Exit::Code(0)) => return Ok(()),
        CommandEnd::Cancelled => return Err(EnvironmentError::Cancelled),
        CommandEnd::Exited(exit) => exit.to_string(),
        CommandEnd::TimedOut => format!("it took longer than {}", duration_text(LIMIT)),
    };
    let output = String::from_utf8_lossy(&output);
    let hint = if output.contains("DO NOT MATCH THE HASHES") {
        "a package has another digest than the listed one: look at your index, or at the list"
    } else {
        "only wheels are used, of this Python and machine. pip says the same of an index that it cannot reach: \
         `PIP_INDEX_URL` names a mirror"
    };
    Err(EnvironmentError::Pip {
        program,
        packages: packages.to_owned(),
        end,
        said: telling_lines(&without_secrets(&output, &environment), Registry::Pypi),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_with_versions_are_listed() {
        for requirements in crate::model::Tool::Ultralytics.requirements() {
            assert_eq!(foreign_line(requirements.text), None);
        }
        let pinned = "# all\nsix==1.17.0 --hash=sha256:00 \\\n  --hash=sha256:11  # both\n\nA.b[c]==1; python_version < \"3.12\" --hash=sha256:00\n";
        assert_eq!(foreign_line(pinned), None);
        for line in [
            "--no-binary six",
            "--index-url http://h/",
            "-r other.txt",
            "six==1 --no-binary=:all:",
            "six",
            "six @ http://h/six.tar.gz",
            "http://h/six.tar.gz",
            "./six.tar.gz",
        ] {
            assert_eq!(foreign_line(&format!("a==1\n{line}\n")).as_deref(), Some(line));
        }
        for end in ['\r', '\u{c}', '\u{85}', '\u{2028}'] {
            assert!(foreign_line(&format!("a==1{end}http://h/six.tar.gz\n")).is_some(), "{end:?}");
        }
    }
}
