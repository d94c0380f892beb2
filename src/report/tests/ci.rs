//! The judgement in the forms that CI services read.

use std::collections::BTreeMap;

use expect_test::expect;
use quick_xml::events::Event;
use serde_json::Value;

use super::*;
use crate::diag::{Place, Sources, Spanned};
use crate::model::{Of, Operator, Severity, Threshold};
use crate::record::judgement::judge;
use crate::record::judgement::tests::threshold;
use crate::report::density::tests::{searches, with_shown};

/// Texts of workers and configs may say anything.
const HOSTILE: &str =
    "</testcase>]]> & \"<script>\" | `x` *y* @all #1 \u{1b}[31m \u{0}\n| a | ![i](http://e/)";

fn thresholds() -> Vec<Threshold> {
    let lane =
        |metric: &str, operator, limit, severity| threshold(metric, operator, limit, severity, Of::Lane);
    vec![
        lane("power.mean", Operator::AtMost, 45.0, Severity::Minor),
        lane("fps", Operator::AtLeast, 14.9, Severity::Major),
        lane("on_time", Operator::AtLeast, 0.5, Severity::Critical),
        threshold("fps.p5", Operator::AtLeast, 14.0, Severity::Critical, Of::Camera("camera-2".to_owned())),
        threshold("fps.p5", Operator::AtLeast, 14.0, Severity::Critical, Of::Camera("camera-9".to_owned())),
    ]
}

/// Runs of all kinds.
fn runs() -> Vec<RunRecord> {
    let two = || copies(1, &[&[15, 10]], 0.5);
    let mut hostile = two();
    hostile.members[1].camera = HOSTILE.to_owned();
    hostile.members[0].streams[0].failure = Some(HOSTILE.to_owned());
    hostile.members[0].left_out =
        vec![OmittedWorkloads { workloads: vec![HOSTILE.to_owned()], reason: HOSTILE.to_owned() }];
    let interrupted = RunRecord { interrupted: true, ..copies(1, &[&[15, 15]], 0.5) };
    let runs =
        [six_cameras(), two(), copies(1, &[&[15, 15]], 0.5), free(), two_copies(), hostile, interrupted];
    let judged = runs.iter().map(|run| RunRecord { thresholds: thresholds(), ..run.clone() });
    let kept = runs.iter().map(|run| RunRecord {
        thresholds: vec![threshold("fps", Operator::AtLeast, 1.0, Severity::Minor, Of::Lane)],
        ..run.clone()
    });
    runs.iter().cloned().chain(judged).chain(kept).collect()
}

/// A suite as its own counts say, and as its tests are.
fn counts(xml: &str) -> Vec<(String, [usize; 3], [usize; 3])> {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut suites: Vec<(String, [usize; 3], [usize; 3])> = Vec::new();
    loop {
        let event = reader.read_event().expect("it is well-formed");
        let (Event::Start(element) | Event::Empty(element)) = &event else {
            if event == Event::Eof {
                return suites;
            }
            continue;
        };
        let attributes: BTreeMap<String, String> = element
            .attributes()
            .map(|attribute| {
                let attribute = attribute.expect("it is an attribute");
                let value =
                    attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).expect("it is a text");
                let name = attribute.key.as_ref().to_owned();
                assert!(!value.chars().any(|c| c.is_control()), "{value:?}");
                (name, value.into_owned())
            })
            .collect();
        let number = |name: &str| attributes[name].parse().expect("it is a number");
        match element.name().as_ref() {
            "testsuite" => {
                let told = [number("tests"), number("failures"), number("skipped")];
                assert_eq!(attributes["timestamp"].len(), "2026-11-24T06:42:00".len());
                assert_eq!(attributes["id"], suites.len().to_string());
                suites.push((attributes["name"].clone(), told, [0; 3]));
            }
            "testcase" => {
                assert!(attributes["time"].parse::<f64>().is_ok_and(|time| time >= 0.0));
                assert!(attributes["classname"].starts_with("lp."));
                suites.last_mut().unwrap().2[0] += 1;
            }
            "failure" => {
                assert!(["critical", "major", "minor"].contains(&attributes["type"].as_str()));
                suites.last_mut().unwrap().2[1] += 1;
            }
            "skipped" => suites.last_mut().unwrap().2[2] += 1,
            _ => {}
        }
    }
}

