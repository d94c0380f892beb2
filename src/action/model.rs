//! `download:models/NAME/PRECISION`: the files of a model, all or none.
//!
//! Each is fetched as any download is, and must have its pinned digests. Before they
//! appear, they are checked for sense ([`model_file`]), which finds a faulty recipe.
//! The same check finds out what is wrong with a user's file.

use std::io;
use std::path::Path;

use super::{LocalHost, content, download};
use crate::engine::host::{Attempt, HINT, Performed};
use crate::graph::task::{ModelDownload, Task};
use crate::os;
use crate::path::ProjectPath;
use crate::pipeline::model_file::{self, Needed, WEIGHTS_ENDING};
use crate::pipeline::tensors::{self, ModelUse};

/// The largest description of a model that is read whole.
const LARGEST: u64 = 256 << 20;

/// The beginning that is read of all other files.
const BEGIN: usize = 16 << 10;

pub(super) fn perform(
    host: &LocalHost<'_>,
    model: &ModelDownload,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Performed {
    for (file, output) in model.files.iter().zip(&task.outputs) {
        if let Err(mut ended) =
            download::deliver(&file.download(), &host.fetching, &task.label, output, attempt)
        {
            download::tell_cameras(&mut ended, &model.cameras);
            return ended;
        }
    }
    let faults = faults(task, attempt);
    if faults.is_empty() {
        return Performed::succeeded();
    }
    let hint = format!("{HINT}these are the pinned files, so the recipe of the model is wrong");
    Performed::failed_with(format!("{}\n{hint}", faults.join("\n")))
}

/// What is wrong with the files that an attempt has made.
pub(super) fn faults(task: &Task, attempt: &Attempt<'_>) -> Vec<String> {
    let fault = |output: &ProjectPath| {
        let used = ModelUse::of_path(output.as_str());
        Some(format!("`{output}` {}", fault(&attempt.dir.join(output.as_str()), used)?))
    };
    task.outputs.iter().filter_map(fault).collect()
}

/// What is wrong with a file of a model, to follow its name; `None` if nothing is, or if
/// `lp` does not know its format. Weights beside it are looked at, not read. `used` says what a
/// step does with it, if that is known.
pub(crate) fn fault(place: &Path, used: Option<ModelUse>) -> Option<String> {
    match try_fault(place, used) {
        Ok(fault) => fault,
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn try_fault(place: &Path, used: Option<ModelUse>) -> io::Result<Option<String>> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let found = os::fs::metadata(place).map_err(|error| error.source)?;
    if !found.is_file() {
        return Ok(Some("is no regular file".to_owned()));
    }
    let bytes = match model_file::needed(&name) {
        Needed::Whole => os::fs::read_bounded(place, LARGEST)?,
        Needed::WholeIfSmall if found.len() <= LARGEST => os::fs::read_bounded(place, LARGEST)?,
        Needed::WholeIfSmall | Needed::Begin => os::fs::read_head(place, BEGIN as u64)?,
    };
    let weights = os::fs::metadata(&place.with_extension(WEIGHTS_ENDING)).ok().map(|found| found.len());
    let fault = model_file::fault(&name, &bytes, found.len(), weights, used);
    if let (None, Some(used), true) = (&fault, used, name.ends_with(".onnx"))
        // Only the outermost structure of the file was checked.
        && let Ok(infos) = os::onnx::infos(place)
    {
        return Ok(tensors::of_onnx(&infos.inputs, &infos.outputs).misfit(used));
    }
    Ok(fault.map(|fault| match content::known(&bytes[..bytes.len().min(BEGIN)]) {
        Some(found) if fault.is_foreign => format!("{}: it is {found}", fault.text),
        _ => fault.text,
    }))
}
