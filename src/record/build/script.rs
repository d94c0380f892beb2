//! One script of a run while it runs.
//!
//! Its window begins `warmup` after its first figure, as a stream's does after
//! its first frame. One that has printed no figure yet is measured from its
//! start: a script that prints none at all must end as well.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::Timing;
use super::{ScriptEnd, ScriptSetup};
use crate::record::Pace;
use crate::record::foreign::{Channel, Figure, Span};
use crate::record::script::{
    ChannelLatencies, ElementRates, LatencyInterval, MAX_ELEMENTS, MAX_LATENCIES, MAX_RATES, Meter, Rate,
    ScriptExit, ScriptRecord, Unread,
};

/// A script that has printed figures and prints none for this long has failed;
/// that of a slow camera has longer.
pub const QUIET_US: u64 = 60_000_000;

/// Played freely, a script that prints no figure and does not end for this long
/// has failed: nothing else would end it.
pub const FREE_US: u64 = 600_000_000;

/// A script. All times are absolute microseconds of `lp`.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) setup: ScriptSetup,
    /// How long it may be without a figure.
    quiet_us: u64,
    started_us: Option<u64>,
    pub(super) first_figure_us: Option<u64>,
    last_figure_us: Option<u64>,
    /// Names of counters, as a verbose launch prints them.
    counters: BTreeSet<String>,
    /// When the last line for `lp` of each name was read.
    own: BTreeMap<String, u64>,
    unread: Option<Unread>,
    /// Each with the pipeline that its element is in, if that is known.
    pub(super) rates: Vec<(Option<String>, ElementRates)>,
    latencies: Vec<(Channel, ChannelLatencies)>,
    n_rates: usize,
    n_latencies: usize,
    left_out: u64,
    /// The window ends here at the latest.
    cut_us: Option<u64>,
    /// Its window is complete.
    pub(super) done: bool,
    pub(super) exit: Option<ScriptExit>,
    output: String,
    output_left_out: u64,
    pub(super) failure: Option<String>,
}

impl Script {
    pub(super) fn new(setup: ScriptSetup, quiet_us: u64) -> Script {
        Script {
            setup,
            quiet_us,
            started_us: None,
            first_figure_us: None,
            last_figure_us: None,
            counters: BTreeSet::new(),
            own: BTreeMap::new(),
            unread: None,
            rates: Vec::new(),
            latencies: Vec::new(),
            n_rates: 0,
            n_latencies: 0,
            left_out: 0,
            cut_us: None,
            done: false,
            exit: None,
            output: String::new(),
            output_left_out: 0,
            failure: None,
        }
    }

    /// The same script in a run that begins at `now_us`, while it runs; `None` if it does not
    /// run.
    pub(super) fn go_on(self, setup: ScriptSetup, now_us: u64) -> Option<Script> {
        let runs = self.started_us.is_some() && self.exit.is_none() && self.failure.is_none();
        runs.then(|| Script {
            started_us: Some(now_us),
            // A launch names its counters once.
            counters: self.counters,
            own: self.own,
            ..Script::new(setup, self.quiet_us)
        })
    }

    pub(super) fn started(&mut self, at_us: u64) {
        self.started_us.get_or_insert(at_us);
    }

