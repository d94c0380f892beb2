//! What `lp` prints is understood by the programs it is meant for: a shell with
//! `gst-launch-1.0`, Graphviz, a browser.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use lp::record::measure::measure;

use crate::lane::lane;
use crate::project::short;

#[test]
fn the_shown_launch_line_runs_in_a_shell() {
    let ws = short(&[(
        "camera-3",
        r#"{"type": "motioncells", "properties": {"gap": 1, "display": false}}, {"type": "zbar"}"#,
    )]);
    ws.lp("build camera-3").success();
    let shown = ws.lp("show --launch camera-3").success().stdout;
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with("gst-launch-1.0 ")).collect();
    let [line] = lines.as_slice() else { panic!("{shown}") };
    let output = Command::new("sh").args(["-c", line]).current_dir(ws.root()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Got EOS from element"), "{text}");
}

#[test]
fn graphviz_draws_the_graph() {
    let ws = &lane().ws;
    let dot = ws.lp("graph --dot").success().stdout;
    let mut graphviz = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    graphviz.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
    let output = graphviz.wait_with_output().unwrap();
    let svg = succeeded(&output);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for label in ["generate:fake&#45;scan.mp4", "plan:camera&#45;6", "run:lane", "report"] {
        assert!(svg.contains(&format!(">{label}</text>")), "`{label}` is not in:\n{svg}");
    }
}

#[test]
fn the_page_of_a_run_opens_in_a_browser() {
    let lane = lane();
    let page = lane.ws.path(&lane.view).join("report.html");
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = succeeded(&output);
    let verdict = measure(&lane.record).verdict;
    assert!(dom.contains(&verdict), "`{verdict}` is not in:\n{dom}");
    assert!(lane.record.members.len() <= dom.matches("<svg").count());
    for member in &lane.record.members {
        assert!(dom.contains(&member.camera));
    }
    // Everything is in the page itself.
    for from_elsewhere in ["<script src", "<link", "<img", "http://", "https://"] {
        let text = dom.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains(from_elsewhere), "{from_elsewhere}");
    }
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
