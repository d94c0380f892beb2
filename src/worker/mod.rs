//! `lp-worker`, seen from `lp`: the protocol, and a client that speaks it.
//!
//! Not here: what a worker does (`bin/lp-worker`), and what `lp` makes of its
//! events (`session`, `record`).

pub mod client;
pub mod error;
pub mod launch;
pub mod protocol;
