//! Collectors of the machine, as `lp doctor --json` reads them: on this machine, as another
//! user, and on made-up ones (`LP_SYSROOT`).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::support::{Ended, Workspace};

fn project() -> Workspace {
    Workspace::empty()
        .file("Lpfile.toml", "")
        .file(
            "configs/camera_to_workload.json",
            r#"{"lane_config": {"cameras": [{"camera_id": "till", "fileSrc": "a.mp4", "workloads": ["w"]}]}}"#,
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "identity"}]}}"#)
        .file("media/a.mp4", "a video")
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
}

/// By collector.
fn readings(ended: &Ended) -> BTreeMap<String, Value> {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let readings = document["readings"].as_array().unwrap().iter();
    readings.map(|reading| (reading["collector"].as_str().unwrap().to_owned(), reading.clone())).collect()
}

/// The value of a series.
fn value(readings: &BTreeMap<String, Value>, collector: &str, series: &str) -> Option<f64> {
    let values = readings[collector]["values"].as_array().unwrap();
    values.iter().find(|value| value["name"] == series).unwrap_or_else(|| panic!("no {series}"))["value"]
        .as_f64()
}

/// Every collector has values with units, or a reason; an unknown value has a reason too.
#[track_caller]
fn has_value_or_reason(readings: &BTreeMap<String, Value>) {
    let expected = [
        "cgroup",
        "cpu",
        "disk",
        "machine",
        "memory",
        "network",
        "pressure",
        "processes",
        "temperature",
        "throttle",
    ];
    assert_eq!(readings.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for (collector, reading) in readings {
        let values = reading["values"].as_array().unwrap();
        let is_reason = |reason: &Value| reason.as_str().is_some_and(|reason| !reason.is_empty());
        assert!(!values.is_empty() || is_reason(&reading["reason"]) || collector == "disk", "{reading}");
        for value in values {
            assert!(value["value"].is_f64() || is_reason(&value["reason"]), "{value}");
            assert!(is_reason(&value["unit"]), "{value}");
        }
        assert!(reading["missing"].as_object().unwrap().values().all(is_reason), "{reading}");
    }
}

#[test]
fn doctor_reads_every_collector_of_this_machine() {
    let ws = project();
    let readings = readings(&ws.lp("doctor --json"));
    has_value_or_reason(&readings);
    let memory = value(&readings, "machine", "machine.memory").unwrap();
    assert!(memory > 1e6, "{memory}");
    assert!(value(&readings, "processes", "cpu.others").unwrap() <= 1.0);
    ws.lp("doctor").stdout_has("readings over ");
}

#[test]
fn an_ordinary_user_gets_a_value_or_a_reason() {
    let ws = project();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let may = Command::new("setpriv").args(nobody).arg("true").output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        // Only root may become another user; then this test is what the first one is.
        return;
    }
    // The project and the program must be within that user's reach.
    let folder = std::env::temp_dir().join(format!("lp-machine-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let lp = folder.join("lp");
    std::fs::copy(env!("CARGO_BIN_EXE_lp"), &lp).unwrap();
    let open = Command::new("chmod").args(["-R", "a+rwX"]).arg(&folder).status().unwrap();
    assert!(open.success());
    let output = Command::new("setpriv")
        .args(nobody)
        .arg(&lp)
        .args(["doctor", "--json"])
        .current_dir(&folder)
        .env("HOME", &folder)
        .env("LP_LOCK_DIR", folder.join("lock"))
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let readings = readings(&Ended::new(output, &ws.root()));
    has_value_or_reason(&readings);
    assert!(value(&readings, "machine", "machine.memory").unwrap() > 1e6);
    assert!(value(&readings, "processes", "cpu.lp").is_some());
}

#[test]
fn another_root_is_another_machine() {
    let ws = project();
    let cores: String = (0..192).map(|core| format!("cpu{core} 0 0 0 0 0 0 0 0 0 0\n")).collect();
    let files = [
        ("proc/stat", cores.as_str()),
        ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\nSwapTotal: 8 kB\nSwapFree: 7 kB\n"),
        ("proc/vmstat", "pswpin 5\npswpout 6\n"),
        ("proc/diskstats", "8 0 sda 1 0 8 1 1 0 8 1 0 5 5\n"),
        ("proc/net/dev", "eth0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"),
        ("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Made Up\n"),
        ("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n"),
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
        ("sys/fs/cgroup/cpu.stat", "nr_periods 1\nnr_throttled 0\n"),
        ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("sys/class/thermal/thermal_zone0/temp", "51000\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n"),
        ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n"),
    ];
    files.iter().for_each(|(path, text)| ws.write(&format!("root/{path}"), text));
    let root = ws.path("root").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &root);
    let readings = readings(&ws.lp("doctor --json"));
    has_value_or_reason(&readings);
    let known = [
        ("machine", "machine.memory", 600.0 * 1024.0),
        ("cpu", "cpu.191.busy", 1.0),
        ("cpu", "cpu.frequency", 2.4e9),
        ("memory", "memory.swap", 1024.0),
        ("memory", "memory.swap_in", 0.0),
        ("disk", "disk.sda.busy", 0.0),
        ("network", "network.eth0.received", 0.0),
        ("pressure", "pressure.cpu.some", 0.0),
        ("temperature", "temperature.x86_pkg_temp", 51.0),
        ("throttle", "throttle.count", 0.0),
        ("cgroup", "cgroup.throttled", 0.0),
    ];
    for (collector, series, expected) in known {
        assert_eq!(value(&readings, collector, series), Some(expected), "{series}");
    }
    let processes = readings["processes"]["reason"].as_str().unwrap();
    assert!(processes.contains("the process of `lp`"), "{processes}");
    assert!(readings["pressure"]["missing"]["pressure.io"].as_str().unwrap().contains("No such file"));
}

#[test]
fn an_empty_root_has_a_reason_for_everything() {
    let ws = project();
    ws.write("root/readme", "nothing\n");
    let root = ws.path("root").to_str().unwrap().to_owned();
    let readings = readings(&ws.env("LP_SYSROOT", &root).lp("doctor --json"));
    for (collector, reading) in &readings {
        assert!(reading["values"].as_array().unwrap().is_empty(), "{collector}");
        assert!(reading["reason"].as_str().unwrap().contains("/root/"), "{reading}");
    }
}
