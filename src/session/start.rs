//! From a load to a session: workers are started, then programs of the user's beside the run, collectors,
//! streams and scripts.
//!
//! A worker that does not start ends the attempt. Everything later is in the
//! record: a script that cannot be started, a collector that cannot run, a stream
//! that is refused.

use crossbeam_channel::{bounded, unbounded};

use super::listen::{Player, Session, Watch};
use super::load::{Load, PipelineLoad};
use super::{ScriptLoad, SessionError};
use crate::collect::{self, Place};
use crate::digest::ContentDigest;
use crate::name::Slug;
use crate::os;
use crate::os::process::Cancel;
use crate::record::RunRecord;
use crate::record::build::{ScriptEnd, ScriptId, Setup};
use crate::worker::client::{Messages, Worker};
use crate::worker::error::WorkerError;
use crate::worker::protocol::Tap;

/// The most messages of scripts that wait for the session. A script that prints
/// faster waits, as it would at any full pipe.
pub(super) const SCRIPT_MESSAGES: usize = 4_096;

/// Plays a load and measures it.
///
/// # Errors
/// When a worker cannot be started, or the user stops before all have started.
/// Whatever fails later is in the record.
///
/// # Panics
/// If the load has more or fewer scripts than its set-up.
pub fn measure(load: &Load<'_>, cancel: &Cancel, watch: &Watch<'_>) -> Result<RunRecord, SessionError> {
    let (sender, messages) = unbounded();
    let workers = start_workers(load, cancel, &sender)?;
    drop(sender);
    if cancel.is_cancelled() {
        return Err(SessionError::Cancelled);
    }
    let origin_ns = os::clock::monotonic_ns();
    let setup = Setup { origin_ns, ..load.setup.clone() };
    let session = Session::new(setup, &load.secrets, watch, workers.into_iter().map(Some).collect());
    let (sender, said) = bounded(SCRIPT_MESSAGES);
    std::thread::scope(|scope| {
        let mut session = session;
        for collector in &load.collectors {
            session.start_beside(collector, |id, collector, beside, cancel, told| {
                scope.spawn(move || collector.hear(id, beside, &cancel, &told));
            });
        }
        start_collectors(&mut session);
        start_streams(&mut session, &load.pipelines);
        start_scripts(&mut session, 0, &load.scripts, &mut |id, script, cancel| {
            let sender = sender.clone();
            scope.spawn(move || script.run(id, &cancel, &sender));
        });
        drop(sender);
        session.listen(&messages, &said, cancel);
        let server = load.server.map(|server| server.record(origin_ns));
        Ok(RunRecord { server, ..session.finish() })
    })
}

fn start_workers(load: &Load<'_>, cancel: &Cancel, sender: &Messages) -> Result<Vec<Worker>, SessionError> {
    let mut workers = Vec::new();
    for index in 0..load.setup.workers.len() {
        if cancel.is_cancelled() {
            return Err(SessionError::Cancelled);
        }
        workers.push(start_worker(load, index, sender)?);
    }
    Ok(workers)
}

/// Starts the worker of this number.
pub(super) fn start_worker(load: &Load<'_>, index: usize, sender: &Messages) -> Result<Worker, SessionError> {
    let name = &load.setup.workers[index];
    let launch = load.launch.expect("a load with workers says how they are started");
    let log = load.log_path(name);
    let failed = |source: WorkerError| SessionError::Worker { worker: name.clone(), source };
    let mut worker = Worker::start(launch, &load.reach, &log, index, sender.clone()).map_err(failed)?;
    worker.hello().map_err(failed)?;
    if load.pipelines.iter().any(|pipeline| pipeline.keep.stages) && !worker.knows_stages() {
        return Err(failed(WorkerError::NoStages));
    }
    Ok(worker)
}

/// Samples the machine from now on. All workers of the session, and programs beside it, have been
/// started.
pub(super) fn start_collectors<P: Player>(session: &mut Session<'_, P>) {
    let (root, pids) = (os::env::system_root(), session.pids());
    let beside = session.pids_beside().to_vec();
    let place = Place { workers: &pids, collectors: &beside, ..Place::here(&root) };
    for kind in collect::ALL {
        session.collect(kind.name, (kind.start)(&place));
    }
}

pub(super) fn start_streams<'p, P: Player>(
    session: &mut Session<'_, P>,
    pipelines: impl IntoIterator<Item = &'p PipelineLoad>,
) {
    for PipelineLoad { spec, streams, keep } in pipelines {
        let (first, _) = *streams.first().expect("a pipeline serves a stream");
        let seed = offset(session.member(first));
        let tap = |(id, sink): &(_, usize)| Tap { stream: session.name(*id).to_owned(), sink: *sink };
        let mut taps: Vec<Tap> = streams.iter().map(tap).collect();
        let Some(player) = session.player(first) else { continue };
        let first = taps.remove(0);
        let at_ns = os::clock::monotonic_ns();
        // A worker that no longer reads has died; its exit follows.
        if let Ok(request) = player.start(first.stream, spec.clone(), seed, taps, *keep) {
            streams.iter().for_each(|(id, _)| session.asked_to_start(*id, request, at_ns));
        }
    }
}

