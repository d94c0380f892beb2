//! Models, compiled by OpenVINO once per worker, and inferences with them.
//!
//! Elements with the same model, device and properties share one [`Compiled`] model, whatever
//! their `model-instance-id`: DL Streamer gives all elements of one id the model of one of them.
//! Which element it is makes no difference, as compiling is the same for all. Each element has
//! its own [`Request`], and infers one frame at a time, in the thread that brings the frame.
//!
//! Every property is compared with those that the device has, and every device with those that the
//! machine has, before a model is compiled: `AUTO` and `MULTI` would drop both without a word.
//! What OpenVINO then really uses is read back ([`Facts`]).
//!
//! The files of a model are read into memory and not mapped, so one that is changed later, or cut off,
//! changes no answer and ends no worker. One that changes while it is read is an error.
//!
//! Inputs get a fixed size, as each new size of a dynamic one costs memory for good. Tensors are
//! floats; OpenVINO converts where a model has others.
//!
//! Not here: pictures and decoders (`vision`), the library itself (`library`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gstreamer as gst;
use lp::os::fs::StatIdentity;
use lp::vision::{Output, Size, prepare::Layout};
use openvino::prepostprocess::Pipeline;
use openvino::{
    CompiledModel, Core, Dimension, ElementType, InferRequest, InferenceError, Model, PartialShape,
    PropertyKey, RwPropertyKey, Shape, Tensor,
};

use super::config::Config;
use super::ir_names;
use super::library::{self, calls};

/// The most pixels of an input: those of 8192x8192.
const MOST_PIXELS: i64 = 1 << 26;

/// What is compiled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted {
    /// OpenVINO's library, or its folder.
    pub(super) library: PathBuf,
    pub(super) model: PathBuf,
    pub(super) config: Config,
    /// Width and height of pictures, for a model that takes several sizes.
    pub(super) size: Option<(usize, usize)>,
    /// The files of the model as they are: one that was written since is another model.
    pub(super) files: Files,
}

/// What tells a file from one that was written since: inode, size, and the time of the last change in
/// nanoseconds; `None` of one that is not there.
pub(super) type Files = [Option<(u64, u64, i64)>; 2];

/// The model's file, and that of the weights of an IR.
pub(super) fn files(model: &Path) -> Files {
    let identity = |path: &Path| {
        let StatIdentity { inode, size, mtime_ns, .. } = StatIdentity::read(path).ok()?;
        Some((inode, size, mtime_ns))
    };
    [identity(model), identity(&model.with_extension("bin"))]
}

/// The models of this process that are in use.
static MODELS: Mutex<BTreeMap<Wanted, Weak<Compiled>>> = Mutex::new(BTreeMap::new());

/// A compiled model with one input, which takes pictures.
pub(super) struct Compiled {
    model: Mutex<CompiledModel>,
    pub(super) layout: Layout,
    /// Width and height of its pictures.
    pub(super) size: Size,
    pub(super) outputs: Vec<Output>,
    pub(super) facts: Facts,
}

/// What OpenVINO uses. `None` where it does not say, as `AUTO` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// `2026.4.1-22982-e213a147257-releases/2026/4`
    pub(super) version: String,
    pub(super) devices: Option<String>,
    pub(super) precision: Option<String>,
    pub(super) threads: Option<String>,
    pub(super) streams: Option<String>,
}

impl Facts {
    /// A message about the model of this name.
    pub(super) fn structure(&self, model: &str) -> gst::Structure {
        let Facts { version, devices, precision, threads, streams } = self;
        let facts =
            [("devices", devices), ("precision", precision), ("threads", threads), ("streams", streams)];
        let mut structure = gst::Structure::builder(lp::pipeline::detect::OPENVINO)
            .field("version", version)
            .field("model", model);
        for (name, fact) in facts {
            structure = structure.field_if_some(name, fact.as_deref());
        }
        structure.build()
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { version, devices, precision, threads, streams } = self;
        let or = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
        write!(f, "OpenVINO {version} on {}, precision {}", or(devices), or(precision))?;
        write!(f, ", threads {}, streams {}", or(threads), or(streams))
    }
}

