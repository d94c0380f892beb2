//! The source of a mount's pipeline: the frames of a [`Reel`] at their times, again and again, as
//! a camera gives them.

use std::sync::Arc;

use gst::glib;
use gst::subclass::prelude::*;
use gstreamer as gst;

use super::reel::Reel;

glib::wrapper! {
    pub(crate) struct ReelSource(ObjectSubclass<imp::ReelSource>)
        @extends gstreamer_base::PushSrc, gstreamer_base::BaseSrc, gst::Element, gst::Object;
}

impl ReelSource {
    /// Begins with the last key frame before `seed` / 2^64 of the clip.
    pub(super) fn new(reel: Arc<Reel>, seed: u64) -> ReelSource {
        let source: ReelSource = glib::Object::new();
        let _ = source.imp().reel.set((reel, seed));
        source
    }
}

mod imp {
    use std::sync::{Arc, LazyLock, Mutex, OnceLock};

    use gst::glib;
    use gstreamer as gst;
    use gstreamer_base::prelude::*;
    use gstreamer_base::subclass::base_src::CreateSuccess;
    use gstreamer_base::subclass::prelude::*;

    use super::super::reel::{Position, Reel};
    use crate::frames::lock;

    #[derive(Default)]
    pub(crate) struct ReelSource {
        pub(super) reel: OnceLock<(Arc<Reel>, u64)>,
        progress: Mutex<Progress>,
    }

    /// How far the stream is.
    #[derive(Default)]
    enum Progress {
        #[default]
        Unborn,
        /// The first frame has been given, at this running time in nanoseconds. The server keeps it
        /// back until a client plays.
        Held(Position, u64),
        Playing(Position),
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ReelSource {
        const NAME: &'static str = "LpReelSource";
        type Type = super::ReelSource;
        type ParentType = gstreamer_base::PushSrc;
    }

    impl ObjectImpl for ReelSource {
        fn constructed(&self) {
            self.parent_constructed();
            self.obj().set_format(gst::Format::Time);
            // So the server neither seeks it nor says that it has an end.
            self.obj().set_live(true);
        }
    }

    impl GstObjectImpl for ReelSource {}

    impl ElementImpl for ReelSource {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Reel source",
                    "Source/Video",
                    "Plays a clip again and again",
                    "lp",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let any = gst::Caps::new_any();
                gst::PadTemplate::new("src", gst::PadDirection::Src, gst::PadPresence::Always, &any)
                    .into_iter()
                    .collect()
            });
            &TEMPLATES
        }
    }

    impl BaseSrcImpl for ReelSource {
        fn stop(&self) -> Result<(), gst::ErrorMessage> {
            *lock(&self.progress) = Progress::Unborn;
            Ok(())
        }

        fn is_seekable(&self) -> bool {
            false
        }

        fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
            let (reel, _) = self.reel.get()?;
            Some(match filter {
                Some(filter) => filter.intersect_with_mode(&reel.caps, gst::CapsIntersectMode::First),
                None => reel.caps.clone(),
            })
        }

        /// When the base class should push a frame.
        fn times(&self, buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
            (buffer.dts(), None)
        }
    }

    impl PushSrcImpl for ReelSource {
        fn create(&self, _buffer: Option<&mut gst::BufferRef>) -> Result<CreateSuccess, gst::FlowError> {
            let (reel, seed) = self.reel.get().ok_or(gst::FlowError::NotNegotiated)?;
            let now = self.obj().current_running_time().map_or(0, gst::ClockTime::nseconds);
            let mut progress = lock(&self.progress);
            let (mut position, was_unborn) = match &*progress {
                Progress::Unborn => (reel.begin(*seed, now), true),
                Progress::Held(position, since) => {
                    // The others follow it at their distance rather than all at once.
                    let held = i64::try_from(now.saturating_sub(*since)).unwrap_or(0);
                    (Position { pass_began: position.pass_began + held, ..*position }, false)
                }
                Progress::Playing(position) => (*position, false),
            };
            let frame = reel.take(&mut position);
            *progress = if was_unborn { Progress::Held(position, now) } else { Progress::Playing(position) };
            Ok(CreateSuccess::NewBuffer(frame))
        }
    }
}