#[test]
fn a_run_passes_if_and_only_if_no_test_and_no_result_fails() {
    let nowhere = Sources::new();
    for record in runs() {
        let passes = judge(&record, &measure(&record)).passes;
        let suites = counts(&with_report(&record, junit));
        assert!(suites.iter().all(|(_, told, found)| told == found), "{suites:?}");
        let failures: usize = suites.iter().map(|(_, found, _)| found[1]).sum();
        assert_eq!(failures == 0, passes, "{suites:?}");
        let places = Places { sources: &nowhere, thresholds: &[], cameras: &[] };
        let log = with_report(&record, |report| sarif(report, places));
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), failures);
        let page = with_report(&record, markdown);
        assert!(page.starts_with(if passes { "## Passes: " } else { "## Fails: " }), "{page}");
    }
    for record in searches() {
        let suites = counts(&with_shown(&record, density_junit));
        assert!(suites.iter().all(|(_, told, found)| told == found), "{suites:?}");
    }
}

#[test]
fn each_camera_is_a_suite_and_each_threshold_a_test() {
    let record = RunRecord { thresholds: thresholds(), ..copies(1, &[&[15, 10]], 0.5) };
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="lane" package="lp.lane" id="0" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="3" failures="1" errors="0" skipped="1" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="4 thresholds decide: 3 breached; 1 threshold not judged"/>
            </properties>
            <testcase name="the run is whole" classname="lp.lane" time="20.000"/>
            <testcase name="power.mean &lt;= 45 at lane" classname="lp.lane" time="20.000">
              <failure message="power.mean is not available: the power of this machine is not known (`lp doctor` says why); it must be &lt;= 45" type="minor">minor: power.mean is not available: the power of this machine is not known (`lp doctor` says why); it must be &lt;= 45</failure>
            </testcase>
            <testcase name="fps.p5 &gt;= 14 of camera camera-9" classname="lp.lane" time="0.000">
              <skipped message="`camera-9` is not in this run"/>
            </testcase>
            <system-out/>
            <system-err/>
          </testsuite>
          <testsuite name="camera-2" package="lp.lane" id="1" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="4" failures="2" errors="0" skipped="0" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="4 thresholds decide: 3 breached; 1 threshold not judged"/>
            </properties>
            <testcase name="fps.p5 &gt;= 14 at camera-2/1" classname="lp.lane.camera-2" time="20.000">
              <failure message="fps.p5 is 10 fps, not &gt;= 14" type="critical">critical: fps.p5 is 10 fps, not &gt;= 14</failure>
            </testcase>
            <testcase name="fps &gt;= 14.9 at camera-2/1" classname="lp.lane.camera-2" time="20.000">
              <failure message="fps is 10 fps, not &gt;= 14.9" type="major">major: fps is 10 fps, not &gt;= 14.9</failure>
            </testcase>
            <testcase name="on_time &gt;= 0.5 at camera-2/1" classname="lp.lane.camera-2" time="20.000"/>
            <testcase name="camera-2/1 plays to its end, and its detectors see" classname="lp.lane.camera-2" time="20.000"/>
            <system-out/>
            <system-err/>
          </testsuite>
          <testsuite name="camera-1" package="lp.lane" id="2" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="3" failures="0" errors="0" skipped="0" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="4 thresholds decide: 3 breached; 1 threshold not judged"/>
            </properties>
            <testcase name="on_time &gt;= 0.5 at camera-1/1" classname="lp.lane.camera-1" time="20.000"/>
            <testcase name="fps &gt;= 14.9 at camera-1/1" classname="lp.lane.camera-1" time="20.000"/>
            <testcase name="camera-1/1 plays to its end, and its detectors see" classname="lp.lane.camera-1" time="20.000"/>
            <system-out/>
            <system-err/>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&with_report(&record, junit));
    let verdicts = copies(1, &[&[15, 10]], 0.5);
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="lane" package="lp.lane" id="0" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="1" failures="0" errors="0" skipped="0" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="verdicts decide: 1 of 2 cameras does not hold"/>
            </properties>
            <testcase name="the run is whole" classname="lp.lane" time="20.000"/>
            <system-out/>
            <system-err/>
          </testsuite>
          <testsuite name="camera-1" package="lp.lane" id="1" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="1" failures="0" errors="0" skipped="0" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="verdicts decide: 1 of 2 cameras does not hold"/>
            </properties>
            <testcase name="camera-1/1 holds 15 fps" classname="lp.lane.camera-1" time="20.000"/>
            <system-out/>
            <system-err/>
          </testsuite>
          <testsuite name="camera-2" package="lp.lane" id="2" timestamp="2026-11-24T06:42:00" hostname="localhost" tests="1" failures="1" errors="0" skipped="0" time="20.000">
            <properties>
              <property name="run" value="20261124T064200Z-9f2c41"/>
              <property name="judgement" value="verdicts decide: 1 of 2 cameras does not hold"/>
            </properties>
            <testcase name="camera-2/1 holds 15 fps" classname="lp.lane.camera-2" time="20.000">
              <failure message="does not hold: 10.00 fps is less than 98 % of 15; 33.33 % dropped is more than 2 %; 50.12 % on time is less than 99 %" type="critical">critical: does not hold: 10.00 fps is less than 98 % of 15; 33.33 % dropped is more than 2 %; 50.12 % on time is less than 99 %</failure>
            </testcase>
            <system-out/>
            <system-err/>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&with_report(&verdicts, junit));
}

