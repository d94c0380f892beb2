//! Decides which task may start, and which tasks remain when one ends.
//!
//! A pure state machine: no threads, no clock, no I/O. The run loop reports events
//! ([`States::finished`], [`States::cancel`]) and asks which task to start
//! ([`States::start_next`]).
//!
//! A task starts when all its dependencies have succeeded, its pool has a free
//! slot, and the build is not cancelled. Of several, the one with the longest path
//! to the end of the build starts first (the *critical path*, from the last
//! durations of tasks). A task of pool `exclusive` waits until nothing runs and
//! nothing else could start, and then runs alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::task::Pool;
use crate::graph::{TaskGraph, TaskId};

/// How many tasks may run at once, by pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    depths: BTreeMap<Pool, u32>,
}

impl Pools {
    /// `cpu` slots as given, and those of the other pools as declared.
    #[must_use]
    pub fn new(cpu: u32, declared: &BTreeMap<String, u32>) -> Pools {
        let mut depths: BTreeMap<Pool, u32> =
            declared.iter().map(|(name, depth)| (Pool::named(name), (*depth).max(1))).collect();
        depths.insert(Pool::Cpu, cpu.max(1));
        depths.insert(Pool::Exclusive, 1);
        Pools { depths }
    }

    /// The slots of one pool; a pool that is not declared has one.
    #[must_use]
    pub fn depth(&self, pool: &Pool) -> u32 {
        self.depths.get(pool).copied().unwrap_or(1)
    }
}

/// How the other tasks are treated after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Running tasks finish, nothing new starts.
    Stop,
    /// Tasks that do not depend on the failed one still run.
    KeepGoing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Not part of this build.
    Idle,
    /// Waits for this many others.
    Waiting(u32),
    Ready,
    Running,
    Over,
}

/// The state of every task of a build.
#[derive(Debug)]
pub struct States<'g> {
    graph: &'g TaskGraph,
    status: Vec<Status>,
    /// By rank in graph order, so that starts are deterministic; by pool, so that a
    /// search skips the thousands that wait for a full one.
    ready: BTreeMap<Pool, BTreeSet<(u32, TaskId)>>,
    rank: Vec<u32>,
    used: BTreeMap<Pool, u32>,
    pools: Pools,
    on_failure: OnFailure,
    running: u32,
    left: usize,
    stopped: bool,
}

