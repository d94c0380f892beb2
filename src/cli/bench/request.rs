//! What the user asked `lp bench` for: flags become axes, a baseline and a number of repeats.

use super::super::args::{BenchArgs, Global};
use super::super::project;
use crate::bench::enough::Rule;
use crate::bench::matrix::{Combination, Key, Matrix};
use crate::config::load::LoadRequest;
use crate::os;
use crate::record::metric::Metric;
use crate::text::harmless;
use crate::time::duration_text;
use crate::workspace::error::{CommandError, Result};

/// The fewest repeats that are worth an interval, where their number is open.
const LEAST: usize = 5;
/// The most, unless the user allows more.
const MOST: usize = 20;
/// Pairs for a gate: enough to find 5 % at a deviation of 1 %.
const PAIRS: usize = 8;

/// What cells are compared with.
pub(super) enum Baseline {
    /// Nothing.
    Nothing,
    /// The cell with these values, of the same load.
    Cell(Combination),
    /// Runs that were made before, or elsewhere: run-ids, files, a revision.
    Stored(Vec<String>),
}

/// The request.
pub(super) struct Asked {
    pub(super) matrix: Matrix,
    pub(super) baseline: Baseline,
    pub(super) rule: Rule,
    /// How many pairs a gate needs.
    pub(super) pairs: usize,
    pub(super) metric: Option<Metric>,
    pub(super) load: LoadRequest,
    pub(super) seed: u64,
}

impl Asked {
    /// # Errors
    /// With all faults of the flags.
    pub(super) fn of(global: &Global, args: &BenchArgs) -> Result<Asked> {
        let mut faults: Vec<CommandError> = Vec::new();
        let mut fault = |text: String| faults.push(CommandError::refused(text));
        let matrix = Matrix::parse(&args.matrix).unwrap_or_else(|found| {
            found.into_iter().for_each(&mut fault);
            Matrix::default()
        });
        let is_value =
            |word: &String| word.contains('=') && !matches!(os::fs::look(word.as_ref()), Ok(Some(_)));
        let baseline = match args.baseline.as_slice() {
            [] if matrix.compares() => Baseline::Cell(matrix.first()),
            [] => Baseline::Nothing,
            words if words.iter().all(is_value) => match Matrix::parse_baseline(words) {
                Ok(values) => Baseline::Cell(values),
                Err(found) => {
                    found.into_iter().for_each(&mut fault);
                    Baseline::Nothing
                }
            },
            words => {
                if let Some(word) = words.iter().find(|word| is_value(word)) {
                    fault(format!(
                        "`--baseline` takes either KEY=VALUE of cells that are measured here, or stored runs, found both: `{}`",
                        harmless(word)
                    ));
                }
                Baseline::Stored(words.to_vec())
            }
        };
        let has_camera = matrix.axes.iter().any(|axis| axis.key == Key::Camera);
        if has_camera && !args.cameras.is_empty() {
            fault("cameras are named twice: before `--matrix`, and as its axis `camera`".to_owned());
        }
        for axis in &matrix.axes {
            if let Key::Setting(key) = &axis.key {
                let is_set = |set: &&String| set.split('=').next().is_some_and(|name| name.trim() == key);
                if sets(args).iter().chain(&global.sets).any(|set| is_set(&set)) {
                    fault(format!(
                        "`{}` is set twice: as an axis of `--matrix`, and by a flag",
                        harmless(key)
                    ));
                }
            }
        }
        let has_profile = matrix.axes.iter().any(|axis| axis.key == Key::Profile);
        if let Some(profile) = global.profile.as_ref().filter(|_| has_profile)
            && os::env::raw("LP_PROFILE").is_none_or(|value| value != profile.as_str())
        {
            fault(format!(
                "`--profile {}` has no effect: `profile` is an axis of `--matrix`",
                harmless(profile)
            ));
        }
        if args.gate && matches!(baseline, Baseline::Nothing) && faults_is_empty(&args.matrix, &matrix) {
            faults.push(
                CommandError::refused("`--gate` compares, and there is nothing to compare with").hint(
                    "name a baseline: `--baseline profile=old`, `--baseline latest`, `--baseline main`",
                ),
            );
        }
        if args.gate && args.dry_run {
            faults.push(CommandError::refused(
                "`--gate` judges runs, and `-n` makes none: a job with both would always pass",
            ));
        }
        let metric = match args.metric.as_deref().map(|name| (name, Metric::of(name))) {
            None => None,
            Some((_, Some(metric))) => Some(metric),
            Some((name, None)) => {
                let names = Metric::ALL.map(Metric::name);
                let error = CommandError::refused(format!("there is no metric `{}`", harmless(name)));
                faults.push(match crate::name::did_you_mean(name, names) {
                    Some(meant) => error.hint(format!("did you mean `{meant}`?")),
                    None => error.hint(format!("possible: {}", names.join(", "))),
                });
                None
            }
        };
        if let Some(error) = CommandError::all(faults) {
            return Err(error);
        }
        let rule = match args.runs {
            Some(n) => Rule::exactly(n),
            None => {
                let most = args.max_runs.unwrap_or(MOST);
                Rule { least: LEAST.min(most), most, within: args.within }
            }
        };
        let seed = args.seed.unwrap_or_else(|| os::clock::utc_now().unix_millis().unsigned_abs() % 1_000_000);
        let load = project::request(global, &sets(args))?;
        Ok(Asked { matrix, baseline, rule, pairs: args.runs.unwrap_or(PAIRS), metric, load, seed })
    }

    /// The name of its results: `lane`, `camera-3-profile`.
    pub(super) fn name(&self, subject: &str) -> String {
        let has_camera = self.matrix.axes.iter().any(|axis| axis.key == Key::Camera);
        let first = if has_camera { None } else { Some(subject.to_owned()) };
        let baseline = match &self.baseline {
            Baseline::Cell(values) => values.0.iter().map(|(key, _)| key.clone()).collect(),
            Baseline::Nothing | Baseline::Stored(_) => Vec::new(),
        };
        let axes = self.matrix.axes.iter().map(|axis| axis.key.clone());
        let mut keys: Vec<String> = Vec::new();
        for key in axes.chain(baseline) {
            let word: String =
                key.to_string().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            if !keys.contains(&word) {
                keys.push(word);
            }
        }
        first.into_iter().chain(keys).collect::<Vec<_>>().join("-")
    }
}

/// Whether the words of `--matrix` were read: a fault in one of them may be why there is no baseline.
fn faults_is_empty(words: &[String], matrix: &Matrix) -> bool {
    words.len() == matrix.axes.len()
}

/// The flags that are short forms of settings.
fn sets(args: &BenchArgs) -> Vec<String> {
    let duration = args.duration.map(|duration| format!("run.duration={}", duration_text(duration)));
    let warmup = args.warmup.as_ref().map(|warmup| format!("run.warmup={warmup}"));
    let count = args.count.map(|count| format!("run.count={count}"));
    [duration, warmup, count].into_iter().flatten().collect()
}
