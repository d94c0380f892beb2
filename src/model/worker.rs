//! `[worker] command`: how workers are started.

use serde::{Deserialize, Serialize};

/// `[worker] command`: a program with its arguments, without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerCommand {
    /// Not empty.
    pub words: Vec<String>,
    /// Of a command that runs a container.
    pub container: Option<ContainerCommand>,
}

/// A command that runs a container: `podman run OPTION* IMAGE ARGUMENT*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerCommand {
    /// The engine's name without its folder: `podman`.
    pub engine: String,
    /// The index of the word `run`, after which options may follow.
    pub run: usize,
    /// The index of the image.
    pub image: usize,
    /// The names of the options between them, with their dashes: `--user`, `-i`.
    /// Of `-it`, both.
    pub options: Vec<String>,
    /// Whether one of them sets `no-new-privileges`.
    pub mentions_new_privileges: bool,
}

impl ContainerCommand {
    /// Whether one of these options is given.
    #[must_use]
    pub fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|option| names.contains(&option.as_str()))
    }
}