/// Starts every script from number `first` on by `run`, which may not wait for it.
pub(super) fn start_scripts<'a, P: Player>(
    session: &mut Session<'_, P>,
    first: usize,
    scripts: &'a [ScriptLoad],
    run: &mut dyn FnMut(ScriptId, &'a ScriptLoad, Cancel),
) {
    assert_eq!(scripts.len(), session.n_scripts(), "each script of the set-up is in the load");
    for (id, script) in (0..).map(ScriptId).zip(scripts).skip(first) {
        match os::process::cancel_pair() {
            Ok((canceller, cancel)) => {
                session.script_started(id, os::clock::monotonic_ns(), canceller);
                run(id, script, cancel);
            }
            Err(error) => {
                let end = ScriptEnd::NotStarted(error.to_string());
                session.script_not_started(id, os::clock::monotonic_ns(), &end);
            }
        }
    }
}

/// Where in its clip a camera begins, in 2^-64 of the clip: anywhere, but always
/// the same for one of this name, whatever other cameras there are. All pipelines
/// of a camera begin together, as they would get the same frames of a real one.
pub(super) fn offset(slug: &Slug) -> u64 {
    offset_of(slug.as_str())
}

/// As [`offset`], for anything that begins within a clip.
pub(super) fn offset_of(name: &str) -> u64 {
    let digest = ContentDigest::of(name.as_bytes()).to_hex();
    u64::from_str_radix(&digest[..16], 16).expect("a digest is written in hex digits")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fake, camera, frames, hear, scripted, session, setup, spec};
    use super::*;
    use crate::record::build::StreamId;
    use crate::worker::protocol::Keep;

    fn pipeline(streams: &[(u32, usize)]) -> PipelineLoad {
        let streams = streams.iter().map(|(id, sink)| (StreamId(*id), *sink)).collect();
        PipelineLoad { spec: spec(), streams, keep: Keep::default() }
    }

    #[test]
    fn a_pipeline_is_asked_for_once_with_all_its_streams() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 3), camera("b", 1, 1)]);
        let (mut session, told) = session(&setup);
        start_streams(&mut session, &[pipeline(&[(0, 4), (2, 7)]), pipeline(&[(1, 5)]), pipeline(&[(3, 0)])]);
        let told: Vec<String> = told.try_iter().collect();
        let begin = |told: &String| told.split(" at ").map(str::to_owned).collect::<Vec<_>>();
        let [one, two, three] = told.iter().map(begin).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(
            (&*one[0], &*two[0], &*three[0]),
            ("0 start a/1 also a/3@7", "0 start a/2", "1 start b/1")
        );
        assert_eq!(one[1], two[1], "pipelines of a camera begin together");
        assert_ne!(one[1], three[1]);
    }

    #[test]
    fn the_answer_to_a_request_is_about_all_its_streams() {
        let setup = setup(&["a"], &[camera("a", 0, 2)]);
        let (mut session, _told) = session(&setup);
        start_streams(&mut session, &[pipeline(&[(0, 0), (1, 1)])]);
        let refused = r#"{"at":1,"event":"refused","id":1,"reason":"no device"}"#;
        let record = hear(session, &[(0, refused)]);
        let reasons: Vec<_> = record.failures().map(|(_, stream, reason)| (stream, reason)).collect();
        let reason = "did not start: no device";
        assert_eq!(reasons, [("a/1", reason), ("a/2", reason)]);
    }

    #[test]
    fn a_worker_that_does_not_read_affects_no_other() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 1), camera("b", 1, 1)]);
        let (mut session, told) = session(&setup);
        *session.player(StreamId(0)).unwrap() = Fake::deaf();
        start_streams(&mut session, &[pipeline(&[(0, 0)]), pipeline(&[(1, 0)])]);
        assert!(told.try_iter().next().unwrap().starts_with("1 start b/1"));
        let record = hear(session, &[(1, &frames(1, "b/1")), (1, &frames(9, "b/1"))]);
        assert_eq!(record.members[1].streams[0].failure, None);
    }

    #[test]
    fn scripts_are_started_in_their_order_and_can_be_ended() {
        let setup = setup(&[], &[scripted("a", 2), scripted("b", 1)]);
        let (mut session, _told) = session(&setup);
        let loads: Vec<ScriptLoad> = (0..3).map(|_| super::super::fixture::script()).collect();
        let mut started = Vec::new();
        start_scripts(&mut session, 0, &loads, &mut |id, _, cancel| started.push((id, cancel)));
        assert_eq!(started.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(started.iter().all(|(_, cancel)| !cancel.is_cancelled()));
        drop(session);
        assert!(started.iter().all(|(_, cancel)| cancel.is_cancelled()));
    }
}
