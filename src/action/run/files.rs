//! Files that pipelines, scripts and collectors write while they are measured: each stream
//! has a folder in the attempt, which becomes part of the run's view.

use std::path::{Path, PathBuf};

use crate::engine::host::Attempt;
use crate::os;
use crate::record::RunRecord;

/// The folder of all streams' files, in the attempt.
pub(super) const FOLDER: &str = "files";

/// The folder of what programs of the user's beside the run print, among these files.
pub(super) const COLLECTORS: &str = "collectors";

/// The folder for a stream's files; `stream` is `camera-3/2`. Not yet created.
pub(super) fn folder(attempt: &Attempt<'_>, stream: &str) -> PathBuf {
    attempt.dir.join(FOLDER).join(stream)
}

/// Moves the files into the run's view, `results/runs/<run-id>/camera-3/2/`. A file
/// that cannot be moved is reported and lost with the attempt.
pub(super) fn keep(record: &RunRecord, run: &str, attempt: &Attempt<'_>) {
    let view = attempt.layout.results.join("runs").join(run);
    let members = || record.members.iter();
    let scripts = members().flat_map(|member| &member.scripts).map(|script| &script.stream);
    let streams = members().flat_map(|member| &member.streams).map(|stream| &stream.stream);
    let beside = (!record.collectors.is_empty()).then(|| COLLECTORS.to_owned());
    for stream in scripts.chain(streams).chain(&beside) {
        let files = folder(attempt, stream);
        // Most folders are empty.
        if os::fs::list_names(&files).map_or(true, |names| names.is_empty()) {
            continue;
        }
        if let Err(error) = moved(&files, &view.join(stream)) {
            let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
            (attempt.note)(&format!("note: files of `{stream}` are lost: {error}{cause}"));
        }
    }
}

fn moved(files: &Path, place: &Path) -> Result<(), os::fs::FsError> {
    os::fs::create_parent(place)?;
    os::fs::rename(files, place)
}
