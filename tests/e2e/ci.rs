//! The files of `docs/ci.md`, played: their own shell steps run on two
//! checkouts, with a folder of tar archives for the service's cache.

mod jenkins;
mod yaml;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::jenkins::Action;
use crate::support::{WORKLOADS, Workspace};

const LPFILE: &str = r#"
[run]
isolation = "lane"
duration = "20s"
warmup = "0s"

[[task]]
name = "convert"
command = ["sh", "-c", "mkdir -p models/x; tr a-z A-Z < in.txt > models/x/weights; head -c 1500000 /dev/zero > models/large"]
inputs = ["in.txt"]
outputs = ["models/x", "models/large"]

[[task]]
name = "digest"
command = ["sh", "-c", "cat results/plan.json models/x/weights | cksum > digest.txt"]
inputs = ["results/plan.json", "models/x"]
outputs = ["digest.txt"]

[[task]]
name = "check"
command = ["test", "-s", "digest.txt"]
inputs = ["digest.txt"]
"#;

/// Cameras that need no assets: their streams come from elsewhere.
const CAMERAS: &str = r#"{
  "lane_config": {
    "cameras": [
      {"camera_id": "camera-1", "streamUri": "rtsp://h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["scan"]},
      {"camera_id": "camera-2", "streamUri": "rtsp://h/2", "width": 640, "height": 360, "fps": 15, "workloads": ["motion"]}
    ]
  }
}
"#;

/// Plans of two cameras, the plan, three tasks.
const N_TASKS: u64 = 6;

/// A service: a repository, checkouts, and archives by key in the order in
/// which they were saved.
struct Service {
    workspace: Workspace,
    archives: Vec<String>,
    n_checkouts: usize,
}

/// What came of a job.
struct Job {
    checkout: PathBuf,
    /// The last event of `build.jsonl`.
    summary: Value,
    /// Which archive was restored.
    restored: Option<String>,
    /// Whether every step succeeded.
    succeeded: bool,
    /// How the gate ended; `None` if it was not asked.
    gate: Option<i32>,
    /// Whether the service shows that as a warning.
    warned: bool,
}

impl Service {
    fn new() -> Service {
        let workspace = Workspace::tasks(LPFILE)
            .file("configs/camera_to_workload.json", CAMERAS)
            .file("configs/workload_to_pipeline.json", WORKLOADS)
            .file("in.txt", "weights\n")
            .file("scripts/gate", &block("The gate of a change", "sh"))
            // The simulated machine: it gives 15 frames a second.
            .file("machine/capacity", "1000\n")
            .file("machine/cpu", "60000 10\n")
            .file(".gitignore", ".lpcache\nresults\nmachine/started\n");
        let service = Service { workspace, archives: Vec::new(), n_checkouts: 0 };
        fs::create_dir(service.place("bases")).unwrap();
        service.git(&["init", "--quiet"]);
        service.commit();
        service
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
        let status =
            Command::new("git").args(who).args(arguments).current_dir(self.workspace.root()).status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", "a commit"]);
    }

    /// A branch of `main` with a file changed.
    fn branch(&self, name: &str, path: &str, text: &str) {
        self.git(&["checkout", "--quiet", "-B", name, "main"]);
        self.workspace.write(path, text);
        self.commit();
    }

    fn place(&self, name: &str) -> PathBuf {
        self.workspace.root().with_file_name(name)
    }

    fn checkout(&mut self) -> PathBuf {
        self.n_checkouts += 1;
        let checkout = self.place(&format!("checkout-{}", self.n_checkouts));
        self.git(&["clone", "--quiet", ".", checkout.to_str().unwrap()]);
        checkout
    }

    /// Runs a step as the services do: stops at the first command that fails. Whether
    /// none did.
    fn shell(&self, script: &str, checkout: &Path, variables: &[(&str, &str)]) -> bool {
        self.ended(script, checkout, variables).0 == 0
    }

    /// The same, with the exit code and what it printed.
    fn ended(&self, script: &str, checkout: &Path, variables: &[(&str, &str)]) -> (i32, String) {
        let lp = Path::new(env!("CARGO_BIN_EXE_lp")).parent().unwrap();
        let mut path = OsString::from(lp);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-e", "-c", script])
            .current_dir(checkout)
            .env("PATH", path)
            .env("LP_LOCK_DIR", self.place("lock"))
            .env("LP_SYSROOT", "/nonexistent")
            // Where `mktemp` makes the checkout of the branch.
            .env("TMPDIR", self.place("bases"))
            .env_remove("LP_PROFILE")
            .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/simulated-worker"))
            // Of the checkout in which it runs.
            .env("SIMULATED_WORKER", "machine")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap();
        let says = match code {
            0 => "",
            _ if script.contains("report --verdict") => "error: run 20",
            3 if is_gate(script) => "cannot tell: ",
            1 if is_gate(script) => "error: gate: worse: ",
            2 if is_gate(script) => "expected a number from 1 to 1000",
            _ => panic!("{code}: {script}\n{stderr}"),
        };
        assert!(stderr.contains(says), "{code}: {script}\n{stderr}");
        if is_gate(script) {
            let left = fs::read_dir(self.place("bases")).unwrap().count();
            assert_eq!(left, 0, "the checkout of the branch is gone");
        }
        (code, String::from_utf8(output.stdout).unwrap())
    }

