//! A simulated machine with a known bottleneck, to test the search for it with.
//!
//! A fluid model: each stage of a stream needs CPU time, waiting time, a lock or a part of
//! something shared for each frame. Each resource lets through a share of all frames, and the
//! least of these is what streams get. What is seen of the machine follows from how much of each
//! resource is used, with noise; the rules see no more than that.

use super::*;
use crate::stats::simulated::Random;

/// A part of a stream's work.
#[derive(Clone, Debug)]
struct Stage {
    removal: Option<Removal>,
    /// Seconds for a frame.
    cpu: f64,
    /// Seconds for a frame in which it waits for something that is not shared.
    wait: f64,
    /// Seconds for a frame of something that all streams of the machine share.
    shared: f64,
    /// Whether one stream of a worker works at a time.
    is_locked: bool,
    /// Bytes for a frame.
    written: f64,
}

impl Stage {
    fn new(removal: Option<Removal>, cpu: f64) -> Stage {
        Stage { removal, cpu, wait: 0.0, shared: 0.0, is_locked: false, written: 0.0 }
    }
}

#[derive(Clone, Debug)]
struct Machine {
    cores: f64,
    quota: Option<f64>,
    bound: Option<f64>,
    /// So many lanes fit into the memory.
    memory: f64,
    /// Bytes a second.
    disk: f64,
    fps: f64,
    cameras: u32,
    streams_per_worker: u32,
    /// The first is the decoder.
    stages: Vec<Stage>,
    /// The queue before the steps holds so many frames.
    queue: f64,
    noise: f64,
}

/// What a load gets, and what is seen of it.
struct Played {
    share: f64,
    evidence: Evidence,
}

