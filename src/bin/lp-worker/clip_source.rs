//! `lpclipsrc`: a GStreamer source that reads a clip.
//!
//! Without a `track` it reads the whole file, decodes nothing, hands on every
//! packet of every track (so that progress can be seen) and at the end posts the
//! message `clip-contents`, whose field `json` is a [`Contents`](lp::pipeline::clip::Contents). With the id of a
//! track it decodes that track alone, whichever others there are, and at the end
//! posts `clip-decoded` with a [`Decoded`](lp::pipeline::clip::Decoded).
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
    use std::sync::{Arc, LazyLock, Mutex, OnceLock};

    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gstreamer as gst;
    use lp::pipeline::clip::{Contents, Decoded, Times, Track};

    use crate::frames::lock;
    use crate::movie_header;

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
    }

    /// Containers whose header says how long they are; demuxers of others guess.
    const ANNOUNCING: [&str; 6] = [
        "video/quicktime",
        "video/x-matroska",
        "video/webm",
        "video/x-msvideo",
        "video/x-flv",
        "video/x-ms-asf",
    ];

    /// Frames that passed a pad.
    #[derive(Default)]
    struct Tally {
        segment: Option<gst::FormattedSegment<gst::ClockTime>>,
        shown: Vec<u64>,
        n_untimed: u64,
        /// Some have no time at which they are shown.
        are_guessed: bool,
        /// How far it reaches in the container's own time.
        reaches_ns: u64,
        /// Of the frame that is shown last.
        last_for: Option<u64>,
        n_damaged: u64,
        damaged_at_ns: u64,
    }

    impl Tally {
        fn add(&mut self, buffer: &gst::BufferRef) {
            // Bare streams of a codec have no times, or only those of decoding.
            self.are_guessed |= buffer.pts().is_none();
            let (Some(segment), Some(stamp)) = (&self.segment, buffer.dts_or_pts()) else {
                self.n_untimed += 1;
                return;
            };
            let stamp = buffer.pts().unwrap_or(stamp);
            // Outside the segment it is cut by an edit list.
            let Some(shown) = segment.to_running_time(stamp).map(gst::ClockTime::nseconds) else { return };
            if self.shown.iter().rev().take(1).all(|last| *last <= shown) {
                self.last_for = buffer.duration().map(gst::ClockTime::nseconds);
            }
            self.shown.push(shown);
            let lasts = buffer.duration().map_or(0, gst::ClockTime::nseconds);
            self.reaches_ns = self.reaches_ns.max(stamp.nseconds().max(shown).saturating_add(lasts));
            if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                if self.n_damaged == 0 {
                    self.damaged_at_ns = shown;
                }
                self.n_damaged += 1;
            }
        }

        fn times(&mut self) -> Times {
            let mut times = Times::of(std::mem::take(&mut self.shown), self.last_for);
            times.n_frames += self.n_untimed;
            times.are_guessed = self.are_guessed;
            times
        }
    }

    /// The tracks of a clip, each with its pad, and how long it says that it is.
    #[derive(Default)]
    struct ClipReader {
        announced_ns: Option<u64>,
        tracks: Vec<(gst::Pad, Arc<Mutex<Tally>>)>,
    }

    impl ClipReader {
        fn contents(&self) -> Contents {
            let track = |(pad, tally): &(gst::Pad, Arc<Mutex<Tally>>)| {
                let mut tally = lock(tally);
                let caps = pad.current_caps();
                let structure = caps.as_ref().and_then(|caps| caps.structure(0));
                let number = |name: &str| {
                    let number = structure.and_then(|structure| structure.get::<i32>(name).ok());
                    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
                };
                Track {
                    id: pad.stream_id().map(|id| id.to_string()).unwrap_or_default(),
                    kind: structure.map(|structure| structure.name().to_string()).unwrap_or_default(),
                    width: number("width"),
                    height: number("height"),
                    reaches_ns: tally.reaches_ns,
                    times: tally.times(),
                }
            };
            Contents { announced_ns: self.announced_ns, tracks: self.tracks.iter().map(track).collect() }
        }
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
                vec![
                    text("location", "The file"),
                    text("track", "The id of the stream to decode; the whole file is read if not given"),
                ]
            });
            &PROPERTIES
        }

        fn set_property(&self, _id: usize, value: &glib::Value, property: &glib::ParamSpec) {
            // GObject has checked the value's type against the list above.
            let text = value.get::<Option<String>>().ok().flatten().unwrap_or_default();
            let mut settings = lock(&self.settings);
            match property.name() {
                "location" => settings.location = text,
                _ => settings.track = text,
            }
        }

        fn property(&self, _id: usize, property: &glib::ParamSpec) -> glib::Value {
            let settings = lock(&self.settings);
            match property.name() {
                "location" => settings.location.to_value(),
                _ => settings.track.to_value(),
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
            let Settings { location, track } = lock(&self.settings).clone();
            let file = gst::ElementFactory::make("filesrc").property("location", location).build()?;
            let parser = gst::ElementFactory::make("parsebin").build()?;
            self.obj().add_many([&file, &parser])?;
            file.link(&parser)?;
            let announced = Arc::default();
            take_length(file.static_pad("src").as_ref(), &announced);
            if track.is_empty() { self.read_all(&parser, announced) } else { self.decode(&parser, track) }
        }

        fn read_all(
            &self,
            parser: &gst::Element,
            announced: Arc<Mutex<Option<u64>>>,
        ) -> Result<(), glib::BoolError> {
            let joined = gst::ElementFactory::make("funnel").build()?;
            self.obj().add(&joined)?;
            let out = joined.static_pad("src");
            let src = self.src.get().zip(out.as_ref());
            src.map_or(Ok(()), |(src, out)| src.set_target(Some(out)))?;

            let reading = Arc::new(Mutex::new(ClipReader::default()));
            let (all, weak) = (Arc::clone(&reading), joined.downgrade());
            parser.connect_pad_added(move |parser, pad| {
                let announces = container(parser).is_some_and(|name| ANNOUNCING.contains(&name.as_str()));
                let tally = Arc::new(Mutex::new(Tally::default()));
                lock(&all).tracks.push((pad.clone(), Arc::clone(&tally)));
                // At the first packet, since not all headers are read before.
                let (asked, of) = (Mutex::new(!announces), Arc::clone(&all));
                tally_of(pad, tally, move |pad| {
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
            let weak = self.obj().downgrade();
            at_eos(out.as_ref(), move || {
                if let Some(this) = weak.upgrade() {
                    let mut contents = lock(&reading).contents();
                    contents.announced_ns = contents.announced_ns.max(*lock(&announced));
                    super::post(this.upcast_ref(), "clip-contents", &contents);
                }
            });
            Ok(())
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
                keep_range(pad);
                if let Some(src) = this.imp().src.get() {
                    let _ = src.set_target(Some(pad));
                }
                let weak = this.downgrade();
                at_eos(Some(pad), move || {
                    let Some(this) = weak.upgrade() else { return };
                    let mut tally = lock(&tally);
                    let times = tally.times();
                    let Tally { n_damaged, damaged_at_ns, .. } = *tally;
                    super::post(
                        this.upcast_ref(),
                        "clip-decoded",
                        &Decoded { times, n_damaged, damaged_at_ns },
                    );
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

    /// Drops data of a pad that leads nowhere: a demuxer whose film has ended would
    /// otherwise post an error because the rest is not linked.
    fn take_all(pad: &gst::Pad) {
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(types, |_, _| gst::PadProbeReturn::Drop);
    }

    /// Counts the packets of a pad; `first` is called before each of them.
    fn tally_of(pad: &gst::Pad, tally: Arc<Mutex<Tally>>, first: impl Fn(&gst::Pad) + Send + Sync + 'static) {
        let types =
            gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(types, move |pad, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    first(pad);
                    lock(&tally).add(buffer);
                }
                Some(gst::PadProbeData::BufferList(list)) => {
                    first(pad);
                    list.iter().for_each(|buffer| lock(&tally).add(buffer));
                }
                Some(gst::PadProbeData::Event(event)) => {
                    if let gst::EventView::Segment(event) = event.view() {
                        lock(&tally).segment = event.segment().downcast_ref::<gst::ClockTime>().cloned();
                    }
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
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

    /// Names the matrix in caps that say full range and no matrix.
    fn keep_range(pad: &gst::Pad) {
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &mut info.data
                && let Some(named) = with_matrix(event)
            {
                *event = named;
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn with_matrix(event: &gst::Event) -> Option<gst::Event> {
        let gst::EventView::Caps(view) = event.view() else { return None };
        let mut caps = view.caps_owned();
        let structure = caps.make_mut().structure_mut(0)?;
        // `range:matrix:transfer:primaries`; 1 is full, 0 unknown, 3 BT.709, 4 BT.601.
        let colorimetry = structure.get::<String>("colorimetry").ok()?;
        let rest = colorimetry.strip_prefix("1:0:")?;
        let matrix = if structure.get::<i32>("height").is_ok_and(|height| 576 < height) { 3 } else { 4 };
        structure.set("colorimetry", format!("1:{matrix}:{rest}"));
        Some(gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build())
    }
}
