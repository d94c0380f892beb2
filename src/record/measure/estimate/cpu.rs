//! The CPU that copies need.
//!
//! What a copy uses is the CPU time of workers, scripts and `lp` itself. With runs of other
//! numbers of copies on the same host, it is the slope between them. More copies make each of
//! them dearer: they share caches, two threads share a core, and full cores run slower. How
//! much was never measured for this machine; the share of it that was still idle bounds it.

use super::{LEAST_SECONDS, MOST_COPIES, Resource, ResourceFigures, most_copies};
use crate::record::RunRecord;
use crate::record::measure::fit::LeftOut;
use crate::record::measure::split::{cores, loads, owned};
use crate::record::measure::{Totals, rounded};
use crate::stats;

/// Streams kept their rate up to here, measured with 1 to 27 streams on two cores: 25 held at
/// 98 % of the CPU, 26 did not.
const FULL_AT_MOST: f64 = 0.98;
/// Deadlines may be missed from here on.
const FULL_AT_LEAST: f64 = 0.88;

/// Copies may need so much less than the measured ones, if all of the machine was idle: busy
/// threads wake up less often, and something of a run is there once.
const CHEAPER: f64 = 0.15;
/// And so much more, if all of the machine was idle; with two threads a core, they have about
/// 1.25 times the speed of one.
const DEARER: f64 = 0.25;
const DEARER_WITH_SMT: f64 = 0.6;

/// The CPU in a second, in cores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CpuSecond {
    /// What belongs to the run.
    own: f64,
    /// The kernel and what nobody was seen to use: for the run, or not.
    kernel: f64,
    /// Other programs, and those of the user's that measure beside the run.
    foreign: f64,
}

/// The estimate, and by how much copies may become dearer until the machine is full.
pub(super) struct CpuFigures {
    pub(super) figures: ResourceFigures,
    pub(super) dearer: f64,
}

/// The seconds of a window that nothing disturbed.
pub(super) fn seconds(record: &RunRecord, window: (u64, u64), left_out: &[LeftOut]) -> Vec<CpuSecond> {
    let Some(cores) = cores(record) else { return Vec::new() };
    let of_processes = owned(record).into_iter();
    let of_processes = of_processes.map(|(at_us, [workers, scripts, collectors, lp, kernel, foreign])| {
        // Programs that measure beside the run would do so beside more copies, too.
        (at_us, CpuSecond { own: workers + scripts + lp, kernel, foreign: foreign + collectors })
    });
    let mut all: Vec<(u64, CpuSecond)> = of_processes.collect();
    // Where processes could not be scanned, the workers themselves say what they use.
    if all.is_empty() && record.members.iter().all(|member| member.scripts.is_empty()) {
        let of_workers = loads(record).into_iter().filter_map(|load| {
            let own = load.workers?;
            Some((load.at_us, CpuSecond { own, kernel: load.cpu - own, foreign: 0.0 }))
        });
        all.extend(of_workers);
    }
    let is_kept = |at_us: u64| {
        let second = (at_us.saturating_sub(1_000_000), at_us);
        let is_in = |span: &LeftOut| span.begin_us < second.1 && second.0 < span.end_us;
        window.0 <= second.0 && second.1 <= window.1 && !left_out.iter().any(is_in)
    };
    let kept = all.into_iter().filter(|(at_us, _)| is_kept(*at_us));
    kept.map(|(_, CpuSecond { own, kernel, foreign })| CpuSecond {
        own: own * cores,
        kernel: kernel * cores,
        foreign: foreign * cores,
    })
    .collect()
}

/// The cores that the run itself used on average.
pub(super) fn mean_own(seconds: &[CpuSecond]) -> Option<f64> {
    (!seconds.is_empty()).then(|| rounded(mean(seconds, |second| second.own)))
}

