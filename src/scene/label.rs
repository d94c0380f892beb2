//! The layout of an item: where its name, its label and its hand go.
//!
//! The label is a white square around the QR code with the quiet zone that the
//! standard asks for (4 modules). It is as large as the item allows.

use qrcode::{Color, EcLevel, QrCode};

use super::Item;
use super::rect::Rect;

/// The strip at the top with the name.
pub(super) const NAME_STRIP: i32 = 30;
/// The strip at the bottom that fingers cover.
pub(super) const FINGERS: i32 = 22;
/// Between the label and the item's sides.
const MARGIN: i32 = 6;
/// On each side of the code, in modules.
const QUIET: i32 = 4;
/// The smallest module in pixels that is worth drawing.
pub(super) const MIN_MODULE: i32 = 3;

/// A QR code, ready to be placed.
pub(super) struct Code {
    /// Modules on a side.
    pub(super) n_modules: i32,
    /// Row by row.
    pub(super) dark: Vec<bool>,
}

/// Encodes the item's code. `None` if the string is too long for any code.
pub(super) fn encode(text: &str) -> Option<Code> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let n_modules = i32::try_from(code.width()).ok()?;
    Some(Code { n_modules, dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect() })
}

/// The side of one module in pixels.
pub(super) fn module(item: &Item, code: &Code) -> i32 {
    let width = item.width as i32 - 2 * MARGIN;
    let height = item.height as i32 - NAME_STRIP - FINGERS;
    width.min(height) / (code.n_modules + 2 * QUIET)
}

/// The label, relative to the item's upper left corner.
pub(super) fn label(item: &Item, code: &Code) -> Rect {
    let side = module(item, code) * (code.n_modules + 2 * QUIET);
    let free = item.height as i32 - NAME_STRIP - FINGERS - side;
    Rect { x: (item.width as i32 - side) / 2, y: NAME_STRIP + free / 2, width: side, height: side }
}

/// The code inside the label, relative to the label's upper left corner.
pub(super) fn quiet_zone(item: &Item, code: &Code) -> i32 {
    QUIET * module(item, code)
}
