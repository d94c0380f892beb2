//! The forms of a benchmark.

use expect_test::{Expect, expect};

use super::*;
use crate::diag::Color;
use crate::record::comparison::{ChangeFigures, Place, Side, Values};
use crate::record::fixture::six_cameras;
use crate::record::measure::measure;
use crate::report::grid::Paper;
use crate::stats::Interval;

fn figure(metric: Metric, values: &[f64]) -> Figure {
    Figure::of(metric, "lane", Ok(values.to_vec()))
}

fn cell(name: &str, figures: Vec<Figure>) -> Cell {
    let n = figures.first().map_or(0, |figure| figure.values.len());
    Cell {
        name: name.to_owned(),
        values: BTreeMap::from([("profile".to_owned(), name.to_owned())]),
        subject: "lane".to_owned(),
        pace: Pace::Live,
        state: if n == 0 { State::NotAvailable } else { State::Measured },
        reason: None,
        runs: (1..=n).map(|n| format!("20261201T06000{n}Z-abcdef")).collect(),
        dismissed: Vec::new(),
        left_out: Vec::new(),
        figures,
        outliers: Vec::new(),
        against: None,
    }
}

fn side(name: &str) -> Side {
    let runs = (1..=5).map(|n| format!("20261201T06000{n}Z-abcdef")).collect();
    Side { name: name.to_owned(), subject: "lane".to_owned(), runs, excluded: Vec::new() }
}

fn row(metric: Metric, at: &str, verdict: Verdict, (estimate, low, high): (f64, f64, f64)) -> Row {
    let interval = Interval { low, high };
    let (matters, relative) = match metric.matters() {
        Matters::Relative(share) => (share, true),
        Matters::Absolute(value) => (value, false),
    };
    Row {
        place: Place { camera: None, at: at.to_owned() },
        metric,
        unit: metric.unit().ucum(),
        decides: true,
        verdict,
        reason: None,
        matters,
        relative,
        baseline: Values::default(),
        candidate: Values::default(),
        change: Some(ChangeFigures { estimate, together: interval, alone: interval }),
        more_runs: None,
    }
}

/// Three placements: one is better, one cannot be played and has a name that means mischief.
fn placements() -> Bench {
    let cpu = cell(
        "profile=cpu",
        vec![
            figure(Metric::CpuPerFrame, &[4210.0, 4180.0, 4250.0, 4300.0, 4190.0]),
            figure(Metric::OnTime, &[0.999, 1.0, 0.998, 1.0, 0.997]),
        ],
    );
    let mut gpu = cell(
        "profile=gpu",
        vec![
            figure(Metric::CpuPerFrame, &[2110.0, 2080.0, 2150.0, 2100.0, 2090.0]),
            figure(Metric::OnTime, &[1.0; 5]),
        ],
    );
    gpu.against = Some(Comparison {
        verdict: Verdict::Better,
        headline: "profile=gpu is better: lane: CPU time per frame -50.1 % (-51.2..-49.0)".to_owned(),
        baseline: side("profile=cpu"),
        candidate: side("profile=gpu"),
        paired: true,
        refused: Vec::new(),
        differences: Vec::new(),
        warnings: vec!["the kernel is another one".to_owned()],
        wrong: Vec::new(),
        rows: vec![
            row(Metric::CpuPerFrame, "lane", Verdict::Better, (-0.501, -0.512, -0.49)),
            row(Metric::OnTime, "till-1/1", Verdict::Same, (0.001, -0.001, 0.003)),
        ],
        absent: BTreeMap::new(),
    });
    gpu.dismissed
        .push(Dismissed { run: "20261201T060009Z-aaaaaa".to_owned(), why: "it was interrupted".to_owned() });
    let mut npu = cell("profile=<b>np|u\u{1b}[2J", Vec::new());
    npu.reason = Some("this machine has no NPU".to_owned());
    Bench {
        version: VERSION,
        lp: "0.1.0".to_owned(),
        name: "lane-profile".to_owned(),
        seed: 7,
        new_runs: 10,
        interrupted: false,
        metric: Metric::CpuPerFrame,
        host: BTreeMap::from([("cpu".to_owned(), "Xeon".to_owned())]),
        cells: vec![cpu, gpu, npu],
        ranking: Some(Ranking { lines: vec!["best by CPU time per frame: profile=gpu".to_owned()] }),
        gate: None,
    }
}

