//! Whether the machine is fit to measure: what a look of a second shows, by the rules of a
//! run (`record::measure::fit`). Notes, not faults: `lp` measures there all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use crate::collect::{self, Place, bandwidth, gpu, npu, nvidia, power};
use crate::os;
use crate::record::measure::fit::{Degradation, at_once, of_host};
use crate::record::{Host, ProgramRecord};

const WHAT: &str = "fit to measure";

/// The time that the look covers: a load of 20 % of a core is 20 ticks of its clock.
const LOOK: Duration = Duration::from_secs(1);

/// Collectors of which nothing is a disturbance.
const BESIDE: [&str; 5] = [bandwidth::NAME, gpu::NAME, npu::NAME, nvidia::NAME, power::NAME];

/// What the collectors saw.
#[derive(Debug, Default)]
struct Look {
    values: BTreeMap<String, f64>,
    programs: Vec<ProgramRecord>,
    /// Collectors that could not run.
    blind: Vec<&'static str>,
}

pub(super) fn findings(host: &Host) -> Vec<Finding> {
    told(host, &look())
}

fn look() -> Look {
    let root = os::env::system_root();
    let place = Place::here(&root);
    let kinds = collect::ALL.iter().filter(|kind| !BESIDE.contains(&kind.name));
    let started: Vec<_> = kinds.map(|kind| (kind.name, (kind.start)(&place))).collect();
    std::thread::sleep(LOOK);
    let at_ns = os::clock::monotonic_ns();
    let mut look = Look::default();
    for (name, started) in started {
        let Some((collector, values)) = started
            .ok()
            .and_then(|mut collector| collector.sample(at_ns).ok().map(|values| (collector, values)))
        else {
            look.blind.push(name);
            continue;
        };
        let known = collector.series().iter().zip(values);
        look.values.extend(known.filter_map(|(series, value)| Some((series.name.clone(), value?))));
        let programs = collector.programs().into_iter();
        look.programs.extend(programs.map(|one| ProgramRecord { name: one.name, cpu_us: one.cpu_us }));
    }
    look
}

fn told(host: &Host, look: &Look) -> Vec<Finding> {
    let value = |name: &str| look.values.get(name).copied();
    let mut reasons = at_once(value, host, &look.programs);
    reasons.extend(of_host(&host.facts));
    let note = |reason: Degradation| {
        Finding::found(WHAT, reason.text).note("a run on this machine is now degraded: see docs/measuring.md")
    };
    let mut findings: Vec<Finding> = reasons.into_iter().map(note).collect();
    if findings.is_empty() {
        findings.push(Finding::found(WHAT, format!("nothing disturbed it for {} s", LOOK.as_secs())));
    }
    if !look.blind.is_empty() {
        let blind = format!("not everything can be seen: no readings of {}", look.blind.join(", "));
        findings.push(Finding::found(WHAT, blind).note("a run cannot tell such disturbances either"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::finding::table;
    use super::*;
    use crate::report::grid::Paper;

    #[track_caller]
    fn check(facts: &[(&str, &str)], look: &Look, expect: Expect) {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let findings = told(&Host { facts: facts.collect() }, look);
        assert!(!findings.iter().any(Finding::is_missing));
        expect.assert_eq(&table(&findings, Paper::PLAIN));
    }

    #[test]
    fn each_disturbance_is_a_note() {
        let values = [("cpu.foreign", 0.11), ("machine.steal", 0.09), ("pressure.io.some", 0.5)];
        let look = Look {
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
            programs: vec![ProgramRecord { name: "rustc".to_owned(), cpu_us: 210_000 }],
            blind: vec!["pressure"],
        };
        check(
            &[("cpus", "2"), ("governor", "powersave")],
            &look,
            expect![[r#"
            note     fit to measure  11 % of the CPU went to other programs, most of it to `rustc`
                                     a run on this machine is now degraded: see docs/measuring.md
            note     fit to measure  programs waited for the disk 50 % of the time
                                     a run on this machine is now degraded: see docs/measuring.md
            note     fit to measure  the frequency governor is `powersave`
                                     a run on this machine is now degraded: see docs/measuring.md
            note     fit to measure  not everything can be seen: no readings of pressure
                                     a run cannot tell such disturbances either
        "#]],
        );
        check(
            &[("cpus", "1")],
            &Look::default(),
            expect![[r#"
            ok       fit to measure  nothing disturbed it for 1 s
        "#]],
        );
    }
}
