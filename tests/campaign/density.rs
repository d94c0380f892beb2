//! Searches for the density on simulated machines, whose truth is known: how often an answer
//! is wrong, a range or exact, and how long it takes beside upstream's way.
//!
//! Frames are simulated one by one and judged by `lp`'s own judges. The whole part is
//! 1,000 machines with independent noise and 1,000 with stalls, and 100 of each other kind; it is
//! for a release build:
//!
//! ```text
//! LP_CAMPAIGN_FULL=1 LP_CAMPAIGN_PART=density cargo test --release --test campaign
//! ```
//! `LP_CAMPAIGN_MACHINES=100` takes no more of each kind, `LP_CAMPAIGN_BUDGET=60` gives each search an hour, and
//! `LP_CAMPAIGN_ONLY=bursty` takes one kind. Without `LP_CAMPAIGN_FULL` it takes a few small machines of each kind. `LP_CAMPAIGN_CASE`
//! repeats one machine, and prints its settings.

mod machine;
mod session;
mod truth;
mod upstream;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use lp::search::{Rules, Setting, State};

use crate::random::Random;
use crate::say;
use machine::{Foreign, Machine, Noise, Thermal, Worse};
use truth::Length;

pub(crate) const NAME: &str = "density";

/// The most lanes that are tried.
const MAX: u32 = 96;
/// The budget of `lp density`, in minutes.
const BUDGET_MIN: f64 = 30.0;
const FPS: f64 = 15.0;

/// What `lp density` is asked by default, but for `max`.
fn rules() -> Rules {
    let minutes = std::env::var("LP_CAMPAIGN_BUDGET").ok().and_then(|n| n.parse().ok()).unwrap_or(BUDGET_MIN);
    Rules { confidence: 0.95, max: MAX, budget_s: 60.0 * minutes, on_time: 0.99 }
}

/// A kind of machine, and what is asked of the answers.
struct Kind {
    name: &'static str,
    /// Machines of the whole part.
    whole: usize,
    /// Whether the figures that are promised are those of this kind; else only that no more
    /// answers are too large than the confidence says, and that none is much too large.
    is_promised: bool,
    make: fn(&mut Random, Machine) -> Machine,
}

const KINDS: [Kind; 10] = [
    Kind { name: "independent", whole: 1000, is_promised: true, make: |_, machine| machine },
    Kind { name: "bursty", whole: 1000, is_promised: true, make: bursty },
    Kind { name: "deep bursty", whole: 100, is_promised: false, make: deep_bursty },
    Kind { name: "correlated", whole: 100, is_promised: false, make: correlated },
    Kind { name: "heavy-tailed", whole: 100, is_promised: false, make: heavy_tailed },
    Kind { name: "hot", whole: 100, is_promised: false, make: hot },
    Kind { name: "with a hole", whole: 100, is_promised: false, make: with_hole },
    Kind { name: "with a worse copy", whole: 100, is_promised: false, make: with_worse_copy },
    Kind { name: "disturbed", whole: 100, is_promised: false, make: disturbed },
    Kind { name: "silent", whole: 100, is_promised: false, make: silent },
];

/// A machine of one to sixteen cores and lanes of one to three cameras, with cores for up to
/// `most` lanes.
fn plain(random: &mut Random, seed: u64, most: f64) -> Machine {
    let capacity = 0.4 + random.fraction() * most;
    let n_cameras = random.between(1, 3);
    // A camera of which a frame takes longer than a period holds on no machine.
    let most_cores = (capacity * n_cameras as f64 * 0.5).clamp(1.0, 16.0);
    let cores = *random.pick(&[1, 2, 4, 6, 8, 16].map(|cores| cores.min(most_cores as usize)));
    let weights: Vec<f64> = (0..n_cameras).map(|_| 0.7 + 0.6 * random.fraction()).collect();
    let unit_us = cores as f64 * 1e6 / FPS / capacity / weights.iter().sum::<f64>();
    Machine {
        seed,
        cores,
        fps: FPS,
        work_us: weights.into_iter().map(|weight| weight * unit_us).collect(),
        noise: Noise::Independent(0.1 + 0.3 * random.fraction()),
        stalls_from: None,
        dip_s: if random.percent(50) { random.fraction() } else { 0.0 },
        thermal: None,
        hole: None,
        foreign: None,
        worse: None,
        fits: None,
        tells_cpu: true,
    }
}

