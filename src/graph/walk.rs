//! Paths through the graph: the dependencies and dependents of a task, and the
//! connection of two tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{TaskGraph, TaskId};
use crate::path::ProjectPath;

/// The direction along the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the tasks that a task needs.
    Dependencies,
    /// To the tasks that need it.
    Dependents,
}

/// Everything within `depth` steps of `from`, which is not part of it unless
/// one of its tasks is reached from another.
#[must_use]
pub fn reach(
    graph: &TaskGraph,
    from: &BTreeSet<TaskId>,
    direction: Direction,
    depth: Option<usize>,
) -> BTreeSet<TaskId> {
    let mut reached = BTreeSet::new();
    let mut open: VecDeque<(TaskId, usize)> = from.iter().map(|id| (*id, 0)).collect();
    while let Some((id, steps)) = open.pop_front() {
        if depth.is_some_and(|depth| steps >= depth) {
            continue;
        }
        let next = match direction {
            Direction::Dependencies => graph.dependencies(id),
            Direction::Dependents => graph.dependents(id),
        };
        open.extend(next.into_iter().filter(|id| reached.insert(*id)).map(|id| (id, steps + 1)));
    }
    reached
}

/// A shortest way from a task of `from` to one of `to` that it needs, both
/// included.
#[must_use]
pub fn shortest(graph: &TaskGraph, from: &BTreeSet<TaskId>, to: &BTreeSet<TaskId>) -> Option<Vec<TaskId>> {
    let mut came_from: BTreeMap<TaskId, Option<TaskId>> = from.iter().map(|id| (*id, None)).collect();
    let mut open: VecDeque<TaskId> = from.iter().copied().collect();
    while let Some(id) = open.pop_front() {
        if to.contains(&id) {
            let mut way: Vec<TaskId> =
                std::iter::successors(Some(id), |id| came_from.get(id).copied().flatten()).collect();
            way.reverse();
            return Some(way);
        }
        for next in graph.dependencies(id) {
            came_from.entry(next).or_insert_with(|| {
                open.push_back(next);
                Some(id)
            });
        }
    }
    None
}

/// The reason of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge<'g> {
    /// One task reads this of the other.
    Reads(&'g ProjectPath),
    /// One task only comes after the other.
    After,
}

/// The reason why `task` waits for `dependency`.
#[must_use]
pub fn edge(graph: &TaskGraph, task: TaskId, dependency: TaskId) -> Edge<'_> {
    let outputs = &graph.task(dependency).outputs;
    let mut inputs = graph.task(task).inputs.iter();
    let read =
        inputs.find(|input| outputs.iter().any(|output| input.is_within(output) || output.is_within(input)));
    read.map_or(Edge::After, Edge::Reads)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::graph::link::{link, tests::task};

    fn graph() -> TaskGraph {
        let texts = ["a: > x", "b: x > y", "c: y > z", "d: x z > w", "e: > v after d", "f: > u"];
        link(texts.iter().map(|text| task(text)).collect()).unwrap()
    }

    fn ids(graph: &TaskGraph, labels: &str) -> BTreeSet<TaskId> {
        labels.split_whitespace().map(|label| graph.by_label(label).unwrap()).collect()
    }

    #[track_caller]
    fn check(from: &str, direction: Direction, depth: Option<usize>, expect: Expect) {
        let graph = graph();
        let reached = reach(&graph, &ids(&graph, from), direction, depth);
        let labels: Vec<&str> = reached.iter().map(|id| graph.task(*id).label.as_str()).collect();
        expect.assert_eq(&labels.join(" "));
    }

    #[test]
    fn reaching_goes_all_the_way_or_so_many_steps() {
        check("d", Direction::Dependencies, None, expect!["a b c"]);
        check("d", Direction::Dependencies, Some(1), expect!["a c"]);
        check("d", Direction::Dependencies, Some(0), expect![""]);
        check("a", Direction::Dependents, None, expect!["b c d e"]);
        check("a", Direction::Dependents, Some(1), expect!["b d"]);
        check("b d", Direction::Dependencies, None, expect!["a b c"]);
        check("f", Direction::Dependents, None, expect![""]);
    }

    #[test]
    fn the_shortest_way_is_taken_and_its_edges_are_known() {
        let graph = graph();
        let way = |from: &str, to: &str| {
            let way = shortest(&graph, &ids(&graph, from), &ids(&graph, to))?;
            let edges = way.windows(2).map(|two| match edge(&graph, two[0], two[1]) {
                Edge::Reads(path) => format!("{} reads {path}", graph.task(two[0]).label),
                Edge::After => format!("{} comes after", graph.task(two[0]).label),
            });
            Some(
                edges
                    .chain(way.last().map(|id| graph.task(*id).label.clone()))
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        };
        assert_eq!(way("e", "a").as_deref(), Some("e comes after, d reads x, a"));
        assert_eq!(way("c d", "b").as_deref(), Some("c reads y, b"));
        assert_eq!(way("a", "a").as_deref(), Some("a"));
        assert_eq!(way("a", "e"), None);
    }
}
