//! The model that is part of `lp`: the detector for drawn scenes. `lp init --lane` writes it into a new
//! project, and `lp assets verify` compares what is in its place with it: of a damaged one, only its
//! recall would tell.

use crate::digest::ContentDigest;
use crate::os::http::Pins;
use crate::path::ProjectPath;

/// Its place in a project, and its contents.
pub(crate) const DETECTOR: (&str, &[u8]) =
    ("configs/models/own/checkout.onnx", include_bytes!("../../../configs/models/own/checkout.onnx"));

/// What the file at this place should be; `None` for a file that is not part of `lp`.
pub(super) fn pins(path: &ProjectPath) -> Option<Pins> {
    let (place, bytes) = DETECTOR;
    (path.as_str() == place).then(|| Pins {
        blake3: Some(ContentDigest::of(bytes).to_hex()),
        size: u64::try_from(bytes.len()).ok(),
        ..Pins::default()
    })
}