fn mean(seconds: &[CpuSecond], of: fn(&CpuSecond) -> f64) -> f64 {
    seconds.iter().map(of).sum::<f64>() / seconds.len() as f64
}

/// What it allows; `None` if the cores of the machine are not known.
pub(super) fn figures(record: &RunRecord, seconds: &[CpuSecond], totals: &Totals) -> Option<CpuFigures> {
    debug_assert!(LEAST_SECONDS <= seconds.len());
    let fact = |name: &str| record.host.facts.get(name);
    let number = |name: &str| fact(name).and_then(|text| text.parse::<f64>().ok());
    let foreign = mean(seconds, |second| second.foreign);
    let left = cores(record)? - foreign;
    let available = [number("cpu_limit"), number("cpus_allowed")].into_iter().flatten().fold(left, f64::min);

    let count = f64::from(record.conditions.count);
    let kernel = mean(seconds, |second| second.kernel);
    // Dropped frames were not worked on.
    let served = totals.frames as f64 / (totals.frames + totals.dropped).max(1) as f64;
    let own = mean(seconds, |second| second.own) / served.max(0.1);
    let cost = Cost::of(record, (count, own));
    let spread = spread(seconds);
    let idle = (1.0 - (cost.own + kernel) / available).clamp(0.0, 1.0);
    let dearer = idle * if fact("smt").is_some_and(|smt| smt == "on") { DEARER_WITH_SMT } else { DEARER };

    let low = most_copies(|n| {
        let more =
            cost.most * (1.0 + dearer) * (n - cost.count).max(0.0) - cost.most * (cost.count - n).max(0.0);
        // Copies that do not work in step vary less together.
        let peak = 1.0 + (spread - 1.0) * (count / n).sqrt().min(1.0);
        (cost.own + more) * peak + kernel * (n / count).max(1.0) <= FULL_AT_LEAST * available
    });
    let high = most_copies(|n| {
        let more = cost.least * (1.0 - idle * CHEAPER) * (n - cost.count);
        cost.own + more + kernel <= FULL_AT_MOST * available
    });
    let figures = ResourceFigures {
        resource: Resource::Cpu,
        per_copy: rounded(cost.own / cost.count),
        others: rounded(kernel + foreign),
        available: rounded(available + foreign),
        low: Some(low),
        high: Some(high.max(low)).filter(|high| *high < MOST_COPIES),
    };
    Some(CpuFigures { figures, dearer })
}

/// By how much a busy second, the 95th percentile, exceeds the mean.
fn spread(seconds: &[CpuSecond]) -> f64 {
    let mut own: Vec<f64> = seconds.iter().map(|second| second.own).collect();
    own.sort_by(f64::total_cmp);
    let busy = stats::percentile(&own, 95).unwrap_or(0.0);
    (busy / mean(seconds, |second| second.own).max(1e-6)).max(1.0)
}

/// What copies use, in cores.
struct Cost {
    /// The greatest number of copies that was measured, and what these used.
    count: f64,
    own: f64,
    /// The least and the most that one more needs.
    least: f64,
    most: f64,
}

impl Cost {
    fn of(record: &RunRecord, this: (f64, f64)) -> Cost {
        // What did not hold may have got less than it needs.
        let whole = record.other_counts.iter().filter(|other| other.holds != Some(false));
        let others = whole.map(|other| (f64::from(other.count), other.own_cores));
        let mut points: Vec<(f64, f64)> = others.chain([this]).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (count, own) = points[points.len() - 1];
        let between = points.windows(2).filter(|pair| pair[0].0 < pair[1].0);
        let slopes = between.map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0));
        // Something of a run is there once, however many copies it has.
        let whole = own / count;
        let slopes: Vec<f64> = slopes.filter(|slope| *slope > 0.0).chain([whole]).collect();
        let least = slopes.iter().copied().fold(whole, f64::min);
        let most = slopes.iter().copied().fold(whole, f64::max);
        Cost { count, own, least, most }
    }
}
