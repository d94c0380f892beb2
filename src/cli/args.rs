//! The commands, their flags and their help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::os::{IpAddr, SocketAddr};
use crate::record::comparison::Field;
use crate::record::metric::{Matters, Metric};
use crate::text::is_unseen;
use crate::time::{duration_text, parse_duration};

/// Measure whether this machine can run a lane of cameras
///
/// Two JSON files define cameras and workloads; Lpfile.toml sets everything else.
#[derive(Debug, Parser)]
#[command(name = "lp", version, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Cli {
    /// The command
    #[command(subcommand)]
    pub(super) command: Command,

    /// Flags of every command
    #[command(flatten)]
    pub(super) global: Global,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub(super) struct Global {
    /// Run as if `lp` was started in this directory
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
    pub(super) color: ColorWhen,

    /// Print only errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Print every task with its reason and, while measuring, every camera each second
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal or with CLICOLOR_FORCE, unless NO_COLOR is set
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
    /// Writes nothing if one of its files already exists.
    Init(InitArgs),
    /// Make a project from two files of Intel's loss-prevention
    ///
    /// They are a camera file and one or more workload files.
    ///
    /// Files in the project's directory stay where they are; others are copied into
    /// it. Each workload file after the first becomes a profile of the project, named
    /// after what is special in its name (`gpu` of `workload_to_pipeline_gpu.json`).
    /// Writes nothing if one of the project's files already exists.
    Import(ImportArgs),
    /// Add a camera to the project: a video, a stream, or a USB camera
    Add(AddArgs),
    /// Check all config files and report every error at its place
    Check(CheckArgs),
    /// Bring targets up to date: plans, assets, and outputs of tasks
    ///
    /// A target is a label (`plan:camera-3`), a camera (its inputs), a task's
    /// name, a glob, a file that a task makes, or one of `plan`, `assets`, `report`;
    /// `lp list targets` lists them. Without targets: the plan, all assets, and every
    /// task that needs no measurement.
    Build(BuildArgs),
    /// Measure cameras, after bringing their inputs up to date
    ///
    /// Downloads, transcodes and plans come from the cache if nothing that they
    /// depend on has changed. The pipelines always run, because measurements
    /// describe one run.
    ///
    /// Ends with 0 if every camera holds its target, and with 1 if one does not, is
    /// undecided, or cannot be judged. Files that are played freely have no target.
    Run(RunArgs),
    /// Measure cameras repeatedly, and compare configurations
    ///
    /// Repeats until the interval of the main metric is narrow, in an order that is shuffled
    /// anew for each round. With `--matrix`, every combination of its values is a cell. Runs are
    /// stored: cells that have enough of them are not measured again.
    ///
    /// Ends with 0 if the cells are measured. With `--gate`: 0 if nothing is worse than the
    /// baseline, 1 if something is, 3 if that cannot be told.
    Bench(BenchArgs),
    /// Find out how many lanes this machine can play
    ///
    /// Plays more and more copies of the cameras, without starting again those that play, until
    /// one more does not hold; then tests the answer for minutes. An answer is stored: while
    /// nothing has changed, it is said again, with its age. A search that was stopped or
    /// killed goes on where it was.
    ///
    /// Ends with 0 if there is an answer, also if that is a range, and with 1 if a camera
    /// did not play.
    Density(DensityArgs),
    /// Serve the clips of cameras over RTSP until Ctrl-C
    ///
    /// Brings the clips up to date and publishes each under upstream's name, for other
    /// people's players and for other machines. A stream never ends, and all clients of one
    /// share a pipeline. With LP_RTSP_USER and LP_RTSP_PASSWORD set, it asks for them.
    Serve(ServeArgs),
    /// Show a stored run again as a table, JSON, CSV or HTML
    Report(ReportArgs),
    /// Show the graph of tasks
    ///
    /// Without flags, lists every task and whether it must run. `--deps`, `--rdeps`
    /// and `--path` list labels; with `--dot` or `--json`, they restrict the graph
    /// to these tasks.
    Graph(GraphArgs),
    /// Show the plan: pipelines, what shares them, and the expected load
    ///
    /// Reads the config files, not the results: shows the plan that `lp build plan`
    /// would write now.
    Show(ShowArgs),
    /// List runs, cameras, workloads, profiles, tasks or targets
    ///
    /// Without a word, a line for each. Words for other commands: `lp run CAMERA`,
    /// `lp build TARGET`, `lp report RUN`, `--profile PROFILE`.
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show the value of each key of Lpfile.toml and where it comes from
    ///
    /// A value comes from a line of a file, a profile, a variable `LP_SET_*`, a flag, or is
    /// the default. Passwords in URLs are left out.
    Config(ConfigArgs),
    /// Explain why a target must run, down to the line that caused it
    ///
    /// Follows the chain of tasks from the target to the cause, and names the line
    /// of a file, the override, the variable or the tool. Runs nothing.
    Explain(ExplainArgs),
    /// Build, and build again whenever a file changes
    ///
    /// Watches config files, and the files that tasks read and none makes. Never
    /// measures. Ctrl-C ends it.
    Watch(WatchArgs),
    /// Delete outputs that `lp` made; measurements and your files stay
    ///
    /// Without targets, all plans, clips, reports and outputs of tasks, also those of
    /// cameras that no longer exist. A file that was changed since stays. The store
    /// keeps their contents, so `lp build` restores them.
    Clean(CleanArgs),
    /// List the videos, clips and models that the cameras need
    ///
    /// Each has its state, its size and its cameras. Only what the plan needs is listed and
    /// fetched: `lp assets fetch` brings downloads, `lp build assets` makes clips too.
    Assets(AssetsArgs),
    /// Inspect, check and clean the store of results
    Cache(CacheArgs),
    /// Report what this machine lacks for the lane, and how to get it
    Doctor(DoctorArgs),
    /// Print a script that lets a shell complete commands and flags
    ///
    /// For bash: `lp completions bash > ~/.local/share/bash-completion/completions/lp`
    Completions(CompletionsArgs),
    /// Print the manual page of a command, or write those of all
    Man(ManArgs),
}

