//! Over four hundred files with the right verdict known for each, in
//! `tests/corpus`; its `README.md` describes how to read and extend it.
//!
//! A verdict is written by hand, from the meaning of the rules. This test writes the
//! messages of `lp` to a file beside it, for review.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use expect_test::{expect, expect_file};
use lp::config::load::{LoadRequest, Loaded, Scope, load};
use lp::diag::Color;
use lp::diag::codes;
use lp::diag::{Diagnostic, Diagnostics, Place, Severity, Sources};
use lp::graph::link::link;
use lp::graph::lower::{Lowering, Subject, lower};
use lp::plan::lane::Lane;

const CORPUS: &str = "tests/corpus";

/// Cases with a wrong report of `lp`. Remove a case when its report is right.
const NOT_YET: &[&str] = &[];

/// The one word of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Accepted, even under `--strict`.
    Sound,
    /// Usable, but refused under `--strict`.
    Risky,
    /// Refused.
    Faulty,
}

/// One diagnostic, as a verdict names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    severity: &'static str,
    code: String,
    /// `file:line:column`, `-` for none, `*` for any.
    place: String,
    /// Other places that it must show, or shows.
    also: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.severity, self.code, self.place)?;
        self.also.iter().try_for_each(|place| write!(f, " also {place}"))
    }
}

/// A line of `verdicts.txt`.
struct Verdict {
    name: String,
    word: Word,
    findings: Vec<Finding>,
}

/// The report of `lp` about a case.
struct Judgement {
    word: Word,
    findings: Vec<Finding>,
    text: String,
}

fn parse_finding(text: &str, file: &str) -> Finding {
    let mut words = text.splitn(3, ' ');
    let severity = match words.next() {
        Some("error") => "error",
        Some("warning") => "warning",
        Some("note") => "note",
        other => panic!("`{text}` begins with {other:?}"),
    };
    let code = words.next().unwrap_or_else(|| panic!("`{text}` has no code")).to_owned();
    let places = words.next().unwrap_or_else(|| panic!("`{text}` has no place"));
    // With only one file, only line and column are written.
    let whole = |place: &str| match place {
        "*" | "-" => place.to_owned(),
        _ => format!("{file}{place}"),
    };
    let mut places = places.split(" also ").map(whole);
    Finding { severity, code, place: places.next().unwrap_or_default(), also: places.collect() }
}

/// Reads `verdicts.txt` of a folder. `file` precedes a line and column.
fn verdicts(folder: &str, file: impl Fn(&str) -> String) -> Vec<Verdict> {
    let text = fs::read_to_string(format!("{CORPUS}/{folder}/verdicts.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.splitn(2, ' ');
            let name = words.next().unwrap_or_default().to_owned();
            let mut words = words.next().unwrap_or_default().trim().splitn(2, ' ');
            let word = match words.next() {
                Some("sound") => Word::Sound,
                Some("risky") => Word::Risky,
                Some("faulty") => Word::Faulty,
                other => panic!("{folder}/{name} is {other:?}"),
            };
            let findings = words.next().unwrap_or_default().trim();
            let findings = findings.split("; ").filter(|text| !text.is_empty());
            let file = file(&name);
            Verdict { findings: findings.map(|text| parse_finding(text, &file)).collect(), name, word }
        })
        .collect()
}

/// `folder` is shown as `DIR`.
fn judge(mut loaded: Loaded, folder: &Path) -> Judgement {
    if let Some(project) = &loaded.project {
        let (subjects, lane) = ([Subject::lane(project)], Lane::of(project));
        let lowered = lower(&Lowering {
            project,
            lane: &lane,
            subjects: &subjects,
            variable: &|_| None,
            parts: &|_| Vec::new(),
        });
        for fault in link(lowered.tasks).err().unwrap_or_default() {
            let diagnostic =
                Diagnostic::error(codes::GRAPH, fault.message).at(fault.place).label(fault.label);
            let also = |diagnostic: Diagnostic, (place, text): (Place, String)| diagnostic.also(place, text);
            loaded.diagnostics.push(fault.others.into_iter().fold(diagnostic, also));
        }
    }
    let Loaded { mut diagnostics, sources, .. } = loaded;
    let text = diagnostics.render_human(&sources, Color::Never).replace(folder.to_str().unwrap(), "DIR");
    let findings = findings(&diagnostics, &sources);
    let is_refused = diagnostics.has_errors();
    diagnostics.deny_warnings();
    let word = match (is_refused, diagnostics.has_errors()) {
        (true, _) => Word::Faulty,
        (false, true) => Word::Risky,
        (false, false) => Word::Sound,
    };
    Judgement { word, findings, text }
}

