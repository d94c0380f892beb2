//! The frame of all elements here: a GStreamer element that looks at frames, and changes only
//! what is attached to them.
//!
//! A type that is [`Work`] says what such an element has and does; [`element!`] makes the GObject
//! class of it. The classes differ in nothing else, and GObject wants one for each factory.
//!
//! Work begins with [`Work::start`], when the pipeline goes to PAUSED: a fault there is told
//! before anything plays. Properties are kept as they are set and read when work begins, so a
//! change while it plays has no effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::output::log;

/// What people read of an element.
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) description: &'static str,
}

/// What an element has and does.
pub(super) trait Work: Sized + Send + 'static {
    const ABOUT: About;

    /// Its properties, besides those of all elements.
    fn properties() -> Vec<glib::ParamSpec>;

    /// The caps that it takes, and gives unchanged.
    fn caps() -> gst::Caps;

    /// # Errors
    /// Why it cannot work: a sentence without its full stop.
    fn start(settings: &Settings, element: &gst::Element) -> Result<Self, String>;

    /// The caps of the frames that follow.
    ///
    /// # Errors
    /// As of [`Work::start`].
    fn begin(&mut self, _caps: &gst::CapsRef) -> Result<(), String> {
        Ok(())
    }

    /// A frame, with its stream time in nanoseconds.
    ///
    /// # Errors
    /// As of [`Work::start`].
    fn frame(&mut self, buffer: &mut gst::BufferRef, time: Option<u64>) -> Result<(), String>;

    /// No frame follows, as far as is known.
    ///
    /// # Errors
    /// As of [`Work::start`].
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The value of a property. GObject's own may not go from thread to thread.
#[derive(Clone, Debug, PartialEq)]
enum Setting {
    Text(Option<String>),
    Number(u32),
    Signed(i32),
    Real(f32),
    Flag(bool),
    /// Of an enum: its number and its nick.
    Word(i32, String),
}

impl Setting {
    /// `None` of a type that no property here has.
    fn of(value: &glib::Value) -> Option<Setting> {
        if let Some((_, word)) = glib::EnumValue::from_value(value) {
            return Some(Setting::Word(word.value(), word.nick().to_owned()));
        }
        let text = || value.get().map(Setting::Text);
        let number = || value.get().map(Setting::Number);
        let signed = || value.get().map(Setting::Signed);
        let real = || value.get().map(Setting::Real);
        let flag = || value.get().map(Setting::Flag);
        text().or_else(|_| number()).or_else(|_| signed()).or_else(|_| real()).or_else(|_| flag()).ok()
    }

    fn value(&self, kind: glib::Type) -> Option<glib::Value> {
        Some(match self {
            Setting::Text(text) => text.to_value(),
            Setting::Number(number) => number.to_value(),
            Setting::Signed(number) => number.to_value(),
            Setting::Real(number) => number.to_value(),
            Setting::Flag(flag) => flag.to_value(),
            Setting::Word(number, _) => glib::EnumClass::with_type(kind)?.to_value(*number)?,
        })
    }
}

/// The values of an element's properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    values: BTreeMap<String, Setting>,
    set: BTreeSet<String>,
}

impl Settings {
    fn with_defaults(properties: &[glib::ParamSpec]) -> Settings {
        let default =
            |spec: &glib::ParamSpec| Some((spec.name().to_owned(), Setting::of(spec.default_value())?));
        Settings { values: properties.iter().filter_map(default).collect(), set: BTreeSet::new() }
    }

