//! Remarks about the connection of an RTSP camera: packets that did not come in order, and times
//! without a connection.

use crate::record::{Delivery, Outage, Packets};
use crate::text::counted;

/// Remarks, of a connection about which there is something to say.
pub(super) fn words(delivery: &Delivery) -> impl Iterator<Item = String> {
    let packets = delivery.packets.as_ref().and_then(packets);
    packets.into_iter().chain(outages(&delivery.reconnects))
}

fn packets(packets: &Packets) -> Option<String> {
    let Packets { received, lost, late, duplicates, reordered } = *packets;
    let counts = [
        (lost, "lost"),
        (late, "too late for the jitter buffer"),
        (duplicates, "once more"),
        (reordered, "out of order"),
    ];
    let all: Vec<String> =
        counts.iter().filter(|(n, _)| 0 < *n).map(|(n, what)| format!("{n} {what}")).collect();
    (!all.is_empty()).then(|| format!("{received} packets of RTP came in the window; {}", all.join(", ")))
}

fn outages(outages: &[Outage]) -> Option<String> {
    let (first, last) = (outages.first()?, outages.last()?);
    let away_us: u64 = outages.iter().filter_map(|one| Some(one.back_us?.saturating_sub(one.lost_us))).sum();
    let tried = |outages: &[Outage]| {
        counted(outages.iter().map(|one| u64::from(one.attempts)).sum::<u64>(), "attempt")
    };
    let again = outages.len() - usize::from(last.back_us.is_none());
    let mut parts = Vec::new();
    if again > 0 {
        let (seconds, tried) = (away_us as f64 / 1e6, tried(&outages[..again]));
        parts.push(format!("made again {} in {tried}, after {seconds:.1} s in all", times(again)));
    }
    if again < outages.len() {
        parts.push(format!("not made again in {}", tried(&outages[again..])));
    }
    let reason =
        if outages.len() == 1 { first.reason.clone() } else { format!("at first: {}", first.reason) };
    Some(format!("the connection was lost {} ({reason}): {}", times(outages.len()), parts.join("; ")))
}

/// `once`, `3 times`
pub(super) fn times(n: usize) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_a_whole_connection_is_told() {
        let all = |delivery: &Delivery| words(delivery).collect::<Vec<_>>();
        let packets = Packets { received: 900, ..Packets::default() };
        assert_eq!(all(&Delivery { packets: Some(packets), ..Delivery::default() }), [""; 0]);
        let packets = Packets { lost: 9, reordered: 2, ..packets };
        let outage = |lost_us, back_us| Outage { lost_us, back_us, attempts: 2, reason: "gone".to_owned() };
        let reconnects = vec![outage(1_000_000, Some(2_500_000)), outage(9_000_000, Some(10_000_000))];
        let delivery = Delivery { packets: Some(packets), reconnects, ..Delivery::default() };
        assert_eq!(
            all(&delivery),
            [
                "900 packets of RTP came in the window; 9 lost, 2 out of order",
                "the connection was lost 2 times (at first: gone): made again 2 times in 4 attempts, after 2.5 s in all",
            ]
        );
        let of = |reconnects| all(&Delivery { reconnects, ..Delivery::default() }).remove(0);
        assert_eq!(
            of(vec![outage(1_000_000, None)]),
            "the connection was lost once (gone): not made again in 2 attempts"
        );
        assert_eq!(
            of(vec![outage(1_000_000, Some(2_500_000)), outage(9_000_000, None)]),
            "the connection was lost 2 times (at first: gone): made again once in 2 attempts, after 1.5 s in all; not \
             made again in 2 attempts"
        );
    }
}
