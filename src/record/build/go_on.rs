//! One session, several runs: a run that begins while its streams already play.
//!
//! A search for the density measures each number of lanes as a run of its own, without
//! starting again what plays. The next run knows of such a stream how many of its frames are
//! between decoder and sink, so that its counts are exact, and its video format, which workers
//! report only when it changes. Everything else begins anew, the warm-up too.

use super::{EventBody, RecordBuilder, Setup, Worker};
use crate::record::RunRecord;

impl RecordBuilder {
    /// The run of `setup`, which begins now. Streams and scripts of this one that play go on
    /// under the same name in the same worker; the others have not been started. Workers that
    /// both have are the same. Nothing is left here.
    ///
    /// # Panics
    /// If a stream names a worker that the set-up does not have.
    #[must_use]
    pub fn go_on(&mut self, setup: Setup) -> RecordBuilder {
        let mut next = RecordBuilder::new(setup);
        next.now_us = next.now_us.max(self.now_us);
        for (worker, before) in next.workers.iter_mut().zip(&mut self.workers) {
            let streams = std::mem::take(&mut worker.streams);
            *worker = Worker { streams, now_us: before.now_us, newest: before.newest, ..Worker::default() };
        }
        let timing = self.timing;
        for (id, before) in std::mem::take(&mut self.names) {
            let Some(new_id) = next.names.get(&id).copied() else { continue };
            let (old, new) = (&mut self.streams[before.index()], &mut next.streams[new_id.index()]);
            let index = new.setup.worker;
            if old.setup.worker != index {
                continue;
            }
            let worker = &mut next.workers[index];
            if let Some(playing) = old.clone().go_on(timing, new.clone(), worker.now_us) {
                *new = playing;
                worker.hangs_us = 0;
            }
        }
        for new in &mut next.scripts {
            let old = self.scripts.iter().find(|old| old.setup.stream == new.setup.stream);
            if let Some(running) = old.and_then(|old| old.clone().go_on(new.setup.clone(), next.now_us)) {
                *new = running;
            }
        }
        next.scripts_due_us =
            next.scripts.iter().map(|script| script.due_us(next.timing)).min().unwrap_or(u64::MAX);
        next
    }

    /// The record as if the run were stopped now: the window of each stream ends with its last
    /// report, up to which all of it is known.
    #[must_use]
    pub fn so_far(&self) -> RunRecord {
        let mut copy = self.clone();
        for stream in &mut copy.streams {
            stream.cut(stream.ticked_us);
        }
        copy.interrupt();
        copy.finish()
    }

    /// Whether each stream has had a frame, or has failed.
    #[must_use]
    pub fn have_streams_begun(&self) -> bool {
        self.streams.iter().all(|stream| stream.first_frame_us.is_some() || stream.is_settled())
    }

