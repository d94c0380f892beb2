//! In the place of the RTSP server, in a worker that was built without it.

use lp::worker::protocol::{EventBody, ServeRequest};

use crate::output::Events;

/// There is none.
pub(crate) enum Server {}

impl Server {
    /// Whether the server is part of this worker.
    pub(crate) const IS_PART: bool = false;

    /// # Errors
    /// Always: the reason, for people.
    pub(crate) fn start(_: &ServeRequest, _: &Events) -> Result<(Server, EventBody), String> {
        Err("this worker was built without its RTSP server (feature `rtsp`)".to_owned())
    }

    pub(crate) fn finish(self) {
        match self {}
    }
}
