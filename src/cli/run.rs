//! `lp run`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::Context;

use super::args::{Global, RunArgs};
use super::console::{Console, Many, summary_line};
use super::engine::Build;
use super::journal::Journal;
use super::open::{Opened, open};
use super::phases::Phases;
use super::{Exit, Refused, console, last, machine, tools, view};
use crate::engine::{Again, Warm};
use crate::graph::lower::Subject;
use crate::graph::{TaskGraph, TaskId, select};
use crate::model::Source;
use crate::name::Slug;
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::record::foreign::Figure;
use crate::record::measure::{measure, number};
use crate::report::{self, Report};
use crate::session::Seen;
use crate::store::Store;
use crate::worker::protocol::EventBody;

pub(super) fn run(global: &Global, args: &RunArgs) -> anyhow::Result<Exit> {
    let sets: Vec<String> = args
        .duration
        .iter()
        .map(|duration| format!("run.duration={}", crate::time::duration_text(*duration)))
        .collect();
    let phases = Phases::new();
    let opened = open(global, &sets)?;
    let subject = if args.cameras.is_empty() {
        Subject::lane(&opened.project)
    } else {
        Subject::of(&opened.project, &opened.cameras(&args.cameras)?)
    };
    if subject.members.is_empty() {
        console::note("error: this project has no cameras to run");
        return Ok(Exit::Refused);
    }
    let left_out = left_out(&opened, &subject)?;
    if opened.project.settings.render
        && let Err(missing) = crate::os::display::check()
    {
        console::note(&format!("error: `run.render` shows frames on a display, but {missing}"));
        return Ok(Exit::Refused);
    }
    let unset = unset_variables(&opened, &subject);
    if !unset.is_empty() {
        unset.iter().for_each(|text| console::note(&format!("error: {text}")));
        return Ok(Exit::Refused);
    }
    let graph = opened.graph(std::slice::from_ref(&subject))?;
    let label = format!("run:{}", subject.name);
    let run = graph.by_label(&label).expect("the subject's tasks were lowered");
    // The report reads the record and its benchmarks, so it brings everything.
    let report_label =
        if subject.name == "lane" { "report".to_owned() } else { format!("report:{}", subject.name) };
    let report = graph.by_label(&report_label).expect("the subject's tasks were lowered");
    let needed = select::closure(&graph, &BTreeSet::from([report]));
    check_sources(&opened, &graph, &needed, &subject)?;

    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let human = Console::new(super::engine::widest(&graph, &needed));
    let seconds = Seconds::new(&opened, &subject);
    let watch = |slug: &Slug, seen: Seen<'_>| match seen {
        Seen::Stream(event) => seconds.see(slug, event),
        Seen::Script(stream, figure) => seconds.see_script(slug, stream, figure),
    };
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs };
    let cancel = cancel_on_signals()?;
    let before = store.attempts_of(&label).len();
    let journal = Journal::new(&graph, &phases);
    let progress = Many(vec![&human, &journal]);
    let again = Again { tasks: BTreeSet::from([run]), why: "a run always measures" };
    let actions = build.actions(&watch);
    let engine = build.engine(&actions).watched_by(&progress).stopped_by(&cancel).again(again);
    build.refuse_missing(&engine, &needed, &BTreeSet::from([run]))?;
    // Else it would be said only after the measurement.
    os::fs::try_to_write(&opened.project.layout.results).context("results cannot be kept")?;
    let built = engine.build(&needed, &Warm::Nothing);
    last::keep(&store, &journal);
    let summary = built?.summary;
    human.print_failures();
    if summary.panicked {
        return Ok(Exit::Bug);
    }
    let attempts = store.attempts_of(&label);
    let newest = attempts.first().filter(|attempt| before < attempts.len() && !attempt.outputs.is_empty());
    let Some(attempt) = newest else {
        console::note(&summary_line(&summary));
        return Ok(if summary.cancelled { Exit::Interrupted } else { Exit::Failed });
    };
    let stored = view::read(&store, attempt)?;
    let measurement = measure(&stored.record);
    let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
    let folder = view::write(&opened.project.layout, &store, attempt, &shown)
        .context("failed to write the view of this run")?;
    if args.json {
        console::out(&report::json(&shown));
    } else {
        console::out(&format!("\n{}\n", report::table(&shown).trim_end()));
    }
    for camera in &left_out {
        console::note(&format!("left out: {camera}"));
    }
    console::note(&format!("report: {}", folder.join("report.html").display()));
    Ok(if stored.record.interrupted {
        Exit::Interrupted
    } else if summary.failed > 0 || !left_out.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Pipelines that cannot be played: left out by name beside others, refused alone.
fn left_out(opened: &Opened, subject: &Subject) -> Result<Vec<String>, Refused> {
    let mut left_out = Vec::new();
    let mut playable = 0;
    for planned in opened.lane().members(&subject.members) {
        for pipeline in &planned.plan.pipelines {
            match &pipeline.unsupported {
                None => playable += 1,
                Some(reason) => {
                    left_out.push(format!(
                        "`{}` of `{}`: {reason}",
                        pipeline.workloads.join("`, `"),
                        planned.camera().name
                    ));
                }
            }
        }
    }
    if playable == 0 {
        for camera in &left_out {
            console::note(&format!("error: nothing can be played: {camera}"));
        }
        return Err(Refused);
    }
    Ok(left_out)
}

/// Refuses inputs that are missing, together with what the machine lacks: who has
/// to get models should not learn only then that they cannot be used here.
fn check_sources(
    opened: &Opened,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    subject: &Subject,
) -> Result<(), Refused> {
    let mut faults = opened.source_faults(graph, needed);
    if faults.is_empty() {
        return Ok(());
    }
    match machine::ask(&opened.project, &opened.lane().members(&subject.members)) {
        Ok((lacking, _)) => faults.append(lacking),
        Err(error) => console::error(&error, error.hint().as_deref()),
    }
    Err(opened.refuse(&faults))
}

/// Variables with user or password of a stream that are not set, or no text.
fn unset_variables(opened: &Opened, subject: &Subject) -> Vec<String> {
    let mut unset = Vec::new();
    for planned in opened.lane().members(&subject.members) {
        let camera = planned.camera();
        let Source::Rtsp { login: Some(login), .. } = &camera.source else { continue };
        let faults = login.variables().filter_map(|name| Some((name, crate::os::env::fault(name)?)));
        for (name, fault) in faults {
            unset.push(format!(
                "the stream of `{}` needs the environment variable `{name}`, {fault}",
                camera.name
            ));
        }
    }
    unset
}

/// One plain line per camera and second, once all its pipelines have reported.
struct Seconds {
    width: usize,
    cameras: Mutex<BTreeMap<Slug, Second>>,
    /// When each script was first seen, and when it had a line last.
    scripts: Mutex<BTreeMap<String, Instants>>,
}

type Instants = (std::time::Instant, Option<std::time::Instant>);

struct Second {
    streams: usize,
    /// Since when, in microseconds, and what each pipeline said last.
    begin_us: Option<u64>,
    elapsed_s: u64,
    heard: BTreeMap<String, Heard>,
}

struct Heard {
    frames: usize,
    latency_us: Option<u32>,
    dropped: u64,
    at_us: Option<u64>,
}

impl Seconds {
    fn new(opened: &Opened, subject: &Subject) -> Seconds {
        let mut cameras = BTreeMap::new();
        for planned in opened.lane().members(&subject.members) {
            let streams = planned
                .plan
                .pipelines
                .iter()
                .filter(|pipeline| pipeline.unsupported.is_none() && pipeline.script().is_none())
                .count();
            for copy in 1..=opened.project.settings.count {
                let second = Second { streams, begin_us: None, elapsed_s: 0, heard: BTreeMap::new() };
                cameras.insert(planned.slug().copy(copy), second);
            }
        }
        let width = cameras.keys().map(|slug| slug.as_str().len()).max().unwrap_or(0);
        Seconds { width, cameras: Mutex::new(cameras), scripts: Mutex::default() }
    }

    /// A line per script and second that has any figure of frames.
    fn see_script(&self, slug: &Slug, stream: &str, figure: &Figure) {
        let said = match figure {
            Figure::Rates { fps, .. } => {
                let fps: Vec<String> = fps.iter().map(|fps| number(*fps)).collect();
                format!("{} fps", fps.join(", "))
            }
            Figure::Count { element, rendered, dropped, .. } => {
                format!("{element}: {rendered} frames  dropped {dropped}")
            }
            _ => return,
        };
        let now = std::time::Instant::now();
        let mut scripts = self.scripts.lock().expect("printing does not panic");
        let (begin, last) = *scripts.entry(stream.to_owned()).or_insert((now, None));
        if last.is_some_and(|last| now.duration_since(last).as_millis() < 990) {
            return;
        }
        scripts.insert(stream.to_owned(), (begin, Some(now)));
        let elapsed = now.duration_since(begin).as_secs();
        let text = format!(
            "{slug:width$}  {elapsed:>3} s  script {stream}: {said}",
            slug = slug.as_str(),
            width = self.width
        );
        console::note(&report::plain(&text));
    }

    fn see(&self, slug: &Slug, event: &EventBody) {
        let mut cameras = self.cameras.lock().expect("printing does not panic");
        let Some(second) = cameras.get_mut(slug) else { return };
        match event {
            EventBody::Frames { stream, arrived_us, latency_us, dropped, .. } => {
                let mut latencies: Vec<u32> = latency_us.iter().flatten().copied().collect();
                latencies.sort_unstable();
                let heard = Heard {
                    frames: arrived_us.len(),
                    latency_us: crate::stats::percentile(&latencies, 50),
                    dropped: *dropped,
                    at_us: arrived_us.last().copied(),
                };
                second.heard.insert(stream.clone(), heard);
            }
            EventBody::Ended { .. } => second.streams = second.streams.saturating_sub(1),
            _ => return,
        }
        if second.heard.len() < second.streams.max(1) || second.heard.is_empty() {
            return;
        }
        let heard = std::mem::take(&mut second.heard);
        let at_us = heard.values().filter_map(|heard| heard.at_us).max();
        if second.begin_us.is_none() {
            second.begin_us = at_us;
        }
        if let Some((at, begin)) = at_us.zip(second.begin_us) {
            second.elapsed_s = at.saturating_sub(begin) / 1_000_000;
        }
        let elapsed = second.elapsed_s;
        let frames = heard.values().map(|heard| heard.frames).min().unwrap_or(0);
        let latency = heard.values().filter_map(|heard| heard.latency_us).max();
        let dropped: u64 = heard.values().map(|heard| heard.dropped).sum();
        let latency = latency.map_or("-".to_owned(), |us| format!("{:.1} ms", f64::from(us) / 1000.0));
        console::note(&format!(
            "{slug:width$}  {elapsed:>3} s  {frames:>3} frames  latency {latency}  dropped {dropped}",
            slug = slug.as_str(),
            width = self.width
        ));
    }
}
