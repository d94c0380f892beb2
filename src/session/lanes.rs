//! A session whose load changes: each load has the first members of the one before, or goes on
//! from there. What both have plays on; nothing is started again.
//!
//! A load is measured as a run of its own, which begins when all of it plays: so neither the
//! start of new members nor the end of old ones is in any window. If a stream fails or a worker
//! dies, the next load starts from nothing, since who plays what is no longer certain.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::listen::{Heard, Player, Session, Watch};
use super::load::{Load, PipelineLoad};
use super::script::ScriptMessage;
use super::start::{SCRIPT_MESSAGES, offset, start_collectors, start_scripts, start_streams, start_worker};
use super::{Redaction, SessionError};
use crate::os;
use crate::os::process::Cancel;
use crate::record::RunRecord;
use crate::record::build::{ScriptId, Setup};
use crate::stats;
use crate::worker::client::{Worker, WorkerMessage};

/// How long a stream may take to end in a worker that goes on, and a script that was started
/// to print its first figure.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest window when it is looked at first, in seconds: a start that was slower than the others
/// is over by then.
const FIRST_LOOK_S: f64 = 10.0;

/// A session that plays one load after another.
pub struct Stage<'a, P = Worker> {
    session: Session<'a, P>,
    /// A set-up without members.
    nothing: Setup,
    cancel: &'a Cancel,
    open: Box<Open<'a, P>>,
    messages: Receiver<(usize, WorkerMessage)>,
    script_sender: Sender<(ScriptId, ScriptMessage)>,
    said: Receiver<(ScriptId, ScriptMessage)>,
}

/// Starts the worker of this number of a load.
type Open<'a, P> = dyn FnMut(&Load<'_>, usize) -> Result<P, SessionError> + 'a;

/// What [`Stage::watch`] saw.
#[derive(Debug)]
pub enum Watched {
    /// Enough.
    Enough(Box<RunRecord>),
    /// The alarm rang.
    Alarm,
    /// The user wants to stop.
    Interrupted,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing plays. Of `setup`, everything but members and workers counts.
    #[must_use]
    pub fn new(setup: Setup, secrets: &'a Redaction, watch: &'a Watch<'a>, cancel: &'a Cancel) -> Stage<'a> {
        let (sender, messages) = unbounded();
        let open = move |load: &Load<'_>, index: usize| start_worker(load, index, &sender);
        Stage::with(setup, secrets, watch, cancel, Box::new(open), messages)
    }
}

