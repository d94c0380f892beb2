//! From the files that users write to a [`Project`](crate::model::Project).
//!
//! A file becomes a spanned tree ([`tree`], by [`json`] or [`toml`]); overrides
//! and profiles are trees too and are laid over it. One reader per kind of file
//! takes keys out of a tree ([`reader`]), reports to
//! [`Diagnostics`](crate::diag::Diagnostics) and goes on, so one pass reports every fault of
//! every file. [`load`] does all of it.
//!
//! Not here: the elements of a machine (`dialect` checks a project against them) and
//! edges between tasks (`graph`).

pub mod append;
mod asset;
mod branches;
mod cameras;
mod caps;
mod clip_options;
mod clips;
mod collectors;
mod conversion;
mod density;
mod device;
mod disk;
pub mod effective;
mod files;
mod impair;
mod inference;
pub mod json;
pub mod load;
pub mod locate;
pub(crate) mod lock;
mod login;
mod lpfile;
mod model_path;
mod models;
mod origins;
mod outputs;
mod overrides;
mod package;
pub mod reader;
mod recipes;
mod resolve;
mod scene;
pub mod schema;
pub mod shape;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
mod thresholds;
pub mod toml;
mod toml_faults;
pub mod tree;
pub mod values;
mod verdict;
mod worker;
mod workloads;

pub(crate) use cameras::STREAM_KEYS;
pub(crate) use login::{RawCredential, RawLogin, login};
