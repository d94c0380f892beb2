//! Settings on a simulated machine, judged as those of a real one: its frames become a
//! record, and `lp`'s own judges, [`look`] and [`next`] decide.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lp::name::Slug;
use lp::record::density::{SettingRecord, look_of, setting_of};
use lp::record::measure::measure;
use lp::record::{
    Conditions, Host, Isolation, Life, Limits, Member, Pace, RunRecord, SeriesRecord, StreamRecord, VERSION,
};
use lp::search::{Answer, Ask, Goal, Next, Rules, Seen, Setting, look, next};
use lp::stats::steady;
use lp::time::Utc;

use super::machine::{Body, Machine, Player, S, Sample};

/// From the request to play a number of lanes until they play, in seconds.
const START_S: f64 = 3.0;
/// The shortest and the longest warm-up after it: as `auto` it ends when all streams are level.
const LEAST_WARMUP_S: u64 = 4;
pub(crate) const WARMUP_S: u64 = 10;

/// A search on a machine.
pub(crate) struct Found {
    pub(crate) settings: Vec<Setting>,
    pub(crate) answer: Answer,
}

impl Found {
    /// How long it took, in seconds.
    pub(crate) fn took_s(&self) -> f64 {
        self.settings.iter().map(|setting| setting.took_s).sum()
    }
}

/// Searches the density of a machine.
pub(crate) fn search(machine: &Machine, rules: &Rules) -> Found {
    let mut body = Body { heat: 0.0, clock_s: 0.0 };
    let mut playing: Option<(u32, Player<'_>)> = None;
    let mut settings = Vec::new();
    loop {
        let ask = match next(rules, &settings, machine.fits) {
            Next::Answer(answer) => return Found { settings, answer },
            Next::Measure(ask) => ask,
        };
        assert!(machine.fits.is_none_or(|fits| ask.lanes <= fits), "{ask:?} does not fit");
        let nth = settings.len() as u64;
        // Lanes that play go on; fewer leave nothing behind.
        let (start_s, player) = match playing.take() {
            Some((lanes, player)) if lanes == ask.lanes => (0.0, player),
            other => {
                let warm = other.map_or(0, |(lanes, _)| lanes);
                body.clock_s += START_S;
                (START_S, Player::new(machine, ask.lanes, warm, nth, body))
            }
        };
        let asked_us = player.due_us();
        let played = Played::new(machine, player, LEAST_WARMUP_S);
        let spent_s: f64 = settings.iter().map(|setting: &Setting| setting.took_s).sum();
        let (setting, player) = setting(machine, rules, ask, rules.budget_s - spent_s - start_s, played);
        body = player.body();
        let took_s = start_s + (player.due_us() - asked_us) / S;
        settings.push(Setting { took_s, ..setting });
        playing = Some((ask.lanes, player));
    }
}

/// Measures one setting, but for the time that it takes. `left_s`: what is left of the budget.
fn setting<'a>(
    machine: &Machine,
    rules: &Rules,
    ask: Ask,
    left_s: f64,
    mut played: Played<'a>,
) -> (Setting, Player<'a>) {
    let mut window_s = 1.0;
    let state = loop {
        let record = played.until(window_s);
        let measurement = measure(record);
        let seen = look_of(record, &measurement);
        match look(rules, &ask, &seen, left_s - window_s) {
            Seen::Until(at_s) => window_s = at_s,
            Seen::Enough(state) => break state,
        }
    };
    let Played { player, record, .. } = played;
    let measured = SettingRecord {
        lanes: ask.lanes,
        goal: ask.goal,
        state,
        reason: None,
        worst: None,
        span_us: (0, 0),
        record,
    };
    let setting = setting_of(&measured);
    (Setting { cpu: setting.cpu.filter(|_| machine.tells_cpu), ..setting }, player)
}

