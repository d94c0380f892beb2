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
    let source = text.replace('&', "&amp;").replace('"', "&quot;");
    let frame =
        |width: u32| format!("<iframe style=\"width:{width}px;height:800px\" srcdoc=\"{source}\"></iframe>");
    let measure = "onload = () => {
        const parts = [...document.querySelectorAll('iframe')].flatMap(frame => {
            const page = frame.contentDocument;
            const wide = [page.documentElement, ...page.querySelectorAll('.scroll, .saw')]
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

    let paper = folder.path().join("page.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    succeeded(&chromium(&[print, format!("file://{}", page.display())]));
    let pdf = String::from_utf8_lossy(&std::fs::read(&paper).unwrap()).into_owned();
    let n_pages = pdf.matches("/Type /Page\n").count();
    assert!((1..=lane.record.members.len()).contains(&n_pages), "{n_pages} pages");
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
