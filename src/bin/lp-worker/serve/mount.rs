//! A mount of the server: it makes the pipeline that all its clients share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::subclass::prelude::*;
use gstreamer as gst;
use gstreamer_rtsp_server::prelude::*;

use super::Census;
use super::reel::Reel;

/// The role of clients that have given user and password.
pub(super) const ROLE: &str = "viewer";

glib::wrapper! {
    pub(crate) struct Mount(ObjectSubclass<imp::Mount>) @extends gstreamer_rtsp_server::RTSPMediaFactory;
}

impl Mount {
    /// `is_open`: everybody may see it, not only [`ROLE`].
    pub(super) fn new(reel: Arc<Reel>, seed: u64, is_open: bool, census: &Arc<Census>) -> Mount {
        let mount: Mount = glib::Object::new();
        let _ = mount.imp().reel.set((reel, seed));
        mount.set_shared(true);
        // A client that is gone without TEARDOWN counts no more.
        mount.set_stop_on_disconnect(true);
        if !is_open {
            let role = gst::Structure::builder(ROLE)
                .field(gstreamer_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS.as_str(), true)
                .field(gstreamer_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT.as_str(), true)
                .build();
            mount.add_role_from_structure(&role);
        }
        let census = Arc::clone(census);
        mount.connect_media_configure(move |_, media| {
            let lives = Arc::new(AtomicBool::new(false));
            let (begun, prepared) = (Arc::clone(&census), Arc::clone(&lives));
            media.connect_prepared(move |_| {
                if !prepared.swap(true, Ordering::SeqCst) {
                    begun.change(0, 1);
                }
            });
            let ended = Arc::clone(&census);
            media.connect_unprepared(move |_| {
                if lives.swap(false, Ordering::SeqCst) {
                    ended.change(0, -1);
                }
            });
        });
        mount
    }
}

mod imp {
    use std::sync::{Arc, OnceLock};

    use gst::glib;
    use gst::prelude::*;
    use gstreamer as gst;
    use gstreamer_rtsp_server::gst_rtsp;
    use gstreamer_rtsp_server::subclass::prelude::*;
    use lp::pipeline::codec::Codec;

    use super::super::reel::Reel;
    use super::super::source::ReelSource;
    use crate::output::log;

    #[derive(Default)]
    pub(crate) struct Mount {
        pub(super) reel: OnceLock<(Arc<Reel>, u64)>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Mount {
        const NAME: &'static str = "LpMount";
        type Type = super::Mount;
        type ParentType = gstreamer_rtsp_server::RTSPMediaFactory;
    }

    impl ObjectImpl for Mount {}

    impl RTSPMediaFactoryImpl for Mount {
        fn create_element(&self, _url: &gst_rtsp::RTSPUrl) -> Option<gst::Element> {
            let (reel, seed) = self.reel.get()?;
            let made = pipeline(reel, *seed);
            made.inspect_err(|error| log(&format!("error: a pipeline cannot be made: {error}"))).ok()
        }
    }

    /// The clip as packets of RTP.
    fn pipeline(reel: &Arc<Reel>, seed: u64) -> Result<gst::Element, glib::BoolError> {
        let payloader = gst::ElementFactory::make(payloader(reel.codec)).name("pay0").property("pt", 96_u32);
        let payloader = match reel.codec {
            // With every key frame: a client may join at any time.
            Codec::H264 | Codec::H265 => payloader.property("config-interval", -1_i32),
            _ => payloader,
        };
        let source = ReelSource::new(Arc::clone(reel), seed);
        let payloader = payloader.build()?;
        let bin = gst::Bin::new();
        bin.add_many([source.upcast_ref::<gst::Element>(), &payloader])?;
        source.link(&payloader)?;
        Ok(bin.upcast())
    }

    fn payloader(codec: Codec) -> &'static str {
        match codec {
            Codec::H265 => "rtph265pay",
            Codec::Mjpeg => "rtpjpegpay",
            // A reel has no other codec.
            Codec::H264 | Codec::Vp9 | Codec::Av1 => "rtph264pay",
        }
    }
}
