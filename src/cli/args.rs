//! What a person types: commands and flags. Their help is written here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::time::parse_duration;

/// Can this machine run my lane, how many lanes, and what limits it?
///
/// Cameras and workloads come from JSON files, everything else from Lpfile.toml.
#[derive(Debug, Parser)]
#[command(name = "lp", version, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,

    /// Flags of every command
    #[command(flatten)]
    pub(super) global: Global,
}

/// Flags of every command.
#[derive(Args, Debug)]
pub(super) struct Global {
    /// Work as if `lp` was started in this directory
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,

    /// Read cameras from this file instead of the one in Lpfile.toml
    #[arg(id = "camera_file", long = "cameras", value_name = "FILE", global = true)]
    pub(super) cameras: Option<PathBuf>,

    /// Read workloads from this file instead of the one in Lpfile.toml
    #[arg(id = "workload_file", long = "workloads", value_name = "FILE", global = true)]
    pub(super) workloads: Option<PathBuf>,

    /// Use this profile of Lpfile.toml
    #[arg(long, value_name = "NAME", global = true, env = "LP_PROFILE")]
    pub(super) profile: Option<String>,

    /// Set one key of Lpfile.toml, for example `run.duration=10s`
    // Not `global`: of values before and behind a command's name, the first would be
    // dropped. `flags` gives every command a flag of its own, and joins them.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,

    /// When to use colour
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(super) color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a small working project
    ///
    /// Writes nothing if one of its files exists already.
    Init(InitArgs),
    /// Make a project from a camera file and a workload file of Intel's loss-prevention
    ///
    /// Files that lie in the project's directory are named where they are; others
    /// are copied into it. Writes nothing if one of its files exists already.
    Import(ImportArgs),
    /// Read all config files and report every fault at its place
    Check(CheckArgs),
    /// Bring targets up to date: plans, assets, and what tasks make
    ///
    /// A target is a label (`plan:camera-3`), a camera (its inputs), a task's
    /// name, a glob, or one of `plan`, `assets`, `report`. Without targets: the
    /// plan, all assets, and every task that needs no measurement.
    Build(BuildArgs),
    /// Run cameras and measure them, after bringing what they need up to date
    ///
    /// Downloads, transcodes and plans come from the cache when nothing they
    /// depend on has changed. The pipelines themselves always run, because their
    /// measurements describe this run.
    Run(RunArgs),
    /// Show a stored run again: as table, JSON, CSV or HTML
    Report(ReportArgs),
    /// Show the graph of tasks
    ///
    /// Without flags: every task and whether it must run. `--deps`, `--rdeps` and
    /// `--path` list labels, or restrict `--dot` and `--json` to these tasks.
    Graph(GraphArgs),
    /// Show the plan: pipelines, why workloads share them, and the load before anything runs
    ///
    /// Reads the config files, not the results: what is shown is what `lp build
    /// plan` would write now.
    Show(ShowArgs),
    /// Say why a target is fresh, new or stale, down to the line that makes it so
    ///
    /// Follows the chain of tasks from the target to what made it stale, and names
    /// the place in a file, the override, the variable or the tool. Runs nothing.
    Explain(ExplainArgs),
    /// Look into the store, check it, and remove from it
    Cache(CacheArgs),
    /// Look for what this machine lacks, and say how to get it
    Doctor(DoctorArgs),
}

/// `lp init`
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Where to make it [default: the current directory]
    #[arg(value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
}

/// `lp import`
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Where to make it [default: the current directory]
    #[arg(value_name = "DIR")]
    pub(super) root: Option<PathBuf>,

    /// Print the current form of a camera or workload file in an older one instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "camera_file", "workload_file"])]
    pub(super) rewrite: Option<PathBuf>,
}

/// `lp check`
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Treat every warning as an error
    #[arg(long)]
    pub(super) strict: bool,

    /// Also ask a worker whether this machine can play all cameras
    ///
    /// Names the elements, properties and values that GStreamer does not take here,
    /// and elements that cannot be linked. Plays nothing.
    #[arg(long, conflicts_with = "explain")]
    pub(super) machine: bool,

    /// Explain a code such as LP0405, with an example; needs no project
    #[arg(long, value_name = "CODE", conflicts_with = "strict")]
    pub(super) explain: Option<String>,

    /// How to print faults
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: CheckFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// Formats of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// For people, on stderr
    Human,
    /// A JSON document
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

/// `lp build`
#[derive(Args, Debug)]
pub(super) struct BuildArgs {
    /// What to bring up to date
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Perform the targets themselves even if nothing has changed
    ///
    /// For tasks that depend on more than `lp` can see: a file that was replaced on its
    /// server, a command that asks the network. Tasks that they need, or that need
    /// them, run only if they must. The older result is kept if the new attempt fails.
    #[arg(long, requires = "targets")]
    pub(super) again: bool,

    /// Say what would run, and why, but run nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Go on with whatever does not depend on a failed task
    #[arg(short, long)]
    pub(super) keep_going: bool,

