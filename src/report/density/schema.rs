//! Searches against their schemas, `docs/schema/density.schema.json` and
//! `density-report.schema.json`, which are written by hand: every record and every report is
//! valid, and no schema has a property that nothing has.

use serde_json::Value;

use super::tests::{PRICED, searches, with_shown};
use super::{VERSION, json};
use crate::model::{Of, Operator, Severity, Threshold};
use crate::path::ProjectPath;
use crate::pipeline::removal::Removal;
use crate::record::SeriesRecord;
use crate::record::density::{self, LimiterRecord};
use crate::record::fixture::density::late;
use crate::record::power::IdlePower;
use crate::record::schema::check;
use crate::report::grid::Paper;
use crate::search::limiter::{
    Certainty, Engine, Evidence, Experiment, Finding, Mean, Queue, Resource, Stage, Thread,
};
use crate::search::{Goal, State};

/// Searches that together have every property.
fn records() -> Vec<density::DensityRecord> {
    let mut records = searches();
    let full = &mut records[0];
    full.answer.not_monotone = vec![2];
    full.limiter = Some(limiter());
    full.lack = Some("one more needs 900 MiB of memory".to_owned());
    full.inputs_changed = vec![ProjectPath::new("media/scan.mp4").unwrap()];
    full.at_answer = Some(Box::new(late(3, Goal::Confirm, (0, 0), 9).record));
    full.tag = Some(PRICED.to_owned());
    let density = |of: Of, severity: Severity| Threshold {
        text: "density >= 12".to_owned(),
        metric: "density".to_owned(),
        operator: Operator::AtLeast,
        limit: 12.0,
        severity,
        of,
    };
    full.thresholds =
        vec![density(Of::Lane, Severity::Minor), density(Of::Camera("Till".to_owned()), Severity::Major)];
    records[1].thresholds = vec![density(Of::Camera("camera-1".to_owned()), Severity::Critical)];
    let full = &mut records[0];
    let run = full.at_answer.as_mut().unwrap();
    let at_us: Vec<u64> = (0..=120).map(|second| second * 1_000_000).collect();
    let values = vec![20.0; at_us.len()];
    let name = "power.package_0".to_owned();
    run.idle = Some(IdlePower { over_ms: 3000, watts: [(name.clone(), 8.0)].into() });
    run.series.push(SeriesRecord { name, unit: "W".to_owned(), at_us, values });
    full.settings[4].record.host.facts.insert("governor".to_owned(), "powersave".to_owned());
    records
}

/// A finding of which everything is known.
fn limiter() -> LimiterRecord {
    let queue = Queue { name: "camera-1_1_queue".to_owned(), full: 0.5, most: 3, dropped: 12 };
    let thread = Thread { worker: "camera-1".to_owned(), name: "camera-1_1_queu".to_owned(), cpu: 0.4 };
    let load = Evidence {
        cores: Some(2.0),
        bound_to: Some(1.0),
        quota: Some(1.5),
        own_cpu: Some(Mean { mean: 0.9, error: 0.01 }),
        busy: vec![0.9, 1.0],
        thread: Some(thread),
        engines: vec![Engine { name: "GPU video engine".to_owned(), busy: 0.97 }],
        queues: vec![queue],
        ..Evidence::default()
    };
    let finding = Finding {
        resource: Resource::Cpu,
        stage: Some(Stage::Step("zbar".to_owned())),
        frees: Some(0.41),
        certainty: Certainty::Proved,
        evidence: vec!["without `zbar`: holds, 41 % less CPU time".to_owned()],
    };
    let without = |removal, evidence: &Evidence| Experiment {
        removal,
        state: State::Holds,
        evidence: evidence.clone(),
    };
    let experiments =
        vec![without(Removal::Steps, &load), without(Removal::Step("zbar".to_owned()), &Evidence::default())];
    LimiterRecord { lanes: 4, finding, load, experiments }
}

#[test]
fn what_limits_the_lanes_is_in_every_form() {
    let record = &records()[0];
    let page = with_shown(record, |shown| super::html(shown, None));
    let table = with_shown(record, |shown| super::table(shown, Paper::PLAIN));
    let says = "without `zbar`: holds, 41 % less CPU time";
    assert!(table.contains("limited by CPU: `zbar` (removing it frees 41 %)"), "{table}");
    assert!(table.contains(&format!("limit: {says}")), "{table}");
    assert!(page.contains("limited by CPU: `zbar` (removing it frees 41\u{a0}%)"), "{page}");
    assert!(page.contains(&says.replace(" %", "\u{a0}%")), "{page}");
}

#[test]
fn a_lane_has_its_cost_and_its_power_in_every_form() {
    let record = &records()[0];
    let table = with_shown(record, |shown| super::table(shown, Paper::PLAIN));
    let page = with_shown(record, |shown| super::html(shown, None));
    let csv = with_shown(record, super::csv);
    assert!(table.contains("about 400 EUR a lane (1200 EUR for the machine)"), "{table}");
    assert!(table.contains("power: 20.0 W of the CPU's package, 8.0 W when idle (for 3s"), "{table}");
    assert!(page.contains("about 400 EUR a lane"), "{page}");
    assert!(csv.lines().nth(1).unwrap().ends_with(",400,EUR"), "{csv}");
}

#[test]
fn records_have_what_their_schema_describes_and_nothing_else() {
    let documents: Vec<Value> =
        records().iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    let schema = include_str!("../../../docs/schema/density.schema.json");
    check(schema, density::VERSION, 25, &documents);
}

#[test]
fn reports_have_what_their_schema_describes_and_nothing_else() {
    let documents: Vec<Value> =
        records().iter().map(|record| serde_json::from_str(&with_shown(record, json)).unwrap()).collect();
    let schema = include_str!("../../../docs/schema/density-report.schema.json");
    check(schema, VERSION, 80, &documents);
}
