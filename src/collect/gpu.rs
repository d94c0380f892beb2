//! GPUs of Intel and AMD: the busy share of each class of engines, for the run and for other
//! programs, memory, frequency and power.
//!
//! How long an engine worked is counted by the drivers for each client, that is, each program
//! (`fdinfo`). The clients of the run are read once a second; all of them every ten seconds, as that is
//! dearer: so `gpu.card0.video.foreign` has a value every ten seconds.
//!
//! Three things are not the same: a GPU without clients works 0 % of the time; a client whose driver
//! counts nothing, and a process whose open files may not be read, make the share unknown.
//!
//! NVIDIA's driver has no such counters: see [`nvidia`](super::nvidia). Not here: the power of a GPU
//! in the CPU's package ([`power`](super::power)).

mod card;
mod clients;
mod fdinfo;
mod usage;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(crate) use self::card::IN_PACKAGE;
use self::card::{Card, cards};
use self::clients::{Found, Scan, Scanner};
use self::fdinfo::Client;
use self::usage::{Counters, History, Key};
use super::{CollectError, Collector, Place, Series};
use crate::os::clock::monotonic_ns;

/// Its name in records, and the first part of the names of its series.
pub const NAME: &str = "gpu";

/// The last part of the name of a class's share: of the run's programs, and of others.
pub const OWN: &str = "own";
/// See [`OWN`].
pub const FOREIGN: &str = "foreign";

/// All processes are looked at after this time, less half a second as samples are not punctual.
const ALL_NS: u64 = 9_500_000_000;

/// Since when drivers count.
const BARE: &str = "a program uses it, and its driver counts nothing in `/proc/PID/fdinfo`: i915 and amdgpu do so since \
     Linux 5.19, xe since 6.11";

#[derive(Debug)]
struct GpuSampler {
    cards: Vec<Card>,
    scanner: Scanner,
    series: Vec<Series>,
    /// The place of each series.
    places: HashMap<String, usize>,
    /// The clients of each card, at the sample before.
    own: Vec<History>,
    /// Likewise, when all processes were looked at last.
    foreign: Vec<History>,
    /// The classes that each card was seen to have.
    classes: Vec<BTreeSet<String>>,
    at_ns: u64,
    /// When all processes were looked at; `None` before the first sample.
    all_ns: Option<u64>,
    missing: BTreeMap<String, String>,
}

/// Begins to sample `/sys/class/drm` and the clients in `/proc`.
///
/// # Errors
/// When the machine has no GPU but NVIDIA's, or `/proc` cannot be read.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(GpuSampler::below(place)?))
}

impl GpuSampler {
    fn below(place: &Place<'_>) -> Result<GpuSampler, CollectError> {
        let mut missing = BTreeMap::new();
        let mut known = Vec::new();
        for card in cards(place.root) {
            match card.unknown() {
                None => known.push(card),
                Some(error) => {
                    missing.insert(format!("{NAME}.{}", card.name), error.reason());
                }
            }
        }
        if known.is_empty() && missing.is_empty() {
            return Err(CollectError::Nothing {
                what: "GPU of Intel or AMD",
                paths: vec![place.root.join("sys/class/drm")],
                usual: super::cpu::VIRTUAL,
            });
        }
        missing.extend(known.iter().flat_map(|card| card.missing.clone()));
        let proc = place.root.join("proc");
        let failed = |error| CollectError::read(&proc, error);
        let mut scanner = Scanner::new(place).map_err(failed)?;
        // Without a card of a known driver, nobody's clients matter.
        let scan = if known.is_empty() { Scan::default() } else { scanner.all().map_err(failed)? };
        let at_ns = monotonic_ns();
        let counters = |is_own| -> Vec<History> {
            known.iter().map(|card| History::new(at_ns, counters(card, &scan, is_own))).collect()
        };
        let (own, foreign) = (counters(true), counters(false));
        let classes = known.iter().map(|card| card.engines.clone()).collect();
        Ok(GpuSampler {
            cards: known,
            scanner,
            series: Vec::new(),
            places: HashMap::new(),
            own,
            foreign,
            classes,
            at_ns,
            all_ns: None,
            missing,
        })
    }

    /// Looks at the clients: at all of them if that is due.
    fn scan(&mut self, at_ns: u64) -> Result<Scan, CollectError> {
        if self.all_ns.is_some_and(|all_ns| at_ns.saturating_sub(all_ns) < ALL_NS) {
            return Ok(self.scanner.own());
        }
        self.all_ns = Some(at_ns);
        let failed =
            |error| CollectError::Unavailable { what: "the processes cannot be read", reason: error };
        self.scanner.all().map_err(|error| failed(error.to_string()))
    }

