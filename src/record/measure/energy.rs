//! The energy of a run: power over the common window, for each frame, and compared with the idle
//! machine.
//!
//! It is that of the machine, or of those of its parts whose power is known, with everything that ran on
//! it; `parts` names them. If one of them is not known in the window (no points, a counter that stands
//! still, a package that cannot be read), the others have their power, `without` names it, and there is
//! nothing for each frame. Not here: words (`report::energy`).

use serde::{Deserialize, Serialize};

use super::machine::mean_share;
use super::{Totals, rounded};
use crate::collect::gpu::IN_PACKAGE;
use crate::collect::power::{WHOLE_MACHINE, is_part};
use crate::record::RunRecord;

/// Power, and energy for each frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyFigures {
    /// The series whose sum it is: `power.package_0`, `gpu.card0.power`.
    pub parts: Vec<String>,
    /// Series that belong to the sum and are not known.
    #[serde(default)]
    pub without: Vec<String>,
    /// Mean power over the common window.
    pub watts: f64,
    /// Mean power of the same parts before the run; `None` if it was not measured.
    pub idle_watts: Option<f64>,
    /// For how long that was measured, in milliseconds.
    pub idle_ms: Option<u64>,
    /// Over the frames per second of all pipelines.
    pub joules_per_frame: Option<f64>,
    /// The same of the power above `idle_watts`.
    pub joules_per_frame_above_idle: Option<f64>,
    /// Frames per second of all pipelines over `watts`, which is frames per joule.
    pub fps_per_watt: Option<f64>,
    /// Why there is nothing for each frame, or nothing above idle.
    pub reason: Option<String>,
}

/// Why there is no energy of a frame.
mod missing {
    pub(super) const SCRIPTS: &str = "scripts ran as well, whose frames are not counted";
    pub(super) const NO_FRAMES: &str = "no frame arrived";
    pub(super) const PARTS: &str = "not all parts of the power are known";
    pub(super) const BELOW_IDLE: &str = "the run used less power than the idle machine";
}

/// The energy of a run; `None` if no power is known.
pub(super) fn energy(record: &RunRecord, totals: &Totals) -> Option<EnergyFigures> {
    let mut known: Vec<(String, f64)> = Vec::new();
    let mut without = Vec::new();
    for part in parts(record) {
        match mean_share(record, &part).filter(is_power) {
            Some(watts) => known.push((part, watts)),
            None => without.push(part),
        }
    }
    if known.is_empty() {
        return None;
    }
    let watts = known.iter().map(|(_, watts)| watts).sum::<f64>();
    let parts: Vec<String> = known.into_iter().map(|(part, _)| part).collect();
    let idle = record.idle.as_ref().and_then(|idle| {
        let of = |part| idle.watts.get(part).copied().filter(is_power);
        let watts: Option<Vec<f64>> = parts.iter().map(of).collect();
        Some((watts?.iter().sum::<f64>(), idle.over_ms))
    });
    let reason = if !without.is_empty() {
        Some(missing::PARTS)
    } else if 0 < totals.scripts {
        Some(missing::SCRIPTS)
    } else if totals.fps.is_none_or(|fps| fps <= 0.0) {
        Some(missing::NO_FRAMES)
    } else {
        None
    };
    let fps = totals.fps.filter(|_| reason.is_none());
    let above = idle.map(|(idle, _)| watts - idle);
    let is_below = above.is_some_and(|above| above < 0.0);
    let reason = reason.or(is_below.then_some(missing::BELOW_IDLE));
    let above = above.filter(|_| !is_below);
    Some(EnergyFigures {
        watts: rounded(watts),
        idle_watts: idle.map(|(watts, _)| rounded(watts)),
        idle_ms: idle.map(|(_, over_ms)| over_ms),
        joules_per_frame: fps.map(|fps| rounded(watts / fps)),
        joules_per_frame_above_idle: fps.zip(above).map(|(fps, above)| rounded(above / fps)),
        fps_per_watt: fps.filter(|_| 0.0 < watts).map(|fps| rounded(fps / watts)),
        reason: reason.map(str::to_owned),
        parts,
        without,
    })
}

/// A mean of 0 W is that of a counter that stands still.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as filters pass it")]
fn is_power(watts: &f64) -> bool {
    0.0 < *watts
}

