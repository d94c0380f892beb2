//! Real lanes of different weight, whose density is searched for twice: each answer must be within
//! one of what runs of 60 s at its neighbours say. Then a compiler works beside a third search, which
//! may end with the same answer or with "at least" and "at most", and with nothing wrong.
//!
//! A lane takes half an hour of a machine that is otherwise quiet, so the part runs only in the whole
//! campaign or if it is asked for.

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::limits::{Plant, command, write_project};
use crate::say;

/// Whole searches of each lane on a quiet machine.
const SEARCHES: usize = 2;

/// A compiler's work: it takes a core for seconds, again and again.
const SOURCE_FUNCTIONS: usize = 4_000;

fn lanes() -> [Plant; 3] {
    let codes = r#"{"type": "motioncells"}, {"type": "zbar"}"#;
    [
        Plant { camera: (1280, 720, 30), ..Plant::plain("heavy", codes, &[]) },
        Plant { camera: (640, 360, 15), ..Plant::plain("medium", codes, &[]) },
        Plant { camera: (320, 240, 15), ..Plant::plain("light", r#"{"type": "motioncells"}"#, &[]) },
    ]
}

/// Runs the part. Whether no answer was wrong.
pub(crate) fn run(folder: &Path) -> bool {
    let only = std::env::var("LP_CAMPAIGN_ONLY").ok();
    let lp = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
    let root = folder.join(format!("lp-campaign-lanes-{}", std::process::id()));
    let mut is_well = true;
    for plant in lanes() {
        if only.as_ref().is_some_and(|only| !plant.name.contains(only.as_str())) {
            continue;
        }
        match lane(&plant, &lp, &root.join(plant.name)) {
            Ok(is_right) => is_well &= is_right,
            Err(why) => {
                say(&format!("campaign: lanes: {}: FAILED: {why}", plant.name));
                is_well = false;
            }
        }
    }
    crate::tree::remove(&root);
    is_well
}

/// Searches for the density of one lane, and plays the numbers around. Whether all is right.
fn lane(plant: &Plant, lp: &OsString, root: &Path) -> Result<bool, String> {
    write_project(plant, root)?;
    let built = command(lp, root, &["build"]).output().map_err(|error| error.to_string())?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    let mut answers = Vec::new();
    for _ in 0..SEARCHES {
        answers.push(search(lp, root)?);
    }
    let compiler = Compiler::start(root);
    let beside = if compiler.is_some() { Some(search(lp, root)?) } else { None };
    drop(compiler);
    let around = around(lp, root, answers[0].at_least)?;
    let (holds, plays) = (around.holds(), around.plays());
    // What 60 s cannot tell may be either.
    let is_within_1 =
        |answer: &Answer| answer.is_number() && answer.at_least + 1 >= holds && answer.at_least <= plays + 1;
    let is_no_lie =
        |answer: &Answer| answer.at_least <= plays && answer.at_most.is_none_or(|most| most >= holds);
    let n_right = answers.iter().filter(|answer| is_within_1(answer)).count();
    let n_wrong = answers.iter().chain(&beside).filter(|answer| !is_no_lie(answer)).count();
    let found: Vec<String> = answers.iter().map(Answer::to_string).collect();
    let is_right = n_right == SEARCHES && n_wrong == 0;
    say(&format!(
        "campaign: lanes: {}: {}; runs of 60 s: {around}; {}{}",
        plant.name,
        found.join(", then "),
        match &beside {
            Some(answer) => format!("beside a compiler: {answer}"),
            None => "beside a compiler: SKIPPED, there is no `cc`".to_owned(),
        },
        if is_right { "" } else { ", FAILED" },
    ));
    Ok(is_right)
}

/// The answer of a search, and how long it took.
struct Answer {
    at_least: u64,
    at_most: Option<u64>,
    seconds: u64,
}

impl Answer {
    fn is_number(&self) -> bool {
        self.at_most == Some(self.at_least)
    }
}

impl Display for Answer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.at_most {
            Some(most) if most == self.at_least => write!(out, "{most}")?,
            Some(most) => write!(out, "{} to {most}", self.at_least)?,
            None => write!(out, "at least {}", self.at_least)?,
        }
        write!(out, " in {} s", self.seconds)
    }
}

