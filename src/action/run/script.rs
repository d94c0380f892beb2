//! The arguments, environment and folders of a user's script.
//!
//! `docs/configuration.md` documents them for authors of scripts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ActionError;
use super::secrets::{Secrets, login};
use crate::engine::host::Attempt;
use crate::model::{Pace, Script, Source};
use crate::name::Slug;
use crate::os;
use crate::plan::CameraPlan;
use crate::record::build::ScriptSetup;
use crate::session::ScriptLoad;

/// The scripts of a member and their entries in the record; creates their folders.
pub(super) fn scripts(
    plan: &CameraPlan,
    slug: &Slug,
    pace: Pace,
    secrets: &Secrets,
    attempt: &Attempt<'_>,
) -> Result<Vec<(ScriptSetup, ScriptLoad)>, ActionError> {
    let mut scripts = Vec::new();
    for pipeline in &plan.pipelines {
        let Some(script) = pipeline.script() else { continue };
        let setup = ScriptSetup {
            stream: format!("{slug}/{}", pipeline.index),
            index: pipeline.index,
            workloads: pipeline.workloads.clone(),
            script: script.path.as_str().to_owned(),
            parameters: script.parameters.clone(),
        };
        let files = super::files::folder(attempt, &setup.stream);
        let temporary = attempt.dir.join("tmp").join(&setup.stream);
        os::fs::create_dir_all(&files)?;
        os::fs::create_dir_all(&temporary)?;
        let camera = Camera { plan, slug, pace };
        let mut env = environment(&camera, script, attempt, &files, &temporary)?;
        log_in(plan, secrets, &mut env);
        let load = ScriptLoad {
            argv: argv(script, attempt),
            dir: attempt.layout.root.clone(),
            env,
            redaction: secrets.redaction(),
        };
        scripts.push((setup, load));
    }
    Ok(scripts)
}

/// A script in the project is called by its path relative to the root, so that `$0`
/// is the same on every machine.
fn argv(script: &Script, attempt: &Attempt<'_>) -> Vec<OsString> {
    let mut program = attempt.layout.shown(&script.path);
    if !program.as_os_str().as_bytes().contains(&b'/') {
        program = Path::new(".").join(program);
    }
    std::iter::once(program.into_os_string()).chain(script.arguments().map(OsString::from)).collect()
}

/// The camera for a script.
struct Camera<'a> {
    plan: &'a CameraPlan,
    slug: &'a Slug,
    pace: Pace,
}

fn environment(
    camera: &Camera<'_>,
    script: &Script,
    attempt: &Attempt<'_>,
    files: &Path,
    temporary: &Path,
) -> Result<BTreeMap<OsString, OsString>, ActionError> {
    let Camera { plan, slug, pace } = camera;
    let source: OsString = match &plan.source {
        Source::File(clip) => attempt.layout.resolve(&clip.path).into(),
        Source::Rtsp(stream) => (&stream.uri).into(),
        Source::Usb { device } => device.into(),
        // `lp` reports this at its place in the config before a run.
        Source::Synthetic { .. } => {
            return Err(ActionError::Worker(format!(
                "`{}` runs a script, but is drawn inside the worker, where no script can see it",
                plan.camera
            )));
        }
    };
    let device = script.parameters.get("device").map_or("CPU".to_owned(), ToString::to_string);
    let text = |value: &dyn ToString| OsString::from(value.to_string());
    let mut environment: BTreeMap<OsString, OsString> = [
        ("PATH", crate::action::PATH.into()),
        ("LANG", "C.UTF-8".into()),
        ("HOME", os::env::home().unwrap_or_else(|| "/".into())),
        ("TMPDIR", temporary.into()),
        ("LP_CAMERA_ID", text(&plan.camera)),
        ("LP_CAMERA_SLUG", text(slug)),
        ("LP_CAMERA_SOURCE", source),
        ("LP_CAMERA_SOURCE_KIND", plan.source.kind().word().into()),
        ("LP_CAMERA_WIDTH", text(&plan.width)),
        ("LP_CAMERA_HEIGHT", text(&plan.height)),
        ("LP_CAMERA_FPS", text(&plan.fps)),
        ("LP_CAMERA_TARGET_FPS", text(&plan.target_fps)),
        ("LP_CAMERA_PACE", if *pace == Pace::Free { "free" } else { "live" }.into()),
        ("LP_CAMERA_DEVICE", device.into()),
        ("LP_CAMERA_RESULTS_DIR", files.into()),
        ("LP_CAMERA_MODELS_DIR", attempt.layout.models.clone().into()),
    ]
    .map(|(name, value): (&str, OsString)| (name.into(), value))
    .into();
    if let Some(roi) = &plan.region_of_interest {
        let roi = format!("{},{},{},{}", roi.x, roi.y, roi.x2, roi.y2);
        environment.insert("LP_CAMERA_ROI".into(), roi.into());
    }
    Ok(environment)
}

/// Adds user and password of the camera's stream.
fn log_in(plan: &CameraPlan, secrets: &Secrets, environment: &mut BTreeMap<OsString, OsString>) {
    let Some(login) = login(plan) else { return };
    for (name, credential) in ["LP_CAMERA_USER", "LP_CAMERA_PASSWORD"].into_iter().zip(login.parts()) {
        if let Some(value) = secrets.credential(credential) {
            environment.insert(name.into(), value.into());
        }
    }
}
