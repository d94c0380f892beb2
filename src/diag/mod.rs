//! Diagnostics: each error, warning and note about a project, with its place.
//!
//! A [`Diagnostic`] has a code of the catalogue ([`codes`]), a message and a
//! [`Place`] in one of the [`Sources`]. [`Diagnostics`] collects them; `render`
//! prints them for people and as JSON, `sarif` for code scanners. A diagnostic may
//! carry an [`Edit`] that removes its cause.
//!
//! Not here: finding faults (`config`, `dialect`, `graph`).

pub mod codes;
mod diagnostics;
mod edit;
#[cfg(test)]
mod lines;
mod paint;
mod render;
pub mod sarif;
mod severity;
mod source;
mod visible;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use edit::{Edit, apply};
pub use paint::Tone;
pub use render::{Color, document};
pub use severity::Severity;
pub use source::{FileId, Origin, Place, Position, Sources, Spanned};