fn findings(diagnostics: &Diagnostics, sources: &Sources) -> Vec<Finding> {
    let shown = |place: Place| {
        let position = sources.position(place.file, place.start);
        format!("{}:{}:{}", sources.name(place.file), position.line, position.column)
    };
    let sorted = diagnostics.sorted();
    // In the order of the file, as people read it.
    for pair in sorted.windows(2) {
        assert!(pair[0].place <= pair[1].place, "{:?} comes before {:?}", pair[0], pair[1]);
    }
    let finding = |one: &Diagnostic| Finding {
        severity: match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        code: one.code.to_owned(),
        place: one.place.map_or_else(|| "-".to_owned(), shown),
        also: one.secondary.iter().map(|(place, _)| shown(*place)).collect(),
    };
    sorted.into_iter().map(finding).collect()
}

/// The difference between a verdict and a report, if there is one.
fn difference(verdict: &Verdict, judged: &Judgement) -> Option<String> {
    let mut found = judged.findings.clone();
    let fits = |wanted: &Finding, one: &Finding| {
        one.severity == wanted.severity
            && one.code == wanted.code
            && (wanted.place == "*" || one.place == wanted.place)
            && wanted.also.iter().all(|place| one.also.contains(place))
    };
    // Those with a place choose first.
    let (anywhere, placed): (Vec<&Finding>, Vec<&Finding>) =
        verdict.findings.iter().partition(|wanted| wanted.place == "*");
    let mut is_right = verdict.word == judged.word;
    for wanted in placed.into_iter().chain(anywhere) {
        match found.iter().position(|one| fits(wanted, one)) {
            Some(at) => drop(found.remove(at)),
            None => is_right = false,
        }
    }
    if is_right && found.is_empty() {
        return None;
    }
    let listed = |word: Word, findings: &[Finding]| {
        let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
        format!("{word:?} {}", findings.join("; "))
    };
    Some(format!(
        "{}\n  expected {}\n  found    {}\n\n{}",
        verdict.name,
        listed(verdict.word, &verdict.findings),
        listed(judged.word, &judged.findings),
        judged.text
    ))
}

/// Judges every case of a folder, and writes the messages.
fn check(folder: &str, verdicts: &[Verdict], judge: impl Fn(&str) -> Judgement) {
    let known: BTreeSet<&str> = verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
    assert_eq!(known.len(), verdicts.len(), "{folder} has a verdict twice");
    for entry in fs::read_dir(format!("{CORPUS}/{folder}")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_case = name != "verdicts.txt" && name != "messages.txt";
        assert!(!is_case || known.contains(&*name), "{folder}/{name} has no verdict");
    }
    let mut messages = String::new();
    let mut faults = Vec::new();
    for verdict in verdicts {
        let judged = judge(&verdict.name);
        let case = format!("{folder}/{}", verdict.name);
        let is_met = !NOT_YET.contains(&&*case);
        if is_met && !judged.text.is_empty() {
            messages.push_str(&format!("=== {}\n\n{}", verdict.name, judged.text));
        }
        match (difference(verdict, &judged), is_met) {
            (Some(difference), true) => faults.push(format!("{folder}/{difference}")),
            (None, false) => faults.push(format!("{case} is judged rightly: take it off the list")),
            _ => {}
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), verdicts.len(), faults.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS).join(folder).join("messages.txt");
    expect_file![path].assert_eq(&messages);
}

/// One file in a folder of its own, loaded by `request`.
fn alone(bytes: &[u8], name: &str, request: impl FnOnce(&mut LoadRequest)) -> Judgement {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let mut asked = LoadRequest { dir: folder.path().to_path_buf(), ..LoadRequest::default() };
    request(&mut asked);
    if asked.cameras.is_some() || asked.workloads.is_some() {
        asked.scope = Scope::Single;
    }
    judge(load(&asked), folder.path())
}

fn camera_file(bytes: &[u8], name: &str) -> Judgement {
    alone(bytes, name, |request| request.cameras = Some(name.into()))
}

fn workload_file(bytes: &[u8], name: &str) -> Judgement {
    alone(bytes, name, |request| request.workloads = Some(name.into()))
}

fn project_file(bytes: &[u8]) -> Judgement {
    alone(bytes, "Lpfile.toml", |_| {})
}

#[test]
fn single_camera_files_get_their_verdicts() {
    let verdicts = verdicts("cameras", |name| format!("{name}:"));
    check("cameras", &verdicts, |name| {
        camera_file(&fs::read(format!("{CORPUS}/cameras/{name}")).unwrap(), name)
    });
}