    /// Whether somebody has set a property, to whatever value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    /// `None` where it is not set, or set to nothing.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Setting::Text(text) => text.clone().filter(|text| !text.trim().is_empty()),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> u32 {
        if let Some(Setting::Number(number)) = self.values.get(name) { *number } else { 0 }
    }

    pub(super) fn signed(&self, name: &str) -> i32 {
        if let Some(Setting::Signed(number)) = self.values.get(name) { *number } else { 0 }
    }

    pub(super) fn real(&self, name: &str) -> f32 {
        if let Some(Setting::Real(number)) = self.values.get(name) { *number } else { 0.0 }
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.values.get(name) == Some(&Setting::Flag(true))
    }

    /// The nick of an enum's value.
    pub(super) fn word(&self, name: &str) -> &str {
        if let Some(Setting::Word(_, nick)) = self.values.get(name) { nick } else { "" }
    }
}

/// Says in the worker's log which properties of an element have no effect here, each once for all
/// elements of its kind.
pub(super) fn without_effect(element: &gst::Element, properties: impl IntoIterator<Item = String>) {
    static TOLD: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());
    let kind = element.factory().map_or_else(String::new, |factory| factory.name().to_string());
    let mut told = lock(&TOLD);
    let is_new = |property: &String| told.insert((kind.clone(), property.clone()));
    let new: Vec<String> = properties.into_iter().filter(is_new).collect();
    if !new.is_empty() {
        log(&format!("`{kind}`: accepted without effect: {}", new.join(", ")));
    }
}

