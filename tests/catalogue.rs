//! The catalogue of rules against the code that reports them, and
//! `docs/diagnostics.md`, which is written here.
//!
//! Every example is loaded as a project of its own. Its message is what stands
//! in the document, from where `lp check --explain` has it. After a change run
//! `UPDATE_EXPECT=1 cargo test --test catalogue`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect_file;
use lp::config::load::{LoadRequest, load};
use lp::diag::Color;
use lp::diag::codes::{CHAPTERS, Example, Part, Reported, Rule, rules};
use lp::diag::{Diagnostics, Severity};
use lp::dialect::check;
use lp::pipeline::PipelineSpec;
use lp::pipeline::machine::{BuildFault, Factory, LinkFault, Machine, PropertyInfo, PropertyKind};
use lp::plan::lane::Lane;
use tempfile::TempDir;

/// The folder that examples are shown in.
const SHOWN: &str = "/home/me/lane";

/// What an example says.
struct Said {
    /// The code and the severity of each.
    found: Vec<(String, Severity)>,
    text: String,
}

/// The folder of an example.
fn folder(parts: &[Part]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = [
        Part::Lpfile(""),
        Part::Workloads("{\"workload_pipeline_map\": {\"barcodes\": [{\"type\": \"zbar\"}]}}\n"),
    ];
    for part in base.iter().chain(parts) {
        let Some(path) = part.path() else { continue };
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match part {
            Part::Cameras(text) | Part::Workloads(text) | Part::Lpfile(text) | Part::File(_, text) => {
                fs::write(&path, text).unwrap();
                // What asks for an interpreter is meant to be executed.
                if text.starts_with("#!") {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
                }
            }
            Part::Bytes(_, bytes) => fs::write(path, bytes).unwrap(),
            Part::Zeros(_, size) => fs::File::create(path).unwrap().set_len(*size).unwrap(),
            Part::Without(_) => fs::remove_file(path).unwrap(),
            Part::Flags(_) => {}
        }
    }
    folder
}

fn flags(parts: &[Part]) -> impl Iterator<Item = &'static str> {
    parts
        .iter()
        .filter_map(|part| if let Part::Flags(flags) = part { Some(*flags) } else { None })
        .flatten()
        .copied()
}

/// Reads a project as every command does.
fn read(parts: &[Part]) -> Said {
    let folder = folder(parts);
    let mut request = LoadRequest { dir: folder.path().to_path_buf(), ..LoadRequest::default() };
    let mut flags = flags(parts);
    while let (Some(flag), Some(value)) = (flags.next(), flags.next()) {
        match flag {
            "--set" => request.sets.push(value.to_owned()),
            "--profile" => request.profile = Some(value.to_owned()),
            _ => panic!("no example needs `{flag}` yet"),
        }
    }
    let loaded = load(&request);
    Said {
        found: found(&loaded.diagnostics),
        text: shown(&loaded.diagnostics.render_human(&loaded.sources, Color::Never), folder.path()),
    }
}

/// Asks a small machine of the test's own about a project: it has what examples
/// use, and no DL Streamer.
fn ask(parts: &[Part]) -> Said {
    let folder = folder(parts);
    let request = LoadRequest { dir: folder.path().to_path_buf(), ..LoadRequest::default() };
    let loaded = load(&request);
    let mut diagnostics = loaded.diagnostics;
    if let Some(project) = &loaded.project {
        let lane = Lane::of(project);
        let cameras: Vec<_> = lane.cameras.iter().collect();
        let machine = machine(check::factories(&cameras, project.settings.pace));
        let Ok(found) =
            check::machine(project, &cameras, &machine, |spec| Ok::<_, Infallible>(attempt(spec)));
        diagnostics.append(found);
    }
    Said {
        found: found(&diagnostics),
        text: shown(&diagnostics.render_human(&loaded.sources, Color::Never), folder.path()),
    }
}

