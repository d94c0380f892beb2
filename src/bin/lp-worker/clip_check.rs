//! `lpclipcheck`: a GStreamer element that counts decoded frames, and ends a loop.
//!
//! It hands frames on until `frames` have come, or EOS. Then it posts the message
//! `clip-checked`, whose field `json` is a [`CheckedLoop`](lp::pipeline::fit::CheckedLoop),
//! and ends the stream.
//!
//! The element is registered in this process only; there is no plugin file.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    pub(crate) struct ClipCheck(ObjectSubclass<imp::ClipCheck>) @extends gst::Element, gst::Object;
}

/// Makes the factory `lpclipcheck` known. GStreamer is initialised.
///
/// # Errors
/// When GStreamer refuses it.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, "lpclipcheck", gst::Rank::NONE, ClipCheck::static_type())
}

mod imp {
    use std::sync::{LazyLock, Mutex};

    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gstreamer as gst;
    use lp::pipeline::fit::CheckedLoop;

    use crate::clip_source::post;
    use crate::frames::lock;
    use crate::tally::Tally;

    pub(crate) struct ClipCheck {
        sink: gst::Pad,
        src: gst::Pad,
        state: Mutex<State>,
    }

    #[derive(Default)]
    struct State {
        n_wanted: u64,
        tally: Tally,
        checked: CheckedLoop,
        is_over: bool,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ClipCheck {
        const NAME: &'static str = "LpClipCheck";
        type Type = super::ClipCheck;
        type ParentType = gst::Element;

        fn with_class(class: &Self::Class) -> Self {
            // The list below has both.
            let template = |name: &str| class.pad_template(name).expect("the element has this template");
            let flags = gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION;
            let sink = gst::Pad::builder_from_template(&template("sink"))
                .chain_function(|_, parent, buffer| {
                    let stopped = || Err(gst::FlowError::Error);
                    ClipCheck::catch_panic_pad_function(parent, stopped, |this| this.chain(buffer))
                })
                .event_function(|pad, parent, event| {
                    ClipCheck::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
                })
                .flags(flags)
                .build();
            let src = gst::Pad::builder_from_template(&template("src")).flags(flags).build();
            ClipCheck { sink, src, state: Mutex::default() }
        }
    }

    impl ObjectImpl for ClipCheck {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                let frames = glib::ParamSpecInt64::builder("frames")
                    .blurb("Frames after which the stream ends")
                    .minimum(0)
                    .default_value(0)
                    .mutable_ready();
                vec![frames.build()]
            });
            &PROPERTIES
        }

        fn set_property(&self, _id: usize, value: &glib::Value, _property: &glib::ParamSpec) {
            // GObject has checked the value's type and limit against the list above.
            lock(&self.state).n_wanted = value.get::<i64>().map_or(0, i64::unsigned_abs);
        }

        fn property(&self, _id: usize, _property: &glib::ParamSpec) -> glib::Value {
            i64::try_from(lock(&self.state).n_wanted).unwrap_or(i64::MAX).to_value()
        }

        fn constructed(&self) {
            self.parent_constructed();
            for pad in [&self.sink, &self.src] {
                let _ = self.obj().add_pad(pad);
            }
        }
    }

    impl GstObjectImpl for ClipCheck {}

    impl ElementImpl for ClipCheck {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Clip check",
                    "Filter/Video",
                    "Counts decoded frames",
                    "lp",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let caps = gst::Caps::new_any();
                let template = |name: &str, direction| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                };
                [template("sink", gst::PadDirection::Sink), template("src", gst::PadDirection::Src)]
                    .into_iter()
                    .flatten()
                    .collect()
            });
            &TEMPLATES
        }
    }

    impl ClipCheck {
        fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            let is_last = {
                let mut state = lock(&self.state);
                if state.is_over {
                    return Err(gst::FlowError::Eos);
                }
                state.tally.add(&buffer);
                0 < state.n_wanted && state.n_wanted <= state.tally.n_frames()
            };
            self.src.push(buffer)?;
            if !is_last {
                return Ok(gst::FlowSuccess::Ok);
            }
            self.finish();
            self.src.push_event(gst::event::Eos::new());
            Err(gst::FlowError::Eos)
        }

        fn finish(&self) {
            let checked = {
                let mut state = lock(&self.state);
                if std::mem::replace(&mut state.is_over, true) {
                    return;
                }
                let decoded = state.tally.decoded();
                CheckedLoop { decoded, n_disordered: state.tally.n_disordered, ..state.checked.clone() }
            };
            post(self.obj().upcast_ref(), "clip-checked", &checked);
        }

        fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
            match event.view() {
                gst::EventView::Caps(view) => {
                    if let Some(caps) = view.caps().structure(0) {
                        let pixels = |name| caps.get::<i32>(name).ok().and_then(|n| u32::try_from(n).ok());
                        let mode = caps.get::<String>("interlace-mode");
                        let mut state = lock(&self.state);
                        state.checked.width = pixels("width").unwrap_or(0);
                        state.checked.height = pixels("height").unwrap_or(0);
                        state.checked.is_interlaced |= mode.is_ok_and(|mode| mode != "progressive");
                    }
                }
                gst::EventView::FlushStop(_) => lock(&self.state).tally = Tally::default(),
                gst::EventView::Eos(_) => {
                    if lock(&self.state).is_over {
                        return true;
                    }
                    self.finish();
                }
                _ => lock(&self.state).tally.event(&event),
            }
            gst::Pad::event_default(pad, Some(&*self.obj()), event)
        }
    }
}