    /// Run so many tasks of pool `cpu` at once [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// Print events as JSON lines on stdout
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) json: bool,

    /// Write what ran when, and in which slot, in Chrome's trace format; open it in Perfetto
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) trace: Option<PathBuf>,
}

/// `lp run`
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// Cameras to run side by side, as named in the config [default: the whole lane]
    // `cameras` is the name of a flag of every command.
    #[arg(id = "members", value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// Measure for this long after warm-up; `0s` means until Ctrl-C [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,

    /// Run so many tasks of pool `cpu` at once while inputs are made [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// Print the report as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// `lp report`
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// A run-id, the first characters of one, or `latest`
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(super) run: String,

    /// The format on stdout
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: ReportFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    /// Write report.json, report.csv and report.html into this directory instead
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["format", "json"])]
    pub(super) output: Option<PathBuf>,
}

/// Formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// A table
    Human,
    /// A JSON document
    Json,
    /// One row per pipeline
    Csv,
    /// One self-contained page
    Html,
}

/// `lp graph`
#[derive(Args, Debug)]
pub(super) struct GraphArgs {
    /// Show only what these targets need
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// List what a target needs, in the order in which it would run
    #[arg(long, value_name = "TARGET", num_args = 1, group = "reach", conflicts_with_all = ["targets", "rdeps", "path"])]
    pub(super) deps: Vec<String>,

    /// List what needs a target
    #[arg(long, value_name = "TARGET", num_args = 1, group = "reach", conflicts_with_all = ["targets", "path"])]
    pub(super) rdeps: Vec<String>,

    /// Go only so many steps [default: all the way]
    #[arg(long, value_name = "N", conflicts_with_all = ["targets", "path"], requires = "reach")]
    pub(super) depth: Option<usize>,

    /// Show how two targets are connected: a shortest way, and what makes each step
    #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with = "targets")]
    pub(super) path: Vec<String>,

    /// As Graphviz text: `lp graph --dot | dot -Tsvg`
    #[arg(long, conflicts_with = "json")]
    pub(super) dot: bool,

    /// As a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp show`
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// Cameras, as named in the config: each with its pipelines and why they are so [default: the lane]
    // `cameras` is the name of a flag of every command.
    #[arg(id = "members", value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// Show only the totals: what the pipelines ask of the machine
    #[arg(long)]
    pub(super) summary: bool,

    /// Print the `gst-launch-1.0` command that plays them once
    ///
    /// Neither clips and models nor the elements need to be on this machine.
    #[arg(long, conflicts_with_all = ["summary", "diff"])]
    pub(super) launch: bool,

    /// Compare two plans; each is a profile, `default` for none, a plan file, a project's folder, or `-`
    #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with_all = ["members", "summary"])]
    pub(super) diff: Vec<String>,

    /// The format on stdout [default: human, with `--launch` sh]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<ShowFormat>,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// Formats of plans and commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// Tables
    Human,
    /// A JSON document: of a plan, what `lp build plan` writes
    Json,
    /// With `--launch`: one line for a POSIX shell
    Sh,
    /// With `--launch`: one argument a line
    Argv,
}

/// `lp explain`
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The targets
    #[arg(value_name = "TARGET", required_unless_present = "last")]
    pub(super) targets: Vec<String>,

    /// Say what the last build that did something did, and why
    #[arg(long)]
    pub(super) last: bool,

    /// As a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp cache`
#[derive(Args, Debug)]
pub(super) struct CacheArgs {
    /// What to do
    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

/// `lp cache ...`
#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Show what is known of a task: its attempts, their outputs and what was hashed
    Show {
        /// A label such as `plan:camera-3`, a digest, a run-id, or the first characters of one [default: a list]
        #[arg(value_name = "LABEL|DIGEST|RUN")]
        what: Option<String>,
    },
    /// Say how large the store is, and what makes it so
    ///
    /// Takes no lock and waits for nobody.
    Stats {
        /// As a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Remove what nothing keeps, and what is beyond the limits
    ///
    /// Always goes: what no attempt names, attempts that nobody can ask for any
    /// more, and what a crash left behind. Never goes: measurements. Without
    /// limits everything else stays.
    Gc(GcArgs),
    /// Read everything, and say what is not as it was written
    ///
    /// Damaged contents are stored again from the project where it still has
    /// them, else removed, so that the next build makes them again. Ends with 1
    /// if something was wrong.
    Verify {
        /// As a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a name for saving the store in CI
    ///
    /// It changes when a task or a file that tasks read changes, and is the same
    /// on every checkout. Needs no download and no worker.
    Key,
    /// Empty the store, measurements excepted
    Clean,
}

/// `lp cache gc`
#[derive(Args, Debug)]
pub(super) struct GcArgs {
    /// Remove what was used least recently until the stored contents are no larger, for example `20GiB`
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse_size)]
    pub(super) max_size: Option<u64>,

    /// Remove what was last used longer ago, for example `30d`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) max_age: Option<Duration>,

    /// Say what would be removed, but remove nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// As a JSON document on stdout
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp doctor`
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// As a JSON document
    #[arg(long)]
    pub(super) json: bool,
}
