//! What `lp` prints is understood by the programs it is meant for: a shell with
//! `gst-launch-1.0`, Graphviz, a browser.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use lp::record::density::{self, DensityRecord, SettingRecord, Unit};
use lp::record::density_figures::figures;
use lp::record::measure::measure;
use lp::record::upstream::{UpstreamRule, upstream};
use lp::report::{self, density::DensityShown};
use lp::search::{Answer, Goal, Rules, State};

use crate::lane::{Lane, lane};
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
    let output = chromium(&["--dump-dom".to_owned(), format!("file://{}", page.display())]);
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

/// No column is cut off on a phone, on a screen and on paper: a frame of that width never
/// needs to be scrolled sideways, nor does a part of it.
#[test]
fn the_page_of_a_run_fits_a_phone_a_screen_and_paper() {
    let lane = lane();
    let page = lane.ws.path(&lane.view).join("report.html");
    let text = std::fs::read_to_string(&page).unwrap();
    assert_fits(&text);

    let folder = tempfile::tempdir().unwrap();
    let paper = folder.path().join("page.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    succeeded(&chromium(&[print, format!("file://{}", page.display())]));
    let pdf = String::from_utf8_lossy(&std::fs::read(&paper).unwrap()).into_owned();
    let n_pages = pdf.matches("/Type /Page\n").count();
    // The cameras, and one more for the machine and the plan.
    assert!((1..=lane.record.members.len() + 1).contains(&n_pages), "{n_pages} pages");
}

/// A search that measured the lane once, which holds, and once more, which does not.
fn search(lane: &Lane) -> DensityRecord {
    let run = &lane.record;
    let setting = |lanes, state, span_us, reason: Option<&str>| SettingRecord {
        lanes,
        goal: Goal::Confirm,
        state,
        reason: reason.map(str::to_owned),
        worst: Some(run.members[0].streams[0].stream.clone()),
        span_us,
        record: run.clone(),
    };
    DensityRecord {
        version: density::VERSION,
        subject: run.subject.clone(),
        started: run.started,
        utc_offset_s: run.utc_offset_s,
        tag: None,
        provenance: run.provenance.clone(),
        unit: Unit::Lane,
        background: Vec::new(),
        rules: Rules { confidence: 0.95, max: 64, budget_s: 900.0, on_time: 0.99 },
        host: run.host.clone(),
        settings: vec![
            setting(1, State::Holds, (0, 30_000_000), None),
            setting(2, State::Fails, (30_000_000, 45_000_000), Some("97.1 % on time is less than 99 %")),
        ],
        answer: Answer { at_least: 1, at_most: Some(1), why: None, not_monotone: Vec::new() },
        at_answer: Some(Box::new(run.clone())),
        lack: None,
        limiter: None,
        interrupted: false,
        inputs_changed: Vec::new(),
        thresholds: Vec::new(),
    }
}

#[test]
fn the_page_of_a_search_opens_in_a_browser_and_fits_a_phone_a_screen_and_paper() {
    let record = search(lane());
    let figures = figures(&record);
    let upstream = upstream(&record, &figures, &UpstreamRule::default());
    let shown = DensityShown {
        id: "20261124T064200Z-9f2c41",
        record: &record,
        figures: &figures,
        upstream: &upstream,
        price: None,
    };
    let text = report::density::html(&shown, None);
    assert_fits(&text);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("density.html");
    std::fs::write(&page, &text).unwrap();
    let place = format!("file://{}", page.display());
    let dom = succeeded(&chromium(&["--dump-dom".to_owned(), place.clone()]));
    let verdict = figures.verdict.replace(" %", "\u{a0}%");
    assert!(
        dom.contains(&verdict) || dom.contains(&verdict.replace('\u{a0}', "&nbsp;")),
        "{verdict}:\n{dom}"
    );
    for part in [
        "<rect class=\"bar holds confirm\"",
        "<rect class=\"bar does_not_hold confirm\"",
        "aria-label=\"Headroom of each camera\"",
    ] {
        assert!(dom.contains(part), "`{part}` is not in:\n{dom}");
    }
    let paper = folder.path().join("page.pdf");
    succeeded(&chromium(&[format!("--print-to-pdf={}", paper.display()), place]));
    assert!(std::fs::metadata(&paper).unwrap().len() > 10_000);
}

/// A frame of the width of a phone, a tablet or a screen never needs to be scrolled sideways,
/// nor does a part of the page in it.
#[track_caller]
fn assert_fits(text: &str) {
    let source = text.replace('&', "&amp;").replace('"', "&quot;");
    let frame =
        |width: u32| format!("<iframe style=\"width:{width}px;height:800px\" srcdoc=\"{source}\"></iframe>");
    let measure = "onload = () => {
        const parts = [...document.querySelectorAll('iframe')].flatMap(frame => {
            const page = frame.contentDocument;
            const wide = [page.documentElement, ...page.querySelectorAll('.scroll, .saw, .path')]
                .filter(part => part.clientWidth < part.scrollWidth)
                .map(part => `${part.className || 'page'} ${part.scrollWidth} of ${part.clientWidth}`);
            const right = Math.max(...[...page.querySelectorAll('.fps, .badge')].map(of => of.getBoundingClientRect().right));
            return [`${frame.style.width}:`, ...wide, right <= page.documentElement.clientWidth ? 'seen' : `${right}`];
        });
        document.body.innerText = parts.join(' ');
    }";
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames.html");
    let widths = [360, 390, 768, 1280].map(frame).concat();
    std::fs::write(&frames, format!("<meta charset=utf-8><body>{widths}<script>{measure}</script>")).unwrap();
    let dom = succeeded(&chromium(&["--dump-dom".to_owned(), format!("file://{}", frames.display())]));
    assert!(dom.contains("360px: seen 390px: seen 768px: seen 1280px: seen"), "{dom}");
}

fn chromium(args: &[String]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(args)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}
