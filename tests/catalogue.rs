//! The pages of the catalogue in `docs/codes/` against the program, and their
//! index, `docs/diagnostics.md`.
//!
//! Every example of a page is a project of its own: it must have the fault of
//! the page and no other, and its correction none at all.
//! `UPDATE_EXPECT=1 cargo test --test catalogue` writes the messages on the pages,
//! and the index.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect_file;
use lp::config::load::{LoadRequest, load};
use lp::diag::codes::{Part, rules};
use lp::diag::{Color, Severity};
use lp::dialect::check;
use lp::pipeline::PipelineSpec;
use lp::pipeline::machine::{BuildFault, Factory, LinkFault, Machine, PropertyInfo, PropertyKind};
use lp::plan::lane::Lane;
use tempfile::TempDir;

/// The folder of examples in messages.
const SHOWN: &str = "/home/me/lane";

/// A command's diagnostics about an example.
struct Report {
    /// The code and the severity of each.
    found: Vec<(String, Severity)>,
    text: String,
}

/// The folder of an example.
fn folder(parts: &[Part]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let workloads = "{\"workload_pipeline_map\": {\"barcodes\": [{\"type\": \"zbar\"}]}}\n";
    let base = [("Lpfile.toml", "(empty)\n"), ("configs/workload_to_pipeline.json", workloads)];
    let parts = parts.iter().filter_map(|part| Some((part.path?, part.text)));
    for (path, text) in base.into_iter().chain(parts) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let zeros = text.strip_prefix('(').and_then(|text| text.split_once(" MiB of zeros and one more)"));
        if let Some((mib, _)) = zeros {
            let n_bytes = (mib.parse::<u64>().unwrap() << 20) + 1;
            fs::File::create(path).unwrap().set_len(n_bytes).unwrap();
            continue;
        }
        match text.trim_end() {
            "(empty)" => fs::write(path, "").unwrap(),
            "(there is no such file)" => fs::remove_file(path).unwrap(),
            _ => {
                // U+FFFD on a page is a byte that is not UTF-8.
                let pieces: Vec<&[u8]> = text.split('\u{fffd}').map(str::as_bytes).collect();
                fs::write(&path, pieces.join(&b'\xe9')).unwrap();
                // A script must be executable.
                if text.starts_with("#!") {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
                }
            }
        }
    }
    folder
}

/// The report of the command that a page names.
fn report(command: &str, parts: &[Part]) -> Report {
    let folder = folder(parts);
    let text = if command == "lp check --machine" { ask(&folder) } else { run(command, parts, &folder) };
    let mut found = Vec::new();
    let mut kept = String::new();
    for paragraph in text.split_inclusive("\n\n") {
        let Some((severity, rest)) = paragraph.split_once("[LP") else { continue };
        let severity = match severity {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "note" => Severity::Note,
            _ => continue,
        };
        found.push((format!("LP{}", &rest[..4]), severity));
        // The line with the counts follows the last one.
        let counts = ["\nerror: ", "\nno errors: "].iter().find_map(|start| paragraph.find(start));
        kept.push_str(&paragraph[..counts.unwrap_or(paragraph.len())]);
    }
    let text = kept.replace(folder.path().to_str().unwrap(), SHOWN).trim_end().to_owned();
    Report { found, text }
}

/// The stderr of a command. The command line of an example adds its flags.
fn run(command: &str, parts: &[Part], folder: &TempDir) -> String {
    let line = parts.iter().rfind(|part| part.path.is_none()).map_or(command, |part| part.text.trim_end());
    assert!(line.starts_with(command), "`{line}` is not `{command}`");
    let ended = Command::new(env!("CARGO_BIN_EXE_lp"))
        .args(line.split(' ').skip(1))
        .current_dir(folder)
        .env("LP_LOCK_DIR", folder.path())
        .env("NO_COLOR", "1")
        .env_remove("LP_PROFILE")
        .output()
        .unwrap();
    String::from_utf8(ended.stderr).unwrap()
}

