//! The pages that people mail, in a browser: three widths, light, dark and on paper, read aloud, with and
//! without their script. Their records are made, so every value that a page shows is known.
//!
//! `LP_PAGES=DIR` keeps pages and pictures of them, to be looked at.

mod browser;
mod made;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use lp::os::web::{Answer, WebServer};
use lp::record::RunRecord;
use lp::record::density::{self, DensityRecord, SettingRecord, Unit};
use lp::record::density_figures::figures;
use lp::record::measure::{Measurement, measure};
use lp::record::upstream::{UpstreamRule, upstream};
use lp::report::{self, Report, density::DensityShown};
use lp::search::{Goal, Rules, State};

use crate::browser::{Browser, Page};
use crate::made::{HOSTILE, Made};

const SMALL: Made = Made { cameras: 5, pipelines: 1, seconds: 40, is_full: true };
/// A phone, a tablet, both sides of the width at which tables become cards, a window in which the table of
/// cameras was once cut, a screen.
const WIDTHS: [u32; 5] = [390, 820, 1_100, 1_101, 1_280];

fn page_of(record: &RunRecord, measurement: &Measurement) -> String {
    report::html(&Report { run: "20261124T064200Z-9f2c41", record, measurement }, None)
}

/// A folder of pages, which `LP_PAGES` keeps.
struct Folder {
    path: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Folder {
    fn new() -> Folder {
        let temporary = tempfile::tempdir().unwrap();
        let kept = std::env::var_os("LP_PAGES").map(PathBuf::from);
        Folder { path: kept.unwrap_or_else(|| temporary.path().to_owned()), _temporary: temporary }
    }

    fn page(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A picture of a page, if it is kept.
    fn picture(&self, page: &mut Page<'_>, name: &str) {
        if std::env::var_os("LP_PAGES").is_some() {
            page.picture(&self.path.join(name));
        }
    }
}

/// No part of a page needs to be scrolled sideways, and no letters are cut off at its right.
#[track_caller]
fn assert_fits(page: &mut Page<'_>, width: u32) {
    let wide = page.value(
        "(() => {
            const page = document.documentElement;
            const inside = part => part.clientWidth + 1 < part.scrollWidth;
            const wide = [page, ...document.querySelectorAll('.scroll, .saw, .path, .card')].filter(inside);
            const beyond = [...document.querySelectorAll('text, td, th, .badge, .box, dd')]
                .filter(part => part.getBoundingClientRect().right > page.clientWidth);
            return [...wide, ...beyond].map(part =>
                `${part.nodeName} ${part.getAttribute('class')} ${part.scrollWidth} of ${part.clientWidth}, ` +
                `${part.textContent.slice(0, 40)}`).slice(0, 5);
        })()",
    );
    assert_eq!(wide, serde_json::json!([]), "{width} px");
}

/// Headings do not skip a level, tables, pictures and regions have names.
#[track_caller]
fn assert_readable(page: &mut Page<'_>, tables: usize) {
    let tree = page.tree();
    let of = |role: &str| tree.iter().filter(|node| node.0 == role).collect::<Vec<_>>();
    for role in ["image", "img", "region", "button", "heading", "link"] {
        let silent = of(role).iter().filter(|node| node.1.trim().is_empty()).count();
        assert_eq!(silent, 0, "{role} without a name");
    }
    assert!(of("table").len() >= tables, "{} of {tables} tables", of("table").len());
    assert!(of("main").len() == 1 && of("columnheader").len() >= 5, "{tree:?}");
    let levels =
        page.value("[...document.querySelectorAll('h1, h2, h3, h4')].map(head => +head.nodeName[1])");
    let levels: Vec<u64> = serde_json::from_value(levels).unwrap();
    assert_eq!((levels[0], levels.iter().filter(|level| **level == 1).count()), (1, 1));
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
}

