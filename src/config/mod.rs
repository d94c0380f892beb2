//! From the files that users write to a [`project::Project`].
//!
//! A file becomes a spanned tree ([`tree`], by [`json`] or [`toml`]); overrides
//! and profiles are trees too and are laid over it. One reader per kind of file
//! takes keys out of a tree ([`reader`]), reports to
//! [`diagnostics::Diagnostics`] and goes on, so one pass reports every fault of
//! every file. [`load`] does all of it.
//!
//! Not here: what a machine has (`dialect` checks a project against it) and
//! edges between tasks (`graph`).

mod branches;
mod cameras;
pub mod codes;
mod device;
pub mod diagnostics;
pub mod edit;
mod files;
mod inference;
pub mod json;
pub mod load;
pub mod locate;
mod login;
mod lpfile;
pub mod models;
mod outputs;
mod overrides;
pub mod project;
pub mod reader;
mod render;
mod resolve;
mod sarif;
mod scene;
pub mod schema;
pub mod shape;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
pub mod toml;
mod toml_faults;
pub mod tree;
pub mod values;
mod visible;
pub mod worker;
mod workloads;

pub use render::{Color, document};
