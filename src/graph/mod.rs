//! Tasks and the edges between them.
//!
//! [`lower`](lower::lower) makes tasks of a project, [`link`](link::link) makes
//! a [`TaskGraph`] of tasks: edges come from paths (an output that is an input)
//! and from `after`. [`select`] finds what a target needs.
//!
//! petgraph holds indices only; a [`TaskId`] is a dense index into
//! [`TaskGraph::tasks`].
//!
//! Not here: whether a task must run (`store`) and running it (`engine`).

pub mod alias;
mod by_file;
pub mod dot;
pub mod factories;
pub mod image;
pub mod link;
pub mod lower;
pub mod select;
pub mod task;
pub mod walk;

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use task::Task;

use crate::path::ProjectPath;

/// A task's index in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u32);

impl TaskId {
    /// As an index into [`TaskGraph::tasks`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The id of the task at `index`.
    ///
    /// # Panics
    /// Beyond four billion tasks.
    #[must_use]
    pub fn new(index: usize) -> TaskId {
        TaskId(u32::try_from(index).expect("a graph has fewer than four billion tasks"))
    }
}

/// Linked tasks: acyclic, with one producer per path.
#[derive(Debug)]
pub struct TaskGraph {
    tasks: Vec<Task>,
    edges: DiGraph<(), ()>,
    by_label: HashMap<String, TaskId>,
    producers: link::Producers,
    order: Vec<TaskId>,
}

impl TaskGraph {
    /// All tasks, by id.
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    #[must_use]
    pub fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id.index()]
    }

    /// All ids, producers before consumers; otherwise as they were lowered.
    #[must_use]
    pub fn order(&self) -> &[TaskId] {
        &self.order
    }

    /// The task with this label.
    #[must_use]
    pub fn by_label(&self, label: &str) -> Option<TaskId> {
        self.by_label.get(label).copied()
    }

    /// The task that makes `path`, or a directory around it.
    #[must_use]
    pub fn producer(&self, path: &ProjectPath) -> Option<TaskId> {
        self.producers.of(path)
    }

    /// The tasks that must be over before `id`, each once, sorted.
    #[must_use]
    pub fn dependencies(&self, id: TaskId) -> Vec<TaskId> {
        self.neighbors(id, Direction::Incoming)
    }

    /// The tasks that wait for `id`, each once, sorted.
    #[must_use]
    pub fn dependents(&self, id: TaskId) -> Vec<TaskId> {
        self.neighbors(id, Direction::Outgoing)
    }

    fn neighbors(&self, id: TaskId, direction: Direction) -> Vec<TaskId> {
        let node = NodeIndex::new(id.index());
        let mut ids: Vec<TaskId> =
            self.edges.neighbors_directed(node, direction).map(|node| TaskId::new(node.index())).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
