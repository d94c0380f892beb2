//! A run on a machine whose power is known: sensors made by hand, beside the real processes.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::project::short;

#[test]
fn a_run_has_its_power_that_of_the_idle_machine_and_the_energy_of_a_frame() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    std::fs::create_dir_all(ws.path("root/sys/class/hwmon/hwmon0")).unwrap();
    ws.write("root/sys/class/hwmon/hwmon0/name", "power_meter\n");
    ws.write("root/sys/class/hwmon/hwmon0/power1_average", "42000000\n");
    symlink("/proc", ws.path("root/proc")).unwrap();
    let root = ws.path("root").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &root);
    let shown = ws.lp("run --duration 4s --no-verdict").success().stdout;
    let said = "power: 42.0 W of the whole machine, 42.0 W when idle (for 3s before the run); 2.";
    assert!(shown.contains(said), "{shown}");

    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let energy = &report["measurement"]["energy"];
    assert_eq!(energy["parts"], serde_json::json!(["power.power_meter.power1"]));
    let fps = report["measurement"]["totals"]["fps"].as_f64().unwrap();
    let joules = energy["joules_per_frame"].as_f64().unwrap();
    assert!((joules * fps - 42.0).abs() < 0.01, "{joules} J x {fps} fps");
    assert!((2_900..4_500).contains(&energy["idle_ms"].as_u64().unwrap()), "{energy}");
    let csv = ws.read("results/latest/report.csv");
    assert!(csv.lines().next().unwrap().contains(",joules_per_frame_above_idle,fps_per_watt,"), "{csv}");
}
