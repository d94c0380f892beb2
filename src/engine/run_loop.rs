//! The run loop: locks, the channel, and the coordinator.
//!
//! The coordinator stays on the calling thread and alone changes the states;
//! rayon's threads perform tasks and send the results. It waits in one place for
//! results and for cancellation.
//!
//! Each thread takes tasks from a channel as long as there are any, instead of
//! getting one job per task: an idle rayon thread searches every queue before it
//! sleeps, and with thousands of short tasks that search took more time than the
//! tasks.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{never, select, unbounded};

use super::attempt::{PlaceError, Turn};
use super::events::{BuildEvent, Outcome, Summary};
use super::judge::{Judgement, Restored};
use super::standing::{Reasons, Standing};
use super::states::States;
use super::{Engine, EngineError, Warm};
use crate::graph::TaskId;
use crate::graph::task::{Pool, Task};
use crate::os::lock::{BuildLock, Holder, Measurement, MeasuringHold, MeasuringLock, Waiter};
use crate::os::{self};
use crate::store::StoreError;

type Done = (TaskId, Result<Turn, EngineError>);

/// The result of a run of the loop.
pub(super) struct Ran {
    pub(super) summary: Summary,
    /// How many tasks took part.
    pub(super) n_tasks: usize,
    /// The tasks that succeeded.
    pub(super) well: BTreeSet<TaskId>,
}

