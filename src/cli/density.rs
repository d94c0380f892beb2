//! `lp density`

use std::collections::BTreeSet;

use anyhow::Context;

use super::args::{DensityArgs, Global, RuleWord};
use super::progress::{Console, Observers, note_degraded};
use super::{Exit, checks, console, judgement, project};
use crate::action::LocalHost;
use crate::engine::{Again, Warm};
use crate::graph::lower::{Subject, density_path};
use crate::graph::select;
use crate::model::{Density, Price, Unit};
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::record::density::DensityRecord;
use crate::record::density_figures::figures;
use crate::record::judgement::{Rule, judge_search};
use crate::record::measure::fit;
use crate::record::upstream::{UpstreamRule, upstream};
use crate::report::density::{self, DensityShown};
use crate::search::{self, Why};
use crate::session::Observation;
use crate::store::Store;
use crate::time::{Utc, duration_text};
use crate::workspace::build::Build;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::Journal;
use crate::workspace::open::Workspace;
use crate::workspace::phases::Phases;
use crate::workspace::{tools, view};

/// The flags that are short forms of settings.
fn sets(args: &DensityArgs) -> Vec<String> {
    let unit = args.unit.map(|unit| format!("density.unit={}", unit.word()));
    let confidence = args.confidence.as_ref().map(|confidence| format!("density.confidence={confidence}"));
    let max = args.max.map(|max| format!("density.max={max}"));
    let budget = args.budget.map(|budget| format!("density.budget={}", duration_text(budget)));
    let allow_oom = args.allow_oom.then(|| "density.allow_oom=true".to_owned());
    let limiter = args.no_limiter.then(|| "density.limiter=false".to_owned());
    [unit, confidence, max, budget, allow_oom, limiter].into_iter().flatten().collect()
}

pub(super) fn run(global: &Global, args: &DensityArgs) -> Result<Exit> {
    let phases = Phases::new();
    let fetching = project::fetching(&args.fetch)?;
    let opened = project::open(global, &sets(args))?;
    let subject = subject(&opened, args)?;
    let left_out = checks::left_out(&opened, &subject)?;
    if opened.project.settings.decode_only {
        console::note("decode only: every step is left out, and no inference is run");
    }
    checks::check_display(&opened)?;
    checks::check_variables(&opened, &subject)?;
    checks::check_streams(&opened, &subject)?;
    let graph = project::graph(&opened, std::slice::from_ref(&subject))?;
    let label = subject.density_label();
    let id = graph.by_label(&label).expect("the subject's tasks were lowered");
    let needed = select::closure(&graph, &BTreeSet::from([id]));
    checks::check_sources(&opened, &graph, &needed, &subject)?;

    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let human = Console::new(console::widest(&graph, &needed)).measuring(&opened, &subject).live();
    let watch = |seen: Observation<'_>| human.watch(seen);
    let build =
        Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: args.jobs, fetching };
    let cancel = cancel_on_signals()?;
    let journal = Journal::new(&graph, &phases);
    let progress = Observers(vec![&human, &journal]);
    let host = LocalHost { tag: args.tag.clone(), ..build.host(&watch) };
    let place = opened.project.layout.resolve(&density_path(&subject.name));
    let budget_s = opened.project.settings.density.budget.as_secs_f64();
    let mut why_again = args.again.then_some("asked for with `--again`");
    loop {
        let again = match why_again {
            Some(why) => Again { tasks: BTreeSet::from([id]), why },
            None => Again::nothing(),
        };
        let is_again = why_again.is_some();
        let engine = build.engine(&host).watched_by(&progress).stopped_by(&cancel).again(again);
        build.refuse_missing(&engine, &needed)?;
        if is_again || engine.look(&needed)?[&id].runs() {
            for reason in fit::of_host(&tools.host.facts) {
                note_degraded(&reason.text);
            }
            if let Some(note) = short_budget(&opened.project.settings.density) {
                console::note(&note);
            }
            // Otherwise the failure would show only after the measurement.
            os::fs::try_to_write(&opened.project.layout.results).context("results cannot be kept")?;
        }
        let before = store.attempts_of(&label).len();
        let built = engine.build(&needed, &Warm::Nothing);
        console::link_clips(&opened, &journal);
        let attempts = store.attempts_of(&label);
        let newest = attempts.first().filter(|_| before < attempts.len());
        let is_old = newest.is_none();
        let summary = built.map(|built| built.summary).inspect_err(|_| console::keep(&store, &journal))?;
        project::record_downloads(&build, &engine, &needed);
        if summary.panicked {
            human.end();
            return Ok(Exit::Bug);
        }
        if newest.is_some_and(|attempt| attempt.outputs.is_empty())
            || (is_old && summary.failed > 0)
            || (is_old && summary.cancelled)
        {
            human.end();
            console::keep(&store, &journal);
            console::result(&summary.to_string());
            return Ok(if summary.cancelled { Exit::Interrupted } else { Exit::Failed });
        }
        let (mut record, search_id) = view::read_density_at(&place)?;
        // An answer may be older than the thresholds that judge it.
        record.thresholds = opened.project.settings.threshold_values();
        if is_old && record.answer.why == Some(Why::Budget) && record.rules.budget_s < budget_s {
            why_again = Some("its answer is a range, and there is more time now");
            continue;
        }
        human.end();
        console::keep(&store, &journal);
        if let Some(attempt) =
            newest.filter(|attempt| attempt.is_reusable() && record.answer.why != Some(Why::Budget))
        {
            // Its settings are in the record. If they stay, the next search deletes them.
            let key = attempt.document.without_repeat().digest().to_hex();
            let _ = os::fs::remove(&opened.project.layout.searches().join(key));
        }
        let price = opened.project.settings.price.as_ref();
        show(&place, args, &search_id, &record, price, is_old)?;
        for camera in &left_out {
            console::result(&format!("left out: {camera}"));
        }
        let judgement = judge_search(&record, &search_id, &record.thresholds);
        return Ok(match judgement.by {
            _ if record.interrupted => Exit::Interrupted,
            _ if summary.failed > 0 => Exit::Failed,
            Rule::Thresholds => judgement::end(&judgement, &format!("search {search_id}")),
            Rule::Verdicts => Exit::Done,
        });
    }
}

