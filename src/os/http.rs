//! Fetches a file over HTTP or HTTPS, digesting it on the way.
//!
//! What has arrived stays in a folder of parts ([`part`]) and goes on from there later: the
//! request then asks for the rest (`Range`), and for the whole file should it have changed
//! (`If-Range`). The file reaches its destination only whole, and only if it is what is
//! pinned. Digests are those of the whole file, wherever its bytes came from.
//!
//! Nothing waits for long: a server must send at least [`SLOWEST`] bytes a second over the
//! idle limit, and a body that announces no end stops before the disk is full.
//!
//! User, password, token and headers go to the origin that was asked first, never to
//! another host after a redirect ([`redirect`]), and appear in no message.
//!
//! Not here: retries and mirrors (`action::download`).

mod compare;
mod digests;
mod error;
mod local;
mod part;
mod redirect;
mod roots;
mod transfer;

use std::fmt;
use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use serde::{Deserialize, Serialize};

use super::fs::{Context, FsError};
use super::usage::free_bytes;
use crate::digest::ContentDigest;
pub use compare::{Compared, compare};
use digests::{Digester, Digests, Piece};
pub use error::DownloadError;
pub use local::take;
pub use part::part_name;
use part::{Part, Resumption};
pub use redirect::RedirectFault;
use transfer::Response;

/// The `User-Agent` of `lp`. Some clip sites refuse clients other than browsers.
pub const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; lp/", env!("CARGO_PKG_VERSION"), ")");

/// The slowest rate that is waited for, in bytes per second.
pub const SLOWEST: u64 = 1024;

/// The room that a download leaves on the disk, in bytes.
pub const RESERVE: u64 = 64 << 20;

/// After so many bytes the free disk is looked at again, and the file is synced.
const STRETCH: u64 = 16 << 20;

/// Limits of time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection is established.
    pub connect: Duration,
    /// Without a single byte, or with fewer than [`SLOWEST`] a second.
    pub idle: Duration,
}

impl Default for Limits {
    /// 20 s and 60 s. Tests of `lp` itself set `LP_IDLE_MS`, so as not to wait.
    fn default() -> Limits {
        let idle = std::env::var("LP_IDLE_MS").ok().and_then(|text| text.parse().ok());
        let idle = idle.map_or(Duration::from_secs(60), Duration::from_millis);
        Limits { connect: Duration::from_secs(20), idle }
    }
}

/// What a file must be. Digests are lowercase hex. In keys of tasks, so no name changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// 64 digits.
    pub sha256: Option<String>,
    /// 96 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha384: Option<String>,
    /// 64 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// 40 digits: SHA-1 over `blob <size>`, a NUL byte and the file, as `git hash-object` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_blob_sha1: Option<String>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Pins {
    /// Whether the contents are pinned, so that nothing else needs to tell what they are.
    #[must_use]
    pub fn has_digest(&self) -> bool {
        [&self.sha256, &self.sha384, &self.blake3, &self.git_blob_sha1].iter().any(|pin| pin.is_some())
    }

    /// The first digest that is not the pinned one.
    fn difference(&self, digests: &Digests, path: &Path, bytes: u64) -> Result<Option<Difference>, FsError> {
        let git_blob_sha1 = match &self.git_blob_sha1 {
            Some(_) => Some(digests::git_blob_sha1(path, bytes)?),
            None => None,
        };
        let pairs = [
            (PinKey::Sha256, &self.sha256, digests.sha256.clone()),
            (PinKey::Sha384, &self.sha384, digests.sha384.clone()),
            (PinKey::Blake3, &self.blake3, Some(digests.content.to_hex())),
            (PinKey::GitBlobSha1, &self.git_blob_sha1, git_blob_sha1),
        ];
        let mut pinned = pairs.into_iter().filter_map(|(pin, expected, actual)| {
            Some(Difference { pin, expected: expected.clone()?, actual: actual? })
        });
        Ok(pinned.find(|pinned| pinned.expected != pinned.actual))
    }
}

/// One of the [`Pins`]. Serialises to its key in a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinKey {
    Sha256,
    Sha384,
    Blake3,
    GitBlobSha1,
    Size,
}

