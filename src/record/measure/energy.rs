//! The energy of a run: power over the common window, for each frame, and compared with the idle
//! machine.
//!
//! It is that of the machine, or of those of its parts whose power is known, with everything that ran on
//! it; `parts` names them. Nothing is said if one of them is not known in the window. Not here: words
//! (`report::energy`).

use serde::{Deserialize, Serialize};

use super::machine::mean_share;
use super::{Totals, rounded};
use crate::collect::power::{WHOLE_MACHINE, is_part};
use crate::record::RunRecord;

/// Power, and energy for each frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyFigures {
    /// The series whose sum it is: `power.package_0`, `gpu.card0.power`.
    pub parts: Vec<String>,
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
    /// Why there is nothing for each frame.
    pub reason: Option<String>,
}

/// Why there is no energy of a frame.
mod missing {
    pub(super) const SCRIPTS: &str = "scripts ran as well, whose frames are not counted";
    pub(super) const NO_FRAMES: &str = "no frame arrived";
}

/// The energy of a run; `None` if no power is known.
pub(super) fn energy(record: &RunRecord, totals: &Totals) -> Option<EnergyFigures> {
    let parts = parts(record);
    let means: Option<Vec<f64>> = parts.iter().map(|part| mean_share(record, part)).collect();
    let watts = means.filter(|means| !means.is_empty())?.iter().sum::<f64>();
    let idle = record.idle.as_ref().and_then(|idle| {
        let watts: Option<Vec<f64>> = parts.iter().map(|part| idle.watts.get(part).copied()).collect();
        Some((watts?.iter().sum::<f64>(), idle.over_ms))
    });
    let reason = if 0 < totals.scripts {
        Some(missing::SCRIPTS)
    } else if totals.fps.is_none_or(|fps| fps <= 0.0) {
        Some(missing::NO_FRAMES)
    } else {
        None
    };
    let fps = totals.fps.filter(|_| reason.is_none());
    Some(EnergyFigures {
        watts: rounded(watts),
        idle_watts: idle.map(|(watts, _)| rounded(watts)),
        idle_ms: idle.map(|(_, over_ms)| over_ms),
        joules_per_frame: fps.map(|fps| rounded(watts / fps)),
        joules_per_frame_above_idle: fps.zip(idle).map(|(fps, (idle, _))| rounded((watts - idle) / fps)),
        fps_per_watt: fps.filter(|_| 0.0 < watts).map(|fps| rounded(fps / watts)),
        reason: reason.map(str::to_owned),
        parts,
    })
}

/// The series that add up: the sensor of the whole machine, else those of which none contains another.
fn parts(record: &RunRecord) -> Vec<String> {
    let names = || record.series.iter().map(|series| series.name.as_str());
    if let Some(whole) = names().find(|name| name.starts_with(WHOLE_MACHINE)) {
        return vec![whole.to_owned()];
    }
    let is_gpu = |name: &str| name.starts_with("gpu.") && name.ends_with(".power");
    names().filter(|name| is_part(name) || is_gpu(name)).map(str::to_owned).collect()
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
                "{} W of {}, idle {:?} W over {:?} ms\n{:?} J a frame, {:?} above idle, {:?} fps per W {:?}",
                figures.watts,
                figures.parts.join(" + "),
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
                30 W of power.package_0 + power.package_0.dram + gpu.card1.power, idle None W over None ms
                Some(2.0) J a frame, None above idle, Some(0.5) fps per W None"#]],
        );
        let watts = [("power.package_0", 8.0), ("power.package_0.dram", 1.0), ("gpu.card1.power", 6.0)];
        let watts = watts.map(|(name, watts)| (name.to_owned(), watts)).into();
        record.idle = Some(IdlePower { over_ms: 3000, watts });
        check(
            &record,
            expect![[r#"
                30 W of power.package_0 + power.package_0.dram + gpu.card1.power, idle Some(15.0) W over Some(3000) ms
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
    fn a_part_that_is_not_known_in_the_window_leaves_nothing() {
        let mut record = copies(1, &[&[15]], 0.5);
        add(&mut record, "power.package_0", 20.0);
        add(&mut record, "power.package_1", 20.0);
        record.series.last_mut().unwrap().at_us.truncate(1);
        record.series.last_mut().unwrap().values.truncate(1);
        check(&record, expect!["nothing"]);
    }
}
