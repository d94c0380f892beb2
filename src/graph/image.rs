//! A selection of tasks as a file, so that a build with little to do need not
//! make them again from the config files.
//!
//! ```text
//! image = "lp-graph" 2, length of the index (u64), checksum of the index (32), index, record*
//! index = basis (bytes), widest label (u32), texts of paths (list), paths of each task (lists of u32),
//!         dependencies of each task (lists of u32), identity of each task (u128 * n),
//!         end of each record (u64 * n)
//! ```
//! The index is read whole: it has the files of every task and the dependencies, in
//! flat arrays. A record, one task as JSON after 8 bytes of checksum, is read only
//! when its task may have to run. An *identity* ([`identity`]) is that of the record
//! with its paths: it finds a task of this image among those that were made again
//! from changed config files. `basis` is the writer's: everything that the tasks
//! depend on, so that a reader can check whether they still hold.
//!
//! A second file has the glances at the files of fresh tasks ([`FreshGlances`]); it
//! is a file of its own because it changes with every build.
//!
//! Ids in an image are dense, in the order of the graph. Neither file
//! is needed: a reader ignores one that is missing, damaged or of another version.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::task::{Action, Pool, Task};
use super::{TaskGraph, TaskId};
use crate::diag::Place;
use crate::os::fs::{self, File};
use crate::packed::{CHECKSUM, Reader, put_bytes, put_long, put_short, put_shorts, sealed, unsealed};
use crate::path::ProjectPath;

const MAGIC: [u8; 8] = *b"lp-grap\x02";
const SEEN_MAGIC: [u8; 8] = *b"lp-seen\x01";
const HEADER: usize = 8 + 8 + CHECKSUM;
/// The checksum of a record.
const SUM: usize = 8;
/// No index is larger; a length above is damage.
const MAX_INDEX: u64 = 4 << 30;

/// An image that was opened.
#[derive(Debug)]
pub struct Image {
    file: File,
    /// Of the index; identifies the image.
    id: [u8; CHECKSUM],
    /// The writer's text of everything that the tasks depend on.
    pub basis: Vec<u8>,
    /// Characters of the longest label.
    pub widest: usize,
    paths: Lists<u8>,
    task_paths: Lists<u32>,
    dependencies: Lists<u32>,
    pub identities: Vec<u128>,
    record_ends: Vec<u64>,
    /// Where the records begin.
    records: u64,
}

/// Many lists in one array.
#[derive(Debug, Default)]
struct Lists<T> {
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Lists<T> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> &[T] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.items[begin..self.ends[at] as usize]
    }

    fn push(&mut self, items: impl IntoIterator<Item = T>) {
        self.items.extend(items);
        self.ends.push(u32::try_from(self.items.len()).expect("an index has fewer than four billion items"));
    }

    /// Whether every list lies within the array.
    fn is_sound(&self) -> bool {
        self.ends.is_sorted() && self.ends.last().is_none_or(|end| *end as usize == self.items.len())
    }
}

/// A task as JSON. Its paths are in the index.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    label: Cow<'a, str>,
    action: Cow<'a, Action>,
    n_inputs: usize,
    pool: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_empty")]
    after: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_empty")]
    factories: Cow<'a, [String]>,
    /// Of a command; not part of the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Duration>,
    #[serde(default)]
    retries: u32,
}