    fn tar(&self, flag: &str, key: &str, checkout: &Path, path: &str) {
        let archive = self.place(&format!("{key}.tar"));
        let mut tar = Command::new("tar");
        tar.arg(flag).arg(archive).arg("-C").arg(checkout);
        if flag == "-cf" {
            tar.arg(path);
        }
        assert!(tar.status().unwrap().success());
    }

    /// Restores the archive called `key`, else the newest that a later word allows.
    fn restore(
        &self,
        key: &str,
        others: impl Fn(&str) -> bool,
        checkout: &Path,
        path: &str,
    ) -> Option<String> {
        let exact = self.archives.iter().find(|archive| *archive == key);
        let found = exact.or_else(|| self.archives.iter().rev().find(|archive| others(archive)))?;
        self.tar("-xf", found, checkout, path);
        Some(found.clone())
    }

    fn save(&mut self, key: &str, checkout: &Path, path: &str) {
        self.tar("-cf", key, checkout, path);
        self.archives.retain(|archive| archive != key);
        self.archives.push(key.to_owned());
    }

    /// The job of the GitHub workflow, for `push` or `pull_request`.
    fn github(&mut self, event: &str) -> Job {
        let workflow = document("GitHub Actions");
        let mut checkout = PathBuf::new();
        let mut restored = None;
        let mut outputs: HashMap<String, String> = HashMap::new();
        let mut succeeded = true;
        let (mut holds, mut warned) = (true, false);
        let mut shown = None;
        let _ = fs::remove_file(self.place("summary.md"));
        for step in workflow["jobs"]["lane"]["steps"].as_array().unwrap() {
            let fill = |name: &str| fill(step["with"][name].as_str().unwrap(), &outputs);
            let condition = step["if"].as_str().unwrap_or("always()");
            let runs = condition.split(" && ").all(|part| match part {
                "always()" => true,
                "hashFiles('ci/lp.sarif') != ''" => checkout.join("ci/lp.sarif").exists(),
                "github.event_name == 'push'" => event == "push",
                "github.event_name == 'pull_request'" => event == "pull_request",
                "steps.gate.outputs.code == '3'" => {
                    outputs.get("steps.gate.outputs.code").is_some_and(|code| code == "3")
                }
                "steps.restore.outputs.cache-hit != 'true'" => {
                    outputs["steps.restore.outputs.cache-hit"] != "true"
                }
                other => panic!("`{other}` is not understood"),
            });
            if !runs || !(succeeded || condition.contains("always()") && step["if"].is_string()) {
                continue;
            }
            match step["uses"].as_str().map(|action| action.split('@').next().unwrap()) {
                None => {
                    if step["name"].as_str().unwrap().contains("the test has its own") {
                        continue;
                    }
                    let file = self.place("output");
                    fs::write(&file, "").unwrap();
                    let summary = self.place("summary.md");
                    let variables = [
                        ("GITHUB_OUTPUT", file.to_str().unwrap()),
                        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
                        ("GITHUB_BASE_REF", "main"),
                    ];
                    let script = step["run"].as_str().unwrap();
                    let (code, printed) = self.ended(script, &checkout, &variables);
                    succeeded &= code == 0;
                    holds &= code == 0 || is_gate(script);
                    warned |= printed.lines().any(|line| line.starts_with("::warning "));
                    for line in fs::read_to_string(file).unwrap().lines() {
                        let (name, value) = line.split_once('=').unwrap();
                        let id = step["id"].as_str().unwrap();
                        outputs.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
                    }
                }
                Some("actions/checkout") => checkout = self.checkout(),
                Some("actions/cache/restore") => {
                    let (key, front) = (fill("key"), fill("restore-keys"));
                    let others = |archive: &str| archive.starts_with(&front);
                    restored = self.restore(&key, others, &checkout, &fill("path"));
                    let is_hit = (restored.as_ref() == Some(&key)).to_string();
                    outputs.insert("steps.restore.outputs.cache-hit".to_owned(), is_hit);
                }
                Some("actions/cache/save") => {
                    let (key, path) = (fill("key"), fill("path"));
                    assert!(!self.archives.contains(&key), "what was saved cannot be replaced");
                    self.save(&key, &checkout, &path);
                }
                Some("actions/upload-artifact") => assert!(checkout.join(fill("path")).exists()),
                Some("github/codeql-action/upload-sarif") => shown = Some(checkout.join(fill("sarif_file"))),
                Some(other) => panic!("`{other}` is not understood"),
            }
        }
        assert_eq!(shown.is_some(), event == "push", "forks may not show breaches");
        let page = fs::read_to_string(self.place("summary.md")).unwrap();
        check_published(&checkout, &page, holds);
        let gate: Option<i32> = outputs.get("steps.gate.outputs.code").map(|code| code.parse().unwrap());
        assert_eq!(page.contains("**The gate cannot tell"), warned, "{page}");
        assert_eq!(page.contains("\n## Gate\n"), gate.is_some(), "{page}");
        Job { summary: summary(&checkout), checkout, restored, succeeded, gate, warned }
    }

