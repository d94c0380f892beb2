//! From a target to its root causes: the path through the graph to each of them.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::explain::before;
use crate::engine::standing::Standing;
use crate::graph::{TaskGraph, TaskId};
use crate::store::stale::StaleReason;

/// The state of every task.
pub(super) type Standings = BTreeMap<TaskId, Standing>;

/// The root causes of one target, and the shortest path to each.
pub(super) struct Chains<'a> {
    standings: &'a Standings,
    target: TaskId,
    /// The task through which each one was found first.
    from: BTreeMap<TaskId, TaskId>,
    roots: Vec<TaskId>,
}

impl<'a> Chains<'a> {
    /// The chains of `target`.
    pub(super) fn of(graph: &TaskGraph, standings: &'a Standings, target: TaskId) -> Chains<'a> {
        let mut chains = Chains { standings, target, from: BTreeMap::new(), roots: Vec::new() };
        let mut open = VecDeque::from([target]);
        while let Some(id) = open.pop_front() {
            if rank(graph, &standings[&id]).is_some() {
                chains.roots.push(id);
            }
            // A task that never ran has no causes before it: it would run anyway.
            if standings[&id] == Standing::New {
                continue;
            }
            for before in before(graph, standings, id) {
                if before != target && !chains.from.contains_key(&before) {
                    chains.from.insert(before, id);
                    open.push_back(before);
                }
            }
        }
        let position: BTreeMap<TaskId, usize> =
            graph.order().iter().enumerate().map(|(position, id)| (*id, position)).collect();
        let key = |id: &TaskId| (rank(graph, &standings[id]), *id != target, position[id]);
        chains.roots.sort_by_key(key);
        chains.roots.dedup();
        chains
    }

    /// The root causes, the most specific first. A restored task is one only if no task
    /// runs.
    pub(super) fn roots(&self) -> Vec<TaskId> {
        let runs = |id: &&TaskId| self.standings[*id].runs();
        let running: Vec<TaskId> = self.roots.iter().filter(runs).copied().collect();
        if running.is_empty() { self.roots.clone() } else { running }
    }

    /// From the target to `root`, both included.
    pub(super) fn way_to(&self, root: TaskId) -> Vec<TaskId> {
        let mut way = vec![root];
        let mut at = root;
        while at != self.target {
            at = self.from[&at];
            way.push(at);
        }
        way.reverse();
        way
    }
}

/// The rank of a task's own reasons, the most specific first; `None` if it has none.
fn rank(graph: &TaskGraph, standing: &Standing) -> Option<u8> {
    match standing {
        Standing::Fresh => None,
        Standing::Stale(reasons) | Standing::After { reasons, .. } => {
            reasons.iter().map(|reason| specificity(graph, reason)).min()
        }
        Standing::New => Some(2),
        Standing::Restorable(..) => Some(4),
    }
}

fn specificity(graph: &TaskGraph, reason: &StaleReason) -> u8 {
    match reason {
        // It runs each time, without a particular cause.
        StaleReason::Always => 1,
        // The producer of the input has a more specific reason.
        StaleReason::InputAdded(path) if graph.producer(path).is_some() => 3,
        _ => 0,
    }
}
