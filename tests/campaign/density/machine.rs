//! A simulated machine that plays lanes, frame by frame.
//!
//! Every camera of every lane has a frame due each period. Frames wait for a free core in the
//! order in which they are due, a camera has no two at once, and each needs a core for its
//! service time. What the machine does besides is in [`Machine`]. Times are in microseconds.

use std::collections::VecDeque;

use crate::random::Random;

pub(crate) const S: f64 = 1e6;
/// How long a stall lasts, and how far stalls are apart on average.
pub(crate) const STALL_S: f64 = 1.0;
pub(crate) const STALLS_APART_S: f64 = 60.0;
/// Frames that cold caches make slow take so many times as long.
const DIP: f64 = 2.0;
/// So much more work a number of lanes that is an exception makes.
const HOLE: f64 = 1.6;
/// By so many periods the frames of a worse copy take longer: such a frame is late, the next is not.
const WORSE_PERIODS: f64 = 1.5;
/// Values of a table of service times.
const VALUES: usize = 4096;

/// How service times vary around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Noise {
    /// Log-normal with this sigma, each for itself.
    Independent(f64),
    /// Besides, the scene of each camera makes its frames slower or faster for some seconds:
    /// log-normal with this sigma, as an autoregressive process with this time in seconds.
    Correlated(f64, f64),
    /// Besides, one frame in 1,000 takes eight times as long.
    HeavyTailed(f64),
}

/// A machine that gets hot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thermal {
    /// The temperature follows the load with this time constant, in seconds.
    pub(crate) tau_s: f64,
    /// So much slower it is in the end at full load.
    pub(crate) slowdown: f64,
}

/// Other programs, by turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Foreign {
    /// So long it is quiet, and so long not.
    pub(crate) quiet_s: f64,
    pub(crate) busy_s: f64,
    /// The share of all cores that they take.
    pub(crate) share: f64,
}

/// A copy of the first camera that is worse than the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Worse {
    /// That of this lane, from 1.
    pub(crate) lane: u32,
    /// The share of its frames that take [`WORSE_PERIODS`] longer.
    pub(crate) share: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) seed: u64,
    pub(crate) cores: usize,
    pub(crate) fps: f64,
    /// The mean service time of a frame of each camera of a lane.
    pub(crate) work_us: Vec<f64>,
    pub(crate) noise: Noise,
    /// From so many lanes on, everything stops for a second now and then.
    pub(crate) stalls_from: Option<u32>,
    /// How long the caches of a new lane are cold, in seconds.
    pub(crate) dip_s: f64,
    pub(crate) thermal: Option<Thermal>,
    /// A number of lanes that is an exception, such as one more than there are caches.
    pub(crate) hole: Option<u32>,
    pub(crate) foreign: Option<Foreign>,
    pub(crate) worse: Option<Worse>,
    /// The most lanes for which there is memory.
    pub(crate) fits: Option<u32>,
    /// Whether the CPU time of lanes is measured.
    pub(crate) tells_cpu: bool,
}

impl Machine {
    /// Lanes for which there is CPU time, stalls and heat aside; need not be whole.
    pub(crate) fn capacity(&self) -> f64 {
        self.cores as f64 * S / (self.fps * self.work_us.iter().sum::<f64>())
    }

    pub(crate) fn period_us(&self) -> f64 {
        S / self.fps
    }

    fn stalls_at(&self, lanes: u32) -> bool {
        self.stalls_from.is_some_and(|from| from <= lanes)
    }
}

/// A frame that came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) stream: usize,
    pub(crate) due_us: f64,
    pub(crate) arrived_us: f64,
}

/// A camera of a lane.
struct Stream {
    /// From 1, and from 0.
    lane: u32,
    camera: usize,
    phase_us: f64,
    work_us: f64,
    /// Until then its caches are cold.
    warm_us: f64,
    free_us: f64,
    /// The logarithm of what its scene makes of its service times.
    scene: f64,
}

/// The state of the machine that outlives settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// From 0 (cold) to 1 (full load for ever).
    pub(crate) heat: f64,
    /// Time since the session began.
    pub(crate) clock_s: f64,
}