#[test]
fn results_lie_at_thresholds_and_cameras_and_their_level_is_the_severity() {
    let text = "[thresholds]\nminor = [\"power.mean <= 45\"]\nmajor = [\"fps >= 14.9\"]\n";
    let mut sources = Sources::new();
    let file = sources.add("Lpfile.toml", text);
    let at = |text_of: &str| {
        let start = text.find(text_of).unwrap();
        Place::new(file, start..start + text_of.len())
    };
    let all = thresholds();
    let known = [
        Spanned { value: all[0].clone(), place: at("\"power.mean <= 45\"") },
        Spanned { value: all[1].clone(), place: at("\"fps >= 14.9\"") },
    ];
    let cameras = [("camera-2".to_owned(), at("minor"))];
    let places = Places { sources: &sources, thresholds: &known, cameras: &cameras };
    let line = |result: &Value| {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        format!(
            "{} {} {}:{} {}\n",
            result["level"].as_str().unwrap(),
            result["ruleId"].as_str().unwrap(),
            region["startLine"],
            region["startColumn"],
            result["message"]["text"].as_str().unwrap()
        )
    };
    let lines = |record: &RunRecord| {
        let log = with_report(record, |report| sarif(report, places));
        log["runs"][0]["results"].as_array().unwrap().iter().map(line).collect::<String>()
    };
    let verdicts = copies(1, &[&[15, 10]], 0.5);
    expect![[r#"
        error threshold/fps.p5 null:null fps.p5 >= 14 at camera-2/1: fps.p5 is 10 fps, not >= 14
        warning threshold/fps 3:10 fps >= 14.9 at camera-2/1: fps is 10 fps, not >= 14.9
        note threshold/power.mean 2:10 power.mean <= 45 at lane: power.mean is not available: the power of this machine is not known (`lp doctor` says why); it must be <= 45
    "#]].assert_eq(&lines(&RunRecord { thresholds: all, ..verdicts.clone() }));
    expect![[r#"
        error verdict/holds 2:1 camera-2/1 holds 15 fps: does not hold: 10.00 fps is less than 98 % of 15; 33.33 % dropped is more than 2 %; 50.12 % on time is less than 99 %
    "#]].assert_eq(&lines(&verdicts));
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let schema = include_str!("../../../tests/data/sarif-schema-2.1.0.json");
    // `...]?$` is a pattern to lenient engines alone; `lp` writes no language.
    let schema = schema.replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let sources = Sources::new();
    let places = Places { sources: &sources, thresholds: &[], cameras: &[] };
    let logs =
        runs().iter().map(|record| with_report(record, |report| sarif(report, places))).collect::<Vec<_>>();
    let searches = searches();
    let searches = searches.iter().map(|record| with_shown(record, |shown| density_sarif(shown, places)));
    for log in logs.into_iter().chain(searches) {
        let faults: Vec<String> = validator.iter_errors(&log).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}\n{log:#}");
    }
}

#[test]
fn the_page_for_a_pull_request_begins_with_the_verdict() {
    let record = RunRecord { thresholds: thresholds(), ..copies(1, &[&[15, 10]], 0.5) };
    expect![[r#"
        ## Fails: 4 thresholds decide: 3 breached; 1 threshold not judged

        1 of 2 cameras holds 15 fps, 1 does not; machine CPU 50 %.

        ### Breaches

        | severity | rule | why |
        | --- | --- | --- |
        | critical | fps.p5 >= 14 at camera-2/1 | fps.p5 is 10 fps, not >= 14 |
        | major | fps >= 14.9 at camera-2/1 | fps is 10 fps, not >= 14.9 |
        | minor | power.mean &lt;= 45 at lane | power.mean is not available: the power of this machine is not known (\`lp doctor\` says why); it must be &lt;= 45 |

        ### Cameras

        | camera | stream | verdict | fps | target | on time % | latency p95 ms | dropped % |
        | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | camera-2 | camera-2/1 | does not hold (rate, deadline) | 10.00 (10..10) | 15 | 50.12 | 13.1 | 33.33 |
        | camera-1 | camera-1/1 | holds | 15.00 (15..15) | 15 | 100.00 | 17.6 | 0.00 |

        3 figures keep their thresholds.

        ### Not judged

        | threshold | why |
        | --- | --- |
        | fps.p5 >= 14 of camera camera-9 | \`camera-9\` is not in this run |

        <details><summary>Conditions and host</summary>

        - run: 20261124T064200Z-9f2c41 of lane
        - started: 2026-11-24 06:42:00 UTC
        - conditions: 20s after 2s of warm-up, live pace, a worker per camera, repeat 1
        - cameras: 2 cameras, sources not recorded
        - steps: none
        - project: not recorded
        - host: cpu Some CPU, cpus 2, gpu none, memory 4096 MiB

        </details>

        Run 20261124T064200Z-9f2c41. Repeat with

        ```sh
        lp run --duration 20s --warmup 2s
        ```
    "#]].assert_eq(&with_report(&record, markdown));
}

#[test]
fn nothing_of_a_name_is_markdown() {
    let hostile = runs()
        .into_iter()
        .filter(|record| record.members[0].streams.iter().any(|one| one.failure.as_deref() == Some(HOSTILE)));
    let mut n = 0;
    for record in hostile {
        n += 1;
        let page = with_report(&record, markdown);
        for bad in
            ["<script", "![i]", "@all", "#1", "http://", "\u{1b}", "\u{0}", " *y*", "`x`", "</testcase"]
        {
            let found = page.find(bad).filter(|at| !page[..*at].ends_with('\\'));
            assert!(found.is_none(), "`{bad}` in {page}");
        }
        // No name adds a cell to a row.
        let rows = page.lines().filter(|line| line.starts_with("| "));
        for (head, row) in rows.clone().zip(rows.skip(1)) {
            let cells = |row: &str| row.replace("\\\\", "").replace("\\|", "").matches('|').count();
            assert!(
                cells(head) == cells(row) || head.contains("---") || page.contains(&format!("\n\n{row}")),
                "{row}"
            );
        }
    }
    assert_eq!(n, 3);
}

#[test]
fn a_page_of_many_cameras_fits_a_comment() {
    let rates = vec![[10_u64; 40].as_slice(); 10];
    let mut record = copies(10, &rates, 0.9);
    record.members.iter_mut().for_each(|member| member.camera = "x".repeat(300));
    let limit = |metric: &str| threshold(metric, Operator::AtLeast, 14.9, Severity::Major, Of::Lane);
    record.thresholds = ["fps", "fps.p5", "fps.min"].map(limit).into();
    let page = with_report(&record, markdown);
    assert!(page.len() <= 60_000 && page.chars().count() < 65_536, "{}", page.len());
    assert!(page.contains(" more; `lp report` shows all."), "{page}");
    assert!(page.contains("```sh\nlp run --duration 20s --warmup 2s --count 10\n```"), "{page}");
    let short = with_report(&copies(1, &[&[15, 15]], 0.5), markdown);
    assert!(!short.contains("more; `lp report`"), "{short}");
}
