//! Pictures into tensors, and tensors into what is seen.
//!
//! `gvadetect` and its siblings in `lp-worker` infer with OpenVINO; all that they do before and
//! after an inference is here, as functions over slices: a [`picture::Picture`] is cut,
//! resized and written into a tensor ([`prepare`]); a *decoder*, chosen from the shapes of the
//! outputs and never from the model's name, turns tensors into [`Detection`]s ([`decode`]) or
//! labels ([`classify`]); [`labels`] gives their classes names, [`track`] their objects
//! numbers, [`identify`] persons, and [`publish`] writes them as DL Streamer does.
//!
//! Coordinates of a `Detection` are parts of the tensor, from 0 to 1. Only
//! [`prepare::Placement`] turns them into parts of the frame and pixels
//! ([`prepare::Found`]), since only it knows of padding, crops and regions.
//!
//! Pure: no clock, no I/O, no randomness. The same tensor gives the same bytes on every machine.
//! Tensors may hold anything: a NaN or a wrong size is no detection or an error, and
//! never a panic.
//!
//! Not here: inference and GStreamer (`lp-worker`), and whether a model's file is whole and fits
//! its step (`pipeline::model_file`).

pub mod classify;
pub mod decode;
pub mod identify;
pub mod labels;
pub mod model_info;
pub mod model_proc;
pub mod nms;
pub mod picture;
pub mod prepare;
pub mod publish;
#[cfg(test)]
mod random;
pub mod settings;
pub mod track;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A box by its corners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    pub x_min: f64,
    pub y_min: f64,
    pub x_max: f64,
    pub y_max: f64,
}

impl Corners {
    /// The box with this centre and size.
    #[must_use]
    pub fn around(x: f64, y: f64, width: f64, height: f64) -> Corners {
        Corners {
            x_min: x - width / 2.0,
            y_min: y - height / 2.0,
            x_max: x + width / 2.0,
            y_max: y + height / 2.0,
        }
    }

    /// Whether all four are numbers, and the box is not inside out.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let all = [self.x_min, self.y_min, self.x_max, self.y_max];
        all.iter().all(|corner| corner.is_finite()) && self.x_min <= self.x_max && self.y_min <= self.y_max
    }
}

/// What a detector saw, in parts of its tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Sound, but perhaps beyond 0 and 1 where an object leaves the picture.
    pub bounds: Corners,
    /// The number of its class, as the model counts: labels may begin with the background.
    pub class: u32,
    /// From 0 to 1.
    pub score: f32,
    /// Marks of a face, say: x and y. Mostly none.
    pub points: Vec<[f32; 2]>,
}

/// An output of a compiled model, as far as it is known before the first inference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The names of the tensor, and that of the layer that makes it (its friendly name): model-proc
    /// files name either. The first is for people; perhaps none.
    pub names: Vec<String>,
    /// All dimensions, with that of the batch.
    pub shape: Vec<usize>,
}

impl Output {
    /// The number of its values, or `None` if that is beyond all memory.
    #[must_use]
    pub fn values(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |n, dimension| n.checked_mul(*dimension))
    }

    /// The dimensions after that of the batch, if the batch is 1.
    fn of_one(&self) -> Option<&[usize]> {
        match self.shape.as_slice() {
            [1, rest @ ..] => Some(rest),
            _ => None,
        }
    }
}

/// Tensors are not those of the outputs that a decoder was chosen for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongTensors {
    #[error("{found} output tensors came, but the model has {expected}")]
    Number { expected: usize, found: usize },
    #[error("output tensor {n} has {found} values instead of {expected}")]
    Length { n: usize, expected: usize, found: usize },
}

fn check_lengths(tensors: &[&[f32]], lengths: &[usize]) -> Result<(), WrongTensors> {
    if tensors.len() != lengths.len() {
        return Err(WrongTensors::Number { expected: lengths.len(), found: tensors.len() });
    }
    for (n, (tensor, expected)) in tensors.iter().zip(lengths).enumerate() {
        if tensor.len() != *expected {
            return Err(WrongTensors::Length { n, expected: *expected, found: tensor.len() });
        }
    }
    Ok(())
}

/// The shapes for people: "`boxes` \[1,896,16\] and `scores` \[1,896,1\]".
fn shown(outputs: &[Output]) -> String {
    let one = |output: &Output| {
        let sizes: Vec<String> = output.shape.iter().map(ToString::to_string).collect();
        let name = output.names.first().map(|name| format!("`{}` ", crate::text::harmless(name)));
        format!("{}[{}]", name.unwrap_or_default(), sizes.join(","))
    };
    match outputs {
        [] => "none".to_owned(),
        [only] => one(only),
        [rest @ .., last] => {
            format!("{} and {}", rest.iter().map(one).collect::<Vec<_>>().join(", "), one(last))
        }
    }
}

/// The first of the greatest values with its number; what is not finite is none.
fn best(values: &[f32]) -> Option<(u32, f32)> {
    let numbers = (0..).zip(values.iter().copied()).filter(|(_, value)| value.is_finite());
    numbers.reduce(|best, one| if one.1 > best.1 { one } else { best })
}

/// 1 / (1 + e^-x), without an overflow.
fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of a probability: scores are compared as logits, so that only those that pass
/// cost an exponential. Of 0 and less it is -inf, of 1 and more +inf.
fn logit(probability: f32) -> f32 {
    let probability = probability.clamp(0.0, 1.0);
    (probability / (1.0 - probability)).ln()
}
