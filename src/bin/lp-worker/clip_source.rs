//! `lpclipsrc`: a GStreamer source that reads a clip.
//!
//! Without a `track` it reads the whole file, decodes nothing, hands on every
//! packet of every track (so that progress can be seen) and at the end posts the
//! message `clip-contents`, whose field `json` is a [`Contents`](lp::pipeline::clip::Contents). With the id of a
//! track it decodes that track alone, whichever others there are, and at the end
//! posts `clip-decoded` with a [`Decoded`](lp::pipeline::clip::Decoded). With `packets` it
//! hands that track's packets on instead, each with a time.
//!
//! With a `uri` it looks at a stream: it reads what comes in `look-ms` after the first
//! packet, or until the end, and posts `clip-contents`. If nothing comes, it has no tracks.
//!
//! Frames whose caps say *full range* but not which matrix get the matrix that
//! GStreamer assumes for their size: it would forget the range otherwise.
//!
//! The element is registered in this process only; there is no plugin file.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    pub(crate) struct ClipSource(ObjectSubclass<imp::ClipSource>) @extends gst::Bin, gst::Element, gst::Object;
}

/// Makes the factory `lpclipsrc` known. GStreamer is initialised.
///
/// # Errors
/// When GStreamer refuses it.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, "lpclipsrc", gst::Rank::NONE, ClipSource::static_type())
}

