//! `lpframerate`: a GStreamer element that brings frames to a rate.
//!
//! Frame `n` of the output is the frame of the input that is shown nearest to
//! `n / framerate`, counted from the first frame; where none is near, the one
//! before it again, unless `drop-only` is set: then no frame is copied and
//! those that there are keep their places. The output is as long as the input,
//! rounded to whole frames. `videorate` fills up to the end of the segment
//! instead: the announced length of a clip that is cut off, or one frame more.
//!
//! At the end it posts the message `clip-resampled`, whose field `json` is a
//! [`Resampled`](lp::pipeline::clip::Resampled).
//!
//! The element is registered in this process only; there is no plugin file.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    pub(crate) struct FrameRate(ObjectSubclass<imp::FrameRate>) @extends gst::Element, gst::Object;
}

/// Makes the factory `lpframerate` known. GStreamer is initialised.
///
/// # Errors
/// When GStreamer refuses it.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    gst::Element::register(None, "lpframerate", gst::Rank::NONE, FrameRate::static_type())
}

mod imp {
    use std::sync::{LazyLock, Mutex, MutexGuard};

    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gstreamer as gst;
    use lp::pipeline::clip::Resampled;

    use crate::clip_source::post;
    use crate::frames::lock;

    pub(crate) struct FrameRate {
        sink: gst::Pad,
        src: gst::Pad,
        state: Mutex<State>,
    }

    struct State {
        rate: gst::Fraction,
        drop_only: bool,
        segment: Option<gst::FormattedSegment<gst::ClockTime>>,
        grid: super::Grid<gst::Buffer>,
        n_out: u64,
        n_copies: u64,
    }

    impl Default for State {
        fn default() -> State {
            State {
                rate: gst::Fraction::new(15, 1),
                drop_only: false,
                segment: None,
                grid: super::Grid::default(),
                n_out: 0,
                n_copies: 0,
            }
        }
    }

    impl State {
        fn rate(&self) -> (u64, u64) {
            (self.rate.numer().unsigned_abs().into(), self.rate.denom().unsigned_abs().into())
        }

        /// The buffers that a run of output frames consists of.
        fn buffers(&mut self, run: super::Run<gst::Buffer>) -> Vec<gst::Buffer> {
            let (numer, denom) = self.rate();
            let time = |n: u64| {
                let ns = u128::from(n) * 1_000_000_000 * u128::from(denom) / u128::from(numer.max(1));
                gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(u64::MAX - 1))
            };
            let n_buffers = if self.drop_only { 1 } else { run.n };
            let buffers = (0..n_buffers).map(|n| {
                let (begin, end) = (run.at + n, if self.drop_only { run.at + run.n } else { run.at + n + 1 });
                let mut buffer = run.frame.copy();
                let header = buffer.make_mut();
                header.set_pts(time(begin));
                header.set_dts(gst::ClockTime::NONE);
                header.set_duration(time(end) - time(begin));
                header.set_offset(begin);
                header.set_offset_end(begin + 1);
                buffer
            });
            self.n_out += n_buffers;
            self.n_copies += n_buffers - 1;
            buffers.collect()
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for FrameRate {
        const NAME: &'static str = "LpFrameRate";
        type Type = super::FrameRate;
        type ParentType = gst::Element;

        fn with_class(class: &Self::Class) -> Self {
            // The list below has both.
            let template = |name: &str| class.pad_template(name).expect("the element has this template");
            let sink = gst::Pad::builder_from_template(&template("sink"))
                .chain_function(|_, parent, buffer| {
                    let stopped = || Err(gst::FlowError::Error);
                    FrameRate::catch_panic_pad_function(parent, stopped, |this| this.chain(buffer))
                })
                .event_function(|pad, parent, event| {
                    FrameRate::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
                })
                .query_function(|pad, parent, query| {
                    FrameRate::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
                })
                .build();
            let src = gst::Pad::from_template(&template("src"));
            FrameRate { sink, src, state: Mutex::default() }
        }
    }