/// A pin that a file does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub pin: PinKey,
    /// The pinned digest, or size in bytes.
    pub expected: String,
    /// That of the file.
    pub actual: String,
}

/// The proof of who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A token (RFC 6750).
    Bearer(String),
    /// Not escaped (RFC 7617).
    Basic { user: String, password: String },
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

/// A file to fetch.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// A user and password in it take precedence over `login`.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(String, String)],
    pub login: Option<&'a Login>,
    pub limits: Limits,
    pub pins: Pinned<'a>,
}

/// What a file must be, and who says so.
#[derive(Clone, Copy)]
pub struct Pinned<'a> {
    pub pins: &'a Pins,
    /// For messages: `the config`.
    pub by: &'static str,
}

/// The host of a URL, in lower case, if user and password are not in the URL itself.
#[must_use]
pub fn host_without_login(url: &str) -> Option<String> {
    redirect::host(url).filter(|host| !host.contains('@'))
}

/// The callbacks of a download.
pub struct Caller<'a> {
    /// Gets the server's answer once its body has begun, and refuses it by naming the
    /// unexpected contents. Of a download that goes on, the answer is that of the whole file.
    pub is_fit: &'a mut dyn FnMut(Answer<'_>) -> Result<(), String>,
    /// Gets the bytes that are there and, if it is known, their total.
    pub on_progress: &'a mut dyn FnMut(u64, Option<u64>),
    pub is_cancelled: &'a dyn Fn() -> bool,
}

/// The number of body bytes that [`Answer`] shows; a body may be shorter.
const BEGIN: usize = 16 << 10;

/// A server's answer, up to the beginning of the body.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// 200 to 299.
    pub status: u16,
    /// The value of `Content-Encoding`, if there is one.
    pub encoding: Option<&'a str>,
    /// The value of `Content-Range`, if there is one.
    pub range: Option<&'a str>,
    /// The first bytes of the body: all of it if it is short.
    pub begin: &'a [u8],
}

/// The head of a response.
#[derive(Clone, Debug, Default)]
struct Head {
    status: u16,
    /// Of the body that follows, in bytes.
    length: Option<u64>,
    encoding: Option<String>,
    range: Option<String>,
    etag: Option<String>,
    modified: Option<String>,
    date: Option<String>,
    retry_after: Option<Duration>,
}

/// A file that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub bytes: u64,
    /// Its identity in the store.
    pub content: ContentDigest,
}

/// Where a file was to come from, without credentials: "`https://a/x` (redirected to
/// `https://b/y`)".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    asked: Box<str>,
    led_to: Option<Box<str>>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.asked)?;
        match &self.led_to {
            Some(place) => write!(f, " (redirected to `{place}`)"),
            None => Ok(()),
        }
    }
}

/// Fetches a file to `dest`, which must not exist yet. Its part waits in the folder `parts`,
/// on the same disk, until it is whole.
///
/// # Errors
/// When the file did not arrive whole; see [`DownloadError`]. Then nothing is at `dest`.
pub fn fetch(
    request: &Request<'_>,
    parts: &Path,
    dest: &Path,
    caller: &mut Caller<'_>,
) -> Result<Fetched, DownloadError> {
    let mut part = Part::take(parts, request.url, dest)?;
    match arrive(request, &mut part, caller) {
        Ok(fetched) => {
            part.deliver(dest)?;
            Ok(fetched)
        }
        Err(error) => {
            // The first error is reported; a part that is left over is checked or deleted later.
            let _ = if error.leaves_a_part() { part.leave() } else { part.delete() };
            Err(error)
        }
    }
}

