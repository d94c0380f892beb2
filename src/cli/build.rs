//! `lp build`

mod dry_run;

use std::io;

use anyhow::Context;

use super::args::{BuildArgs, Global};
use super::json_lines::{JsonLines, StartEvent};
use super::progress::{Console, Observers};
use super::trace::{self, TraceFile};
use super::{Exit, console, project};
use crate::diag::Tone;
use crate::engine::events::{Progress, Summary};
use crate::engine::states::OnFailure;
use crate::engine::{Again, EngineError, Warm};
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::store::Store;
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::Journal;
use crate::workspace::lockfile::Recorded;
use crate::workspace::phases::Phases;
use crate::workspace::tools;
use crate::workspace::warm::{ChangedTasks, Memo};

pub(super) fn run(global: &Global, args: &BuildArgs) -> Result<Exit> {
    run_until(global, args, None)
}

/// As [`run`], for a caller that waits for signals itself.
pub(super) fn run_until(global: &Global, args: &BuildArgs, given: Option<&Cancel>) -> Result<Exit> {
    let cancel = || given.cloned().map_or_else(cancel_on_signals, Ok);
    let phases = Phases::new();
    let fetching = project::fetching(&args.fetch)?;
    let memo = Memo::of(&project::request(global, &[])?, &args.targets);
    let mut announced = StartEvent::Pending;
    // Only a complete build has every event of a trace, runs tasks again, and knows whose digest
    // a download has.
    let is_usual = !args.dry_run && args.trace.is_none() && !args.again && !fetching.locked;
    if is_usual
        && let Some(memo) = &memo
        && let Some(changed) = memo.changed()
    {
        match build_changed(args, memo, changed, &phases, &cancel)? {
            Some(exit) => return Ok(exit),
            None => announced = StartEvent::Printed,
        }
    }
    let opened = phases.timed("reading", || project::open(global, &[]))?;
    let mut is_clean = !opened.has_warnings() && opened.adopted.iter().all(|adopted| adopted.note.is_none());
    let (graph, wanted, needed) = phases.timed("linking", || {
        let (tasks, notes) = opened.tasks(&opened.subjects(&args.targets));
        console::notes(&notes);
        is_clean &= notes.is_empty();
        let graph = opened.link(tasks)?;
        let (wanted, needed) = opened.select(&graph, &args.targets)?;
        Ok::<_, CommandError>((graph, wanted, needed))
    })?;
    let again = match args.again {
        true => Again { tasks: wanted, why: "asked for with `--again`" },
        false => Again::nothing(),
    };
    phases.timed("looking", || opened.check_sources(&graph, &needed))?;
    let store = phases.timed("opening", || Store::open(opened.project.layout.clone()))?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let build =
        Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs, fetching };
    if args.dry_run {
        return dry_run::run(&build, &needed, again);
    }
    let screen = Screen::new(args.json, console::widest(&graph, &needed), !args.json, announced);
    let journal = Journal::new(&graph, &phases);
    let progress = Observers(vec![screen.progress(), &journal]);
    let trace_file = args.trace.as_deref().map(TraceFile::of_flag).transpose()?;
    let cancel = cancel()?;
    let host = build.host(&unwatched);
    let engine = build.engine(&host).watched_by(&progress).stopped_by(&cancel);
    let engine = engine.on_failure(on_failure(args)).again(again);
    build.refuse_missing(&engine, &needed)?;
    let warm = phases.timed("looking", || match &memo {
        Some(memo) => memo.recall(&build, &needed),
        None => Warm::Nothing,
    });
    let built = engine.build(&needed, &warm);
    console::keep(&store, &journal);
    console::link_clips(&opened, &journal);
    if let Ok(built) = &built {
        phases.timed("remembering", || {
            // What could not be recorded is tried again by the next build, which must be complete.
            let recorded = project::record_downloads(&build, &engine, &needed);
            is_clean &= !matches!(recorded, Recorded::Failed(_));
            if let Some(memo) = memo.filter(|_| is_clean) {
                memo.remember(&build, &needed, &built.glances, &recorded);
            }
        });
    }
    if let Some(file) = &trace_file {
        file.write(&trace::of_build(&journal)).context("failed to write the trace")?;
    }
    Ok(screen.ended(&built?.summary))
}

/// Builds the tasks whose files have changed since the last build, without reading
/// the config. `None` if another build came in between: then only the event `started`
/// was printed.
fn build_changed(
    args: &BuildArgs,
    memo: &Memo,
    changed: ChangedTasks,
    phases: &Phases,
    cancel: &dyn Fn() -> io::Result<Cancel>,
) -> Result<Option<Exit>> {
    let is_nothing = changed.is_nothing();
    let screen = Screen::new(args.json, changed.widest, !args.json && !is_nothing, StartEvent::Pending);
    let journal = Journal::new(&changed.graph, phases);
    let progress = Observers(vec![screen.progress(), &journal]);
    let cancel = if is_nothing { Cancel::never() } else { cancel()? };
    let store = changed.store()?;
    let host = changed.host();
    let engine = changed.engine(&store, &host, args.jobs).watched_by(&progress).stopped_by(&cancel);
    let built = engine.on_failure(on_failure(args)).build(&changed.all, &changed.warm);
    console::keep(&store, &journal);
    let built = match built {
        Err(EngineError::Overtaken) => return Ok(None),
        built => built?,
    };
    memo.update(changed, &built.glances);
    Ok(Some(screen.ended(&built.summary)))
}

/// The output of a build, for people or for programs.
pub(super) struct Screen {
    human: Console,
    json: Option<JsonLines>,
}

impl Screen {
    pub(super) fn new(is_json: bool, widest: usize, is_live: bool, announced: StartEvent) -> Screen {
        let human = Console::new(widest);
        let human = if is_live { human.live() } else { human };
        Screen { human, json: is_json.then(|| JsonLines::new(announced)) }
    }

    pub(super) fn progress(&self) -> &dyn Progress {
        self.json.as_ref().map_or(&self.human, |json| json as &dyn Progress)
    }

    /// Prints the summary of a build, and returns the exit code.
    pub(super) fn ended(&self, summary: &Summary) -> Exit {
        self.human.end();
        if self.json.is_none() {
            let text = summary.to_string();
            let failed = format!("{} failed", summary.failed);
            let painted = console::color().paint(Tone::Bad, &failed);
            console::note(&if summary.failed > 0 { text.replace(&failed, &painted) } else { text });
        }
        if summary.cancelled {
            Exit::Interrupted
        } else if summary.panicked {
            Exit::Bug
        } else if summary.failed + summary.skipped > 0 {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}

fn on_failure(args: &BuildArgs) -> OnFailure {
    if args.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop }
}