impl Machine {
    /// Plays so many lanes without something.
    fn play(&self, lanes: u32, removal: &Removal, random: &mut Random) -> Played {
        let is_gone = |stage: &Stage| match removal {
            Removal::Steps => stage.removal.is_some(),
            Removal::Inference => matches!(&stage.removal, Some(Removal::Step(_))),
            other => stage.removal.as_ref() == Some(other),
        };
        let stages: Vec<&Stage> = self.stages.iter().filter(|stage| !is_gone(stage)).collect();
        let steps = &stages[1..];
        let rate = if *removal == Removal::HalfRate { self.fps / 2.0 } else { self.fps };
        let streams = f64::from(lanes * self.cameras);
        let pixels = if *removal == Removal::SmallerFrames { 0.25 } else { 1.0 };
        let (decode, rest): (f64, f64) =
            (stages[0].cpu, pixels * steps.iter().map(|stage| stage.cpu).sum::<f64>());
        let demand = streams * (decode * self.fps + rest * rate);
        let bound = self.bound.filter(|_| *removal != Removal::Binding);
        let usable = [self.quota, bound].into_iter().flatten().fold(self.cores, f64::min);
        let mut jitter = |scale: f64| 1.0 + scale * self.noise * random.normal();

        let threads = if *removal == Removal::DecoderThreads { 2.0 } else { 1.0 };
        let decoder_thread = decode * self.fps / threads;
        let steps_thread: f64 = steps.iter().map(|stage| (stage.cpu + stage.wait) * rate).sum();
        let shared: f64 = streams * steps.iter().map(|stage| stage.shared * rate).sum::<f64>();
        let together =
            if *removal == Removal::SharedWorker { 1.0 } else { f64::from(self.streams_per_worker) };
        let locked = together.min(streams)
            * steps.iter().filter(|stage| stage.is_locked).map(|stage| stage.cpu * rate).sum::<f64>();
        let written = streams * steps.iter().map(|stage| stage.written * rate).sum::<f64>();
        let memory = f64::from(lanes) / self.memory;
        let load = demand / usable;
        // Threads wait the longer for a core the fuller the machine is, so frames bunch up.
        let bunch = 1.0 + 4.0 * load.min(1.0).powi(2);
        let queue = if *removal == Removal::QueueLimits { 8.0 * self.queue } else { self.queue };
        let is_behind = !steps.is_empty();
        let overflow = if is_behind && queue < bunch { 1.0 - 0.06 * (bunch - queue) } else { 1.0 };
        // The decoder comes first; the steps get what it leaves.
        let decoding = streams * decode * self.fps;
        let computed = match demand - decoding {
            _ if demand <= usable => 1.0,
            steps if decoding < usable && 0.0 < steps => (usable - decoding) / steps,
            _ => usable / demand,
        };
        let limits = [
            computed,
            1.0 / decoder_thread,
            1.0 / steps_thread.max(1e-9),
            1.0 / shared.max(1e-9),
            1.0 / locked.max(1e-9),
            self.disk / written.max(1e-9),
            (1.0 / memory).powi(2),
            overflow,
        ];
        let share = limits.into_iter().fold(1.0, f64::min) * jitter(0.2).min(1.0);

        let own = (streams * (decode * self.fps + share * rest * rate)).min(usable) * jitter(1.0);
        let machine = (own / self.cores + 0.02 * jitter(2.0)).min(1.0);
        let full = (own / usable).min(1.0);
        let wait = (if load < 1.0 { 0.6 * full.powi(3) } else { 0.9 }) * jitter(2.0);
        let mut above = |used: f64, most: f64| (if used < 1.0 { 0.02 } else { most }) * jitter(3.0);
        let (disk_wait, disk_busy) = {
            let used = written / self.disk;
            (above(used, 0.5), used.min(1.0) * 0.99)
        };
        let memory_wait = above(memory, 0.3) * if memory < 1.0 { 0.2 } else { 1.0 };
        let throttled = match self.quota {
            Some(_) if 1.0 <= load => Some((0.8 * jitter(1.0)).min(1.0)),
            Some(_) => Some(0.05 * full),
            None => None,
        };
        let busy_of = |core: f64| {
            let mine = usable.min(bound.unwrap_or(self.cores));
            if core < mine { (own / mine).min(1.0) } else { 0.03 }
        };
        let busy: Vec<f64> = (0..self.cores as u32).map(|core| busy_of(f64::from(core))).collect();
        let steps_cpu: f64 = share * rest * rate;
        let hottest = (share * decoder_thread).max(steps_cpu).min(1.0) * jitter(0.5);
        let dropped = ((1.0 - share) * rate * 20.0).max(0.0);
        let evidence = Evidence {
            cores: Some(self.cores),
            bound_to: bound,
            quota: self.quota,
            machine_cpu: Some(machine),
            foreign_cpu: Some(0.01),
            own_cpu: Some(Mean { mean: own / self.cores, error: self.noise * own / self.cores }),
            busy,
            throttled,
            cpu_wait: Some(wait.clamp(0.0, 1.0)),
            memory_wait: Some(memory_wait),
            disk_wait: Some(disk_wait),
            swapping: Some(0.0),
            memory_hits: Some(0.0),
            disk_busy: Some(disk_busy),
            thread: Some(Thread {
                worker: "w".to_owned(),
                name: "queue:src".to_owned(),
                cpu: hottest.min(1.0),
            }),
            engines: Vec::new(),
            queues: vec![Queue {
                name: "queue".to_owned(),
                full: if share < 0.995 { 0.9 } else { 0.05 },
                most: 3,
                dropped: dropped as u64,
            }],
            delivered: Some(1.0),
            processed: Some(share),
            worst: Some(share),
            streams_per_worker: self.streams_per_worker,
        };
        Played { share, evidence }
    }

    /// One lane less than the first number that fails beyond doubt.
    fn density(&self) -> u32 {
        let quiet = Machine { noise: 0.0, ..self.clone() };
        let holds = |lanes: &u32| quiet.play(*lanes, &Removal::Nothing, &mut Random::new(0)).share >= 0.98;
        (1..1_000).take_while(holds).last().unwrap_or(0)
    }

    /// Searches for what limits one lane more than hold. Also how many experiments it took.
    fn search(&self, random: &mut Random) -> (Finding, usize) {
        let holds = self.density();
        let mut applies = vec![
            Removal::Nothing,
            Removal::Steps,
            Removal::HalfRate,
            Removal::SmallerFrames,
            Removal::DecoderThreads,
            Removal::QueueLimits,
        ];
        applies.extend(self.stages.iter().filter_map(|stage| stage.removal.clone()));
        applies.extend(self.bound.map(|_| Removal::Binding));
        applies.extend((1 < self.streams_per_worker).then_some(Removal::SharedWorker));
        let load = Load { holds, applies };
        let base = self.play(holds + 1, &Removal::Nothing, random).evidence;
        let mut seen = Vec::new();
        loop {
            match next_experiment(&load, &base, &seen) {
                Next::Found(finding) => return (finding, seen.len()),
                Next::Try(removal) => {
                    let Played { share, evidence } = self.play(holds + 1, &removal, random);
                    let state = match share {
                        share if share >= 0.99 => State::Holds,
                        share if share < 0.985 => State::Fails,
                        _ => State::Undecided,
                    };
                    seen.push(Experiment { removal, state, evidence });
                }
            }
        }
    }
}

