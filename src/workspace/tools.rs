//! The worker, and the elements of its machine.
//!
//! A worker's report about its machine is cached in the store under a *stamp*: the
//! identities of `lp-worker`, of GStreamer's library and plugin folders, and the
//! values of `GST_*`; of a worker in a container its command and the id of its image.
//! While the stamp stays the same, no worker is started to ask again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::collect::host;
use crate::graph::factories::{missing_h264_encoder, must_have};
use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId};
use crate::model::WorkerCommand;
use crate::os;
use crate::pipeline::machine::{Factory, Machine};
use crate::record::Host;
use crate::store::{Store, state};
use crate::text::redacted_words;
use crate::worker::client::Worker;
use crate::worker::error::WorkerError;
use crate::worker::launch::{Launch, Reach};

/// The facts of a host that only its worker knows.
pub(crate) const OF_WORKER: [&str; 3] = ["gstreamer", "worker", "worker image"];

/// The worker and its machine.
pub(crate) struct Tools {
    /// The command that starts workers; `Err` is the reason why there is none.
    pub(crate) worker: Result<Launch, WorkerError>,
    /// Its plugins, of all requested factories; `None` without a worker.
    pub(crate) machine: Option<Machine>,
    /// The digests of the files of plugins, by their names; none in a container, whose image has them.
    pub(crate) plugin_files: BTreeMap<String, String>,
    /// The host's fingerprint, with notes about unknown facts.
    pub(crate) host: Host,
    /// The stamp of the cached machine; `None` without a worker.
    pub(crate) stamp: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CachedMachine {
    stamp: String,
    machine: Machine,
}

/// The worker that a project or the environment names.
pub(crate) fn find(command: Option<&WorkerCommand>, root: &Path) -> Result<Launch, WorkerError> {
    Launch::find(os::env::raw("LP_WORKER").as_deref(), command, root)
}

/// Finds the worker and the plugins of its machine for the tasks of `selected`. If
/// they are not cached, asks the worker for all of the graph's factories at once, so
/// that the next command need not ask again.
pub(crate) fn look(
    store: &Store,
    worker: Result<Launch, WorkerError>,
    graph: &TaskGraph,
    selected: &BTreeSet<TaskId>,
) -> Tools {
    let of = |task: &Task| task.factories.clone();
    let needed = selected.iter().flat_map(|id| of(graph.task(*id))).collect();
    let all = graph.tasks().iter().flat_map(of).collect();
    look_for(store, worker, &needed, &all)
}

/// Finds the plugins of the worker's machine for the factories `needed`. If they are
/// not cached, asks the worker for `all` of these. A worker that fails to answer
/// counts as missing: tasks that need no worker go on.
pub(crate) fn look_for(
    store: &Store,
    worker: Result<Launch, WorkerError>,
    needed: &BTreeSet<String>,
    all: &BTreeSet<String>,
) -> Tools {
    let mut host = Host { facts: host::facts().facts };
    let launch = match worker {
        Ok(launch) if !needed.is_empty() => launch,
        worker => return Tools { worker, machine: None, plugin_files: BTreeMap::new(), host, stamp: None },
    };
    let (stamp, image) = match stamp(&launch) {
        Ok(stamp) => stamp,
        Err(error) => {
            return Tools {
                worker: Err(error),
                machine: None,
                plugin_files: BTreeMap::new(),
                host,
                stamp: None,
            };
        }
    };
    let cached: Option<CachedMachine> = store.machine().and_then(|text| serde_json::from_str(&text).ok());
    let known = cached.filter(|cached| cached.stamp == stamp).map(|cached| cached.machine);
    let machine = match known {
        Some(machine) if needed.iter().all(|name| machine.factories.contains_key(name)) => machine,
        known => {
            let mut wanted: BTreeSet<String> = needed.union(all).cloned().collect();
            wanted.extend(known.into_iter().flat_map(|machine| machine.factories.into_keys()));
            let machine = match ask(&launch, &wanted) {
                Ok(machine) => machine,
                Err(error) => {
                    return Tools {
                        worker: Err(error),
                        machine: None,
                        plugin_files: BTreeMap::new(),
                        host,
                        stamp: None,
                    };
                }
            };
            let cached = CachedMachine { stamp: stamp.clone(), machine };
            store.set_machine(&serde_json::to_string(&cached).expect("all keys are text"));
            cached.machine
        }
    };
    host.facts.insert("gstreamer".to_owned(), machine.gstreamer.clone());
    // The command has the limits of a container, or variables and folders of another worker.
    let first = usize::from(image.is_some());
    if image.is_some() || launch.is_named() {
        let words: Vec<_> = launch.words()[first..].iter().map(|word| word.to_string_lossy()).collect();
        let words = redacted_words(words.iter().map(AsRef::as_ref));
        host.facts.insert("worker".to_owned(), words.join(" "));
    }
    if let Some(image) = image {
        // As engines print them.
        host.facts.insert("worker image".to_owned(), image.chars().take(12).collect());
    }
    let plugin_files = if launch.image().is_some() {
        BTreeMap::new()
    } else {
        plugin_files(store, needed.iter().filter_map(|name| machine.factories.get(name)?.as_ref()))
    };
    Tools { worker: Ok(launch), machine: Some(machine), plugin_files, host, stamp: Some(stamp) }
}

fn ask(launch: &Launch, factories: &BTreeSet<String>) -> Result<Machine, WorkerError> {
    let mut worker = Worker::ask_one(launch, &Reach::default())?;
    let machine = worker.inspect(&factories.iter().cloned().collect::<Vec<_>>())?;
    worker.finish();
    Ok(machine)
}

/// The digests of the files of these plugins. Only a file that is new, or was written again, is read.
fn plugin_files<'m>(store: &Store, factories: impl Iterator<Item = &'m Factory>) -> BTreeMap<String, String> {
    let files: BTreeMap<&str, &str> =
        factories.filter_map(|factory| Some((factory.plugin.as_str(), factory.file.as_deref()?))).collect();
    let digest = |(plugin, file): (&str, &str)| {
        let digest = store.digest_of(Path::new(file)).ok()?;
        Some((plugin.to_owned(), digest.short()))
    };
    files.into_iter().filter_map(digest).collect()
}