/// The series that add up: the sensor of the whole machine, else those of which none contains another,
/// those that could not be read included.
fn parts(record: &RunRecord) -> Vec<String> {
    let names = || record.series.iter().map(|series| series.name.as_str());
    if let Some(whole) = names().find(|name| name.starts_with(WHOLE_MACHINE)) {
        return vec![whole.to_owned()];
    }
    let is_gpu = |name: &str| name.starts_with("gpu.") && name.ends_with(".power");
    let missing = record.missing.iter().filter(|(_, reason)| *reason != IN_PACKAGE);
    let missing = missing.map(|(name, _)| name.as_str()).filter(|name| record.series_of(name).is_none());
    names().chain(missing).filter(|name| is_part(name) || is_gpu(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::record::fixture::{S, Story, copies, scripted, setup};
    use crate::record::measure::measure;
    use crate::record::power::IdlePower;
    use crate::record::{Pace, SeriesRecord};

    /// Adds a series with this value in each second.
    fn add(record: &mut RunRecord, name: &str, watts: f64) {
        let at_us: Vec<u64> = (0..=30).map(|second| second * S).collect();
        let values = vec![watts; at_us.len()];
        record.series.push(SeriesRecord { name: name.to_owned(), unit: "W".to_owned(), at_us, values });
    }

    #[track_caller]
    fn check(record: &RunRecord, expect: Expect) {
        let text = match measure(record).energy {
            None => "nothing".to_owned(),
            Some(figures) => format!(
                "{} W of {} without {:?}, idle {:?} W over {:?} ms\n{:?} J a frame, {:?} above idle, {:?} fps per W {:?}",
                figures.watts,
                figures.parts.join(" + "),
                figures.without,
                figures.idle_watts,
                figures.idle_ms,
                figures.joules_per_frame,
                figures.joules_per_frame_above_idle,
                figures.fps_per_watt,
                figures.reason,
            ),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn parts_add_up_and_frames_share_them() {
        let mut record = copies(1, &[&[15]], 0.5);
        check(&record, expect!["nothing"]);
        for (name, watts) in [
            ("power.package_0", 20.0),
            ("power.package_0.core", 15.0),
            ("power.package_0.dram", 2.5),
            ("power.psys", 60.0),
            ("gpu.card1.power", 7.5),
        ] {
            add(&mut record, name, watts);
        }
        check(
            &record,
            expect![[r#"
                30 W of power.package_0 + power.package_0.dram + gpu.card1.power without [], idle None W over None ms
                Some(2.0) J a frame, None above idle, Some(0.5) fps per W None"#]],
        );
        let watts = [("power.package_0", 8.0), ("power.package_0.dram", 1.0), ("gpu.card1.power", 6.0)];
        let watts = watts.map(|(name, watts)| (name.to_owned(), watts)).into();
        record.idle = Some(IdlePower { over_ms: 3000, watts });
        check(
            &record,
            expect![[r#"
                30 W of power.package_0 + power.package_0.dram + gpu.card1.power without [], idle Some(15.0) W over Some(3000) ms
                Some(2.0) J a frame, Some(1.0) above idle, Some(0.5) fps per W None"#]],
        );
        // A part that was not known before the run.
        record.idle.as_mut().unwrap().watts.remove("gpu.card1.power");
        assert_eq!(measure(&record).energy.unwrap().idle_watts, None);
        // The power meter of the machine has them all in it.
        add(&mut record, "power.power_meter.power1", 90.0);
        assert_eq!(measure(&record).energy.unwrap().watts, 90.0);
    }

    #[test]
    fn scripts_have_frames_that_are_not_counted() {
        let mut story = Story::new(setup(Pace::Live, 5, 2, &[], vec![scripted("a", 15.0, &["a"])]));
        story.count(0, 0, 9, 15);
        let mut record = story.builder.finish();
        add(&mut record, "power.package_0", 20.0);
        check(&record, expect!["nothing"]);
    }

    #[test]
    fn a_part_that_is_not_known_in_the_window_leaves_nothing_for_a_frame() {
        let mut record = copies(1, &[&[15]], 0.5);
        add(&mut record, "power.package_0", 20.0);
        add(&mut record, "power.package_1", 20.0);
        record.series.last_mut().unwrap().at_us.truncate(1);
        record.series.last_mut().unwrap().values.truncate(1);
        check(
            &record,
            expect![[r#"
            20 W of power.package_0 without ["power.package_1"], idle None W over None ms
            None J a frame, None above idle, None fps per W Some("not all parts of the power are known")"#]],
        );
        // Likewise a counter that stands still.
        record.series.pop();
        add(&mut record, "power.package_1", 0.0);
        assert_eq!(measure(&record).energy.unwrap().without, ["power.package_1"]);
        record.series.retain(|series| series.name == "power.package_1");
        check(&record, expect!["nothing"]);
    }

    #[test]
    fn a_part_that_cannot_be_read_is_named() {
        let mut record = copies(1, &[&[15]], 0.5);
        add(&mut record, "power.package_0", 20.0);
        // Its power is that of the package.
        record.missing.insert("gpu.card0.power".to_owned(), IN_PACKAGE.to_owned());
        record.missing.insert("power.package_1.core".to_owned(), "failed".to_owned());
        assert_eq!(measure(&record).energy.unwrap().without, [""; 0]);
        record.missing.insert("power.package_1".to_owned(), "failed to read".to_owned());
        check(
            &record,
            expect![[r#"
            20 W of power.package_0 without ["power.package_1"], idle None W over None ms
            None J a frame, None above idle, None fps per W Some("not all parts of the power are known")"#]],
        );
    }

    #[test]
    fn less_power_than_idle_has_nothing_above_it() {
        let mut record = copies(1, &[&[15]], 0.5);
        add(&mut record, "power.package_0", 3.0);
        record.idle = Some(IdlePower { over_ms: 3000, watts: [("power.package_0".to_owned(), 29.0)].into() });
        check(
            &record,
            expect![[r#"
            3 W of power.package_0 without [], idle Some(29.0) W over Some(3000) ms
            Some(0.2) J a frame, None above idle, Some(5.0) fps per W Some("the run used less power than the idle machine")"#]],
        );
        // An idle machine uses some power.
        record.idle = Some(IdlePower { over_ms: 3000, watts: [("power.package_0".to_owned(), 0.0)].into() });
        assert_eq!(measure(&record).energy.unwrap().idle_watts, None);
    }
}
