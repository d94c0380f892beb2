//! The fault campaign: random projects are built while `lp` is killed, its
//! writes fail, its disk is full, its store is damaged, or others build too. After
//! each fault one build must make the project what a clean build makes of it,
//! byte for byte, and say what it did. One part does without faults: `reasons`. Others
//! measure: `disturbances` plants some while `lp run` measures, `good` looks whether detectors
//! that work are accused, `lanes` searches for the density of real lanes, `limits` plants bottlenecks of one, and `guard`
//! looks whether a search uses up the memory of its control group. `assets` kills downloads and
//! transcodes, and `convert` conversions of models. `inference` compares what models see with an independent program.
//! `density` searches on simulated machines.
//!
//! Without arguments it takes about a minute; `make campaign` runs all of it. It
//! is asked by the environment:
//!
//! ```text
//! LP_CAMPAIGN_FULL=1           all of it: 1,000 kills and so on
//! LP_CAMPAIGN_SEED=7           other projects and other moments
//! LP_CAMPAIGN_PART=kills       kills, writes, disk, damage, concurrent, reasons,
//!                              assets, convert, inference, disturbances, good, lanes,
//!                              limits, guard or density only
//! LP_CAMPAIGN_ONLY=queue       of `limits` and `lanes`, those with this in their name only
//! LP_CAMPAIGN_CASE=4f0c..      one case again, as a failure names it
//! LP_CAMPAIGN_LP=/usr/bin/lp   another `lp` than the one that Cargo built
//! ```
//! A case depends on its seed alone, but for the moments at which the machine
//! comes to things. The folder of a case that failed is kept.

mod assets;
mod case;
mod concurrent;
mod convert;
mod damage;
mod density;
mod disk;
mod disturbances;
mod good;
mod group;
mod guard;
mod inference;
mod kills;
mod lanes;
mod limits;
mod project;
mod random;
mod reasons;
#[path = "../gst/reference.rs"]
mod reference;
mod running;
mod tree;
mod writes;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use case::{Case, Tally};
use random::Random;

/// What kind of fault, how long it takes in a minute of all, and how many of
/// `unit` make the whole campaign.
struct Part {
    name: &'static str,
    share: Duration,
    unit: &'static str,
    whole: u64,
}

const PARTS: [Part; 6] = [
    Part { name: "kills", share: Duration::from_secs(18), unit: "kills", whole: 1000 },
    Part { name: "writes", share: Duration::from_secs(12), unit: "writes", whole: 1500 },
    Part { name: "disk", share: Duration::from_secs(6), unit: "full", whole: 150 },
    Part { name: "damage", share: Duration::from_secs(10), unit: "damages", whole: 500 },
    Part { name: "concurrent", share: Duration::from_secs(8), unit: "without a kill", whole: 150 },
    Part { name: "reasons", share: Duration::from_secs(4), unit: "reasons", whole: 2000 },
];

/// The parts that have no random projects to build. They take minutes, and say nothing on a machine
/// that runs other tests: they run in the whole campaign, or if they are asked for.
const ASKED: [Asked; 8] = [
    ("assets", |campaign| assets::run(campaign.seed, campaign.is_full, &campaign.folder)),
    ("convert", |campaign| convert::run(campaign.seed, campaign.is_full, &campaign.folder)),
    ("inference", |campaign| inference::run(&campaign.folder)),
    ("disturbances", |campaign| disturbances::run(campaign.seed, campaign.is_full, &campaign.folder)),
    ("good", |campaign| good::run(campaign.seed, campaign.is_full, &campaign.folder)),
    ("lanes", |campaign| lanes::run(&campaign.folder)),
    ("limits", |campaign| limits::run(campaign.is_full, &campaign.folder)),
    ("guard", |campaign| guard::run(campaign.seed, campaign.is_full, &campaign.folder)),
];