#[test]
fn the_page_of_a_run_fits_is_read_sorted_and_followed() {
    let record = SMALL.record();
    let measurement = measure(&record);
    let text = page_of(&record, &measurement);
    let folder = Folder::new();
    let file = folder.page("run.html", &text);
    let mut browser = Browser::start();
    let mut page = browser.open(&file, 1_280);
    for (width, is_dark) in WIDTHS.into_iter().flat_map(|width| [(width, false), (width, true)]) {
        page.resize(width);
        page.dark(is_dark);
        assert_fits(&mut page, width);
        folder.picture(&mut page, &format!("run-{width}{}.png", if is_dark { "-dark" } else { "" }));
    }
    page.dark(false);
    assert_readable(&mut page, 3);
    page.resize(390);
    assert_readable(&mut page, 3);
    page.resize(1_280);
    assert_eq!(page.value("document.title"), format!("{} - lane", measurement.verdict));
    let names = page.value("[...document.querySelectorAll('.plan .source b')].map(name => name.textContent)");
    assert_eq!(names[2], HOSTILE);

    sorts(&mut page);
    follows(&mut page, &record);

    // Without the script, everything is there but buttons and the cursor.
    let words = "document.querySelector('main').innerText.replace(/\\s+/g, ' ')";
    page.go(&format!("file://{}", file.display()));
    let with = page.value(words);
    page.scripts(true);
    page.go(&format!("file://{}", file.display()));
    assert_eq!(page.value("document.querySelectorAll('button').length"), 0);
    assert_eq!(page.value(words).as_str().unwrap(), with.as_str().unwrap());
    assert_fits(&mut page, 1_280);
    let paper = page.print();
    if std::env::var_os("LP_PAGES").is_some() {
        std::fs::write(folder.path.join("run.pdf"), &paper).unwrap();
    }
    let pages = String::from_utf8_lossy(&paper).matches("/Type /Page\n").count();
    assert!((2..=8).contains(&pages), "{pages} pages");
    assert!(
        browser.complaints.is_empty() && browser.asked.is_empty(),
        "{:?} {:?}",
        browser.complaints,
        browser.asked
    );
}

/// The table of cameras, sorted by its columns.
#[track_caller]
fn sorts(page: &mut Page<'_>) {
    let mut column = |name: &str, cell: &str| {
        let script = format!(
            "(() => {{
                const table = document.querySelector('table.cameras');
                const button = [...table.tHead.querySelectorAll('button')].find(one => one.textContent.startsWith('{name}'));
                button.click();
                const cells = [...table.querySelectorAll('tbody tr:not(.reason):not(.lane)')].map(row => row.querySelector('{cell}').textContent);
                return [button.parentNode.getAttribute('aria-sort'), cells, table.querySelectorAll('[aria-sort]').length];
            }})()"
        );
        let found = page.value(&script);
        assert_eq!(found[2], 1, "one column is sorted");
        let cells: Vec<String> = serde_json::from_value(found[1].clone()).unwrap();
        (found[0].as_str().unwrap().to_owned(), cells)
    };
    let number = |cell: &String| cell.trim().split(' ').next().unwrap().parse::<f64>().unwrap();
    let (direction, cells) = column("fps", ".fps");
    let rates: Vec<f64> = cells.iter().map(number).collect();
    assert!(direction == "ascending" && rates.len() == 5 && rates.is_sorted(), "{rates:?}");
    let (direction, cells) = column("fps", ".fps");
    let rates: Vec<f64> = cells.iter().map(number).collect();
    assert!(direction == "descending" && rates.iter().rev().is_sorted(), "{rates:?}");
    let (_, cells) = column("Latency", "[data-sort].wide");
    assert!(cells[0].starts_with("5.5 /") && cells[4].starts_with("10.5 /"), "{cells:?}");
    let (_, cells) = column("Camera", "th");
    assert!(
        cells.iter().map(String::as_str).filter(|name| name.starts_with("Till")).is_sorted(),
        "{cells:?}"
    );
}

