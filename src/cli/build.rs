//! `lp build`

use anyhow::Context;

use super::args::{BuildArgs, Global};
use super::console::{Announced, Console, JsonLines, Many};
use super::engine::{Build, ended, on_failure, unwatched, widest};
use super::journal::Journal;
use super::open::open;
use super::phases::Phases;
use super::quick::Quick;
use super::tools::{self};
use super::trace::TraceFile;
use super::{Exit, Refused, console, last, quick};
use crate::engine::events::Progress;
use crate::engine::{Again, Warm};
use crate::graph::select;
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::store::Store;

pub(super) fn run(global: &Global, args: &BuildArgs) -> anyhow::Result<Exit> {
    let phases = Phases::new();
    let mut announced = Announced::No;
    // A trace shows all of it, and only the whole way performs anything again.
    if !args.dry_run && args.trace.is_none() && !args.again {
        match quick::build(global, args)? {
            Quick::Done(exit) => return Ok(exit),
            Quick::Impossible => {}
            Quick::Overtaken => announced = Announced::Yes,
        }
    }
    let opened = phases.timed("reading", || open(global, &[]))?;
    let (graph, wanted, needed) = phases.timed("linking", || {
        let subjects = select::subjects(&opened.project, &args.targets);
        let graph = opened.graph(&subjects)?;
        let (wanted, needed) = opened.select(&graph, &args.targets)?;
        Ok::<_, Refused>((graph, wanted, needed))
    })?;
    let again = match args.again {
        true => Again { tasks: wanted, why: "asked for with `--again`" },
        false => Again::nothing(),
    };
    phases.timed("looking", || opened.check_sources(&graph, &needed))?;
    let store = phases.timed("opening", || Store::open(opened.project.layout.clone()))?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let mut human = Console::new(widest(&graph, &needed));
    if !args.json && !args.dry_run {
        human = human.live();
    }
    let json = JsonLines::new(announced);
    let shown: &dyn Progress = if args.json { &json } else { &human };
    let journal = Journal::new(&graph, &phases);
    let progress = Many(vec![shown, &journal]);
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs };
    if args.dry_run {
        return build.dry_run(&needed, again);
    }
    let trace = args.trace.as_deref().map(trace_file).transpose()?;
    let cancel = cancel_on_signals()?;
    let actions = build.actions(&unwatched);
    let wanted_again = again.tasks.clone();
    let engine = build.engine(&actions).watched_by(&progress).stopped_by(&cancel);
    let engine = engine.on_failure(on_failure(args)).again(again);
    build.refuse_missing(&engine, &needed, &wanted_again)?;
    let warm = phases.timed("looking", || Warm::Seen(quick::recall(global, args, &build, &needed)));
    let built = engine.build(&needed, &warm);
    last::keep(&store, &journal);
    if let Ok(built) = &built {
        phases.timed("remembering", || quick::remember(global, args, &build, &needed, &built.glances));
    }
    if let Some(trace) = &trace {
        trace.write(&journal).context("failed to write the trace")?;
    }
    Ok(ended(args, &human, &built?.summary))
}

/// The file of `--trace`, relative to where the user stands.
fn trace_file(given: &std::path::Path) -> anyhow::Result<TraceFile> {
    let current = os::env::current_dir().context("failed to find the current directory")?;
    TraceFile::open(current.join(given)).map_err(|error| {
        console::error(&error, None);
        Refused.into()
    })
}
