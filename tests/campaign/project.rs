//! Projects that nobody wrote: random graphs of `[[task]]`s whose outputs are a
//! function of their inputs, and random changes to them.
//!
//! The model is the truth: [`Project::write`] makes the same project anywhere,
//! so a clean build of it can be made beside one that has suffered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::random::Random;
use crate::tree;

/// A project as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// By path.
    sources: BTreeMap<String, Source>,
    /// Earlier states, for changes that are taken back.
    earlier: Vec<(BTreeMap<String, Source>, Vec<Task>)>,
    pub(crate) tasks: Vec<Task>,
    /// The value of the variable `P`, which tasks take from the caller.
    pub(crate) passed: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Source {
    bytes: Vec<u8>,
    executable: bool,
}

/// A `[[task]]`.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: String,
    inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    after: Vec<usize>,
    pool: &'static str,
    pub(crate) cache: bool,
    /// Whether it leaves garbage and fails.
    fails: bool,
    /// Makes the command another one.
    salt: usize,
    /// The value of its variable `V`.
    variable: usize,
    /// How often it reads its inputs.
    n_loops: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Input {
    path: String,
    is_folder: bool,
    maker: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) path: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Small,
    /// From 1 MiB up, so it becomes a hard link.
    Large,
    Executable,
    LargeExecutable,
    Empty,
    Folder,
    /// To the first output of the task.
    Link,
    /// To a name that is a digest and that nobody has.
    Dangling,
}

/// What a project's build comes to when nothing else is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Tasks that are done each time.
    pub(crate) always: BTreeSet<String>,
    pub(crate) failed: BTreeSet<String>,
    pub(crate) skipped: BTreeSet<String>,
    pub(crate) n_tasks: usize,
}

impl Project {
    /// A project of so many tasks.
    pub(crate) fn generate(random: &mut Random, n_tasks: usize) -> Project {
        let mut sources = BTreeMap::new();
        for n in 0..random.between(2, 4) {
            sources.insert(format!("src/{n}.txt"), source(random));
        }
        for n in 0..random.between(1, 3) {
            sources.insert(format!("src/d/{n}.txt"), source(random));
        }
        let mut project = Project { sources, earlier: Vec::new(), tasks: Vec::new(), passed: 1 };
        let is_failing = random.percent(25);
        for at in 0..n_tasks {
            let task = project.task(random, at);
            project.tasks.push(task);
        }
        if is_failing {
            let at = random.below(n_tasks);
            project.tasks[at].fails = true;
        }
        project
    }

    fn task(&self, random: &mut Random, at: usize) -> Task {
        let kinds = [
            Kind::Small,
            Kind::Small,
            Kind::Small,
            Kind::Large,
            Kind::Executable,
            Kind::Folder,
            Kind::Folder,
            Kind::Empty,
            Kind::Dangling,
            Kind::LargeExecutable,
        ];
        let folder = if random.percent(50) { format!("out/{at}/") } else { format!("out/{at}.") };
        let mut outputs = Vec::new();
        for n in 0..random.between(1, 3) {
            outputs.push(Output { path: format!("{folder}o{n}"), kind: *random.pick(&kinds) });
        }
        if random.percent(30) && outputs[0].kind != Kind::Folder && outputs[0].kind != Kind::Dangling {
            outputs.push(Output { path: format!("{folder}link"), kind: Kind::Link });
        }
        if random.percent(5) {
            outputs.clear();
        }
        Task {
            name: format!("t{at}"),
            inputs: self.inputs(random, at),
            outputs,
            after: if at > 0 && random.percent(10) { vec![random.below(at)] } else { Vec::new() },
            pool: random.pick::<&str>(&["cpu", "cpu", "cpu", "disk", "gpu", "network"]),
            cache: !random.percent(6),
            fails: false,
            salt: random.below(100),
            variable: random.below(3),
            n_loops: random.between(1, 3),
        }
    }