/// The model that is wanted: the one in use, or compiled now.
///
/// # Errors
/// A sentence without its full stop: the library, the device, a property or the model is not as
/// it must be.
pub(super) fn compiled(wanted: &Wanted) -> Result<Arc<Compiled>, String> {
    // Held while it compiles: another element that wants the same waits for it.
    let mut models = MODELS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = models.get(wanted).and_then(Weak::upgrade) {
        return Ok(model);
    }
    let model = Arc::new(compile(wanted)?);
    models.retain(|_, model| model.strong_count() > 0);
    models.insert(wanted.clone(), Arc::downgrade(&model));
    Ok(model)
}

/// Whether OpenVINO could compile a model so: it starts, and has the devices and their properties.
///
/// # Errors
/// As of [`compiled`].
pub(super) fn usable(library: &Path, config: &Config) -> Result<(), String> {
    library::load(library)?;
    let _calls = calls();
    let mut core = Core::new().map_err(|error| format!("OpenVINO does not start: {error}"))?;
    configure(&mut core, config)
}

fn compile(wanted: &Wanted) -> Result<Compiled, String> {
    let version = library::load(&wanted.library)?;
    let Wanted { config, .. } = wanted;
    let calls = calls();
    let mut core = Core::new().map_err(|error| format!("OpenVINO does not start: {error}"))?;
    // Of no device: it is about reading.
    core.set_property(&"".into(), &RwPropertyKey::EnableMmap, "NO").map_err(|error| reason(&error))?;
    configure(&mut core, config)?;
    let model = read(&mut core, &wanted.model)?;
    let (model, layout, size) = with_floats(fixed(model, wanted)?)?;
    let compiled = core.compile_model(&model, config.device.as_str().into());
    let compiled = compiled.map_err(|error| {
        format!(
            "OpenVINO cannot compile `{}` for {}: {}",
            shown(&wanted.model),
            config.device,
            reason(&error)
        )
    })?;
    let fact = |name: &'static str| {
        compiled.get_property(&PropertyKey::Other(name.into())).ok().map(|v| v.into_owned())
    };
    let facts = Facts {
        version,
        devices: fact("EXECUTION_DEVICES"),
        precision: fact("INFERENCE_PRECISION_HINT"),
        threads: fact("INFERENCE_NUM_THREADS"),
        streams: fact("NUM_STREAMS"),
    };
    let mut outputs = outputs(&compiled).map_err(|fault| format!("`{}` {fault}", shown(&wanted.model)))?;
    add_names(&mut outputs, &wanted.model);
    drop(calls);
    if files(&wanted.model) != wanted.files {
        return Err(format!("the files of `{}` were changed while they were read", shown(&wanted.model)));
    }
    Ok(Compiled { model: Mutex::new(compiled), layout, size, outputs, facts })
}

/// Sets the properties, on each of the devices that has them.
fn configure(core: &mut Core, config: &Config) -> Result<(), String> {
    let devices = config.single();
    let mut known: Vec<(&str, Vec<String>)> = Vec::new();
    for device in &devices {
        // Of `AUTO:-GPU`, one that is not to be used.
        if device.starts_with('-') {
            continue;
        }
        let name = device.split('.').next().unwrap_or(device);
        let ask = |key: &'static str| core.get_property(&name.into(), &PropertyKey::Other(key.into()));
        let absent = |why: &str| format!("this machine has no {device} that OpenVINO can use{why}");
        let available = ask("AVAILABLE_DEVICES").map_err(|error| absent(&format!(": {}", reason(&error))))?;
        let numbers: Vec<&str> = available.split_whitespace().collect();
        let is_there = match device.split_once('.') {
            Some((_, number)) => numbers.contains(&number),
            None => name == "CPU" || !numbers.is_empty(),
        };
        if !is_there {
            return Err(absent(": its driver may be missing, or the worker has no access to the device"));
        }
        let properties = ask("SUPPORTED_PROPERTIES").map_err(|error| reason(&error))?;
        known.push((name, properties.split_whitespace().map(str::to_owned).collect()));
    }
    for (key, value) in &config.properties {
        let has = |(_, properties): &&(&str, Vec<String>)| properties.contains(key);
        let mut with = known.iter().filter(has).peekable();
        if with.peek().is_none() {
            return Err(format!("`ie-config` sets `{key}`, which {} does not have", config.device));
        }
        for (device, _) in with {
            core.set_property(&(*device).into(), &RwPropertyKey::Other(key.clone().into()), value).map_err(
                |error| format!("OpenVINO refuses `{key}={value}` for {device}: {}", reason(&error)),
            )?;
        }
    }
    Ok(())
}

