//! What an impaired network did to the packets of streams, in words.

use crate::impair::Passage;
use crate::record::{Member, RunRecord, StreamRecord};
use crate::text::counted;

/// Of all streams; `None` where no network was impaired.
pub(super) fn of_all(record: &RunRecord) -> Option<String> {
    let passages = record.members.iter().flat_map(own);
    let all = passages.map(|(_, passage)| passage).reduce(Passage::and)?;
    Some(format!("impaired network: {}", sentence(all)))
}

/// Of each stream of a camera that has a decoder of its own.
pub(super) fn of_member(member: &Member) -> Vec<String> {
    let told = own(member)
        .map(|(stream, passage)| format!("{}, on an impaired network: {}", stream.stream, sentence(passage)));
    told.collect()
}

/// The streams of a camera that received packets, those that share a decoder once.
fn own(member: &Member) -> impl Iterator<Item = (&StreamRecord, Passage)> {
    let is_first = |index: usize, stream: &StreamRecord| {
        let earlier = &member.streams[..index];
        earlier.iter().all(|other| !stream.shares_decode_with.contains(&other.stream))
    };
    let streams = member.streams.iter().enumerate().filter(move |(index, stream)| is_first(*index, stream));
    streams.filter_map(|(_, stream)| Some((stream, stream.impaired?)))
}

/// `1200 packets, 24 lost, 12 overtaken by the next, delayed by 41.2 ms on average and 60 ms at most`
fn sentence(passage: Passage) -> String {
    let mut text = format!("{}, {} lost", counted(passage.packets, "packet"), passage.dropped);
    if passage.overflowed > 0 {
        text += &format!(", {} without room in the queue before the link", passage.overflowed);
    }
    if passage.reordered > 0 {
        text += &format!(", {} overtaken by the next", passage.reordered);
    }
    if let Some(mean_us) = passage.delay_mean_us() {
        let millis = |us: u64| us as f64 / 1e3;
        let (mean, most) = (millis(mean_us), millis(passage.delay_max_us));
        text += &format!(", delayed by {mean:.1} ms on average and {most:.1} ms at most");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::copies;

    #[test]
    fn packets_of_a_shared_decoder_count_once() {
        let mut record = copies(1, &[&[15, 15]], 0.3);
        assert_eq!(of_all(&record), None);
        let passage = Passage {
            packets: 100,
            forwarded: 90,
            dropped: 8,
            overflowed: 2,
            reordered: 1,
            delay_sum_us: 90 * 41_200,
            delay_max_us: 60_000,
        };
        let streams = &mut record.members[0].streams;
        streams.iter_mut().for_each(|stream| stream.impaired = Some(passage));
        let mut second = streams[0].clone();
        second.stream = "other/2".to_owned();
        second.shares_decode_with = vec![streams[0].stream.clone()];
        streams[0].shares_decode_with = vec![second.stream.clone()];
        streams.insert(1, second);
        streams.truncate(2);
        let told = "100 packets, 8 lost, 2 without room in the queue before the link, 1 overtaken by the \
                    next, delayed by 41.2 ms on average and 60.0 ms at most";
        assert_eq!(of_all(&record).unwrap(), format!("impaired network: {told}"));
        assert_eq!(of_member(&record.members[0]).len(), 1);
    }
}
