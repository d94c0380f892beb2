//! Whether the power of the CPU may be read: a note, since only reports of power need it.

use std::path::Path;

use super::finding::Finding;

/// A rule for `/etc/udev/rules.d` that lets a group read the counters of energy. `%p` is the path of the
/// device below `/sys`.
const RULE: &str = r#"SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl:*", RUN+="/bin/chgrp power /sys%p/energy_uj", RUN+="/bin/chmod g+r /sys%p/energy_uj""#;

/// What is said of a zone that this user may not read.
pub(super) fn finding(refused: Option<&Path>) -> Option<Finding> {
    let path = refused?.display();
    let note = format!(
        "since Linux 5.10 only root may read `{path}`, so reports lack power and energy; this udev rule lets the group \
         `power` read it (docs/measuring.md, under Power):"
    );
    Some(Finding::absent("power of the CPU", note).way_out(RULE))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::finding::table;
    use super::*;
    use crate::report::grid::Paper;

    #[test]
    fn a_zone_that_may_not_be_read_is_a_note_with_the_rule() {
        let path = Path::new("/sys/class/powercap/intel-rapl:0/energy_uj");
        let finding = finding(Some(path)).unwrap();
        assert!(!finding.is_missing());
        expect![[r#"
            note     power of the CPU  not here; since Linux 5.10 only root may read `/sys/class/powercap/intel-rapl:0/energy_uj`, so reports lack power and energy; this udev rule lets the group `power` read it (docs/measuring.md, under Power):
                                       SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl:*", RUN+="/bin/chgrp power /sys%p/energy_uj", RUN+="/bin/chmod g+r /sys%p/energy_uj"
        "#]]
        .assert_eq(&table(&[finding], Paper::PLAIN));
        assert!(super::finding(None).is_none());
    }
}
