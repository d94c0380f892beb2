//! Reads a path in the folder of models, which recipes give to files and conversions.

use super::reader::{Reader, by};
use super::shape::{Shape, unseen};
use super::values::read_string;
use crate::diag::Diagnostic;
use crate::diag::codes;
use crate::path::{ProjectPath, is_file_name};

/// A path below the folder of models, as a path of the project.
pub(super) fn place_below() -> impl Reader<Value = ProjectPath> + Copy {
    let shape = || Shape::String(Some(concat!(r"^[^/~", unseen!(), r"][^", unseen!(), r"]*$").to_owned()));
    by(shape, |at, diagnostics| {
        let written = read_string(at, diagnostics)?;
        let path = ProjectPath::new(&written);
        let is_plain = |path: &ProjectPath| path.as_str().split('/').all(is_file_name);
        if let Ok(path) = &path
            && is_plain(path)
        {
            return ProjectPath::new(&format!("models/{path}")).ok();
        }
        let label = match path {
            Ok(_) => "expected plain names, joined by `/`".to_owned(),
            Err(error) => error.to_string(),
        };
        let message = format!("`{}` must be a path inside the folder of models", at.name);
        diagnostics.push(Diagnostic::error(codes::BAD_PATH, message).at(at.node.place).label(label));
        None
    })
}
