//! Results about whole frames, and raw output tensors: structures in metadata of frames.

use std::sync::LazyLock;

use gst::glib;
use gst::meta::CustomMeta;
use gstreamer as gst;

use lp::vision::Output;

/// The name of the metadata.
const NAME: &str = "LpTensorMeta";

static REGISTERED: LazyLock<()> = LazyLock::new(|| CustomMeta::register_simple(NAME));

/// Attaches a structure to a frame.
///
/// # Errors
/// When GStreamer refuses it: never for a frame that may be changed.
pub(super) fn attach(buffer: &mut gst::BufferRef, structure: gst::Structure) -> Result<(), String> {
    LazyLock::force(&REGISTERED);
    let mut meta = CustomMeta::add(buffer, NAME).map_err(|error| error.to_string())?;
    meta.mut_structure().set("result", structure);
    Ok(())
}

/// The name of a structure with an output.
pub(super) const TENSOR: &str = "tensor";

/// The values of an output.
pub(super) fn values(structure: &gst::StructureRef) -> Option<Vec<f32>> {
    let bytes = structure.get::<glib::Bytes>("data").ok()?;
    Some(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_ne_bytes(*value)).collect())
}

/// An output as a structure: its values as 32-bit floats in the machine's order, and its dimensions.
pub(super) fn structure(output: &Output, values: &[f32], model: &str) -> gst::Structure {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let dimensions = output.shape.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX));
    gst::Structure::builder(TENSOR)
        .field("model_name", model)
        .field("layer_name", output.names.first().map_or("", String::as_str))
        .field("precision", "FP32")
        .field("dims", gst::Array::new(dimensions))
        .field("data", glib::Bytes::from_owned(bytes))
        .build()
}
