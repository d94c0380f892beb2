//! Networks: bytes received and sent, and packets dropped, by interface.
//!
//! `/proc/net/dev` has the interfaces of this process's namespace: in a container, its own.
//! Dropped packets are those that the kernel had no room for, received and to be sent.
//!
//! Source: proc_pid_net(5).

use super::devices::{DeviceSampler, Devices, Table};
use super::source::Source;
use super::{CollectError, Collector, Place};

/// Its name in records.
pub const NAME: &str = "network";

const INTERFACES: Table<3> = Table {
    name: NAME,
    counters: [("received", "By/s", 1.0), ("sent", "By/s", 1.0), ("dropped", "/s", 1.0)],
    read: interfaces,
    expected: "lines of interfaces",
    absent: "network interface",
    usual: "not usual: even a container without network has `lo`",
};

/// Begins to sample `/proc/net/dev`.
///
/// # Errors
/// When it cannot be read, or has no interface.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(DeviceSampler::new(&INTERFACES, Source::open(place.root.join("proc/net/dev"))?)?))
}

/// `eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop ...`
/// after two lines of titles.
fn interfaces(text: &str) -> Option<Devices<3>> {
    let mut found = Devices::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((name, counters)) = line.rsplit_once(':') else {
            // The titles have no colon.
            if line.contains('|') { continue } else { return None }
        };
        let counters: Vec<u64> =
            counters.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let at = |field: usize| counters.get(field).copied();
        let dropped = at(3)?.saturating_add(at(11)?);
        found.insert(name.trim().to_owned(), [at(0)?, at(8)?, dropped]);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    const PATH: &str = "proc/net/dev";
    const TITLES: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

    #[track_caller]
    fn check(before: &str, now: &str, expect: Expect) {
        let tree = Tree::of(&[(PATH, &format!("{TITLES}{before}"))]);
        let started =
            Source::open(tree.root().join(PATH)).and_then(|file| DeviceSampler::new(&INTERFACES, file));
        let text = match started {
            Ok(mut sampler) => {
                tree.write(PATH, &format!("{TITLES}{now}"));
                let began_ns = sampler.began_ns();
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn interfaces_have_rates() {
        check(
            "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n\
             eth0.100:1000 9 0 1 0 0 0 0 2000 9 0 2 0 0 0 0\n",
            "    lo:      50       1    0    0    0     0          0         0       50       1    0    0    0     0       0          0\n\
             eth0.100:1500 9 0 2 0 0 0 0 2000 9 0 4 0 0 0 0\n",
            expect![[r#"
                network.eth0.100.received 500 By/s
                network.eth0.100.sent 0 By/s
                network.eth0.100.dropped 3 /s
                network.lo.received 50 By/s
                network.lo.sent 50 By/s
                network.lo.dropped 0 /s
            "#]],
        );
    }

    #[test]
    fn a_counter_of_32_bits_that_began_anew_is_unknown() {
        check(
            "eth0: 4294967000 9 0 1 0 0 0 0 2000 9 0 2 0 0 0 0\n",
            "eth0: 300 9 0 1 0 0 0 0 2048 9 0 2 0 0 0 0\n",
            expect![[r#"
                network.eth0.received unknown By/s
                network.eth0.sent 48 By/s
                network.eth0.dropped 0 /s
            "#]],
        );
    }

    #[test]
    fn a_machine_without_networks_says_so() {
        check(
            "",
            "",
            expect![
                "no network interface in `/proc/net/dev` (not usual: even a container without network has `lo`)"
            ],
        );
        check("eth0: 1 2 3\n", "", expect!["expected lines of interfaces in `/proc/net/dev`, found none"]);
    }
}