/// `lp init`
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// The directory of the project [default: the current one]
    #[arg(value_name = "DIR")]
    pub(super) root: Option<PathBuf>,

    /// Make a lane of six cameras, with profiles and scripts, instead of one camera
    #[arg(long)]
    pub(super) lane: bool,

    /// Print the new files as a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp import`
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The directory of the project [default: the current one]
    #[arg(value_name = "DIR")]
    pub(super) root: Option<PathBuf>,

    /// Print this camera or workload file in the current form instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "camera_file", "workload_file"])]
    pub(super) rewrite: Option<PathBuf>,

    /// Read the results of Intel's loss-prevention in this directory as runs of the project, marked as imported
    #[arg(long, value_name = "DIR", conflicts_with_all = ["root", "rewrite"])]
    pub(super) results: Option<PathBuf>,

    /// The workload files; `flags` fills it in.
    #[arg(skip)]
    pub(super) workloads: Vec<PathBuf>,

    /// Print what was made or read, and what is missing, as a JSON document
    #[arg(long, conflicts_with = "rewrite")]
    pub(super) json: bool,
}

/// `lp add`
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct AddArgs {
    /// What to add
    #[command(subcommand)]
    pub(super) command: AddCommand,
}

/// `lp add ...`
#[derive(Debug, Subcommand)]
pub(super) enum AddCommand {
    /// Add a camera to the camera file; everything else in the file stays as it is
    ///
    /// A video is read to find its size and rate. Those of a stream or a USB camera are
    /// the ones of all other cameras, or 1920x1080 at 15 fps, unless flags give them.
    Camera(AddCameraArgs),
}

/// `lp add camera`
#[derive(Args, Debug)]
pub(super) struct AddCameraArgs {
    /// A video file, `rtsp://host:8554/path`, `/dev/video0`, or the URL of a video
    #[arg(value_name = "SOURCE")]
    pub(super) source: PathBuf,

    /// The name of the camera [default: that of the file, or the next number]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// The workloads; `flags` fills it in.
    #[arg(skip)]
    pub(super) workloads: Vec<String>,

    /// The size of its frames [default: that of the video]
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = frame_size)]
    pub(super) size: Option<FrameSize>,

    /// Its frames per second [default: those of the video]
    #[arg(long, value_name = "N", value_parser = frame_rate)]
    pub(super) fps: Option<f64>,

    /// Print the new camera, but write nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Print the camera and its place as a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameSize {
    pub(super) width: u32,
    pub(super) height: u32,
}

