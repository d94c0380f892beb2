//! Output tensors of detectors into detections.
//!
//! A *decoder* takes tensors of certain shapes. Which one a model needs follows from the shapes of
//! all its outputs and from the converter that its files name, never from its own name:
//! [`Detector::choose`]. Each file here is one decoder, with the source of its format; to add
//! one, write a file and a line in [`ALL`].
//!
//! Values may be anything: what is no number is no detection. A box that is inside out or not
//! finite is left out.
//!
//! Not here: classes of whole pictures (`classify`), names of classes (`labels`).

mod blaze_face;
mod boxes_labels;
mod center_face;
mod center_net;
mod detection_output;
mod end_to_end;
mod media_ssd;
mod retina_face;
mod yolo;
mod yolo_v5;
mod yolo_x;

use super::{Detection, Output, Size, WrongTensors, shown};

/// What is known of a detector besides the shapes of its outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// The converter of a model-proc file, or the `model_type` of rt_info: `yolo_v8`.
    pub converter: Option<String>,
    /// Boxes that overlap more than this are one object. Default: that of the decoder.
    pub iou_threshold: Option<f32>,
    /// The number of classes of a model for poses, whose rows after the scores are points.
    pub pose_classes: Option<usize>,
}

/// A detector's outputs, read by the decoder for their shapes.
pub struct Detector {
    name: &'static str,
    decoder: Box<dyn Decoder>,
    lengths: Vec<usize>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("name", &self.name).finish_non_exhaustive()
    }
}

/// No decoder takes these outputs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLayout {
    #[error("no detections can be read from {outputs}: there are decoders for {known}")]
    Shapes { outputs: String, known: String },
    #[error("the converter `{converter}` is not one of {known}")]
    Converter { converter: String, known: String },
    #[error("the converter `{converter}` is for {expected}, but the model has {outputs}")]
    Misfit { converter: String, expected: &'static str, outputs: String },
}

/// Reads tensors of certain shapes.
trait Decoder: Send + Sync {
    /// Adds what scores at least `threshold`. Every tensor has the length of its shape.
    fn decode(&self, tensors: &[&[f32]], threshold: f32, found: &mut Vec<Detection>);

    /// The number of its classes, if the shapes tell.
    fn classes(&self) -> Option<usize> {
        None
    }
}

/// A kind of decoder.
struct Kind {
    /// Its name in reports, which may be a converter of DL Streamer.
    name: &'static str,
    /// Converters of model-proc files and `model_type`s of rt_info that mean it.
    converters: &'static [&'static str],
    /// The shapes that it takes, for people.
    shapes: &'static str,
    /// The decoder for these outputs, if they are of its shapes.
    fits: fn(&Model<'_>) -> Option<Box<dyn Decoder>>,
}

/// A model without its weights.
struct Model<'m> {
    outputs: &'m [Output],
    /// The pictures of its input.
    input: Size,
    hints: &'m Hints,
}

impl Model<'_> {
    /// The only output, without the dimension of a batch of one.
    fn only(&self) -> Option<&[usize]> {
        match self.outputs {
            [only] => only.of_one(),
            _ => None,
        }
    }

    /// The number of the only output that `is` what is looked for.
    fn one(&self, is: impl Fn(&Output) -> bool) -> Option<usize> {
        let mut all = self.outputs.iter().enumerate().filter(|(_, output)| is(output));
        let (n, _) = all.next()?;
        all.next().is_none().then_some(n)
    }

    /// The number of the output with this shape; `None` also if there are two.
    fn of_shape(&self, shape: &[usize]) -> Option<usize> {
        self.one(|output| output.shape == shape)
    }
}

/// DL Streamer's, for YOLO models that state none.
const IOU_THRESHOLD: f32 = 0.4;
/// Fewer rows than raw outputs of YOLO have: inputs of 160x160 give 1575.
const FEWEST_ROWS: usize = 1000;

/// All decoders, the more special first: of several that fit, the first is taken.
const ALL: [&Kind; 11] = [
    &detection_output::KIND,
    &boxes_labels::KIND,
    &blaze_face::KIND,
    &media_ssd::KIND,
    &retina_face::KIND,
    &center_net::KIND,
    &center_face::KIND,
    &end_to_end::KIND,
    &yolo_x::KIND,
    &yolo_v5::KIND,
    &yolo::KIND,
];

/// Whether there is a decoder for a converter of model-proc files, or a `model_type` of rt_info.
#[must_use]
pub fn is_converter(name: &str) -> bool {
    ALL.iter().any(|kind| kind.converters.contains(&name))
}

impl Detector {
    /// The decoder for a model with these outputs.
    ///
    /// # Errors
    ///
    /// If there is none, or a converter is named that is unknown or is for other shapes.
    pub fn choose(outputs: &[Output], input: Size, hints: &Hints) -> Result<Detector, UnknownLayout> {
        let model = Model { outputs, input, hints };
        let lengths: Option<Vec<usize>> = outputs.iter().map(Output::values).collect();
        let made = |kind: &Kind| {
            Some(Detector { name: kind.name, decoder: (kind.fits)(&model)?, lengths: lengths.clone()? })
        };
        let Some(converter) = &hints.converter else {
            return ALL.into_iter().find_map(made).ok_or_else(|| UnknownLayout::Shapes {
                outputs: shown(outputs),
                known: listed(ALL.iter().map(|kind| kind.shapes)),
            });
        };
        let means = |kind: &&&Kind| kind.converters.contains(&converter.as_str());
        let Some(named) = ALL.iter().find(means) else {
            return Err(UnknownLayout::Converter {
                converter: crate::text::harmless(converter).into_owned(),
                known: listed(ALL.iter().flat_map(|kind| kind.converters)),
            });
        };
        // Several decoders may have one name: `YOLO` tells the family, and the shapes tell the
        // member.
        ALL.iter().filter(means).find_map(|kind| made(kind)).ok_or_else(|| UnknownLayout::Misfit {
            converter: converter.clone(),
            expected: named.shapes,
            outputs: shown(outputs),
        })
    }

    /// The decoder's name, for reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The number of its classes, with that of the background if it has one; `None` if the
    /// shapes do not tell.
    #[must_use]
    pub fn classes(&self) -> Option<usize> {
        self.decoder.classes()
    }

    /// What scores at least `threshold`, in the order of the decoder: mostly the best first.
    ///
    /// `tensors` are in the order of the outputs for which the decoder was chosen.
    ///
    /// # Errors
    ///
    /// If tensors have other sizes than those outputs.
    pub fn decode(&self, tensors: &[&[f32]], threshold: f32) -> Result<Vec<Detection>, WrongTensors> {
        super::check_lengths(tensors, &self.lengths)?;
        let mut found = Vec::new();
        self.decoder.decode(tensors, threshold, &mut found);
        found.retain(|detection| {
            detection.bounds.is_sound()
                && detection.score.is_finite()
                && detection.points.iter().flatten().all(|part| part.is_finite())
        });
        Ok(found)
    }
}

fn listed<T: AsRef<str>>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<String> = names.map(|name| name.as_ref().to_owned()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
