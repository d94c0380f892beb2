//! The resolved project: the meaning of the config files, as plain values.
//!
//! `config` makes a [`Project`] from files and flags, and all rooms above read it.
//! All fields that serialise enter digests; places do neither.
//!
//! Not here: reading, defaults and messages (`config`), and how steps become
//! pipelines (`plan`, `dialect`).

mod camera;
mod collector;
mod conversion;
mod density;
mod limits;
mod lock;
mod package;
mod price;
mod project;
mod recipe;
mod settings;
mod step;
mod task;
mod thresholds;
mod worker;
mod workload;
pub mod zoo;

pub use camera::{
    Accept, Camera, Certificate, Clip, ClipOptions, Codec, Credential, Encoder, Expect, Login, Origin,
    Reconnect, Region, RtspStream, Served, Shape, Source, SourceKind, Transport,
};
pub use collector::{Collector, FILE, Format, PID, Scope};
pub use conversion::{Conversion, Requirements, Tool};
pub use density::{Density, Unit};
pub use limits::{Deadline, Limits};
pub use lock::{LOCKFILE, LockEntries, LockEntry, lock_url};
pub use package::{AssetSource, PackageSource, Registry};
pub use price::Price;
pub use project::{Password, Project, SceneFile};
pub use recipe::{FileGroup, Origination, Recipe, RecipeFile, Recipes};
pub use settings::{DialectChoice, FileSourceMode, Isolation, Pace, Rtsp, Settings, Share};
pub use step::{
    Bin, Classify, Detect, ElementView, Entry, Infer, Model, ModelFolder, Python, Scalar, Script, Step,
    StepPlaces, StockElement, Tee, Track, Values, main_chain,
};
pub use task::{AssetPin, UserTask};
pub use thresholds::{Of, Operator, Severity, Threshold};
pub use worker::{ContainerCommand, WorkerCommand};
pub use workload::{Workload, Workloads};