fn frame_size(text: &str) -> Result<FrameSize, String> {
    let size = text.split_once(['x', 'X', '×']).and_then(|(width, height)| {
        Some(FrameSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
    });
    size.ok_or_else(|| "expected width and height in pixels, such as 1280x720".to_owned())
}

fn frame_rate(text: &str) -> Result<f64, String> {
    let rate = match text.split_once('/') {
        Some((frames, seconds)) => {
            frames.parse::<f64>().ok().zip(seconds.parse::<f64>().ok()).map(|(n, d)| n / d)
        }
        None => text.parse::<f64>().ok(),
    };
    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.map(|rate| (rate * 1000.0).round() / 1000.0)
        .ok_or_else(|| "expected frames per second, such as 25 or 29.97".to_owned())
}

/// `lp check`
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Treat every warning as an error
    #[arg(long)]
    pub(super) strict: bool,

    /// Also ask a worker whether this machine can play all cameras
    ///
    /// Reports elements, properties and values that GStreamer does not accept here,
    /// and elements that cannot be linked. Plays nothing.
    #[arg(long, conflicts_with = "explain")]
    pub(super) machine: bool,

    /// Explain a code such as LP0405, with an example; needs no project
    #[arg(long, value_name = "CODE", conflicts_with = "strict")]
    pub(super) explain: Option<String>,

    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: CheckFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// Formats of errors and warnings.
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
    /// The targets to bring up to date
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Run the targets themselves even if nothing has changed
    ///
    /// For tasks that depend on more than `lp` can see, such as a command that uses the
    /// network. Tasks that they need, or that need them, run only if stale. The store keeps
    /// the older result if the new attempt fails. A download must still be the file in
    /// Lpfile.lock: `lp assets update` takes another one.
    #[arg(long, requires = "targets")]
    pub(super) again: bool,

    /// Print which tasks would run, and why, but run nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Continue with tasks that do not depend on a failed one
    #[arg(short, long)]
    pub(super) keep_going: bool,

    /// Run at most N tasks of pool `cpu` at once [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// Print events as JSON lines on stdout
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) json: bool,

    /// Write a timeline of the tasks in Chrome's trace format; open it in Perfetto
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) trace: Option<PathBuf>,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// The flags of commands that fetch files.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct FetchArgs {
    /// Fail instead of writing Lpfile.lock: every download must have a digest
    #[arg(long)]
    pub(super) locked: bool,

    /// Ask no server for downloads: fail before anything starts if one is not in the store
    ///
    /// Commands of `[[task]]`, and streams, may still use the network.
    #[arg(long)]
    pub(super) offline: bool,

    /// Take downloads from this folder, as `lp assets vendor` fills it, and ask servers for the rest
    #[arg(long, value_name = "DIR")]
    pub(super) vendor: Option<PathBuf>,
}

