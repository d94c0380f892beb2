//! One pipeline, played to its end and not measured.
//!
//! It may be slow, but it must make progress: [`Progress`] ends a pipeline without new
//! frames. As in a run, the worker's own times decide, and `lp`'s clock only about a
//! worker that is silent.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select, unbounded};

use super::{SILENCE, SessionError};
use crate::os::process::Cancel;
use crate::pipeline::PipelineSpec;
use crate::text::counted;
use crate::worker::client::{Worker, WorkerMessage};
use crate::worker::error::WorkerError;
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::{ElementMessage, End, Event, EventBody};

/// How long no frame may come.
const STALL: Duration = Duration::from_secs(60);

/// Reports of elements about their work: the field `json` of their messages, by the
/// name of the message.
pub type ElementReports = BTreeMap<String, String>;

/// Gets, about once a second, a time of the worker in nanoseconds and how many frames have
/// come to the end of the pipeline.
pub type OnFrames<'a> = dyn FnMut(u64, u64) + 'a;

/// Plays `spec` in a worker of its own until EOS. `stream` is its name.
///
/// # Errors
/// When the worker does not start, refuses the pipeline or dies, when an element
/// posts an error, when no frame comes for 60 s or no message for [`SILENCE`],
/// or when the user stops it.
pub fn play_once(
    launch: &Launch,
    reach: &Reach,
    stream: &str,
    spec: &PipelineSpec,
    log: &Path,
    on_frames: &mut OnFrames<'_>,
    cancel: &Cancel,
) -> Result<ElementReports, SessionError> {
    let (sender, messages) = unbounded();
    play(Worker::start(launch, reach, log, 0, sender), &messages, (stream, spec), on_frames, cancel)
}

/// As [`play_once`], for a worker whose stderr nobody reads later.
///
/// # Errors
/// Those of [`play_once`].
pub fn play_unlogged(
    launch: &Launch,
    reach: &Reach,
    stream: &str,
    spec: &PipelineSpec,
    cancel: &Cancel,
) -> Result<ElementReports, SessionError> {
    let (sender, messages) = unbounded();
    let mut unseen = |_, _| ();
    play(Worker::start_unlogged(launch, reach, sender), &messages, (stream, spec), &mut unseen, cancel)
}

fn play(
    worker: Result<Worker, WorkerError>,
    messages: &Receiver<(usize, WorkerMessage)>,
    (stream, spec): (&str, &PipelineSpec),
    on_frames: &mut OnFrames<'_>,
    cancel: &Cancel,
) -> Result<ElementReports, SessionError> {
    let failed = |source| SessionError::Worker { worker: "media".to_owned(), source };
    let mut worker = worker.map_err(failed)?;
    worker.hello().map_err(failed)?;
    worker.start_stream(stream.to_owned(), spec.clone(), 0).map_err(failed)?;
    let mut worker = Some(worker);
    let mut said = ElementReports::new();
    let mut progress = Progress::default();
    let mut result = None;
    let mut cancelled = cancel.receiver().clone();
    loop {
        let silent = if result.is_some() { never() } else { after(SILENCE) };
        let ended = select! {
            recv(messages) -> message => match message {
                Ok((_, WorkerMessage::Event(event))) => {
                    let stalled = progress.stalled(&event);
                    if let EventBody::Frames { played, .. } = event.body {
                        on_frames(event.at, played);
                    }
                    match event.body {
                        EventBody::Ended { end: End::Eos, .. } => Some(Ending::Own(Ok(()))),
                        EventBody::Ended { end: End::Error { element, reason, .. }, .. } => {
                            let reason = format!("`{element}`: {reason}");
                            Some(Ending::Own(Err(SessionError::Failed(reason))))
                        }
                        EventBody::Refused { reason, .. } => {
                            Some(Ending::Own(Err(SessionError::Failed(reason))))
                        }
                        EventBody::Messages { messages, .. } => {
                            let report = |mut one: ElementMessage| Some((one.message, one.fields.remove("json")?));
                            said.extend(messages.into_iter().filter_map(report));
                            None
                        }
                        _ => stalled.map(|reason| Ending::Forced(SessionError::Failed(reason))),
                    }
                }
                Ok((_, WorkerMessage::Malformed(_))) => None,
                Ok((_, WorkerMessage::Exited(exit))) => {
                    let died = || Err(SessionError::Failed(exit.to_string()));
                    return result.unwrap_or_else(died).map(|()| said);
                }
                // The worker's last message is that it has ended.
                Err(_) => return result.unwrap_or(Ok(())).map(|()| said),
            },
            // Unless this process was stopped as well, and has not read yet.
            recv(silent) -> _ => messages.is_empty().then(|| {
                let (silence, so_far) = (SILENCE.as_secs(), progress.so_far());
                let reason = format!("the worker sent nothing for {silence} s {so_far}");
                Ending::Forced(SessionError::Failed(reason))
            }),
            recv(cancelled) -> _ => {
                cancelled = never();
                result = None;
                Some(Ending::Forced(SessionError::Cancelled))
            }
        };
        if let Some(ended) = ended
            && result.is_none()
        {
            result = Some(match ended {
                Ending::Own(result) => {
                    worker.take().into_iter().for_each(Worker::finish);
                    result
                }
                Ending::Forced(error) => {
                    worker.take().into_iter().for_each(Worker::kill);
                    Err(error)
                }
            });
        }
    }
}

