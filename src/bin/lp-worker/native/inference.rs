//! What `gvadetect`, `gvaclassify` and `gvainference` share: their properties, the model with all
//! that is known of it, and the way of a frame into its input.
//!
//! *Targets* of a frame are what is inferred: the frame, or each region of interest on it
//! (`inference-region=roi-list`).

use std::num::NonZeroUsize;
use std::path::Path;

use gst::glib;
use gst::glib::prelude::*;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use lp::vision::labels;
use lp::vision::model_info::ModelInfo;
use lp::vision::model_proc::ModelProc;
use lp::vision::picture::Picture;
use lp::vision::prepare::{self, Placement, Plan, Preparation};
use lp::vision::settings::{Backend, Known};

use super::config::Config;
use super::element::{Settings, without_effect};
use super::engine::{self, Request, Wanted};
use super::frame;
use super::roi::{self, Region};
use crate::output::log;

/// The largest text beside a model that is read, in bytes.
const MOST_TEXT: u64 = 16 << 20;

/// The largest model file that is searched for what it says of itself, in bytes.
const MOST_MODEL: u64 = 1 << 30;

/// `inference-region`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[repr(i32)]
#[enum_type(name = "LpGvaInferenceRegion")]
pub(super) enum Where {
    #[default]
    #[enum_value(name = "The whole frame", nick = "full-frame")]
    FullFrame = 0,
    #[enum_value(name = "Each region of interest", nick = "roi-list")]
    RoiList = 1,
}

/// Properties that are accepted so that DL Streamer's lines play, and change nothing.
const WITHOUT_EFFECT: [&str; 9] = [
    "nireq",
    "batch-size",
    "batch-timeout",
    "no-block",
    "scale-method",
    "scheduling-policy",
    "share-va-display-ctx",
    "cpu-throughput-streams",
    "gpu-throughput-streams",
];

/// Properties that name foreign code, which is not run here.
const REFUSED: [&str; 3] = ["custom-preproc-lib", "custom-postproc-lib", "ov-extension-lib"];

/// The properties of an element that by default infers there.
pub(super) fn properties(default: Where) -> Vec<glib::ParamSpec> {
    let text = |name: &'static str, blurb: &'static str| {
        glib::ParamSpecString::builder(name).blurb(blurb).mutable_ready().build()
    };
    let number = |name: &'static str, blurb: &'static str, default: u32| {
        glib::ParamSpecUInt::builder(name).blurb(blurb).default_value(default).mutable_ready().build()
    };
    let flag = |name: &'static str, blurb: &'static str| {
        glib::ParamSpecBoolean::builder(name).blurb(blurb).mutable_ready().build()
    };
    let none = "No effect here";
    let mut properties = vec![
        text("openvino", "OpenVINO's library, or its folder"),
        text("model", "The model: OpenVINO's IR, ONNX or TFLite"),
        text("model-proc", "DL Streamer's description of the model's input and outputs"),
        text("labels", "A file with the names of classes, or layer=file for several outputs"),
        text("labels-file", "The same as labels"),
        text("device", "CPU, GPU, GPU.1, NPU, or AUTO, MULTI or HETERO with a list of them"),
        text("ie-config", "Properties of OpenVINO: KEY=VALUE,KEY=VALUE"),
        text("model-instance-id", "No effect: equal models are shared, others never"),
        text("pre-process-backend", "ie: frames are stretched; opencv: as the model says"),
        text("pre-process-config", "resize_type=standard and so on, which wins over the model"),
        text("object-class", "Only regions with one of these labels"),
        number("inference-interval", "Infers on each so many-th frame", 1),
        number("reshape-width", "The width of pictures, for a model that takes several", 0),
        number("reshape-height", "The height of pictures, for a model that takes several", 0),
        flag("reshape", "No effect: a model of several sizes is always made to take one"),
        number("nireq", none, 0),
        number("batch-size", none, 0),
        glib::ParamSpecInt::builder("batch-timeout").blurb(none).default_value(-1).build(),
        flag("no-block", none),
        flag("share-va-display-ctx", none),
        number("cpu-throughput-streams", none, 0),
        number("gpu-throughput-streams", none, 0),
        text("scale-method", none),
        text("scheduling-policy", none),
        glib::ParamSpecEnum::builder_with_default("inference-region", default)
            .blurb("The whole frame, or each region of interest on it")
            .build(),
    ];
    properties.extend(REFUSED.map(|name| text(name, "Not supported: the element does not start with it")));
    properties
}

/// The model of an element, and its input.
pub(super) struct Inference {
    pub(super) request: Request,
    /// The name of the model: that of its file.
    pub(super) name: String,
    preparation: Preparation,
    interval: u64,
    n_frames: u64,
    in_regions: bool,
    /// Labels of regions that count; none: all.
    classes: Vec<String>,
    video: Option<gst_video::VideoInfo>,
    /// For whole frames.
    plan: Option<Plan>,
}

