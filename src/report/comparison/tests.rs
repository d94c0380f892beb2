//! The appearance of each form of a comparison.

use expect_test::expect;
use serde_json::Value;

use super::*;
use crate::record::comparison::history::history;
use crate::record::comparison::tests::sides;
use crate::record::comparison::{Field, Options, compare};
use crate::record::metric::Metric;
use crate::record::schema::check;

fn worse() -> Comparison {
    let (baseline, candidate) = sides(8, 1.06);
    compare(&baseline, &candidate, &Options::default())
}

/// A comparison whose names come from somebody who means harm.
fn hostile() -> Comparison {
    let mut comparison = worse();
    let name = "<script>alert(1)</script>|`*\u{1b}[31m@all";
    comparison.candidate.name = name.to_owned();
    comparison.rows[1].place.at = name.to_owned();
    comparison.headline = format!("{name} is worse");
    comparison.warnings.push(name.to_owned());
    comparison
}

#[test]
fn the_table_begins_with_the_verdict() {
    let paper = Paper { width: Some(80), ..Paper::PLAIN };
    expect![[r#"
        candidate is worse: camera-2: CPU time per frame +5.9 % (+5.1..+6.6); lane: CPU
          time per frame +4.0 % (+3.3..+4.8)

        baseline   baseline: 8 runs of lane, r00 to r14
        candidate  candidate: 8 runs of lane, r01 to r15
        measured   in turn, so in pairs as well
        same       frames on time, latency p95, memory of workers, machine memory,
                   machine CPU
        absent     on both sides: energy_per_frame, power.mean, seen, start_up

        decides     figure          baseline  candidate  change          verdict
        lane        CPU time per      6.5 ms    6.76 ms  +4.0 %          worse
                    frame                                (+3.3..+4.8)
        camera-1    CPU time per        4 ms       4 ms  -0.1 %          same within 3
                    frame                                (-0.6..+0.4)    %
        camera-2    CPU time per        9 ms    9.53 ms  +5.9 %          worse
                    frame                                (+5.1..+6.6)
        camera-1/1  lateness p95        0 ms       0 ms  0 ms            same within 5
                                                         (-0.26..+0.26)  ms
        camera-2/1  lateness p95        0 ms       0 ms  0 ms            same within 5
                                                         (-0.26..+0.26)  ms
        camera-1/1  delay               0 ms       0 ms  0 ms            same within 5
                                                         (-0.26..+0.26)  ms
        camera-2/1  delay               0 ms       0 ms  0 ms            same within 5
                                                         (-0.26..+0.26)  ms
        camera-1/1  goodput           15 fps     15 fps  0.0 %           same within 1
                                                         (-0.1..+0.1)    %
        camera-2/1  goodput           15 fps     15 fps  0.0 %           same within 1
                                                         (-0.1..+0.1)    %

        Intervals of better, worse and cannot tell hold all together with 99 %, however
          often one looks; an interval of same holds alone with 99 %.
    "#]]
    .assert_eq(&table(&worse(), paper));
}

#[test]
fn intervals_say_only_what_can_be_and_are_never_broken() {
    let mut comparison = worse();
    assert!(!table(&comparison, Paper::PLAIN).contains(words::OPEN_END));
    let cases = [
        (Metric::OnTime, (-0.0764, -1.0941, 0.9416), "-7.64 points (-100..+94.16)"),
        (Metric::OnTime, (0.5, -1.2, 1.7), "+50 points (-100..+100)"),
        (Metric::CpuPerFrame, (0.25, -1.5, 2.0), "+25.0 % (-100.0..+200.0)"),
        (Metric::CpuPerFrame, (0.25, -0.5, 9.1), "+25.0 % (-50.0..x10 and more)"),
        // A change that was measured is told as it is.
        (Metric::CpuPerFrame, (14.0, 9.5, 20.0), "x15 (+950.0 %..x21)"),
        (Metric::LatenessP95, (5e3, -2e4, 3e4), "+5 ms (-20.0..+30.0)"),
    ];
    for (index, (metric, (estimate, low, high), words)) in cases.into_iter().enumerate() {
        let interval = crate::stats::Interval { low, high };
        let row = &mut comparison.rows[index];
        row.place.at = "camera-of-the-second-lane/1".to_owned();
        row.metric = metric;
        row.unit = metric.unit().ucum();
        row.relative = metric == Metric::CpuPerFrame;
        row.decides = true;
        row.verdict = Verdict::CannotTell;
        let change =
            crate::record::comparison::ChangeFigures { estimate, together: interval, alone: interval };
        row.change = Some(change);
        assert_eq!(words::change(row).as_deref(), Some(words));
        // Documents have the interval as computed.
        assert!(json(&comparison).contains(&format!("\"high\": {high:?}")), "{words}");
    }
    let text = table(&comparison, Paper { width: Some(80), ..Paper::PLAIN });
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for whole in ["(-100..+94.16)", "(-100.0..+200.0)", "(-50.0..x10"] {
        assert!(text.contains(whole), "{text}");
    }
    for text in [text.replace("\n  ", " "), markdown(&comparison), html(&comparison)] {
        assert!(text.contains("no useful upper end"), "{text}");
    }
}

#[test]
fn markdown_has_the_same() {
    expect![[r#"
        **candidate is worse: camera-2: CPU time per frame +5.9 % (+5.1..+6.6); lane: CPU time per frame +4.0 % (+3.3..+4.8)**

        - Baseline: baseline: 8 runs of lane, r00 to r14
        - Candidate: candidate: 8 runs of lane, r01 to r15
        - Measured: in turn, so in pairs as well
        - The same: frames on time, latency p95, memory of workers, machine memory, machine CPU

        | Decides | Figure | Baseline | Candidate | Change | Verdict |
        |---|---|--:|--:|---|---|
        | lane | CPU time per frame | 6.5 ms | 6.76 ms | +4.0 % (+3.3..+4.8) | worse |
        | camera-1 | CPU time per frame | 4 ms | 4 ms | -0.1 % (-0.6..+0.4) | same within 3 % |
        | camera-2 | CPU time per frame | 9 ms | 9.53 ms | +5.9 % (+5.1..+6.6) | worse |
        | camera-1/1 | lateness p95 | 0 ms | 0 ms | 0 ms (-0.26..+0.26) | same within 5 ms |
        | camera-2/1 | lateness p95 | 0 ms | 0 ms | 0 ms (-0.26..+0.26) | same within 5 ms |
        | camera-1/1 | delay | 0 ms | 0 ms | 0 ms (-0.26..+0.26) | same within 5 ms |
        | camera-2/1 | delay | 0 ms | 0 ms | 0 ms (-0.26..+0.26) | same within 5 ms |
        | camera-1/1 | goodput | 15 fps | 15 fps | 0.0 % (-0.1..+0.1) | same within 1 % |
        | camera-2/1 | goodput | 15 fps | 15 fps | 0.0 % (-0.1..+0.1) | same within 1 % |

        Intervals of better, worse and cannot tell hold all together with 99 %, however often one looks; an interval of same holds alone with 99 %.
    "#]].assert_eq(&markdown(&worse()));
}

#[test]
fn names_are_harmless_in_every_form() {
    let comparison = hostile();
    for text in [table(&comparison, Paper::PLAIN), markdown(&comparison), html(&comparison)] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!html(&comparison).contains("<script>alert"));
    let markdown = markdown(&comparison);
    assert!(
        markdown.contains("&lt;script>") && markdown.contains("\\|") && !markdown.contains("@all"),
        "{markdown}"
    );
    let mut long = comparison;
    long.rows = vec![long.rows[1].clone(); 3_000];
    let cut = super::markdown(&long);
    assert!(cut.chars().count() < 65_536 && cut.ends_with("have all rows.\n"));
    let mut formula = worse();
    formula.rows[0].place.at = "=1+1".to_owned();
    assert!(csv(&formula).contains("'=1+1"));
}

#[test]
fn the_page_draws_every_interval_and_loads_nothing() {
    let comparison = worse();
    let page = html(&comparison);
    let (page, _) = page.split_once("<script").unwrap();
    assert_eq!(
        page.matches("<svg").count(),
        comparison.rows.iter().filter(|row| row.change.is_some()).count()
    );
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert!(!page.contains("NaN") && !page.contains("inf\""), "{page}");
    assert!(page.len() < 100_000);
}

#[test]
fn documents_have_what_their_schema_describes_and_nothing_else() {
    let mut full = hostile();
    full.wrong.push(crate::record::comparison::Wrong {
        camera: "c".to_owned(),
        stream: "c/1".to_owned(),
        reason: "r".to_owned(),
    });
    full.candidate
        .excluded
        .push(crate::record::comparison::Excluded { run: "r".to_owned(), reason: "r".to_owned() });
    full.rows[0].baseline.outliers.push(crate::record::comparison::Outlier {
        run: "r".to_owned(),
        value: 1.0,
        score: 20.0,
    });
    let (baseline, mut candidate) = sides(5, 1.0);
    candidate.iter_mut().for_each(|run| run.conditions.duration_ms = 1);
    let refused = compare(&baseline, &candidate, &Options::default());
    let across = Options { across: [Field::Duration].into(), ..Options::default() };
    let differs = compare(&baseline, &candidate, &across);
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let documents: Vec<Value> = [full, refused, differs].iter().map(|one| parsed(json(one))).collect();
    check(include_str!("../../../docs/schema/comparison.schema.json"), VERSION, 40, &documents);
    let mut runs = [sides(10, 1.0).0, sides(10, 1.3).1].concat();
    for (minute, run) in runs.iter_mut().enumerate() {
        run.started = crate::time::Utc::from_unix_millis(1_795_502_520_000 + minute as i64 * 60_000);
        run.run = format!("r{minute:02}");
        if minute >= 10 {
            run.host.insert("kernel".to_owned(), "6.12".to_owned());
        }
    }
    runs[3].excluded = Some("interrupted".to_owned());
    let history = history(&runs, Metric::CpuPerFrame);
    assert_eq!(history.changes.len(), 1);
    let document = parsed(history_json(&history));
    check(include_str!("../../../docs/schema/history.schema.json"), VERSION, 20, &[document]);
    let table = history_table(&history, Paper::PLAIN);
    assert!(table.contains("host of kernel: none / 6.12"), "{table}");
    assert_eq!(history_csv(&history).lines().count(), 20);
}