/// Stalls from some load on, near the border or above it, or at any load.
fn bursty(random: &mut Random, machine: Machine) -> Machine {
    let load = if random.percent(10) { 0.0 } else { 0.75 + 0.45 * random.fraction() };
    let from = (load * machine.capacity()).ceil().max(1.0) as u32;
    Machine { stalls_from: Some(from), ..machine }
}

/// Stalls far below the border, which no figure of the machine foretells.
fn deep_bursty(random: &mut Random, machine: Machine) -> Machine {
    let from = (0.75 * random.fraction() * machine.capacity()).ceil().max(1.0) as u32;
    Machine { stalls_from: Some(from), ..machine }
}

fn correlated(random: &mut Random, machine: Machine) -> Machine {
    let (sigma, seconds) = (0.1 + 0.2 * random.fraction(), 0.5 + 4.0 * random.fraction());
    Machine { noise: Noise::Correlated(sigma, seconds), ..machine }
}

fn heavy_tailed(random: &mut Random, machine: Machine) -> Machine {
    Machine { noise: Noise::HeavyTailed(0.1 + 0.2 * random.fraction()), ..machine }
}

fn hot(random: &mut Random, machine: Machine) -> Machine {
    let thermal =
        Thermal { tau_s: 30.0 + 90.0 * random.fraction(), slowdown: 0.05 + 0.2 * random.fraction() };
    Machine { thermal: Some(thermal), ..machine }
}

/// One number of lanes fails, though greater ones hold.
fn with_hole(random: &mut Random, machine: Machine) -> Machine {
    let most = machine.capacity() as usize;
    let hole = random.between(2, most.saturating_sub(1).max(2)) as u32;
    Machine { hole: Some(hole), ..machine }
}

/// One copy of a camera has late frames of its own, about as many as it may have.
fn with_worse_copy(random: &mut Random, machine: Machine) -> Machine {
    let lane = random.between(1, (machine.capacity() as usize).max(1)) as u32;
    let share = 0.003 * 8.0_f64.powf(random.fraction());
    Machine { worse: Some(Worse { lane, share }), ..machine }
}

/// Other programs for some seconds now and then.
fn disturbed(random: &mut Random, machine: Machine) -> Machine {
    let foreign = Foreign {
        quiet_s: 60.0 + 300.0 * random.fraction(),
        busy_s: 3.0 + 20.0 * random.fraction(),
        share: 0.2 + 0.5 * random.fraction(),
    };
    Machine { foreign: Some(foreign), ..machine }
}

/// Without figures of the CPU, and with memory for some lanes.
fn silent(random: &mut Random, machine: Machine) -> Machine {
    let fits = (machine.capacity() * (0.5 + random.fraction())).ceil() as u32;
    Machine { tells_cpu: false, fits: random.percent(50).then_some(fits), ..machine }
}

/// A search and what is true.
struct Outcome {
    case: u64,
    truth: u32,
    at_least: u32,
    at_most: Option<u32>,
    /// Whether nothing but the guard or `max` keeps it from being a number.
    is_capped: bool,
    is_told: bool,
    n_settings: usize,
    took_s: f64,
    upstream_s: f64,
}

impl Outcome {
    fn of(kind: &Kind, case: u64, most: f64) -> Outcome {
        let mut random = Random::new(case);
        let plain = plain(&mut random, case, most);
        let machine = (kind.make)(&mut random, plain);
        let found = session::search(&machine, &rules());
        let quiet = Machine { foreign: None, ..machine.clone() };
        let truth = truth::truth(&quiet, MAX);
        let (upstream_s, _) = upstream::search(&quiet, MAX);
        let answer = &found.answer;
        let most_lanes = machine.fits.map_or(MAX, |fits| fits.min(MAX));
        Outcome {
            case,
            truth,
            at_least: answer.at_least,
            at_most: answer.at_most,
            is_capped: answer.at_least == most_lanes,
            is_told: machine.hole.is_none_or(|hole| {
                let failed = |one: &Setting| one.lanes == hole && one.state == State::Fails;
                let is_below = hole < answer.at_least && found.settings.iter().any(failed);
                answer.not_monotone.contains(&hole) == is_below
            }),
            n_settings: found.settings.len(),
            took_s: found.took_s(),
            upstream_s,
        }
    }

