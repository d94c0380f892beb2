//! `download:scan.mp4`: from the first of its URLs that delivers what is pinned.

use super::place;
use crate::engine::perform::{Attempt, Performed};
use crate::graph::task::{Download, Task};
use crate::os::http::{self, Limits};

/// Why no URL delivered the file.
#[derive(Debug, thiserror::Error)]
enum NotDownloaded {
    #[error(transparent)]
    Http(#[from] http::DownloadError),
    #[error("`{url}` has digest {actual}, but the config pins {expected}")]
    DigestMismatch { url: String, expected: String, actual: String },
}

pub(super) fn perform(download: &Download, task: &Task, attempt: &Attempt<'_>) -> Performed {
    let place = match place(attempt, &task.outputs[0]) {
        Ok(place) => place,
        Err(error) => return Performed::failed(&error),
    };
    let mut failures = Vec::new();
    for url in &download.urls {
        let fetched =
            http::download(url, &place, Limits::default(), &mut |_, _| {}, &|| attempt.cancel.is_cancelled());
        if attempt.cancel.is_cancelled() {
            return Performed::cancelled();
        }
        let error = match fetched {
            Ok(downloaded) => match &download.sha256 {
                Some(expected) if *expected != downloaded.sha256 => NotDownloaded::DigestMismatch {
                    url: http::redacted(url),
                    expected: expected.clone(),
                    actual: downloaded.sha256,
                },
                _ => return Performed::succeeded(),
            },
            Err(error) => error.into(),
        };
        failures.push(Performed::failed(&error).detail);
    }
    Performed::failed_with(failures.join("\n"))
}
