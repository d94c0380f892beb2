//! The clips that `lp` serves as streams, under upstream's names, and whether it does.
//!
//! With `run.source = "rtsp"`, the streams of clips come from the server of `[rtsp]`. If that is this
//! machine and nobody serves there, a run starts a server of its own, and the clips are its
//! inputs. Whether it does is asked when a project is opened, since tasks depend on it.

use std::collections::BTreeMap;

use super::error::{CommandError, Result};
use super::tools;
use crate::model::{Camera, ClipOptions, Project, Rtsp, Source};
use crate::os;
use crate::os::IpAddr;
use crate::os::rtsp::Port;
use crate::path::ProjectPath;
use crate::pipeline::prepared::PreparedClip;
use crate::plan::{clip_path, prepared_path};
use crate::text::harmless;
use crate::worker::client::Worker;
use crate::worker::error::WorkerError;
use crate::worker::launch::Reach;

/// The server of the streams of clips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Streams {
    /// No clip is streamed.
    #[default]
    None,
    /// `lp` itself, at this address.
    Own(IpAddr),
    /// Somebody else's, for this reason.
    Others(String),
}

/// Finds out where the streams of clips come from.
pub(crate) fn find(project: &Project) -> Streams {
    let Rtsp { host, port, .. } = &project.settings.rtsp;
    if project.cameras.iter().all(|camera| camera.served.is_none()) {
        return Streams::None;
    }
    let Some(address) = os::rtsp::own_address(host) else {
        return Streams::Others(format!("`{host}` of `rtsp.host` is not this machine"));
    };
    match os::rtsp::look(address, *port) {
        Port::Free => {}
        Port::Serves => return Streams::Others(format!("one answers at {host}:{port}")),
        Port::Taken => {
            return Streams::Others(format!(
                "a program listens at {host}:{port}, but it does not speak RTSP"
            ));
        }
    }
    let launch = tools::find(project.settings.worker.as_ref(), &project.layout.root);
    match launch {
        Ok(launch) if launch.image().is_some() => Streams::Others(
            "`worker.command` runs a container, in which a server cannot be reached".to_owned(),
        ),
        Ok(launch) => match Worker::ask_one(&launch, &Reach::default()) {
            Ok(worker) if worker.serves() => Streams::Own(address),
            Ok(_) => Streams::Others(WorkerError::NoServer.to_string()),
            Err(error) => Streams::Others(error.to_string()),
        },
        Err(error) => Streams::Others(error.to_string()),
    }
}

/// Lets cameras whose clips are streamed have these as inputs, if `lp` serves them, and the codec
/// of the clips; or forgets the clips, if they come from somebody else's server.
pub(crate) fn settle(project: &mut Project, is_own: bool) {
    for camera in &mut project.cameras {
        let Some(served) = camera.served.as_ref().filter(|_| is_own) else {
            camera.served = None;
            continue;
        };
        camera.clip = served.options;
        if let (Source::Rtsp(stream), Some(codec)) = (&mut camera.source, served.options.codec) {
            stream.codec = codec;
        }
    }
}

/// Takes the clips that runs play from files, where these were made and have the codec that is asked
/// for: others would be encoded of the same pictures. Not for a run, whose inputs must not depend on what
/// is there.
pub(crate) fn reuse(project: &mut Project) {
    let layout = &project.layout;
    let is_there = |clip: &ProjectPath| os::fs::is_file(&layout.resolve(clip));
    for camera in &mut project.cameras {
        let Some(served) = camera.served.clone() else { continue };
        let plain = ClipOptions { codec: None, ..camera.clip };
        let other = Camera { clip: plain, ..camera.clone() };
        let [own, others] = [&*camera, &other].map(|camera| clip_path(camera, &served.clip));
        let described = os::fs::read_bounded(&layout.resolve(&prepared_path(&others)), MOST_DESCRIBED).ok();
        let described = described.and_then(|text| serde_json::from_slice::<PreparedClip>(&text).ok());
        let is_it = described
            .is_some_and(|it| served.options.codec.is_some_and(|codec| it.video.codec == codec.word()));
        if is_it && !is_there(&own) && is_there(&others) {
            camera.clip = plain;
        }
    }
}

/// The longest description of a clip that is read, in bytes.
const MOST_DESCRIBED: u64 = 1 << 20;

/// The clips of cameras by the names of their streams. Cameras without a clip have none.
pub(crate) fn mounts<'c>(
    cameras: impl IntoIterator<Item = &'c Camera>,
) -> Result<BTreeMap<String, ProjectPath>> {
    let mut mounts: BTreeMap<String, (ProjectPath, &str)> = BTreeMap::new();
    let mut errors = Vec::new();
    for camera in cameras {
        let Some(served) = &camera.served else { continue };
        let clip = clip_path(camera, &served.clip);
        let (first, of) = mounts.entry(served.mount.clone()).or_insert_with(|| (clip.clone(), &camera.name));
        if *first != clip {
            // Upstream's names have neither height nor codec.
            let fault = format!(
                "`{}` and `{}` would have one stream, `{}`, of two clips: `{first}` and `{clip}`",
                harmless(of),
                harmless(&camera.name),
                harmless(&served.mount)
            );
            let hint = "give them one size and the same options of `[clip]`, or files of other names";
            errors.push(CommandError::refused(fault).hint(hint));
        }
    }
    let clips = || mounts.into_iter().map(|(name, (clip, _))| (name, clip)).collect();
    CommandError::all(errors).map_or_else(|| Ok(clips()), Err)
}
