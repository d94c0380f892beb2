//! Programs of the user's beside a run, those that misbehave above all.

use std::fs;
use std::time::{Duration, Instant};

use expect_test::expect;
use lp::record::RunRecord;
use lp::record::collector::CollectorRecord;
use rustix::process::{Pid, Signal, kill_process};

use crate::scripts::{STEADY, is_gone, latest, till};
use crate::support::{Ended, Workspace};

/// A run of this long beside these collectors.
fn beside(seconds: u32, collectors: &str) -> Workspace {
    let ws = till(&[("steady", STEADY, "")]);
    let run = format!("[run]\nduration = \"{seconds}s\"\nwarmup = \"0s\"\n{collectors}");
    ws.file("Lpfile.toml", &run)
}

/// A collector that runs a script of the shell.
fn shell(name: &str, script: &str, more: &str) -> String {
    format!("\n[[collector]]\nname = \"{name}\"\ncommand = [\"sh\", \"-c\", '''{script}''']\n{more}\n")
}

/// What `free` prints, five times a second.
const FREE: &str = "while :; do echo '  total  used  free'; echo 'Mem:  1000  400  600'; sleep 0.2; done";

fn collector<'r>(record: &'r RunRecord, id: &str) -> &'r CollectorRecord {
    record.collectors.iter().find(|one| one.id() == id).unwrap_or_else(|| panic!("no {id}"))
}

/// A collector that is a script of the shell with the name `free`, since the parser looks for that word.
fn free(ws: Workspace, name: &str, script: &str, more: &str) -> Workspace {
    let config = ws.read("Lpfile.toml");
    let table = format!(
        "\n[[collector]]\nname = \"{name}\"\ncommand = [\"sh\", \"{name}/free\"]\nparser = \"free\"\n{more}\n"
    );
    ws.file(&format!("{name}/free"), script).file("Lpfile.toml", &format!("{config}{table}"))
}

/// The number of values of a series.
fn n_values(record: &RunRecord, series: &str) -> usize {
    record.series_of(series).map_or(0, |series| series.values.len())
}

/// Remarks without the times and numbers that differ.
fn remarks(one: &CollectorRecord) -> Vec<String> {
    let plain = |remark: &String| match remark
        .split_once(" after ")
        .and_then(|(a, b)| Some((a, b.split_once(" s: ")?)))
    {
        Some((head, (_, tail))) => format!("{head} after ? s: {tail}"),
        None => remark.clone(),
    };
    one.remarks.iter().map(plain).collect()
}

#[test]
fn what_a_collector_prints_becomes_series_of_the_record_and_files() {
    let ws = free(beside(2, ""), "mem", &format!("echo hello >&2; {FREE}"), "");
    let ended = ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let mem = collector(&record, "mem");
    assert_eq!((mem.remarks.len(), mem.output.unread), (0, 0), "{mem:?}");
    let exit = mem.exit.as_ref().unwrap();
    assert!(exit.asked && exit.how == "killed by SIGINT", "{exit:?}");
    assert!(n_values(&record, "collector.mem.memory.used") >= 5);
    let series = record.series_of("collector.mem.memory.used").unwrap();
    assert_eq!((series.unit.as_str(), series.values[0]), ("By", 400.0 * 1024.0));
    // It has begun before the window, and ended after it.
    let (begin, end) = record.members[0].scripts[0].window_us.unwrap();
    assert!(mem.started_us.unwrap() < begin && end < exit.at_us);
    assert!(series.at_us.iter().any(|at| (begin..end).contains(at)));
    assert!(ws.read("results/latest/collectors/mem.stdout.txt").starts_with("  total"));
    assert_eq!(ws.read("results/latest/collectors/mem.stderr.txt"), "hello\n");

    assert!(
        ended.stdout.contains("\ncollectors: mem (3 series) (report.html has all)\n"),
        "{}",
        ended.stdout
    );
    let json: serde_json::Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    assert_eq!(json["collectors"][0]["name"], "mem");
    let series = json["measurement"]["machine"]["series"].as_array().unwrap();
    let used = series.iter().find(|one| one["name"] == "collector.mem.memory.used").unwrap();
    assert_eq!((&used["mean"], &used["unit"]), (&409_600.0.into(), &"By".into()));
    assert!(ws.read("results/latest/report.csv").contains("mem.memory.used=409600 By"));
    let page = ws.read("results/latest/report.html");
    assert!(page.contains("collector.mem.memory.used") && page.contains("<b>1 collector</b>"), "{page}");
}

