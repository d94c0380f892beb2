//! The progress of a build and of a measurement on stderr.
//!
//! The engine reports each event of a build to one [`Progress`], and `session` what
//! there is to see of a measurement to the watch of its `LocalHost`:
//!
//! ```text
//! Engine --> Observers --+--> Console --+--> a line per task, failures at the end
//!                        |              `--> Live: Status, the line of a build
//!                        +--> JsonLines ---> a JSON object per event on stdout, instead of Console
//!                        `--> Journal -----> kept for `--trace` and `lp explain --last`
//! session --> Console::watch --+--> Live: Lane, the table of a measurement
//!                              `--> a line that sums up the lane every 10 s
//!                              `--> Seconds: with `-v`, a line per camera and second
//! ```
//!
//! On a terminal, [`Live`] is redrawn in place and tasks print no lines. With `-v` every
//! task has a line there too, and with `-q` nothing is printed but failures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::console::{self, Volume};
use super::lane::{Lane, Machine};
use super::plain::plain;
use super::seconds::Seconds;
use super::status::{Status, encoded_text, progress_text};
use crate::diag::Tone;
use crate::engine::events::{BuildEvent, Outcome, Progress};
use crate::engine::host::HINT;
use crate::graph::lower::Subject;
use crate::os::terminal;
use crate::record::build::RecordBuilder;
use crate::record::density::SettingRecord;
use crate::record::measure::fit::{self, Cause};
use crate::record::measure::measure;
use crate::search::State;
use crate::search::limiter::{self, Experiment};
use crate::session::Observation;
use crate::text::{counted, harmless, harmless_lines};
use crate::workspace::open::Workspace;

/// How long the line of a build stays as it is.
const BUILD: Duration = Duration::from_millis(50);
/// How long the table of a measurement stays as it is: drawing it is work that is measured.
const TABLE: Duration = Duration::from_millis(250);
/// How often a measurement is summed up, and a task tells its progress, where nothing can
/// be redrawn.
const SUMMARY: Duration = Duration::from_secs(10);

/// The console of `lp build` and `lp run`.
pub(super) struct Console {
    width: usize,
    volume: Volume,
    failures: Mutex<Vec<String>>,
    /// When the progress of a task was printed last, or first known.
    progressed: Mutex<BTreeMap<String, Instant>>,
    measured: Option<Measured>,
    live: Option<Live>,
}

/// What is printed of a measurement.
struct Measured {
    lane: Arc<Mutex<Lane>>,
    /// With `-v`.
    seconds: Option<Seconds>,
    /// When the lane was summed up last.
    summed: Mutex<Option<Instant>>,
    /// Disturbances of the machine that were printed, and the number of values that showed them.
    disturbed: Mutex<(BTreeSet<Cause>, usize)>,
}

/// The lines that are redrawn, and the thread that draws them when nothing happens.
struct Live {
    view: Arc<View>,
    /// The thread ends when the sender is dropped.
    thread: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

/// What is drawn.
struct View {
    status: Mutex<Status>,
    lane: Option<Arc<Mutex<Lane>>>,
    drawn: Mutex<Option<Instant>>,
}

impl View {
    /// Draws, if it was not drawn just now.
    fn draw(&self) {
        let now = Instant::now();
        let mut drawn = locked(&self.drawn);
        let lane = self.lane.as_deref().map(locked).filter(|lane| lane.is_measured());
        let pause = if lane.is_some() { TABLE } else { BUILD };
        if drawn.is_some_and(|drawn| now.duration_since(drawn) < pause) {
            return;
        }
        let (size, color) = (console::size(), console::color());
        let lines: Vec<String> = match lane {
            Some(lane) => lane.lines(now, size, color),
            None => locked(&self.status).line(size.line(), color).into_iter().collect(),
        };
        if !lines.is_empty() {
            *drawn = Some(now);
        }
        console::redraw(lines);
    }
}

impl Live {
    /// `None` without a thread to draw.
    fn start(lane: Option<Arc<Mutex<Lane>>>) -> Option<Live> {
        let (stop, stopped) = bounded::<()>(0);
        let view = Arc::new(View { status: Mutex::default(), lane, drawn: Mutex::default() });
        let shared = Arc::clone(&view);
        let ticks = move || {
            while stopped.recv_timeout(BUILD) == Err(RecvTimeoutError::Timeout) {
                shared.draw();
            }
        };
        let thread = std::thread::Builder::new().name("status".to_owned()).spawn(ticks).ok()?;
        Some(Live { view, thread: Mutex::new(Some((stop, thread))) })
    }

    fn event(&self, event: &BuildEvent<'_>) {
        locked(&self.view.status).event(event);
        self.view.draw();
    }