    /// Takes in a figure that was read at `at_us`.
    pub(super) fn figure(&mut self, timing: Timing, at_us: u64, figure: &Figure) {
        // Processes that it left running may still print.
        if self.exit.is_some() {
            return;
        }
        if let Figure::Counter { element } = figure {
            if self.counters.len() < MAX_ELEMENTS {
                self.counters.insert(element.clone());
            }
            return;
        }
        if let Figure::Fault(why) = figure {
            let unread = self.unread.get_or_insert_with(|| Unread { lines: 0, first: why.clone() });
            unread.lines += 1;
            return;
        }
        // A window that is complete without a figure begins no second time.
        if self.done || self.failure.is_some() {
            return;
        }
        self.first_figure_us.get_or_insert(at_us);
        self.last_figure_us = Some(at_us);
        let own_over_us = match figure {
            Figure::Own { name, .. } => self.since_own_line(name.as_deref(), at_us),
            _ => 0,
        };
        let Some((begin, end)) = self.limits(timing) else { return };
        if at_us < begin {
            return self.early_figure(figure);
        }
        if end <= at_us || self.cut_us.is_some_and(|cut| cut <= at_us) {
            return;
        }
        match figure {
            Figure::Own { name, fps, dropped, latency_us } => {
                let element = own_name(name.as_deref());
                let rate = Rate::Own { at_us, over_us: own_over_us, fps: *fps, dropped: *dropped };
                self.rate(None, element.to_owned(), Meter::Lp, rate);
                let channel = Channel { sink: Some(element.to_owned()), ..Channel::default() };
                if let Some(mean_us) = *latency_us
                    && let Some(known) = self.channel(&channel)
                {
                    known.intervals.push(LatencyInterval { at_us, mean_us, max_us: None });
                }
            }
            Figure::Rates { span, over_us, fps } => {
                let over_us = *over_us;
                for (element, fps) in self.names(fps.len()).into_iter().zip(fps.iter().copied()) {
                    let rate = match span {
                        Span::Last => Rate::Last { at_us, over_us, fps },
                        Span::Begin => Rate::Begin { at_us, over_us, fps },
                    };
                    self.rate(None, element, Meter::GvaFpsCounter, rate);
                }
            }
            Figure::Count { pipeline, element, rendered, dropped } => {
                let rate = Rate::Count { at_us, rendered: *rendered, dropped: *dropped };
                self.rate(pipeline.clone(), element.clone(), Meter::FpsDisplaySink, rate);
            }
            Figure::Latency { channel, us } => {
                if let Some(known) = self.channel(channel) {
                    known.at_us.push(at_us);
                    known.latency_us.push(*us);
                }
            }
            Figure::LatencyInterval { channel, mean_us, max_us } => {
                let interval = LatencyInterval { at_us, mean_us: *mean_us, max_us: Some(*max_us) };
                if let Some(known) = self.channel(channel) {
                    known.intervals.push(interval);
                }
            }
            Figure::Counter { .. } | Figure::Fault(_) => {}
        }
    }

    /// The time since the line for `lp` of this name before this one, or since the start.
    fn since_own_line(&mut self, name: Option<&str>, at_us: u64) -> u64 {
        let name = own_name(name);
        let before = self.own.get(name).copied();
        // The rates of more are beyond what a record keeps.
        if before.is_some() || self.own.len() < MAX_ELEMENTS {
            self.own.insert(name.to_owned(), at_us);
        }
        at_us.saturating_sub(before.or(self.started_us).unwrap_or(at_us))
    }

    /// The names of `n` counters, whose rates come in byte order of their names.
    /// Where not all of them are known, or some have ended, the owner of a rate is
    /// unknown, so it keeps its place instead of getting a wrong name.
    fn names(&self, n: usize) -> Vec<String> {
        if self.counters.len() == n {
            return self.counters.iter().cloned().collect();
        }
        match n {
            1 => vec!["1 of 1".to_owned()],
            n => (1..=n).map(|place| format!("{place} of {n}")).collect(),
        }
    }

    /// Takes in a figure from before the window: it only names the counters. A counter
    /// without a name is ignored: places change as streams begin.
    fn early_figure(&mut self, figure: &Figure) {
        let silent: Vec<(Option<String>, String, Meter)> = match figure {
            Figure::Own { name, .. } => vec![(None, own_name(name.as_deref()).to_owned(), Meter::Lp)],
            Figure::Count { pipeline, element, .. } => {
                vec![(pipeline.clone(), element.clone(), Meter::FpsDisplaySink)]
            }
            Figure::Rates { fps, .. } if self.counters.len() == fps.len() => {
                let names = self.counters.iter().cloned();
                names.map(|name| (None, name, Meter::GvaFpsCounter)).collect()
            }
            _ => return,
        };
        for (pipeline, element, meter) in silent {
            let is_known = self.known(pipeline.as_ref(), &element, meter).is_some();
            if !is_known && self.rates.len() < MAX_ELEMENTS {
                self.rates.push((pipeline, ElementRates { element, meter, rates: Vec::new() }));
            }
        }
    }

    /// Where the rates of a counter are.
    fn known(&self, pipeline: Option<&String>, element: &str, meter: Meter) -> Option<usize> {
        self.rates.iter().position(|(within, known)| {
            known.meter == meter && known.element == element && within.as_ref() == pipeline
        })
    }

    fn rate(&mut self, pipeline: Option<String>, element: String, meter: Meter, rate: Rate) {
        let known = self.known(pipeline.as_ref(), &element, meter);
        if self.n_rates == MAX_RATES || (known.is_none() && self.rates.len() == MAX_ELEMENTS) {
            self.left_out += 1;
            return;
        }
        self.n_rates += 1;
        match known {
            Some(index) => self.rates[index].1.rates.push(rate),
            None => self.rates.push((pipeline, ElementRates { element, meter, rates: vec![rate] })),
        }
    }