/// Lets all of the file arrive in `part`, and checks it.
fn arrive(request: &Request<'_>, part: &mut Part, caller: &mut Caller<'_>) -> Result<Fetched, DownloadError> {
    let Begun { mut response, head, resumption } = begin(request, part, caller)?;
    let Pinned { pins, by } = request.pins;
    let (address, is_resumed) = (response.address.clone(), resumption.is_some());
    let total = match &resumption {
        Some(resumption) => whole(&head, resumption),
        None => head.length,
    };
    check_announced(&address, request.pins, part, total)?;
    let digester = Digester::start(pins)
        .map_err(|source| DownloadError::Request { address: address.clone(), source })?;
    let mut shown = Vec::new();
    if is_resumed {
        shown = digest_again(part, &digester, &address, caller)?;
    }
    let n_here = shown.len();
    response.fill(digester.free());
    let mut is_over = false;
    while !is_over && shown.len() < BEGIN {
        match response.piece(caller.is_cancelled)? {
            Some(piece) => {
                shown.extend(piece.bytes());
                digester.give_back(piece);
            }
            None => is_over = true,
        }
    }
    let answer = Answer {
        // The rest of a file that goes on makes it whole.
        status: if is_resumed { 200 } else { head.status },
        encoding: head.encoding.as_deref(),
        range: head.range.as_deref().filter(|_| !is_resumed),
        begin: &shown,
    };
    let mut found = None;
    match (caller.is_fit)(answer) {
        Ok(()) => {}
        Err(unfit) if pins.has_digest() => found = Some(unfit),
        Err(found) => return Err(DownloadError::Unfit { address, found }),
    }
    if is_resumed {
        part.go_on()?
    } else {
        part.begin(&head)?
    }

    let mut syncing = Syncing::default();
    let mut looked_at = part.length();
    shown.drain(..n_here);
    let mut next = Some(Piece::from(shown));
    while let Some(piece) = next {
        let length = part.length() + piece.bytes().len() as u64;
        if let Some(limit) = pins.size.filter(|size| length > *size) {
            return Err(DownloadError::TooLarge { address, limit, by });
        }
        part.write(piece.bytes())?;
        digester.add(piece);
        (caller.on_progress)(length, total);
        if length - looked_at >= STRETCH {
            looked_at = length;
            syncing.go_on(part)?;
            check_room(&address, part, total)?;
        }
        next = if is_over { None } else { response.piece(caller.is_cancelled)? };
    }
    let bytes = part.length();
    if let Some(expected) = total.filter(|total| *total != bytes) {
        return Err(DownloadError::Truncated { address, expected, actual: bytes });
    }
    if let Some(expected) = pins.size.filter(|size| *size != bytes) {
        return Err(DownloadError::Size { address, expected, actual: bytes, by });
    }
    let digests = digester.finish();
    if let Some(Difference { expected, actual, .. }) = pins.difference(&digests, part.path(), bytes)? {
        return Err(DownloadError::Digest { address, expected, actual, by, found, is_resumed });
    }
    syncing.end(part)?;
    part.sync()?;
    Ok(Fetched { bytes, content: digests.content })
}

/// A response whose body is the file, or the rest of it.
struct Begun {
    response: Response,
    head: Head,
    /// Where it goes on; `None` if the whole file comes.
    resumption: Option<Resumption>,
}

/// Asks for what is missing of the file, and for all of it if its part does not belong to it.
fn begin(request: &Request<'_>, part: &mut Part, caller: &Caller<'_>) -> Result<Begun, DownloadError> {
    loop {
        let resumption = part.resumption();
        let mut response = Response::ask(request, resumption.clone())?;
        let head = response.head(caller.is_cancelled)?;
        match resumption {
            Some(resumption) if head.status == 206 && continues(&head, &resumption) => {
                return Ok(Begun { response, head, resumption: Some(resumption) });
            }
            // The server has another file now, or another idea of ranges.
            Some(_) if matches!(head.status, 206 | 416) => part.clear()?,
            _ if matches!(head.status, 200..=299) => return Ok(Begun { response, head, resumption: None }),
            _ => {
                let Head { status, retry_after, .. } = head;
                return Err(DownloadError::Status { address: response.address, status, retry_after });
            }
        }
    }
}

/// Whether a partial response goes on where the part ends.
fn continues(head: &Head, resumption: &Resumption) -> bool {
    let Some((from, total)) = head.range.as_deref().and_then(content_range) else { return false };
    let is_same_size = total.is_none_or(|total| resumption.total.is_none_or(|known| known == total));
    let is_same = head
        .etag
        .as_ref()
        .is_none_or(|etag| !resumption.validator.starts_with('"') || *etag == resumption.validator);
    from == resumption.from && is_same_size && is_same
}

