//! `lp-worker`, seen from `lp`: the protocol, and a client that speaks it.
//!
//! Not here: the worker itself (`bin/lp-worker`), and the use of its events
//! (`session`, `record`).

pub mod client;
pub mod error;
pub mod launch;
pub mod protocol;