/// The bytes of an image of `selected`, which is closed under dependencies.
#[must_use]
pub fn encode(graph: &TaskGraph, selected: &BTreeSet<TaskId>, basis: &[u8]) -> Vec<u8> {
    let ids: Vec<TaskId> = graph.order().iter().copied().filter(|id| selected.contains(id)).collect();
    let mut place = vec![u32::MAX; graph.tasks().len()];
    for (at, id) in ids.iter().enumerate() {
        place[id.index()] = u32::try_from(at).expect("a graph has fewer than four billion tasks");
    }
    let tasks = || ids.iter().map(|id| graph.task(*id));
    let mut known: std::collections::HashMap<&ProjectPath, u32> = std::collections::HashMap::new();
    let (mut paths, mut task_paths, mut dependencies) =
        (Lists::<u8>::default(), Lists::<u32>::default(), Lists::<u32>::default());
    for (id, task) in ids.iter().zip(tasks()) {
        let of_task: Vec<u32> = task
            .paths()
            .map(|path| {
                *known.entry(path).or_insert_with(|| {
                    paths.push(path.as_str().bytes());
                    u32::try_from(paths.len() - 1).expect("an index has fewer than four billion paths")
                })
            })
            .collect();
        task_paths.push(of_task);
        dependencies.push(graph.dependencies(*id).into_iter().map(|id| place[id.index()]));
    }
    let records: Vec<Vec<u8>> = ids.par_iter().map(|id| record(graph.task(*id))).collect();
    let identified = ids.par_iter().zip(&records);
    let identities: Vec<u128> =
        identified.map(|(id, record)| identity_with(graph.task(*id), &record[SUM..])).collect();
    let widest = tasks().map(|task| task.label.chars().count()).max().unwrap_or(0);

    let mut index = Vec::new();
    put_bytes(&mut index, basis);
    put_short(&mut index, widest);
    put_shorts(&mut index, &paths.ends);
    put_bytes(&mut index, &paths.items);
    for lists in [&task_paths, &dependencies] {
        put_shorts(&mut index, &lists.ends);
        put_shorts(&mut index, &lists.items);
    }
    for identity in identities {
        index.extend_from_slice(&identity.to_le_bytes());
    }
    let mut end = 0;
    for record in &records {
        end += record.len() as u64;
        put_long(&mut index, end);
    }
    let mut image = Vec::with_capacity(HEADER + index.len() + records.iter().map(Vec::len).sum::<usize>());
    image.extend_from_slice(&MAGIC);
    put_long(&mut image, index.len() as u64);
    image.extend_from_slice(blake3::hash(&index).as_bytes());
    image.append(&mut index);
    records.iter().for_each(|record| image.extend_from_slice(record));
    image
}

/// A digest that differs for every task, and for a task before and after an edit:
/// it covers everything that decides whether the task is fresh, and more.
#[must_use]
pub fn identity(task: &Task) -> u128 {
    identity_with(task, &record(task)[SUM..])
}

