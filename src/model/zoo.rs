//! What is known of upstream's models and modules that no recipe tells.

/// Whether a classifier has a file with the names of its classes beside it.
/// Those of the `EfficientNet` family come with ImageNet's; the Open Model Zoo's
/// names are in their `model-proc`.
#[must_use]
pub fn has_labels(name: &str) -> bool {
    name.starts_with("efficientnet")
}

/// Where a Python module of Intel's loss-prevention is, by its file name.
#[must_use]
pub fn module_url(file: &str) -> Option<String> {
    const SOURCES: &str = "https://raw.githubusercontent.com/intel-retail/loss-prevention/cb3e4e5429a5599c6daa87e21f3bc5f0af8a4676/src";
    (file == "person_reid.py").then(|| format!("{SOURCES}/{file}"))
}
