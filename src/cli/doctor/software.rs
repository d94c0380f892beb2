//! The engine and the image of a worker in a container, the worker, GStreamer and
//! its elements.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use crate::dialect::check::way_out;
use crate::graph::factories::Need;
use crate::pipeline::machine::{Machine, debian_package};
use crate::text::counted;
use crate::worker::error::WorkerError;
use crate::workspace::tools::Tools;

pub(super) fn findings(tools: &Tools, needs: &BTreeMap<String, Need>) -> Vec<Finding> {
    let mut findings = worker(tools);
    let Some(machine) = &tools.machine else { return findings };
    findings.push(Finding::found("GStreamer", &machine.gstreamer));
    let (dlstreamer, others): (Vec<&String>, Vec<&String>) =
        needs.keys().partition(|factory| factory.starts_with("gva"));
    findings.extend(self::dlstreamer(machine, &dlstreamer));
    findings.extend(others.into_iter().map(|factory| {
        let what = format!("element {factory}");
        match machine.factories.get(factory).and_then(Option::as_ref) {
            Some(found) => Finding::found(what, format!("plugin {} {}", found.plugin, found.version)),
            None => match &needs[factory] {
                Need::Always => Finding::missing(what).way_out(way_out(factory)),
                Need::ClipsIn(codecs) => {
                    let codecs: Vec<&str> = codecs.iter().map(|codec| codec.name()).collect();
                    let note = format!("only clips in {} need it", codecs.join(", "));
                    Finding::absent(what, note).way_out(way_out(factory))
                }
            },
        }
    }));
    findings
}

/// DL Streamer's elements together: they come and go as one, as do the worker's own in their place.
fn dlstreamer(machine: &Machine, elements: &[&String]) -> Option<Finding> {
    if elements.is_empty() {
        return None;
    }
    let found = |factory: &str| machine.factories.get(factory).and_then(Option::as_ref);
    if machine.infers_natively() {
        let own = elements.iter().filter(|name| found(name).is_some()).count();
        let found = format!("{} of `lp-worker` itself, see docs/inference.md", counted(own, "element"));
        return Some(Finding::found("inference", found));
    }
    let missing: Vec<String> =
        elements.iter().filter(|name| found(name).is_none()).map(|name| format!("`{name}`")).collect();
    if missing.is_empty() {
        let version = elements.first().and_then(|name| found(name)).map_or("", |found| &found.version);
        return Some(Finding::found(
            "DL Streamer",
            format!("{version}, {}", counted(elements.len(), "element")),
        ));
    }
    let wrong = format!(
        "{} of {} missing: {}",
        missing.len(),
        counted(elements.len(), "element"),
        missing.join(", ")
    );
    let finding = Finding::missing("DL Streamer").wrong(wrong);
    Some(
        finding
            .way_out("`intel-dlstreamer` from Intel's apt repository, see `lp check --explain LP0902`")
            .in_container("a `[worker] command` with its image, see the same"),
    )
}

/// The worker; of one in a container, what comes before it.
fn worker(tools: &Tools) -> Vec<Finding> {
    let launch = match &tools.worker {
        Ok(launch) => launch,
        Err(error) => {
            let what = match error {
                WorkerError::NoProgram { engine: Some(_), .. } => "engine",
                WorkerError::NoImage { .. } => "image",
                _ => "worker",
            };
            return vec![Finding::missing(what).way_out(match error.hint() {
                Some(hint) => format!("{error}: {hint}"),
                None => error.to_string(),
            })];
        }
    };
    let program = Finding::found(
        if launch.image().is_some() { "engine" } else { "worker" },
        launch.program().display(),
    );
    let image = launch.image().map(|image| {
        let id = tools.host.facts.get("worker image").map_or("", String::as_str);
        [
            Finding::found("image", format!("{} {id}", image.display())),
            Finding::found("worker", "in a container of it"),
        ]
    });
    std::iter::once(program).chain(image.into_iter().flatten()).collect()
}

/// The Debian packages that bring what is missing, each once.
pub(super) fn packages(findings: &[Finding]) -> Vec<&'static str> {
    let missing = findings.iter().filter(|finding| finding.is_missing());
    let packages: BTreeSet<&str> =
        missing.filter_map(|finding| debian_package(finding.what().strip_prefix("element ")?)).collect();
    packages.into_iter().collect()
}
