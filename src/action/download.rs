//! `download:scan.mp4`: from the first of its URLs that returns the file.
//!
//! A pinned file is the one with that digest, whatever its contents and the
//! server's headers. Without a pin the response is checked ([`content`]), and one
//! that is no video is not kept.
//!
//! A URL with a temporary failure (the server is busy, the connection breaks) is
//! tried again after the others, [`ROUNDS`] times in all.

use std::time::Duration;

use super::{content, place};
use crate::engine::host::{Attempt, HINT, Performed};
use crate::graph::task::{Download, DownloadKind, Task};
use crate::os::http::{self, Limits};
use crate::path::ProjectPath;
use crate::text::redacted;
use crate::time::duration_text;

/// How often a URL with a temporary failure is tried.
const ROUNDS: u32 = 3;

/// The wait before the second round, twice as long before each one after it.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest wait, whatever servers ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why no URL delivered the file.
#[derive(Debug, thiserror::Error)]
enum NotDownloaded {
    #[error(transparent)]
    Http(#[from] http::DownloadError),
    #[error("`{url}` has digest {actual}, but the config pins {expected}{}", found.as_ref().map_or(String::new(), |found| format!(": {found}")))]
    DigestMismatch { url: String, expected: String, actual: String, found: Option<String> },
}

pub(super) fn perform(download: &Download, task: &Task, attempt: &Attempt<'_>) -> Performed {
    match deliver(download, &task.label, &task.outputs[0], attempt) {
        Ok(()) => Performed::succeeded(),
        Err(ended) => ended,
    }
}

/// Fetches a file to its place below the attempt's folder. `label` begins what is noted.
///
/// # Errors
/// How the attempt ends if the file did not arrive.
pub(super) fn deliver(
    download: &Download,
    label: &str,
    output: &ProjectPath,
    attempt: &Attempt<'_>,
) -> Result<(), Performed> {
    let place = place(attempt, output).map_err(|error| Performed::failed(&error))?;
    let mut failures: Vec<String> = Vec::new();
    let mut is_elsewhere = false;
    let mut urls: Vec<&String> = download.urls.iter().collect();
    for round in 0..ROUNDS {
        let (mut again, mut pause) = (Vec::new(), PAUSE * 2_u32.pow(round));
        let mut reason = String::new();
        for url in urls {
            let fetched = fetch(download, url, &place, attempt);
            if attempt.cancel.is_cancelled() {
                return Err(Performed::cancelled());
            }
            let Err(error) = fetched else { return Ok(()) };
            match &error {
                NotDownloaded::Http(http) if http.is_temporary() && round + 1 < ROUNDS => {
                    pause = pause.max(http.retry_after().unwrap_or_default().min(LONGEST_PAUSE));
                    reason = error.to_string();
                    again.push(url);
                }
                _ => {
                    is_elsewhere |= has_ways_out(&error);
                    failures.push(Performed::failed(&error).detail);
                }
            }
        }
        if again.is_empty() {
            break;
        }
        urls = again;
        (attempt.note)(&format!("{label}: {reason}; asking again in {}", duration_text(pause)));
        if attempt.cancel.wait(pause) {
            return Err(Performed::cancelled());
        }
    }
    if is_elsewhere {
        failures.push(ways_out(output));
    }
    Err(Performed::failed_with(failures.join("\n")))
}

/// Whether another server or a file at hand would help: not if the disk is full.
fn has_ways_out(error: &NotDownloaded) -> bool {
    use http::DownloadError as Http;
    let NotDownloaded::Http(error) = error else { return false };
    matches!(error, Http::Request { .. } | Http::Idle { .. } | Http::Unfit { .. } | Http::Status { .. })
}

fn ways_out(clip: &ProjectPath) -> String {
    let name = clip.file_name();
    format!(
        "{HINT}behind a proxy, set `HTTPS_PROXY`; name a mirror with `urls` in `[asset.\"{name}\"]`; \
         or play a file of your own: put it at `{clip}`, or name it with `path` there"
    )
}

fn fetch(
    download: &Download,
    url: &str,
    place: &std::path::Path,
    attempt: &Attempt<'_>,
) -> Result<(), NotDownloaded> {
    let file = place.file_name().unwrap_or_default().to_string_lossy();
    let mut found = None;
    let mut is_fit = |answer: http::Answer<'_>| match download.wanted {
        Some(DownloadKind::Video) => content::is_video(&file, answer),
        None => {
            // For the error message if the digest is not the pinned one.
            found = content::is_video(&file, answer).err();
            Ok(())
        }
    };
    // Leftovers of an earlier request.
    crate::os::fs::remove(place).map_err(http::DownloadError::Write)?;
    let is_cancelled = || attempt.cancel.is_cancelled();
    let got = http::download(url, place, Limits::default(), &mut is_fit, &mut |_, _| {}, &is_cancelled)?;
    match &download.sha256 {
        Some(expected) if *expected != got.sha256 => Err(NotDownloaded::DigestMismatch {
            url: redacted(url),
            expected: expected.clone(),
            actual: got.sha256,
            found,
        }),
        _ => Ok(()),
    }
}
