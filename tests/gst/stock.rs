//! Stock steps that branch, filter and group, as a camera plays them.

use std::collections::BTreeMap;

use crate::project::{latest, short};

#[test]
fn a_workload_may_branch_filter_and_group() {
    let steps = r#"
        {"type": "zbar"},
        {"type": "tee", "name": "frames"},
        {"type": "bin", "steps": [{"type": "videoscale", "caps": "video/x-raw,width=160,height=90"}, {"type": "identity"}]},
        {"from": "frames", "type": "videoanalyse"},
        {"from": "frames", "type": "queue", "properties": {"max-size-buffers": 2}},
        {"type": "x264enc", "properties": {"speed-preset": "ultrafast", "tune": "zerolatency"}},
        {"type": "tee", "name": "encoded"},
        {"type": "h264parse"},
        {"type": "fakesink"},
        {"from": "encoded", "type": "avdec_h264"},
        {"type": "videoanalyse"}"#;
    let ws = short(&[("camera-1", steps)]);
    for (pace, is_exact) in [("free", true), ("live", false)] {
        ws.lp(&format!("run --no-verdict --set run.pace={pace} --set run.duration=1s")).success();
        let record = latest(&ws);
        let stream = &record.members[0].streams[0];
        assert_eq!(stream.failure, None);
        assert_eq!(stream.life.decoded, stream.life.played + stream.life.dropped);
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        for sighting in &stream.sightings {
            *seen.entry(&sighting.element).or_default() += 1;
        }
        let names: Vec<&str> = seen.keys().copied().collect();
        let analysed = ["camera-1_1_11_videoanalyse", "camera-1_1_4_videoanalyse"];
        assert!(analysed.iter().all(|name| names.contains(name)), "{names:?}");
        if is_exact {
            assert_eq!((stream.life.decoded, stream.life.dropped), (45, 0));
            assert_eq!(analysed.map(|name| seen[name]), [45, 45]);
            assert!(0 < seen["camera-1_1_1_zbar"]);
        }
    }
}
