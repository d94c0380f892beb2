//! `lp` dies, or is told to, at any moment of a first or a later build.

use std::time::Duration;

use rustix::process::Signal;

use crate::case::{Case, Clean};

/// How many faults one project suffers.
const ROUNDS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum How {
    /// `lp` alone: what it started goes on, with the inherited lock.
    Alone,
    /// `lp` with all that it started.
    All,
    /// By a signal that it may answer.
    Told(Signal),
}

/// Whether an `lp` has died just before, so that what it started may still run.
#[derive(Clone, Copy)]
enum Before {
    Nobody,
    Somebody,
}

pub(crate) fn run(case: &mut Case) -> Result<(), String> {
    for round in 0..ROUNDS {
        if round > 0 {
            case.change();
        }
        let clean = case.clean()?;
        kill(case, &clean, round, Before::Nobody)?;
        if case.random.percent(15) {
            // The build that was to make it right dies as well.
            kill(case, &clean, round, Before::Somebody)?;
        }
        case.check(&clean)?;
    }
    Ok(())
}

fn kill(case: &mut Case, clean: &Clean, round: usize, before: Before) -> Result<(), String> {
    let how = match case.random.below(10) {
        0..=3 => How::Alone,
        4..=7 => How::All,
        8 => How::Told(Signal::INT),
        _ => How::Told(Signal::TERM),
    };
    // A later build has less to do, so most moments are early ones.
    let fraction = case.random.fraction();
    let fraction = if round == 0 { fraction } else { 0.7 * fraction * case.random.fraction() };
    let moment = clean.took.mul_f64(fraction).max(Duration::from_micros(200));
    case.tell(format!("kill {how:?} after {} us of {} us", moment.as_micros(), clean.took.as_micros()));
    let mut running = case.start(&[]);
    running.run_for(moment);
    match how {
        How::Alone => running.signal(Signal::KILL),
        How::All => running.kill_all(),
        How::Told(signal) => running.signal(signal),
    }
    let ended = running.wait()?;
    case.tell(format!("it ended with {:?} and said:\n{}", ended.code, ended.stderr));
    match (how, ended.code) {
        (How::Told(_), Some(130)) => case.count("signals"),
        // Before it listens, or after all is done.
        (How::Told(_), None) if ended.stderr.is_empty() => case.count("signals"),
        (_, Some(0 | 1)) => case.count("too late"),
        (How::Told(signal), code) => return Err(format!("exit code {code:?} after {signal:?}")),
        (_, None) => case.count("kills"),
        (_, code) => return Err(format!("exit code {code:?}")),
    }
    if let (How::Told(_), Some(_), Before::Nobody) = (how, ended.code, before) {
        let alive = crate::running::alive_below(&case.root);
        if !alive.is_empty() {
            return Err(format!("processes are left: {}", alive.join(", ")));
        }
    }
    Ok(())
}
