//! The worker, GStreamer and its elements.

use std::collections::BTreeSet;

use super::super::tools::Tools;
use super::finding::Finding;
use crate::dialect::check::way_out;
use crate::pipeline::machine::debian_package;

pub(super) fn findings(tools: &Tools, factories: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = vec![match &tools.worker {
        Ok(program) => Finding::found("worker", program.display()),
        Err(error) => Finding::missing("worker").way_out(match error.hint() {
            Some(hint) => format!("{error}: {hint}"),
            None => error.to_string(),
        }),
    }];
    let Some(machine) = &tools.machine else { return findings };
    findings.push(Finding::found("GStreamer", &machine.gstreamer));
    findings.extend(factories.iter().map(|factory| {
        let what = format!("element {factory}");
        match machine.factories.get(factory).and_then(Option::as_ref) {
            Some(found) => Finding::found(what, format!("plugin {} {}", found.plugin, found.version)),
            None => Finding::missing(what).way_out(way_out(factory)),
        }
    }));
    findings
}

/// The Debian packages that bring what is missing, each once.
pub(super) fn packages(findings: &[Finding]) -> Vec<&'static str> {
    let missing = findings.iter().filter(|finding| finding.is_missing());
    let packages: BTreeSet<&str> =
        missing.filter_map(|finding| debian_package(finding.what().strip_prefix("element ")?)).collect();
    packages.into_iter().collect()
}
