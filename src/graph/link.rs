//! Tasks become a graph: edges from paths and from `after`, faults with both places.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use petgraph::graph::{DiGraph, NodeIndex};

use super::alias::Aliases;
use super::task::Task;
use super::{TaskGraph, TaskId};
use crate::diag::Place;
use crate::name::did_you_mean;
use crate::path::ProjectPath;

mod cycle;

/// Tasks that do not make a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFault {
    pub message: String,
    pub place: Place,
    /// The label at that place; may be empty.
    pub label: String,
    /// The other places, with their labels.
    pub others: Vec<(Place, String)>,
}

/// Links tasks.
///
/// # Errors
/// All faults: two tasks with one label, two producers of one path, an output
/// inside another's output, an output that its task also reads, an unknown
/// `after`, a cycle. Each with the entries that make it.
///
/// # Panics
/// Beyond four billion tasks.
pub fn link(tasks: Vec<Task>) -> Result<TaskGraph, Vec<LinkFault>> {
    link_by(tasks, Aliases::default())
}

/// As [`link`], for paths of which several may be one place.
///
/// # Errors
/// As those of [`link`].
///
/// # Panics
/// Beyond four billion tasks.
pub fn link_by(tasks: Vec<Task>, aliases: Aliases) -> Result<TaskGraph, Vec<LinkFault>> {
    let mut faults = Vec::new();
    let by_label = labels(&tasks, &mut faults);
    let producers = producers(&tasks, aliases, &mut faults);
    nested_outputs(&tasks, &producers, &mut faults);

    let mut edges: DiGraph<(), ()> = DiGraph::with_capacity(tasks.len(), tasks.len() * 2);
    for _ in &tasks {
        edges.add_node(());
    }
    // An edge may appear twice: a search for the first would take as long as a node
    // has edges, and `dependencies` and `dependents` return each neighbour once.
    let mut add = |from: TaskId, to: TaskId| {
        edges.add_edge(NodeIndex::new(from.index()), NodeIndex::new(to.index()), ());
    };
    let mut readers: HashMap<Cow<'_, str>, Vec<TaskId>> = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        let id = TaskId::new(index);
        let mut reads_itself = false;
        for input in &task.inputs {
            let name = match producers.aliases.name_of(input) {
                Cow::Borrowed(path) => Cow::Borrowed(path.as_str()),
                Cow::Owned(path) => Cow::Owned(path.into()),
            };
            readers.entry(name).or_default().push(id);
            match producers.of(input) {
                Some(from) if from == id => reads_itself = true,
                Some(from) => add(from, id),
                None => {}
            }
        }
        if reads_itself {
            faults.extend(own_outputs(task, &producers.aliases));
        }
        for (n, label) in task.after.iter().enumerate() {
            match named(&by_label, label) {
                Some(from) if from == id => faults.push(LinkFault {
                    message: format!("`{}` comes after itself", task.label),
                    place: task.after_place(n),
                    label: String::new(),
                    others: Vec::new(),
                }),
                Some(from) => add(from, id),
                None => faults.push(unknown_after(task, n, &by_label)),
            }
        }
    }
    // A task that reads a whole directory waits for the tasks that write into it.
    for (path, from) in &producers.by_path {
        for directory in path.folders() {
            for reader in readers.get(directory).into_iter().flatten() {
                if reader == from {
                    faults.extend(own_outputs(&tasks[from.index()], &producers.aliases));
                } else {
                    add(*from, *reader);
                }
            }
        }
    }
    let order = stable_order(&edges);
    if order.len() < tasks.len() {
        faults.extend(cycle::cycles(&tasks, &edges, &producers, &by_label));
    }
    // Each once, in the order of the files: some were found by looking into a map.
    faults.sort_by(|a, b| (a.place, &a.message).cmp(&(b.place, &b.message)));
    faults.dedup();
    if faults.is_empty() { Ok(TaskGraph { tasks, edges, by_label, producers, order }) } else { Err(faults) }
}

/// The producers of paths.
#[derive(Debug)]
pub(super) struct Producers {
    /// By the one name of each place.
    by_path: HashMap<ProjectPath, TaskId>,
    aliases: Aliases,
}

impl Producers {
    /// The task that makes `path` or a directory around it.
    pub(super) fn of(&self, path: &ProjectPath) -> Option<TaskId> {
        let path = self.aliases.name_of(path);
        let around = || path.folders().find_map(|folder| self.by_path.get(folder).copied());
        self.by_path.get(path.as_ref()).copied().or_else(around)
    }
}

/// The task that an `after` names.
fn named(by_label: &HashMap<String, TaskId>, name: &str) -> Option<TaskId> {
    by_label.get(name).or_else(|| by_label.get(&format!("task:{name}"))).copied()
}

fn labels(tasks: &[Task], faults: &mut Vec<LinkFault>) -> HashMap<String, TaskId> {
    let mut by_label: HashMap<String, TaskId> = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        if let Some(first) = by_label.insert(task.label.clone(), TaskId::new(index)) {
            faults.push(LinkFault {
                message: format!("two tasks are called `{}`", task.label),
                place: task.place,
                label: "the second".to_owned(),
                others: vec![(tasks[first.index()].place, "the first".to_owned())],
            });
        }
    }
    by_label
}