fn machine(asked: BTreeSet<String>) -> Machine {
    let names = ["queue", "zbar", "motioncells", "x264enc"].map(str::to_owned).to_vec();
    let lacks = |name: &str| name.starts_with("gva") || name == "zbarr";
    let found = Factory { plugin: "some".to_owned(), version: "1.22.0".to_owned() };
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

/// Links everything but H.264 to `zbar`, and knows one text that is no caps.
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

fn found(diagnostics: &Diagnostics) -> Vec<(String, Severity)> {
    diagnostics.sorted().iter().map(|one| (one.code.to_owned(), one.severity)).collect()
}

/// Runs a command, of whose texts only diagnostics are kept.
fn run(command: &'static str, parts: &[Part]) -> Said {
    let folder = folder(parts);
    let arguments = command.strip_prefix("lp ").unwrap().split(' ').chain(flags(parts));
    let ended = Command::new(env!("CARGO_BIN_EXE_lp"))
        .args(arguments)
        .current_dir(&folder)
        .env("LP_LOCK_DIR", folder.path())
        .env("NO_COLOR", "1")
        .env_remove("LP_PROFILE")
        .output()
        .unwrap();
    let text = String::from_utf8(ended.stderr).unwrap();
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
        // The last one is followed by the line that counts.
        let counts = paragraph.find("\nerror: ").unwrap_or(paragraph.len());
        kept.push_str(&paragraph[..counts]);
    }
    Said { found, text: shown(&kept, folder.path()) }
}

fn shown(text: &str, folder: &Path) -> String {
    text.replace(folder.to_str().unwrap(), SHOWN).trim_end().to_owned()
}

/// What the example of a rule says; `None` if no example can say it everywhere.
fn said(rule: &Rule, parts: &[Part]) -> Option<Said> {
    match rule.reported {
        Reported::OnReading => Some(read(parts)),
        Reported::OnMachine => Some(ask(parts)),
        Reported::By(command) => Some(run(command, parts)),
        Reported::Elsewhere { .. } => None,
    }
}