impl Engine<'_> {
    /// Takes the locks and runs the tasks that must run: `stale`, or all of
    /// `selected` if another process has held the build lock since the look.
    pub(super) fn run(
        &self,
        selected: &BTreeSet<TaskId>,
        stale: BTreeSet<TaskId>,
        warm: &Warm,
    ) -> Result<Ran, EngineError> {
        self.store.create().map_err(StoreError::from)?;
        let lock = self.waiting(&|waiting| BuildLock::acquire(&self.store.lock_path(), waiting))?;
        self.host.begin(&lock).map_err(EngineError::Inherit)?;
        let mut selected = selected;
        let (since, n_elsewhere) = match warm {
            Warm::Elsewhere { n_fresh, since } => (since.as_ref(), *n_fresh),
            Warm::Nothing | Warm::Seen(_) => (self.store.since(), 0),
        };
        if lock.is_next_after(since) {
            selected = &stale;
        } else if n_elsewhere > 0 {
            return Err(EngineError::Overtaken);
        } else {
            self.store.reload()?;
        }
        self.store.sweep()?;

        let measuring = match MeasuringLock::open() {
            Ok(measuring) => Some(measuring),
            Err(error) => {
                self.progress.event(&BuildEvent::Warning { reason: &format!("warning: {error}") });
                None
            }
        };
        let pools: BTreeSet<&Pool> = selected.iter().map(|id| &self.graph.task(*id).pool).collect();
        let slots: usize = pools.iter().map(|pool| self.pools.depth(pool) as usize).sum();
        let slots = slots.clamp(1, selected.len().max(1));
        let duration = |id: TaskId| self.store.duration_of(&self.graph.task(id).label).map(u64::from);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(slots)
            .thread_name(|n| format!("task-{n}"))
            .build()?;
        let summary = threads.in_place_scope(|scope| {
            let (sender, receiver) = unbounded::<Done>();
            let (start, starts) = unbounded::<(TaskId, Option<Judgement>)>();
            for _ in 0..slots {
                let (sender, starts) = (sender.clone(), starts.clone());
                scope.spawn(move |_| {
                    while let Ok((id, judged)) = starts.recv() {
                        // A thread that takes a task must send its result, or the coordinator
                        // waits forever.
                        let turn = catch_unwind(AssertUnwindSafe(|| self.job(id, judged)))
                            .unwrap_or_else(|panic| Ok(Turn::panicked(panic.as_ref())));
                        // The receiver outlives every job: the scope waits for them.
                        let _ = sender.send((id, turn));
                    }
                });
            }
            let mut states =
                States::new(self.graph, selected, self.pools.clone(), self.on_failure, &duration);
            let mut well = BTreeSet::new();
            let mut summary = Summary::default();
            let mut fatal: Option<EngineError> = None;
            let mut hold = self.share(measuring.as_ref())?;
            let mut cancelled = self.cancel.receiver().clone();
            loop {
                while let Some(id) = states.start_next() {
                    let task = self.graph.task(id);
                    let judged = if task.measures() {
                        // Nothing else runs now, so the coordinator may do this itself.
                        match self.judge_now(id) {
                            Ok(judged) => {
                                if judged.standing.runs() {
                                    drop(hold.take());
                                    hold = self.exclude(measuring.as_ref(), task)?;
                                }
                                Some(judged)
                            }
                            Err(error) => {
                                let _ = sender.send((id, Err(error)));
                                continue;
                            }
                        }
                    } else {
                        None
                    };
                    start.send((id, judged)).expect("this function holds a receiver");
                }
                if states.is_over() {
                    break;
                }
                select! {
                    recv(receiver) -> done => {
                        let (id, turn) = done.expect("this function holds a sender");
                        let turn = turn.unwrap_or_else(|error| {
                            states.cancel();
                            fatal.get_or_insert(error);
                            Turn::without_work(Outcome::Failed, String::new())
                        });
                        if fatal.is_none() {
                            self.report(id, &turn);
                        }
                        summary.count(turn.outcome);
                        if turn.outcome.is_well() {
                            well.insert(id);
                        }
                        for skipped in states.finished(id, turn.has_outputs) {
                            summary.count(Outcome::Skipped);
                            self.report(skipped, &Turn::without_work(Outcome::Skipped, String::new()));
                        }
                        if self.graph.task(id).measures() {
                            drop(hold.take());
                            hold = self.share(measuring.as_ref())?;
                        }
                    }
                    recv(cancelled) -> _ => {
                        states.cancel();
                        summary.cancelled = true;
                        cancelled = never();
                    }
                }
            }
            drop(hold);
            for id in states.unstarted() {
                summary.count(Outcome::Skipped);
                self.report(id, &Turn::without_work(Outcome::Skipped, String::new()));
            }
            fatal.map_or(Ok(Ran { summary, n_tasks: selected.len(), well }), Err)
        });
        // The next build tries again; the result of this one is more important.
        let _ = self.store.sweep();
        summary
    }

    /// Whether a task must run, when its turn comes.
    fn judge_now(&self, id: TaskId) -> Result<Judgement, EngineError> {
        self.judge(id, &Restored::new(), Reasons::First)
    }

    /// One task's turn, on a thread of its own.
    fn job(&self, id: TaskId, judged: Option<Judgement>) -> Result<Turn, EngineError> {
        let judged = judged.map_or_else(|| self.judge_now(id), Ok)?;
        Ok(self.turn(id, judged))
    }

    fn turn(&self, id: TaskId, judged: Judgement) -> Turn {
        let task = self.graph.task(id);
        let standing = match judged.standing {
            Standing::Fresh => return Turn::without_work(Outcome::Fresh, String::new()),
            Standing::Restorable(attempt, amiss) => {
                let restored = self.check_places(task).map_err(|error| StoreError::from(error).into());
                match restored.and_then(|()| self.place(task, &attempt.outputs)) {
                    Ok(()) => return Turn::without_work(Outcome::Restored, amiss.to_string()),
                    Err(PlaceError::Store(StoreError::BlobLost { path, .. })) => {
                        Standing::Stale(vec![amiss.lost(&path)])
                    }
                    Err(error) => return Turn::without_work(Outcome::Failed, chain(&error)),
                }
            }
            standing => standing,
        };
        let reason = self.layout.in_words(standing.to_string());
        self.progress.event(&BuildEvent::TaskStarted { label: &task.label, reason: &reason });
        match judged.key {
            Some(key) => self.attempt(task, key),
            None => Turn::without_work(Outcome::Failed, reason),
        }
    }

    fn report(&self, id: TaskId, turn: &Turn) {
        self.progress.event(&BuildEvent::TaskFinished {
            label: &self.graph.task(id).label,
            outcome: turn.outcome,
            duration_ms: u64::try_from(turn.duration.as_millis()).unwrap_or(u64::MAX),
            detail: &turn.detail,
            log: if turn.outcome.is_well() { "" } else { &turn.log },
        });
    }

    fn share(&self, measuring: Option<&MeasuringLock>) -> Result<Option<MeasuringHold>, EngineError> {
        let Some(measuring) = measuring else { return Ok(None) };
        Ok(Some(self.waiting(&|waiting| measuring.share(waiting))?))
    }

    fn exclude(
        &self,
        measuring: Option<&MeasuringLock>,
        task: &Task,
    ) -> Result<Option<MeasuringHold>, EngineError> {
        let (Some(measuring), Some((subject, _))) = (measuring, task.played()) else { return Ok(None) };
        let measurement = || Measurement { subject, root: &self.layout.root };
        Ok(Some(self.waiting(&|waiting| measuring.exclude(measurement(), waiting))?))
    }

    /// Takes a lock; reports the holder that it waits for, and stops waiting on
    /// cancellation.
    fn waiting<T>(
        &self,
        take: &dyn Fn(&mut Waiter<'_>) -> Result<T, os::lock::LockError>,
    ) -> Result<T, EngineError> {
        let mut on_wait = |holder: &Holder| {
            self.progress.event(&BuildEvent::Waiting { reason: &holder.awaited() });
        };
        let is_cancelled = || self.cancel.is_cancelled();
        Ok(take(&mut Waiter { on_wait: &mut on_wait, is_cancelled: &is_cancelled })?)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    super::host::Performed::failed(error).detail
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Engine;
    use super::super::host::{Attempt, Facts, Host, Performed};
    use super::super::states::OnFailure;
    use super::*;
    use crate::graph::link::{link, tests::task};
    use crate::path::Layout;
    use crate::store::Store;

    /// Does nothing, and panics when asked about `a` a second time.
    struct Panicky {
        asked: AtomicUsize,
    }

    impl Host for Panicky {
        fn facts(&self, task: &Task) -> Facts {
            // Not at the look, but when its turn comes.
            assert!(task.label != "a" || self.asked.fetch_add(1, Ordering::Relaxed) == 0, "a bug");
            Facts::default()
        }

        fn begin(&self, _: &BuildLock) -> io::Result<()> {
            Ok(())
        }

        fn perform(&self, _: &Task, _: &Attempt<'_>) -> Performed {
            Performed::succeeded()
        }
    }

    #[test]
    fn a_panic_outside_the_attempt_is_an_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().to_owned());
        let store = Store::open(layout.clone()).unwrap();
        let graph = link(vec![task("a:"), task("b: after a")]).unwrap();
        let host = Panicky { asked: AtomicUsize::new(0) };
        let engine = Engine::new(&graph, &store, &layout, &host).on_failure(OnFailure::KeepGoing);
        let summary = engine.build(&graph.order().iter().copied().collect(), &Warm::Nothing).unwrap().summary;
        assert!(summary.panicked);
        assert_eq!((summary.failed, summary.skipped), (1, 1));
    }
}
