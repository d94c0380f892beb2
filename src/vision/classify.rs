//! Output tensors of classifiers into labels, numbers and texts.
//!
//! A model-proc file says for each output which *method* makes a label of it. Without one, an
//! output of C values with C labels is read as probabilities, after a softmax if they are not;
//! other outputs are left as they are (`raw_data_copy`): an embedding has no label.
//!
//! Source of the methods: DL Streamer's `converters/to_tensor/label.cpp` and `text.cpp`.
//! `expected_value` is `lp`'s own: the mean of class numbers, weighted with their probabilities, as
//! models that give a probability for each year of age are meant to be read.
//!
//! Not here: detections (`decode`), and reading model-proc files (`model_proc`).

use super::labels::Labels;
use super::model_proc::Postprocess;
use super::{Output, WrongTensors, best, check_lengths, shown};
use crate::text::harmless;

/// What a classifier says of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    /// What it is about: `gender`. Of the model-proc file, or the name of the layer.
    pub attribute: String,
    /// The layer or tensor.
    pub layer: String,
    pub label: String,
    pub label_id: Option<u32>,
    /// The model's own number: a probability, unless a model-proc file asks for `max` of logits.
    pub confidence: Option<f64>,
}

/// A classifier's outputs, read by a method each.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    readers: Vec<Reader>,
    lengths: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Reader {
    output: usize,
    layer: String,
    attribute: String,
    method: Method,
}

#[derive(Clone, Debug, PartialEq)]
enum Method {
    /// The best, after a softmax if the values are no probabilities.
    Best(Labels),
    Max(Labels),
    Softmax(Labels),
    /// Two labels for each value: at least the threshold, and less.
    Compound(Labels, f64),
    /// All that reach the threshold.
    Multi(Labels, f64),
    /// Values are numbers of labels, as letters of a number plate.
    Index(Labels),
    Text {
        scale: f64,
        precision: usize,
    },
    ExpectedValue {
        scale: f64,
        precision: usize,
    },
    Raw,
}

/// Outputs and what is said of them do not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassifierError {
    #[error("the layer `{layer}` is none of the model's outputs: {outputs}")]
    Layer { layer: String, outputs: String },
    #[error("an entry of `output_postproc` names no layer, but the model has several outputs: {0}")]
    Ambiguous(String),
    #[error("the converter `{0}` is not one of label, text, raw_data_copy, expected_value")]
    Converter(String),
    #[error("the method `{0}` is not one of max, softmax, compound, multi, softmax_multi, index")]
    Method(String),
    #[error("the output `{layer}` needs labels")]
    NoLabels { layer: String },
    #[error("the output `{layer}` needs {expected} labels, but has {found}, of {from}")]
    Labels { layer: String, expected: usize, found: usize, from: super::labels::Source },
}

/// The threshold of `compound` and `multi`, if the file has none.
const THRESHOLD: f32 = 0.5;
/// Probabilities may add up to this much less or more than 1.
const TOLERANCE: f32 = 1e-3;

impl Classifier {
    /// The methods for a model with these outputs. `labels` gives those of an output, by all of its
    /// names, or by its entry in the model-proc file; `None` if there are none.
    ///
    /// # Errors
    ///
    /// If an entry names an output, a converter or a method that does not exist, or labels do not
    /// fit.
    pub fn choose(
        outputs: &[Output],
        entries: &[Postprocess],
        mut labels: impl FnMut(&Output, Option<&Postprocess>) -> Option<Labels>,
    ) -> Result<Classifier, ClassifierError> {
        let mut readers = Vec::new();
        for entry in entries {
            for output in named(outputs, entry)? {
                let labels = labels(&outputs[output], Some(entry));
                readers.push(Reader::of(outputs, output, Some(entry), labels)?);
            }
        }
        if entries.is_empty() {
            for (n, output) in outputs.iter().enumerate() {
                readers.push(Reader::of(outputs, n, None, labels(output, None))?);
            }
        }
        Ok(Classifier {
            readers,
            lengths: outputs.iter().map(|output| output.values().unwrap_or(usize::MAX)).collect(),
        })
    }