/// The cursor shows the values of the record at its time, in all charts at once.
#[track_caller]
fn follows(page: &mut Page<'_>, record: &RunRecord) {
    let mut at_key = |key: &str| {
        let script = format!(
            "(() => {{
                const charts = [...document.querySelectorAll('.chart')].filter(chart => chart.offsetParent);
                const svg = charts[0].querySelector('svg');
                svg.focus();
                svg.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}));
                const values = {{}};
                charts.forEach(chart => {{
                    const title = chart.querySelector('b').textContent;
                    chart.querySelectorAll('[data-series]').forEach(key => {{
                        values[`${{title}}: ${{key.firstChild.textContent}}`] ??= key.querySelector('.value').textContent;
                    }});
                }});
                return [charts[0].querySelector('.at').textContent, values, document.querySelector('.said').textContent,
                    document.querySelectorAll('.cursor').length, charts.length];
            }})()"
        );
        page.value(&script)
    };
    at_key("Home");
    for _ in 0..4 {
        at_key("ArrowRight");
    }
    let found = at_key("ArrowRight");
    assert_eq!(found[3], found[4], "every chart has the cursor");
    let at: f64 =
        found[0].as_str().unwrap().strip_prefix("at ").unwrap().strip_suffix(" s").unwrap().parse().unwrap();
    let second = at as u64;
    let values = &found[1];
    // The window of each stream begins two seconds after its first frame, at 0.
    let shown =
        |name: &str| values[name].as_str().unwrap_or_else(|| panic!("no {name}: {values}")).to_owned();
    assert_eq!(shown("Frame rate, fps: camera-2/1"), SMALL.frames(1, second).to_string());
    assert_eq!(
        shown("Frame rate, fps: all 5 streams"),
        format!("{}..15", SMALL.frames(1, second).min(SMALL.frames(3, second)))
    );
    let latency = f64::from(SMALL.latency_us(1, second)) / 1e3;
    assert_eq!(shown("Latency p95, ms: camera-2/1"), latency.to_string());
    // The sample next to it, by the record itself.
    let nearest = |name: &str| {
        let points = record.series_of(name).unwrap().points();
        points.min_by_key(|(at_us, _)| at_us.abs_diff((at * 1e6) as u64)).unwrap().1
    };
    let two = |value: f64| ((value * 100.0).round() / 100.0).to_string();
    assert_eq!(shown("CPU, all cores, %: all"), two(nearest("machine.cpu") * 100.0));
    assert_eq!(shown("CPU, all cores, %: pipelines of this run"), two(nearest("cpu.workers") * 100.0));
    assert_eq!(shown("GPU and NPU, %: gpu.card0.video.own"), "20");
    assert_eq!(shown("Memory, MiB: in use"), two(nearest("machine.memory") / f64::from(1 << 20)));
    assert_eq!(shown("Power, W: power.package_0"), two(nearest("power.package_0")));
    assert!(found[2].as_str().unwrap().starts_with(&format!("at {at} s: all 5 streams ")), "{}", found[2]);
    let cleared = at_key("Escape");
    assert_eq!((&cleared[0], &cleared[3]), (&"".into(), &0.into()));
}

#[test]
fn a_lane_of_16_cameras_with_10_pipelines_is_a_page_that_can_be_mailed() {
    let record = Made { cameras: 16, pipelines: 10, seconds: 200, is_full: true }.record();
    let text = page_of(&record, &measure(&record));
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    assert!(text.contains("The first 7 of 160 pictures"));
    let folder = Folder::new();
    let file = folder.page("large.html", &text);
    let mut browser = Browser::start();
    let mut page = browser.open(&file, 390);
    for width in WIDTHS {
        page.resize(width);
        assert_fits(&mut page, width);
    }
    folder.picture(&mut page, "large.png");
    assert_eq!(
        page.value("document.querySelectorAll('table.cameras tbody tr:not(.reason):not(.lane)').length"),
        160
    );
    assert!(
        browser.complaints.is_empty() && browser.asked.is_empty(),
        "{:?} {:?}",
        browser.complaints,
        browser.asked
    );
}

/// A search that measured a lane once, which holds, and twice, which does not.
fn search(run: &RunRecord) -> DensityRecord {
    let setting = |lanes, state, span_us, reason: Option<&str>| SettingRecord {
        lanes,
        goal: if state == State::Holds { Goal::Confirm } else { Goal::Explore },
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
        provenance: None,
        unit: Unit::Lane,
        background: Vec::new(),
        rules: Rules { confidence: 0.95, max: 64, budget_s: 900.0, on_time: 0.99 },
        host: run.host.clone(),
        settings: vec![
            setting(1, State::Holds, (0, 44_000_000), None),
            setting(2, State::Fails, (44_000_000, 88_000_000), Some("97.1 % on time is less than 99 %")),
        ],
        answer: lp::search::Answer { at_least: 1, at_most: Some(1), why: None, not_monotone: Vec::new() },
        at_answer: Some(Box::new(run.clone())),
        lack: None,
        limiter: None,
        interrupted: false,
        inputs_changed: Vec::new(),
        thresholds: Vec::new(),
    }
}