#[test]
fn single_workload_files_get_their_verdicts() {
    let verdicts = verdicts("workloads", |name| format!("{name}:"));
    check("workloads", &verdicts, |name| {
        workload_file(&fs::read(format!("{CORPUS}/workloads/{name}")).unwrap(), name)
    });
}

#[test]
fn single_project_files_get_their_verdicts() {
    let verdicts = verdicts("lpfile", |_| "Lpfile.toml:".to_owned());
    check("lpfile", &verdicts, |name| project_file(&fs::read(format!("{CORPUS}/lpfile/{name}")).unwrap()));
}

#[test]
fn whole_projects_get_their_verdicts() {
    let verdicts = verdicts("projects", |_| String::new());
    check("projects", &verdicts, |name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS).join("projects").join(name);
        let mut request = LoadRequest { dir: folder.clone(), ..LoadRequest::default() };
        for line in fs::read_to_string(folder.join("flags")).unwrap_or_default().lines() {
            match line.split_once(' ') {
                Some(("--set", set)) => request.sets.push(set.to_owned()),
                Some(("--profile", profile)) => request.profile = Some(profile.to_owned()),
                _ => panic!("{name}/flags has `{line}`"),
            }
        }
        judge(load(&request), &folder)
    });
}

#[test]
fn cases_that_are_not_met_yet_are_in_the_corpus() {
    for case in NOT_YET {
        assert!(Path::new(CORPUS).join(case).exists(), "there is no {case}");
    }
}

/// Files that are too large or too uniform to keep, made here.
#[test]
fn oversized_files_are_refused_in_bounded_time() {
    let judged = |what: &str, judged: Judgement, expected: &str, file: &str| {
        let findings = expected.split("; ").map(|text| parse_finding(text, file)).collect();
        let verdict = Verdict { name: what.to_owned(), word: Word::Faulty, findings };
        let difference = difference(&verdict, &Judgement { text: String::new(), ..judged });
        assert_eq!(difference, None);
    };
    let cameras = |what: &str, text: &[u8], expected: &str| {
        judged(what, camera_file(text, "c.json"), expected, "c.json:");
    };
    let lpfile = |what: &str, text: &[u8], expected: &str| {
        judged(what, project_file(text), expected, "Lpfile.toml:");
    };
    cameras("10,000 lists", "[".repeat(10_000).as_bytes(), "error LP0006 1:129");
    cameras("10,000 tables", "{\"a\":".repeat(10_000).as_bytes(), "error LP0006 1:641");
    cameras("a million lists", "[".repeat(1 << 20).as_bytes(), "error LP0006 1:129");
    cameras("a number of a million digits", "9".repeat(1 << 20).as_bytes(), "error LP0104 1:1");
    cameras("a text without an end", format!("{{\"{}", "x".repeat(1 << 20)).as_bytes(), "error LP0102 *");
    cameras("any bytes", &(0..=255).cycle().take(1 << 16).collect::<Vec<u8>>(), "error LP0005 *");
    cameras("64 MiB and a byte", &vec![b' '; (64 << 20) + 1], "error LP0004 -");
    lpfile("10,000 lists", format!("x = {}", "[".repeat(10_000)).as_bytes(), "error LP0006 1:85");
    lpfile("10,000 tables", format!("x = {}", "{a = ".repeat(10_000)).as_bytes(), "error LP0006 *");
}

/// Deep keys have no limit of brackets; it is enough that they are refused.
#[test]
fn keys_of_ten_thousand_parts_are_refused() {
    let parts = vec!["a"; 10_000].join(".");
    for text in [format!("{parts} = 1\n"), format!("[{parts}]\n"), format!("[[{parts}]]\n")] {
        assert_eq!(project_file(text.as_bytes()).word, Word::Faulty);
    }
}

#[test]
fn ten_thousand_faults_are_all_reported() {
    let key = |n: usize| format!("\"widht{n}\": 1");
    let keys: Vec<String> = (0..10_000).map(key).collect();
    let text = format!(
        "{{\"lane_config\": {{\"cameras\": [{{\"camera_id\": \"a\", \"streamUri\": \"rtsp://h/1\", \"workloads\": [\"scan\"],\n{}\n}}]}}}}",
        keys.join(",\n")
    );
    let judged = camera_file(text.as_bytes(), "c.json");
    assert_eq!((judged.word, judged.findings.len()), (Word::Risky, 10_000));
}