/// The size of the whole file, of which a response brings the rest.
fn whole(head: &Head, resumption: &Resumption) -> Option<u64> {
    let (_, total) = head.range.as_deref().and_then(content_range)?;
    let to_its_end = || head.length.map(|length| length.saturating_add(resumption.from));
    total.or(resumption.total).or_else(to_its_end)
}

/// The first byte and the total of a `Content-Range`: `bytes 200-999/1000`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    Some((from.trim().parse().ok()?, total))
}

/// Digests the bytes that are there, and returns the first of them.
fn digest_again(
    part: &mut Part,
    digester: &Digester,
    address: &Address,
    caller: &Caller<'_>,
) -> Result<Vec<u8>, DownloadError> {
    let path = part.path().to_owned();
    let file = part.reader()?;
    let mut shown = Vec::new();
    loop {
        if (caller.is_cancelled)() {
            return Err(DownloadError::Cancelled { address: address.clone() });
        }
        let mut piece = digester.free().recv().expect("the digester returns its buffers");
        if piece.fill(file).context("read", &path)? == 0 {
            digester.give_back(piece);
            return Ok(shown);
        }
        shown.extend(piece.bytes().iter().take(BEGIN - shown.len()));
        digester.add(piece);
    }
}

/// Refuses a file of another size than the pinned one, and one that the disk has no room for.
fn check_announced(
    address: &Address,
    Pinned { pins, by }: Pinned<'_>,
    part: &Part,
    total: Option<u64>,
) -> Result<(), DownloadError> {
    if let (Some(expected), Some(actual)) = (pins.size, total)
        && expected != actual
    {
        return Err(DownloadError::Size { address: address.clone(), expected, actual, by });
    }
    check_room(address, part, total.or(pins.size))
}

fn check_room(address: &Address, part: &Part, total: Option<u64>) -> Result<(), DownloadError> {
    // Where it cannot be known, writing tells.
    let Ok(free) = free_bytes(part.path()) else { return Ok(()) };
    let (address, bytes) = (address.clone(), part.length());
    match total {
        Some(total) => {
            let needed = total.saturating_sub(bytes);
            let fits = needed.saturating_add(RESERVE) <= free;
            if fits { Ok(()) } else { Err(DownloadError::NoRoom { address, needed, free }) }
        }
        None if free < RESERVE => Err(DownloadError::Endless { address, bytes, free }),
        None => Ok(()),
    }
}

/// Syncs a file while it is written, so that little is left to sync at its end.
#[derive(Default)]
struct Syncing(Option<(Sender<()>, JoinHandle<io::Result<()>>)>);

impl Syncing {
    /// Begins to sync what is there, unless the thread is still at it.
    fn go_on(&mut self, part: &Part) -> Result<(), FsError> {
        if self.0.is_none() {
            let file = part.handle()?;
            let (sender, receiver) = bounded::<()>(1);
            let run = move || receiver.iter().try_for_each(|()| file.sync_data());
            let thread = std::thread::Builder::new().name("sync".to_owned()).spawn(run);
            self.0 = Some((sender, thread.context("sync", part.path())?));
        }
        if let Some((sender, _)) = &self.0 {
            // A failure is told at the end.
            let _ = sender.try_send(());
        }
        Ok(())
    }

    /// Waits for the thread. Only it may have heard that the disk failed.
    fn end(mut self, part: &Part) -> Result<(), FsError> {
        self.wait().context("sync", part.path())
    }

    fn wait(&mut self) -> io::Result<()> {
        let Some((sender, thread)) = self.0.take() else { return Ok(()) };
        drop(sender);
        thread.join().expect("syncing does not panic")
    }
}

impl Drop for Syncing {
    /// Its handle of the file keeps the part locked.
    fn drop(&mut self) {
        let _ = self.wait();
    }
}

#[cfg(test)]
mod tests;