/// A part's name, and what runs it: whether all was well.
type Asked = (&'static str, fn(&Campaign) -> bool);

/// After so many failures a part has said enough.
const ENOUGH: usize = 10;

const DEFAULT_SEED: u64 = 4;

const INSIDE: &str = "LP_CAMPAIGN_INSIDE";

struct Campaign {
    seed: u64,
    is_full: bool,
    part: Option<String>,
    case: Option<u64>,
    folder: PathBuf,
}

fn main() -> ExitCode {
    if let Ok(kind) = std::env::var(disturbances::PLANT) {
        disturbances::disturb(&kind);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for name in PARTS.iter().map(|part| part.name).chain([density::NAME]) {
            say(&format!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--ignored") {
        return ExitCode::SUCCESS;
    }
    // `cargo test NAME` asks every test binary; only a part is meant for this one.
    let is_word = |argument: &&String| !argument.starts_with('-');
    let filters: Vec<&String> = arguments.iter().filter(is_word).collect();
    let is_meant = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(*filter));

    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let number = |text: String| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let seed = variable("LP_CAMPAIGN_SEED").map_or(Some(DEFAULT_SEED), |text| text.parse().ok());
    let (part, case) = (variable("LP_CAMPAIGN_PART"), variable("LP_CAMPAIGN_CASE"));
    let is_case_well = case.is_none() || (part.is_some() && case.clone().and_then(number).is_some());
    let (Some(seed), true) = (seed, is_case_well) else {
        say(
            "campaign: LP_CAMPAIGN_SEED must be a number, LP_CAMPAIGN_CASE one in hexadecimals beside LP_CAMPAIGN_PART",
        );
        return ExitCode::FAILURE;
    };
    let campaign = Campaign {
        seed,
        is_full: variable("LP_CAMPAIGN_FULL").is_some_and(|value| value != "0"),
        part,
        case: case.and_then(number),
        folder: std::env::temp_dir(),
    };
    let is_part = |name: &str| {
        name == density::NAME
            || ASKED.iter().any(|(asked, _)| *asked == name)
            || PARTS.iter().any(|part| part.name == name)
    };
    if let Some(part) = campaign.part.as_ref().filter(|name| !is_part(name)) {
        say(&format!("campaign: there is no part `{part}`"));
        return ExitCode::FAILURE;
    }
    let mut is_well = true;
    for part in &PARTS {
        if campaign.part.as_deref().is_none_or(|name| name == part.name) && is_meant(part.name) {
            is_well &= campaign.run(part);
        }
    }
    if campaign.part.as_deref().is_none_or(|name| name == density::NAME) && is_meant(density::NAME) {
        // All of it is for a release build.
        let is_full = campaign.is_full && (campaign.part.is_some() || !cfg!(debug_assertions));
        is_well &= density::run(campaign.seed, is_full, campaign.case);
    }
    for (name, run) in ASKED {
        if campaign.part.as_deref().map_or(campaign.is_full, |part| part == name) && is_meant(name) {
            is_well &= run(&campaign);
        }
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Campaign {
    /// Runs a part. Whether all its cases were well.
    fn run(&self, part: &Part) -> bool {
        if part.name == "disk" && std::env::var_os(INSIDE).is_none() {
            let Some(unshare) = disk::unshare() else {
                say("campaign: disk: SKIPPED, this machine refuses mount namespaces");
                return true;
            };
            let program = std::env::current_exe().unwrap();
            let status = Command::new(unshare[0])
                .args(&unshare[1..])
                .arg(program)
                .env(INSIDE, "1")
                .env("LP_CAMPAIGN_PART", part.name)
                .status();
            return status.is_ok_and(|status| status.success());
        }
        let began = Instant::now();
        let mut told = began;
        let (mut n_cases, mut n_failed, mut tally) = (0, 0, Tally::new());
        let done = |tally: &Tally| tally.get(part.unit).copied().unwrap_or(0);
        loop {
            let is_over = if self.case.is_some() {
                n_cases > 0
            } else if self.is_full {
                done(&tally) >= part.whole
            } else {
                began.elapsed() >= part.share && n_cases > 0
            };
            if is_over || n_failed >= ENOUGH {
                break;
            }
            let seed = self.case.unwrap_or_else(|| Random::case_seed(self.seed, part.name, n_cases));
            n_cases += 1;
            let (counted, failure) = self.case(part, seed);
            for (what, n) in counted {
                *tally.entry(what).or_default() += n;
            }
            if self.is_full && told.elapsed() > Duration::from_secs(60) {
                told = Instant::now();
                say(&format!("campaign: {}: {} of {} {}", part.name, done(&tally), part.whole, part.unit));
            }
            if let Some(failure) = failure {
                n_failed += 1;
                say(&failure);
            }
        }
        let counts: Vec<String> = tally.iter().map(|(what, n)| format!("{n} {what}")).collect();
        let failed = if n_failed > 0 { format!(", {n_failed} FAILED") } else { String::new() };
        say(&format!(
            "campaign: {:<10} {n_cases:>4} projects, {}; seed {}, {:.0} s{failed}",
            part.name,
            counts.join(", "),
            self.seed,
            began.elapsed().as_secs_f64(),
        ));
        n_failed == 0
    }

    /// Runs a case. What it did, and how it failed.
    fn case(&self, part: &Part, seed: u64) -> (Tally, Option<String>) {
        let folder =
            self.folder.join(format!("lp-campaign-{}-{seed:016x}-{}", part.name, std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut random = Random::new(seed);
        let n_tasks = if part.name == "writes" { random.between(2, 4) } else { random.between(2, 6) };
        let mut case = if part.name == "disk" {
            disk::mounted(random, &folder, n_tasks)
        } else {
            Case::new(random, &folder, "p", n_tasks)
        };
        let ended = catch_unwind(AssertUnwindSafe(|| match part.name {
            "kills" => kills::run(&mut case),
            "writes" => writes::run(&mut case, self.is_full),
            "disk" => disk::run(&mut case),
            "damage" => damage::run(&mut case),
            "reasons" => reasons::run(&mut case),
            _ => concurrent::run(&mut case),
        }));
        let why = match ended {
            Ok(Ok(())) => {
                clear(part, &folder);
                return (case.tally, None);
            }
            Ok(Err(why)) => why,
            Err(_) => "the campaign itself panicked, see above".to_owned(),
        };
        let full = if self.is_full { "LP_CAMPAIGN_FULL=1 " } else { "" };
        let failure = format!(
            "campaign: {} FAILED: {why}\n  it is in {}\n  again: {full}LP_CAMPAIGN_PART={} \
             LP_CAMPAIGN_CASE={seed:016x} cargo test --test campaign\n  what was done to it:\n    {}",
            part.name,
            keep(part, &folder).display(),
            part.name,
            case.story.join("\n").replace('\n', "\n    "),
        );
        (case.tally, Some(failure))
    }
}

fn clear(part: &Part, folder: &Path) {
    if part.name == "disk" {
        disk::unmount(folder);
    }
    tree::remove(folder);
}

/// Keeps the folder of a case. What is mounted goes away with this process, so
/// it is copied.
fn keep(part: &Part, folder: &Path) -> PathBuf {
    if part.name == "disk" {
        let _ = Command::new("cp").arg("-a").arg(folder.join("disk")).arg(folder.join("kept")).status();
    }
    folder.to_path_buf()
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