fn identity_with(task: &Task, json: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for text in std::iter::once(json).chain(task.paths().map(|path| path.as_str().as_bytes())) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    u128::from_le_bytes(*hasher.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

/// A task as JSON after its checksum.
fn record(task: &Task) -> Vec<u8> {
    let (timeout, retries) = match &task.action {
        Action::Command(command) => (command.timeout, command.retries),
        _ => (None, 0),
    };
    let record = Record {
        label: Cow::Borrowed(&task.label),
        action: Cow::Borrowed(&task.action),
        n_inputs: task.inputs.len(),
        pool: Cow::Owned(task.pool.to_string()),
        after: Cow::Borrowed(&task.after),
        factories: Cow::Borrowed(&task.factories),
        timeout,
        retries,
    };
    let mut bytes = vec![0; SUM];
    serde_json::to_writer(&mut bytes, &record).expect("tasks have text keys");
    let sum = blake3::hash(&bytes[SUM..]);
    bytes[..SUM].copy_from_slice(&sum.as_bytes()[..SUM]);
    bytes
}

fn is_empty(list: &[String]) -> bool {
    list.is_empty()
}

impl Image {
    /// Opens an image and reads its index. `None` if there is none that can be used.
    #[must_use]
    pub fn open(path: &Path) -> Option<Image> {
        let file = File::open(path).ok()?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let mut rest = Reader(header.strip_prefix(&MAGIC)?);
        let length = rest.long()?;
        let id: [u8; CHECKSUM] = rest.0.try_into().ok()?;
        let on_disk = file.metadata().ok()?.len();
        if length > MAX_INDEX.min(on_disk) {
            return None;
        }
        let mut index = vec![0; usize::try_from(length).ok()?];
        file.read_exact_at(&mut index, HEADER as u64).ok()?;
        if *blake3::hash(&index).as_bytes() != id {
            return None;
        }
        let mut rest = Reader(&index);
        let basis = rest.bytes()?.to_vec();
        let widest = rest.short()?;
        let paths = Lists { ends: rest.shorts()?, items: rest.bytes()?.to_vec() };
        let task_paths = Lists { ends: rest.shorts()?, items: rest.shorts()? };
        let dependencies = Lists { ends: rest.shorts()?, items: rest.shorts()? };
        let n = task_paths.len();
        let identities = rest.take(n.checked_mul(16)?)?.chunks_exact(16);
        let identities: Vec<u128> =
            identities.map(|word| u128::from_le_bytes(word.try_into().expect("16 bytes"))).collect();
        let record_ends: Vec<u64> = rest
            .0
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
            .collect();
        let ids_fit = task_paths.items.iter().all(|id| (*id as usize) < paths.len())
            && dependencies.items.iter().all(|id| (*id as usize) < n);
        let sound = paths.is_sound() && task_paths.is_sound() && dependencies.is_sound() && ids_fit;
        if !sound || record_ends.len() != n || dependencies.len() != n {
            return None;
        }
        let records = HEADER as u64 + length;
        Some(Image {
            file,
            id,
            basis,
            widest,
            paths,
            task_paths,
            dependencies,
            identities,
            record_ends,
            records,
        })
    }

    /// How many tasks there are.
    #[must_use]
    pub fn n_tasks(&self) -> usize {
        self.record_ends.len()
    }

    /// How many paths these have.
    #[must_use]
    pub fn n_paths(&self) -> usize {
        self.paths.len()
    }

    /// A path by its number.
    #[must_use]
    pub fn path(&self, at: usize) -> Option<ProjectPath> {
        ProjectPath::new(std::str::from_utf8(self.paths.get(at)).ok()?).ok()
    }

    /// The numbers of a task's paths: inputs, then outputs.
    #[must_use]
    pub fn paths_of(&self, task: usize) -> &[u32] {
        self.task_paths.get(task)
    }

    /// `tasks` and all that wait for them, in order.
    #[must_use]
    pub fn with_dependents(&self, tasks: &[usize]) -> Vec<usize> {
        let mut in_cone = vec![false; self.n_tasks()];
        for task in tasks {
            in_cone[*task] = true;
        }
        // A task comes after its dependencies.
        for task in 0..in_cone.len() {
            let waits = || self.dependencies.get(task).iter().any(|id| in_cone[*id as usize]);
            in_cone[task] = in_cone[task] || waits();
        }
        (0..in_cone.len()).filter(|task| in_cone[*task]).collect()
    }

    /// Reads tasks. Their places are gone, and `after` names only tasks among
    /// them.
    ///
    /// # Errors
    /// When a record cannot be read or is damaged.
    pub fn tasks(&self, tasks: &[usize]) -> io::Result<Vec<Task>> {
        let mut read: Vec<Task> = tasks.iter().map(|task| self.task(*task)).collect::<io::Result<_>>()?;
        let labels: BTreeSet<String> = read.iter().map(|task| task.label.clone()).collect();
        for task in &mut read {
            task.after.retain(|label| labels.contains(label) || labels.contains(&format!("task:{label}")));
        }
        Ok(read)
    }

    fn task(&self, at: usize) -> io::Result<Task> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let begin = if at == 0 { 0 } else { self.record_ends[at - 1] };
        let length = self.record_ends[at].checked_sub(begin).ok_or_else(damaged)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged())?];
        self.file.read_exact_at(&mut bytes, self.records + begin)?;
        let (sum, json) = bytes.split_at_checked(SUM).ok_or_else(damaged)?;
        if *sum != blake3::hash(json).as_bytes()[..SUM] {
            return Err(damaged());
        }
        let record: Record<'_> = serde_json::from_slice(json)?;
        let mut action = record.action.into_owned();
        if let Action::Command(command) = &mut action {
            command.timeout = record.timeout;
            command.retries = record.retries;
        }
        let paths = self.paths_of(at).iter().map(|path| self.path(*path as usize));
        let mut inputs: Vec<ProjectPath> = paths.collect::<Option<_>>().ok_or_else(damaged)?;
        let outputs = inputs.split_off(record.n_inputs.min(inputs.len()));
        Ok(Task {
            label: record.label.into_owned(),
            action,
            inputs,
            outputs,
            pool: Pool::named(&record.pool),
            after: record.after.into_owned(),
            factories: record.factories.into_owned(),
            place: Place::default(),
            entries: Box::default(),
        })
    }
}

