//! A thousand passes of a clip are one stream: no frame too many or too few, and none out of its place.

use std::path::Path;

use lp::pipeline::codec::Codec;
use lp::pipeline::{Element, Playback, Value};

use crate::clips::Case;
use crate::support::{Bench, sink, spec};
use crate::workspace::Workspace;

const FRAMES: u64 = 8;
const PASSES: u64 = 1_000;

/// Plays a clip as fast as the machine can, and says what is wrong with its frames.
fn passes(clip: &Path, codec: Codec) -> Result<(), String> {
    let mut bench = Bench::new();
    let decoder = match codec {
        Codec::Mjpeg => Element::new("avdec_mjpeg"),
        _ => Element::new("avdec_h264").int("max-threads", 1),
    };
    let elements = vec![
        Element::new("filesrc").set("location", Value::Text(clip.to_str().unwrap().to_owned())),
        Element::new("qtdemux"),
        Element::new(codec.parser()).named("ingress"),
        decoder.named("decoder"),
        sink(),
    ];
    bench.start("till/1", spec(elements, Playback::Loop), 0)?;
    let n_frames = FRAMES * PASSES + FRAMES;
    let (frames, end) = bench.frames(|frames| n_frames <= frames.played);
    if let Some(end) = end {
        return Err(format!("it ended: {end:?}"));
    }
    if (frames.dropped, frames.fates.damaged_us.len()) != (0, 0) {
        return Err(format!("{} dropped, {} damaged", frames.dropped, frames.fates.damaged_us.len()));
    }
    // Nothing paces them, so a frame's place in the stream is its arrival less its lateness.
    let places: Vec<i64> = frames
        .arrived_us
        .iter()
        .zip(&frames.late_us)
        .map(|(at, late)| *at as i64 - late.expect("frames have times"))
        .collect();
    // The first frames may come before the decoder has said how long it holds them.
    for (n, place) in places[FRAMES as usize..].iter().enumerate() {
        let due = places[FRAMES as usize] + n as i64 * 100_000;
        // Times of containers are rounded within a clip, and not more from pass to pass.
        if 1_500 < (place - due).abs() {
            return Err(format!("frame {n} is {} us away from its place", place - due));
        }
    }
    Ok(())
}

#[test]
fn a_thousand_passes_keep_count_and_rate_whatever_the_clip_came_in() {
    const B_FRAMES: &str = "-c:v libx264 -threads 1 -g 8 -bf 3 -x264-params b-adapt=0";
    const PLAIN: &str = "-c:v libx264 -threads 1 -g 8 -bf 0";
    let wrapping = format!("{B_FRAMES} -output_ts_offset 95443.3");
    let cases = [
        // The times of B-frames are moved by an edit list.
        ("edits.mp4", B_FRAMES, Codec::H264),
        ("plain.mp4", PLAIN, Codec::H264),
        ("late.mp4", "-c:v libx264 -threads 1 -g 8 -bf 3 -output_ts_offset 3.7", Codec::H264),
        ("a.mkv", B_FRAMES, Codec::H264),
        ("a.avi", "-c:v mjpeg", Codec::Mjpeg),
        // 33 bits at 90 kHz end after 95443.7 s, in the middle of the clip.
        ("wrapping.ts", wrapping.as_str(), Codec::H264),
    ];
    let faults: Vec<String> = std::thread::scope(|scope| {
        let threads = cases.map(|(name, encoder, codec)| {
            scope.spawn(move || {
                let case = Case::new(name, "10").pattern(u32::try_from(FRAMES).unwrap(), "10", encoder);
                case.build().success();
                assert_eq!(Bench::count(&case.transcoded()), FRAMES, "{name}");
                passes(&case.transcoded(), codec).err().map(|fault| format!("{name}: {fault}"))
            })
        });
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_parser_that_takes_lengths_away_costs_no_frame() {
    // GStreamer 1.26 has `jpegparse` among the parsers that it chooses by itself, 1.22 has not.
    let rank = |ws: Workspace| ws.env("GST_PLUGIN_FEATURE_RANK", "jpegparse:PRIMARY");
    let case = Case::new("a.avi", "10").pattern(8, "10", "-c:v mjpeg").with(rank);
    case.build().success();
    assert_eq!(Bench::count(&case.transcoded()), 8);
    let facts = std::fs::read_to_string(case.transcoded().with_extension("json")).unwrap();
    assert!(facts.contains("\"done\": \"remuxed\""), "{facts}");
}