/// How long it takes to look at a confirmation, in seconds, how often, and how long that lasts.
pub(crate) fn cost(machine: &Machine, rules: &Rules, lanes: u32) -> (f64, u32, f64) {
    let ask = Ask { lanes, goal: Goal::Confirm };
    let player = Player::new(machine, lanes, 0, 0, Body { heat: 0.0, clock_s: 0.0 });
    let mut played = Played::new(machine, player, LEAST_WARMUP_S);
    let (mut took, mut n_looks, mut window_s) = (Duration::ZERO, 0, 1.0);
    loop {
        let record = played.until(window_s);
        let began = Instant::now();
        let seen = look(rules, &ask, &look_of(record, &measure(record)), 0.0);
        took += began.elapsed();
        n_looks += 1;
        match seen {
            Seen::Until(at_s) => window_s = at_s,
            Seen::Enough(_) => return (took.as_secs_f64(), n_looks, window_s),
        }
    }
}

/// A number of lanes that is played, and its record so far.
pub(crate) struct Played<'a> {
    player: Player<'a>,
    pub(crate) record: RunRecord,
    /// Frames by stream that arrive after the end of the window.
    later: Vec<Vec<(u64, i64)>>,
    /// When the windows begin.
    begin_us: u64,
    n_sampled: usize,
}

impl<'a> Played<'a> {
    /// Plays until the streams have warmed up, for at least so long.
    pub(crate) fn new(machine: &'a Machine, player: Player<'a>, least_s: u64) -> Played<'a> {
        let n = player.n_streams();
        let (record, later) = (record(machine, &player), vec![Vec::new(); n]);
        let n_sampled = player.samples.len();
        let asked_us = player.due_us() as u64;
        let mut played = Played { record, player, later, begin_us: 0, n_sampled };
        for second in least_s..=WARMUP_S {
            played.begin_us = asked_us + second * 1_000_000;
            played.play_to(played.begin_us);
            if played.later.iter().all(|frames| is_level(frames, played.begin_us, machine)) {
                break;
            }
        }
        let begin_us = played.begin_us;
        for (member, frames) in played.record.members.iter_mut().zip(&mut played.later) {
            let n_before = frames.partition_point(|(at, _)| *at < begin_us);
            let last = frames[..n_before].partition_point(|(at, _)| at + 1_000_000 < begin_us);
            let mut late: Vec<i64> = frames[last..n_before].iter().map(|(_, late)| *late).collect();
            late.sort_unstable();
            member.streams[0].delay_us = late.get(late.len().saturating_sub(1) / 2).copied();
            frames.drain(..n_before);
        }
        played
    }

    /// Plays all frames that arrive until then, and of each stream one that arrives later.
    fn play_to(&mut self, end_us: u64) {
        let is_open = |frames: &Vec<(u64, i64)>| frames.last().is_none_or(|(at, _)| *at < end_us);
        while self.player.due_us() < end_us as f64 || self.later.iter().any(is_open) {
            let frame = self.player.frame();
            let arrived_us = frame.arrived_us as u64;
            self.later[frame.stream].push((arrived_us, arrived_us as i64 - frame.due_us as i64));
        }
    }

    /// Plays until all windows have this length, and gives the record.
    pub(crate) fn until(&mut self, window_s: f64) -> &RunRecord {
        let (begin_us, end_us) = (self.begin_us, self.begin_us + (window_s * S) as u64);
        self.play_to(end_us);
        for (member, later) in self.record.members.iter_mut().zip(&mut self.later) {
            let stream = &mut member.streams[0];
            let n_arrived = later.partition_point(|(at, _)| *at < end_us);
            for (at, late) in later.drain(..n_arrived) {
                stream.arrived_us.push(at);
                stream.latency_us.push(None);
                stream.late_us.push(Some(late));
            }
            stream.decoded = stream.arrived_us.len() as u64;
            stream.window_us = Some((begin_us, end_us));
            stream.after_us = later.first().map(|(at, late)| (*at, Some(*late)));
        }
        let n_seconds = (end_us / 1_000_000) as usize;
        while self.n_sampled < n_seconds.min(self.player.samples.len()) {
            let sample = self.player.samples[self.n_sampled];
            self.n_sampled += 1;
            let at_us = self.n_sampled as u64 * 1_000_000;
            for (series, value) in self.record.series.iter_mut().zip(values(&sample)) {
                series.at_us.push(at_us);
                series.values.push(value);
            }
        }
        &self.record
    }
}