/// The glance at the files of each task of an image when it was fresh.
#[derive(Debug, PartialEq, Eq)]
pub struct FreshGlances {
    image: [u8; CHECKSUM],
    /// The log that has the results of the fresh tasks: its inode, and its length in
    /// bytes. It may have grown since, but not shrunk or been replaced.
    pub log: (u64, u64),
    /// Of each task; `None` if nothing is known.
    pub prints: Vec<Option<u128>>,
}

impl FreshGlances {
    /// Nothing of any task.
    #[must_use]
    pub fn nothing(image: &Image) -> FreshGlances {
        FreshGlances { image: image.id, log: (0, 0), prints: vec![None; image.n_tasks()] }
    }

    /// Reads the glances of the tasks of `image`; none if they are not known.
    #[must_use]
    pub fn read(path: &Path, image: &Image) -> FreshGlances {
        let limit = (SEEN_MAGIC.len() + 2 * CHECKSUM + 16 + 16 * image.n_tasks()) as u64;
        let bytes = fs::read_bounded(path, limit).unwrap_or_default();
        FreshGlances::parse(&bytes, image).unwrap_or_else(|| FreshGlances::nothing(image))
    }

    fn parse(bytes: &[u8], image: &Image) -> Option<FreshGlances> {
        let rest = unsealed(bytes)?.strip_prefix(&SEEN_MAGIC)?.strip_prefix(&image.id)?;
        let mut rest = Reader(rest);
        let log = (rest.long()?, rest.long()?);
        let rest = rest.0;
        if rest.len() != 16 * image.n_tasks() {
            return None;
        }
        let prints = rest.chunks_exact(16).map(|word| {
            Some(u128::from_le_bytes(word.try_into().expect("16 bytes"))).filter(|print| *print != 0)
        });
        Some(FreshGlances { image: image.id, log, prints: prints.collect() })
    }

    /// The bytes of its file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = SEEN_MAGIC.to_vec();
        bytes.extend_from_slice(&self.image);
        put_long(&mut bytes, self.log.0);
        put_long(&mut bytes, self.log.1);
        for print in &self.prints {
            bytes.extend_from_slice(&print.unwrap_or(0).to_le_bytes());
        }
        sealed(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::graph::link::{link, tests::task};
    use crate::graph::task::Command;
    use crate::graph::task::VariableValue;

    fn graph() -> TaskGraph {
        let mut tasks: Vec<Task> =
            ["c: y dir/z > w after a", "a: > x", "b: x > y dir/z", "d: > v"].into_iter().map(task).collect();
        tasks[3].action = Action::Command(Command {
            command: vec!["true".to_owned()],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            pass: BTreeMap::new(),
            cache: true,
            timeout: Some(Duration::from_millis(1500)),
            retries: 3,
        });
        tasks[3].pool = Pool::User("gpu".to_owned());
        link(tasks).unwrap()
    }

    fn written(folder: &Path) -> (TaskGraph, std::path::PathBuf) {
        let graph = graph();
        let all = graph.order().iter().copied().collect();
        let path = folder.join("image");
        std::fs::write(&path, encode(&graph, &all, b"basis")).unwrap();
        (graph, path)
    }

    #[test]
    fn tasks_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let (graph, path) = written(folder.path());
        let image = Image::open(&path).unwrap();
        assert_eq!((image.basis.as_slice(), image.widest), (b"basis".as_slice(), 1));
        let expected: Vec<&Task> = graph.order().iter().map(|id| graph.task(*id)).collect();
        let read = image.tasks(&[0, 1, 2, 3]).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        assert_eq!(image.identities, read.iter().map(identity).collect::<Vec<_>>());
    }

