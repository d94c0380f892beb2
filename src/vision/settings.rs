//! What a step does with a model: what its properties, a model-proc file and the model itself say,
//! put together.
//!
//! Properties win over the model-proc file, and that over the model's own words ([`ModelInfo`]), as
//! in DL Streamer. A model-proc file so replaces the whole pre-processing of rt_info, not only what
//! it names.
//!
//! Not here: reading these texts (`model_proc`, `model_info`) and files.

use super::decode::{self, Hints};
use super::labels::{Choice, Labels, Source};
use super::model_info::{self, COLOURS, ModelInfo, RESIZE_TYPES};
use super::model_proc::{LabelList, ModelProc};
use super::prepare::{Colour, Preparation, Resize, Scale};
use crate::text::harmless;

/// Who resizes: the property `pre-process-backend`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// `ie`: pictures are always stretched. Colours and scale count.
    Ie,
    /// `opencv`: all that model-proc and rt_info say.
    #[default]
    OpenCv,
}

/// What is known of a model. All but the model itself may be empty.
#[derive(Clone, Debug, Default)]
pub struct Known<'k> {
    pub backend: Backend,
    /// The property `pre-process-config`: `resize_type=standard`.
    pub pre_process_config: &'k str,
    pub model_proc: Option<&'k ModelProc>,
    /// Of the IR or ONNX model, and of `metadata.yaml`: the first that says something counts.
    pub info: &'k [ModelInfo],
}

/// A property cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("`pre-process-config`: `{0}` is not `key=value`")]
    NoPair(String),
    #[error(
        "`pre-process-config`: `{0}` is not one of resize_type, pad_value, reverse_input_channels, color_space"
    )]
    Key(String),
    #[error("`pre-process-config`: `{value}` is no value of `{key}`: {expected}")]
    Value { key: String, value: String, expected: &'static str },
    #[error("the model is for the task `{0}`, of which boxes alone cannot be read")]
    Task(String),
}

impl Known<'_> {
    /// How pictures become tensors.
    ///
    /// # Errors
    ///
    /// If the property is misspelt.
    pub fn preparation(&self) -> Result<Preparation, SettingsError> {
        let mut preparation = match self.model_proc.and_then(|file| file.input.as_ref()) {
            Some(input) => Preparation {
                resize: input.resize.unwrap_or_default(),
                colour: input.colour.unwrap_or_default(),
                padding: input.padding.unwrap_or_default(),
                scale: input.scale,
            },
            // A model-proc file without pre-processing is the default, not the model's.
            None if self.model_proc.is_some() => Preparation::default(),
            None => self.of_model(),
        };
        for pair in self.pre_process_config.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| SettingsError::NoPair(harmless(pair).into_owned()))?;
            let bad = |expected| SettingsError::Value {
                key: key.to_owned(),
                value: harmless(value).into_owned(),
                expected,
            };
            match key {
                "resize_type" => {
                    preparation.resize = model_info::resize(value).ok_or_else(|| bad(RESIZE_TYPES))?;
                }
                "pad_value" => {
                    preparation.padding = value.parse().map_err(|_| bad("a number from 0 to 255"))?;
                }
                "reverse_input_channels" => {
                    let is_rgb = model_info::boolean(value).ok_or_else(|| bad("true or false"))?;
                    preparation.colour = if is_rgb { Colour::Rgb } else { Colour::Bgr };
                }
                "color_space" => {
                    preparation.colour = model_info::colour(value).ok_or_else(|| bad(COLOURS))?;
                }
                _ => return Err(SettingsError::Key(harmless(key).into_owned())),
            }
        }
        if self.backend == Backend::Ie {
            preparation.resize = Resize::Stretch;
        }
        Ok(preparation)
    }

    fn of_model(&self) -> Preparation {
        let is_rgb = self.first(|info| info.reverse_input_channels) == Some(true);
        let mean = self.first(|info| info.mean_values);
        let divisor = self.first(|info| info.scale_values);
        Preparation {
            resize: self.first(|info| info.resize).unwrap_or_default(),
            colour: self.first(|info| info.colour).unwrap_or(if is_rgb { Colour::Rgb } else { Colour::Bgr }),
            padding: self.first(|info| info.pad_value).unwrap_or_default(),
            scale: (mean.is_some() || divisor.is_some())
                .then(|| Scale { mean: mean.unwrap_or([0.0; 3]), divisor: divisor.unwrap_or([1.0; 3]) }),
        }
    }

    /// How a detector's outputs are read. `labels` is the number of names that a user gave.
    ///
    /// A converter of a model-proc file must be known. A `model_type` of a model need not: other
    /// programs than DL Streamer read it too, so the shapes decide then.
    ///
    /// # Errors
    ///
    /// If the model is for something other than boxes.
    pub fn hints(&self, labels: Option<usize>) -> Result<Hints, SettingsError> {
        let mut pose_classes = None;
        match self.first(|info| info.task.as_deref()) {
            None | Some("detect" | "segment") => {}
            Some("pose") => {
                let named =
                    || self.info.iter().flat_map(|info| &info.labels).min_by_key(|labels| labels.source());
                pose_classes = labels.or_else(|| Some(named()?.names().len()));
            }
            Some(task) => return Err(SettingsError::Task(harmless(task).into_owned())),
        }
        let entry = self.model_proc.and_then(|file| file.outputs.first());
        Ok(Hints {
            converter: match entry {
                Some(entry) => entry.converter.clone(),
                None => self.first(|info| info.model_type.clone()).filter(|name| decode::is_converter(name)),
            },
            iou_threshold: entry
                .and_then(|entry| entry.iou_threshold)
                .or_else(|| self.first(|info| info.iou_threshold)),
            pose_classes,
        })
    }

    /// The least score, if the property `threshold` is not set.
    #[must_use]
    pub fn threshold(&self) -> Option<f32> {
        let entry = self.model_proc.and_then(|file| file.outputs.first());
        entry.and_then(|entry| entry.threshold).or_else(|| self.first(|info| info.confidence_threshold))
    }

    /// The names of a detector's classes. `property` has those of the property `labels`; `read`
    /// gives the names in a file that the model-proc file names.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub fn labels<E>(
        &self,
        property: Option<Vec<String>>,
        read: impl FnOnce(&str) -> Result<Vec<String>, E>,
        classes: Option<usize>,
    ) -> Result<Choice, E> {
        let mut candidates: Vec<Labels> =
            property.into_iter().map(|names| Labels::new(names, Source::Property)).collect();
        let of_file = self.model_proc.and_then(|file| file.outputs.first()?.labels.as_ref());
        match of_file {
            Some(LabelList::Names(names)) => candidates.push(Labels::new(names.clone(), Source::ModelProc)),
            Some(LabelList::File(path)) => candidates.push(Labels::new(read(path)?, Source::ModelProc)),
            None => {}
        }
        candidates.extend(self.info.iter().flat_map(|info| info.labels.iter().cloned()));
        Ok(Labels::choose(candidates, classes))
    }

    fn first<'s, T>(&'s self, said: impl Fn(&'s ModelInfo) -> Option<T>) -> Option<T> {
        self.info.iter().find_map(said)
    }
}

#[cfg(test)]
mod tests;