/// What is said of a model, by its files and the element's properties.
pub(super) struct Said {
    backend: Backend,
    config: String,
    pub(super) model_proc: Option<ModelProc>,
    info: Vec<ModelInfo>,
    /// What in `info` cannot be understood.
    faults: Vec<String>,
    /// The files of the property `labels`, each with its layer.
    pub(super) labels: Vec<(Option<String>, Vec<String>)>,
    /// The folder that paths in the model-proc file are relative to.
    folder: std::path::PathBuf,
}

impl Said {
    pub(super) fn known(&self) -> Known<'_> {
        Known {
            backend: self.backend,
            pre_process_config: &self.config,
            model_proc: self.model_proc.as_ref(),
            info: &self.info,
        }
    }

    /// The names in a file that the model-proc file names.
    pub(super) fn read_labels(&self, path: &str) -> Result<Vec<String>, String> {
        read_text(&self.folder.join(path)).map(|text| labels::lines(&text))
    }
}

impl Inference {
    /// Reads and compiles the model.
    ///
    /// # Errors
    /// A sentence without its full stop.
    pub(super) fn start(settings: &Settings, element: &gst::Element) -> Result<(Inference, Said), String> {
        let refused: Vec<&str> = REFUSED.into_iter().filter(|name| settings.text(name).is_some()).collect();
        if !refused.is_empty() {
            return Err(format!(
                "foreign libraries are not run by `lp-worker` itself: `{}`",
                refused.join("`, `")
            ));
        }
        let needed =
            |name: &str| settings.text(name).ok_or_else(|| format!("the property `{name}` is not set"));
        let model = needed("model")?;
        let model = Path::new(&model);
        let files = engine::files(model);
        let said = said(settings, model)?;
        let about = |text: String| log(&format!("`{}` (`{}`): {text}", element.name(), name(model)));
        if !said.faults.is_empty() {
            let faults = said.faults.join("\n");
            // What the model-proc file does not say, the model may.
            if said.model_proc.is_none() {
                return Err(format!(
                    "the model `{}` says what cannot be understood:\n{faults}",
                    model.display()
                ));
            }
            about(format!("left out, since it cannot be understood: {faults}"));
        }
        let preparation = said.known().preparation().map_err(|error| error.to_string())?;
        let size = match (settings.number("reshape-width"), settings.number("reshape-height")) {
            (0, 0) => None,
            (width, height) if width > 0 && height > 0 => Some((width as usize, height as usize)),
            _ => return Err("`reshape-width` and `reshape-height` must both be set".to_owned()),
        };
        let device = settings.text("device").unwrap_or_else(|| "CPU".to_owned());
        let mut config = Config::new(&device, &settings.text("ie-config").unwrap_or_default())?;
        let n_cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        if let Some(asked) = config.limit_threads(n_cores) {
            about(format!("{n_cores} of {asked} threads: so many cores this worker may use"));
        }
        let library = needed("openvino")?.into();
        let wanted = Wanted { library, model: model.to_path_buf(), config, size, files };
        let compiled = engine::compiled(&wanted)?;
        let name = name(model);
        about(compiled.facts.to_string());
        // The record keeps the messages of elements.
        let message = compiled.facts.structure(&name);
        let _ = element.post_message(gst::message::Element::builder(message).src(element).build());
        let idle = WITHOUT_EFFECT.into_iter().filter(|name| settings.is_set(name));
        without_effect(element, idle.map(str::to_owned));
        let classes = settings.text("object-class").unwrap_or_default();
        let classes = classes.split(',').map(str::trim).filter(|class| !class.is_empty());
        let inference = Inference {
            request: Request::new(compiled)?,
            preparation,
            interval: u64::from(settings.number("inference-interval").max(1)),
            n_frames: 0,
            in_regions: settings.word("inference-region") == "roi-list",
            classes: classes.map(str::to_owned).collect(),
            video: None,
            plan: None,
            name,
        };
        Ok((inference, said))
    }

