//! `lp`: a declarative, incremental task-graph runner for retail
//! loss-prevention video pipelines.
//!
//! Files become a project, a project a plan, a plan a graph of tasks; the
//! engine performs what is stale; runs become records, records reports. The
//! rooms and their order are described in `docs/architecture.md` and enforced by
//! `tests/tidy.rs`.

pub(crate) mod action;
pub mod bench;
pub mod cli;
pub mod collect;
pub mod config;
pub mod diag;
pub mod dialect;
pub(crate) mod digest;
pub(crate) mod engine;
pub mod graph;
pub mod impair;
pub mod model;
pub mod name;
pub mod os;
pub(crate) mod packed;
pub(crate) mod path;
pub mod pipeline;
pub mod plan;
pub mod record;
pub mod report;
pub mod scene;
pub mod search;
pub mod session;
pub mod stats;
pub mod store;
pub(crate) mod text;
pub mod time;
pub mod vision;
pub mod worker;
pub(crate) mod workspace;
