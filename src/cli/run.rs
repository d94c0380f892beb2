//! `lp run`

use std::collections::BTreeSet;

use anyhow::Context;

use super::args::{Global, ReportFormat, RunArgs};
use super::judgement::{self, Config};
use super::live::Live;
use super::progress::{Console, Observers, note_degraded};
use super::trace::TraceFile;
use super::{Exit, checks, console, project};
use crate::action::LocalHost;
use crate::engine::{Again, Warm};
use crate::graph::lower::Subject;
use crate::graph::select;
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::record::Pace;
use crate::record::judgement::judge;
use crate::record::measure::{CameraFigures, Claim, Verdict, fit, measure, shortfall};
use crate::report::{self, Report};
use crate::session::Observation;
use crate::store::Store;
use crate::time::duration_text;
use crate::workspace::build::Build;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::Journal;
use crate::workspace::phases::Phases;
use crate::workspace::{tools, view};

/// The way forward for a run that is faster but wrong.
const ACCEPT: &str = "\n  hint: if it is meant to find less, run it once with `--set verdict.recall=0`: \
                      later runs are compared with that one";

/// The flags that are short forms of settings.
fn sets(args: &RunArgs) -> Vec<String> {
    let duration = args.duration.map(|duration| format!("run.duration={}", duration_text(duration)));
    let warmup = args.warmup.as_ref().map(|warmup| format!("run.warmup={warmup}"));
    let count = args.count.map(|count| format!("run.count={count}"));
    let decode_only = args.decode_only.then(|| "run.decode_only=true".to_owned());
    [duration, warmup, count, decode_only].into_iter().flatten().collect()
}

pub(super) fn run(global: &Global, args: &RunArgs) -> Result<Exit> {
    let phases = Phases::new();
    let fetching = project::fetching(&args.fetch)?;
    let opened = project::open(global, &sets(args))?;
    let subject = if args.cameras.is_empty() {
        Subject::lane(&opened.project)
    } else {
        Subject::of(&opened.project, &opened.cameras(&args.cameras)?)
    };
    if subject.members.is_empty() {
        return Err(CommandError::refused("this project has no cameras to run"));
    }
    if args.trace.is_some() && opened.project.settings.pace == Pace::Free {
        return Err(CommandError::refused(
            "`--trace` needs `run.pace = \"live\"`: frames that are played freely have no latency, only the depth of queues",
        ));
    }
    let trace = args.trace.as_deref().map(TraceFile::of_flag).transpose()?;
    let left_out = checks::left_out(&opened, &subject)?;
    let decode_only = opened.project.settings.decode_only;
    checks::check_display(&opened)?;
    checks::check_variables(&opened, &subject)?;
    checks::check_streams(&opened, &subject)?;
    let graph = project::graph(&opened, std::slice::from_ref(&subject))?;
    let label = subject.run_label();
    let run = graph.by_label(&label).expect("the subject's tasks were lowered");
    // The report depends on the record and its benchmarks, so it selects everything.
    let report = graph.by_label(&subject.report_label()).expect("the subject's tasks were lowered");
    let needed = select::closure(&graph, &BTreeSet::from([report]));
    checks::check_sources(&opened, &graph, &needed, &subject)?;

    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let human = Console::new(console::widest(&graph, &needed)).measuring(&opened, &subject).live();
    let live = args.serve.map(Live::start).transpose()?;
    let watch = |seen: Observation<'_>| {
        human.watch(seen);
        if let Some(live) = &live {
            live.watch(seen);
        }
    };
    let build =
        Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs, fetching };
    let cancel = cancel_on_signals()?;
    let before = store.attempts_of(&label).len();
    let journal = Journal::new(&graph, &phases);
    let progress = Observers(vec![&human, &journal]);
    let again = Again { tasks: BTreeSet::from([run]), why: "a run always measures" };
    let host = LocalHost { tag: args.tag.clone(), traced: trace.is_some(), ..build.host(&watch) };
    let engine = build.engine(&host).watched_by(&progress).stopped_by(&cancel).again(again);
    build.refuse_missing(&engine, &needed)?;
    for reason in fit::of_host(&tools.host.facts) {
        note_degraded(&reason.text);
    }
    if decode_only {
        console::note("decode only: every step is left out, and no inference is run");
    }
    // Otherwise the failure would show only after the measurement.
    os::fs::try_to_write(&opened.project.layout.results).context("results cannot be kept")?;
    let built = engine.build(&needed, &Warm::Nothing);
    console::keep(&store, &journal);
    console::link_clips(&opened, &journal);
    let summary = built?.summary;
    human.end();
    if let Some(live) = &live {
        live.end();
    }
    project::record_downloads(&build, &engine, &needed);
    if summary.panicked {
        return Ok(Exit::Bug);
    }
    let attempts = store.attempts_of(&label);
    let newest = attempts.first().filter(|attempt| before < attempts.len() && !attempt.outputs.is_empty());
    let Some(attempt) = newest else {
        console::result(&summary.to_string());
        return Ok(if summary.cancelled { Exit::Interrupted } else { Exit::Failed });
    };
    let stored = view::read(&store, attempt)?;
    let measurement = measure(&stored.record);
    let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
    let folder = view::write(&opened.project.layout, &store, attempt, &shown)
        .context("failed to write the view of this run")?;
    let format = if args.json { ReportFormat::Json } else { args.format };
    match format {
        ReportFormat::Human => {
            console::out(&format!("\n{}\n", report::table(&shown, console::paper()).trim_end()));
        }
        ReportFormat::Png => super::report::picture(&report::png(&shown))?,
        other => console::out(&judgement::text(&shown, other, &Config::of(&opened))),
    }
    for camera in &left_out {
        console::result(&format!("left out: {camera}"));
    }
    console::note(&format!("report: {}", folder.join("report.html").display()));
    if let Some((trace, file)) = trace.as_ref().zip(args.trace.as_ref()) {
        trace.write(&report::trace(&shown)).context("failed to write the trace")?;
        console::note(&format!("trace: {}", file.display()));
    }
    if stored.record.interrupted {
        return Ok(Exit::Interrupted);
    }
    let played = shortfall(&stored.record, &measurement, Claim::Played);
    let judgement = judge(&stored.record, &measurement);
    let reason = match (args.no_verdict, judgement.passes) {
        (true, _) => played.clone(),
        (false, true) => None,
        (false, false) => Some(judgement.line.clone()),
    };
    let Some(mut reason) = reason.or_else(|| (summary.failed > 0).then(|| summary.to_string())) else {
        if !args.no_verdict {
            console::note(&judgement.line);
        }
        return Ok(Exit::Done);
    };
    if summary.failed == 0 && played.is_none() {
        reason.push_str(" (`--no-verdict` ignores this)");
    }
    if !args.no_verdict {
        judgement::breaches(&judgement);
    }
    let is_wrong = |camera: &CameraFigures| camera.verdict == Verdict::FasterButWrong;
    let mut text = console::error_text(&reason, &[]);
    if measurement.cameras.iter().any(is_wrong) {
        text.push_str(ACCEPT);
    }
    console::result(&text);
    Ok(Exit::Failed)
}