    /// What the task at `at` may read: sources, and what tasks before it make.
    fn inputs(&self, random: &mut Random, at: usize) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        for n in 0..random.between(1, 3) {
            let maker = if n == 0 && at > 0 && random.percent(60) { at - 1 } else { random.below(at + 2) };
            let made = self.tasks.get(maker).filter(|_| maker < at).into_iter().flat_map(|task| {
                let readable = task.outputs.iter().filter(|output| output.kind != Kind::Dangling);
                readable.map(|output| Input {
                    path: output.path.clone(),
                    is_folder: output.kind == Kind::Folder,
                    maker: Some(maker),
                })
            });
            let made: Vec<Input> = made.collect();
            let input = if !made.is_empty() {
                random.pick(&made).clone()
            } else if random.percent(25) {
                Input { path: "src/d".to_owned(), is_folder: true, maker: None }
            } else {
                let files = self.sources.keys().filter(|path| !path.starts_with("src/d/"));
                let files: Vec<&String> = files.collect();
                Input { path: (*random.pick(&files)).clone(), is_folder: false, maker: None }
            };
            if !inputs.contains(&input) {
                inputs.push(input);
            }
        }
        inputs
    }

    /// Makes the project in a folder that is empty or not there.
    pub(crate) fn write(&self, root: &Path) {
        for (path, source) in &self.sources {
            put(&root.join(path), source);
        }
        self.write_lpfile(root);
    }

    fn write_lpfile(&self, root: &Path) {
        let mut text = "[pools]\ncpu = 2\ndisk = 1\n".to_owned();
        let quoted = |of: &[String]| of.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ");
        for task in &self.tasks {
            let inputs: Vec<String> = task.inputs.iter().map(|input| input.path.clone()).collect();
            let outputs: Vec<String> = task.outputs.iter().map(|output| output.path.clone()).collect();
            let after: Vec<String> = task.after.iter().map(|at| self.tasks[*at].name.clone()).collect();
            let command = ["sh".to_owned(), "-c".to_owned(), task.script()];
            let _ = write!(
                text,
                "\n[[task]]\nname = {:?}\ncommand = [{}]\ninputs = [{}]\noutputs = [{}]\nafter = [{}]\n\
                 env = {{ V = \"{}\" }}\npass = [\"P\"]\npool = {:?}\ncache = {}\n",
                task.name,
                quoted(&command),
                quoted(&inputs),
                quoted(&outputs),
                quoted(&after),
                task.variable,
                task.pool,
                task.cache
            );
        }
        fs::write(root.join("Lpfile.toml"), text).unwrap();
    }

    /// What a task reads that others make, with who makes it.
    pub(crate) fn read_of_others(&self, task: &Task) -> impl Iterator<Item = (&Task, &Output)> {
        let made = task.inputs.iter().filter_map(|input| Some((&self.tasks[input.maker?], &input.path)));
        made.flat_map(|(maker, path)| {
            let outputs = maker.outputs.iter().filter(move |output| output.path == *path);
            outputs.map(move |output| (maker, output))
        })
    }

    /// What a build comes to when all that can be fresh is.
    pub(crate) fn expected(&self) -> Expected {
        let mut expected = Expected { n_tasks: self.tasks.len(), ..Expected::default() };
        let mut bad = BTreeSet::new();
        for (at, task) in self.tasks.iter().enumerate() {
            let makers = task.inputs.iter().filter_map(|input| input.maker).chain(task.after.iter().copied());
            if makers.into_iter().any(|maker| bad.contains(&maker)) {
                bad.insert(at);
                expected.skipped.insert(task.name.clone());
            } else if task.fails {
                bad.insert(at);
                expected.failed.insert(task.name.clone());
            } else if !task.cache {
                expected.always.insert(task.name.clone());
            }
        }
        expected
    }

    /// Whether a path belongs to a task that a build of this project does not
    /// come to: what an earlier build made there is nobody's business.
    pub(crate) fn is_left_alone(&self, path: &str, expected: &Expected) -> bool {
        let skipped = self.tasks.iter().filter(|task| expected.skipped.contains(&task.name));
        let failed = self.tasks.iter().filter(|task| expected.failed.contains(&task.name));
        let below =
            |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let outputs = |task: &Task| task.outputs.clone();
        skipped.clone().flat_map(outputs).any(|output| output.path == path || below(path, &output.path))
            // A folder in which nothing but such outputs stand.
            || skipped.chain(failed).flat_map(outputs).any(|output| below(&output.path, path))
    }

    /// Changes sources, tasks and outputs at random, in the model and at `root`.
    /// Says what it did.
    pub(crate) fn change(&mut self, random: &mut Random, root: &Path) -> String {
        let before = (self.sources.clone(), self.tasks.clone());
        let mut did = Vec::new();
        for _ in 0..random.between(1, 3) {
            did.push(match random.below(10) {
                0..=4 => self.change_source(random, root),
                5 | 6 => self.change_task(random),
                7 if !self.earlier.is_empty() => self.revert(random, root),
                _ => self.change_output(random, root),
            });
        }
        self.earlier.push(before);
        // Unchanged config files keep their times.
        let lpfile = root.join("Lpfile.toml");
        let old = fs::read(&lpfile).unwrap();
        let times = fs::metadata(&lpfile).unwrap().modified().unwrap();
        self.write_lpfile(root);
        if fs::read(&lpfile).unwrap() == old {
            set_modified(&lpfile, times);
        }
        did.join("; ")
    }

    fn change_source(&mut self, random: &mut Random, root: &Path) -> String {
        if random.percent(10) {
            let path = format!("src/d/{}.txt", random.between(3, 6));
            let new = source(random);
            if self.sources.remove(&path).is_some() {
                fs::remove_file(root.join(&path)).unwrap();
                return format!("removed {path}");
            }
            put(&root.join(&path), &new);
            self.sources.insert(path.clone(), new);
            return format!("added {path}");
        }
        let paths: Vec<String> = self.sources.keys().cloned().collect();
        let path = random.pick(&paths).clone();
        let place = root.join(&path);
        let times = fs::metadata(&place).unwrap().modified().unwrap();
        let source = self.sources.get_mut(&path).unwrap();
        match random.below(6) {
            0 => {
                set_modified(&place, SystemTime::now());
                format!("touched {path}")
            }
            1 => {
                source.bytes = random.text(source.bytes.len());
                fs::write(&place, &source.bytes).unwrap();
                format!("changed {path} to the same size")
            }
            2 => {
                source.bytes = random.text(source.bytes.len());
                fs::write(&place, &source.bytes).unwrap();
                set_modified(&place, times);
                format!("changed {path} to the same size and time")
            }
            3 => {
                let length = random.between(1, 200);
                source.bytes = random.text(length);
                let aside = root.join("src/aside");
                fs::write(&aside, &source.bytes).unwrap();
                set_executable(&aside, source.executable);
                set_modified(&aside, times - Duration::from_secs(86_400));
                fs::rename(&aside, &place).unwrap();
                format!("replaced {path} by an older file")
            }
            4 => {
                source.executable = !source.executable;
                set_executable(&place, source.executable);
                format!("changed the mode of {path}")
            }
            _ => {
                let length = random.between(0, 200);
                source.bytes = random.text(length);
                fs::write(&place, &source.bytes).unwrap();
                format!("changed {path}")
            }
        }
    }

    fn change_task(&mut self, random: &mut Random) -> String {
        let at = random.below(self.tasks.len());
        if random.percent(15) {
            self.passed = random.between(1, 3);
            return format!("set P to {}", self.passed);
        }
        if random.percent(15) {
            self.tasks[at].inputs = self.inputs(random, at);
            return format!("changed the inputs of t{at}");
        }
        let task = &mut self.tasks[at];
        match random.below(4) {
            0 => task.variable = random.below(3),
            1 => task.salt = random.below(100),
            2 if random.percent(40) => task.fails = !task.fails,
            _ => task.n_loops = random.between(1, 4),
        }
        format!("changed t{at}")
    }

    fn revert(&mut self, random: &mut Random, root: &Path) -> String {
        let at = random.below(self.earlier.len());
        let (sources, tasks) = self.earlier[at].clone();
        for path in self.sources.keys().filter(|path| !sources.contains_key(*path)) {
            fs::remove_file(root.join(path)).unwrap();
        }
        for (path, source) in &sources {
            if self.sources.get(path) != Some(source) {
                put(&root.join(path), source);
            }
        }
        (self.sources, self.tasks) = (sources, tasks);
        format!("back to state {at}")
    }

    /// Does to an output what a build must notice.
    pub(crate) fn change_output(&self, random: &mut Random, root: &Path) -> String {
        let outputs: Vec<&Output> = self.tasks.iter().flat_map(|task| &task.outputs).collect();
        if outputs.is_empty() {
            return "changed no output, as there is none".to_owned();
        }
        let output = *random.pick(&outputs);
        let (place, path) = (root.join(&output.path), &output.path);
        let how = random.below(9);
        let Ok(metadata) = fs::symlink_metadata(&place) else {
            return format!("left {path} alone, as it is not there");
        };
        match how {
            0 => {
                tree::remove(&root.join("out"));
                "removed out".to_owned()
            }
            1 | 2 if metadata.is_dir() => {
                fs::write(place.join("stray"), "stray").unwrap();
                tree::remove(&place.join("a"));
                format!("changed what is in {path}")
            }
            1 | 2 if metadata.is_file() => {
                let mut bytes = fs::read(&place).unwrap();
                // In place, so through a hard link too.
                if how == 1 {
                    bytes.extend_from_slice(b"more");
                } else if let Some(byte) = bytes.first_mut() {
                    *byte ^= 1;
                }
                write_through(&place, &bytes);
                format!("wrote to {path}")
            }
            3 if metadata.is_file() => {
                set_executable(&place, metadata.permissions().mode() & 0o100 == 0);
                format!("changed the mode of {path}")
            }
            4 => {
                tree::remove(&place);
                fs::create_dir(&place).unwrap();
                fs::write(place.join("x"), "x").unwrap();
                format!("replaced {path} by a folder")
            }
            5 => {
                tree::remove(&place);
                std::os::unix::fs::symlink("src", &place).unwrap();
                format!("replaced {path} by a link")
            }
            6 => {
                tree::remove(&place);
                fs::write(&place, "other\n").unwrap();
                format!("replaced {path}")
            }
            7 if metadata.is_file() => {
                set_modified(&place, SystemTime::now());
                format!("touched {path}")
            }
            _ => {
                tree::remove(&place);
                format!("removed {path}")
            }
        }
    }
}