/// `lp run`
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// Cameras to run side by side: names in the config, or patterns such as `'till-*'` [default: the whole lane]
    // `cameras` is the name of a flag of every command.
    #[arg(id = "members", value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// Measure for this long after warm-up; `0s` means until Ctrl-C [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,

    /// Play before measuring for this long after a stream's first frame, or until it is steady [default: auto]
    #[arg(long, value_name = "TIME", value_parser = warmup)]
    pub(super) warmup: Option<String>,

    /// Run N copies of the cameras side by side [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) count: Option<u32>,

    /// Measure only sources and decoding: leave out every step, and all inference
    ///
    /// Needs no DL Streamer and no models. Reports say that nothing else ran. Short for
    /// `--set run.decode_only=true`.
    #[arg(long)]
    pub(super) decode_only: bool,

    /// Run at most N tasks of pool `cpu` at once while making inputs [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// End with 0 although a camera does not hold its target, or a threshold is breached; a camera that fails still ends with 1
    #[arg(long)]
    pub(super) no_verdict: bool,

    /// A note about this run, shown in its reports: `--tag "bios 1.12"`
    #[arg(long, value_name = "TEXT", value_parser = tag)]
    pub(super) tag: Option<String>,

    /// The format of the report on stdout
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: ReportFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    /// Write where the time of each frame goes in Chrome's trace format; open it in Perfetto
    ///
    /// The first minute of the window. The report shows the stages of frames as well.
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,

    /// Show the run while it is measured: OpenMetrics at /metrics, the page at /
    ///
    /// PORT, or ADDRESS:PORT for another address than this machine's own, 127.0.0.1. Port 0 is any
    /// that is free. The server ends with the run.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = served_at)]
    pub(super) serve: Option<SocketAddr>,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// `lp bench`
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// Cameras to run side by side: names in the config, or patterns such as `'till-*'` [default: the whole lane]
    #[arg(id = "members", value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// Measure every combination of these values: `profile=cpu,gpu camera=* count=1,4 run.isolation=camera,lane`
    ///
    /// `camera` takes names, patterns (each camera alone), `a+b` (side by side) and `lane` (all);
    /// `count` is short for `run.count`; any other key is one of Lpfile.toml. What this machine
    /// cannot play is listed, and the rest is measured.
    #[arg(long, value_name = "KEY=VALUES", num_args = 1..)]
    pub(super) matrix: Vec<String>,

    /// Compare with: `KEY=VALUE` measured here by turns, or stored runs: a run-id, `latest`, a file or folder of records, a git revision [default: the first value of each axis]
    #[arg(long, value_name = "BASELINE", num_args = 1..)]
    pub(super) baseline: Vec<String>,

    /// End with 1 if something is worse than the baseline, and with 3 if that cannot be told
    #[arg(long)]
    pub(super) gate: bool,

    /// Measure each cell exactly N times; with `--gate`, so many pairs [default: until the interval is narrow; 8 pairs]
    #[arg(long, value_name = "N", value_parser = repeats, conflicts_with_all = ["within", "max_runs"])]
    pub(super) runs: Option<usize>,

    /// Repeat until the main metric is known within this share of it, at least 5 times
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = share)]
    pub(super) within: f64,

    /// Measure each cell at most N times [default: 20]
    #[arg(long, value_name = "N", value_parser = repeats)]
    pub(super) max_runs: Option<usize>,

    /// The metric whose interval decides how often to repeat [default: cpu_per_frame; played freely fps]
    #[arg(long, value_name = "METRIC")]
    pub(super) metric: Option<String>,

    /// Measure every cell once more
    #[arg(long, conflicts_with_all = ["runs", "max_runs"])]
    pub(super) again: bool,

    /// Wait between runs, so that the machine cools down
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(super) cool_down: Duration,

    /// Shuffle the order of runs by this number [default: another one each time, which is printed]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Only list the cells: which runs they have, which are missing, and how long these take
    #[arg(short = 'n', long, visible_alias = "list")]
    pub(super) dry_run: bool,

    /// Measure for this long after warm-up [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,

    /// Play before measuring for this long after a stream's first frame, or until it is steady [default: auto]
    #[arg(long, value_name = "TIME", value_parser = warmup)]
    pub(super) warmup: Option<String>,

    /// Run N copies of the cameras side by side [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) count: Option<u32>,

    /// Run at most N tasks of pool `cpu` at once while making inputs [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// A note about these runs, shown in their reports: `--tag "bios 1.12"`
    #[arg(long, value_name = "TEXT", value_parser = tag)]
    pub(super) tag: Option<String>,

    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: BenchFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// Formats of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum BenchFormat {
    /// A table
    Human,
    /// A JSON document
    Json,
    /// One row per cell and metric
    Csv,
    /// Markdown, for tickets and pull requests
    Md,
    /// One HTML file
    Html,
}

/// From 1 to 1000.
fn repeats(text: &str) -> Result<usize, String> {
    let n = text.parse::<usize>().ok().filter(|n| (1..=1000).contains(n));
    n.ok_or_else(|| format!("expected a number from 1 to 1000, found `{text}`"))
}

/// `2%`, `0.02`
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').map_or_else(
        || text.trim().parse::<f64>().ok(),
        |percent| percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
    );
    let share = number.filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| format!("expected a share such as `2%` or `0.02`, found `{text}`"))
}

/// `lp serve`
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// Cameras whose clips are served: names in the config, or patterns [default: the whole lane]
    #[arg(value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// The port; 0 is any free one [default: `rtsp.port` of Lpfile.toml, 8554]
    #[arg(long, value_name = "N")]
    pub(super) port: Option<u16>,

    /// The address to listen at: `0.0.0.0` lets other machines in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub(super) bind: IpAddr,

    /// Run at most N tasks of pool `cpu` at once while making clips [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// `lp density`
#[derive(Args, Debug)]
pub(super) struct DensityArgs {
    /// Cameras to count copies of: names in the config, or patterns [default: the whole lane]
    #[arg(id = "members", value_name = "CAMERA")]
    pub(super) cameras: Vec<String>,

