//! Programs of the user's beside real workers.

use crate::project::{latest, short};

const COLLECTORS: &str = r#"
[[collector]]
name = "one"
scope = "member"
command = ["sh", "-c", "cat /proc/{pid}/comm; echo {pid}; exec sleep 1000"]

[[collector]]
name = "all"
command = ["sh", "-c", "echo {pid}; exec sleep 1000"]
"#;

#[test]
fn a_collector_knows_the_processes_of_the_workers() {
    let steps = r#"{"type": "identity"}"#;
    let ws = short(&[("a", steps), ("b", steps)]);
    let config = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{config}{COLLECTORS}"));
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    assert!(record.collectors.iter().all(|one| one.remarks.is_empty()), "{:?}", record.collectors);
    let output = |id: &str| ws.read(&format!("results/latest/collectors/{id}.stdout.txt"));
    let pids = ["one.a", "one.b"].map(|id| {
        let text = output(id);
        let (name, pid) = text.split_once('\n').unwrap();
        assert_eq!(name, "lp-worker");
        pid.trim().to_owned()
    });
    assert_ne!(pids[0], pids[1]);
    assert_eq!(output("all").trim(), pids.join(","));

    // All members of a lane in one worker have the same.
    ws.lp("run --no-verdict --set run.isolation=lane").success();
    assert_eq!(output("one.a"), output("one.b"));
    assert_eq!(output("one.a").lines().last(), output("all").lines().last());
}