impl<'a, P: Player> Stage<'a, P> {
    fn with(
        setup: Setup,
        secrets: &'a Redaction,
        watch: &'a Watch<'a>,
        cancel: &'a Cancel,
        open: Box<Open<'a, P>>,
        messages: Receiver<(usize, WorkerMessage)>,
    ) -> Stage<'a, P> {
        let nothing = Setup { members: Vec::new(), workers: Vec::new(), ..setup };
        let session = Session::new(nothing.clone(), secrets, watch, Vec::new());
        let (script_sender, said) = bounded(SCRIPT_MESSAGES);
        Stage { session, nothing, cancel, open, messages, script_sender, said }
    }

    /// The newest time of the workers and of `lp`, in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.session.builder().newest_us().max(os::clock::monotonic_ns() / 1000)
    }

    /// The process ids of the workers.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.session.pids()
    }

    /// Plays a load in the place of the one before. Returns when all of it plays, or has failed;
    /// false if the alarm rang before that.
    ///
    /// # Errors
    /// When a worker cannot be started, or the user wants to stop.
    pub fn play(&mut self, load: &Load<'_>, alarm: &mut dyn FnMut() -> bool) -> Result<bool, SessionError> {
        if self.is_spoiled() {
            self.clear();
        }
        let (mut n_streams, mut n_scripts) = self.change(load)?;
        if self.listen(Some(PATIENCE), |session| session.has_changed())? == Heard::Late {
            self.clear();
            (n_streams, n_scripts) = self.change(load)?;
        }
        if !self.start_members(load, n_streams, alarm)? {
            return Ok(false);
        }
        let sender = &self.script_sender;
        start_scripts(&mut self.session, n_scripts, &load.scripts, &mut |id, script, cancel| {
            let (script, sender) = (script.clone(), sender.clone());
            std::thread::spawn(move || script.run(id, &cancel, &sender));
        });
        let mut rang = false;
        let mut is_over = |session: &Session<'_, P>| {
            rang = rang || alarm();
            rang || session.builder().is_spoiled()
        };
        self.listen(None, |session| session.builder().have_streams_begun() || is_over(session))?;
        self.listen(Some(PATIENCE), |session| session.builder().has_begun() || is_over(session))?;
        if !rang && !self.is_spoiled() {
            self.session.go_on(begun_now(load), Vec::new());
            start_collectors(&mut self.session);
        }
        Ok(!rang)
    }

    /// Watches what plays until `judge` has seen enough of its record. It says how long the
    /// longest window of a stream should be when it is asked again, in seconds, or `None`; it is asked at
    /// once if a stream has failed, for the last time.
    pub fn watch(
        &mut self,
        judge: &mut dyn FnMut(&RunRecord) -> Option<f64>,
        alarm: &mut dyn FnMut() -> bool,
    ) -> Watched {
        let mut until_s = FIRST_LOOK_S;
        loop {
            let mut rang = false;
            let heard = self.listen(None, |session| {
                rang = alarm();
                rang || session.builder().is_spoiled() || until_s <= session.window_s()
            });
            match heard {
                Err(_) => return Watched::Interrupted,
                Ok(_) if rang => return Watched::Alarm,
                Ok(_) => {}
            }
            let record = self.session.so_far();
            match judge(&record) {
                Some(again_s) if !self.is_spoiled() => until_s = again_s.max(self.session.window_s() + 1.0),
                _ => return Watched::Enough(Box::new(record)),
            }
        }
    }

    /// Ends everything, and waits for it.
    pub fn clear(&mut self) {
        self.session.go_on(self.nothing.clone(), Vec::new());
        let is_over = |session: &Session<'_, P>| session.has_changed();
        self.session.listen_until(&self.messages, &self.said, &Cancel::never(), None, is_over);
    }

    fn is_spoiled(&self) -> bool {
        self.session.builder().is_spoiled()
    }

    /// Lets the session go on with a load whose further workers are started. The numbers of
    /// streams and scripts that play on.
    fn change(&mut self, load: &Load<'_>) -> Result<(usize, usize), SessionError> {
        let mut players = Vec::new();
        for index in self.session.n_workers()..load.setup.workers.len() {
            if self.cancel.is_cancelled() {
                return Err(SessionError::Cancelled);
            }
            players.push((self.open)(load, index)?);
        }
        let playing = (self.session.n_streams(), self.session.n_scripts());
        self.session.go_on(begun_now(load), players);
        Ok(playing)
    }

    /// Starts the streams from this number on, those of each member a part of a frame's period
    /// after the ones before, so that copies of a camera do not decode in step. False if the alarm
    /// rang.
    fn start_members(
        &mut self,
        load: &Load<'_>,
        n_streams: usize,
        alarm: &mut dyn FnMut() -> bool,
    ) -> Result<bool, SessionError> {
        let of_member = |one: &PipelineLoad| load.setup.member_of(one.streams[0].0).map(|(index, _)| index);
        let is_new = |one: &&PipelineLoad| n_streams <= one.streams[0].0.index();
        let new: Vec<&PipelineLoad> = load.pipelines.iter().filter(is_new).collect();
        for together in new.chunk_by(|a, b| of_member(a) == of_member(b)) {
            if let Some((_, member)) = load.setup.member_of(together[0].streams[0].0) {
                let part = offset(&member.slug) as f64 / 2_f64.powi(64);
                let wait_us = stats::periods_us(part, member.target_fps).min(1_000_000);
                self.listen(Some(Duration::from_micros(wait_us)), |_| false)?;
            }
            if alarm() {
                return Ok(false);
            }
            start_streams(&mut self.session, together.iter().copied());
        }
        Ok(true)
    }

    fn listen(
        &mut self,
        at_most: Option<Duration>,
        is_over: impl FnMut(&Session<'a, P>) -> bool,
    ) -> Result<Heard, SessionError> {
        match self.session.listen_until(&self.messages, &self.said, self.cancel, at_most, is_over) {
            Heard::Cancelled => Err(SessionError::Cancelled),
            heard => Ok(heard),
        }
    }
}

