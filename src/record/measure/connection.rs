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
    (!all.is_empty()).then(|| format!("of {received} packets of RTP: {}", all.join(", ")))
}

fn outages(outages: &[Outage]) -> Option<String> {
    let first = outages.first()?;
    let away_us: u64 = outages.iter().filter_map(|one| Some(one.back_us?.saturating_sub(one.lost_us))).sum();
    let n_lost = counted(outages.len() as u64, "time");
    let n_attempts = counted(outages.iter().map(|one| u64::from(one.attempts)).sum::<u64>(), "attempt");
    Some(format!(
        "the connection was lost {n_lost}, for {:.1} s in all, and made again in {n_attempts}: {}",
        away_us as f64 / 1e6,
        first.reason
    ))
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
                "of 900 packets of RTP: 9 lost, 2 out of order",
                "the connection was lost 2 times, for 2.5 s in all, and made again in 4 attempts: gone",
            ]
        );
    }
}