    impl ObjectImpl for FrameRate {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                let rate = gst::ParamSpecFraction::builder("framerate")
                    .blurb("Frames per second of the output")
                    .minimum(gst::Fraction::new(1, i32::MAX))
                    .maximum(gst::Fraction::new(i32::MAX, 1))
                    .default_value(gst::Fraction::new(15, 1))
                    .mutable_ready();
                let drop_only = glib::ParamSpecBoolean::builder("drop-only")
                    .blurb("Leave frames out and copy none")
                    .mutable_ready();
                vec![rate.build(), drop_only.build()]
            });
            &PROPERTIES
        }

        fn set_property(&self, _id: usize, value: &glib::Value, property: &glib::ParamSpec) {
            let mut state = self.state();
            // GObject has checked the value's type against the list above.
            match property.name() {
                "framerate" => state.rate = value.get().unwrap_or(state.rate),
                _ => state.drop_only = value.get().unwrap_or_default(),
            }
        }

        fn property(&self, _id: usize, property: &glib::ParamSpec) -> glib::Value {
            match property.name() {
                "framerate" => self.state().rate.to_value(),
                _ => self.state().drop_only.to_value(),
            }
        }

        fn constructed(&self) {
            self.parent_constructed();
            for pad in [&self.sink, &self.src] {
                let _ = self.obj().add_pad(pad);
            }
        }
    }

    impl GstObjectImpl for FrameRate {}

    impl ElementImpl for FrameRate {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "Frame rate",
                    "Filter/Effect/Video",
                    "Brings frames to a rate",
                    "lp",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
                let caps = gst::Caps::builder("video/x-raw")
                    .features([gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY])
                    .build();
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

    impl FrameRate {
        fn state(&self) -> MutexGuard<'_, State> {
            lock(&self.state)
        }

        fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
            let buffers = {
                let mut state = self.state();
                let rate = state.rate();
                let shown = match (buffer.pts(), &state.segment) {
                    (Some(stamp), Some(segment)) => {
                        segment.to_running_time(stamp).map(gst::ClockTime::nseconds)
                    }
                    // Bare streams of a codec have no times.
                    _ => Some(state.grid.next_ns(rate)),
                };
                // Outside the segment it is cut by an edit list.
                let Some(shown) = shown else { return Ok(gst::FlowSuccess::Ok) };
                let shown_for = buffer.duration().map(gst::ClockTime::nseconds);
                let run = state.grid.add(rate, buffer, shown, shown_for);
                run.map(|run| state.buffers(run)).unwrap_or_default()
            };
            buffers.into_iter().try_fold(gst::FlowSuccess::Ok, |_, buffer| self.src.push(buffer))
        }

        fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
            match event.view() {
                gst::EventView::Caps(view) => {
                    let mut caps = view.caps_owned();
                    let State { rate, drop_only, .. } = *self.state();
                    for structure in caps.make_mut().iter_mut() {
                        if drop_only {
                            structure.set("framerate", gst::Fraction::new(0, 1));
                            structure.set("max-framerate", rate);
                        } else {
                            structure.set("framerate", rate);
                            structure.remove_field("max-framerate");
                        }
                    }
                    self.src.push_event(gst::event::Caps::new(&caps))
                }
                gst::EventView::Segment(view) => {
                    let segment = view.segment().downcast_ref::<gst::ClockTime>().cloned();
                    if self.state().segment.replace(segment.unwrap_or_default()).is_some() {
                        return true;
                    }
                    let plain = gst::FormattedSegment::<gst::ClockTime>::new();
                    self.src.push_event(gst::event::Segment::new(&plain))
                }
                // A frame is shown until the next one anyway.
                gst::EventView::Gap(_) => true,
                gst::EventView::Eos(_) => {
                    let (buffers, resampled) = {
                        let mut state = self.state();
                        let rate = state.rate();
                        let run = state.grid.finish(rate);
                        let buffers = run.map(|run| state.buffers(run)).unwrap_or_default();
                        let State { n_out, n_copies, ref grid, .. } = *state;
                        (buffers, Resampled { n_in: grid.n_in, n_out, n_copies })
                    };
                    for buffer in buffers {
                        let _ = self.src.push(buffer);
                    }
                    post(self.obj().upcast_ref(), "clip-resampled", &resampled);
                    self.src.push_event(event)
                }
                _ => gst::Pad::event_default(pad, Some(&*self.obj()), event),
            }
        }

        fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
            let gst::QueryViewMut::Caps(query) = query.view_mut() else {
                return gst::Pad::query_default(pad, Some(&*self.obj()), query);
            };
            // The caps that the next element takes, at any rate.
            let mut caps = self.src.peer_query_caps(None).intersect(&self.src.pad_template_caps());
            for structure in caps.make_mut().iter_mut() {
                structure.remove_fields(["framerate", "max-framerate"]);
            }
            let caps = query
                .filter()
                .map(|filter| filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First))
                .unwrap_or(caps);
            query.set_result(&caps);
            true
        }
    }
}

/// A frame and its place in the output.
struct PlacedFrame<F> {
    frame: F,
    at: u64,
    /// How far it is from there, in parts of an output frame's length.
    away: u128,
}

/// A frame of the output that is shown `n` times from `at` on.
#[derive(Debug, PartialEq, Eq)]
struct Run<F> {
    frame: F,
    at: u64,
    n: u64,
}

/// Puts frames of any times onto a grid of equal ones.
struct Grid<F> {
    first_ns: Option<u64>,
    last_ns: u64,
    /// The end of the last frame, from the first one.
    end_ns: u64,
    held: Option<PlacedFrame<F>>,
    n_in: u64,
}

impl<F> Default for Grid<F> {
    fn default() -> Grid<F> {
        Grid { first_ns: None, last_ns: 0, end_ns: 0, held: None, n_in: 0 }
    }
}