fn producers(tasks: &[Task], aliases: Aliases, faults: &mut Vec<LinkFault>) -> Producers {
    let mut by_path: HashMap<ProjectPath, TaskId> = HashMap::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        for (n, output) in task.outputs.iter().enumerate() {
            let name = aliases.name_of(output);
            let first = match by_path.entry(name.clone().into_owned()) {
                Entry::Vacant(free) => {
                    free.insert(TaskId::new(index));
                    continue;
                }
                Entry::Occupied(taken) => &tasks[taken.get().index()],
            };
            let mut message = if first.label == task.label {
                format!("`{}` has the output `{name}` twice", task.label)
            } else {
                format!("`{}` and `{}` both write `{name}`", first.label, task.label)
            };
            let written = place_of_output(first, &name, &aliases);
            if let Some(other) = [output, written.0].into_iter().find(|path| **path != *name) {
                message.push_str(&format!(", which `{other}` is by a link"));
            }
            faults.push(LinkFault {
                message,
                place: task.output_place(n),
                label: "again here".to_owned(),
                others: vec![(written.1, format!("`{}` writes it here", first.label))],
            });
        }
    }
    Producers { by_path, aliases }
}

fn nested_outputs(tasks: &[Task], producers: &Producers, faults: &mut Vec<LinkFault>) {
    for task in tasks {
        for (n, output) in task.outputs.iter().enumerate() {
            for outer in producers.aliases.name_of(output).folders() {
                let Some((outer, owner)) = producers.by_path.get_key_value(outer) else { continue };
                let owner = &tasks[owner.index()];
                faults.push(LinkFault {
                    message: format!(
                        "`{}` writes `{output}` inside `{outer}`, an output of `{}`",
                        task.label, owner.label
                    ),
                    place: task.output_place(n),
                    label: "inside it".to_owned(),
                    others: vec![(
                        place_of_output(owner, outer, &producers.aliases).1,
                        format!("`{outer}` is an output here"),
                    )],
                });
            }
        }
    }
}

/// How a task writes the output of this name, and where.
fn place_of_output<'t>(task: &'t Task, name: &'t ProjectPath, aliases: &Aliases) -> (&'t ProjectPath, Place) {
    let n = task.outputs.iter().position(|output| *aliases.name_of(output) == *name);
    n.map_or((name, task.place), |n| (&task.outputs[n], task.output_place(n)))
}

/// Paths that a task both reads and writes.
fn own_outputs(task: &Task, aliases: &Aliases) -> impl Iterator<Item = LinkFault> {
    let pairs = task.inputs.iter().enumerate().flat_map(move |(n_in, input)| {
        task.outputs.iter().enumerate().map(move |(n_out, output)| (n_in, input, n_out, output))
    });
    pairs.filter_map(move |(n_in, input, n_out, output)| {
        let (read, written) = (aliases.name_of(input), aliases.name_of(output));
        let what = if read == written {
            format!("reads `{input}`, which it also writes")
        } else if written.is_within(&read) {
            format!("reads `{input}` and writes `{output}` inside it")
        } else if read.is_within(&written) {
            format!("reads `{input}` inside `{output}`, which it also writes")
        } else {
            return None;
        };
        Some(LinkFault {
            message: format!("`{}` {what}", task.label),
            place: task.input_place(n_in),
            label: "read here".to_owned(),
            others: vec![(task.output_place(n_out), "written here".to_owned())],
        })
    })
}

fn unknown_after(task: &Task, n: usize, by_label: &HashMap<String, TaskId>) -> LinkFault {
    let label = task.after[n].as_str();
    let names = by_label.keys().flat_map(|known| [known.as_str(), known.trim_start_matches("task:")]);
    let suggestion =
        did_you_mean(label, names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    LinkFault {
        message: format!("`{}` comes after `{label}`, which is not a task{suggestion}", task.label),
        place: task.after_place(n),
        label: String::new(),
        others: Vec::new(),
    }
}

/// Kahn's algorithm with the smallest id first, which keeps the order of lowering
/// among independent tasks. Tasks in a cycle and after one are left out.
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

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::graph::task::{Action, Pool};

    /// `"a: in1 in2 > out1 after b"`
    pub(crate) fn task(text: &str) -> Task {
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
            entries: Box::default(),
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
        check(&["a: d > d/x"], expect!["`a` reads `d` and writes `d/x` inside it"]);
        check(&["a: d/x > d"], expect!["`a` reads `d/x` inside `d`, which it also writes"]);
        check(&["a: > x x"], expect!["`a` has the output `x` twice"]);
        check(&["a: > x after a"], expect!["`a` comes after itself"]);
        check(
            &["aaaa: > x", "b: > y after aaab"],
            expect!["`b` comes after `aaab`, which is not a task; did you mean `aaaa`?"],
        );
        check(&["a: > x", "a: > y"], expect!["two tasks are called `a`"]);
    }

    #[test]
    fn a_cycle_gives_the_reason_of_each_step() {
        check(
            &["a: y > x", "b: x > y"],
            expect!["tasks wait for each other: `a` -> `b` (reads `x`) -> `a` (reads `y`)"],
        );
        check(
            &["a: > x after b", "b: x > y"],
            expect!["tasks wait for each other: `a` -> `b` (reads `x`) -> `a` (after)"],
        );
        check(
            &["c: > c after b", "a: c d > x", "b: x > d/y"],
            expect!["tasks wait for each other: `a` -> `b` (reads `x`) -> `a` (reads `d`)"],
        );
        let ring: Vec<String> = (0..20).map(|n| format!("t{n}: p{n} > p{}", (n + 1) % 20)).collect();
        check(
            &ring.iter().map(String::as_str).collect::<Vec<_>>(),
            expect![
                "tasks wait for each other: `t0` -> `t1` (reads `p1`) -> `t2` (reads `p2`) -> `t3` (reads `p3`) -> `t4` (reads `p4`) -> `t5` (reads `p5`) -> 14 more -> `t0` (reads `p0`)"
            ],
        );
    }
}