    /// Count copies of all cameras that are named, or of one beside the rest of the lane [default: lane]
    #[arg(long, value_name = "UNIT")]
    pub(super) unit: Option<UnitWord>,

    /// How sure the answer must be [default: 95%]
    #[arg(long, value_name = "SHARE")]
    pub(super) confidence: Option<String>,

    /// Try at most N copies [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) max: Option<u32>,

    /// How long the search may take; with more time, an answer that is a range is made narrower [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) budget: Option<Duration>,

    /// Measure although there is a stored answer
    #[arg(long)]
    pub(super) again: bool,

    /// Try numbers for which there may be too little memory
    #[arg(long)]
    pub(super) allow_oom: bool,

    /// Do not find out what limits the lanes
    #[arg(long)]
    pub(super) no_limiter: bool,

    /// Run at most N tasks of pool `cpu` at once while making inputs [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// A note about this search, shown in its reports: `--tag "bios 1.12"`
    #[arg(long, value_name = "TEXT", value_parser = tag)]
    pub(super) tag: Option<String>,

    /// Also print the answer of another rule on the same frames
    #[arg(long, value_name = "RULE")]
    pub(super) rule: Option<RuleWord>,

    /// The target of every stream by upstream's rule, its `TARGET_FPS` [default: that of each camera]
    #[arg(long, value_name = "FPS", requires = "rule", value_parser = target_fps)]
    pub(super) target_fps: Option<f64>,

    /// Print the report as a JSON document instead of a table
    #[arg(long, conflicts_with = "rule")]
    pub(super) json: bool,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// A rule besides that of `lp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RuleWord {
    /// That of Intel's `benchmark-stream-density`: mean rates, in its words
    Upstream,
}

fn target_fps(text: &str) -> Result<f64, String> {
    let fps = text.parse::<f64>().ok().filter(|fps| *fps > 0.0 && *fps <= 1000.0);
    fps.ok_or_else(|| format!("expected a frame rate above 0 and at most 1000, found `{text}`"))
}

/// What `lp density` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UnitWord {
    /// Copies of all cameras that are named
    Lane,
    /// Copies of one camera, the others of the lane once beside it
    Camera,
}

impl UnitWord {
    /// As in `Lpfile.toml`.
    pub(super) fn word(self) -> &'static str {
        match self {
            UnitWord::Lane => "lane",
            UnitWord::Camera => "camera",
        }
    }
}

/// The most characters of a tag.
const TAG: usize = 200;

/// A line of text.
fn tag(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("expected a line of text".to_owned());
    }
    if text.contains(is_unseen) {
        return Err("expected one line without control characters".to_owned());
    }
    match text.chars().count() {
        n if n > TAG => Err(format!("expected at most {TAG} characters, found {n}")),
        _ => Ok(text.to_owned()),
    }
}