    /// As [`RecordBuilder::have_streams_begun`], and each script has printed a figure.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.have_streams_begun()
            && self.scripts.iter().all(|script| script.first_figure_us.is_some() || script.is_settled())
    }

    /// The part of the window that has passed of the stream that an event of a worker is about,
    /// in microseconds; `None` before the window begins.
    #[must_use]
    pub fn window_of(&self, worker: usize, body: &EventBody) -> Option<u64> {
        let stream = &self.streams[self.stream_of(worker, body.stream()?)?.index()];
        let (begin, _) = stream.limits(self.timing)?;
        stream.ticked_us.checked_sub(begin)
    }

    /// The longest part of a script's window that has passed, in microseconds.
    #[must_use]
    pub fn script_window_us(&self) -> u64 {
        let passed = |script: &super::Script| self.now_us.checked_sub(script.begin_us(self.timing)?);
        self.scripts.iter().filter_map(passed).max().unwrap_or(0)
    }

    /// The newest time of all: of `lp` and of its workers, in microseconds.
    #[must_use]
    pub fn newest_us(&self) -> u64 {
        let workers = self.workers.iter().map(|worker| worker.now_us);
        workers.fold(self.now_us, u64::max)
    }

    /// Whether a stream or a script has failed or ended, or a worker has died.
    #[must_use]
    pub fn is_spoiled(&self) -> bool {
        self.streams.iter().any(|stream| stream.end.is_some() || stream.failure.is_some())
            || self.scripts.iter().any(|script| script.exit.is_some() || script.failure.is_some())
            || self.workers.iter().any(|worker| worker.death.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Pace;
    use crate::record::fixture::{S, Story, member, scripted, setup};
    use crate::record::seen::Detector;
    use crate::worker::protocol::{ElementMessage, Fates, SourceFrames, VideoFormat};

    const SCAN: &[&str] = &["scan"];

    /// A run until it is stopped of these cameras, each in a worker of its own; origin in seconds.
    fn run(cameras: &[&str], origin_s: u64) -> Setup {
        let members = cameras.iter().enumerate();
        let members = members.map(|(worker, name)| member(name, name, 15.0, &[(SCAN, worker)])).collect();
        Setup { origin_ns: origin_s * 1_000_000_000, ..setup(Pace::Live, 0, 2, cameras, members) }
    }

    /// A second of stream `a/1` that ends then: as many frames leave the decoder and arrive, but two
    /// of them are always in between.
    fn delayed(story: &mut Story, until_s: u64) {
        let times = |from_us: u64| (0..15).map(|n| from_us + n * 66_666).collect::<Vec<u64>>();
        let from_us = (until_s - 1) * S;
        let arrived_us = times(from_us + 2 * 66_666);
        let arrived_us: Vec<u64> = arrived_us.into_iter().take(13).collect();
        let late: Vec<u64> = if until_s == 1 { Vec::new() } else { vec![from_us + 1, from_us + 2] };
        let arrived_us = [late, arrived_us].concat();
        let decoded = 15 * until_s;
        let body = EventBody::Frames {
            stream: "a/1".into(),
            latency_us: vec![Some(1); arrived_us.len()],
            late_us: vec![Some(0); arrived_us.len()],
            arrived_us,
            decoded,
            played: decoded - 2,
            dropped: 0,
            taken_out: 0,
            fates: Box::new(Fates { decoded_us: times(from_us), ..Fates::default() }),
            delivered: Box::default(),
            queues: Default::default(),
            sights: Box::default(),
        };
        story.say(0, until_s * S, body);
    }

    fn stopped(mut story: Story) -> RunRecord {
        let decisions = story.builder.interrupt();
        story.heard(decisions);
        story.told().0
    }

    #[test]
    fn the_frames_of_a_stream_that_goes_on_are_counted_to_the_frame() {
        let mut story = Story::new(run(&["a"], 0));
        (1..=6).for_each(|second| delayed(&mut story, second));
        story.builder = story.builder.go_on(run(&["a", "b"], 6));
        (7..=12).for_each(|second| delayed(&mut story, second));
        story.play(1, "b/1", 7, 12, 15);
        let record = stopped(story);
        let stream = &record.members[0].streams[0];
        let all = (stream.decoded, stream.n_frames(), stream.window_us, &stream.failure, stream.warmup);
        assert_eq!((stream.in_flight_before, stream.in_flight), (3, 2), "{all:?}");
        assert_eq!(stream.in_flight_before + stream.decoded, stream.n_frames() + stream.in_flight);
        // It warms up again, and its life is that of this run.
        assert_eq!(stream.first_frame_us, Some(1));
        assert_eq!(stream.window_us, Some((2 * S + 1, 6 * S)));
        assert_eq!((stream.life.decoded, stream.life.played), (90, 90));
        assert_eq!(stream.asked_us, None);
    }

    #[test]
    fn a_stream_that_goes_on_may_still_hang() {
        let mut story = Story::new(run(&["a"], 0));
        story.play(0, "a/1", 0, 5, 15);
        story.builder = story.builder.go_on(run(&["a"], 5));
        story.say(0, 14 * S, EventBody::Process { cpu_us: 0, rss: 0, files: None });
        assert!(!story.builder.is_spoiled());
        story.say(0, 15 * S, EventBody::Process { cpu_us: 0, rss: 0, files: None });
        assert!(story.builder.is_spoiled());
        assert_eq!(story.decisions, ["a/1 failed: hangs: no frame within 10 s of its start", "stop all"]);
    }

    #[test]
    fn a_look_ends_the_window_of_a_stream_with_its_last_report() {
        let setup = || {
            let members = vec![member("a", "a", 15.0, &[(SCAN, 0), (SCAN, 0)])];
            setup(Pace::Live, 0, 2, &["a"], members)
        };
        let mut story = Story::new(setup());
        for second in 0..8 {
            story.play(0, "a/1", second, second + 1, 15);
            if second < 7 {
                story.play(0, "a/2", second, second + 1, 15);
            }
        }
        let record = story.builder.so_far();
        let windows: Vec<_> = record.members[0].streams.iter().map(|stream| stream.window_us).collect();
        assert_eq!(windows, [Some((2 * S, 8 * S)), Some((2 * S, 7 * S))]);
        assert!(!record.interrupted);
        // It goes on.
        story.play(0, "a/2", 7, 9, 15);
        assert_eq!(story.builder.so_far().members[0].streams[1].window_us, Some((2 * S, 9 * S)));
    }

    #[test]
    fn what_is_told_once_is_known_later() {
        let mut story = Story::new(run(&["a"], 0));
        let video = VideoFormat { width: 640, height: 360, fps: Some(15.0), codec: None };
        let delivered = SourceFrames { video: vec![video.clone()], ..SourceFrames::default() };
        story.deliver("a/1", delivered);
        story.play(0, "a/1", 0, 5, 15);
        story.builder = story.builder.go_on(run(&["a"], 5));
        story.play(0, "a/1", 5, 12, 15);
        let record = stopped(story);
        assert_eq!(record.members[0].streams[0].delivery.as_ref().unwrap().video, [video]);
    }

    #[test]
    fn a_motion_that_began_before_goes_on() {
        let mut setup = run(&["a"], 0);
        setup.members[0].streams[0].detectors =
            vec![Detector { element: "saw".to_owned(), kind: "motioncells".to_owned(), model: None }];
        let mut story = Story::new(setup.clone());
        story.play(0, "a/1", 0, 1, 15);
        let motion = |name: &str| ElementMessage {
            at_us: S,
            element: "saw".to_owned(),
            factory: "motioncells".to_owned(),
            message: "motion".to_owned(),
            stream_time: Some(0),
            fields: [(name.to_owned(), "1".to_owned())].into(),
        };
        let messages = vec![motion("motion_begin")];
        story.say(0, S, EventBody::Messages { stream: "a/1".to_owned(), messages });
        let began = story.builder.clone().finish().members[0].streams[0].seen[0].spans.len();
        story.builder = story.builder.go_on(Setup { origin_ns: 5_000_000_000, ..setup });
        story.play(0, "a/1", 5, 12, 15);
        let record = stopped(story);
        let seen = &record.members[0].streams[0].seen[0];
        assert_eq!((began, seen.spans.len(), seen.events), (1, 1, 0));
    }

    #[test]
    fn what_has_failed_or_is_not_there_does_not_go_on() {
        let mut story = Story::new(run(&["a", "b"], 0));
        story.play(0, "a/1", 0, 5, 15);
        story.play(1, "b/1", 0, 5, 15);
        let decisions = story.builder.worker_exited(1, Some("killed by SIGSEGV"), "");
        story.heard(decisions);
        assert!(story.builder.is_spoiled());
        story.builder = story.builder.go_on(run(&["a", "b"], 5));
        assert!(!story.builder.is_spoiled() && !story.builder.has_begun());
        story.play(0, "a/1", 5, 6, 15);
        story.play(1, "b/1", 5, 6, 15);
        assert!(story.builder.has_begun());
        story.builder = story.builder.go_on(run(&["a"], 6));
        assert_eq!(story.builder.stream_of(1, "b/1"), None);
    }

    #[test]
    fn a_script_that_runs_goes_on() {
        let until_stopped = |origin_s: u64| {
            let members = vec![scripted("c", 15.0, &["a"])];
            Setup { origin_ns: origin_s * 1_000_000_000, ..setup(Pace::Live, 0, 2, &[], members) }
        };
        let mut story = Story::new(until_stopped(0));
        story.builder.script_started(super::super::ScriptId(0), 0);
        story.count(0, 0, 5, 15);
        story.builder = story.builder.go_on(until_stopped(5));
        assert!(!story.builder.has_begun());
        story.count(0, 5, 12, 15);
        assert_eq!(story.builder.script_window_us(), 5 * S);
        let record = stopped(story);
        assert_eq!(record.members[0].scripts[0].window_us, Some((2 * S, 7 * S)));
    }
}