impl<F> Grid<F> {
    /// Takes a frame that is shown at `shown_ns`, and gives the one before it once it is
    /// known for how long that is shown.
    fn add(&mut self, rate: (u64, u64), frame: F, shown_ns: u64, shown_for: Option<u64>) -> Option<Run<F>> {
        self.n_in += 1;
        let shown_ns = shown_ns.saturating_sub(*self.first_ns.get_or_insert(shown_ns));
        let interval_ns = shown_for.unwrap_or(shown_ns.saturating_sub(self.last_ns));
        self.last_ns = shown_ns;
        self.end_ns = shown_ns.saturating_add(interval_ns);
        let (at, away) = place(rate, shown_ns);
        match &self.held {
            // Of two that belong to one place the nearer stays, of equals the first.
            Some(held) if at < held.at || (at == held.at && held.away <= away) => None,
            Some(held) if at == held.at => {
                self.held = Some(PlacedFrame { frame, at, away });
                None
            }
            _ => {
                let held = self.held.replace(PlacedFrame { frame, at, away })?;
                Some(Run { frame: held.frame, at: held.at, n: at - held.at })
            }
        }
    }

    /// When a frame is shown that has no time: at the next place.
    fn next_ns(&self, (numer, denom): (u64, u64)) -> u64 {
        let interval_ns = u128::from(denom) * 1_000_000_000 / u128::from(numer.max(1));
        let next = u64::try_from(interval_ns).unwrap_or(u64::MAX);
        self.first_ns.map_or(0, |first| (first + self.last_ns).saturating_add(next))
    }

    /// The last frame, to the end of the input.
    fn finish(&mut self, rate: (u64, u64)) -> Option<Run<F>> {
        let held = self.held.take()?;
        // A frame that begins where the output ends is not shown, unless it is the only one.
        let end = place(rate, self.end_ns).0.max(1);
        let n = end.checked_sub(held.at).filter(|n| 0 < *n)?;
        Some(Run { frame: held.frame, at: held.at, n })
    }
}

/// The output frame nearest to a time, and how far it is, in parts of
/// 1 / (10^9 x denominator).
fn place((numer, denom): (u64, u64), ns: u64) -> (u64, u128) {
    let unit = 1_000_000_000 * u128::from(denom.max(1));
    let exact = u128::from(ns) * u128::from(numer);
    let at = (exact + unit / 2) / unit;
    (u64::try_from(at).unwrap_or(u64::MAX), exact.abs_diff(at * unit))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `3x2@5`: frame 3, shown twice from place 5 on.
    #[track_caller]
    fn check(rate: (u64, u64), shown_ns: impl IntoIterator<Item = u64>, expect: Expect) {
        let mut grid = Grid::default();
        let mut runs: Vec<Run<usize>> = shown_ns
            .into_iter()
            .enumerate()
            .filter_map(|(n, shown)| grid.add(rate, n, shown, None))
            .collect();
        runs.extend(grid.finish(rate));
        let text: Vec<String> =
            runs.iter().map(|run| format!("{}x{}@{}", run.frame, run.n, run.at)).collect();
        expect.assert_eq(&text.join(" "));
    }

    fn frames(n: u64, numer: u64, denom: u64) -> impl Iterator<Item = u64> {
        (0..n).map(move |n| n * 1_000_000_000 * denom / numer)
    }

    #[test]
    fn the_same_rate_changes_nothing() {
        check((299, 20), frames(4, 299, 20), expect!["0x1@0 1x1@1 2x1@2 3x1@3"]);
        // Milliseconds, as in Matroska, and a start that is not 0.
        check((30, 1), [1000, 1033, 1067, 1100].map(|ms| ms * 1_000_000), expect!["0x1@0 1x1@1 2x1@2 3x1@3"]);
    }

    #[test]
    fn frames_without_times_follow_each_other() {
        let (mut grid, rate) = (Grid::default(), (30_000, 1_001));
        let runs = (0..3).filter_map(|n| {
            let shown = grid.next_ns(rate);
            grid.add(rate, n, shown, None)
        });
        assert_eq!(runs.map(|run| (run.at, run.n)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
    }

    #[test]
    fn half_the_rate_is_every_other_frame() {
        check((15, 1), frames(8, 30, 1), expect!["0x1@0 2x1@1 4x1@2 6x1@3"]);
        check((15, 1), [0, 33, 67, 100, 133, 167].map(|ms| ms * 1_000_000), expect!["0x1@0 2x1@1 4x1@2"]);
    }

    #[test]
    fn gaps_are_filled_with_the_frame_before_them() {
        check((10, 1), [0, 100, 500, 600].map(|ms| ms * 1_000_000), expect!["0x1@0 1x4@1 2x1@5 3x1@6"]);
    }

    #[test]
    fn the_length_stays() {
        let n_out = |n, source: (u64, u64), rate| {
            let mut grid = Grid::default();
            let runs: Vec<_> =
                frames(n, source.0, source.1).filter_map(|shown| grid.add(rate, (), shown, None)).collect();
            runs.into_iter().chain(grid.finish(rate)).map(|run| run.n).sum::<u64>()
        };
        let ntsc = (30_000, 1_001);
        assert_eq!([(15, 1), (30, 1), (25, 2), ntsc].map(|rate| n_out(60, ntsc, rate)), [30, 60, 25, 60]);
        assert_eq!(n_out(30, (299, 20), (299, 20)), 30);
        assert_eq!(n_out(1, (25, 1), (10, 1)), 1);
    }
}