fn read(core: &mut Core, path: &Path) -> Result<Model, String> {
    let text = path.to_str().ok_or_else(|| format!("the path `{}` is not UTF-8", path.display()))?;
    if !lp::os::fs::is_file(path) {
        return Err(format!("there is no model at `{text}`"));
    }
    let model = core.read_model_from_file(text, "");
    let model =
        model.map_err(|error| format!("OpenVINO cannot read `{}`: {}", shown(path), reason(&error)))?;
    match model.get_inputs_len() {
        Ok(1) => Ok(model),
        Ok(n) => Err(format!("`{}` has {n} inputs, but one with a picture is needed", shown(path))),
        Err(error) => Err(reason(&error)),
    }
}

/// The model with an input of fixed size.
fn fixed(mut model: Model, wanted: &Wanted) -> Result<Model, String> {
    let input = model.get_input_by_index(0).map_err(|error| reason(&error))?;
    let shape = input.get_partial_shape().map_err(|error| reason(&error))?;
    let dimensions = shape.get_dimensions();
    let written: Vec<String> = dimensions.iter().map(written).collect();
    let fault =
        |what: &str| Err(format!("`{}` has the input [{}]: {what}", shown(&wanted.model), written.join(",")));
    let &[batch, one, two, three] = dimensions else {
        return fault("pictures have 4 dimensions");
    };
    let channels = |dimension: &Dimension| is(dimension, 3);
    // Height and width, and where they are.
    let (rows, columns) = match (channels(&one), channels(&three)) {
        (true, _) => (2, 3),
        (false, true) => (1, 2),
        _ => return fault("pictures have 3 channels, before or after height and width"),
    };
    if !batch.is_dynamic() && !is(&batch, 1) {
        return fault("batches of a fixed size other than 1 are not used");
    }
    let mut sizes = [1, one.get_min(), two.get_min(), three.get_min()];
    let given = wanted.size.map(|(width, height)| (height as i64, width as i64));
    for (at, given) in [(rows, given.map(|(height, _)| height)), (columns, given.map(|(_, width)| width))] {
        sizes[at] = match given {
            Some(size) => size,
            None if dimensions[at].is_dynamic() => {
                return fault(
                    "it takes pictures of several sizes, so `reshape-width` and `reshape-height` must be set",
                );
            }
            None => sizes[at],
        };
    }
    if sizes[rows].saturating_mul(sizes[columns]) > MOST_PIXELS {
        return fault("pictures of more than 67 megapixels are not used");
    }
    let is_as_it_was = dimensions.iter().zip(sizes).all(|(dimension, size)| is(dimension, size));
    if !is_as_it_was {
        let shape = PartialShape::new_static(4, &sizes).map_err(|error| reason(&error))?;
        model.reshape_single_input(&shape).map_err(|error| {
            format!("`{}` cannot be made to take {sizes:?}: {}", shown(&wanted.model), reason(&error))
        })?;
    }
    Ok(model)
}

fn is(dimension: &Dimension, size: i64) -> bool {
    dimension.get_min() == size && dimension.get_max() == size
}

fn written(dimension: &Dimension) -> String {
    match (dimension.get_min(), dimension.get_max()) {
        (min, max) if min == max => min.to_string(),
        (0, -1) => "?".to_owned(),
        (min, -1) => format!("{min}.."),
        (min, max) => format!("{min}..{max}"),
    }
}

/// The model with floats at all ends, and how its pictures lie.
fn with_floats(model: Model) -> Result<(Model, Layout, Size), String> {
    let text = |error: InferenceError| reason(&error);
    let input = model.get_input_by_index(0).map_err(text)?;
    let shape: Vec<i64> = input.get_shape().map_err(text)?.get_dimensions().to_vec();
    let sizes: Vec<usize> = shape.iter().map(|size| usize::try_from(*size).unwrap_or_default()).collect();
    let (layout, size) = Layout::of_shape(&sizes).expect("`fixed` takes pictures with 3 channels only");
    let n_outputs = model.get_outputs_len().map_err(text)?;
    let is_other = |n: &usize| {
        let output = model.get_output_by_index(*n).and_then(|output| output.get_element_type());
        output.is_ok_and(|one| one != ElementType::F32)
    };
    let others: Vec<usize> = (0..n_outputs).filter(is_other).collect();
    let has_other_input = input.get_element_type().map_err(text)? != ElementType::F32;
    if others.is_empty() && !has_other_input {
        return Ok((model, layout, size));
    }
    let pipeline = Pipeline::new(&model).map_err(text)?;
    if has_other_input {
        let floats = Tensor::new(ElementType::F32, &Shape::new(&shape).map_err(text)?).map_err(text)?;
        let info = pipeline.get_input_info_by_index(0).map_err(text)?;
        info.get_tensor_info().and_then(|mut tensor| tensor.set_from(&floats)).map_err(text)?;
    }
    for n in others {
        let info = pipeline.get_output_info_by_index(n).map_err(text)?;
        info.get_tensor_info()
            .and_then(|mut tensor| tensor.set_element_type(ElementType::F32))
            .map_err(text)?;
    }
    Ok((pipeline.build_new_model().map_err(text)?, layout, size))
}