    /// # Errors
    /// As of [`Inference::start`].
    pub(super) fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        let video = frame::info(caps)?;
        self.plan = match self.in_regions {
            true => None,
            false => Some(self.plan_for(&video, None)?),
        };
        self.video = Some(video);
        Ok(())
    }

    /// The targets of the next frame; none of a frame that is left out.
    pub(super) fn targets(&mut self, buffer: &gst::BufferRef) -> Vec<Option<Region>> {
        let is_due = self.n_frames.is_multiple_of(self.interval);
        self.n_frames += 1;
        match (is_due, self.in_regions) {
            (false, _) => Vec::new(),
            (true, false) => vec![None],
            (true, true) => {
                let counts =
                    |region: &Region| self.classes.is_empty() || self.classes.contains(&region.label);
                roi::all(buffer).into_iter().filter(counts).map(Some).collect()
            }
        }
    }

    /// Infers each of these targets; `read` gets the values of the outputs, where each lies, and
    /// the target.
    ///
    /// # Errors
    /// As of [`Inference::start`], and those of `read`.
    pub(super) fn infer<T>(
        &mut self,
        buffer: &gst::BufferRef,
        targets: Vec<Option<Region>>,
        mut read: impl FnMut(&[&[f32]], &Placement, Option<&Region>) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let video = self.video.clone().ok_or("a frame came before its caps")?;
        frame::with_picture(buffer, &video, |picture| {
            let mut results = Vec::new();
            for target in &targets {
                let placement = match (target, &mut self.plan) {
                    (None, Some(plan)) => {
                        fill(plan, picture, &mut self.request)?;
                        plan.placement().clone()
                    }
                    (target, _) => {
                        // One that lies outside of the frame has no pixels.
                        let Ok(mut plan) = self.plan_for(&video, target.as_ref()) else { continue };
                        fill(&mut plan, picture, &mut self.request)?;
                        plan.placement().clone()
                    }
                };
                let values = self.request.infer()?;
                results.push(read(&values, &placement, target.as_ref())?);
            }
            Ok(results)
        })
    }

    fn plan_for(&self, video: &gst_video::VideoInfo, target: Option<&Region>) -> Result<Plan, String> {
        let region = target.map(|region| prepare::Region {
            x: region.pixels.x as usize,
            y: region.pixels.y as usize,
            width: region.pixels.width as usize,
            height: region.pixels.height as usize,
        });
        let tensor = self.request.compiled.size;
        Plan::new(frame::size(video), region, tensor, &self.preparation).map_err(|error| error.to_string())
    }
}

fn fill(plan: &mut Plan, picture: &Picture<'_>, request: &mut Request) -> Result<(), String> {
    let layout = request.compiled.layout;
    plan.fill(picture, layout, request.input()?).map_err(|error| error.to_string())
}

fn said(settings: &Settings, model: &Path) -> Result<Said, String> {
    let backend = match settings.text("pre-process-backend").as_deref() {
        None | Some("opencv") => Backend::OpenCv,
        Some("ie") => Backend::Ie,
        Some(other) => {
            return Err(format!(
                "`pre-process-backend={other}` needs DL Streamer; here are `ie` and `opencv`"
            ));
        }
    };
    let mut folder = std::path::PathBuf::new();
    let model_proc = match settings.text("model-proc") {
        None => None,
        Some(path) => {
            folder = Path::new(&path).parent().unwrap_or(Path::new("")).to_path_buf();
            let file = ModelProc::read(&read_text(Path::new(&path))?);
            Some(file.map_err(|error| format!("the model-proc file `{path}` has faults: {error}"))?)
        }
    };
    let property = settings.text("labels").or_else(|| settings.text("labels-file")).unwrap_or_default();
    let lines = |(layer, path): (Option<&str>, &str)| {
        Ok((layer.map(str::to_owned), labels::lines(&read_text(Path::new(path))?)))
    };
    let labels = labels::files(&property).into_iter().map(lines).collect::<Result<Vec<_>, String>>()?;
    let config = settings.text("pre-process-config").unwrap_or_default();
    let info = info(model)?;
    let faults = info.iter().flat_map(|info| info.faults.iter().cloned()).collect();
    Ok(Said { backend, config, model_proc, info, faults, labels, folder })
}

/// The name of a model: that of its file.
fn name(model: &Path) -> String {
    model.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a model says of itself.
fn info(model: &Path) -> Result<Vec<ModelInfo>, String> {
    let ending = model.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let bytes = || {
        let read = lp::os::fs::read_bounded(model, MOST_MODEL);
        read.map_err(|error| format!("the model `{}` cannot be read: {error}", model.display()))
    };
    let mut info = match ending {
        "xml" => vec![
            ModelInfo::of_ir(&bytes()?)
                .map_err(|error| format!("the model `{}` {error}", model.display()))?,
        ],
        "onnx" => vec![ModelInfo::of_onnx(&bytes()?)],
        _ => Vec::new(),
    };
    let beside = model.with_file_name("metadata.yaml");
    if lp::os::fs::is_file(&beside) {
        info.push(ModelInfo::of_metadata(&read_text(&beside)?));
    }
    Ok(info)
}

pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let fault = |reason: String| format!("`{}` cannot be read: {reason}", path.display());
    let bytes = lp::os::fs::read_bounded(path, MOST_TEXT).map_err(|error| fault(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".to_owned()))
}