/// `127.0.0.1`, `::1`, `[::1]`, `localhost`.
fn address(text: &str) -> Result<IpAddr, String> {
    let bare = match text {
        "localhost" => "127.0.0.1",
        text => text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text),
    };
    let expected = "expected an address of this machine, such as `0.0.0.0` or `::1`, or `localhost`";
    bare.parse().map_err(|_| expected.to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// `9464`, `127.0.0.1:9464` or `[::1]:9464`. A name is none: it may be another address tomorrow.
fn served_at(text: &str) -> Result<SocketAddr, String> {
    let of_port = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let parsed = text.parse::<u16>().map(of_port).or_else(|_| text.parse::<SocketAddr>());
    parsed.map_err(|_| "expected a port (9464) or an address with a port (127.0.0.1:9464)".to_owned())
}

/// `auto` or a duration.
fn warmup(text: &str) -> Result<String, String> {
    if text == "auto" {
        return Ok(text.to_owned());
    }
    duration(text).map(duration_text)
}

/// `lp report`
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// A run-id, its first characters, or `latest` (`lp list runs` lists them); `density`, or `density:CAMERA`: the newest search
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(super) run: String,

    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: ReportFormat,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    /// End as the run did: with 1 if a threshold is breached or, without any, a camera does not hold its target, or if the run is not whole
    #[arg(long)]
    pub(super) verdict: bool,

    /// Open the page in a browser: that of `BROWSER`, or of the desktop
    #[arg(long, conflicts_with_all = ["format", "json"])]
    pub(super) open: bool,

    /// Write report.json, report.csv and report.html into this directory instead
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["format", "json"])]
    pub(super) output: Option<PathBuf>,

    /// Is the candidate better, worse, the same, or can nobody tell? Each side is a run with its repeats, `latest`, a saved record.json or report.json (more: with commas), a folder of them, or a commit whose runs the store has
    #[arg(long, num_args = 2, value_names = ["BASELINE", "CANDIDATE"], conflicts_with_all = ["run", "verdict", "history"])]
    pub(super) compare: Option<Vec<String>>,

    /// What is compared, and so may differ: host, device, model, precision, steps, dialect, count, ... (with commas)
    #[arg(long, value_name = "FIELD", value_delimiter = ',', requires = "compare", value_parser = field)]
    pub(super) across: Vec<Field>,

    /// Only the runs that are named, without their repeats
    #[arg(long, requires = "compare")]
    pub(super) only: bool,

    /// Compare only these metrics, such as `cpu_per_frame` (with commas)
    #[arg(long, value_name = "METRIC", value_delimiter = ',', requires = "compare", value_parser = metric)]
    pub(super) metric: Vec<Metric>,

    /// The smallest change that matters: `cpu_per_frame=2%`, `lateness.p95=10ms` (with commas)
    #[arg(long, value_name = "METRIC=CHANGE", value_delimiter = ',', requires = "compare", value_parser = matters)]
    pub(super) matters: Vec<(Metric, Matters)>,

    /// A metric over all runs of the same subject, and where it changed [default: cpu_per_frame]
    #[arg(long, value_name = "METRIC", num_args = 0..=1, default_missing_value = "cpu_per_frame", require_equals = true, value_parser = metric, conflicts_with = "verdict")]
    pub(super) history: Option<Metric>,
}

/// A field that may differ.
fn field(word: &str) -> Result<Field, String> {
    let all = || Field::ALL.into_iter().filter(|field| field.may_differ());
    all().find(|field| field.word() == word).ok_or_else(|| {
        let known: Vec<&str> = all().map(Field::word).collect();
        format!("no field; one of {}", known.join(", "))
    })
}

/// A metric by its name.
fn metric(name: &str) -> Result<Metric, String> {
    Metric::of(name).ok_or_else(|| {
        let known: Vec<&str> = Metric::ALL.into_iter().map(Metric::name).collect();
        match crate::name::did_you_mean(name, known.iter().copied()) {
            Some(meant) => format!("no metric; did you mean `{meant}`?"),
            None => format!("no metric; one of {}", known.join(", ")),
        }
    })
}

/// `cpu_per_frame=2%`
fn matters(text: &str) -> Result<(Metric, Matters), String> {
    let (name, change) =
        text.split_once('=').ok_or("it is written METRIC=CHANGE, such as `cpu_per_frame=2%`")?;
    let metric = metric(name)?;
    Ok((metric, Matters::read(metric, change)?))
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
    /// A picture of the charts, for `> FILE`
    Png,
    /// `metrics.csv` as upstream's consolidate-metrics writes it
    Upstream,
    /// JUnit XML: a test for each threshold, or each verdict
    Junit,
    /// SARIF 2.1.0: a result for each breach
    Sarif,
    /// Markdown: for a pull request, a chat or a ticket
    Md,
}

/// `lp graph`
#[derive(Args, Debug)]
pub(super) struct GraphArgs {
    /// Show only these targets and the tasks that they need
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// List the tasks that a target needs, in the order in which they would run
    #[arg(long, value_name = "TARGET", num_args = 1, group = "reach", conflicts_with_all = ["targets", "rdeps", "path"])]
    pub(super) deps: Vec<String>,

    /// List the tasks that need a target
    #[arg(long, value_name = "TARGET", num_args = 1, group = "reach", conflicts_with_all = ["targets", "path"])]
    pub(super) rdeps: Vec<String>,

    /// Follow at most N steps [default: all]
    #[arg(long, value_name = "N", conflicts_with_all = ["targets", "path"], requires = "reach")]
    pub(super) depth: Option<usize>,

    /// Show the shortest path between two targets, and the file behind each step
    #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with = "targets")]
    pub(super) path: Vec<String>,