fn step(name: &str) -> Option<Removal> {
    Some(Removal::Step(name.to_owned()))
}

/// A machine without a bottleneck of its own: its CPU is what lanes use up. A step `heavy`
/// takes most of it.
fn plain(random: &mut Random) -> Machine {
    let mut between = |least: f64, most: f64| least + (most - least) * random.fraction();
    let decoder = between(0.002, 0.006);
    let heavy = between(0.012, 0.030);
    let light = between(0.001, 0.003);
    Machine {
        cores: [2.0, 4.0, 8.0][between(0.0, 2.99) as usize],
        quota: None,
        bound: None,
        memory: 1e3,
        disk: 1e12,
        fps: [15.0, 25.0][between(0.0, 1.99) as usize],
        cameras: 1 + between(0.0, 2.99) as u32,
        streams_per_worker: 1,
        stages: vec![
            Stage::new(None, decoder),
            Stage::new(step("light"), light),
            Stage::new(step("heavy"), heavy),
        ],
        queue: 8.0,
        noise: between(0.005, 0.02),
    }
}

/// Cheap steps on many cores, so that something else than the CPU ends first.
fn idle(random: &mut Random) -> Machine {
    let mut machine = plain(random);
    machine.cores = 8.0;
    machine.stages[2].cpu = 0.004;
    machine
}

type Plant = fn(&mut Random) -> Machine;

fn quota(random: &mut Random) -> Machine {
    let machine = plain(random);
    let quota = machine.cores * (0.3 + 0.5 * random.fraction());
    Machine { quota: Some(quota.max(0.8)), ..machine }
}

fn slow_decoder(random: &mut Random) -> Machine {
    let mut machine = plain(random);
    let steps: f64 = machine.stages[1..].iter().map(|stage| stage.cpu).sum();
    machine.stages[0].cpu = steps * (1.6 + random.fraction());
    machine
}

fn blocked_queue(random: &mut Random) -> Machine {
    let mut machine = idle(random);
    machine.stages[2].shared = 0.010 + 0.02 * random.fraction();
    machine
}

fn slow_sink(random: &mut Random) -> Machine {
    let mut machine = idle(random);
    let mut sink = Stage::new(Some(Removal::Sinks), 0.0005);
    sink.shared = 0.010 + 0.02 * random.fraction();
    machine.stages.push(sink);
    machine
}

fn memory(random: &mut Random) -> Machine {
    Machine { memory: 2.0 + 3.0 * random.fraction(), ..idle(random) }
}

fn disk(random: &mut Random) -> Machine {
    let mut machine = idle(random);
    let mut sink = Stage::new(Some(Removal::Sinks), 0.0005);
    sink.written = 1e6;
    machine.stages.push(sink);
    machine.disk = machine.fps * f64::from(machine.cameras) * 1e6 * (1.5 + 3.0 * random.fraction());
    machine
}

fn hot_thread(random: &mut Random) -> Machine {
    let mut machine = plain(random);
    machine.cores = 8.0;
    machine.cameras = 1;
    machine.stages[2].cpu = (1.05 + 0.4 * random.fraction()) / machine.fps;
    machine
}

fn lock(random: &mut Random) -> Machine {
    let mut machine = idle(random);
    machine.cores = 4.0;
    machine.cameras = 2;
    machine.streams_per_worker = 64;
    machine.stages[2].cpu = 0.008 + 0.01 * random.fraction();
    machine.stages[2].is_locked = true;
    machine
}

fn hot_core(random: &mut Random) -> Machine {
    let machine = plain(random);
    Machine { cores: machine.cores.max(4.0), bound: Some(1.0), ..machine }
}

fn small_queue(random: &mut Random) -> Machine {
    let mut machine = Machine { queue: 1.5 + random.fraction(), cores: 8.0, ..plain(random) };
    machine.stages[2].cpu /= 2.0;
    machine
}