    /// Where a latency of this channel is kept; `None` if it is not, but counted.
    fn channel(&mut self, channel: &Channel) -> Option<&mut ChannelLatencies> {
        let known = self.latencies.iter().position(|(known, _)| known == channel);
        if self.n_latencies == MAX_LATENCIES || (known.is_none() && self.latencies.len() == MAX_ELEMENTS) {
            self.left_out += 1;
            return None;
        }
        self.n_latencies += 1;
        let index = known.unwrap_or_else(|| {
            let (source, sink) = (channel.source.clone(), channel.sink.clone());
            let none = ChannelLatencies { source, sink, ..ChannelLatencies::default() };
            self.latencies.push((channel.clone(), none));
            self.latencies.len() - 1
        });
        Some(&mut self.latencies[index].1)
    }

    /// Before this the time alone changes nothing; `u64::MAX` if it never will.
    pub(super) fn due_us(&self, timing: Timing) -> u64 {
        if self.exit.is_some() || self.is_settled() {
            return u64::MAX;
        }
        let end = self.limits(timing).map(|(_, end)| end);
        let quiet = self.last_figure_us.map(|last| last.saturating_add(self.quiet_us));
        let is_silent = timing.pace == Pace::Free && self.first_figure_us.is_none();
        let free = self.started_us.filter(|_| is_silent).map(|started| started.saturating_add(FREE_US));
        [end, quiet, free].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Takes in the time. Why it has failed, if it has by that.
    pub(super) fn tick(&mut self, timing: Timing, at_us: u64) -> Option<String> {
        if self.exit.is_some() || self.failure.is_some() {
            return None;
        }
        let quiet =
            |since: Option<u64>, limit: u64| since.is_some_and(|at| limit <= at_us.saturating_sub(at));
        let end = self.limits(timing).map_or(u64::MAX, |(_, end)| end);
        if end <= at_us {
            self.done = true;
            self.cut(end);
            None
        } else if quiet(self.last_figure_us, self.quiet_us) {
            self.fail(at_us, format!("hangs: no figure for {} s", self.quiet_us / 1_000_000))
        } else if timing.pace == Pace::Free
            && self.first_figure_us.is_none()
            && quiet(self.started_us, FREE_US)
        {
            self.fail(
                at_us,
                format!("hangs: printed no figure and did not end for {} s", FREE_US / 1_000_000),
            )
        } else {
            None
        }
    }

    /// Takes in that it has ended, or could not be started. Why it has failed, if it
    /// has by that.
    pub(super) fn ended(
        &mut self,
        timing: Timing,
        at_us: u64,
        end: &ScriptEnd,
        asked: bool,
    ) -> Option<String> {
        let late = if asked { None } else { self.tick(timing, at_us) };
        self.cut(at_us);
        let seconds = at_us.saturating_sub(self.started_us.unwrap_or(at_us)) as f64 / 1e6;
        let ScriptEnd::Ended { how, success } = end else {
            let ScriptEnd::NotStarted(reason) = end else { return late };
            return late.or_else(|| self.fail(at_us, format!("did not start: {reason}")));
        };
        self.exit = Some(ScriptExit { at_us, how: how.clone(), asked });
        match timing.pace {
            _ if late.is_some() => late,
            // Its exit after we asked it to end is no failure.
            _ if asked || self.done => None,
            Pace::Free if *success => {
                self.done = self.failure.is_none();
                None
            }
            Pace::Free => self.fail(at_us, format!("{how} after {seconds:.1} s")),
            Pace::Live => self.fail(at_us, format!("{how} after {seconds:.1} s, before it was asked to end")),
        }
    }

    /// Takes in its output.
    pub(super) fn printed(&mut self, output: String, left_out: u64) {
        self.output = output;
        self.output_left_out = left_out;
    }

    /// Declares it failed; the first reason stays. The reason, unless it had failed
    /// before.
    pub(super) fn fail(&mut self, at_us: u64, reason: String) -> Option<String> {
        if self.failure.is_some() {
            return None;
        }
        self.failure = Some(reason.clone());
        self.cut(at_us);
        Some(reason)
    }

    /// Ends the window here, if it has not ended before.
    pub(super) fn cut(&mut self, at_us: u64) {
        self.cut_us.get_or_insert(at_us);
    }

    /// Whether nothing of it is left to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.done || self.failure.is_some()
    }

    /// The window as far as the time decides it.
    fn limits(&self, timing: Timing) -> Option<(u64, u64)> {
        let started = self.started_us?;
        match timing.pace {
            // The whole of its life.
            Pace::Free => Some((started, u64::MAX)),
            Pace::Live => Some(timing.limits(self.first_figure_us.unwrap_or(started))),
        }
    }