/// How a pipeline came to its end.
enum Ending {
    Own(Result<(), SessionError>),
    /// Half a clip is useless, and a worker that hangs does not finish.
    Forced(SessionError),
}

/// Whether frames still come, by the times that the worker gives its events.
#[derive(Debug, Default)]
struct Progress {
    /// When the last one came, in nanoseconds of the worker's clock.
    at: Option<u64>,
    n_frames: u64,
}

impl Progress {
    /// Why it is given up, if an event shows that.
    fn stalled(&mut self, event: &Event) -> Option<String> {
        let since = *self.at.get_or_insert(event.at);
        if let EventBody::Frames { played, .. } = event.body
            && played != self.n_frames
        {
            (self.at, self.n_frames) = (Some(event.at), played);
            return None;
        }
        let has_stalled = STALL <= Duration::from_nanos(event.at.saturating_sub(since));
        has_stalled.then(|| format!("no new frame for {} s {}", STALL.as_secs(), self.so_far()))
    }

    /// `after 8 frames`
    fn so_far(&self) -> String {
        format!("after {}", counted(self.n_frames, "frame"))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    /// Seconds, and how many frames have come; `None` is another event.
    #[track_caller]
    fn check(events: &[(u64, Option<u64>)], expect: Expect) {
        let mut progress = Progress::default();
        let reasons = events.iter().filter_map(|(at_s, n_frames)| {
            let at = at_s * 1_000_000_000;
            let event = match n_frames {
                Some(played) => json!({
                    "at": at, "event": "frames", "stream": "media/1", "arrived_us": [], "latency_us": [],
                    "decoded": 0, "played": played, "dropped": 0, "queues": {},
                }),
                None => json!({ "at": at, "event": "process", "cpu_us": 0, "rss": 0 }),
            };
            let reason = progress.stalled(&serde_json::from_value(event).unwrap())?;
            Some(format!("{at_s}: {reason}"))
        });
        expect.assert_eq(&reasons.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_pipeline_without_new_frames_is_given_up_after_a_minute() {
        check(
            &[(5, None), (6, Some(8)), (7, Some(8)), (65, Some(8)), (66, Some(8))],
            expect!["66: no new frame for 60 s after 8 frames"],
        );
        // The worker itself lives, but the stream does not even start.
        check(&[(5, None), (64, None), (65, None)], expect!["65: no new frame for 60 s after 0 frames"]);
    }

    #[test]
    fn a_slow_pipeline_is_not_given_up() {
        let slow: Vec<_> = (0..100).map(|n| (n * 50, Some(n))).collect();
        check(&slow, expect![""]);
    }
}