#[test]
fn every_example_breaks_its_rule_and_no_other() {
    let mut faults = Vec::new();
    for rule in rules() {
        assert!(!rule.examples.is_empty(), "{} has no example", rule.code);
        let mut severities = BTreeSet::new();
        for example in rule.examples {
            let Some(said) = said(rule, example.wrong) else { continue };
            let others = said.found.iter().filter(|(code, _)| code != rule.code).count();
            if said.found.is_empty() || others > 0 {
                faults.push(format!("an example of {} says {:?}:\n{}", rule.code, said.found, said.text));
            }
            severities.extend(said.found.iter().map(|(_, severity)| *severity));
        }
        let expected: BTreeSet<Severity> = rule.severities.iter().copied().collect();
        if !matches!(rule.reported, Reported::Elsewhere { .. }) && severities != expected {
            faults.push(format!("the examples of {} are {severities:?}, not {expected:?}", rule.code));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_correction_leaves_nothing_to_say() {
    let mut faults = Vec::new();
    for rule in rules() {
        for example in rule.examples.iter().filter(|example| !example.right.is_empty()) {
            let Some(said) = said(rule, &example.corrected()) else { continue };
            if !said.found.is_empty() {
                faults.push(format!("the correction of {} says:\n{}", rule.code, said.text));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Rust files below `directory`, unit tests and the catalogue itself excepted.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_left_out =
            path.ends_with("diag/codes") || path.ends_with("codes.rs") || path.ends_with("tests");
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

#[test]
fn documents_name_only_codes_that_exist() {
    let known: BTreeSet<&str> = rules().map(|rule| rule.code).collect();
    for entry in fs::read_dir("docs").unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (at, _) in text.match_indices("LP0") {
            let code: String = text[at..].chars().take(6).collect();
            assert!(known.contains(&*code), "{} names `{code}`", path.display());
        }
    }
}

#[test]
fn explanations_fit_a_terminal() {
    for rule in rules() {
        assert!(rule.why.lines().all(|line| line.chars().count() <= 100), "{} has long lines", rule.code);
        assert!(rule.why.ends_with(".\n"), "{} explains in no whole sentence", rule.code);
        assert!(!rule.text.ends_with('.'), "{} has a full stop", rule.code);
    }
}

#[test]
fn the_document_lists_every_rule() {
    expect_file!["../docs/diagnostics.md"].assert_eq(&document());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        // The document that this program was built with is the one before.
        return;
    }
    for rule in rules() {
        let said = rule.examples.iter().filter_map(|example| said(rule, example.wrong)).map(|said| said.text);
        assert_eq!(rule.messages().collect::<Vec<_>>(), said.collect::<Vec<_>>(), "{}", rule.code);
    }
}

const HEAD: &str = "\
# Diagnostics

Everything that `lp` can say about the files of a project. `lp check --explain LP0405` prints an entry of this list, and
`lp check` looks at all files at once. Errors keep a project from being used, and `lp` ends with 2. Warnings and notes
never change how it ends; under `lp check --strict` every warning is an error, a note never.

In the examples, files that are not shown are sound: an empty `Lpfile.toml`, no cameras, and a workload `barcodes`.

This file is written by `UPDATE_EXPECT=1 cargo test --test catalogue` from `src/diag/codes/`, and what each example says
is what `lp` said.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n| code | | |\n|---|---|---|\n");
    for rule in rules() {
        let (code, anchor) = (rule.code, rule.code.to_lowercase());
        let one_line = rule.text.replace('|', "\\|");
        writeln!(text, "| [{code}](#{anchor}) | {} | {one_line} |", rule.severity_words()).unwrap();
    }
    for (chapter, rules) in CHAPTERS {
        writeln!(text, "\n## {chapter}").unwrap();
        for rule in rules {
            write!(
                text,
                "\n### {}\n\n**{}**: {}\n\n{}",
                rule.code,
                rule.severity_words(),
                rule.text,
                rule.why
            )
            .unwrap();
            for example in rule.examples {
                example_text(&mut text, rule, example);
            }
        }
    }
    text
}

fn example_text(text: &mut String, rule: &Rule, example: &Example) {
    for part in example.wrong {
        part_text(text, part);
    }
    match rule.reported {
        Reported::OnReading => {}
        Reported::OnMachine => writeln!(text, "\nWhat `lp check --machine` says:").unwrap(),
        Reported::By(command) => writeln!(text, "\nWhat `{command}` says:").unwrap(),
        Reported::Elsewhere { by, because } => {
            writeln!(text, "\nReported by `{by}`; there is no message to show here, because {because}.")
                .unwrap();
        }
    }
    if let Some(said) = said(rule, example.wrong) {
        writeln!(text, "\n```text\n{}\n```", said.text).unwrap();
    }
    if !example.right.is_empty() {
        text.push_str("\nInstead:\n");
    }
    for part in example.right {
        part_text(text, part);
    }
}

fn part_text(text: &mut String, part: &Part) {
    let mut fence = |language: &str, content: &str| {
        writeln!(text, "\n```{language}\n{}\n```", content.trim_end()).unwrap();
    };
    match *part {
        Part::Cameras(content) | Part::Workloads(content) => fence("json", content),
        Part::Lpfile("") => text.push_str("\nAn empty `Lpfile.toml`.\n"),
        Part::Lpfile(content) => fence("toml", content),
        Part::File(path, content) => {
            writeln!(text, "\n`{path}`:").unwrap();
            let language = path.rsplit_once('.').map_or("", |(_, language)| language);
            writeln!(text, "\n```{language}\n{}\n```", content.trim_end()).unwrap();
        }
        Part::Bytes(_, bytes) => fence("json", &String::from_utf8_lossy(bytes)),
        Part::Zeros(path, size) => {
            writeln!(text, "\nA file `{path}` of {} MiB and a byte.", size >> 20).unwrap()
        }
        Part::Without(path) => writeln!(text, "\nA folder without `{path}`.").unwrap(),
        Part::Flags(flags) => fence("sh", &format!("lp check {}", flags.join(" "))),
    }
}