/// The stamp of the tools that would be used now; `None` without a worker.
pub(crate) fn stamp_now(command: Option<&WorkerCommand>, root: &Path) -> Option<String> {
    let launch = find(command, root).ok()?;
    stamp(&launch).ok().map(|(stamp, _)| stamp)
}

/// Changes when the worker, GStreamer or one of its plugins is replaced, or the
/// image that has them. Also the id of that image.
fn stamp(launch: &Launch) -> Result<(String, Option<String>), WorkerError> {
    let mut values: Vec<(String, String)> = os::env::all_raw()
        .into_iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GST_"))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    // Descriptions of before did not have the files of plugins.
    values.push(("description".to_owned(), "2".to_owned()));
    let mut paths = vec![launch.program().to_path_buf()];
    let image = launch.image_id()?;
    if let Some(image) = &image {
        values.push(("image".to_owned(), image.clone()));
    } else {
        for library in ["/usr/lib", "/usr/lib64", "/usr/local/lib"] {
            let folders = os::fs::list_names(library.as_ref()).unwrap_or_default();
            let multiarch = folders.iter().filter(|name| name.contains("-linux-"));
            for folder in multiarch.map(|name| format!("{library}/{name}")).chain([library.to_owned()]) {
                paths.push(format!("{folder}/libgstreamer-1.0.so.0").into());
                paths.push(format!("{folder}/gstreamer-1.0").into());
            }
        }
        let in_variables = values.iter().filter(|(name, _)| name.contains("PLUGIN") && name.contains("PATH"));
        paths.extend(in_variables.flat_map(|(_, value)| value.split(':').map(PathBuf::from)));
    }
    paths.sort();
    let words = launch.words().iter().skip(1);
    values.extend(words.map(|word| ("worker".to_owned(), word.to_string_lossy().into_owned())));
    Ok((state::stamp(&paths, &values).to_hex(), image))
}

impl Tools {
    /// The command with which actions start workers, or the reason why there is none.
    pub(crate) fn launch(&self) -> Result<Launch, String> {
        self.worker.as_ref().map(Launch::clone).map_err(ToString::to_string)
    }

    /// The factories that a task needs and that are not installed.
    pub(crate) fn missing<'t>(&self, task: &'t Task) -> Vec<&'t str> {
        let Some(machine) = &self.machine else { return Vec::new() };
        let encoder = missing_h264_encoder(task, |name| machine.has(name));
        must_have(task).into_iter().filter(|name| !machine.has(name)).chain(encoder).collect()
    }
}