/// The files of upstream's own project, each alone. `config` tests the pairs that fit.
#[test]
fn files_of_upstream_have_no_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream-configs");
    let Ok(entries) = fs::read_dir(&folder) else {
        // Visible with `--nocapture`; the folder is not part of the package.
        let mut stdout = std::io::stdout();
        std::io::Write::write_all(&mut stdout, b"skipped: upstream's files are not here\n").unwrap();
        return;
    };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut said = String::new();
    let mut n_files = 0;
    for name in &names {
        let read = || fs::read(folder.join(name)).unwrap();
        let judged = match name.split_once("_to_") {
            Some(("camera", _)) => camera_file(&read(), name),
            Some(("workload", _)) => workload_file(&read(), name),
            _ => continue,
        };
        n_files += 1;
        for Finding { severity, code, .. } in judged.findings {
            said.push_str(&format!("{name}: {severity} {code}\n"));
        }
    }
    assert_eq!(n_files, 24);
    expect![[r#"
        camera_to_workload.json: warning LP0406
    "#]]
    .assert_eq(&said);
}

/// Rules that a schema has completely: it refuses every file that breaks one.
const IN_SCHEMA: &[&str] = &[
    codes::UNKNOWN_KEY,
    codes::MISSING_KEY,
    codes::WRONG_TYPE,
    codes::OUT_OF_RANGE,
    codes::UNKNOWN_WORD,
    codes::BLANK_TEXT,
    codes::EMPTY_LIST,
    codes::BAD_DIGEST,
    codes::BAD_BIT_RATE,
    codes::EXCLUSIVE_POOL,
    codes::MISSING_SOURCE,
    codes::BAD_FILE_SOURCE,
];

/// Rules that a schema has in part, or not at all since they concern the parser.
const PARTLY_IN_SCHEMA: &[&str] = &[
    codes::DUPLICATE_KEY,
    codes::NOT_FINITE,
    codes::NOT_A_DURATION,
    codes::BAD_PATH,
    codes::BAD_URL,
    codes::BAD_NAME,
    codes::OTHER_FILE,
    codes::OLD_AND_NEW_FORM,
    codes::BAD_CAPS,
    codes::MISPLACED_KEY,
    codes::UNKNOWN_STEP,
];

/// Cases with one fault, which no schema can find.
const BEYOND_SCHEMAS: &[&str] = &["lpfile/task-with-a-blank-program.toml", "lpfile/task-without-time.toml"];

/// The contents of a file as JSON; `None` if its syntax is wrong.
fn as_json(path: &Path) -> Option<serde_json::Value> {
    let bytes = fs::read(path).unwrap();
    let text = String::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}');
    if path.extension().is_some_and(|extension| extension == "toml") {
        return serde_json::to_value(text.parse::<toml::Table>().ok()?).ok();
    }
    serde_json::from_str(text).ok()
}

/// The verdict of the schema against that of the readers, for every file of a folder.
fn check_schema(folder: &str, schema: &str, judge: impl Fn(&[u8], &str) -> Judgement) {
    let schemas = lp::config::schema::all();
    let (_, schema) = schemas.into_iter().find(|(name, _)| *name == schema).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let schema = jsonschema::draft7::new(&schema).unwrap();
    let (mut faults, mut n_refused, mut n_taken) = (Vec::new(), 0, 0);
    for verdict in verdicts(folder, |name| format!("{name}:")) {
        let path = Path::new(CORPUS).join(folder).join(&verdict.name);
        let Some(document) = as_json(&path) else { continue };
        let judged = judge(&fs::read(&path).unwrap(), &verdict.name);
        let grave = judged.findings.iter().filter(|finding| finding.severity != "note");
        let codes: Vec<&str> = grave.map(|finding| finding.code.as_str()).collect();
        let expected = if codes.iter().any(|code| IN_SCHEMA.contains(code)) {
            false
        } else if codes.iter().any(|code| PARTLY_IN_SCHEMA.contains(code)) {
            continue;
        } else {
            true
        };
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        let case = format!("{folder}/{}", verdict.name);
        if errors.is_empty() == expected {
            if expected {
                n_taken += 1
            } else {
                n_refused += 1
            }
            assert!(!BEYOND_SCHEMAS.contains(&&*case), "{case} is no exception");
        } else if !BEYOND_SCHEMAS.contains(&&*case) {
            faults.push(format!("{case}: {}\n  schema: {errors:?}", codes.join(" ")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(n_refused > 20 && n_taken > 10, "only {n_refused} refused and {n_taken} taken");
}

#[test]
fn schemas_agree_with_the_readers() {
    check_schema("cameras", "camera.schema.json", camera_file);
    check_schema("workloads", "workload.schema.json", workload_file);
    check_schema("lpfile", "lpfile.schema.json", |bytes, _| project_file(bytes));
}