    fn exact(&self) -> Option<u32> {
        (self.is_capped || self.at_most == Some(self.at_least)).then_some(self.at_least)
    }

    fn is_false(&self) -> bool {
        self.at_least > self.truth
    }

    fn is_near(&self) -> bool {
        self.exact().is_some_and(|lanes| lanes.abs_diff(self.truth) <= 1)
    }

    /// Whether a range is no wider than max(2, 10 %).
    fn is_narrow(&self) -> bool {
        let width = self.at_most.map_or(u32::MAX, |most| most - self.at_least);
        f64::from(width) <= (0.1 * f64::from(self.truth)).max(2.0)
    }
}

/// All kinds, or the one that is asked for.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    let only = std::env::var("LP_CAMPAIGN_ONLY").ok();
    KINDS.iter().filter(move |kind| only.as_ref().is_none_or(|only| kind.name == only))
}

/// Runs the part. Whether all figures are as they should be.
pub(crate) fn run(seed: u64, is_full: bool, case: Option<u64>) -> bool {
    if let Some(case) = case {
        return again(case, is_full);
    }
    let mut is_well = is_truth_that_of_the_judges(seed, if is_full { 20 } else { 2 });
    if is_full {
        tell_costs();
    }
    for kind in kinds() {
        let began = Instant::now();
        // A debug build takes the time of the whole part for some machines.
        let n = if is_full { kind.whole.min(most_machines()) } else { FEW };
        let outcomes = outcomes(kind, seed, n, most(is_full));
        is_well &= report(kind, &outcomes, began.elapsed().as_secs());
    }
    is_well
}

/// Says what looking at a confirmation costs, all looks together, as a share of one core.
fn tell_costs() {
    for lanes in [60_u32, 300] {
        let mut random = Random::new(7);
        let lane = plain(&mut random, 7, 4.0);
        let work_us = vec![0.9e6 / FPS / f64::from(lanes)];
        let machine = Machine { cores: 1, work_us, dip_s: 0.0, ..lane };
        let (took_s, n_looks, window_s) = session::cost(&machine, &rules(), lanes);
        say(&format!(
            "campaign: density: {lanes} streams, {window_s:.0} s: {n_looks} looks take {took_s:.2} s, {:.2} % of one core",
            100.0 * took_s / window_s
        ));
    }
}

/// Machines after which the campaign says where it is.
const EVERY: usize = 100;

/// Machines of each kind in `cargo test`.
const FEW: usize = 4;

/// `LP_CAMPAIGN_MACHINES`: no more of each kind.
fn most_machines() -> usize {
    std::env::var("LP_CAMPAIGN_MACHINES").ok().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
}

/// Lanes of the largest machines.
fn most(is_full: bool) -> f64 {
    if is_full { 64.5 } else { 4.5 }
}

/// One machine of each kind again, with its settings.
fn again(case: u64, is_full: bool) -> bool {
    for kind in kinds() {
        let mut random = Random::new(case);
        let plain = plain(&mut random, case, most(is_full));
        let machine = (kind.make)(&mut random, plain);
        say(&format!("{}: capacity {:.2}, {machine:?}", kind.name, machine.capacity()));
        let found = session::search(&machine, &rules());
        for one in &found.settings {
            let cpu = one.cpu.map_or("-".to_owned(), |cpu| format!("{:.1} %", cpu * 100.0));
            say(&format!(
                "  {:?} {} {:?}: {:.0} s, judged {:.0} s, CPU {cpu}",
                one.goal, one.lanes, one.state, one.took_s, one.judged_s
            ));
        }
        let quiet = Machine { foreign: None, ..machine };
        say(&format!("  {:?}; truth {}", found.answer, truth::truth(&quiet, MAX)));
    }
    true
}

