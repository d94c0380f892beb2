//! The plans of all cameras together: `results/plan.json`, and in a few numbers
//! `results/summary.json`.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::load::{Load, load};
use super::{CameraPlan, VERSION};

/// `results/plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanePlan {
    /// [`VERSION`].
    pub version: u32,
    /// In project order.
    pub cameras: Vec<CameraPlan>,
}

/// `results/summary.json`: one copy of the lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`VERSION`].
    pub version: u32,
    /// Cameras of the lane.
    pub cameras: usize,
    /// Distinct workloads that are used.
    pub workloads: usize,
    /// Workloads, counted once for each camera that carries them: the
    /// number of pipelines if each had its own.
    pub pipelines_before_merging: usize,
    /// Pipelines after merging, those that cannot be played among them.
    pub pipelines: usize,
    /// How many times fewer a camera's frames are decoded (or drawn, or captured)
    /// because workloads share a pipeline that can be played, or pipelines decoding.
    pub decodes_saved: usize,
    pub dialects: BTreeMap<String, usize>,
    /// The load of the pipelines that can be played.
    pub load: Load,
    /// Pipelines that cannot be played, and why.
    pub unsupported: Vec<UnsupportedPipeline>,
    /// Workloads that a camera names more than once; each is done once.
    pub repeated: Vec<Repetition>,
}

/// A pipeline that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedPipeline {
    pub camera: String,
    /// The workloads that the pipeline would serve.
    pub workloads: Vec<String>,
    pub because: String,
}

/// Workloads that a camera names more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repetition {
    pub camera: String,
    pub workloads: Vec<String>,
}

/// Counts what cameras need.
#[must_use]
pub fn summarise(cameras: &[CameraPlan]) -> Summary {
    let mut summary = Summary {
        version: VERSION,
        cameras: cameras.len(),
        workloads: 0,
        pipelines_before_merging: 0,
        pipelines: 0,
        decodes_saved: 0,
        dialects: BTreeMap::new(),
        load: load(cameras),
        unsupported: Vec::new(),
        repeated: Vec::new(),
    };
    let mut names = HashSet::new();
    for camera in cameras {
        // Names as the workload file has them, so equal ones are one workload.
        names.extend(&camera.workloads);
        summary.pipelines_before_merging += camera.workloads.len();
        summary.pipelines += camera.pipelines.len();
        *summary.dialects.entry(camera.dialect.word().to_owned()).or_default() += camera.pipelines.len();
        summary.decodes_saved += decodes_saved(camera);
        for pipeline in &camera.pipelines {
            summary.unsupported.extend(pipeline.unsupported.iter().map(|because| UnsupportedPipeline {
                camera: camera.camera.clone(),
                workloads: pipeline.workloads.clone(),
                because: because.clone(),
            }));
        }
        if !camera.repeated.is_empty() {
            let (camera, workloads) = (camera.camera.clone(), camera.repeated.clone());
            summary.repeated.push(Repetition { camera, workloads });
        }
    }
    summary.workloads = names.len();
    summary
}

/// How many times fewer a camera's frames are decoded because workloads share a
/// pipeline, or pipelines decoding. A script decodes for itself, if it does.
#[must_use]
pub fn decodes_saved(camera: &CameraPlan) -> usize {
    let played = camera.pipelines.iter().filter(|one| one.has_elements());
    let merged: usize = played.map(|pipeline| pipeline.workloads.len() - 1).sum();
    merged + camera.shared.iter().map(|group| group.pipelines.len() - 1).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::DialectName;
    use crate::plan::tests::plan;

    #[track_caller]
    fn check(cameras: &[CameraPlan], expect: Expect) {
        let summary = Summary { load: Load::default(), ..summarise(cameras) };
        let mut document = serde_json::to_value(summary).unwrap();
        document.as_object_mut().unwrap().remove("load");
        expect.assert_eq(&format!("{document:#}\n"));
    }

    #[test]
    fn only_pipelines_that_are_played_save_decodes() {
        let mut camera = plan(
            DialectName::Stock,
            &[
                ("a", &["zbar"]),
                ("b", &["zbar"]),
                ("B", &[]),
                ("s", &["script script=s.sh"]),
                ("t", &["script script=s.sh"]),
                ("v", &["vlm"]),
                ("w", &["vlm"]),
            ],
        );
        let mut other = plan(DialectName::Dlstreamer, &[("a", &["zbar"]), ("c", &["gvadetect"])]);
        (camera.camera, other.camera) = ("one".into(), "other".into());
        check(
            &[camera, other],
            expect![[r#"
                {
                  "cameras": 2,
                  "decodes_saved": 1,
                  "dialects": {
                    "dlstreamer": 2,
                    "stock": 3
                  },
                  "pipelines": 5,
                  "pipelines_before_merging": 8,
                  "repeated": [
                    {
                      "camera": "one",
                      "workloads": [
                        "b"
                      ]
                    }
                  ],
                  "unsupported": [
                    {
                      "because": "`vlm` steps are planned but cannot be played yet",
                      "camera": "one",
                      "workloads": [
                        "v",
                        "w"
                      ]
                    }
                  ],
                  "version": 5,
                  "workloads": 7
                }
            "#]],
        );
    }
}