    /// The values of a card.
    fn values(&mut self, card: usize, at_ns: u64, scan: &Scan) -> Vec<(Series, Option<f64>)> {
        let shown = &self.cards[card];
        let of = |is_own| {
            scan.clients.iter().filter(move |found| found.is_own == is_own && shown.has(&found.client))
        };
        let is_bare =
            |is_own| scan.bare.iter().any(|bare| bare.is_own == is_own && shown.has_node(&bare.node));
        let seen = scan.clients.iter().filter(|found| shown.has(&found.client));
        self.classes[card].extend(seen.flat_map(|found| found.client.engines.keys().cloned()));
        let mut values = Vec::new();

        let own = self.own[card].advance(at_ns, counters(shown, scan, true));
        let is_known = scan.hidden_own == 0 && !is_bare(true);
        for class in &self.classes[card] {
            let share = if is_known { own.get(class).copied().unwrap_or(Some(0.0)) } else { None };
            values.push((Series::new(shown.series(&format!("{class}.{OWN}")), "1"), share));
        }
        for (region, bytes) in memory(of(true)) {
            let series = Series::new(shown.series(&format!("memory.{region}.{OWN}")), "By");
            values.push((series, bytes.map(|bytes| bytes as f64)));
        }
        let mut reasons = Vec::new();
        if is_bare(true) {
            reasons.push((shown.series(OWN), BARE));
        }
        if let Some(hidden) = scan.hidden_others {
            let foreign = self.foreign[card].advance(at_ns, counters(shown, scan, false));
            let is_known = hidden == 0 && scan.unseen.is_none() && !is_bare(false);
            for class in &self.classes[card] {
                let share = if is_known { foreign.get(class).copied().unwrap_or(Some(0.0)) } else { None };
                values.push((Series::new(shown.series(&format!("{class}.{FOREIGN}")), "1"), share));
            }
            if is_bare(false) {
                reasons.push((shown.series(FOREIGN), BARE));
            }
        }
        self.missing.extend(reasons.into_iter().map(|(name, reason)| (name, reason.to_owned())));
        values.extend(self.cards[card].sample(at_ns));
        values
    }

    /// Keeps why shares of all cards are not known.
    fn tell_hidden(&mut self, scan: &Scan) {
        let mut lack = |part: &str, reason: String| self.missing.insert(format!("{NAME}.{part}"), reason);
        if 0 < scan.hidden_own {
            let reason =
                format!("the open files of {} of the run's processes cannot be read", scan.hidden_own);
            lack(OWN, reason);
        }
        let others = scan.hidden_others.unwrap_or(0);
        if let Some(reason) = scan.unseen {
            lack(FOREIGN, reason.to_owned());
        } else if 0 < others {
            lack(
                FOREIGN,
                format!("the open files of {others} processes of other users cannot be read (root may)"),
            );
        }
    }
}

impl Collector for GpuSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone().into_iter().collect()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        if at_ns <= self.at_ns {
            return Err(CollectError::TooSoon);
        }
        if self.cards.is_empty() {
            return Ok(Vec::new());
        }
        let scan = self.scan(at_ns)?;
        self.at_ns = at_ns;
        self.tell_hidden(&scan);
        let mut values = vec![None; self.series.len()];
        for card in 0..self.cards.len() {
            for (series, value) in self.values(card, at_ns, &scan) {
                let place = self.places.get(&series.name).copied().unwrap_or_else(|| {
                    self.places.insert(series.name.clone(), self.series.len());
                    self.series.push(series);
                    values.push(None);
                    values.len() - 1
                });
                values[place] = value;
            }
        }
        Ok(values)
    }
}

fn key(found: &Found) -> Key {
    found.client.id.map_or(Key::Process(found.pid), Key::Client)
}

/// The counters of the clients of a card: those of the run, or of others. A client that both have is
/// the run's.
fn counters(card: &Card, scan: &Scan, is_own: bool) -> Counters {
    let of =
        |is_own| scan.clients.iter().filter(move |found| found.is_own == is_own && card.has(&found.client));
    let shared: HashSet<Key> = if is_own { HashSet::new() } else { of(true).map(key).collect() };
    let mut counters = Counters::new();
    for found in of(is_own).filter(|found| !shared.contains(&key(found))) {
        let engines = counters.entry(key(found)).or_default();
        for (class, busy) in &found.client.engines {
            // The files of a client are read one after another: the last reading has most.
            let newest = engines.entry(class.clone()).or_insert(*busy);
            if newest.used < busy.used {
                *newest = *busy;
            }
        }
    }
    counters
}

/// The bytes of clients in each region, each client once; `None` if the sum is no number.
fn memory<'a>(clients: impl Iterator<Item = &'a Found>) -> BTreeMap<String, Option<u64>> {
    let mut seen = HashSet::new();
    let mut regions = BTreeMap::new();
    for Found { client: Client { memory, .. }, .. } in clients.filter(|found| seen.insert(key(found))) {
        for (region, bytes) in memory {
            let sum = regions.entry(region.clone()).or_insert(Some(0_u64));
            *sum = sum.and_then(|sum| sum.checked_add(*bytes));
        }
    }
    regions
}

#[cfg(test)]
mod tests;
