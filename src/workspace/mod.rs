//! An opened project, and everything that commands share: its graph, the worker's
//! tools, facts of the machine, users' scripts, the journal of the last build, and
//! the saved state of an earlier build.
//!
//! Nothing here prints or reads flags. Faults are values ([`error::CommandError`]);
//! `cli` prints them.

pub(crate) mod adopted;
pub(crate) mod assets;
mod basis;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod clips;
pub(crate) mod compared;
mod downloads;
mod earlier;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod inference;
pub(crate) mod journal;
pub(crate) mod last;
pub(crate) mod lockfile;
pub(crate) mod machine;
pub(crate) mod missing;
mod models;
pub(crate) mod open;
pub(crate) mod phases;
mod provenance;
pub(crate) mod scripts;
pub(crate) mod searches;
pub(crate) mod serving;
pub(crate) mod tools;
pub(crate) mod upstream_names;
pub(crate) mod view;
pub(crate) mod warm;
