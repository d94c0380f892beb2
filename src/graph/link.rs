//! Tasks become a graph: edges from paths and from `after`, faults with both places.

use std::collections::HashMap;

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::task::Task;
use super::{TaskGraph, TaskId};
use crate::config::diagnostics::Place;
use crate::name::did_you_mean;
use crate::path::ProjectPath;

/// Tasks that do not make a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFault {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// The other place, and what it has to do with it.
    pub other: Option<(Place, String)>,
}

/// Links tasks.
///
/// # Errors
/// All faults: two tasks with one label, two producers of one path, an output
/// inside another's output, an output that its task also reads, an unknown
/// `after`, a cycle.
///
/// # Panics
/// Beyond four billion tasks.
pub fn link(tasks: Vec<Task>) -> Result<TaskGraph, Vec<LinkFault>> {
    let mut faults = Vec::new();
    let by_label = labels(&tasks, &mut faults);
    let producers = producers(&tasks, &mut faults);
    nested_outputs(&tasks, &producers, &mut faults);

    let mut edges: DiGraph<(), ()> = DiGraph::with_capacity(tasks.len(), tasks.len() * 2);
    for _ in &tasks {
        edges.add_node(());
    }
    // An edge may stand twice: to look for the first would take as long as a
    // node has edges, and whoever asks for neighbours gets each once.
    let mut add = |from: TaskId, to: TaskId| {
        edges.add_edge(NodeIndex::new(from.index()), NodeIndex::new(to.index()), ());
    };
    let mut readers: HashMap<&ProjectPath, Vec<TaskId>> = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
        let id = TaskId::new(index);
        for input in &task.inputs {
            readers.entry(input).or_default().push(id);
            match producer(&producers, input) {
                Some(from) if from == id => faults.push(LinkFault {
                    message: format!("`{}` reads `{input}`, which it also writes", task.label),
                    place: task.place,
                    other: None,
                }),
                Some(from) => add(from, id),
                None => {}
            }
        }
        for label in &task.after {
            match by_label.get(label).or_else(|| by_label.get(&format!("task:{label}"))) {
                Some(from) => add(*from, id),
                None => faults.push(unknown_after(task, label, &by_label)),
            }
        }
    }
    // A task that reads a whole directory waits for whoever writes into it.
    for (path, from) in &producers {
        for directory in ancestors(path) {
            for reader in readers.get(&directory).into_iter().flatten().filter(|reader| **reader != *from) {
                add(*from, *reader);
            }
        }
    }
    let order = match toposort(&edges, None) {
        // toposort is depth first; keep the order of lowering among independent tasks.
        Ok(_) => stable_order(&edges),
        Err(_) => {
            faults.extend(cycles(&tasks, &edges));
            Vec::new()
        }
    };
    if faults.is_empty() { Ok(TaskGraph { tasks, edges, by_label, producers, order }) } else { Err(faults) }
}

/// The task that makes `path` or a directory around it.
pub(super) fn producer(producers: &HashMap<ProjectPath, TaskId>, path: &ProjectPath) -> Option<TaskId> {
    producers
        .get(path)
        .copied()
        .or_else(|| ancestors(path).find_map(|directory| producers.get(&directory).copied()))
}

fn ancestors(path: &ProjectPath) -> impl Iterator<Item = ProjectPath> + use<> {
    let text = path.as_str().to_owned();
    let ends: Vec<usize> = text.rmatch_indices('/').map(|(end, _)| end).collect();
    ends.into_iter().map(move |end| ProjectPath::new(&text[..end]).expect("a prefix of a path is a path"))
}

fn labels(tasks: &[Task], faults: &mut Vec<LinkFault>) -> HashMap<String, TaskId> {
    let mut by_label: HashMap<String, TaskId> = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        if let Some(first) = by_label.insert(task.label.clone(), TaskId::new(index)) {
            faults.push(LinkFault {
                message: format!("two tasks are called `{}`", task.label),
                place: task.place,
                other: Some((tasks[first.index()].place, "the first".to_owned())),
            });
        }
    }
    by_label
}

fn producers(tasks: &[Task], faults: &mut Vec<LinkFault>) -> HashMap<ProjectPath, TaskId> {
    let mut producers: HashMap<ProjectPath, TaskId> = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        for output in &task.outputs {
            if let Some(first) = producers.insert(output.clone(), TaskId::new(index)) {
                let first = &tasks[first.index()];
                faults.push(LinkFault {
                    message: format!("`{}` and `{}` both write `{output}`", first.label, task.label),
                    place: task.place,
                    other: Some((first.place, format!("`{}` is declared here", first.label))),
                });
            }
        }
    }
    producers
}