    /// The outputs that have no label, to be attached as they are.
    pub fn raw(&self) -> impl Iterator<Item = usize> {
        self.readers.iter().filter(|reader| reader.method == Method::Raw).map(|reader| reader.output)
    }

    /// What the tensors say. Tensors without a number say nothing.
    ///
    /// # Errors
    ///
    /// If tensors have other sizes than the outputs.
    pub fn classify(&self, tensors: &[&[f32]]) -> Result<Vec<Classified>, WrongTensors> {
        check_lengths(tensors, &self.lengths)?;
        Ok(self.readers.iter().filter_map(|reader| reader.read(tensors[reader.output])).collect())
    }
}

/// The outputs that an entry is for.
fn named(outputs: &[Output], entry: &Postprocess) -> Result<Vec<usize>, ClassifierError> {
    if entry.layers.is_empty() {
        return match outputs.len() {
            1 => Ok(vec![0]),
            _ => Err(ClassifierError::Ambiguous(shown(outputs))),
        };
    }
    let find = |layer: &String| {
        outputs.iter().position(|output| output.names.contains(layer)).ok_or_else(|| ClassifierError::Layer {
            layer: harmless(layer).into_owned(),
            outputs: shown(outputs),
        })
    };
    entry.layers.iter().map(find).collect()
}

impl Reader {
    fn of(
        outputs: &[Output],
        output: usize,
        entry: Option<&Postprocess>,
        labels: Option<Labels>,
    ) -> Result<Reader, ClassifierError> {
        let n = outputs[output].values().unwrap_or(usize::MAX);
        let of_entry =
            entry.and_then(|entry| entry.layers.iter().find(|layer| outputs[output].names.contains(layer)));
        let layer =
            of_entry.or(outputs[output].names.first()).cloned().unwrap_or_else(|| format!("output{output}"));
        let default = Postprocess::default();
        let entry = entry.unwrap_or(&default);
        let fitting = |labels: Option<Labels>, expected: Option<usize>| match (labels, expected) {
            (None, _) => Err(ClassifierError::NoLabels { layer: layer.clone() }),
            (Some(labels), Some(expected)) if labels.names().len() != expected => {
                Err(ClassifierError::Labels {
                    layer: layer.clone(),
                    expected,
                    found: labels.names().len(),
                    from: labels.source(),
                })
            }
            (Some(labels), _) => Ok(labels),
        };
        let threshold = f64::from(entry.threshold.unwrap_or(THRESHOLD));
        let (scale, precision) = (entry.text_scale.unwrap_or(1.0), entry.text_precision.unwrap_or(2));
        let method = match (entry.converter.as_deref(), entry.method.as_deref()) {
            (None, None) => match labels {
                Some(labels) => Method::Best(fitting(Some(labels), Some(n))?),
                None => Method::Raw,
            },
            (None | Some("label"), None | Some("max")) => Method::Max(fitting(labels, Some(n))?),
            (None | Some("label"), Some("softmax")) => Method::Softmax(fitting(labels, Some(n))?),
            (None | Some("label"), Some("compound")) => {
                Method::Compound(fitting(labels, Some(n.saturating_mul(2)))?, threshold)
            }
            (None | Some("label"), Some("multi" | "softmax_multi")) => {
                Method::Multi(fitting(labels, Some(n))?, threshold)
            }
            (None | Some("label"), Some("index")) => Method::Index(fitting(labels, None)?),
            (None | Some("label"), Some(other)) => {
                return Err(ClassifierError::Method(harmless(other).into_owned()));
            }
            (Some("text"), _) => Method::Text { scale, precision },
            (Some("expected_value"), _) => Method::ExpectedValue { scale, precision },
            (Some("raw_data_copy"), _) => Method::Raw,
            (Some(other), _) => return Err(ClassifierError::Converter(harmless(other).into_owned())),
        };
        let attribute = entry.attribute.clone().unwrap_or_else(|| layer.clone());
        Ok(Reader { output, layer, attribute, method })
    }

