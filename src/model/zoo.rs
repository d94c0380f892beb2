//! What is known of upstream's models and modules, and of OpenVINO, that no recipe tells.

/// OpenVINO's library in the folder of models; the recipe `openvino` brings it, with the files that
/// it opens beside it.
pub const OPENVINO: &str = "models/openvino/2026.4.1/libopenvino_c.so.2641";

/// The first part of the library's name; a version may follow.
pub const OPENVINO_LIBRARY: &str = "libopenvino_c.so";

/// Whether a classifier has a file with the names of its classes beside it.
/// Those of the `EfficientNet` family come with ImageNet's; the Open Model Zoo's
/// names are in their `model-proc`.
#[must_use]
pub fn has_labels(name: &str) -> bool {
    name.starts_with("efficientnet")
}

/// The Python module of Intel's loss-prevention that numbers persons.
pub const PERSON_REID: &str = "person_reid.py";

/// Where a Python module of Intel's loss-prevention is, by its file name.
#[must_use]
pub fn module_url(file: &str) -> Option<String> {
    const SOURCES: &str = "https://raw.githubusercontent.com/intel-retail/loss-prevention/cb3e4e5429a5599c6daa87e21f3bc5f0af8a4676/src";
    (file == PERSON_REID).then(|| format!("{SOURCES}/{file}"))
}