    /// The jobs of the GitLab file.
    fn gitlab(&mut self, branch: &str) -> Job {
        let file = document("GitLab CI");
        let name = &file["name-the-store"];
        let checkout = self.checkout();
        for line in texts(&name["script"]) {
            self.shell(&line, &checkout, &[]);
        }
        let dotenv = checkout.join(name["artifacts"]["reports"]["dotenv"].as_str().unwrap());
        let dotenv = fs::read_to_string(dotenv).unwrap();
        let variables: Vec<(&str, &str)> = dotenv.lines().map(|line| line.split_once('=').unwrap()).collect();

        let build = &file["measure"];
        let checkout = self.checkout();
        let caches = build["cache"].as_array().unwrap();
        let key = |cache: &Value| {
            let key = cache["key"].as_str().unwrap();
            let variable = key.strip_prefix('$').map(|name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.unwrap_or_else(|| panic!("`{name}` is not set")).1
            });
            variable.unwrap_or(key).to_owned()
        };
        let mut restored = None;
        for cache in caches.iter().filter(|cache| cache["policy"] != "push") {
            let fallback = texts(&cache["fallback_keys"]);
            let others = |archive: &str| fallback.iter().any(|key| key == archive);
            let path = &texts(&cache["paths"])[0];
            restored = restored.or(self.restore(&key(cache), others, &checkout, path));
        }
        for line in texts(&build["script"]) {
            self.shell(&line, &checkout, &variables);
        }
        for cache in caches {
            self.save(&key(cache), &checkout, &texts(&cache["paths"])[0]);
        }
        assert!(texts(&build["artifacts"]["paths"]).iter().all(|path| checkout.join(path).exists()));

        // The last job has the store alone.
        let judge = &file["judge"];
        let judging = self.checkout();
        let cache = &judge["cache"][0];
        let found = self.restore(&key(cache), |_| false, &judging, &texts(&cache["paths"])[0]);
        assert!(found.is_some(), "the store of the job before");
        let holds = texts(&judge["script"]).iter().all(|line| self.shell(line, &judging, &variables));
        let report = judge["artifacts"]["reports"]["junit"].as_str().unwrap();
        assert!(judging.join(report).exists());
        let page = fs::read_to_string(judging.join("ci/summary.md")).unwrap();
        check_published(&judging, &page, holds);

