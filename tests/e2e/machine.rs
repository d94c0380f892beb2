//! Collectors of the machine, as `lp doctor --json` reads them: on this machine, as another
//! user, and on made-up ones (`LP_SYSROOT`).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
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
        "bandwidth",
        "cgroup",
        "cpu",
        "disk",
        "gpu",
        "machine",
        "memory",
        "network",
        "npu",
        "nvidia",
        "power",
        "pressure",
        "processes",
        "temperature",
        "throttle",
    ];
    assert_eq!(readings.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    for (collector, reading) in readings {
        let values = reading["values"].as_array().unwrap();
        let is_reason = |reason: &Value| reason.as_str().is_some_and(|reason| !reason.is_empty());
        // Of a GPU whose driver `lp` does not know, there is only a reason.
        let missing = reading["missing"].as_object().unwrap();
        let says = !values.is_empty() || is_reason(&reading["reason"]) || !missing.is_empty();
        assert!(says || collector == "disk", "{reading}");
        for value in values {
            assert!(value["value"].is_f64() || is_reason(&value["reason"]), "{value}");
            assert!(is_reason(&value["unit"]), "{value}");
        }
        assert!(missing.values().all(is_reason), "{reading}");
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

/// What `lp doctor` says to another user than root; `None`, with a line that says so, if only this user may
/// be asked. Before that, `prepare` gets a folder within that user's reach, which `LP_SYSROOT` names if
/// there is then something in it.
fn doctor_as_nobody(ws: &Workspace, flags: &[&str], prepare: impl Fn(&Path)) -> Option<Ended> {
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let may = Command::new("setpriv").args(nobody).arg("true").output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        // Not by `eprintln!`, which a test that passes swallows.
        std::io::stderr().write_all(b"skipped: only root may become another user\n").unwrap();
        return None;
    }
    // The program must be within that user's reach.
    let folder = tempfile::Builder::new().prefix("lp-machine-").tempdir().unwrap();
    let (lp, root) = (folder.path().join("lp"), folder.path().join("root"));
    std::fs::copy(env!("CARGO_BIN_EXE_lp"), &lp).unwrap();
    std::fs::create_dir(&root).unwrap();
    let open = Command::new("chmod").args(["-R", "a+rwX"]).arg(folder.path()).status().unwrap();
    assert!(open.success());
    prepare(&root);
    let is_prepared = std::fs::read_dir(&root).unwrap().next().is_some();
    let output = Command::new("setpriv")
        .args(nobody)
        .arg(&lp)
        .arg("doctor")
        .args(flags)
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("LP_LOCK_DIR", folder.path().join("lock"))
        .env("LP_SYSROOT", if is_prepared { root.as_os_str() } else { "/".as_ref() })
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .output()
        .unwrap();
    Some(Ended::new(output, &ws.root()))
}

#[test]
fn an_ordinary_user_gets_a_value_or_a_reason() {
    let Some(ended) = doctor_as_nobody(&project(), &["--json"], |_| {}) else { return };
    let readings = readings(&ended);
    has_value_or_reason(&readings);
    assert!(value(&readings, "machine", "machine.memory").unwrap() > 1e6);
    assert!(value(&readings, "processes", "cpu.lp").is_some());
}

#[test]
fn an_ordinary_user_is_told_how_to_read_the_power_of_the_cpu() {
    let prepare = |root: &Path| {
        let zone = root.join("sys/class/powercap/intel-rapl:0");
        std::fs::create_dir_all(&zone).unwrap();
        std::fs::write(zone.join("name"), "package-0\n").unwrap();
        std::fs::write(zone.join("energy_uj"), "7\n").unwrap();
        // As Linux gives it.
        let closed = Command::new("chmod").arg("400").arg(zone.join("energy_uj")).status().unwrap();
        assert!(closed.success());
    };
    let Some(ended) = doctor_as_nobody(&project(), &["--json"], prepare) else { return };
    let reason = readings(&ended)["power"]["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("Permission denied") && reason.contains("only root may since Linux 5.10"),
        "{reason}"
    );
    let text = doctor_as_nobody(&project(), &[], prepare).unwrap().stdout;
    assert!(text.contains(r#"SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl:*""#), "{text}");
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
        ("proc/1/stat", "1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n"),
        ("sys/class/drm/card0/device/uevent", "DRIVER=i915\nPCI_SLOT_NAME=0000:00:02.0\n"),
        ("sys/class/drm/card0/engine/vcs0/name", "vcs0\n"),
        ("sys/class/drm/card0/gt_act_freq_mhz", "1300\n"),
        ("sys/class/accel/accel0/device/npu_busy_time_us", "5000\n"),
        ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "5000\n"),
        ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "7\n"),
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
        ("gpu", "gpu.card0.video.own", 0.0),
        ("gpu", "gpu.card0.video.foreign", 0.0),
        ("gpu", "gpu.card0.frequency", 1.3e9),
        ("npu", "npu.accel0.busy", 0.0),
        ("bandwidth", "bandwidth.l3_0", 0.0),
    ];
    for (collector, series, expected) in known {
        assert_eq!(value(&readings, collector, series), Some(expected), "{series}");
    }
    // A counter of energy that never grew.
    assert_eq!(value(&readings, "power", "power.package_0"), None);
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
        assert!(reading["reason"].as_str().unwrap().contains("/root"), "{reading}");
    }
}