    /// The begin of its window, as far as the time decides it.
    pub(super) fn begin_us(&self, timing: Timing) -> Option<u64> {
        self.limits(timing).map(|(begin, _)| begin)
    }

    /// The window `[begin, end)` as far as it is known.
    pub(super) fn window(&self, timing: Timing) -> Option<(u64, u64)> {
        let (begin, end) = self.limits(timing)?;
        let end = end.min(self.cut_us.unwrap_or(u64::MAX));
        (begin < end && end < u64::MAX).then_some((begin, end))
    }

    pub(super) fn into_record(self, timing: Timing, origin_us: u64) -> ScriptRecord {
        let since = |at_us: u64| at_us.saturating_sub(origin_us);
        let window = self.window(timing);
        let (mut rates, mut latencies) = (elements(self.rates), channels(self.latencies));
        rates.sort_by(|a, b| (&a.element, a.meter).cmp(&(&b.element, b.meter)));
        latencies.sort_by(|a, b| (&a.source, &a.sink).cmp(&(&b.source, &b.sink)));
        for rate in rates.iter_mut().flat_map(|element| &mut element.rates) {
            let (Rate::Last { at_us, .. }
            | Rate::Begin { at_us, .. }
            | Rate::Own { at_us, .. }
            | Rate::Count { at_us, .. }) = rate;
            *at_us = since(*at_us);
        }
        for channel in &mut latencies {
            channel.at_us.iter_mut().for_each(|at_us| *at_us = since(*at_us));
            channel.intervals.iter_mut().for_each(|interval| interval.at_us = since(interval.at_us));
        }
        ScriptRecord {
            stream: self.setup.stream,
            index: Some(self.setup.index),
            workloads: self.setup.workloads,
            script: self.setup.script,
            parameters: self.setup.parameters,
            started_us: since(self.started_us.unwrap_or(origin_us)),
            first_figure_us: self.first_figure_us.map(since),
            window_us: window.map(|(begin, end)| (since(begin), since(end))),
            rates,
            latencies,
            unread: self.unread,
            figures_left_out: self.left_out,
            exit: self.exit.map(|exit| ScriptExit { at_us: since(exit.at_us), ..exit }),
            failure: self.failure,
            output: self.output,
            output_left_out: self.output_left_out,
        }
    }
}

/// The name of a counter whose lines are for `lp`.
fn own_name(name: Option<&str>) -> &str {
    name.unwrap_or("lp")
}

/// Rates by names that differ: of elements that are called alike, each begins
/// with its pipeline.
fn elements(rates: Vec<(Option<String>, ElementRates)>) -> Vec<ElementRates> {
    let alike = |a: &ElementRates, b: &ElementRates| a.element == b.element && a.meter == b.meter;
    let twins = twins(&rates, |(_, a), (_, b)| alike(a, b));
    let named = rates.into_iter().zip(twins).map(|((pipeline, mut rates), twin)| {
        rates.element = twin.told_apart(rates.element, pipeline.as_deref());
        rates
    });
    named.collect()
}

/// Latencies by names that differ: of channels between elements that are called
/// alike, each begins with its pipeline.
fn channels(latencies: Vec<(Channel, ChannelLatencies)>) -> Vec<ChannelLatencies> {
    let alike = |a: &Channel, b: &Channel| a.source == b.source && a.sink == b.sink;
    let twins = twins(&latencies, |(a, _), (b, _)| alike(a, b));
    let named = latencies.into_iter().zip(twins).map(|((channel, mut latencies), twin)| {
        let told_apart = |name| twin.told_apart(name, channel.pipeline.as_deref());
        latencies.source = latencies.source.map(told_apart);
        latencies.sink = latencies.sink.map(told_apart);
        latencies
    });
    named.collect()
}

/// The place of one among those that are called alike, and how many these are.
struct Twin {
    place: usize,
    of: usize,
}

impl Twin {
    /// `till` if nothing else is called so, else `lane2/till` or, where the
    /// pipeline is not known, `till (2 of 3)`.
    fn told_apart(&self, name: String, pipeline: Option<&str>) -> String {
        match pipeline {
            _ if self.of < 2 => name,
            Some(pipeline) => format!("{pipeline}/{name}"),
            None => format!("{name} ({} of {})", self.place, self.of),
        }
    }
}

fn twins<T>(all: &[T], alike: impl Fn(&T, &T) -> bool) -> Vec<Twin> {
    let count = |among: &[T], one: &T| among.iter().filter(|other| alike(other, one)).count();
    let twin = |(at, one)| Twin { place: count(&all[..=at], one), of: count(all, one) };
    all.iter().enumerate().map(twin).collect()
}
