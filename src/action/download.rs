//! `download:scan.mp4`: from the first of its URLs that returns the file.
//!
//! A pinned file is the one with that digest, whatever its contents and the
//! server's headers. Without a pin the response is checked ([`content`]), and one
//! that is no video is not kept.
//!
//! A URL with a temporary failure (the server is busy, the connection breaks) is
//! tried again after the others, [`ROUNDS`] times in all, and as often as more of the file
//! arrives: a download goes on where it broke off.
//!
//! A file in the folder of `--vendor` is taken before any URL is asked, and no URL is asked if
//! it is not the right one. With `--offline`, none is asked at all.
//! A file of a package is fetched by [`package`], after its URLs if it has any.
//!
//! Secrets are read when the download begins, and are in no key: a token or a header by the
//! variable that the config names, user and password from the user's `.netrc`.

use std::collections::VecDeque;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Fetching, LocalHost, content, package, place};
use crate::engine::events::Outcome;
use crate::engine::host::{Arrived, Attempt, HINT, Performed};
use crate::graph::task::{Download, DownloadKind, Task};
use crate::model::Camera;
use crate::os::env;
use crate::os::fs::FsError;
use crate::os::http::{self, Caller, DownloadError, Fetched, Limits, Login, Pinned, Request};
use crate::os::netrc::Netrc;
use crate::path::{ProjectPath, for_shell};
use crate::text::some_names;
use crate::time::duration_text;

/// How often a URL with a temporary failure is tried.
const ROUNDS: u32 = 3;

/// The wait before the second round, twice as long before each one after it.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest wait, whatever servers ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// So much more of a file is worth another round, in bytes.
const WORTHWHILE: u64 = 1 << 20;

pub(super) fn perform(
    host: &LocalHost<'_>,
    download: &Download,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Performed {
    match deliver(download, &host.fetching, &task.label, &task.outputs[0], attempt) {
        Ok(()) => Performed::succeeded(),
        Err(mut ended) => {
            tell_cameras(&mut ended, &players(host.cameras, &task.outputs[0]));
            ended
        }
    }
}

/// The cameras that play a file.
pub(crate) fn players<'c>(cameras: &'c [Camera], output: &ProjectPath) -> Vec<&'c str> {
    let plays = |camera: &&Camera| camera.video().is_some_and(|clip| clip.original() == *output);
    cameras.iter().filter(plays).map(|camera| camera.name.as_str()).collect()
}

/// Says of a download that failed which cameras need it.
pub(super) fn tell_cameras(ended: &mut Performed, names: &[impl Display]) {
    if ended.outcome == Outcome::Failed && !names.is_empty() {
        ended.detail.push_str(&format!("\n{HINT}{} cannot be played without it", some_names(names)));
    }
}

/// Fetches a file to its place below the attempt's folder. `label` begins what is noted.
///
/// # Errors
/// How the attempt ends if the file did not arrive.
pub(super) fn deliver(
    download: &Download,
    fetching: &Fetching,
    label: &str,
    output: &ProjectPath,
    attempt: &Attempt<'_>,
) -> Result<(), Performed> {
    let place = place(attempt, output).map_err(|error| Performed::failed(&error))?;
    if let Some(from) = fetching.vendored(output) {
        return match take(download, &from, &place, attempt) {
            Err(_) if attempt.cancel.is_cancelled() => Err(Performed::cancelled()),
            Err(error) => {
                let lines =
                    [Some(Performed::failed(&error).detail), way_out(download, output, &error, VENDORED)];
                Err(Performed::failed_with(lines.into_iter().flatten().collect::<Vec<_>>().join("\n")))
            }
            Ok(()) => Ok(()),
        };
    }
    if fetching.offline {
        let text = format!("`{output}` is in no store, and `--offline` asks no server");
        return Err(Performed::failed_with(format!("{text}\n{HINT}`--vendor DIR` takes it from a folder")));
    }
    let secrets = Secrets::read(download).map_err(|error| Performed::failed(&error))?;
    let mut failures: Vec<String> = Vec::new();
    let (mut is_elsewhere, mut renewal) = (false, None);
    let mut urls: Vec<&String> = download.urls.iter().collect();
    let (mut round, mut furthest) = (0, 0);
    while !urls.is_empty() {
        let (mut again, mut pause) = (Vec::new(), PAUSE * 2_u32.pow(round));
        let mut reason = String::new();
        round += 1;
        for url in urls {
            let (fetched, bytes) = fetch(download, url, &secrets, &place, attempt);
            if attempt.cancel.is_cancelled() {
                return Err(Performed::cancelled());
            }
            let Err(error) = fetched else { return Ok(()) };
            if bytes >= furthest + WORTHWHILE {
                (round, furthest) = (0, bytes);
            }
            if error.is_temporary() && round < ROUNDS {
                pause = pause.max(error.retry_after().unwrap_or_default().min(LONGEST_PAUSE));
                reason = error.to_string();
                again.push(url);
            } else {
                is_elsewhere |= has_ways_out(&error);
                renewal = renewal.or(way_out(download, output, &error, CHANGED));
                failures.push(Performed::failed(&error).detail);
            }
        }
        urls = again;
        if !urls.is_empty() {
            (attempt.note)(&format!("{label}: {reason}; asking again in {}", duration_text(pause)));
            if attempt.cancel.wait(pause) {
                return Err(Performed::cancelled());
            }
        }
    }
    if let Some(source) = &download.source {
        let renewal = download.is_locked.then(|| line(output, CHANGED));
        let ended = package::deliver(source, download, renewal, label, output, attempt);
        return ended.map_err(|ended| {
            failures.push(ended.detail);
            Performed { detail: failures.join("\n"), ..ended }
        });
    }
    failures.extend(renewal);
    if is_elsewhere {
        failures.push(ways_out(output));
    }
    Err(Performed::failed_with(failures.join("\n")))
}