    /// Print Graphviz text: `lp graph --dot | dot -Tsvg`
    #[arg(long, conflicts_with = "json")]
    pub(super) dot: bool,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp show`
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// Cameras to show in detail: names in the config, or patterns such as `'till-*'`; or videos: files and URIs [default: a summary of the lane]
    ///
    /// A word with a `/` or with the ending of a video file is a video (`scan.mp4`,
    /// `./scan`, `rtsp://door/1`, `/dev/video0`), unless a camera has this name.
    // `cameras` is the name of a flag of every command.
    #[arg(id = "members", value_name = "CAMERA|VIDEO")]
    pub(super) cameras: Vec<String>,

    /// Read videos without decoding them, which finds no damage within frames
    #[arg(long, conflicts_with_all = ["summary", "launch", "diff"])]
    pub(super) quick: bool,

    /// Show only the totals: the load that the pipelines put on the machine
    #[arg(long)]
    pub(super) summary: bool,

    /// Print the `gst-launch-1.0` command that plays them once
    ///
    /// Clips, models and elements need not be on this machine.
    #[arg(long, conflicts_with_all = ["summary", "diff"])]
    pub(super) launch: bool,

    /// Print a file of pipelines that Intel's ViPPET loads: YAML for its folder `pipelines/`
    ///
    /// Each pipeline is a variant. Clips belong into its `/videos/input`, models are those that it has installed.
    #[arg(long, conflicts_with_all = ["summary", "launch", "diff", "quick", "format", "json"])]
    pub(super) vippet: bool,

    /// Compare two plans; each is a profile (`default` for none), a plan file, a project's folder, or `-`
    #[arg(long, value_names = ["A", "B"], num_args = 2, conflicts_with_all = ["members", "summary"])]
    pub(super) diff: Vec<String>,

    /// The output format [default: human; with `--launch`: sh]
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
    /// A JSON document; for a plan, the same as `lp build plan` writes
    Json,
    /// With `--launch`: one line for a POSIX shell
    Sh,
    /// With `--launch`: one argument per line
    Argv,
}

/// `lp config`
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    /// Keys such as `run.duration`, or tables such as `run` [default: all]
    #[arg(value_name = "KEY")]
    pub(super) keys: Vec<String>,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp list`
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// What to list [default: a line for each]
    #[arg(value_name = "WHAT")]
    pub(super) what: Option<ListKind>,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// What `lp list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListKind {
    /// Their sources, sizes, rates and workloads
    Cameras,
    /// Their steps, and the cameras that have them
    Workloads,
    /// What each `--profile` changes
    Profiles,
    /// Commands of your own: `[[task]]`
    Tasks,
    /// Everything that `lp build` can make, with its files
    Targets,
    /// Measurements, newest first, with their verdicts
    Runs,
}

impl ListKind {
    /// As it is typed.
    pub(super) fn word(self) -> &'static str {
        match self {
            ListKind::Cameras => "cameras",
            ListKind::Workloads => "workloads",
            ListKind::Profiles => "profiles",
            ListKind::Tasks => "tasks",
            ListKind::Targets => "targets",
            ListKind::Runs => "runs",
        }
    }
}

