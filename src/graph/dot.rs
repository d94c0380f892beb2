//! The graph as Graphviz text and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::{TaskGraph, TaskId};

/// Whether a task must run, as far as is known without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shade {
    /// The task need not run.
    Fresh,
    /// The task must run, or waits for one that must.
    Stale,
    /// No attempt under this label yet.
    New,
}

/// One task as JSON.
#[derive(Debug, Serialize)]
struct Node<'a> {
    label: &'a str,
    pool: String,
    state: Shade,
    inputs: &'a [crate::path::ProjectPath],
    outputs: &'a [crate::path::ProjectPath],
    dependencies: Vec<&'a str>,
}

/// Graphviz text of `selected`, edges from producer to consumer.
#[must_use]
pub fn dot(graph: &TaskGraph, selected: &BTreeSet<TaskId>, shade: &dyn Fn(TaskId) -> Shade) -> String {
    let mut text = String::from(
        "digraph lp {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", \
         fontname=\"sans-serif\", fontsize=11];\n",
    );
    for id in in_order(graph, selected) {
        let task = graph.task(id);
        let (color, word) = match shade(id) {
            Shade::Fresh => ("#d9ead3", "fresh"),
            Shade::Stale => ("#fce5cd", "stale"),
            Shade::New => ("#cfe2f3", "new"),
        };
        let label = quoted(&task.label);
        let _ = writeln!(text, "  {label} [fillcolor=\"{color}\", tooltip=\"{word}\"];");
    }
    for id in in_order(graph, selected) {
        for dependency in graph.dependencies(id).into_iter().filter(|id| selected.contains(id)) {
            let _ = writeln!(
                text,
                "  {} -> {};",
                quoted(&graph.task(dependency).label),
                quoted(&graph.task(id).label)
            );
        }
    }
    text.push_str("}\n");
    text
}

/// The same as a JSON document with a version.
///
/// # Panics
/// Never: all keys are text.
#[must_use]
pub fn json(graph: &TaskGraph, selected: &BTreeSet<TaskId>, shade: &dyn Fn(TaskId) -> Shade) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        tasks: Vec<Node<'a>>,
    }
    let tasks = in_order(graph, selected)
        .map(|id| {
            let task = graph.task(id);
            Node {
                label: &task.label,
                pool: task.pool.to_string(),
                state: shade(id),
                inputs: &task.inputs,
                outputs: &task.outputs,
                dependencies: graph
                    .dependencies(id)
                    .into_iter()
                    .map(|id| graph.task(id).label.as_str())
                    .collect(),
            }
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&Document { version: 1, tasks }).expect("all keys are text");
    text.push('\n');
    text
}

fn in_order<'a>(graph: &'a TaskGraph, selected: &'a BTreeSet<TaskId>) -> impl Iterator<Item = TaskId> + 'a {
    graph.order().iter().copied().filter(|id| selected.contains(id))
}

fn quoted(label: &str) -> String {
    format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::graph::link::{link, tests::task};

    #[test]
    fn edges_go_from_producer_to_consumer() {
        let graph = link(vec![task("a: > x"), task("b: x > \"y")]).unwrap();
        let all: BTreeSet<TaskId> = graph.order().iter().copied().collect();
        expect![[r##"
            digraph lp {
              rankdir=LR;
              node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];
              "a" [fillcolor="#d9ead3", tooltip="fresh"];
              "b" [fillcolor="#d9ead3", tooltip="fresh"];
              "a" -> "b";
            }
        "##]]
        .assert_eq(&dot(&graph, &all, &|_| Shade::Fresh));
    }
}
