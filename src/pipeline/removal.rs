//! A pipeline without one part of its work, to find out what limits it.
//!
//! [`without`] takes one thing away from a spec, a [`Removal`], and gives a spec that plays:
//! branches stay, every stream keeps its sink, and everything from the source to the decoder
//! stays as it is. Frames cannot be thinned before the decoder, since most codecs predict
//! frames from others; so [`Removal::HalfRate`] and [`Removal::SmallerFrames`] take work away
//! from the steps alone, and decoding costs the same.
//!
//! A removal that changes nothing, or that leaves elements which cannot be linked, does not
//! apply: `None`. What can only be known while it plays, a worker finds out.
//!
//! Not here: which removals are tried, and what they prove (`search::limiter`).

mod steps;
mod tree;

use serde::{Deserialize, Serialize};

use self::steps::{Kind, kind};
use self::tree::Tree;
use super::files::is_sink;
use super::{Element, PipelineSpec, Playback, Value, detect};

/// One thing that is taken away from a load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Nothing: the same load again, to know what chance does.
    Nothing,
    /// All steps, and the work of sinks: only sources and decoding stay.
    Steps,
    /// Every step that runs a model, and tracking, which has nothing to track then.
    Inference,
    /// The steps of this factory. What an encoder feeds goes with it, up to the next decoder.
    Step(String),
    /// Every second frame, after the decoder.
    HalfRate,
    /// Three of four pixels, after the decoder.
    SmallerFrames,
    /// Writing, publishing and showing: frames end in a `fakesink`.
    Sinks,
    /// The decoder's choice of threads: one becomes as many as there are cores, more become one.
    DecoderThreads,
    /// The limits of queues: they may hold eight times as much.
    QueueLimits,
    /// The device of models: this one instead.
    Device(String),
    /// Sharing a worker: each camera has one of its own. Changes no spec.
    SharedWorker,
    /// The binding of workers to cores. Changes no spec.
    Binding,
}

impl Removal {
    /// Whether it changes pipelines, and not only how they are played.
    #[must_use]
    pub fn changes_pipelines(&self) -> bool {
        !matches!(self, Removal::Nothing | Removal::SharedWorker | Removal::Binding)
    }
}

/// What a spec does not say about its camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frames {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second that the source delivers.
    pub fps: f64,
}

/// The spec without this, and the place of each of its streams' sinks in it, in the order of
/// `sinks`. `None` if that changes nothing, or cannot be played.
#[must_use]
pub fn without(
    spec: &PipelineSpec,
    sinks: &[usize],
    removal: &Removal,
    frames: Frames,
) -> Option<(PipelineSpec, Vec<usize>)> {
    if !removal.changes_pipelines() {
        return Some((spec.clone(), sinks.to_vec()));
    }
    let mut load = Load { spec, sinks, head: head(spec), tree: Tree::of(spec) };
    match removal {
        Removal::Steps => load.remove_steps(),
        Removal::Inference => load
            .has(&|factory| kind(factory) == Kind::Model)
            .then(|| load.remove_all(&|factory| matches!(kind(factory), Kind::Model | Kind::Tracker)))?,
        Removal::Step(name) => load.remove_all(&|factory| factory == name),
        Removal::HalfRate => load.halve_rate(frames),
        Removal::SmallerFrames => load.shrink(frames),
        Removal::Sinks => load.remove_sinks(),
        Removal::DecoderThreads => load.change_threads(),
        Removal::QueueLimits => load.widen_queues(),
        Removal::Device(device) => load.change_device(device),
        Removal::Nothing | Removal::SharedWorker | Removal::Binding => None,
    }?;
    let (changed, sinks) = load.tree.spec(spec, sinks);
    let size = spec.size.filter(|_| *removal != Removal::Steps);
    Some((PipelineSpec { size, ..changed }, sinks))
}

/// The factories of the steps that can be removed alone, in the order of the pipeline.
#[must_use]
pub fn step_factories(spec: &PipelineSpec, sinks: &[usize]) -> Vec<String> {
    let any = Frames { width: 0, height: 0, fps: 0.0 };
    let mut found: Vec<String> = Vec::new();
    for element in &spec.elements[head(spec) + 1..] {
        let removal = Removal::Step(element.factory.clone());
        if !found.contains(&element.factory) && without(spec, sinks, &removal, any).is_some() {
            found.push(element.factory.clone());
        }
    }
    found
}