fn nested_outputs(tasks: &[Task], producers: &HashMap<ProjectPath, TaskId>, faults: &mut Vec<LinkFault>) {
    for (index, task) in tasks.iter().enumerate() {
        for output in &task.outputs {
            for outer in ancestors(output) {
                let Some(owner) = producers.get(&outer) else { continue };
                let owner_task = &tasks[owner.index()];
                faults.push(LinkFault {
                    message: format!(
                        "`{}` writes `{output}` inside `{outer}`, an output of `{}`",
                        task.label, owner_task.label
                    ),
                    place: task.place,
                    other: (owner.index() != index)
                        .then(|| (owner_task.place, format!("`{outer}` is an output here"))),
                });
            }
        }
    }
}

fn unknown_after(task: &Task, label: &str, by_label: &HashMap<String, TaskId>) -> LinkFault {
    let names = by_label.keys().flat_map(|known| [known.as_str(), known.trim_start_matches("task:")]);
    let suggestion =
        did_you_mean(label, names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    LinkFault {
        message: format!("`{}` comes after `{label}`, which is no task{suggestion}", task.label),
        place: task.place,
        other: None,
    }
}

/// Kahn's algorithm with the smallest id first.
fn stable_order(edges: &DiGraph<(), ()>) -> Vec<TaskId> {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;
    let mut waits: Vec<usize> = vec![0; edges.node_count()];
    for edge in edges.raw_edges() {
        waits[edge.target().index()] += 1;
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        waits.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(index, _)| Reverse(index)).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(TaskId::new(index));
        for next in edges.neighbors(NodeIndex::new(index)) {
            waits[next.index()] -= 1;
            if waits[next.index()] == 0 {
                ready.push(Reverse(next.index()));
            }
        }
    }
    order
}

fn cycles(tasks: &[Task], edges: &DiGraph<(), ()>) -> Vec<LinkFault> {
    let mut faults = Vec::new();
    for component in tarjan_scc(edges) {
        if component.len() < 2 {
            continue;
        }
        let mut members: Vec<usize> = component.iter().map(|node| node.index()).collect();
        members.sort_unstable();
        let names: Vec<String> = members.iter().map(|index| format!("`{}`", tasks[*index].label)).collect();
        let (first, last) = (&tasks[members[0]], &tasks[members[members.len() - 1]]);
        faults.push(LinkFault {
            message: format!("tasks wait for each other: {}", names.join(", ")),
            place: first.place,
            other: Some((last.place, format!("`{}` is part of the cycle", last.label))),
        });
    }
    faults
}

#[cfg(test)]
pub(super) mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::graph::task::{Action, Pool};

    /// `"a: in1 in2 > out1 after b"`
    pub(in crate::graph) fn task(text: &str) -> Task {
        let (label, rest) = text.split_once(':').unwrap();
        let (rest, after) = rest.split_once(" after ").unwrap_or((rest, ""));
        let (inputs, outputs) = rest.split_once('>').unwrap_or((rest, ""));
        let paths = |text: &str| text.split_whitespace().map(|p| ProjectPath::new(p).unwrap()).collect();
        Task {
            label: label.to_owned(),
            action: Action::PlanLane { cameras: Vec::new() },
            inputs: paths(inputs),
            outputs: paths(outputs),
            pool: Pool::Cpu,
            after: after.split_whitespace().map(str::to_owned).collect(),
            factories: Vec::new(),
            place: Place::default(),
        }
    }

    #[track_caller]
    fn check(tasks: &[&str], expect: Expect) {
        let text = match link(tasks.iter().map(|text| task(text)).collect()) {
            Ok(graph) => {
                let labels: Vec<&str> =
                    graph.order().iter().map(|id| graph.task(*id).label.as_str()).collect();
                labels.join(" ")
            }
            Err(faults) => faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("\n"),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn producers_come_before_consumers() {
        check(&["c: y > z", "b: x > y", "a: > x"], expect!["a b c"]);
        check(&["b: dir/file > y", "a: > dir"], expect!["a b"]);
        check(&["b: dir > y", "a: > dir/file"], expect!["a b"]);
        check(&["b: > y after a", "a: > x"], expect!["a b"]);
    }

    #[test]
    fn faults_name_both_tasks() {
        check(&["a: > x", "b: > x"], expect!["`a` and `b` both write `x`"]);
        check(&["a: > x", "b: > x/y"], expect!["`b` writes `x/y` inside `x`, an output of `a`"]);
        check(&["a: x > x"], expect!["`a` reads `x`, which it also writes"]);
        check(&["a: y > x", "b: x > y"], expect!["tasks wait for each other: `a`, `b`"]);
        check(
            &["aaaa: > x", "b: > y after aaab"],
            expect!["`b` comes after `aaab`, which is no task; did you mean `aaaa`?"],
        );
        check(&["a: > x", "a: > y"], expect!["two tasks are called `a`"]);
    }
}
