//! Limits of this process on the machine: notes, not faults.

use std::collections::BTreeMap;

use super::finding::Finding;

pub(super) fn findings(facts: &BTreeMap<String, String>) -> Vec<Finding> {
    let fact = |name: &str| facts.get(name);
    let of =
        |name: &str, unit: &str| fact(name).map(|whole| format!(" of {whole}{unit}")).unwrap_or_default();
    let mut findings = Vec::new();
    if let Some(container) = fact("container") {
        findings.push(
            Finding::found("container", container)
                .note("limits from outside the container are not visible in it"),
        );
    }
    if let Some(cores) = fact("cpus_allowed") {
        findings.push(limit("cores", format!("{cores}{} may be used", of("cpus", ""))));
    }
    if let Some(limit_of_time) = fact("cpu_limit") {
        findings.push(limit("CPU time", format!("at most {limit_of_time}{} cores' worth", of("cpus", ""))));
    }
    if let Some(memory) = fact("memory_limit") {
        findings.push(limit("memory", format!("at most {memory}{}", of("memory", ""))));
    }
    findings
}

fn limit(what: &str, found: String) -> Finding {
    Finding::found(what, found).note("measurements describe this limit, not the machine")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::finding::table;
    use super::*;
    use crate::report::grid::Paper;

    #[test]
    fn limits_are_notes_and_nothing_is_missing() {
        let facts = [
            ("container", "podman"),
            ("cpus", "8"),
            ("cpus_allowed", "4"),
            ("cpu_limit", "1.5"),
            ("memory", "31744 MiB"),
            ("memory_limit", "512 MiB"),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let findings = findings(&facts);
        assert!(!findings.iter().any(Finding::is_missing));
        expect![[r#"
            note     container  podman
                                limits from outside the container are not visible in it
            note     cores      4 of 8 may be used
                                measurements describe this limit, not the machine
            note     CPU time   at most 1.5 of 8 cores' worth
                                measurements describe this limit, not the machine
            note     memory     at most 512 MiB of 31744 MiB
                                measurements describe this limit, not the machine
        "#]]
        .assert_eq(&table(&findings, Paper::PLAIN));
        assert!(super::findings(&BTreeMap::new()).is_empty());
    }
}
