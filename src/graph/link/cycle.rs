//! Tasks that wait for each other: one shortest cycle of each knot, with the
//! reason of every step.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::{LinkFault, Producers, named};
use crate::diag::Place;
use crate::graph::TaskId;
use crate::graph::task::Task;
use crate::path::ProjectPath;

/// How many steps are shown of a long cycle, besides the last.
const SHOWN: usize = 5;

/// One fault for each set of tasks that all wait for each other.
pub(super) fn cycles(
    tasks: &[Task],
    edges: &DiGraph<(), ()>,
    producers: &Producers,
    by_label: &HashMap<String, TaskId>,
) -> Vec<LinkFault> {
    let knots = tarjan_scc(edges).into_iter().filter(|knot| knot.len() > 1);
    knots.map(|knot| fault(&shortest(edges, &knot), tasks, producers, by_label)).collect()
}

/// The shortest cycle through one of the tasks that are part of a shortest one,
/// preferring those that were written first. Begins with its smallest id.
fn shortest(edges: &DiGraph<(), ()>, knot: &[NodeIndex]) -> Vec<usize> {
    let members: HashSet<NodeIndex> = knot.iter().copied().collect();
    let mut starts = knot.to_vec();
    starts.sort_unstable();
    // A knot of thousands is not searched from each of its tasks.
    starts.truncate(100);
    let cycles = starts.into_iter().filter_map(|start| through(start, edges, &members));
    let mut cycle = cycles.min_by_key(Vec::len).unwrap_or_default();
    let first = cycle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(at, _)| at);
    cycle.rotate_left(first);
    cycle
}

/// The shortest cycle through `start`: breadth first.
fn through(start: NodeIndex, edges: &DiGraph<(), ()>, members: &HashSet<NodeIndex>) -> Option<Vec<usize>> {
    let mut from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let mut next: Vec<NodeIndex> = edges.neighbors(node).filter(|next| members.contains(next)).collect();
        next.sort_unstable();
        for next in next {
            if next == start {
                let back = std::iter::successors(Some(node), |at| from.get(at).copied());
                let mut cycle: Vec<usize> = back.map(NodeIndex::index).collect();
                cycle.reverse();
                return Some(cycle);
            }
            if let Entry::Vacant(unseen) = from.entry(next) {
                unseen.insert(node);
                open.push_back(next);
            }
        }
    }
    None
}

fn fault(
    cycle: &[usize],
    tasks: &[Task],
    producers: &Producers,
    by_label: &HashMap<String, TaskId>,
) -> LinkFault {
    let steps = cycle.iter().zip(cycle.iter().cycle().skip(1));
    let mut steps: Vec<Step> = steps.map(|(from, to)| step(*from, *to, tasks, producers, by_label)).collect();
    let mut message = format!("tasks wait for each other: `{}`", tasks[cycle[0]].label);
    let hidden = steps.len().saturating_sub(SHOWN + 1);
    let last = steps.len() - 1;
    for (n, step) in steps.iter().enumerate() {
        if hidden < 2 || n < SHOWN || n == last {
            message.push_str(&format!(" -> `{}` ({})", step.label, step.because));
        } else if n == SHOWN {
            message.push_str(&format!(" -> {hidden} more"));
        }
    }
    if hidden >= 2 {
        steps.drain(SHOWN..last);
    }
    let mut places = steps.into_iter().map(|step| (step.place, step.sentence()));
    let (place, label) = places.next().unwrap_or_default();
    LinkFault { message, place, label, others: places.collect() }
}

/// The reason why one task waits for another.
struct Step<'a> {
    label: &'a str,
    before: &'a str,
    /// "reads `x`", or "after"
    because: String,
    place: Place,
}

impl Step<'_> {
    fn sentence(&self) -> String {
        match self.because.as_str() {
            "after" => format!("`{}` comes after `{}`", self.label, self.before),
            reads => format!("`{}` {reads}, which `{}` makes", self.label, self.before),
        }
    }
}

fn step<'a>(
    from: usize,
    to: usize,
    tasks: &'a [Task],
    producers: &Producers,
    by_label: &HashMap<String, TaskId>,
) -> Step<'a> {
    let (maker, task) = (&tasks[from], &tasks[to]);
    let from = TaskId::new(from);
    let makes = |input: &ProjectPath| {
        producers.of(input) == Some(from) || maker.outputs.iter().any(|output| output.is_within(input))
    };
    let (because, place) = if let Some(n) = task.inputs.iter().position(makes) {
        (format!("reads `{}`", task.inputs[n]), task.input_place(n))
    } else {
        let n = task.after.iter().position(|name| named(by_label, name) == Some(from));
        ("after".to_owned(), n.map_or(task.place, |n| task.after_place(n)))
    };
    Step { label: &task.label, before: &maker.label, because, place }
}