/// The set-up of a load that begins now.
fn begun_now(load: &Load<'_>) -> Setup {
    Setup { origin_ns: os::clock::monotonic_ns(), ..load.setup.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    use super::super::fixture::{camera, exit, frames, load, setup, spec};
    use super::*;
    use crate::pipeline::PipelineSpec;
    use crate::record::build::StreamId;
    use crate::worker::error::WorkerError;
    use crate::worker::protocol::{Keep, StreamName, Tap};

    /// The time in seconds, which is later than that of `lp`, and the streams that play, each with
    /// its worker.
    type Playing = Arc<Mutex<(u64, BTreeMap<StreamName, usize>)>>;

    /// Writes down its orders; its streams play 15 frames a second, faster than in our time.
    struct Puppet {
        index: usize,
        playing: Playing,
        sender: Sender<(usize, WorkerMessage)>,
        orders: Sender<String>,
    }

    fn event(line: &str) -> WorkerMessage {
        WorkerMessage::Event(serde_json::from_str(line).unwrap())
    }

    impl Puppet {
        fn order(&self, order: &str) -> Result<u64, WorkerError> {
            self.orders.send(format!("{} {order}", self.index)).unwrap();
            Ok(7)
        }
    }

    impl Player for Puppet {
        fn start(
            &mut self,
            stream: StreamName,
            _: PipelineSpec,
            _: u64,
            _: Vec<Tap>,
            _: Keep,
        ) -> Result<u64, WorkerError> {
            self.order(&format!("start {stream}"))?;
            if stream.starts_with("bad") {
                let refused = r#"{"at":0,"event":"refused","id":7,"reason":"no device"}"#;
                self.sender.send((self.index, event(refused))).unwrap();
            } else {
                self.playing.lock().unwrap().1.insert(stream, self.index);
            }
            Ok(7)
        }

        fn pid(&self) -> u32 {
            0
        }

        fn stop(&mut self, stream: &str) -> Result<u64, WorkerError> {
            let mut playing = self.playing.lock().unwrap();
            playing.1.remove(stream);
            let at = playing.0 * 1_000_000_000;
            let ended = format!(r#"{{"at":{at},"event":"ended","stream":"{stream}","end":{{"end":"eos"}}}}"#);
            self.sender.send((self.index, event(&ended))).unwrap();
            self.order(&format!("stop {stream}"))
        }

        fn finish(self) {
            let mut playing = self.playing.lock().unwrap();
            playing.1.retain(|_, worker| *worker != self.index);
            self.order("finish").unwrap();
            self.sender.send((self.index, exit())).unwrap();
        }

        fn kill(self) {
            self.finish();
        }
    }

    /// Lets the time of all streams pass until nobody listens.
    fn pass(playing: &Playing, sender: &Sender<(usize, WorkerMessage)>) {
        loop {
            {
                let (second, streams) = &mut *playing.lock().unwrap();
                *second += 1;
                for (stream, worker) in streams {
                    if sender.send((*worker, event(&frames(*second, stream)))).is_err() {
                        return;
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(1));
            if Arc::strong_count(playing) == 1 {
                return;
            }
        }
    }

    /// Plays loads of these cameras one after another; the window of each in seconds, and the orders.
    fn play(workers: &[&[&str]], cameras: &[&[&str]]) -> (Vec<String>, Vec<String>) {
        let (sender, messages) = unbounded();
        let (orders, told) = unbounded();
        let now_s = os::clock::monotonic_ns() / 1_000_000_000;
        let playing = Arc::new(Mutex::new((now_s + 60, BTreeMap::new())));
        let (all, time) = (Arc::clone(&playing), sender.clone());
        std::thread::spawn(move || pass(&all, &time));
        let open = move |_: &Load<'_>, index: usize| {
            let (playing, sender, orders) = (Arc::clone(&playing), sender.clone(), orders.clone());
            Ok(Puppet { index, playing, sender, orders })
        };
        let (secrets, watch, cancel) =
            (Redaction::default(), |_: super::super::Observation<'_>| {}, Cancel::never());
        let until_stopped = |workers: &[&str], cameras: &[&str]| {
            let place = |index: usize| index.min(workers.len() - 1);
            let members = cameras.iter().enumerate().map(|(index, name)| camera(name, place(index), 1));
            let mut setup = setup(workers, &members.collect::<Vec<_>>());
            setup.conditions.duration_ms = 0;
            setup
        };
        let nothing = until_stopped(&["none"], &[]);
        let mut stage: Stage<'_, Puppet> =
            Stage::with(nothing, &secrets, &watch, &cancel, Box::new(open), messages);
        let folder = PathBuf::from("/nonexistent");
        let mut seen = Vec::new();
        for (workers, cameras) in workers.iter().zip(cameras) {
            let setup = until_stopped(workers, cameras);
            let pipelines = (0..u32::try_from(cameras.len()).unwrap()).map(|id| PipelineLoad {
                spec: spec(),
                streams: vec![(StreamId(id), 0)],
                keep: Keep::default(),
            });
            let load = Load { pipelines: pipelines.collect(), ..load(setup, &folder) };
            assert!(stage.play(&load, &mut || false).unwrap());
            let mut looks = 0;
            let mut judge = |_: &RunRecord| {
                looks += 1;
                Some(12.0).filter(|_| looks < 2)
            };
            let Watched::Enough(record) = stage.watch(&mut judge, &mut || false) else {
                panic!("nobody stops it")
            };
            let stream = |stream: &crate::record::StreamRecord| {
                let is_long = stream.window_us.is_some_and(|(begin, end)| end - begin >= 4_000_000);
                let word = match &stream.failure {
                    Some(reason) => reason,
                    None if is_long => "measured",
                    None => "not measured",
                };
                format!("{}: {word}", stream.stream)
            };
            let streams: Vec<String> =
                record.members.iter().flat_map(|member| &member.streams).map(stream).collect();
            seen.push(streams.join(", "));
        }
        stage.clear();
        (seen, told.try_iter().collect())
    }

    #[test]
    fn what_two_loads_have_plays_on() {
        let (seen, orders) = play(&[&["a"], &["a", "b"], &["a"]], &[&["a"], &["a", "b"], &["a"]]);
        assert_eq!(seen, ["a/1: measured", "a/1: measured, b/1: measured", "a/1: measured"]);
        assert_eq!(orders, ["0 start a/1", "1 start b/1", "1 finish", "0 finish"]);
    }

    #[test]
    fn streams_of_a_worker_that_goes_on_are_stopped_alone() {
        let (_, orders) = play(&[&["lane"], &["lane"], &["lane"]], &[&["a"], &["a", "b"], &["a"]]);
        assert_eq!(orders, ["0 start a/1", "0 start b/1", "0 stop b/1", "0 finish"]);
    }

    #[test]
    fn after_a_failure_everything_starts_again() {
        let (seen, orders) = play(&[&["lane"], &["lane"], &["lane"]], &[&["a"], &["a", "bad"], &["a"]]);
        assert_eq!(seen[1].split(", ").last(), Some("bad/1: did not start: no device"));
        assert_eq!(seen[2], "a/1: measured");
        assert_eq!(
            orders,
            ["0 start a/1", "0 start bad/1", "0 stop bad/1", "0 finish", "0 start a/1", "0 finish"]
        );
    }
}