        let gate = &file["gate"];
        assert_eq!(gate["rules"][0]["if"], "$CI_COMMIT_BRANCH != $CI_DEFAULT_BRANCH");
        let mut code = None;
        if holds && branch != "main" {
            let gating = self.checkout();
            let cache = &gate["cache"][0];
            self.restore(&key(cache), |_| false, &gating, &texts(&cache["paths"])[0]).unwrap();
            let variables: Vec<_> =
                variables.iter().copied().chain([("CI_DEFAULT_BRANCH", "main")]).collect();
            let codes =
                texts(&gate["script"]).into_iter().map(|line| self.ended(&line, &gating, &variables).0);
            code = Some(codes.into_iter().find(|code| *code != 0).unwrap_or(0));
            let shown = gating.join(&texts(&gate["artifacts"]["paths"])[0]);
            assert!(shown.exists() || code == Some(2));
        }
        let allowed = gate["allow_failure"]["exit_codes"].as_str().unwrap();
        let warned = code.is_some_and(|code| code.to_string() == allowed);
        let succeeded = holds && (warned || code.unwrap_or(0) == 0);
        Job { summary: summary(&checkout), checkout, restored, succeeded, gate: code, warned }
    }

    /// A build of the Jenkinsfile on a fresh agent, of a branch.
    fn jenkins(&mut self, branch: &str) -> Job {
        let checkout = self.checkout();
        let stores = self.place("stores");
        let tag = format!("jenkins-lane-{}", self.n_checkouts);
        let variables = [("STORES", stores.to_str().unwrap()), ("BUILD_TAG", tag.as_str())];
        let (mut succeeded, mut holds, mut warned, mut gate) = (true, true, false, None);
        for step in jenkins::steps(&block("Jenkins", "groovy")) {
            let runs = step.branch.as_ref().is_none_or(|(name, is)| (name == branch) == *is);
            if runs && (succeeded || step.always) {
                let code = self.ended(&step.script, &checkout, &variables).0;
                let action = step.after(code);
                succeeded &= action != Action::Fail;
                warned |= action == Action::Unstable;
                if is_gate(&step.script) { gate = Some(code) } else { holds = succeeded }
            }
        }
        let page = fs::read_to_string(checkout.join("ci/summary.md")).unwrap();
        check_published(&checkout, &page, holds);
        Job { summary: summary(&checkout), checkout, restored: None, succeeded, gate, warned }
    }
}

/// The file below a heading of `docs/ci.md`, in this language.
fn block(heading: &str, language: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let section = text.split_once(&format!("\n## {heading}\n")).expect("the heading is there").1;
    let block = section.split_once(&format!("```{language}\n")).unwrap().1;
    block.split_once("\n```\n").unwrap().0.to_owned()
}

fn document(heading: &str) -> Value {
    yaml::parse(&block(heading, "yaml"))
}

fn is_gate(script: &str) -> bool {
    script.contains("scripts/gate")
}

/// What a job publishes says what `lp report --verdict` says.
fn check_published(checkout: &Path, page: &str, succeeded: bool) {
    let junit = fs::read_to_string(checkout.join("ci/junit.xml")).unwrap();
    assert_eq!(junit.contains("<failure "), !succeeded, "{junit}");
    let log: Value =
        serde_json::from_str(&fs::read_to_string(checkout.join("ci/lp.sarif")).unwrap()).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.is_empty(), succeeded, "{log}");
    assert!(results.iter().all(|result| result["locations"].is_array()), "{log}");
    assert!(page.starts_with(if succeeded { "## Passes: " } else { "## Fails: " }), "{page}");
}

/// `${{ steps.store.outputs.key }}` and plain texts.
fn fill(text: &str, outputs: &HashMap<String, String>) -> String {
    let name = text.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}"));
    name.map_or_else(|| text.to_owned(), |name| outputs[name].clone())
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn summary(checkout: &Path) -> Value {
    let events = fs::read_to_string(checkout.join("build.jsonl")).unwrap();
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    last["summary"].clone()
}

/// The second checkout runs nothing, and has what the first one made.
#[track_caller]
fn check_second(first: &Job, second: &Job) {
    assert_eq!(first.summary["ran"], N_TASKS, "{}", first.summary);
    assert_eq!(second.summary["ran"], 0, "{}", second.summary);
    assert_eq!(second.summary["failed"], 0);
    assert!(first.succeeded && second.succeeded, "both hold");
    assert_eq!(second.summary["restored"], N_TASKS - 1, "the check has no outputs");
    for path in ["digest.txt", "models/x/weights", "models/large", "results/plan.json"] {
        let read = |job: &Job| fs::read(job.checkout.join(path)).unwrap();
        assert!(read(first) == read(second), "{path}");
    }
}

#[test]
fn the_github_workflow_runs_nothing_on_a_second_checkout() {
    let mut service = Service::new();
    let first = service.github("push");
    assert_eq!((first.restored.as_ref(), service.archives.len()), (None, 1));
    // Neither the first checkout nor anything beside the archive is needed.
    let moved = service.place("gone");
    fs::rename(&first.checkout, &moved).unwrap();
    let first = Job { checkout: moved, ..first };
    let second = service.github("push");
    assert_eq!(second.restored.as_ref(), Some(&service.archives[0]));
    check_second(&first, &second);
    service.shell("lp build 2>&1 | grep -qx 'nothing to do: 6 tasks fresh'", &second.checkout, &[]);
    assert_eq!(service.archives.len(), 1, "a store that was found by its key is not saved again");
}