/// Steps and decoder cost the same, and nothing but the CPU ends.
fn balanced(random: &mut Random) -> Machine {
    let mut machine = plain(random);
    let cost = 0.004 + 0.004 * random.fraction();
    machine.stages.iter_mut().for_each(|stage| stage.cpu = cost);
    machine.stages.push(Stage::new(step("other"), cost));
    machine
}

const TRIALS: u64 = 200;

/// How many trials of a plant name it by these, the most experiments, and what else was named.
fn trials(plant: Plant, is_right: impl Fn(&Finding) -> bool) -> (u64, usize, Vec<String>) {
    let (mut right, mut most, mut wrong) = (0, 0, Vec::new());
    for seed in 0..TRIALS {
        let mut random = Random::new(seed * 7_919 + 1);
        let machine = plant(&mut random);
        let (finding, n) = machine.search(&mut random);
        most = most.max(n);
        if is_right(&finding) {
            right += 1;
        } else {
            wrong.push(format!("seed {seed}: {finding}: {}", finding.evidence.join("; ")));
        }
    }
    (right, most, wrong)
}

#[test]
fn planted_bottlenecks_are_named() {
    use Resource as R;
    let heavy = super::Stage::Step("heavy".to_owned());
    let plants: [(&str, Plant, R, Option<super::Stage>); 10] = [
        ("CPU quota", quota, R::CpuQuota, Some(heavy.clone())),
        ("slow decoder", slow_decoder, R::Cpu, Some(super::Stage::Decoding)),
        ("blocked queue", blocked_queue, R::BlockedQueue, Some(heavy.clone())),
        ("slow sink", slow_sink, R::Sink, Some(super::Stage::Sinks)),
        ("memory", memory, R::Memory, None),
        ("disk", disk, R::Disk, Some(super::Stage::Sinks)),
        ("hot thread", hot_thread, R::OneThread, Some(heavy.clone())),
        ("lock", lock, R::Lock, Some(heavy.clone())),
        ("hot core", hot_core, R::BoundCores, Some(heavy.clone())),
        ("small queue", small_queue, R::ShortQueue, Some(super::Stage::Queue("queue".to_owned()))),
    ];
    for (name, plant, resource, stage) in plants {
        // A decoder that is too slow for one thread is no less slow.
        let is_named = |finding: &Finding| {
            let is_decoder = stage == Some(super::Stage::Decoding) && finding.resource == R::OneThread;
            (finding.resource == resource || is_decoder) && finding.stage == stage
        };
        let (right, most, wrong) = trials(plant, is_named);
        assert!(
            right * 10 >= TRIALS * 9,
            "{name}: {right} of {TRIALS}, at most {most} experiments\n{}",
            wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
        );
        assert!(most <= MOST_EXPERIMENTS);
    }
}

#[test]
fn nothing_is_named_on_a_balanced_machine() {
    // The CPU is full, which is true; no part of the work is named.
    let (right, _, wrong) =
        trials(balanced, |finding| finding.resource == Resource::Cpu && finding.stage.is_none());
    assert_eq!(right, TRIALS, "{}", wrong.join("\n"));
}

#[test]
fn smaller_pictures_and_other_devices_come_last_and_name_nothing() {
    let mut random = Random::new(2);
    let machine = Machine { noise: 0.0, ..plain(&mut random) };
    let holds = machine.density();
    let gpu = Removal::Device("GPU".to_owned());
    let applies =
        vec![Removal::Steps, Removal::SmallerFrames, gpu.clone(), Removal::Step("heavy".to_owned())];
    let load = Load { holds, applies };
    let base = machine.play(holds + 1, &Removal::Nothing, &mut random).evidence;
    let mut seen: Vec<Experiment> = Vec::new();
    let finding = loop {
        match next_experiment(&load, &base, &seen) {
            Next::Found(finding) => break finding,
            Next::Try(removal) => {
                let Played { share, evidence } = machine.play(holds + 1, &removal, &mut random);
                let state = if share >= 0.99 { State::Holds } else { State::Fails };
                seen.push(Experiment { removal, state, evidence });
            }
        }
    };
    let tried: Vec<&Removal> = seen.iter().map(|one| &one.removal).collect();
    assert_eq!(tried[2..], [&Removal::SmallerFrames, &gpu]);
    assert_eq!(finding.stage, Some(super::Stage::Step("heavy".to_owned())), "{finding}");
    let has = |begin: &str| finding.evidence.iter().any(|line| line.starts_with(begin));
    assert!(has("with a quarter of the pixels: holds, "), "{:?}", finding.evidence);
    assert!(has("on GPU: does not hold"), "{:?}", finding.evidence);
}

