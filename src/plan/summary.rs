//! The plans of all cameras together: `results/plan.json`, and in a few numbers
//! `results/summary.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CameraPlan, DialectName, VERSION};

/// `results/plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanePlan {
    /// [`VERSION`].
    pub version: u32,
    /// In project order.
    pub cameras: Vec<CameraPlan>,
}

/// `results/summary.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// [`VERSION`].
    pub version: u32,
    /// Cameras of the lane.
    pub cameras: usize,
    /// Distinct workloads that are used.
    pub workloads: usize,
    /// Workloads counted once per camera that carries them.
    pub workload_uses: usize,
    /// Pipelines after consolidation.
    pub pipelines: usize,
    /// `workload_uses - pipelines`: decodes that sharing saves.
    pub decodes_saved: usize,
    /// Pipelines by dialect.
    pub dialects: BTreeMap<String, usize>,
    /// Names of workloads that cannot be played yet.
    pub unsupported: Vec<String>,
}

/// Counts what a lane needs.
#[must_use]
pub fn summarise(plan: &LanePlan) -> Summary {
    let mut names: Vec<String> = Vec::new();
    let mut unsupported: Vec<String> = Vec::new();
    let mut dialects: BTreeMap<String, usize> = BTreeMap::new();
    let (mut workload_uses, mut pipelines) = (0, 0);
    for camera in &plan.cameras {
        workload_uses += camera.workloads.len();
        pipelines += camera.pipelines.len();
        names.extend(camera.workloads.iter().map(|name| name.to_lowercase()));
        let dialect = match camera.dialect {
            DialectName::Stock => "stock",
            DialectName::Dlstreamer => "dlstreamer",
        };
        *dialects.entry(dialect.to_owned()).or_default() += camera.pipelines.len();
        for pipeline in camera.pipelines.iter().filter(|pipeline| pipeline.unsupported.is_some()) {
            unsupported.extend(pipeline.workloads.iter().cloned());
        }
    }
    for list in [&mut names, &mut unsupported] {
        list.sort();
        list.dedup();
    }
    Summary {
        version: VERSION,
        cameras: plan.cameras.len(),
        workloads: names.len(),
        workload_uses,
        pipelines,
        decodes_saved: workload_uses - pipelines,
        dialects,
        unsupported,
    }
}