#[test]
fn a_changed_config_starts_from_an_older_store_and_a_pull_request_saves_none() {
    let mut service = Service::new();
    service.github("push");
    service.workspace.write("configs/camera_to_workload.json", &CAMERAS.replacen("15", "30", 1));
    service.commit();
    let proposed = service.github("pull_request");
    assert_eq!(proposed.restored.as_ref(), Some(&service.archives[0]), "by its front");
    // camera-1, the plan and what reads it; neither camera-2 nor the conversion.
    assert_eq!(proposed.summary["ran"], 4, "{}", proposed.summary);
    assert_eq!(proposed.summary["restored"], 2, "{}", proposed.summary);
    assert!(!proposed.succeeded, "15 fps do not hold 30");
    assert_eq!(service.archives.len(), 1);
    service.github("push");
    assert_eq!(service.archives.len(), 2);
    assert_eq!(service.github("push").summary["ran"], 0);
}

#[test]
fn the_gitlab_file_runs_nothing_on_a_second_checkout() {
    let mut service = Service::new();
    let first = service.gitlab("main");
    assert_eq!(first.restored, None);
    let second = service.gitlab("main");
    assert!(second.restored.as_ref().is_some_and(|key| key.starts_with("lp-1-")));
    check_second(&first, &second);
    service.workspace.write("in.txt", "other weights\n");
    service.commit();
    let third = service.gitlab("main");
    assert_eq!(third.restored.as_deref(), Some("lp-newest"));
    assert_eq!(third.summary["ran"], 3, "{}", third.summary);
}

#[test]
fn the_jenkinsfile_runs_nothing_on_another_agent() {
    let mut service = Service::new();
    let (first, stored) = (service.jenkins("main"), service.place("stores"));
    let stores =
        || fs::read_dir(&stored).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!((first.succeeded, stores().len()), (true, 1), "{:?}", stores());
    check_second(&first, &service.jenkins("main"));
    // A branch starts from the newest store and saves none.
    service.workspace.write("configs/camera_to_workload.json", &CAMERAS.replacen("15", "30", 1));
    service.commit();
    let branch = service.jenkins("change");
    assert_eq!((branch.succeeded, stores().len()), (false, 1), "15 fps do not hold 30");
    assert_eq!(branch.summary["ran"], 4, "{}", branch.summary);
    assert!(stores().iter().all(|name| name.to_string_lossy().starts_with("lp-1-")), "{:?}", stores());
}

/// A change that is worse fails, as a wrong request does; one of which that cannot be told is shown and passes.
fn check_gate(job: impl Fn(&mut Service, &str) -> Job) {
    let other_pipeline = WORKLOADS.replace("16", "32");
    let other_source = CAMERAS.replace("rtsp://h/2", "rtsp://h/3");
    let wrong_request = block("The gate of a change", "sh").replace("--runs 5 --gate", "--runs 0 --gate");
    let changes = [
        // A change of the lane that costs nothing.
        ("pipeline", "configs/workload_to_pipeline.json", other_pipeline.as_str(), 0),
        // The speed of a machine, which `lp` does not know.
        ("slower", "machine/cpu", "90000 10\n", 1),
        ("wrong", "scripts/gate", wrong_request.as_str(), 2),
        ("other", "configs/camera_to_workload.json", other_source.as_str(), 3),
    ];
    for (name, path, text, code) in changes {
        let mut service = Service::new();
        service.branch(name, path, text);
        let job = job(&mut service, name);
        let passes = matches!(code, 0 | 3);
        assert_eq!((job.gate, job.succeeded, job.warned), (Some(code), passes, code == 3), "{name}");
    }
}

#[test]
fn a_gate_cannot_tell_where_the_branch_itself_cannot_be_measured() {
    let mut service = Service::new();
    service.workspace.write("configs/camera_to_workload.json", "{");
    service.commit();
    service.branch("repair", "configs/camera_to_workload.json", CAMERAS);
    let job = service.github("pull_request");
    assert_eq!((job.gate, job.succeeded, job.warned), (Some(3), true, true));
}

#[test]
fn the_gate_of_the_github_workflow_fails_what_is_worse_and_warns_where_it_cannot_tell() {
    check_gate(|service, _| service.github("pull_request"));
}

#[test]
fn the_gate_of_the_gitlab_file_fails_what_is_worse_and_warns_where_it_cannot_tell() {
    check_gate(Service::gitlab);
}

#[test]
fn the_gate_of_the_jenkinsfile_fails_what_is_worse_and_is_unstable_where_it_cannot_tell() {
    check_gate(Service::jenkins);
}

#[test]
fn the_key_in_the_text_is_one_of_this_format() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let front = format!("lp-{}-linux-x86_64-", lp::store::FORMAT);
    assert_eq!(text.matches("lp-1-").count(), text.matches(&front).count());
    assert!(text.contains(&format!("`{front}`")));
}