impl<'g> States<'g> {
    /// A build of `selected`; dependencies outside of it have already succeeded.
    /// `duration` returns how long a task took the last time, in any unit.
    #[must_use]
    pub fn new(
        graph: &'g TaskGraph,
        selected: &BTreeSet<TaskId>,
        pools: Pools,
        on_failure: OnFailure,
        duration: &dyn Fn(TaskId) -> Option<u64>,
    ) -> States<'g> {
        let rank = ranks(graph, selected, duration);
        let mut states = States {
            graph,
            status: vec![Status::Idle; graph.tasks().len()],
            ready: BTreeMap::new(),
            rank,
            used: BTreeMap::new(),
            pools,
            on_failure,
            running: 0,
            left: selected.len(),
            stopped: false,
        };
        for id in selected {
            let waits = graph.dependencies(*id).iter().filter(|id| selected.contains(id)).count();
            if waits == 0 {
                states.make_ready(*id);
            } else {
                let waits = u32::try_from(waits).expect("a graph has fewer than four billion tasks");
                states.status[id.index()] = Status::Waiting(waits);
            }
        }
        states
    }

    /// The next task that may start; it counts as running from now on.
    pub fn start_next(&mut self) -> Option<TaskId> {
        if self.stopped {
            return None;
        }
        let exclusive_runs = self.used.get(&Pool::Exclusive).is_some_and(|used| *used > 0);
        if exclusive_runs {
            return None;
        }
        let free = |pool: &Pool| self.used.get(pool).copied().unwrap_or(0) < self.pools.depth(pool);
        let startable = |pool: &Pool| *pool != Pool::Exclusive && free(pool);
        let firsts = || self.ready.iter().filter_map(|(pool, ready)| Some((pool, *ready.first()?)));
        let mut next = firsts().filter(|(pool, _)| startable(pool)).map(|(_, first)| first).min();
        if next.is_none() && self.running == 0 {
            next = firsts().map(|(_, first)| first).min();
        }
        let (rank, id) = next?;
        if let Some(ready) = self.ready.get_mut(&self.graph.task(id).pool) {
            ready.remove(&(rank, id));
        }
        self.status[id.index()] = Status::Running;
        *self.used.entry(self.graph.task(id).pool.clone()).or_default() += 1;
        self.running += 1;
        Some(id)
    }

    /// Marks a running task as ended. Returns the tasks that can no longer run
    /// because of it; they have ended too.
    ///
    /// # Panics
    /// If `id` is not running.
    pub fn finished(&mut self, id: TaskId, well: bool) -> Vec<TaskId> {
        assert_eq!(self.status[id.index()], Status::Running, "only a running task finishes");
        self.status[id.index()] = Status::Over;
        self.running -= 1;
        self.left -= 1;
        if let Some(used) = self.used.get_mut(&self.graph.task(id).pool) {
            *used -= 1;
        }
        if well {
            for dependent in self.graph.dependents(id) {
                if let Status::Waiting(waits) = self.status[dependent.index()] {
                    if waits == 1 {
                        self.make_ready(dependent);
                    } else {
                        self.status[dependent.index()] = Status::Waiting(waits - 1);
                    }
                }
            }
            return Vec::new();
        }
        if self.on_failure == OnFailure::Stop {
            self.stopped = true;
        }
        self.skip_dependents(id)
    }

    /// Starts nothing from now on; running tasks may finish.
    pub fn cancel(&mut self) {
        self.stopped = true;
    }

    /// Whether nothing is running and nothing will start.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.running == 0 && (self.stopped || self.left == 0)
    }

    /// The tasks that have not ended, in order: after [`is_over`](Self::is_over),
    /// those that never started.
    #[must_use]
    pub fn unstarted(&self) -> Vec<TaskId> {
        let open = |id: &TaskId| matches!(self.status[id.index()], Status::Waiting(_) | Status::Ready);
        self.graph.order().iter().copied().filter(open).collect()
    }

    fn make_ready(&mut self, id: TaskId) {
        self.status[id.index()] = Status::Ready;
        let pool = self.graph.task(id).pool.clone();
        self.ready.entry(pool).or_default().insert((self.rank[id.index()], id));
    }

    fn skip_dependents(&mut self, failed: TaskId) -> Vec<TaskId> {
        let mut skipped = Vec::new();
        let mut open = self.graph.dependents(failed);
        while let Some(id) = open.pop() {
            if matches!(self.status[id.index()], Status::Waiting(_)) {
                self.status[id.index()] = Status::Over;
                self.left -= 1;
                skipped.push(id);
                open.extend(self.graph.dependents(id));
            }
        }
        skipped.sort_by_key(|id| self.rank[id.index()]);
        skipped
    }
}

