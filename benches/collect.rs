//! What the collectors of the machine cost a second: `cargo bench --bench collect`.
//!
//! Each collector is sampled often; a line has the median of its samples in microseconds, and
//! the last line their sum as a share of a core at one sample a second.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::{Duration, Instant};

use lp::collect::{ALL, Place};
use lp::os::clock::{monotonic_ns, pause};
use lp::os::env::system_root;

const SAMPLES: usize = 60;

fn main() {
    let root = system_root();
    let mut sum = Duration::ZERO;
    for kind in ALL {
        let mut collector = match (kind.start)(&Place::here(&root)) {
            Ok(collector) => collector,
            Err(error) => {
                println!("{:12} cannot run: {}", kind.name, error.reason());
                continue;
            }
        };
        let mut costs: Vec<Duration> = (0..SAMPLES)
            .map(|_| {
                pause(Duration::from_millis(20));
                let begin = Instant::now();
                let values = collector.sample(monotonic_ns());
                let cost = begin.elapsed();
                assert!(values.is_ok(), "{}: {values:?}", kind.name);
                cost
            })
            .collect();
        costs.sort();
        let median = costs[SAMPLES / 2];
        sum += median;
        println!(
            "{:12} {:7.1} us  ({} series)",
            kind.name,
            median.as_secs_f64() * 1e6,
            collector.series().len()
        );
    }
    println!("{:12} {:7.1} us, {:.3} % of a core", "all", sum.as_secs_f64() * 1e6, sum.as_secs_f64() * 100.0);
}