/// `lp explain`
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The targets to explain
    #[arg(value_name = "TARGET", required_unless_present = "last")]
    pub(super) targets: Vec<String>,

    /// Report what the last build ran, restored and failed, and why
    #[arg(long)]
    pub(super) last: bool,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp assets`
#[derive(Args, Debug)]
pub(super) struct AssetsArgs {
    /// The command
    #[command(subcommand)]
    pub(super) command: Option<AssetsCommand>,

    /// What to list
    #[command(flatten)]
    pub(super) selection: AssetSelection,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Which assets.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct AssetSelection {
    /// Only the assets that these targets need, as of `lp build` [default: those of all cameras]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Only models
    #[arg(long, conflicts_with = "clips")]
    pub(super) models: bool,

    /// Only videos and clips
    #[arg(long)]
    pub(super) clips: bool,
}

/// `lp assets ...`
#[derive(Debug, Subcommand)]
pub(super) enum AssetsCommand {
    /// Download what is not there: videos and models
    ///
    /// Makes no clips; `lp build assets` does. A download that fails stops no other. Ends
    /// with 1 if one fails, or if a model is missing that cannot be downloaded.
    Fetch {
        /// What to fetch
        #[command(flatten)]
        selection: AssetSelection,
        /// Print events as JSON lines, as `lp build` does
        #[arg(long)]
        json: bool,
        /// Where downloads come from
        #[command(flatten)]
        fetch: FetchArgs,
    },
    /// Ask the servers again for downloads without a digest, and renew Lpfile.lock
    ///
    /// Without names, all of them, and entries that no camera needs any more are dropped.
    /// Prints what each was and is now. A download that fails keeps its entry.
    Update(AssetsUpdateArgs),
    /// Read all assets that are there, and compare them with their digests
    ///
    /// Compares with the pinned digest, else with that of the store, and checks models for
    /// sense. Ends with 1 if a file is wrong. With `-v` it also lists those that are right.
    Verify {
        /// What to read
        #[command(flatten)]
        selection: AssetSelection,
        /// End with 1 also if an asset is missing
        #[arg(long)]
        complete: bool,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Copy all downloads and models of your own into a folder, for a machine without network
    ///
    /// Fetches first what is missing. The folder is laid out like the project (`media/`,
    /// `models/`), and has SHA256SUMS and assets.json. A further run copies only what differs.
    Vendor {
        /// The folder; it is made if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Print assets.json
        #[arg(long)]
        json: bool,
        /// Where downloads come from
        #[command(flatten)]
        fetch: FetchArgs,
    },
    /// Delete downloads, clips and models that no camera of the project needs any more
    ///
    /// The cameras of all profiles count. Deletes only files that `lp` fetched or made and
    /// that are unchanged, what the store keeps of them, and parts of downloads.
    Gc {
        /// Print what would be deleted, but delete nothing
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
}

/// `lp cache`
#[derive(Args, Debug)]
pub(super) struct CacheArgs {
    /// The command
    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

/// `lp cache ...`
#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Show the attempts of a task, their outputs, and the text that was hashed
    Show {
        /// A label such as `plan:camera-3`, a digest, a run-id, or its first characters [default: a list]
        #[arg(value_name = "LABEL|DIGEST|RUN")]
        what: Option<String>,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Report the size of the store and its largest parts
    ///
    /// Takes no lock, so it never waits.
    Stats {
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Delete unreferenced data, and old results beyond the limits
    ///
    /// Always deletes blobs that no attempt references, unreachable attempts, and
    /// leftovers of a crash. Never deletes measurements. Without limits, keeps all
    /// other results.
    Gc(GcArgs),
    /// Read the whole store and report damaged data
    ///
    /// Stores damaged contents again if the project still has them; else deletes
    /// them, so that the next build makes them again. Ends with 1 if something
    /// was damaged.
    Verify {
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a cache key under which CI can save the store
    ///
    /// The key changes when a task or a file that tasks read changes, and is the
    /// same in every checkout. Needs no download and no worker.
    Key {
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
    /// Delete all results except measurements
    Clean {
        /// Print a JSON document
        #[arg(long)]
        json: bool,
    },
}

/// `lp cache gc`
#[derive(Args, Debug)]
pub(super) struct GcArgs {
    /// Delete the least recently used results until the stored contents are no larger, for example `20GiB`
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse_size)]
    pub(super) max_size: Option<u64>,

    /// Delete results that were last used longer ago, for example `30d`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) max_age: Option<Duration>,

    /// Report what would be deleted, but delete nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp watch`
#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    /// The targets to bring up to date, as of `lp build`
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Continue with tasks that do not depend on a failed one
    #[arg(short, long)]
    pub(super) keep_going: bool,

    /// Run at most N tasks of pool `cpu` at once [default: the number of cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) jobs: Option<u32>,

    /// Where downloads come from
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// `lp assets update`
#[derive(Args, Debug)]
pub(super) struct AssetsUpdateArgs {
    /// The downloads, such as `scan.mp4` [default: all without a digest in the config]
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,

    /// Print the differences as a JSON document
    #[arg(long)]
    pub(super) json: bool,

    /// Refused, since this command asks servers.
    #[arg(long, hide = true)]
    pub(super) offline: bool,
}

/// `lp clean`
#[derive(Args, Debug)]
pub(super) struct CleanArgs {
    /// Delete only the outputs of these targets
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Print what would be deleted, but delete nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// `lp completions`
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

/// `lp man`
#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The command, such as `run` or `cache gc` [default: `lp` itself]
    #[arg(value_name = "COMMAND", conflicts_with = "folder")]
    pub(super) path: Vec<String>,

    /// Write lp.1, lp-run.1 and so on into this directory instead
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}

/// `lp doctor`
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Connect to these cameras, and say what they send and how it comes
    #[arg(long, value_name = "CAMERA")]
    pub(super) camera: Vec<String>,

    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}