/// The start order, by index: the longest path to the end first, then graph order.
/// A task that never ran counts as the average of the others; if none ran, only
/// graph order counts.
fn ranks(
    graph: &TaskGraph,
    selected: &BTreeSet<TaskId>,
    duration: &dyn Fn(TaskId) -> Option<u64>,
) -> Vec<u32> {
    let order: Vec<TaskId> = graph.order().iter().copied().filter(|id| selected.contains(id)).collect();
    let durations: Vec<Option<u64>> = order.iter().map(|id| duration(*id)).collect();
    let known: Vec<u64> = durations.iter().flatten().copied().collect();
    let mut way = vec![0u64; graph.tasks().len()];
    if let Some(average) = known.iter().sum::<u64>().checked_div(known.len() as u64) {
        for (id, duration) in order.iter().zip(&durations).rev() {
            let behind = graph.dependents(*id).iter().map(|id| way[id.index()]).max().unwrap_or(0);
            way[id.index()] = behind.saturating_add(duration.unwrap_or(average).max(1));
        }
    }
    let mut by_way = order;
    // The sort is stable, so equals keep graph order.
    by_way.sort_by_key(|id| std::cmp::Reverse(way[id.index()]));
    let mut rank = vec![0; graph.tasks().len()];
    for (position, id) in by_way.iter().enumerate() {
        rank[id.index()] = u32::try_from(position).expect("a graph has fewer than four billion tasks");
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::graph::link::link;
    use crate::graph::task::{Action, Task};
    use crate::path::ProjectPath;

    /// A reproducible source of numbers: SplitMix64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % limit
        }
    }

    fn random_graph(random: &mut Random) -> TaskGraph {
        let n_tasks = 1 + random.below(30);
        let path = |index: u64| ProjectPath::new(&format!("o{index}")).unwrap();
        let tasks = (0..n_tasks)
            .map(|index| {
                let n_inputs = random.below(4).min(index);
                Task {
                    label: format!("t{index}"),
                    action: Action::PlanLane { cameras: Vec::new() },
                    inputs: (0..n_inputs).map(|_| path(random.below(index))).collect(),
                    outputs: vec![path(index)],
                    pool: [Pool::Cpu, Pool::Network, Pool::Exclusive][random.below(3) as usize].clone(),
                    after: Vec::new(),
                    factories: Vec::new(),
                    place: Place::default(),
                    entries: Box::default(),
                }
            })
            .collect();
        link(tasks).unwrap()
    }

    /// Simulates random builds and checks every rule at every step.
    #[test]
    fn random_builds_keep_order_pools_and_progress() {
        for seed in 0..500 {
            let mut random = Random(seed);
            let graph = random_graph(&mut random);
            let all: BTreeSet<TaskId> = graph.order().iter().copied().collect();
            let on_failure = [OnFailure::Stop, OnFailure::KeepGoing][random.below(2) as usize];
            let declared = BTreeMap::from([("network".to_owned(), 8)]);
            let pools = Pools::new(1 + random.below(3) as u32, &declared);
            let mut states = States::new(&graph, &all, pools.clone(), on_failure, &|id| {
                (id.index() % 3 > 0).then_some(seed ^ id.index() as u64)
            });
            let (mut running, mut well, mut over) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
            let (mut failed, mut cancelled) = (false, false);
            while !states.is_over() {
                while let Some(id) = states.start_next() {
                    assert!(!cancelled, "seed {seed}: nothing starts after a cancel");
                    assert!(!failed || on_failure == OnFailure::KeepGoing, "seed {seed}");
                    for dependency in graph.dependencies(id) {
                        assert!(well.contains(&dependency), "seed {seed}: order");
                    }
                    running.push(id);
                    let of = |pool: &Pool| running.iter().filter(|id| graph.task(**id).pool == *pool).count();
                    for pool in [Pool::Cpu, Pool::Network] {
                        assert!(of(&pool) <= pools.depth(&pool) as usize, "seed {seed}: pool {pool}");
                    }
                    assert!(of(&Pool::Exclusive) == 0 || running.len() == 1, "seed {seed}: alone");
                }
                if running.is_empty() {
                    assert!(states.is_over(), "seed {seed}: progress");
                    break;
                }
                let id = running.swap_remove(random.below(running.len() as u64) as usize);
                let ok = random.below(8) > 0;
                failed |= !ok;
                let skipped = states.finished(id, ok);
                assert!(!ok || skipped.is_empty());
                assert!(over.insert(id));
                over.extend(skipped);
                if ok {
                    well.insert(id);
                }
                if random.below(40) == 0 {
                    states.cancel();
                    cancelled = true;
                }
            }
            if !cancelled && (!failed || on_failure == OnFailure::KeepGoing) {
                assert_eq!(over, all, "seed {seed}: everything is over");
            }
            assert_eq!(states.unstarted().len(), all.len() - over.len(), "seed {seed}");
        }
    }

    fn labels(tasks: &[(&str, &[u64], u64)], order: &[&str]) {
        let tasks_of_graph = tasks
            .iter()
            .enumerate()
            .map(|(index, (label, inputs, _))| Task {
                label: (*label).to_owned(),
                action: Action::PlanLane { cameras: Vec::new() },
                inputs: inputs.iter().map(|input| ProjectPath::new(&format!("o{input}")).unwrap()).collect(),
                outputs: vec![ProjectPath::new(&format!("o{index}")).unwrap()],
                pool: Pool::Cpu,
                after: Vec::new(),
                factories: Vec::new(),
                place: Place::default(),
                entries: Box::default(),
            })
            .collect();
        let graph = link(tasks_of_graph).unwrap();
        let all = graph.order().iter().copied().collect();
        let duration = |id: TaskId| Some(tasks[id.index()].2).filter(|duration| *duration > 0);
        let pools = Pools::new(1, &BTreeMap::new());
        let mut states = States::new(&graph, &all, pools, OnFailure::Stop, &duration);
        let mut started = Vec::new();
        while let Some(id) = states.start_next() {
            started.push(graph.task(id).label.as_str());
            states.finished(id, true);
        }
        assert_eq!(started, order);
    }

    #[test]
    fn the_longest_path_to_the_end_starts_first() {
        // `c` alone is the longest task, but `b` and `d` take longer together.
        labels(&[("a", &[], 1), ("b", &[], 3), ("c", &[], 4), ("d", &[1], 2)], &["b", "c", "d", "a"]);
        // A task that never ran counts as the average of the others.
        labels(&[("a", &[], 1), ("b", &[], 0), ("c", &[], 9)], &["c", "b", "a"]);
        labels(&[("a", &[], 0), ("b", &[], 0), ("c", &[1], 0)], &["a", "b", "c"]);
    }
}