    fn read(&self, values: &[f32]) -> Option<Classified> {
        let classified = |label: String, label_id: Option<u32>, confidence: Option<f64>| Classified {
            attribute: self.attribute.clone(),
            layer: self.layer.clone(),
            label,
            label_id,
            confidence,
        };
        let one = |labels: &Labels, values: &[f32]| {
            let (class, value) = best(values)?;
            let label = labels.name(class).unwrap_or_default().to_owned();
            Some(classified(label, Some(class), Some(f64::from(value))))
        };
        match &self.method {
            Method::Best(labels) if are_probabilities(values) => one(labels, values),
            Method::Max(labels) => one(labels, values),
            Method::Best(labels) | Method::Softmax(labels) => one(labels, &softmax(values)),
            Method::Compound(labels, threshold) => {
                let chosen = values.iter().enumerate().filter_map(|(n, value)| {
                    let at_least = f64::from(*value) >= *threshold;
                    (at_least || *value > 0.0).then_some(&labels.names()[2 * n + usize::from(!at_least)])
                });
                let confidence = best(values).map_or(0.0, |(_, value)| f64::from(value).max(0.0));
                Some(classified(joined(chosen, " "), None, Some(confidence)))
            }
            Method::Multi(labels, threshold) => {
                let chosen = values.iter().zip(labels.names());
                let chosen =
                    chosen.filter(|(value, _)| f64::from(**value) >= *threshold).map(|(_, name)| name);
                let confidence = best(values).map_or(0.0, |(_, value)| f64::from(value).max(0.0));
                Some(classified(joined(chosen, " "), None, Some(confidence)))
            }
            Method::Index(labels) => {
                let names = values.iter().map_while(|value| {
                    let is_number = (0.0..labels.names().len() as f32).contains(value);
                    is_number.then(|| &labels.names()[*value as usize])
                });
                let text = joined(names, "");
                (!text.is_empty()).then(|| classified(text, None, None))
            }
            Method::Text { scale, precision } => {
                let texts =
                    values.iter().map(|value| format!("{:.*}", *precision, f64::from(*value) * scale));
                Some(classified(joined(texts, ", "), None, None))
            }
            Method::ExpectedValue { scale, precision } => {
                let probabilities = if are_probabilities(values) { values.to_vec() } else { softmax(values) };
                let mean: f64 =
                    (0_u32..).zip(&probabilities).map(|(n, part)| f64::from(n) * f64::from(*part)).sum();
                let text = format!("{:.*}", *precision, mean * scale);
                let confidence = best(&probabilities).map(|(_, value)| f64::from(value));
                mean.is_finite().then(|| classified(text, None, confidence))
            }
            Method::Raw => None,
        }
    }
}

fn joined<T: AsRef<str>>(parts: impl Iterator<Item = T>, separator: &str) -> String {
    let mut text = String::new();
    for part in parts.filter(|part| !part.as_ref().is_empty()) {
        if !text.is_empty() && !text.ends_with(char::is_whitespace) {
            text.push_str(separator);
        }
        text.push_str(part.as_ref());
    }
    text
}

fn are_probabilities(values: &[f32]) -> bool {
    let sum: f32 = values.iter().sum();
    (sum - 1.0).abs() <= TOLERANCE && values.iter().all(|value| *value >= 0.0)
}

fn softmax(values: &[f32]) -> Vec<f32> {
    let greatest = best(values).map_or(0.0, |(_, value)| value);
    let exponentials: Vec<f32> = values.iter().map(|value| (value - greatest).exp()).collect();
    let sum: f32 = exponentials.iter().filter(|value| value.is_finite()).sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests;