/// The last element before the steps: the queue after the decoder, or the decoder.
fn head(spec: &PipelineSpec) -> usize {
    let decoder = spec.decoder.unwrap_or(0);
    let after = (decoder + 1..spec.elements.len()).take_while(|index| spec.elements[*index].from.is_none());
    let queue = after.into_iter().find(|index| spec.elements[*index].factory == "queue");
    queue.filter(|index| !is_past_steps(spec, decoder, *index)).unwrap_or(decoder)
}

/// Whether there is a step between two elements.
fn is_past_steps(spec: &PipelineSpec, from: usize, to: usize) -> bool {
    (from + 1..to).any(|index| spec.elements[index].name.is_some())
}

/// A spec while something is taken out of it.
struct Load<'a> {
    spec: &'a PipelineSpec,
    sinks: &'a [usize],
    /// Everything up to this element stays.
    head: usize,
    tree: Tree,
}

impl Load<'_> {
    fn has(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        self.spec.elements[self.head + 1..].iter().any(|element| is_it(&element.factory))
    }

    /// Removes every element after the head that is no sink of a stream, and leads to none on
    /// a way of its own.
    fn remove_steps(&mut self) -> Option<()> {
        let ways: Vec<Vec<usize>> = self.sinks.iter().map(|sink| self.spec.path_to(*sink)).collect();
        let children = |parent: usize| {
            let leads = |index: &usize| ways.iter().any(|way| way.contains(index));
            (parent + 1..self.spec.elements.len())
                .filter(|index| self.spec.upstream(*index) == Some(parent))
                .filter(leads)
                .count()
        };
        let is_fork = |index: usize| 1 < children(index);
        let is_kept = |index: usize| {
            let element = &self.spec.elements[index];
            let begins_branch = self.spec.upstream(index).is_some_and(is_fork);
            self.sinks.contains(&index)
                || (element.factory == "tee" && is_fork(index))
                || (element.factory == "queue" && begins_branch)
        };
        let removed: Vec<usize> =
            (self.head + 1..self.spec.elements.len()).filter(|index| !is_kept(*index)).collect();
        removed.iter().for_each(|index| self.tree.remove(*index));
        let ended = self.end_streams();
        (!removed.is_empty() || ended).then_some(())
    }

    /// Ends every stream in a `fakesink` that waits for nothing. Whether that changed anything.
    fn end_streams(&mut self) -> bool {
        // A file's sink must wait for its first frame, so that the first seek finds a
        // prerolled pipeline.
        let waits = self.spec.playback == Playback::Loop
            || self.spec.elements.first().is_some_and(|source| source.factory == "filesrc");
        let mut has_changed = false;
        for sink in self.sinks {
            if !is_idle(&self.spec.elements[*sink]) {
                self.tree.replace(*sink, end(&self.spec.elements[*sink], waits));
                has_changed = true;
            }
        }
        has_changed
    }

    fn remove_sinks(&mut self) -> Option<()> {
        let mut has_changed = self.end_streams();
        for index in self.head + 1..self.spec.elements.len() {
            let element = &self.spec.elements[index];
            if kind(&element.factory) == Kind::Output {
                self.tree.remove_step(index);
            } else if is_sink(&element.factory) && !self.sinks.contains(&index) && !is_idle(element) {
                self.tree.replace(index, end(element, false));
            } else {
                continue;
            }
            has_changed = true;
        }
        has_changed.then_some(())
    }

    /// Removes every step whose factory `is_it`.
    fn remove_all(&mut self, is_it: &dyn Fn(&str) -> bool) -> Option<()> {
        let mut has_changed = false;
        for index in self.head + 1..self.spec.elements.len() {
            let factory = &self.spec.elements[index].factory;
            if !is_it(factory) || !self.tree.has(index) {
                continue;
            }
            match kind(factory) {
                Kind::Encoder => self.remove_encoded(index)?,
                Kind::Converter => self.remove_converter(index)?,
                Kind::Work | Kind::Model | Kind::Tracker => self.tree.remove_step(index),
                // Plumbing is no work, sinks are removed otherwise, and the rest goes with its
                // encoder.
                Kind::Plumbing | Kind::Output | Kind::Coded => return None,
            }
            has_changed = true;
        }
        has_changed.then_some(())
    }

    /// Removes an encoder and all that works on what it gives, up to decoders and sinks.
    fn remove_encoded(&mut self, encoder: usize) -> Option<()> {
        let mut open = self.tree.children(encoder);
        self.tree.remove_step(encoder);
        while let Some(index) = open.pop() {
            let element = self.tree.element(index).clone();
            let is_raw_again =
                matches!(&element.properties[..], [only] if only.name == "caps" && is_raw(&only.value));
            if is_sink(&element.factory) {
                if !self.sinks.contains(&index) && !is_idle(&element) {
                    self.tree.replace(index, end(&element, false));
                }
                continue;
            }
            let next = self.tree.children(index);
            let is_decoder = element.factory.ends_with("dec")
                || element.factory.starts_with("avdec_")
                || element.factory.starts_with("decodebin");
            match kind(&element.factory) {
                _ if is_decoder => {
                    self.tree.remove(index);
                    continue;
                }
                Kind::Plumbing if element.factory != "capsfilter" => {}
                Kind::Plumbing if is_raw_again => continue,
                _ => self.tree.remove(index),
            }
            open.extend(next);
        }
        Some(())
    }

    /// Removes an element that changes size, rate or format with the caps that ask for it;
    /// `None` if later caps rely on it.
    fn remove_converter(&mut self, index: usize) -> Option<()> {
        let mut children = self.tree.children(index);
        while let [only] = children[..]
            && self.tree.element(only).factory == "capsfilter"
            && self.tree.element(only).name.is_none()
        {
            children = self.tree.children(only);
            self.tree.remove(only);
        }
        let relies = self.tree.below(index).into_iter().any(|below| has_fixed_size(self.tree.element(below)));
        if relies {
            return None;
        }
        self.tree.remove_step(index);
        Some(())
    }

    fn halve_rate(&mut self, frames: Frames) -> Option<()> {
        if frames.fps <= 0.0 {
            return None;
        }
        let thousandths = (frames.fps * 500.0).round();
        let caps = format!("video/x-raw(ANY),framerate=[1/1000,{thousandths}/1000]");
        // `videorate` leaves frames out by their times, so what remains is even.
        let thin = Element::new("videorate").named("half-rate").bool("drop-only", true);
        self.insert(vec![thin, Element::caps(&caps)])
    }

    fn shrink(&mut self, frames: Frames) -> Option<()> {
        let half = |pixels: u32| pixels / 4 * 2;
        let (width, height) = (half(frames.width), half(frames.height));
        let after = &self.spec.elements[self.head + 1..];
        let has_coordinates =
            |element: &Element| element.properties.iter().any(|property| property.name.contains("coord"));
        let counts_pixels =
            |element: &Element| detect::moves(element) || has_fixed_size(element) || has_coordinates(element);
        // A region is in pixels of the whole frame.
        if width < 16 || height < 16 || self.spec.size.is_some() || after.iter().any(counts_pixels) {
            return None;
        }
        if self.uses_device_memory() || self.has(&|factory| factory == "gvaattachroi") {
            return None;
        }
        let caps = format!("video/x-raw,width={width},height={height}");
        let scale = Element::new("videoscale").named("smaller-frames");
        self.insert(vec![scale, Element::caps(&caps)])
    }

    /// Puts elements between the head and the steps; `None` if there are no steps.
    fn insert(&mut self, elements: Vec<Element>) -> Option<()> {
        let is_work = |factory: &str| !matches!(kind(factory), Kind::Plumbing) && !is_sink(factory);
        if !self.has(&is_work) {
            return None;
        }
        let mut at = self.head;
        for element in elements {
            at = self.tree.insert_after(at, element);
        }
        Some(())
    }

    fn change_threads(&mut self) -> Option<()> {
        let decoder = self.spec.decoder?;
        let element = &self.spec.elements[decoder];
        let threads = match element.factory.as_str() {
            "avdec_mjpeg" => return None,
            factory if factory.starts_with("avdec_") => "max-threads",
            "vp9dec" | "vp8dec" => "threads",
            _ => return None,
        };
        let is_one = element
            .properties
            .iter()
            .any(|property| property.name == threads && property.value == Value::Int(1));
        // 0 = as many as there are cores, of `avdec_*`; the others take a number only.
        let many = if threads == "max-threads" { 0 } else { 4 };
        let changed = element.clone().with(threads, Value::Int(if is_one { many } else { 1 }));
        self.tree.replace(decoder, changed);
        Some(())
    }

    fn widen_queues(&mut self) -> Option<()> {
        let mut has_changed = false;
        for (index, element) in self.spec.elements.iter().enumerate() {
            if !["queue", "queue2"].contains(&element.factory.as_str()) {
                continue;
            }
            let given = element.properties.iter().find(|property| property.name == "max-size-buffers");
            let buffers = match given.map(|property| &property.value) {
                // Without a number of its own, a queue may hold 200 buffers.
                None | Some(Value::Int(0)) => 200,
                Some(Value::Int(buffers)) => *buffers,
                Some(_) => continue,
            };
            let buffers = buffers.saturating_mul(8).clamp(32, i64::from(u32::MAX));
            let mut changed = element.clone().with("max-size-buffers", Value::Int(buffers));
            for limit in ["max-size-bytes", "max-size-time"] {
                changed = changed.with(limit, Value::Int(0));
            }
            self.tree.replace(index, changed);
            has_changed = true;
        }
        has_changed.then_some(())
    }

    fn change_device(&mut self, device: &str) -> Option<()> {
        if self.uses_device_memory() {
            return None;
        }
        let mut has_changed = false;
        for (index, element) in self.spec.elements.iter().enumerate() {
            let is_device =
                |name: &str, value: &Value| name == "device" && *value != Value::Text(device.into());
            let is_other =
                element.properties.iter().any(|property| is_device(&property.name, &property.value));
            if kind(&element.factory) != Kind::Model || !is_other {
                continue;
            }
            let mut changed = element.clone().with("device", Value::Text(device.to_owned()));
            // These fit the old device alone.
            let of_device = ["pre-process-backend", "ie-config", "nireq"];
            changed.properties.retain(|property| !of_device.contains(&property.name.as_str()));
            for property in &mut changed.properties {
                // The model that is loaded for the old device is another one.
                if let ("model-instance-id", Value::Text(id)) = (property.name.as_str(), &mut property.value)
                {
                    *id += &format!("-{device}");
                }
            }
            self.tree.replace(index, changed);
            has_changed = true;
        }
        has_changed.then_some(())
    }

    /// Whether frames lie in the memory of a device, where stock elements cannot reach them.
    fn uses_device_memory(&self) -> bool {
        let is_bound = |element: &Element| {
            let caps = element.properties.iter().any(
                |property| matches!(&property.value, Value::Text(text) if property.name == "caps" && text.contains("memory:")),
            );
            caps || element.factory.starts_with("varender")
        };
        self.spec.elements.iter().any(is_bound)
    }
}

