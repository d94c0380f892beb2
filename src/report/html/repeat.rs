//! The command that repeats a run.

use crate::path::for_shell;
use crate::record::{Isolation, Pace, RunRecord};
use crate::report::imported;
use crate::time::duration_text;

/// Keys that are conditions of a run.
const CONDITIONS: [&str; 5] = ["run.count", "run.duration", "run.isolation", "run.pace", "run.warmup"];

/// `lp run camera-1 --duration 30s --warmup 2s`: the cameras and every condition,
/// so that the settings of a project do not matter. Each piece belongs on one line.
pub(in crate::report) fn command(record: &RunRecord) -> Vec<String> {
    if let Some(imported) = &record.imported {
        return imported::command(imported);
    }
    let conditions = &record.conditions;
    let time = |ms: u64| duration_text(std::time::Duration::from_millis(ms));
    let mut words = vec!["lp run".to_owned()];
    if record.subject != "lane" {
        let copies = usize::try_from(conditions.count).unwrap_or(1).max(1);
        let members = record.members.iter().take(record.members.len() / copies);
        words.extend(members.map(|member| member.slug.to_string()));
    }
    let known = record.provenance.as_ref();
    words.extend(
        known.and_then(|known| known.profile.as_ref()).map(|name| format!("--profile {}", for_shell(name))),
    );
    match conditions.pace {
        Pace::Live => {
            words.push(format!("--duration {}", time(conditions.duration_ms)));
            let is_auto = conditions.warmup_is_auto;
            let warmup = if is_auto { "auto".to_owned() } else { time(conditions.warmup_ms) };
            words.push(format!("--warmup {warmup}"));
        }
        Pace::Free => words.push("--set run.pace=free".to_owned()),
    }
    if conditions.isolation == Isolation::Lane {
        words.push("--set run.isolation=lane".to_owned());
    }
    if conditions.decode_only {
        words.push("--decode-only".to_owned());
    }
    if conditions.count > 1 {
        words.push(format!("--count {}", conditions.count));
    }
    let overrides = known.into_iter().flat_map(|known| &known.overrides);
    let others = overrides.filter(|(key, _)| !CONDITIONS.contains(&key.as_str()));
    words.extend(others.map(|(key, value)| format!("--set {}", for_shell(&format!("{key}={value}")))));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::copies;

    #[test]
    fn the_command_has_the_cameras_of_one_copy_and_every_condition() {
        let mut record = copies(2, &[&[15, 15], &[15, 15]], 0.3);
        assert_eq!(command(&record).join(" "), "lp run --duration 20s --warmup 2s --count 2");
        record.conditions.warmup_is_auto = true;
        assert_eq!(command(&record).join(" "), "lp run --duration 20s --warmup auto --count 2");
        record.subject = "set-1a2b3c".to_owned();
        record.conditions.isolation = Isolation::Lane;
        record.conditions.pace = Pace::Free;
        record.conditions.count = 1;
        record.members.truncate(2);
        assert_eq!(
            command(&record).join(" "),
            "lp run camera-1 camera-2 --set run.pace=free --set run.isolation=lane"
        );
    }
}
