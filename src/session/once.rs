//! One pipeline, played to its end and not measured.

use std::os::fd::BorrowedFd;
use std::path::Path;

use crossbeam_channel::{never, select, unbounded};

use super::SessionError;
use crate::os::process::Cancel;
use crate::pipeline::PipelineSpec;
use crate::worker::client::{Worker, WorkerMessage};
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::{End, EventBody};

/// Plays `spec` in a worker of its own until EOS.
///
/// # Errors
/// When the worker does not start, refuses the pipeline or dies, when an element
/// posts an error, or when the user stops it.
pub fn play_once(
    launch: &Launch,
    reach: &Reach,
    spec: &PipelineSpec,
    log: &Path,
    lock: Option<BorrowedFd<'_>>,
    cancel: &Cancel,
) -> Result<(), SessionError> {
    let failed = |source| SessionError::Worker { worker: "media".to_owned(), source };
    let (sender, messages) = unbounded();
    let mut worker = Worker::start(launch, reach, log, lock, 0, sender).map_err(failed)?;
    worker.hello().map_err(failed)?;
    worker.start_stream("media/1".to_owned(), spec.clone(), 0).map_err(failed)?;
    let mut worker = Some(worker);
    let mut result = Ok(());
    let mut over = false;
    let mut cancelled = cancel.receiver().clone();
    loop {
        select! {
            recv(messages) -> message => {
                let ended = match message {
                    Ok((_, WorkerMessage::Event(event))) => match event.body {
                        EventBody::Ended { end: End::Eos, .. } => Some(Ok(())),
                        EventBody::Ended { end: End::Error { element, reason, .. }, .. } => {
                            Some(Err(SessionError::Failed(format!("`{element}`: {reason}"))))
                        }
                        EventBody::Refused { reason, .. } => Some(Err(SessionError::Failed(reason))),
                        _ => None,
                    },
                    Ok((_, WorkerMessage::Malformed(_))) => None,
                    Ok((_, WorkerMessage::Exited(exit))) => {
                        return if over { result } else { Err(SessionError::Failed(exit.to_string())) };
                    }
                    Err(_) => return result,
                };
                if let Some(ended) = ended && !over {
                    over = true;
                    result = ended;
                    if let Some(worker) = worker.take() {
                        worker.finish();
                    }
                }
            }
            recv(cancelled) -> _ => {
                cancelled = never();
                // Half a clip is of no use to anybody.
                if let Some(worker) = worker.take() {
                    worker.kill();
                }
                (over, result) = (true, Err(SessionError::Cancelled));
            }
        }
    }
}