/// The way out if a server has another file than `Lpfile.lock`; `NAME` is the asset's.
const CHANGED: &str = "if the file was meant to change, `lp assets update NAME` takes the new one";

/// The same for a folder of `--vendor`.
const VENDORED: &str = "the folder of `--vendor` was filled with another `Lpfile.lock`: fill it again";

fn line(output: &ProjectPath, text: &str) -> String {
    format!("{HINT}{}", text.replace("NAME", &for_shell(output.file_name())))
}

/// A line with this way out, if the file is not the one in `Lpfile.lock`.
fn way_out(download: &Download, output: &ProjectPath, error: &DownloadError, text: &str) -> Option<String> {
    use DownloadError as Error;
    let is_another = matches!(error, Error::Digest { .. } | Error::Size { .. } | Error::TooLarge { .. });
    (download.is_locked && is_another).then(|| line(output, text))
}

/// Whether another server or a file at hand would help: not if the disk is full.
fn has_ways_out(error: &DownloadError) -> bool {
    use DownloadError as Error;
    !matches!(
        error,
        Error::Write(_)
            | Error::NoRoom { .. }
            | Error::Digest { .. }
            | Error::Size { .. }
            | Error::Url { .. }
    )
}

fn ways_out(clip: &ProjectPath) -> String {
    let name = clip.file_name();
    if clip.as_str().starts_with("models/") {
        return format!(
            "{HINT}behind a proxy, set `HTTPS_PROXY`; name a server with a copy of the folder of models in \
             `[models] mirrors`; or use files of your own: put them there, `{name}` at `{clip}`"
        );
    }
    format!(
        "{HINT}behind a proxy, set `HTTPS_PROXY`; name a mirror with `urls` in `[asset.\"{name}\"]`; \
         or play a file of your own: put it at `{clip}`, or name it with `path` there"
    )
}

/// Fetches the file from one URL, and returns how many bytes of it have been there.
fn fetch(
    download: &Download,
    url: &str,
    secrets: &Secrets,
    place: &Path,
    attempt: &Attempt<'_>,
) -> (Result<(), DownloadError>, u64) {
    let file = place.file_name().unwrap_or_default().to_string_lossy();
    let pins = pinned(download);
    let mut is_fit = |answer: http::Answer<'_>| match download.wanted {
        Some(DownloadKind::Video) => content::is_video(&file, answer),
        // For the error message if the digest is not the pinned one. Unknown bytes need no word.
        None if download.pins.has_digest() && answer.status == 200 => {
            content::foreign(&file, answer.begin).map_or(Ok(()), |_| content::is_video(&file, answer))
        }
        None if download.pins.has_digest() => content::is_video(&file, answer),
        None => Ok(()),
    };
    // Leftovers of an earlier request.
    if let Err(error) = crate::os::fs::remove(place) {
        return (Err(error.into()), 0);
    }
    let login = secrets.login(url);
    let request =
        Request { url, headers: &secrets.headers, login: login.as_ref(), limits: Limits::default(), pins };
    let (mut meter, mut bytes) = (Meter::new(), 0);
    let mut on_progress = |arrived: u64, total: Option<u64>| {
        bytes = arrived;
        if let Some(rate) = meter.rate(arrived, Instant::now()) {
            (attempt.progress)(Arrived { bytes: arrived, total, rate });
        }
    };
    let is_cancelled = || attempt.cancel.is_cancelled();
    let mut caller =
        Caller { is_fit: &mut is_fit, on_progress: &mut on_progress, is_cancelled: &is_cancelled };
    let fetched = http::fetch(&request, &attempt.layout.parts(), place, &mut caller);
    let fetched = fetched.map(|fetched| (attempt.digested)(place, fetched.content));
    (fetched, bytes)
}

