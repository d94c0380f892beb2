//! Two and four `lp build` at once on one project.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::case::{Case, account_of};

const ROUNDS: usize = 3;

pub(crate) fn run(case: &mut Case) -> Result<(), String> {
    for round in 0..ROUNDS {
        if round > 0 {
            case.change();
        }
        let clean = case.clean()?;
        let n = if case.random.percent(50) { 2 } else { 4 };
        let killed = case.random.percent(40).then(|| case.random.below(n));
        let moment = clean.took.mul_f64(case.random.fraction());
        let pause = Duration::from_micros(case.random.below(20_000) as u64);
        case.tell(format!("{n} builds at once, {pause:?} apart; killed: {killed:?} after {moment:?}"));
        case.forget_ran();
        let mut builds = Vec::new();
        for _ in 0..n {
            builds.push(case.start(&[]));
            std::thread::sleep(pause);
        }
        if let Some(at) = killed {
            builds[at].run_for(moment);
            builds[at].signal(Signal::KILL);
        }
        let mut all_ended = Vec::new();
        for build in builds {
            all_ended.push(build.wait()?);
        }
        let expected = case.project.expected();
        for (at, ended) in all_ended.iter().enumerate() {
            case.tell(format!("build {at} ended with {:?} and said:\n{}", ended.code, ended.stderr));
            if killed != Some(at) {
                account_of(ended, &case.root, &expected).map_err(|why| format!("build {at}: {why}"))?;
            }
        }
        case.count(if killed.is_some() { "with a kill" } else { "without a kill" });
        if killed.is_some() {
            case.check(&clean)?;
            continue;
        }
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for name in case.ran() {
            *times.entry(name).or_default() += 1;
        }
        times.retain(|name, n| *n > 1 && !expected.always.contains(name) && !expected.failed.contains(name));
        if !times.is_empty() {
            return Err(format!("tasks ran more than once: {times:?}"));
        }
        case.check_steady(&clean)?;
    }
    Ok(())
}