    #[test]
    fn every_edit_makes_another_identity() {
        let task = || graph().tasks().iter().find(|task| task.label == "d").unwrap().clone();
        let edited = |edit: &dyn Fn(&mut Task)| {
            let mut task = task();
            edit(&mut task);
            identity(&task)
        };
        let command = |edit: &dyn Fn(&mut Command)| {
            edited(&|task| {
                let Action::Command(command) = &mut task.action else { panic!("it is a command") };
                edit(command);
            })
        };
        let path = |text: &str| ProjectPath::new(text).unwrap();
        let all = [
            identity(&task()),
            edited(&|task| task.label.push('x')),
            edited(&|task| task.inputs.push(path("x"))),
            edited(&|task| task.inputs.push(path("v"))),
            edited(&|task| task.outputs.push(path("x"))),
            edited(&|task| task.outputs = vec![path("vx")]),
            edited(&|task| task.outputs.clear()),
            edited(&|task| std::mem::swap(&mut task.inputs, &mut task.outputs)),
            command(&|command| command.command.push(String::new())),
            command(&|command| command.env.clear()),
            command(&|command| drop(command.pass.insert("A".to_owned(), None))),
            command(&|command| drop(command.pass.insert("A".to_owned(), Some(VariableValue("".into()))))),
            command(&|command| command.cache = false),
        ];
        assert_eq!(BTreeSet::from(all).len(), all.len());
        let mut moved = task();
        moved.place = Place::new(crate::diag::Sources::new().add("x", ""), 3..4);
        assert_eq!(identity(&moved), all[0], "where it is written does not matter");
    }

    #[test]
    fn selected_tasks_wait_only_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (_, path) = written(folder.path());
        let image = Image::open(&path).unwrap();
        let labels = |tasks: &[usize]| -> Vec<String> {
            image.tasks(tasks).unwrap().into_iter().map(|task| task.label).collect()
        };
        let position = |label: &str| (0..4).find(|at| labels(&[*at]) == [label]).unwrap();
        assert_eq!(labels(&image.with_dependents(&[position("b")])), ["b", "c"]);
        assert_eq!(labels(&image.with_dependents(&[position("d")])), ["d"]);
        assert!(image.tasks(&[position("c")]).unwrap()[0].after.is_empty());
    }

    #[test]
    fn a_damaged_image_is_ignored_and_a_damaged_record_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (_, path) = written(folder.path());
        let bytes = std::fs::read(&path).unwrap();
        let n = Image::open(&path).unwrap().n_tasks();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let whole =
                Image::open(&path).is_some_and(|image| image.tasks(&(0..n).collect::<Vec<_>>()).is_ok());
            assert!(!whole, "byte {at}");
            std::fs::write(&path, &bytes[..at]).unwrap();
            let whole =
                Image::open(&path).is_some_and(|image| image.tasks(&(0..n).collect::<Vec<_>>()).is_ok());
            assert!(!whole, "{at} bytes");
        }
    }

    #[test]
    fn glances_belong_to_one_image() {
        let folder = tempfile::tempdir().unwrap();
        let (graph, path) = written(folder.path());
        let image = Image::open(&path).unwrap();
        let mut seen = FreshGlances::nothing(&image);
        seen.log = (3, 4);
        seen.prints[2] = Some(7);
        let file = folder.path().join("seen");
        std::fs::write(&file, seen.bytes()).unwrap();
        assert_eq!(FreshGlances::read(&file, &image), seen);
        let all = graph.order().iter().copied().collect();
        std::fs::write(&path, encode(&graph, &all, b"another")).unwrap();
        let another = Image::open(&path).unwrap();
        assert_eq!(FreshGlances::read(&file, &another), FreshGlances::nothing(&another));
        let mut damaged = seen.bytes();
        damaged[50] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(FreshGlances::read(&file, &image), FreshGlances::nothing(&image));
    }
}