/// That a budget leaves no time to confirm an answer.
fn short_budget(asked: &Density) -> Option<String> {
    let confirm_s = search::confirm_s(asked.confidence);
    (asked.budget.as_secs_f64() < confirm_s).then(|| {
        let budget = duration_text(asked.budget);
        format!(
            "note: a budget of {budget} leaves no time to confirm a number of lanes, which takes {confirm_s:.0} s"
        )
    })
}

/// The cameras that are counted.
fn subject(opened: &Workspace, args: &DensityArgs) -> Result<Subject> {
    let project = &opened.project;
    let subject = match args.cameras.as_slice() {
        [] => Subject::lane(project),
        cameras => Subject::of(project, &opened.cameras(cameras)?),
    };
    if subject.members.is_empty() {
        return Err(CommandError::refused("this project has no cameras to run"));
    }
    if project.settings.density.unit == Unit::Camera && subject.members.len() != 1 {
        let n = subject.members.len();
        let fault = format!("with unit `camera`, copies of one camera are counted, and {n} are named");
        return Err(CommandError::refused(fault).hint("name one: `lp density CAMERA --unit camera`"));
    }
    Ok(subject)
}

/// Prints the report, and writes its other forms beside the record.
fn show(
    place: &std::path::Path,
    args: &DensityArgs,
    id: &str,
    record: &DensityRecord,
    price: Option<&Price>,
    is_old: bool,
) -> Result<()> {
    let figures = figures(record);
    let upstream = upstream(record, &figures, &UpstreamRule { target_fps: args.target_fps });
    let shown = DensityShown { id, record, figures: &figures, upstream: &upstream, price };
    let folder = place.with_extension("");
    view::write_density(&folder, &shown).context("failed to write the report of the search")?;
    let paper = console::paper();
    if args.json {
        console::out(&density::json(&shown));
    } else {
        console::out(&density::table(&shown, paper));
    }
    if args.rule == Some(RuleWord::Upstream) {
        let texts = [density::in_upstreams_words(&shown, paper), density::by_upstream(&shown, paper)];
        console::out(&format!("\n{}", texts.join("\n")));
    }
    if is_old {
        let age = age(record.started, os::clock::utc_now());
        console::note(&format!("measured {age}; `lp density --again` measures again"));
    } else {
        console::note(&format!("report: {}", folder.join("report.html").display()));
    }
    Ok(())
}

/// `3 h ago`
fn age(then: Utc, now: Utc) -> String {
    let seconds = now.unix_millis().saturating_sub(then.unix_millis()) / 1000;
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_age() {
        let then = Utc::from_unix_millis(1_000_000_000_000);
        let after = |seconds: i64| age(then, Utc::from_unix_millis(1_000_000_000_000 + seconds * 1000));
        let ages = [0, 59, 60, 3_599, 3_600, 172_799, 172_800].map(after);
        assert_eq!(
            ages,
            ["just now", "just now", "1 min ago", "59 min ago", "1 h ago", "47 h ago", "2 days ago"]
        );
    }
}