fn search(lp: &OsString, root: &Path) -> Result<Answer, String> {
    let began = std::time::Instant::now();
    let arguments = ["density", "--again", "--no-limiter"];
    let ended = command(lp, root, &arguments).output().map_err(|error| error.to_string())?;
    let told = || format!("`lp density`: {}", String::from_utf8_lossy(&ended.stderr));
    let record = fs::read(root.join("results/density/lane.json")).map_err(|_| told())?;
    let record: Value = serde_json::from_slice(&record).map_err(|_| told())?;
    let number = |key: &str| record["answer"][key].as_u64();
    let at_least = number("at_least").ok_or_else(told)?;
    Ok(Answer { at_least, at_most: number("at_most"), seconds: began.elapsed().as_secs() })
}

/// What runs of 60 s say of numbers, from the least: `Some(true)` holds, `Some(false)` does not.
struct Around(Vec<(u64, Option<bool>)>);

impl Around {
    /// The largest number that holds; the one below the least that was played, if none does.
    fn holds(&self) -> u64 {
        let held = self.0.iter().filter(|(_, holds)| *holds == Some(true)).map(|(number, _)| *number).max();
        held.unwrap_or_else(|| self.0[0].0.saturating_sub(1))
    }

    /// The largest number that does not fail.
    fn plays(&self) -> u64 {
        let played = self.0.iter().filter(|(_, holds)| *holds != Some(false)).map(|(number, _)| *number);
        played.max().unwrap_or_else(|| self.0[0].0.saturating_sub(1))
    }
}

impl Display for Around {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let word = |holds| match holds {
            Some(true) => "holds",
            Some(false) => "fails",
            None => "undecided",
        };
        let all: Vec<String> =
            self.0.iter().map(|(number, holds)| format!("{number} {}", word(*holds))).collect();
        write!(out, "{}", all.join(", "))
    }
}

/// Plays one lane less, as many, and more until one number fails.
fn around(lp: &OsString, root: &Path, number: u64) -> Result<Around, String> {
    let mut all = Vec::new();
    for n in number.saturating_sub(1).max(1)..=number + 4 {
        let count = n.to_string();
        let arguments = ["run", "--no-verdict", "--duration", "60s", "--count", &count];
        let ended = command(lp, root, &arguments).output().map_err(|error| error.to_string())?;
        let told = || format!("`lp run --count {n}`: {}", String::from_utf8_lossy(&ended.stderr));
        let report = fs::read(root.join("results/latest/report.json")).map_err(|_| told())?;
        let report: Value = serde_json::from_slice(&report).map_err(|_| told())?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let verdicts: Vec<String> = list(&report["measurement"]["cameras"])
            .iter()
            .flat_map(|camera| list(&camera["streams"]))
            .map(|stream| stream["verdict"].as_str().unwrap_or_default().to_owned())
            .collect();
        let holds = match () {
            () if verdicts.is_empty() => return Err(told()),
            () if verdicts.iter().all(|verdict| verdict == "holds") => Some(true),
            () if verdicts.iter().any(|verdict| verdict == "does_not_hold") => Some(false),
            () => None,
        };
        all.push((n, holds));
        if n > number && holds == Some(false) {
            break;
        }
    }
    Ok(Around(all))
}

/// A C compiler that never ends; gone when it is dropped.
struct Compiler(Child);

impl Compiler {
    /// `None` if there is none.
    fn start(root: &Path) -> Option<Compiler> {
        let has_one =
            Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !has_one.is_ok_and(|status| status.success()) {
            return None;
        }
        let functions: String = (0..SOURCE_FUNCTIONS)
            .map(|n| format!("int f{n}(int a) {{ int s = {n}; for (int i = 0; i < a; i++) s += i * a ^ s; return s; }}\n"))
            .collect();
        fs::write(root.join("compiled.c"), functions).unwrap();
        // Five seconds between two compilations: nothing is learnt beside one that never rests.
        let script = "while cc -O2 -c compiled.c -o compiled.o; do sleep 5; done";
        let mut shell = Command::new("sh");
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let started = shell.args(["-c", script]).current_dir(root).stdin(Stdio::null()).spawn();
        Some(Compiler(started.unwrap()))
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}