/// What is sampled once a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) own: f64,
    pub(crate) foreign: f64,
    pub(crate) heat: f64,
    pub(crate) speed: f64,
}

/// A number of lanes being played.
pub(crate) struct Player<'a> {
    machine: &'a Machine,
    random: Random,
    /// Factors of service times, one of which is drawn for each frame.
    table: Vec<f64>,
    /// When each core is free.
    cores: Vec<f64>,
    streams: Vec<Stream>,
    turn: usize,
    cycle: u64,
    has_stalls: bool,
    /// Whether it is not always equally fast.
    has_speeds: bool,
    /// When stalls begin, those that are over left out.
    stalls: VecDeque<f64>,
    /// The end of the last one that is known.
    stalled_us: f64,
    /// Makes all frames slower.
    factor: f64,
    body: Body,
    began_s: f64,
    /// Service time since the last sample, and all samples.
    used_us: f64,
    sampled_us: f64,
    pub(crate) samples: Vec<Sample>,
}

impl<'a> Player<'a> {
    /// `lanes` that play, of which those after the first `warm` begin now; `seed` tells this time
    /// from others.
    pub(crate) fn new(machine: &'a Machine, lanes: u32, warm: u32, seed: u64, body: Body) -> Player<'a> {
        let mut random = Random::new(Random::case_seed(machine.seed, "player", seed));
        let (sigma, heavy) = match machine.noise {
            Noise::Independent(sigma) => (sigma, false),
            Noise::Correlated(..) => (0.1, false),
            Noise::HeavyTailed(sigma) => (sigma, true),
        };
        let mut table: Vec<f64> = (0..VALUES).map(|_| (sigma * normal(&mut random)).exp()).collect();
        if heavy {
            table.iter_mut().step_by(1000).for_each(|value| *value = 8.0);
        }
        let mean = table.iter().sum::<f64>() / VALUES as f64;
        table.iter_mut().for_each(|value| *value /= mean);
        let mut streams: Vec<Stream> = (0..lanes)
            .flat_map(|lane| {
                machine.work_us.iter().enumerate().map(move |(camera, work_us)| (lane, camera, *work_us))
            })
            .map(|(lane, camera, work_us)| {
                let phase_us = random.fraction() * machine.period_us();
                let warm_us = if lane < warm { 0.0 } else { machine.dip_s * S };
                Stream { lane: lane + 1, camera, phase_us, work_us, warm_us, free_us: 0.0, scene: 0.0 }
            })
            .collect();
        // So that frames are due in the order of streams.
        streams.sort_by(|a, b| a.phase_us.total_cmp(&b.phase_us));
        Player {
            machine,
            random,
            table,
            cores: vec![0.0; machine.cores],
            streams,
            turn: 0,
            cycle: 0,
            has_stalls: machine.stalls_at(lanes),
            has_speeds: machine.thermal.is_some() || machine.foreign.is_some(),
            stalls: VecDeque::new(),
            stalled_us: 0.0,
            factor: if machine.hole == Some(lanes) { HOLE } else { 1.0 },
            body,
            began_s: body.clock_s,
            used_us: 0.0,
            sampled_us: 0.0,
            samples: Vec::new(),
        }
    }

    /// The number of streams; `Frame::stream` counts them.
    pub(crate) fn n_streams(&self) -> usize {
        self.streams.len()
    }

    /// The lane of a stream, from 1, and its camera, from 0.
    pub(crate) fn place(&self, stream: usize) -> (u32, usize) {
        let Stream { lane, camera, .. } = self.streams[stream];
        (lane, camera)
    }

    /// When the next frame is due.
    pub(crate) fn due_us(&self) -> f64 {
        self.streams[self.turn].phase_us + self.cycle as f64 * self.machine.period_us()
    }

    /// The machine as it is now.
    pub(crate) fn body(&self) -> Body {
        self.body
    }

    /// Plays the next frame.
    pub(crate) fn frame(&mut self) -> Frame {
        let (stream, due_us) = (self.turn, self.due_us());
        while self.sampled_us + S <= due_us {
            self.sample();
        }
        self.turn += 1;
        if self.turn == self.streams.len() {
            (self.turn, self.cycle) = (0, self.cycle + 1);
        }
        let mut service_us = self.streams[stream].work_us * self.noise(stream) * self.factor;
        service_us += self.hitch_us(stream);
        self.used_us += service_us;
        if due_us < self.streams[stream].warm_us {
            service_us *= DIP;
        }
        if self.has_speeds {
            service_us /= self.speed();
        }
        let mut core = 0;
        for other in 1..self.cores.len() {
            if self.cores[other] < self.cores[core] {
                core = other;
            }
        }
        let begin_us = due_us.max(self.streams[stream].free_us).max(self.cores[core]);
        let arrived_us = self.end_us(begin_us, service_us, due_us);
        self.cores[core] = arrived_us;
        self.streams[stream].free_us = arrived_us;
        Frame { stream, due_us, arrived_us }
    }

    /// How much longer a frame takes because its stream is a worse copy.
    fn hitch_us(&mut self, stream: usize) -> f64 {
        let Some(worse) = self.machine.worse else { return 0.0 };
        let is_worse = self.place(stream) == (worse.lane, 0);
        if is_worse && self.random.fraction() < worse.share {
            WORSE_PERIODS * self.machine.period_us()
        } else {
            0.0
        }
    }

    /// The factor of a service time.
    fn noise(&mut self, stream: usize) -> f64 {
        let drawn = self.table[self.random.next() as usize % VALUES];
        let Noise::Correlated(sigma, seconds) = self.machine.noise else { return drawn };
        let kept = (-1.0 / (seconds * self.machine.fps)).exp();
        let fresh = (1.0 - kept * kept).sqrt() * sigma;
        let scene = &mut self.streams[stream].scene;
        *scene = kept * *scene + fresh * normal(&mut self.random);
        drawn * (*scene - sigma * sigma / 2.0).exp()
    }

    /// How fast the cores are for the lanes.
    fn speed(&self) -> f64 {
        let cold = self.machine.thermal.map_or(1.0, |thermal| 1.0 - thermal.slowdown * self.body.heat);
        cold * (1.0 - self.foreign())
    }

    /// The share of all cores that other programs take now.
    fn foreign(&self) -> f64 {
        let Some(foreign) = self.machine.foreign else { return 0.0 };
        let at_s = self.body.clock_s % (foreign.quiet_s + foreign.busy_s);
        if at_s < foreign.quiet_s { 0.0 } else { foreign.share }
    }

    /// A second is over.
    fn sample(&mut self) {
        let foreign = self.foreign();
        let cold = self.speed() / (1.0 - foreign);
        let own = (self.used_us / cold / S / self.cores.len() as f64).min(1.0 - foreign);
        if let Some(thermal) = self.machine.thermal {
            self.body.heat += ((own + foreign).min(1.0) - self.body.heat) / thermal.tau_s;
        }
        self.samples.push(Sample { own, foreign, heat: self.body.heat, speed: cold });
        self.used_us = 0.0;
        self.sampled_us += S;
        self.body.clock_s = self.began_s + self.sampled_us / S;
    }

    /// When a service that begins then ends, stalls added. No later one begins before `due_us`.
    fn end_us(&mut self, begin_us: f64, service_us: f64, due_us: f64) -> f64 {
        if !self.has_stalls {
            return begin_us + service_us;
        }
        let length_us = STALL_S * S;
        while self.stalls.front().is_some_and(|at| at + length_us < due_us) {
            self.stalls.pop_front();
        }
        let (mut at_us, mut left_us, mut index) = (begin_us, service_us, 0);
        loop {
            if index == self.stalls.len() {
                let gap_us = -(1.0 - self.random.fraction()).ln() * STALLS_APART_S * S;
                self.stalls.push_back(self.stalled_us + gap_us);
                self.stalled_us += gap_us + length_us;
            }
            let stall_us = self.stalls[index];
            if at_us + left_us <= stall_us {
                return at_us + left_us;
            }
            left_us -= (stall_us - at_us).max(0.0);
            at_us = at_us.max(stall_us + length_us);
            index += 1;
        }
    }
}

/// Normal with mean 0 and variance 1: the sum of twelve uniform ones less six (Irwin and Hall).
pub(crate) fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0
}