/// Asks a small machine of the test's own about a project: it has the elements of the
/// examples, and no DL Streamer.
fn ask(folder: &TempDir) -> String {
    let loaded = load(&LoadRequest { dir: folder.path().to_path_buf(), ..LoadRequest::default() });
    let mut diagnostics = loaded.diagnostics;
    if let Some(project) = &loaded.project {
        let lane = Lane::of(project);
        let cameras: Vec<_> = lane.cameras.iter().collect();
        let machine = machine(check::factories(&cameras, project.settings.pace));
        let Ok(found) =
            check::machine(project, &cameras, &machine, |spec| Ok::<_, Infallible>(attempt(spec)));
        diagnostics.append(found);
    }
    diagnostics.render_human(&loaded.sources, Color::Never)
}

fn machine(asked: BTreeSet<String>) -> Machine {
    let names = ["queue", "zbar", "motioncells", "x264enc"].map(str::to_owned).to_vec();
    let lacks = |name: &str| name.starts_with("gva") || name == "zbarr";
    let found = Factory { plugin: "some".to_owned(), version: "1.22.0".to_owned(), file: None };
    let factories = asked.into_iter().map(|name| (name.clone(), (!lacks(&name)).then(|| found.clone())));
    let int = PropertyKind::Int { min: 0, max: u32::MAX.into() };
    let word = PropertyKind::Word { nicks: ["no", "upstream", "downstream"].map(str::to_owned).to_vec() };
    let queue = [
        ("current-level-buffers", int.clone(), false),
        ("leaky", word, true),
        ("max-size-buffers", int, true),
    ];
    let info = |kind, writable| PropertyInfo { kind, writable, default: None };
    let queue = queue.map(|(name, kind, writable)| (name.to_owned(), info(kind, writable)));
    Machine {
        factories: factories.collect(),
        properties: [("queue".to_owned(), queue.into())].into(),
        names,
        ..Machine::default()
    }
}

/// Links everything but H.264 to `zbar`, and refuses one string as invalid caps.
fn attempt(spec: &PipelineSpec) -> Option<BuildFault> {
    let factory = |at: usize| spec.elements[at].factory.as_str();
    for at in 1..spec.elements.len() {
        if (factory(at - 1), factory(at)) == ("x264enc", "zbar") {
            let link =
                LinkFault { to: at, gives: "`video/x-h264`".to_owned(), takes: "`video/x-raw`".to_owned() };
            return Some(BuildFault { link: Some(link), ..BuildFault::of(at - 1, "") });
        }
    }
    let wide = spec.elements.iter().position(|element| format!("{element:?}").contains("(int)wide"))?;
    let reason =
        "`capsfilter`: expected a `GstCaps` for property `caps`, found `video/x-raw,width=(int)wide`";
    Some(BuildFault { property: Some("caps".to_owned()), ..BuildFault::of(wide, reason) })
}