    /// Removes the lines.
    fn end(&self) {
        if let Some((stop, thread)) = locked(&self.thread).take() {
            drop(stop);
            let _ = thread.join();
            console::redraw(Vec::new());
        }
    }
}

fn state_word(state: State) -> (Tone, &'static str) {
    match state {
        State::Holds => (Tone::Good, "hold"),
        State::Fails => (Tone::Bad, "fail"),
        State::Undecided => (Tone::Unsure, "undecided"),
        State::Disturbed => (Tone::Unsure, "disturbed"),
        State::Broken => (Tone::Bad, "broken"),
    }
}

/// The load that fails, without something.
fn experiment_line(experiment: &Experiment) -> String {
    let (tone, word) = state_word(experiment.state);
    let mut line = console::color().paint(tone, &format!("{word:<9}"));
    line.push_str(&format!("  {}", limiter::experiment(&experiment.removal)));
    if let Some(cpu) = experiment.evidence.machine_cpu {
        line.push_str(&format!("  CPU {:.0} %", cpu * 100.0));
    }
    format!("{:>10}  {line}", "")
}

/// A setting of a search that has ended.
fn setting_line(setting: &SettingRecord) -> String {
    let (tone, word) = state_word(setting.state);
    let (from_us, to_us) = setting.span_us;
    let mut line = format!("{:>10}  ", counted(setting.lanes, "lane"));
    line.push_str(&console::color().paint(tone, &format!("{word:<9}")));
    line.push_str(&format!("  {:>4} s", to_us.saturating_sub(from_us) / 1_000_000));
    if let Some(cpu) = measure(&setting.record).machine.cpu {
        line.push_str(&format!("  CPU {:>3.0} %", cpu * 100.0));
    }
    let worst = setting.reason.as_ref().or(setting.worst.as_ref());
    if let Some(worst) = worst {
        line.push_str(&format!("  worst {}", harmless(worst)));
    }
    line
}

/// Prints why a run is degraded.
pub(super) fn note_degraded(reason: &str) {
    let word = console::color().paint(Tone::Unsure, "degraded");
    console::note(&format!("{word}: {}", harmless_lines(reason)));
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Console {
    /// A console that aligns reasons after labels of at most `widest` characters.
    #[must_use]
    pub(super) fn new(widest: usize) -> Console {
        let volume = console::volume();
        Console {
            width: widest.min(40),
            volume,
            failures: Mutex::default(),
            progressed: Mutex::default(),
            measured: None,
            live: None,
        }
    }

    /// The same for a build that also measures `subject`.
    #[must_use]
    pub(super) fn measuring(mut self, opened: &Workspace, subject: &Subject) -> Console {
        let settings = &opened.project.settings;
        let lane = Lane::new(settings.pace, settings.limits, settings.duration, Instant::now());
        let seconds = (self.volume == Volume::Verbose).then(|| Seconds::new(opened, subject));
        let lane = Arc::new(Mutex::new(lane));
        self.measured =
            Some(Measured { lane, seconds, summed: Mutex::new(None), disturbed: Mutex::default() });
        self
    }

    /// The same with lines that are redrawn, if stderr is a terminal that can.
    #[must_use]
    pub(super) fn live(mut self) -> Console {
        if self.volume > Volume::Quiet && terminal::can_redraw() {
            // With a line per camera and second, a table would show the same again.
            let lane = self.measured.as_ref().filter(|measured| measured.seconds.is_none());
            self.live = Live::start(lane.map(|measured| Arc::clone(&measured.lane)));
        }
        self
    }

    /// Takes in what there is to see of the measurement.
    pub(super) fn watch(&self, seen: Observation<'_>) {
        let Some(measured) = self.measured.as_ref().filter(|_| self.volume > Volume::Quiet) else { return };
        if let Observation::Failed(stream, reason) = seen {
            let failed = console::color().paint(Tone::Bad, "failed");
            console::note(&format!("`{stream}` {failed}: {}", harmless_lines(reason)));
        }
        if let Observation::Moment(builder) = seen {
            measured.note_disturbances(builder);
        }
        if let Observation::Asked(ask) = seen {
            locked(&measured.lane).search(ask);
        }
        if let Observation::Trying(removal) = seen {
            locked(&measured.lane).experiment(removal);
        }
        if let Observation::Tried(experiment) = seen {
            console::note(&experiment_line(experiment));
        }
        if let Observation::Setting(setting) = seen {
            console::note(&setting_line(setting));
        }
        if let Some(seconds) = &measured.seconds {
            return seconds.watch(seen);
        }
        if let Observation::Moment(builder) = seen {
            let now = Instant::now();
            if self.live.is_none() && !measured.is_due(now) {
                return;
            }
            let mut lane = locked(&measured.lane);
            lane.see(&builder.moment(), Machine::of(builder), now);
            if self.live.is_none() {
                console::note(&lane.summary(now, console::color()));
            }
        }
    }

    /// Prints how far a task is, now and then.
    fn tell_progress(&self, label: &str, text: impl FnOnce() -> String) {
        if self.is_progress_due(label, Instant::now()) {
            console::note(&plain(&format!("{label}: {}", text())));
        }
    }

    /// Whether a line says how far a task is: not in its first seconds, and not often.
    fn is_progress_due(&self, label: &str, now: Instant) -> bool {
        let mut progressed = locked(&self.progressed);
        let last = progressed.entry(label.to_owned()).or_insert(now);
        let is_due = now.duration_since(*last) >= SUMMARY;
        if is_due {
            *last = now;
        }
        is_due
    }

    /// Removes the lines that are redrawn, and prints all failures whole, in the order
    /// in which they happened.
    pub(super) fn end(&self) {
        if let Some(live) = &self.live {
            live.end();
        }
        for failure in self.failures.lock().expect("printing does not panic").drain(..) {
            console::result(&failure);
        }
    }
}

impl Measured {
    /// Prints a line for each way in which the machine is disturbed, when it is seen first.
    fn note_disturbances(&self, run: &RecordBuilder) {
        let mut disturbed = locked(&self.disturbed);
        let (noted, n_seen) = &mut *disturbed;
        let n_values = run.series().iter().map(|series| series.values.len()).sum();
        if std::mem::replace(n_seen, n_values) == n_values {
            return;
        }
        for reason in fit::so_far(run) {
            if noted.insert(reason.cause) {
                note_degraded(&reason.text);
            }
        }
    }

    /// Whether a line sums the lane up: not at first, and not often.
    fn is_due(&self, now: Instant) -> bool {
        let mut summed = locked(&self.summed);
        let is_due = now.duration_since(*summed.get_or_insert(now)) >= SUMMARY;
        if is_due {
            *summed = Some(now);
        }
        is_due
    }
}

impl Drop for Console {
    /// Prints failed tasks even if the build ends with an error.
    fn drop(&mut self) {
        self.end();
    }
}

impl Progress for Console {
    fn event(&self, event: &BuildEvent<'_>) {
        if let Some(live) = &self.live {
            live.event(event);
        }
        // Where a line is redrawn, it shows the tasks.
        let has_lines = self.live.is_none() || self.volume == Volume::Verbose;
        match event {
            BuildEvent::Started { .. } | BuildEvent::Looked { .. } | BuildEvent::Finished { .. } => {}
            BuildEvent::Waiting { reason } => console::waiting(&plain(reason)),
            BuildEvent::Warning { reason } => console::note(&plain(reason)),
            BuildEvent::TaskStarted { label, reason } if has_lines => {
                console::note_beside(label, self.width, reason);
            }
            BuildEvent::TaskNote { note, .. } => console::note(&plain(note)),
            BuildEvent::TaskProgress { label, bytes, total, rate } if has_lines => {
                self.tell_progress(label, || progress_text(*bytes, *total, *rate));
            }
            BuildEvent::TaskEncoded { label, done_ms, total_ms, speed } if has_lines => {
                self.tell_progress(label, || encoded_text(*done_ms, *total_ms, *speed));
            }
            BuildEvent::TaskFinished { label, outcome: Outcome::Restored, detail, .. } if has_lines => {
                console::note_beside(label, self.width, &format!("restored: {detail}"));
            }
            BuildEvent::TaskFinished { label, outcome, detail, log, .. } => {
                let word = match outcome {
                    Outcome::Failed => "failed",
                    Outcome::TimedOut => "timed out",
                    Outcome::Panicked => "panicked: this is a bug in lp",
                    _ => return,
                };
                if self.live.is_some() {
                    // Its output comes at the end, but the failure shows at once.
                    let painted = console::color().paint(Tone::Bad, word);
                    console::note(&format!("`{}` {painted}", plain(label)));
                }
                let (hints, causes): (Vec<String>, Vec<String>) =
                    detail.lines().map(str::to_owned).partition(|line| line.starts_with(HINT));
                let mut text = console::error_text(&format!("`{label}` {word}"), &causes);
                for hint in hints {
                    text.push_str(&format!("\n  {hint}"));
                }
                for line in log.lines() {
                    text.push_str(&format!("\n  | {}", plain(line)));
                }
                self.failures.lock().expect("printing does not panic").push(text);
            }
            BuildEvent::TaskStarted { .. }
            | BuildEvent::TaskProgress { .. }
            | BuildEvent::TaskEncoded { .. } => {}
        }
    }
}

/// Several observers of one build.
pub(super) struct Observers<'a>(pub(super) Vec<&'a dyn Progress>);

impl Progress for Observers<'_> {
    fn event(&self, event: &BuildEvent<'_>) {
        for progress in &self.0 {
            progress.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_tells_its_progress_every_ten_seconds() {
        let console = Console::new(10);
        let begin = Instant::now();
        let due = |label, seconds| console.is_progress_due(label, begin + Duration::from_secs(seconds));
        let seen: Vec<u64> = (0..35).filter(|second| due("a", *second)).collect();
        assert_eq!(seen, [10, 20, 30]);
        assert!(!due("b", 40));
    }
}
