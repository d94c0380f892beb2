//! A run on a disturbed machine, in each form of a report.

use expect_test::expect;

use super::super::*;
use super::{assert_well_formed, plain_table, with_report};
use crate::record::fixture::disturbed;

#[test]
fn the_table_tells_it_in_its_head_and_in_its_last_line() {
    let text = with_report(&disturbed(), plain_table);
    let lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().find(|line| line.starts_with("degraded"));
    let notes = lines.iter().filter(|line| line.starts_with("note: "));
    let told: Vec<&str> = head.into_iter().chain(notes).chain(lines.last()).copied().collect();
    expect![[r#"
        degraded    65 % of the CPU went to other programs for 3 s, most of it to `rustc`
        note: camera-2/1: disturbed by foreign load, and left out of the verdict: 5 s
        note: worker camera-1, worker camera-2: no CPU and memory: fewer than two samples in the window; there is one a second
        2 of 2 cameras hold 15 fps; machine CPU 34 %; degraded"#]].assert_eq(&told.join("\n"));
}

#[test]
fn csv_and_json_have_the_reasons_and_the_seconds_that_were_left_out() {
    let cells = with_report(&disturbed(), |report| {
        let mut reader = ::csv::Reader::from_reader(std::io::Cursor::new(csv(report)));
        let header = reader.headers().unwrap().clone();
        let place = |name: &str| header.iter().position(|column| column == name).unwrap();
        let columns = ["stream", "verdict", "degraded", "degraded_because", "left_out_s"].map(place);
        let row = |row: ::csv::StringRecord| columns.map(|place| row[place].to_owned()).join(" | ");
        reader.records().map(|record| row(record.unwrap())).collect::<Vec<String>>().join("\n")
    });
    expect![[r#"
        camera-1/1 | holds | true | 65 % of the CPU went to other programs for 3 s, most of it to `rustc` | 0
        camera-2/1 | holds | true | 65 % of the CPU went to other programs for 3 s, most of it to `rustc` | 5"#]].assert_eq(&cells);
    let document: serde_json::Value = serde_json::from_str(&with_report(&disturbed(), json)).unwrap();
    assert_eq!(document["degraded"], true);
    let measured = &document["measurement"];
    let pieces =
        [&measured["degraded"], &measured["disturbances"], &measured["cameras"][1]["streams"][0]["left_out"]];
    expect![[r#"
        [
          {
            "cause": "other_programs",
            "lasted_us": 3000000,
            "mean": 0.65,
            "text": "65 % of the CPU went to other programs for 3 s, most of it to `rustc`"
          }
        ]
        [
          {
            "begin_us": 20250000,
            "cause": "other_programs",
            "end_us": 23250000,
            "mean": 0.65
          }
        ]
        [
          {
            "begin_us": 19250000,
            "cause": "other_programs",
            "end_us": 24250000
          }
        ]"#]]
    .assert_eq(&pieces.map(|piece| format!("{piece:#}")).join("\n"));
}

#[test]
fn the_page_says_why_under_its_headline_and_shades_the_seconds() {
    let page = with_report(&disturbed(), |report| html(report, None));
    assert_well_formed(&page);
    let headline = page.split("</h1>").nth(1).unwrap().split("</p>").next().unwrap();
    expect![[r#"<p class="why"><span class="badge undecided">degraded</span> 65 % of the CPU went to other programs for 3 s, most of it to `rustc`"#]].assert_eq(headline);
    for name in ["pipelines of this run", "kernel and unknown", "other programs"] {
        assert!(page.contains(&format!(">{name}</span>")), "{name}");
    }
    // Nothing of scripts, which used no time, and `lp` used too little to be seen.
    assert!(!page.contains(">scripts</span>") && !page.contains(">lp</span>"));
    assert!(page.contains("<rect class=\"left_out\""));
    assert!(page.contains("<rect class=\"disturbed\""));
    assert!(page.contains("rustc 3.7 s"), "the largest other program is named");
}
