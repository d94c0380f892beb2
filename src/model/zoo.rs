//! The models that are known by name, and the precisions in which each exists.
//!
//! Other models are people's own, which nothing is known about. Names and
//! precisions: Open Model Zoo 2024.6.0 (`model.yml` of each), the folders of
//! dlstreamer/pipeline-zoo-models, and the names that Ultralytics exports, which
//! upstream converts to FP32 and FP16 and quantises to INT8.

/// Precisions of models of the Open Model Zoo.
const OPEN_MODEL_ZOO: &[&str] = &["FP32", "FP16", "FP16-INT8"];

/// Precisions of an exported and quantised YOLO.
const YOLO: &[&str] = &["FP32", "FP16", "INT8"];

/// Models that exist in certain precisions only.
const MODELS: &[(&str, &[&str])] = &[
    ("age-gender-recognition-retail-0013", OPEN_MODEL_ZOO),
    ("efficientnet-b0", &["FP16-INT8", "FP32-INT8"]),
    ("face-detection-retail-0004", OPEN_MODEL_ZOO),
    ("face-detection-retail-0005", OPEN_MODEL_ZOO),
    ("face-reidentification-retail-0095", OPEN_MODEL_ZOO),
    ("yolov8n", YOLO),
    ("yolov8s", YOLO),
    ("yolov8m", YOLO),
    ("yolov8l", YOLO),
    ("yolov8x", YOLO),
    ("yolov8n-obb", YOLO),
    ("yolov8s-obb", YOLO),
    ("yolov8m-obb", YOLO),
    ("yolov8l-obb", YOLO),
    ("yolov8x-obb", YOLO),
    ("yolov8n-seg", YOLO),
    ("yolov8s-seg", YOLO),
    ("yolov8m-seg", YOLO),
    ("yolov8l-seg", YOLO),
    ("yolov8x-seg", YOLO),
    ("yolov9t", YOLO),
    ("yolov9s", YOLO),
    ("yolov9m", YOLO),
    ("yolov9c", YOLO),
    ("yolov9e", YOLO),
    ("yolov10n", YOLO),
    ("yolov10s", YOLO),
    ("yolov10m", YOLO),
    ("yolov10b", YOLO),
    ("yolov10l", YOLO),
    ("yolov10x", YOLO),
    ("yolo11n", YOLO),
    ("yolo11s", YOLO),
    ("yolo11m", YOLO),
    ("yolo11l", YOLO),
    ("yolo11x", YOLO),
    ("yolo11n-obb", YOLO),
    ("yolo11s-obb", YOLO),
    ("yolo11m-obb", YOLO),
    ("yolo11l-obb", YOLO),
    ("yolo11x-obb", YOLO),
    ("yolo11n-seg", YOLO),
    ("yolo11s-seg", YOLO),
    ("yolo11m-seg", YOLO),
    ("yolo11l-seg", YOLO),
    ("yolo11x-seg", YOLO),
    ("yolo11n-pose", YOLO),
    ("yolo11s-pose", YOLO),
    ("yolo11m-pose", YOLO),
    ("yolo11l-pose", YOLO),
    ("yolo11x-pose", YOLO),
];

/// Whether a classifier has a file with the names of its classes beside it.
/// Those of the `EfficientNet` family come with ImageNet's; the Open Model Zoo's
/// names are in their `model-proc`.
#[must_use]
pub fn has_labels(name: &str) -> bool {
    name.starts_with("efficientnet")
}

/// Whether `make download-models` of Intel's loss-prevention makes a model: it exports
/// YOLO, and fetches the others in these precisions only.
#[must_use]
pub fn upstream_makes(name: &str, precision: &str) -> bool {
    match precisions(name) {
        Some(OPEN_MODEL_ZOO) => precision == "FP16",
        Some(known) => known.contains(&precision),
        None => false,
    }
}

/// Whether Open Model Zoo has a model.
#[must_use]
pub fn is_open_model_zoo(name: &str) -> bool {
    precisions(name) == Some(OPEN_MODEL_ZOO)
}

/// Where a Python module of Intel's loss-prevention is, by its file name.
#[must_use]
pub fn module_url(file: &str) -> Option<String> {
    const SOURCES: &str = "https://raw.githubusercontent.com/intel-retail/loss-prevention/cb3e4e5429a5599c6daa87e21f3bc5f0af8a4676/src";
    (file == "person_reid.py").then(|| format!("{SOURCES}/{file}"))
}

/// The precisions of a model; `None` if it is not known.
pub(crate) fn precisions(name: &str) -> Option<&'static [&'static str]> {
    MODELS.iter().find(|(known, _)| *known == name).map(|(_, precisions)| *precisions)
}

/// The names of all known models.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, _)| *name)
}