/// A sink that takes everything and waits for nothing, under the same name.
fn end(element: &Element, waits: bool) -> Element {
    let end = Element::new("fakesink");
    let end = if let Some(name) = &element.name { end.named(name) } else { end };
    end.bool("sync", false).bool("async", waits)
}

/// Whether a sink does nothing with frames.
fn is_idle(element: &Element) -> bool {
    let does_nothing = |name: &str, value: &Value| match name {
        "sync" => *value == Value::Bool(false),
        "async" => true,
        _ => false,
    };
    element.factory == "fakesink"
        // `sync` is false unless it is set.
        && element.properties.iter().all(|property| does_nothing(&property.name, &property.value))
}

/// Whether these caps are of raw video in system memory.
fn is_raw(value: &Value) -> bool {
    matches!(value, Value::Text(caps) if caps.starts_with("video/x-raw"))
}

/// Whether it is a filter that lets through one size or rate.
fn has_fixed_size(element: &Element) -> bool {
    let fixes = |caps: &str| ["width=", "height=", "framerate="].iter().any(|field| caps.contains(field));
    element.factory == "capsfilter"
        && element.properties.iter().any(
            |property| matches!(&property.value, Value::Text(caps) if property.name == "caps" && fixes(caps)),
        )
}

#[cfg(test)]
mod tests;
