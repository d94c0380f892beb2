//! A pipeline that grows is found, and one beside it that does not is none.

use serde_json::Value;

use crate::project::short;

#[test]
fn a_queue_without_bounds_before_a_slow_step_is_a_leak_of_its_worker() {
    let endless = r#"{"type": "queue", "properties": {"max-size-buffers": 0, "max-size-bytes": 0, "max-size-time": 0}},
        {"type": "identity", "properties": {"sleep-time": 200000}}"#;
    let ws = short(&[("till", endless), ("door", r#"{"type": "identity"}"#)]);
    let ended = ws.lp("run --duration 65s --no-verdict").success();
    let leaks: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("leak: ")).collect();
    assert_eq!(leaks.len(), 1, "{}", ended.stdout);
    assert!(leaks[0].starts_with("leak: memory of worker till grows by "), "{leaks:?}");
    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let soak = report["measurement"]["soak"].as_array().unwrap();
    let of = |about: &str, quantity: &str| {
        soak.iter().find(|one| one["about"] == about && one["quantity"] == quantity).unwrap()
    };
    // 10 of 15 frames a second wait, of 86,400 bytes each: 2,966 MiB an hour.
    let grows = of("worker till", "memory")["per_hour"].as_f64().unwrap() / 1_048_576.0;
    assert!((2_000.0..4_000.0).contains(&grows), "{grows}");
    // A minute is too short to tell that nothing leaks.
    assert_eq!(of("worker door", "memory")["verdict"], "cannot_tell");
    assert_eq!(of("worker door", "files")["verdict"], "cannot_tell");
    assert!(of("worker door", "files")["per_hour"].is_number());
}