#[test]
fn every_example_has_the_fault_of_its_page_and_no_other() {
    let mut faults = Vec::new();
    for rule in rules() {
        let examples = rule.examples();
        let mut page = String::new();
        let mut rest = rule.page;
        let mut severities = BTreeSet::new();
        for example in &examples {
            let Some(message) = example.message else { continue };
            let report = report(message.command, &example.wrong);
            if report.found.is_empty() || report.found.iter().any(|(code, _)| code != rule.code) {
                let Report { found, text } = &report;
                faults.push(format!("an example of {} has {found:?}:\n{text}", rule.code));
            }
            severities.extend(report.found.iter().map(|(_, severity)| *severity));
            let (before, after) = rest.split_once(" reports:\n\n```text\n").unwrap();
            let (_, after) = after.split_once("```").unwrap();
            write!(page, "{before} reports:\n\n```text\n{}\n```", report.text).unwrap();
            rest = after;
        }
        page.push_str(rest);
        expect_file![format!("../docs/codes/{}.md", rule.code)].assert_eq(&page);
        let expected: BTreeSet<Severity> = rule.severities().into_iter().collect();
        if examples.iter().any(|example| example.message.is_some()) && severities != expected {
            faults.push(format!("the examples of {} are {severities:?}, not {expected:?}", rule.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_correction_has_no_fault() {
    let mut faults = Vec::new();
    for rule in rules() {
        for example in rule.examples().iter().filter(|example| !example.right.is_empty()) {
            let message = example.message.unwrap();
            let Report { found, text } = report(message.command, &example.corrected());
            if !found.is_empty() {
                faults.push(format!("the correction of {} has {found:?}:\n{text}", rule.code));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Rust files below `directory`, unit tests and the catalogue itself excepted.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_left_out = path.ends_with("diag/codes.rs") || path.ends_with("tests");
        if path.is_dir() && !is_left_out {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_left_out {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_is_reported_somewhere_and_nothing_else_is() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let mut used = BTreeSet::new();
    let mut faults = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let word = |rest: &str| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        used.extend(code.match_indices("codes::").map(|(at, path)| word(&code[at + path.len()..])));
        for (at, _) in code.match_indices("\"LP0") {
            faults.push(format!("{}: {} stands as a text", file.display(), word(&code[at + 1..])));
        }
    }
    for rule in rules() {
        if !used.contains(rule.name) {
            faults.push(format!("nobody reports {} ({})", rule.code, rule.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The Markdown files of a folder.
fn pages(folder: &str) -> BTreeSet<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_page_is_of_a_rule() {
    let expected: BTreeSet<PathBuf> =
        rules().map(|rule| Path::new("docs/codes").join(rule.code).with_extension("md")).collect();
    assert_eq!(pages("docs/codes"), expected);
}

#[test]
fn documents_name_only_codes_that_exist() {
    let known: BTreeSet<&str> = rules().map(|rule| rule.code).collect();
    for path in pages("docs").union(&pages("docs/codes")) {
        let text = fs::read_to_string(path).unwrap();
        for (at, _) in text.match_indices("LP0") {
            let code: String = text[at..].chars().take(6).collect();
            let is_group = matches!(code.as_bytes(), [.., b'x', b'x']);
            assert!(is_group || known.contains(&*code), "{} names `{code}`", path.display());
        }
    }
}

#[test]
fn pages_begin_with_a_title_and_a_reason_that_fit_a_terminal() {
    for rule in rules() {
        let (code, severities, text) = (rule.code, rule.severity_words(), rule.text());
        assert!(rule.page.starts_with(&format!("# {code} ({severities}): {text}\n\n")), "{code}");
        assert!(!text.ends_with('.'), "the title of {code} has a full stop");
        assert!(rule.why().ends_with(".\n"), "{code} gives no reason in whole sentences");
        assert!(rule.why().lines().all(|line| line.chars().count() <= 100), "{code} has long lines");
    }
}

#[test]
fn the_index_lists_every_rule() {
    expect_file!["../docs/diagnostics.md"].assert_eq(&index());
}

const HEAD: &str = "\
# Diagnostics

Every error, warning and note of `lp` about the files of a project. `lp check --explain LP0405` prints the page of a
code, and `lp check` looks at all files at once. After errors in a project `lp` ends with 2. Warnings and notes
never change the exit code; under `lp check --strict` every warning is an error, a note never.

LP00xx are about files as such, LP01xx about syntax, LP02xx about keys and values, LP03xx about `Lpfile.toml`, LP04xx
about cameras, LP05xx about workloads, LP06xx about scenes, LP07xx about overrides and profiles, LP08xx about tasks and
pipelines, LP09xx about the machine.

In the examples on the pages, files that are not shown are sound: an empty `Lpfile.toml`, no cameras, and a workload
`barcodes`. `UPDATE_EXPECT=1 cargo test --test catalogue` writes this table and the messages on the pages.

| code | severity | |
|---|---|---|
";

fn index() -> String {
    let mut text = HEAD.to_owned();
    for rule in rules() {
        let (code, severities) = (rule.code, rule.severity_words());
        let one_line = rule.text().replace('|', "\\|");
        writeln!(text, "| [{code}](codes/{code}.md) | {severities} | {one_line} |").unwrap();
    }
    text
}
