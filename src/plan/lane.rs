//! The planned lane: every camera of a project with its request and its plan.
//!
//! A command makes it once, and everything that asks which pipelines cameras have
//! reads it: lowering, `lp show`, `lp check`, `lp run` and `lp doctor`.
//!
//! Not here: launch lines and assets, which take longer than all else and which
//! only readers of a plan file want (`dialect::compile`).

use std::collections::HashSet;

use rayon::prelude::*;

use super::{CameraPlan, DialectName, PlanRequest, PlannedPipeline, VERSION, consolidate};
use crate::model::{Camera, DialectChoice, Project, Source, StepPlaces};
use crate::name::Slug;

/// The cameras of a project as planned.
#[derive(Clone, Debug)]
pub struct Lane {
    /// In project order.
    pub cameras: Vec<PlannedCamera>,
}

impl Lane {
    #[must_use]
    pub fn of(project: &Project) -> Lane {
        let plan = |camera| PlannedCamera::new(request(project, camera));
        Lane { cameras: project.cameras.par_iter().map(plan).collect() }
    }

    /// The cameras with these slugs, in project order.
    #[must_use]
    pub fn members(&self, slugs: &[Slug]) -> Vec<&PlannedCamera> {
        let wanted: HashSet<&Slug> = slugs.iter().collect();
        self.cameras.iter().filter(|planned| wanted.contains(planned.slug())).collect()
    }
}

/// A camera and its plan.
#[derive(Clone, Debug)]
pub struct PlannedCamera {
    /// The request that the plan is made from; it also has the places in the config files.
    pub request: PlanRequest,
    /// Without launch lines and assets.
    pub plan: CameraPlan,
}

impl PlannedCamera {
    /// Plans a camera.
    ///
    /// # Panics
    /// If a synthetic camera comes without its scene.
    #[must_use]
    pub fn new(request: PlanRequest) -> PlannedCamera {
        let plan = consolidate(&request);
        PlannedCamera { request, plan }
    }

    /// The camera, as resolved.
    #[must_use]
    pub fn camera(&self) -> &Camera {
        &self.request.camera
    }

    /// Where the steps of one of its pipelines are written, in their order.
    #[must_use]
    pub fn places(&self, pipeline: &PlannedPipeline) -> &[StepPlaces] {
        let workload =
            self.request.workloads.iter().find(|one| Some(&one.name) == pipeline.workloads.first());
        workload.map_or(&[], |workload| &workload.places)
    }

    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.request.camera.slug
    }
}

fn request(project: &Project, camera: &Camera) -> PlanRequest {
    let mut known = HashSet::new();
    let workloads = camera.workloads.iter().map(|name| {
        let workload = project.workload(name);
        workload.expect("a project's cameras use mapped workloads")
    });
    let workloads: Vec<_> = workloads.filter(|workload| known.insert(&workload.slug)).cloned().collect();
    let dialect = match project.settings.dialect {
        DialectChoice::Stock => DialectName::Stock,
        DialectChoice::Dlstreamer => DialectName::Dlstreamer,
        DialectChoice::Native => DialectName::Native,
        DialectChoice::Auto => {
            let mut steps = workloads.iter().flat_map(|workload| &workload.steps);
            match steps.any(|step| step.is_inference()) {
                true if project.settings.infers_natively => DialectName::Native,
                true => DialectName::Dlstreamer,
                false => DialectName::Stock,
            }
        }
    };
    let scene = match &camera.source {
        Source::Synthetic { scene } => {
            Some(project.scenes.get(scene).expect("a project has the scenes that it uses").scene.clone())
        }
        _ => None,
    };
    PlanRequest {
        version: VERSION,
        camera: camera.clone(),
        workloads,
        dialect,
        render: project.settings.render,
        decode_only: project.settings.decode_only,
        share: project.settings.share,
        scene,
    }
}