#[test]
fn the_page_of_a_search_fits_is_read_and_sorted() {
    let record = search(&SMALL.record());
    let figures = figures(&record);
    let upstream = upstream(&record, &figures, &UpstreamRule::default());
    let id = "20261124T064200Z-9f2c41";
    let shown = DensityShown { id, record: &record, figures: &figures, upstream: &upstream, price: None };
    let text = report::density::html(&shown, None);
    let folder = Folder::new();
    std::fs::write(folder.path.join("density-picture.png"), report::density::png(&shown)).unwrap();
    let file = folder.page("density.html", &text);
    let mut browser = Browser::start();
    let mut page = browser.open(&file, 1_280);
    for width in WIDTHS {
        page.resize(width);
        assert_fits(&mut page, width);
        folder.picture(&mut page, &format!("density-{width}.png"));
    }
    assert_readable(&mut page, 3);
    let lanes = "(() => {
        const table = document.querySelector('#settings');
        const button = table.querySelector('button');
        button.click(); button.click();
        return [...table.querySelectorAll('.lanes')].map(cell => cell.textContent.trim());
    })()";
    assert_eq!(page.value(lanes), serde_json::json!(["2", "1"]));
    // Its reason came along.
    let second = page.value("document.querySelectorAll('#settings tbody tr')[1].textContent");
    assert!(second.as_str().unwrap().starts_with("97.1\u{a0}% on time is less than 99\u{a0}%"), "{second}");
    assert!(
        browser.complaints.is_empty() && browser.asked.is_empty(),
        "{:?} {:?}",
        browser.complaints,
        browser.asked
    );
}

#[test]
fn a_page_loads_nothing_and_runs_nothing_but_its_own_script() {
    let record = SMALL.record();
    let text = page_of(&record, &measure(&record));
    // As if escaping had failed.
    let attack = "<img src=\"https://lp.invalid/a.png\"><script>document.title = 'owned'</script>\
                  <style>body { background: url(https://lp.invalid/b.png) }</style>\
                  <link rel=\"stylesheet\" href=\"https://lp.invalid/c.css\"><p onclick=\"document.title = 'owned'\" id=\"p\">p</p>";
    let folder = Folder::new();
    let file = folder.page("attacked.html", &text.replacen("<header>", &format!("<header>{attack}"), 1));
    let mut browser = Browser::start();
    let mut page = browser.open(&file, 1_280);
    page.value("document.querySelector('#p').click()");
    assert_ne!(page.value("document.title"), "owned");
    let refused = browser.complaints.iter().filter(|text| text.contains("Content Security Policy")).count();
    assert!(refused >= 4, "{:?}", browser.complaints);
    assert!(browser.asked.is_empty(), "{:?}", browser.asked);
}

#[test]
fn a_page_that_is_live_replaces_itself_and_can_be_sorted_and_followed_after_it() {
    let record = SMALL.record();
    let measurement = measure(&record);
    let later = Measurement { verdict: "later".to_owned(), ..measurement.clone() };
    let [first, second] = [&measurement, &later]
        .map(|measurement| report::live(&Report { run: "so far", record: &record, measurement }));
    let n_asked = AtomicUsize::new(0);
    let server = WebServer::start("127.0.0.1:0".parse().unwrap(), move |path| {
        (path == "/").then(|| {
            let is_first = n_asked.fetch_add(1, Ordering::Relaxed) == 0;
            let body = if is_first { first.clone() } else { second.clone() };
            Answer { content_type: "text/html; charset=utf-8", body }
        })
    })
    .unwrap();
    let place = format!("http://{}/", server.address());
    let mut browser = Browser::start();
    let mut page = browser.open_at(&place, 1_280);
    page.value("document.querySelector('details').open = true");
    let seen = "new Promise(done => {
        const see = () => document.querySelector('h1').textContent === 'later' ? done(1) : setTimeout(see, 20);
        see();
    })";
    assert_eq!(page.value(seen), 1);
    assert_eq!(page.value("document.querySelector('details').open"), true);
    sorts(&mut page);
    follows(&mut page, &record);
    browser.asked.retain(|_, asked| *asked != place);
    assert!(
        browser.complaints.is_empty() && browser.asked.is_empty(),
        "{:?} {:?}",
        browser.complaints,
        browser.asked
    );
}