#[test]
fn collectors_that_misbehave_spoil_no_run() {
    let all = [
        "\n[[collector]]\nname = \"absent\"\ncommand = [\"no-such-program\"]\n".to_owned(),
        shell(
            "dies",
            "echo 'timestamp,percent_usage'; echo 2026,5; echo no device >&2; exit 3",
            "parser = \"npu-usage\"\n",
        ),
        shell("silent", "exec sleep 1000", "parser = \"sar\"\n"),
        shell("garbage", "head -c 3000 /dev/urandom; echo; exec sleep 1000", "parser = \"free\"\n"),
        shell("stubborn", "trap '' INT TERM; echo $$ > pid; while :; do sleep 1000; done", ""),
        shell(
            "at-once",
            "printf 'timestamp,percent_usage\\n1,1\\n2,2\\n3,3\\n'; exec sleep 1000",
            "parser = \"npu-usage\"\n",
        ),
        shell("pids", "echo {pid}", ""),
    ];
    let ws = free(beside(1, &all.concat()), "mostly", &format!("echo what; {FREE}"), "");
    let ended = ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    assert!(record.is_complete() && record.failures().next().is_none());
    let told: String = record
        .collectors
        .iter()
        .filter(|one| one.name != "garbage")
        .flat_map(|one| remarks(one).into_iter().map(move |remark| format!("{}: {remark}\n", one.id())))
        .collect();
    expect![[r#"
        absent: it could not be started: there is no such program in /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        dies: it ended by itself after ? s: exited with status 3 (stderr: `no device`)
        silent: it printed nothing to read
        stubborn: it did not end on SIGINT and SIGTERM, and was killed
        at-once: 2 values came at once with earlier ones and are left out: the program holds its output back; put `stdbuf -oL` before it
        pids: it could not be started: there is no worker whose process it could look at
        mostly: 1 line of 21 does not fit; line 1: its columns are not those of `free` in English (`LC_ALL=C`)
    "#]].assert_eq(&told);
    let garbage = collector(&record, "garbage");
    assert!(garbage.remarks.iter().any(|remark| remark.contains("could read none of")), "{garbage:?}");
    assert!(garbage.output.unread > 0 && !garbage.output.first_unread.is_empty());
    assert!(is_gone(&ws.read("pid")));
    assert!(
        record.missing.contains_key("collector.absent") && record.missing.contains_key("collector.silent")
    );
    assert!(
        ended.stdout.contains("note: collector absent: it could not be started: there is no such program"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("not measured: collector"), "{}", ended.stdout);
}

#[test]
fn no_secret_of_a_collector_is_in_a_file_of_the_run() {
    // The words of the command have them, not the script.
    let script = "echo x${0#*=} is no time; echo $API_TOKEN >&2; echo $1 >&2; exec sleep 1000";
    let words = "\"--password=abcd-secret\", \"rtsp://bob:efgh-secret@h/x\"";
    let table = format!(
        "\n[[collector]]\nname = \"leak\"\ncommand = [\"sh\", \"-c\", \"{script}\", {words}]\nparser = \"npu-usage\"\nenv = {{ API_TOKEN = \"ijkl-secret\" }}\n"
    );
    let ws = beside(1, &table);
    let ended = ws.lp("run --no-verdict").success();
    assert!(!ended.stdout.contains("-secret") && !ended.stderr.contains("-secret"), "{}", ended.stdout);
    let record = latest(&ws);
    assert_eq!(
        collector(&record, "leak").command[3..],
        ["--password=***", "rtsp://***@h/x"],
        "words of a command"
    );
    assert_eq!(ws.read("results/latest/collectors/leak.stdout.txt"), "x*** is no time\n");
    assert_eq!(ws.read("results/latest/collectors/leak.stderr.txt"), "$API_TOKEN\nrtsp://***@h/x\n");
    for name in ["record.json", "report.json", "report.html", "report.csv"] {
        assert!(!ws.read(&format!("results/latest/{name}")).contains("-secret"), "{name}");
    }
    let config = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &config.replace("ijkl-secret", "mnop-secret"));
    let told = ws.lp("explain run:lane").success().stdout;
    assert!(told.starts_with("`run:lane` is stale: `API_TOKEN` changed"), "{told}");
    assert!(!told.contains("-secret"), "{told}");
}

#[test]
fn a_program_that_replaces_its_file_or_leaves_a_child_is_remarked_so() {
    let replaces = "echo timestamp,percent_usage > $OUT; rm $OUT; echo 1,5 > $OUT; exec sleep 1000";
    let replaces = shell("replaces", replaces, "parser = \"npu-usage\"\nenv = { OUT = \"{file}\" }\n");
    let ws = beside(5, &format!("{replaces}{}", shell("leaves", "sleep 1000 & exit 3", "")));
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let told = &collector(&record, "replaces").remarks[0];
    assert!(told.starts_with("it removed or replaced `{file}`"), "{told}");
    let leaves = collector(&record, "leaves");
    let lived_us = leaves.exit.as_ref().unwrap().at_us - leaves.started_us.unwrap();
    // Its child had 3 s more.
    assert!(lived_us < 3_000_000, "{leaves:?}");
}

#[test]
fn a_required_program_that_is_not_there_is_an_error_before_the_run() {
    let ws = beside(1, "\n[[collector]]\nname = \"x\"\ncommand = [\"no-such-program\"]\nrequired = true\n");
    ws.lp("run").code(1).stderr_has("there is no `no-such-program`, the program of the collector `x`");
    assert!(!ws.exists("results/latest"));
}

#[test]
fn a_program_may_write_its_figures_into_a_file() {
    let script =
        "echo talk; echo timestamp,percent_usage > $OUT; while :; do echo 1,50.00 >> $OUT; sleep 0.2; done";
    let ws = beside(1, &shell("npu", script, "parser = \"npu-usage\"\nenv = { OUT = \"{file}\" }\n"));
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    assert_eq!(collector(&record, "npu").remarks, [""; 0]);
    assert!(n_values(&record, "collector.npu.usage") >= 3);
    assert_eq!(record.series_of("collector.npu.usage").unwrap().values[0], 0.5);
    assert_eq!(ws.read("results/latest/collectors/npu.stdout.txt"), "talk\n");
    assert!(ws.read("results/latest/collectors/npu.figures.txt").starts_with("timestamp,"));
}

#[test]
fn one_beside_each_member_has_a_name_of_its_own() {
    let ws = free(beside(1, ""), "mem", FREE, "scope = \"member\"");
    ws.lp("run --no-verdict --set run.count=2").success();
    let record = latest(&ws);
    let ids: Vec<String> = record.collectors.iter().map(CollectorRecord::id).collect();
    assert_eq!(ids, ["mem.till", "mem.till-l2"]);
    assert!(n_values(&record, "collector.mem.till-l2.memory.free") >= 3);
    assert!(ws.exists("results/latest/collectors/mem.till-l2.stdout.txt"));
}

#[test]
fn their_cpu_time_is_neither_the_lanes_nor_of_other_programs() {
    let busy = "while :; do :; done";
    let ws = beside(3, &shell("busy", busy, ""));
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    let mean = |name: &str| {
        let values = &record.series_of(name).unwrap().values;
        values.iter().sum::<f64>() / values.len() as f64
    };
    let (own, scripts) = (mean("cpu.collectors"), mean("cpu.scripts"));
    // It has a core, or what other tests leave of one.
    assert!(own > 0.05 && scripts < own / 2.0, "{own} {scripts}");
    assert!(record.programs.iter().all(|program| program.name != "sh"), "{:?}", record.programs);
}

#[test]
fn ctrl_c_ends_collectors_and_keeps_what_they_gave() {
    let script = format!("trap 'echo $$ > ended; exit 0' INT; echo > ready; {FREE}");
    let ws = free(beside(3600, ""), "mem", &script, "");
    let ready = ws.path("ready");
    rustix::fs::mknodat(rustix::fs::CWD, &ready, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let child = ws.command(&["run"]).spawn().unwrap();
    fs::read_to_string(&ready).unwrap();
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    Ended::new(child.wait_with_output().unwrap(), &ws.root()).code(130);
    assert!(is_gone(&ws.read("ended")));
    let record = latest(&ws);
    assert!(record.interrupted && collector(&record, "mem").exit.as_ref().unwrap().asked);
}

#[test]
fn collectors_end_with_an_lp_that_is_killed() {
    // It prints nothing, ignores signals, and has a child.
    let script = "trap '' INT TERM HUP PIPE; exec 3> alive; sleep 1000 & echo $$ $! > pids; echo > ready; while :; do sleep 1000; done";
    let ws = beside(3600, &shell("stubborn", script, ""));
    for pipe in ["ready", "alive"] {
        let path = ws.path(pipe);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    let mut child = ws.command(&["run"]).spawn().unwrap();
    let alive = fs::File::open(ws.path("alive")).unwrap();
    fs::read_to_string(ws.path("ready")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // It ends when the last of them has closed its files, shortly before it is gone.
    assert_eq!(std::io::read_to_string(alive).unwrap(), "");
    let until = Instant::now() + Duration::from_secs(10);
    for pid in ws.read("pids").split_whitespace() {
        while !is_gone(pid) {
            assert!(Instant::now() < until, "{pid} lives");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_collector_belongs_to_the_run_and_says_so() {
    let ws = beside(1, "");
    ws.lp("build report").success();
    let config = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{config}{}", shell("mem", FREE, "parser = \"free\"\n")));
    let added = ws.lp("explain run:lane").success().stdout;
    expect![[r#"
        `run:lane` is stale: `collectors` was added
        `lp run` always measures; `lp build` would measure too: no record fits
    "#]]
    .assert_eq(&added);
    ws.lp("build report").success();
    ws.lp("build report").success().stderr_has("nothing to do");
    let config = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{config}required = true\n"));
    ws.lp("build report").success().stderr_has("nothing to do");
    ws.write("Lpfile.toml", &config.replace("0.2", "0.3"));
    let changed = ws.lp("explain run:lane").success().stdout;
    expect![[r#"
        `run:lane` is stale: item 3 of `command` changed from "...sleep 0.2; done" to "...sleep 0.3; done"
        `lp run` always measures; `lp build` would measure too: no record fits
    "#]]
    .assert_eq(&changed);
}

/// The real programs, as far as this machine has them.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn programs_of_this_machine_are_read() {
    let programs: [(&str, &str, &str, &str); 5] = [
        ("sar", "[\"sar\", \"-u\", \"-r\", \"1\"]", "sar", "cpu.all.idle"),
        ("free", "[\"free\", \"-s\", \"1\"]", "free", "memory.available"),
        (
            "perf",
            "[\"perf\", \"stat\", \"-x,\", \"-I\", \"1000\", \"-e\", \"task-clock\", \"-a\"]",
            "perf-stat",
            "task-clock",
        ),
        ("iotop", r#"["iotop", "-b", "-o", "-P"]"#, "iotop", "current.read"),
        ("iotop-c", r#"["stdbuf", "-oL", "iotop-c", "-b", "-o", "-P"]"#, "iotop-c", "current.read"),
    ];
    let is_there = |program: &str| {
        ["/usr/bin", "/bin", "/usr/sbin"]
            .iter()
            .any(|folder| fs::metadata(format!("{folder}/{program}")).is_ok())
    };
    let mut there = programs.to_vec();
    there.retain(|(program, ..)| is_there(program));
    for (program, ..) in programs.iter().filter(|(program, ..)| !is_there(program)) {
        eprintln!("skipped: there is no {program}");
    }
    let tables = there.iter().map(|(name, command, parser, _)| {
        format!("\n[[collector]]\nname = \"{name}\"\ncommand = {command}\nparser = \"{parser}\"\n")
    });
    let ws = beside(4, &tables.collect::<String>());
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    for (name, _, _, series) in there {
        let one = collector(&record, name);
        let n = n_values(&record, &format!("collector.{name}.{series}"));
        // A container may refuse them what they look at; then they say so.
        if name.starts_with("iotop") && !one.remarks.is_empty() || name == "perf" && n == 0 {
            eprintln!("skipped: {:?}", one.remarks);
            continue;
        }
        assert!(n >= 3 && one.output.unread == 0 && one.remarks.is_empty(), "{n} of {one:?}");
    }
}