#[test]
fn a_load_that_holds_when_it_is_played_again_has_no_limit() {
    for seed in 0..TRIALS {
        let mut random = Random::new(seed);
        let machine = idle(&mut random);
        let base = machine.play(1, &Removal::Nothing, &mut random).evidence;
        let applies =
            vec![Removal::Nothing, Removal::Steps, Removal::Sinks, Removal::Step("heavy".to_owned())];
        let load = Load { holds: 0, applies };
        let mut seen = Vec::new();
        let finding = loop {
            match next_experiment(&load, &base, &seen) {
                Next::Found(finding) => break finding,
                Next::Try(removal) => {
                    let evidence = machine.play(1, &removal, &mut random).evidence;
                    seen.push(Experiment { removal, state: State::Holds, evidence });
                }
            }
        };
        assert_eq!(
            (finding.resource, finding.certainty),
            (Resource::Unknown, Certainty::Unknown),
            "{finding}"
        );
        assert!(seen.len() <= 2, "{seen:?}");
    }
}

#[test]
fn a_disturbed_load_is_not_searched() {
    let mut random = Random::new(1);
    let machine = plain(&mut random);
    let mut base = machine.play(50, &Removal::Nothing, &mut random).evidence;
    base.foreign_cpu = Some(0.2);
    let load = Load { holds: 1, applies: vec![Removal::Steps] };
    let Next::Found(finding) = next_experiment(&load, &base, &[]) else { panic!("it is not played") };
    assert_eq!(finding.to_string(), "limit unknown");
    assert_eq!(finding.evidence[0], "other programs used 20 % of the CPU");
}

#[test]
fn an_experiment_that_cannot_be_played_proves_nothing() {
    let mut random = Random::new(3);
    let machine = slow_sink(&mut random);
    let holds = machine.density();
    let base = machine.play(holds + 1, &Removal::Nothing, &mut random).evidence;
    let applies = vec![Removal::Nothing, Removal::Steps, Removal::Sinks, Removal::Step("heavy".to_owned())];
    let load = Load { holds, applies };
    let mut seen = Vec::new();
    let finding = loop {
        match next_experiment(&load, &base, &seen) {
            Next::Found(finding) => break finding,
            Next::Try(removal) => {
                let evidence = machine.play(holds + 1, &removal, &mut random).evidence;
                let state = if removal == Removal::Nothing { State::Fails } else { State::Broken };
                seen.push(Experiment { removal, state, evidence });
            }
        }
    };
    assert_eq!(finding.resource, Resource::Unknown, "{finding}");
    assert!(finding.evidence.iter().any(|line| line == "only decoding: cannot be played"), "{finding:?}");
}

#[test]
fn a_step_is_not_said_to_wait_where_nothing_is_known_of_the_cpu() {
    let mut random = Random::new(5);
    let machine = blocked_queue(&mut random);
    let lanes = machine.density() + 1;
    let applies = vec![Removal::Nothing, Removal::Steps, Removal::Step("heavy".to_owned())];
    let load = Load { holds: lanes - 1, applies };
    let search = |is_known: bool| {
        let mut random = Random::new(6);
        let mut play = |removal: &Removal| {
            let Played { share, evidence } = machine.play(lanes, removal, &mut random);
            let machine_cpu = evidence.machine_cpu.filter(|_| is_known);
            (if share < 0.985 { State::Fails } else { State::Holds }, Evidence { machine_cpu, ..evidence })
        };
        let (_, base) = play(&Removal::Nothing);
        let mut seen = Vec::new();
        loop {
            match next_experiment(&load, &base, &seen) {
                Next::Found(finding) => return finding.resource,
                Next::Try(removal) => {
                    let (state, evidence) = play(&removal);
                    seen.push(Experiment { removal, state, evidence });
                }
            }
        }
    };
    assert_eq!((search(true), search(false)), (Resource::BlockedQueue, Resource::Unknown));
}