fn outputs(model: &CompiledModel) -> Result<Vec<Output>, String> {
    let text = |error: InferenceError| reason(&error);
    let output = |n: usize| {
        let node = model.get_output_by_index(n).map_err(text)?;
        let shape = node.get_shape().map_err(|_| format!("has the output {n} without a fixed shape"))?;
        let shape = shape.get_dimensions().iter().map(|size| usize::try_from(*size).unwrap_or_default());
        // Some have no name.
        let names = node.get_name().into_iter().collect();
        Ok(Output { names, shape: shape.collect() })
    };
    (0..model.get_output_size().map_err(text)?).map(output).collect()
}

/// The largest description of a model that is searched for names, in bytes.
const MOST_XML: u64 = 256 << 20;

/// Gives outputs the other names that an IR has for them.
fn add_names(outputs: &mut [Output], model: &Path) {
    if model.extension().is_none_or(|ending| ending != "xml") {
        return;
    }
    let Ok(xml) = lp::os::fs::read_bounded(model, MOST_XML) else { return };
    let all = ir_names::of_outputs(&xml);
    if all.len() != outputs.len() {
        return;
    }
    for (n, output) in outputs.iter_mut().enumerate() {
        let is_same = |names: &&Vec<String>| output.names.iter().any(|name| names.contains(name));
        let names = all.iter().find(is_same).unwrap_or(&all[n]).clone();
        output.names.extend(names);
        let mut seen = std::collections::BTreeSet::new();
        output.names.retain(|name| seen.insert(name.clone()));
    }
}

/// An inference, which its owner repeats.
pub(super) struct Request {
    request: InferRequest,
    input: Tensor,
    results: Vec<Tensor>,
    pub(super) compiled: Arc<Compiled>,
}

impl Request {
    /// # Errors
    /// OpenVINO's words.
    pub(super) fn new(compiled: Arc<Compiled>) -> Result<Request, String> {
        let _calls = calls();
        let made = lock(&compiled.model).create_infer_request().and_then(|request| {
            let input = request.get_input_tensor()?;
            Ok((request, input))
        });
        let (request, input) = made.map_err(|error| reason(&error))?;
        Ok(Request { request, input, results: Vec::new(), compiled })
    }

    /// The values of its input.
    ///
    /// # Errors
    /// OpenVINO's words.
    pub(super) fn input(&mut self) -> Result<&mut [f32], String> {
        self.input.get_data_mut().map_err(|error| reason(&error))
    }

    /// Infers; the values of all outputs, until it infers again.
    ///
    /// # Errors
    /// OpenVINO's words. They may be another element's, should two fail at once.
    pub(super) fn infer(&mut self) -> Result<Vec<&[f32]>, String> {
        self.request.infer().map_err(|error| reason(&error))?;
        self.results.clear();
        for n in 0..self.compiled.outputs.len() {
            self.results.push(self.request.get_output_tensor_by_index(n).map_err(|error| reason(&error))?);
        }
        self.results.iter().map(|tensor| tensor.get_data().map_err(|error| reason(&error))).collect()
    }
}

fn lock(model: &Mutex<CompiledModel>) -> MutexGuard<'_, CompiledModel> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model's file as people know it.
fn shown(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The reason in an error of OpenVINO: its last line, as those before it tell where in the
/// sources it came by.
fn reason(error: &InferenceError) -> String {
    let Some(message) = &error.message else { return error.to_string() };
    let telling = |line: &&str| !line.is_empty() && !line.starts_with("Exception from ");
    let lines: Vec<&str> = message.lines().map(str::trim).filter(telling).collect();
    match lines.as_slice() {
        [] => error.kind.to_string(),
        lines => lines[lines.len().saturating_sub(2)..].join(": "),
    }
}
