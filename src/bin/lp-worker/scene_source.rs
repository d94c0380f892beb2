//! `lpscenesrc`: a GStreamer source that plays a scene.
//!
//! Property `scene` is a [`Scene`](lp::scene::Scene) as JSON, property `is-live` decides whether it
//! behaves like a camera: live, it is paced by the pipeline's clock and begins
//! again after the last frame; otherwise it draws as fast as it can and ends.
//! Frames are packed RGB of the scene's size and rate. Frame `n` has the time
//! `n / fps` and the buffer offset `n`; live, the base class adds to all times
//! how late the first frame was, a few milliseconds.
//!
//! The element is registered in this process only; there is no plugin file.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    pub(crate) struct SceneSource(ObjectSubclass<imp::SceneSource>)
        @extends gstreamer_base::PushSrc, gstreamer_base::BaseSrc, gst::Element, gst::Object;
}

/// Makes the factory `lpscenesrc` known. GStreamer is initialised.
///
/// # Errors
/// When GStreamer refuses it.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, "lpscenesrc", gst::Rank::NONE, SceneSource::static_type())
}

mod imp {
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

    use gst::glib;
    use gstreamer as gst;
    use gstreamer_base::prelude::*;
    use gstreamer_base::subclass::base_src::CreateSuccess;
    use gstreamer_base::subclass::prelude::*;
    use lp::scene::Scene;
    use lp::scene::draw::Painter;

    #[derive(Default)]
    pub(crate) struct SceneSource {
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        /// As set: JSON.
        text: String,
        is_live: bool,
        playing: Option<Playback>,
    }

    /// From `start` to `stop`.
    struct Playback {
        scene: Scene,
        painter: Painter,
        /// The next frame's number.
        next: u64,
    }

    impl SceneSource {
        fn state(&self) -> MutexGuard<'_, State> {
            // A panic while drawing leaves a state that is still whole.
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for SceneSource {
        const NAME: &'static str = "LpSceneSource";
        type Type = super::SceneSource;
        type ParentType = gstreamer_base::PushSrc;
    }

    impl ObjectImpl for SceneSource {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                vec![
                    glib::ParamSpecString::builder("scene")
                        .nick("Scene")
                        .blurb("The scene as JSON")
                        .mutable_ready()
                        .build(),
                    glib::ParamSpecBoolean::builder("is-live")
                        .nick("Is live")
                        .blurb("Play in real time, again and again")
                        .mutable_ready()
                        .build(),
                ]
            });
            &PROPERTIES
        }

        fn set_property(&self, _id: usize, value: &glib::Value, property: &glib::ParamSpec) {
            // GObject has checked the value's type against the list above.
            match property.name() {
                "scene" => {
                    self.state().text = value.get::<Option<String>>().ok().flatten().unwrap_or_default();
                }
                "is-live" => {
                    let is_live = value.get().unwrap_or_default();
                    self.state().is_live = is_live;
                    self.obj().set_live(is_live);
                }
                _ => {}
            }
        }

        fn property(&self, _id: usize, property: &glib::ParamSpec) -> glib::Value {
            match property.name() {
                "scene" => self.state().text.to_value(),
                _ => self.state().is_live.to_value(),
            }
        }

        fn constructed(&self) {
            self.parent_constructed();
            self.obj().set_format(gst::Format::Time);
        }
    }

    impl GstObjectImpl for SceneSource {}

    impl ElementImpl for SceneSource {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Scene source", "Source/Video", "Plays a scene", "lp")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let caps = gst::Caps::builder("video/x-raw")
                    .field("format", "RGB")
                    .field("width", gst::IntRange::new(64, 7680))
                    .field("height", gst::IntRange::new(64, 4320))
                    .field(
                        "framerate",
                        gst::FractionRange::new(gst::Fraction::new(1, 1), gst::Fraction::new(240, 1)),
                    )
                    .build();
                gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &caps)
                    .into_iter()
                    .collect()
            });
            &TEMPLATES
        }
    }

    impl BaseSrcImpl for SceneSource {
        fn start(&self) -> Result<(), gst::ErrorMessage> {
            let mut state = self.state();
            let refused = |reason: String| gst::error_msg!(gst::ResourceError::Settings, ("{reason}"));
            let scene: Scene = serde_json::from_str(&state.text)
                .map_err(|error| refused(format!("property `scene` is not a scene: {error}")))?;
            let painter = Painter::new(&scene).map_err(|error| refused(error.to_string()))?;
            state.playing = Some(Playback { scene, painter, next: 0 });
            Ok(())
        }

        fn stop(&self) -> Result<(), gst::ErrorMessage> {
            self.state().playing = None;
            Ok(())
        }

        fn is_seekable(&self) -> bool {
            false
        }

        fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
            let caps = match &self.state().playing {
                Some(Playback { scene, .. }) => gst::Caps::builder("video/x-raw")
                    .field("format", "RGB")
                    .field("width", scene.width as i32)
                    .field("height", scene.height as i32)
                    .field("framerate", gst::Fraction::new(scene.fps as i32, 1))
                    .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
                    .field("interlace-mode", "progressive")
                    .build(),
                None => self.obj().pad_template("src")?.caps().clone(),
            };
            Some(match filter {
                Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
                None => caps,
            })
        }

        /// When the base class should push a frame; it does not wait without times.
        fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
            let Some(start) = buffer.pts().filter(|_| self.state().is_live) else { return (None, None) };
            (Some(start), buffer.duration().map(|duration| start + duration))
        }
    }

    impl PushSrcImpl for SceneSource {
        fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
            let mut state = self.state();
            let is_live = state.is_live;
            let playing = state.playing.as_mut().ok_or(gst::FlowError::Flushing)?;
            if !is_live && playing.scene.n_frames() <= playing.next {
                return Err(gst::FlowError::Eos);
            }
            let mut frame = vec![0; playing.painter.frame_size()];
            playing.painter.frame(playing.next, &mut frame);

            let mut buffer = gst::Buffer::from_mut_slice(frame);
            let start = time_of(playing.next, playing.scene.fps);
            let end = time_of(playing.next + 1, playing.scene.fps);
            let header = buffer.make_mut();
            header.set_pts(start);
            header.set_duration(end - start);
            header.set_offset(playing.next);
            header.set_offset_end(playing.next + 1);
            playing.next += 1;
            Ok(CreateSuccess::NewBuffer(buffer))
        }
    }

    /// The time of frame `n`, rounded down to a nanosecond.
    fn time_of(n: u64, fps: u32) -> gst::ClockTime {
        // Whole seconds apart, so that nothing overflows however long it plays.
        let fps = u64::from(fps);
        gst::ClockTime::from_seconds(n / fps) + gst::ClockTime::from_nseconds(n % fps * 1_000_000_000 / fps)
    }
}