/// Posts a message with a value as JSON, in the name of an element.
pub(crate) fn post(element: &gst::Element, name: &str, value: &impl serde::Serialize) {
    let json = serde_json::to_string(value).unwrap_or_default();
    let structure = gst::Structure::builder(name).field("json", json).build();
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

mod imp {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, LazyLock, Mutex, OnceLock};
    use std::time::Duration;

    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gstreamer as gst;
    use lp::pipeline::clip::Decoded;

    use crate::build::is_rtsp;
    use crate::clip_look::{self, Watch};
    use crate::clip_reader::ClipReader;
    use crate::colours;
    use crate::frames::lock;
    use crate::movie_header;
    use crate::requests;
    use crate::tally::{Tally, tally_of};
    use crate::tls;

    /// How long a stream may send nothing at first.
    const SILENCE: Duration = Duration::from_secs(10);

    #[derive(Default)]
    pub(crate) struct ClipSource {
        settings: Mutex<Settings>,
        src: OnceLock<gst::GhostPad>,
    }

    #[derive(Clone, Default)]
    struct Settings {
        location: String,
        /// Empty: all.
        track: String,
        packets: bool,
        /// Empty: a file.
        uri: String,
        look_ms: u32,
        /// Of a stream of RTSP; empty: TCP.
        protocols: String,
        latency_ms: u32,
        /// Which faults of certificates count, as for `rtspsrc`; empty: all.
        validation: String,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ClipSource {
        const NAME: &'static str = "LpClipSource";
        type Type = super::ClipSource;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for ClipSource {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                let text = |name: &str, blurb: &str| {
                    glib::ParamSpecString::builder(name).blurb(blurb).mutable_ready().build()
                };
                let packets = glib::ParamSpecBoolean::builder("packets")
                    .blurb("Hand the packets of the track on and decode nothing")
                    .mutable_ready();
                let look = glib::ParamSpecUInt::builder("look-ms")
                    .blurb("How long to look at it, in milliseconds")
                    .mutable_ready();
                let latency = glib::ParamSpecUInt::builder("latency")
                    .blurb("The jitter buffer of a stream of RTSP, in milliseconds")
                    .mutable_ready();
                vec![
                    text("location", "The file"),
                    text("track", "The id of the stream to decode; the whole file is read if not given"),
                    packets.build(),
                    text("uri", "The stream to look at, instead of a file"),
                    look.build(),
                    text("protocols", "How a stream of RTSP comes, as for rtspsrc; tcp if not given"),
                    latency.build(),
                    text("validation", "The tls-validation-flags of a stream of RTSP, as for rtspsrc"),
                ]
            });
            &PROPERTIES
        }

        fn set_property(&self, _id: usize, value: &glib::Value, property: &glib::ParamSpec) {
            // GObject has checked the value's type against the list above.
            let text = || value.get::<Option<String>>().ok().flatten().unwrap_or_default();
            let mut settings = lock(&self.settings);
            match property.name() {
                "location" => settings.location = text(),
                "track" => settings.track = text(),
                "uri" => settings.uri = text(),
                "look-ms" => settings.look_ms = value.get().unwrap_or_default(),
                "protocols" => settings.protocols = text(),
                "latency" => settings.latency_ms = value.get().unwrap_or_default(),
                "validation" => settings.validation = text(),
                _ => settings.packets = value.get().unwrap_or_default(),
            }
        }

        fn property(&self, _id: usize, property: &glib::ParamSpec) -> glib::Value {
            let settings = lock(&self.settings);
            match property.name() {
                "location" => settings.location.to_value(),
                "track" => settings.track.to_value(),
                "uri" => settings.uri.to_value(),
                "look-ms" => settings.look_ms.to_value(),
                "protocols" => settings.protocols.to_value(),
                "latency" => settings.latency_ms.to_value(),
                "validation" => settings.validation.to_value(),
                _ => settings.packets.to_value(),
            }
        }

        fn constructed(&self) {
            self.parent_constructed();
            let Some(template) = self.obj().pad_template("src") else { return };
            let pad = gst::GhostPad::from_template(&template);
            if self.obj().add_pad(&pad).is_ok() {
                let _ = self.src.set(pad);
            }
            self.obj().set_element_flags(gst::ElementFlags::SOURCE);
        }
    }

    impl GstObjectImpl for ClipSource {}

    impl ElementImpl for ClipSource {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Clip source", "Source/File/Video", "Reads a clip", "lp")
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let (direction, presence) = (gst::PadDirection::Src, gst::PadPresence::Always);
                let any = gst::Caps::new_any();
                gst::PadTemplate::new("src", direction, presence, &any).into_iter().collect()
            });
            &TEMPLATES
        }

        fn change_state(
            &self,
            transition: gst::StateChange,
        ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            if transition == gst::StateChange::NullToReady
                && let Err(error) = self.open()
            {
                gst::element_imp_error!(self, gst::CoreError::Failed, ("{error}"));
                return Err(gst::StateChangeError);
            }
            self.parent_change_state(transition)
        }
    }

    impl BinImpl for ClipSource {}

    impl ClipSource {
        /// Makes the elements inside. It is played once.
        fn open(&self) -> Result<(), glib::BoolError> {
            let settings = lock(&self.settings).clone();
            if !settings.uri.is_empty() {
                return self.look(&settings);
            }
            let Settings { location, track, packets, .. } = settings;
            let file = gst::ElementFactory::make("filesrc").property("location", location).build()?;
            let parser = gst::ElementFactory::make("parsebin").build()?;
            self.obj().add_many([&file, &parser])?;
            file.link(&parser)?;
            let announced = Arc::default();
            take_length(file.static_pad("src").as_ref(), &announced);
            match (track.is_empty(), packets) {
                (true, _) => self.read_all(&parser, announced),
                (false, true) => {
                    self.hand_on(&parser, track);
                    Ok(())
                }
                (false, false) => self.decode(&parser, track),
            }
        }

        fn read_all(
            &self,
            parser: &gst::Element,
            announced: Arc<Mutex<Option<u64>>>,
        ) -> Result<(), glib::BoolError> {
            let joined = self.join()?;
            let reader = Arc::new(Mutex::new(ClipReader::default()));
            self.read_tracks(parser, &joined, &reader, || ());
            self.post_at_end(&joined, reader, announced, None);
            Ok(())
        }

        /// Posts the contents once, at EOS.
        fn post_at_end(
            &self,
            joined: &gst::Element,
            reader: Arc<Mutex<ClipReader>>,
            announced: Arc<Mutex<Option<u64>>>,
            watch: Option<Arc<Watch>>,
        ) {
            let (weak, is_over) = (self.obj().downgrade(), AtomicBool::new(false));
            at_eos(joined.static_pad("src").as_ref(), move || {
                let Some(this) = weak.upgrade().filter(|_| !is_over.swap(true, Ordering::SeqCst)) else {
                    return;
                };
                let mut contents = lock(&reader).contents();
                contents.announced_ns = contents.announced_ns.max(*lock(&announced));
                contents.reception = watch.as_ref().and_then(|watch| watch.reception());
                super::post(this.upcast_ref(), "clip-contents", &contents);
            });
        }

        /// Reads a stream for a while.
        fn look(&self, settings: &Settings) -> Result<(), glib::BoolError> {
            let Settings { uri, look_ms, protocols, latency_ms, validation, .. } = settings;
            let time = Duration::from_millis((*look_ms).into());
            let protocols = if protocols.is_empty() { "tcp" } else { protocols };
            let source = clip_look::source(uri, protocols, *latency_ms);
            let source = source.map_err(|error| glib::bool_error!("{error}"))?;
            if is_rtsp(&source) {
                if !validation.is_empty() {
                    source.set_property_from_str("tls-validation-flags", validation);
                }
                tls::prepare(&source).map_err(|why| glib::bool_error!("{why}"))?;
                requests::limit(&source);
            }
            let watch = Watch::of(&source);
            let joined = self.join()?;
            self.obj().add(&source)?;
            let reader = Arc::new(Mutex::new(ClipReader::default()));
            self.post_at_end(&joined, Arc::clone(&reader), Arc::default(), watch.clone());

            let out = joined.static_pad("src").map(|pad| pad.downgrade());
            let end = move || {
                if let Some(out) = out.as_ref().and_then(gst::glib::WeakRef::upgrade) {
                    out.push_event(gst::event::Eos::new());
                }
            };
            let (came, begun) = (Arc::new(AtomicBool::new(false)), end.clone());
            let has_come = Arc::clone(&came);
            clip_look::after(SILENCE, move || {
                if !has_come.load(Ordering::SeqCst) {
                    end();
                }
            });
            let came = move || {
                if let Some(watch) = &watch {
                    watch.frame();
                }
                if !came.swap(true, Ordering::SeqCst) {
                    clip_look::after(time, begun.clone());
                }
            };

            let (weak, joined) = (self.obj().downgrade(), joined.downgrade());
            let read = move |pad: &gst::Pad| {
                let Some((this, joined)) = weak.upgrade().zip(joined.upgrade()) else { return };
                if let Some(track) = clip_look::other_than_video(pad) {
                    lock(&reader).unread.push(track);
                    return take_all(pad);
                }
                let Ok(parser) = gst::ElementFactory::make("parsebin").build() else { return };
                this.imp().read_tracks(&parser, &joined, &reader, came.clone());
                if this.add(&parser).is_ok()
                    && let Some(sink) = parser.static_pad("sink")
                {
                    let _ = pad.link(&sink);
                    let _ = parser.sync_state_with_parent();
                }
            };
            source.src_pads().iter().for_each(&read);
            source.connect_pad_added(move |_, pad| read(pad));
            Ok(())
        }

        /// The element through which the packets of all tracks leave.
        fn join(&self) -> Result<gst::Element, glib::BoolError> {
            let joined = gst::ElementFactory::make("funnel").build()?;
            self.obj().add(&joined)?;
            let out = joined.static_pad("src");
            let src = self.src.get().zip(out.as_ref());
            src.map_or(Ok(()), |(src, out)| src.set_target(Some(out)))?;
            Ok(joined)
        }

        /// Counts the packets of all tracks of a parser. `came` is called before each.
        fn read_tracks(
            &self,
            parser: &gst::Element,
            joined: &gst::Element,
            reader: &Arc<Mutex<ClipReader>>,
            came: impl Fn() + Clone + Send + Sync + 'static,
        ) {
            colours::complete(parser);
            let (all, weak) = (Arc::clone(reader), joined.downgrade());
            parser.connect_pad_added(move |parser, pad| {
                let (tally, announces) = lock(&all).add(pad, container(parser));
                // At the first packet, since not all headers are read before.
                let (asked, of, came) = (Mutex::new(!announces), Arc::clone(&all), came.clone());
                tally_of(pad, tally, move |pad| {
                    came();
                    if !std::mem::replace(&mut *lock(&asked), true) {
                        let announced = pad.query_duration::<gst::ClockTime>();
                        let announced = announced.map(gst::ClockTime::nseconds).filter(|ns| 0 < *ns);
                        let mut all = lock(&of);
                        all.announced_ns = all.announced_ns.max(announced);
                    }
                });
                if let Some(joined) = weak.upgrade()
                    && let Some(sink) = joined.request_pad_simple("sink_%u")
                {
                    let _ = pad.link(&sink);
                }
            });
        }

        /// Hands on the packets of a track, each with a time at which it is shown: for those
        /// that have none, the one at which they are decoded.
        /// One without a length gets the time since the one before: muxers end a file at the last packet's
        /// end, and `jpegparse` takes lengths away.
        fn hand_on(&self, parser: &gst::Element, track: String) {
            let weak = self.obj().downgrade();
            parser.connect_pad_added(move |_, pad| {
                let Some(this) = weak.upgrade().filter(|_| pad.stream_id().is_some_and(|id| id == track))
                else {
                    return take_all(pad);
                };
                let before = Mutex::new(None);
                pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                    if let Some(gst::PadProbeData::Buffer(packet)) = &mut info.data {
                        let decoded = packet.dts_or_pts();
                        let before = std::mem::replace(&mut *lock(&before), decoded);
                        if packet.pts().is_none() {
                            packet.make_mut().set_pts(decoded);
                        }
                        if packet.duration().is_none() {
                            let lasts = decoded.zip(before).and_then(|(at, before)| at.checked_sub(before));
                            packet.make_mut().set_duration(lasts);
                        }
                    }
                    gst::PadProbeReturn::Ok
                });
                if let Some(src) = this.imp().src.get() {
                    let _ = src.set_target(Some(pad));
                }
            });
        }

        fn decode(&self, parser: &gst::Element, track: String) -> Result<(), glib::BoolError> {
            let decoder = gst::ElementFactory::make("decodebin").build()?;
            self.obj().add(&decoder)?;
            let weak = decoder.downgrade();
            parser.connect_pad_added(move |_, pad| {
                let decoder = weak.upgrade().filter(|_| pad.stream_id().is_some_and(|id| id == track));
                match decoder.and_then(|decoder| decoder.static_pad("sink")) {
                    Some(sink) => drop(pad.link(&sink)),
                    None => take_all(pad),
                }
            });
            let weak = self.obj().downgrade();
            decoder.connect_pad_added(move |_, pad| {
                let Some(this) = weak.upgrade() else { return };
                let tally = Arc::new(Mutex::new(Tally::default()));
                tally_of(pad, Arc::clone(&tally), |_| ());
                colours::keep_range(pad);
                if let Some(src) = this.imp().src.get() {
                    let _ = src.set_target(Some(pad));
                }
                let weak = this.downgrade();
                at_eos(Some(pad), move || {
                    let Some(this) = weak.upgrade() else { return };
                    let mut tally = lock(&tally);
                    let decoded: Decoded = tally.decoded();
                    super::post(this.upcast_ref(), "clip-decoded", &decoded);
                });
            });
            Ok(())
        }
    }

    /// The name of the file's caps: `video/quicktime`.
    fn container(parser: &gst::Element) -> Option<String> {
        let found = parser.downcast_ref::<gst::Bin>()?.by_name("typefind")?;
        Some(found.property::<Option<gst::Caps>>("caps")?.structure(0)?.name().to_string())
    }

    /// Removes the length that an MP4 file announces from the bytes that are read.
    fn take_length(pad: Option<&gst::Pad>, taken: &Arc<Mutex<Option<u64>>>) {
        let Some(pad) = pad else { return };
        let taken = Arc::clone(taken);
        // The demuxer reads a `moov` at once.
        pad.add_probe(gst::PadProbeType::PULL | gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
                && let Ok(mut bytes) = buffer.make_mut().map_writable()
                && let Some(length) = movie_header::take_length(&mut bytes)
            {
                *lock(&taken) = Some(length);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Drops data of a pad that leads nowhere: a source or demuxer would
    /// otherwise post an error because the rest is not linked.
    fn take_all(pad: &gst::Pad) {
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(types, |_, _| gst::PadProbeReturn::Drop);
    }

    /// Calls `then` when EOS comes by.
    fn at_eos(pad: Option<&gst::Pad>, then: impl Fn() + Send + Sync + 'static) {
        let Some(pad) = pad else { return };
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &info.data
                && event.type_() == gst::EventType::Eos
            {
                then();
            }
            gst::PadProbeReturn::Ok
        });
    }
}