/// Takes the file from the folder of `--vendor`.
fn take(download: &Download, from: &Path, place: &Path, attempt: &Attempt<'_>) -> Result<(), DownloadError> {
    let file = place.file_name().unwrap_or_default().to_string_lossy();
    let mut is_fit = |answer: http::Answer<'_>| match download.wanted {
        Some(DownloadKind::Video) => content::is_video_file(&file, answer.begin),
        None => content::foreign(&file, answer.begin).map_or(Ok(()), |found| Err(format!("it is {found}"))),
    };
    let mut on_progress = |_: u64, _: Option<u64>| {};
    let is_cancelled = || attempt.cancel.is_cancelled();
    let mut caller =
        Caller { is_fit: &mut is_fit, on_progress: &mut on_progress, is_cancelled: &is_cancelled };
    let Fetched { content, .. } = http::take(from, pinned(download), place, &mut caller)?;
    (attempt.digested)(place, content);
    Ok(())
}

/// What the file must be, and who says so.
fn pinned(download: &Download) -> Pinned<'_> {
    Pinned { pins: &download.pins, by: download.pinned_by() }
}

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("{what} is the value of the variable `{name}`, {fault}\n{HINT}set it for `lp`")]
    Variable { what: String, name: String, fault: &'static str },
    #[error("{what} has characters that no header may have")]
    Characters { what: String },
    #[error("the passwords of hosts are not known")]
    Netrc(#[source] FsError),
}

/// What a request says of who asks.
struct Secrets {
    /// Names and values, without that of the token.
    headers: Vec<(String, String)>,
    token: Option<String>,
    netrc: Netrc,
}

impl Secrets {
    fn read(download: &Download) -> Result<Secrets, SecretError> {
        let variable = |what: String, name: &str| match env::variable(name) {
            Some(value) if value.chars().any(char::is_control) => Err(SecretError::Characters { what }),
            Some(value) => Ok(value),
            None => {
                let fault = env::fault(name).unwrap_or("which cannot be read");
                Err(SecretError::Variable { what, name: name.to_owned(), fault })
            }
        };
        let header = |(name, value): (&String, &String)| {
            let by_name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let value = match by_name {
                Some(variable_name) => variable(format!("the header `{name}`"), variable_name)?,
                None => value.clone(),
            };
            Ok::<_, SecretError>((name.clone(), value))
        };
        let headers = download.headers.iter().map(header).collect::<Result<Vec<_>, _>>()?;
        let token = download.token.as_ref().map(|name| variable("the token".to_owned(), name)).transpose()?;
        let netrc = match token {
            Some(_) => Netrc::default(),
            None => Netrc::read().map_err(SecretError::Netrc)?,
        };
        Ok(Secrets { headers, token, netrc })
    }

    fn login(&self, url: &str) -> Option<Login> {
        if let Some(token) = &self.token {
            return Some(Login::Bearer(token.clone()));
        }
        let (user, password) = self.netrc.login(&http::host_without_login(url)?)?;
        Some(Login::Basic { user: user.to_owned(), password: password.to_owned() })
    }
}

/// Computes the rate of a download over the last few seconds.
struct Meter {
    /// Bytes and when they were there, one about each second.
    marks: VecDeque<(u64, Instant)>,
}

impl Meter {
    const SECONDS: usize = 5;

    fn new() -> Meter {
        Meter { marks: VecDeque::with_capacity(Meter::SECONDS + 1) }
    }

    /// The rate in bytes per second; `None` if one was told less than a second ago. The first
    /// is 0.
    fn rate(&mut self, bytes: u64, now: Instant) -> Option<u64> {
        if let Some((_, last)) = self.marks.back()
            && now.duration_since(*last) < Duration::from_secs(1)
        {
            return None;
        }
        self.marks.push_back((bytes, now));
        if self.marks.len() > Meter::SECONDS + 1 {
            self.marks.pop_front();
        }
        let (first, begin) = self.marks[0];
        let seconds = now.duration_since(begin).as_secs_f64();
        Some(if seconds > 0.0 { (bytes.saturating_sub(first) as f64 / seconds) as u64 } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::new();
        let begin = Instant::now();
        let mut at = |bytes, ms| meter.rate(bytes, begin + Duration::from_millis(ms));
        // What was there before counts for nothing.
        assert_eq!(at(5_000, 0), Some(0));
        assert_eq!(at(5_100, 500), None);
        assert_eq!(at(6_000, 1_000), Some(1_000));
        for second in 2..20 {
            assert!(at(6_000, second * 1_000).is_some());
        }
        assert_eq!(at(6_000, 20_000), Some(0));
    }
}