/// Whether the lateness of the last frames that arrived does not change.
fn is_level(frames: &[(u64, i64)], now_us: u64, machine: &Machine) -> bool {
    let arrived = &frames[..frames.partition_point(|(at, _)| *at < now_us)];
    let last = arrived.len().saturating_sub(steady::LEAST_VALUES);
    let late: Vec<f64> = arrived[last..].iter().map(|(_, late)| *late as f64).collect();
    steady::is_level(&late, machine.period_us() / 4.0)
}

/// The series of a record, in the order of [`SERIES`].
fn values(sample: &Sample) -> [f64; 8] {
    let busy = sample.own + sample.foreign;
    [
        busy,
        sample.own,
        0.0,
        0.001,
        sample.foreign,
        sample.foreign,
        3e9 * sample.speed,
        40.0 + 50.0 * sample.heat,
    ]
}

const SERIES: [(&str, &str); 8] = [
    ("machine.cpu", "1"),
    ("cpu.workers", "1"),
    ("cpu.scripts", "1"),
    ("cpu.lp", "1"),
    ("cpu.others", "1"),
    ("cpu.foreign", "1"),
    ("cpu.frequency", "Hz"),
    ("temperature.x86_pkg_temp", "Cel"),
];

/// A record of streams in which nothing has happened yet.
fn record(machine: &Machine, player: &Player<'_>) -> RunRecord {
    let member = |nth: usize| {
        let (lane, camera) = player.place(nth);
        let camera = camera + 1;
        let slug = Slug::of(&format!("camera-{camera}-l{lane}")).unwrap();
        let stream = format!("{}/1", slug.as_str());
        Member {
            camera: format!("camera-{camera}"),
            slug,
            target_fps: machine.fps,
            configured: None,
            dialect: None,
            clip: None,
            streams: vec![stream_record(stream)],
            scripts: Vec::new(),
            left_out: Vec::new(),
        }
    };
    let series = |(name, unit): (&str, &str)| SeriesRecord {
        name: name.to_owned(),
        unit: unit.to_owned(),
        at_us: Vec::new(),
        values: Vec::new(),
    };
    RunRecord {
        version: VERSION,
        subject: "lane".to_owned(),
        started: Utc::from_unix_millis(1_795_502_520_000),
        utc_offset_s: None,
        tag: None,
        provenance: None,
        conditions: Conditions {
            duration_ms: 0,
            warmup_ms: WARMUP_S * 1000,
            warmup_is_auto: false,
            pace: Pace::Live,
            isolation: Isolation::Lane,
            count: 1,
            repeat: 1,
            decode_only: false,
            traced: false,
            impair: None,
            limits: Limits::default(),
        },
        host: Host { facts: [("cpus".to_owned(), machine.cores.to_string())].into() },
        idle: None,
        members: (0..player.n_streams()).map(member).collect(),
        series: SERIES.into_iter().map(series).collect(),
        workers: Vec::new(),
        programs: Vec::new(),
        missing: BTreeMap::new(),
        collectors: Vec::new(),
        interrupted: false,
        inputs_changed: Vec::new(),
        other_counts: Vec::new(),
        imported: None,
        thresholds: Vec::new(),
        searches: Vec::new(),
        server: None,
    }
}

fn stream_record(stream: String) -> StreamRecord {
    StreamRecord {
        stream,
        index: Some(1),
        workloads: vec!["scan".to_owned()],
        steps: Vec::new(),
        shares_decode_with: Vec::new(),
        asked_us: Some(0),
        first_frame_us: Some(0),
        warmup: None,
        delay_us: None,
        window_us: None,
        arrived_us: Vec::new(),
        latency_us: Vec::new(),
        late_us: Vec::new(),
        after_us: None,
        dropped_us: Vec::new(),
        long: None,
        decoded: 0,
        dropped: 0,
        taken_out: 0,
        dropped_at: BTreeMap::new(),
        taken_out_at: BTreeMap::new(),
        copied_at: BTreeMap::new(),
        in_flight_before: 0,
        in_flight: 0,
        queues: BTreeMap::new(),
        stages: None,
        delivery: None,
        life: Life::default(),
        sightings: Vec::new(),
        sightings_left_out: 0,
        seen: Vec::new(),
        expected: Vec::new(),
        compared: Vec::new(),
        snapshot: None,
        impaired: None,
        place: None,
        end: None,
        failure: None,
    }
}