/// Says something about an element to people: in the worker's log, and in the notes of the run.
pub(super) fn remark(element: &gst::Element, text: &str) {
    log(&format!("`{}`: {text}", element.name()));
    let structure = gst::Structure::builder(lp::pipeline::detect::REMARK).field("text", text).build();
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

/// Makes regions of interest of what a frame has as metadata of GStreamer's analytics library only, so
/// that all work reads it.
#[cfg(feature = "analytics")]
pub(super) fn adopt(element: &gst::Element, buffer: &mut gst::BufferRef) {
    super::roi::adopt(buffer, || {
        let caps = element.static_pad("sink")?.current_caps()?;
        super::frame::info(&caps).ok().map(|info| super::frame::size(&info))
    });
}

/// The state of an element.
pub(super) struct Shell<W> {
    settings: Mutex<Settings>,
    work: Mutex<Option<W>>,
}

impl<W: Work> Default for Shell<W> {
    fn default() -> Shell<W> {
        Shell { settings: Mutex::new(Settings::with_defaults(&W::properties())), work: Mutex::new(None) }
    }
}

impl<W: Work> Shell<W> {
    pub(super) fn set(&self, name: &str, value: &glib::Value) {
        let mut settings = lock(&self.settings);
        settings.values.extend(Setting::of(value).map(|value| (name.to_owned(), value)));
        settings.set.insert(name.to_owned());
    }

    pub(super) fn get(&self, spec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        let value = settings.values.get(spec.name()).and_then(|setting| setting.value(spec.value_type()));
        value.unwrap_or_else(|| spec.default_value().clone())
    }

    pub(super) fn start(&self, element: &gst::Element) -> Result<(), String> {
        let settings = lock(&self.settings).clone();
        *lock(&self.work) = Some(W::start(&settings, element)?);
        Ok(())
    }

    /// Does something with the work; nothing before it starts.
    pub(super) fn with(&self, mut act: impl FnMut(&mut W) -> Result<(), String>) -> Result<(), String> {
        lock(&self.work).as_mut().map_or(Ok(()), &mut act)
    }

    pub(super) fn stop(&self) -> Result<(), String> {
        let work = lock(&self.work).take();
        work.map_or(Ok(()), |mut work| work.end())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a callback ends the process.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Defines the module `$module` with the GObject class `$class` of elements that do `$work`.
macro_rules! element {
    ($module:ident, $class:literal, $work:ty) => {
        pub(super) mod $module {
            use gst::glib;
            use gstreamer as gst;

            glib::wrapper! {
                pub(in crate::native) struct Element(ObjectSubclass<imp::Element>)
                    @extends gstreamer_base::BaseTransform, gst::Element, gst::Object;
            }

            mod imp {
                use std::sync::LazyLock;

                use gst::glib;
                use gstreamer as gst;
                use gstreamer_base::prelude::*;
                use gstreamer_base::subclass::BaseTransformMode;
                use gstreamer_base::subclass::prelude::*;

                use crate::native::element::{Shell, Work};

                #[derive(Default)]
                pub(in crate::native) struct Element {
                    shell: Shell<$work>,
                }

                #[glib::object_subclass]
                impl ObjectSubclass for Element {
                    const NAME: &'static str = $class;
                    type Type = super::Element;
                    type ParentType = gstreamer_base::BaseTransform;
                }

                impl ObjectImpl for Element {
                    fn properties() -> &'static [glib::ParamSpec] {
                        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
                            LazyLock::new(<$work as Work>::properties);
                        &PROPERTIES
                    }

                    fn set_property(&self, _: usize, value: &glib::Value, spec: &glib::ParamSpec) {
                        self.shell.set(spec.name(), value);
                    }

                    fn property(&self, _: usize, spec: &glib::ParamSpec) -> glib::Value {
                        self.shell.get(spec)
                    }
                }

                impl GstObjectImpl for Element {}

                impl ElementImpl for Element {
                    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                            let about = <$work as Work>::ABOUT;
                            gst::subclass::ElementMetadata::new(
                                about.name,
                                about.class,
                                about.description,
                                "lp",
                            )
                        });
                        Some(&METADATA)
                    }

                    fn pad_templates() -> &'static [gst::PadTemplate] {
                        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                            let caps = <$work as Work>::caps();
                            let pads = [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)];
                            let template = |(name, direction): (&str, _)| {
                                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                                    .expect("the names of pads are valid")
                            };
                            pads.into_iter().map(template).collect()
                        });
                        &TEMPLATES
                    }
                }

                impl BaseTransformImpl for Element {
                    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
                    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
                    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

                    fn start(&self) -> Result<(), gst::ErrorMessage> {
                        self.shell
                            .start(self.obj().upcast_ref())
                            .map_err(|reason| gst::error_msg!(gst::ResourceError::Settings, ("{reason}")))
                    }

                    fn stop(&self) -> Result<(), gst::ErrorMessage> {
                        self.shell
                            .stop()
                            .map_err(|reason| gst::error_msg!(gst::ResourceError::Close, ("{reason}")))
                    }

                    fn set_caps(&self, caps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
                        self.shell.with(|work| work.begin(caps)).map_err(|reason| {
                            gst::element_imp_error!(self, gst::StreamError::Format, ("{reason}"));
                            gst::loggable_error!(gst::CAT_RUST, "{reason}")
                        })
                    }

                    fn transform_ip(
                        &self,
                        buffer: &mut gst::BufferRef,
                    ) -> Result<gst::FlowSuccess, gst::FlowError> {
                        #[cfg(feature = "analytics")]
                        crate::native::element::adopt(self.obj().upcast_ref(), buffer);
                        let segment = self.obj().segment();
                        let times = segment.downcast_ref::<gst::ClockTime>();
                        let time =
                            times.zip(buffer.pts()).and_then(|(segment, pts)| segment.to_stream_time(pts));
                        let time = time.map(gst::ClockTime::nseconds);
                        self.shell.with(|work| work.frame(buffer, time)).map_err(|reason| {
                            gst::element_imp_error!(self, gst::StreamError::Failed, ("{reason}"));
                            gst::FlowError::Error
                        })?;
                        Ok(gst::FlowSuccess::Ok)
                    }

                    fn sink_event(&self, event: gst::Event) -> bool {
                        if event.type_() == gst::EventType::Eos
                            && let Err(reason) = self.shell.with(|work| work.end())
                        {
                            gst::element_imp_error!(self, gst::StreamError::Failed, ("{reason}"));
                        }
                        self.parent_sink_event(event)
                    }
                }
            }
        }
    };
}

pub(super) use element;