impl Output {
    pub(crate) fn is_link(&self) -> bool {
        self.kind == Kind::Link
    }
}

impl Task {
    /// Its name comes out first, beside the project; then what it reads is
    /// digested, and its outputs grow line by line.
    fn script(&self) -> String {
        let mut script = format!("echo {} $PPID >> ../ran\nset -e\n", self.name);
        let read: Vec<String> = self
            .inputs
            .iter()
            .map(|Input { path, is_folder, .. }| match is_folder {
                false => format!("cat {path}"),
                true => {
                    format!("find {path} | LC_ALL=C sort; find {path} -type f | LC_ALL=C sort | xargs -r cat")
                }
            })
            .collect();
        let read = read.join("; ");
        let _ = write!(
            script,
            "read() {{ {read}; }}\nd=$({{ read; echo $V $P {}; }} | sha256sum | head -c 64)\n",
            self.salt
        );
        let grow = |path: &str| {
            let loops: String = (0..self.n_loops).map(|n| format!(" {n}")).collect();
            format!(": > {path}; for i in{loops}; do read | head -c 150 >> {path}; done; echo $d >> {path}\n")
        };
        for Output { path, kind } in &self.outputs {
            script.push_str(&match kind {
                Kind::Small => grow(path),
                Kind::Large => format!("yes $d | head -c 1100000 > {path}\n"),
                Kind::Executable => format!("{}chmod 755 {path}\n", grow(path)),
                Kind::LargeExecutable => format!("yes $d | head -c 1100000 > {path}; chmod 755 {path}\n"),
                Kind::Empty => format!(": > {path}\n"),
                Kind::Folder => format!(
                    "mkdir -p {path}/sub/none\necho $d > {path}/a\nln -s a {path}/l\n{}chmod 755 {path}/sub/b\n",
                    grow(&format!("{path}/sub/b"))
                ),
                Kind::Link => format!("ln -s {} {path}\n", file_name(&self.outputs[0].path)),
                Kind::Dangling => format!("ln -s $d {path}\n"),
            });
        }
        if self.fails {
            script.push_str("echo it fails >&2\nexit 3\n");
        }
        script
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

fn source(random: &mut Random) -> Source {
    let length = random.below(200);
    Source { bytes: random.text(length), executable: random.percent(20) }
}

fn put(place: &Path, source: &Source) {
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, &source.bytes).unwrap();
    set_executable(place, source.executable);
}

fn set_executable(place: &Path, executable: bool) {
    let mode = fs::metadata(place).unwrap().permissions().mode();
    let mode = if executable { mode | 0o111 } else { mode & !0o111 };
    fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
}

fn set_modified(place: &Path, time: SystemTime) {
    // Reading is enough for the owner, who may not write to a read-only file.
    File::open(place).unwrap().set_modified(time).unwrap();
}

/// Writes to the file itself, whatever its mode and names.
pub(crate) fn write_through(place: &Path, bytes: &[u8]) {
    let permissions = fs::metadata(place).unwrap().permissions();
    if fs::write(place, bytes).is_err() {
        fs::set_permissions(place, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(place, bytes).unwrap();
        fs::set_permissions(place, permissions).unwrap();
    }
}