#[track_caller]
fn check(text: &str, expect: Expect) {
    expect.assert_eq(text);
}

#[test]
fn a_table_fits_80_columns_and_says_first_what_matters() {
    let text = table(&placements(), Paper { width: Some(80), color: Color::Never });
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    check(
        &text,
        expect![[r#"
        best by CPU time per frame: profile=gpu

        cell                      cameras  runs  CPU time per frame  verdict
        profile=cpu               lane        5     4.23 ms ±1.45 %
        profile=gpu               lane        5     2.11 ms ±1.59 %  better
        profile=<b>np|u\u{1b}[2J  lane        0                   -  not available

        CPU time per frame     mean       95 % interval   median
          profile=cpu       4.23 ms  4.16 ms to 4.29 ms  4.21 ms
          profile=gpu       2.11 ms  2.07 ms to 2.14 ms   2.1 ms

        frames on time     mean     95 % interval  median
          profile=cpu   99.88 %  99.71 % to 100 %  99.9 %
          profile=gpu     100 %    100 % to 100 %   100 %

        profile=gpu is better: lane: CPU time per frame -50.1 % (-51.2..-49.0) (against
          profile=cpu)
          metric              of        change                    verdict
          CPU time per frame  lane      -50.1 % (-51.2..-49.0)    better
          frames on time      till-1/1  +0.1 points (-0.1..+0.3)  same

        note: the kernel is another one
        note: profile=gpu: run 20261201T060009Z-aaaaaa does not count: it was
          interrupted
        note: profile=<b>np|u\u{1b}[2J: not available: this machine has no NPU
    "#]],
    );
}

#[test]
fn markdown_has_no_markup_of_others() {
    check(
        &md(&placements()),
        expect![[r#"
        **best by CPU time per frame: profile=gpu**

        | cell | cameras | runs | CPU time per frame | frames on time | verdict |
        | --- | --- | --- | --- | --- | --- |
        | profile=cpu | lane | 5 | 4.23 ms ±1.45 % | 99.88 % ±0.14 % |  |
        | profile=gpu | lane | 5 | 2.11 ms ±1.59 % | 100 % ±0 % | **better** |
        | profile=&lt;b&gt;np\|u\\u{1b}\[2J | lane | not available | - | - | not available |

        profile=gpu is better: lane: CPU time per frame -50.1 % (-51.2..-49.0) (against profile=cpu)

        | metric | of | change | verdict |
        | --- | --- | --- | --- |
        | CPU time per frame | lane | -50.1 % (-51.2..-49.0) | better |
        | frames on time | till-1/1 | +0.1 points (-0.1..+0.3) | same |

        - profile=gpu: 1 not counted, the last: it was interrupted
        - profile=&lt;b&gt;np\|u\\u{1b}\[2J: this machine has no NPU

        - best by CPU time per frame: profile=gpu

        Host: cpu Xeon. Order by seed 7.
    "#]],
    );
}

#[test]
fn a_row_of_the_csv_is_a_figure() {
    let text = csv(&placements());
    let first: Vec<String> =
        text.lines().map(|line| line.split(',').take(13).collect::<Vec<_>>().join(",") + "\n").collect();
    check(
        &first.concat(),
        expect![[r#"
        cell,subject,state,reason,runs,metric,of,unit,mean,low,high,median,deviation
        profile=cpu,lane,measured,,5,cpu_per_frame,lane,us,4226,4164.7921357407395,4287.2078642592605,4210,49.29503017546495
        profile=cpu,lane,measured,,5,on_time,lane,1,0.9987999999999999,0.9971810682152907,1,0.999,0.0013038404810405309
        profile=gpu,lane,measured,,5,cpu_per_frame,lane,us,2106,2072.4520861507235,2139.5479138492765,2100,27.018512172212592
        profile=gpu,lane,measured,,5,on_time,lane,1,1,1,1,1,0
        profile=<b>np|u\u{1b}[2J,lane,not available,this machine has no NPU,0,,,,,,,,
    "#]],
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_page_is_whole_without_network_and_script() {
    let page = html(&placements(), Some("bench"));
    let (text, _) = page.split_once("<script").unwrap();
    for wanted in [
        "<title>best by CPU time per frame: profile=gpu - benchmark</title>",
        "<svg",
        "class=\"bar\"",
        "&lt;b&gt;np|u",
    ] {
        assert!(text.contains(wanted), "no `{wanted}`");
    }
    for unwanted in ["http:", "https:", "<b>np", "\u{1b}", "NaN"] {
        assert!(!text.contains(unwanted), "`{unwanted}`");
    }
    // Ten runs, each a dot in the picture of each of the two metrics.
    assert_eq!(text.matches("class=\"run\"").count(), 20);
}

#[test]
fn equal_values_and_a_single_run_make_a_picture_too() {
    let mut bench = placements();
    bench.cells = vec![
        cell("a", vec![figure(Metric::CpuPerFrame, &[0.0, 0.0])]),
        cell("b", vec![figure(Metric::CpuPerFrame, &[0.0])]),
    ];
    bench.ranking = None;
    let page = html(&bench, None);
    let (text, _) = page.split_once("<script").unwrap();
    assert!(!text.contains("NaN") && !text.contains("inf%"), "{text}");
    assert!(text.contains("one run"));
    assert!(table(&bench, Paper::PLAIN).starts_with("2 of 2 cells measured, 1 to 2 repeats each\n"));
}

#[test]
fn people_see_no_interval_below_what_can_be() {
    let start_up = figure(Metric::StartUp, &[100e3, 900e3]);
    assert!(start_up.low.unwrap() < 0.0);
    assert!(start_up.interval().unwrap().starts_with("0 ms to "), "{:?}", start_up.interval());
    assert!(start_up.shown().starts_with("500.0 ms ±"), "{}", start_up.shown());
    // A frame may be early.
    let lateness = figure(Metric::LatenessP95, &[1e3, 9e3]);
    assert!(lateness.interval().unwrap().starts_with('-'), "{:?}", lateness.interval());
    let text = table(&placements(), Paper { width: Some(60), color: Color::Never });
    assert!(text.contains("(-51.2..-49.0)"), "{text}");
}

#[test]
fn a_gate_is_the_headline() {
    let mut bench = placements();
    bench.gate = Some(Gate { result: GateResult::CannotTell, reason: "one run each".to_owned() });
    assert!(table(&bench, Paper::PLAIN).starts_with("cannot tell: one run each\n"));
    let document: serde_json::Value = serde_json::from_str(&bench.json()).unwrap();
    assert_eq!(document["gate"]["result"], "cannot_tell");
    assert_eq!(document["cells"][1]["against"]["rows"][0]["metric"], "cpu_per_frame");
    assert_eq!(document["cells"][2]["state"], "not_available");
}

#[test]
fn figures_have_the_lane_first_and_a_reason_where_there_is_no_value() {
    let one = measure(&six_cameras());
    let all = figures(&[&one, &one], Pace::Live);
    let lane: Vec<&Figure> = all.iter().filter(|figure| figure.at == "lane").collect();
    assert!(lane.iter().all(|figure| figure.values.len() == 2 || figure.absent.is_some()), "{lane:?}");
    assert!(lane.iter().any(|figure| figure.metric == Metric::PowerMean && figure.absent.is_some()));
    assert!(all.iter().any(|figure| figure.metric == Metric::Fps && figure.at == "camera-1/1"));
    assert!(all.iter().filter(|figure| figure.at != "lane").all(|figure| figure.absent.is_none()));
    assert!(figures(&[], Pace::Live).is_empty());
}

#[test]
fn a_repeat_that_is_far_from_the_others_is_named() {
    let runs: Vec<String> = (0..6).map(|n| format!("run-{n}")).collect();
    let values = [4210.0, 4180.0, 4250.0, 6100.0, 4190.0, 4200.0];
    check(
        &outliers(Metric::CpuPerFrame, &values, &runs).join("\n"),
        expect![
            "run run-3 is far from the others: CPU time per frame 6.1 ms, their median is 4.21 ms; it counts all the same"
        ],
    );
    assert!(outliers(Metric::CpuPerFrame, &values[..3], &runs).is_empty());
    assert!(outliers(Metric::CpuPerFrame, &[5.0; 5], &runs).is_empty());
    assert_eq!(outliers(Metric::CpuPerFrame, &[5.0, 5.0, 5.0, 5.0, 9.0], &runs).len(), 1);
}
