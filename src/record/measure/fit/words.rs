//! Disturbances in words.

use super::Cause;
use crate::record::ProgramRecord;
use crate::record::measure::number;
use crate::text::harmless;

pub(super) const WSL2: &str = "this is WSL2, where the load of Windows, stolen time, frequencies, temperatures and throttling cannot be measured";

pub(super) fn governor(governor: &str) -> String {
    format!("the frequency governor is `{governor}`")
}

pub(super) fn power_profile(profile: &str) -> String {
    format!("the power profile is `{profile}`")
}

/// `65 % of the CPU went to other programs for 12 s, most of it to `rustc``. `programs` are
/// those that do not belong to the run.
pub(super) fn disturbance(
    cause: Cause,
    mean: f64,
    lasted_us: Option<u64>,
    programs: &[ProgramRecord],
) -> String {
    let percent = || percent(mean);
    let what = match cause {
        Cause::OtherPrograms => format!("{} of the CPU went to other programs", percent()),
        Cause::Steal => format!("the hypervisor took {} of the CPU", percent()),
        Cause::OtherMeasurement => "another `lp` ran pipelines".to_owned(),
        Cause::Throttling => "the CPU was throttled for its temperature".to_owned(),
        Cause::Swapping => format!("{} MB a second were swapped", number(mean / 1e6)),
        Cause::MemoryPressure => format!("programs waited for memory {} of the time", percent()),
        Cause::DiskPressure => format!("programs waited for the disk {} of the time", percent()),
        Cause::Governor | Cause::PowerProfile | Cause::Wsl2 => String::new(),
    };
    let lasted = lasted_us.map(|us| format!(" for {} s", (us as f64 / 1e6).round().max(1.0)));
    let largest = if cause == Cause::OtherPrograms { largest(programs) } else { String::new() };
    format!("{what}{}{largest}", lasted.unwrap_or_default())
}

/// `, most of it to `rustc``
fn largest(programs: &[ProgramRecord]) -> String {
    let all: u64 = programs.iter().map(|program| program.cpu_us).sum();
    let name = |program: &ProgramRecord| format!("`{}`", harmless(&program.name));
    match programs {
        [first, ..] if 2 * first.cpu_us > all => format!(", most of it to {}", name(first)),
        [first, second, ..] => format!(", first of all to {} and {}", name(first), name(second)),
        _ => String::new(),
    }
}

/// `65 %`, `0.3 %`
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 9.95 {
        format!("{} %", number((percent * 10.0).round() / 10.0))
    } else {
        format!("{percent:.0} %")
    }
}
