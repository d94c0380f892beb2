//! Upstream's search for the density, on the same simulated machine, to compare times.
//!
//! As of performance-tools e85f418: 1, 2, 3, ... lanes, each reading a start (15 s), a warm-up
//! (120 s) and a window (100 s), in which the mean rate of each stream must be 95 % of its
//! target. After two failures in a row one less, until one passes twice in a row.

use super::machine::{Body, Machine, Player, S};

const START_S: f64 = 15.0;
const WARMUP_S: f64 = 120.0;
const WINDOW_S: f64 = 100.0;
const TOLERANCE: f64 = 0.95;
/// At less load than this nothing but stalls can happen, and those cost no frames: not played.
const EASY: f64 = 0.7;

/// How long it takes in seconds, and its answer.
pub(crate) fn search(machine: &Machine, most: u32) -> (f64, u32) {
    let mut n_readings = 0;
    let mut reading = |lanes: u32| {
        n_readings += 1;
        passes(machine, lanes, n_readings)
    };
    let mut lanes = 1;
    let mut n_failed = 0;
    let (mut n_passed, mut is_down) = (0, false);
    let answer = loop {
        if reading(lanes) {
            n_failed = 0;
            n_passed += 1;
            if is_down && n_passed == 2 {
                break lanes;
            }
            if !is_down {
                if lanes == most {
                    break lanes;
                }
                lanes += 1;
            }
        } else {
            (n_failed, n_passed) = (n_failed + 1, 0);
            if n_failed == 2 {
                (lanes, n_failed, is_down) = (lanes - 1, 0, true);
                if lanes == 0 {
                    break 0;
                }
            }
        }
    };
    (n_readings as f64 * (START_S + WARMUP_S + WINDOW_S), answer)
}

fn passes(machine: &Machine, lanes: u32, nth: u64) -> bool {
    let is_plain = machine.hole.is_none() && machine.thermal.is_none();
    if is_plain && f64::from(lanes) < EASY * machine.capacity() {
        return true;
    }
    let mut player = Player::new(machine, lanes, 0, nth << 32, Body { heat: 0.0, clock_s: 0.0 });
    let window = WARMUP_S * S..(WARMUP_S + WINDOW_S) * S;
    let mut arrived = vec![0_u32; player.n_streams()];
    while player.due_us() < window.end {
        let frame = player.frame();
        arrived[frame.stream] += u32::from(window.contains(&frame.arrived_us));
    }
    let needed = TOLERANCE * machine.fps * WINDOW_S;
    arrived.into_iter().all(|n| f64::from(n) >= needed)
}