/// A library of NVIDIA with two made-up GPUs, in a folder; `None`, with a line that says so, without a compiler.
fn nvml(ws: &Workspace) -> Option<String> {
    let library = ws.path("nvml/libnvidia-ml.so.1");
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/nvml.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    let Ok(compiled) = compiled else {
        std::io::stderr().write_all(b"skipped: there is no C compiler `cc`\n").unwrap();
        return None;
    };
    assert!(compiled.success());
    Some(library.parent().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn gpus_of_nvidia_are_read_by_the_library_of_their_driver() {
    let ws = project();
    let Some(folder) = nvml(&ws) else { return };
    let ws = ws.env("LD_LIBRARY_PATH", &folder);
    let readings = readings(&ws.lp("doctor --json"));
    has_value_or_reason(&readings);
    let known = [
        ("gpu.nvidia0.busy", 0.5),
        ("gpu.nvidia0.memory_busy", 0.25),
        ("gpu.nvidia0.encode", 0.0),
        ("gpu.nvidia0.decode", 0.97),
        ("gpu.nvidia0.power", 72.5),
        ("gpu.nvidia0.frequency", 1.98e9),
        ("gpu.nvidia0.temperature", 61.0),
        ("gpu.nvidia0.slowed", 0.0),
        ("gpu.nvidia0.power_capped", 1.0),
        ("gpu.nvidia1.power", 72.5),
    ];
    for (series, expected) in known {
        assert_eq!(value(&readings, "nvidia", series), Some(expected), "{series}");
    }
    let missing = readings["nvidia"]["missing"].as_object().unwrap();
    let expected = [
        "gpu.nvidia0.memory.vram",
        "gpu.nvidia1.busy",
        "gpu.nvidia1.decode",
        "gpu.nvidia1.encode",
        "gpu.nvidia1.memory.vram",
        "gpu.nvidia1.memory_busy",
    ];
    assert_eq!(missing.keys().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_library_of_nvidia_without_a_driver_has_a_reason() {
    let ws = project();
    let Some(folder) = nvml(&ws) else { return };
    // NVML_ERROR_DRIVER_NOT_LOADED
    let ws = ws.env("LD_LIBRARY_PATH", &folder).env("FAKE_NVML", "9");
    let readings = readings(&ws.lp("doctor --json"));
    let reason = readings["nvidia"]["reason"].as_str().unwrap();
    assert_eq!(reason, "no GPU of NVIDIA is measured: NVIDIA driver is not loaded");
}