/// Machines by the threads that there are.
fn outcomes(kind: &Kind, seed: u64, n: usize, most: f64) -> Vec<Outcome> {
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if n <= nth {
                        break;
                    }
                    let case = Random::case_seed(seed, kind.name, nth as u64);
                    let outcome = Outcome::of(kind, case, most);
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push(outcome);
                    if outcomes.len() % EVERY == 0 {
                        say(&format!("campaign: density: {}: {} of {n}", kind.name, outcomes.len()));
                    }
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.case);
    outcomes
}

/// Prints the figures of a kind. Whether they are as they should be.
fn report(kind: &Kind, outcomes: &[Outcome], seconds: u64) -> bool {
    let n = outcomes.len();
    let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
    let n_false = count(&Outcome::is_false);
    let n_exact = count(&|one| one.exact() == Some(one.truth));
    let n_near = count(&Outcome::is_near);
    let n_ranges = count(&|one| one.exact().is_none());
    let n_wide = count(&|one| one.exact().is_none() && !one.is_narrow());
    let n_untold = count(&|one| !one.is_told);
    let middle = |of: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(of).collect());
    let ratio = middle(&|one| one.took_s / one.upstream_s);
    let settings = middle(&|one| one.n_settings as f64);
    say(&format!(
        "campaign: density: {:<12} {n:>4} machines: {n_false} false, {n_exact} exact, {n_near} within 1, {n_ranges} \
         ranges ({n_wide} wide); median {settings} settings, {:.0} s, {ratio:.3} of upstream's time ({:.0} s); {seconds} s",
        kind.name,
        middle(&|one| one.took_s),
        middle(&|one| one.upstream_s),
    ));
    // Of few machines, one more than the share.
    let few = |share: f64| (share * n as f64).ceil() as usize + usize::from(n < 100);
    let mut is_well = n_false <= few(0.05) && n_untold == 0;
    if kind.is_promised && n >= 100 {
        is_well &= n_near >= n - few(0.01) && n_ranges <= few(0.05) && n_wide == 0;
        is_well &= settings <= 5.0 && ratio <= 0.2;
    }
    let strange = outcomes.iter().filter(|one| one.is_false() || !one.is_near() || !one.is_told);
    for one in strange.take(if is_well { 0 } else { 20 }) {
        let most = one.at_most.map_or("..".to_owned(), |most| most.to_string());
        say(&format!("  case {:016x}: {} to {most}, truth {}", one.case, one.at_least, one.truth));
    }
    if !is_well {
        say(&format!("campaign: density: {} FAILED", kind.name));
    }
    is_well
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether the short way to the truth is that of the judges, for half an hour of numbers around the
/// border, and whether what is sure after an hour is true of ten.
fn is_truth_that_of_the_judges(seed: u64, n: u64) -> bool {
    let mut is_well = true;
    for nth in 0..n {
        let case = Random::case_seed(seed, "truth", nth);
        let mut random = Random::new(case);
        let plain = plain(&mut random, case, 6.0);
        let kind = &KINDS[nth as usize % 5];
        let machine = (kind.make)(&mut random, plain);
        let around = (machine.capacity() as u32).max(1);
        for lanes in around.saturating_sub(1).max(1)..=around + 1 {
            let short = truth::holds(&machine, lanes, 1_800.0, Length::Whole);
            let judged = truth::holds_by_judges(&machine, lanes, 1_800.0);
            if short != judged {
                say(&format!(
                    "campaign: density: case {case:016x}: {lanes} lanes hold: {judged}, not {short}"
                ));
                is_well = false;
            }
            let sure = truth::holds(&machine, lanes, truth::HOURS_S, Length::UntilSure);
            if nth > 1 && sure != truth::holds(&machine, lanes, truth::HOURS_S, Length::Whole) {
                say(&format!("campaign: density: case {case:016x}: {lanes} lanes: sure of {sure} too early"));
                is_well = false;
            }
        }
    }
    is_well
}
