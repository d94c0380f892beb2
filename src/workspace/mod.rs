//! An opened project, and all that a command needs of it besides what was typed:
//! its graph, the worker's tools, facts of the machine, users' scripts, the journal
//! of the last build, and what an earlier build knew.
//!
//! Nothing here prints or knows of flags. Faults are values ([`error::CommandError`]);
//! `cli` decides what people see.

mod basis;
pub(crate) mod build;
pub(crate) mod error;
pub(crate) mod faults;
pub(crate) mod journal;
pub(crate) mod last;
pub(crate) mod machine;
pub(crate) mod open;
pub(crate) mod phases;
pub(crate) mod scripts;
pub(crate) mod tools;
pub(crate) mod view;
pub(crate) mod warm;
